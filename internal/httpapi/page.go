package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// How long browsers keep files of the page. What stands below assets/ has a hash
// in its name and never changes; of all else they ask whether it is still the same.
const (
	forever  = "public, max-age=31536000, immutable"
	askAgain = "no-cache"
)

// fileTypes are those of the page's files. The table of the machine is not asked:
// a wrong line in it would make the page unreadable.
var fileTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json; charset=utf-8",
	".svg": "image/svg+xml; charset=utf-8", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json; charset=utf-8", ".map": "application/json; charset=utf-8",
}

// smallest is from which size on a file is sent compressed, in bytes: below, a packet holds it anyway.
const smallest = 1400

// files serves the page: its files by their path, and index.html for every path
// that only the page itself knows.
type files struct {
	root fs.FS
	mu   sync.Mutex
	read map[string]*file // what was sent before; the files of a page are as many as were built
}

// file is one as it is sent.
type file struct {
	kind    string
	tag     string
	content []byte
	zipped  []byte // nil: sent as it is
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem(invalid, "%s is not a method of a page", r.Method).with(http.StatusMethodNotAllowed).write(w, r)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	found, err := f.get(name)
	if err != nil && !f.isRoute(name) {
		problem(notFound, "there is no %.200q", r.URL.Path).write(w, r)
		return
	}
	cache := askAgain
	if err == nil && strings.HasPrefix(name, "assets/") {
		cache = forever
	}
	if err != nil {
		if found, err = f.get("index.html"); err != nil {
			problem(notFound, "the page was not built").write(w, r)
			return
		}
	}
	found.send(w, r, cache)
}

// isRoute reports whether a path can be one of the page's own: not of a file
// that is not there, and below no folder that has files.
func (f *files) isRoute(name string) bool {
	return !strings.HasPrefix(name, "assets/") && (path.Ext(name) == "" || fileTypes[strings.ToLower(path.Ext(name))] == "")
}

// get gives a file; an error for folders, for names that lead out, and for
// files of other types than a page has.
func (f *files) get(name string) (*file, error) {
	kind := fileTypes[path.Ext(name)]
	if !fs.ValidPath(name) || kind == "" || strings.HasPrefix(path.Base(name), ".") {
		return nil, fs.ErrNotExist
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.read[name]; known != nil {
		return known, nil
	}
	content, err := fs.ReadFile(f.root, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	read := &file{kind: kind, content: content, tag: hex.EncodeToString(sum[:12])}
	if len(content) >= smallest && compressible(kind) {
		var zipped bytes.Buffer
		writer := gzip.NewWriter(&zipped)
		_, err := writer.Write(content)
		if errors.Join(err, writer.Close()) == nil && zipped.Len() < len(content) {
			read.zipped = zipped.Bytes()
		}
	}
	if f.read == nil {
		f.read = map[string]*file{}
	}
	f.read[name] = read
	return read, nil
}

func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "application/") || strings.HasPrefix(kind, "image/svg")
}

func (f *file) send(w http.ResponseWriter, r *http.Request, cache string) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", cache)
	h.Set("Content-Security-Policy", pagePolicy)
	content, tag := f.content, f.tag
	if f.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			content, tag = f.zipped, f.tag+"-gz"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+tag+`"`) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) //nolint:gosec // files that were built; where the client has gone there is nobody to tell
	}
}

// takesGzip reads Accept-Encoding as far as it is about gzip.
func takesGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}
