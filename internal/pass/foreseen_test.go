package pass_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
)

// What a pass says beforehand is how long it then takes.
func TestAPassSaysBeforehandHowLongItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		web := awssim.Resource{
			Account: shop, Region: "cn-north-1", Kind: "ec2", Name: "web-####", Count: 1500, State: "stopped",
			Tags: map[string]string{"Schedule": "cn-office-hours"},
		}
		w := newWorld(t, office(t, nil), web)
		w.scopes = beijing
		var told []pass.Estimate
		p := w.pass()
		p.Estimator, p.Foreseen = w.cloud, func(estimates []pass.Estimate) {
			if w.mutations() != 0 {
				t.Error("told after the first call")
			}
			told = estimates
		}
		began := time.Now()
		report, err := pass.Run(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		if len(told) != 1 || len(report.Estimates) != 1 || told[0] != report.Estimates[0] {
			t.Fatalf("told %v, reported %v", told, report.Estimates)
		}
		e := told[0]
		if e.Scope != beijing[0] || e.Kind != fleet.EC2Instance || e.Verb != fleet.Start || e.Count != 1500 {
			t.Errorf("%+v", e)
		}
		if off := took - e.Takes; e.Takes < 250*time.Second || off < 0 || off > 5*time.Second {
			t.Errorf("foreseen %v, took %v", e.Takes, took)
		}
		told = nil
		p = w.pass()
		p.Estimator, p.DryRun = w.cloud, true
		p.Foreseen = func(estimates []pass.Estimate) { told = estimates }
		if _, err := pass.Run(t.Context(), p); err != nil || told != nil {
			t.Errorf("a dry run: told %v, %v", told, err)
		}
	})
}
