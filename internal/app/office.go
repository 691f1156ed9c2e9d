package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// lastTryTakes is how long channels may take, all of them together, for what waits
// when the program ends, or when their section of the configuration does.
const lastTryTakes = 10 * time.Second

func lastTry() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), lastTryTakes, fmt.Errorf("it was not taken within %s before the end", lastTryTakes))
}

// newOffice makes what is in front of the channels of the configuration; kept, when not nil, is where their letters are.
func (a *App) newOffice(kept store.Records) *notify.Office {
	office := notify.NewOffice(notify.OfficeOptions{
		OutboxOptions: notify.OutboxOptions{
			Clock: a.pauses, Calendar: a.Clock, Log: a.Log,
			Count: func(channel string, result notify.Result) { a.Metrics.Notification(channel, string(result)) },
		},
		Store: kept, Lasting: a.Config.Store.Engine != config.Memory,
	})
	a.Metrics.Backlogs(func() map[string]metrics.Backlog {
		list := map[string]metrics.Backlog{}
		for channel, b := range office.Backlogs() {
			list[channel] = metrics.Backlog{Waiting: b.Waiting, Oldest: b.Oldest, GivenUp: b.Dead}
		}
		return list
	})
	return office
}

// closeOffice tries what only this process has once more.
func (a *App) closeOffice() {
	ctx, cancel := lastTry()
	defer cancel()
	a.office.Close(ctx)
}

// receivers are all whom people are told through: the log, and the channels of the configuration.
func (a *App) receivers() []notify.Receiver { return slices.Concat(a.Receivers, a.office.Receivers()) }

// roomToEnd is what is left of the grace, at the least, when channels have had their last try.
const roomToEnd = 3 * time.Second

// deliver has the messages that wait delivered for a term of the lease: it returns what ends that, to be called while the lease
// is still held. ctx is what the program was told to run for.
func (d *Daemon) deliver(ctx context.Context) (end func()) {
	d.office.Begin(d.leader.Lease, d.leader.MayAct) //nolint:contextcheck // it goes on until End, which lets it finish
	var told atomic.Pointer[time.Time]
	forget := context.AfterFunc(ctx, func() {
		now := wall.Now()
		told.Store(&now)
	})
	return func() {
		forget()
		left := time.Duration(0) // the lease is lost: nothing more is sent
		if d.leader.MayAct() == nil {
			left = lastTryTakes
			if at := told.Load(); at != nil {
				left = min(left, grace-roomToEnd-wall.Now().Sub(*at))
			}
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
		defer cancel()
		d.office.End(last)
	}
}

// maxAgain bounds how many requests are read at once.
const maxAgain = 100

// sendAgain waits for people who want messages sent again that were given up, until ctx ends.
func (d *Daemon) sendAgain(ctx context.Context) {
	query := store.ActivityQuery{Event: store.EventMessageAgain, Last: true, Limit: maxAgain} // also what was asked for while nobody held the lease
	for d.leader.clock.Sleep(ctx, heedPoll) == nil {
		rows, err := d.Store.Activity(ctx, query)
		if err != nil {
			continue // a store that is down is told of by the passes
		}
		for i := range rows {
			count, err := d.office.Again(ctx, &rows[i])
			if err != nil {
				d.Log.WarnContext(ctx, "a message could not be sent again; it is tried again", slog.Any("error", err))
				break
			}
			query.After, query.Last = rows[i].Seq, false
			if count > 0 {
				d.Log.InfoContext(ctx, "messages are sent again", slog.Int("count", count), slog.String("by", rows[i].Actor), slog.String("what", rows[i].Reason+" "+rows[i].Name))
			}
		}
	}
}

// when says when a channel is told, and of what.
func (a *App) when(m *notify.Channel, t config.Telling) {
	m.Filter.Resources = t.Filter
	if t.Quiet != nil {
		m.Quiet = &notify.Quiet{Hours: t.Quiet}
	}
	if d := t.Digest; d != nil {
		m.Digest = &notify.Digest{Weekly: d.Weekly, Day: d.Day, At: d.At, Zone: d.Zone, Saved: func(ctx context.Context, from, to time.Time) (say.Text, error) {
			if a.saved == nil {
				return say.Text{}, nil
			}
			return a.saved(ctx, from, to)
		}}
	}
}

// savedPoll is how often it is looked, by the wall, whether everything is counted.
const savedPoll = time.Second

// savedSaid says what did not run: on the last whole day, or over more than a day in the last seven. It waits until the fleet
// is known and the record is read, as long as ctx lets it.
func (d *Daemon) savedSaid(ctx context.Context, from, to time.Time) (say.Text, error) {
	for {
		overview, err := d.board.Overview(ctx, nil)
		switch saved := &overview.Saved; {
		case err != nil:
			return say.Text{}, fmt.Errorf("count what was saved: %w", err)
		case overview.Looking || saved.Counting:
		case to.Sub(from) < 48*time.Hour: // a day, whatever the clocks do
			day := saved.Days[len(saved.Days)-2]
			return say.F("On %s resources with a schedule did not run for %.0f of %.0f hours", day.Date, day.HoursOff, day.HoursOff+day.HoursOn), nil
		default:
			text := say.F("In the last seven days resources with a schedule did not run for %.0f of %.0f hours", saved.HoursOff, saved.HoursOff+saved.HoursOn)
			if saved.Money != nil {
				text = say.F("%s, which would have cost about %.0f USD by list prices", text, *saved.Money)
			}
			return text, nil
		}
		if err := wall.Sleep(ctx, savedPoll); err != nil {
			return say.Text{}, fmt.Errorf("count what was saved: %w", err)
		}
	}
}
