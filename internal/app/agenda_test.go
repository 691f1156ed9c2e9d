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

// The look at a boundary takes the place of a resync where those before it fit in
// evenly, never more than an eighth further apart.
func TestResyncsAreSpreadUpToTheNextBoundary(t *testing.T) {
	for name, test := range map[string]struct{ left, want time.Duration }{
		"nothing is due":                       {0, time.Hour},
		"it was due":                           {-time.Minute, time.Hour},
		"before the resync":                    {40 * time.Minute, time.Hour},
		"at the resync":                        {time.Hour, time.Hour},
		"shortly after it":                     {66 * time.Minute, 66 * time.Minute},
		"too long after it":                    {70 * time.Minute, time.Hour},
		"one less of them fits in":             {8*time.Hour + 20*time.Minute, 62*time.Minute + 30*time.Second},
		"one less would be too far apart":      {5*time.Hour + 50*time.Minute, time.Hour},
		"the last possible":                    {9 * time.Hour, 67*time.Minute + 30*time.Second},
		"in a week, of which there are twenty": {168 * time.Hour, 67*time.Minute + 12*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spread(time.Hour, test.left); got != test.want {
				t.Errorf("the resync is made after %s, want %s", got, test.want)
			}
		})
	}
	if got := spread(12*time.Hour, 12*time.Hour+9*time.Minute); got != 12*time.Hour {
		t.Errorf("a resync is put off by more than eight minutes: made after %s", got)
	}
	if got := spread(5*time.Minute, 1<<62); got < 5*time.Minute || got > 5*time.Minute+5*time.Minute/stretch {
		t.Errorf("with nothing due for a century: %s", got)
	}
}

// From one boundary to the next looks are as many as the interval makes them at
// most, and none falls out.
func TestAgendaLooksEvenlyFromBoundaryToBoundary(t *testing.T) {
	now := time.Date(2027, 2, 5, 9, 0, 40, 0, time.UTC)
	evening := time.Date(2027, 2, 5, 18, 0, 0, 0, time.UTC)
	a := newAgenda(time.Hour, 1)
	a.set([]fleet.Scope{seoul}, time.Hour, now)
	a.take(now)
	a.done(seoul, evening, now)
	looks, last := 0, now
	for at := now; ; {
		got, nap := a.take(at)
		if len(got.scopes) == 0 {
			at = at.Add(nap)
			continue
		}
		looks++
		if gap := at.Sub(last); gap > time.Hour+time.Hour/stretch {
			t.Errorf("%s between two looks", gap)
		}
		if got.trigger == triggerBoundary {
			if !at.Equal(evening) {
				t.Errorf("the boundary was met at %s", at)
			}
			break
		}
		last = at
		a.done(seoul, evening, at.Add(2*time.Second))
	}
	if looks != 8 {
		t.Errorf("%d looks until the evening, want 8", looks)
	}
}
