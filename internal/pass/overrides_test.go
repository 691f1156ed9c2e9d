package pass_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// override makes an override now, in the store and in the book.
func (w *world) override(id string, target policy.Target, state calendar.State, lasts time.Duration, change ...func(*policy.Override)) *policy.Override {
	w.t.Helper()
	o := &policy.Override{ID: id, Target: target, State: state, From: w.now(), Until: w.now().Add(lasts), Author: "kim", Reason: "release"}
	for _, f := range change {
		f(o)
	}
	for _, scope := range scopes {
		for _, instance := range w.sim.Instances(string(scope.Account), string(scope.Region)) {
			r := fleet.Resource{Ref: fleet.Ref{Scope: scope, Kind: fleet.EC2Instance, ID: instance.ID}, Name: instance.Tags["Name"], Tags: instance.Tags}
			if o.Covers(r, w.book.TagKey) {
				o.Seen = append(o.Seen, r)
			}
		}
	}
	o.Version = w.saveOverride(id, 0)
	w.edited()
	w.book.Overrides = append(w.book.Overrides, o)
	policy.SortOverrides(w.book.Overrides)
	return o
}

func (w *world) saveOverride(id string, version int64) int64 {
	w.t.Helper()
	saved, err := w.store.SaveObject(w.t.Context(), store.Object{
		Kind: store.OverrideObject, Name: id, Version: version, Spec: json.RawMessage(`{}`), Author: "kim", Changed: w.now(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return saved.Version
}

// kept reports whether the store still has an override.
func (w *world) kept(id string) bool {
	w.t.Helper()
	objects, err := w.store.Objects(w.t.Context(), store.OverrideObject)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, object := range objects {
		if object.Name == id {
			return true
		}
	}
	return false
}

var ofSchedule = policy.Target{Schedule: "cn-office-hours"}

// Wake at 18:10 what stopped at 18:00, for two hours.
func TestAnOverrideKeepsItUpForTwoHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:30:00+08:00")
		w := newWorld(t, office(t, nil),
			at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-north-1", shop, "rds", "db", "available", nil))
		w.scopes = beijing
		w.live(clockTime(5, 18, 10))
		w.expect("at ten past six", map[string]string{"web": "stopped"})
		before := w.memory("web").Schedule
		w.override("o-1", policy.Target{Filter: filterOf(t, "tag:Name=web")}, calendar.Running, 2*time.Hour)
		w.live(clockTime(5, 18, 13))
		w.expect("it is started at once", map[string]string{"web": "running", "db": "stopped"})
		if err := w.sim.StopInstance(w.id("web")); err != nil { // a person, by mistake
			t.Fatal(err)
		}
		w.live(clockTime(5, 19, 30))
		w.expect("it is kept", map[string]string{"web": "running"})
		w.restart()
		reports := w.live(clockTime(5, 20, 9))
		w.expect("a minute before the end", map[string]string{"web": "running", "db": "stopped"})
		if told(reports)[notify.StopWarning] != 1 {
			t.Errorf("nobody was warned: %v", told(reports))
		}
		w.restart()
		reports = w.live(clockTime(5, 20, 13))
		w.expect("after the end", map[string]string{"web": "stopped", "db": "stopped"})
		if w.kept("o-1") {
			t.Error("it is still there")
		}
		w.wantRows("the end", 1, store.EventOverrideEnded, "running by kim", "ended: its time is over")
		if row := w.rows(store.EventOverrideEnded)[0]; !row.At.Equal(clockTime(5, 20, 10)) || row.Name != "o-1" {
			t.Errorf("row: %+v", row)
		}
		if told(reports)[notify.OverrideEnded] != 1 {
			t.Errorf("people were told %v", told(reports))
		}
		reports = w.live(clockTime(5, 23, 0)) // the book of a process that has not read the store again
		w.wantRows("the end", 1, store.EventOverrideEnded)
		if len(told(reports)) != 0 || w.memory("web").Schedule != before {
			t.Errorf("told %v, memory %+v", told(reports), w.memory("web"))
		}
		stop := w.rows(store.EventStopAccepted)
		if last := stop[len(stop)-1]; last.Reason != string(decide.OverrideEnded) {
			t.Errorf("it was stopped because of %s", last.Reason)
		}
		w.live(clockTime(8, 9, 10))
		w.expect("on Monday", map[string]string{"web": "running", "db": "available"})
		w.verify()
	})
}

func TestAnOverrideEndsWhileItsScopeIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T18:30:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil))
		w.scopes = beijing
		w.run()
		w.override("o-1", ofSchedule, calendar.Running, time.Hour)
		w.live(clockTime(5, 19, 20))
		w.expect("in between", map[string]string{"web": "running"})
		w.faults("- {kind: denied, action: 'Describe*'}\n")
		w.live(clockTime(5, 22, 45))
		w.wantRows("in the gap", 1, store.EventOverrideEnded)
		w.restart()
		w.faults("")
		w.live(clockTime(5, 23, 0))
		w.expect("when it answers again", map[string]string{"web": "stopped"})
		if rows := w.rows(store.EventStopAccepted); len(rows) != 1 || rows[0].Reason != string(decide.OverrideEnded) {
			t.Errorf("rows: %+v", rows)
		}
		w.verify()
	})
}

func TestAnOverrideThatWasExtendedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T18:30:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil))
		w.scopes = beijing
		o := w.override("o-1", ofSchedule, calendar.Running, time.Hour)
		w.live(clockTime(5, 19, 29))
		version := w.saveOverride("o-1", o.Version) // and the process has not heard of it
		begin(t, "2027-03-05T19:30:00+08:00")
		w.run()
		w.wantRows("changed in the meantime", 0, store.EventOverrideEnded)
		if !w.kept("o-1") {
			t.Error("the change was thrown away")
		}
		o.Version, o.Until = version, o.Until.Add(time.Hour)
		w.live(clockTime(5, 20, 20))
		w.expect("extended", map[string]string{"web": "running"})
		w.live(clockTime(5, 20, 40))
		w.expect("after its new end", map[string]string{"web": "stopped"})
		w.wantRows("the new end", 1, store.EventOverrideEnded)
	})
}

// A force start of a disabled schedule ends when everything is running.
func TestAForceOnADisabledScheduleEndsWhenItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T20:00:00+08:00")
		book := office(t, func(s *policy.Schedule) { s.Enabled = false })
		book.Rules = []*policy.Rule{ruleOf(t, "later", "cron(0 3 * * ? *)", fleet.Reboot, "tag:Schedule=none", func(r *policy.Rule) { r.Untagged = true })}
		w := newWorld(t, book,
			at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-northwest-1", shop, "rds", "db", "stopped", nil),
			at("cn-north-1", shop, "ec2", "protected", "stopped", map[string]string{"Schedule": "cn-office-hours", "dayshift:protect": "true"}))
		w.scopes = scopes[:2]
		w.override("o-1", ofSchedule, calendar.Running, 12*time.Hour, func(o *policy.Override) { o.Once = true })
		w.faults("- {kind: denied, action: StartDBInstance}\n")
		w.live(clockTime(5, 20, 10))
		w.expect("half of it", map[string]string{"web": "running", "db": "stopped", "protected": "stopped"})
		if !w.kept("o-1") {
			t.Fatal("it ended before everything was running")
		}
		if err := w.sim.StopInstance(w.id("web")); err != nil { // what has been reached is left alone
			t.Fatal(err)
		}
		w.faults("- {kind: denied, service: ec2, action: DescribeInstances}\n")
		w.live(clockTime(5, 20, 40))
		w.expect("the other half", map[string]string{"db": "available"})
		if !w.kept("o-1") {
			t.Error("it ended although not everything was seen")
		}
		w.faults("")
		part := w.pass()
		part.Scopes, part.All = scopes[1:2], false
		if _, err := pass.Run(t.Context(), part); err != nil || !w.kept("o-1") {
			t.Errorf("a pass over a part of the fleet ended it: %v", err)
		}
		reports := w.live(clockTime(5, 21, 0))
		if w.kept("o-1") || told(reports)[notify.OverrideEnded] != 1 {
			t.Errorf("it goes on; told %v", told(reports))
		}
		w.wantRows("the end", 1, store.EventOverrideEnded, "everything it is for is running")
		w.live(clockTime(6, 12, 0))
		w.expect("afterwards nothing is done", map[string]string{"web": "stopped", "db": "available"})
		w.verify()
	})
}

func TestTwoPassesEndAnOverrideOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T20:00:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-northwest-1", shop, "ec2", "nx", "stopped", nil))
		w.scopes = scopes[:2]
		w.override("o-1", ofSchedule, calendar.Stopped, time.Hour)
		w.live(clockTime(5, 20, 59))
		begin(t, "2027-03-05T21:00:00+08:00")
		var group sync.WaitGroup
		reports := make([]pass.Report, 2)
		for i := range reports {
			p := w.pass()
			p.Scopes, p.All = scopes[i:i+1], false
			group.Go(func() {
				var err error
				if reports[i], err = pass.Run(t.Context(), p); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		w.wantRows("the end", 1, store.EventOverrideEnded)
		if told(reports)[notify.OverrideEnded] != 1 {
			t.Errorf("people were told %v", told(reports))
		}
		w.verify()
	})
}

// failingDelete is a store whose objects can not be deleted for a while.
type failingDelete struct {
	store.Store
	err error
}

func (f failingDelete) DeleteObject(context.Context, store.ObjectKind, string, int64, ...store.Activity) error {
	return f.err
}

func TestAnOverrideThatCannotBeEndedIsEndedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T20:00:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil))
		w.scopes = beijing
		w.override("o-1", ofSchedule, calendar.Running, time.Hour)
		w.live(clockTime(5, 20, 59))
		begin(t, "2027-03-05T21:00:00+08:00")
		p := w.pass()
		p.Store = failingDelete{w.store, errors.New("disk full")}
		if _, err := pass.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("the pass says %v", err)
		}
		dry := w.pass()
		dry.DryRun = true
		if _, err := pass.Run(t.Context(), dry); err != nil || !w.kept("o-1") {
			t.Errorf("a dry run ended it: %v", err)
		}
		w.live(clockTime(5, 21, 10))
		w.expect("the end counts all the same", map[string]string{"web": "stopped"})
		w.wantRows("the end", 1, store.EventOverrideEnded)
		if w.acted("StopInstances")["web"] != 1 {
			t.Error("it was stopped more than once")
		}
		w.verify()
	})
}
