package service

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/savings"
	"dayshift/internal/say"
)

// Preview is what schedules, rules and people's overrides will do in a stretch of time.
type Preview struct {
	From   time.Time      `json:"from"`
	To     time.Time      `json:"to"`
	Events []PreviewEvent `json:"events"` // in the order of time
	Cost   PreviewCost    `json:"cost"`
	// Estimates are the boundaries that AWS's request limits spread over more than a minute.
	Estimates []PreviewEstimate `json:"estimates"`
	Gaps      []Gap             `json:"gaps"`
}

// PreviewEstimate says how long the starts, or stops, of one instant take in an account and region.
type PreviewEstimate struct {
	At      time.Time `json:"at"`
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Kind    string    `json:"kind"`
	Action  string    `json:"action"`
	Count   int       `json:"count"`
	// Seconds until the last can be acted on, with request limits that nobody else uses.
	Seconds int      `json:"seconds"`
	Text    say.Text `json:"text"`
}

// PreviewEvent is one start or stop.
type PreviewEvent struct {
	At       time.Time `json:"at"`
	Action   string    `json:"action"`         // start, stop, hibernate, reboot or resize; of a schedule: running, stopped or any
	Type     string    `json:"type,omitempty"` // the instance type that it changes to
	Ref      string    `json:"ref,omitempty"`
	Name     string    `json:"name,omitempty"`
	Schedule string    `json:"schedule"`
	Rule     string    `json:"rule,omitempty"` // the rule that it is the action of
	Reason   string    `json:"reason"`
	Why      say.Text  `json:"why"`
	Observed bool      `json:"observed,omitempty"` // it is only recorded: the schedule or the program observes
}

// PreviewCost is what the stretch costs with the schedules, and without.
type PreviewCost struct {
	RunningHours float64 `json:"running_hours"`
	AllHours     float64 `json:"all_hours"` // if everything ran all the time
	USD          float64 `json:"usd"`
	AllUSD       float64 `json:"all_usd"`
	// Unpriced is how many resources have a type that the price list does not know.
	Unpriced int    `json:"unpriced"`
	Basis    string `json:"basis"`
}

// maxPreview bounds a preview: over a year of five-minute periods is still an
// answer in seconds.
const maxPreview = 400 * 24 * time.Hour

// previewSteps bounds the decisions for one resource of a preview, previewEvents
// what is told of all of them: some hundred megabytes.
const (
	previewSteps  = 200_000
	previewEvents = 1_000_000
)

// Preview tells every start and stop between two instants, given the fleet as
// it is now and nobody stepping in, with its reason, and what the stretch costs.
// For a time that has begun already it lives the present fleet through that too.
func (s *Service) Preview(ctx context.Context, from, to time.Time) (Preview, error) {
	answer, err := s.preview(from, to)
	if err != nil {
		return answer, err
	}
	var at time.Time // now
	if from.Before(s.Now()) {
		at = from
	}
	report, err := s.Looker.Look(ctx, at, false)
	if err != nil {
		return answer, err
	}
	answer.Gaps = gaps(report)
	book := with(s.Book, &report)
	volumes := map[volume]int{}
	for i := range report.Decisions {
		d := &report.Decisions[i]
		part := lived{answer: &answer, volumes: volumes}
		walk := walker{
			policy: book.Governs(d.Resource), rules: rulesOf(book, &d.Resource), resource: d.Resource, memory: begin(d),
			to: answer.To, fired: report.At, act: part.act, live: part.live,
		}
		if at.IsZero() {
			walk.first = d
		} else { // what fires at the begin of a time that is over belongs to it
			walk.fired = at.Add(-time.Second)
		}
		if err := walk.run(ctx, report.At); err != nil {
			return answer, err
		}
		part.cost(d.Resource.Kind, d.Resource.Type, walk.resource.Type)
	}
	answer.sort()
	answer.estimate(s.Estimator, volumes)
	return answer, nil
}

// volume is what happens to one kind in one scope at one instant.
type volume struct {
	at    int64 // Unix nanoseconds
	scope fleet.Scope
	kind  fleet.Kind
	verb  fleet.Verb
}

// estimate predicts how long boundaries take that move much at once.
func (p *Preview) estimate(estimator cloud.Estimator, volumes map[volume]int) {
	if estimator == nil {
		return
	}
	for v, n := range volumes {
		e := pass.Estimate{Scope: v.scope, Kind: v.kind, Verb: v.verb, Count: n, Takes: estimator.Estimate(v.scope, v.kind, v.verb, n)}
		if e.Takes > pass.Tellable {
			p.Estimates = append(p.Estimates, PreviewEstimate{
				At: time.Unix(0, v.at).UTC(), Account: string(v.scope.Account), Region: string(v.scope.Region), Kind: string(v.kind), Action: string(v.verb),
				Count: n, Seconds: int(e.Takes.Round(time.Second).Seconds()), Text: e.Said(),
			})
		}
	}
	slices.SortFunc(p.Estimates, func(a, b PreviewEstimate) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Text.String(), b.Text.String()))
	})
}

// PreviewSchedule tells the boundaries of one schedule. It asks no cloud.
func (s *Service) PreviewSchedule(name string, from, to time.Time) (Preview, error) {
	answer, err := s.preview(from, to)
	if err != nil {
		return answer, err
	}
	schedule, err := s.schedule(name)
	if err != nil {
		return answer, err
	}
	for boundary := range schedule.Calendar.Boundaries(from, to) {
		if boundary.From.State == boundary.To.State {
			continue
		}
		why := say.F("%s is wanted from here", boundary.To.State)
		if boundary.To.Period != "" && boundary.To.Period != calendar.ExceptionReason {
			why = say.F("%s is wanted from here (period %s)", boundary.To.State, boundary.To.Period)
		}
		words := []say.Text{why}
		for _, exception := range schedule.Calendar.Special(boundary.At).Exceptions {
			words = append(words, say.F("exception: %s", exception))
		}
		answer.Events = append(answer.Events, PreviewEvent{
			At: boundary.At.UTC(), Action: boundary.To.State.String(), Schedule: name, Reason: "calendar", Why: say.Clauses(words...),
		})
	}
	return answer, nil
}

func (s *Service) preview(from, to time.Time) (Preview, error) {
	answer := Preview{From: from.UTC(), To: to.UTC(), Events: []PreviewEvent{}, Estimates: []PreviewEstimate{}, Gaps: []Gap{}, Cost: PreviewCost{Basis: savings.PriceBasis}}
	switch {
	case !from.Before(to):
		return answer, inputErrorF("from %s is not before to %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	case to.Sub(from) > maxPreview:
		return answer, inputErrorF("from %s to %s is too long for a preview; ask for at most %d days",
			from.Format(time.RFC3339), to.Format(time.RFC3339), int(maxPreview.Hours()/24))
	case to.After(s.Now().Add(10 * maxPreview)):
		return answer, inputErrorF("to %s is too far in the future; ask for at most %d days from now", to.Format(time.RFC3339), int(10*maxPreview.Hours()/24))
	}
	return answer, nil
}

// walker lives one resource through a time to come, with the same decisions as
// a pass and nobody stepping in.
//
// It looks at every instant at which a pass would find something: those that
// decisions ask for, and those of the rules that act on the resource. What is
// done is taken to be accepted and over before the next look.
type walker struct {
	policy   policy.Policy
	rules    []*policy.Rule // that act on the resource
	resource fleet.Resource
	memory   decide.Memory
	// first is the decision of the first look where it was made already; nil: it is made anew.
	first *decide.Decision
	// to is the end of the walk, fired the instant up to which rules have fired.
	to, fired time.Time
	// act is told what is done, or only observed; live how the time goes by, may be nil. An error of act ends the walk.
	act  func(d *decide.Decision, at time.Time) error
	live func(r *fleet.Resource, from, to time.Time)
}

// run walks from now to the end.
func (w *walker) run(ctx context.Context, now time.Time) error {
	w.arrive()
	at := now
	for step := 0; ; step++ {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("look ahead: %w", context.Cause(ctx))
		case step == previewSteps:
			return inputErrorF("more than can be told happens between %s and %s (%s alone was decided %d times); ask for a shorter time",
				now.Format(time.RFC3339), w.to.Format(time.RFC3339), w.resource.Ref, step)
		}
		d, err := w.look(at)
		if err != nil {
			return err
		}
		next := w.next(&d, at)
		if w.live != nil {
			w.live(&w.resource, at, next)
		}
		if !next.Before(w.to) {
			return nil
		}
		at = next
	}
}

// everyTerm makes a walk settle what it did itself.
const everyTerm = math.MaxInt64

// look is one pass over the resource.
func (w *walker) look(at time.Time) (decide.Decision, error) {
	var d decide.Decision
	if w.first != nil {
		d, w.first = *w.first, nil
	} else {
		w.resource.SeenAt = at
		w.memory, _ = decide.Settle(w.memory, w.resource, at, everyTerm)
		d = decide.Decide(decide.Input{Now: at, Policy: w.policy, Memory: w.memory, Resource: w.resource, Fires: w.fires(at)})
	}
	if d.Verb == "" {
		w.memory = d.Memory
		return d, nil
	}
	if d.Observe { // it stays as it is, and is recorded once
		w.memory = d.Untouched()
		var err error
		if d.Observed {
			err = w.act(&d, at)
		}
		return d, err
	}
	changed := ""
	switch d.Verb {
	case fleet.Start:
		w.resource.State, changed = fleet.Running, d.Type
	case fleet.Resize:
		changed = d.Type
	case fleet.Stop, fleet.Hibernate:
		w.resource.State = fleet.Stopped
	}
	if changed != "" {
		w.resource.Type = changed
	}
	w.memory = d.Accepted(at, changed)
	err := w.act(&d, at)
	return d, err
}

// fires gives the rules that fired since the last look. What a filter matches
// all at once is no surge here: limits hold nothing back in a preview.
func (w *walker) fires(at time.Time) []decide.Fire {
	var fires []decide.Fire
	for _, rule := range w.rules {
		var last time.Time
		for instant := range rule.Expression.Fires(later(w.fired, rule.Since), at) {
			last = instant
		}
		if !last.IsZero() {
			fires = append(fires, decide.Fire{Rule: rule.Name, At: last, Verb: rule.Verb, Type: rule.Type, Until: at.Add(decide.FireLasts), Matches: 1, Matched: 1})
		}
	}
	w.fired = at
	return fires
}

// next is when to look again, at most the end.
func (w *walker) next(d *decide.Decision, at time.Time) time.Time {
	next := w.to
	sooner := func(instant time.Time, ok bool) {
		if ok && instant.After(at) && instant.Before(next) {
			next = instant
		}
	}
	sooner(wholeSecond(d.Recheck), !d.Recheck.IsZero())
	for _, rule := range w.rules {
		sooner(rule.Expression.Next(later(at, rule.Since)))
	}
	return next
}

// wholeSecond rounds up, as a daemon does with what it has to look at.
func wholeSecond(at time.Time) time.Time {
	if down := at.Truncate(time.Second); !at.Equal(down) {
		return down.Add(time.Second)
	}
	return at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// arrive takes what is on its way to have arrived, and what is busy (a backup,
// an upgrade) to be up again, as it mostly is: nothing else would ever change it
// in a preview.
func (w *walker) arrive() {
	if w.memory.Intent == nil && w.resource.State.Settled() {
		return
	}
	w.first = nil
	if intent := w.memory.Intent; intent != nil && !intent.Accepted.IsZero() {
		w.resource.State = fleet.Stopped
		if intent.Verb == fleet.Start {
			w.resource.State = fleet.Running
			w.resource.Type = cmp.Or(intent.Type, w.resource.Type)
		}
		w.resource.SeenAt = intent.Accepted
		w.memory, _ = decide.Settle(w.memory, w.resource, intent.Accepted, everyTerm)
	}
	w.memory.Intent = nil
	switch w.resource.State {
	case fleet.Starting, fleet.Other:
		w.resource.State = fleet.Running
	case fleet.Stopping:
		w.resource.State = fleet.Stopped
	}
}

// rulesOf gives the rules of a book that act on a resource; protected ones are
// left out with everything else.
func rulesOf(book *policy.Book, r *fleet.Resource) []*policy.Rule {
	var rules []*policy.Rule
	for _, rule := range book.Rules {
		if rule.Usable() && rule.Selects(*r, book.TagKey) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// begin is what was remembered before a dry pass decided: nothing was done or
// recorded since.
func begin(d *decide.Decision) decide.Memory {
	m := d.Untouched()
	if d.Observed {
		m.Observed = ""
	}
	return m
}

// with gives the book with the maintenance windows that a report was made with.
func with(book *policy.Book, report *pass.Report) *policy.Book {
	if report.Windows == nil {
		return book
	}
	whole := *book
	whole.Windows = report.Windows
	return &whole
}

// lived is one resource's part of a preview.
type lived struct {
	answer  *Preview
	volumes map[volume]int // what is done, at once
	running time.Duration
	usd     float64
}

func (l *lived) act(d *decide.Decision, at time.Time) error {
	if at.Before(l.answer.From) {
		return nil
	}
	if len(l.answer.Events) == previewEvents {
		return inputErrorF("more than %d starts and stops happen between %s and %s; ask for a shorter time",
			previewEvents, l.answer.From.Format(time.RFC3339), l.answer.To.Format(time.RFC3339))
	}
	l.answer.Events = append(l.answer.Events, eventOf(d, at))
	if !d.Observe {
		l.volumes[volume{at.UnixNano(), d.Resource.Scope, d.Resource.Kind, d.Verb}]++
	}
	return nil
}

func eventOf(d *decide.Decision, at time.Time) PreviewEvent {
	why := d.Reason.Said()
	switch {
	case !d.Fire.IsZero():
		why = say.Sentences(why, say.F("Rule %q.", d.Fire.Rule))
	case d.Override != nil:
		why = say.Sentences(why, say.F("Override %s: %s.", d.Override.ID, d.Override))
	}
	return PreviewEvent{
		At: at.UTC(), Action: string(d.Verb), Type: d.Type, Ref: refText(d.Resource.Ref), Name: d.Resource.Name,
		Schedule: d.Schedule, Rule: d.Fire.Rule, Reason: string(d.Reason), Why: why, Observed: d.Observe,
	}
}

// live counts the time from a to b in the state that the resource then has.
func (l *lived) live(r *fleet.Resource, a, b time.Time) {
	if a.Before(l.answer.From) {
		a = l.answer.From
	}
	if r.State != fleet.Running || !a.Before(b) {
		return
	}
	l.running += b.Sub(a)
	if price, known := savings.PerHour(r.Kind, r.Type); known {
		l.usd += price * b.Sub(a).Hours()
	}
}

// cost adds up; always on, it would have kept the type that it had at first.
func (l *lived) cost(kind fleet.Kind, first, last string) {
	cost := &l.answer.Cost
	hours := l.answer.To.Sub(l.answer.From).Hours()
	cost.RunningHours += l.running.Hours()
	cost.AllHours += hours
	cost.USD += l.usd
	price, known := savings.PerHour(kind, first)
	if _, after := savings.PerHour(kind, last); !known || !after {
		cost.Unpriced++
	}
	cost.AllUSD += price * hours
}

func (p *Preview) sort() {
	slices.SortStableFunc(p.Events, func(a, b PreviewEvent) int {
		if order := a.At.Compare(b.At); order != 0 {
			return order
		}
		return strings.Compare(a.Ref, b.Ref)
	})
}
