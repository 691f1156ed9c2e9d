package service

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Checkup is doctor's answer for one scope.
type Checkup struct {
	Scope    fleet.Scope     `json:"scope"`
	OK       bool            `json:"ok"`
	Findings []cloud.Finding `json:"findings"`
	// Quarantine is set while passes look at the scope at growing gaps alone, because it failed them.
	Quarantine *Quarantine `json:"quarantine,omitempty"`
}

// Quarantine is why a scope is left alone, and until when.
type Quarantine struct {
	Reason decide.Trouble `json:"reason"`
	Why    string         `json:"why"`
	Since  time.Time      `json:"since"`
	Next   time.Time      `json:"next"`  // look
	Looks  int            `json:"looks"` // that failed in a row
}

// Remembering knows what passes remember of scopes.
type Remembering interface {
	ScopeMemory(ctx context.Context, scope fleet.Scope) (decide.ScopeMemory, error)
}

// doctorTimeout bounds the checkup of one scope: a region that does not answer
// is a finding, and the others are not kept waiting for it.
const doctorTimeout = 30 * time.Second

// doctorConcurrency is how many scopes are probed at once.
const doctorConcurrency = 16

// Doctor finds out what works in each scope, without changing anything, and
// what passes remember of it. The answers are in the order of the scopes.
func Doctor(ctx context.Context, prober cloud.Prober, remembered Remembering, scopes []fleet.Scope) []Checkup {
	checkups := make([]Checkup, len(scopes))
	var group errgroup.Group
	group.SetLimit(doctorConcurrency)
	for i, scope := range scopes {
		group.Go(func() error {
			checkups[i] = checkup(ctx, prober, remembered, scope)
			return nil
		})
	}
	_ = group.Wait() // findings carry the failures
	return checkups
}

func checkup(ctx context.Context, prober cloud.Prober, remembered Remembering, scope fleet.Scope) Checkup {
	limited, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	result := Checkup{Scope: scope, Findings: prober.Probe(limited, scope)}
	switch {
	case ctx.Err() != nil:
		result.Findings = append(result.Findings, cloud.Finding{
			Ability: say.Word("answer in time"), Detail: say.F("%s was not asked to the end: %v", scope, context.Cause(ctx)),
		})
	case limited.Err() != nil:
		result.Findings = append(result.Findings, cloud.Finding{
			Ability: say.Word("answer in time"),
			Detail:  say.F("%s did not answer within %s; check the network path and the region's endpoint", scope, doctorTimeout),
		})
	}
	if ctx.Err() == nil {
		result.quarantine(ctx, remembered)
	}
	result.OK = !slices.ContainsFunc(result.Findings, func(f cloud.Finding) bool { return !f.OK })
	return result
}

// regionMissing is what a finding misses where the region is off.
const regionMissing = "region"

// quarantine adds what passes remember of the scope; of a region that is off one line says all.
func (c *Checkup) quarantine(ctx context.Context, remembered Remembering) {
	kept, err := remembered.ScopeMemory(ctx, c.Scope)
	if err != nil {
		c.Findings = append(c.Findings, cloud.Finding{Ability: say.Word("read what is remembered"), Detail: say.Of(err)})
		return
	}
	b := kept.Breaker
	if !b.Quarantined() {
		return
	}
	c.Quarantine = &Quarantine{Reason: b.Trouble, Why: b.Why, Since: b.Since, Next: b.Next, Looks: b.Fails}
	text := say.F("in quarantine since %s (%s, %d looks in a row failed); the next look is at %s", b.Since.Format(time.RFC3339), b.Trouble, b.Fails, b.Next.Format(time.RFC3339))
	off := slices.IndexFunc(c.Findings, func(f cloud.Finding) bool { return f.Missing == regionMissing })
	if off >= 0 {
		c.Findings[off].Detail = say.Clauses(c.Findings[off].Detail, text)
		return
	}
	c.Findings = append(c.Findings, cloud.Finding{Ability: say.Word("be looked at by passes"), Detail: say.F("%s: %s", text, b.Why)})
}
