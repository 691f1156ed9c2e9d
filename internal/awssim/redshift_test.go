package awssim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/google/go-cmp/cmp"
)

// warehouseWorld is a simulator with the entries, and a client of the SDK.
func warehouseWorld(t *testing.T, entries ...Resource) (*Cloud, *redshift.Client) {
	t.Helper()
	c := New(Options{})
	for i := range entries {
		entries[i].Account, entries[i].Region, entries[i].Kind = DefaultAccount, "us-east-1", "redshift"
	}
	if err := c.Load(Fleet{Resources: entries}); err != nil {
		t.Fatal(err)
	}
	cfg := sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider(DefaultAccount, "x", ""))
	cfg.RetryMaxAttempts = 1
	return c, redshift.NewFromConfig(cfg)
}

func TestAWarehousePausesAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		_, api := warehouseWorld(t, Resource{Name: "sales"})
		look := func() types.Cluster {
			t.Helper()
			out, err := api.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("sales")})
			if err != nil || len(out.Clusters) != 1 {
				t.Fatalf("%+v %v", out, err)
			}
			return out.Clusters[0]
		}
		is := func(when, status string, nodes int32) {
			t.Helper()
			if c := look(); aws.ToString(c.ClusterStatus) != status || aws.ToInt32(c.NumberOfNodes) != nodes {
				t.Errorf("%s: %s with %d nodes, want %s with %d", when, aws.ToString(c.ClusterStatus), aws.ToInt32(c.NumberOfNodes), status, nodes)
			}
		}
		is("at first", "available", 2)
		if c := look(); aws.ToString(c.NodeType) != "ra3.xlplus" || aws.ToInt32(c.AutomatedSnapshotRetentionPeriod) != 1 || aws.ToString(c.MultiAZ) != "Disabled" || c.HsmStatus != nil ||
			!dbWindowForm.MatchString(aws.ToString(c.PreferredMaintenanceWindow)) || !strings.HasPrefix(aws.ToString(c.AvailabilityZone), "us-east-1") {
			t.Errorf("%+v", c)
		}
		paused, err := api.PauseCluster(ctx, &redshift.PauseClusterInput{ClusterIdentifier: aws.String("sales")})
		if err != nil || aws.ToString(paused.Cluster.ClusterStatus) != "pausing" {
			t.Fatalf("%+v %v", paused, err)
		}
		_, err = api.ResumeCluster(ctx, &redshift.ResumeClusterInput{ClusterIdentifier: aws.String("sales")})
		wantCode(t, err, "InvalidClusterState")
		time.Sleep(10 * time.Minute)
		is("paused", "paused", 1) // AWS says one of a paused cluster, whatever it had
		_, err = api.PauseCluster(ctx, &redshift.PauseClusterInput{ClusterIdentifier: aws.String("sales")})
		wantCode(t, err, "InvalidClusterState")
		time.Sleep(30 * 24 * time.Hour)
		is("AWS resumes nothing by itself", "paused", 1)
		if _, err := api.ResumeCluster(ctx, &redshift.ResumeClusterInput{ClusterIdentifier: aws.String("sales")}); err != nil {
			t.Fatal(err)
		}
		is("resuming", "resuming", 2)
		time.Sleep(15 * time.Minute)
		is("resumed", "available", 2)
	})
}

func TestWhatRedshiftDoesNotPause(t *testing.T) {
	ctx := t.Context()
	_, api := warehouseWorld(t, Resource{Name: "vault", HSM: true}, Resource{Name: "both", MultiAZ: true}, Resource{Name: "bare", SnapshotsOff: true})
	for name, code := range map[string]string{"vault": "UnsupportedOperation", "both": "UnsupportedOperation", "bare": "UnsupportedOperation", "gone": "ClusterNotFound", "Vault": "ClusterNotFound"} {
		_, err := api.PauseCluster(ctx, &redshift.PauseClusterInput{ClusterIdentifier: aws.String(name)})
		wantCode(t, err, code)
	}
	_, err := api.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("gone")})
	wantCode(t, err, "ClusterNotFound")
	_, err = api.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("vault"), Marker: aws.String("x")})
	wantCode(t, err, "InvalidParameterCombination")
	_, err = api.DescribeClusters(ctx, &redshift.DescribeClustersInput{MaxRecords: aws.Int32(19)})
	wantCode(t, err, "InvalidParameterValue")
	_, err = api.RebootCluster(ctx, &redshift.RebootClusterInput{ClusterIdentifier: aws.String("vault")})
	wantCode(t, err, "InvalidAction")
}

func TestWarehousesByTagAndPage(t *testing.T) {
	ctx := t.Context()
	_, api := warehouseWorld(t, Resource{Name: "a##", Count: 45, Tags: map[string]string{"Schedule": "office"}}, Resource{Name: "b##", Count: 3, Tags: map[string]string{"schedule": "night"}},
		Resource{Name: "plain"})
	count := func(in redshift.DescribeClustersInput) (n, pages int) {
		t.Helper()
		for {
			out, err := api.DescribeClusters(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			n, pages = n+len(out.Clusters), pages+1
			if aws.ToString(out.Marker) == "" {
				return n, pages
			}
			in.Marker = out.Marker
		}
	}
	for _, test := range []struct {
		in       redshift.DescribeClustersInput
		n, pages int
	}{
		{redshift.DescribeClustersInput{}, 49, 1},
		{redshift.DescribeClustersInput{MaxRecords: aws.Int32(20)}, 49, 3},
		{redshift.DescribeClustersInput{TagKeys: []string{"Schedule"}, MaxRecords: aws.Int32(20)}, 45, 3},
		{redshift.DescribeClustersInput{TagKeys: []string{"Schedule", "schedule"}}, 48, 1},
		{redshift.DescribeClustersInput{TagKeys: []string{"Sched*"}}, 0, 1},
		{redshift.DescribeClustersInput{TagValues: []string{"night"}}, 3, 1},
	} {
		if n, pages := count(test.in); n != test.n || pages != test.pages {
			t.Errorf("%v %v: %d clusters on %d pages, want %d on %d", test.in.TagKeys, test.in.TagValues, n, pages, test.n, test.pages)
		}
	}
	arn := aws.String("arn:aws:redshift:us-east-1:" + DefaultAccount + ":cluster:plain")
	if _, err := api.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: arn, Tags: []types.Tag{{Key: aws.String("Schedule"), Value: aws.String("office")}}}); err != nil {
		t.Fatal(err)
	}
	if n, _ := count(redshift.DescribeClustersInput{TagKeys: []string{"Schedule"}}); n != 46 {
		t.Errorf("%d with one more tagged", n)
	}
	if _, err := api.DeleteTags(ctx, &redshift.DeleteTagsInput{ResourceName: arn, TagKeys: []string{"Schedule", "never there"}}); err != nil {
		t.Fatal(err)
	}
	if n, _ := count(redshift.DescribeClustersInput{TagKeys: []string{"Schedule"}}); n != 45 {
		t.Errorf("%d with its tag gone", n)
	}
	_, err := api.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: arn, Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("y")}}})
	wantCode(t, err, "InvalidTagFault")
	_, err = api.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: aws.String("arn:aws:redshift:us-east-1:" + DefaultAccount + ":cluster:gone"), Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("y")}}})
	wantCode(t, err, "ResourceNotFoundFault")
	var full []types.Tag
	for i := range 51 {
		full = append(full, types.Tag{Key: aws.String(strings.Repeat("k", i+1)), Value: aws.String("v")})
	}
	_, err = api.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: arn, Tags: full})
	wantCode(t, err, "TagLimitExceededFault")
}

func TestAFleetFileOfWarehousesAndNotebooks(t *testing.T) {
	f, err := ParseFleet([]byte(`resources:
  - {account: "111122223333", region: us-east-1, kind: redshift, id: sales-#, count: 2, type: dc2.large, state: paused, zone: us-east-1a, maintenance_window: "sun:18:00-sun:18:30", tags: {Schedule: office}}
  - {account: "111122223333", region: us-east-1, kind: redshift, name: vault, hsm: true, vpc: vpc-4085e027}
  - {account: "111122223333", region: us-east-1, kind: redshift, name: both, multi_az: true}
  - {account: "111122223333", region: us-east-1, kind: redshift, name: bare, snapshots_off: true, start_error: InsufficientClusterCapacity}
  - {account: "111122223333", region: us-east-1, kind: notebook, name: Study-##, count: 2, type: ml.m5.xlarge, state: Stopped, tags: {Schedule: office}}
  - {account: "111122223333", region: us-east-1, kind: notebook, name: broken, state: Failed, start_error: InternalError}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{})
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	if err := c.Load(f); err == nil || !strings.Contains(err.Error(), "resources[0].id: Redshift cluster sales-1 exists already") {
		t.Errorf("the same again: %v", err)
	}
	first := c.Snapshot()
	again := New(Options{})
	if err := again.Load(first); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again.Snapshot()); diff != "" {
		t.Error(diff)
	}
	if w := c.Warehouses("", ""); len(w) != 5 || w[2].ID != "sales-1" || w[2].State != "paused" || w[2].NodeType != "dc2.large" || w[2].Tags["Schedule"] != "office" {
		t.Errorf("%+v", w)
	}
	if n := c.Notebooks(DefaultAccount, "us-east-1"); len(n) != 3 || n[0].Name != "broken" || n[0].Failure != "InternalError" || n[1].Name != "Study-01" || n[1].State != "Stopped" {
		t.Errorf("%+v", n)
	}
	for entry, says := range map[string]string{
		"kind: redshift, name: Sales":                                      `"Sales" is not an identifier of a Redshift cluster`,
		"kind: redshift, name: sales-":                                     "is not an identifier of a Redshift cluster",
		"kind: redshift, name: sales, count: 2":                            "put # into it",
		"kind: redshift, name: sales, state: stopped":                      `"stopped" is not known: available, paused`,
		"kind: redshift, name: sales, type: large":                         `"large" is not a node type`,
		"kind: redshift, name: sales, engine: postgres":                    "engine: does not belong to kind redshift",
		"kind: redshift, name: sales, desired: 3":                          "desired: does not belong to kind redshift",
		"kind: redshift, name: sales, hsm: true, state: paused":            "is never paused",
		"kind: redshift, name: sales, maintenance_window: sunday":          "write ddd:hh:mm-ddd:hh:mm in UTC",
		"kind: rds, name: sales, hsm: true":                                "hsm: does not belong to kind rds",
		"kind: notebook, name: -study":                                     `"-study" is not a notebook instance`,
		"kind: notebook, name: study, type: m5.large":                      `"m5.large" is not a type of notebook instances`,
		"kind: notebook, name: study, state: running":                      `"running" is not known: InService, Stopped, Failed`,
		"kind: notebook, name: study, tags: {x: a*b}":                      "SageMaker takes letters, digits",
		"kind: notebook, name: study, vpc: vpc-4085e027":                   "vpc: does not belong to kind notebook",
		"kind: notebook, name: study, count: 2":                            "put # into it",
		"kind: notebook, name: study, snapshots_off: true":                 "snapshots_off: does not belong to kind notebook",
		"kind: notebook, name: " + strings.Repeat("x", 64):                 "is not a notebook instance",
		"kind: notebook, name: study, start_error: \"no room, try again\"": "is not an error code",
	} {
		_, err := ParseFleet([]byte("resources:\n  - {account: \"111122223333\", region: us-east-1, " + entry + "}\n"))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "[2:") {
			t.Errorf("%s: %v, want %q with its place", entry, err, says)
		}
	}
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%v: code %q, want %s", err, got, want)
	}
}
