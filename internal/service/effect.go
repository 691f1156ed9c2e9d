package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// Candidate is what a change would put in the place of what is in force.
type Candidate struct {
	Book   *policy.Book
	Limits plan.Limits
	// Schedules are the names that the change is about, for the words and so that what it changes beyond the days looked
	// ahead is found too.
	Schedules []string
	// Config: it is a change of the configuration, so that passes compare what they would stop with the day before.
	// False for a person's override.
	Config bool
	// Within is what whoever makes the change may act on; nil: everything. *OutsideError where it concerns anything else.
	Within *fleet.Filter
}

// Effect is what a change would do, told before it is made.
//
// It compares two books over the fleet as it is now: the one in force and the
// one with the change. What a pass now would do differently is in Now, what
// would come or go in the days after in Ahead; nobody steps in, and limits hold
// nothing back in either. Counts are of the resources that the change concerns.
type Effect struct {
	At    time.Time `json:"at"`
	Seen  time.Time `json:"seen,omitzero"` // when the oldest listing that it rests on was made; zero: nothing was listed
	Until time.Time `json:"until"`         // the end of the time looked ahead
	// Now is what a pass at once would do with the change and would not without, or the other way round. MoreNow are
	// further lines that are not told.
	Now     []EffectLine `json:"now"`
	MoreNow int          `json:"more_now"`
	// StopsNow and StartsNow count what a pass at once would do.
	StartsNow EffectCount `json:"starts_now"`
	StopsNow  EffectCount `json:"stops_now"`
	// Starts and Stops count what is done until the end of the time looked ahead, now included.
	Starts EffectCount `json:"starts"`
	Stops  EffectCount `json:"stops"`
	// Ahead is what comes or goes after now, in the order of time; More are further lines that are not told.
	Ahead []EffectEvent `json:"ahead"`
	More  int           `json:"more"`
	// Resources is how many resources the change concerns. Protected is how many of them are protected and stay as they
	// are, ProtectedNames some of those.
	Resources      int      `json:"resources"`
	Protected      int      `json:"protected"`
	ProtectedNames []string `json:"protected_names"`
	// Uncounted is how many of the resources could not be looked at within the bounds of the work: counts and lines are
	// without them.
	Uncounted int `json:"uncounted"`
	// Limits says what the limits would hold back with the change, a sentence for each.
	Limits    []say.Text `json:"limits"`
	Conflicts []Conflict `json:"conflicts"`
	Gaps      []Gap      `json:"gaps"`
	// Notes say what can not be told.
	Notes []say.Text `json:"notes"`
	// Confirm says why a person has to confirm the change; empty: it need not be.
	Confirm say.Text `json:"confirm,omitzero"`
}

// EffectCount is a number without the change and with it.
type EffectCount struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// EffectLine is one action that a pass now would do with the change (Comes), or would no longer do.
type EffectLine struct {
	Comes    bool     `json:"comes"`
	Action   string   `json:"action"`
	Type     string   `json:"type,omitempty"`
	Ref      string   `json:"ref"`
	Name     string   `json:"name"`
	Schedule string   `json:"schedule"`
	Reason   string   `json:"reason"`
	Why      say.Text `json:"why"`
}

// EffectEvent is a start or stop to come that comes or goes with the change.
type EffectEvent struct {
	PreviewEvent
	Comes bool `json:"comes"`
}

const (
	// effectAhead is how far a change is followed: every day of the week once.
	effectAhead = 7 * 24 * time.Hour
	// effectDay is the time whose stops are compared with those of the day before.
	effectDay = 24 * time.Hour
	// effectLines bounds the lines that are told of each list: more is not read.
	effectLines = 50
	// effectNames bounds the names that stand for many.
	effectNames = 10
	// effectSteps bounds the decisions made for one answer, some ten seconds of work on a small machine.
	effectSteps = 8_000_000
)

// Effect tells what a change would do before it is made.
func (s *Service) Effect(ctx context.Context, after Candidate) (Effect, error) {
	report, err := s.Looker.Look(ctx, time.Time{}, false)
	if err != nil {
		return Effect{}, err
	}
	c := &comparison{
		before: with(s.Book, &report), after: with(after.Book, &report), candidate: after, decisions: report.Decisions,
		answer: Effect{
			At: report.At.UTC(), Seen: oldest(report), Until: report.At.Add(effectAhead).UTC(), Now: []EffectLine{}, Ahead: []EffectEvent{}, ProtectedNames: []string{},
			Limits: []say.Text{}, Conflicts: []Conflict{}, Gaps: gaps(report), Notes: []say.Text{},
		},
	}
	c.find()
	if err := c.inside(after.Within); err != nil {
		return Effect{}, err
	}
	if err := c.walk(ctx); err != nil {
		return Effect{}, err
	}
	now := c.presentDecisions()
	_, day := c.newlyStopped()
	stops := max(day, plan.CountStops(now, c.scopes()).Changed)
	yesterday, err := pass.StoppedBefore(ctx, s.Store, after.Limits, stops, report.At)
	if err != nil {
		return Effect{}, err
	}
	c.limits(now, yesterday)
	c.conflicts()
	c.notes()
	c.confirm(yesterday)
	c.tell()
	return c.answer, nil
}

// comparison is an effect in the making.
type comparison struct {
	before, after *policy.Book
	candidate     Candidate
	decisions     []decide.Decision
	answer        Effect

	outside   int             // resources concerned that whoever makes the change may not act on
	schedules map[string]bool // those that differ between the books
	rules     []*policy.Rule  // of either book, that differ
	overrides []*policy.Override
	matches   map[string]EffectCount // of the rules that differ, by name
	present   []line                 // what comes and goes now
	ahead     []line                 // and later
	classes   []*class
	byKey     map[classKey]*class
	place     []*class // of each decision; nil: it is not concerned

	steps atomic.Int64
}

// class are the resources concerned that live through the same: one of them is
// walked for all. A fleet of a hundred thousand is a few dozen classes.
type class struct {
	members       []int // places of decisions, in order
	before, after policy.Policy
	rules         [2][]*policy.Rule
	// What the walks found.
	walked bool
	now    [2]decide.Decision // what a pass now would decide, before and after
	lived  [2][]happened
}

// classKey is everything that a walk depends on, of both books and of the resource.
type classKey struct {
	why       [2]policy.Why
	name      [2]string
	offset    [2]time.Duration
	observe   [2]bool
	rules     [2]string
	overrides [2]string

	kind        fleet.Kind
	scope       fleet.Scope
	state       fleet.State
	bar         fleet.Bar
	instance    string
	types       string
	window      string
	hibernates  bool
	autoRestart time.Time
	launched    time.Time
	memory      decide.Memory
	alone       int // another number for each that is like no other
}

// happened is something done in a walk.
type happened struct {
	at       time.Time
	verb     fleet.Verb
	to       string // the instance type that it changes to
	resize   bool
	reason   decide.Reason
	fire     decide.Fire
	override *policy.Override
}

func (h *happened) isStop() bool { return takesDown(h.verb, h.resize) }

// of makes a decision of it, for a resource of the class.
func (h *happened) of(d *decide.Decision) decide.Decision {
	return decide.Decision{
		Resource: d.Resource, Schedule: d.Schedule, Verb: h.verb, Type: h.to, Resize: h.resize, Reason: h.reason, Fire: h.fire, Override: h.override,
	}
}

// takesDown reports whether a verb takes something down for good: a stop that
// makes way for another type comes up again by itself.
func takesDown(verb fleet.Verb, resize bool) bool {
	return (verb == fleet.Stop || verb == fleet.Hibernate) && !resize
}

func isStop(d *decide.Decision) bool { return takesDown(d.Verb, d.Resize) && !d.Observe }

// find finds the resources that are governed differently.
func (c *comparison) find() {
	c.differences()
	c.matches, c.byKey, c.place = map[string]EffectCount{}, map[classKey]*class{}, make([]*class, len(c.decisions))
	for i := range c.decisions {
		r := &c.decisions[i].Resource
		concerned := c.schedules[strings.TrimSpace(r.Tags[c.before.TagKey])] || c.schedules[strings.TrimSpace(r.Tags[c.after.TagKey])]
		concerned = c.count(r) || concerned
		concerned = concerned || slices.ContainsFunc(c.overrides, func(o *policy.Override) bool { return o.Covers(*r, c.after.TagKey) })
		before, after := c.before.Governs(*r), c.after.Governs(*r)
		concerned = concerned || before.Why != after.Why || before.Name != after.Name || before.Observe != after.Observe
		if !concerned {
			continue
		}
		c.answer.Resources++
		if within := c.candidate.Within; within != nil && !within.Match(*r) {
			c.outside++
		}
		if before.Protected() && after.Protected() {
			c.answer.Protected++
			if len(c.answer.ProtectedNames) < effectNames {
				c.answer.ProtectedNames = append(c.answer.ProtectedNames, title(r))
			}
			continue
		}
		c.classify(i, before, after)
	}
}

// inside refuses a change that concerns anything that a filter does not match (nil: everything may be acted on). What can
// not be listed may be such a thing.
func (c *comparison) inside(within *fleet.Filter) error {
	switch {
	case within == nil:
		return nil
	case c.outside > 0:
		return &OutsideError{Resources: c.outside}
	case len(c.answer.Gaps) > 0:
		return &OutsideError{Unseen: true}
	}
	return nil
}

// oldest is when the oldest of the listings of a report was made.
func oldest(report pass.Report) (at time.Time) {
	for i := range report.Decisions {
		if seen := report.Decisions[i].Resource.SeenAt; at.IsZero() || seen.Before(at) {
			at = seen
		}
	}
	return at.UTC()
}

// classify puts a resource to those that live through the same.
func (c *comparison) classify(i int, before, after policy.Policy) {
	d := &c.decisions[i]
	r := &d.Resource
	rules := [2][]*policy.Rule{rulesOf(c.before, r), rulesOf(c.after, r)}
	key := classKey{
		why: [2]policy.Why{before.Why, after.Why}, name: [2]string{before.Name, after.Name},
		offset: [2]time.Duration{before.Offset, after.Offset}, observe: [2]bool{before.Observe, after.Observe},
		rules:     [2]string{ruleNames(rules[0]), ruleNames(rules[1])},
		overrides: [2]string{coveredBy(c.before, r), coveredBy(c.after, r)},
		kind:      r.Kind, scope: r.Scope, state: r.State, bar: r.Bar, instance: r.Type, window: r.MaintenanceWindow, hibernates: r.CanHibernate,
		types:       r.Tags[fleet.TagInstanceTypes] + "\x00" + r.Tags[fleet.TagPreferredInstanceTypes],
		autoRestart: r.AutoRestartAt, memory: begin(d),
	}
	m := &key.memory
	if m.Intent != nil {
		key.alone, m.Intent = i+1, nil
	}
	if m.Last != decide.WasRunning { // it tells since when a person has it running
		key.launched = r.LaunchedAt
	}
	// Nothing that is decided depends on these.
	m.Ref, m.Name, m.FirstSeen, m.SeenAt, m.SeenSince, m.Warned, m.LastError = fleet.Ref{}, "", time.Time{}, time.Time{}, time.Time{}, time.Time{}, ""
	of := c.byKey[key]
	if of == nil {
		of = &class{before: before, after: after, rules: rules}
		c.byKey[key] = of
		c.classes = append(c.classes, of)
	}
	of.members = append(of.members, i)
	c.place[i] = of
}

func ruleNames(rules []*policy.Rule) string {
	var names strings.Builder
	for _, rule := range rules {
		names.WriteString(rule.Name)
		names.WriteByte(0)
	}
	return names.String()
}

// coveredBy names the overrides of a book that are for a resource.
func coveredBy(book *policy.Book, r *fleet.Resource) string {
	var names strings.Builder
	for _, o := range book.Overrides {
		if o.Covers(*r, book.TagKey) {
			names.WriteString(o.ID)
			names.WriteByte(0)
		}
	}
	return names.String()
}

// title is what people call a resource.
func title(r *fleet.Resource) string { return cmp.Or(r.Name, r.ID) }

// count counts the matches of the rules that differ and reports whether there are any.
func (c *comparison) count(r *fleet.Resource) bool {
	any := false
	for _, book := range []*policy.Book{c.before, c.after} {
		for _, rule := range book.Rules {
			if !slices.Contains(c.rules, rule) || !rule.Usable() || !rule.Selects(*r, book.TagKey) {
				continue
			}
			any = true
			n := c.matches[rule.Name]
			if book == c.before {
				n.Before++
			} else {
				n.After++
			}
			c.matches[rule.Name] = n
		}
	}
	return any
}

// differences finds what differs between the books.
func (c *comparison) differences() {
	c.schedules = map[string]bool{}
	for _, name := range c.candidate.Schedules {
		c.schedules[name] = true
	}
	for _, pair := range [][2]*policy.Book{{c.before, c.after}, {c.after, c.before}} {
		for name, one := range pair[0].Schedules {
			if _, known := c.schedules[name]; !known && !sameSchedule(one, pair[1].Schedules[name], c.answer.At) {
				c.schedules[name] = true
			}
		}
		for _, rule := range pair[0].Rules {
			i := slices.IndexFunc(pair[1].Rules, func(other *policy.Rule) bool { return other.Name == rule.Name })
			if i < 0 || !sameRule(rule, pair[1].Rules[i], c.answer.At) {
				c.rules = append(c.rules, rule)
			}
		}
		for _, o := range pair[0].Overrides {
			if !slices.ContainsFunc(pair[1].Overrides, func(other *policy.Override) bool { return sameOverride(o, other) }) {
				c.overrides = append(c.overrides, o)
			}
		}
	}
	delete(c.schedules, "")
	if c.before.WindowLead != c.after.WindowLead {
		for name, schedule := range c.after.Schedules {
			c.schedules[name] = c.schedules[name] || len(schedule.SSMWindows) > 0
		}
	}
}

// sameFields compares the exported fields of two values of a struct, but for some.
func sameFields(a, b any, but ...string) bool {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		field := x.Type().Field(i)
		if field.IsExported() && !slices.Contains(but, field.Name) && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return false
		}
	}
	return true
}

// comparedBoundaries bounds the comparison of two calendars: two years of a
// schedule with a dozen changes a day.
const comparedBoundaries = 10_000

// sameSchedule reports whether two schedules want the same, as far as a preview reaches.
func sameSchedule(a, b *policy.Schedule, now time.Time) bool {
	switch {
	case a == b:
		return true
	case a == nil || b == nil || fmt.Sprint(a.Err) != fmt.Sprint(b.Err) || (a.Calendar == nil) != (b.Calendar == nil):
		return false
	case !sameFields(a, b, "Name", "Description", "Err", "Calendar"):
		return false
	case a.Calendar == nil || a.Calendar == b.Calendar:
		return true
	}
	x, y := a.Calendar, b.Calendar
	if x.Location().String() != y.Location().String() || x.Wanted(now) != y.Wanted(now) {
		return false
	}
	at, end := now, now.Add(maxPreview)
	for range comparedBoundaries {
		next, ok := x.Next(at)
		other, ok2 := y.Next(at)
		ok, ok2 = ok && !next.At.After(end), ok2 && !other.At.After(end)
		if ok != ok2 || ok && next != other {
			return false
		}
		if !ok {
			break
		}
		at = next.At
	}
	return true
}

// comparedFires tells two expressions apart that read the same: rates are counted from an instant of their own.
const comparedFires = 3

func sameRule(a, b *policy.Rule, now time.Time) bool {
	switch {
	case a == b:
		return true
	case fmt.Sprint(a.Err) != fmt.Sprint(b.Err) || a.Filter.String() != b.Filter.String() || (a.Expression == nil) != (b.Expression == nil):
		return false
	case !sameFields(a, b, "Description", "Err", "Filter", "Expression", "Since", "Changed"):
		return false
	case a.Expression == nil:
		return true
	case a.Expression.String() != b.Expression.String():
		return false
	}
	at := now
	for range comparedFires {
		next, ok := a.Expression.Next(at)
		other, ok2 := b.Expression.Next(at)
		if ok != ok2 || !next.Equal(other) {
			return false
		}
		at = next
	}
	return true
}

func sameOverride(a, b *policy.Override) bool {
	return a == b || a.Target.String() == b.Target.String() && sameFields(a, b, "Target", "Version", "Author", "Reason")
}

// walk lives one resource of every class through the time ahead, without the
// change and with it.
func (c *comparison) walk(ctx context.Context) error {
	var group errgroup.Group
	workers := min(runtime.GOMAXPROCS(0), len(c.classes))
	for part := range workers {
		group.Go(func() error {
			for i := part; i < len(c.classes); i += workers {
				if err := c.compare(ctx, c.classes[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, of := range c.classes {
		if of.walked {
			c.add(of)
		} else {
			c.answer.Uncounted += len(of.members)
		}
	}
	return nil
}

// errEnough ends a walk when the work for the answer has grown beyond its bounds.
var errEnough = errors.New("enough")

func (c *comparison) compare(ctx context.Context, of *class) error {
	now := c.answer.At
	d := &c.decisions[of.members[0]]
	for i, governs := range [2]policy.Policy{of.before, of.after} {
		of.now[i] = decide.Decide(decide.Input{Now: now, Policy: governs, Memory: begin(d), Resource: d.Resource})
		walk := walker{
			policy: governs, rules: of.rules[i], resource: d.Resource, memory: begin(d), to: c.answer.Until, fired: now,
			act: func(d *decide.Decision, at time.Time) error {
				if !d.Observe {
					of.lived[i] = append(of.lived[i], happened{at, d.Verb, d.Type, d.Resize, d.Reason, d.Fire, d.Override})
				}
				if c.steps.Load() > effectSteps {
					return errEnough
				}
				return nil
			},
			live: func(*fleet.Resource, time.Time, time.Time) { c.steps.Add(1) },
		}
		var input *InputError
		switch err := walk.run(ctx, now); {
		case errors.Is(err, errEnough) || errors.As(err, &input):
			return nil
		case err != nil:
			return err
		}
	}
	of.walked = true
	return nil
}

// add counts what a class lived through, and keeps what comes and goes.
func (c *comparison) add(of *class) {
	n := len(of.members)
	for i, side := range of.lived {
		for j := range side {
			h := &side[j]
			starts, stops := 0, 0
			switch {
			case h.verb == fleet.Start:
				starts = n
			case h.isStop():
				stops = n
			}
			c.answer.Starts.add(i, starts)
			c.answer.Stops.add(i, stops)
			if h.at.Equal(c.answer.At) {
				c.answer.StartsNow.add(i, starts)
				c.answer.StopsNow.add(i, stops)
			}
		}
	}
	before, after := of.lived[0], of.lived[1]
	for len(before)+len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].at.Before(after[0].at):
			c.differs(of, &before[0], false)
			before = before[1:]
		case len(before) == 0 || after[0].at.Before(before[0].at):
			c.differs(of, &after[0], true)
			after = after[1:]
		case before[0].verb == after[0].verb && before[0].to == after[0].to:
			before, after = before[1:], after[1:]
		default:
			c.differs(of, &before[0], false)
			c.differs(of, &after[0], true)
			before, after = before[1:], after[1:]
		}
	}
}

func (n *EffectCount) add(side, by int) {
	if side == 0 {
		n.Before += by
	} else {
		n.After += by
	}
}

// differs keeps one line for each resource of a class, up to as many as are told.
func (c *comparison) differs(of *class, h *happened, comes bool) {
	told := of.members[:min(len(of.members), effectLines)]
	now := h.at.Equal(c.answer.At)
	if now {
		c.answer.MoreNow += len(of.members) - len(told)
	} else {
		c.answer.More += len(of.members) - len(told)
	}
	for _, i := range told {
		l := line{h, &c.decisions[i], comes}
		if now {
			c.present = append(c.present, l)
		} else {
			c.ahead = append(c.ahead, l)
		}
	}
	if len(c.present) > linesKept {
		c.present = trim(c.present, &c.answer.MoreNow)
	}
	if len(c.ahead) > linesKept {
		c.ahead = trim(c.ahead, &c.answer.More)
	}
}

// line is something that comes or goes for one resource.
type line struct {
	*happened
	of    *decide.Decision
	comes bool
}

// linesKept is when lines are thrown away, so that there are never more than a few times as many as are told.
const linesKept = 100 * effectLines

// trim leaves the first lines, in the order in which they are told, and counts the others.
func trim(lines []line, more *int) []line {
	slices.SortFunc(lines, func(x, y line) int {
		return cmp.Or(x.at.Compare(y.at), x.of.Resource.Ref.Compare(y.of.Resource.Ref), cmp.Compare(bit(x.comes), bit(y.comes)), cmp.Compare(x.verb, y.verb))
	})
	if over := len(lines) - effectLines; over > 0 {
		lines, *more = lines[:effectLines], *more+over
	}
	return lines
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tell writes the lines that were kept into the answer.
func (c *comparison) tell() {
	for _, l := range trim(c.present, &c.answer.MoreNow) {
		d := l.happened.of(l.of)
		event := eventOf(&d, l.at)
		c.answer.Now = append(c.answer.Now, EffectLine{
			Comes: l.comes, Action: event.Action, Type: event.Type, Ref: event.Ref, Name: event.Name,
			Schedule: event.Schedule, Reason: event.Reason, Why: event.Why,
		})
	}
	for _, l := range trim(c.ahead, &c.answer.More) {
		d := l.happened.of(l.of)
		c.answer.Ahead = append(c.answer.Ahead, EffectEvent{eventOf(&d, l.at), l.comes})
	}
}

// newlyStopped counts the resources that the change stops: those that a pass now would stop and would not without it, and
// those stopped within a day that would not be without it.
func (c *comparison) newlyStopped() (now, day int) {
	end := c.answer.At.Add(effectDay)
	for _, of := range c.classes {
		if !of.walked {
			continue
		}
		stops := func(side int) bool {
			return slices.ContainsFunc(of.lived[side], func(h happened) bool { return h.isStop() && !h.at.After(end) })
		}
		if isStop(&of.now[1]) && !isStop(&of.now[0]) {
			now += len(of.members)
			day += len(of.members)
		} else if stops(1) && !stops(0) {
			day += len(of.members)
		}
	}
	return now, day
}

// presentDecisions are those of a pass now with the change that do something.
func (c *comparison) presentDecisions() []decide.Decision {
	var list []decide.Decision
	for i := range c.decisions {
		d := &c.decisions[i]
		of := c.place[i]
		if d.Resource.Kind == policy.WorkloadKind {
			continue
		}
		if of == nil || !of.walked {
			if d.Verb != "" {
				list = append(list, *d)
			}
			continue
		}
		if of.now[1].Verb != "" {
			d := of.now[1]
			d.Resource = c.decisions[i].Resource
			list = append(list, d)
		}
	}
	return list
}

// scopes are those whose configuration changes.
func (c *comparison) scopes() map[fleet.Scope]bool {
	changed := map[fleet.Scope]bool{}
	if c.candidate.Config {
		for i := range c.decisions {
			changed[c.decisions[i].Resource.Scope] = true
		}
	}
	return changed
}

// limits says what the limits hold back now, and at the first instant with stops of what is concerned.
func (c *comparison) limits(now []decide.Decision, yesterday int) {
	running := map[fleet.Scope]int{}
	var others []int // that run and are not concerned
	for i := range c.decisions {
		r := &c.decisions[i].Resource
		if r.Kind == policy.WorkloadKind { // limits are for what is stopped singly
			continue
		}
		if r.State == fleet.Running && c.after.Governs(*r).Why == policy.Governed {
			running[r.Scope]++
			if c.place[i] == nil {
				others = append(others, i)
			}
		}
	}
	guards := plan.Guards{Limits: c.candidate.Limits, Running: running, Changed: c.scopes(), Yesterday: yesterday}
	c.held(plan.Make(now, guards), func(held say.Text) say.Text { return say.F("now: %s", held) })

	first, stops := c.firstStops()
	if len(stops) == 0 {
		return
	}
	for _, i := range others {
		// Nothing changes for it: what it does at that instant, as far as that can be told from how it is now.
		d := &c.decisions[i]
		then := decide.Decide(decide.Input{Now: first, Policy: c.after.Governs(d.Resource), Memory: begin(d), Resource: d.Resource})
		if then.Verb != "" {
			stops = append(stops, then)
		}
	}
	guards.Changed = nil // passes have acted under the change by then
	c.held(plan.Make(stops, guards), func(held say.Text) say.Text { return say.F("at %s: %s", stamp(first), held) })
}

// firstStops gives the first stops after now, with the change, of what is concerned.
func (c *comparison) firstStops() (first time.Time, stops []decide.Decision) {
	next := func(of *class) *happened {
		i := slices.IndexFunc(of.lived[1], func(h happened) bool { return h.isStop() && h.at.After(c.answer.At) })
		if i < 0 || !of.walked || c.decisions[of.members[0]].Resource.Kind == policy.WorkloadKind {
			return nil
		}
		return &of.lived[1][i]
	}
	for _, of := range c.classes {
		if h := next(of); h != nil && (first.IsZero() || h.at.Before(first)) {
			first = h.at
		}
	}
	for _, of := range c.classes {
		if h := next(of); h != nil && h.at.Equal(first) {
			for _, i := range of.members {
				stops = append(stops, h.of(&c.decisions[i]))
			}
		}
	}
	return first, stops
}

// held says what a plan holds back, each sentence once.
func (c *comparison) held(planned plan.Plan, when func(held say.Text) say.Text) {
	for i := range planned.Held {
		sentence := when(planned.Held[i].Said())
		if !slices.Contains(c.answer.Limits, sentence) && len(c.answer.Limits) < effectLines {
			c.answer.Limits = append(c.answer.Limits, sentence)
		}
	}
}

// conflicts finds those that the change is about.
func (c *comparison) conflicts() {
	if len(c.rules)+len(c.schedules) == 0 {
		return
	}
	resources := make([]fleet.Resource, len(c.decisions))
	for i := range c.decisions {
		resources[i] = c.decisions[i].Resource
	}
	for _, conflict := range Conflicts(c.after, resources, c.answer.At) {
		about := func(name string) bool {
			return slices.ContainsFunc(c.rules, func(r *policy.Rule) bool { return RuleWord(r.Name) == name })
		}
		schedule, ok := strings.CutPrefix(conflict.With, scheduleWord)
		if about(RuleWord(conflict.Rule)) || about(conflict.With) || ok && c.schedules[schedule] {
			c.answer.Conflicts = append(c.answer.Conflicts, conflict)
		}
	}
}

// notes say what the listing could not show.
func (c *comparison) notes() {
	note := func(text say.Text) { c.answer.Notes = append(c.answer.Notes, text) }
	if c.before.TagKey != c.after.TagKey {
		note(say.F("The schedule tag changes from %q to %q: what carries only the new one is not seen before the change is made.", c.before.TagKey, c.after.TagKey))
	}
	for _, rule := range c.after.Rules {
		if rule.Untagged && rule.Usable() && slices.Contains(c.rules, rule) {
			note(say.F("Rule %q also acts on what carries no %s tag; what of that no other rule acts on is not seen before the change is made.", rule.Name, c.after.TagKey))
		}
	}
	if n := c.answer.Uncounted; n > 0 {
		note(say.F("%d of the %d resources were not looked at, because that would take too long; the numbers are without them.", n, c.answer.Resources))
	}
}

// confirm says why a person has to confirm the change.
func (c *comparison) confirm(yesterday int) {
	l := c.candidate.Limits
	if !c.candidate.Config {
		return
	}
	var reasons []say.Text
	now, day := c.newlyStopped()
	switch {
	case l.Surges(now, yesterday):
		reasons = append(reasons, say.F("the change would stop %d resources at once, in the day before it were %d; surge allows %g times as many", now, yesterday, l.Surge))
	case l.Surges(day, yesterday):
		reasons = append(reasons, say.F("the change would stop %d resources within a day, in the day before it were %d; surge allows %g times as many", day, yesterday, l.Surge))
	}
	for _, rule := range c.rules {
		n := c.matches[rule.Name]
		if !slices.Contains(c.after.Rules, rule) || !rule.Usable() || !l.Surges(n.After, n.Before) {
			continue
		}
		isNew := !slices.ContainsFunc(c.before.Rules, func(old *policy.Rule) bool { return old.Name == rule.Name })
		switch {
		case !isNew:
			reasons = append(reasons, say.F("rule %q would match %d resources, now it matches %d; surge allows %g times as many", rule.Name, n.After, n.Before, l.Surge))
		case rule.Verb != fleet.Start: // what only starts takes nothing down
			reasons = append(reasons, say.F("the new rule %q (%s) matches %d resources; surge_from asks about %d and more", rule.Name, say.Word(rule.Verb), n.After, l.SurgeFrom))
		}
	}
	c.answer.Confirm = say.Clauses(reasons...)
}

// stateOf is the state that a verb leads to, Any where it leads to none of its own.
func stateOf(verb fleet.Verb) calendar.State {
	switch verb {
	case fleet.Start:
		return calendar.Running
	case fleet.Stop, fleet.Hibernate:
		return calendar.Stopped
	}
	return calendar.Any
}
