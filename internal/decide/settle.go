package decide

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"dayshift/internal/fleet"
)

// consistencyAllowance is how long after a call a listing may still show the
// state before it. AWS's listings are eventually consistent: mostly within a
// second or two, now and then ten; deciding on a stale state would undo what
// was just done.
const consistencyAllowance = 30 * time.Second

// doubt is how long after a call that was taken a listing is not believed that
// contradicts it and shows nothing that came after it: a listing a minute old
// looks like that too, and what it says would be told as a failure and done again.
const doubt = 90 * time.Second

// clockSkew is how far the provider's clock may be behind ours before the time
// of a launch is misread: its times are in whole seconds, and hosts keep time
// to within a second or two.
const clockSkew = 5 * time.Second

// Failed actions are tried again after 30 s, 1, 2, 4, 8 and then 15 minutes:
// soon enough for a hiccup, and a lasting shortage or a missing permission
// costs four calls an hour.
const (
	backoffBase = 30 * time.Second
	backoffCap  = 15 * time.Minute
)

// Backoff is how long to wait after so many failures in a row (1, 2, …): twice
// as long each time, up to a quarter of an hour, less up to a fifth that
// depends on the resource, so that those that failed together do not come back
// together, yet the same question has the same answer.
func Backoff(ref fleet.Ref, failures int) time.Duration {
	wait := backoffCap
	if shift := max(failures-1, 0); shift < 5 { // 30 s · 2^5 is over the cap
		wait = backoffBase << shift
	}
	part := (ref.Hash() + uint64(failures)*0x9e3779b97f4a7c15) >> 33 % 1000
	return wait - wait/5*time.Duration(part)/1000
}

// Ended says what became of an action that was under way.
type Ended string

// The ends.
const (
	NotUnderWay Ended = ""          // there was no intent
	StillWaits  Ended = "waiting"   // its end is not in sight yet
	Started     Ended = "started"   // seen running
	HasStopped  Ended = "stopped"   // seen stopped
	HasFailed   Ended = "failed"    // it fell back, or took too long; Outcome.Why says it
	NeverMade   Ended = "void"      // the process ended before its call was made
	Unhealthy   Ended = "unhealthy" // it runs, and the provider's own checks of it fail; Outcome.Why says it
	Unknowable  Ended = "unknown"   // a reboot whose call may or may not have been made; it is not repeated
)

// Outcome is what Settle found out.
type Outcome struct {
	Ended Ended
	Verb  fleet.Verb
	// Run is the pass that had begun it.
	Run string
	// Recovered: the process ended between the intent and its outcome, which was
	// found out now from what the resource looks like.
	Recovered bool
	// Took is how long after the call was taken it was seen at its end; 0 where nobody looked for too long to tell.
	Took time.Duration
	// Halfway: it was stopped only to change its type, and is started again.
	Halfway bool
	// Snapshot is the snapshot that a stop took first; empty: none.
	Snapshot string
	// Shortage is the missing capacity that the start had met before; zero: none.
	Shortage Shortage
	// Why is the provider's reason, or a sentence, where it failed.
	Why string
}

// intentTime is when the call was taken, or when it was about to be made.
func intentTime(intent Intent) time.Time {
	if intent.Accepted.IsZero() {
		return intent.At
	}
	return intent.Accepted
}

// Settle looks whether an action that was under way has come to its end. It is
// asked before Decide, with the memory as stored, what the listing shows and
// the term of the present lease. The memory returned has no intent any more,
// but for StillWaits.
func Settle(m Memory, r fleet.Resource, now time.Time, term int64) (Memory, Outcome) {
	if m.Intent == nil {
		return m, Outcome{}
	}
	intent := *m.Intent
	m.Intent = &intent
	accepted := !intent.Accepted.IsZero()
	out := Outcome{Verb: intent.Verb, Run: intent.Run, Ended: StillWaits}
	if intentTime(intent).After(now) {
		// The clock was set back: count from now, or it would wait for ever.
		if accepted {
			intent.Accepted = now
		}
		intent.At = now
	}
	at := intentTime(intent)
	age := now.Sub(at)
	deadline := r.Kind.Traits().Arrival
	if intent.Snapshot != "" {
		deadline += snapshotLasts
		out.Snapshot = intent.Snapshot
	}
	target := fleet.Stopped
	if intent.Verb == fleet.Start {
		target = fleet.Running
	}
	if intent.Term > term || !r.SeenAt.IsZero() && r.SeenAt.Before(m.Intent.At) {
		// Another holder's business, or a listing from before the call.
		return m, out
	}
	done := func() (Memory, Outcome) {
		out.Ended, out.Recovered = HasStopped, !accepted
		out.Halfway = target == fleet.Stopped && intent.Type != ""
		if accepted && age <= deadline {
			out.Took = age
		}
		if target == fleet.Running {
			out.Ended, out.Shortage = Started, m.Shortage
		}
		return arrived(m, r, intent, accepted), out
	}
	failed := func(why string) (Memory, Outcome) {
		out.Ended, out.Why, out.Recovered = HasFailed, why, !accepted
		m.Intent, m.Snapshot = nil, intent.Snapshot
		if target == fleet.Running && r.State == fleet.Stopped && shortOf(r) {
			m.Shortage = m.Shortage.Refuse(r.Type, now)
			out.Shortage = m.Shortage
		}
		if !intent.Fire.IsZero() {
			return failedFire(m, intent.Fire, now, why), out
		}
		m.Override = cmp.Or(intent.Override, m.Override)
		return fail(m, intent.Verb, intent.Verb != fleet.Start && intent.Type != "", now, why), out
	}
	switch intent.Verb {
	case fleet.Reboot: // no listing tells, and twice would be worse than not at all
		m.Intent = nil
		if m.Fire == intent.Fire {
			m.Fire = Fire{}
		}
		out.Ended, out.Recovered = Unknowable, true
		return m, out
	case fleet.Resize: // of what is stopped: it may simply be asked for again
		return void(m, out)
	}
	// launchedSince: it went up after a start was asked for, or again after a stop was.
	launchedSince := r.LaunchedAt.After(at)
	if target == fleet.Running {
		launchedSince = r.LaunchedAt.After(intent.At.Add(-clockSkew))
	}

	switch {
	case r.State == target:
		if accepted && target == fleet.Running && intent.Type != "" && r.Type != intent.Type && age < consistencyAllowance {
			return m, out // the listing still shows the type before the change
		}
		if target != fleet.Running || !intent.Verify || r.Health == fleet.Healthy {
			return done()
		}
		if age <= deadline {
			return m, out
		}
		m, out = done()
		out.Ended, out.Why = unverified(r, deadline)
		return m, out
	case !r.State.Settled():
		if age > deadline {
			return failed(fmt.Sprintf("it was still %s %s after the call", r.Native, deadline))
		}
		return m, out
	case age < consistencyAllowance:
		return m, out
	case accepted && r.Kind.Traits().Scaled:
		return done() // its numbers changed with the call, so what is seen now somebody did since
	case accepted && age < doubt && !launchedSince && (r.StateReason == "" || stoppedByPerson(r.StateReason)):
		return m, out
	case target == fleet.Running: // it is stopped
		switch {
		case launchedSince && stoppedByPerson(r.StateReason):
			return done() // and a person stopped it since
		case !accepted && !launchedSince:
			return void(m, out)
		case r.StateReason == "" && age > deadline:
			return done() // nobody looked for long; a person may have stopped it since
		case r.StateReason == "":
			return failed("it fell back to stopped; the provider gives no reason")
		}
		return failed("it fell back to stopped: " + r.StateReason)
	default: // it should be stopped and is running
		switch {
		case launchedSince:
			return done() // and it was started since
		case !accepted:
			return void(m, out)
		case r.LaunchedAt.IsZero() && age > deadline:
			return done() // nobody looked for long; a person may have started it since
		}
		return failed("it went on running")
	}
}

// unverified says what became of a start whose checks have not passed in time.
func unverified(r fleet.Resource, deadline time.Duration) (ended Ended, why string) {
	switch r.Health {
	case fleet.Impaired:
		return Unhealthy, fmt.Sprintf("it runs, but its status checks fail %s after the start: %s", deadline, r.HealthReason)
	case fleet.Checking:
		return Unhealthy, fmt.Sprintf("it runs, but its status checks have not passed %s after the start: %s", deadline, r.HealthReason)
	}
	return Started, "its status checks could not be read"
}

func void(m Memory, out Outcome) (Memory, Outcome) {
	m.Intent, m.Snapshot = nil, m.Intent.Snapshot // it may have been begun
	out.Ended, out.Recovered = NeverMade, true
	return m, out
}

// arrived remembers that an action came to its end. Where the acceptance was
// recorded, memory has everything but the end; where the process died before,
// the rest is made up for.
func arrived(m Memory, r fleet.Resource, intent Intent, accepted bool) Memory {
	m.Intent = nil
	m.Attempts, m.NotBefore, m.LastError, m.Snapshot = 0, time.Time{}, "", ""
	m.Mute = intent.Mute
	start := intent.Verb == fleet.Start
	var refused string // the best type, where the start went on to another one
	if types := m.Shortage.Types(); start && len(types) > 0 && r.Type != types[0] {
		refused = types[0]
	}
	if start {
		m.ResizeFrom, m.Shortage = "", Shortage{}
	}
	if !intent.Fire.IsZero() { // the schedule's memory is none of a rule's business
		if state := byRule(intent.Verb, intent.Fire); state != "" {
			m.ByRule = state
		}
		if m.Fire == intent.Fire {
			m.Fire = Fire{}
		}
		if !accepted && !start && intent.Type != "" {
			m.Fire, _ = goesOn(halfway(intent.Fire), m.Fire)
		}
		return m
	}
	if !accepted {
		m.Override = cmp.Or(intent.Override, m.Override)
		m.DecidedAt, m.Announced, m.Retain = intent.At, time.Time{}, false
		switch {
		case start:
			m.Last, m.RefusedType = WasRunning, refused
			if intent.Type != "" && r.Type != intent.Type {
				m.RefusedType = intent.Type // it may have been refused: not stopped for it once more
			}
		case intent.Type != "":
			m.Last, m.ResizeTo, m.ResizeFrom = WasRunning, intent.Type, r.Type
		default:
			m.Last, m.ManualSince, m.AutoRestartAt = WasStopped, time.Time{}, time.Time{}
			m.ResizeTo, m.ResizeFrom, m.RefusedType = "", "", ""
		}
	}
	if start {
		m.ResizeTo = ""
	}
	return m
}

// fail remembers a failure. A stop that only makes way for another type leaves
// it running, as wanted.
func fail(m Memory, verb fleet.Verb, resize bool, now time.Time, why string) Memory {
	switch {
	case verb == fleet.Start:
		m.Last = StartFailed
	case resize:
		m.Last, m.ResizeTo, m.ResizeFrom = WasRunning, "", ""
	default:
		m.Last = StopFailed
	}
	m.Retain = false
	m.Attempts++
	m.NotBefore = now.Add(Backoff(m.Ref, m.Attempts))
	m.LastError = why
	return m
}

// failedFire remembers that the action of a rule failed: it is tried again, and
// the schedule's memory stays as it is.
func failedFire(m Memory, f Fire, now time.Time, why string) Memory {
	if m.Fire.IsZero() || m.Fire == halfway(f) {
		m.Fire = f
	}
	if m.Fire != f {
		return m // another rule has fired since, and its action is tried at once
	}
	m.Attempts++
	m.NotBefore = now.Add(Backoff(m.Ref, m.Attempts))
	m.LastError = why
	return m
}

// stoppedByPerson reads AWS's state reason: somebody stopped it over the API or
// shut it down from inside, as against a start that AWS gave up.
func stoppedByPerson(reason string) bool {
	for _, code := range [...]string{
		"Client.UserInitiatedShutdown", "Client.UserInitiatedHibernate", "Client.InstanceInitiatedShutdown",
	} {
		if strings.HasPrefix(reason, code) {
			return true
		}
	}
	return false
}
