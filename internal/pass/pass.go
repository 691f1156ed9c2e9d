// Package pass is one scheduling pass: the table of contents of the product.
//
// A pass reads in one direction. Each noun on the right of a stage was made by
// the line above; the clock is read once, on the first line; a scope that does
// not answer and an action that fails are data in the report. Only what makes
// the whole pass impossible is an error: no configuration, no store, no lease.
package pass

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"dayshift/internal/act"
	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/record"
	"dayshift/internal/store"
)

// Cloud is what a pass needs of a cloud.
type Cloud interface {
	cloud.Lister
	cloud.Actor
	cloud.Tagger
}

// Store is what a pass needs of a store.
type Store interface {
	record.Store
	Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error)
	ScopeMemory(ctx context.Context, scope fleet.Scope) (decide.ScopeMemory, error)
	Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error)
	DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error
}

// Pass is everything one pass works with.
type Pass struct {
	Cloud Cloud
	Store Store
	Clock clock.Clock
	// Lease returns the lease as last renewed; MayAct says whether it still
	// leaves time for a call. Both nil in a dry run.
	Lease  func() store.Lease
	MayAct func() error

	Book   *policy.Book
	Limits plan.Limits
	// Config is the fingerprint of the configuration that Book was made of.
	Config string
	// Windows lists SSM maintenance windows; nil: there are none.
	Windows cloud.WindowLister
	// Finder tells of which kinds there is something in a scope; nil: every kind is listed.
	Finder cloud.Finder
	// Repair: nothing is due; the look only repairs what nobody told of. It leaves out kinds of which there is nothing.
	Repair bool
	// News: somebody said that something changed in the scopes, perhaps of a kind of which there was nothing.
	News bool
	// Snapshots lets go of snapshots that newer ones have replaced; nil: none are.
	Snapshots cloud.SnapshotKeeper
	// Alarms mutes the alarms of what is stopped; nil: nobody does.
	Alarms cloud.AlarmKeeper
	// Health tells what the provider's own checks say of what was started; nil: nobody does.
	Health cloud.HealthLister
	// Scopes to look at, all of the configuration or those that are due. All says that they are all.
	Scopes []fleet.Scope
	All    bool
	// Left, when not nil, is told of scopes that take much longer to list than the
	// others, which do not wait for them: they are due again at once, for a pass of
	// their own. nil: everybody is waited for.
	Left func([]fleet.Scope)
	// Resync is how often everything is looked at anyway, which bounds how long a
	// scope that does not answer is left alone; 0: nothing does.
	Resync time.Duration
	// Estimator predicts how long the rate limits make the plan take; nil: nobody does.
	Estimator cloud.Estimator
	// Foreseen, when not nil, is told the predictions before anything is done; not in a dry run.
	Foreseen func([]Estimate)
	// Trigger says what started the pass: start, boundary, resync, settle, command …
	Trigger string
	// Confirmed: a person has seen what the limits hold back, and wants it done.
	Confirmed bool
	// DryRun: decide and plan, but neither act nor write.
	DryRun bool
	// At makes a dry run decide for another instant than now.
	At time.Time
	// Lean: of decisions in which nothing is to be done, told or waited for, keep none.
	Lean bool
	// Rests knows what earlier passes of the process left at rest, which a Lean pass does not decide on again; nil: nothing.
	Rests *Rests
	// Chains: keep the chain of reasons of every decision.
	Chains bool
	// Tags says which informational tags are written.
	Tags TagOptions
	// Known is what earlier passes have said, as their reports gave it.
	Known Known

	Receivers []notify.Receiver
	Log       *slog.Logger
	// ID is that of the run, where somebody was told it already: the run is recorded whatever the pass finds. Empty: a new one.
	ID string
	// Decided, when not nil, is told what was seen and decided before anything is done about it. The report is the pass's
	// own: it is read before Decided returns, and not kept.
	Decided func(*Report)
	// Observe, when not nil, is told the outcomes as they become known.
	Observe func([]plan.Outcome)
	// ScopeDone, when not nil, is called as soon as nothing of the scope is under
	// way any more, with its next due time: other scopes may still be paced.
	ScopeDone func(scope fleet.Scope, due time.Time)
}

// Known is what earlier passes of this process have already said, so that a
// gap or a held stop is told when it begins and when it ends, not at every
// pass. The zero Known has said nothing.
type Known struct {
	Gaps map[fleet.Scope]string // the reason
	Held map[fleet.Ref]plan.Guard
	// Alarms are the scopes in which alarms could not be muted or restored.
	Alarms map[fleet.Scope]AlarmTrouble
}

// Report is what a pass found and did.
type Report struct {
	Run    store.Run
	At     time.Time // the instant that was decided for
	Scopes []fleet.Scope
	// Decisions are those of all resources; of a Lean pass those with something to do, to tell or to wait for.
	Decisions []decide.Decision
	Settled   []Settled
	Fired     []Fired // rules that fired or were missed
	Plan      plan.Plan
	Estimates []Estimate     // of the plan, ordered; none where nobody predicts
	Outcomes  []plan.Outcome // in the order in which they became known
	Gaps      []discover.Gap
	// Breakers are those of the scopes of which nothing could be seen.
	Breakers map[fleet.Scope]decide.Breaker
	Events   []notify.Event // what people were told
	Known    Known          // for the next pass
	// Windows are the SSM maintenance windows that were decided with, by scope; nil where no schedule names any.
	Windows map[fleet.Scope][]policy.Window
	// States counts all resources, Reasons the decisions: what is at rest is not decided on again.
	States  map[Group]int
	Reasons map[decide.Reason]int
	// Due is, for each scope, when an answer can change without anything
	// happening outside; absent for a scope with nothing scheduled.
	Due map[fleet.Scope]time.Time
}

// UnderWay returns the scopes with actions whose end has not been seen.
func (r *Report) UnderWay() []fleet.Scope {
	waiting := map[fleet.Scope]bool{}
	for i := range r.Decisions {
		if r.Decisions[i].Reason == decide.ActionUnderWay {
			waiting[r.Decisions[i].Resource.Scope] = true
		}
	}
	for i := range r.Outcomes {
		if r.Outcomes[i].Status == plan.Accepted {
			waiting[r.Outcomes[i].Action.Resource.Scope] = true
		}
	}
	return slices.SortedFunc(maps.Keys(waiting), fleet.Scope.Compare)
}

// Settled is an action of an earlier pass whose end was seen by this one.
type Settled struct {
	Resource fleet.Resource
	Memory   decide.Memory // after it was settled
	decide.Outcome
}

// Run makes the pass.
func Run(ctx context.Context, p *Pass) (Report, error) {
	now := p.Clock.Now()
	r := newRunning(p, now)

	if err := r.load(ctx); err != nil {
		return r.report, err
	}
	if !p.DryRun && p.MayAct != nil {
		// Whoever was paused for longer than its lease lasts learns it here, before
		// it asks AWS for what another process is at work on.
		if err := p.MayAct(); err != nil {
			return r.report, fmt.Errorf("begin the pass: %w", err)
		}
	}
	r.hearWindows(ctx)
	r.askRules()
	seen := discover.List(ctx, p.Cloud, r.request(ctx)) // what is listed is decided on as it comes
	gaps := r.leaveSlow(&seen)
	r.judge(ctx, gaps)
	r.fire(r.waiting())
	decisions, err := r.decide(ctx)
	if err != nil {
		return r.report, err
	}
	guards, err := r.guards(ctx, decisions)
	if err != nil {
		return r.report, err
	}
	planned := plan.Make(decisions, guards)
	r.recheck(planned)
	r.hear(gaps, planned)
	r.estimate(planned)
	if p.Decided != nil {
		p.Decided(&r.report)
	}
	if p.DryRun {
		return r.report, nil
	}
	err = r.recordIntents(ctx, planned)
	r.rest(err != nil)
	if err != nil {
		return r.report, err
	}
	// A warning is no use to anybody once all that is to be done is done. The rest is one message with what becomes of it.
	warnings, others := r.warnings()
	r.notify(ctx, warnings)
	decided := len(r.events)
	r.act(ctx, planned)
	r.letGo(ctx)
	err = errors.Join(r.endOverrides(ctx), r.recordRun(ctx))
	r.report.Events = r.events
	r.notify(ctx, append(others, r.events[decided:]...))
	return r.report, err
}

// anyTerm makes a dry run read intents as the holder of the lease would.
const anyTerm = math.MaxInt64

// forgetAfter is how long a resource may be absent from complete listings
// before it is forgotten: longer than any listing is stale, and than a tag is
// missing while somebody rebuilds an environment.
const forgetAfter = 24 * time.Hour

// tellFailuresAt is the try whose failure people are told of; earlier ones mostly
// pass by themselves and are in the activity record.
const tellFailuresAt = 3

// running is a pass on its way.
type running struct {
	*Pass
	now      time.Time
	term     int64
	recorder *record.Recorder
	book     *policy.Book
	scopes   map[fleet.Scope]*scopeState
	looks    map[fleet.Scope]*look
	rules    []dueRule
	ruled    map[fleet.Scope]bool // in which a rule has something to do
	fires    map[fleet.Ref][]decide.Fire
	runs     map[fleet.Scope]int // governed resources that run
	rows     []store.Activity    // found out before acting
	gone     []fleet.Ref
	slow     map[fleet.Scope]bool // were not waited for
	lost     []decide.Memory      // absent, with alarms that are muted for it
	ended    int                  // overrides, whose rows name the run
	ahead    chan struct{}        // holds one token while a scope writes ahead

	mu     sync.Mutex // guards what outcomes change while lanes run side by side
	report Report
	places map[fleet.Scope][]int // of each scope's outcomes in the report
	events []notify.Event
	failed error // of a record that could not be written: nothing more may be done
	said   int   // rows about alarms
}

func newRunning(p *Pass, now time.Time) *running {
	r := &running{
		Pass: p, now: now, term: anyTerm, book: p.Book,
		scopes: make(map[fleet.Scope]*scopeState, len(p.Scopes)), looks: make(map[fleet.Scope]*look, len(p.Scopes)), ruled: map[fleet.Scope]bool{},
		fires: map[fleet.Ref][]decide.Fire{}, runs: map[fleet.Scope]int{}, places: map[fleet.Scope][]int{},
		ahead: make(chan struct{}, 1),
	}
	if !p.At.IsZero() {
		r.now = p.At
	}
	r.report = Report{
		At: r.now, Scopes: p.Scopes, Due: map[fleet.Scope]time.Time{}, States: map[Group]int{}, Reasons: map[decide.Reason]int{},
		Run: store.Run{Trigger: p.Trigger, Started: now, Counts: store.RunCounts{Scopes: len(p.Scopes)}},
	}
	if !p.DryRun {
		r.term = p.Lease().Term
		r.report.Run.ID, r.report.Run.Term = cmp.Or(p.ID, store.NewRunID(now)), r.term
		r.recorder = &record.Recorder{Store: p.Store, Lease: p.Lease, Run: r.report.Run.ID}
	}
	return r
}

// load reads what is remembered of the scopes as a whole.
func (r *running) load(ctx context.Context) error {
	for _, scope := range r.Scopes {
		kept, err := r.Store.ScopeMemory(ctx, scope)
		if err != nil {
			return fmt.Errorf("load what is remembered of %s: %w", scope, err)
		}
		r.scopes[scope] = &scopeState{ScopeMemory: kept}
		r.looks[scope] = &look{
			scope: scope, before: map[fleet.Ref]decide.Memory{}, tallies: map[fleet.Kind]*tally{}, reasons: map[decide.Reason]int{},
			open: map[fleet.Kind]bool{}, stale: map[fleet.Kind][]decide.Memory{},
		}
	}
	return nil
}

// request says what is to be listed.
func (r *running) request(ctx context.Context) discover.Request {
	request := discover.Request{
		Scopes: r.Scopes, TagKey: r.book.TagKey, Whole: r.whole(), Doubtful: r.doubtful(), LeaveSlow: r.Left != nil,
		Heard: func(scope fleet.Scope, seen discover.Seen) { r.heard(ctx, scope, seen) },
	}
	r.narrow(&request)
	r.differ(&request)
	for _, scope := range r.Scopes {
		r.looks[scope].rest.known = r.Rests.of(r, scope)
	}
	request.Same = func(scope fleet.Scope, kind fleet.Kind) func([]byte, uint32) (uint64, bool) {
		return r.looks[scope].rest.known.sameAs(kind)
	}
	return request
}

func (r *running) decideOne(in decide.Input) decide.Decision {
	if r.Chains {
		return decide.Explain(in)
	}
	decision := decide.Decide(in)
	if decision.Verb != "" && !r.DryRun {
		return decide.Explain(in) // what is done is recorded with its chain
	}
	return decision
}

// recheck notes when the answers can change by themselves. What is held back has
// no end that would be looked for.
func (r *running) recheck(planned plan.Plan) {
	held := make(map[fleet.Ref]bool, len(planned.Held))
	for i := range planned.Held {
		held[planned.Held[i].Resource.Ref] = true
	}
	for i := range r.report.Decisions {
		decision := &r.report.Decisions[i]
		at := decision.Recheck
		if held[decision.Resource.Ref] {
			at = decision.Rest
		}
		r.due(decision.Resource.Scope, at)
	}
	r.quarantines()
}

// due notes when a scope has to be looked at again; zero is never.
func (r *running) due(scope fleet.Scope, at time.Time) {
	if known, ok := r.report.Due[scope]; !at.IsZero() && (!ok || at.Before(known)) {
		r.report.Due[scope] = at
	}
}

// recordIntents writes everything that has to be known before the first call
// that changes something; until then nothing is written, so that a store busy
// with the outcomes of other passes never makes the first call late.
func (r *running) recordIntents(ctx context.Context, planned plan.Plan) error {
	if len(planned.Actions) > 0 {
		if err := r.recorder.Save(ctx, r.report.Run); err != nil {
			return err
		}
	}
	handled := make(map[fleet.Ref]bool, len(planned.Actions)+len(planned.Held))
	n := len(r.report.Decisions)
	for _, scope := range r.Scopes {
		n += len(r.looks[scope].changed)
	}
	memories := make([]decide.Memory, 0, n) // growing it step by step would hold a large fleet several times over
	for _, scope := range r.Scopes {
		memories = append(memories, r.looks[scope].changed...)
		r.looks[scope].changed = nil
	}
	save := func(memory decide.Memory) {
		if memory.Differs(r.looks[memory.Ref.Scope].before[memory.Ref]) {
			memories = append(memories, memory)
		}
	}
	for i := range planned.Actions {
		action := &planned.Actions[i]
		handled[action.Resource.Ref] = true
		save(action.Intend(r.report.Run.ID, r.term))
	}
	for i := range planned.Held {
		handled[planned.Held[i].Resource.Ref] = true
		save(planned.Held[i].Untouched())
	}
	for i := range planned.Observed {
		handled[planned.Observed[i].Resource.Ref] = true
		save(planned.Observed[i].Untouched())
	}
	for i := range r.report.Decisions {
		if decision := &r.report.Decisions[i]; !handled[decision.Resource.Ref] {
			save(decision.Memory)
		}
	}
	if err := r.recorder.Before(ctx, store.Changes{Memories: memories, Scopes: r.changedScopes(planned), Activity: r.rows}); err != nil {
		return err
	}
	return r.recorder.Forget(ctx, r.gone)
}

// act carries out the plan and records every outcome as it becomes known.
func (r *running) act(ctx context.Context, planned plan.Plan) {
	busy := map[fleet.Scope]bool{}
	for i := range planned.Actions {
		busy[planned.Actions[i].Resource.Scope] = true
	}
	var tags sync.WaitGroup
	defer tags.Wait()
	alarms := r.keepAlarms(ctx, planned)
	defer alarms.wait()
	settled := r.settledScopes()
	for _, scope := range r.Scopes {
		switch {
		case busy[scope]:
		case settled[scope]:
			alarms.then(ctx, scope, func() { tags.Go(func() { r.tag(ctx, scope); r.scopeDone(scope) }) })
		default:
			alarms.then(ctx, scope, func() { r.scopeDone(scope) })
		}
	}
	stage := act.Stage{Cloud: r.Cloud, Clock: r.Clock, MayAct: r.mayAct}
	// What was begun is written down also when the process is told to stop.
	record := context.WithoutCancel(ctx)
	stage.Rungs = func(rungs []plan.Rung) { r.rungs(record, rungs) }
	stage.Run(ctx, planned.Actions,
		func(outcomes []plan.Outcome) {
			r.outcomes(record, outcomes)
			alarms.hear(outcomes)
		},
		func(scope fleet.Scope) {
			alarms.finish(ctx, scope)
			r.tag(ctx, scope)
			r.scopeDone(scope)
		})
}

// errUnrecorded stops a pass whose outcomes can not be written: a call that
// nobody could account for must not be made.
var errUnrecorded = errors.New("the outcomes of earlier calls could not be recorded")

func (r *running) mayAct() error {
	r.mu.Lock()
	failed := r.failed
	r.mu.Unlock()
	if failed != nil {
		return fmt.Errorf("%w: %w", errUnrecorded, failed)
	}
	return r.MayAct()
}

func (r *running) outcomes(ctx context.Context, outcomes []plan.Outcome) {
	err := r.recorder.After(ctx, outcomes)
	r.mu.Lock()
	if err != nil {
		r.failed = errors.Join(r.failed, err)
	}
	first := len(r.report.Outcomes)
	r.report.Outcomes = append(r.report.Outcomes, outcomes...)
	counts := &r.report.Run.Counts
	for i := range outcomes {
		outcome := &outcomes[i]
		scope := outcome.Action.Resource.Scope
		r.places[scope] = append(r.places[scope], first+i)
		switch {
		case outcome.Status == plan.Accepted && outcome.Action.Verb == fleet.Start:
			counts.Started++
		case outcome.Status == plan.Accepted && (outcome.Action.Verb == fleet.Reboot || outcome.Action.Verb == fleet.Resize):
			counts.Changed++
		case outcome.Status == plan.Accepted:
			counts.Stopped++
		case outcome.Status == plan.Failed || outcome.Status == plan.Uncertain:
			counts.Failed++
		default:
			counts.Skipped++
		}
		r.due(scope, plan.Remember(*outcome).NotBefore)
		if event, ok := outcomeEvent(*outcome); ok {
			r.events = append(r.events, event)
		}
	}
	r.mu.Unlock()
	if r.Observe != nil {
		r.Observe(outcomes)
	}
}

func (r *running) scopeDone(scope fleet.Scope) {
	if r.ScopeDone == nil {
		return
	}
	r.mu.Lock()
	due := r.report.Due[scope]
	r.mu.Unlock()
	r.ScopeDone(scope, due)
}

// recordRun closes the run. A pass that found nothing to do or to say leaves no
// run behind: looking is not an event, and a fleet at rest costs no writes.
func (r *running) recordRun(ctx context.Context) error {
	run := &r.report.Run
	run.Finished = r.Clock.Now()
	run.Counts.Held, run.Counts.Gaps = len(r.report.Plan.Held), len(r.report.Gaps)
	for _, gap := range r.report.Gaps {
		run.Gaps = append(run.Gaps, gap.String())
	}
	if r.failed != nil {
		run.Error = r.failed.Error()
	}
	if r.ID == "" && len(r.report.Outcomes)+len(r.rows)+len(r.report.Gaps)+len(r.report.Plan.Held)+r.ended+r.said == 0 {
		return r.failed
	}
	return errors.Join(r.failed, r.recorder.Save(context.WithoutCancel(ctx), *run))
}

// warnings are the events so far that tell of stops to come, and the others.
func (r *running) warnings() (warnings, others []notify.Event) {
	for _, event := range r.events {
		if event.Kind == notify.StopWarning || event.Kind == notify.NewResource {
			warnings = append(warnings, event)
		} else {
			others = append(others, event)
		}
	}
	return warnings, others
}

// notify tells people; a channel that fails is logged, the pass goes on.
func (r *running) notify(ctx context.Context, events []notify.Event) {
	if err := notify.Tell(context.WithoutCancel(ctx), r.Receivers, events); err != nil {
		r.Log.WarnContext(ctx, "some messages could not be sent", slog.Any("error", err))
	}
}
