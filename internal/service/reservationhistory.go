package service

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dayshift/internal/reservation"
	"dayshift/internal/savings"
	"dayshift/internal/store"
)

// ReservationHistory is how a reservation stood over time.
type ReservationHistory struct {
	Name string    `json:"name"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Points are ordered; each holds until the next, the last until it was looked at last. There are none of the time before the reservation was first looked at.
	Points []ReservationPoint `json:"points"`
	// Thinned: there were more changes than points are given; of each stretch stands what was held least of what was wanted. Ask for a shorter time to see all.
	Thinned bool `json:"thinned"`
	// Cost is what was held cost in this time by list price, Unused what of it nobody used, in USD; Unknown: there were types whose price is not in the list, which are not in these sums.
	Cost    float64 `json:"cost"`
	Unused  float64 `json:"unused"`
	Unknown bool    `json:"unknown"`
	Basis   string  `json:"basis"`
}

// ReservationPoint is how a reservation stood from an instant on.
type ReservationPoint struct {
	At     time.Time `json:"at"`
	Wanted int       `json:"wanted"`
	Held   int       `json:"held"`
	Used   int       `json:"used"`
	// Hourly is what was held cost for an hour by list price, in USD.
	Hourly float64             `json:"hourly"`
	Zones  []ReservationInZone `json:"zones"`
}

// ReservationInZone is how many of a type were held and used in a zone.
type ReservationInZone struct {
	Zone string `json:"zone"`
	Type string `json:"type"`
	Held int    `json:"held"`
	Used int    `json:"used"`
}

const (
	// historyDefault is the time that is told of when none is named.
	historyDefault = 7 * 24 * time.Hour
	// maxPoints bounds an answer: as many as a wide screen can show.
	maxPoints = 1_000
)

// ReservationHistory tells how a reservation stood from one instant until another;
// zero: until now, and a week before that. Of one that nobody looked at yet there are no points. *InputError where the
// times are not in order.
func (s *Service) ReservationHistory(ctx context.Context, name string, from, to time.Time) (ReservationHistory, error) {
	now := s.Now()
	if to.IsZero() || to.After(now) {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-historyDefault)
	}
	if !from.Before(to) {
		return ReservationHistory{}, inputErrorF("from is %s, which is not before %s: give an earlier from", stamp(from), stamp(to))
	}
	samples, seen, err := s.samples(ctx, name, to)
	if err != nil {
		return ReservationHistory{}, err
	}
	h := ReservationHistory{Name: name, From: from, To: to, Points: []ReservationPoint{}, Basis: savings.PriceBasis}
	shown := []reservation.Sample{}
	if first, known := reservation.At(samples, from); known {
		first.At = from
		shown = append(shown, first)
	}
	for i := range samples {
		if samples[i].At.After(from) && samples[i].At.Before(to) {
			shown = append(shown, samples[i])
		}
	}
	end := to
	if seen.Before(to) {
		end = seen
	}
	for i := range shown {
		until := end
		if i+1 < len(shown) {
			until = shown[i+1].At
		}
		h.charge(&shown[i], until)
	}
	for _, sample := range thin(shown, from, to) {
		h.Points = append(h.Points, pointOf(&sample))
	}
	h.Thinned = len(h.Points) < len(shown)
	return h, nil
}

// samples are those kept of a reservation that began before an instant, in order, and when it was last looked at.
func (s *Service) samples(ctx context.Context, name string, to time.Time) (list []reservation.Sample, seen time.Time, err error) {
	// The memory first: what it loses to a page meanwhile is then found twice, and never not at all.
	records, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationMemory, Name: name, Limit: 1})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read what is remembered of reservation %s: %w", name, err)
	}
	var m reservation.Memory
	if len(records) > 0 {
		if err := json.Unmarshal(records[0].Data, &m); err != nil {
			return nil, time.Time{}, fmt.Errorf("what is remembered of reservation %s: %w", name, err)
		}
	}
	pages, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationHistory, Prefix: reservation.PagePrefix(name), Before: reservation.PageKey(name, to), Last: true, Limit: reservation.MaxPages})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the history of reservation %s: %w", name, err)
	}
	for i := range pages {
		var page reservation.Page
		if err := json.Unmarshal(pages[i].Data, &page); err != nil {
			return nil, time.Time{}, fmt.Errorf("the history of reservation %s: %w", name, err)
		}
		list = append(list, page.Samples...)
	}
	for i := range m.Samples {
		if n := len(list); n == 0 || m.Samples[i].At.After(list[n-1].At) {
			list = append(list, m.Samples[i])
		}
	}
	return list, m.Seen, nil
}

// charge adds what was held from a sample until an instant.
func (h *ReservationHistory) charge(sample *reservation.Sample, until time.Time) {
	hours := max(0, until.Sub(sample.At).Hours())
	for _, zone := range sample.Zones {
		price, listed := reservation.PerHour(zone.Part.Type)
		h.Unknown = h.Unknown || !listed && zone.Held > 0
		h.Cost += price * float64(zone.Held) * hours
		h.Unused += price * float64(max(0, zone.Held-zone.Used)) * hours
	}
}

func pointOf(sample *reservation.Sample) ReservationPoint {
	p := ReservationPoint{At: sample.At, Wanted: sample.Wanted, Held: sample.Held, Used: sample.Used, Zones: []ReservationInZone{}}
	for _, zone := range sample.Zones {
		price, _ := reservation.PerHour(zone.Part.Type)
		p.Hourly += price * float64(zone.Held)
		p.Zones = append(p.Zones, ReservationInZone{Zone: zone.Part.Zone, Type: zone.Part.Type, Held: zone.Held, Used: zone.Used})
	}
	return p
}

// thin keeps at most maxPoints samples: the first and the last, and of each
// stretch of the time between the one that says most, where most was missing, or else the last one.
func thin(samples []reservation.Sample, from, to time.Time) []reservation.Sample {
	if len(samples) <= maxPoints {
		return samples
	}
	const stretches = maxPoints - 2
	width := max(1, to.Sub(from)/stretches)
	kept := []reservation.Sample{samples[0]}
	last := time.Duration(-1)
	for _, sample := range samples[1 : len(samples)-1] {
		stretch := min(sample.At.Sub(from)/width, stretches-1)
		if stretch != last {
			kept, last = append(kept, sample), stretch
			continue
		}
		if before := &kept[len(kept)-1]; sample.Wanted-sample.Held >= before.Wanted-before.Held {
			*before = sample
		}
	}
	return append(kept, samples[len(samples)-1])
}
