package decide

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// The precedence where a rule meets something else (SEMANTICS 7, "a rule is an
// edge, a schedule is a level"): a person's override wins, then a schedule that
// is enforced, then whatever was due later; at the same instant a stop wins,
// then the rule whose name comes first. What loses is dropped with a reason.

// FireLasts is how long after it fired the action of a rule is tried: long
// enough for a change of state to end and for a short shortage to pass, short
// enough that nobody meets it as a surprise.
const FireLasts = 15 * time.Minute

// hearFires puts the rules that fired to what is remembered: one action counts.
func (x *decider) hearFires() {
	m := x.m
	if len(x.in.Fires) > 0 {
		all := slices.Clone(x.in.Fires)
		if !m.Fire.IsZero() {
			all = append(all, m.Fire)
		}
		slices.SortFunc(all, func(a, b Fire) int {
			return cmp.Or(b.At.Compare(a.At), cmp.Compare(order(a.Verb), order(b.Verb)), cmp.Compare(a.Rule, b.Rule))
		})
		m.Fire = all[0]
		for _, other := range all[1:] {
			x.Dropped = append(x.Dropped, Dropped{other, RuleOvertaken})
		}
	}
	if f := m.Fire; !f.IsZero() && !f.Halfway && m.Intent == nil && !x.now.Before(f.Until) {
		x.dropFire(RuleLate)
	}
}

// order is the place of a verb among rules of the same instant.
func order(verb fleet.Verb) int {
	return slices.Index([]fleet.Verb{fleet.Stop, fleet.Hibernate, fleet.Start, fleet.Resize, fleet.Reboot}, verb)
}

// dropFire gives the action of a rule up, if there is one.
func (x *decider) dropFire(why Reason) {
	f := x.m.Fire
	if f.IsZero() {
		return
	}
	x.say("rule", func() string { return fmt.Sprintf("rule %q fired at %s: %s", f.Rule, instantForm(f.At), why.Sentence()) })
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
	down := f.Verb == fleet.Stop || f.Verb == fleet.Hibernate
	switch {
	case x.Override != nil:
		x.dropFire(RuleOverridden)
		return
	case x.enforces(down):
		x.dropFire(RuleEnforced)
		return
	case x.overtaken(f, down):
		x.dropFire(RuleOvertaken)
		return
	}
	x.say("rule", func() string { return fmt.Sprintf("rule %q fired at %s: %s", f.Rule, instantForm(f.At), f.Verb) })
	yields := false
	if x.Verb != "" {
		if !x.Resize && (x.Verb == fleet.Start) == !down {
			x.dropFire(RuleNothing) // the schedule is about to do the same
			return
		}
		// The rule came later: what the schedule wants counts as done.
		yields = true
		x.Verb, x.Resize, x.Types, x.Type, x.Before = "", false, nil, "", nil
	}
	verb, reason, ok := x.fireVerb(f)
	if !ok {
		x.dropFire(reason)
		if yields {
			x.Reason = reason
		}
		return
	}
	x.carry(f, verb, reason)
}

// enforces reports whether an enforced schedule wants the opposite.
func (x *decider) enforces(down bool) bool {
	if x.in.Policy.Why != policy.Governed || !x.s.Enforced {
		return false
	}
	return x.Want.State == calendar.Stopped && !down || x.Want.State == calendar.Running && down
}

// maxOvertaken bounds the boundaries looked at: a fire is tried for minutes.
const maxOvertaken = 100

// overtaken reports whether the schedule came to want the opposite after the
// fire, or to want it stopped at the same instant.
func (x *decider) overtaken(f Fire, down bool) bool {
	at := f.At.Add(-time.Second)
	var last calendar.Boundary
	for range maxOvertaken {
		b, ok := x.in.Policy.NextState(at)
		if !ok || b.At.After(x.now) {
			break
		}
		last, at = b, b.At
	}
	switch last.To.State {
	case calendar.Stopped:
		return !last.At.IsZero() && !down
	case calendar.Running:
		return down && last.At.After(f.At)
	}
	return false
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
	case f.Verb == fleet.Resize && r.Kind != fleet.EC2Instance:
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
	if was := &x.in.Memory; was.Fire == f && was.Attempts > 0 {
		m.Attempts, m.NotBefore, m.LastError = was.Attempts, was.NotBefore, was.LastError
		if x.backingOff() {
			return
		}
	}
	before := *m
	x.Before = &before
	x.Fire, x.Verb, x.Reason, x.Until = f, verb, reason, f.Until
	m.Fire, m.NotBefore = Fire{}, time.Time{}
	switch {
	case verb == fleet.Start:
		if f.Halfway {
			x.Want.InstanceType = f.Type
			x.Until = time.Time{} // it must come up again, however late
		}
		x.chooseTypes()
	case f.Verb == fleet.Resize && verb == fleet.Stop:
		x.Resize, x.Type = true, f.Type
		m.Fire = halfway(f)
	case verb == fleet.Resize:
		x.Type = f.Type
	}
	x.recheckAt(x.now.Add(firstLook))
}

// halfway is a resize whose stop has been taken.
func halfway(f Fire) Fire {
	f.Halfway = true
	return f
}
