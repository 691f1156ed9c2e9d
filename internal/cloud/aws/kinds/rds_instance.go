package kinds

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// Operations of the kind.
const (
	describeDBInstances Operation = "rds:DescribeDBInstances"
	startDBInstance     Operation = "rds:StartDBInstance"
	stopDBInstance      Operation = "rds:StopDBInstance"
	rebootDBInstance    Operation = "rds:RebootDBInstance"
	addTags             Operation = "rds:AddTagsToResource"
	removeTags          Operation = "rds:RemoveTagsFromResource"
)

const (
	// databasePage is the largest page of DescribeDBInstances.
	databasePage = 100
	// databaseIDs is how many identifiers go into one filter. AWS states no
	// bound; a page's worth keeps every chunk to one call.
	databaseIDs = 100
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
		{
			Action: "kms:CreateGrant", For: "start databases that are encrypted with a key of the customer", Resource: "key/*",
			Conditions: []Condition{{"Bool", "kms:GrantIsForAWSResource", []string{"true"}}, {"StringLike", "kms:ViaService", []string{"rds.*"}}}, Optional: true,
		},
	},
	Open: openRDS,
}

// rdsClient is what the kind needs of RDS.
type rdsClient struct {
	describe   func(context.Context, *rds.DescribeDBInstancesInput, ...func(*rds.Options)) (*rds.DescribeDBInstancesOutput, error)
	start      func(context.Context, *rds.StartDBInstanceInput, ...func(*rds.Options)) (*rds.StartDBInstanceOutput, error)
	stop       func(context.Context, *rds.StopDBInstanceInput, ...func(*rds.Options)) (*rds.StopDBInstanceOutput, error)
	reboot     func(context.Context, *rds.RebootDBInstanceInput, ...func(*rds.Options)) (*rds.RebootDBInstanceOutput, error)
	addTags    func(context.Context, *rds.AddTagsToResourceInput, ...func(*rds.Options)) (*rds.AddTagsToResourceOutput, error)
	removeTags func(context.Context, *rds.RemoveTagsFromResourceInput, ...func(*rds.Options)) (*rds.RemoveTagsFromResourceOutput, error)
}

// databases is the kind at work in a scope.
type databases struct {
	Env
	api rdsClient
}

func openRDS(env Env) Handle {
	c := rds.NewFromConfig(env.SDK)
	k := &databases{Env: env, api: rdsClient{
		describe: c.DescribeDBInstances, start: c.StartDBInstance, stop: c.StopDBInstance, reboot: c.RebootDBInstance,
		addTags: c.AddTagsToResource, removeTags: c.RemoveTagsFromResource,
	}}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start:  k.start,
			fleet.Stop:   k.stop,
			fleet.Reboot: k.reboot,
		},
		Tag:   k.tag,
		Probe: k.probe,
	}
}

// list asks for every database: RDS filters by identifier but not by tag, so
// the tag is looked at here.
func (k *databases) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	var all gathered
	for _, ids := range chunks(query, databaseIDs) {
		var filters []types.Filter
		if ids != nil {
			filters = []types.Filter{{Name: sdk.String("db-instance-id"), Values: ids}}
		}
		err := k.pages(ctx, filters, func(database *types.DBInstance) {
			resource := k.resource(database, seenAt)
			if _, tagged := resource.Tags[query.TagKey]; tagged || query.TagKey == "" {
				all.add(resource)
			}
		})
		// An identifier that is gone may fail the filter instead of matching nothing.
		if err != nil && (ids == nil || !errors.Is(err, cloud.ErrNotFound)) {
			return nil, err
		}
		if err != nil && len(ids) > 1 {
			if err := k.oneByOne(ctx, ids, query.TagKey, seenAt, &all); err != nil {
				return nil, err
			}
		}
	}
	return all.list, nil
}

// oneByOne asks for each identifier alone, so that one that is gone does not
// hide the others.
func (k *databases) oneByOne(ctx context.Context, ids []string, tagKey string, seenAt time.Time, all *gathered) error {
	for _, id := range ids {
		err := k.pages(ctx, []types.Filter{{Name: sdk.String("db-instance-id"), Values: []string{id}}}, func(database *types.DBInstance) {
			resource := k.resource(database, seenAt)
			if _, tagged := resource.Tags[tagKey]; tagged || tagKey == "" {
				all.add(resource)
			}
		})
		if err != nil && !errors.Is(err, cloud.ErrNotFound) {
			return err
		}
	}
	return nil
}

// pages calls each with every database of every page.
func (k *databases) pages(ctx context.Context, filters []types.Filter, each func(*types.DBInstance)) error {
	chain := pager{what: "list RDS instances in " + k.Scope.String()}
	var marker *string
	for {
		var page *rds.DescribeDBInstancesOutput
		err := k.Read(ctx, describeDBInstances, func(ctx context.Context) (err error) {
			page, err = k.api.describe(ctx, &rds.DescribeDBInstancesInput{Filters: filters, MaxRecords: sdk.Int32(databasePage), Marker: marker})
			return err
		})
		if err != nil {
			return err
		}
		for i := range page.DBInstances {
			if sdk.ToString(page.DBInstances[i].DBInstanceIdentifier) != "" {
				each(&page.DBInstances[i])
			}
		}
		more, err := chain.next(page.Marker)
		if err != nil || !more {
			return err
		}
		marker = page.Marker
	}
}

// databaseStates translates RDS's words; all others are left alone (SEMANTICS 8).
var databaseStates = map[string]fleet.State{
	"available": fleet.Running,
	"stopped":   fleet.Stopped,
	"starting":  fleet.Starting,
	"stopping":  fleet.Stopping,
}

func (k *databases) resource(database *types.DBInstance, seenAt time.Time) fleet.Resource {
	id, native := sdk.ToString(database.DBInstanceIdentifier), sdk.ToString(database.DBInstanceStatus)
	r := fleet.Resource{
		Ref:           fleet.Ref{Scope: k.Scope, Kind: fleet.RDSInstance, ID: id},
		ARN:           cmp.Or(sdk.ToString(database.DBInstanceArn), arn(k.Scope, "rds", "db:"+id)),
		Name:          id,
		State:         cmp.Or(databaseStates[native], fleet.Other),
		Native:        native,
		Tags:          make(map[string]string, len(database.TagList)),
		Type:          sdk.ToString(database.DBInstanceClass),
		Zone:          sdk.ToString(database.AvailabilityZone),
		AutoRestartAt: sdk.ToTime(database.AutomaticRestartTime),

		MaintenanceWindow: sdk.ToString(database.PreferredMaintenanceWindow),
		SeenAt:            seenAt,
	}
	if database.DBSubnetGroup != nil {
		r.VPC = sdk.ToString(database.DBSubnetGroup.VpcId)
	}
	for _, tag := range database.TagList {
		r.Tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	r.Bar = databaseBar(database)
	return r
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

func (k *databases) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, stopDBInstance, func(ctx context.Context) error {
		_, err := k.api.stop(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

// reboot restarts a database in place: it is rebooting for a while and then available again.
func (k *databases) reboot(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, rebootDBInstance, func(ctx context.Context) error {
		_, err := k.api.reboot(ctx, &rds.RebootDBInstanceInput{DBInstanceIdentifier: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *databases) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written []types.Tag
	for _, tag := range set {
		written = append(written, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(tag[1])})
	}
	var failures []error
	for _, resource := range resources {
		if len(written) > 0 {
			failures = append(failures, k.Read(ctx, addTags, func(ctx context.Context) error {
				_, err := k.api.addTags(ctx, &rds.AddTagsToResourceInput{ResourceName: sdk.String(resource.ARN), Tags: written})
				return err
			}))
		}
		if len(remove) > 0 {
			failures = append(failures, k.Read(ctx, removeTags, func(ctx context.Context) error {
				_, err := k.api.removeTags(ctx, &rds.RemoveTagsFromResourceInput{ResourceName: sdk.String(resource.ARN), TagKeys: remove})
				return err
			}))
		}
	}
	return errors.Join(failures...)
}

// probeRecords is the smallest page that DescribeDBInstances takes.
const probeRecords = 20

func (k *databases) probe(ctx context.Context, _ string) []cloud.Finding {
	err := k.Read(ctx, describeDBInstances, func(ctx context.Context) error {
		_, err := k.api.describe(ctx, &rds.DescribeDBInstancesInput{MaxRecords: sdk.Int32(probeRecords)})
		return err
	})
	findings := []cloud.Finding{probeFinding("list RDS instances", describeDBInstances, err)}
	if err != nil {
		return findings
	}
	const noDryRun = "not known: RDS has no dry run; the role needs "
	return append(findings,
		untested("start RDS instances", noDryRun+string(startDBInstance)),
		untested("stop RDS instances", noDryRun+string(stopDBInstance)),
		untested("tag RDS instances", noDryRun+string(addTags)+" and "+string(removeTags)))
}
