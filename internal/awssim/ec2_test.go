package awssim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnInstanceStartsAndStopsInItsTime(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web", State: "stopped"})
	id := k.id("web")

	a := k.ok("StartInstances", ids(id)...)
	if got := a.elements("name"); !slices.Equal(got, []string{"pending", "stopped"}) {
		t.Errorf("start answers current and previous state %v", got)
	}
	k.clock.pass(7 * time.Second)
	if s := k.state("web"); s != "pending" {
		t.Errorf("7 s after the start: %s", s)
	}
	k.clock.pass(14 * time.Second)
	if s := k.state("web"); s != "running" {
		t.Errorf("21 s after the start: %s", s)
	}
	status := func() string {
		return k.ok("DescribeInstanceStatus", ids(id)...).element("status")
	}
	if s := status(); s != "initializing" {
		t.Errorf("status checks of a fresh instance: %q", s)
	}
	k.clock.pass(3 * time.Minute)
	if s := status(); s != "ok" {
		t.Errorf("status checks after minutes: %q", s)
	}

	if got := k.ok("StopInstances", ids(id)...).elements("name"); !slices.Equal(got, []string{"stopping", "running"}) {
		t.Errorf("stop answers %v", got)
	}
	k.fails("IncorrectInstanceState", "StartInstances", ids(id)...)
	k.clock.pass(40 * time.Second)
	d := k.ok("DescribeInstances", ids(id)...)
	if !strings.Contains(d.body, "<name>stopped</name>") || !strings.Contains(d.body, "Client.UserInitiatedShutdown") ||
		!strings.Contains(d.body, "<reason>User initiated (2026-11-20 00:03:21 GMT)</reason>") {
		t.Errorf("a stopped instance shows %s", d.body)
	}
	if got := k.ok("StopInstances", ids(id)...).elements("name"); !slices.Equal(got, []string{"stopped", "stopped"}) {
		t.Errorf("stop of a stopped instance answers %v", got)
	}
}

func TestATerminatedInstanceLingersForAnHour(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web"}, Resource{Name: "other"})
	id := k.id("web")
	k.ok("TerminateInstances", ids(id)...)
	k.clock.pass(time.Minute)
	k.fails("IncorrectInstanceState", "StartInstances", ids(id)...)
	k.fails("IncorrectInstanceState", "StopInstances", ids(id)...)
	if n := len(k.ok("DescribeInstances").elements("instanceId")); n != 2 {
		t.Errorf("%d instances listed a minute after, want 2", n)
	}
	k.clock.pass(time.Hour)
	k.fails("InvalidInstanceID.NotFound", "DescribeInstances", ids(id)...)
	if n := len(k.ok("DescribeInstances").elements("instanceId")); n != 1 {
		t.Errorf("%d instances listed an hour after, want 1", n)
	}
}

// Every code of the project's list of AWS's answers, and what belongs to it.
func TestAWSRefusesWith(t *testing.T) {
	k := newCaller(t, Options{})
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprintf("k%02d", i)] = "v"
	}
	k.load(
		Resource{Name: "run"}, Resource{Name: "stop", State: "stopped"}, Resource{Name: "gone", State: "terminated"},
		Resource{Name: "spot", Spot: "one-time"}, Resource{Name: "pinned", DisableStop: true, DisableTermination: true},
		Resource{Name: "store", Root: "instance-store"}, Resource{Name: "rootless", Root: "missing", State: "stopped"},
		Resource{Name: "sick", StartError: "IncorrectSpotRequestState", State: "stopped"}, Resource{ID: "i-0123456789abcdef0", Tags: many},
	)
	const ghost, ghost2 = "i-00000000000000001", "i-00000000000000002"
	tags51 := []string{"ResourceId.1", "i-0123456789abcdef0", "Tag.1.Key", "one-more", "Tag.1.Value", ""}
	run := func(more ...string) []string {
		return append([]string{"ImageId", "ami-0abcdef1234567890", "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}, more...)
	}
	filter := func(name string, values ...string) []string {
		out := []string{"Filter.1.Name", name}
		for i, v := range values {
			out = append(out, fmt.Sprintf("Filter.1.Value.%d", i+1), v)
		}
		return out
	}
	for _, tc := range []struct {
		name, code, action string
		pairs              []string
		says               string
	}{
		{"unknown AMI", "InvalidAMIID.NotFound", "RunInstances", run("ImageId", "ami-0123456789abcdef0"), "'[ami-0123456789abcdef0]' does not exist"},
		{"malformed AMI", "InvalidAMIID.Malformed", "RunInstances", run("ImageId", "debian"), `expecting "ami-..."`},
		{"unknown AMI described", "InvalidAMIID.NotFound", "DescribeImages", []string{"ImageId.1", "ami-0123456789abcdef0"}, ""},
		{"unknown type", "InvalidParameterValue", "RunInstances", run("InstanceType", "t9.huge"), "t9.huge"},
		{"wrong architecture", "InvalidParameterValue", "RunInstances", run("InstanceType", "t4g.micro"), "arm64"},
		{"no count", "MissingParameter", "RunInstances", []string{"ImageId", "ami-0abcdef1234567890"}, "MinCount"},
		{"more wanted than allowed", "InvalidParameterValue", "RunInstances", run("MinCount", "3", "MaxCount", "2"), ""},
		{"count zero", "InvalidParameterValue", "RunInstances", run("MinCount", "0"), ""},
		{"unknown subnet", "InvalidSubnetID.NotFound", "RunInstances", run("SubnetId", "subnet-12345678"), ""},
		{"foreign zone", "InvalidParameterValue", "RunInstances", run("Placement.AvailabilityZone", "eu-west-1a"), ""},
		{"unknown group", "InvalidGroup.NotFound", "RunInstances", run("SecurityGroupId.1", "sg-12345678"), ""},
		{"hibernation of a type without", "UnsupportedHibernationConfiguration", "RunInstances", run("InstanceType", "g4dn.xlarge", "HibernationOptions.Configured", "true"), ""},
		{"reserved tag at launch", "InvalidParameterValue", "RunInstances", run("TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "aws:x"), "aws:"},

		{"malformed id", "InvalidInstanceID.Malformed", "StartInstances", ids(k.id("run"), "web-1"), `Invalid id: "web-1"`},
		{"malformed id listed", "InvalidInstanceID.Malformed", "DescribeInstances", ids("i-xyz"), ""},
		{"unknown id", "InvalidInstanceID.NotFound", "StopInstances", ids(ghost), "The instance ID '" + ghost + "' does not exist"},
		{"unknown ids, all named", "InvalidInstanceID.NotFound", "StartInstances", ids(ghost, k.id("stop"), ghost2), "The instance IDs '" + ghost + ", " + ghost2 + "' do not exist"},
		{"no id", "MissingParameter", "StopInstances", nil, "InstanceId"},
		{"start of a terminated instance", "IncorrectInstanceState", "StartInstances", ids(k.id("stop"), k.id("gone")), "'" + k.id("gone") + "'"},
		{"start without a root volume", "IncorrectInstanceState", "StartInstances", ids(k.id("rootless")), "does not have a volume attached at root (/dev/xvda)"},
		{"start that a fleet refuses", "IncorrectSpotRequestState", "StartInstances", ids(k.id("sick")), k.id("sick")},
		{"stop of a one-time spot instance", "UnsupportedOperation", "StopInstances", ids(k.id("spot")), "one-time Spot Instance request"},
		{"stop of an instance-store root", "UnsupportedOperation", "StopInstances", ids(k.id("store")), "'ebs' root device"},
		{"stop with disableApiStop", "OperationNotPermitted", "StopInstances", ids(k.id("pinned")), "disableApiStop"},
		{"termination with disableApiTermination", "OperationNotPermitted", "TerminateInstances", ids(k.id("pinned")), "disableApiTermination"},
		{"hibernate without it enabled", "UnsupportedHibernationConfiguration", "StopInstances", append(ids(k.id("run")), "Hibernate", "true"), ""},
		{"reboot of a stopped instance", "IncorrectInstanceState", "RebootInstances", ids(k.id("stop")), ""},

		{"type change while running", "IncorrectInstanceState", "ModifyInstanceAttribute", []string{"InstanceId", k.id("run"), "InstanceType.Value", "t3.small"}, "not in the 'stopped' state"},
		{"type change to an unknown type", "InvalidInstanceAttributeValue", "ModifyInstanceAttribute", []string{"InstanceId", k.id("stop"), "InstanceType.Value", "t9.huge"}, ""},
		{"type change across architectures", "InvalidParameterCombination", "ModifyInstanceAttribute", []string{"InstanceId", k.id("stop"), "InstanceType.Value", "t4g.small"}, "arm64"},
		{"two attributes at once", "InvalidParameterCombination", "ModifyInstanceAttribute", []string{"InstanceId", k.id("stop"), "EbsOptimized.Value", "true", "DisableApiStop.Value", "true"}, ""},
		{"unknown attribute", "InvalidParameterValue", "DescribeInstanceAttribute", []string{"InstanceId", k.id("stop"), "Attribute", "userData"}, ""},

		{"51st tag", "TagLimitExceeded", "CreateTags", tags51, ""},
		{"tag of AWS", "InvalidParameterValue", "CreateTags", []string{"ResourceId.1", k.id("run"), "Tag.1.Key", "AWS:name", "Tag.1.Value", "x"}, "reserved"},
		{"tag key too long", "InvalidParameterValue", "CreateTags", []string{"ResourceId.1", k.id("run"), "Tag.1.Key", strings.Repeat("鍵", 129), "Tag.1.Value", "x"}, "128"},
		{"tag of an unknown volume", "InvalidVolume.NotFound", "CreateTags", []string{"ResourceId.1", "vol-0123456789abcdef0", "Tag.1.Key", "a", "Tag.1.Value", "x"}, ""},
		{"tag of nonsense", "InvalidID", "CreateTags", []string{"ResourceId.1", "thing", "Tag.1.Key", "a", "Tag.1.Value", "x"}, ""},

		{"ids with MaxResults", "InvalidParameterCombination", "DescribeInstances", append(ids(k.id("run")), "MaxResults", "5"), ""},
		{"MaxResults below 5", "InvalidParameterValue", "DescribeInstances", []string{"MaxResults", "4"}, ""},
		{"MaxResults above 1000", "InvalidParameterValue", "DescribeInstances", []string{"MaxResults", "1001"}, ""},
		{"unknown filter", "InvalidParameterValue", "DescribeInstances", filter("colour", "red"), "The filter 'colour' is invalid"},
		{"filter without values", "InvalidParameterValue", "DescribeInstances", filter("instance-id"), ""},
		{"201 values", "FilterLimitExceeded", "DescribeInstances", filter("tag:a", slices.Repeat([]string{"v"}, 201)...), ""},
		{"foreign token", "InvalidNextToken", "DescribeInstances", []string{"MaxResults", "5", "NextToken", "bm9uc2Vuc2U"}, ""},
		{"101 ids of a status", "InvalidParameterValue", "DescribeInstanceStatus", ids(slices.Repeat([]string{k.id("run")}, 101)...), ""},
		{"unknown instance type", "InvalidInstanceType", "DescribeInstanceTypes", []string{"InstanceType.1", "t9.huge"}, "t9.huge"},
		{"unknown region", "InvalidParameterValue", "DescribeRegions", []string{"RegionName.1", "mars-1"}, ""},
		{"unknown zone", "InvalidParameterValue", "DescribeAvailabilityZones", []string{"ZoneName.1", "us-east-1z"}, ""},

		{"unknown action", "InvalidAction", "DescribeVolumes", nil, ""},
		{"unknown parameter", "UnknownParameter", "DescribeInstances", []string{"Colour", "red"}, "Colour"},
		{"a parameter of AWS that is not modelled", "UnknownParameter", "RunInstances", run("UserData", "eA=="), "UserData"},
		{"not a boolean", "InvalidParameterValue", "StopInstances", append(ids(k.id("run")), "Force", "maybe"), ""},
		{"dry run of a start", "DryRunOperation", "StartInstances", append(ids(k.id("stop")), "DryRun", "true"), ""},
		{"dry run of a listing", "DryRunOperation", "DescribeInstances", []string{"DryRun", "true"}, ""},
		{"dry run of a launch", "DryRunOperation", "RunInstances", run("DryRun", "true"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := *k
			k.t = t
			before := k.c.Instances("", "")
			a := k.fails(tc.code, tc.action, tc.pairs...)
			if !strings.Contains(a.msg, tc.says) {
				t.Errorf("message %q, want it to say %q", a.msg, tc.says)
			}
			if a.element("RequestID") == "" || !strings.Contains(a.body, "<Response><Errors><Error>") {
				t.Errorf("not EC2's error document: %s", a.body)
			}
			after := k.c.Instances("", "")
			if fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("a refused call changed something:\n%v\n%v", before, after)
			}
		})
	}
}

func TestCallsWithoutAKnownCallerAreRefused(t *testing.T) {
	k := newCaller(t, Options{})
	form := url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}}
	for _, tc := range []struct {
		name, code string
		set        func(*http.Request)
	}{
		{"no signature", "MissingAuthenticationToken", func(r *http.Request) { r.Header.Del("Authorization") }},
		{"half a signature", "IncompleteSignature", func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261120/us-east-1")
		}},
		{"basic authentication", "IncompleteSignature", func(r *http.Request) { r.SetBasicAuth("a", "b") }},
		{"a region that does not exist", "AuthFailure", func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), "us-east-1", "mars-1"))
		}},
		{"a region that is not enabled", "AuthFailure", func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), "us-east-1", "ap-east-1"))
		}},
	} {
		r := k.request(form)
		tc.set(r)
		if a := k.send(r); a.code != tc.code || a.status != statusFor(tc.code) {
			t.Errorf("%s: %d %q %s, want %s", tc.name, a.status, a.code, a.body, tc.code)
		}
	}
	k.in("ap-east-1").to("rds").fails("InvalidClientTokenId", "DescribeDBInstances")

	strict := newCaller(t, Options{StrictCredentials: true, Keys: map[string]string{"AKIATEST": "222233334444"}})
	strict.as("AKIANOBODY").fails("AuthFailure", "DescribeInstances")
	strict.as("999988887777").fails("AuthFailure", "DescribeInstances")
	strict.as("AKIATEST").ok("DescribeInstances")
	if id := strict.as("AKIATEST").to("sts").ok("GetCallerIdentity").element("Account"); id != "222233334444" {
		t.Errorf("a listed key acts as %s", id)
	}
	if id := k.as("AKIAANY").to("sts").ok("GetCallerIdentity").element("Account"); id != DefaultAccount {
		t.Errorf("any key acts as %s", id)
	}
}

func TestAPresignedRequestIsUnderstood(t *testing.T) {
	k := newCaller(t, Options{})
	r, err := http.NewRequest(http.MethodGet, "http://sim/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential="+
		url.QueryEscape("222233334444/20261120/eu-west-1/sts/aws4_request")+"&X-Amz-Signature=00&X-Amz-Date=x&X-Amz-SignedHeaders=host&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := k.send(r); a.element("Account") != "222233334444" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestFiltersSelectAsEC2Does(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(
		Resource{Name: "shop-dev-1", Type: "t3.micro", Zone: "us-east-1a", Tags: map[string]string{"Env": "dev", "Owner": ""}},
		Resource{Name: "shop-dev-2", Type: "t3.small", Zone: "us-east-1b", State: "stopped", Tags: map[string]string{"Env": "dev"}},
		Resource{Name: "shop-prod-1", Type: "m5.large", Zone: "us-east-1a", Tags: map[string]string{"Env": "prod"}},
		Resource{Name: "odd*name", Type: "m5.large", Zone: "us-east-1c"},
	)
	first, _ := k.c.Instance(k.id("shop-dev-1"))
	for _, tc := range []struct {
		name string
		want []string
		args []string
	}{
		{"tag value", []string{"shop-dev-1", "shop-dev-2"}, []string{"tag:Env", "dev"}},
		{"star", []string{"shop-dev-1", "shop-dev-2", "shop-prod-1"}, []string{"tag:Name", "shop-*"}},
		{"question mark", []string{"shop-dev-1", "shop-dev-2"}, []string{"tag:Name", "shop-???-?"}},
		{"escaped star", []string{"odd*name"}, []string{"tag:Name", `odd\*name`}},
		{"case matters", nil, []string{"tag:Env", "DEV"}},
		{"empty value", []string{"shop-dev-1"}, []string{"tag:Owner", ""}},
		{"tag key", []string{"shop-dev-1"}, []string{"tag-key", "Own*"}},
		{"values are or", []string{"shop-dev-2", "shop-prod-1"}, []string{"tag:Name", "shop-dev-2|shop-prod-1"}},
		{"filters are and", []string{"shop-dev-1"}, []string{"tag:Env", "dev", "instance-state-name", "running"}},
		{"state", []string{"shop-dev-2"}, []string{"instance-state-name", "stopped"}},
		{"type", []string{"shop-dev-1", "shop-dev-2"}, []string{"instance-type", "t3.*"}},
		{"zone", []string{"shop-dev-1", "shop-prod-1"}, []string{"availability-zone", "us-east-1a"}},
		{"id", []string{"shop-dev-1"}, []string{"instance-id", first.ID}},
		{"address", []string{"shop-dev-1"}, []string{"private-ip-address", "10.0.0.1"}},
		{"owner", []string{"shop-dev-1", "shop-dev-2", "shop-prod-1", "odd*name"}, []string{"owner-id", "111122223333"}},
		{"other vpc", nil, []string{"vpc-id", "vpc-00000000"}},
		{"root", []string{"shop-dev-1", "shop-dev-2", "shop-prod-1", "odd*name"}, []string{"root-device-type", "ebs"}},
	} {
		var pairs []string
		for i := 0; i < len(tc.args); i += 2 {
			pairs = append(pairs, fmt.Sprintf("Filter.%d.Name", i/2+1), tc.args[i])
			for j, v := range strings.Split(tc.args[i+1], "|") {
				pairs = append(pairs, fmt.Sprintf("Filter.%d.Value.%d", i/2+1, j+1), v)
			}
		}
		var got []string
		for _, id := range k.ok("DescribeInstances", pairs...).elements("instanceId") {
			i, _ := k.c.Instance(id)
			got = append(got, i.Name)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestPagesChainAndHoldEachInstanceOnce(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web-####", Count: 2300})
	pages, seen, token := 0, map[string]bool{}, ""
	for {
		pairs := []string{"MaxResults", "1000"}
		if token != "" {
			pairs = append(pairs, "NextToken", token)
		}
		a := k.ok("DescribeInstances", pairs...)
		pages++
		for _, id := range a.elements("instanceId") {
			if seen[id] {
				t.Fatalf("%s twice", id)
			}
			seen[id] = true
		}
		if token = a.element("nextToken"); token == "" {
			break
		}
	}
	if pages != 3 || len(seen) != 2300 {
		t.Errorf("%d pages, %d instances; want 3 and 2300", pages, len(seen))
	}
	a := k.ok("DescribeInstances", "MaxResults", "5")
	next := a.element("nextToken")
	k.fails("InvalidNextToken", "DescribeInstances", "MaxResults", "5", "NextToken", next, "Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "running")
	k.as("222233334444").fails("InvalidNextToken", "DescribeInstances", "MaxResults", "5", "NextToken", next)
	k.clock.pass(tokenLife + time.Second)
	k.fails("InvalidNextToken", "DescribeInstances", "MaxResults", "5", "NextToken", next)
}

func TestAPageCapBoundsEveryPage(t *testing.T) {
	k := newCaller(t, Options{PageCap: 7})
	k.load(Resource{Name: "web-##", Count: 20})
	a := k.ok("DescribeInstances")
	if n := len(a.elements("instanceId")); n != 7 || a.element("nextToken") == "" {
		t.Errorf("%d instances, token %q", n, a.element("nextToken"))
	}
}

func TestRunInstancesHonoursItsClientToken(t *testing.T) {
	k := newCaller(t, Options{})
	args := []string{
		"ImageId", "ami-0abcdef1234567890", "InstanceType", "t3.micro", "MinCount", "2", "MaxCount", "3", "ClientToken", "once",
		"TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "商城",
	}
	first := k.ok("RunInstances", args...)
	again := k.ok("RunInstances", args...)
	if a, b := first.elements("instanceId"), again.elements("instanceId"); len(a) != 3 || !slices.Equal(a, b) {
		t.Errorf("%v, then %v", a, b)
	}
	if n := len(k.c.Instances("", "")); n != 3 {
		t.Errorf("%d instances exist", n)
	}
	k.fails("IdempotentParameterMismatch", "RunInstances", append(args, "InstanceType", "t3.small")...)
	if d := k.ok("DescribeInstances"); len(d.elements("reservationId")) != 1 {
		t.Errorf("one launch, %d reservations", len(d.elements("reservationId")))
	}
	if k.c.Instances("", "")[0].Name != "商城" {
		t.Error("the launch lost its tag")
	}
}

func TestTagsAreSetListedAndRemoved(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web", ASG: "group"})
	id := k.id("web")
	k.ok("CreateTags", "ResourceId.1", id, "Tag.1.Key", "Schedule", "Tag.1.Value", "office", "Tag.2.Key", "a<b>&\"", "Tag.2.Value", "é\n")
	i, _ := k.c.Instance(id)
	if i.Tags["Schedule"] != "office" || i.Tags["a<b>&\""] != "é\n" {
		t.Errorf("tags are %v", i.Tags)
	}
	if got := k.ok("DescribeTags", "Filter.1.Name", "key", "Filter.1.Value.1", "Sched*").element("value"); got != "office" {
		t.Errorf("DescribeTags gives %q", got)
	}
	k.ok("DeleteTags", "ResourceId.1", id, "Tag.1.Key", "Schedule", "Tag.1.Value", "other")
	if i, _ := k.c.Instance(id); i.Tags["Schedule"] != "office" {
		t.Error("a tag with another value went")
	}
	k.ok("DeleteTags", "ResourceId.1", id)
	if i, _ := k.c.Instance(id); len(i.Tags) != 1 || i.Tags["aws:autoscaling:groupName"] != "group" {
		t.Errorf("left are %v", i.Tags)
	}
}

func TestAttributesAndTypesChange(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web", State: "stopped"})
	id := k.id("web")
	k.ok("ModifyInstanceAttribute", "InstanceId", id, "InstanceType.Value", "m5.large")
	k.ok("ModifyInstanceAttribute", "InstanceId", id, "Attribute", "disableApiStop", "Value", "true")
	if v := k.ok("DescribeInstanceAttribute", "InstanceId", id, "Attribute", "instanceType").element("value"); v != "m5.large" {
		t.Errorf("type %q", v)
	}
	if v := k.ok("DescribeInstanceAttribute", "InstanceId", id, "Attribute", "disableApiStop").element("value"); v != "true" {
		t.Errorf("disableApiStop %q", v)
	}
	k.ok("StartInstances", ids(id)...)
	k.clock.pass(time.Minute)
	k.fails("OperationNotPermitted", "StopInstances", ids(id)...)
	k.ok("ModifyInstanceAttribute", "InstanceId", id, "DisableApiStop.Value", "false")
	k.ok("StopInstances", ids(id)...)
}

func TestCapacityPoolsRunShortAndRecover(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "a", State: "stopped", Type: "c5.large", Zone: "us-east-1a"}, Resource{Name: "b", State: "stopped", Type: "c5.large", Zone: "us-east-1a"},
		Resource{Name: "c", State: "stopped", Type: "c5.large", Zone: "us-east-1b"})
	k.c.LimitCapacity("us-east-1a", "c5.large", 1)
	a := k.fails("InsufficientInstanceCapacity", "StartInstances", ids(k.id("a"), k.id("b"), k.id("c"))...)
	if !strings.Contains(a.msg, "c5.large") || !strings.Contains(a.msg, "us-east-1a") {
		t.Errorf("message %q", a.msg)
	}
	if k.state("c") != "stopped" {
		t.Error("a refused batch started a member")
	}
	k.ok("StartInstances", ids(k.id("a"), k.id("c"))...)
	k.fails("InsufficientInstanceCapacity", "StartInstances", ids(k.id("b"))...)
	k.clock.pass(time.Minute)
	k.ok("StopInstances", ids(k.id("a"))...)
	k.ok("StartInstances", ids(k.id("b"))...)

	k.c.LimitCapacity("us-east-1c", "c5.large", 2)
	launch := []string{"ImageId", "ami-0abcdef1234567890", "InstanceType", "c5.large", "Placement.AvailabilityZone", "us-east-1c", "MaxCount", "5"}
	if n := len(k.ok("RunInstances", append(launch, "MinCount", "1")...).elements("instanceId")); n != 2 {
		t.Errorf("a launch of 1 to 5 into 2 places gave %d", n)
	}
	k.fails("InsufficientInstanceCapacity", "RunInstances", append(launch, "MinCount", "1")...)
}

func TestListingsLagBehindUnderEventualConsistency(t *testing.T) {
	k := newCaller(t, Options{EventualConsistency: time.Minute})
	k.load(Resource{Name: "web-##", Count: 50, State: "stopped"})
	var all []string
	for _, i := range k.c.Instances("", "") {
		all = append(all, i.ID)
	}
	k.ok("StartInstances", ids(all...)...)
	count := func() int {
		return len(k.ok("DescribeInstances", "Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "stopped").elements("instanceId"))
	}
	if n := count(); n == 0 {
		t.Error("the start was seen at once by all")
	}
	k.clock.pass(2 * time.Minute)
	if n := count(); n != 0 {
		t.Errorf("%d still seen stopped after the bound", n)
	}
	// Actions see the truth.
	k.ok("StopInstances", ids(all...)...)
	k.fails("IncorrectInstanceState", "StartInstances", ids(all...)...)
	// A new instance is not found yet, and found at last.
	for n := range 20 {
		id := k.ok("RunInstances", "ImageId", "ami-0abcdef1234567890", "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1").element("instanceId")
		if a := k.call("DescribeInstances", ids(id)...); a.code == "InvalidInstanceID.NotFound" {
			k.clock.pass(time.Minute)
			k.ok("DescribeInstances", ids(id)...)
			return
		} else if n == 19 {
			t.Error("20 new instances were seen at once")
		}
	}
}

func TestRegionsAndZones(t *testing.T) {
	k := newCaller(t, Options{})
	if err := k.c.Load(Fleet{Accounts: []Account{{ID: "111122223333", OptIn: []string{"ap-east-1"}, Disabled: []string{"eu-west-3"}}}}); err != nil {
		t.Fatal(err)
	}
	list := k.ok("DescribeRegions").elements("regionName")
	if !slices.Contains(list, "ap-east-1") || slices.Contains(list, "eu-west-3") || slices.Contains(list, "cn-north-1") || slices.Contains(list, "me-south-1") {
		t.Errorf("enabled regions: %v", list)
	}
	if all := k.ok("DescribeRegions", "AllRegions", "true").elements("regionName"); !slices.Contains(all, "me-south-1") {
		t.Errorf("all regions: %v", all)
	}
	k.in("eu-west-3").fails("AuthFailure", "DescribeInstances")
	k.in("ap-east-1").ok("DescribeInstances")
	if cn := k.in("cn-north-1").ok("DescribeRegions").elements("regionName"); !slices.Equal(cn, []string{"cn-north-1", "cn-northwest-1"}) {
		t.Errorf("regions of aws-cn: %v", cn)
	}
	if z := k.in("cn-north-1").ok("DescribeAvailabilityZones").elements("zoneName"); !slices.Equal(z, []string{"cn-north-1a", "cn-north-1b", "cn-north-1d"}) {
		t.Errorf("zones: %v", z)
	}
	if n := k.ok("DescribeInstanceTypes", "InstanceType.1", "m5.large").element("sizeInMiB"); n != "8192" {
		t.Errorf("m5.large has %s MiB", n)
	}
	if n := len(k.ok("DescribeImages", "Owner.1", "amazon", "Filter.1.Name", "architecture", "Filter.1.Value.1", "arm64").elements("imageId")); n != 1 {
		t.Errorf("%d arm64 images", n)
	}
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web", State: "stopped"})
	id := k.id("web")
	for _, other := range []caller{k.as("222233334444"), k.in("eu-west-1")} {
		other.fails("InvalidInstanceID.NotFound", "StartInstances", ids(id)...)
		if n := len(other.ok("DescribeInstances").elements("instanceId")); n != 0 {
			t.Errorf("another scope sees %d instances", n)
		}
	}
}

func TestOnlyAHeldPlaceIsGivenBack(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "sick", State: "stopped", Type: "c5.large", Zone: "us-east-1a", StartError: "Client.InternalError"},
		Resource{Name: "a", State: "stopped", Type: "c5.large", Zone: "us-east-1a"}, Resource{Name: "b", Type: "c5.large", Zone: "us-east-1a"})
	k.c.LimitCapacity("us-east-1a", "c5.large", 0)
	k.ok("StartInstances", ids(k.id("sick"))...) // will not run, and takes no place
	k.ok("TerminateInstances", ids(k.id("sick"))...)
	k.fails("InsufficientInstanceCapacity", "StartInstances", ids(k.id("a"))...)
	k.ok("TerminateInstances", ids(k.id("b"))...)
	k.ok("TerminateInstances", ids(k.id("b"))...)
	k.ok("StartInstances", ids(k.id("a"))...)
	if err := k.c.StartInstance(k.id("a")); err == nil {
		t.Error("a pending instance was started")
	}
}

// A reboot is no start: an instance stays running, with the launch time it had,
// and terminated ones are passed over.
func TestARebootChangesNothingThatIsListed(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "a"}, Resource{Name: "b"}, Resource{Name: "gone", State: "terminated"}, Resource{Name: "down", State: "stopped"})
	before := k.c.Instances("", "")
	if a := k.ok("RebootInstances", ids(k.id("a"), k.id("b"), k.id("gone"))...); a.element("return") != "true" {
		t.Errorf("answer %s", a.body)
	}
	k.fails("DryRunOperation", "RebootInstances", append(ids(k.id("a")), "DryRun", "true")...)
	k.fails("InvalidInstanceID.NotFound", "RebootInstances", ids(k.id("a"), "i-00000000000000001")...)
	k.ok("StartInstances", ids(k.id("down"))...)
	k.fails("IncorrectInstanceState", "RebootInstances", ids(k.id("down"))...) // pending
	after := k.c.Instances("", "")
	if diff := cmp.Diff(before[:3], after[:3]); diff != "" {
		t.Error(diff)
	}
}
