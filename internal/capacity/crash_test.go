package capacity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

var errDied = errors.New("the process died")

// fault is what happens at one contact with the store or the provider.
type fault int

const (
	diesBefore fault = iota
	diesAfter
	fails // before it has an effect
	lost  // it has its effect, and the answer gets lost
	faults
)

func (f fault) String() string {
	return [...]string{"dies before", "dies after", "fails", "answer lost"}[f]
}

// meet makes the n-th contact from now on (0: the first) meet the fault; a process that died makes no more contacts.
func (w *world) meet(n int, f fault) {
	dead := false
	w.contact = func(_ string, after bool) error {
		if dead {
			return errDied
		}
		if !after {
			n--
		}
		if n != -1 {
			return nil
		}
		switch {
		case f == diesBefore && !after, f == diesAfter && after:
			dead = true
			return errDied
		case f == fails && !after, f == lost && after:
			return fmt.Errorf("%w: time-out", cloud.ErrTransient)
		}
		return nil
	}
}

// TestCrashAtEveryStep: whatever happens at whichever contact with the store or
// the provider, before it, after it or with its answer lost, nothing is bought
// twice, what is wanted is held in the end, and in the end all is given back.
func TestCrashAtEveryStep(t *testing.T) {
	atEveryContact(t, func(t *testing.T, lag time.Duration, n int, f fault) (count int) {
		w := newWorld(t)
		w.lag = lag
		w.room[zoneC] = 30
		wanted := 37
		w.most = func(string) int { return wanted }
		r := sale()
		r.Count = wanted
		w.meetOrCount(n, f, &count)
		look := func() {
			before := w.contact
			_, _ = w.look(defaults, r).Run(context.Background()) // what went wrong is what this is about
			if n >= 0 && before != nil {
				w.contact = alive(before)
			}
		}
		step := func(d time.Duration, looks int) {
			for range looks {
				look()
				w.pass(d)
			}
		}
		step(20*time.Second, 3)
		w.room[zoneC] += 100
		step(5*time.Minute, 3)
		wanted, r.Count = 37, 20
		step(20*time.Second, 3)
		w.pass(72*time.Hour - w.now.Sub(friday))
		step(20*time.Second, 3)
		if n < 0 {
			return count
		}
		w.contact = nil
		step(5*time.Minute, 3)
		if total := w.total("sale"); total != 0 {
			t.Errorf("%d are left at the end\n%s", total, strings.Join(w.calls, "\n"))
		}
		if m := w.memory("sale"); strings.Contains(string(m), `"intent"`) {
			t.Errorf("an intent is left: %s", m)
		}
		return 0
	})
}

// meetOrCount has contact n meet the fault or, below 0, counts them.
func (w *world) meetOrCount(n int, f fault, count *int) {
	if n >= 0 {
		w.meet(n, f)
		return
	}
	w.contact = func(_ string, after bool) error {
		if !after {
			*count++
		}
		return nil
	}
}

// atEveryContact plays a story with each fault at each of its contacts, where listings are true at once and where they lag.
// With n below 0 the story gives how many contacts it has.
func atEveryContact(t *testing.T, story func(t *testing.T, lag time.Duration, n int, f fault) (contacts int)) {
	t.Helper()
	for _, lag := range []time.Duration{0, time.Minute} {
		contacts := story(t, lag, -1, 0)
		if contacts < 40 {
			t.Fatalf("the story has %d contacts", contacts)
		}
		for n := range contacts {
			for f := range faults {
				t.Run(fmt.Sprintf("lag %s, contact %d %s", lag, n, f), func(t *testing.T) { story(t, lag, n, f) })
			}
		}
	}
}

// alive is what the next process meets: the fault of the last one is over once it has happened.
func alive(contact func(string, bool) error) func(string, bool) error {
	over := false
	return func(what string, after bool) error {
		if over {
			return nil
		}
		err := contact(what, after)
		if errors.Is(err, errDied) { // of the process before
			over = true
			return nil
		}
		return err
	}
}

// unruly makes contacts meet faults at random, which it counts: deaths, time-outs with and without an effect, and calls
// that come too often. A process that has died makes no more contacts until the answer is set back.
func (w *world) unruly(rng *rand.Rand, faulty *int) (died *bool) {
	died = new(bool)
	w.contact = func(what string, after bool) error {
		n := rng.IntN(40)
		if *died || n == 0 {
			*died = true
			*faulty++
			return errDied
		}
		switch {
		case n < 3:
			*faulty++
			return fmt.Errorf("%w: time-out", cloud.ErrTransient)
		case n < 5 && !after && !strings.HasPrefix(what, "store"):
			*faulty++
			return fmt.Errorf("%w: RequestLimitExceeded", cloud.ErrThrottled)
		}
		return nil
	}
	return died
}

// TestNeverBoughtTwice: ten thousand seeds of targets, shortages, faults, deaths and stale listings.
func TestNeverBoughtTwice(t *testing.T) {
	seeds := 10_000
	if testing.Short() || raceEnabled {
		seeds = 500
	}
	bought, faulty := 0, 0
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		w := newWorld(t)
		w.lag = time.Duration(rng.IntN(3)) * 30 * time.Second
		most := 0
		w.most = func(string) int { return most }
		r := sale()
		r.Parts = []reservation.Part{zoneC, zoneA}[:1+rng.IntN(2)]
		r.Alternatives = []reservation.Part{zoneD, other}[:rng.IntN(3)]
		r.ReleaseUsed = true
		for _, p := range []reservation.Part{zoneC, zoneA, zoneD, other} {
			w.room[p] = rng.IntN(40)
		}
		died := w.unruly(rng, &faulty)
		look := func() {
			*died = false
			_, _ = w.look(defaults, r).Run(context.Background()) // what went wrong is what this is about
		}
		for range 8 {
			r.Count = rng.IntN(38)
			most = max(r.Count, w.total("sale"))
			look()
			w.pass(time.Duration(1+rng.IntN(400)) * time.Second)
			if p := []reservation.Part{zoneC, zoneA, zoneD, other}[rng.IntN(4)]; rng.IntN(3) == 0 {
				w.room[p] += rng.IntN(30)
			}
		}
		w.contact = nil
		for _, p := range []reservation.Part{zoneC, zoneA, zoneD, other} {
			w.room[p] += 100
		}
		most = max(r.Count, w.total("sale"))
		for range 3 {
			w.pass(5 * time.Minute)
			look()
		}
		if total := w.total("sale"); total != r.Count {
			t.Fatalf("seed %d: %d are held and %d are wanted\n%s\n%s", seed, total, r.Count, strings.Join(w.calls, "\n"), w.memory("sale"))
		}
		bought += len(w.tokens)
		w.pass(73*time.Hour - w.now.Sub(friday))
		look()
		if total := w.total("sale"); total != 0 {
			t.Fatalf("seed %d: %d are left at the end", seed, total)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if bought < seeds/2 || faulty < seeds {
		t.Errorf("%d purchases and %d faults prove little", bought, faulty)
	}
}

// TestFenced: a process that has lost the lease buys nothing.
func TestFenced(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	stale := w.look(defaults, sale())
	w.term = 2
	if _, err := stale.Run(context.Background()); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the error is %v", err)
	}
	forbidden := w.look(defaults, sale())
	forbidden.MayAct = func() error { return errors.New("paused") }
	if _, err := forbidden.Run(context.Background()); !errors.Is(err, cloud.ErrNotPermitted) {
		t.Errorf("the error is %v", err)
	}
	want(t, w.took())
}

// TestFault41TimeOutAfterCreate: the answer to a purchase gets lost; the same token is sent again, and it is paid for once.
func TestFault41TimeOutAfterCreate(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.lag = time.Minute // nor does the listing show it
	lostOnce := true
	w.contact = func(what string, after bool) error {
		if after && lostOnce && strings.HasPrefix(what, "buy") {
			lostOnce = false
			return fmt.Errorf("%w: time-out", cloud.ErrTransient)
		}
		return nil
	}
	w.run(defaults, sale())
	var m reservation.Memory
	if err := json.Unmarshal(w.memory("sale"), &m); err != nil || m.Intent == nil || m.Intent.Token == "" {
		t.Fatalf("%+v, %v", m, err)
	}
	w.pass(15 * time.Second)
	w.run(defaults, sale())
	if len(w.tokens) != 1 || w.total("sale") != 37 {
		t.Errorf("%d reservations, %d held\n%s", len(w.tokens), w.total("sale"), strings.Join(w.calls, "\n"))
	}
	if want := "buy 10 ap-northeast-1c/r5b.2xlarge"; w.calls[0] != want || w.calls[1] != want {
		t.Errorf("calls: %q", w.calls)
	}
}

// TestFault41PartialCapacity: what there is is held, and the rest is asked for again.
func TestFault41PartialCapacity(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 18
	if o := w.run(defaults, sale()).Outcomes[0]; o.Held != 18 || o.Why != reservation.Short {
		t.Errorf("%+v", o)
	}
}

// TestFault41CancelFails: what can not be given back is an alarm with its cost, told once, and is tried again.
func TestFault41CancelFails(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.expires = false
	w.run(defaults, sale())
	w.pass(72 * time.Hour)
	w.took()
	w.said()
	w.fail = func(what string) error {
		if strings.HasPrefix(what, "cancel") {
			return fmt.Errorf("%w: UnsupportedOperation", cloud.ErrUnsupported)
		}
		return nil
	}
	for range 3 {
		w.run(defaults, sale())
		w.pass(5 * time.Minute)
	}
	if calls := w.took(); len(calls) != 3 {
		t.Errorf("calls: %q", calls)
	}
	if rows := w.events(store.EventReservationFailed); len(rows) != 3 || !strings.Contains(rows[0], "USD 22.05 an hour") {
		t.Errorf("rows: %q", rows)
	}
	alarms := 0
	for _, kind := range w.said() {
		if kind == "reservation-failed" {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms", alarms)
	}
	w.fail = nil
	w.run(defaults, sale())
	if w.total("sale") != 0 {
		t.Error("it is never given back")
	}
}
