package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program has nothing to answer with but its health.
type program struct {
	Program

	alive, ready Health
}

func (p program) Alive() Health { return p.alive }
func (p program) Ready() Health { return p.ready }

var counted = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "dayshift_leader 1\n") })

func TestHandler(t *testing.T) {
	passed := time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)
	handler := Handler(program{
		alive: Health{OK: true, Role: "leader", LastPass: passed},
		ready: Health{Role: "standby", Detail: "the store is <locked>"},
	}, counted)
	for _, test := range []struct {
		method, path string
		status       int
		body         string // exact for JSON, contained otherwise
	}{
		{"GET", "/healthz", 200, `{"ok":true,"role":"leader","last_pass":"2026-08-03T09:00:00Z"}`},
		{"GET", "/readyz", 503, `{"ok":false,"role":"standby","detail":"the store is \u003clocked\u003e"}`},
		{"GET", "/healthz?verbose=1", 200, `{"ok":true`},
		{"GET", "/metrics", 200, "dayshift_leader 1"},
		{"HEAD", "/healthz", 200, ""},
		{"HEAD", "/readyz", 503, ""},
		{"POST", "/healthz", 405, ""},
		{"DELETE", "/readyz", 405, ""},
		{"TRACE", "/metrics", 405, ""},
		{"PUT", "/metrics", 405, ""},
		{"GET", "/", 404, ""},
		{"GET", "/healthz/", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/..%2fetc/passwd", 404, ""},
		{"POST", "/api/v1/schedules", 404, ""},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status || !strings.Contains(string(body), test.body) {
				t.Errorf("%d %s", response.StatusCode, body)
			}
			for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": apiPolicy} {
				if got := response.Header.Get(header); got != want {
					t.Errorf("%s: %q", header, got)
				}
			}
			if test.status == 405 && response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", response.Header.Get("Allow"))
			}
			if strings.HasSuffix(test.path, "z") && test.status != 405 {
				if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Content-Type") != "application/json; charset=utf-8" {
					t.Errorf("%v", response.Header)
				}
				if test.method == "GET" && !json.Valid(body) {
					t.Errorf("not JSON: %s", body)
				}
			}
		})
	}
}

func TestWithoutMetrics(t *testing.T) {
	recorder := httptest.NewRecorder()
	Handler(program{}, nil).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if recorder.Code != 404 {
		t.Errorf("%d", recorder.Code)
	}
}

// Whoever is slow, or sends too much, is cut off: every bound is set.
func TestServerIsBounded(t *testing.T) {
	server := NewServer(Handler(program{alive: Health{OK: true}}, nil))
	for name, bound := range map[string]time.Duration{
		"header": server.ReadHeaderTimeout, "read": server.ReadTimeout, "write": server.WriteTimeout, "idle": server.IdleTimeout,
	} {
		if bound <= 0 || bound > 2*time.Minute {
			t.Errorf("%s: %s", name, bound)
		}
	}
	var network net.ListenConfig
	listener, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		_ = server.Shutdown(context.WithoutCancel(t.Context()))
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return // cut off while writing is as good as an answer
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d for a header of %d bytes", response.StatusCode, 2*maxHeaderBytes)
	}
}
