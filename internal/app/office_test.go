package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/store"
)

// board is a channel of a test, which outlives the processes that send to it.
type board struct {
	mu    sync.Mutex
	fails error
	took  []notify.Message
}

func (*board) Name() string { return "ops" }

func (b *board) Send(_ context.Context, m notify.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails == nil {
		b.took = append(b.took, m)
	}
	return b.fails
}

func (b *board) answer(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = err
}

func (b *board) kinds() (kinds []notify.Kind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.took {
		kinds = append(kinds, b.took[i].Kind)
	}
	return kinds
}

// telling starts a daemon that tells a channel.
func (h *house) telling(to *board) *living {
	h.t.Helper()
	return h.begin("", func(d *Daemon) []func(context.Context) error {
		d.office = d.newOffice(d.Store)
		d.office.Use(map[string]notify.Channel{"ops": {Sender: to}}, lastTry)
		return []func(context.Context) error{d.lead}
	})
}

// TestMessagesSurviveTheDaemon: killed while its channel is down, the next process tells what it did; what a daemon gave up is
// sent again when a person asks for it, within seconds.
func TestMessagesSurviveTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, strings.Replace(officeConfig, "store: memory", "store: sqlite:never-opened.db", 1), ec2("web", "running", "nights"))
		b := &board{fails: &notify.RetryError{Err: errors.New("status 503")}}
		first := h.telling(b)
		time.Sleep(time.Minute)
		if err := first.office.Tell(t.Context(), []notify.Event{{Kind: notify.Failed, Schedule: "nights", Name: "web", At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		first.kill()
		b.answer(nil)
		second := h.telling(b)
		time.Sleep(time.Minute)
		if kinds := b.kinds(); len(kinds) == 0 || kinds[len(kinds)-1] != notify.Failed {
			t.Fatalf("came %v", kinds)
		}
		before := len(b.kinds())

		b.answer(errors.New("status 401"))
		if err := second.office.Tell(t.Context(), []notify.Event{{Kind: notify.Gap, Name: "x", At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var dead []notify.Letter
		if err := notify.EachLetter(t.Context(), h.store, "", func(l *notify.Letter) bool {
			if l.State == notify.LetterDead {
				dead = append(dead, *l)
			}
			return true
		}); err != nil || len(dead) != 1 {
			t.Fatalf("dead: %+v, %v", dead, err)
		}
		b.answer(nil)
		if err := h.store.Append(t.Context(), store.Lease{}, []store.Activity{{
			At: time.Now(), Actor: "minji", Event: store.EventMessageAgain, Name: dead[0].ID, Reason: notify.AgainMessage,
		}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * heedPoll)
		if kinds := b.kinds(); len(kinds) != before+1 || kinds[before] != notify.Gap {
			t.Errorf("came %v", kinds)
		}
		second.stop()
		third := h.telling(b) // which reads the request once more
		time.Sleep(time.Minute)
		third.stop()
		if kinds := b.kinds(); len(kinds) != before+1 {
			t.Errorf("came %v", kinds)
		}
		h.verify()
	})
}

// TestASinglePassLeavesItsMessages: what `run` cannot deliver before it ends is delivered by the next one.
func TestASinglePassLeavesItsMessages(t *testing.T) {
	down := newReceiver(t, true)
	dir := t.TempDir()
	path := filepath.Join(dir, "dayshift.yaml")
	text := fmt.Sprintf("store: sqlite:%s\naccounts: [{id: \"111122223333\", regions: [ap-northeast-2]}]\nchannels:\n%s", filepath.Join(dir, "d.db"), hook("ops", down.URL, ""))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	run := func(events ...notify.Event) string {
		var log bytes.Buffer
		a, err := Open(t.Context(), loaded, slog.New(slog.NewTextHandler(&log, nil)), Act)
		if err != nil {
			t.Fatal(err)
		}
		leader := newLeader(a.Store)
		leader.clock = clock.Real{}
		if err := leader.acquire(t.Context(), time.Second, nil); err != nil {
			t.Fatal(err)
		}
		a.office.Begin(leader.Lease, leader.MayAct)
		if len(events) > 0 {
			if err := notify.Tell(t.Context(), a.receivers(), events); err != nil {
				t.Fatal(err)
			}
		}
		last, cancel := lastTry()
		defer cancel()
		a.office.End(last)
		if err := errors.Join(leader.release(t.Context()), a.Close()); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	if said := run(aStop...); !strings.Contains(said, "messages stay in the store") || strings.Contains(said, "was not delivered") {
		t.Errorf("said %s", said)
	}
	down.mu.Lock()
	down.down = false
	down.mu.Unlock()
	said := run()
	if took := down.took(); len(took) != 2 || took[0].ID == "" || strings.Contains(said, "stay in the store") {
		t.Errorf("came %+v; said %s", took, said)
	}
	run()
	if took := down.took(); len(took) != 2 {
		t.Errorf("came %+v", took)
	}
}

// TestADigestSaysWhatWasSaved: a digest of a day tells of the whole day before, one of a week of seven days and their money.
func TestADigestSaysWhatWasSaved(t *testing.T) {
	for name, test := range map[string]struct {
		digest config.DigestTime
		days   int
		says   string
	}{
		"daily":  {config.DigestTime{At: 9 * 60, Zone: time.UTC}, 4, "resources with a schedule did not run for 15 of 24 hours"},
		"weekly": {config.DigestTime{Weekly: true, Day: time.Friday, At: 9 * 60, Zone: time.UTC}, 7, "In the last seven days resources with a schedule did not run for "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, officeConfig, ec2("web", "stopped", "seoul-office"))
				b := &board{}
				l := h.begin("", func(d *Daemon) []func(context.Context) error {
					d.open()
					d.saved = d.savedSaid
					m := notify.Channel{Sender: b}
					d.when(&m, config.Telling{Digest: &test.digest})
					d.office = d.newOffice(d.Store)
					d.office.Use(map[string]notify.Channel{"ops": m}, lastTry)
					return []func(context.Context) error{d.lead, d.boards}
				})
				time.Sleep(time.Duration(test.days) * 24 * time.Hour)
				l.stop()
				last, cancel := lastTry()
				defer cancel()
				l.office.Close(last)
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.took) == 0 || len(b.took[len(b.took)-1].Lines) == 0 {
					t.Fatalf("came %+v", b.took)
				}
				if m := b.took[len(b.took)-1]; m.Kind != notify.DigestKind || !strings.Contains(m.Lines[0], test.says) {
					t.Errorf("%s: %q", m.Title, m.Lines)
				}
			})
		})
	}
}
