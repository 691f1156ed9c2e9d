package reservation

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

const (
	// MaxSamples bounds the samples that a memory carries, which is written at every step; those before are pages of their own.
	MaxSamples = 64
	// HistoryKept is how long pages are kept.
	HistoryKept = 90 * 24 * time.Hour
	// MaxPages is how many pages there can be of HistoryKept, where every look is a sample: one each 5 minutes, with as
	// much again for steps and people in between.
	MaxPages = 2 * int(HistoryKept/(5*time.Minute)) / (MaxSamples - 1)
)

// Page is samples that a memory no longer carries.
type Page struct {
	Name    string   `json:"name"` // of the reservation
	Samples []Sample `json:"samples"`
}

// Turn takes a full page out of the memory; false: it is not full yet. The last
// sample stays, by which the next one is told from it.
func (m *Memory) Turn(name string) (Page, bool) {
	full := len(m.Samples) - 1
	if full < MaxSamples-1 {
		return Page{}, false
	}
	page := Page{Name: name, Samples: slices.Clone(m.Samples[:full])}
	m.Samples = slices.Clone(m.Samples[full:])
	return page, true
}

// PagePrefix begins the keys of all pages of a reservation and of no other, whatever is in its name.
func PagePrefix(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16]) + "@"
}

// PageKey is the key of the page whose first sample is of an instant: keys sort by time.
func PageKey(name string, first time.Time) string {
	return PagePrefix(name) + first.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// At is how things stood at an instant, by samples in order; false: nothing is known of then.
func At(samples []Sample, at time.Time) (Sample, bool) {
	i, found := slices.BinarySearchFunc(samples, at, func(s Sample, at time.Time) int { return s.At.Compare(at) })
	if !found {
		i--
	}
	if i < 0 {
		return Sample{}, false
	}
	return samples[i], true
}
