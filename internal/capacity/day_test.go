package capacity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// osaka is another account.
var osaka = fleet.Scope{Account: "444455556666", Region: "ap-northeast-1"}

// dayOver is when a day is over for what was bought, with the stretch that it was counted in.
const dayOver = reservation.DayLength + reservation.DayGrain

// aDay are the rules with limits of a day, which the world watches over too.
func (w *world) aDay(all, account int) reservation.Rules {
	rules := defaults
	rules.Daily = reservation.Daily{All: all, Account: account}
	w.daily = rules.Daily
	return rules
}

// like is a reservation like the sale's, of another name.
func like(name string, scope fleet.Scope, count int) *reservation.Reservation {
	r := sale()
	r.Name, r.Scope, r.Count = name, scope, count
	r.To = friday.Add(30 * 24 * time.Hour)
	return r
}

// TestFault6_16TheDayTurns: no more is bought within 24 hours than may be, people are told once, and the rest is bought as soon as it may be.
func TestFault6_16TheDayTurns(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	rules, r := w.aDay(12, 0), like("sale", tokyo, 37)
	o := w.run(rules, r).Outcomes[0]
	want(t, w.took(), "buy 10 ap-northeast-1c/r5b.2xlarge", "modify cr-1 to 12")
	if o.Held != 12 || o.Why != reservation.DayLimit || !o.Until.Equal(friday.Add(dayOver)) ||
		o.Text != "25 of 37 missing: 12 of the 12 allowed within 24 hours in all were bought; more may be from 09:10 (UTC, 2026-11-27)" {
		t.Errorf("%+v", o)
	}
	if rows := w.events(store.EventReservationShort); len(rows) != 1 || rows[0] != o.Text {
		t.Errorf("rows: %q", rows)
	}
	for w.now.Before(friday.Add(dayOver - 5*time.Minute)) {
		w.pass(5 * time.Minute)
		w.run(rules, r)
	}
	if got := w.said(); !slices.Equal(got, []notify.Kind{notify.ReservationShort, notify.ReservationIdle}) {
		t.Errorf("told %v", got)
	}
	held := map[time.Duration]int{dayOver - time.Second: 12, dayOver: 24, 2*dayOver - time.Second: 24, 2 * dayOver: 36, 3 * dayOver: 37}
	for _, after := range []time.Duration{dayOver - time.Second, dayOver, 2*dayOver - time.Second, 2 * dayOver, 3 * dayOver} {
		w.renew(rules, friday.Add(after), r)
		if total := w.total("sale"); total != held[after] {
			t.Errorf("%s after the first %d are held, want %d", after, total, held[after])
		}
	}
	if rows := w.events(store.EventReservationShort); len(rows) != 1 {
		t.Errorf("rows: %q", rows)
	}
	if got := w.said(); !slices.Contains(got, notify.ReservationReached) || slices.Contains(got, notify.ReservationShort) {
		t.Errorf("told %v", got)
	}
}

// renew looks every 6 hours and at last at an instant.
func (w *world) renew(rules reservation.Rules, until time.Time, list ...*reservation.Reservation) {
	w.t.Helper()
	for w.now.Before(until) {
		w.pass(min(6*time.Hour, until.Sub(w.now)))
		w.run(rules, list...)
	}
}

// TestFault6_16GivingBackGainsNothing: what was bought within the day counts whether it is still held or not, and whether its
// reservation is still there or not; a clock that was set back forgets nothing of it.
func TestFault6_16GivingBackGainsNothing(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	rules, r := w.aDay(0, 12), like("sale", tokyo, 10)
	w.run(rules, r)
	r.Count = 2
	w.run(rules, r)
	r.Count = 37
	if o := w.run(rules, r).Outcomes[0]; o.Held != 4 || !strings.Contains(o.Text, "12 of the 12 allowed within 24 hours in the account") {
		t.Errorf("%+v", o)
	}
	w.run(rules) // it is deleted
	if w.total("sale") != 0 || w.memory("sale") != nil {
		t.Fatalf("%d are left, and %s", w.total("sale"), w.memory("sale"))
	}
	for _, name := range []string{"sale", "other"} {
		if o := w.run(rules, like(name, tokyo, 5)).Outcomes; o[len(o)-1].Held != 0 {
			t.Errorf("%s is made anew, and %d are bought", name, o[len(o)-1].Held)
		}
	}
	w.now = w.now.Add(-3 * time.Hour)
	for i := range w.spent {
		w.spent[i].At = w.spent[i].At.Add(-3 * time.Hour)
	}
	w.run(rules, r)
	w.pass(dayOver - time.Minute)
	if o := w.run(rules, r).Outcomes[0]; o.Held != 0 {
		t.Errorf("within a day after the clock was set back: %+v", o)
	}
	w.pass(time.Minute)
	if o := w.run(rules, r).Outcomes[0]; o.Held != 12 {
		t.Errorf("a day after the clock was set back: %+v", o)
	}
	w.run(rules) // deleted once more, and a day later nothing is remembered
	w.pass(dayOver)
	w.run(rules)
	if days := w.records[store.ReservationDay]; len(days) != 0 {
		t.Errorf("kept: %s", days)
	}
}

// TestFault6_16ReservationsCompete: the limit of an account is one for all of its reservations, that of all is one for all accounts.
func TestFault6_16ReservationsCompete(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 200
	a, b, c := like("a", tokyo, 9), like("b", tokyo, 9), like("c", osaka, 37)
	held := func() [3]int { return [3]int{w.total("a"), w.total("b"), w.total("c")} }
	w.run(w.aDay(0, 12), a, b, c)
	if got := held(); got != [3]int{9, 3, 12} {
		t.Errorf("held with 12 for each account: %v", got)
	}
	w.run(w.aDay(30, 0), a, b, c)
	if got := held(); got[0]+got[1]+got[2] != 30 {
		t.Errorf("held with 30 in all: %v", got)
	}
	b.Scope = osaka // what was bought for it elsewhere counts there
	w.run(w.aDay(100, 13), a, b, c)
	if got := held(); got[1] > 13 {
		t.Errorf("held: %v", got)
	}
}

// TestFault6_16ALimitIsLowered: below what was bought already nothing more is bought, nothing is given back, and a purchase whose
// answer was lost is not repeated.
func TestFault6_16ALimitIsLowered(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	r := like("sale", tokyo, 37)
	w.run(w.aDay(20, 0), r)
	o := w.run(w.aDay(5, 0), r).Outcomes[0]
	if o.Held != 20 || o.Why != reservation.DayLimit || !strings.Contains(o.Text, "20 of the 5 allowed") || !o.Until.Equal(friday.Add(dayOver)) {
		t.Errorf("%+v", o)
	}
	w.renew(w.aDay(5, 0), friday.Add(dayOver), r)
	if total := w.total("sale"); total != 25 {
		t.Errorf("%d are held on the second day", total)
	}

	w = newWorld(t)
	w.room[zoneC] = 100
	w.contact = func(what string, _ bool) error {
		if strings.HasPrefix(what, "buy") {
			return fmt.Errorf("%w: time-out", cloud.ErrTransient)
		}
		return nil
	}
	w.run(w.aDay(20, 0), r)
	w.contact = nil
	w.pass(time.Minute)
	w.took()
	for range 5 {
		if o := w.run(w.aDay(5, 0), r).Outcomes[0]; o.Held > 0 && o.Held != 5 {
			t.Errorf("%+v", o)
		}
		w.pass(time.Minute)
	}
	want(t, w.took(), "buy 5 ap-northeast-1c/r5b.2xlarge") // once it was certain that the 10 were not bought
}

// TestFault6_16OnlyWhatWasBoughtCounts: what was refused, turned away or did not go through takes nothing of the day; what was repeated counts once.
func TestFault6_16OnlyWhatWasBoughtCounts(t *testing.T) {
	for name, answer := range map[string]struct {
		err    error
		effect bool
	}{
		"no room":                 {cloud.ErrInsufficientCapacity, false},
		"not allowed":             {cloud.ErrInvalid, false},
		"called too often":        {cloud.ErrThrottled, false},
		"no answer":               {cloud.ErrTransient, false},
		"the answer was lost":     {cloud.ErrTransient, true},
		"died with nothing done":  {errDied, false},
		"died as it went through": {errDied, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.room[zoneC] = 100
			r := like("sale", tokyo, 37)
			first := true
			w.contact = func(what string, after bool) error {
				if !first || !strings.HasPrefix(what, "buy") || after != answer.effect {
					return nil
				}
				first = false
				return answer.err
			}
			for range 30 {
				if _, err := w.look(w.aDay(25, 0), r).Run(context.Background()); err != nil && !errors.Is(answer.err, errDied) {
					t.Fatal(err)
				}
				w.pass(time.Minute)
			}
			if total := w.total("sale"); total != 25 || first {
				t.Errorf("%d are held, of 25 that a day allows\n%s", total, strings.Join(w.calls, "\n"))
			}
		})
	}
}

// TestFault6_16WhatCanNotBeReadCounts: a record that is damaged leaves nothing to be bought within its day.
func TestFault6_16WhatCanNotBeReadCounts(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.records[store.ReservationDay] = map[string]json.RawMessage{"sale": json.RawMessage(`{"of":"another time"}`)}
	if o := w.run(w.aDay(25, 0), like("sale", tokyo, 37)).Outcomes[0]; o.Held != 0 || o.Why != reservation.DayLimit {
		t.Errorf("%+v", o)
	}
	w.pass(dayOver)
	if o := w.run(w.aDay(25, 0), like("sale", tokyo, 37)).Outcomes[0]; o.Held != 25 {
		t.Errorf("a day later: %+v", o)
	}
}

// TestObservingTakesNothingOfTheDay: what is only looked at buys nothing and counts nothing, and tells what the day allows.
func TestObservingTakesNothingOfTheDay(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	look := w.look(w.aDay(12, 0), like("sale", tokyo, 37))
	look.Observe = true
	report, err := look.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if did := report.Outcomes[0].Did; len(did) != 2 || !strings.Contains(did[1], "from 10 to 12") {
		t.Errorf("it would %q", did)
	}
	if days := w.records[store.ReservationDay]; len(days) != 0 {
		t.Errorf("counted: %s", days)
	}
}

// TestFault6_16CrashAtEveryContact: whatever happens at whichever contact with the store or the provider, no more is bought within
// a day than may be, and in the end everything is held all the same.
func TestFault6_16CrashAtEveryContact(t *testing.T) {
	atEveryContact(t, func(t *testing.T, lag time.Duration, n int, f fault) (count int) {
		w := newWorld(t)
		w.lag = lag
		w.room[zoneC] = 7
		rules := w.aDay(25, 20)
		list := []*reservation.Reservation{like("a", tokyo, 15), like("b", tokyo, 15), like("c", osaka, 12)}
		w.meetOrCount(n, f, &count)
		for i := range 6 {
			before := w.contact
			_, _ = w.look(rules, list...).Run(context.Background()) // what went wrong is what this is about
			if n >= 0 {
				w.contact = alive(before)
			}
			w.pass([]time.Duration{20 * time.Second, 5 * time.Minute}[i%2])
			w.room[zoneC] += 30
		}
		if n < 0 {
			return count
		}
		w.contact = nil
		w.renew(rules, friday.Add(2*dayOver+time.Hour), list...)
		for _, r := range list {
			if total := w.total(r.Name); total != r.Count {
				t.Errorf("%d of %d are held for %s\n%s", total, r.Count, r.Name, strings.Join(w.calls, "\n"))
			}
		}
		return 0
	})
}

// TestFault6_16TheDayIsNeverPassed: ten thousand seeds of targets, limits that change, shortages, faults, deaths, stale listings
// and reservations that come and go, over several days.
func TestFault6_16TheDayIsNeverPassed(t *testing.T) {
	seeds := 10_000
	if testing.Short() || raceEnabled {
		seeds = 500
	}
	var bought, faulty, full atomic.Int64
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for seed := range seeds {
		if t.Failed() {
			break
		}
		group.Go(func() error {
			aSeedOfDays(t, seed, &bought, &faulty, &full)
			return nil
		})
	}
	_ = group.Wait() // what went wrong was told
	if !t.Failed() && (int(bought.Load()) < 3*seeds || int(faulty.Load()) < seeds || int(full.Load()) < seeds/2) {
		t.Errorf("%d purchases, %d faults and %d full days prove little", bought.Load(), faulty.Load(), full.Load())
	}
}

func aSeedOfDays(t *testing.T, seed int, bought, faulty, full *atomic.Int64) {
	rng := rand.New(rand.NewPCG(uint64(seed), 16))
	w := newWorld(t)
	w.lag = time.Duration(rng.IntN(3)) * 30 * time.Second
	w.room[zoneC] = rng.IntN(200)
	faults := 0
	died := w.unruly(rng, &faults)
	all := []*reservation.Reservation{like("a", tokyo, 0), like("b", tokyo, 0), like("c", osaka, 0)}
	rules := w.aDay(1+rng.IntN(60), 1+rng.IntN(40))
	for range 9 {
		var list []*reservation.Reservation
		for _, r := range all {
			r.Count = rng.IntN(30)
			if rng.IntN(5) > 0 {
				list = append(list, r)
			}
		}
		if rng.IntN(4) == 0 {
			rules = w.aDay(rng.IntN(60), rng.IntN(40))
		}
		*died = false
		report, _ := w.look(rules, list...).Run(context.Background()) // what went wrong is what this is about
		for _, o := range report.Outcomes {
			if o.Why == reservation.DayLimit {
				full.Add(1)
			}
		}
		w.pass([]time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, 3 * time.Hour, 12 * time.Hour}[rng.IntN(6)])
		w.room[zoneC] += rng.IntN(20)
	}
	bought.Add(int64(len(w.spent)))
	faulty.Add(int64(faults))
	if seed%5 == 0 { // when all is well again, everything is bought, day by day
		w.contact = nil
		w.room[zoneC] += 1000
		rules = w.aDay(45, 30)
		for _, r := range all {
			r.Count = 15
		}
		for range 4 {
			w.pass(dayOver)
			w.run(rules, all...)
			w.pass(4 * time.Minute) // then it is certain what became of a call without an answer
			w.run(rules, all...)
		}
		for _, r := range all {
			if total := w.total(r.Name); total != r.Count {
				t.Errorf("%d of %d are held for %s\n%s", total, r.Count, r.Name, strings.Join(w.calls, "\n"))
			}
		}
	}
	if t.Failed() {
		t.Errorf("seed %d, or one of those beside it", seed)
	}
}
