package kinds

import (
	"context"
	"errors"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// What instances and clusters have in common: pages, identifiers, states and tags.
const (
	addTags    Operation = "rds:AddTagsToResource"
	removeTags Operation = "rds:RemoveTagsFromResource"

	// databasePage is the largest page of RDS's listings, probeRecords the smallest.
	databasePage = 100
	probeRecords = 20
	// databaseIDs is how many identifiers go into one filter. AWS states no
	// bound; a page's worth keeps every chunk to one call.
	databaseIDs = 100
)

// databaseStates translates RDS's words; all others are left alone (SEMANTICS 8).
var databaseStates = map[string]fleet.State{
	"available": fleet.Running,
	"stopped":   fleet.Stopped,
	"starting":  fleet.Starting,
	"stopping":  fleet.Stopping,
}

// taggedDatabases lists what the query asks for: RDS filters by identifier but
// not by tag, so the tag is looked at here. pages calls each with everything of
// every page that the filters leave; filter is the name of the one for identifiers.
func taggedDatabases(query cloud.Query, filter string, pages func(filters []types.Filter, each func(fleet.Resource)) error) ([]fleet.Resource, error) {
	var all gathered
	ask := func(ids []string) error {
		var filters []types.Filter
		if ids != nil {
			filters = []types.Filter{{Name: sdk.String(filter), Values: ids}}
		}
		return pages(filters, func(resource fleet.Resource) {
			if _, tagged := resource.Tags[query.TagKey]; tagged || query.TagKey == "" {
				all.add(resource)
			}
		})
	}
	for _, ids := range chunks(query, databaseIDs) {
		err := ask(ids)
		if err == nil {
			continue
		}
		if ids == nil || !errors.Is(err, cloud.ErrNotFound) {
			return nil, err
		}
		// An identifier that is gone may fail the filter instead of matching
		// nothing: asked for alone it does not hide the others.
		for i := 0; len(ids) > 1 && i < len(ids); i++ {
			if err := ask(ids[i : i+1]); err != nil && !errors.Is(err, cloud.ErrNotFound) {
				return nil, err
			}
		}
	}
	return all.list, nil
}

// rdsTagger writes tags of what RDS knows by an ARN.
type rdsTagger struct {
	Env
	add    func(context.Context, *rds.AddTagsToResourceInput, ...func(*rds.Options)) (*rds.AddTagsToResourceOutput, error)
	remove func(context.Context, *rds.RemoveTagsFromResourceInput, ...func(*rds.Options)) (*rds.RemoveTagsFromResourceOutput, error)
}

func (k *rdsTagger) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written []types.Tag
	for _, tag := range set {
		written = append(written, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(tag[1])})
	}
	var failures []error
	for _, resource := range resources {
		if len(written) > 0 {
			failures = append(failures, k.Read(ctx, addTags, func(ctx context.Context) error {
				_, err := k.add(ctx, &rds.AddTagsToResourceInput{ResourceName: sdk.String(resource.ARN), Tags: written})
				return err
			}))
		}
		if len(remove) > 0 {
			failures = append(failures, k.Read(ctx, removeTags, func(ctx context.Context) error {
				_, err := k.remove(ctx, &rds.RemoveTagsFromResourceInput{ResourceName: sdk.String(resource.ARN), TagKeys: remove})
				return err
			}))
		}
	}
	return errors.Join(failures...)
}

func databaseTags(list []types.Tag) map[string]string {
	tags := make(map[string]string, len(list))
	for _, tag := range list {
		tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	return tags
}

// ourSnapshots are the names of the snapshots that stops take, with the default prefix.
const ourSnapshots = "dayshift-stopped-*"
