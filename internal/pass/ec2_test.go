package pass_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"dayshift/internal/awssim"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// What EC2 does not stop, or stops in another way than asked: each for itself, so
// that one hinders no other in the same call.
func TestFault29WhatCannotSimplyBeStopped(t *testing.T) {
	type odd struct {
		name   string
		change func(*awssim.Resource)
		fault  string
		// evening and monday are its state after the stop and after the start.
		evening, monday string
		reason          decide.Reason // in the evening
		native          string        // AWS's reason for its state in the evening
	}
	odds := []odd{
		{name: "plain", evening: "stopped", monday: "running", reason: decide.AlreadyStopped, native: "Client.UserInitiatedShutdown"},
		{name: "sleeper", change: func(r *awssim.Resource) { r.Type, r.Hibernation = "m5.large", true }, evening: "stopped", monday: "running", reason: decide.AlreadyStopped, native: "Client.UserInitiatedHibernate"},
		{
			name: "insomniac", change: func(r *awssim.Resource) { r.Type, r.Hibernation = "m5.large", true }, // AWS refuses it all the same
			fault:   "- {kind: error, action: StopInstances, resource: INSOMNIAC, count: 1, code: UnsupportedHibernationConfiguration, message: Instance INSOMNIAC is not ready to hibernate yet.}",
			evening: "stopped", monday: "running", reason: decide.AlreadyStopped, native: "Client.UserInitiatedShutdown",
		},
		{name: "pinned", change: func(r *awssim.Resource) { r.DisableStop = true }, evening: "running", monday: "running", reason: decide.StopProtected},
		{name: "store", change: func(r *awssim.Resource) { r.Root = "instance-store" }, evening: "running", monday: "running", reason: decide.InstanceStoreRoot},
		{name: "once", change: func(r *awssim.Resource) { r.Spot = "one-time" }, evening: "running", monday: "running", reason: decide.SpotOneTime},
		{name: "lasting", change: func(r *awssim.Resource) { r.Spot = "persistent" }, evening: "stopped", monday: "running", reason: decide.AlreadyStopped},
		{name: "member", change: func(r *awssim.Resource) { r.ASG = "workers" }, evening: "running", monday: "running", reason: decide.GroupMember},
		{name: "ends-inside", change: func(r *awssim.Resource) { r.TerminateOnShutdown = true }, evening: "stopped", monday: "running", reason: decide.AlreadyStopped},
	}
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:58:00+08:00")
		var resources []awssim.Resource
		for _, o := range odds {
			r := at("cn-north-1", shop, "ec2", o.name, "running", nil)
			if o.change != nil {
				o.change(&r)
			}
			resources = append(resources, r)
		}
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.Hibernate = true }), resources...)
		w.scopes, w.everything = beijing, true
		w.run() // remembers that they run
		for _, o := range odds {
			if o.fault != "" {
				w.faults(strings.ReplaceAll(o.fault, strings.ToUpper(o.name), w.id(o.name)))
			}
		}
		reports := w.live(clockTime(5, 18, 30))
		reasons := map[string]decide.Reason{}
		for _, d := range reports[len(reports)-1].Decisions {
			reasons[d.Resource.Name] = d.Reason
		}
		for _, o := range odds {
			w.expect("in the evening", map[string]string{o.name: o.evening})
			if reasons[o.name] != o.reason {
				t.Errorf("%s: %s, want %s", o.name, reasons[o.name], o.reason)
			}
			if i, _ := w.sim.Instance(w.id(o.name)); !strings.HasPrefix(i.Reason, o.native) {
				t.Errorf("%s: %q, want %q", o.name, i.Reason, o.native)
			}
		}
		if stops := w.sim.Stats().ByAction["ec2:StopInstances"]; stops > 12 {
			t.Errorf("%d calls", stops)
		}
		for _, row := range w.rows(store.EventFailed) {
			t.Errorf("a failure is recorded of what can not be stopped: %+v", row)
		}
		if told := lines(reports, notify.Failed); len(told) != 1 || !strings.Contains(told[0], "pinned") {
			t.Errorf("told %q, want the protection that only the call finds out", told)
		}
		if rows := w.rows(store.EventStopAccepted); len(rows) != 5 {
			t.Errorf("%d stops were taken", len(rows))
		}
		calls := w.mutations()
		w.live(clockTime(8, 8, 59))
		if again := w.mutations(); again != calls {
			t.Errorf("%d further calls over the weekend", again-calls)
		}
		w.live(clockTime(8, 9, 10))
		for _, o := range odds {
			w.expect("on Monday", map[string]string{o.name: o.monday})
		}
		if m := w.memory("lasting"); m.Last != decide.WasRunning || m.Seen != fleet.Running {
			t.Errorf("the persistent Spot instance: %+v", m)
		}
	})
}
