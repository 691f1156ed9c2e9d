package calendar

import (
	"cmp"
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
	windows []window // of one date
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
// of their begins, as the dates are, the members of a schedule are, and instantOf keeps the order of local times. Where
// exceptions have their say, they are put in that order afterwards.
func (s *Schedule) layOut(w *worktable, firstDate, lastDate int64) {
	w.offsets = offsetsIn(w.offsets[:0], s.loc, firstDate*daySeconds-zoneReach, (lastDate+2)*daySeconds+zoneReach)
	w.runs, w.anys, w.masks = w.runs[:0], w.anys[:0], w.masks[:0]
	year, mon, day := dateOf(firstDate)
	m := monthOf(year, mon)
	for _, p := range s.members {
		w.masks = append(w.masks, p.mask(mon, m))
	}
	moved := false
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
		kind := ordinary
		if s.holidays != nil {
			kind = s.kindOf(Date(date))
		}
		w.windows = w.windows[:0]
		for i := range s.members {
			if p := &s.members[i]; p.matches(kind, w.masks[i], mon, m, day) {
				w.windows = p.windows(w.windows, midnight)
			}
		}
		if s.dated != nil {
			if e, special := s.dated[Date(date)]; special {
				w.windows, moved = s.adjust(w.windows, e, midnight), true
			}
		}
		for i := range w.windows {
			w.put(&w.windows[i], s.lead)
		}
		day++
	}
	for i := range s.extensions {
		x := &s.extensions[i]
		if x.from >= x.to || x.from >= (lastDate+1)*daySeconds+zoneReach || x.to <= firstDate*daySeconds-zoneReach {
			continue
		}
		moved = true
		if x.any {
			w.anys = append(w.anys, stretch{x.from, x.to})
		} else {
			w.runs = append(w.runs, x.run)
		}
	}
	if moved {
		slices.SortStableFunc(w.runs, func(a, b run) int { return cmp.Compare(a.from, b.from) })
		slices.SortStableFunc(w.anys, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	}
}

// put turns a window into instants.
func (w *worktable) put(on *window, lead int64) {
	from, to := instantOf(w.offsets, on.from), instantOf(w.offsets, on.to)
	switch {
	case from >= to:
	case on.part != partRun:
		w.anys = append(w.anys, stretch{from, to})
	default:
		w.runs = append(w.runs, run{
			from: from - lead, to: to, fromLocal: on.from, toLocal: on.to,
			begin: on.begin, order: on.order, want: on.want,
		})
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
