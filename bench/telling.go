package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/sqlstore"
)

// room is a channel that takes what it gets at once, or never answers.
type room struct{ hangs bool }

func (room) Name() string { return "room" }

func (r room) Send(ctx context.Context, _ notify.Message) error {
	if r.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// telling is a pass that tells people something, through an office in front of channels and over a store.
type telling struct {
	name            string
	channels, hangs int // so many, and how many of them never answer
	schedules       int // of the resources

	office *notify.Office
	store  *sqlstore.Store
	events []notify.Event
	waited []time.Duration // each pass
	failed error
}

// tellings are the passes that are compared.
func tellings() []*telling {
	return []*telling{
		{name: "10 schedules, 1 channel", channels: 1, schedules: 10},
		{name: "10 schedules, 10 channels", channels: 10, schedules: 10},
		{name: "10 schedules, 10 channels of which 5 never answer", channels: 10, hangs: 5, schedules: 10},
		{name: "500 schedules, 1 channel", channels: 1, schedules: 500},
	}
}

// open makes the store in a folder, and what a pass tells of so many resources.
func (t *telling) open(ctx context.Context, folder string, size int) (err error) {
	if t.store, err = sqlstore.Open(ctx, filepath.Join(folder, "dayshift.db"), sqlstore.Options{}); err != nil {
		return err
	}
	lease, err := t.store.Acquire(ctx, "scheduler", "bench", time.Now(), 24*time.Hour)
	if err != nil {
		return errors.Join(err, t.store.Close())
	}
	t.office = notify.NewOffice(notify.OfficeOptions{Store: t.store, Lasting: true})
	list := map[string]notify.Channel{}
	for i := range t.channels {
		list[fmt.Sprintf("channel-%02d", i)] = notify.Channel{Sender: room{hangs: i < t.hangs}}
	}
	t.office.Use(list, func() (context.Context, context.CancelFunc) { return context.WithCancel(context.WithoutCancel(ctx)) }) //nolint:contextcheck // the background outlives each call
	t.office.Begin(func() store.Lease { return lease }, func() error { return nil })                                           //nolint:contextcheck // likewise
	for i := range size {
		t.events = append(t.events, notify.Event{
			Kind: notify.Stopping, Schedule: fmt.Sprintf("office-%d", i%t.schedules), Name: fmt.Sprintf("web-%d", i), At: at(18, 0),
			Ref:  fleet.Ref{Scope: fleet.Scope{Account: fleet.AccountID(accountID(i % 10)), Region: "us-east-1"}, Kind: fleet.EC2Instance, ID: fmt.Sprintf("i-%017x", i)},
			Text: say.F("period %q has ended", "office"),
		})
	}
	return nil
}

// run makes n passes.
func (t *telling) run(ctx context.Context, n int) {
	for range n {
		began := time.Now()
		if err := t.office.Tell(ctx, t.events); err != nil && t.failed == nil {
			t.failed = err
		}
		t.waited = append(t.waited, time.Since(began))
	}
}

func (t *telling) close(ctx context.Context) error {
	if t.office == nil {
		return nil
	}
	ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cancel()
	t.office.Close(ended)
	return errors.Join(t.failed, t.store.Close())
}

func tellingSection(ctx context.Context, l *lab) (text string, err error) {
	size := 1000
	if l.small {
		size = 20
	}
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	list := tellings()
	defer func() {
		for _, t := range list {
			err = errors.Join(err, t.close(ctx))
		}
	}()
	contestants := make([]contestant, 0, len(list))
	for i, t := range list {
		own := filepath.Join(folder, fmt.Sprint(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return "", err
		}
		if err := t.open(ctx, own, size); err != nil {
			return "", err
		}
		contestants = append(contestants, contestant{t.name, func(n int) { t.run(ctx, n) }})
	}
	samples, err := l.compare(ctx, contestants)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, `A pass tells %d events, and goes on when what the channels are to be told of them stands in the store: SQLite on disk, flushed before it
counts as written. What channels that answer are told is delivered, and what became of it written, while the next pass tells; what waits for those that
never answer is put together. The processor time is that of all of it, the time on the wall that of the pass alone.

| | events per second of processor time | a pass waits |
| --- | ---: | ---: |
`, size)
	for i, t := range list {
		waited := make(sample, len(t.waited))
		for j, d := range t.waited {
			waited[j] = d.Seconds()
		}
		rate := func(perPass float64) string { return perSecond(perPass * float64(size)) }
		wait := func(seconds float64) string { return fmt.Sprintf("%.3g ms", 1000*seconds) }
		fmt.Fprintf(&out, "| %s | %s | %s |\n", t.name, samples[i].inverse().show(rate), waited.show(wait))
	}
	return out.String(), nil
}
