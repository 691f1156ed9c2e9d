package kinds

import (
	"context"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"dayshift/internal/fleet"
)

// getTagged is the operation of the Resource Groups Tagging API.
const getTagged Operation = "tag:GetResources"

// taggedMost is its largest page.
const taggedMost = 100

// getResources is how the operation is called.
type getResources func(context.Context, *tagging.GetResourcesInput, ...func(*tagging.Options)) (*tagging.GetResourcesOutput, error)

// tagged finds the resources of a type (ecs:service) that carry the tag, a call
// for a hundred of them, and gives their ARNs to each. What was deleted or lost
// the tag a moment ago may still be among them.
func (env *Env) tagged(ctx context.Context, call getResources, what, resourceType, tagKey string, each func(arn string)) error {
	return env.taggedAs(ctx, call, what, resourceType, tagKey, func(arn string, _ map[string]string) { each(arn) })
}

// taggedAs is tagged for kinds whose own listing shows no tags: each gets all
// tags of the resource too. Without a tag key it finds every resource of the type
// that has a tag or had one.
func (env *Env) taggedAs(ctx context.Context, call getResources, what, resourceType, tagKey string, each func(arn string, tags map[string]string)) error {
	in := &tagging.GetResourcesInput{
		ResourceTypeFilters: []string{resourceType}, ResourcesPerPage: sdk.Int32(taggedMost),
	}
	if tagKey != "" {
		in.TagFilters = []types.TagFilter{{Key: sdk.String(tagKey)}}
	}
	return pages(ctx, env.Read, getTagged, "find "+what+" by tag in "+env.Scope.String(), func(ctx context.Context, token *string) (*tagging.GetResourcesOutput, error) {
		in.PaginationToken = token
		return call.page(ctx, in)
	}, func(page *tagging.GetResourcesOutput) (*string, error) {
		for _, mapping := range page.ResourceTagMappingList {
			tags := make(map[string]string, len(mapping.Tags))
			for _, tag := range mapping.Tags {
				tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
			}
			each(sdk.ToString(mapping.ResourceARN), tags)
		}
		return page.PaginationToken, nil
	})
}

// page makes one call.
func (call getResources) page(ctx context.Context, in *tagging.GetResourcesInput) (*tagging.GetResourcesOutput, error) {
	page, err := call(ctx, in)
	if err == nil && page.ResourceTagMappingList == nil {
		err = errNotTheAnswer("ResourceTagMappingList")
	}
	return page, err
}

// Finder tells by one call of which kinds a scope has something with a tag.
type Finder struct {
	env  Env
	call getResources
}

// OpenFinder prepares it for a scope. It makes no call.
func OpenFinder(env Env) *Finder {
	return &Finder{env, tagging.NewFromConfig(env.SDK).GetResources}
}

// Present is as cloud.Finder says. When there is more than a page, every kind
// that is not on it is taken as present.
func (f *Finder) Present(ctx context.Context, tagKey string, asked []fleet.Kind) ([]fleet.Kind, error) {
	in := &tagging.GetResourcesInput{ResourcesPerPage: sdk.Int32(taggedMost), TagFilters: []types.TagFilter{{Key: sdk.String(tagKey)}}}
	tells := map[fleet.Kind]string{}
	for _, kind := range asked {
		if row, known := Find(kind); known && row.TagType != "" {
			tells[kind] = row.TagType
			in.ResourceTypeFilters = append(in.ResourceTypeFilters, row.TagType)
		}
	}
	if tagKey == "" || len(tells) == 0 {
		return asked, nil
	}
	var page *tagging.GetResourcesOutput
	err := f.env.Read(ctx, getTagged, func(ctx context.Context) (err error) {
		page, err = f.call.page(ctx, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find out by tag of which kinds there is something in %s: %w", f.env.Scope, err)
	}
	if sdk.ToString(page.PaginationToken) != "" {
		return asked, nil
	}
	return slices.DeleteFunc(slices.Clone(asked), func(kind fleet.Kind) bool {
		resourceType, can := tells[kind]
		return can && !slices.ContainsFunc(page.ResourceTagMappingList, func(m types.ResourceTagMapping) bool { return isOfType(sdk.ToString(m.ResourceARN), resourceType) })
	}), nil
}

// isOfType reports whether an ARN (arn:aws:rds:eu-west-1:111122223333:db:orders,
// arn:aws:ecs:eu-west-1:111122223333:service/shop/web) is one of the type rds:db or ecs:service.
func isOfType(arn, resourceType string) bool {
	service, sort, _ := strings.Cut(resourceType, ":")
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[2] == service && (strings.HasPrefix(parts[5], sort+":") || strings.HasPrefix(parts[5], sort+"/"))
}
