package kinds

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
)

// getTagged is the operation of the Resource Groups Tagging API.
const getTagged Operation = "tag:GetResources"

// taggedPage is its largest page.
const taggedPage = 100

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
	chain := pager{what: "find " + what + " by tag in " + env.Scope.String()}
	in := &tagging.GetResourcesInput{
		ResourceTypeFilters: []string{resourceType}, ResourcesPerPage: sdk.Int32(taggedPage),
	}
	if tagKey != "" {
		in.TagFilters = []types.TagFilter{{Key: sdk.String(tagKey)}}
	}
	for {
		var page *tagging.GetResourcesOutput
		err := env.Read(ctx, getTagged, func(ctx context.Context) (err error) {
			if page, err = call(ctx, in); err == nil && page.ResourceTagMappingList == nil {
				err = errNotTheAnswer("ResourceTagMappingList")
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, mapping := range page.ResourceTagMappingList {
			tags := make(map[string]string, len(mapping.Tags))
			for _, tag := range mapping.Tags {
				tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
			}
			each(sdk.ToString(mapping.ResourceARN), tags)
		}
		more, err := chain.next(page.PaginationToken)
		if err != nil || !more {
			return err
		}
		in.PaginationToken = page.PaginationToken
	}
}
