// Package clock is the time of the running program: what the wall says and how
// to wait for it. The demo runs on a faster clock than the wall; everything
// else runs on Real. Pure packages never see a clock: they are given instants.
package clock

import (
	"context"
	"math"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	// Now returns the present instant without a monotonic reading, so that
	// differences follow the wall clock through a suspend.
	Now() time.Time
	// Sleep waits for d of this clock's time, or until ctx ends, then returns
	// ctx's cause. d ≤ 0 returns at once.
	Sleep(ctx context.Context, d time.Duration) error
}

// Real is the wall clock.
type Real struct{}

// Now implements Clock.
func (Real) Now() time.Time { return time.Now().Round(0) }

// Sleep implements Clock.
func (Real) Sleep(ctx context.Context, d time.Duration) error { return sleep(ctx, d) }

// Fast is a clock that starts at an instant and runs Speed times as fast as the wall.
type Fast struct {
	start time.Time
	speed float64
	began time.Time
}

// NewFast returns a clock that shows start now and runs speed (> 0) times as
// fast; who reads a speed from a person checks it.
func NewFast(start time.Time, speed float64) *Fast {
	return &Fast{start: start.Round(0), speed: speed, began: time.Now()}
}

// Now implements Clock.
func (c *Fast) Now() time.Time {
	return c.start.Add(time.Duration(float64(time.Since(c.began)) * c.speed))
}

// Sleep implements Clock.
func (c *Fast) Sleep(ctx context.Context, d time.Duration) error {
	// Rounded up: who sleeps until a boundary must not wake before it.
	return sleep(ctx, time.Duration(math.Ceil(float64(d)/c.speed)))
}

func sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
