package workload

import (
	"slices"
	"strings"
	"time"

	"dayshift/internal/say"
)

// How long things are waited for, where the configuration does not say it.
const (
	// settleGrace is how long a listing may still show the state of before an accepted start or stop: AWS's listings
	// are stale by up to a minute. What it shows then is not taken for a fall back.
	settleGrace = time.Minute
	// maxFalls is how often one that fell back (or stayed up) is tried again: a capacity that was gone for a moment comes
	// back, a broken key does not.
	maxFalls = 3
	// DrainLimit is how long connections may take to end before the member is stopped all the same: three times the
	// delay that AWS gives a target group unasked.
	DrainLimit = 15 * time.Minute
	// HealthTimeout is how long a member may take to be healthy in its load balancers where no target-health gate says it.
	HealthTimeout = 10 * time.Minute
	// PutBackLimit is how long a member that stays is tried to be put back into its load balancers: longer than any
	// throttling lasts.
	PutBackLimit = 15 * time.Minute
	// listEvery is the time between listings of a tier with a gap, vetoEvery that between tries of a veto without an answer.
	listEvery = 30 * time.Second
	vetoEvery = 10 * time.Second
	// A state that is waited for is looked at after a thirtieth of the time that it has been waited for, so that
	// what is waited for is seen at most that much late; within these bounds.
	lookShare = 30
	minLook   = time.Second
	maxLook   = 30 * time.Second
	// backoff doubles from the first to the longest wait between tries.
	firstBackoff = 5 * time.Second
	maxBackoff   = time.Minute
	// oneStop is how long tries to stop a member count as one stop: the snapshot of a large database takes hours, and
	// one of yesterday is not that of today's stop.
	oneStop = 6 * time.Hour
	// maxMarks bounds the timeline of a member that is tried over and over.
	maxMarks = 64
)

// Advance moves a run as far as the world lets it: see the package comment. The
// run given is not changed.
func Advance(run Run, world World, now time.Time) (Run, Next) {
	run = run.clone()
	t := &turn{root: &run, world: &world, now: now}
	asked := map[string]bool{}
	for i := range run.Pending {
		asked[run.Pending[i].ID] = true
	}
	if run.Told == 0 {
		run.tell(ToldBegan, run.begins(), now)
	}
	if !world.Halt.Empty() && !run.Status.Over() && run.Status != StatusCancelling {
		t.cancel(world.Halt)
		run.tell(ToldHalted, say.F("%s is cancelled: %s", run.title(), world.Halt), now)
	}
	t.results()
	for t.moved = true; t.moved; {
		t.moved = false
		t.run(t.root)
	}
	for i := range run.Pending {
		if !asked[run.Pending[i].ID] {
			t.next.Effects = append(t.next.Effects, run.Pending[i])
		}
	}
	t.due()
	return run, t.next
}

// begins says that the run begins, who asked for it and why.
func (r *Run) begins() say.Text {
	switch {
	case r.By != "" && !r.Reason.Empty():
		return say.F("%s begins, asked for by %s (%s)", r.title(), r.By, r.Reason)
	case r.By != "":
		return say.F("%s begins, asked for by %s", r.title(), r.By)
	case !r.Reason.Empty():
		return say.F("%s begins (%s)", r.title(), r.Reason)
	}
	return say.F("%s begins", r.title())
}

// turn is one Advance.
type turn struct {
	root  *Run
	r     *Run // the one that is moved: root, or its Back
	world *World
	now   time.Time
	moved bool
	asks  []ask
	next  Next
}

// run moves a run once through.
func (t *turn) run(r *Run) {
	t.r = r
	t.sight()
	switch {
	case r.Status.Over():
		return
	case r.Back != nil:
		t.run(r.Back)
		t.r = r
		if r.Back.Status.Over() {
			t.tookBack()
		}
		return
	}
	for i := range r.Tiers {
		t.tier(&r.Tiers[i])
	}
	t.status()
}

// sight takes in how members were seen.
func (t *turn) sight() {
	for i := range t.r.Tiers {
		for j := range t.r.Tiers[i].Members {
			m := &t.r.Tiers[i].Members[j]
			s, seen := t.world.Members[m.Ref]
			if seen && !s.Gone && s.Resource.Health != "" && s.At.After(m.HealthAt) {
				m.Health, m.HealthAt = s.Resource.Health, s.At
			}
			if !seen || !s.At.After(m.Seen) {
				continue
			}
			m.Seen, m.Gone = s.At, s.Gone
			if s.Gone {
				m.State = ""
				continue
			}
			m.State, m.Type, m.StateReason = s.Resource.State, s.Resource.Type, s.Resource.StateReason
		}
	}
}

// tier moves one tier.
func (t *turn) tier(tr *TierRun) {
	for i := range tr.Members {
		t.putBack(tr, &tr.Members[i])
	}
	if tr.Phase.Over() {
		return
	}
	if t.r.Status == StatusCancelling || t.r.Status == StatusUndoing {
		t.leave(tr)
		return
	}
	half := t.half(tr)
	switch tr.Phase {
	case PhaseWaiting:
		t.begin(tr)
	case PhaseListing:
		t.listed(tr)
	case PhaseBefore:
		if t.hooks(tr, StepBefore, half.Before) {
			t.phase(tr, PhaseMembers)
		}
	case PhaseMembers:
		t.members(tr)
	case PhaseAfter:
		if t.hooks(tr, StepAfter, half.After) {
			t.phase(tr, PhaseDelay)
		}
	case PhaseDelay:
		tr.Why = WaitsDelay
		if !t.now.Before(tr.Since.Add(t.delay(tr))) {
			t.phase(tr, PhaseDone)
		}
	case PhaseDone, PhaseFailed, PhaseKept, PhaseNotBegun:
	}
	if !tr.Deadline.IsZero() && !t.now.Before(tr.Deadline) && (tr.Phase == PhaseListing || tr.Phase == PhaseBefore || tr.Phase == PhaseAfter) {
		t.fail(tr, WhyTimeout, with(say.F("%s took longer than the timeout of %s", say.Word(tr.Phase), half.Timeout), tr.Detail.Text))
	}
}

// half is the direction of the tier that the run goes.
func (t *turn) half(tr *TierRun) *Half { return t.r.Definition.Tier(tr.Name).Half(t.r.Direction) }

// delay is how long the tiers behind it wait for nothing else.
func (t *turn) delay(tr *TierRun) time.Duration {
	acted := slices.ContainsFunc(tr.Members, func(m Member) bool { return m.Acted })
	if !acted || t.r.Undoing || len(behind(t.r.After, tr.Name)) == 0 {
		return 0
	}
	return t.half(tr).Delay
}

func (t *turn) phase(tr *TierRun, p Phase) {
	tr.Phase, tr.Since, tr.Why, tr.Detail, tr.Hooks = p, t.now, "", say.Kept{}, nil
	if p.Over() {
		tr.Ended = t.now
	}
	t.moved = true
}

// begin begins a tier when it is its turn.
func (t *turn) begin(tr *TierRun) {
	var waits []string
	var keeps say.Text
	for _, name := range t.r.After[tr.Name] {
		switch before := t.r.tier(name); {
		case before.Phase == PhaseKept:
			keeps = say.F("stops after tier %s, which is not stopped", name)
		case before.Phase == PhaseDone, before.Phase == PhaseFailed && t.policy() == Continue:
		default:
			waits = append(waits, name)
		}
	}
	tr.Why, tr.Detail = WaitsTiers, say.Names(waits).Kept()
	if len(waits) > 0 {
		return
	}
	if who := t.keptBy(tr.Name); who != "" {
		keeps = say.F("is needed by %s, which stays", who)
	}
	switch {
	case t.r.Status != StatusRunning:
		tr.Why, tr.Detail = WaitsSomebody, say.Kept{}
	case !keeps.Empty():
		t.phase(tr, PhaseKept)
		tr.Why, tr.Detail = WhyNeeded, keeps.Kept()
	default:
		tr.Began, tr.Deadline = t.now, t.now.Add(t.half(tr).Timeout)
		if tr.Listed.IsZero() {
			t.phase(tr, PhaseListing)
		} else {
			t.phase(tr, PhaseBefore)
		}
	}
}

// keptBy names a member that stays and needs the tier; empty where none does.
func (t *turn) keptBy(name string) string {
	if t.r.Direction == Start || t.r.Undoing {
		return ""
	}
	for i := range t.r.Tiers {
		tr := &t.r.Tiers[i]
		at := slices.IndexFunc(tr.Members, func(m Member) bool {
			return m.End == EndKept || m.End == EndLeft && m.Why == LeftOverridden && m.up()
		})
		if at >= 0 && t.r.Definition.keeps(tr.Name)[name] {
			return tr.Name + " " + tr.Members[at].title()
		}
	}
	return ""
}

// listed takes in the members of a tier.
func (t *turn) listed(tr *TierRun) {
	l, there := t.world.Listings[tr.Name]
	if !there || l.At.Before(tr.Since) || !l.At.After(tr.Listed) {
		if tr.Why == "" {
			tr.Why = WaitsListing
		}
		return
	}
	tr.Listed, tr.Why = l.At, WaitsListing
	if len(l.Gaps) > 0 {
		tr.Detail = say.F("could not be listed: %s", say.List(l.Gaps...)).Kept()
		t.moved = true
		return
	}
	if len(l.Unlisted) > 0 {
		t.root.tell(ToldWarning, say.F("Workload %s: tier %s: goes without what can not be listed, where it never had a member: %s", t.r.Workload, tr.Name, say.List(l.Unlisted...)), t.now)
	}
	tier := t.r.Definition.Tier(tr.Name)
	tr.Members, tr.Detail = nil, say.Kept{}
	taking := 0
	for i := range l.Members {
		c := &l.Members[i]
		m := Member{
			Ref: c.Ref, Name: c.Name, Step: StepWait, Since: t.now, State: c.State, Type: c.Type, StateReason: c.StateReason,
			Seen: l.At, Was: c.State, WasType: c.Type, Out: slices.Clone(t.r.Memory.Out[c.Ref.String()]),
		}
		switch {
		case c.Left != "":
			m.End, m.Why, m.Detail, m.EndedAt = EndLeft, c.Left, c.Detail.Kept(), t.now
		case t.r.Direction == Start && c.Kind.Traits().Types:
			m.Want = tier.Profiles[t.r.Profile]
			fallthrough
		default:
			taking++
		}
		if t.r.Direction == Stop {
			m.Step = StepSettle // all are asked at once, only then they wait for their turn
		}
		tr.Members = append(tr.Members, m)
	}
	slices.SortFunc(tr.Members, func(a, b Member) int { return a.Ref.Compare(b.Ref) })
	switch {
	case len(tr.Members) == 0 && t.r.Direction == Start:
		t.fail(tr, WhyNothing, say.F("its filter matches nothing, so nothing is there for the tiers that need it"))
	case taking == 0:
		t.phase(tr, PhaseDone)
		if len(tr.Members) == 0 {
			tr.Why = WhyNothing
		}
	default:
		t.phase(tr, PhaseBefore)
	}
}

// members moves the members of a tier, and the tier when they have ended.
func (t *turn) members(tr *TierRun) {
	late := !t.now.Before(tr.Deadline)
	for i := range tr.Members {
		m := &tr.Members[i]
		switch {
		case m.End != "":
		case m.Gone && m.Effect == "":
			t.end(m, EndGone, WhyGone, say.F("it is no longer there"))
		case t.r.Direction == Start:
			t.starting(tr, m)
		default:
			t.stopping(tr, m)
		}
		if late && m.End == "" {
			text := say.F(`at "%s" when the tier's timeout of %s was over`, say.Word(m.Step), t.half(tr).Timeout)
			t.end(m, EndFailed, WhyTimeout, with(text, m.Detail.Text))
		}
	}
	t.flush(tr)
	count := map[End]int{}
	waiting := 0
	for i := range tr.Members {
		count[tr.Members[i].End]++
		if tr.Members[i].End == "" && tr.Members[i].Step == StepWait {
			waiting++
		}
	}
	switch {
	case count[""] > 0 && (count[""] > waiting || !t.stuck(tr)):
		return
	case count[EndFailed] > 0:
		first := tr.Members[slices.IndexFunc(tr.Members, func(m Member) bool { return m.End == EndFailed })]
		t.fail(tr, WhyMembers, say.F("%d of %d members: %s: %s", count[EndFailed], len(tr.Members), first.title(), Because(first.Why, first.Detail.Text)))
	case t.r.Direction == Start && count[EndReady] == 0:
		t.fail(tr, WhyGone, say.F("none of its members is there any more"))
	default:
		t.phase(tr, PhaseAfter)
	}
}

// stuck tells that a member has failed and no other is begun because of it.
func (t *turn) stuck(tr *TierRun) bool {
	return t.policy() != Continue && slices.ContainsFunc(tr.Members, func(m Member) bool { return m.End == EndFailed })
}

// with adds what is known more closely.
func with(text, detail say.Text) say.Text {
	switch {
	case detail.Empty():
		return text
	case text.Empty():
		return detail
	}
	return say.F("%s: %s", text, detail)
}

// Because is a reason with what is known more closely.
func Because(why Reason, detail say.Text) say.Text { return with(say.Word(why), detail) }

// policy is what a failed tier means. What is taken back is taken back as far as it can be.
func (t *turn) policy() Failure {
	if t.r.Undoing {
		return Continue
	}
	return t.r.OnFailure
}

// fail ends a tier, and does what the run's policy says.
func (t *turn) fail(tr *TierRun, why Reason, detail say.Text) {
	in := tr.Phase
	hooks := tr.Hooks
	t.phase(tr, PhaseFailed)
	tr.FailedIn, tr.Hooks, tr.Why, tr.Detail = in, hooks, why, detail.Kept()
	failed := say.F("tier %s failed: %s", tr.Name, Because(why, detail))
	comes := map[Failure]say.Text{
		Continue: say.F("on_failure: continue goes on with the other tiers"),
		Hold:     say.F("no other tier begins until somebody resumes, undoes or cancels the run"),
		Undo:     say.F("what was done is undone"),
	}
	t.root.tell(ToldFailed, say.Clauses(say.F("%s: %s", t.root.title(), failed), comes[t.policy()]), t.now)
	if t.r.Status != StatusRunning {
		return
	}
	switch t.policy() {
	case Hold:
		t.become(StatusHeld, failed)
	case Undo:
		t.become(StatusUndoing, failed)
	case Continue:
	}
}

func (t *turn) become(s Status, why say.Text) {
	t.r.Status, t.r.Why, t.r.Since = s, why.Kept(), t.now
	t.moved = true
}

// leave ends a tier of a run that goes no further: what is under way ends first.
func (t *turn) leave(tr *TierRun) {
	why := WhyCancelled
	if t.r.Status == StatusUndoing {
		why = WaitsUntilBack
	}
	for i := range tr.Members {
		if m := &tr.Members[i]; m.End == "" && m.Effect == "" {
			t.end(m, EndLeft, why, say.F("it was at %s", say.Word(m.Step)))
		}
	}
	if slices.ContainsFunc(tr.Members, func(m Member) bool { return m.End == "" }) {
		tr.Why = WaitsResult
		return
	}
	if tr.Phase == PhaseAfter || tr.Phase == PhaseDelay {
		t.phase(tr, PhaseDone)
		return
	}
	t.phase(tr, PhaseNotBegun)
	if tr.Why = why; tr.Began.IsZero() {
		tr.Why = WhyRunEnded
	}
}

// status ends a run when nothing is left to be done.
func (t *turn) status() {
	r := t.r
	if r.Status == StatusHeld {
		return
	}
	for i := range r.Tiers {
		tr := &r.Tiers[i]
		if !tr.Phase.Over() || slices.ContainsFunc(tr.Members, func(m Member) bool { return m.Effect != "" || m.owes() }) {
			return
		}
	}
	switch r.Status { //nolint:exhaustive // the others are over, or held
	case StatusCancelling:
		t.finish(StatusCancelled, r.Why.Text)
	case StatusUndoing:
		t.takeBack()
	default:
		failed := slices.ContainsFunc(r.Tiers, func(tr TierRun) bool { return tr.Phase == PhaseFailed })
		switch exceptions := r.Exceptions(); {
		case failed:
			t.finish(StatusFailed, say.N(len(exceptions), "%d exception", "%d exceptions"))
		case len(exceptions) > 0:
			t.finish(StatusExceptions, say.N(len(exceptions), "%d exception", "%d exceptions"))
		default:
			t.finish(StatusDone, say.Text{})
		}
	}
}

func (t *turn) finish(s Status, why say.Text) {
	t.become(s, why)
	t.r.Ended = t.now
	if t.r != t.root {
		return
	}
	parts := []say.Text{with(say.F("%s is %s", t.r.title(), say.Word(strings.ReplaceAll(string(s), "-", " "))), why)}
	for i, e := range t.r.Exceptions() {
		if i == maxTold {
			parts = append(parts, say.F("and more"))
			break
		}
		parts = append(parts, e.Said())
	}
	t.r.tell(ToldEnded, say.Clauses(parts...), t.now)
}

// maxTold is how many exceptions a message names: a screen of a chat.
const maxTold = 10

// cancel sends a run to its end.
func (t *turn) cancel(why say.Text) {
	for _, r := range [...]*Run{t.root, t.root.Back} {
		if r != nil && !r.Status.Over() {
			r.Status, r.Why, r.Since = StatusCancelling, why.Kept(), t.now
		}
	}
}

// takeBack makes the run that undoes this one.
func (t *turn) takeBack() {
	r := t.r
	back := &Run{
		ID: r.ID + "/undo", Workload: r.Workload, Direction: r.Direction.Opposite(), By: r.By, Reason: r.Why, Trigger: "undo of " + r.ID,
		Began: t.now, Since: t.now, Definition: r.Definition, OnFailure: Continue, Status: StatusRunning, Undoing: true, Told: 1,
		After: map[string][]string{},
	}
	for i := len(r.Tiers) - 1; i >= 0; i-- {
		tr := &r.Tiers[i]
		b := TierRun{Name: tr.Name, Phase: PhaseWaiting, Since: t.now, Listed: t.now}
		for j := range tr.Members {
			if m := &tr.Members[j]; (m.Acted || m.Resized) && !m.Gone {
				b.Members = append(b.Members, m.back(r.Direction, t.now))
			}
		}
		if len(b.Members) > 0 {
			back.Tiers = append(back.Tiers, b)
			back.After[b.Name] = nil
		}
	}
	for i := range back.Tiers {
		name := back.Tiers[i].Name
		for other := range behind(r.After, name) {
			if _, there := back.After[other]; there {
				back.After[name] = append(back.After[name], other)
			}
		}
		slices.Sort(back.After[name])
	}
	r.Back = back
	t.moved = true
}

// back is the member as the undo begins with it.
func (m *Member) back(d Direction, now time.Time) Member {
	b := Member{
		Ref: m.Ref, Name: m.Name, Step: StepSettle, Since: now, State: m.State, Type: m.Type, Seen: m.Seen, Next: m.certain(now), Was: m.State, WasType: m.Type,
		Out: slices.Clone(m.Out), Issued: m.Issued,
	}
	if d == Stop {
		b.Step = StepWait
	} else if m.Resized {
		b.Want = m.WasType
	}
	return b
}

// tookBack ends a run that was undone.
func (t *turn) tookBack() {
	back := t.r.Back
	switch {
	case t.r.Status == StatusCancelling:
		t.finish(StatusCancelled, t.r.Why.Text)
	case back.Status == StatusDone || back.Status == StatusExceptions:
		t.finish(StatusUndone, t.r.Why.Text)
	default:
		t.finish(StatusFailed, with(say.F("not everything could be undone"), t.r.Why.Text))
	}
}

// tier finds a tier of the run.
func (r *Run) tier(name string) *TierRun {
	return &r.Tiers[slices.IndexFunc(r.Tiers, func(t TierRun) bool { return t.Name == name })]
}

// clone copies everything that Advance changes.
func (r *Run) clone() Run {
	c := *r
	c.Pending = slices.Clone(r.Pending)
	c.Tiers = slices.Clone(r.Tiers)
	for i := range c.Tiers {
		tr := &c.Tiers[i]
		tr.Hooks, tr.Members = slices.Clone(tr.Hooks), slices.Clone(tr.Members)
		for j := range tr.Members {
			m := &tr.Members[j]
			m.Places, m.Out, m.Asked, m.Marks = slices.Clone(m.Places), slices.Clone(m.Out), slices.Clone(m.Asked), slices.Clone(m.Marks)
		}
	}
	if r.Back != nil {
		back := r.Back.clone()
		c.Back = &back
	}
	return c
}
