package app

import (
	"dayshift/internal/cloud/aws"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/workload"
)

// needs says in the configuration of the cloud what workloads ask of it, so that
// doctor looks at that and at nothing that nobody uses.
func needs(workloads []*workload.Workload, config *aws.Config) {
	for _, w := range workloads {
		for _, tier := range w.Tiers {
			config.Balancers = config.Balancers || tier.Balancers
			for _, gate := range tier.Ready {
				config.Balancers = config.Balancers || gate.Type == workload.GateTargetHealth
				config.Commands = config.Commands || gate.Type == workload.GateCommand
			}
			for _, veto := range tier.Vetoes {
				switch veto.Type {
				case workload.VetoFile, workload.VetoSessions, workload.VetoCommand:
					config.Commands = true
				case workload.VetoBackup:
					config.Backups = true
				}
			}
			for _, hooks := range [][]workload.Hook{tier.Start.Before, tier.Start.After, tier.Stop.Before, tier.Stop.After} {
				for _, hook := range hooks {
					config.Commands = config.Commands || hook.Type == workload.HookCommand
				}
			}
		}
	}
}

// reserving lists the scopes in which a configuration holds capacity.
func reserving(loaded *config.Loaded) (scopes []fleet.Scope) {
	for _, r := range loaded.Reservations {
		scopes = append(scopes, r.Scope)
	}
	if t := loaded.Table; t != nil {
		scopes = append(scopes, fleet.Scope{Account: t.Account, Region: t.Region})
	}
	return scopes
}
