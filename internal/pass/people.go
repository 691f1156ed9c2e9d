package pass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/record"
	"dayshift/internal/store"
)

// endTimeout bounds the write that ends an override.
const endTimeout = 10 * time.Second

// endOverrides takes away the overrides that have come to their end, and says
// so. Whoever changed one in the meantime keeps it.
func (r *running) endOverrides(ctx context.Context) error {
	var failed error
	for _, o := range r.book.Overrides {
		var why string
		switch {
		case !r.now.Before(o.Until):
			why = "its time is over"
		case o.Once && r.reached(o):
			why = fmt.Sprintf("everything it is for is %s", o.State)
		default:
			continue
		}
		text := fmt.Sprintf("the override of %s (%s by %s) ended: %s", o.Target, o.State, o.Author, why)
		write, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		err := r.Store.DeleteObject(write, store.OverrideObject, o.ID, o.Version, store.Activity{
			At: r.now, Run: r.report.Run.ID, Actor: record.Actor, Event: store.EventOverrideEnded,
			Ref: o.Target.Resource, Name: o.ID, Schedule: o.Target.Schedule, Reason: o.State.String(), Detail: text,
		})
		cancel()
		switch {
		case errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict):
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("end an override: %w", err))
		default:
			r.ended++
			r.event(notify.OverrideEnded, fleet.Resource{Ref: o.Target.Resource}, o.Target.Schedule, text, r.now)
		}
	}
	return failed
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
