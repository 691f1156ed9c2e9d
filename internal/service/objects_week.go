package service

import (
	"time"

	"dayshift/internal/calendar"
)

// ScheduleWeek is a local week of a schedule, for pictures.
type ScheduleWeek struct {
	Schedule    string    `json:"schedule"`
	Timezone    string    `json:"timezone"`
	Enabled     bool      `json:"enabled"`
	Observe     bool      `json:"observe"`
	Held        string    `json:"override_status,omitempty"` // wanted at all times, whatever the periods say
	Monday      string    `json:"monday"`
	StepMinutes int       `json:"step_minutes"` // of the local clock, for each cell
	Days        []WeekDay `json:"days"`         // seven, Monday first
	// Shifts are the changes of the clock in the week.
	Shifts []ClockShift `json:"shifts"`
}

// WeekDay is one date of a ScheduleWeek.
type WeekDay struct {
	Date    string `json:"date"`
	Weekday string `json:"weekday"`
	Skipped bool   `json:"skipped,omitempty"` // the zone left the date out
	// Kind is ordinary, "day off" or "make-up day"; As is the weekday that the date counts as.
	Kind       string       `json:"kind"`
	As         string       `json:"as"`
	Holiday    string       `json:"holiday,omitempty"`
	Calendar   string       `json:"calendar,omitempty"`
	Uncovered  []string     `json:"uncovered"` // calendars that do not know the year
	Exceptions []string     `json:"exceptions"`
	Cells      []WeekCell   `json:"cells"`
	Changes    []WeekChange `json:"changes"`
}

// WeekCell is one step of a local day. A gap is a cell that the clock skips; mixed means that the state changes within it.
type WeekCell struct {
	State  string `json:"state,omitempty"`
	Period string `json:"period,omitempty"`
	Gap    bool   `json:"gap,omitempty"`
	Mixed  bool   `json:"mixed,omitempty"`
}

// WeekChange is a boundary of a local day.
type WeekChange struct {
	At           time.Time `json:"at"`
	Clock        string    `json:"clock"` // HH:MM on the local clock
	From         string    `json:"from"`
	To           string    `json:"to"`
	Period       string    `json:"period,omitempty"`
	InstanceType string    `json:"instance_type,omitempty"`
}

// ClockShift is an instant at which the clock of a zone jumps.
type ClockShift struct {
	At     time.Time `json:"at"`
	Date   string    `json:"date"`   // local, before the jump
	Before string    `json:"before"` // what the clock would have shown
	After  string    `json:"after"`  // what it shows
	Back   bool      `json:"back"`   // the times in between come twice
}

// maxWeeks bounds what is drawn: a year and a day.
const maxWeeks = 53

// Weeks draws local weeks of a schedule, from the one of a date on (zero: of today, on the schedule's clock), in half hours.
func (s *Service) Weeks(name, date string, weeks int) ([]ScheduleWeek, error) {
	schedule, err := s.schedule(name)
	if err != nil {
		return nil, err
	}
	c := schedule.Calendar
	of := calendar.DateAt(s.Now(), c.Location())
	if date != "" {
		if of, err = calendar.ParseDate(date); err != nil {
			return nil, inputErrorF("week %q: %v", date, err)
		}
	}
	if weeks < 1 || weeks > maxWeeks {
		return nil, inputErrorF("%d weeks: from 1 to %d can be drawn", weeks, maxWeeks)
	}
	var list []ScheduleWeek
	for i := range weeks {
		week := c.Week(of+calendar.Date(7*i), calendar.HalfHours)
		view := ScheduleWeek{
			Schedule: name, Timezone: c.Location().String(), Enabled: schedule.Enabled, Observe: schedule.Observe || s.Book.Observe, Held: s.heldStatus(name),
			Monday: week.Monday.String(), StepMinutes: int(week.Step), Shifts: shifts(week.Monday, c.Location()),
		}
		for i := range week.Days {
			view.Days = append(view.Days, weekDay(&week.Days[i]))
		}
		list = append(list, view)
	}
	return list, nil
}

// heldStatus gives the override_status of a schedule of the configuration.
func (s *Service) heldStatus(name string) string {
	if s.Config == nil {
		return ""
	}
	return s.Config.Config.Schedules[name].OverrideStatus
}

func weekdayName(day int) string { return time.Weekday((day + 1) % 7).String() }

func weekDay(d *calendar.WeekDay) WeekDay {
	view := WeekDay{
		Date: d.Date.String(), Weekday: weekdayName(d.Weekday), Skipped: d.Skipped, Kind: string(d.Kind), As: weekdayName(d.As),
		Holiday: d.Holiday, Calendar: d.Calendar, Uncovered: []string{}, Exceptions: []string{}, Cells: []WeekCell{}, Changes: []WeekChange{},
	}
	view.Uncovered = append(view.Uncovered, d.Uncovered...)
	view.Exceptions = append(view.Exceptions, d.Exceptions...)
	for _, cell := range d.Cells {
		if cell.Gap {
			view.Cells = append(view.Cells, WeekCell{Gap: true})
			continue
		}
		view.Cells = append(view.Cells, WeekCell{State: cell.State.String(), Period: cell.Period, Mixed: cell.Mixed})
	}
	for _, change := range d.Changes {
		view.Changes = append(view.Changes, WeekChange{
			At: change.At.UTC(), Clock: change.Clock, From: change.From.State.String(), To: change.To.State.String(),
			Period: change.To.Period, InstanceType: change.To.InstanceType,
		})
	}
	return view
}

// shifts finds the jumps of the clock in a local week.
func shifts(monday calendar.Date, zone *time.Location) []ClockShift {
	list := []ClockShift{}
	// Every zone's week lies within this stretch, whatever its offset; what is outside the week itself is left out.
	at := time.Unix(int64(monday)*int64(dayLength/time.Second), 0).Add(-dayLength).In(zone)
	end := at.Add(9 * dayLength)
	for {
		_, next := at.ZoneBounds()
		if next.IsZero() || next.After(end) {
			return list
		}
		_, was := next.Add(-time.Second).Zone()
		_, is := next.Zone()
		before := next.UTC().Add(time.Duration(was) * time.Second)
		after := next.UTC().Add(time.Duration(is) * time.Second)
		date := calendar.DateAt(next.Add(-time.Second), zone)
		if was != is && monday <= date && date < monday+7 {
			list = append(list, ClockShift{At: next.UTC(), Date: date.String(), Before: clockOf(before), After: clockOf(after), Back: is < was})
		}
		at = next
	}
}

// clockOf is a time of day, with seconds where they are not 0.
func clockOf(t time.Time) string {
	if t.Second() != 0 {
		return t.Format(time.TimeOnly)
	}
	return t.Format("15:04")
}
