package calendar

import (
	"strings"
	"time"

	"dayshift/internal/say"
)

var allowedAt = say.F("at(yyyy-mm-ddThh:mm:ss), a local time of the rule's zone in the years 1970 … 2199")

// once fires at one instant, in Unix seconds.
type once int64

func (o once) next(after int64) (int64, bool) { return int64(o), int64(o) > after }

// parseAt reads what stands between the parentheses.
func parseAt(text, inner string, zone *time.Location) (string, firing, error) {
	fault := func(problem, hint say.Text) (string, firing, error) {
		return "", nil, &Error{Field: fieldExpression, Text: text, Problem: problem, Allowed: allowedAt, Hint: hint}
	}
	const shape = "dddd-dd-ddTdd:dd:dd"
	s := upperASCII(trimBlank(inner))
	if len(s) > len(shape) && strings.ContainsAny(s[len(shape):], "Z+-") && shaped(s[:len(shape)], shape) {
		return fault(say.F("carries a zone"), say.F("leave it out: the time is read in the rule's timezone"))
	}
	if !shaped(s, shape) {
		return fault(say.F("is not a date and a time"), say.Text{})
	}
	part := func(from, to int) int {
		n, _ := number(s[from:to]) // its shape is checked
		return n
	}
	year, mon, day := part(0, 4), part(5, 7), part(8, 10)
	hour, minute, second := part(11, 13), part(14, 16), part(17, 19)
	switch {
	case year < firstYear || year > lastYear:
		return fault(say.F("is outside the years %d … %d", firstYear, lastYear), say.Text{})
	case mon < 1 || mon > 12 || day < 1 || day > monthOf(year, mon).days:
		return fault(say.F("is on a date that does not exist"), say.Text{})
	case hour == 24:
		return fault(say.F("is not on the clock"), say.F("a day begins at 00:00:00"))
	case hour > 23 || minute > 59 || second > 59:
		return fault(say.F("is not on the clock"), say.Text{})
	}
	local := daysOf(year, mon, day)*daySeconds + int64(hour*60*60+minute*60+second)
	return "at(" + s + ")", once(localInstant(zone, local)), nil
}

// shaped reports whether a text is as long as a shape and has a digit wherever it has a d, and else the same.
func shaped(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := range len(s) {
		digit := '0' <= s[i] && s[i] <= '9'
		if shape[i] == 'd' && !digit || shape[i] != 'd' && s[i] != shape[i] {
			return false
		}
	}
	return true
}
