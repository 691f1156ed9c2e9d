package pass_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"dayshift/internal/awssim"
	"dayshift/internal/pass"
	"dayshift/internal/store"
)

// livelyFleet has something of every kind that takes tags, and one that can not be started.
func livelyFleet(t *testing.T, state string) []awssim.Resource {
	t.Helper()
	of := map[string][2]string{"ec2": {"running", "stopped"}, "rds": {"available", "stopped"}, "asg": {"running", "stopped"}, "ecs": {"running", "stopped"}}
	var resources []awssim.Resource
	for _, kind := range []string{"ec2", "rds", "asg", "ecs"} {
		is := of[kind][1]
		if state == "running" {
			is = of[kind][0]
		}
		r := at("cn-north-1", shop, kind, kind+"-1", is, nil)
		switch kind {
		case "asg":
			r = groupAt("asg-1", state, map[string]string{"dayshift:saved": "2-7-9"})
		case "ecs":
			r.Cluster = "web"
			r.Tags["dayshift:saved"] = "2"
			if state == "running" {
				r.Desired = 2
			}
		}
		resources = append(resources, r)
	}
	return resources
}

func (w *world) tagCalls() int {
	n := 0
	for _, action := range []string{"CreateTags", "DeleteTags", "AddTagsToResource", "RemoveTagsFromResource", "CreateOrUpdateTags", "TagResource", "UntagResource"} {
		for _, call := range w.sim.Calls() {
			if call.Action == action {
				n++
			}
		}
	}
	return n
}

func TestTagsAreOffByConfiguration(t *testing.T) {
	for _, options := range []pass.TagOptions{{}, {LastAction: true}, {Error: true}, {LastAction: true, Error: true}} {
		t.Run(fmt.Sprintf("%+v", options), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, nil), livelyFleet(t, "stopped")...)
				w.scopes = beijing
				w.tagging = options
				w.faults("- {kind: error, action: StartDBInstance, code: InsufficientDBInstanceCapacity, count: 1}\n- {kind: cannot-start, resource: ec2-1, count: 1}")
				w.live(clockTime(5, 9, 30))
				last := 0
				for name, tags := range w.tags() {
					if tags["dayshift:last-action"] != "" {
						last++
						if !strings.HasPrefix(tags["dayshift:last-action"], "start 2027-03-05T01:0") {
							t.Errorf("%s: %q", name, tags["dayshift:last-action"])
						}
					}
					if tags["dayshift:error"] != "" {
						t.Errorf("%s: an error is left behind: %q", name, tags["dayshift:error"])
					}
				}
				if want := map[bool]int{true: 4}[options.LastAction]; last != want {
					t.Errorf("%d resources tell their last action, want %d: %v", last, want, w.tags())
				}
				calls := w.sim.Stats().ByAction
				if wrote := calls["ec2:CreateTags"] > 0; wrote != (options.Error || options.LastAction) {
					t.Errorf("%d calls", calls["ec2:CreateTags"])
				}
				if removed := calls["ec2:DeleteTags"] + calls["rds:RemoveTagsFromResource"]; (removed > 0) != options.Error || removed > 2 {
					t.Errorf("%d removals of an error", removed)
				}
				w.expect("all the same", map[string]string{"ec2-1": "running", "rds-1": "available", "asg-1": "2-7-9"})
			})
		})
	}
}

// What goes on failing in the same way is written once; a batch with one value is one call.
func TestTagsAreWrittenWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		var fleet []awssim.Resource
		for i := range 30 {
			r := at("cn-north-1", shop, "ec2", fmt.Sprintf("web-%02d", i), "stopped", nil)
			r.Type, r.Zone = "c5.xlarge", "cn-north-1a"
			fleet = append(fleet, r)
		}
		fallen := at("cn-north-1", shop, "ec2", "fallen", "stopped", nil)
		w := newWorld(t, office(t, nil), append(fleet, fallen, at("cn-north-1", shop, "ec2", "fine", "stopped", nil))...)
		w.scopes = beijing
		w.capacity(0, "c5.xlarge")
		w.tagging = pass.TagOptions{LastAction: true, Error: true}
		w.faults("- {kind: fall-back, resource: fallen, code: Client.InvalidKMSKey.InvalidState, message: The key is disabled, until: 2h}")
		w.live(clockTime(5, 10, 0))
		tags := w.tags()
		if got := tags["web-07"]["dayshift:error"]; !strings.Contains(got, "InsufficientInstanceCapacity") {
			t.Errorf("without capacity: %q", got)
		}
		if got := tags["fallen"]["dayshift:error"]; !strings.Contains(got, "Client.InvalidKMSKey.InvalidState") {
			t.Errorf("fallen back: %q", got)
		}
		written := map[string]int{}
		for _, call := range w.sim.Calls() {
			if call.Action == "CreateTags" {
				written[fmt.Sprint(len(call.Resources))]++
			}
		}
		tries := len(w.rows(store.EventStartAccepted)) - 1 // of the one that falls back
		// One for all that have no capacity; the rest is the last action of each try, with its error the first time.
		if written["30"] != 1 || written["1"]+written["2"] > tries+2 {
			t.Errorf("calls by their size %v, %d tries", written, tries)
		}
		if removed := count(w.sim, "DeleteTags"); removed != 0 {
			t.Errorf("%d removals while it goes on failing", removed)
		}
		w.capacity(100, "c5.xlarge")
		w.faults("")
		w.live(clockTime(5, 11, 0))
		for name, tags := range w.tags() {
			if tags["dayshift:error"] != "" {
				t.Errorf("%s: left behind: %q", name, tags["dayshift:error"])
			}
		}
		calls := w.tagCalls()
		w.live(clockTime(5, 17, 0))
		if again := w.tagCalls(); again != calls {
			t.Errorf("%d calls while nothing was done", again-calls)
		}
	})
}

// tags are the tags of all resources, by name.
func (w *world) tags() map[string]map[string]string {
	tags := map[string]map[string]string{}
	for _, scope := range w.scopes {
		account, region := string(scope.Account), string(scope.Region)
		for _, i := range w.sim.Instances(account, region) {
			if i.Tags["aws:autoscaling:groupName"] == "" {
				tags[i.Tags["Name"]] = i.Tags
			}
		}
		for _, d := range w.sim.Databases(account, region) {
			tags[d.ID] = d.Tags
		}
		for _, g := range w.sim.Groups(account, region) {
			tags[g.Name] = g.Tags
		}
		for _, s := range w.sim.Services(account, region) {
			tags[s.ID] = s.Tags
		}
	}
	return tags
}
