package awssim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func newRDS(t *testing.T) caller {
	k := newCaller(t, Options{})
	k.load(
		Resource{Kind: "rds", Name: "shop", Tags: map[string]string{"Schedule": "office"}, Window: "sun:18:00-sun:18:30"},
		Resource{Kind: "rds", Name: "source", Engine: "mysql"}, Resource{Kind: "rds", Name: "replica", Engine: "mysql", ReplicaOf: "source"},
		Resource{Kind: "rds", Name: "member", Engine: "aurora-mysql", Cluster: "clu"},
		Resource{Kind: "rds", Name: "mssql", Engine: "sqlserver-se", MultiAZ: true},
		Resource{Kind: "rds", Name: "down", State: "stopped", StoppedFor: Duration(48 * time.Hour)},
		Resource{Kind: "rds", Name: "kept", Protected: true},
		Resource{Kind: "rds", Name: "broken", State: "stopped", StartError: "InsufficientDBInstanceCapacity"},
	)
	return k.to("rds")
}

func (k caller) db(id string) Database {
	k.t.Helper()
	d, ok := k.c.Database(k.key, k.region, id)
	if !ok {
		k.t.Fatalf("no database %q", id)
	}
	return d
}

func TestADatabaseStopsAndIsStartedByRDSAfterSevenDays(t *testing.T) {
	k := newRDS(t)
	if s := k.ok("StopDBInstance", "DBInstanceIdentifier", "shop").element("DBInstanceStatus"); s != "stopping" {
		t.Errorf("stop answers %q", s)
	}
	k.fails("InvalidDBInstanceState", "StartDBInstance", "DBInstanceIdentifier", "shop")
	k.clock.pass(6 * time.Minute)
	d := k.db("shop")
	if d.State != "stopped" || d.Restart.Sub(d.Since) != 7*24*time.Hour {
		t.Fatalf("after minutes: %+v", d)
	}
	a := k.ok("DescribeDBInstances", "DBInstanceIdentifier", "shop")
	if at := a.element("AutomaticRestartTime"); at != d.Restart.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("AutomaticRestartTime %q, want %v", at, d.Restart)
	}
	k.clock.pass(d.Restart.Sub(k.clock.now()) - time.Second)
	if s := k.db("shop").State; s != "stopped" {
		t.Errorf("a second before the restart: %s", s)
	}
	k.clock.pass(time.Second)
	if s := k.db("shop").State; s != "starting" {
		t.Errorf("at the restart: %s", s)
	}
	k.clock.pass(8 * time.Minute)
	if s := k.db("shop").State; s != "available" {
		t.Errorf("after the restart: %s", s)
	}
	// Two of seven days had passed for this one.
	k2 := newRDS(t)
	k2.clock.pass(5*24*time.Hour + time.Second)
	if s := k2.db("down").State; s != "starting" {
		t.Errorf("a database stopped for two days before is %s after five more", s)
	}
}

func TestAStartBeforeTheSevenDaysHoldsThemOff(t *testing.T) {
	k := newRDS(t)
	k.ok("StartDBInstance", "DBInstanceIdentifier", "down")
	k.clock.pass(10 * time.Minute)
	k.ok("StopDBInstance", "DBInstanceIdentifier", "DOWN")
	k.clock.pass(6 * 24 * time.Hour)
	if s := k.db("down").State; s != "stopped" {
		t.Errorf("six days after a fresh stop: %s", s)
	}
}

func TestRDSRefusesWith(t *testing.T) {
	k := newRDS(t)
	arn := "arn:aws:rds:us-east-1:111122223333:db:"
	create := func(more ...string) []string {
		return append([]string{"DBInstanceIdentifier", "new", "DBInstanceClass", "db.t3.micro", "Engine", "postgres", "MasterUsername", "u", "MasterUserPassword", "secret123"}, more...)
	}
	for _, tc := range []struct {
		name, code, action string
		pairs              []string
		says               string
	}{
		{"unknown database", "DBInstanceNotFound", "StopDBInstance", []string{"DBInstanceIdentifier", "ghost"}, "DBInstance ghost not found."},
		{"unknown database described", "DBInstanceNotFound", "DescribeDBInstances", []string{"DBInstanceIdentifier", "ghost"}, ""},
		{"stop of a stopped one", "InvalidDBInstanceState", "StopDBInstance", []string{"DBInstanceIdentifier", "down"}, "not in available state"},
		{"start of a running one", "InvalidDBInstanceState", "StartDBInstance", []string{"DBInstanceIdentifier", "shop"}, "not stopped"},
		{"stop of a replica", "InvalidDBInstanceState", "StopDBInstance", []string{"DBInstanceIdentifier", "replica"}, "read replica"},
		{"stop of a source of replicas", "InvalidDBInstanceState", "StopDBInstance", []string{"DBInstanceIdentifier", "source"}, "read replicas"},
		{"stop of a cluster member", "InvalidDBClusterStateFault", "StopDBInstance", []string{"DBInstanceIdentifier", "member"}, "clu"},
		{"start of a cluster member", "InvalidDBClusterStateFault", "StartDBInstance", []string{"DBInstanceIdentifier", "member"}, "clu"},
		{"stop of SQL Server Multi-AZ", "InvalidDBInstanceState", "StopDBInstance", []string{"DBInstanceIdentifier", "mssql"}, "Multi-AZ"},
		{"start that the fleet refuses", "InsufficientDBInstanceCapacity", "StartDBInstance", []string{"DBInstanceIdentifier", "broken"}, "broken"},
		{"MaxRecords below 20", "InvalidParameterValue", "DescribeDBInstances", []string{"MaxRecords", "19"}, "Must be between 20 and 100"},
		{"unknown filter", "InvalidParameterValue", "DescribeDBInstances", []string{"Filters.Filter.1.Name", "tag:Env", "Filters.Filter.1.Values.Value.1", "x"}, "Unrecognized filter name: tag:Env"},
		{"foreign marker", "InvalidParameterValue", "DescribeDBInstances", []string{"Marker", "eHg"}, "Marker"},
		{"existing name", "DBInstanceAlreadyExists", "CreateDBInstance", create("DBInstanceIdentifier", "Shop"), ""},
		{"bad name", "InvalidParameterValue", "CreateDBInstance", create("DBInstanceIdentifier", "1-shop"), "valid identifier"},
		{"bad class", "InvalidParameterValue", "CreateDBInstance", create("DBInstanceClass", "t3.micro"), "t3.micro"},
		{"bad engine", "InvalidParameterValue", "CreateDBInstance", create("Engine", "dbase"), "dbase"},
		{"bad window", "InvalidParameterValue", "CreateDBInstance", create("PreferredMaintenanceWindow", "sun:25:00-sun:26:00"), ""},
		{"missing class", "MissingParameter", "CreateDBInstance", []string{"DBInstanceIdentifier", "x"}, "DBInstanceClass"},
		{"parameter not modelled", "UnknownParameter", "CreateDBInstance", create("Domain", "x"), "Domain"},
		{"delete without a snapshot", "InvalidParameterCombination", "DeleteDBInstance", []string{"DBInstanceIdentifier", "shop"}, "FinalDBSnapshotIdentifier"},
		{"delete of a protected one", "InvalidParameterCombination", "DeleteDBInstance", []string{"DBInstanceIdentifier", "kept", "SkipFinalSnapshot", "true"}, "deletion protection"},
		{"tags of another account", "InvalidParameterValue", "AddTagsToResource", []string{"ResourceName", strings.Replace(arn, "111122223333", "222233334444", 1) + "shop", "Tags.Tag.1.Key", "a", "Tags.Tag.1.Value", "b"}, ""},
		{"tags of an unknown database", "DBInstanceNotFound", "ListTagsForResource", []string{"ResourceName", arn + "ghost"}, ""},
		{"tag of AWS", "InvalidParameterValue", "AddTagsToResource", []string{"ResourceName", arn + "shop", "Tags.Tag.1.Key", "aws:a", "Tags.Tag.1.Value", "b"}, ""},
		{"snapshot of a ghost", "DBInstanceNotFound", "CreateDBSnapshot", []string{"DBInstanceIdentifier", "ghost", "DBSnapshotIdentifier", "s"}, ""},
		{"unknown snapshot", "DBSnapshotNotFound", "DeleteDBSnapshot", []string{"DBSnapshotIdentifier", "s"}, ""},
		{"unknown action", "InvalidAction", "FailoverDBCluster", []string{"DBClusterIdentifier", "clu"}, "FailoverDBCluster"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := k
			k.t = t
			before := fmt.Sprint(k.c.Databases("", ""))
			a := k.fails(tc.code, tc.action, tc.pairs...)
			if !strings.Contains(a.msg, tc.says) {
				t.Errorf("message %q, want it to say %q", a.msg, tc.says)
			}
			if a.element("Type") != "Sender" || a.element("RequestId") == "" {
				t.Errorf("not the error document of the Query protocol: %s", a.body)
			}
			if fmt.Sprint(k.c.Databases("", "")) != before {
				t.Error("a refused call changed something")
			}
		})
	}
}

func TestDatabasesAreMadeTaggedPagedAndDeleted(t *testing.T) {
	k := newCaller(t, Options{}).to("rds")
	for i := range 45 {
		k.ok("CreateDBInstance", "DBInstanceIdentifier", fmt.Sprintf("db-%02d", i), "DBInstanceClass", "db.t3.micro", "Engine", "mysql",
			"MasterUsername", "u", "MasterUserPassword", "secret123", "Tags.Tag.1.Key", "n", "Tags.Tag.1.Value", fmt.Sprint(i))
	}
	if s := k.db("db-00").State; s != "creating" {
		t.Errorf("fresh: %s", s)
	}
	k.clock.pass(9 * time.Minute)
	if s := k.db("db-00").State; s != "available" {
		t.Errorf("later: %s", s)
	}
	var seen []string
	pages, marker := 0, ""
	for {
		pairs := []string{"MaxRecords", "20"}
		if marker != "" {
			pairs = append(pairs, "Marker", marker)
		}
		a := k.ok("DescribeDBInstances", pairs...)
		seen = append(seen, a.elements("DBInstanceIdentifier")...)
		pages++
		if marker = a.element("Marker"); marker == "" {
			break
		}
		if pages == 1 { // what vanishes between pages costs nobody else its place
			k.ok("DeleteDBInstance", "DBInstanceIdentifier", "db-03", "SkipFinalSnapshot", "true")
			k.clock.pass(6 * time.Minute)
		}
	}
	if pages != 3 || len(seen) != 45 || !slices.IsSorted(seen) {
		t.Errorf("%d pages with %d databases", pages, len(seen))
	}
	arn := k.db("db-07").ARN
	k.ok("AddTagsToResource", "ResourceName", arn, "Tags.Tag.1.Key", "Schedule", "Tags.Tag.1.Value", "office")
	k.ok("RemoveTagsFromResource", "ResourceName", arn, "TagKeys.member.1", "n")
	if tags := k.ok("ListTagsForResource", "ResourceName", arn).elements("Key"); !slices.Equal(tags, []string{"Schedule"}) {
		t.Errorf("tags %v", tags)
	}
	if got := k.ok("DescribeDBInstances", "Filters.Filter.1.Name", "db-instance-id", "Filters.Filter.1.Values.Value.1", arn).elements("DBInstanceIdentifier"); !slices.Equal(got, []string{"db-07"}) {
		t.Errorf("filter by ARN gives %v", got)
	}
	if got := k.ok("DescribeDBInstances", "DBInstanceIdentifier", arn).elements("DBInstanceIdentifier"); !slices.Equal(got, []string{"db-07"}) {
		t.Errorf("ARN gives %v", got)
	}
}

func TestReadReplicasAreShownOnBothSides(t *testing.T) {
	k := newRDS(t)
	k.ok("CreateDBInstanceReadReplica", "DBInstanceIdentifier", "shop-r", "SourceDBInstanceIdentifier", "shop")
	k.clock.pass(9 * time.Minute)
	if v := k.ok("DescribeDBInstances", "DBInstanceIdentifier", "shop").element("ReadReplicaDBInstanceIdentifier"); v != "shop-r" {
		t.Errorf("the source names %q", v)
	}
	if v := k.ok("DescribeDBInstances", "DBInstanceIdentifier", "shop-r").element("ReadReplicaSourceDBInstanceIdentifier"); v != "shop" {
		t.Errorf("the replica names %q", v)
	}
	k.fails("InvalidDBInstanceState", "StopDBInstance", "DBInstanceIdentifier", "shop")
	k.ok("DeleteDBInstance", "DBInstanceIdentifier", "shop-r")
	k.clock.pass(6 * time.Minute)
	k.ok("StopDBInstance", "DBInstanceIdentifier", "shop")
}

func TestAStopCanTakeASnapshot(t *testing.T) {
	k := newRDS(t)
	k.ok("StopDBInstance", "DBInstanceIdentifier", "shop", "DBSnapshotIdentifier", "dayshift-stopped-shop")
	a := k.ok("DescribeDBSnapshots", "DBInstanceIdentifier", "shop")
	if a.element("DBSnapshotIdentifier") != "dayshift-stopped-shop" || a.element("Status") != "creating" {
		t.Errorf("snapshots: %s", a.body)
	}
	k.fails("InvalidDBSnapshotState", "DeleteDBSnapshot", "DBSnapshotIdentifier", "dayshift-stopped-shop")
	k.clock.pass(10 * time.Minute)
	k.fails("DBSnapshotAlreadyExists", "CreateDBSnapshot", "DBInstanceIdentifier", "shop", "DBSnapshotIdentifier", "dayshift-stopped-shop")
	k.ok("DeleteDBSnapshot", "DBSnapshotIdentifier", "dayshift-stopped-shop")
	k.fails("DBSnapshotNotFound", "DescribeDBSnapshots", "DBSnapshotIdentifier", "dayshift-stopped-shop")
}

func TestADatabaseRebootsFromAvailableAlone(t *testing.T) {
	k := newRDS(t)
	for _, id := range []string{"shop", "member", "replica"} { // members and replicas, which do not stop singly, do reboot
		if s := k.ok("RebootDBInstance", "DBInstanceIdentifier", id).element("DBInstanceStatus"); s != "rebooting" {
			t.Errorf("%s: the answer says %q", id, s)
		}
	}
	k.fails("InvalidDBInstanceState", "RebootDBInstance", "DBInstanceIdentifier", "shop")
	k.fails("InvalidDBInstanceState", "StopDBInstance", "DBInstanceIdentifier", "shop")
	k.fails("InvalidDBInstanceState", "RebootDBInstance", "DBInstanceIdentifier", "down")
	k.fails("DBInstanceNotFound", "RebootDBInstance", "DBInstanceIdentifier", "ghost")
	k.fails("InvalidParameterCombination", "RebootDBInstance", "DBInstanceIdentifier", "source", "ForceFailover", "true")
	k.clock.pass(90 * time.Second)
	if s := k.db("shop").State; s != "available" {
		t.Errorf("after the reboot: %s", s)
	}
}
