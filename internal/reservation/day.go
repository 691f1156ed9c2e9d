package reservation

import (
	"math"
	"slices"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

const (
	// DayLength is the time within which the limits of a day count. It goes along with the clock: no midnight at which twice
	// as much could be bought within an hour, no zone to choose, and no day of 23 or 25 hours.
	DayLength = 24 * time.Hour
	// DayGrain is the stretch that purchases are counted by, so that a day of small steps stays small. By as much a purchase
	// counts longer at most.
	DayGrain = 10 * time.Minute
)

// Day is what was bought for a reservation within DayLength, in order of time. What
// was given back meanwhile counts, so that nothing is gained by buying and giving
// back in turns. It is kept as JSON, apart from Memory, which ends with the
// reservation.
type Day []Purchase

// Purchase is how many instances were bought in an account within a stretch.
type Purchase struct {
	At      time.Time       `json:"at"` // the begin of the stretch
	Account fleet.AccountID `json:"account"`
	Count   int             `json:"count"`
}

// Bought is a purchase made at an instant.
func Bought(now time.Time, account fleet.AccountID, count int) Purchase {
	return Purchase{now.UTC().Truncate(DayGrain), account, count}
}

// over is when a purchase counts no longer.
func (p Purchase) over() time.Time { return p.At.Add(DayGrain + DayLength) }

// With is the day with one more purchase.
func (d Day) With(p Purchase) Day {
	d = slices.Clone(d)
	at := slices.IndexFunc(d, func(q Purchase) bool { return q.At.Equal(p.At) && q.Account == p.Account })
	if at < 0 {
		d = append(d, p)
		slices.SortStableFunc(d, func(a, b Purchase) int { return a.At.Compare(b.At) })
		return d
	}
	d[at].Count += p.Count
	return d
}

// Without is the day without a purchase that was counted and did not come about.
func (d Day) Without(p Purchase) Day {
	d = slices.Clone(d)
	at := slices.IndexFunc(d, func(q Purchase) bool { return q.At.Equal(p.At) && q.Account == p.Account })
	if at < 0 {
		return d
	}
	if d[at].Count -= p.Count; d[at].Count <= 0 {
		d = slices.Delete(d, at, at+1)
	}
	return d
}

// Kept is what of the day still counts. What lies ahead, because a clock was set
// back, counts as bought now: it is not forgotten, and blocks nothing for longer than a day.
func (d Day) Kept(now time.Time) Day {
	var kept Day
	for _, p := range d {
		switch {
		case p.At.After(now):
			kept = kept.With(Bought(now, p.Account, p.Count))
		case now.Before(p.over()):
			kept = kept.With(p)
		}
	}
	return kept
}

// Sum is how many were bought within the day, in one account or, where none is named, in all.
func (d Day) Sum(now time.Time, account fleet.AccountID) (n int) {
	for _, p := range d {
		if now.Before(p.over()) && (account == "" || p.Account == account) {
			n += p.Count
		}
	}
	return n
}

// Frees is when fewer than a number count in one account or in all, if nothing more is bought.
func (d Day) Frees(now time.Time, account fleet.AccountID, below int) time.Time {
	left := d.Sum(now, account)
	if left < below {
		return now
	}
	sorted := slices.SortedStableFunc(slices.Values(d), func(a, b Purchase) int { return a.At.Compare(b.At) })
	for _, p := range sorted {
		if now.Before(p.over()) && (account == "" || p.Account == account) {
			if left -= p.Count; left < below {
				return p.over()
			}
		}
	}
	return time.Time{} // nothing is ever below nought
}

// Daily is how many may be bought within a day; 0: no limit.
type Daily struct{ All, Account int }

// Most is how many may be bought in an account within a day; 0: any number.
func (l Daily) Most() int {
	if l.All == 0 || l.Account > 0 && l.Account < l.All {
		return l.Account
	}
	return l.All
}

// Left is how many more may be bought in an account now, by all that was bought
// within the day; below nought where more was bought than may be, as after a limit was lowered. limited: there is a limit.
func (l Daily) Left(day Day, now time.Time, account fleet.AccountID) (left int, limited bool) {
	left = math.MaxInt
	if l.All > 0 {
		left = l.All - day.Sum(now, "")
	}
	if l.Account > 0 {
		left = min(left, l.Account-day.Sum(now, account))
	}
	return left, l != Daily{}
}

// Frees is when one more may be bought in an account.
func (l Daily) Frees(day Day, now time.Time, account fleet.AccountID) time.Time {
	at := now
	if l.All > 0 {
		at = day.Frees(now, "", l.All)
	}
	if l.Account > 0 {
		if of := day.Frees(now, account, l.Account); of.After(at) {
			at = of
		}
	}
	return at
}

// words say what was bought, and from when on more may be.
func (l Daily) words(day Day, now time.Time, account fleet.AccountID, zone *time.Location) say.Text {
	var sums []say.Text
	if l.All > 0 {
		sums = append(sums, say.F("%d of the %d allowed within 24 hours in all were bought", day.Sum(now, ""), l.All))
	}
	if l.Account > 0 {
		sums = append(sums, say.F("%d of the %d allowed within 24 hours in the account were bought", day.Sum(now, account), l.Account))
	}
	return say.Clauses(append(sums, say.F("more may be from %s", say.Moment(l.Frees(day, now, account).In(zone))))...)
}
