// Package queue is the contract between the program and a queue of messages.
//
// What it guarantees: a message that was sent is handed out at least once, in no
// particular order, and again when nobody deletes it before its time is over.
// What it expects: whoever receives does its work and then deletes, and does no
// harm when it gets a message twice.
//
// The contract is examined by queuetest.Exercise, which every implementation
// calls from its own tests.
package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bounds that every implementation keeps; they are those of SQS.
const (
	// MaxBatch is the most messages in one call.
	MaxBatch = 10
	// MaxBody is the longest body of a message, in bytes. SQS takes a megabyte by
	// now, but a batch of ten has to fit in one as well.
	MaxBody = 96 << 10
	// MaxWait is the longest that a Receive waits for a message to come.
	MaxWait = 20 * time.Second
	// MaxHidden is the longest that a message can be kept from others.
	MaxHidden = 12 * time.Hour
)

// Message is a message that was received.
type Message struct {
	ID   string // the same at every reception
	Body string
	// Receipt stands for this reception: only the latest one of a message is good.
	Receipt string
	// Sent is when the queue took the message, UTC, to the millisecond.
	Sent time.Time
	// Receptions counts this one and those before it, as well as the queue knows.
	Receptions int
}

// Sender puts messages into a queue.
type Sender interface {
	// Send puts one message for each body, 1 to MaxBatch of them, each of 1 to
	// MaxBody bytes of the characters of XML 1.0. nil means that all are in the
	// queue for good; a *PartialError names those that are not.
	Send(ctx context.Context, bodies ...string) error
}

// Receiver takes messages out of a queue.
type Receiver interface {
	// Receive hands out up to MaxBatch messages and hides them from others for
	// the time that the queue is set to. Where there is none it waits for the
	// first one, at most wait (0 … MaxWait, larger ones count as MaxWait), and
	// returns nothing and no error when none came.
	Receive(ctx context.Context, wait time.Duration) ([]Message, error)
	// Extend hides messages for d (0 … MaxHidden) from now on; 0 hands them out
	// again at once. 1 to MaxBatch of them.
	Extend(ctx context.Context, messages []Message, d time.Duration) error
	// Delete ends messages for good, 1 to MaxBatch of them. One that is gone
	// already is deleted.
	Delete(ctx context.Context, messages []Message) error
}

// Inspector tells how a queue is, without taking anything out of it.
type Inspector interface {
	Inspect(ctx context.Context) (Depth, error)
}

// Depth is how full a queue is, as well as the queue itself knows.
type Depth struct {
	Waiting int // to be received
	Hidden  int // received and not deleted yet
}

// Queue is everything an implementation offers.
type Queue interface {
	Sender
	Receiver
	Inspector
}

// The errors of the contract. An implementation wraps them around what the
// service said.
var (
	ErrNoQueue     = errors.New("no such queue")
	ErrRefused     = errors.New("not authorized")        // the credentials or the queue's policy do not allow it
	ErrUnavailable = errors.New("temporary failure")     // the same call may go through later
	ErrInvalid     = errors.New("refused as invalid")    // a bound of the contract was not kept, or the service calls it wrong
	ErrStale       = errors.New("received again by now") // the receipt of a message is not its latest one, or the message is gone
)

// PartialError says which members of a batch failed; the others went well.
type PartialError struct {
	Failed []int // positions in the batch, ascending, never empty
	Err    error // wraps one of the errors above
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("%d of the batch: %v", len(e.Failed), e.Err)
}

func (e *PartialError) Unwrap() error { return e.Err }

// CheckBatch refuses batches outside the bounds.
func CheckBatch(n int) error {
	if n < 1 || n > MaxBatch {
		return fmt.Errorf("%d messages in one call: 1 to %d are possible: %w", n, MaxBatch, ErrInvalid)
	}
	return nil
}

// CheckBodies refuses bodies that cannot be sent.
func CheckBodies(bodies []string) error {
	if err := CheckBatch(len(bodies)); err != nil {
		return err
	}
	for i, body := range bodies {
		if len(body) < 1 || len(body) > MaxBody {
			return fmt.Errorf("message %d of %d has %d bytes: 1 to %d are possible: %w", i+1, len(bodies), len(body), MaxBody, ErrInvalid)
		}
		for _, r := range body {
			if !sendable(r) {
				return fmt.Errorf("message %d of %d holds the character %U, which no queue takes: %w", i+1, len(bodies), r, ErrInvalid)
			}
		}
	}
	return nil
}

// sendable tells the characters of XML 1.0, which are those that SQS takes. The
// replacement character also stands for bytes that are no UTF-8.
func sendable(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r < 0xfffd || r >= 0x10000 && r <= 0x10ffff
}

// CheckHidden refuses times outside the bounds.
func CheckHidden(d time.Duration) error {
	if d < 0 || d > MaxHidden {
		return fmt.Errorf("hide messages for %s: 0s to %s are possible: %w", d, MaxHidden, ErrInvalid)
	}
	return nil
}
