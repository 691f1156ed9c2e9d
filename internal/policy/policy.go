// Package policy says what governs a resource and what it wants at an instant.
//
// A Book is made from the configuration once and then only read. For each
// resource it answers with a Policy: protected or not, the schedule named by
// its tag, or the reason why nothing governs it. It is pure: the same book,
// resource and instant give the same answer, from any number of goroutines.
package policy

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/typo"
)

// Mode limits what a schedule may do.
type Mode string

// The modes.
const (
	Both      Mode = "both"
	StartOnly Mode = "start-only" // never stops
	StopOnly  Mode = "stop-only"  // never starts, and stops whatever runs at each boundary into stopped
)

// DefaultNewResourceGrace is how long the stop of a resource seen for the
// first time outside its periods is held back: long enough to read the
// announcement and to mend a tag, short enough not to cost a night.
const DefaultNewResourceGrace = 10 * time.Minute

// DefaultCapacityDeadline is how long a start that meets missing capacity is
// tried: shortages mostly end within the hour, and after two of them people
// have to know that the morning goes without it.
const DefaultCapacityDeadline = 2 * time.Hour

// Jitter spreads the resources of a schedule over waves, not over every
// second: each wave is a pass of its own and a batch of its own, so few waves
// keep passes and calls few, and sixteen already flatten a surge to a sixteenth.
const (
	maxWaves = 16
	// minWaveGap keeps waves on whole seconds, as boundaries are.
	minWaveGap = time.Second
)

// Verification says when a start is done.
type Verification string

// The verifications; empty is VerifyState.
const (
	VerifyState  Verification = "state"         // once it runs
	StatusChecks Verification = "status-checks" // once the provider's own checks have passed, where the kind has any
)

// Schedule is a calendar and the flags of SEMANTICS 4. Config builds it with
// every default filled in. It is used by pointer and never copied.
type Schedule struct {
	Name        string
	Description string
	// Calendar is nil when Err tells why the schedule can not be used; such a
	// schedule decides nothing and concerns only its own resources.
	Calendar *calendar.Schedule
	Err      error

	Enabled              bool
	Enforced             bool
	RetainRunning        bool
	StopNewInstances     bool
	NewResourceGrace     time.Duration
	UseMaintenanceWindow bool
	Hibernate            bool
	// Snapshot is the prefix of the snapshots that are taken of databases before they are stopped; empty: none are.
	Snapshot string
	// MuteAlarms: the alarms of what is stopped are muted until it runs again.
	MuteAlarms       bool
	Mode             Mode          // empty is Both
	MaxManualUptime  time.Duration // 0: none
	NotifyBeforeStop time.Duration // 0: no warning
	Jitter           time.Duration // 0: none
	// CapacityDeadline is how long a start that meets missing capacity is tried; 0: as long as running is wanted.
	CapacityDeadline time.Duration
	Verify           Verification // empty is VerifyState
	// SSMWindows are the names of the SSM maintenance windows that count as running time (EC2).
	SSMWindows []string
	// Observe: decide and record, but do not act.
	Observe bool

	next, nextState memo
}

// Book is everything that can govern a resource.
type Book struct {
	// TagKey is the tag that names a schedule.
	TagKey    string
	Schedules map[string]*Schedule
	// Protected: what any of these filters matches is never touched.
	Protected []fleet.Filter
	// Overrides are people's decisions that have not ended, in the order of SortOverrides.
	Overrides []*Override
	// Workloads go as a whole: what is a member of one is left to it.
	Workloads *Workloads
	// Rules are ordered by name.
	Rules []*Rule
	// Windows are the SSM maintenance windows of each scope that are open or to come.
	Windows map[fleet.Scope][]Window
	// WindowLead is how long before an SSM window what it needs is started.
	WindowLead time.Duration
	// Observe: decide and record everywhere, but do not act.
	Observe bool
}

// MutesAlarms reports whether any schedule or rule mutes alarms.
func (b *Book) MutesAlarms() bool {
	for _, s := range b.Schedules {
		if s.MuteAlarms {
			return true
		}
	}
	return slices.ContainsFunc(b.Rules, func(r *Rule) bool { return r.MuteAlarms })
}

// OnItsClock is the instant in the time zone of the schedule with the name; in UTC where there is none, or it can not be used.
func (b *Book) OnItsClock(schedule string, at time.Time) time.Time {
	if s := b.Schedules[schedule]; s != nil && s.Calendar != nil {
		return at.In(s.Calendar.Location())
	}
	return at.UTC()
}

// Why says how a policy came about.
type Why string

// What can govern a resource, or keep it from being governed.
const (
	Governed          Why = "governed"            // by Policy.Schedule
	ProtectedByTag    Why = "protected-by-tag"    // dayshift:protect = true
	ProtectedByFilter Why = "protected-by-filter" // Policy.Filter
	WorkloadMember    Why = "workload-member"     // of Policy.Workload, which starts and stops it with the others
	NoSchedule        Why = "no-schedule"         // the tag is absent or blank
	UnknownSchedule   Why = "unknown-schedule"    // the tag names a schedule that does not exist; see Hint
	ScheduleInvalid   Why = "schedule-invalid"    // Policy.Schedule.Err says why
	ScheduleDisabled  Why = "schedule-disabled"
)

// Policy is what governs one resource.
type Policy struct {
	Why Why
	// Schedule is nil when there is none: no tag, an unknown name, protected
	// before the tag was read.
	Schedule *Schedule
	// Name is the schedule as the tag names it, blanks around it removed; kept
	// for protected resources too.
	Name string
	// TagKey is the tag that was read.
	TagKey string
	// Filter is what protects the resource; zero unless Why is ProtectedByFilter.
	Filter fleet.Filter
	// Workload and Tier are those that the resource is a member of; empty unless Why is WorkloadMember.
	Workload, Tier string
	// Offset is the resource's place in the schedule's jitter: everything is
	// wanted this much later.
	Offset time.Duration
	// Observe: what is decided is recorded and not done.
	Observe bool

	book      *Book
	overrides []*Override // that are for the resource, in the order in which they count
	windows   windows
}

// Governs says what governs the resource. Protection comes before everything.
// A tag's value is taken without blanks around it; case matters, as it does to AWS.
// What stands for a workload (WorkloadRef) is governed as GovernsWorkload says.
func (b *Book) Governs(r fleet.Resource) Policy {
	if r.Kind == WorkloadKind {
		if w := b.Workloads.Named(r.ID); w != nil {
			return b.GovernsWorkload(w)
		}
	}
	p := Policy{Name: strings.TrimSpace(r.Tags[b.TagKey]), TagKey: b.TagKey, Observe: b.Observe, book: b}
	if strings.EqualFold(strings.TrimSpace(r.Tags[fleet.TagProtect]), "true") {
		p.Why = ProtectedByTag
		return p
	}
	if at := slices.IndexFunc(b.Protected, func(f fleet.Filter) bool { return f.Match(r) }); at >= 0 {
		p.Why, p.Filter = ProtectedByFilter, b.Protected[at]
		return p
	}
	if w, tier, member := b.Workloads.Of(&r); member {
		p.Why, p.Workload, p.Tier = WorkloadMember, w.Name, tier
		for _, o := range b.Overrides { // what a person decided about it alone counts
			if o.Target.Resource == r.Ref {
				p.overrides = append(p.overrides, o)
			}
		}
		return p
	}
	if p.Name == "" {
		p.Why = NoSchedule
		return p
	}
	for _, o := range b.Overrides {
		if o.Target.covers(&r, p.Name) {
			p.overrides = append(p.overrides, o)
		}
	}
	p.bySchedule()
	if p.Why == Governed {
		p.Offset = Offset(r.Ref, p.Schedule.Jitter)
		p.windows = b.windowsOf(&r, p.Schedule)
	}
	return p
}

// bySchedule says what the schedule with the policy's name governs.
func (p *Policy) bySchedule() {
	p.Schedule = p.book.Schedules[p.Name]
	if p.Schedule != nil {
		p.Observe = p.Observe || p.Schedule.Observe
	}
	switch s := p.Schedule; {
	case p.Name == "":
		p.Why = NoSchedule
	case s == nil:
		p.Why = UnknownSchedule
	case s.Err != nil || s.Calendar == nil:
		p.Why = ScheduleInvalid
	case !s.Enabled:
		p.Why = ScheduleDisabled
	default:
		p.Why = Governed
	}
}

// Protected reports whether the resource must not be touched.
func (p Policy) Protected() bool { return p.Why == ProtectedByTag || p.Why == ProtectedByFilter }

// CapacityDeadline is how long a start that meets missing capacity is tried; 0:
// as long as running is wanted. Where there is no schedule it is the default.
func (p Policy) CapacityDeadline() time.Duration {
	if p.Schedule == nil {
		return DefaultCapacityDeadline
	}
	return p.Schedule.CapacityDeadline
}

// Hint returns the schedule that an unknown name was most likely meant to be.
// It compares with every schedule, so it is asked for when somebody reads it.
func (p Policy) Hint() (string, bool) {
	if p.Why != UnknownSchedule || p.book == nil {
		return "", false
	}
	names := make([]string, 0, len(p.book.Schedules))
	for name := range p.book.Schedules {
		names = append(names, name)
	}
	return typo.Nearest(p.Name, names)
}

// Wanted tells what the schedule wants of this resource. Only a Governed
// policy wants anything; any other wants the resource left as it is.
func (p Policy) Wanted(now time.Time) calendar.Want {
	if p.Why != Governed {
		return calendar.Want{State: calendar.Any}
	}
	return p.Schedule.Calendar.Wanted(now.Add(-p.Offset))
}

// Special tells what is out of the ordinary for this resource at an instant: exceptions, days off. Only a Governed policy
// knows any.
func (p Policy) Special(now time.Time) calendar.Special {
	if p.Why != Governed {
		return calendar.Special{}
	}
	return p.Schedule.Calendar.Special(now.Add(-p.Offset))
}

// Next gives the first instant after now at which what is wanted of this
// resource changes; false when it never does, as far as the calendar looks.
func (p Policy) Next(now time.Time) (calendar.Boundary, bool) {
	if p.Why != Governed {
		return calendar.Boundary{}, false
	}
	return p.shift(p.Schedule.next.ask(now.Add(-p.Offset), p.Schedule.Calendar, (*calendar.Schedule).Next))
}

// NextState is Next for changes between running, stopped and any alone.
func (p Policy) NextState(now time.Time) (calendar.Boundary, bool) {
	if p.Why != Governed {
		return calendar.Boundary{}, false
	}
	return p.shift(p.Schedule.nextState.ask(now.Add(-p.Offset), p.Schedule.Calendar, (*calendar.Schedule).NextState))
}

// maxSearch bounds the search for a boundary into one state: between two stops lie at
// most a begin, an "any" and a begin again; a schedule that alternates longer
// without one is answered as if it had none within reach.
const maxSearch = 4

// NextStop gives the next instant after now at which the schedule wants the
// resource stopped; false when there is none within reach.
func (p Policy) NextStop(now time.Time) (time.Time, bool) { return p.nextInto(calendar.Stopped, now) }

// nextInto gives the next boundary after now into a state.
func (p Policy) nextInto(state calendar.State, now time.Time) (time.Time, bool) {
	b, ok := p.NextState(now)
	for range maxSearch {
		if !ok || b.To.State == state {
			break
		}
		b, ok = p.shift(p.Schedule.Calendar.NextState(b.At.Add(-p.Offset)))
	}
	return b.At, ok && b.To.State == state
}

// Override gives the override in force at an instant and when it ends for this
// resource. reached are the overrides that the resource has reached (Override.Once), blanks between them.
func (p Policy) Override(now time.Time, reached string) (*Override, time.Time, bool) {
	for _, o := range p.overrides {
		if now.Before(o.From) || o.Once && slices.Contains(strings.Fields(reached), o.ID) {
			continue
		}
		if end := p.overrideEnd(o); now.Before(end) {
			return o, end, true
		}
	}
	return nil, time.Time{}, false
}

// NextOverride gives the next instant after now at which an override for the
// resource comes into force; false when none is to come. It is of use where the
// clock of whoever made it is ahead, or this one was set back.
func (p Policy) NextOverride(now time.Time) (time.Time, bool) {
	var next time.Time
	for _, o := range p.overrides {
		if o.From.After(now) && (next.IsZero() || o.From.Before(next)) {
			next = o.From
		}
	}
	return next, !next.IsZero()
}

func (p Policy) overrideEnd(o *Override) time.Time {
	if !o.Boundary || p.Why != Governed {
		return o.Until
	}
	opposite := calendar.Stopped
	if o.State == calendar.Stopped {
		opposite = calendar.Running
	}
	if at, ok := p.nextInto(opposite, o.From); ok && at.Before(o.Until) {
		return at
	}
	return o.Until
}

func (p Policy) shift(b calendar.Boundary, ok bool) (calendar.Boundary, bool) {
	b.At = b.At.Add(p.Offset)
	return b, ok
}

// Offset is a resource's place in a jitter: one of at most 16 equal waves in
// [0, jitter), chosen by its identity alone, so that it is the same for ever.
func Offset(ref fleet.Ref, jitter time.Duration) time.Duration {
	waves := min(int64(jitter/minWaveGap), maxWaves)
	if waves <= 1 {
		return 0
	}
	wave := int64(ref.Hash() % uint64(waves))
	return (jitter / time.Duration(waves) * time.Duration(wave)).Truncate(time.Second)
}

// memo keeps the last answer of a calendar: the resources of a schedule ask
// one after the other for the same instant, and "never" takes the calendar a
// walk over ten years. It changes no answer.
type memo struct{ last atomic.Pointer[answer] }

// answer holds for every instant in [from, until).
type answer struct {
	from, until time.Time
	boundary    calendar.Boundary
	ok          bool
}

// neverHolds is how long "no boundary within the calendar's horizon" is
// believed: short against the horizon of years, long against a pass.
const neverHolds = 24 * time.Hour

func (m *memo) ask(
	t time.Time, of *calendar.Schedule, next func(*calendar.Schedule, time.Time) (calendar.Boundary, bool),
) (calendar.Boundary, bool) {
	last := m.last.Load()
	if last != nil && !t.Before(last.from) && t.Before(last.until) {
		return last.boundary, last.ok
	}
	b, ok := next(of, t)
	a := &answer{from: t, until: b.At, boundary: b, ok: ok}
	if !ok {
		a.until = t.Add(neverHolds)
	}
	m.last.Store(a)
	return b, ok
}

// maxTypes bounds the list of acceptable types: each may cost two calls at a
// start, and a tag of 256 characters holds no more than some thirty.
const maxTypes = 20

// InstanceTypes reads a list of instance types, best first, from the tag
// dayshift:instance-types or, where that is absent, IS-PreferredInstanceTypes.
// What can not be an instance type is left out and returned as refused; types
// given twice count once, and those after the twentieth are refused too.
func InstanceTypes(tags map[string]string) (types, refused []string) {
	text, ok := tags[fleet.TagInstanceTypes]
	if !ok {
		text, ok = tags[fleet.TagPreferredInstanceTypes]
	}
	if !ok {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name := strings.ToLower(strings.TrimSpace(part))
		switch {
		case name == "" || slices.Contains(types, name):
		case !IsInstanceType(name) || len(types) == maxTypes:
			refused = append(refused, strconv.Quote(strings.TrimSpace(part)))
		default:
			types = append(types, name)
		}
	}
	return types, refused
}

// IsInstanceType reports whether the text has the form of an EC2 instance
// type: family, dot, size, such as t3.small, u-6tb1.metal or mac2-m2pro.metal.
// It does not ask whether AWS has it: new types appear without a new release.
func IsInstanceType(text string) bool {
	family, size, found := strings.Cut(text, ".")
	return found && len(text) <= 40 && typePart(family) && typePart(size) && family[0] >= 'a'
}

func typePart(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0 || i == len(text)-1) {
			return false
		}
	}
	return text != ""
}
