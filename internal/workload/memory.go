package workload

import (
	"maps"
	"slices"
	"time"

	"dayshift/internal/fleet"
)

// Memory is what is remembered of a workload between its runs: a run is begun
// with it, and Remember renews it at the end of a run. The zero Memory is that
// of a workload that never ran.
type Memory struct {
	// Out are the places out of which members were taken and not put back, by Ref.String.
	Out map[string][]Place `json:"out,omitempty"`
	// Kept is since when vetoes have kept a member, run after run, by Ref.String.
	Kept map[string]time.Time `json:"kept,omitempty"`
	// Where is where each tier had members, as HomeOf names it.
	Where map[string][]string `json:"where,omitempty"`
	// Past are the last runs that came to their end, the newest last, at most PastRuns of each direction.
	Past []Past `json:"past,omitempty"`
}

// PastRuns is how many earlier runs of a direction the expected finish is told from: enough that one slow morning counts for
// nothing, few enough that a changed workload is known after two weeks.
const PastRuns = 10

// Past is how long a run took.
type Past struct {
	Direction Direction `json:"direction"`
	Began     time.Time `json:"began"`
	// Tiers are what each tier took from its begin to its end, its delay included; only those that came to a good end.
	Tiers map[string]time.Duration `json:"tiers"`
}

// Remember renews a memory after a run is over. The memory is the present one,
// not that of when the run began. The same run remembered twice counts once.
func Remember(m Memory, run *Run) Memory {
	m = m.clone()
	run.each(func(member *Member) {
		key := member.Ref.String()
		delete(m.Out, key)
		if len(member.Out) > 0 && member.End != EndGone {
			m.Out[key] = slices.Clone(member.Out)
		}
		switch {
		case member.End != EndKept:
			if run.Direction == Stop && member.End != "" {
				delete(m.Kept, key)
			}
		case member.Why == WhyVetoed || member.Why == WhyUnanswered:
			if _, before := m.Kept[key]; !before {
				m.Kept[key] = member.KeptFrom
			}
		}
	})
	for i := range run.Tiers {
		switch tr := &run.Tiers[i]; {
		case len(tr.Members) > 0:
			m.Where[tr.Name] = tr.homes()
		case tr.Phase == PhaseDone, tr.Phase == PhaseFailed && tr.Why == WhyNothing: // all was listed, and nothing was there
			delete(m.Where, tr.Name)
		}
	}
	if run.Status == StatusDone || run.Status == StatusExceptions {
		m.add(run.past())
	}
	return m
}

// HomeOf names the resources of a kind in a scope.
func HomeOf(scope fleet.Scope, kind fleet.Kind) string { return scope.String() + "/" + string(kind) }

// homes are where the members of a tier are, in order.
func (tr *TierRun) homes() (list []string) {
	for i := range tr.Members {
		if m := &tr.Members[i]; m.End != EndGone {
			list = append(list, HomeOf(m.Scope, m.Kind))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (m Memory) clone() Memory {
	c := Memory{Out: map[string][]Place{}, Kept: map[string]time.Time{}, Where: maps.Clone(m.Where), Past: slices.Clone(m.Past)}
	if c.Where == nil {
		c.Where = map[string][]string{}
	}
	for key, places := range m.Out {
		c.Out[key] = slices.Clone(places)
	}
	maps.Copy(c.Kept, m.Kept)
	return c
}

// add puts a run to those of its direction, in the place of itself.
func (m *Memory) add(p Past) {
	m.Past = slices.DeleteFunc(m.Past, func(o Past) bool { return o.Direction == p.Direction && o.Began.Equal(p.Began) })
	m.Past = append(m.Past, p)
	same := 0
	for i, past := range slices.Backward(m.Past) {
		if past.Direction != p.Direction {
			continue
		}
		if same++; same > PastRuns {
			m.Past = slices.Delete(m.Past, i, i+1)
		}
	}
}

// past says how long the run took.
func (r *Run) past() Past {
	p := Past{Direction: r.Direction, Began: r.Began, Tiers: map[string]time.Duration{}}
	for i := range r.Tiers {
		if t := &r.Tiers[i]; t.Phase == PhaseDone && !t.Began.IsZero() {
			p.Tiers[t.Name] = t.Ended.Sub(t.Began)
		}
	}
	return p
}

// each calls do for every member as it is at last: as the undo left it, where that concerned it.
func (r *Run) each(do func(*Member)) {
	for _, run := range [...]*Run{r, r.Back} {
		if run == nil {
			continue
		}
		for i := range run.Tiers {
			for j := range run.Tiers[i].Members {
				do(&run.Tiers[i].Members[j])
			}
		}
	}
}

// Forecast says when a run is expected to end: each tier takes the median of
// what it took in the last runs of the direction, in the order of the run.
// False where no earlier run tells of a tier that is still to come, and while the
// run waits for somebody or is being taken back.
func Forecast(m Memory, run *Run, now time.Time) (time.Time, bool) {
	if run.Status != StatusRunning {
		return run.Ended, run.Status.Over()
	}
	ends := map[string]time.Time{}
	last := now
	for i := range run.Tiers {
		t := &run.Tiers[i]
		begin := now
		for _, before := range run.After[t.Name] {
			if ends[before].After(begin) {
				begin = ends[before]
			}
		}
		end := t.Ended
		if !t.Phase.Over() {
			usual, known := m.median(run.Direction, t.Name)
			if !known {
				return time.Time{}, false
			}
			if !t.Began.IsZero() {
				begin = t.Began
			}
			if end = begin.Add(usual); end.Before(now) {
				end = now // it takes longer than it uses to
			}
		}
		ends[t.Name] = end
		if end.After(last) {
			last = end
		}
	}
	return last, true
}

// median is what a tier usually takes.
func (m Memory) median(d Direction, tier string) (time.Duration, bool) {
	var took []time.Duration
	for _, p := range m.Past {
		if length, there := p.Tiers[tier]; there && p.Direction == d {
			took = append(took, length)
		}
	}
	if len(took) == 0 {
		return 0, false
	}
	slices.Sort(took)
	return (took[(len(took)-1)/2] + took[len(took)/2]) / 2, true
}

// keptSince is since when vetoes have kept a member; zero: they have not.
func (m Memory) keptSince(ref fleet.Ref) time.Time { return m.Kept[ref.String()] }
