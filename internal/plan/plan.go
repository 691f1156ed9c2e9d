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
// batches of that pool only. Reboots and changes of the type of what is stopped
// come last: nobody waits for them. Within a group, and among stops, by identity.
package plan

import (
	"cmp"
	"slices"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
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
	Surge          Guard = "surge"            // Limits.Surge, after a change of the configuration
	RuleSurge      Guard = "rule-surge"       // Limits.Surge, of a rule's matches
)

// Held is an action that is held back until somebody confirms it.
type Held struct {
	decide.Decision
	Guard Guard
	// Stops is how many the pass (MaxStops, Surge) or the scope (MaxStopPercent)
	// would stop, or how many resources the rule matches (RuleSurge). Of is how many
	// of the scope's scheduled resources run (MaxStopPercent), how many were
	// stopped in the day before (Surge), or how many the rule matched last (RuleSurge).
	Stops, Of int
	// Limit is what the configuration allows: a number, or a percentage.
	Limit float64
}

// Untouched is what to remember of it: what that of the decision is, and that people were told.
func (h *Held) Untouched() decide.Memory {
	m := h.Decision.Untouched()
	m.Held = string(h.Guard)
	return m
}

// Sentence says in English why it is held back and what to do.
func (h Held) Sentence() string { return h.Said().String() }

// Said implements say.Sayer with that sentence.
func (h Held) Said() say.Text {
	remedy := say.F("confirm it if it is meant (run --yes), or mend the schedule or tag that asks for it")
	switch h.Guard {
	case MaxStops:
		return say.F("held back: the pass would stop %d resources, max_stops allows %.0f; %s", h.Stops, h.Limit, remedy)
	case Surge:
		return say.F("held back: the configuration changed, and the pass would stop %d resources, in the day before it were %d; surge allows %g times as many; %s",
			h.Stops, h.Of, h.Limit, remedy)
	case RuleSurge:
		return say.F("held back: rule %q matches %d resources, the last time it were %d; surge allows %g times as many; confirm it if it is meant (run --yes), or mend the filter; it is given up at %s",
			h.Fire.Rule, h.Stops, h.Of, h.Limit, h.Fire.Until.UTC().Format("15:04:05Z"))
	}
	return say.F("held back: %d of the %d running resources of %s would stop (%.0f%%), max_stop_percent allows %g%%; %s",
		h.Stops, h.Of, h.Resource.Scope, 100*float64(h.Stops)/float64(h.Of), h.Limit, remedy)
}

// Plan is what a pass is going to do.
type Plan struct {
	Actions []Action
	Held    []Held
	// Observed are decisions that are recorded and not carried out.
	Observed []decide.Decision
	// Starts, Stops and Resizes count the actions by what they are to people: a
	// resize is the stop that makes way for another type.
	Starts, Stops, Resizes int
}

// Guards are the limits, and what they compare with.
type Guards struct {
	Limits Limits
	// Running is how many scheduled resources of each scope run now.
	Running map[fleet.Scope]int
	// Changed are the scopes that were never acted on under the present
	// configuration; Yesterday is how many resources were stopped in the day before.
	Changed   map[fleet.Scope]bool
	Yesterday int
	// Confirmed lifts the limits: a person has seen what they hold back.
	Confirmed bool
}

// Stops counts what a pass would stop because of schedules.
type Stops struct {
	Total   int
	Changed int // in scopes whose configuration changed
	Scope   map[fleet.Scope]int
}

// CountStops counts the stops of a pass.
func CountStops(decisions []decide.Decision, changed map[fleet.Scope]bool) Stops {
	stops := Stops{Scope: map[fleet.Scope]int{}}
	for i := range decisions {
		d := &decisions[i]
		if !isStop(d) || d.Observe {
			continue
		}
		stops.Scope[d.Resource.Scope]++
		stops.Total++
		if changed[d.Resource.Scope] && ofSchedule(d) {
			stops.Changed++
		}
	}
	return stops
}

// ofSchedule reports whether neither a person nor a rule asked for it.
func ofSchedule(d *decide.Decision) bool { return d.Override == nil && d.Fire.IsZero() }

// Make plans the decisions that have a verb; the others are left out.
func Make(decisions []decide.Decision, guards Guards) Plan {
	stops := CountStops(decisions, guards.Changed)
	var p Plan
	for i := range decisions {
		d := &decisions[i]
		if d.Verb == "" {
			continue
		}
		if d.Observe {
			p.Observed = append(p.Observed, *d)
			continue
		}
		if held, ok := guards.hold(d, &stops); ok && !guards.Confirmed {
			held.Decision = *d
			p.Held = append(p.Held, held)
			continue
		}
		p.Actions = append(p.Actions, Action{*d})
		switch {
		case d.Verb == fleet.Start:
			p.Starts++
		case d.Resize || d.Verb == fleet.Resize:
			p.Resizes++
		case isStop(d):
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

// hold finds the limit that a decision runs into.
func (g *Guards) hold(d *decide.Decision, all *Stops) (Held, bool) {
	l := g.Limits
	if f := d.Fire; !f.IsZero() && !f.Halfway && l.Surges(f.Matches, f.Matched) {
		return Held{Guard: RuleSurge, Stops: f.Matches, Of: f.Matched, Limit: l.Surge}, true
	}
	if !isStop(d) {
		return Held{}, false
	}
	scope := d.Resource.Scope
	if l.MaxStops > 0 && all.Total > l.MaxStops {
		return Held{Guard: MaxStops, Stops: all.Total, Limit: float64(l.MaxStops)}, true
	}
	if g.Changed[scope] && ofSchedule(d) && l.Surges(all.Changed, g.Yesterday) {
		return Held{Guard: Surge, Stops: all.Changed, Of: g.Yesterday, Limit: l.Surge}, true
	}
	stops := all.Scope[scope]
	running := max(g.Running[scope], stops) // what is to be stopped runs, whatever was counted
	if l.MaxStopPercent > 0 && running >= l.MinScopeSize &&
		100*float64(stops) > l.MaxStopPercent*float64(running) {
		return Held{Guard: MaxStopPercent, Stops: stops, Of: running, Limit: l.MaxStopPercent}, true
	}
	return Held{}, false
}

// Surges reports whether so many are far more than before.
func (l Limits) Surges(now, before int) bool {
	return l.Surge > 0 && now >= l.SurgeFrom && float64(now) > l.Surge*float64(before)
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
	database := d.Resource.Kind.Traits().Database
	switch {
	case d.Verb == fleet.Start && database:
		return 0
	case d.Verb == fleet.Start:
		return 1
	case d.Verb == fleet.Resize || d.Verb == fleet.Reboot:
		return 4
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
	if !o.Shortage.IsZero() {
		d = d.Walked(o.Shortage)
	}
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
		if o.Short {
			return d.Short(o.At, why)
		}
		return d.Failed(o.At, why)
	case Waiting:
		return d.Waits(o.At)
	case Uncertain:
		return d.Unclear()
	default: // Skipped, Deferred: no call was made
		return d.Untouched()
	}
}
