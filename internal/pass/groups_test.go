package pass_test

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/policy"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// groupAt is an Auto Scaling group of office hours in Beijing, seven strong while it runs.
func groupAt(name, state string, tags map[string]string) awssim.Resource {
	all := map[string]string{"Schedule": "cn-office-hours"}
	maps.Copy(all, tags)
	r := at("cn-north-1", shop, "asg", name, state, all)
	if state == "running" {
		r.Min, r.Desired, r.Max = 2, 7, 9
	}
	return r
}

func TestFault39SevenComeBackAsSeven(t *testing.T) {
	for _, test := range []struct {
		name string
		// night is what happens after the evening's stop, and size what Monday brings back.
		night func(w *world)
		tags  map[string]string
		size  string
	}{
		{name: "as they were", size: "2-7-9"},
		{name: "the memory is lost", size: "2-7-9", night: func(w *world) {
			w.store = memory.New()
			var err error
			if w.lease, err = w.store.Acquire(w.t.Context(), "scheduler", "another", w.now(), 1000*time.Hour); err != nil {
				w.t.Fatal(err)
			}
		}},
		{name: "the tag is lost", size: "2-7-9", night: func(w *world) { w.tagGroup("workers", "dayshift:saved", "") }},
		{name: "the tag is lost and the process restarts", size: "2-7-9", night: func(w *world) {
			w.tagGroup("workers", "dayshift:saved", "")
			w.restart()
		}},
		{name: "its owner wants another size", size: "1-3-5", night: func(w *world) { w.tagGroup("workers", "dayshift:size", "1-3-5") }},
		{name: "its owner always wanted another size", size: "1-3-5", tags: map[string]string{"IS-MinDesiredMax": "1-3-5"}},
		{name: "its owner used it on Saturday and scaled it down again", size: "1-1-2", night: func(w *world) {
			w.live(clockTime(6, 12, 0))
			w.scaleGroup("workers", 1, 1, 2)
			w.live(clockTime(6, 13, 0))
			w.tagGroup("workers", "dayshift:saved", "") // what was saved is older
			w.scaleGroup("workers", 0, 0, 0)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T17:00:00+08:00")
				w := newWorld(t, office(t, nil), groupAt("workers", "running", test.tags))
				w.scopes = beijing
				w.live(clockTime(5, 18, 5))
				w.expect("on Friday evening", map[string]string{"workers": "0-0-0"})
				if n := len(w.group("workers").Instances); n != 0 {
					t.Errorf("%d instances are left", n)
				}
				if test.night != nil {
					test.night(w)
				}
				w.live(clockTime(8, 8, 59))
				w.expect("before Monday's begin", map[string]string{"workers": "0-0-0"})
				w.live(clockTime(8, 9, 5))
				w.expect("on Monday", map[string]string{"workers": test.size})
				updates := count(w.sim, "UpdateAutoScalingGroup")
				if updates != 2 {
					t.Errorf("%d updates for one stop and one start", updates)
				}
				w.live(clockTime(8, 17, 0))
				if now := count(w.sim, "UpdateAutoScalingGroup"); now != updates {
					t.Errorf("%d further updates over the day", now-updates)
				}
				if n := w.sim.Stats().Throttled; n > 0 {
					t.Errorf("%d throttled", n)
				}
			})
		})
	}
}

func (w *world) group(name string) awssim.Group {
	w.t.Helper()
	g, found := w.sim.Group(shop, "cn-north-1", name)
	if !found {
		w.t.Fatalf("no group %s", name)
	}
	return g
}

func (w *world) tagGroup(name, key, value string) {
	w.t.Helper()
	if err := w.sim.TagGroup(shop, "cn-north-1", name, map[string]string{key: value}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) scaleGroup(name string, lo, desired, hi int) {
	w.t.Helper()
	if err := w.sim.ScaleGroup(shop, "cn-north-1", name, lo, desired, hi); err != nil {
		w.t.Fatal(err)
	}
}

// A call whose answer is lost, or that never arrives, is settled by what the
// next listing shows, and nothing of the size is lost.
func TestFault39AGroupAndLostAnswers(t *testing.T) {
	for name, fault := range map[string]awssim.Fault{
		"after the tag, before the update": {Action: "UpdateAutoScalingGroup", Kind: awssim.FaultReset},
		"after the update":                 {Action: "UpdateAutoScalingGroup", Kind: awssim.FaultReset, Applied: true},
		"before the tag":                   {Action: "CreateOrUpdateTags", Kind: awssim.FaultReset},
		"the tag's answer":                 {Action: "CreateOrUpdateTags", Kind: awssim.FaultReset, Applied: true},
		"contention":                       {Action: "UpdateAutoScalingGroup", Kind: awssim.FaultError, Code: "ResourceContention", Status: 500},
		"a scaling activity":               {Action: "UpdateAutoScalingGroup", Kind: awssim.FaultError, Code: "ScalingActivityInProgress"},
		"throttled":                        {Action: "UpdateAutoScalingGroup", Kind: awssim.FaultThrottle},
	} {
		for _, hits := range []int{1, 4, 10} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					begin(t, "2027-03-05T17:59:00+08:00")
					w := newWorld(t, office(t, nil), groupAt("workers", "running", nil))
					w.scopes = beijing
					w.run()
					fault := fault
					fault.Service, fault.Count = "autoscaling", hits
					if err := w.sim.SetFaults([]awssim.Fault{fault}); err != nil {
						t.Fatal(err)
					}
					w.live(clockTime(5, 19, 0))
					w.expect("an hour later", map[string]string{"workers": "0-0-0"})
					if saved := w.group("workers").Tags["dayshift:saved"]; saved != "2-7-9" {
						t.Errorf("saved: %q", saved)
					}
					w.live(clockTime(8, 9, 5))
					w.expect("on Monday", map[string]string{"workers": "2-7-9"})
				})
			})
		}
	}
}

func TestFault39AGroupThatNobodyKnowsTheSizeOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		w := newWorld(t, office(t, nil), groupAt("workers", "stopped", nil), groupAt("bad", "stopped", map[string]string{"dayshift:size": "4-2-8"}),
			groupAt("upside-down", "stopped", map[string]string{"dayshift:size": "5-5-2", "dayshift:saved": "1-1-1"}))
		w.scopes = beijing
		w.live(clockTime(5, 9, 1))
		said := map[string]string{}
		for _, row := range w.rows(store.EventFailed) {
			said[row.Ref.ID] = row.Detail
		}
		for name, want := range map[string]string{"workers": "set the tag dayshift:size to min-desired-max", "bad": `tag dayshift:size is "4-2-8": 2 is not from 4 to 8`, "upside-down": `tag dayshift:size is "5-5-2": 5 is not from 5 to 2`} {
			if !strings.Contains(said[name], want) {
				t.Errorf("of %s it says %q, want %q", name, said[name], want)
			}
		}
		w.expect("not touched", map[string]string{"workers": "0-0-0", "bad": "0-0-0", "upside-down": "0-0-0"})
		w.tagGroup("upside-down", "dayshift:size", "")
		w.tagGroup("workers", "dayshift:size", "1-2-4")
		w.tagGroup("bad", "dayshift:size", "2-4-8")
		w.live(clockTime(5, 10, 30))
		w.expect("once the tags are right", map[string]string{"workers": "1-2-4", "bad": "2-4-8", "upside-down": "1-1-1"})
	})
}

func TestGroupsAndTheirOwnScaling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:00:00+08:00")
		queue := groupAt("queue", "stopped", nil)
		queue.Max = 5
		kept := groupAt("kept", "running", nil)
		kept.ScaleInProtection = true
		frozen := groupAt("frozen", "running", nil)
		frozen.Suspended = []string{"Launch"}
		w := newWorld(t, office(t, nil), queue, kept, frozen, groupAt("plain", "running", nil))
		w.scopes = beijing
		w.scaleGroup("plain", 2, 4, 9) // at five, by a policy of its own
		w.live(clockTime(5, 17, 30))
		w.scaleGroup("plain", 2, 8, 9)
		w.live(clockTime(5, 18, 30))
		w.expect("in the evening", map[string]string{"queue": "0-0-5", "kept": "2-7-9", "frozen": "2-7-9", "plain": "0-0-0"})
		if saved := w.group("plain").Tags["dayshift:saved"]; saved != "2-8-9" {
			t.Errorf("saved: %q", saved)
		}
		for name, reason := range map[string]string{"kept": "stop-protected", "frozen": "scaling-suspended"} {
			if tags := w.group(name).Tags; tags["dayshift:saved"] != "" {
				t.Errorf("%s (%s) was touched: %v", name, reason, tags)
			}
		}
	})
}

// The person who scales a group up at night is respected, unless the schedule is enforced.
func TestAPersonScalesAGroupAtNight(t *testing.T) {
	for _, enforced := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			begin(t, "2027-03-05T17:59:00+08:00")
			w := newWorld(t, office(t, func(s *policy.Schedule) { s.Enforced = enforced }), groupAt("workers", "running", nil))
			w.scopes = beijing
			w.live(clockTime(5, 20, 0))
			w.scaleGroup("workers", 1, 2, 3)
			w.live(clockTime(5, 22, 0))
			want, saved := "1-2-3", "2-7-9"
			if enforced {
				want, saved = "0-0-0", "1-2-3"
			}
			w.expect("two hours later", map[string]string{"workers": want})
			if is := w.group("workers").Tags["dayshift:saved"]; is != saved {
				t.Errorf("enforced %v: saved %q, want %q", enforced, is, saved)
			}
			w.live(clockTime(8, 9, 5))
			w.expect("on Monday", map[string]string{"workers": "1-2-3"})
			w.live(clockTime(8, 18, 5))
			w.expect("on Monday evening", map[string]string{"workers": "0-0-0"})
		})
	}
}
