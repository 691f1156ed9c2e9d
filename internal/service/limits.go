package service

import (
	"container/list"
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"dayshift/internal/access"
)

// bucket is how full a bucket of requests is: the instant at which it will be
// full again tells it without a clock that ticks.
type bucket struct {
	mu   sync.Mutex
	full time.Time
}

func newBucket() *bucket { return &bucket{} }

// interval is the time in which one request comes back, rounded up: never more than the rate.
func (r Rate) interval() time.Duration {
	return time.Duration(math.Ceil(float64(time.Second) / r.PerSecond))
}

// refill is the time from empty to full.
func (r Rate) refill() time.Duration { return time.Duration(r.Burst) * r.interval() }

// level is when the bucket will be full again. A bucket is never emptier than
// empty, wherever the clock was put.
func (b *bucket) level(now time.Time, rate Rate) time.Time {
	switch latest := now.Add(rate.refill()); {
	case b.full.Before(now):
		b.full = now
	case b.full.After(latest):
		b.full = latest
	}
	return b.full
}

// wait is how long nothing can be taken; 0: now. The caller holds the lock.
func (b *bucket) wait(now time.Time, rate Rate) time.Duration {
	return max(0, b.level(now, rate).Add(rate.interval()).Sub(now)-rate.refill())
}

// take takes one, of a bucket that has it. The caller holds the lock.
func (b *bucket) take(now time.Time, rate Rate) {
	b.full = b.level(now, rate).Add(rate.interval())
}

// ask takes one if it can, and tells what is left or how long to wait. The caller holds the lock.
func (b *bucket) ask(now time.Time, rate Rate) (left Allowance, wait time.Duration) {
	if wait = b.wait(now, rate); wait == 0 {
		b.take(now, rate)
	}
	level := b.level(now, rate)
	return Allowance{
		Limit: int64(rate.Burst), Remaining: int64((rate.refill() - level.Sub(now)) / rate.interval()), Reset: level,
	}, wait
}

// recent keeps the values that were asked for last, at most so many.
type recent[V any] struct {
	mu    sync.Mutex
	most  int
	order *list.List // of *recentValue[V], the latest first
	byKey map[string]*list.Element
}

type recentValue[V any] struct {
	key   string
	value V
}

// keptAt is what an element of the list holds: nothing else is put there.
func keptAt[V any](at *list.Element) *recentValue[V] {
	kept, _ := at.Value.(*recentValue[V])
	return kept
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{most: most, order: list.New(), byKey: map[string]*list.Element{}}
}

func (r *recent[V]) get(key string) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.byKey[key]
	if !ok {
		return value, false
	}
	r.order.MoveToFront(at)
	return keptAt[V](at).value, true
}

// of gives the value of the key, made where there is none.
func (r *recent[V]) of(key string, fresh func() V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.byKey[key]; ok {
		r.order.MoveToFront(at)
		return keptAt[V](at).value
	}
	value := fresh()
	r.insert(key, value)
	return value
}

func (r *recent[V]) put(key string, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.byKey[key]; ok {
		at.Value = &recentValue[V]{key, value}
		r.order.MoveToFront(at)
		return
	}
	r.insert(key, value)
}

func (r *recent[V]) insert(key string, value V) {
	if r.order.Len() >= r.most {
		oldest := r.order.Back()
		r.order.Remove(oldest)
		delete(r.byKey, keptAt[V](oldest).key)
	}
	r.byKey[key] = r.order.PushFront(&recentValue[V]{key, value})
}

func (r *recent[V]) drop(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.byKey[key]; ok {
		r.order.Remove(at)
		delete(r.byKey, key)
	}
}

// asking is what a process remembers of a principal that asks.
type asking struct {
	bucket bucket
	// spending is held while the quota is counted, for which the store may be asked.
	spending chan struct{}
	quota    Quota
	start    time.Time // of the window that the rest is about
	counted  int64     // in the store, as far as this process knows
	reserve  int64     // of what was counted: still to be given out here
	spent    bool      // nothing is left in the window

	mu   sync.Mutex
	used time.Time // when it was last noted that the key was used
}

func newAsking() *asking { return &asking{spending: make(chan struct{}, 1)} }

// usedEvery is how often the use of a key or session is written down at most.
const usedEvery = time.Minute

// notePatience is how long a request waits until its use is written down; it goes on without.
const notePatience = time.Second

// charge counts a request of a principal, by its rate and its quota. k is its key, nil for a person's session.
func (g *Gate) charge(ctx context.Context, k *liveKey, who access.Principal, from string, now time.Time) (Grant, error) {
	a := g.asks.of(who.ID, newAsking)
	rate := DefaultRate
	if k != nil {
		rate = k.rate()
	}
	a.bucket.mu.Lock()
	left, wait := a.bucket.ask(now, rate)
	a.bucket.mu.Unlock()
	grant := Grant{Rate: left}
	if wait > 0 {
		denied := tooFast(left, rate, wait)
		g.refuse(ctx, denied, k, who.Actor(), from)
		return grant, denied
	}
	if k == nil {
		return grant, nil
	}
	if k.spec.Quota != nil {
		allowance, err := a.spend(ctx, g, k.id, *k.spec.Quota, now)
		if err != nil {
			return grant, err
		}
		grant.Quota = &allowance
		if allowance.Remaining < 0 {
			grant.Quota.Remaining = 0
			wait := allowance.Reset.Sub(now)
			denied := &DeniedError{
				Reason: DeniedQuota, RetryAfter: wait, Grant: grant,
				told: tellF("the quota of %s is used up; it begins anew at %s", k.spec.Quota, stamp(allowance.Reset)),
			}
			g.refuse(ctx, denied, k, who.Actor(), from)
			return grant, denied
		}
	}
	a.mu.Lock()
	due := now.Sub(a.used) >= usedEvery || now.Before(a.used)
	if due {
		a.used = now
	}
	a.mu.Unlock()
	if due {
		noted, cancel := context.WithTimeout(context.WithoutCancel(ctx), notePatience)
		defer cancel()
		// Nobody is refused because this can not be written; it is in a minute.
		_ = g.store.Touch(noted, usedCounter(k.id), now)
	}
	return grant, nil
}

// Reserves: what a process counts in the store at once and gives out itself.
// Whatever of it is left when the process ends is lost to the key.
const (
	// reserveShare of the limit is reserved at once at most: so much a restart costs.
	reserveShare = 100
	largestPart  = 64
	// reserveFrom is how many parts have to be left: nearer to the limit each request is counted by itself, so that
	// several processes together come to it exactly.
	reserveFrom = 4
)

// spend takes one of the quota. Remaining below 0 says that nothing was left.
func (a *asking) spend(ctx context.Context, g *Gate, id string, quota Quota, now time.Time) (Allowance, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	select {
	case a.spending <- struct{}{}:
	case <-ctx.Done():
		return Allowance{}, fmt.Errorf("count the quota of key %s: %w", id, ctx.Err())
	}
	defer func() { <-a.spending }()
	start, end := quota.window(now)
	if quota != a.quota || !start.Equal(a.start) {
		// What was reserved belongs to the old limit or window.
		a.quota, a.start, a.counted, a.reserve, a.spent = quota, start, -1, 0, false
	}
	answer := Allowance{Limit: quota.Limit, Remaining: -1, Reset: end}
	switch {
	case a.spent:
		return answer, nil
	case a.reserve == 0:
		if err := a.reserveMore(ctx, g, quotaCounter(id, quota.Per)); err != nil {
			return Allowance{}, fmt.Errorf("count the quota of key %s: %w", id, err)
		}
		if a.spent {
			return answer, nil
		}
	}
	a.reserve--
	answer.Remaining = max(0, quota.Limit-a.counted+a.reserve)
	return answer, nil
}

// reserveMore counts a part of the quota in the store, or one by itself near the limit.
func (a *asking) reserveMore(ctx context.Context, g *Gate, name string) error {
	part := min(a.quota.Limit/reserveShare, largestPart)
	if part > 1 && (a.counted < 0 || a.quota.Limit-a.counted > reserveFrom*part) || a.counted < 0 {
		counters, err := g.store.Counted(ctx, []string{name}) // others count too
		if err != nil {
			return err
		}
		a.counted = 0
		if counters[0].Window.Equal(a.start) {
			a.counted = counters[0].Count
		}
	}
	if part < 1 || a.quota.Limit-a.counted <= reserveFrom*part {
		part = 1
	}
	granted, err := g.store.Take(ctx, name, a.start, part, a.quota.Limit)
	if err != nil {
		return err
	}
	a.counted += granted
	a.reserve, a.spent = granted, granted == 0
	return nil
}
