package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/holiday"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

var madeAt = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// object makes an object of version 1 that kim made.
func objectOf(kind store.ObjectKind, name, spec string) store.Object {
	return store.Object{Kind: kind, Name: name, Version: 1, Spec: json.RawMessage(spec), Author: "kim", Created: madeAt, Changed: madeAt.Add(time.Hour)}
}

func mustJoin(t *testing.T, text string, objects ...store.Object) *Loaded {
	t.Helper()
	loaded, err := Parse("dayshift.yaml", []byte(text), Env{}, objects...)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// team is one object of each kind, in an order in which none of them could be read one after the other.
var team = []store.Object{
	objectOf(store.RuleObject, "nightly", `{"expression":"rate(6 hours)","action":"stop","filters":"name=batch"}`),
	objectOf(store.ExceptionObject, "office:2027-02-05:stop", `{"schedule":"office","date":"2027-02-05","type":"stop","value":"21:00","note":"release"}`),
	objectOf(store.ExceptionObject, "night:2027-02-08..2027-02-09:start", `{"schedule":"night","from":"2027-02-08","to":"2027-02-09","type":"start","value":"none"}`),
	objectOf(store.ScheduleObject, "night", `{"periods":["late","office"],"holidays":["company"],"enforced":true,"start_lead":"600s"}`),
	objectOf(store.HolidayObject, "company", `{"days":[{"date":"2027-02-10","name":"Founding day"}],"make_up":[{"date":"2027-02-13","as":"thu"}]}`),
	objectOf(store.PeriodObject, "late", `{"begintime":"22:00","endtime":"23:00","weekdays":"mon-fri,sun"}`),
}

func TestObjectsJoinTheFile(t *testing.T) {
	loaded := mustJoin(t, small, team...)
	if len(loaded.Warnings) > 0 {
		t.Errorf("warnings %v", loaded.Warnings)
	}
	for _, test := range []struct {
		name, schedule, at string
		want               calendar.State
	}{
		{"a period of the store", "night", "2027-02-12T22:30:00Z", calendar.Running},
		{"its start lead", "night", "2027-02-12T21:50:00Z", calendar.Running},
		{"a period of the file", "night", "2027-02-12T10:00:00Z", calendar.Running},
		{"a day off of the store", "night", "2027-02-10T10:00:00Z", calendar.Stopped},
		{"a make-up Saturday of the store", "night", "2027-02-13T10:00:00Z", calendar.Running},
		{"an exception for a schedule of the store", "night", "2027-02-09T22:30:00Z", calendar.Stopped},
		{"an exception for a schedule of the file", "office", "2027-02-05T20:59:59Z", calendar.Running},
		{"the day after it", "office", "2027-02-04T20:00:00Z", calendar.Stopped},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := loaded.Book.Schedules[test.schedule].Calendar.Wanted(at); got.State != test.want {
			t.Errorf("%s: at %s %+v, want %s", test.name, test.at, got, test.want)
		}
	}
	if s := loaded.Book.Schedules["night"]; s.Err != nil || !s.Enforced || !s.StopNewInstances {
		t.Errorf("night is %+v", s)
	}
	if c := loaded.Config; len(c.Schedules) != 2 || len(c.Periods) != 2 || len(c.Holidays) != 1 || len(c.Exceptions) != 2 || len(c.Rules) != 1 {
		t.Errorf("configuration %+v", c)
	}
	rule := loaded.Book.Rules[0]
	if at, ok := rule.Expression.Next(madeAt); !ok || !at.Equal(madeAt.Add(6*time.Hour)) {
		t.Errorf("a rate does not count from when its rule was made: %s", at)
	}
	if !rule.Since.Equal(madeAt.Add(time.Hour)) {
		t.Errorf("since %s, want the last change", rule.Since)
	}
	for path, want := range map[string]string{
		"schedules.night.enforced": `schedule "night" (object, version 1)`, "schedules.night.mode": "default", "schedules.office.periods": "dayshift.yaml:4",
	} {
		if got := loaded.Origin(path).String(); got != want {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
}

func TestObjectsAreListed(t *testing.T) {
	loaded := mustJoin(t, small+`
exceptions: [{value: "8:00", schedule: office, type: start, date: 2027-03-01}]
rules: {hourly: {filters: "name=*", catch_up: 3600s, action: start, expression: rate(1 hour), enabled: true, accounts: [111122223333]}}
`, append(team, objectOf(store.ScheduleObject, "broken", ` { "periods": ["nowhere"] }`))...)
	type row struct {
		Name  string
		File  bool
		Spec  string
		Where string
	}
	want := map[store.ObjectKind][]row{
		store.PeriodObject: {
			{"late", false, `{"begintime":"22:00","endtime":"23:00","weekdays":["mon-fri,sun"]}`, `period "late" (object, version 1)`},
			{"office", true, `{"begintime":"09:00","endtime":"18:00","weekdays":["mon-fri"]}`, "dayshift.yaml:3"},
		},
		store.ScheduleObject: {
			{"broken", false, ` { "periods": ["nowhere"] }`, `schedule "broken" (object, version 1)`},
			{"night", false, `{"periods":["late","office"],"enforced":true,"holidays":["company"],"start_lead":"10m"}`, `schedule "night" (object, version 1)`},
			{"office", true, `{"periods":["office"]}`, "dayshift.yaml:4"},
		},
		store.HolidayObject: {
			{"company", false, `{"days":[{"date":"2027-02-10","name":"Founding day"}],"make_up":[{"date":"2027-02-13","as":"thu"}]}`, `holiday "company" (object, version 1)`},
		},
		store.ExceptionObject: {
			{"night:2027-02-08..2027-02-09:start", false, `{"schedule":"night","from":"2027-02-08","to":"2027-02-09","type":"start","value":"none"}`, `exception "night:2027-02-08..2027-02-09:start" (object, version 1)`},
			{"office:2027-02-05:stop", false, `{"schedule":"office","date":"2027-02-05","type":"stop","value":"21:00","note":"release"}`, `exception "office:2027-02-05:stop" (object, version 1)`},
			{"office:2027-03-01:start", true, `{"schedule":"office","date":"2027-03-01","type":"start","value":"8:00"}`, "dayshift.yaml:6"},
		},
		store.RuleObject: {
			{"hourly", true, `{"expression":"rate(1 hour)","action":"start","accounts":["111122223333"],"filters":"name=*","catch_up":"1h","enabled":true}`, "dayshift.yaml:7"},
			{"nightly", false, `{"expression":"rate(6 hours)","action":"stop","filters":"name=batch"}`, `rule "nightly" (object, version 1)`},
		},
		store.OverrideObject: nil,
	}
	for kind, rows := range want {
		var got []row
		for _, o := range loaded.Objects(kind) {
			if o.Kind != kind || (o.Version == 0) != o.File || (o.Author == "") != o.File || (o.Fault != nil) != (o.Name == "broken") {
				t.Errorf("%s %s: %+v", kind, o.Name, o)
			}
			got = append(got, row{o.Name, o.File, string(o.Spec), o.Where.String()})
		}
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// TestTheFileCounts: what both have is the file's, and the file stands alone.
func TestTheFileCounts(t *testing.T) {
	text := small + `
holidays: {company: {days: [{date: 2027-02-10}]}}
exceptions: [{schedule: office, date: 2027-02-05, type: stop, value: "20:00"}]
rules: {nightly: {expression: rate(1 hour), action: start, filters: "name=*"}}
reservations: {sale: {account: "111122223333", region: us-east-1, instance_type: r5.large, zones: [us-east-1a], count: 1}}
workloads: {shop: {tiers: {db: {filters: "tag:Role=db"}}}}
`
	alone := mustJoin(t, text)
	loaded := mustJoin(t, text,
		objectOf(store.PeriodObject, "office", `{"begintime":"01:00"}`), objectOf(store.HolidayObject, "company", `{"builtin":"kr"}`),
		objectOf(store.ScheduleObject, "office", `{"override_status":"running"}`), objectOf(store.RuleObject, "nightly", `{"expression":"rate(2 hours)","action":"stop","filters":"name=*"}`),
		objectOf(store.ExceptionObject, "office:2027-02-05:stop", `{"schedule":"office","date":"2027-02-05","type":"stop","value":"none"}`),
		objectOf(store.ReservationObject, "sale", `{"account":"111122223333","region":"us-east-1","instance_type":"r5.large","zones":["us-east-1a"],"count":900}`),
		objectOf(store.WorkloadObject, "shop", `{"enabled":false,"tiers":{"web":{"filters":"tag:Role=web"}}}`),
	)
	if diff := cmp.Diff(alone.Config, loaded.Config, cmp.AllowUnexported(Secret{})); diff != "" {
		t.Errorf("an object reached what the file says:\n%s", diff)
	}
	if loaded.Book.Schedules["office"].Err != nil || len(loaded.Book.Rules) != 1 || loaded.Book.Rules[0].Verb != fleet.Start {
		t.Errorf("the book is %+v", loaded.Book)
	}
	for kind, line := range map[store.ObjectKind]string{store.PeriodObject: "3", store.ScheduleObject: "4", store.HolidayObject: "6", store.ExceptionObject: "7", store.RuleObject: "8"} {
		list := loaded.Objects(kind)
		if len(list) != 2 || !list[0].File || list[0].Fault != nil || list[1].File || list[1].Fault == nil {
			t.Errorf("%s: %+v", kind, list)
			continue
		}
		if want := "is in the file as well, on line " + line + ", and the file's counts"; !strings.Contains(list[1].Fault.Error(), want) {
			t.Errorf("%s: %v, want %q", kind, list[1].Fault, want)
		}
	}

	for _, text := range []string{
		"schedules: {day: {periods: [late]}}\n",
		strings.ReplaceAll(small, "{periods: [office]}", "{periods: [office], holidays: [company]}"),
		small + "exceptions: [{schedule: night, date: 2027-02-05, type: stop, value: none}]\n",
	} {
		_, err := Parse("dayshift.yaml", []byte(text), Env{}, team...)
		if err == nil || !strings.Contains(err.Error(), "does not exist") && !strings.Contains(err.Error(), "no periods yet") {
			t.Errorf("a file that needs an object: %v", err)
		}
	}
}

// TestSetAside gives one object with a fault beside good ones: it is set aside with its sentence, and nothing else is.
func TestSetAside(t *testing.T) {
	const text = small + `exceptions: [{schedule: office, date: 2027-02-05, type: stop, value: "20:00"}]` + "\n"
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for _, test := range []struct {
		name   string
		object store.Object
		want   string
	}{
		{"not JSON", objectOf(store.ScheduleObject, "x", `{"periods":`), `schedule "x" (object, version 1): schedules.x: cannot be read: its spec is not JSON: unexpected EOF`},
		{"nothing", objectOf(store.ScheduleObject, "x", ``), "its spec is not JSON: unexpected EOF"},
		{"null", objectOf(store.PeriodObject, "x", `null`), "its spec is empty"},
		{"two values", objectOf(store.PeriodObject, "x", `{} {}`), "something follows its end"},
		{"a list", objectOf(store.PeriodObject, "x", `[]`), "is a list, not a mapping"},
		{"too deep", objectOf(store.RuleObject, "x", `{"accounts":`+deep+`}`), "nested more than 32 deep"},
		{"not UTF-8", objectOf(store.RuleObject, "x", "{\"filters\":\"\xff\"}"), "is not UTF-8"},
		{"too large", objectOf(store.PeriodObject, "x", `{"description":"`+strings.Repeat("x", MaxSpec)+`"}`), "up to 65536"},
		{"a key twice", objectOf(store.PeriodObject, "x", `{"begintime":"09:00","begintime":"10:00"}`), "periods.x.begintime: is given twice\n"},
		{"an unknown key", objectOf(store.PeriodObject, "x", `{"beginTime":"09:00"}`), "did you mean begintime?"},
		{"a key of the file", objectOf(store.PeriodObject, "x", `{"<<":{"begintime":"09:00"}}`), "periods.x.<<: is not a known key"},
		{"a text that is a boolean", objectOf(store.ScheduleObject, "x", `{"periods":["office"],"enforced":"true"}`), `"true" is a text because of its quotes`},
		{"a period without a field", objectOf(store.PeriodObject, "x", `{}`), "at least one"},
		{"a time", objectOf(store.PeriodObject, "x", `{"begintime":"25:00"}`), `periods.x.begintime: "25:00"`},
		{"an unknown period", objectOf(store.ScheduleObject, "x", `{"periods":["offce"]}`), `schedules.x.periods[0]: "offce" names a period that does not exist`},
		{"an unknown zone", objectOf(store.ScheduleObject, "x", `{"periods":["office"],"timezone":"Asia/Seol"}`), `schedules.x.timezone: "Asia/Seol" is not a time zone`},
		{"an unknown calendar", objectOf(store.ScheduleObject, "x", `{"periods":["office"],"holidays":["kr"]}`), `"kr" names a holiday calendar that does not exist`},
		{"a name with blanks", objectOf(store.ScheduleObject, " x", `{"periods":["office"]}`), "has blanks at its ends"},
		{"no name", objectOf(store.ScheduleObject, "", `{"periods":["office"]}`), "it is empty"},
		{"a window name", objectOf(store.ScheduleObject, "x", `{"periods":["office"],"ssm_maintenance_window":"a b"}`), "is not the name of an SSM maintenance window"},
		{"no periods", objectOf(store.ScheduleObject, "x", `{}`), "has no periods"},
		{"a clash with the file", objectOf(store.ExceptionObject, "office:2027-02-04..2027-02-06:stop", `{"schedule":"office","from":"2027-02-04","to":"2027-02-06","type":"stop","value":"none"}`), `and "stop at 20:00 on 2027-02-05" on line 5 both move the stop of 2027-02-05`},
		{"another name", objectOf(store.ExceptionObject, "release", `{"schedule":"office","date":"2027-04-05","type":"stop","value":"none"}`), "name it office:2027-04-05:stop"},
		{"an unknown schedule", objectOf(store.ExceptionObject, "offce:2027-04-05:stop", `{"schedule":"offce","date":"2027-04-05","type":"stop","value":"none"}`), "did you mean office?"},
		{"no value", objectOf(store.ExceptionObject, "office:2027-04-05:stop", `{"schedule":"office","date":"2027-04-05","type":"stop"}`), "has no value"},
		{"a calendar without dates", objectOf(store.HolidayObject, "x", `{}`), "has no dates"},
		{"a file that is not there", objectOf(store.HolidayObject, "x", `{"file":"x.ics"}`), "names no file that can be read here"},
		{"an address", objectOf(store.HolidayObject, "x", `{"url":"ftp://x"}`), "begins with neither http:// nor https://"},
		{"a filter", objectOf(store.RuleObject, "x", `{"expression":"rate(1 day)","action":"stop","filters":"env=dev"}`), `unknown key "env"`},
		{"an account", objectOf(store.RuleObject, "x", `{"expression":"rate(1 day)","action":"stop","filters":"name=*","accounts":["777788889999"]}`), "is not an account of this configuration"},
		{"no expression", objectOf(store.RuleObject, "x", `{"action":"stop","filters":"name=*"}`), "has no expression"},
	} {
		t.Run(test.name, func(t *testing.T) {
			good := mustJoin(t, text, team[2:]...)
			loaded := mustJoin(t, text, append([]store.Object{test.object}, team[2:]...)...)
			var fault error
			for _, kind := range []store.ObjectKind{store.PeriodObject, store.HolidayObject, store.ScheduleObject, store.ExceptionObject, store.RuleObject} {
				for _, o := range loaded.Objects(kind) {
					if o.Name == test.object.Name && o.Kind == test.object.Kind {
						fault = o.Fault
					} else if o.Fault != nil {
						t.Errorf("%s %s is set aside too: %v", o.Kind, o.Name, o.Fault)
					}
				}
			}
			var faults Faults
			if !errors.As(fault, &faults) || !strings.Contains(fault.Error(), test.want) || !strings.HasSuffix(fault.Error(), "the object is set aside") {
				t.Fatalf("fault %v, want %q", fault, test.want)
			}
			for _, f := range faults {
				if f.Line != 0 || !strings.HasSuffix(f.Place(), `(object, version 1)`) {
					t.Errorf("the fault is placed at %s", f.Place())
				}
			}
			if diff := cmp.Diff(good.Config, loaded.Config, cmp.AllowUnexported(Secret{})); diff != "" {
				t.Errorf("something else changed:\n%s", diff)
			}
			if len(loaded.Warnings) != 1 || !strings.Contains(loaded.Warnings[0].Problem.String(), "is set aside") {
				t.Errorf("warnings %v", loaded.Warnings)
			}
			if loaded.Same(good) {
				t.Error("the configuration is the same as without it")
			}
			switch test.object.Kind {
			case store.ScheduleObject:
				if s := loaded.Book.Schedules[test.object.Name]; s == nil || s.Err == nil || s.Calendar != nil || strings.Contains(s.Err.Error(), "\n") {
					t.Errorf("the schedule is %+v", s)
				}
			case store.RuleObject:
				at := slices.IndexFunc(loaded.Book.Rules, func(r *policy.Rule) bool { return r.Name == test.object.Name })
				if at < 0 || loaded.Book.Rules[at].Err == nil || loaded.Book.Rules[at].Usable() {
					t.Errorf("the rules are %+v", loaded.Book.Rules)
				}
			default:
			}
		})
	}
}

// TestSetAsideTakesAlong: what names an object at fault is set aside with it, and nothing more.
func TestSetAsideTakesAlong(t *testing.T) {
	objects := slices.Clone(team)
	objects[5].Spec = json.RawMessage(`{"begintime":"22:00","endtime":"22:00"}`)
	objects = append(objects, objectOf(store.ScheduleObject, "day", `{"periods":["office"],"holidays":["company"]}`))
	loaded := mustJoin(t, small, objects...)
	got := map[string]string{}
	for _, w := range loaded.Warnings {
		got[w.File] = w.Path + ": " + w.Problem.String()
	}
	want := map[string]string{
		`period "late" (object, version 1)`:                                  "periods.late.endtime: begins and ends at the same time; the period is set aside: what names it is set aside too",
		`schedule "night" (object, version 1)`:                               "schedules.night.periods[0]: names a period that is refused itself; the schedule is set aside: its resources are left alone",
		`exception "night:2027-02-08..2027-02-09:start" (object, version 1)`: "exceptions.\"night:2027-02-08..2027-02-09:start\".schedule: names a schedule that is set aside itself; the exception is set aside: it changes nothing",
	}
	for file, text := range want {
		if file[0] == 'p' {
			if !strings.HasPrefix(got[file], "periods.late") {
				t.Errorf("%s: %s", file, got[file])
			}
			got[file] = text
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if s := loaded.Book.Schedules; s["day"].Err != nil || s["office"].Err != nil || s["night"].Err == nil {
		t.Errorf("schedules %+v", s)
	}
	at := time.Date(2027, 2, 5, 20, 0, 0, 0, time.UTC)
	if got := loaded.Book.Schedules["office"].Calendar.Wanted(at); got.State != calendar.Running {
		t.Errorf("the exception of the other schedule is gone: %+v", got)
	}

	// A calendar at fault, the same way.
	objects = slices.Clone(team)
	objects[4].Spec = json.RawMessage(`{"days":[{"date":"2027-02-30"}]}`)
	loaded = mustJoin(t, small, objects...)
	if err := loaded.Book.Schedules["night"].Err; err == nil || !strings.Contains(err.Error(), `"company" names a holiday calendar that is refused itself`) {
		t.Errorf("night: %v", err)
	}
}

// TestFault63OneBadRule: with one bad rule the good ones keep running, and the bad one is reported.
func TestFault63OneBadRule(t *testing.T) {
	before := mustJoin(t, small, team...)
	bad := objectOf(store.RuleObject, "morning", `{"expression":"cron(0 0 30 2 ? *)","action":"start","filters":"name=*"}`)
	bad.Version = 7
	after := mustJoin(t, small, append(slices.Clone(team), bad)...)
	if len(after.Book.Rules) != 2 || after.Book.Rules[0].Usable() || !after.Book.Rules[1].Usable() {
		t.Fatalf("rules %+v", after.Book.Rules)
	}
	want := `rule "morning" (object, version 7): rules.morning.expression: "cron(0 0 30 FEB ? *)" can never fire: none of the months and years it names has such a day`
	if got := after.Book.Rules[0].Err.Error(); got != want {
		t.Errorf("reported as %s\nwant %s", got, want)
	}
	if len(after.Warnings) != 1 || after.Warnings[0].Place() != `rule "morning" (object, version 7)` || !strings.HasSuffix(after.Warnings[0].Problem.String(), "it does not fire") {
		t.Errorf("warnings %v", after.Warnings)
	}
	for name, s := range before.Book.Schedules {
		if after.Book.Schedules[name].Err != nil || s.Err != nil {
			t.Errorf("schedule %s: %v", name, after.Book.Schedules[name].Err)
		}
	}
	diff := before.Diff(after)
	if len(diff) != 1 || !strings.HasPrefix(diff[0], "rules.morning.object: version 7, set aside: rules.morning.expression: ") {
		t.Errorf("difference %q", diff)
	}

	// The same in the file: it is refused whole, so that the daemon keeps what it has.
	faults := faultsOf(t, small+"rules: {good: {expression: rate(1 day), action: stop, filters: name=*}, bad: {expression: cron(0 0 30 2 ? *), action: start, filters: name=*}}\n")
	if len(faults) != 1 || faults[0].Path != "rules.bad.expression" {
		t.Errorf("%v", faults)
	}
}

func TestObjectsAreCompared(t *testing.T) {
	before := mustJoin(t, small, team...)
	if !before.Same(mustJoin(t, small, append([]store.Object{objectOf(store.OverrideObject, "o", `{}`)}, team...)...)) {
		t.Error("an override is a change of the configuration")
	}
	changed := slices.Clone(team)
	changed[3].Version, changed[3].Spec = 2, json.RawMessage(`{"periods":["late"],"holidays":["company"],"start_lead":"10m"}`)
	want := []string{
		"schedules.night.enforced: true → false", "schedules.night.object: version 1 → version 2", "schedules.night.periods: [late office] → [late]",
	}
	if diff := cmp.Diff(want, before.Diff(mustJoin(t, small, changed...))); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	// A change can be tried before it is saved: the later of two counts.
	tried := changed[3]
	tried.Version = 0
	loaded := mustJoin(t, small, append(slices.Clone(team), tried)...)
	if got := loaded.Objects(store.ScheduleObject)[0]; got.Name != "night" || got.Where.Object != `schedule "night" (object, not saved)` {
		t.Errorf("night is %+v", got)
	}
	if loaded.Config.Schedules["night"].Enforced {
		t.Error("the earlier one counts")
	}
}

// TestRuleTimes: what a rule of the store counts from.
func TestRuleTimes(t *testing.T) {
	o := objectOf(store.RuleObject, "r", `{"expression":"rate(1 day)","action":"stop","filters":"name=*","created":"2026-01-01T06:00:00Z"}`)
	rule := mustJoin(t, small, o).Book.Rules[0]
	if at, _ := rule.Expression.Next(madeAt); at.Hour() != 6 || !rule.Since.Equal(o.Changed) {
		t.Errorf("written earlier: %s, since %s", at, rule.Since)
	}
	o.Spec = json.RawMessage(`{"expression":"rate(1 day)","action":"stop","filters":"name=*","created":"2028-01-01T06:00:00Z"}`)
	if rule := mustJoin(t, small, o).Book.Rules[0]; rule.Since.Year() != 2028 {
		t.Errorf("written later: since %s", rule.Since)
	}
}

func TestCopiesAmongObjects(t *testing.T) {
	data, err := os.ReadFile("testdata/office.ics")
	if err != nil {
		t.Fatal(err)
	}
	const address = "https://calendar.example/office.ics"
	kept, err := json.Marshal(holiday.Copy{URL: address, Data: data, Fetched: madeAt, Checked: madeAt})
	if err != nil {
		t.Fatal(err)
	}
	objects := []store.Object{
		objectOf(store.HolidayObject, "h", `{"url":"`+address+`","refresh":"1h"}`),
		objectOf(store.ScheduleObject, "s", `{"periods":["office"],"holidays":["h"]}`),
		objectOf(store.HolidayObject, "bad", `{"url":"`+address+`","make_up_pattern":"("}`),
	}
	without := mustJoin(t, small, objects...)
	objects = append(objects, objectOf(store.CalendarCopy, "damaged", `{"url":5}`), objectOf(store.CalendarCopy, "any", string(kept)))
	with := mustJoin(t, small, objects...)
	at := time.Date(2027, 10, 7, 10, 0, 0, 0, time.UTC)
	if got := without.Book.Schedules["s"].Calendar.Wanted(at); got.State != calendar.Running {
		t.Errorf("without a copy %+v", got)
	}
	if got := with.Book.Schedules["s"].Calendar.Wanted(at); got.State != calendar.Stopped {
		t.Errorf("with a copy %+v", got)
	}
	want := []Address{{Calendar: "h", URL: address, Refresh: time.Hour, Fetched: madeAt}}
	if diff := cmp.Diff(want, with.Addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if with.Same(without) || len(without.Warnings) != 2 || len(with.Warnings) != 1 {
		t.Errorf("warnings %v and %v", without.Warnings, with.Warnings)
	}
}

func TestTooManyObjects(t *testing.T) {
	objects := make([]store.Object, 0, MaxObjects+2)
	for i := range MaxObjects + 2 {
		objects = append(objects, objectOf(store.PeriodObject, fmt.Sprintf("p%05d", i), `{"weekdays":"mon"}`))
	}
	objects[MaxObjects].Kind, objects[MaxObjects].Spec = store.ScheduleObject, json.RawMessage(`{"periods":["office"]}`)
	loaded := mustJoin(t, small, objects...)
	if got := len(loaded.Config.Periods); got != MaxObjects+1 { // and the file's
		t.Errorf("%d periods", got)
	}
	if s := loaded.Book.Schedules[objects[MaxObjects].Name]; s == nil || s.Err == nil || !strings.Contains(s.Err.Error(), "there are more than 20000 objects") {
		t.Errorf("the schedule beyond is %+v", s)
	}
}

// TestManyBrokenObjects: thousands of faults cost neither minutes nor gigabytes, nor a warning each.
func TestManyBrokenObjects(t *testing.T) {
	const many = 3000 / shrink
	var objects []store.Object
	for i := range many {
		objects = append(objects,
			objectOf(store.PeriodObject, fmt.Sprintf("period-%05d", i), `{"begintime":"09:00"}`),
			objectOf(store.ScheduleObject, fmt.Sprintf("schedule-%05d", i), fmt.Sprintf(`{"periods":["perod-%05d"],"holidays":["a","b"]}`, i)),
			objectOf(store.ExceptionObject, fmt.Sprintf("shedule-%05d:2027-02-05:stop", i), fmt.Sprintf(`{"schedule":"shedule-%05d","date":"2027-02-05","type":"stop","value":"none"}`, i)),
		)
	}
	began := time.Now()
	loaded := mustJoin(t, small, objects...)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %s", took)
	} else {
		t.Logf("%d objects, two thirds of them broken, in %s", len(objects), took)
	}
	if len(loaded.Warnings) > many+2*maxFaults {
		t.Errorf("%d warnings", len(loaded.Warnings))
	}
	aside := 0
	for _, s := range loaded.Book.Schedules {
		if s.Err != nil {
			aside++
		}
	}
	if aside != many {
		t.Errorf("%d schedules are set aside", aside)
	}
}
