package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// fired makes of each decision the action of a rule that matched so many, and so many the last time.
func fired(decisions []decide.Decision, matches, matched int) []decide.Decision {
	for i := range decisions {
		decisions[i].Fire = decide.Fire{Rule: "nightly", Matches: matches, Matched: matched, Until: time.Date(2026, 8, 3, 12, 15, 0, 0, time.UTC)}
	}
	return decisions
}

func forced(decisions []decide.Decision) []decide.Decision {
	for i := range decisions {
		decisions[i].Override = &policy.Override{ID: "o-1"}
	}
	return decisions
}

func observed(decisions []decide.Decision) []decide.Decision {
	for i := range decisions {
		decisions[i].Observe = true
	}
	return decisions
}

func TestSurges(t *testing.T) {
	limits := Limits{Surge: 3, SurgeFrom: 10}
	start := decision(dev, fleet.EC2Instance, fleet.Start, "i-start")
	resize := decision(dev, fleet.EC2Instance, fleet.Stop, "i-resize")
	resize.Resize = true
	reboot := func(n, matched int) []decide.Decision {
		var all []decide.Decision
		for i := range n {
			all = append(all, decision(dev, fleet.EC2Instance, fleet.Reboot, fmt.Sprintf("i-%03d", i)))
		}
		return fired(all, n, matched)
	}
	halfway := fired([]decide.Decision{decision(dev, fleet.EC2Instance, fleet.Start, "i-half")}, 100, 1)
	halfway[0].Fire.Halfway = true
	changed := map[fleet.Scope]bool{dev: true}
	for _, test := range []struct {
		name      string
		decisions []decide.Decision
		guards    Guards
		acts      int
		held      int
		observed  int
		guard     Guard
		says      string
	}{
		{name: "three times as many as yesterday", decisions: stops(dev, 15), guards: Guards{Changed: changed, Yesterday: 5}, acts: 15},
		{
			name: "one more", decisions: append(stops(dev, 16), start), guards: Guards{Changed: changed, Yesterday: 5}, acts: 1, held: 16, guard: Surge,
			says: "the configuration changed, and the pass would stop 16 resources, in the day before it were 5; surge allows 3 times as many",
		},
		{name: "too few to be one", decisions: stops(dev, 9), guards: Guards{Changed: changed}, acts: 9},
		{name: "just enough", decisions: stops(dev, 10), guards: Guards{Changed: changed}, held: 10, guard: Surge, says: "were 0;"},
		{name: "nothing changed", decisions: stops(dev, 100), guards: Guards{}, acts: 100},
		{name: "switched off", decisions: stops(dev, 100), guards: Guards{Changed: changed, Limits: Limits{SurgeFrom: 10}}, acts: 100},
		{name: "confirmed", decisions: stops(dev, 100), guards: Guards{Changed: changed, Confirmed: true}, acts: 100},
		{name: "the other scope goes on", decisions: append(stops(dev, 16), stops(prod, 20)...), guards: Guards{Changed: changed, Yesterday: 5}, acts: 20, held: 16, guard: Surge},
		{name: "people are not counted", decisions: append(stops(dev, 9), forced(stops(prod, 20))...), guards: Guards{Changed: map[fleet.Scope]bool{dev: true, prod: true}}, acts: 29},
		{name: "nor held", decisions: append(stops(dev, 10), forced(stops(prod, 20))...), guards: Guards{Changed: map[fleet.Scope]bool{dev: true, prod: true}}, acts: 20, held: 10, guard: Surge, says: "would stop 10 resources"},
		{name: "rules are not counted", decisions: append(stops(dev, 9), fired(stops(prod, 20), 20, 20)...), guards: Guards{Changed: map[fleet.Scope]bool{dev: true, prod: true}}, acts: 29},
		{name: "a resize is no stop", decisions: append(stops(dev, 9), resize), guards: Guards{Changed: changed}, acts: 10},
		{name: "what is observed is neither", decisions: append(stops(dev, 9), observed(stops(prod, 20))...), guards: Guards{Changed: map[fleet.Scope]bool{dev: true, prod: true}}, acts: 9, observed: 20},
		{name: "max_stops comes first", decisions: stops(dev, 16), guards: Guards{Changed: changed, Limits: Limits{Surge: 3, SurgeFrom: 10, MaxStops: 12}}, held: 16, guard: MaxStops},

		{name: "a rule that matches three times as many", decisions: fired(stops(dev, 15), 15, 5), acts: 15},
		{
			name: "a rule that matches more", decisions: append(fired(stops(dev, 16), 16, 5), start), acts: 1, held: 16, guard: RuleSurge,
			says: `rule "nightly" matches 16 resources, the last time it were 5; surge allows 3 times as many; confirm it if it is meant (run --yes), or mend the filter; it is given up at 12:15:00Z`,
		},
		{name: "a few that are left of it", decisions: fired(stops(dev, 2), 16, 5), held: 2, guard: RuleSurge, says: "matches 16 resources"},
		{name: "starts and reboots too", decisions: reboot(16, 5), held: 16, guard: RuleSurge},
		{name: "a rule of few", decisions: fired(stops(dev, 9), 9, 0), acts: 9},
		{name: "a rule, confirmed", decisions: fired(stops(dev, 16), 16, 5), guards: Guards{Confirmed: true}, acts: 16},
		{name: "the second half of a resize", decisions: halfway, acts: 1},
		{name: "an observed rule", decisions: observed(fired(stops(dev, 16), 16, 5)), observed: 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			guards := test.guards
			if guards.Limits == (Limits{}) {
				guards.Limits = limits
			}
			p := Make(test.decisions, guards)
			if len(p.Actions) != test.acts || len(p.Held) != test.held || len(p.Observed) != test.observed {
				t.Fatalf("%d actions, %d held, %d observed", len(p.Actions), len(p.Held), len(p.Observed))
			}
			for _, held := range p.Held {
				if held.Guard != test.guard || !strings.Contains(held.Sentence(), test.says) || !strings.Contains(held.Sentence(), "--yes") {
					t.Fatalf("%s: %s", held.Guard, held.Sentence())
				}
				if held.Untouched().Last != decide.WasRunning {
					t.Fatal("memory says it was stopped")
				}
			}
		})
	}
}

// Each guard holds what it is for whole or not at all, whatever else is in the
// pass and in whatever order; what people and rules want is never part of a
// surge of the configuration; and more room holds back nothing more.
func TestGuardsHoldWholeOrNotAtAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scopes := []fleet.Scope{dev, prod, scope("777788889999")}
		verbs := []fleet.Verb{"", fleet.Start, fleet.Stop, fleet.Hibernate, fleet.Reboot, fleet.Resize}
		rules := map[string]decide.Fire{}
		for _, name := range []string{"a", "b"} {
			rules[name] = decide.Fire{Rule: name, Matches: rapid.IntRange(0, 40).Draw(t, "matches"), Matched: rapid.IntRange(0, 40).Draw(t, "matched")}
		}
		var decisions []decide.Decision
		for i := range rapid.IntRange(0, 80).Draw(t, "n") {
			d := decision(rapid.SampledFrom(scopes).Draw(t, "scope"), fleet.EC2Instance, rapid.SampledFrom(verbs).Draw(t, "verb"), fmt.Sprint("i-", i))
			switch rapid.IntRange(0, 5).Draw(t, "why") {
			case 0:
				d.Override = &policy.Override{ID: "o"}
			case 1:
				d.Fire = rules["a"]
			case 2:
				d.Fire = rules["b"]
				d.Fire.Halfway = d.Verb == fleet.Start
			}
			d.Resize = d.Verb == fleet.Stop && rapid.IntRange(0, 5).Draw(t, "resize") == 0
			d.Observe = rapid.IntRange(0, 8).Draw(t, "observe") == 0
			decisions = append(decisions, d)
		}
		guards := Guards{
			Limits: Limits{
				MaxStops: rapid.IntRange(0, 40).Draw(t, "max_stops"), MaxStopPercent: float64(rapid.IntRange(0, 100).Draw(t, "percent")), MinScopeSize: rapid.IntRange(0, 20).Draw(t, "size"),
				Surge: rapid.SampledFrom([]float64{0, 1, 1.5, 3}).Draw(t, "surge"), SurgeFrom: rapid.IntRange(0, 15).Draw(t, "from"),
			},
			Running:   map[fleet.Scope]int{dev: rapid.IntRange(0, 60).Draw(t, "running")},
			Changed:   map[fleet.Scope]bool{dev: rapid.Bool().Draw(t, "dev changed"), prod: rapid.Bool().Draw(t, "prod changed")},
			Yesterday: rapid.IntRange(0, 40).Draw(t, "yesterday"),
		}
		p := Make(decisions, guards)

		held := map[fleet.Ref]Guard{}
		for i := range p.Held {
			h := &p.Held[i]
			held[h.Resource.Ref] = h.Guard
			switch {
			case h.Observe || h.Verb == "":
				t.Fatalf("held though nothing is to be done: %+v", h)
			case h.Fire.Halfway:
				t.Fatal("held halfway through a resize")
			case h.Guard == Surge && (h.Override != nil || !h.Fire.IsZero() || !guards.Changed[h.Resource.Scope]):
				t.Fatalf("held by a surge that it is no part of: %+v", h)
			case h.Guard == RuleSurge && h.Fire.IsZero():
				t.Fatalf("held by a rule that did not fire: %+v", h)
			case h.Guard != RuleSurge && !isStop(&h.Decision):
				t.Fatalf("%s holds a %s", h.Guard, h.Verb)
			}
		}
		// Of what a guard is for, nothing goes on when it holds something.
		for _, action := range p.Actions {
			d := &action.Decision
			for ref, guard := range held {
				of := false
				switch guard {
				case MaxStops:
					of = isStop(d)
				case MaxStopPercent:
					of = isStop(d) && d.Resource.Scope == ref.Scope
				case Surge:
					of = isStop(d) && guards.Changed[d.Resource.Scope] && d.Override == nil && d.Fire.IsZero()
				}
				if of {
					t.Fatalf("%s holds %s and lets %s go on", guard, ref, d.Resource.Ref)
				}
			}
			if !d.Fire.IsZero() && !d.Fire.Halfway && guards.Limits.Surges(d.Fire.Matches, d.Fire.Matched) {
				t.Fatalf("a surge of rule %s goes on with %s", d.Fire.Rule, d.Resource.Ref)
			}
		}

		shuffled := append([]decide.Decision(nil), decisions...)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again := Make(shuffled, guards)
		if len(again.Actions) != len(p.Actions) || len(again.Held) != len(p.Held) || len(again.Observed) != len(p.Observed) {
			t.Fatal("another order, another plan")
		}
		for i := range again.Held {
			if held[again.Held[i].Resource.Ref] != again.Held[i].Guard {
				t.Fatal("another order, other guards")
			}
		}
		guards.Yesterday += rapid.IntRange(0, 40).Draw(t, "more yesterday")
		if more := Make(decisions, guards); len(more.Held) > len(p.Held) {
			t.Fatal("after a busier day more is held back")
		}
		guards.Confirmed = true
		if done := Make(decisions, guards); len(done.Held) != 0 || len(done.Actions) != len(p.Actions)+len(p.Held) {
			t.Fatal("confirmed, and still held back")
		}
	})
}
