package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// Checkup is doctor's answer for one scope.
type Checkup struct {
	Scope    fleet.Scope     `json:"scope"`
	OK       bool            `json:"ok"`
	Findings []cloud.Finding `json:"findings"`
}

// doctorTimeout bounds the checkup of one scope: a region that does not answer
// is a finding, and the others are not kept waiting for it.
const doctorTimeout = 30 * time.Second

// doctorConcurrency is how many scopes are probed at once.
const doctorConcurrency = 16

// Doctor finds out what works in each scope, without changing anything. The
// answers are in the order of the scopes.
func Doctor(ctx context.Context, prober cloud.Prober, scopes []fleet.Scope) []Checkup {
	checkups := make([]Checkup, len(scopes))
	var group errgroup.Group
	group.SetLimit(doctorConcurrency)
	for i, scope := range scopes {
		group.Go(func() error {
			checkups[i] = checkup(ctx, prober, scope)
			return nil
		})
	}
	_ = group.Wait() // findings carry the failures
	return checkups
}

func checkup(ctx context.Context, prober cloud.Prober, scope fleet.Scope) Checkup {
	limited, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	result := Checkup{Scope: scope, Findings: prober.Probe(limited, scope)}
	switch {
	case ctx.Err() != nil:
		result.Findings = append(result.Findings, cloud.Finding{
			Ability: "answer in time", Detail: fmt.Sprintf("%s was not asked to the end: %v", scope, context.Cause(ctx)),
		})
	case limited.Err() != nil:
		result.Findings = append(result.Findings, cloud.Finding{
			Ability: "answer in time",
			Detail:  fmt.Sprintf("%s did not answer within %s; check the network path and the region's endpoint", scope, doctorTimeout),
		})
	}
	result.OK = !slices.ContainsFunc(result.Findings, func(f cloud.Finding) bool { return !f.OK })
	return result
}
