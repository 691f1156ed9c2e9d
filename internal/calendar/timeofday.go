package calendar

import (
	"fmt"
	"strings"

	"dayshift/internal/say"
)

// Names of the time fields, as users write them.
const (
	fieldBegin = "begintime"
	fieldEnd   = "endtime"
)

// TimeOfDay is a time on the local clock, in minutes since 00:00; 24:00 (1440) is the end of the day.
type TimeOfDay int

// EndOfDay is 24:00, which only an endtime can be.
const EndOfDay TimeOfDay = 24 * 60

// String prints HH:MM.
func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", int(t)/60, int(t)%60) }

func (t TimeOfDay) seconds() int64 { return int64(t) * 60 }

// ParseTimeOfDay reads H:MM or HH:MM, 00:00-23:59; 24:00 too where the time is an end.
func ParseTimeOfDay(text string, end bool) (TimeOfDay, error) {
	e := &Error{Field: fieldBegin, Text: text, Allowed: say.F("H:MM or HH:MM from 00:00 to 23:59")}
	if end {
		e.Field, e.Allowed = fieldEnd, say.F("%s, and 24:00", e.Allowed)
	}
	if text == "" {
		e.Problem = say.F("is empty")
		return 0, e
	}
	hours, minutes, colon := strings.Cut(text, ":")
	h, okH := number(hours)
	m, okM := number(minutes)
	if !colon || !okH || !okM || len(hours) > 2 || len(minutes) != 2 {
		e.Problem = say.F("is not a time of day")
		return 0, e
	}
	if end && h == 24 && m == 0 {
		return EndOfDay, nil
	}
	if h > 23 || m > 59 {
		e.Problem = say.F("is not on the clock")
		if h == 24 && m == 0 {
			e.Hint = say.F("a day begins at 00:00")
		}
		return 0, e
	}
	return TimeOfDay(h*60 + m), nil
}
