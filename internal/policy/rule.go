package policy

import (
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
)

// DefaultCatchUp is how long after its instant a rule that was missed is still made up (SEMANTICS 7).
const DefaultCatchUp = 10 * time.Minute

// Rule fires an action on what its filter matches, at the instants of its expression.
type Rule struct {
	Name        string
	Description string
	// Err tells why the rule can not be used; such a rule never fires.
	Err        error
	Enabled    bool
	Expression *calendar.Expression
	// Verb is Start, Stop, Hibernate, Reboot or Resize; Type is the type of a Resize.
	Verb fleet.Verb
	Type string
	// Workload is what it starts or stops as a whole (Verb is Start or Stop then, and there is no Filter); empty: what Filter matches.
	Workload string
	// Accounts and Regions narrow the scopes; empty: all.
	Accounts []fleet.AccountID
	Regions  []fleet.Region
	Filter   fleet.Filter
	// Untagged: it also acts on what carries no schedule tag.
	Untagged bool
	// MuteAlarms: the alarms of what it stops are muted until that runs again.
	MuteAlarms bool
	CatchUp    time.Duration
	// Since: instants up to here are not the rule's business: it was made or changed then. Zero: not known.
	Since time.Time
	// Changed is when what the rule is written in was last written. Instants up to there are not the business of a rule that
	// has another Timing than the one that fired last. Zero: not known.
	Changed time.Time
}

// Timing tells rules apart that fire at different instants.
func (r *Rule) Timing() string {
	return r.Expression.String() + " in " + r.Expression.Location().String()
}

// Usable reports whether the rule can fire.
func (r *Rule) Usable() bool { return r.Enabled && r.Err == nil && r.Expression != nil }

// In reports whether the rule acts in a scope.
func (r *Rule) In(scope fleet.Scope) bool {
	return (len(r.Accounts) == 0 || slices.Contains(r.Accounts, scope.Account)) &&
		(len(r.Regions) == 0 || slices.Contains(r.Regions, scope.Region))
}

// Selects reports whether the rule acts on a resource. tagKey is the key of the schedule tag. A rule for a workload acts on
// no resource, and what stands for a workload is none.
func (r *Rule) Selects(resource fleet.Resource, tagKey string) bool {
	if r.Workload != "" || resource.Kind == WorkloadKind {
		return false
	}
	if !r.In(resource.Scope) || !r.Filter.Match(resource) {
		return false
	}
	_, tagged := resource.Tags[tagKey]
	return tagged || r.Untagged
}

// Window is a maintenance window: an absolute stretch of time that counts as running.
type Window struct {
	Name  string    `json:"name"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // exclusive
}
