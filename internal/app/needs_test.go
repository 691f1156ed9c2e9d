package app

import (
	"testing"

	"dayshift/internal/cloud/aws"
	"dayshift/internal/workload"
)

func TestWhatWorkloadsNeedOfTheCloud(t *testing.T) {
	for name, test := range map[string]struct {
		tier                         workload.Tier
		balancers, commands, backups bool
	}{
		"nothing":           {workload.Tier{Ready: []workload.Gate{{Type: workload.GateTCP}}, Vetoes: []workload.Veto{{Type: workload.VetoWebhook}}}, false, false, false},
		"drained":           {workload.Tier{Balancers: true}, true, false, false},
		"healthy in groups": {workload.Tier{Ready: []workload.Gate{{Type: workload.GateTargetHealth}}}, true, false, false},
		"a gate's command":  {workload.Tier{Ready: []workload.Gate{{Type: workload.GateCommand}}}, false, true, false},
		"an override file":  {workload.Tier{Vetoes: []workload.Veto{{Type: workload.VetoFile}}}, false, true, false},
		"a hook's command":  {workload.Tier{Stop: workload.Half{After: []workload.Hook{{Type: workload.HookCommand}}}}, false, true, false},
		"a running backup":  {workload.Tier{Vetoes: []workload.Veto{{Type: workload.VetoBackup}}}, false, false, true},
	} {
		var config aws.Config
		needs([]*workload.Workload{{Tiers: []workload.Tier{{}, test.tier}}}, &config)
		if config.Balancers != test.balancers || config.Commands != test.commands || config.Backups != test.backups {
			t.Errorf("%s: balancers %v, commands %v, backups %v", name, config.Balancers, config.Commands, config.Backups)
		}
	}
}
