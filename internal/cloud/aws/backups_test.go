package aws

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/fleet"
)

func TestWhatIsBeingBackedUp(t *testing.T) {
	account, region := string(hub), string(testScope.Region)
	holds := func() awssim.Fleet {
		return awssim.Fleet{
			Resources: []awssim.Resource{
				{Account: account, Region: region, Kind: "ec2", ID: simInstance(0)},
				{Account: account, Region: region, Kind: "ec2", ID: simInstance(1)},
				{Account: account, Region: region, Kind: "ec2", ID: simInstance(2)},
				{Account: account, Region: region, Kind: "rds", Name: "orders"},
				{Account: account, Region: region, Kind: "rds", Name: "quiet"},
				{Account: account, Region: region, Kind: "rds_cluster", Name: "ledger"},
			},
			Backups: []awssim.Backup{
				{Account: account, Region: region, Of: simInstance(0), Kind: "snapshot", For: awssim.Duration(10 * time.Minute)},
				{Account: account, Region: region, Of: simInstance(2), Kind: "job", For: awssim.Duration(10 * time.Minute)},
				{Account: account, Region: region, Of: "orders", Kind: "job", For: awssim.Duration(20 * time.Minute)},
				{Account: account, Region: region, Of: "ledger", Kind: "job", For: awssim.Duration(20 * time.Minute)},
			},
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulateFleet(t, awssim.Options{}, holds(), nil)
		ask := func(when string, kind fleet.Kind, ids []string, want map[string]string) {
			t.Helper()
			got, err := c.BackingUp(t.Context(), testScope, kind, ids)
			if err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
				t.Errorf("%s: %v %v", when, got, err)
				return
			}
			for id, text := range want {
				if !strings.Contains(got[id], text) {
					t.Errorf("%s: %s: %q, want %q", when, id, got[id], text)
				}
			}
		}
		machines := []string{simInstance(0), simInstance(1), simInstance(2)}
		ask("machines", fleet.EC2Instance, machines, map[string]string{simInstance(0): "pending", simInstance(2): "RUNNING"})
		ask("one that is not", fleet.EC2Instance, machines[1:2], nil)
		ask("databases", fleet.RDSInstance, []string{"orders", "quiet"}, map[string]string{"orders": "RUNNING"})
		ask("clusters", fleet.RDSCluster, []string{"ledger"}, map[string]string{"ledger": "RUNNING"})
		ask("what has no backups", fleet.ECSService, []string{"web/cart"}, nil)
		ask("nobody", fleet.EC2Instance, nil, nil)
		time.Sleep(15 * time.Minute)
		ask("machines, later", fleet.EC2Instance, machines, nil)
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultDenied, Action: "ListBackupJobs"}}); err != nil {
			t.Fatal(err)
		}
		if got, err := c.BackingUp(t.Context(), testScope, fleet.RDSInstance, []string{"orders"}); err == nil || got != nil || !strings.Contains(err.Error(), "backup:ListBackupJobs") {
			t.Errorf("who may not ask does not know: %v %v", got, err)
		}
	})
}
