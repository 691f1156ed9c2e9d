package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/awssim"
)

// gated is a simulated AWS in the test's own process.
type gated struct {
	*awssim.Cloud
	t *testing.T
}

// newGated makes one whose states arrive quickly while its clock is the wall's.
func newGated(t *testing.T, f awssim.Fleet) *gated {
	t.Helper()
	quick := map[string][2]time.Duration{}
	for name := range awssim.DefaultDurations() {
		quick[name] = [2]time.Duration{400 * time.Millisecond, 900 * time.Millisecond}
	}
	sim := awssim.New(awssim.Options{Speed: 1, Seed: 1, Durations: quick})
	if err := sim.Load(f); err != nil {
		t.Fatal(err)
	}
	return &gated{sim, t}
}

// passage is a call on its way through a gate.
type passage struct {
	action string
	nth    int  // of its action, from 1
	number int  // of all calls, from 1
	reads  bool // it changes nothing
}

func (p passage) String() string { return fmt.Sprintf("%s #%d (call %d)", p.action, p.nth, p.number) }

// gate is one process's way to the simulated AWS. Its hooks run while the call
// waits; nil hooks do nothing. They are set before the process starts.
type gate struct {
	url string
	// before runs before the call takes effect; false loses it.
	before func(passage) bool
	// applied runs when the call has taken effect and its answer is not sent; false loses the answer.
	applied func(passage) bool
	// answered runs when the answer has been sent.
	answered func(passage)

	mu      sync.Mutex
	counts  map[string]int
	times   []time.Time // of every call
	changes []time.Time // of those that change something
}

func (g *gated) gate(t *testing.T) *gate {
	t.Helper()
	way := &gate{counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		p := way.enter(string(body))
		if way.before != nil && !way.before(p) {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answer := httptest.NewRecorder()
		g.ServeHTTP(answer, r)
		if way.applied != nil && !way.applied(p) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the client may have been killed
		_ = http.NewResponseController(w).Flush()
		if way.answered != nil {
			way.answered(p)
		}
	}))
	t.Cleanup(server.CloseClientConnections)
	way.url = server.URL
	return way
}

func (g *gate) enter(body string) passage {
	form, err := url.ParseQuery(body)
	action := form.Get("Action")
	if err != nil || action == "" {
		action = "unreadable"
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[action]++
	g.times = append(g.times, time.Now())
	reads := strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "Assume")
	if !reads {
		g.changes = append(g.changes, time.Now())
	}
	return passage{action: action, nth: g.counts[action], number: len(g.times), reads: reads}
}

// callsSince counts the calls that came through the gate after an instant.
func (g *gate) callsSince(at time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return countAfter(g.times, at)
}

// changesSince counts those of them that change something.
func (g *gate) changesSince(at time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return countAfter(g.changes, at)
}

func countAfter(calls []time.Time, at time.Time) int {
	n := 0
	for _, call := range calls {
		if call.After(at) {
			n++
		}
	}
	return n
}

// total counts all calls that came through.
func (g *gate) total() int { return g.callsSince(time.Time{}) }

// effective counts, for each action and resource, how many calls AWS accepted:
// nobody but the program acts on a gated fleet, so a second one for the same
// resource was done twice.
func (g *gated) effective() map[string]int {
	counts := map[string]int{}
	for _, call := range g.Calls() {
		if call.Status != http.StatusOK || !strings.HasPrefix(call.Action, "Start") && !strings.HasPrefix(call.Action, "Stop") {
			continue
		}
		for _, id := range call.Resources {
			counts[call.Action+" "+id]++
		}
	}
	return counts
}

// onceEach fails the test when anything was done twice.
func (g *gated) onceEach(t *testing.T) {
	t.Helper()
	for what, n := range g.effective() {
		if n != 1 {
			t.Errorf("%s was accepted %d times, want once", what, n)
		}
	}
}

// things describes the fleet of the given accounts and regions, as clients see it.
func (g *gated) things(way *gate, scopes ...account) ([]thing, error) {
	var all []thing
	for _, scope := range scopes {
		scope.endpoint = way.url
		list, err := scope.list()
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// arrives waits until nothing is under way and the states are as wanted.
func (g *gated) arrives(t *testing.T, limit time.Duration, want []string, scopes ...account) bool {
	t.Helper()
	// The judge has a gate of its own: what it asks is not the program's call.
	way := g.gate(t)
	began := time.Now()
	for {
		list, err := g.things(way, scopes...)
		if err != nil {
			t.Error(err)
			return false
		}
		var got []string
		for _, thing := range list {
			got = append(got, thing.name+" "+thing.state)
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return true
		}
		if time.Since(began) > limit {
			t.Errorf("after %s the fleet is %q, want %q", limit, got, want)
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}
