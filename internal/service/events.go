package service

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"dayshift/internal/fleet"
)

// The types of events.
const (
	EventPass      = "pass"      // a pass is over, or has decided what it does
	EventActivity  = "activity"  // a row of the record was written
	EventConfig    = "config"    // another configuration is in force, or one was refused, or waits for a person
	EventResources = "resources" // some resources are not as they were
)

// Event is something that happened, for whoever follows along.
type Event struct {
	ID   string          `json:"id"` // to go on from
	Type string          `json:"type"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
	// Refs are the resources that it is about, for whoever may see some of them alone; none: it is about no single one.
	Refs []fleet.Ref `json:"-"`
}

// EventsKept is how many events are kept for whoever comes back after a break:
// minutes of a lively fleet.
const EventsKept = 1024

// maxEventData bounds the data of one event: a client reads it on one line.
const maxEventData = 64 << 10

// Events hands out what happens to any number of followers. It keeps the last
// EventsKept in memory; a follower that is slower than that is told so and never
// holds anybody back. The zero Events is ready.
type Events struct {
	mu        sync.Mutex
	boot      string // tells the IDs of this process from those of another
	kept      [EventsKept]Event
	next      uint64 // number of the next event, from 1
	wake      chan struct{}
	followers int
}

func (e *Events) begin() {
	if e.wake == nil {
		var random [4]byte
		_, _ = rand.Read(random[:]) // it never fails
		e.boot, e.next, e.wake = hex.EncodeToString(random[:]), 1, make(chan struct{})
	}
}

// Publish hands out an event. data is what JSON makes of it, at most 64 KB; what
// is larger or can not be encoded is handed out without data.
func (e *Events) Publish(kind string, at time.Time, data any, refs ...fleet.Ref) {
	text, err := json.Marshal(data)
	if err != nil || len(text) > maxEventData {
		text = json.RawMessage("{}")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begin()
	e.kept[e.next%EventsKept] = Event{ID: e.id(e.next), Type: kind, At: at.UTC(), Data: text, Refs: refs}
	e.next++
	close(e.wake)
	e.wake = make(chan struct{})
}

func (e *Events) id(number uint64) string { return fmt.Sprintf("%s-%d", e.boot, number) }

// Followers is how many follow now.
func (e *Events) Followers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.followers
}

// Subscription is one follower. It is used by one goroutine and given back with Close.
type Subscription struct {
	events *Events
	next   uint64
	missed bool
	closed bool
}

// Subscribe follows what happens after the event with an ID; empty: from now on.
// An ID that is not known any more, or of another process, is answered with
// missed at the first Next.
func (e *Events) Subscribe(after string) *Subscription {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begin()
	e.followers++
	s := &Subscription{events: e, next: e.next}
	if after == "" {
		return s
	}
	boot, number, _ := strings.Cut(after, "-")
	seen, err := strconv.ParseUint(number, 10, 64)
	if err != nil || boot != e.boot || seen >= e.next {
		s.missed = true
		return s
	}
	s.next = seen + 1
	return s
}

// Next waits for what happens and returns it, oldest first. missed: some that
// came before were not kept long enough, so whatever is known from events has to
// be asked for anew. The error is that of ctx.
func (s *Subscription) Next(ctx context.Context) (events []Event, missed bool, err error) {
	for {
		wake := s.take(&events, &missed)
		if len(events) > 0 || missed {
			return events, missed, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

func (s *Subscription) take(events *[]Event, missed *bool) <-chan struct{} {
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := uint64(1)
	if e.next > EventsKept {
		oldest = e.next - EventsKept
	}
	if s.next < oldest {
		s.next, s.missed = oldest, true
	}
	for ; s.next < e.next; s.next++ {
		*events = append(*events, e.kept[s.next%EventsKept])
	}
	*missed, s.missed = s.missed, false
	return e.wake
}

// Close ends the following. A second Close is no error.
func (s *Subscription) Close() {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.events.followers--
	}
}
