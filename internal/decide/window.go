package decide

import (
	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// window asks whether a maintenance window is open: running is wanted in it.
func (x *decider) window() {
	p := &x.in.Policy
	if at, ok := p.NextWindow(x.now); ok {
		x.recheckAt(at)
	}
	w, ok := p.Window(x.now)
	if !ok {
		return
	}
	x.open = &w
	x.say("window", func() say.Text {
		return say.F("maintenance window %q is open from %s until %s", w.Name, instantForm(w.From), instantForm(w.Until))
	})
	if x.Want.State != calendar.Running {
		x.Want, x.until = calendar.Want{State: calendar.Running}, w.Until
	}
}

// openWindow is the row 0. It reports whether the window decides; where the
// schedule wants it running all the same, that decides on what runs.
func (x *decider) openWindow() bool {
	m := x.m
	first := !m.Window.Equal(x.open.From)
	switch running := x.Resource.State == fleet.Running; {
	case running && x.until.IsZero():
		m.Window = x.open.From
		return false
	case running:
		x.row("row-0", "a maintenance window is open, and it is running")
		x.none(WindowRunning, WasRunning)
	case x.s.Mode == policy.StopOnly:
		x.row("row-0", "a maintenance window is open, but the schedule only stops")
		x.none(ModeStopOnly, WasRunning)
	case x.s.Enforced || first || x.last == StartFailed:
		x.row("row-0", "a maintenance window is open, and it was not started for it yet")
		x.startNow(WindowStart)
		if x.Verb == "" { // held back: it is started later
			return true
		}
	default:
		x.row("row-0", "a maintenance window is open, and it was started for it before")
		x.none(WindowManual, WasRunning)
	}
	m.Window = x.open.From
	return true
}
