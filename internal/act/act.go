// Package act carries out a plan: it paces, batches, re-checks, retries and
// isolates. It chooses nothing.
//
// Actions of one verb on one kind in one scope form a lane; lanes run side by
// side, so that a slow or hanging scope never delays another. Within a lane:
//
//   - The cloud's Reserve says how many members the next call may have.
//   - A member whose listing has grown old is looked at again, and skipped when
//     it is no longer in the state that was decided on. What this stage itself
//     changed, or may have changed by a call without an answer, is not taken for
//     somebody else's hand.
//   - Throttling puts the call back, whole: it never splits and never loses an action.
//   - Members that the cloud names as bad fail alone; the others go again at once.
//     A refusal that names nobody halves the call until the bad ones are alone.
//   - Missing capacity splits the call by pool (type and zone), so that a
//     shortage hurts only its pool, then walks the types that the resource accepts.
//     Once a pool had no room for several members singly, the others are not asked for.
//   - A lane without a single success stops narrowing refusals for a missing
//     permission after some calls, and sends what is left as it lies.
//
// Calls in all lanes together are bounded (Concurrency): as long as fewer of
// them hang, no lane waits for another; a call that hangs ends by the cloud's
// own time-out.
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
	"dayshift/internal/decide"
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

// drain is how long a call under way may still take when the process is told to
// stop: AWS carries out what it was sent, and it is better to know than to find
// out later. Below the 25 seconds that the daemon gives its parts.
const drain = 20 * time.Second

// refusalsBeforeGivingUp is how many unauthorized calls a lane makes without a
// single success before it halves no more: what is refused then has failed as a
// whole. Halving a call of 1,000 reaches a single member after ten, and the
// halves that wait are sent once each, so that members who may be acted on
// still have their chance.
const refusalsBeforeGivingUp = 12

// shortAfter is how many members of a pool meet missing capacity singly, one
// after the other, before the pool is taken as empty for this lane: one can have
// a reason of its own (a placement group), several in a row hardly.
const shortAfter = 3

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
	// Rungs, when not nil, is told of starts that go on to the next type, before the next call of their lane; it may
	// be called from several goroutines at once. An outcome knows all that its rungs told.
	Rungs func([]plan.Rung)
	// Concurrency is the number of calls at once, listings included; 0 means DefaultConcurrency.
	Concurrency int
}

// Run carries out the actions and reports each outcome once, in batches, as
// they become known; report may be called from several goroutines at once.
// scopeDone, when not nil, is called once when a scope has no action left. Run
// returns when every action has its outcome. When ctx ends, calls under way
// have drain to end and what is left is deferred.
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

	throttled int                 // in a row
	refused   int                 // unauthorized calls
	accepted  int                 // calls
	noResize  int                 // unauthorized changes of a type
	resizes   int                 // changes of a type that were accepted
	short     map[string]shortage // by pool
	rungs     []plan.Rung         // not told yet
}

// shortage is what is known of a pool without capacity.
type shortage struct {
	singly int // members refused one by one, since the last that was accepted
	err    error
}

// call is a batch that is sent as one call.
type call struct {
	verb  fleet.Verb
	items []*item
	tries int
	// gathers: members that need another try in the end are added to this call.
	gathers bool
}

// item is one action on its way.
type item struct {
	action   plan.Action
	resource fleet.Resource // as last seen
	types    []string       // still to be tried at a start, best first
	resized  string         // the type it was changed to
	short    decide.Shortage
	unsure   bool // a call got no answer: it may have been carried out
	note     string
}

// fresh reports whether the resource is still as it was decided on, but for the
// type that this stage gave it.
func (it *item) fresh(again fleet.Resource) bool {
	decision := it.action.Decision
	decision.Resource.Type = it.resource.Type
	return decision.Fresh(again)
}

func (it *item) pool() string { return it.resource.Type + " in " + it.resource.Zone }

func (it *item) sayf(format string, args ...any) {
	it.note = strings.TrimPrefix(it.note+"; "+fmt.Sprintf(format, args...), "; ")
}

func (s *Stage) lanes(actions []plan.Action, report func([]plan.Outcome)) []*lane {
	slots := make(chan struct{}, cmp.Or(s.Concurrency, DefaultConcurrency))
	byKey := map[laneKey]*lane{}
	var lanes []*lane
	for _, action := range actions {
		key := laneKey{action.Resource.Scope, action.Resource.Kind, action.Verb}
		l := byKey[key]
		if l == nil {
			l = &lane{Stage: s, laneKey: key, report: report, slots: slots, queue: []call{{verb: action.Verb}}, short: map[string]shortage{}}
			byKey[key] = l
			lanes = append(lanes, l)
		}
		l.queue[0].items = append(l.queue[0].items, &item{
			action: action, resource: action.Resource, types: action.Types, short: action.Memory.Shortage,
		})
	}
	return lanes
}

func (l *lane) run(ctx context.Context) {
	for len(l.queue) > 0 {
		next := l.queue[0]
		l.queue = l.queue[1:]
		// Before room is taken for them: room without a call is lost for minutes.
		if next.items = l.passBy(next); len(next.items) == 0 {
			continue
		}
		n, err := l.Cloud.Reserve(ctx, l.scope, l.kind, next.verb, len(next.items))
		if err != nil && lasting(err) {
			l.finish(next.items, plan.Failed, err)
			continue
		}
		if err != nil {
			l.push(next)
			l.deferAll(fmt.Errorf("wait for room in the rate limit: %w", err))
			return
		}
		if n < len(next.items) {
			l.push(call{verb: next.verb, items: next.items[n:], tries: next.tries})
			next.items = next.items[:n]
		}
		if next.items, err = l.prepare(ctx, next); err != nil {
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

// prepare returns the items of a call that are ready for it. With an error,
// what is not returned was put back into the queue.
func (l *lane) prepare(ctx context.Context, c call) ([]*item, error) {
	items, err := l.current(ctx, c.verb, c.items)
	if err != nil || c.verb != fleet.Start {
		return items, err
	}
	if items, err = l.setTypes(ctx, c.verb, items); err != nil {
		return items, err
	}
	return l.current(ctx, c.verb, items) // changing types is paced as well and may have taken minutes
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
	l.tellRungs()
	outcomes := make([]plan.Outcome, len(items))
	for i, it := range items {
		outcomes[i] = plan.Outcome{Action: it.action, Status: status, Err: err, At: l.Clock.Now(), Type: it.resized, Shortage: it.short, Note: it.note}
		outcomes[i].Short = status == plan.Failed && l.verb == fleet.Start && errors.Is(err, cloud.ErrInsufficientCapacity)
		if it.unsure && clueless(status, err) {
			outcomes[i].Status = plan.Uncertain
			outcomes[i].Err = fmt.Errorf("an earlier try got no answer and may have been carried out: %w", err)
		}
	}
	l.report(outcomes)
}

// clueless reports outcomes that say nothing about an earlier try without an
// answer, or that such a try explains.
func clueless(status plan.Status, err error) bool {
	return status == plan.Deferred || status == plan.Skipped || status == plan.Waiting || status == plan.Failed && errors.Is(err, cloud.ErrWrongState)
}

// errChanged is the reason of a skipped action.
var errChanged = errors.New("no longer in the state that was decided on")

// errExpired is the reason of an action whose time has passed.
var errExpired = errors.New("another state is wanted by now")

// current returns the items that are still as they were decided on, having
// looked again at those whose listing has grown old.
func (l *lane) current(ctx context.Context, verb fleet.Verb, items []*item) ([]*item, error) {
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
	seen, err := l.list(ctx, ids)
	if err != nil {
		l.push(call{verb: verb, items: old})
		return fresh, fmt.Errorf("look again before acting: %w", err)
	}
	byID := make(map[string]fleet.Resource, len(seen))
	for _, resource := range seen {
		byID[resource.ID] = resource
	}
	for _, it := range old {
		again, exists := byID[it.resource.ID]
		if !exists || !it.fresh(again) {
			it.sayf("%s", changeNote(it.action.Resource, again, exists))
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
		return "its tags, type, protection or last start changed"
	}
	return fmt.Sprintf("it was %s, now it is %s", cmp.Or(before.Native, string(before.State)), cmp.Or(after.Native, string(after.State)))
}

// setTypes gives stopped resources the type they are to be started with, and
// passes by those whose pool is known to be empty then. One whose type is refused is
// started as it is.
func (l *lane) setTypes(ctx context.Context, verb fleet.Verb, items []*item) ([]*item, error) {
	var ready []*item
	for i, it := range items {
		for len(it.types) > 0 && it.types[0] != it.resource.Type {
			wanted := it.types[0]
			if l.resizes == 0 && l.noResize >= refusalsBeforeGivingUp {
				it.sayf("keeps %s, because changes of the type are not authorized", it.resource.Type)
				it.types = nil
				break
			}
			err := l.resize(ctx, it.resource, wanted)
			if err == nil {
				l.resizes++
				it.resource.Type, it.resized = wanted, wanted
				break
			}
			var notAllowed *notAllowedError
			if stopsLane(err) || errors.As(err, &notAllowed) {
				l.push(call{verb: verb, items: items[i:]})
				return ready, fmt.Errorf("change %s to %s: %w", it.resource.ID, wanted, err)
			}
			if errors.Is(err, cloud.ErrUnauthorized) {
				l.noResize++
			}
			it.sayf("could not be changed to %s (%v)", wanted, err)
			it.types = it.types[1:]
			if len(it.types) == 0 {
				it.sayf("keeps %s", it.resource.Type)
			}
		}
		ready = append(ready, it)
	}
	return l.passBy(call{verb: verb, items: ready}), nil
}

// passBy returns the items of a call without those that would be started in a pool
// that is known to be empty: these go on to their next type.
func (l *lane) passBy(c call) []*item {
	if c.verb != fleet.Start || len(l.short) == 0 {
		return c.items
	}
	ready := make([]*item, 0, len(c.items))
	for _, it := range c.items {
		changes := len(it.types) > 0 && it.types[0] != it.resource.Type
		if pool := l.short[it.pool()]; !changes && pool.singly >= shortAfter {
			l.nextType(it, c.verb, pool.err)
			continue
		}
		ready = append(ready, it)
	}
	return ready
}

// stopsLane reports errors after which no further call of the lane is of use.
func stopsLane(err error) bool {
	return errors.Is(err, cloud.ErrCredentials) || errors.Is(err, cloud.ErrRegionDisabled)
}

// resize changes the type of one stopped resource. Throttling and what passes
// are waited for as with any other call.
func (l *lane) resize(ctx context.Context, resource fleet.Resource, wanted string) error {
	for throttled, failed := 0, 0; ; {
		if _, err := l.Cloud.Reserve(ctx, l.scope, l.kind, fleet.Resize, 1); err != nil {
			if lasting(err) {
				return err
			}
			return &notAllowedError{fmt.Errorf("wait for room in the rate limit: %w", err)}
		}
		err := l.do(ctx, fleet.Resize, []cloud.Target{{Resource: resource, Type: wanted}})
		var wait time.Duration
		switch {
		case errors.Is(err, cloud.ErrThrottled) && throttled < throttleTries:
			throttled++
			wait = throttleWait(throttled, err)
		case errors.Is(err, cloud.ErrTransient) && failed < transientTries-1:
			failed++
			wait = transientWait(failed)
		default:
			return err
		}
		if err := l.Clock.Sleep(ctx, wait); err != nil {
			return &notAllowedError{err}
		}
	}
}

// enter waits for one of the slots; leave gives it back.
func (l *lane) enter(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err // select would take a free slot all the same, now and then
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *lane) leave() { <-l.slots }

func (l *lane) list(ctx context.Context, ids []string) ([]fleet.Resource, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.leave()
	return l.Cloud.List(ctx, l.scope, l.kind, cloud.Query{IDs: ids})
}

// do makes one call in one of the slots, when this process may still act.
func (l *lane) do(ctx context.Context, verb fleet.Verb, targets []cloud.Target) error {
	if err := l.enter(ctx); err != nil {
		return &notAllowedError{err}
	}
	defer l.leave()
	l.tellRungs()
	if l.MayAct != nil {
		if err := l.MayAct(); err != nil {
			return &notAllowedError{err}
		}
	}
	call, end := l.outlive(ctx)
	defer end()
	err := l.Cloud.Do(cloud.WithPermit(call, l.MayAct), l.scope, l.kind, verb, targets)
	if errors.Is(err, cloud.ErrNotPermitted) {
		return &notAllowedError{err}
	}
	return err
}

// outlive returns a context for a call that is made: it ends drain after ctx
// does. end has to be called when the call is over.
func (l *lane) outlive(ctx context.Context) (call context.Context, end func()) {
	call, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if l.Clock.Sleep(call, drain) == nil {
			cancel(context.Cause(ctx))
		}
	})
	return call, func() {
		stop()
		cancel(nil)
	}
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
		targets[i] = cloud.Target{Resource: it.resource, Size: it.action.Size, Snapshot: it.action.Snapshot}
		if c.verb == fleet.Resize {
			targets[i].Type = it.action.Type
		}
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
		l.taken(c.items)
	case errors.As(err, &partial):
		unconfirmed, confirmed := split(c.items, partial.IDs)
		l.taken(confirmed)
		if len(unconfirmed) > 0 {
			return l.putBackTransient(ctx, call{verb: c.verb, items: unconfirmed, tries: c.tries}, err)
		}
	case errors.As(err, &notAllowed):
		l.push(c)
		return err
	case errors.Is(err, cloud.ErrThrottled):
		return l.putBackThrottled(ctx, c, err)
	case errors.Is(err, cloud.ErrNotYet) && len(c.items) == 1:
		l.finish(c.items, plan.Waiting, err)
	case errors.As(err, &member):
		l.isolate(c, member)
	case errors.Is(err, cloud.ErrInsufficientCapacity):
		l.narrow(c, err)
	case stopsLane(err):
		l.finish(c.items, plan.Failed, err)
		return err
	case errors.Is(err, cloud.ErrUnauthorized):
		l.refused++
		if l.accepted == 0 && l.refused >= refusalsBeforeGivingUp || len(c.items) == 1 {
			l.finish(c.items, plan.Failed, err)
		} else {
			l.halve(c)
		}
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
	for _, class := range []error{cloud.ErrNotYet, cloud.ErrNotFound, cloud.ErrWrongState, cloud.ErrUnsupported, cloud.ErrProtected, cloud.ErrInvalid} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// taken notes a call that the cloud accepted.
func (l *lane) taken(items []*item) {
	l.accepted++
	for _, it := range items {
		delete(l.short, it.pool())
		if l.verb == fleet.Resize {
			it.resized = it.action.Type
		}
		if first := it.action.Preferred; l.verb == fleet.Start && first != "" && it.resource.Type != first {
			it.sayf("starts as %s instead of %s", it.resource.Type, first)
		}
	}
	l.finish(items, plan.Accepted, nil)
}

// isolate fails the members that the cloud named and sends the others again.
func (l *lane) isolate(c call, member *cloud.MemberError) {
	bad, good := split(c.items, member.IDs)
	if len(bad) == 0 && len(c.items) > 1 { // the cloud named strangers: find out by halving
		l.halve(c)
		return
	}
	if len(bad) == 0 {
		bad, good = c.items, nil
	}
	if len(good) > 0 {
		l.push(call{verb: c.verb, items: good, tries: c.tries})
	}
	switch {
	case errors.Is(member, cloud.ErrInsufficientCapacity):
		for _, it := range bad {
			if len(c.items) == 1 {
				l.emptier(it, member.Err)
			}
			l.nextType(it, c.verb, member.Err)
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
	isNamed := make(map[string]bool, len(ids))
	for _, id := range ids {
		isNamed[id] = true
	}
	for _, it := range items {
		if isNamed[it.resource.ID] {
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
		it.sayf("to be stopped instead of hibernated (%v)", err)
	}
	l.gather(fleet.Stop, items)
}

// gather puts items at the end of the queue, in one call with others that
// need another try.
func (l *lane) gather(verb fleet.Verb, items []*item) {
	if last := len(l.queue) - 1; last >= 0 && l.queue[last].gathers && l.queue[last].verb == verb {
		l.queue[last].items = append(l.queue[last].items, items...)
		return
	}
	l.queue = append(l.queue, call{verb: verb, items: slices.Clone(items), gathers: true})
}

// narrow deals with a call that met missing capacity: first by pool, then by half.
func (l *lane) narrow(c call, err error) {
	pools := map[string][]*item{}
	var order []string
	for _, it := range c.items {
		pool := it.pool()
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
		l.emptier(c.items[0], err)
		l.nextType(c.items[0], c.verb, err)
	}
}

// emptier counts a member that met missing capacity singly.
func (l *lane) emptier(it *item, err error) {
	l.short[it.pool()] = shortage{l.short[it.pool()].singly + 1, err}
}

// nextType tries the next type that the resource accepts, or ends the round.
func (l *lane) nextType(it *item, verb fleet.Verb, err error) {
	if verb == fleet.Start {
		it.short = it.short.Refuse(it.resource.Type, l.Clock.Now())
	}
	if i := slices.Index(it.types, it.resource.Type); i >= 0 {
		it.types = it.types[i+1:]
	}
	if len(it.types) == 0 {
		l.finish([]*item{it}, plan.Failed, err)
		return
	}
	it.sayf("no capacity for %s", it.resource.Type)
	l.rungs = append(l.rungs, plan.Rung{
		Action: it.action, Shortage: it.short, Type: it.resource.Type, Zone: it.resource.Zone, Next: it.types[0], Err: err, At: l.Clock.Now(),
	})
	l.gather(verb, []*item{it})
}

// tellRungs makes known which starts went on to another type.
func (l *lane) tellRungs() {
	if len(l.rungs) > 0 && l.Rungs != nil {
		l.Rungs(l.rungs)
	}
	l.rungs = nil
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
	return l.Clock.Sleep(ctx, throttleWait(l.throttled, err))
}

// throttleWait is the pause after so many throttled calls in a row (1, 2, …):
// twice as long each time, longer when the provider says so, up to a bound.
func throttleWait(throttled int, err error) time.Duration {
	wait := min(throttleFirst<<min(throttled-1, 10), throttleCap)
	var hint cloud.RetryAfter
	if errors.As(err, &hint) {
		wait = max(wait, min(hint.RetryAfter(), throttleCap))
	}
	return wait
}

func (l *lane) putBackTransient(ctx context.Context, c call, err error) error {
	if ctx.Err() != nil {
		l.finish(c.items, plan.Uncertain, err)
		return context.Cause(ctx)
	}
	if c.verb == fleet.Reboot { // it may have been carried out, and twice would be worse than not at all
		l.finish(c.items, plan.Uncertain, err)
		return nil
	}
	for _, it := range c.items {
		it.unsure = true
	}
	c.tries++
	if c.tries >= transientTries {
		l.finish(c.items, plan.Failed, fmt.Errorf("%d tries: %w", c.tries, err))
		return nil
	}
	l.push(c)
	return l.Clock.Sleep(ctx, transientWait(c.tries))
}

// transientWait is the pause after so many tries of a call (1, 2, …).
func transientWait(tries int) time.Duration { return time.Second << (tries - 1) }
