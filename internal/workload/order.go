package workload

import (
	"cmp"
	"maps"
	"slices"
)

// Order says which tiers each tier waits for in a direction, and gives the
// tiers in an order in which they may begin, ties by name.
//
// A start: where tiers have sequence numbers, a tier waits for all tiers of the
// next lower number there is; equal numbers go side by side and gaps mean
// nothing. Where they have none, for those of DependsOn. A stop likewise by the
// sequence of the stop, or by StopDependsOn; where no tier has either, it is the start the other way round.
//
// It expects a workload without a fault (Check); of one with a cycle, tiers that are
// part of it or behind it come last and wait for each other.
func (w *Workload) Order(d Direction) (names []string, after map[string][]string) {
	after = map[string][]string{}
	switch {
	case w.sequenced(d):
		for i := range w.Tiers {
			after[w.Tiers[i].Name] = w.below(i, d)
		}
	case d == Stop && !w.stopsByGraph():
		_, starts := w.Order(Start)
		after = reversed(starts)
	default:
		for i := range w.Tiers {
			after[w.Tiers[i].Name] = slices.Sorted(slices.Values(w.Tiers[i].needs(d)))
		}
	}
	for i := range w.Tiers { // every tier has an entry, so that the map names them all
		if _, there := after[w.Tiers[i].Name]; !there {
			after[w.Tiers[i].Name] = nil
		}
	}
	return sorted(after), after
}

// needs are the tiers that a tier names.
func (t *Tier) needs(d Direction) []string {
	if d == Start {
		return t.DependsOn
	}
	return t.StopDependsOn
}

func (w *Workload) sequenced(d Direction) bool {
	return slices.ContainsFunc(w.Tiers, func(t Tier) bool { return t.Half(d).Sequence != nil })
}

func (w *Workload) stopsByGraph() bool {
	return slices.ContainsFunc(w.Tiers, func(t Tier) bool { return len(t.StopDependsOn) > 0 })
}

// below are the tiers of the next lower number.
func (w *Workload) below(i int, d Direction) []string {
	own := number(&w.Tiers[i], d)
	var names []string
	best, some := 0, false
	for j := range w.Tiers {
		n := number(&w.Tiers[j], d)
		switch {
		case n >= own || some && n < best:
			continue
		case !some || n > best:
			best, some, names = n, true, nil
		}
		names = append(names, w.Tiers[j].Name)
	}
	slices.Sort(names)
	return names
}

// number is a tier's sequence; one without is refused by Check and goes first.
func number(t *Tier, d Direction) int {
	if s := t.Half(d).Sequence; s != nil {
		return *s
	}
	return 0
}

// reversed turns every edge round.
func reversed(after map[string][]string) map[string][]string {
	other := map[string][]string{}
	for name, befores := range after {
		for _, before := range befores {
			other[before] = append(other[before], name)
		}
	}
	for name := range other {
		slices.Sort(other[name])
	}
	return other
}

// sorted puts tiers behind those that they wait for.
func sorted(after map[string][]string) []string {
	depth := map[string]int{}
	// The depth of a tier in a cycle grows until it is bounded: there are no longer paths than tiers.
	for range after {
		for name, befores := range after {
			for _, before := range befores {
				if d := depth[before] + 1; d > depth[name] {
					depth[name] = min(d, len(after))
				}
			}
		}
	}
	names := make([]string, 0, len(after))
	for name := range after {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b)) })
	return names
}

// behind are all tiers that wait for a tier, directly or not.
func behind(after map[string][]string, name string) map[string]bool {
	next := reversed(after)
	found := map[string]bool{}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		for _, other := range next[queue[0]] {
			if !found[other] {
				found[other] = true
				queue = append(queue, other)
			}
		}
	}
	return found
}

// keeps are the tiers that must not stop while somebody of the tier stays: those that it needs to start, and those
// that stop after it.
func (w *Workload) keeps(name string) map[string]bool {
	_, starts := w.Order(Start)
	_, stops := w.Order(Stop)
	kept := behind(reversed(starts), name)
	for other := range behind(stops, name) {
		kept[other] = true
	}
	delete(kept, name)
	return kept
}

// cycle finds the first cycle of a graph, as a path that ends where it begins; nil where there is none.
func cycle(after map[string][]string) []string {
	const open, closed = 1, 2
	mark := map[string]int{}
	var path []string
	var visit func(name string) []string
	visit = func(name string) []string {
		mark[name] = open
		path = append(path, name)
		for _, before := range after[name] {
			switch mark[before] {
			case open:
				return append(slices.Clone(path[slices.Index(path, before):]), before)
			case closed:
				continue
			}
			if found := visit(before); found != nil {
				return found
			}
		}
		mark[name] = closed
		path = path[:len(path)-1]
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if mark[name] == 0 {
			if found := visit(name); found != nil {
				return found
			}
		}
	}
	return nil
}
