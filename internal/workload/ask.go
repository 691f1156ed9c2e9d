package workload

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// ask is a question that a command answers; those of one step for several members are one command.
type ask struct {
	m      *Member
	q      *Question
	step   Step
	index  int
	effect Effect
}

// flush asks what members of the tier have to be asked, in as few commands as can be.
func (t *turn) flush(tr *TierRun) {
	asks := t.asks
	t.asks = nil
	for len(asks) > 0 {
		first := asks[0]
		var group, rest []ask
		for _, a := range asks {
			if a.step == first.step && a.index == first.index && a.m.Scope == first.m.Scope && len(group) < CommandTargets {
				group = append(group, a)
			} else {
				rest = append(rest, a)
			}
		}
		asks = rest
		first.m.Issued++
		e := first.effect
		e.ID = fmt.Sprintf("%s/%s/%s/%s-%d/%d", t.r.ID, tr.Name, first.m.Ref, first.step, first.index, first.m.Issued)
		e.Kind, e.Tier, e.Step, e.Index, e.At = SendCommand, tr.Name, first.step, first.index, t.now
		for _, a := range group {
			a.q.Effect = e.ID
			a.q.Tries++
			e.Members = append(e.Members, a.m.Ref)
		}
		t.root.Pending = append(t.root.Pending, e)
		t.moved = true
	}
}

// vetoes asks everybody who may forbid the stop of a member, all at once, and hears them.
func (t *turn) vetoes(tr *TierRun, tier *Tier, m *Member) {
	if m.State != fleet.Running && m.Seen.After(m.Since) {
		t.step(m, StepSettle)
		return
	}
	if len(m.Asked) != len(tier.Vetoes) {
		m.Asked = make([]Question, len(tier.Vetoes))
	}
	var waits []say.Text
	for i := range tier.Vetoes {
		v, q := &tier.Vetoes[i], &m.Asked[i]
		if q.Answer != "" {
			continue
		}
		if q.Asked.IsZero() {
			q.Asked = t.now
		}
		t.veto(tr, m, i, v, q)
		if q.Answer == "" && !t.now.Before(q.Asked.Add(v.Timeout)) {
			q.Answer, q.Detail = AnswerUnknown, say.Clauses(q.Detail.Text, say.F("no answer in %s", v.Timeout)).Kept()
		}
		if q.Answer == "" {
			waits = append(waits, say.Word(v.Type))
		} else {
			t.moved = true
		}
	}
	if len(waits) > 0 {
		m.Why, m.Detail = WaitsVetoes, say.List(waits...).Kept()
		return
	}
	t.verdict(tr, tier, m)
}

// veto asks one question, or hears its answer.
func (t *turn) veto(tr *TierRun, m *Member, i int, v *Veto, q *Question) {
	switch v.Type {
	case VetoFile, VetoCommand:
		switch {
		case !m.instance():
			q.Answer, q.Answered = AnswerYes, t.now
		case q.Effect == "" && !t.now.Before(q.again(vetoEvery)):
			t.asks = append(t.asks, ask{m, q, StepVeto, i, Effect{Lines: v.Lines, File: v.Path, Windows: v.Windows, Timeout: v.Timeout}})
		}
	case VetoWebhook:
		if q.Effect == "" && !t.now.Before(q.again(vetoEvery)) {
			m.Issued++
			q.Tries++
			q.Effect = fmt.Sprintf("%s/%s/%s/%s-%d/%d", t.r.ID, tr.Name, m.Ref, StepVeto, i, m.Issued)
			t.root.Pending = append(t.root.Pending, Effect{
				ID: q.Effect, Kind: CallWebhook, Tier: tr.Name, Step: StepVeto, Index: i, Members: []fleet.Ref{m.Ref}, At: t.now, URL: v.URL, Timeout: v.Timeout,
			})
			t.moved = true
		}
	case VetoSessions, VetoBackup:
		if v.Type == VetoSessions && !m.instance() {
			q.Answer, q.Answered = AnswerYes, t.now
			return
		}
		r, there := t.world.Readings[t.question(tr, m, StepVeto, i)]
		if !there || r.At.Before(q.Asked) || !r.At.After(q.Answered) {
			return
		}
		q.Tries++
		q.Answered, q.Detail = r.At, r.Detail.Kept()
		switch {
		case r.Unknown:
		case r.OK:
			q.Answer = AnswerYes
		default:
			q.Answer = AnswerNo
		}
	}
}

// verdict says what the answers to the vetoes mean for a member.
func (t *turn) verdict(tr *TierRun, tier *Tier, m *Member) {
	var against []say.Text
	why, limited := WhyUnanswered, true
	limit := time.Duration(0)
	for i := range tier.Vetoes {
		v, q := &tier.Vetoes[i], &m.Asked[i]
		if q.Answer == AnswerYes || q.Answer == AnswerUnknown && v.Unknown == StopIt {
			continue
		}
		if q.Answer == AnswerNo {
			why = WhyVetoed
		}
		against = append(against, with(say.Word(v.Type), q.Detail.Text))
		limited = limited && v.Limit > 0
		limit = max(limit, v.Limit)
	}
	if len(against) == 0 {
		m.KeptFrom = time.Time{}
		t.step(m, StepWait)
		return
	}
	if m.KeptFrom = t.r.Memory.keptSince(m.Ref); m.KeptFrom.IsZero() {
		m.KeptFrom = t.now
	}
	who, name := say.Clauses(against...), t.name(tr, m)
	if limited && !t.now.Before(m.KeptFrom.Add(limit)) {
		m.remark(WhyForced, say.F("was kept for longer than %s, and is stopped all the same (%s)", limit, who))
		t.root.tell(ToldForced, say.F("%s %s", name, m.Said), t.now)
		t.step(m, StepWait)
		return
	}
	t.root.tell(ToldKept, say.F("%s is not stopped (%s): %s", name, say.Word(why), who), t.now)
	t.end(m, EndKept, why, who)
}

// hooks calls the hooks of a tier, one after the other; true when they are over.
func (t *turn) hooks(tr *TierRun, s Step, list []Hook) bool {
	if len(tr.Hooks) != len(list) {
		tr.Hooks = make([]HookRun, len(list))
	}
	for i := range list {
		hook, h := &list[i], &tr.Hooks[i]
		if h.Done {
			continue
		}
		if !h.Asked {
			h.Asked, h.Failed, h.Detail = true, false, say.Kept{}
			h.Tries++
			t.call(tr, s, i, hook, h)
			t.moved = true
		}
		name := say.F("%s hook %d (%s)", say.Word(s), i+1, say.Word(hook.Type))
		switch {
		case h.Open > 0:
			tr.Why, tr.Detail = WaitsHooks, name.Kept()
			return false
		case h.Failed && hook.Veto && !t.r.Undoing:
			t.fail(tr, WhyHook, with(name, h.Detail.Text))
			return false
		case h.Failed:
			t.root.tell(ToldWarning, with(say.F("Workload %s: tier %s: %s failed", t.r.Workload, tr.Name, name), h.Detail.Text), t.now)
		}
		h.Done, t.moved = true, true
	}
	return true
}

// call issues the effects of a hook.
func (t *turn) call(tr *TierRun, s Step, i int, hook *Hook, h *HookRun) {
	var refs []fleet.Ref
	for j := range tr.Members {
		m := &tr.Members[j]
		if m.End == EndLeft || m.End == EndGone || m.End == EndFailed {
			continue
		}
		if hook.Type == HookCommand && (!m.instance() || m.State != fleet.Running) {
			continue
		}
		refs = append(refs, m.Ref)
	}
	e := Effect{Tier: tr.Name, Step: s, Index: i, Try: h.Tries, At: t.now, Timeout: hook.Timeout}
	issue := func(part string, members []fleet.Ref) {
		e.ID = fmt.Sprintf("%s/%s/%s/%s-%d/%d.%d", t.r.ID, tr.Name, part, s, i, tr.Retries, h.Tries)
		e.Members = members
		t.root.Pending = append(t.root.Pending, e)
		h.Open++
	}
	switch hook.Type {
	case HookWebhook:
		e.Kind, e.URL = CallWebhook, hook.URL
	case HookLambda:
		e.Kind, e.Function = InvokeLambda, hook.Function
	case HookCommand:
		e.Kind, e.Lines, e.Windows = SendCommand, hook.Lines, hook.Windows
		if len(refs) == 0 {
			h.Failed, h.Detail = true, say.F("no EC2 instance of the tier runs, so there is nothing to run it on").Kept()
			return
		}
	}
	switch {
	case hook.OncePer != PerMember && hook.Type == HookCommand:
		issue("tier", refs[:1])
	case hook.OncePer != PerMember:
		issue("tier", refs)
	case hook.Type == HookCommand:
		for len(refs) > 0 {
			n := 1
			for n < len(refs) && n < CommandTargets && refs[n].Scope == refs[0].Scope { // refs are ordered by scope
				n++
			}
			issue(refs[0].String(), refs[:n:n])
			refs = refs[n:]
		}
	default:
		for _, ref := range refs {
			issue(ref.String(), []fleet.Ref{ref})
		}
	}
}

// results takes in the outcomes of effects.
func (t *turn) results() {
	pending := t.root.Pending
	t.root.Pending = nil
	for i := range pending {
		res, there := t.world.Results[pending[i].ID]
		if !there {
			t.root.Pending = append(t.root.Pending, pending[i])
			continue
		}
		t.r = t.root
		if back := t.root.Back; back != nil && strings.HasPrefix(pending[i].ID, back.ID+"/") {
			t.r = back
		}
		t.result(&pending[i], res)
	}
}

// result takes in one outcome. What has gone on without it is not concerned any more.
func (t *turn) result(e *Effect, res Result) {
	if e.Kind == Tell {
		return
	}
	tr := t.r.tier(e.Tier)
	if e.Step == StepBefore || e.Step == StepAfter {
		in := map[Step]Phase{StepBefore: PhaseBefore, StepAfter: PhaseAfter}[e.Step]
		if tr.Phase == in && e.Index < len(tr.Hooks) && tr.Hooks[e.Index].waits(e.Try) {
			tr.Hooks[e.Index].answer(e, res)
		}
		return
	}
	for _, ref := range e.Members {
		at := slices.IndexFunc(tr.Members, func(m Member) bool { return m.Ref == ref })
		if at < 0 {
			continue
		}
		m := &tr.Members[at]
		switch {
		case e.Step == StepGates || e.Step == StepVeto:
			if e.Index < len(m.Asked) && m.Asked[e.Index].Effect == e.ID {
				m.Asked[e.Index].answer(e.Step, res.of(ref), t.now)
			}
		case m.Effect == e.ID:
			m.Effect = ""
			t.outcome(tr, m, e, res.of(ref))
		}
	}
}

// waits tells whether a result is that of the present try.
func (h *HookRun) waits(try int) bool { return h.Asked && h.Open > 0 && h.Tries == try }

func (h *HookRun) answer(e *Effect, res Result) {
	h.Open--
	outcomes := []MemberResult{res.of(fleet.Ref{})}
	if e.Kind == SendCommand {
		outcomes = nil
		for _, ref := range e.Members {
			outcomes = append(outcomes, res.of(ref))
		}
	}
	for _, o := range outcomes {
		if o.Outcome != Done && !h.Failed {
			h.Failed, h.Detail = true, with(say.Word(o.Outcome), o.Detail).Kept()
		}
	}
}

// answer takes in the outcome of a command or webhook that was asked.
func (q *Question) answer(s Step, o MemberResult, now time.Time) {
	q.Effect, q.Answered, q.Detail = "", now, o.Detail.Kept()
	switch {
	case o.Outcome == Done:
		q.Answer = AnswerYes
	case s == StepGates:
		q.Answer = AnswerNo
	case o.Outcome == Refused:
		q.Answer = AnswerNo
	case o.Outcome == Again: // asked once more, as long as there is time
	default:
		q.Answer = AnswerUnknown
	}
}

// outcome takes in what became of an effect that moves a member. A member that has ended learns what it is, and goes nowhere.
func (t *turn) outcome(tr *TierRun, m *Member, e *Effect, o MemberResult) {
	over := m.End != ""
	t.moved = true
	switch e.Step { //nolint:exhaustive // the others have no effects of a member
	case StepStart, StepStop:
		if o.Outcome == Done || o.Outcome == Lost {
			m.Acted, m.ActedAt = true, t.now
		}
	case StepResize, StepRestore:
		if o.Outcome == Done {
			m.Type = e.Type
		}
		m.Resized = m.Resized || o.Outcome == Done || o.Outcome == Lost
	case StepRegister, StepPutBack:
		t.registered(tr, m, e, o)
		return
	}
	if over {
		return
	}
	refused := o.Outcome == Failed || o.Outcome == Refused
	switch {
	case e.Step == StepResize && refused:
		m.remark(WhyOtherType, with(say.F("can not become %s and starts as %s", e.Type, m.Type), o.Detail))
		t.root.tell(ToldWarning, say.F("%s %s", t.name(tr, m), m.Said), t.now)
		m.Want = ""
		t.step(m, StepStart)
	case e.Step == StepRestore && refused:
		m.remark(WhyOtherType, with(say.F("could not get its former type %s back and is %s", e.Type, m.Type), o.Detail))
		t.end(m, EndStopped, "", say.Text{})
	case refused:
		t.end(m, EndFailed, WhyRefused, o.Detail)
	case o.Outcome == Again, o.Outcome == Lost && e.Step != StepStart && e.Step != StepStop:
		back := e.Step
		if e.Step == StepStart {
			back = StepSettle
		}
		t.again(m, back, o.Detail)
	case e.Step == StepDrain:
		m.Tries, m.OutAt = 0, t.now
		m.Why, m.Detail = WaitsDrain, say.Kept{}
	default:
		next := map[Step]Step{StepResize: StepStart, StepStart: StepArrive, StepStop: StepLeave}
		if e.Step == StepRestore {
			t.end(m, EndStopped, "", say.Text{})
			return
		}
		t.step(m, next[e.Step])
	}
}

// registered takes in what became of putting a member back.
func (t *turn) registered(tr *TierRun, m *Member, e *Effect, o MemberResult) {
	own := e.Step == StepRegister && m.End == ""
	switch o.Outcome {
	case Done:
		for _, p := range e.Places {
			if !slices.Contains(m.Places, p) {
				m.Places = append(m.Places, p)
			}
			m.Out = slices.DeleteFunc(m.Out, func(out Place) bool { return out == p })
		}
		m.Tries, m.Next = 0, time.Time{}
		if own {
			t.step(m, StepHealth)
		}
	case Failed, Refused:
		if own {
			t.end(m, EndFailed, WhyRefused, o.Detail)
		}
		t.leftOut(tr, m, o.Detail)
	case Again, Lost:
		if own {
			t.again(m, StepRegister, o.Detail)
			return
		}
		m.Tries++
		m.Next, m.Said = t.now.Add(backoff(m.Tries)), o.Detail.Kept()
	}
}
