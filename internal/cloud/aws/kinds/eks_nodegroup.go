package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	listEKSClusters   Operation = "eks:ListClusters"
	listNodegroups    Operation = "eks:ListNodegroups"
	describeNodegroup Operation = "eks:DescribeNodegroup"
	updateNodegroup   Operation = "eks:UpdateNodegroupConfig"
	tagNodegroup      Operation = "eks:TagResource"
	untagNodegroup    Operation = "eks:UntagResource"
)

const (
	nodegroupPage   = 100 // of ListClusters and ListNodegroups
	nodegroupType   = "eks:nodegroup"
	nodegroupPrefix = "nodegroup/" // of a node group in ARNs: nodegroup/CLUSTER/NAME/UUID
	nodegroupARN    = nodegroupPrefix + "*"
)

// idleNodes is what a stop sets. EKS takes no maximum of zero, so one node is the
// most that an autoscaler can bring up meanwhile.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_NodegroupScalingConfig.html
var idleNodes = size{0, 0, 1}

// eksNodegroup is stopped by scaling it to 0-0-1 and started by giving it the
// size back that it had, through EKS and never through the Auto Scaling group
// beneath it, which is EKS's.
//
// The tag with the saved size is there from before a stop until after the next
// start, so that it also tells in whose hands the group is: one that runs within
// the bounds of a stop, with a size saved that has others, was brought up by an
// autoscaler, or by somebody who changed nothing but the desired number. It is
// held: what a stop saves is not overwritten by it, and a start gives it its
// bounds back.
var eksNodegroup = Kind{
	Kind:  fleet.EKSNodegroup,
	Title: "EKS node groups",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start: {updateNodegroup, 1},
		fleet.Stop:  {updateNodegroup, 1},
	},
	Permissions: []Permission{
		{Action: getTagged, For: "find the node groups that carry the schedule tag", Resource: "*"},
		{Action: listEKSClusters, For: "list node groups for rules that ask for no schedule tag", Resource: "*"},
		{Action: listNodegroups, For: "list node groups for rules that ask for no schedule tag", Resource: "*"},
		{Action: describeNodegroup, For: "see status, size and tags of a node group", Resource: "*"},
		{Action: updateNodegroup, For: "scale node groups to nothing and back", Resource: nodegroupARN, Conditions: []Condition{onlyTagged}},
		{Action: tagNodegroup, For: "write dayshift:saved before a stop, dayshift:last-action and dayshift:error", Resource: nodegroupARN, Conditions: []Condition{onlyTagged, onlySavedTags, namingTags}},
		{Action: untagNodegroup, For: "remove dayshift:saved after a start, and dayshift:error", Resource: nodegroupARN, Conditions: []Condition{onlyTagged, onlySavedTags, namingTags}},
	},
	Dimensions: func(fleet.Resource) []Dimensions { return nil }, // its Auto Scaling group has the metrics
	TagType:    nodegroupType,
	Open:       openEKS,
}

// eksClient is what the kind needs of EKS and of the tagging API.
type eksClient struct {
	tagged     getResources
	clusters   func(context.Context, *eks.ListClustersInput, ...func(*eks.Options)) (*eks.ListClustersOutput, error)
	nodegroups func(context.Context, *eks.ListNodegroupsInput, ...func(*eks.Options)) (*eks.ListNodegroupsOutput, error)
	describe   func(context.Context, *eks.DescribeNodegroupInput, ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error)
	update     func(context.Context, *eks.UpdateNodegroupConfigInput, ...func(*eks.Options)) (*eks.UpdateNodegroupConfigOutput, error)
	tag        func(context.Context, *eks.TagResourceInput, ...func(*eks.Options)) (*eks.TagResourceOutput, error)
	untag      func(context.Context, *eks.UntagResourceInput, ...func(*eks.Options)) (*eks.UntagResourceOutput, error)
}

// nodegroups is the kind at work in a scope.
type nodegroups struct {
	Env
	api eksClient
}

func openEKS(env Env) Handle {
	c := eks.NewFromConfig(env.SDK)
	k := &nodegroups{Env: env, api: eksClient{
		tagged:   tagging.NewFromConfig(env.SDK).GetResources,
		clusters: c.ListClusters, nodegroups: c.ListNodegroups, describe: c.DescribeNodegroup, update: c.UpdateNodegroupConfig, tag: c.TagResource, untag: c.UntagResource,
	}}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start: k.start,
			fleet.Stop:  k.stop,
		},
		Tag:   k.tag,
		Parts: k.parts,
		Probe: k.probe,
	}
}

// list asks the tagging API for the node groups with the tag, a call for a
// hundred of them, and EKS for each of these, which knows no call for several:
// so a region without such groups costs one call, however many clusters it has.
// Without a tag it goes through the clusters.
func (k *nodegroups) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	var ids []string
	add := func(id string) {
		if isNodegroup(id) {
			ids = append(ids, id)
		}
	}
	var err error
	switch {
	case query.IDs != nil:
		for _, id := range query.IDs {
			add(id)
		}
	case query.TagKey != "":
		err = k.tagged(ctx, k.api.tagged, "EKS node groups", nodegroupType, query.TagKey, func(arn string) { add(nodegroupID(arn)) })
	default:
		err = k.listAll(ctx, add)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	var all gathered
	for _, id := range slices.Compact(ids) {
		group, err := k.describe(ctx, id)
		if errors.Is(err, cloud.ErrNotFound) {
			continue // it went away since, perhaps with its cluster
		}
		if err != nil {
			return nil, err
		}
		if _, tagged := group.Tags[query.TagKey]; tagged || query.TagKey == "" {
			all.add(k.resource(id, group, seenAt))
		}
	}
	return all.list, nil
}

// isNodegroup reports whether an id has the form cluster/nodegroup; others name nothing that there is.
func isNodegroup(id string) bool {
	cluster, name, _ := strings.Cut(id, "/")
	return cluster != "" && name != "" && !strings.Contains(name, "/")
}

// nodegroupID is the id of the node group that an ARN names, empty when it names none.
func nodegroupID(arn string) string {
	_, path, _ := strings.Cut(arn, ":"+nodegroupPrefix)
	parts := strings.Split(path, "/") // the last is a number of its own
	if len(parts) != 3 {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

func (k *nodegroups) listAll(ctx context.Context, each func(id string)) error {
	return pages(ctx, k.Read, listEKSClusters, "list EKS clusters in "+k.Scope.String(), func(ctx context.Context, token *string) (*eks.ListClustersOutput, error) {
		page, err := k.api.clusters(ctx, &eks.ListClustersInput{MaxResults: sdk.Int32(nodegroupPage), NextToken: token})
		if err == nil && page.Clusters == nil {
			err = errNotTheAnswer("clusters")
		}
		return page, err
	}, func(page *eks.ListClustersOutput) (*string, error) {
		for _, cluster := range page.Clusters {
			// A cluster that went away since has no node groups.
			if err := k.listCluster(ctx, cluster, each); err != nil && !errors.Is(err, cloud.ErrNotFound) {
				return nil, err
			}
		}
		return page.NextToken, nil
	})
}

func (k *nodegroups) listCluster(ctx context.Context, cluster string, each func(id string)) error {
	return pages(ctx, k.Read, listNodegroups, "list EKS node groups in "+k.Scope.String(), func(ctx context.Context, token *string) (*eks.ListNodegroupsOutput, error) {
		page, err := k.api.nodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: sdk.String(cluster), MaxResults: sdk.Int32(nodegroupPage), NextToken: token})
		if err == nil && page.Nodegroups == nil {
			err = errNotTheAnswer("nodegroups")
		}
		return page, err
	}, func(page *eks.ListNodegroupsOutput) (*string, error) {
		for _, name := range page.Nodegroups {
			each(cluster + "/" + name)
		}
		return page.NextToken, nil
	})
}

// parts are the Auto Scaling groups of node groups.
func (k *nodegroups) parts(ctx context.Context, resources []fleet.Resource) (map[string][]Dimensions, error) {
	parts := map[string][]Dimensions{}
	for i := range resources {
		id := resources[i].ID
		group, err := k.describe(ctx, id)
		if errors.Is(err, cloud.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if group.Resources == nil {
			continue
		}
		for _, one := range group.Resources.AutoScalingGroups {
			if name := sdk.ToString(one.Name); name != "" {
				parts[id] = append(parts[id], Dimensions{"AutoScalingGroupName": name})
			}
		}
	}
	return parts, nil
}

// describe reads one node group; its error is ErrNotFound when that or its cluster is gone.
func (k *nodegroups) describe(ctx context.Context, id string) (*types.Nodegroup, error) {
	cluster, name, _ := strings.Cut(id, "/")
	var answer *eks.DescribeNodegroupOutput
	err := k.Read(ctx, describeNodegroup, func(ctx context.Context) (err error) {
		answer, err = k.api.describe(ctx, &eks.DescribeNodegroupInput{ClusterName: sdk.String(cluster), NodegroupName: sdk.String(name)})
		if err == nil && (answer.Nodegroup == nil || answer.Nodegroup.ScalingConfig == nil) {
			err = errNotTheAnswer("nodegroup with a scalingConfig")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer.Nodegroup, nil
}

func nodegroupSize(group *types.Nodegroup) size {
	c := group.ScalingConfig
	return size{sdk.ToInt32(c.MinSize), sdk.ToInt32(c.DesiredSize), sdk.ToInt32(c.MaxSize)}
}

// resource translates a node group. Its nodes are not looked at: it runs as soon
// as it is to have some.
func (k *nodegroups) resource(id string, group *types.Nodegroup, seenAt time.Time) fleet.Resource {
	is := nodegroupSize(group)
	r := fleet.Resource{
		Ref:    fleet.Ref{Scope: k.Scope, Kind: fleet.EKSNodegroup, ID: id},
		ARN:    sdk.ToString(group.NodegroupArn),
		Name:   cmp.Or(sdk.ToString(group.NodegroupName), id),
		State:  nodegroupState(group),
		Native: fmt.Sprintf("%s, %s", group.Status, is),
		Tags:   group.Tags,
		// How its nodes are paid for. Which types they have, a listing does not say
		// of a group with a launch template, and of others it is a choice of several.
		Type:   string(group.CapacityType),
		SeenAt: seenAt,
	}
	if health := group.Health; health != nil && len(health.Issues) > 0 {
		r.StateReason = fmt.Sprintf("%s: %s", health.Issues[0].Code, sdk.ToString(health.Issues[0].Message))
	}
	if r.State == fleet.Running {
		r.Held = nodegroupHeld(group)
	}
	if is.desired > 0 && !r.Held { // what a stop left is nobody's wish, and not to be learned
		r.Size = is.String()
	}
	return r
}

// nodegroupState tells what a node group does. A degraded one counts by its size:
// EKS scales it as any other, it goes on costing money, and it stays degraded, at
// no nodes too, until some have come up again.
func nodegroupState(group *types.Nodegroup) fleet.State {
	wanted := nodegroupSize(group).desired > 0
	switch group.Status {
	case types.NodegroupStatusActive, types.NodegroupStatusDegraded:
		if wanted {
			return fleet.Running
		}
		return fleet.Stopped
	case types.NodegroupStatusCreating:
		return fleet.Starting
	case types.NodegroupStatusUpdating: // of its size, its version or its labels: EKS does not say
		if wanted {
			return fleet.Starting
		}
		return fleet.Stopping
	}
	return fleet.Other // on its way out, or never made
}

// nodegroupHeld reports whether a group that is to have nodes is still within
// the bounds of a stop, while others are saved.
func nodegroupHeld(group *types.Nodegroup) bool {
	is := nodegroupSize(group)
	saved, err := parseSize(group.Tags[fleet.TagSaved])
	return err == nil && is.desired > 0 &&
		is.minimum == idleNodes.minimum && is.maximum == idleNodes.maximum && (saved.minimum != is.minimum || saved.maximum != is.maximum)
}

// look reads a node group right before it is changed. busy is why it can not be
// changed now, nil when nothing speaks against it.
func (k *nodegroups) look(ctx context.Context, id string) (group *types.Nodegroup, busy, err error) {
	refuse := func(why string, class error) error {
		return &cloud.MemberError{IDs: []string{id}, Err: fmt.Errorf("EKS node group %s in %s: %s: %w", id, k.Scope, why, class)}
	}
	if !isNodegroup(id) {
		return nil, nil, refuse("there is none", cloud.ErrNotFound)
	}
	if group, err = k.describe(ctx, id); err != nil {
		return nil, nil, err
	}
	switch nodegroupState(group) {
	case fleet.Other:
		return nil, nil, refuse("it is "+string(group.Status), cloud.ErrWrongState)
	case fleet.Starting, fleet.Stopping:
		busy = refuse("it is "+string(group.Status), cloud.ErrWrongState)
	}
	return group, busy, nil
}

// start gives a node group its size back, and forgets what was saved once EKS
// has taken it.
func (k *nodegroups) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	target := targets[0]
	to, err := wanted(target)
	if err != nil {
		return nil, &cloud.MemberError{IDs: targetIDs(targets), Err: fmt.Errorf("start %s: %w", target.ID, err)}
	}
	group, busy, err := k.look(ctx, target.ID)
	if err != nil {
		return nil, err
	}
	if nodegroupSize(group).desired == 0 || nodegroupHeld(group) { // else somebody was faster, with a size of their own
		if busy != nil {
			return nil, busy
		}
		if err := k.scale(ctx, target.ID, to); err != nil {
			return nil, err
		}
	}
	if _, saved := group.Tags[fleet.TagSaved]; !saved {
		return nil, nil
	}
	return nil, k.removeTags(ctx, sdk.ToString(group.NodegroupArn), []string{fleet.TagSaved})
}

// stop writes down what the node group is set to, in its own tag, and then sets
// it to nothing.
func (k *nodegroups) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	target := targets[0]
	group, busy, err := k.look(ctx, target.ID)
	if err != nil {
		return nil, err
	}
	is := nodegroupSize(group)
	switch {
	case is.desired == 0:
		return nil, nil // a size of nothing must never take the place of the saved one
	case busy != nil:
		return nil, busy
	}
	if !nodegroupHeld(group) && group.Tags[fleet.TagSaved] != is.String() {
		if err := k.writeTags(ctx, sdk.ToString(group.NodegroupArn), map[string]string{fleet.TagSaved: is.String()}); err != nil {
			return nil, fmt.Errorf("save the size %s of %s before it is stopped: %w", is, target.ID, err)
		}
	}
	return nil, k.scale(ctx, target.ID, idleNodes)
}

// scale sets all three numbers in one call, so that none of them is ever without the others.
func (k *nodegroups) scale(ctx context.Context, id string, to size) error {
	cluster, name, _ := strings.Cut(id, "/")
	return k.Once(ctx, updateNodegroup, func(ctx context.Context) error {
		answer, err := k.api.update(ctx, &eks.UpdateNodegroupConfigInput{
			ClusterName: sdk.String(cluster), NodegroupName: sdk.String(name),
			ScalingConfig: &types.NodegroupScalingConfig{MinSize: sdk.Int32(to.minimum), DesiredSize: sdk.Int32(to.desired), MaxSize: sdk.Int32(to.maximum)},
		})
		if err == nil && answer.Update == nil {
			err = errNotTheAnswer("update")
		}
		return err
	})
}

func (k *nodegroups) writeTags(ctx context.Context, arn string, tags map[string]string) error {
	return k.Read(ctx, tagNodegroup, func(ctx context.Context) error {
		_, err := k.api.tag(ctx, &eks.TagResourceInput{ResourceArn: sdk.String(arn), Tags: tags})
		return err
	})
}

func (k *nodegroups) removeTags(ctx context.Context, arn string, keys []string) error {
	return k.Read(ctx, untagNodegroup, func(ctx context.Context) error {
		_, err := k.api.untag(ctx, &eks.UntagResourceInput{ResourceArn: sdk.String(arn), TagKeys: keys})
		return err
	})
}

func (k *nodegroups) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	written := map[string]string{}
	for _, tag := range set {
		written[tag[0]] = plainTagValue(tag[1])
	}
	var failures []error
	for _, resource := range resources {
		if len(written) > 0 {
			failures = append(failures, k.writeTags(ctx, resource.ARN, written))
		}
		if len(remove) > 0 {
			failures = append(failures, k.removeTags(ctx, resource.ARN, remove))
		}
	}
	return errors.Join(failures...)
}

func (k *nodegroups) probe(ctx context.Context, tagKey string) []cloud.Finding {
	var findings []cloud.Finding
	if tagKey != "" {
		err := k.tagged(ctx, k.api.tagged, "EKS node groups", nodegroupType, tagKey, func(string) {})
		findings = append(findings, probeFinding(say.Word("find EKS node groups by tag"), getTagged, err))
	}
	err := k.Read(ctx, listEKSClusters, func(ctx context.Context) error {
		_, err := k.api.clusters(ctx, &eks.ListClustersInput{MaxResults: sdk.Int32(1)})
		return err
	})
	findings = append(findings, probeFinding(say.Word("list EKS clusters"), listEKSClusters, err))
	// That something is not there AWS tells those alone who may ask.
	exists := func(err error) error {
		if errors.Is(err, cloud.ErrNotFound) {
			return nil
		}
		return err
	}
	err = exists(k.listCluster(ctx, noSuchCluster, func(string) {}))
	findings = append(findings, probeFinding(say.Word("list the node groups of EKS clusters"), listNodegroups, err))
	_, err = k.describe(ctx, noSuchService)
	err = exists(err)
	findings = append(findings, probeFinding(say.Word("list EKS node groups"), describeNodegroup, err))
	if err != nil {
		return findings
	}
	return append(findings,
		undryable(say.Word("start EKS node groups"), "EKS", updateNodegroup, untagNodegroup),
		undryable(say.Word("stop EKS node groups"), "EKS", tagNodegroup, updateNodegroup),
		undryable(say.Word("tag EKS node groups"), "EKS", tagNodegroup, untagNodegroup))
}
