package decide

import (
	"testing"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// group is a scaled resource in a state, with what its tags say beside the schedule.
func group(state fleet.State, tags ...string) fleet.Resource {
	r := machine(state)
	r.Kind, r.ID, r.Name, r.Type = fleet.AutoScalingGroup, "web", "web", ""
	r.LaunchedAt = time.Time{}
	r.Native = "0-0-0"
	if state == fleet.Running {
		r.Native, r.Size = "2-4-8", "2-4-8"
	}
	for i := 0; i+1 < len(tags); i += 2 {
		r.Tags[tags[i]] = tags[i+1]
	}
	return r
}

func TestAStartOfSomethingScaledSaysWhatItBringsBack(t *testing.T) {
	for _, test := range []struct {
		name, memory string
		tags         []string
		size, fact   string
	}{
		{"as it was when it was stopped", "1-1-1", []string{fleet.TagSaved, "2-4-8"}, "2-4-8", "brings back 2-4-8 of tag dayshift:saved"},
		{"as its owner wants it", "1-1-1", []string{fleet.TagSaved, "2-4-8", fleet.TagMinDesiredMax, "1-2-3", fleet.TagSize, " 3-3-9 "}, "3-3-9", "brings back 3-3-9 of tag dayshift:size"},
		{"as its owner wants it, by the older name", "", []string{fleet.TagSaved, "2-4-8", fleet.TagMinDesiredMax, "1-2-3"}, "1-2-3", "brings back 1-2-3 of tag IS-MinDesiredMax"},
		{"as it was seen last, where the tag is gone", "2-4-8", nil, "2-4-8", "brings back 2-4-8 of the time it was last seen running"},
		{"an empty tag says nothing", "2-4-8", []string{fleet.TagSize, " "}, "2-4-8", "brings back 2-4-8 of the time it was last seen running"},
		{"nobody knows", "", nil, "", "nobody knows what it brings back: it was never seen running, and no tag says it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := at("03 09:00:00")
			r := group(fleet.Stopped, test.tags...)
			m := remembered(r, WasStopped, now.Add(-time.Hour))
			m.Size = test.memory
			r.SeenAt = now
			d := Explain(Input{Now: now, Policy: bookOf(office(t, nil)).Governs(r), Memory: m, Resource: r})
			if d.Verb != fleet.Start || d.Size != test.size || d.Type != "" || len(d.Types) > 0 {
				t.Errorf("%s with size %q and type %q", d.Verb, d.Size, d.Type)
			}
			if fact := factOf(d.Chain, "size"); fact != test.fact {
				t.Errorf("the chain says %q", fact)
			}
		})
	}
}

func factOf(chain []Step, rule string) string {
	for _, step := range chain {
		if step.Rule == rule {
			return step.Fact.String()
		}
	}
	return ""
}

func TestTheSizeIsLearnedWhileItRunsAndKept(t *testing.T) {
	g := newStage(t, office(t, nil), fleet.Running, WasRunning, at("03 12:00:00"))
	g.r = group(fleet.Running)
	g.m = remembered(g.r, WasRunning, at("03 12:00:00"))
	g.pass(at("03 12:00:00"))
	if g.m.Size != "2-4-8" {
		t.Fatalf("learned %q", g.m.Size)
	}
	g.r.Size = "2-6-8" // its own scaling
	g.pass(at("03 13:00:00"))
	if g.m.Size != "2-6-8" {
		t.Fatalf("learned %q", g.m.Size)
	}
	g.r.Size = ""
	for _, now := range []string{"03 18:00:00", "03 18:00:30", "03 18:10:00", "04 08:59:00"} {
		g.pass(at(now))
		if g.m.Size != "2-6-8" {
			t.Fatalf("at %s it is %q", now, g.m.Size)
		}
	}
	g.r = group(fleet.Stopped)
	g.r.Tags[g.book.TagKey] = "another" // a changed schedule tag resets memory, not the size
	if d := g.pass(at("04 09:00:00")); d.Memory.Size != "2-6-8" {
		t.Errorf("after another schedule %q", d.Memory.Size)
	}
}

// Its numbers change with the call: what is seen half a minute later somebody did.
func TestSettleOfSomethingScaled(t *testing.T) {
	began := at("03 09:00:00")
	for _, test := range []struct {
		name     string
		verb     fleet.Verb
		accepted bool
		after    time.Duration
		state    fleet.State
		ended    Ended
	}{
		{"a start is seen at once", fleet.Start, true, time.Second, fleet.Running, Started},
		{"a stop is seen at once", fleet.Stop, true, time.Second, fleet.Stopped, HasStopped},
		{"an old listing", fleet.Stop, true, 20 * time.Second, fleet.Running, StillWaits},
		{"a person scaled it up since", fleet.Stop, true, time.Minute, fleet.Running, HasStopped},
		{"its own scaling took it down since", fleet.Start, true, time.Minute, fleet.Stopped, Started},
		{"crash between the tag and the update", fleet.Stop, false, time.Minute, fleet.Running, NeverMade},
		{"crash between the update and the record", fleet.Stop, false, time.Minute, fleet.Stopped, HasStopped},
		{"crash before a start", fleet.Start, false, time.Minute, fleet.Stopped, NeverMade},
		{"it is being deleted", fleet.Stop, true, 16 * time.Minute, fleet.Other, HasFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := fleet.Running
			if test.verb == fleet.Start {
				from = fleet.Stopped
			}
			r := group(test.state, fleet.TagSaved, "2-4-8")
			now := began.Add(test.after)
			r.SeenAt = now
			m := remembered(group(from), WasRunning, began)
			m.Intent = &Intent{Verb: test.verb, Run: "r1", At: began, From: from}
			if test.accepted {
				m.Intent.Accepted = began
			}
			_, out := Settle(m, r, now, 1)
			if out.Ended != test.ended {
				t.Errorf("%+v", out)
			}
		})
	}
}

// What holds of a machine holds of a group.
func TestSemanticsOfSomethingScaled(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*policy.Schedule)
		state  fleet.State
		last   Remembered
		now    string
		verb   fleet.Verb
		reason Reason
	}{
		{"its period begins", nil, fleet.Stopped, WasStopped, "03 09:00:00", fleet.Start, PeriodBegan},
		{"its period ends", nil, fleet.Running, WasRunning, "03 18:00:00", fleet.Stop, PeriodEnded},
		{"a person scaled it up at night", nil, fleet.Running, WasStopped, "03 20:00:00", "", ManualStart},
		{"the same, enforced", func(s *policy.Schedule) { s.Enforced = true }, fleet.Running, WasStopped, "03 20:00:00", fleet.Stop, EnforcedStop},
		{"a person scaled it to nothing by day", nil, fleet.Stopped, WasRunning, "03 12:00:00", "", ManualStop},
		{"the same, enforced ", func(s *policy.Schedule) { s.Enforced = true }, fleet.Stopped, WasRunning, "03 12:00:00", fleet.Start, EnforcedStart},
		{"retained for a person", func(s *policy.Schedule) { s.RetainRunning = true }, fleet.Running, WasStopped, "03 09:00:00", "", Retained},
		{"retained at the end", func(s *policy.Schedule) { s.RetainRunning = true }, fleet.Running, RetainRunning, "03 18:00:00", "", RetainedAtEnd},
		{"stop-only", func(s *policy.Schedule) { s.Mode = policy.StopOnly }, fleet.Stopped, WasStopped, "03 09:00:00", "", ModeStopOnly},
		{"start-only", func(s *policy.Schedule) { s.Mode = policy.StartOnly }, fleet.Running, WasRunning, "03 18:00:00", "", ModeStartOnly},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := at(test.now)
			r := group(test.state, fleet.TagSaved, "2-4-8")
			r.SeenAt = now
			d := Decide(Input{Now: now, Policy: bookOf(office(t, test.change)).Governs(r), Memory: remembered(r, test.last, now.Add(-time.Hour)), Resource: r})
			if d.Verb != test.verb || d.Reason != test.reason {
				t.Errorf("%q for %q: %s", d.Verb, d.Reason, d.Sentence())
			}
			if d.Verb == fleet.Start && d.Size != "2-4-8" {
				t.Errorf("size %q", d.Size)
			}
		})
	}
}

func TestGroupsLeftToTheirOwners(t *testing.T) {
	for _, bar := range []fleet.Bar{fleet.ServiceManaged, fleet.ScalingSuspended} {
		for _, test := range []struct {
			state fleet.State
			last  Remembered
			now   string
		}{{fleet.Running, WasRunning, "03 18:00:00"}, {fleet.Stopped, WasStopped, "03 09:00:00"}} {
			now := at(test.now)
			r := group(test.state)
			r.Bar, r.SeenAt = bar, now
			d := Decide(Input{Now: now, Policy: bookOf(office(t, nil)).Governs(r), Memory: remembered(r, test.last, now.Add(-time.Hour)), Resource: r})
			if d.Verb != "" || d.Reason != Reason(bar) {
				t.Errorf("%s and %s: %q for %q", bar, test.state, d.Verb, d.Reason)
			}
		}
	}
}
