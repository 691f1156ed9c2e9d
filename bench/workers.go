package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// worker is a goroutine of a program that gives each id to the next that is free.
type worker struct {
	number  int
	at      time.Time // when it sends its next call
	ids     []string  // of that call
	tries   int       // of that call so far
	release func(error) error
}

// before is the order in which they send.
func (w *worker) before(o *worker) int {
	return cmp.Or(w.at.Compare(o.at), cmp.Compare(w.number, o.number))
}

// standardRetryer is the SDK's own with its defaults: three tries, and a quota of
// 500 tokens of which each retry costs five. Only the chance in its pauses is
// replaced, by numbers that are the same in every run.
func standardRetryer() *retry.Standard {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			most := min(time.Second<<attempt, retry.DefaultMaxBackoff)
			return time.Duration(random.Float64() * float64(most)), nil
		})
	})
}

// goroutines sends one id in each call from n goroutines that share a client of
// the SDK with its standard retryer. Their waits run side by side: instead of
// running them, whoever sends first is served first.
func goroutines(n int) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		retryer := standardRetryer()
		began := s.clock.Now()
		var busy []*worker
		next := func(w *worker) bool {
			if len(s.ids) == 0 {
				return false
			}
			w.ids, w.tries, w.release = s.ids[:1], 0, func(error) error { return nil }
			s.ids = s.ids[1:]
			return true
		}
		for number := range n {
			if w := (&worker{number: number, at: began}); next(w) {
				busy = append(busy, w)
			}
		}
		for len(busy) > 0 {
			w := slices.MinFunc(busy, (*worker).before)
			again, err := s.attempt(ctx, retryer, w)
			if err != nil {
				return err
			}
			if !again && !next(w) {
				busy = slices.DeleteFunc(busy, func(o *worker) bool { return o == w })
			}
		}
		return nil
	}
}

// attempt makes the next try of a worker's call, in the steps of the SDK's retry
// middleware, and moves the worker to where it goes on: with the same call, or with another.
func (s *site) attempt(ctx context.Context, retryer *retry.Standard, w *worker) (again bool, err error) {
	kept, err := retryer.GetAttemptToken(ctx)
	if err != nil {
		return false, err
	}
	w.tries++
	s.clock.set(w.at.Add(roundTrip / 2))
	answer := s.send(ctx, s.near, w.ids)
	w.at = w.at.Add(roundTrip)
	if err := refused(answer); err != nil {
		return false, err
	}
	for _, release := range []func(error) error{w.release, kept} {
		if err := release(answer); err != nil {
			return false, err
		}
	}
	if answer == nil || !retryer.IsErrorRetryable(answer) || w.tries >= retryer.MaxAttempts() {
		return false, nil
	}
	if w.release, err = retryer.GetRetryToken(ctx, answer); err != nil {
		return false, nil //nolint:nilerr // the quota is used up: the SDK gives the call up
	}
	pause, err := retryer.RetryDelay(w.tries, answer)
	w.at = w.at.Add(pause)
	return true, err
}
