package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// PastExplanation is what the record says of a resource at an instant that is
// over. Nothing in it is computed from the present rules, but for Today.
type PastExplanation struct {
	// Text says in a sentence or two what was known of it.
	Text say.Text `json:"text"`
	// State is what it was, as far as the record shows: running, stopped, starting, stopping, or unknown. What people did
	// outside of Dayshift is not in the record.
	State string `json:"state"`
	// Decision is the last row up to the instant that tells of something decided or done; its chain is the explanation's.
	Decision *store.Activity `json:"decision,omitempty"`
	// By is who decided it: dayshift, or the person whose override it carried out.
	By string `json:"by,omitempty"`
	// Overrides were in force then for it, its schedule, or a filter.
	Overrides []PastOverride `json:"overrides"`
	// After is the next row about it.
	After *store.Activity `json:"after,omitempty"`
	// Changes are the changes of the configuration and its objects since, oldest first; MoreChanges: there are more.
	Changes     []store.Activity `json:"changes"`
	MoreChanges bool             `json:"more_changes,omitempty"`
	// RecordFrom is when the record as a whole begins; zero for an empty one.
	RecordFrom time.Time `json:"record_from,omitzero"`
	// Today is what the present rules would have wanted then; nil where the resource is there no more.
	Today *TodaysRules `json:"today,omitempty"`
}

// PastOverride is an override that was in force at an instant.
type PastOverride struct {
	ID     string    `json:"id"`
	Made   time.Time `json:"made"` // when it was made, or changed last
	Author string    `json:"author"`
	Text   string    `json:"text"`
	// Filter: it was for a filter, and whether that matched the resource is not in the record.
	Filter bool `json:"filter,omitempty"`
}

// TodaysRules is what the present configuration wants at an instant that is over.
type TodaysRules struct {
	Wanted string        `json:"wanted"`
	Chain  []decide.Step `json:"chain"`
}

const (
	// changesShown bounds the changes that are told, overridesRead the rows looked through for overrides in force.
	changesShown  = 10
	overridesRead = 1000
	// goneRows bounds the rows looked through for a resource that is there no more.
	goneRows = 1000
)

// UnknownState is the state where the record does not tell, and of a workload none of whose runs ended well.
const UnknownState = "unknown"

// fromRecord puts what the record says in the place of what the rules give.
// chain is that of the rules.
func (s *Service) fromRecord(ctx context.Context, e *Explanation, ref fleet.Ref, chain []decide.Step) error {
	today := &TodaysRules{Wanted: e.Wanted, Chain: []decide.Step{}}
	for _, step := range chain {
		if step.Rule == "memory" { // from here on it is about the present
			break
		}
		today.Chain = append(today.Chain, step)
	}
	past, err := s.past(ctx, ref, e.Schedule, e.At)
	if err != nil {
		return recordError(e.Ref, err)
	}
	past.Today = today
	e.Past = past
	e.take(past)
	return nil
}

// take makes the explanation that of the record.
func (e *Explanation) take(past *PastExplanation) {
	e.State, e.NativeState, e.Action, e.Observed, e.Next, e.Override = past.State, "", noAction, false, nil, nil
	e.Chain, e.Reason, e.Why = []decide.Step{}, "", past.Text
	if row := past.Decision; row != nil {
		e.Reason = row.Reason
		if row.Chain != nil {
			e.Chain = row.Chain
		}
	}
}

// past reads what the record says of a resource at an instant.
func (s *Service) past(ctx context.Context, ref fleet.Ref, schedule string, at time.Time) (*PastExplanation, error) {
	p := &PastExplanation{State: UnknownState, Overrides: []PastOverride{}, Changes: []store.Activity{}}
	ask := func(query store.ActivityQuery) (rows []store.Activity, err error) {
		return s.Store.Activity(ctx, query)
	}
	begin, err := ask(store.ActivityQuery{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(begin) > 0 {
		p.RecordFrom = begin[0].At
	}
	before, err := ask(store.ActivityQuery{Ref: ref, To: through(at), Limit: recentRows, Last: true})
	if err != nil {
		return nil, err
	}
	after, err := ask(store.ActivityQuery{Ref: ref, From: through(at), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(after) > 0 {
		p.After = &after[0]
	}
	if len(before) > 0 { // its tag may have been another one then
		schedule = before[len(before)-1].Schedule
	}
	var moved *store.Activity // the last row that tells a state
	for event := range moves {
		rows, err := ask(store.ActivityQuery{Ref: ref, To: through(at), Event: event, Limit: 1, Last: true})
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 && stateAfter(&rows[0]) != "" && (moved == nil || rows[0].Seq > moved.Seq) {
			moved = &rows[0]
		}
	}
	if moved != nil {
		p.State = stateAfter(moved)
	}
	if p.Decision = lastDecision(before); p.Decision == nil {
		p.Decision = moved
	}
	if p.Overrides, err = pastOverrides(ask, ref, schedule, at); err != nil {
		return nil, err
	}
	p.By = by(p)
	for _, event := range []store.Event{store.EventConfig, store.EventObject} {
		rows, err := ask(store.ActivityQuery{Event: event, From: through(at), Limit: changesShown + 1})
		if err != nil {
			return nil, err
		}
		p.Changes = append(p.Changes, rows...)
	}
	slices.SortFunc(p.Changes, func(a, b store.Activity) int { return int(a.Seq - b.Seq) })
	if p.MoreChanges = len(p.Changes) > changesShown; p.MoreChanges {
		p.Changes = p.Changes[:changesShown]
	}
	p.Text = p.sentence(at, before, moved)
	return p, nil
}

// moves are the events that tell the state of a resource.
var moves = map[store.Event]bool{
	store.EventStartAccepted: true, store.EventStopAccepted: true, store.EventStarted: true, store.EventStopped: true,
	store.EventRebooted: true, store.EventAnnounced: true, store.EventRecovered: true, store.EventFailed: true,
}

// stateAfter is the state that a row tells; empty where it tells none.
func stateAfter(row *store.Activity) string {
	switch row.Event {
	case store.EventStarted, store.EventRebooted, store.EventAnnounced: // only what runs is announced to be stopped
		return string(fleet.Running)
	case store.EventStopped:
		return string(fleet.Stopped)
	case store.EventStartAccepted:
		return string(fleet.Starting)
	case store.EventStopAccepted:
		return string(fleet.Stopping)
	}
	// Recovered and failed name the verb and its end.
	verb, ended, _ := strings.Cut(row.Reason, "-")
	switch start := fleet.Verb(verb) == fleet.Start; decide.Ended(ended) {
	case decide.Started, decide.Unhealthy:
		return string(fleet.Running)
	case decide.HasStopped:
		return string(fleet.Stopped)
	case decide.HasFailed:
		if start {
			return string(fleet.Stopped)
		}
		return string(fleet.Running)
	}
	return ""
}

// lastDecision is the last of the rows that tells of something decided.
func lastDecision(rows []store.Activity) *store.Activity {
	for i := len(rows) - 1; i >= 0; i-- {
		if row := &rows[i]; len(row.Chain) > 0 || slices.Contains(decide.Reasons, decide.Reason(row.Reason)) {
			return row
		}
	}
	return nil
}

// by names who is behind the last decision.
func by(p *PastExplanation) string {
	if p.Decision == nil {
		return ""
	}
	for _, step := range p.Decision.Chain {
		if step.Rule == "override" {
			for _, o := range p.Overrides {
				if strings.Contains(step.Fact.String(), " by "+o.Author) {
					return o.Author
				}
			}
		}
	}
	return p.Decision.Actor
}

// pastOverrides finds the overrides in force at an instant by the rows of their life.
func pastOverrides(ask func(store.ActivityQuery) ([]store.Activity, error), ref fleet.Ref, schedule string, at time.Time) ([]PastOverride, error) {
	var rows []store.Activity
	for _, event := range []store.Event{store.EventOverride, store.EventOverrideEnded} {
		found, err := ask(store.ActivityQuery{Event: event, To: through(at), Limit: overridesRead, Last: true})
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	slices.SortFunc(rows, func(a, b store.Activity) int { return int(a.Seq - b.Seq) })
	last := map[string]store.Activity{}
	authors := map[string]string{}
	for _, row := range rows {
		if _, known := authors[row.Name]; !known {
			authors[row.Name] = row.Actor // of the row that made it
		}
		last[row.Name] = row
	}
	list := []PastOverride{}
	for id, row := range last {
		filter := row.Ref == fleet.Ref{} && row.Schedule == ""
		switch {
		case row.Event == store.EventOverrideEnded || row.Reason == OverrideCleared:
		case row.Ref == ref || row.Ref == fleet.Ref{} && (filter || row.Schedule == schedule):
			list = append(list, PastOverride{ID: id, Made: row.At, Author: authors[id], Text: row.Detail, Filter: filter})
		}
	}
	slices.SortFunc(list, func(a, b PastOverride) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// sentence says what the record knows of the instant.
func (p *PastExplanation) sentence(at time.Time, before []store.Activity, moved *store.Activity) say.Text {
	switch {
	case p.RecordFrom.IsZero():
		return say.F("The record is empty: nothing is known of that time.")
	case p.RecordFrom.After(at):
		text := say.F("The record begins at %s, after that instant: nothing is known of it.", stamp(p.RecordFrom))
		if p.After != nil {
			text = say.Sentences(text, say.F("The first row about it is of %s: %s.", stamp(p.After.At), say.Word(p.After.Event)))
		}
		return text
	case len(before) == 0 && p.After == nil:
		return say.F("Nothing was done to it since the record begins, at %s.", stamp(p.RecordFrom))
	case len(before) == 0:
		return say.F("Nothing was done to it between %s, where the record begins, and %s (%s).", stamp(p.RecordFrom), stamp(p.After.At), say.Word(p.After.Event))
	}
	state := say.F("The record does not tell whether it was running.")
	switch {
	case moved == nil:
	case moved.Detail == "":
		state = say.F("It was %s, as far as the record shows: %s at %s.", say.Word(p.State), say.Word(moved.Event), stamp(moved.At))
	default:
		state = say.F("It was %s, as far as the record shows: %s at %s (%s).", say.Word(p.State), say.Word(moved.Event), stamp(moved.At), strings.TrimRight(moved.Detail, "."))
	}
	last := &before[len(before)-1]
	if p.After == nil {
		return say.Sentences(state, say.F("Nothing was done to it after %s (%s).", stamp(last.At), say.Word(last.Event)))
	}
	text := say.Sentences(state, say.F("Nothing was done to it between %s (%s) and %s (%s).", stamp(last.At), say.Word(last.Event), stamp(p.After.At), say.Word(p.After.Event)))
	if p.State == string(fleet.Stopped) && p.After.Event == store.EventStopAccepted || p.State == string(fleet.Running) && p.After.Event == store.EventStartAccepted {
		text = say.Sentences(text, say.F("In between somebody else changed its state: what is done outside of Dayshift is not recorded."))
	}
	return text
}

// gone explains, from the record alone, a resource that is there no more. past:
// an instant was asked for that is over; else the answer is of its last rows.
// gaps: a part of the fleet could not be listed.
func (s *Service) gone(ctx context.Context, target string, at time.Time, past, gaps bool) ([]Explanation, error) {
	query := store.ActivityQuery{Text: target, Limit: goneRows, Last: true}
	if ref, err := fleet.ParseRef(target); err == nil {
		query = store.ActivityQuery{Ref: ref, Limit: 1, Last: true}
	}
	rows, err := s.Store.Activity(ctx, query)
	if err != nil {
		return nil, recordError(target, err)
	}
	known := map[fleet.Ref]store.Activity{}
	for _, row := range rows {
		// A schedule, a rule or an override may have that name too.
		if row.Ref.ID != "" && (row.Ref.ID == target || row.Ref.String() == target || row.Name == target && row.Event != store.EventOverride && row.Event != store.EventOverrideEnded) {
			known[row.Ref] = row
		}
	}
	var found []Explanation
	for ref, row := range known {
		p, err := s.past(ctx, ref, row.Schedule, at)
		if err != nil {
			return nil, recordError(target, err)
		}
		recent, err := s.Store.Activity(ctx, store.ActivityQuery{Ref: ref, To: through(at), Limit: recentRows, Last: true})
		if err != nil {
			return nil, recordError(target, err)
		}
		e := Explanation{At: at, Past: p, Recent: recent, Resource: Resource{
			Ref: ref.String(), Account: string(ref.Scope.Account), Region: string(ref.Scope.Region), Kind: string(ref.Kind), ID: ref.ID,
			Name: row.Name, Schedule: row.Schedule, Wanted: UnknownState,
		}}
		if !past {
			p.State = UnknownState
		}
		text := say.F("It was not found in the fleet now; this is from the record.")
		if gaps {
			text = say.F("It was not found in the part of the fleet that could be listed; this is from the record.")
		}
		p.Text = say.Sentences(text, p.Text)
		e.take(p)
		found = append(found, e)
	}
	slices.SortFunc(found, func(a, b Explanation) int { return strings.Compare(a.Ref, b.Ref) })
	return found, nil
}
