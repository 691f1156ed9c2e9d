package calendar

import (
	"cmp"
	"maps"
	"slices"

	"dayshift/internal/say"
)

// HolidaysDef is a holiday calendar as its sources give it: days off, and make-up working days.
type HolidaysDef struct {
	Name   string      `json:"name,omitempty" yaml:"name,omitempty"`
	Days   []DayOffDef `json:"days,omitempty" yaml:"days,omitempty"`
	MakeUp []MakeUpDef `json:"make_up,omitempty" yaml:"make_up,omitempty"`
}

// DayOffDef is a day that does not count as a working day.
type DayOffDef struct {
	Date string `json:"date" yaml:"date"` // YYYY-MM-DD
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
}

// MakeUpDef is a day, mostly of a weekend, that counts as a working day.
type MakeUpDef struct {
	Date string `json:"date" yaml:"date"` // YYYY-MM-DD
	// As is the weekday that the day counts as: a name, its first three or more letters, or 0 (Monday) to 6. Empty: Monday.
	As   string `json:"as,omitempty" yaml:"as,omitempty"`
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
}

// Holidays is a compiled holiday calendar. It does not change and may be shared by schedules.
//
// It covers the years of which it names at least one day. Of any other year it knows nothing, and says so: such a year
// has neither days off nor make-up days, and whoever shows it can warn.
type Holidays struct {
	name  string
	days  map[Date]holiday
	years map[int]bool
}

// holiday is a date that a calendar says something of.
type holiday struct {
	name string
	kind dayKind
}

// dayKind says how a date counts.
type dayKind uint8

const (
	ordinary dayKind = iota
	dayOff
	workingDay // as Monday; workingDay+1 as Tuesday …
)

const (
	fieldDate    = "date"
	fieldAs      = "as"
	fieldDays    = "days"
	fieldMakeUp  = "make_up"
	fieldHoliday = "holidays"
)

// MaxHolidays bounds the dates of one calendar: a hundred a year over two centuries.
const MaxHolidays = 20_000

// CompileHolidays reads a calendar. Its error reports every fault, each a *Error; Field is "days" or "make_up" and its
// Text what was written.
func CompileHolidays(def HolidaysDef) (*Holidays, error) {
	var all faults
	h := &Holidays{name: def.Name, days: make(map[Date]holiday, len(def.Days)+len(def.MakeUp)), years: map[int]bool{}}
	if n := len(def.Days) + len(def.MakeUp); n > MaxHolidays {
		all.add(&Error{Field: fieldDays, Problem: say.F("and make_up have %d dates", n), Allowed: say.F("up to %d", MaxHolidays)})
		return nil, all.err()
	}
	add := func(field, date, name string, kind dayKind) {
		at, err := ParseDate(date)
		for _, e := range Faults(err) {
			e.Field = field
			all.add(e)
		}
		if err != nil {
			return
		}
		if before, twice := h.days[at]; twice && before.kind != kind {
			problem := say.F("is a day off and a make-up working day at once")
			if before.kind >= workingDay && kind >= workingDay {
				problem = say.F("counts as two different weekdays")
			}
			all.add(&Error{Field: field, Text: date, Problem: problem, Hint: say.F("remove one of the two")})
			return
		}
		h.days[at] = holiday{name, kind}
		h.years[at.Year()] = true
	}
	for _, d := range def.Days {
		add(fieldDays, d.Date, d.Name, dayOff)
	}
	for _, d := range def.MakeUp {
		weekday, err := ParseWeekday(d.As)
		for _, e := range Faults(err) {
			e.Field = fieldMakeUp
			all.add(e)
		}
		if err == nil {
			add(fieldMakeUp, d.Date, d.Name, workingDay+dayKind(weekday))
		}
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	return h, nil
}

// ParseWeekday reads one weekday, 0 = Monday … 6 = Sunday; an empty text is Monday, which is what a make-up working day
// counts as where nobody says more.
func ParseWeekday(text string) (int, error) {
	if trimBlank(text) == "" {
		return 0, nil
	}
	e := &Error{Field: fieldAs, Text: text, Problem: say.F("is not a weekday"), Allowed: say.F("mon, tue, wed, thu, fri, sat or sun")}
	if len(text) > maxText {
		return 0, e
	}
	day, err := weekdayDomain.value(text, lowerASCII(trimBlank(text)))
	if err != nil {
		return 0, e
	}
	return day, nil
}

// weekdayName is the English name of a weekday, 0 = Monday.
func weekdayName(weekday int) string {
	name := weekdayNames[weekday]
	return string(name[0]-'a'+'A') + name[1:]
}

// Over lays a calendar over another one: where both say something of a date, the upper one's word counts.
func (h *Holidays) Over(lower *Holidays) *Holidays {
	both := &Holidays{name: cmp.Or(h.name, lower.name), days: maps.Clone(lower.days), years: maps.Clone(lower.years)}
	maps.Copy(both.days, h.days)
	maps.Copy(both.years, h.years)
	return both
}

// Name is the calendar's name.
func (h *Holidays) Name() string { return h.name }

// Covers reports whether the calendar knows a year.
func (h *Holidays) Covers(year int) bool { return h.years[year] }

// Years gives the years that the calendar covers, in order.
func (h *Holidays) Years() []int { return slices.Sorted(maps.Keys(h.years)) }

// Len is the number of dates of which the calendar says something.
func (h *Holidays) Len() int { return len(h.days) }

// HolidayDate is a date that a calendar says something of.
type HolidayDate struct {
	Date Date
	Name string // may be empty
	// Off: it is a day off. Otherwise it is a working day that counts as the weekday As, 0 = Monday.
	Off bool
	As  int
}

// Dates gives the dates of a year that the calendar says something of, in order.
func (h *Holidays) Dates(year int) []HolidayDate {
	var list []HolidayDate
	for date, day := range h.days {
		if date.Year() != year {
			continue
		}
		listed := HolidayDate{Date: date, Name: day.name, Off: day.kind == dayOff}
		if !listed.Off {
			listed.As = int(day.kind - workingDay)
		}
		list = append(list, listed)
	}
	slices.SortFunc(list, func(a, b HolidayDate) int { return cmp.Compare(a.Date, b.Date) })
	return list
}

// kindOf tells how a date counts for the schedule: the first of its calendars that says something of the date decides.
func (s *Schedule) kindOf(date Date) dayKind {
	for _, h := range s.holidays {
		if day, known := h.days[date]; known {
			return day.kind
		}
	}
	return ordinary
}

// matches reports whether the period is there on a day of a month that counts as kind says. mask are its matching days
// of that month on an ordinary calendar.
//
// A make-up day is asked as the weekday it counts as. What counts the weekdays of a month (mon#1, friL) does not name
// it: the first Monday of a month stays that Monday.
func (p *Period) matches(kind dayKind, mask uint32, mon int, m month, day int) bool {
	switch {
	case kind == ordinary, kind == dayOff && p.onHolidays:
		return mask&(1<<day) != 0
	case kind == dayOff:
		return false
	}
	return p.weekdays.every&(1<<(kind-workingDay)) != 0 && p.months.has(mon) && p.monthDays.mask(m)&(1<<day) != 0
}
