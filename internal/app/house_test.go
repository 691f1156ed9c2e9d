package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/capacity/table/tabletest"
	"dayshift/internal/clock"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/notify/kindtest"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

func TestMain(m *testing.M) {
	// The loop that hands signals over is started by the first who asks for one;
	// started inside a bubble of virtual time it would never leave it.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	code := tabletest.Run(m)
	signal.Stop(asked)
	os.Exit(code)
}

// house is what outlives a process of the program: the store, the cloud, the file.
type house struct {
	t     *testing.T
	sim   *awssim.Cloud
	store store.Store
	file  string
	clock clock.Clock
	told  tellTale
	heard *kindtest.Receiver
}

func newHouse(t *testing.T, text string, resources ...awssim.Resource) *house {
	t.Helper()
	return houseOver(t, awssim.New(awssim.Options{Seed: 5}), text, resources...)
}

// atOnce is a simulated AWS in which every state arrives the moment it is asked for.
func atOnce() *awssim.Cloud {
	durations := map[string][2]time.Duration{}
	for name := range awssim.DefaultDurations() {
		durations[name] = [2]time.Duration{}
	}
	return awssim.New(awssim.Options{Seed: 5, Durations: durations})
}

func houseOver(t *testing.T, sim *awssim.Cloud, text string, resources ...awssim.Resource) *house {
	t.Helper()
	h := &house{t: t, sim: sim, store: memory.New(), file: filepath.Join(t.TempDir(), "dayshift.yaml"), clock: clock.Real{}, heard: kindtest.New(t)}
	h.load(awssim.Fleet{Resources: resources})
	h.write(text)
	return h
}

func (h *house) load(f awssim.Fleet) {
	h.t.Helper()
	if err := h.sim.Load(f); err != nil {
		h.t.Fatal(err)
	}
}

// write replaces the file as editors do.
func (h *house) write(text string) {
	h.t.Helper()
	if err := os.WriteFile(h.file+".new", []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(h.file+".new", h.file); err != nil {
		h.t.Fatal(err)
	}
}

// open is a process that begins: what it does to the store goes through kept.
func (h *house) open(kept store.Store) *App {
	h.t.Helper()
	loaded, err := config.Load(h.file)
	if err != nil {
		h.t.Fatal(err)
	}
	a := &App{
		tables: &tables{}, Config: loaded, Store: kept, Clock: h.clock, Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(), Receivers: []notify.Receiver{notify.Direct{Sender: &h.told}, h.heard},
		transport: h.sim.Transport(), credentials: map[fleet.AccountID]aws.Credentials{},
	}
	h.t.Cleanup(a.tables.Close)
	for _, account := range loaded.Config.Accounts {
		a.credentials[account.ID] = aws.StaticKey(string(account.ID), "any")
	}
	if err := a.adopt(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if a.Cloud, err = a.cloud(a.Config, nil); err != nil {
		h.t.Fatal(err)
	}
	return a
}

// tellTale keeps what people were told.
type tellTale struct {
	mu       sync.Mutex
	messages []notify.Message
	at       []time.Time
}

func (*tellTale) Name() string { return "test" }

func (s *tellTale) Send(_ context.Context, message notify.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages, s.at = append(s.messages, message), append(s.at, time.Now())
	return nil
}

// when tells at which instants people got a message of the kind.
func (s *tellTale) when(kind notify.Kind) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []time.Time
	for i := range s.messages {
		if s.messages[i].Kind == kind {
			found = append(found, s.at[i].Round(0))
		}
	}
	return found
}

// living is a daemon at work.
type living struct {
	*Daemon
	store  *mortalStore
	cancel context.CancelFunc
	done   chan struct{}
}

// serve starts a daemon without its HTTP surface: lease, passes, reload.
func (h *house) serve(names ...string) *living {
	h.t.Helper()
	return h.begin(strings.Join(names, " "), func(d *Daemon) []func(context.Context) error {
		return []func(context.Context) error{d.lead, d.watch}
	})
}

// lead starts a daemon that looks neither at its file nor at the objects of the
// store again: where neither changes, days pass in half the time.
func (h *house) lead() *living {
	h.t.Helper()
	return h.begin("", func(d *Daemon) []func(context.Context) error { return []func(context.Context) error{d.lead} })
}

func (h *house) begin(name string, parts func(d *Daemon) []func(context.Context) error) *living {
	h.t.Helper()
	kept := &mortalStore{Store: h.store}
	a := h.open(kept)
	d := &Daemon{App: a, leader: newLeader(kept), agenda: newAgenda(time.Duration(a.Config.Config.ResyncInterval), 1), changed: make(chan struct{}, 1)}
	d.known = pass.Known{Gaps: map[fleet.Scope]string{}, Held: map[fleet.Ref]plan.Guard{}}
	d.leader.holder += name
	ctx, cancel := context.WithCancel(h.t.Context())
	l := &living{Daemon: d, store: kept, cancel: cancel, done: make(chan struct{})}
	list := parts(d)
	go func() {
		defer close(l.done)
		var running sync.WaitGroup
		for _, part := range list {
			running.Go(func() {
				if err := part(ctx); err != nil {
					h.t.Error(err)
				}
			})
		}
		running.Wait()
	}()
	return l
}

// stop tells the daemon to end, as SIGTERM does.
func (l *living) stop() {
	l.cancel()
	<-l.done
}

// kill lets the process die where it is: not a word more reaches the store.
func (l *living) kill() {
	l.store.dead.Store(true)
	l.stop()
}

// mortalStore is a store as one process reaches it.
type mortalStore struct {
	store.Store
	dead atomic.Bool // the process is dead, or the network is
}

var errDead = errors.New("the connection to the store is gone")

func (s *mortalStore) alive() error {
	if s.dead.Load() {
		return errDead
	}
	return nil
}

func (s *mortalStore) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (store.Lease, error) {
	if err := s.alive(); err != nil {
		return store.Lease{}, err
	}
	return s.Store.Acquire(ctx, name, holder, now, ttl)
}

func (s *mortalStore) Renew(ctx context.Context, lease store.Lease, now time.Time, ttl time.Duration) (store.Lease, error) {
	if err := s.alive(); err != nil {
		return store.Lease{}, err
	}
	return s.Store.Renew(ctx, lease, now, ttl)
}

func (s *mortalStore) Release(ctx context.Context, lease store.Lease) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.Release(ctx, lease)
}

func (s *mortalStore) Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return s.Store.Memories(ctx, scope)
}

func (s *mortalStore) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.SaveChanges(ctx, lease, changes)
}

func (s *mortalStore) SaveRun(ctx context.Context, lease store.Lease, run store.Run) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.SaveRun(ctx, lease, run)
}

func (s *mortalStore) Append(ctx context.Context, lease store.Lease, rows []store.Activity) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.Append(ctx, lease, rows)
}

func (s *mortalStore) Objects(ctx context.Context, kinds ...store.ObjectKind) ([]store.Object, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return s.Store.Objects(ctx, kinds...)
}

func (s *mortalStore) SaveObject(ctx context.Context, object store.Object, rows ...store.Activity) (store.Object, error) {
	if err := s.alive(); err != nil {
		return store.Object{}, err
	}
	return s.Store.SaveObject(ctx, object, rows...)
}

func (s *mortalStore) DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.DeleteObject(ctx, kind, name, version, rows...)
}

func (s *mortalStore) Revision(ctx context.Context) (int64, error) {
	if err := s.alive(); err != nil {
		return 0, err
	}
	return s.Store.Revision(ctx)
}

// force is `dayshift start` or `stop`: a process of its own on the same store.
func (h *house) force(state calendar.State, target string, end service.End) service.OverrideAnswer {
	h.t.Helper()
	answer, err := h.open(h.store).Service().SetOverride(h.t.Context(), service.OverrideRequest{Target: target, State: state, End: end, Author: "minji", Reason: "release"})
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

// rows are the rows of the record with one of the events, oldest first; all without any.
func (h *house) rows(events ...store.Event) []store.Activity {
	h.t.Helper()
	all, err := h.store.Activity(h.t.Context(), store.ActivityQuery{Limit: 1 << 20})
	if err != nil {
		h.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(row store.Activity) bool { return len(events) > 0 && !slices.Contains(events, row.Event) })
}

// homes are the scopes in which resources of tests are.
var homes = []fleet.Scope{{Account: "111122223333", Region: "ap-northeast-2"}, {Account: "111122223333", Region: "us-east-1"}}

// state is an instance's or a database's, by name.
func (h *house) state(name string) string {
	h.t.Helper()
	for _, home := range homes {
		for _, instance := range h.sim.Instances(string(home.Account), string(home.Region)) {
			if instance.Name == name {
				return instance.State
			}
		}
		if database, ok := h.sim.Database(string(home.Account), string(home.Region), name); ok {
			return database.State
		}
	}
	h.t.Fatalf("there is no %s", name)
	return ""
}

// expect compares the states of resources by name.
func (h *house) expect(when string, want map[string]string) {
	h.t.Helper()
	for name, state := range want {
		if got := h.state(name); got != state {
			h.t.Errorf("%s: %s is %s, want %s", when, name, got, state)
		}
	}
}

// acted are the accepted calls of an action on a resource by name, oldest first.
func (h *house) acted(action, name string) []time.Time {
	h.t.Helper()
	ids := map[string]bool{name: true}
	for _, home := range homes {
		for _, instance := range h.sim.Instances(string(home.Account), string(home.Region)) {
			if instance.Name == name {
				ids[instance.ID] = true
			}
		}
	}
	var found []time.Time
	for _, call := range h.sim.Calls() {
		if call.Action == action && call.Code == "" && slices.ContainsFunc(call.Resources, func(id string) bool { return ids[id[strings.LastIndexByte(id, ':')+1:]] }) {
			found = append(found, call.Time)
		}
	}
	return found
}

// verify checks that the record is whole.
func (h *house) verify() {
	h.t.Helper()
	if v, err := h.store.Verify(h.t.Context()); err != nil || v.BadAt != 0 {
		h.t.Errorf("activity: %+v, %v", v, err)
	}
}

func ec2(name, state, schedule string, more ...string) awssim.Resource {
	tags := map[string]string{}
	if schedule != "" {
		tags["Schedule"] = schedule
	}
	for i := 0; i+1 < len(more); i += 2 {
		tags[more[i]] = more[i+1]
	}
	return awssim.Resource{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: name, State: state, Tags: tags}
}

func rds(name, state, schedule string, more ...string) awssim.Resource {
	r := ec2(name, state, schedule, more...)
	r.Kind = "rds"
	return r
}

// shiftedClock is a wall clock that people set, or that went on while the machine slept.
type shiftedClock struct {
	clock.Real
	by atomic.Int64
}

func (c *shiftedClock) Now() time.Time { return c.Real.Now().Add(time.Duration(c.by.Load())) }
