package plan

import (
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/say"
)

// Status says what became of an action.
type Status string

// The statuses.
const (
	Accepted Status = "accepted" // the provider took the call; the end is seen later
	Failed   Status = "failed"   // the provider refused it, or every try failed
	Barred   Status = "barred"   // the provider protects the resource from it; a person has to lift that
	Skipped  Status = "skipped"  // the resource was no longer in the state that was decided on
	// Waiting: something has to come first, such as a snapshot, and was asked for; the action is tried again soon.
	Waiting  Status = "waiting"
	Deferred Status = "deferred" // no call was made: the time, the lease or the process ended first
	// Uncertain: a call was made and what became of it is not known: the process
	// ended while it was under way, or it got no answer and could not be made
	// again. The intent stays open and the next listing settles it.
	Uncertain Status = "uncertain"
)

// Outcome is what became of an action.
type Outcome struct {
	Action Action
	Status Status
	// Err says why; nil when accepted.
	Err error
	// At is when it became known.
	At time.Time
	// Type is the instance type the resource was changed to before a start; empty when it kept its own.
	Type string
	// Shortage is what is known of missing capacity after a start; zero: none. Short: it failed because none of
	// the types that the resource accepts had any.
	Shortage decide.Shortage
	Short    bool
	// Note is a sentence about what happened on the way ("started as it is: …"); may be empty.
	Note string
}

// Rung is a start on its way down the list of types that the resource accepts:
// one had no capacity, and the next is tried.
type Rung struct {
	Action Action
	// Shortage is what is known of missing capacity from now on.
	Shortage decide.Shortage
	Type     string // that had none
	Zone     string // where
	Next     string // type
	Err      error
	At       time.Time
}

// Sentence tells people of it, in English.
func (r *Rung) Sentence() string { return r.Said().String() }

// Said is Sentence as a text.
func (r *Rung) Said() say.Text {
	return say.F("no capacity for %s in %s; tries %s next", r.Type, r.Zone, r.Next)
}

// Remember is what is remembered of the resource before the next type is tried:
// the start is under way still, and goes on from there.
func (r *Rung) Remember() decide.Memory { return r.Action.Walked(r.Shortage).Unclear() }
