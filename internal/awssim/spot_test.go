package awssim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

// requestOf is the id of the Spot request that a listing of the instance shows.
func (k caller) requestOf(name string) string {
	k.t.Helper()
	return k.ok("DescribeInstances", ids(k.id(name))...).element("spotInstanceRequestId")
}

func TestSpotRequestsFollowTheirInstances(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "once", Spot: "one-time"}, Resource{Name: "lasting", Spot: "persistent"}, Resource{Name: "plain"})
	if id := k.requestOf("plain"); id != "" {
		t.Errorf("an instance on demand came from request %q", id)
	}
	status := func(name string) string {
		t.Helper()
		a := k.ok("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", k.requestOf(name))
		return strings.Join([]string{a.element("type"), a.element("state"), a.element("code"), fmt.Sprint(a.element("instanceId") == k.id(name))}, " ")
	}
	want := func(name, want string) {
		t.Helper()
		if got := status(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	want("once", "one-time active fulfilled true")
	want("lasting", "persistent active fulfilled true")
	k.ok("StopInstances", ids(k.id("lasting"))...)
	want("lasting", "persistent active fulfilled true") // still stopping
	k.clock.pass(time.Minute)
	want("lasting", "persistent disabled instance-stopped-by-user true")
	k.ok("StartInstances", ids(k.id("lasting"))...)
	want("lasting", "persistent active fulfilled true")
	k.ok("TerminateInstances", ids(k.id("lasting"), k.id("once"))...)
	k.clock.pass(time.Minute)
	want("once", "one-time closed instance-terminated-by-user true")
	want("lasting", "persistent open instance-terminated-by-user false")
	k.clock.pass(2 * time.Hour)
	if left := k.ok("DescribeSpotInstanceRequests").elements("spotInstanceRequestId"); len(left) != 0 {
		t.Errorf("hours after the end: %v", left)
	}
}

func TestSpotRequestsAreFiltered(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(
		Resource{Name: "once", Spot: "one-time", Zone: "us-east-1a"}, Resource{Name: "lasting", Spot: "persistent", Zone: "us-east-1b"},
		Resource{Name: "asleep", Spot: "persistent", Zone: "us-east-1a", Type: "m5.large", State: "stopped"}, Resource{Name: "plain"},
	)
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"nothing asked", nil, []string{"once", "lasting", "asleep"}},
		{"request", []string{"spot-instance-request-id", k.requestOf("lasting")}, []string{"lasting"}},
		{"requests", []string{"spot-instance-request-id", k.requestOf("lasting") + "|" + k.requestOf("once") + "|sir-00000000"}, []string{"once", "lasting"}},
		{"instance", []string{"instance-id", k.id("once")}, []string{"once"}},
		{"instance on demand", []string{"instance-id", k.id("plain")}, nil},
		{"type", []string{"type", "persistent"}, []string{"lasting", "asleep"}},
		{"state", []string{"state", "active"}, []string{"once", "lasting"}},
		{"type and state", []string{"type", "persistent", "state", "disabled"}, []string{"asleep"}},
		{"code", []string{"status-code", "*-by-user"}, []string{"asleep"}},
		{"zone", []string{"launched-availability-zone", "us-east-1a"}, []string{"once", "asleep"}},
		{"instance type", []string{"launch.instance-type", "m5.*"}, []string{"asleep"}},
	} {
		var pairs []string
		for i := 0; i < len(tc.args); i += 2 {
			pairs = append(pairs, fmt.Sprintf("Filter.%d.Name", i/2+1), tc.args[i])
			for j, v := range strings.Split(tc.args[i+1], "|") {
				pairs = append(pairs, fmt.Sprintf("Filter.%d.Value.%d", i/2+1, j+1), v)
			}
		}
		var got []string
		for _, id := range k.ok("DescribeSpotInstanceRequests", pairs...).elements("instanceId") {
			i, _ := k.c.Instance(id)
			got = append(got, i.Name)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	other := k.in("eu-west-1")
	if list := other.ok("DescribeSpotInstanceRequests").elements("spotInstanceRequestId"); len(list) != 0 {
		t.Errorf("another region shows %v", list)
	}
}

func TestSpotRequestsAreRefusedAsAWSDoes(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "once", Spot: "one-time"})
	known := k.requestOf("once")
	for _, tc := range []struct {
		name, code, says string
		pairs            []string
	}{
		{"unknown", "InvalidSpotInstanceRequestID.NotFound", "The spot instance request ID 'sir-00000000' does not exist", []string{"SpotInstanceRequestId.1", known, "SpotInstanceRequestId.2", "sir-00000000"}},
		{"several unknown", "InvalidSpotInstanceRequestID.NotFound", "'sir-00000001, sir-00000000'", []string{"SpotInstanceRequestId.1", "sir-00000001", "SpotInstanceRequestId.2", "sir-00000000"}},
		{"malformed", "InvalidSpotInstanceRequestID.Malformed", "sir-1", []string{"SpotInstanceRequestId.1", "sir-1"}},
		{"an instance's id", "InvalidSpotInstanceRequestID.Malformed", k.id("once"), []string{"SpotInstanceRequestId.1", k.id("once")}},
		{"ids and pages", "InvalidParameterCombination", "spotInstanceRequestIdSet", []string{"SpotInstanceRequestId.1", known, "MaxResults", "5"}},
		{"small page", "InvalidParameterValue", "between 5 and 1000", []string{"MaxResults", "4"}},
		{"filter that is not modelled", "InvalidParameterValue", "spot-price", []string{"Filter.1.Name", "spot-price", "Filter.1.Value.1", "1"}},
		{"strange token", "InvalidNextToken", "", []string{"NextToken", "x"}},
		{"dry run", "DryRunOperation", "", []string{"DryRun", "true"}},
		{"parameter of another action", "UnknownParameter", "InstanceId", []string{"InstanceId.1", k.id("once")}},
	} {
		if a := k.call("DescribeSpotInstanceRequests", tc.pairs...); a.code != tc.code || !strings.Contains(a.msg, tc.says) {
			t.Errorf("%s: %s %q, want %s with %q", tc.name, a.code, a.msg, tc.code, tc.says)
		}
	}
	// Twice the same id is one request.
	if list := k.ok("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", known, "SpotInstanceRequestId.2", known).elements("spotInstanceRequestId"); !slices.Equal(list, []string{known}) {
		t.Errorf("%v, want %s once", list, known)
	}
}

func TestRequestsHaveIDsOfTheirOwn(t *testing.T) {
	c := New(Options{})
	seen := map[string]bool{}
	for range 50_000 {
		id := (&instance{id: c.instanceID(), is: spot}).request()
		if !requestForm(id) || seen[id] {
			t.Fatalf("id %q: seen before %v", id, seen[id])
		}
		seen[id] = true
	}
}

func TestTheGoSDKReadsSpotRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{PageCap: 30})
		if err := c.Load(Fleet{
			Accounts:  []Account{{ID: "111122223333"}},
			Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "ec2", Name: "s-#", Spot: "one-time", Count: 70}},
		}); err != nil {
			t.Fatal(err)
		}
		api := ec2.NewFromConfig(sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider("111122223333", "x", "")))
		began := time.Now().UTC().Truncate(time.Millisecond)
		run, err := api.RunInstances(t.Context(), &ec2.RunInstancesInput{
			ImageId: aws.String("ami-0abcdef1234567890"), InstanceType: "t3.micro", MinCount: aws.Int32(1), MaxCount: aws.Int32(1), KeyName: aws.String("mine"),
			Placement: &types.Placement{AvailabilityZone: aws.String("us-east-1b")},
			InstanceMarketOptions: &types.InstanceMarketOptionsRequest{MarketType: types.MarketTypeSpot, SpotOptions: &types.SpotMarketOptions{
				SpotInstanceType: types.SpotInstanceTypePersistent, InstanceInterruptionBehavior: types.InstanceInterruptionBehaviorStop,
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		one := run.Instances[0]
		var all []types.SpotInstanceRequest
		p := ec2.NewDescribeSpotInstanceRequestsPaginator(api, &ec2.DescribeSpotInstanceRequestsInput{MaxResults: aws.Int32(1000)})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page.SpotInstanceRequests...)
		}
		seen := map[string]bool{}
		for _, r := range all {
			seen[aws.ToString(r.SpotInstanceRequestId)] = true
		}
		if calls := c.Stats().Calls; len(all) != 71 || len(seen) != 71 || calls != 4 {
			t.Fatalf("%d requests, %d ids in %d calls; want 71 in three pages and a launch", len(all), len(seen), calls)
		}
		got := all[70]
		if got.LaunchSpecification == nil || got.Status == nil || len(got.LaunchSpecification.SecurityGroups) != 1 || aws.ToString(got.LaunchSpecification.SubnetId) != aws.ToString(one.SubnetId) {
			t.Fatalf("%+v", got)
		}
		type view struct {
			ID, Instance, Zone, Product, Code, Image, Key string
			State                                         types.SpotInstanceState
			Type                                          types.SpotInstanceType
			Size                                          types.InstanceType
			Interruption                                  types.InstanceInterruptionBehavior
			Created, Updated                              time.Time
		}
		if diff := cmp.Diff(view{
			aws.ToString(one.SpotInstanceRequestId), aws.ToString(one.InstanceId), "us-east-1b", "Linux/UNIX", "fulfilled", "ami-0abcdef1234567890", "mine",
			types.SpotInstanceStateActive, types.SpotInstanceTypePersistent, "t3.micro", types.InstanceInterruptionBehaviorStop, began, began,
		}, view{
			aws.ToString(got.SpotInstanceRequestId), aws.ToString(got.InstanceId), aws.ToString(got.LaunchedAvailabilityZone), string(got.ProductDescription),
			aws.ToString(got.Status.Code), aws.ToString(got.LaunchSpecification.ImageId), aws.ToString(got.LaunchSpecification.KeyName),
			got.State, got.Type, got.LaunchSpecification.InstanceType, got.InstanceInterruptionBehavior, aws.ToTime(got.CreateTime), aws.ToTime(got.Status.UpdateTime),
		}); diff != "" {
			t.Error(diff)
		}
		found, err := api.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: aws.String("spot-instance-request-id"), Values: []string{aws.ToString(got.SpotInstanceRequestId)}}}})
		if err != nil || len(found.Reservations) != 1 || aws.ToString(found.Reservations[0].Instances[0].InstanceId) != aws.ToString(one.InstanceId) {
			t.Errorf("the instance by its request: %+v %v", found, err)
		}
		_, err = api.DescribeSpotInstanceRequests(t.Context(), &ec2.DescribeSpotInstanceRequestsInput{SpotInstanceRequestIds: []string{"sir-00000000"}})
		if code(err) != "InvalidSpotInstanceRequestID.NotFound" {
			t.Errorf("unknown id: %v", err)
		}
	})
}
