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
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/store"
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
}

// Effect is what a change would do, told before it is made.
//
// It compares two books over the fleet as it is now: the one in force and the
// one with the change. What a pass now would do differently is in Now, what
// would come or go in the days after in Ahead; nobody steps in, and limits hold
// nothing back in either. Counts are of the resources that the change concerns.
type Effect struct {
	At    time.Time `json:"at"`
	Until time.Time `json:"until"` // the end of the time looked ahead
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
	Limits    []string   `json:"limits"`
	Conflicts []Conflict `json:"conflicts"`
	Gaps      []Gap      `json:"gaps"`
	// Notes say what can not be told.
	Notes []string `json:"notes"`
	// Confirm says why a person has to confirm the change; empty: it need not be.
	Confirm string `json:"confirm,omitempty"`
}

// EffectCount is a number without the change and with it.
type EffectCount struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// EffectLine is one action that a pass now would do with the change (Comes), or would no longer do.
type EffectLine struct {
	Comes    bool   `json:"comes"`
	Action   string `json:"action"`
	Type     string `json:"type,omitempty"`
	Ref      string `json:"ref"`
	Name     string `json:"name"`
	Schedule string `json:"schedule"`
	Reason   string `json:"reason"`
	Why      string `json:"why"`
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
			At: report.At, Until: report.At.Add(effectAhead), Now: []EffectLine{}, Ahead: []EffectEvent{}, ProtectedNames: []string{},
			Limits: []string{}, Conflicts: []Conflict{}, Gaps: gaps(report), Notes: []string{},
		},
	}
	c.find()
	if err := c.walk(ctx); err != nil {
		return Effect{}, err
	}
	yesterday, err := s.stoppedBefore(ctx, report.At, c.mostStops(), after.Limits)
	if err != nil {
		return Effect{}, err
	}
	c.limits(yesterday)
	c.conflicts()
	c.notes()
	c.confirm(yesterday)
	c.tell()
	return c.answer, nil
}

// stoppedBefore counts what was stopped in the day before an instant, up to
// what makes no difference any more to so many stops.
func (s *Service) stoppedBefore(ctx context.Context, at time.Time, stops int, limits plan.Limits) (int, error) {
	if limits.Surge <= 0 || stops < limits.SurgeFrom {
		return 0, nil
	}
	enough := int(float64(stops)/limits.Surge) + 1
	rows, err := s.Store.Activity(ctx, store.ActivityQuery{From: at.Add(-effectDay), To: at, Event: store.EventStopAccepted, Limit: enough})
	if err != nil {
		return 0, fmt.Errorf("count what was stopped in the day before: %w", err)
	}
	return len(rows), nil
}

// comparison is an effect in the making.
type comparison struct {
	before, after *policy.Book
	candidate     Candidate
	decisions     []decide.Decision
	answer        Effect

	schedules map[string]bool // those that differ between the books
	rules     []*policy.Rule  // of either book, that differ
	overrides []*policy.Override
	matches   map[string]EffectCount // of the rules that differ, by name
	concerned []*concern             // in the order of the decisions
	place     map[int]*concern       // by the place of the decision

	steps atomic.Int64
	mu    sync.Mutex // guards what walks side by side add to
}

// concern is a resource that is governed differently.
type concern struct {
	decision      *decide.Decision
	before, after policy.Policy
	now           [2]decide.Decision // what a pass now would decide, before and after
	stopsInDay    [2]bool            // it is stopped within a day
	first         time.Time          // the first stop after now, with the change
	stop          decide.Decision    // that stop
	walked        bool
}

// find finds the resources that are governed differently.
func (c *comparison) find() {
	c.differences()
	c.matches, c.place = map[string]EffectCount{}, map[int]*concern{}
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
		if before.Protected() && after.Protected() {
			c.answer.Protected++
			if len(c.answer.ProtectedNames) < effectNames {
				c.answer.ProtectedNames = append(c.answer.ProtectedNames, title(r))
			}
			continue
		}
		found := &concern{decision: &c.decisions[i], before: before, after: after}
		c.concerned = append(c.concerned, found)
		c.place[i] = found
	}
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
	case !sameFields(a, b, "Description", "Err", "Filter", "Expression", "Since"):
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

// walk lives every resource that is concerned through the time ahead, without
// the change and with it.
func (c *comparison) walk(ctx context.Context) error {
	var group errgroup.Group
	workers := min(runtime.GOMAXPROCS(0), len(c.concerned))
	for part := range workers {
		group.Go(func() error {
			for i := part; i < len(c.concerned); i += workers {
				if err := c.compare(ctx, c.concerned[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// errEnough ends a walk whose answer has grown beyond its bounds.
var errEnough = errors.New("enough")

// happened is something done in a walk.
type happened struct {
	decide.Decision
	at time.Time
}

func (c *comparison) compare(ctx context.Context, one *concern) error {
	now := c.answer.At
	var lived [2][]happened
	for i, side := range []struct {
		book   *policy.Book
		policy policy.Policy
	}{{c.before, one.before}, {c.after, one.after}} {
		d := one.decision
		rules := rulesOf(side.book, &d.Resource)
		one.now[i] = decide.Decide(decide.Input{Now: now, Policy: side.policy, Memory: d.Untouched(), Resource: d.Resource})
		walk := walker{
			policy: side.policy, rules: rules, resource: d.Resource, memory: begin(d), to: c.answer.Until, fired: now,
			act: func(d *decide.Decision, at time.Time) error {
				if c.steps.Add(1) > effectSteps {
					return errEnough
				}
				if !d.Observe {
					lived[i] = append(lived[i], happened{*d, at})
				}
				return nil
			},
			live: func(*fleet.Resource, time.Time, time.Time) { c.steps.Add(1) },
		}
		var input *InputError
		switch err := walk.run(ctx, now); {
		case errors.Is(err, errEnough) || errors.As(err, &input):
			c.mu.Lock()
			c.answer.Uncounted++
			c.mu.Unlock()
			return nil
		case err != nil:
			return err
		}
	}
	one.walked = true
	c.add(one, lived)
	return nil
}

// add counts what was lived, and keeps what comes and goes.
func (c *comparison) add(one *concern, lived [2][]happened) {
	day := c.answer.At.Add(effectDay)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, side := range lived {
		for j := range side {
			h := &side[j]
			starts, stops := 0, 0
			switch {
			case h.Verb == fleet.Start:
				starts++
			case isStop(&h.Decision):
				stops++
				one.stopsInDay[i] = one.stopsInDay[i] || !h.at.After(day)
				if i == 1 && one.first.IsZero() && h.at.After(c.answer.At) {
					one.first, one.stop = h.at, h.Decision
				}
			}
			c.answer.Starts.add(i, starts)
			c.answer.Stops.add(i, stops)
			if h.at.Equal(c.answer.At) {
				c.answer.StartsNow.add(i, starts)
				c.answer.StopsNow.add(i, stops)
			}
		}
	}
	before, after := lived[0], lived[1]
	for len(before)+len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].at.Before(after[0].at):
			c.differs(&before[0], false)
			before = before[1:]
		case len(before) == 0 || after[0].at.Before(before[0].at):
			c.differs(&after[0], true)
			after = after[1:]
		case before[0].Verb == after[0].Verb && before[0].Type == after[0].Type:
			before, after = before[1:], after[1:]
		default:
			c.differs(&before[0], false)
			c.differs(&after[0], true)
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

// isStop reports whether a decision takes something down for good: a stop that
// makes way for another type comes up again by itself.
func isStop(d *decide.Decision) bool {
	return (d.Verb == fleet.Stop || d.Verb == fleet.Hibernate) && !d.Resize
}

// differs keeps one line; the caller holds mu.
func (c *comparison) differs(h *happened, comes bool) {
	event := eventOf(&h.Decision, h.at)
	a := &c.answer
	if h.at.Equal(a.At) {
		a.Now = append(a.Now, EffectLine{
			Comes: comes, Action: event.Action, Type: event.Type, Ref: event.Ref, Name: event.Name,
			Schedule: event.Schedule, Reason: event.Reason, Why: event.Why,
		})
		if len(a.Now) > 100*effectLines {
			a.trimNow()
		}
		return
	}
	a.Ahead = append(a.Ahead, EffectEvent{event, comes})
	if len(a.Ahead) > 100*effectLines {
		a.trimAhead()
	}
}

func (a *Effect) trimNow() {
	slices.SortFunc(a.Now, func(x, y EffectLine) int {
		return cmp.Or(cmp.Compare(bit(y.Comes), bit(x.Comes)), cmp.Compare(x.Ref, y.Ref), cmp.Compare(x.Action, y.Action))
	})
	if over := len(a.Now) - effectLines; over > 0 {
		a.Now, a.MoreNow = a.Now[:effectLines], a.MoreNow+over
	}
}

func (a *Effect) trimAhead() {
	slices.SortFunc(a.Ahead, func(x, y EffectEvent) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Ref, y.Ref), cmp.Compare(bit(x.Comes), bit(y.Comes)), cmp.Compare(x.Action, y.Action))
	})
	if over := len(a.Ahead) - effectLines; over > 0 {
		a.Ahead, a.More = a.Ahead[:effectLines], a.More+over
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tell puts the answer in order.
func (c *comparison) tell() {
	c.answer.trimNow()
	c.answer.trimAhead()
}

// newlyStopped counts the resources that the change stops: those that a pass now would stop and would not without it, and
// those stopped within a day that would not be without it.
func (c *comparison) newlyStopped() (now, day int) {
	for _, one := range c.concerned {
		if !one.walked {
			continue
		}
		if isStop(&one.now[1]) && !one.now[1].Observe && (!isStop(&one.now[0]) || one.now[0].Observe) {
			now++
			day++
		} else if one.stopsInDay[1] && !one.stopsInDay[0] {
			day++
		}
	}
	return now, day
}

func (c *comparison) mostStops() int {
	_, day := c.newlyStopped()
	return max(day, plan.CountStops(c.presentDecisions(), c.scopes()).Changed)
}

// presentDecisions are those of a pass now with the change.
func (c *comparison) presentDecisions() []decide.Decision {
	list := slices.Clone(c.decisions)
	for i, one := range c.place {
		if one.walked {
			list[i] = one.now[1]
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
func (c *comparison) limits(yesterday int) {
	running := map[fleet.Scope]int{}
	for i := range c.decisions {
		d := &c.decisions[i]
		governs := policy.Governed == c.after.Governs(d.Resource).Why
		if governs && d.Resource.State == fleet.Running {
			running[d.Resource.Scope]++
		}
	}
	guards := plan.Guards{Limits: c.candidate.Limits, Running: running, Changed: c.scopes(), Yesterday: yesterday}
	c.held("now", plan.Make(c.presentDecisions(), guards))

	var first time.Time
	for _, one := range c.concerned {
		if !one.first.IsZero() && (first.IsZero() || one.first.Before(first)) {
			first = one.first
		}
	}
	if first.IsZero() {
		return
	}
	var then []decide.Decision
	for i := range c.decisions {
		d := &c.decisions[i]
		switch one := c.place[i]; {
		case one == nil:
			// Nothing changes for it: what it does at that instant, as far as that can be told from how it is now.
			then = append(then, decide.Decide(decide.Input{Now: first, Policy: c.after.Governs(d.Resource), Memory: d.Untouched(), Resource: d.Resource}))
		case one.first.Equal(first):
			then = append(then, one.stop)
		}
	}
	guards.Changed = nil // passes have acted under the change by then
	c.held("at "+first.UTC().Format(time.RFC3339), plan.Make(then, guards))
}

// held says what a plan holds back, each sentence once.
func (c *comparison) held(when string, planned plan.Plan) {
	for i := range planned.Held {
		sentence := when + ": " + planned.Held[i].Sentence()
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
	note := func(format string, args ...any) {
		c.answer.Notes = append(c.answer.Notes, fmt.Sprintf(format, args...))
	}
	if c.before.TagKey != c.after.TagKey {
		note("The schedule tag changes from %q to %q: what carries only the new one is not seen before the change is made.", c.before.TagKey, c.after.TagKey)
	}
	for _, rule := range c.after.Rules {
		if rule.Untagged && rule.Usable() && slices.Contains(c.rules, rule) {
			note("Rule %q also acts on what carries no %s tag; what of that no other rule acts on is not seen before the change is made.", rule.Name, c.after.TagKey)
		}
	}
	if n := c.answer.Uncounted; n > 0 {
		note("%d of the %d resources were not looked at, because that would take too long; the numbers are without them.", n, c.answer.Resources)
	}
}

// confirm says why a person has to confirm the change.
func (c *comparison) confirm(yesterday int) {
	l := c.candidate.Limits
	if !c.candidate.Config {
		return
	}
	var reasons []string
	now, day := c.newlyStopped()
	switch {
	case l.Surges(now, yesterday):
		reasons = append(reasons, fmt.Sprintf("the change would stop %d resources at once, in the day before it were %d; surge allows %g times as many", now, yesterday, l.Surge))
	case l.Surges(day, yesterday):
		reasons = append(reasons, fmt.Sprintf("the change would stop %d resources within a day, in the day before it were %d; surge allows %g times as many", day, yesterday, l.Surge))
	}
	for _, rule := range c.rules {
		n := c.matches[rule.Name]
		if !slices.Contains(c.after.Rules, rule) || !rule.Usable() || !l.Surges(n.After, n.Before) {
			continue
		}
		isNew := !slices.ContainsFunc(c.before.Rules, func(old *policy.Rule) bool { return old.Name == rule.Name })
		switch {
		case !isNew:
			reasons = append(reasons, fmt.Sprintf("rule %q would match %d resources, now it matches %d; surge allows %g times as many", rule.Name, n.After, n.Before, l.Surge))
		case rule.Verb != fleet.Start: // what only starts takes nothing down
			reasons = append(reasons, fmt.Sprintf("the new rule %q (%s) matches %d resources; surge_from asks about %d and more", rule.Name, rule.Verb, n.After, l.SurgeFrom))
		}
	}
	c.answer.Confirm = strings.Join(reasons, "; ")
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
