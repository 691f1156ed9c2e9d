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
	// Decided is when all resources of a kind were last decided on, together: what is remembered of one that did not change
	// since counts as of then, however old its own instants are.
	Decided map[fleet.Kind]time.Time `json:"decided,omitempty"`
	// Breaker says for how long the scope could not be seen, and when it is looked at again; zero: it was seen.
	Breaker Breaker `json:"breaker,omitzero"`
}

// RuleProgress is how far a rule has come in a scope.
type RuleProgress struct {
	// Done are the stretches of time of which every instant has fired, in order. There are several only where a clock
	// jumped or a stretch was missed: whatever the clock does, no instant fires twice.
	Done []Stretch `json:"done,omitempty"`
	// Matched is how many resources the filter matched when that was last looked at.
	Matched int `json:"matched"`
	// Of is the timing of the rule that fired last.
	Of string `json:"of,omitempty"`
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
	// maxStretches bounds what is kept of a clock that jumps about, a kilobyte at most. More jumps than that cost a rule
	// the instants of the least gap between two of them.
	maxStretches = 16
)

// Due tells what became due of a rule by an instant. A rule that was never looked at begins at its Since, or now. Work is
// bounded however long nobody looked.
func (p RuleProgress) Due(rule *policy.Rule, now time.Time) RuleDue {
	due := RuleDue{Progress: RuleProgress{Done: slices.Clone(p.Done), Matched: p.Matched, Of: rule.Timing()}}
	horizon := now.Add(-max(rule.CatchUp, leastCatchUp))
	since := rule.Since
	if p.Of != "" && p.Of != due.Progress.Of && rule.Changed.After(since) {
		since = rule.Changed
	}
	if len(p.Done) == 0 && since.IsZero() && !rule.Changed.After(now) && !rule.Changed.Before(horizon) {
		since = rule.Changed // written just now: what came between that and this first look is its business
	}
	if since.Sub(now) > leastCatchUp { // so far ahead it is of a clock that was set back since
		since = time.Time{}
	}
	done, at := due.seams(rule, since, horizon, now)
	var from time.Time
	switch {
	case at >= 0:
		from = done[at].Through
	case since.IsZero() || since.After(now):
		from = now
	default:
		from = since
	}
	if at >= 0 && !from.Before(now) {
		return due
	}
	whole := from // what lies between it and the first instant asked for was the business of an earlier form of the rule
	if since.After(from) {
		from = since
	}
	if from.Before(horizon) {
		// Fires is exclusive at its begin; an instant at the horizon itself is still made up.
		for instant := range rule.Expression.Fires(from, horizon.Add(-time.Nanosecond)) {
			if len(due.Missed) > maxMissed {
				break
			}
			due.Missed = append(due.Missed, instant)
		}
		if len(due.Missed) > 0 {
			from = horizon.Add(-time.Nanosecond)
			whole = from
		}
	}
	due.Fires = slices.AppendSeq(due.Fires, rule.Expression.Fires(from, now))
	due.Progress.Done = extend(done, at, Stretch{After: whole, Through: now})
	return due
}

// seams finds the stretch that now belongs to (a later one is of a clock that has been set back since), -1 for none, and
// closes what a clock that ran ahead left open just before it: the time between the last look before it had run ahead and
// the first one after that is due when the clock comes there again.
func (d *RuleDue) seams(rule *policy.Rule, since, horizon, now time.Time) (done []Stretch, at int) {
	done, at = d.Progress.Done, -1
	for i, stretch := range done {
		if !stretch.After.After(now) {
			at = i
		}
	}
	for ; at > 0 && !done[at-1].Through.Before(horizon); at-- {
		for instant := range rule.Expression.Fires(done[at-1].Through, done[at].After) {
			if instant.After(since) {
				d.Fires = append(d.Fires, instant)
			}
		}
		done[at-1].Through = done[at].Through
		done = slices.Delete(done, at, at+1)
	}
	slices.SortFunc(d.Fires, time.Time.Compare)
	d.Progress.Done = done
	return done, at
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
// between them: a stretch forgotten would fire again. It is the least gap, but
// not the one in which the rule goes on.
func join(done []Stretch, at int) []Stretch {
	least := -1
	for i := range len(done) - 1 {
		if i != at && (least < 0 || done[i+1].After.Sub(done[i].Through) < done[least+1].After.Sub(done[least].Through)) {
			least = i
		}
	}
	done[least].Through = done[least+1].Through
	return slices.Delete(done, least+1, least+2)
}
