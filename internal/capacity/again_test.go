package capacity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
)

// TestARepetitionProvesNothing: a purchase went through and its answer was lost, and the listing lags behind. That its
// repetition is turned away, or is the one that goes through after minutes in vain, is no leave to buy anew.
func TestARepetitionProvesNothing(t *testing.T) {
	lost := func(_ string, after bool) error {
		if after {
			return fmt.Errorf("%w: time-out", cloud.ErrTransient)
		}
		return nil
	}
	with := func(err error) func(string, bool) error {
		return func(_ string, after bool) error {
			if after {
				return nil
			}
			return err
		}
	}
	late := []func(string, bool) error{}
	for range 11 { // every 15 seconds, nearly for as long as a listing may lag behind
		late = append(late, with(fmt.Errorf("%w: time-out", cloud.ErrTransient)))
	}
	for name, answers := range map[string][]func(string, bool) error{
		"called too often":        {lost, with(cloud.ErrThrottled), with(cloud.ErrThrottled)},
		"not authorized any more": {lost, with(cloud.ErrUnauthorized), with(cloud.ErrCredentials)},
		"other words":             {lost, with(cloud.ErrInvalid), with(cloud.ErrInvalid)},
		"gone through late":       append(late, lost),
	} {
		for first, count := range map[string]int{"buy": 10, "modify": 20} {
			t.Run(first+" "+name, func(t *testing.T) {
				w := newWorld(t)
				w.lag = time.Minute
				w.room[zoneC] = 100
				r := sale()
				w.most = func(string) int { return r.Count }
				if first == "modify" {
					r.Count = 10
					w.run(defaults, r)
					w.pass(5 * time.Minute)
				}
				r.Count = count
				left := answers
				w.contact = func(what string, after bool) error {
					if !strings.HasPrefix(what, first) || len(left) == 0 {
						return nil
					}
					err := left[0](what, after)
					if err != nil || after {
						left = left[1:]
					}
					return err
				}
				for range 40 {
					if _, err := w.look(defaults, r).Run(context.Background()); err != nil {
						t.Fatal(err)
					}
					w.pass(15 * time.Second)
				}
				if len(left) > 0 || w.total("sale") != count {
					t.Errorf("%d answers are left, and %d are held of %d\n%s", len(left), w.total("sale"), count, strings.Join(w.calls, "\n"))
				}
				if len(w.held) > 1 {
					t.Errorf("%d Capacity Reservations\n%s", len(w.held), strings.Join(w.calls, "\n"))
				}
			})
		}
	}
}

// TestNothingIsToldThatCannotBeWrittenDown: while the store takes nothing, people are not told the same at every look; what the
// look finds once it does is told once.
func TestNothingIsToldThatCannotBeWrittenDown(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.run(defaults, sale())
	w.said()
	delete(w.held, "cr-1") // by somebody else
	w.contact = func(what string, _ bool) error {
		if what == "store save" {
			return errors.New("read-only")
		}
		return nil
	}
	for range 3 {
		w.pass(time.Minute)
		w.run(defaults, sale())
	}
	if got := w.said(); got != nil {
		t.Errorf("told %v", got)
	}
	w.contact = nil
	for range 3 {
		w.pass(time.Minute)
		w.run(defaults, sale())
	}
	if got := w.said(); !slices.Contains(got, notify.ReservationFailed) || len(got) > 2 {
		t.Errorf("told %v", got)
	}
}
