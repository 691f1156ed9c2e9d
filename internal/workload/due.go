package workload

import (
	"slices"
	"time"

	"dayshift/internal/fleet"
)

// due says what is to be observed now, and when the run is to be looked at again.
func (t *turn) due() {
	if t.r = t.root; t.r.Status.Over() {
		return
	}
	if t.r.Back != nil {
		t.r = t.r.Back
	}
	for i := range t.r.Tiers {
		tr := &t.r.Tiers[i]
		for j := range tr.Members {
			t.dueBack(&tr.Members[j])
		}
		ending := t.r.Status == StatusCancelling || t.r.Status == StatusUndoing
		if tr.Phase.Over() || tr.Phase == PhaseWaiting || ending {
			continue
		}
		if tr.Phase == PhaseDelay {
			t.wake(tr.Since.Add(t.delay(tr)))
			continue
		}
		t.wake(tr.Deadline)
		switch tr.Phase { //nolint:exhaustive // the others wait for nothing that is seen
		case PhaseListing:
			at := tr.Since
			if !tr.Listed.Before(at) {
				at = tr.Listed.Add(listEvery)
			}
			if t.at(at) {
				t.next.Look.Tiers = append(t.next.Look.Tiers, tr.Name)
			}
		case PhaseMembers:
			for j := range tr.Members {
				if m := &tr.Members[j]; m.End == "" && m.Effect == "" {
					t.dueMember(tr, m)
				}
			}
		}
	}
}

// wake notes an instant at which the run moves by itself.
func (t *turn) wake(at time.Time) {
	if at.After(t.now) && (t.next.Wake.IsZero() || at.Before(t.next.Wake)) {
		t.next.Wake = at
	}
}

// at tells whether an instant has come, and notes it otherwise.
func (t *turn) at(at time.Time) bool {
	t.wake(at)
	return !at.After(t.now)
}

// gap is the time between two looks at what has been waited for since then.
func gap(since, seen time.Time) time.Duration {
	return min(max(seen.Sub(since)/lookShare, minLook), maxLook)
}

// state asks for the state of a member, not before an instant.
func (t *turn) state(m *Member, from time.Time) {
	if next := m.Seen.Add(gap(m.Since, m.Seen)); next.After(from) {
		from = next
	}
	if t.at(from) && !slices.Contains(t.next.Look.Members, m.Ref) {
		t.next.Look.Members = append(t.next.Look.Members, m.Ref)
	}
}

// standings asks how a member stands.
func (t *turn) standings(m *Member, since time.Time) {
	at := since
	if !m.StoodAt.Before(at) {
		at = m.StoodAt.Add(gap(since, m.StoodAt))
	}
	if !t.at(at) {
		return
	}
	if t.next.Look.Standings == nil {
		t.next.Look.Standings = map[fleet.Ref][]Place{}
	}
	t.next.Look.Standings[m.Ref] = slices.Clone(m.Places)
}

// dueMember says what a member on its way waits for.
func (t *turn) dueMember(tr *TierRun, m *Member) {
	tier := t.r.Definition.Tier(tr.Name)
	switch m.Step {
	case StepSettle, StepResize, StepStop, StepRestore:
		t.state(m, m.Next)
	case StepArrive, StepLeave:
		t.state(m, time.Time{})
	case StepGates:
		t.state(m, time.Time{})
		for i := range min(len(m.Asked), len(tier.Ready)) {
			t.dueGate(tr, m, i, &tier.Ready[i], &m.Asked[i])
		}
	case StepVeto:
		t.state(m, time.Time{})
		for i := range min(len(m.Asked), len(tier.Vetoes)) {
			t.dueVeto(tr, m, i, &tier.Vetoes[i], &m.Asked[i])
		}
	case StepPlaces:
		t.next.Look.Places = append(t.next.Look.Places, m.Ref)
	case StepRegister:
		t.wake(m.Next)
	case StepHealth:
		t.standings(m, m.Since)
		t.wake(m.Since.Add(tier.healthLimit()))
	case StepDrain:
		t.state(m, time.Time{})
		if m.OutAt.IsZero() {
			t.wake(m.Next)
			return
		}
		t.standings(m, m.OutAt)
		t.wake(m.OutAt.Add(DrainLimit))
	case StepWait, StepStart, StepPutBack, StepBefore, StepAfter, StepTell:
	}
}

func (t *turn) dueGate(tr *TierRun, m *Member, i int, g *Gate, q *Question) {
	if q.Answer == AnswerYes {
		return
	}
	t.wake(q.Asked.Add(g.Timeout))
	switch g.Type {
	case GateStatusChecks:
		at := q.Asked
		if !m.HealthAt.Before(at) {
			at = m.HealthAt.Add(g.Interval)
		}
		if t.at(at) {
			t.next.Look.Health = append(t.next.Look.Health, m.Ref)
			if !slices.Contains(t.next.Look.Members, m.Ref) {
				t.next.Look.Members = append(t.next.Look.Members, m.Ref)
			}
		}
	case GateTCP, GateHTTP:
		if t.at(q.again(g.Interval)) {
			t.next.Look.Checks = append(t.next.Look.Checks, Check{ID: t.question(tr, m, StepGates, i), Tier: tr.Name, Member: m.Ref, Gate: g})
		}
	case GateCommand:
		if q.Effect == "" {
			t.wake(q.again(g.Interval))
		}
	case GateState, GateTargetHealth:
	}
}

func (t *turn) dueVeto(tr *TierRun, m *Member, i int, v *Veto, q *Question) {
	if q.Answer != "" {
		return
	}
	t.wake(q.Asked.Add(v.Timeout))
	switch v.Type {
	case VetoSessions, VetoBackup:
		if t.at(q.again(vetoEvery)) {
			t.next.Look.Checks = append(t.next.Look.Checks, Check{ID: t.question(tr, m, StepVeto, i), Tier: tr.Name, Member: m.Ref, Veto: v})
		}
	case VetoFile, VetoCommand, VetoWebhook:
		if q.Effect == "" {
			t.wake(q.again(vetoEvery))
		}
	}
}

// dueBack says what a member waits for that has to be put back.
func (t *turn) dueBack(m *Member) {
	if !m.owes() || m.Effect != "" {
		return
	}
	t.wake(m.EndedAt.Add(PutBackLimit))
	t.wake(m.Next)
	if m.State != fleet.Running || m.Seen.Before(m.certain(m.EndedAt)) {
		t.state(m, m.certain(m.EndedAt))
	}
}
