package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// picture draws a day in one line: # running, . stopped, ~ any, lower-case r and s where the state changes within, a blank
// for a gap; then what is told of it.
func picture(d WeekDay) string {
	var b strings.Builder
	b.WriteString(d.Date.String()[5:] + " |")
	for _, c := range d.Cells {
		mark := map[State]byte{Running: '#', Stopped: '.', Any: '~'}[c.State]
		switch {
		case c.Gap:
			mark = ' '
		case c.Mixed && c.State == Running:
			mark = 'r'
		case c.Mixed && c.State == Stopped:
			mark = 's'
		}
		b.WriteByte(mark)
	}
	b.WriteByte('|')
	for _, c := range d.Changes {
		fmt.Fprintf(&b, " %s %s", c.Clock, c.To.State)
	}
	switch d.Kind {
	case DayOff:
		fmt.Fprintf(&b, "; day off in %s: %s", d.Calendar, d.Holiday)
	case MakeUpDay:
		fmt.Fprintf(&b, "; make-up day in %s as %s: %s", d.Calendar, weekdayNames[d.As], d.Holiday)
	}
	if len(d.Uncovered) > 0 {
		fmt.Fprintf(&b, "; not covered by %s", strings.Join(d.Uncovered, ", "))
	}
	if len(d.Exceptions) > 0 {
		fmt.Fprintf(&b, "; %s", strings.Join(d.Exceptions, ", "))
	}
	if d.Skipped {
		b.WriteString("; skipped")
	}
	return b.String()
}

func TestWeek(t *testing.T) {
	china := func() *Holidays {
		def := HolidaysDef{Name: "cn"}
		for day := 1; day <= 7; day++ {
			def.Days = append(def.Days, DayOffDef{Date: fmt.Sprintf("2026-10-%02d", day), Name: "National Day"})
		}
		def.MakeUp = []MakeUpDef{{Date: "2026-09-20", Name: "National Day"}, {Date: "2026-10-10", As: "thu", Name: "National Day"}}
		h, err := CompileHolidays(def)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}()
	fullTime := PeriodDef{Name: "office", BeginTime: "09:10", EndTime: "18:00", Weekdays: DayField{"mon-fri"}}
	for _, test := range []struct {
		name    string
		zone    string
		periods []PeriodDef
		def     ScheduleDef
		of      string
		step    Step
		want    []string // of the days that the test is about, from the Monday on
	}{
		{
			"an office week in Seoul", "Asia/Seoul",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{},
			"2027-02-04", Hours,
			[]string{
				"02-01 |.........#########......| 09:00 running 18:00 stopped",
				"02-02 |.........#########......| 09:00 running 18:00 stopped",
				"02-03 |.........#########......| 09:00 running 18:00 stopped",
				"02-04 |.........#########......| 09:00 running 18:00 stopped",
				"02-05 |.........#########......| 09:00 running 18:00 stopped",
				"02-06 |........................|",
				"02-07 |........................|",
			},
		},
		{
			"a begin within a cell", "Asia/Seoul",
			[]PeriodDef{fullTime},
			ScheduleDef{StartLead: 90 * time.Second},
			"2027-02-01", HalfHours,
			[]string{"02-01 |..................s#################............| 09:08:30 running 18:00 stopped"},
		},
		{
			"nights into a day off, which runs to its end, and out of it", "Asia/Seoul",
			[]PeriodDef{nights},
			ScheduleDef{Holidays: []*Holidays{holidays(t, "kr", "2027-02-08")}},
			"2027-02-05", Hours,
			[]string{
				"02-01 |......................##| 22:00 running",
				"02-02 |######................##| 06:00 stopped 22:00 running",
				"02-03 |######................##| 06:00 stopped 22:00 running",
				"02-04 |######................##| 06:00 stopped 22:00 running",
				"02-05 |######................##| 06:00 stopped 22:00 running",
				"02-06 |######..................| 06:00 stopped",
				"02-07 |........................|",
			},
		},
		{
			"the week after: the night of the day off is left out", "Asia/Seoul",
			[]PeriodDef{nights},
			ScheduleDef{Holidays: []*Holidays{holidays(t, "kr", "2027-02-09")}},
			"2027-02-08", Hours,
			[]string{
				"02-08 |......................##| 22:00 running",
				"02-09 |######..................| 06:00 stopped; day off in kr: ",
				"02-10 |......................##| 22:00 running",
			},
		},
		{
			"China's National Day week of 2026", "Asia/Shanghai",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{Holidays: []*Holidays{china}},
			"2026-10-05", Hours,
			[]string{
				"10-05 |........................|; day off in cn: National Day",
				"10-06 |........................|; day off in cn: National Day",
				"10-07 |........................|; day off in cn: National Day",
				"10-08 |.........#########......| 09:00 running 18:00 stopped",
				"10-09 |.........#########......| 09:00 running 18:00 stopped",
				"10-10 |.........#########......| 09:00 running 18:00 stopped; make-up day in cn as thursday: National Day",
				"10-11 |........................|",
			},
		},
		{
			"the week before it, and its make-up Sunday", "Asia/Shanghai",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{Holidays: []*Holidays{china}},
			"2026-09-20", Hours,
			[]string{
				"09-14 |.........#########......| 09:00 running 18:00 stopped",
				"09-15 |.........#########......| 09:00 running 18:00 stopped",
				"09-16 |.........#########......| 09:00 running 18:00 stopped",
				"09-17 |.........#########......| 09:00 running 18:00 stopped",
				"09-18 |.........#########......| 09:00 running 18:00 stopped",
				"09-19 |........................|",
				"09-20 |.........#########......| 09:00 running 18:00 stopped; make-up day in cn as monday: National Day",
			},
		},
		{
			"over the turn of a year that the calendar does not know", "Asia/Shanghai",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{Holidays: []*Holidays{china}},
			"2026-12-31", Hours,
			[]string{
				"12-28 |.........#########......| 09:00 running 18:00 stopped",
				"12-29 |.........#########......| 09:00 running 18:00 stopped",
				"12-30 |.........#########......| 09:00 running 18:00 stopped",
				"12-31 |.........#########......| 09:00 running 18:00 stopped",
				"01-01 |.........#########......| 09:00 running 18:00 stopped; not covered by cn",
				"01-02 |........................|; not covered by cn",
			},
		},
		{
			"the gap in spring", "America/New_York",
			[]PeriodDef{{Name: "night", BeginTime: "02:30", EndTime: "05:00", Weekdays: DayField{"sat-sun"}}},
			ScheduleDef{},
			"2027-03-14", HalfHours,
			[]string{
				"03-08 |................................................|",
				"03-09 |................................................|",
				"03-10 |................................................|",
				"03-11 |................................................|",
				"03-12 |................................................|",
				"03-13 |.....#####......................................| 02:30 running 05:00 stopped",
				"03-14 |....  ####......................................| 03:00 running 05:00 stopped",
			},
		},
		{
			"the gap of half an hour", "Australia/Lord_Howe",
			[]PeriodDef{{Name: "night", BeginTime: "02:15", EndTime: "03:00"}},
			ScheduleDef{},
			"2027-10-03", HalfHours,
			[]string{
				"09-27 |....s#..........................................| 02:15 running 03:00 stopped",
				"09-28 |....s#..........................................| 02:15 running 03:00 stopped",
				"09-29 |....s#..........................................| 02:15 running 03:00 stopped",
				"09-30 |....s#..........................................| 02:15 running 03:00 stopped",
				"10-01 |....s#..........................................| 02:15 running 03:00 stopped",
				"10-02 |....s#..........................................| 02:15 running 03:00 stopped",
				"10-03 |.... #..........................................| 02:30 running 03:00 stopped",
			},
		},
		{
			"the hour that comes twice", "America/New_York",
			[]PeriodDef{{Name: "night", BeginTime: "00:30", EndTime: "01:30", Weekdays: DayField{"sun"}}},
			ScheduleDef{},
			"2027-11-07", HalfHours,
			[]string{
				"11-01 |................................................|", "11-02 |................................................|",
				"11-03 |................................................|", "11-04 |................................................|",
				"11-05 |................................................|", "11-06 |................................................|",
				"11-07 |.##.............................................| 00:30 running 01:30 stopped",
			},
		},
		{
			"a day without a midnight", "Africa/Cairo",
			[]PeriodDef{{Name: "day", Weekdays: DayField{"fri"}}},
			ScheduleDef{},
			"2023-04-28", Hours,
			[]string{
				"04-24 |........................|", "04-25 |........................|", "04-26 |........................|", "04-27 |........................|",
				"04-28 | #######################| 01:00 running",
				"04-29 |........................| 00:00 stopped",
			},
		},
		{
			"a day that was left out", "Pacific/Apia",
			[]PeriodDef{{Name: "day", BeginTime: "09:00", EndTime: "12:00"}},
			ScheduleDef{Holidays: []*Holidays{holidays(t, "ws", "2011-12-31")}},
			"2011-12-30", Hours,
			[]string{
				"12-26 |.........###............| 09:00 running 12:00 stopped", "12-27 |.........###............| 09:00 running 12:00 stopped",
				"12-28 |.........###............| 09:00 running 12:00 stopped", "12-29 |.........###............| 09:00 running 12:00 stopped",
				"12-30 |                        |; skipped",
				"12-31 |........................|; day off in ws: ",
			},
		},
		{
			"an exception on a Saturday, as Jandi's users asked", "Asia/Seoul",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{Exceptions: []Exception{exception(t, "start 10:00 2027-02-06"), exception(t, "stop 12:30 2027-02-06")}},
			"2027-02-06", Hours,
			[]string{
				"02-01 |.........#########......| 09:00 running 18:00 stopped", "02-02 |.........#########......| 09:00 running 18:00 stopped",
				"02-03 |.........#########......| 09:00 running 18:00 stopped", "02-04 |.........#########......| 09:00 running 18:00 stopped",
				"02-05 |.........#########......| 09:00 running 18:00 stopped",
				"02-06 |..........##r...........| 10:00 running 12:30 stopped; start at 10:00 on 2027-02-06, stop at 12:30 on 2027-02-06",
				"02-07 |........................|",
			},
		},
		{
			"a stop that is left out reaches over a weekend", "Asia/Seoul",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{Exceptions: []Exception{exception(t, "stop none 2027-02-05")}},
			"2027-02-05", Hours,
			[]string{
				"02-01 |.........#########......| 09:00 running 18:00 stopped", "02-02 |.........#########......| 09:00 running 18:00 stopped",
				"02-03 |.........#########......| 09:00 running 18:00 stopped", "02-04 |.........#########......| 09:00 running 18:00 stopped",
				"02-05 |.........###############| 09:00 running; stop none on 2027-02-05",
				"02-06 |########################|; stop none on 2027-02-05",
				"02-07 |########################|; stop none on 2027-02-05",
			},
		},
		{
			"a release night tells its exception on the next date too", "Asia/Seoul",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{Exceptions: []Exception{exception(t, "stop 02:00 2027-02-01")}},
			"2027-02-01", Hours,
			[]string{
				"02-01 |.........###############| 09:00 running; stop at 02:00 on 2027-02-01",
				"02-02 |##.......#########......| 02:00 stopped 09:00 running 18:00 stopped; stop at 02:00 on 2027-02-01",
				"02-03 |.........#########......| 09:00 running 18:00 stopped",
			},
		},
		{
			"only a stop: any before it", "UTC",
			[]PeriodDef{{Name: "evening", EndTime: "20:15"}},
			ScheduleDef{},
			"2027-02-01", Hours,
			[]string{"02-01 |~~~~~~~~~~~~~~~~~~~~~...| 00:00 any 20:15 stopped"},
		},
		{
			"held running by its override_status", "UTC",
			[]PeriodDef{weekdays9to6},
			ScheduleDef{OverrideStatus: "running"},
			"2027-02-01", 7,
			[]string{"02-01 |################################################|"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			def := test.def
			def.Name, def.Timezone = "s", test.zone
			s := datedSchedule(t, def, test.periods...)
			of, err := ParseDate(test.of)
			if err != nil {
				t.Fatal(err)
			}
			week := s.Week(of, test.step)
			var got []string
			for i, d := range week.Days {
				if i < len(test.want) {
					got = append(got, picture(d))
				}
				if d.Weekday != i || d.Date != week.Monday+Date(i) || len(d.Cells)*int(week.Step) != 24*60 {
					t.Errorf("%s: weekday %d, %d cells of %d minutes", d.Date, d.Weekday, len(d.Cells), week.Step)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWeekNamesItsReasons(t *testing.T) {
	s := datedSchedule(t, ScheduleDef{Name: "s", Exceptions: []Exception{exception(t, "start 10:00 2027-02-06")}}, morning, afternoon)
	week := s.Week(DateOf(2027, 2, 6), Hours)
	for _, test := range []struct {
		day, hour int
		want      string
	}{{0, 9, "morning"}, {0, 13, "afternoon"}, {0, 12, ""}, {5, 10, ExceptionReason}} {
		if got := week.Days[test.day].Cells[test.hour].Period; got != test.want {
			t.Errorf("day %d at %d: %q, want %q", test.day, test.hour, got, test.want)
		}
	}
	if got := week.Days[0].Changes[1]; got.From.Period != "morning" || got.To.State != Stopped || !got.At.Equal(instant(t, "2027-02-01T12:00:00Z")) {
		t.Errorf("%+v", got)
	}
}

func TestWeekOf(t *testing.T) {
	for text, want := range map[string]string{
		"2027-02-01": "2027-02-01", "2027-02-05": "2027-02-01", "2027-02-07": "2027-02-01", "2027-01-01": "2026-12-28", "0001-01-01": "0001-01-01", "1969-12-31": "1969-12-29",
	} {
		date, err := ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := WeekOf(date).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	s := datedSchedule(t, ScheduleDef{Name: "s"}, weekdays9to6)
	for of, want := range map[Date]string{-1 << 62: "0001-01-01", 1 << 62: "9999-12-27", maxDate: "9999-12-27"} {
		if got := s.Week(of, Hours); got.Monday.String() != want {
			t.Errorf("%d: %s, want %s", of, got.Monday, want)
		}
	}
}

// TestWeekCells asks the schedule at every fifth minute, from a random one on, of weeks around clock changes: a minute's state is that of its cell, unless
// the cell is mixed, and no minute is in a gap; the changes are those that Boundaries tells of the week, each in its day.
func TestWeekCells(t *testing.T) {
	zones := []string{"Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu"}
	dates := []Date{DateOf(2027, 3, 14), DateOf(2027, 11, 7), DateOf(2027, 4, 4), DateOf(2027, 10, 3), DateOf(2011, 12, 30), DateOf(2023, 4, 28), DateOf(2027, 3, 28), DateOf(2027, 10, 31)}
	rapid.Check(t, func(r *rapid.T) {
		at := func(label string) string {
			m := rapid.IntRange(0, 24*60-1).Draw(r, label)
			return TimeOfDay(m).String()
		}
		p := PeriodDef{Name: "p", BeginTime: at("begin"), EndTime: at("end"), Weekdays: DayField{rapid.SampledFrom([]string{"*", "mon-fri", "sun", "fri-sat"}).Draw(r, "weekdays")}}
		if p.BeginTime == p.EndTime {
			p.EndTime = ""
		}
		s, err := Compile(ScheduleDef{Name: "s", Periods: PeriodRefs{"p"}, Timezone: rapid.SampledFrom(zones).Draw(r, "zone"), StartLead: time.Duration(rapid.IntRange(0, 100).Draw(r, "lead")) * time.Minute}, map[string]PeriodDef{"p": p}, nil)
		if err != nil {
			r.Fatal(err)
		}
		week := s.Week(rapid.SampledFrom(dates).Draw(r, "date"), rapid.SampledFrom([]Step{QuarterHours, HalfHours, Hours}).Draw(r, "step"))
		noon := time.Date(week.Monday.Year(), 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(week.Monday-DateOf(week.Monday.Year(), 1, 1)))
		var changes []Boundary
		for _, d := range week.Days {
			for _, c := range d.Changes {
				changes = append(changes, c.Boundary)
			}
		}
		for m := rapid.IntRange(0, 4).Draw(r, "phase"); m < 7*24*60; m += 5 {
			at := noon.Add(time.Duration(m) * time.Minute)
			local := at.In(s.Location())
			i := int(DateAt(at, s.Location()) - week.Monday)
			if i < 0 || i > 6 {
				continue
			}
			cell := week.Days[i].Cells[(local.Hour()*60+local.Minute())/int(week.Step)]
			_, before := at.Add(-3 * time.Hour).In(s.Location()).Zone()
			_, now := local.Zone()
			if repeated := now < before; !cell.Gap && !cell.Mixed && !repeated && cell.State != s.Wanted(at).State || cell.Gap {
				r.Fatalf("%s: %+v, wanted %v", local, cell, s.Wanted(at))
			}
		}
		first, last := week.Days[0], week.Days[6]
		var want []Boundary
		from := time.Unix(instantOf(offsetsIn(nil, s.loc, int64(first.Date)*daySeconds-zoneReach, int64(first.Date)*daySeconds+zoneReach), int64(first.Date)*daySeconds), 0)
		to := time.Unix(instantOf(offsetsIn(nil, s.loc, int64(last.Date)*daySeconds-zoneReach, int64(last.Date+1)*daySeconds+zoneReach), int64(last.Date+1)*daySeconds), 0)
		for b := range s.Boundaries(from.Add(-time.Second), to.Add(-time.Second)) {
			want = append(want, b)
		}
		if diff := cmp.Diff(want, changes); diff != "" {
			r.Fatalf("changes (-want +got):\n%s", diff)
		}
	})
}
