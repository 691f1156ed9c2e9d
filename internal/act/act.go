// Package act carries out a plan: it paces, batches, re-checks, retries and
// isolates. It chooses nothing.
//
// Actions of one verb on one kind in one scope form a lane; lanes run side by
// side, so that a slow or hanging scope never delays another. Within a lane:
//
//   - The cloud's Reserve says how many members the next call may have.
//   - A member whose listing has grown old is looked at again, and skipped when
//     it is no longer in the state that was decided on.
//   - Throttling puts the call back, whole: it never splits and never loses an action.
//   - Members that the cloud names as bad fail alone; the others go again at once.
//     A refusal that names nobody halves the call until the bad ones are alone.
//   - Missing capacity splits the call by pool (type and zone), so that a
//     shortage hurts only its pool, then walks the types that the resource accepts.
//
// Every action gets exactly one outcome, reported as soon as it is known.
package act

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
)

// FreshFor is how old a listing may be when an action is based on it. Older
// ones are repeated for the members of the next call: at a paced scope minutes
// can pass between decision and call, and a person's hand goes before.
const FreshFor = 30 * time.Second

// DefaultConcurrency is how many calls run at once over all lanes.
const DefaultConcurrency = 64

// transientTries is how often one call is made when it fails for reasons that
// pass: four tries, one, two and four seconds apart, ride out a reset or a
// failing-over endpoint; what lasts longer is left to the next pass.
const transientTries = 4

// throttleTries bounds how often a throttled call is put back. With gaps that
// grow to throttleCap this is about ten minutes: longer than AWS's buckets need
// to refill for a call, so that only an account whose rate is used up by others
// for good gets there.
const (
	throttleTries = 24
	throttleFirst = time.Second
	throttleCap   = 30 * time.Second
)

// refusalsBeforeGivingUp is how many unauthorized calls a lane makes without a
// single success before it takes the whole lane as unauthorized. Halving a
// call of 1,000 reaches a single member after ten.
const refusalsBeforeGivingUp = 12

// Cloud is what act needs of a cloud.
type Cloud interface {
	cloud.Actor
	List(ctx context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) ([]fleet.Resource, error)
}

// Stage carries out plans.
type Stage struct {
	Cloud Cloud
	Clock clock.Clock
	// MayAct is asked before every call; its error defers what is left. It is
	// how a process that lost its lease stops acting. nil: always.
	MayAct func() error
	// Concurrency is the number of calls at once; 0 means DefaultConcurrency.
	Concurrency int
}

// Run carries out the actions and reports each outcome once, in batches, as
// they become known; report may be called from several goroutines at once.
// laneDone, when not nil, is called when a scope has no action left. Run
// returns when every action has its outcome. When ctx ends, calls under way
// are finished by the cloud's own time-outs and what is left is deferred.
func (s *Stage) Run(ctx context.Context, actions []plan.Action, report func([]plan.Outcome), scopeDone func(fleet.Scope)) {
	lanes := s.lanes(actions, report)
	left := map[fleet.Scope]int{}
	for _, l := range lanes {
		left[l.scope]++
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, l := range lanes {
		group.Go(func() {
			l.run(ctx)
			mu.Lock()
			left[l.scope]--
			last := left[l.scope] == 0
			mu.Unlock()
			if last && scopeDone != nil {
				scopeDone(l.scope)
			}
		})
	}
	group.Wait()
}

type laneKey struct {
	scope fleet.Scope
	kind  fleet.Kind
	verb  fleet.Verb
}

// lane is the work of one verb on one kind in one scope.
type lane struct {
	*Stage
	laneKey
	report func([]plan.Outcome)
	slots  chan struct{}
	queue  []call

	throttled int // in a row
	refused   int // unauthorized calls
	accepted  int // calls
}

// call is a batch that is sent as one call.
type call struct {
	verb  fleet.Verb
	items []*item
	tries int
}

// item is one action on its way.
type item struct {
	action   plan.Action
	resource fleet.Resource // as last seen
	types    []string       // still to be tried at a start, best first
	resized  string         // the type it was changed to
	note     string
}

func (s *Stage) lanes(actions []plan.Action, report func([]plan.Outcome)) []*lane {
	slots := make(chan struct{}, cmp.Or(s.Concurrency, DefaultConcurrency))
	byKey := map[laneKey]*lane{}
	var lanes []*lane
	for _, action := range actions {
		key := laneKey{action.Resource.Scope, action.Resource.Kind, action.Verb}
		l := byKey[key]
		if l == nil {
			l = &lane{Stage: s, laneKey: key, report: report, slots: slots, queue: []call{{verb: action.Verb}}}
			byKey[key] = l
			lanes = append(lanes, l)
		}
		l.queue[0].items = append(l.queue[0].items, &item{action: action, resource: action.Resource, types: action.Types})
	}
	return lanes
}

func (l *lane) run(ctx context.Context) {
	for len(l.queue) > 0 {
		next := l.queue[0]
		l.queue = l.queue[1:]
		n, err := l.Cloud.Reserve(ctx, l.scope, l.kind, next.verb, len(next.items))
		if err != nil {
			l.push(next)
			l.deferAll(fmt.Errorf("wait for room in the rate limit: %w", err))
			return
		}
		if n < len(next.items) {
			l.push(call{verb: next.verb, items: next.items[n:], tries: next.tries})
			next.items = next.items[:n]
		}
		if next.items, err = l.current(ctx, next.items); err == nil && next.verb == fleet.Start {
			err = l.setTypes(ctx, next.items)
		}
		if err != nil {
			l.push(next)
		} else if len(next.items) > 0 {
			err = l.send(ctx, next)
		}
		if err != nil {
			l.deferAll(err)
			return
		}
	}
}

func (l *lane) push(c call) { l.queue = slices.Insert(l.queue, 0, c) }

// deferAll gives every action that is left the outcome Deferred.
func (l *lane) deferAll(err error) {
	for _, c := range l.queue {
		l.finish(c.items, plan.Deferred, err)
	}
	l.queue = nil
}

func (l *lane) finish(items []*item, status plan.Status, err error) {
	if len(items) == 0 {
		return
	}
	outcomes := make([]plan.Outcome, len(items))
	for i, it := range items {
		outcomes[i] = plan.Outcome{Action: it.action, Status: status, Err: err, At: l.Clock.Now(), Type: it.resized, Note: it.note}
	}
	l.report(outcomes)
}

// errChanged is the reason of a skipped action.
var errChanged = errors.New("no longer in the state that was decided on")

// errExpired is the reason of an action whose time has passed.
var errExpired = errors.New("another state is wanted by now")

// current returns the items that are still as they were decided on, having
// looked again at those whose listing has grown old.
func (l *lane) current(ctx context.Context, items []*item) ([]*item, error) {
	now := l.Clock.Now()
	var fresh, old []*item
	for _, it := range items {
		switch {
		case !it.action.Until.IsZero() && !now.Before(it.action.Until):
			l.finish([]*item{it}, plan.Deferred, errExpired)
		case now.Sub(it.resource.SeenAt) > FreshFor:
			old = append(old, it)
		default:
			fresh = append(fresh, it)
		}
	}
	if len(old) == 0 {
		return fresh, nil
	}
	ids := make([]string, len(old))
	for i, it := range old {
		ids[i] = it.resource.ID
	}
	seen, err := l.Cloud.List(ctx, l.scope, l.kind, cloud.Query{IDs: ids})
	if err != nil {
		l.push(call{verb: l.verb, items: old})
		return fresh, fmt.Errorf("look again before acting: %w", err)
	}
	byID := make(map[string]fleet.Resource, len(seen))
	for _, resource := range seen {
		byID[resource.ID] = resource
	}
	for _, it := range old {
		again, exists := byID[it.resource.ID]
		if !exists || !it.action.Fresh(again) {
			it.note = changeNote(it.action.Resource, again, exists)
			l.finish([]*item{it}, plan.Skipped, errChanged)
			continue
		}
		it.resource = again
		fresh = append(fresh, it)
	}
	return fresh, nil
}

func changeNote(before, after fleet.Resource, exists bool) string {
	if !exists {
		return "it no longer exists"
	}
	if before.State == after.State {
		return "its tags, type or last start changed"
	}
	return fmt.Sprintf("it was %s, now it is %s", before.Native, after.Native)
}

// setTypes gives stopped resources the type they are to be started with. One
// whose type is refused is started as it is.
func (l *lane) setTypes(ctx context.Context, items []*item) error {
	for _, it := range items {
		for len(it.types) > 0 && it.types[0] != it.resource.Type {
			wanted := it.types[0]
			err := l.resize(ctx, it.resource, wanted)
			if err == nil {
				it.resource.Type, it.resized = wanted, wanted
				break
			}
			if stopsLane(err) || ctx.Err() != nil {
				return fmt.Errorf("change %s to %s: %w", it.resource.ID, wanted, err)
			}
			it.note = fmt.Sprintf("could not be changed to %s (%v)", wanted, err)
			it.types = it.types[1:]
			if len(it.types) == 0 {
				it.note += ", started as " + it.resource.Type
			}
		}
	}
	return nil
}

// stopsLane reports errors after which no further call of the lane is of use.
func stopsLane(err error) bool {
	return errors.Is(err, cloud.ErrCredentials) || errors.Is(err, cloud.ErrRegionDisabled)
}

func (l *lane) resize(ctx context.Context, resource fleet.Resource, wanted string) error {
	var err error
	for try := range transientTries {
		if _, err = l.Cloud.Reserve(ctx, l.scope, l.kind, fleet.Resize, 1); err != nil {
			return err
		}
		err = l.do(ctx, fleet.Resize, []cloud.Target{{Resource: resource, Type: wanted}})
		if !errors.Is(err, cloud.ErrThrottled) && !errors.Is(err, cloud.ErrTransient) {
			return err
		}
		if sleepErr := l.Clock.Sleep(ctx, time.Second<<try); sleepErr != nil {
			return sleepErr
		}
	}
	return err
}

// do makes one call in one of the slots, when this process may still act.
func (l *lane) do(ctx context.Context, verb fleet.Verb, targets []cloud.Target) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return &notAllowedError{context.Cause(ctx)}
	}
	defer func() { <-l.slots }()
	if l.MayAct != nil {
		if err := l.MayAct(); err != nil {
			return &notAllowedError{err}
		}
	}
	return l.Cloud.Do(ctx, l.scope, l.kind, verb, targets)
}

// notAllowedError says that no call was made: the process may not act (any more).
type notAllowedError struct{ err error }

func (e *notAllowedError) Error() string { return e.err.Error() }
func (e *notAllowedError) Unwrap() error { return e.err }

// send makes the call and deals with its answer: every item either gets its
// outcome or is put back into the queue, also when the returned error ends the
// lane.
func (l *lane) send(ctx context.Context, c call) error {
	targets := make([]cloud.Target, len(c.items))
	for i, it := range c.items {
		targets[i] = cloud.Target{Resource: it.resource}
	}
	err := l.do(ctx, c.verb, targets)
	if !errors.Is(err, cloud.ErrThrottled) {
		l.throttled = 0
	}
	var member *cloud.MemberError
	var partial *cloud.PartialError
	var notAllowed *notAllowedError
	switch {
	case err == nil:
		l.accepted++
		l.finish(c.items, plan.Accepted, nil)
	case errors.As(err, &partial):
		l.accepted++
		unconfirmed, confirmed := split(c.items, partial.IDs)
		l.finish(confirmed, plan.Accepted, nil)
		if len(unconfirmed) > 0 {
			return l.putBackTransient(ctx, call{verb: c.verb, items: unconfirmed, tries: c.tries}, err)
		}
	case errors.As(err, &notAllowed):
		l.push(c)
		return err
	case errors.Is(err, cloud.ErrThrottled):
		return l.putBackThrottled(ctx, c, err)
	case errors.As(err, &member):
		l.isolate(c, member)
	case errors.Is(err, cloud.ErrInsufficientCapacity):
		l.shortage(c, err)
	case stopsLane(err):
		l.finish(c.items, plan.Failed, err)
		return err
	case errors.Is(err, cloud.ErrUnauthorized):
		l.refused++
		if l.accepted == 0 && l.refused >= refusalsBeforeGivingUp || len(c.items) == 1 {
			l.finish(c.items, plan.Failed, err)
			if l.accepted == 0 && l.refused >= refusalsBeforeGivingUp {
				l.failRest(err)
			}
			return nil
		}
		l.halve(c)
	case lasting(err) && len(c.items) > 1:
		l.halve(c)
	case c.verb == fleet.Hibernate && errors.Is(err, cloud.ErrUnsupported):
		l.stopInstead(c.items, err)
	case lasting(err):
		l.finish(c.items, failure(err), err)
	default:
		return l.putBackTransient(ctx, c, err)
	}
	return nil
}

// lasting reports refusals that the same call will meet again.
func lasting(err error) bool {
	for _, class := range []error{cloud.ErrNotFound, cloud.ErrWrongState, cloud.ErrUnsupported, cloud.ErrProtected, cloud.ErrInvalid} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

func (l *lane) failRest(err error) {
	for _, c := range l.queue {
		l.finish(c.items, plan.Failed, err)
	}
	l.queue = nil
}

// isolate fails the members that the cloud named and sends the others again.
func (l *lane) isolate(c call, member *cloud.MemberError) {
	bad, good := split(c.items, member.IDs)
	if len(bad) == 0 { // the cloud named strangers: find out by halving
		if len(c.items) == 1 {
			l.finish(c.items, plan.Failed, member)
		} else {
			l.halve(c)
		}
		return
	}
	if len(good) > 0 {
		l.push(call{verb: c.verb, items: good, tries: c.tries})
	}
	switch {
	case errors.Is(member, cloud.ErrInsufficientCapacity):
		for _, it := range bad {
			l.nextType(it, c.verb, member)
		}
	case c.verb == fleet.Hibernate && errors.Is(member, cloud.ErrUnsupported):
		l.stopInstead(bad, member)
	default:
		l.finish(bad, failure(member.Err), member.Err)
	}
}

// failure is the status of an action that the cloud refused for good.
func failure(err error) plan.Status {
	if errors.Is(err, cloud.ErrProtected) {
		return plan.Barred
	}
	return plan.Failed
}

// split separates the items that are named from the others.
func split(items []*item, ids []string) (named, others []*item) {
	for _, it := range items {
		if slices.Contains(ids, it.resource.ID) {
			named = append(named, it)
		} else {
			others = append(others, it)
		}
	}
	return named, others
}

// stopInstead stops what can not be hibernated (SEMANTICS 4, hibernate).
func (l *lane) stopInstead(items []*item, err error) {
	for _, it := range items {
		it.note = fmt.Sprintf("stopped instead of hibernated (%v)", err)
	}
	l.push(call{verb: fleet.Stop, items: items})
}

// shortage narrows a call that met missing capacity: first by pool, then by half.
func (l *lane) shortage(c call, err error) {
	pools := map[string][]*item{}
	var order []string
	for _, it := range c.items {
		pool := it.resource.Type + " in " + it.resource.Zone
		if pools[pool] == nil {
			order = append(order, pool)
		}
		pools[pool] = append(pools[pool], it)
	}
	switch {
	case len(order) > 1:
		for _, pool := range slices.Backward(order) {
			l.push(call{verb: c.verb, items: pools[pool]})
		}
	case len(c.items) > 1:
		l.halve(c)
	default:
		l.nextType(c.items[0], c.verb, err)
	}
}

// nextType tries the next type that the resource accepts, or gives up.
func (l *lane) nextType(it *item, verb fleet.Verb, err error) {
	if i := slices.Index(it.types, it.resource.Type); i >= 0 {
		it.types = it.types[i+1:]
	}
	if len(it.types) == 0 {
		l.finish([]*item{it}, plan.Failed, err)
		return
	}
	it.note = strings.TrimPrefix(it.note+"; no capacity for "+it.resource.Type, "; ")
	l.queue = append(l.queue, call{verb: verb, items: []*item{it}})
}

func (l *lane) halve(c call) {
	middle := len(c.items) / 2
	l.push(call{verb: c.verb, items: c.items[middle:]})
	l.push(call{verb: c.verb, items: c.items[:middle]})
}

func (l *lane) putBackThrottled(ctx context.Context, c call, err error) error {
	l.throttled++
	if l.throttled > throttleTries {
		l.finish(c.items, plan.Failed, fmt.Errorf("throttled %d times in a row: %w", l.throttled, err))
		return nil
	}
	l.push(c)
	wait := min(throttleFirst<<min(l.throttled-1, 10), throttleCap)
	var hint cloud.RetryAfter
	if errors.As(err, &hint) {
		wait = max(wait, min(hint.RetryAfter(), throttleCap))
	}
	return l.Clock.Sleep(ctx, wait)
}

func (l *lane) putBackTransient(ctx context.Context, c call, err error) error {
	if ctx.Err() != nil {
		l.finish(c.items, plan.Uncertain, err)
		return context.Cause(ctx)
	}
	c.tries++
	if c.tries >= transientTries {
		l.finish(c.items, plan.Failed, fmt.Errorf("%d tries: %w", c.tries, err))
		return nil
	}
	l.push(c)
	return l.Clock.Sleep(ctx, time.Second<<(c.tries-1))
}
