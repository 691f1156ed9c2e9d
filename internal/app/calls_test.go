package app

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
)

// dayConfig is what has to be configured, and the hourly resync: all else is as it comes.
const dayConfig = `
store: "memory:"
resync_interval: 1h
accounts:
  - {id: "111122223333", role: "arn:aws:iam::111122223333:role/dayshift", regions: [us-east-1, us-east-2, us-west-1, us-west-2]}
periods:
  office: {begintime: %q, endtime: %q}
schedules:
  office: {timezone: UTC, periods: [office]}
  always: {timezone: UTC, periods: [office], override_status: running}
`

// A day with two boundaries and an hourly resync costs at most thirty calls for
// each account and region, sessions, tags and the search for other kinds included,
// whenever the hours begin and end.
func TestADayCostsAtMostThirtyCallsForEachAccountAndRegion(t *testing.T) {
	for _, hours := range [][2]string{{"09:00", "18:00"}, {"08:30", "18:00"}, {"22:00", "05:10"}} {
		t.Run(hours[0]+" to "+hours[1], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				until(t, "2027-03-01T02:20:00Z")
				regions := []string{"us-east-1", "us-east-2", "us-west-1", "us-west-2"}
				h := newHouse(t, fmt.Sprintf(dayConfig, hours[0], hours[1]))
				for _, region := range regions {
					h.load(awssim.Fleet{Resources: []awssim.Resource{
						{Account: "111122223333", Region: region, Kind: "ec2", Count: 5, Name: "web-#", State: "running", Tags: map[string]string{"Schedule": "always"}},
						{Account: "111122223333", Region: region, Kind: "ec2", Count: 5, Name: "dev-#", State: "stopped", Tags: map[string]string{"Schedule": "office"}},
					}})
				}
				d := h.lead()
				defer d.stop()
				until(t, "2027-03-02T00:00:00Z")
				for day := range 2 {
					h.sim.ResetCalls()
					time.Sleep(24 * time.Hour)
					stats := h.sim.Stats()
					if each := float64(stats.Calls) / float64(len(regions)); each > 30 || stats.ByAction["ec2:StartInstances"] != 4 || stats.ByAction["ec2:StopInstances"] != 4 {
						t.Errorf("day %d: %.2f calls for each account and region, %v", day, each, stats.ByAction)
					}
				}
			})
		})
	}
}
