package calendar

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func expression(t testing.TB, text, zone string) *Expression {
	t.Helper()
	loc, err := LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ParseExpression(text, loc, time.Time{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// fires lists the fires in (from, to] as RFC 3339.
func fires(e *Expression, from, to time.Time) []string {
	out := []string{}
	for at := range e.Fires(from, to) {
		out = append(out, at.Format(time.RFC3339))
	}
	return out
}

// cronVector is one line of testdata/cron.jsonl.
type cronVector struct {
	ID         string    `json:"id"`
	Expression string    `json:"expression"`
	Timezone   string    `json:"timezone"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Expect     struct {
		Fires []string `json:"fires"`
		Error bool     `json:"error"`
	} `json:"expect"`
}

func cronVectors(t testing.TB) []cronVector {
	t.Helper()
	f, err := os.Open("testdata/cron.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []cronVector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v cronVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", len(out)+1, err)
		}
		out = append(out, v)
	}
	if len(out) < 200 {
		t.Fatalf("only %d vectors", len(out))
	}
	return out
}

func TestVectorsOfCron(t *testing.T) {
	for _, v := range cronVectors(t) {
		loc, err := LoadZone(v.Timezone)
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseExpression(v.Expression, loc, v.From)
		switch {
		case v.Expect.Error && err == nil:
			t.Errorf("%s: %s: accepted", v.ID, v.Expression)
		case v.Expect.Error:
			refusedWell(t, err)
		case err != nil:
			t.Errorf("%s: %v", v.ID, err)
		default:
			if got := fires(e, v.From, v.To); !slices.Equal(got, v.Expect.Fires) {
				t.Errorf("%s: %s in %s\n got %s\nwant %s", v.ID, v.Expression, v.Timezone, got, v.Expect.Fires)
			}
		}
	}
}

// TestRulesAroundTheClock tells the instants that other schedulers lose, repeat or invent.
func TestRulesAroundTheClock(t *testing.T) {
	for _, tc := range []struct {
		name, expression, zone string
		from, to               string
		want                   []string
	}{
		{
			"fault 1, New York: a daily 02:30 fires at the end of the gap", "cron(30 2 * * ? *)", "America/New_York",
			"2025-03-08T12:00:00Z", "2025-03-10T12:00:00Z",
			[]string{"2025-03-09T07:00:00Z", "2025-03-10T06:30:00Z"},
		},
		{
			"fault 1, Berlin", "30 2 * * *", "Europe/Berlin",
			"2025-03-29T12:00:00Z", "2025-03-31T12:00:00Z",
			[]string{"2025-03-30T01:00:00Z", "2025-03-31T00:30:00Z"},
		},
		{
			"fault 1, Lord Howe: half an hour is missing", "cron(15 2 * * ? *)", "Australia/Lord_Howe",
			"2024-10-05T00:00:00Z", "2024-10-06T20:00:00Z",
			[]string{"2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z"},
		},
		{
			"fault 1, Troll: two hours are missing", "cron(30 2 * * ? *)", "Antarctica/Troll",
			"2024-03-30T12:00:00Z", "2024-04-01T12:00:00Z",
			[]string{"2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"},
		},
		{
			"fault 1: all of a gap fires once", "* 2 * * *", "America/New_York",
			"2025-03-09T06:59:59Z", "2025-03-09T08:00:00Z",
			[]string{"2025-03-09T07:00:00Z"},
		},
		{
			"fault 1: at() in a gap", "at(2025-03-09T02:30:00)", "America/New_York",
			"2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z",
			[]string{"2025-03-09T07:00:00Z"},
		},
		{
			"fault 2: 01:30 fires on its first occurrence alone", "cron(30 1 * * ? *)", "America/New_York",
			"2025-11-01T12:00:00Z", "2025-11-03T12:00:00Z",
			[]string{"2025-11-02T05:30:00Z", "2025-11-03T06:30:00Z"},
		},
		{
			"fault 2: at() in a repeated hour", "at(2025-11-02T01:30:00)", "America/New_York",
			"2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z",
			[]string{"2025-11-02T05:30:00Z"},
		},
		{
			"fault 2: asked for in the repeated hour, it has fired", "0,30 1 * * *", "America/New_York",
			"2025-11-02T05:45:00Z", "2025-11-02T12:00:00Z", nil,
		},
		{
			"fault 4, Sao Paulo: no midnight", "cron(0 0 * * ? *)", "America/Sao_Paulo",
			"2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z",
			[]string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		},
		{
			"fault 4, Havana", "0 0 * * *", "America/Havana",
			"2024-03-09T12:00:00Z", "2024-03-11T12:00:00Z",
			[]string{"2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"},
		},
		{
			"fault 4, Beirut 2023", "cron(0 0 * * ? *)", "Asia/Beirut",
			"2023-03-25T12:00:00Z", "2023-03-27T12:00:00Z",
			[]string{"2023-03-25T22:00:00Z", "2023-03-26T21:00:00Z"},
		},
		{
			"fault 4, Cairo", "cron(0 0 ? 4 6L *)", "Africa/Cairo",
			"2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z",
			[]string{"2024-04-25T22:00:00Z"},
		},
		{
			"fault 5, Apia: the rules of the day that was left out fire once, at its end", "cron(0 0/6 * * ? *)", "Pacific/Apia",
			"2011-12-29T22:00:00Z", "2011-12-30T20:00:00Z",
			[]string{"2011-12-30T04:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"},
		},
		{
			"fault 5, Apia: a rule of that day alone", "cron(0 12 30 12 ? 2011)", "Pacific/Apia",
			"2011-01-01T00:00:00Z", "2013-01-01T00:00:00Z",
			[]string{"2011-12-30T10:00:00Z"},
		},
		{
			"fault 10: 29 February", "cron(0 12 29 2 ? *)", "UTC",
			"2095-01-01T00:00:00Z", "2105-01-01T00:00:00Z",
			[]string{"2096-02-29T12:00:00Z", "2104-02-29T12:00:00Z"},
		},
		{
			"fault 10: the 31st", "0 8 31 * *", "UTC",
			"2027-01-01T00:00:00Z", "2027-06-01T00:00:00Z",
			[]string{"2027-01-31T08:00:00Z", "2027-03-31T08:00:00Z", "2027-05-31T08:00:00Z"},
		},
		{
			"fault 10, I5: the last day of the months in which the clocks change", "cron(0 8 L 3,10,11 ? *)", "America/New_York",
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-03-31T12:00:00Z", "2027-10-31T12:00:00Z", "2027-11-30T13:00:00Z"},
		},
		{
			"fault 10: 25W on a Sunday", "cron(0 8 25W 4 ? 2027)", "UTC",
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-04-26T08:00:00Z"},
		},
		{
			"fault 10: 1W on a Saturday stays in the month", "cron(0 8 1W 5 ? 2027)", "UTC",
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-05-03T08:00:00Z"},
		},
		{
			"fault 10: 31W on a Sunday stays in the month", "cron(0 8 31W 1,2 ? 2027)", "UTC",
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-01-29T08:00:00Z"},
		},
		{
			"fault 10: the last Monday-Friday", "cron(0 8 LW 1,2,3 ? 2027)", "UTC",
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-01-29T08:00:00Z", "2027-02-26T08:00:00Z", "2027-03-31T08:00:00Z"},
		},
		{
			"fault 10: a fifth Monday", "cron(0 8 ? * mon#5 2027)", "UTC",
			"2027-01-01T00:00:00Z", "2027-07-01T00:00:00Z",
			[]string{"2027-03-29T08:00:00Z", "2027-05-31T08:00:00Z"},
		},
		{
			"fault 12: 29 February on a Monday", "cron(0 8 ? 2 MON#5 *)", "UTC",
			"2025-01-01T00:00:00Z", "2100-01-01T00:00:00Z",
			[]string{"2044-02-29T08:00:00Z", "2072-02-29T08:00:00Z"},
		},
		{
			"fault 12: the last minute of the last year", "cron(59 23 31 12 ? *)", "UTC",
			"2198-12-31T23:59:00Z", "9999-12-31T23:59:59Z",
			[]string{"2199-12-31T23:59:00Z"},
		},
		{
			"I1, Monzo: 02:00 in the United States' Pacific time", "0 2 * * *", "US/Pacific",
			"2025-03-08T12:00:00Z", "2025-03-10T12:00:00Z",
			[]string{"2025-03-09T10:00:00Z", "2025-03-10T09:00:00Z"},
		},
		{
			"I2: every minute of a day on which the clocks go forward fires once", "59 1-3 * * *", "America/New_York",
			"2025-03-09T05:00:00Z", "2025-03-09T12:00:00Z",
			[]string{"2025-03-09T06:59:00Z", "2025-03-09T07:00:00Z", "2025-03-09T07:59:00Z"},
		},
		{
			"I6: an hourly rate counts real time when the clocks go back", "rate(1 hour)", "America/New_York",
			"2025-11-02T04:00:00Z", "2025-11-02T07:00:00Z",
			[]string{"2025-11-02T05:00:00Z", "2025-11-02T06:00:00Z", "2025-11-02T07:00:00Z"},
		},
		{
			"I7: 7 is Sunday in Unix cron, and mon-sun a week", "0 8 1 1 7", "UTC",
			"2027-01-01T00:00:00Z", "2027-01-11T00:00:00Z",
			[]string{"2027-01-01T08:00:00Z", "2027-01-03T08:00:00Z", "2027-01-10T08:00:00Z"},
		},
		{
			"Unix cron: Friday the 13th is either, where both are restricted", "0 8 13 * fri", "UTC",
			"2027-08-01T00:00:00Z", "2027-08-20T00:00:00Z",
			[]string{"2027-08-06T08:00:00Z", "2027-08-13T08:00:00Z"},
		},
		{
			"Unix cron: both, where one begins with an asterisk", "0 8 */2 * fri", "UTC",
			"2027-08-01T00:00:00Z", "2027-08-31T00:00:00Z",
			[]string{"2027-08-13T08:00:00Z", "2027-08-27T08:00:00Z"},
		},
		{
			"Unix cron: a week that is written out restricts, and with a day is every day", "0 8 13 * 0-7", "UTC",
			"2027-08-01T08:00:00Z", "2027-08-03T08:00:00Z",
			[]string{"2027-08-02T08:00:00Z", "2027-08-03T08:00:00Z"},
		},
		{
			"a year that ends in another one in UTC", "cron(0 0 1 1 ? 2025)", "Pacific/Kiritimati",
			"2024-12-30T00:00:00Z", "2025-12-31T00:00:00Z",
			[]string{"2024-12-31T10:00:00Z"},
		},
		{
			"years that are over", "cron(0 8 * * ? 2020-2022)", "UTC",
			"2023-01-01T00:00:00Z", "9999-01-01T00:00:00Z", nil,
		},
		{
			"a weekend that runs over the end of the week", "cron(0 8 ? * FRI-MON *)", "UTC",
			"2027-08-04T00:00:00Z", "2027-08-11T00:00:00Z",
			[]string{"2027-08-06T08:00:00Z", "2027-08-07T08:00:00Z", "2027-08-08T08:00:00Z", "2027-08-09T08:00:00Z"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := instant(t, tc.from)
			loc, err := LoadZone(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			e, err := ParseExpression(tc.expression, loc, from)
			if err != nil {
				t.Fatal(err)
			}
			if got := fires(e, from, instant(t, tc.to)); !slices.Equal(got, tc.want) {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestFireIsLaterThanAsked: whatever the time and its fraction, Next is later, so that nobody fires twice or turns in
// a circle (I2, I3), and a fire is found from the nanosecond before it.
func TestFireIsLaterThanAsked(t *testing.T) {
	for _, text := range []string{"* * * * *", "rate(1 minute)", "cron(30 2 * * ? *)"} {
		e := expression(t, text, "America/New_York")
		at := instant(t, "2025-03-09T05:00:00Z")
		for range 2000 {
			next, ok := e.Next(at)
			if !ok || !next.After(at) {
				t.Fatalf("%s: Next(%s) is %s, %v", text, at, next, ok)
			}
			if again, _ := e.Next(next.Add(-1)); !again.Equal(next) {
				t.Fatalf("%s: Next just before %s is %s", text, next, again)
			}
			if again, _ := e.Next(next.Add(1)); !again.After(next) {
				t.Fatalf("%s: Next just after %s is %s", text, next, again)
			}
			at = next
		}
	}
}

func TestExpressionsArePrinted(t *testing.T) {
	for text, want := range map[string]string{
		" cron( 05  9 ? jan-mar  mon-fri * ) ": "cron(5 9 ? JAN-MAR MON-FRI *)",
		"CRON(0/15 9-17/2 ? 1,4 2-6 2027/2)":   "cron(0/15 9-17/2 ? JAN,APR MON-FRI 2027/2)",
		"cron(*/1 */02 l,15w,lw * ? *)":        "cron(* */2 L,15W,LW * ? *)",
		"cron(0 9 ? * fri#02 *)":               "cron(0 9 ? * 6#2 *)",
		"cron(0 9 ? * fril,L,7 *)":             "cron(0 9 ? * 6L,L,SAT *)",
		"00 18 * * 1-5":                        "0 18 * * MON-FRI",
		"0 18 */2 * 7":                         "0 18 */2 * SUN",
		"0 18 1 * 5-7,0":                       "0 18 1 * 5-7,SUN",
		"0 18 1 * 7/2":                         "0 18 1 * 7/2",
		"rate(01 DAY)":                         "rate(1 day)",
		"rate(36 hours)":                       "rate(36 hours)",
		"at( 2027-02-05t09:00:00 )":            "at(2027-02-05T09:00:00)",
	} {
		e := expression(t, text, "UTC")
		if e.String() != want {
			t.Errorf("%q prints %q, want %q", text, e, want)
		}
		if again := expression(t, e.String(), "UTC"); again.String() != want || !sameFiring(e, again) {
			t.Errorf("%q prints %q, which is another expression, %q", text, e, again)
		}
	}
}

func TestKindsOfExpressions(t *testing.T) {
	for text, want := range map[string]ExpressionKind{
		"cron(0 18 ? * MON-FRI *)": KindCron, "0 18 * * 1-5": KindUnixCron, "rate(5 minutes)": KindRate, "at(2027-02-05T09:00:00)": KindAt,
	} {
		if got := expression(t, text, "UTC").Kind(); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", `expression: is empty; allowed: cron(`},
		{" \t", `is empty`},
		{"cron(0 9 * * ? *", `does not end in )`},
		{"cron(0 9 * * ? *) x", `does not end in )`},
		{"every(5 minutes)", `is none of the known forms`},
		{"cron(" + strings.Repeat("1,", 3000) + "1 9 * * ? *)", "bytes long, more than 4096"},
		{"cron(0 9 * * MON-FRI)", "has 5 fields, not 6"},
		{"cron(0 9 * * MON-FRI)", "Unix cron's five fields stand without cron( )"},
		{"0 9 ? * MON-FRI *", "go into cron( )"},
		{"cron(0 0 9 * * ? *)", "there are no seconds"},

		{"cron(60 9 * * ? *)", `"60" in the minutes is outside 0 … 59; allowed: in minutes`},
		{"cron(0 9,24 * * ? *)", `"24" in the hours is outside 0 … 23`},
		{"cron(0 1.5 * * ? *)", `"1.5" is not known in the hours`},
		{"cron(0 22-2 * * ? *)", `"22-2" is a range that runs backwards`},
		{"cron(0 22-2 * * ? *)", "write two: 22-23,0-2"},
		{"cron(0 9 * * ? 2029-2027)", `"2029-2027" is a range that runs backwards`},
		{"cron(0/0 9 * * ? *)", `"0/0" does not end in a step of 1 or more`},
		{"cron(*/-5 9 * * ? *)", `does not end in a step of 1 or more`},
		{"cron(0 9 32 * ? *)", `"32" in the days is outside 1 … 31`},
		{"cron(0 9 32W * ? *)", `"32W" in the days is outside 1 … 31`},
		{"cron(0 9 L-3 * ? *)", `"L-3" is not known in the days`},
		{"cron(0 9 W * ? *)", `"W" is not known in the days`},
		{"cron(0 9 1,? * ? *)", `"?" does not belong in the days`},
		{"cron(0 9 ? * 0 *)", "Sunday is 1, or SUN"},
		{"cron(0 9 ? * MONDAY *)", "write MON"},
		{"cron(0 9 ? * 2W *)", `"2W" is not known in the weekdays`},
		{"cron(0 9 ? * 6#6 *)", "for the last one of a month write 6L"},
		{"cron(0 9 ? * 3#1,6#3 *)", "make a rule for each"},
		{"cron(0 9 ? * MON,6#3 *)", "has # in a list"},
		{"cron(0 9 ? * #3 *)", `"#3" is not known in the weekdays`},
		{"cron(0 9 1 JUNE ? *)", "write JUN"},
		{"cron(0 9 1 * ? 2200)", `"2200" in the years is outside 1970 … 2199`},
		{"cron(0 9 1 * ? 99999999999999999999)", `in the years is outside 1970 … 2199`},
		{"cron(0 9 * * * *)", "of the two write ? for the one that does not matter"},
		{"cron(0 9 ? * ? *)", "for every day write * for one of them"},
		{"cron(0 9 1,,2 * ? *)", "has an empty item in the days"},
		{"cron(0 9 ſun * ? *)", `is not known in the days`},

		{"cron(0 9 30 2 ? *)", "can never fire"},
		{"cron(0 9 30 2 ? *)", "write L in the days"},
		{"cron(0 9 31W 2,4,6,9,11 ? *)", "can never fire"},
		{"cron(0 9 29 2 ? 2025-2027)", "can never fire"},
		{"cron(0 9 29 2 ? 2100)", "can never fire"},
		{"cron(0 9 ? 2 2#5 2025)", "can never fire"},
		{"0 9 30 2 *", "can never fire"},
		{"0 9 31 4,6 */7", "can never fire"},

		{"TZ=UTC", "the zone is the rule's timezone"},
		{"CRON_TZ=", "the zone is the rule's timezone"},
		{"CRON_TZ=UTC 0 9 * * *", "the zone is the rule's timezone"},
		{"TZ= * * * *", `"TZ=" is not known in the minutes`},
		{"@every -5m", "write rate(5 minutes)"},
		{"@every 0s", "write rate(5 minutes)"},
		{"@reboot", "write rate(5 minutes)"},
		{"@daily", "write 0 0 * * *"},
		{"0 9 1,,2 * *", "has an empty item in the days"},
		{"0 9 ? * *", "write *"},
		{"0 9 L * *", "are known to cron( )"},
		{"0 9 15W * *", "are known to cron( )"},
		{"0 9 * * 5L", "are known to cron( )"},
		{"0 9 * * 5#2", "are known to cron( )"},
		{"0 9 * * 8", `"8" in the weekdays is outside 0 … 7`},

		{"rate()", "is not a number and a unit"},
		{"rate(5)", "is not a number and a unit"},
		{"rate(5minutes)", "is not a number and a unit"},
		{"rate(0 minutes)", "has a rate of 0"},
		{"rate(-5 minutes)", "does not begin with a whole number"},
		{"rate(1.5 hours)", "does not begin with a whole number"},
		{"rate(1 minutes)", "write rate(1 minute)"},
		{"rate(5 minute)", "write rate(5 minutes)"},
		{"rate(30 seconds)", "the shortest rate is a minute"},
		{"rate(2 weeks)", "write rate(14 days)"},
		{"rate(5 month)", "has another unit"},
		{"rate(1000001 days)", "has a number above 1000000"},
		{"rate(99999999999999999999 days)", "has a number above 1000000"},

		{"at()", "is not a date and a time"},
		{"at(2027-02-05 09:00:00)", "is not a date and a time"},
		{"at(2027-02-05T09:00)", "is not a date and a time"},
		{"at(2027-02-05T09:00:00Z)", "the time is read in the rule's timezone"},
		{"at(2027-02-05T09:00:00+09:00)", "the time is read in the rule's timezone"},
		{"at(2027-02-30T09:00:00)", "is on a date that does not exist"},
		{"at(2027-13-01T09:00:00)", "is on a date that does not exist"},
		{"at(2027-00-01T09:00:00)", "is on a date that does not exist"},
		{"at(2027-01-00T09:00:00)", "is on a date that does not exist"},
		{"at(2027-02-05T24:00:00)", "a day begins at 00:00:00"},
		{"at(2027-02-05T09:60:00)", "is not on the clock"},
		{"at(2016-12-31T23:59:60)", "is not on the clock"},
		{"at(1969-12-31T23:59:59)", "is outside the years 1970 … 2199"},
		{"at(2200-01-01T00:00:00)", "is outside the years 1970 … 2199"},
	} {
		e, err := ParseExpression(tc.text, nil, time.Time{})
		if err == nil {
			t.Errorf("%q is accepted as %s", tc.text, e)
			continue
		}
		refusedWell(t, err)
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v; want %q", tc.text, err, tc.want)
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Field != "expression" || fault.Allowed.Empty() {
			t.Errorf("%q: a fault without its place: %#v", tc.text, fault)
		}
	}
}

// TestAllFaultsOfAnExpressionAreSaid: who corrects an expression does it once.
func TestAllFaultsOfAnExpressionAreSaid(t *testing.T) {
	_, err := ParseExpression("cron(60,61 24 1 13 MON 1969)", nil, time.Time{})
	var got []string
	for _, f := range Faults(err) {
		got = append(got, f.Text)
	}
	if want := []string{"60", "61", "24", "13", "1969", "1 13 MON"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRatesAreCountedFromTheirAnchor(t *testing.T) {
	anchor := time.Date(2027, 2, 5, 9, 0, 30, 500, time.UTC)
	e, err := ParseExpression("rate(7 days)", nil, anchor)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ after, want string }{
		{"0001-01-01T00:00:00Z", "2027-02-12T09:00:30Z"}, // not before it was made
		{"2027-02-05T09:00:30Z", "2027-02-12T09:00:30Z"}, // and not at once
		{"2027-02-12T09:00:29Z", "2027-02-12T09:00:30Z"},
		{"2027-02-12T09:00:30Z", "2027-02-19T09:00:30Z"},
		{"9999-12-24T09:00:30Z", "9999-12-31T09:00:30Z"},
	} {
		got, ok := e.Next(instant(t, tc.after))
		if want := instant(t, tc.want); !ok || !got.Equal(want) {
			t.Errorf("after %s it fires at %s, want %s", tc.after, got, want)
		}
	}
	if got, ok := e.Next(instant(t, "9999-12-31T09:00:30Z")); ok {
		t.Errorf("beyond the calendar it fires at %s", got)
	}
}

// TestFarFires: the ends of time are no trap (fault 12).
func TestFarFires(t *testing.T) {
	for _, text := range []string{"* * * * *", "cron(0 0 1 1 ? *)", "rate(1000000 days)", "at(2027-02-05T09:00:00)"} {
		e := expression(t, text, "Asia/Seoul")
		first, ok := e.Next(time.Unix(-1<<62, 0))
		if !ok {
			t.Errorf("%s never fires", text)
		}
		if again, _ := e.Next(time.Time{}.AddDate(-3000, 0, 0)); !again.Equal(first) {
			t.Errorf("%s fires first at %s or at %s", text, first, again)
		}
		for _, at := range []time.Time{time.Unix(1<<62, 0), time.Unix(maxInstant, 0), time.Unix(1<<63-1, 999_999_999)} {
			if got, ok := e.Next(at); ok {
				t.Errorf("%s fires at %s after %s", text, got, at)
			}
		}
	}
	last := time.Date(2199, 12, 31, 14, 59, 0, 0, time.UTC) // 23:59 in Seoul
	e := expression(t, "* * * * *", "Asia/Seoul")
	if at, ok := e.Next(last.Add(-time.Second)); !ok || !at.Equal(last) {
		t.Errorf("the last fire is %s", at)
	}
	if at, ok := e.Next(last); ok {
		t.Errorf("after the last fire comes %s", at)
	}
}

// TestNextIsQuick: the rarest expressions in the zones with the most rules stay far below a millisecond (fault 12).
func TestNextIsQuick(t *testing.T) {
	for _, text := range []string{
		"cron(0 0 ? 2 MON#5 *)", "cron(0 0 29 2 ? *)", "cron(0 0 1 1 ? 2199)", "cron(0 0 * * ? 1970)", "0 0 */28 2 1", "cron(59 23 31W 12 ? 1970/229)",
	} {
		e := expression(t, text, "America/New_York")
		start := time.Now()
		const times = 100
		for i := range times {
			e.Next(time.Date(1970+2*i, 3, 1, 0, 0, 0, 0, time.UTC))
		}
		if took := time.Since(start) / times; took > 5*time.Millisecond {
			t.Errorf("%s: Next takes %s", text, took)
		}
	}
}

// TestStoppingFires: who has seen enough is not called again.
func TestStoppingFires(t *testing.T) {
	e := expression(t, "* * * * *", "UTC")
	n := 0
	for range e.Fires(benchYear, benchYear.AddDate(100, 0, 0)) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d fires", n)
	}
}

// TestManyAskAtOnceWhenItFires: an expression is shared by what plans, shows and fires.
func TestManyAskAtOnceWhenItFires(t *testing.T) {
	e := expression(t, "cron(0/20 * * * ? *)", "America/New_York")
	from := instant(t, "2025-01-01T00:00:00Z")
	want := fires(e, from, from.AddDate(1, 0, 0))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if got := fires(e, from, from.AddDate(1, 0, 0)); !slices.Equal(got, want) {
				t.Errorf("%d fires, want %d", len(got), len(want))
			}
		})
	}
	all.Wait()
}
