// Package plan turns the decisions of a pass into bounded, ordered actions, and
// says what is held back and why.
//
// It guarantees that limits hold back stops alone, whole or not at all, and
// that what is held back is said with its numbers; that the same decisions in
// any order give the same plan; and that a resource whose action is held back
// keeps its memory (Decision.Untouched), so that the next pass decides it again.
//
// The order of the actions: scope by scope; in a scope starts before stops,
// because people wait for a start and nobody for a stop; starts of databases
// before those of instances, since they take longest and instances need them,
// stops the other way round. Starts are grouped by zone and type: batches are
// cut from what lies together, so a shortage of one type in one zone meets the
// batches of that pool only. Within a group, and among stops, by identity.
package plan

import (
	"cmp"
	"fmt"
	"slices"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
)

// Action is a decision that is to be carried out.
type Action struct {
	decide.Decision
}

// Guard names the limit that holds an action back.
type Guard string

// The guards.
const (
	MaxStops       Guard = "max-stops"        // Limits.MaxStops
	MaxStopPercent Guard = "max-stop-percent" // Limits.MaxStopPercent
)

// Held is an action that is held back until somebody confirms it.
type Held struct {
	decide.Decision
	Guard Guard
	// Stops is how many the pass (MaxStops) or the scope (MaxStopPercent) would
	// stop, Of how many of the scope's scheduled resources run (MaxStopPercent).
	Stops, Of int
	// Limit is what the configuration allows: a number, or a percentage.
	Limit float64
}

// Sentence says why it is held back and what to do.
func (h Held) Sentence() string {
	const remedy = "confirm it if it is meant (run --yes), or mend the schedule or tag that asks for it"
	if h.Guard == MaxStops {
		return fmt.Sprintf("held back: the pass would stop %d resources, max_stops allows %.0f; %s", h.Stops, h.Limit, remedy)
	}
	return fmt.Sprintf("held back: %d of the %d running resources of %s would stop (%.0f%%), max_stop_percent allows %g%%; %s",
		h.Stops, h.Of, h.Resource.Scope, 100*float64(h.Stops)/float64(h.Of), h.Limit, remedy)
}

// Plan is what a pass is going to do.
type Plan struct {
	Actions []Action
	Held    []Held
	// Starts, Stops and Resizes count the actions by what they are to people: a
	// resize is the stop that makes way for another type.
	Starts, Stops, Resizes int
}

// Make plans the decisions that have a verb; the others are left out. running
// is how many scheduled resources of each scope run now. confirmed lifts the limits.
func Make(decisions []decide.Decision, limits Limits, running map[fleet.Scope]int, confirmed bool) Plan {
	stops := map[fleet.Scope]int{}
	total := 0
	for i := range decisions {
		if isStop(&decisions[i]) {
			stops[decisions[i].Resource.Scope]++
			total++
		}
	}
	var p Plan
	for i := range decisions {
		d := &decisions[i]
		if d.Verb == "" {
			continue
		}
		if !confirmed && isStop(d) {
			scope := d.Resource.Scope
			if held, ok := limits.hold(total, stops[scope], running[scope]); ok {
				held.Decision = *d
				p.Held = append(p.Held, held)
				continue
			}
		}
		p.Actions = append(p.Actions, Action{*d})
		switch {
		case d.Verb == fleet.Start:
			p.Starts++
		case d.Resize:
			p.Resizes++
		default:
			p.Stops++
		}
	}
	slices.SortFunc(p.Actions, func(a, b Action) int { return compare(&a.Decision, &b.Decision) })
	slices.SortFunc(p.Held, func(a, b Held) int { return a.Resource.Ref.Compare(b.Resource.Ref) })
	return p
}

// isStop reports whether a decision counts for the limits: a resize comes back
// up by itself and does not.
func isStop(d *decide.Decision) bool {
	return (d.Verb == fleet.Stop || d.Verb == fleet.Hibernate) && !d.Resize
}

// hold finds the limit that a stop runs into.
func (l Limits) hold(total, stops, running int) (Held, bool) {
	if l.MaxStops > 0 && total > l.MaxStops {
		return Held{Guard: MaxStops, Stops: total, Limit: float64(l.MaxStops)}, true
	}
	running = max(running, stops) // what is to be stopped runs, whatever was counted
	if l.MaxStopPercent > 0 && running >= l.MinScopeSize &&
		100*float64(stops) > l.MaxStopPercent*float64(running) {
		return Held{Guard: MaxStopPercent, Stops: stops, Of: running, Limit: l.MaxStopPercent}, true
	}
	return Held{}, false
}

// compare orders actions as the package's comment says.
func compare(a, b *decide.Decision) int {
	x, y := &a.Resource, &b.Resource
	order := cmp.Or(
		x.Scope.Compare(y.Scope),
		cmp.Compare(turn(a), turn(b)),
		cmp.Compare(x.Kind, y.Kind), // kinds that share a turn
		cmp.Compare(a.Verb, b.Verb),
	)
	if order == 0 && a.Verb == fleet.Start {
		order = cmp.Or(cmp.Compare(x.Zone, y.Zone), cmp.Compare(startType(a), startType(b)))
	}
	return cmp.Or(order, x.Ref.Compare(y.Ref))
}

// turn is the place of a verb on a kind in a scope's order.
func turn(d *decide.Decision) int {
	database := d.Resource.Kind != fleet.EC2Instance
	switch {
	case d.Verb == fleet.Start && database:
		return 0
	case d.Verb == fleet.Start:
		return 1
	case !database:
		return 2
	}
	return 3
}

// startType is the type that a start will ask for.
func startType(d *decide.Decision) string { return cmp.Or(d.Type, d.Resource.Type) }

// Remember turns what became of an action into what is remembered of its resource.
func Remember(o Outcome) decide.Memory {
	d := &o.Action.Decision
	switch o.Status {
	case Accepted:
		return d.Accepted(o.At, o.Type)
	case Barred:
		return d.Barred(o.At)
	case Failed:
		why := "no reason was given"
		if o.Err != nil {
			why = o.Err.Error()
		}
		return d.Failed(o.At, why)
	case Uncertain:
		return d.Unclear()
	default: // Skipped, Deferred: no call was made
		return d.Untouched()
	}
}
