package decide

import (
	"strings"
	"testing"
	"time"

	"dayshift/internal/fleet"
)

func TestSettle(t *testing.T) {
	const userStop = "Client.UserInitiatedShutdown: User initiated shutdown"
	began := at("03 09:00:00")
	start := Intent{Verb: fleet.Start, Run: "r1", Term: 3, At: began, Accepted: began, From: fleet.Stopped}
	stop := Intent{Verb: fleet.Stop, Run: "r1", Term: 3, At: began, Accepted: began, From: fleet.Running}
	crashed := func(i Intent) Intent { i.Accepted = time.Time{}; return i }
	typed := func(i Intent, name string) Intent { i.Type = name; return i }
	for _, test := range []struct {
		name     string
		intent   Intent
		after    time.Duration
		state    fleet.State
		resource func(*fleet.Resource)
		ended    Ended
		last     Remembered
		crash    bool
		check    func(*testing.T, Memory, Outcome)
	}{
		{name: "a start arrives", intent: start, after: 40 * time.Second, state: fleet.Running, ended: Started, last: WasRunning},
		{name: "a stop arrives", intent: stop, after: 40 * time.Second, state: fleet.Stopped, ended: HasStopped, last: WasStopped},
		{name: "a hibernation arrives", intent: Intent{Verb: fleet.Hibernate, At: began, Accepted: began}, after: time.Minute, state: fleet.Stopped, ended: HasStopped, last: WasStopped},
		{name: "on its way up", intent: start, after: time.Minute, state: fleet.Starting, ended: StillWaits, last: WasRunning},
		{name: "on its way up for too long", intent: start, after: 16 * time.Minute, state: fleet.Starting, ended: HasFailed, last: StartFailed},
		{name: "on its way down for too long", intent: stop, after: 16 * time.Minute, state: fleet.Stopping, ended: HasFailed, last: StopFailed},
		{name: "a database takes longer", intent: start, after: 16 * time.Minute, state: fleet.Starting, resource: asDatabase, ended: StillWaits, last: WasRunning},
		{name: "a database's maintenance in between", intent: start, after: 10 * time.Minute, state: fleet.Other, resource: asDatabase, ended: StillWaits, last: WasRunning},
		{name: "an old listing", intent: start, after: 20 * time.Second, state: fleet.Stopped, ended: StillWaits, last: WasRunning},
		{name: "a listing from before the call", intent: start, after: time.Minute, state: fleet.Stopped, resource: func(r *fleet.Resource) { r.SeenAt = began.Add(-time.Second) }, ended: StillWaits, last: WasRunning},
		{
			name: "fell back for want of a key", intent: start, after: time.Minute, state: fleet.Stopped, resource: reason("Client.InvalidKMSKey.InvalidState: the key is disabled"), ended: HasFailed, last: StartFailed,
			check: func(t *testing.T, m Memory, out Outcome) {
				if !strings.Contains(out.Why, "the key is disabled") || m.LastError != out.Why || m.Attempts != 1 || !m.NotBefore.After(began.Add(time.Minute)) {
					t.Errorf("%+v, %+v", m, out)
				}
			},
		},
		{name: "fell back without a reason", intent: start, after: 5 * time.Minute, state: fleet.Stopped, ended: HasFailed, last: StartFailed},
		{name: "started, then stopped by a person", intent: start, after: 5 * time.Minute, state: fleet.Stopped, resource: launched(began.Add(time.Second), userStop), ended: Started, last: WasRunning},
		{name: "the reason of the stop before", intent: start, after: 5 * time.Minute, state: fleet.Stopped, resource: launched(began.Add(-time.Hour), userStop), ended: HasFailed, last: StartFailed},
		{name: "nobody looked for hours", intent: start, after: 5 * time.Hour, state: fleet.Stopped, resource: asDatabase, ended: Started, last: WasRunning},
		{name: "nobody looked for hours, but a reason is there", intent: start, after: 5 * time.Hour, state: fleet.Stopped, resource: reason("Server.InternalError"), ended: HasFailed, last: StartFailed},
		{name: "a listing a minute old", intent: start, after: 80 * time.Second, state: fleet.Stopped, resource: launched(began.Add(-time.Hour), userStop), ended: StillWaits, last: WasRunning},
		{name: "a listing of a database a minute old", intent: start, after: 80 * time.Second, state: fleet.Stopped, resource: asDatabase, ended: StillWaits, last: WasRunning},
		{name: "a listing a minute old, after a stop", intent: stop, after: 80 * time.Second, state: fleet.Running, resource: launched(began.Add(-time.Hour), ""), ended: StillWaits, last: WasStopped},
		{name: "started, and stopped by a person within the minute", intent: start, after: 40 * time.Second, state: fleet.Stopped, resource: launched(began.Add(time.Second), userStop), ended: Started, last: WasRunning},
		{name: "went on running", intent: stop, after: 2 * time.Minute, state: fleet.Running, resource: launched(began.Add(-time.Hour), ""), ended: HasFailed, last: StopFailed},
		{name: "stopped, then started by a person", intent: stop, after: 5 * time.Minute, state: fleet.Running, resource: launched(began.Add(2*time.Minute), ""), ended: HasStopped, last: WasStopped},
		{name: "a stop nobody looked after", intent: stop, after: 5 * time.Hour, state: fleet.Running, resource: asDatabase, ended: HasStopped, last: WasStopped},

		{name: "crash after the call", intent: crashed(start), crash: true, after: time.Minute, state: fleet.Running, ended: Started, last: WasRunning},
		{name: "crash after the call, on its way", intent: crashed(start), crash: true, after: time.Minute, state: fleet.Starting, ended: StillWaits, last: WasStopped},
		{name: "crash after the stop", intent: crashed(stop), crash: true, after: time.Minute, state: fleet.Stopped, ended: HasStopped, last: WasStopped},
		{name: "crash before the call, just now", intent: crashed(start), crash: true, after: 10 * time.Second, state: fleet.Stopped, ended: StillWaits, last: WasStopped},
		{name: "crash before the call", intent: crashed(start), crash: true, after: time.Minute, state: fleet.Stopped, ended: NeverMade, last: WasStopped},
		{name: "crash before the stop", intent: crashed(stop), crash: true, after: time.Minute, state: fleet.Running, resource: launched(began.Add(-time.Hour), ""), ended: NeverMade, last: WasRunning},
		{name: "crash after the call, fell back", intent: crashed(start), crash: true, after: time.Minute, state: fleet.Stopped, resource: launched(began.Add(time.Second), "Server.InternalError"), ended: HasFailed, last: StartFailed},
		{
			name: "crash inside a resize", intent: typed(crashed(stop), "t3.small"), crash: true, after: time.Minute, state: fleet.Stopped, ended: HasStopped, last: WasRunning,
			check: func(t *testing.T, m Memory, _ Outcome) {
				if m.ResizeTo != "t3.small" {
					t.Error("it would be left stopped")
				}
			},
		},
		{name: "a resize that went on running", intent: typed(stop, "t3.small"), after: 2 * time.Minute, state: fleet.Running, resource: launched(began.Add(-time.Hour), ""), ended: HasFailed, last: WasRunning},
		{
			name: "started with another type than asked, crash", intent: typed(crashed(start), "t3.small"), crash: true, after: time.Minute, state: fleet.Running, ended: Started, last: WasRunning,
			check: func(t *testing.T, m Memory, _ Outcome) {
				if m.RefusedType != "t3.small" {
					t.Error("it would be stopped at once")
				}
			},
		},
		{name: "the listing still shows the type before", intent: typed(start, "t3.small"), after: 20 * time.Second, state: fleet.Running, ended: StillWaits, last: WasRunning},
		{name: "another holder's", intent: Intent{Verb: fleet.Start, Term: 9, At: began, Accepted: began}, after: time.Hour, state: fleet.Running, ended: StillWaits, last: WasRunning},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := began.Add(test.after)
			r := machine(test.state)
			r.SeenAt = now
			if test.resource != nil {
				test.resource(&r)
			}
			m := remembered(r, WasStopped, began)
			switch {
			case test.crash && test.intent.Verb != fleet.Start:
				m.Last = WasRunning // as before the call
			case !test.crash && (test.intent.Verb == fleet.Start || test.intent.Type != ""):
				m.Last = WasRunning // as accepted
			}
			m.Intent = &test.intent
			kept := test.intent
			got, out := Settle(m, r, now, 3)
			if out.Ended != test.ended || got.Last != test.last {
				t.Fatalf("got %s, memory %s (%s); want %s, %s", out.Ended, got.Last, out.Why, test.ended, test.last)
			}
			if (got.Intent != nil) != (out.Ended == StillWaits) {
				t.Errorf("%s, intent %v", out.Ended, got.Intent)
			}
			if test.intent != kept {
				t.Error("the stored intent was changed")
			}
			if out.Ended != StillWaits && out.Recovered != test.crash {
				t.Errorf("recovered: %v", out.Recovered)
			}
			if test.check != nil {
				test.check(t, got, out)
			}
		})
	}
	if m, out := Settle(Memory{}, machine(fleet.Running), began, 1); out != (Outcome{}) || m != (Memory{}) {
		t.Error("without an intent there is nothing to settle")
	}
}

func asDatabase(r *fleet.Resource) { seen := r.SeenAt; *r = database(r.State); r.SeenAt = seen }

func reason(text string) func(*fleet.Resource) {
	return func(r *fleet.Resource) { r.StateReason = text }
}

func launched(when time.Time, why string) func(*fleet.Resource) {
	return func(r *fleet.Resource) { r.LaunchedAt, r.StateReason = when, why }
}

// A clock that was set back by a year does not leave an action open for a year.
func TestSettleAfterTheClockWasSetBack(t *testing.T) {
	now := at("03 09:00:00")
	r := machine(fleet.Stopped)
	m := remembered(r, WasRunning, now)
	m.Intent = &Intent{Verb: fleet.Start, At: now.AddDate(1, 0, 0), Accepted: now.AddDate(1, 0, 0)}
	for range 10 {
		r.SeenAt = now
		var out Outcome
		if m, out = Settle(m, r, now, 1); out.Ended != StillWaits {
			return
		}
		now = now.Add(time.Minute)
	}
	t.Error("still waiting after ten minutes")
}

func TestActionUnderWay(t *testing.T) {
	for _, waited := range []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute} {
		in := row{now: evening, change: enforced, state: fleet.Running, memory: WasRunning, with: func(m *Memory) {
			m.Intent = &Intent{Verb: fleet.Start, At: evening.Add(-waited), Accepted: evening.Add(-waited)}
		}}.input(t)
		d := Decide(in)
		checkLaws(t, in, d)
		if gap := d.Recheck.Sub(evening); d.Reason != ActionUnderWay || d.Memory.Intent == nil || gap < firstLook || gap > lastLook {
			t.Errorf("after %s: %s, again after %s", waited, d.Reason, gap)
		}
	}
}

func TestOutcomesAreRemembered(t *testing.T) {
	in := row{now: evening, state: fleet.Running, memory: WasRunning}.input(t)
	d := Decide(in)
	intended := d.Intend("r7", 4)
	if intended.Last != WasRunning || intended.Intent == nil || *intended.Intent != (Intent{Verb: fleet.Stop, Run: "r7", Term: 4, At: evening, From: fleet.Running}) {
		t.Fatalf("intended: %+v", intended)
	}
	if m := d.Unclear(); m != intended {
		t.Errorf("unclear: %+v", m)
	}
	if m := d.Untouched(); m.Intent != nil || m.Last != WasRunning || !m.DecidedAt.Equal(evening.Add(-time.Hour)) {
		t.Errorf("untouched: %+v", m)
	}
	later := evening.Add(2 * time.Second)
	if m := d.Accepted(later, ""); m.Last != WasStopped || m.Intent.Run != "r7" || !m.Intent.Accepted.Equal(later) || !d.Memory.Intent.Accepted.IsZero() {
		t.Errorf("accepted: %+v", m)
	}
	if m := d.Failed(later, "no"); m.Last != StopFailed || m.Intent != nil || m.Attempts != 1 || m.LastError != "no" {
		t.Errorf("failed: %+v", m)
	}
}

func TestBackoff(t *testing.T) {
	ref := machine(fleet.Stopped).Ref
	for failures := range 2000 {
		wait := Backoff(ref, failures)
		if wait != Backoff(ref, failures) || wait <= 0 || wait > backoffCap {
			t.Fatalf("after %d failures: %s", failures, wait)
		}
	}
	other := ref
	other.ID = "i-0fedcba9876543210"
	if Backoff(ref, 3) == Backoff(other, 3) {
		t.Error("two resources come back together")
	}
}

func TestDiffers(t *testing.T) {
	m := remembered(machine(fleet.Running), WasRunning, evening)
	m.Intent = &Intent{Verb: fleet.Stop}
	same := m
	same.Intent = &Intent{Verb: fleet.Stop}
	same.DecidedAt, same.SeenAt = m.DecidedAt.Add(time.Minute), m.SeenAt.Add(time.Minute)
	if same.Differs(m) {
		t.Error("a look without news has to be written")
	}
	for name, change := range map[string]func(*Memory){
		"intent gone": func(m *Memory) { m.Intent = nil }, "intent": func(m *Memory) { m.Intent = &Intent{Verb: fleet.Start} },
		"last": func(m *Memory) { m.Last = WasStopped }, "missing": func(m *Memory) { m.Missing = evening },
		"warned": func(m *Memory) { m.Warned = evening },
	} {
		changed := m
		change(&changed)
		if !changed.Differs(m) {
			t.Errorf("%s: not written", name)
		}
	}
}
