package capacity

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// pastDays is what was bought within the day for reservations that are not looked after any more, by name.
type pastDays map[string]pastDay

type pastDay struct {
	day     reservation.Day
	changed bool // it is stored otherwise
}

func (p pastDays) days() (all reservation.Day) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		all = append(all, p[name].day...)
	}
	return all
}

// readDays reads what was bought within the day. What can not be read counts as
// the most that a reservation can hold, bought when it was written.
func (l *Look) readDays(ctx context.Context, works map[string]*work) error {
	records, err := l.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationDay, Limit: maxMemories})
	if err != nil {
		return fmt.Errorf("read what was bought within the day: %w", err)
	}
	now := l.Clock.Now()
	l.past = pastDays{}
	for i := range records {
		name, w := records[i].Name, works[records[i].Name]
		if w != nil && w.Scope == (fleet.Scope{}) { // it is at fault, see gather
			w = nil
		}
		var stored reservation.Day
		if err := json.Unmarshal(records[i].Data, &stored); err != nil {
			l.Log.WarnContext(ctx, "what was bought within the day can not be read and counts as much", slog.String("reservation", name), slog.Any("error", err))
			lost := reservation.Purchase{At: records[i].Changed, Count: reservation.MaxCount}
			if w != nil {
				lost.Account = w.Scope.Account
			}
			stored = reservation.Day{lost}
		}
		day := stored.Kept(now)
		if w != nil {
			w.day, w.savedDay = day, records[i].Data
			continue
		}
		l.past[name] = pastDay{day, !slices.EqualFunc(day, stored, same)}
	}
	return nil
}

func same(a, b reservation.Purchase) bool {
	return a.At.Equal(b.At) && a.Account == b.Account && a.Count == b.Count
}

// forget drops what no longer counts of reservations that are not looked after any more.
func (l *Look) forget(ctx context.Context) error {
	if l.DryRun {
		return nil
	}
	var records []store.Record
	for _, name := range slices.Sorted(maps.Keys(l.past)) {
		if past := l.past[name]; past.changed {
			record, err := dayRecord(name, past.day, l.Clock.Now())
			if err != nil {
				return err
			}
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := l.Store.SaveRecords(ctx, l.Lease(), records); err != nil {
		return fmt.Errorf("drop what was bought before the last day: %w", err)
	}
	return nil
}

// dayRecord is a day as it is kept; one without purchases is dropped.
func dayRecord(name string, day reservation.Day, now time.Time) (store.Record, error) {
	record := store.Record{Kind: store.ReservationDay, Name: name, Changed: now}
	if len(day) == 0 {
		return record, nil
	}
	data, err := json.Marshal(day)
	if err != nil {
		return store.Record{}, fmt.Errorf("encode what was bought for %s within the day: %w", name, err)
	}
	record.Data = data
	return record, nil
}

// count counts the purchase that is about to be made, once: one that is repeated
// was counted when it was first begun, unless it is repeated in another account.
func (w *work) count(now time.Time) reservation.Purchase {
	it := w.memory.Intent
	if it.Do.Spends() && it.Counted.Account != w.Scope.Account {
		it.Counted = reservation.Bought(now, w.Scope.Account, it.By)
		w.day = w.day.With(it.Counted)
	}
	return it.Counted
}
