package service

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// Conflict is a rule that acts on the same resources as another rule or a
// schedule, and wants the opposite of it or the same as it.
type Conflict struct {
	Rule string `json:"rule"`
	With string `json:"with"` // rule NAME or schedule NAME
	// Opposite: they want opposite things. Otherwise one of them has nothing left to do.
	Opposite bool `json:"opposite"`
	// At is the first instant at which they meet; zero where they only take turns.
	At time.Time `json:"at,omitzero"`
	// Count is how many resources both act on, Examples the names of some.
	Count    int      `json:"count"`
	Examples []string `json:"examples"`
	// Text says what that means, and who wins.
	Text say.Text `json:"text"`
}

const (
	scheduleWord = "schedule "
	// conflictNames bounds the names that stand for all.
	conflictNames = 5
	// conflictInstants and conflictAhead bound the instants of a rule that are compared: two months of a daily rule.
	conflictInstants = 60
	conflictAhead    = 62 * 24 * time.Hour
	// maxConflicts bounds the answer; a filter that selects everything meets everything.
	maxConflicts = 200
)

// RuleWord names a rule as Conflict.With does.
func RuleWord(name string) string { return "rule " + name }

// Conflicts finds the rules of a book that pull on the same resources as
// another rule or a schedule does, from an instant on. Protected resources are
// nobody's. The answer is in the order of the names.
func Conflicts(book *policy.Book, resources []fleet.Resource, at time.Time) []Conflict {
	if len(book.Rules) == 0 {
		return nil
	}
	// Resources that the same rules and the same schedule act on are alike.
	type group struct {
		rules    []int
		schedule *policy.Schedule
		count    int
		names    []string
	}
	groups := map[string]*group{}
	for i := range resources {
		r := &resources[i]
		var rules []int
		for j, rule := range book.Rules {
			if rule.Usable() && rule.Selects(*r, book.TagKey) {
				rules = append(rules, j)
			}
		}
		if len(rules) == 0 {
			continue
		}
		governs := book.Governs(*r)
		if governs.Protected() {
			continue
		}
		var schedule *policy.Schedule
		if governs.Why == policy.Governed {
			schedule = governs.Schedule
		}
		if schedule == nil && len(rules) < 2 {
			continue
		}
		key := fmt.Sprint(rules)
		if schedule != nil {
			key += schedule.Name
		}
		g := groups[key]
		if g == nil {
			g = &group{rules: rules, schedule: schedule}
			groups[key] = g
		}
		g.count++
		if len(g.names) < conflictNames {
			g.names = append(g.names, title(r))
		}
	}

	type pair struct{ rule, with string }
	found := map[pair]*Conflict{}
	none := map[pair]bool{}
	meet := func(rule *policy.Rule, with string, g *group, ask func() (Conflict, bool)) {
		p := pair{rule.Name, with}
		c := found[p]
		if c == nil && !none[p] {
			answer, ok := ask()
			if !ok || len(found) == maxConflicts {
				none[p] = true
				return
			}
			answer.Rule, answer.With = rule.Name, with
			c = &answer
			found[p] = c
		}
		if c != nil {
			c.Count += g.count
			c.Examples = append(c.Examples, g.names...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		for i, j := range g.rules {
			rule := book.Rules[j]
			if g.schedule != nil {
				meet(rule, scheduleWord+g.schedule.Name, g, func() (Conflict, bool) { return meetsSchedule(rule, g.schedule, at) })
			}
			for _, k := range g.rules[i+1:] {
				meet(rule, RuleWord(book.Rules[k].Name), g, func() (Conflict, bool) { return meetsRule(rule, book.Rules[k], at) })
			}
		}
	}
	list := make([]Conflict, 0, len(found))
	for _, c := range found {
		slices.Sort(c.Examples)
		c.Examples = slices.Compact(c.Examples)
		c.Examples = c.Examples[:min(len(c.Examples), conflictNames)]
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Conflict) int { return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.With, b.With)) })
	return list
}

// instantsOf gives the next instants of a rule.
func instantsOf(rule *policy.Rule, at time.Time, limit int) []time.Time {
	var list []time.Time
	for instant := range rule.Expression.Fires(later(at, rule.Since), at.Add(conflictAhead)) {
		if len(list) == limit {
			break
		}
		list = append(list, instant)
	}
	return list
}

// meetsSchedule finds the first instant of a rule at which a schedule wants the
// opposite, or else the same.
func meetsSchedule(rule *policy.Rule, s *policy.Schedule, at time.Time) (Conflict, bool) {
	state := stateOf(rule.Verb)
	if state == calendar.Any { // a reboot or a resize leaves it as it is
		return Conflict{}, false
	}
	var same time.Time
	for _, instant := range instantsOf(rule, at, conflictInstants) {
		want := s.Calendar.Wanted(instant).State
		switch {
		case want == calendar.Any || want == calendar.Running && s.Mode == policy.StopOnly || want == calendar.Stopped && s.Mode == policy.StartOnly:
			continue // the schedule does nothing about it
		case want == state && same.IsZero():
			same = instant
			continue
		case want == state:
			continue
		}
		var winner say.Text
		boundary, ends := s.Calendar.NextState(instant)
		began, _ := s.Calendar.NextState(instant.Add(-time.Second))
		switch {
		case s.Enforced:
			winner = say.F("the schedule is enforced and wins, the rule does nothing")
		case began.At.Equal(instant) && want == calendar.Stopped:
			winner = say.F("the stop of the same instant wins, the rule does nothing")
		case ends:
			winner = say.F("the rule wins, as it comes later, until the schedule's next change at %s", boundary.At.Format(time.RFC3339))
		default:
			winner = say.F("the rule wins, and the schedule never changes again")
		}
		text := say.F("at %s rule %q would %s what schedule %q wants %s then: %s", instant.Format(time.RFC3339), rule.Name, say.Word(rule.Verb), s.Name, want, winner)
		return Conflict{Opposite: true, At: instant, Text: text}, true
	}
	if same.IsZero() {
		return Conflict{}, false
	}
	return Conflict{At: same, Text: say.F(
		"at %s schedule %q wants it %s as well: where it is so already, rule %q does nothing", same.Format(time.RFC3339), s.Name, state, rule.Name)}, true
}

// meetsRule finds where two rules want opposite things, or where they fire so
// close together that only one of them acts.
func meetsRule(a, b *policy.Rule, at time.Time) (Conflict, bool) {
	x, y := instantsOf(a, at, conflictInstants), instantsOf(b, at, conflictInstants)
	if len(x) == 0 || len(y) == 0 {
		return Conflict{}, false
	}
	down, up := stateOf(a.Verb), stateOf(b.Verb)
	opposite := down != up && down != calendar.Any && up != calendar.Any || a.Verb == fleet.Resize && b.Verb == fleet.Resize && a.Type != b.Type
	// The first two instants that are less apart than an action of a rule is tried.
	for i, j := 0, 0; i < len(x) && j < len(y); {
		gap := y[j].Sub(x[i])
		if gap.Abs() < decide.FireLasts {
			return Conflict{Opposite: opposite, At: later(x[i], y[j]), Text: together(a, b, x[i], y[j], opposite)}, true
		}
		if gap > 0 {
			i++
		} else {
			j++
		}
	}
	if !opposite {
		return Conflict{}, false
	}
	return Conflict{Opposite: true, Text: say.F(
		"rule %q (%s, next at %s) and rule %q (%s, next at %s) take turns: the one that fired last counts",
		a.Name, act(a), x[0].Format(time.RFC3339), b.Name, act(b), y[0].Format(time.RFC3339))}, true
}

func act(rule *policy.Rule) say.Text {
	if rule.Type != "" {
		return say.F("%s to %s", say.Word(rule.Verb), rule.Type)
	}
	return say.Word(rule.Verb)
}

// together says who wins where two rules meet, as decide does it.
func together(a, b *policy.Rule, x, y time.Time, opposite bool) say.Text {
	first, second, then := a, b, y
	if y.Before(x) {
		first, second, then = b, a, x
	}
	var meet say.Text
	switch {
	case x.Equal(y):
		meet = say.F("at %s rule %q (%s) and rule %q (%s) fire at the same instant", x.Format(time.RFC3339), a.Name, act(a), b.Name, act(b))
	default:
		meet = say.F("rule %q (%s) fires at %s, %s after rule %q (%s)", second.Name, act(second), then.Format(time.RFC3339), y.Sub(x).Abs(), first.Name, act(first))
	}
	winner, why := second, say.F("as it comes later")
	if x.Equal(y) {
		winner, why = a, say.F("as its name comes first")
		if order(b.Verb) < order(a.Verb) {
			winner = b
		}
		if order(a.Verb) != order(b.Verb) {
			why = say.F("as a %s comes before a %s", say.Word(winner.Verb), say.Word(other(winner, a, b).Verb))
		}
	}
	if neutral(a.Verb) != neutral(b.Verb) {
		winner, why = a, say.F("as it wants a state")
		if neutral(a.Verb) {
			winner = b
		}
	}
	if !opposite && a.Verb == b.Verb && a.Type == b.Type {
		return say.F("%s: one of them is enough", meet)
	}
	return say.F("%s: rule %q wins, %s; of one that is not done yet, the other is dropped", meet, winner.Name, why)
}

func other(one, a, b *policy.Rule) *policy.Rule {
	if one == a {
		return b
	}
	return a
}

func neutral(verb fleet.Verb) bool { return verb == fleet.Resize || verb == fleet.Reboot }

// order is the place of a verb among rules that fire at the same instant.
func order(verb fleet.Verb) int {
	return slices.Index([]fleet.Verb{fleet.Stop, fleet.Hibernate, fleet.Start, fleet.Resize, fleet.Reboot}, verb)
}
