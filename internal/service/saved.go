package service

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/savings"
	"dayshift/internal/store"
)

// savedBasis says what Saved counts, for whoever shows it.
const savedBasis = "Hours of the last seven days in which a resource that a schedule governs now was stopped, by the rows of the record that say it was seen running or " +
	"stopped and by how it is now; time of which both do not say the same counts as running. Money: " + savings.PriceBasis + "."

const (
	savedDays = 7
	// ledgerBudget is how long one question may read on in the record: the rest is read at the next ones.
	ledgerBudget = 200 * time.Millisecond
	// ledgerTurns bounds what is kept of it, at 16 bytes each: a fleet of 100,000 with two turns a day makes 1.4 million.
	ledgerTurns = 4_000_000
	ledgerPage  = 1000
)

// ledger keeps when resources were seen to begin and end running in the last
// seven days, as the record has it, and reads on in the record at each question.
type ledger struct {
	mu     sync.Mutex
	turns  map[fleet.Ref][]turnAt
	count  int
	read   [2]int64 // Seq up to which the rows of either event were read
	pruned time.Time
	full   bool // not everything could be kept

	answers map[string]savedAnswer
}

type turnAt struct {
	at int64 // Unix seconds
	on bool
}

// savedAnswer is what was counted, and until when by the wall it stands: reading
// the whole fleet again and again must not cost more than a twentieth of the time.
type savedAnswer struct {
	saved Saved
	until time.Time
}

const savedShare = 20

func (l *ledger) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns, l.count, l.read, l.full, l.answers = nil, 0, [2]int64{}, false, nil
}

// catchUp reads on in the record, for a while; it reports whether there is more to be read.
func (l *ledger) catchUp(ctx context.Context, b *Board, now time.Time) (more bool, err error) {
	if l.turns == nil {
		l.turns = map[fleet.Ref][]turnAt{}
	}
	from := now.AddDate(0, 0, -savedDays-1)
	l.prune(from, now)
	end := b.options.Wall().Add(ledgerBudget)
	for i, event := range [...]store.Event{store.EventStopped, store.EventStarted} {
		for {
			query := store.ActivityQuery{After: l.read[i], Event: event, Limit: ledgerPage}
			if l.read[i] == 0 {
				query.From = from
			}
			rows, err := b.options.Record.Activity(ctx, query)
			if err != nil {
				return false, fmt.Errorf("read what ran from the record: %w", err)
			}
			for j := range rows {
				l.read[i] = rows[j].Seq
				l.add(rows[j].Ref, turnAt{rows[j].At.Unix(), event == store.EventStarted})
			}
			if len(rows) < ledgerPage {
				break
			}
			if b.options.Wall().After(end) {
				return true, nil
			}
		}
	}
	return l.full, nil
}

func (l *ledger) add(ref fleet.Ref, t turnAt) {
	if l.count >= ledgerTurns {
		l.full = true
		return
	}
	turns := l.turns[ref]
	place := len(turns)
	for place > 0 && turns[place-1].at > t.at { // the two kinds of rows are read one after the other
		place--
	}
	l.turns[ref] = slices.Insert(turns, place, t)
	l.count++
}

// prune forgets, once an hour, what is too long ago.
func (l *ledger) prune(from, now time.Time) {
	if since := now.Sub(l.pruned); since >= 0 && since < time.Hour {
		return
	}
	l.pruned = now
	for ref, turns := range l.turns {
		old := 0
		for old < len(turns) && turns[old].at < from.Unix() {
			old++
		}
		l.count -= old
		if turns = slices.Delete(turns, 0, old); len(turns) == 0 {
			delete(l.turns, ref)
		} else {
			l.turns[ref] = turns
		}
	}
}

// saved counts the hours of the last seven days.
func (b *Board) saved(ctx context.Context, s *snapshot, within *fleet.Filter, text string, now time.Time) (Saved, error) {
	zone := b.options.Timezone()
	year, month, day := now.In(zone).Date()
	var bounds [savedDays + 1]int64 // the beginnings of the days, and now
	answer := Saved{Basis: savedBasis, Days: make([]SavedDay, savedDays)}
	for i := range savedDays {
		begin := time.Date(year, month, day-savedDays+1+i, 0, 0, 0, 0, zone)
		answer.Days[i].Date, bounds[i] = begin.Format(time.DateOnly), begin.Unix()
	}
	bounds[savedDays] = now.Unix()
	if b.options.Record == nil {
		return answer, nil
	}
	l := &b.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	began := b.options.Wall()
	if kept, known := l.answers[text]; known && began.Before(kept.until) && kept.saved.Days[savedDays-1].Date == answer.Days[savedDays-1].Date {
		return kept.saved, nil
	}
	var err error
	if answer.Counting, err = l.catchUp(ctx, b, now); err != nil {
		return Saved{}, err
	}
	var on, off [savedDays]int64 // seconds
	money, priced := 0.0, false
	for _, p := range s.shards {
		matched := p.match(within, text)
		for i := range p.rows {
			if !matched.has(i) || !p.governed.has(i) {
				continue
			}
			r := &p.rows[i]
			idle := r.count(l.turns[r.seen.Ref], &bounds, &on, &off)
			if price, known := savings.PerHour(r.seen.Kind, r.seen.Type); known {
				money, priced = money+price*float64(idle)/3600, true
			}
		}
	}
	for i := range answer.Days {
		d := &answer.Days[i]
		d.HoursOn, d.HoursOff = float64(on[i])/3600, float64(off[i])/3600
		answer.HoursOn, answer.HoursOff = answer.HoursOn+d.HoursOn, answer.HoursOff+d.HoursOff
	}
	if priced {
		answer.Money = &money
	}
	if l.answers == nil || len(l.answers) >= overviewsKept {
		l.answers = map[string]savedAnswer{}
	}
	took := b.options.Wall().Sub(began)
	if !answer.Counting {
		l.answers[text] = savedAnswer{answer, b.options.Wall().Add(savedShare * took)}
	}
	return answer, nil
}

// count adds the time of a row to the days, and gives the seconds off.
func (r *row) count(turns []turnAt, bounds *[savedDays + 1]int64, on, off *[savedDays]int64) (idle int64) {
	begin, now := max(bounds[0], r.first.Unix()), bounds[savedDays]
	stopped := r.seen.State == fleet.Stopped || r.seen.State == fleet.Starting
	span := func(from, to int64, runs bool) {
		for i := range savedDays {
			if n := min(to, bounds[i+1]) - max(from, bounds[i]); n > 0 {
				if runs {
					on[i] += n
				} else {
					off[i] += n
					idle += n
				}
			}
		}
	}
	if len(turns) == 0 {
		span(begin, now, !stopped)
		return idle
	}
	// Before the first turn it was the other way round, between two that say the same it ran.
	at, runs := begin, !turns[0].on
	for _, t := range turns {
		span(at, max(at, t.at), runs || !t.on)
		at, runs = max(at, t.at), t.on
	}
	span(at, now, runs || !stopped)
	return idle
}
