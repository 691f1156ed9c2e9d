package pass_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// beijing is the one scope of most tests.
var beijing = scopes[:1]

var shanghai = time.FixedZone("CST", 8*60*60)

// clockTime is a time of day in Beijing on a day of March 2027, in which the
// first and the eighth are Mondays.
func clockTime(day, hour, minute int) time.Time {
	return time.Date(2027, 3, day, hour, minute, 0, 0, shanghai)
}

func ruleOf(t *testing.T, name, expression string, verb fleet.Verb, filter string, change ...func(*policy.Rule)) *policy.Rule {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := calendar.ParseExpression(expression, zone, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	r := &policy.Rule{Name: name, Enabled: true, Expression: compiled, Verb: verb, Filter: filterOf(t, filter), CatchUp: policy.DefaultCatchUp}
	for _, f := range change {
		f(r)
	}
	return r
}

func filterOf(t *testing.T, text string) fleet.Filter {
	t.Helper()
	filter, err := fleet.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

// manual is a schedule that wants nothing, so that rules and people act alone.
func manual(t *testing.T, rules ...*policy.Rule) *policy.Book {
	t.Helper()
	book := office(t, nil)
	compiled, err := calendar.Compile(calendar.ScheduleDef{Name: "manual", Periods: calendar.PeriodRefs{"ever"}},
		map[string]calendar.PeriodDef{"ever": {EndTime: "24:00"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	book.Schedules["manual"] = &policy.Schedule{Name: "manual", Calendar: compiled, Enabled: true, StopNewInstances: true}
	book.Rules = rules
	return book
}

// team is a tag that filters of tests select, on a resource of the schedule "manual".
func team(more ...string) map[string]string {
	tags := map[string]string{"Schedule": "manual", "Team": "x"}
	for i := 0; i+1 < len(more); i += 2 {
		tags[more[i]] = more[i+1]
	}
	return tags
}

// resync is the least often a scope is looked at, longer than the program's own
// so that days cost few passes.
const resync = time.Hour

// live makes passes as the daemon does until an instant of the process's clock:
// at every due time, while something is under way, and now and then. It returns
// the reports.
func (w *world) live(until time.Time) (reports []pass.Report) {
	w.t.Helper()
	for n := 0; ; n++ {
		if n == 5000 {
			w.t.Fatalf("the passes do not come to an end: %s", w.now())
		}
		report := w.run()
		reports = append(reports, report)
		next := w.now().Add(resync)
		for _, due := range report.Due {
			if due.Before(next) {
				next = due
			}
		}
		if soon := w.now().Add(15 * time.Second); len(report.UnderWay()) > 0 && soon.Before(next) {
			next = soon
		}
		if !next.Before(until) {
			time.Sleep(until.Sub(w.now()))
			return reports
		}
		time.Sleep(max(next.Sub(w.now()), time.Second))
	}
}

// rows are the rows of the record with one of the events, oldest first.
func (w *world) rows(events ...store.Event) []store.Activity {
	w.t.Helper()
	all, err := w.store.Activity(w.t.Context(), store.ActivityQuery{Limit: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(row store.Activity) bool { return len(events) > 0 && !slices.Contains(events, row.Event) })
}

// wantRows expects so many rows with the event, all with the text in them.
func (w *world) wantRows(when string, n int, event store.Event, texts ...string) {
	w.t.Helper()
	rows := w.rows(event)
	if len(rows) != n {
		w.t.Errorf("%s: %d rows %s, want %d: %+v", when, len(rows), event, n, rows)
	}
	for _, row := range rows {
		for _, text := range texts {
			if !strings.Contains(row.Detail, text) {
				w.t.Errorf("%s: %q does not say %q", when, row.Detail, text)
			}
		}
	}
}

// verify checks that the record is whole and that every run it names is known.
func (w *world) verify() {
	w.t.Helper()
	w.verifyChain()
	for _, row := range w.rows() {
		if row.Run == "" {
			continue
		}
		if _, err := w.store.Run(w.t.Context(), row.Run); err != nil {
			w.t.Errorf("row %d (%s) names run %s: %v", row.Seq, row.Event, row.Run, err)
		}
	}
}

func (w *world) verifyChain() {
	w.t.Helper()
	if v, err := w.store.Verify(w.t.Context()); err != nil || v.BadAt != 0 {
		w.t.Errorf("activity: %+v, %v", v, err)
	}
}

// acted counts the successful calls of an action that name a resource, by its name.
func (w *world) acted(action string) map[string]int {
	names := map[string]string{}
	for _, scope := range scopes {
		for _, instance := range w.sim.Instances(string(scope.Account), string(scope.Region)) {
			names[instance.ID] = instance.Tags["Name"]
		}
	}
	times := map[string]int{}
	for _, call := range w.sim.Calls() {
		if call.Action != action || call.Code != "" {
			continue
		}
		for _, id := range call.Resources {
			if name, ok := names[id]; ok {
				id = name
			}
			times[id]++
		}
	}
	return times
}

func (w *world) faults(text string) {
	w.t.Helper()
	var list []awssim.Fault
	if text != "" {
		var err error
		if list, err = awssim.ParseFaults([]byte(text)); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.sim.SetFaults(list); err != nil {
		w.t.Fatal(err)
	}
}

// restart is a new process on the same store and cloud.
func (w *world) restart() {
	w.t.Helper()
	if err := w.store.Release(w.t.Context(), w.lease); err != nil {
		w.t.Fatal(err)
	}
	var err error
	if w.lease, err = w.store.Acquire(w.t.Context(), "scheduler", "the next", w.now(), 10000*time.Hour); err != nil {
		w.t.Fatal(err)
	}
	w.known, w.rests = pass.Known{}, pass.Rests{}
}

// edited makes the configuration another one, as a reload does.
func (w *world) edited() {
	book := *w.book
	w.book = &book
}

func (w *world) memory(name string) decide.Memory {
	w.t.Helper()
	for _, scope := range scopes {
		memories, err := w.store.Memories(w.t.Context(), scope)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range memories {
			if m.Name == name || m.Ref.ID == name {
				return m
			}
		}
	}
	return decide.Memory{}
}

// toldIn are what people were told in a pass, one for each kind.
func toldIn(report pass.Report) (list []notify.Message) {
	for _, notice := range notify.Group(report.Events, notify.ByKind) {
		list = append(list, notify.Words{}.Message(&notice))
	}
	return list
}

// told counts what people were told, by kind.
func told(reports []pass.Report) map[notify.Kind]int {
	counts := map[notify.Kind]int{}
	for _, report := range reports {
		for _, message := range toldIn(report) {
			counts[message.Kind] += message.Count
		}
	}
	return counts
}
