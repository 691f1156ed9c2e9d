package aws

import (
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/fleet"
)

func TestEstimatesFollowTheMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Config{Accounts: simAccounts, Share: 0.8})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(c *Cloud, kind fleet.Kind, verb fleet.Verb, n int) time.Duration {
			return c.Estimate(testScope, kind, verb, n).Round(time.Second)
		}
		for _, test := range []struct {
			kind fleet.Kind
			verb fleet.Verb
			n    int
			want time.Duration
		}{
			{fleet.EC2Instance, fleet.Start, 0, 0},
			{fleet.EC2Instance, fleet.Start, 800, 0},
			{fleet.EC2Instance, fleet.Start, 4000, 2000 * time.Second},
			{fleet.EC2Instance, fleet.Stop, 4000, 200 * time.Second},
			{fleet.RDSInstance, fleet.Stop, 240, 0},
			{fleet.RDSInstance, fleet.Stop, 336, 10 * time.Second},
			{"teapot", fleet.Start, 4000, 0},
			{fleet.EC2Instance, "boil", 4000, 0},
		} {
			for range 2 { // asking changes nothing
				if got := ask(c, test.kind, test.verb, test.n); got != test.want {
					t.Errorf("%s %d of %s: %v, want %v", test.verb, test.n, test.kind, got, test.want)
				}
			}
		}
		if n := len(c.pacer.meters); n != 0 {
			t.Errorf("asking left %d mirrors behind", n)
		}
		if _, err := c.Reserve(t.Context(), testScope, fleet.EC2Instance, fleet.Start, 800); err != nil {
			t.Fatal(err)
		}
		c.pacer.answered(testScope, "ec2:StartInstances", 800, 800)
		if got := ask(c, fleet.EC2Instance, fleet.Start, 160); got != 100*time.Second {
			t.Errorf("with an empty bucket 160 starts take %v", got)
		}
		c.pacer.throttled(testScope, "ec2:StartInstances", 1, 0)
		shrunk := ask(c, fleet.EC2Instance, fleet.Start, 160)
		if shrunk < 150*time.Second || shrunk > 200*time.Second {
			t.Errorf("with half of it %v", shrunk)
		}
		reloaded, err := New(Config{Accounts: simAccounts, Share: 0.8, Pacer: c.Pacer()})
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(reloaded, fleet.EC2Instance, fleet.Start, 160); got != shrunk {
			t.Errorf("after a reload %v, want %v: what was learned is lost", got, shrunk)
		}
		time.Sleep(regrowTime)
		if got := ask(reloaded, fleet.EC2Instance, fleet.Start, 800); got != 0 {
			t.Errorf("%v later 800 starts take %v", regrowTime, got)
		}
	})
}
