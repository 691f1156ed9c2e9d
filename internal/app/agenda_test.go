package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
)

var (
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	beijing = fleet.Scope{Account: "444455556666", Region: "cn-north-1"}
)

func TestAgendaGivesAScopeToOnePassAtATime(t *testing.T) {
	now := time.Date(2027, 2, 5, 8, 59, 0, 0, time.UTC)
	a := newAgenda(5*time.Minute, 1)
	a.set([]fleet.Scope{beijing, seoul}, 5*time.Minute, now)

	first, _ := a.take(now)
	if diff := cmp.Diff([]fleet.Scope{seoul, beijing}, first.scopes); diff != "" || first.trigger != triggerStart {
		t.Fatalf("the first round is every scope for the start, got %+v\n%s", first, diff)
	}
	if again, _ := a.take(now.Add(time.Second)); len(again.scopes) != 0 {
		t.Fatalf("busy scopes were given out again: %v", again.scopes)
	}

	nine := now.Add(time.Minute)
	a.done(seoul, nine, now.Add(time.Second))
	a.take(now.Add(20 * time.Second))
	if early, nap := a.take(now.Add(40 * time.Second)); len(early.scopes) != 0 || nap != 20*time.Second {
		t.Fatalf("20 s before the boundary: got %v, nap %s", early.scopes, nap)
	}
	boundary, _ := a.take(nine)
	if diff := cmp.Diff([]fleet.Scope{seoul}, boundary.scopes); diff != "" || boundary.trigger != triggerBoundary || !boundary.due.Equal(nine) {
		t.Fatalf("at the boundary: %+v", boundary)
	}
}

func TestAgendaResyncsWhereNothingIsDue(t *testing.T) {
	now := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)
	a := newAgenda(5*time.Minute, 1)
	a.set([]fleet.Scope{seoul}, 5*time.Minute, now)
	a.take(now)
	a.done(seoul, time.Time{}, now)
	for at := now; at.Before(now.Add(5 * time.Minute)); {
		got, nap := a.take(at)
		if len(got.scopes) != 0 {
			t.Fatalf("%s after the pass: given out too early", at.Sub(now))
		}
		if nap > maxNap {
			t.Fatalf("nap of %s: the wall clock would not be read for longer than %s", nap, maxNap)
		}
		at = at.Add(nap)
	}
	if got, _ := a.take(now.Add(5 * time.Minute)); got.trigger != triggerResync {
		t.Fatalf("after the interval: %+v, want a resync", got)
	}
}

func TestAgendaNoticesAClockThatJumped(t *testing.T) {
	for name, by := range map[string]time.Duration{"an hour forward": time.Hour, "an hour back": -time.Hour, "a year forward": 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)
			a := newAgenda(5*time.Minute, 1)
			a.set([]fleet.Scope{seoul}, 5*time.Minute, now)
			a.take(now)
			a.done(seoul, now.Add(9*time.Hour), now)
			a.take(now)
			got, _ := a.take(now.Add(by))
			if len(got.scopes) != 1 || got.trigger != triggerClock {
				t.Fatalf("the jump was not noticed: %+v", got)
			}
			a.done(seoul, now.Add(by).Add(9*time.Hour), now.Add(by))
			if again, _ := a.take(now.Add(by)); len(again.scopes) != 0 {
				t.Fatal("one jump made two passes")
			}
		})
	}
}

func TestAgendaKeepsAReloadThatCameDuringAPass(t *testing.T) {
	now := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)
	a := newAgenda(5*time.Minute, 1)
	a.set([]fleet.Scope{seoul, beijing}, 5*time.Minute, now)
	a.take(now)
	a.set([]fleet.Scope{seoul}, time.Minute, now.Add(time.Second)) // beijing left the configuration
	a.done(seoul, now.Add(time.Hour), now.Add(2*time.Second))
	a.done(beijing, now.Add(time.Hour), now.Add(2*time.Second))
	got, _ := a.take(now.Add(2 * time.Second))
	if diff := cmp.Diff([]fleet.Scope{seoul}, got.scopes); diff != "" {
		t.Fatalf("after the pass the new configuration takes effect:\n%s", diff)
	}
}
