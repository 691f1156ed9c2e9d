package awssim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sampleFleet = `accounts:
  - id: "111122223333"
    name: shop
    partition: aws
    opt_in: [ap-east-1]
    roles:
      - {name: dayshift, external_id: s3cret, deny: ["ec2:Terminate*"]}
images:
  - {id: ami-0123456789abcdef0, name: golden, arch: arm64}
capacity:
  - {zone: us-east-1a, type: c5.large, free: 2}
resources:
  - {account: "111122223333", region: us-east-1, kind: ec2, count: 3, name: web-##, type: t3.medium, state: stopped, tags: {Schedule: office}}
  - {account: "111122223333", region: us-east-1, kind: ec2, id: i-0123456789abcdef0, name: "C#", type: m6g.large, image: ami-0123456789abcdef0, spot: persistent, asg: group, hibernation: true}
  - {account: "111122223333", region: us-east-1, kind: rds, count: 2, name: db-#, engine: mysql, state: stopped, stopped_for: 2d}
  - {account: "444455556666", region: cn-north-1, kind: rds, id: settle, tags: {Name: 结算}}
faults:
  - {kind: throttle, action: StartInstances, until: 1m}
`

func TestAFleetFileIsLoadedAndGivenBack(t *testing.T) {
	f, err := ParseFleet([]byte(sampleFleet))
	if err != nil {
		t.Fatal(err)
	}
	m := newManual()
	c := New(Options{Now: m.now, Limits: Limits{Off: true}})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range c.Instances("111122223333", "us-east-1") {
		names = append(names, i.Name)
	}
	if want := []string{"web-01", "web-02", "web-03", "C#"}; !slices.Equal(names, want) {
		t.Errorf("instances %v", names)
	}
	if d, ok := c.Database("111122223333", "us-east-1", "db-2"); !ok || d.Restart.Sub(c.Now()) != 5*24*time.Hour {
		t.Errorf("db-2: %+v", d)
	}
	if d, ok := c.Database("444455556666", "cn-north-1", "settle"); !ok || d.ARN != "arn:aws-cn:rds:cn-north-1:444455556666:db:settle" || d.Tags["Name"] != "结算" {
		t.Errorf("settle: %+v", d)
	}

	// What Snapshot writes is a fleet file that makes the same cloud again.
	first := c.Snapshot()
	text, err := first.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseFleet(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	c2 := New(Options{Now: m.now, Limits: Limits{Off: true}})
	if err := c2.Load(back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, c2.Snapshot()); d != "" {
		t.Errorf("the second cloud differs:\n%s", d)
	}
	if d := cmp.Diff(c.Instances("", ""), c2.Instances("", "")); d != "" {
		t.Errorf("instances differ:\n%s", d)
	}
}

func TestAWrongFleetFileIsRefusedWithItsPlace(t *testing.T) {
	const head = "resources:\n"
	row := func(more string) string {
		return head + "  - account: \"111122223333\"\n    region: us-east-1\n    kind: ec2\n" + more
	}
	for _, tc := range []struct{ name, file, says string }{
		{"empty", " \n", "the file is empty"},
		{"unknown key", "resource: []\n", `[1:1] unknown field "resource"`},
		{"key of a resource", row("    colour: red\n"), `[5:5] unknown field "colour"`},
		{"unquoted account", head + "  - {account: 012, region: us-east-1, kind: ec2}\n", "twelve digits"},
		{"region", head + "  - {account: \"111122223333\", region: mars-1, kind: ec2}\n", `resources[0].region: "mars-1" is not a region`},
		{"region's place", row("    state: asleep\n"), `[5:12] resources[0].state: "asleep" is not known: running, stopped, terminated`},
		{"kind", head + "  - {account: \"111122223333\", region: us-east-1, kind: s3}\n", "ec2 or rds"},
		{"type", row("    type: t9.huge\n"), `[5:11] resources[0].type: "t9.huge" is not an instance type`},
		{"zone", row("    zone: us-east-1z\n"), "one of us-east-1a, us-east-1b"},
		{"database field", row("    engine: mysql\n"), "[5:13] resources[0].engine: does not belong to kind ec2"},
		{"id", row("    id: web\n"), "i- and 8 or 17 hexadecimal digits"},
		{"id of many", row("    id: i-0123456789abcdef0\n    count: 2\n"), "cannot have one id"},
		{"image", row("    image: ami-0123456789abcdef0\n"), "list it under images"},
		{"databases with one name", head + "  - {account: \"111122223333\", region: us-east-1, kind: rds, name: db, count: 2}\n", "put # into it"},
		{"database without a name", head + "  - {account: \"111122223333\", region: us-east-1, kind: rds}\n", "not a database identifier"},
		{"partition", "accounts: [{id: \"444455556666\", partition: aws-cn}]\nresources: [{account: \"444455556666\", region: us-east-1, kind: ec2}]\n", "us-east-1 belongs to partition aws, account 444455556666 to aws-cn"},
		{"account twice", "accounts: [{id: \"444455556666\"}, {id: \"444455556666\"}]\n", "listed twice"},
		{"capacity", "capacity: [{zone: nowhere, type: c5.large}]\n", "not an availability zone"},
		{"fault", "faults: [{kind: explode}]\n", `kind "explode" is not known`},
		{"not YAML", "resources: [\n", "["},
		{"a reserved tag", row("    tags: {\"\": x}\n"), "Tag key cannot be empty"},
	} {
		_, err := ParseFleet([]byte(tc.file))
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v\nwant %q", tc.name, err, tc.says)
		}
	}
	// All faults at once.
	_, err := ParseFleet([]byte(row("    type: t9.huge\n    state: asleep\n")))
	if err == nil || !strings.Contains(err.Error(), "t9.huge") || !strings.Contains(err.Error(), "asleep") {
		t.Errorf("two faults: %v", err)
	}
}

func TestAFleetThatConflictsLeavesNothingBehind(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{ID: "i-0123456789abcdef0"}, Resource{Kind: "rds", Name: "db"})
	for _, bad := range []Resource{{Kind: "ec2", ID: "i-0123456789abcdef0"}, {Kind: "rds", Name: "DB"}} {
		bad.Account, bad.Region = "111122223333", "us-east-1"
		err := k.c.Load(Fleet{Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "ec2", Count: 3}, bad}})
		if err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if n := len(k.c.Instances("", "")); n != 1 {
		t.Errorf("%d instances", n)
	}
}

func TestTheDemoFleetIsWhatItPromises(t *testing.T) {
	f := DemoFleet()
	c := New(Options{})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	n := len(c.Instances("", "")) + len(c.Databases("", ""))
	if n < 280 || n > 340 {
		t.Errorf("%d resources, some 300 promised", n)
	}
	schedules, parts := map[string]int{}, map[string]bool{}
	for _, i := range c.Instances("", "") {
		schedules[i.Tags["Schedule"]]++
		parts[regions[i.Region].partition] = true
	}
	for _, s := range []string{"seoul-office", "cn-office-hours", "us-batch-nights", "weekend-loadtest", "eu-office", ""} {
		if schedules[s] == 0 {
			t.Errorf("no instance with schedule %q", s)
		}
	}
	if !parts["aws-cn"] || !parts["aws"] {
		t.Errorf("partitions %v", parts)
	}
}

func TestGeneratedFleetsHaveTheirSize(t *testing.T) {
	f := Generate(Spec{Accounts: 7, Regions: []string{"us-east-1", "eu-west-1"}, Instances: 1003, Databases: 45, Schedules: []string{"a", "b", ""}, Running: 0.5})
	c := New(Options{})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	ec2, rds := c.Instances("", ""), c.Databases("", "")
	if len(ec2) != 1003 || len(rds) != 45 {
		t.Errorf("%d instances, %d databases", len(ec2), len(rds))
	}
	up, untagged := 0, 0
	for _, i := range ec2 {
		if i.State == "running" {
			up++
		}
		if i.Tags["Schedule"] == "" {
			untagged++
		}
	}
	if up < 480 || up > 525 || untagged < 300 || untagged > 360 {
		t.Errorf("%d running, %d untagged", up, untagged)
	}
}

func TestPeopleInterfere(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web"}, Resource{Kind: "rds", Name: "db"})
	id := k.id("web")
	if err := k.c.StopInstance(id); err != nil {
		t.Fatal(err)
	}
	if err := k.c.StartInstance(id); err == nil {
		t.Error("a stopping instance was started")
	}
	k.clock.pass(time.Minute)
	if err := k.c.StartInstance(id); err != nil {
		t.Error(err)
	}
	if err := k.c.TagInstance(id, map[string]string{"Schedule": "x", "Name": ""}); err != nil {
		t.Error(err)
	}
	if i, _ := k.c.Instance(id); i.State != "pending" || i.Tags["Schedule"] != "x" || i.Name != "" {
		t.Errorf("%+v", i)
	}
	if err := k.c.StopDatabase(k.key, k.region, "db"); err != nil {
		t.Error(err)
	}
	if err := k.c.StartDatabase(k.key, k.region, "db"); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("start of a stopping database: %v", err)
	}
	if err := k.c.TerminateInstance("i-nope"); err == nil {
		t.Error("a ghost was terminated")
	}
	if n := len(k.c.Calls()); n != 0 {
		t.Errorf("%d calls logged for what people did", n)
	}
}
