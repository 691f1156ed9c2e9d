package service

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	seoul = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	// monday is 08:00 on a Monday in UTC.
	monday = time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC)
)

func schedule(t interface{ Fatal(...any) }, name string, change func(*policy.Schedule), periods ...calendar.PeriodDef) *policy.Schedule {
	byName := map[string]calendar.PeriodDef{}
	var names calendar.PeriodRefs
	for i, period := range periods {
		key := fmt.Sprint("p", i)
		byName[key] = period
		names = append(names, key+period.Name) // Name stands for @type here
	}
	compiled, err := calendar.Compile(calendar.ScheduleDef{Name: name, Periods: names}, byName, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	s := &policy.Schedule{Name: name, Calendar: compiled, Enabled: true, StopNewInstances: true, NewResourceGrace: policy.DefaultNewResourceGrace, Mode: policy.Both}
	if change != nil {
		change(s)
	}
	return s
}

var officeHours = calendar.PeriodDef{BeginTime: "09:00", EndTime: "18:00"}

// world is a fleet that is looked at without a cloud, as a dry pass does it.
type world struct {
	book      *policy.Book
	now       time.Time
	resources []fleet.Resource
	memories  map[fleet.Ref]decide.Memory
	gaps      []discover.Gap
	windows   map[fleet.Scope][]policy.Window
	limits    plan.Limits
	err       error
}

func newWorld(schedules ...*policy.Schedule) *world {
	w := &world{book: &policy.Book{TagKey: "Schedule", Schedules: map[string]*policy.Schedule{}}, now: monday, memories: map[fleet.Ref]decide.Memory{}}
	for _, s := range schedules {
		w.book.Schedules[s.Name] = s
	}
	return w
}

func (w *world) add(id, schedule string, state fleet.State, last decide.Remembered) *fleet.Resource {
	r := fleet.Resource{
		Ref: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: id}, Name: "name-" + id, ARN: "arn:aws:ec2:ap-northeast-2:111122223333:instance/" + id,
		State: state, Native: string(state), Type: "m5.large", Tags: map[string]string{"Schedule": schedule}, SeenAt: w.now,
	}
	w.memories[r.Ref] = decide.Memory{Ref: r.Ref, Schedule: schedule, Last: last, DecidedAt: w.now.Add(-time.Minute), SeenAt: w.now.Add(-time.Minute), Seen: state, FirstSeen: w.now.AddDate(0, -1, 0)}
	w.resources = append(w.resources, r)
	return &w.resources[len(w.resources)-1]
}

func (w *world) Look(_ context.Context, at time.Time, chains bool) (pass.Report, error) {
	if w.err != nil {
		return pass.Report{}, w.err
	}
	if at.IsZero() {
		at = w.now
	}
	report := pass.Report{At: at, Gaps: w.gaps, Windows: w.windows}
	report.Run.Counts.Scopes = 1
	book := with(w.book, &report)
	for _, r := range w.resources {
		report.Decisions = append(report.Decisions, decide.Explain(decide.Input{Now: at, Policy: book.Governs(r), Memory: w.memories[r.Ref], Resource: r}))
	}
	report.Plan = plan.Make(report.Decisions, plan.Guards{Limits: w.limits})
	return report, nil
}

func (w *world) service() *Service {
	return &Service{Looker: w, Book: w.book, Store: memory.New(), Now: func() time.Time { return w.now }}
}

func TestFleet(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	w.add("i-1", "office", fleet.Running, decide.WasRunning)
	w.add("i-2", "offcie", fleet.Running, decide.Unknown)
	w.add("i-3", "office", fleet.Stopped, decide.WasStopped).Tags[fleet.TagProtect] = "true"
	w.gaps = []discover.Gap{{Scope: seoul, Kinds: []fleet.Kind{fleet.RDSInstance}, Err: cloud.ErrUnauthorized}}
	answer, err := w.service().Fleet(t.Context(), time.Time{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range answer.Resources {
		line := strings.Join([]string{r.ID, r.State, r.Schedule, r.Wanted, r.Action, r.Reason}, " ")
		if r.Next != nil {
			line += " " + r.Next.To + " " + r.Next.At.Format("15:04")
		}
		lines = append(lines, line)
	}
	want := []string{"i-1 running office stopped stop period-ended running 09:00", "i-2 running offcie any none unknown-schedule", "i-3 stopped office any none protected-by-tag"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if len(answer.Gaps) != 1 || answer.Gaps[0].Text.String() != "111122223333/ap-northeast-2: cannot list rds_instance: not authorized" || !answer.At.Equal(monday) {
		t.Errorf("%+v", answer.Gaps)
	}
	filter, err := fleet.ParseFilter("instance-id=i-2")
	if err != nil {
		t.Fatal(err)
	}
	later := monday.Add(2 * time.Hour)
	answer, err = w.service().Fleet(t.Context(), later, &filter)
	if err != nil || len(answer.Resources) != 1 || answer.Resources[0].ID != "i-2" || !answer.At.Equal(later) {
		t.Errorf("%+v, %v", answer, err)
	}
	w.resources, w.gaps = nil, nil
	if answer, err = w.service().Fleet(t.Context(), time.Time{}, nil); err != nil || answer.Resources == nil || answer.Gaps == nil {
		t.Errorf("an empty fleet is no empty list: %+v, %v", answer, err)
	}
	w.err = errors.New("no store")
	if _, err = w.service().Fleet(t.Context(), time.Time{}, nil); !errors.Is(err, w.err) {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	first := w.add("i-1", "office", fleet.Running, decide.WasRunning)
	w.add("i-2", "office", fleet.Stopped, decide.WasStopped).Name = first.Name
	w.add("i-3", "office", fleet.Stopped, decide.WasStopped).Name = ""
	s := w.service()
	rows := make([]store.Activity, 12)
	for i := range rows {
		rows[i] = store.Activity{At: monday, Actor: "dayshift", Event: store.EventSkipped, Ref: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-1"}, Detail: fmt.Sprint(i)}
	}
	if err := s.Store.Append(t.Context(), store.Lease{}, rows); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{
		"i-1": 1, "name-i-1": 2, "arn:aws:ec2:ap-northeast-2:111122223333:instance/i-2": 1, "111122223333/ap-northeast-2/ec2_instance/i-3": 1,
	} {
		found, err := s.Explain(t.Context(), target, time.Time{})
		if err != nil || len(found) != want {
			t.Errorf("%s: %d, %v", target, len(found), err)
			continue
		}
		for _, e := range found {
			if len(e.Chain) < 3 || e.Chain[len(e.Chain)-1].Rule != "decision" || e.Why.Empty() || !e.At.Equal(monday) {
				t.Errorf("%s: %+v", target, e)
			}
		}
		if target == "i-1" && (len(found[0].Recent) != recentRows || found[0].Recent[recentRows-1].Detail != "11") {
			t.Errorf("recent: %+v", found[0].Recent)
		}
	}
	w.gaps = []discover.Gap{{Scope: seoul, Kinds: fleet.Kinds, Err: cloud.ErrTransient}}
	_, err := s.Explain(t.Context(), "name-i-", time.Time{})
	var none *NotFoundError
	if !errors.As(err, &none) || none.Near == "" || !strings.Contains(err.Error(), "in 1 scope;") || !strings.Contains(err.Error(), "could not be listed: 111122223333/ap-northeast-2") {
		t.Errorf("%v", err)
	}
	var input *InputError
	if _, err = s.Explain(t.Context(), "", time.Time{}); !errors.As(err, &input) {
		t.Errorf("an empty name: %v", err)
	}
	_ = s.Store.Close()
	if _, err = s.Explain(t.Context(), "i-1", time.Time{}); err == nil || !strings.Contains(err.Error(), "read the record of 111122223333/ap-northeast-2/ec2_instance/i-1") {
		t.Errorf("without a store: %v", err)
	}
}

func TestExplainSchedule(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours), &policy.Schedule{Name: "broken", Err: errors.New("period p: unknown"), Enabled: true},
		schedule(t, "always", nil, calendar.PeriodDef{Weekdays: weekdays(t, "*")}))
	s := w.service()
	answer, err := s.ExplainSchedule("office", time.Time{})
	if err != nil || answer.State != "stopped" || answer.Local != "2026-08-03 08:00:00 UTC (Mon)" || !answer.Enabled || len(answer.Next) != nextChanges {
		t.Fatalf("%+v, %v", answer, err)
	}
	if first := answer.Next[0]; first.To != "running" || !first.At.Equal(monday.Add(time.Hour)) {
		t.Errorf("%+v", first)
	}
	if answer, err = s.ExplainSchedule("always", monday); err != nil || answer.State != "running" || answer.Next == nil || len(answer.Next) != 0 {
		t.Errorf("%+v, %v", answer, err)
	}
	for name, want := range map[string]string{
		"offcie": `there is no schedule "offcie"; did you mean "office"?`,
		"zzzzzz": `there is no schedule "zzzzzz"; known are always, broken, office`,
		"broken": `schedule "broken" can not be used: period p: unknown`,
	} {
		_, err := s.ExplainSchedule(name, monday)
		var input *InputError
		if !errors.As(err, &input) || err.Error() != want {
			t.Errorf("%v", err)
		}
		if _, err := s.PreviewSchedule(name, monday, monday.AddDate(0, 0, 1)); err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
	}
	if _, err := newWorld().service().ExplainSchedule("office", monday); err == nil || err.Error() != `there is no schedule "office"; the configuration has none` {
		t.Error(err)
	}
	many := newWorld()
	for i := range 200 {
		many.book.Schedules[fmt.Sprintf("s%03d", i)] = w.book.Schedules["office"]
	}
	if _, err := many.service().ExplainSchedule("night-shift", monday); err == nil || !strings.HasSuffix(err.Error(), "s019 and 180 more") {
		t.Error(err)
	}
}

func weekdays(t interface{ Fatal(...any) }, text string) calendar.DayField {
	var field calendar.DayField
	if err := field.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		t.Fatal(err)
	}
	return field
}

func eventLines(p Preview) []string {
	var lines []string
	for _, e := range p.Events {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", e.At.Format("2 15:04:05"), e.Ref[strings.LastIndex(e.Ref, "/")+1:], e.Action, e.Reason))
	}
	return lines
}

func TestPreview(t *testing.T) {
	w := newWorld(
		schedule(t, "office", nil, officeHours),
		schedule(t, "small", nil, calendar.PeriodDef{Name: "@t3.small", BeginTime: "09:00", EndTime: "18:00"}),
		schedule(t, "four-hours", func(s *policy.Schedule) { s.MaxManualUptime = 4 * time.Hour }, officeHours),
	)
	w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
	w.add("i-2", "small", fleet.Running, decide.WasRunning)
	w.add("i-3", "four-hours", fleet.Running, decide.WasStopped)
	w.add("i-4", "office", fleet.Running, decide.Unknown)
	w.add("i-5", "office", fleet.Stopped, decide.WasStopped).Tags[fleet.TagProtect] = "true"
	w.add("i-6", "office", fleet.Starting, decide.WasRunning).Type = "u-6tb1.metal"
	answer, err := w.service().Preview(t.Context(), monday, monday.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"3 08:00:00 i-2 stop period-ended", "3 08:00:00 i-6 stop period-ended",
		"3 08:10:00 i-4 stop new-resource-stop", // what is new is told of first and gets its grace
		"3 09:00:00 i-1 start period-began", "3 09:00:00 i-2 start period-began", "3 09:00:00 i-4 start period-began", "3 09:00:00 i-6 start period-began",
		"3 18:00:00 i-1 stop period-ended", "3 18:00:00 i-2 stop period-ended", "3 18:00:00 i-3 stop period-ended",
		"3 18:00:00 i-4 stop period-ended", "3 18:00:00 i-6 stop period-ended",
	}
	if diff := cmp.Diff(want, eventLines(answer)); diff != "" {
		t.Error(diff)
	}
	cost := answer.Cost
	if cost.AllHours != 6*24 || cost.Unpriced != 1 {
		t.Errorf("%+v", cost)
	}
	// i-1 nine hours, i-2 nine, i-3 from eight to six, i-4 nine and its grace, i-5 none, i-6 nine.
	if want := 9 + 9 + 10 + 9 + 1.0/6 + 0 + 9; math.Abs(cost.RunningHours-want) > 1e-6 {
		t.Errorf("%v hours, want %v", cost.RunningHours, want)
	}
	large, small := 0.096, 0.0208
	if want := large*(9+10+9+1.0/6) + small*9; math.Abs(cost.USD-want) > 1e-6 {
		t.Errorf("%v USD, want %v", cost.USD, want)
	}
	if want := large * 24 * 5; math.Abs(cost.AllUSD-want) > 1e-6 { // always on, each as the type that it has now
		t.Errorf("%v USD always on, want %v", cost.AllUSD, want)
	}
}

// What is begun, and what is busy, is taken to arrive.
func TestPreviewOfWhatIsUnderWay(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	w.now = monday.Add(90 * time.Minute) // half past nine
	begun := w.add("i-1", "office", fleet.Stopped, decide.WasRunning)
	m := w.memories[begun.Ref]
	m.Intent = &decide.Intent{Verb: fleet.Start, At: w.now.Add(-time.Second), Accepted: w.now.Add(-time.Second)}
	w.memories[begun.Ref] = m
	w.add("db", "office", fleet.Other, decide.WasRunning).Native = "backing-up"
	w.add("i-2", "office", fleet.Stopping, decide.WasStopped)
	answer, err := w.service().Preview(t.Context(), w.now, w.now.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	var stops []string
	for _, line := range eventLines(answer) {
		if strings.HasPrefix(line, "3 18:00") {
			stops = append(stops, line)
		}
	}
	if diff := cmp.Diff([]string{"3 18:00:00 db stop period-ended", "3 18:00:00 i-1 stop period-ended", "3 18:00:00 i-2 stop period-ended"}, stops); diff != "" {
		t.Errorf("%s\n%v", diff, eventLines(answer))
	}
}

// A preview tells what passes at every minute would do.
func TestPreviewIsWhatPassesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(name string) string {
			return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, name+" hour"), rapid.IntRange(0, 59).Draw(t, name+" minute"))
		}
		var periods []calendar.PeriodDef
		for i := range rapid.IntRange(1, 3).Draw(t, "periods") {
			p := calendar.PeriodDef{Weekdays: weekdays(t, rapid.SampledFrom([]string{"mon-fri", "tue", "*"}).Draw(t, "days"))}
			if rapid.Bool().Draw(t, "begins") {
				p.BeginTime = minutes("begin")
			}
			if rapid.Bool().Draw(t, "ends") {
				p.EndTime = minutes("end")
			}
			if p.BeginTime == p.EndTime {
				p.BeginTime, p.EndTime = "", ""
			}
			if i == 0 {
				p.Name = rapid.SampledFrom([]string{"", "@t3.small"}).Draw(t, "type")
			}
			periods = append(periods, p)
		}
		s := schedule(t, "s", func(s *policy.Schedule) {
			s.RetainRunning, s.Enforced = rapid.Bool().Draw(t, "retain"), rapid.Bool().Draw(t, "enforced")
			// Row 1 keeps what is new for one pass, and row 2 stops it at the next:
			// when that comes is not the calendar's to say.
			s.StopNewInstances = rapid.Bool().Draw(t, "stop new") || s.Enforced
			s.Mode = rapid.SampledFrom([]policy.Mode{policy.Both, policy.StartOnly, policy.StopOnly}).Draw(t, "mode")
			s.MaxManualUptime = time.Duration(rapid.IntRange(0, 3).Draw(t, "uptime")) * time.Hour
		}, periods...)
		w := newWorld(s)
		r := w.add("i-1", "s", rapid.SampledFrom([]fleet.State{fleet.Running, fleet.Stopped}).Draw(t, "state"),
			rapid.SampledFrom([]decide.Remembered{decide.Unknown, decide.WasRunning, decide.WasStopped, decide.WasAny, decide.RetainRunning}).Draw(t, "last"))
		from := monday.Add(time.Duration(rapid.IntRange(-30, 20).Draw(t, "from")) * time.Hour)
		to := monday.Add(60 * time.Hour)

		var want []string
		var running time.Duration
		state, m := *r, w.memories[r.Ref]
		at := monday
		if from.Before(at) {
			at = from
		}
		for ; at.Before(to); at = at.Add(time.Minute) {
			state.SeenAt = at
			for range 3 { // a pass, and those that follow what it did at once
				d := decide.Decide(decide.Input{Now: at, Policy: w.book.Governs(state), Memory: m, Resource: state})
				m = d.Memory
				if d.Verb == "" {
					break
				}
				state.State = fleet.Stopped
				if d.Verb == fleet.Start {
					state.State = fleet.Running
					if d.Type != "" {
						state.Type = d.Type
					}
				}
				if !at.Before(from) {
					want = append(want, fmt.Sprintf("%s %s", at.Format("2 15:04"), d.Verb))
				}
			}
			if state.State == fleet.Running && !at.Before(from) {
				running += time.Minute
			}
		}
		answer, err := w.service().Preview(context.Background(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range answer.Events {
			got = append(got, fmt.Sprintf("%s %s", e.At.Format("2 15:04"), e.Action))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if off := math.Abs(answer.Cost.RunningHours - running.Hours()); off > 0.01*float64(len(want)+1) {
			t.Fatalf("%v hours, want %v", answer.Cost.RunningHours, running.Hours())
		}
	})
}

func TestPreviewBounds(t *testing.T) {
	w := newWorld(schedule(t, "office", nil, officeHours))
	w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
	s := w.service()
	day := 24 * time.Hour
	for _, test := range []struct {
		from, to time.Time
		says     string
	}{
		{monday, monday, "is not before"},
		{monday, monday.Add(-day), "is not before"},
		{time.Time{}, monday, "is too long for a preview; ask for at most 400 days"},
		{monday, monday.Add(401 * day), "at most 400 days"},
		{monday.Add(5000 * day), monday.Add(5001 * day), "too far in the future"},
	} {
		var input *InputError
		_, err := s.Preview(t.Context(), test.from, test.to)
		if !errors.As(err, &input) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v", err)
		}
		if _, err := s.PreviewSchedule("office", test.from, test.to); !errors.As(err, &input) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v", err)
		}
	}
	answer, err := s.Preview(t.Context(), monday, monday.Add(400*day))
	if err != nil || len(answer.Events) != 800 {
		t.Errorf("%d events, %v", len(answer.Events), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Preview(ctx, monday, monday.Add(day)); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody listens any more: %v", err)
	}
	w.err = errors.New("no store")
	var input *InputError
	if _, err := s.Preview(t.Context(), monday, monday.Add(day)); !errors.Is(err, w.err) || errors.As(err, &input) {
		t.Errorf("%v", err)
	}
}

func TestPreviewSchedule(t *testing.T) {
	s := newWorld(schedule(t, "office", nil, officeHours)).service()
	answer, err := s.PreviewSchedule("office", monday, monday.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []PreviewEvent{
		{At: monday.Add(time.Hour), Action: "running", Schedule: "office", Reason: "calendar", Why: say.Raw("running is wanted from here (period p0)")},
		{At: monday.Add(10 * time.Hour), Action: "stopped", Schedule: "office", Reason: "calendar", Why: say.Raw("stopped is wanted from here")},
	}
	if diff := cmp.Diff(want, answer.Events); diff != "" {
		t.Error(diff)
	}
}
