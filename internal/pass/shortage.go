package pass

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/plan"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// roundsTold is up to which round people are told that there is still no
// capacity: the gaps grow until then. Later ones are in the record.
const roundsTold = 6

// rungs records that starts go on to the next type of their lists, before that is
// tried, and tells people in the first round.
func (r *running) rungs(ctx context.Context, rungs []plan.Rung) {
	err := r.recorder.Rungs(ctx, rungs)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = errors.Join(r.failed, err)
	}
	for i := range rungs {
		rung := &rungs[i]
		d := &rung.Action.Decision
		if d.Memory.Attempts == 0 {
			r.event(notify.Shortage, d.Resource, d.Schedule, rung.Said(), rung.At)
		}
	}
}

// roundEvent is what people are told of a round that found no capacity for any type.
func roundEvent(event notify.Event, outcome *plan.Outcome) (notify.Event, bool) {
	memory := plan.Remember(*outcome)
	d := &outcome.Action.Decision
	event.Kind = notify.Shortage
	short := noCapacity(outcome.Shortage.Types(), d.Resource.Zone)
	switch end := d.CapacityEnd(memory.Shortage); {
	case !d.Fire.IsZero() || end.IsZero():
		event.Text = say.Clauses(short, say.F("again at %s", instant(memory.NotBefore)))
	case outcome.At.Before(end):
		event.Text = say.Clauses(short, say.F("again at %s, for the last time at %s", instant(memory.NotBefore), instant(end)))
	default:
		return event, false // that it is given up is said at once
	}
	return event, memory.Attempts <= roundsTold
}

// noCapacity says for which types there is none, and where; neither for kinds without types.
func noCapacity(types []string, zone string) say.Text {
	switch {
	case len(types) == 0:
		return say.F("no capacity")
	case zone == "":
		return say.F("no capacity for %s", say.Names(types))
	}
	return say.F("no capacity for %s in %s", say.Names(types), zone)
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// hearGaveUp says that a start is given up for lack of capacity.
func (r *running) hearGaveUp(d *decide.Decision) {
	if !d.GaveUp {
		return
	}
	s := d.Memory.Shortage
	types := strings.Fields(cmp.Or(s.Accepts, d.Resource.Type))
	text := say.F("gave up at %s: %s since %s; it is tried again at %s", instant(s.GaveUp), noCapacity(types, d.Resource.Zone), instant(s.Since), instant(s.Until))
	r.rowOf(store.EventShort, d, string(d.Reason), text.String())
	r.event(notify.Shortage, d.Resource, d.Schedule, text, r.now)
}

// cameUp says how a start ended that had met a shortage; empty for one that had not.
func cameUp(settled *Settled) say.Text {
	s := settled.Shortage
	if settled.Ended != decide.Started || s.IsZero() {
		return say.Text{}
	}
	text := say.Word("started")
	if types := s.Types(); len(types) > 0 && settled.Resource.Type != types[0] {
		text = say.F("started as %s instead of %s", settled.Resource.Type, types[0])
	}
	return say.Clauses(text, say.F("there had been no capacity since %s", instant(s.Since)))
}

// fellShort says that a start fell back for lack of capacity; empty for any other end.
func fellShort(settled *Settled) say.Text {
	if settled.Ended != decide.HasFailed || settled.Verb != fleet.Start || settled.Shortage.IsZero() {
		return say.Text{}
	}
	return say.F("%s: %s; again at %s", noCapacity([]string{settled.Resource.Type}, settled.Resource.Zone), settled.Why, instant(settled.Memory.NotBefore))
}
