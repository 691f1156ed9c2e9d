package calendar

import (
	"fmt"
	"time"

	"dayshift/internal/say"
)

// Date is a date of the calendar by itself, without a zone: days since 1970-01-01.
type Date int64

// The dates that can be written: years 1 to 9999.
const (
	minDate Date = minInstant / daySeconds
	maxDate Date = (maxInstant+1)/daySeconds - 1
)

// DateOf gives the date of a year, a month (1-12) and a day. A day beyond the month's length counts on into the next one.
func DateOf(year, month, day int) Date { return Date(daysOf(year, month, 1)) + Date(day-1) }

// ParseDate reads YYYY-MM-DD, years 0001 to 9999.
func ParseDate(text string) (Date, error) {
	e := &Error{Field: fieldDate, Text: text, Problem: say.F("is not a date"), Allowed: say.F("YYYY-MM-DD, such as 2027-02-05")}
	if text == "" {
		e.Problem = say.F("is empty")
		return 0, e
	}
	year, okY := digits(text, 0, 4)
	mon, okM := digits(text, 5, 2)
	day, okD := digits(text, 8, 2)
	if len(text) != len(time.DateOnly) || !okY || !okM || !okD || text[4] != '-' || text[7] != '-' || year == 0 {
		return 0, e
	}
	if mon < 1 || mon > 12 || day < 1 || day > monthOf(year, mon).days {
		e.Problem = say.F("is not in the calendar")
		return 0, e
	}
	return DateOf(year, mon, day), nil
}

// digits reads n digits of a text from a place on.
func digits(text string, from, n int) (value int, ok bool) {
	if from+n > len(text) {
		return 0, false
	}
	for _, c := range []byte(text[from : from+n]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		value = value*10 + int(c-'0')
	}
	return value, true
}

// String prints YYYY-MM-DD.
func (d Date) String() string {
	year, mon, day := dateOf(int64(d))
	return fmt.Sprintf("%04d-%02d-%02d", year, mon, day)
}

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Year is the date's year.
func (d Date) Year() int {
	year, _, _ := dateOf(int64(d))
	return year
}

// Weekday is the date's day of the week, 0 = Monday.
func (d Date) Weekday() int { return weekdayOf(int64(d)) }

// At is the instant of a time of the date on the clock of a zone: the first at which it shows that time or a later one.
func (d Date) At(t TimeOfDay, loc *time.Location) time.Time {
	return time.Unix(localInstant(loc, int64(d)*daySeconds+t.seconds()), 0).In(loc)
}

// DateAt is the date that the clock of a zone shows at an instant.
func DateAt(t time.Time, loc *time.Location) Date {
	year, mon, day := t.In(loc).Date()
	return DateOf(year, int(mon), day)
}
