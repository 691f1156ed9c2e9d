package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// beatVersion is of the form of a Beat.
const beatVersion = 1

// Beat is a sign of life of the process that acts, as JSON. It goes to monitors of others' makes, so it tells nothing of
// the fleet and names no machine.
type Beat struct {
	Version int       `json:"version"` // beatVersion; fields may be added to it
	Program string    `json:"program"` // "dayshift" and its version
	At      time.Time `json:"at"`      // by the clock of the process
	Every   int       `json:"every"`   // in how many seconds the next one comes
	Term    int64     `json:"term"`    // of the lease that the process holds: another one, when another process has taken over
	Started time.Time `json:"started"` // when the process began
	// LastPass is when its last pass was over; absent before the first one.
	LastPass time.Time `json:"last_pass,omitzero"`
}

// NewBeat is the sign of life of a program at an instant; the next one comes after every.
func NewBeat(program string, at time.Time, every time.Duration) Beat {
	return Beat{Version: beatVersion, Program: program, At: at.UTC(), Every: int(every / time.Second)}
}

// maxBeat bounds what is read of a sign of life, in bytes.
const maxBeat = 4 << 10

// parseBeat reads a sign of life.
func parseBeat(text []byte) (Beat, error) {
	var b Beat
	if err := json.Unmarshal(text, &b); err != nil {
		return Beat{}, fmt.Errorf("read the sign of life: %w", err)
	}
	switch {
	case b.Version != beatVersion:
		return Beat{}, fmt.Errorf("the sign of life has the form %d, this program reads %d", b.Version, beatVersion)
	case b.Program == "" || b.At.IsZero() || b.Every < 0:
		return Beat{}, errors.New("the sign of life does not tell its program and time")
	}
	return b, nil
}
