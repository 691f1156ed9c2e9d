package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SlipKind names a kind of slip.
type SlipKind string

// The kinds of slips.
const (
	// ChatRequestSlip says that a request of a chat system was taken, see service.Gate.
	ChatRequestSlip SlipKind = "chat-request"
	// ChatCommandSlip is a command that waits for its confirmation, see package chatbot.
	ChatCommandSlip SlipKind = "chat-command"
)

// Slip is something small that all processes have to know for minutes.
type Slip struct {
	Kind SlipKind
	Name string // unique in its kind
	Data string // not empty, at most MaxSlip bytes
	// Until is when it is over: from then on it is as if it were not there.
	Until time.Time
}

// MaxSlip bounds the Data of a slip, in bytes: room for a command and what goes with it.
const MaxSlip = 16 << 10

// Slips keep what is good for minutes. What is written depends on what stands there, so that of several processes one has it.
// No lease guards them, and no row of the record goes with them.
type Slips interface {
	// PutSlip keeps the slip in the place of held, which is the Data that the caller found there; empty: none. ErrConflict
	// where something else stands there. Slips of its kind that are over at now are dropped with it. ErrFull, and nothing is
	// kept, where then as many as limit are there and it takes the place of none.
	PutSlip(ctx context.Context, slip Slip, held string, now time.Time, limit int) error
	// Slip returns one that is not over at now, or ErrNotFound.
	Slip(ctx context.Context, kind SlipKind, name string, now time.Time) (Slip, error)
	// TakeSlip deletes the slip with that Data: of several callers one does. ErrConflict where there is none.
	TakeSlip(ctx context.Context, kind SlipKind, name, held string) error
}

// CleanSlip returns the slip as it is to be stored. What can not be kept as it is, is refused: it is compared later.
func CleanSlip(slip Slip, now time.Time, limit int) (Slip, error) {
	slip.Until = Instant(slip.Until)
	err := checkSlip(slip.Kind, slip.Name)
	switch {
	case err != nil:
		return Slip{}, err
	case slip.Data == "" || len(slip.Data) > MaxSlip || slip.Data != Text(slip.Data):
		return Slip{}, fmt.Errorf("%s %q: its data is UTF-8 without NUL, of 1 to %d bytes", slip.Kind, slip.Name, MaxSlip)
	case !slip.Until.After(Instant(now)):
		return Slip{}, fmt.Errorf("%s %q: it is over before it is kept", slip.Kind, slip.Name)
	case limit < 1:
		return Slip{}, fmt.Errorf("%s %q: %d can not be kept; at least 1", slip.Kind, slip.Name, limit)
	}
	return slip, checkInstant(slip.Until)
}

func checkSlip(kind SlipKind, name string) error {
	switch {
	case kind == "" || name == "":
		return errors.New("a slip needs a kind and a name")
	case kind != Text(kind) || name != Text(name):
		return fmt.Errorf("%s %q: kind and name are UTF-8 without NUL", kind, name)
	case len(kind) > MaxName || len(name) > MaxName:
		return fmt.Errorf("%.100s %.100q…: kind and name are %d and %d bytes long, at most %d are allowed", kind, name, len(kind), len(name), MaxName)
	}
	return nil
}

// Settle decides what PutSlip answers, for every engine alike, in the same
// transaction in which there was read: the Data that stands there once what is
// over was dropped, empty where there is none, and how many are left of its kind.
func (s Slip) Settle(there, held string, left, limit int) error {
	switch {
	case there != held:
		return fmt.Errorf("%s %q: %w", s.Kind, s.Name, ErrConflict)
	case there == "" && left >= limit:
		return fmt.Errorf("%s %q: %d are kept, which is as many as may be: %w", s.Kind, s.Name, left, ErrFull)
	}
	return nil
}
