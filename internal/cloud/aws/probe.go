package aws

import (
	"context"
	"errors"
	"slices"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Probe implements cloud.Prober: credentials first, then every kind, and SSM
// maintenance windows, alarms, reservations and what workloads need where the configuration says that they are used. What
// cannot be tried because something before it failed is not reported.
func (c *Cloud) Probe(ctx context.Context, scope fleet.Scope) []cloud.Finding {
	a, err := c.account(scope)
	if err != nil {
		return []cloud.Finding{{Ability: say.Word("find the scope"), Detail: say.Of(err)}}
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
			findings = append(findings, cloud.Finding{Ability: say.F("list %s", row.Title), Detail: say.Of(err)})
			continue
		}
		found := handle.Probe(ctx, c.config.TagKey)
		if off := slices.IndexFunc(found, func(f cloud.Finding) bool { return f.Missing == kinds.RegionMissing }); off >= 0 {
			// One line says all: nothing of the region can be used.
			return append(findings[:1], cloud.Finding{Ability: say.Word("use the region"), Missing: kinds.RegionMissing, Detail: found[off].Detail})
		}
		findings = append(findings, found...)
	}
	if c.config.Windows {
		windows, err := c.openWindows(ctx, scope)
		if err != nil {
			return append(findings, cloud.Finding{Ability: say.Word("list SSM maintenance windows"), Detail: say.Of(err)})
		}
		findings = append(findings, windows.Probe(ctx))
	}
	if c.config.Alarms {
		alarms, err := c.openAlarms(ctx, scope)
		if err != nil {
			return append(findings, cloud.Finding{Ability: say.Word("list CloudWatch alarms"), Detail: say.Of(err)})
		}
		findings = append(findings, alarms.Probe(ctx)...)
	}
	for _, ability := range []struct {
		needed  bool
		ability say.Text
		probe   func(kinds.Env) []cloud.Finding
	}{
		{c.config.Balancers, say.Word("list load balancers"), func(env kinds.Env) []cloud.Finding { return kinds.OpenBalancers(env).Probe(ctx) }},
		{c.config.Commands, say.Word("list commands in instances"), func(env kinds.Env) []cloud.Finding { return kinds.OpenCommands(env).Probe(ctx) }},
		{c.config.Backups, say.Word("list backups"), func(env kinds.Env) []cloud.Finding { return kinds.OpenBackups(env).Probe(ctx) }},
	} {
		if !ability.needed {
			continue
		}
		found, err := opened(ctx, c, scope, ability.probe)
		if err != nil {
			return append(findings, cloud.Finding{Ability: ability.ability, Detail: say.Of(err)})
		}
		findings = append(findings, found...)
	}
	if slices.Contains(c.config.Reservations, scope) {
		reservations, err := c.openReservations(ctx, scope)
		if err != nil {
			return append(findings, cloud.Finding{Ability: say.Word("list capacity reservations"), Detail: say.Of(err)})
		}
		findings = append(findings, reservations.Probe(ctx)...)
	}
	return findings
}

func (a *account) probe(ctx context.Context) cloud.Finding {
	finding := cloud.Finding{Ability: say.Word("use the credentials at hand"), OK: true, Detail: say.F("they are those of account %s", a.ID)}
	if a.ID == "" {
		finding.Detail = say.F("there are some")
	}
	if a.RoleARN != "" {
		finding.Ability, finding.Detail = say.Word("assume role"), say.Raw(a.RoleARN)
	}
	if _, err := a.credentials(ctx); err != nil {
		finding.OK, finding.Detail = false, say.Of(err)
		if errors.Is(err, cloud.ErrCredentials) {
			finding.Missing = "credentials"
			if a.RoleARN != "" {
				finding.Missing = a.RoleARN
			}
		}
	}
	return finding
}
