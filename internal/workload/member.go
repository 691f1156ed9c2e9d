package workload

import (
	"fmt"
	"slices"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// title names a member for people.
func (m *Member) title() string {
	if m.Name != "" && m.Name != m.ID {
		return m.ID + " (" + m.Name + ")"
	}
	return m.ID
}

// name names a member of a tier at the begin of a sentence.
func (t *turn) name(tr *TierRun, m *Member) say.Text {
	return say.F("Workload %s: tier %s: %s", t.r.Workload, tr.Name, m.title())
}

// up tells whether the member was running or coming up when it was seen last.
func (m *Member) up() bool { return m.State == fleet.Running || m.State == fleet.Starting }

// balanced tells whether the member can be behind load balancers, and run commands.
func (m *Member) instance() bool { return m.Kind == fleet.EC2Instance }

// step brings a member to a step.
func (t *turn) step(m *Member, s Step) {
	m.Step, m.Since, m.Next, m.Why, m.Detail = s, t.now, time.Time{}, "", say.Kept{}
	if mark := (Mark{s, t.now}); len(m.Marks) < maxMarks {
		m.Marks = append(m.Marks, mark)
	} else {
		m.Marks[maxMarks-1] = mark
	}
	t.moved = true
}

// again brings a member to a step once some time has passed, because the last try came to nothing.
func (t *turn) again(m *Member, s Step, detail say.Text) {
	t.step(m, s)
	m.Tries++
	m.Next, m.Why, m.Detail = t.now.Add(backoff(m.Tries)), WaitsRetry, detail.Kept()
}

func backoff(tries int) time.Duration {
	wait := firstBackoff
	for range tries - 1 {
		if wait *= 2; wait >= maxBackoff {
			return maxBackoff
		}
	}
	return wait
}

func (t *turn) end(m *Member, e End, why Reason, detail say.Text) {
	m.End, m.Why, m.Detail, m.EndedAt, m.Next = e, why, detail.Kept(), t.now, time.Time{}
	t.moved = true
}

func (m *Member) remark(why Reason, said say.Text) { m.Remark, m.Said = why, said.Kept() }

// seen tells whether the member was looked at since it was to be tried again.
func (t *turn) seen(m *Member) bool { return !t.now.Before(m.Next) && !m.Seen.Before(m.Next) }

// issue asks for an effect that moves a member. Step is that of the member but for a put-back.
func (t *turn) issue(tr *TierRun, m *Member, s Step, e Effect) {
	m.Issued++
	e.ID = fmt.Sprintf("%s/%s/%s/%s/%d", t.r.ID, tr.Name, m.Ref, s, m.Issued)
	e.Tier, e.Step, e.Members, e.At = tr.Name, s, []fleet.Ref{m.Ref}, t.now
	m.Effect, m.Why = e.ID, WaitsResult
	t.root.Pending = append(t.root.Pending, e)
	t.moved = true
}

// turns tells whether one more member of the tier may begin.
func (t *turn) turns(tr *TierRun) bool {
	half := t.half(tr)
	limit := half.AtOnce
	if half.Synchronous {
		limit = 1
	}
	if limit == 0 {
		return true
	}
	if t.stuck(tr) {
		return false
	}
	for i := range tr.Members {
		if tr.Members[i].under(t.r.Direction) {
			limit--
		}
	}
	return limit > 0
}

// under tells whether the member counts among those that are on their way.
func (m *Member) under(d Direction) bool {
	switch {
	case m.End != "", m.Step == StepWait:
		return false
	case d == Stop:
		return m.Step != StepSettle && m.Step != StepVeto
	}
	return true
}

// starting moves a member of a start.
func (t *turn) starting(tr *TierRun, m *Member) {
	if m.Effect != "" {
		return
	}
	switch m.Step { //nolint:exhaustive // the others are of a stop, or of the tier
	case StepWait:
		if m.Why = WaitsTurn; t.turns(tr) {
			next := m.Next
			t.step(m, StepSettle)
			m.Next = next
		}
	case StepSettle:
		t.settle(m)
	case StepResize:
		switch {
		case !t.seen(m):
		case m.State != fleet.Stopped:
			t.step(m, StepSettle)
		case m.Type == m.Want:
			t.step(m, StepStart)
		default:
			t.issue(tr, m, StepResize, Effect{Kind: ResizeMember, State: fleet.Stopped, Type: m.Want})
		}
	case StepStart:
		if m.State != fleet.Stopped {
			t.step(m, StepSettle)
			return
		}
		t.issue(tr, m, StepStart, Effect{Kind: StartMember, State: fleet.Stopped})
	case StepArrive:
		t.arrive(m)
	case StepGates:
		t.gates(tr, m)
	case StepPlaces:
		if t.places(m) {
			t.putIn(m)
		}
	case StepRegister:
		if !t.now.Before(m.Next) {
			t.issue(tr, m, StepRegister, Effect{Kind: Register, Places: slices.Clone(m.Out)})
		}
	case StepHealth:
		t.health(tr, m)
	}
}

// settle sends a member of a start on by the state that it is in.
func (t *turn) settle(m *Member) {
	if !t.seen(m) {
		if m.Why == "" {
			m.Why = WaitsState
		}
		return
	}
	switch m.State {
	case fleet.Running:
		if !m.Acted && m.Want != "" && m.Type != m.Want {
			m.remark(WhyOtherType, say.F("ran already as %s and was left so; the profile's type is %s", m.Type, m.Want))
		}
		t.step(m, StepGates)
	case fleet.Stopped:
		if m.Want != "" && m.Type != m.Want {
			t.step(m, StepResize)
			return
		}
		t.step(m, StepStart)
	case fleet.Starting:
		t.step(m, StepArrive)
	case fleet.Stopping, fleet.Other:
		m.Why, m.Detail = WaitsState, say.Word(m.State).Kept()
	default:
		m.Why = WaitsState
	}
}

// arrive waits until a member runs.
func (t *turn) arrive(m *Member) {
	m.Why, m.Detail = WaitsState, say.Word(m.State).Kept()
	switch {
	case m.State == fleet.Running:
		m.Tries = 0
		t.step(m, StepGates)
	case m.State != fleet.Stopped:
	case !m.Acted:
		t.step(m, StepSettle)
	case !m.Seen.Before(m.ActedAt.Add(settleGrace)):
		t.fellBack(m)
	}
}

// fellBack tries a member again that was started and is stopped.
func (t *turn) fellBack(m *Member) {
	reason := say.Raw(m.StateReason)
	if m.Falls++; m.Falls >= maxFalls {
		t.end(m, EndFailed, WhyFellBack, reason)
		return
	}
	m.Asked = nil
	t.again(m, StepSettle, with(say.F("it fell back to stopped"), reason))
}

// gates waits until the gates of a member have passed.
func (t *turn) gates(tr *TierRun, m *Member) {
	tier := t.r.Definition.Tier(tr.Name)
	if m.State != fleet.Running && m.Seen.After(m.Since) {
		if m.State == fleet.Stopped {
			t.fellBack(m)
		} else {
			t.step(m, StepSettle)
		}
		return
	}
	if len(m.Asked) != len(tier.Ready) {
		m.Asked = make([]Question, len(tier.Ready))
	}
	var waits []say.Text
	for i := range tier.Ready {
		g, q := &tier.Ready[i], &m.Asked[i]
		if q.Answer == AnswerYes {
			continue
		}
		if q.Asked.IsZero() {
			q.Asked = t.now
		}
		if t.gate(tr, m, i, g, q); q.Answer == AnswerYes {
			t.moved = true
			continue
		}
		if late := q.Asked.Add(g.Timeout); !t.now.Before(late) {
			t.end(m, EndFailed, WhyGate, with(say.F("%s did not pass in %s", g, g.Timeout), q.Detail.Text))
			return
		}
		waits = append(waits, with(g.Said(), q.Detail.Text))
	}
	if len(waits) > 0 {
		m.Why, m.Detail = WaitsGates, say.Clauses(waits...).Kept()
		return
	}
	switch {
	case m.instance() && tier.balanced():
		t.step(m, StepPlaces)
	default:
		t.putIn(m)
	}
}

// String names a gate for people.
func (g *Gate) String() string { return g.Said().String() }

// Said implements say.Sayer with that name.
func (g *Gate) Said() say.Text {
	switch g.Type {
	case GateTCP:
		return say.Raw(fmt.Sprintf("tcp %s:%d", g.Host, g.Port))
	case GateHTTP:
		return say.Raw(fmt.Sprintf("http %s:%d%s", g.Host, g.Port, g.Path))
	case GateState, GateStatusChecks, GateTargetHealth, GateCommand:
	}
	return say.Word(g.Type)
}

// balanced tells whether members of the tier have to be healthy where they are registered.
func (t *Tier) balanced() bool { return t.Balancers || t.targets() != nil }

func (t *Tier) targets() *Gate {
	at := slices.IndexFunc(t.Ready, func(g Gate) bool { return g.Type == GateTargetHealth })
	if at < 0 {
		return nil
	}
	return &t.Ready[at]
}

// gate tries one gate of a member, as far as it can be told now.
func (t *turn) gate(tr *TierRun, m *Member, i int, g *Gate, q *Question) {
	pass := func() { q.Answer, q.Answered, q.Detail = AnswerYes, t.now, say.Kept{} }
	switch g.Type {
	case GateState, GateTargetHealth: // it runs; how it stands comes once it is registered
		pass()
	case GateStatusChecks:
		switch {
		case !m.Kind.Traits().Checks, m.Health == fleet.Healthy && !m.HealthAt.Before(q.Asked):
			pass()
		case !m.HealthAt.Before(q.Asked):
			q.Answer, q.Answered, q.Detail = AnswerNo, m.HealthAt, say.Word(m.Health).Kept()
		}
	case GateTCP, GateHTTP:
		r, there := t.world.Readings[t.question(tr, m, StepGates, i)]
		if !there || r.At.Before(q.Asked) || !r.At.After(q.Answered) {
			return
		}
		q.Tries++
		q.Answer, q.Answered, q.Detail = AnswerNo, r.At, r.Detail.Kept()
		if r.OK && !r.Unknown {
			q.Answer = AnswerYes
		}
	case GateCommand:
		switch {
		case !m.instance():
			pass()
		case q.Effect == "" && !t.now.Before(q.again(g.Interval)):
			t.asks = append(t.asks, ask{m, q, StepGates, i, Effect{Lines: g.Lines, Windows: g.Windows, Timeout: g.Timeout}})
		}
	}
}

// again is when a question may be asked once more.
func (q *Question) again(every time.Duration) time.Time {
	if q.Answered.IsZero() {
		return q.Asked
	}
	return q.Answered.Add(every)
}

// question is the ID of a check.
func (t *turn) question(tr *TierRun, m *Member, s Step, i int) string {
	return fmt.Sprintf("%s/%s/%s/%s/%d", t.r.ID, tr.Name, m.Ref, s, i)
}

// places takes in where a member is registered; false while that is not known.
func (t *turn) places(m *Member) bool {
	m.Why = WaitsPlaces
	r, there := t.world.Places[m.Ref]
	if !there || r.At.Before(m.Since) {
		return false
	}
	m.Places, m.PlacesAt = slices.Clone(r.Places), r.At
	return true
}

// putIn goes on with a member that has passed its gates.
func (t *turn) putIn(m *Member) {
	switch {
	case len(m.Out) > 0:
		t.step(m, StepRegister)
	case len(m.Places) > 0:
		t.step(m, StepHealth)
	default:
		t.up(m)
	}
}

func (t *turn) up(m *Member) {
	why := Reason("")
	if !m.Acted {
		why = WhyAlready
	}
	t.end(m, EndReady, why, say.Text{})
}

// health waits until a member is healthy in its load balancers.
func (t *turn) health(tr *TierRun, m *Member) {
	tier := t.r.Definition.Tier(tr.Name)
	if !tier.balanced() {
		t.up(m)
		return
	}
	m.Why = WaitsHealth
	if t.standEverywhere(m, m.Since, Healthy) {
		t.up(m)
		return
	}
	if limit := tier.healthLimit(); !t.now.Before(m.Since.Add(limit)) {
		t.end(m, EndFailed, WhyGate, with(say.F("was not healthy in its load balancers in %s", limit), m.Detail.Text))
	}
}

// standEverywhere takes in how a member stands in its load balancers, as seen since an instant: so everywhere, or unused. What
// is waited for is its detail.
func (t *turn) standEverywhere(m *Member, since time.Time, so StandingState) bool {
	s, there := t.world.Standings[m.Ref]
	if !there || s.At.Before(since) || !s.At.After(m.StoodAt) {
		return false
	}
	m.StoodAt, m.Detail = s.At, say.Kept{}
	for _, p := range m.Places {
		if stands, known := s.By[p]; !known || stands.State != so && stands.State != Unused {
			m.Detail = with(say.F("%s is %s", p.Group, say.Word(stands.State)), say.Raw(stands.Reason)).Kept()
			return false
		}
	}
	return true
}

// healthLimit is how long a member may take to be healthy where it is registered.
func (t *Tier) healthLimit() time.Duration {
	if g := t.targets(); g != nil {
		return g.Timeout
	}
	return HealthTimeout
}

// stopping moves a member of a stop.
func (t *turn) stopping(tr *TierRun, m *Member) {
	if m.Effect != "" {
		return
	}
	tier := t.r.Definition.Tier(tr.Name)
	switch m.Step { //nolint:exhaustive // the others are of a start, or of the tier
	case StepSettle:
		t.calm(tier, m)
	case StepVeto:
		t.vetoes(tr, tier, m)
	case StepWait:
		if m.Why = WaitsTurn; !t.turns(tr) {
			return
		}
		if m.instance() && tier.Balancers {
			t.step(m, StepPlaces)
		} else {
			t.step(m, StepStop)
		}
	case StepPlaces:
		switch {
		case !t.places(m):
		case len(m.Places) == 0:
			t.step(m, StepStop)
		default:
			t.step(m, StepDrain)
			m.OutAt = time.Time{}
		}
	case StepDrain:
		t.drain(tr, m)
	case StepStop:
		switch {
		case !t.seen(m):
		case m.State != fleet.Running:
			t.step(m, StepSettle)
		default:
			if m.StopSince.IsZero() || t.now.Sub(m.StopSince) >= oneStop {
				m.StopSince = t.now
			}
			t.issue(tr, m, StepStop, Effect{Kind: StopMember, State: fleet.Running, Since: m.StopSince})
		}
	case StepLeave:
		t.left(m)
	case StepRestore:
		switch {
		case !t.seen(m):
		case m.Type == m.Want:
			t.end(m, EndStopped, "", say.Text{})
		default:
			t.issue(tr, m, StepRestore, Effect{Kind: ResizeMember, State: fleet.Stopped, Type: m.Want})
		}
	}
}

// calm sends a member of a stop on by the state that it is in.
func (t *turn) calm(tier *Tier, m *Member) {
	if !t.seen(m) {
		if m.Why == "" {
			m.Why = WaitsState
		}
		return
	}
	switch m.State {
	case fleet.Running:
		if len(tier.Vetoes) == 0 || t.r.Undoing {
			t.step(m, StepWait)
			return
		}
		m.Asked = nil
		t.step(m, StepVeto)
	case fleet.Stopped:
		t.down(m)
	case fleet.Stopping:
		t.step(m, StepLeave)
	case fleet.Starting, fleet.Other:
		m.Why, m.Detail = WaitsState, say.Word(m.State).Kept()
	default:
		m.Why = WaitsState
	}
}

// down ends a member that has stopped.
func (t *turn) down(m *Member) {
	switch {
	case m.Want != "" && m.Type != m.Want:
		t.step(m, StepRestore)
	case m.Acted:
		t.end(m, EndStopped, "", say.Text{})
	default:
		t.end(m, EndStopped, WhyAlready, say.Text{})
	}
}

// drain takes a member out of its load balancers and waits until its connections have ended.
func (t *turn) drain(tr *TierRun, m *Member) {
	if m.State != fleet.Running && m.Seen.After(m.Since) {
		t.step(m, StepSettle)
		return
	}
	if m.OutAt.IsZero() {
		if t.now.Before(m.Next) {
			return
		}
		for _, p := range m.Places { // before the call: afterwards it may be out, whatever is known of the call
			if !slices.Contains(m.Out, p) {
				m.Out = append(m.Out, p)
			}
		}
		t.issue(tr, m, StepDrain, Effect{Kind: Deregister, Places: slices.Clone(m.Places)})
		return
	}
	m.Why = WaitsDrain
	if t.standEverywhere(m, m.OutAt, Out) {
		t.step(m, StepStop)
		return
	}
	if !t.now.Before(m.OutAt.Add(DrainLimit)) {
		t.step(m, StepStop)
	}
}

// left waits until a member has stopped.
func (t *turn) left(m *Member) {
	m.Why, m.Detail = WaitsState, say.Word(m.State).Kept()
	switch {
	case m.State == fleet.Stopped:
		m.Tries = 0
		t.down(m)
	case m.State != fleet.Running:
	case !m.Acted:
		t.step(m, StepSettle)
	case !m.Seen.Before(m.ActedAt.Add(settleGrace)):
		runs := say.F("its stop was accepted, and it still runs")
		if m.Falls++; m.Falls >= maxFalls {
			t.end(m, EndFailed, WhyStayedUp, runs)
			return
		}
		t.again(m, StepStop, runs)
	}
}

// owes tells whether the member may go on running outside of its load balancers, and nobody has given up on that.
func (m *Member) owes() bool {
	if m.End != EndFailed && m.End != EndKept && m.End != EndLeft || len(m.Out) == 0 || m.GaveUp || m.Gone || m.Why == LeftProtected {
		return false
	}
	return m.State != fleet.Stopped || m.Seen.Before(m.certain(m.EndedAt))
}

// certain is from when on a listing shows what became of a member, at the earliest at an instant.
func (m *Member) certain(from time.Time) time.Time {
	if after := m.ActedAt.Add(settleGrace); m.Acted && after.After(from) {
		return after
	}
	return from
}

// putBack puts a member that stays back where it was taken out.
func (t *turn) putBack(tr *TierRun, m *Member) {
	if !m.owes() || m.Effect != "" {
		return
	}
	if !t.now.Before(m.EndedAt.Add(PutBackLimit)) {
		t.leftOut(tr, m, m.Said.Text)
		return
	}
	if m.State == fleet.Running && !m.Seen.Before(m.certain(m.EndedAt)) && !t.now.Before(m.Next) {
		why := m.Why
		t.issue(tr, m, StepPutBack, Effect{Kind: Register, Places: slices.Clone(m.Out)})
		m.Why = why
	}
}

// leftOut gives up on a member that can not be put back.
func (t *turn) leftOut(tr *TierRun, m *Member, detail say.Text) {
	m.GaveUp = true
	m.remark(WhyLeftOut, say.Clauses(with(say.F("runs and could not be put back into its load balancers"), detail), say.F("the next run tries again")))
	t.root.tell(ToldWarning, say.F("%s %s", t.name(tr, m), m.Said), t.now)
	t.moved = true
}
