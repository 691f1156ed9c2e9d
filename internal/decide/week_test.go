package decide

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// week is a resource, a scheduler and a person, played forward in small steps.
type week struct {
	t      *rapid.T
	now    time.Time
	policy policy.Policy

	r      fleet.Resource
	arrive time.Time // when an unsettled state ends
	target fleet.State

	stored  Memory
	next    time.Time // pass
	upAgain time.Time // after an outage

	passes  int
	actions []event
	persons []event
}

type event struct {
	at     time.Time
	verb   fleet.Verb
	reason Reason
}

const (
	tick   = 5 * time.Second
	resync = 5 * time.Minute
	upTime = 40 * time.Second
	dnTime = 50 * time.Second
)

func newWeek(tb testing.TB, t *rapid.T, change func(*policy.Schedule), refs ...string) *week {
	tb.Helper()
	w := &week{t: t, now: at("02 21:00:00"), r: machine(rapid.SampledFrom([]fleet.State{fleet.Running, fleet.Stopped}).Draw(t, "begins"))}
	w.r.ID = fmt.Sprintf("i-%d", rapid.IntRange(0, 99).Draw(t, "id"))
	w.policy = bookOf(office(tb, change, refs...)).Governs(w.r)
	w.next = w.now
	return w
}

// call is the provider: it refuses what the state does not allow.
func (w *week) call(verb fleet.Verb) bool {
	switch {
	case verb == fleet.Start && w.r.State == fleet.Stopped:
		w.r.State, w.target, w.arrive, w.r.LaunchedAt, w.r.StateReason = fleet.Starting, fleet.Running, w.now.Add(upTime), w.now, ""
	case verb == fleet.Stop && w.r.State == fleet.Running:
		w.r.State, w.target, w.arrive = fleet.Stopping, fleet.Stopped, w.now.Add(dnTime)
		w.r.StateReason = "Client.UserInitiatedShutdown: User initiated shutdown"
	default:
		return false
	}
	return true
}

// step goes on to the next tick at which something can happen.
func (w *week) step(until time.Time, persons map[time.Time]fleet.Verb) {
	soonest := w.next
	if soonest.Before(w.upAgain) {
		soonest = w.upAgain
	}
	if !w.r.State.Settled() && w.arrive.Before(soonest) {
		soonest = w.arrive
	}
	for when := range persons {
		if when.After(w.now) && when.Before(soonest) {
			soonest = when
		}
	}
	if until.Before(soonest) {
		soonest = until
	}
	w.now = w.now.Add(max(tick, (soonest.Sub(w.now) + tick - 1).Truncate(tick)))
	if !w.r.State.Settled() && !w.now.Before(w.arrive) {
		w.r.State = w.target
	}
}

func (w *week) person(verb fleet.Verb) {
	if w.call(verb) {
		w.persons = append(w.persons, event{at: w.now, verb: verb})
	}
}

// What can happen to a call: the process may die before or after it.
const (
	goesWell = iota
	fails
	diesBefore
	diesAfter
)

// pass is one scheduling pass at this instant. fate says what becomes of a call.
func (w *week) pass(fate int) {
	if w.now.Before(w.next) || w.now.Before(w.upAgain) {
		return
	}
	w.r.SeenAt = w.now
	memory, _ := Settle(w.stored, w.r, w.now, 1)
	in := Input{Now: w.now, Policy: w.policy, Memory: memory, Resource: w.r}
	d := Decide(in)
	if w.passes++; d.Verb != "" || w.passes%16 == 0 {
		checkLaws(w.t, in, d) // it explains, which takes longer than all the rest
	}
	w.next = w.now.Add(resync)
	if !d.Recheck.IsZero() && d.Recheck.Before(w.next) {
		w.next = d.Recheck
	}
	if d.Verb == "" {
		if d.Memory.Differs(w.stored) {
			w.stored = d.Memory
		}
		// Applying an answer and asking again changes nothing.
		in.Memory = d.Memory
		if again := Decide(in); again.Verb != "" || again.Memory.Last != d.Memory.Last {
			w.t.Fatalf("%s: %s, and again: %s %s", w.now, d.Reason, again.Verb, again.Reason)
		}
		return
	}
	w.stored = d.Intend("run", 1)
	switch fate {
	case diesBefore:
		w.upAgain, w.next = w.now.Add(time.Minute), w.now
		return
	case fails:
		w.stored = d.Failed(w.now, "injected")
		w.next = w.now.Add(tick)
		return
	}
	if !w.call(d.Verb) {
		w.t.Fatalf("%s: %s of what is %s", w.now, d.Verb, w.r.State)
	}
	w.actions = append(w.actions, event{w.now, d.Verb, d.Reason})
	if fate == diesAfter {
		w.upAgain, w.next = w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(w.t, "down"))*time.Second), w.now
		return
	}
	w.stored = d.Accepted(w.now, "")
	// Asked again with the action accepted: nothing more to do.
	in.Memory = w.stored
	if again := Decide(in); again.Verb != "" {
		w.t.Fatalf("%s: %s accepted, and again: %s %s", w.now, d.Reason, again.Verb, again.Reason)
	}
}

// run plays until an instant. persons says at which ticks a person acts.
func (w *week) run(until time.Time, persons map[time.Time]fleet.Verb, fate func() int) {
	for w.now.Before(until) {
		w.step(until, persons)
		if verb := persons[w.now]; verb != "" {
			w.person(verb)
		}
		w.pass(fate())
	}
}

func drawPersons(t *rapid.T, from, to time.Time, most int) map[time.Time]fleet.Verb {
	persons := map[time.Time]fleet.Verb{}
	for range rapid.IntRange(0, most).Draw(t, "persons") {
		when := from.Add(time.Duration(rapid.IntRange(1, int(to.Sub(from)/tick)).Draw(t, "when")) * tick)
		persons[when] = rapid.SampledFrom([]fleet.Verb{fleet.Start, fleet.Stop}).Draw(t, "verb")
	}
	return persons
}

func well() int { return goesWell }

var shapes = [][]string{{"office"}, {"lunch", "from-seven"}, {"evening-stop"}, {"from-seven"}, {"office", "evening-stop"}}

// Left to itself, a schedule acts once at each boundary, on time, and then not.
func TestQuietWeek(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWeek(t, rt, func(s *policy.Schedule) {
			s.Jitter = time.Duration(rapid.IntRange(0, 20).Draw(rt, "jitter")) * time.Minute
			s.Enforced = rapid.Bool().Draw(rt, "enforced")
			s.RetainRunning = rapid.Bool().Draw(rt, "retain")
		}, rapid.SampledFrom(shapes).Draw(rt, "periods")...)
		w.run(at("03 00:30:00"), nil, well) // what was found is settled
		began := len(w.actions)
		w.run(at("09 23:00:00"), nil, well)
		boundary, ok := w.policy.NextState(at("03 00:30:00"))
		for i := began; i < len(w.actions); i++ {
			a := w.actions[i]
			for ok && boundary.At.Add(tick).Before(a.at) {
				boundary, ok = w.policy.NextState(boundary.At)
			}
			if late := a.at.Sub(boundary.At); !ok || late < 0 || late > tick {
				rt.Fatalf("%v is not at a boundary (%v)", a, boundary.At)
			}
			if i > began && w.actions[i-1].verb == a.verb {
				rt.Fatalf("%v twice in a row", a)
			}
		}
		if want := w.policy.Wanted(w.now); want.State != calendar.Any && string(w.r.State) != want.State.String() {
			rt.Fatalf("at the end it is %s, wanted %s", w.r.State, want.State)
		}
	})
}

// What a person does is respected until the next boundary.
func TestPersonsAreRespected(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWeek(t, rt, func(s *policy.Schedule) { s.RetainRunning = rapid.Bool().Draw(rt, "retain") },
			rapid.SampledFrom(shapes).Draw(rt, "periods")...)
		w.run(at("03 00:30:00"), nil, well)
		w.actions = nil
		w.run(at("09 23:00:00"), drawPersons(rt, w.now, at("09 22:00:00"), 30), well)
		for _, action := range w.actions {
			// The stretch in which it acted began at most as long ago as an action of a person may have taken to end.
			const slack = 2 * upTime
			if before := w.policy.Wanted(action.at.Add(-slack - tick)); before.State == w.policy.Wanted(action.at).State {
				rt.Fatalf("%v is not at a boundary; persons %v", action, w.persons)
			}
		}
		// A retained machine is one that a person started.
		for i, action := range w.actions[:max(len(w.actions)-1, 0)] {
			if next := w.actions[i+1]; next.verb == action.verb {
				between := false
				for _, p := range w.persons {
					between = between || p.at.After(action.at) && p.at.Before(next.at)
				}
				if !between {
					rt.Fatalf("%v and %v without a person in between", action, next)
				}
			}
		}
	})
}

// enforced undoes what persons do within a pass or two.
func TestEnforcedConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWeek(t, rt, enforced, rapid.SampledFrom(shapes).Draw(rt, "periods")...)
		w.run(at("03 00:30:00"), nil, well)
		persons := drawPersons(rt, w.now, at("09 22:00:00"), 30)
		agree, end := w.now, at("09 23:00:00")
		for w.now.Before(end) {
			w.run(w.now.Add(resync), persons, well)
			want := w.policy.Wanted(w.now)
			if want.State == calendar.Any || string(w.r.State) == want.State.String() || !w.r.State.Settled() {
				agree = w.now
			}
			if n := len(w.persons); n > 0 && w.persons[n-1].at.After(agree) {
				agree = w.persons[n-1].at // somebody has only just interfered again
			}
			if away := w.now.Sub(agree); away > 2*resync+lastLook {
				rt.Fatalf("%s: %s is wanted and it is %s for %s", w.now, want.State, w.r.State, away)
			}
		}
	})
}

// After any mixture of persons, failures, crashes and outages, a quiet day ends
// as the schedule wants it, with one start and one stop, nothing twice.
func TestConvergesAfterAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWeek(t, rt, func(s *policy.Schedule) {
			s.MaxManualUptime = time.Duration(rapid.IntRange(0, 5).Draw(rt, "manual")) * time.Hour
			s.NotifyBeforeStop = time.Duration(rapid.IntRange(0, 60).Draw(rt, "notify")) * time.Minute
		})
		quiet := at("06 03:00:00") // Thursday night
		persons := drawPersons(rt, w.now, quiet, 30)
		for range rapid.IntRange(0, 6).Draw(rt, "stretches") {
			w.run(w.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "hours"))*time.Hour), persons, func() int {
				// Drawn for few ticks only: most have no call whose fate would matter.
				if w.now.Before(w.next) || w.now.Before(w.upAgain) {
					return goesWell
				}
				return rapid.SampledFrom([]int{goesWell, goesWell, fails, diesBefore, diesAfter}).Draw(rt, "fate")
			})
			w.upAgain = w.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "outage")) * time.Hour)
			if !w.now.Before(quiet) {
				break
			}
		}
		w.upAgain = w.now
		w.run(at("07 03:00:00"), nil, well)
		if w.now.After(at("07 06:00:00")) {
			return
		}
		w.actions = nil
		w.run(at("07 23:00:00"), nil, well)
		if len(w.actions) > 2 || w.r.State != fleet.Stopped || w.stored.Intent != nil {
			rt.Fatalf("Friday: %v, then %s", w.actions, w.r.State)
		}
		if len(w.actions) != 2 || !w.actions[0].at.Equal(at("07 09:00:00")) || !w.actions[1].at.Equal(at("07 18:00:00")) {
			// A machine that a person left running all night is not started again.
			if len(w.actions) != 1 || w.actions[0].verb != fleet.Stop {
				rt.Fatalf("Friday: %v", w.actions)
			}
		}
	})
}

// For any input at all: the same answer twice, a reason, and nothing protected
// or barred is stopped.
func TestLaws(t *testing.T) {
	memories := []Remembered{"", Unknown, WasRunning, WasStopped, WasAny, RetainRunning, StartFailed, StopFailed, "strange"}
	states := []fleet.State{fleet.Running, fleet.Stopped, fleet.Starting, fleet.Stopping, fleet.Other, "strange"}
	bars := []fleet.Bar{fleet.NoBar, fleet.NoBar, fleet.GroupMember, fleet.StopProtected, fleet.ClusterMember}
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return at("01 00:00:00").Add(time.Duration(rapid.Int64Range(-1e6, 2e6).Draw(t, "second")) * time.Second)
	})
	rapid.Check(t, func(rt *rapid.T) {
		r := machine(rapid.SampledFrom(states).Draw(rt, "state"))
		if rapid.Bool().Draw(rt, "database") {
			r = database(r.State)
		}
		r.Bar, r.LaunchedAt, r.AutoRestartAt, r.SeenAt = rapid.SampledFrom(bars).Draw(rt, "bar"), instant.Draw(rt, "launched"), instant.Draw(rt, "restart"), instant.Draw(rt, "seen")
		protected := rapid.IntRange(0, 4).Draw(rt, "protected") == 0
		if protected {
			r.Tags[fleet.TagProtect] = "true"
		}
		s := office(t, nil, rapid.SampledFrom(append(shapes, []string{"office@t3.small"})).Draw(rt, "periods")...)
		s.Enforced, s.RetainRunning, s.StopNewInstances = rapid.Bool().Draw(rt, "enforced"), rapid.Bool().Draw(rt, "retain"), rapid.Bool().Draw(rt, "new")
		s.Mode = rapid.SampledFrom([]policy.Mode{"", policy.Both, policy.StartOnly, policy.StopOnly}).Draw(rt, "mode")
		s.Hibernate, r.CanHibernate = rapid.Bool().Draw(rt, "hibernate"), rapid.Bool().Draw(rt, "can")
		s.Jitter = time.Duration(rapid.IntRange(0, 90).Draw(rt, "jitter")) * time.Minute
		s.NotifyBeforeStop = time.Duration(rapid.IntRange(0, 90).Draw(rt, "notify")) * time.Minute
		s.MaxManualUptime = time.Duration(rapid.IntRange(0, 5).Draw(rt, "manual")) * time.Hour
		m := Memory{
			Ref: r.Ref, Schedule: rapid.SampledFrom([]string{"office", "office", "other"}).Draw(rt, "schedule"),
			Last: rapid.SampledFrom(memories).Draw(rt, "last"), Retain: rapid.Bool().Draw(rt, "mark"),
			FirstSeen: instant.Draw(rt, "first"), DecidedAt: instant.Draw(rt, "decided"), Announced: instant.Draw(rt, "announced"),
			Warned: instant.Draw(rt, "warned"), Seen: rapid.SampledFrom(states).Draw(rt, "before"), SeenAt: instant.Draw(rt, "seen before"),
			ManualSince: instant.Draw(rt, "manual since"), AutoRestartAt: instant.Draw(rt, "auto"), NotBefore: instant.Draw(rt, "not before"),
			ResizeTo: rapid.SampledFrom([]string{"", "t3.small"}).Draw(rt, "resize"), Attempts: rapid.IntRange(0, 9).Draw(rt, "attempts"),
		}
		now := at("01 00:00:00").Add(time.Duration(rapid.Int64Range(0, 2e9).Draw(rt, "now")) * time.Millisecond)
		if rapid.Bool().Draw(rt, "intent") {
			m.Intent = &Intent{
				Verb: rapid.SampledFrom([]fleet.Verb{fleet.Start, fleet.Stop, fleet.Hibernate}).Draw(rt, "verb"),
				At:   instant.Draw(rt, "begun"), Accepted: instant.Draw(rt, "accepted"), Term: rapid.Int64Range(0, 2).Draw(rt, "term"),
			}
		}
		m, out := Settle(m, r, now, 1)
		if (m.Intent != nil) != (out.Ended == StillWaits) {
			rt.Fatalf("%s with %v", out.Ended, m.Intent)
		}
		in := Input{Now: now, Policy: bookOf(s).Governs(r), Memory: m, Resource: r}
		d, again := Decide(in), Decide(in)
		checkLaws(rt, in, d)
		if d.Reason != again.Reason || d.Verb != again.Verb || d.Memory != again.Memory || !d.Recheck.Equal(again.Recheck) {
			rt.Fatalf("%s, then %s", d.Reason, again.Reason)
		}
		switch {
		case d.Verb == "":
		case protected, !r.State.Settled(), m.Intent != nil:
			rt.Fatalf("%s of what has to be left alone", d.Verb)
		case d.Verb == fleet.Start && (r.State != fleet.Stopped || s.Mode == policy.StopOnly):
			rt.Fatalf("start, %s, %s", r.State, s.Mode)
		case d.Verb != fleet.Start && (r.State != fleet.Running || s.Mode == policy.StartOnly || r.Bar != fleet.NoBar):
			rt.Fatalf("%s, %s, %s, %s", d.Verb, r.State, s.Mode, r.Bar)
		case d.Resize && s.Mode == policy.StopOnly:
			rt.Fatal("stopped to be started by nobody")
		}
	})
}

var sink Decision

func BenchmarkDecide(b *testing.B) {
	const n = 100_000
	s := office(b, func(s *policy.Schedule) { s.Jitter, s.NotifyBeforeStop = 8*time.Minute, 10*time.Minute }, "office@m5.large")
	book := bookOf(s)
	for name, now := range map[string]time.Time{"at-rest": at("03 11:00:00"), "boundary": at("03 18:10:00")} {
		inputs := make([]Input, n)
		for i := range inputs {
			r := machine(fleet.Running)
			r.ID = fmt.Sprintf("i-%017x", i)
			r.SeenAt = now
			inputs[i] = Input{Now: now, Memory: remembered(r, WasRunning, now), Resource: r}
		}
		b.Run(name+"/100000", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range inputs {
					in := inputs[i]
					in.Policy = book.Governs(in.Resource)
					sink = Decide(in)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/decision")
		})
	}
}
