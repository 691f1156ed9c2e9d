package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/say"
)

// Operations of Elastic Load Balancing that are needed, of both versions of its
// API; IAM calls them alike.
const (
	describeTargetGroups Operation = "elasticloadbalancing:DescribeTargetGroups"
	describeTargetHealth Operation = "elasticloadbalancing:DescribeTargetHealth"
	registerTargets      Operation = "elasticloadbalancing:RegisterTargets"
	deregisterTargets    Operation = "elasticloadbalancing:DeregisterTargets"

	describeClassics       Operation = "elasticloadbalancing:DescribeLoadBalancers"
	describeInstanceHealth Operation = "elasticloadbalancing:DescribeInstanceHealth"
	registerInstances      Operation = "elasticloadbalancing:RegisterInstancesWithLoadBalancer"
	deregisterInstances    Operation = "elasticloadbalancing:DeregisterInstancesFromLoadBalancer"
)

const (
	// balancerPage is the largest page of target groups and of Classic load balancers.
	balancerPage = 400
	// balancerBatch is how many members one call names. AWS states no bound below the
	// thousand that a group can have; a member that it does not take makes it refuse the call.
	balancerBatch = 200
	// balancerLanes is how many target groups are asked at once for their targets:
	// what the bucket gives back in a second at a tenth of a second for an answer.
	balancerLanes = 8
)

// BalancerPermissions are what load balancers need beside the permissions of the
// kinds, where workloads drain members before they stop them.
var BalancerPermissions = []Permission{
	{Action: describeTargetGroups, For: "find the target groups that instances are in", Resource: "*", Optional: true},
	{Action: describeTargetHealth, For: "see who is in a target group, and how healthy", Resource: "*", Optional: true},
	{Action: registerTargets, For: "put an instance back into its target groups once it is up", Resource: "targetgroup/*/*", Optional: true},
	{Action: deregisterTargets, For: "take an instance out of its target groups before it is stopped", Resource: "targetgroup/*/*", Optional: true},
	{Action: describeClassics, For: "find the Classic load balancers that instances are in", Resource: "*", Optional: true},
	{Action: describeInstanceHealth, For: "see how healthy the instances of a Classic load balancer are", Resource: "*", Optional: true},
	{Action: registerInstances, For: "put an instance back into its Classic load balancers", Resource: "loadbalancer/*", Optional: true},
	{Action: deregisterInstances, For: "take an instance out of its Classic load balancers", Resource: "loadbalancer/*", Optional: true},
}

// Balancers are the target groups and Classic load balancers of a scope.
type Balancers struct {
	Env
	api balancerClient
}

type balancerClient struct {
	groups     func(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	health     func(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
	register   func(context.Context, *elb.RegisterTargetsInput, ...func(*elb.Options)) (*elb.RegisterTargetsOutput, error)
	deregister func(context.Context, *elb.DeregisterTargetsInput, ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error)

	classics          func(context.Context, *classic.DescribeLoadBalancersInput, ...func(*classic.Options)) (*classic.DescribeLoadBalancersOutput, error)
	classicHealth     func(context.Context, *classic.DescribeInstanceHealthInput, ...func(*classic.Options)) (*classic.DescribeInstanceHealthOutput, error)
	classicRegister   func(context.Context, *classic.RegisterInstancesWithLoadBalancerInput, ...func(*classic.Options)) (*classic.RegisterInstancesWithLoadBalancerOutput, error)
	classicDeregister func(context.Context, *classic.DeregisterInstancesFromLoadBalancerInput, ...func(*classic.Options)) (*classic.DeregisterInstancesFromLoadBalancerOutput, error)
}

// OpenBalancers prepares the load balancers of a scope. It makes no call.
func OpenBalancers(env Env) *Balancers {
	v2, v1 := elb.NewFromConfig(env.SDK), classic.NewFromConfig(env.SDK)
	return &Balancers{Env: env, api: balancerClient{
		groups: v2.DescribeTargetGroups, health: v2.DescribeTargetHealth, register: v2.RegisterTargets, deregister: v2.DeregisterTargets,
		classics: v1.DescribeLoadBalancers, classicHealth: v1.DescribeInstanceHealth,
		classicRegister: v1.RegisterInstancesWithLoadBalancer, classicDeregister: v1.DeregisterInstancesFromLoadBalancer,
	}}
}

// Memberships finds where the instances are, as cloud.Balancer says. Classic load
// balancers name their instances in their listing. Which target groups an
// instance is in AWS tells nobody, so each group has to be asked; where groups are
// of several VPCs, only those of the VPCs that vpcs gives for the instances.
func (b *Balancers) Memberships(ctx context.Context, ids []string, vpcs func(context.Context, []string) (map[string]bool, error)) ([]cloud.Membership, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	found := map[cloud.Membership]bool{} // pages of a changing account may overlap
	if err := b.classicsOf(ctx, asked, found); err != nil {
		return nil, err
	}
	groups, err := b.groups(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string]bool{}
	for _, vpc := range groups {
		of[vpc] = true
	}
	if len(of) > 1 {
		theirs, err := vpcs(ctx, slices.Sorted(maps.Keys(asked)))
		if err != nil {
			return nil, fmt.Errorf("find the VPCs of instances: %w", err)
		}
		maps.DeleteFunc(groups, func(_, vpc string) bool { return !theirs[vpc] })
	}
	arns := slices.Sorted(maps.Keys(groups))
	members := make([][]cloud.Membership, len(arns))
	err = b.side(ctx, len(arns), func(ctx context.Context, i int) error {
		targets, err := b.targets(ctx, arns[i], nil)
		if errors.Is(err, cloud.ErrNotFound) {
			return nil // it went away since
		}
		for _, target := range targets {
			if id := sdk.ToString(target.Target.Id); asked[id] && !leaves(target.TargetHealth) {
				members[i] = append(members[i], cloud.Membership{Instance: id, Group: arns[i], Port: int(sdk.ToInt32(target.Target.Port))})
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, member := range slices.Concat(members...) {
		found[member] = true
	}
	return slices.SortedFunc(maps.Keys(found), compareMemberships), nil
}

// leaves reports whether a target is on its way out, or not there at all.
func leaves(health *types.TargetHealth) bool {
	return health.State == types.TargetHealthStateEnumDraining || health.Reason == types.TargetHealthReasonEnumNotRegistered
}

func compareMemberships(a, b cloud.Membership) int {
	return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Port, b.Port))
}

// side does n things, some of them at once, and returns the first error.
func (b *Balancers) side(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(balancerLanes)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait() //nolint:wrapcheck // what do returns says what it did
}

func (b *Balancers) classicsOf(ctx context.Context, asked map[string]bool, found map[cloud.Membership]bool) error {
	return pages(ctx, b.Read, describeClassics, "list Classic load balancers in "+b.Scope.String(), func(ctx context.Context, token *string) (*classic.DescribeLoadBalancersOutput, error) {
		page, err := b.api.classics(ctx, &classic.DescribeLoadBalancersInput{Marker: token, PageSize: sdk.Int32(balancerPage)})
		if err == nil && page.LoadBalancerDescriptions == nil {
			err = errNotTheAnswer("LoadBalancerDescriptions")
		}
		return page, err
	}, func(page *classic.DescribeLoadBalancersOutput) (*string, error) {
		for i := range page.LoadBalancerDescriptions {
			balancer := &page.LoadBalancerDescriptions[i]
			for _, instance := range balancer.Instances {
				if id := sdk.ToString(instance.InstanceId); asked[id] {
					found[cloud.Membership{Instance: id, Group: sdk.ToString(balancer.LoadBalancerName), Classic: true}] = true
				}
			}
		}
		return page.NextMarker, nil
	})
}

// groups are the ARNs of the target groups whose targets are instances, with
// their VPCs.
func (b *Balancers) groups(ctx context.Context) (map[string]string, error) {
	groups := map[string]string{}
	err := pages(ctx, b.Read, describeTargetGroups, "list target groups in "+b.Scope.String(), func(ctx context.Context, token *string) (*elb.DescribeTargetGroupsOutput, error) {
		page, err := b.api.groups(ctx, &elb.DescribeTargetGroupsInput{Marker: token, PageSize: sdk.Int32(balancerPage)})
		if err == nil && page.TargetGroups == nil {
			err = errNotTheAnswer("TargetGroups")
		}
		return page, err
	}, func(page *elb.DescribeTargetGroupsOutput) (*string, error) {
		for i := range page.TargetGroups {
			if group := &page.TargetGroups[i]; group.TargetType == types.TargetTypeEnumInstance {
				groups[sdk.ToString(group.TargetGroupArn)] = sdk.ToString(group.VpcId)
			}
		}
		return page.NextMarker, nil
	})
	return groups, err
}

// targets asks a group how the targets stand, or who is in it at all when none are named.
func (b *Balancers) targets(ctx context.Context, arn string, of []types.TargetDescription) (list []types.TargetHealthDescription, err error) {
	err = b.Read(ctx, describeTargetHealth, func(ctx context.Context) error {
		answer, err := b.api.health(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: sdk.String(arn), Targets: of})
		if err != nil {
			return err
		}
		if answer.TargetHealthDescriptions == nil {
			return errNotTheAnswer("TargetHealthDescriptions")
		}
		list = answer.TargetHealthDescriptions
		for i := range list {
			if list[i].Target == nil || list[i].TargetHealth == nil {
				return errNotTheAnswer("Target and TargetHealth")
			}
		}
		return nil
	})
	return list, err
}

// groupOf are the members of one group, each once.
type groupOf struct {
	name    string
	classic bool
	members []cloud.Membership
}

func (g groupOf) String() string {
	if g.classic {
		return "Classic load balancer " + g.name
	}
	if _, name, found := strings.Cut(g.name, ":targetgroup/"); found {
		name, _, _ = strings.Cut(name, "/")
		return "target group " + name
	}
	return "target group " + g.name
}

// batches puts members together by group, in calls that are not too large.
func batches(members []cloud.Membership) (list []groupOf) {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b cloud.Membership) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), compareMemberships(a, b))
	})
	for _, m := range slices.Compact(sorted) {
		last := len(list) - 1
		if last < 0 || list[last].name != m.Group || list[last].classic != m.Classic || len(list[last].members) == balancerBatch {
			list = append(list, groupOf{name: m.Group, classic: m.Classic})
			last++
		}
		list[last].members = append(list[last].members, m)
	}
	return list
}

func (g groupOf) targets() []types.TargetDescription {
	list := make([]types.TargetDescription, len(g.members))
	for i, m := range g.members {
		list[i].Id = sdk.String(m.Instance)
		if m.Port != 0 {
			list[i].Port = sdk.Int32(int32(m.Port))
		}
	}
	return list
}

func (g groupOf) instances() []classictypes.Instance {
	list := make([]classictypes.Instance, len(g.members))
	for i, m := range g.members {
		list[i].InstanceId = sdk.String(m.Instance)
	}
	return list
}

// Standing is as cloud.Balancer says.
func (b *Balancers) Standing(ctx context.Context, members []cloud.Membership) ([]cloud.Standing, error) {
	all := batches(members)
	of := make([]map[cloud.Membership]cloud.Standing, len(all))
	err := b.side(ctx, len(all), func(ctx context.Context, i int) (err error) {
		if all[i].classic {
			of[i], err = b.classicStanding(ctx, all[i])
		} else {
			of[i], err = b.targetStanding(ctx, all[i])
		}
		if errors.Is(err, cloud.ErrNotFound) { // with the group everybody is out
			of[i], err = nil, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	known := map[cloud.Membership]cloud.Standing{}
	for _, some := range of {
		maps.Copy(known, some)
	}
	list := make([]cloud.Standing, len(members))
	for i, m := range members {
		standing, found := known[m]
		if !found {
			standing = cloud.Standing{State: cloud.StandingOut, Reason: "the group is gone, or knows nothing of it"}
		}
		list[i] = standing
	}
	return list, nil
}

func (b *Balancers) targetStanding(ctx context.Context, group groupOf) (map[cloud.Membership]cloud.Standing, error) {
	targets, err := b.targets(ctx, group.name, group.targets())
	if err != nil {
		return nil, err
	}
	standing := map[cloud.Membership]cloud.Standing{}
	for _, m := range group.members {
		for i := range targets {
			t := &targets[i]
			if sdk.ToString(t.Target.Id) == m.Instance && (m.Port == 0 || int(sdk.ToInt32(t.Target.Port)) == m.Port) {
				standing[m] = readHealth(t.TargetHealth)
			}
		}
	}
	return standing, nil
}

// readHealth reads how a target stands. One that is registered and stopped AWS
// calls unused; it is unhealthy, since it may be up next.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func readHealth(health *types.TargetHealth) cloud.Standing {
	reason := sdk.ToString(health.Description)
	if reason == "" {
		reason = string(health.Reason)
	}
	state := cloud.StandingUnhealthy // also of a state that is not known here
	switch health.State {
	case types.TargetHealthStateEnumHealthy:
		state = cloud.StandingHealthy
	case types.TargetHealthStateEnumInitial:
		state = cloud.StandingInitial
	case types.TargetHealthStateEnumDraining:
		state = cloud.StandingDraining
	case types.TargetHealthStateEnumUnused:
		switch health.Reason {
		case types.TargetHealthReasonEnumNotRegistered:
			state = cloud.StandingOut
		case types.TargetHealthReasonEnumInvalidState:
		default:
			state = cloud.StandingUnused
		}
	}
	return cloud.Standing{State: state, Reason: reason}
}

func (b *Balancers) classicStanding(ctx context.Context, group groupOf) (map[cloud.Membership]cloud.Standing, error) {
	standing := map[cloud.Membership]cloud.Standing{}
	ask := func(instances []classictypes.Instance) error {
		return b.Read(ctx, describeInstanceHealth, func(ctx context.Context) error {
			answer, err := b.api.classicHealth(ctx, &classic.DescribeInstanceHealthInput{LoadBalancerName: sdk.String(group.name), Instances: instances})
			if err != nil {
				return err
			}
			if answer.InstanceStates == nil {
				return errNotTheAnswer("InstanceStates")
			}
			for i := range answer.InstanceStates {
				state := &answer.InstanceStates[i]
				standing[cloud.Membership{Instance: sdk.ToString(state.InstanceId), Group: group.name, Classic: true}] = readState(state)
			}
			return nil
		})
	}
	err := ask(group.instances())
	if errors.Is(err, cloud.ErrInvalid) || errors.Is(err, cloud.ErrWrongState) {
		// One of them is gone, and all are refused: then whoever is registered tells who is out.
		err = ask(nil)
	}
	return standing, err
}

// What Classic load balancers say of an instance whose state alone does not tell how it stands.
// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
const (
	notRegistered = "not currently registered"
	leaving       = "deregistration currently in progress"
	arriving      = "registration is still in progress"
	notYetPassed  = "has not passed the configured HealthyThreshold"
	zoneOff       = "not configured to route traffic to"
)

func readState(state *classictypes.InstanceState) cloud.Standing {
	reason := sdk.ToString(state.Description)
	standing := cloud.Standing{State: cloud.StandingUnhealthy, Reason: reason}
	switch {
	case strings.Contains(reason, notRegistered):
		standing.State = cloud.StandingOut
	case strings.Contains(reason, leaving):
		standing.State = cloud.StandingDraining
	case strings.Contains(reason, arriving), strings.Contains(reason, notYetPassed):
		standing.State = cloud.StandingInitial
	case strings.Contains(reason, zoneOff):
		standing.State = cloud.StandingUnused
	case sdk.ToString(state.State) == "InService":
		standing = cloud.Standing{State: cloud.StandingHealthy}
	}
	return standing
}

// Deregister is as cloud.Balancer says. Each group is tried, also after another
// failed; with a group that is gone all its members are out.
func (b *Balancers) Deregister(ctx context.Context, members []cloud.Membership) error {
	return b.each(ctx, members, func(ctx context.Context, group groupOf) error {
		_, err := b.change(ctx, group, deregisterTargets, deregisterInstances) // who does not exist any more is out
		if errors.Is(err, cloud.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("take %d out of %s: %w", len(group.members), group, err)
		}
		return nil
	})
}

// Register is as cloud.Balancer says. Each group is tried, also after another
// failed, and of a group those that AWS does take.
func (b *Balancers) Register(ctx context.Context, members []cloud.Membership) error {
	return b.each(ctx, members, func(ctx context.Context, group groupOf) error {
		refused, err := b.change(ctx, group, registerTargets, registerInstances)
		if refused != nil {
			err = errors.Join(refused, err)
		}
		if err != nil {
			return fmt.Errorf("put %d into %s: %w", len(group.members), group, err)
		}
		return nil
	})
}

// each does the groups side by side, and the calls of one of them one after the other: what is registered there is one list.
func (b *Balancers) each(ctx context.Context, members []cloud.Membership, do func(context.Context, groupOf) error) error {
	var groups [][]groupOf
	for _, batch := range batches(members) {
		if last := len(groups) - 1; last >= 0 && groups[last][0].name == batch.name && groups[last][0].classic == batch.classic {
			groups[last] = append(groups[last], batch)
			continue
		}
		groups = append(groups, []groupOf{batch})
	}
	failed := make([]error, len(groups))
	_ = b.side(ctx, len(groups), func(_ context.Context, i int) error { // of the errors, not the first alone
		for _, batch := range groups[i] {
			failed[i] = errors.Join(failed[i], do(ctx, batch))
		}
		return nil
	})
	return errors.Join(failed...)
}

var instanceInMessage = regexp.MustCompile(`\bi-[0-9a-f]{8,17}\b`)

// change makes the call of a group. It may be made again, so it is: when it was
// throttled, until it goes through. A call that AWS refuses because of members that
// it names is made again without them; refused are all of these.
func (b *Balancers) change(ctx context.Context, group groupOf, onTargets, onInstances Operation) (refused *cloud.MemberError, err error) {
	for len(group.members) > 0 {
		err = b.changeAll(ctx, group, onTargets, onInstances)
		if err == nil || !errors.Is(err, cloud.ErrInvalid) && !errors.Is(err, cloud.ErrWrongState) {
			return refused, err
		}
		named := instanceInMessage.FindAllString(err.Error(), -1)
		isNamed := func(m cloud.Membership) bool { return slices.Contains(named, m.Instance) }
		if !slices.ContainsFunc(group.members, isNamed) {
			return refused, err
		}
		if refused == nil {
			refused = &cloud.MemberError{Err: err}
		}
		for _, m := range group.members {
			if isNamed(m) {
				refused.IDs = append(refused.IDs, m.Instance)
			}
		}
		slices.Sort(refused.IDs)
		refused.IDs = slices.Compact(refused.IDs)
		group.members = slices.DeleteFunc(slices.Clone(group.members), isNamed) // fewer each time, so it ends
	}
	return refused, nil
}

func (b *Balancers) changeAll(ctx context.Context, group groupOf, onTargets, onInstances Operation) error {
	operation := onTargets
	var call func(context.Context) error
	name := sdk.String(group.name)
	switch {
	case group.classic && onInstances == registerInstances:
		operation, call = onInstances, func(ctx context.Context) error {
			_, err := b.api.classicRegister(ctx, &classic.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: name, Instances: group.instances()})
			return err
		}
	case group.classic:
		operation, call = onInstances, func(ctx context.Context) error {
			_, err := b.api.classicDeregister(ctx, &classic.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: name, Instances: group.instances()})
			return err
		}
	case onTargets == registerTargets:
		call = func(ctx context.Context) error {
			_, err := b.api.register(ctx, &elb.RegisterTargetsInput{TargetGroupArn: name, Targets: group.targets()})
			return err
		}
	default:
		call = func(ctx context.Context) error {
			_, err := b.api.deregister(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: name, Targets: group.targets()})
			return err
		}
	}
	return b.Read(ctx, operation, call)
}

// Probe tries to list target groups and Classic load balancers. Registration has
// no dry run and nothing that it could be tried on.
func (b *Balancers) Probe(ctx context.Context) []cloud.Finding {
	groups := b.Read(ctx, describeTargetGroups, func(ctx context.Context) error {
		_, err := b.api.groups(ctx, &elb.DescribeTargetGroupsInput{PageSize: sdk.Int32(1)})
		return err
	})
	classics := b.Read(ctx, describeClassics, func(ctx context.Context) error {
		_, err := b.api.classics(ctx, &classic.DescribeLoadBalancersInput{PageSize: sdk.Int32(1)})
		return err
	})
	return []cloud.Finding{
		probeFinding(say.Word("list target groups"), describeTargetGroups, groups),
		probeFinding(say.Word("list Classic load balancers"), describeClassics, classics),
		untested(say.Word("drain instances from load balancers"), say.F("not known: that cannot be tried without doing it; the role needs %s and %s, for Classic load balancers %s and %s",
			deregisterTargets, registerTargets, deregisterInstances, registerInstances)),
	}
}
