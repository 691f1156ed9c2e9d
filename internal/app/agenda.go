package app

import (
	"slices"
	"sync"
	"time"

	"dayshift/internal/fleet"
)

// maxNap is the longest the loop sleeps, by the wall, before it reads the clock
// again. A timer does not run while a machine is suspended and does not see a
// clock that is set: both are noticed within this time.
const maxNap = 30 * time.Second

// jump is how far the wall clock may differ from what a nap lets expect before
// it counts as set or suspended. Above the delays of a busy machine.
const jump = 5 * time.Second

// What starts a pass.
const (
	triggerStart    = "start"    // the daemon started, became leader or has a new configuration
	triggerBoundary = "boundary" // an answer may have changed: a boundary, a grace or a back-off has passed
	triggerResync   = "resync"   // the interval that repairs drift
	triggerClock    = "clock"    // the wall clock jumped
	triggerPerson   = "person"   // a person decided something
	triggerEvent    = "event"    // the cloud said that something has changed
)

const (
	// newsDelay is how long a look waits for further events of its scope: those of
	// one command come within a second, and so do a listing and what it lists.
	newsDelay = time.Second
	// newsGap is how far apart looks because of events are in one scope. Where more
	// is told all the time it doubles up to newsLongest, so that a scope that never
	// rests costs a look a minute.
	newsGap     = 10 * time.Second
	newsLongest = time.Minute
)

// agenda knows when each scope is to be looked at next. A scope is given out
// to one pass at a time; the others stay free, so that a scope whose actions
// are paced for minutes never delays another.
type agenda struct {
	mu     sync.Mutex
	resync time.Duration
	maxNap time.Duration // of the clock, which may run faster than the wall
	jump   time.Duration // likewise
	delay  time.Duration // newsDelay and its relatives, likewise
	gap    time.Duration
	most   time.Duration
	scopes map[fleet.Scope]*appointment
	last   time.Time     // when take was last asked
	nap    time.Duration // how long it then allowed to sleep
	wake   chan struct{} // holds one token when something changed
}

type appointment struct {
	due     time.Time // zero: nothing scheduled
	resync  time.Time
	trigger string    // overrides the reason once; empty otherwise
	news    time.Time // when to look because of events; zero: none came
	looked  time.Time // when that was last done
	gap     time.Duration
	busy    bool
	gone    bool // left the configuration while busy
}

// newAgenda makes an agenda for a clock that runs speed times as fast as the wall.
func newAgenda(resync time.Duration, speed float64) *agenda {
	fast := func(d time.Duration) time.Duration { return time.Duration(float64(d) * speed) }
	return &agenda{resync: resync, maxNap: fast(maxNap), jump: fast(jump), delay: fast(newsDelay), gap: fast(newsGap), most: fast(newsLongest), scopes: map[fleet.Scope]*appointment{}, wake: make(chan struct{}, 1)}
}

// set replaces the scopes and makes all of them due.
func (a *agenda) set(scopes []fleet.Scope, resync time.Duration, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resync = resync
	for scope, entry := range a.scopes {
		if !slices.Contains(scopes, scope) {
			entry.gone = true
			if !entry.busy {
				delete(a.scopes, scope)
			}
		}
	}
	for _, scope := range scopes {
		entry := a.scopes[scope]
		if entry == nil {
			entry = &appointment{}
			a.scopes[scope] = entry
		}
		entry.gone, entry.due, entry.trigger = false, now, triggerStart
	}
	a.poke()
}

// touch makes some scopes due.
func (a *agenda) touch(scopes []fleet.Scope, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, scope := range scopes {
		if entry := a.scopes[scope]; entry != nil && !entry.gone {
			entry.due, entry.trigger = now, triggerPerson
		}
	}
	a.poke()
}

// news makes a scope due because something is said to have changed in it, soon
// and not too often; false: nobody looks after the scope.
func (a *agenda) news(scope fleet.Scope, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	entry := a.scopes[scope]
	if entry == nil || entry.gone {
		return false
	}
	if entry.news.IsZero() {
		entry.news = now.Add(a.delay)
		if soonest := entry.looked.Add(entry.gap); entry.news.Before(soonest) && !entry.looked.After(now) { // a clock that was set back puts nothing off
			entry.news = soonest
		}
		a.poke()
	}
	return true
}

// looks notes that a look because of events begins.
func (e *appointment) looks(a *agenda, now time.Time) {
	if rested := now.Sub(e.looked); e.gap > 0 && rested >= 0 && rested <= e.gap+a.delay {
		e.gap = min(2*e.gap, a.most)
	} else {
		e.gap = a.gap
	}
	e.news, e.looked = time.Time{}, now
}

// round is what take gives out: scopes for one pass.
type round struct {
	scopes  []fleet.Scope
	trigger string
	// due is the earliest instant at which one of the scopes was due.
	due time.Time
}

// take gives out the scopes that are due and says how long to sleep until the
// next, at most maxNap.
func (a *agenda) take(now time.Time) (round, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.last.IsZero() {
		if slept := now.Sub(a.last); slept < -a.jump || slept > a.nap+a.jump {
			for _, entry := range a.scopes {
				entry.due, entry.trigger = now, triggerClock
			}
		}
	}
	var out round
	next := now.Add(a.maxNap)
	for scope, entry := range a.scopes {
		if entry.busy {
			continue
		}
		at, trigger := entry.next()
		if at.After(now) {
			next = earlier(next, at)
			continue
		}
		entry.busy, entry.trigger = true, ""
		if !entry.news.IsZero() && !entry.news.After(now) {
			entry.looks(a, now)
		}
		out.scopes = append(out.scopes, scope)
		if out.due.IsZero() || at.Before(out.due) {
			out.due, out.trigger = at, trigger
		}
	}
	slices.SortFunc(out.scopes, fleet.Scope.Compare)
	a.last, a.nap = now, next.Sub(now)
	return out, a.nap
}

func (e *appointment) next() (time.Time, string) {
	at, trigger := e.resync, triggerResync
	switch {
	case e.trigger != "":
		at, trigger = e.due, e.trigger
	case !e.due.IsZero() && !e.due.After(e.resync):
		at, trigger = e.due, triggerBoundary
	}
	if !e.news.IsZero() && e.news.Before(at) {
		return e.news, triggerEvent
	}
	return at, trigger
}

// done takes a scope back from a pass. due is when to look at it again (zero:
// nothing scheduled before the resync).
func (a *agenda) done(scope fleet.Scope, due, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	entry := a.scopes[scope]
	switch {
	case entry == nil:
		return
	case entry.gone:
		delete(a.scopes, scope)
	default:
		entry.busy = false
		if entry.trigger == "" { // else it became due again while it was busy
			entry.due = wholeSecond(due)
		}
		entry.resync = now.Add(spread(a.resync, entry.due.Sub(now)))
	}
	a.poke()
}

// stretch is the part of its interval by which a resync may come later where the
// look at what is due next takes the place of one, stretchMost how much that is at
// most. An eighth is what it takes to save one in nine hours, the length of a working
// day. Before a maintenance window there are ten minutes beside the interval.
const (
	stretch     = 8
	stretchMost = 8 * time.Minute
)

// spread is how long after a look the resync is made when the next look is due in
// left: the interval, or a little more where those until then fit in evenly with one
// less. What is due looks at everything as well.
func spread(interval, left time.Duration) time.Duration {
	longest := interval + min(interval/stretch, stretchMost)
	if left <= interval {
		return interval
	}
	return max(interval, left/((left+longest-1)/longest))
}

// wholeSecond rounds up: boundaries lie on whole seconds already, and looks at
// what is under way come together in one pass instead of one for each scope.
func wholeSecond(at time.Time) time.Time {
	if down := at.Truncate(time.Second); !at.Equal(down) {
		return down.Add(time.Second)
	}
	return at
}

func (a *agenda) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
