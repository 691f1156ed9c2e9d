package decide

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// Instants of the first week of August 2026, UTC; the 3rd is a Monday.
func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-08-"+text)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	morning = at("03 10:00:00") // inside office hours
	evening = at("03 20:00:00") // outside
	night   = at("04 03:00:00") // *any* for "evening-stop"
)

var periods = map[string]calendar.PeriodDef{
	"office":       {BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{"mon-fri"}},
	"lunch":        {BeginTime: "12:00", EndTime: "13:00", Weekdays: calendar.DayField{"mon-fri"}},
	"evening-stop": {EndTime: "19:00"}, // any until 19:00, then stopped until the day ends
	"from-seven":   {BeginTime: "07:00", Weekdays: calendar.DayField{"mon-fri"}},
}

func compile(t testing.TB, refs ...string) *calendar.Schedule {
	t.Helper()
	schedule, err := calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: refs}, periods, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return schedule
}

// office is a schedule with every default, changed as said.
func office(t testing.TB, change func(*policy.Schedule), refs ...string) *policy.Schedule {
	t.Helper()
	if len(refs) == 0 {
		refs = []string{"office"}
	}
	s := &policy.Schedule{
		Name: "office", Calendar: compile(t, refs...), Enabled: true, StopNewInstances: true,
		NewResourceGrace: policy.DefaultNewResourceGrace, Mode: policy.Both,
	}
	if change != nil {
		change(s)
	}
	return s
}

func bookOf(s *policy.Schedule) *policy.Book {
	return &policy.Book{TagKey: "Schedule", Schedules: map[string]*policy.Schedule{"office": s}}
}

func machine(state fleet.State) fleet.Resource {
	return fleet.Resource{
		Ref:  fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}, Kind: fleet.EC2Instance, ID: "i-0123456789abcdef0"},
		Name: "web", State: state, Native: string(state), Type: "m5.large", Zone: "ap-northeast-2a",
		Tags: map[string]string{"Schedule": "office"},
	}
}

func database(state fleet.State) fleet.Resource {
	r := machine(state)
	r.Kind, r.ID, r.Type = fleet.RDSInstance, "orders", "db.m5.large"
	return r
}

// remembered is a memory of a resource seen and decided on an hour before now.
func remembered(r fleet.Resource, last Remembered, now time.Time) Memory {
	before := now.Add(-time.Hour)
	return Memory{
		Ref: r.Ref, Name: r.Name, Schedule: "office", Last: last, FirstSeen: at("01 00:00:00"),
		DecidedAt: before, Seen: r.State, SeenType: r.Type, SeenAt: before, SeenSince: before,
	}
}

type row struct {
	name   string
	now    time.Time
	change func(*policy.Schedule)
	refs   []string
	state  fleet.State
	// memory is Last; with changes more of it.
	memory   Remembered
	with     func(*Memory)
	resource func(*fleet.Resource)

	verb   fleet.Verb
	reason Reason
	next   Remembered
	check  func(*testing.T, Decision)
}

func (r row) input(t testing.TB) Input {
	t.Helper()
	resource := machine(r.state)
	if r.resource != nil {
		r.resource(&resource)
	}
	memory := remembered(resource, r.memory, r.now)
	if r.memory == "" {
		memory = Memory{}
	}
	if r.with != nil {
		r.with(&memory)
	}
	resource.SeenAt = r.now
	return Input{
		Now: r.now, Policy: bookOf(office(t, r.change, r.refs...)).Governs(resource),
		Memory: memory, Resource: resource,
	}
}

func runRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			in := r.input(t)
			d := Decide(in)
			if d.Verb != r.verb || d.Reason != r.reason || d.Memory.Last != r.next {
				steps := Explain(in).Chain
				t.Fatalf("got %q because %s, memory %s; want %q, %s, %s\n%v", d.Verb, d.Reason, d.Memory.Last, r.verb, r.reason, r.next, steps)
			}
			checkLaws(t, in, d)
			if r.check != nil {
				r.check(t, d)
			}
		})
	}
}

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkLaws holds for every decision.
func checkLaws(t fataler, in Input, d Decision) {
	t.Helper()
	if !slices.Contains(Reasons, d.Reason) || d.Reason.Sentence() == "" {
		t.Fatalf("reason %q is not in the list, or has no sentence", d.Reason)
	}
	if !d.Recheck.IsZero() && !d.Recheck.After(in.Now) {
		t.Fatalf("%s: Recheck %s is not after %s", d.Reason, d.Recheck, in.Now)
	}
	if (d.Verb != "") != (d.Before != nil) {
		t.Fatalf("%s: verb %q, Before %v", d.Reason, d.Verb, d.Before)
	}
	if in.Policy.Protected() && d.Verb != "" {
		t.Fatalf("a protected resource is to be touched: %s", d.Reason)
	}
	if d.Verb != "" && !d.Until.IsZero() && !d.Until.After(in.Now) {
		t.Fatalf("%s: Until %s is not after %s", d.Reason, d.Until, in.Now)
	}
	explained := Explain(in)
	steps := explained.Chain
	if explained.Verb != d.Verb || explained.Reason != d.Reason || explained.Memory != d.Memory || !explained.Recheck.Equal(d.Recheck) {
		t.Fatalf("explained as %s, decided %s", explained.Reason, d.Reason)
	}
	if len(steps) < 2 || steps[len(steps)-1].Fact.String() != d.Sentence() {
		t.Fatalf("the chain does not end in the decision: %v", steps)
	}
	for _, step := range steps {
		if step.Rule == "" || step.Fact.Empty() {
			t.Fatalf("an empty step in %v", steps)
		}
	}
}

func enforced(s *policy.Schedule)  { s.Enforced = true }
func retaining(s *policy.Schedule) { s.RetainRunning = true }
func keepNew(s *policy.Schedule)   { s.StopNewInstances = false }
func startOnly(s *policy.Schedule) { s.Mode = policy.StartOnly }
func stopOnly(s *policy.Schedule)  { s.Mode = policy.StopOnly }
func manualTwoHours(s *policy.Schedule) {
	s.MaxManualUptime = 2 * time.Hour
}

// One row or more for each row of the table in SEMANTICS 5.
func TestTable(t *testing.T) {
	const run, down = fleet.Running, fleet.Stopped
	announced := func(m *Memory) { m.Announced = evening.Add(-time.Hour) }
	runRows(t, []row{
		{
			name: "P: protected by its tag", now: evening, change: enforced, state: run, memory: WasRunning,
			resource: func(r *fleet.Resource) { r.Tags[fleet.TagProtect] = "True" },
			reason:   ProtectedByTag, next: WasRunning,
		},
		{
			name: "P: protected, wanted running", now: morning, change: enforced, state: down, memory: StartFailed,
			resource: func(r *fleet.Resource) { r.Tags[fleet.TagProtect] = "true" },
			reason:   ProtectedByTag, next: StartFailed,
		},

		{name: "1: new, and new ones are not stopped", now: evening, change: keepNew, state: run, reason: NewResourceKept, next: WasStopped},
		{name: "1: comes before enforced", now: evening, change: func(s *policy.Schedule) { keepNew(s); enforced(s) }, state: run, memory: Unknown, reason: NewResourceKept, next: WasStopped},
		{name: "1: new and stopped", now: evening, change: keepNew, state: down, reason: AlreadyStopped, next: WasStopped},
		{name: "2: enforced undoes a manual start", now: evening, change: enforced, state: run, memory: WasStopped, verb: fleet.Stop, reason: EnforcedStop, next: WasStopped},
		{name: "2: enforced counts before retain_running", now: evening, change: func(s *policy.Schedule) { enforced(s); retaining(s) }, state: run, memory: RetainRunning, verb: fleet.Stop, reason: EnforcedStop, next: WasStopped},
		{name: "2: enforced, stopped already", now: evening, change: enforced, state: down, memory: WasRunning, reason: AlreadyStopped, next: WasStopped},
		{name: "3: retained at the end", now: evening, change: retaining, state: run, memory: RetainRunning, reason: RetainedAtEnd, next: WasStopped},
		{name: "3: the mark through any", now: evening, change: retaining, state: run, memory: WasAny, with: func(m *Memory) { m.Retain = true }, reason: RetainedAtEnd, next: WasStopped},
		{name: "3: the flag was switched off since", now: evening, state: run, memory: RetainRunning, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "4: the period ended", now: evening, state: run, memory: WasRunning, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "4: any ended", now: evening, state: run, memory: WasAny, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "4: nothing to do", now: evening, state: down, memory: WasRunning, reason: AlreadyStopped, next: WasStopped},
		{name: "4: a failed stop is tried again", now: evening, state: run, memory: StopFailed, verb: fleet.Stop, reason: RetryStop, next: WasStopped},
		{name: "4: the start had failed, yet it runs", now: evening, state: run, memory: StartFailed, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "4: new and announced long ago", now: evening, state: run, memory: Unknown, with: announced, verb: fleet.Stop, reason: NewResourceStop, next: WasStopped},
		{name: "4: new and stopped", now: evening, state: down, reason: AlreadyStopped, next: WasStopped},
		{name: "4b: run by hand for too long", now: evening, change: manualTwoHours, state: run, memory: WasStopped, with: func(m *Memory) { m.ManualSince = evening.Add(-2 * time.Hour) }, verb: fleet.Stop, reason: ManualUptimeOver, next: WasStopped},
		{
			name: "4b: not yet", now: evening, change: manualTwoHours, state: run, memory: WasStopped, with: func(m *Memory) { m.ManualSince = evening.Add(-2*time.Hour + time.Second) }, reason: ManualStart, next: WasStopped,
			check: func(t *testing.T, d Decision) {
				if !d.Recheck.Equal(evening.Add(time.Second)) {
					t.Errorf("Recheck %s", d.Recheck)
				}
			},
		},
		{name: "5: a manual start is respected", now: evening, state: run, memory: WasStopped, reason: ManualStart, next: WasStopped},
		{name: "5: stopped as wanted", now: evening, state: down, memory: WasStopped, reason: AlreadyStopped, next: WasStopped},

		{name: "6: enforced undoes a manual stop", now: morning, change: enforced, state: down, memory: WasRunning, verb: fleet.Start, reason: EnforcedStart, next: WasRunning},
		{name: "6: enforced counts before retain_running", now: morning, change: func(s *policy.Schedule) { enforced(s); retaining(s) }, state: run, memory: WasStopped, reason: AlreadyRunning, next: WasRunning},
		{name: "7: started by a person before the period", now: morning, change: retaining, state: run, memory: WasStopped, reason: Retained, next: RetainRunning},
		{name: "7: not without the flag", now: morning, state: run, memory: WasStopped, reason: AlreadyRunning, next: WasRunning},
		{name: "7: what failed to stop was not started by a person", now: morning, change: retaining, state: run, memory: StopFailed, reason: AlreadyRunning, next: WasRunning},
		{name: "8: stays retained", now: morning, change: retaining, state: run, memory: RetainRunning, reason: Retained, next: RetainRunning},
		{name: "8: stays retained, stopped by the person", now: morning, change: retaining, state: down, memory: RetainRunning, reason: Retained, next: RetainRunning},
		{name: "9: a failed start is tried again", now: morning, state: down, memory: StartFailed, verb: fleet.Start, reason: RetryStart, next: WasRunning},
		{name: "9: it runs after all", now: morning, state: run, memory: StartFailed, reason: AlreadyRunning, next: WasRunning},
		{name: "10: the period began", now: morning, state: down, memory: WasStopped, verb: fleet.Start, reason: PeriodBegan, next: WasRunning},
		{name: "10: new, stopped, inside its period", now: morning, state: down, verb: fleet.Start, reason: PeriodBegan, next: WasRunning},
		{name: "10: new, running, inside its period", now: morning, state: run, reason: AlreadyRunning, next: WasRunning},
		{name: "10: after any", now: morning, state: down, memory: WasAny, verb: fleet.Start, reason: PeriodBegan, next: WasRunning},
		{name: "11: a manual stop is respected", now: morning.Add(time.Hour), state: down, memory: WasRunning, reason: ManualStop, next: WasRunning},
		{name: "11: runs as wanted", now: morning.Add(time.Hour), state: run, memory: WasRunning, reason: AlreadyRunning, next: WasRunning},

		{name: "any: running", now: night, refs: []string{"evening-stop"}, state: run, memory: WasAny, reason: LeftAlone, next: WasAny},
		{name: "any: memory forgets", now: night, refs: []string{"evening-stop"}, state: run, memory: StopFailed, reason: LeftAlone, next: WasAny},
		{
			name: "any: the retain-running mark is kept", now: night, refs: []string{"evening-stop"}, state: run, memory: RetainRunning, reason: LeftAlone, next: WasAny,
			check: func(t *testing.T, d Decision) {
				if !d.Memory.Retain {
					t.Error("the mark is gone")
				}
			},
		},
	})
}

func TestModes(t *testing.T) {
	runRows(t, []row{
		{name: "start-only does not stop", now: evening, change: startOnly, state: fleet.Running, memory: WasRunning, reason: ModeStartOnly, next: WasStopped},
		{name: "start-only, enforced", now: evening, change: func(s *policy.Schedule) { startOnly(s); enforced(s) }, state: fleet.Running, memory: WasRunning, reason: ModeStartOnly, next: WasStopped},
		{name: "start-only starts", now: morning, change: startOnly, state: fleet.Stopped, memory: WasStopped, verb: fleet.Start, reason: PeriodBegan, next: WasRunning},
		{name: "stop-only does not start", now: morning, change: stopOnly, state: fleet.Stopped, memory: WasStopped, reason: ModeStopOnly, next: WasRunning},
		{name: "stop-only stops what people started", now: evening, change: stopOnly, state: fleet.Running, memory: WasRunning, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "stop-only retains nothing at the begin", now: morning, change: func(s *policy.Schedule) { stopOnly(s); retaining(s) }, state: fleet.Running, memory: WasStopped, reason: AlreadyRunning, next: WasRunning},
		{name: "stop-only retains nothing at the end", now: evening, change: func(s *policy.Schedule) { stopOnly(s); retaining(s) }, state: fleet.Running, memory: RetainRunning, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "stop-only respects a start after the boundary", now: evening, change: stopOnly, state: fleet.Running, memory: WasStopped, reason: ManualStart, next: WasStopped},
		{
			name: "hibernate", now: evening, change: func(s *policy.Schedule) { s.Hibernate = true }, state: fleet.Running, memory: WasRunning,
			resource: func(r *fleet.Resource) { r.CanHibernate = true }, verb: fleet.Hibernate, reason: PeriodEnded, next: WasStopped,
		},
		{name: "hibernate where it is not possible", now: evening, change: func(s *policy.Schedule) { s.Hibernate = true }, state: fleet.Running, memory: WasRunning, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
	})
}

func TestStatesAreLeftAlone(t *testing.T) {
	for state, reason := range map[fleet.State]Reason{fleet.Starting: Changing, fleet.Stopping: Changing, fleet.Other: Busy} {
		for _, now := range []time.Time{morning, evening} {
			runRows(t, []row{{
				name: string(state), now: now, change: enforced, state: state, memory: WasAny, reason: reason, next: WasAny,
				check: func(t *testing.T, d Decision) {
					if wait := d.Recheck.Sub(now); wait < firstLook || wait > busyLook {
						t.Errorf("looked at again after %s", wait)
					}
					if !d.Memory.DecidedAt.Equal(now.Add(-time.Hour)) {
						t.Error("memory says that something was decided")
					}
				},
			}})
		}
	}
}

func TestBars(t *testing.T) {
	both := map[fleet.Bar]bool{fleet.GroupMember: true, fleet.ReadReplica: true, fleet.ReplicaSource: true, fleet.ClusterMember: true, fleet.SQLServerMultiAZ: true, fleet.ServerlessV1: true, fleet.GlobalDatabase: true, fleet.MultiAZCluster: true, fleet.DaemonService: true, fleet.ExternalDeployer: true}
	for _, bar := range []fleet.Bar{
		fleet.GroupMember, fleet.InstanceStoreRoot, fleet.SpotOneTime, fleet.StopProtected,
		fleet.ReadReplica, fleet.ReplicaSource, fleet.ClusterMember, fleet.SQLServerMultiAZ,
		fleet.ServerlessV1, fleet.GlobalDatabase, fleet.MultiAZCluster, fleet.DaemonService, fleet.ExternalDeployer,
		fleet.HSMCluster, fleet.NoAutoSnapshots,
	} {
		barred := func(r *fleet.Resource) { r.Bar = bar }
		start := row{name: string(bar) + ": start", now: morning, state: fleet.Stopped, memory: WasStopped, resource: barred, verb: fleet.Start, reason: PeriodBegan, next: WasRunning}
		if both[bar] {
			start.verb, start.reason, start.next = "", Reason(bar), WasStopped
		}
		runRows(t, []row{
			{name: string(bar) + ": stop", now: evening, change: enforced, state: fleet.Running, memory: WasRunning, resource: barred, reason: Reason(bar), next: WasRunning},
			{
				name: string(bar) + ": new", now: evening, state: fleet.Running, resource: barred, reason: Reason(bar), next: Unknown,
				check: func(t *testing.T, d Decision) {
					if d.Announce != nil {
						t.Error("a stop was announced that can not be")
					}
				},
			},
			{name: string(bar) + ": resize", now: morning, refs: []string{"office@t3.small"}, state: fleet.Running, memory: WasRunning, resource: barred, reason: Reason(bar), next: WasRunning},
			start,
		})
	}
}

func TestUngoverned(t *testing.T) {
	untagged := func(value string) func(*fleet.Resource) {
		return func(r *fleet.Resource) { r.Tags["Schedule"] = value }
	}
	runRows(t, []row{
		{name: "disabled", now: evening, change: func(s *policy.Schedule) { s.Enabled = false }, state: fleet.Running, memory: WasRunning, reason: ScheduleDisabled, next: WasRunning},
		{name: "with a fault", now: evening, change: func(s *policy.Schedule) { s.Err = errors.New("no period") }, state: fleet.Running, memory: WasRunning, reason: ScheduleInvalid, next: WasRunning},
		{name: "unknown", now: evening, resource: untagged("ofice"), state: fleet.Running, memory: WasRunning, reason: UnknownSchedule, next: Unknown},
		{name: "no tag", now: evening, resource: untagged(""), state: fleet.Running, memory: WasRunning, reason: NoSchedule, next: Unknown},
	})
	steps := Explain(row{now: evening, resource: untagged("ofice"), state: fleet.Running}.input(t)).Chain
	if !strings.Contains(steps[0].Fact.String(), `did you mean "office"?`) {
		t.Errorf("no hint in %v", steps)
	}
}

func TestNewResourceIsAnnouncedFirst(t *testing.T) {
	r := row{now: evening, state: fleet.Running}
	in := r.input(t)
	first := Decide(in)
	if first.Reason != NewResourceAnnounced || first.Announce == nil || !first.Announce.StopAt.Equal(evening.Add(10*time.Minute)) ||
		!first.Recheck.Equal(first.Announce.StopAt) || first.Memory.Last != Unknown || !first.Memory.FirstSeen.Equal(evening) {
		t.Fatalf("%+v", first)
	}
	// As long as the announcement is not recorded it is made again.
	in.Now = evening.Add(time.Hour)
	if again := Decide(in); again.Reason != NewResourceAnnounced {
		t.Errorf("not recorded: %s", again.Reason)
	}
	in.Memory = first.Memory
	for _, step := range []struct {
		after  time.Duration
		reason Reason
	}{{0, NewResourceGrace}, {time.Minute, NewResourceGrace}, {10*time.Minute - time.Second, NewResourceGrace}, {10 * time.Minute, NewResourceStop}} {
		in.Now = evening.Add(step.after)
		d := Decide(in)
		checkLaws(t, in, d)
		if d.Reason != step.reason || d.Announce != nil {
			t.Errorf("after %s: %s, announced again: %v", step.after, d.Reason, d.Announce)
		}
	}
	// The clock was set back by a year: announced anew rather than never stopped.
	in.Now = evening.AddDate(-1, 0, 0)
	if d := Decide(in); d.Reason != NewResourceAnnounced && d.Reason != NewResourceGrace && d.Reason != AlreadyRunning {
		t.Errorf("a year back: %s", d.Reason)
	}
	// No grace: still said before it is done.
	r.change = func(s *policy.Schedule) { s.NewResourceGrace = 0 }
	in = r.input(t)
	d := Decide(in)
	if d.Reason != NewResourceAnnounced || !d.Recheck.Equal(evening.Add(soonest)) {
		t.Errorf("without grace: %s, again at %s", d.Reason, d.Recheck)
	}
	in.Memory, in.Now = d.Memory, d.Recheck
	if d = Decide(in); d.Verb != fleet.Stop {
		t.Errorf("without grace: %s", d.Reason)
	}
}

func TestChangedTagResetsMemory(t *testing.T) {
	runRows(t, []row{
		{name: "outside: as new", now: evening, state: fleet.Running, memory: WasStopped, with: func(m *Memory) { m.Schedule = "other"; m.Announced = at("01 00:00:00") }, reason: NewResourceAnnounced, next: Unknown},
		{
			name: "inside", now: morning, state: fleet.Stopped, memory: WasRunning, with: func(m *Memory) { m.Schedule = "other" }, verb: fleet.Start, reason: PeriodBegan, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if d.Memory.Schedule != "office" || !d.Memory.FirstSeen.Equal(at("01 00:00:00")) {
					t.Errorf("%+v", d.Memory)
				}
			},
		},
	})
}

func TestOutage(t *testing.T) {
	decided := func(when string) func(*Memory) { return func(m *Memory) { m.DecidedAt = at(when) } }
	run, down := fleet.Running, fleet.Stopped
	daily := []string{"evening-stop"}
	runRows(t, []row{
		{name: "down over the end", now: evening, with: decided("03 15:00:00"), state: run, memory: WasRunning, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "down over the begin", now: morning, with: decided("03 05:00:00"), state: down, memory: WasStopped, verb: fleet.Start, reason: PeriodBegan, next: WasRunning},
		{name: "down over a night, still running", now: at("04 10:00:00"), with: decided("03 15:00:00"), state: run, memory: WasRunning, reason: AlreadyRunning, next: WasRunning},
		{name: "down over a night, stopped by hand", now: at("04 10:00:00"), with: decided("03 15:00:00"), state: down, memory: WasRunning, verb: fleet.Start, reason: MissedStart, next: WasRunning},
		{name: "down over a day, started by hand", now: at("04 20:00:00"), with: decided("03 20:00:00"), state: run, memory: WasStopped, verb: fleet.Stop, reason: MissedStop, next: WasStopped},
		{name: "down over a day, perhaps retained", now: at("04 20:00:00"), with: decided("03 20:00:00"), change: retaining, state: run, memory: WasStopped, reason: RetainedAtEnd, next: WasStopped},
		{name: "down over the weekend changes nothing", now: at("09 20:00:00"), with: decided("07 20:00:00"), state: run, memory: WasStopped, reason: ManualStart, next: WasStopped},

		{name: "any: the missed stop is carried out", now: night, refs: daily, with: decided("03 12:00:00"), state: run, memory: WasAny, verb: fleet.Stop, reason: MissedStop, next: WasAny},
		{name: "any: weeks later", now: at("28 03:00:00"), refs: daily, with: decided("03 12:00:00"), state: run, memory: WasAny, verb: fleet.Stop, reason: MissedStop, next: WasAny},
		{name: "any: nothing to do", now: night, refs: daily, with: decided("03 12:00:00"), state: down, memory: WasAny, reason: AlreadyStopped, next: WasAny},
		{name: "any: decided within the stop", now: night, refs: daily, with: decided("03 22:00:00"), state: run, memory: WasStopped, reason: LeftAlone, next: WasAny},
		{name: "any: nothing was wanted in between", now: at("03 12:00:00"), refs: daily, with: decided("03 03:00:00"), state: run, memory: WasAny, reason: LeftAlone, next: WasAny},
		{name: "any: the missed start is carried out", now: at("04 03:00:00"), refs: []string{"from-seven"}, with: decided("03 03:00:00"), state: down, memory: WasAny, verb: fleet.Start, reason: MissedStart, next: WasAny},
		{name: "any: a stop that failed is made up for until it works", now: night, refs: daily, with: func(m *Memory) { m.DecidedAt = at("03 12:00:00"); m.Attempts = 2 }, state: run, memory: StopFailed, verb: fleet.Stop, reason: RetryStop, next: WasAny},
	})
}

func TestOutageIsMadeUpForOnce(t *testing.T) {
	in := row{now: night, refs: []string{"evening-stop"}, state: fleet.Running, memory: WasAny, with: func(m *Memory) { m.DecidedAt = at("03 12:00:00") }}.input(t)
	d := Decide(in)
	failed := d.Failed(night, "throttled")
	if failed.Last != StopFailed || !failed.DecidedAt.Equal(at("03 12:00:00")) {
		t.Fatalf("%+v", failed)
	}
	in.Memory = failed
	if d := Decide(in); d.Reason != BackingOff || !d.Recheck.Equal(failed.NotBefore) {
		t.Fatalf("%s", d.Reason)
	}
	in.Now = failed.NotBefore
	d = Decide(in)
	if d.Reason != RetryStop {
		t.Fatalf("%s", d.Reason)
	}
	accepted := d.Accepted(in.Now, "")
	in.Resource.State, in.Resource.SeenAt = fleet.Stopped, in.Now.Add(time.Minute)
	in.Now = in.Resource.SeenAt
	in.Memory, _ = Settle(accepted, in.Resource, in.Now, 1)
	// A person starts it again: that is not an outage any more.
	in.Resource.State = fleet.Running
	if d := Decide(in); d.Reason != LeftAlone {
		t.Fatalf("%s", d.Reason)
	}
}

func TestProviderRestart(t *testing.T) {
	restart := func(m *Memory) { m.AutoRestartAt = evening.Add(-time.Minute) }
	later := func(m *Memory) { m.AutoRestartAt = evening.Add(time.Minute) }
	db := func(r *fleet.Resource) { *r = database(r.State) }
	runRows(t, []row{
		{name: "after seven days", now: evening, state: fleet.Running, memory: WasStopped, resource: db, with: restart, verb: fleet.Stop, reason: ProviderRestart, next: WasStopped},
		{
			name: "a person was earlier", now: evening, state: fleet.Running, memory: WasStopped, resource: db, with: later, reason: ManualStart, next: WasStopped,
			check: func(t *testing.T, d Decision) {
				if !d.Memory.AutoRestartAt.IsZero() {
					t.Error("the manual run would be taken for AWS's a minute later")
				}
			},
		},
		{name: "not a manual start for retain_running", now: morning, change: retaining, state: fleet.Running, memory: WasStopped, resource: db, with: func(m *Memory) { m.AutoRestartAt = morning }, reason: AlreadyRunning, next: WasRunning},
		{
			name: "remembered while stopped", now: evening, state: fleet.Stopped, memory: WasStopped, resource: func(r *fleet.Resource) { db(r); r.AutoRestartAt = evening.Add(time.Hour) }, reason: AlreadyStopped, next: WasStopped,
			check: func(t *testing.T, d Decision) {
				if !d.Memory.AutoRestartAt.Equal(evening.Add(time.Hour)) {
					t.Error("forgotten")
				}
			},
		},
		{name: "start-only", now: evening, change: startOnly, state: fleet.Running, memory: WasStopped, resource: db, with: restart, reason: ModeStartOnly, next: WasStopped},
		{name: "barred", now: evening, state: fleet.Running, memory: WasStopped, resource: func(r *fleet.Resource) { db(r); r.Bar = fleet.ReplicaSource }, with: restart, reason: Reason(fleet.ReplicaSource), next: WasStopped},
	})
}

func TestResize(t *testing.T) {
	small := []string{"office@t3.small"}
	runRows(t, []row{
		{
			name: "running with another type", now: morning, refs: small, state: fleet.Running, memory: WasRunning, verb: fleet.Stop, reason: ResizeStop, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if !d.Resize || d.Type != "t3.small" || d.Memory.ResizeTo != "t3.small" {
					t.Errorf("%+v", d)
				}
			},
		},
		{name: "a plain stop even where hibernation is on", now: morning, refs: small, change: func(s *policy.Schedule) { s.Hibernate = true }, resource: func(r *fleet.Resource) { r.CanHibernate = true }, state: fleet.Running, memory: WasStopped, verb: fleet.Stop, reason: ResizeStop, next: WasRunning},
		{name: "the type it has", now: morning, refs: []string{"office@m5.large"}, state: fleet.Running, memory: WasRunning, reason: AlreadyRunning, next: WasRunning},
		{
			name: "stopped for it", now: morning, refs: small, state: fleet.Stopped, memory: WasRunning, with: func(m *Memory) { m.ResizeTo = "t3.small" }, verb: fleet.Start, reason: ResizeStart, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if d.Type != "t3.small" || !slices.Equal(d.Types, []string{"t3.small"}) {
					t.Errorf("%+v", d.Types)
				}
			},
		},
		{name: "stopped for it, then any", now: night, refs: []string{"evening-stop"}, state: fleet.Stopped, memory: WasRunning, with: func(m *Memory) { m.ResizeTo = "t3.small" }, verb: fleet.Start, reason: ResizeStart, next: WasAny},
		{
			name: "stopped for it, then stopped is wanted", now: evening, refs: small, state: fleet.Stopped, memory: WasRunning, with: func(m *Memory) { m.ResizeTo = "t3.small" }, reason: AlreadyStopped, next: WasStopped,
			check: func(t *testing.T, d Decision) {
				if d.Memory.ResizeTo != "" {
					t.Error("it would be started again")
				}
			},
		},
		{name: "stopped by a person", now: morning.Add(time.Hour), refs: small, state: fleet.Stopped, memory: WasRunning, reason: ManualStop, next: WasRunning},
		{
			name: "at the begin", now: morning, refs: small, state: fleet.Stopped, memory: WasStopped, verb: fleet.Start, reason: PeriodBegan, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if d.Type != "t3.small" {
					t.Errorf("%+v", d)
				}
			},
		},
		{name: "the type was refused", now: morning, refs: small, state: fleet.Running, memory: WasRunning, with: func(m *Memory) { m.RefusedType = "t3.small" }, reason: TypeRefused, next: WasRunning},
		{name: "another type than the refused one", now: morning, refs: small, state: fleet.Running, memory: WasRunning, with: func(m *Memory) { m.RefusedType = "t3.nano" }, verb: fleet.Stop, reason: ResizeStop, next: WasRunning},
		{name: "not a type at all", now: morning, refs: []string{"office@small"}, state: fleet.Running, memory: WasRunning, reason: TypeRefused, next: WasRunning},
		{name: "in capitals", now: morning, refs: []string{"office@M5.Large"}, state: fleet.Running, memory: WasRunning, reason: AlreadyRunning, next: WasRunning},
		{name: "a database has no such thing", now: morning, refs: small, resource: func(r *fleet.Resource) { *r = database(r.State) }, state: fleet.Running, memory: WasRunning, reason: AlreadyRunning, next: WasRunning},
		{name: "start-only", now: morning, refs: small, change: startOnly, state: fleet.Running, memory: WasRunning, reason: ModeStartOnly, next: WasRunning},
		{name: "stop-only", now: morning, refs: small, change: stopOnly, state: fleet.Running, memory: WasRunning, reason: ModeStopOnly, next: WasRunning},
		{name: "a person's machine", now: morning, refs: small, change: retaining, state: fleet.Running, memory: WasStopped, reason: Retained, next: RetainRunning},
		{
			name: "preferred types", now: morning, state: fleet.Stopped, memory: WasStopped, resource: func(r *fleet.Resource) { r.Tags[fleet.TagInstanceTypes] = "m6i.large,m5.large" }, verb: fleet.Start, reason: PeriodBegan, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if d.Type != "m6i.large" || !slices.Equal(d.Types, []string{"m6i.large", "m5.large"}) {
					t.Errorf("%+v", d.Types)
				}
			},
		},
		{
			name: "the period's type comes first", now: morning, refs: small, state: fleet.Stopped, memory: WasStopped, resource: func(r *fleet.Resource) { r.Tags[fleet.TagInstanceTypes] = "m5.large,t3.small" }, verb: fleet.Start, reason: PeriodBegan, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if !slices.Equal(d.Types, []string{"t3.small", "m5.large"}) {
					t.Errorf("%+v", d.Types)
				}
			},
		},
		{name: "preferred types stop nothing that runs", now: morning, state: fleet.Running, memory: WasRunning, resource: func(r *fleet.Resource) { r.Tags[fleet.TagInstanceTypes] = "m6i.large" }, reason: AlreadyRunning, next: WasRunning},
	})
}

// A type that can not be had does not make a machine go down and up for ever.
func TestRefusedTypeDoesNotFlap(t *testing.T) {
	in := row{now: morning, refs: []string{"office@t3.small"}, state: fleet.Running, memory: WasRunning}.input(t)
	stops := 0
	for range 50 {
		in.Memory, _ = Settle(in.Memory, in.Resource, in.Now, 1)
		d := Decide(in)
		checkLaws(t, in, d)
		in.Memory = d.Memory
		switch d.Verb {
		case fleet.Stop:
			stops++
			in.Memory = d.Accepted(in.Now, "")
			in.Resource.State = fleet.Stopped
		case fleet.Start: // "incompatible": started as it is
			in.Memory = d.Accepted(in.Now, "")
			in.Resource.State = fleet.Running
		}
		in.Now = in.Now.Add(time.Minute)
		in.Resource.SeenAt = in.Now
	}
	if stops != 1 || in.Resource.State != fleet.Running || in.Memory.RefusedType != "t3.small" {
		t.Errorf("%d stops, %s, %+v", stops, in.Resource.State, in.Memory)
	}
	// The next scheduled start tries it again.
	in.Now = evening
	d := Decide(in)
	if d.Reason != PeriodEnded || d.Memory.RefusedType != "" {
		t.Errorf("%s, %+v", d.Reason, d.Memory)
	}
}

func TestFailuresBackOff(t *testing.T) {
	in := row{now: morning, state: fleet.Stopped, memory: WasStopped}.input(t)
	var waits []time.Duration
	for range 9 {
		d := Decide(in)
		if d.Verb != fleet.Start {
			t.Fatalf("%s", d.Reason)
		}
		in.Memory = d.Failed(in.Now, "no capacity")
		if in.Memory.Last != StartFailed || in.Memory.LastError != "no capacity" {
			t.Fatalf("%+v", in.Memory)
		}
		d = Decide(in)
		checkLaws(t, in, d)
		if d.Reason != BackingOff || d.Memory.Last != StartFailed || !strings.Contains(d.Sentence(), "no capacity") {
			t.Fatalf("%s, %+v", d.Reason, d.Memory)
		}
		waits = append(waits, d.Recheck.Sub(in.Now))
		in.Now = d.Recheck
	}
	for i, wait := range waits {
		if wait > backoffCap || wait < min(backoffBase<<i, backoffCap)*4/5 {
			t.Errorf("wait %d is %s", i+1, wait)
		}
	}
	if in.Memory.Attempts != 9 {
		t.Errorf("%d attempts", in.Memory.Attempts)
	}
	// It succeeds: nothing is left of it.
	d := Decide(in)
	in.Memory = d.Accepted(in.Now, "")
	if in.Memory.Attempts != 9 {
		t.Error("a start that was merely accepted is no success yet")
	}
	in.Resource.State, in.Resource.SeenAt, in.Now = fleet.Running, in.Now.Add(time.Minute), in.Now.Add(time.Minute)
	in.Memory, _ = Settle(in.Memory, in.Resource, in.Now, 1)
	if in.Memory.Attempts != 0 || in.Memory.LastError != "" || !in.Memory.NotBefore.IsZero() {
		t.Errorf("%+v", in.Memory)
	}
	// When something else is wanted, a back-off is no reason to wait.
	runRows(t, []row{
		{
			name: "the wanted state is over", now: evening, state: fleet.Running, memory: StartFailed, with: func(m *Memory) { m.Attempts = 5; m.NotBefore = evening.Add(time.Minute) }, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped,
			check: func(t *testing.T, d Decision) {
				if d.Memory.Attempts != 0 || d.Failed(evening, "x").Attempts != 1 {
					t.Errorf("%+v", d.Memory)
				}
			},
		},
		{name: "the clock was set back", now: morning, state: fleet.Stopped, memory: StartFailed, with: func(m *Memory) { m.NotBefore = morning.AddDate(1, 0, 0) }, verb: fleet.Start, reason: RetryStart, next: WasRunning},
		{name: "a resize backs off too", now: morning, refs: []string{"office@t3.small"}, state: fleet.Running, memory: WasRunning, with: func(m *Memory) { m.Attempts = 1; m.NotBefore = morning.Add(time.Minute) }, reason: BackingOff, next: WasRunning},
	})
}

func TestWarnings(t *testing.T) {
	notify := func(s *policy.Schedule) { s.NotifyBeforeStop = 10 * time.Minute }
	in := row{now: at("03 17:00:00"), change: notify, state: fleet.Running, memory: WasRunning}.input(t)
	d := Decide(in)
	if d.Warn != nil || !d.Recheck.Equal(at("03 17:50:00")) {
		t.Fatalf("an hour before: %v, again at %s", d.Warn, d.Recheck)
	}
	in.Now, in.Memory = d.Recheck, d.Memory
	d = Decide(in)
	if d.Warn == nil || !d.Warn.StopAt.Equal(at("03 18:00:00")) || !d.Recheck.Equal(d.Warn.StopAt) {
		t.Fatalf("ten minutes before: %v, again at %s", d.Warn, d.Recheck)
	}
	in.Now, in.Memory = at("03 17:55:00"), d.Memory
	if d = Decide(in); d.Warn != nil {
		t.Error("warned twice")
	}
	for name, change := range map[string]func(*policy.Schedule, *fleet.Resource, *Memory){
		"start-only": func(s *policy.Schedule, _ *fleet.Resource, _ *Memory) { s.Mode = policy.StartOnly },
		"retained":   func(s *policy.Schedule, _ *fleet.Resource, m *Memory) { s.RetainRunning = true; m.Last = RetainRunning },
		"barred":     func(_ *policy.Schedule, r *fleet.Resource, _ *Memory) { r.Bar = fleet.StopProtected },
		"stopped":    func(_ *policy.Schedule, r *fleet.Resource, _ *Memory) { r.State = fleet.Stopped },
		"protected":  func(_ *policy.Schedule, r *fleet.Resource, _ *Memory) { r.Tags[fleet.TagProtect] = "true" },
	} {
		s, r := office(t, notify), machine(fleet.Running)
		m := remembered(r, WasRunning, at("03 17:55:00"))
		change(s, &r, &m)
		if d := Decide(Input{Now: at("03 17:55:00"), Policy: bookOf(s).Governs(r), Resource: r, Memory: m}); d.Warn != nil {
			t.Errorf("%s: warned of a stop that does not come", name)
		}
	}
	// The end of a manual run is a stop as well.
	in = row{
		now: evening, change: func(s *policy.Schedule) { notify(s); manualTwoHours(s) }, state: fleet.Running, memory: WasStopped,
		with: func(m *Memory) { m.ManualSince = evening.Add(-115 * time.Minute) },
	}.input(t)
	if d := Decide(in); d.Warn == nil || !d.Warn.StopAt.Equal(evening.Add(5*time.Minute)) {
		t.Errorf("manual run: %v", d.Warn)
	}
}

func TestManualSinceIsTheLaunch(t *testing.T) {
	launched := evening.Add(-20 * time.Minute)
	in := row{now: evening, change: manualTwoHours, state: fleet.Running, memory: WasStopped, with: func(m *Memory) { m.Seen = fleet.Stopped }, resource: func(r *fleet.Resource) { r.LaunchedAt = launched }}.input(t)
	if d := Decide(in); !d.Memory.ManualSince.Equal(launched) || !d.Recheck.Equal(launched.Add(2*time.Hour)) {
		t.Errorf("since %s, again at %s", d.Memory.ManualSince, d.Recheck)
	}
}

func TestFresh(t *testing.T) {
	d := Decide(row{now: evening, state: fleet.Running, memory: WasRunning}.input(t))
	if !d.Fresh(d.Resource) {
		t.Fatal("not even itself")
	}
	for name, change := range map[string]func(*fleet.Resource){
		"state":     func(r *fleet.Resource) { r.State = fleet.Stopping },
		"restarted": func(r *fleet.Resource) { r.LaunchedAt = evening },
		"barred":    func(r *fleet.Resource) { r.Bar = fleet.StopProtected },
		"protected": func(r *fleet.Resource) { r.Tags = map[string]string{"Schedule": "office", fleet.TagProtect: "true"} },
		"schedule":  func(r *fleet.Resource) { r.Tags = map[string]string{"Schedule": "other"} },
	} {
		changed := d.Resource
		change(&changed)
		if d.Fresh(changed) {
			t.Errorf("%s: still fresh", name)
		}
	}
	tagged := d.Resource
	tagged.Tags = map[string]string{"Schedule": "office", fleet.TagLastAction: "stop"}
	if !d.Fresh(tagged) {
		t.Error("our own informational tag is no change")
	}
}

func TestEveryReasonIsListedOnce(t *testing.T) {
	seen := map[Reason]bool{}
	for _, reason := range Reasons {
		if seen[reason] || reason.Sentence() == "" || !strings.HasSuffix(reason.Sentence(), ".") {
			t.Errorf("%s: twice, or without a sentence", reason)
		}
		seen[reason] = true
	}
	if len(sentences) != len(Reasons) {
		t.Errorf("%d sentences for %d reasons", len(sentences), len(Reasons))
	}
}

func TestStopProtectionFoundByARefusal(t *testing.T) {
	r := machine(fleet.Running)
	governs := bookOf(office(t, nil)).Governs(r)
	ask := func(now time.Time, m Memory) Decision {
		return Decide(Input{Now: now, Policy: governs, Memory: m, Resource: r})
	}
	d := ask(evening, remembered(r, WasRunning, evening))
	if d.Verb != fleet.Stop {
		t.Fatalf("in the evening: %s", d.Sentence())
	}
	again := ask(evening.Add(time.Hour), d.Barred(evening.Add(time.Second)))
	if again.Verb != "" || again.Reason != StopProtected {
		t.Errorf("an hour later: %s", again.Sentence())
	}
	if next := ask(evening.AddDate(0, 0, 1), again.Memory); next.Verb != fleet.Stop {
		t.Errorf("the next evening it is tried anew: %s", next.Sentence())
	}
}
