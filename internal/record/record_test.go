package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/storetest"
)

var (
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	evening = time.Date(2026, 8, 3, 18, 0, 0, 0, time.UTC)
)

func ref(id string) fleet.Ref { return fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: id} }

// stop is the decision to stop a resource, with the intent that stands before it.
func stop(id string) plan.Action {
	d := decide.Decision{
		Verb: fleet.Stop, Reason: decide.PeriodEnded,
		Resource: fleet.Resource{Ref: ref(id), Name: "name of " + id, State: fleet.Running},
		Memory:   decide.Memory{Ref: ref(id), Schedule: "office", Last: decide.WasStopped, DecidedAt: evening},
		Before:   &decide.Memory{Ref: ref(id), Schedule: "office", Last: decide.WasRunning, DecidedAt: evening.Add(-time.Hour)},
	}
	d.Intend("run-1", 1)
	return plan.Action{Decision: d}
}

type bench struct {
	*Recorder
	faulty *storetest.Faulty
	below  store.Store
}

func open(t *testing.T) *bench {
	t.Helper()
	below := memory.New()
	lease, err := below.Acquire(t.Context(), "scheduler", "me", evening, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(below)
	return &bench{&Recorder{Store: faulty, Lease: func() store.Lease { return lease }, Run: "run-1"}, faulty, below}
}

func (b *bench) rows(t *testing.T) []store.Activity {
	t.Helper()
	rows, err := b.below.Activity(context.WithoutCancel(t.Context()), store.ActivityQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (b *bench) memory(t *testing.T, id string) decide.Memory {
	t.Helper()
	memories, err := b.below.Memories(context.WithoutCancel(t.Context()), seoul)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(memories, func(m decide.Memory) bool { return m.Ref == ref(id) })
	if i < 0 {
		return decide.Memory{}
	}
	return memories[i]
}

func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		name    string
		outcome plan.Outcome
		event   store.Event // empty: no row
		detail  string
		last    decide.Remembered
		intent  bool
	}{
		{"accepted", plan.Outcome{Status: plan.Accepted}, store.EventStopAccepted, "stop: Its schedule wants it stopped since the period ended.", decide.WasStopped, true},
		{
			"accepted with a note",
			plan.Outcome{Status: plan.Accepted, Note: "to be stopped instead of hibernated (unsupported)"},
			store.EventStopAccepted,
			"stop: Its schedule wants it stopped since the period ended; to be stopped instead of hibernated (unsupported)", decide.WasStopped, true,
		},
		{
			"failed",
			plan.Outcome{Status: plan.Failed, Err: fmt.Errorf("ec2:StopInstances: %w", cloud.ErrUnauthorized), Note: "tried twice"},
			store.EventFailed,
			"stop: ec2:StopInstances: not authorized; tried twice", decide.StopFailed, false,
		},
		{"barred", plan.Outcome{Status: plan.Barred, Err: cloud.ErrProtected}, store.EventSkipped, "stop: protected by the provider", "", false},
		{
			"skipped",
			plan.Outcome{Status: plan.Skipped, Err: errors.New("changed"), Note: "it was running, now it is stopped"},
			store.EventSkipped,
			"stop: changed; it was running, now it is stopped", decide.WasRunning, false,
		},
		{"deferred", plan.Outcome{Status: plan.Deferred, Err: errors.New("told to stop")}, "", "", decide.WasRunning, false},
		{
			"uncertain",
			plan.Outcome{Status: plan.Uncertain, Err: errors.New("cut off")},
			store.EventFailed,
			"stop: whether it was carried out is not known, the next listing tells: cut off", decide.WasRunning, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := open(t)
			action := stop("i-1")
			if err := b.Before(t.Context(), store.Changes{Memories: []decide.Memory{action.Unclear()}}); err != nil {
				t.Fatal(err)
			}
			if m := b.memory(t, "i-1"); m.Intent == nil || m.Last != decide.WasRunning {
				t.Fatalf("before the call: %+v", m)
			}
			test.outcome.Action, test.outcome.At = action, evening.Add(time.Second)
			if err := b.After(t.Context(), []plan.Outcome{test.outcome}); err != nil {
				t.Fatal(err)
			}
			m := b.memory(t, "i-1")
			if test.last != "" && m.Last != test.last || (m.Intent != nil) != test.intent {
				t.Errorf("remembered: %s, intent %v", m.Last, m.Intent)
			}
			if test.intent && m.Intent.Accepted.IsZero() == (test.outcome.Status == plan.Accepted) {
				t.Errorf("intent: %+v", m.Intent)
			}
			rows := b.rows(t)
			if test.event == "" {
				if len(rows) != 0 {
					t.Errorf("rows: %+v", rows)
				}
				return
			}
			want := store.Activity{
				Seq: 1, At: evening.Add(time.Second), Run: "run-1", Actor: Actor, Event: test.event, Ref: ref("i-1"), Name: "name of i-1",
				Schedule: "office", Reason: string(decide.PeriodEnded), Detail: test.detail, Prev: store.Genesis,
			}
			want.Hash = rows[0].Hash
			if diff := cmp.Diff([]store.Activity{want}, rows); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAcceptedVerbs(t *testing.T) {
	for verb, want := range map[fleet.Verb]store.Event{
		fleet.Start: store.EventStartAccepted, fleet.Stop: store.EventStopAccepted,
		fleet.Hibernate: store.EventStopAccepted, fleet.Reboot: store.EventRebooted,
	} {
		b := open(t)
		action := stop("i-1")
		action.Verb = verb
		if err := b.After(t.Context(), []plan.Outcome{{Action: action, Status: plan.Accepted, At: evening}}); err != nil {
			t.Fatal(err)
		}
		if rows := b.rows(t); len(rows) != 1 || rows[0].Event != want {
			t.Errorf("%s: %+v, want event %s", verb, rows, want)
		}
	}
}

// A change of the type of what is stopped is one row, and no stop.
func TestResizeOfWhatIsStopped(t *testing.T) {
	b := open(t)
	action := stop("i-1")
	action.Verb, action.Type, action.Resource.Type = fleet.Resize, "m5.large", "t3.small"
	action.Chain = []decide.Step{{Rule: "rule", Fact: say.Raw("it fired")}}
	if err := b.After(t.Context(), []plan.Outcome{{Action: action, Status: plan.Accepted, At: evening, Type: "m5.large", Note: "after a while"}}); err != nil {
		t.Fatal(err)
	}
	rows := b.rows(t)
	if len(rows) != 1 || rows[0].Event != store.EventResized || rows[0].Detail != "type changed from t3.small to m5.large; after a while" || len(rows[0].Chain) != 1 {
		t.Errorf("%+v", rows)
	}
}

// The memory of a scope is written with the rows that it tells of, though no
// resource's changes.
func TestScopesAloneAreWritten(t *testing.T) {
	b := open(t)
	changes := store.Changes{
		Scopes:   []decide.ScopeMemory{{Scope: seoul, Config: "c1"}},
		Activity: []store.Activity{{At: evening, Event: store.EventFired, Name: "wake"}},
	}
	if err := b.Before(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	if m, err := b.below.ScopeMemory(t.Context(), seoul); err != nil || m.Config != "c1" {
		t.Errorf("remembered: %+v, %v", m, err)
	}
	if rows := b.rows(t); len(rows) != 1 || rows[0].Actor != Actor || rows[0].Run != "run-1" || b.faulty.Calls(storetest.SaveChanges) != 1 {
		t.Errorf("%+v in %d calls, want one row in one", rows, b.faulty.Calls(storetest.SaveChanges))
	}
}

func TestStartWithAnotherType(t *testing.T) {
	for status, last := range map[plan.Status]store.Event{
		plan.Accepted: store.EventStartAccepted, plan.Failed: store.EventFailed, plan.Deferred: store.EventResized,
	} {
		b := open(t)
		action := stop("i-1")
		action.Verb, action.Reason, action.Resource.Type = fleet.Start, decide.PeriodBegan, "t3.micro"
		if err := b.After(t.Context(), []plan.Outcome{{Action: action, Status: status, Err: errors.New("no"), At: evening, Type: "t3.small"}}); err != nil {
			t.Fatal(err)
		}
		rows := b.rows(t)
		if rows[0].Event != store.EventResized || rows[0].Detail != "type changed from t3.micro to t3.small" || rows[len(rows)-1].Event != last {
			t.Errorf("%s: %+v", status, rows)
		}
	}
}

// Rows and memories are written in one step: neither is there without the other.
func TestRowsAndMemoriesNeverPart(t *testing.T) {
	down := errors.New("disk full")
	for name, applied := range map[string]bool{"the write fails": false, "its answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			fault := storetest.Fault{Method: storetest.SaveChanges, Err: down, Applied: applied}
			b := open(t)
			b.faulty.Inject(fault)
			err := b.After(t.Context(), []plan.Outcome{{Action: stop("i-1"), Status: plan.Accepted, At: evening}})
			if !errors.Is(err, down) || !strings.HasPrefix(err.Error(), "record the outcomes: ") {
				t.Errorf("%v", err)
			}
			if rows, m := b.rows(t), b.memory(t, "i-1"); (len(rows) == 1) != applied || (m.Intent != nil) != applied {
				t.Errorf("%d rows, remembered: %+v", len(rows), m)
			}

			b = open(t)
			b.faulty.Inject(fault)
			row := store.Activity{At: evening, Event: store.EventHeld}
			if err := b.Before(t.Context(), store.Changes{Memories: []decide.Memory{stop("i-1").Memory}, Activity: []store.Activity{row}}); !errors.Is(err, down) || !strings.HasPrefix(err.Error(), "record the intents: ") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestLostLease(t *testing.T) {
	b := open(t)
	if _, err := b.below.Acquire(t.Context(), "scheduler", "another", evening.Add(time.Hour), time.Minute); err != nil {
		t.Fatal(err)
	}
	action := stop("i-1")
	for name, err := range map[string]error{
		"before": b.Before(t.Context(), store.Changes{Memories: []decide.Memory{action.Unclear()}}),
		"rows":   b.Before(t.Context(), store.Changes{Activity: []store.Activity{{At: evening, Event: store.EventGap}}}),
		"after":  b.After(t.Context(), []plan.Outcome{{Action: action, Status: plan.Accepted, At: evening}}),
		"save":   b.Save(t.Context(), store.Run{ID: "run-1", Started: evening}),
		"forget": b.Forget(t.Context(), []fleet.Ref{ref("i-1")}),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rows := b.rows(t); len(rows) != 0 {
		t.Errorf("%d rows", len(rows))
	}
}

// A lease that was renewed meanwhile is the one that is used.
func TestLeaseIsAskedForAtEveryWrite(t *testing.T) {
	b := open(t)
	asked := 0
	lease := b.Lease
	b.Lease = func() store.Lease { asked++; return lease() }
	_ = b.Save(t.Context(), store.Run{ID: "run-1", Started: evening})
	_ = b.Before(t.Context(), store.Changes{Memories: []decide.Memory{stop("i-1").Memory}})
	_ = b.Forget(t.Context(), []fleet.Ref{ref("i-1")})
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

func TestForget(t *testing.T) {
	b := open(t)
	if err := b.Before(t.Context(), store.Changes{Memories: []decide.Memory{stop("i-2").Memory, stop("i-1").Memory}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Forget(t.Context(), nil); err != nil || b.faulty.Calls(storetest.DropMemories) != 0 {
		t.Errorf("forgetting nothing: %v, %d calls", err, b.faulty.Calls(storetest.DropMemories))
	}
	if err := b.Forget(t.Context(), []fleet.Ref{ref("i-1")}); err != nil {
		t.Fatal(err)
	}
	if b.memory(t, "i-1").Ref != (fleet.Ref{}) || b.memory(t, "i-2").Ref != ref("i-2") {
		t.Error("forgot the wrong one")
	}
}

// Nothing to write is no write at all: a fleet at rest leaves the store alone.
func TestNothingToWrite(t *testing.T) {
	b := open(t)
	if err := errors.Join(b.Before(t.Context(), store.Changes{}), b.After(t.Context(), nil)); err != nil {
		t.Fatal(err)
	}
	if calls := b.faulty.Calls(storetest.Append) + b.faulty.Calls(storetest.SaveChanges); calls != 0 {
		t.Errorf("%d calls", calls)
	}
}

// Somebody's own row keeps its actor; what the program found out is its own.
func TestActor(t *testing.T) {
	b := open(t)
	rows := []store.Activity{{At: evening, Event: store.EventGap}, {At: evening, Event: store.EventHeld, Actor: "minji"}}
	if err := b.Before(t.Context(), store.Changes{Activity: rows}); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(t); got[0].Actor != Actor || got[1].Actor != "minji" || got[0].Run != "run-1" {
		t.Errorf("%+v", got)
	}
}

func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, method := range []storetest.Method{storetest.Append, storetest.SaveChanges, storetest.SaveRun, storetest.DropMemories} {
			b := open(t)
			b.faulty.Inject(storetest.Fault{Method: method, Err: errors.New("late"), Delay: time.Hour, Times: -1})
			began := time.Now()
			err := errors.Join(
				b.Before(t.Context(), store.Changes{Activity: []store.Activity{{At: evening, Event: store.EventGap}}}),
				b.After(t.Context(), []plan.Outcome{{Action: stop("i-1"), Status: plan.Accepted, At: evening}}),
				b.Save(t.Context(), store.Run{ID: "run-1", Started: evening}),
				b.Forget(t.Context(), []fleet.Ref{ref("i-1")}),
			)
			if took := time.Since(began); took != writeTimeout || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v after %s", method, err, took)
			}
		}
	})
}
