package main

import (
	"context"
	"runtime/metrics"
	"sync"
	"time"
)

// patient is a clock that stands still while the process has something to do,
// and goes on to the next instant that somebody sleeps until as soon as all its
// goroutines wait: hours pass in a second, waits run side by side, and how busy
// the machine is changes nothing. Everything has to happen inside the process.
type patient struct {
	mu       sync.Mutex
	now      time.Time
	sleepers map[*sleeper]struct{}
}

type sleeper struct {
	until time.Time
	wake  chan struct{}
}

func newPatient(now time.Time) *patient {
	return &patient{now: now, sleepers: map[*sleeper]struct{}{}}
}

// Now implements clock.Clock.
func (p *patient) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Sleep implements clock.Clock.
func (p *patient) Sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil || d <= 0 {
		return err
	}
	s := &sleeper{wake: make(chan struct{})}
	p.mu.Lock()
	s.until = p.now.Add(d)
	p.sleepers[s] = struct{}{}
	p.mu.Unlock()
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		delete(p.sleepers, s)
		p.mu.Unlock()
		return context.Cause(ctx)
	}
}

// quiet is how often in a row the process has to be seen waiting: the counts of
// the runtime are not taken at one instant. Between two looks is a glance.
const (
	quiet  = 3
	glance = 50 * time.Microsecond
)

// runTo lets the time pass until an instant.
func (p *patient) runTo(ctx context.Context, end time.Time) error {
	states := []metrics.Sample{
		{Name: "/sched/goroutines/running:goroutines"}, // of which this is one
		{Name: "/sched/goroutines/runnable:goroutines"},
	}
	for waiting := 0; ; time.Sleep(glance) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		metrics.Read(states)
		if waiting++; states[0].Value.Uint64() > 1 || states[1].Value.Uint64() > 0 {
			waiting = 0
		}
		if waiting < quiet {
			continue
		}
		waiting = 0
		if !p.advance(end) {
			return nil
		}
	}
}

// advance moves on to the next instant before the end and wakes those who sleep until then, or moves to the end.
func (p *patient) advance(end time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := end
	for s := range p.sleepers {
		if s.until.Before(next) {
			next = s.until
		}
	}
	p.now = next
	if !next.Before(end) {
		return false
	}
	for s := range p.sleepers {
		if !s.until.After(next) {
			delete(p.sleepers, s)
			close(s.wake)
		}
	}
	return true
}
