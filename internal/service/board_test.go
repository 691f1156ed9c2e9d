package service

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
)

// boardWorld is a board over a fleet that is made up.
type boardWorld struct {
	*Board
	book   *policy.Book
	now    time.Time
	wall   time.Time
	scopes []fleet.Scope
	fleet  map[fleet.Scope][]fleet.Resource
	begun  int

	mu      sync.Mutex
	changed []fleet.Ref
}

func newBoardWorld(tb testing.TB, scopes int) *boardWorld {
	tb.Helper()
	w := &boardWorld{now: monday.Add(2 * time.Hour), wall: monday, fleet: map[fleet.Scope][]fleet.Resource{}}
	w.book = &policy.Book{TagKey: "Schedule", Schedules: map[string]*policy.Schedule{
		"office": schedule(tb, "office", nil, officeHours),
		"night":  schedule(tb, "night", nil, nightHours),
	}}
	for i := range scopes {
		w.scopes = append(w.scopes, fleet.Scope{Account: fleet.AccountID(fmt.Sprintf("%012d", 100+i/4)), Region: fleet.Region([]string{"eu-west-1", "us-east-1", "ap-northeast-2", "cn-north-1"}[i%4])})
	}
	w.Board = NewBoard(BoardOptions{
		Now: func() time.Time { return w.now }, Wall: func() time.Time { return w.wall },
		Scopes: func() []fleet.Scope { return w.scopes }, Timezone: func() *time.Location { return time.UTC },
		Begin: func() { w.begun++ },
		Changed: func(_ time.Time, refs []fleet.Ref) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changed = append(w.changed, refs...)
		},
	})
	return w
}

var nightHours = calendar.PeriodDef{BeginTime: "22:00", EndTime: "06:00"}

// populate gives each scope so many resources.
func (w *boardWorld) populate(each int) {
	for s, scope := range w.scopes {
		list := make([]fleet.Resource, 0, each)
		for i := range each {
			n := s*each + i
			state := []fleet.State{fleet.Running, fleet.Running, fleet.Stopped, fleet.Starting}[n%4]
			list = append(list, fleet.Resource{
				Ref:  fleet.Ref{Scope: scope, Kind: []fleet.Kind{fleet.EC2Instance, fleet.EC2Instance, fleet.RDSInstance}[n%3], ID: fmt.Sprintf("i-%08x", n*2654435761%(1<<32))},
				Name: fmt.Sprintf("Shop-%s-api-%05d", []string{"dev", "qa", "staging"}[n%3], n), State: state, Native: string(state), Type: []string{"t3.small", "m5.large"}[n%2],
				Zone: string(scope.Region) + "a", PrivateIP: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), SeenAt: w.now,
				Tags: map[string]string{
					"Name": fmt.Sprintf("Shop-%s-api-%05d", []string{"dev", "qa", "staging"}[n%3], n), "Schedule": []string{"office", "night", "office", "gone"}[n%4],
					"Env": []string{"dev", "qa", "staging"}[n%3], "Team": fmt.Sprintf("team-%d", n%17), "CostCenter": fmt.Sprintf("cc-%04d", n%101),
				},
			})
		}
		w.fleet[scope] = list
	}
}

// report is a pass over scopes.
func (w *boardWorld) report(scopes ...fleet.Scope) *pass.Report {
	report := &pass.Report{At: w.now, Scopes: scopes}
	for _, scope := range scopes {
		for _, r := range w.fleet[scope] {
			report.Decisions = append(report.Decisions, decide.Decide(decide.Input{
				Now: w.now, Policy: w.book.Governs(r), Resource: r,
				Memory: decide.Memory{Ref: r.Ref, Schedule: r.Tags["Schedule"], DecidedAt: w.now.Add(-time.Minute), FirstSeen: monday.AddDate(0, -1, 0), Last: decide.WasRunning},
			}))
		}
	}
	return report
}

func (w *boardWorld) feed(scopes ...fleet.Scope) {
	w.Feed(BoardFeed{Report: w.report(scopes...), Book: w.book, Whole: true})
}

func TestABoardCostsNothingUntilSomebodyAsks(t *testing.T) {
	w := newBoardWorld(t, 2)
	w.populate(5)
	w.feed(w.scopes...)
	if w.Warm() || w.now.IsZero() || w.Board.now.Load() != nil {
		t.Fatal("a board that nobody asked keeps what passes see")
	}
	page, err := w.List(FleetQuery{})
	if err != nil || !page.Looking || page.Total != 0 || w.begun != 1 {
		t.Fatalf("the first answer: %+v, %v; looks begun: %d", page, err, w.begun)
	}
	w.feed(w.scopes[0])
	if page, _ = w.List(FleetQuery{}); !page.Looking || page.Total != 5 {
		t.Fatalf("while looking: looking %t, %d resources", page.Looking, page.Total)
	}
	w.feed(w.scopes[1])
	w.Begun()
	if page, _ = w.List(FleetQuery{}); page.Looking || page.Total != 10 || w.begun != 1 {
		t.Fatalf("afterwards: looking %t, %d resources, %d looks", page.Looking, page.Total, w.begun)
	}
	w.wall = w.wall.Add(boardIdle + time.Second)
	if w.Warm() || w.Board.now.Load() != nil {
		t.Fatal("what nobody asks for was kept")
	}
	if page, _ = w.List(FleetQuery{}); !page.Looking || w.begun != 2 {
		t.Fatalf("asked again: looking %t, %d looks", page.Looking, w.begun)
	}
}

func TestABoardKeepsWhatCouldNotBeListed(t *testing.T) {
	w := newBoardWorld(t, 2)
	w.populate(6)
	w.Keep()
	w.feed(w.scopes...)
	total := func() int {
		page, err := w.List(FleetQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return page.Total
	}
	// Databases do not answer, the machines of the scope are gone but for one.
	scope := w.scopes[0]
	var databases int
	for _, r := range w.fleet[scope] {
		if r.Kind == fleet.RDSInstance {
			databases++
		}
	}
	w.fleet[scope] = w.fleet[scope][:1]
	report := w.report(scope)
	report.Gaps = []discover.Gap{{Scope: scope, Kinds: []fleet.Kind{fleet.RDSInstance}, Err: errors.New("throttled")}}
	w.Feed(BoardFeed{Report: report, Book: w.book, Whole: true})
	if got := total(); got != 6+1+databases {
		t.Errorf("%d resources, want %d", got, 6+1+databases)
	}
	seen, _ := w.Seen(scope)
	if seen.Missing[fleet.RDSInstance] == nil || seen.Missing[fleet.EC2Instance] != nil {
		t.Errorf("missing: %v", seen.Missing)
	}
	page, _ := w.List(FleetQuery{})
	if len(page.Gaps) != 1 || !strings.Contains(page.Gaps[0].Text.String(), "throttled") {
		t.Errorf("gaps: %v", page.Gaps)
	}
	// A pass that left the scope says nothing of it, one that is older neither.
	w.Feed(BoardFeed{Report: &pass.Report{At: w.now, Scopes: []fleet.Scope{scope}}, Book: w.book, Whole: true, Left: []fleet.Scope{scope}})
	w.Feed(BoardFeed{Report: &pass.Report{At: w.now.Add(-time.Minute), Scopes: []fleet.Scope{scope}}, Book: w.book, Whole: true})
	if got := total(); got != 6+1+databases {
		t.Errorf("after passes that do not count: %d resources", got)
	}
	// A pass that tells of what it acts on alone leaves the others.
	w.Feed(BoardFeed{Report: &pass.Report{At: w.now, Scopes: []fleet.Scope{scope}}, Book: w.book})
	if got := total(); got != 6+1+databases {
		t.Errorf("after a lean pass: %d resources", got)
	}
	// A scope that left the configuration is gone.
	w.scopes = w.scopes[1:]
	w.feed(w.scopes...)
	if got := total(); got != 6 {
		t.Errorf("after the scope left: %d resources", got)
	}
}

func TestWhatIsOnItsWayIsShownAtOnce(t *testing.T) {
	w := newBoardWorld(t, 1)
	w.populate(8)
	w.Keep()
	w.feed(w.scopes...)
	w.changed = nil
	var one fleet.Resource
	for _, r := range w.fleet[w.scopes[0]] {
		if r.State == fleet.Stopped {
			one = r
		}
	}
	action := plan.Action{}
	action.Resource, action.Verb = one, fleet.Start
	w.Acted([]plan.Outcome{{Action: action, Status: plan.Accepted}}, w.now)
	line, ok := w.Resource(one.Ref, nil)
	if !ok || line.State != "starting" || line.Action != noAction || !slices.Equal(w.changed, []fleet.Ref{one.Ref}) {
		t.Fatalf("after the start was accepted: %+v; told of %v", line, w.changed)
	}
	page, _ := w.List(FleetQuery{State: []string{"starting"}, Text: one.Name})
	if page.Total != 1 {
		t.Errorf("it is not found by its state: %+v", page.Facets["state"])
	}
	w.changed = nil
	w.feed(w.scopes...) // the cloud still shows it stopped
	if line, _ = w.Resource(one.Ref, nil); line.State != "stopped" || len(w.changed) != 1 {
		t.Errorf("the look does not count: %+v; told of %v", line, w.changed)
	}
	w.changed = nil
	if w.feed(w.scopes...); len(w.changed) != 0 {
		t.Errorf("nothing changed, told of %v", w.changed)
	}
}

func TestWrongQuestionsForTheFleet(t *testing.T) {
	w := newBoardWorld(t, 1)
	w.populate(80)
	w.Keep()
	w.feed(w.scopes...)
	first, err := w.List(FleetQuery{})
	if err != nil || first.Next == "" || len(first.Items) != defaultPage {
		t.Fatalf("%d items, next %q, %v", len(first.Items), first.Next, err)
	}
	for name, q := range map[string]FleetQuery{
		"an order that there is not":  {Sort: "colour"},
		"a page that is too long":     {Limit: 501},
		"a negative page":             {Limit: -1},
		"a cursor of another order":   {Sort: "-name", Cursor: first.Next},
		"a cursor of nothing":         {Cursor: "%%%"},
		"a cursor that is no JSON":    {Cursor: "aGVsbG8"},
		"too much text":               {Text: strings.Repeat("x", maxQuery+1)},
		"text that is no UTF-8":       {Text: "\xff"},
		"too many words":              {Text: strings.Repeat("x ", maxWords+1)},
		"too many values":             {State: make([]string, maxValues+1)},
		"an override that is neither": {Override: "some"},
	} {
		t.Run(name, func(t *testing.T) {
			var input *InputError
			if _, err := w.List(q); !errors.As(err, &input) {
				t.Errorf("%v, want an *InputError", err)
			}
		})
	}
}

// slowly answers as List does, in the simplest way.
func (w *boardWorld) slowly(q FleetQuery, key func(Resource) string) (refs []string) {
	var rows []Resource
	for _, scope := range w.scopes {
		for _, d := range w.report(scope).Decisions {
			line := resource(w.book, &d, w.now)
			text := strings.ToLower(line.Name + "\n" + line.ID + "\n" + d.Resource.PrivateIP)
			for key, value := range line.Tags {
				text += strings.ToLower("\n" + key + "=" + value)
			}
			is := func(values []string, value string) bool { return len(values) == 0 || slices.Contains(values, value) }
			matches := is(q.State, line.State) && is(q.Kind, line.Kind) && is(q.Account, line.Account) && is(q.Region, line.Region) &&
				is(q.Schedule, line.Schedule) && is(q.Action, line.Action) && is(q.Wanted, line.Wanted) &&
				(q.Filter == nil || q.Filter.Match(d.Resource)) && (q.Within == nil || q.Within.Match(d.Resource))
			for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
				matches = matches && strings.Contains(text, word)
			}
			if matches {
				rows = append(rows, line)
			}
		}
	}
	slices.SortFunc(rows, func(a, b Resource) int {
		x, _ := fleet.ParseRef(a.Ref)
		y, _ := fleet.ParseRef(b.Ref)
		order := cmp.Or(cmp.Compare(key(a), key(b)), x.Compare(y))
		if strings.HasPrefix(q.Sort, "-") {
			return -order
		}
		return order
	})
	for i := range rows {
		refs = append(refs, rows[i].Ref)
	}
	return refs
}

var sortKeys = map[string]func(Resource) string{
	"name": func(r Resource) string { return strings.ToLower(r.Name) }, "id": func(r Resource) string { return r.ID }, "kind": func(r Resource) string { return r.Kind },
	"type": func(r Resource) string { return r.Type }, "state": func(r Resource) string { return r.State }, "schedule": func(r Resource) string { return r.Schedule },
	"wanted": func(r Resource) string { return r.Wanted }, "action": func(r Resource) string { return r.Action }, "account": func(r Resource) string { return r.Account },
	"region": func(r Resource) string { return r.Region }, "zone": func(r Resource) string { return r.Zone }, "reason": func(r Resource) string { return r.Reason },
	"next": func(r Resource) string {
		if r.Next == nil {
			return "never"
		}
		return r.Next.At.Format("2006-01-02T15:04:05")
	},
}

func TestEveryPageOfTheFleetIsRight(t *testing.T) {
	if len(sortKeys) != len(FleetSorts) {
		t.Fatalf("%d orders, %d are tested", len(FleetSorts), len(sortKeys))
	}
	w := newBoardWorld(t, 5)
	w.populate(30)
	w.Keep()
	w.feed(w.scopes...)
	some := func(t *rapid.T, label string, values ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, label)
	}
	filter := func(t *rapid.T, label string) *fleet.Filter {
		text := rapid.SampledFrom([]string{"", "", "tag:Env=dev", "tag:Team=team-1*", "instance-type=t3.*,tag:Env=qa", "account=000000000100"}).Draw(t, label)
		if text == "" {
			return nil
		}
		f, err := fleet.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		return &f
	}
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.SampledFrom(FleetSorts).Draw(t, "sort")
		q := FleetQuery{
			Sort: rapid.SampledFrom([]string{"", "-"}).Draw(t, "down") + order, Limit: rapid.SampledFrom([]int{0, 1, 7, 50, 500}).Draw(t, "limit"),
			Text:  rapid.SampledFrom([]string{"", "", "dev", "SHOP dev", "team-3 shop-", "10.0.0.7", "env=qa", "nothing like it", "i-0"}).Draw(t, "text"),
			State: some(t, "state", "running", "stopped", "other"), Kind: some(t, "kind", "ec2_instance", "rds_instance"), Account: some(t, "account", "000000000100", "000000000101", "9"),
			Region: some(t, "region", "eu-west-1", "cn-north-1"), Schedule: some(t, "schedule", "office", "night", "gone", ""), Action: some(t, "action", "start", "none"),
			Wanted: some(t, "wanted", "running", "any"), Filter: filter(t, "filter"), Within: filter(t, "within"),
		}
		want := w.slowly(q, sortKeys[order])
		var got []string
		for range 1000 {
			page, err := w.List(q)
			if err != nil {
				t.Fatal(err)
			}
			if page.Total != len(want) {
				t.Fatalf("total %d, want %d", page.Total, len(want))
			}
			for i := range page.Items {
				got = append(got, page.Items[i].Ref)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("pages of %+v (-want +got):\n%s", q, diff)
		}
		// A facet counts what a choice of its value alone would give.
		q.Cursor = ""
		page, err := w.List(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Facets["state"] {
			other := q
			other.State = []string{f.Value}
			if n := len(w.slowly(other, sortKeys[order])); n != f.Count {
				t.Fatalf("state %s: facet says %d, there are %d", f.Value, f.Count, n)
			}
		}
	})
}

func TestACursorGoesOnWhateverChanges(t *testing.T) {
	w := newBoardWorld(t, 3)
	w.populate(40)
	w.Keep()
	w.feed(w.scopes...)
	for _, order := range []string{"name", "-name", "state", "-schedule", "next", "-region"} {
		t.Run(order, func(t *testing.T) {
			first, err := w.List(FleetQuery{Sort: order, Limit: 20})
			if err != nil {
				t.Fatal(err)
			}
			shown := map[string]bool{}
			for i := range first.Items {
				shown[first.Items[i].Ref] = true
			}
			// The last row of the page goes, one that was shown as well, and a new one comes.
			last, err := fleet.ParseRef(first.Items[19].Ref)
			if err != nil {
				t.Fatal(err)
			}
			list := slices.Clone(w.fleet[last.Scope])
			list = slices.DeleteFunc(list, func(r fleet.Resource) bool { return r.Ref == last })
			w.fleet[last.Scope] = list
			w.feed(w.scopes...)
			second, err := w.List(FleetQuery{Sort: order, Limit: 500, Cursor: first.Next})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(second.Items), second.Total-19; got != want {
				t.Errorf("%d rows behind the cursor, want %d", got, want)
			}
			for i := range second.Items {
				if shown[second.Items[i].Ref] {
					t.Errorf("%s is shown twice", second.Items[i].Ref)
				}
			}
		})
	}
}

func TestABoardIsAskedAndFedAtOnce(t *testing.T) {
	w := newBoardWorld(t, 8)
	w.populate(50)
	w.Keep()
	dev, err := fleet.ParseFilter("tag:Env=dev")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 30 {
				w.feed(w.scopes[(n+i)%len(w.scopes)])
			}
		})
		group.Go(func() {
			for range 60 {
				page, err := w.List(FleetQuery{Sort: "state", Within: &dev, Text: "shop"})
				if err != nil {
					t.Error(err)
					return
				}
				for i := range page.Items {
					if page.Items[i].Tags["Env"] != "dev" {
						t.Errorf("%s is outside of what may be seen", page.Items[i].Ref)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestAResourceOutsideOfWhatMayBeSeen(t *testing.T) {
	w := newBoardWorld(t, 1)
	w.populate(3)
	w.Keep()
	w.feed(w.scopes...)
	dev, err := fleet.ParseFilter("tag:Env=dev")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range w.fleet[w.scopes[0]] {
		_, seen := w.Resource(r.Ref, &dev)
		if inside := r.Tags["Env"] == "dev"; seen != inside || w.Matches(r.Ref, dev) != inside {
			t.Errorf("%s: seen %t, inside %t", r.Name, seen, inside)
		}
	}
	if _, seen := w.Resource(fleet.Ref{Scope: w.scopes[0], ID: "i-none"}, nil); seen {
		t.Error("a resource that there is not was found")
	}
}

// largeBoard is a fleet of 100,000 in 400 scopes.
func largeBoard(b *testing.B) *boardWorld {
	w := newBoardWorld(b, 400)
	w.populate(250)
	w.Keep()
	w.feed(w.scopes...)
	w.Begun()
	return w
}

// BenchmarkBoardList asks a board of 100,000 resources as the page does. Every
// question is one that was not asked since the last change, but for "again".
func BenchmarkBoardList(b *testing.B) {
	w := largeBoard(b)
	dev, err := fleet.ParseFilter("tag:Env=dev,tag:Team=team-1*")
	if err != nil {
		b.Fatal(err)
	}
	middle, err := w.List(FleetQuery{Limit: 500, Schedule: []string{"night"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		q    FleetQuery
	}{
		{"all", FleetQuery{}},
		{"second page", FleetQuery{Limit: 500, Schedule: []string{"night"}, Cursor: middle.Next}},
		{"common word", FleetQuery{Text: "shop"}},
		{"rare word", FleetQuery{Text: "api-04711"}},
		{"two words", FleetQuery{Text: "staging cc-0042"}},
		{"state and region", FleetQuery{State: []string{"running"}, Region: []string{"eu-west-1", "us-east-1"}}},
		{"filter", FleetQuery{Filter: &dev}},
		{"within", FleetQuery{Within: &dev, State: []string{"stopped"}}},
		{"by next change", FleetQuery{Sort: "next"}},
		{"by schedule, last first", FleetQuery{Sort: "-schedule"}},
		{"500 rows", FleetQuery{Limit: 500, Sort: "id"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.answers.clear()
				if _, err := w.List(c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("filter, after a change", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			b.StopTimer()
			w.feed(w.scopes[n%len(w.scopes)])
			n++
			b.StartTimer()
			if _, err := w.List(FleetQuery{Filter: &dev}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.List(FleetQuery{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBoardFeed takes over a pass over one scope of 400, and counts what a resource costs.
func BenchmarkBoardFeed(b *testing.B) {
	var before, after runtime.MemStats
	w := newBoardWorld(b, 400)
	runtime.GC()
	runtime.ReadMemStats(&before)
	w.populate(250)
	w.Keep()
	report := w.report(w.scopes[7])
	for _, scope := range w.scopes {
		w.feed(scope)
	}
	w.fleet, w.changed = nil, nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		w.Feed(BoardFeed{Report: report, Book: w.book, Whole: true})
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/100_000, "B/resource")
}
