package kinds

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	describeWarehouses  Operation = "redshift:DescribeClusters"
	pauseWarehouse      Operation = "redshift:PauseCluster"
	resumeWarehouse     Operation = "redshift:ResumeCluster"
	createWarehouseTags Operation = "redshift:CreateTags"
	deleteWarehouseTags Operation = "redshift:DeleteTags"
)

const (
	// warehousePage is the largest page of DescribeClusters, probeWarehouses the smallest.
	warehousePage   = 100
	probeWarehouses = 20
)

// redshiftCluster is stopped by pausing it and started by resuming it. AWS takes
// a snapshot of its own before a pause and comes back from that, so there is
// none of ours.
var redshiftCluster = Kind{
	Kind:  fleet.RedshiftCluster,
	Title: "Redshift clusters",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start: {resumeWarehouse, 1},
		fleet.Stop:  {pauseWarehouse, 1},
	},
	Permissions: []Permission{
		{Action: describeWarehouses, For: "list clusters and their tags", Resource: "*"},
		{Action: resumeWarehouse, For: "resume clusters", Resource: "cluster:*", Conditions: []Condition{onlyTagged}},
		{Action: pauseWarehouse, For: "pause clusters", Resource: "cluster:*", Conditions: []Condition{onlyTagged}},
		{Action: createWarehouseTags, For: "write dayshift:last-action and dayshift:error", Resource: "cluster:*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: deleteWarehouseTags, For: "remove dayshift:error once it is settled", Resource: "cluster:*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
	},
	Dimensions: named("ClusterIdentifier"),
	TagType:    "redshift:cluster",
	Open:       openRedshift,
}

// warehouseClient is what the kind needs of Redshift.
type warehouseClient struct {
	describe   func(context.Context, *redshift.DescribeClustersInput, ...func(*redshift.Options)) (*redshift.DescribeClustersOutput, error)
	pause      func(context.Context, *redshift.PauseClusterInput, ...func(*redshift.Options)) (*redshift.PauseClusterOutput, error)
	resume     func(context.Context, *redshift.ResumeClusterInput, ...func(*redshift.Options)) (*redshift.ResumeClusterOutput, error)
	createTags func(context.Context, *redshift.CreateTagsInput, ...func(*redshift.Options)) (*redshift.CreateTagsOutput, error)
	deleteTags func(context.Context, *redshift.DeleteTagsInput, ...func(*redshift.Options)) (*redshift.DeleteTagsOutput, error)
}

// warehouses is the kind at work in a scope.
type warehouses struct {
	Env
	api warehouseClient
}

func openRedshift(env Env) Handle {
	c := redshift.NewFromConfig(env.SDK)
	k := &warehouses{env, warehouseClient{
		describe: c.DescribeClusters, pause: c.PauseCluster, resume: c.ResumeCluster, createTags: c.CreateTags, deleteTags: c.DeleteTags,
	}}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start: k.resume,
			fleet.Stop:  k.pause,
		},
		Tag:   k.tag,
		Probe: k.probe,
	}
}

// list asks for the clusters that carry the tag. One that is named is asked for
// by its name; several are looked for in the whole list, because the operation
// takes a single name and an account has few clusters.
func (k *warehouses) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	in := redshift.DescribeClustersInput{MaxRecords: sdk.Int32(warehousePage)}
	switch {
	case query.IDs != nil && len(query.IDs) == 0:
		return nil, nil
	case len(query.IDs) == 1:
		in.ClusterIdentifier = sdk.String(query.IDs[0])
	case query.IDs == nil && query.TagKey != "":
		in.TagKeys = []string{query.TagKey}
	}
	var all gathered
	err := k.pages(ctx, in, func(cluster *types.Cluster) {
		resource := k.resource(cluster, seenAt)
		_, tagged := resource.Tags[query.TagKey]
		if (tagged || query.TagKey == "") && (query.IDs == nil || slices.Contains(query.IDs, resource.ID)) {
			all.add(resource)
		}
	})
	switch {
	case in.ClusterIdentifier != nil && errors.Is(err, cloud.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return all.list, nil
}

// pages calls each with every cluster of every page.
func (k *warehouses) pages(ctx context.Context, in redshift.DescribeClustersInput, each func(*types.Cluster)) error {
	return pages(ctx, k.Read, describeWarehouses, "list Redshift clusters in "+k.Scope.String(), func(ctx context.Context, marker *string) (*redshift.DescribeClustersOutput, error) {
		in.Marker = marker
		return k.api.describe(ctx, &in)
	}, func(page *redshift.DescribeClustersOutput) (*string, error) {
		for i := range page.Clusters {
			if sdk.ToString(page.Clusters[i].ClusterIdentifier) != "" {
				each(&page.Clusters[i])
			}
		}
		return page.Marker, nil
	})
}

// warehouseStates translates Redshift's words; all others are left alone, also
// those that begin with available ("available, resize-cleanup"): AWS pauses
// nothing that something else is done to.
var warehouseStates = map[string]fleet.State{
	"available": fleet.Running,
	"paused":    fleet.Stopped,
	"resuming":  fleet.Starting,
	"pausing":   fleet.Stopping,
}

// resource translates a cluster. How many nodes it has is left out: of a paused
// one AWS says one, whatever it had.
func (k *warehouses) resource(cluster *types.Cluster, seenAt time.Time) fleet.Resource {
	id, native := sdk.ToString(cluster.ClusterIdentifier), sdk.ToString(cluster.ClusterStatus)
	r := fleet.Resource{
		Ref:    fleet.Ref{Scope: k.Scope, Kind: fleet.RedshiftCluster, ID: id},
		ARN:    arn(k.Scope, "redshift", "cluster:"+id),
		Name:   id,
		State:  cmp.Or(warehouseStates[native], fleet.Other),
		Native: native,
		Tags:   make(map[string]string, len(cluster.Tags)),
		Type:   sdk.ToString(cluster.NodeType),
		Zone:   sdk.ToString(cluster.AvailabilityZone),
		VPC:    sdk.ToString(cluster.VpcId),

		MaintenanceWindow: sdk.ToString(cluster.PreferredMaintenanceWindow),
		SeenAt:            seenAt,
	}
	for _, tag := range cluster.Tags {
		r.Tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	if at := cluster.Endpoint; at != nil {
		r.Endpoint = endpoint(sdk.ToString(at.Address), sdk.ToInt32(at.Port))
	}
	if r.State != fleet.Stopped { // whatever is paused can be resumed
		r.Bar = warehouseBar(cluster)
	}
	return r
}

// warehouseBar says why AWS does not pause the cluster.
// https://docs.aws.amazon.com/redshift/latest/mgmt/rs-mgmt-pause-resume-cluster.html
// https://docs.aws.amazon.com/redshift/latest/mgmt/overview-multi-az.html
func warehouseBar(cluster *types.Cluster) fleet.Bar {
	switch {
	case cluster.HsmStatus != nil && sdk.ToString(cluster.HsmStatus.HsmConfigurationIdentifier) != "":
		return fleet.HSMCluster
	case strings.EqualFold(sdk.ToString(cluster.MultiAZ), multiAZWarehouse):
		return fleet.MultiAZCluster
	case cluster.AutomatedSnapshotRetentionPeriod != nil && *cluster.AutomatedSnapshotRetentionPeriod == 0:
		return fleet.NoAutoSnapshots
	}
	return fleet.NoBar
}

// multiAZWarehouse is what Redshift, which writes a word here, calls a cluster in two zones.
const multiAZWarehouse = "Enabled"

func (k *warehouses) resume(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, resumeWarehouse, func(ctx context.Context) error {
		_, err := k.api.resume(ctx, &redshift.ResumeClusterInput{ClusterIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *warehouses) pause(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, pauseWarehouse, func(ctx context.Context) error {
		_, err := k.api.pause(ctx, &redshift.PauseClusterInput{ClusterIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *warehouses) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written []types.Tag
	for _, tag := range set {
		written = append(written, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(tag[1])})
	}
	var failures []error
	for _, resource := range resources {
		if len(written) > 0 {
			failures = append(failures, k.Read(ctx, createWarehouseTags, func(ctx context.Context) error {
				_, err := k.api.createTags(ctx, &redshift.CreateTagsInput{ResourceName: sdk.String(resource.ARN), Tags: written})
				return err
			}))
		}
		if len(remove) > 0 {
			failures = append(failures, k.Read(ctx, deleteWarehouseTags, func(ctx context.Context) error {
				_, err := k.api.deleteTags(ctx, &redshift.DeleteTagsInput{ResourceName: sdk.String(resource.ARN), TagKeys: remove})
				return err
			}))
		}
	}
	return errors.Join(failures...)
}

func (k *warehouses) probe(ctx context.Context, _ string) []cloud.Finding {
	err := k.Read(ctx, describeWarehouses, func(ctx context.Context) error {
		_, err := k.api.describe(ctx, &redshift.DescribeClustersInput{MaxRecords: sdk.Int32(probeWarehouses)})
		return err
	})
	findings := []cloud.Finding{probeFinding(say.Word("list Redshift clusters"), describeWarehouses, err)}
	if err != nil {
		return findings
	}
	return append(findings,
		undryable(say.Word("start Redshift clusters"), "Redshift", resumeWarehouse),
		undryable(say.Word("stop Redshift clusters"), "Redshift", pauseWarehouse),
		undryable(say.Word("tag Redshift clusters"), "Redshift", createWarehouseTags, deleteWarehouseTags))
}
