package kinds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	describeGroups  Operation = "autoscaling:DescribeAutoScalingGroups"
	updateGroup     Operation = "autoscaling:UpdateAutoScalingGroup"
	createGroupTags Operation = "autoscaling:CreateOrUpdateTags"
	deleteGroupTags Operation = "autoscaling:DeleteTags"
)

const (
	// groupPage is the largest page of DescribeAutoScalingGroups, and how many
	// names it takes when the page is that large.
	groupPage = 100
	// groupTagsPerCall bounds one call that writes tags. AWS states no bound; so
	// many stay well inside the size of a request.
	groupTagsPerCall = 100
	// sizeMost is larger than any group of AWS and fits its 32 bits.
	sizeMost = 1_000_000
)

// autoscalingGroup is stopped by scaling it to 0-0-0 and started by giving it
// the size back that it had.
//
// A maximum of zero holds against nearly everything that scales a group: a target
// tracking or step policy and a rebalancing of zones cannot go beyond it. What
// can are people, the group's own scheduled actions, which set all three
// numbers, and predictive scaling that may raise the maximum; all count as a
// start by a person. Nothing is suspended for that:
// what is suspended while a person starts the group by hand would stay
// suspended, and what its owner suspended stays as it is anyway.
//
// A warm pool holds the difference between maximum and desired, so it empties
// with the group, but for a minimum size of its own. Weights of a mixed
// instances policy need nothing: sizes come back in the units they had.
var autoscalingGroup = Kind{
	Kind:  fleet.AutoScalingGroup,
	Title: "Auto Scaling groups",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start: {updateGroup, 1},
		fleet.Stop:  {updateGroup, 1},
	},
	Permissions: []Permission{
		{Action: describeGroups, For: "list groups, their sizes and tags", Resource: "*"},
		{Action: updateGroup, For: "scale groups to nothing and back", Resource: groupARN, Conditions: []Condition{onlyTagged}},
		{Action: createGroupTags, For: "remember the size of a group in dayshift:saved before it is scaled to nothing, and write dayshift:last-action and dayshift:error", Resource: groupARN, Conditions: []Condition{onlyTagged, onlySavedTags, namingTags}},
		{Action: deleteGroupTags, For: "remove dayshift:error once it is settled", Resource: groupARN, Conditions: []Condition{onlyTagged, onlySavedTags, namingTags}, Optional: true},
	},
	Dimensions: named("AutoScalingGroupName"),
	Open:       openGroups,
}

// groupARN is the pattern of a group's ARN, which has an id of its own before the name.
const groupARN = "autoScalingGroup:*:autoScalingGroupName/*"

// groupClient is what the kind needs of Auto Scaling.
type groupClient struct {
	describe   func(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
	update     func(context.Context, *autoscaling.UpdateAutoScalingGroupInput, ...func(*autoscaling.Options)) (*autoscaling.UpdateAutoScalingGroupOutput, error)
	createTags func(context.Context, *autoscaling.CreateOrUpdateTagsInput, ...func(*autoscaling.Options)) (*autoscaling.CreateOrUpdateTagsOutput, error)
	deleteTags func(context.Context, *autoscaling.DeleteTagsInput, ...func(*autoscaling.Options)) (*autoscaling.DeleteTagsOutput, error)
}

// groups is the kind at work in a scope.
type groups struct {
	Env
	api groupClient
}

func openGroups(env Env) Handle {
	c := autoscaling.NewFromConfig(env.SDK)
	k := &groups{Env: env, api: groupClient{
		describe: c.DescribeAutoScalingGroups, update: c.UpdateAutoScalingGroup, createTags: c.CreateOrUpdateTags, deleteTags: c.DeleteTags,
	}}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start: k.start,
			fleet.Stop:  k.stop,
		},
		Tag:   k.tag,
		Probe: k.probe,
	}
}

// list asks for the groups that carry the tag, without their instances: those
// are what makes AWS throttle the operation. So a group runs as soon as it is
// to have instances, whether they are there yet or not, and what becomes of
// single ones is the group's business.
func (k *groups) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	var all gathered
	for _, names := range chunks(query, groupPage) {
		in := autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: sdk.Int32(groupPage), IncludeInstances: sdk.Bool(false)}
		switch {
		case names != nil: // those that are gone are left out of the answer
			in.AutoScalingGroupNames = names
		case query.TagKey != "": // a key, not a pattern
			in.Filters = []types.Filter{{Name: sdk.String("tag-key"), Values: []string{query.TagKey}}}
		}
		err := k.pages(ctx, in, func(group *types.AutoScalingGroup) {
			resource := k.resource(group)
			if _, tagged := resource.Tags[query.TagKey]; tagged || query.TagKey == "" {
				resource.SeenAt = seenAt
				all.add(resource)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return all.list, nil
}

// pages calls each with every group of every page.
func (k *groups) pages(ctx context.Context, in autoscaling.DescribeAutoScalingGroupsInput, each func(*types.AutoScalingGroup)) error {
	return pages(ctx, k.Read, describeGroups, "list Auto Scaling groups in "+k.Scope.String(), func(ctx context.Context, token *string) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
		in.NextToken = token
		return k.api.describe(ctx, &in)
	}, func(page *autoscaling.DescribeAutoScalingGroupsOutput) (*string, error) {
		for i := range page.AutoScalingGroups {
			if sdk.ToString(page.AutoScalingGroups[i].AutoScalingGroupName) != "" {
				each(&page.AutoScalingGroups[i])
			}
		}
		return page.NextToken, nil
	})
}

// resource translates a group. One that is to have no instance is stopped, also
// where its maximum would allow some: to stop it once more would change nothing
// that costs, and a queue's workers that scale themselves to none are so.
func (k *groups) resource(group *types.AutoScalingGroup) fleet.Resource {
	name := sdk.ToString(group.AutoScalingGroupName)
	is := sizeOf(group)
	r := fleet.Resource{
		Ref:    fleet.Ref{Scope: k.Scope, Kind: fleet.AutoScalingGroup, ID: name},
		ARN:    sdk.ToString(group.AutoScalingGroupARN),
		Name:   name,
		State:  fleet.Stopped,
		Native: is.String(),
		Tags:   make(map[string]string, len(group.Tags)),
		Zone:   strings.Join(slices.Sorted(slices.Values(group.AvailabilityZones)), ","),
	}
	if is.desired > 0 {
		r.State, r.Size = fleet.Running, is.String()
	}
	if status := sdk.ToString(group.Status); status != "" { // it is set while the group is being deleted, and only then
		r.State, r.Native, r.Size = fleet.Other, status, ""
	}
	for _, tag := range group.Tags {
		r.Tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	r.Bar = groupBar(group, r.Tags)
	return r
}

// nodeGroupTag is on the groups that EKS made for a managed node group.
const nodeGroupTag = "eks:nodegroup-name"

// Processes of a group without which it neither goes down nor comes back.
const (
	launchProcess    = "Launch"
	terminateProcess = "Terminate"
)

// groupBar says why a group must not be scaled to nothing.
func groupBar(group *types.AutoScalingGroup, tags map[string]string) fleet.Bar {
	suspended := func(process string) bool {
		return slices.ContainsFunc(group.SuspendedProcesses, func(p types.SuspendedProcess) bool { return sdk.ToString(p.ProcessName) == process })
	}
	runs := sdk.ToInt32(group.DesiredCapacity) > 0
	switch {
	case group.Operator != nil && sdk.ToString(group.Operator.Principal) != "", tags[nodeGroupTag] != "":
		return fleet.ServiceManaged
	case suspended(launchProcess), runs && suspended(terminateProcess):
		return fleet.ScalingSuspended // it would not come back, or not go
	case runs && sdk.ToBool(group.NewInstancesProtectedFromScaleIn):
		return fleet.StopProtected
	}
	return fleet.NoBar
}

// size is what a group is set to.
type size struct{ minimum, desired, maximum int32 }

func sizeOf(group *types.AutoScalingGroup) size {
	return size{sdk.ToInt32(group.MinSize), sdk.ToInt32(group.DesiredCapacity), sdk.ToInt32(group.MaxSize)}
}

// String writes min-desired-max, as the tags have it.
func (s size) String() string { return fmt.Sprintf("%d-%d-%d", s.minimum, s.desired, s.maximum) }

// sizeForm says what a size is allowed to be.
const sizeForm = "write min-desired-max such as 1-2-4: whole numbers, the desired one at least 1, not below the minimum and not above the maximum"

// parseSize reads min-desired-max. Blanks around the numbers are allowed.
func parseSize(text string) (size, error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return size{}, errors.New(sizeForm)
	}
	var numbers [3]int32
	for i, part := range parts {
		part = strings.TrimSpace(part)
		n, err := strconv.ParseUint(part, 10, 32) // takes neither sign nor other digits
		if err != nil || n > sizeMost {
			return size{}, fmt.Errorf("%q is not a number up to %d: %s", part, sizeMost, sizeForm)
		}
		numbers[i] = int32(n)
	}
	s := size{numbers[0], numbers[1], numbers[2]}
	switch {
	case s.desired < 1:
		return size{}, errors.New("a group of none counts as stopped: " + sizeForm)
	case s.desired < s.minimum || s.desired > s.maximum:
		return size{}, fmt.Errorf("%d is not from %d to %d: %s", s.desired, s.minimum, s.maximum, sizeForm)
	}
	return s, nil
}

// wanted is the size that a start brings back.
func wanted(target cloud.Target) (size, error) {
	if target.Size == "" {
		return size{}, fmt.Errorf("nobody knows its size: it was never seen running and has no tag %s; set the tag %s to min-desired-max, such as 1-2-4: %w",
			fleet.TagSaved, fleet.TagSize, cloud.ErrInvalid)
	}
	s, err := parseSize(target.Size)
	if err == nil {
		return s, nil
	}
	from := "the size it last ran with"
	for _, tag := range [...]string{fleet.TagSize, fleet.TagMinDesiredMax, fleet.TagSaved} { // the order in which they count
		if strings.TrimSpace(target.Tags[tag]) == target.Size {
			from = "tag " + tag
			break
		}
	}
	return size{}, fmt.Errorf("%s is %q: %w: %w", from, target.Size, err, cloud.ErrInvalid)
}

// start gives a group its size back. The tag with the saved size stays: the next
// stop writes it anew.
func (k *groups) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	size, err := wanted(targets[0])
	if err != nil {
		return nil, &cloud.MemberError{IDs: targetIDs(targets), Err: fmt.Errorf("start %s: %w", targets[0].ID, err)}
	}
	group, bar, err := k.now(ctx, targets[0], false)
	switch {
	case err != nil:
		return nil, err
	case sizeOf(group).desired > 0:
		return nil, nil // somebody was faster, with a size of their own
	case bar != nil:
		return nil, bar
	}
	return nil, k.scale(ctx, targets[0], size)
}

// stop writes down what the group is set to, in its own tag, and then sets it to
// nothing. Whatever happens between the two calls or after them, the size is
// with the group: a start needs no memory of this program.
func (k *groups) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	target := targets[0]
	// As it is now, not as it was listed: a person may have scaled it since.
	group, bar, err := k.now(ctx, target, true)
	if err != nil {
		return nil, err
	}
	is := sizeOf(group)
	switch {
	case is.desired == 0:
		return nil, nil // a size of nothing must never take the place of the saved one
	case bar != nil:
		return nil, bar
	}
	if kept := protected(group); len(kept) > 0 {
		return nil, &cloud.MemberError{IDs: []string{target.ID}, Err: fmt.Errorf(
			"stop %s: %s would stay, protected from scale-in: %w", target.ID, strings.Join(kept, ", "), cloud.ErrProtected)}
	}
	if err := k.write(ctx, []types.Tag{groupTag(target.ID, fleet.TagSaved, is.String())}); err != nil {
		return nil, fmt.Errorf("save the size %s of %s before it is stopped: %w", is, target.ID, err)
	}
	return nil, k.scale(ctx, target, size{})
}

// protected names the instances that a scale-in would leave running.
func protected(group *types.AutoScalingGroup) []string {
	var ids []string
	for _, instance := range group.Instances {
		if sdk.ToBool(instance.ProtectedFromScaleIn) {
			ids = append(ids, sdk.ToString(instance.InstanceId))
		}
	}
	return ids
}

// now reads one group. bar is why its owner leaves it alone, nil when nothing speaks against it.
func (k *groups) now(ctx context.Context, target cloud.Target, withInstances bool) (found *types.AutoScalingGroup, bar, err error) {
	in := autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{target.ID}, IncludeInstances: sdk.Bool(withInstances)}
	err = k.pages(ctx, in, func(group *types.AutoScalingGroup) {
		if sdk.ToString(group.AutoScalingGroupName) == target.ID {
			found = group
		}
	})
	refused := func(why string, class error) error {
		return &cloud.MemberError{IDs: []string{target.ID}, Err: fmt.Errorf("group in %s: %s: %w", k.Scope, why, class)}
	}
	switch {
	case err != nil:
		return nil, nil, err
	case found == nil:
		return nil, nil, refused("it is gone", cloud.ErrNotFound)
	}
	resource := k.resource(found)
	if resource.State == fleet.Other {
		return nil, nil, refused(resource.Native, cloud.ErrWrongState)
	}
	if resource.Bar != fleet.NoBar {
		bar = refused(string(resource.Bar), cloud.ErrProtected)
	}
	return found, bar, nil
}

// scale sets all three numbers in one call, so that none of them is ever without the others.
func (k *groups) scale(ctx context.Context, target cloud.Target, to size) error {
	return k.Once(ctx, updateGroup, func(ctx context.Context) error {
		_, err := k.api.update(ctx, &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: sdk.String(target.ID),
			MinSize:              sdk.Int32(to.minimum), DesiredCapacity: sdk.Int32(to.desired), MaxSize: sdk.Int32(to.maximum),
		})
		return err
	})
}

// groupTag is a tag of the group alone: instances do not inherit it.
func groupTag(name, key, value string) types.Tag {
	return types.Tag{
		ResourceType: sdk.String("auto-scaling-group"), ResourceId: sdk.String(name),
		Key: sdk.String(key), Value: sdk.String(value), PropagateAtLaunch: sdk.Bool(false),
	}
}

func (k *groups) write(ctx context.Context, tags []types.Tag) error {
	return k.Read(ctx, createGroupTags, func(ctx context.Context) error {
		_, err := k.api.createTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: tags})
		return err
	})
}

func (k *groups) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written, removed []types.Tag
	for _, resource := range resources {
		for _, tag := range set {
			written = append(written, groupTag(resource.ID, tag[0], tag[1]))
		}
		for _, key := range remove {
			tag := groupTag(resource.ID, key, "")
			tag.Value = nil // whatever its value
			removed = append(removed, tag)
		}
	}
	var failures []error
	for some := range slices.Chunk(written, groupTagsPerCall) {
		failures = append(failures, k.write(ctx, some))
	}
	for some := range slices.Chunk(removed, groupTagsPerCall) {
		failures = append(failures, k.Read(ctx, deleteGroupTags, func(ctx context.Context) error {
			_, err := k.api.deleteTags(ctx, &autoscaling.DeleteTagsInput{Tags: some})
			return err
		}))
	}
	return errors.Join(failures...)
}

func (k *groups) probe(ctx context.Context, _ string) []cloud.Finding {
	err := k.Read(ctx, describeGroups, func(ctx context.Context) error {
		_, err := k.api.describe(ctx, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: sdk.Int32(1), IncludeInstances: sdk.Bool(false)})
		return err
	})
	findings := []cloud.Finding{probeFinding(say.Word("list Auto Scaling groups"), describeGroups, err)}
	if err != nil {
		return findings
	}
	return append(findings,
		undryable(say.Word("start Auto Scaling groups"), "Auto Scaling", updateGroup),
		undryable(say.Word("stop Auto Scaling groups"), "Auto Scaling", createGroupTags, updateGroup),
		undryable(say.Word("tag Auto Scaling groups"), "Auto Scaling", createGroupTags, deleteGroupTags))
}
