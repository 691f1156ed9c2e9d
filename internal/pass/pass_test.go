package pass_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/notify/kindtest"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

const (
	shop  = "111122223333"
	china = "444455556666"
)

// TestMain keeps out what the environment says of AWS: reading its bundle of
// certificates alone costs more than a pass. The worlds are many and small, so
// the garbage they leave can wait.
func TestMain(m *testing.M) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// world is a simulated AWS, a store and the passes over them, inside a
// synctest bubble: hours cost milliseconds.
type world struct {
	t          *testing.T
	sim        *awssim.Cloud
	store      *memory.Store
	cloud      *aws.Cloud
	book       *policy.Book
	limit      plan.Limits
	known      pass.Known
	rests      pass.Rests
	everything bool // reports have all decisions
	lease      store.Lease
	scopes     []fleet.Scope
	config     string
	windows    cloud.WindowLister
	tagging    pass.TagOptions
	resync     time.Duration // how often repairs are made
	shift      time.Duration // how far the process's clock is from the true one, which AWS has
}

// now is what the process's clock shows.
func (w *world) now() time.Time { return time.Now().Add(w.shift).Round(0) }

type shiftedClock struct{ *world }

func (c shiftedClock) Now() time.Time { return c.now() }

func (c shiftedClock) Sleep(ctx context.Context, d time.Duration) error {
	return clock.Real{}.Sleep(ctx, d)
}

// begin sets the virtual clock to a time of day before anything is made.
func begin(t *testing.T, at string) {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(instant))
}

func office(t *testing.T, change func(*policy.Schedule)) *policy.Book {
	t.Helper()
	compiled, err := calendar.Compile(
		calendar.ScheduleDef{Name: "cn-office-hours", Timezone: "Asia/Shanghai", Periods: calendar.PeriodRefs{"office"}},
		map[string]calendar.PeriodDef{"office": {BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{"mon-fri"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	schedule := &policy.Schedule{
		Name: "cn-office-hours", Calendar: compiled, Enabled: true, StopNewInstances: true, NewResourceGrace: policy.DefaultNewResourceGrace,
	}
	if change != nil {
		change(schedule)
	}
	return &policy.Book{TagKey: "Schedule", Schedules: map[string]*policy.Schedule{schedule.Name: schedule}}
}

func newWorld(t *testing.T, book *policy.Book, resources ...awssim.Resource) *world {
	t.Helper()
	return newWorldOf(t, book, awssim.Fleet{Resources: resources})
}

func newWorldOf(t *testing.T, book *policy.Book, contents awssim.Fleet) *world {
	t.Helper()
	return newWorldOver(t, awssim.Options{Seed: 3}, book, contents)
}

// newWorldOver is newWorldOf over an AWS of one's own choice.
func newWorldOver(t *testing.T, options awssim.Options, book *policy.Book, contents awssim.Fleet) *world {
	t.Helper()
	w := &world{t: t, sim: awssim.New(options), store: memory.New(), book: book, scopes: scopes}
	contents.Accounts = []awssim.Account{{ID: china, Partition: "aws-cn", Roles: []awssim.Role{{Name: "dayshift", ExternalID: "x-42"}}}}
	if err := w.sim.Load(contents); err != nil {
		t.Fatal(err)
	}
	w.cloud = w.connect(w.sim.Transport())
	var err error
	if w.lease, err = w.store.Acquire(t.Context(), "scheduler", "test", time.Now(), 1000*time.Hour); err != nil {
		t.Fatal(err)
	}
	return w
}

// connect makes a cloud as a process does, over its own way to the simulator.
func (w *world) connect(transport http.RoundTripper) *aws.Cloud {
	w.t.Helper()
	c, err := aws.New(aws.Config{
		Accounts: []aws.Account{
			{ID: shop, Regions: []fleet.Region{"cn-north-1", "cn-northwest-1"}},
			{ID: china, RoleARN: "arn:aws-cn:iam::" + china + ":role/dayshift", ExternalID: "x-42", Regions: []fleet.Region{"cn-north-1", "cn-northwest-1"}},
		},
		Transport: transport, Credentials: credentials.NewStaticCredentialsProvider(shop, "any", ""), Now: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

var scopes = []fleet.Scope{
	{Account: shop, Region: "cn-north-1"},
	{Account: shop, Region: "cn-northwest-1"},
	{Account: china, Region: "cn-north-1"},
	{Account: china, Region: "cn-northwest-1"},
}

func (w *world) pass() *pass.Pass {
	return &pass.Pass{
		Cloud: w.cloud, Store: w.store, Clock: shiftedClock{w}, Book: w.book, Limits: w.limit, Trigger: "test", Known: w.known,
		Scopes: w.scopes, All: true, Config: w.config, Windows: w.windows, Snapshots: w.cloud, Health: w.cloud, Tags: w.tagging, Alarms: w.cloud,
		Lean: !w.everything, Rests: &w.rests, Finder: w.cloud,
		Lease: func() store.Lease { return w.lease }, MayAct: func() error { return nil }, Log: slog.New(slog.DiscardHandler),
		Receivers: []notify.Receiver{kindtest.New(w.t)},
	}
}

// run makes one pass.
func (w *world) run() pass.Report {
	w.t.Helper()
	report, err := pass.Run(w.t.Context(), w.pass())
	if err != nil {
		w.t.Fatal(err)
	}
	w.known = report.Known
	return report
}

// settle makes passes until nothing is under way.
func (w *world) settle() pass.Report {
	w.t.Helper()
	first := w.run()
	for report, n := first, 0; len(report.UnderWay()) > 0; n++ {
		if n == 200 {
			w.t.Fatalf("still under way after %d passes: %v", n, report.UnderWay())
		}
		time.Sleep(15 * time.Second)
		report = w.run()
	}
	return first
}

// states is every resource's state by name, as the simulator knows it.
func (w *world) states() map[string]string {
	states := map[string]string{}
	for _, scope := range scopes {
		for _, instance := range w.sim.Instances(string(scope.Account), string(scope.Region)) {
			states[instance.Tags["Name"]] = instance.State
		}
		for _, database := range w.sim.Databases(string(scope.Account), string(scope.Region)) {
			states[database.ID] = database.State
		}
		for _, group := range w.sim.Groups(string(scope.Account), string(scope.Region)) {
			states[group.Name] = fmt.Sprintf("%d-%d-%d", group.Min, group.Desired, group.Max)
		}
	}
	return states
}

func (w *world) expect(when string, want map[string]string) {
	w.t.Helper()
	states := w.states()
	for name, state := range want {
		if states[name] != state {
			w.t.Errorf("%s: %s is %s, want %s", when, name, states[name], state)
		}
	}
}

func (w *world) id(name string) string {
	w.t.Helper()
	for _, scope := range scopes {
		for _, instance := range w.sim.Instances(string(scope.Account), string(scope.Region)) {
			if instance.Tags["Name"] == name {
				return instance.ID
			}
		}
	}
	w.t.Fatalf("no instance %s", name)
	return ""
}

func (w *world) mutations() int64 { return w.sim.Stats().Mutating }

func at(region, account, kind, name, state string, tags map[string]string) awssim.Resource {
	if tags == nil {
		tags = map[string]string{"Schedule": "cn-office-hours"}
	}
	return awssim.Resource{Account: account, Region: region, Kind: kind, Name: name, State: state, Tags: tags}
}

func officeFleet() []awssim.Resource {
	return []awssim.Resource{
		at("cn-north-1", shop, "ec2", "bj-web", "stopped", nil),
		at("cn-northwest-1", shop, "ec2", "nx-web", "stopped", nil),
		at("cn-north-1", china, "ec2", "bj-app", "stopped", nil),
		at("cn-northwest-1", china, "rds", "nx-db", "stopped", nil),
		at("cn-north-1", shop, "rds", "bj-db", "stopped", nil),
		at("cn-north-1", shop, "ec2", "untagged", "stopped", map[string]string{"Team": "x"}),
		at("cn-north-1", shop, "ec2", "other", "stopped", map[string]string{"Schedule": "unknown-one"}),
		at("cn-north-1", shop, "ec2", "protected", "stopped", map[string]string{"Schedule": "cn-office-hours", "dayshift:protect": "true"}),
	}
}

func TestOfficeHoursInChina(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00") // a Friday
		w := newWorld(t, office(t, nil), officeFleet()...)
		w.settle()
		if w.mutations() != 0 {
			t.Fatalf("a minute before nine something was done: %+v", w.sim.Stats().ByAction)
		}

		begin(t, "2027-03-05T09:00:00+08:00")
		report := w.settle()
		up := map[string]string{"bj-web": "running", "nx-web": "running", "bj-app": "running", "nx-db": "available", "bj-db": "available"}
		untouched := map[string]string{"untagged": "stopped", "other": "stopped", "protected": "stopped"}
		w.expect("at nine", up)
		w.expect("at nine", untouched)
		if report.Run.Counts.Started != 5 || report.Run.Counts.Stopped != 0 || len(report.Gaps) != 0 {
			t.Errorf("counts at nine: %+v, gaps %v", report.Run.Counts, report.Gaps)
		}

		before := w.mutations()
		w.run()
		if w.mutations() != before {
			t.Error("a second pass at once did something")
		}

		if err := w.sim.StopInstance(w.id("bj-web")); err != nil { // a person, over lunch
			t.Fatal(err)
		}
		begin(t, "2027-03-05T14:00:00+08:00")
		w.settle()
		w.expect("after a person's stop", map[string]string{"bj-web": "stopped", "nx-web": "running"})

		begin(t, "2027-03-05T18:00:00+08:00")
		w.settle()
		w.expect("at six", map[string]string{"bj-web": "stopped", "nx-web": "stopped", "bj-app": "stopped", "nx-db": "stopped", "bj-db": "stopped"})
		w.expect("at six", untouched)

		begin(t, "2027-03-08T09:00:00+08:00")
		w.settle()
		w.expect("the next begin", up)
		verification, err := w.store.Verify(t.Context())
		if err != nil || verification.BadAt != 0 || verification.Rows == 0 {
			t.Errorf("activity: %+v, %v", verification, err)
		}
	})
}

func TestEnforcedUndoesAPersonsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.Enforced = true }), officeFleet()...)
		w.settle()
		if err := w.sim.StopInstance(w.id("bj-web")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		w.settle()
		w.expect("enforced", map[string]string{"bj-web": "running"})
	})
}

func TestANewResourceIsStoppedOnlyAfterItWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T22:00:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "forgotten", "running", nil))
		report := w.run()
		if len(toldIn(report)) != 1 || toldIn(report)[0].Kind != "new-resource" {
			t.Errorf("it was not said: %+v", toldIn(report))
		}
		due, ok := report.Due[scopes[0]]
		if want := time.Now().Add(10 * time.Minute); !ok || due.Sub(want).Abs() > time.Second {
			t.Errorf("the grace ends at %s, want %s", due, want)
		}
		time.Sleep(9 * time.Minute)
		if report = w.run(); len(toldIn(report)) != 0 {
			t.Errorf("it was said twice: %+v", toldIn(report))
		}
		w.expect("within the grace", map[string]string{"forgotten": "running"})
		time.Sleep(2 * time.Minute)
		w.settle()
		w.expect("after the grace", map[string]string{"forgotten": "stopped"})
	})
}

func TestALimitHoldsStopsBackUntilSomebodyConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:59:00+08:00")
		w := newWorld(t, office(t, nil), awssim.Resource{
			Account: shop, Region: "cn-north-1", Kind: "ec2", Name: "web-#", Count: 30, State: "running", Tags: map[string]string{"Schedule": "cn-office-hours"},
		})
		w.limit = plan.Limits{MaxStops: 20}
		w.settle()
		begin(t, "2027-03-05T18:00:00+08:00")
		report := w.run()
		if len(report.Plan.Held) != 30 || w.mutations() != 0 || len(toldIn(report)) != 1 || toldIn(report)[0].Kind != "held" {
			t.Fatalf("held %d, mutations %d, messages %+v", len(report.Plan.Held), w.mutations(), toldIn(report))
		}
		time.Sleep(5 * time.Minute)
		if report = w.run(); len(report.Plan.Held) != 30 || len(toldIn(report)) != 0 {
			t.Fatalf("at the next pass: held %d, messages %+v; want it held and not said again", len(report.Plan.Held), toldIn(report))
		}
		confirmed := w.pass()
		confirmed.Confirmed = true
		if report, err := pass.Run(t.Context(), confirmed); err != nil || report.Run.Counts.Stopped != 30 {
			t.Fatalf("confirmed: %+v, %v", report.Run.Counts, err)
		}
	})
}

func TestFault35ARefusedRoleHoldsNothingBackAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		w := newWorld(t, office(t, nil), officeFleet()...)
		faults, err := awssim.ParseFaults([]byte("- {kind: error, code: AccessDenied, service: sts, action: AssumeRole}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.sim.SetFaults(faults); err != nil {
			t.Fatal(err)
		}
		report := w.settle()
		w.expect("with a refused role", map[string]string{"bj-web": "running", "nx-web": "running", "bj-db": "available", "bj-app": "stopped"})
		if len(report.Gaps) != 2 {
			t.Errorf("a refused role is one gap for each region, got %v", report.Gaps)
		}
		for _, gap := range report.Gaps {
			if !strings.Contains(gap.String(), "role") || gap.Scope.Account != china {
				t.Errorf("gap: %s", gap)
			}
		}
		if err := w.sim.SetFaults(nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		closed := w.settle()
		w.expect("once the role is back", map[string]string{"bj-app": "running", "nx-db": "available"})
		if !slices.ContainsFunc(toldIn(closed), func(m notify.Message) bool { return m.Kind == "gap-closed" }) {
			t.Errorf("the end of the gap was not told: %+v", toldIn(closed))
		}
	})
}

func TestADryRunDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T12:00:00+08:00")
		w := newWorld(t, office(t, nil), officeFleet()...)
		p := w.pass()
		p.DryRun, p.Chains = true, true
		report, err := pass.Run(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Plan.Actions) != 5 || w.mutations() != 0 {
			t.Errorf("planned %d, done %d", len(report.Plan.Actions), w.mutations())
		}
		if rows, err := w.store.Activity(t.Context(), store.ActivityQuery{}); err != nil || len(rows) != 0 {
			t.Errorf("a dry run wrote %v, %v", rows, err)
		}
		for i := range report.Decisions {
			if len(report.Decisions[i].Chain) == 0 {
				t.Errorf("%s has no chain", report.Decisions[i].Resource.Ref)
			}
		}

		p.At = time.Now().Add(12 * time.Hour)
		if report, err = pass.Run(t.Context(), p); err != nil || len(report.Plan.Actions) != 0 {
			t.Errorf("at midnight: %d actions, %v", len(report.Plan.Actions), err)
		}
	})
}

// mortal makes a process die at its n-th contact with the world: nothing that
// it does afterwards has an effect. With after set, the n-th contact still has
// its effect and only its answer is lost.
type mortal struct {
	mu       sync.Mutex
	dieAt    int
	after    bool
	dead     bool
	at       string // what it died of, for the test's messages
	passes   int
	contacts []contact
}

// contact is one with store or cloud: reads changes nothing.
type contact struct {
	what  string
	reads bool
	pass  int
}

var errDead = errors.New("the process was killed")

func (m *mortal) live(what string, do func() error) error {
	return m.meet(contact{what: what}, do)
}

func (m *mortal) read(what string, do func() error) error {
	return m.meet(contact{what: what, reads: true}, do)
}

func (m *mortal) meet(c contact, do func() error) error {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return errDead
	}
	c.pass = m.passes
	m.contacts = append(m.contacts, c)
	dying := len(m.contacts) == m.dieAt
	if dying {
		m.dead, m.at = true, c.what
	}
	m.mu.Unlock()
	if dying && !m.after {
		return errDead
	}
	err := do()
	if dying {
		return errDead
	}
	return err
}

// mortal lets a process live until an instant, unless it dies before: it makes a
// pass every so often, over its own ways to store and cloud.
func (w *world) mortal(process *mortal, until time.Time, every time.Duration, own func(p *pass.Pass)) {
	w.t.Helper()
	for !process.dead && w.now().Before(until) {
		process.passes++
		p := w.pass()
		p.Store, p.Cloud = mortalStore{process, w.store}, mortalCloud{process, w.cloud}
		if own != nil {
			own(p)
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute) // a dead process retries nothing for long
		report, _ := pass.Run(ctx, p)
		cancel()
		w.known = report.Known
		time.Sleep(every)
	}
}

type mortalStore struct {
	*mortal
	store.Store
}

func (m mortalStore) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	return m.live("SaveChanges", func() error { return m.Store.SaveChanges(ctx, lease, changes) })
}

func (m mortalStore) SaveRun(ctx context.Context, lease store.Lease, run store.Run) error {
	return m.live("SaveRun", func() error { return m.Store.SaveRun(ctx, lease, run) })
}

func (m mortalStore) Append(ctx context.Context, lease store.Lease, rows []store.Activity) error {
	return m.live("Append", func() error { return m.Store.Append(ctx, lease, rows) })
}

func (m mortalStore) DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error {
	return m.live("DeleteObject", func() error { return m.Store.DeleteObject(ctx, kind, name, version, rows...) })
}

type mortalCloud struct {
	*mortal
	pass.Cloud
}

func (m mortalCloud) List(ctx context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) (resources []fleet.Resource, err error) {
	err = m.read("List", func() error { resources, err = m.Cloud.List(ctx, scope, kind, query); return err })
	return resources, err
}

func (m mortalCloud) Do(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, targets []cloud.Target) error {
	return m.live("Do", func() error { return m.Cloud.Do(ctx, scope, kind, verb, targets) })
}

// TestKilledAnywhere kills the process at every contact with store and cloud,
// before and after it takes effect, at the morning's start and at the evening's
// stop, and looks at what a new process makes of it.
func TestKilledAnywhere(t *testing.T) {
	for _, moment := range []struct {
		name, at, wanted, database, action string
	}{
		{"starting", "2027-03-05T09:00:00+08:00", "running", "available", "Start"},
		{"stopping", "2027-03-05T18:00:00+08:00", "stopped", "stopped", "Stop"},
	} {
		t.Run(moment.name, func(t *testing.T) {
			killEverywhere(t, func(t *testing.T, process *mortal) {
				killed(t, moment.at, moment.wanted, moment.database, moment.action, process)
			})
		})
	}
}

func killed(t *testing.T, when, wanted, database, action string, process *mortal) {
	instant, err := time.Parse(time.RFC3339, when)
	if err != nil {
		t.Fatal(err)
	}
	begin(t, instant.Add(-time.Minute).Format(time.RFC3339))
	first := map[string]string{"running": "stopped", "stopped": "running"}[wanted]
	firstDB := map[string]string{"running": "stopped", "stopped": "available"}[wanted]
	w := newWorld(t, office(t, nil),
		at("cn-north-1", shop, "ec2", "bj-web-1", first, nil), at("cn-north-1", shop, "ec2", "bj-web-2", first, nil),
		at("cn-north-1", shop, "rds", "bj-db", firstDB, nil),
	)
	w.scopes = beijing
	w.run() // remembers the fleet as it is before the boundary
	time.Sleep(time.Until(instant))

	w.mortal(process, w.now().Add(time.Second), time.Second, nil)
	w.restart()
	for range 12 {
		w.run()
		time.Sleep(20 * time.Second)
	}
	w.settle()
	w.expect("after the crash ("+process.at+")", map[string]string{"bj-web-1": wanted, "bj-web-2": wanted, "bj-db": database})

	times := map[string]int{}
	for _, call := range w.sim.Calls() {
		if strings.HasPrefix(call.Action, action) && call.Code == "" {
			for _, id := range call.Resources {
				times[id]++
			}
		}
	}
	if len(times) != 3 {
		t.Errorf("acted on %v, want three resources", times)
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s of %s was called %d times (died at %s)", action, id, n, process.at)
		}
	}
	if verification, err := w.store.Verify(t.Context()); err != nil || verification.BadAt != 0 {
		t.Errorf("activity: %+v, %v", verification, err)
	}
	accounted(t, w, 3)
}

// accounted checks that the record tells the end of every action.
func accounted(t *testing.T, w *world, want int) {
	t.Helper()
	rows, err := w.store.Activity(t.Context(), store.ActivityQuery{})
	if err != nil {
		t.Fatal(err)
	}
	ended := map[fleet.Ref]bool{}
	for _, row := range rows {
		if row.Event == store.EventStarted || row.Event == store.EventStopped || row.Event == store.EventRecovered {
			ended[row.Ref] = true
		}
	}
	if len(ended) != want {
		t.Errorf("the record tells the end of %d actions, want %d: %+v", len(ended), want, rows)
	}
}
