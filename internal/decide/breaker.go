package decide

import (
	"time"
)

// Trouble is why a scope as a whole can not be seen. What concerns one kind of
// resource, or one call, is none.
type Trouble string

// The troubles.
const (
	NoTrouble      Trouble = ""
	NoCredentials  Trouble = "credentials"     // no role, a wrong external ID, expired keys
	RegionDisabled Trouble = "region-disabled" // the account has not opted in to the region
	NotAuthorized  Trouble = "unauthorized"    // no kind may be listed
	NoAnswer       Trouble = "no-answer"       // time-outs, failures of the service, no way there
)

// Breaker counts how often in a row a scope could not be seen, and says when
// to look again: soon at first, because most failures pass, then at growing
// gaps, so that a dead scope costs next to nothing. The zero Breaker is closed.
// It knows no clock: every instant is given to it.
type Breaker struct {
	Trouble Trouble   `json:"trouble,omitempty"`
	Why     string    `json:"why,omitempty"` // in words, of the last look
	Fails   int       `json:"fails,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of the first failure in a row, UTC
	Next    time.Time `json:"next,omitzero"`  // when to look again
}

const (
	// breakerTrips is the failure in a row, of one kind, with which the quarantine begins.
	breakerTrips = 5
	// doubtFirst is the gap after a first failure, which doubles until the quarantine begins.
	doubtFirst = 15 * time.Second
	// quarantineFirst and quarantineMost bound the gaps in quarantine, which double.
	quarantineFirst = time.Minute
	quarantineMost  = 30 * time.Minute
	// whyBound is how many bytes of the reason are kept.
	whyBound = 500
)

// Failed is the breaker after a look at now that failed. most bounds the gap,
// because everything is looked at that often anyway; 0: nothing does.
func (b Breaker) Failed(trouble Trouble, why string, now time.Time, most time.Duration) Breaker {
	now = now.UTC().Round(0)
	if b.Trouble != trouble {
		b = Breaker{Trouble: trouble, Since: now}
	}
	b.Fails++
	if len(why) > whyBound {
		why = why[:whyBound]
	}
	b.Why = why
	gap := doubtFirst << min(b.Fails-1, breakerTrips)
	if past := b.Fails - b.trips(); past >= 0 {
		gap = min(quarantineFirst<<min(past, 10), quarantineMost)
	}
	if most > 0 {
		gap = min(gap, most)
	}
	b.Next = now.Add(gap)
	return b
}

// Quarantined reports whether the scope has failed so often in a row that it is
// asked at growing gaps alone.
func (b Breaker) Quarantined() bool { return b.Trouble != NoTrouble && b.Fails >= b.trips() }

// trips is the failure with which the quarantine begins: at once for a region
// that is off, which no wait turns on.
func (b Breaker) trips() int {
	if b.Trouble == RegionDisabled {
		return 1
	}
	return breakerTrips
}
