package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func anywhere(string, string, syscall.RawConn) error { return nil }

func prober() *Prober { return &Prober{Guard: anywhere, Timeout: time.Second, Version: "test"} }

// silent accepts connections and says nothing.
func silent(t *testing.T) (host string, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return split(t, listener.Addr().String())
}

func split(t *testing.T, address string) (host string, port int) {
	t.Helper()
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return host, port
}

func TestTCP(t *testing.T) {
	host, port := silent(t)
	if err := prober().TCP(t.Context(), host, port); err != nil {
		t.Errorf("a port that accepts: %v", err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, gone := split(t, closed.Addr().String())
	_ = closed.Close()
	for name, c := range map[string]struct {
		host string
		port int
		says string
	}{
		"a port where nobody listens": {host, gone, "connection refused"},
		"no address":                  {"", 5432, "give the gate a host"},
		"port 0":                      {host, 0, "1 to 65535"},
		"port 65536":                  {host, 65536, "1 to 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := prober().TCP(t.Context(), c.host, c.port); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// TestWhoeverTakesTooLongIsLeft: a hanging member costs a probe its own time and no more, and the caller's end is told apart.
func TestWhoeverTakesTooLongIsLeft(t *testing.T) {
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p := &Prober{Dial: hangs, Timeout: 20 * time.Millisecond}
	if err := p.TCP(t.Context(), "10.0.0.1", 22); err == nil || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("tcp: %v", err)
	}
	host, port := silent(t)
	mute := prober()
	mute.Timeout = 20 * time.Millisecond
	if _, err := mute.HTTP(t.Context(), "http://"+net.JoinHostPort(host, strconv.Itoa(port))+"/"); err == nil || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("http: %v", err)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the program ends")
	cancel(stop)
	if err := (&Prober{Dial: hangs}).TCP(ended, "10.0.0.1", 22); !errors.Is(err, stop) {
		t.Errorf("the caller's end: %v", err)
	}
}

func TestHTTP(t *testing.T) {
	var followed atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			if r.Header.Get("User-Agent") != "dayshift/test" {
				w.WriteHeader(http.StatusTeapot)
			}
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/moved":
			http.Redirect(w, r, "/target", http.StatusFound)
		case "/target":
			followed.Add(1)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		case "/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}
	}))
	t.Cleanup(server.Close)
	for path, want := range map[string]int{"/ok": 200, "/down": 503, "/moved": 302, "/endless": 200} {
		if status, err := prober().HTTP(t.Context(), server.URL+path); err != nil || status != want {
			t.Errorf("%s: %d, %v, want %d", path, status, err, want)
		}
	}
	if followed.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if _, err := prober().HTTP(t.Context(), server.URL+"/broken"); err == nil {
		t.Error("an answer that breaks off counts")
	}
	for address, says := range map[string]string{
		"ftp://db/":               "neither http:// nor https://",
		"://":                     "cannot be read",
		"/health":                 "neither http:// nor https://",
		"http://user:secret@web/": "a user name or a password",
	} {
		_, err := prober().HTTP(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", address, err, says)
		}
	}
}

func TestACertificateIsChecked(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	if _, err := prober().HTTP(t.Context(), server.URL); err == nil {
		t.Error("a certificate of nobody counts")
	}
	p := prober()
	p.roots = x509.NewCertPool()
	p.roots.AddCert(server.Certificate())
	if status, err := p.HTTP(t.Context(), server.URL); err != nil || status != 200 {
		t.Errorf("one that is known: %d, %v", status, err)
	}
}

// TestTheGuardIsAskedWithTheAddress: a name that leads somewhere else by then gets around nothing.
func TestTheGuardIsAskedWithTheAddress(t *testing.T) {
	_, port := silent(t)
	no := errors.New("refused to connect")
	var asked atomic.Value
	p := prober()
	p.Guard = func(_, address string, _ syscall.RawConn) error {
		asked.Store(address)
		return no
	}
	if err := p.TCP(t.Context(), "localhost", port); !errors.Is(err, no) {
		t.Errorf("tcp: %v", err)
	}
	if address, _ := asked.Load().(string); net.ParseIP(hostOf(address)) == nil {
		t.Errorf("it was asked about %q, not an address", address)
	}
	if _, err := p.HTTP(t.Context(), (&url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", strconv.Itoa(port))}).String()); !errors.Is(err, no) {
		t.Errorf("http: %v", err)
	}
	if err := (&Prober{}).TCP(t.Context(), "127.0.0.1", port); !errors.Is(err, errNoGuard) {
		t.Errorf("without a guard: %v", err)
	}
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

func TestPost(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.Header.Get("Idempotency-Key")+" "+r.Header.Get("Content-Type")+" "+string(body)+" "+r.Header.Get("Signature"))
		switch r.URL.Path {
		case "/no":
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, "  busy \n")
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		case "/slow":
			<-r.Context().Done()
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	p := &Prober{Calls: anywhere, Version: "test", Sign: func(id string, body []byte) map[string]string {
		return map[string]string{"Signature": id + " " + string(body)}
	}}
	for _, c := range []struct {
		path   string
		status int
		said   string
	}{{"/ok", 200, ""}, {"/no", 409, "busy"}, {"/moved", 307, ""}, {"/endless", 200, strings.Repeat("x", maxSaid)}} {
		if status, said, err := p.Post(t.Context(), server.URL+c.path, "run-1", []byte(`{"a":1}`), time.Second); err != nil || status != c.status || said != c.said {
			t.Errorf("%s: %d %q %v", c.path, status, said, err)
		}
	}
	if len(got) != 4 || got[0] != `POST run-1 application/json {"a":1} run-1 {"a":1}` {
		t.Errorf("it was sent %q", got)
	}
	_, _, err := p.Post(t.Context(), server.URL+"/slow?secret", "run-1", nil, 20*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "no answer within 20ms") || strings.Contains(err.Error(), "secret") {
		t.Errorf("slow: %v", err)
	}
	no := errors.New("refused to connect")
	p.Calls = func(string, string, syscall.RawConn) error { return no }
	if _, _, err := p.Post(t.Context(), server.URL, "run-1", nil, time.Second); !errors.Is(err, no) {
		t.Errorf("guarded: %v", err)
	}
	if _, _, err := (&Prober{Guard: anywhere}).Post(t.Context(), server.URL, "run-1", nil, time.Second); !errors.Is(err, errNoGuard) {
		t.Errorf("without a guard: %v", err)
	}
}
