package aws

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

func TestListShowsAnInstanceAsTheContractSaysIt(t *testing.T) {
	w := newWire(t)
	w.on("DescribeInstances", answer(200, instancesPage("", instanceXML("i-0123456789abcdef0", "stopped",
		`<stateReason><code>Client.UserInitiatedShutdown</code><message>Client.UserInitiatedShutdown: User initiated shutdown</message></stateReason>`+
			`<hibernationOptions><configured>true</configured></hibernationOptions><rootDeviceType>ebs</rootDeviceType>`+
			`<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>10.0.0.7</privateIpAddress>`+
			tagsXML("Schedule", "office", "Name", "&lt;script&gt;alert(1)&lt;/script&gt;")))))
	now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	c := w.open(func(config *Config) { config.Now = func() time.Time { return now } })
	got, err := list(c, fleet.EC2Instance, cloud.Query{TagKey: "Schedule"})
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.Resource{{
		Ref:          fleet.Ref{Scope: testScope, Kind: fleet.EC2Instance, ID: "i-0123456789abcdef0"},
		ARN:          "arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0",
		Name:         "<script>alert(1)</script>",
		State:        fleet.Stopped,
		Native:       "stopped",
		Tags:         map[string]string{"Schedule": "office", "Name": "<script>alert(1)</script>"},
		Type:         "m5.large",
		Zone:         "eu-central-1a",
		VPC:          "vpc-1",
		Subnet:       "subnet-1",
		PrivateIP:    "10.0.0.7",
		StateReason:  "Client.UserInitiatedShutdown: User initiated shutdown",
		LaunchedAt:   time.Date(2027, 1, 4, 8, 0, 1, 0, time.UTC),
		CanHibernate: true,
		SeenAt:       now,
	}}
	if len(got) == 1 && got[0].Print == 0 {
		t.Error("no fingerprint was taken")
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(fleet.Resource{}, "Print")); diff != "" {
		t.Error(diff)
	}
	form := w.made("DescribeInstances")[0].form
	for key, want := range map[string]string{
		"MaxResults": "1000", "Filter.1.Name": "instance-state-name", "Filter.1.Value.4": "stopped", "Filter.2.Name": "tag-key", "Filter.2.Value.1": "Schedule",
	} {
		if got := form.Get(key); got != want {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	if host := w.made("DescribeInstances")[0].host; host != "ec2.eu-central-1.amazonaws.com" {
		t.Errorf("asked %s", host)
	}
}

func TestStartIsOneCallForTheBatch(t *testing.T) {
	w := newWire(t)
	w.on("StartInstances", acceptAll("StartInstances"))
	c := w.open(nil)
	if err := start(c, many(1000)...); err != nil {
		t.Fatal(err)
	}
	calls := w.made("StartInstances")
	if len(calls) != 1 || len(formIDs(calls[0].form)) != 1000 {
		t.Errorf("%d calls, want one with 1000 ids", len(calls))
	}
}

// TestSpotInstancesAreToldApart: what AWS would only terminate is barred, what it
// stops is not, and nobody is asked twice for what never changes.
func TestSpotInstancesAreToldApart(t *testing.T) {
	resource := func(name, spot string, tags ...string) awssim.Resource {
		r := awssim.Resource{Account: string(hub), Region: "eu-central-1", Kind: "ec2", Name: name, Spot: spot, Tags: map[string]string{cloudtest.TagKey: "office"}}
		if len(tags) > 0 {
			r.ASG = tags[0]
		}
		return r
	}
	fleetWithSpot := []awssim.Resource{
		resource("plain", ""), resource("once", "one-time"), resource("lasting", "persistent"), resource("member", "one-time", "workers"),
	}
	for i := range 6 {
		fleetWithSpot = append(fleetWithSpot, resource(fmt.Sprintf("lasting-%d", i), "persistent"))
	}
	bars := func(t *testing.T, c *Cloud) map[string]fleet.Bar {
		t.Helper()
		all, err := list(c, fleet.EC2Instance, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]fleet.Bar{}
		for _, r := range all {
			if r.Bar != fleet.NoBar {
				got[r.Name] = r.Bar
			}
		}
		return got
	}
	asked := func(sim *awssim.Cloud) int {
		n := 0
		for _, call := range sim.Calls() {
			if call.Action == "DescribeSpotInstanceRequests" {
				n++
			}
		}
		return n
	}
	known := map[string]fleet.Bar{"once": fleet.SpotOneTime, "member": fleet.GroupMember}
	unknown := maps.Clone(known)
	unknown["lasting"] = fleet.SpotOneTime
	for i := range 6 {
		unknown[fmt.Sprintf("lasting-%d", i)] = fleet.SpotOneTime
	}

	type step struct {
		after time.Duration
		fault *awssim.FaultKind // in force from this step on; nil: none
		bars  map[string]fleet.Bar
		asked int // since the step before
	}
	denied, broken := awssim.FaultDenied, awssim.FaultReset
	for _, test := range []struct {
		name  string
		opt   awssim.Options
		steps []step
	}{
		{"a steady fleet is asked for once", awssim.Options{}, []step{{0, nil, known, 1}, {5 * time.Minute, nil, known, 0}, {48 * time.Hour, nil, known, 0}}},
		{"the answer has pages", awssim.Options{PageCap: 5}, []step{{0, nil, known, 2}, {5 * time.Minute, nil, known, 0}}},
		{
			"the permission comes later",
			awssim.Options{},
			[]step{{0, &denied, unknown, 1}, {5 * time.Minute, &denied, unknown, 0}, {11 * time.Minute, &denied, unknown, 1}, {16 * time.Minute, nil, known, 1}, {16 * time.Minute, nil, known, 0}},
		},
		{"AWS is out of order", awssim.Options{}, []step{{0, &broken, unknown, transientTries}, {5 * time.Minute, nil, known, 1}, {5 * time.Minute, nil, known, 0}}},
		{"the permission is taken away again", awssim.Options{}, []step{{0, nil, known, 1}, {5 * time.Minute, &denied, known, 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulate(t, test.opt, fleetWithSpot, nil)
				for i, step := range test.steps {
					time.Sleep(step.after)
					var faults []awssim.Fault
					if step.fault != nil {
						faults = append(faults, awssim.Fault{Kind: *step.fault, Action: "DescribeSpotInstanceRequests"})
					}
					if err := sim.SetFaults(faults); err != nil {
						t.Fatal(err)
					}
					sim.ResetCalls()
					if diff := cmp.Diff(step.bars, bars(t, c)); diff != "" {
						t.Errorf("listing %d: bars: %s", i+1, diff)
					}
					if n := asked(sim); n != step.asked {
						t.Errorf("listing %d: %d questions for Spot requests, want %d", i+1, n, step.asked)
					}
				}
			})
		})
	}

	t.Run("a new one is asked for alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, sim := simulate(t, awssim.Options{}, fleetWithSpot, nil)
			bars(t, c)
			if err := sim.Load(awssim.Fleet{Resources: []awssim.Resource{resource("late", "one-time")}}); err != nil {
				t.Fatal(err)
			}
			sim.ResetCalls()
			want := maps.Clone(known)
			want["late"] = fleet.SpotOneTime
			for range 2 {
				if diff := cmp.Diff(want, bars(t, c)); diff != "" {
					t.Error(diff)
				}
			}
			for _, call := range sim.Calls() {
				if call.Action == "DescribeSpotInstanceRequests" && call.Items != 1 {
					t.Errorf("%d requests asked for, want the new one", call.Items)
				}
			}
			if n := asked(sim); n != 1 {
				t.Errorf("%d questions, want one", n)
			}
		})
	})
	t.Run("without Spot instances nobody is asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, sim := simulate(t, awssim.Options{}, []awssim.Resource{resource("plain", ""), resource("member", "one-time", "workers")}, nil)
			bars(t, c)
			if n := asked(sim); n != 0 {
				t.Errorf("%d questions", n)
			}
		})
	})
}
