package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// happening is an event as it comes over the wire.
type happening struct{ id, kind, data string }

// listener follows events as a browser does.
type listener struct {
	t      *testing.T
	body   io.ReadCloser
	lines  chan string
	status int
	header http.Header
}

func (h *house) follow(t *testing.T, address, as, query, lastID string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+base+"/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+h.keys[as])
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	transport := &http.Transport{}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, body: response.Body, lines: make(chan string, 1000), status: response.StatusCode, header: response.Header}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(l.lines)
		scanner := bufio.NewScanner(response.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			select {
			case l.lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = response.Body.Close(); <-done; transport.CloseIdleConnections() })
	return l
}

// next reads up to the end of an event, comments and retry aside; false when the stream has ended.
func (l *listener) next() (e happening, ok bool) {
	l.t.Helper()
	began := false
	for {
		select {
		case line, open := <-l.lines:
			name, value, _ := strings.Cut(line, ": ")
			switch {
			case !open:
				return e, false
			case line == "" && began:
				return e, true
			case name == "id":
				e.id, began = value, true
			case name == "event":
				e.kind, began = value, true
			case name == "data":
				e.data, began = value, true
			}
		case <-time.After(5 * time.Second):
			l.t.Fatal("no event came")
		}
	}
}

// comment waits for a comment with a text.
func (l *listener) comment(text string) {
	l.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case line, open := <-l.lines:
			if !open {
				l.t.Fatal("the stream has ended")
			}
			if strings.HasPrefix(line, ": "+text) {
				return
			}
		case <-deadline:
			l.t.Fatal("no comment came")
		}
	}
}

func TestEvents(t *testing.T) {
	h := newHouse(t, Options{})
	h.surface.heartbeat = 50 * time.Millisecond
	// A server that gives requests less time than events take.
	address := h.listen(func(server *http.Server) {
		server.ReadTimeout, server.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	})
	first := h.follow(t, address, "viewer", "", "")
	if first.status != 200 || first.header.Get("Content-Type") != "text/event-stream; charset=utf-8" || first.header.Get("Cache-Control") != "no-store" || first.header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%d %v", first.status, first.header)
	}
	first.comment("hello")
	for range 6 {
		first.comment("still here")
	}
	h.happens.Publish(service.EventPass, houseTime, map[string]any{"run": "run-1"})
	h.happens.Publish(service.EventConfig, houseTime, map[string]any{"note": "line\nbreak"})
	one, _ := first.next()
	var whole service.Event
	if err := json.Unmarshal([]byte(one.data), &whole); err != nil || one.kind != "pass" || whole.ID != one.id || whole.Type != "pass" || !whole.At.Equal(houseTime) || string(whole.Data) != `{"run":"run-1"}` {
		t.Errorf("%+v, %v", one, err)
	}
	two, _ := first.next()
	if two.kind != "config" || strings.Contains(two.data, "\n") {
		t.Errorf("%+v", two)
	}

	// Who comes back goes on behind the last one that was seen.
	if again, _ := h.follow(t, address, "viewer", "", one.id).next(); again != two {
		t.Errorf("%+v, expected %+v", again, two)
	}
	if again, _ := h.follow(t, address, "viewer", "?after="+one.id, "").next(); again != two {
		t.Errorf("by the parameter: %+v", again)
	}
	if again, _ := h.follow(t, address, "viewer", "", "of-another-process-7").next(); again.kind != "missed" {
		t.Errorf("an ID that nobody knows: %+v", again)
	}
	// Of what is not asked for the ID comes alone.
	some := h.follow(t, address, "viewer", "?type=pass", one.id)
	if e, _ := some.next(); e != (happening{id: two.id}) {
		t.Errorf("%+v", e)
	}
}

// Whoever is bound to a filter is told of what it matches.
func TestFault6_07_EventsOutsideAreNotTold(t *testing.T) {
	h := newHouse(t, Options{})
	address := h.listen()
	l := h.follow(t, address, "shop viewer", "", "")
	l.comment("hello")
	shop, hidden := h.resources[0].Ref, h.resources[2].Ref
	h.happens.Publish(service.EventPass, houseTime, map[string]any{"resources": 3, "hidden": "hidden"})
	h.happens.Publish(service.EventActivity, houseTime, store.Activity{Ref: hidden, Detail: "hidden"}, hidden)
	h.happens.Publish(service.EventActivity, houseTime, store.Activity{Ref: shop, Detail: "shop"}, shop)
	h.happens.Publish(service.EventActivity, houseTime, store.Activity{Event: store.EventConfig, Detail: "hidden"})
	h.happens.Publish(service.EventResources, houseTime, map[string]any{"refs": []string{shop.String(), hidden.String()}}, shop, hidden)
	h.happens.Publish(service.EventResources, houseTime, map[string]any{"refs": []string{hidden.String()}}, hidden)
	h.happens.Publish(service.EventConfig, houseTime, map[string]any{"detail": "hidden"})
	h.happens.Publish(service.EventPass, houseTime, map[string]any{})
	var kinds []string
	for range 8 {
		e, _ := l.next()
		if strings.Contains(e.data, "hidden") || strings.Contains(e.data, "444455556666") {
			t.Errorf("%+v", e)
		}
		kinds = append(kinds, e.kind)
	}
	if got, want := fmt.Sprint(kinds), "[pass  activity  resources   pass]"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}

// A client that does not read is cut off, and holds nobody back.
func TestSlowFollowersAreCutOff(t *testing.T) {
	h := newHouse(t, Options{})
	h.surface.eventTimeout = 100 * time.Millisecond
	address := h.listen()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "GET %s/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", base, h.keys["viewer"])
	waitFor(t, "the follower", func() bool { return h.happens.Followers() == 1 })
	padding := strings.Repeat("x", 60<<10)
	deadline := time.Now().Add(10 * time.Second)
	for h.happens.Followers() > 0 && time.Now().Before(deadline) {
		began := time.Now()
		h.happens.Publish(service.EventPass, houseTime, padding)
		if took := time.Since(began); took > time.Second {
			t.Fatalf("telling of an event took %s", took)
		}
		time.Sleep(time.Millisecond)
	}
	if h.happens.Followers() > 0 {
		t.Error("a client that reads nothing is followed for ever")
	}
}

// No client takes all the room, and what was taken is given back.
func TestFollowersAreBounded(t *testing.T) {
	var s streams
	for range mostStreamsFor {
		if !s.begin("one") {
			t.Fatal("too soon")
		}
	}
	if s.begin("one") {
		t.Error("one takes more than its share")
	}
	for i := range mostStreams - mostStreamsFor {
		if !s.begin(fmt.Sprint(i)) {
			t.Fatal("too soon")
		}
	}
	if s.begin("another") {
		t.Error("there are too many")
	}
	s.end("one")
	if !s.begin("another") {
		t.Error("room is not given back")
	}

	h := newHouse(t, Options{})
	address := h.listen()
	for range mostStreamsFor {
		h.follow(t, address, "viewer", "", "")
	}
	if over := h.follow(t, address, "viewer", "", ""); over.status != http.StatusTooManyRequests || over.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", over.status, over.header)
	}
	if other := h.follow(t, address, "operator", "", ""); other.status != 200 {
		t.Errorf("another one: %d", other.status)
	}
}

// A key that is revoked ends what follows with it, and the end of the server ends everything.
func TestFollowersAreSentHome(t *testing.T) {
	h := newHouse(t, Options{})
	h.surface.heartbeat = 20 * time.Millisecond
	address := h.listen()
	l := h.follow(t, address, "viewer", "", "")
	l.comment("still here")
	keys, err := h.gate.Keys(t.Context(), access.Local("test"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if key.Label == "viewer" {
			if _, err := h.gate.RevokeKey(t.Context(), key.ID, access.Local("test")); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, "the end of what follows with a revoked key", func() bool { return h.happens.Followers() == 0 })
	other := h.follow(t, address, "operator", "", "")
	other.comment("hello")
	h.surface.Close()
	if _, more := other.next(); more {
		t.Error("it goes on")
	}
	h.surface.Close()
}

// An answer may take longer than a request may take to be read.
func TestSlowAnswersAreGiven(t *testing.T) {
	defer func(before time.Duration) { bodyTimeout = before }(bodyTimeout)
	bodyTimeout = 100 * time.Millisecond
	h := newHouse(t, Options{})
	h.slow = 400 * time.Millisecond
	address := h.listen(func(server *http.Server) { server.ReadTimeout = 100 * time.Millisecond })
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, a := range []struct{ method, path, body string }{{"GET", "/doctor", ""}, {"POST", "/runs", "{}"}} {
		r, err := http.NewRequestWithContext(t.Context(), a.method, "http://"+address+base+a.path, strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-Key", h.keys["admin"])
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= 300 {
			t.Errorf("%s: %d %s", a.path, response.StatusCode, body)
		}
	}
}

// A process that stands by says who to ask.
func TestAStandbyMakesNoPass(t *testing.T) {
	h := newHouse(t, Options{})
	h.broken = fmt.Errorf("this process stands by: node-2 acts, ask that one: %w", store.ErrHeld)
	answer := h.do(ask{method: http.MethodPost, path: base + "/runs", as: "admin", body: "{}"})
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || !strings.Contains(answer.Body.String(), "node-2 acts") {
		t.Errorf("%d %v %s", answer.Code, answer.Header(), answer.Body)
	}
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}
