package service

import (
	"dayshift/internal/calendar"
	"dayshift/internal/store"
)

// HolidayYear is what a holiday calendar says of a year, with all that its dates come from: its own, a file or an
// address, and a built-in calendar.
type HolidayYear struct {
	Name string `json:"name"`
	Year int    `json:"year"`
	// Years are those that the calendar covers. Of another year it knows nothing.
	Years []int        `json:"years"`
	Dates []HolidayDay `json:"dates"` // in order
}

// HolidayDay is a date that a holiday calendar says something of.
type HolidayDay struct {
	Date string `json:"date"`
	Kind string `json:"kind"` // day off or make-up day
	// As is the weekday that a make-up day counts as.
	As   string `json:"as,omitempty"`
	Name string `json:"name,omitempty"`
}

// Holidays says what a holiday calendar has of a year (0: of today's, in UTC). *InputError where there is no such
// calendar, or where it is set aside.
func (s *Service) Holidays(name string, year int) (HolidayYear, error) {
	list, err := s.Objects(store.HolidayObject)
	if err != nil {
		return HolidayYear{}, err
	}
	found := findObject(list, name)
	if found == nil {
		return HolidayYear{}, noObject(store.HolidayObject, name, list)
	}
	if year == 0 {
		year = s.Now().UTC().Year()
	}
	if year < 1 || year > 9999 {
		return HolidayYear{}, inputErrorF("year %d: dates have years from 1 to 9999", year)
	}
	answer := HolidayYear{Name: name, Year: year, Years: []int{}, Dates: []HolidayDay{}}
	h := s.Config.Calendar(name)
	if h == nil { // set aside
		return answer, nil
	}
	answer.Years = append(answer.Years, h.Years()...)
	for _, date := range h.Dates(year) {
		answer.Dates = append(answer.Dates, holidayDay(date))
	}
	return answer, nil
}

func holidayDay(date calendar.HolidayDate) HolidayDay {
	day := HolidayDay{Date: date.Date.String(), Kind: string(calendar.DayOff), Name: date.Name}
	if !date.Off {
		day.Kind, day.As = string(calendar.MakeUpDay), weekdayName(date.As)
	}
	return day
}
