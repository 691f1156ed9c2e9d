package kinds

import (
	"cmp"
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	describeDBInstances Operation = "rds:DescribeDBInstances"
	startDBInstance     Operation = "rds:StartDBInstance"
	stopDBInstance      Operation = "rds:StopDBInstance"
	rebootDBInstance    Operation = "rds:RebootDBInstance"
	createDBSnapshot    Operation = "rds:CreateDBSnapshot"
	describeDBSnapshots Operation = "rds:DescribeDBSnapshots"
	deleteDBSnapshot    Operation = "rds:DeleteDBSnapshot"
)

var rdsInstance = Kind{
	Kind:  fleet.RDSInstance,
	Title: "RDS instances",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start:  {startDBInstance, 1},
		fleet.Stop:   {stopDBInstance, 1},
		fleet.Reboot: {rebootDBInstance, 1},
	},
	Permissions: []Permission{
		{Action: describeDBInstances, For: "list databases and their tags", Resource: "*"},
		{Action: startDBInstance, For: "start databases", Resource: "db:*", Conditions: []Condition{onlyTagged}},
		{Action: stopDBInstance, For: "stop databases", Resource: "db:*", Conditions: []Condition{onlyTagged}},
		{Action: rebootDBInstance, For: "reboot databases by a rule", Resource: "db:*", Conditions: []Condition{onlyTagged}, Optional: true},
		{Action: addTags, For: "write dayshift:last-action and dayshift:error", Resource: "db:*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: removeTags, For: "remove dayshift:error once it is settled", Resource: "db:*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: describeDBSnapshots, For: "find the snapshots of snapshot_before_stop", Resource: "*", Optional: true},
		{Action: createDBSnapshot, For: "take a snapshot before a stop, which AWS does in the call that stops", Resource: "db:*", Conditions: []Condition{onlyTagged}, Optional: true},
		{Action: createDBSnapshot, For: "the same: the snapshot that is made", Resource: "snapshot:" + ourSnapshots, Optional: true},
		{Action: stopDBInstance, For: "the same: stop with a snapshot", Resource: "snapshot:" + ourSnapshots, Optional: true},
		{Action: deleteDBSnapshot, For: "delete the snapshot of an earlier stop once there is a newer one", Resource: "snapshot:" + ourSnapshots, Optional: true},
		{
			Action: "kms:CreateGrant", For: "start databases that are encrypted with a key of the customer", Resource: "key/*",
			Conditions: []Condition{{"Bool", "kms:GrantIsForAWSResource", []string{"true"}}, {"StringLike", "kms:ViaService", []string{"rds.*"}}}, Optional: true,
		},
	},
	Dimensions: named("DBInstanceIdentifier"),
	TagType:    "rds:db",
	Open:       openRDS,
}

// rdsClient is what the kind needs of RDS.
type rdsClient struct {
	describe func(context.Context, *rds.DescribeDBInstancesInput, ...func(*rds.Options)) (*rds.DescribeDBInstancesOutput, error)
	start    func(context.Context, *rds.StartDBInstanceInput, ...func(*rds.Options)) (*rds.StartDBInstanceOutput, error)
	stop     func(context.Context, *rds.StopDBInstanceInput, ...func(*rds.Options)) (*rds.StopDBInstanceOutput, error)
	saved    func(context.Context, *rds.DescribeDBSnapshotsInput, ...func(*rds.Options)) (*rds.DescribeDBSnapshotsOutput, error)
	drop     func(context.Context, *rds.DeleteDBSnapshotInput, ...func(*rds.Options)) (*rds.DeleteDBSnapshotOutput, error)
	reboot   func(context.Context, *rds.RebootDBInstanceInput, ...func(*rds.Options)) (*rds.RebootDBInstanceOutput, error)
}

// databases is the kind at work in a scope.
type databases struct {
	rdsTagger
	api rdsClient
}

func openRDS(env Env) Handle {
	c := rds.NewFromConfig(env.SDK)
	k := &databases{
		rdsTagger{env, c.AddTagsToResource, c.RemoveTagsFromResource},
		rdsClient{
			describe: c.DescribeDBInstances, start: c.StartDBInstance, stop: c.StopDBInstance, reboot: c.RebootDBInstance,
			saved: c.DescribeDBSnapshots, drop: c.DeleteDBSnapshot,
		},
	}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start:  k.start,
			fleet.Stop:   k.stop,
			fleet.Reboot: k.reboot,
		},
		Tag:     k.tag,
		Replace: k.saved().replace,
		Probe:   k.probe,
	}
}

func (k *databases) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	return taggedDatabases(query, "db-instance-id", func(filters []types.Filter, each func(fleet.Resource)) error {
		return k.pages(ctx, filters, func(database *types.DBInstance) { each(k.resource(database, seenAt)) })
	})
}

// pages calls each with every database of every page.
func (k *databases) pages(ctx context.Context, filters []types.Filter, each func(*types.DBInstance)) error {
	return pages(ctx, k.Read, describeDBInstances, "list RDS instances in "+k.Scope.String(), func(ctx context.Context, marker *string) (*rds.DescribeDBInstancesOutput, error) {
		return k.api.describe(ctx, &rds.DescribeDBInstancesInput{Filters: filters, MaxRecords: sdk.Int32(databasePage), Marker: marker})
	}, func(page *rds.DescribeDBInstancesOutput) (*string, error) {
		for i := range page.DBInstances {
			if sdk.ToString(page.DBInstances[i].DBInstanceIdentifier) != "" {
				each(&page.DBInstances[i])
			}
		}
		return page.Marker, nil
	})
}

func (k *databases) resource(database *types.DBInstance, seenAt time.Time) fleet.Resource {
	id, native := sdk.ToString(database.DBInstanceIdentifier), sdk.ToString(database.DBInstanceStatus)
	r := fleet.Resource{
		Ref:           fleet.Ref{Scope: k.Scope, Kind: fleet.RDSInstance, ID: id},
		ARN:           cmp.Or(sdk.ToString(database.DBInstanceArn), arn(k.Scope, "rds", "db:"+id)),
		Name:          id,
		State:         cmp.Or(databaseStates[native], fleet.Other),
		Native:        native,
		Tags:          databaseTags(database.TagList),
		Type:          sdk.ToString(database.DBInstanceClass),
		Zone:          sdk.ToString(database.AvailabilityZone),
		AutoRestartAt: sdk.ToTime(database.AutomaticRestartTime),

		MaintenanceWindow: sdk.ToString(database.PreferredMaintenanceWindow),
		SeenAt:            seenAt,
	}
	if database.DBSubnetGroup != nil {
		r.VPC = sdk.ToString(database.DBSubnetGroup.VpcId)
	}
	if at := database.Endpoint; at != nil {
		r.Endpoint = endpoint(sdk.ToString(at.Address), sdk.ToInt32(at.Port))
	}
	r.Bar = databaseBar(database)
	return r
}

// endpoint is where a database is reached; empty where AWS does not say all of it.
func endpoint(host string, port int32) string {
	if host == "" || port <= 0 {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// databaseBar says why AWS does not stop the database singly.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
func databaseBar(database *types.DBInstance) fleet.Bar {
	switch {
	case sdk.ToString(database.DBClusterIdentifier) != "":
		return fleet.ClusterMember
	case sdk.ToString(database.ReadReplicaSourceDBInstanceIdentifier) != "", sdk.ToString(database.ReadReplicaSourceDBClusterIdentifier) != "":
		return fleet.ReadReplica
	case len(database.ReadReplicaDBInstanceIdentifiers) > 0, len(database.ReadReplicaDBClusterIdentifiers) > 0:
		return fleet.ReplicaSource
	case strings.HasPrefix(sdk.ToString(database.Engine), "sqlserver") &&
		(sdk.ToBool(database.MultiAZ) || sdk.ToString(database.SecondaryAvailabilityZone) != ""):
		return fleet.SQLServerMultiAZ
	}
	return fleet.NoBar
}

func (k *databases) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, startDBInstance, func(ctx context.Context) error {
		_, err := k.api.start(ctx, &rds.StartDBInstanceInput{DBInstanceIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

// stop stops a database. AWS takes a snapshot in the same call, and stops it once
// that is there; one that an earlier try of this stop began is not asked for again.
func (k *databases) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	in := &rds.StopDBInstanceInput{DBInstanceIdentifier: sdk.String(targets[0].ID)}
	if name := targets[0].Snapshot; name != "" {
		err := k.saved().ready(ctx, targets[0].ID, name, func() error {
			in.DBSnapshotIdentifier = sdk.String(name)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return nil, k.Once(ctx, stopDBInstance, func(ctx context.Context) error {
		_, err := k.api.stop(ctx, in)
		return err
	})
}

// saved are the snapshots of databases.
func (k *databases) saved() snapshots {
	return snapshots{
		list: func(ctx context.Context, id, named string) ([]snapshot, error) {
			in := &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: sdk.String(id), SnapshotType: sdk.String("manual"), MaxRecords: sdk.Int32(databasePage)}
			if named != "" {
				in = &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: sdk.String(named)}
			}
			var list []snapshot
			err := pages(ctx, k.Read, describeDBSnapshots, "list the snapshots of "+id+" in "+k.Scope.String(), func(ctx context.Context, marker *string) (*rds.DescribeDBSnapshotsOutput, error) {
				in.Marker = marker
				return k.api.saved(ctx, in)
			}, func(page *rds.DescribeDBSnapshotsOutput) (*string, error) {
				for _, s := range page.DBSnapshots {
					list = append(list, snapshot{
						sdk.ToString(s.DBSnapshotIdentifier), sdk.ToString(s.DBInstanceIdentifier), sdk.ToString(s.DbiResourceId),
						snapshotState(sdk.ToString(s.Status)), sdk.ToTime(s.SnapshotCreateTime),
					})
				}
				return page.Marker, nil
			})
			if err != nil {
				return nil, err
			}
			return list, nil
		},
		drop: func(ctx context.Context, name string) error {
			return k.Read(ctx, deleteDBSnapshot, func(ctx context.Context) error {
				_, err := k.api.drop(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: sdk.String(name)})
				return err
			})
		},
	}
}

// reboot restarts a database in place: it is rebooting for a while and then available again.
func (k *databases) reboot(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, rebootDBInstance, func(ctx context.Context) error {
		_, err := k.api.reboot(ctx, &rds.RebootDBInstanceInput{DBInstanceIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *databases) probe(ctx context.Context, _ string) []cloud.Finding {
	err := k.Read(ctx, describeDBInstances, func(ctx context.Context) error {
		_, err := k.api.describe(ctx, &rds.DescribeDBInstancesInput{MaxRecords: sdk.Int32(probeRecords)})
		return err
	})
	findings := []cloud.Finding{probeFinding(say.Word("list RDS instances"), describeDBInstances, err)}
	if err != nil {
		return findings
	}
	return append(findings,
		undryable(say.Word("start RDS instances"), "RDS", startDBInstance),
		undryable(say.Word("stop RDS instances"), "RDS", stopDBInstance),
		undryable(say.Word("tag RDS instances"), "RDS", addTags, removeTags))
}
