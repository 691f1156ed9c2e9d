package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/store"
)

// roots is a file without any of the objects.
const roots = `accounts: [{id: "111122223333", regions: [us-east-1, us-west-2]}]` + "\n"

// asFile reads what was exported as a file.
func asFile(t interface{ Fatalf(string, ...any) }, loaded *Loaded, storeOnly bool) *Loaded {
	text, err := loaded.Export(storeOnly)
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	again, err := Parse("exported.yaml", append([]byte(roots), text...), Env{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return again
}

func TestExport(t *testing.T) {
	loaded := mustJoin(t, roots+`
periods: {office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}}
schedules: {office: {periods: [office]}}
`, append(slices.Clone(team), objectOf(store.ScheduleObject, "broken\nlines", `{"periods":["nowhere"]}`), objectOf(store.ScheduleObject, "yes", `{"override_status":"stopped","description":"no: # \"1\""}`))...)
	text, err := loaded.Export(false)
	if err != nil {
		t.Fatal(err)
	}
	want := `periods:
  late:
    begintime: "22:00"
    endtime: "23:00"
    weekdays: ["mon-fri,sun"]
  office:
    begintime: "09:00"
    endtime: "18:00"
    weekdays: [mon-fri]
holidays:
  company:
    days:
      - {date: "2027-02-10", name: "Founding day"}
    make_up:
      - {date: "2027-02-13", as: thu}
# Left out: schedule "broken\nlines", which is set aside.
schedules:
  night:
    periods: [late, office]
    enforced: true
    holidays: [company]
    start_lead: "10m"
  office:
    periods: [office]
  "yes":
    override_status: stopped
    description: "no: # \"1\""
exceptions:
  - {schedule: night, from: "2027-02-08", to: "2027-02-09", type: start, value: none}
  - {schedule: office, date: "2027-02-05", type: stop, value: "21:00", note: release}
rules:
  nightly:
    expression: "rate(6 hours)"
    action: stop
    filters: "name=batch"
    created: "2026-11-20T09:00:00Z"
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
	again := asFile(t, loaded, false)
	if at, _ := again.Book.Rules[0].Expression.Next(madeAt); !at.Equal(madeAt.Add(6 * time.Hour)) {
		t.Errorf("the rate counts from elsewhere: %s", at)
	}
	text, err = loaded.Export(true, store.PeriodObject, store.RuleObject)
	if err != nil || strings.Contains(string(text), "office") || strings.Contains(string(text), "night:") || !strings.Contains(string(text), "nightly:") {
		t.Errorf("of the store, periods and rules alone: %v\n%s", err, text)
	}
	if _, err := loaded.Export(true, store.OverrideObject); err == nil {
		t.Error("overrides are exported")
	}
	if text, err := mustParse(t, roots).Export(false); err != nil || len(text) > 0 {
		t.Errorf("nothing is %q, %v", text, err)
	}
}

// drawObjects makes objects that are in order, of texts that YAML and JSON find hard.
func drawObjects(t *rapid.T) []store.Object {
	text := rapid.StringOfN(rapid.OneOf(
		rapid.RuneFrom([]rune("aZ09 -:#,'\"\\[]{}&*!|>%@`?=~<.\n\t/")),
		rapid.RuneFrom([]rune("é실行😀\u00a0\u2028\ufeff\u0085\u007f\U000e0001")),
	), 1, 12, -1)
	name := text.Filter(func(s string) bool { return badTagText(s, 100).Empty() })
	flag := rapid.Bool()
	var objects []store.Object
	put := func(kind store.ObjectKind, name string, values map[string]any) {
		for key, value := range values {
			if value == nil {
				delete(values, key)
			}
		}
		spec, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, objectOf(kind, name, string(spec)))
	}
	some := func(value any) any {
		if flag.Draw(t, "some") {
			return value
		}
		return nil
	}
	periods := rapid.SliceOfNDistinct(name.Filter(func(s string) bool { return !strings.ContainsAny(s, "@,\n") }), 1, 4, rapid.ID[string]).Draw(t, "periods")
	for _, p := range periods {
		put(store.PeriodObject, p, map[string]any{
			"begintime": "09:00", "endtime": some("18:00"), "weekdays": some([]any{"mon-fri", 6}), "monthdays": some("1-15,L"),
			"months": some("nov-feb"), "on_holidays": some(flag.Draw(t, "flag")), "description": some(text.Draw(t, "text")),
		})
	}
	calendars := rapid.SliceOfNDistinct(name, 0, 3, rapid.ID[string]).Draw(t, "calendars")
	for _, c := range calendars {
		put(store.HolidayObject, c, map[string]any{
			"builtin": "kr", "days": some([]any{map[string]any{"date": "2027-02-10", "name": text.Draw(t, "text")}}), "make_up": some([]any{map[string]any{"date": "2027-02-13"}}),
		})
	}
	schedules := rapid.SliceOfNDistinct(name, 1, 4, rapid.ID[string]).Draw(t, "schedules")
	for _, s := range schedules {
		put(store.ScheduleObject, s, map[string]any{
			"periods": periods, "timezone": some("Asia/Seoul"), "enabled": some(flag.Draw(t, "flag")), "holidays": calendars, "override_status": some("Running"),
			"jitter": some("90s"), "new_resource_grace": some("0s"), "ssm_maintenance_window": some("patching, other"), "description": some(text.Draw(t, "text")),
		})
		put(store.ExceptionObject, s+":2027-02-05:stop", map[string]any{"schedule": s, "date": "2027-02-05", "type": "stop", "value": "21:00", "note": some(text.Draw(t, "text"))})
	}
	for _, r := range rapid.SliceOfNDistinct(name, 0, 3, rapid.ID[string]).Draw(t, "rules") {
		put(store.RuleObject, r, map[string]any{
			"expression": rapid.SampledFrom([]string{"rate(6 hours)", "cron(55 14 * * ? *)", "0 0 * * 1-5"}).Draw(t, "expression"), "action": "resize:t3.small",
			"filters": "tag:Name=a b*", "accounts": some([]any{"111122223333"}), "regions": some([]any{"us-west-2"}), "untagged": some(true), "catch_up": some("1h"),
			"description": some(text.Draw(t, "text")),
		})
	}
	return objects
}

// TestExportIsReadAgain: what is exported says the same in a file, and stays the same from then on.
func TestExportIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loaded, err := Parse("dayshift.yaml", []byte(roots), Env{}, drawObjects(t)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range loaded.Warnings {
			if strings.Contains(w.Problem.String(), "set aside") {
				t.Fatalf("%v", w)
			}
		}
		again := asFile(t, loaded, true)
		for _, k := range kinds {
			before, after := loaded.Objects(k.kind), again.Objects(k.kind)
			if len(before) != len(after) {
				t.Fatalf("%d of kind %s, then %d", len(before), k.kind, len(after))
			}
			for i := range before {
				before[i].Spec = withoutCreated(before[i].Spec)
				after[i].Spec = withoutCreated(after[i].Spec)
				if before[i].Name != after[i].Name || string(before[i].Spec) != string(after[i].Spec) {
					t.Fatalf("%s %q %s became %q %s", k.kind, before[i].Name, before[i].Spec, after[i].Name, after[i].Spec)
				}
			}
		}
		if third := asFile(t, again, false); !third.Same(again) {
			t.Fatalf("the second export differs: %q", again.Diff(third))
		}
	})
}

func withoutCreated(spec json.RawMessage) json.RawMessage {
	at := strings.Index(string(spec), `,"created":"2026-11-20T09:00:00Z"`)
	if at < 0 {
		return spec
	}
	return slices.Delete(slices.Clone(spec), at, at+len(`,"created":"2026-11-20T09:00:00Z"`))
}

// TestSpecsAreReadAgain: the spec of an object in the file means the same in the store.
func TestSpecsAreReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := drawObjects(t)
		loaded, err := Parse("dayshift.yaml", []byte(roots), Env{}, objects...)
		if err != nil {
			t.Fatal(err)
		}
		var again []store.Object
		for _, k := range kinds {
			for _, o := range loaded.Objects(k.kind) {
				spec, err := Spec(k.kind, "spec", o.Spec) // JSON is YAML
				if err != nil || string(spec) != string(o.Spec) {
					t.Fatalf("%s\nis read as\n%s\n%v", o.Spec, spec, err)
				}
				o := store.Object{Kind: o.Kind, Name: o.Name, Version: o.Version, Spec: o.Spec, Author: o.Author, Created: o.Created, Changed: o.Changed}
				again = append(again, o)
			}
		}
		second, err := Parse("dayshift.yaml", []byte(roots), Env{}, again...)
		if err != nil || !loaded.Same(second) {
			t.Fatalf("%v %q", err, loaded.Diff(second))
		}
	})
}

func TestSpec(t *testing.T) {
	spec, err := Spec(store.ScheduleObject, "-", []byte("# a schedule\nholidays: [kr]\nperiods: office, weekend@t3.small\nstart_lead: 600s\nenforced: false\n"))
	if err != nil || string(spec) != `{"periods":["office","weekend@t3.small"],"enforced":false,"holidays":["kr"],"start_lead":"10m"}` {
		t.Errorf("%s, %v", spec, err)
	}
	for _, test := range []struct {
		kind store.ObjectKind
		text string
		want string
	}{
		{store.ScheduleObject, "periods: [office\n", "-:1:10: not valid YAML"},
		{store.ScheduleObject, "periods: [office]\nenforce: true\n", "-:2:1: enforce: is not a known key\n  2 | enforce: true\n    | ^^^^^^^\n"},
		{store.ScheduleObject, "periods: [office]\nenforced: yes\n", "-:2:11: enforced: \"yes\" is not true or false"},
		{store.PeriodObject, " \n", "-: the period is empty"},
		{store.PeriodObject, "# nothing\n", "-: the file is empty"},
		{store.PeriodObject, "- a\n", "-:1:1: the file is a list, not a mapping"},
		{store.RuleObject, "action: stop\n", "-:1:1: has no expression"},
		{store.ExceptionObject, "schedule: a\nschedule: b\n", "is given twice: the first time on line 1"},
		{store.PeriodObject, "description: " + strings.Repeat("x", MaxSpec), "more than 65536"},
		{store.HolidayObject, "days: [" + strings.Repeat("{date: 2027-01-01},", 3000) + "]", "the holiday is 66010 bytes of JSON, more than 65536"},
		{store.PeriodObject, "a: \xff\n", "is not UTF-8"},
		{store.OverrideObject, "a: b\n", `"override" is no kind of object of a configuration`},
	} {
		spec, err := Spec(test.kind, "-", []byte(test.text))
		var faults Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), test.want) || !strings.HasSuffix(err.Error(), "nothing was changed") {
			t.Errorf("%.60q: %s, %v, want %q", test.text, spec, err, test.want)
		}
	}
}

// TestFields: every field has its line of the reference and can be given on a command line.
func TestFields(t *testing.T) {
	flags := map[store.ObjectKind]map[string]string{
		store.PeriodObject: {"begintime": "09:00", "weekdays": "mon-fri, sun", "on_holidays": "true"},
		store.ScheduleObject: {
			"periods": "office,weekend@t3.small", "enabled": "false", "jitter": "90s", "mode": "start-only", "holidays": "", "description": "[a, b]",
		},
		store.ExceptionObject: {"schedule": "office", "date": "2027-02-05", "type": "stop", "value": "21:00"},
		store.HolidayObject:   {"days": "[{date: 2027-02-08, name: Seollal}, {date: 2027-02-09}]", "builtin": "kr"},
		store.RuleObject:      {"expression": "rate(1 day)", "action": "stop", "filters": "tag:a=b,tag:c=d", "accounts": "111122223333, 444455556666"},
	}
	want := map[store.ObjectKind]string{
		store.PeriodObject:    `{"begintime":"09:00","weekdays":["mon-fri","sun"],"on_holidays":true}`,
		store.ScheduleObject:  `{"periods":["office","weekend@t3.small"],"enabled":false,"mode":"start-only","jitter":"90s","description":"[a, b]"}`,
		store.ExceptionObject: `{"schedule":"office","date":"2027-02-05","type":"stop","value":"21:00"}`,
		store.HolidayObject:   `{"days":[{"date":"2027-02-08","name":"Seollal"},{"date":"2027-02-09"}],"builtin":"kr"}`,
		store.RuleObject:      `{"expression":"rate(1 day)","action":"stop","accounts":["111122223333","444455556666"],"filters":"tag:a=b,tag:c=d"}`,
	}
	for kind, given := range flags {
		values := map[string]any{}
		seen := 0
		for _, f := range Fields(kind) {
			if f.Doc == "" || f.Form == "" {
				t.Errorf("%s %s: %+v", kind, f.Key, f)
			}
			if text, ok := given[f.Key]; ok {
				value, err := f.Value(text)
				if err != nil {
					t.Fatal(err)
				}
				values[f.Key] = value
				seen++
			}
		}
		if seen != len(given) {
			t.Errorf("%s: %d of %d flags are fields", kind, seen, len(given))
		}
		spec, err := SpecOf(kind, "flags", values)
		if err != nil || string(spec) != want[kind] {
			t.Errorf("%s: %s, %v\nwant %s", kind, spec, err, want[kind])
		}
	}
	if Fields(store.OverrideObject) != nil {
		t.Error("an override has fields")
	}
	form := func(kind store.ObjectKind, key string) Field {
		all := Fields(kind)
		return all[slices.IndexFunc(all, func(f Field) bool { return f.Key == key })]
	}
	if f := form(store.ScheduleObject, "mode"); !slices.Equal(f.Enum, []string{"both", "start-only", "stop-only"}) || f.Default != "both" || f.Form != TextForm {
		t.Errorf("mode is %+v", f)
	}
	if f := form(store.RuleObject, "action"); !f.Required || f.Form != TextForm {
		t.Errorf("action is %+v", f)
	}
	if f := form(store.RuleObject, "filters"); f.Required { // not where the action is on a workload
		t.Errorf("filters is %+v", f)
	}
	if f := form(store.WorkloadObject, "tiers"); !f.Required || f.Form != StructuresForm {
		t.Errorf("tiers is %+v", f)
	}
	for key, want := range map[string]Form{"periods": ListForm, "ssm_maintenance_window": ListForm, "enforced": BoolForm, "jitter": DurationForm} {
		if f := form(store.ScheduleObject, key); f.Form != want {
			t.Errorf("%s is %s", key, f.Form)
		}
	}
	if _, err := form(store.HolidayObject, "days").Value("[{date: 2027-02-08"); err == nil || !strings.Contains(err.Error(), "--days:1:2: not valid YAML") {
		t.Errorf("an open bracket: %v", err)
	}
	for _, test := range []struct{ key, text, want string }{
		{"enforced", "yes", `enforced: "yes" is not true or false`}, {"jitter", "5", `jitter: "5" has no unit`}, {"mode", "start", `mode: "start" is not one of the words allowed`},
	} {
		value, err := form(store.ScheduleObject, test.key).Value(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = SpecOf(store.ScheduleObject, "flags", map[string]any{test.key: value}); err == nil || !strings.Contains(err.Error(), "flags: "+test.want) {
			t.Errorf("--%s %s: %v", test.key, test.text, err)
		}
	}
	if _, err := SpecOf(store.PeriodObject, "flags", map[string]any{"token": "x", "external_id": 5}); err == nil {
		t.Error("unknown keys are taken")
	}
	if _, err := SpecOf(store.PeriodObject, "flags", map[string]any{"begintime": func() {}}); err == nil {
		t.Error("a function is taken")
	}
}

func TestExceptionName(t *testing.T) {
	for want, e := range map[string]Exception{
		"office:2027-02-05:stop":           {Schedule: "office", Date: "2027-02-05", Type: "stop", Value: "none"},
		"a:b:2027-02-05..2027-02-06:start": {Schedule: "a:b", From: "2027-02-05", To: "2027-02-06", Type: "start"},
	} {
		if got := ExceptionName(e); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// FuzzObjects: whatever a store holds, the file is taken, and what was read reads the same once more.
func FuzzObjects(f *testing.F) {
	for _, o := range team {
		f.Add(string(o.Kind), o.Name, []byte(o.Spec))
	}
	for _, spec := range []string{`null`, `[]`, `{"periods":`, `{"periods":[1,null,{"a":[]}]}`, `{"<<":{}}`, `{"a":1e400}`, `{"periods":"` + "\xff" + `"}`, `{"days":[{"date":"2027-01-01"},[]]}`, `"x"`, `{"enabled":0x1}`} {
		for _, k := range kinds {
			f.Add(string(k.kind), "night", []byte(spec))
		}
	}
	f.Fuzz(func(t *testing.T, kind, name string, spec []byte) {
		object := store.Object{Kind: store.ObjectKind(kind), Name: name, Version: 3, Spec: spec}
		objects := append(slices.Clone(team), object)
		loaded, err := Parse("dayshift.yaml", []byte(small), Env{}, objects...)
		if err != nil {
			t.Fatalf("the file is refused: %v", err)
		}
		if loaded.Book.Schedules["office"].Err != nil {
			t.Fatal("a schedule of the file is set aside")
		}
		again, err := Parse("dayshift.yaml", []byte(small), Env{}, objects...)
		if err != nil || !again.Same(loaded) {
			t.Fatalf("the second reading differs: %v", err)
		}
		for _, k := range kinds {
			for _, o := range loaded.Objects(k.kind) {
				if o.Fault != nil {
					_ = o.Fault.Error()
				} else if !json.Valid(o.Spec) {
					t.Fatalf("%s %q has the spec %s", o.Kind, o.Name, o.Spec)
				}
			}
		}
		if _, err := loaded.Export(false); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkLoad compares ten thousand schedules in the file with the same as objects beside it.
func BenchmarkLoad(b *testing.B) {
	const many = 10_000
	var text strings.Builder
	text.WriteString(small)
	head := text.String()[:strings.Index(small, "schedules:")]
	whole := strings.Builder{}
	whole.WriteString(head + "schedules:\n")
	var objects []store.Object
	for i := range many {
		fmt.Fprintf(&whole, "  team-%05d: {timezone: Asia/Seoul, periods: [office], enforced: true, notify_before_stop: 10m, description: the office hours of team %d}\n", i, i)
		objects = append(objects, objectOf(store.ScheduleObject, fmt.Sprintf("team-%05d", i),
			fmt.Sprintf(`{"timezone":"Asia/Seoul","periods":["office"],"enforced":true,"notify_before_stop":"10m","description":"the office hours of team %d"}`, i)))
	}
	for _, test := range []struct {
		name    string
		text    string
		objects []store.Object
	}{{"file", whole.String(), nil}, {"objects", small, objects}} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				loaded, err := Parse("dayshift.yaml", []byte(test.text), Env{}, test.objects...)
				if err != nil || len(loaded.Book.Schedules) < many || len(loaded.Warnings) > 0 {
					b.Fatal(err, loaded.Warnings)
				}
			}
		})
	}
}
