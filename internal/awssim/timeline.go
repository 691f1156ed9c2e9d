package awssim

import (
	"math"
	"time"
)

// phase is the state that a resource has from an instant on.
type phase struct {
	at     int64 // Unix nanoseconds of simulated time
	state  uint8
	reason uint16 // index into the cloud's reasons; 0 is none
}

// timeline is a resource's states in order of time, the future included: what
// a command sets going is known when it is accepted (pending now, running at
// 12 s; stopped, and started by AWS after 7 days), so a state is read off the
// clock and nothing has to run in the background.
type timeline []phase

// always is before every clock.
const always = int64(math.MinInt64)

// when gives the phase in force at t, nil before the resource existed.
func (l timeline) when(t int64) *phase {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].at <= t {
			return &l[i]
		}
	}
	return nil
}

// kept is how many phases of the past a timeline remembers, for readers that
// see the world late.
const kept = 4

// turn replaces everything after now.
func (l *timeline) turn(now int64, next ...phase) {
	past := 0
	for past < len(*l) && (*l)[past].at <= now {
		past++
	}
	old := (*l)[max(0, past-kept):past]
	out := make(timeline, 0, len(old)+len(next))
	out = append(out, old...)
	if past > kept { // what was before is forgotten, not that something was
		out[0].at = always
	}
	out = append(out, next...)
	*l = out
}

// changed is when the last phase in force at t began.
func (l timeline) changed(t int64) int64 {
	if p := l.when(t); p != nil {
		return p.at
	}
	return always
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
