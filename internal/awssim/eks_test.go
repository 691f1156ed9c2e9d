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
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
)

func newEKS(t *testing.T, opt Options, resources ...Resource) caller {
	t.Helper()
	k := *newCaller(t, opt)
	for i := range resources {
		resources[i].Kind = "eks"
	}
	k.load(resources...)
	return k
}

// rest sends a request of a service in REST and gives its refusal's code.
func (k caller) rest(method, path, body string) (string, answer, http.Header) {
	k.t.Helper()
	raw, err := http.NewRequest(method, "http://sim"+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	raw.Header = k.to("eks").request(nil).Header
	raw.Header.Set("Content-Type", "application/json")
	resp, err := k.c.Transport().RoundTrip(raw)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	buf := make([]byte, 1<<16)
	for {
		n, err := resp.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return resp.Header.Get("X-Amzn-Errortype"), answer{status: resp.StatusCode, body: text.String()}, resp.Header
}

func (k caller) nodeGroup(id string) NodeGroup {
	k.t.Helper()
	for _, n := range k.c.NodeGroups("", "") {
		if n.ID == id {
			return n
		}
	}
	k.t.Fatalf("no node group %s", id)
	return NodeGroup{}
}

func TestNodesComeAndGo(t *testing.T) {
	k := newEKS(t, Options{}, Resource{Name: "blue", Cluster: "web", Min: 2, Desired: 7, Max: 9})
	update := func(scaling, token string) (string, answer) {
		t.Helper()
		code, a, _ := k.rest("POST", "/clusters/web/node-groups/blue/update-config", fmt.Sprintf(`{"scalingConfig":{%s},"clientRequestToken":%q}`, scaling, token))
		return code, a
	}
	want := func(when, status string, size string, nodes int) {
		t.Helper()
		n := k.nodeGroup("web/blue")
		if is := fmt.Sprintf("%d-%d-%d", n.Min, n.Desired, n.Max); n.Status != status || is != size || len(n.Nodes) != nodes {
			t.Errorf("%s: %s, %s, %d nodes; want %s, %s, %d", when, n.Status, is, len(n.Nodes), status, size, nodes)
		}
	}
	want("at first", "ACTIVE", "2-7-9", 7)
	nothing := `"minSize":0,"desiredSize":0,"maxSize":1`
	if code, a := update(nothing, "one"); a.status != 200 || !strings.Contains(a.body, `"type":"ConfigUpdate"`) || !strings.Contains(a.body, `"status":"InProgress"`) {
		t.Fatal(code, a.body)
	}
	want("right after the stop", "UPDATING", "0-0-1", 0)
	if code, a := update(nothing, "one"); a.status != 200 { // the same token: the same update
		t.Error(code, a.body)
	}
	if code, a := update(nothing, "two"); code != "ResourceInUseException" || a.status != 409 || !strings.Contains(a.body, "currently not in Active State") {
		t.Error(code, a.status, a.body)
	}
	if code, a, _ := k.rest("DELETE", "/clusters/web/node-groups/blue", ""); code != "ResourceInUseException" {
		t.Error(code, a.body)
	}
	k.clock.pass(2 * time.Minute)
	want("two minutes later", "ACTIVE", "0-0-1", 0)
	if code, a := update(`"minSize":2,"desiredSize":7,"maxSize":9`, "three"); a.status != 200 {
		t.Fatal(code, a.body)
	}
	k.clock.pass(2 * time.Minute)
	want("started", "ACTIVE", "2-7-9", 7)
	if code, a := update(`"desiredSize":3`, "four"); a.status != 200 { // any or none of the three
		t.Fatal(code, a.body)
	}
	k.clock.pass(2 * time.Minute)
	want("fewer", "ACTIVE", "2-3-9", 3)
	// The nodes are ordinary instances of a group that is EKS's.
	n := k.nodeGroup("web/blue")
	group, found := k.c.Group(k.key, k.region, n.Group)
	if !found || len(group.Instances) != 3 || group.Tags["eks:nodegroup-name"] != "blue" || group.Tags["eks:cluster-name"] != "web" || !strings.HasPrefix(n.Group, "eks-blue-") {
		t.Errorf("%+v", group)
	}
	if code, a, _ := k.rest("DELETE", "/clusters/web/node-groups/blue", ""); a.status != 200 || !strings.Contains(a.body, `"status":"DELETING"`) {
		t.Error(code, a.body)
	}
	want("being deleted", "DELETING", "2-3-9", 3)
	if code, _ := update(nothing, "five"); code != "ResourceInUseException" {
		t.Error(code)
	}
	k.clock.pass(time.Hour)
	if code, a := update(nothing, "six"); code != "ResourceNotFoundException" || a.status != 404 || !strings.Contains(a.body, "No cluster found for name: web.") {
		t.Error(code, a.status, a.body)
	}
	if left := k.c.Groups("", ""); len(left) != 0 {
		t.Errorf("its group is left: %+v", left)
	}
}

// Degraded by nodes that do not come up, it stays so until some do, as EKS has it.
func TestANodeGroupWithoutItsNodesIsDegraded(t *testing.T) {
	k := newEKS(t, Options{}, Resource{Name: "blue", State: "stopped", StartError: "AsgInstanceLaunchFailures"})
	const path = "/clusters/default/node-groups/blue"
	for _, to := range []string{`"desiredSize":1`, `"desiredSize":0`} {
		if code, a, _ := k.rest("POST", path+"/update-config", `{"scalingConfig":{`+to+`}}`); a.status != 200 {
			t.Fatal(code, a.body)
		}
		k.clock.pass(time.Hour)
		if n := k.nodeGroup("default/blue"); n.Status != "DEGRADED" || len(n.Nodes) != 0 {
			t.Errorf("%s: %+v", to, n)
		}
		if _, a, _ := k.rest("GET", path, ""); !strings.Contains(a.body, `"issues":[{"code":"AsgInstanceLaunchFailures"`) {
			t.Error(a.body)
		}
	}
}

func TestEKSRefusesInItsOwnWords(t *testing.T) {
	k := newEKS(t, Options{}, Resource{Name: "blue", Min: 1, Desired: 2, Max: 3}, Resource{Name: "green"})
	arn := strings.ReplaceAll(strings.ReplaceAll(k.nodeGroup("default/blue").ARN, ":", "%3A"), "/", "%2F")
	const blue = "/clusters/default/node-groups/blue"
	for _, tc := range []struct {
		name, method, path, body, code string
		status                         int
		says                           string
	}{
		{"no such cluster", "GET", "/clusters/web/node-groups", "", "ResourceNotFoundException", 404, "No cluster found for name: web."},
		{"no such node group", "GET", "/clusters/default/node-groups/red", "", "ResourceNotFoundException", 404, "No node group found for name: red."},
		{"a maximum of none", "POST", blue + "/update-config", `{"scalingConfig":{"minSize":0,"desiredSize":0,"maxSize":0}}`, "InvalidParameterException", 400, "maxSize"},
		{"less than none", "POST", blue + "/update-config", `{"scalingConfig":{"minSize":-1}}`, "InvalidParameterException", 400, "minSize"},
		{"fewer than the minimum", "POST", blue + "/update-config", `{"scalingConfig":{"desiredSize":0}}`, "InvalidParameterException", 400, "minSize can't be greater than desiredSize"},
		{"more than the maximum", "POST", blue + "/update-config", `{"scalingConfig":{"desiredSize":4}}`, "InvalidParameterException", 400, "desiredSize can't be greater than maxSize"},
		{"bounds the wrong way round", "POST", blue + "/update-config", `{"scalingConfig":{"minSize":4}}`, "InvalidParameterException", 400, "minSize can't be greater than maxSize"},
		{"a member that is not modelled", "POST", blue + "/update-config", `{"labels":{"removeLabels":["a"]}}`, "InvalidParameterException", 400, "labels"},
		{"no JSON", "POST", blue + "/update-config", `{`, "SerializationException", 400, "not a JSON object"},
		{"an operation that is not modelled", "POST", blue + "/update-version", `{}`, "UnknownOperationException", 404, "update-version"},
		{"another method", "PUT", "/clusters", "", "InvalidRequest", 405, "PUT"},
		{"a page too large", "GET", "/clusters?maxResults=101", "", "InvalidParameterException", 400, "maxResults"},
		{"a strange token", "GET", "/clusters/default/node-groups?nextToken=abc", "", "InvalidParameterException", 400, "nextToken"},
		{"a strange parameter", "GET", "/clusters?colour=red", "", "InvalidParameterException", 400, "colour"},
		{"a tag of AWS", "POST", "/tags/" + arn, `{"tags":{"aws:a":"b"}}`, "BadRequestException", 400, "reserved"},
		{"signs in a tag", "POST", "/tags/" + arn, `{"tags":{"a":"3;1"}}`, "BadRequestException", 400, "invalid characters"},
		{"no tags", "POST", "/tags/" + arn, `{"tags":{}}`, "BadRequestException", 400, "empty"},
		{"no keys", "DELETE", "/tags/" + arn, "", "BadRequestException", 400, "empty"},
		{"tags of nothing", "GET", "/tags/" + arn + "x", "", "NotFoundException", 404, "No resource found"},
		{"tags of a cluster", "GET", "/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A111122223333%3Acluster%2Fdefault", "", "BadRequestException", 400, "node groups alone"},
		{"an ARN that is not encoded", "GET", "/tags/arn:aws:eks:us-east-1:111122223333:nodegroup/default/blue", "", "UnknownOperationException", 404, ""},
		{"tagging of another type", "GET", "/", "", "UnknownOperationException", 404, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := k
			k.t = t
			code, a, header := k.rest(tc.method, tc.path, tc.body)
			if code != tc.code && tc.status != 405 || a.status != tc.status || !strings.Contains(a.body, tc.says) || tc.status != 405 && header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s %s", a.status, code, a.body)
			}
		})
	}
	if n := k.nodeGroup("default/blue"); n.Desired != 2 || n.Status != "ACTIVE" || len(n.Tags) != 0 {
		t.Errorf("%+v", n)
	}
	if _, a, _ := k.as("000000000000").rest("GET", "/clusters", ""); a.status != 200 || a.body != `{"clusters":[]}` {
		t.Error(a.status, a.body)
	}
}

func TestNodeGroupsInAFleetFile(t *testing.T) {
	const head = "resources:\n  - account: \"111122223333\"\n    region: us-east-1\n    kind: eks\n"
	f, err := ParseFleet([]byte(head + "    cluster: web\n    name: blue-#\n    count: 2\n    type: m6g.large\n    min: 1\n    desired: 3\n    max: 9\n    tags: {Schedule: office}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	first := c.NodeGroups("", "")
	if len(first) != 2 || first[0].ID != "web/blue-1" || first[0].Status != "ACTIVE" || len(first[0].Nodes) != 3 || first[0].Max != 9 || first[0].Tags["Schedule"] != "office" ||
		!strings.HasPrefix(first[0].ARN, "arn:aws:eks:us-east-1:111122223333:nodegroup/web/blue-1/") {
		t.Fatalf("%+v", first)
	}
	if err := c.Load(f); err == nil || !strings.Contains(err.Error(), "node group web/blue-1 exists already") {
		t.Errorf("the same again: %v", err)
	}
	snapshot := c.Snapshot()
	if len(snapshot.Resources) != 2 {
		t.Errorf("the groups and nodes beneath are given back as well: %+v", snapshot.Resources)
	}
	d := New(Options{})
	if err := d.Load(snapshot); err != nil {
		t.Fatal(err)
	}
	again := d.NodeGroups("", "")
	for i := range again {
		again[i].Nodes, first[i].Nodes = again[i].Nodes[:0], first[i].Nodes[:0] // which instances they are is not kept
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	stopped := New(Options{})
	if err := stopped.Load(Fleet{Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "eks", Name: "a", State: "stopped"}}}); err != nil {
		t.Fatal(err)
	}
	if n := stopped.NodeGroups("", "")[0]; n.Max != 1 || n.Desired != 0 || n.ID != "default/a" {
		t.Errorf("%+v", n)
	}
	for _, tc := range []struct{ file, says string }{
		{"    cluster: web\n", `resources[0].name: "" is not a node group`},
		{"    name: a b\n", `resources[0].name: "a b" is not a node group`},
		{"    name: a\n    cluster: -x\n", `resources[0].cluster: "-x" is not a cluster`},
		{"    name: a\n    count: 2\n", "put # into it"},
		{"    name: a\n    type: x9.large\n", `"x9.large" is not an instance type`},
		{"    name: a\n    min: 3\n    desired: 2\n    max: 9\n", "resources[0].desired: 3-2-9"},
		{"    name: a\n    state: stopped\n    desired: 2\n", "a stopped node group has no node"},
		{"    name: a\n    state: available\n", `"available" is not known: running, stopped`},
		{"    name: a\n    engine: mysql\n", "engine: does not belong to kind eks"},
		{"    name: a\n    propagate: true\n", "propagate: does not belong to kind eks"},
		{"    name: a\n    suspended: [Launch]\n", "suspended: does not belong to kind eks"},
		{"    name: a\n    start_error: Client.InternalError\n", "is not the code of a health issue"},
		{"    name: a\n    tags: {Owner: \"me;you\"}\n", "EKS takes letters"},
	} {
		if _, err := ParseFleet([]byte(head + tc.file)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: %v, want %q", tc.file, err, tc.says)
		}
	}
}

func TestPeopleAndAutoscalersScaleNodeGroups(t *testing.T) {
	k := newEKS(t, Options{}, Resource{Name: "blue", Min: 1, Desired: 2, Max: 4})
	if changed, err := k.c.AutoScaleNodeGroup(k.key, k.region, "default/blue", 9); err != nil || !changed || k.nodeGroup("default/blue").Desired != 4 {
		t.Error(changed, err)
	}
	if changed, err := k.c.AutoScaleNodeGroup(k.key, k.region, "default/blue", 4); err != nil || changed {
		t.Error(changed, err)
	}
	if err := k.c.ScaleNodeGroup(k.key, k.region, "default/blue", 0, 0, 0); err == nil || !strings.Contains(err.Error(), "max at least 1") {
		t.Error(err)
	}
	if err := k.c.ScaleNodeGroup(k.key, k.region, "default/red", 0, 1, 1); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Error(err)
	}
	if err := k.c.UpgradeNodeGroup(k.key, k.region, "default/blue"); err != nil || k.nodeGroup("default/blue").Status != "UPDATING" {
		t.Error(err)
	}
}

// The SDK pages, waits, tags and tells errors apart.
func TestTheGoSDKManagesNodeGroups(t *testing.T) {
	k := newEKS(t, Options{}, Resource{Name: "blue-###", Cluster: "web", Count: 120, Desired: 1, Tags: map[string]string{"Schedule": "office"}}, Resource{Name: "other", Cluster: "batch"})
	ctx := t.Context()
	api := eks.NewFromConfig(sdkConfig(k.c, k.region, credentials.NewStaticCredentialsProvider(k.key, "x", "")))
	clusters, err := api.ListClusters(ctx, &eks.ListClustersInput{})
	if err != nil || !cmp.Equal(clusters.Clusters, []string{"batch", "web"}) {
		t.Fatalf("%+v %v", clusters, err)
	}
	n := 0
	for pages := eks.NewListNodegroupsPaginator(api, &eks.ListNodegroupsInput{ClusterName: aws.String("web")}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Nodegroups)
	}
	if n != 120 {
		t.Errorf("%d node groups", n)
	}
	one := &eks.DescribeNodegroupInput{ClusterName: aws.String("web"), NodegroupName: aws.String("blue-007")}
	out, err := api.DescribeNodegroup(ctx, one)
	if err != nil {
		t.Fatal(err)
	}
	group := out.Nodegroup
	if group.Status != ekstypes.NodegroupStatusActive || *group.ScalingConfig.DesiredSize != 1 || group.Tags["Schedule"] != "office" || len(group.Subnets) == 0 ||
		group.InstanceTypes[0] != "t3.micro" || *group.Resources.AutoScalingGroups[0].Name != k.nodeGroup("web/blue-007").Group || group.CreatedAt.IsZero() {
		t.Errorf("%+v", group)
	}
	arn := group.NodegroupArn
	if _, err := api.TagResource(ctx, &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"dayshift:saved": "0-1-1", "a.b/c": "", "전원": "아니요"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"Schedule", "a.b/c"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := api.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: arn})
	if diff := cmp.Diff(map[string]string{"dayshift:saved": "0-1-1", "전원": "아니요"}, tags.Tags); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := api.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{
		ClusterName: aws.String("web"), NodegroupName: aws.String("blue-007"),
		ScalingConfig: &ekstypes.NodegroupScalingConfig{MinSize: aws.Int32(0), DesiredSize: aws.Int32(0), MaxSize: aws.Int32(1)},
	}); err != nil {
		t.Fatal(err)
	}
	var busy *ekstypes.ResourceInUseException
	if _, err := api.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: aws.String("web"), NodegroupName: aws.String("blue-007")}); !errors.As(err, &busy) {
		t.Error(err)
	}
	k.clock.pass(2 * time.Minute)
	if err := eks.NewNodegroupActiveWaiter(api).Wait(ctx, one, time.Minute); err != nil {
		t.Error(err)
	}
	var gone *ekstypes.ResourceNotFoundException
	if _, err := api.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String("web"), NodegroupName: aws.String("red")}); !errors.As(err, &gone) {
		t.Error(err)
	}
}

func TestEKSThrottles(t *testing.T) {
	k := newEKS(t, Options{Limits: Limits{Table: AWSLimits()}}, Resource{Name: "blue"})
	for i := range 30 {
		if code, a, _ := k.rest("GET", "/clusters/default/node-groups/blue", ""); a.status != 200 {
			t.Fatal(i, code, a.body)
		}
	}
	if code, a, _ := k.rest("GET", "/clusters", ""); code != "ThrottlingException" || a.status != 429 {
		t.Error(code, a.status)
	}
}
