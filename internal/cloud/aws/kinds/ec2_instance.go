package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	describeInstances       Operation = "ec2:DescribeInstances"
	describeSpotRequests    Operation = "ec2:DescribeSpotInstanceRequests"
	startInstances          Operation = "ec2:StartInstances"
	stopInstances           Operation = "ec2:StopInstances"
	rebootInstances         Operation = "ec2:RebootInstances"
	modifyInstanceAttribute Operation = "ec2:ModifyInstanceAttribute"
	createTags              Operation = "ec2:CreateTags"
	deleteTags              Operation = "ec2:DeleteTags"
)

// Sizes that AWS takes, from the SDK's and the developer guide's pages on
// DescribeInstances, StartInstances and CreateTags.
const (
	// instancePage is the largest page of DescribeInstances.
	instancePage = 1000
	// filterValues is how many values one filter may have. Ids go into a filter
	// and not into InstanceIds: there, one unknown id fails the whole call, and
	// pages are not allowed.
	filterValues = 200
	// instanceBatch: no limit is stated for StartInstances and StopInstances, but
	// the bucket that they draw instances from holds 1,000, so larger calls never
	// pass. RebootInstances has no such bucket and gets no larger calls all the same.
	instanceBatch = 1000
	// tagBatch is how many resources CreateTags and DeleteTags take.
	tagBatch = 1000
)

// askAgain is how long a Spot request whose type AWS did not tell is left in
// peace: a permission that is missing stays missing for days, and one that was
// granted should count within the hour.
const askAgain = 15 * time.Minute

var ec2Instance = Kind{
	Kind:  fleet.EC2Instance,
	Title: "EC2 instances",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start:     {startInstances, instanceBatch},
		fleet.Stop:      {stopInstances, instanceBatch},
		fleet.Hibernate: {stopInstances, instanceBatch},
		fleet.Resize:    {modifyInstanceAttribute, 1},
		fleet.Reboot:    {rebootInstances, instanceBatch},
	},
	Permissions: []Permission{
		{Action: describeInstances, For: "list instances", Resource: "*"},
		{Action: describeSpotRequests, For: "tell persistent Spot requests, which may be stopped, from one-time ones", Resource: "*", Optional: true},
		{Action: describeInstanceStatus, For: "wait for the status checks of instances whose schedule says verify: status-checks", Resource: "*", Optional: true},
		{Action: describeWindows, For: "learn when the SSM maintenance windows open that schedules name", Resource: "*", Optional: true},
		{Action: startInstances, For: "start instances", Resource: "instance/*", Conditions: []Condition{onlyTagged}},
		{Action: stopInstances, For: "stop and hibernate instances", Resource: "instance/*", Conditions: []Condition{onlyTagged}},
		{Action: rebootInstances, For: "reboot instances by a rule", Resource: "instance/*", Conditions: []Condition{onlyTagged}, Optional: true},
		{
			Action: modifyInstanceAttribute, For: "change the instance type of periods such as weekend@t3.small", Resource: "instance/*",
			Conditions: []Condition{onlyTagged, {"Null", "ec2:Attribute/InstanceType", []string{"false"}}}, Optional: true,
		},
		{Action: createTags, For: "write dayshift:last-action and dayshift:error", Resource: "instance/*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: deleteTags, For: "remove dayshift:error once it is settled", Resource: "instance/*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{
			Action: "kms:CreateGrant", For: "start instances whose volumes are encrypted with a key of the customer", Resource: "key/*",
			Conditions: []Condition{{"Bool", "kms:GrantIsForAWSResource", []string{"true"}}, {"StringLike", "kms:ViaService", []string{"ec2.*"}}}, Optional: true,
		},
	},
	Dimensions: named("InstanceId"),
	Open:       openEC2,
}

// ec2Client is what the kind needs of EC2.
type ec2Client struct {
	describe     func(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	status       func(context.Context, *ec2.DescribeInstanceStatusInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceStatusOutput, error)
	describeSpot func(context.Context, *ec2.DescribeSpotInstanceRequestsInput, ...func(*ec2.Options)) (*ec2.DescribeSpotInstanceRequestsOutput, error)
	start        func(context.Context, *ec2.StartInstancesInput, ...func(*ec2.Options)) (*ec2.StartInstancesOutput, error)
	stop         func(context.Context, *ec2.StopInstancesInput, ...func(*ec2.Options)) (*ec2.StopInstancesOutput, error)
	reboot       func(context.Context, *ec2.RebootInstancesInput, ...func(*ec2.Options)) (*ec2.RebootInstancesOutput, error)
	modify       func(context.Context, *ec2.ModifyInstanceAttributeInput, ...func(*ec2.Options)) (*ec2.ModifyInstanceAttributeOutput, error)
	createTags   func(context.Context, *ec2.CreateTagsInput, ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error)
	deleteTags   func(context.Context, *ec2.DeleteTagsInput, ...func(*ec2.Options)) (*ec2.DeleteTagsOutput, error)
}

// instances is the kind at work in a scope.
type instances struct {
	Env
	api ec2Client

	// requests remembers Spot requests, so that a fleet that stays as it is costs
	// no call.
	mu       sync.Mutex
	requests map[string]spotRequest
}

// spotRequest is what is known of a Spot request: its type, which never changes,
// or when AWS was asked for it in vain.
type spotRequest struct {
	kind  types.SpotInstanceType // empty: AWS did not say
	asked time.Time
}

func openEC2(env Env) Handle {
	c := ec2.NewFromConfig(env.SDK)
	k := &instances{Env: env, api: ec2Client{
		describe: c.DescribeInstances, status: c.DescribeInstanceStatus, describeSpot: c.DescribeSpotInstanceRequests,
		start: c.StartInstances, stop: c.StopInstances, reboot: c.RebootInstances, modify: c.ModifyInstanceAttribute,
		createTags: c.CreateTags, deleteTags: c.DeleteTags,
	}}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start:     k.start,
			fleet.Stop:      func(ctx context.Context, t []cloud.Target) ([]string, error) { return k.stop(ctx, t, false) },
			fleet.Hibernate: func(ctx context.Context, t []cloud.Target) ([]string, error) { return k.stop(ctx, t, true) },
			fleet.Resize:    k.resize,
			fleet.Reboot:    k.reboot,
		},
		Tag:    k.tag,
		Health: k.health,
		Probe:  k.probe,
	}
}

// alive are the states that a listing asks for: the server leaves out
// instances that are terminated or on their way there.
var alive = []string{"pending", "running", "stopping", "stopped"}

func (k *instances) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	seenAt := k.Now()
	var all gathered
	spot := map[string]string{} // instance that nothing else bars → its Spot request
	for _, narrowing := range narrowed(query) {
		filters := []types.Filter{{Name: sdk.String("instance-state-name"), Values: stateNames(query.States)}}
		if query.TagKey != "" {
			filters = append(filters, types.Filter{Name: sdk.String("tag-key"), Values: []string{literal(query.TagKey)}})
		}
		filters = append(filters, narrowing...)
		err := k.pages(ctx, filters, query.Known, func(instance *seenInstance) {
			resource := k.resource(instance, seenAt)
			if _, tagged := resource.Tags[query.TagKey]; query.TagKey != "" && !tagged {
				return
			}
			if instance.lifecycle == string(types.InstanceLifecycleTypeSpot) && resource.Bar == fleet.NoBar {
				spot[resource.ID] = instance.spotRequest
			}
			all.add(resource)
		})
		if err != nil {
			return nil, err
		}
	}
	if query.IDs == nil && query.TagValues == nil && query.States == nil {
		k.forgetRequests(spot)
	}
	if err := k.learnSpotTypes(ctx, spot, seenAt); err != nil {
		return nil, err
	}
	k.barOneTimeSpot(all.list, spot)
	return all.list, nil
}

// narrowed gives the filters of each listing that a query needs: a filter takes so many values.
func narrowed(query cloud.Query) [][]types.Filter {
	name, values := "instance-id", chunks(query, filterValues)
	if query.IDs == nil && query.TagKey != "" && len(query.TagValues) > 0 {
		name, values = "tag:"+query.TagKey, nil
		for chunk := range slices.Chunk(query.TagValues, filterValues) {
			literals := make([]string, len(chunk))
			for i, value := range chunk {
				literals[i] = literal(value)
			}
			values = append(values, literals)
		}
	}
	filters := make([][]types.Filter, len(values))
	for i := range values {
		if values[i] != nil {
			filters[i] = []types.Filter{{Name: sdk.String(name), Values: values[i]}}
		}
	}
	return filters
}

// stateNames are the words of EC2 for states; all that are alive for none.
func stateNames(states []fleet.State) []string {
	if len(states) == 0 {
		return alive
	}
	var names []string
	for _, name := range alive {
		if slices.Contains(states, instanceStates[types.InstanceStateName(name)]) {
			names = append(names, name)
		}
	}
	return names
}

// literal makes a tag key match only itself: filters take * and ? as wildcards.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace

// pages calls each with every instance of every page, but for those that are
// known; known may be nil.
func (k *instances) pages(ctx context.Context, filters []types.Filter, known *cloud.Known, each func(*seenInstance)) error {
	strange := false
	var same sameInstance
	if known != nil {
		same = known.Same
	}
	return pages(ctx, k.Read, describeInstances, "list EC2 instances in "+k.Scope.String(), func(ctx context.Context, token *string) (seenPage, error) {
		return k.api.describePage(ctx, &ec2.DescribeInstancesInput{Filters: filters, MaxResults: sdk.Int32(instancePage), NextToken: token}, same, &strange)
	}, func(page seenPage) (*string, error) {
		for i := range page.instances {
			each(&page.instances[i])
		}
		if known != nil {
			known.Kept = append(known.Kept, page.kept...)
		}
		return &page.next, nil
	})
}

// instanceStates translates EC2's words (SEMANTICS 8).
var instanceStates = map[types.InstanceStateName]fleet.State{
	types.InstanceStateNameRunning:  fleet.Running,
	types.InstanceStateNameStopped:  fleet.Stopped,
	types.InstanceStateNamePending:  fleet.Starting,
	types.InstanceStateNameStopping: fleet.Stopping,
}

func (k *instances) resource(instance *seenInstance, seenAt time.Time) fleet.Resource {
	r := fleet.Resource{
		Ref:          fleet.Ref{Scope: k.Scope, Kind: fleet.EC2Instance, ID: instance.id},
		ARN:          arn(k.Scope, "ec2", "instance/"+instance.id),
		Name:         instance.tags["Name"],
		State:        cmp.Or(instanceStates[types.InstanceStateName(instance.state)], fleet.Other),
		Native:       instance.state,
		Tags:         instance.tags,
		Type:         instance.typ,
		Zone:         instance.zone,
		VPC:          instance.vpc,
		Subnet:       instance.subnet,
		PrivateIP:    instance.privateIP,
		StateReason:  stateReason(instance.reasonCode, instance.reasonMessage),
		LaunchedAt:   instance.launched,
		CanHibernate: instance.hibernation,
		SeenAt:       seenAt,
	}
	if instance.lifecycle == "" { // what a Spot instance may is not in its own description
		r.Print = instance.words
	}
	switch _, grouped := r.Tags["aws:autoscaling:groupName"]; {
	case grouped:
		r.Bar = fleet.GroupMember
	case instance.root == string(types.DeviceTypeInstanceStore):
		r.Bar = fleet.InstanceStoreRoot
	}
	return r
}

func stateReason(code, message string) string {
	switch {
	case message == "":
		return code
	case code == "" || strings.HasPrefix(message, code):
		return message
	}
	return code + ": " + message
}

// forgetRequests keeps only the Spot requests that a whole listing shows.
func (k *instances) forgetRequests(spot map[string]string) {
	listed := make(map[string]bool, len(spot))
	for _, request := range spot {
		listed[request] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.requests, func(request string, _ spotRequest) bool { return !listed[request] })
}

// learnSpotTypes asks for the Spot requests that are not known yet. Without the
// permission, or when AWS cannot say, they stay unknown, and what is unknown is
// not stopped. It fails only when ctx ends.
func (k *instances) learnSpotTypes(ctx context.Context, spot map[string]string, now time.Time) error {
	unknown := k.unknownRequests(spot, now)
	for chunk := range slices.Chunk(unknown, filterValues) {
		told, err := k.spotTypes(ctx, chunk)
		passing := errors.Is(err, cloud.ErrTransient) || errors.Is(err, cloud.ErrThrottled)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case passing:
			return nil // the next listing asks again
		case err != nil:
			k.remember(unknown, nil, now) // it would be refused the others too
			return nil
		}
		k.remember(chunk, told, now)
	}
	return nil
}

// unknownRequests lists in order the requests that AWS has to be asked for.
func (k *instances) unknownRequests(spot map[string]string, now time.Time) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var unknown []string
	for _, request := range spot {
		known, asked := k.requests[request]
		// A clock set back must not silence the question for longer.
		age := now.Sub(known.asked)
		recently := asked && age >= 0 && age < askAgain
		if request != "" && known.kind == "" && !recently {
			unknown = append(unknown, request)
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

func (k *instances) remember(requests []string, told map[string]types.SpotInstanceType, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.requests == nil {
		k.requests = map[string]spotRequest{}
	}
	for _, request := range requests {
		if kind, known := told[request]; known || k.requests[request].kind == "" {
			k.requests[request] = spotRequest{kind, now}
		}
	}
}

// spotTypes asks AWS for the types of Spot requests.
func (k *instances) spotTypes(ctx context.Context, requests []string) (map[string]types.SpotInstanceType, error) {
	told := make(map[string]types.SpotInstanceType, len(requests))
	err := pages(ctx, k.Read, describeSpotRequests, "describe Spot requests in "+k.Scope.String(), func(ctx context.Context, token *string) (*ec2.DescribeSpotInstanceRequestsOutput, error) {
		return k.api.describeSpot(ctx, &ec2.DescribeSpotInstanceRequestsInput{
			Filters:    []types.Filter{{Name: sdk.String("spot-instance-request-id"), Values: requests}},
			MaxResults: sdk.Int32(instancePage),
			NextToken:  token,
		})
	}, func(page *ec2.DescribeSpotInstanceRequestsOutput) (*string, error) {
		for _, request := range page.SpotInstanceRequests {
			told[sdk.ToString(request.SpotInstanceRequestId)] = request.Type
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return told, nil
}

func (k *instances) barOneTimeSpot(list []fleet.Resource, spot map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range list {
		request, isSpot := spot[list[i].ID]
		if isSpot && k.requests[request].kind != types.SpotInstanceTypePersistent {
			list[i].Bar = fleet.SpotOneTime
		}
	}
}

func (k *instances) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	var answer *ec2.StartInstancesOutput
	err := k.Once(ctx, startInstances, func(ctx context.Context) (err error) {
		answer, err = k.api.start(ctx, &ec2.StartInstancesInput{InstanceIds: targetIDs(targets)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return changed(answer.StartingInstances), nil
}

func (k *instances) stop(ctx context.Context, targets []cloud.Target, hibernate bool) ([]string, error) {
	in := &ec2.StopInstancesInput{InstanceIds: targetIDs(targets)}
	if hibernate {
		in.Hibernate = sdk.Bool(true)
	}
	var answer *ec2.StopInstancesOutput
	err := k.Once(ctx, stopInstances, func(ctx context.Context) (err error) {
		answer, err = k.api.stop(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return changed(answer.StoppingInstances), nil
}

// changed lists the instances that an answer confirms; never nil, so that an
// answer that names none is not taken for one that need not name any.
func changed(changes []types.InstanceStateChange) []string {
	ids := make([]string, 0, len(changes))
	for _, change := range changes {
		ids = append(ids, sdk.ToString(change.InstanceId))
	}
	return ids
}

// reboot asks for a restart of the machines: AWS confirms no ids, and instances
// stay running all the while, with the launch time that they had.
func (k *instances) reboot(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, rebootInstances, func(ctx context.Context) error {
		_, err := k.api.reboot(ctx, &ec2.RebootInstancesInput{InstanceIds: targetIDs(targets)})
		return err
	})
}

func (k *instances) resize(ctx context.Context, targets []cloud.Target) ([]string, error) {
	target := targets[0]
	if target.Type == "" {
		return nil, fmt.Errorf("resize %s: no instance type given: %w", target.ID, cloud.ErrInvalid)
	}
	return nil, k.Once(ctx, modifyInstanceAttribute, func(ctx context.Context) error {
		_, err := k.api.modify(ctx, &ec2.ModifyInstanceAttributeInput{
			InstanceId:   sdk.String(target.ID),
			InstanceType: &types.AttributeValue{Value: sdk.String(target.Type)},
		})
		return err
	})
}

func (k *instances) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written, removed []types.Tag
	for _, tag := range set {
		written = append(written, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(tag[1])})
	}
	for _, key := range remove {
		removed = append(removed, types.Tag{Key: sdk.String(key)})
	}
	var failures []error
	for chunk := range slices.Chunk(resources, tagBatch) {
		ids := make([]string, len(chunk))
		for i, resource := range chunk {
			ids[i] = resource.ID
		}
		if len(written) > 0 {
			failures = append(failures, k.Read(ctx, createTags, func(ctx context.Context) error {
				_, err := k.api.createTags(ctx, &ec2.CreateTagsInput{Resources: ids, Tags: written})
				return err
			}))
		}
		if len(removed) > 0 {
			failures = append(failures, k.Read(ctx, deleteTags, func(ctx context.Context) error {
				_, err := k.api.deleteTags(ctx, &ec2.DeleteTagsInput{Resources: ids, Tags: removed})
				return err
			}))
		}
	}
	return errors.Join(failures...)
}

// noSuchInstance has the form of an id but is never given out: ids are random,
// and AWS leaves the all-zero one unused.
const noSuchInstance = "i-00000000000000000"

// probePage is the smallest page that DescribeInstances takes.
const probePage = 5

func (k *instances) probe(ctx context.Context, tagKey string) []cloud.Finding {
	listing, example := k.probeList(ctx, tagKey)
	findings := []cloud.Finding{listing}
	if !listing.OK {
		return findings
	}
	try := func(ability say.Text, operation Operation, call func(ctx context.Context, id string) error) {
		id := cmp.Or(example, noSuchInstance)
		err := k.Once(ctx, operation, func(ctx context.Context) error { return call(ctx, id) })
		findings = append(findings, dryRunFinding(ability, operation, example, tagKey, err))
	}
	dry := sdk.Bool(true)
	try(say.Word("start EC2 instances"), startInstances, func(ctx context.Context, id string) error {
		_, err := k.api.start(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}, DryRun: dry})
		return err
	})
	try(say.Word("stop EC2 instances"), stopInstances, func(ctx context.Context, id string) error {
		_, err := k.api.stop(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}, DryRun: dry})
		return err
	})
	try(say.Word("tag EC2 instances"), createTags, func(ctx context.Context, id string) error {
		_, err := k.api.createTags(ctx, &ec2.CreateTagsInput{
			Resources: []string{id}, DryRun: dry,
			Tags: []types.Tag{{Key: sdk.String(fleet.TagLastAction), Value: sdk.String("probe")}},
		})
		return err
	})
	return findings
}

func (k *instances) probeList(ctx context.Context, tagKey string) (finding cloud.Finding, example string) {
	in := &ec2.DescribeInstancesInput{
		Filters:    []types.Filter{{Name: sdk.String("instance-state-name"), Values: alive}},
		MaxResults: sdk.Int32(probePage),
	}
	if tagKey != "" {
		in.Filters = append(in.Filters, types.Filter{Name: sdk.String("tag-key"), Values: []string{literal(tagKey)}})
	}
	err := k.Read(ctx, describeInstances, func(ctx context.Context) error {
		page, err := k.api.describe(ctx, in)
		if err != nil {
			return err
		}
		for _, reservation := range page.Reservations {
			for _, instance := range reservation.Instances {
				example = sdk.ToString(instance.InstanceId)
			}
		}
		return nil
	})
	return probeFinding(say.Word("list EC2 instances"), describeInstances, err), example
}
