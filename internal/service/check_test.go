package service

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

func only(t *testing.T, text string) *fleet.Filter {
	t.Helper()
	f := filterOf(t, text)
	return &f
}

func TestAScheduleIsTriedOutWhileItIsWritten(t *testing.T) {
	m := newTeam(t, officeFile)
	m.add("i-1", "late", fleet.Running, decide.WasRunning)
	m.add("i-2", "seoul-office", fleet.Running, decide.WasRunning)
	draft := func(schedule string, periods map[string]json.RawMessage) ScheduleCheck {
		t.Helper()
		answer, err := m.CheckSchedule(t.Context(), ScheduleDraft{Name: "late", Schedule: json.RawMessage(schedule), Periods: periods})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	got := draft(`{"periods":["evening"]}`, map[string]json.RawMessage{"evening": json.RawMessage(`{"begintime":"18:00","endtime":"22:00","weekdays":"mon-fri"}`)})
	if !got.Valid || len(got.Faults) != 0 || len(got.Weeks) != 1 || got.Weeks[0].Timezone != "Asia/Seoul" || len(got.Weeks[0].Days) != 7 {
		t.Fatalf("a schedule in order: %+v", got)
	}
	// 17:00 in Seoul on a Monday: starts at 18:00, ten times within 14 days, and as many stops.
	if len(got.Next) != 20 || got.Next[0] != (Change{At: monday.Add(time.Hour), To: "running"}) {
		t.Errorf("%d changes, first %+v", len(got.Next), got.Next[0])
	}
	if got.Effect == nil || got.Effect.Resources != 1 || got.Effect.Starts.After+got.Effect.Stops.After == 0 {
		t.Errorf("effect: %+v", got.Effect)
	}
	if objects, err := m.Store.Objects(t.Context()); err != nil || len(objects) != 0 {
		t.Errorf("a draft was kept: %v, %v", objects, err)
	}
	if got := draft(`{"periods":["office"]}`, map[string]json.RawMessage{"office": json.RawMessage(`{"begintime":"09:00","endtime":"18:00","weekdays":"mon-fri"}`)}); !got.Valid {
		t.Errorf("a period of the file, unchanged: %+v", got.Faults)
	}
	bound, err := m.CheckSchedule(t.Context(), ScheduleDraft{Name: "late", Schedule: json.RawMessage(`{"periods":["office"]}`), Within: only(t, "tag:Env=dev")})
	if err != nil || bound.Valid || len(bound.Faults) != 1 || !strings.Contains(bound.Faults[0].Message.String(), "may not act on") {
		t.Errorf("what would affect others: %+v, %v", bound.Faults, err)
	}
	for name, c := range map[string]struct {
		schedule string
		periods  map[string]json.RawMessage
		path     string
		says     string
	}{
		"a period that there is not":   {`{"periods":["offcie"]}`, nil, "periods[0]", `"office"`},
		"a zone that there is not":     {`{"periods":["office"],"timezone":"Asia/Soul"}`, nil, "timezone", "Asia/Seoul"},
		"a key that there is not":      {`{"period":["office"]}`, nil, "period", "periods"},
		"no JSON":                      {`{`, nil, "", "JSON"},
		"a period at fault":            {`{"periods":["p"]}`, map[string]json.RawMessage{"p": json.RawMessage(`{"begintime":"25:00"}`)}, "periods.p.begintime", "25:00"},
		"a period of the file changed": {`{"periods":["office"]}`, map[string]json.RawMessage{"office": json.RawMessage(`{"begintime":"08:00"}`)}, "periods.office", "belongs to the file"},
	} {
		t.Run(name, func(t *testing.T) {
			got := draft(c.schedule, c.periods)
			if got.Valid || got.Effect != nil || len(got.Faults) == 0 || got.Faults[0].Path != c.path || !strings.Contains(got.Faults[0].Message.String(), c.says) {
				t.Errorf("faults %+v, want one at %q that says %q", got.Faults, c.path, c.says)
			}
		})
	}
}

func TestARuleIsTriedOutWhileItIsWritten(t *testing.T) {
	m := newTeam(t, officeFile)
	for i, id := range []string{"i-1", "i-2", "i-3"} {
		m.add(id, "seoul-office", fleet.Running, decide.WasRunning).Tags["Env"] = []string{"dev", "dev", "prod"}[i]
	}
	m.add("i-4", "seoul-office", fleet.Running, decide.WasRunning).Tags["Env"] = "dev"
	m.world.resources[3].Tags[fleet.TagProtect] = "true"
	draft := func(rule string, within *fleet.Filter) RuleCheck {
		t.Helper()
		answer, err := m.CheckRule(t.Context(), RuleDraft{Name: "nightly", Rule: json.RawMessage(rule), Within: within})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	got := draft(`{"expression":"cron(55 14 ? * MON-FRI *)","action":"stop","filters":"tag:Env=dev"}`, nil)
	if !got.Valid || got.Matches != 2 || got.Left != 1 || len(got.Sample) != 2 || got.Sample[0].Schedule != "seoul-office" {
		t.Fatalf("%+v", got)
	}
	if len(got.Next) != draftFires || !got.Next[0].Equal(monday.Add(6*time.Hour+55*time.Minute)) || got.Words.String() != "at 14:55 from Monday to Friday, on the clock of UTC" {
		t.Errorf("next %v, in words %q", got.Next, got.Words)
	}
	if got = draft(`{"expression":"rate(1 hour)","action":"stop","filters":"tag:Env=*"}`, only(t, "tag:Env=prod")); got.Matches != 1 || got.Left != 0 {
		t.Errorf("bound to a filter: %+v", got)
	}
	if got = draft(`{"expression":"rate(1 hour)","action":"stop","filters":"tag:Env=nothing"}`, nil); !got.Valid || got.Matches != 0 || got.Sample == nil {
		t.Errorf("matching nothing: %+v", got)
	}
	m.Matching = func(context.Context, *policy.Rule) ([]fleet.Resource, []Gap) {
		return []fleet.Resource{{Ref: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-bare"}, Name: "bare", State: fleet.Running, Tags: map[string]string{"Env": "dev"}}}, []Gap{{Text: say.Raw("a gap")}}
	}
	if got = draft(`{"expression":"rate(1 hour)","action":"stop","filters":"tag:Env=dev","untagged":true}`, nil); got.Matches != 1 || got.Sample[0].Name != "bare" || len(got.Gaps) != 1 {
		t.Errorf("on what has no tag: %+v", got)
	}
	for name, c := range map[string]struct{ rule, path, says string }{
		"a filter that is mistyped":      {`{"expression":"rate(1 hour)","action":"stop","filters":"tga:Env=dev"}`, "filters", `unknown key "tga:Env"`},
		"an expression without an end":   {`{"expression":"cron(0 9 * * ?","action":"stop","filters":"tag:Env=dev"}`, "expression", ")"},
		"an action that there is not":    {`{"expression":"rate(1 hour)","action":"delete","filters":"tag:Env=dev"}`, "action", "reboot"},
		"without a filter":               {`{"expression":"rate(1 hour)","action":"stop"}`, "", "has no filters"},
		"a spec that is no mapping":      {`[]`, "", ""},
		"a spec that ends in the middle": {`{"expression":`, "", "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			got := draft(c.rule, nil)
			if got.Valid || len(got.Faults) == 0 || got.Faults[0].Path != c.path || !strings.Contains(got.Faults[0].Message.String(), c.says) {
				t.Errorf("faults %+v, want one at %q that says %q", got.Faults, c.path, c.says)
			}
		})
	}
}

func TestExpressionsInWords(t *testing.T) {
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"cron(55 14 * * ? *)":          "at 14:55 every day, on the clock of Asia/Seoul",
		"cron(0 9,18 ? * MON-FRI *)":   "at 09:00 and 18:00 from Monday to Friday, on the clock of Asia/Seoul",
		"cron(0 9 ? * MON,WED,FRI *)":  "at 09:00 on Monday, Wednesday and Friday, on the clock of Asia/Seoul",
		"cron(0/15 * * * ? *)":         "every 15 minutes every day, on the clock of Asia/Seoul",
		"cron(0 9 L * ? *)":            "at 09:00 on the last day of the month, on the clock of Asia/Seoul",
		"cron(0 9 15W * ? *)":          "at 09:00 on the working day nearest to day 15 of the month, on the clock of Asia/Seoul",
		"cron(0 9 ? * MON#1 *)":        "at 09:00 on the first Monday of the month, on the clock of Asia/Seoul",
		"cron(0 9 ? * FRIL *)":         "at 09:00 on the last Friday of the month, on the clock of Asia/Seoul",
		"cron(0 9 1 JAN,JUL ? 2027)":   "at 09:00 on day 1 of the month in January and July, in 2027, on the clock of Asia/Seoul",
		"cron(30 8-17 ? * MON-FRI *)":  "at minute 30 of the hours 8 to 17 from Monday to Friday, on the clock of Asia/Seoul",
		"0 22 * * 1-5":                 "at 22:00 from Monday to Friday, on the clock of Asia/Seoul",
		"rate(1 hour)":                 "every hour",
		"rate(36 hours)":               "every 36 hours",
		"at(2027-02-11T15:30:00)":      "once, at 2027-02-11 15:30:00, on the clock of Asia/Seoul",
		"cron(5,10 1/2 ? * TUE-THU *)": "at the minutes 5 and 10 of the hours every 2 from 1 from Tuesday to Thursday, on the clock of Asia/Seoul",
	} {
		e, err := calendar.ParseExpression(text, seoul, monday)
		if err != nil {
			t.Fatal(err)
		}
		if got := ExpressionWords(e).String(); got != want {
			t.Errorf("%s (%s)\n got %q\nwant %q", text, e, got, want)
		}
	}
}

func TestOverridesAreBoundToWhatOneMayActOn(t *testing.T) {
	w := town(t)
	dev := only(t, "tag:Env=dev")
	for i := range w.resources {
		if id := w.resources[i].ID; id == "i-1" || id == "i-spread" {
			w.resources[i].Tags["Env"] = "dev"
		}
	}
	s := w.service()
	set := func(target string, within *fleet.Filter) error {
		_, err := s.SetOverride(t.Context(), OverrideRequest{Target: target, State: calendar.Running, End: End{For: time.Hour}, Author: "kim", DryRun: true, Within: within})
		return err
	}
	for target, outside := range map[string]int{"i-1": 0, "schedule:spread": 0, "tag:Env=dev": 0, "schedule:office": 2, "i-2": 1, "filter:instance-id=i-*": -1, "schedule:empty": -1} {
		err := set(target, dev)
		var denied *OutsideError
		switch {
		case outside == 0 && err != nil:
			t.Errorf("%s: %v", target, err)
		case outside != 0 && !errors.As(err, &denied):
			t.Errorf("%s: %v, want an *OutsideError", target, err)
		case outside > 0 && denied.Resources != outside:
			t.Errorf("%s: %d resources, want %d", target, denied.Resources, outside)
		}
	}
	made, err := s.SetOverride(t.Context(), OverrideRequest{Target: "schedule:office", State: calendar.Running, End: End{For: time.Hour}, Author: "lee"})
	if err != nil {
		t.Fatal(err)
	}
	var denied *OutsideError
	if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: made.Override.ID, End: End{For: 2 * time.Hour}, Author: "kim", Within: dev}); !errors.As(err, &denied) {
		t.Errorf("change: %v", err)
	}
	if _, err := s.ClearOverride(t.Context(), OverrideClear{Target: made.Override.ID, Author: "kim", Within: dev}); !errors.As(err, &denied) {
		t.Errorf("clear: %v", err)
	}
	if _, err := s.ClearOverride(t.Context(), OverrideClear{All: true, Author: "kim", Within: dev}); !errors.As(err, &denied) {
		t.Errorf("clear all: %v", err)
	}
	if held, err := s.Store.Objects(t.Context(), store.OverrideObject); err != nil || len(held) != 1 {
		t.Errorf("it was cleared all the same: %v, %v", held, err)
	}
	w.gaps = []discover.Gap{{Scope: seoul, Kinds: []fleet.Kind{fleet.RDSInstance}, Err: cloud.ErrUnauthorized}}
	if err := set("i-1", dev); err != nil {
		t.Errorf("one resource while another kind can not be listed: %v", err)
	}
	if err := set("tag:Env=dev", dev); !errors.As(err, &denied) || !denied.Unseen {
		t.Errorf("a filter while a kind can not be listed: %v", err)
	}
}

func TestObjectsAreBoundToWhatOneMayActOn(t *testing.T) {
	m := newTeam(t, officeFile)
	m.add("i-1", "dev", fleet.Running, decide.WasRunning).Tags["Env"] = "dev"
	m.add("i-2", "both", fleet.Running, decide.WasRunning).Tags["Env"] = "dev"
	m.add("i-3", "both", fleet.Running, decide.WasRunning).Tags["Env"] = "prod"
	m.must(store.PeriodObject, "late", `{"begintime":"12:00","endtime":"20:00"}`, 0)
	m.must(store.ScheduleObject, "both", `{"periods":["late"]}`, 0)
	m.must(store.ScheduleObject, "dev", `{"periods":["office"]}`, 0)
	save := func(kind store.ObjectKind, name, spec string, version int64) error {
		_, err := m.SaveObject(t.Context(), ObjectChange{Kind: kind, Name: name, Spec: json.RawMessage(spec), Version: version, Author: "kim", Confirmed: true, DryRun: true, Within: only(t, "tag:Env=dev")})
		return err
	}
	var denied *OutsideError
	if err := save(store.ScheduleObject, "dev", `{"periods":["late"]}`, 1); err != nil {
		t.Errorf("its own schedule: %v", err)
	}
	if err := save(store.ScheduleObject, "both", `{"periods":["office"]}`, 1); !errors.As(err, &denied) || denied.Resources != 1 {
		t.Errorf("a schedule that is also of others: %v", err)
	}
	if err := save(store.PeriodObject, "late", `{"begintime":"12:00","endtime":"21:00"}`, 1); !errors.As(err, &denied) {
		t.Errorf("a period of such a schedule: %v", err)
	}
	if err := save(store.RuleObject, "mine", `{"expression":"rate(1 day)","action":"stop","filters":"tag:Env=dev"}`, 0); err != nil {
		t.Errorf("a rule for its own: %v", err)
	}
	if err := save(store.RuleObject, "all", `{"expression":"rate(1 day)","action":"stop","filters":"tag:Env=*"}`, 0); !errors.As(err, &denied) {
		t.Errorf("a rule for others: %v", err)
	}
	m.Matching = func(context.Context, *policy.Rule) ([]fleet.Resource, []Gap) {
		return []fleet.Resource{{Tags: map[string]string{"Env": "prod"}}}, nil
	}
	if err := save(store.RuleObject, "bare", `{"expression":"rate(1 day)","action":"stop","filters":"name=bare","untagged":true}`, 0); !errors.As(err, &denied) {
		t.Errorf("a rule for others that carry no tag: %v", err)
	}
	if _, err := m.DeleteObject(t.Context(), ObjectChange{Kind: store.ScheduleObject, Name: "both", Author: "kim", Confirmed: true, Within: only(t, "tag:Env=dev")}); !errors.As(err, &denied) {
		t.Errorf("deleting a schedule of others: %v", err)
	}
}

// parts is a Looker that remembers which part of the fleet it was asked for.
type parts struct {
	*world
	asked [][]string
	sure  []bool
}

func (p *parts) Narrow(concerned func(*fleet.Resource) bool, sure bool) Looker {
	var ids []string
	for i := range p.resources {
		if concerned(&p.resources[i]) {
			ids = append(ids, p.resources[i].ID)
		}
	}
	p.asked, p.sure = append(p.asked, ids), append(p.sure, sure)
	return p.world
}

func (p *parts) Look(context.Context, time.Time, bool) (pass.Report, error) {
	return pass.Report{}, errors.New("the whole fleet was looked at")
}

func TestQuestionsAboutAPartLookAtAPart(t *testing.T) {
	w := town(t)
	p := &parts{world: w}
	s := w.service()
	s.Looker = p
	if _, err := s.Explain(t.Context(), "name-i-2", time.Time{}); err != nil {
		t.Error(err)
	}
	for _, target := range []string{"i-1", "schedule:seoul", "office", "instance-id=i-b*"} {
		if _, err := s.SetOverride(t.Context(), OverrideRequest{Target: target, State: calendar.Running, End: End{For: time.Hour}, Author: "kim", DryRun: target != "i-1"}); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.ListOverrides(t.Context()); err != nil {
		t.Error(err)
	}
	want := [][]string{{"i-2"}, {"i-1"}, {"i-seoul"}, {"i-1", "i-2", "i-safe"}, {"i-bare", "i-berlin", "i-broken"}, {"i-1"}}
	for i := range p.asked {
		slices.Sort(p.asked[i])
	}
	if diff := gocmp.Diff(want, p.asked[:min(len(p.asked), len(want))]); diff != "" {
		t.Errorf("looked at (-want +got):\n%s", diff)
	}
}
