package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/record"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// Cloud is what runs need of a cloud.
type Cloud interface {
	cloud.Lister
	cloud.Actor
	cloud.Balancer
	cloud.Commander
	cloud.Invoker
	cloud.BackupLister
	cloud.HealthLister
	cloud.SnapshotKeeper
}

// Prober looks at members from outside and calls addresses that people wrote down. Each of its calls is bounded.
type Prober interface {
	// TCP connects to a port of a host. nil: somebody accepted.
	TCP(ctx context.Context, host string, port int) error
	// HTTP asks for an address and returns the status of the answer.
	HTTP(ctx context.Context, address string) (status int, err error)
	// Post sends a body to an address, signed, and returns the status of the answer and its first words. id is that of what is
	// sent, the same when it is sent again.
	Post(ctx context.Context, address, id string, body []byte, timeout time.Duration) (status int, said string, err error)
}

// Store is what a driver needs of a store.
type Store interface {
	store.Records
	Objects(ctx context.Context, kinds ...store.ObjectKind) ([]store.Object, error)
	DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error
}

// Setting is what runs go by: it may be another one at every round.
type Setting struct {
	Book   *policy.Book
	Scopes []fleet.Scope
	Cloud  Cloud
}

// Notice is something that people are told.
type Notice struct {
	Workload string
	Run      string // its ID; empty for what concerns none
	// Of is the workload as it is, or was when the run began; Members are those that the run knows.
	Of      *workload.Workload
	Members []fleet.Resource
	workload.Message
	At time.Time // when it happened; of ToldStop when it will be stopped, in the time zone of the workload's schedule
}

// Driver carries out the runs of workloads of one store, for as long as its process holds the lease.
type Driver struct {
	Setting func() Setting
	Probe   Prober
	Store   Store
	Clock   clock.Clock
	// Lease returns the lease as last renewed; every write is fenced by it. MayAct is asked before every call that changes
	// something.
	Lease  func() store.Lease
	MayAct func() error
	// Tell gives people a message. It may take its time; nothing waits for it. nil: nobody is told.
	Tell func(ctx context.Context, notice Notice)
	Log  *slog.Logger

	mu       sync.Mutex // guards what looks and effects that end change while a round goes on
	subjects map[string]*subject
	asked    bool // somebody may have left a request
	again    bool // everything is decided anew
	poke     chan struct{}
	beside   sync.WaitGroup // looks and effects under way
	under    int            // how many
	slots    chan struct{}
	book     *policy.Book
	loaded   bool
	queue    map[part][]look // members that are to be looked at, until the look begins
	last     map[part]time.Time
}

// concurrency is how many calls runs make at once, beside those of the plan of starts and stops: enough to hide what hangs,
// few enough for one small machine's sockets.
const concurrency = 64

// gather is how long a round waits for more to become known: what ends together is carried on together, in one plan and one
// listing.
const gather = 100 * time.Millisecond

// storeRetry is when a round is made again that could not be saved.
const storeRetry = 5 * time.Second

// writeTimeout bounds one write or read of the store: one that takes longer is treated as down, and nothing is done.
const writeTimeout = 30 * time.Second

// subject is a workload as the driver knows it.
type subject struct {
	name    string
	memory  Memory
	live    *live     // its run; nil: none is under way
	due     time.Time // when its schedule or a rule may want something else; zero: never
	decided bool      // with the present book
}

// live is a run that is not over.
type live struct {
	run  workload.Run // as saved
	wake time.Time

	// The rest is guarded by the driver's mu.
	world workload.World // what became known and was not taken into the run yet
	news  bool
	rows  []store.Activity             // that go with it
	looks map[string]time.Time         // by what is looked at: the zero time while that is under way, or when it is tried again
	begun map[string]bool              // effects that this process carries out, or has
	seen  map[fleet.Ref]fleet.Resource // members as they were last listed
	ended bool
}

func newLive(run workload.Run) *live {
	return &live{run: run, news: true, world: emptyWorld(), looks: map[string]time.Time{}, begun: map[string]bool{}, seen: map[fleet.Ref]fleet.Resource{}}
}

func emptyWorld() workload.World {
	return workload.World{
		Listings: map[string]workload.Listing{}, Members: map[fleet.Ref]workload.Sighting{}, Places: map[fleet.Ref]workload.Registration{},
		Standings: map[fleet.Ref]workload.Standings{}, Readings: map[string]workload.Reading{}, Results: map[string]workload.Result{},
	}
}

// init makes what the zero Driver lacks.
func (d *Driver) init() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.poke == nil {
		d.poke, d.slots, d.subjects = make(chan struct{}, 1), make(chan struct{}, concurrency), map[string]*subject{}
	}
}

// Asked says that somebody may have asked for something, or that the setting is another one.
func (d *Driver) Asked() {
	d.init()
	d.mu.Lock()
	d.asked, d.again = true, true
	d.mu.Unlock()
	d.wake()
}

// News says that something changed in a scope: members there that are on their way are looked at.
func (d *Driver) News(scope fleet.Scope) {
	d.init()
	d.mu.Lock()
	var waiting []*live
	for _, s := range d.subjects {
		if s.live != nil {
			waiting = append(waiting, s.live)
		}
	}
	d.mu.Unlock()
	for _, l := range waiting {
		d.expect(l, scope)
	}
	d.wake()
}

// expect forgets that members of a scope were looked at a moment ago.
func (d *Driver) expect(l *live, scope fleet.Scope) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, at := range l.looks {
		if !at.IsZero() && inScope(key, scope) {
			delete(l.looks, key)
			l.news = true
		}
	}
}

func (d *Driver) wake() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// Serve makes rounds until ctx ends or the lease is lost, and waits for what is under way then.
func (d *Driver) Serve(ctx context.Context) error {
	d.init()
	defer d.beside.Wait()
	for {
		wake, err := d.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // told to stop
		case errors.Is(err, store.ErrFenced):
			return err
		case err != nil:
			d.Log.ErrorContext(ctx, "the runs of workloads could not be moved on; trying again", slog.Any("error", err))
			wake = d.Clock.Now().Add(storeRetry)
		}
		d.sleep(ctx, wake)
	}
}

// Tick makes rounds until nothing is under way, and nothing becomes due within a time from now on, and says when something
// is due next; zero: only people move anything.
func (d *Driver) Tick(ctx context.Context, within time.Duration) (wake time.Time, err error) {
	d.init()
	defer d.beside.Wait()
	end := d.Clock.Now().Add(within)
	for {
		if wake, err = d.round(ctx); err != nil || ctx.Err() != nil {
			return wake, errors.Join(err, context.Cause(ctx))
		}
		d.mu.Lock()
		idle := d.under == 0 && !d.asked && !d.again
		for _, s := range d.subjects {
			idle = idle && (s.live == nil || !s.live.news)
		}
		d.mu.Unlock()
		if idle && (wake.IsZero() || wake.After(end) && wake.After(d.Clock.Now())) {
			return wake, nil
		}
		d.sleep(ctx, wake)
	}
}

// maxNap bounds a sleep: a clock that is set, or a machine that was suspended, is noticed within this time.
const maxNap = 30 * time.Second

// sleep waits for an instant (zero: none), a poke or the end of ctx.
func (d *Driver) sleep(ctx context.Context, until time.Time) {
	nap := maxNap
	if !until.IsZero() {
		nap = min(nap, until.Sub(d.Clock.Now()))
	}
	napping, woken := context.WithCancel(ctx)
	defer woken()
	poked := make(chan struct{})
	go func() {
		defer close(poked)
		select {
		case <-d.poke:
			woken()
		case <-napping.Done():
		}
	}()
	_ = d.Clock.Sleep(napping, nap) // its end or a wake: both mean to look again
	early := napping.Err() != nil
	woken()
	<-poked
	if early && ctx.Err() == nil {
		_ = d.Clock.Sleep(ctx, gather)
	}
}

// move is what a round changes of one workload: nothing of it counts before it is saved.
type move struct {
	s      *subject
	memory Memory
	run    *workload.Run // as it is to be saved; nil: it stays
	next   workload.Next
	begins bool // run is another one than before
	ends   bool // it is over
	// touched: a person decided about run, which is moved by the next round.
	touched bool
	took    *taken
	rows    []store.Activity
	drop    []string  // runs that are not kept any longer
	gone    []Request // that were taken
	due     time.Time
	notice  []Notice
}

// taken is what became known to a run, taken into it.
type taken struct {
	l     *live
	world workload.World
	rows  []store.Activity
}

// round moves everything that can be moved, once, and says when the next is due.
func (d *Driver) round(ctx context.Context) (wake time.Time, err error) {
	setting := d.Setting()
	now := d.Clock.Now()
	if err := d.load(ctx, setting); err != nil {
		return time.Time{}, err
	}
	requests, err := d.requests(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var moves []*move
	for _, name := range d.names() {
		s := d.subjects[name]
		m := &move{s: s, memory: s.memory, due: s.due}
		d.advance(m, setting, now)
		d.follow(m, now)
		d.hear(m, setting, requests[name], now)
		d.decide(m, setting, now)
		moves = append(moves, m)
	}
	if err := d.save(ctx, moves, now); err != nil {
		for _, m := range moves {
			d.giveBack(m.took)
		}
		d.mu.Lock()
		d.asked, d.again = true, true
		d.mu.Unlock()
		return time.Time{}, err
	}
	wake = d.commit(moves)
	if err := d.forget(ctx, moves, requests, now); err != nil {
		d.Log.WarnContext(ctx, "a request that was taken could not be deleted; it is looked at again", slog.Any("error", err))
	}
	d.carryOut(ctx, setting, moves)
	d.observe(ctx, setting, moves)
	return wake, nil
}

func (d *Driver) names() []string { return slices.Sorted(maps.Keys(d.subjects)) }

// load reads what is remembered, at the first round, and of workloads that are new in the setting.
func (d *Driver) load(ctx context.Context, setting Setting) error {
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if !d.loaded {
		kept, err := all(limited, d.Store, store.WorkloadMemory)
		if err != nil {
			return fmt.Errorf("read what is remembered of workloads: %w", err)
		}
		subjects := map[string]*subject{}
		for _, one := range kept {
			m, err := ToMemory(one)
			if err != nil {
				return err
			}
			s := &subject{name: one.Name, memory: m}
			if m.Active != "" {
				if s.live, err = d.resume(limited, m.Active); err != nil {
					return err
				}
			}
			subjects[one.Name] = s
		}
		d.mu.Lock()
		d.subjects, d.loaded, d.asked = subjects, true, true
		d.mu.Unlock()
	}
	for _, w := range setting.Book.Workloads.All() {
		if d.subjects[w.Name] == nil {
			d.mu.Lock()
			d.subjects[w.Name] = &subject{name: w.Name}
			d.mu.Unlock()
		}
	}
	d.mu.Lock()
	again := d.again || d.book != setting.Book
	d.again, d.book = false, setting.Book
	d.mu.Unlock()
	if again {
		for _, s := range d.subjects {
			s.decided = false
		}
	}
	return nil
}

// page is how many records are read at once.
const page = 500

// all reads every record of a kind, page by page from the end.
func all(ctx context.Context, from store.Records, kind store.RecordKind) (list []store.Record, err error) {
	before := ""
	for {
		records, err := from.Records(ctx, store.RecordQuery{Kind: kind, Before: before, Last: true, Limit: page})
		if err != nil {
			return nil, err
		}
		list = slices.Concat(records, list)
		if len(records) < page {
			return list, nil
		}
		before = records[0].Name
	}
}

// resume takes a run over that an earlier process left: what became of the effects that were asked for is not known.
func (d *Driver) resume(ctx context.Context, id string) (*live, error) {
	records, err := d.Store.Records(ctx, store.RecordQuery{Kind: store.WorkloadRun, Name: id, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("run %s is said to be under way, and there is no record of it", id)
	}
	r, err := ToRun(records[0])
	if err != nil {
		return nil, err
	}
	l := newLive(*r)
	now := d.Clock.Now()
	for _, e := range pending(r) {
		switch e.Kind {
		case workload.StartMember, workload.StopMember, workload.ResizeMember:
			l.world.Results[e.ID] = workload.Result{At: now, Outcome: workload.Lost, Detail: say.F("the process that did it has ended; it is looked at")}
			l.begun[e.ID] = true
		case workload.CallWebhook, workload.InvokeLambda:
			l.world.Results[e.ID] = workload.Result{At: now, Outcome: workload.Lost, Detail: say.F("the process that called has ended; whether it was called is not known")}
			l.begun[e.ID] = true
			l.rows = append(l.rows, d.calledRow(&l.run, &e, l.world.Results[e.ID]))
		case workload.Register, workload.Deregister, workload.SendCommand, workload.Tell: // done again, which changes nothing
		}
	}
	return l, nil
}

// pending are the effects of a run, and of the one that takes it back, whose results are not known.
func pending(r *workload.Run) []workload.Effect {
	if r.Back == nil {
		return r.Pending
	}
	return slices.Concat(r.Pending, pending(r.Back))
}

// advance moves the run of a workload by what became known.
func (d *Driver) advance(m *move, setting Setting, now time.Time) {
	l := m.s.live
	if l == nil {
		return
	}
	d.mu.Lock()
	due := l.news || !l.wake.IsZero() && !now.Before(l.wake)
	for key, at := range l.looks {
		if !at.IsZero() && !now.Before(at) {
			delete(l.looks, key)
			due = true
		}
	}
	halt := halted(setting.Book.Workloads.Named(m.s.name))
	if !due && (halt.Empty() || l.run.Status == workload.StatusCancelling) {
		d.mu.Unlock()
		return
	}
	t := &taken{l: l, world: l.world, rows: l.rows}
	l.world, l.rows, l.news = emptyWorld(), nil, false
	d.mu.Unlock()
	m.took = t
	world := t.world
	world.Halt = halt
	moved, next := workload.Advance(l.run, world, now)
	m.run, m.next = &moved, next
	m.rows = append(m.rows, t.rows...)
}

// halted says why nothing of a workload may be started or stopped; empty: it may.
func halted(w *workload.Workload) say.Text {
	switch {
	case w == nil:
		return say.F("the workload is no longer in the configuration")
	case w.Err == nil && !w.Enabled:
		return say.F("the workload was switched off (enabled: false)")
	}
	return say.Text{}
}

// giveBack puts what became known back where a round that was not saved took it from.
func (d *Driver) giveBack(t *taken) {
	if t == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := t.l
	merge(t.world.Listings, l.world.Listings)
	merge(t.world.Members, l.world.Members)
	merge(t.world.Places, l.world.Places)
	merge(t.world.Standings, l.world.Standings)
	merge(t.world.Readings, l.world.Readings)
	merge(t.world.Results, l.world.Results)
	l.world, l.rows, l.news = t.world, append(t.rows, l.rows...), true
	l.world.Halt = say.Text{}
}

// merge puts what is newer over what is older.
func merge[K comparable, V any](older, newer map[K]V) { maps.Copy(older, newer) }

// present is the run of a workload as it is to be saved; nil: none is under way.
func (m *move) present() *workload.Run {
	switch {
	case m.memory.Active == "":
		return nil
	case m.run != nil:
		return m.run
	case m.s.live != nil:
		return &m.s.live.run
	}
	return nil
}

// save writes everything that a round changed, at once.
func (d *Driver) save(ctx context.Context, moves []*move, now time.Time) error {
	var records []store.Record
	var rows []store.Activity
	for _, m := range moves {
		rows = append(rows, m.tell(now)...)
		if !reflect.DeepEqual(m.memory, m.s.memory) {
			memory, err := encode(store.WorkloadMemory, m.s.name, m.memory, now)
			if err != nil {
				return err
			}
			records = append(records, memory)
		}
		if m.run != nil && (m.begins || !reflect.DeepEqual(*m.run, m.s.live.run)) { //nolint:govet // the definition of a run that began has no error
			saved := *m.run
			if saved.Status.Over() {
				saved.Pending = nil // messages, which are on their way
			}
			one, err := encode(store.WorkloadRun, m.run.ID, saved, now)
			if err != nil {
				return err
			}
			records = append(records, one)
		}
		for _, id := range m.drop {
			records = append(records, store.Record{Kind: store.WorkloadRun, Name: id, Changed: now})
		}
	}
	if len(records)+len(rows) == 0 {
		return nil
	}
	for i := range rows {
		if rows[i].Actor == "" {
			rows[i].Actor = record.Actor
		}
	}
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := d.Store.SaveRecords(limited, d.Lease(), records, rows...); err != nil {
		return fmt.Errorf("record where the runs of workloads stand: %w", err)
	}
	return nil
}

// commit takes over what was saved and says when the next round is due.
func (d *Driver) commit(moves []*move) (wake time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sooner := func(at time.Time) {
		if !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	for _, m := range moves {
		s := m.s
		s.memory, s.due, s.decided = m.memory, m.due, true
		sooner(s.due)
		if m.begins {
			s.live = newLive(*m.run)
			s.live.news = true
			sooner(m.run.Began) // it is moved by the next round, at once
		}
		if s.live == nil {
			continue
		}
		if m.run != nil && !m.begins {
			s.live.run, s.live.wake = *m.run, m.next.Wake
			s.live.news = s.live.news || m.touched
		}
		sooner(s.live.wake)
		for _, at := range s.live.looks {
			sooner(at)
		}
		if s.live.news {
			sooner(s.live.run.Began)
		}
	}
	return wake
}
