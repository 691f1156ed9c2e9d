package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/savings"
)

// Preview is what schedules will do in a stretch of time.
type Preview struct {
	From   time.Time      `json:"from"`
	To     time.Time      `json:"to"`
	Events []PreviewEvent `json:"events"` // in the order of time
	Cost   PreviewCost    `json:"cost"`
	Gaps   []Gap          `json:"gaps"`
}

// PreviewEvent is one start or stop.
type PreviewEvent struct {
	At       time.Time `json:"at"`
	Action   string    `json:"action"`
	Ref      string    `json:"ref,omitempty"`
	Name     string    `json:"name,omitempty"`
	Schedule string    `json:"schedule"`
	Reason   string    `json:"reason"`
	Why      string    `json:"why"`
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
	var begin time.Time // now
	if from.Before(s.Now()) {
		begin = from
	}
	report, err := s.Looker.Look(ctx, begin, false)
	if err != nil {
		return answer, err
	}
	answer.Gaps = gaps(report)
	for i := range report.Decisions {
		d := &report.Decisions[i]
		governs := s.Book.Governs(d.Resource)
		walk := walker{policy: governs, resource: d.Resource, memory: d.Untouched(), answer: &answer}
		if err := walk.run(ctx, report.At); err != nil {
			return answer, err
		}
	}
	answer.sort()
	return answer, nil
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
		why := boundary.To.State.String() + " is wanted from here"
		if boundary.To.Period != "" && boundary.To.Period != calendar.ExceptionReason {
			why += " (period " + boundary.To.Period + ")"
		}
		words := []string{why}
		for _, exception := range schedule.Calendar.Special(boundary.At).Exceptions {
			words = append(words, "exception: "+exception.String())
		}
		answer.Events = append(answer.Events, PreviewEvent{
			At: boundary.At.UTC(), Action: boundary.To.State.String(), Schedule: name, Reason: "calendar", Why: strings.Join(words, "; "),
		})
	}
	return answer, nil
}

func (s *Service) preview(from, to time.Time) (Preview, error) {
	answer := Preview{From: from.UTC(), To: to.UTC(), Events: []PreviewEvent{}, Gaps: []Gap{}, Cost: PreviewCost{Basis: savings.PriceBasis}}
	switch {
	case !from.Before(to):
		return answer, inputError("from %s is not before to %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	case to.Sub(from) > maxPreview:
		return answer, inputError("from %s to %s is too long for a preview; ask for at most %d days",
			from.Format(time.RFC3339), to.Format(time.RFC3339), int(maxPreview.Hours()/24))
	case to.After(s.Now().Add(10 * maxPreview)):
		return answer, inputError("to %s is too far in the future; ask for at most %d days from now", to.Format(time.RFC3339), int(10*maxPreview.Hours()/24))
	}
	return answer, nil
}

// walker lives one resource through the time of a preview, with the same
// decisions as a pass and nobody stepping in.
type walker struct {
	policy   policy.Policy
	resource fleet.Resource
	memory   decide.Memory
	answer   *Preview
	running  time.Duration
	usd      float64
}

func (w *walker) run(ctx context.Context, now time.Time) error {
	w.arrive()
	hasType := w.resource.Type
	at := now
	for step := 0; ; step++ {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("preview: %w", context.Cause(ctx))
		case step == previewSteps || len(w.answer.Events) > previewEvents:
			return inputError("more than can be told happens between %s and %s (%s alone was decided %d times); ask for a shorter time",
				w.answer.From.Format(time.RFC3339), w.answer.To.Format(time.RFC3339), w.resource.Ref, step)
		}
		w.resource.SeenAt = at
		d := decide.Decide(decide.Input{Now: at, Policy: w.policy, Memory: w.memory, Resource: w.resource})
		w.memory = d.Memory
		if d.Verb != "" {
			w.apply(&d, at)
		}
		next := d.Recheck
		if next.IsZero() || next.After(w.answer.To) {
			next = w.answer.To
		}
		w.pass(at, next)
		if !next.Before(w.answer.To) {
			w.cost(hasType)
			return nil
		}
		at = next
	}
}

// arrive takes what is on its way to have arrived, and what is busy (a backup,
// an upgrade) to be up again, as it mostly is: nothing else would ever change it
// in a preview.
func (w *walker) arrive() {
	if intent := w.memory.Intent; intent != nil && !intent.Accepted.IsZero() {
		w.resource.State = fleet.Stopped
		if intent.Verb == fleet.Start {
			w.resource.State = fleet.Running
		}
	}
	w.memory.Intent = nil
	switch w.resource.State {
	case fleet.Starting, fleet.Other:
		w.resource.State = fleet.Running
	case fleet.Stopping:
		w.resource.State = fleet.Stopped
	}
}

func (w *walker) apply(d *decide.Decision, at time.Time) {
	w.resource.State = fleet.Stopped
	if d.Verb == fleet.Start {
		w.resource.State = fleet.Running
		if d.Type != "" {
			w.resource.Type = d.Type
		}
	}
	if at.Before(w.answer.From) {
		return
	}
	w.answer.Events = append(w.answer.Events, PreviewEvent{
		At: at.UTC(), Action: string(d.Verb), Ref: w.resource.Ref.String(), Name: w.resource.Name,
		Schedule: d.Schedule, Reason: string(d.Reason), Why: d.Reason.Sentence(),
	})
}

// pass counts the time from a to b in the state that the resource now has.
func (w *walker) pass(a, b time.Time) {
	if a.Before(w.answer.From) {
		a = w.answer.From
	}
	if w.resource.State != fleet.Running || !a.Before(b) {
		return
	}
	w.running += b.Sub(a)
	if price, known := savings.PerHour(w.resource.Kind, w.resource.Type); known {
		w.usd += price * b.Sub(a).Hours()
	}
}

// cost adds up; always on, it would have kept the type that it has now.
func (w *walker) cost(hasType string) {
	cost := &w.answer.Cost
	hours := w.answer.To.Sub(w.answer.From).Hours()
	cost.RunningHours += w.running.Hours()
	cost.AllHours += hours
	cost.USD += w.usd
	price, known := savings.PerHour(w.resource.Kind, hasType)
	if _, after := savings.PerHour(w.resource.Kind, w.resource.Type); !known || !after {
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
