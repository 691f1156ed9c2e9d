package calendar

import (
	"strings"

	"dayshift/internal/say"
)

// PeriodDef is a period as a user writes it.
type PeriodDef struct {
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// BeginTime and EndTime are local times, H:MM or HH:MM; an end may be 24:00. Either or both may be left out.
	BeginTime string `json:"begintime,omitempty" yaml:"begintime,omitempty"`
	EndTime   string `json:"endtime,omitempty" yaml:"endtime,omitempty"`
	// Weekdays, MonthDays and Months choose the dates; a date has to match all three.
	Weekdays  DayField `json:"weekdays,omitempty" yaml:"weekdays,omitempty"`
	MonthDays DayField `json:"monthdays,omitempty" yaml:"monthdays,omitempty"`
	Months    DayField `json:"months,omitempty" yaml:"months,omitempty"`
	// OnHolidays keeps the period in force on the days off of the schedule's holiday calendars.
	OnHolidays  bool   `json:"on_holidays,omitempty" yaml:"on_holidays,omitempty"`
	Description string `json:"description,omitempty" yaml:"description,omitempty"`
}

// Period is a compiled period. It does not change and may be shared by schedules.
type Period struct {
	name             string
	begin, end       TimeOfDay
	hasBegin, hasEnd bool
	weekdays         Weekdays
	monthDays        MonthDays
	months           Months
	onHolidays       bool
}

// CompilePeriod reads a period. Its error reports every fault, each a *Error (see Faults).
func CompilePeriod(def PeriodDef) (*Period, error) {
	all := faults{period: def.Name}
	if strings.ContainsAny(def.Name, "@,") || trimBlank(def.Name) != def.Name {
		all.add(&Error{
			Field: "name", Text: def.Name, Problem: say.F("cannot be named in a schedule"),
			Allowed: say.F("a name without @ and comma, and without blanks at its ends"),
		})
	}
	p := &Period{name: def.Name, hasBegin: def.BeginTime != "", hasEnd: def.EndTime != "", onHolidays: def.OnHolidays}
	if !p.hasBegin && !p.hasEnd && def.Weekdays.absent() && def.MonthDays.absent() && def.Months.absent() {
		all.add(&Error{
			Problem: say.F("says neither a time nor a day"),
			Allowed: say.F("at least one of begintime, endtime, weekdays, monthdays and months"),
			Hint:    say.F(`for "always" write weekdays: "*"`),
		})
	}
	timesRead := true
	var err error
	if p.hasBegin {
		if p.begin, err = ParseTimeOfDay(def.BeginTime, false); err != nil {
			all.add(err)
			timesRead = false
		}
	}
	if p.hasEnd {
		if p.end, err = ParseTimeOfDay(def.EndTime, true); err != nil {
			all.add(err)
			timesRead = false
		}
	}
	if timesRead && p.hasBegin && p.hasEnd && p.begin == p.end {
		all.add(&Error{
			Field: fieldEnd, Text: def.EndTime,
			Problem: say.F("is the begintime too: the period begins and ends at the same time"),
			Hint:    say.F("leave both out for the whole day"),
		})
	}
	p.weekdays, err = ParseWeekdays(def.Weekdays)
	all.add(err)
	p.monthDays, err = ParseMonthDays(def.MonthDays)
	all.add(err)
	p.months, err = ParseMonths(def.Months)
	all.add(err)
	if err := all.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Name is the period's name.
func (p *Period) Name() string { return p.name }

// Begin gives the begin time, and false for a period without one.
func (p *Period) Begin() (TimeOfDay, bool) { return p.begin, p.hasBegin }

// End gives the end time, and false for a period without one. An end at or before the begin is on the next day.
func (p *Period) End() (TimeOfDay, bool) { return p.end, p.hasEnd }

// Weekdays gives the compiled field.
func (p *Period) Weekdays() Weekdays { return p.weekdays }

// MonthDays gives the compiled field.
func (p *Period) MonthDays() MonthDays { return p.monthDays }

// Months gives the compiled field.
func (p *Period) Months() Months { return p.months }

// mask has bit d set for each day d of the month on which the period matches.
func (p *Period) mask(mon int, m month) uint32 {
	if !p.months.has(mon) {
		return 0
	}
	return p.weekdays.mask(m) & p.monthDays.mask(m)
}
