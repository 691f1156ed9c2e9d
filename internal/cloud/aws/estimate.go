package aws

import (
	"slices"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.Estimator = (*Cloud)(nil)

// Estimate implements cloud.Estimator.
func (c *Cloud) Estimate(scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, n int) time.Duration {
	return c.pacer.Estimate(scope, kind, verb, n)
}

// Estimate says how long it takes from now until the last of n resources can be
// acted on: the mirror as it stands, played forward with calls that AWS answers
// at once and that nobody else makes. It changes nothing and is 0 for a verb
// that the kind does not have.
func (p *Pacer) Estimate(scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, n int) time.Duration {
	row, known := kinds.Find(kind)
	how, can := row.Verbs[verb]
	if !known || !can {
		return 0
	}
	m := p.copy(scope, how.Operation)
	began := p.now()
	at := began
	gathers := false
	for n > 0 {
		var took int
		var wait time.Duration
		if took, gathers, wait = m.try(at, n, how.MaxBatch, gathers); took == 0 {
			at = at.Add(max(wait, shortestWait))
			continue
		}
		m.land(took)
		n -= took
	}
	return at.Sub(began)
}

// copy returns the mirror of an operation as it stands, full where nothing was asked yet.
func (p *Pacer) copy(scope fleet.Scope, operation kinds.Operation) *meter {
	limit := LimitOf(operation)
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.meters[meterKey{scope, limit.Group}]
	if m == nil {
		return &meter{limit: limit, request: p.level(limit.Request), resource: p.level(limit.Resource), at: p.now(), factor: 1}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &meter{
		limit: limit, request: m.request, resource: m.resource, at: m.at, flights: slices.Clone(m.flights),
		factor: m.factor, notBefore: m.notBefore, strikes: m.strikes, struck: m.struck,
	}
}
