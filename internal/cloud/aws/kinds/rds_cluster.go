package kinds

import (
	"cmp"
	"context"
	"fmt"
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
	describeDBClusters Operation = "rds:DescribeDBClusters"
	startDBCluster     Operation = "rds:StartDBCluster"
	stopDBCluster      Operation = "rds:StopDBCluster"
	rebootDBCluster    Operation = "rds:RebootDBCluster"

	createDBClusterSnapshot    Operation = "rds:CreateDBClusterSnapshot"
	describeDBClusterSnapshots Operation = "rds:DescribeDBClusterSnapshots"
	deleteDBClusterSnapshot    Operation = "rds:DeleteDBClusterSnapshot"
)

// rdsCluster are the clusters of Aurora, Neptune and DocumentDB, which all
// answer to RDS's API, and Multi-AZ DB clusters. A cluster is started and
// stopped with all its members.
var rdsCluster = Kind{
	Kind:  fleet.RDSCluster,
	Title: "RDS clusters",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start:  {startDBCluster, 1},
		fleet.Stop:   {stopDBCluster, 1},
		fleet.Reboot: {rebootDBCluster, 1},
	},
	Permissions: []Permission{
		{Action: describeDBClusters, For: "list clusters of Aurora, Neptune and DocumentDB and their tags", Resource: "*"},
		{Action: startDBCluster, For: "start clusters", Resource: "cluster:*", Conditions: []Condition{onlyTagged}},
		{Action: stopDBCluster, For: "stop clusters", Resource: "cluster:*", Conditions: []Condition{onlyTagged}},
		{Action: rebootDBCluster, For: "reboot Multi-AZ DB clusters by a rule", Resource: "cluster:*", Conditions: []Condition{onlyTagged}, Optional: true},
		{Action: addTags, For: "write dayshift:last-action and dayshift:error", Resource: "cluster:*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: removeTags, For: "remove dayshift:error once it is settled", Resource: "cluster:*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: describeDBClusterSnapshots, For: "find the snapshots of snapshot_before_stop", Resource: "*", Optional: true},
		{Action: createDBClusterSnapshot, For: "take a snapshot of a cluster before it is stopped", Resource: "cluster:*", Conditions: []Condition{onlyTagged}, Optional: true},
		{Action: createDBClusterSnapshot, For: "the same: the snapshot that is made", Resource: "cluster-snapshot:" + ourSnapshots, Optional: true},
		{Action: deleteDBClusterSnapshot, For: "delete the snapshot of an earlier stop once there is a newer one", Resource: "cluster-snapshot:" + ourSnapshots, Optional: true},
	},
	Dimensions: named("DBClusterIdentifier"),
	TagType:    "rds:cluster",
	Open:       openClusters,
}

// clusterClient is what the kind needs of RDS.
type clusterClient struct {
	describe func(context.Context, *rds.DescribeDBClustersInput, ...func(*rds.Options)) (*rds.DescribeDBClustersOutput, error)
	start    func(context.Context, *rds.StartDBClusterInput, ...func(*rds.Options)) (*rds.StartDBClusterOutput, error)
	stop     func(context.Context, *rds.StopDBClusterInput, ...func(*rds.Options)) (*rds.StopDBClusterOutput, error)
	save     func(context.Context, *rds.CreateDBClusterSnapshotInput, ...func(*rds.Options)) (*rds.CreateDBClusterSnapshotOutput, error)
	saved    func(context.Context, *rds.DescribeDBClusterSnapshotsInput, ...func(*rds.Options)) (*rds.DescribeDBClusterSnapshotsOutput, error)
	drop     func(context.Context, *rds.DeleteDBClusterSnapshotInput, ...func(*rds.Options)) (*rds.DeleteDBClusterSnapshotOutput, error)
	reboot   func(context.Context, *rds.RebootDBClusterInput, ...func(*rds.Options)) (*rds.RebootDBClusterOutput, error)
}

// clusters is the kind at work in a scope.
type clusters struct {
	rdsTagger
	api clusterClient
}

func openClusters(env Env) Handle {
	c := rds.NewFromConfig(env.SDK)
	k := &clusters{
		rdsTagger{env, c.AddTagsToResource, c.RemoveTagsFromResource},
		clusterClient{
			describe: c.DescribeDBClusters, start: c.StartDBCluster, stop: c.StopDBCluster, reboot: c.RebootDBCluster,
			save: c.CreateDBClusterSnapshot, saved: c.DescribeDBClusterSnapshots, drop: c.DeleteDBClusterSnapshot,
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
		Parts:   k.parts,
		Probe:   k.probe,
	}
}

func (k *clusters) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	return taggedDatabases(query, "db-cluster-id", func(filters []types.Filter, each func(fleet.Resource)) error {
		return k.pages(ctx, filters, func(cluster *types.DBCluster) { each(k.resource(cluster, seenAt)) })
	})
}

// pages calls each with every cluster of every page.
func (k *clusters) pages(ctx context.Context, filters []types.Filter, each func(*types.DBCluster)) error {
	return pages(ctx, k.Read, describeDBClusters, "list RDS clusters in "+k.Scope.String(), func(ctx context.Context, marker *string) (*rds.DescribeDBClustersOutput, error) {
		return k.api.describe(ctx, &rds.DescribeDBClustersInput{Filters: filters, MaxRecords: sdk.Int32(databasePage), Marker: marker})
	}, func(page *rds.DescribeDBClustersOutput) (*string, error) {
		for i := range page.DBClusters {
			if sdk.ToString(page.DBClusters[i].DBClusterIdentifier) != "" {
				each(&page.DBClusters[i])
			}
		}
		return page.Marker, nil
	})
}

// parts are the members of clusters, which have metrics of their own.
func (k *clusters) parts(ctx context.Context, resources []fleet.Resource) (map[string][]Dimensions, error) {
	ids := make([]string, len(resources))
	for i := range resources {
		ids[i] = resources[i].ID
	}
	parts := map[string][]Dimensions{}
	_, err := taggedDatabases(cloud.Query{IDs: ids}, "db-cluster-id", func(filters []types.Filter, _ func(fleet.Resource)) error {
		return k.pages(ctx, filters, func(cluster *types.DBCluster) {
			id := sdk.ToString(cluster.DBClusterIdentifier)
			parts[id] = nil // a page may come twice
			for _, member := range cluster.DBClusterMembers {
				parts[id] = append(parts[id], Dimensions{"DBInstanceIdentifier": sdk.ToString(member.DBInstanceIdentifier)})
			}
		})
	})
	return parts, err
}

// resource reads a cluster. Its type is the class of its members where they
// have one in common, in a Multi-AZ DB cluster, and else its engine: the
// members of other clusters have classes of their own, which their own listing
// shows. It lies in several zones, and its listing names its subnets, not their VPC.
func (k *clusters) resource(cluster *types.DBCluster, seenAt time.Time) fleet.Resource {
	id, native := sdk.ToString(cluster.DBClusterIdentifier), sdk.ToString(cluster.Status)
	return fleet.Resource{
		Ref:           fleet.Ref{Scope: k.Scope, Kind: fleet.RDSCluster, ID: id},
		ARN:           cmp.Or(sdk.ToString(cluster.DBClusterArn), arn(k.Scope, "rds", "cluster:"+id)),
		Name:          id,
		State:         cmp.Or(databaseStates[native], fleet.Other),
		Native:        native,
		Tags:          databaseTags(cluster.TagList),
		Type:          cmp.Or(sdk.ToString(cluster.DBClusterInstanceClass), sdk.ToString(cluster.Engine)),
		Bar:           clusterBar(cluster),
		Members:       len(cluster.DBClusterMembers),
		AutoRestartAt: sdk.ToTime(cluster.AutomaticRestartTime),
		Endpoint:      endpoint(sdk.ToString(cluster.Endpoint), sdk.ToInt32(cluster.Port)),

		MaintenanceWindow: sdk.ToString(cluster.PreferredMaintenanceWindow),
		SeenAt:            seenAt,
	}
}

// clusterBar says why AWS does not stop the cluster, as far as its listing shows
// that; what it does not show (a primary of a global database where the listing
// does not name it, an old version with parallel query) AWS refuses.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-cluster-stop-start.html
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/multi-az-db-clusters-concepts.Limitations.html
func clusterBar(cluster *types.DBCluster) fleet.Bar {
	mode := strings.ToLower(sdk.ToString(cluster.EngineMode))
	switch {
	case mode == "serverless":
		return fleet.ServerlessV1
	case mode == "global", sdk.ToString(cluster.GlobalClusterIdentifier) != "",
		cluster.GlobalWriteForwardingStatus == types.WriteForwardingStatusEnabled: // which only a secondary has
		return fleet.GlobalDatabase
	case sdk.ToString(cluster.ReplicationSourceIdentifier) != "":
		return fleet.ReadReplica
	case len(cluster.ReadReplicaIdentifiers) > 0:
		return fleet.ReplicaSource
	case sdk.ToString(cluster.DBClusterInstanceClass) != "":
		return fleet.MultiAZCluster
	}
	return fleet.NoBar
}

func (k *clusters) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, startDBCluster, func(ctx context.Context) error {
		_, err := k.api.start(ctx, &rds.StartDBClusterInput{DBClusterIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

// stop stops a cluster. AWS takes no snapshot of its own in that call, so it is
// begun by a first try, and a later one finds it there and stops the cluster.
// Meanwhile the cluster is backing-up or available again, and stays in use.
func (k *clusters) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	if name := targets[0].Snapshot; name != "" {
		err := k.saved().ready(ctx, targets[0].ID, name, func() error { return k.save(ctx, targets[0].ID, name) })
		if err != nil {
			return nil, err
		}
	}
	return nil, k.Once(ctx, stopDBCluster, func(ctx context.Context) error {
		_, err := k.api.stop(ctx, &rds.StopDBClusterInput{DBClusterIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

// save begins a snapshot. The room that was reserved for the stop is used for it.
func (k *clusters) save(ctx context.Context, id, name string) error {
	err := k.Once(ctx, createDBClusterSnapshot, func(ctx context.Context) error {
		_, err := k.api.save(ctx, &rds.CreateDBClusterSnapshotInput{DBClusterIdentifier: sdk.String(id), DBClusterSnapshotIdentifier: sdk.String(name)})
		return err
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("the snapshot %s was begun: %w", name, cloud.ErrNotYet)
}

// saved are the snapshots of clusters.
func (k *clusters) saved() snapshots {
	return snapshots{
		list: func(ctx context.Context, id, named string) ([]snapshot, error) {
			in := &rds.DescribeDBClusterSnapshotsInput{DBClusterIdentifier: sdk.String(id), SnapshotType: sdk.String("manual"), MaxRecords: sdk.Int32(databasePage)}
			if named != "" {
				in = &rds.DescribeDBClusterSnapshotsInput{DBClusterSnapshotIdentifier: sdk.String(named)}
			}
			var list []snapshot
			err := pages(ctx, k.Read, describeDBClusterSnapshots, "list the snapshots of "+id+" in "+k.Scope.String(), func(ctx context.Context, marker *string) (*rds.DescribeDBClusterSnapshotsOutput, error) {
				in.Marker = marker
				return k.api.saved(ctx, in)
			}, func(page *rds.DescribeDBClusterSnapshotsOutput) (*string, error) {
				for _, s := range page.DBClusterSnapshots {
					list = append(list, snapshot{
						sdk.ToString(s.DBClusterSnapshotIdentifier), sdk.ToString(s.DBClusterIdentifier), sdk.ToString(s.DbClusterResourceId),
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
			return k.Read(ctx, deleteDBClusterSnapshot, func(ctx context.Context) error {
				_, err := k.api.drop(ctx, &rds.DeleteDBClusterSnapshotInput{DBClusterSnapshotIdentifier: sdk.String(name)})
				return err
			})
		},
	}
}

// reboot restarts a Multi-AZ DB cluster in place, the one sort that AWS reboots as a whole.
func (k *clusters) reboot(ctx context.Context, targets []cloud.Target) ([]string, error) {
	if targets[0].Bar != fleet.MultiAZCluster {
		return nil, fmt.Errorf("reboot %s: AWS reboots Multi-AZ DB clusters as a whole, and of other clusters single instances: %w", targets[0].ID, cloud.ErrUnsupported)
	}
	return nil, k.Once(ctx, rebootDBCluster, func(ctx context.Context) error {
		_, err := k.api.reboot(ctx, &rds.RebootDBClusterInput{DBClusterIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *clusters) probe(ctx context.Context, _ string) []cloud.Finding {
	err := k.Read(ctx, describeDBClusters, func(ctx context.Context) error {
		_, err := k.api.describe(ctx, &rds.DescribeDBClustersInput{MaxRecords: sdk.Int32(probeRecords)})
		return err
	})
	findings := []cloud.Finding{probeFinding(say.Word("list RDS clusters"), describeDBClusters, err)}
	if err != nil {
		return findings
	}
	return append(findings,
		undryable(say.Word("start RDS clusters"), "RDS", startDBCluster),
		undryable(say.Word("stop RDS clusters"), "RDS", stopDBCluster),
		undryable(say.Word("tag RDS clusters"), "RDS", addTags, removeTags))
}
