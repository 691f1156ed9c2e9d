package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	weekdays9to6 = PeriodDef{Name: "office", BeginTime: "09:00", EndTime: "18:00", Weekdays: DayField{"mon-fri"}}
	nights       = PeriodDef{Name: "night", BeginTime: "22:00", EndTime: "06:00", Weekdays: DayField{"mon-fri"}}
	morning      = PeriodDef{Name: "morning", BeginTime: "09:00", EndTime: "12:00", Weekdays: DayField{"mon-fri"}}
	afternoon    = PeriodDef{Name: "afternoon", BeginTime: "13:00", EndTime: "18:00", Weekdays: DayField{"mon-fri"}}
)

// exception reads "stop 21:00 2027-02-05" or "start none 2027-02-05..2027-02-07".
func exception(t testing.TB, text string) Exception {
	t.Helper()
	parts := strings.Fields(text)
	from, to, ranged := strings.Cut(parts[2], "..")
	if !ranged {
		to = from
	}
	x, err := CompileException(ExceptionDef{From: from, To: to, Type: parts[0], Value: parts[1]})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// holidays reads dates, a make-up day as 2027-02-06=mon.
func holidays(t testing.TB, name string, dates ...string) *Holidays {
	t.Helper()
	def := HolidaysDef{Name: name}
	for _, text := range dates {
		if date, as, makeUp := strings.Cut(text, "="); makeUp {
			def.MakeUp = append(def.MakeUp, MakeUpDef{Date: date, As: as})
		} else {
			def.Days = append(def.Days, DayOffDef{Date: date})
		}
	}
	h, err := CompileHolidays(def)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func datedSchedule(t testing.TB, def ScheduleDef, periods ...PeriodDef) *Schedule {
	t.Helper()
	known := map[string]PeriodDef{}
	for _, p := range periods {
		known[p.Name] = p
		def.Periods = append(def.Periods, p.Name)
	}
	s, err := Compile(def, known, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// changesOf lists the changes of a schedule as "Fri 02-05 09:00 running office".
func changesOf(s *Schedule, from, to time.Time) []string {
	var lines []string
	for b := range s.Boundaries(from.Add(-time.Second), to) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", b.At.In(s.Location()).Format("Mon 01-02 15:04"), b.To.State, b.To.Period)))
	}
	return lines
}

// The week of these tables: 2027-02-05 is a Friday.
func TestExceptions(t *testing.T) {
	for _, test := range []struct {
		name       string
		periods    []PeriodDef
		exceptions []string
		from, to   string // dates; the changes from the begin of one to the begin of the other
		want       []string
	}{
		{"a release evening", []PeriodDef{weekdays9to6}, []string{"stop 21:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 09:00 running office", "Fri 02-05 21:00 stopped"}},
		{"home early", []PeriodDef{weekdays9to6}, []string{"stop 15:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 09:00 running office", "Fri 02-05 15:00 stopped"}},
		{"until after midnight", []PeriodDef{weekdays9to6}, []string{"stop 02:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 09:00 running office", "Sat 02-06 02:00 stopped"}},
		{"until midnight, as 24:00", []PeriodDef{weekdays9to6}, []string{"stop 24:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 09:00 running office", "Sat 02-06 00:00 stopped"}},
		{"until midnight, as 00:00", []PeriodDef{weekdays9to6}, []string{"stop 00:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 09:00 running office", "Sat 02-06 00:00 stopped"}},
		{"early", []PeriodDef{weekdays9to6}, []string{"start 07:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 07:00 running office", "Fri 02-05 18:00 stopped"}},
		{"late", []PeriodDef{weekdays9to6}, []string{"start 11:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 11:00 running office", "Fri 02-05 18:00 stopped"}},
		{"both moved", []PeriodDef{weekdays9to6}, []string{"start 20:00 2027-02-05", "stop 04:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 20:00 running exception", "Sat 02-06 04:00 stopped"}},
		{"later than its usual end: until the date's end", []PeriodDef{weekdays9to6}, []string{"start 20:00 2027-02-04"}, "2027-02-04", "2027-02-06", []string{"Thu 02-04 20:00 running exception", "Fri 02-05 00:00 stopped", "Fri 02-05 09:00 running office", "Fri 02-05 18:00 stopped"}},
		{"start none", []PeriodDef{weekdays9to6}, []string{"start none 2027-02-04"}, "2027-02-04", "2027-02-06", []string{"Fri 02-05 09:00 running office", "Fri 02-05 18:00 stopped"}},
		{"start none for a range", []PeriodDef{weekdays9to6}, []string{"start none 2027-02-02..2027-02-05"}, "2027-02-01", "2027-02-08", []string{"Mon 02-01 09:00 running office", "Mon 02-01 18:00 stopped"}},
		{"stop none before a weekend", []PeriodDef{weekdays9to6}, []string{"stop none 2027-02-05"}, "2027-02-05", "2027-02-09", []string{"Fri 02-05 09:00 running office", "Mon 02-08 18:00 stopped"}},
		{"stop none on a weekday", []PeriodDef{weekdays9to6}, []string{"stop none 2027-02-03"}, "2027-02-03", "2027-02-05", []string{"Wed 02-03 09:00 running office", "Thu 02-04 18:00 stopped"}},
		{"stop none for a range", []PeriodDef{weekdays9to6}, []string{"stop none 2027-02-01..2027-02-03"}, "2027-02-01", "2027-02-05", []string{"Mon 02-01 09:00 running office", "Thu 02-04 18:00 stopped"}},
		{"a stop on the Saturday ends what a Friday kept on", []PeriodDef{weekdays9to6}, []string{"stop none 2027-02-05", "stop 15:00 2027-02-06"}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 09:00 running office", "Sat 02-06 15:00 stopped"}},
		{"a Saturday start, as Jandi's users asked", []PeriodDef{weekdays9to6}, []string{"start 10:00 2027-02-06"}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 10:00 running exception", "Sat 02-06 18:00 stopped"}},
		{"a Saturday start and stop", []PeriodDef{weekdays9to6}, []string{"start 10:00 2027-02-06", "stop 12:30 2027-02-06"}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 10:00 running exception", "Sat 02-06 12:30 stopped"}},
		{"a Saturday evening", []PeriodDef{weekdays9to6}, []string{"start 20:00 2027-02-06"}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 20:00 running exception", "Sun 02-07 00:00 stopped"}},
		{"a whole weekend", []PeriodDef{weekdays9to6}, []string{"start 08:00 2027-02-06..2027-02-07"}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 08:00 running exception", "Sat 02-06 18:00 stopped", "Sun 02-07 08:00 running exception", "Sun 02-07 18:00 stopped"}},
		{"a Saturday start without a stop runs until Monday's", []PeriodDef{weekdays9to6}, []string{"start 10:00 2027-02-06", "stop none 2027-02-06"}, "2027-02-06", "2027-02-09", []string{"Sat 02-06 10:00 running exception", "Mon 02-08 09:00 running office", "Mon 02-08 18:00 stopped"}},
		{"a stop on a day without a start", []PeriodDef{weekdays9to6}, []string{"stop 15:00 2027-02-06"}, "2027-02-06", "2027-02-08", nil},
		{"a removed stop on a day without a start", []PeriodDef{weekdays9to6}, []string{"stop none 2027-02-06"}, "2027-02-06", "2027-02-08", nil},

		{"a night's stop belongs to its begin day", []PeriodDef{nights}, []string{"stop 04:00 2027-02-05"}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 06:00 stopped", "Fri 02-05 22:00 running night", "Sat 02-06 04:00 stopped"}},
		{"a night cut before midnight", []PeriodDef{nights}, []string{"stop 23:30 2027-02-05"}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 06:00 stopped", "Fri 02-05 22:00 running night", "Fri 02-05 23:30 stopped"}},
		{"a night begun earlier", []PeriodDef{nights}, []string{"start 20:00 2027-02-05"}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 06:00 stopped", "Fri 02-05 20:00 running night", "Sat 02-06 06:00 stopped"}},
		{"a night left out", []PeriodDef{nights}, []string{"start none 2027-02-05"}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 06:00 stopped"}},
		{"a night on a Saturday", []PeriodDef{nights}, []string{"start 23:00 2027-02-06"}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 06:00 stopped", "Sat 02-06 23:00 running exception", "Sun 02-07 06:00 stopped"}},
		{"from the usual end of a night: until the next one", []PeriodDef{nights}, []string{"start 06:00 2027-02-07"}, "2027-02-07", "2027-02-09", []string{"Sun 02-07 06:00 running exception", "Mon 02-08 06:00 stopped", "Mon 02-08 22:00 running night"}},
		{"a night goes on, and what ends first the next day ends it", []PeriodDef{nights, {Name: "early", BeginTime: "01:00", EndTime: "07:00", Weekdays: DayField{"sat"}}}, []string{"stop none 2027-02-05"}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 06:00 stopped", "Fri 02-05 22:00 running night", "Sat 02-06 01:00 running early", "Sat 02-06 07:00 stopped"}},
		{
			"a day goes on, and a short day's end comes before that of the night before it",
			[]PeriodDef{{Name: "long", BeginTime: "20:00", EndTime: "12:00", Weekdays: DayField{"fri"}}, {Name: "short", BeginTime: "03:00", EndTime: "05:00", Weekdays: DayField{"sat"}}, weekdays9to6},
			[]string{"stop none 2027-02-04", "start 19:00 2027-02-04"},
			"2027-02-04", "2027-02-07",
			[]string{"Thu 02-04 19:00 running exception", "Fri 02-05 09:00 running office", "Fri 02-05 18:00 stopped", "Fri 02-05 20:00 running long", "Sat 02-06 03:00 running short", "Sat 02-06 05:00 running long", "Sat 02-06 12:00 stopped"},
		},

		{"the first start of two", []PeriodDef{morning, afternoon}, []string{"start 10:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 10:00 running morning", "Fri 02-05 12:00 stopped", "Fri 02-05 13:00 running afternoon", "Fri 02-05 18:00 stopped"}},
		{"a start in the lunch break", []PeriodDef{morning, afternoon}, []string{"start 12:30 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 12:30 running afternoon", "Fri 02-05 18:00 stopped"}},
		{"the last stop of two", []PeriodDef{morning, afternoon}, []string{"stop 21:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 09:00 running morning", "Fri 02-05 12:00 stopped", "Fri 02-05 13:00 running afternoon", "Fri 02-05 21:00 stopped"}},
		{"a stop in the lunch break", []PeriodDef{morning, afternoon}, []string{"stop 12:30 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 09:00 running morning", "Fri 02-05 12:00 stopped"}},
		{"a stop before lunch", []PeriodDef{morning, afternoon}, []string{"stop 11:00 2027-02-05"}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 09:00 running morning", "Fri 02-05 11:00 stopped"}},

		{"no endtime, moved start", []PeriodDef{{Name: "up", BeginTime: "09:00", Weekdays: DayField{"fri"}}}, []string{"start 07:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 00:00 any", "Fri 02-05 07:00 running up", "Sat 02-06 00:00 stopped"}},
		{"no endtime, start none", []PeriodDef{{Name: "up", BeginTime: "09:00", Weekdays: DayField{"fri"}}}, []string{"start none 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 00:00 any", "Sat 02-06 00:00 stopped"}},
		{"no begintime, moved stop", []PeriodDef{{Name: "down", EndTime: "18:00", Weekdays: DayField{"fri"}}}, []string{"stop 20:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 00:00 any", "Fri 02-05 20:00 stopped"}},
		{"no begintime, stop none", []PeriodDef{{Name: "down", EndTime: "18:00", Weekdays: DayField{"fri,mon"}}}, []string{"stop none 2027-02-05"}, "2027-02-05", "2027-02-09", []string{"Fri 02-05 00:00 any", "Mon 02-08 18:00 stopped"}},
		{"no begintime, a start", []PeriodDef{{Name: "down", EndTime: "18:00", Weekdays: DayField{"fri"}}}, []string{"start 10:00 2027-02-05"}, "2027-02-05", "2027-02-07", []string{"Fri 02-05 00:00 any", "Fri 02-05 10:00 running exception", "Fri 02-05 18:00 stopped"}},
		{"all day and night, one date off", []PeriodDef{{Name: "always", Weekdays: DayField{"*"}}}, []string{"start none 2027-02-05"}, "2027-02-04", "2027-02-07", []string{"Fri 02-05 00:00 stopped", "Sat 02-06 00:00 running always"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			def := ScheduleDef{Name: "s", Timezone: "Asia/Seoul"}
			for _, text := range test.exceptions {
				def.Exceptions = append(def.Exceptions, exception(t, text))
			}
			s := datedSchedule(t, def, test.periods...)
			at := func(date string) time.Time {
				day, err := time.ParseInLocation(time.DateOnly, date, s.Location())
				if err != nil {
					t.Fatal(err)
				}
				return day
			}
			if got := changesOf(s, at(test.from), at(test.to).Add(-time.Second)); !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestExceptionsOnClockChangeDays(t *testing.T) {
	daily := PeriodDef{Name: "day", BeginTime: "09:00", EndTime: "18:00"}
	for _, test := range []struct{ name, zone, exception, from, want string }{
		{"a start in the gap", "America/New_York", "start 02:30 2027-03-14", "2027-03-14T00:00:00-05:00", "2027-03-14T07:00:00Z"},
		{"a stop in the repeated hour, after midnight", "America/New_York", "stop 01:30 2027-11-06", "2027-11-06T23:00:00-04:00", "2027-11-07T05:30:00Z"},
		{"a start at a midnight that is skipped", "America/Sao_Paulo", "start 00:00 2018-11-04", "2018-11-03T20:00:00-03:00", "2018-11-04T03:00:00Z"},
		{"a start on a date that was skipped", "Pacific/Apia", "start 12:00 2011-12-30", "2011-12-29T18:30:00-10:00", "2011-12-30T19:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := datedSchedule(t, ScheduleDef{Name: "s", Timezone: test.zone, Exceptions: []Exception{exception(t, test.exception)}}, daily)
			if b, ok := s.NextState(instant(t, test.from)); !ok || !b.At.Equal(instant(t, test.want)) {
				t.Errorf("next change %+v, want at %s", b, test.want)
			}
		})
	}
}

func TestExceptionsYieldToOverrideStatus(t *testing.T) {
	s := datedSchedule(t, ScheduleDef{Name: "s", OverrideStatus: "stopped", Exceptions: []Exception{exception(t, "stop none 2027-02-05")}}, weekdays9to6)
	if w := s.Wanted(instant(t, "2027-02-05T20:00:00Z")); w != (Want{Stopped, OverrideReason, ""}) {
		t.Errorf("wanted %+v", w)
	}
}

func TestStopNoneWithoutAnyOtherStop(t *testing.T) {
	once := PeriodDef{Name: "once", BeginTime: "09:00", EndTime: "18:00", Weekdays: DayField{"mon"}, MonthDays: DayField{"29"}, Months: DayField{"feb"}} // 2044
	s := datedSchedule(t, ScheduleDef{Name: "s", Exceptions: []Exception{exception(t, "start 10:00 2027-02-05"), exception(t, "stop none 2027-02-05")}}, once)
	for _, at := range []string{"2027-02-05T10:00:00Z", "2030-01-01T00:00:00Z", "2040-01-01T00:00:00Z"} {
		if w := s.Wanted(instant(t, at)); w.State != Running {
			t.Errorf("at %s %+v: it has no stop to run to", at, w)
		}
	}
}

func TestStartLeadGoesBeforeAnException(t *testing.T) {
	s := datedSchedule(t, ScheduleDef{Name: "s", StartLead: 20 * time.Minute, Exceptions: []Exception{exception(t, "start 07:00 2027-02-05")}}, weekdays9to6)
	if b, ok := s.NextState(instant(t, "2027-02-05T00:00:00Z")); !ok || !b.At.Equal(instant(t, "2027-02-05T06:40:00Z")) {
		t.Errorf("next %+v", b)
	}
}

func TestSpecial(t *testing.T) {
	x := exception(t, "stop none 2027-02-05")
	x.Note = "load test"
	y := exception(t, "stop 02:00 2027-02-10")
	s := datedSchedule(t, ScheduleDef{
		Name: "s", Exceptions: []Exception{x, y}, Holidays: []*Holidays{holidays(t, "kr", "2027-02-07", "2027-02-14=tue")},
	}, weekdays9to6)
	for _, test := range []struct {
		name, at string
		want     []string
	}{
		{"an ordinary day", "2027-02-02T10:00:00Z", nil},
		{"on its date", "2027-02-05T10:00:00Z", []string{"stop none on 2027-02-05 (load test); without exceptions running would be wanted"}},
		{"kept on, two days later, on a day off", "2027-02-07T10:00:00Z", []string{
			"2027-02-07 is a day off in the calendar kr: only periods with on_holidays begin on it",
			"stop none on 2027-02-05 (load test); without exceptions stopped would be wanted",
		}},
		{"after its end", "2027-02-08T18:00:00Z", nil},
		{"into the next date", "2027-02-11T01:00:00Z", []string{"stop at 02:00 on 2027-02-10; without exceptions stopped would be wanted"}},
		{"over", "2027-02-11T03:00:00Z", nil},
		{"a make-up day", "2027-02-14T10:00:00Z", []string{"2027-02-14 is a make-up working day in the calendar kr: it counts as a Tuesday"}},
		{"a year that is not covered", "2031-02-14T10:00:00Z", []string{"calendar kr does not cover 2031: no day of that year counts as a day off or as a make-up day"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, fact := range s.Special(instant(t, test.at)).Facts() {
				got = append(got, fact.Text.String())
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestHolidays(t *testing.T) {
	always := weekdays9to6
	always.Name, always.OnHolidays, always.BeginTime, always.EndTime = "support", true, "10:00", "16:00"
	firstMonday := PeriodDef{Name: "first-monday", BeginTime: "09:00", EndTime: "10:00", Weekdays: DayField{"mon#1"}}
	ends := PeriodDef{Name: "mid-month", BeginTime: "09:00", EndTime: "10:00", Weekdays: DayField{"mon"}, MonthDays: DayField{"15"}}
	for _, test := range []struct {
		name     string
		periods  []PeriodDef
		holidays []*Holidays
		from, to string
		want     []string
	}{
		{"a day off", []PeriodDef{weekdays9to6}, []*Holidays{holidays(t, "h", "2027-02-04")}, "2027-02-04", "2027-02-06", []string{"Fri 02-05 09:00 running office", "Fri 02-05 18:00 stopped"}},
		{"on_holidays", []PeriodDef{weekdays9to6, always}, []*Holidays{holidays(t, "h", "2027-02-05")}, "2027-02-05", "2027-02-06", []string{"Fri 02-05 10:00 running support", "Fri 02-05 16:00 stopped"}},
		{"a make-up Sunday as Monday", []PeriodDef{weekdays9to6}, []*Holidays{holidays(t, "h", "2027-02-07=")}, "2027-02-06", "2027-02-08", []string{"Sun 02-07 09:00 running office", "Sun 02-07 18:00 stopped"}},
		{"a make-up Saturday as the day it names", []PeriodDef{{Name: "fridays", BeginTime: "09:00", EndTime: "12:00", Weekdays: DayField{"fri"}}}, []*Holidays{holidays(t, "h", "2027-02-06=fri", "2027-02-07=mon")}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 09:00 running fridays", "Sat 02-06 12:00 stopped"}},
		{"a weekend period does not hold on a make-up day", []PeriodDef{{Name: "weekend", BeginTime: "10:00", EndTime: "16:00", Weekdays: DayField{"sat-sun"}}}, []*Holidays{holidays(t, "h", "2027-02-07=mon")}, "2027-02-06", "2027-02-08", []string{"Sat 02-06 10:00 running weekend", "Sat 02-06 16:00 stopped"}},
		{"the first Monday stays that Monday", []PeriodDef{firstMonday}, []*Holidays{holidays(t, "h", "2027-02-06=mon")}, "2027-02-05", "2027-02-09", nil},
		{"days of the month go by the real date", []PeriodDef{ends}, []*Holidays{holidays(t, "h", "2027-05-15=mon", "2027-05-16=mon")}, "2027-05-14", "2027-05-18", []string{"Sat 05-15 09:00 running mid-month", "Sat 05-15 10:00 stopped"}},
		{"a night into a day off runs to its end", []PeriodDef{nights}, []*Holidays{holidays(t, "h", "2027-02-05")}, "2027-02-04", "2027-02-06", []string{"Thu 02-04 06:00 stopped", "Thu 02-04 22:00 running night", "Fri 02-05 06:00 stopped"}},
		{"a night out of a day off does not begin", []PeriodDef{nights}, []*Holidays{holidays(t, "h", "2027-02-04")}, "2027-02-04", "2027-02-06", []string{"Thu 02-04 06:00 stopped", "Fri 02-05 22:00 running night"}},
		{"the first calendar decides", []PeriodDef{weekdays9to6}, []*Holidays{holidays(t, "company", "2027-02-05=fri", "2027-02-07"), holidays(t, "cn", "2027-02-05", "2027-02-07=mon")}, "2027-02-05", "2027-02-08", []string{"Fri 02-05 09:00 running office", "Fri 02-05 18:00 stopped"}},
		{"days off of several calendars add up", []PeriodDef{weekdays9to6}, []*Holidays{holidays(t, "a", "2027-02-04"), holidays(t, "b", "2027-02-05")}, "2027-02-04", "2027-02-06", nil},
		{"a day off before what touches it", []PeriodDef{{Name: "all", BeginTime: "00:00", EndTime: "23:59"}}, []*Holidays{holidays(t, "h", "2027-02-05")}, "2027-02-04", "2027-02-07", []string{"Thu 02-04 23:59 stopped", "Sat 02-06 00:00 running all"}},
		{"one-sided: stopped the whole day off", []PeriodDef{{Name: "down", EndTime: "18:00"}}, []*Holidays{holidays(t, "h", "2027-02-05")}, "2027-02-05", "2027-02-07", []string{"Sat 02-06 00:00 any", "Sat 02-06 18:00 stopped"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := datedSchedule(t, ScheduleDef{Name: "s", Timezone: "Asia/Seoul", Holidays: test.holidays}, test.periods...)
			from, to := instant(t, test.from+"T00:00:00+09:00"), instant(t, test.to+"T00:00:00+09:00")
			if got := changesOf(s, from, to.Add(-time.Second)); !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

// TestAnExceptionOnADayOff starts on a date on which no period matches.
func TestAnExceptionOnADayOff(t *testing.T) {
	s := datedSchedule(t, ScheduleDef{
		Name: "s", Timezone: "Asia/Seoul", Holidays: []*Holidays{holidays(t, "kr", "2027-02-05")}, Exceptions: []Exception{exception(t, "start 13:00 2027-02-05")},
	}, weekdays9to6)
	want := []string{"Fri 02-05 13:00 running exception", "Fri 02-05 18:00 stopped"}
	if got := changesOf(s, instant(t, "2027-02-05T00:00:00+09:00"), instant(t, "2027-02-06T00:00:00+09:00")); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHolidaysOver(t *testing.T) {
	both := holidays(t, "own", "2027-02-05=fri").Over(holidays(t, "lower", "2027-02-05", "2028-01-01"))
	if both.Name() != "own" || !slices.Equal(both.Years(), []int{2027, 2028}) || both.Len() != 2 || both.Covers(2029) || both.days[DateOf(2027, 2, 5)].kind != workingDay+4 {
		t.Errorf("%+v", both)
	}
}

func TestDates(t *testing.T) {
	for _, text := range []string{"0001-01-01", "1970-01-01", "2024-02-29", "2027-02-05", "9999-12-31"} {
		if d, err := ParseDate(text); err != nil || d.String() != text || d < minDate || d > maxDate {
			t.Errorf("%s is %s (%v)", text, d, err)
		}
	}
	for _, text := range []string{"", "2027-2-5", "2027-02-29", "2027-13-01", "2027-00-10", "2027-01-00", "0000-01-01", "2027/02/05", "20270205", "2027-02-05 ", "２027-02-05", "+027-02-05"} {
		if d, err := ParseDate(text); err == nil {
			t.Errorf("%q is taken as %s", text, d)
		}
	}
	if d := DateAt(instant(t, "2027-02-05T15:00:00Z"), time.FixedZone("", 9*3600)); d.String() != "2027-02-06" || d.Weekday() != 5 || d.Year() != 2027 {
		t.Errorf("the date is %s, weekday %d", d, d.Weekday())
	}
}

func TestWhatOfDatesIsRefused(t *testing.T) {
	many := make([]Exception, MaxExceptions+1)
	for i := range many {
		many[i] = Exception{From: Date(i), To: Date(i), Type: StopException, None: true}
	}
	for _, test := range []struct {
		name       string
		exceptions []Exception
		want       string
	}{
		{"two stops on a date", []Exception{exception(t, "stop 21:00 2027-02-05"), exception(t, "stop none 2027-02-01..2027-02-28")}, `"stop none from 2027-02-01 to 2027-02-28" and "stop at 21:00 on 2027-02-05" both move the stop of 2027-02-05`},
		{"too many", many, "up to 500"},
		{"too many dates", []Exception{exception(t, "start none 2027-01-01..2036-01-01"), exception(t, "start none 2037-01-01..2046-01-01")}, "up to 3660"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(ScheduleDef{Name: "s", Periods: PeriodRefs{"office"}, Exceptions: test.exceptions}, map[string]PeriodDef{"office": weekdays9to6}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := Compile(ScheduleDef{Name: "s", Periods: PeriodRefs{"office"}, Exceptions: []Exception{exception(t, "stop 21:00 2027-02-05"), exception(t, "start 07:00 2027-02-05")}}, map[string]PeriodDef{"office": weekdays9to6}, nil); err != nil {
		t.Errorf("a start and a stop on one date: %v", err)
	}
	_, err := CompileHolidays(HolidaysDef{Days: make([]DayOffDef, MaxHolidays+1)})
	if err == nil || !strings.Contains(err.Error(), "up to 20000") {
		t.Errorf("%v", err)
	}
}

func FuzzException(f *testing.F) {
	f.Add("2027-02-05", "", "", "stop", "21:00", "", int64(0))
	f.Add("", "2027-12-27", "2027-12-31", "start", "none", "note", int64(1e9))
	f.Add("2027-02-30", "x", "", "strat", "25:00", "\xff", int64(-1e9))
	f.Add("", "0001-01-01", "0010-12-31", "stop", "None", "", int64(minInstant))
	f.Add("", "9990-01-01", "9999-12-31", "stop", "none", "", int64(maxInstant))
	f.Fuzz(func(t *testing.T, date, from, to, kind, value, note string, sec int64) {
		defer quick(t, time.Now())
		x, err := CompileException(ExceptionDef{Date: date, From: from, To: to, Type: kind, Value: value, Note: note})
		if err != nil {
			refusedWell(t, err)
			return
		}
		s, err := Compile(ScheduleDef{Name: "s", Timezone: "America/New_York", Periods: PeriodRefs{"office", "night"}, Exceptions: []Exception{x}},
			map[string]PeriodDef{"office": weekdays9to6, "night": nights}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int64{sec, int64(x.From) * daySeconds, int64(x.To+1) * daySeconds} {
			now := s.WantedUnix(at)
			if b, ok := s.Next(time.Unix(at, 0)); ok && (b.From != now || b.To == now) {
				t.Errorf("at %d %+v, then %+v", at, now, b)
			}
			s.Special(time.Unix(at, 0)).Facts()
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, text := range []string{"2027-02-05", "2024-02-29", "", "9999-12-31", "0001-01-01", "2027-02-30"} {
		f.Add(text, "mon")
	}
	f.Add("2027-02-05", "7")
	f.Fuzz(func(t *testing.T, text, as string) {
		d, err := ParseDate(text)
		if err != nil {
			refusedWell(t, err)
		} else if d.String() != text {
			t.Errorf("%q is %s", text, d)
		}
		h, err := CompileHolidays(HolidaysDef{MakeUp: []MakeUpDef{{Date: text, As: as}}})
		if err != nil {
			refusedWell(t, err)
		} else if !h.Covers(d.Year()) {
			t.Errorf("%s is not covered", d)
		}
	})
}
