package decide

import (
	"slices"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// ScopeMemory is what is remembered of a scope as a whole, between passes and over restarts.
type ScopeMemory struct {
	Scope fleet.Scope `json:"scope"`
	// Rules is how far each rule has come, by its name and the kind of resource: what could be listed has had its fires,
	// what could not waits for its own.
	Rules map[string]map[fleet.Kind]RuleProgress `json:"rules,omitempty"`
	// Windows are the maintenance windows last heard of that are not over; a window that has begun is no longer listed.
	Windows []policy.Window `json:"windows,omitempty"`
	// Config is the fingerprint of the configuration that the scope was last acted on under.
	Config string `json:"config,omitempty"`
}

// RuleProgress is how far a rule has come in a scope.
type RuleProgress struct {
	// Done are the stretches of time of which every instant has fired, in order. There are several only where a clock
	// jumped or a stretch was missed: whatever the clock does, no instant fires twice.
	Done []Stretch `json:"done,omitempty"`
	// Matched is how many resources the filter matched when that was last looked at.
	Matched int `json:"matched"`
}

// Stretch is the time in (After, Through].
type Stretch struct {
	After   time.Time `json:"after"`
	Through time.Time `json:"through"`
}

// RuleDue is what became due of a rule.
type RuleDue struct {
	// Fires are the instants to be carried out now, oldest first: one action does for all of them.
	Fires []time.Time
	// Missed are instants that passed longer ago than the rule catches up, oldest first; more than maxMissed are not named.
	Missed []time.Time
	// Progress is what to remember once they are carried out or recorded.
	Progress RuleProgress
}

const (
	// leastCatchUp is how late a pass may come without anything being wrong: less is no outage.
	leastCatchUp = time.Minute
	// maxMissed bounds what is told of an outage, and the work: rate(1 minute) misses half a million instants in a year.
	maxMissed = 100
	// maxStretches bounds what is kept of a clock that jumps about.
	maxStretches = 8
)

// Due tells what became due of a rule by an instant. A rule that was never looked at begins at its Since, or now. Work is
// bounded however long nobody looked.
func (p RuleProgress) Due(rule *policy.Rule, now time.Time) RuleDue {
	// The stretch that now belongs to: a later one is of a clock that has been set back since.
	at := -1
	for i, stretch := range p.Done {
		if !stretch.After.After(now) {
			at = i
		}
	}
	var from time.Time
	switch {
	case at >= 0:
		from = p.Done[at].Through
	case rule.Since.IsZero() || rule.Since.After(now):
		from = now
	default:
		from = rule.Since
	}
	due := RuleDue{Progress: RuleProgress{Done: slices.Clone(p.Done), Matched: p.Matched}}
	horizon, until := now.Add(-max(rule.CatchUp, leastCatchUp)), now
	if at >= 0 && !from.Before(now) {
		// A clock that was set back has come to where it had been. What lies between the looks before and after that is due.
		if at == 0 || p.Done[at-1].Through.Before(horizon) {
			return due
		}
		until = p.Done[at].After
		at--
		from = p.Done[at].Through
	}
	whole := from // what lies between it and the first instant asked for was the business of an earlier form of the rule
	switch ahead := rule.Since.Sub(now); {
	case !rule.Since.After(from), ahead > leastCatchUp: // so far ahead it is of a clock that was set back since
	case ahead > 0:
		from = now
	default:
		from = rule.Since
	}
	if from.Before(horizon) {
		// Fires is exclusive at its begin; an instant at the horizon itself is still made up.
		for instant := range rule.Expression.Fires(from, horizon.Add(-time.Second)) {
			if len(due.Missed) > maxMissed {
				break
			}
			due.Missed = append(due.Missed, instant)
		}
		if len(due.Missed) > 0 {
			from = horizon.Add(-time.Second)
			whole = from
		}
	}
	for instant := range rule.Expression.Fires(from, until) {
		due.Fires = append(due.Fires, instant)
	}
	due.Progress.Done = extend(due.Progress.Done, at, Stretch{After: whole, Through: until})
	return due
}

// extend adds a stretch behind the one at an index.
func extend(done []Stretch, at int, stretch Stretch) []Stretch {
	if at >= 0 && !done[at].Through.Before(stretch.After) {
		done[at].Through = stretch.Through
	} else {
		at++
		done = slices.Insert(done, at, stretch)
	}
	for at+1 < len(done) && !done[at+1].After.After(done[at].Through) {
		if done[at+1].Through.After(done[at].Through) {
			done[at].Through = done[at+1].Through
		}
		done = slices.Delete(done, at+1, at+2)
	}
	for len(done) > maxStretches {
		done = join(done, at)
	}
	return done
}

// join makes one of two neighbouring stretches, and so gives up what lies
// between them: a stretch forgotten would fire again. What is over costs
// nothing; else it is the least gap that a clock left that ran ahead, but not
// the one in which the rule goes on.
func join(done []Stretch, at int) []Stretch {
	first := 0
	if at == 0 {
		first = 1
		for i := 2; i+1 < len(done); i++ {
			if done[i+1].After.Sub(done[i].Through) < done[first+1].After.Sub(done[first].Through) {
				first = i
			}
		}
	}
	done[first].Through = done[first+1].Through
	return slices.Delete(done, first+1, first+2)
}
