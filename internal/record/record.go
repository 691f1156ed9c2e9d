// Package record writes down a pass: the intent before the first call, the
// outcome after the last.
//
// An intent lives in the memory of its resource, so that a process that dies
// between call and answer leaves behind what it was about to do; the next pass
// settles it by what it sees, and records that too. The rows of the activity
// and the memories that they tell of are written in one step, so that neither
// is ever there without the other.
package record

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/store"
)

// Actor is who the record names for what the program did by itself.
const Actor = "dayshift"

// Store is what record needs of a store.
type Store interface {
	SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error
	DropMemories(ctx context.Context, lease store.Lease, refs []fleet.Ref) error
	SaveRun(ctx context.Context, lease store.Lease, run store.Run) error
	Append(ctx context.Context, lease store.Lease, rows []store.Activity) error
}

// writeTimeout bounds one write: a store that takes longer is treated as down,
// and a pass that can not write its intents does not act.
const writeTimeout = 30 * time.Second

// Recorder writes down one run.
type Recorder struct {
	Store Store
	// Lease returns the lease as last renewed; every write is fenced by it.
	Lease func() store.Lease
	Run   string // the run's ID, named by every row
}

// Before writes everything that has to be known before the first call: the
// memories, with the intents of the actions in them, those of the scopes, with
// the fires of rules in them, and the rows of what was found out so far (settled
// actions, announcements, gaps, what was held back). When it fails, nothing may
// be done. It puts the memories in order and fills in who acted and in which run.
func (r *Recorder) Before(ctx context.Context, changes store.Changes) error {
	if err := r.write(ctx, changes); err != nil {
		return fmt.Errorf("record the intents: %w", err)
	}
	return nil
}

// After writes the outcomes of some actions: their rows, then their memories.
func (r *Recorder) After(ctx context.Context, outcomes []plan.Outcome) error {
	changes := store.Changes{
		Memories: make([]decide.Memory, 0, len(outcomes)),
		Activity: make([]store.Activity, 0, len(outcomes)),
	}
	for _, outcome := range outcomes {
		changes.Memories = append(changes.Memories, plan.Remember(outcome))
		changes.Activity = append(changes.Activity, r.rows(outcome)...)
	}
	if err := r.write(ctx, changes); err != nil {
		return fmt.Errorf("record the outcomes: %w", err)
	}
	return nil
}

// Rungs writes that starts went on to another type, before that is tried.
func (r *Recorder) Rungs(ctx context.Context, rungs []plan.Rung) error {
	var changes store.Changes
	for i := range rungs {
		rung := &rungs[i]
		d := &rung.Action.Decision
		changes.Memories = append(changes.Memories, rung.Remember())
		changes.Activity = append(changes.Activity, store.Activity{
			At: rung.At, Event: store.EventShort, Ref: d.Resource.Ref, Name: d.Resource.Name, Schedule: d.Memory.Schedule,
			Reason: string(d.Reason), Detail: fmt.Sprintf("%s (%v)", rung.Sentence(), rung.Err),
		})
	}
	if err := r.write(ctx, changes); err != nil {
		return fmt.Errorf("record that another type is tried: %w", err)
	}
	return nil
}

// Alarms writes what is to be known of alarms: memories before they are muted,
// and once they are muted or restored, with the rows that tell of that.
func (r *Recorder) Alarms(ctx context.Context, changes store.Changes) error {
	if err := r.write(ctx, changes); err != nil {
		return fmt.Errorf("record what becomes of alarms: %w", err)
	}
	return nil
}

// Forget drops the memories of resources that have been gone for long.
func (r *Recorder) Forget(ctx context.Context, refs []fleet.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.Store.DropMemories(ctx, r.Lease(), refs); err != nil {
		return fmt.Errorf("forget resources that are gone: %w", err)
	}
	return nil
}

// Save writes the run itself, at its begin and at its end.
func (r *Recorder) Save(ctx context.Context, run store.Run) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.Store.SaveRun(ctx, r.Lease(), run); err != nil {
		return fmt.Errorf("record the run: %w", err)
	}
	return nil
}

func (r *Recorder) write(ctx context.Context, changes store.Changes) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for i := range changes.Activity {
		row := &changes.Activity[i]
		row.Run, row.Actor = r.Run, cmp.Or(row.Actor, Actor)
	}
	switch {
	case len(changes.Memories) > 0 || len(changes.Scopes) > 0:
		slices.SortFunc(changes.Memories, func(a, b decide.Memory) int { return a.Ref.Compare(b.Ref) })
		return r.Store.SaveChanges(ctx, r.Lease(), changes)
	case len(changes.Activity) > 0:
		return r.Store.Append(ctx, r.Lease(), changes.Activity)
	}
	return nil
}

// rows are the activity of an outcome: one for the change of its type, whatever
// came after it, and one for the action. A deferred action has none of its own:
// it was not tried and will be decided anew.
func (r *Recorder) rows(outcome plan.Outcome) []store.Activity {
	decision := outcome.Action.Decision
	row := store.Activity{
		At: outcome.At, Ref: decision.Resource.Ref, Name: decision.Resource.Name,
		Schedule: decision.Memory.Schedule, Reason: string(decision.Reason), Chain: decision.Chain,
	}
	var rows []store.Activity
	if outcome.Type != "" {
		resized := row
		resized.Event, resized.Detail = store.EventResized, fmt.Sprintf("type changed from %s to %s", decision.Resource.Type, outcome.Type)
		if decision.Verb == fleet.Resize { // the change is the action
			resized.Detail = joinSentences(resized.Detail, outcome.Note)
			return []store.Activity{resized}
		}
		rows = append(rows, resized)
	}
	switch outcome.Status {
	case plan.Accepted:
		switch decision.Verb {
		case fleet.Start:
			row.Event = store.EventStartAccepted
		case fleet.Reboot:
			row.Event = store.EventRebooted
		default: // a hibernation is a stop
			row.Event = store.EventStopAccepted
		}
		row.Detail = joinSentences(decision.Sentence(), outcome.Note)
	case plan.Failed:
		row.Event = store.EventFailed
		row.Detail = joinSentences(fmt.Sprintf("%s: %v", decision.Verb, outcome.Err), outcome.Note)
	case plan.Uncertain:
		row.Event = store.EventFailed
		row.Detail = joinSentences(fmt.Sprintf("%s: whether it was carried out is not known, the next listing tells: %v", decision.Verb, outcome.Err), outcome.Note)
	case plan.Waiting:
		if !decision.SnapshotBegins {
			return rows // it was said when it began
		}
		row.Event = store.EventSkipped
		row.Detail = joinSentences(fmt.Sprintf("%s: %v", decision.Verb, outcome.Err), outcome.Note)
	case plan.Skipped, plan.Barred:
		row.Event = store.EventSkipped
		row.Detail = joinSentences(fmt.Sprintf("%s: %v", decision.Verb, outcome.Err), outcome.Note)
	default:
		return rows
	}
	return append(rows, row)
}

func joinSentences(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return strings.TrimRight(a, ".") + "; " + b
}
