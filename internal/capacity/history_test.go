package capacity

import (
	"encoding/json"
	"testing"
	"time"

	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// samples gives what is stored of how a reservation stood: its pages in order, then what its memory carries.
func (w *world) samples(name string) (all []reservation.Sample, pages int) {
	w.t.Helper()
	from, until := store.RecordQuery{Prefix: reservation.PagePrefix(name)}.Range()
	keys := w.records[store.ReservationHistory]
	for at := range keys {
		if at < from || at >= until {
			w.t.Errorf("page %s is of another reservation", at)
		}
	}
	list, err := w.Records(w.t.Context(), store.RecordQuery{Kind: store.ReservationHistory, Prefix: reservation.PagePrefix(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range list {
		var page reservation.Page
		if err := json.Unmarshal(list[i].Data, &page); err != nil || page.Name != name {
			w.t.Fatalf("%s: %v", list[i].Data, err)
		}
		if got := reservation.PageKey(name, page.Samples[0].At); got != list[i].Name {
			w.t.Errorf("page %s is kept as %s", got, list[i].Name)
		}
		all = append(all, page.Samples...)
	}
	var m reservation.Memory
	if err := json.Unmarshal(w.memory(name), &m); err != nil {
		w.t.Fatal(err)
	}
	if len(m.Samples) > reservation.MaxSamples {
		w.t.Errorf("a memory carries %d samples", len(m.Samples))
	}
	return append(all, m.Samples...), len(list)
}

// TestHistory: every change of what is wanted, held or used is kept for 90 days, in order, once; a reservation that is over takes it along.
func TestHistory(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 1_000
	r := sale()
	r.To = friday.Add(200 * 24 * time.Hour)
	const changes = 300
	begin := w.now
	for i := range changes {
		r.Count = 10 + i%2
		w.run(defaults, r)
		w.run(defaults, r) // nothing is another one: no sample
		w.pass(5 * time.Minute)
	}
	all, pages := w.samples("sale")
	if len(all) != changes || pages != 4 {
		t.Fatalf("%d samples on %d pages", len(all), pages)
	}
	for i := range all {
		if at := begin.Add(time.Duration(i) * 5 * time.Minute); !all[i].At.Equal(at) || all[i].Held != 10+i%2 || all[i].Wanted != all[i].Held || all[i].Zones[0].Part != zoneC {
			t.Fatalf("sample %d: %+v, expected at %s", i, all[i], at)
		}
	}
	if s, known := reservation.At(all, begin.Add(7*time.Minute)); !known || s.Held != 11 {
		t.Errorf("%+v", s)
	}
	if _, known := reservation.At(all, begin.Add(-time.Second)); known {
		t.Error("something is known of before the first sample")
	}

	w.pass(reservation.HistoryKept)
	for i := range reservation.MaxSamples {
		r.Count = 20 + i%2
		w.run(defaults, r)
		w.pass(5 * time.Minute)
	}
	if all, pages = w.samples("sale"); pages != 2 || len(all) >= changes || all[0].At.Before(begin) {
		t.Errorf("%d samples on %d pages after 90 days", len(all), pages)
	}
	w.run(defaults)
	if n := len(w.records[store.ReservationHistory]); n != 0 || w.memory("sale") != nil {
		t.Errorf("%d pages are left of a reservation that is no more", n)
	}
}
