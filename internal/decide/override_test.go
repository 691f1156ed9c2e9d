package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// Somebody works late: woken at 18:10, after the stop at 18:00, for two hours,
// with a restart of Dayshift between any two passes.
func TestWorkingLate(t *testing.T) {
	g := newStage(t, office(t, nil), fleet.Running, WasRunning, at("03 17:50:00"))
	g.run(at("03 17:50:00"), at("03 18:09:00"))
	late := overrideOf(calendar.Running, at("03 18:10:00"), at("03 20:10:00"))
	g.book.Overrides = []*policy.Override{late}
	d := g.run(at("03 18:10:00"), at("03 20:09:00"))
	if g.r.State != fleet.Running || d.Reason != OverrideRunning || !d.Recheck.Equal(at("03 20:10:00")) {
		t.Fatalf("at 20:09 it is %s because %s, looked at again at %s", g.r.State, d.Reason, d.Recheck)
	}
	g.run(at("03 20:10:00"), at("04 09:30:00"))
	g.expect("done", g.done, "03 18:00:00 stop period-ended", "03 18:10:00 start override-start", "03 20:10:00 stop override-ended", "04 09:00:00 start period-began")
	g.expect("warned", g.warned, "03 20:00:00 of 03 20:10:00")
}

func TestOverrides(t *testing.T) {
	office := func(change func(*policy.Schedule), refs ...string) func(testing.TB) *policy.Schedule {
		return func(t testing.TB) *policy.Schedule {
			t.Helper()
			return office(t, change, refs...)
		}
	}
	type act struct {
		at    string
		state fleet.State
	}
	const run, down = fleet.Running, fleet.Stopped
	for _, test := range []struct {
		name        string
		schedule    func(testing.TB) *policy.Schedule
		begins      fleet.State
		memory      Remembered
		state       calendar.State
		from, until string
		change      func(*policy.Override)
		resource    func(*fleet.Resource)
		persons     []act
		end         string
		done        []string
		warned      []string
		last        Remembered
		reason      Reason // of the last decision
	}{
		{
			name: "running, outside", schedule: office(nil), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 23:00:00",
			done: []string{"03 20:00:00 start override-start", "03 21:00:00 stop override-ended"}, warned: []string{"03 20:50:00 of 03 21:00:00"}, last: WasStopped, reason: AlreadyStopped,
		},
		{
			name: "running, warned as the schedule says", schedule: office(func(s *policy.Schedule) { s.NotifyBeforeStop = 30 * time.Minute }), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 21:00:00",
			done: []string{"03 20:00:00 start override-start", "03 21:00:00 stop override-ended"}, warned: []string{"03 20:30:00 of 03 21:00:00"}, last: WasStopped, reason: OverrideEnded,
		},
		{
			name: "running for less than the warning", schedule: office(nil), begins: run, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 20:05:00", end: "03 20:05:00",
			done: []string{"03 20:05:00 stop override-ended"}, warned: []string{"03 20:00:00 of 03 20:05:00"}, last: WasStopped, reason: OverrideEnded,
		},
		{
			name: "running through its period changes nothing at its end", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Running, from: "03 10:00:00", until: "03 11:00:00", end: "03 12:00:00",
			last: WasRunning, reason: AlreadyRunning,
		},
		{
			name: "running over the stop boundary", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Running, from: "03 17:00:00", until: "03 19:00:00", end: "03 20:00:00",
			done: []string{"03 19:00:00 stop override-ended"}, warned: []string{"03 18:50:00 of 03 19:00:00"}, last: WasStopped, reason: AlreadyStopped,
		},
		{
			name: "running until the next stop boundary", schedule: office(nil), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "09 00:00:00", change: func(o *policy.Override) { o.Boundary = true }, end: "04 20:00:00",
			done: []string{"03 20:00:00 start override-start", "04 18:00:00 stop override-ended"}, warned: []string{"04 17:50:00 of 04 18:00:00"}, last: WasStopped, reason: AlreadyStopped,
		},
		{
			name: "stopped until the next start boundary", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Stopped, from: "03 10:00:00", until: "09 00:00:00", change: func(o *policy.Override) { o.Boundary = true }, end: "04 10:00:00",
			done: []string{"03 10:00:00 stop override-stop", "04 09:00:00 start override-ended"}, last: WasRunning, reason: AlreadyRunning,
		},
		{
			name: "stopped within the period, then the period counts again", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Stopped, from: "03 10:00:00", until: "03 11:00:00", end: "03 12:00:00",
			done: []string{"03 10:00:00 stop override-stop", "03 11:00:00 start override-ended"}, last: WasRunning, reason: AlreadyRunning,
		},
		{
			name: "a person's stop is undone", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Running, from: "03 10:00:00", until: "03 11:00:00", persons: []act{{"03 10:20:00", down}}, end: "03 11:00:00",
			done: []string{"03 10:20:00 start override-start"}, last: WasRunning, reason: AlreadyRunning,
		},
		{
			name: "a person's start is undone", schedule: office(nil), begins: down, memory: WasStopped, state: calendar.Stopped, from: "03 20:00:00", until: "03 21:00:00", persons: []act{{"03 20:20:00", run}}, end: "03 21:30:00",
			done: []string{"03 20:20:00 stop override-stop"}, last: WasStopped, reason: AlreadyStopped,
		},
		{
			name: "ended into any", schedule: office(nil, "evening-stop"), begins: down, memory: WasAny, state: calendar.Running, from: "04 02:00:00", until: "04 03:00:00", end: "04 04:00:00",
			done: []string{"04 02:00:00 start override-start"}, last: WasAny, reason: LeftAlone,
		},
		{
			name: "start-only does not bind it", schedule: office(startOnly), begins: run, memory: WasRunning, state: calendar.Stopped, from: "03 10:00:00", until: "03 11:00:00", end: "03 11:00:00",
			done: []string{"03 10:00:00 stop override-stop", "03 11:00:00 start override-ended"}, last: WasRunning, reason: OverrideEnded,
		},
		{
			name: "stop-only does not bind it", schedule: office(stopOnly), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 21:00:00",
			done: []string{"03 20:00:00 start override-start", "03 21:00:00 stop override-ended"}, warned: []string{"03 20:50:00 of 03 21:00:00"}, last: WasStopped, reason: OverrideEnded,
		},
		{
			name: "start-only leaves it up at the end, so nobody is warned", schedule: office(startOnly), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 21:00:00",
			done: []string{"03 20:00:00 start override-start"}, last: WasStopped, reason: ModeStartOnly,
		},
		{
			name: "enforced counts for less", schedule: office(enforced), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 21:00:00",
			done: []string{"03 20:00:00 start override-start", "03 21:00:00 stop enforced-stop"}, warned: []string{"03 20:50:00 of 03 21:00:00"}, last: WasStopped, reason: EnforcedStop,
		},
		{
			name: "on a disabled schedule", schedule: office(func(s *policy.Schedule) { s.Enabled = false }), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 22:00:00",
			done: []string{"03 20:00:00 start override-start"}, last: WasRunning, reason: ScheduleDisabled,
		},
		{
			name: "once, on a disabled schedule", schedule: office(func(s *policy.Schedule) { s.Enabled = false }), begins: down, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "04 20:00:00", change: func(o *policy.Override) { o.Once = true }, persons: []act{{"03 21:00:00", down}}, end: "03 22:00:00",
			done: []string{"03 20:00:00 start override-start"}, last: WasRunning, reason: ScheduleDisabled,
		},
		{
			name: "protected", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Stopped, from: "03 10:00:00", until: "03 11:00:00", resource: func(r *fleet.Resource) { r.Tags[fleet.TagProtect] = "true" }, end: "03 11:00:00",
			last: WasRunning, reason: ProtectedByTag,
		},
		{
			name: "barred", schedule: office(nil), begins: run, memory: WasRunning, state: calendar.Stopped, from: "03 10:00:00", until: "03 11:00:00", resource: func(r *fleet.Resource) { r.Bar = fleet.GroupMember }, end: "03 10:30:00",
			last: WasRunning, reason: GroupMember,
		},
		{
			name: "a person's own machine is stopped at the end as any other", schedule: office(retaining), begins: run, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "03 21:00:00", end: "03 21:00:00",
			done: []string{"03 21:00:00 stop override-ended"}, warned: []string{"03 20:50:00 of 03 21:00:00"}, last: WasStopped, reason: OverrideEnded,
		},
		{
			name: "the hours by hand do not count while it is in force", schedule: office(manualTwoHours), begins: run, memory: WasStopped, state: calendar.Running, from: "03 20:00:00", until: "04 02:00:00", end: "04 02:00:00",
			done: []string{"04 02:00:00 stop override-ended"}, warned: []string{"04 01:50:00 of 04 02:00:00"}, last: WasStopped, reason: OverrideEnded,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := at(test.from)
			g := newStage(t, test.schedule(t), test.begins, test.memory, from)
			if test.resource != nil {
				test.resource(&g.r)
			}
			o := overrideOf(test.state, from, at(test.until))
			if test.change != nil {
				test.change(o)
			}
			g.book.Overrides = []*policy.Override{o}
			for _, person := range test.persons {
				g.run(from, at(person.at).Add(-time.Second))
				from = at(person.at)
				g.person(person.state, from)
			}
			d := g.run(from, at(test.end))
			g.expect("done", g.done, test.done...)
			g.expect("warned", g.warned, test.warned...)
			if g.m.Last != test.last || d.Reason != test.reason {
				t.Errorf("memory %s because %s, want %s because %s", g.m.Last, d.Reason, test.last, test.reason)
			}
		})
	}
}

// The most specific target counts, of equal ones the newest; the chain names it.
func TestWhichOverrideCounts(t *testing.T) {
	filter, err := fleet.ParseFilter("tag:Schedule=off*")
	if err != nil {
		t.Fatal(err)
	}
	now := at("03 20:00:00")
	on := func(id string, target policy.Target, state calendar.State, minutesAgo int) *policy.Override {
		return &policy.Override{ID: id, Target: target, State: state, From: now.Add(-time.Duration(minutesAgo) * time.Minute), Until: now.Add(time.Hour), Author: "kim"}
	}
	resource, schedule, matching := policy.Target{Resource: machine(fleet.Stopped).Ref}, policy.Target{Schedule: "office"}, policy.Target{Filter: filter}
	elsewhere := policy.Target{Resource: database(fleet.Stopped).Ref}
	for _, test := range []struct {
		name string
		list []*policy.Override
		want string
	}{
		{"a resource before a schedule", []*policy.Override{on("a", schedule, calendar.Stopped, 1), on("b", resource, calendar.Running, 9)}, "b"},
		{"a schedule before a filter", []*policy.Override{on("a", matching, calendar.Stopped, 1), on("b", schedule, calendar.Running, 9)}, "b"},
		{"a filter alone", []*policy.Override{on("a", matching, calendar.Running, 1)}, "a"},
		{"the newest of two", []*policy.Override{on("a", schedule, calendar.Stopped, 9), on("b", schedule, calendar.Running, 1)}, "b"},
		{"made at once: the greater ID", []*policy.Override{on("a", schedule, calendar.Stopped, 1), on("b", schedule, calendar.Running, 1)}, "b"},
		{"another resource's", []*policy.Override{on("a", elsewhere, calendar.Running, 1)}, ""},
		{"another schedule's", []*policy.Override{on("a", policy.Target{Schedule: "other"}, calendar.Running, 1)}, ""},
		{"not yet", []*policy.Override{on("a", schedule, calendar.Running, -10)}, ""},
		{"over", []*policy.Override{on("a", schedule, calendar.Running, 200), func() *policy.Override {
			o := on("b", resource, calendar.Running, 100)
			o.Until = now
			return o
		}()}, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newStage(t, office(t, nil), fleet.Stopped, WasStopped, now)
			policy.SortOverrides(test.list)
			g.book.Overrides = test.list
			d := g.pass(now)
			got := ""
			if d.Override != nil {
				got = d.Override.ID
			}
			if got != test.want || (d.Verb == fleet.Start) != (test.want != "") {
				t.Errorf("%q counts, %s because %s; want %q", got, d.Verb, d.Reason, test.want)
			}
			if test.name == "not yet" && !d.Recheck.Equal(now.Add(10*time.Minute)) {
				t.Errorf("looked at again at %s", d.Recheck)
			}
		})
	}
}

// An override that ends while another one goes on is no stop to be warned of; one that gives way to a stop is.
func TestWarnedOfTheNextOverride(t *testing.T) {
	now := at("03 20:55:00")
	for state, want := range map[calendar.State][]string{calendar.Running: nil, calendar.Stopped: {"03 20:55:00 of 03 21:00:00"}} {
		g := newStage(t, office(t, nil), fleet.Running, WasRunning, now)
		first, second := overrideOf(calendar.Running, at("03 20:00:00"), at("03 21:00:00")), overrideOf(state, at("03 19:00:00"), at("03 23:00:00"))
		first.Target = policy.Target{Resource: g.r.Ref}
		g.book.Overrides = []*policy.Override{first, second}
		g.pass(now)
		g.expect(state.String(), g.warned, want...)
		g.pass(at("03 21:00:00"))
		if (g.r.State == fleet.Running) != (state == calendar.Running) {
			t.Errorf("%s after %s: %s", state, first, g.r.State)
		}
	}
}

// With a jitter, the boundary at which an override ends is the resource's own.
func TestOverrideEndsAtTheResourcesOwnBoundary(t *testing.T) {
	g := newStage(t, office(t, func(s *policy.Schedule) { s.Jitter = time.Hour }), fleet.Stopped, WasStopped, at("03 20:00:00"))
	for i := 0; policy.Offset(g.r.Ref, time.Hour) == 0; i++ {
		g.r.ID += "0"
	}
	g.m.Ref = g.r.Ref
	o := overrideOf(calendar.Running, at("03 20:00:00"), at("09 00:00:00"))
	o.Boundary = true
	g.book.Overrides = []*policy.Override{o}
	g.run(at("03 20:00:00"), at("04 19:00:00"))
	end := at("04 18:00:00").Add(policy.Offset(g.r.Ref, time.Hour))
	g.expect("done", g.done, "03 20:00:00 start override-start", short(end)+" stop override-ended")
}

// Two overrides that end once they are reached do not bring each other back.
func TestReachedOverridesStayReached(t *testing.T) {
	now := at("03 20:00:00")
	g := newStage(t, office(t, func(s *policy.Schedule) { s.Enabled = false }), fleet.Stopped, WasStopped, now)
	one, two := overrideOf(calendar.Running, now, at("09 00:00:00")), overrideOf(calendar.Running, now.Add(-time.Hour), at("09 00:00:00"))
	one.Target, one.Once, two.Once = policy.Target{Resource: g.r.Ref}, true, true
	two.ID = "o-before"
	one.ID = "o-after"
	g.book.Overrides = []*policy.Override{one, two}
	g.run(now, now.Add(time.Minute))
	if !g.m.HasReached(one.ID) || !g.m.HasReached(two.ID) || g.m.HasReached("o") {
		t.Fatalf("reached: %q", g.m.Reached)
	}
	g.person(fleet.Stopped, now.Add(time.Minute))
	d := g.run(now.Add(time.Minute), now.Add(2*time.Hour))
	g.expect("done", g.done, "03 20:00:00 start override-start")
	if d.Reason != ScheduleDisabled || !d.Recheck.IsZero() {
		t.Errorf("%s, looked at again at %s", d.Reason, d.Recheck)
	}
	for range 20 {
		g.m.reach(now.Format("021504.05"))
		now = now.Add(time.Second)
	}
	if n := len(strings.Fields(g.m.Reached)); n != maxReached {
		t.Errorf("%d are remembered", n)
	}
}

// A start that fails is tried again with a back-off; the failures of the schedule before do not hold it up.
func TestOverrideAfterFailures(t *testing.T) {
	now := at("03 10:00:00")
	g := newStage(t, office(t, nil), fleet.Stopped, WasStopped, now)
	var tries []time.Time
	g.refuse = func(Decision) string { tries = append(tries, g.last); return "no capacity" }
	for range 6 { // of the schedule
		d := g.pass(now)
		now = d.Recheck
		if d.Verb != "" {
			now = g.m.NotBefore
		}
	}
	g.pass(now)
	made := now.Add(time.Second) // in the midst of a back-off
	if !g.m.NotBefore.After(made.Add(time.Minute)) {
		t.Fatalf("the next try is at %s", g.m.NotBefore)
	}
	g.book.Overrides = []*policy.Override{overrideOf(calendar.Running, made, made.Add(2*time.Hour))}
	tries = nil
	for now = made; now.Before(made.Add(20 * time.Minute)); now = now.Add(10 * time.Second) {
		g.pass(now)
	}
	if len(tries) == 0 || !tries[0].Equal(made) {
		t.Fatalf("tried at %v, not at once at %s", tries, made)
	}
	for i, try := range tries[1:] {
		wait := try.Sub(tries[i])
		if shortest := min(backoffBase<<i, backoffCap) * 4 / 5; wait < shortest {
			t.Errorf("try %d after %s, want %s at least: %v", i+2, wait, shortest, tries)
		}
	}
	// The same where the process died after each call and the failure was found out by looking.
	g.refuse = nil
	g.m.Intent, g.m.Attempts, g.m.NotBefore, g.m.Override = nil, 3, now.Add(time.Hour), ""
	g.m.Last = StartFailed
	g.r.SeenAt = now
	d := Decide(Input{Now: now, Policy: g.book.Governs(g.r), Memory: g.m, Resource: g.r})
	if d.Verb != fleet.Start {
		t.Fatalf("%s", d.Sentence())
	}
	crashed := through(t, d.Intend("run", 1))
	g.r.LaunchedAt, g.r.StateReason, g.r.SeenAt = now.Add(time.Second), "Server.InternalError", now.Add(time.Minute)
	m, out := Settle(crashed, g.r, now.Add(time.Minute), 1)
	d = Decide(Input{Now: now.Add(time.Minute), Policy: g.book.Governs(g.r), Memory: m, Resource: g.r})
	if out.Ended != HasFailed || d.Verb != "" || d.Reason != BackingOff {
		t.Errorf("%s, then %s", out.Ended, d.Sentence())
	}
}

// Whatever overrides people make, each is obeyed while it lasts, and when all are over the schedule is back at its next boundary.
func TestOverridesLeaveNothingBehind(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		monday := at("03 00:00:00")
		refs := rapid.SampledFrom(shapes).Draw(rt, "periods")
		g := newStage(rt, office(t, func(s *policy.Schedule) { s.Enforced = rapid.Bool().Draw(rt, "enforced") }, refs...), fleet.Stopped, WasStopped, monday)
		g.fast = true
		for i := range rapid.IntRange(1, 4).Draw(rt, "overrides") {
			from := drawInstant(rt, monday, 2*86_400)
			o := overrideOf(rapid.SampledFrom([]calendar.State{calendar.Running, calendar.Stopped}).Draw(rt, "state"), from, from.Add(time.Duration(rapid.IntRange(1, 86_400).Draw(rt, "seconds"))*time.Second))
			o.ID, o.Boundary = string(rune('a'+i)), rapid.Bool().Draw(rt, "boundary")
			if rapid.Bool().Draw(rt, "resource") {
				o.Target = policy.Target{Resource: g.r.Ref}
			}
			g.book.Overrides = append(g.book.Overrides, o)
		}
		policy.SortOverrides(g.book.Overrides)
		for now := monday; now.Before(at("06 00:00:00")); {
			d := g.pass(now)
			if d.Override != nil && g.r.State != fleet.State(d.Override.State.String()) {
				rt.Fatalf("%s: %s, and it is %s", now, d.Override, g.r.State)
			}
			next := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "minutes")) * time.Minute)
			if !d.Recheck.IsZero() && d.Recheck.Before(next) {
				next = d.Recheck
			}
			now = next
		}
		g.book.Overrides, g.done = nil, nil
		g.run(at("06 00:00:00"), at("07 23:59:59"))
		for _, done := range g.done {
			if strings.Contains(done, "override") && !strings.HasPrefix(done, "06 00:00:00") {
				rt.Fatalf("%v", g.done)
			}
		}
		plain := newStage(rt, g.book.Schedules["office"], fleet.Stopped, WasStopped, monday)
		plain.fast = true
		plain.run(monday, at("07 23:59:59"))
		friday := func(done []string) []string {
			return slices.DeleteFunc(slices.Clone(done), func(text string) bool { return !strings.HasPrefix(text, "07") })
		}
		if refs[0] != "evening-stop" && !slices.Equal(friday(g.done), friday(plain.done)) {
			rt.Fatalf("Friday: %v, without overrides %v", g.done, plain.done)
		}
	})
}
