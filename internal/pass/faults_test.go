package pass_test

import (
	"fmt"
	"maps"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

var instantInText = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// instantsOf counts the instants that rows of fires or missed ones name, by rule, scope and instant.
func (w *world) instantsOf(event store.Event) map[string]int {
	counts := map[string]int{}
	for _, row := range w.rows(event) {
		for _, instant := range instantInText.FindAllString(row.Detail, -1) {
			counts[row.Name+" "+row.Ref.Scope.String()+" "+instant]++
		}
	}
	return counts
}

// onceEach checks that no instant fired twice, or fired and was missed.
func (w *world) onceEach() {
	w.t.Helper()
	counts := w.instantsOf(store.EventFired)
	for instant, n := range w.instantsOf(store.EventMissed) {
		counts[instant] += n
	}
	for instant, n := range counts {
		if n != 1 {
			w.t.Errorf("%s: told %d times", instant, n)
		}
	}
}

// The process's clock jumps while it runs: what follows is one evaluation, not a
// burst, and nothing waits for the clock to come back.
func TestFault15ClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"an hour ahead": time.Hour, "a year ahead": 365 * 24 * time.Hour, "an hour back": -time.Hour, "a day back": -24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T11:00:00+08:00")
				book := manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x"), ruleOf(t, "one", "cron(0 13 * * ? *)", fleet.Start, "tag:Team=x"))
				book.Schedules["cn-office-hours"] = office(t, nil).Schedules["cn-office-hours"]
				w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-north-1", shop, "ec2", "batch", "running", team()))
				w.scopes = beijing
				w.live(clockTime(5, 12, 30))
				w.expect("before", map[string]string{"web": "running", "batch": "stopped"})
				w.sim.ResetCalls()

				w.shift += jump
				reports := w.live(w.now().Add(20 * time.Minute))
				if len(reports) > 40 {
					t.Errorf("%d passes in twenty minutes", len(reports))
				}
				for action, counts := range map[string]map[string]int{"stop": w.acted("StopInstances"), "start": w.acted("StartInstances")} {
					for name, n := range counts {
						if n > 1 {
							t.Errorf("%s of %s: %d calls", action, name, n)
						}
					}
				}
				want := "running"
				if wanted := book.Schedules["cn-office-hours"].Calendar.Wanted(w.now()); wanted.State == calendar.Stopped {
					want = "stopped"
				}
				w.expect("after the jump", map[string]string{"web": want})

				w.live(w.now().Add(26 * time.Hour)) // past both instants, also where they come for a second time
				w.shift -= jump
				w.live(w.now().Add(26 * time.Hour))
				// What a clock far ahead took for missed fires when the clock is right again.
				for instant, n := range w.instantsOf(store.EventFired) {
					if n != 1 {
						t.Errorf("%s: fired %d times", instant, n)
					}
				}
				w.verify()
			})
		})
	}
}

// A machine that sleeps for eight hours is where it should be within one pass.
func TestFault16SuspendEightHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:30:00+08:00")
		book := manual(t,
			ruleOf(t, "evening", "cron(0 20 * * ? *)", fleet.Stop, "tag:Name=batch"),
			ruleOf(t, "night", "cron(25 1 * * ? *)", fleet.Start, "tag:Name=nightly"))
		book.Schedules["cn-office-hours"] = office(t, nil).Schedules["cn-office-hours"]
		w := newWorld(t, book,
			at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-north-1", shop, "rds", "db", "available", nil),
			at("cn-north-1", shop, "ec2", "batch", "running", team()), at("cn-north-1", shop, "ec2", "nightly", "stopped", team()))
		w.scopes = beijing
		w.override("o-1", policy.Target{Filter: filterOf(t, "tag:Name=web")}, calendar.Running, 3*time.Hour)
		w.live(clockTime(5, 17, 32))
		begin(t, "2027-03-06T01:32:00+08:00") // nothing ran meanwhile; the process goes on as it was
		w.run()
		stops, starts := w.acted("StopInstances"), w.acted("StartInstances")
		if want := map[string]int{"web": 1}; !maps.Equal(stops, want) {
			t.Errorf("stops %v", stops)
		}
		if want := map[string]int{"nightly": 1}; !maps.Equal(starts, want) {
			t.Errorf("starts %v", starts)
		}
		if n := w.acted("StopDBInstance")["db"]; n != 1 {
			t.Errorf("%d stops of the database", n)
		}
		w.wantRows("too old", 1, store.EventMissed, `rule "evening"`, "2027-03-05T12:00:00Z")
		w.wantRows("in time", 1, store.EventFired, `rule "night"`, "2027-03-05T17:25:00Z")
		w.wantRows("the override", 1, store.EventOverrideEnded)
		w.live(clockTime(6, 2, 30))
		w.expect("an hour later", map[string]string{"web": "stopped", "db": "stopped", "batch": "running", "nightly": "running"})
		w.onceEach()
		w.verify()
	})
}

// A rule that is changed around its instant: the old one or the new one, never both.
func TestFault18RuleEditedAroundItsInstant(t *testing.T) {
	noon := clockTime(5, 12, 0)
	for _, test := range []struct {
		name   string
		edit   time.Duration // from noon
		passes []time.Duration
		want   string // stop (the old one), reboot (the new one)
	}{
		{"a second before", -time.Second, []time.Duration{-time.Second, 0, time.Second}, "reboot"},
		{"a second before, and a late pass", -time.Second, []time.Duration{5 * time.Second}, "reboot"},
		{"at it, after its pass", 0, []time.Duration{0, 0, time.Second}, "stop"},
		{"a second after", time.Second, []time.Duration{0, time.Second, 2 * time.Second, time.Minute}, "stop"},
		{"a second after, and its pass was late", time.Second, []time.Duration{2 * time.Second}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T11:00:00+08:00")
				w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")), at("cn-north-1", shop, "ec2", "web", "running", team()))
				w.scopes = beijing
				w.live(noon.Add(-10 * time.Second))
				edited := false
				edit := func() {
					edited = true
					w.book.Rules[0] = ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Reboot, "tag:Team=x", func(r *policy.Rule) { r.Since = noon.Add(test.edit) })
				}
				for i, at := range test.passes {
					if !edited && (at > test.edit || i > 0 && at == test.edit || at == test.edit && at < 0) {
						time.Sleep(noon.Add(test.edit).Sub(w.now()))
						edit()
					}
					time.Sleep(noon.Add(at).Sub(w.now()))
					w.run()
				}
				w.live(noon.Add(30 * time.Minute))
				stops, reboots := w.acted("StopInstances")["web"], w.acted("RebootInstances")["web"]
				want := map[string][2]int{"stop": {1, 0}, "reboot": {0, 1}, "": {0, 0}}[test.want]
				if stops != want[0] || reboots != want[1] {
					t.Errorf("%d stops, %d reboots, want %q", stops, reboots, test.want)
				}
				w.onceEach()
				// The next day it is the new one alone.
				if err := w.sim.StartInstance(w.id("web")); err != nil && test.want == "stop" {
					t.Fatal(err)
				}
				w.live(clockTime(6, 12, 30))
				if again := w.acted("RebootInstances")["web"]; again != reboots+1 || w.acted("StopInstances")["web"] != stops {
					t.Errorf("the next day %d reboots, %d stops", again-reboots, w.acted("StopInstances")["web"]-stops)
				}
				w.verify()
			})
		})
	}
}

// What meets at one instant: a stop wins, an override wins over all, one action is made, and each that loses is told.
func TestFault20TwoRulesAtOneInstant(t *testing.T) {
	for _, test := range []struct {
		name    string
		verbs   []fleet.Verb // of the rules a, b, …, all at 18:00 on Friday
		tags    map[string]string
		state   string
		forced  bool // to run, by an override
		want    string
		calls   map[string]int
		dropped []string // reason of each that is told
	}{
		{name: "start and stop of what runs", verbs: []fleet.Verb{fleet.Start, fleet.Stop}, state: "running", want: "stopped", calls: map[string]int{"StopInstances": 1}, dropped: []string{"rule-overtaken"}},
		{name: "stop and start of what is stopped", verbs: []fleet.Verb{fleet.Stop, fleet.Start}, state: "stopped", want: "stopped", dropped: []string{"rule-overtaken"}},
		{name: "two stops", verbs: []fleet.Verb{fleet.Stop, fleet.Stop}, state: "running", want: "stopped", calls: map[string]int{"StopInstances": 1}, dropped: []string{"rule-overtaken"}},
		{name: "stop and reboot", verbs: []fleet.Verb{fleet.Reboot, fleet.Stop}, state: "running", want: "stopped", calls: map[string]int{"StopInstances": 1}, dropped: []string{"rule-overtaken"}},
		{
			name: "resize and reboot", verbs: []fleet.Verb{fleet.Reboot, fleet.Resize}, state: "running", want: "running",
			calls: map[string]int{"StopInstances": 1, "ModifyInstanceAttribute": 1, "StartInstances": 1}, dropped: []string{"rule-overtaken"},
		},
		{name: "start, as the schedule stops", verbs: []fleet.Verb{fleet.Start}, tags: map[string]string{"Schedule": "cn-office-hours", "Team": "x"}, state: "running", want: "stopped", calls: map[string]int{"StopInstances": 1}, dropped: []string{"rule-overtaken"}},
		{name: "stop, as the schedule stops", verbs: []fleet.Verb{fleet.Stop}, tags: map[string]string{"Schedule": "cn-office-hours", "Team": "x"}, state: "running", want: "stopped", calls: map[string]int{"StopInstances": 1}},
		{name: "stop under an override", verbs: []fleet.Verb{fleet.Stop, fleet.Start}, state: "running", forced: true, want: "running", dropped: []string{"rule-overridden", "rule-overtaken"}},
		{name: "protected", verbs: []fleet.Verb{fleet.Stop}, tags: team("dayshift:protect", "true"), state: "running", want: "running", dropped: []string{"protected-by-tag"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T17:30:00+08:00")
				var rules []*policy.Rule
				for i, verb := range test.verbs {
					rules = append(rules, ruleOf(t, fmt.Sprintf("%c", 'a'+i), "cron(0 18 * * ? *)", verb, "tag:Team=x", func(r *policy.Rule) { r.Type = "m5.large" }))
				}
				tags := test.tags
				if tags == nil {
					tags = team()
				}
				book := manual(t, rules...)
				book.Schedules["cn-office-hours"] = office(t, nil).Schedules["cn-office-hours"]
				web := at("cn-north-1", shop, "ec2", "web", test.state, tags)
				web.Type = "t3.small"
				w := newWorld(t, book, web)
				w.scopes = beijing
				if test.forced {
					w.override("o-1", policy.Target{Schedule: "manual"}, calendar.Running, 24*time.Hour)
				}
				w.live(clockTime(5, 18, 30))
				w.expect("in the end", map[string]string{"web": test.want})
				for _, action := range []string{"StopInstances", "StartInstances", "RebootInstances", "ModifyInstanceAttribute"} {
					if n := w.acted(action)["web"]; n != test.calls[action] {
						t.Errorf("%s: %d calls, want %d", action, n, test.calls[action])
					}
				}
				reasons := map[string]int{}
				for _, row := range w.rows(store.EventSkipped) {
					reasons[row.Reason]++
				}
				want := map[string]int{}
				for _, reason := range test.dropped {
					want[reason]++
				}
				if !maps.Equal(reasons, want) {
					t.Errorf("told %v, want %v", reasons, want)
				}
				if m := w.memory("web"); m.Fire != (decide.Fire{}) {
					t.Errorf("left behind: %+v", m.Fire)
				}
				w.verify()
			})
		})
	}
}

// The memory of a pass that nobody could write: nothing is done, and the rule
// has not fired.
func TestARuleThatCannotBeRecordedDoesNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:59:00+08:00")
		w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")), at("cn-north-1", shop, "ec2", "web", "running", team()))
		w.scopes = beijing
		w.run()
		begin(t, "2027-03-05T12:00:00+08:00")
		for dieAt := 3; dieAt <= 4; dieAt++ { // the run, then the intents
			p := w.pass()
			p.Store = mortalStore{&mortal{dieAt: dieAt - 2}, w.store}
			if _, err := pass.Run(t.Context(), p); err == nil || w.mutations() != 0 {
				t.Errorf("contact %d: %v, %d calls", dieAt, err, w.mutations())
			}
		}
		w.live(clockTime(5, 12, 10))
		w.expect("in the end", map[string]string{"web": "stopped"})
		w.onceEach()
	})
}
