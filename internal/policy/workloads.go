package policy

import (
	"slices"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/workload"
)

// Workloads are the workloads of a configuration, with an index of whose members
// they are: a fleet of a million resources and some hundred tiers is asked about
// at every look. nil has none.
type Workloads struct {
	list []*workload.Workload
	// tagged are the tiers that one tag with one value is needed for, rest all others; both in the order of names.
	tagged map[string]map[string][]tier
	rest   []tier
}

type tier struct {
	of *workload.Workload
	at int
}

// NewWorkloads indexes workloads.
func NewWorkloads(list []*workload.Workload) *Workloads {
	w := &Workloads{list: slices.Clone(list), tagged: map[string]map[string][]tier{}}
	slices.SortFunc(w.list, func(a, b *workload.Workload) int { return strings.Compare(a.Name, b.Name) })
	for _, of := range w.list {
		for at := range of.Tiers {
			w.index(tier{of, at})
		}
	}
	return w
}

func (w *Workloads) index(t tier) {
	for _, filter := range []fleet.Filter{t.of.Tiers[t.at].Filter, t.of.Filter} {
		key, values, ok := filter.Tag()
		if !ok {
			continue
		}
		if w.tagged[key] == nil {
			w.tagged[key] = map[string][]tier{}
		}
		for _, value := range values {
			w.tagged[key][value] = append(w.tagged[key][value], t)
		}
		return
	}
	w.rest = append(w.rest, t)
}

// All are the workloads, ordered by name; who asks must not change them.
func (w *Workloads) All() []*workload.Workload {
	if w == nil {
		return nil
	}
	return w.list
}

// Named finds a workload by name; nil where there is none.
func (w *Workloads) Named(name string) *workload.Workload {
	at, found := slices.BinarySearchFunc(w.All(), name, func(o *workload.Workload, name string) int { return strings.Compare(o.Name, name) })
	if !found {
		return nil
	}
	return w.list[at]
}

// Of gives the workload and the tier whose member a resource is: of several the first by name. One of a workload with a
// fault is nobody's: it is not known what that meant.
func (w *Workloads) Of(r *fleet.Resource) (of *workload.Workload, name string, member bool) {
	if w == nil {
		return nil, "", false
	}
	best := tier{}
	ask := func(tiers []tier) {
		for _, t := range tiers {
			if best.of != nil && best.of.Name <= t.of.Name {
				return // they are in the order of names
			}
			if t.of.Err == nil && t.of.Selects(&t.of.Tiers[t.at], *r) {
				best = t
				return
			}
		}
	}
	ask(w.rest)
	for key, values := range w.tagged {
		if value, tagged := r.Tags[key]; tagged {
			ask(values[value])
		}
	}
	if best.of == nil {
		return nil, "", false
	}
	return best.of, best.of.TierOf(*r).Name, true
}

// GovernsWorkload says what governs a workload as a whole: its schedule, and the
// overrides for it or its schedule. An override for single resources or a filter is for
// what it names.
func (b *Book) GovernsWorkload(w *workload.Workload) Policy {
	p := Policy{Name: w.Schedule, TagKey: b.TagKey, Observe: b.Observe, book: b, Workload: w.Name}
	for _, o := range b.Overrides {
		if o.Target.Workload == w.Name || o.Target.Schedule != "" && o.Target.Schedule == w.Schedule {
			p.overrides = append(p.overrides, o)
		}
	}
	p.bySchedule()
	if p.Why == Governed {
		p.Offset = Offset(WorkloadRef(w.Name), p.Schedule.Jitter)
	}
	return p
}

// ScheduleOf is the schedule that drives a workload; empty: none does, or there is no such workload.
func (b *Book) ScheduleOf(name string) string {
	if w := b.Workloads.Named(name); w != nil {
		return w.Schedule
	}
	return ""
}

// WorkloadKind stands for a workload where a kind of resource is asked for.
const WorkloadKind fleet.Kind = "workload"

// WorkloadRef stands for a workload where a resource is asked for.
func WorkloadRef(name string) fleet.Ref { return fleet.Ref{Kind: WorkloadKind, ID: name} }

// WorkloadState gives what is wanted of a workload by one word, for people.
func WorkloadState(d workload.Direction) calendar.State {
	if d == workload.Start {
		return calendar.Running
	}
	return calendar.Stopped
}
