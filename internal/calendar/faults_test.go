package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The faults that schedulers are known for, one test each, over the periods of schedules and the expressions of rules.

// starts lists the instants in (from, to] at which a schedule begins to want running.
func starts(s *Schedule, from, to time.Time) []string { return turns(s, from, to, Running) }

// stops lists those at which it begins to want stopped.
func stops(s *Schedule, from, to time.Time) []string { return turns(s, from, to, Stopped) }

func turns(s *Schedule, from, to time.Time, state State) []string {
	out := []string{}
	for b := range s.Boundaries(from, to) {
		if b.To.State == state && b.From.State != state {
			out = append(out, b.At.Format(time.RFC3339))
		}
	}
	return out
}

// sole checks that a rule fires, and a schedule turns, at one instant of a stretch alone.
func sole(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if diff := cmp.Diff([]string{want}, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// clockChange is a local time that a zone skips or repeats.
type clockChange struct {
	zone, clock string // HH:MM
	from, to    string // a day around it, no more than one such local time in it
	want        string
}

func (c clockChange) cron() string {
	var hour, minute int
	fmt.Sscanf(c.clock, "%d:%d", &hour, &minute)
	return fmt.Sprintf("cron(%d %d * * ? *)", minute, hour)
}

// unix is cron as the five fields of Unix.
func (c clockChange) unix() string {
	fields := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(c.cron(), "cron("), ")"))
	return strings.Join(fields[:2], " ") + " * * *"
}

func (c clockChange) check(t *testing.T) {
	t.Helper()
	from, to := instant(t, c.from), instant(t, c.to)
	for _, text := range []string{c.cron(), c.unix()} {
		sole(t, c.zone+" "+text, fires(expression(t, text, c.zone), from, to), c.want)
	}
	sole(t, c.zone+": the begin of a period", starts(schedule(t, c.zone, PeriodDef{BeginTime: c.clock, EndTime: "07:00"}), from, to), c.want)
	sole(t, c.zone+": the end of a period", stops(schedule(t, c.zone, PeriodDef{BeginTime: "20:00", EndTime: c.clock}), from, to), c.want)
}

// Line 1: a time in the gap of spring takes effect once, at the end of the gap.
func TestFault01SpringGap(t *testing.T) {
	for _, c := range []clockChange{
		{"America/New_York", "02:30", "2027-03-14T00:00:00-05:00", "2027-03-15T00:00:00-04:00", "2027-03-14T07:00:00Z"},
		{"Europe/Berlin", "02:30", "2027-03-28T00:00:00+01:00", "2027-03-29T00:00:00+02:00", "2027-03-28T01:00:00Z"},
		{"Australia/Lord_Howe", "02:30", "2027-10-03T00:00:00+10:30", "2027-10-04T00:00:00+11:00", "2027-10-02T15:30:00Z"},
		{"Australia/Lord_Howe", "02:15", "2027-10-03T00:00:00+10:30", "2027-10-04T00:00:00+11:00", "2027-10-02T15:30:00Z"},
		{"Antarctica/Troll", "02:30", "2027-03-28T00:00:00Z", "2027-03-29T00:00:00+02:00", "2027-03-28T01:00:00Z"},
	} {
		c.check(t)
	}
}

// Line 2: a time that the autumn repeats takes effect once, the first time.
func TestFault02FallOverlap(t *testing.T) {
	for _, c := range []clockChange{
		{"America/New_York", "01:30", "2027-11-07T00:00:00-04:00", "2027-11-08T00:00:00-05:00", "2027-11-07T05:30:00Z"},
		{"Europe/Berlin", "02:30", "2027-10-31T00:00:00+02:00", "2027-11-01T00:00:00+01:00", "2027-10-31T00:30:00Z"},
		{"Australia/Lord_Howe", "01:45", "2027-04-04T00:00:00+11:00", "2027-04-05T00:00:00+10:30", "2027-04-03T14:45:00Z"},
		{"Antarctica/Troll", "01:30", "2027-10-31T00:00:00+02:00", "2027-11-01T00:00:00Z", "2027-10-30T23:30:00Z"},
	} {
		c.check(t)
	}
}

// Line 3: a start before the repeated hour and a stop in it are one start and one stop, however often one looks.
func TestFault03NoFlapInOverlap(t *testing.T) {
	const zone = "America/New_York"
	from, to := instant(t, "2027-11-07T00:00:00-04:00"), instant(t, "2027-11-07T12:00:00-05:00")
	s := schedule(t, zone, PeriodDef{BeginTime: "00:30", EndTime: "01:30"})
	start, stop := expression(t, "cron(30 0 * * ? *)", zone), expression(t, "cron(30 1 * * ? *)", zone)
	for _, every := range []time.Duration{time.Minute, 5 * time.Minute, 7 * time.Minute, 29 * time.Minute} {
		for phase := time.Duration(0); phase < every; phase += time.Minute {
			var bySchedule, byRules []State
			ruled := Stopped
			for last, poll := from, from.Add(phase); !poll.After(to); last, poll = poll, poll.Add(every) {
				if state := s.Wanted(poll).State; len(bySchedule) == 0 || bySchedule[len(bySchedule)-1] != state {
					bySchedule = append(bySchedule, state)
				}
				for range start.Fires(last, poll) {
					ruled = Running
				}
				for range stop.Fires(last, poll) {
					ruled = Stopped
				}
				if len(byRules) == 0 || byRules[len(byRules)-1] != ruled {
					byRules = append(byRules, ruled)
				}
			}
			want := []State{Stopped, Running, Stopped}
			if !cmp.Equal(bySchedule, want) || !cmp.Equal(byRules, want) {
				t.Errorf("every %s from minute %s: the schedule %v, the rules %v; want %v", every, phase, bySchedule, byRules, want)
			}
		}
	}
}

// Line 4: where midnight is missing, what is due at 00:00 takes effect at 01:00.
func TestFault04MissingMidnight(t *testing.T) {
	for _, c := range []clockChange{
		{"America/Sao_Paulo", "00:00", "2018-11-03T12:00:00-03:00", "2018-11-04T12:00:00-02:00", "2018-11-04T03:00:00Z"},
		{"America/Havana", "00:00", "2024-03-09T12:00:00-05:00", "2024-03-10T12:00:00-04:00", "2024-03-10T05:00:00Z"},
		{"Asia/Beirut", "00:00", "2023-03-25T12:00:00+02:00", "2023-03-26T12:00:00+03:00", "2023-03-25T22:00:00Z"},
		{"Africa/Cairo", "00:00", "2023-04-27T12:00:00+02:00", "2023-04-28T12:00:00+03:00", "2023-04-27T22:00:00Z"},
	} {
		c.check(t)
		from, to := instant(t, c.from), instant(t, c.to)
		if got := instant(t, c.want).In(expression(t, c.cron(), c.zone).Location()).Format("15:04"); got != "01:00" {
			t.Errorf("%s: the day begins at %s", c.zone, got)
		}
		weekday := weekdayNames[DateAt(to, expression(t, c.cron(), c.zone).Location()).Weekday()]
		sole(t, c.zone+": a whole day", starts(schedule(t, c.zone, PeriodDef{Weekdays: DayField{weekday}}), from, to), c.want)
	}
}

// Line 5: on a date that a zone left out no period runs, and a rule's times fall together on the instant after it.
func TestFault05MissingDay(t *testing.T) {
	const zone = "Pacific/Apia" // 2011-12-29 was followed by 2011-12-31
	from, to := instant(t, "2011-12-29T12:00:00-10:00"), instant(t, "2012-01-01T00:00:00+14:00")
	for _, p := range []PeriodDef{
		{BeginTime: "09:00", EndTime: "17:00", MonthDays: DayField{"30"}}, {MonthDays: DayField{"30"}}, {BeginTime: "09:00", MonthDays: DayField{"30"}},
	} {
		if got := starts(schedule(t, zone, p), from, to); len(got) > 0 {
			t.Errorf("%+v starts at %v", p, got)
		}
	}
	const after = "2011-12-30T10:00:00Z" // 00:00 on the 31st
	for _, text := range []string{"cron(0 9 30 12 ? 2011)", "cron(* * 30 12 ? 2011)", "0 9 30 12 *", "at(2011-12-30T09:00:00)"} {
		sole(t, text, fires(expression(t, text, zone), from, to), after)
	}
	daily := fires(expression(t, "cron(0 9 * * ? *)", zone), from, to)
	if diff := cmp.Diff([]string{after, "2011-12-30T19:00:00Z"}, daily); diff != "" {
		t.Errorf("daily (-want +got):\n%s", diff)
	}
	everyDay := starts(schedule(t, zone, PeriodDef{BeginTime: "09:00", EndTime: "17:00"}), from, to)
	sole(t, "a period of every day", everyDay, "2011-12-30T19:00:00Z")
}

// Line 6: a period over midnight belongs to the day it begins on.
func TestFault06NightBelongsToItsBeginDay(t *testing.T) {
	const zone = "Asia/Seoul"
	from, to := instant(t, "2027-02-01T00:00:00+09:00"), instant(t, "2027-02-08T00:00:00+09:00")
	const begin, end = "2027-02-05T13:00:00Z", "2027-02-05T21:00:00Z" // Friday 22:00, Saturday 06:00
	s := schedule(t, zone, PeriodDef{BeginTime: "22:00", EndTime: "06:00", Weekdays: DayField{"fri"}})
	sole(t, "the begin", starts(s, from, to), begin)
	sole(t, "the end", stops(s, from, to), end)
	// A rule has no days but its own: the stop names the day it falls on.
	sole(t, "a rule that starts", fires(expression(t, "cron(0 22 ? * FRI *)", zone), from, to), begin)
	sole(t, "a rule that stops", fires(expression(t, "cron(0 6 ? * SAT *)", zone), from, to), end)
}

// Line 7: a begin that is the end too is refused, with the reason.
func TestFault07BeginIsEnd(t *testing.T) {
	for _, p := range []PeriodDef{
		{Name: "p", BeginTime: "09:00", EndTime: "09:00"}, {Name: "p", BeginTime: "00:00", EndTime: "00:00"}, {Name: "p", BeginTime: "9:00", EndTime: "09:00", Weekdays: DayField{"mon"}},
	} {
		_, err := CompilePeriod(p)
		if err == nil || !strings.Contains(err.Error(), "begins and ends at the same time") || !strings.Contains(err.Error(), "leave both out for the whole day") {
			t.Errorf("%s to %s: %v", p.BeginTime, p.EndTime, err)
		}
	}
	// 00:00 to 24:00 is the whole day.
	if s := schedule(t, "UTC", PeriodDef{BeginTime: "00:00", EndTime: "24:00", Weekdays: DayField{"mon"}}); s.Wanted(instant(t, "2027-02-01T23:59:59Z")).State != Running {
		t.Error("00:00 to 24:00 does not last the whole day")
	}
}

// Line 8: an end at 24:00 and one at 00:00 are the next midnight.
func TestFault08EndAtMidnight(t *testing.T) {
	const zone = "Asia/Seoul"
	from, to := instant(t, "2027-02-01T00:00:00+09:00"), instant(t, "2027-02-02T12:00:00+09:00")
	const midnight = "2027-02-01T15:00:00Z"
	for _, end := range []string{"24:00", "00:00", "0:00"} {
		sole(t, end, stops(schedule(t, zone, PeriodDef{BeginTime: "18:00", EndTime: end, Weekdays: DayField{"mon"}}), from, to), midnight)
	}
	sole(t, "a rule at 0:00", fires(expression(t, "cron(0 0 * * ? *)", zone), from, to), midnight)
	for _, text := range []string{"cron(0 24 * * ? *)", "0 24 * * *", "at(2027-02-01T24:00:00)"} {
		if _, err := ParseExpression(text, nil, time.Time{}); err == nil {
			t.Errorf("%s is taken: a rule's hours go to 23", text)
		}
	}
	for _, begin := range []string{"24:00", "24:01"} {
		if _, err := CompilePeriod(PeriodDef{Name: "p", BeginTime: begin, EndTime: "24:00"}); err == nil {
			t.Errorf("a begin at %s is taken", begin)
		}
	}
}

// Line 9: a stop at 23:59 is seen by polls at 23:55 and 00:00, and by those of any other distance and phase.
func TestFault09StopBetweenPolls(t *testing.T) {
	stop := instant(t, "2027-02-01T23:59:00Z")
	// One-sided, it is *any* again at 00:00: the stop is a boundary between two polls, and the last word before the second.
	oneSided := schedule(t, "UTC", PeriodDef{EndTime: "23:59", Weekdays: DayField{"mon-fri"}})
	// With a begin, stopped is still what is wanted at the next poll.
	office := schedule(t, "UTC", PeriodDef{BeginTime: "09:00", EndTime: "23:59", Weekdays: DayField{"mon-fri"}})
	rule := expression(t, "cron(59 23 ? * MON-FRI *)", "UTC")
	for _, every := range []time.Duration{time.Minute, 5 * time.Minute, 7 * time.Minute, time.Hour} {
		for phase := time.Duration(0); phase < every; phase += time.Minute {
			stopped, fired := 0, 0
			for last := instant(t, "2027-02-01T20:00:00Z").Add(phase); last.Before(stop.Add(2 * time.Hour)); last = last.Add(every) {
				poll := last.Add(every)
				between := last.Before(stop) && !poll.Before(stop)
				word := Any // the last of running and stopped in between
				for b := range oneSided.Boundaries(last, poll) {
					if b.To.State != Any {
						word = b.To.State
					}
				}
				if word == Stopped {
					stopped++
				}
				if (word == Stopped) != between {
					t.Errorf("from %s to %s the word is %v", last.Format("15:04"), poll.Format("15:04"), word)
				}
				for range rule.Fires(last, poll) {
					fired++
				}
				if running := office.Wanted(poll).State == Running; running != poll.Before(stop) {
					t.Errorf("with a begin, at %s: %v", poll.Format("15:04"), office.Wanted(poll))
				}
			}
			if stopped != 1 || fired != 1 {
				t.Errorf("every %s, minute %s: %d stops, %d fires", every, phase, stopped, fired)
			}
		}
	}
	if before, after := oneSided.Wanted(stop.Add(-4*time.Minute)).State, oneSided.Wanted(stop.Add(time.Minute)).State; before != Any || after != Any {
		t.Errorf("one-sided, the polls at 23:55 and 00:00 see %v and %v", before, after)
	}
}

// Line 10: dates that not every month has.
func TestFault10RareDates(t *testing.T) {
	for _, test := range []struct {
		name     string
		period   PeriodDef
		rule     string // with EventBridge's fields
		from, to string // dates
		want     []string
	}{
		{"29 February", PeriodDef{MonthDays: DayField{"29"}, Months: DayField{"feb"}}, "cron(0 9 29 2 ? *)", "2027-01-01", "2033-01-01", []string{"2028-02-29", "2032-02-29"}},
		{"29 February over a century", PeriodDef{MonthDays: DayField{"29"}, Months: DayField{"feb"}}, "cron(0 9 29 2 ? *)", "2096-01-01", "2105-01-01", []string{"2096-02-29", "2104-02-29"}},
		{"the 31st", PeriodDef{MonthDays: DayField{"31"}}, "cron(0 9 31 * ? *)", "2027-01-01", "2028-01-01", []string{"2027-01-31", "2027-03-31", "2027-05-31", "2027-07-31", "2027-08-31", "2027-10-31", "2027-12-31"}},
		{"the last day", PeriodDef{MonthDays: DayField{"L"}}, "cron(0 9 L * ? *)", "2028-01-01", "2028-05-01", []string{"2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"}},
		{"the last day, where a clock change makes the month shorter or longer", PeriodDef{MonthDays: DayField{"L"}}, "cron(0 9 L * ? *)", "2027-03-01", "2027-12-01", []string{"2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30", "2027-07-31", "2027-08-31", "2027-09-30", "2027-10-31", "2027-11-30"}},
		{"25W: 25 April 2027 is a Sunday, 25 September a Saturday", PeriodDef{MonthDays: DayField{"25W"}}, "cron(0 9 25W 4,5,9 ? 2027)", "2027-04-01", "2027-05-01", []string{"2027-04-26"}},
		{"25W on a Saturday", PeriodDef{MonthDays: DayField{"25W"}}, "cron(0 9 25W * ? *)", "2027-09-01", "2027-10-01", []string{"2027-09-24"}},
		{"1W: 1 May 2027 is a Saturday, 1 August a Sunday", PeriodDef{MonthDays: DayField{"1W"}, Months: DayField{"may", "aug"}}, "cron(0 9 1W 5,8 ? *)", "2027-01-01", "2028-01-01", []string{"2027-05-03", "2027-08-02"}},
		{"31W: 31 January 2027 is a Sunday, 31 July a Saturday", PeriodDef{MonthDays: DayField{"31W"}}, "cron(0 9 31W * ? *)", "2027-01-01", "2027-08-31", []string{"2027-01-29", "2027-03-31", "2027-05-31", "2027-07-30"}},
		{"the fifth Monday, in a quarter with one", PeriodDef{Weekdays: DayField{"mon#5"}}, "cron(0 9 ? * MON#5 *)", "2027-01-01", "2027-06-01", []string{"2027-03-29", "2027-05-31"}},
		{"the fifth Monday, in a month without", PeriodDef{Weekdays: DayField{"mon#5"}}, "cron(0 9 ? * 2#5 *)", "2027-02-01", "2027-03-01", nil},
		{"the last Friday", PeriodDef{Weekdays: DayField{"friL"}}, "cron(0 9 ? * 6L *)", "2027-01-01", "2027-04-01", []string{"2027-01-29", "2027-02-26", "2027-03-26"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			const zone = "Europe/Berlin"
			test.period.BeginTime, test.period.EndTime = "09:00", "10:00"
			s, e := schedule(t, zone, test.period), expression(t, test.rule, zone)
			local := func(date string) time.Time {
				at, err := time.ParseInLocation(time.DateOnly, date, s.Location())
				if err != nil {
					t.Fatal(err)
				}
				return at
			}
			from, to := local(test.from), local(test.to)
			var want []string
			for _, date := range test.want {
				day := local(date)
				want = append(want, time.Date(day.Year(), day.Month(), day.Day(), 9, 0, 0, 0, day.Location()).UTC().Format(time.RFC3339))
			}
			if diff := cmp.Diff(want, append([]string(nil), starts(s, from, to)...)); diff != "" {
				t.Errorf("the period (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, append([]string(nil), fires(e, from, to)...)); diff != "" {
				t.Errorf("the rule (-want +got):\n%s", diff)
			}
		})
	}
}
