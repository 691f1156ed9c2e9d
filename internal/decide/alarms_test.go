package decide

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

func TestWhenAlarmsAreMutedAndRestored(t *testing.T) {
	stopOf := func(accepted, mute bool) *Intent {
		intent := &Intent{Verb: fleet.Stop, Mute: mute}
		if accepted {
			intent.Accepted = time.Unix(1, 0)
		}
		return intent
	}
	for _, test := range []struct {
		name          string
		m             Memory
		state         fleet.State
		mute, restore bool
	}{
		{"nothing was muted", Memory{}, fleet.Running, false, false},
		{"a stop is about to be made", Memory{Intent: stopOf(false, true)}, fleet.Running, false, false},
		{"a stop was accepted, the listing is old", Memory{Intent: stopOf(true, true)}, fleet.Running, true, false},
		{"the process died before it knew, and it is stopping", Memory{Intent: stopOf(false, true)}, fleet.Stopping, true, false},
		{"the process died before it knew, and it is stopped", Memory{Intent: stopOf(false, true)}, fleet.Stopped, true, false},
		{"its alarms are muted, it is stopping", Memory{Intent: stopOf(true, false), Muted: "a"}, fleet.Stopping, false, false},
		{"a stop that mutes nothing", Memory{Intent: stopOf(true, false)}, fleet.Stopped, false, false},
		{"stopped, CloudWatch did not answer", Memory{Mute: true}, fleet.Stopped, true, false},
		{"stopped and mute", Memory{Muted: "a"}, fleet.Stopped, false, false},
		{"it runs again", Memory{Muted: "a"}, fleet.Running, false, true},
		{"it runs again, and nothing was muted yet", Memory{Mute: true}, fleet.Running, false, true},
		{"it is on its way up", Memory{Muted: "a", Intent: &Intent{Verb: fleet.Start}}, fleet.Starting, false, false},
		{"it runs, and its start is not verified yet", Memory{Muted: "a", Intent: &Intent{Verb: fleet.Start}}, fleet.Running, false, false},
		{"it runs, and is about to be stopped again", Memory{Muted: "a", Intent: stopOf(true, false)}, fleet.Running, false, false},
		{"it is being modified", Memory{Muted: "a", Mute: true}, fleet.Other, false, false},
	} {
		if mute, restore := test.m.MuteDue(test.state), test.m.RestoreDue(test.state); mute != test.mute || restore != test.restore {
			t.Errorf("%s: mute %v, restore %v", test.name, mute, restore)
		}
	}
}

func TestWhatIsRememberedOfAlarms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[^\pC]{1,20}`)
		first, second := rapid.SliceOf(name).Draw(t, "first"), rapid.SliceOf(name).Draw(t, "second")
		intent := Intent{Verb: fleet.Stop, Mute: true}
		before := Memory{Intent: &intent}
		m := before.Muting(first).Muting(second)
		kept := map[string]bool{}
		for i, n := range m.MutedAlarms() {
			if kept[n] || i > 0 && m.MutedAlarms()[i-1] > n {
				t.Fatalf("not ordered or twice: %q", m.MutedAlarms())
			}
			kept[n] = true
		}
		for _, n := range append(first, second...) {
			if !kept[n] {
				t.Fatalf("%q is lost", n)
			}
		}
		if len(kept) > len(first)+len(second) || !m.MuteDue(fleet.Stopping) {
			t.Fatalf("%q, due %v", m.MutedAlarms(), m.MuteDue(fleet.Stopping))
		}
		if done := m.WasMuted(); done.MuteDue(fleet.Stopping) || done.Muted != m.Muted || !intent.Mute {
			t.Fatalf("once muted: %+v; what came before is changed: %v", done, !intent.Mute)
		}
		if back := m.WasMuted().WasRestored(); back.RestoreDue(fleet.Running) || back.MutedAlarms() != nil {
			t.Fatalf("once restored: %+v", back)
		}
	})
}

// What was muted survives whatever else is remembered and forgotten.
func TestAStopIsSettledWithItsAlarms(t *testing.T) {
	at := time.Date(2027, 3, 1, 18, 0, 0, 0, time.UTC)
	m := Memory{Intent: &Intent{Verb: fleet.Stop, Mute: true, At: at, From: fleet.Running}, Muted: "a"}
	seen := func(state fleet.State, after time.Duration) fleet.Resource {
		return fleet.Resource{Ref: fleet.Ref{Kind: fleet.EC2Instance, ID: "i-1"}, State: state, SeenAt: at.Add(after), Tags: map[string]string{}}
	}
	if after, out := Settle(m, seen(fleet.Stopped, time.Minute), at.Add(time.Minute), 1); out.Ended != HasStopped || !after.Mute || after.Muted != "a" {
		t.Errorf("stopped: %+v", after)
	}
	m.Intent.Accepted = at
	after, out := Settle(m, seen(fleet.Running, time.Hour), at.Add(time.Hour), 1)
	if out.Ended == StillWaits || after.MuteDue(fleet.Running) || !after.RestoreDue(fleet.Running) {
		t.Errorf("runs on: %+v, %+v", after, out)
	}
	d := Decide(Input{Now: at, Memory: Memory{Ref: seen(fleet.Stopped, 0).Ref, Schedule: "before", Muted: "a", Mute: true}, Resource: seen(fleet.Stopped, 0)})
	if d.Memory.Muted != "a" || !d.Memory.Mute {
		t.Errorf("under another schedule: %+v", d.Memory)
	}
}

func TestAlarmList(t *testing.T) {
	if got := AlarmList([]string{"a\"b", "c"}).String(); got != `"a\"b", "c"` {
		t.Error(got)
	}
	if got := AlarmList(strings.Split("abcdefg", "")).String(); got != `"a", "b", "c", "d", "e", 2 more` {
		t.Error(got)
	}
}
