package capacity

import (
	"slices"
	"sync"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
)

// ledger is what everything held costs, over all accounts at once: what one
// account is about to buy, no other can spend.
type ledger struct {
	rules reservation.Rules
	past  reservation.Day // what was bought within the day for reservations that there are no longer

	mu      sync.Mutex
	entries map[string]entry // by reservation
}

type entry struct {
	account fleet.AccountID
	perHour float64
	unknown int
	pending float64 // of a purchase under way, or whose outcome is not known
	day     reservation.Day
}

// newLedger begins with what was held when it was last seen.
func newLedger(rules reservation.Rules, works []*work, past reservation.Day) *ledger {
	book := &ledger{rules: rules, past: past, entries: map[string]entry{}}
	for _, w := range works {
		book.settle(w)
	}
	return book
}

// settle notes what a reservation holds now.
func (b *ledger) settle(w *work) {
	e := entry{account: w.Scope.Account, day: w.day}
	e.perHour, e.unknown = reservation.CostOf(w.memory.Held)
	if it := w.memory.Intent; it != nil && it.Do.Spends() {
		e.pending = costOf(it.Step)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[w.Name] = e
}

func costOf(step reservation.Step) float64 {
	price, _ := reservation.PerHour(step.Part.Type) // what is not known needs an approval
	return price * float64(step.By)
}

// next finds the next step of a reservation and sets aside what it costs and buys, until settle.
func (b *ledger) next(w *work, now time.Time) reservation.Step {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := reservation.Room{MaxAll: b.rules.MaxHourly, MaxAccount: b.rules.MaxHourlyPerAccount}
	daily := b.rules.Daily != reservation.Daily{}
	if daily {
		room.Bought = slices.Clone(b.past)
	}
	for name, e := range b.entries {
		if daily {
			room.Bought = append(room.Bought, e.day...)
		}
		cost := e.perHour
		if name != w.Name { // its own is what it may be about to repeat
			cost += e.pending
		}
		room.All += cost
		room.UnknownAll += e.unknown
		if e.account == w.Scope.Account {
			room.Account += cost
			room.UnknownAcc += e.unknown
		}
	}
	step := w.Next(reservation.Input{Now: now, Memory: w.memory, Rules: b.rules, Room: room, Approved: w.approved})
	if step.Do.Spends() {
		e := b.entries[w.Name]
		e.pending = costOf(step)
		if step.Reason != reservation.Again { // one that is repeated is counted
			e.day = e.day.With(reservation.Bought(now, e.account, step.By))
		}
		b.entries[w.Name] = e
	}
	return step
}
