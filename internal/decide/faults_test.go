package decide

import (
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// The wall clock jumps while Dayshift runs: one evaluation catches up, nothing
// bursts, nothing stalls, and when the clock is right again all goes on.
func TestFault15ClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"+1h": time.Hour, "+1d": 24 * time.Hour, "+1y": 365 * 24 * time.Hour, "-1h": -time.Hour, "-1d": -24 * time.Hour, "-1y": -365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			now := at("05 11:00:00") // a Wednesday, inside
			g := newStage(t, office(t, nil), fleet.Running, WasRunning, now)
			g.book.Rules = []*policy.Rule{rule(t, "often", "cron(0/5 * * * ? *)", fleet.Reboot, nil)}
			g.run(now, now.Add(10*time.Minute))
			g.done = nil
			away := now.Add(10*time.Minute + jump)
			d := g.pass(away)
			if len(g.done) > 2 || d.Recheck.Sub(away) > 24*time.Hour {
				t.Fatalf("away: %v, looked at again at %s", g.done, d.Recheck)
			}
			for range 3 { // an action under way there is settled there
				g.pass(away)
				away = away.Add(time.Minute)
			}
			g.done, g.dropped = nil, nil
			back := now.Add(20 * time.Minute)
			d = g.run(back, back.Add(30*time.Minute))
			if len(g.done) > 8 || d.Recheck.Sub(now) > 24*time.Hour {
				t.Errorf("back: %v, looked at again at %s", g.done, d.Recheck)
			}
			g.run(back.Add(time.Hour), at("06 09:00:00"))
			if g.run(at("06 09:00:00"), at("06 09:01:00")); g.r.State != fleet.Running {
				t.Errorf("the next morning it is %s: %v", g.r.State, g.done)
			}
			g.run(at("06 17:59:00"), at("06 18:01:00"))
			if g.r.State != fleet.Stopped {
				t.Errorf("the next evening it is %s", g.r.State)
			}
		})
	}
}

// The machine that Dayshift runs on sleeps for eight hours: the first pass puts all right.
func TestFault16Suspend(t *testing.T) {
	g := newStage(t, office(t, nil), fleet.Running, WasRunning, at("03 12:00:00"))
	g.book.Rules = []*policy.Rule{rule(t, "hourly", "cron(30 * * * ? *)", fleet.Start, nil)}
	g.run(at("03 12:00:00"), at("03 13:00:00"))
	d := g.pass(at("03 21:00:00"))
	if d.Verb != fleet.Stop || d.Reason != PeriodEnded {
		t.Errorf("%s", d.Sentence())
	}
	if len(g.missed) != 8 { // 13:30 to 20:30
		t.Errorf("missed %v", shorts(g.missed))
	}
	// An override that began and ended meanwhile leaves no trace; one that is still in force is obeyed.
	g = newStage(t, office(t, nil), fleet.Running, WasRunning, at("03 12:00:00"))
	g.book.Overrides = []*policy.Override{overrideOf(calendar.Stopped, at("03 13:00:00"), at("03 14:00:00"))}
	g.pass(at("03 12:30:00"))
	if d := g.pass(at("03 17:00:00")); d.Verb != "" {
		t.Errorf("%s", d.Sentence())
	}
	g.book.Overrides[0].Until = at("03 17:30:00")
	if d := g.pass(at("03 17:10:00")); d.Reason != OverrideStop {
		t.Errorf("%s", d.Sentence())
	}
}

// The clock stands still, or goes back by fractions of a second, at every boundary: nothing happens twice.
func TestFault17NonMonotonic(t *testing.T) {
	g := newStage(t, office(t, nil), fleet.Stopped, WasStopped, at("03 08:59:00"))
	g.book.Rules = []*policy.Rule{
		rule(t, "noon", "cron(0 12 * * ? *)", fleet.Reboot, func(r *policy.Rule) { r.Since = at("03 08:00:00") }),
		rule(t, "late", "cron(0 20 * * ? *)", fleet.Start, func(r *policy.Rule) { r.Since = at("03 08:00:00") }),
	}
	for _, instant := range []string{"03 09:00:00", "03 12:00:00", "03 18:00:00", "03 20:00:00"} {
		for _, shift := range []time.Duration{-1, 0, 1, 0, -1, 0, -time.Second, 0, time.Nanosecond, -time.Millisecond, time.Second, 0, time.Second, time.Minute} {
			g.pass(at(instant).Add(shift))
		}
	}
	g.expect("done", g.done, "03 09:00:00 start period-began", "03 12:00:00 reboot rule-reboot", "03 18:00:00 stop period-ended", "03 20:00:00 start rule-start")
}

// A rule is edited a second before, at, and a second after its instant: the old
// form fires or the new one, never both, whenever the passes come.
func TestFault18RuleEdited(t *testing.T) {
	noon := at("03 12:00:00")
	for _, edit := range []time.Duration{-time.Second, 0, time.Second} {
		for _, pass := range []time.Duration{-2 * time.Second, -time.Second, 0, time.Second, 2 * time.Second, time.Minute} {
			for name, moved := range map[string]time.Duration{"the same instant": 0, "a minute later": time.Minute, "a minute earlier": -time.Minute} {
				old := rule(t, "r", "cron(0 12 * * ? *)", fleet.Stop, func(r *policy.Rule) { r.Since = at("01 00:00:00") })
				expression, err := calendar.ParseExpression(noon.Add(moved).Format("at(2006-01-02T15:04:05)"), time.UTC, time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				edited := *old
				edited.Expression, edited.Since = expression, noon.Add(edit)
				progress := look(t, RuleProgress{}, old, noon.Add(-10*time.Minute)).Progress
				var fired []string
				// The passes: one at a chosen instant, then one every half minute.
				for now := noon.Add(pass); now.Before(noon.Add(5 * time.Minute)); now = now.Add(30 * time.Second) {
					which := old
					if !now.Before(edited.Since) {
						which = &edited
					}
					due := look(t, progress, which, now)
					progress = through(t, due.Progress)
					fired = append(fired, shorts(due.Fires)...)
				}
				oldSeen := pass >= 0 && pass < edit // by a pass between the instant and the edit
				newDue := noon.Add(moved).After(edited.Since)
				want := 0
				if oldSeen {
					want++
				}
				if newDue && (!oldSeen || moved != 0) {
					want++
				}
				if moved == 0 && want > 1 || len(fired) != want {
					t.Errorf("edited %s, passed %s, moved to %s: fired %v, want %d", edit, pass, name, fired, want)
				}
			}
		}
	}
}

// An exception for today made after its time has passed is applied, as a
// schedule is a level; a rule made after its instant is not, as a rule is an edge.
func TestFault19LateException(t *testing.T) {
	with := func(def calendar.ExceptionDef) *calendar.Schedule {
		x, err := calendar.CompileException(def)
		if err != nil {
			t.Fatal(err)
		}
		c, err := calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"office"}, Exceptions: []calendar.Exception{x}}, periods, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, test := range []struct {
		name   string
		def    calendar.ExceptionDef
		begins fleet.State
		memory Remembered
		made   string
		done   []string
	}{
		{"stop at 15:00, said at 16:00", calendar.ExceptionDef{Date: "2026-08-03", Type: "stop", Value: "15:00"}, fleet.Running, WasRunning, "03 16:00:00", []string{"03 16:00:00 stop period-ended"}},
		{"stop at 21:00, said at 20:00", calendar.ExceptionDef{Date: "2026-08-03", Type: "stop", Value: "21:00"}, fleet.Stopped, WasStopped, "03 20:00:00", []string{"03 20:00:00 start period-began", "03 21:00:00 stop period-ended"}},
		{"not started today, said at 10:00", calendar.ExceptionDef{Date: "2026-08-03", Type: "start", Value: "none"}, fleet.Running, WasRunning, "03 10:00:00", []string{"03 10:00:00 stop period-ended"}},
		{"start at 08:00, said at 08:30", calendar.ExceptionDef{Date: "2026-08-03", Type: "start", Value: "08:00"}, fleet.Stopped, WasStopped, "03 08:30:00", []string{"03 08:30:00 start period-began", "03 18:00:00 stop period-ended"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			made := at(test.made)
			g := newStage(t, office(t, nil), test.begins, test.memory, made)
			g.pass(made.Add(-time.Minute))
			g.book = bookOf(office(t, func(s *policy.Schedule) { s.Calendar = with(test.def) }))
			g.run(made, at("03 23:00:00"))
			g.expect("done", g.done, test.done...)
		})
	}
	late := rule(t, "late", "cron(0 12 * * ? *)", fleet.Stop, func(r *policy.Rule) { r.Since = at("03 12:00:01") })
	g := newStage(t, office(t, nil), fleet.Running, WasRunning, at("03 12:00:01"))
	g.book.Rules = []*policy.Rule{late}
	g.run(at("03 12:00:01"), at("03 12:30:00"))
	g.expect("done", g.done)
}

// Two rules, or a rule and a schedule, start and stop the same resource at the
// same instant: override, enforced, then stop, then the name; in any order.
func TestFault20SameInstant(t *testing.T) {
	for _, test := range []struct {
		name     string
		change   func(*policy.Schedule)
		override calendar.State // Any: none
		at       string
		rules    map[string]fleet.Verb
		begins   fleet.State
		memory   Remembered
		want     fleet.State
		carried  string
	}{
		{"two rules", nil, calendar.Any, "03 20:00:00", map[string]fleet.Verb{"a": fleet.Start, "b": fleet.Stop}, fleet.Running, WasStopped, fleet.Stopped, "b"},
		{"two rules, stopped already", nil, calendar.Any, "03 20:00:00", map[string]fleet.Verb{"a": fleet.Start, "b": fleet.Stop}, fleet.Stopped, WasStopped, fleet.Stopped, ""},
		{"two starts", nil, calendar.Any, "03 20:00:00", map[string]fleet.Verb{"b": fleet.Start, "a": fleet.Start}, fleet.Stopped, WasStopped, fleet.Running, "a"},
		{"the begin and a stop", nil, calendar.Any, "04 09:00:00", map[string]fleet.Verb{"a": fleet.Stop}, fleet.Stopped, WasStopped, fleet.Stopped, ""},
		{"the end and a start", nil, calendar.Any, "03 18:00:00", map[string]fleet.Verb{"a": fleet.Start}, fleet.Running, WasRunning, fleet.Stopped, ""},
		{"an enforced begin and a stop", enforced, calendar.Any, "04 09:00:00", map[string]fleet.Verb{"a": fleet.Stop}, fleet.Stopped, WasStopped, fleet.Running, ""},
		{"the end, a start, and an override", nil, calendar.Running, "03 18:00:00", map[string]fleet.Verb{"a": fleet.Stop}, fleet.Running, WasRunning, fleet.Running, ""},
		{"everything", enforced, calendar.Stopped, "04 09:00:00", map[string]fleet.Verb{"a": fleet.Start, "b": fleet.Stop, "c": fleet.Reboot, "d": fleet.Hibernate}, fleet.Running, WasStopped, fleet.Stopped, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := at(test.at)
			for _, late := range []time.Duration{0, time.Second, 5 * time.Minute} {
				g := newStage(t, office(t, test.change), test.begins, test.memory, now.Add(-time.Minute))
				if test.override != calendar.Any {
					g.book.Overrides = []*policy.Override{overrideOf(test.override, now, now.Add(time.Hour))}
				}
				var fires []Fire
				for name, verb := range test.rules { // in the map's order: any
					fires = append(fires, Fire{Rule: name, At: now, Verb: verb, Until: now.Add(FireLasts)})
				}
				carried := g.pass(now.Add(late), fires...).Fire.Rule
				g.run(now.Add(late+time.Second), now.Add(late+20*time.Minute))
				if g.r.State != test.want || carried != test.carried {
					t.Errorf("%s late: %s by %q, want %s by %q; %v, dropped %v", late, g.r.State, carried, test.want, test.carried, g.done, g.dropped)
				}
			}
		})
	}
}
