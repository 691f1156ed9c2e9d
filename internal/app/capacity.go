package app

import (
	"context"
	"log/slog"
	"time"

	"dayshift/internal/capacity"
	"dayshift/internal/clock"
)

const (
	// retryLook is when reservations are looked at again after a look that could not be made at all.
	retryLook = 15 * time.Second
	// leastNap is the shortest time between two looks at reservations: what is due at once was just looked at.
	leastNap = time.Second
)

// lookAtCapacity is a look at all reservations of the configuration, complete but for the lease.
func (a *App) lookAtCapacity() *capacity.Look {
	reserver := a.Cloud.Reserver()
	return &capacity.Look{
		Cloud: reserver, Types: reserver, Groups: reserver, Store: a.Store, Clock: a.Clock, Log: a.Log, Receivers: a.receivers(),
		Reservations: a.Config.Reservations, Rules: a.Config.Capacity, Observe: a.Config.Config.Observe, Table: a.tables.of(a),
	}
}

// capacity looks after reservations until ctx ends: when a window begins or
// ends, every capacity.interval while something is short, at every resync, and when people have changed something.
func (d *Daemon) capacity(ctx context.Context) {
	for ctx.Err() == nil {
		look := d.present().lookAtCapacity()
		look.Lease, look.MayAct = d.leader.Lease, d.leader.MayAct
		report, err := look.Run(ctx)
		now := d.Clock.Now()
		next := report.Next
		if err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "reservations could not be looked after; it is tried again", slog.Any("error", err))
			next = now.Add(retryLook)
		}
		for i := range report.Outcomes {
			o := &report.Outcomes[i]
			if len(o.Did) > 0 || o.Error != "" {
				d.Log.InfoContext(ctx, "reservation", slog.String("name", o.Name), slog.Int("wanted", o.Wanted), slog.Int("held", o.Held), slog.Any("did", o.Did), slog.String("why", string(o.Why)), slog.String("error", o.Error))
			}
		}
		d.nap(ctx, next)
	}
}

// nap sleeps until the next look at reservations is due, or something has changed. It reads
// the clock again every maxNap: a timer does not see one that is set.
func (d *Daemon) nap(ctx context.Context, until time.Time) {
	for {
		left := max(until.Sub(d.Clock.Now()), leastNap)
		longest := time.Duration(float64(maxNap) * d.Speed())
		napping, wake := context.WithCancel(ctx)
		woken := make(chan bool, 1)
		go func() {
			select {
			case <-d.changed:
				woken <- true
				wake()
			case <-napping.Done():
				woken <- false
			}
		}()
		_ = d.Clock.Sleep(napping, min(left, longest)) // its end or a wake: both mean to look
		wake()
		if <-woken || ctx.Err() != nil || !d.Clock.Now().Before(until) {
			return
		}
	}
}

// changedReservations has reservations looked at: the configuration, or an approval, is another one.
func (d *Daemon) changedReservations() {
	select {
	case d.changed <- struct{}{}:
	default: // somebody has said so already
	}
}

// reserveOnce looks after reservations once.
func (a *App) reserveOnce(ctx context.Context, complete func(*capacity.Look)) ([]capacity.Outcome, error) {
	look := a.lookAtCapacity()
	complete(look)
	report, err := look.Run(ctx)
	return report.Outcomes, err
}

// DryReservations tells what a look at reservations would do now, or at another instant, and changes nothing.
func (a *App) DryReservations(ctx context.Context, at time.Time) ([]capacity.Outcome, error) {
	return a.reserveOnce(ctx, func(look *capacity.Look) {
		look.DryRun = true
		if !at.IsZero() {
			look.Clock = instant{a.Clock, at}
		}
	})
}

// instant is a clock that stands still.
type instant struct {
	clock.Clock

	at time.Time
}

// Now implements clock.Clock.
func (i instant) Now() time.Time { return i.at }
