package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dayshift/internal/buildinfo"
	"dayshift/internal/clock"
	"dayshift/internal/config"
	"dayshift/internal/outbound"
	"dayshift/internal/watch"
)

// heartLook is how often, by the wall, it is looked whether a heartbeat is due:
// a process that takes over shows it at once, and a changed address is used.
const heartLook = 2 * time.Second

// heart gives signs of life to a monitor outside.
type heart struct {
	clock  clock.Clock
	config func() config.Heartbeat
	// alive gives the sign of life, errNotLeader where another process is to give them, or else why there is none.
	alive func(ctx context.Context, every time.Duration) (watch.Beat, error)
	post  func(ctx context.Context, to config.Heartbeat, body []byte) error
	count func(result string)
	log   *slog.Logger

	well string // what was logged last; empty: nothing yet
}

// heartbeat gives signs of life while there is life to tell of, until ctx ends.
// It is a part of its own: a monitor that is slow or down delays nothing.
func (d *Daemon) heartbeat(ctx context.Context) error {
	began := wall.Now()
	h := heart{
		clock: wall, log: d.Log, count: d.Metrics.Heartbeat, post: postBeat,
		config: func() config.Heartbeat { return d.present().Config.Config.Heartbeat },
		alive: func(ctx context.Context, every time.Duration) (watch.Beat, error) {
			return d.living(ctx, began, every)
		},
	}
	h.run(ctx)
	return nil
}

// living is the sign of life of a process that acts, or says why there is none.
func (d *Daemon) living(ctx context.Context, began time.Time, every time.Duration) (watch.Beat, error) {
	if err := d.leader.MayAct(); err != nil {
		return watch.Beat{}, err
	}
	if health := d.Alive(); !health.OK {
		return watch.Beat{}, errors.New(health.Detail)
	}
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := d.Store.Ping(limited); err != nil {
		return watch.Beat{}, fmt.Errorf("the store cannot be written to: %w", err)
	}
	beat := watch.NewBeat("dayshift "+buildinfo.Get().Version, wall.Now(), every)
	beat.Term, beat.Started, beat.LastPass = d.leader.Lease().Term, began.UTC(), d.LastPass().UTC()
	return beat, nil
}

// postBeat posts a sign of life.
func postBeat(ctx context.Context, to config.Heartbeat, body []byte) error {
	poster, err := outbound.NewPoster(outbound.PostOptions{
		URL: to.URL.Reveal(), AllowPrivate: to.AllowPrivate, Version: buildinfo.Get().Version, Now: wall.Now,
	})
	if err != nil {
		return err
	}
	var header map[string]string
	if secret := to.Secret.Reveal(); secret != "" {
		header = outbound.Signed(secret, to.PreviousSecret.Reveal(), wall.Now(), body)
	}
	_, err = poster.Post(ctx, nil, header, body)
	return err
}

func (h *heart) run(ctx context.Context) {
	var last time.Time
	var to config.Heartbeat
	for {
		before, now := to, h.clock.Now()
		to = h.config()
		if to.URL.Reveal() != before.URL.Reveal() {
			last, h.well = time.Time{}, ""
		}
		every := time.Duration(to.Every)
		if gone := now.Sub(last); to.URL.Reveal() != "" && (gone >= every || gone < 0) {
			if h.beat(ctx, to) {
				last = now
			}
		}
		nap := heartLook
		if left := every - h.clock.Now().Sub(last); left > 0 {
			nap = min(nap, left)
		}
		if h.clock.Sleep(ctx, nap) != nil {
			return
		}
	}
}

// beat gives one sign of life, and reports whether it was this process's to give. What becomes of it is logged when it changes.
func (h *heart) beat(ctx context.Context, to config.Heartbeat) bool {
	beat, err := h.alive(ctx, time.Duration(to.Every))
	switch {
	case ctx.Err() != nil:
		return false
	case errors.Is(err, errNotLeader):
		h.well = ""
		return false
	case err != nil:
		h.became("withheld", func() {
			h.log.WarnContext(ctx, "no heartbeat is sent: something is wrong with this process", slog.Any("error", err))
		})
		return true
	}
	body, err := outbound.JSON(beat)
	if err == nil {
		err = h.post(ctx, to, body)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		h.became("failed", func() {
			h.log.WarnContext(ctx, "the heartbeat is not taken; the monitor will tell that Dayshift is silent", slog.Any("error", err))
		})
	default:
		h.became("sent", func() {
			h.log.InfoContext(ctx, "the monitor takes the heartbeat", slog.Duration("every", time.Duration(to.Every)))
		})
	}
	return true
}

// became counts what became of a sign of life, and tells where it is not the same as before.
func (h *heart) became(result string, tell func()) {
	h.count(result)
	if h.well != result {
		h.well = result
		tell()
	}
}
