package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

func twoHours(s *policy.Schedule) { s.CapacityDeadline = 2 * time.Hour }

// ladder accepts three types.
func ladder(r *fleet.Resource) {
	r.Type, r.Tags = "c5.xlarge", map[string]string{"Schedule": "office", fleet.TagInstanceTypes: "c5.xlarge, c5.large, m5.large"}
}

// refuse is a start that finds no capacity for any type.
func refuse(d *Decision, at time.Time) Memory {
	s := d.Memory.Shortage
	for _, name := range d.Types {
		s = s.Refuse(name, at)
	}
	return d.Walked(s).Short(at, "no capacity")
}

func TestShortageUntilTheDeadline(t *testing.T) {
	in := row{now: at("03 09:00:00"), change: twoHours, state: fleet.Stopped, memory: WasStopped, resource: ladder}.input(t)
	first, tries := in.Now, 0
	var last time.Time
	for {
		d := Decide(in)
		checkLaws(t, in, d)
		if d.Verb == "" {
			if d.Reason != CapacityGivenUp || !d.GaveUp || !d.Due.Equal(at("03 18:00:00")) || !strings.Contains(d.Sentence(), "from 2026-08-03T09:00:00Z") {
				t.Fatalf("%s, due %s: %s", d.Reason, d.Due, d.Sentence())
			}
			in.Memory = d.Memory
			break
		}
		if !slices.Equal(d.Types, []string{"c5.xlarge", "c5.large", "m5.large"}) || d.Preferred != "c5.xlarge" {
			t.Fatalf("round %d asks for %v", tries+1, d.Types)
		}
		tries, last = tries+1, in.Now
		in.Memory = refuse(&d, in.Now)
		if wait := in.Memory.NotBefore.Sub(in.Now); wait > backoffCap+shortageGrid {
			t.Fatalf("round %d waits %s", tries, wait)
		}
		in.Now = in.Memory.NotBefore
		in.Resource.SeenAt = in.Now
	}
	if !last.Equal(first.Add(2*time.Hour)) || tries < 11 || tries > 15 {
		t.Errorf("%d rounds, the last at %s", tries, last)
	}
	// It is said once, and forgotten when something else is wanted.
	in.Now = in.Now.Add(time.Hour)
	if d := Decide(in); d.GaveUp || d.Verb != "" || d.Memory.Shortage != in.Memory.Shortage {
		t.Errorf("an hour later: %s, %+v", d.Reason, d.Memory.Shortage)
	}
	for name, change := range map[string]func(in *Input){
		"another type is accepted": func(in *Input) {
			in.Resource.Tags = map[string]string{"Schedule": "office", fleet.TagInstanceTypes: "t3.large"}
		},
		"the clock was a year ahead": func(in *Input) {
			in.Memory.Shortage.GaveUp, in.Memory.Shortage.Until = in.Now.AddDate(1, 0, 0), in.Now.AddDate(1, 0, 1)
		},
		"the next day": func(in *Input) { in.Now = at("04 09:00:00") },
	} {
		again := in
		change(&again)
		again.Resource.SeenAt = again.Now
		if d := Decide(again); d.Verb != fleet.Start || !d.Memory.Shortage.IsZero() || d.Memory.Attempts != 0 {
			t.Errorf("%s: %s, %+v", name, d.Reason, d.Memory)
		}
	}
	in.Now, in.Resource.SeenAt = at("03 18:00:00"), at("03 18:00:00")
	if d := Decide(in); d.Reason != AlreadyStopped || !d.Memory.Shortage.IsZero() {
		t.Errorf("in the evening: %s, %+v", d.Reason, d.Memory.Shortage)
	}
}

func TestShortageWithoutDeadlineIsTriedOn(t *testing.T) {
	in := row{now: at("03 09:00:00"), state: fleet.Stopped, memory: StartFailed, resource: ladder, with: func(m *Memory) {
		m.Shortage = Shortage{Since: at("01 09:00:00"), At: at("03 08:50:00")}
	}}.input(t)
	if d := Decide(in); d.Verb != fleet.Start {
		t.Errorf("%s", d.Reason)
	}
}

// What was refused in a round that a crash ended is not asked for again; the
// period's own type stays the one to come back to.
func TestShortageGoesOnWhereItWas(t *testing.T) {
	since := at("03 09:00:00")
	rows := []struct {
		name    string
		refused string
		types   []string
	}{
		{"from the second", "c5.xlarge", []string{"c5.large", "m5.large"}},
		{"from the third", "c5.xlarge c5.large", []string{"m5.large"}},
		{"anew when the round was over", "c5.xlarge c5.large m5.large", []string{"c5.xlarge", "c5.large", "m5.large"}},
		{"a type that is accepted no more", "t3.nano", []string{"c5.xlarge", "c5.large", "m5.large"}},
	}
	for _, test := range rows {
		in := row{now: since.Add(time.Minute), change: twoHours, state: fleet.Stopped, memory: WasStopped, resource: ladder, with: func(m *Memory) {
			m.Shortage = Shortage{Since: since, At: since, Refused: test.refused}
		}}.input(t)
		d := Decide(in)
		if d.Verb != fleet.Start || !slices.Equal(d.Types, test.types) || d.Preferred != "c5.xlarge" || !d.Memory.Shortage.Since.Equal(since) {
			t.Errorf("%s: %s %v of %s", test.name, d.Reason, d.Types, d.Preferred)
		}
		if m := d.Accepted(in.Now, "m5.large"); m.RefusedType != "c5.xlarge" {
			t.Errorf("%s: %+v", test.name, m)
		}
	}
}

func TestSettleAShortage(t *testing.T) {
	start := func(accepted bool) Memory {
		m := remembered(machine(fleet.Stopped), WasRunning, morning)
		m.Intent = &Intent{Verb: fleet.Start, At: morning, From: fleet.Stopped}
		if accepted {
			m.Intent.Accepted = morning
		}
		m.Shortage = Shortage{Since: morning, At: morning, Refused: "c5.xlarge c5.large"}
		return m
	}
	now := morning.Add(time.Minute)
	seen := func(state fleet.State, reason string) fleet.Resource {
		r := machine(state)
		r.Type, r.StateReason, r.LaunchedAt, r.SeenAt = "m5.large", reason, morning.Add(time.Second), now
		return r
	}
	for _, accepted := range []bool{true, false} {
		m, out := Settle(start(accepted), seen(fleet.Running, ""), now, 1)
		if out.Ended != Started || out.Shortage.Refused != "c5.xlarge c5.large" || !m.Shortage.IsZero() {
			t.Errorf("it came up: %+v, %+v", out, m.Shortage)
		}
		if !accepted && m.RefusedType != "c5.xlarge" {
			t.Errorf("the type that it was not started as: %q", m.RefusedType)
		}
	}
	m, out := Settle(start(true), seen(fleet.Stopped, "Server.InsufficientInstanceCapacity: none"), now, 1)
	if out.Ended != HasFailed || m.Shortage.Refused != "c5.xlarge c5.large m5.large" || !m.Shortage.At.Equal(now) || m.Last != StartFailed {
		t.Errorf("it fell back: %+v, %+v", out, m)
	}
	m, out = Settle(start(true), seen(fleet.Stopped, "Client.InternalError: the key"), now, 1)
	if out.Ended != HasFailed || !out.Shortage.IsZero() || m.Shortage.Refused != "c5.xlarge c5.large" {
		t.Errorf("it fell back for another reason: %+v, %+v", out, m)
	}
}

// A person's decision begins anew, whatever was given up before.
func TestOverrideAfterGivingUp(t *testing.T) {
	in := row{now: morning, change: twoHours, state: fleet.Stopped, memory: StartFailed, with: func(m *Memory) {
		m.Shortage = Shortage{Since: at("03 07:00:00"), At: at("03 09:00:00"), GaveUp: at("03 09:00:00"), Until: at("03 18:00:00")}
	}}.input(t)
	if d := Decide(in); d.Reason != CapacityGivenUp {
		t.Fatalf("%s", d.Reason)
	}
	book := bookOf(office(t, twoHours))
	book.Overrides = []*policy.Override{{ID: "o-1", Target: policy.Target{Schedule: "office"}, State: calendar.Running, From: morning, Until: morning.Add(time.Hour), Author: "kim"}}
	in.Policy = book.Governs(in.Resource)
	if d := Decide(in); d.Verb != fleet.Start || d.Reason != OverrideStart || !d.Memory.Shortage.IsZero() {
		t.Errorf("%s, %+v", d.Reason, d.Memory.Shortage)
	}
}
