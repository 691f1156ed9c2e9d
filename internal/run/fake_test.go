package run_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// sky is a cloud that keeps state. What it does not model it refuses.
type sky struct {
	t *testing.T

	mu       sync.Mutex
	members  map[fleet.Ref]*body
	places   map[cloud.Membership]*place
	commands map[string]*sent
	invoked  map[string]int
	posted   map[string]int
	answers  map[string]func(id string) cloud.CommandResult // by the first line of a script
	sessions map[string]int
	backups  map[string]string
	health   map[string]fleet.Health
	silent   map[string]bool      // without an agent
	opens    map[string]time.Time // when a member's port accepts, by private address
	statuses map[string]int
	lag      time.Duration // of a start and a stop
	drain    time.Duration
	warm     time.Duration // until a registered target is healthy
	fault    func(op string, ids []string) error
	denied   func(scope fleet.Scope, kind fleet.Kind) bool // who may not list there
	calls    []call
	shots    map[string]time.Time // when each snapshot was asked for
	shooting time.Duration        // how long one takes
}

type body struct {
	fleet.Resource
	next  fleet.State
	at    time.Time // when it arrives there
	never bool      // it does not
}

type place struct {
	in    bool
	since time.Time
}

type sent struct {
	cloud.Command
	id string
	at time.Time
}

type call struct {
	at  time.Time
	op  string
	ids []string
}

func newSky(t *testing.T) *sky {
	t.Helper()
	return &sky{
		t: t, members: map[fleet.Ref]*body{}, places: map[cloud.Membership]*place{}, commands: map[string]*sent{}, invoked: map[string]int{}, posted: map[string]int{},
		answers: map[string]func(string) cloud.CommandResult{}, sessions: map[string]int{}, backups: map[string]string{}, health: map[string]fleet.Health{},
		silent: map[string]bool{}, opens: map[string]time.Time{}, statuses: map[string]int{}, lag: 40 * time.Second, drain: 20 * time.Second, warm: 10 * time.Second,
		shots: map[string]time.Time{},
	}
}

var seoul = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}

// add makes a member of a tier.
func (s *sky) add(kind fleet.Kind, id, role string, state fleet.State) *body {
	b := &body{Resource: fleet.Resource{
		Ref: fleet.Ref{Scope: seoul, Kind: kind, ID: id}, Name: id, State: state, Native: string(state), Type: "t3.small", Zone: "ap-northeast-2a",
		Tags: map[string]string{"Role": role, "Environment": "shop"}, PrivateIP: "10.0.0." + fmt.Sprint(len(s.members)+1),
	}}
	s.members[b.Ref] = b
	return b
}

func (s *sky) of(id string) *body {
	for ref, b := range s.members {
		if ref.ID == id {
			return b
		}
	}
	s.t.Errorf("there is no %s", id)
	return &body{}
}

func (s *sky) state(id string) fleet.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.of(id)
	s.settle(b)
	return b.State
}

func (s *sky) settle(b *body) {
	if b.next != "" && !b.never && !time.Now().Before(b.at) {
		b.State, b.Native, b.next = b.next, string(b.next), ""
	}
}

// did are the successful calls of an operation that name the member.
func (s *sky) did(op, id string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.op == op && slices.Contains(c.ids, id) {
			n++
		}
	}
	return n
}

// when is the instant of the first call of an operation that names the member.
func (s *sky) when(op, id string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.op == op && slices.Contains(c.ids, id) {
			return c.at
		}
	}
	return time.Time{}
}

// mutating are the calls that changed something.
func (s *sky) mutating() (list []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if !strings.HasPrefix(c.op, "look") {
			list = append(list, c)
		}
	}
	return list
}

func (s *sky) note(op string, ids ...string) error {
	if s.fault != nil {
		if err := s.fault(op, ids); err != nil {
			return err
		}
	}
	s.calls = append(s.calls, call{time.Now(), op, slices.Clone(ids)})
	return nil
}

// process is one life of the program: what it sees of the sky and of the store, until it is killed. Dead, it reaches nothing.
type process struct {
	*sky
	store *shelf

	gate  sync.Mutex
	n     int // contacts so far
	kill  int // at which it dies; 0: never
	after bool
	dead  bool
	end   context.CancelCauseFunc
}

var errKilled = errors.New("killed")

// contact is one touch of the outside: do is not carried out by who is dead, and its answer lost by who dies of it.
func (p *process) contact(do func() error) error {
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.dead {
		return errKilled
	}
	p.n++
	if p.n == p.kill {
		p.dead = true
		if p.after {
			_ = do() // its answer is lost
		}
		if p.end != nil {
			p.end(errKilled)
		}
		return errKilled
	}
	return do()
}

// Kinds implements cloud.Lister.
func (p *process) Kinds() []fleet.Kind { return fleet.Kinds }

// List implements cloud.Lister.
func (p *process) List(_ context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) (list []fleet.Resource, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.note("look:list", query.IDs...); err != nil {
			return err
		}
		if p.denied != nil && p.denied(scope, kind) {
			return cloud.ErrUnauthorized
		}
		for ref, b := range p.members {
			if ref.Scope != scope || ref.Kind != kind || len(query.IDs) > 0 && !slices.Contains(query.IDs, ref.ID) {
				continue
			}
			if _, tagged := b.Tags[query.TagKey]; query.TagKey != "" && !tagged {
				continue
			}
			p.settle(b)
			seen := b.Resource
			seen.Tags, seen.SeenAt = maps.Clone(b.Tags), time.Now()
			list = append(list, seen)
		}
		slices.SortFunc(list, func(a, b fleet.Resource) int { return a.Ref.Compare(b.Ref) })
		return nil
	})
	return list, err
}

// Reserve implements cloud.Actor.
func (p *process) Reserve(_ context.Context, _ fleet.Scope, _ fleet.Kind, _ fleet.Verb, want int) (int, error) {
	return min(want, 50), nil
}

// Do implements cloud.Actor.
func (p *process) Do(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, targets []cloud.Target) error {
	if err := cloud.Permitted(ctx); err != nil {
		return err
	}
	return p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		ids := make([]string, len(targets))
		for i := range targets {
			ids[i] = targets[i].ID
		}
		for _, id := range ids {
			b := p.members[fleet.Ref{Scope: scope, Kind: kind, ID: id}]
			if b == nil {
				return &cloud.MemberError{IDs: []string{id}, Err: cloud.ErrNotFound}
			}
			p.settle(b)
			wrong := verb == fleet.Start && b.State != fleet.Stopped || verb == fleet.Stop && b.State != fleet.Running || verb == fleet.Resize && b.State != fleet.Stopped
			if wrong && kind != fleet.EC2Instance || wrong && !b.State.Settled() || wrong && verb == fleet.Resize {
				return &cloud.MemberError{IDs: []string{id}, Err: cloud.ErrWrongState}
			}
		}
		for i := range targets {
			name := targets[i].Snapshot
			if name == "" {
				continue
			}
			if _, asked := p.shots[name]; !asked {
				p.shots[name] = time.Now()
				p.calls = append(p.calls, call{time.Now(), "snapshot", []string{name}})
			}
			if time.Since(p.shots[name]) < p.shooting {
				return &cloud.MemberError{IDs: []string{targets[i].ID}, Err: cloud.ErrNotYet}
			}
		}
		if err := p.note(string(verb), ids...); err != nil {
			return err
		}
		for i, id := range ids {
			b := p.members[fleet.Ref{Scope: scope, Kind: kind, ID: id}]
			switch verb {
			case fleet.Start:
				b.State, b.Native, b.next, b.at, b.LaunchedAt = fleet.Starting, "pending", fleet.Running, time.Now().Add(p.lag), time.Now()
			case fleet.Stop:
				b.State, b.Native, b.next, b.at = fleet.Stopping, "stopping", fleet.Stopped, time.Now().Add(p.lag)
			case fleet.Resize:
				b.Type = targets[i].Type
			default:
				return cloud.ErrUnsupported
			}
		}
		return nil
	})
}

// Replace implements cloud.SnapshotKeeper.
func (p *process) Replace(ctx context.Context, _ fleet.Scope, _ fleet.Kind, resource fleet.Resource, snapshot string) error {
	if err := cloud.Permitted(ctx); err != nil {
		return err
	}
	return p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.note("replace", resource.ID, snapshot)
	})
}

// Memberships implements cloud.Balancer.
func (p *process) Memberships(_ context.Context, _ fleet.Scope, ids []string) (list []cloud.Membership, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.note("look:memberships", ids...); err != nil {
			return err
		}
		for m, at := range p.places {
			if at.in && slices.Contains(ids, m.Instance) {
				list = append(list, m)
			}
		}
		slices.SortFunc(list, func(a, b cloud.Membership) int {
			return strings.Compare(a.Instance+" "+a.Group, b.Instance+" "+b.Group)
		})
		return nil
	})
	return list, err
}

// Standing implements cloud.Balancer.
func (p *process) Standing(_ context.Context, _ fleet.Scope, members []cloud.Membership) (list []cloud.Standing, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.note("look:standing"); err != nil {
			return err
		}
		for _, m := range members {
			at := p.places[m]
			since := time.Duration(0)
			if at != nil {
				since = time.Since(at.since)
			}
			b := p.of(m.Instance)
			p.settle(b)
			state := cloud.StandingOut
			switch {
			case at == nil:
			case !at.in && since < p.drain:
				state = cloud.StandingDraining
			case !at.in:
			case b.State != fleet.Running:
				state = cloud.StandingUnhealthy
			case since < p.warm:
				state = cloud.StandingInitial
			default:
				state = cloud.StandingHealthy
			}
			list = append(list, cloud.Standing{State: state})
		}
		return nil
	})
	return list, err
}

// Deregister implements cloud.Balancer.
func (p *process) Deregister(ctx context.Context, _ fleet.Scope, members []cloud.Membership) error {
	return p.move(ctx, "deregister", members, false)
}

// Register implements cloud.Balancer.
func (p *process) Register(ctx context.Context, _ fleet.Scope, members []cloud.Membership) error {
	return p.move(ctx, "register", members, true)
}

func (p *process) move(ctx context.Context, op string, members []cloud.Membership, in bool) error {
	if err := cloud.Permitted(ctx); err != nil {
		return err
	}
	return p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		ids := make([]string, len(members))
		for i, m := range members {
			ids[i] = m.Instance
		}
		if err := p.note(op, ids...); err != nil {
			return err
		}
		for _, m := range members {
			if at := p.places[m]; at == nil || at.in != in {
				p.places[m] = &place{in: in, since: time.Now()}
			}
		}
		return nil
	})
}

// Send implements cloud.Commander.
func (p *process) Send(ctx context.Context, _ fleet.Scope, command cloud.Command) (id string, err error) {
	if err := cloud.Permitted(ctx); err != nil {
		return "", err
	}
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.commands {
			if c.Token == command.Token && !c.at.Before(command.Since) {
				id = c.id
				return nil
			}
		}
		if len(command.IDs) == 0 || len(command.IDs) > cloud.CommandTargets || command.Token == "" {
			return cloud.ErrInvalid
		}
		if err := p.note("send:"+command.Lines[0], command.IDs...); err != nil {
			return err
		}
		id = fmt.Sprintf("command-%d", len(p.commands)+1)
		p.commands[id] = &sent{command, id, time.Now()}
		return nil
	})
	return id, err
}

// Results implements cloud.Commander. A command takes five seconds where its answer does not say.
func (p *process) Results(_ context.Context, _ fleet.Scope, id string) (results map[string]cloud.CommandResult, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		c := p.commands[id]
		if c == nil {
			return cloud.ErrNotFound
		}
		if err := p.note("look:results"); err != nil {
			return err
		}
		results = map[string]cloud.CommandResult{}
		for _, member := range c.IDs {
			switch answer := p.answers[c.Lines[0]]; {
			case p.silent[member] && time.Since(c.at) < c.Timeout:
				results[member] = cloud.CommandResult{State: cloud.CommandPending}
			case p.silent[member]:
				results[member] = cloud.CommandResult{State: cloud.CommandFailed, Detail: "Undeliverable"}
			case time.Since(c.at) < 5*time.Second:
				results[member] = cloud.CommandResult{State: cloud.CommandPending}
			case answer != nil:
				results[member] = answer(member)
			case strings.Contains(c.Lines[0], cloud.FileAbsent):
				results[member] = cloud.CommandResult{State: cloud.CommandDone, Output: cloud.FileAbsent + "\n"}
			default:
				results[member] = cloud.CommandResult{State: cloud.CommandDone}
			}
		}
		return nil
	})
	return results, err
}

// Reachable implements cloud.Commander.
func (p *process) Reachable(_ context.Context, _ fleet.Scope, ids []string) (reachable map[string]bool, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		reachable = map[string]bool{}
		for _, id := range ids {
			reachable[id] = !p.silent[id]
		}
		return p.note("look:reachable")
	})
	return reachable, err
}

// Sessions implements cloud.Commander.
func (p *process) Sessions(_ context.Context, _ fleet.Scope, ids []string) (open map[string]int, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		open = map[string]int{}
		for _, id := range ids {
			if n := p.sessions[id]; n > 0 {
				open[id] = n
			}
		}
		return p.note("look:sessions", ids...)
	})
	return open, err
}

// BackingUp implements cloud.BackupLister.
func (p *process) BackingUp(_ context.Context, _ fleet.Scope, _ fleet.Kind, ids []string) (busy map[string]string, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		busy = map[string]string{}
		for _, id := range ids {
			if what := p.backups[id]; what != "" {
				busy[id] = what
			}
		}
		return p.note("look:backups", ids...)
	})
	return busy, err
}

// Health implements cloud.HealthLister.
func (p *process) Health(_ context.Context, _ fleet.Scope, _ fleet.Kind, ids []string) (found map[string]cloud.Health, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		found = map[string]cloud.Health{}
		for _, id := range ids {
			state, known := p.health[id]
			if !known {
				state = fleet.Healthy
			}
			found[id] = cloud.Health{State: state}
		}
		return p.note("look:health", ids...)
	})
	return found, err
}

// Invoke implements cloud.Invoker.
func (p *process) Invoke(ctx context.Context, _ fleet.Scope, function string, _ []byte, _ time.Duration) ([]byte, error) {
	if err := cloud.Permitted(ctx); err != nil {
		return nil, err
	}
	err := p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.invoked[function]++
		return p.note("invoke", function)
	})
	return []byte("{}"), err
}

// TCP stands for probe.Prober.
func (p *process) TCP(_ context.Context, host string, _ int) error {
	return p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.note("look:tcp", host); err != nil {
			return err
		}
		if from, known := p.opens[host]; known && time.Now().Before(from) {
			return errors.New("connection refused")
		}
		return nil
	})
}

// HTTP stands for probe.Prober.
func (p *process) HTTP(_ context.Context, address string) (status int, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		status = 200
		if s, known := p.statuses[address]; known {
			status = s
		}
		return p.note("look:http", address)
	})
	return status, err
}

// shelf is a store that outlives processes: what a run needs of one.
type shelf struct {
	mu      sync.Mutex
	records map[store.RecordKind]map[string]store.Record
	objects map[string]store.Object
	rows    []store.Activity
	term    int64
}

func newShelf() *shelf {
	return &shelf{records: map[store.RecordKind]map[string]store.Record{}, objects: map[string]store.Object{}}
}

// Records implements store.Records.
func (p *process) Records(_ context.Context, q store.RecordQuery) (list []store.Record, err error) {
	err = p.contact(func() error {
		p.store.mu.Lock()
		defer p.store.mu.Unlock()
		for name, r := range p.store.records[q.Kind] {
			if (q.Name == "" || q.Name == name) && strings.HasPrefix(name, q.Prefix) && (q.Before == "" || name < q.Before) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b store.Record) int { return strings.Compare(a.Name, b.Name) })
		if q.Limit > 0 && len(list) > q.Limit {
			if q.Last {
				list = list[len(list)-q.Limit:]
			} else {
				list = list[:q.Limit]
			}
		}
		return nil
	})
	return list, err
}

// SaveRecords implements store.Records.
func (p *process) SaveRecords(_ context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	return p.contact(func() error {
		p.store.mu.Lock()
		defer p.store.mu.Unlock()
		if lease.Term < p.store.term {
			return store.ErrFenced
		}
		p.store.term = lease.Term
		for _, r := range records {
			if p.store.records[r.Kind] == nil {
				p.store.records[r.Kind] = map[string]store.Record{}
			}
			if r.Data == nil {
				delete(p.store.records[r.Kind], r.Name)
				continue
			}
			p.store.records[r.Kind][r.Name] = r
		}
		p.store.rows = append(p.store.rows, rows...)
		return nil
	})
}

// Objects implements run.Store.
func (p *process) Objects(_ context.Context, kinds ...store.ObjectKind) (list []store.Object, err error) {
	err = p.contact(func() error {
		p.store.mu.Lock()
		defer p.store.mu.Unlock()
		for _, o := range p.store.objects {
			if slices.Contains(kinds, o.Kind) {
				list = append(list, o)
			}
		}
		slices.SortFunc(list, func(a, b store.Object) int { return strings.Compare(a.Name, b.Name) })
		return nil
	})
	return list, err
}

// DeleteObject implements run.Store.
func (p *process) DeleteObject(_ context.Context, _ store.ObjectKind, name string, version int64, rows ...store.Activity) error {
	return p.contact(func() error {
		p.store.mu.Lock()
		defer p.store.mu.Unlock()
		if o, there := p.store.objects[name]; !there || o.Version != version {
			return store.ErrNotFound
		}
		delete(p.store.objects, name)
		p.store.rows = append(p.store.rows, rows...)
		return nil
	})
}

// Post stands for what calls webhooks.
func (p *process) Post(_ context.Context, address, _ string, _ []byte, _ time.Duration) (status int, said string, err error) {
	err = p.contact(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.posted[address]++
		status = 200
		if s, known := p.statuses[address]; known {
			status = s
		}
		return p.note("post", address)
	})
	return status, said, err
}
