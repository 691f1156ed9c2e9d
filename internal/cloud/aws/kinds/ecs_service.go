package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	listClusters    Operation = "ecs:ListClusters"
	listServices    Operation = "ecs:ListServices"
	describeService Operation = "ecs:DescribeServices"
	updateService   Operation = "ecs:UpdateService"
	tagService      Operation = "ecs:TagResource"
	untagService    Operation = "ecs:UntagResource"
	describeTargets Operation = "application-autoscaling:DescribeScalableTargets"
	registerTarget  Operation = "application-autoscaling:RegisterScalableTarget"
)

// Bounds of AWS's calls.
const (
	servicePage       = 100 // of ListClusters and ListServices
	serviceBatch      = 10  // services of one DescribeServices
	targetBatch       = 50  // targets of one DescribeScalableTargets, and of its page
	mostPlainTagValue = 255 // characters
)

// comingUp is how long after a change of its number a service with fewer tasks
// than wanted counts as starting. It is longer than the time after which a start
// counts as failed, so that none is taken for done because nobody waits any more;
// and it ends, because a service that never gets its last task has to be stopped
// in the evening all the same.
const comingUp = 20 * time.Minute

const (
	serviceType     = "ecs:service"
	servicePrefix   = "service/" // of a service in ARNs and in scalable targets
	serviceFallback = 1          // tasks where nothing is known
)

var ecsService = Kind{
	Kind:  fleet.ECSService,
	Title: "ECS services",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start: {updateService, 1},
		fleet.Stop:  {updateService, 1},
	},
	Permissions: []Permission{
		{Action: getTagged, For: "find the services that carry the schedule tag", Resource: "*"},
		{Action: listClusters, For: "list services for rules that ask for no schedule tag", Resource: "*"},
		{Action: listServices, For: "list services for rules that ask for no schedule tag", Resource: "*"},
		{Action: describeService, For: "see how many tasks a service wants and has, and its tags", Resource: "*"},
		{Action: describeTargets, For: "see what scales a service", Resource: "*"},
		{Action: updateService, For: "set the number of tasks", Resource: "service/*", Conditions: []Condition{onlyTagged}},
		{
			Action: registerTarget, For: "suspend the scaling of a stopped service and resume it", Resource: "scalable-target/*",
			Conditions: []Condition{
				{"StringEquals", "application-autoscaling:service-namespace", []string{"ecs"}},
				{"StringEquals", "application-autoscaling:scalable-dimension", []string{string(scalingtypes.ScalableDimensionECSServiceDesiredCount)}},
			},
		},
		{Action: tagService, For: "write dayshift:saved before a stop, dayshift:last-action and dayshift:error", Resource: "service/*", Conditions: []Condition{onlyTagged, onlySavedTags, namingTags}},
		{Action: untagService, For: "remove dayshift:saved after a start, and dayshift:error", Resource: "service/*", Conditions: []Condition{onlyTagged, onlySavedTags, namingTags}},
	},
	Dimensions: func(r fleet.Resource) []Dimensions {
		cluster, name, _ := strings.Cut(r.ID, "/")
		return []Dimensions{{"ClusterName": cluster, "ServiceName": name}}
	},
	TagType: serviceType,
	Open:    openECS,
}

// ecsClient is what the kind needs of three services.
type ecsClient struct {
	tagged   getResources
	clusters func(context.Context, *ecs.ListClustersInput, ...func(*ecs.Options)) (*ecs.ListClustersOutput, error)
	services func(context.Context, *ecs.ListServicesInput, ...func(*ecs.Options)) (*ecs.ListServicesOutput, error)
	describe func(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	update   func(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	tag      func(context.Context, *ecs.TagResourceInput, ...func(*ecs.Options)) (*ecs.TagResourceOutput, error)
	untag    func(context.Context, *ecs.UntagResourceInput, ...func(*ecs.Options)) (*ecs.UntagResourceOutput, error)
	targets  func(context.Context, *scaling.DescribeScalableTargetsInput, ...func(*scaling.Options)) (*scaling.DescribeScalableTargetsOutput, error)
	register func(context.Context, *scaling.RegisterScalableTargetInput, ...func(*scaling.Options)) (*scaling.RegisterScalableTargetOutput, error)
}

// services is the kind at work in a scope.
//
// A stop is three steps: what the service was is written down on it, its
// scaling is suspended, its number is set to nothing. A start is the same the
// other way round. Each step looks first at what is there, so that a sequence
// that was cut off after any of them comes to the same end when it is begun
// again:
//
//   - A stop that was cut off leaves a service that runs and is held (its
//     scaling is suspended by us); it is stopped again or, where it shall run, resumed.
//   - A start that was cut off leaves either one that is stopped, or one that
//     runs and is held.
//
// The number is set before the scaling is resumed: Application Auto Scaling
// moves a service into its bounds when its target is changed, whatever the change.
type services struct {
	Env
	api ecsClient
}

func openECS(env Env) Handle {
	c, s := ecs.NewFromConfig(env.SDK), scaling.NewFromConfig(env.SDK)
	k := &services{Env: env, api: ecsClient{
		tagged:   tagging.NewFromConfig(env.SDK).GetResources,
		clusters: c.ListClusters, services: c.ListServices, describe: c.DescribeServices, update: c.UpdateService, tag: c.TagResource, untag: c.UntagResource,
		targets: s.DescribeScalableTargets, register: s.RegisterScalableTarget,
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

// errNotTheAnswer: the SDK takes a document without the operation's content for
// an answer without content.
func errNotTheAnswer(lacks string) error { return fmt.Errorf("the answer holds no %s", lacks) }

// byCluster are names of services by the cluster that they are in.
type byCluster map[string][]string

// list asks the tagging API for the services with the tag, which costs one call
// where there are none and one in ten services where there are; without a tag it
// goes through the clusters.
func (k *services) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	names := byCluster{}
	var err error
	switch {
	case query.IDs != nil:
		for _, id := range query.IDs {
			names.add(id)
		}
	case query.TagKey != "":
		err = k.listTagged(ctx, query.TagKey, names)
	default:
		err = k.listAll(ctx, names)
	}
	if err != nil {
		return nil, err
	}
	found := map[string]*types.Service{}
	for _, cluster := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[cluster])
		for chunk := range slices.Chunk(slices.Compact(names[cluster]), serviceBatch) {
			described, err := k.describe(ctx, cluster, chunk)
			if err != nil {
				return nil, err
			}
			for i := range described {
				service := &described[i]
				if _, tagged := serviceTags(service)[query.TagKey]; (tagged || query.TagKey == "") && sdk.ToString(service.Status) != "INACTIVE" {
					found[cluster+"/"+sdk.ToString(service.ServiceName)] = service
				}
			}
		}
	}
	targets, err := k.targets(ctx, slices.Sorted(maps.Keys(found)))
	if err != nil {
		return nil, err
	}
	var all gathered
	for _, id := range slices.Sorted(maps.Keys(found)) {
		all.add(k.resource(id, found[id], targets[id], seenAt))
	}
	return all.list, nil
}

// add takes a name of the form cluster/service; others name nothing that there is.
func (b byCluster) add(id string) {
	if cluster, name, ok := strings.Cut(id, "/"); ok && cluster != "" && name != "" && !strings.Contains(name, "/") {
		b[cluster] = append(b[cluster], name)
	}
}

// addARN takes arn:…:service/cluster/name. ARNs without a cluster are of an old
// form, of services that can carry no tags.
func (b byCluster) addARN(text string) {
	if _, id, ok := strings.Cut(text, ":"+servicePrefix); ok {
		b.add(id)
	}
}

func (k *services) listTagged(ctx context.Context, tagKey string, into byCluster) error {
	return k.tagged(ctx, k.api.tagged, "ECS services", serviceType, tagKey, into.addARN)
}

func (k *services) listAll(ctx context.Context, into byCluster) error {
	return pages(ctx, k.Read, listClusters, "list ECS clusters in "+k.Scope.String(), func(ctx context.Context, token *string) (*ecs.ListClustersOutput, error) {
		page, err := k.api.clusters(ctx, &ecs.ListClustersInput{MaxResults: sdk.Int32(servicePage), NextToken: token})
		if err == nil && page.ClusterArns == nil {
			err = errNotTheAnswer("clusterArns")
		}
		return page, err
	}, func(page *ecs.ListClustersOutput) (*string, error) {
		for _, cluster := range page.ClusterArns {
			// A cluster that went away since has no services.
			if err := k.listCluster(ctx, cluster, into); err != nil && !errors.Is(err, cloud.ErrNotFound) {
				return nil, err
			}
		}
		return page.NextToken, nil
	})
}

func (k *services) listCluster(ctx context.Context, clusterARN string, into byCluster) error {
	cluster := clusterARN[strings.LastIndexByte(clusterARN, '/')+1:]
	return pages(ctx, k.Read, listServices, "list ECS services in "+k.Scope.String(), func(ctx context.Context, token *string) (*ecs.ListServicesOutput, error) {
		page, err := k.api.services(ctx, &ecs.ListServicesInput{Cluster: sdk.String(clusterARN), MaxResults: sdk.Int32(servicePage), NextToken: token})
		if err == nil && page.ServiceArns == nil {
			err = errNotTheAnswer("serviceArns")
		}
		return page, err
	}, func(page *ecs.ListServicesOutput) (*string, error) {
		for _, service := range page.ServiceArns {
			into.add(cluster + "/" + service[strings.LastIndexByte(service, '/')+1:])
		}
		return page.NextToken, nil
	})
}

// describe asks for up to ten services of a cluster; those that are gone are left out.
func (k *services) describe(ctx context.Context, cluster string, names []string) ([]types.Service, error) {
	var answer *ecs.DescribeServicesOutput
	err := k.Read(ctx, describeService, func(ctx context.Context) (err error) {
		answer, err = k.api.describe(ctx, &ecs.DescribeServicesInput{
			Cluster: sdk.String(cluster), Services: names, Include: []types.ServiceField{types.ServiceFieldTags},
		})
		if err == nil && answer.Services == nil && answer.Failures == nil {
			err = errNotTheAnswer("services")
		}
		return err
	})
	if errors.Is(err, cloud.ErrNotFound) {
		return nil, nil // the cluster is gone, and its services with it
	}
	if err != nil {
		return nil, err
	}
	answered := len(answer.Services) + len(answer.Failures)
	for _, failure := range answer.Failures {
		if reason := sdk.ToString(failure.Reason); reason != "MISSING" {
			return nil, fmt.Errorf("describe ECS services of %s in %s: %s: %s: %w", cluster, k.Scope, sdk.ToString(failure.Arn), reason, cloud.ErrTransient)
		}
	}
	if answered < len(names) {
		return nil, fmt.Errorf("describe ECS services of %s in %s: AWS answered for %d of %d: %w", cluster, k.Scope, answered, len(names), cloud.ErrTransient)
	}
	return answer.Services, nil
}

// scalable is what Application Auto Scaling has of a service.
type scalable struct {
	min, max int
	held     suspension
}

// suspension is which kinds of scaling are suspended.
type suspension struct{ in, out, scheduled bool }

// wholly is what a stopped service has.
var wholly = suspension{in: true, out: true, scheduled: true}

// targets asks for the scalable targets of services, by their ids.
func (k *services) targets(ctx context.Context, ids []string) (map[string]*scalable, error) {
	found := map[string]*scalable{}
	for chunk := range slices.Chunk(ids, targetBatch) {
		in := &scaling.DescribeScalableTargetsInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
			MaxResults: sdk.Int32(targetBatch),
		}
		for _, id := range chunk {
			in.ResourceIds = append(in.ResourceIds, servicePrefix+id)
		}
		err := pages(ctx, k.Read, describeTargets, "describe scalable targets in "+k.Scope.String(), func(ctx context.Context, token *string) (*scaling.DescribeScalableTargetsOutput, error) {
			in.NextToken = token
			page, err := k.api.targets(ctx, in)
			if err == nil && page.ScalableTargets == nil {
				err = errNotTheAnswer("ScalableTargets")
			}
			return page, err
		}, func(page *scaling.DescribeScalableTargetsOutput) (*string, error) {
			for i := range page.ScalableTargets {
				t := &page.ScalableTargets[i]
				id, ok := strings.CutPrefix(sdk.ToString(t.ResourceId), servicePrefix)
				if !ok {
					continue
				}
				found[id] = &scalable{min: int(sdk.ToInt32(t.MinCapacity)), max: int(sdk.ToInt32(t.MaxCapacity))}
				if s := t.SuspendedState; s != nil {
					found[id].held = suspension{sdk.ToBool(s.DynamicScalingInSuspended), sdk.ToBool(s.DynamicScalingOutSuspended), sdk.ToBool(s.ScheduledScalingSuspended)}
				}
			}
			return page.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func serviceTags(service *types.Service) map[string]string {
	tags := make(map[string]string, len(service.Tags))
	for _, tag := range service.Tags {
		tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	return tags
}

func (k *services) resource(id string, service *types.Service, scaled *scalable, seenAt time.Time) fleet.Resource {
	r := fleet.Resource{
		Ref:    fleet.Ref{Scope: k.Scope, Kind: fleet.ECSService, ID: id},
		ARN:    cmp.Or(sdk.ToString(service.ServiceArn), arn(k.Scope, "ecs", servicePrefix+id)),
		Name:   sdk.ToString(service.ServiceName),
		Tags:   serviceTags(service),
		Type:   launchType(service),
		Bar:    serviceBar(service),
		SeenAt: seenAt,
	}
	r.State, r.Native = serviceState(service, seenAt)
	if r.State == fleet.Starting && len(service.Events) > 0 { // the newest comes first
		r.StateReason = sdk.ToString(service.Events[0].Message)
	}
	if service.DesiredCount > 0 {
		r.Size = taskSizeOf(int(service.DesiredCount), scaled).String()
		was, saved := parseSaved(r.Tags)
		r.Held = saved && scaled != nil && scaled.held == wholly && was.held != wholly
	}
	return r
}

// launchType says on what the tasks run.
func launchType(service *types.Service) string {
	if service.LaunchType == "" && len(service.CapacityProviderStrategy) > 0 {
		return sdk.ToString(service.CapacityProviderStrategy[0].CapacityProvider)
	}
	return string(service.LaunchType)
}

// serviceBar says why the number of tasks is not ours to set. Of a service that
// CodeDeploy deploys it is: UpdateService takes a desired count there as well.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func serviceBar(service *types.Service) fleet.Bar {
	switch {
	case service.SchedulingStrategy == types.SchedulingStrategyDaemon:
		return fleet.DaemonService
	case service.DeploymentController != nil && service.DeploymentController.Type == types.DeploymentControllerTypeExternal:
		return fleet.ExternalDeployer
	}
	return fleet.NoBar
}

// serviceState tells what a service does, and in words of AWS where there are some.
func serviceState(service *types.Service, now time.Time) (fleet.State, string) {
	status := sdk.ToString(service.Status)
	wanted, running := service.DesiredCount, service.RunningCount
	switch {
	case status != "ACTIVE":
		return fleet.Other, status
	case deploying(service):
		return fleet.Other, status + ", deployment in progress"
	case wanted == 0 && (running > 0 || service.PendingCount > 0):
		return fleet.Stopping, fmt.Sprintf("%s, %d tasks left", status, running+service.PendingCount)
	case wanted == 0:
		return fleet.Stopped, status
	}
	native := fmt.Sprintf("%s, %d of %d tasks", status, running, wanted)
	if running < wanted && now.Sub(changedAt(service)) < comingUp {
		return fleet.Starting, native
	}
	return fleet.Running, native
}

// deploying: another version is on its way; what it does to the tasks must not be disturbed.
func deploying(service *types.Service) bool {
	if len(service.Deployments) > 1 || len(service.TaskSets) > 1 {
		return true
	}
	return len(service.Deployments) == 1 && service.Deployments[0].RolloutState == types.DeploymentRolloutStateInProgress
}

// changedAt is when the number of tasks, or anything else of the deployment, was last changed; zero where AWS does not say.
func changedAt(service *types.Service) time.Time {
	var last time.Time
	for _, deployment := range service.Deployments {
		if at := sdk.ToTime(deployment.UpdatedAt); at.After(last) {
			last = at
		}
	}
	return last
}

// taskSize is a number of tasks, with the bounds of its scaling where it has one.
type taskSize struct {
	min, desired, max int
	bounded           bool
}

func taskSizeOf(desired int, scaled *scalable) taskSize {
	if scaled == nil {
		return taskSize{desired: desired}
	}
	return taskSize{min: scaled.min, desired: desired, max: scaled.max, bounded: true}
}

// String writes 3, or 1-3-10 with bounds: the form of groups and of the tag
// IS-MinDesiredMax, in characters that ECS takes in tags.
func (s taskSize) String() string {
	if !s.bounded {
		return strconv.Itoa(s.desired)
	}
	return fmt.Sprintf("%d-%d-%d", s.min, s.desired, s.max)
}

// mostTasks is AWS's bound on the tasks of a service.
const mostTasks = 5000

// parseTaskSize reads what String writes.
func parseTaskSize(text string) (taskSize, error) {
	bad := fmt.Errorf("size %.60q: expected a number of tasks such as 3, or minimum-desired-maximum such as 1-3-10, with 1 to %d tasks; write it in the tag %s: %w", text, mostTasks, fleet.TagSize, cloud.ErrInvalid)
	parts := strings.Split(strings.TrimSpace(text), "-")
	var n [3]int
	if len(parts) > len(n) {
		return taskSize{}, bad
	}
	for i, part := range parts {
		count, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || count < 0 || count > mostTasks || strings.HasPrefix(strings.TrimSpace(part), "+") {
			return taskSize{}, bad
		}
		n[i] = count
	}
	s := taskSize{desired: n[0]}
	switch {
	case len(parts) == len(n):
		s = taskSize{min: n[0], desired: n[1], max: n[2], bounded: true}
		if s.min > s.desired || s.desired > s.max {
			return taskSize{}, bad
		}
	case len(parts) != 1:
		return taskSize{}, bad
	}
	if s.desired < 1 {
		return taskSize{}, bad
	}
	return s, nil
}

// saved is what the tag says that a service was before it was stopped.
type saved struct {
	// size as text: a service that its owner had moved out of its bounds is written down as it was.
	size string
	held suspension
}

// heldWord separates the size from the kinds of scaling that its owner had suspended.
const heldWord = " suspended="

func (s saved) String() string {
	var words []string
	for _, kind := range []struct {
		is   bool
		word string
	}{{s.held.in, "in"}, {s.held.out, "out"}, {s.held.scheduled, "scheduled"}} {
		if kind.is {
			words = append(words, kind.word)
		}
	}
	if len(words) == 0 {
		return s.size
	}
	return s.size + heldWord + strings.Join(words, "+")
}

// parseSaved reads the tag; false where there is none or it says nothing.
func parseSaved(tags map[string]string) (saved, bool) {
	text := strings.TrimSpace(tags[fleet.TagSaved])
	amount, words, _ := strings.Cut(text, heldWord)
	s := saved{size: amount}
	for word := range strings.SplitSeq(words, "+") {
		switch word {
		case "":
		case "in":
			s.held.in = true
		case "out":
			s.held.out = true
		case "scheduled":
			s.held.scheduled = true
		default:
			return saved{}, false
		}
	}
	return s, amount != ""
}

// present is a service as it is right before it is changed.
type present struct {
	id, cluster, name, arn string
	desired                int
	tags                   map[string]string
	scaled                 *scalable
}

// look sees how a service is now: what is saved of it, and whether its scaling
// is suspended already, must not be as old as the listing.
func (k *services) look(ctx context.Context, id string) (present, error) {
	cluster, name, _ := strings.Cut(id, "/")
	refuse := func(class error, format string, args ...any) (present, error) {
		return present{}, &cloud.MemberError{IDs: []string{id}, Err: fmt.Errorf("ECS service %s in %s: %s: %w", id, k.Scope, fmt.Sprintf(format, args...), class)}
	}
	described, err := k.describe(ctx, cluster, []string{name})
	if err != nil {
		return present{}, err
	}
	if len(described) == 0 {
		return refuse(cloud.ErrNotFound, "there is none")
	}
	service := &described[0]
	status := sdk.ToString(service.Status)
	switch bar := serviceBar(service); {
	case status == "INACTIVE":
		return refuse(cloud.ErrNotFound, "it was deleted")
	case status != "ACTIVE":
		return refuse(cloud.ErrWrongState, "it is %s", status)
	case bar != fleet.NoBar:
		return refuse(cloud.ErrUnsupported, "%s", bar)
	case deploying(service):
		return refuse(cloud.ErrWrongState, "a deployment is in progress")
	}
	targets, err := k.targets(ctx, []string{id})
	if err != nil {
		return present{}, err
	}
	return present{
		id: id, cluster: cluster, name: name, arn: sdk.ToString(service.ServiceArn), desired: int(service.DesiredCount),
		tags: serviceTags(service), scaled: targets[id],
	}, nil
}

func (k *services) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	now, err := k.look(ctx, targets[0].ID)
	if err != nil || now.desired == 0 {
		return nil, err // a stop of what is stopped is nothing to do
	}
	if err := k.save(ctx, now); err != nil {
		return nil, err
	}
	if now.scaled != nil && now.scaled.held != wholly {
		if err := k.suspend(ctx, now.id, wholly, nil); err != nil {
			return nil, err
		}
	}
	return nil, k.setDesired(ctx, now, 0)
}

// save writes down what the service is. Scaling that is wholly suspended while
// the tag says otherwise was suspended by a stop that did not come to its end.
func (k *services) save(ctx context.Context, now present) error {
	next := saved{size: taskSizeOf(now.desired, now.scaled).String()}
	if now.scaled != nil {
		next.held = now.scaled.held
		if was, ok := parseSaved(now.tags); ok && next.held == wholly {
			next.held = was.held
		}
	}
	if now.tags[fleet.TagSaved] == next.String() {
		return nil
	}
	return k.writeTags(ctx, now.arn, []types.Tag{{Key: sdk.String(fleet.TagSaved), Value: sdk.String(next.String())}})
}

func (k *services) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	now, err := k.look(ctx, targets[0].ID)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedSize(targets[0].Size, now.scaled)
	if err != nil {
		return nil, &cloud.MemberError{IDs: []string{now.id}, Err: fmt.Errorf("start ECS service %s: %w", now.id, err)}
	}
	if now.desired == 0 { // else a person, or a start that was cut off, has set it
		if err := k.setDesired(ctx, now, wanted.desired); err != nil {
			return nil, err
		}
	}
	was, isSaved := parseSaved(now.tags)
	if err := k.resume(ctx, now, was, isSaved, ownersBounds(targets[0].Size, now)); err != nil {
		return nil, err
	}
	if !isSaved && now.tags[fleet.TagSaved] == "" {
		return nil, nil
	}
	return nil, k.removeTags(ctx, now.arn, []string{fleet.TagSaved})
}

// wantedSize reads what a start brings back; of a tag that was saved the part
// that is not about scaling.
func wantedSize(text string, scaled *scalable) (taskSize, error) {
	amount, _, _ := strings.Cut(text, heldWord)
	if strings.TrimSpace(amount) != "" {
		return parseTaskSize(amount)
	}
	least := serviceFallback
	if scaled != nil {
		least = max(least, scaled.min)
	}
	return taskSize{desired: least}, nil
}

// ownersBounds are the bounds that the owner's tag asks for; nil where the size
// comes from elsewhere. Bounds that were learned are not written back: they were
// never changed, and their owner may have changed them since.
func ownersBounds(text string, now present) *taskSize {
	text = strings.TrimSpace(text)
	if text == "" || text != strings.TrimSpace(now.tags[fleet.TagSize]) && text != strings.TrimSpace(now.tags[fleet.TagMinDesiredMax]) {
		return nil
	}
	wish, err := parseTaskSize(text)
	if err != nil || !wish.bounded || now.scaled != nil && wish.min == now.scaled.min && wish.max == now.scaled.max {
		return nil
	}
	return &wish
}

// resume gives the scaling back what its owner had, unless it is no longer as
// the stop left it.
func (k *services) resume(ctx context.Context, now present, was saved, isSaved bool, bounds *taskSize) error {
	if now.scaled == nil {
		return nil
	}
	held := now.scaled.held
	if isSaved && held == wholly {
		held = was.held
	}
	if held == now.scaled.held && bounds == nil {
		return nil
	}
	err := k.suspend(ctx, now.id, held, bounds)
	if errors.Is(err, cloud.ErrNotFound) {
		return nil // its owner took the scaling away just now
	}
	return err
}

func (k *services) suspend(ctx context.Context, id string, held suspension, bounds *taskSize) error {
	in := &scaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
		ResourceId: sdk.String(servicePrefix + id),
		SuspendedState: &scalingtypes.SuspendedState{
			DynamicScalingInSuspended: sdk.Bool(held.in), DynamicScalingOutSuspended: sdk.Bool(held.out), ScheduledScalingSuspended: sdk.Bool(held.scheduled),
		},
	}
	if bounds != nil {
		in.MinCapacity, in.MaxCapacity = sdk.Int32(int32(bounds.min)), sdk.Int32(int32(bounds.max))
	}
	return k.Read(ctx, registerTarget, func(ctx context.Context) error {
		_, err := k.api.register(ctx, in)
		return err
	})
}

func (k *services) setDesired(ctx context.Context, now present, desired int) error {
	return k.Once(ctx, updateService, func(ctx context.Context) error {
		answer, err := k.api.update(ctx, &ecs.UpdateServiceInput{Cluster: sdk.String(now.cluster), Service: sdk.String(now.name), DesiredCount: sdk.Int32(int32(desired))})
		if err == nil && answer.Service == nil {
			err = errNotTheAnswer("service")
		}
		return err
	})
}

func (k *services) writeTags(ctx context.Context, arn string, tags []types.Tag) error {
	return k.Read(ctx, tagService, func(ctx context.Context) error {
		_, err := k.api.tag(ctx, &ecs.TagResourceInput{ResourceArn: sdk.String(arn), Tags: tags})
		return err
	})
}

func (k *services) removeTags(ctx context.Context, arn string, keys []string) error {
	return k.Read(ctx, untagService, func(ctx context.Context) error {
		_, err := k.api.untag(ctx, &ecs.UntagResourceInput{ResourceArn: sdk.String(arn), TagKeys: keys})
		return err
	})
}

func (k *services) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written []types.Tag
	for _, tag := range set {
		written = append(written, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(plainTagValue(tag[1]))})
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

// plainTagValue makes a sentence fit for a tag of ECS or EKS, which take letters,
// digits, blanks and few signs.
func plainTagValue(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), strings.ContainsRune("_.:/=+-@", r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '-'
	}, text))
	return string(runes[:min(len(runes), mostPlainTagValue)])
}

func (k *services) probe(ctx context.Context, tagKey string) []cloud.Finding {
	var findings []cloud.Finding
	if tagKey != "" {
		findings = append(findings, probeFinding(say.Word("find ECS services by tag"), getTagged, k.listTagged(ctx, tagKey, byCluster{})))
	}
	err := k.Read(ctx, listClusters, func(ctx context.Context) error {
		_, err := k.api.clusters(ctx, &ecs.ListClustersInput{MaxResults: sdk.Int32(1)})
		return err
	})
	findings = append(findings, probeFinding(say.Word("list ECS clusters"), listClusters, err))
	// Of what is not there AWS says so to those alone who may ask.
	_, err = k.targets(ctx, []string{noSuchService})
	findings = append(findings, probeFinding(say.Word("see the scaling of ECS services"), describeTargets, err))
	_, err = k.describe(ctx, noSuchCluster, []string{noSuchCluster})
	findings = append(findings, probeFinding(say.Word("list ECS services"), describeService, err))
	if err != nil {
		return findings
	}
	return append(findings,
		undryable(say.Word("start ECS services"), "ECS", updateService, registerTarget, untagService),
		undryable(say.Word("stop ECS services"), "ECS", updateService, registerTarget, tagService),
		undryable(say.Word("tag ECS services"), "ECS", tagService, untagService))
}

// Names that nobody has, to ask whether one may ask.
const (
	noSuchCluster = "dayshift-probe"
	noSuchService = noSuchCluster + "/" + noSuchCluster
)
