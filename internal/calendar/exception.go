package calendar

import (
	"slices"
	"time"

	"dayshift/internal/say"
)

// ExceptionDef is a dated exception of one schedule as a user writes it.
type ExceptionDef struct {
	// Date is the local date, YYYY-MM-DD; or From and To are the first and the last one of a range.
	Date string `json:"date,omitempty" yaml:"date,omitempty"`
	From string `json:"from,omitempty" yaml:"from,omitempty"`
	To   string `json:"to,omitempty" yaml:"to,omitempty"`
	// Type is start or stop; Value is the local time at which that happens instead, or none.
	Type  string `json:"type,omitempty" yaml:"type,omitempty"`
	Value string `json:"value,omitempty" yaml:"value,omitempty"`
	Note  string `json:"note,omitempty" yaml:"note,omitempty"`
}

// ExceptionType says which boundary of a day an exception is about.
type ExceptionType string

// The types of exceptions.
const (
	StartException ExceptionType = "start" // the first begin of the date
	StopException  ExceptionType = "stop"  // the last end of what begins on the date
)

// Exception is a compiled exception. Values can be compared.
type Exception struct {
	From, To Date // inclusive
	Type     ExceptionType
	// None removes the boundary; else it is moved to Value.
	None  bool
	Value TimeOfDay
	Note  string
}

// Bounds of a schedule's exceptions.
const (
	// MaxExceptions is the largest number of exceptions of one schedule: each is compared with every other one.
	MaxExceptions = 500
	// MaxExceptionDays is the largest number of dates that the exceptions of one schedule stand for, ten years of days:
	// each of them is kept, and looked at when the schedule is compiled.
	MaxExceptionDays = 3660
)

// ExceptionReason is the reason of what runs by an exception alone, with no period behind it.
const ExceptionReason = "exception"

const (
	fieldExceptions = "exceptions"
	fieldFrom       = "from"
	fieldTo         = "to"
	fieldType       = "type"
	fieldValue      = "value"
)

// CompileException reads an exception. Its error reports every fault, each a *Error whose Field is the key.
func CompileException(def ExceptionDef) (Exception, error) {
	var all faults
	date := func(field, text string) Date {
		d, err := ParseDate(text)
		for _, e := range Faults(err) {
			e.Field = field
			all.add(e)
		}
		return d
	}
	x := Exception{Note: def.Note}
	switch {
	case def.Date != "" && def.From+def.To != "":
		all.add(&Error{Field: fieldDate, Text: def.Date, Problem: say.F("stands beside a range"), Hint: say.F("keep either date, or from and to")})
	case def.Date != "":
		x.From = date(fieldDate, def.Date)
		x.To = x.From
	case def.From == "" && def.To == "":
		all.add(&Error{Field: fieldDate, Problem: say.F("is missing"), Allowed: say.F("date: YYYY-MM-DD, or from: and to: for a range")})
	case def.From == "" || def.To == "":
		missing := fieldTo
		if def.From == "" {
			missing = fieldFrom
		}
		all.add(&Error{Field: missing, Problem: say.F("is missing: a range has two ends"), Hint: say.F("add it, or write date: for one day")})
	default:
		before := len(all.errs)
		x.From, x.To = date(fieldFrom, def.From), date(fieldTo, def.To)
		switch {
		case len(all.errs) > before:
		case x.To < x.From:
			all.add(&Error{Field: fieldTo, Text: def.To, Problem: say.F("is before %s", x.From.String()), Hint: say.F("exchange from and to")})
		case x.To-x.From >= MaxExceptionDays:
			all.add(&Error{
				Field: fieldTo, Text: def.To, Problem: say.F("is %d days after %s", x.To-x.From, x.From),
				Allowed: say.F("a range of up to %d days", MaxExceptionDays), Hint: say.F("what lasts is a period of its own"),
			})
		}
	}
	switch x.Type = ExceptionType(lowerASCII(trimBlank(def.Type))); x.Type {
	case StartException, StopException:
	case "":
		all.add(&Error{Field: fieldType, Problem: say.F("is missing"), Allowed: say.F("type: start or type: stop")})
	default:
		all.add(&Error{
			Field: fieldType, Text: def.Type, Problem: say.F("is not a type of exception"), Allowed: say.F("start or stop"),
			Hint: suggest(string(x.Type), []string{string(StartException), string(StopException)}),
		})
	}
	switch value := trimBlank(def.Value); {
	case value == "":
		all.add(&Error{Field: fieldValue, Problem: say.F("is missing"), Allowed: say.F(`value: "HH:MM", or none to leave the start or stop out`)})
	case lowerASCII(value) == "none":
		x.None = true
	default:
		at, err := ParseTimeOfDay(value, x.Type == StopException)
		for _, e := range Faults(err) {
			e.Field = fieldValue
			e.Allowed = say.F("%s, or none", e.Allowed)
			all.add(e)
		}
		x.Value = at
	}
	if err := all.err(); err != nil {
		return Exception{}, err
	}
	return x, nil
}

// String says what the exception does: "stop at 21:00 on 2027-02-05 (release)".
func (x Exception) String() string { return x.Said().String() }

// Said implements say.Sayer.
func (x Exception) Said() say.Text {
	text := say.F("%s at %s", say.Word(x.Type), x.Value)
	if x.None {
		text = say.F("%s none", say.Word(x.Type))
	}
	if x.From == x.To {
		text = say.F("%s on %s", text, x.From)
	} else {
		text = say.F("%s from %s to %s", text, x.From, x.To)
	}
	if x.Note != "" {
		text = say.F("%s (%s)", text, x.Note)
	}
	return text
}

// Clash gives the first date on which both exceptions say something of the same boundary, which is refused.
func (x Exception) Clash(other Exception) (Date, bool) {
	first := max(x.From, other.From)
	return first, x.Type == other.Type && first <= min(x.To, other.To)
}

// exceptions are the places of a date's exceptions in Schedule.exceptions, -1 for none.
type exceptions struct{ start, stop int }

// extension is what a stop that was removed adds: the stretch from the usual end to the next stop boundary.
type extension struct {
	run       // want, begin and order are those of what goes on
	any       bool
	exception int // place in Schedule.exceptions
}

// except takes the schedule's exceptions in.
func (s *Schedule) except(list []Exception, all *faults) {
	if len(list) == 0 {
		return
	}
	if len(list) > MaxExceptions {
		all.add(&Error{Field: fieldExceptions, Problem: say.F("has %d exceptions", len(list)), Allowed: say.F("up to %d", MaxExceptions)})
		return
	}
	days := 0
	for i, x := range list {
		for _, y := range list[:i] {
			if at, clash := x.Clash(y); clash {
				all.add(&Error{
					Field: fieldExceptions, Text: x.String(), Problem: say.F(`and "%s" both move the %s of %s`, y, say.Word(x.Type), at),
					Hint: say.F("remove one of the two"),
				})
			}
		}
		days += int(x.To-x.From) + 1
	}
	if days > MaxExceptionDays {
		all.add(&Error{Field: fieldExceptions, Problem: say.F("are for %d dates together", days), Allowed: say.F("up to %d", MaxExceptionDays)})
	}
	if len(all.errs) > 0 {
		return
	}
	s.exceptions, s.dated = list, make(map[Date]exceptions, days)
	for i, x := range list {
		for date := x.From; date <= x.To; date++ {
			e, known := s.dated[date]
			if !known {
				e = exceptions{-1, -1}
			}
			if x.Type == StartException {
				e.start = i
			} else {
				e.stop = i
			}
			s.dated[date] = e
		}
	}
	s.exceptionWant = s.place(Want{Running, ExceptionReason, ""})
}

// window is what one period makes of one date, on the local clock: a run, or a stretch of *any*.
type window struct {
	from, to int64 // seconds of the local clock
	begin    int64 // the begintime, or noBegin; it decides which of several periods is the reason
	order    int   // place in the schedule's list of periods
	want     uint16
	part     part
}

type part uint8

const (
	partRun       part = iota // running
	partAnyBefore             // *any* up to a begintime without an endtime
	partAnyUntil              // *any* up to an endtime without a begintime
)

// windows appends what the schedule's periods make of a date, its exceptions carried out but for a removed stop, which
// is an extension of its own.
func (s *Schedule) windows(list []window, date Date) []window {
	year, mon, day := dateOf(int64(date))
	m, kind := monthOf(year, mon), s.kindOf(date)
	for i := range s.members {
		if p := &s.members[i]; p.matches(kind, p.mask(mon, m), mon, m, day) {
			list = p.windows(list, int64(date)*daySeconds)
		}
	}
	if e, special := s.dated[date]; special {
		list = s.adjust(list, e, int64(date)*daySeconds)
	}
	return list
}

// windows appends what the period makes of a date that matches, which begins at midnight.
func (p *member) windows(list []window, midnight int64) []window {
	w := window{from: midnight, to: midnight + daySeconds, begin: noBegin, order: p.order, want: p.want}
	if p.hasBegin {
		w.from += p.begin.seconds()
		w.begin = w.from
	}
	if p.hasEnd {
		w.to = midnight + p.end.seconds()
		if p.hasBegin && p.end < p.begin {
			w.to += daySeconds
		}
	}
	switch {
	case p.hasBegin == p.hasEnd:
		return append(list, w)
	case p.hasBegin:
		return append(list, window{from: midnight, to: w.from, begin: noBegin, order: p.order, part: partAnyBefore}, w)
	}
	w.part = partAnyUntil
	return append(list, w)
}

// adjust carries out the exceptions of a date.
func (s *Schedule) adjust(day []window, e exceptions, midnight int64) []window {
	if e.start >= 0 {
		day = s.moveStart(day, s.exceptions[e.start], midnight)
	}
	if e.stop >= 0 && !s.exceptions[e.stop].None {
		day = moveStop(day, s.exceptions[e.stop].Value, midnight)
	}
	return day
}

// moveStart moves the first begin of a date, or removes every begin.
//
// What would have ended by the new time is left out; the first of the rest begins at the new time, and so does what
// would have begun before it. Where nothing is left, as on a date that no period matches, it runs from the new time to
// the usual end of a day.
func (s *Schedule) moveStart(day []window, x Exception, midnight int64) []window {
	at := midnight + x.Value.seconds()
	day = slices.DeleteFunc(day, func(w window) bool { return w.part == partRun && (x.None || w.to <= at) })
	if x.None {
		for i := range day {
			if day[i].part == partAnyBefore {
				day[i].to = midnight + daySeconds
			}
		}
		return day
	}
	first, found := edge(day, func(a, b window) bool { return a.from < b.from })
	if !found {
		return append(day, window{
			from: at, to: s.usualEnd(at, midnight), begin: at, order: len(s.members), want: s.exceptionWant,
		})
	}
	for i := range day {
		w := &day[i]
		switch {
		case w.part == partRun && (w.from <= at || w.from == first.from):
			w.from = at
		case w.part == partAnyBefore && (w.to <= at || w.to == first.from):
			w.to = at
		}
	}
	return day
}

// usualEnd gives the first end after a time of a date that the schedule's periods have on the clock, whatever their
// days; the end of the date where there is none.
func (s *Schedule) usualEnd(at, midnight int64) int64 {
	end, found := midnight+daySeconds, false
	for i := range s.members {
		p := s.members[i].Period
		if !p.hasEnd {
			continue
		}
		ends := midnight + p.end.seconds()
		if p.hasBegin && p.end < p.begin && ends <= at {
			ends += daySeconds // of a night that begins on this date
		}
		if ends > at && (!found || ends < end) {
			end, found = ends, true
		}
	}
	return end
}

// moveStop moves the last end of what begins on a date. A time at or before the date's begin is one of the next date,
// as in a period. What would begin after the new time is left out.
func moveStop(day []window, value TimeOfDay, midnight int64) []window {
	at, begin := midnight+value.seconds(), midnight
	if first, found := edge(day, func(a, b window) bool { return a.from < b.from }); found {
		begin = first.from
	}
	if at <= begin {
		at += daySeconds
	}
	all := len(day)
	day = slices.DeleteFunc(day, func(w window) bool { return w.part == partRun && w.from >= at })
	last, _ := edge(day, func(a, b window) bool { return a.to > b.to })
	for i := range day {
		w := &day[i]
		switch {
		case w.part == partAnyUntil:
			w.to = at
		case w.to > at, len(day) == all && w.part == partRun && w.to == last.to:
			w.to = at
		}
	}
	return day
}

// edge gives the run of a date that comes first by an order.
func edge(day []window, before func(a, b window) bool) (first window, found bool) {
	for _, w := range day {
		if w.part == partRun && (!found || before(w, first)) {
			first, found = w, true
		}
	}
	return first, found
}

// horizonDays is how far a stop boundary is looked for.
const horizonDays = Date(Horizon / (24 * time.Hour))

// extend lays out what goes on because its stop was removed. It is done once, when the schedule is compiled: how far
// such a stretch reaches cannot be seen from the dates around an instant.
func (s *Schedule) extend() {
	var dates []Date
	for date, e := range s.dated {
		if s.keepsOn(e) {
			dates = append(dates, date)
		}
	}
	slices.Sort(dates)
	// What was found for a later date serves the ones before it: a chain of removed stops has one end.
	laterDate, laterStop := maxDate, int64(minInstant)
	for _, date := range slices.Backward(dates) {
		day := s.windows(nil, date)
		found := int64(minInstant)
		for _, kind := range []part{partRun, partAnyUntil} {
			last, ok := lastEnd(day, kind)
			if !ok {
				continue
			}
			found = s.nextStop(date, last, laterDate, laterStop)
			for _, w := range day {
				if w.part == kind && w.to == last {
					s.extensions = append(s.extensions, s.extension(w, found, s.dated[date].stop))
				}
			}
		}
		if found > minInstant {
			laterDate, laterStop = date, found
		}
	}
}

// keepsOn reports whether the exceptions of a date remove its stop.
func (s *Schedule) keepsOn(e exceptions) bool { return e.stop >= 0 && s.exceptions[e.stop].None }

// nextStop finds the first stop boundary after a local time, which belongs to a date. What it would find beyond a later
// date is known.
func (s *Schedule) nextStop(date Date, after int64, laterDate Date, laterStop int64) int64 {
	for d := date - 1; d <= min(date+horizonDays, maxDate); d++ {
		if d > laterDate+1 && laterStop > after {
			return laterStop
		}
		stop, found := s.stopOn(d, after)
		if !found {
			continue
		}
		// The end of a night lies on the next date, and one of that date's own may come sooner.
		for next := d + 1; next <= d+2; next++ {
			if sooner, ok := s.stopOn(next, after); ok {
				stop = min(stop, sooner)
			}
		}
		return stop
	}
	return int64(maxDate+1) * daySeconds
}

// stopOn gives the first stop boundary of a date after a local time.
func (s *Schedule) stopOn(date Date, after int64) (stop int64, found bool) {
	day := s.windows(nil, date)
	e, special := s.dated[date]
	take := func(at int64) {
		if at > after && (!found || at < stop) {
			stop, found = at, true
		}
	}
	for _, kind := range []part{partRun, partAnyUntil} {
		last, _ := lastEnd(day, kind)
		for _, w := range day {
			removed := special && s.keepsOn(e) && w.to == last
			if w.part == kind && !removed {
				take(w.to)
			}
		}
	}
	if special && e.stop >= 0 && !s.exceptions[e.stop].None && !slices.ContainsFunc(day, func(w window) bool { return w.part != partAnyBefore }) {
		// Nothing of the date itself ends here, but what was kept on from before does.
		take(int64(date)*daySeconds + s.exceptions[e.stop].Value.seconds())
	}
	return stop, found
}

// lastEnd gives the last end of a date's windows of a kind.
func lastEnd(day []window, kind part) (last int64, found bool) {
	for _, w := range day {
		if w.part == kind && (!found || w.to > last) {
			last, found = w.to, true
		}
	}
	return last, found
}

// extension goes on from a window's end to a later local time.
func (s *Schedule) extension(w window, to int64, exception int) extension {
	at := func(local int64) int64 {
		return instantOf(offsetsIn(nil, s.loc, local-zoneReach, local+zoneReach), local)
	}
	return extension{
		run: run{
			from: at(w.to), to: at(to), fromLocal: w.to, toLocal: to,
			begin: w.begin, order: w.order, want: w.want,
		},
		any: w.part == partAnyUntil, exception: exception,
	}
}

// Special is what is out of the ordinary for a schedule at an instant.
type Special struct {
	// Date is the date on the schedule's clock.
	Date Date
	// Off, or Working with the weekday As (0 = Monday) that the date counts as; Holiday is its name and Calendar the one
	// that says so.
	Off, Working      bool
	As                int
	Holiday, Calendar string
	// Uncovered are the schedule's calendars that do not know the date's year.
	Uncovered []string
	// Exceptions are those that have a say at the instant: of the date, of the day before where it reaches into this one,
	// and those that keep something running on. Otherwise is what would be wanted without any.
	Exceptions []Exception
	Otherwise  Want
}

// Special tells what is out of the ordinary at an instant.
func (s *Schedule) Special(t time.Time) Special {
	date := DateAt(t, s.loc)
	special := Special{Date: date, Otherwise: s.Wanted(t)}
	for _, h := range s.holidays {
		if day, known := h.days[date]; known && special.Calendar == "" {
			special.Calendar, special.Holiday = h.name, day.name
			special.Off = day.kind == dayOff
			if special.Working = day.kind >= workingDay; special.Working {
				special.As = int(day.kind - workingDay)
			}
		}
		if !h.Covers(date.Year()) {
			special.Uncovered = append(special.Uncovered, h.name)
		}
	}
	if len(s.exceptions) == 0 {
		return special
	}
	var has []int
	take := func(list ...int) {
		for _, i := range list {
			if i >= 0 && !slices.Contains(has, i) {
				has = append(has, i)
			}
		}
	}
	if e, ok := s.dated[date]; ok {
		take(e.start, e.stop)
	}
	if e, ok := s.dated[date-1]; ok && s.reaches(date-1, t) {
		take(e.start, e.stop)
	}
	for _, x := range s.extensions {
		if sec := t.Unix(); x.from <= sec && sec < x.to {
			take(x.exception)
		}
	}
	for _, i := range has {
		special.Exceptions = append(special.Exceptions, s.exceptions[i])
	}
	special.Otherwise = s.plain.Wanted(t)
	return special
}

// Fact is one thing out of the ordinary, in words.
type Fact struct {
	Rule string // holiday or exception
	Text say.Text
}

// Facts says in words what is out of the ordinary; nothing on an ordinary day.
func (s Special) Facts() []Fact {
	var facts []Fact
	add := func(rule string, text say.Text) { facts = append(facts, Fact{rule, text}) }
	calendar := say.Raw(s.Calendar)
	if s.Holiday != "" {
		calendar = say.F("%s (%s)", s.Calendar, s.Holiday)
	}
	switch {
	case s.Off:
		add("holiday", say.F("%s is a day off in the calendar %s: only periods with on_holidays begin on it", s.Date, calendar))
	case s.Working:
		add("holiday", say.F("%s is a make-up working day in the calendar %s: it counts as a %s", s.Date, calendar, say.Word(weekdayName(s.As))))
	}
	for _, calendar := range s.Uncovered {
		add("holiday", say.F("calendar %s does not cover %d: no day of that year counts as a day off or as a make-up day", calendar, s.Date.Year()))
	}
	for _, x := range s.Exceptions {
		add("exception", say.F("%s; without exceptions %s would be wanted", x, s.Otherwise.State))
	}
	return facts
}

// reaches reports whether what begins on a date, with its exceptions or without, ends after an instant.
func (s *Schedule) reaches(date Date, t time.Time) bool {
	year, mon, day := t.In(s.loc).Date()
	hour, minute, second := t.In(s.loc).Clock()
	local := daysOf(year, int(mon), day)*daySeconds + int64(hour*3600+minute*60+second)
	return slices.ContainsFunc(s.plain.windows(s.windows(nil, date), date), func(w window) bool { return w.to > local })
}
