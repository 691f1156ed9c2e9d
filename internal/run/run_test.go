package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/clock"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/run"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

func filterOf(t *testing.T, text string) fleet.Filter {
	t.Helper()
	f, err := fleet.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// site is a world over several lives of the program.
type site struct {
	t      *testing.T
	sky    *sky
	shelf  *shelf
	book   *policy.Book
	lives  int64
	mu     sync.Mutex
	told   []run.Notice
	scopes []fleet.Scope
	next   *policy.Book // in place of book from now on; nil: book stays
}

// now is the book in force.
func (s *site) now() *policy.Book {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		s.book, s.next = s.next, nil
	}
	return s.book
}

func newSite(t *testing.T, list ...*workload.Workload) *site {
	t.Helper()
	return &site{
		t: t, sky: newSky(t), shelf: newShelf(), scopes: []fleet.Scope{seoul},
		book: &policy.Book{TagKey: "Schedule", Schedules: map[string]*policy.Schedule{}, Workloads: policy.NewWorkloads(list)},
	}
}

// schedule adds one that wants running from nine to six.
func (s *site) schedule(name string) *policy.Schedule {
	s.t.Helper()
	compiled, err := calendar.Compile(calendar.ScheduleDef{Name: name, Timezone: "UTC", Periods: calendar.PeriodRefs{"office"}},
		map[string]calendar.PeriodDef{"office": {BeginTime: "09:00", EndTime: "18:00"}}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.book.Schedules[name] = &policy.Schedule{Name: name, Calendar: compiled, Enabled: true, StopNewInstances: true}
	return s.book.Schedules[name]
}

// life is a process: it dies at the contact kill (0: never), before that is carried out or after.
func (s *site) life(kill int, after bool) (*process, *run.Driver) {
	s.lives++
	p := &process{sky: s.sky, store: s.shelf, kill: kill, after: after}
	lease := store.Lease{Name: "scheduler", Holder: "test", Term: s.lives}
	may := func() error {
		p.gate.Lock()
		defer p.gate.Unlock()
		if p.dead {
			return errKilled
		}
		return nil
	}
	d := &run.Driver{
		Setting: func() run.Setting { return run.Setting{Book: s.now(), Scopes: s.scopes, Cloud: p} },
		Probe:   p, Store: p, Clock: clock.Real{}, Lease: func() store.Lease { return lease }, MayAct: may, Log: slog.New(slog.DiscardHandler),
		Tell: func(_ context.Context, n run.Notice) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, n)
		},
	}
	return p, d
}

// live lets a process serve until its death or the end of a time. It says how many contacts it made and whether it died.
func (s *site) live(kill int, after bool, most time.Duration) (contacts int, died bool) {
	s.t.Helper()
	p, d := s.life(kill, after)
	ctx, end := context.WithCancelCause(s.t.Context())
	p.end = end
	timer := time.AfterFunc(most, func() { end(errors.New("the time of the test is over")) })
	if err := d.Serve(ctx); err != nil && !errors.Is(err, errKilled) {
		s.t.Errorf("serve: %v", err)
	}
	timer.Stop()
	p.gate.Lock()
	defer p.gate.Unlock()
	return p.n, p.dead
}

// ask leaves a request in the store.
func (s *site) ask(r run.Request) string {
	s.t.Helper()
	if r.ID == "" {
		r.ID = store.NewRunID(time.Now())
	}
	r.By, r.At = "kim", time.Now()
	if r.Trigger == "" {
		r.Trigger = "person"
	}
	object, err := run.FromRequest(r)
	if err != nil {
		s.t.Fatal(err)
	}
	object.Version = 1
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	s.shelf.objects[r.ID] = object
	return r.ID
}

// of reads a run.
func (s *site) of(id string) *workload.Run {
	s.t.Helper()
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	record, ok := s.shelf.records[store.WorkloadRun][id]
	if !ok {
		s.t.Fatalf("there is no run %s", id)
	}
	r, err := run.ToRun(record)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// memory reads what is remembered of a workload.
func (s *site) memory(name string) run.Memory {
	s.t.Helper()
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	record, ok := s.shelf.records[store.WorkloadMemory][name]
	if !ok {
		return run.Memory{}
	}
	m, err := run.ToMemory(record)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// last is the run of a workload that ended last.
func (s *site) last(name string) *workload.Run {
	s.t.Helper()
	m := s.memory(name)
	if len(m.History) == 0 {
		s.t.Fatalf("no run of %s has ended: %+v", name, m)
	}
	return s.of(m.History[len(m.History)-1])
}

func (s *site) rows(event store.Event) (list []store.Activity) {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	for _, row := range s.shelf.rows {
		if row.Event == event {
			list = append(list, row)
		}
	}
	return list
}

// dump shows a run in a failing test.
func dump(r *workload.Run) string {
	short := *r
	short.Definition = nil
	text, _ := json.MarshalIndent(short, "", " ")
	return string(text)
}

// chain is a workload of tiers that start in the order given and stop the other way round.
func chain(t *testing.T, names ...string) *workload.Workload {
	t.Helper()
	w := &workload.Workload{Name: "shop", Enabled: true, Filter: filterOf(t, "tag:Environment=shop")}
	for i, name := range names {
		w.Tiers = append(w.Tiers, workload.Tier{
			Name: name, Filter: filterOf(t, "tag:Role="+name),
			Start: workload.Half{Sequence: new(i), Timeout: 30 * time.Minute},
			Stop:  workload.Half{Sequence: new(len(names) - i), Timeout: 30 * time.Minute},
		})
	}
	return w
}

func TestAWorkloadStartsTierByTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, chain(t, "db", "app", "web"))
		s.sky.add(fleet.RDSInstance, "db-1", "db", fleet.Stopped)
		s.sky.add(fleet.EC2Instance, "app-1", "app", fleet.Stopped)
		s.sky.add(fleet.EC2Instance, "web-1", "web", fleet.Stopped)
		s.sky.add(fleet.EC2Instance, "web-2", "web", fleet.Stopped)
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		s.live(0, false, 30*time.Minute)
		r := s.of(id)
		if r.Status != workload.StatusDone {
			t.Fatalf("the run is %s: %s\n%s", r.Status, r.Why, dump(r))
		}
		if app := s.sky.when("start", "app-1"); app.Before(s.sky.when("start", "db-1").Add(s.sky.lag)) {
			t.Errorf("app started at %s, before db ran", app)
		}
		if s.sky.did("start", "web-1") != 1 || s.sky.did("start", "web-2") != 1 {
			t.Error("web is not started once each")
		}
		for _, event := range []store.Event{store.EventWorkloadBegan, store.EventWorkloadEnded} {
			if rows := s.rows(event); len(rows) != 1 || rows[0].Run != id {
				t.Errorf("%s: %+v", event, rows)
			}
		}
		if rows := s.rows(store.EventStartAccepted); len(rows) != 4 {
			t.Errorf("starts are recorded as %+v", rows)
		}
		if len(s.shelf.objects) != 0 {
			t.Errorf("requests are left: %+v", s.shelf.objects)
		}
		if took := r.Ended.Sub(r.Began); took > 3*s.sky.lag*105/100+3*time.Second {
			t.Errorf("it took %s", took)
		}
		if m := s.memory("shop"); m.Active != "" || m.State != fleet.Running || len(m.History) != 1 {
			t.Errorf("remembered: %+v", m)
		}
	})
}
