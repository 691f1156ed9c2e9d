package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"dayshift/internal/clock"
)

// stepping is a clock that stands still but for those who wait: a sleep moves
// it on and returns at once, a call moves it on by a round trip. Hours pass in
// a second, to the nanosecond alike in every run. Where two wait at the same
// time, their waits add up instead of running side by side, which can only
// make what is measured look slower.
type stepping struct {
	mu  sync.Mutex
	now time.Time
}

// Now implements clock.Clock.
func (s *stepping) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Sleep implements clock.Clock.
func (s *stepping) Sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(max(0, d))
	return nil
}

// set moves the clock to an instant.
func (s *stepping) set(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// roundTrip is how long a call to AWS takes in virtual time: half on the way
// there and half on the way back.
const roundTrip = 300 * time.Millisecond

// distant is a transport at some distance, in virtual time.
type distant struct {
	clock clock.Clock
	to    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d distant) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := d.clock.Sleep(r.Context(), roundTrip/2); err != nil {
		return nil, err
	}
	response, err := d.to.RoundTrip(r)
	if err := d.clock.Sleep(r.Context(), roundTrip/2); err != nil {
		return nil, err
	}
	return response, err
}
