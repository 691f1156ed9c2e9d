package httpapi

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/store"
)

// The numbers are those of the checklist of security tests.

// Whatever a client says of its address, the one of the connection counts, but behind a proxy that is trusted.
func TestFault6_14_ForwardedAddressesAreBelievedOfTrustedProxiesAlone(t *testing.T) {
	h := newHouse(t, Options{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	for _, test := range []struct{ from, forwarded, want string }{
		{"203.0.113.7:1", "", "203.0.113.7"},
		{"203.0.113.7:1", "198.51.100.1", "203.0.113.7"},
		{"203.0.113.7:1", "127.0.0.1", "203.0.113.7"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "127.0.0.1, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "198.51.100.1,garbage", "10.0.0.1"},
		{"10.0.0.1:1", "garbage", "10.0.0.1"},
		{"10.0.0.1:1", "10.0.0.9, 10.0.0.8", "10.0.0.9"},
		{"[fd00::1]:1", "2001:db8::5", "2001:db8::5"},
		{"[::ffff:10.0.0.1]:1", "198.51.100.1", "198.51.100.1"},
		{"[fe80::1%eth0]:1", "198.51.100.1", "fe80::1"},
		{"nonsense", "198.51.100.1", "unknown"},
	} {
		r := mustRequest(t, "/")
		r.RemoteAddr = test.from
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := h.surface.client(r); got != test.want {
			t.Errorf("from %s by %q: %s, expected %s", test.from, test.forwarded, got, test.want)
		}
	}
	// Who guesses keys is slowed down, whatever address they make up.
	slowed := false
	for i := range 200 {
		wrong, err := access.NewKey(strings.NewReader(strings.Repeat(fmt.Sprintf("%08d", i), 100)), "")
		if err != nil {
			t.Fatal(err)
		}
		w := h.do(ask{path: base + "/runs", headers: map[string]string{"X-API-Key": wrong.Text(), "X-Forwarded-For": fmt.Sprintf("198.51.100.%d", i), "X-Real-IP": "1.2.3.4", "Forwarded": "for=1.2.3.4"}})
		slowed = slowed || w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != ""
	}
	if !slowed {
		t.Error("200 wrong keys from one address were all looked at")
	}
	// https is what the proxy says, not what anybody says.
	for from, want := range map[string]bool{"203.0.113.7:1": false, "10.0.0.1:1": true} {
		w := h.do(ask{path: base + "/me", from: from, headers: map[string]string{"X-Forwarded-Proto": "https"}})
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("from %s by https: %t", from, got)
		}
	}
}

// What is large, deep, long or slow ends soon.
func TestFault6_15_RequestsAreBounded(t *testing.T) {
	h := newHouse(t, Options{})
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, test := range []struct {
		name   string
		ask    ask
		status int
	}{
		{"a body of 1 MiB", ask{method: "POST", path: "/overrides", body: `{"target":"` + strings.Repeat("x", 1<<20) + `","state":"running"}`}, 413},
		{"a file of 2 MiB", ask{method: "POST", path: "/validate", body: strings.Repeat("#", 2<<20)}, 413},
		{"an array of half a million", ask{method: "POST", path: "/overrides", body: `{"target":[` + strings.Repeat("1,", 500_000) + `1],"state":"running"}`}, 422},
		{"depth", ask{method: "POST", path: "/overrides", body: `{"target":` + deep + `}`}, 400},
		{"depth of an object", ask{method: "PUT", path: "/schedules/x", body: `{"periods":` + deep + `}`, headers: map[string]string{"If-None-Match": "*"}}, 400},
		{"depth of a file", ask{method: "POST", path: "/apply", body: `{"schedules":` + deep + `}`}, 422},
		{"a question that is deep", ask{method: "POST", path: "/eval", body: `{"schedule":` + deep + `}`}, 400},
		{"anchors that multiply", ask{method: "POST", path: "/apply", body: bomb(9), headers: map[string]string{"Content-Type": "application/yaml"}}, 422},
		{"a page of 501", ask{path: "/resources?limit=501"}, 422},
		{"a page of a million", ask{path: "/activity?limit=1000000"}, 422},
		{"a page of none", ask{path: "/schedules?limit=0"}, 422},
		{"a page of -1", ask{path: "/runs?limit=-1"}, 422},
		{"a cursor of somebody", ask{path: "/schedules?cursor=bm9wZQ"}, 422},
		{"a cursor of the fleet that is none", ask{path: "/resources?cursor=AAAA"}, 422},
		{"an unknown parameter", ask{path: "/schedules?admin=true"}, 422},
		{"an unknown order", ask{path: "/schedules?sort=spec"}, 422},
		{"a filter of 20 KB", ask{path: "/resources?filter=" + strings.Repeat("tag:a=b,", 2500)}, 422},
		{"a search of 1 KB", ask{path: "/resources?q=" + strings.Repeat("x", 1000)}, 422},
		{"a name of 2 KB", ask{path: "/schedules/" + strings.Repeat("x", 2000)}, 422},
		{"a preview of a century", ask{path: "/preview?from=2026-01-01T00:00:00Z&to=2126-01-01T00:00:00Z"}, 422},
		{"a preview backwards", ask{path: "/preview?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"}, 422},
		{"weeks without end", ask{path: "/schedules/seoul-office/calendar?weeks=1000"}, 422},
		{"an expression that never fires", ask{method: "POST", path: "/eval", body: `{"expression":"cron(0 0 30 2 ? *)","from":"2026-01-01T00:00:00Z","to":"9999-01-01T00:00:00Z"}`}, 200},
		{"an expression that always fires", ask{method: "POST", path: "/eval", body: `{"expression":"cron(* * * * ? *)","from":"2026-01-01T00:00:00Z","to":"9999-01-01T00:00:00Z"}`}, 200},
		{"zipped", ask{method: "POST", path: "/overrides", body: "\x1f\x8b\x08\x00\x00\x00\x00\x00", headers: map[string]string{"Content-Encoding": "gzip"}}, 400},
		{"two thousand scopes", ask{method: "POST", path: "/runs", body: `{"scopes":[` + strings.Repeat(`{"account":"1","region":"r"},`, 2000) + `{"account":"1","region":"r"}]}`}, 422},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.ask.path, test.ask.as = base+test.ask.path, "admin"
			w := h.do(test.ask) // what takes too long ends with another status: no time of this machine is asserted
			if w.Code != test.status || w.Body.Len() > 4<<20 {
				t.Errorf("%d: %.300s", w.Code, w.Body)
			}
			if w.Code >= 400 && w.Body.Len() > 8<<10 {
				t.Errorf("the problem repeats %d bytes", w.Body.Len())
			}
		})
	}
}

// bomb is YAML in which each line stands for nine of the one before.
func bomb(lines int) string {
	text := "a0: &a0 [x]\n"
	for i := 1; i <= lines; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 8), i-1)
	}
	return text + fmt.Sprintf("schedules: *a%d\n", lines)
}

// A client that says nothing more in the middle of its body is cut off.
func TestFault6_15_SlowBodiesEnd(t *testing.T) {
	defer func(before time.Duration) { bodyTimeout = before }(bodyTimeout)
	bodyTimeout = 300 * time.Millisecond
	h := newHouse(t, Options{})
	address := h.listen()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST %s/overrides HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", base, h.keys["admin"])
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // far beyond, even on a slow machine
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "HTTP/1.1 408") {
		t.Errorf("%v: %s", err, answer)
	}
}

// listen serves the house on a port until the test ends.
func (h *house) listen(changes ...func(*http.Server)) string {
	h.tb.Helper()
	var network net.ListenConfig
	listener, err := network.Listen(h.tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		h.tb.Fatal(err)
	}
	server := NewServer(h.surface)
	for _, change := range changes {
		change(server)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	h.tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			h.tb.Error("the server does not shut down:", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			h.tb.Error(err)
		}
	})
	return listener.Addr().String()
}

// The cookie of a session is as hard to steal as browsers can make it, and none is given where it would go in the clear.
func TestFault6_17_CookieOfASession(t *testing.T) {
	h := newHouse(t, Options{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}})
	signIn := func(a ask) *httptest.ResponseRecorder {
		a.method, a.path, a.body = "POST", base+"/session", `{"key":"`+h.keys["viewer"]+`"}`
		return h.do(a)
	}
	w := signIn(ask{from: "10.0.0.1:1", headers: map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}})
	cookie := w.Result().Cookies()[0]
	if w.Code != 200 || cookie.Name != "__Host-dayshift" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("%d %+v", w.Code, cookie)
	}
	if left := time.Until(cookie.Expires); left > 7*24*time.Hour || left < time.Hour {
		t.Errorf("it ends in %s", left)
	}
	if strings.Contains(w.Body.String(), cookie.Value) || strings.Contains(w.Body.String(), "dsk_") {
		t.Errorf("the answer has the secret: %s", w.Body)
	}
	w = signIn(ask{from: "127.0.0.1:1"})
	if cookie := w.Result().Cookies()[0]; w.Code != 200 || cookie.Name != "dayshift" || cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("%d %+v", w.Code, cookie)
	}
	for name, a := range map[string]ask{
		"in the clear":                    {},
		"what anybody says of https":      {headers: map[string]string{"X-Forwarded-Proto": "https"}},
		"what anybody says of themselves": {headers: map[string]string{"X-Forwarded-For": "127.0.0.1"}},
	} {
		if w := signIn(a); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}

// signedIn begins a session on this machine and gives the headers of a request with it.
func (h *house) signedIn(as string) map[string]string {
	h.tb.Helper()
	w := h.do(ask{method: "POST", path: base + "/session", body: `{"key":"` + h.keys[as] + `"}`, from: "127.0.0.1:1"})
	if w.Code != 200 {
		h.tb.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return map[string]string{"Cookie": "dayshift=" + w.Result().Cookies()[0].Value, "Sec-Fetch-Site": "same-origin"}
}

// Every sign-in gives another session, and signing out, revoking its key or ending it ends it on the server.
func TestFault6_18_SessionsEnd(t *testing.T) {
	h := newHouse(t, Options{})
	me := func(headers map[string]string) (m Me) {
		h.get(ask{path: base + "/me", headers: headers}, 200, &m)
		return m
	}
	first := h.signedIn("editor")
	if m := me(first); m.Via != access.ViaSession || m.Role != access.Editor || m.Name != "editor" {
		t.Fatalf("%+v", m)
	}
	// Signing in again ends the session that the browser had: nobody goes on with a token that was planted.
	w := h.do(ask{method: "POST", path: base + "/session", body: `{"key":"` + h.keys["viewer"] + `"}`, from: "127.0.0.1:1", headers: first})
	second := map[string]string{"Cookie": "dayshift=" + w.Result().Cookies()[0].Value, "Sec-Fetch-Site": "same-origin"}
	if m := me(first); !m.Anonymous {
		t.Errorf("the session before goes on: %+v", m)
	}
	if m := me(second); m.Role != access.Viewer {
		t.Errorf("%+v", m)
	}
	w = h.do(ask{method: "DELETE", path: base + "/session", headers: second})
	if w.Code != 204 || len(w.Result().Cookies()) != 2 || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if m := me(second); !m.Anonymous {
		t.Errorf("signed out: %+v", m)
	}
	w = h.do(ask{path: base + "/runs", headers: second})
	if w.Code != 401 || len(w.Result().Cookies()) != 2 {
		t.Errorf("a session that ended: %d %v", w.Code, w.Header())
	}
	// A key that is revoked takes its sessions along.
	third := h.signedIn("operator")
	var keys struct {
		Items []struct{ ID, Label string }
	}
	h.get(ask{path: base + "/keys", as: "admin"}, 200, &keys)
	for _, key := range keys.Items {
		if key.Label == "operator" {
			h.get(ask{method: "DELETE", path: base + "/keys/" + key.ID, as: "admin"}, 200, nil)
		}
	}
	if m := me(third); !m.Anonymous {
		t.Errorf("the session of a revoked key: %+v", m)
	}
	// An admin ends somebody's session.
	fourth := h.signedIn("editor")
	var sessions struct{ Items []struct{ ID string } }
	h.get(ask{path: base + "/sessions", as: "admin"}, 200, &sessions)
	for _, session := range sessions.Items {
		h.get(ask{method: "DELETE", path: base + "/sessions/" + session.ID, as: "admin"}, 204, nil)
	}
	if m := me(fourth); len(sessions.Items) == 0 || !m.Anonymous {
		t.Errorf("a session that an admin ended: %+v", m)
	}
}

// No other site makes a browser do something here.
func TestFault6_19_OtherSitesDoNothing(t *testing.T) {
	h := newHouse(t, Options{})
	session := h.signedIn("admin")
	cookie := session["Cookie"]
	body := `{"target":"i-0shop1","state":"stopped","for":"1h"}`
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		path := map[string]string{"POST": "/overrides", "PUT": "/schedules/x", "PATCH": "/overrides/x", "DELETE": "/schedules/x"}[method]
		for name, headers := range map[string]map[string]string{
			"cross-site":                        {"Sec-Fetch-Site": "cross-site"},
			"another subdomain":                 {"Sec-Fetch-Site": "same-site"},
			"an address typed in":               {"Sec-Fetch-Site": "none"},
			"another origin":                    {"Origin": "https://evil.example"},
			"an origin that is hidden":          {"Origin": "null"},
			"another origin that says same":     {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
			"neither origin nor site":           {},
			"a form":                            {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
			"a form that overrides the method":  {"Sec-Fetch-Site": "cross-site", "X-HTTP-Method-Override": "GET"},
			"another port of the same host":     {"Origin": "http://dayshift.example:8081"},
			"a host that begins with this one":  {"Origin": "http://dayshift.example.evil.example"},
			"a host that ends with this one":    {"Origin": "http://evil-dayshift.example"},
			"credentials before another's host": {"Origin": "http://dayshift.example@evil.example"},
		} {
			headers["Cookie"] = cookie
			w := h.do(ask{method: method, path: base + path, body: body, headers: headers})
			if w.Code != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", method, name, w.Code, w.Body)
			}
		}
	}
	if rows, err := h.store.Objects(t.Context(), store.OverrideObject); err != nil || len(rows) != 0 {
		t.Errorf("%v, %v", rows, err)
	}
	// The page itself may, and so may a program with a key.
	for name, headers := range map[string]map[string]string{
		"the page":       {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Origin": "http://dayshift.example"},
		"an old browser": {"Cookie": cookie, "Origin": "http://dayshift.example"},
	} {
		if w := h.do(ask{method: "POST", path: base + "/overrides?dry_run=true", body: body, headers: headers}); w.Code != 200 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := h.do(ask{method: "POST", path: base + "/overrides?dry_run=true", body: body, as: "operator"}); w.Code != 200 {
		t.Errorf("a program: %d %s", w.Code, w.Body)
	}
	// Nothing that is asked for changes anything, and no header or parameter makes another method of it.
	for name, a := range map[string]ask{
		"a method in a header":    {path: "/schedules/hidden-schedule", headers: map[string]string{"X-HTTP-Method-Override": "DELETE", "If-Match": "*"}},
		"a method in a parameter": {path: "/schedules/hidden-schedule?_method=DELETE", headers: map[string]string{"If-Match": "*"}},
	} {
		a.path, a.as = base+a.path, "admin"
		if w := h.do(a); w.Code != 200 && w.Code != 422 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	before, err := h.store.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range h.surface.Operations() {
		if o.Method == http.MethodGet && o.ID != "followEvents" {
			h.do(ask{path: requestFor(o).path, as: "admin"})
		}
	}
	if after, err := h.store.Revision(t.Context()); err != nil || after != before {
		t.Errorf("asking changed something: %d, then %d, %v", before, after, err)
	}
	// Forms are not read, wherever they come from.
	if w := h.do(ask{method: "POST", path: base + "/overrides", body: body, as: "admin", headers: map[string]string{"Content-Type": "text/plain"}}); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// everyAnswer has an answer of every sort that the surface gives.
func everyAnswer(h *house) map[string]*httptest.ResponseRecorder {
	list := map[string]*httptest.ResponseRecorder{}
	for name, a := range map[string]ask{
		"the page": {path: "/"}, "a file": {path: "/assets/index-Ab12Cd34.js"}, "no file": {path: "/x.js"}, "docs": {path: "/docs"}, "their style": {path: "/docs/docs.css"},
		"the document": {path: "/openapi.json"}, "alive": {path: "/healthz"}, "me": {path: base + "/me"}, "a list": {path: base + "/resources", as: "viewer"},
		"not signed in": {path: base + "/resources"}, "not allowed": {method: "POST", path: base + "/held/confirm", as: "viewer"}, "not found": {path: base + "/x"},
		"another method": {method: "DELETE", path: base + "/me"}, "an unknown method": {method: "TRACE", path: "/"}, "refused": {path: base + "/resources?limit=x", as: "viewer"},
		"another site": {method: "POST", path: base + "/runs", headers: map[string]string{"Sec-Fetch-Site": "cross-site"}}, "CSV": {path: base + "/activity.csv", as: "viewer"},
		"YAML": {path: base + "/export?all=true", as: "viewer"}, "no provider": {path: providerPath}, "an oversized body": {method: "POST", path: base + "/runs", as: "admin", body: strings.Repeat(" ", 2<<20)},
	} {
		list[name] = h.do(a)
	}
	h.panics = true
	list["a panic"] = h.do(ask{path: base + "/doctor", as: "viewer"})
	h.panics = false
	return list
}

// No answer lets a browser run, frame or load anything but what is the page's own.
func TestFault6_20_ContentSecurityPolicy(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	for name, w := range everyAnswer(h) {
		policies := w.Result().Header.Values("Content-Security-Policy")
		if len(policies) != 1 {
			t.Errorf("%s: %d policies", name, len(policies))
			continue
		}
		for _, must := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action"} {
			if !strings.Contains(policies[0], must) {
				t.Errorf("%s: %s lacks %s", name, policies[0], must)
			}
		}
		for _, never := range []string{"unsafe", "*", "http:", "https:", "blob:", "'nonce"} {
			if strings.Contains(policies[0], never) {
				t.Errorf("%s: %s has %s", name, policies[0], never)
			}
		}
		if isPage := policies[0] == pagePolicy; isPage != (name == "the page" || name == "a file") {
			t.Errorf("%s has the policy %s", name, policies[0])
		}
	}
	if !strings.Contains(pagePolicy, "object-src 'none'") || !strings.Contains(pagePolicy, "script-src 'self';") {
		t.Error(pagePolicy)
	}
}

// Every answer has the headers that keep browsers from guessing, leaking and downgrading.
func TestFault6_21_SecurityHeaders(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles, TLS: true})
	for name, w := range everyAnswer(h) {
		header := w.Result().Header
		for key, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": hsts,
		} {
			if got := header.Get(key); got != want {
				t.Errorf("%s: %s: %q", name, key, got)
			}
		}
		kind := header.Get("Content-Type")
		if w.Body.Len() > 0 && kind == "" || strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset=utf-8") {
			t.Errorf("%s: Content-Type %q", name, kind)
		}
		if header.Get("Server") != "" || header.Get("X-Powered-By") != "" {
			t.Errorf("%s tells what serves it: %v", name, header)
		}
	}
	for name, a := range map[string]ask{"me": {path: base + "/me"}, "a list": {path: base + "/resources", as: "viewer"}, "a problem": {path: base + "/resources"}} {
		if got := h.do(a).Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
	}
	if age, _, _ := strings.Cut(strings.TrimPrefix(hsts, "max-age="), ";"); len(age) < 8 || !strings.Contains(hsts, "includeSubDomains") {
		t.Error(hsts)
	}
	if w := newHouse(t, Options{}).do(ask{path: base + "/me"}); w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("a server without TLS promises it")
	}
}

// corpus is what strangers write into names, tags and reasons.
var corpus = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `=HYPERLINK("http://evil.example","x")`, `+cmd|' /C calc'!A0`, "-2+3", "@SUM(1)",
	"\t=1+1", "{{constructor.constructor('alert(1)')()}}", "<!--<script>", "</script><script>alert(1)</script>", "\u202etxt.exe", "line\nbreak, and \"quotes\"", "\r\nSet-Cookie: x=y", "%0d%0aX: y",
}

// Hostile text arrives as text: in JSON no tag can be read out of it, and in CSV no formula.
func TestFault6_22_HostileTextIsInert(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	var rows []store.Activity
	for i, text := range corpus {
		h.add("111122223333", "ap-northeast-2", fmt.Sprintf("i-0evil%d", i), text, "seoul-office", "shop")
		rows = append(rows, store.Activity{At: houseTime, Actor: text, Event: store.EventFailed, Ref: h.resources[len(h.resources)-1].Ref, Name: text, Schedule: text, Reason: text, Detail: text})
	}
	h.feed()
	if err := h.store.Append(t.Context(), store.Lease{}, rows); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/resources", "/activity", "/overview", "/preview", "/resources/111122223333/ap-northeast-2/ec2_instance/i-0evil0/explain"} {
		w := h.do(ask{path: base + path, as: "viewer"})
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			t.Fatalf("%s: %d %v", path, w.Code, w.Header())
		}
		for _, raw := range []string{"<script", "<img", "<!--", "</script"} {
			if strings.Contains(w.Body.String(), raw) {
				t.Errorf("%s has %q as it is", path, raw)
			}
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s is no JSON", path)
		}
	}
	for _, text := range corpus { // what is asked for is repeated in problems
		w := h.do(ask{path: base + "/schedules/" + url.PathEscape(text), as: "viewer"})
		if w.Code != 404 || strings.Contains(w.Body.String(), "<script") || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q: %d %s", text, w.Code, w.Body)
		}
	}
	w := h.do(ask{path: base + "/activity.csv", as: "viewer"})
	records, err := csv.NewReader(strings.NewReader(w.Body.String())).ReadAll()
	if err != nil || len(records) < len(corpus)+1 || w.Header().Get("Content-Disposition") == "" {
		t.Fatalf("%d records, %v, %v", len(records), err, w.Header())
	}
	for _, record := range records {
		for _, cell := range record {
			if strings.IndexAny(cell, "=+-@\t\r\n") == 0 {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
}

// provider is an identity provider that knows one person.
type provider struct{ back string }

// always is a configuration that does not change.
func always(p OIDC) func() OIDC { return func() OIDC { return p } }

func (provider) Name() string { return "Company" }

func (p *provider) Start(_ context.Context, returnTo string) (*url.URL, string, error) {
	p.back = returnTo
	if returnTo == "/fail" {
		return nil, "", errors.New("it is down")
	}
	return &url.URL{Scheme: "https", Host: "login.example", Path: "/authorize"}, "sealed-state", nil
}

type refusal struct{}

func (refusal) Error() string { return "no group" }
func (refusal) Word() string  { return "refused" }

func (p *provider) Finish(_ context.Context, query url.Values, state string) (access.Principal, string, error) {
	if state != "sealed-state" || query.Get("code") != "good" {
		return access.Principal{}, "", refusal{}
	}
	return access.Principal{ID: access.UserPrincipal + "kim@example.com", Name: "Kim", Role: access.Operator, Via: access.ViaSession}, p.back, nil
}

func TestSigningInWithAProvider(t *testing.T) {
	p := &provider{}
	h := newHouse(t, Options{OIDC: always(p), TLS: true})
	w := h.do(ask{path: providerPath + "?to=/fleet%3Fstate%3Drunning"})
	cookie := w.Result().Cookies()[0]
	if w.Code != 303 || w.Header().Get("Location") != "https://login.example/authorize" || cookie.Name != stateCookie || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	w = h.do(ask{path: callbackPath + "?code=good", headers: map[string]string{"Cookie": stateCookie + "=sealed-state"}})
	if w.Code != 303 || w.Header().Get("Location") != "/fleet?state=running" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	var session *http.Cookie
	for _, c := range w.Result().Cookies() {
		if c.Name == cookieName {
			session = c
		}
		if c.Name == stateCookie && c.MaxAge >= 0 {
			t.Error("the state stays")
		}
	}
	if session == nil {
		t.Fatal("no session")
	}
	var m Me
	h.get(ask{path: base + "/me", headers: map[string]string{"Cookie": cookieName + "=" + session.Value}}, 200, &m)
	if m.Name != "Kim" || m.Role != access.Operator || m.OIDCName != "Company" || len(m.SignIn) != 2 {
		t.Errorf("%+v", m)
	}
	for path, headers := range map[string]map[string]string{
		callbackPath + "?code=good":  nil,
		callbackPath + "?code=wrong": {"Cookie": stateCookie + "=sealed-state"},
	} {
		w := h.do(ask{path: path, headers: headers})
		if w.Code != 303 || w.Header().Get("Location") != "/signin?fault=refused" || strings.Contains(fmt.Sprint(w.Header()), cookieName+"=") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := h.do(ask{path: providerPath + "?to=/fail"}); w.Code != 303 || w.Header().Get("Location") != "/signin?fault=other" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	clear := newHouse(t, Options{OIDC: always(p)})
	clear.refused(ask{path: providerPath}, 403, forbidden)
}

// Signing in leads nowhere but to the page.
func TestFault6_24_NoOpenRedirect(t *testing.T) {
	p := &provider{}
	h := newHouse(t, Options{OIDC: always(p), TLS: true})
	for to, want := range map[string]string{
		"/": "/", "": "/", "/fleet": "/fleet", "/fleet?q=a%2Fb#x": "/fleet?q=a%2Fb#x", "/schedules/%EC%84%9C%EC%9A%B8": "/schedules/%EC%84%9C%EC%9A%B8",
		"https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "/%5cevil.example": "/", "/%2fevil.example": "/", "javascript:alert(1)": "/",
		"/\tevil": "/", "/x\r\nSet-Cookie: a=b": "/", "///evil.example": "/", "http:/evil.example": "/", "/@evil.example": "/@evil.example", "evil.example": "/", "/../..//evil.example": "/",
		"/api/v1/session/oidc": "/", "/" + strings.Repeat("x", 2000): "/", "/\u202egro.live": "/", "?x": "/", "#x": "/", " /fleet": "/",
		"/%252fevil.example": "/", "/\u2028/evil.example": "/", "/%61pi/v1/session/oidc": "/", "/./fleet": "/",
	} {
		h.do(ask{path: providerPath + "?to=" + url.QueryEscape(to)})
		if p.back != want {
			t.Errorf("%q is remembered as %q", to, p.back)
		}
		p.back = to // a provider that was talked into something else
		w := h.do(ask{path: callbackPath + "?code=good", headers: map[string]string{"Cookie": stateCookie + "=sealed-state"}})
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%q comes back to %q", to, got)
		}
	}
}

// No other origin reads an answer.
func TestFault6_25_NoOtherOriginReads(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	for _, origin := range []string{"https://evil.example", "null", "http://dayshift.example", "http://dayshift.example.evil.example"} {
		for _, a := range []ask{
			{path: base + "/resources", as: "admin"},
			{path: base + "/me"},
			{method: "OPTIONS", path: base + "/resources", headers: map[string]string{"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}},
			{path: "/openapi.json"},
			{path: "/"},
		} {
			if a.headers == nil {
				a.headers = map[string]string{}
			}
			a.headers["Origin"] = origin
			w := h.do(a)
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s for %s: %s", a.method, a.path, origin, name)
				}
			}
		}
	}
}

// No other site follows events with a session.
func TestFault6_26_EventsAreNotForOtherSites(t *testing.T) {
	h := newHouse(t, Options{})
	session := h.signedIn("admin")
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
	} {
		headers["Cookie"] = session["Cookie"]
		h.refused(ask{path: base + "/events", headers: headers}, 403, forbidden)
	}
	h.refused(ask{path: base + "/events", as: "admin", headers: map[string]string{"Origin": "https://evil.example"}}, 403, forbidden)
}

// What is logged of a request stays one line, whatever the request says, and is logged once.
func TestFault6_42_LogsStayOneLine(t *testing.T) {
	h := newHouse(t, Options{})
	h.panics = true
	w := h.do(ask{path: base + "/doctor", as: "viewer", headers: map[string]string{"X-Forwarded-For": "1.2.3.4\r\nlevel=INFO msg=planted", "User-Agent": "x\x1b[31m"}})
	if w.Code != 500 || strings.Contains(w.Body.String(), "canary") || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.panics = false
	h.broken = errors.New("line one\nlevel=INFO msg=planted \x1b[31m")
	w = h.do(ask{path: base + "/doctor?", as: "viewer"})
	if w.Code != 500 || strings.Contains(w.Body.String(), "planted") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	lines := strings.Split(strings.TrimSpace(h.logging.String()), "\n")
	if len(lines) != 2 || strings.Contains(h.logging.String(), "\x1b") {
		t.Errorf("%d lines:\n%s", len(lines), h.logging)
	}
	h.broken = nil
	if w := h.do(ask{path: base + "/doctor", as: "viewer"}); w.Code != 200 {
		t.Errorf("after a panic: %d", w.Code)
	}
}

// JSON that two readers could read differently is refused.
func TestFault6_45_AmbiguousJSON(t *testing.T) {
	h := newHouse(t, Options{})
	for name, body := range map[string]string{
		"a key twice":         `{"target":"i-0shop1","target":"resource:hidden-name","state":"running"}`,
		"a key twice by case": `{"target":"i-0shop1","Target":"resource:hidden-name","state":"running"}`,
		"escaped twice":       `{"target":"i-0shop1","\u0074arget":"resource:hidden-name","state":"running"}`,
		"something behind it": `{"target":"i-0shop1","state":"running"} {"state":"stopped"}`,
		"a second value":      `{"target":"i-0shop1","state":"running"}[]`,
		"nothing":             ``,
		"half":                `{"target":"i-0shop1"`,
		"a list":              `[]`,
		"null":                `null`,
		"a number":            `1e999`,
		"a comment":           `{"target":"i-0shop1",/* */"state":"running"}`,
		"single quotes":       `{'target':'i-0shop1'}`,
		"a number as text":    `{"target":17,"state":"running"}`,
		"an unknown state":    `{"target":"i-0shop1","state":"RUNNING"}`,
		"a byte order mark":   "\ufeff" + `{"target":"i-0shop1","state":"running"}`,
		"a NUL":               `{"target":"i-0shop1\u0000","state":"running","reason":""}`,
	} {
		w := h.do(ask{method: "POST", path: base + "/overrides?dry_run=true", body: body, as: "admin"})
		if w.Code != 400 && w.Code != 422 && w.Code != 404 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for name, body := range map[string]string{
		"a key twice":         `{"periods":["office"],"periods":[]}`,
		"something behind it": `{"periods":["office"]}{}`,
		"a huge number":       `{"periods":["office"],"jitter":1e400}`,
		"an entity":           `<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`,
	} {
		w := h.do(ask{method: "PUT", path: base + "/schedules/new", body: body, as: "admin", headers: map[string]string{"If-None-Match": "*"}})
		if w.Code != 400 && w.Code != 422 {
			t.Errorf("object, %s: %d %s", name, w.Code, w.Body)
		}
	}
	// The largest and smallest numbers are refused where they do not fit, not cut.
	for _, number := range []string{"9223372036854775808", "1e30", "-1", "1.5", "NaN"} {
		if w := h.do(ask{method: "POST", path: base + "/keys/abcdefgh/rotate", body: `{"overlap_seconds":` + number + `}`, as: "admin"}); w.Code != 422 && w.Code != 400 {
			t.Errorf("%s: %d %s", number, w.Code, w.Body)
		}
	}
}

// Methods that no path knows are refused, and requests that two servers could take apart differently as well.
func TestFault6_48_MethodsAndSmuggling(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	for _, method := range []string{"TRACE", "TRACK", "CONNECT", "OPTIONS", "PROPFIND", "DEBUG", "get", "X"} {
		for _, path := range []string{"/", base + "/me", "/healthz", "/openapi.json"} {
			w := h.do(ask{method: method, path: path, headers: map[string]string{"X-Secret": "echo-me"}})
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" || strings.Contains(w.Body.String(), "echo-me") {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
	for _, o := range h.surface.Operations() {
		for _, method := range methods {
			same := false
			for _, other := range h.surface.Operations() {
				same = same || other.Path == o.Path && (other.Method == method || other.Method == http.MethodGet && method == http.MethodHead)
			}
			if same {
				continue
			}
			w := h.do(ask{method: method, path: requestFor(o).path, as: "admin"})
			if w.Code == http.StatusMethodNotAllowed && (strings.Contains(w.Header().Get("Allow"), method+",") || !strings.Contains(w.Header().Get("Allow"), o.Method)) || w.Code != 405 && !strings.HasSuffix(o.Path, "/check") {
				t.Errorf("%s %s: %d, Allow %q", method, o.Path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	defer func(before time.Duration) { bodyTimeout = before }(bodyTimeout)
	bodyTimeout = 300 * time.Millisecond
	h = newHouse(t, Options{})
	address := h.listen()
	for name, request := range map[string]string{
		"two lengths":               "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"length and chunks":         "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n",
		"an unknown encoding":       "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two encodings":             "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"a blank before the colon":  "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
		"a header over two lines":   "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b: c\r\nContent-Length : 3\r\n\r\nabc",
		"no host":                   "GET / HTTP/1.1\r\n\r\n",
		"two hosts":                 "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"a negative length":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"a length with a sign":      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
		"a chunk that is too large": "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
		"garbage":                   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
		_, _ = io.WriteString(conn, request)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			if response.StatusCode < 400 || response.StatusCode >= 500 && response.StatusCode != http.StatusNotImplemented || !response.Close && name != "a chunk that is too large" && name != "length and chunks" {
				t.Errorf("%s: %d, close %t", name, response.StatusCode, response.Close)
			}
			_ = response.Body.Close()
		}
		_ = conn.Close()
	}
}

// What is for operators is not where everybody can ask, and strangers do not learn the version.
func TestFault6_49_NothingForOperatorsInPublic(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics", "/server-status", "/.git/config", "/.env", "/api/v1/metrics"} {
		w := h.do(ask{path: path, as: "admin"})
		if w.Code == 200 && !strings.Contains(w.Body.String(), "<title>the page</title>") || strings.Contains(w.Body.String(), "goroutine") || strings.Contains(w.Body.String(), "dayshift_") {
			t.Errorf("%s: %d %.100s", path, w.Code, w.Body)
		}
	}
	for _, as := range []string{"", "anonymous", "viewer"} {
		h.anonymous = as == "anonymous"
		a := ask{path: base + "/about"}
		if as == "viewer" {
			a.as = as
		}
		var body About
		h.get(a, 200, &body)
		if (body.Version != nil) != (as == "viewer") {
			t.Errorf("%q learns %+v", as, body.Version)
		}
	}
	for _, path := range []string{"/openapi.json", "/docs", "/healthz", "/", base + "/me", base + "/nothing"} {
		if body := h.do(ask{path: path}).Body.String(); strings.Contains(body, "go1.") {
			t.Errorf("%s tells of Go", path)
		}
	}
	// Without a key there is nothing of the fleet in what is open.
	h.anonymous = false
	var m Me
	h.get(ask{path: base + "/me"}, 200, &m)
	if m.Timezone != "" || m.ID != "" || len(m.Permissions) != 0 || !m.Anonymous {
		t.Errorf("%+v", m)
	}
}
