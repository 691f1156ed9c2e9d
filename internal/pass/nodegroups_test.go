package pass_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/policy"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// nodesAt is a node group of office hours in Beijing, seven strong while it runs.
func nodesAt(name string) awssim.Resource {
	r := at("cn-north-1", shop, "eks", name, "running", nil)
	r.Cluster, r.Min, r.Desired, r.Max = "web", 2, 7, 9
	return r
}

// nodes gives the size of a node group, what is saved of it and how many nodes it has.
func (w *world) nodes(id string) (size, saved string, nodes int) {
	w.t.Helper()
	for _, n := range w.sim.NodeGroups(shop, "cn-north-1") {
		if n.ID == id {
			return w.states()[n.Group], n.Tags["dayshift:saved"], len(n.Nodes)
		}
	}
	w.t.Fatalf("no node group %s", id)
	return "", "", 0
}

func (w *world) expectNodes(when, size, saved string, nodes int) {
	w.t.Helper()
	if is, has, n := w.nodes("web/blue"); is != size || has != saved || n != nodes {
		w.t.Errorf("%s: the node group is %s with %q saved and %d nodes, want %s, %q and %d", when, is, has, n, size, saved, nodes)
	}
}

func TestAWeekendOfANodeGroup(t *testing.T) {
	for _, test := range []struct {
		name     string
		enforced bool
		// night is what happens on Saturday; then it is as given until Monday.
		night       func(w *world)
		size, saved string
		nodes       int
	}{
		{name: "nobody touches it", size: "0-0-1", saved: "2-7-9"},
		{name: "the memory is lost", size: "0-0-1", saved: "2-7-9", night: func(w *world) {
			w.store = memory.New()
			var err error
			if w.lease, err = w.store.Acquire(w.t.Context(), "scheduler", "another", w.now(), 1000*time.Hour); err != nil {
				w.t.Fatal(err)
			}
		}},
		{name: "an autoscaler brings up what it may", size: "0-1-1", saved: "2-7-9", nodes: 1, night: func(w *world) { w.autoscale(4) }},
		{name: "an autoscaler brings up what it may, and the schedule is enforced", enforced: true, size: "0-0-1", saved: "2-7-9", night: func(w *world) { w.autoscale(4) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T17:00:00+08:00")
				w := newWorld(t, office(t, func(s *policy.Schedule) { s.Enforced = test.enforced }), nodesAt("blue"))
				w.scopes = beijing
				w.live(clockTime(5, 18, 5))
				w.expectNodes("on Friday evening", "0-0-1", "2-7-9", 0)
				w.live(clockTime(6, 12, 0))
				if test.night != nil {
					test.night(w)
				}
				w.live(clockTime(8, 8, 59))
				w.expectNodes("before Monday's begin", test.size, test.saved, test.nodes)
				w.live(clockTime(8, 9, 5))
				w.expectNodes("on Monday", "2-7-9", "", 7)
				updates := count(w.sim, "UpdateNodegroupConfig")
				w.live(clockTime(8, 17, 0))
				if now := count(w.sim, "UpdateNodegroupConfig"); now != updates {
					t.Errorf("%d further updates over the day", now-updates)
				}
				w.live(clockTime(8, 18, 5))
				w.expectNodes("on Monday evening", "0-0-1", "2-7-9", 0)
				w.verify()
				if n := w.sim.Stats().Throttled; n > 0 {
					t.Errorf("%d throttled", n)
				}
			})
		})
	}
}

func (w *world) autoscale(desired int) {
	w.t.Helper()
	if _, err := w.sim.AutoScaleNodeGroup(shop, "cn-north-1", "web/blue", desired); err != nil {
		w.t.Fatal(err)
	}
}

// While EKS replaces the nodes by newer ones the evening's stop waits, and comes once that is through.
func TestAnUpgradeOfANodeGroupInTheEveningIsNotDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:50:00+08:00")
		w := newWorld(t, office(t, nil), nodesAt("blue"))
		w.scopes = beijing
		w.run()
		if err := w.sim.UpgradeNodeGroup(shop, "cn-north-1", "web/blue"); err != nil {
			t.Fatal(err)
		}
		w.live(clockTime(5, 18, 9))
		w.expectNodes("while it is upgraded", "2-7-9", "", 7)
		w.live(clockTime(5, 18, 40))
		w.expectNodes("afterwards", "0-0-1", "2-7-9", 0)
		w.wantRows("in all", 0, store.EventFailed)
	})
}

// Who may not see node groups does not see these; everything else goes on.
func TestNodeGroupsThatMayNotBeSeenAreAGapOfTheirOwn(t *testing.T) {
	for _, action := range []string{"DescribeNodegroup", "GetResources"} {
		synctest.Test(t, func(t *testing.T) {
			begin(t, "2027-03-05T17:59:00+08:00")
			w := newWorld(t, office(t, nil), nodesAt("blue"), groupAt("workers", "running", nil))
			w.scopes = beijing
			if err := w.sim.SetFaults([]awssim.Fault{{Action: action, Kind: awssim.FaultDenied}}); err != nil {
				t.Fatal(err)
			}
			reports := w.live(clockTime(5, 18, 5))
			if gaps := reports[len(reports)-1].Gaps; len(gaps) == 0 {
				t.Errorf("%s is denied, and no gap is reported", action)
			}
			w.expect("in the evening", map[string]string{"workers": "0-0-0"})
			w.expectNodes("in the evening", "2-7-9", "", 7)
		})
	}
}
