package pass

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/say"
)

// Estimate says how long the cloud's rate limits make a part of a plan take.
type Estimate struct {
	Scope fleet.Scope
	Kind  fleet.Kind
	Verb  fleet.Verb
	Count int
	// Takes is how long until the last of them can be acted on, counted from when
	// it was asked. What others use of the limits meanwhile is not in it, nor is the
	// time that a resource takes to arrive.
	Takes time.Duration
}

// Tellable is from when on people are told how long something takes.
const Tellable = time.Minute

// String is the estimate in English.
func (e Estimate) String() string { return e.Said().String() }

// Said is the estimate as people read it: 111122223333/eu-west-1: 4,000 starts of ec2_instance: about 33 minutes.
func (e Estimate) Said() say.Text {
	return say.F("%s: %s %s of %s: about %s", e.Scope, thousands(e.Count), verbWords(e.Verb, e.Count), e.Kind, roughly(e.Takes))
}

func verbWords(verb fleet.Verb, n int) say.Text {
	if n == 1 {
		return say.Word(verb)
	}
	return say.Word(verb + "s")
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// roughly rounds up to what matters: seconds up to two minutes, minutes up to two hours, else tenths of hours.
func roughly(d time.Duration) say.Text {
	up := func(unit time.Duration) int64 { return int64((d + unit - 1) / unit) }
	switch {
	case d <= 2*time.Minute:
		return say.F("%d seconds", up(time.Second))
	case d <= 2*time.Hour:
		return say.F("%d minutes", up(time.Minute))
	}
	tenths := up(6 * time.Minute)
	return say.F("%d.%d hours", tenths/10, tenths%10)
}

// Long gives the estimates that people are told of.
func Long(estimates []Estimate) []Estimate {
	var long []Estimate
	for _, e := range estimates {
		if e.Takes > Tellable {
			long = append(long, e)
		}
	}
	return long
}

// estimate predicts how long the plan takes and tells it before anything is done.
func (r *running) estimate(planned plan.Plan) {
	if r.Estimator == nil {
		return
	}
	counts := map[Estimate]int{}
	for i := range planned.Actions {
		action := &planned.Actions[i]
		counts[Estimate{Scope: action.Resource.Scope, Kind: action.Resource.Kind, Verb: action.Verb}]++
	}
	for e, n := range counts {
		e.Count, e.Takes = n, r.Estimator.Estimate(e.Scope, e.Kind, e.Verb, n)
		r.report.Estimates = append(r.report.Estimates, e)
	}
	slices.SortFunc(r.report.Estimates, func(a, b Estimate) int {
		return cmp.Or(a.Scope.Compare(b.Scope), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Verb, b.Verb))
	})
	if r.Foreseen != nil && !r.DryRun && len(r.report.Estimates) > 0 {
		r.Foreseen(r.report.Estimates)
	}
}
