package calendar

import (
	"errors"
	"strconv"
	"strings"

	"dayshift/internal/say"
	"dayshift/internal/typo"
)

// Error is one fault in what a user wrote. It carries its parts, so that a configuration loader can find the
// place (Period, Field, Text) and add line and column, and a page can show the remedy beside the field.
type Error struct {
	// Schedule and Period name the object at fault; either may be empty where a value is parsed on its own.
	Schedule, Period string
	// Field is the key as the user writes it: weekdays, begintime, timezone, periods …
	Field string
	// Text is the faulty text as written: one atom of a day field, one item of a list.
	Text string
	// Problem says what is wrong with the text, as the end of the sentence "TEXT …".
	Problem say.Text
	// Allowed says what the field takes.
	Allowed say.Text
	// Hint is the next step where there is one: the nearest known name, another way to write it.
	Hint say.Text
}

// shownText bounds how much of a faulty text a message repeats.
const shownText = 80

// Error implements error: in English.
func (e *Error) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *Error) Said() say.Text {
	text := e.Problem
	if e.Text != "" {
		text = say.F("%q %s", cut(e.Text), text)
	}
	if !e.Allowed.Empty() {
		text = say.Clauses(text, say.F("allowed: %s", e.Allowed))
	}
	text = say.Clauses(text, e.Hint)
	if e.Field != "" {
		text = say.F("%s: %s", e.Field, text)
	}
	if e.Period != "" {
		text = say.F("period %s: %s", quote(e.Period), text)
	}
	if e.Schedule != "" {
		text = say.F("schedule %s: %s", quote(e.Schedule), text)
	}
	return text
}

func quote(s string) string { return strconv.Quote(cut(s)) }

// cut bounds a text that a message repeats.
func cut(s string) string {
	if len(s) > shownText {
		s = strings.ToValidUTF8(s[:shownText], "") + "…"
	}
	return s
}

// Faults returns every single fault in an error of this package, in the order in which it was found. An error of
// another origin gives none.
func Faults(err error) []*Error {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand: errors.As would stop at the first fault
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, sub := range e.Unwrap() {
			all = append(all, Faults(sub)...)
		}
		return all
	default:
		return Faults(errors.Unwrap(err))
	}
}

// faults collects what is wrong with one object, so that a user sees all of it at once.
type faults struct {
	schedule, period string
	errs             []error
}

func (f *faults) add(err error) {
	if err == nil {
		return
	}
	for _, e := range Faults(err) {
		named := *e
		if named.Schedule == "" {
			named.Schedule = f.schedule
		}
		if named.Period == "" {
			named.Period = f.period
		}
		f.errs = append(f.errs, &named)
	}
}

func (f *faults) err() error { return errors.Join(f.errs...) }

// maxNames bounds how many known names an error lists.
const maxNames = 8

// suggest words the known names nearest to a mistyped one, or nothing when none is near.
func suggest(text string, known []string) say.Text {
	const most = 2 // typing slips: with three, short names all resemble each other
	if len(text) > maxText {
		return say.Text{}
	}
	best, names := most+1, []string(nil)
	for _, name := range known {
		d := typo.Slips(strings.ToLower(text), strings.ToLower(name), most)
		// Where most of the letters are wrong, it is another word and not a typing slip.
		if d*2 > len(name) {
			continue
		}
		if d < best {
			best, names = d, names[:0]
		}
		if d == best && d <= most && len(names) < maxNames {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return say.Text{}
	}
	return say.F("did you mean %s?", list(names))
}

// list words names as "a", "b" or "c".
func list(names []string) say.Text {
	quoted := make([]say.Text, len(names))
	for i, name := range names {
		quoted[i] = say.Raw(quote(name))
	}
	last := len(quoted) - 1
	if last < 1 {
		return say.List(quoted...)
	}
	return say.F("%s or %s", say.List(quoted[:last]...), quoted[last])
}
