package pass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/record"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// endTimeout bounds the write that ends an override.
const endTimeout = 10 * time.Second

// endOverrides takes away the overrides that have come to their end, and says
// so. Whoever changed one in the meantime keeps it.
func (r *running) endOverrides(ctx context.Context) error {
	var failed error
	for _, o := range r.book.Overrides {
		var why say.Text
		switch {
		case !r.now.Before(o.Until):
			why = say.F("its time is over")
		case o.Once && r.reached(o):
			why = say.F("everything it is for is %s", say.Word(o.State.String()))
		default:
			continue
		}
		text := say.F("the override of %s (%s by %s) ended: %s", o.Target, say.Word(o.State.String()), o.Author, why)
		write, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		err := r.Store.DeleteObject(write, store.OverrideObject, o.ID, o.Version, store.Activity{
			At: r.now, Run: r.report.Run.ID, Actor: record.Actor, Event: store.EventOverrideEnded,
			Ref: o.Target.Resource, Name: o.ID, Schedule: o.Target.Schedule, Reason: o.State.String(), Detail: text.String(),
		})
		cancel()
		switch {
		case errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict):
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("end an override: %w", err))
		default:
			r.ended++
			r.hearEnded(ctx, o, text)
		}
	}
	return failed
}

// hearEnded tells people that an override ended. A resource has the name and the schedule that it was last seen with: a pass
// over other scopes can be the one that ends it.
func (r *running) hearEnded(ctx context.Context, o *policy.Override, text say.Text) {
	event := notify.Event{
		Kind: notify.OverrideEnded, Schedule: o.Target.Schedule, Workload: o.Target.Workload, Ref: o.Target.Resource, Text: text, At: r.now,
		About: notify.Subjects(o.Seen, r.book.TagKey, r.book.ScheduleOf(o.Target.Workload)),
	}
	if event.Ref != (fleet.Ref{}) {
		for i := range o.Seen {
			if o.Seen[i].Ref == event.Ref {
				event.Tags = o.Seen[i].Tags
			}
		}
		read, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		memories, err := r.Store.Memories(read, event.Ref.Scope)
		if err != nil {
			r.Log.WarnContext(ctx, "the name of what an override was for could not be read", slog.String("resource", event.Ref.String()), slog.Any("error", err))
		}
		for i := range memories {
			if m := &memories[i]; m.Ref == event.Ref {
				event.Schedule, event.Name = m.Schedule, m.Name
			}
		}
	}
	r.events = append(r.events, event)
}

// reached reports whether everything that an override is for has been in its
// state. Only a pass that saw everything can tell.
func (r *running) reached(o *policy.Override) bool {
	if !r.All || len(r.report.Gaps) > 0 {
		return false
	}
	any := false
	for i := range r.report.Decisions {
		d := &r.report.Decisions[i]
		governs := r.book.Governs(d.Resource)
		if governs.Protected() || governs.Why == policy.NoSchedule || !o.Covers(d.Resource, r.book.TagKey) {
			continue // no override counts for it
		}
		any = true
		if !d.Memory.HasReached(o.ID) {
			return false
		}
	}
	return any
}
