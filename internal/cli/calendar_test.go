package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/golden"
	"dayshift/internal/service"
)

const weekFile = `timezone: Asia/Seoul
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
  weekend: {begintime: "10:00", endtime: "16:00", weekdays: sat-sun}
  night: {begintime: "22:00", endtime: "06:30", weekdays: mon-fri}
  lunch: {begintime: "12:00", endtime: "12:40"}
  early: {begintime: "05:15", endtime: "06:45"}
  onesided: {begintime: "08:00", weekdays: tue}
  until: {endtime: "20:00", weekdays: thu}
  small-hours: {begintime: "01:00", endtime: "04:00"}
schedules:
  seoul-office: {periods: [office, weekend@t3.small], holidays: [kr]}
  overnight: {periods: [night]}
  many: {periods: [early, lunch, night, onesided, until], override_status: running, observe: true}
  china: {timezone: Asia/Shanghai, periods: [office], holidays: [cn]}
  new-york: {timezone: America/New_York, periods: [small-hours], enabled: false}
  apia: {timezone: Pacific/Apia, periods: [office]}
  quiet: {periods: [until]}
  shifts: {periods: [early, lunch, night, onesided, until]}
holidays: {kr: {builtin: kr}, cn: {builtin: cn}}
exceptions:
  - {schedule: seoul-office, date: 2027-02-05, type: stop, value: "21:00", note: 릴리스 밤에는 모두가 오래 일합니다 and so do all machines of the team}
  - {schedule: seoul-office, date: 2027-02-13, type: start, value: none}
  - {schedule: overnight, date: 2027-02-02, type: stop, value: none}
`

func weeksOf(t testing.TB, schedule, date string, weeks int) []service.ScheduleWeek {
	t.Helper()
	loaded, err := config.Parse("dayshift.yaml", []byte(weekFile), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s := service.Service{Book: &loaded.Book, Config: loaded, Now: func() time.Time { return monday }}
	list, err := s.Weeks(schedule, date, weeks)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWeekPictures(t *testing.T) {
	for _, test := range []struct {
		name, schedule, date string
		weeks                int
	}{
		{"seoul-office", "seoul-office", "2027-02-05", 2}, // an exception and Seollal with its substitute day
		{"overnight", "overnight", "2027-02-01", 1},
		{"national-day", "china", "2026-10-01", 2}, // with a make-up Saturday
		{"uncovered", "china", "2027-12-30", 1},
		{"spring", "new-york", "2027-03-14", 1},
		{"autumn", "new-york", "2027-11-07", 1},
		{"skipped-date", "apia", "2011-12-30", 1},
		{"many", "many", "2027-02-01", 1},
		{"shifts", "shifts", "2027-02-01", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := weekText(&out, weeksOf(t, test.schedule, test.date, test.weeks)); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/week-"+test.name+".txt", out.String(), "go test -run TestWeekPictures ./internal/cli -update")
		})
	}
}

// Whatever a week has, it fits a terminal and has no colour, and every sign is explained.
func TestWeekPicturesFit(t *testing.T) {
	for _, schedule := range []string{"seoul-office", "overnight", "many", "china", "new-york", "apia", "quiet", "shifts"} {
		for _, date := range []string{"2011-12-26", "2026-09-28", "2027-02-01", "2027-03-08", "2027-11-01"} {
			var out bytes.Buffer
			if err := weekText(&out, weeksOf(t, schedule, date, 2)); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			for line := range strings.Lines(text) {
				if display.StringWidth(strings.TrimSuffix(line, "\n")) > weekWidth || strings.Contains(line, "\x1b") {
					t.Errorf("%s %s: %q", schedule, date, line)
				}
			}
			for _, cell := range []string{cellAny, cellMixed, cellGap + cellGap} {
				if legend := text[strings.LastIndex(strings.TrimSpace(text), "\n"):]; strings.Contains(text, cell) && !strings.Contains(legend, cell[:len(cell)/len([]rune(cell))]+" ") {
					t.Errorf("%s %s: %s is not explained: %s", schedule, date, cell, legend)
				}
			}
			for _, sign := range []string{signOff, signMakeUp, signException, signUncovered, signClock} {
				marked := false
				for line := range strings.Lines(text) {
					if len(line) > weekLabel && strings.Contains(line, "-") && strings.HasPrefix(line[6:], "-") && strings.Contains(line[9:weekLabel], sign) {
						marked = true
					}
				}
				if marked != strings.Contains(text, "\n"+sign+" ") {
					t.Errorf("%s %s: sign %s without its words, or words without it:\n%s", schedule, date, sign, text)
				}
			}
		}
	}
}

// The picture says what the schedule wants, cell by cell.
func TestWeekPictureIsTheSchedule(t *testing.T) {
	loaded, err := config.Parse("dayshift.yaml", []byte(weekFile), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	signs := map[string]string{"running": cellRunning, "stopped": cellStopped, "any": cellAny}
	for _, schedule := range []string{"seoul-office", "overnight", "china", "shifts"} {
		s := loaded.Book.Schedules[schedule].Calendar
		week := weeksOf(t, schedule, "2027-02-03", 1)[0]
		for i := range week.Days {
			line := drawnDay(&week, i)[0]
			cells := []rune(line)[weekLabel:]
			midnight, err := time.ParseInLocation(time.DateOnly, week.Days[i].Date, s.Location())
			if err != nil {
				t.Fatal(err)
			}
			for j := range 48 {
				at := midnight.Add(time.Duration(j) * 30 * time.Minute)
				if got, want := string(cells[j]), signs[s.Wanted(at).State.String()]; got != want && got != cellMixed {
					t.Errorf("%s at %s: %s, want %s", schedule, at, got, want)
				}
			}
		}
	}
}

func TestWeekTable(t *testing.T) {
	list := weeksOf(t, "overnight", "2027-02-04", 1)
	table := weekTable(list)
	if got := fmt.Sprint(table.rows[0]); len(table.rows) != 8 || got != "[overnight 2027-02-01 Monday ordinary 22:00 2027-02-01T13:00:00Z running night ]" {
		t.Errorf("%d rows, %s", len(table.rows), got)
	}
}

func TestWrapped(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"one":                    "one",
		"one two three":          "one two|three",
		"a verylongwordindeed b": "a|verylongwordindeed|b",
		"설날 연휴 끝":                "설날 연휴|끝",
	} {
		if got := strings.Join(wrapped(text, 9), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
