package pass_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// A day at the office: people hear that it is started and when it is ready, that it is stopped and when it has stopped.
func TestPeopleHearWhatCameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.NotifyBeforeStop = 10 * time.Minute }),
			at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-north-1", shop, "rds", "db", "stopped", nil))
		w.scopes = beijing
		morning := w.live(clockTime(5, 9, 30))
		saidInOrder(t, "ready", lines(morning, notify.Ready), "web i-", "ready within ")
		if counts := told(morning); counts[notify.Ready] != 2 || counts[notify.Starting] != 2 || counts[notify.Stopped] != 0 {
			t.Errorf("in the morning people were told %v", counts)
		}
		for _, report := range morning {
			for _, event := range report.Events {
				if event.Kind == notify.Ready && (event.Schedule != "cn-office-hours" || event.Tags["Schedule"] == "" || !event.At.Equal(report.At)) {
					t.Errorf("event: %+v", event)
				}
			}
		}
		w.restart()
		evening := w.live(clockTime(5, 19, 0))
		saidInOrder(t, "the warning", lines(evening, notify.StopWarning), "will be stopped at 18:00 (Asia/Shanghai, 2027-03-05)")
		saidInOrder(t, "stopped", lines(evening, notify.Stopped), "stopped within ")
		if counts := told(evening); counts[notify.Stopped] != 2 || counts[notify.Stopping] != 2 || counts[notify.Ready] != 0 {
			t.Errorf("in the evening people were told %v", counts)
		}
		for _, report := range evening {
			for _, event := range report.Events {
				if event.Kind == notify.StopWarning && (!event.At.Equal(clockTime(5, 18, 0)) || event.At.Location().String() != "Asia/Shanghai") {
					t.Errorf("the warning is of %s", event.At)
				}
			}
		}
		for _, row := range w.rows() { // the record is in UTC, as it was
			if row.Reason == string(notify.StopWarning) && row.Detail != "will be stopped at 2027-03-05T10:00:00Z" {
				t.Errorf("row: %q", row.Detail)
			}
		}
	})
}

// What somebody stopped before anybody saw it run is not ready, however its start went.
func TestNothingIsReadyThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:59+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil))
		w.scopes = beijing
		w.run()
		time.Sleep(time.Second)
		w.run()
		time.Sleep(10 * time.Minute)
		if err := w.sim.StopInstance(w.id("web")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		reports := w.live(clockTime(5, 9, 40))
		w.expect("it is left as the person wants it", map[string]string{"web": "stopped"})
		if counts := told(reports); counts[notify.Ready] != 0 {
			t.Errorf("people were told %v: %v", counts, lines(reports, notify.Ready))
		}
	})
}

// A stop that only makes way for another type is not told as one that is over.
func TestAStopForAnotherTypeIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:59:00+08:00")
		rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Resize, "tag:Name=web", func(r *policy.Rule) { r.Type = "m5.large" })
		web := awssim.Resource{Account: shop, Region: "cn-north-1", Kind: "ec2", Name: "web", State: "running", Type: "m5.xlarge", Tags: team()}
		w := newWorld(t, manual(t, rule), web)
		w.scopes = beijing
		reports := w.live(clockTime(5, 12, 20))
		if counts := told(reports); counts[notify.Ready] != 1 || counts[notify.Stopped] != 0 {
			t.Errorf("people were told %v", counts)
		}
	})
}

// Whoever kept it up is named in the warning that it ends.
func TestTheWarningNamesWhoseDecisionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:55:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "running", nil))
		w.scopes = beijing
		w.override("o-1", ofSchedule, calendar.Running, 2*time.Hour)
		reports := w.live(clockTime(5, 19, 54))
		warnings := lines(reports, notify.StopWarning)
		if len(warnings) != 1 || !strings.HasSuffix(warnings[0], ": will be stopped at 19:55 (Asia/Shanghai, 2027-03-05), when the override of kim ends") {
			t.Errorf("warnings: %q", warnings)
		}
	})
}

// The end of what somebody decided of one machine has its name and its schedule, whichever pass ends it.
func TestTheEndOfADecisionNamesTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T14:00:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "running", nil))
		w.scopes = scopes[:2]
		w.run()
		id := w.id("web")
		w.override("o-1", policy.Target{Resource: fleet.Ref{Scope: scopes[0], Kind: fleet.EC2Instance, ID: id}}, calendar.Running, time.Hour)
		time.Sleep(time.Hour)
		elsewhere := w.pass()
		elsewhere.Scopes, elsewhere.All = scopes[1:2], false
		report, err := pass.Run(t.Context(), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		ended := toldIn(report)
		if len(ended) != 1 || ended[0].Schedule != "cn-office-hours" || !strings.HasPrefix(ended[0].Lines[0], "web "+id+" in ") {
			t.Errorf("people were told %+v", ended)
		}
	})
}

// ear keeps what it is told, in order, with what else is written into it.
type ear struct {
	mu    sync.Mutex
	heard []string
}

func (*ear) Name() string { return "ear" }

func (e *ear) Tell(_ context.Context, events []notify.Event) error {
	for _, event := range events {
		e.hear(string(event.Kind))
	}
	return nil
}

func (e *ear) hear(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, text)
}

// A warning does not wait for the calls of the pass, which can take long, and survives a process that dies over them.
func TestAWarningIsToldBeforeAnythingIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:55:00+08:00")
		book := manual(t)
		book.Schedules["cn-office-hours"].NotifyBeforeStop = 10 * time.Minute
		w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", "running", nil),
			awssim.Resource{Account: shop, Region: "cn-north-1", Kind: "ec2", Name: "batch", State: "stopped", Tags: team()})
		w.scopes = beijing
		w.override("o-1", policy.Target{Filter: filterOf(t, "tag:Team=x")}, calendar.Running, time.Hour)
		told := &ear{}
		p := w.pass()
		p.Receivers = []notify.Receiver{told}
		p.Observe = func([]plan.Outcome) { told.hear("called") }
		report, err := pass.Run(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"stop-warning", "called", "starting"}; !slices.Equal(told.heard, want) || len(report.Events) != 2 {
			t.Errorf("told %v, want %v; events %+v", told.heard, want, report.Events)
		}
	})
}

// What a limit holds back is told once, whichever process comes after.
func TestWhatIsHeldIsToldOnceOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:59:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-north-1", shop, "ec2", "batch", "running", nil))
		w.scopes, w.limit = beijing, plan.Limits{MaxStops: 1}
		w.run()
		reports := w.live(clockTime(5, 18, 30))
		w.restart()
		reports = append(reports, w.live(clockTime(5, 19, 0))...)
		if counts := told(reports); counts[notify.Held] != 2 {
			t.Errorf("people were told %v", counts)
		}
		w.wantRows("held", 2, store.EventHeld)
		w.edited()
		w.limit = plan.Limits{}
		w.live(clockTime(5, 19, 10))
		w.expect("no limit", map[string]string{"web": "stopped", "batch": "stopped"})
		if held := w.memory("web").Held; held != "" {
			t.Errorf("it is remembered as held by %s", held)
		}
	})
}
