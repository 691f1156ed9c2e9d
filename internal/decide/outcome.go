package decide

import (
	"strings"
	"time"

	"dayshift/internal/fleet"
)

// Intend returns what to store before the first call of the decision's action:
// the memory as it was and the intent. The decision keeps the intent for what
// follows, so Intend is called on the value that is handed on.
func (d *Decision) Intend(run string, term int64) Memory {
	intent := d.intent()
	intent.Run, intent.Term = run, term
	d.Memory.Intent = &intent
	return d.Unclear()
}

func (d *Decision) intent() Intent {
	intent := Intent{Verb: d.Verb, Type: d.Type, Snapshot: d.Snapshot, Mute: d.Mute && !d.Resize, At: d.now, From: d.Resource.State, Fire: d.Fire}
	if d.Override != nil {
		intent.Override = d.Override.ID
	}
	intent.Verify = d.Verb == fleet.Start && d.verify
	return intent
}

// Unclear is what to remember when a call was made and its answer is not known:
// the intent stays, and Settle finds out.
func (d *Decision) Unclear() Memory {
	m := d.Untouched()
	m.Intent = d.Memory.Intent
	return m
}

// Untouched is what to remember when nothing was done: the decision will be made again.
func (d *Decision) Untouched() Memory {
	if d.Before == nil {
		return d.Memory
	}
	return *d.Before
}

// Accepted is what to remember when the provider took the call at an instant.
// changed is the type that the resource was changed to before a start, empty
// when it kept its own.
func (d *Decision) Accepted(at time.Time, changed string) Memory {
	m := d.Memory
	if d.Verb == fleet.Reboot || d.Verb == fleet.Resize { // no listing shows their end
		m.Intent = nil
		return m
	}
	intent := d.intent()
	if m.Intent != nil {
		intent = *m.Intent
	}
	intent.Accepted = at
	if d.Verb == fleet.Start {
		intent.Type = changed
		has := changed
		if has == "" {
			has = d.Resource.Type
		}
		if d.Preferred != "" && has != d.Preferred {
			m.RefusedType = d.Preferred
		}
	}
	m.Intent = &intent
	return m
}

// Failed is what to remember when the action failed at an instant: it is tried
// again with a back-off. What an outage left to be made up for stays so.
func (d *Decision) Failed(at time.Time, why string) Memory {
	m := d.Untouched()
	m.Attempts = d.Memory.Attempts // those of the same action alone
	m.Snapshot = d.Snapshot
	if !d.Fire.IsZero() {
		return failedFire(m, d.Fire, at, why)
	}
	if d.Override != nil {
		m.Override = d.Override.ID
	}
	if !d.catchUp {
		m.DecidedAt = d.now
	}
	m.Announced = time.Time{}
	return fail(m, d.Verb, d.Resize, at, why)
}

// snapshotLook is how soon a stop is tried again that waits for its snapshot:
// AWS takes a minute for a small one and hours for a large one.
const snapshotLook = 30 * time.Second

// Waits is what to remember when the action was asked for at an instant and
// something has to come first: the same is decided again soon.
func (d *Decision) Waits(at time.Time) Memory {
	m := d.Untouched()
	m.Snapshot, m.NotBefore = d.Snapshot, at.Add(snapshotLook)
	return m
}

// barredFor is how long a protected resource is left alone where nothing else
// is ever wanted of it: one call a day finds out that the protection is gone.
const barredFor = 24 * time.Hour

// Barred is what to remember when the provider refused the action because the
// resource is protected against it: it is left alone until something else is
// wanted, and tried anew when it is to be stopped again after that.
func (d *Decision) Barred(at time.Time) Memory {
	m := d.Untouched()
	m.Fire = Fire{}
	m.BarredUntil = d.Until
	if m.BarredUntil.IsZero() {
		m.BarredUntil = at.Add(barredFor)
	}
	return m
}

// Quiet reports whether there is nothing to be done, told or waited for, now or
// before Recheck, as long as the resource looks the same and the same is
// configured. What an override holds is never quiet: people wait for its end.
func (d *Decision) Quiet() bool {
	return d.Verb == "" && !d.Observed && d.Announce == nil && d.Warn == nil && !d.GaveUp && len(d.Dropped) == 0 && d.Memory.Intent == nil && d.Override == nil && !d.alarmsCount()
}

// Decided reports whether the decision is over with it: what it made up for is
// not made up for again. One with an action is over when that is accepted.
func (d *Decision) Decided() bool {
	return d.Verb == "" && !d.Memory.DecidedAt.Before(d.now)
}

// Fresh reports whether a resource is still as it was when it was decided on;
// if not, the action is skipped and decided anew. That covers its state, also
// when it was stopped and started in between, what protects it and the
// schedule it names.
func (d *Decision) Fresh(seen fleet.Resource) bool {
	r := &d.Resource
	return seen.State == r.State &&
		seen.Bar == r.Bar &&
		(d.Type == "" && len(d.Types) == 0 || seen.Type == r.Type) &&
		seen.LaunchedAt.Equal(r.LaunchedAt) &&
		strings.EqualFold(strings.TrimSpace(seen.Tags[fleet.TagProtect]), strings.TrimSpace(r.Tags[fleet.TagProtect])) &&
		(d.TagKey == "" || strings.TrimSpace(seen.Tags[d.TagKey]) == d.Schedule)
}
