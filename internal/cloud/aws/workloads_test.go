package aws

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
)

// Doctor tries what workloads need where they need it, and names what is missing.
func TestProbeOfWhatWorkloadsNeed(t *testing.T) {
	for _, needed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, sim := simulateFleet(t, awssim.Options{}, awssim.Fleet{Faults: []awssim.Fault{
				{Kind: awssim.FaultDenied, Action: "DescribeTargetGroups"}, {Kind: awssim.FaultDenied, Action: "DescribeSessions"}, {Kind: awssim.FaultDenied, Action: "ListBackupJobs"},
			}}, func(config *Config) {
				config.Balancers, config.Commands, config.Backups = needed, needed, needed
			})
			var missing []string
			for _, finding := range c.Probe(t.Context(), testScope) {
				if !finding.OK {
					missing = append(missing, finding.Missing)
				}
			}
			want := []string{"elasticloadbalancing:DescribeTargetGroups", "ssm:DescribeSessions", "backup:ListBackupJobs"}
			if !needed {
				want = nil
			}
			if !slices.Equal(missing, want) {
				t.Errorf("missing %q, want %q", missing, want)
			}
			for _, call := range sim.Calls() {
				if call.Mutating && !call.DryRun || !needed && strings.HasPrefix(call.Service, "elasticloadbalancing") {
					t.Errorf("%s was called", call.Action)
				}
			}
		})
	}
}

var _ interface {
	cloud.Balancer
	cloud.Commander
	cloud.Invoker
	cloud.BackupLister
	cloud.Publisher
	cloud.EventBus
} = (*Cloud)(nil)
