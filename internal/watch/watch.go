package watch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/notify"
	"dayshift/internal/say"
)

// step is how often it is looked whether somebody is silent: what is told comes so much later than it is due at most.
const step = time.Second

// paused is how much longer than a step may pass between two looks before the watch itself counts as paused, or its clock
// as set: beats that could not be taken are not held against anybody. A busy machine stays far below.
const paused = 10 * time.Second

// State is what a watch knows, for one that is started in its place.
type State struct {
	// Started is when the process began that gave the last sign of life; zero: none was ever given.
	Started time.Time `json:"started,omitzero"`
	// Silent is since when there has been none, Told when that was told last; zero: nobody is silent.
	Silent time.Time `json:"silent,omitzero"`
	Told   time.Time `json:"told,omitzero"`
}

// Options are what a Watch works with.
type Options struct {
	// After is how long there may be no sign of life before that is told, Again how often it is told while it lasts. Both
	// are more than 0.
	After, Again time.Duration
	// Name is what people call who is watched, where that is one of several; empty: nothing.
	Name string
	// Zone is that of the times that people are told; nil: UTC.
	Zone *time.Location
	// Before is what an earlier watch knew; zero: nothing.
	Before State
	Clock  clock.Clock // nil: the wall
	Log    *slog.Logger
	// Tell tells people; it does not wait for them.
	Tell func(ctx context.Context, event notify.Event)
	// Keep, when not nil, keeps what is known for a later watch. It is called when it changes, and not for every beat.
	Keep func(State) error
}

// Watch tells when there has been no sign of life for a while. Use New. Any number of goroutines may use it.
type Watch struct {
	options Options

	mu     sync.Mutex
	state  State
	began  time.Time
	last   time.Time // when the last sign of life came; zero: none since the watch began
	since  time.Time // from when on signs of life are missed: the last one, or when the watch could listen again
	turned time.Time // of the last look
	warned bool      // that After is short
}

// New returns a watch that waits for signs of life from now on.
func New(options Options) *Watch {
	if options.Clock == nil {
		options.Clock = clock.Real{}
	}
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	now := options.Clock.Now()
	return &Watch{options: options, state: options.Before, since: now, began: now, turned: now}
}

// Run looks whether somebody is silent until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for w.options.Clock.Sleep(ctx, step) == nil {
		w.look(ctx)
	}
}

// In has the times that people are told be those of a zone.
func (w *Watch) In(zone *time.Location) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.options.Zone = zone
}

// look tells of a silence that is due to be told.
func (w *Watch) look(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.options.Clock.Now()
	if away := now.Sub(w.turned) - step; away > paused || away < -step {
		w.options.Log.WarnContext(ctx, "this watch was paused, or its clock was set: it waits its whole time again", slog.Duration("by", away))
		w.since = now
	}
	w.turned = now
	switch {
	case now.Sub(w.since) < w.options.After: // also of who was silent before this watch could not listen
		return
	case !w.state.Silent.IsZero():
		if gone := now.Sub(w.state.Told); gone >= 0 && gone < w.options.Again {
			return
		}
	case w.last.IsZero():
		w.state.Silent = w.began
	default:
		w.state.Silent = w.last
	}
	w.state.Told = now
	w.keep(ctx)
	text := say.F("no sign of life since %s, for %s now: meanwhile nothing is started or stopped, unless only the way to this monitor is broken", w.moment(w.state.Silent), lasting(w.state.Silent, now))
	if w.state.Silent.Equal(w.began) {
		text = say.F("no sign of life at all since this monitor began to listen at %s, for %s now: is Dayshift running, and does its heartbeat lead here?", w.moment(w.state.Silent), lasting(w.state.Silent, now))
	}
	w.options.Tell(ctx, notify.Event{Kind: notify.Silent, Name: w.options.Name, Text: text, At: now})
}

// Heard takes a sign of life that came just now.
func (w *Watch) Heard(ctx context.Context, b Beat) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.options.Clock.Now()
	before, another := w.state, w.last.IsZero() || !w.state.Started.Equal(b.Started)
	w.last, w.since, w.state = now, now, State{Started: b.Started.UTC()}
	if every := time.Duration(b.Every) * time.Second; !w.warned && w.options.After < 2*every {
		w.warned = true
		w.options.Log.WarnContext(ctx, "signs of life come so rarely that one that is lost is taken for a silence: make --after three times as long, or the heartbeat more frequent",
			slog.Duration("every", every), slog.Duration("after", w.options.After))
	}
	if another {
		w.options.Log.InfoContext(ctx, "a process gives signs of life", slog.String("program", b.Program), slog.Time("started", b.Started.UTC()), slog.Int64("term", b.Term))
	}
	if w.state != before {
		w.keep(ctx)
	}
	if before.Silent.IsZero() {
		return
	}
	from, to, length := w.moment(before.Silent), w.moment(now), lasting(before.Silent, now)
	text := say.F("it was silent from %s to %s, for %s", from, to, length)
	switch {
	case before.Started.IsZero() || b.Started.IsZero():
	case before.Started.Equal(b.Started):
		text = say.F("it was silent from %s to %s, for %s; the process is the same as before", from, to, length)
	default:
		text = say.F("it was silent from %s to %s, for %s; another process acts now, which was started at %s", from, to, length, w.moment(b.Started))
	}
	w.options.Tell(ctx, notify.Event{Kind: notify.SilentOver, Name: w.options.Name, Text: text, At: now})
}

// keep keeps the state. The caller holds mu.
func (w *Watch) keep(ctx context.Context) {
	if w.options.Keep == nil {
		return
	}
	if err := w.options.Keep(w.state); err != nil {
		w.options.Log.WarnContext(ctx, "what is known could not be kept: a watch that is started in place of this one begins anew", slog.Any("error", err))
	}
}

func (w *Watch) moment(at time.Time) say.Text { return say.Moment(at.In(w.options.Zone)) }

// lasting is a time between two instants as people say it.
func lasting(from, to time.Time) string {
	d := to.Sub(from).Round(time.Second)
	switch hours, minutes := d/time.Hour, d%time.Hour/time.Minute; {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", minutes)
	default:
		return fmt.Sprintf("%dh%02dm", hours, minutes)
	}
}
