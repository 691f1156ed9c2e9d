package aws

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// simInstance is the id of the nth instance of a test.
func simInstance(n int) string { return fmt.Sprintf("i-%017x", 0xa00+n) }

// simBalancers is a simulated AWS with so many instances and the groups.
func simBalancers(t *testing.T, opt awssim.Options, instances int, groups []cloudtest.Group) (*Cloud, *awssim.Cloud, cloudtest.BalancerWorld) {
	t.Helper()
	scope := fleet.Scope{Account: hub, Region: "eu-central-1"}
	w := cloudtest.BalancerWorld{Scope: scope}
	var holds awssim.Fleet
	for n := range instances {
		w.IDs = append(w.IDs, simInstance(n))
		holds.Resources = append(holds.Resources, awssim.Resource{Account: string(hub), Region: string(scope.Region), Kind: "ec2", ID: simInstance(n)})
	}
	for _, group := range groups {
		var targets []string
		for _, n := range group.Members {
			targets = append(targets, simInstance(n))
		}
		if group.Classic {
			holds.ClassicBalancers = append(holds.ClassicBalancers, awssim.ClassicBalancer{Account: string(hub), Region: string(scope.Region), Name: group.Name, Targets: targets})
			continue
		}
		one := awssim.TargetGroup{Account: string(hub), Region: string(scope.Region), Name: group.Name, Targets: targets, Balancer: "front"}
		if group.Idle {
			one.Balancer = ""
		}
		holds.TargetGroups = append(holds.TargetGroups, one)
	}
	c, sim := simulateFleet(t, opt, holds, nil)
	for _, group := range groups {
		name := group.Name
		if !group.Classic {
			name = sim.TargetGroupARN(string(hub), string(scope.Region), name)
		}
		w.Groups = append(w.Groups, name)
	}
	w.Balancer, w.Pass = c, time.Sleep
	w.Halt = func(id string) {
		if err := sim.StopInstance(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
	}
	return c, sim, w
}

func TestBalancersOnASimulatedAWS(t *testing.T) {
	cloudtest.ExerciseBalancer(t, cloudtest.BalancerHarness{
		Within: synctest.Test,
		Open: func(t *testing.T, instances int, groups []cloudtest.Group) cloudtest.BalancerWorld {
			_, sim, w := simBalancers(t, awssim.Options{}, instances, groups)
			t.Cleanup(func() {
				if n := sim.Stats().Throttled; n > 0 {
					t.Errorf("%d calls were throttled", n)
				}
			})
			return w
		},
	})
}

// One throttle on the way back in left an instance of the tiered scheduler out of
// its load balancer for good.
func TestAThrottleOnRegisterLeavesNobodyOut(t *testing.T) {
	for _, classic := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, sim, w := simBalancers(t, awssim.Options{}, 3, []cloudtest.Group{{Name: "web", Classic: classic, Members: []int{0, 1, 2}}})
			members, err := w.Memberships(t.Context(), w.Scope, w.IDs)
			if err != nil || len(members) != 3 {
				t.Fatal(members, err)
			}
			if err := w.Deregister(t.Context(), w.Scope, members); err != nil {
				t.Fatal(err)
			}
			w.Pass(10 * time.Minute)
			if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultThrottle, Action: "Register*", Count: 5}}); err != nil {
				t.Fatal(err)
			}
			if err := w.Register(t.Context(), w.Scope, members); err != nil {
				t.Errorf("after five throttled calls: %v", err)
			}
			if n := len(sim.Members(string(hub), "")); n != 3 {
				t.Errorf("%d of 3 are in", n)
			}
		})
	}
}

// Answers that got lost are asked for again: what was done is done once more.
func TestALostAnswerToRegisterIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, sim, w := simBalancers(t, awssim.Options{}, 2, []cloudtest.Group{{Name: "web", Members: []int{0}}})
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultReset, Action: "RegisterTargets", Count: 2, Applied: true}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Register(t.Context(), w.Scope, []cloud.Membership{{Instance: w.IDs[1], Group: w.Groups[0], Port: 80}}); err != nil {
			t.Error(err)
		}
		if n := len(sim.Members("", "")); n != 2 {
			t.Errorf("%d of 2 are in", n)
		}
	})
}

// A listing of memberships is whole or it is an error: who was overlooked would
// be stopped under its users.
func TestMembershipsAreWholeOrAnError(t *testing.T) {
	for _, action := range []string{"DescribeTargetGroups", "DescribeTargetHealth", "DescribeLoadBalancers"} {
		for _, kind := range []awssim.FaultKind{awssim.FaultEmpty, awssim.FaultHTML, awssim.FaultCut, awssim.FaultDenied, awssim.FaultGarbage} {
			synctest.Test(t, func(t *testing.T) {
				_, sim, w := simBalancers(t, awssim.Options{}, 1, []cloudtest.Group{{Name: "web", Members: []int{0}}, {Name: "old", Classic: true, Members: []int{0}}})
				if err := sim.SetFaults([]awssim.Fault{{Kind: kind, Action: action}}); err != nil {
					t.Fatal(err)
				}
				members, err := w.Memberships(t.Context(), w.Scope, w.IDs)
				if err == nil || len(members) > 0 {
					t.Errorf("%s of %s: %v, %v", kind, action, members, err)
				}
				if kind == awssim.FaultDenied && (!errors.Is(err, cloud.ErrUnauthorized) || !strings.Contains(err.Error(), "elasticloadbalancing:"+action)) {
					t.Errorf("%s may not be called: %v", action, err)
				}
			})
		}
	}
}

// Where an account has groups in several VPCs, only those are asked that can hold the instances.
func TestGroupsOfOtherVPCsAreNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		region := "eu-central-1"
		holds := awssim.Fleet{
			Resources: []awssim.Resource{
				{Account: string(hub), Region: region, Kind: "ec2", ID: simInstance(0), VPC: "vpc-0000000a"},
				{Account: string(hub), Region: region, Kind: "ec2", ID: simInstance(1), VPC: "vpc-0000000b"},
			},
			TargetGroups: []awssim.TargetGroup{
				{Account: string(hub), Region: region, Name: "a-#", Count: 3, VPC: "vpc-0000000a", Balancer: "front", Targets: []string{simInstance(0) + ":8080"}},
				{Account: string(hub), Region: region, Name: "b-#", Count: 30, VPC: "vpc-0000000b", Balancer: "front", Targets: []string{simInstance(1)}},
				{Account: string(hub), Region: region, Name: "addresses", VPC: "vpc-0000000a", Type: "ip", Balancer: "front"},
			},
		}
		c, sim := simulateFleet(t, awssim.Options{}, holds, nil)
		members, err := c.Memberships(t.Context(), testScope, []string{simInstance(0)})
		if err != nil || len(members) != 3 || slices.ContainsFunc(members, func(m cloud.Membership) bool { return m.Port != 8080 }) {
			t.Errorf("%v %v", members, err)
		}
		asked := 0
		for _, call := range sim.Calls() {
			if call.Action == "DescribeTargetHealth" {
				asked++
			}
		}
		if asked != 3 {
			t.Errorf("%d groups were asked, 3 can hold the instance", asked)
		}
	})
}
