package pass

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// hear turns what was found out before acting into rows of the record and
// events for people.
func (r *running) hear(gaps []discover.Gap, planned plan.Plan) {
	r.report.Plan = planned
	for _, settled := range r.report.Settled {
		r.hearSettled(settled)
	}
	for i := range r.report.Decisions {
		r.hearAnnouncements(&r.report.Decisions[i])
		r.hearGaveUp(&r.report.Decisions[i])
	}
	for i := range planned.Observed {
		if d := &planned.Observed[i]; d.Observed {
			r.rowOf(store.EventObserved, d, string(d.Reason), "observed, not done: "+d.Sentence())
		}
	}
	r.hearFired()
	r.hearHeld(planned)
	r.hearGaps(gaps)
}

// hearFired records the rules that fired or were missed, and the actions of
// rules that are dropped; that something was as the rule wants already is no news.
func (r *running) hearFired() {
	for _, f := range r.report.Fired {
		where := fleet.Resource{Ref: fleet.Ref{Scope: f.Scope}, Name: f.Rule}
		if n := len(f.Missed); n > 0 {
			text := say.F("rule %q missed %s: nothing could be done then, and it is too long ago to make it up", f.Rule, instants(f.Missed))
			r.row(store.EventMissed, where, "", "rule-missed", text.String())
			r.event(notify.RuleMissed, where, "", text, f.Missed[n-1])
			r.events[len(r.events)-1].About = r.selects(f.Rule, where)
		}
		if len(f.At) > 0 {
			text := fmt.Sprintf("rule %q fired for %s; it matches %s", f.Rule, instants(f.At), count(f.Matches, "resource"))
			if f.Left > 0 {
				text += fmt.Sprintf(", and %s without the tag %s, left alone (untagged: true includes what has no tag)", count(f.Left, "other"), r.book.TagKey)
			}
			r.row(store.EventFired, where, "", "rule-fired", text)
		}
	}
	for i := range r.report.Decisions {
		d := &r.report.Decisions[i]
		for _, dropped := range d.Dropped {
			if dropped.Why == decide.RuleNothing {
				continue
			}
			r.rowOf(store.EventSkipped, d, string(dropped.Why),
				fmt.Sprintf("rule %q, fired at %s, %s: %s", dropped.Rule, dropped.At.UTC().Format(time.RFC3339), dropped.Verb, dropped.Why.Sentence()))
			if dropped.Why == decide.RuleLate {
				text := say.F("rule %q could not %s it in time", dropped.Rule, say.Word(dropped.Verb))
				if d.Memory.LastError != "" {
					text = say.F("%s: %s", text, d.Memory.LastError)
				}
				r.event(notify.Failed, d.Resource, d.Schedule, text, r.now)
			}
		}
	}
}

// selects is what a rule is about in a scope, by what its filter names.
func (r *running) selects(rule string, where fleet.Resource) []notify.Subject {
	for _, known := range r.book.Rules {
		if known.Name == rule {
			return notify.Subjects(known.Filter.Stand([]fleet.Resource{{Ref: where.Ref}}), r.book.TagKey, "")
		}
	}
	return nil
}

// count says how many of something there are.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// instantsShown bounds the instants that are named in a row.
const instantsShown = 5

func instants(list []time.Time) string {
	var words []string
	for i, at := range list {
		if i == instantsShown {
			words = append(words, fmt.Sprintf("at least %d more", len(list)-i)) // long lists are cut where they are made
			break
		}
		words = append(words, at.UTC().Format(time.RFC3339))
	}
	return strings.Join(words, ", ")
}

// rowOf is row for a decision, with its chain.
func (r *running) rowOf(event store.Event, d *decide.Decision, reason, detail string) {
	r.row(event, d.Resource, d.Schedule, reason, detail)
	r.rows[len(r.rows)-1].Chain = d.Chain
}

func (r *running) row(event store.Event, resource fleet.Resource, schedule, reason, detail string) {
	r.rows = append(r.rows, store.Activity{
		At: r.now, Event: event, Ref: resource.Ref, Name: resource.Name, Schedule: schedule, Reason: reason, Detail: detail,
	})
}

func (r *running) event(kind notify.Kind, resource fleet.Resource, schedule string, text say.Text, at time.Time) {
	r.events = append(r.events, notify.Event{Kind: kind, Schedule: schedule, Ref: resource.Ref, Tags: resource.Tags, Name: resource.Name, Text: text, At: at})
}

func (r *running) hearSettled(settled Settled) {
	event, detail := store.EventStarted, "seen "+settled.Resource.Native
	switch {
	case settled.Ended != decide.Started:
	case settled.Why != "":
		detail += "; " + settled.Why
	case settled.Resource.Health == fleet.Healthy:
		detail += ", and its status checks have passed"
	}
	if text := cameUp(&settled); !text.Empty() {
		detail += "; " + text.String()
		r.event(notify.ShortageOver, settled.Resource, settled.Memory.Schedule, text, r.now)
	}
	switch settled.Ended {
	case decide.HasStopped:
		event = store.EventStopped
		if settled.Snapshot != "" {
			detail += fmt.Sprintf("; its snapshot %s takes the place of those of earlier stops", settled.Snapshot)
		}
	case decide.HasFailed:
		event, detail = store.EventFailed, settled.Why
		if text := fellShort(&settled); !text.Empty() {
			if settled.Memory.Attempts <= roundsTold {
				r.event(notify.Shortage, settled.Resource, settled.Memory.Schedule, text, r.now)
			}
		} else if settled.Memory.Attempts == tellFailuresAt {
			r.event(notify.Failed, settled.Resource, settled.Memory.Schedule, say.F("%s failed %d times: %v", say.Word(settled.Verb), tellFailuresAt, settled.Why), r.now)
		}
	case decide.Unhealthy:
		event, detail = store.EventFailed, settled.Why
		r.event(notify.Failed, settled.Resource, settled.Memory.Schedule, say.Raw(settled.Why), r.now) // no further try will follow
	case decide.NeverMade:
		event, detail = store.EventRecovered, "the process ended before the call was made; it is decided anew"
		if settled.Verb == fleet.Resize { // which the listing alone does not tell from one that was made
			detail = fmt.Sprintf("the process of run %s ended before it could record whether the type was changed; it is %s, and decided anew",
				settled.Run, settled.Resource.Type)
		}
	case decide.Unknowable:
		event, detail = store.EventRecovered,
			fmt.Sprintf("the call of run %s got no answer, so whether it was rebooted is not known; a reboot is not repeated", settled.Run)
	}
	if settled.Recovered && settled.Ended != decide.NeverMade && settled.Ended != decide.Unknowable {
		detail = fmt.Sprintf("the process of run %s ended before it could record the outcome; %s", settled.Run, detail)
		if settled.Ended != decide.HasFailed && settled.Ended != decide.Unhealthy {
			event = store.EventRecovered
		}
	}
	r.row(event, settled.Resource, settled.Memory.Schedule, string(settled.Verb)+"-"+string(settled.Ended), detail)
	r.hearArrived(&settled)
}

// hearArrived tells people that what was started is ready, or that what was stopped has stopped. That it was so, and
// somebody has changed it since, is no news; nor is a stop that only makes way for another type.
func (r *running) hearArrived(settled *Settled) {
	var kind notify.Kind
	var text say.Text
	switch {
	case settled.Ended == decide.Started && settled.Resource.State == fleet.Running:
		kind = notify.Ready
		if settled.Took > 0 {
			text = say.F("ready within %s", settled.Took.Round(time.Second))
		}
		switch {
		case settled.Why != "":
			text = say.Clauses(text, say.F("its status checks could not be read"))
		case settled.Resource.Health == fleet.Healthy:
			text = say.Clauses(text, say.F("its status checks have passed"))
		}
	case settled.Ended == decide.HasStopped && settled.Resource.State == fleet.Stopped && !settled.Halfway:
		kind = notify.Stopped
		if settled.Took > 0 {
			text = say.F("stopped within %s", settled.Took.Round(time.Second))
		}
	default:
		return
	}
	r.event(kind, settled.Resource, settled.Memory.Schedule, text, r.now)
}

func (r *running) hearAnnouncements(decision *decide.Decision) {
	for _, notice := range []struct {
		*decide.Notice
		kind notify.Kind
		text func(at say.Text) say.Text
	}{
		{decision.Announce, notify.NewResource, func(at say.Text) say.Text {
			return say.F("was not seen before and runs outside its periods; it will be stopped at %s", at)
		}},
		{decision.Warn, notify.StopWarning, func(at say.Text) say.Text { return willStop(at, decision.Override) }},
	} {
		if notice.Notice == nil {
			continue
		}
		r.row(store.EventAnnounced, decision.Resource, decision.Schedule, string(notice.kind), notice.text(say.Raw(instant(notice.StopAt))).String())
		at := r.book.OnItsClock(decision.Schedule, notice.StopAt) // people live by that of their schedule
		r.event(notice.kind, decision.Resource, decision.Schedule, notice.text(say.Moment(at)), at)
	}
}

// willStop says that it will be stopped, and whose decision comes to its end by that; nil: nobody's.
func willStop(at say.Text, override *policy.Override) say.Text {
	if override == nil {
		return say.F("will be stopped at %s", at)
	}
	return say.F("will be stopped at %s, when the override of %s ends", at, override.Author)
}

func (r *running) hearHeld(planned plan.Plan) {
	r.report.Known.Held = make(map[fleet.Ref]plan.Guard, len(planned.Held))
	for i := range planned.Held {
		held := &planned.Held[i]
		ref := held.Resource.Ref
		r.report.Known.Held[ref] = held.Guard
		if r.looks[ref.Scope].before[ref].Held == string(held.Guard) { // whichever process said it
			continue
		}
		r.rowOf(store.EventHeld, &held.Decision, string(held.Guard), held.Sentence())
		r.event(notify.Held, held.Resource, held.Schedule, held.Said(), r.now)
	}
}

// The reasons of the rows that tell what people are told of a scope that can not be seen; the first has Known.Gaps as its detail.
const (
	GapOpen   = "gap"
	GapClosed = "gap-closed"
)

func (r *running) hearGaps(gaps []discover.Gap) {
	r.report.Known.Gaps = maps.Clone(r.Known.Gaps)
	if r.report.Known.Gaps == nil {
		r.report.Known.Gaps = map[fleet.Scope]string{}
	}
	open, said := map[fleet.Scope]string{}, map[fleet.Scope]say.Text{}
	for _, gap := range gaps {
		open[gap.Scope] += gap.String()
		said[gap.Scope] = say.Sentences(said[gap.Scope], gap.Said())
	}
	for _, scope := range r.Scopes {
		if r.slow[scope] { // what is known of it is for its own pass to say
			continue
		}
		before, was := r.Known.Gaps[scope]
		now, is := open[scope]
		whole := fleet.Resource{Ref: fleet.Ref{Scope: scope}}
		switch {
		case is && r.quiet(scope):
			r.report.Known.Gaps[scope] = now
		case is && before != now:
			r.report.Known.Gaps[scope] = now
			r.row(store.EventGap, whole, "", GapOpen, now)
			r.event(notify.Gap, whole, "", said[scope], r.now)
		case !is && was:
			delete(r.report.Known.Gaps, scope)
			r.row(store.EventGapClosed, whole, "", GapClosed, scope.String()+" can be listed whole again")
			r.event(notify.GapClosed, whole, "", say.Raw(scope.String()), r.now)
		}
	}
}

// outcomeEvent is what people are told of an outcome; nothing for what was not
// tried and for failures that are still young.
func outcomeEvent(outcome plan.Outcome) (notify.Event, bool) {
	decision := &outcome.Action.Decision
	event := notify.Event{
		Schedule: decision.Schedule, Ref: decision.Resource.Ref, Tags: decision.Resource.Tags, Name: decision.Resource.Name, At: outcome.At, Text: decision.Reason.Said(),
	}
	switch outcome.Status {
	case plan.Accepted:
		if decision.Reason == decide.RetryStart || decision.Reason == decide.RetryStop {
			return event, false // people hear of the failure, not of each new try
		}
		switch decision.Verb {
		case fleet.Start:
			event.Kind = notify.Starting
		case fleet.Reboot, fleet.Resize:
			event.Kind = notify.Changing
		default:
			event.Kind = notify.Stopping
		}
		if outcome.Note != "" {
			event.Text = say.Raw(outcome.Note)
		}
	case plan.Barred:
		event.Kind = notify.Failed
		event.Text = say.F("%s is not possible: %v", say.Word(decision.Verb), outcome.Err)
	case plan.Failed:
		if outcome.Short {
			return roundEvent(event, &outcome)
		}
		event.Kind = notify.Failed
		tries := plan.Remember(outcome).Attempts
		event.Text = say.F("%s failed %d times: %v", say.Word(decision.Verb), tries, outcome.Err)
		return event, tries == tellFailuresAt
	default:
		return event, false
	}
	return event, true
}
