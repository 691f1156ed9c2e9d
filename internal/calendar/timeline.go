package calendar

import (
	"slices"
	"sync"
)

// run is one stretch in which a period is running: [from, to) in Unix seconds, never empty. The local times it was
// made from are kept, for what is decided on the local clock: reasons and joins.
type run struct {
	from, to  int64 // start_lead is in from
	fromLocal int64 // seconds of the local clock
	toLocal   int64
	begin     int64 // fromLocal where the period has a begintime, else noBegin
	order     int   // place in the schedule's list of periods
	want      uint16
}

// noBegin makes a period without a begintime yield to every other.
const noBegin = -1 << 62

// beats orders runs by their right to be the reason: the later begin on the local clock, then the place in the list.
func (r *run) beats(o *run) bool {
	if r.begin != o.begin {
		return r.begin > o.begin
	}
	return r.order < o.order
}

// stretch is a half-open interval in Unix seconds.
type stretch struct{ from, to int64 }

// change says which answer holds from an instant on.
type change struct {
	at   int64 // Unix seconds
	want uint16
}

// joinSeconds is how far an end and a begin may lie apart to be one.
const joinSeconds = 60

// Dates around a stretch of time that can have a say in it. A date's local day lies within a day of its UTC day, a night
// goes on for a day, a join is at most a jump of the clock (a day) and a minute wide, and a lead is at most a day.
const (
	datesBefore = 4
	datesAfter  = 4
)

// worktable is the memory in which a stretch of time is laid out, used again for the next one: a look ahead over years
// would leave megabytes behind.
type worktable struct {
	offsets []offset
	masks   []uint32 // for each member the matching days of a month
	runs    []run
	anys    []stretch
	active  []*run
	changes []change
}

var worktables = sync.Pool{New: func() any { return new(worktable) }}

// changes computes the answers from one instant to another (Unix seconds): the first one holds from `from`, and
// each of the others differs from the one before it. They lie on the worktable.
func (s *Schedule) changes(w *worktable, from, to int64) []change {
	if s.override {
		return append(w.changes[:0], change{from, 0})
	}
	s.layOut(w, floorDiv(from, daySeconds)-datesBefore, floorDiv(to, daySeconds)+datesAfter)
	w.sweep(from, to)
	return w.changes
}

// layOut puts the periods down on some dates: when each is running, and when any of them says *any*; both in the order
// of their begins, as the dates are, the members of a schedule are, and instantOf keeps the order of local times.
func (s *Schedule) layOut(w *worktable, firstDate, lastDate int64) {
	w.offsets = offsetsIn(w.offsets[:0], s.loc, firstDate*daySeconds-zoneReach, (lastDate+2)*daySeconds+zoneReach)
	w.runs, w.anys, w.masks = w.runs[:0], w.anys[:0], w.masks[:0]
	offsets := w.offsets
	year, mon, day := dateOf(firstDate)
	m := monthOf(year, mon)
	for _, p := range s.members {
		w.masks = append(w.masks, p.mask(mon, m))
	}
	for date := firstDate; date <= lastDate; date++ {
		if day > m.days {
			if day, mon = 1, mon+1; mon > 12 {
				mon, year = 1, year+1
			}
			m = monthOf(year, mon)
			for i, p := range s.members {
				w.masks[i] = p.mask(mon, m)
			}
		}
		midnight := date * daySeconds
		for i := range s.members {
			if w.masks[i]&(1<<day) == 0 {
				continue
			}
			p := s.members[i].Period
			r := run{fromLocal: midnight, toLocal: midnight + daySeconds, begin: noBegin, order: s.members[i].order, want: s.members[i].want}
			if p.hasBegin {
				r.fromLocal += p.begin.seconds()
				r.begin = r.fromLocal
			}
			if p.hasEnd {
				r.toLocal = midnight + p.end.seconds()
				if p.hasBegin && p.end < p.begin {
					r.toLocal += daySeconds
				}
			}
			r.from, r.to = instantOf(offsets, r.fromLocal), instantOf(offsets, r.toLocal)
			if p.hasBegin != p.hasEnd {
				dayBegin := instantOf(offsets, midnight)
				upTo := r.to
				if p.hasBegin {
					upTo = r.from
				}
				if dayBegin < upTo {
					w.anys = append(w.anys, stretch{dayBegin, upTo})
				}
			}
			if (p.hasBegin || !p.hasEnd) && r.from < r.to {
				r.from -= s.lead
				w.runs = append(w.runs, r)
			}
		}
		day++
	}
}

// sweep walks from each instant at which the answer may change to the next one, and notes the answers. Runs and
// stretches come in the order of their begins.
func (w *worktable) sweep(from, to int64) {
	var (
		runs, anys = w.runs, w.anys
		out        = w.changes[:0]
		// active holds the reason last, before it what would be the reason without it; all but the last may have ended.
		active  = w.active[:0]
		lastEnd *run  // of the runs that have begun, the one that ends last
		anyTo   int64 = noBegin
	)
	for now := from; now < to; {
		for ; len(runs) > 0 && runs[0].from <= now; runs = runs[1:] {
			r := &runs[0]
			i := len(active)
			for i > 0 && active[i-1].beats(r) {
				i--
			}
			active = slices.Insert(active, i, r)
			if lastEnd == nil || r.to > lastEnd.to {
				lastEnd = r
			}
		}
		for len(active) > 0 && active[len(active)-1].to <= now {
			active = active[:len(active)-1]
		}
		for ; len(anys) > 0 && anys[0].from <= now; anys = anys[1:] {
			anyTo = max(anyTo, anys[0].to)
		}

		want, until := uint16(wantStopped), to
		switch {
		case len(active) > 0:
			reason := active[len(active)-1]
			want, until = reason.want, min(until, reason.to)
		case anyTo > now:
			want, until = wantAny, min(until, anyTo)
		case lastEnd != nil && len(runs) > 0:
			// Periods that touch are one, in real time or on the local clock: where the clock goes back in between, a
			// minute of the local clock can last an hour.
			next := following(runs)
			if next.from-lastEnd.to <= joinSeconds || next.fromLocal-lastEnd.toLocal <= joinSeconds {
				want = next.want
			}
		}
		if len(out) == 0 || out[len(out)-1].want != want {
			out = append(out, change{now, want})
		}
		if len(runs) > 0 {
			until = min(until, runs[0].from)
		}
		if len(anys) > 0 {
			until = min(until, anys[0].from)
		}
		now = until
	}
	w.changes, w.active = out, active
}

// following gives, of the coming runs that begin next, at one instant, the one that will be the reason.
func following(coming []run) *run {
	next := &coming[0]
	for i := 1; i < len(coming) && coming[i].from == coming[0].from; i++ {
		if coming[i].beats(next) {
			next = &coming[i]
		}
	}
	return next
}
