package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Target is what an override is for: exactly one of its fields is set.
type Target struct {
	Resource fleet.Ref
	Workload string
	Schedule string
	Filter   fleet.Filter
}

// String names the target for people.
func (t Target) String() string { return t.Said().String() }

// Said implements say.Sayer.
func (t Target) Said() say.Text {
	switch {
	case t.Resource != fleet.Ref{}:
		return say.Raw(t.Resource.String())
	case t.Workload != "":
		return say.F("workload %q", t.Workload)
	case t.Schedule != "":
		return say.F("schedule %q", t.Schedule)
	}
	return say.F("filter %q", t.Filter)
}

// rank orders targets, the most specific first (SEMANTICS 6).
func (t Target) rank() int {
	switch {
	case t.Resource != fleet.Ref{}:
		return 0
	case t.Workload != "":
		return 1
	case t.Schedule != "":
		return 2
	}
	return 3
}

// covers reports whether a resource that names a schedule belongs to the target.
// No resource belongs to a workload: that goes as a whole, see WorkloadRef. A filter
// is for resources.
func (t Target) covers(r *fleet.Resource, schedule string) bool {
	switch t.rank() {
	case 0:
		return t.Resource == r.Ref
	case 1:
		return r.Ref == WorkloadRef(t.Workload)
	case 2:
		return t.Schedule == schedule
	}
	return r.Kind != WorkloadKind && t.Filter.Match(*r)
}

// Override is a person's temporary decision: running or stopped, until an end.
type Override struct {
	ID      string
	Version int64 // of the object that it is kept as
	Target  Target
	State   calendar.State // Running or Stopped
	// From is when it was made, Until when it ends at the latest; always set.
	From, Until time.Time
	// Boundary ends it for each resource at the first boundary after From at which the schedule wants the opposite.
	Boundary bool
	// Once ends it for each resource as soon as that has been in the state.
	Once   bool
	Author string
	Reason string
	// Seen are resources that it was for when somebody last decided it, with name and tags: what a message about it concerns. It
	// may be for more, and for others by now.
	Seen []fleet.Resource
}

// String says what it does: "running until 2027-02-05T20:10:00Z by kim (release)".
func (o *Override) String() string { return o.Said().String() }

// Said implements say.Sayer.
func (o *Override) Said() say.Text {
	text := say.F("%s until %s", o.State, o.Until.UTC().Format(time.RFC3339))
	if o.Boundary {
		text = say.F("%s or the next boundary", text)
	}
	if o.Once {
		text = say.F("%s or until it has been reached", text)
	}
	text = say.F("%s by %s", text, o.Author)
	if o.Reason != "" {
		text = say.F("%s (%s)", text, o.Reason)
	}
	return text
}

// Covers reports whether the override is for a resource. tagKey is the key of the schedule tag.
func (o *Override) Covers(r fleet.Resource, tagKey string) bool {
	return o.Target.covers(&r, strings.TrimSpace(r.Tags[tagKey]))
}

// SortOverrides puts overrides in the order in which they count: the most specific target first, of equal ones the
// newest, of those the one with the greater ID.
func SortOverrides(list []*Override) {
	slices.SortFunc(list, func(a, b *Override) int {
		return cmp.Or(cmp.Compare(a.Target.rank(), b.Target.rank()), b.From.Compare(a.From), cmp.Compare(b.ID, a.ID))
	})
}
