package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/clock"
	"dayshift/internal/notify"
	"dayshift/internal/say"
)

// told is what a watch told, as "KIND after TIME SINCE THE TEST BEGAN".
type told struct {
	mu    sync.Mutex
	began time.Time
	list  []string
	texts []say.Text
	name  string // in the last one
}

func (l *told) tell(_ context.Context, event notify.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, fmt.Sprintf("%s after %s", event.Kind, event.At.Sub(l.began)))
	l.name = event.Name
	l.texts = append(l.texts, event.Text)
}

// said is the text of a message, counted from the beginning.
func (l *told) said(i int) say.Text {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.texts[i]
}

func (l *told) called() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

func (l *told) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// watching runs a watch in the bubble and gives what it tells. kept, where not nil, is what it keeps.
func watching(t *testing.T, options Options, kept *State) (*Watch, *told, func()) {
	t.Helper()
	l := &told{began: time.Now()}
	options.Log, options.Tell = slog.New(slog.DiscardHandler), l.tell
	if kept != nil {
		options.Keep = func(s State) error { *kept = s; return nil }
	}
	w := New(options)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return w, l, func() { stop(); <-done }
}

func beatOf(started time.Time) Beat {
	b := NewBeat("dayshift 1.0.0", time.Now(), time.Minute)
	b.Started = started
	return b
}

// beats gives signs of life every gap for so long, beginning in a gap.
func beats(t *testing.T, w *Watch, started time.Time, gap, length time.Duration) {
	t.Helper()
	for range int(length / gap) {
		time.Sleep(gap)
		w.Heard(t.Context(), beatOf(started))
	}
}

var usual = Options{After: 3 * time.Minute, Again: time.Hour}

// TestTheDeadMansSwitch: silent while all is well, speaks within its time when the signs stop, again while that lasts, once when they are back.
func TestTheDeadMansSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seoul, err := time.LoadLocation("Asia/Seoul")
		if err != nil {
			t.Fatal(err)
		}
		options := usual
		options.Name, options.Zone = "shop", seoul
		w, l, stop := watching(t, options, nil)
		started := time.Now().Add(-time.Hour)
		beats(t, w, started, time.Minute, 48*time.Hour)
		if got := l.take(); got != nil {
			t.Errorf("while all is well: %q", got)
		}
		time.Sleep(2*time.Hour + 30*time.Minute)
		w.Heard(t.Context(), beatOf(started))
		beats(t, w, started, time.Minute, time.Hour)
		want := []string{"silent after 48h3m0s", "silent after 49h3m0s", "silent after 50h3m0s", "silent-over after 50h30m0s"}
		if diff := cmp.Diff(want, l.take()); diff != "" {
			t.Errorf("the daemon was silent (-want +got):\n%s", diff)
		}
		for i, want := range []string{"no sign of life since 09:00 (Asia/Seoul, 2000-01-03), for 3m now", "for 1h03m now", "for 2h03m now", "from 09:00 (Asia/Seoul, 2000-01-03) to 11:30 (Asia/Seoul, 2000-01-03), for 2h30m; the process is the same"} {
			if got := l.said(i).String(); !strings.Contains(got, want) {
				t.Errorf("said %q, want %q", got, want)
			}
		}
		if name := l.called(); name != "shop" {
			t.Errorf("it is called %q", name)
		}
		// A second silence is another one.
		time.Sleep(3*time.Minute + step)
		w.Heard(t.Context(), beatOf(time.Now()))
		if diff := cmp.Diff([]string{"silent after 51h33m0s", "silent-over after 51h33m1s"}, l.take()); diff != "" {
			t.Errorf("again (-want +got):\n%s", diff)
		}
		if got := l.said(5).String(); !strings.Contains(got, "another process acts now, which was started at 12:33 (Asia/Seoul, 2000-01-03)") {
			t.Errorf("said %q", got)
		}
		stop()
	})
}

// TestNeverHeardOf: a heartbeat that leads elsewhere is found out, in every language.
func TestNeverHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, stop := watching(t, usual, nil)
		time.Sleep(4 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"silent after 3m0s"}, l.take()); diff != "" {
			t.Error(diff)
		}
		for language, want := range map[say.Language]string{say.English: "does its heartbeat lead here?", say.Korean: "신호가 전혀 없으며", say.Chinese: "没有收到信号"} {
			if got := l.said(0).In(language); !strings.Contains(got, want) || !strings.Contains(got, "00:00 (UTC, 2000-01-01)") {
				t.Errorf("%s: %q", language, got)
			}
		}
	})
}

// TestAWatchIsStartedAgain: with what was kept it neither tells twice nor forgets that a silence is over.
func TestAWatchIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept State
		w, l, stop := watching(t, usual, &kept)
		started := time.Now()
		beats(t, w, started, time.Minute, time.Hour)
		w.mu.Lock() // under which it is kept
		if !kept.Silent.IsZero() || !kept.Started.Equal(started) {
			t.Errorf("kept of a daemon that is well: %+v", kept)
		}
		w.mu.Unlock()
		time.Sleep(4 * time.Minute)
		stop()
		l.take()

		again := usual
		again.Before = kept
		_, l, stop = watching(t, again, &kept)
		time.Sleep(55 * time.Minute)
		if got := l.take(); got != nil {
			t.Errorf("told twice: %q", got)
		}
		time.Sleep(5 * time.Minute)
		stop()
		if got := l.take(); len(got) != 1 || !strings.Contains(l.said(0).String(), "no sign of life since 01:00 (UTC, 2000-01-01), for 1h03m now") {
			t.Errorf("after an hour: %q %v", got, l.texts)
		}

		again.Before = kept
		w, l, stop = watching(t, again, &kept)
		time.Sleep(time.Second)
		w.Heard(t.Context(), beatOf(started))
		stop()
		if diff := cmp.Diff([]string{"silent-over after 1s"}, l.take()); diff != "" || !kept.Silent.IsZero() {
			t.Errorf("%s; kept %+v", diff, kept)
		}

		// One that was not there when the silence ended accuses nobody either, however long ago it was told.
		silent := State{Started: started, Silent: started.Add(time.Hour), Told: started.Add(time.Hour + usual.After)}
		time.Sleep(2 * usual.Again)
		again.Before = silent
		w, l, stop = watching(t, again, &kept)
		time.Sleep(time.Minute)
		w.Heard(t.Context(), beatOf(started))
		stop()
		if diff := cmp.Diff([]string{"silent-over after 1m0s"}, l.take()); diff != "" {
			t.Errorf("the silence was over before the watch was back: %s", diff)
		}

		// One that is well and was not there for a while waits its whole time.
		time.Sleep(24 * time.Hour)
		again.Before = kept
		_, l, stop = watching(t, again, &kept)
		time.Sleep(3*time.Minute - step)
		if got := l.take(); got != nil {
			t.Errorf("right after the start: %q", got)
		}
		time.Sleep(2 * step)
		stop()
		if got := l.take(); len(got) != 1 {
			t.Errorf("its whole time later: %q", got)
		}
	})
}

// hands is a clock that is moved by hand; a sleep ends when it is told to.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) Sleep(context.Context, time.Duration) error { return errors.New("nobody sleeps by it") }

func (h *hands) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

var _ clock.Clock = (*hands)(nil)

// TestThePausedWatchAccusesNobody: what it could not take while it was paused, or its clock was set, is not held against anybody.
func TestThePausedWatchAccusesNobody(t *testing.T) {
	for name, jump := range map[string]time.Duration{"paused": 20 * time.Minute, "the clock is set ahead": 240 * time.Hour, "the clock is set back": -240 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			h := &hands{now: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}
			l := &told{began: h.now}
			options := usual
			options.Clock, options.Log, options.Tell = h, slog.New(slog.DiscardHandler), l.tell
			w := New(options)
			pass := func(d time.Duration) {
				for range int(d / step) {
					h.move(step)
					w.look(t.Context())
				}
			}
			w.Heard(t.Context(), beatOf(l.began))
			pass(2 * time.Minute)
			h.move(jump)
			w.look(t.Context())
			pass(usual.After - step)
			if got := l.take(); got != nil {
				t.Errorf("told: %q", got)
			}
			pass(step)
			if got := l.take(); len(got) != 1 || !strings.HasPrefix(got[0], "silent") {
				t.Errorf("its whole time later: %q", got)
			}
			// A silence that was told lasts, whatever the clock does.
			h.move(jump)
			w.look(t.Context())
			pass(time.Minute)
			if got := l.take(); got != nil {
				t.Errorf("told again of what could not be heard: %q", got)
			}
			w.Heard(t.Context(), beatOf(l.began))
			if got := l.take(); len(got) != 1 || !strings.HasPrefix(got[0], "silent-over") {
				t.Errorf("it is back: %q", got)
			}
		})
	}
}

// TestWhatIsToldFollowsFromTheGaps: for any times of signs of life, a silence is told exactly where a gap is as long as
// After, within a step of it, every Again, and is over with the next sign.
func TestWhatIsToldFollowsFromTheGaps(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := &hands{now: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}
		l := &told{began: h.now}
		options := Options{After: time.Duration(rapid.IntRange(1, 300).Draw(r, "after")) * time.Second, Again: time.Duration(rapid.IntRange(1, 600).Draw(r, "again")) * time.Second}
		options.Clock, options.Log, options.Tell = h, slog.New(slog.DiscardHandler), l.tell
		w := New(options)
		var want []string
		for _, seconds := range rapid.SliceOfN(rapid.IntRange(0, 900), 1, 20).Draw(r, "gaps") {
			gap := time.Duration(seconds) * time.Second
			from := h.Now()
			for at := options.After; at <= gap; at += options.Again {
				want = append(want, fmt.Sprintf("silent after %s", from.Add(at).Sub(l.began)))
			}
			for range seconds {
				h.move(step)
				w.look(t.Context())
			}
			if gap >= options.After {
				want = append(want, fmt.Sprintf("silent-over after %s", h.Now().Sub(l.began)))
			}
			w.Heard(t.Context(), beatOf(l.began))
		}
		if diff := cmp.Diff(want, l.take()); diff != "" {
			r.Fatalf("after %s, again %s (-want +got):\n%s", options.After, options.Again, diff)
		}
	})
}

// TestWhatCannotBeKept: a full disk silences nobody.
func TestWhatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &told{began: time.Now()}
		var log strings.Builder
		w := New(Options{
			After: time.Minute, Again: time.Hour, Tell: l.tell, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Keep: func(State) error { return errors.New("disk full") },
		})
		w.Heard(t.Context(), beatOf(l.began))
		time.Sleep(time.Second)
		w.look(t.Context())
		for range 60 {
			time.Sleep(time.Second)
			w.look(t.Context())
		}
		if got := l.take(); len(got) != 1 || !strings.Contains(log.String(), "disk full") {
			t.Errorf("%q, %s", got, log.String())
		}
		if !strings.Contains(log.String(), "make --after three times as long") {
			t.Errorf("a beat every minute and a watch of a minute: %s", log.String())
		}
	})
}
