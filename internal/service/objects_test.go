package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// officeFile is a file with some objects; 17:00 in Seoul is 08:00 in UTC.
const officeFile = `timezone: Asia/Seoul
accounts: [{id: "111122223333", regions: [ap-northeast-2]}]
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {periods: [office]}
exceptions:
  - {schedule: seoul-office, date: 2026-12-31, type: stop, value: "15:00"}
`

// team is a fleet, a file and a store whose objects people change.
type team struct {
	*world
	*Service
	t *testing.T
}

// newTeam begins at monday, 17:00 in Seoul, with a file beside an empty store.
func newTeam(t *testing.T, file string) *team {
	t.Helper()
	w := newWorld()
	m := &team{world: w, t: t}
	m.Service = &Service{Looker: w, Store: memory.New(), Now: func() time.Time { return w.now }}
	m.Assemble = func(objects []store.Object) (*config.Loaded, error) {
		return config.Parse("dayshift.yaml", []byte(file), config.Env{Now: m.Now}, objects...)
	}
	m.reload()
	return m
}

// reload puts the store's objects in force, as a program does that starts.
func (m *team) reload() {
	m.t.Helper()
	objects, err := m.Store.Objects(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	if m.Config, err = m.Assemble(objects); err != nil {
		m.t.Fatal(err)
	}
	m.Service.Book, m.world.book = &m.Config.Book, &m.Config.Book
}

// save saves an object and puts it in force.
func (m *team) save(kind store.ObjectKind, name, spec string, version int64) (ObjectAnswer, error) {
	m.t.Helper()
	answer, err := m.SaveObject(m.t.Context(), ObjectChange{Kind: kind, Name: name, Spec: json.RawMessage(spec), Version: version, Author: "kim"})
	if err == nil {
		m.reload()
	}
	return answer, err
}

func (m *team) must(kind store.ObjectKind, name, spec string, version int64) ObjectAnswer {
	m.t.Helper()
	answer, err := m.save(kind, name, spec, version)
	if err != nil {
		m.t.Fatalf("%s %s: %v", kind, name, err)
	}
	return answer
}

func (m *team) record() []string {
	m.t.Helper()
	rows, err := m.Store.Activity(m.t.Context(), store.ActivityQuery{})
	if err != nil {
		m.t.Fatal(err)
	}
	var list []string
	for _, row := range rows {
		list = append(list, strings.Join([]string{string(row.Event), row.Name, row.Schedule, row.Actor, row.Reason, row.Detail}, "|"))
	}
	return list
}

func TestObjectsAreMadeChangedAndDeleted(t *testing.T) {
	m := newTeam(t, officeFile)
	m.add("i-1", "late", fleet.Running, decide.Unknown)

	made := m.must(store.PeriodObject, "night", `{"begintime":"22:00","endtime":"6:00"}`, 0)
	if made.Did != Created || !made.Saved || made.Object.Version != 1 || made.Object.Author != "kim" || made.Object.File || made.Object.Changed.IsZero() {
		t.Errorf("%+v", made)
	}
	m.must(store.ScheduleObject, "late", `{"periods":"night, office@t3.small","enforced":true}`, 0)
	changed := m.must(store.ScheduleObject, "late", `{"periods":["night"],"enforced":true,"jitter":"120s"}`, 1)
	if changed.Did != Changed || changed.Object.Version != 2 || string(changed.Object.Spec) != `{"periods":["night"],"enforced":true,"jitter":"2m"}` {
		t.Errorf("%+v, %s", changed, changed.Object.Spec)
	}
	if diff := cmp.Diff([]string{"periods: [night, office@t3.small] → [night]", "jitter: 2m"}, changed.Fields); diff != "" {
		t.Error(diff)
	}
	same := m.must(store.ScheduleObject, "late", `{"enforced":true,"periods":"night","jitter":"2m"}`, PresentVersion)
	if same.Did != Unchanged || same.Saved || same.Object.Version != 2 {
		t.Errorf("%+v", same)
	}
	dry, err := m.SaveObject(t.Context(), ObjectChange{Kind: store.ScheduleObject, Name: "late", Spec: json.RawMessage(`{"periods":["night"]}`), Version: 2, Author: "lee", DryRun: true})
	if err != nil || dry.Saved || !dry.DryRun || dry.Did != Changed {
		t.Errorf("%+v, %v", dry, err)
	}
	gone, err := m.DeleteObject(t.Context(), ObjectChange{Kind: store.ScheduleObject, Name: "late", Author: "lee"})
	if err != nil || gone.Did != Deleted || !gone.Saved || gone.Object.Version != 2 || !slices.Contains(english(gone.Notes), "1 resource carries the tag of this schedule; without it they are left alone.") {
		t.Errorf("%+v, %v", gone, err)
	}
	m.reload()
	if diff := cmp.Diff([]string{
		"object|period/night||kim|created|period night was created: begintime: 22:00; endtime: 6:00",
		"object|schedule/late|late|kim|created|schedule late was created: periods: [night, office@t3.small]; enforced: true",
		"object|schedule/late|late|kim|changed|schedule late was changed: periods: [night, office@t3.small] → [night]; jitter: 2m",
		"object|schedule/late|late|lee|deleted|schedule late was deleted: periods: [night]; enforced: true; jitter: 2m",
	}, m.record()); diff != "" {
		t.Error(diff)
	}
	again := m.must(store.ScheduleObject, "late", `{"periods":["night"]}`, 0)
	if again.Object.Version <= 2 {
		t.Errorf("one made anew is in version %d", again.Object.Version)
	}
}

func TestRefusedObjects(t *testing.T) {
	for _, test := range []struct {
		name    string
		kind    store.ObjectKind
		object  string
		spec    string
		version int64
		want    string
		class   any
	}{
		{"an unknown key", store.ScheduleObject, "x", `{"perods":["office"]}`, 0, "did you mean periods?", &RefusedError{}},
		{"an unknown period", store.ScheduleObject, "x", `{"periods":["offcie"]}`, 0, `did you mean "office"?`, &RefusedError{}},
		{"no JSON", store.ScheduleObject, "x", `{`, 0, "not JSON", &RefusedError{}},
		{"no name", store.ScheduleObject, "", `{}`, 0, "needs a name", &InputError{}},
		{"an unknown kind", "flock", "x", `{}`, 0, `"flock" is no kind of object; known are period, holiday, schedule, exception, workload, rule, reservation`, &InputError{}},
		{"the file's", store.ScheduleObject, "seoul-office", `{"periods":["office"]}`, PresentVersion, `schedule "seoul-office" belongs to the file, dayshift.yaml:6: change it there`, &InputError{}},
		{"made under the file's name", store.PeriodObject, "office", `{"begintime":"10:00"}`, 0, `period "office" belongs to the file, dayshift.yaml:4`, &InputError{}},
		{"the file's exception", store.ExceptionObject, "seoul-office:2026-12-31:stop", `{"schedule":"seoul-office","date":"2026-12-31","type":"stop","value":"16:00"}`, 0, "belongs to the file, dayshift.yaml:8", &InputError{}},
		{"a second exception of a date", store.ExceptionObject, "seoul-office:2026-12-30..2027-01-02:stop", `{"schedule":"seoul-office","from":"2026-12-30","to":"2027-01-02","type":"stop","value":"16:00"}`, 0, "both move the stop of 2026-12-31", &RefusedError{}},
		{"an exception that clashes with another object", store.ExceptionObject, "late:2026-08-01..2026-08-09:stop", `{"schedule":"late","from":"2026-08-01","to":"2026-08-09","type":"stop","value":"20:00"}`, 0, "both move the stop of 2026-08-04", &InputError{}},
		{"an exception of another name", store.ExceptionObject, "x", `{"schedule":"late","date":"2027-01-01","type":"stop","value":"16:00"}`, 0, "name it late:2027-01-01:stop", &RefusedError{}},
		{"what is there", store.ScheduleObject, "late", `{"periods":["night"]}`, 0, `there is a schedule "late" already, version 1 by kim of 2026-08-03T08:00:00Z; update it instead`, &InputError{}},
		{"what is not there", store.ScheduleObject, "latte", `{"periods":["night"]}`, PresentVersion, `there is no schedule "latte"; did you mean "late"?`, &InputError{}},
		{"an older version", store.ScheduleObject, "late", `{"periods":["night"]}`, 7, `schedule "late" is in version 1, changed by kim at 2026-08-03T08:00:00Z, not in version 7`, &StaleError{}},
		{"a deleted one", store.PeriodObject, "gone", `{"begintime":"01:00"}`, 1, `period "gone" was deleted by lee at 2026-08-03T08:00:00Z`, &StaleError{}},
		{"a negative version", store.ScheduleObject, "late", `{}`, -2, "versions begin at 1", &InputError{}},
		{"no filter", store.RuleObject, "r", `{"expression":"rate(1 hour)","action":"stop"}`, 0, "has no filters", &RefusedError{}},
		{"an empty filter", store.RuleObject, "r", `{"expression":"rate(1 hour)","action":"stop","filters":""}`, 0, "filters", &RefusedError{}},
		{"a mistyped filter", store.RuleObject, "r", `{"expression":"rate(1 hour)","action":"stop","filters":"vpcid=vpc-1"}`, 0, "vpc-id", &RefusedError{}},
		{"30 February", store.RuleObject, "r", `{"expression":"cron(0 9 30 2 ? *)","action":"stop","filters":"name=a"}`, 0, "r.expression", &RefusedError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newTeam(t, officeFile)
			m.must(store.PeriodObject, "night", `{"begintime":"22:00","endtime":"6:00"}`, 0)
			m.must(store.ScheduleObject, "late", `{"periods":["night"]}`, 0)
			m.must(store.ExceptionObject, "late:2026-08-04:stop", `{"schedule":"late","date":"2026-08-04","type":"stop","value":"08:00"}`, 0)
			m.must(store.PeriodObject, "gone", `{"begintime":"01:00"}`, 0)
			if _, err := m.DeleteObject(t.Context(), ObjectChange{Kind: store.PeriodObject, Name: "gone", Version: 1, Author: "lee"}); err != nil {
				t.Fatal(err)
			}
			rows := len(m.record())
			_, err := m.save(test.kind, test.object, test.spec, test.version)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want %q", err, test.want)
			}
			if got, want := fmt.Sprintf("%T", err), fmt.Sprintf("%T", test.class); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if _, isStale := test.class.(*StaleError); isStale != errors.Is(err, store.ErrConflict) {
				t.Errorf("a conflict is not told apart: %v", err)
			}
			if _, refused := test.class.(*RefusedError); refused && !strings.HasSuffix(err.Error(), "nothing was changed") {
				t.Error(err)
			}
			if got := len(m.record()); got != rows {
				t.Errorf("%d rows in the record after a refusal", got-rows)
			}
		})
	}
}

// What others need can not be taken from them.
func TestObjectsThatOthersNeed(t *testing.T) {
	m := newTeam(t, officeFile)
	m.must(store.PeriodObject, "night", `{"begintime":"22:00","endtime":"6:00"}`, 0)
	m.must(store.HolidayObject, "company", `{"days":[{"date":"2026-08-10"}]}`, 0)
	m.must(store.ScheduleObject, "late", `{"periods":["night"],"holidays":["company"]}`, 0)
	m.must(store.ExceptionObject, "late:2026-08-05:start", `{"schedule":"late","date":"2026-08-05","type":"start","value":"none"}`, 0)
	for _, test := range []struct {
		kind store.ObjectKind
		name string
		want []string
	}{
		{store.PeriodObject, "night", []string{`period "night" can not be deleted`, `schedule "late" (`, "names a period that does not exist", `exception "late:2026-08-05:start"`}},
		{store.HolidayObject, "company", []string{`holiday "company" can not be deleted`, `schedule "late" (`, "holiday calendar that does not exist"}},
		{store.ScheduleObject, "late", []string{"1 other object would be set aside", `exception "late:2026-08-05:start"`}},
	} {
		_, err := m.DeleteObject(t.Context(), ObjectChange{Kind: test.kind, Name: test.name, Author: "kim"})
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", test.name, err, want)
			}
		}
	}
	for _, o := range []struct {
		kind store.ObjectKind
		name string
	}{
		{store.ExceptionObject, "late:2026-08-05:start"}, {store.ScheduleObject, "late"}, {store.PeriodObject, "night"}, {store.HolidayObject, "company"},
	} {
		if _, err := m.DeleteObject(t.Context(), ObjectChange{Kind: o.kind, Name: o.name, Author: "kim"}); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
}

// An object under a name that the file took later is set aside, and can be deleted.
func TestTwinOfTheFileCanBeDeleted(t *testing.T) {
	m := newTeam(t, officeFile)
	if _, err := m.Store.SaveObject(t.Context(), store.Object{Kind: store.PeriodObject, Name: "office", Spec: json.RawMessage(`{"begintime":"10:00"}`), Changed: monday}); err != nil {
		t.Fatal(err)
	}
	m.reload()
	if _, err := m.save(store.PeriodObject, "office", `{"begintime":"11:00"}`, PresentVersion); err == nil || !strings.Contains(err.Error(), "belongs to the file") {
		t.Errorf("%v", err)
	}
	answer, err := m.DeleteObject(t.Context(), ObjectChange{Kind: store.PeriodObject, Name: "office", Author: "kim"})
	if err != nil || !answer.Saved {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Exceptions for today: what is over, and what they still do (08:00 UTC is 17:00 in Seoul).
func TestExceptionsForToday(t *testing.T) {
	for _, test := range []struct {
		name, typ, value string
		date             string
		now              string // on the clock of Seoul
		state            fleet.State
		want             []string
	}{
		{"a later stop, in time", "stop", "21:00", "2026-08-03", "17:00", fleet.Running, []string{
			"Left out: Mon 2026-08-03 18:00 KST (stop).", "New: Mon 2026-08-03 21:00 KST (stop).",
		}},
		{"a later stop after the usual one", "stop", "21:00", "2026-08-03", "19:00", fleet.Stopped, []string{
			"Left out: Mon 2026-08-03 18:00 KST (stop).", "New: Mon 2026-08-03 21:00 KST (stop).",
			"The stop at Mon 2026-08-03 18:00 KST that is left out is over.",
			"With the exception running is wanted now, without it stopped: it takes effect within a pass: starts 1.",
		}},
		{"an earlier stop whose time has passed", "stop", "16:00", "2026-08-03", "17:00", fleet.Running, []string{
			"Left out: Mon 2026-08-03 18:00 KST (stop).", "New: Mon 2026-08-03 16:00 KST (stop).",
			"The stop at Mon 2026-08-03 16:00 KST that is new is over.",
			"With the exception stopped is wanted now, without it running: it takes effect within a pass: stops 1.",
		}},
		{"an earlier stop after both", "stop", "16:00", "2026-08-03", "19:00", fleet.Stopped, []string{
			"Left out: Mon 2026-08-03 18:00 KST (stop).", "New: Mon 2026-08-03 16:00 KST (stop).",
			"The stop at Mon 2026-08-03 18:00 KST that is left out is over.", "The stop at Mon 2026-08-03 16:00 KST that is new is over.",
			"With the exception stopped is wanted now, without it stopped: it changes nothing any more.",
		}},
		{"no start, after the start", "start", "none", "2026-08-03", "17:00", fleet.Running, []string{
			"Left out: Mon 2026-08-03 09:00 KST (start), Mon 2026-08-03 18:00 KST (stop).",
			"The start at Mon 2026-08-03 09:00 KST that is left out is over.",
			"With the exception stopped is wanted now, without it running: it takes effect within a pass: stops 1.",
		}},
		{"a stop on a date without a start", "stop", "15:00", "2026-08-08", "17:00", fleet.Running, []string{
			"This changes nothing: the schedule does not start on 2026-08-08, so there is no stop that could be moved.",
		}},
		{"the stop where it is anyway", "stop", "18:00", "2026-08-04", "17:00", fleet.Running, []string{
			"This changes nothing: the schedule does the same on 2026-08-04 without it.",
		}},
		{"a date long over", "stop", "15:00", "2026-07-01", "17:00", fleet.Running, []string{
			"Left out: Wed 2026-07-01 18:00 KST (stop).", "New: Wed 2026-07-01 15:00 KST (stop).",
			"All of it is over: it changes nothing any more.",
		}},
		{"a start on a Saturday", "start", "10:00", "2026-08-08", "17:00", fleet.Running, []string{
			"New: Sat 2026-08-08 10:00 KST (start), Sat 2026-08-08 18:00 KST (stop).",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newTeam(t, officeFile)
			clock, err := time.Parse("15:04", test.now)
			if err != nil {
				t.Fatal(err)
			}
			m.now = time.Date(2026, 8, 3, clock.Hour()-9, clock.Minute(), 0, 0, time.UTC)
			last := decide.WasRunning
			if test.state == fleet.Stopped {
				last = decide.WasStopped
			}
			m.add("i-1", "seoul-office", test.state, last)
			name := "seoul-office:" + test.date + ":" + test.typ
			answer := m.must(store.ExceptionObject, name, fmt.Sprintf(`{"schedule":"seoul-office","date":%q,"type":%q,"value":%q}`, test.date, test.typ, test.value), 0)
			if diff := cmp.Diff(test.want, english(answer.Notes)); diff != "" {
				t.Error(diff)
			}
			if rows := m.record(); !strings.HasPrefix(rows[len(rows)-1], "object|exception/"+name+"|seoul-office|kim|created|") {
				t.Error(rows)
			}
		})
	}
}

func TestNotesOfObjects(t *testing.T) {
	m := newTeam(t, officeFile)
	m.add("i-1", "seoul-office", fleet.Running, decide.WasRunning)
	m.add("i-2", "seoul-office", fleet.Running, decide.WasRunning).Tags[fleet.TagProtect] = "true"
	bare := fleet.Resource{Ref: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-3"}, Name: "name-i-3", State: fleet.Running}
	m.Matching = func(_ context.Context, rule *policy.Rule) ([]fleet.Resource, []Gap) {
		return append(slices.Clone(m.resources), bare), []Gap{{Scope: seoul, Text: say.Raw("no answer")}}
	}
	rule := m.must(store.RuleObject, "nightly", `{"expression":"cron(30 22 * * ? *)","timezone":"Asia/Seoul","action":"start","filters":"name=name-*"}`, 0)
	if len(rule.Notes) != 13 {
		t.Fatalf("%q", rule.Notes)
	}
	if diff := cmp.Diff([]string{
		"cron(30 22 * * ? *), on the clock of Asia/Seoul. Its next instants:", "Mon 2026-08-03 22:30 KST = 2026-08-03T13:30:00Z.", "Tue 2026-08-04 22:30 KST = 2026-08-04T13:30:00Z.",
	}, english(rule.Notes[:3])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"What it matches is not known whole: no answer.",
		"Its filter matches 1 resource now, and 1 more that are protected and left alone, and 1 more that carry no Schedule tag and are left alone unless untagged is true.",
	}, english(rule.Notes[11:])); diff != "" {
		t.Error(diff)
	}
	if len(rule.Effect.Conflicts) != 1 || !rule.Effect.Conflicts[0].Opposite {
		t.Errorf("conflicts %+v", rule.Effect.Conflicts)
	}
	view, err := m.Object(t.Context(), store.RuleObject, "nightly")
	if err != nil || len(view.Notes) != 14 || !strings.HasPrefix(view.Notes[13].String(), "Conflict: ") {
		t.Errorf("%q, %v", view.Notes, err)
	}
	m.must(store.RuleObject, "once", `{"expression":"at(2026-08-03T07:00:00)","action":"start","filters":"name=x","enabled":false}`, 0)
	m.must(store.RuleObject, "unix", `{"expression":"0 9 * * 1-5","action":"start","filters":"name=x"}`, 0)
	m.must(store.HolidayObject, "own", `{"days":[{"date":"2024-08-10"},{"date":"2025-08-10"},{"date":"2027-08-10"}]}`, 0)
	m.must(store.HolidayObject, "web", `{"url":"https://calendar.example/a.ics"}`, 0)
	for _, test := range []struct {
		kind store.ObjectKind
		name string
		want []string
	}{
		{store.ScheduleObject, "seoul-office", []string{
			"2 resources carry its tag, 1 of them protected and left alone.",
			"It wants running now; then stopped from Mon 2026-08-03 18:00 KST, running from Tue 2026-08-04 09:00 KST, stopped from Tue 2026-08-04 18:00 KST.",
		}},
		{store.RuleObject, "once", []string{"It is not enabled: it never fires.", "at(2026-08-03T07:00:00): no instant is to come, it never fires again.", "What it matches is not known whole: no answer.", "Its filter matches 0 resources now."}},
		{store.HolidayObject, "own", []string{"It covers 2024 to 2025, 2027, with 3 days.", "It does not cover 2026: no day of that year counts as a day off or as a make-up day."}},
		{store.HolidayObject, "web", []string{
			"It covers no year yet.", "It does not cover 2026: no day of that year counts as a day off or as a make-up day.",
			"It does not cover 2027: no day of that year counts as a day off or as a make-up day.",
			"Its address has not been fetched yet: the daemon does that when it starts, and every 1d.",
		}},
		{store.PeriodObject, "office", nil},
	} {
		view, err := m.Object(t.Context(), test.kind, test.name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, english(view.Notes)); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
	if view, err := m.Object(t.Context(), store.RuleObject, "unix"); err != nil || !strings.Contains(view.Notes[0].String(), "as the five fields of Unix cron, on the clock of UTC. Its next instants:") || view.Notes[1].String() != "Mon 2026-08-03 09:00 UTC." {
		t.Errorf("%q, %v", view.Notes, err)
	}
	if _, err := m.Object(t.Context(), store.ScheduleObject, "seoul-offcie"); err == nil || !strings.Contains(err.Error(), `did you mean "seoul-office"?`) {
		t.Error(err)
	}
}

// A change that stops far more than yesterday is made when it is confirmed, and not before.
func TestChangesThatNeedConfirming(t *testing.T) {
	m := newTeam(t, officeFile)
	for i := range 60 {
		m.add(fmt.Sprint("i-", i), "wide", fleet.Running, decide.WasRunning)
	}
	m.must(store.PeriodObject, "all", `{"weekdays":"*"}`, 0)
	m.must(store.ScheduleObject, "wide", `{"periods":["all"]}`, 0)
	change := ObjectChange{Kind: store.ScheduleObject, Name: "wide", Spec: json.RawMessage(`{"periods":["all"],"override_status":"stopped"}`), Version: PresentVersion, Author: "kim"}
	answer, err := m.SaveObject(t.Context(), change)
	if confirm, ok := errors.AsType[*ConfirmError](err); !ok || !strings.Contains(confirm.Why.String(), "60 resources") || answer.Saved || answer.Effect.StopsNow.After != 60 {
		t.Fatalf("%+v, %v", answer.Effect.StopsNow, err)
	}
	change.Confirmed = true
	if answer, err = m.SaveObject(t.Context(), change); err != nil || !answer.Saved || answer.Object.Version != 2 {
		t.Errorf("%+v, %v", answer, err)
	}
}

// A fleet that can not be seen keeps nobody from changing an object; a look that fails does.
func TestObjectsWithoutAFleet(t *testing.T) {
	m := newTeam(t, officeFile)
	m.gaps = []discover.Gap{{Scope: seoul, Kinds: []fleet.Kind{fleet.EC2Instance}, Err: cloud.ErrUnauthorized}}
	if answer := m.must(store.ScheduleObject, "x", `{"periods":["office"]}`, 0); len(answer.Effect.Gaps) != 1 {
		t.Errorf("%+v", answer.Effect.Gaps)
	}
	m.world.err = errors.New("the store is gone")
	if _, err := m.save(store.ScheduleObject, "y", `{"periods":["office"]}`, 0); err == nil || !strings.Contains(err.Error(), "find out what the change does: the store is gone") {
		t.Error(err)
	}
	if list, err := m.Objects(store.ScheduleObject); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := m.Objects(store.OverrideObject); err == nil {
		t.Error("overrides are no objects of the configuration")
	}
	m.Assemble = nil
	if _, err := m.save(store.ScheduleObject, "y", `{"periods":["office"]}`, 0); err == nil {
		t.Error("changed without trying it out")
	}
	if _, err := m.SaveObject(t.Context(), ObjectChange{Kind: store.ScheduleObject, Name: "y"}); err == nil || !strings.Contains(err.Error(), "author") {
		t.Error(err)
	}
}

// Two people change the same object: the second one is told, and by whom.
func TestTwoChangesAtOnce(t *testing.T) {
	m := newTeam(t, officeFile)
	m.must(store.ScheduleObject, "x", `{"periods":["office"]}`, 0)
	m.Looker = &meanwhile{Looker: m.world, do: func() {
		if _, err := m.Store.SaveObject(t.Context(), store.Object{Kind: store.ScheduleObject, Name: "x", Version: 1, Spec: json.RawMessage(`{}`), Author: "lee", Changed: monday}); err != nil {
			t.Error(err)
		}
	}}
	_, err := m.save(store.ScheduleObject, "x", `{"periods":["office"],"enforced":true}`, PresentVersion)
	if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "version 2, by lee") {
		t.Error(err)
	}
}

func TestApply(t *testing.T) {
	m := newTeam(t, officeFile)
	apply := func(text string, prune bool) (ApplyAnswer, error) {
		t.Helper()
		objects, err := config.Sections("team.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := m.Apply(t.Context(), ApplyRequest{Objects: objects, Prune: prune, Author: "kim"})
		m.reload()
		return answer, err
	}
	did := func(a ApplyAnswer) (list []string) {
		for _, line := range a.Objects {
			list = append(list, fmt.Sprintf("%s %s %s %v %d", line.Did, line.Kind, line.Name, line.Saved, line.Version))
		}
		return list
	}
	const first = `
exceptions: [{schedule: late, date: 2026-08-05, type: start, value: none}]
schedules: {late: {periods: [night], holidays: [company]}}
rules: {hourly: {expression: rate(1 hour), action: start, filters: "name=a"}}
holidays: {company: {days: [{date: 2026-08-10}]}}
periods: {night: {begintime: "22:00", endtime: "06:00"}}
`
	answer, err := apply(first, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"created period night true 1", "created holiday company true 1", "created schedule late true 1", "created exception late:2026-08-05:start true 1", "created rule hourly true 1",
	}, did(answer)); diff != "" {
		t.Error(diff)
	}
	rows := len(m.record())
	exported, err := m.Export(false)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err = apply(string(exported), true); err != nil || len(answer.Objects) != 5 || slices.ContainsFunc(answer.Objects, func(l ApplyLine) bool { return l.Did != Unchanged || l.Saved }) {
		t.Errorf("an export does not say the same: %q, %v\n%s", did(answer), err, exported)
	}
	if len(m.record()) != rows {
		t.Error("what says the same was written")
	}
	const second = `
schedules: {late: {periods: [evening]}}
periods: {evening: {begintime: "20:00", endtime: "22:00"}}
exceptions: [{schedule: late, from: 2026-08-04, to: 2026-08-06, type: start, value: none}]
`
	if _, err = apply(second, false); err == nil || !strings.Contains(err.Error(), "both move the start of 2026-08-05") {
		t.Errorf("without prune the old exception stays: %v", err)
	}
	if answer, err = apply(second, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"deleted exception late:2026-08-05:start true 0", "deleted rule hourly true 0", "created period evening true 1", "changed schedule late true 2",
		"created exception late:2026-08-04..2026-08-06:start true 1", "deleted holiday company true 0", "deleted period night true 0",
	}, did(answer)); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"schedules: {seoul-office: {}}\nperiods: {office: {begintime: \"10:00\"}, b: {begintime: \"10:00\"}}": "belongs to the file, dayshift.yaml:4: change it there\n  schedule \"seoul-office\"",
		"schedules: {a: {periods: [nowhere]}, b: {periods: [evening], timezone: Asia/Seol}}":                  "2 faults; nothing was changed",
	} {
		if _, err := apply(text, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if all, err := m.Export(true, store.PeriodObject); err != nil || !strings.Contains(string(all), "office") || strings.Contains(string(all), "schedules") {
		t.Errorf("%s, %v", all, err)
	}
}

// What changed since apply looked stops it before anything is written; a write that fails later is told with what was done.
func TestApplyAgainstOthers(t *testing.T) {
	m := newTeam(t, officeFile)
	m.must(store.PeriodObject, "a", `{"begintime":"10:00"}`, 0)
	m.must(store.PeriodObject, "b", `{"begintime":"10:00"}`, 0)
	objects := []store.Object{
		{Kind: store.PeriodObject, Name: "a", Spec: json.RawMessage(`{"begintime":"11:00"}`)},
		{Kind: store.PeriodObject, Name: "b", Spec: json.RawMessage(`{"begintime":"11:00"}`)},
	}
	m.Looker = &meanwhile{Looker: m.world, do: func() {
		if _, err := m.Store.SaveObject(t.Context(), store.Object{Kind: store.PeriodObject, Name: "b", Version: 1, Spec: json.RawMessage(`{"begintime":"12:00"}`), Author: "lee", Changed: monday}); err != nil {
			t.Error(err)
		}
	}}
	answer, err := m.Apply(t.Context(), ApplyRequest{Objects: objects, Author: "kim"})
	if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), `nothing was changed: period "b" was changed to version 2 by lee`) || answer.Objects[0].Saved {
		t.Errorf("%+v, %v", answer.Objects, err)
	}
	m.Looker = m.world
	m.Store = &failingStore{Store: m.Store, good: 1}
	answer, err = m.Apply(t.Context(), ApplyRequest{Objects: objects, Author: "kim"})
	if part, ok := errors.AsType[*PartError](err); !ok || part.Done != 1 || part.Of != 2 || !answer.Objects[0].Saved || answer.Objects[1].Saved || !strings.Contains(err.Error(), "1 of 2 objects were written, then: save the change: disk full") {
		t.Errorf("%+v, %v", answer.Objects, err)
	}
}

// meanwhile does something once, after the fleet was looked at.
type meanwhile struct {
	Looker
	do func()
}

func (m *meanwhile) Look(ctx context.Context, at time.Time, chains bool) (pass.Report, error) {
	report, err := m.Looker.Look(ctx, at, chains)
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return report, err
}

// failingStore saves so many objects and then no more.
type failingStore struct {
	store.Store
	good int
}

func (f *failingStore) SaveObject(ctx context.Context, o store.Object, rows ...store.Activity) (store.Object, error) {
	if f.good == 0 {
		return store.Object{}, errors.New("disk full")
	}
	f.good--
	return f.Store.SaveObject(ctx, o, rows...)
}

func TestDiff(t *testing.T) {
	m := newTeam(t, officeFile)
	m.add("i-1", "seoul-office", fleet.Running, decide.WasRunning)
	diff := func(text string) (DiffAnswer, error) {
		return m.Diff(t.Context(), func(objects []store.Object) (*config.Loaded, error) {
			return config.Parse("next.yaml", []byte(text), config.Env{}, objects...)
		})
	}
	if answer, err := diff(officeFile); err != nil || answer.Differs || answer.Changes == nil {
		t.Errorf("%+v, %v", answer, err)
	}
	answer, err := diff(strings.NewReplacer("18:00", "16:00", "[ap-northeast-2]", "[us-east-1]").Replace(officeFile))
	if err != nil || !answer.Differs || answer.Effect.StopsNow.After != 1 {
		t.Errorf("%+v, %v", answer, err)
	}
	if diff := cmp.Diff([]string{"accounts[0].regions: [ap-northeast-2] → [us-east-1]", "periods.office.endtime: 18:00 → 16:00"}, answer.Changes); diff != "" {
		t.Error(diff)
	}
	if n := answer.Effect.Notes; len(n) != 2 || !strings.Contains(n[0].String(), "us-east-1 is new") || !strings.Contains(n[1].String(), "ap-northeast-2 is left out") {
		t.Errorf("%q", n)
	}
	if _, err := diff("timezone: Asia/Seol"); err == nil {
		t.Error("a faulty file was compared")
	}
}

func TestWeeks(t *testing.T) {
	m := newTeam(t, officeFile)
	weeks, err := m.Weeks("seoul-office", "", 2)
	if err != nil || len(weeks) != 2 || weeks[0].Monday != "2026-08-03" || weeks[1].Monday != "2026-08-10" || len(weeks[0].Days) != 7 || len(weeks[0].Days[0].Cells) != 48 {
		t.Fatalf("%+v, %v", weeks, err)
	}
	day := weeks[0].Days[0]
	if day.Weekday != "Monday" || day.Cells[17].State != "stopped" || day.Cells[18].State != "running" || day.Cells[18].Period != "office" || len(day.Changes) != 2 || day.Changes[1].Clock != "18:00" || day.Changes[1].To != "stopped" {
		t.Errorf("%+v", day)
	}
	for _, test := range []struct {
		name, date string
		weeks      int
		want       string
	}{{"seoul-offcie", "", 1, "did you mean"}, {"seoul-office", "2026-02-30", 1, "week "}, {"seoul-office", "", 0, "from 1 to 53"}, {"seoul-office", "", 54, "from 1 to 53"}} {
		if _, err := m.Weeks(test.name, test.date, test.weeks); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	m = newTeam(t, strings.ReplaceAll(officeFile, "Asia/Seoul", "America/New_York"))
	for date, want := range map[string][]ClockShift{
		"2027-03-10": {{At: time.Date(2027, 3, 14, 7, 0, 0, 0, time.UTC), Date: "2027-03-14", Before: "02:00", After: "03:00"}},
		"2027-11-07": {{At: time.Date(2027, 11, 7, 6, 0, 0, 0, time.UTC), Date: "2027-11-07", Before: "02:00", After: "01:00", Back: true}},
		"2027-06-01": {},
	} {
		weeks, err := m.Weeks("seoul-office", date, 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, weeks[0].Shifts); diff != "" {
			t.Errorf("%s: %s", date, diff)
		}
	}
}

// A rule is in its new form from the write on, however long the look before it took.
func TestChangeCountsFromTheWrite(t *testing.T) {
	m := newTeam(t, officeFile)
	m.Looker = &meanwhile{Looker: m.world, do: func() { m.now = m.now.Add(time.Minute) }}
	answer := m.must(store.RuleObject, "r", `{"expression":"rate(1 hour)","action":"start","filters":"name=a"}`, 0)
	if want := monday.Add(time.Minute); !answer.Object.Changed.Equal(want) || !answer.Object.Created.Equal(want) || !m.Config.Book.Rules[0].Since.Equal(want) {
		t.Errorf("%+v, since %s", answer.Object, m.Config.Book.Rules[0].Since)
	}
}
