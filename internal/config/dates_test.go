package config

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
)

// worldwide has an office in each country that comes along, and an overnight schedule.
const worldwide = `
accounts: [{id: "111122223333", regions: [us-east-1]}]
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
  night: {begintime: "22:00", endtime: "06:00", weekdays: mon-fri}
schedules:
  beijing: {timezone: Asia/Shanghai, periods: [office], holidays: [cn]}
  seoul: {timezone: Asia/Seoul, periods: [office], holidays: [kr]}
  boston: {timezone: America/New_York, periods: [office], holidays: [us]}
  boston-night: {timezone: America/New_York, periods: [night], holidays: [us]}
holidays: {cn: {builtin: cn}, kr: {builtin: kr}, us: {builtin: us}}
`

// TestHolidaysThatComeAlong asks on days that people of these countries know.
func TestHolidaysThatComeAlong(t *testing.T) {
	loaded := mustParse(t, worldwide)
	for _, test := range []struct {
		name, schedule, at string
		want               calendar.State
	}{
		{"China, the Sunday before National Day 2025 is worked", "beijing", "2025-09-28T10:00:00+08:00", calendar.Running},
		{"China, the day before National Day", "beijing", "2025-09-30T17:59:59+08:00", calendar.Running},
		{"China, National Day", "beijing", "2025-10-01T10:00:00+08:00", calendar.Stopped},
		{"China, the last day of the week off", "beijing", "2025-10-08T10:00:00+08:00", calendar.Stopped},
		{"China, the Thursday after it", "beijing", "2025-10-09T10:00:00+08:00", calendar.Running},
		{"China, the Saturday after it is worked", "beijing", "2025-10-11T10:00:00+08:00", calendar.Running},
		{"China, the Sunday after it is not", "beijing", "2025-10-12T10:00:00+08:00", calendar.Stopped},
		{"China, a make-up Sunday ends as a Monday does", "beijing", "2026-09-20T18:00:00+08:00", calendar.Stopped},
		{"China, Saturday 2026-10-10 is worked", "beijing", "2026-10-10T09:00:00+08:00", calendar.Running},
		{"China, Spring Festival's eve 2026 is worked on a Saturday", "beijing", "2026-02-14T12:00:00+08:00", calendar.Running},
		{"China, Spring Festival 2026", "beijing", "2026-02-17T12:00:00+08:00", calendar.Stopped},
		{"China, eve of Spring Festival 2024 was a working day", "beijing", "2024-02-09T12:00:00+08:00", calendar.Running},
		{"Korea, Seollal 2025 with its temporary holiday", "seoul", "2025-01-27T10:00:00+09:00", calendar.Stopped},
		{"Korea, Seollal 2025", "seoul", "2025-01-29T10:00:00+09:00", calendar.Stopped},
		{"Korea, the day after Seollal 2025", "seoul", "2025-01-31T10:00:00+09:00", calendar.Running},
		{"Korea, the substitute of Seollal's Sunday 2024", "seoul", "2024-02-12T10:00:00+09:00", calendar.Stopped},
		{"Korea, the substitute of 1 March 2025", "seoul", "2025-03-03T10:00:00+09:00", calendar.Stopped},
		{"Korea, Buddha's and Children's day on one date leave a substitute", "seoul", "2025-05-06T10:00:00+09:00", calendar.Stopped},
		{"Korea, the substitute of Chuseok's Sunday 2025", "seoul", "2025-10-08T10:00:00+09:00", calendar.Stopped},
		{"Korea, an election day", "seoul", "2025-06-03T10:00:00+09:00", calendar.Stopped},
		{"Korea, the day after Hangeul Day 2025", "seoul", "2025-10-10T10:00:00+09:00", calendar.Running},
		{"Korea, a year that is not covered is not guessed", "seoul", "2031-01-01T10:00:00+09:00", calendar.Running},
		{"United States, Thanksgiving 2026", "boston", "2026-11-26T10:00:00-05:00", calendar.Stopped},
		{"United States, the Friday after Thanksgiving is a working day", "boston", "2026-11-27T10:00:00-05:00", calendar.Running},
		{"United States, 4 July 2026 is observed on the Friday", "boston", "2026-07-03T10:00:00-04:00", calendar.Stopped},
		{"United States, 4 July 2027 is observed on the Monday", "boston", "2027-07-05T10:00:00-04:00", calendar.Stopped},
		{"United States, the night into Thanksgiving runs to its end", "boston-night", "2026-11-26T05:59:59-05:00", calendar.Running},
		{"United States, the night of Thanksgiving does not begin", "boston-night", "2026-11-26T23:00:00-05:00", calendar.Stopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, test.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := loaded.Book.Schedules[test.schedule].Calendar.Wanted(at); got.State != test.want {
				t.Errorf("wanted %+v, want %s", got, test.want)
			}
		})
	}
}

func TestCalendarFile(t *testing.T) {
	const text = `
timezone: Asia/Shanghai
accounts: [{id: "111122223333", regions: [us-east-1]}]
periods: {office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}}
schedules: {office: {periods: [office], holidays: [h]}}
holidays: {h: {file: office.ics, make_up_pattern: 班, builtin: cn, days: [{date: 2027-10-11, name: own}]}}
`
	data, err := os.ReadFile("testdata/office.ics")
	if err != nil {
		t.Fatal(err)
	}
	env := Env{ReadCalendar: func(name string) ([]byte, error) {
		if name != "office.ics" {
			return nil, os.ErrNotExist
		}
		return data, nil
	}}
	loaded, err := Parse("dayshift.yaml", []byte(text), env)
	if err != nil {
		t.Fatal(err)
	}
	c := loaded.Book.Schedules["office"].Calendar
	for at, want := range map[string]calendar.State{
		"2027-10-01T10:00:00+08:00": calendar.Stopped, // of the file, seven days
		"2027-10-07T10:00:00+08:00": calendar.Stopped,
		"2027-10-09T10:00:00+08:00": calendar.Running, // a Saturday, 班
		"2027-10-11T10:00:00+08:00": calendar.Stopped, // of the list, although the file works on it
		"2026-10-01T10:00:00+08:00": calendar.Stopped, // of the built-in calendar
		"2028-12-25T10:00:00+08:00": calendar.Stopped, // every year
		"2027-12-27T10:00:00+08:00": calendar.Running,
	} {
		instant, _ := time.Parse(time.RFC3339, at)
		if got := c.Wanted(instant); got.State != want {
			t.Errorf("at %s %+v, want %s", at, got, want)
		}
	}

	// A file that changed is a configuration that changed.
	data = []byte(strings.Replace(string(data), "20271001", "20270930", 1))
	changed, err := Parse("dayshift.yaml", []byte(text), env)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Same(changed) || len(loaded.Diff(changed)) != 1 || !strings.Contains(loaded.Diff(changed)[0], "holidays.h.file: office.ics (sha256 ") {
		t.Errorf("the change is %q", loaded.Diff(changed))
	}

	for name, test := range map[string]struct {
		data []byte
		err  error
		want string
	}{
		"not a calendar":   {data: []byte("<html>"), want: "cannot be used: not an iCalendar file"},
		"no events":        {data: []byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"), want: "it has no event between 2000 and 2060"},
		"not to be read":   {err: os.ErrPermission, want: "may not be read by this user"},
		"an unknown cause": {err: errors.New("disk on fire"), want: "disk on fire"},
	} {
		_, err := Parse("dayshift.yaml", []byte(text), Env{ReadCalendar: func(string) ([]byte, error) { return test.data, test.err }})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "dayshift.yaml:6:22") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoadReadsCalendarsBesideTheFile goes by real files, relative to the configuration's folder.
func TestLoadReadsCalendarsBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("testdata/office.ics")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(small, "schedules: {office: {periods: [office]}}", "schedules: {office: {periods: [office], holidays: [h]}}\nholidays: {h: {file: office.ics}}", 1)
	for name, content := range map[string][]byte{"office.ics": data, "dayshift.yaml": []byte(text)} {
		if err := os.WriteFile(dir+"/"+name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := Load(dir + "/dayshift.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Book.Schedules["office"].Calendar.Wanted(time.Date(2027, 10, 1, 10, 0, 0, 0, time.UTC)); got.State != calendar.Stopped {
		t.Errorf("wanted %+v", got)
	}
}

func TestWarningsOfDates(t *testing.T) {
	text := worldwide + `
exceptions:
  - {schedule: seoul, date: 2026-11-20, type: stop, value: "21:00"}
  - {schedule: seoul, date: 2026-11-21, type: stop, value: "21:00"}
  - {schedule: boston, from: 2026-11-18, to: 2026-11-19, type: start, value: none}
`
	text = strings.Replace(text, "us: {builtin: us}}", "us: {builtin: us}, spare: {builtin: us}}", 1)
	for _, test := range []struct {
		name, now string
		want      []string
	}{
		{"in November", "2026-11-20T15:00:00Z", []string{ // already the 21st in Seoul, still the 20th in Boston
			"holidays.spare: is named by no schedule",
			`exceptions[0]: "stop at 21:00 on 2026-11-20" is over`, `exceptions[2]: "start none from 2026-11-18 to 2026-11-19" is over`,
		}},
		{"in December the next year counts as well", "2026-12-01T00:00:00Z", []string{
			"holidays.cn: calendar cn does not cover 2027",
			"holidays.spare: is named by no schedule", "exceptions[0]", "exceptions[1]", "exceptions[2]",
		}},
		{"in a year of all three", "2025-06-01T00:00:00Z", []string{"holidays.spare: is named by no schedule"}},
		{"without a clock", "", []string{"holidays.spare: is named by no schedule"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := Env{}
			if test.now != "" {
				now, err := time.Parse(time.RFC3339, test.now)
				if err != nil {
					t.Fatal(err)
				}
				env.Now = func() time.Time { return now }
			}
			loaded, err := Parse("dayshift.yaml", []byte(text), env)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range loaded.Warnings {
				if w.Line == 0 {
					t.Errorf("%s has no place", w.Summary())
				}
				got = append(got, w.Summary())
			}
			if len(got) != len(test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for _, part := range test.want {
				if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, part) }) {
					t.Errorf("%q is not among %q", part, got)
				}
			}
		})
	}
}

// TestExceptionsOfTheFile reaches the schedule that they name and no other.
func TestExceptionsOfTheFile(t *testing.T) {
	loaded := mustParse(t, worldwide+`
exceptions:
  - {schedule: seoul, date: 2027-02-05, type: stop, value: "21:00", note: release}
  - {schedule: seoul, date: 2027-02-06, type: start, value: "10:00"}
`)
	at := time.Date(2027, 2, 5, 20, 0, 0, 0, loaded.Book.Schedules["seoul"].Calendar.Location())
	if w := loaded.Book.Schedules["seoul"].Calendar.Wanted(at); w.State != calendar.Running {
		t.Errorf("seoul %+v", w)
	}
	if w := loaded.Book.Schedules["seoul"].Calendar.Wanted(at.Add(16 * time.Hour)); w != (calendar.Want{State: calendar.Running, Period: calendar.ExceptionReason}) {
		t.Errorf("seoul on Saturday %+v", w)
	}
	if w := loaded.Book.Schedules["beijing"].Calendar.Wanted(at); w.State != calendar.Stopped {
		t.Errorf("beijing %+v", w)
	}
}

func TestTooManyExceptions(t *testing.T) {
	var b strings.Builder
	b.WriteString(worldwide + "exceptions:\n")
	for range calendar.MaxExceptions + 1 {
		b.WriteString("  - {schedule: seoul, date: 2027-02-05, type: stop, value: none}\n")
	}
	text := b.String()
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for strings.Contains(text, "date: 2027-02-05") {
		text = strings.Replace(text, "date: 2027-02-05", "date: "+day.Format(time.DateOnly), 1)
		if day = day.AddDate(0, 0, 1); day.Equal(time.Date(2027, 2, 5, 0, 0, 0, 0, time.UTC)) {
			day = day.AddDate(0, 0, 1)
		}
	}
	faults := faultsOf(t, text)
	if len(faults) != 1 || !strings.Contains(faults[0].Problem.String(), "is one too many") || faults[0].Path != "exceptions[500]" {
		t.Errorf("%v", faults)
	}
}
