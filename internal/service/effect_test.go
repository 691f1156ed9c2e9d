package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

var surges = plan.Limits{Surge: 3, SurgeFrom: 10}

// changed is the book of a world with something changed in a copy.
func (w *world) changed(change func(b *policy.Book)) Candidate {
	book := *w.book
	book.Schedules = maps.Clone(book.Schedules)
	book.Rules, book.Overrides = slices.Clone(book.Rules), slices.Clone(book.Overrides)
	change(&book)
	return Candidate{Book: &book, Limits: surges, Config: true}
}

// many adds so many resources of a schedule.
func (w *world) many(n int, schedule string, state fleet.State, last decide.Remembered) {
	for i := range n {
		w.add(fmt.Sprintf("%s-%03d", schedule, i), schedule, state, last)
	}
}

func effect(t *testing.T, w *world, after Candidate) Effect {
	t.Helper()
	answer, err := w.service().Effect(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func effectLinesOf(e Effect) []string {
	sign := map[bool]string{true: "+", false: "-"}
	var lines []string
	for _, l := range e.Now {
		lines = append(lines, fmt.Sprintf("%s now %s %s %s", sign[l.Comes], l.Name, l.Action, l.Reason))
	}
	for _, l := range e.Ahead {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", sign[l.Comes], l.At.Format("Mon 15:04"), l.Name, l.Action, l.Reason))
	}
	return lines
}

// officeOf is the office schedule with exceptions.
func officeOf(t *testing.T, exceptions ...calendar.ExceptionDef) *policy.Schedule {
	t.Helper()
	period, err := calendar.CompilePeriod(calendar.PeriodDef{Name: "p0", BeginTime: "09:00", EndTime: "18:00", Weekdays: weekdays(t, "mon-fri")})
	if err != nil {
		t.Fatal(err)
	}
	def := calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"p0"}}
	for _, e := range exceptions {
		x, err := calendar.CompileException(e)
		if err != nil {
			t.Fatal(err)
		}
		def.Exceptions = append(def.Exceptions, x)
	}
	compiled, err := calendar.CompileWith(def, map[string]*calendar.Period{"p0": period}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return &policy.Schedule{Name: "office", Calendar: compiled, Enabled: true, StopNewInstances: true, NewResourceGrace: policy.DefaultNewResourceGrace, Mode: policy.Both}
}

func TestEffect(t *testing.T) {
	for _, test := range []struct {
		name   string
		make   func(w *world) Candidate
		want   []string
		starts EffectCount
		stops  EffectCount
		count  int
	}{
		{"an exception: Wednesday ends at 21:00", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["office"] = officeOf(t, calendar.ExceptionDef{Date: "2026-08-05", Type: "stop", Value: "21:00"})
			})
		}, []string{"- Wed 18:00 name-i-1 stop period-ended", "+ Wed 21:00 name-i-1 stop period-ended"}, EffectCount{5, 5}, EffectCount{5, 5}, 1},
		{"an exception on a Saturday", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["office"] = officeOf(t,
					calendar.ExceptionDef{Date: "2026-08-08", Type: "start", Value: "10:00"}, calendar.ExceptionDef{Date: "2026-08-08", Type: "stop", Value: "12:00"})
			})
		}, []string{"+ Sat 10:00 name-i-1 start period-began", "+ Sat 12:00 name-i-1 stop period-ended"}, EffectCount{5, 6}, EffectCount{5, 6}, 1},
		{"an exception next month concerns it and changes nothing in the week", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["office"] = officeOf(t, calendar.ExceptionDef{Date: "2026-09-04", Type: "stop", Value: "21:00"})
			})
		}, nil, EffectCount{5, 5}, EffectCount{5, 5}, 1},
		{"the schedule is disabled", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["office"] = officeOf(t)
				b.Schedules["office"].Enabled = false
			})
		}, []string{
			"- Mon 09:00 name-i-1 start period-began", "- Mon 18:00 name-i-1 stop period-ended",
			"- Tue 09:00 name-i-1 start period-began", "- Tue 18:00 name-i-1 stop period-ended",
			"- Wed 09:00 name-i-1 start period-began", "- Wed 18:00 name-i-1 stop period-ended",
			"- Thu 09:00 name-i-1 start period-began", "- Thu 18:00 name-i-1 stop period-ended",
			"- Fri 09:00 name-i-1 start period-began", "- Fri 18:00 name-i-1 stop period-ended",
		}, EffectCount{5, 0}, EffectCount{5, 0}, 1},
		{"the same written anew changes nothing", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["office"] = officeOf(t)
				b.Schedules["office"].Description = "another text"
			})
		}, nil, EffectCount{}, EffectCount{}, 0},
		{"a new rule stops it on Tuesday noon", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Rules = append(b.Rules, ruleOf(t, "noon", "at(2026-08-04T12:00:00)", fleet.Stop, "name=name-i-*"))
			})
		}, []string{"+ Tue 12:00 name-i-1 stop rule-stop", "- Tue 18:00 name-i-1 stop period-ended"}, EffectCount{5, 5}, EffectCount{5, 5}, 1},
		{"a person wants it running at once, until noon", func(w *world) Candidate {
			c := w.changed(func(b *policy.Book) {
				b.Overrides = append(b.Overrides, &policy.Override{
					ID: "o", Target: policy.Target{Schedule: "office"}, State: calendar.Running, From: monday, Until: monday.Add(4 * time.Hour), Author: "kim",
				})
			})
			c.Config = false
			return c
		}, []string{"+ now name-i-1 start override-start", "- Mon 09:00 name-i-1 start period-began"}, EffectCount{5, 5}, EffectCount{5, 5}, 1},
		{"only observed: nothing is done any more", func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["office"] = officeOf(t, calendar.ExceptionDef{Date: "2026-08-04", Type: "start", Value: "none"})
				b.Schedules["office"].Observe = true
			})
		}, []string{
			"- Mon 09:00 name-i-1 start period-began", "- Mon 18:00 name-i-1 stop period-ended",
			"- Tue 09:00 name-i-1 start period-began", "- Tue 18:00 name-i-1 stop period-ended",
			"- Wed 09:00 name-i-1 start period-began", "- Wed 18:00 name-i-1 stop period-ended",
			"- Thu 09:00 name-i-1 start period-began", "- Thu 18:00 name-i-1 stop period-ended",
			"- Fri 09:00 name-i-1 start period-began", "- Fri 18:00 name-i-1 stop period-ended",
		}, EffectCount{5, 0}, EffectCount{5, 0}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(officeOf(t), schedule(t, "other", nil, officeHours))
			w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
			w.add("i-2", "other", fleet.Stopped, decide.WasStopped).Name = "elsewhere"
			e := effect(t, w, test.make(w))
			if diff := cmp.Diff(test.want, effectLinesOf(e)); diff != "" {
				t.Error(diff)
			}
			if e.Starts != test.starts || e.Stops != test.stops || e.Resources != test.count || !e.Confirm.Empty() || len(e.Limits) > 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// What is protected is counted and named, and nothing is said to happen to it.
func TestEffectOnTheProtected(t *testing.T) {
	w := newWorld(officeOf(t))
	w.add("i-1", "office", fleet.Running, decide.WasRunning)
	w.add("i-2", "office", fleet.Running, decide.WasRunning).Tags[fleet.TagProtect] = "true"
	w.book.Protected = []fleet.Filter{filterOf(t, "name=name-i-3")}
	w.add("i-3", "office", fleet.Running, decide.WasRunning)
	e := effect(t, w, w.changed(func(b *policy.Book) { delete(b.Schedules, "office") }))
	if e.Resources != 3 || e.Protected != 2 || cmp.Diff([]string{"name-i-2", "name-i-3"}, e.ProtectedNames) != "" {
		t.Errorf("%+v", e)
	}
	if len(e.Now) != 1 || e.Now[0].Comes || e.Now[0].Action != "stop" {
		t.Errorf("%+v", e.Now)
	}
	e = effect(t, w, w.changed(func(b *policy.Book) { b.Protected = nil }))
	if e.Resources != 1 || e.Protected != 0 || len(e.Now) != 1 || e.Now[0].Name != "name-i-3" || !e.Now[0].Comes {
		t.Errorf("the protection ends: %+v", e)
	}
}

func TestEffectHasToBeConfirmed(t *testing.T) {
	stopAll := func(w *world) Candidate { // from any hour on: they run at 08:00 by a night schedule
		return w.changed(func(b *policy.Book) {
			b.Schedules["always"] = schedule(t, "always", nil, officeHours)
		})
	}
	rule := func(filter string, verb fleet.Verb) *policy.Rule {
		return ruleOf(t, "nightly", "cron(0 3 * * ? *)", verb, filter)
	}
	for _, test := range []struct {
		name      string
		running   int
		yesterday int
		make      func(w *world) Candidate
		confirm   string
		limits    string
	}{
		{
			"ten stop at once, none did yesterday", 10, 0, stopAll,
			"the change would stop 10 resources at once, in the day before it were 0; surge allows 3 times as many", "now: held back: the configuration changed",
		},
		{"nine are too few to ask", 9, 0, stopAll, "", ""},
		{"twelve, and four did yesterday: three times as many is allowed", 12, 4, stopAll, "", ""},
		{"thirteen, and four did yesterday", 13, 4, stopAll, "would stop 13 resources at once, in the day before it were 4", "now: held back"},
		{"surge is off", 100, 0, func(w *world) Candidate {
			c := stopAll(w)
			c.Limits.Surge = 0
			return c
		}, "", ""},
		{"a person's override is no change of the configuration", 10, 0, func(w *world) Candidate {
			c := w.changed(func(b *policy.Book) {
				b.Overrides = append(b.Overrides, &policy.Override{
					ID: "o", Target: policy.Target{Schedule: "always"}, State: calendar.Stopped, From: monday, Until: monday.Add(time.Hour), Author: "kim",
				})
			})
			c.Config = false
			return c
		}, "", ""},
		{"they stop tonight", 10, 0, func(w *world) Candidate {
			return w.changed(func(b *policy.Book) {
				b.Schedules["always"] = schedule(t, "always", nil, calendar.PeriodDef{BeginTime: "05:00", EndTime: "20:00"})
			})
		}, "the change would stop 10 resources within a day, in the day before it were 0", ""},
		{"a new rule that stops ten", 10, 100, func(w *world) Candidate {
			return w.changed(func(b *policy.Book) { b.Rules = []*policy.Rule{rule("name=*", fleet.Stop)} })
		}, `the new rule "nightly" (stop) matches 10 resources; surge_from asks about 10 and more`, ""},
		{"a new rule that starts ten", 10, 0, func(w *world) Candidate {
			return w.changed(func(b *policy.Book) { b.Rules = []*policy.Rule{rule("name=*", fleet.Start)} })
		}, "", ""},
		{"a rule whose filter matches far more", 40, 100, func(w *world) Candidate {
			w.book.Rules = []*policy.Rule{rule("name=name-always-00*", fleet.Start)}
			return w.changed(func(b *policy.Book) { b.Rules = []*policy.Rule{rule("name=name-always-*", fleet.Start)} })
		}, `rule "nightly" would match 40 resources, now it matches 10; surge allows 3 times as many`, ""},
		{"a rule whose filter matches some more", 30, 100, func(w *world) Candidate {
			w.book.Rules = []*policy.Rule{rule("name=name-always-00*", fleet.Start)}
			return w.changed(func(b *policy.Book) { b.Rules = []*policy.Rule{rule("name=name-always-*", fleet.Start)} })
		}, "", ""},
		{"max_stops at the first end", 10, 100, func(w *world) Candidate {
			c := w.changed(func(b *policy.Book) {
				b.Schedules["always"] = schedule(t, "always", nil, calendar.PeriodDef{BeginTime: "05:00", EndTime: "20:00"})
			})
			c.Limits.MaxStops = 5
			return c
		}, "", "at 2026-08-03T20:00:00Z: held back: the pass would stop 10 resources, max_stops allows 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(schedule(t, "always", nil, calendar.PeriodDef{Weekdays: weekdays(t, "*")}))
			w.many(test.running, "always", fleet.Running, decide.WasRunning)
			s := w.service()
			rows := make([]store.Activity, test.yesterday+1)
			for i := range rows {
				rows[i] = store.Activity{At: monday.Add(-time.Duration(i) * time.Minute).Add(-time.Hour), Actor: "dayshift", Event: store.EventStopAccepted}
			}
			rows[test.yesterday].At = monday.Add(-25 * time.Hour) // too long ago to count
			if err := s.Store.Append(t.Context(), store.Lease{}, rows); err != nil {
				t.Fatal(err)
			}
			e, err := s.Effect(t.Context(), test.make(w))
			if err != nil {
				t.Fatal(err)
			}
			if e.Confirm.Empty() != (test.confirm == "") || !strings.Contains(e.Confirm.String(), test.confirm) {
				t.Errorf("confirm: %q", e.Confirm)
			}
			limits := strings.Join(english(e.Limits), "\n")
			if (limits == "") != (test.limits == "") || !strings.Contains(limits, test.limits) || len(e.Limits) > 1 {
				t.Errorf("limits: %q", e.Limits)
			}
		})
	}
}

// However much is concerned, lists are short, counts are whole, and the answer
// comes in seconds.
func TestEffectOnManyIsShort(t *testing.T) {
	w := newWorld(schedule(t, "always", nil, calendar.PeriodDef{Weekdays: weekdays(t, "*")}), schedule(t, "other", nil, officeHours))
	const n = 3000
	for i := range n {
		w.add(fmt.Sprintf("i-%04d", i), "always", fleet.Running, decide.WasRunning)
		w.add(fmt.Sprintf("o-%04d", i), "other", fleet.Running, decide.WasRunning)
	}
	e := effect(t, w, w.changed(func(b *policy.Book) { b.Schedules["always"] = schedule(t, "always", nil, officeHours) }))
	if e.Resources != n || e.StopsNow.After != n || e.Starts.After != 7*n || e.Stops.After != 8*n || e.Uncounted != 0 {
		t.Errorf("%d resources, %+v now, %+v starts, %+v stops", e.Resources, e.StopsNow, e.Starts, e.Stops)
	}
	if len(e.Now) != effectLines || e.MoreNow != n-effectLines || len(e.Ahead) != effectLines || e.More != 14*n-effectLines {
		t.Errorf("%d and %d more now, %d and %d more ahead", len(e.Now), e.MoreNow, len(e.Ahead), e.More)
	}
	if e.Now[0].Name != "name-i-0000" || e.Ahead[0].Name != "name-i-0000" || !e.Ahead[0].At.Equal(monday.Add(time.Hour)) {
		t.Errorf("not in order: %+v, %+v", e.Now[0], e.Ahead[0])
	}
}

func TestEffectFails(t *testing.T) {
	w := newWorld(officeOf(t))
	w.many(20, "office", fleet.Running, decide.WasRunning)
	candidate := w.changed(func(b *policy.Book) {
		b.Schedules["office"] = schedule(t, "office", nil, calendar.PeriodDef{BeginTime: "10:00", EndTime: "11:00"})
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.service().Effect(ctx, candidate); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody listens any more: %v", err)
	}
	s := w.service()
	_ = s.Store.Close()
	candidate.Limits.SurgeFrom = 0 // asks the record about every stop
	if _, err := s.Effect(t.Context(), candidate); err == nil || !strings.Contains(err.Error(), "count what was stopped in the day before") {
		t.Errorf("without a store: %v", err)
	}
	w.err = errors.New("no cloud")
	if _, err := w.service().Effect(t.Context(), candidate); !errors.Is(err, w.err) {
		t.Error(err)
	}
}

// What the listing could not show is said.
func TestEffectNotes(t *testing.T) {
	w := newWorld(officeOf(t))
	w.add("i-1", "office", fleet.Running, decide.WasRunning)
	e := effect(t, w, w.changed(func(b *policy.Book) {
		rule := ruleOf(t, "all", "cron(0 3 * * ? *)", fleet.Stop, "instance-id=*")
		rule.Untagged = true
		b.Rules, b.TagKey = []*policy.Rule{rule}, "Plan"
	}))
	if len(e.Notes) != 2 || !strings.Contains(e.Notes[0].String(), `from "Schedule" to "Plan"`) || !strings.Contains(e.Notes[1].String(), `Rule "all" also acts on what carries no Plan tag`) {
		t.Errorf("%q", e.Notes)
	}
}

// A field that a schedule, a rule or an override may get must not be forgotten
// when two of them are compared: each one that is changed is seen.
func TestWhatDiffersIsSeen(t *testing.T) {
	at := monday.Add(time.Hour)
	for name, change := range map[string]func(s *policy.Schedule){
		"enforced": func(s *policy.Schedule) { s.Enforced = true }, "grace": func(s *policy.Schedule) { s.NewResourceGrace++ },
		"windows": func(s *policy.Schedule) { s.SSMWindows = []string{"w"} }, "fault": func(s *policy.Schedule) { s.Err = errors.New("x") },
		"mode": func(s *policy.Schedule) { s.Mode = policy.StartOnly }, "no calendar": func(s *policy.Schedule) { s.Calendar = nil },
	} {
		changed := officeOf(t)
		change(changed)
		if sameSchedule(officeOf(t), changed, monday) {
			t.Errorf("schedule: %s", name)
		}
	}
	if !sameSchedule(officeOf(t), officeOf(t), monday) || sameSchedule(officeOf(t), nil, monday) {
		t.Error("equal schedules")
	}
	for name, change := range map[string]func(r *policy.Rule){
		"verb": func(r *policy.Rule) { r.Verb = fleet.Start }, "filter": func(r *policy.Rule) { r.Filter = filterOf(t, "name=b") },
		"regions": func(r *policy.Rule) { r.Regions = []fleet.Region{"us-east-1"} }, "disabled": func(r *policy.Rule) { r.Enabled = false },
		"zone": func(r *policy.Rule) {
			r.Expression, _ = calendar.ParseExpression("cron(0 3 * * ? *)", time.FixedZone("x", 3600), monday)
		},
	} {
		one, other := ruleOf(t, "r", "cron(0 3 * * ? *)", fleet.Stop, "name=a"), ruleOf(t, "r", "cron(0 3 * * ? *)", fleet.Stop, "name=a")
		other.Changed = at // of a file that was written again
		if !sameRule(one, other, at) {
			t.Fatal("equal rules")
		}
		change(other)
		if sameRule(one, other, at) {
			t.Errorf("rule: %s", name)
		}
	}
	one := &policy.Override{ID: "o", State: calendar.Running, From: monday, Until: at}
	for _, other := range []policy.Override{{ID: "o", State: calendar.Stopped, From: monday, Until: at}, {ID: "o", State: calendar.Running, From: monday, Until: at.Add(1)}} {
		if sameOverride(one, &other) {
			t.Errorf("override: %+v", other)
		}
	}
}

func TestConflicts(t *testing.T) {
	for _, test := range []struct {
		name  string
		rules func() []*policy.Rule
		want  []string
	}{
		{"a stop in the middle of the day", func() []*policy.Rule {
			return []*policy.Rule{ruleOf(t, "lunch", "cron(0 12 * * ? *)", fleet.Stop, "name=name-i-*")}
		}, []string{`lunch with schedule office, opposite true, 3 [name-i-1 name-i-2 name-i-3]: at 2026-08-03T12:00:00Z rule "lunch" would stop what schedule "office" wants running then: the rule wins, as it comes later, until the schedule's next change at 2026-08-03T18:00:00Z`}},
		{"a start at the very end", func() []*policy.Rule {
			return []*policy.Rule{ruleOf(t, "late", "cron(0 18 ? * MON-FRI *)", fleet.Start, "name=name-i-*")}
		}, []string{`late with schedule office, opposite true, 3 [name-i-1 name-i-2 name-i-3]: at 2026-08-03T18:00:00Z rule "late" would start what schedule "office" wants stopped then: the stop of the same instant wins, the rule does nothing`}},
		{"a stop at night, as the schedule wants anyway", func() []*policy.Rule {
			return []*policy.Rule{ruleOf(t, "night", "cron(0 22 * * ? *)", fleet.Stop, "instance-id=i-1")}
		}, []string{`night with schedule office, opposite false, 1 [name-i-1]: at 2026-08-03T22:00:00Z schedule "office" wants it stopped as well: where it is so already, rule "night" does nothing`}},
		{"an enforced schedule", func() []*policy.Rule {
			rule := ruleOf(t, "lunch", "cron(0 12 * * ? *)", fleet.Stop, "tag:Schedule=strict")
			return []*policy.Rule{rule}
		}, []string{`lunch with schedule strict, opposite true, 1 [name-s-1]: at 2026-08-03T12:00:00Z rule "lunch" would stop what schedule "strict" wants running then: the schedule is enforced and wins, the rule does nothing`}},
		{"a reboot pulls nowhere", func() []*policy.Rule {
			return []*policy.Rule{ruleOf(t, "again", "cron(0 12 * * ? *)", fleet.Reboot, "name=*")}
		}, nil},
		{"a disabled rule and what is protected", func() []*policy.Rule {
			off := ruleOf(t, "off", "cron(0 12 * * ? *)", fleet.Stop, "name=*")
			off.Enabled = false
			return []*policy.Rule{off, ruleOf(t, "on", "cron(0 12 * * ? *)", fleet.Stop, "name=name-p-1")}
		}, nil},
		{"two rules of the same instant", func() []*policy.Rule {
			return []*policy.Rule{
				ruleOf(t, "a", "cron(0 3 * * ? *)", fleet.Start, "name=name-u-1"), ruleOf(t, "b", "cron(0 3 * * ? *)", fleet.Stop, "name=name-u-*"),
			}
		}, []string{`a with rule b, opposite true, 1 [name-u-1]: at 2026-08-04T03:00:00Z rule "a" (start) and rule "b" (stop) fire at the same instant: rule "b" wins, as a stop comes before a start; of one that is not done yet, the other is dropped`}},
		{"two rules that take turns", func() []*policy.Rule {
			return []*policy.Rule{
				ruleOf(t, "a", "cron(0 9 * * ? *)", fleet.Start, "name=name-u-1"), ruleOf(t, "b", "cron(0 18 * * ? *)", fleet.Stop, "name=name-u-*"),
			}
		}, []string{`a with rule b, opposite true, 1 [name-u-1]: rule "a" (start, next at 2026-08-03T09:00:00Z) and rule "b" (stop, next at 2026-08-03T18:00:00Z) take turns: the one that fired last counts`}},
		{"two stops of the same instant", func() []*policy.Rule {
			return []*policy.Rule{
				ruleOf(t, "a", "cron(0 3 * * ? *)", fleet.Stop, "name=name-u-1"), ruleOf(t, "b", "cron(0 3 * * ? *)", fleet.Stop, "name=name-u-*"),
			}
		}, []string{`a with rule b, opposite false, 1 [name-u-1]: at 2026-08-04T03:00:00Z rule "a" (stop) and rule "b" (stop) fire at the same instant: one of them is enough`}},
		{"two stops at different times", func() []*policy.Rule {
			return []*policy.Rule{
				ruleOf(t, "a", "cron(0 3 * * ? *)", fleet.Stop, "name=name-u-1"), ruleOf(t, "b", "cron(0 4 * * ? *)", fleet.Stop, "name=name-u-*"),
			}
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(officeOf(t), schedule(t, "strict", func(s *policy.Schedule) { s.Enforced = true }, officeHours))
			for _, id := range []string{"i-1", "i-2", "i-3"} {
				w.add(id, "office", fleet.Running, decide.WasRunning)
			}
			w.add("s-1", "strict", fleet.Running, decide.WasRunning)
			w.add("u-1", "unknown", fleet.Running, decide.WasRunning)
			w.add("p-1", "office", fleet.Running, decide.WasRunning).Tags[fleet.TagProtect] = "true"
			w.book.Rules = test.rules()
			var got []string
			for _, c := range Conflicts(w.book, w.resources, monday) {
				got = append(got, fmt.Sprintf("%s with %s, opposite %v, %d %v: %s", c.Rule, c.With, c.Opposite, c.Count, c.Examples, c.Text))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A change tells the conflicts that it is about, and those alone.
func TestEffectTellsItsConflicts(t *testing.T) {
	w := newWorld(officeOf(t), schedule(t, "other", nil, officeHours))
	w.add("i-1", "office", fleet.Running, decide.WasRunning)
	w.add("i-2", "other", fleet.Running, decide.WasRunning)
	w.book.Rules = []*policy.Rule{ruleOf(t, "old", "cron(0 12 * * ? *)", fleet.Stop, "instance-id=i-2")}
	e := effect(t, w, w.changed(func(b *policy.Book) {
		b.Rules = append(b.Rules, ruleOf(t, "new", "cron(0 12 * * ? *)", fleet.Stop, "instance-id=i-1"))
	}))
	if len(e.Conflicts) != 1 || e.Conflicts[0].Rule != "new" || e.Conflicts[0].With != "schedule office" {
		t.Errorf("%+v", e.Conflicts)
	}
}
