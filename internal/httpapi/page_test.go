package httpapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

// pageFiles are those of a page that was built.
var pageFiles = fstest.MapFS{
	"index.html":                {Data: []byte("<!doctype html><title>the page</title>" + strings.Repeat(" ", 2000))},
	"favicon.svg":               {Data: []byte("<svg/>")},
	"theme.js":                  {Data: []byte("document")},
	"assets/index-Ab12Cd34.js":  {Data: []byte(strings.Repeat("console;", 500))},
	"assets/index-Ab12Cd34.css": {Data: []byte("body{}")},
	".gitignore":                {Data: []byte("*")},
	"secret.key":                {Data: []byte("not of a page")},
}

func TestFault6_46_Page(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	for _, test := range []struct {
		path   string
		status int
		kind   string
		cache  string
		body   string
	}{
		{"/", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/index.html", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/fleet", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/fleet/111122223333/ap-northeast-2/ec2_instance/i-0shop1", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/schedules/seoul-office", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/schedules/v1.2", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/signin?fault=refused", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/favicon.svg", 200, "image/svg+xml; charset=utf-8", askAgain, "<svg/>"},
		{"/assets/index-Ab12Cd34.js", 200, "text/javascript; charset=utf-8", forever, "console;"},
		{"/assets/index-Ab12Cd34.css", 200, "text/css; charset=utf-8", forever, "body{}"},
		{"/assets/index-old.js", 404, problemJSON, "no-store", ""},
		{"/assets/", 404, problemJSON, "no-store", ""},
		{"/assets", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/missing.js", 404, problemJSON, "no-store", ""},
		{"/.gitignore", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/secret.key", 200, "text/html; charset=utf-8", askAgain, "the page"},
		{"/api/v1/nothing", 404, problemJSON, "no-store", ""},
		{"/api/nothing", 404, problemJSON, "no-store", ""},
	} {
		t.Run(test.path, func(t *testing.T) {
			w := h.do(ask{path: test.path})
			got := w.Result().Header
			if w.Code != test.status || got.Get("Content-Type") != test.kind || got.Get("Cache-Control") != test.cache || !strings.Contains(w.Body.String(), test.body) || strings.Contains(w.Body.String(), "not of a page") {
				t.Errorf("%d %v %.200s", w.Code, got, w.Body)
			}
		})
	}
	for _, path := range []string{"/../go.mod", "/..%2f..%2fgo.mod", "/%2e%2e/%2e%2e/go.mod", "/assets/../../go.mod", "/assets/..%2f..%2fetc%2fpasswd", "/assets\\..\\x", "//etc/passwd", "/%00"} {
		r := mustRequest(t, "/")
		r.URL.Path, r.URL.RawPath = strings.NewReplacer("%2f", "/", "%2e", ".", "%00", "\x00").Replace(path), path
		recorder := h.serve(r)
		if body := recorder.Body.String(); strings.Contains(body, "module dayshift") || strings.Contains(body, "root:") || recorder.Code >= 500 {
			t.Errorf("%s: %d %s", path, recorder.Code, body)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		w := h.do(ask{method: method, path: "/fleet"})
		if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	if w := h.do(ask{method: "HEAD", path: "/"}); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
}

func TestPageIsCompressedAndKept(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	path := "/assets/index-Ab12Cd34.js"
	plain := h.do(ask{path: path})
	zipped := h.do(ask{path: path, headers: map[string]string{"Accept-Encoding": "br, gzip;q=0.8"}})
	if zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Header().Get("Vary") != "Accept-Encoding" || zipped.Body.Len() >= plain.Body.Len() {
		t.Fatalf("%v", zipped.Header())
	}
	reader, err := gzip.NewReader(bytes.NewReader(zipped.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil || string(text) != plain.Body.String() {
		t.Errorf("%v, %.60s", err, text)
	}
	if w := h.do(ask{path: path, headers: map[string]string{"Accept-Encoding": "gzip; q=0"}}); w.Header().Get("Content-Encoding") != "" {
		t.Error("compressed although refused")
	}
	tag := plain.Header().Get("ETag")
	if tag == "" || tag == zipped.Header().Get("ETag") {
		t.Errorf("tags: %q and %q", tag, zipped.Header().Get("ETag"))
	}
	if w := h.do(ask{path: path, headers: map[string]string{"If-None-Match": tag}}); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%d", w.Code)
	}
	if w := h.do(ask{path: path, headers: map[string]string{"If-None-Match": `"other"`}}); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

// Without the page there is the API all the same.
func TestWithoutPage(t *testing.T) {
	h := newHouse(t, Options{})
	if w := h.do(ask{path: "/"}); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
	h = newHouse(t, Options{Page: fstest.MapFS{}})
	h.refused(ask{path: "/fleet"}, 404, notFound)
}

// The readable page of the API has everything that the document has, and runs nothing.
func TestDocs(t *testing.T) {
	h := newHouse(t, Options{})
	w := h.do(ask{path: "/docs"})
	text := w.Body.String()
	if w.Code != 200 || w.Header().Get("Content-Security-Policy") != docsPolicy || strings.Contains(text, "<script") || strings.Contains(text, "style=") || strings.Contains(text, " on") && strings.Contains(text, "onclick") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, o := range h.surface.Operations() {
		if !strings.Contains(text, `id="`+o.ID+`"`) || !strings.Contains(text, ">"+o.Path+"<") {
			t.Errorf("%s is missing", o.ID)
		}
	}
	for _, leads := range []string{`href="http`, `src="http`, `href="//`, "url(", "@import"} {
		if strings.Contains(text, leads) || strings.Contains(string(docsStyle), leads) {
			t.Errorf("it leads elsewhere by %s", leads)
		}
	}
	for kind := range problems {
		if !strings.Contains(text, "/problems/"+kind) {
			t.Errorf("problem %s is missing", kind)
		}
	}
	if w := h.do(ask{path: "/docs/docs.css"}); w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
