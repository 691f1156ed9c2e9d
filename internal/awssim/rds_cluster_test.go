package awssim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func newClusters(t *testing.T) caller {
	k := newCaller(t, Options{})
	k.load(
		Resource{Kind: "rds_cluster", Name: "orders", Members: 3, Type: "db.r6g.large", Tags: map[string]string{"Schedule": "office"}, Window: "sun:18:00-sun:18:30"},
		Resource{Kind: "rds_cluster", Name: "down", State: "stopped", StoppedFor: Duration(48 * time.Hour)},
		Resource{Kind: "rds_cluster", Name: "v1", EngineMode: "serverless", Engine: "aurora-mysql"},
		Resource{Kind: "rds_cluster", Name: "world", GlobalCluster: "earth"},
		Resource{Kind: "rds_cluster", Name: "source"}, Resource{Kind: "rds_cluster", Name: "replica", ReplicaOf: "source"},
		Resource{Kind: "rds_cluster", Name: "three", Engine: "mysql"},
		Resource{Kind: "rds_cluster", Name: "broken", State: "stopped", StartError: "InsufficientDBClusterCapacityFault"},
		Resource{Kind: "rds_cluster", Name: "graph", Engine: "neptune", Members: 1}, Resource{Kind: "rds_cluster", Name: "documents", Engine: "docdb", Members: 1},
		Resource{Kind: "rds", Name: "joined", Engine: "aurora-mysql", Cluster: "clu"},
	)
	return k.to("rds")
}

func (k caller) cluster(id string) Cluster {
	k.t.Helper()
	cl, ok := k.c.Cluster(k.key, k.region, id)
	if !ok {
		k.t.Fatalf("no cluster %q", id)
	}
	return cl
}

// states are those of a cluster and of its members, each once.
func (k caller) states(id string) []string {
	k.t.Helper()
	cl := k.cluster(id)
	list := []string{cl.State}
	for _, member := range cl.Members {
		list = append(list, k.db(member).State)
	}
	return slices.Compact(list)
}

func TestAClusterStopsAndStartsWithItsMembers(t *testing.T) {
	k := newClusters(t)
	if got, want := k.cluster("orders").Members, []string{"orders-1", "orders-2", "orders-3"}; !slices.Equal(got, want) {
		t.Fatalf("members %v, want %v", got, want)
	}
	if s := k.ok("StopDBCluster", "DBClusterIdentifier", "Orders").element("Status"); s != "stopping" {
		t.Errorf("the stop answers %q", s)
	}
	want := func(when string, states ...string) {
		t.Helper()
		if diff := gocmp.Diff(states, k.states("orders")); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	want("right after the stop", "stopping")
	k.fails("InvalidDBClusterStateFault", "StopDBCluster", "DBClusterIdentifier", "orders")
	k.fails("InvalidDBClusterStateFault", "StartDBCluster", "DBClusterIdentifier", "orders")
	k.clock.pass(6 * time.Minute)
	want("minutes later", "stopped")
	restart := k.cluster("orders").Restart
	if at := k.ok("DescribeDBClusters", "DBClusterIdentifier", "orders").element("AutomaticRestartTime"); at != restart.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("AutomaticRestartTime %q, want %v", at, restart)
	}
	k.ok("StartDBCluster", "DBClusterIdentifier", "orders")
	want("right after the start", "starting")
	k.clock.pass(8 * time.Minute)
	want("minutes later", "available")

	k.ok("StopDBCluster", "DBClusterIdentifier", "orders")
	k.clock.pass(k.cluster("down").Restart.Sub(k.clock.now()))
	if diff := gocmp.Diff([]string{"starting"}, k.states("down")); diff != "" {
		t.Errorf("seven days after its stop: %s", diff)
	}
	want("five days after its stop", "stopped")
}

func TestRDSRefusesOfClusters(t *testing.T) {
	k := newClusters(t)
	for _, tc := range []struct{ name, code, action, cluster, says string }{
		{"stop of a stranger", "DBClusterNotFoundFault", "StopDBCluster", "ghost", "ghost"},
		{"stop of a stopped one", "InvalidDBClusterStateFault", "StopDBCluster", "down", "stopped state"},
		{"start of a running one", "InvalidDBClusterStateFault", "StartDBCluster", "orders", "available state"},
		{"stop of Serverless v1", "InvalidDBClusterStateFault", "StopDBCluster", "v1", "Serverless v1"},
		{"stop of a part of a global database", "InvalidDBClusterStateFault", "StopDBCluster", "world", "earth"},
		{"stop of a replica", "InvalidDBClusterStateFault", "StopDBCluster", "replica", "source"},
		{"stop of a source of replicas", "InvalidDBClusterStateFault", "StopDBCluster", "source", "replicas"},
		{"stop of a Multi-AZ DB cluster", "InvalidDBClusterStateFault", "StopDBCluster", "three", "Multi-AZ"},
		{"start without capacity", "InsufficientDBClusterCapacityFault", "StartDBCluster", "broken", ""},
		{"reboot of Aurora", "InvalidParameterValue", "RebootDBCluster", "orders", "Multi-AZ"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := k
			k.t = t
			before := fmt.Sprint(k.c.Clusters("", ""), k.c.Databases("", ""))
			if a := k.fails(tc.code, tc.action, "DBClusterIdentifier", tc.cluster); !strings.Contains(a.msg, tc.says) {
				t.Errorf("message %q, want it to say %q", a.msg, tc.says)
			}
			if fmt.Sprint(k.c.Clusters("", ""), k.c.Databases("", "")) != before {
				t.Error("a refused call changed something")
			}
		})
	}
	k.fails("InvalidDBClusterStateFault", "StopDBInstance", "DBInstanceIdentifier", "orders-1")
	k.fails("DBClusterNotFoundFault", "CreateDBInstance", "DBInstanceIdentifier", "new", "DBInstanceClass", "db.r6g.large", "Engine", "aurora-mysql", "DBClusterIdentifier", "ghost")
	for _, id := range []string{"graph", "documents", "clu"} {
		k.ok("StopDBCluster", "DBClusterIdentifier", id)
	}
	if s := k.ok("RebootDBCluster", "DBClusterIdentifier", "three").element("Status"); s != "rebooting" {
		t.Errorf("the reboot of a Multi-AZ DB cluster answers %q", s)
	}
}

func TestASnapshotOfAClusterIsThereOnlyAfterAWhile(t *testing.T) {
	k := newClusters(t)
	if s := k.ok("CreateDBClusterSnapshot", "DBClusterIdentifier", "orders", "DBClusterSnapshotIdentifier", "One").element("Status"); s != "creating" {
		t.Errorf("fresh: %q", s)
	}
	k.fails("InvalidDBClusterStateFault", "StopDBCluster", "DBClusterIdentifier", "orders")
	k.fails("InvalidDBClusterSnapshotStateFault", "DeleteDBClusterSnapshot", "DBClusterSnapshotIdentifier", "one")
	k.clock.pass(4 * time.Minute)
	if s := k.ok("DescribeDBClusterSnapshots", "DBClusterIdentifier", "orders", "SnapshotType", "manual").element("Status"); s != "available" {
		t.Errorf("later: %q", s)
	}
	k.fails("DBClusterSnapshotAlreadyExistsFault", "CreateDBClusterSnapshot", "DBClusterIdentifier", "orders", "DBClusterSnapshotIdentifier", "one")
	k.fails("DBClusterSnapshotNotFoundFault", "DescribeDBClusterSnapshots", "DBClusterSnapshotIdentifier", "two")
	for i := 1; i < maxSnapshots; i++ {
		k.ok("CreateDBClusterSnapshot", "DBClusterIdentifier", "down", "DBClusterSnapshotIdentifier", fmt.Sprintf("s%d", i))
	}
	k.fails("SnapshotQuotaExceeded", "CreateDBClusterSnapshot", "DBClusterIdentifier", "down", "DBClusterSnapshotIdentifier", "more")
	k.ok("DeleteDBClusterSnapshot", "DBClusterSnapshotIdentifier", "one")
	k.ok("CreateDBClusterSnapshot", "DBClusterIdentifier", "down", "DBClusterSnapshotIdentifier", "more")
}

func TestADatabaseIsStoppedOnceItsSnapshotIsThere(t *testing.T) {
	k := newRDS(t)
	k.ok("StopDBInstance", "DBInstanceIdentifier", "shop", "DBSnapshotIdentifier", "before")
	for k.db("shop").State != "stopped" {
		k.clock.pass(time.Second)
	}
	if list := k.c.Snapshots(k.key, k.region); len(list) != 1 || !list[0].Available || list[0].Of != "shop" {
		t.Errorf("stopped with the snapshots %+v", list)
	}
}

func TestClustersSurviveASnapshotOfTheFleet(t *testing.T) {
	k := newClusters(t)
	f := k.c.Snapshot()
	data, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseFleet(data)
	if err != nil {
		t.Fatal(err)
	}
	again := New(Options{Now: k.clock.now})
	if err := again.Load(read); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(k.c.Clusters("", ""), again.Clusters("", "")); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff(k.c.Databases("", ""), again.Databases("", ""), gocmp.FilterPath(func(p gocmp.Path) bool { return p.Last().String() == ".Since" || p.Last().String() == ".Tags" }, gocmp.Ignore())); diff != "" {
		t.Error(diff)
	}
}

func TestAClusterOfAFleetIsRefusedWhen(t *testing.T) {
	for name, tc := range map[string]struct{ entry, says string }{
		"its engine has single instances alone": {"engine: oracle-ee", "does not come in clusters"},
		"it has too many members":               {"members: 17", "between 1 and 16"},
		"its mode is unknown":                   {"engine_mode: turbo", "provisioned, serverless"},
		"it has a field of machines":            {"key: a", "does not belong to kind rds_cluster"},
		"it is in another":                      {"cluster: b", "does not belong to kind rds_cluster"},
	} {
		_, err := ParseFleet([]byte("resources: [{account: \"111122223333\", region: us-east-1, kind: rds_cluster, name: c, " + tc.entry + "}]"))
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
	c := New(Options{})
	twice := Fleet{Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "rds_cluster", Name: "c"}}}
	if err := c.Load(twice); err != nil {
		t.Fatal(err)
	}
	if err := c.Load(twice); err == nil || !strings.Contains(err.Error(), "cluster c exists already") {
		t.Errorf("loaded twice: %v", err)
	}
}
