package decide

import (
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/workload"
)

// A member of a workload is moved by nobody alone, but by a person who decided about it alone; protection comes before that.
func TestAMemberOfAWorkloadNeverMovesSingly(t *testing.T) {
	now := time.Date(2027, 3, 5, 20, 0, 0, 0, time.UTC)
	compiled, err := calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"day"}},
		map[string]calendar.PeriodDef{"day": {BeginTime: "09:00", EndTime: "18:00"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	filter := func(text string) fleet.Filter {
		f, err := fleet.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ref := fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "eu-west-1"}, Kind: fleet.EC2Instance, ID: "i-1"}
	member := fleet.Resource{Ref: ref, State: fleet.Running, SeenAt: now, Tags: map[string]string{"Schedule": "office", "Role": "web"}}
	override := func(target policy.Target) *policy.Override {
		return &policy.Override{ID: "o-1", Target: target, State: calendar.Stopped, From: now.Add(-time.Hour), Until: now.Add(time.Hour), Author: "kim"}
	}
	shop := &workload.Workload{Name: "shop", Enabled: true, Tiers: []workload.Tier{{Name: "web", Filter: filter("tag:Role=web")}}}
	rule := Fire{Rule: "night", At: now, Verb: fleet.Stop, Until: now.Add(FireLasts)}
	for _, test := range []struct {
		name     string
		override *policy.Override
		protect  bool
		fires    []Fire
		outside  bool
		verb     fleet.Verb
		reason   Reason
	}{
		{name: "its schedule wants it stopped", reason: WorkloadMember},
		{name: "a rule stops it", fires: []Fire{rule}, reason: WorkloadMember},
		{name: "an override for its schedule", override: override(policy.Target{Schedule: "office"}), reason: WorkloadMember},
		{name: "an override for a filter", override: override(policy.Target{Filter: filter("tag:Role=web")}), reason: WorkloadMember},
		{name: "an override for the workload", override: override(policy.Target{Workload: "shop"}), reason: WorkloadMember},
		{name: "an override for it alone", override: override(policy.Target{Resource: ref}), verb: fleet.Stop, reason: OverrideStop},
		{name: "protected", override: override(policy.Target{Resource: ref}), protect: true, reason: ProtectedByTag},
		{name: "not a member", outside: true, verb: fleet.Stop, reason: PeriodEnded},
	} {
		t.Run(test.name, func(t *testing.T) {
			book := policy.Book{TagKey: "Schedule", Schedules: map[string]*policy.Schedule{
				"office": {Name: "office", Calendar: compiled, Enabled: true, StopNewInstances: true},
			}, Workloads: policy.NewWorkloads([]*workload.Workload{shop})}
			if test.override != nil {
				book.Overrides = []*policy.Override{test.override}
			}
			r := member
			r.Tags = map[string]string{"Schedule": "office", "Role": "web"}
			if test.protect {
				r.Tags[fleet.TagProtect] = "true"
			}
			if test.outside {
				r.Tags["Role"] = "other"
			}
			d := Explain(Input{Now: now, Policy: book.Governs(r), Resource: r, Fires: test.fires, Memory: Memory{
				Ref: ref, Schedule: "office", Last: WasRunning, FirstSeen: now.Add(-time.Hour), DecidedAt: now.Add(-time.Hour), Seen: fleet.Running, SeenAt: now.Add(-time.Hour),
			}})
			if d.Verb != test.verb || d.Reason != test.reason {
				t.Errorf("%s because of %s, want %s because of %s", d.Verb, d.Reason, test.verb, test.reason)
			}
			if len(test.fires) != len(d.Dropped) {
				t.Errorf("dropped are %+v", d.Dropped)
			}
			if test.reason == WorkloadMember && d.Chain[0].Fact.String() != `it is a member of the workload "shop", in tier "web"` {
				t.Errorf("it is explained by %q", d.Chain[0].Fact)
			}
		})
	}
}
