package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/outbound"
)

const address = "https://watch.example.com/beat/0123456789abcdef"

func earOf(address string, got *[]Beat) Ear {
	return Ear{
		Address: address, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Heard: func(_ context.Context, b Beat) { *got = append(*got, b) },
	}
}

func handlerOf(t testing.TB, address string) (http.Handler, *[]Beat) {
	t.Helper()
	var got []Beat
	handler, err := earOf(address, &got).Handler()
	if err != nil {
		t.Fatal(err)
	}
	return handler, &got
}

func post(t testing.TB, handler http.Handler, method, target, body string) int {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
	if err := readTarget(request, target); err != nil {
		t.Fatal(err)
	}
	handler.ServeHTTP(answer, request)
	return answer.Code
}

// readTarget sets what is asked for as a server reads it from the first line of a request.
func readTarget(r *http.Request, target string) (err error) {
	r.URL, err = url.ParseRequestURI(target)
	return err
}

func beatText(t testing.TB) string {
	t.Helper()
	b := NewBeat("dayshift 1.0.0", time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC), time.Minute)
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSignsOfLifeAreTakenAtTheirPathAlone(t *testing.T) {
	handler, got := handlerOf(t, address)
	good := beatText(t)
	for _, test := range []struct {
		method, target, body string
		status               int
	}{
		{"POST", "/beat/0123456789abcdef", good, 204},
		{"POST", "/beat/0123456789abcdef?", good, 204},
		{"POST", "/beat/0123456789abcdef?x=1", good, 404},
		{"POST", "/beat/0123456789abcdeg", good, 404},
		{"POST", "/beat/0123456789abcdef/", good, 404},
		{"POST", "//beat/0123456789abcdef", good, 404},
		{"POST", "/x/../beat/0123456789abcdef", good, 404},
		{"POST", "/", good, 404},
		{"GET", "/", "", 404},
		{"GET", "/beat/0123456789abcdef", "", 405},
		{"PUT", "/beat/0123456789abcdef", good, 405},
		{"GET", "/healthz", "", 200},
		{"HEAD", "/healthz", "", 200},
		{"POST", "/healthz", good, 404},
		{"POST", "/beat/0123456789abcdef", "", 400},
		{"POST", "/beat/0123456789abcdef", "{}", 400},
		{"POST", "/beat/0123456789abcdef", "[]", 400},
		{"POST", "/beat/0123456789abcdef", strings.Replace(good, `"version":1`, `"version":2`, 1), 400},
		{"POST", "/beat/0123456789abcdef", strings.Replace(good, `"every":60`, `"every":-1`, 1), 400},
		{"POST", "/beat/0123456789abcdef", strings.Replace(good, `"version":1`, `"version":1,"more":"later"`, 1), 204},
		{"POST", "/beat/0123456789abcdef", good + strings.Repeat(" ", maxBeat), 400},
	} {
		before := len(*got)
		if status := post(t, handler, test.method, test.target, test.body); status != test.status {
			t.Errorf("%s %s %.40s: %d, want %d", test.method, test.target, test.body, status, test.status)
		}
		if taken := len(*got) - before; taken != 0 != (test.status == 204) {
			t.Errorf("%s %s %.40s: %d signs of life taken", test.method, test.target, test.body, taken)
		}
	}
	if b := (*got)[0]; b.Program != "dayshift 1.0.0" || b.Every != 60 || !b.At.Equal(time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", b)
	}
}

func TestAddressesOfAWatch(t *testing.T) {
	withQuery, got := handlerOf(t, "https://watch.example.com/beat?token=0123456789")
	if status := post(t, withQuery, "POST", "/beat?token=0123456789", beatText(t)); status != 204 || len(*got) != 1 {
		t.Errorf("%d", status)
	}
	if status := post(t, withQuery, "POST", "/beat?token=0123456788", beatText(t)); status != 404 {
		t.Errorf("%d", status)
	}
	for _, guessed := range []string{"https://watch.example.com", "https://watch.example.com/", "https://watch.example.com/canary", "https://watch.example.com/%zz/canary-canary-canary"} {
		if _, err := earOf(guessed, nil).Handler(); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", guessed, err)
		}
	}
}

// TestSignedSignsOfLife: whoever knows the address alone can not keep the watch quiet, nor whoever recorded a sign of life.
func TestSignedSignsOfLife(t *testing.T) {
	const secret, before, guessed = "the secret of the beats", "the secret before that", "https://watch.example.com"
	h := &hands{now: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}
	var got []Beat
	var log strings.Builder
	ear := earOf(guessed, &got) // which may be guessed, with a secret
	ear.Secret, ear.Previous, ear.Clock, ear.Log = secret, before, h, slog.New(slog.NewTextHandler(&log, nil))
	handler, err := ear.Handler()
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(beatText(t))
	signed := func(secret, previous string, ahead time.Duration) http.Header {
		header := http.Header{}
		for name, value := range outbound.Signed(secret, previous, h.now.Add(ahead), text) {
			header.Set(name, value)
		}
		return header
	}
	twice := signed(secret, "", 0)
	twice.Add(outbound.SignatureHeader, twice.Get(outbound.SignatureHeader))
	undated := signed(secret, "", 0)
	undated.Set(outbound.TimestampHeader, "noon")
	post := func(header http.Header, body []byte) int {
		t.Helper()
		answer, taken := httptest.NewRecorder(), len(got)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		request.Header = header
		handler.ServeHTTP(answer, request)
		if len(got)-taken != 0 != (answer.Code == http.StatusNoContent) {
			t.Errorf("%d: %d signs of life taken", answer.Code, len(got)-taken)
		}
		return answer.Code
	}
	now := signed(secret, "", 0)
	for _, test := range []struct {
		name   string
		header http.Header
		body   []byte
		status int
	}{
		{"not signed", http.Header{}, text, 401},
		{"signed with another secret", signed("some other secret", "", 0), text, 401},
		{"two signatures", twice, text, 401},
		{"a time that is none", undated, text, 401},
		{"another byte", now, append([]byte(" "), text...), 401},
		{"as it is to be", now, text, 204},
		{"the same again", now, text, 401},
		{"five minutes old", signed(secret, "", -maxAge), text, 204},
		{"older", signed(secret, "", -maxAge-time.Second), text, 401},
		{"of the future", signed(secret, "", maxAge+time.Second), text, 401},
		{"with the secret before", signed(before, "", time.Second), text, 204},
		{"by a daemon that has a newer one", signed("the secret after this", secret, 2*time.Second), text, 204},
		{"by a daemon that was told first", signed(secret, before, 3*time.Second), text, 204},
		{"the same again, with the first of its signatures", signed(secret, "", 3*time.Second), text, 401},
		{"the same again, with the second", signed(before, "", 3*time.Second), text, 401},
	} {
		if status := post(test.header, test.body); status != test.status {
			t.Errorf("%s: %d, want %d", test.name, status, test.status)
		}
	}
	// For as long as a signature is good, what was taken is remembered.
	ahead := signed(secret, "", maxAge)
	if status := post(ahead, text); status != http.StatusNoContent {
		t.Errorf("five minutes ahead: %d", status)
	}
	for h.move(2*maxAge - time.Second); ; h.move(time.Second) {
		if status := post(ahead, text); status != http.StatusUnauthorized {
			t.Fatalf("taken twice: %d", status)
		}
		if h.now.Sub(time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)) > 2*maxAge+2*time.Second {
			break
		}
	}
	if said := log.String(); strings.Count(said, "\n") != 2 || !strings.Contains(said, "has the heartbeat of the daemon the secret?") || strings.Contains(said, secret) {
		t.Errorf("many refusals, a minute apart in the log: %s", said)
	}
}

func FuzzBeat(f *testing.F) {
	f.Add(beatText(f))
	f.Add("{}")
	f.Add(`{"version":1,"program":"x","at":"9999-12-31T23:59:59Z","every":9223372036854775807,"started":"0001-01-01T00:00:00Z"}`)
	w := New(Options{After: time.Hour, Again: time.Hour, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseBeat([]byte(text))
		if err != nil {
			return
		}
		if b.Program == "" || b.At.IsZero() || b.Every < 0 {
			t.Errorf("%q is taken as %+v", text, b)
		}
		w.Heard(t.Context(), b) // whatever it says
	})
}
