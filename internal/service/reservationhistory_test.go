package service

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"dayshift/internal/reservation"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// stood is a service over the history of the reservation "sale": a page each full one, the rest in the memory.
func stood(t *testing.T, samples []reservation.Sample, seen time.Time) *Service {
	t.Helper()
	s := &Service{Store: memory.New(), Now: func() time.Time { return seen }}
	lease, err := s.Store.Acquire(t.Context(), "leader", "test", seen, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	save := func(kind store.RecordKind, name string, of any) {
		data, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Store.SaveRecords(t.Context(), lease, []store.Record{{Kind: kind, Name: name, Data: data, Changed: seen}}); err != nil {
			t.Fatal(err)
		}
	}
	m := &reservation.Memory{Seen: seen, Held: []reservation.Held{}}
	for _, sample := range samples {
		m.Samples = append(m.Samples, sample)
		if page, full := m.Turn("sale"); full {
			save(store.ReservationHistory, reservation.PageKey("sale", page.Samples[0].At), page)
		}
	}
	save(store.ReservationMemory, "sale", m)
	save(store.ReservationHistory, reservation.PageKey("another", monday), reservation.Page{Name: "another", Samples: []reservation.Sample{{At: monday, Held: 999}}})
	return s
}

func sampleAt(at time.Time, wanted, held, used int) reservation.Sample {
	part := reservation.Part{Zone: "ap-northeast-1c", Type: "r5b.2xlarge"}
	return reservation.Sample{At: at, Wanted: wanted, Held: held, Used: used, Zones: []reservation.ZoneSample{{Part: part, Held: held, Used: used}}}
}

// TestReservationHistory: what was kept of a time is told with what stood at its begin, and what it cost and nobody used.
func TestReservationHistory(t *testing.T) {
	var samples []reservation.Sample
	for i := range 200 { // an hour each: 10 and 20 held in turn, 5 used
		samples = append(samples, sampleAt(monday.Add(time.Duration(i)*time.Hour), 20, 10+10*(i%2), 5))
	}
	seen := monday.Add(200 * time.Hour)
	s := stood(t, samples, seen)
	price, _ := reservation.PerHour("r5b.2xlarge")

	h, err := s.ReservationHistory(t.Context(), "sale", monday.Add(90*time.Minute), monday.Add(4*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Points) != 3 || !h.Points[0].At.Equal(h.From) || h.Points[0].Held != 20 || h.Points[1].Held != 10 || h.Points[2].Used != 5 || h.Thinned || h.Unknown {
		t.Errorf("%+v", h)
	}
	// Half an hour of 20, one of 10, one of 20.
	if cost, unused := 40*price, (40-2.5*5)*price; math.Abs(h.Cost-cost) > 1e-9 || math.Abs(h.Unused-unused) > 1e-9 {
		t.Errorf("%g, %g of it unused; expected %g, %g", h.Cost, h.Unused, cost, unused)
	}
	if z := h.Points[0].Zones; len(z) != 1 || z[0].Zone != "ap-northeast-1c" || z[0].Held != 20 || math.Abs(h.Points[0].Hourly-20*price) > 1e-9 {
		t.Errorf("%+v", h.Points[0])
	}

	h, err = s.ReservationHistory(t.Context(), "sale", time.Time{}, time.Time{})
	if err != nil || len(h.Points) != 7*24 || !h.To.Equal(seen) || !h.From.Equal(seen.Add(-7*24*time.Hour)) {
		t.Errorf("%d points from %s to %s, %v", len(h.Points), h.From, h.To, err)
	}
	if h, err = s.ReservationHistory(t.Context(), "sale", monday.Add(-time.Hour), monday); err != nil || len(h.Points) != 0 || h.Cost != 0 {
		t.Errorf("before it was first looked at: %+v, %v", h, err)
	}
	if h, err = s.ReservationHistory(t.Context(), "nobody", time.Time{}, time.Time{}); err != nil || len(h.Points) != 0 {
		t.Errorf("of another: %+v, %v", h, err)
	}
	if _, err := s.ReservationHistory(t.Context(), "sale", seen, monday); err == nil {
		t.Error("times that are not in order were taken")
	} else if _, is := errors.AsType[*InputError](err); !is {
		t.Errorf("%v", err)
	}
}

// TestReservationHistoryIsThinned: an answer is bounded, and the shortest shortage is still in it.
func TestReservationHistoryIsThinned(t *testing.T) {
	var samples []reservation.Sample
	for i := range 5_000 {
		samples = append(samples, sampleAt(monday.Add(time.Duration(i)*time.Minute), 20, 20, i%3))
	}
	samples[3_333].Held = 1
	s := stood(t, samples, monday.Add(5_000*time.Minute))
	h, err := s.ReservationHistory(t.Context(), "sale", monday, time.Time{})
	if err != nil || len(h.Points) > maxPoints || len(h.Points) < maxPoints/2 || !h.Thinned {
		t.Fatalf("%d points, thinned: %t, %v", len(h.Points), h.Thinned, err)
	}
	if !slices.ContainsFunc(h.Points, func(p ReservationPoint) bool { return p.Held == 1 && p.At.Equal(samples[3_333].At) }) {
		t.Error("the shortage is not in it")
	}
	if !slices.IsSortedFunc(h.Points, func(a, b ReservationPoint) int { return a.At.Compare(b.At) }) {
		t.Error("it is not in order")
	}
}
