package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Probe implements cloud.Prober: credentials first, then every kind, and SSM
// maintenance windows, alarms, reservations and what workloads need where the configuration says that they are used. What
// cannot be tried because something before it failed is not reported.
func (c *Cloud) Probe(ctx context.Context, scope fleet.Scope) []cloud.Finding {
	a, err := c.account(scope)
	if err != nil {
		return []cloud.Finding{{Ability: "find the scope", Detail: err.Error()}}
	}
	findings := []cloud.Finding{a.probe(ctx)}
	if !findings[0].OK {
		return findings
	}
	for _, row := range kinds.Registry {
		if !c.listed(row.Kind) {
			continue
		}
		handle, err := c.open(ctx, scope, row.Kind)
		if err != nil {
			findings = append(findings, cloud.Finding{Ability: "list " + row.Title, Detail: err.Error()})
			continue
		}
		found := handle.Probe(ctx, c.config.TagKey)
		if off := slices.IndexFunc(found, func(f cloud.Finding) bool { return f.Missing == kinds.RegionMissing }); off >= 0 {
			// One line says all: nothing of the region can be used.
			return append(findings[:1], cloud.Finding{Ability: "use the region", Missing: kinds.RegionMissing, Detail: found[off].Detail})
		}
		findings = append(findings, found...)
	}
	if c.config.Windows {
		windows, err := c.openWindows(ctx, scope)
		if err != nil {
			return append(findings, cloud.Finding{Ability: "list SSM maintenance windows", Detail: err.Error()})
		}
		findings = append(findings, windows.Probe(ctx))
	}
	if c.config.Alarms {
		alarms, err := c.openAlarms(ctx, scope)
		if err != nil {
			return append(findings, cloud.Finding{Ability: "list CloudWatch alarms", Detail: err.Error()})
		}
		findings = append(findings, alarms.Probe(ctx)...)
	}
	for _, ability := range []struct {
		needed  bool
		ability string
		probe   func(kinds.Env) []cloud.Finding
	}{
		{c.config.Balancers, "list load balancers", func(env kinds.Env) []cloud.Finding { return kinds.OpenBalancers(env).Probe(ctx) }},
		{c.config.Commands, "list commands in instances", func(env kinds.Env) []cloud.Finding { return kinds.OpenCommands(env).Probe(ctx) }},
		{c.config.Backups, "list backups", func(env kinds.Env) []cloud.Finding { return kinds.OpenBackups(env).Probe(ctx) }},
	} {
		if !ability.needed {
			continue
		}
		found, err := opened(ctx, c, scope, ability.probe)
		if err != nil {
			return append(findings, cloud.Finding{Ability: ability.ability, Detail: err.Error()})
		}
		findings = append(findings, found...)
	}
	if slices.Contains(c.config.Reservations, scope) {
		reservations, err := c.openReservations(ctx, scope)
		if err != nil {
			return append(findings, cloud.Finding{Ability: "list capacity reservations", Detail: err.Error()})
		}
		findings = append(findings, reservations.Probe(ctx)...)
	}
	return findings
}

func (a *account) probe(ctx context.Context) cloud.Finding {
	finding := cloud.Finding{Ability: "use the credentials at hand", OK: true, Detail: fmt.Sprintf("they are those of account %s", a.ID)}
	if a.ID == "" {
		finding.Detail = "there are some"
	}
	if a.RoleARN != "" {
		finding.Ability, finding.Detail = "assume role", a.RoleARN
	}
	if _, err := a.credentials(ctx); err != nil {
		finding.OK, finding.Detail = false, err.Error()
		if errors.Is(err, cloud.ErrCredentials) {
			finding.Missing = "credentials"
			if a.RoleARN != "" {
				finding.Missing = a.RoleARN
			}
		}
	}
	return finding
}
