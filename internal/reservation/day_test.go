package reservation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

const (
	one fleet.AccountID = "111122223333"
	two fleet.AccountID = "444455556666"
)

// TestFault6_16ADayIs24Hours: on the nights in which clocks are changed, too, whatever a place calls a day.
func TestFault6_16ADayIs24Hours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, evening := range []time.Time{
		time.Date(2027, 3, 27, 23, 50, 0, 0, berlin), time.Date(2027, 10, 30, 23, 50, 0, 0, berlin), time.Date(2027, 6, 1, 23, 50, 0, 0, berlin),
	} {
		limit := Daily{All: 10}
		day := Day(nil).With(Bought(evening, one, 10))
		for after, want := range map[time.Duration]int{0: 0, 10 * time.Minute: 0, 23*time.Hour + 59*time.Minute: 0, DayLength + DayGrain - time.Nanosecond: 0, DayLength + DayGrain: 10} {
			if left, limited := limit.Left(day, evening.Add(after), one); left != want || !limited {
				t.Errorf("%s and %s: %d are left, want %d", evening, after, left, want)
			}
		}
		if frees := limit.Frees(day, evening, one); !frees.Equal(evening.Add(DayLength + DayGrain)) {
			t.Errorf("%s: there is room again at %s", evening, frees)
		}
	}
}

// TestDaily: the tighter limit counts, what was bought elsewhere counts in all, and a limit that was lowered leaves less than nothing.
func TestDaily(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 7, 0, 0, time.UTC)
	day := Day(nil).With(Bought(now.Add(-5*time.Hour), one, 6)).With(Bought(now.Add(-2*time.Hour), two, 9)).With(Bought(now, one, 2))
	first, second := time.Date(2026, 11, 27, 4, 10, 0, 0, time.UTC), time.Date(2026, 11, 27, 7, 10, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		limit Daily
		left  int
		frees time.Time
	}{
		"in all":                 {Daily{All: 20}, 3, now},
		"in the account":         {Daily{Account: 10}, 2, now},
		"the tighter one":        {Daily{All: 18, Account: 100}, 1, now},
		"none left":              {Daily{All: 17}, 0, first},
		"lowered":                {Daily{All: 9}, -8, second},
		"the account until then": {Daily{All: 17, Account: 8}, 0, first},
	} {
		left, limited := c.limit.Left(day, now, one)
		if frees := c.limit.Frees(day, now, one); left != c.left || !limited || !frees.Equal(c.frees) {
			t.Errorf("%s: %d left, one more at %s; want %d at %s", name, left, frees, c.left, c.frees)
		}
	}
	if _, limited := (Daily{}).Left(day, now, one); limited {
		t.Error("without a limit there is one")
	}
}

// TestDayLaws: what is counted is counted until its day is over, whatever is pruned when; what is taken back leaves what was there.
func TestDayLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
		var day Day
		var all []Purchase
		for range rapid.IntRange(1, 30).Draw(t, "purchases") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "minutes")) * time.Minute)
			p := Bought(now, rapid.SampledFrom([]fleet.AccountID{one, two}).Draw(t, "account"), rapid.IntRange(1, 20).Draw(t, "count"))
			if rapid.Bool().Draw(t, "taken back") {
				if diff := cmp.Diff(day.Kept(now), day.With(p).Without(p).Kept(now)); diff != "" {
					t.Fatalf("(-before +after):\n%s", diff)
				}
			} else {
				day, all = day.With(p), append(all, p)
			}
			if rapid.Bool().Draw(t, "pruned") {
				day = day.Kept(now)
			}
			for _, account := range []fleet.AccountID{"", one, two} {
				want := 0
				for _, p := range all {
					if now.Sub(p.At) < DayLength+DayGrain && (account == "" || p.Account == account) {
						want += p.Count
					}
				}
				got := day.Sum(now, account)
				if got != want {
					t.Fatalf("at %s in %q: %d, want %d", now, account, got, want)
				}
				if got == 0 {
					continue
				}
				limit := rapid.IntRange(1, got).Draw(t, "limit")
				at := day.Frees(now, account, limit)
				if day.Sum(at.Add(-time.Nanosecond), account) < limit || day.Sum(at, account) >= limit {
					t.Fatalf("at %s fewer than %d count since %s: %v", now, limit, at, day)
				}
			}
		}
	})
}
