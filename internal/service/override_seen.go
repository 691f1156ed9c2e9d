package service

import (
	"fmt"
	"maps"
	"strings"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// Bounds of what is kept with an override of the resources that it is for: it is read with every override in force.
const (
	maxKept      = 100
	maxKeptBytes = 32 << 10 // of names and tags
)

// seen are the resources of a subject as they are kept with an override, so that whoever follows some resources alone hears of
// it; of a workload what its filters say of its members. Where they are too many to keep, those that differ in nothing but
// name, ID and what AWS tagged them with are one.
func (v *looked) seen(on *subject) []fleet.Resource {
	var list []fleet.Resource
	for _, i := range on.covered {
		if r := &v.report.Decisions[i].Resource; r.Kind != policy.WorkloadKind {
			list = append(list, fleet.Resource{Ref: r.Ref, Name: r.Name, Tags: r.Tags})
		}
	}
	if w := v.s.Book.Workloads.Named(on.target.Workload); w != nil && v.s.Config != nil {
		list = w.Stand(v.s.Config.Scopes)
	}
	if few, all := firstSeen(list); all {
		return few
	}
	alike := map[string]bool{}
	var kinds []fleet.Resource
	for i := range list {
		r := fleet.Resource{Ref: fleet.Ref{Scope: list[i].Scope, Kind: list[i].Kind}, Tags: maps.Clone(list[i].Tags)}
		maps.DeleteFunc(r.Tags, func(key, _ string) bool { return key == "Name" || strings.HasPrefix(key, "aws:") })
		key := fmt.Sprint(r.Ref, r.Tags) // maps are printed in the order of their keys
		if !alike[key] {
			alike[key] = true
			kinds = append(kinds, r)
		}
	}
	kinds, _ = firstSeen(kinds)
	return kinds
}

// firstSeen are as many as are kept, and whether these are all.
func firstSeen(list []fleet.Resource) (first []fleet.Resource, all bool) {
	size := 0
	for i := range list {
		size += len(list[i].ID) + len(list[i].Name)
		for key, value := range list[i].Tags {
			size += len(key) + len(value)
		}
		if i == maxKept || size > maxKeptBytes {
			return list[:i], false
		}
	}
	return list, true
}
