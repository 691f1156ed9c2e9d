package decide

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// Shortage is the missing capacity that a start has met: since when, and where
// it stands on the list of the types that the resource accepts. The zero
// Shortage: none.
//
// A round goes through the list, best type first. When every type was refused
// the next round waits for a gap that grows; at the deadline there is one last
// round, and then it is given up until something else is wanted.
type Shortage struct {
	// Since is when a start met it first, At when one met it last.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at,omitzero"`
	// Refused are the types that had no capacity in the present round, in the order in which they were tried, blanks between them.
	Refused string `json:"refused,omitempty"`
	// GaveUp is when it was given up; zero: it is still tried. Until is when it is tried anew.
	GaveUp time.Time `json:"gave_up,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	// Accepts is the list that it was given up with: with another one it is tried at once.
	Accepts string `json:"accepts,omitempty"`
}

// IsZero reports whether there is no shortage.
func (s Shortage) IsZero() bool { return s.Since.IsZero() }

// Types are the types that had no capacity in the present round.
func (s Shortage) Types() []string { return strings.Fields(s.Refused) }

// Refuse is the shortage once a type had no capacity at an instant; an empty
// type is that of a kind without any.
func (s Shortage) Refuse(name string, at time.Time) Shortage {
	s.Since, s.At = cmp.Or(s.Since, at), at
	if types := s.Types(); name != "" && !slices.Contains(types, name) {
		s.Refused = strings.Join(append(types, name), " ")
	}
	return s
}

// shortageGrid is the grid of the tries of a shortage: those that met it
// together come back together, in one call and one message.
const shortageGrid = 15 * time.Second

// givenUpFor is how long a start that was given up waits where nothing else is
// ever wanted of the resource: one call a day finds out that there is capacity again.
const givenUpFor = 24 * time.Hour

// Walked is the decision once its start has met missing capacity on the way:
// whatever is remembered of it from now on knows that.
func (d *Decision) Walked(s Shortage) *Decision {
	walked := *d
	walked.Memory.Shortage = s
	if d.Before != nil {
		before := *d.Before
		before.Shortage = s
		walked.Before = &before
	}
	return &walked
}

// Short is what to remember when a start failed at an instant because none of
// the types that the resource accepts had capacity: the round is over. All of
// one pool come back together; the last try is at the deadline.
func (d *Decision) Short(at time.Time, why string) Memory {
	m := d.Failed(at, why)
	m.Shortage.Refused = ""
	pool := m.Ref
	pool.ID = cmp.Or(d.Preferred, d.Resource.Type) + " " + d.Resource.Zone
	wait := Backoff(pool, m.Attempts)
	next := onGrid(d.now.Add(wait)) // the same for all of a pass, whose calls take their time
	if next.Before(at.Add(wait / 2)) {
		next = onGrid(at.Add(wait))
	}
	if end := d.CapacityEnd(m.Shortage); d.Fire.IsZero() && !end.IsZero() && next.After(end) {
		next = end
		if !at.Before(end) {
			next = at.Add(soonest) // to say that it is given up
		}
	}
	m.NotBefore = next
	return m
}

func onGrid(t time.Time) time.Time { return t.Truncate(shortageGrid).Add(shortageGrid) }

// CapacityEnd is when a start that meets a shortage is tried for the last time; zero: never.
func (d *Decision) CapacityEnd(s Shortage) time.Time {
	if s.IsZero() || d.capacityDeadline <= 0 {
		return time.Time{}
	}
	return s.Since.Add(d.capacityDeadline)
}

// givenUp reports whether a start is not tried any more for lack of capacity, and
// notes it when that begins.
func (x *decider) givenUp() bool {
	s := &x.m.Shortage
	switch end := x.CapacityEnd(*s); {
	case x.last != StartFailed:
		return false
	case !s.GaveUp.IsZero():
		if x.now.Before(s.Until) && !s.GaveUp.After(x.now.Add(clockBack)) && s.Accepts == x.accepts() {
			break
		}
		x.m.Attempts, x.m.NotBefore, x.m.LastError, *s = 0, time.Time{}, "", Shortage{}
		return false
	case end.IsZero() || s.At.Before(end):
		return false
	default:
		s.GaveUp, s.Until, s.Accepts = x.now, x.now.Add(givenUpFor), x.accepts()
		if b, ok := x.in.Policy.Next(x.now); ok {
			s.Until = b.At
		}
		if !x.until.IsZero() {
			s.Until = x.until
		}
		x.GaveUp = true
	}
	x.Due = s.Until
	x.hold(CapacityGivenUp)
	x.recheckAt(x.Due)
	return true
}

func (x *decider) accepts() string { return strings.Join(x.types(), " ") }

// chooseTypes says which types a start asks for: those it accepts, without
// those that were refused in the present round.
func (x *decider) chooseTypes() {
	if !x.Resource.Kind.Traits().Types {
		return
	}
	all := x.types()
	// A machine that was taken down only to change its type comes back with the one it had rather than not at all.
	if before := x.m.ResizeFrom; len(all) > 0 && policy.IsInstanceType(before) && !slices.Contains(all, before) {
		all = append(slices.Clip(all), before)
	}
	refused := x.m.Shortage.Types()
	x.Types = slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(refused, name) })
	if len(x.Types) == 0 { // the next round
		x.Types, x.m.Shortage.Refused = all, ""
	}
	if len(all) == 0 {
		return
	}
	x.Preferred = all[0]
	if x.Types[0] != x.Resource.Type {
		x.Type = x.Types[0]
	}
	if len(refused) > 0 {
		x.say("capacity", func() say.Text { return say.F("no capacity for %s in this round", say.Names(refused)) })
	}
}

// shortOf reads AWS's reason for the state of a machine: there was no capacity for it.
func shortOf(r fleet.Resource) bool {
	return strings.Contains(r.StateReason, "InsufficientInstanceCapacity") || strings.Contains(r.StateReason, "InsufficientHostCapacity")
}
