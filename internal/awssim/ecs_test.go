package awssim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
)

// ask sends a request of a service in JSON.
func (k caller) ask(service, action, body string) (string, answer) {
	k.t.Helper()
	prefix := map[string]string{"ecs": "AmazonEC2ContainerServiceV20141113.", "application-autoscaling": "AnyScaleFrontendService.", "tagging": "ResourceGroupsTaggingAPI_20170126."}
	r := k.to(service).request(nil)
	raw, err := http.NewRequest(http.MethodPost, "http://sim/", strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	raw.Header = r.Header
	raw.Header.Set("Content-Type", "application/x-amz-json-1.1")
	raw.Header.Set("X-Amz-Target", prefix[service]+action)
	a := k.send(raw)
	_, rest, _ := strings.Cut(a.body, `"__type":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code, a
}

func newECS(t *testing.T, opt Options, resources ...Resource) caller {
	t.Helper()
	k := *newCaller(t, opt)
	for i := range resources {
		resources[i].Kind = "ecs"
	}
	k.load(resources...)
	return k
}

func (k caller) ecsService(id string) Service {
	k.t.Helper()
	for _, s := range k.c.Services("", "") {
		if s.ID == id {
			return s
		}
	}
	k.t.Fatalf("no service %s", id)
	return Service{}
}

func TestTasksComeAndGo(t *testing.T) {
	k := newECS(t, Options{}, Resource{Name: "shop", Cluster: "web", Desired: 3}, Resource{Name: "cart", Cluster: "web", State: "stopped", StartError: "RESOURCE"})
	scale := func(name string, desired int) {
		t.Helper()
		if code, a := k.ask("ecs", "UpdateService", fmt.Sprintf(`{"cluster":"web","service":%q,"desiredCount":%d}`, name, desired)); a.status != 200 {
			t.Fatal(code, a.body)
		}
	}
	want := func(when, id string, desired, running, pending int) {
		t.Helper()
		if s := k.ecsService(id); s.Desired != desired || s.Running != running || s.Pending != pending {
			t.Errorf("%s: %d wanted, %d running, %d pending; want %d, %d, %d", when, s.Desired, s.Running, s.Pending, desired, running, pending)
		}
	}
	want("at first", "web/shop", 3, 3, 0)
	scale("shop", 0)
	want("right after the stop", "web/shop", 0, 3, 0)
	k.clock.pass(36 * time.Second)
	want("soon", "web/shop", 0, 0, 0)
	scale("shop", 5)
	want("right after the start", "web/shop", 5, 0, 5)
	scale("shop", 2)
	want("thought again", "web/shop", 2, 0, 2)
	k.clock.pass(71 * time.Second)
	want("a minute later", "web/shop", 2, 2, 0)
	scale("cart", 1)
	k.clock.pass(time.Hour)
	want("without a place", "web/cart", 1, 0, 1)
	if _, a := k.ask("ecs", "DescribeServices", `{"cluster":"web","services":["cart"]}`); !strings.Contains(a.body, "unable to place a task") {
		t.Error(a.body)
	}
}

// Whatever is changed of a target, the service's number is moved into its bounds.
func TestAChangedTargetMovesTheServiceIntoItsBounds(t *testing.T) {
	k := newECS(t, Options{}, Resource{Name: "shop", Desired: 3, Min: 2, Max: 9})
	const id = `{"ServiceNamespace":"ecs","ResourceId":"service/default/shop","ScalableDimension":"ecs:service:DesiredCount"`
	register := func(more string) {
		t.Helper()
		if code, a := k.ask("application-autoscaling", "RegisterScalableTarget", id+more+"}"); a.status != 200 {
			t.Fatal(code, a.body)
		}
	}
	if _, a := k.ask("ecs", "UpdateService", `{"service":"shop","desiredCount":0}`); a.status != 200 {
		t.Fatal(a.body)
	}
	register(`,"SuspendedState":{"DynamicScalingInSuspended":true}`)
	if s := k.ecsService("default/shop"); s.Desired != 2 || len(s.Suspended) != 1 {
		t.Errorf("%+v", s)
	}
	register(`,"MaxCapacity":1,"MinCapacity":0`)
	if s := k.ecsService("default/shop"); s.Desired != 1 || s.Max != 1 || len(s.Suspended) != 1 {
		t.Errorf("%+v", s)
	}
	for to, want := range map[int]bool{0: false, 5: false} { // in is suspended, and 1 is the most
		if changed, err := k.c.AutoScaleService(k.key, k.region, "default/shop", to); err != nil || changed != want {
			t.Errorf("to %d: %v %v", to, changed, err)
		}
	}
	if code, a := k.ask("application-autoscaling", "DeregisterScalableTarget", id+"}"); a.status != 200 || k.ecsService("default/shop").Scaled {
		t.Error(code, a.body)
	}
	if code, _ := k.ask("application-autoscaling", "DeregisterScalableTarget", id+"}"); code != "ObjectNotFoundException" {
		t.Error(code)
	}
}

func TestECSRefusesInItsOwnWords(t *testing.T) {
	k := newECS(t, Options{}, Resource{Name: "shop", Min: 1, Max: 3}, Resource{Name: "plain"}, Resource{Name: "agent", Scheduling: "DAEMON"}, Resource{Name: "rolled", Controller: "EXTERNAL"})
	arn := k.ecsService("default/shop").ARN
	const target = `"ServiceNamespace":"ecs","ScalableDimension":"ecs:service:DesiredCount"`
	for _, tc := range []struct{ name, service, action, body, code, says string }{
		{"no such cluster", "ecs", "UpdateService", `{"cluster":"web","service":"shop","desiredCount":1}`, "ClusterNotFoundException", "Cluster not found"},
		{"no such service", "ecs", "UpdateService", `{"service":"ghost","desiredCount":1}`, "ServiceNotFoundException", "Service not found"},
		{"a number for a daemon", "ecs", "UpdateService", `{"service":"agent","desiredCount":1}`, "InvalidParameterException", "daemon scheduling strategy"},
		{"a negative number", "ecs", "UpdateService", `{"service":"shop","desiredCount":-1}`, "InvalidParameterException", "desiredCount"},
		{"a deployment from outside", "ecs", "UpdateService", `{"service":"rolled","forceNewDeployment":true}`, "InvalidParameterException", "EXTERNAL"},
		{"a member that is not modelled", "ecs", "UpdateService", `{"service":"shop","taskDefinition":"a:1"}`, "InvalidParameterException", "taskDefinition"},
		{"eleven services", "ecs", "DescribeServices", `{"services":["a","b","c","d","e","f","g","h","i","j","k"]}`, "InvalidParameterException", "more than 10"},
		{"none", "ecs", "DescribeServices", `{}`, "InvalidParameterException", "empty"},
		{"a page too large", "ecs", "ListServices", `{"maxResults":101}`, "InvalidParameterException", "maxResults"},
		{"a strange token", "ecs", "ListClusters", `{"nextToken":"abc"}`, "InvalidParameterException", "nextToken"},
		{"a semicolon in a tag", "ecs", "TagResource", `{"resourceArn":"` + arn + `","tags":[{"key":"a","value":"3;1"}]}`, "InvalidParameterException", "invalid characters"},
		{"a tag of AWS", "ecs", "TagResource", `{"resourceArn":"` + arn + `","tags":[{"key":"aws:a","value":"3"}]}`, "InvalidParameterException", "reserved"},
		{"a tag on nothing", "ecs", "TagResource", `{"resourceArn":"` + arn + `x","tags":[{"key":"a","value":"3"}]}`, "InvalidParameterException", "not found"},
		{"unknown operation", "ecs", "RunTask", `{}`, "UnknownOperationException", "RunTask"},
		{"another namespace", "application-autoscaling", "DescribeScalableTargets", `{"ServiceNamespace":"dynamodb"}`, "ValidationException", "ecs alone"},
		{"a target without bounds", "application-autoscaling", "RegisterScalableTarget", `{` + target + `,"ResourceId":"service/default/plain"}`, "ValidationException", "MinCapacity"},
		{"bounds the wrong way round", "application-autoscaling", "RegisterScalableTarget", `{` + target + `,"ResourceId":"service/default/shop","MinCapacity":4}`, "ValidationException", "less than minimum"},
		{"a target of nothing", "application-autoscaling", "RegisterScalableTarget", `{` + target + `,"ResourceId":"service/default/ghost","MinCapacity":1,"MaxCapacity":1}`, "ValidationException", "doesn't exist"},
		{"a strange token there", "application-autoscaling", "DescribeScalableTargets", `{"ServiceNamespace":"ecs","NextToken":"abc"}`, "InvalidNextTokenException", "NextToken"},
		{"another type", "tagging", "GetResources", `{"ResourceTypeFilters":["s3"]}`, "InvalidParameterException", "ecs:service"},
		{"a page too large there", "tagging", "GetResources", `{"ResourceTypeFilters":["ecs:service"],"ResourcesPerPage":101}`, "InvalidParameterException", "ResourcesPerPage"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := k
			k.t = t
			if code, a := k.ask(tc.service, tc.action, tc.body); code != tc.code || a.status != 400 || !strings.Contains(a.body, tc.says) {
				t.Errorf("%d %s", a.status, a.body)
			}
			k.clock.pass(time.Second)
		})
	}
}

func TestECSHasABucketForEachCategory(t *testing.T) {
	k := newECS(t, Options{Limits: Limits{Table: AWSLimits()}}, Resource{Name: "shop", Min: 1, Max: 3})
	arn := k.ecsService("default/shop").ARN
	for _, tc := range []struct {
		burst  int
		code   string
		calls  [][3]string
		refill time.Duration // of one call
	}{
		{50, "ThrottlingException", [][3]string{{"ecs", "ListClusters", `{}`}, {"ecs", "DescribeClusters", `{}`}}, time.Second / 20},
		{100, "ThrottlingException", [][3]string{{"ecs", "ListServices", `{}`}, {"ecs", "DescribeServices", `{"services":["shop"]}`}}, time.Second / 20},
		{50, "ThrottlingException", [][3]string{{"ecs", "UpdateService", `{"service":"shop","desiredCount":1}`}}, time.Second / 5},
		{20, "ThrottlingException", [][3]string{{"ecs", "TagResource", `{"resourceArn":"` + arn + `","tags":[{"key":"a"}]}`}, {"ecs", "UntagResource", `{"resourceArn":"` + arn + `","tagKeys":["a"]}`}}, time.Second / 10},
		{15, "ThrottledException", [][3]string{{"tagging", "GetResources", `{"ResourceTypeFilters":["ecs:service"]}`}}, time.Second / 15},
	} {
		for i := range tc.burst {
			c := tc.calls[i%len(tc.calls)]
			if code, a := k.ask(c[0], c[1], c[2]); a.status != 200 {
				t.Fatalf("%s, call %d: %s %s", c[1], i, code, a.body)
			}
		}
		c := tc.calls[0]
		if code, _ := k.ask(c[0], c[1], c[2]); code != tc.code {
			t.Errorf("%s: %q after %d", c[1], code, tc.burst)
		}
		k.clock.pass(tc.refill)
		if code, a := k.ask(c[0], c[1], c[2]); a.status != 200 {
			t.Errorf("%s: %s after the refill of one", c[1], code)
		}
	}
	if s := k.c.Stats(); s.Throttled != 5 {
		t.Errorf("%d throttled", s.Throttled)
	}
}

func TestServicesOfAFleetFile(t *testing.T) {
	const head = "resources:\n  - account: \"111122223333\"\n    region: us-east-1\n    kind: ecs\n"
	f, err := ParseFleet([]byte(head + "    cluster: web\n    name: shop-#\n    count: 2\n    desired: 3\n    min: 1\n    max: 9\n    suspended: [in]\n    tags: {Schedule: office}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	first := c.Services("", "")
	want := Service{
		ID: "web/shop-1", ARN: "arn:aws:ecs:us-east-1:111122223333:service/web/shop-1", Account: "111122223333", Region: "us-east-1", Desired: 3, Running: 3,
		Scaled: true, Min: 1, Max: 9, Suspended: []string{"in"}, Tags: map[string]string{"Schedule": "office"},
	}
	if len(first) != 2 {
		t.Fatal(first)
	}
	if diff := cmp.Diff(want, first[0]); diff != "" {
		t.Error(diff)
	}
	if err := c.Load(f); err == nil || !strings.Contains(err.Error(), "service web/shop-1 exists already") {
		t.Errorf("the same again: %v", err)
	}
	text, err := c.Snapshot().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseFleet(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	d := New(Options{})
	if err := d.Load(again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, d.Services("", "")); diff != "" {
		t.Error(diff)
	}
	for _, tc := range []struct{ file, says string }{
		{"    cluster: web\n", `resources[0].name: "" is not a service`},
		{"    name: a b\n", `resources[0].name: "a b" is not a service`},
		{"    name: a\n    cluster: a/b\n", `resources[0].cluster: "a/b" is not a cluster`},
		{"    name: a\n    count: 2\n", "put # into it"},
		{"    name: a\n    desired: 5001\n", "resources[0].desired: 5001"},
		{"    name: a\n    min: 3\n    max: 2\n", "[7:10] resources[0].max: 3 to 2"},
		{"    name: a\n    suspended: [in]\n", "belongs to a service with min and max"},
		{"    name: a\n    max: 2\n    suspended: [up]\n", `"up" is not known: in, out, scheduled`},
		{"    name: a\n    scheduling: SOMETIMES\n", `"SOMETIMES" is not known: REPLICA, DAEMON`},
		{"    name: a\n    engine: mysql\n", "engine: does not belong to kind ecs"},
		{"    name: a\n    tags: {Owner: \"me;you\"}\n", "ECS takes letters"},
		{"    name: a\n    state: available\n", `"available" is not known: running, stopped`},
	} {
		if _, err := ParseFleet([]byte(head + tc.file)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: %v, want %q", tc.file, err, tc.says)
		}
	}
	if _, err := ParseFleet([]byte(strings.Replace(head, "kind: ecs", "kind: ec2", 1) + "    desired: 3\n")); err == nil || !strings.Contains(err.Error(), "desired: does not belong to kind ec2") {
		t.Errorf("desired of ec2: %v", err)
	}
}

func TestTheGoSDKWaitsForAService(t *testing.T) {
	k := newECS(t, Options{}, Resource{Name: "shop", Cluster: "web", Desired: 3, Min: 1, Max: 9, Tags: map[string]string{"Schedule": "office"}})
	cfg := sdkConfig(k.c, k.region, credentials.NewStaticCredentialsProvider(k.key, "x", ""))
	api := ecs.NewFromConfig(cfg)
	out, err := api.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("web"), Service: aws.String("shop"), DesiredCount: aws.Int32(4)})
	if err != nil || out.Service.DesiredCount != 4 || out.Service.PendingCount != 1 || out.Service.Deployments[0].RolloutState != ecstypes.DeploymentRolloutStateCompleted {
		t.Fatalf("%+v %v", out, err)
	}
	k.clock.pass(2 * time.Minute)
	waiter := ecs.NewServicesStableWaiter(api)
	if err := waiter.Wait(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("web"), Services: []string{"shop"}}, time.Minute); err != nil {
		t.Error(err)
	}
	var gone *ecstypes.ServiceNotFoundException
	if _, err := api.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("web"), Service: aws.String("ghost")}); !errors.As(err, &gone) {
		t.Errorf("ghost: %v", err)
	}
	targets, err := applicationautoscaling.NewFromConfig(cfg).DescribeScalableTargets(t.Context(), &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceIds: []string{"service/web/shop", "service/web/ghost"},
	})
	if err != nil || len(targets.ScalableTargets) != 1 || aws.ToInt32(targets.ScalableTargets[0].MaxCapacity) != 9 || targets.ScalableTargets[0].SuspendedState == nil || targets.ScalableTargets[0].CreationTime == nil {
		t.Errorf("%+v %v", targets, err)
	}
}
