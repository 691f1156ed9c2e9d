package pass_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

func TestARuleAndAScheduleOnTheSameInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:30:00+08:00") // a Friday
		book := office(t, nil)
		book.Rules = []*policy.Rule{
			ruleOf(t, "lunch", "cron(0 12 ? * MON *)", fleet.Stop, "tag:Schedule=cn-office-hours"),
			ruleOf(t, "sleep", "cron(0 22 * * ? *)", fleet.Stop, "tag:Schedule=cn-office-hours"),
			ruleOf(t, "wake", "cron(0 20 * * ? *)", fleet.Start, "tag:Schedule=cn-office-hours"),
		}
		w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-north-1", shop, "rds", "db", "stopped", nil))
		w.scopes = beijing
		for _, step := range []struct {
			day, hour, minute int
			up                bool
		}{
			{5, 8, 59, false},
			{5, 9, 20, true},
			{5, 17, 59, true},
			{5, 18, 20, false},
			{5, 19, 59, false},
			{5, 20, 20, true}, // the schedule does not undo it
			{5, 21, 59, true},
			{5, 22, 20, false},
			{6, 12, 0, false}, // a Saturday
			{6, 20, 20, true},
			{6, 21, 59, true},
			{6, 22, 20, false},
			{8, 8, 59, false},
			{8, 9, 20, true},
			{8, 12, 20, false}, // nor that
			{8, 17, 59, false},
			{8, 19, 59, false},
			{8, 20, 20, true},
			{8, 22, 20, false},
			{9, 9, 20, true},
		} {
			when := clockTime(step.day, step.hour, step.minute)
			w.live(when)
			want := map[string]string{"web": "stopped", "db": "stopped"}
			if step.up {
				want = map[string]string{"web": "running", "db": "available"}
			}
			w.expect(when.Format("Mon 15:04"), want)
		}
		// 5th to 8th: three begins of the schedule, four evenings; each once.
		if n := w.acted("StartInstances")["web"]; n != 3+4 {
			t.Errorf("%d starts", n)
		}
		if n := w.acted("StopInstances")["web"]; n != 1+4+1 {
			t.Errorf("%d stops", n)
		}
		w.wantRows("lunch and evenings", 1+4+4, store.EventFired, "matches 2 resources")
		w.verify()
	})
}

func TestAnEnforcedScheduleWinsOverARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T19:59:00+08:00")
		book := office(t, func(s *policy.Schedule) { s.Enforced = true })
		book.Rules = []*policy.Rule{ruleOf(t, "wake", "cron(0 20 * * ? *)", fleet.Start, "tag:Schedule=*")}
		w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", "stopped", nil))
		w.live(clockTime(5, 20, 30))
		if w.mutations() != 0 {
			t.Error("it was started all the same")
		}
		rows := w.rows(store.EventSkipped)
		if len(rows) != 1 || rows[0].Reason != string(decide.RuleEnforced) || !strings.Contains(rows[0].Detail, `"wake"`) {
			t.Errorf("rows: %+v", rows)
		}
	})
}

// A rule that came due between the writing of its file and the first look is made up for, and what it leaves alone is said.
func TestARuleWrittenJustBeforeTheFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T12:00:30+08:00")
		rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x", func(r *policy.Rule) { r.Changed = time.Now().Add(-time.Minute) })
		w := newWorld(t, manual(t, rule),
			at("cn-north-1", shop, "ec2", "tagged", "running", team()),
			at("cn-north-1", shop, "ec2", "bare", "running", map[string]string{"Team": "x"}),
		)
		w.scopes = beijing
		w.live(clockTime(5, 12, 10))
		w.expect("after the rule", map[string]string{"tagged": "stopped", "bare": "running"})
		w.wantRows("fired", 1, store.EventFired, "matches 1 resource", "1 other without the tag Schedule")
	})
}

func TestARuleLeavesAloneWhatCarriesNoTag(t *testing.T) {
	for _, untagged := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			begin(t, "2027-03-05T11:00:00+08:00")
			rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x", func(r *policy.Rule) { r.Untagged = untagged })
			w := newWorld(t, manual(t, rule),
				at("cn-north-1", shop, "ec2", "tagged", "running", team()),
				at("cn-north-1", shop, "ec2", "bare", "running", map[string]string{"Team": "x"}),
				at("cn-north-1", shop, "ec2", "bare-protected", "running", map[string]string{"Team": "x", "dayshift:protect": "true"}),
				at("cn-north-1", shop, "ec2", "stranger", "running", map[string]string{"Team": "y"}),
			)
			w.scopes = beijing
			w.live(clockTime(5, 12, 10))
			want := map[string]string{"tagged": "stopped", "bare": "running", "bare-protected": "running", "stranger": "running"}
			says := []string{"matches 1 resource", "2 others without the tag Schedule", "untagged: true"}
			if untagged {
				want["bare"], says = "stopped", []string{"matches 3 resources"}
			}
			w.expect("after the rule", want)
			w.wantRows("fired", 1, store.EventFired, says...)
			if remembered := w.memory("bare").Ref.ID != ""; remembered != untagged {
				t.Errorf("what carries no tag is remembered: %v", remembered)
			}
			if untagged {
				w.wantRows("what is protected", 1, store.EventSkipped, "nothing is ever done to it")
			}
			w.verify()
		})
	}
}

func TestARuleForOneAccountAndRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:00:00+08:00")
		rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x", func(r *policy.Rule) {
			r.Accounts, r.Regions = []fleet.AccountID{china}, []fleet.Region{"cn-north-1"}
		})
		w := newWorld(t, manual(t, rule),
			at("cn-north-1", shop, "ec2", "other-account", "running", team()),
			at("cn-northwest-1", china, "ec2", "other-region", "running", team()),
			at("cn-north-1", china, "ec2", "here", "running", team()),
		)
		w.live(clockTime(5, 12, 10))
		w.expect("after the rule", map[string]string{"other-account": "running", "other-region": "running", "here": "stopped"})
		w.wantRows("one scope", 1, store.EventFired, "matches 1 resource")
		if row := w.rows(store.EventFired)[0]; row.Ref.Scope != scopes[2] || row.Name != "noon" {
			t.Errorf("row: %+v", row)
		}
	})
}

// An outage: what can be made up for is made up with one action, what is too
// old is recorded once.
func TestSeveralInstantsAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T12:01:00+08:00")
		rule := ruleOf(t, "often", "cron(0/5 * * * ? *)", fleet.Stop, "tag:Team=x", func(r *policy.Rule) { r.CatchUp = 10 * time.Minute })
		w := newWorld(t, manual(t, rule), at("cn-north-1", shop, "ec2", "web", "running", team()))
		w.scopes = beijing
		w.run()
		begin(t, "2027-03-05T12:25:30+08:00")
		w.restart()
		reports := w.live(clockTime(5, 12, 29))
		w.expect("after the outage", map[string]string{"web": "stopped"})
		if n := w.acted("StopInstances")["web"]; n != 1 {
			t.Errorf("%d stops", n)
		}
		w.wantRows("made up", 1, store.EventFired, "fired for 2027-03-05T04:20:00Z, 2027-03-05T04:25:00Z; it matches 1")
		w.wantRows("missed", 1, store.EventMissed, "missed 2027-03-05T04:05:00Z, 2027-03-05T04:10:00Z, 2027-03-05T04:15:00Z: ")
		if told(reports)[notify.RuleMissed] != 1 {
			t.Errorf("people were told %v", told(reports))
		}
		w.live(clockTime(5, 12, 31))
		w.wantRows("the next instant", 2, store.EventFired)
		w.wantRows("missed", 1, store.EventMissed)
		w.verify()
	})
}

func TestALongOutageNamesNotEveryInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T12:01:00+08:00")
		w := newWorld(t, manual(t, ruleOf(t, "often", "rate(1 minute)", fleet.Stop, "tag:Team=x")), at("cn-north-1", shop, "ec2", "web", "running", team()))
		w.scopes = beijing
		w.run()
		time.Sleep(30 * 24 * time.Hour)
		w.run()
		w.wantRows("missed", 1, store.EventMissed, "at least")
		if row := w.rows(store.EventMissed)[0]; len(row.Detail) > 400 {
			t.Errorf("%d bytes", len(row.Detail))
		}
	})
}

// What could not be listed at the instant of a rule gets its fire when it can
// be, kind by kind.
func TestARuleMeetsAGap(t *testing.T) {
	const stop = "- {kind: denied, service: %, region: cn-north-1, action: '%'}\n"
	for _, test := range []struct {
		name           string
		faults         string
		open           time.Duration // how long the gap lasts
		web, db        string
		fired, missed  int
		first, lastly  int // rows of fires at the instant and in the end
		matchesAtFirst string
	}{
		{name: "all, within catch_up", faults: "ec2 rds", open: 8 * time.Minute, web: "stopped", db: "stopped", first: 0, lastly: 1},
		{name: "all, for longer", faults: "ec2 rds", open: 12 * time.Minute, web: "running", db: "available", missed: 1},
		{name: "databases, within catch_up", faults: "rds", open: 8 * time.Minute, web: "stopped", db: "stopped", first: 1, lastly: 2, matchesAtFirst: "matches 1 resource"},
		{name: "databases, for longer", faults: "rds", open: 12 * time.Minute, web: "stopped", db: "available", first: 1, lastly: 1, missed: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T11:00:00+08:00")
				w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")),
					at("cn-north-1", shop, "ec2", "web", "running", team()), at("cn-north-1", shop, "rds", "db", "available", team()),
					at("cn-northwest-1", shop, "ec2", "elsewhere", "running", team()))
				w.scopes = scopes[:2]
				w.live(clockTime(5, 11, 59))
				text := ""
				for service := range strings.FieldsSeq(test.faults) {
					action := map[string]string{"ec2": "DescribeInstances", "rds": "DescribeDBInstances"}[service]
					text += strings.Replace(strings.Replace(stop, "%", service, 1), "%", action, 1)
				}
				w.faults(text)
				w.live(clockTime(5, 12, 5))
				w.expect("elsewhere", map[string]string{"elsewhere": "stopped"})
				here := func(event store.Event) (n int) {
					for _, row := range w.rows(event) {
						if row.Ref.Scope == scopes[0] {
							n++
						}
					}
					return n
				}
				if n := here(store.EventFired); n != test.first {
					t.Errorf("%d rows at the instant", n)
				}
				if test.matchesAtFirst != "" {
					w.wantRows("at the instant", 2, store.EventFired, test.matchesAtFirst)
				}
				time.Sleep(clockTime(5, 12, 0).Add(test.open).Sub(w.now()))
				w.faults("")
				w.live(clockTime(5, 13, 0))
				w.expect("in the end", map[string]string{"web": test.web, "db": test.db})
				if fired, missed := here(store.EventFired), here(store.EventMissed); fired != test.lastly || missed != test.missed {
					t.Errorf("%d rows of fires, %d of missed ones: %+v", fired, missed, w.rows(store.EventFired, store.EventMissed))
				}
				w.verify()
			})
		})
	}
}

func TestARuleReboots(t *testing.T) {
	for _, test := range []struct {
		name, faults string
		calls        int
		rows         map[store.Event]int
	}{
		{"accepted", "", 1, map[store.Event]int{store.EventRebooted: 1, store.EventRecovered: 0, store.EventFailed: 0}},
		{
			"no answer, but carried out", "- {kind: reset, action: RebootInstances, applied: true, count: 1}\n", 1,
			map[store.Event]int{store.EventRebooted: 0, store.EventRecovered: 1, store.EventFailed: 1},
		},
		{
			"no answer, and not carried out", "- {kind: reset, action: RebootInstances, count: 1}\n", 0,
			map[store.Event]int{store.EventRebooted: 0, store.EventRecovered: 1, store.EventFailed: 1},
		},
		{
			"refused at first", "- {kind: denied, action: RebootInstances, count: 2}\n", 1,
			map[store.Event]int{store.EventRebooted: 1, store.EventRecovered: 0, store.EventFailed: 2},
		},
		{"throttled at first", "- {kind: throttle, action: RebootInstances, count: 3}\n", 1, map[store.Event]int{store.EventRebooted: 1, store.EventFailed: 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T11:59:00+08:00")
				w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Reboot, "tag:Team=x")),
					at("cn-north-1", shop, "ec2", "web", "running", team()), at("cn-north-1", shop, "ec2", "down", "stopped", team()))
				w.scopes = beijing
				w.faults(test.faults)
				w.live(clockTime(5, 12, 40))
				sent := 0
				for _, call := range w.sim.Calls() {
					if call.Action == "RebootInstances" && call.Code == "" {
						sent++
					}
				}
				w.expect("after the reboot", map[string]string{"web": "running", "down": "stopped"})
				if want := max(test.calls, 1); sent != want {
					t.Errorf("%d calls", sent)
				}
				for event, n := range test.rows {
					w.wantRows(test.name, n, event)
				}
				if m := w.memory("web"); !m.Fire.IsZero() || m.Intent != nil {
					t.Errorf("left behind: %+v", m)
				}
				w.verify()
			})
		})
	}
}

func TestARuleResizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:00:00+08:00")
		book := manual(t, ruleOf(t, "grow", "cron(0 12 * * ? *)", fleet.Resize, "tag:Team=x", func(r *policy.Rule) { r.Type = "m5.large" }))
		size := func(r awssim.Resource, instanceType string) awssim.Resource {
			r.Type = instanceType
			return r
		}
		w := newWorld(t, book,
			size(at("cn-north-1", shop, "ec2", "office", "stopped", team("Schedule", "cn-office-hours")), "t3.small"),
			size(at("cn-north-1", shop, "ec2", "down", "stopped", team()), "t3.small"),
			size(at("cn-north-1", shop, "ec2", "large", "running", team()), "m5.large"),
			at("cn-north-1", shop, "rds", "db", "available", team()),
		)
		w.scopes = beijing
		w.live(clockTime(5, 12, 10))
		w.expect("after the resize", map[string]string{"office": "running", "down": "stopped", "large": "running", "db": "available"})
		for _, name := range []string{"office", "down"} {
			if instance, _ := w.sim.Instance(w.id(name)); instance.Type != "m5.large" {
				t.Errorf("%s is %s", name, instance.Type)
			}
			if n := w.acted("ModifyInstanceAttribute")[name]; n != 1 {
				t.Errorf("%s: %d changes of its type", name, n)
			}
		}
		if stops, starts := w.acted("StopInstances"), w.acted("StartInstances"); stops["office"] != 1 || starts["office"] != 2 || len(stops) != 1 || len(starts) != 1 {
			t.Errorf("stops %v, starts %v", stops, starts)
		}
		w.wantRows("a change of what runs and one of what does not", 2, store.EventResized, "type changed from t3.small to m5.large")
		for _, row := range w.rows(store.EventStopAccepted, store.EventStartAccepted) {
			if row.Name == "down" {
				t.Errorf("it was neither started nor stopped: %+v", row)
			}
		}
		w.wantRows("a database has no such type", 1, store.EventSkipped, "this kind of resource can not do what it wants")
		w.live(clockTime(5, 18, 10))
		w.expect("in the evening", map[string]string{"office": "stopped"})
		w.live(clockTime(8, 9, 10))
		if instance, _ := w.sim.Instance(w.id("office")); instance.Type != "m5.large" || instance.State != "running" {
			t.Errorf("on Monday it is %s as %s", instance.State, instance.Type)
		}
		w.verify()
	})
}

func TestARuleHibernates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:59:00+08:00")
		sleeper := at("cn-north-1", shop, "ec2", "sleeper", "running", team())
		sleeper.Type, sleeper.Hibernation = "m5.large", true
		w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Hibernate, "tag:Team=x")),
			sleeper, at("cn-north-1", shop, "ec2", "plain", "running", team()), at("cn-north-1", shop, "rds", "db", "available", team()))
		w.scopes = beijing
		w.live(clockTime(5, 12, 30))
		w.expect("after the rule", map[string]string{"sleeper": "stopped", "plain": "stopped", "db": "stopped"})
		if instance, _ := w.sim.Instance(w.id("sleeper")); !strings.Contains(instance.Reason, "Hibernate") {
			t.Errorf("it was stopped, not hibernated: %q", instance.Reason)
		}
		if instance, _ := w.sim.Instance(w.id("plain")); strings.Contains(instance.Reason, "Hibernate") {
			t.Errorf("it was hibernated: %q", instance.Reason)
		}
	})
}

func TestTheActionOfARuleIsGivenUpInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:59:00+08:00")
		w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")), at("cn-north-1", shop, "ec2", "web", "running", team()))
		w.scopes = beijing
		w.faults("- {kind: denied, action: StopInstances}\n")
		reports := w.live(clockTime(5, 12, 30))
		failed := w.rows(store.EventFailed)
		if len(failed) < 3 || len(failed) > 6 {
			t.Errorf("%d tries", len(failed))
		}
		w.wantRows("given up", 1, store.EventSkipped, `rule "noon", fired at 2027-03-05T04:00:00Z, stop`, "given up")
		if row := w.rows(store.EventSkipped)[0]; row.Reason != string(decide.RuleLate) || row.At.Sub(clockTime(5, 12, 0)).Abs() > decide.FireLasts+time.Minute {
			t.Errorf("row: %+v", row)
		}
		late := false
		for _, report := range reports {
			for _, message := range toldIn(report) {
				late = late || message.Kind == notify.Failed && strings.Contains(strings.Join(message.Lines, " "), "could not stop it in time")
			}
		}
		if !late {
			t.Error("people were not told that it was given up")
		}
		w.faults("")
		w.live(clockTime(5, 14, 0))
		w.expect("long after", map[string]string{"web": "running"})
		if m := w.memory("web"); !m.Fire.IsZero() || m.Last != decide.WasAny {
			t.Errorf("memory: %+v", m)
		}
		w.verify()
	})
}

func TestARuleThatIsSwitchedOffMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:00:00+08:00")
		rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")
		w := newWorld(t, manual(t, rule), at("cn-north-1", shop, "ec2", "web", "running", team()))
		w.scopes = beijing
		w.live(clockTime(5, 11, 30))
		rule.Enabled = false
		w.live(clockTime(5, 12, 3))
		rule.Enabled = true
		w.live(clockTime(5, 13, 0))
		w.expect("it was off at noon", map[string]string{"web": "running"})
		rule.Enabled = false
		w.live(clockTime(7, 13, 0))
		rule.Enabled = true
		w.live(clockTime(8, 11, 0))
		w.wantRows("it was off for days", 0, store.EventMissed)
		w.live(clockTime(8, 12, 10))
		w.expect("the next noon", map[string]string{"web": "stopped"})
	})
}

// A dry run shows what a rule would do, and leaves the rule as far as it is.
func TestADryRunFiresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:00:00+08:00")
		w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")), at("cn-north-1", shop, "ec2", "web", "running", team()))
		w.scopes = beijing
		w.run()
		begin(t, "2027-03-05T12:00:00+08:00")
		rows, before := len(w.rows()), w.memory("web")
		for range 2 {
			p := w.pass()
			p.DryRun = true
			report, err := pass.Run(t.Context(), p)
			if err != nil || len(report.Fired) != 1 || len(report.Plan.Actions) != 1 || report.Plan.Actions[0].Fire.Rule != "noon" {
				t.Fatalf("fired %+v, planned %+v, %v", report.Fired, report.Plan, err)
			}
		}
		if len(w.rows()) != rows || w.memory("web") != before || w.mutations() != 0 {
			t.Error("a dry run left something behind")
		}
		w.live(clockTime(5, 12, 10))
		w.expect("then it is done", map[string]string{"web": "stopped"})
	})
}

func TestRulesAreNoConcernOfTheConfigurationsSurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:00:00+08:00")
		many := at("cn-north-1", shop, "ec2", "web-#", "running", team())
		many.Count = 20
		w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Team=x")), many)
		w.scopes, w.limit, w.config = beijing, plan.Limits{Surge: 3, SurgeFrom: 5}, "a"
		w.live(clockTime(5, 11, 59))
		w.config = "b"
		begin(t, "2027-03-05T12:00:00+08:00")
		if report := w.run(); len(report.Plan.Held) != 0 || report.Run.Counts.Stopped != 20 {
			t.Errorf("held %d, %+v", len(report.Plan.Held), report.Run.Counts)
		}
	})
}
