package service

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// lastWeek is the record of a machine: Monday 27 July, 00:00 in UTC is day 0.
func lastWeek(day, hour, minute int) time.Time {
	return time.Date(2026, 7, 27+day, hour, minute, 0, 0, time.UTC)
}

var machine = fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-1"}

// recorded is a week of the record: started and stopped by its schedule on
// Monday; woken by kim on Tuesday evening; a gap on Wednesday; renamed rules on Thursday.
func recorded(t *testing.T, s *Service) {
	t.Helper()
	row := func(at time.Time, event store.Event, reason, detail string) store.Activity {
		return store.Activity{At: at, Actor: "dayshift", Event: event, Ref: machine, Name: "name-i-1", Schedule: "office", Reason: reason, Detail: detail}
	}
	chain := func(a store.Activity, steps ...decide.Step) store.Activity {
		a.Chain = steps
		return a
	}
	made := store.Activity{At: lastWeek(1, 18, 10), Actor: "kim", Event: store.EventOverride, Ref: machine, Name: "o-1", Reason: OverrideMade, Detail: "kim wants name-i-1 running until 20:10"}
	ended := store.Activity{At: lastWeek(1, 20, 10), Actor: "dayshift", Event: store.EventOverrideEnded, Ref: machine, Name: "o-1", Reason: "running", Detail: "its time is over"}
	filtered := store.Activity{At: lastWeek(2, 8, 0), Actor: "lee", Event: store.EventOverride, Name: "o-2", Reason: OverrideMade, Detail: `lee wants filter "tag:Env=dev" stopped`}
	cleared := store.Activity{At: lastWeek(2, 12, 0), Actor: "lee", Event: store.EventOverride, Name: "o-2", Reason: OverrideCleared}
	other := store.Activity{At: lastWeek(2, 8, 0), Actor: "lee", Event: store.EventOverride, Name: "o-3", Schedule: "elsewhere", Reason: OverrideMade}
	rows := []store.Activity{
		chain(row(lastWeek(0, 9, 0), store.EventStartAccepted, "period-began", "start: Its schedule wants it running since the period began."),
			decide.Step{Rule: "governed-by", Fact: say.Raw("tag Schedule names the schedule \"office\"")}, decide.Step{Rule: "decision", Fact: say.Raw("start")}),
		row(lastWeek(0, 9, 1), store.EventStarted, "start-started", "seen running"),
		chain(row(lastWeek(0, 18, 0), store.EventStopAccepted, "period-ended", "stop: the period ended."), decide.Step{Rule: "row-4", Fact: say.Raw("memory is not stopped")}),
		row(lastWeek(0, 18, 2), store.EventStopped, "stop-stopped", "seen stopped"),
		made,
		chain(row(lastWeek(1, 18, 11), store.EventStartAccepted, "override-start", "start: A person wants it running."),
			decide.Step{Rule: "override", Fact: say.Raw("running until 2026-07-28T20:10:00Z by kim (release), for " + machine.String())}),
		row(lastWeek(1, 18, 12), store.EventStarted, "start-started", "seen running"),
		ended,
		row(lastWeek(1, 20, 10), store.EventStopAccepted, "override-ended", "stop: over"),
		row(lastWeek(1, 20, 11), store.EventStopped, "stop-stopped", "seen stopped"),
		filtered, other, cleared,
		{At: lastWeek(3, 10, 0), Actor: "kim", Event: store.EventObject, Name: "office", Schedule: "office", Reason: "changed", Detail: "kim changed schedule office"},
		row(lastWeek(4, 18, 0), store.EventStopAccepted, "manual-uptime-over", "stop: it ran for too long"),
		row(lastWeek(4, 18, 1), store.EventFailed, "stop-failed", "it went on running"),
	}
	if err := s.Store.Append(t.Context(), store.Lease{}, rows); err != nil {
		t.Fatal(err)
	}
}

func TestExplainOfThePastIsTheRecord(t *testing.T) {
	for _, test := range []struct {
		name      string
		at        time.Time
		state     string
		reason    string
		by        string
		overrides []string
		after     store.Event
		changes   int
		today     string
		says      string
	}{
		{
			"before the record begins", lastWeek(-3, 12, 0), "unknown", "", "", nil, store.EventStartAccepted, 1, "running",
			"The record begins at 2026-07-27T09:00:00Z, after that instant: nothing is known of it. The first row about it is of 2026-07-27T09:00:00Z: start-accepted.",
		},
		{
			"Monday noon", lastWeek(0, 12, 0), "running", "period-began", "dayshift", nil, store.EventStopAccepted, 1, "running",
			"It was running, as far as the record shows: started at 2026-07-27T09:01:00Z (seen running). Nothing was done to it between 2026-07-27T09:01:00Z (started) and 2026-07-27T18:00:00Z (stop-accepted).",
		},
		{"on its way down", lastWeek(0, 18, 1), "stopping", "period-ended", "dayshift", nil, store.EventStopped, 1, "stopped", "It was stopping"},
		{"at the very instant of the stop", lastWeek(0, 18, 0), "stopping", "period-ended", "dayshift", nil, store.EventStopped, 1, "stopped", "stop-accepted at 2026-07-27T18:00:00Z"},
		{"Monday night", lastWeek(0, 23, 0), "stopped", "period-ended", "dayshift", nil, store.EventOverride, 1, "stopped", "It was stopped"},
		{"woken on Tuesday evening", lastWeek(1, 19, 0), "running", "override-start", "kim", []string{"o-1 kim false"}, store.EventOverrideEnded, 1, "stopped", "It was running"},
		{
			"Tuesday night", lastWeek(1, 22, 0), "stopped", "override-ended", "dayshift", nil, store.EventStopAccepted, 1, "stopped",
			"In between somebody else changed its state: what is done outside of Dayshift is not recorded.",
		},
		{"while a filter was overridden", lastWeek(2, 9, 0), "stopped", "override-ended", "dayshift", []string{"o-2 lee true"}, store.EventStopAccepted, 1, "running", "It was stopped"},
		{"after the change on Thursday", lastWeek(3, 12, 0), "stopped", "override-ended", "dayshift", nil, store.EventStopAccepted, 0, "running", "It was stopped"},
		{
			"a stop that failed", lastWeek(5, 12, 0), "running", "manual-uptime-over", "dayshift", nil, "", 0, "running",
			"It was running, as far as the record shows: failed at 2026-07-31T18:01:00Z (it went on running). Nothing was done to it after 2026-07-31T18:01:00Z (failed).",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(schedule(t, "office", nil, officeHours))
			w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
			s := w.service()
			recorded(t, s)
			found, err := s.Explain(t.Context(), "name-i-1", test.at)
			if err != nil || len(found) != 1 || found[0].Past == nil {
				t.Fatalf("%+v, %v", found, err)
			}
			e := found[0]
			p := e.Past
			if e.State != test.state || p.State != test.state || e.Reason != test.reason || p.By != test.by || p.Today == nil || p.Today.Wanted != test.today || len(p.Changes) != test.changes {
				t.Errorf("%s (%s), %q by %q, today %+v, %d changes", e.State, p.State, e.Reason, p.By, p.Today, len(p.Changes))
			}
			if !strings.Contains(p.Text.String(), test.says) || e.Why != p.Text {
				t.Errorf("%q", p.Text)
			}
			var overrides []string
			for _, o := range p.Overrides {
				overrides = append(overrides, o.ID+" "+o.Author+" "+map[bool]string{true: "true", false: "false"}[o.Filter])
			}
			if diff := cmp.Diff(test.overrides, overrides); diff != "" {
				t.Error(diff)
			}
			after := store.Event("")
			if p.After != nil {
				after = p.After.Event
			}
			if after != test.after {
				t.Errorf("after: %+v", p.After)
			}
			for _, row := range e.Recent {
				if row.At.After(test.at) {
					t.Errorf("a row of later: %+v", row)
				}
			}
			for _, step := range p.Today.Chain {
				if step.Rule == "memory" || step.Rule == "decision" {
					t.Errorf("the present in today's chain: %+v", step)
				}
			}
		})
	}
}

// The chain of a past instant is the one that was stored, not one of today.
func TestExplainOfThePastHasTheStoredChain(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, calendar.PeriodDef{BeginTime: "22:00", EndTime: "23:00"})) // another one than then
	w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
	s := w.service()
	recorded(t, s)
	found, err := s.Explain(t.Context(), "i-1", lastWeek(0, 12, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []decide.Step{{Rule: "governed-by", Fact: say.Raw(`tag Schedule names the schedule "office"`)}, {Rule: "decision", Fact: say.Raw("start")}}
	if diff := cmp.Diff(want, found[0].Chain); diff != "" {
		t.Error(diff)
	}
	if today := found[0].Past.Today; today.Wanted != "stopped" || len(today.Chain) < 2 {
		t.Errorf("%+v", today)
	}
}

func TestExplainOfThePastWithNothingRecorded(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
	s := w.service()
	past := func() string {
		t.Helper()
		found, err := s.Explain(t.Context(), "i-1", lastWeek(0, 12, 0))
		if err != nil || found[0].Past.State != "unknown" || found[0].Chain == nil || found[0].Past.Overrides == nil {
			t.Fatalf("%+v, %v", found, err)
		}
		return found[0].Why.String()
	}
	if text := past(); text != "The record is empty: nothing is known of that time." {
		t.Error(text)
	}
	if err := s.Store.Append(t.Context(), store.Lease{}, []store.Activity{{At: lastWeek(0, 8, 0), Actor: "dayshift", Event: store.EventDaemon}}); err != nil {
		t.Fatal(err)
	}
	if text := past(); text != "Nothing was done to it since the record begins, at 2026-07-27T08:00:00Z." {
		t.Error(text)
	}
	if err := s.Store.Append(t.Context(), store.Lease{}, []store.Activity{{At: lastWeek(0, 18, 0), Actor: "dayshift", Event: store.EventStopAccepted, Ref: machine}}); err != nil {
		t.Fatal(err)
	}
	if text := past(); text != "Nothing was done to it between 2026-07-27T08:00:00Z, where the record begins, and 2026-07-27T18:00:00Z (stop-accepted)." {
		t.Error(text)
	}
}

// What is there no more is explained by what the record holds of it.
func TestExplainOfWhatIsGone(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	w.add("i-9", "office", fleet.Stopped, decide.WasStopped)
	s := w.service()
	recorded(t, s)
	for _, target := range []string{"i-1", "name-i-1", machine.String()} {
		found, err := s.Explain(t.Context(), target, lastWeek(0, 12, 0))
		if err != nil || len(found) != 1 || found[0].Ref != machine.String() || found[0].State != "running" || found[0].Past.Today != nil ||
			!strings.HasPrefix(found[0].Why.String(), "It was not found in the fleet now; this is from the record. It was running") {
			t.Errorf("%s: %+v, %v", target, found, err)
		}
	}
	w.gaps = []discover.Gap{{Scope: seoul, Kinds: fleet.Kinds, Err: errors.New("no answer")}}
	found, err := s.Explain(t.Context(), "i-1", time.Time{})
	if err != nil || len(found) != 1 || found[0].Past.State != "unknown" || !strings.HasPrefix(found[0].Why.String(), "It was not found in the part of the fleet that could be listed") {
		t.Errorf("now: %+v, %v", found, err)
	}
	// A schedule, a rule and an override are no resource.
	for _, target := range []string{"office", "o-1", "o-2"} {
		if _, err := s.Explain(t.Context(), target, time.Time{}); err == nil || !strings.Contains(err.Error(), "no scheduled resource answers") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// The chain of now names the rules that act on a resource and the limit that holds it back.
func TestExplainNamesRulesAndLimits(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	w.add("i-1", "office", fleet.Running, decide.WasRunning)
	w.book.Rules = []*policy.Rule{
		ruleOf(t, "nightly", "cron(0 22 * * ? *)", fleet.Stop, "name=name-i-*"), ruleOf(t, "once", "at(2020-01-01T00:00:00)", fleet.Start, "name=name-i-*"),
		ruleOf(t, "other", "cron(0 22 * * ? *)", fleet.Stop, "name=other"),
	}
	w.limits = plan.Limits{MaxStops: 1}
	w.add("i-2", "office", fleet.Running, decide.WasRunning)
	found, err := w.service().Explain(t.Context(), "i-1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	chain := found[0].Chain
	last := chain[len(chain)-3:]
	if last[0].Rule != "rules" || last[1].Rule != "decision" || last[2].Rule != "limit" || found[0].Past != nil {
		t.Errorf("%+v", last)
	}
	if want := `rule "nightly" (stop) fires next at 2026-08-03T22:00:00Z; rule "once" (start) never fires again`; last[0].Fact.String() != want {
		t.Errorf("%q", last[0].Fact)
	}
	if !strings.Contains(last[2].Fact.String(), "max_stops allows 1") {
		t.Errorf("%q", last[2].Fact)
	}
}

// Where a person decided, a resource says so, and what comes next is after that.
func TestResourceWithAnOverride(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours), schedule(t, "watched", func(s *policy.Schedule) { s.Observe = true }, officeHours))
	r := w.add("i-1", "office", fleet.Running, decide.WasRunning)
	until := monday.Add(12*time.Hour + 10*time.Minute)
	w.override("o-1", policy.Target{Resource: r.Ref}, calendar.Running, monday.Add(-time.Hour), until)
	w.add("i-2", "office", fleet.Stopped, decide.WasStopped)
	w.add("i-3", "watched", fleet.Running, decide.WasRunning)
	answer, err := w.service().Fleet(t.Context(), time.Time{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := answer.Resources[0]
	if diff := cmp.Diff(&InForce{ID: "o-1", State: "running", Until: until, Author: "kim", Reason: "release"}, one.Override); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&Change{At: until, To: "stopped"}, one.Next); diff != "" || one.Wanted != "running" {
		t.Errorf("%s %s", one.Wanted, diff)
	}
	var differing []string
	for _, r := range answer.Differing().Resources {
		differing = append(differing, r.ID+" "+r.Action)
	}
	if diff := cmp.Diff([]string{"i-3 stop"}, differing); diff != "" || !answer.Resources[2].Observed || len(answer.Resources) != 3 {
		t.Errorf("%s %+v", diff, answer.Resources[2])
	}
}
