package holiday

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var fetchNow = time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)

// TestMain names a proxy before anything could have looked for one: net/http remembers what it found.
func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	os.Exit(m.Run())
}

// fetcher is one whose clock stands still and that may go to this machine.
func fetcher() *Fetcher {
	return &Fetcher{Private: true, Version: "1.2.3", Now: func() time.Time { return fetchNow }, Timeout: 5 * time.Second}
}

// serve answers on loopback.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

var good = file(event("DTSTART;VALUE=DATE:20270205")...)

// kept is a copy of an address, a day old.
func kept(address string) Copy {
	at := fetchNow.Add(-24 * time.Hour)
	return Copy{URL: address, Data: file(event("DTSTART;VALUE=DATE:20260205")...), Fetched: at, Checked: at, ETag: `"1"`, LastModified: "Thu, 04 Feb 2027 09:00:00 GMT"}
}

func TestFetch(t *testing.T) {
	var header http.Header
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		w.Header().Set("ETag", `W/"2"`)
		w.Header().Set("Last-Modified", "Fri, 05 Feb 2027 08:00:00 GMT")
		w.Header().Set("Set-Cookie", "a=b")
		w.Write(good)
	}) + "/kr.ics?token=s3cret#top"
	got, err := fetcher().Fetch(t.Context(), address, Copy{})
	want := Copy{URL: address, Data: good, Fetched: fetchNow, Checked: fetchNow, ETag: `W/"2"`, LastModified: "Fri, 05 Feb 2027 08:00:00 GMT"}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	if header.Get("User-Agent") != "dayshift/1.2.3" || header.Get("If-None-Match")+header.Get("If-Modified-Since")+header.Get("Authorization")+header.Get("Cookie") != "" {
		t.Errorf("asked with %v", header)
	}
	// What is kept of another address is no reason to ask whether this one has changed.
	if _, err = fetcher().Fetch(t.Context(), address, kept(address+"x")); err != nil || header.Get("If-None-Match") != "" {
		t.Errorf("%v, asked with %v", err, header)
	}
}

func TestFetchAsksWhetherItChanged(t *testing.T) {
	changed := false
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != `"1"` || r.Header.Get("If-Modified-Since") != "Thu, 04 Feb 2027 09:00:00 GMT" {
			t.Errorf("asked with %v", r.Header)
		}
		if changed {
			w.Write(good)
			return
		}
		w.WriteHeader(http.StatusNotModified)
	})
	want := kept(address)
	want.Checked = fetchNow
	got, err := fetcher().Fetch(t.Context(), address, kept(address))
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	changed = true
	got, err = fetcher().Fetch(t.Context(), address, kept(address))
	if want := (Copy{URL: address, Data: good, Fetched: fetchNow, Checked: fetchNow}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

// TestFetchFails shows that whatever the other side does, the last good copy stays, soon, and that nothing of what it sent
// and no secret of the address is in the error.
func TestFetchFails(t *testing.T) {
	const canary = "canary-7f3a"
	say := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); io.WriteString(w, canary) }
	}
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, answer)
		}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 8<<20))
	z.Close()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "not there within 300ms"},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write([]byte("B"))
				http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, "not there within 300ms"},
		{"never ends", func(w http.ResponseWriter, _ *http.Request) {
			for line := bytes.Repeat([]byte("x"), 1<<16); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, "larger than 1 MB"},
		{"a gzip bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, "larger than 1 MB"},
		{"no gzip, though it says so", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, canary)
		}, "does not answer as a web server does"},
		{"an endless header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<18))
		}, "does not answer as a web server does"},
		{"unchanged, unasked", status(http.StatusNotModified), "was not asked"},
		{"not found", status(http.StatusNotFound), "status 404"},
		{"broken", status(http.StatusInternalServerError), "status 500"},
		{"nothing", status(http.StatusNoContent), "status 204"},
		{"a page", say("<!DOCTYPE html><html><title>" + canary), "a web page, not an iCalendar file"},
		{"text", say(canary), "not an iCalendar file"},
		{"empty", say(""), "no event between"},
		{"no events", say(string(file())), "no event between"},
		{"an event that cannot be read", say(string(file("BEGIN:VEVENT", "SUMMARY:"+canary, "DTSTART:"+canary, "END:VEVENT"))), "an event of what it sends cannot be read"},
		{"another text", say("BEGIN:VCALENDAR\r\n" + canary + "\r\nEND:VCALENDAR\r\n"), "not an iCalendar file"},
		{"a long line", say(string(file(event("DESCRIPTION:" + strings.Repeat(canary, 4000))...))), "longer than"},
		{"binary", say("\x89PNG\x00" + canary), "is not text"},
		{"another encoding", say(strings.Replace(string(good), "SUMMARY:X", "SUMMARY:\xbc\xb3\xb3\xaf", 1)), "not text in UTF-8"},
		{"cut off between events", say(strings.Replace(string(good), "END:VCALENDAR\r\n", "", 1)), "not a whole one"},
		{"cut off in its body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)+1))
			w.Write(good)
		}, "broke off before its end"},
		{"too many quotes to be kept", say(string(file(event("DTSTART;VALUE=DATE:20270205", strings.Repeat("X-A:"+strings.Repeat("<", 10_000)+"\r\n", 60)+"X-B:")...))), "too large to be kept"},
		{"another protocol", raw("SSH-2.0-" + canary + "\r\n"), "does not answer as a web server does"},
		{"hangs up", raw(""), "does not answer as a web server does"},
		{"redirects to itself", to("/"), "redirects more than 3 times"},
		{"redirects to nothing", to(""), "to no address that can be read"},
		{"redirects to what is no address", to("http://[" + canary), "to no address that can be read"},
		{"redirects to a file", to("file:///etc/" + canary), "refused: the address begins with neither"},
		{"redirects with a password", to("https://user:" + canary + "@calendar.example/"), "a user name or a password"},
		{"redirects to another host in plain text", to("http://calendar.example/"), `redirects to "http://calendar.example": not followed`},
		{"redirects to the metadata service", to("https://169.254.169.254/latest/" + canary), "at the cloud's metadata service"},
		{"redirects to it as an IPv6 address", to("https://[::ffff:169.254.169.254]/"), "at the cloud's metadata service"},
		{"redirects to a name that is none", to("https://calendar.invalid/"), "its host "},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := serve(t, test.answer) + "/s3cret.ics"
			last := kept(address)
			if test.name == "unchanged, unasked" {
				last = Copy{}
			}
			f := fetcher()
			f.Timeout = FetchTimeout // for a machine that is busy: none of the others needs it
			if strings.Contains(test.want, "300ms") {
				f.Timeout = 300 * time.Millisecond
			}
			begin := time.Now()
			got, err := f.Fetch(t.Context(), address, last)
			if took := time.Since(begin); took > f.Timeout+10*time.Second {
				t.Errorf("took %s", took)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v; want %q", err, test.want)
			}
			if !cmp.Equal(got, last) {
				t.Errorf("the last copy has become %s", cmp.Diff(last, got))
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it tells too much: %v", err)
			}
		})
	}
}

func TestFetchRefusesAddresses(t *testing.T) {
	for _, test := range []struct{ address, want string }{
		{"", "begins with neither"},
		{"calendar.ics", "begins with neither"},
		{"ftp://calendar.example/a.ics", "begins with neither"},
		{"gopher://calendar.example", "begins with neither"},
		{"file:///etc/s3cret", "begins with neither"},
		{"webcal://calendar.example/a.ics", "write https:// instead"},
		{"https:///a.ics", "names no host"},
		{"https://user:s3cret@calendar.example/a.ics", "a user name or a password"},
		{"https://user:s3cret@calendar.example:port/a.ics", "cannot be read"},
		{"https://calendar.example/\x00s3cret", "cannot be read"},
		{"https://calendar.example/" + strings.Repeat("s3cret", 400), "is 2425 bytes long"},
	} {
		last := kept("x")
		got, err := fetcher().Fetch(t.Context(), test.address, last)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") || !cmp.Equal(got, last) {
			t.Errorf("%q: %v; want %q", test.address, err, test.want)
		}
		if checked := CheckAddress(test.address); checked == nil || !strings.Contains(err.Error(), checked.Error()) {
			t.Errorf("%q: the check says %v, the fetch %v", test.address, checked, err)
		}
	}
	if err := CheckAddress("https://달력.example:8443/a.ics?x=1#y"); err != nil {
		t.Error(err)
	}
}

// TestFetchStaysOutOfPrivateNetworks names this machine in every way that a resolver or a parser may know.
func TestFetchStaysOutOfPrivateNetworks(t *testing.T) {
	asked := false
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { asked = true; w.Write(good) })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
	f := fetcher()
	f.Private = false
	for _, host := range []string{"127.0.0.1", "localhost", "localhost.", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"} {
		_, err := f.Fetch(t.Context(), "http://"+host+":"+port+"/", Copy{})
		if err == nil || asked {
			t.Errorf("%s: %v, asked: %v", host, err, asked)
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil && !strings.Contains(err.Error(), "refused to connect") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := fetcher().Fetch(t.Context(), "http://localhost:"+port+"/", Copy{}); err != nil || !asked {
		t.Errorf("from the configuration: %v", err)
	}
}

func TestFetchOverTLS(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			w.Header().Set("Location", "http://"+r.Host+"/")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		if referer := r.Header.Get("Referer"); referer != "" {
			t.Errorf("tells where it comes from: %s", referer)
		}
		w.Write(good)
	}))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that are refused here
	secure.StartTLS()
	defer secure.Close()
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/secret.ics":
			w.Header().Set("Location", "/moved.ics")
			w.WriteHeader(http.StatusPermanentRedirect)
		default:
			w.Header().Set("Location", secure.URL+"/kr.ics")
			w.WriteHeader(http.StatusMovedPermanently)
		}
	})
	f := fetcher()
	if _, err := f.Fetch(t.Context(), secure.URL, Copy{}); err == nil || !strings.Contains(err.Error(), "its certificate is not trusted") {
		t.Errorf("an unknown certificate: %v", err)
	}
	if _, err := f.Fetch(t.Context(), strings.Replace(plain, "http:", "https:", 1), Copy{}); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("no TLS: %v", err)
	}
	f.roots = x509.NewCertPool()
	f.roots.AddCert(secure.Certificate())
	got, err := f.Fetch(t.Context(), plain+"/secret.ics", Copy{})
	if err != nil || got.URL != plain+"/secret.ics" || !bytes.Equal(got.Data, good) {
		t.Errorf("over two redirects: %+v, %v", got, err)
	}
	if _, err := f.Fetch(t.Context(), secure.URL+"/down", Copy{}); err == nil || !strings.Contains(err.Error(), "not followed") {
		t.Errorf("from https to http: %v", err)
	}
}

func TestFetchEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := fetcher().Fetch(ctx, address, Copy{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	none, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	none.Close()
	if _, err := fetcher().Fetch(t.Context(), "http://"+none.Addr().String(), Copy{}); err == nil || !strings.Contains(err.Error(), "the connection failed") {
		t.Error(err)
	}
}

// TestFetchTakesNoProxy: with a proxy in between, nobody here knows where a connection ends. TestMain names one that is not
// there; what is on loopback would not be asked of it in any case.
func TestFetchTakesNoProxy(t *testing.T) {
	f := fetcher()
	if _, err := f.Fetch(t.Context(), "http://calendar.invalid/", Copy{}); err == nil || strings.Contains(err.Error(), "connection") {
		t.Errorf("the proxy was asked: %v", err)
	}
}

func TestFetchLeavesAByteOrderMarkOut(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(append([]byte("\xef\xbb\xbf"), good...)) })
	got, err := fetcher().Fetch(t.Context(), address, Copy{})
	if err != nil || !bytes.Equal(got.Data, good) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCopyAsJSON(t *testing.T) {
	seoul := time.FixedZone("", 9*3600)
	c := Copy{URL: "https://a.example/?a=1&b=<2>", Data: []byte("BEGIN:VCALENDAR\r\nX:설날 \"<&>\"\t\u2028\r\n"), Fetched: fetchNow, Checked: fetchNow.Add(time.Hour).In(seoul), ETag: `"1"`}
	data, err := json.Marshal(c)
	if err != nil || !bytes.Contains(data, []byte("설날")) || !bytes.Contains(data, []byte(`"2027-02-05T10:00:00Z"`)) {
		t.Fatalf("%s, %v", data, err)
	}
	var back Copy
	if err := json.Unmarshal(data, &back); err != nil || back.URL != c.URL || !bytes.Equal(back.Data, c.Data) || !back.Checked.Equal(c.Checked) || back.ETag != c.ETag {
		t.Errorf("%+v, %v", back, err)
	}
	for name, text := range map[string]string{
		"no object": `[]`, "bytes": `{"data":"a\u0000b"}`, "too much": `{"data":"` + strings.Repeat("x", MaxBytes+1) + `"}`,
		"far too much": `{"data":"` + strings.Repeat("x", MaxCopy) + `"}`,
	} {
		if err := json.Unmarshal([]byte(text), &Copy{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDue(t *testing.T) {
	day := 24 * time.Hour
	c := Copy{Checked: fetchNow.Add(-time.Hour)}
	for _, test := range []struct {
		name     string
		c        Copy
		refresh  time.Duration
		failures int
		want     time.Duration // from now
	}{
		{"never fetched", Copy{}, day, 0, 0},
		{"a day after the last time", c, day, 0, 23 * time.Hour},
		{"overdue", c, time.Minute, 0, -59 * time.Minute},
		{"checked in the future", Copy{Checked: fetchNow.Add(48 * time.Hour)}, day, 0, day},
		{"no refresh", c, 0, 0, -59 * time.Minute},
		{"a negative refresh", Copy{Checked: fetchNow}, -day, 0, time.Minute},
		{"one failure", c, day, 1, time.Minute},
		{"never fetched, one failure", Copy{}, day, 1, time.Minute},
		{"two failures", c, day, 2, 2 * time.Minute},
		{"five failures", c, day, 5, 16 * time.Minute},
		{"nine failures", c, day, 9, 256 * time.Minute},
		{"ten failures: the cap", c, day, 10, 6 * time.Hour},
		{"a million failures", c, day, 1_000_000, 6 * time.Hour},
		{"up to the refresh", c, 10 * time.Minute, 9, 10 * time.Minute},
		{"no refresh and failures", c, 0, 9, time.Minute},
	} {
		if got := Due(test.c, test.refresh, fetchNow, test.failures).Sub(fetchNow); got != test.want {
			t.Errorf("%s: %s from now, want %s", test.name, got, test.want)
		}
	}
	if got := Age(c, fetchNow); got != time.Hour {
		t.Errorf("age %s", got)
	}
	if got := Age(c, fetchNow.Add(-day)); got != 0 {
		t.Errorf("age before it was checked: %s", got)
	}
}
