package pass

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// scopeState is what is remembered of a scope, and what this pass makes of it.
type scopeState struct {
	decide.ScopeMemory
	next *decide.ScopeMemory // nil: nothing changed
}

// change returns the memory to be changed.
func (s *scopeState) change() *decide.ScopeMemory {
	if s.next == nil {
		next := s.ScopeMemory
		s.next = &next
	}
	return s.next
}

// Listing of maintenance windows: one call a scope, beside hundreds of others.
const (
	windowListings = 16
	windowTimeout  = 30 * time.Second
)

// hearWindows asks for the SSM maintenance windows that schedules name. A scope
// that does not answer keeps those it is known to have.
func (r *running) hearWindows(ctx context.Context) {
	names := r.book.SSMWindowNames()
	if r.Windows == nil || len(names) == 0 {
		return
	}
	heard := make([][]policy.Window, len(r.Scopes))
	var group errgroup.Group
	group.SetLimit(windowListings)
	for i, scope := range r.Scopes {
		if r.scopes[scope].Breaker.Fails > 0 { // it did not answer last time
			heard[i] = r.scopes[scope].Windows
			continue
		}
		group.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, windowTimeout)
			defer cancel()
			listed, err := r.Windows.Windows(limited, scope, names)
			if err != nil {
				r.Log.WarnContext(ctx, "the SSM maintenance windows of a scope can not be listed; those last heard of count",
					slog.String("scope", scope.String()), slog.Any("error", err))
				heard[i] = r.scopes[scope].Windows
				return nil
			}
			for _, w := range listed {
				if w.Enabled && !w.Next.IsZero() {
					heard[i] = append(heard[i], policy.Window{Name: w.Name, From: w.Next.UTC(), Until: w.Next.Add(w.Duration).UTC()})
				}
			}
			return nil
		})
	}
	_ = group.Wait() // what failed is said in the log
	book := *r.book
	book.Windows = map[fleet.Scope][]policy.Window{}
	for i, scope := range r.Scopes {
		state := r.scopes[scope]
		windows := mergeWindows(state.Windows, heard[i], r.now)
		book.Windows[scope] = windows
		if !slices.Equal(windows, state.Windows) {
			state.change().Windows = windows
		}
	}
	r.book, r.report.Windows = &book, book.Windows
}

// mergeWindows keeps what has begun, which is no longer listed, and takes over
// what is listed.
func mergeWindows(known, heard []policy.Window, now time.Time) []policy.Window {
	var merged []policy.Window
	add := func(w policy.Window) {
		if !w.Until.After(now) {
			return
		}
		at := slices.IndexFunc(merged, func(o policy.Window) bool { return o.Name == w.Name && o.From.Equal(w.From) })
		switch {
		case at < 0:
			merged = append(merged, w)
		case w.Until.After(merged[at].Until): // several windows may have one name
			merged[at].Until = w.Until
		}
	}
	for _, w := range known {
		if !w.From.After(now) {
			add(w)
		}
	}
	for _, w := range heard {
		add(w)
	}
	return merged
}

// part is what one listing shows.
type part struct {
	scope fleet.Scope
	kind  fleet.Kind
}

// dueRule is a rule that has something to do in this pass, with the parts of the fleet where.
type dueRule struct {
	*policy.Rule
	parts []duePart
}

// duePart is a part of the fleet for which instants of a rule have come, or that the rule was never asked about.
type duePart struct {
	part
	decide.RuleDue
	looked bool
}

// askRules finds the rules that have something to do.
func (r *running) askRules() {
	for _, rule := range r.book.Rules {
		if !rule.Usable() || rule.Workload != "" { // runs of workloads have a program of their own
			continue
		}
		asked := dueRule{Rule: rule}
		next, again := rule.Expression.Next(r.now)
		for _, scope := range r.Scopes {
			if !rule.In(scope) {
				continue
			}
			if again {
				r.due(scope, next)
			}
			for _, kind := range r.Cloud.Kinds() {
				progress, looked := r.scopes[scope].Rules[rule.Name][kind]
				due := progress.Due(rule, r.now)
				if len(due.Fires)+len(due.Missed) > 0 || !looked || r.Confirmed {
					asked.parts = append(asked.parts, duePart{part{scope, kind}, due, looked})
				}
			}
		}
		for i := range asked.parts {
			r.ruled[asked.parts[i].scope] = true
		}
		if len(asked.parts) > 0 {
			r.rules = append(r.rules, asked)
		}
	}
}

// whole gives the filters of the rules that act on what carries no schedule tag,
// and of those that fire: whoever wrote one that matches what carries no tag is
// told so.
func (r *running) whole() map[fleet.Scope][]fleet.Filter {
	whole := map[fleet.Scope][]fleet.Filter{}
	for _, rule := range r.book.Rules {
		if !rule.Usable() || !rule.Untagged {
			continue
		}
		for _, scope := range r.Scopes {
			if rule.In(scope) {
				whole[scope] = append(whole[scope], rule.Filter)
			}
		}
	}
	for _, rule := range r.rules {
		for i := range rule.parts {
			if len(rule.parts[i].Fires) > 0 && !rule.Untagged {
				scope := rule.parts[i].scope
				whole[scope] = append(whole[scope], rule.Filter)
			}
		}
	}
	return whole
}

// concerns reports whether anything can act on a resource: one without the tag
// is listed also because a rule that leaves it alone is due.
func (r *running) concerns(resource fleet.Resource) bool {
	_, tagged := resource.Tags[r.book.TagKey]
	return tagged || slices.ContainsFunc(r.book.Rules, func(rule *policy.Rule) bool { return rule.Usable() && rule.Selects(resource, r.book.TagKey) })
}

// Fired is what became of a rule in a pass.
type Fired struct {
	Rule    string
	Scope   fleet.Scope
	At      []time.Time // the instants that fired, oldest first
	Missed  []time.Time // those that were too long ago
	Matches int         // resources in the scope
	Left    int         // further matches that carry no schedule tag and are left alone
}

// fire finds what the rules that are due act on. What could not be listed waits
// for its fire until it can be.
func (r *running) fire(seen discover.Seen) {
	for _, rule := range r.rules {
		rule.parts = slices.DeleteFunc(rule.parts, func(d duePart) bool { return !seen.Complete(d.scope, d.kind) })
		if len(rule.parts) > 0 {
			r.fireRule(rule, seen)
		}
	}
}

func (r *running) fireRule(rule dueRule, seen discover.Seen) {
	matches, left := r.matching(rule.Rule, seen)
	fired := map[fleet.Scope]*Fired{}
	now, before := 0, 0
	for i := range rule.parts {
		d := &rule.parts[i]
		count := len(matches[d.part])
		if !d.looked { // the first look is the measure
			d.Progress.Matched = count
		}
		if len(d.Fires) > 0 {
			now, before = now+count, before+d.Progress.Matched
		}
		if len(d.Fires)+len(d.Missed) == 0 {
			continue
		}
		f := fired[d.scope]
		if f == nil {
			f = &Fired{Rule: rule.Name, Scope: d.scope, Left: left[d.scope]}
			fired[d.scope] = f
		}
		f.At, f.Missed = union(f.At, d.Fires), union(f.Missed, d.Missed)
		if len(d.Fires) > 0 {
			f.Matches += count
		}
	}
	surge := r.Limits.Surges(now, before) && !r.Confirmed
	for i := range rule.parts {
		d := &rule.parts[i]
		count := len(matches[d.part])
		if len(d.Fires)+len(d.Missed) == 0 && d.looked && d.Progress.Matched == count {
			continue // confirmed, and nothing to take over
		}
		if n := len(d.Fires); n > 0 {
			fire := decide.Fire{
				Rule: rule.Name, At: d.Fires[n-1], Verb: rule.Verb, Type: rule.Type, Until: r.now.Add(decide.FireLasts), Matches: now, Matched: before,
				Mute: rule.MuteAlarms,
			}
			for _, ref := range matches[d.part] {
				r.fires[ref] = append(r.fires[ref], fire)
			}
		}
		if r.Confirmed || len(d.Fires) > 0 && !surge { // what was held back is no measure for the next time
			d.Progress.Matched = count
		}
		r.scopes[d.scope].progress(rule.Name, d.kind, d.Progress)
	}
	r.tellFired(fired)
}

// matching gives what a rule acts on, and how much more its filter matches that
// carries no schedule tag.
func (r *running) matching(rule *policy.Rule, seen discover.Seen) (matches map[part][]fleet.Ref, left map[fleet.Scope]int) {
	matches, left = map[part][]fleet.Ref{}, map[fleet.Scope]int{}
	for i := range seen.Resources {
		resource := &seen.Resources[i]
		switch {
		case rule.Selects(*resource, r.book.TagKey):
			at := part{resource.Scope, resource.Kind}
			matches[at] = append(matches[at], resource.Ref)
		case rule.In(resource.Scope) && rule.Filter.Match(*resource):
			left[resource.Scope]++
		}
	}
	return matches, left
}

// tellFired reports a rule scope by scope; that it matched nothing anywhere is said once.
func (r *running) tellFired(fired map[fleet.Scope]*Fired) {
	told := len(r.report.Fired)
	for _, scope := range r.Scopes {
		f := fired[scope]
		if f == nil || f.idle() && len(r.report.Fired) > told {
			continue
		}
		if len(r.report.Fired) > told && r.report.Fired[told].idle() {
			r.report.Fired = r.report.Fired[:told]
		}
		r.report.Fired = append(r.report.Fired, *f)
	}
}

// idle reports whether it fired and there was nothing for it.
func (f *Fired) idle() bool { return f.Matches+f.Left+len(f.Missed) == 0 }

// union puts together the instants of two kinds, which differ where one of them could not be listed for a while.
func union(a, b []time.Time) []time.Time {
	all := slices.Concat(a, b)
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// progress notes how far a rule has come. The maps of what was loaded stay as they are.
func (s *scopeState) progress(rule string, kind fleet.Kind, p decide.RuleProgress) {
	next := s.change()
	rules := make(map[string]map[fleet.Kind]decide.RuleProgress, len(next.Rules)+1)
	maps.Copy(rules, next.Rules)
	kinds := make(map[fleet.Kind]decide.RuleProgress, len(rules[rule])+1)
	maps.Copy(kinds, rules[rule])
	kinds[kind] = p
	rules[rule] = kinds
	next.Rules = rules
}

// forgetRules takes away how far rules have come that are gone or disabled: one
// that is enabled again begins anew, or it would make up for what was not wanted.
func (r *running) forgetRules(s *scopeState) {
	stale := func(name string, _ map[fleet.Kind]decide.RuleProgress) bool {
		return !slices.ContainsFunc(r.book.Rules, func(rule *policy.Rule) bool { return rule.Name == name && rule.Enabled })
	}
	known := s.Rules
	if s.next != nil {
		known = s.next.Rules
	}
	for name := range known {
		if stale(name, nil) {
			rules := maps.Clone(known)
			maps.DeleteFunc(rules, stale)
			s.change().Rules = rules
			return
		}
	}
}

// guards gives the limits, and what they compare with.
func (r *running) guards(ctx context.Context, decisions []decide.Decision) (plan.Guards, error) {
	guards := plan.Guards{Limits: r.Limits, Running: r.runs, Confirmed: r.Confirmed, Changed: map[fleet.Scope]bool{}}
	for scope, state := range r.scopes {
		if state.Config != "" && state.Config != r.Config && r.Config != "" {
			guards.Changed[scope] = true
		}
	}
	var err error
	guards.Yesterday, err = StoppedBefore(ctx, r.Store, r.Limits, plan.CountStops(decisions, guards.Changed).Changed, r.now)
	return guards, err
}

// dayBefore is the time that a surge is measured against.
const dayBefore = 24 * time.Hour

// StoppedBefore counts what was stopped in the day before an instant, up to what
// makes no difference any more to so many stops; 0 where they are too few to be a surge.
func StoppedBefore(ctx context.Context, record interface {
	Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error)
}, limits plan.Limits, stops int, at time.Time,
) (int, error) {
	if limits.Surge <= 0 || stops < limits.SurgeFrom {
		return 0, nil
	}
	enough := int(float64(stops)/limits.Surge) + 1
	rows, err := record.Activity(ctx, store.ActivityQuery{From: at.Add(-dayBefore), To: at, Event: store.EventStopAccepted, Limit: enough})
	if err != nil {
		return 0, fmt.Errorf("count what was stopped in the day before: %w", err)
	}
	return len(rows), nil
}

// changedScopes gives the scope memories to be written. A scope whose stops a
// surge holds back, or that could not be seen at all, has not been acted on
// under the present configuration yet. One kind that can not be listed does not
// count: where it lacks the permission for good, every evening would be measured
// against the day before.
func (r *running) changedScopes(planned plan.Plan) []decide.ScopeMemory {
	waits := maps.Clone(r.slow)
	if waits == nil {
		waits = map[fleet.Scope]bool{}
	}
	for i := range planned.Held {
		if planned.Held[i].Guard == plan.Surge {
			waits[planned.Held[i].Resource.Scope] = true
		}
	}
	for _, gap := range r.report.Gaps {
		if r.unseen(gap.Scope) {
			waits[gap.Scope] = true
		}
	}
	var changed []decide.ScopeMemory
	for _, scope := range r.Scopes {
		state := r.scopes[scope]
		if state.Config != r.Config && r.Config != "" && !waits[scope] {
			state.change().Config = r.Config
		}
		r.forgetRules(state)
		if state.next == nil {
			continue
		}
		if !reflect.DeepEqual(*state.next, state.ScopeMemory) {
			state.next.Scope = scope
			changed = append(changed, *state.next)
		}
	}
	return changed
}
