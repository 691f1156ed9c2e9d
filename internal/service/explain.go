package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/typo"
)

// Explanation is why a resource is as it is, or was.
//
// For now and for an instant to come it is what the rules give: Chain is how
// the decision of that instant comes about. For an instant that is over it is
// what the record holds: Past is set, Chain is that of the last decision
// recorded up to then, and Reason, Why and State are of that time as well.
type Explanation struct {
	Resource
	At    time.Time     `json:"at"`
	Seen  time.Time     `json:"seen,omitzero"` // when the listing that it rests on was made
	Chain []decide.Step `json:"chain"`         // the steps that led to the answer, in order
	// Past is what the record says of an instant that is over; nil for any other.
	Past *PastExplanation `json:"past,omitempty"`
	// Recent are the last rows of the record about it up to that instant, oldest first.
	Recent []store.Activity `json:"recent"`
}

// recentRows is how much of the record explain shows.
const recentRows = 10

// The steps that explain adds to the chain of a decision.
const (
	stepRules = "rules" // the rules that act on it, and when next
	stepLimit = "limit" // the limit that holds the action back
	// stepWorkload is what the run of its workload does with it.
	stepWorkload = "workload"
)

// pastFrom is how long ago an instant has to be for the record to be asked: "now" takes a moment to arrive.
const pastFrom = time.Second

// Explain says why each resource that answers to the target (ID, ARN, name, or
// account/region/kind/id) is as it is at an instant (zero: now), or was. Several
// may share a name. An instant that is over is answered from the record, as is a
// resource that is there no more. *NotFoundError when neither the fleet nor the
// record knows it, *InputError without a target.
func (s *Service) Explain(ctx context.Context, target string, at time.Time) ([]Explanation, error) {
	if target == "" { // a resource without a name would answer to it
		return nil, inputErrorF("which resource? give an ID, an ARN, a name or account/region/kind/id")
	}
	past := !at.IsZero() && s.Now().Sub(at) >= pastFrom
	report, err := s.narrowed(func(r *fleet.Resource) bool { return answersTo(r, target) }, false).Look(ctx, at, true)
	if err != nil {
		return nil, err
	}
	book := with(s.Book, &report)
	var found []Explanation
	var names []string
	for i := range report.Decisions {
		d := &report.Decisions[i]
		r := &d.Resource
		if !answersTo(r, target) {
			names = append(names, r.Name, r.ID)
			continue
		}
		e, err := s.explain(ctx, book, &report, d)
		if err == nil && past {
			err = s.fromRecord(ctx, &e, r.Ref, d.Chain)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	if len(found) > 0 {
		return found, nil
	}
	if found, err = s.gone(ctx, target, report.At, past, len(report.Gaps) > 0); len(found) > 0 || err != nil {
		return found, err
	}
	near, _ := typo.Nearest(target, names)
	return nil, &NotFoundError{Target: target, Scopes: report.Run.Counts.Scopes, Gaps: gaps(report), Near: near}
}

// explain says why a resource is as it is, from the rules.
func (s *Service) explain(ctx context.Context, book *policy.Book, report *pass.Report, d *decide.Decision) (Explanation, error) {
	ref := d.Resource.Ref
	recent, err := s.Store.Activity(ctx, store.ActivityQuery{Ref: ref, To: through(report.At), Limit: recentRows, Last: true})
	if err != nil {
		return Explanation{}, recordError(ref.String(), err)
	}
	e := Explanation{Resource: resource(book, d, report.At), At: report.At, Seen: d.Resource.SeenAt.UTC(), Chain: slices.Clone(d.Chain), Recent: recent}
	if fact := rulesFact(book, &d.Resource, report.At); !fact.Empty() {
		// Before the last step, which is the decision itself.
		e.Chain = slices.Insert(e.Chain, max(len(e.Chain)-1, 0), decide.Step{Rule: stepRules, Fact: fact})
	}
	fact, err := s.workloadFact(ctx, book, d)
	if err != nil {
		return Explanation{}, err
	}
	if !fact.Empty() {
		e.Chain = slices.Insert(e.Chain, max(len(e.Chain)-1, 0), decide.Step{Rule: stepWorkload, Fact: fact})
	}
	for i := range report.Plan.Held {
		if held := &report.Plan.Held[i]; held.Resource.Ref == ref {
			e.Chain = append(e.Chain, decide.Step{Rule: stepLimit, Fact: held.Said()})
		}
	}
	return e, nil
}

func recordError(of string, err error) error { return fmt.Errorf("read the record of %s: %w", of, err) }

// through is the end of a query that has the rows of an instant itself.
func through(at time.Time) time.Time { return store.Instant(at).Add(time.Microsecond) }

// rulesShown bounds the rules named for one resource.
const rulesShown = 10

// rulesFact names the rules that act on a resource, with their next instants.
func rulesFact(book *policy.Book, r *fleet.Resource, at time.Time) say.Text {
	rules := rulesOf(book, r)
	var words []say.Text
	for i, rule := range rules {
		if i == rulesShown {
			words = append(words, say.F("and %d more", len(rules)-i))
			break
		}
		next, ok := rule.Expression.Next(later(at, rule.Since))
		if !ok {
			words = append(words, say.F("rule %q (%s) never fires again", rule.Name, act(rule)))
			continue
		}
		words = append(words, say.F("rule %q (%s) fires next at %s", rule.Name, act(rule), next.Format(time.RFC3339)))
	}
	return say.Clauses(words...)
}
