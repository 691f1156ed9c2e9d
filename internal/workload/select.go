package workload

import (
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Selects reports whether a tier of the workload selects a resource.
func (w *Workload) Selects(t *Tier, r fleet.Resource) bool {
	return w.In(t, r.Scope) && (w.Filter.IsZero() || w.Filter.Match(r)) && t.Filter.Match(r)
}

// In reports whether members of a tier can be in a scope.
func (w *Workload) In(t *Tier, scope fleet.Scope) bool {
	return among(w.Accounts, scope.Account) && among(t.Accounts, scope.Account) && among(w.Regions, scope.Region) && among(t.Regions, scope.Region)
}

// Reach tells whether a tier of the workload can have members of a kind in a scope, and whether it is expected to: the place is
// named, by accounts or by a filter.
func (w *Workload) Reach(t *Tier, scope fleet.Scope, kind fleet.Kind) (can, named bool) {
	whole, byAll := w.Filter.Reach(scope, kind)
	own, byTier := t.Filter.Reach(scope, kind)
	return whole && own && w.In(t, scope), byAll || byTier || len(w.Accounts)+len(t.Accounts) > 0
}

// Stand gives resources that stand for the members that the workload can have in some scopes, with what its filters name.
func (w *Workload) Stand(scopes []fleet.Scope) []fleet.Resource {
	var list []fleet.Resource
	for i := range w.Tiers {
		var places []fleet.Resource
		for _, scope := range scopes {
			if w.In(&w.Tiers[i], scope) {
				places = append(places, fleet.Resource{Ref: fleet.Ref{Scope: scope}})
			}
		}
		list = append(list, w.Tiers[i].Filter.Stand(w.Filter.Stand(places))...)
	}
	return list
}

func among[T comparable](list []T, one T) bool { return len(list) == 0 || slices.Contains(list, one) }

// TierOf finds the tier that a resource is a member of: the first by name that selects it; nil where none does.
func (w *Workload) TierOf(r fleet.Resource) *Tier {
	for i := range w.Tiers {
		if w.Selects(&w.Tiers[i], r) {
			return &w.Tiers[i]
		}
	}
	return nil
}

// Select makes the listing of a tier: of all resources, those that it selects
// and no tier before it by name does (a member of two tiers goes with the first; Overlaps says so). left says what else
// keeps a resource out (protection by the configuration, an override of its own) and may be nil; At is when
// the listings began, gaps are scopes of the tier that could not be listed whole.
func (w *Workload) Select(t *Tier, d Direction, at time.Time, resources []fleet.Resource, gaps []say.Text, left func(fleet.Resource) (Reason, say.Text)) Listing {
	l := Listing{At: at, Gaps: gaps}
	for i := range resources {
		r := resources[i]
		if own := w.TierOf(r); own == nil || own.Name != t.Name {
			continue
		}
		c := Candidate{Resource: r}
		if c.Left, c.Detail = t.left(d, r); c.Left == "" && left != nil {
			c.Left, c.Detail = left(r)
		}
		l.Members = append(l.Members, c)
	}
	slices.SortFunc(l.Members, func(a, b Candidate) int { return a.Ref.Compare(b.Ref) })
	l.Members = slices.CompactFunc(l.Members, func(a, b Candidate) bool { return a.Ref == b.Ref })
	return l
}

// left says why a member takes no part, by what it is itself.
func (t *Tier) left(d Direction, r fleet.Resource) (Reason, say.Text) {
	flagged := func(key string) bool { return strings.EqualFold(strings.TrimSpace(r.Tags[key]), "true") }
	switch {
	case flagged(fleet.TagProtect):
		return LeftProtected, say.F("tag %s", fleet.TagProtect)
	case flagged(fleet.TagBypass):
		return LeftBypassed, say.F("tag %s", fleet.TagBypass)
	case t.Bypass.Match(r):
		return LeftBypassed, say.F("bypass of tier %s", t.Name)
	case r.Bar == fleet.NoBar, d == Start && startable(r.Bar):
		return "", say.Text{}
	}
	return LeftBarred, say.Word(r.Bar)
}

// startable are the bars that forbid a stop alone; what has another is somebody else's to start as well.
func startable(bar fleet.Bar) bool {
	return bar == fleet.StopProtected || bar == fleet.InstanceStoreRoot || bar == fleet.SpotOneTime
}

// Membership is a tier that selects a resource.
type Membership struct{ Workload, Tier string }

// Shared is a resource that several tiers select.
type Shared struct {
	Resource fleet.Resource
	// Tiers are ordered by workload, then tier.
	Tiers []Membership
}

// Overlaps finds the resources that more than one tier selects, in one workload or in several, ordered by Ref. Workloads
// that can not be used have no members.
func Overlaps(workloads []*Workload, resources []fleet.Resource) []Shared {
	var list []Shared
	for i := range resources {
		s := Shared{Resource: resources[i]}
		for _, w := range workloads {
			if w.Err != nil {
				continue
			}
			for j := range w.Tiers {
				if w.Selects(&w.Tiers[j], resources[i]) {
					s.Tiers = append(s.Tiers, Membership{w.Name, w.Tiers[j].Name})
				}
			}
		}
		if len(s.Tiers) > 1 {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b Shared) int { return a.Resource.Ref.Compare(b.Resource.Ref) })
	return list
}

// Empty are the tiers that select none of the resources, by name.
func (w *Workload) Empty(resources []fleet.Resource) []string {
	var names []string
	for i := range w.Tiers {
		if !slices.ContainsFunc(resources, func(r fleet.Resource) bool { return w.Selects(&w.Tiers[i], r) }) {
			names = append(names, w.Tiers[i].Name)
		}
	}
	return names
}
