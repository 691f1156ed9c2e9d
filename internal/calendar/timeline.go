package calendar

import (
	"cmp"
	"slices"
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

// Dates around a stretch of time that can have a say in it. A date's local day lies within zoneReach of its UTC
// day; a night goes on for a day; a join is at most a jump of the clock (a day) and a minute wide.
const (
	datesBefore = 4
	datesAfter  = 4
)

// changes computes the answers from one instant to another (Unix seconds): the first one holds from `from`, and
// each of the others differs from the one before it.
func (s *Schedule) changes(from, to int64) []change {
	if s.override {
		return []change{{from, 0}}
	}
	firstDate := floorDiv(from, daySeconds) - datesBefore
	lastDate := floorDiv(to, daySeconds) + datesAfter + (s.lead+daySeconds-1)/daySeconds
	runs, anys := s.stretches(firstDate, lastDate)
	if len(runs) == 0 && len(anys) == 0 {
		return []change{{from, wantStopped}}
	}
	return sweep(runs, anys, from, to)
}

// stretches lays the periods out over some dates: when each is running, and when any of them says *any*.
func (s *Schedule) stretches(firstDate, lastDate int64) (runs []run, anys []stretch) {
	var offsetSpace [4]offset
	offsets := offsetsIn(offsetSpace[:0], s.loc,
		firstDate*daySeconds-zoneReach, (lastDate+2)*daySeconds+zoneReach)
	year, mon, day := dateOf(firstDate)
	m := monthOf(year, mon)
	var maskSpace [8]uint32
	masks := maskSpace[:0]
	for _, p := range s.members {
		masks = append(masks, p.mask(mon, m))
	}
	for date := firstDate; date <= lastDate; date++ {
		if day > m.days {
			if day, mon = 1, mon+1; mon > 12 {
				mon, year = 1, year+1
			}
			m = monthOf(year, mon)
			for i, p := range s.members {
				masks[i] = p.mask(mon, m)
			}
		}
		midnight := date * daySeconds
		for i := range s.members {
			if masks[i]&(1<<day) == 0 {
				continue
			}
			p := s.members[i].Period
			r := run{fromLocal: midnight, toLocal: midnight + daySeconds, begin: noBegin, order: i, want: s.members[i].want}
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
					anys = append(anys, stretch{dayBegin, upTo})
				}
			}
			if (p.hasBegin || !p.hasEnd) && r.from < r.to {
				r.from -= s.lead
				runs = append(runs, r)
			}
		}
		day++
	}
	return runs, anys
}

// sweep walks through the instants at which something begins or ends and notes the answer after each.
func sweep(runs []run, anys []stretch, from, to int64) []change {
	slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.from, b.from) })
	slices.SortFunc(anys, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	instants := make([]int64, 0, 1+2*len(runs)+2*len(anys))
	instants = append(instants, from)
	note := func(at int64) {
		if from < at && at < to {
			instants = append(instants, at)
		}
	}
	for i := range runs {
		note(runs[i].from)
		note(runs[i].to)
	}
	for _, a := range anys {
		note(a.from)
		note(a.to)
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)

	var (
		out     []change
		active  []*run // running now, and some that have ended since
		begun   int    // runs[:begun] have begun
		lastEnd *run   // of those that have begun: the one that ends last
		anyNext int    // anys[:anyNext] have begun
		anyTo   int64  = noBegin
	)
	for _, now := range instants {
		for ; begun < len(runs) && runs[begun].from <= now; begun++ {
			r := &runs[begun]
			active = append(active, r)
			if lastEnd == nil || r.to > lastEnd.to {
				lastEnd = r
			}
		}
		for ; anyNext < len(anys) && anys[anyNext].from <= now; anyNext++ {
			anyTo = max(anyTo, anys[anyNext].to)
		}
		active = slices.DeleteFunc(active, func(r *run) bool { return r.to <= now })
		want := uint16(wantStopped)
		switch {
		case len(active) > 0:
			want = first(active).want
		case anyTo > now:
			want = wantAny
		case lastEnd != nil && begun < len(runs):
			// Periods that touch are one, in real time or on the local clock: where the clock goes back in between, a
			// minute of the local clock can last an hour.
			next := following(runs[begun:])
			if next.from-lastEnd.to <= joinSeconds || next.fromLocal-lastEnd.toLocal <= joinSeconds {
				want = next.want
			}
		}
		if len(out) == 0 || out[len(out)-1].want != want {
			out = append(out, change{now, want})
		}
	}
	return out
}

// first gives the run that is the reason.
func first(active []*run) *run {
	best := active[0]
	for _, r := range active[1:] {
		if r.beats(best) {
			best = r
		}
	}
	return best
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
