package service

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

func filterOf(t interface{ Fatal(...any) }, text string) fleet.Filter {
	filter, err := fleet.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

func ruleOf(t interface{ Fatal(...any) }, name, expression string, verb fleet.Verb, filter string) *policy.Rule {
	compiled, err := calendar.ParseExpression(expression, time.UTC, monday)
	if err != nil {
		t.Fatal(err)
	}
	return &policy.Rule{Name: name, Enabled: true, Expression: compiled, Verb: verb, Filter: filterOf(t, filter), CatchUp: policy.DefaultCatchUp}
}

func (w *world) override(id string, target policy.Target, state calendar.State, from, until time.Time) *policy.Override {
	o := &policy.Override{ID: id, Target: target, State: state, From: from, Until: until, Author: "kim", Reason: "release"}
	w.book.Overrides = append(w.book.Overrides, o)
	policy.SortOverrides(w.book.Overrides)
	return o
}

// week gives the events of the week from Monday 08:00 on, "Mon 09:00:00 i-1 start period-began".
func week(t *testing.T, w *world) []string {
	t.Helper()
	answer, err := w.service().Preview(t.Context(), w.now, w.now.AddDate(0, 0, 7))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range answer.Events {
		line := fmt.Sprintf("%s %s %s %s", e.At.Format("Mon 15:04:05"), e.Ref[strings.LastIndex(e.Ref, "/")+1:], e.Action, e.Reason)
		if e.Type != "" {
			line += " " + e.Type
		}
		if e.Rule != "" {
			line += " by " + e.Rule
		}
		if e.Observed {
			line += " observed"
		}
		lines = append(lines, line)
	}
	return lines
}

var officeWeek = calendar.PeriodDef{BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{}}

func TestPreviewLivesThroughTheWeek(t *testing.T) {
	office := officeWeek
	office.Weekdays = weekdays(t, "mon-fri")
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, 8, 3+day, hour, minute, 0, 0, time.UTC)
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T) *world
		want []string
	}{
		{"an override keeps it up on Monday evening, and ends", func(t *testing.T) *world {
			w := newWorld(schedule(t, "office", nil, office))
			r := w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
			w.override("o-1", policy.Target{Resource: r.Ref}, calendar.Running, monday, at(0, 20, 10))
			return w
		}, []string{
			"Mon 08:00:00 i-1 start override-start", "Mon 20:10:00 i-1 stop override-ended",
			"Tue 09:00:00 i-1 start period-began", "Tue 18:00:00 i-1 stop period-ended",
			"Wed 09:00:00 i-1 start period-began", "Wed 18:00:00 i-1 stop period-ended",
			"Thu 09:00:00 i-1 start period-began", "Thu 18:00:00 i-1 stop period-ended",
			"Fri 09:00:00 i-1 start period-began", "Fri 18:00:00 i-1 stop period-ended",
		}},
		{"stopped for two days for the whole schedule", func(t *testing.T) *world {
			w := newWorld(schedule(t, "office", nil, office))
			w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
			w.override("o-1", policy.Target{Schedule: "office"}, calendar.Stopped, monday, at(2, 12, 0))
			return w
		}, []string{
			"Wed 12:00:00 i-1 start override-ended", "Wed 18:00:00 i-1 stop period-ended",
			"Thu 09:00:00 i-1 start period-began", "Thu 18:00:00 i-1 stop period-ended",
			"Fri 09:00:00 i-1 start period-began", "Fri 18:00:00 i-1 stop period-ended",
		}},
		{"a rule stops it at lunch, the schedule leaves it so until Tuesday", func(t *testing.T) *world {
			w := newWorld(schedule(t, "office", nil, office))
			w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
			w.book.Rules = []*policy.Rule{ruleOf(t, "lunch", "cron(30 12 ? * MON *)", fleet.Stop, "instance-id=i-1")}
			return w
		}, []string{
			"Mon 09:00:00 i-1 start period-began", "Mon 12:30:00 i-1 stop rule-stop by lunch",
			"Tue 09:00:00 i-1 start period-began", "Tue 18:00:00 i-1 stop period-ended",
			"Wed 09:00:00 i-1 start period-began", "Wed 18:00:00 i-1 stop period-ended",
			"Thu 09:00:00 i-1 start period-began", "Thu 18:00:00 i-1 stop period-ended",
			"Fri 09:00:00 i-1 start period-began", "Fri 18:00:00 i-1 stop period-ended",
		}},
		{"rules alone: start, reboot, resize and stop what carries no schedule tag", func(t *testing.T) *world {
			w := newWorld()
			delete(w.add("i-1", "", fleet.Stopped, decide.Unknown).Tags, "Schedule")
			for _, rule := range []*policy.Rule{
				ruleOf(t, "a", "cron(0 9 ? * SAT *)", fleet.Start, "instance-id=i-1"),
				ruleOf(t, "b", "cron(0 10 ? * SAT *)", fleet.Reboot, "instance-id=i-1"),
				ruleOf(t, "c", "cron(0 11 ? * SAT *)", fleet.Resize, "instance-id=i-1"),
				ruleOf(t, "d", "cron(0 12 ? * SAT *)", fleet.Stop, "instance-id=i-1"),
				ruleOf(t, "e", "cron(0 13 ? * SAT *)", fleet.Resize, "instance-id=i-1"),
			} {
				rule.Untagged = true
				if rule.Verb == fleet.Resize {
					rule.Type = map[string]string{"c": "m5.xlarge", "e": "m5.2xlarge"}[rule.Name]
				}
				w.book.Rules = append(w.book.Rules, rule)
			}
			return w
		}, []string{
			"Sat 09:00:00 i-1 start rule-start by a", "Sat 10:00:00 i-1 reboot rule-reboot by b",
			"Sat 11:00:00 i-1 stop rule-resize m5.xlarge by c", "Sat 11:00:15 i-1 start rule-resize m5.xlarge by c",
			"Sat 12:00:00 i-1 stop rule-stop by d", "Sat 13:00:00 i-1 resize rule-resize m5.2xlarge by e",
		}},
		{"a rule that was made on Wednesday", func(t *testing.T) *world {
			w := newWorld()
			w.add("i-1", "none", fleet.Running, decide.Unknown)
			rule := ruleOf(t, "nightly", "cron(0 22 * * ? *)", fleet.Stop, "instance-id=i-1")
			rule.Since = at(2, 22, 0)
			w.book.Rules = []*policy.Rule{rule}
			return w
		}, []string{"Thu 22:00:00 i-1 stop rule-stop by nightly"}},
		{"a database and its preferred window", func(t *testing.T) *world {
			w := newWorld(schedule(t, "office", func(s *policy.Schedule) { s.UseMaintenanceWindow = true }, office))
			db := w.add("db", "office", fleet.Stopped, decide.WasStopped)
			old := db.Ref
			db.Kind, db.MaintenanceWindow = fleet.RDSInstance, "sun:03:00-sun:04:00"
			memory := w.memories[old]
			memory.Ref = db.Ref
			w.memories[db.Ref] = memory
			return w
		}, []string{
			"Mon 09:00:00 db start period-began", "Mon 18:00:00 db stop period-ended",
			"Tue 09:00:00 db start period-began", "Tue 18:00:00 db stop period-ended",
			"Wed 09:00:00 db start period-began", "Wed 18:00:00 db stop period-ended",
			"Thu 09:00:00 db start period-began", "Thu 18:00:00 db stop period-ended",
			"Fri 09:00:00 db start period-began", "Fri 18:00:00 db stop period-ended",
			"Sun 02:50:00 db start window-start", "Sun 04:00:00 db stop window-ended",
		}},
		{"an SSM window that the pass heard of", func(t *testing.T) *world {
			w := newWorld(schedule(t, "weekend", func(s *policy.Schedule) {
				s.UseMaintenanceWindow, s.SSMWindows = true, []string{"patches"}
			}, calendar.PeriodDef{BeginTime: "10:00", EndTime: "12:00", Weekdays: weekdays(t, "sun")}))
			w.book.WindowLead = 15 * time.Minute
			w.windows = map[fleet.Scope][]policy.Window{seoul: {{Name: "patches", From: at(1, 2, 0), Until: at(1, 4, 0)}}}
			w.add("i-1", "weekend", fleet.Stopped, decide.WasStopped)
			return w
		}, []string{
			"Tue 01:45:00 i-1 start window-start", "Tue 04:00:00 i-1 stop window-ended",
			"Sun 10:00:00 i-1 start period-began", "Sun 12:00:00 i-1 stop period-ended",
		}},
		{"what is only observed stays as it is, and is told once a day", func(t *testing.T) *world {
			w := newWorld(schedule(t, "office", func(s *policy.Schedule) { s.Observe = true }, office))
			w.add("i-1", "office", fleet.Running, decide.WasRunning)
			return w
		}, []string{
			"Mon 08:00:00 i-1 stop period-ended observed", "Mon 18:00:00 i-1 stop period-ended observed",
			"Tue 18:00:00 i-1 stop period-ended observed", "Wed 18:00:00 i-1 stop period-ended observed",
			"Thu 18:00:00 i-1 stop period-ended observed", "Fri 18:00:00 i-1 stop period-ended observed",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, week(t, test.make(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is only observed costs as it runs, and a walk through it is short.
func TestPreviewOfTheObservedIsShort(t *testing.T) {
	w := newWorld(schedule(t, "office", func(s *policy.Schedule) { s.Observe = true }, officeHours))
	w.add("i-1", "office", fleet.Running, decide.WasRunning)
	answer, err := w.service().Preview(t.Context(), monday, monday.Add(maxPreview))
	if err != nil || len(answer.Events) != 401 || answer.Cost.RunningHours != maxPreview.Hours() {
		t.Errorf("%d events, %v hours, %v", len(answer.Events), answer.Cost.RunningHours, err)
	}
}

// A rule that fires at the begin of a time that is over belongs to it.
func TestPreviewOfThePastWithARule(t *testing.T) {
	w := newWorld()
	w.add("i-1", "none", fleet.Running, decide.Unknown)
	w.book.Rules = []*policy.Rule{ruleOf(t, "nightly", "cron(0 22 * * ? *)", fleet.Stop, "instance-id=i-1")}
	from := time.Date(2026, 7, 31, 22, 0, 0, 0, time.UTC)
	answer, err := w.service().Preview(t.Context(), from, from.Add(time.Hour))
	if err != nil || len(answer.Events) != 1 || !answer.Events[0].At.Equal(from) {
		t.Errorf("%+v, %v", answer.Events, err)
	}
}

// What a rule began before the preview is lived to its end: the memory has it.
func TestPreviewOfAResizeThatIsHalfway(t *testing.T) {
	w := newWorld()
	r := w.add("i-1", "none", fleet.Stopped, decide.Unknown)
	m := w.memories[r.Ref]
	m.Fire = decide.Fire{Rule: "grow", At: monday.Add(-time.Minute), Verb: fleet.Resize, Type: "m5.xlarge", Until: monday.Add(time.Minute), Halfway: true}
	w.memories[r.Ref] = m
	if diff := cmp.Diff([]string{"Mon 08:00:00 i-1 start rule-resize m5.xlarge by grow"}, week(t, w)); diff != "" {
		t.Error(diff)
	}
}

// A preview with overrides, rules and windows tells what the passes of a daemon
// do, to the second: its other looks find nothing else.
func TestPreviewIsWhatPassesDoWithPeopleAndRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minute := func(name string) time.Time {
			return monday.Add(time.Duration(rapid.IntRange(0, 29*60).Draw(t, name)) * time.Minute)
		}
		period := calendar.PeriodDef{BeginTime: minute("begin").Format("15:04"), EndTime: "18:01"}
		if period.BeginTime == period.EndTime {
			period.EndTime = ""
		}
		s := schedule(t, "s", func(s *policy.Schedule) {
			s.RetainRunning, s.Enforced = rapid.Bool().Draw(t, "retain"), rapid.Bool().Draw(t, "enforced")
			s.UseMaintenanceWindow = rapid.Bool().Draw(t, "windows")
			s.Mode = rapid.SampledFrom([]policy.Mode{policy.Both, policy.StartOnly, policy.StopOnly}).Draw(t, "mode")
			s.MaxManualUptime = time.Duration(rapid.IntRange(0, 3).Draw(t, "uptime")) * time.Hour
			s.Observe = rapid.IntRange(0, 5).Draw(t, "observe") == 0
		}, period)
		w := newWorld(s)
		r := w.add("i-1", rapid.SampledFrom([]string{"s", "s", "s", "unknown"}).Draw(t, "schedule"),
			rapid.SampledFrom([]fleet.State{fleet.Running, fleet.Stopped}).Draw(t, "state"),
			rapid.SampledFrom([]decide.Remembered{decide.WasRunning, decide.WasStopped, decide.RetainRunning}).Draw(t, "last"))
		if rapid.Bool().Draw(t, "weekly window") {
			open := minute("opens")
			r.MaintenanceWindow = strings.ToLower(open.Format("Mon:15:04") + "-" + open.Add(45*time.Minute).Format("Mon:15:04"))
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "overrides") {
			state := rapid.SampledFrom([]calendar.State{calendar.Running, calendar.Stopped}).Draw(t, "override")
			o := w.override(fmt.Sprint("o-", i), policy.Target{Schedule: "s"}, state, monday.Add(-time.Duration(i)*time.Minute), minute("until").Add(time.Minute))
			o.Boundary, o.Once = rapid.Bool().Draw(t, "boundary"), rapid.IntRange(0, 3).Draw(t, "once") == 0
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "rules") {
			at := minute("fires")
			rule := ruleOf(t, fmt.Sprint("r-", i), fmt.Sprintf("cron(%d %d * * ? *)", at.Minute(), at.Hour()),
				rapid.SampledFrom([]fleet.Verb{fleet.Start, fleet.Stop, fleet.Reboot, fleet.Resize}).Draw(t, "verb"), "instance-id=i-1")
			if rule.Verb == fleet.Resize {
				rule.Type = "m5.xlarge"
			}
			w.book.Rules = append(w.book.Rules, rule)
		}
		to := monday.Add(30 * time.Hour)

		want := passesDo(w, *r, to)
		answer, err := w.service().Preview(context.Background(), monday, to)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range answer.Events {
			got = append(got, fmt.Sprintf("%s %s %s", e.At.Format("2 15:04:05"), e.Action, e.Reason))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// passesDo makes the passes of a daemon: whenever a decision or a rule asks for one, and at intervals.
func passesDo(w *world, r fleet.Resource, to time.Time) []string {
	const resync = 7 * time.Minute
	var done []string
	m := w.memories[r.Ref]
	progress := map[string]decide.RuleProgress{}
	for at := monday; at.Before(to); {
		r.SeenAt = at
		var fires []decide.Fire
		for _, rule := range w.book.Rules {
			due := progress[rule.Name].Due(rule, at)
			progress[rule.Name] = due.Progress
			if n := len(due.Fires); n > 0 {
				fires = append(fires, decide.Fire{Rule: rule.Name, At: due.Fires[n-1], Verb: rule.Verb, Type: rule.Type, Until: at.Add(decide.FireLasts)})
			}
		}
		m, _ = decide.Settle(m, r, at, 1)
		d := decide.Decide(decide.Input{Now: at, Policy: w.book.Governs(r), Memory: m, Resource: r, Fires: fires})
		told := false
		switch {
		case d.Verb == "":
			m = d.Memory
		case d.Observe:
			m, told = d.Untouched(), d.Observed
		default:
			d.Intend("run", 1)
			switch d.Verb {
			case fleet.Start:
				r.State = fleet.Running
			case fleet.Stop:
				r.State = fleet.Stopped
			}
			changed := ""
			if d.Type != "" && (d.Verb == fleet.Start || d.Verb == fleet.Resize) {
				r.Type, changed = d.Type, d.Type
			}
			m, told = d.Accepted(at, changed), true
		}
		if told {
			done = append(done, fmt.Sprintf("%s %s %s", at.Format("2 15:04:05"), d.Verb, d.Reason))
		}
		next := at.Truncate(resync).Add(resync)
		if !d.Recheck.IsZero() && d.Recheck.Before(next) {
			next = d.Recheck
		}
		for _, rule := range w.book.Rules {
			if fires, ok := rule.Expression.Next(at); ok && fires.Before(next) {
				next = fires
			}
		}
		at = next
	}
	return done
}

// slow takes a minute and a second for each resource but the first.
type slow struct{}

func (slow) Estimate(_ fleet.Scope, _ fleet.Kind, _ fleet.Verb, n int) time.Duration {
	return time.Duration(n-1) * (time.Minute + time.Second)
}

func TestPreviewSaysWhatTheRequestLimitsSpread(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours), schedule(t, "alone", nil, calendar.PeriodDef{BeginTime: "10:00", EndTime: "11:00"}),
		schedule(t, "watched", func(s *policy.Schedule) { s.Observe = true }, officeHours))
	for _, id := range []string{"i-1", "i-2", "i-3"} {
		w.add(id, "office", fleet.Stopped, decide.WasStopped)
	}
	w.add("i-4", "alone", fleet.Stopped, decide.WasStopped)
	w.add("i-5", "watched", fleet.Stopped, decide.WasStopped)
	s := w.service()
	if answer, err := s.Preview(t.Context(), w.now, w.now.Add(24*time.Hour)); err != nil || len(answer.Estimates) != 0 {
		t.Fatalf("nobody predicts: %+v, %v", answer.Estimates, err)
	}
	s.Estimator = slow{}
	answer, err := s.Preview(t.Context(), w.now, w.now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	of := func(hour int, action string) PreviewEstimate {
		return PreviewEstimate{
			At: monday.Add(time.Duration(hour-8) * time.Hour), Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2_instance", Action: action,
			Count: 3, Seconds: 122, Text: say.Raw("111122223333/ap-northeast-2: 3 " + action + "s of ec2_instance: about 3 minutes"),
		}
	}
	if diff := cmp.Diff([]PreviewEstimate{of(9, "start"), of(18, "stop")}, answer.Estimates, cmp.Comparer(say.Text.Equal)); diff != "" {
		t.Error(diff)
	}
}
