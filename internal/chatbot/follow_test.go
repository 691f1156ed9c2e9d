package chatbot

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// night is a town at 18:10 whose office is stopped, with starts of earlier days in the record: of 3, 4, 5, 4, 9 and 4 minutes.
func night(t *testing.T) *town {
	t.Helper()
	w := newTown(t, "2026-08-03T18:10:00+09:00")
	for _, r := range w.resources {
		r.State, r.Native = fleet.Stopped, "stopped"
		m := w.memories[r.Ref]
		m.Last, m.Seen = decide.WasStopped, fleet.Stopped
		w.memories[r.Ref] = m
	}
	w.Changed()
	now := w.now
	for day, minutes := range []int{3, 4, 5, 4, 9, 4} {
		w.now = clockAt(now, "09:00").AddDate(0, 0, day-10)
		run := store.NewRunID(w.now)
		for i, r := range w.resources[:2] {
			accepted, started := w.row(r, store.EventStartAccepted, "period-began", ""), w.row(r, store.EventStarted, "start-started", "seen running")
			accepted.Run, started.At = run, w.now.Add(time.Duration(minutes)*time.Minute-time.Duration(i)*time.Minute)
			w.append(accepted, started)
		}
	}
	w.now = now
	return w
}

// come lets a resource be seen running, as a pass records it.
func (w *town) come(name string) {
	w.t.Helper()
	w.mu.Lock()
	for _, r := range w.resources {
		if r.Name == name {
			r.State, r.Native = fleet.Running, "running"
			w.append(w.row(r, store.EventStarted, "start-started", "seen running, and its status checks have passed"))
		}
	}
	w.mu.Unlock()
	w.Changed()
}

// followed is one look of the follower, as after a start.
func (w *town) followed(list []*following) []*following {
	w.t.Helper()
	return w.bot.step(w.t.Context(), w.bot.resume(w.t.Context(), list))
}

func TestWokenThenReady(t *testing.T) {
	w := night(t)
	w.tellErr = nil
	reply := w.says("U-kim", "wake SampleSchedule for 2h")
	for _, want := range []string{"That takes about 4 minutes, as the last 5 times.", "I tell you here when it is ready."} {
		if !strings.Contains(reply.Text, want) {
			t.Errorf("no %q in %s", want, reply.Text)
		}
	}
	list := w.followed(nil)
	w.now = w.now.Add(3 * time.Minute)
	w.come("web-1")
	if list = w.followed(list); len(w.told) > 0 || len(list) != 1 {
		t.Fatalf("told %v before all of it is ready", w.told)
	}
	w.now = w.now.Add(time.Minute)
	w.come("web-2")
	if list = w.followed(list); len(list) != 0 {
		t.Fatalf("still followed: %+v", list)
	}
	want := "[ops https://hooks.slack.com/later] SampleSchedule is ready: 2 resources run, and where AWS has status checks they have passed. It took 4 minutes.\n(asked for by kim)"
	if len(w.told) != 1 || w.told[0] != want {
		t.Errorf("told %q, want %q", w.told, want)
	}
	w.followed(nil)
	if len(w.told) != 1 {
		t.Errorf("told again: %v", w.told)
	}
	rows := w.record(store.EventChat)
	if last := rows[len(rows)-1]; !strings.HasPrefix(last, "dayshift | ops | told-later | to kim via ops: SampleSchedule is ready") {
		t.Error(last)
	}
}

// After a restart, and by another process, it is told once, over the chat's channel; the address of a later answer is nowhere in the store.
func TestToldAfterARestart(t *testing.T) {
	w := night(t)
	w.tellErr = nil
	w.says("U-lee", "SampleSchedule 켜줘 2시간")
	objects, err := w.store.Objects(t.Context(), store.ChatFollowObject)
	if err != nil || len(objects) != 1 || strings.Contains(string(objects[0].Spec), "hooks.slack.com") {
		t.Fatalf("%+v, %v", objects, err)
	}
	first, second := New(w.bot.options), New(w.bot.options)
	a, b := first.resume(t.Context(), nil), second.resume(t.Context(), nil)
	w.now = w.now.Add(5 * time.Minute)
	w.come("web-1")
	w.come("web-2")
	a, b = first.step(t.Context(), a), second.step(t.Context(), b)
	if len(a)+len(b) != 0 || len(w.told) != 1 || !strings.HasPrefix(w.told[0], "[ops ] SampleSchedule: 준비되었습니다.") {
		t.Errorf("told %q; %d and %d are followed", w.told, len(a), len(b))
	}
}

func TestNotReadyInTime(t *testing.T) {
	w := night(t)
	w.tellErr = nil
	w.says("U-kim", "wake SampleSchedule for 2h")
	list := w.followed(nil)
	w.now = w.now.Add(4 * time.Minute)
	w.come("web-1")
	w.append(w.row(w.resources[1], store.EventFailed, "override-start", "start: InsufficientInstanceCapacity"))
	if list = w.followed(list); len(w.told) > 0 {
		t.Fatalf("told %v before its time is over", w.told)
	}
	w.now = w.now.Add(8 * time.Minute) // three times the four minutes that it takes
	list = w.followed(list)
	want := "[ops https://hooks.slack.com/later] SampleSchedule is not ready 12 minutes after it was asked for: 1 of 2 run.\n– web-2: start: InsufficientInstanceCapacity\nIt is tried on; I tell nothing more of it.\n(asked for by kim)"
	if len(list) != 0 || len(w.told) != 1 || w.told[0] != want {
		t.Errorf("told %q, want %q", w.told, want)
	}
}

func TestTakenBackBeforeItIsReady(t *testing.T) {
	w := night(t)
	w.tellErr = nil
	w.says("U-kim", "wake web-1 for 2h")
	list := w.followed(nil)
	w.now = w.now.Add(time.Minute)
	w.says("U-oper", "release web-1")
	if list = w.followed(list); len(list) != 0 || len(w.told) != 1 || !strings.Contains(w.told[0], "web-1 is no longer waited for") {
		t.Errorf("told %q", w.told)
	}
}

func TestNoEarlierStart(t *testing.T) {
	w := night(t)
	w.now = w.now.Add(time.Second)
	if reply := w.says("U-kim", "wake db-1 for 2h"); !strings.Contains(reply.Text, "no earlier start is in the record") {
		t.Error(reply.Text)
	}
	if reply := w.says("U-kim", "wake web-2 for 2h"); !strings.Contains(reply.Text, "That takes about 3 minutes, as the last 5 times.") {
		t.Error(reply.Text)
	}
	if reply := w.says("U-kim", "keep batch for 1h"); !strings.Contains(reply.Text, "batch is kept running") {
		t.Error(reply.Text)
	}
}

// Follow goes on by itself, hears of what is new at once, and ends with its context.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := night(t)
		posted := make(chan string, 1)
		w.bot.options.Tell = func(_ context.Context, _ wire.Ask, reply wire.Reply) error {
			posted <- reply.Text
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.bot.Follow(ctx) }()
		synctest.Wait()
		w.says("U-kim", "wake SampleSchedule for 2h")
		w.come("web-1")
		w.come("web-2")
		begun := time.Now()
		if text := <-posted; !strings.HasPrefix(text, "SampleSchedule is ready") || time.Since(begun) > 2*followEvery {
			t.Errorf("%s, after %s", text, time.Since(begun))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
