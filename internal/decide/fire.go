package decide

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// The precedence where a rule meets something else (SEMANTICS 7, "a rule is an
// edge, a schedule is a level"): a person's override wins, then a schedule that
// is enforced, then whatever was due later; at the same instant a stop wins,
// then the rule whose name comes first. What loses is dropped with a reason.
//
// A resize and a reboot want no state, so they overtake nothing that does: they
// give way to the start or stop of another rule and wait for one of the
// schedule. A resize that has taken its machine down brings it up again,
// whatever fires meanwhile, unless that is a stop.

// FireLasts is how long after it fired the action of a rule is tried: long
// enough for a change of state to end and for a short shortage to pass, short
// enough that nobody meets it as a surprise.
const FireLasts = 15 * time.Minute

// hearFires puts the rules that fired to what is remembered: one action counts.
func (x *decider) hearFires() {
	m := x.m
	var all []Fire
	for _, f := range x.in.Fires {
		if !f.same(m.Fire) && (m.Intent == nil || !f.same(m.Intent.Fire)) { // heard before, and its hearing was not recorded
			all = append(all, f)
		}
	}
	if len(all) > 0 {
		var half Fire
		if m.Fire.Halfway {
			half = m.Fire
		} else if !m.Fire.IsZero() {
			all = append(all, m.Fire)
		}
		slices.SortFunc(all, func(a, b Fire) int {
			return cmp.Or(
				cmp.Compare(order(a.Verb)/neutral, order(b.Verb)/neutral),
				b.At.Compare(a.At), cmp.Compare(order(a.Verb), order(b.Verb)), cmp.Compare(a.Rule, b.Rule))
		})
		var gone Fire
		m.Fire, gone = goesOn(half, all[0])
		if !gone.IsZero() {
			x.Dropped = append(x.Dropped, Dropped{gone, RuleOvertaken})
		}
		for _, other := range all[1:] {
			x.Dropped = append(x.Dropped, Dropped{other, RuleOvertaken})
		}
	}
	if f := m.Fire; !f.IsZero() && !f.Halfway && m.Intent == nil && !x.now.Before(f.Until) {
		x.dropFire(RuleLate)
	}
}

func (f Fire) same(other Fire) bool { return f.Rule == other.Rule && f.At.Equal(other.At) }

// down reports whether the fire stops for good.
func (f Fire) down() bool { return f.Verb == fleet.Stop || f.Verb == fleet.Hibernate }

// neutral is the first place in the order of a verb that wants no state.
const neutral = 3

// order is the place of a verb among rules of the same instant.
func order(verb fleet.Verb) int {
	return slices.Index([]fleet.Verb{fleet.Stop, fleet.Hibernate, fleet.Start, fleet.Resize, fleet.Reboot}, verb)
}

// goesOn says what is carried out where a resize that is halfway, or nothing,
// meets the fire of another rule, and what is given up.
func goesOn(half, next Fire) (goes, gone Fire) {
	switch {
	case half.IsZero() || next.IsZero():
		if half.IsZero() {
			return next, half
		}
		return half, next
	case next.down():
		return next, half
	case next.Verb == fleet.Resize: // it is down for a resize all the same
		return halfway(next), half
	}
	return half, next
}

// dropFire gives the action of a rule up, if there is one.
func (x *decider) dropFire(why Reason) {
	f := x.m.Fire
	if f.IsZero() {
		return
	}
	x.say("rule", func() say.Text { return say.F("rule %q fired at %s: %s", f.Rule, instantForm(f.At), why) })
	x.Dropped = append(x.Dropped, Dropped{f, why})
	x.m.Fire = Fire{}
	if x.Before != nil {
		x.Before.Fire = Fire{}
	}
}

// fire carries out the action of a rule, after the schedule has decided.
func (x *decider) fire() {
	f := x.m.Fire
	if f.IsZero() {
		return
	}
	x.recheckAt(f.Until)
	down, neutral := f.down(), !f.Halfway && order(f.Verb) >= neutral
	plainStop := !x.Resize && (x.Verb == fleet.Stop || x.Verb == fleet.Hibernate)
	switch {
	case x.Override != nil:
		x.dropFire(RuleOverridden)
		return
	case neutral && plainStop:
		x.say("rule", func() say.Text {
			return say.F("rule %q fired at %s: %s, which waits until it is stopped", f.Rule, instantForm(f.At), say.Word(f.Verb))
		})
		return
	case neutral && x.Resource.State == fleet.Stopped: // nothing that speaks against a start or a stop matters
	case x.enforces(f):
		x.dropFire(RuleEnforced)
		return
	case x.overtaken(f):
		x.dropFire(RuleOvertaken)
		return
	}
	verb, reason, ok := x.fireVerb(f)
	yields := false
	switch {
	case x.Verb == "":
		yields = x.yieldBackingOff(f)
	case x.Verb == fleet.Start && neutral && ok:
		if was := &x.in.Memory; was.Fire == f && was.Attempts > 0 {
			return // it failed before; the start does not wait for it again
		}
		*x.m = *x.Before // the type first: the schedule starts it as soon as that is done
		x.undo()
	case x.Verb == fleet.Start && (down || f.Halfway), plainStop && f.Verb == fleet.Start, x.Resize && (down || f.Verb == fleet.Resize && !f.Halfway):
		// The rule came later: what the schedule wants counts as done.
		yields = true
		if x.Resize {
			x.m.RefusedType = x.Type
		}
		x.m.ResizeTo = ""
		x.undo()
	default: // the schedule is about to do the same, or there is nothing that the rule could do
		if ok {
			reason = RuleNothing
		}
		x.dropFire(reason)
		return
	}
	if ok {
		x.say("rule", func() say.Text { return say.F("rule %q fired at %s: %s", f.Rule, instantForm(f.At), say.Word(f.Verb)) })
		x.carry(f, verb, reason)
		return
	}
	x.dropFire(reason)
	if yields {
		x.Reason = reason
		if !neutral {
			x.m.ByRule = x.Resource.State
		}
	}
}

// undo takes back the action that was decided.
func (x *decider) undo() {
	x.Verb, x.Resize, x.Types, x.Type, x.Before, x.Until = "", false, nil, "", nil, time.Time{}
}

// yieldBackingOff gives up the action of the schedule that failed, where the
// rule that came later wants the opposite.
func (x *decider) yieldBackingOff(f Fire) bool {
	m := x.m
	switch {
	case x.Reason != BackingOff:
		return false
	case f.down() && x.last == StartFailed:
		x.remember(WasRunning)
	case f.Verb == fleet.Start && x.last == StopFailed:
		x.remember(WasStopped)
	default:
		return false
	}
	m.Attempts, m.NotBefore, m.LastError, x.Due = 0, time.Time{}, "", time.Time{}
	return true
}

// enforces reports whether an enforced schedule wants the opposite, now or when the rule fired.
func (x *decider) enforces(f Fire) bool {
	return x.in.Policy.Why == policy.Governed && x.s.Enforced &&
		(x.opposes(x.Want.State, f) || x.opposes(x.in.Policy.Wanted(f.At).State, f))
}

// opposes reports whether the schedule undoes the action of a rule where it wants a state.
func (x *decider) opposes(state calendar.State, f Fire) bool {
	switch state {
	case calendar.Stopped:
		return !f.down() && x.s.Mode != policy.StartOnly
	case calendar.Running:
		return f.down() && x.s.Mode != policy.StopOnly
	}
	return false
}

// maxOvertaken bounds the boundaries looked at: a fire is tried for minutes.
const maxOvertaken = 100

// overtaken reports whether the schedule came to want the opposite after the
// fire, or to want it stopped at the same instant.
func (x *decider) overtaken(f Fire) bool {
	at := f.At.Add(-time.Second)
	var last calendar.Boundary
	for range maxOvertaken {
		b, ok := x.in.Policy.NextState(at)
		if !ok || b.At.After(x.now) {
			break
		}
		at = b.At
		if b.To.State != calendar.Any { // which undoes nothing
			last = b
		}
	}
	return !last.At.IsZero() && x.opposes(last.To.State, f) && (last.At.After(f.At) || last.To.State == calendar.Stopped)
}

// fireVerb is what the action means for the resource as it is; false when there
// is nothing to be done, with the reason.
func (x *decider) fireVerb(f Fire) (fleet.Verb, Reason, bool) {
	r := &x.Resource
	running := r.State == fleet.Running
	switch {
	case f.Halfway && running, f.Verb == fleet.Start && running, f.Verb == fleet.Reboot && !running:
		return "", RuleNothing, false
	case (f.Verb == fleet.Stop || f.Verb == fleet.Hibernate) && !running:
		return "", RuleNothing, false
	case f.Verb == fleet.Resize && !r.Kind.Traits().Types:
		return "", RuleUnsupported, false
	case f.Verb == fleet.Resize && !f.Halfway && r.Type == f.Type:
		return "", RuleNothing, false
	case f.Verb == fleet.Start || f.Halfway:
		if leftToOwner(r.Bar) {
			return "", Reason(r.Bar), false
		}
		if f.Halfway {
			return fleet.Start, RuleResize, true
		}
		return fleet.Start, RuleStart, true
	case f.Verb == fleet.Reboot:
		return fleet.Reboot, RuleReboot, true
	case f.Verb == fleet.Resize && !running:
		return fleet.Resize, RuleResize, true
	}
	if bar, ok := x.barred(); ok {
		return "", bar, false
	}
	if f.Verb == fleet.Resize {
		return fleet.Stop, RuleResize, true
	}
	return x.stopVerb(f.Verb == fleet.Hibernate), RuleStop, true
}

// carry is act for a rule: the schedule's memory stays as it is.
func (x *decider) carry(f Fire, verb fleet.Verb, reason Reason) {
	m := x.m
	m.Attempts, m.NotBefore, m.LastError = 0, time.Time{}, ""
	if was := &x.in.Memory; was.Fire == f {
		m.Shortage = was.Shortage
	}
	if f.Halfway {
		m.ResizeFrom = x.in.Memory.ResizeFrom
	}
	if was := &x.in.Memory; was.Fire == f && was.Attempts > 0 {
		m.Attempts, m.NotBefore, m.LastError = was.Attempts, was.NotBefore, was.LastError
		if x.backingOff() {
			return
		}
	}
	if f.Halfway {
		// The schedule leaves the type as the rule made it.
		m.RefusedType, m.ResizeTo = "", ""
		if wanted := strings.ToLower(x.Want.InstanceType); wanted != f.Type {
			m.RefusedType = wanted
		}
	}
	before := *m
	x.Before = &before
	x.Fire, x.Verb, x.Reason, x.Until = f, verb, reason, f.Until
	m.Fire, m.NotBefore = Fire{}, time.Time{}
	x.chooseSnapshot()
	x.chooseMute()
	switch {
	case verb == fleet.Start:
		if f.Halfway {
			x.Until = time.Time{} // it must come up again, however late
			x.Want.InstanceType = f.Type
		}
		x.chooseSize()
		x.chooseTypes()
	case f.Verb == fleet.Resize && verb == fleet.Stop:
		x.Resize, x.Type = true, f.Type
		m.Fire, m.ResizeFrom = halfway(f), x.Resource.Type
	case verb == fleet.Resize:
		x.Type = f.Type
	}
	if state := byRule(verb, f); state != "" {
		m.ByRule = state
	}
	x.look()
}

// halfway is a resize whose stop has been taken.
func halfway(f Fire) Fire {
	f.Halfway = true
	return f
}

// byRule is the state that an action of a rule is meant to bring it into for good; empty for one that is not.
func byRule(verb fleet.Verb, f Fire) fleet.State {
	switch {
	case verb == fleet.Start:
		return fleet.Running
	case f.down():
		return fleet.Stopped
	}
	return ""
}
