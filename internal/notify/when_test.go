package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// nights are quiet from 22:00 to 08:00 UTC. Bubbles begin at midnight of 2000-01-01, a Saturday.
func nights(t *testing.T) *Quiet {
	t.Helper()
	hours, err := calendar.Compile(calendar.ScheduleDef{Name: "quiet", Periods: calendar.PeriodRefs{"night"}},
		map[string]calendar.PeriodDef{"night": {BeginTime: "22:00", EndTime: "08:00"}}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return &Quiet{Hours: hours}
}

// TestQuietHours: an alarm wakes people, the rest comes in the morning, one message for each schedule; it survives the process.
func TestQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{}
		channels := map[string]Channel{"ops": {Sender: r, Quiet: nights(t)}}
		p := opened(t, kept, channels)
		p.tell(told(1), event(Failed, "shop", "i-9", "", "no"))
		rest(time.Hour)
		p.tell(told(2))
		p.tell(event(Starting, "office", "i-3", "", ""), event(Starting, "shop", "i-4", "", ""))
		rest(time.Second)
		if len(r.all()) != 1 || r.all()[0].Kind != Failed {
			t.Fatalf("in the night came %+v", r.all())
		}
		p.tell(event(StopWarning, "late", "i-5", "", "")) // in the morning nobody could decide on it
		rest(time.Second)
		if came := r.all(); len(came) != 2 || came[1].Kind != StopWarning {
			t.Fatalf("in the night came %+v", came)
		}
		waiting := letters(t, kept, LetterWaiting)
		if len(waiting) != 2 || waiting[0].Due.Format("15:04") != "08:00" {
			t.Errorf("wait: %+v", waiting)
		}
		p.kill()
		expires()
		p = opened(t, kept, channels)
		rest(7*time.Hour - 2*time.Minute)
		if len(r.all()) != 2 {
			t.Fatalf("before the morning came %+v", r.all())
		}
		rest(2 * time.Minute)
		if len(r.all()) != 4 || r.all()[2].Schedule != "office" || r.all()[2].Count != 3 || r.all()[3].Schedule != "shop" {
			t.Errorf("in the morning came %+v", r.all())
		}
		p.tell(told(5))
		synctest.Wait()
		if len(r.all()) != 5 {
			t.Errorf("by day came %d", len(r.all()))
		}
	})
}

// TestQuietHoursEndWithTheirConfiguration, and hold back what a channel that is down has not taken.
func TestQuietHoursEndWithTheirConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{}
		p := opened(t, kept, map[string]Channel{"ops": {Sender: r, Quiet: nights(t)}})
		p.tell(told(1))
		rest(time.Minute)
		p.Use(map[string]Channel{"ops": {Sender: r}}, briefly)
		synctest.Wait()
		if len(r.all()) != 1 {
			t.Fatalf("%d came", len(r.all()))
		}
		rest(22*time.Hour - 11*time.Minute)
		r.answer(busy, false)
		p.Use(map[string]Channel{"ops": {Sender: r, Quiet: nights(t)}}, briefly)
		p.tell(told(2))
		rest(20 * time.Minute)
		r.answer(nil, false)
		rest(9 * time.Hour)
		if len(r.all()) != 1 {
			t.Errorf("in the night came %+v", r.all()[1:])
		}
		rest(time.Hour)
		if len(r.all()) != 2 {
			t.Errorf("%d came", len(r.all()))
		}
	})
}

// TestDigests: what needs nobody is counted and comes once a day, alarms at once and counted as well; a crash loses nothing of it.
func TestDigests(t *testing.T) {
	for name, test := range map[string]struct {
		weekly bool
		due    time.Duration // from the beginning of the bubble
		title  string
	}{
		"daily":  {false, 9 * time.Hour, "Daily digest: 26 events"},
		"weekly": {true, 2*24*time.Hour + 9*time.Hour, "Weekly digest: 26 events"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kept := memory.New()
				r := &room{}
				var mu sync.Mutex
				asked := []time.Duration{}
				digest := &Digest{Weekly: test.weekly, Day: time.Monday, At: 9 * 60, Zone: time.UTC, Saved: func(_ context.Context, from, to time.Time) (say.Text, error) {
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, to.Sub(from))
					return say.Raw("12 hours"), nil
				}}
				channels := map[string]Channel{"ops": {Sender: r, Digest: digest}}
				began := time.Now()
				p := opened(t, kept, channels)
				for i := range 25 {
					p.tell(told(i))
				}
				p.tell(event(Failed, "shop", "i-9", "", "no"))
				rest(time.Second)
				if len(r.all()) != 1 || r.all()[0].Kind != Failed {
					t.Fatalf("at once came %+v", r.all())
				}
				p.kill()
				expires()
				p = opened(t, kept, channels)
				rest(test.due - time.Since(began) - time.Second)
				if list := letters(t, kept, LetterKept); len(r.all()) != 1 || len(list) != 1 {
					t.Fatalf("before it was due came %+v; %+v", r.all(), list)
				}
				rest(2 * time.Second)
				if len(r.all()) != 2 {
					t.Fatalf("%d came", len(r.all()))
				}
				m := r.all()[1]
				want := []string{"12 hours", "Could not act on 1 resource (schedule shop)", "Stopping 25 resources (schedule office)"}
				if m.Kind != DigestKind || m.Title != test.title || !slices.Equal(m.Lines, want) {
					t.Errorf("%+v", m)
				}
				mu.Lock()
				first := asked[0]
				mu.Unlock()
				if days := first / (24 * time.Hour); test.weekly && days != 7 || !test.weekly && days != 1 {
					t.Errorf("asked what was saved in %v", first)
				}
				rest(14 * 24 * time.Hour)
				if len(r.all()) != 2 {
					t.Errorf("nothing happened, and came %+v", r.all()[2:])
				}
				p.tell(told(3))
				rest(8 * 24 * time.Hour)
				if len(r.all()) != 3 || r.all()[2].Count != 1 {
					t.Errorf("came %+v", r.all()[2:])
				}
			})
		})
	}
}

// TestADigestIsBounded, and says how much it does not tell one by one.
func TestADigestIsBounded(t *testing.T) {
	tallies := &Tallies{}
	for i := range 5000 {
		n := Group([]Event{event(kinds[i%len(kinds)], fmt.Sprint("s", i%1000), "i", "", "")}, BySubject)[0]
		tallies.add(&n)
	}
	sum := 0
	for _, row := range tallies.Rows {
		sum += row.Count
	}
	if sum != 5000 || len(tallies.Rows) > maxTallies+len(Kinds) {
		t.Errorf("%d events in %d rows", sum, len(tallies.Rows))
	}
	m := Words{}.Message(&Notice{Parts: []Part{{Kind: DigestKind, Count: 5000}}, Digest: tallies})
	if last := m.Lines[len(m.Lines)-1]; len(m.Lines) != maxTallyLines+1 || !strings.HasPrefix(last, "and ") {
		t.Errorf("%d lines, the last is %q", len(m.Lines), last)
	}
	if lines := m.Fitting(300, Bytes); !strings.HasPrefix(lines[len(lines)-1], "and 4") {
		t.Errorf("%q", lines)
	}
}

// TestDigestsAreDue on the clock of their zone, also across its changes.
func TestDigestsAreDue(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	havana, err := time.LoadLocation("America/Havana") // its clock skips the hour after midnight, on Sundays
	if err != nil {
		t.Fatal(err)
	}
	nine, half := Digest{At: 9 * 60, Zone: berlin}, Digest{At: 2*60 + 30, Zone: berlin}
	sunday := Digest{Weekly: true, Day: time.Sunday, At: 30, Zone: havana}
	for _, test := range []struct {
		digest      Digest
		after, want string
	}{
		{nine, "2027-03-27T08:59:59+01:00", "2027-03-27T09:00:00+01:00"},
		{nine, "2027-03-27T09:00:00+01:00", "2027-03-28T09:00:00+02:00"},
		{nine, "2027-10-30T12:00:00+02:00", "2027-10-31T09:00:00+01:00"},
		{half, "2027-03-27T12:00:00+01:00", "2027-03-28T03:00:00+02:00"}, // at the end of the gap
		{half, "2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"},
		{half, "2027-10-30T12:00:00+02:00", "2027-10-31T02:30:00+02:00"}, // the first of two
		{half, "2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"},
		{sunday, "2027-03-08T12:00:00-05:00", "2027-03-14T01:00:00-04:00"},
		{sunday, "2027-03-14T01:00:00-04:00", "2027-03-21T00:30:00-04:00"},
	} {
		at, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.digest.Next(at).Format(time.RFC3339); got != test.want {
			t.Errorf("%s after %s: %s, want %s", test.digest.At, test.after, got, test.want)
		}
	}
}

// TestADigestDoesNotWaitForLong for what was saved: it comes without.
func TestADigestDoesNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		digest := &Digest{At: 9 * 60, Zone: time.UTC, Saved: func(ctx context.Context, _, _ time.Time) (say.Text, error) {
			<-ctx.Done()
			return say.Text{}, ctx.Err()
		}}
		p := opened(t, memory.New(), map[string]Channel{"ops": {Sender: r, Digest: digest}})
		p.tell(told(1))
		rest(9*time.Hour + attemptTimeout)
		if m := r.all(); len(m) != 1 || m[0].Kind != DigestKind || len(m[0].Lines) != 1 {
			t.Errorf("came %+v", m)
		}
	})
}

// board is a room whose messages can be changed.
type board struct {
	room
	shown  []Message
	refuse error // what a change is answered
}

func (b *board) Post(ctx context.Context, m Message) (string, error) {
	if err := b.Send(ctx, m); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown = append(b.shown, m)
	return fmt.Sprint("h", len(b.shown)-1), nil
}

func (b *board) Update(_ context.Context, handle string, m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	var at int
	if _, err := fmt.Sscanf(handle, "h%d", &at); err != nil {
		return err
	}
	b.shown[at] = m
	return nil
}

func (b *board) refuses(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = err
}

// seen are the messages as they read now.
func (b *board) seen() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.shown)
}

// TestMessagesAreChanged: what continues a message takes its place for two hours, also in the next process; what cannot be
// changed is told anew.
func TestMessagesAreChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		b := &board{}
		channels := map[string]Channel{"ops": {Sender: b}}
		p := opened(t, kept, channels)
		p.tell(event(Starting, "office", "i-1", "", ""), event(Starting, "office", "i-2", "", ""), event(Starting, "office", "i-3", "", ""))
		rest(time.Minute)
		p.tell(event(Ready, "office", "i-1", "", ""), event(Failed, "office", "i-2", "", "no capacity"))
		p.tell(event(Ready, "shop", "i-7", "", ""))
		rest(time.Minute)
		if len(b.seen()) != 2 || b.seen()[1].Schedule != "shop" {
			t.Fatalf("shown: %+v", b.seen())
		}
		if m := b.seen()[0]; m.Kind != Failed || m.Count != 3 || !slices.Contains(m.Lines, "1 resource is ready") || !slices.Contains(m.Lines, "Starting 1 resource") {
			t.Errorf("changed to %+v", m)
		}
		p.kill()
		expires()
		p = opened(t, kept, channels)
		rest(time.Second)
		p.tell(event(Ready, "office", "i-3", "", ""))
		rest(time.Second)
		if m := b.seen()[0]; len(b.seen()) != 2 || m.Count != 3 || slices.Contains(m.Lines, "Starting 1 resource") || !slices.Contains(m.Lines, "2 resources are ready") {
			t.Errorf("changed to %+v", m)
		}
		if sent := letters(t, kept, LetterSent); len(sent) != 4 || sent[3].Updates == "" || sent[3].Handle != "h0" {
			t.Errorf("in the store: %+v", sent)
		}
		p.tell(event(Stopping, "office", "i-1", "", "")) // another story
		rest(time.Second)
		b.refuses(errors.New("the message is gone"))
		p.tell(event(Stopped, "office", "i-1", "", ""))
		rest(time.Second)
		b.refuses(nil)
		if len(b.seen()) != 4 || b.seen()[2].Kind != Stopping || b.seen()[3].Kind != Stopped {
			t.Errorf("shown: %+v", b.seen())
		}
		p.tell(event(Stopping, "office", "i-2", "", ""))
		rest(updateFor)
		p.tell(event(Stopped, "office", "i-2", "", ""))
		rest(time.Second)
		if len(b.seen()) != 6 {
			t.Errorf("%d are shown", len(b.seen()))
		}
	})
}

// TestOldNewsChangesNoMessage: a letter that is sent again is told anew, and what goes on does so with the newer one.
func TestOldNewsChangesNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		b := &board{room: room{fails: errors.New("status 404")}}
		p := opened(t, kept, map[string]Channel{"ops": {Sender: b}})
		p.tell(event(Failed, "office", "i-1", "", "of yesterday"))
		rest(time.Second)
		p.tell(event(Starting, "office", "i-1", "", "of yesterday"))
		rest(24 * time.Hour)
		dead := letters(t, kept, LetterDead)
		b.answer(nil, false)
		p.tell(event(Starting, "office", "i-1", "", "of today"))
		rest(time.Second)
		for i, l := range dead {
			if count, err := p.Again(t.Context(), &store.Activity{Seq: int64(i + 1), Reason: AgainMessage, Name: l.ID}); err != nil || count != 1 {
				t.Fatalf("%d, %v", count, err)
			}
			rest(time.Second)
		}
		if seen := b.seen(); len(seen) != 3 || seen[0].Kind != Starting || !strings.Contains(seen[0].Lines[0], "of today") || seen[1].Kind != Failed {
			t.Fatalf("shown: %+v", seen)
		}
		p.tell(event(Ready, "office", "i-1", "", ""))
		rest(time.Second)
		if seen := b.seen(); len(seen) != 4 || seen[2].Kind != Starting || seen[3].Kind != Ready {
			t.Errorf("shown: %+v", seen)
		}
	})
}

// slow is a log that takes its time.
type slow struct{}

func (slow) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return len(p), nil
}

// TestAMessageGoesOnInTheNextProcess, also the first that it sends, while it still reads what there is.
func TestAMessageGoesOnInTheNextProcess(t *testing.T) {
	for range 8 { // in which order the letters of channels are taken over is left to chance
		synctest.Test(t, func(t *testing.T) {
			kept := memory.New()
			b := &board{}
			p := opened(t, kept, map[string]Channel{"ops": {Sender: b}, "old": {Sender: &room{fails: busy}}})
			p.tell(event(Starting, "office", "i-1", "", ""))
			rest(time.Second)
			b.refuses(busy)
			p.tell(event(Ready, "office", "i-1", "", ""))
			rest(time.Second)
			p.kill()
			expires()
			b.refuses(nil)
			p = &bureau{t: t, store: &mortal{Store: kept}}
			p.Office = NewOffice(OfficeOptions{OutboxOptions: OutboxOptions{Log: slog.New(slog.NewTextHandler(slow{}, nil))}, Store: p.store, Lasting: true})
			p.Use(map[string]Channel{"ops": {Sender: b}}, briefly)
			p.begin()
			t.Cleanup(p.kill)
			rest(time.Minute)
			if seen := b.seen(); len(seen) != 1 || seen[0].Kind != Ready {
				t.Fatalf("shown: %+v", seen)
			}
		})
	}
}

// TestAWarningIsNotHeldBackByWhatItIsPutTogetherWith.
func TestAWarningIsNotHeldBackByWhatItIsPutTogetherWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		p := opened(t, memory.New(), map[string]Channel{"ops": {Sender: r, Quiet: nights(t)}})
		for i := range mergeFrom {
			p.tell(event(ReservationIdle, fmt.Sprint("s", i), fmt.Sprint("i-", i), "", ""))
		}
		rest(time.Second)
		if len(r.all()) != 0 {
			t.Fatalf("in the night came %+v", r.all())
		}
		p.tell(event(StopWarning, "s7", "i-7", "", "soon"), event(ReservationIdle, "s7", "i-7", "", ""))
		rest(time.Second)
		if came := r.all(); len(came) != 1 || came[0].Schedule != "s7" {
			t.Errorf("in the night came %+v", came)
		}
	})
}

// TestQuietWithoutEnd: a channel for alarms alone costs the store nothing while it keeps quiet.
func TestQuietWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hours, err := calendar.Compile(calendar.ScheduleDef{Name: "quiet", Periods: calendar.PeriodRefs{"always"}},
			map[string]calendar.PeriodDef{"always": {BeginTime: "00:00", EndTime: "24:00"}}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		r := &room{}
		p := opened(t, memory.New(), map[string]Channel{"ops": {Sender: r, Quiet: &Quiet{Hours: hours}}})
		for i := range 5 {
			p.tell(event(Stopping, fmt.Sprint("s", i), "i-1", "", ""))
		}
		rest(time.Second)
		before := p.store.writes.Load()
		rest(time.Hour)
		if writes := p.store.writes.Load() - before; writes != 0 || len(r.all()) != 0 {
			t.Errorf("%d writes in an hour in which nothing happened, %d came", writes, len(r.all()))
		}
		p.Use(map[string]Channel{"ops": {Sender: r}}, briefly)
		rest(time.Second)
		if len(r.all()) != 5 {
			t.Errorf("%d came when it was no longer quiet", len(r.all()))
		}
	})
}
