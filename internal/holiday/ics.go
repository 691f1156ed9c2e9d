package holiday

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

// Bounds of a file.
const (
	// MaxBytes is the largest file that is read; a country's holidays of ten years have some 100 KB.
	MaxBytes = 1 << 20
	// maxLine bounds a line, its continuations included. The parser's memory for one grows with its square.
	maxLine = 16 << 10
	// maxNesting bounds components within components, which are read recursively. Calendars need 3.
	maxNesting = 8
	// maxDates bounds what the events stand for together: a hundred dates a year over the whole reach.
	maxDates = 20_000
	// maxEventDays is how long one event may last.
	maxEventDays = 366
	// maxWork bounds the work for the recurrences of a file, in that for one yearly rule that never comes (29 February in
	// common years): such a rule is walked to the year 9999, in some 20 ms, and nothing tells it from others beforehand.
	maxWork = 100
	// maxInterval bounds the distance of a recurrence.
	maxInterval = 1000
	// maxRuleText bounds the text of a recurrence; its lists are gone through for every day.
	maxRuleText = 128
)

// The years of which dates are taken. Recurrences without an end have to end somewhere; outside, a calendar says that it
// does not cover the year.
const (
	FirstYear = 2000
	LastYear  = 2060
)

// Day is a date of a calendar.
type Day struct {
	Dated
	// MakeUp: a working day, not a day off.
	MakeUp bool
	// As is the weekday that a make-up day counts as, mon to sun, where the event's SUMMARY names one; else empty.
	As string
}

// Parse reads the text of an iCalendar file into its dates, in order, each once.
//
// Every event stands for the dates that it touches on its own clock: an all-day event for its dates, one with times from
// the date it begins on to the date it ends on. Times in UTC are read on the clock that the file names (X-WR-TIMEZONE),
// else in zone. Recurrences (RRULE, RDATE, EXDATE, moved instances) are written out from FirstYear to LastYear. Cancelled
// events count for nothing.
//
// An event whose SUMMARY or CATEGORIES match makeUp is a make-up working day; nil: none is. Where two events say both of
// one date, the make-up day counts, as the more particular word. What the SUMMARY of a make-up day says of a weekday becomes
// its As, see countsAs.
func Parse(data []byte, zone *time.Location, makeUp *regexp.Regexp) ([]Day, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	if err := bounded(data); err != nil {
		return nil, err
	}
	cal, err := ics.ParseCalendarWithOptions(bytes.NewReader(data), ics.WithUnknownPropertyHandler(ics.AcceptUnknownPropertyHandler))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCalendar, err)
	}
	r := reader{zone: zone, days: map[string]Day{}}
	for _, p := range cal.CalendarProperties {
		if p.IANAToken == "X-WR-TIMEZONE" {
			if loc, err := time.LoadLocation(p.Value); err == nil && p.Value != "" && p.Value != "Local" {
				r.zone = loc
			}
		}
	}
	events := cal.Events()
	r.moved = map[string]bool{}
	for _, e := range events {
		if id := e.GetProperty(ics.ComponentPropertyRecurrenceId); id != nil {
			at, err := r.stamp(id.BaseProperty)
			if err != nil {
				return nil, named(e, err)
			}
			r.moved[instance(e, at)] = true
		}
	}
	if err := affordable(events); err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := r.event(e, makeUp); err != nil {
			return nil, named(e, err)
		}
	}
	days := make([]Day, 0, len(r.days))
	for _, d := range r.days {
		days = append(days, d)
	}
	slices.SortFunc(days, func(a, b Day) int { return strings.Compare(a.Date, b.Date) })
	return days, nil
}

// byteOrderMark is what some editors put before a text in UTF-8.
var byteOrderMark = []byte("\uFEFF")

// errNoCalendar is the fault of a text that is no iCalendar file at all.
var errNoCalendar = errors.New("not an iCalendar file")

// eventError is the fault of one event.
type eventError struct {
	name string // how the file names it, quoted
	err  error
}

func (e *eventError) Error() string { return fmt.Sprintf("the event %s: %v", e.name, e.err) }

func (e *eventError) Unwrap() error { return e.err }

// bounded refuses what the parser could not read in reasonable time and memory.
func bounded(data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("the file is larger than %d MB", MaxBytes>>20)
	}
	length, nesting := 0, 0
	for line := range bytes.Lines(data) {
		if line[0] != ' ' && line[0] != '\t' {
			length = 0
		}
		if length += len(line); length > maxLine {
			return fmt.Errorf("a line with its continuations is longer than %d bytes", maxLine)
		}
		switch name, _, _ := bytes.Cut(line, []byte(":")); {
		case bytes.EqualFold(name, []byte("BEGIN")):
			nesting++
		case bytes.EqualFold(name, []byte("END")):
			nesting--
		}
		if nesting > maxNesting {
			return fmt.Errorf("components are nested more than %d deep", maxNesting)
		}
	}
	return nil
}

// named says which event is at fault.
func named(e *ics.VEvent, err error) error {
	const shown = 80 // bytes
	name := "without a SUMMARY"
	if p := e.GetProperty(ics.ComponentPropertySummary); p != nil {
		name = strconv.Quote(strings.ToValidUTF8(p.Value[:min(len(p.Value), shown)], ""))
	}
	return &eventError{name, err}
}

// instance names one instance of a recurring event.
func instance(e *ics.VEvent, at stamp) string {
	return e.Id() + "\x00" + at.Format(time.DateTime)
}

// stamp is a date or an instant on the clock of its event.
type stamp struct {
	time.Time
	allDay bool
}

type reader struct {
	zone  *time.Location
	moved map[string]bool // instances that an event of their own stands for
	days  map[string]Day
}

// stamp reads the value of a property.
func (r *reader) stamp(p ics.BaseProperty) (stamp, error) { return r.at(p, p.Value) }

// at reads a date, a local time or an instant in UTC. A time zone that only the file itself knows is taken as a local
// clock, which is enough to know the date.
func (r *reader) at(p ics.BaseProperty, text string) (stamp, error) {
	loc := time.UTC
	if id := p.ICalParameters["TZID"]; len(id) == 1 && id[0] != "" && id[0] != "Local" {
		if known, err := time.LoadLocation(id[0]); err == nil {
			loc = known
		}
	}
	if day, err := time.Parse("20060102", text); err == nil {
		return stamp{day, true}, nil
	}
	if at, err := time.Parse("20060102T150405Z", text); err == nil {
		return stamp{at.In(r.zone), false}, nil
	}
	at, err := time.ParseInLocation("20060102T150405", text, loc)
	if err != nil {
		return stamp{}, fmt.Errorf("%s: %q is neither a date nor a time", p.IANAToken, text)
	}
	return stamp{at, false}, nil
}

// list reads every stamp of the properties of a name; of a period (start/end) the start.
func (r *reader) list(e *ics.VEvent, name ics.ComponentProperty) ([]stamp, error) {
	var all []stamp
	for _, p := range e.Properties {
		if p.IANAToken != string(name) {
			continue
		}
		for text := range strings.SplitSeq(p.Value, ",") {
			start, _, _ := strings.Cut(strings.TrimSpace(text), "/")
			at, err := r.at(p.BaseProperty, start)
			if err != nil {
				return nil, err
			}
			if all = append(all, at); len(all) > maxDates {
				return nil, fmt.Errorf("%s has more than %d dates", name, maxDates)
			}
		}
	}
	return all, nil
}

// event adds the dates of an event.
func (r *reader) event(e *ics.VEvent, makeUp *regexp.Regexp) error {
	if p := e.GetProperty(ics.ComponentPropertyStatus); p != nil && strings.EqualFold(p.Value, "CANCELLED") {
		return nil
	}
	p := e.GetProperty(ics.ComponentPropertyDtStart)
	if p == nil {
		return errors.New("it has no DTSTART")
	}
	start, err := r.stamp(p.BaseProperty)
	if err != nil {
		return err
	}
	extra, err := r.length(e, start)
	if err != nil {
		return err
	}
	starts, err := r.starts(e, start)
	if err != nil {
		return err
	}
	d, summary := Day{}, ""
	if p := e.GetProperty(ics.ComponentPropertySummary); p != nil {
		d.Name = strings.ToValidUTF8(strings.TrimSpace(p.Value), "\uFFFD")
		d.MakeUp = makeUp != nil && makeUp.MatchString(p.Value)
		summary = p.Value
	}
	for _, p := range e.Properties {
		if p.IANAToken == string(ics.ComponentPropertyCategories) && makeUp != nil && makeUp.MatchString(p.Value) {
			d.MakeUp = true
		}
	}
	for _, at := range starts {
		for n := range extra + 1 {
			date := at.AddDate(0, 0, n)
			if date.Year() < FirstYear || date.Year() > LastYear {
				continue
			}
			d.Date = date.Format(time.DateOnly)
			if d.MakeUp {
				d.As = countsAs(summary, date.Weekday())
			}
			if before, known := r.days[d.Date]; !known || d.MakeUp && !before.MakeUp {
				r.days[d.Date] = d
			}
		}
		if len(r.days) > maxDates {
			return fmt.Errorf("with it the file has more than %d dates", maxDates)
		}
	}
	return nil
}

// length is the number of dates after the first one that an event touches.
func (r *reader) length(e *ics.VEvent, start stamp) (int, error) {
	end := start.Time
	if p := e.GetProperty(ics.ComponentPropertyDtEnd); p != nil {
		at, err := r.stamp(p.BaseProperty)
		if err != nil {
			return 0, err
		}
		end = at.Time
	} else if p := e.GetProperty(ics.ComponentPropertyDuration); p != nil {
		days, rest, err := duration(p.Value)
		if err != nil {
			return 0, err
		}
		end = start.AddDate(0, 0, days).Add(rest)
	}
	if !end.After(start.Time) {
		return 0, nil
	}
	last := end.Add(-time.Second).In(start.Location()) // the end is not part of the event
	n := int(midnight(last).Sub(midnight(start.Time)) / (24 * time.Hour))
	if n >= maxEventDays {
		return 0, fmt.Errorf("it lasts %d days, more than %d", n+1, maxEventDays)
	}
	return n, nil
}

// midnight is the date of a time as one of UTC, where every day has 24 hours.
func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

var durationForm = regexp.MustCompile(`^\+?P(?:(\d{1,3})W|(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?)$`)

// duration reads P1D, PT8H, P1W.
func duration(text string) (days int, rest time.Duration, err error) {
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, 0, fmt.Errorf("DURATION: %q is not a duration", text)
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(parts[i]) // digits only, and few; absent is 0
		return v
	}
	return n(1)*7 + n(2), time.Duration(n(3))*time.Hour + time.Duration(n(4))*time.Minute + time.Duration(n(5))*time.Second, nil
}

// starts lists when the instances of an event begin, within the reach.
func (r *reader) starts(e *ics.VEvent, start stamp) ([]stamp, error) {
	left, err := r.list(e, ics.ComponentPropertyExdate)
	if err != nil {
		return nil, err
	}
	without := make(map[string]bool, len(left)) // an EXDATE may be a date or a time
	for _, at := range left {
		form := time.DateTime
		if at.allDay {
			form = time.DateOnly
		}
		without[at.In(start.Location()).Format(form)] = true
	}
	all := []stamp{start}
	added, err := r.list(e, ics.ComponentPropertyRdate)
	if err != nil {
		return nil, err
	}
	all = append(all, added...)
	if p := e.GetProperty(ics.ComponentPropertyRrule); p != nil {
		repeated, err := r.recur(p.Value, start)
		if err != nil {
			return nil, err
		}
		all = append(all, repeated...)
	}
	own := e.GetProperty(ics.ComponentPropertyRecurrenceId) != nil
	return slices.DeleteFunc(all, func(at stamp) bool {
		return without[at.Format(time.DateOnly)] || without[at.Format(time.DateTime)] || !own && r.moved[instance(e, at)]
	}), nil
}

// workOf is the measured work for a rule that never comes, by its frequency.
var workOf = map[rrule.Frequency]int{rrule.YEARLY: 1, rrule.MONTHLY: 1, rrule.WEEKLY: 3, rrule.DAILY: 8}

// affordable refuses a file whose recurrences together could take too long, before the first of them is written out.
func affordable(events []*ics.VEvent) error {
	work := 0
	for _, e := range events {
		p := e.GetProperty(ics.ComponentPropertyRrule)
		if p == nil || len(p.Value) > maxRuleText {
			continue // a text that is too long is refused with its event
		}
		if option, err := rrule.StrToROption(p.Value); err == nil {
			work += workOf[option.Freq]
		}
	}
	if work > maxWork {
		return fmt.Errorf("the file has more recurrences than can be written out; allowed: %d yearly or monthly ones, fewer weekly and daily ones", maxWork)
	}
	return nil
}

// recur writes a recurrence out; how much of them there may be is affordable's to say.
func (r *reader) recur(text string, start stamp) ([]stamp, error) {
	if len(text) > maxRuleText {
		return nil, fmt.Errorf("RRULE: is longer than %d bytes", maxRuleText)
	}
	option, err := rrule.StrToROptionInLocation(text, start.Location())
	if err != nil {
		return nil, fmt.Errorf("RRULE: %q cannot be read: %w", text, err)
	}
	switch {
	case option.Freq > rrule.DAILY || len(option.Byhour)+len(option.Byminute)+len(option.Bysecond) > 0:
		return nil, fmt.Errorf("RRULE: %q repeats within a day, and holidays are days", text)
	case option.Interval < 0 || option.Interval > maxInterval || option.Count < 0:
		return nil, fmt.Errorf("RRULE: %q has an INTERVAL that is not from 1 to %d, or a COUNT below 1", text, maxInterval)
	case start.Year() < 1900 || start.Year() > LastYear:
		return nil, fmt.Errorf("DTSTART: a recurrence begins in %d; allowed: 1900 to %d", start.Year(), LastYear)
	}
	option.Dtstart = start.Time
	if end := time.Date(LastYear, 12, 31, 23, 59, 59, 0, start.Location()); option.Until.IsZero() || option.Until.After(end) {
		option.Until = end
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, fmt.Errorf("RRULE: %q cannot be carried out: %w", text, err)
	}
	var all []stamp
	for next := rule.Iterator(); ; {
		at, more := next()
		if !more {
			return all, nil
		}
		if at.Year() < FirstYear-1 {
			continue // an instance of December may reach into the first year
		}
		if all = append(all, stamp{at, start.allDay}); len(all) > maxDates {
			return nil, fmt.Errorf("RRULE: %q stands for more than %d dates", text, maxDates)
		}
	}
}
