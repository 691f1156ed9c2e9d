package act

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
)

var (
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	beijing = fleet.Scope{Account: "444455556666", Region: "cn-north-1"}
	morning = time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)
)

// leaping is a clock on which waiting takes no time at all.
type leaping struct {
	mu  sync.Mutex
	now time.Time
}

func (c *leaping) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *leaping) Sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(d, 0))
	return nil
}

// made is one call that reached the cloud.
type made struct {
	scope fleet.Scope
	verb  fleet.Verb
	ids   []string
	at    time.Time
	err   error
}

// fake is a cloud with state. It carries out what nothing speaks against, and
// refuses a call as a whole, as AWS does.
type fake struct {
	now func() time.Time

	mu       sync.Mutex
	machines map[string]*fleet.Resource
	bad      map[string]error // by ID: why the cloud refuses calls with it
	named    bool             // refusals name the members
	room     map[string]int   // by pool: how many can be started; absent: any number
	types    map[string]error // why a type is refused
	most     int              // members that Reserve gives room for; 0: any number
	reserved int              // how often Reserve gave room

	// reserve, before and list, when not nil, come first; an error is the answer.
	reserve func(ctx context.Context, verb fleet.Verb) error
	before  func(ctx context.Context, call made) error
	list    func(ids []string) error
	// after comes when the call was carried out; its error hides that.
	after func(call made) error

	calls []made
	lists [][]string
}

func newFake(now func() time.Time) *fake {
	return &fake{now: now, machines: map[string]*fleet.Resource{}, bad: map[string]error{}, room: map[string]int{}, types: map[string]error{}}
}

// add puts machines into the cloud and returns the actions on them, decided now.
func (f *fake) add(scope fleet.Scope, verb fleet.Verb, n int, change ...func(i int, d *decide.Decision)) []plan.Action {
	actions := make([]plan.Action, 0, n)
	for i := range n {
		from := fleet.Running
		if verb == fleet.Start {
			from = fleet.Stopped
		}
		d := decide.Decision{Verb: verb, Resource: fleet.Resource{
			Ref:   fleet.Ref{Scope: scope, Kind: fleet.EC2Instance, ID: fmt.Sprintf("i-%s-%s-%04d", scope.Region, verb, len(f.machines))},
			State: from, Native: string(from), Type: "m5.large", Zone: "a", SeenAt: f.now(),
		}}
		for _, c := range change {
			c(i, &d)
		}
		copied := d.Resource
		f.machines[d.Resource.ID] = &copied
		actions = append(actions, plan.Action{Decision: d})
	}
	return actions
}

func (f *fake) Reserve(ctx context.Context, _ fleet.Scope, _ fleet.Kind, verb fleet.Verb, want int) (int, error) {
	if f.reserve != nil {
		if err := f.reserve(ctx, verb); err != nil {
			return 0, err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	if f.most > 0 {
		want = min(want, f.most)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reserved++
	return want, nil
}

func (f *fake) List(_ context.Context, _ fleet.Scope, _ fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists = append(f.lists, query.IDs)
	if f.list != nil {
		if err := f.list(query.IDs); err != nil {
			return nil, err
		}
	}
	var found []fleet.Resource
	for _, id := range query.IDs {
		if machine := f.machines[id]; machine != nil {
			seen := *machine
			seen.SeenAt = f.now()
			found = append(found, seen)
		}
	}
	return found, nil
}

func (f *fake) Do(ctx context.Context, scope fleet.Scope, _ fleet.Kind, verb fleet.Verb, targets []cloud.Target) error {
	call := made{scope: scope, verb: verb, at: f.now()}
	for _, target := range targets {
		call.ids = append(call.ids, target.ID)
	}
	if f.before != nil {
		call.err = f.before(ctx, call)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if call.err == nil {
		call.err = f.carryOut(verb, targets)
	}
	if call.err == nil && f.after != nil {
		call.err = f.after(call)
	}
	f.calls = append(f.calls, call)
	return call.err
}

func (f *fake) carryOut(verb fleet.Verb, targets []cloud.Target) error {
	var bad []string
	var why error
	wanted := map[string]int{}
	for _, target := range targets {
		machine := f.machines[target.ID]
		if machine == nil {
			bad, why = append(bad, target.ID), cloud.ErrNotFound
			continue
		}
		if err := f.bad[target.ID]; err != nil && (verb != fleet.Resize || !errors.Is(err, cloud.ErrInsufficientCapacity)) {
			if len(bad) == 0 || errors.Is(err, why) {
				bad, why = append(bad, target.ID), err
			}
		}
		wanted[machine.Type+machine.Zone]++
	}
	switch {
	case len(bad) > 0 && f.named:
		return &cloud.MemberError{IDs: bad, Err: why}
	case len(bad) > 0:
		return fmt.Errorf("refused: %w", why)
	}
	if verb == fleet.Start {
		for pool, n := range wanted {
			if room, bounded := f.room[pool]; bounded && n > room {
				return fmt.Errorf("%s: %w", pool, cloud.ErrInsufficientCapacity)
			}
		}
	}
	for _, target := range targets {
		machine := f.machines[target.ID]
		switch verb {
		case fleet.Start:
			machine.State = fleet.Starting
			if _, bounded := f.room[machine.Type+machine.Zone]; bounded {
				f.room[machine.Type+machine.Zone]--
			}
		case fleet.Stop, fleet.Hibernate:
			machine.State = fleet.Stopping
		case fleet.Resize:
			if err := f.types[target.Type]; err != nil {
				return err
			}
			machine.Type = target.Type
		}
	}
	return nil
}

func (f *fake) made(verb fleet.Verb) (calls []made) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range f.calls {
		if call.verb == verb {
			calls = append(calls, call)
		}
	}
	return calls
}

// result is what a run reported.
type result struct {
	mu       sync.Mutex
	t        interface{ Fatalf(string, ...any) }
	outcomes map[string]plan.Outcome
	done     map[fleet.Scope]int
	left     map[fleet.Scope]int
}

// carry runs the actions and sees to it that each gets one outcome, and each
// scope its end after the last of them.
func carry(ctx context.Context, t interface{ Fatalf(string, ...any) }, s *Stage, actions []plan.Action) *result {
	r := &result{t: t, outcomes: map[string]plan.Outcome{}, done: map[fleet.Scope]int{}, left: map[fleet.Scope]int{}}
	for i := range actions {
		r.left[actions[i].Resource.Scope]++
	}
	scopes := maps.Clone(r.left)
	var faults []string
	s.Run(ctx, actions, func(outcomes []plan.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, o := range outcomes {
			id := o.Action.Resource.ID
			if _, twice := r.outcomes[id]; twice {
				faults = append(faults, id+" has two outcomes")
			}
			if (o.Err == nil) != (o.Status == plan.Accepted) {
				faults = append(faults, fmt.Sprintf("%s: %s with the error %v", id, o.Status, o.Err))
			}
			if o.At.IsZero() {
				faults = append(faults, id+" has no instant")
			}
			r.outcomes[id] = o
			r.left[o.Action.Resource.Scope]--
		}
	}, func(scope fleet.Scope) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.done[scope]++
		if r.left[scope] != 0 {
			faults = append(faults, fmt.Sprintf("%s ended with %d actions left", scope, r.left[scope]))
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.outcomes) != len(actions) {
		t.Fatalf("%d outcomes of %d actions", len(r.outcomes), len(actions))
	}
	for scope := range scopes {
		if r.done[scope] != 1 {
			t.Fatalf("%s ended %d times", scope, r.done[scope])
		}
	}
	if len(faults) > 0 {
		t.Fatalf("%v", faults)
	}
	return r
}

func (r *result) count(status plan.Status) int {
	n := 0
	for _, o := range r.outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}

func (r *result) ids(status plan.Status) []string {
	var ids []string
	for id, o := range r.outcomes {
		if o.Status == status {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (r *result) all(t *testing.T, want plan.Status) {
	t.Helper()
	for id, o := range r.outcomes {
		if o.Status != want {
			t.Fatalf("%s: %s (%v), want %s", id, o.Status, o.Err, want)
		}
	}
}
