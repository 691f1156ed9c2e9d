package decide

import (
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// overrideWarning is how long before its end people are told that an override
// stops what it kept running, where their schedule does not say (SEMANTICS 9).
const overrideWarning = 10 * time.Minute

// override is the row O: what a person wants, at every pass until it ends.
func (x *decider) override() {
	o, m := x.Override, x.m
	x.row("row-o", "an override is in force")
	if x.in.Memory.Override != o.ID && (x.last == StartFailed || x.last == StopFailed) {
		x.last, m.Shortage = Unknown, Shortage{} // the back-off was that of another wish
	}
	m.ManualSince = time.Time{}
	running := x.Resource.State == fleet.Running
	switch {
	case o.State == calendar.Running && !running:
		x.startNow(OverrideStart)
	case o.State == calendar.Running:
		m.AutoRestartAt = time.Time{}
		x.none(OverrideRunning, WasRunning)
	case running:
		x.stopNow(OverrideStop, x.s != nil && x.s.Hibernate)
	default:
		x.none(OverrideStopped, WasStopped)
	}
	if x.Reason == OverrideRunning || x.Reason == OverrideStopped {
		if o.Once {
			m.reach(o.ID)
			x.recheckAt(x.now.Add(soonest))
		}
	}
}

func (x *decider) overrideFact() say.Text {
	return say.F("%s, for %s; it ends for this resource at %s", x.Override, x.Override.Target, instantForm(x.until))
}

// warn says beforehand that it will be stopped, once for each stop.
func (x *decider) warn() {
	r := &x.Resource
	if x.in.Policy.Why != policy.Governed || x.Verb != "" || r.State != fleet.Running || r.Bar != fleet.NoBar || x.s.Mode == policy.StartOnly {
		return
	}
	lead := x.s.NotifyBeforeStop
	if x.Override != nil {
		if lead == 0 {
			lead = overrideWarning
		}
		if x.Override.State == calendar.Running && x.wantsStopped(x.until) {
			x.warnOf(x.until, lead)
		}
		return
	}
	if lead <= 0 || x.retains() && (x.m.Last == RetainRunning || x.m.Retain) {
		return
	}
	if x.Want.State == calendar.Stopped { // it runs against that
		if x.Reason == ManualStart || x.Reason == NewResourceKept || x.Reason == RetainedAtEnd {
			x.warnOf(x.Due, lead)
		}
		return
	}
	if stopAt, ok := x.nextStop(); ok {
		x.warnOf(stopAt, lead)
	}
}

// maxWindows bounds the search for a stop that no maintenance window puts off.
const maxWindows = 4

// nextStop is when what is running as wanted will be stopped, maintenance windows included.
func (x *decider) nextStop() (time.Time, bool) {
	p := &x.in.Policy
	at := x.now
	for range maxWindows {
		w, open := p.Window(at)
		if !open {
			if !at.Equal(x.now) && p.Wanted(at).State == calendar.Stopped {
				return at, true
			}
			var ok bool
			if at, ok = p.NextStop(at); !ok {
				return at, false
			}
			if w, open = p.Window(at); !open {
				return at, true
			}
		}
		at = w.Until
	}
	return at, false
}

// wantsStopped reports whether it will be stopped at the end of an override: by the next override or by the schedule.
func (x *decider) wantsStopped(at time.Time) bool {
	if next, _, ok := x.in.Policy.Override(at, x.m.Reached); ok {
		return next.State == calendar.Stopped
	}
	_, open := x.in.Policy.Window(at)
	return !open && x.in.Policy.Wanted(at).State == calendar.Stopped
}

// warnOf says that it will be stopped at an instant, or asks to be asked again when that is due.
func (x *decider) warnOf(stopAt time.Time, lead time.Duration) {
	warnAt := stopAt.Add(-lead)
	switch {
	case stopAt.IsZero() || !stopAt.After(x.now) || stopAt.Equal(x.m.Warned):
	case warnAt.After(x.now):
		x.recheckAt(warnAt)
	default:
		x.Warn = &Notice{StopAt: stopAt}
		x.m.Warned = stopAt
	}
}
