package pass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/store"
)

const (
	// alarmGather: stops that are accepted this close together are muted for by
	// one call. An alarm looks at a minute or more of missing data before it speaks.
	alarmGather = 5 * time.Second
	// alarmPatience is how long a scope whose actions have ended waits for
	// CloudWatch. Five thousand alarms take some six seconds to list.
	alarmPatience = 30 * time.Second
	// alarmPause is how long a scope in which CloudWatch failed is not asked again
	// for what is left over; new stops try it anyway.
	alarmPause = 5 * time.Minute
)

var errAlarmsLate = fmt.Errorf("it took longer than %s", alarmPatience)

// AlarmTrouble is why alarms of a scope could not be muted or restored, and when that is tried again.
type AlarmTrouble struct {
	Why  string
	Next time.Time
}

// alarmKeepers mute and restore alarms beside the actions of a pass, scope by
// scope: no action waits for them. What they leave undone, or a crash cuts off,
// is remembered (decide.Memory) and done by a later pass.
type alarmKeepers struct {
	*running
	keepers map[fleet.Scope]*alarmKeeper
	group   sync.WaitGroup
}

// alarmKeeper is at work in one scope. Its memories are those that nobody else
// writes any more in this pass: of what is not acted on, and of what was.
type alarmKeeper struct {
	*running
	scope fleet.Scope
	// Known at the begin: what is about to be stopped, and what is left over of earlier passes.
	planned   []fleet.Resource
	leftovers []fleet.Ref
	lost      []decide.Memory // that no listing shows any more

	memories  map[fleet.Ref]decide.Memory
	resources map[fleet.Ref]fleet.Resource
	down      map[fleet.Ref]bool // stopped, or about to be
	due       map[fleet.Ref]bool // whose alarms are to be muted
	alarms    []cloud.Alarm
	listed    bool
	handled   map[string]bool // alarms

	closing context.Context // ends with the last action of the scope
	close   context.CancelFunc
	cancel  context.CancelCauseFunc
	done    chan struct{}
	wake    chan struct{}
	mu      sync.Mutex
	heard   []plan.Outcome
}

// keepAlarms sets a keeper to work in each scope where something is to be done
// about alarms. ctx ends when the process is told to stop.
func (r *running) keepAlarms(ctx context.Context, planned plan.Plan) *alarmKeepers {
	ks := &alarmKeepers{running: r, keepers: map[fleet.Scope]*alarmKeeper{}}
	if r.Alarms == nil {
		return ks
	}
	r.report.Known.Alarms = map[fleet.Scope]AlarmTrouble{}
	maps.Copy(r.report.Known.Alarms, r.Known.Alarms)
	acted := map[fleet.Ref]bool{}
	for i := range planned.Actions {
		action := &planned.Actions[i]
		acted[action.Resource.Ref] = true
		if action.Memory.Intent != nil && action.Memory.Intent.Mute {
			k := ks.keeper(action.Resource.Scope)
			k.planned = append(k.planned, action.Resource)
		}
	}
	untouched := map[fleet.Ref]decide.Memory{}
	for i := range planned.Held {
		untouched[planned.Held[i].Resource.Ref] = planned.Held[i].Untouched()
	}
	var down []fleet.Resource
	for i := range r.report.Decisions {
		d := &r.report.Decisions[i]
		ref, state := d.Resource.Ref, d.Resource.State
		if acted[ref] || d.Observe { // where Dayshift only observes it changes nothing, alarms included
			continue
		}
		memory, held := untouched[ref]
		if !held {
			memory = d.Memory
		}
		untouched[ref] = memory
		if (memory.MuteDue(state) || memory.RestoreDue(state)) && !r.pausing(ref.Scope) {
			k := ks.keeper(ref.Scope)
			k.leftovers = append(k.leftovers, ref)
			k.know(d.Resource, memory)
		}
		if state == fleet.Stopped || state == fleet.Stopping {
			down = append(down, d.Resource)
		}
	}
	for i := range down {
		if k := ks.keepers[down[i].Scope]; k != nil {
			k.know(down[i], untouched[down[i].Ref])
			k.down[down[i].Ref] = true
		}
	}
	for _, memory := range r.lost {
		if scope := memory.Ref.Scope; !r.pausing(scope) {
			k := ks.keeper(scope)
			k.lost = append(k.lost, memory)
		}
	}
	for _, k := range ks.keepers {
		k.begin(ctx, &ks.group)
	}
	return ks
}

// begin sets the keeper to work.
func (k *alarmKeeper) begin(ctx context.Context, group *sync.WaitGroup) {
	work, cancel := context.WithCancelCause(cloud.WithPermit(ctx, k.mayAct))
	k.cancel = cancel
	k.closing, k.close = context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() { k.run(work) })
}

// pausing reports whether CloudWatch failed in the scope just now, and looks at it again then.
func (r *running) pausing(scope fleet.Scope) bool {
	next := r.Known.Alarms[scope].Next
	pausing := next.After(r.now) && !next.After(r.now.Add(alarmPause)) // a clock that was set back pauses nothing
	if pausing {
		r.due(scope, next)
	}
	return pausing
}

func (ks *alarmKeepers) keeper(scope fleet.Scope) *alarmKeeper {
	k := ks.keepers[scope]
	if k == nil {
		k = &alarmKeeper{
			running: ks.running, scope: scope, memories: map[fleet.Ref]decide.Memory{}, resources: map[fleet.Ref]fleet.Resource{},
			down: map[fleet.Ref]bool{}, due: map[fleet.Ref]bool{}, handled: map[string]bool{}, done: make(chan struct{}), wake: make(chan struct{}, 1),
		}
		ks.keepers[scope] = k
	}
	return k
}

// hear takes outcomes, once they are recorded.
func (ks *alarmKeepers) hear(outcomes []plan.Outcome) {
	if len(ks.keepers) == 0 || len(outcomes) == 0 {
		return
	}
	for scope, k := range ks.keepers {
		k.mu.Lock()
		for i := range outcomes {
			if outcomes[i].Action.Resource.Scope == scope {
				k.heard = append(k.heard, outcomes[i])
			}
		}
		k.mu.Unlock()
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// finish waits, within bounds, until what is to be done in the scope is done: no
// action of it follows.
func (ks *alarmKeepers) finish(ctx context.Context, scope fleet.Scope) {
	k := ks.keepers[scope]
	if k == nil {
		return
	}
	k.close()
	patience, end := context.WithTimeoutCause(context.WithoutCancel(ctx), alarmPatience, errAlarmsLate)
	defer end()
	stop := context.AfterFunc(patience, func() { k.cancel(errAlarmsLate) })
	<-k.done
	stop()
	k.cancel(nil)
}

// then calls f once the scope, which has no actions, is done; at once where there is nothing to do.
func (ks *alarmKeepers) then(ctx context.Context, scope fleet.Scope, f func()) {
	if ks.keepers[scope] == nil {
		f()
		return
	}
	ks.group.Go(func() {
		ks.finish(ctx, scope)
		f()
	})
}

// wait returns once all keepers have ended.
func (ks *alarmKeepers) wait() { ks.group.Wait() }

func (k *alarmKeeper) know(resource fleet.Resource, memory decide.Memory) {
	k.memories[resource.Ref], k.resources[resource.Ref] = memory, resource
}

// run restores what is left over, and then mutes as stops are accepted.
func (k *alarmKeeper) run(ctx context.Context) {
	defer close(k.done)
	err := k.leftOver(ctx)
	for open := true; open; {
		var batch []plan.Outcome
		batch, open = k.next()
		if err != nil {
			continue // what is left over a later pass does
		}
		if err = k.restore(ctx, k.take(batch)); err == nil {
			err = k.mute(ctx)
		}
	}
	k.tell(ctx, err)
}

// leftOver restores what an earlier pass left undone, and finds what is to be muted.
func (k *alarmKeeper) leftOver(ctx context.Context) error {
	var running []fleet.Ref
	for _, ref := range k.leftovers {
		memory := k.memories[ref]
		if memory.RestoreDue(k.resources[ref].State) {
			running = append(running, ref)
		} else {
			k.due[ref] = true
		}
	}
	if err := k.findLost(ctx, &running); err != nil {
		return err
	}
	if err := k.restore(ctx, running); err != nil {
		return err
	}
	if len(k.due)+len(k.planned) == 0 {
		return nil
	}
	return k.list(ctx)
}

// next waits for outcomes, and a little for more of them; open is false when none follow.
func (k *alarmKeeper) next() (batch []plan.Outcome, open bool) {
	k.mu.Lock()
	waits := len(k.heard) == 0 && len(k.due) == 0
	k.mu.Unlock()
	if waits {
		select {
		case <-k.wake:
		case <-k.closing.Done():
		}
	}
	open = k.Clock.Sleep(k.closing, alarmGather) == nil
	k.mu.Lock()
	defer k.mu.Unlock()
	batch, k.heard = k.heard, nil
	return batch, open
}

// take notes what became of actions; it returns what still runs and has alarms to be restored.
func (k *alarmKeeper) take(batch []plan.Outcome) (running []fleet.Ref) {
	for i := range batch {
		outcome := &batch[i]
		resource, verb := outcome.Action.Resource, outcome.Action.Verb
		memory := plan.Remember(*outcome)
		stopped := outcome.Status == plan.Accepted && (verb == fleet.Stop || verb == fleet.Hibernate)
		switch {
		case stopped:
			k.know(resource, memory)
			k.down[resource.Ref] = true
			if memory.MuteDue(fleet.Stopping) {
				k.due[resource.Ref] = true
			}
		case outcome.Status == plan.Skipped: // it is not as it was listed
		case memory.RestoreDue(resource.State):
			k.know(resource, memory)
			running = append(running, resource.Ref)
		}
	}
	return running
}

// list asks once for the alarms of everything that is stopped or about to be.
func (k *alarmKeeper) list(ctx context.Context) (err error) {
	asked := slices.Clone(k.planned)
	for _, ref := range slices.SortedFunc(maps.Keys(k.down), fleet.Ref.Compare) {
		asked = append(asked, k.resources[ref])
	}
	k.alarms, err = k.Alarms.Alarms(ctx, k.scope, asked)
	k.listed = err == nil
	return err
}

// mute mutes the alarms of what is due that watch nothing but what is down.
func (k *alarmKeeper) mute(ctx context.Context) error {
	if len(k.due) == 0 || !k.listed {
		return nil
	}
	var names []string
	changed := map[fleet.Ref]bool{}
	for _, alarm := range k.alarms {
		isDue := slices.ContainsFunc(alarm.Of, func(ref fleet.Ref) bool { return k.due[ref] })
		if k.handled[alarm.Name] || !isDue || slices.ContainsFunc(alarm.Of, func(ref fleet.Ref) bool { return !k.down[ref] }) {
			continue
		}
		k.handled[alarm.Name] = true
		names = append(names, alarm.Name)
		for _, ref := range alarm.Of { // whichever runs first restores it
			k.memories[ref] = k.memories[ref].Muting([]string{alarm.Name})
			changed[ref] = true
		}
	}
	if len(names) > 0 {
		if err := k.write(ctx, changed, nil); err != nil {
			return err
		}
		if err := k.Alarms.Mute(ctx, k.scope, names); err != nil {
			return err
		}
	}
	var rows []store.Activity
	for ref := range k.due {
		k.memories[ref] = k.memories[ref].WasMuted()
		if muted := k.memories[ref].MutedAlarms(); len(muted) > 0 {
			rows = append(rows, k.rowOf(store.EventAlarmsMuted, ref, "muted until it runs again: "+decide.AlarmList(muted).String()))
		}
		changed[ref] = true
	}
	clear(k.due)
	return k.write(ctx, changed, rows)
}

// restore gives the alarms of what runs their voice back.
func (k *alarmKeeper) restore(ctx context.Context, refs []fleet.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	var names []string
	for _, ref := range refs {
		names = append(names, k.memories[ref].MutedAlarms()...)
	}
	var restored []string
	if len(names) > 0 {
		slices.Sort(names)
		var err error
		if restored, err = k.Alarms.Restore(ctx, k.scope, slices.Compact(names)); err != nil {
			return err
		}
	}
	changed := map[fleet.Ref]bool{}
	var rows []store.Activity
	for _, ref := range refs {
		muted := k.memories[ref].MutedAlarms()
		k.memories[ref] = k.memories[ref].WasRestored()
		changed[ref] = true
		if len(muted) == 0 {
			continue
		}
		back := slices.DeleteFunc(slices.Clone(muted), func(name string) bool { return !slices.Contains(restored, name) })
		var said []string
		if len(back) > 0 {
			said = append(said, "live again: "+decide.AlarmList(back).String())
		}
		switch others := len(muted) - len(back); { // a person enabled them, or what else they watch was started before
		case others == 1:
			said = append(said, "1 alarm was live already, or is gone")
		case others > 1:
			said = append(said, fmt.Sprintf("%d alarms were live already, or are gone", others))
		}
		rows = append(rows, k.rowOf(store.EventAlarmsRestored, ref, strings.Join(said, "; ")))
	}
	return k.write(ctx, changed, rows)
}

// findLost asks for what no listing shows any more by its ID: what exists lost
// its schedule tag, and its alarms are given back; of what does not they are forgotten.
func (k *alarmKeeper) findLost(ctx context.Context, restore *[]fleet.Ref) error {
	ids, known := map[fleet.Kind][]string{}, map[fleet.Ref]decide.Memory{}
	for _, memory := range k.lost {
		ids[memory.Ref.Kind] = append(ids[memory.Ref.Kind], memory.Ref.ID)
		known[memory.Ref] = memory
	}
	gone := map[fleet.Ref]bool{}
	for kind, some := range ids {
		found, err := k.Cloud.List(ctx, k.scope, kind, cloud.Query{IDs: some})
		if err != nil {
			return fmt.Errorf("look for %s that are not listed any more: %w", kind, err)
		}
		exist := map[string]bool{}
		for _, resource := range found {
			exist[resource.ID] = true
			if !k.concerns(resource) {
				k.know(resource, known[resource.Ref])
				*restore = append(*restore, resource.Ref)
			}
		}
		for _, id := range some {
			if ref := (fleet.Ref{Scope: k.scope, Kind: kind, ID: id}); !exist[id] {
				k.memories[ref] = known[ref].WasRestored()
				gone[ref] = true
			}
		}
	}
	return k.write(ctx, gone, nil)
}

func (k *alarmKeeper) rowOf(event store.Event, ref fleet.Ref, detail string) store.Activity {
	memory := k.memories[ref]
	return store.Activity{At: k.Clock.Now(), Event: event, Ref: ref, Name: memory.Name, Schedule: memory.Schedule, Reason: string(event), Detail: detail}
}

// write records memories, and rows with them. What was begun is written down
// also when the process is told to stop.
func (k *alarmKeeper) write(ctx context.Context, refs map[fleet.Ref]bool, rows []store.Activity) error {
	if len(refs)+len(rows) == 0 {
		return nil
	}
	changes := store.Changes{Activity: rows}
	for ref := range refs {
		changes.Memories = append(changes.Memories, k.memories[ref])
	}
	slices.SortFunc(changes.Activity, func(a, b store.Activity) int { return a.Ref.Compare(b.Ref) })
	err := k.recorder.Alarms(context.WithoutCancel(ctx), changes)
	k.running.mu.Lock()
	defer k.running.mu.Unlock()
	k.said += len(rows)
	if err != nil {
		k.failed = errors.Join(k.failed, err)
		return fmt.Errorf("%w: %w", errUnrecorded, err)
	}
	return nil
}

// tell says what was in the way: in the log each time, in the record when it begins.
func (k *alarmKeeper) tell(ctx context.Context, err error) {
	if err == nil {
		k.running.mu.Lock()
		delete(k.report.Known.Alarms, k.scope)
		k.running.mu.Unlock()
		return
	}
	cause := context.Cause(ctx)
	if errors.Is(err, cloud.ErrNotPermitted) || errors.Is(err, errUnrecorded) || cause != nil && !errors.Is(cause, errAlarmsLate) {
		return // another process goes on, or this one after its restart
	}
	next := k.Clock.Now().Add(alarmPause)
	k.Log.WarnContext(ctx, "alarms could not be muted or restored; it is tried again",
		slog.String("scope", k.scope.String()), slog.Time("next", next), slog.Any("error", err))
	k.running.mu.Lock()
	known := k.report.Known.Alarms[k.scope].Why != ""
	k.report.Known.Alarms[k.scope] = AlarmTrouble{Why: err.Error(), Next: next}
	k.running.due(k.scope, next)
	k.running.mu.Unlock()
	if known {
		return
	}
	row := store.Activity{
		At: k.Clock.Now(), Event: store.EventFailed, Ref: fleet.Ref{Scope: k.scope}, Reason: "alarms",
		Detail: fmt.Sprintf("alarms could not be muted or restored; it is tried again: %v", err),
	}
	_ = k.write(ctx, nil, []store.Activity{row}) // the pass fails by it
}
