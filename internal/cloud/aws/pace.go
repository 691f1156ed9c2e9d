package aws

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Pacing constants.
const (
	// clockTolerance makes the mirror refill a little slower than AWS does: clocks
	// of computers differ by up to some 100 millionths, and rounding must never
	// make us come before the token. It costs 0.05 s in 500.
	clockTolerance = 1e-4
	// chunkMax bounds what a call waits for, because one bad member makes AWS
	// refuse all of a call. What is in the bucket already goes at once, up to AWS's
	// bound, when it is what comes in shortTime or more.
	chunkMax = 200
	// chunkTime is how much refill a call waits for when the bucket is empty and
	// much is wanted: chunkMax starts at 1.6 a second, which is the default share of
	// AWS's two; as many stops, at 16, are there after 12.5 s. It delays the last
	// resource by nothing, those before it by this at most, counted from when their
	// token came. What it saves are calls, each with a look at its members before it:
	// of 1,000 starts 4 of 6, of 5,000 67 of 89, compared with a call each half minute.
	chunkTime = 125 * time.Second
	// shortTime takes its place while others wait for the same bucket, such as
	// somebody who starts one instance by hand, and for calmAfter since a call was
	// throttled: of what a bucket then gathers in minutes, others have a part.
	shortTime = 30 * time.Second
	calmAfter = time.Hour
	// answerWithin is when a call that took room is taken to have been given up:
	// longer than any call's time-out.
	answerWithin = 2 * time.Minute
	// shrink is what is left of the share after a throttled call, floorFactor the
	// least that is left, and regrowTime how long the whole share takes to come
	// back, 5 % in 45 s: slowly, so that beside a neighbour that eats half of the
	// bucket fewer than one call in a hundred is refused.
	shrink      = 0.5
	floorFactor = 0.05
	regrowTime  = 15 * time.Minute
	// crowdedCalls is how many tokens of the request bucket come back between two
	// calls that have to wait while the mirror is shrunk. What is left in a bucket
	// for long is then taken by others, and a large call would be refused whole; so
	// small calls go as soon as there is something, with most requests left to others.
	crowdedCalls = 5
	// backoffFirst and backoffMost bound the pause after throttled calls, which
	// doubles with each one in a row.
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 20 * time.Second
	// sparePart of what the share leaves to others is counted on while calls are
	// under way: enough for seconds, and the most that others can miss.
	sparePart = 0.25
	// wakeAfter bounds a single wait, so that after a suspended machine or a
	// changed clock the present is looked at again soon.
	wakeAfter = 30 * time.Second
	// shortestWait keeps rounding from waking us a nanosecond early over and over.
	shortestWait = time.Millisecond
)

// Pacer mirrors AWS's token buckets per account, region and operation. It may
// be shared by several Clouds, one after the other when a configuration is
// reloaded or at once, so that what one of them used the others know.
//
// Those who wait for one bucket are served in the order in which they came.
type Pacer struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
	rand  func() float64
	// waited, when set, hears of every wait.
	waited func(scope fleet.Scope, operation kinds.Operation, d time.Duration)

	mu     sync.Mutex
	share  float64 // of each bucket, 0 < share ≤ 1
	meters map[meterKey]*meter
	hours  map[hourlyKey]bool
}

// hourlyKey names what AWS gives sessions of an hour at most: a role, or, without
// one, all roles that are assumed with the credentials at hand of a profile.
type hourlyKey struct{ profile, role string }

// hourly reports whether AWS has refused a longer session of one of them.
func (p *Pacer) hourly(keys ...hourlyKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(keys, func(key hourlyKey) bool { return p.hours[key] })
}

// setHourly notes that AWS has. It is kept for as long as the mirror, so that a
// reload does not ask again; what allows more from now on is found at the next start.
func (p *Pacer) setHourly(key hourlyKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hours[key] = true
}

type meterKey struct {
	scope fleet.Scope
	group string
}

// meter is the mirror of one group of operations in one scope.
type meter struct {
	limit Limit // AWS's, of which the share is ours
	// turn holds one token: who has it is the first in the line.
	turn chan struct{}

	mu                sync.Mutex
	line              int // calls that want room, the one whose turn it is among them
	request, resource level
	at                time.Time // of the last refill
	flights           []flight  // calls that AWS has not answered yet
	factor            float64   // what throttling left of size and refill
	notBefore         time.Time // pause after a throttled call
	strikes           int       // throttled calls in a row
	struck            time.Time // when the last call was throttled
	halved            bool      // that was a large call, of which half is being tried
}

type level struct {
	tokens, max, perSecond float64
	// spare is how much of what comes back during calls under way is counted on.
	spare float64
}

// flight is a call under way. AWS takes its tokens when it arrives, later than
// we do, and until then its bucket may be full and let refill go by. So the mirror
// holds no more than the bucket's size less what is under way: what comes back
// before the answer is not counted on, but for a part of what the share leaves to
// others, which is in the bucket all the same when nobody takes it.
type flight struct {
	n  int
	at time.Time
}

// newPacer makes a mirror with full buckets that uses share (0 < share ≤ 1) of each.
func newPacer(c Config) *Pacer {
	return &Pacer{
		share: c.Share, now: c.Now, sleep: c.Sleep, rand: c.Rand, waited: c.Observer.Waited,
		meters: map[meterKey]*meter{}, hours: map[hourlyKey]bool{},
	}
}

func (p *Pacer) meter(scope fleet.Scope, operation kinds.Operation) *meter {
	limit := LimitOf(operation)
	key := meterKey{scope, limit.Group}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.meters[key]
	if m == nil {
		m = &meter{limit: limit, turn: make(chan struct{}, 1), request: p.level(limit.Request), resource: p.level(limit.Resource), at: p.now(), factor: 1}
		p.meters[key] = m
	}
	return m
}

// setShare changes the part of each bucket that is used from now on. What is
// known of the buckets stays: a smaller share holds no more than its size, and a
// larger one fills up at its own rate, since nobody knows who used the rest.
func (p *Pacer) setShare(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if share == p.share {
		return
	}
	p.share = share
	now := p.now()
	for _, m := range p.meters {
		m.mu.Lock()
		m.refill(now)
		m.request = p.level(m.limit.Request).holding(m.request.tokens)
		m.resource = p.level(m.limit.Resource).holding(m.resource.tokens)
		m.mu.Unlock()
	}
}

// holding is the level with no more than so many tokens.
func (l level) holding(tokens float64) level {
	l.tokens = min(l.max, tokens)
	return l
}

// level is the share of a bucket, full; p.mu is held. A share of a small bucket still holds a call.
func (p *Pacer) level(rate Rate) level {
	if rate == (Rate{}) {
		return level{}
	}
	size := max(1, rate.Max*p.share)
	return level{tokens: size, max: size, perSecond: rate.PerSecond * p.share, spare: max(0, rate.Max-size) * sparePart}
}

// take waits until a call of the operation on some of want resources may leave
// (no more than most in one call), takes its tokens and returns how many.
func (p *Pacer) take(ctx context.Context, scope fleet.Scope, operation kinds.Operation, want, most int) (int, error) {
	m := p.meter(scope, operation)
	m.queue(1)
	defer m.queue(-1)
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	began := p.now()
	gathers := false
	for {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		var n int
		var wait time.Duration
		n, gathers, wait = m.try(p.now(), want, most, gathers)
		if n > 0 {
			if took := p.now().Sub(began); took > 0 && p.waited != nil {
				p.waited(scope, operation, took)
			}
			return n, nil
		}
		if err := p.sleep(ctx, min(max(wait, shortestWait), wakeAfter)); err != nil {
			return 0, err
		}
	}
}

// queue counts calls that begin or end to want room.
func (m *meter) queue(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.line += n
}

// try takes tokens for a call now, or says how long to wait, and whether to gather
// tokens for a large call: who began to gather goes on until it has been worth it.
func (m *meter) try(now time.Time, want, most int, gathering bool) (n int, gathers bool, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refill(now)
	if wait = m.notBefore.Sub(now); wait > 0 {
		return 0, gathering, wait
	}
	n = min(want, most)
	if m.resource.max > 0 {
		// What one call can have: all that is there when that is worth a call, else
		// as much as comes in the time between two calls.
		between := m.between()
		if !gathering && m.resource.tokens >= m.worth(n, min(between, shortTime)) {
			between = min(between, shortTime)
		}
		if wait = m.resource.until(m.worth(n, between), m.factor); wait > 0 {
			return 0, true, wait
		}
		n = min(n, int(m.resource.tokens))
	}
	if wait = m.request.until(1, m.factor); wait > 0 {
		return 0, gathering, wait
	}
	m.request.tokens--
	if m.resource.max > 0 {
		m.resource.tokens -= float64(n)
	}
	m.flights = append(m.flights, flight{n, now})
	return n, false, 0
}

// worth is how many of n resources a call is made for when calls are so far apart.
func (m *meter) worth(n int, between time.Duration) float64 {
	return float64(min(n, chunkMax, max(1, int(m.resource.perSecond*m.factor*between.Seconds())), int(m.resource.size(m.factor))))
}

// between is how long calls that have to wait for resources are apart.
func (m *meter) between() time.Duration {
	switch {
	case m.factor < 1:
		return min(shortTime, time.Duration(crowdedCalls/m.limit.Request.PerSecond*float64(time.Second)))
	case m.line > 1, m.at.Sub(m.struck) < calmAfter:
		return shortTime
	}
	return chunkTime
}

// refill adds what came back since the last look.
func (m *meter) refill(now time.Time) {
	d := now.Sub(m.at)
	m.at = now
	m.flights = slices.DeleteFunc(m.flights, func(f flight) bool { return now.Sub(f.at) > answerWithin })
	if d <= 0 { // a clock set back adds nothing
		return
	}
	m.factor = min(1, m.factor+d.Seconds()/regrowTime.Seconds())
	resources := 0
	for _, f := range m.flights {
		resources += f.n
	}
	m.request.add(d, m.factor, len(m.flights))
	m.resource.add(d, m.factor, resources)
}

// land ends the flight of a call on n resources and returns how many it had
// taken room for: more, when some fell away between Reserve and Do.
func (m *meter) land(n int) int {
	best := -1
	for i, f := range m.flights {
		if f.n >= n && (best < 0 || f.n < m.flights[best].n) {
			best = i
		}
	}
	if best < 0 {
		return n
	}
	reserved := m.flights[best].n
	m.flights = slices.Delete(m.flights, best, best+1)
	return reserved
}

func (l *level) add(d time.Duration, factor float64, underWay int) {
	size, spare := l.size(factor), l.spare
	if factor < 1 { // others do take it
		spare = 0
	}
	most := max(l.tokens, min(size, size-float64(underWay)+spare))
	l.tokens = min(most, l.tokens+d.Seconds()*l.perSecond*factor*(1-clockTolerance))
}

// size is how much the bucket holds when throttling left factor of it: still a call.
func (l *level) size(factor float64) float64 { return max(min(1, l.max), l.max*factor) }

// until is how long it takes until n tokens are there.
func (l *level) until(n, factor float64) time.Duration {
	if l.tokens >= n {
		return 0
	}
	return time.Duration(math.Ceil((n - l.tokens) / (l.perSecond * factor * (1 - clockTolerance)) * float64(time.Second)))
}

// answered tells the mirror that AWS dealt with a call on n resources, and how
// many of them it acted on: it takes tokens for those alone, none when it refuses.
func (p *Pacer) answered(scope fleet.Scope, operation kinds.Operation, n, acted int) {
	m := p.meter(scope, operation)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refill(p.now())
	m.strikes, m.halved = 0, false
	back := m.land(n) - acted
	m.resource.tokens = max(m.resource.tokens, min(m.resource.size(m.factor), m.resource.tokens+float64(back)))
}

// throttled empties the mirror, because AWS's bucket is emptier than it showed,
// and halves its size and refill, because others draw on the bucket too. Nobody
// calls before after has passed, or before a pause with jitter when AWS gave no time.
//
// Of a large call half is tried once more: that is there beside a neighbour that
// takes half of everything, and would else be used up over minutes, as if it came
// back only then. Where it is not there, one more call is refused.
func (p *Pacer) throttled(scope fleet.Scope, operation kinds.Operation, n int, after time.Duration) {
	m := p.meter(scope, operation)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := p.now()
	m.refill(now)
	m.land(n)
	m.request.tokens, m.resource.tokens = 0, 0
	pause := p.jitter(backoff(backoffFirst, backoffMost, m.strikes))
	m.strikes++
	m.struck = now
	if now.Before(m.notBefore) {
		return // an answer to a call that left before the pause began says nothing new
	}
	m.notBefore = now.Add(max(pause, after))
	if m.halved { // it asked how full the bucket is, not how fast it fills
		m.halved = false
		return
	}
	m.factor = max(floorFactor, m.factor*shrink)
	if m.halved = n > chunkMax; m.halved {
		m.resource.tokens = float64(n / 2)
	}
}

// jitter is a time between half of d and d, so that those who were refused
// together do not come back together.
func (p *Pacer) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + p.rand()/2))
}

// backoff doubles first with every try, up to most.
func backoff(first, most time.Duration, tries int) time.Duration {
	return min(most, first<<min(tries, 20))
}
