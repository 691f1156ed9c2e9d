package service

import (
	"errors"
	"fmt"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/holiday"
)

// exceptionQuestion is an exception of the schedule that is asked about. Its
// name may stand in it, as it does in a configuration.
type exceptionQuestion struct {
	Schedule string `json:"schedule"`
	calendar.ExceptionDef
}

// holidayQuestion is a holiday calendar as in a configuration. Files are not
// read: a question holds all that its answer depends on.
type holidayQuestion struct {
	calendar.HolidaysDef
	Builtin string `json:"builtin"`
}

// exceptions reads the exceptions of a question.
func (q *Question) exceptions() ([]calendar.Exception, error) {
	list := make([]calendar.Exception, 0, len(q.Exceptions))
	var faults []error
	for i, e := range q.Exceptions {
		if e.Schedule != "" && e.Schedule != q.Schedule.Name {
			faults = append(faults, fmt.Errorf("exceptions[%d]: is for the schedule %q, and the question is about %q", i, e.Schedule, q.Schedule.Name))
		}
		x, err := calendar.CompileException(e.ExceptionDef)
		if err != nil {
			faults = append(faults, fmt.Errorf("exceptions[%d]: %w", i, err))
			continue
		}
		list = append(list, x)
	}
	return list, errors.Join(faults...)
}

// observed reads the calendars of a question and gives those that its schedule names, in its order.
func (q *Question) observed() ([]*calendar.Holidays, error) {
	all := make(map[string]*calendar.Holidays, len(q.Holidays))
	var faults []error
	for name, h := range q.Holidays {
		def := h.HolidaysDef
		def.Name = name
		compiled, err := calendar.CompileHolidays(def)
		if err != nil {
			faults = append(faults, fmt.Errorf("holidays %q: %w", name, err))
			continue
		}
		if h.Builtin != "" {
			builtin, ok := config.BuiltinHolidays(h.Builtin)
			if !ok {
				faults = append(faults, fmt.Errorf("holidays %q: builtin: %q is none; allowed: %s", name, h.Builtin, strings.Join(holiday.Codes, ", ")))
				continue
			}
			compiled = compiled.Over(builtin)
		}
		all[name] = compiled
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	var list []*calendar.Holidays
	for _, name := range q.Schedule.Holidays {
		h, known := all[name]
		if !known {
			return nil, fmt.Errorf(`holidays: %q is not among the question's calendars; give "holidays":{%q:{"days":[…]}} or {"builtin":"cn"}`, name, name)
		}
		list = append(list, h)
	}
	return list, nil
}
