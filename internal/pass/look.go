package pass

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// look is what a pass makes of one scope: from what its listing showed to the
// decisions. Scopes are looked at side by side, each as soon as it is listed; of
// resources about which nothing is to be done or told little more than counts is
// kept, so that a large fleet is never held whole.
type look struct {
	scope     fleet.Scope
	seen      discover.Seen // until it was decided on
	settled   []Settled
	decisions []decide.Decision
	before    map[fleet.Ref]decide.Memory // of the decisions, as loaded
	changed   []decide.Memory             // to be written, of resources without a decision here
	gone      []fleet.Ref
	lost      []decide.Memory // absent, with alarms that are muted for it
	tallies   map[fleet.Kind]*tally
	reasons   map[decide.Reason]int
	due       time.Time
	open      map[fleet.Kind]bool            // kinds with decisions that are not over, see decide.Decision.Decided
	stale     map[fleet.Kind][]decide.Memory // unchanged, with instants that have grown old
	listed    int                            // kinds
	asked     []fleet.Kind                   // nil: every kind was
	skip      discover.Skip                  // of the search for other kinds
	missed    map[fleet.Kind]bool            // that could not be listed
	rest      restingLook
	err       error
}

// tally counts the resources of a kind.
type tally struct {
	concerned int // that anything can act on
	running   int // governed ones that run
	states    map[fleet.State]int
}

func (l *look) tally(kind fleet.Kind) *tally {
	t := l.tallies[kind]
	if t == nil {
		t = &tally{states: map[fleet.State]int{}}
		l.tallies[kind] = t
	}
	return t
}

// Group is what the resources of a scope are counted by.
type Group struct {
	Scope fleet.Scope
	Kind  fleet.Kind
	State fleet.State
}

// heard is told what the listing of a scope showed. A scope in which a rule has
// something to do waits until all are listed, because how much the rule matches
// decides what becomes of its fire.
func (r *running) heard(ctx context.Context, scope fleet.Scope, seen discover.Seen) {
	l := r.looks[scope]
	l.seen, l.listed = seen, seen.Listed
	if !r.ruled[scope] {
		r.lookAt(ctx, l)
	}
}

// waiting puts together what the scopes showed that wait for the others.
func (r *running) waiting() discover.Seen {
	var parts []discover.Seen
	for _, scope := range r.Scopes {
		if r.ruled[scope] {
			parts = append(parts, r.looks[scope].seen)
		}
	}
	return discover.Join(parts...)
}

// decide decides on what waited, and gathers what became of all.
func (r *running) decide(ctx context.Context) ([]decide.Decision, error) {
	n := 0
	for _, scope := range r.Scopes {
		l := r.looks[scope]
		if r.ruled[scope] {
			r.lookAt(ctx, l)
		}
		if l.err != nil {
			return nil, l.err
		}
		n += len(l.decisions)
	}
	decisions := make([]decide.Decision, 0, n)
	for _, scope := range r.Scopes {
		l := r.looks[scope]
		decisions = append(decisions, l.decisions...)
		l.decisions = nil
		r.report.Settled = append(r.report.Settled, l.settled...)
		r.gone = append(r.gone, l.gone...)
		r.lost = append(r.lost, l.lost...)
		for kind, t := range l.tallies {
			r.runs[scope] += t.running
			r.report.Run.Counts.Resources += t.concerned
			for state, n := range t.states {
				r.report.States[Group{scope, kind, state}] += n
			}
		}
		for reason, n := range l.reasons {
			r.report.Reasons[reason] += n
		}
		r.due(scope, l.due)
	}
	r.report.Decisions = decisions
	return decisions, nil
}

// lookAt settles what was under way in a scope and decides on its resources. It
// touches nothing of other scopes.
func (r *running) lookAt(ctx context.Context, l *look) {
	seen := l.seen
	l.seen = discover.Seen{}
	l.asked, l.missed = seen.Kinds, map[fleet.Kind]bool{}
	l.rest.begin(len(seen.Resources))
	l.rest.partial = len(seen.Partial) > 0
	for _, kind := range seen.Partial {
		if known := l.rest.known; known != nil {
			l.tallies[kind] = known.tallies[kind]
		}
	}
	l.due = l.rest.known.due()
	var memories map[fleet.Ref]decide.Memory
	remember := func() bool {
		if memories == nil && l.err == nil {
			memories, l.err = r.remembered(ctx, l.scope)
		}
		return l.err == nil
	}
	type looked struct {
		resource *fleet.Resource
		mark     mark
	}
	var anew []looked
	for i := range seen.Resources {
		resource := &seen.Resources[i]
		if !r.concerns(*resource) {
			continue
		}
		t := l.tally(resource.Kind)
		partial := slices.Contains(seen.Partial, resource.Kind)
		if !partial { // else it is counted since the last whole listing
			t.concerned++
			t.states[resource.State]++
		}
		mark := markOf(resource)
		if runs, same := l.rest.same(mark); !same {
			anew = append(anew, looked{resource, mark})
		} else if runs && !partial {
			t.running++
		}
	}
	for kind, kept := range seen.Kept {
		t := l.tally(kind)
		for _, key := range kept {
			if state, runs, first := l.rest.kept(key); first {
				t.concerned++
				t.states[state]++
				if runs {
					t.running++
				}
			}
		}
	}
	if len(anew) > 0 && !remember() {
		return
	}
	r.askHealth(ctx, l.scope, seen.Resources, memories)
	for _, one := range anew {
		governs := r.book.Governs(*one.resource)
		runs := governs.Why == policy.Governed && one.resource.State == fleet.Running
		if runs && !slices.Contains(seen.Partial, one.resource.Kind) {
			l.tally(one.resource.Kind).running++
		}
		before := memories[one.resource.Ref]
		r.scopes[l.scope].lift(&before)
		l.rest.set(one.mark, runs, r.lookAtOne(l, one.resource, governs, before))
	}
	if l.rest.known == nil || l.rest.vanished() {
		if remember() {
			r.absent(l, seen, memories)
		}
	}
	for _, kind := range r.Cloud.Kinds() {
		if l.asked != nil && !slices.Contains(l.asked, kind) {
			continue // there is nothing of it
		}
		complete := seen.Answered(l.scope, kind)
		if !complete {
			l.rest.spoil()
			l.missed[kind] = true
		}
		if complete && !l.open[kind] {
			r.scopes[l.scope].decidedOn(kind, r.now)
		} else { // no instant stands for all of them
			l.changed = append(l.changed, l.stale[kind]...)
		}
	}
	l.stale = nil
	if len(l.changed) >= writtenAhead && !r.DryRun && l.err == nil {
		l.err = r.writeAhead(ctx, l)
	}
}

// writtenAhead is how many memories of a scope are written as soon as it was looked
// at: at the first look at a large fleet there are a thousand times as many of them
// as fit into one write.
const writtenAhead = 1000

// writeAhead writes what is remembered of resources about which nothing is done or
// recorded. What is recorded of one is written together with what is remembered.
// Scopes write one after the other: a store writes one thing at a time, and the time
// that one waits for the others is not the store's, for which it would count as down.
func (r *running) writeAhead(ctx context.Context, l *look) error {
	recorded := make(map[fleet.Ref]bool, len(l.settled))
	for i := range l.settled {
		recorded[l.settled[i].Resource.Ref] = true
	}
	kept := slices.DeleteFunc(slices.Clone(l.changed), func(m decide.Memory) bool { return !recorded[m.Ref] })
	plain := slices.DeleteFunc(l.changed, func(m decide.Memory) bool { return recorded[m.Ref] })
	l.changed = kept
	select {
	case r.ahead <- struct{}{}:
		defer func() { <-r.ahead }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return r.recorder.Before(ctx, store.Changes{Memories: plain})
}

// lookAtOne settles and decides on one resource, and reports whether it can be
// left alone for as long as it looks the same and the due time has not come.
func (r *running) lookAtOne(l *look, resource *fleet.Resource, governs policy.Policy, before decide.Memory) (quiet bool) {
	memory, outcome := decide.Settle(before, *resource, r.now, r.term)
	if outcome.Ended != decide.NotUnderWay && outcome.Ended != decide.StillWaits {
		l.settled = append(l.settled, Settled{*resource, memory, outcome})
	}
	decision := r.decideOne(decide.Input{Now: r.now, Policy: governs, Memory: memory, Resource: *resource, Fires: r.fires[resource.Ref]})
	l.reasons[decision.Reason]++
	quiet = decision.Quiet() && !r.awaited(resource)
	if !decision.Decided() {
		l.open[resource.Kind] = true
	} else if grown := r.now.Sub(before.DecidedAt).Abs(); grown >= refreshAfter && !decision.Memory.Differs(before) {
		l.stale[resource.Kind] = append(l.stale[resource.Kind], decision.Memory)
	}
	if !quiet || !r.lean() {
		l.decisions = append(l.decisions, decision)
		l.before[resource.Ref] = before
		return quiet
	}
	l.due = sooner(l.due, decision.Recheck)
	if decision.Memory.Differs(before) {
		l.changed = append(l.changed, decision.Memory)
	}
	return true
}

// awaited reports whether an override waits for the resource to reach its state.
func (r *running) awaited(resource *fleet.Resource) bool {
	return slices.ContainsFunc(r.book.Overrides, func(o *policy.Override) bool { return o.Once && o.Covers(*resource, r.book.TagKey) })
}

// lean: whoever asks for chains asks for all of them.
func (r *running) lean() bool { return r.Lean && !r.Chains }

func (r *running) remembered(ctx context.Context, scope fleet.Scope) (map[fleet.Ref]decide.Memory, error) {
	list, err := r.Store.Memories(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("load what is remembered of %s: %w", scope, err)
	}
	memories := make(map[fleet.Ref]decide.Memory, len(list))
	for i := range list {
		memories[list[i].Ref] = list[i]
	}
	return memories, nil
}

// absent finds what complete listings do not show: it is remembered for a while
// longer, and then forgotten.
func (r *running) absent(l *look, seen discover.Seen, memories map[fleet.Ref]decide.Memory) {
	present := make(map[fleet.Ref]bool, len(seen.Resources))
	for i := range seen.Resources {
		present[seen.Resources[i].Ref] = true
	}
	asked := r.Cloud.Kinds()
	for ref, memory := range memories {
		switch {
		case present[ref] || l.rest.wasFound(keyOf(ref.Kind, ref.ID)) || !slices.Contains(asked, ref.Kind) || !seen.Complete(ref.Scope, ref.Kind):
		case memory.Muted != "":
			l.lost = append(l.lost, memory)
		case memory.Missing.IsZero() || memory.Missing.After(r.now):
			memory.Missing = r.now
			l.changed = append(l.changed, memory)
			l.due = sooner(l.due, memory.Missing.Add(forgetAfter))
		case r.now.Sub(memory.Missing) >= forgetAfter:
			l.gone = append(l.gone, ref)
		default:
			l.due = sooner(l.due, memory.Missing.Add(forgetAfter))
		}
	}
	slices.SortFunc(l.gone, fleet.Ref.Compare)
}

// sooner is the earlier of two instants of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
