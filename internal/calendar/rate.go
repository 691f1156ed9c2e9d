package calendar

import (
	"fmt"
	"strings"
	"time"

	"dayshift/internal/say"
)

var allowedRate = say.F("rate(n minutes), rate(n hours) or rate(n days); with 1 the word is minute, hour or day")

// maxRate bounds the number in a rate: far longer between two fires than any rule lives, in every unit.
const maxRate = 1_000_000

// rate fires at anchor + every, anchor + 2·every and so on, in real time: a day is 24 hours, whatever the clocks do.
type rate struct{ anchor, every int64 }

func (r rate) next(after int64) (int64, bool) {
	at := r.anchor + max(floorDiv(after-r.anchor, r.every)+1, 1)*r.every
	return at, at <= maxInstant
}

// parseRate reads what stands between the parentheses.
func parseRate(text, inner string, anchor time.Time) (string, firing, error) {
	fault := func(problem, hint say.Text) (string, firing, error) {
		return "", nil, &Error{Field: fieldExpression, Text: text, Problem: problem, Allowed: allowedRate, Hint: hint}
	}
	words := strings.FieldsFunc(inner, isBlank)
	if len(words) != 2 {
		return fault(say.F("is not a number and a unit"), say.Text{})
	}
	n, ok := number(words[0])
	switch {
	case !ok:
		return fault(say.F("does not begin with a whole number"), say.Text{})
	case n < 1:
		return fault(say.F("has a rate of 0, which would fire without end"), say.Text{})
	case n > maxRate:
		return fault(say.F("has a number above %d", maxRate), say.Text{})
	}
	unit, plural := strings.CutSuffix(lowerASCII(words[1]), "s")
	seconds := map[string]int64{"minute": 60, "hour": 60 * 60, "day": daySeconds}[unit]
	if seconds == 0 {
		hint := say.Text{}
		switch unit {
		case "second":
			hint = say.F("the shortest rate is a minute")
		case "week":
			hint = say.F("write rate(%d days)", 7*n)
		}
		return fault(say.F("has another unit than minutes, hours and days"), hint)
	}
	canonical := fmt.Sprintf("rate(%d %ss)", n, unit)
	if n == 1 {
		canonical = fmt.Sprintf("rate(1 %s)", unit)
	}
	if plural != (n > 1) {
		return fault(say.F("has the wrong number of %s", unit), say.F("write %s", canonical))
	}
	from := min(max(anchor.Unix(), minInstant), maxInstant)
	return canonical, rate{from, int64(n) * seconds}, nil
}
