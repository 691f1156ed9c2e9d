package service

import (
	"context"
	"slices"
	"strings"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// someNamed is how many members that are in two tiers a note names.
const someNamed = 5

// InWorkload reports whether any of the resources is a member of the workload.
func (s *Service) InWorkload(name string, resources []fleet.Resource) bool {
	w := s.Config.Book.Workloads.Named(name)
	return w != nil && w.Err == nil && slices.ContainsFunc(resources, func(r fleet.Resource) bool { return w.TierOf(r) != nil })
}

// tierRule selects what a tier does, for a listing of its own.
func tierRule(w *workload.Workload, t *workload.Tier) *policy.Rule {
	return &policy.Rule{Accounts: narrower(w.Accounts, t.Accounts), Regions: narrower(w.Regions, t.Regions), Filter: t.Filter, Untagged: true}
}

// narrower is what is in both lists; an empty list is everything.
func narrower[T comparable](a, b []T) []T {
	if len(a) == 0 || len(b) == 0 {
		return slices.Concat(a, b)
	}
	return slices.DeleteFunc(slices.Clone(b), func(one T) bool { return !slices.Contains(a, one) })
}

// tierMembers lists what a tier selects now, and what could not be seen.
func (s *Service) tierMembers(ctx context.Context, w *workload.Workload, t *workload.Tier) (list []fleet.Resource, missing []Gap) {
	all, missing := s.Matching(ctx, tierRule(w, t))
	for i := range all {
		if w.Selects(t, all[i]) {
			list = append(list, all[i])
		}
	}
	return list, missing
}

// workload says in which order the tiers go, what each of them matches, and what is in two of them.
func (n *noter) workload(ctx context.Context, name string) {
	w := n.loaded.Book.Workloads.Named(name)
	if w == nil || w.Err != nil {
		return
	}
	if !w.Enabled {
		n.notef("It is switched off: nothing of it is started or stopped, by whomever.")
	}
	for _, d := range [...]workload.Direction{workload.Start, workload.Stop} {
		n.notef("Its tiers %s in this order: %s.", say.Word(string(d)), strings.Join(stages(w, d), " → "))
	}
	if n.s.Matching == nil {
		return
	}
	var members []fleet.Resource
	for i := range w.Tiers {
		t := &w.Tiers[i]
		list, missing := n.s.tierMembers(ctx, w, t)
		members = append(members, list...)
		for _, gap := range missing {
			n.notef("What it matches is not known whole: %s.", gap.Text)
		}
		if len(list) == 0 {
			n.notef("Tier %s matches nothing now: a start would fail there.", t.Name)
			continue
		}
		n.notef("Tier %s matches %s now.", t.Name, say.N(len(list), "%d resource", "%d resources"))
	}
	slices.SortFunc(members, func(a, b fleet.Resource) int { return a.Ref.Compare(b.Ref) })
	members = slices.CompactFunc(members, func(a, b fleet.Resource) bool { return a.Ref == b.Ref })
	shared := workload.Overlaps(n.loaded.Book.Workloads.All(), members)
	for i, s := range shared {
		if i == someNamed {
			n.notef("So are %d more.", len(shared)-someNamed)
			break
		}
		var tiers []string
		for _, m := range s.Tiers {
			tiers = append(tiers, m.Workload+"/"+m.Tier)
		}
		n.notef("%s is in more than one tier: %s; it goes with the first.", s.Resource.ID, strings.Join(tiers, ", "))
	}
}

// stages are the tiers of a direction, those side by side with "+" between.
func stages(w *workload.Workload, d workload.Direction) []string {
	names, after := w.Order(d)
	depth := map[string]int{}
	var list [][]string
	for _, name := range names { // in an order in which they may begin
		for _, before := range after[name] {
			depth[name] = max(depth[name], depth[before]+1)
		}
		if depth[name] == len(list) {
			list = append(list, nil)
		}
		list[depth[name]] = append(list[depth[name]], name)
	}
	var texts []string
	for _, side := range list {
		texts = append(texts, strings.Join(side, " + "))
	}
	return texts
}

// wholeInside refuses a workload with anything in it, before the change or after it, that its author may not act on.
func (g *stage) wholeInside(ctx context.Context, name string, within *fleet.Filter) error {
	if g.s.Matching == nil {
		return &OutsideError{Unseen: true}
	}
	outside := 0
	for _, loaded := range [...]*policy.Book{&g.before.Book, &g.after.Book} {
		w := loaded.Workloads.Named(name)
		if w == nil {
			continue
		}
		for i := range w.Tiers {
			list, missing := g.s.tierMembers(ctx, w, &w.Tiers[i])
			if len(missing) > 0 {
				return &OutsideError{Unseen: true}
			}
			for j := range list {
				if !within.Match(list[j]) {
					outside++
				}
			}
		}
	}
	if outside > 0 {
		return &OutsideError{Resources: outside}
	}
	return nil
}
