package calendar

import (
	"iter"
	"slices"
	"time"
)

// Boundary is an instant at which what is wanted changes.
type Boundary struct {
	At       time.Time // UTC
	From, To Want      // before, and from At on
}

// Horizon is how far Next and NextState look ahead: longer than the eight years between leap days around 1900 and
// 2100. What they do not find within it they call "never".
const Horizon = 10 * 366 * 24 * time.Hour

// The instants that can be asked about: years 1 to 9999, in Unix seconds. Beyond them the answer is that of the
// nearest one within.
const (
	minInstant = -62135596800
	maxInstant = 253402300799
)

// A chunk holds the answers for a fixed stretch of time. It is made when first asked for and kept in its slot until a
// chunk that shares the slot is wanted. A year of chunks fits side by side; a schedule never holds more than
// chunkSlots of them, some 3 KB each.
const (
	chunkBits  = 21 // 2^21 s, 24 days: small for the daemon, which asks about now, and quick to make for one question
	chunkSize  = 1 << chunkBits
	chunkSlots = 32 // 776 days
	bucketBits = 12 // 2^12 s, 68 minutes: seldom more than one change in it
	bucketSize = 1 << bucketBits
	buckets    = chunkSize >> bucketBits
)

type chunk struct {
	line
	// brief answers for each bucket without a search.
	brief [buckets]bucket
}

// line is the list of a chunk's changes.
type line struct {
	number int64 // the chunk begins at number << chunkBits
	// at are the instants of the changes, counted from the chunk's begin; at[0] is 0.
	at []uint32
	// want[i] is the place of the answer from at[i] on.
	want []uint16
}

// bucket is what one look has to tell about a short stretch of time with one change in it or none: the place of the
// answer before (bits 0-7) and after (bits 8-15), and the second of the change (bits 16-28), bucketSize when there is
// none. Choosing between two values costs no branch, which a random instant would mispredict.
type bucket uint32

// searched marks a bucket with several changes in it.
const searched bucket = 1 << 31

// The answers' places have to fit into a bucket's bytes: one for each period, stopped, any and running by exception.
const _ = uint8(MaxPeriods + 3)

func newBucket(before, after uint16, second uint32) bucket {
	return bucket(before) | bucket(after)<<8 | bucket(second)<<16
}

// Wanted tells what is wanted at an instant.
func (s *Schedule) Wanted(t time.Time) Want {
	w := s.answerAt(t)
	return Want{w.State, w.Period, w.InstanceType}
}

// WantedUnix is Wanted for an instant in Unix seconds. Every boundary is on a whole second.
func (s *Schedule) WantedUnix(sec int64) Want {
	w := s.answer(sec)
	return Want{w.State, w.Period, w.InstanceType}
}

// answerAt is answer for a time.
func (s *Schedule) answerAt(t time.Time) *Want { return s.answer(t.Unix()) }

// answer finds the answer for an instant in Unix seconds. It gives the place of the answer, from where Wanted and
// WantedUnix, small enough to be inlined, fetch what their caller uses: to hand on a copy takes longer than to find it.
func (s *Schedule) answer(sec int64) *Want {
	c := s.chunks[sec>>chunkBits&(chunkSlots-1)].Load()
	if c == nil || c.number != sec>>chunkBits {
		sec = min(max(sec, minInstant), maxInstant)
		c = s.chunk(sec >> chunkBits)
	}
	at := uint32(sec & (chunkSize - 1))
	b := c.brief[at>>bucketBits]
	place := b & 0xff
	if bucket(at&(bucketSize-1)) >= b>>16 {
		place = b >> 8 & 0xff
	}
	if b&searched != 0 {
		place = bucket(c.want[c.find(at)])
	}
	return &s.wants[place]
}

// find gives the last change at or before an instant, counted from the chunk's begin.
func (c *line) find(at uint32) int {
	i, exact := slices.BinarySearch(c.at, at)
	if exact {
		return i
	}
	return i - 1
}

// chunk gives a chunk, made anew where it is not in its slot. Two goroutines may make the same chunk; either will do.
func (s *Schedule) chunk(number int64) *chunk {
	slot := &s.chunks[number&(chunkSlots-1)]
	c := slot.Load()
	if c == nil || c.number != number {
		c = &chunk{line: s.line(number)}
		c.summarise()
		slot.Store(c)
	}
	return c
}

// line makes the list of a chunk's changes.
func (s *Schedule) line(number int64) line {
	w := worktables.Get().(*worktable) //nolint:errcheck // the pool makes nothing else
	defer worktables.Put(w)
	begin := number << chunkBits
	changes := s.changes(w, max(begin, minInstant), min(begin+chunkSize, maxInstant+1))
	changes[0].at = begin
	l := line{number: number, at: make([]uint32, len(changes)), want: make([]uint16, len(changes))}
	for i, ch := range changes {
		l.at[i], l.want[i] = uint32(ch.at-begin), ch.want
	}
	return l
}

// summarise fills in the buckets.
func (c *chunk) summarise() {
	i := 0 // the last change before the bucket or at its begin
	for n := range c.brief {
		first, next := uint32(n)<<bucketBits, uint32(n+1)<<bucketBits
		for i+1 < len(c.at) && c.at[i+1] <= first {
			i++
		}
		switch {
		case i+1 == len(c.at) || c.at[i+1] >= next:
			c.brief[n] = newBucket(c.want[i], c.want[i], bucketSize)
		case i+2 == len(c.at) || c.at[i+2] >= next:
			c.brief[n] = newBucket(c.want[i], c.want[i+1], c.at[i+1]-first)
		default:
			c.brief[n] = searched
		}
	}
}

// Next gives the first boundary after an instant: the state, the period that is the reason, or the instance type
// changes there. It is false when nothing changes within Horizon.
func (s *Schedule) Next(t time.Time) (Boundary, bool) {
	return s.next(t.Unix(), func(before, after Want) bool { return before != after })
}

// NextState is Next for changes of the state alone: a period that takes over from another is passed by.
func (s *Schedule) NextState(t time.Time) (Boundary, bool) {
	return s.next(t.Unix(), func(before, after Want) bool { return before.State != after.State })
}

// next finds the first instant after sec at which the answer differs from the one before it in what counts.
func (s *Schedule) next(sec int64, differs func(before, after Want) bool) (Boundary, bool) {
	sec = min(max(sec, minInstant), maxInstant)
	cur := s.cursor(sec)
	for cur.advance(min(sec+int64(Horizon/time.Second), maxInstant)) {
		if b := cur.boundary(); differs(b.From, b.To) {
			return b, true
		}
	}
	return Boundary{}, false
}

// Boundaries gives every boundary after one instant and up to another, that one included, in order.
func (s *Schedule) Boundaries(from, to time.Time) iter.Seq[Boundary] {
	return func(yield func(Boundary) bool) {
		cur := s.cursor(min(max(from.Unix(), minInstant), maxInstant))
		for last := min(to.Unix(), maxInstant); cur.advance(last); {
			if !yield(cur.boundary()) {
				return
			}
		}
	}
}

// cursor walks over the changes of a schedule.
type cursor struct {
	s      *Schedule
	origin int64 // number of the chunk it set out from
	line         // of the chunk it is in
	i      int   // place in the line
	// at is the last change walked over, in Unix seconds, with the places of the answers before it and from it on.
	at            int64
	before, after uint16
}

// cursor sets out from an instant (Unix seconds, within the bounds).
func (s *Schedule) cursor(sec int64) cursor {
	cur := cursor{s: s, origin: sec >> chunkBits}
	if s.override {
		return cur
	}
	cur.line = s.chunk(cur.origin).line
	cur.i = cur.find(uint32(sec & (chunkSize - 1)))
	cur.after = cur.want[cur.i]
	return cur
}

// advance goes to the next change. It is false when there is none up to and with the last instant; the walk is over then.
func (cur *cursor) advance(last int64) bool {
	if cur.s.override {
		return false
	}
	for {
		cur.i++
		if cur.i == len(cur.want) {
			number := cur.number + 1
			if number<<chunkBits > last {
				return false
			}
			// A long look ahead must not drive the chunks of today out of their slots.
			if number-cur.origin < chunkSlots/2 {
				cur.line = cur.s.chunk(number).line
			} else {
				cur.line = cur.s.line(number)
			}
			cur.i = 0
		}
		at := cur.number<<chunkBits + int64(cur.line.at[cur.i])
		if at > last {
			return false
		}
		if want := cur.want[cur.i]; want != cur.after {
			cur.at, cur.before, cur.after = at, cur.after, want
			return true
		}
	}
}

func (cur *cursor) boundary() Boundary {
	return Boundary{At: time.Unix(cur.at, 0).UTC(), From: cur.s.wants[cur.before], To: cur.s.wants[cur.after]}
}
