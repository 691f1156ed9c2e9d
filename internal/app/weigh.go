package app

import (
	"context"
	"log/slog"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// weighTimeout bounds the look at the fleet that a changed file is weighed by.
const weighTimeout = time.Minute

// waiting is a changed configuration that a person has to confirm.
type waiting struct {
	fingerprint string
	why         say.Text  // empty: nothing waits
	since       time.Time // when it was held back
	accepted    bool      // a person confirmed it
}

func (d *Daemon) setWaits(w waiting) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits = w
}

// weigh asks what a changed file would do, and reports whether it has to wait:
// it would stop far more, now or within a day, than was stopped in the day
// before. What is changed by command was weighed by the command. When the fleet
// can not be asked, the limits of the passes are left to guard.
func (d *Daemon) weigh(ctx context.Context, before, next *config.Loaded, file bool) bool {
	d.mu.Lock()
	held := d.waits
	d.mu.Unlock()
	switch {
	case held.accepted && held.fingerprint == next.Fingerprint():
		return false
	case !file && held.why.Empty(), d.leader.MayAct() != nil:
		return false
	}
	looking, cancel := context.WithTimeout(ctx, weighTimeout)
	defer cancel()
	d.mu.Lock()
	asked := *d.App
	d.mu.Unlock()
	asked.Config = before
	effect, err := asked.Service().Effect(looking, service.Candidate{Book: &next.Book, Limits: next.Limits, Config: true})
	if err != nil {
		d.Log.WarnContext(ctx, "what the changed configuration does could not be found out; the limits of the passes guard", slog.Any("error", err))
		return false
	}
	if effect.Confirm.Empty() {
		return false
	}
	if held.fingerprint == next.Fingerprint() {
		return true
	}
	why := say.F("the changed configuration waits until somebody confirms it (run --yes), the running one stays: %s", effect.Confirm)
	now := d.Clock.Now()
	d.setWaits(waiting{fingerprint: next.Fingerprint(), why: why, since: now})
	d.Log.WarnContext(ctx, "the changed configuration waits until somebody confirms it", slog.String("why", effect.Confirm.String()))
	d.event(ctx, store.EventHeld, "surge", why.String())
	d.tellPeople(ctx, notify.Event{Kind: notify.ConfigWaits, Text: why, At: now})
	return true
}
