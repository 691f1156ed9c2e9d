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
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/google/go-cmp/cmp"
)

// groupWorld is a simulator with the entries, and a client of the SDK.
func groupWorld(t *testing.T, opt Options, entries ...Resource) (*Cloud, *autoscaling.Client) {
	t.Helper()
	c := New(opt)
	for i := range entries {
		entries[i].Account, entries[i].Region, entries[i].Kind = DefaultAccount, "us-east-1", "asg"
	}
	if err := c.Load(Fleet{Resources: entries}); err != nil {
		t.Fatal(err)
	}
	cfg := sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider(DefaultAccount, "x", ""))
	cfg.RetryMaxAttempts = 1
	return c, autoscaling.NewFromConfig(cfg)
}

// members counts the instances of a group by state, those that are gone left out.
func members(c *Cloud, name string) map[string]int {
	states := map[string]int{}
	for _, i := range c.Instances(DefaultAccount, "us-east-1") {
		if i.Tags[groupNameTag] == name && i.State != "terminated" {
			states[i.State]++
		}
	}
	return states
}

func wantMembers(t *testing.T, when string, c *Cloud, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, members(c, "web")); diff != "" {
		t.Errorf("%s: %s", when, diff)
	}
}

func scaleTo(lo, desired, hi int32) *autoscaling.UpdateAutoScalingGroupInput {
	return &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), MinSize: &lo, DesiredCapacity: &desired, MaxSize: &hi}
}

func TestAGroupGoesDownAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c, api := groupWorld(t, Options{}, Resource{Name: "web", Min: 2, Desired: 7, Max: 9, Type: "m5.large", Propagate: true, Tags: map[string]string{"Schedule": "office"}})
		wantMembers(t, "at first", c, map[string]int{"running": 7})
		if _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(0, 0, 0)); err != nil {
			t.Fatal(err)
		}
		wantMembers(t, "right after the stop", c, map[string]int{"shutting-down": 7})
		time.Sleep(time.Minute)
		wantMembers(t, "a minute later", c, map[string]int{})
		if _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(2, 7, 9)); err != nil {
			t.Fatal(err)
		}
		wantMembers(t, "right after the start", c, map[string]int{"pending": 7})
		time.Sleep(30 * time.Second)
		wantMembers(t, "half a minute later", c, map[string]int{"running": 7})
		zones := map[string]int{}
		for _, i := range c.Instances(DefaultAccount, "us-east-1") {
			if i.State == "running" {
				zones[i.Zone]++
				if i.Tags["Schedule"] != "office" || i.Type != "m5.large" {
					t.Errorf("%+v", i)
				}
			}
		}
		if len(zones) < 2 {
			t.Errorf("not spread: %v", zones)
		}
		out, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
		if err != nil || len(out.AutoScalingGroups) != 1 {
			t.Fatal(out, err)
		}
		g := out.AutoScalingGroups[0]
		if len(g.Instances) != 7 || g.Instances[0].LifecycleState != types.LifecycleStateInService || *g.MinSize != 2 || *g.DesiredCapacity != 7 || *g.MaxSize != 9 ||
			!strings.Contains(*g.AutoScalingGroupARN, ":autoScalingGroupName/web") || g.Status != nil || len(g.Tags) != 1 || !*g.Tags[0].PropagateAtLaunch || g.CreatedTime == nil {
			t.Errorf("%+v", g)
		}
		out, err = api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{IncludeInstances: aws.Bool(false)})
		if err != nil || len(out.AutoScalingGroups[0].Instances) != 0 {
			t.Error(out, err)
		}
	})
}

// Members are not stopped singly: the group notices and replaces them.
func TestAGroupReplacesWhatIsTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, api := groupWorld(t, Options{}, Resource{Name: "web", Desired: 3})
		group, _ := c.Group(DefaultAccount, "us-east-1", "web")
		if err := c.StopInstance(group.Instances[0]); err != nil {
			t.Fatal(err)
		}
		if err := c.TerminateInstance(group.Instances[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		wantMembers(t, "before it notices", c, map[string]int{"running": 1, "stopping": 1, "shutting-down": 1})
		time.Sleep(4 * time.Minute) // nobody looks meanwhile
		wantMembers(t, "afterwards", c, map[string]int{"running": 3})
		stopped, _ := c.Instance(group.Instances[0])
		if stopped.State != "terminated" {
			t.Errorf("the stopped one is %s", stopped.State)
		}
		for _, i := range c.Instances(DefaultAccount, "us-east-1") { // as if somebody had looked all the time
			if age := c.Now().Sub(i.Launched); i.State == "running" && i.ID != group.Instances[2] && (age < 2*time.Minute || age > 4*time.Minute) {
				t.Errorf("replaced %s ago", age)
			}
		}
		again, _ := c.Group(DefaultAccount, "us-east-1", "web")
		if _, err := api.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{"ReplaceUnhealthy"}}); err != nil {
			t.Fatal(err)
		}
		if err := c.StopInstance(again.Instances[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		wantMembers(t, "while it does not replace", c, map[string]int{"running": 2, "stopped": 1})
		if _, err := api.ResumeProcesses(t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("web")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wantMembers(t, "and after that", c, map[string]int{"running": 3})
	})
}

func TestWhatHoldsAGroupUpOrDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c, api := groupWorld(t, Options{}, Resource{Name: "web", Desired: 2, Zone: "us-east-1a", Type: "m5.large", Suspended: []string{"Terminate"}})
		scale := func(n int32) {
			t.Helper()
			if _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(0, n, n)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		resume := func(name string) {
			t.Helper()
			if _, err := api.ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{name}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		scale(0)
		wantMembers(t, "Terminate suspended", c, map[string]int{"running": 2})
		resume("Terminate")
		wantMembers(t, "and resumed", c, map[string]int{})

		if _, err := api.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{"Launch"}}); err != nil {
			t.Fatal(err)
		}
		scale(2)
		wantMembers(t, "Launch suspended", c, map[string]int{})
		resume("Launch")
		wantMembers(t, "and resumed", c, map[string]int{"running": 2})

		group, _ := c.Group(DefaultAccount, "us-east-1", "web")
		if _, err := api.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: aws.String("web"), InstanceIds: group.Instances[:1], ProtectedFromScaleIn: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		scale(0)
		wantMembers(t, "one protected", c, map[string]int{"running": 1})
		if _, err := api.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: aws.String("web"), InstanceIds: group.Instances[:1], ProtectedFromScaleIn: aws.Bool(false)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)

		c.LimitCapacity("us-east-1a", "m5.large", 1)
		scale(3)
		wantMembers(t, "capacity for one", c, map[string]int{"running": 1})
		c.LimitCapacity("us-east-1a", "m5.large", 5)
		c.Instances("", "") // it tries again when somebody looks
		time.Sleep(time.Minute)
		wantMembers(t, "capacity again", c, map[string]int{"running": 3})
	})
}

func TestTheWordsOfAutoScaling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c, api := groupWorld(t, Options{}, Resource{Name: "web", Min: 1, Desired: 2, Max: 4}, Resource{Name: "old", Desired: 1, Tags: map[string]string{"a": "b"}})
		name, gone := aws.String("web"), aws.String("ghost")
		tag := func(resource, key string) []types.Tag {
			return []types.Tag{{ResourceType: aws.String("auto-scaling-group"), ResourceId: &resource, Key: &key, Value: aws.String("v"), PropagateAtLaunch: aws.Bool(false)}}
		}
		var many []types.Tag
		for i := range maxTags + 1 {
			many = append(many, tag("web", fmt.Sprint("k", i))...)
		}
		for what, test := range map[string]struct {
			call func() error
			code string
			says string
		}{
			"a group that is not there": {func() error {
				_, err := api.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: gone, MinSize: aws.Int32(0)})
				return err
			}, "ValidationError", "AutoScalingGroup name not found"},
			"desired above the maximum": {func() error { _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(1, 5, 4)); return err }, "ValidationError", "Desired capacity:5 must be between the specified min size:1 and max size:4"},
			"maximum below the minimum": {func() error { _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(3, 3, 2)); return err }, "ValidationError", "Max bound, 2, must be greater than or equal to min bound, 3"},
			"a desired number above the maximum": {func() error {
				_, err := api.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: aws.Int32(5)})
				return err
			}, "ValidationError", "above max value 4"},
			"a tag of a group that is not there": {func() error {
				_, err := api.CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: append(tag("web", "half"), tag("ghost", "half")...)})
				return err
			}, "ValidationError", "AutoScalingGroup not found"},
			"too many tags": {func() error {
				_, err := api.CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: many})
				return err
			}, "LimitExceeded", ""},
			"a tag of AWS": {func() error {
				_, err := api.CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: tag("web", "aws:x")})
				return err
			}, "ValidationError", "reserved"},
			"a process that is none": {func() error {
				_, err := api.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"Sleep"}})
				return err
			}, "ValidationError", "Sleep"},
			"more names than records": {func() error {
				_, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: many51(), MaxRecords: aws.Int32(50)})
				return err
			}, "ValidationError", "51"},
			"a page that is too large": {func() error {
				_, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(101)})
				return err
			}, "ValidationError", "between 1 and 100"},
			"a filter that is not modelled": {func() error {
				_, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("colour"), Values: []string{"red"}}}})
				return err
			}, "ValidationError", "colour"},
			"a token that is none": {func() error {
				_, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{NextToken: aws.String("x")})
				return err
			}, "InvalidNextToken", ""},
			"a group with instances": {func() error {
				_, err := api.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: name})
				return err
			}, "ResourceInUse", ""},
			"an instance of no group": {func() error {
				_, err := api.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: aws.String("i-00000000000000001"), ShouldDecrementDesiredCapacity: aws.Bool(true)})
				return err
			}, "ValidationError", "Instance Id not found"},
			"what is not modelled": {func() error {
				_, err := api.PutScalingPolicy(ctx, &autoscaling.PutScalingPolicyInput{AutoScalingGroupName: name, PolicyName: aws.String("p")})
				return err
			}, "InvalidAction", ""},
		} {
			err := test.call()
			if err == nil || code(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v", what, err)
			}
			time.Sleep(time.Second) // the bucket
		}
		group, _ := c.Group(DefaultAccount, "us-east-1", "web")
		if len(group.Tags) != 0 || len(group.Suspended) != 0 || group.Desired != 2 {
			t.Errorf("something of a refused call was done: %+v", group)
		}

		// Without a desired number it goes to the nearest bound.
		for _, test := range []struct{ lo, hi, want int32 }{{3, 4, 3}, {0, 1, 1}} {
			if _, err := api.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, MinSize: &test.lo, MaxSize: &test.hi}); err != nil {
				t.Fatal(err)
			}
			if group, _ := c.Group(DefaultAccount, "us-east-1", "web"); int32(group.Desired) != test.want {
				t.Errorf("%d to %d: %d", test.lo, test.hi, group.Desired)
			}
		}
		old, _ := c.Group(DefaultAccount, "us-east-1", "old")
		out, err := api.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &old.Instances[0], ShouldDecrementDesiredCapacity: aws.Bool(true)})
		if err != nil || out.Activity == nil || out.Activity.StatusCode != types.ScalingActivityStatusCodeInProgress {
			t.Errorf("%+v %v", out, err)
		}
		if old, _ := c.Group(DefaultAccount, "us-east-1", "old"); old.Desired != 0 || len(old.Instances) != 0 {
			t.Errorf("%+v", old)
		}
		tags, err := api.DescribeTags(ctx, &autoscaling.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("key"), Values: []string{"a"}}}})
		if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].ResourceId != "old" {
			t.Errorf("%+v %v", tags, err)
		}
	})
}

func many51() (names []string) {
	for i := range 51 {
		names = append(names, fmt.Sprint("n", i))
	}
	return names
}

func TestAGroupThatIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c, api := groupWorld(t, Options{}, Resource{Name: "web", Desired: 2})
		if _, err := api.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), ForceDelete: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		out, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
		if err != nil || len(out.AutoScalingGroups) != 1 || aws.ToString(out.AutoScalingGroups[0].Status) != "Delete in progress" {
			t.Fatal(out, err)
		}
		if _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(0, 0, 0)); code(err) != "ScalingActivityInProgress" {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		if out, err = api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{}); err != nil || len(out.AutoScalingGroups) != 0 {
			t.Error(out, err)
		}
		wantMembers(t, "at the end", c, map[string]int{})
	})
}

func TestGroupsArePagedFilteredAndThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		_, api := groupWorld(t, Options{}, Resource{Name: "web-###", Count: 130, Tags: map[string]string{"Schedule": "office"}}, Resource{Name: "other", Tags: map[string]string{"schedule": "office"}})
		pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(api, &autoscaling.DescribeAutoScalingGroupsInput{
			Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{"Schedule"}}}, MaxRecords: aws.Int32(100),
		})
		var names []string
		n := 0
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			n++
			for _, g := range out.AutoScalingGroups {
				names = append(names, *g.AutoScalingGroupName)
			}
		}
		if n != 2 || len(names) != 130 || !slices.IsSorted(names) {
			t.Errorf("%d pages, %d groups", n, len(names))
		}
		for filter, want := range map[[2]string]int{{"tag:schedule", "office"}: 1, {"tag-value", "office"}: 50, {"tag:Schedule", "off*"}: 0} {
			out, err := api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: &filter[0], Values: []string{filter[1]}}}})
			if err != nil || len(out.AutoScalingGroups) != want {
				t.Errorf("%v: %d groups, %v", filter, len(out.AutoScalingGroups), err)
			}
		}
		var err error
		for range 100 { // all operations share one bucket
			if _, err = api.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(1)}); err != nil {
				break
			}
		}
		if code(err) != "Throttling" {
			t.Errorf("reading until it is refused: %v", err)
		}
		if _, err := api.UpdateAutoScalingGroup(ctx, scaleTo(0, 0, 0)); code(err) != "Throttling" {
			t.Errorf("and writing then: %v", err)
		}
	})
}

func TestGroupsInAFleetFile(t *testing.T) {
	head := "resources:\n  - {account: \"111122223333\", region: us-east-1, kind: asg, "
	for text, want := range map[string]string{
		"name: web, min: 3, desired: 2}":         "[2:89] resources[0].desired: 3-2-2: min, desired and max must be in this order",
		"name: web, state: stopped, desired: 2}": "leave it out",
		"name: web, suspended: [Sleep]}":         `"Sleep" is not a process`,
		"min: 1}":                                "is not the name of a group",
		"name: web, count: 2}":                   "put # into it",
		"name: web, engine: mysql}":              "does not belong to kind asg",
		"name: web, type: m5.tiny}":              "is not an instance type",
		"name: web, max: 20000}":                 "from 0 to 10000",
		"name: web, state: terminated}":          `"terminated" is not known`,
		"name: web}\n  - {account: \"111122223333\", region: us-east-1, kind: ec2, propagate: true}": "resources[1].propagate: does not belong to kind ec2",
	} {
		if _, err := ParseFleet([]byte(head + text + "\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f, err := ParseFleet([]byte(head + "name: \"web-#\", count: 2, min: 1, desired: 2, max: 4, type: m5.large, suspended: [AZRebalance], propagate: true, tags: {Schedule: office}}\n" +
		head[len("resources:\n"):] + "name: down, state: stopped, max: 5}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	if err := c.Load(f); err == nil || !strings.Contains(err.Error(), "group web-1 exists already") {
		t.Errorf("twice: %v", err)
	}
	if down, _ := c.Group(DefaultAccount, "us-east-1", "down"); down.Desired != 0 || down.Max != 5 || len(down.Instances) != 0 {
		t.Errorf("%+v", down)
	}
	// What is written down makes the same again.
	again := New(Options{})
	if err := again.Load(c.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web-1", "web-2", "down"} {
		a, _ := c.Group(DefaultAccount, "us-east-1", name)
		b, _ := again.Group(DefaultAccount, "us-east-1", name)
		if a.Min != b.Min || a.Desired != b.Desired || a.Max != b.Max || len(a.Instances) != len(b.Instances) || cmp.Diff(a.Tags, b.Tags)+cmp.Diff(a.Suspended, b.Suspended) != "" {
			t.Errorf("%+v\nbecame %+v", a, b)
		}
	}
	if n := len(again.Instances("", "")); n != 4 {
		t.Errorf("%d instances", n)
	}
}

func TestAPersonScalesAGroup(t *testing.T) {
	c, _ := groupWorld(t, Options{}, Resource{Name: "web"})
	if err := c.ScaleGroup(DefaultAccount, "us-east-1", "web", 1, 3, 5); err != nil {
		t.Fatal(err)
	}
	if err := c.TagGroup(DefaultAccount, "us-east-1", "web", map[string]string{"a": "b", "c": ""}); err != nil {
		t.Fatal(err)
	}
	if g, ok := c.Group(DefaultAccount, "us-east-1", "web"); !ok || len(g.Instances) != 3 || g.Tags["a"] != "b" {
		t.Errorf("%+v", g)
	}
	for _, err := range []error{
		c.ScaleGroup(DefaultAccount, "us-east-1", "ghost", 1, 3, 5), c.ScaleGroup(DefaultAccount, "us-east-1", "web", 3, 1, 5),
		c.ScaleGroup("999999999999", "us-east-1", "web", 1, 3, 5), c.TagGroup(DefaultAccount, "us-east-1", "ghost", nil),
	} {
		if err == nil {
			t.Error("done to what is not there, or to a size that cannot be")
		}
	}
}
