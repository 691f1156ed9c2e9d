package calendar

import "time"

// Step is the width of a cell in the picture of a week, in minutes of the local clock.
type Step int

// The widths of cells. Any other value counts as HalfHours.
const (
	QuarterHours Step = 15
	HalfHours    Step = 30
	Hours        Step = 60
)

// Week is a local week of a schedule as a picture shows it, with what it does not show exactly.
type Week struct {
	Monday Date
	Step   Step
	Days   [7]WeekDay // Monday first
}

// WeekDay is one date of a week on the schedule's clock.
type WeekDay struct {
	Date    Date
	Weekday int // 0 = Monday
	// Skipped is a date that the zone left out, as Samoa did with 2011-12-30: all its cells are gaps, nothing else is set.
	Skipped bool
	// Kind is how the date counts, As the weekday that it counts as (its own but for a make-up day), Holiday the name of
	// the day off or make-up day and Calendar the one that says so.
	Kind              DayKind
	As                int
	Holiday, Calendar string
	// Uncovered are the schedule's calendars that do not know the date's year.
	Uncovered []string
	// Exceptions are, in words, those that have a say on the date: its own, that of the day before where it reaches into this
	// one, and those that keep something running on.
	Exceptions []string
	// Cells stand for the local day from 00:00 to 24:00, one each Step.
	Cells []Cell
	// Changes are the boundaries from the begin of the local day to its end, that not included.
	Changes []WeekChange
}

// DayKind says how a date counts for a schedule, in the word that is shown to people.
type DayKind string

// The kinds of days.
const (
	OrdinaryDay DayKind = "ordinary"
	DayOff      DayKind = "day off"
	MakeUpDay   DayKind = "make-up day"
)

// Cell is one Step of a local day, by the local clock: the instants from the first at which the clock shows the cell's
// begin, or a later time, to that of the next cell. So an hour that comes twice is within the cells that it makes longer,
// and each instant is in one cell.
type Cell struct {
	// Gap: the clock skips the whole cell, and the rest says nothing.
	Gap bool
	// State and Period are what is wanted at the cell's begin, and why.
	State  State
	Period string
	// Mixed: the state changes within the cell, after its begin; WeekDay.Changes tell when.
	Mixed bool
}

// WeekChange is a boundary with its time on the local clock.
type WeekChange struct {
	Boundary
	Clock string // HH:MM, with seconds where they are not 0; an hour that comes twice has each time twice
}

// WeekOf is the Monday of a date's week.
func WeekOf(date Date) Date { return date - Date(date.Weekday()) }

// Week draws the local week of a date, mostly its Monday. Dates outside the years 1 to 9999 count as the nearest within.
func (s *Schedule) Week(of Date, step Step) Week {
	if step != QuarterHours && step != Hours {
		step = HalfHours
	}
	w := Week{Monday: WeekOf(min(max(of, minDate), maxDate)), Step: step}
	first := int64(w.Monday) * daySeconds
	offsets := offsetsIn(nil, s.loc, first-zoneReach, first+int64(len(w.Days))*daySeconds+zoneReach)
	for i := range w.Days {
		w.Days[i] = s.weekDay(w.Monday+Date(i), step, offsets)
	}
	return w
}

// weekDay draws one date. The offsets have to reach zoneReach around it.
func (s *Schedule) weekDay(date Date, step Step, offsets []offset) WeekDay {
	midnight, width := int64(date)*daySeconds, int64(step)*60
	from, to := instantOf(offsets, midnight), instantOf(offsets, midnight+daySeconds)
	day := WeekDay{
		Date: date, Weekday: date.Weekday(), Kind: OrdinaryDay, As: date.Weekday(),
		Cells: make([]Cell, daySeconds/width),
	}
	if from >= to {
		day.Skipped = true
		for i := range day.Cells {
			day.Cells[i].Gap = true
		}
		return day
	}
	day.mark(s.Special(time.Unix(from, 0)))
	for b := range s.Boundaries(time.Unix(from-1, 0), time.Unix(to-1, 0)) {
		local := b.At.In(s.loc)
		clock := local.Format("15:04")
		if local.Second() != 0 {
			clock = local.Format(time.TimeOnly)
		}
		day.Changes = append(day.Changes, WeekChange{b, clock})
	}
	for i, left := 0, day.Changes; i < len(day.Cells); i++ {
		begin := instantOf(offsets, midnight+int64(i)*width)
		end := instantOf(offsets, midnight+int64(i+1)*width)
		if begin >= end {
			day.Cells[i].Gap = true
			continue
		}
		want := s.WantedUnix(begin)
		day.Cells[i].State, day.Cells[i].Period = want.State, want.Period
		for ; len(left) > 0 && left[0].At.Unix() < end; left = left[1:] {
			if left[0].At.Unix() > begin && left[0].From.State != left[0].To.State {
				day.Cells[i].Mixed = true
			}
		}
	}
	return day
}

// mark takes over what is out of the ordinary at the day's first instant. That is the whole day's: a date counts as one
// kind throughout, its own exceptions are told at any of its instants, and what reaches in from before is there at its begin.
func (d *WeekDay) mark(special Special) {
	d.Holiday, d.Calendar, d.Uncovered = special.Holiday, special.Calendar, special.Uncovered
	switch {
	case special.Off:
		d.Kind = DayOff
	case special.Working:
		d.Kind, d.As = MakeUpDay, special.As
	}
	for _, x := range special.Exceptions {
		d.Exceptions = append(d.Exceptions, x.String())
	}
}
