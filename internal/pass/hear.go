package pass

import (
	"fmt"
	"maps"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/plan"
	"dayshift/internal/store"
)

// hear turns what was found out before acting into rows of the record and
// events for people.
func (r *running) hear(seen discover.Seen, planned plan.Plan) {
	r.report.Plan = planned
	for _, settled := range r.report.Settled {
		r.hearSettled(settled)
	}
	for i := range r.report.Decisions {
		r.hearAnnouncements(&r.report.Decisions[i])
	}
	r.hearHeld(planned)
	r.hearGaps(seen)
}

func (r *running) row(event store.Event, resource fleet.Resource, schedule, reason, detail string) {
	r.rows = append(r.rows, store.Activity{
		At: r.now, Event: event, Ref: resource.Ref, Name: resource.Name, Schedule: schedule, Reason: reason, Detail: detail,
	})
}

func (r *running) event(kind notify.Kind, resource fleet.Resource, schedule, text string, at time.Time) {
	r.events = append(r.events, notify.Event{Kind: kind, Schedule: schedule, Ref: resource.Ref, Name: resource.Name, Text: text, At: at})
}

func (r *running) hearSettled(settled Settled) {
	event, detail := store.EventStarted, "seen "+settled.Resource.Native
	switch settled.Ended {
	case decide.HasStopped:
		event = store.EventStopped
	case decide.HasFailed:
		event, detail = store.EventFailed, settled.Why
		if settled.Memory.Attempts == tellFailuresAt {
			r.event(notify.Failed, settled.Resource, settled.Memory.Schedule, fmt.Sprintf("%s failed %d times: %s", settled.Verb, tellFailuresAt, settled.Why), r.now)
		}
	case decide.NeverMade:
		event, detail = store.EventRecovered, "the process ended before the call was made; it is decided anew"
	}
	if settled.Recovered && settled.Ended != decide.NeverMade {
		detail = fmt.Sprintf("the process of run %s ended before it could record the outcome; %s", settled.Run, detail)
		if settled.Ended != decide.HasFailed {
			event = store.EventRecovered
		}
	}
	r.row(event, settled.Resource, settled.Memory.Schedule, string(settled.Verb)+"-"+string(settled.Ended), detail)
}

func (r *running) hearAnnouncements(decision *decide.Decision) {
	for _, notice := range []struct {
		*decide.Notice
		kind notify.Kind
		text string
	}{
		{decision.Announce, notify.NewResource, "was not seen before and runs outside its periods; it will be stopped at %s"},
		{decision.Warn, notify.StopWarning, "will be stopped at %s"},
	} {
		if notice.Notice == nil {
			continue
		}
		text := fmt.Sprintf(notice.text, notice.StopAt.UTC().Format(time.RFC3339))
		r.row(store.EventAnnounced, decision.Resource, decision.Schedule, string(notice.kind), text)
		r.event(notice.kind, decision.Resource, decision.Schedule, text, notice.StopAt)
	}
}

func (r *running) hearHeld(planned plan.Plan) {
	r.report.Known.Held = make(map[fleet.Ref]plan.Guard, len(planned.Held))
	for i := range planned.Held {
		held := &planned.Held[i]
		ref := held.Resource.Ref
		r.report.Known.Held[ref] = held.Guard
		if r.Known.Held[ref] == held.Guard {
			continue
		}
		r.row(store.EventHeld, held.Resource, held.Schedule, string(held.Guard), held.Sentence())
		r.event(notify.Held, held.Resource, held.Schedule, held.Sentence(), r.now)
	}
}

func (r *running) hearGaps(seen discover.Seen) {
	r.report.Known.Gaps = maps.Clone(r.Known.Gaps)
	if r.report.Known.Gaps == nil {
		r.report.Known.Gaps = map[fleet.Scope]string{}
	}
	open := map[fleet.Scope]string{}
	for _, gap := range seen.Gaps {
		open[gap.Scope] += gap.String()
	}
	for _, scope := range r.Scopes {
		before, was := r.Known.Gaps[scope]
		now, is := open[scope]
		whole := fleet.Resource{Ref: fleet.Ref{Scope: scope}}
		switch {
		case is && before != now:
			r.report.Known.Gaps[scope] = now
			r.row(store.EventGap, whole, "", "gap", now)
			r.event(notify.Gap, whole, "", now, r.now)
		case !is && was:
			delete(r.report.Known.Gaps, scope)
			r.row(store.EventGapClosed, whole, "", "gap-closed", scope.String()+" can be listed whole again")
			r.event(notify.GapClosed, whole, "", scope.String(), r.now)
		}
	}
}

// outcomeEvent is what people are told of an outcome; nothing for what was not
// tried and for failures that are still young.
func outcomeEvent(outcome plan.Outcome) (notify.Event, bool) {
	decision := &outcome.Action.Decision
	event := notify.Event{Schedule: decision.Schedule, Ref: decision.Resource.Ref, Name: decision.Resource.Name, At: outcome.At, Text: decision.Reason.Sentence()}
	switch outcome.Status {
	case plan.Accepted:
		if decision.Reason == decide.RetryStart || decision.Reason == decide.RetryStop {
			return event, false // people hear of the failure, not of each new try
		}
		event.Kind = notify.Stopping
		if decision.Verb == fleet.Start {
			event.Kind = notify.Starting
		}
		if outcome.Note != "" {
			event.Text = outcome.Note
		}
	case plan.Barred:
		event.Kind = notify.Failed
		event.Text = fmt.Sprintf("%s is not possible: %v", decision.Verb, outcome.Err)
	case plan.Failed:
		event.Kind = notify.Failed
		tries := plan.Remember(outcome).Attempts
		event.Text = fmt.Sprintf("%s failed %d times: %v", decision.Verb, tries, outcome.Err)
		return event, tries == tellFailuresAt
	default:
		return event, false
	}
	return event, true
}
