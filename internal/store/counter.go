package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Counter is what was counted under a name in its newest window, and when it
// was touched last. Both are zero for a name that nobody counted or touched.
type Counter struct {
	Name    string
	Window  time.Time // when the window began
	Count   int64
	Touched time.Time
}

// Counters count exactly, across all processes that share a store.
type Counters interface {
	// Take adds n to what was counted under the name in the window, or what is
	// left of limit where that is less, and returns what it added: what all
	// processes were granted together is never more than the limit. A window is
	// known by its beginning. Of each name the two newest are kept; in one before
	// them nothing is granted. A Take without an answer may have counted.
	Take(ctx context.Context, name string, window time.Time, n, limit int64) (granted int64, err error)
	// Touch notes that the name was used at an instant; the latest counts.
	Touch(ctx context.Context, name string, at time.Time) error
	// Counted returns the counters of the names, in their order.
	Counted(ctx context.Context, names []string) ([]Counter, error)
}

// Window is one window of a counter.
type Window struct {
	Start time.Time
	Count int64
}

// windowsKept of each name: the present one, and the one before for a process
// whose clock is behind.
const windowsKept = 2

// Tally decides what Take grants, for every engine alike, in the same
// transaction in which held was read: the windows as stored, the newest first.
// kept is what is to be stored instead; where nothing is granted nothing changes.
func Tally(held []Window, start time.Time, n, limit int64) (granted int64, kept []Window) {
	at, found := slices.BinarySearchFunc(held, start, func(w Window, start time.Time) int { return start.Compare(w.Start) })
	if !found && at >= windowsKept {
		return 0, held
	}
	var counted int64
	if found {
		counted = held[at].Count
	}
	if granted = min(n, limit-counted); granted <= 0 {
		return 0, held
	}
	kept = slices.Clone(held)
	if !found {
		kept = slices.Insert(kept, at, Window{Start: start})
	}
	kept[at].Count += granted
	return granted, kept[:min(len(kept), windowsKept)]
}

// CleanTake checks what Take is asked and returns the window as it is stored.
func CleanTake(name string, window time.Time, n, limit int64) (time.Time, error) {
	window = Instant(window)
	switch err := cmp.Or(checkCounter(name), checkInstant(window)); {
	case err != nil:
		return time.Time{}, err
	case n < 1:
		return time.Time{}, fmt.Errorf("counter %q: %d can not be taken; at least 1", name, n)
	case limit < 0:
		return time.Time{}, fmt.Errorf("counter %q: its limit is %d; at least 0", name, limit)
	}
	return window, nil
}

// CleanTouch checks what Touch is asked and returns the instant as it is stored.
func CleanTouch(name string, at time.Time) (time.Time, error) {
	at = Instant(at)
	if at.IsZero() {
		return time.Time{}, fmt.Errorf("counter %q: it needs the time at which it was touched", name)
	}
	return at, cmp.Or(checkCounter(name), checkInstant(at))
}

func checkCounter(name string) error {
	switch {
	case name == "":
		return errors.New("a counter needs a name")
	case name != Text(name):
		return fmt.Errorf("counter %q: a name is UTF-8 without NUL", name)
	case len(name) > MaxName:
		return fmt.Errorf("counter %.100q…: its name is %d bytes long, at most %d are allowed", name, len(name), MaxName)
	}
	return nil
}
