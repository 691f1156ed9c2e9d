package calendar

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// schedule compiles one period, or several in the order of their names p0, p1 …
func schedule(t testing.TB, zone string, periods ...PeriodDef) *Schedule {
	t.Helper()
	def := ScheduleDef{Name: "s", Timezone: zone}
	defs := map[string]PeriodDef{}
	for i, p := range periods {
		name := "p" + string(rune('0'+i))
		def.Periods = append(def.Periods, name)
		defs[name] = p
	}
	s, err := Compile(def, defs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// timeline prints the changes of state between two instants on the local clock, as "begin: running p0 at …".
func timeline(t testing.TB, s *Schedule, from, to string) []string {
	t.Helper()
	const clock = "Mon 2006-01-02 15:04 -07:00"
	first := s.Wanted(instant(t, from))
	out := []string{strings.TrimSpace(first.State.String() + " " + first.Period)}
	for b := range s.Boundaries(instant(t, from), instant(t, to)) {
		out = append(out, strings.TrimSpace(b.At.In(s.Location()).Format(clock)+" "+b.To.State.String()+" "+b.To.Period))
	}
	return out
}

// TestTimeline tells the days that go wrong elsewhere, as people see them on their clock.
func TestTimeline(t *testing.T) {
	for _, tc := range []struct {
		name     string
		zone     string
		periods  []PeriodDef
		from, to string
		want     []string
	}{
		{
			name: "office hours over a weekend", zone: "Asia/Seoul",
			periods: []PeriodDef{{BeginTime: "9:00", EndTime: "18:00", Weekdays: DayField{"mon-fri"}}},
			from:    "2026-01-02T00:00:00+09:00", to: "2026-01-06T00:00:00+09:00",
			want: []string{
				"stopped", "Fri 2026-01-02 09:00 +09:00 running p0", "Fri 2026-01-02 18:00 +09:00 stopped",
				"Mon 2026-01-05 09:00 +09:00 running p0", "Mon 2026-01-05 18:00 +09:00 stopped",
			},
		},
		{
			name: "the gap in spring: 02:30 takes effect once, at 03:00", zone: "America/New_York",
			periods: []PeriodDef{{BeginTime: "02:30", EndTime: "05:00"}},
			from:    "2024-03-10T00:00:00-05:00", to: "2024-03-11T00:00:00-04:00",
			want: []string{"stopped", "Sun 2024-03-10 03:00 -04:00 running p0", "Sun 2024-03-10 05:00 -04:00 stopped"},
		},
		{
			name: "the gap of half an hour", zone: "Australia/Lord_Howe",
			periods: []PeriodDef{{BeginTime: "02:15", EndTime: "05:00"}},
			from:    "2024-10-06T00:00:00+10:30", to: "2024-10-07T00:00:00+11:00",
			want: []string{"stopped", "Sun 2024-10-06 02:30 +11:00 running p0", "Sun 2024-10-06 05:00 +11:00 stopped"},
		},
		{
			name: "the gap of two hours", zone: "Antarctica/Troll",
			periods: []PeriodDef{{BeginTime: "02:30", EndTime: "05:00"}},
			from:    "2024-03-31T00:00:00Z", to: "2024-03-31T20:00:00Z",
			want: []string{"stopped", "Sun 2024-03-31 03:00 +02:00 running p0", "Sun 2024-03-31 05:00 +02:00 stopped"},
		},
		{
			name: "the hour that comes twice: 01:30 takes effect once, the first time", zone: "America/New_York",
			periods: []PeriodDef{{BeginTime: "01:30", EndTime: "03:00"}},
			from:    "2024-11-03T00:00:00-04:00", to: "2024-11-04T00:00:00-05:00",
			want: []string{"stopped", "Sun 2024-11-03 01:30 -04:00 running p0", "Sun 2024-11-03 03:00 -05:00 stopped"},
		},
		{
			name: "a stop inside the hour that comes twice does not flap", zone: "America/New_York",
			periods: []PeriodDef{{BeginTime: "00:30", EndTime: "01:30"}},
			from:    "2024-11-03T00:00:00-04:00", to: "2024-11-04T00:00:00-05:00",
			want: []string{"stopped", "Sun 2024-11-03 00:30 -04:00 running p0", "Sun 2024-11-03 01:30 -04:00 stopped"},
		},
		{
			name: "a day without a midnight begins at 01:00", zone: "America/Sao_Paulo",
			periods: []PeriodDef{{Weekdays: DayField{"sun"}}},
			from:    "2018-11-03T12:00:00-03:00", to: "2018-11-05T12:00:00-02:00",
			want: []string{"stopped", "Sun 2018-11-04 01:00 -02:00 running p0", "Mon 2018-11-05 00:00 -02:00 stopped"},
		},
		{
			name: "the day that Samoa left out", zone: "Pacific/Apia",
			periods: []PeriodDef{{BeginTime: "09:00", EndTime: "17:00", Weekdays: DayField{"thu-fri"}}},
			from:    "2011-12-29T00:00:00-10:00", to: "2012-01-02T00:00:00+14:00",
			want: []string{"stopped", "Thu 2011-12-29 09:00 -10:00 running p0", "Thu 2011-12-29 17:00 -10:00 stopped"},
		},
		{
			name: "a night belongs to the day it begins on", zone: "UTC",
			periods: []PeriodDef{{BeginTime: "22:00", EndTime: "06:00", Weekdays: DayField{"fri"}}},
			from:    "2024-03-01T00:00:00Z", to: "2024-03-04T00:00:00Z",
			want: []string{"stopped", "Fri 2024-03-01 22:00 +00:00 running p0", "Sat 2024-03-02 06:00 +00:00 stopped"},
		},
		{
			name: "an end at 24:00 and one at 00:00 are the next midnight", zone: "UTC",
			periods: []PeriodDef{
				{BeginTime: "18:00", EndTime: "24:00", Weekdays: DayField{"mon"}},
				{BeginTime: "18:00", EndTime: "00:00", Weekdays: DayField{"wed"}},
			},
			from: "2024-03-04T12:00:00Z", to: "2024-03-08T00:00:00Z",
			want: []string{
				"stopped", "Mon 2024-03-04 18:00 +00:00 running p0", "Tue 2024-03-05 00:00 +00:00 stopped",
				"Wed 2024-03-06 18:00 +00:00 running p1", "Thu 2024-03-07 00:00 +00:00 stopped",
			},
		},
		{
			name: "a stop at 23:59 happens, however rarely one looks", zone: "UTC",
			periods: []PeriodDef{{EndTime: "23:59"}},
			from:    "2024-03-04T12:00:00Z", to: "2024-03-05T12:00:00Z",
			want: []string{"any", "Mon 2024-03-04 23:59 +00:00 stopped", "Tue 2024-03-05 00:00 +00:00 any"},
		},
		{
			name: "periods that touch are one", zone: "UTC",
			periods: []PeriodDef{
				{BeginTime: "09:00", EndTime: "12:00"}, {BeginTime: "12:01", EndTime: "23:59"}, {BeginTime: "00:00", EndTime: "02:00"},
			},
			from: "2024-03-04T10:00:00Z", to: "2024-03-05T09:00:00Z",
			want: []string{
				"running p0", "Mon 2024-03-04 12:00 +00:00 running p1", "Mon 2024-03-04 23:59 +00:00 running p2",
				"Tue 2024-03-05 02:00 +00:00 stopped", "Tue 2024-03-05 09:00 +00:00 running p0",
			},
		},
		{
			name: "in the minute before, the reason is the one that will be it", zone: "UTC",
			periods: []PeriodDef{
				{Weekdays: DayField{"sat"}},
				{BeginTime: "00:00", EndTime: "06:00", Weekdays: DayField{"sat"}},
				{BeginTime: "20:00", EndTime: "23:59", Weekdays: DayField{"fri"}},
			},
			from: "2024-03-01T22:00:00Z", to: "2024-03-02T12:00:00Z",
			want: []string{"running p2", "Fri 2024-03-01 23:59 +00:00 running p1", "Sat 2024-03-02 06:00 +00:00 running p0"},
		},
		{
			name: "a minute of the clock that lasts an hour is still a minute", zone: "America/New_York",
			periods: []PeriodDef{{BeginTime: "00:00", EndTime: "01:59"}, {BeginTime: "02:00", EndTime: "04:00"}},
			from:    "2024-11-03T00:00:00-04:00", to: "2024-11-03T12:00:00-05:00",
			want: []string{"running p0", "Sun 2024-11-03 01:59 -04:00 running p1", "Sun 2024-11-03 04:00 -05:00 stopped"},
		},
		{
			name: "the last minute before a day off", zone: "UTC",
			periods: []PeriodDef{{BeginTime: "00:00", EndTime: "23:59", Weekdays: DayField{"mon-fri"}}},
			from:    "2024-03-07T12:00:00Z", to: "2024-03-11T12:00:00Z",
			want: []string{"running p0", "Fri 2024-03-08 23:59 +00:00 stopped", "Mon 2024-03-11 00:00 +00:00 running p0"},
		},
		{
			name: "a period without a begin yields to one with", zone: "UTC",
			periods: []PeriodDef{{Weekdays: DayField{"sat"}}, {BeginTime: "22:00", EndTime: "06:00", Weekdays: DayField{"fri"}}},
			from:    "2024-03-01T12:00:00Z", to: "2024-03-03T12:00:00Z",
			want: []string{
				"stopped", "Fri 2024-03-01 22:00 +00:00 running p1", "Sat 2024-03-02 06:00 +00:00 running p0",
				"Sun 2024-03-03 00:00 +00:00 stopped",
			},
		},
		{
			name: "29 February", zone: "UTC",
			periods: []PeriodDef{{MonthDays: DayField{"29"}, Months: DayField{"feb"}}},
			from:    "2096-03-01T00:00:00Z", to: "2105-01-01T00:00:00Z",
			want: []string{"stopped", "Fri 2104-02-29 00:00 +00:00 running p0", "Sat 2104-03-01 00:00 +00:00 stopped"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := timeline(t, schedule(t, tc.zone, tc.periods...), tc.from, tc.to)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDayExpressions is the table of the semantics' second section, one month each that shows it.
func TestDayExpressions(t *testing.T) {
	for _, tc := range []struct {
		field, text string
		year, month int
		want        []int
	}{
		{fieldMonthDays, "L", 2024, 2, []int{29}},
		{fieldMonthDays, "25W", 2024, 5, []int{24}}, // a Saturday
		{fieldMonthDays, "25W", 2024, 8, []int{26}}, // a Sunday
		{fieldMonthDays, "1W", 2024, 6, []int{3}},   // a Saturday, and there is no day before
		{fieldMonthDays, "31W", 2024, 3, []int{29}}, // a Sunday, and there is no day after
		{fieldMonthDays, "30W", 2024, 2, []int{}},   // no such day
		{fieldMonthDays, "1/15", 2024, 1, []int{1, 16, 31}},
		{fieldMonthDays, "1/10", 2024, 2, []int{1, 11, 21}},
		{fieldMonthDays, "20-L/5", 2023, 2, []int{20, 25}},
		{fieldMonthDays, "30-L", 2024, 2, []int{}},
		{fieldMonthDays, "^,007", 2024, 2, []int{1, 7}},
		{fieldWeekdays, "friL", 2024, 2, []int{23}},
		{fieldWeekdays, "4L", 2024, 3, []int{29}},
		{fieldWeekdays, "mon#1", 2024, 4, []int{1}},
		{fieldWeekdays, "mon#05", 2024, 4, []int{29}},
		{fieldWeekdays, "mon#5", 2024, 5, []int{}},
		{fieldWeekdays, "sat-tue/2", 2024, 9, []int{2, 7, 9, 14, 16, 21, 23, 28, 30}},
		{fieldWeekdays, "L", 2024, 9, []int{1, 8, 15, 22, 29}},
		{fieldMonths, "Jan/3", 2024, 1, []int{1, 4, 7, 10}},
		{fieldMonths, "nov-feb", 2024, 1, []int{1, 2, 11, 12}},
		{fieldMonths, "nov - feb / 2", 2024, 1, []int{1, 11}},
		{fieldMonths, "sept,$", 2024, 1, []int{9, 12}},
		{fieldMonths, " ", 2024, 1, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
	} {
		var got []int
		var err error
		switch tc.field {
		case fieldWeekdays:
			var w Weekdays
			w, err = ParseWeekdays(DayField{tc.text})
			got = w.Days(tc.year, tc.month)
		case fieldMonthDays:
			var d MonthDays
			d, err = ParseMonthDays(DayField{tc.text})
			got = d.Days(tc.year, tc.month)
		default:
			var m Months
			m, err = ParseMonths(DayField{tc.text})
			got = m.Months()
		}
		if err != nil || !cmp.Equal(got, tc.want) {
			t.Errorf("%s %q in %d-%02d: got %v, want %v (%v)", tc.field, tc.text, tc.year, tc.month, got, tc.want, err)
		}
	}
}

func TestPrintedFields(t *testing.T) {
	for _, tc := range []struct{ field, text, want string }{
		{fieldWeekdays, "fri-mon", "mon,fri-sun"},
		{fieldWeekdays, "4L, mon#1, 6, monday#02", "sun,mon#1,mon#2,friL"},
		{fieldWeekdays, "mon#1,mon#2,mon#3,mon#4,mon#5", "mon"},
		{fieldWeekdays, "?", "*"},
		{fieldMonthDays, "L,15W,1-3,3,4,9/11", "1-4,9,20,31,15W,L"},
		{fieldMonthDays, "1/1,31W,L", "*"},
		{fieldMonthDays, "", "*"},
		{fieldMonths, "$,^,jun-aug", "jan,jun-aug,dec"},
	} {
		var got interface{ String() string }
		var err error
		switch tc.field {
		case fieldWeekdays:
			got, err = ParseWeekdays(DayField{tc.text})
		case fieldMonthDays:
			got, err = ParseMonthDays(DayField{tc.text})
		default:
			got, err = ParseMonths(DayField{tc.text})
		}
		if err != nil || got.String() != tc.want {
			t.Errorf("%s %q: printed %q, want %q (%v)", tc.field, tc.text, got, tc.want, err)
		}
	}
}

// TestWhatIsRefused shows each fault as a user reads it.
func TestWhatIsRefused(t *testing.T) {
	office := PeriodDef{BeginTime: "09:00", EndTime: "18:00"}
	for _, tc := range []struct {
		name    string
		def     ScheduleDef
		periods map[string]PeriodDef
		want    []string // the beginning of each line
	}{
		{
			name: "a typing slip in a weekday", def: ScheduleDef{Name: "s", Periods: PeriodRefs{"office"}},
			periods: map[string]PeriodDef{"office": {Weekdays: DayField{"mon", "wensday"}}},
			want: []string{
				`schedule "s": period "office": weekdays: "wensday" is not a weekday; allowed: ` + allowedWeekdays.String() +
					`; did you mean "wednesday"?`,
			},
		},
		{
			name: "several at once", def: ScheduleDef{Name: "s", Timezone: "Asia/Soul", Periods: PeriodRefs{"office", "ofice", "x@"}},
			periods: map[string]PeriodDef{"office": {BeginTime: "25:00", Weekdays: DayField{"7,fun"}}},
			want: []string{
				`schedule "s": periods: "x@" has no instance type after the @`,
				`schedule "s": period "office": begintime: "25:00" is not on the clock; allowed: H:MM or HH:MM`,
				`schedule "s": period "office": weekdays: "7" is outside 0 … 6`,
				`schedule "s": period "office": weekdays: "fun" is not a weekday`,
				`schedule "s": timezone: "Asia/Soul" is not a time zone that this machine knows`,
				`schedule "s": periods: "ofice" names a period that does not exist; did you mean "office"?`,
			},
		},
		{
			name: "the same time twice", def: ScheduleDef{Periods: PeriodRefs{"p"}},
			periods: map[string]PeriodDef{"p": {BeginTime: "9:00", EndTime: "09:00"}},
			want:    []string{`period "p": endtime: "09:00" is the begintime too: the period begins and ends at the same time; leave both out`},
		},
		{
			name: "nothing said", def: ScheduleDef{Periods: PeriodRefs{"p"}},
			periods: map[string]PeriodDef{"p": {Description: "always", Weekdays: DayField{""}}},
			want:    []string{`period "p": says neither a time nor a day; allowed: at least one of begintime`},
		},
		{
			name: "a second @", def: ScheduleDef{Periods: PeriodRefs{"office@a@b", "@t3.small", "office@", "", "office@a b"}},
			periods: map[string]PeriodDef{"office": office},
			want: []string{
				`periods: "office@a@b" has a second @`, `periods: "@t3.small" has no period before the @`,
				`periods: "office@" has no instance type after the @`, `periods: has an empty item; `, `periods: "office@a b" has an instance type with a blank`,
			},
		},
		{
			name: "another period's name", def: ScheduleDef{Periods: PeriodRefs{"nightly"}},
			periods: map[string]PeriodDef{"office": office, "weekend": office},
			want:    []string{`periods: "nightly" names a period that does not exist; allowed: "office" or "weekend"`},
		},
		{
			name: "an unknown status", def: ScheduleDef{OverrideStatus: "runing"},
			want: []string{`override_status: "runing" is not a status; allowed: running or stopped; did you mean "running"?`},
		},
		{
			name: "a lead out of bounds", def: ScheduleDef{StartLead: 25 * time.Hour},
			want: []string{`start_lead: "25h0m0s" is out of range; allowed: 0 to 24h0m0s`},
		},
		{
			name: "too many periods", def: ScheduleDef{Periods: slices.Repeat(PeriodRefs{"office"}, MaxPeriods+1)},
			periods: map[string]PeriodDef{"office": office},
			want:    []string{`periods: has 101 periods; allowed: up to 100`},
		},
		{
			name: "an endless field", def: ScheduleDef{Periods: PeriodRefs{"p"}},
			periods: map[string]PeriodDef{"p": {MonthDays: DayField{strings.Repeat("1,", 3000)}}},
			want:    []string{`period "p": monthdays: "1,1,`},
		},
		{
			name: "a month too many, and an L", def: ScheduleDef{Periods: PeriodRefs{"p"}},
			periods: map[string]PeriodDef{"p": {Name: "ignored", Months: DayField{"13", "jan-L"}}},
			want:    []string{`period "p": months: "13" is outside 1 … 12`, `period "p": months: "jan-L" ends in L, which has no meaning in months`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Compile(tc.def, tc.periods, nil)
			if err == nil {
				t.Fatalf("accepted: %+v", s.members)
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tc.want) || len(Faults(err)) != len(got) {
				t.Fatalf("%d faults, want %d:\n%s", len(got), len(tc.want), err)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tc.want[i]) {
					t.Errorf("got  %s\nwant %s …", got[i], tc.want[i])
				}
			}
		})
	}
	if _, err := CompilePeriod(PeriodDef{Name: "a@b", BeginTime: "9:00"}); err == nil {
		t.Error("a period whose name holds an @ is accepted")
	}
	if _, err := CompileWith(ScheduleDef{Periods: PeriodRefs{"p"}}, map[string]*Period{"p": nil}, nil); err == nil {
		t.Error("a schedule with a refused period is accepted")
	}
}

func TestLoadZone(t *testing.T) {
	for _, name := range knownZones() {
		loc, err := LoadZone(name)
		if err != nil || loc.String() != name {
			t.Errorf("%s: %v, %v", name, loc, err)
		}
	}
	for name, hint := range map[string]string{
		"": "", "Local": "name the zone", "localtime": "name the zone", "/etc/localtime": "", "../etc/passwd": "",
		"Europe/../UTC": "", "europe/berlin": `did you mean "Europe/Berlin"?`, "utc": `did you mean "UTC"?`,
		"Asia/Soul": `did you mean "Asia/Seoul"?`, "Berlin": `did you mean "Europe/Berlin"?`,
		"New York": `did you mean "America/New_York"?`, "posix/UTC": "", "right/UTC": "", "Factory": "", "+09:00": "",
		"UTC+9": "", "Europe/": "", "Mars/Olympus": "", "zone.tab": "", "Asia\\Seoul": "", "Asia/Seoul\x00": "",
		strings.Repeat("A", 1000): "",
	} {
		loc, err := LoadZone(name)
		if err == nil {
			t.Errorf("%q is accepted: %v", name, loc)
			continue
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Field != fieldTimezone || hint != "" && fault.Hint.String() != hint {
			t.Errorf("%q: %v, want the hint %q", name, err, hint)
		}
	}
	seoul, _ := LoadZone("Asia/Seoul")
	s, err := Compile(ScheduleDef{}, nil, seoul)
	if err != nil || s.Location() != seoul {
		t.Errorf("without a zone a schedule has %v (%v), want the default", s.Location(), err)
	}
}

func TestOverrideStatus(t *testing.T) {
	for text, want := range map[string]Want{
		"running":   {State: Running, Period: OverrideReason},
		" Stopped ": {State: Stopped, Period: OverrideReason},
	} {
		s, err := Compile(ScheduleDef{OverrideStatus: text, Periods: PeriodRefs{"p@x"}}, map[string]PeriodDef{"p": {BeginTime: "9:00"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := instant(t, "2024-03-01T12:00:00Z")
		if got := s.Wanted(at); got != want {
			t.Errorf("%q: got %+v", text, got)
		}
		if b, ok := s.Next(at); ok {
			t.Errorf("%q: a boundary at %v", text, b)
		}
		for b := range s.Boundaries(at, at.AddDate(5, 0, 0)) {
			t.Errorf("%q: a boundary at %v", text, b)
		}
	}
}

// TestStartLead: every begin takes effect earlier, before touching periods are joined; ends stay.
func TestStartLead(t *testing.T) {
	periods := map[string]PeriodDef{
		"am":  {BeginTime: "09:00", EndTime: "12:00", Weekdays: DayField{"mon"}},
		"pm":  {BeginTime: "12:11", EndTime: "17:00", Weekdays: DayField{"mon"}},
		"sat": {Weekdays: DayField{"sat"}},
		"one": {BeginTime: "00:05", Weekdays: DayField{"wed"}},
	}
	s, err := Compile(ScheduleDef{StartLead: 10 * time.Minute, Periods: PeriodRefs{"am", "pm", "sat", "one"}}, periods, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"stopped", "Mon 2024-03-04 08:50 +00:00 running am", "Mon 2024-03-04 12:00 +00:00 running pm",
		"Mon 2024-03-04 17:00 +00:00 stopped", "Tue 2024-03-05 23:55 +00:00 running one", "Thu 2024-03-07 00:00 +00:00 stopped",
		"Fri 2024-03-08 23:50 +00:00 running sat", "Sun 2024-03-10 00:00 +00:00 stopped",
	}
	if diff := cmp.Diff(want, timeline(t, s, "2024-03-04T00:00:00Z", "2024-03-11T00:00:00Z")); diff != "" {
		t.Error(diff)
	}
}

// TestNextOfWhatNeverChanges: the look ahead is bounded and quick, whatever the schedule.
func TestNextOfWhatNeverChanges(t *testing.T) {
	at := instant(t, "2026-01-01T00:00:00Z")
	for name, s := range map[string]*Schedule{
		"30 February":      schedule(t, "UTC", PeriodDef{MonthDays: DayField{"30"}, Months: DayField{"feb"}}),
		"always":           schedule(t, "America/New_York", PeriodDef{BeginTime: "00:00", EndTime: "23:59"}),
		"no period at all": schedule(t, "UTC"),
	} {
		start := time.Now()
		if b, ok := s.Next(at); ok {
			t.Errorf("%s: a boundary at %v", name, b)
		}
		if b, ok := s.NextState(at); ok {
			t.Errorf("%s: a boundary at %v", name, b)
		}
		// Some 2 ms on the slowest of machines; the bound only tells a look ahead from a hang.
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: %s", name, took)
		}
		for b := range s.Boundaries(at, at.AddDate(20, 0, 0)) {
			t.Errorf("%s: a boundary at %v", name, b)
		}
	}
	if b, ok := schedule(t, "UTC", PeriodDef{MonthDays: DayField{"29"}, Months: DayField{"feb"}}).Next(instant(t, "2096-06-01T00:00:00Z")); !ok {
		t.Errorf("29 February 2104 is not found: %v", b)
	}
}

// TestLookingAheadLeavesTodayInPlace: ten years of looking ahead take no slot from the chunk that is asked for all day.
func TestLookingAheadLeavesTodayInPlace(t *testing.T) {
	s := schedule(t, "UTC", PeriodDef{BeginTime: "00:00", EndTime: "24:00"})
	at := instant(t, "2026-01-01T00:00:00Z")
	s.Wanted(at)
	number := at.Unix() >> chunkBits
	today := s.chunks[number&(chunkSlots-1)].Load()
	s.Next(at)
	if now := s.chunks[number&(chunkSlots-1)].Load(); now != today {
		t.Errorf("chunk %d gave way to chunk %d", today.number, now.number)
	}
}

// TestFarInstants: every instant that can be written down has an answer, at once.
func TestFarInstants(t *testing.T) {
	s := schedule(t, "America/New_York", PeriodDef{BeginTime: "09:00", EndTime: "17:00"})
	for _, sec := range []int64{math.MinInt64, math.MinInt64 + 1, minInstant - 1, minInstant, -1, 0, maxInstant, maxInstant + 1, math.MaxInt64} {
		w := s.WantedUnix(sec)
		if inside := min(max(sec, minInstant), maxInstant); w != s.WantedUnix(inside) {
			t.Errorf("at %d %+v, at the nearest instant inside %+v", sec, w, s.WantedUnix(inside))
		}
		at := time.Unix(sec, 0)
		if b, ok := s.Next(at); ok && !b.At.After(at) && at.Unix() == sec {
			t.Errorf("after %d comes %v", sec, b)
		}
		if s.Wanted(at) != s.WantedUnix(at.Unix()) {
			t.Errorf("Wanted and WantedUnix differ at %d", sec)
		}
	}
	noon := time.Date(9999, 12, 31, 12, 0, 0, 0, s.Location())
	if w := s.Wanted(noon); w.State != Running {
		t.Errorf("at noon of the last day: %+v", w)
	}
	if w := s.Wanted(time.Date(2, 1, 1, 12, 0, 0, 0, s.Location())); w.State != Running {
		t.Errorf("at noon of an early day: %+v", w)
	}
}

// TestManyAskAtOnce shares a schedule among goroutines whose questions fight over the same slots.
func TestManyAskAtOnce(t *testing.T) {
	s := schedule(t, "Europe/Berlin", PeriodDef{BeginTime: "08:00", EndTime: "20:00", Weekdays: DayField{"mon-fri"}})
	begin := instant(t, "2026-01-05T12:00:00Z") // a Monday
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for week := range 300 {
				at := begin.AddDate(0, 0, 7*(week*(g+1)%1000))
				if w := s.Wanted(at); w.State != Running {
					t.Errorf("at %s %+v", at, w)
				}
				if b, ok := s.Next(at); !ok || b.At.Sub(at) > 8*time.Hour {
					t.Errorf("after %s comes %v", at, b)
				}
			}
		})
	}
	all.Wait()
}

// TestDecode reads definitions as configuration files and requests hold them.
func TestDecode(t *testing.T) {
	type file struct {
		Schedule ScheduleDef `json:"schedule" yaml:"schedule"`
		Period   PeriodDef   `json:"period" yaml:"period"`
	}
	for _, tc := range []struct {
		name, text string
		want       file
	}{
		{"texts", "period: {weekdays: mon-fri, monthdays: '1-5,7', months: \"*\", begintime: 9:00, endtime: 24:00}", file{Period: PeriodDef{
			Weekdays: DayField{"mon-fri"}, MonthDays: DayField{"1-5,7"}, Months: DayField{"*"}, BeginTime: "9:00", EndTime: "24:00",
		}}},
		{"lists", "period: {weekdays: [mon, 6], months: [1, 'feb-mar']}", file{Period: PeriodDef{
			Weekdays: DayField{"mon", "6"}, Months: DayField{"1", "feb-mar"},
		}}},
		{"a number", "period: {monthdays: 5}", file{Period: PeriodDef{MonthDays: DayField{"5"}}}},
		{"leading zeros are no octal", "period: {monthdays: 010, months: [010, 07]}", file{Period: PeriodDef{
			MonthDays: DayField{"010"}, Months: DayField{"010", "07"},
		}}},
		{"a fraction stays one", "period: {monthdays: 1.0, months: [1.50]}", file{Period: PeriodDef{
			MonthDays: DayField{"1.0"}, Months: DayField{"1.50"},
		}}},
		{"a tag", "period: {monthdays: !!str 5}", file{Period: PeriodDef{MonthDays: DayField{"5"}}}},
		{"nothing", "period: {weekdays: , monthdays: null, months: []}", file{}},
		{"a folded text", "period:\n  weekdays: >\n    mon,\n    tue\n", file{Period: PeriodDef{Weekdays: DayField{"mon, tue\n"}}}},
		{"a list of periods", "schedule: {periods: [office, weekend@t3.small]}", file{Schedule: ScheduleDef{Periods: PeriodRefs{"office", "weekend@t3.small"}}}},
		{"periods in one text", "schedule: {periods: 'office, weekend@t3.small'}", file{Schedule: ScheduleDef{Periods: PeriodRefs{"office", "weekend@t3.small"}}}},
		{"no periods", "schedule: {periods: ''}", file{}},
	} {
		var got file
		if err := yaml.Unmarshal([]byte(tc.text), &got); err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", tc.name, diff)
		}
		data, err := json.Marshal(got)
		var again file
		if err == nil {
			err = json.Unmarshal(data, &again)
		}
		if diff := cmp.Diff(tc.want, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: through JSON %s: %v\n%s", tc.name, data, err, diff)
		}
	}
	for _, text := range []string{
		`{"weekdays": true}`, `{"weekdays": {"mon": 1}}`, `{"weekdays": [["mon"]]}`, `{"weekdays": [null]}`, `{"weekdays": [true]}`,
	} {
		var viaJSON, viaYAML PeriodDef
		if err := json.Unmarshal([]byte(text), &viaJSON); len(Faults(err)) != 1 {
			t.Errorf("%s in JSON: %v, want a fault", text, err)
		}
		if err := yaml.Unmarshal([]byte(text), &viaYAML); err == nil {
			t.Errorf("%s in YAML is accepted: %+v", text, viaYAML)
		}
	}
	var p PeriodDef
	if err := json.Unmarshal([]byte(`{"monthdays": [1, "L", 1.0]}`), &p); err != nil || p.MonthDays.String() != "1,L,1.0" {
		t.Errorf("%v, %v", p.MonthDays, err)
	}
}

func TestParseTimeOfDay(t *testing.T) {
	for text, want := range map[string]TimeOfDay{"0:00": 0, "00:00": 0, "9:05": 545, "23:59": 1439} {
		for _, end := range []bool{false, true} {
			if got, err := ParseTimeOfDay(text, end); err != nil || got != want {
				t.Errorf("%q: %v, %v", text, got, err)
			}
		}
	}
	if got, err := ParseTimeOfDay("24:00", true); err != nil || got != EndOfDay {
		t.Errorf("24:00 as an end: %v, %v", got, err)
	}
	for _, text := range []string{"", "24:00", " 9:00", "9:00 ", "9", "9:0", "009:00", ":30", "9:", "-1:00", "9:00:00", "٩:٠٠", "1e:00"} {
		if got, err := ParseTimeOfDay(text, false); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
}

// TestOneQuestionIsAnsweredWithoutMemory holds the promise that asking costs no allocation.
func TestOneQuestionIsAnsweredWithoutMemory(t *testing.T) {
	s := schedule(t, "America/New_York", PeriodDef{BeginTime: "09:00", EndTime: "17:00"})
	at := instant(t, "2026-05-01T12:00:00Z")
	if n := testing.AllocsPerRun(100, func() { s.Wanted(at); s.Next(at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
