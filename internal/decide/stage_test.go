package decide

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// stage is one resource under a book, passed over at chosen instants. What a
// call asks for is there at the next pass. Between passes the process ends:
// memory and the progress of rules go through JSON each time.
type stage struct {
	t    fataler
	book *policy.Book
	r    fleet.Resource
	m    Memory
	last time.Time // of the last pass

	progress map[string]RuleProgress
	missed   []time.Time
	// refuse says why a call fails; nil, or an empty text: it does not.
	refuse func(Decision) string

	done    []string // what was carried out: "03 18:00:00 stop period-ended"
	warned  []string // the stops that were warned of, with the instant of the warning
	dropped []string // fires that were given up, with the reason
	// fast leaves out what is only examined: JSON and laws of passes in which nothing is done.
	fast bool
}

// newStage is a resource in a state that its memory agrees with.
func newStage(t fataler, s *policy.Schedule, state fleet.State, last Remembered, now time.Time) *stage {
	r := machine(state)
	return &stage{t: t, book: bookOf(s), r: r, m: remembered(r, last, now), progress: map[string]RuleProgress{}}
}

func through[T any](t fataler, value T) T {
	t.Helper()
	text, err := json.Marshal(value)
	var back T
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return back
}

func short(t time.Time) string { return t.UTC().Format("02 15:04:05") }

// fires asks the rules of the book, as a pass does.
func (g *stage) fires(now time.Time) []Fire {
	var fires []Fire
	for _, rule := range g.book.Rules {
		if !rule.Usable() {
			continue
		}
		due := g.progress[rule.Name].Due(rule, now)
		g.progress[rule.Name] = due.Progress
		g.missed = append(g.missed, due.Missed...)
		if len(due.Fires) > 0 && rule.Selects(g.r, g.book.TagKey) {
			at := due.Fires[len(due.Fires)-1]
			fires = append(fires, Fire{Rule: rule.Name, At: at, Verb: rule.Verb, Type: rule.Type, Until: now.Add(FireLasts)})
		}
	}
	return fires
}

func (g *stage) pass(now time.Time, extra ...Fire) Decision {
	g.t.Helper()
	g.last, g.r.SeenAt = now, now
	m, _ := Settle(g.m, g.r, now, 1)
	in := Input{Now: now, Policy: g.book.Governs(g.r), Memory: m, Resource: g.r, Fires: append(g.fires(now), extra...)}
	d := Decide(in)
	if !g.fast || d.Verb != "" || len(in.Fires) > 0 {
		checkLaws(g.t, in, d)
	}
	if d.Warn != nil {
		g.warned = append(g.warned, short(now)+" of "+short(d.Warn.StopAt))
	}
	for _, drop := range d.Dropped {
		g.dropped = append(g.dropped, fmt.Sprintf("%s %s", drop.Rule, drop.Why))
	}
	if d.Verb == "" {
		g.m = d.Memory
	} else {
		g.call(&d)
	}
	if !g.fast {
		g.m = through(g.t, g.m)
	}
	// Applied and asked again at the same instant: nothing to do.
	if !g.fast || d.Verb != "" {
		in.Memory, in.Fires, in.Resource = g.m, nil, g.r
		if d.Verb == fleet.Resize || d.Verb == fleet.Reboot {
			in.Resource.State = fleet.Starting
		}
		if again := Decide(in); again.Verb != "" {
			g.t.Fatalf("%s: %s %s, and again: %s %s", short(now), d.Verb, d.Reason, again.Verb, again.Reason)
		}
	}
	return d
}

// call carries a decision out.
func (g *stage) call(d *Decision) {
	g.t.Helper()
	d.Intend("run", 1)
	if g.refuse != nil {
		if why := g.refuse(*d); why != "" {
			g.m = d.Failed(g.last, why)
			return
		}
	}
	g.apply(d)
	g.m = d.Accepted(g.last, d.Type)
	g.note(d)
}

func (g *stage) note(d *Decision) {
	text := fmt.Sprintf("%s %s %s", short(g.last), d.Verb, d.Reason)
	if d.Type != "" {
		text += " " + d.Type
	}
	g.done = append(g.done, text)
}

// apply is the provider: it refuses what the state does not allow.
func (g *stage) apply(d *Decision) {
	g.t.Helper()
	r := &g.r
	switch {
	case d.Verb == fleet.Start && r.State == fleet.Stopped:
		r.State, r.LaunchedAt, r.StateReason = fleet.Running, g.last, ""
		if d.Type != "" {
			r.Type = d.Type
		}
	case (d.Verb == fleet.Stop || d.Verb == fleet.Hibernate) && r.State == fleet.Running:
		r.State, r.StateReason = fleet.Stopped, "Client.UserInitiatedShutdown: User initiated shutdown"
	case d.Verb == fleet.Resize && r.State == fleet.Stopped:
		r.Type = d.Type
	case d.Verb == fleet.Reboot && r.State == fleet.Running:
	default:
		g.t.Fatalf("%s: %s (%s) of what is %s", short(g.last), d.Verb, d.Reason, r.State)
	}
}

// run passes at every Recheck and at least every five minutes, up to an instant.
func (g *stage) run(from, until time.Time) Decision {
	g.t.Helper()
	var d Decision
	for now := from; !now.After(until); {
		d = g.pass(now)
		next := now.Add(resync)
		if !d.Recheck.IsZero() && d.Recheck.Before(next) {
			next = d.Recheck
		}
		for _, rule := range g.book.Rules {
			if at, ok := rule.Expression.Next(now); ok && at.Before(next) {
				next = at
			}
		}
		if now.Before(until) && next.After(until) {
			next = until
		}
		now = next
	}
	return d
}

// person changes its state by hand.
func (g *stage) person(state fleet.State, at time.Time) {
	g.r.State = state
	if state == fleet.Running {
		g.r.LaunchedAt = at
	}
}

func (g *stage) expect(what string, got []string, want ...string) {
	g.t.Helper()
	if !slices.Equal(got, want) {
		g.t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func rule(t testing.TB, name, expression string, verb fleet.Verb, change func(*policy.Rule)) *policy.Rule {
	t.Helper()
	e, err := calendar.ParseExpression(expression, time.UTC, at("01 00:00:00"))
	if err != nil {
		t.Fatal(err)
	}
	filter, err := fleet.ParseFilter("tag:Schedule=*")
	if err != nil {
		t.Fatal(err)
	}
	r := &policy.Rule{Name: name, Enabled: true, Expression: e, Verb: verb, Filter: filter, CatchUp: policy.DefaultCatchUp}
	if change != nil {
		change(r)
	}
	return r
}

func overrideOf(state calendar.State, from, until time.Time) *policy.Override {
	return &policy.Override{ID: "o-" + from.Format("021504"), Target: policy.Target{Schedule: "office"}, State: state, From: from, Until: until, Author: "kim"}
}

func drawInstant(t *rapid.T, from time.Time, seconds int) time.Time {
	return from.Add(time.Duration(rapid.IntRange(0, seconds).Draw(t, "second")) * time.Second)
}
