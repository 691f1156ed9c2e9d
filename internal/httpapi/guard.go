package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
)

// What a browser may do with an answer: with one of the API nothing, with the
// page what its own files do.
const (
	apiPolicy  = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

// hsts holds browsers to https for two years.
const hsts = "max-age=63072000; includeSubDomains"

// methods are those that any path knows.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// around puts what holds for every request around the routes.
func (s *Surface) around(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(forbidden, "the request comes from another site").write(w, r)
	}))
	return s.recovered(s.headed(known(crossOrigin.Handler(next))))
}

// headed sets the headers of every answer. The page's files loosen what they need.
func (s *Surface) headed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Content-Security-Policy", apiPolicy)
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		if s.byTLS(r) {
			h.Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	})
}

// known refuses methods that no path knows, and ways to say another method than
// that of the request.
func known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		problem(invalid, "the method %.20q is not known", r.Method).with(http.StatusMethodNotAllowed).write(w, r)
	})
}

// recovered answers a request whose handler panics, and logs it once.
func (s *Surface) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := &sent{ResponseWriter: w}
		defer func() { //nolint:contextcheck // the request's context is the one that is logged with
			held := recover()
			if held == nil {
				return
			}
			if held == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
				panic(held)
			}
			s.log.ErrorContext(r.Context(), "a request made the program panic; it goes on",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("panic", fmt.Sprint(held)), slog.String("stack", string(debug.Stack())))
			if sent.began {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
			problem(internal, "something went wrong; the log of the server says what").write(w, r)
		}()
		next.ServeHTTP(sent, r)
	})
}

// sent knows whether an answer has begun.
type sent struct {
	http.ResponseWriter
	began bool
}

func (s *sent) WriteHeader(status int) {
	s.began = true
	s.ResponseWriter.WriteHeader(status)
}

func (s *sent) Write(p []byte) (int, error) {
	s.began = true
	return s.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *sent) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// unrouted answers what no route of the API answers: another method of a path
// that there is, or a path that there is not.
func (s *Surface) unrouted(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range methods {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "" && strings.Contains(pattern, " ") {
			allowed = append(allowed, method)
		}
	}
	if allowed == nil {
		problem(notFound, "there is no %.200q; see /docs", r.URL.Path).write(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem(invalid, "%s is not a method of %.200q; %s are", r.Method, r.URL.Path, strings.Join(allowed, ", ")).with(http.StatusMethodNotAllowed).write(w, r)
}
