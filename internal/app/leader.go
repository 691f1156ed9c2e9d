package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/store"
)

// leaseName is the one lease of a store: who holds it acts.
const leaseName = "scheduler"

const (
	// leaseTTL is how long a process that died keeps others waiting: short enough
	// that nobody misses it, three renewals long.
	leaseTTL = 15 * time.Second
	// leaseRenewal is how often the lease is extended.
	leaseRenewal = 5 * time.Second
	// leaseMargin is how long before the lease ends the last call may begin: a
	// call to AWS that is under way is not called back, so it has to be over, or
	// as good as sent, before another process may act.
	leaseMargin = 4 * time.Second
	// leasePoll is how often a standby asks for the lease.
	leasePoll = time.Second
)

// wall is the clock of what people outside see of the process, its lease and
// its health, also where the program runs on a faster one.
var wall clock.Real

// leader holds the lease for this process.
type leader struct {
	store  store.Leaser
	clock  clock.Clock
	holder string
	lease  atomic.Pointer[store.Lease]
}

func newLeader(leaser store.Leaser) *leader {
	l := &leader{store: leaser, clock: wall, holder: holder()}
	l.lease.Store(&store.Lease{})
	return l
}

// Lease returns the lease as last renewed; its term is 0 when there is none.
func (l *leader) Lease() store.Lease { return *l.lease.Load() }

// errNotLeader is why a process without a valid lease does not act.
var errNotLeader = errors.New("this process does not hold the lease (any more)")

// MayAct returns nil while the lease leaves time for a call.
func (l *leader) MayAct() error {
	lease := l.Lease()
	if lease.Term == 0 || !l.clock.Now().Before(lease.Expires.Add(-leaseMargin)) {
		return errNotLeader
	}
	return nil
}

// acquire waits for the lease, at most patience (0: as long as ctx lets it).
// waiting is called once when another process holds it.
func (l *leader) acquire(ctx context.Context, patience time.Duration, waiting func(held store.Lease)) error {
	began := l.clock.Now()
	for {
		lease, err := l.store.Acquire(ctx, leaseName, l.holder, l.clock.Now(), leaseTTL)
		switch {
		case err == nil:
			l.lease.Store(&lease)
			return nil
		case !errors.Is(err, store.ErrHeld):
			return fmt.Errorf("acquire the lease: %w", err)
		case patience > 0 && l.clock.Now().Sub(began) >= patience:
			return fmt.Errorf("another dayshift is at work on this store (%w); stop it first, or let it do the work", err)
		}
		if waiting != nil {
			waiting(lease)
			waiting = nil
		}
		if err := l.clock.Sleep(ctx, leasePoll); err != nil {
			return err
		}
	}
}

// keep renews the lease until ctx ends or it is lost; then MayAct says no.
func (l *leader) keep(ctx context.Context) error {
	for {
		if err := l.clock.Sleep(ctx, leaseRenewal); err != nil {
			return nil //nolint:nilerr // told to stop: not a failure
		}
		lease, err := l.store.Renew(ctx, l.Lease(), l.clock.Now(), leaseTTL)
		switch {
		case err == nil:
			l.lease.Store(&lease)
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop: not a failure
		case errors.Is(err, store.ErrFenced), !l.clock.Now().Before(l.Lease().Expires):
			// The term stays: what is still to be written is refused by the store,
			// where a write without any term would count as nobody's.
			over := l.Lease()
			over.Expires = time.Time{}
			l.lease.Store(&over)
			return fmt.Errorf("renew the lease: %w", err)
		}
	}
}

// release gives the lease up, so that the next process need not wait for its end.
func (l *leader) release(ctx context.Context) error {
	lease := l.lease.Swap(&store.Lease{})
	if lease.Term == 0 {
		return nil
	}
	return l.store.Release(ctx, *lease)
}

// AtWork tells who holds the lease of the store now; empty: nobody.
func (a *App) AtWork(ctx context.Context) (string, error) {
	lease, err := a.Store.Held(ctx, leaseName)
	if err != nil || !wall.Now().Before(lease.Expires) {
		return "", err
	}
	return lease.Holder, nil
}
