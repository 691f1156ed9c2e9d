package awssim

import (
	"sync"
	"time"
)

// clock is the simulator's time: the base clock, sped up and moved forward.
// It never goes back, so a timeline once read stays true.
type clock struct {
	mu    sync.Mutex
	base  func() time.Time
	from  time.Time // base time of the last change of speed
	at    time.Time // simulated time at from
	speed float64
}

func newClock(base func() time.Time, start time.Time, speed float64) *clock {
	now := base()
	if start.IsZero() {
		start = now
	}
	return &clock{base: base, from: now, at: start.UTC(), speed: speed}
}

func (k *clock) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read(k.base())
}

func (k *clock) read(base time.Time) time.Time {
	d := max(0, base.Sub(k.from)) // a base clock that was set back: stand still rather than go back
	return k.at.Add(time.Duration(float64(d) * k.speed))
}

// rebase makes the present the new origin, so that a change of speed or an
// advance does not move what has already passed.
func (k *clock) rebase(speed float64, advance time.Duration) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	base := k.base()
	k.at = k.read(base).Add(advance)
	k.from = base
	k.speed = speed
	return k.at
}

func (k *clock) rate() float64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.speed
}
