package config

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/holiday"
)

const ruled = `
accounts:
  - {id: "111122223333", regions: [us-east-1, us-west-2]}
  - {id: "444455556666", role: "arn:aws:iam::444455556666:role/dayshift", regions: [eu-central-1]}
periods: {office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}}
schedules: {office: {periods: [office]}}
rules:
`

func parseAt(t *testing.T, text, now string) (*Loaded, error) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	return Parse("dayshift.yaml", []byte(text), Env{Now: func() time.Time { return at }})
}

func TestRules(t *testing.T) {
	loaded, err := parseAt(t, ruled+`
  nightly: {expression: cron(55 14 * * ? *), timezone: Asia/Seoul, action: stop, accounts: ["111122223333"], regions: [us-west-2], filters: "tag:Name=batch,vpc-id=vpc-4085e027", description: end of the day}
  every: {expression: rate(90 minutes), action: reboot, filters: "name=*", untagged: true, catch_up: 1h}
  since: {expression: rate(90 minutes), action: start, filters: "name=*", created: 2027-02-05T18:10:00+09:00}
  unix: {expression: "*/10 8-18 * * 1-5", action: start, filters: "name=*", enabled: false}
  bigger: {expression: "at(2027-02-05T09:00:00)", action: "resize:M5.Large", filters: "instance-id=i-1"}
  sleep: {expression: "cron(0 18 ? * MON-FRI *)", action: hibernate, filters: "name=*"}
`, "2026-11-20T12:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Warnings) > 0 {
		t.Errorf("warnings: %v", loaded.Warnings)
	}
	rules := loaded.Book.Rules
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
		if r.Usable() != (r.Name != "unix") {
			t.Errorf("%s: usable %t", r.Name, r.Usable())
		}
	}
	if want := []string{"bigger", "every", "nightly", "since", "sleep", "unix"}; !slices.Equal(names, want) {
		t.Fatalf("rules %v, want %v", names, want)
	}
	bigger, every, nightly, since, sleep, unix := rules[0], rules[1], rules[2], rules[3], rules[4], rules[5]
	if bigger.Verb != fleet.Resize || bigger.Type != "m5.large" || sleep.Verb != fleet.Hibernate || every.Verb != fleet.Reboot {
		t.Errorf("actions: %s %q, %s, %s", bigger.Verb, bigger.Type, sleep.Verb, every.Verb)
	}
	if every.CatchUp != time.Hour || !every.Untagged || nightly.CatchUp != 10*time.Minute || nightly.Untagged || nightly.Description != "end of the day" {
		t.Errorf("every %+v\nnightly %+v", every, nightly)
	}
	if unix.Expression.Kind() != calendar.KindUnixCron {
		t.Errorf("unix cron is %s", unix.Expression.Kind())
	}
	after := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		e    *calendar.Expression
		want string
	}{
		{"in its zone", nightly.Expression, "2027-02-06T05:55:00Z"},
		{"a rate without a beginning counts from 1970", every.Expression, "2027-02-05T10:30:00Z"},
		{"a rate counts from where it says", since.Expression, "2027-02-05T10:40:00Z"},
	} {
		if at, ok := test.e.Next(after); !ok || at.Format(time.RFC3339) != test.want {
			t.Errorf("%s: %s, %t, want %s", test.name, at.Format(time.RFC3339), ok, test.want)
		}
	}
	if want := time.Date(2027, 2, 5, 9, 10, 0, 0, time.UTC); !since.Since.Equal(want) || !every.Since.IsZero() {
		t.Errorf("since %s and %s", since.Since, every.Since)
	}
	for scope, want := range map[fleet.Scope]bool{
		{Account: "111122223333", Region: "us-west-2"}: true, {Account: "111122223333", Region: "us-east-1"}: false, {Account: "444455556666", Region: "eu-central-1"}: false,
	} {
		if nightly.In(scope) != want {
			t.Errorf("in %s: %t", scope, !want)
		}
	}
}

func TestARuleThatNeverFiresAgain(t *testing.T) {
	text := ruled + `
  once: {expression: "at(2026-11-20T12:00:00)", action: stop, filters: "name=*"}
  years: {expression: cron(0 0 1 1 ? 2020), action: stop, filters: "name=*"}
  off: {expression: cron(0 0 1 1 ? 2020), action: stop, filters: "name=*", enabled: false}
`
	for now, want := range map[string][]string{
		"2026-11-20T11:00:00Z": {"rules.years.expression"},
		"2026-11-20T12:05:00Z": {"rules.years.expression"}, // still within catch_up
		"2026-11-20T12:11:00Z": {"rules.once.expression", "rules.years.expression"},
	} {
		loaded, err := parseAt(t, text, now)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range loaded.Warnings {
			if !strings.Contains(w.Problem.String(), "never fires again") || w.Line == 0 {
				t.Errorf("warning %v", w)
			}
			got = append(got, w.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %s: %v, want %v", now, got, want)
		}
	}
}

// TestFault11ImpossibleDate: what no calendar has is refused when it is read, by whichever way it comes.
func TestFault11ImpossibleDate(t *testing.T) {
	for _, text := range []string{
		ruled + "  r: {expression: cron(0 0 30 2 ? *), action: stop, filters: name=*}\n",
		ruled + "  r: {expression: 'cron(0 0 31 4,6,9,11 ? *)', action: stop, filters: name=*}\n",
		ruled + "  r: {expression: cron(0 0 29 2 ? 2025-2027), action: stop, filters: name=*}\n",
		ruled + "  r: {expression: 0 0 30 2 *, action: stop, filters: name=*}\n",
		ruled + "  r: {expression: \"at(2027-02-29T00:00:00)\", action: stop, filters: name=*}\n",
		small + "exceptions: [{schedule: office, date: 2027-02-30, type: stop, value: none}]\n",
		small + "exceptions: [{schedule: office, from: 2027-02-28, to: 2027-02-30, type: stop, value: none}]\n",
		small + "holidays: {h: {days: [{date: 2027-02-30}]}}\n",
		small + "holidays: {h: {make_up: [{date: 2027-04-31}]}}\n",
	} {
		faults := faultsOf(t, text)
		if f := faults[0]; len(faults) != 1 || f.Line == 0 || f.Text == "" || f.Allowed.Empty() && f.Fix.Empty() {
			t.Errorf("%s\n%v", text, faults)
		}
	}
}

// TestFault13UnknownZone: a zone is one that the machine knows, in IANA's spelling, wherever one is named.
func TestFault13UnknownZone(t *testing.T) {
	for _, zone := range []string{"Asia/Seol", `""`, "asia/seoul", "../etc/passwd", "../../etc", "Local", "KST", "+09:00", "Asia/Seoul/", "/usr/share/zoneinfo/Asia/Seoul"} {
		for _, text := range []string{
			small + "timezone: " + zone + "\n",
			strings.ReplaceAll(small, "{periods: [office]}", "{periods: [office], timezone: "+zone+"}"),
			ruled + "  r: {expression: rate(1 day), action: stop, filters: name=*, timezone: " + zone + "}\n",
		} {
			if zone == `""` && strings.Contains(text, "{periods: [office], timezone:") {
				continue // a schedule's empty zone is the file's
			}
			faults := faultsOf(t, text)
			if f := faults[0]; len(faults) != 1 || !strings.HasSuffix(f.Path, "timezone") || f.Line == 0 || f.Allowed.Empty() {
				t.Errorf("%s in\n%s\n%v", zone, text, faults)
			}
		}
	}
}

func TestObserveAndWindows(t *testing.T) {
	loaded := mustParse(t, strings.ReplaceAll(small, "{periods: [office]}", `{periods: [office], observe: true, ssm_maintenance_window: "patching, weekly.patch"}, b: {periods: [office], ssm_maintenance_window: [one-window]}, c: {periods: [office], ssm_maintenance_window: ""}`)+"resync_interval: 7m\n")
	s := loaded.Book.Schedules
	if !s["office"].Observe || s["b"].Observe || loaded.Book.Observe {
		t.Error("observe is not the schedule's own")
	}
	if got := s["office"].SSMWindows; !slices.Equal(got, []string{"patching", "weekly.patch"}) {
		t.Errorf("windows %q", got)
	}
	if len(s["b"].SSMWindows) != 1 || len(s["c"].SSMWindows) != 0 {
		t.Errorf("windows %q and %q", s["b"].SSMWindows, s["c"].SSMWindows)
	}
	if loaded.Book.WindowLead != 17*time.Minute {
		t.Errorf("lead %s", loaded.Book.WindowLead)
	}
	if !mustParse(t, small+"observe: true\n").Book.Observe {
		t.Error("observe does not reach the book")
	}
}

// TestCalendarAddress reads the last good copy of an address, and says when there is none.
func TestCalendarAddress(t *testing.T) {
	const address = "https://calendar.example/office.ics?key=1"
	text := `
timezone: Asia/Shanghai
accounts: [{id: "111122223333", regions: [us-east-1]}]
periods: {office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}}
schedules: {office: {periods: [office], holidays: [h]}}
holidays: {h: {url: "` + address + `", refresh: 6h, make_up_pattern: 班, builtin: cn, days: [{date: 2027-10-11, name: own}]}}
`
	good, err := os.ReadFile("testdata/office.ics")
	if err != nil {
		t.Fatal(err)
	}
	fetched := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	env := func(data []byte) Env {
		return Env{Copy: func(url string) ([]byte, time.Time, bool) {
			if url != address {
				t.Errorf("asked for %s", url)
			}
			return data, fetched, data != nil
		}}
	}
	parse := func(data []byte) *Loaded {
		t.Helper()
		loaded, err := Parse("dayshift.yaml", []byte(text), env(data))
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	on := func(l *Loaded, at string) calendar.State {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		return l.Book.Schedules["office"].Calendar.Wanted(instant).State
	}

	withCopy := parse(good)
	for at, want := range map[string]calendar.State{
		"2027-10-07T10:00:00+08:00": calendar.Stopped, // of the address
		"2027-10-09T10:00:00+08:00": calendar.Running, // a Saturday, 班
		"2027-10-11T10:00:00+08:00": calendar.Stopped, // of the list, although the address works on it
		"2026-10-01T10:00:00+08:00": calendar.Stopped, // of the built-in calendar
	} {
		if got := on(withCopy, at); got != want {
			t.Errorf("with a copy at %s %s, want %s", at, got, want)
		}
	}
	if want := (Address{Calendar: "h", URL: address, Refresh: 6 * time.Hour, File: true, Fetched: fetched}); len(withCopy.Addresses) != 1 || withCopy.Addresses[0] != want {
		t.Errorf("addresses %+v, want %+v", withCopy.Addresses, want)
	}
	if len(withCopy.Warnings) > 0 {
		t.Errorf("warnings %v", withCopy.Warnings)
	}

	if diff := strings.Join(mustParse(t, small).Diff(withCopy), "\n"); strings.Contains(diff, "key=1") || !strings.Contains(diff, "holidays.h.url: https://calendar.example/… (sha256 ") {
		t.Errorf("the difference shows %s", diff)
	}
	elsewhere, err := Parse("dayshift.yaml", []byte(strings.ReplaceAll(text, "key=1", "key=2")), Env{})
	if err != nil || elsewhere.Same(parse(nil)) {
		t.Errorf("another address is none: %v", err)
	}

	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"none":       {nil, "has not been fetched yet: its days do not count yet"},
		"a web page": {[]byte("<html>"), "cannot be used: not an iCalendar file"},
		"no events":  {[]byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"), "it has no event between 2000 and 2060"},
	} {
		l := parse(test.data)
		if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0].Problem.String(), test.want) || l.Warnings[0].Place() != "dayshift.yaml:6:21" {
			t.Errorf("%s: %v", name, l.Warnings)
		}
		if len(l.Addresses) != 1 || !l.Addresses[0].Fetched.IsZero() {
			t.Errorf("%s: addresses %+v", name, l.Addresses)
		}
		if on(l, "2027-10-07T10:00:00+08:00") != calendar.Running || on(l, "2027-10-11T10:00:00+08:00") != calendar.Stopped || on(l, "2026-10-01T10:00:00+08:00") != calendar.Stopped {
			t.Errorf("%s: the calendar's other dates do not count", name)
		}
		if summary := l.Warnings[0].Summary(); strings.Contains(summary, "key=1") || !strings.Contains(summary, `"https://calendar.example/…"`) {
			t.Errorf("%s: %s", name, summary)
		}
		if l.Same(withCopy) {
			t.Errorf("%s: a copy that came changes nothing", name)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, text := range []string{"https://a.example/b.ics", "http://127.0.0.1:8080/x", "HTTPS://a.example", "https://[::1]/x?y=z", "https://a.example/#b"} {
		if f := checkURL(text); f != nil {
			t.Errorf("%s: %v", text, f)
		}
	}
	for _, text := range []string{
		"", "a.ics", "/a.ics", "ftp://a.example/b", "file:///a", "https://", "https:///b", "https://u@a.example/b", "https://u:p@a.example/b", "https:a.example",
		"https://a.example/b c", "https://a.example/\x00", "https://a.example:port/", "https://a.example/" + strings.Repeat("b", holiday.MaxAddress), "webcal://a.example/b", "://", "https://:80/",
	} {
		if checkURL(text) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
