// Package decide turns what is wanted, remembered and seen into one decision
// with a typed reason.
//
// It guarantees that a decision is a function of its Input alone; that "do
// nothing" has a reason too; that a protected resource is never touched; that
// applying a decision and deciding again gives nothing to do; and that Recheck
// lies after the instant of the decision. It expects to be asked at every
// boundary of the schedules and at every Recheck, in any order of resources,
// and that the memory it returns is stored before the next question.
//
// One pass over one resource reads: Settle what was begun before, Decide,
// Intend before the first call, then Accepted, Failed, Untouched or Unclear
// after it. Explain is Decide with its chain of reasons: the same code.
//
// Three rules hold beyond the table of the semantics:
//
//   - A decision that could not be carried out (held back, barred, the resource
//     in between two states) leaves memory as it was, so that it is made again.
//   - Memory belongs to the stretch of the calendar that it was decided in. A
//     begin or end that passed while nothing was decided is made up for, also
//     where the same state was wanted before it.
//   - While an action is under way nothing else is decided, even when something
//     else is wanted by now: what a listing shows in its first seconds may be old,
//     and an end or a deadline soon settles the action.
package decide

import (
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// Input is everything that a decision depends on.
type Input struct {
	Now      time.Time
	Policy   policy.Policy
	Memory   Memory // settled (see Settle); the zero Memory for a resource never seen
	Resource fleet.Resource
	// Fires are the rules that fired for it since the last pass; empty for most.
	Fires []Fire
}

// Decision is the answer for one resource.
type Decision struct {
	Resource fleet.Resource
	// Verb is what to do: Start, Stop, Hibernate, or empty for nothing.
	Verb   fleet.Verb
	Reason Reason
	// Types are the instance types to start with, best first; empty: start it as
	// it is. The first may be the one it has. Those without capacity in the present round are left out.
	Types []string
	// Preferred is the best of the types that it accepts; empty where it has no choice.
	Preferred string
	// Type is the type that a stop makes way for, or the first of Types where
	// the resource has another one.
	Type string
	// Size is what a start of a scaled resource brings back, in the kind's own form.
	Size string
	// Snapshot is the name of the snapshot that a stop takes first; empty: none. SnapshotBegins: no try before asked for it.
	Snapshot       string
	SnapshotBegins bool
	// Mute: the alarms of the resource are muted once a stop is accepted.
	Mute bool
	// Resize marks a stop that only makes way for another type: a start follows.
	Resize bool
	Want   calendar.Want
	// Schedule is the name in the resource's tag, TagKey the tag.
	Schedule, TagKey string
	// Until is when what is wanted changes: an action not begun by then is void. Zero: never.
	Until time.Time
	// Recheck is the next instant, after that of the decision, at which the answer
	// may change by itself. Zero: only events from outside can change it.
	Recheck time.Time
	// Rest is Recheck where the action is not carried out: there is no end of it to be looked for.
	Rest time.Time
	// Due is the instant the reason speaks of: the end of a grace, of a back-off,
	// of a manual run. Zero for other reasons.
	Due time.Time
	// Announce is set when the stop of a new resource has to be said, Warn when
	// people asked to be warned of a stop; each once.
	Announce, Warn *Notice
	// GaveUp is set when its start is given up for lack of capacity, once.
	GaveUp bool
	// Memory is what to remember when nothing is to be done or the action is accepted.
	Memory Memory
	// Before is what to remember when the action is not carried out; nil without an action.
	Before *Memory
	// Fire is the rule's action that Verb carries out; zero where a schedule or a person decided.
	Fire Fire
	// Dropped are actions of rules that are not carried out, with the reason.
	Dropped []Dropped
	// Override is the override in force, nil without one.
	Override *policy.Override
	// Observe: the schedule or the program only observes; nothing is done.
	Observe bool
	// Observed: what would be done is another than at the last decision.
	Observed bool
	// Chain is how the decision came about, where somebody asked for it.
	Chain []Step

	now     time.Time
	catchUp bool
	mutes   bool // its schedule mutes alarms
	// capacityDeadline is how long a start that meets missing capacity is tried; 0: as long as it is wanted.
	capacityDeadline time.Duration
	verify           bool // a start is done once the provider's own checks have passed
}

// Dropped is the action of a rule that is not carried out.
type Dropped struct {
	Fire
	Why Reason
}

// Notice is a stop that people are told of beforehand.
type Notice struct {
	StopAt time.Time
}

// Step is one link in the chain that led to a decision.
type Step struct {
	Rule string   `json:"rule"` // which rule was asked: governed-by, calendar, memory, row-4 …
	Fact say.Text `json:"fact"` // what it found, for people
}

// How soon a resource that is between two states is looked at again.
const (
	// firstLook is about the time an EC2 instance takes to start: somebody, or a start after a change of type, waits for it.
	firstLook = 15 * time.Second
	// calmStart and calmStop are the same where nobody does, because the calendar wanted it: by then most instances have
	// started, or stopped, and one look shows the end of all.
	calmStart = 30 * time.Second
	calmStop  = 45 * time.Second
	// lastLook bounds the growing gaps: a start that took long is noticed within a minute.
	lastLook = time.Minute
	// busyLook bounds them for states that may last for hours, such as an upgrade.
	busyLook = 5 * time.Minute
)

// soonest is the least distance of Recheck, so that no pass follows itself at once.
const soonest = time.Second

// Decide says what to do about one resource.
func Decide(in Input) Decision { return run(&in, nil) }

// Explain is Decide with the chain of steps that led to it, Decision.Chain.
func Explain(in Input) Decision { return run(&in, new([]Step)) }

// decider is one decision in the making.
type decider struct {
	*Decision
	in    *Input
	s     *policy.Schedule
	steps *[]Step // nil: nobody asks for the chain

	m    *Memory    // Decision.Memory
	last Remembered // as the rows of the table read it
	// autoRestart: it runs because the provider started it.
	autoRestart bool
	// retry: the action repeats one that failed.
	retry bool
	// until is when what is decided ends before the calendar's next boundary: of an override. Zero otherwise.
	until time.Time
	// open is the maintenance window that is open; nil: none.
	open *policy.Window
}

func (x *decider) say(rule string, fact func() say.Text) {
	if x.steps != nil {
		*x.steps = append(*x.steps, Step{Rule: rule, Fact: fact()})
	}
}

// clockBack is how far a clock may have gone back since the last decision and
// time is taken to have stood still: clocks are set by fractions of a second,
// and at a boundary each of them would undo what was just done. A clock that
// went back further is believed, so that no decision waits longer than this.
const clockBack = 30 * time.Second

func run(in *Input, steps *[]Step) Decision {
	p := &in.Policy
	d := Decision{Resource: in.Resource, Schedule: p.Name, TagKey: p.TagKey, Observe: p.Observe, now: in.Now}
	if back := in.Memory.DecidedAt.Sub(in.Now); back > 0 && back <= clockBack {
		d.now = in.Memory.DecidedAt
	}
	d.capacityDeadline = p.CapacityDeadline()
	d.verify = p.Schedule != nil && p.Schedule.Verify == policy.StatusChecks && in.Resource.Kind.Traits().Checks
	x := &decider{Decision: &d, in: in, s: p.Schedule, steps: steps, m: &d.Memory}
	x.observe()
	x.decide()
	x.onlyObserve()
	x.say("decision", d.Said)
	if steps != nil {
		d.Chain = *steps
	}
	return d
}

// unsaid stands as what would have been done while a stop would have been announced.
const unsaid = "announce"

// onlyObserve keeps in mind what would have been done, where nothing is.
func (x *decider) onlyObserve() {
	m := x.m
	if !x.Observe {
		m.Observed = ""
		return
	}
	if x.Warn != nil { // nobody is told
		m.Warned = x.in.Memory.Warned
	}
	x.Announce, x.Warn = nil, nil
	if x.Verb == "" {
		m.Observed = ""
		if !m.Announced.IsZero() {
			m.Observed = unsaid
		}
		return
	}
	label := string(x.Verb) + ": " + string(x.Reason)
	x.Observed, x.Recheck = x.in.Memory.Observed != label, x.Rest
	x.Before.Observed = label
	if !x.Fire.IsZero() && !x.Fire.Halfway { // what was begun is ended once it may be
		x.Before.Fire = Fire{}
		x.recheckAt(x.now.Add(soonest)) // what the schedule wants besides
	}
	x.say("observe", func() say.Text { return say.F("it is only observed, so this is recorded and not done") })
}

func (x *decider) decide() {
	p := &x.in.Policy
	x.say("governed-by", x.governedBy)
	if p.Protected() {
		x.ungoverned()
		x.dropFire(x.Reason)
		return
	}
	if o, end, ok := p.Override(x.now, x.m.Reached); ok {
		x.Override, x.until = o, end
	}
	if at, ok := p.NextOverride(x.now); ok {
		x.recheckAt(at)
	}
	governed := p.Why == policy.Governed
	if governed {
		x.schedule()
	}
	switch {
	case x.Override != nil:
		x.Want.State = x.Override.State
		x.recheckAt(x.until)
		x.say("override", x.overrideFact)
	case governed:
		x.window()
	default:
		x.ungoverned()
		if p.Why == policy.WorkloadMember { // a rule moves it as little as a schedule does
			x.dropFire(x.Reason)
		}
		if x.m.Fire.IsZero() {
			return
		}
	}
	x.say("memory", x.memoryFact)
	x.say("seen", x.seenFact)
	x.sayMuted()
	if x.between() {
		return
	}
	switch {
	case x.Override != nil:
		x.override()
	case !governed:
	case x.open != nil && x.openWindow():
	case x.Want.State == calendar.Stopped:
		x.wantStopped()
	case x.Want.State == calendar.Running:
		x.wantRunning()
	default:
		x.wantAny()
	}
	x.fire()
	x.warn()
}

// schedule asks the calendar.
func (x *decider) schedule() {
	x.Want = x.in.Policy.Wanted(x.now)
	if b, ok := x.in.Policy.Next(x.now); ok {
		x.recheckAt(b.At)
	}
	x.say("calendar", x.calendarFact)
	x.sayDates()
}

// between reports whether the resource can not be acted on now: something is under way.
func (x *decider) between() bool {
	switch r := &x.Resource; {
	case x.m.Intent != nil:
		x.Reason = ActionUnderWay
		x.lookAgain(intentTime(*x.m.Intent), lastLook)
	case r.State == fleet.Starting || r.State == fleet.Stopping:
		x.Reason = Changing
		x.lookAgain(x.m.SeenSince, lastLook)
	case !r.State.Settled():
		x.Reason = Busy
		x.lookAgain(x.m.SeenSince, busyLook)
	default:
		return false
	}
	return true
}

// observe brings the memory up to what the listing shows, before anything is decided.
func (x *decider) observe() {
	*x.m = x.in.Memory
	m, r := x.m, &x.Resource
	seenAt := r.SeenAt
	if seenAt.IsZero() {
		seenAt = x.now
	}
	if m.FirstSeen.IsZero() {
		m.FirstSeen = seenAt
	}
	m.Ref, m.Name, m.Held = r.Ref, r.Name, ""
	if m.Last == "" {
		m.Last = Unknown
	}
	if m.Schedule != x.Schedule {
		x.forget()
	}
	if !x.Observe && m.Observed != "" {
		m.Announced = time.Time{} // nobody was told while it was only observed
	}
	if m.SeenSince.IsZero() || m.Seen != r.State {
		m.SeenSince = seenAt
	}
	m.Seen, m.SeenType, m.SeenAt, m.Missing = r.State, r.Type, seenAt, time.Time{}
	if r.State == fleet.Running && r.Size != "" {
		m.Size = r.Size
	}
	if m.Intent == nil && r.State.Settled() && r.State != m.ByRule {
		m.ByRule = ""
	}
	switch r.State {
	case fleet.Stopped:
		m.ManualSince = time.Time{}
		if !r.AutoRestartAt.IsZero() {
			m.AutoRestartAt = r.AutoRestartAt
		}
	case fleet.Running:
		x.autoRestart = !m.AutoRestartAt.IsZero() && !seenAt.Before(m.AutoRestartAt) && m.ByRule != fleet.Running
		if !x.autoRestart {
			// A person started it before AWS would have: AWS counts anew from its next stop.
			m.AutoRestartAt = time.Time{}
		}
	}
	x.last = m.Last
	if m.Last == WasAny && m.Retain {
		x.last = RetainRunning
	}
	x.hearFires()
}

// forget resets what was remembered under another schedule. What is under way
// and what AWS will do stay true.
func (x *decider) forget() {
	m := x.m
	*m = Memory{
		Schedule: x.Schedule, Last: Unknown,
		FirstSeen: m.FirstSeen, Seen: m.Seen, SeenType: m.SeenType, SeenAt: m.SeenAt, SeenSince: m.SeenSince,
		Ref: m.Ref, Name: m.Name,
		Size: m.Size, AutoRestartAt: m.AutoRestartAt, ResizeTo: m.ResizeTo, ResizeFrom: m.ResizeFrom, RefusedType: m.RefusedType, Intent: m.Intent,
		Reached: m.Reached, Fire: m.Fire, ByRule: m.ByRule, Observed: m.Observed, Mute: m.Mute, Muted: m.Muted,
	}
}

// ungoverned: nothing is done. Under protection and a disabled schedule that is
// what somebody wants, so nothing is made up for later; a fault in the
// configuration is like an outage.
func (x *decider) ungoverned() {
	x.Reason = Reason(x.in.Policy.Why)
	x.m.Override, x.m.Window = "", time.Time{}
	if x.in.Policy.Protected() || x.in.Policy.Why == policy.ScheduleDisabled || x.in.Policy.Why == policy.WorkloadMember {
		x.m.DecidedAt = x.now
	}
}

// wantStopped are the rows 1 to 5.
func (x *decider) wantStopped() {
	running, m := x.Resource.State == fleet.Running, x.m
	switch {
	case x.last == Unknown && !x.s.StopNewInstances:
		x.row("row-1", "memory unknown, and stop_new_instances is off")
		x.keep(NewResourceKept, running)
	case x.s.Enforced:
		x.row("row-2", "the schedule is enforced")
		x.stop(EnforcedStop)
	case x.last == RetainRunning && x.retains():
		x.row("row-3", "a person had started it before the period began, and retain_running is on")
		x.keep(RetainedAtEnd, running)
	case x.last != WasStopped:
		x.row("row-4", "memory is not stopped")
		x.stop(x.stopReason())
	case running && x.missed():
		x.row("row-4", "memory is stopped, but of an earlier stretch: an end passed while nothing was decided")
		if x.retains() && m.ByRule != fleet.Running {
			x.keep(RetainedAtEnd, running) // perhaps it was running before the begin that was missed
			return
		}
		x.stop(MissedStop)
	case x.autoRestart:
		x.row("row-4", "memory is stopped, and the provider restarted it")
		x.stop(ProviderRestart)
	case running && x.s.Mode == policy.StartOnly:
		x.row("row-5", "memory is stopped, and the schedule only starts")
		x.none(ModeStartOnly, WasStopped)
	case running && m.ByRule == fleet.Running:
		x.row("row-5", "memory is stopped, and a rule started it")
		x.none(RuleRunning, WasStopped)
	case running && x.manualEnd(&x.Due):
		x.row("row-4b", "it has been running for longer than max_manual_uptime")
		x.stop(ManualUptimeOver)
	default:
		x.row("row-5", "memory is stopped")
		x.keep(ManualStart, running)
	}
}

// keep leaves it as it is while stopped is wanted, and counts how long it has
// been running against that.
func (x *decider) keep(reason Reason, running bool) {
	if !running {
		x.none(AlreadyStopped, WasStopped)
		return
	}
	x.Due = time.Time{}
	if !x.manualEnd(&x.Due) {
		x.recheckAt(x.Due)
	}
	x.none(reason, WasStopped)
}

// manualEnd finds out since when it has been running by hand and when that has
// to end; it reports whether that is over.
func (x *decider) manualEnd(end *time.Time) bool {
	m := x.m
	if m.ManualSince.IsZero() || m.ManualSince.After(x.now) {
		m.ManualSince = m.SeenAt
		// The provider's own time of the start is better, where it fits between the last look and this one.
		before := &x.in.Memory
		launched := x.Resource.LaunchedAt
		if before.Seen == fleet.Stopped && launched.After(before.SeenAt) && launched.Before(m.SeenAt) {
			m.ManualSince = launched
		}
	}
	if x.s.MaxManualUptime <= 0 {
		return false
	}
	*end = m.ManualSince.Add(x.s.MaxManualUptime)
	return !x.now.Before(*end)
}

// stopReason names why a stop is due that memory does not know of.
func (x *decider) stopReason() Reason {
	switch {
	case x.last == Unknown:
		return NewResourceStop
	case x.last == StopFailed:
		return RetryStop
	case x.m.Override != "":
		return OverrideEnded
	case !x.m.Window.IsZero():
		return WindowEnded
	case x.catchUp:
		return MissedStop
	}
	return PeriodEnded
}

// retains reports whether the schedule leaves alone what people started. A
// schedule that only stops has nothing but what people started, and stops it.
func (x *decider) retains() bool { return x.s.RetainRunning && x.s.Mode != policy.StopOnly }

// stop stops what runs, unless something speaks against it.
func (x *decider) stop(reason Reason) {
	r, m := &x.Resource, x.m
	switch {
	case r.State == fleet.Stopped:
		x.none(AlreadyStopped, WasStopped)
		return
	case x.s.Mode == policy.StartOnly:
		x.none(ModeStartOnly, WasStopped)
		return
	case r.Bar != fleet.NoBar || x.now.Before(m.BarredUntil):
	case x.last == Unknown && !x.graceOver():
		return
	}
	x.stopNow(reason, x.s.Hibernate)
}

// stopNow stops what runs, unless the provider forbids it or the last try was just now.
func (x *decider) stopNow(reason Reason, hibernate bool) {
	m := x.m
	if bar, ok := x.barred(); ok {
		x.hold(bar)
		return
	}
	if x.last == StopFailed && x.backingOff() {
		return
	}
	x.retry = x.last == StopFailed
	x.act(x.stopVerb(hibernate), reason, WasStopped)
	m.ManualSince, m.AutoRestartAt = time.Time{}, time.Time{}
	m.ResizeTo, m.ResizeFrom, m.RefusedType = "", "", ""
	m.Shortage = Shortage{}
}

// barred reports whether the provider forbids to stop it, and why.
func (x *decider) barred() (Reason, bool) {
	switch {
	case x.Resource.Bar != fleet.NoBar:
		return Reason(x.Resource.Bar), true
	case x.now.Before(x.m.BarredUntil):
		x.Due = x.m.BarredUntil
		x.recheckAt(x.Due)
		return StopProtected, true
	}
	return "", false
}

func (x *decider) stopVerb(hibernate bool) fleet.Verb {
	if !hibernate {
		return fleet.Stop
	}
	if x.Resource.CanHibernate {
		return fleet.Hibernate
	}
	x.say("hibernate", func() say.Text { return say.F("it was not launched with hibernation, so it is stopped") })
	return fleet.Stop
}

// graceOver holds back the stop of a resource found running outside its
// periods: it is announced, and the grace counts from the announcement, because
// time in which nobody could know is no grace. An announcement from the future
// (the clock was set back) is made again.
func (x *decider) graceOver() bool {
	m := x.m
	if m.Announced.IsZero() || m.Announced.After(x.now) {
		m.Announced = x.now
		x.Due = x.now.Add(max(x.s.NewResourceGrace, soonest))
		x.Announce = &Notice{StopAt: x.Due}
		x.hold(NewResourceAnnounced)
		x.recheckAt(x.Due)
		return false
	}
	end := m.Announced.Add(max(x.s.NewResourceGrace, soonest))
	if x.now.Before(end) {
		x.Due = end
		x.hold(NewResourceGrace)
		x.recheckAt(end)
		return false
	}
	return true
}

// wantRunning are the rows 6 to 11.
func (x *decider) wantRunning() {
	running := x.Resource.State == fleet.Running
	x.m.ManualSince = time.Time{}
	switch {
	case x.s.Enforced:
		x.row("row-6", "the schedule is enforced")
		x.start(EnforcedStart)
	case x.retains() && x.last == WasStopped && running && !x.autoRestart && x.m.ByRule != fleet.Running:
		x.row("row-7", "memory is stopped, it runs, and retain_running is on")
		x.none(Retained, RetainRunning)
	case x.last == RetainRunning:
		x.row("row-8", "memory is retain-running")
		x.none(Retained, RetainRunning)
	case x.last == StartFailed:
		x.row("row-9", "the last start failed")
		x.start(RetryStart)
	case x.last != WasRunning:
		x.row("row-10", "memory is not running")
		x.start(x.startReason())
	case !running && x.m.ResizeTo != "":
		x.row("row-10", "it was stopped to change its type")
		x.start(ResizeStart)
	case !running && x.missed():
		x.row("row-10", "memory is running, but of an earlier stretch: a begin passed while nothing was decided")
		x.start(MissedStart)
	case !running && x.m.ByRule == fleet.Stopped:
		x.row("row-11", "memory is running, and a rule stopped it")
		x.none(RuleStopped, WasRunning)
	case !running:
		x.row("row-11", "memory is running")
		x.none(ManualStop, WasRunning)
	default:
		x.row("row-11", "memory is running")
		x.runs()
	}
}

func (x *decider) startReason() Reason {
	switch {
	case x.m.Override != "":
		return OverrideEnded
	case x.catchUp:
		return MissedStart
	}
	return PeriodBegan
}

// start starts what is stopped, unless something speaks against it.
func (x *decider) start(reason Reason) {
	switch {
	case x.Resource.State == fleet.Running:
		x.runs()
		return
	case x.s.Mode == policy.StopOnly:
		x.none(ModeStopOnly, WasRunning)
		return
	}
	x.startNow(reason)
}

// startNow starts what is stopped, unless it is left to an owner or the last try was just now.
func (x *decider) startNow(reason Reason) {
	switch {
	case leftToOwner(x.Resource.Bar):
		x.hold(Reason(x.Resource.Bar))
		return
	case x.givenUp():
		return
	case x.last == StartFailed && x.backingOff():
		return
	}
	x.retry = x.last == StartFailed
	x.chooseSize()
	x.chooseTypes()
	x.act(fleet.Start, reason, WasRunning)
	x.m.RefusedType = ""
}

// chooseSize says what a start of a scaled resource brings back.
func (x *decider) chooseSize() {
	if x.Resource.Kind.Traits().Scaled {
		size, from := x.size()
		x.Size = size
		x.say("size", func() say.Text {
			if size == "" {
				return say.F("nobody knows what it brings back: it was never seen running, and no tag says it")
			}
			return say.F("brings back %s of %s", size, from)
		})
	}
}

// size is what a scaled resource is started with: as its owner's tag wants it,
// as it was when it was stopped, as it was seen running last. from says which.
func (x *decider) size() (size string, from say.Text) {
	for _, tag := range [...]string{fleet.TagSize, fleet.TagMinDesiredMax, fleet.TagSaved} {
		if size := strings.TrimSpace(x.Resource.Tags[tag]); size != "" {
			return size, say.F("tag %s", tag)
		}
	}
	return x.m.Size, say.F("the time it was last seen running")
}

// leftToOwner reports whether a bar forbids to start singly as well: an owner
// other than Dayshift starts and stops it, or the provider ties it to others.
// What merely can not be stopped may be started.
func leftToOwner(bar fleet.Bar) bool {
	switch bar {
	case fleet.NoBar, fleet.InstanceStoreRoot, fleet.SpotOneTime, fleet.StopProtected, fleet.HSMCluster, fleet.NoAutoSnapshots:
		return false
	}
	return true
}

// types are the instance types to start with: the period's own, then those of
// the tag.
func (x *decider) types() []string {
	types, refused := policy.InstanceTypes(x.Resource.Tags)
	if len(refused) > 0 {
		x.say("types", func() say.Text {
			return say.F("%s in the tag for instance types can not be used and is passed by", say.Names(refused))
		})
	}
	wanted := strings.ToLower(x.Want.InstanceType)
	if !policy.IsInstanceType(wanted) {
		return types
	}
	all := append(make([]string, 0, len(types)+1), wanted)
	for _, name := range types {
		if name != wanted {
			all = append(all, name)
		}
	}
	return all
}

// runs: it is running and should be. The type may still be another one than the
// period wants.
func (x *decider) runs() {
	r, m := &x.Resource, x.m
	wanted := x.Want.InstanceType
	if wanted != "" {
		wanted = strings.ToLower(wanted)
	}
	m.AutoRestartAt = time.Time{}
	switch {
	case r.Held && x.s.Mode != policy.StopOnly && !leftToOwner(r.Bar):
		// It came up halfway, or by a person's hand: without its scaling.
		x.startNow(HeldStart)
	case wanted == "" || !r.Kind.Traits().Types:
		m.ResizeTo = ""
		x.none(AlreadyRunning, WasRunning)
	case r.Type == wanted:
		m.ResizeTo, m.RefusedType = "", ""
		x.none(AlreadyRunning, WasRunning)
	case m.RefusedType == wanted || !policy.IsInstanceType(wanted):
		m.ResizeTo = ""
		x.none(TypeRefused, WasRunning)
	case x.s.Mode == policy.StartOnly:
		x.none(ModeStartOnly, WasRunning)
	case x.s.Mode == policy.StopOnly:
		x.none(ModeStopOnly, WasRunning)
	case r.Bar != fleet.NoBar:
		x.none(Reason(r.Bar), WasRunning)
	case x.now.Before(m.BarredUntil):
		x.none(StopProtected, WasRunning)
	case x.last == WasRunning && m.Attempts > 0 && x.backingOff():
	default:
		x.say("resize", func() say.Text { return say.F("it is %s, the period wants %s", r.Type, wanted) })
		x.Resize, x.Type = true, wanted
		x.retry = x.last == WasRunning && m.Attempts > 0
		x.act(fleet.Stop, ResizeStop, WasRunning)
		m.ResizeTo, m.ResizeFrom = wanted, r.Type
	}
}

// wantAny leaves it as it is, but for what was wanted while nothing was decided
// and what is half done.
func (x *decider) wantAny() {
	if missed, ok := x.missedBeforeAny(); ok {
		x.catchUp = true
		x.say("outage", func() say.Text {
			return say.F("%s was wanted and over since the last decision; the last such want is carried out once", missed)
		})
		if missed == calendar.Stopped {
			x.wantStopped()
		} else {
			x.wantRunning()
		}
		return
	}
	if x.m.ResizeTo != "" && x.Resource.State == fleet.Stopped && x.s.Mode != policy.StopOnly {
		x.row("row-any", "it was stopped to change its type")
		x.start(ResizeStart)
		return
	}
	x.row("row-any", "the schedule wants neither running nor stopped")
	x.m.ResizeTo, x.m.ManualSince = "", time.Time{}
	x.none(LeftAlone, WasAny)
}

// missed reports whether the stretch that is in force began after the last
// decision. Asked only where memory says the same as what is wanted.
func (x *decider) missed() bool {
	if x.m.DecidedAt.IsZero() || !x.m.DecidedAt.Before(x.now) {
		return false
	}
	b, ok := x.in.Policy.NextState(x.m.DecidedAt)
	return ok && !b.At.After(x.now)
}

// The search for the begin of the present *any*: a day is longer than any such
// stretch of a period's own, and a second look over ten days covers what
// schedules can put together.
var anySearch = [...]time.Duration{26 * time.Hour, 10 * 24 * time.Hour}

// maxAnySearch bounds the walk through the boundaries found on the way.
const maxAnySearch = 10_000

// missedBeforeAny finds what was wanted last before the present *any*, when
// that was wanted for the first time after the last decision. Work is bounded
// however long the outage was: one question at its begin, some at its end.
func (x *decider) missedBeforeAny() (calendar.State, bool) {
	decided := x.m.DecidedAt
	if decided.IsZero() || !decided.Before(x.now) || x.last == Unknown {
		return calendar.Any, false
	}
	first, ok := x.in.Policy.NextState(decided)
	if !ok || first.At.After(x.now) {
		return calendar.Any, false
	}
	for _, back := range anySearch {
		from := x.now.Add(-back)
		if from.Before(decided) {
			from = decided
		}
		var lastBefore calendar.Boundary
		at, found := from, false
		for range maxAnySearch {
			b, ok := x.in.Policy.NextState(at)
			if !ok || b.At.After(x.now) {
				break
			}
			lastBefore, at, found = b, b.At, true
		}
		if found && lastBefore.To.State == calendar.Any {
			// The want before it was in force at the last decision already when nothing else changed since.
			return lastBefore.From.State, lastBefore.At.After(first.At)
		}
		if from.Equal(decided) {
			break
		}
	}
	return calendar.Any, false
}

// row names the row of the table that matched, with its condition.
func (x *decider) row(rule, format string) {
	x.say(rule, func() say.Text { return say.F(format) })
}

// none: nothing is to be done, and that is the answer for this stretch.
func (x *decider) none(reason Reason, next Remembered) {
	m := x.m
	x.Reason = reason
	m.Attempts, m.NotBefore, m.LastError, m.Snapshot = 0, time.Time{}, "", ""
	m.ResizeFrom, m.Shortage = "", Shortage{}
	x.remember(next)
	if next == WasStopped {
		m.ResizeTo = ""
	}
}

// act: something is to be done.
func (x *decider) act(verb fleet.Verb, reason Reason, next Remembered) {
	x.Verb, x.Reason = verb, reason
	before := *x.m
	x.Before = &before
	if !x.retry {
		x.m.Attempts, x.m.LastError = 0, ""
	}
	x.m.NotBefore, x.m.ByRule = time.Time{}, ""
	x.chooseSnapshot()
	x.chooseMute()
	x.remember(next)
	x.Until = x.until
	if b, ok := x.in.Policy.NextState(x.now); ok && x.until.IsZero() {
		x.Until = b.At
	}
	x.look()
}

// look asks for a look at the end of the action.
func (x *decider) look() {
	if x.Rest.IsZero() {
		x.Rest = x.Recheck
	}
	first := firstLook
	switch calm := x.Override == nil && x.Type == ""; {
	case calm && x.Verb == fleet.Start:
		first = calmStart
	case calm && x.Verb == fleet.Stop:
		first = calmStop
	}
	x.recheckAt(x.now.Add(first))
}

// hold: something should be done and can not be now. Memory stays as it was.
func (x *decider) hold(reason Reason) { x.Reason = reason }

func (x *decider) remember(next Remembered) {
	m := x.m
	m.DecidedAt, m.Announced = x.now, time.Time{}
	m.Override = ""
	if x.Override != nil {
		m.Override = x.Override.ID
	}
	if x.open == nil {
		m.Window = time.Time{}
	}
	if x.Want.State == calendar.Any {
		m.Retain = next == RetainRunning || next == WasAny && x.last == RetainRunning
		m.Last = WasAny
		return
	}
	m.Last, m.Retain = next, false
}

// backingOff reports whether the next try has to wait. An end further away than
// any back-off lasts comes from a clock that was set back and counts as over.
func (x *decider) backingOff() bool {
	due := x.m.NotBefore
	if due.After(x.now.Add(backoffCap + shortageGrid)) {
		return false
	}
	if end := x.CapacityEnd(x.m.Shortage); !end.IsZero() && end.Before(due) && x.m.Shortage.At.Before(end) {
		due = end
	}
	if !x.now.Before(due) {
		return false
	}
	x.Due = due
	x.hold(BackingOff)
	x.recheckAt(x.Due)
	return true
}

// recheckAt asks for a decision at an instant, if none is due before.
func (x *decider) recheckAt(at time.Time) {
	if at.After(x.now) && (x.Recheck.IsZero() || at.Before(x.Recheck)) {
		x.Recheck = at
	}
}

// lookAgain asks for a look after gaps that grow with the time already waited.
func (x *decider) lookAgain(since time.Time, longest time.Duration) {
	x.recheckAt(x.now.Add(gap(x.now.Sub(since), longest)))
}

// gap is the time to the next look at what has been changing for so long.
func gap(waited, longest time.Duration) time.Duration {
	return min(max(waited/2, firstLook), longest)
}
