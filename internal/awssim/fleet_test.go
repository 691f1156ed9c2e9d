package awssim

import (
	"fmt"
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
  - {account: "444455556666", region: cn-north-1, kind: rds, id: settle, vpc: vpc-0123456789abcdef1, tags: {Name: 结算}}
  - {account: "444455556666", region: cn-north-1, kind: ec2, name: ledger, vpc: vpc-0123456789abcdef1, private_ip: 172.31.0.9}
  - {account: "444455556666", region: cn-north-1, kind: ec2, count: 2, vpc: vpc-0123456789abcdef1, subnet: subnet-01234567}
  - {account: "444455556666", region: cn-north-1, kind: ec2, subnet: subnet-89abcdef}
windows:
  - {account: "111122223333", region: us-east-1, name: patch, cron: cron(0 2 ? * SUN *), timezone: Asia/Seoul, duration_hours: 3, cutoff_hours: 1}
  - {account: "444455556666", region: cn-north-1, name: patch, cron: "cron(0 2 1 * ? 2027)", duration_hours: 24, enabled: false}
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
		{"kind", head + "  - {account: \"111122223333\", region: us-east-1, kind: s3}\n", "is not known: ec2, rds, rds_cluster, ecs, "},
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
		{"VPC", row("    vpc: mine\n"), `[5:10] resources[0].vpc: "mine" is not a VPC id: vpc- and 8 or 17`},
		{"subnet", row("    subnet: vpc-01234567\n"), `"vpc-01234567" is not a subnet id`},
		{"subnet of a database", head + "  - {account: \"111122223333\", region: us-east-1, kind: rds, name: a, subnet: subnet-01234567}\n", "subnet: does not belong to kind rds"},
		{"address", row("    private_ip: 10.0.0.256\n"), `"10.0.0.256" is not an IPv4 address`},
		{"address of IPv6", row("    private_ip: \"fd00::1\"\n"), `is not an IPv4 address`},
		{"no address", row("    private_ip: 0.0.0.0\n"), `is not an IPv4 address`},
		{"address of many", row("    private_ip: 10.0.0.1\n    count: 2\n"), "2 instances cannot have one address"},
		{"address twice", row("    private_ip: 10.0.0.1\n") + "  - {account: \"111122223333\", region: us-east-1, kind: ec2, private_ip: 10.0.0.1}\n", "10.0.0.1 is the address of resources[0] already"},
		{"VPC in two regions", row("    vpc: vpc-01234567\n") + "  - {account: \"111122223333\", region: us-east-2, kind: rds, name: a, vpc: vpc-01234567}\n", "vpc-01234567 is in us-east-1 already"},
		{"subnet in two zones", row("    subnet: subnet-01234567\n") + "  - {account: \"111122223333\", region: us-east-1, kind: ec2, subnet: subnet-01234567, zone: us-east-1b}\n", "say the same of each resource in it"},
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

// What a fleet says of the network is what listings show and filters find; what
// it does not say, AWS's default network decides.
func TestPlacesInTheNetwork(t *testing.T) {
	k := newCaller(t, Options{})
	const vpc, subnet = "vpc-4085e027", "subnet-0123456789abcdef0"
	k.load(
		Resource{Name: "plain"},
		Resource{Name: "web", VPC: vpc, Subnet: subnet, PrivateIP: "10.0.0.2"},
		Resource{Name: "spread-#", Count: 3, VPC: vpc},
		Resource{Name: "near-#", Count: 3, Subnet: "subnet-89abcdef"},
		Resource{Kind: "rds", Name: "db", VPC: vpc}, Resource{Kind: "rds", Name: "plain-db"},
	)
	found := func(pairs ...string) []string {
		t.Helper()
		var filters []string
		for i := 0; i+1 < len(pairs); i += 2 {
			n := fmt.Sprint(i/2 + 1)
			filters = append(filters, "Filter."+n+".Name", pairs[i], "Filter."+n+".Value.1", pairs[i+1])
		}
		return k.ok("DescribeInstances", filters...).elements("value")
	}
	for _, tc := range []struct {
		filter []string
		want   []string
	}{
		{[]string{"vpc-id", vpc}, []string{"web", "spread-1", "spread-2", "spread-3"}},
		{[]string{"vpc-id", "vpc-408*"}, []string{"web", "spread-1", "spread-2", "spread-3"}},
		{[]string{"subnet-id", subnet}, []string{"web"}},
		{[]string{"subnet-id", "subnet-89abcdef"}, []string{"near-1", "near-2", "near-3"}},
		{[]string{"network-interface.subnet-id", subnet, "network-interface.vpc-id", vpc}, []string{"web"}},
		{[]string{"private-ip-address", "10.0.0.2"}, []string{"web"}},
		{[]string{"private-ip-address", "10.0.0.2", "vpc-id", "vpc-00000000"}, nil},
	} {
		if diff := cmp.Diff(tc.want, found(tc.filter...)); diff != "" {
			t.Errorf("%v: %s", tc.filter, diff)
		}
	}
	zones, subnets := map[string]bool{}, map[string]bool{}
	for _, name := range []string{"near-1", "near-2", "near-3"} {
		i, _ := k.c.Instance(k.id(name))
		zones[i.Zone] = true
	}
	for _, id := range k.ok("DescribeInstances", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc).elements("subnetId") {
		subnets[id] = true
	}
	if len(zones) != 1 || len(subnets) != 4 {
		t.Errorf("a subnet spans zones %v; three zones and one more make the subnets %v", zones, subnets)
	}
	addresses := map[string]int{}
	all := k.ok("DescribeInstances")
	for _, at := range all.elements("privateIpAddress") {
		addresses[at]++
	}
	for at, n := range addresses {
		if n != 3 { // of the instance, of its interface, and in the interface's list
			t.Errorf("%s is there %d times", at, n)
		}
	}
	db := k.to("rds")
	if a := db.ok("DescribeDBInstances", "DBInstanceIdentifier", "db"); a.element("VpcId") != vpc || a.element("DBSubnetGroupName") != "default-"+vpc {
		t.Errorf("db: %s in %s", a.element("DBSubnetGroupName"), a.element("VpcId"))
	}
	if a := db.ok("DescribeDBInstances", "DBInstanceIdentifier", "plain-db"); a.element("VpcId") == vpc || a.element("DBSubnetGroupName") != "default" {
		t.Errorf("plain-db: %s in %s", a.element("DBSubnetGroupName"), a.element("VpcId"))
	}
}

// An address belongs to one machine, whether it was chosen or given by number.
func TestAddressesAreNotSharedLater(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "first"}, Resource{Name: "chosen", PrivateIP: "10.0.0.3"}, Resource{Name: "numbered-#", Count: 2})
	load := func(vpc, ip string) error {
		return k.c.Load(Fleet{Resources: []Resource{{Account: k.key, Region: k.region, Kind: "ec2", Name: "late", VPC: vpc, PrivateIP: ip}}})
	}
	for _, ip := range []string{"10.0.0.1", "10.0.0.3", "10.0.0.4"} {
		if err := load("", ip); err == nil || !strings.Contains(err.Error(), "another instance has "+ip) {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if err := load("vpc-01234567", "10.0.0.1"); err != nil {
		t.Errorf("another VPC has addresses of its own: %v", err)
	}
	k.ok("TerminateInstances", ids(k.id("chosen"))...)
	k.clock.pass(2 * time.Hour)
	k.ok("DescribeInstances")
	if err := load("", "10.0.0.3"); err != nil {
		t.Errorf("the address of a machine that is gone: %v", err)
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
