package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/store"
)

func TestSections(t *testing.T) {
	list, err := Sections("team.yaml", []byte(`
exceptions:
  - {type: stop, schedule: night, date: 2027-02-05, value: "21:00"}
  - {schedule: day, from: 2027-02-08, to: 2027-02-09, type: start, value: none}
schedules:
  night: {periods: "late, office", enforced: true}
  "a b": &s
    holidays: [company]
  c: *s
rules: {nightly: {expression: rate(6 hours), action: stop, filters: "name=batch"}}
holidays: {company: {days: [{date: 2027-02-10, name: Founding day}]}}
periods: {late: {begintime: "22:00", endtime: "23:00"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range list {
		got = append(got, string(o.Kind)+" "+o.Name+" "+string(o.Spec))
	}
	want := []string{
		`period late {"begintime":"22:00","endtime":"23:00"}`,
		`holiday company {"days":[{"date":"2027-02-10","name":"Founding day"}]}`,
		`schedule a b {"holidays":["company"]}`,
		`schedule c {"holidays":["company"]}`,
		`schedule night {"periods":["late","office"],"enforced":true}`,
		`exception day:2027-02-08..2027-02-09:start {"schedule":"day","from":"2027-02-08","to":"2027-02-09","type":"start","value":"none"}`,
		`exception night:2027-02-05:stop {"schedule":"night","date":"2027-02-05","type":"stop","value":"21:00"}`,
		`rule nightly {"expression":"rate(6 hours)","action":"stop","filters":"name=batch"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSectionsRefused(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "# no objects\n", "the file is empty"},
		{"a list", "- a\n", "not a mapping"},
		{"another section", "periods: {late: {begintime: \"22:00\"}}\ntimezone: Asia/Seoul\n", "team.yaml:2:1: timezone: is no section of objects"},
		{"a mistyped section", "shedules: {}\n", "did you mean schedules?"},
		{"a mistyped key", "periods:\n  late: {begintine: \"22:00\"}\n", "team.yaml:2:10: periods.late.begintine: is not a known key"},
		{"no filter", "rules: {a: {expression: rate(1 hour), action: stop}}\n", "rules.a: has no filters"},
		{"a name twice", "periods:\n  late: {begintime: \"22:00\"}\n  late: {}\n", "late"},
		{"an exception twice", "exceptions:\n  - {schedule: a, date: 2027-02-05, type: stop, value: none}\n  - {schedule: a, date: 2027-02-05, type: stop, value: \"21:00\"}\n", "team.yaml:3:5: exceptions[1]: \"a:2027-02-05:stop\" is there twice, on line 2 for the first time"},
		{"too large", "periods: {late: {description: " + strings.Repeat("x", MaxSpec) + "}}\n", "is too large to be kept"},
	} {
		list, err := Sections("team.yaml", []byte(test.text))
		if err == nil || list != nil || !strings.Contains(err.Error(), test.want) || !strings.HasSuffix(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v, %v", test.name, list, err)
		}
	}
}

// What is exported is read as the same objects.
func TestSectionsOfExport(t *testing.T) {
	loaded := mustJoin(t, small, team...)
	text, err := loaded.Export(true)
	if err != nil {
		t.Fatal(err)
	}
	list, err := Sections("export.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got := map[string]string{}
	for _, o := range list {
		got[string(o.Kind)+" "+o.Name] = string(o.Spec)
	}
	for _, kind := range []store.ObjectKind{store.PeriodObject, store.ScheduleObject, store.HolidayObject, store.ExceptionObject, store.RuleObject} {
		for _, o := range loaded.Objects(kind) {
			key := string(kind) + " " + o.Name
			if o.File {
				continue
			}
			want := string(o.Spec)
			if kind == store.RuleObject { // what counts from when the rule was made is dated
				want = strings.TrimSuffix(want, "}") + `,"created":"2026-11-20T09:00:00Z"}`
			}
			if got[key] != want {
				t.Errorf("%s: %s, want %s", key, got[key], want)
			}
			delete(got, key)
		}
	}
	if len(got) > 0 {
		t.Errorf("also %v", got)
	}
	if loaded.Calendar("company") == nil || !loaded.Calendar("company").Covers(2027) || loaded.Calendar("none") != nil {
		t.Error("the calendar of the store is not given")
	}
}

func TestYAML(t *testing.T) {
	for _, spec := range []string{
		`{"begintime":"09:00","weekdays":["mon-fri","1"],"on_holidays":true,"description":"1e3"}`, `{"description":"yes: \"no\"\n설날 # \u0001"}`, `{"description":"on"}`,
	} {
		text, err := YAML(store.PeriodObject, []byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		back, err := Spec(store.PeriodObject, "x", text)
		if err != nil || string(back) != strings.ReplaceAll(spec, `\u0001`, "\x01") && string(back) != spec {
			t.Errorf("%s as\n%s reads as %s, %v", spec, text, back, err)
		}
	}
	text, err := YAML(store.HolidayObject, []byte(`{"days":[{"date":"2027-02-08","name":"설날"},{"date":"2027-02-09"}],"builtin":"kr"}`))
	if want := "days:\n  - {date: \"2027-02-08\", name: \"설날\"}\n  - {date: \"2027-02-09\"}\nbuiltin: kr\n"; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if text, err := YAML(store.ScheduleObject, []byte(`{}`)); err != nil || string(text) != "{}\n" {
		t.Errorf("%s, %v", text, err)
	}
	for _, spec := range []string{`{`, `[]`, `{"perods":[]}`} {
		if _, err := YAML(store.ScheduleObject, []byte(spec)); err == nil {
			t.Errorf("%s is written", spec)
		}
	}
	if _, err := YAML("flock", []byte(`{}`)); err == nil {
		t.Error("a flock is written")
	}
}
