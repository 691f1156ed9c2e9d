package awssim

import (
	"fmt"
	"testing"
	"time"
)

// admitted calls until the first refusal and gives the number of successes.
func (k caller) admitted(code, action string, pairs ...string) int {
	k.t.Helper()
	for n := range 2000 {
		switch a := k.call(action, pairs...); {
		case a.code == code && a.status == statusFor(code):
			return n
		case a.status != 200:
			k.t.Fatalf("%s: %d %s %s", action, a.status, a.code, a.msg)
		}
	}
	return 2000
}

// Each bucket admits exactly its size, then its refill.
func TestBucketsAreAWSs(t *testing.T) {
	for _, tc := range []struct {
		name, service, code, action string
		pairs                       []string
		burst, perSecond            int
	}{
		{"filtered listing", "ec2", "RequestLimitExceeded", "DescribeInstances", []string{"Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "running"}, 100, 20},
		{"paginated listing", "ec2", "RequestLimitExceeded", "DescribeInstances", []string{"MaxResults", "5"}, 100, 20},
		{"bare listing", "ec2", "RequestLimitExceeded", "DescribeInstances", nil, 50, 10},
		{"other listing", "ec2", "RequestLimitExceeded", "DescribeRegions", nil, 100, 20},
		{"start", "ec2", "RequestLimitExceeded", "StartInstances", ids("i-0123456789abcdef0"), 5, 2},
		{"stop", "ec2", "RequestLimitExceeded", "StopInstances", ids("i-0123456789abcdef1"), 50, 5},
		{"terminate", "ec2", "RequestLimitExceeded", "TerminateInstances", ids("i-0123456789abcdef2"), 100, 5},
		{"tag", "ec2", "RequestLimitExceeded", "CreateTags", []string{"ResourceId.1", "i-0123456789abcdef0", "Tag.1.Key", "a", "Tag.1.Value", "b"}, 100, 10},
		{"change of type", "ec2", "RequestLimitExceeded", "ModifyInstanceAttribute", []string{"InstanceId", "i-0123456789abcdef1", "InstanceType.Value", "t3.small"}, 50, 5},
		{"RDS", "rds", "Throttling", "DescribeDBInstances", nil, 300, 12},
		{"STS", "sts", "Throttling", "GetCallerIdentity", nil, 600, 600},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newCaller(t, Options{Limits: Limits{Table: AWSLimits()}})
			k.load(Resource{ID: "i-0123456789abcdef0"}, Resource{ID: "i-0123456789abcdef1", State: "stopped"}, Resource{ID: "i-0123456789abcdef2", State: "terminated"})
			k = &caller{t, k.c, k.clock, k.key, "", k.region, tc.service}
			if n := k.admitted(tc.code, tc.action, tc.pairs...); n != tc.burst {
				t.Errorf("burst of %d, want %d", n, tc.burst)
			}
			k.clock.pass(time.Second)
			if n := k.admitted(tc.code, tc.action, tc.pairs...); n != tc.perSecond {
				t.Errorf("%d a second later, want %d", n, tc.perSecond)
			}
			k.clock.pass(time.Second/time.Duration(tc.perSecond) - time.Microsecond)
			k.fails(tc.code, tc.action, tc.pairs...)
			k.clock.pass(time.Microsecond)
			k.ok(tc.action, tc.pairs...)
			// Another account and another region have buckets of their own.
			k.as("222233334444").to("sts").ok("GetCallerIdentity")
			k.in("eu-west-1").to("ec2").ok("DescribeRegions")
		})
	}
}

func TestResourceBucketsCountInstances(t *testing.T) {
	k := newCaller(t, Options{Limits: Limits{Table: AWSLimits()}})
	k.load(Resource{Name: "web-####", Count: 1100, State: "stopped"})
	var all []string
	for _, i := range k.c.Instances("", "") {
		all = append(all, i.ID)
	}
	// A refused batch keeps its tokens.
	k.fails("InvalidInstanceID.NotFound", "StartInstances", ids(append([]string{"i-00000000000000001"}, all[:999]...)...)...)
	k.fails("RequestLimitExceeded", "StartInstances", ids(all...)...)
	k.ok("StartInstances", ids(all[:1000]...)...)
	k.fails("RequestLimitExceeded", "StartInstances", ids(all[1000:]...)...)
	k.clock.pass(50*time.Second - time.Microsecond) // 2 instances a second
	k.fails("RequestLimitExceeded", "StartInstances", ids(all[1000:]...)...)
	k.clock.pass(time.Microsecond)
	k.ok("StartInstances", ids(all[1000:]...)...)

	k.clock.pass(time.Minute)
	k.ok("StopInstances", ids(all[:1000]...)...)
	k.clock.pass(5*time.Second - time.Microsecond) // 20 a second
	k.fails("RequestLimitExceeded", "StopInstances", ids(all[1000:]...)...)
	k.clock.pass(time.Microsecond)
	k.ok("StopInstances", ids(all[1000:]...)...)

	s := k.c.Stats()
	if s.Throttled != 4 || s.ByCode["RequestLimitExceeded"] != 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestANeighbourLeavesItsShareOfEveryBucket(t *testing.T) {
	k := newCaller(t, Options{Limits: Limits{Table: AWSLimits(), Neighbour: 0.5}})
	k.load(Resource{Name: "web-####", Count: 600, State: "stopped"})
	var all []string
	for _, i := range k.c.Instances("", "") {
		all = append(all, i.ID)
	}
	k.fails("RequestLimitExceeded", "StartInstances", ids(all[:501]...)...)
	k.clock.pass(2 * time.Second)
	k.ok("StartInstances", ids(all[:500]...)...)
	k.clock.pass(time.Second) // one more instance in place of two
	k.fails("RequestLimitExceeded", "StartInstances", ids(all[500:502]...)...)
	k.clock.pass(500 * time.Millisecond) // a request takes as long
	k.ok("StartInstances", ids(all[500])...)
	if n := k.to("sts").admitted("Throttling", "GetCallerIdentity"); n != 300 {
		t.Errorf("%d calls of STS, want half of 600", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("a neighbour that leaves nothing was taken")
		}
	}()
	New(Options{Limits: Limits{Neighbour: 1}})
}

func TestRDSSharesOneBucket(t *testing.T) {
	k := newCaller(t, Options{Limits: Limits{Table: AWSLimits()}}).to("rds")
	for i := range 300 {
		action := []string{"DescribeDBInstances", "DescribeDBSnapshots"}[i%2]
		k.ok(action)
	}
	if a := k.fails("Throttling", "DescribeDBInstances"); a.msg != "Rate exceeded" {
		t.Errorf("message %q", a.msg)
	}
}

func TestRefillScalesAndFollowsSimulatedTime(t *testing.T) {
	k := newCaller(t, Options{Limits: Limits{Table: AWSLimits(), Scale: 20}, Speed: 10})
	if n := k.admitted("RequestLimitExceeded", "DescribeInstances"); n != 50 {
		t.Fatalf("burst %d", n)
	}
	k.clock.pass(100 * time.Millisecond) // one simulated second at 200 tokens, the bucket holds 50
	if n := k.admitted("RequestLimitExceeded", "DescribeInstances"); n != 50 {
		t.Errorf("refilled to %d", n)
	}
	k.clock.pass(time.Millisecond) // 10 ms, 2 tokens
	if n := k.admitted("RequestLimitExceeded", "DescribeInstances"); n != 2 {
		t.Errorf("refilled to %d", n)
	}
	if got := k.c.Now().Sub(k.c.Start()); got != 1010*time.Millisecond {
		t.Errorf("simulated time passed: %v", got)
	}
}

func TestTheClockAdvancesStopsAndNeverGoesBack(t *testing.T) {
	k := newCaller(t, Options{Start: time.Date(2026, 11, 20, 8, 59, 0, 0, time.UTC), Speed: 60})
	k.clock.pass(time.Second)
	if got := fmt.Sprint(k.c.Now()); got != "2026-11-20 09:00:00 +0000 UTC" {
		t.Errorf("now %s", got)
	}
	if _, err := k.c.Advance(time.Hour); err != nil {
		t.Error(err)
	}
	if err := k.c.SetSpeed(0); err != nil {
		t.Error(err)
	}
	k.clock.pass(time.Hour)
	if got := fmt.Sprint(k.c.Now()); got != "2026-11-20 10:00:00 +0000 UTC" {
		t.Errorf("now %s", got)
	}
	if _, err := k.c.Advance(-time.Second); err == nil {
		t.Error("the clock went back")
	}
	if err := k.c.SetSpeed(-1); err == nil {
		t.Error("a negative speed was taken")
	}
	k.clock.pass(-48 * time.Hour) // the machine's clock was set back
	if k.c.SetSpeed(1); k.c.Now().Before(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("now %v", k.c.Now())
	}
}
