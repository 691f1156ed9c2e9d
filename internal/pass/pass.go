// Package pass is one scheduling pass: the table of contents of the product.
//
// A pass reads in one direction. Each noun on the right of a stage was made by
// the line above; the clock is read once, on the first line; a scope that does
// not answer and an action that fails are data in the report. Only what makes
// the whole pass impossible is an error: no configuration, no store, no lease.
package pass

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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

// Pass is everything one pass works with.
type Pass struct {
	Cloud Cloud
	Store store.Store
	Clock clock.Clock
	// Lease returns the lease as last renewed; MayAct says whether it still
	// leaves time for a call. Both nil in a dry run.
	Lease  func() store.Lease
	MayAct func() error

	Book   *policy.Book
	Limits plan.Limits
	// Scopes to look at, all of the configuration or those that are due.
	Scopes []fleet.Scope
	// Trigger says what started the pass: start, boundary, resync, settle, command …
	Trigger string
	// Confirmed: a person has seen what the limits hold back, and wants it done.
	Confirmed bool
	// DryRun: decide and plan, but neither act nor write.
	DryRun bool
	// At makes a dry run decide for another instant than now.
	At time.Time
	// Tags says which informational tags are written.
	Tags TagOptions

	Senders []notify.Sender
	Log     *slog.Logger
	// Observe, when not nil, is told the outcomes as they become known.
	Observe func([]plan.Outcome)
	// ScopeDone, when not nil, is called as soon as nothing of the scope is under
	// way any more, with its next due time: other scopes may still be paced.
	ScopeDone func(scope fleet.Scope, due time.Time)
}

// Report is what a pass found and did.
type Report struct {
	Run       store.Run
	At        time.Time // the instant that was decided for
	Decisions []decide.Decision
	Settled   []Settled
	Plan      plan.Plan
	Outcomes  []plan.Outcome
	Gaps      []discover.Gap
	Messages  []notify.Message
	// Due is, for each scope, when an answer can change without anything
	// happening outside; zero for a scope with nothing scheduled.
	Due map[fleet.Scope]time.Time
}

// Settled is an action of an earlier pass whose end was seen by this one.
type Settled struct {
	Resource fleet.Resource
	Before   decide.Memory
	Ending   decide.Ending
}

// Run makes the pass.
func Run(ctx context.Context, p *Pass) (Report, error) {
	now := p.Clock.Now()
	if !p.At.IsZero() {
		now = p.At
	}
	r := &running{Pass: p, now: now, report: Report{At: now, Due: map[fleet.Scope]time.Time{}}}

	if err := r.load(ctx); err != nil {
		return r.report, err
	}
	seen := discover.List(ctx, p.Cloud, discover.Request{Scopes: p.Scopes, TagKey: p.Book.TagKey})
	decisions := r.decide(seen)
	planned := plan.Make(decisions, p.Limits, r.runningPerScope(decisions), p.Confirmed)
	r.report.Plan = planned
	if p.DryRun {
		return r.report, nil
	}
	if err := r.recordIntents(ctx, seen, planned); err != nil {
		return r.report, err
	}
	r.act(ctx, planned)
	err := r.recordRun(ctx)
	r.notify(ctx, seen, planned)
	return r.report, err
}

// running is a pass on its way.
type running struct {
	*Pass
	now      time.Time
	recorder *record.Recorder
	memories map[fleet.Ref]decide.Memory // as loaded
	gapsThen map[fleet.Scope]bool        // scopes that the last run could not see
	report   Report

	mu       sync.Mutex // guards what outcomes change while lanes run side by side
	failures []error    // of records that could not be written
}

// load reads what is remembered of the scopes and opens the run.
func (r *running) load(ctx context.Context) error {
	r.memories = map[fleet.Ref]decide.Memory{}
	for _, scope := range r.Scopes {
		memories, err := r.Store.Memories(ctx, scope)
		if err != nil {
			return fmt.Errorf("load what is remembered of %s: %w", scope, err)
		}
		for _, memory := range memories {
			r.memories[memory.Ref] = memory
		}
	}
	r.report.Run = store.Run{Trigger: r.Trigger, Started: r.now, Counts: store.RunCounts{Scopes: len(r.Scopes)}}
	if r.DryRun {
		return nil
	}
	r.report.Run.ID = store.NewRunID(r.now)
	r.report.Run.Term = r.Lease().Term
	r.recorder = &record.Recorder{Store: r.Store, Lease: r.Lease, Run: r.report.Run.ID}
	return r.recorder.Save(ctx, r.report.Run)
}
