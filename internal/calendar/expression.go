package calendar

import (
	"iter"
	"strings"
	"time"

	"dayshift/internal/say"
)

// ExpressionKind tells the forms of a rule's expression apart, in the word that is shown to people.
type ExpressionKind string

// The forms of an expression.
const (
	KindCron     ExpressionKind = "cron"      // EventBridge's: cron(min hour day month weekday year)
	KindUnixCron ExpressionKind = "unix-cron" // five fields: min hour day month weekday
	KindRate     ExpressionKind = "rate"      // rate(n minutes|hours|days)
	KindAt       ExpressionKind = "at"        // at(yyyy-mm-ddThh:mm:ss)
)

const fieldExpression = "expression"

var allowedExpressions = say.F("cron(min hour day month weekday year), rate(5 minutes), at(2027-02-05T09:00:00), " +
	"or the five fields of Unix cron")

// Expression says when a rule fires. It is made by ParseExpression, never changes, and any number of goroutines may
// ask it at once.
type Expression struct {
	kind   ExpressionKind
	text   string
	zone   *time.Location
	firing firing
}

// firing finds the first fire later than an instant; both in Unix seconds.
type firing interface {
	next(after int64) (at int64, ok bool)
}

// ParseExpression reads a rule's expression. Its local times are of the zone; nil is UTC. The anchor is the instant from
// which a rate is counted, in whole seconds, and means nothing to the other kinds. The error holds a *Error for each
// fault. An expression that no date in 1970-2199 can satisfy is one; years that are over are none.
func ParseExpression(text string, zone *time.Location, anchor time.Time) (*Expression, error) {
	if zone == nil {
		zone = time.UTC
	}
	e := &Expression{zone: zone}
	fault := func(problem, hint say.Text) error {
		return &Error{Field: fieldExpression, Text: text, Problem: problem, Allowed: allowedExpressions, Hint: hint}
	}
	s := trimBlank(text)
	switch {
	case s == "":
		return nil, fault(say.F("is empty"), say.Text{})
	case len(s) > maxText:
		return nil, fault(say.F("is %d bytes long, more than %d", len(s), maxText), say.Text{})
	}
	word, inner, wrapped := strings.Cut(s, "(")
	if wrapped {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, ")"); !closed {
			return nil, fault(say.F("does not end in )"), say.Text{})
		}
	}
	var err error
	switch {
	case !wrapped:
		e.kind = KindUnixCron
		e.text, e.firing, err = parseUnixCron(s, zone, fault)
	case strings.EqualFold(word, "cron"):
		e.kind = KindCron
		e.text, e.firing, err = parseEventCron(inner, zone, fault)
	case strings.EqualFold(word, "rate"):
		e.kind = KindRate
		e.text, e.firing, err = parseRate(text, inner, anchor)
	case strings.EqualFold(word, "at"):
		e.kind = KindAt
		e.text, e.firing, err = parseAt(text, inner, zone)
	default:
		return nil, fault(say.F("is none of the known forms"), say.Text{})
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Kind tells the form of the expression.
func (e *Expression) Kind() ExpressionKind { return e.kind }

// Location gives the zone of the expression's local times.
func (e *Expression) Location() *time.Location { return e.zone }

// String prints the expression in its canonical spelling, as its author would recognise it: single blanks, names in
// capitals, days of the week and months by name, no leading zeros. Parsing it gives the same expression.
func (e *Expression) String() string { return e.text }

// Next finds the first fire later than an instant, in UTC and on a whole second. Its work is bounded, some microseconds
// for the rarest of expressions; false means that there is none, as after the last of the years or the one at().
func (e *Expression) Next(after time.Time) (time.Time, bool) {
	sec := after.Unix()
	if sec >= maxInstant {
		return time.Time{}, false
	}
	at, ok := e.firing.next(max(sec, minInstant))
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(at, 0).UTC(), true
}

// Fires gives every fire in (from, to], in order, in UTC. No two are the same instant.
func (e *Expression) Fires(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for {
			at, ok := e.Next(from)
			if !ok || at.After(to) || !yield(at) {
				return
			}
			from = at
		}
	}
}
