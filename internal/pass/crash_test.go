package pass_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// crash is what a process is at work on when it is killed.
type crash struct {
	name string
	// world makes the world, in the minute before begins.
	world  func(t *testing.T) *world
	begins time.Time
	// last is how long the process may take before it counts as having survived.
	lasts time.Duration
	// wants are the states in the end, calls the successful calls that there have to be.
	wants map[string]string
	calls map[string]map[string]int
	// atMost: a call may also be lost, but never be made twice.
	atMost bool
	// resizes: it is at work on another type.
	resizes bool
	check   func(t *testing.T, w *world)
}

// hasType checks the type in the end, the better one that it stands for, and that nothing else is left behind.
func hasType(name, instead string) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		if instance, _ := w.sim.Instance(w.id("web")); instance.Type != name {
			t.Errorf("it is %s, want %s", instance.Type, name)
		}
		if m := w.memory("web"); m.Intent != nil || !m.Shortage.IsZero() || m.ResizeTo != "" || m.ResizeFrom != "" || m.RefusedType != instead || m.Last != decide.WasRunning {
			t.Errorf("left behind: %+v", m)
		}
	}
}

func crashes() []crash {
	pair := func(state, database string) []awssim.Resource {
		web := at("cn-north-1", shop, "ec2", "web", state, team())
		web.Type = "t3.small"
		return []awssim.Resource{web, at("cn-north-1", shop, "rds", "db", database, team())}
	}
	noon := clockTime(5, 12, 0)
	ruled := func(verb fleet.Verb, state, database string) func(t *testing.T) *world {
		return func(t *testing.T) *world {
			begin(t, noon.Add(-time.Minute).Format(time.RFC3339))
			rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", verb, "tag:Team=x", func(r *policy.Rule) { r.Type = "m5.large" })
			if verb == fleet.Resize || verb == fleet.Reboot {
				rule.Filter = filterOf(t, "tag:Name=web")
			}
			return newWorld(t, manual(t, rule), pair(state, database)...)
		}
	}
	once := map[string]int{"web": 1}
	one := map[string]int{"db": 1}
	firedOnce := func(t *testing.T, w *world) {
		t.Helper()
		if rows := w.rows(store.EventFired); len(rows) != 1 {
			t.Errorf("the rule is said to have fired %d times: %+v", len(rows), rows)
		}
		for _, name := range []string{"web", "db"} {
			if m := w.memory(name); !m.Fire.IsZero() || m.Intent != nil {
				t.Errorf("left behind of %s: %+v", name, m)
			}
		}
	}
	resized := func(t *testing.T, w *world) {
		t.Helper()
		firedOnce(t, w)
		if instance, _ := w.sim.Instance(w.id("web")); instance.Type != "m5.large" {
			t.Errorf("it is %s", instance.Type)
		}
	}
	return []crash{
		{
			name: "rule stops", world: ruled(fleet.Stop, "running", "available"), begins: noon, lasts: time.Second,
			wants: map[string]string{"web": "stopped", "db": "stopped"}, check: firedOnce,
			calls: map[string]map[string]int{"StopInstances": once, "StopDBInstance": one, "StartInstances": {}, "StartDBInstance": {}},
		},
		{
			name: "rule starts", world: ruled(fleet.Start, "stopped", "stopped"), begins: noon, lasts: time.Second,
			wants: map[string]string{"web": "running", "db": "available"}, check: firedOnce,
			calls: map[string]map[string]int{"StopInstances": {}, "StopDBInstance": {}, "StartInstances": once, "StartDBInstance": one},
		},
		{
			name: "rule resizes what runs", resizes: true, world: ruled(fleet.Resize, "running", "stopped"), begins: noon, lasts: 3 * time.Minute,
			wants: map[string]string{"web": "running", "db": "stopped"}, check: resized,
			calls: map[string]map[string]int{"StopInstances": once, "ModifyInstanceAttribute": once, "StartInstances": once, "StartDBInstance": {}},
		},
		{
			name: "rule resizes what is stopped", resizes: true, world: ruled(fleet.Resize, "stopped", "stopped"), begins: noon, lasts: time.Second,
			wants: map[string]string{"web": "stopped", "db": "stopped"}, check: resized,
			calls: map[string]map[string]int{"StopInstances": {}, "ModifyInstanceAttribute": once, "StartInstances": {}},
		},
		{
			name: "rule reboots", world: ruled(fleet.Reboot, "running", "stopped"), begins: noon, lasts: time.Second, atMost: true,
			wants: map[string]string{"web": "running", "db": "stopped"}, check: func(t *testing.T, w *world) {
				t.Helper()
				firedOnce(t, w)
				if n := len(w.rows(store.EventRebooted)) + len(w.rows(store.EventRecovered)); n != 1 {
					t.Errorf("%d rows tell what became of it", n)
				}
			},
			calls: map[string]map[string]int{"StopInstances": {}, "RebootInstances": once, "StartInstances": {}},
		},
		{
			name: "override starts", begins: clockTime(5, 20, 0), lasts: time.Second,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T19:59:00+08:00")
				w := newWorld(t, manual(t), pair("stopped", "stopped")...)
				w.override("o-1", policy.Target{Schedule: "manual"}, calendar.Running, time.Hour)
				w.book.Overrides[0].From = clockTime(5, 20, 0)
				return w
			},
			wants: map[string]string{"web": "running", "db": "available"},
			calls: map[string]map[string]int{"StopInstances": {}, "StopDBInstance": {}, "StartInstances": once, "StartDBInstance": one},
			check: func(t *testing.T, w *world) {
				t.Helper()
				if !w.kept("o-1") {
					t.Error("the override is gone")
				}
			},
		},
		{
			name: "override ends", begins: clockTime(5, 20, 0), lasts: time.Second,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T19:00:00+08:00")
				resources := pair("stopped", "stopped")
				for i := range resources {
					resources[i].Tags["Schedule"] = "cn-office-hours"
				}
				w := newWorld(t, office(t, nil), resources...)
				w.override("o-1", ofSchedule, calendar.Running, time.Hour)
				w.scopes = beijing
				w.live(clockTime(5, 19, 59))
				w.sim.ResetCalls()
				return w
			},
			wants: map[string]string{"web": "stopped", "db": "stopped"},
			calls: map[string]map[string]int{"StopInstances": once, "StopDBInstance": one, "StartInstances": {}, "StartDBInstance": {}},
			check: func(t *testing.T, w *world) {
				t.Helper()
				if w.kept("o-1") {
					t.Error("the override goes on")
				}
				w.wantRows("its end", 1, store.EventOverrideEnded)
			},
		},
		{
			name: "a start down the list of types", begins: clockTime(5, 9, 0), lasts: time.Second,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, withDeadline(2*time.Hour)), short("web", "stopped"))
				w.capacity(0, "c5.xlarge", "c5.large")
				return w
			},
			wants: map[string]string{"web": "running"}, check: hasType("m5.large", "c5.xlarge"),
			calls: map[string]map[string]int{"StopInstances": {}, "ModifyInstanceAttribute": {"web": 2}, "StartInstances": once},
		},
		{
			name: "a shortage that ends in its second round", begins: clockTime(5, 9, 0), lasts: time.Minute + 40*time.Second,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, withDeadline(2*time.Hour)), short("web", "stopped"))
				w.capacity(0, "c5.xlarge", "c5.large", "m5.large")
				time.AfterFunc(time.Until(clockTime(5, 9, 0))+20*time.Second, func() { w.capacity(1, "c5.large") })
				return w
			},
			wants: map[string]string{"web": "running"}, check: hasType("c5.large", "c5.xlarge"),
			calls: map[string]map[string]int{"StopInstances": {}, "StartInstances": once},
		},
		{
			name: "a period wants another type", resizes: true, begins: clockTime(5, 14, 0), lasts: 3 * time.Minute,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T13:58:00+08:00")
				web := at("cn-north-1", shop, "ec2", "web", "running", nil)
				web.Type = "m5.large"
				return newWorld(t, campaign(t), web)
			},
			wants: map[string]string{"web": "running"}, check: hasType("m5.xlarge", ""),
			calls: map[string]map[string]int{"StopInstances": once, "ModifyInstanceAttribute": once, "StartInstances": once},
		},
		{
			name: "a period wants a type that cannot be had", resizes: true, begins: clockTime(5, 14, 0), lasts: 3 * time.Minute,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T13:58:00+08:00")
				web := at("cn-north-1", shop, "ec2", "web", "running", nil)
				web.Type, web.Zone = "m5.large", "cn-north-1a"
				w := newWorld(t, campaign(t), web)
				w.capacity(0, "m5.xlarge")
				return w
			},
			wants: map[string]string{"web": "running"}, check: hasType("m5.large", "m5.xlarge"),
			calls: map[string]map[string]int{"StopInstances": once, "ModifyInstanceAttribute": {"web": 2}, "StartInstances": once},
		},
		{
			name: "a period ends over a group", begins: clockTime(5, 18, 0), lasts: time.Second,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T17:59:00+08:00")
				return newWorld(t, office(t, nil), groupAt("workers", "running", nil))
			},
			wants: map[string]string{"workers": "0-0-0"},
			check: func(t *testing.T, w *world) {
				t.Helper()
				time.Sleep(time.Until(clockTime(8, 8, 59))) // nothing is due in between
				w.live(clockTime(8, 9, 2))
				w.expect("on Monday", map[string]string{"workers": "2-7-9"})
			},
		},
		{
			name: "a period begins over a group", begins: clockTime(5, 9, 0), lasts: time.Second,
			world: func(t *testing.T) *world {
				begin(t, "2027-03-05T08:59:00+08:00")
				return newWorld(t, office(t, nil), groupAt("workers", "stopped", map[string]string{"dayshift:saved": "2-7-9"}))
			},
			wants: map[string]string{"workers": "2-7-9"},
			check: func(t *testing.T, w *world) {
				t.Helper()
				if m := w.memory("workers"); m.Intent != nil || m.Size != "2-7-9" {
					t.Errorf("left behind: %+v", m)
				}
			},
		},
	}
}

// TestKilledAtWork kills the process at every contact that changes something,
// or lists, in store and cloud, before and after it takes effect, and looks at
// what the next process makes of it: nothing is lost, nothing done twice, and
// the record tells it once.
func TestKilledAtWork(t *testing.T) {
	for _, c := range crashes() {
		if !c.resizes {
			t.Run(c.name, func(t *testing.T) { killEverywhere(t, c.kill) })
		}
	}
}

// A resize is three calls, and minutes. Killed at any moment of it the next
// process goes on with it: the machine is not left stopped, nor taken down twice.
func TestFault42AResizeIsKilledAnywhere(t *testing.T) {
	for _, c := range crashes() {
		if c.resizes {
			t.Run(c.name, func(t *testing.T) { killEverywhere(t, c.kill) })
		}
	}
}

// killEverywhere lets a process live once to see its contacts, and then kills it
// at each, before and after it takes effect. Of those whose death the world can
// not tell apart one is enough: whatever reads has no effect, and from one change
// to the next every read of a pass leaves the same behind, and after the last
// change every read of all passes.
func killEverywhere(t *testing.T, kill func(t *testing.T, process *mortal)) {
	whole := &mortal{}
	synctest.Test(t, func(t *testing.T) { kill(t, whole) })
	changes := len(whole.contacts)
	for changes > 0 && whole.contacts[changes-1].reads {
		changes--
	}
	if changes < 4 {
		t.Fatalf("contacts %v: it did nothing", whole.contacts)
	}
	for i, c := range whole.contacts {
		if c.reads && i > 0 && whole.contacts[i-1].reads && (i > changes || whole.contacts[i-1].pass == c.pass) {
			continue
		}
		for _, after := range []bool{false, true} {
			if after && c.reads {
				continue
			}
			t.Run(fmt.Sprintf("contact %d, %s, effect %v", i+1, c.what, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { kill(t, &mortal{dieAt: i + 1, after: after}) })
			})
		}
	}
}

func (c crash) kill(t *testing.T, process *mortal) {
	w := c.world(t)
	w.scopes = beijing
	w.run() // remembers the fleet as it is before
	time.Sleep(time.Until(c.begins))

	w.mortal(process, w.now().Add(c.lasts), 15*time.Second, nil)
	w.restart()
	w.live(c.begins.Add(12 * time.Minute))
	w.expect("after the crash ("+process.at+")", c.wants)
	for action, want := range c.calls {
		got := w.acted(action)
		for _, name := range []string{"web", "db"} {
			if n := got[name]; n != want[name] && (!c.atMost || n > want[name]) {
				t.Errorf("%s of %s: %d calls, want %d (died at %s)", action, name, n, want[name], process.at)
			}
		}
	}
	c.check(t, w)
	w.verifyChain()
}
