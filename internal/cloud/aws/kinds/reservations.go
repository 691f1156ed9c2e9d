package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"

	"dayshift/internal/cloud"
	"dayshift/internal/say"
)

// Operations of EC2 that reservations need.
const (
	describeReservations  Operation = "ec2:DescribeCapacityReservations"
	describeInstanceTypes Operation = "ec2:DescribeInstanceTypes"
	createReservation     Operation = "ec2:CreateCapacityReservation"
	modifyReservation     Operation = "ec2:ModifyCapacityReservation"
	cancelReservation     Operation = "ec2:CancelCapacityReservation"
)

// ReservationTag is the tag by which a reservation is known as one of ours: none
// is made without it, and none changed.
const ReservationTag = "dayshift:reservation"

const (
	// reservationPage is the largest page of DescribeCapacityReservations.
	reservationPage = 1000
	// reservationMost is how many instances one order can be for.
	reservationMost = 1000
	// clientTokenMost is the length of EC2's client tokens.
	clientTokenMost = 64
	// noSuchReservation is an id that nobody has, to ask whether one may change reservations.
	noSuchReservation = "cr-00000000000000000"
)

// Conditions on reservations.
var (
	onlyOurReservations = Condition{"Null", "aws:ResourceTag/" + ReservationTag, []string{"false"}}
	onlyWithOurTag      = Condition{"Null", "aws:RequestTag/" + ReservationTag, []string{"false"}}
	// taggingWhatIsMade: tags are written in the call that reserves, and at no other time.
	taggingWhatIsMade = Condition{"StringEquals", "ec2:CreateAction", []string{"CreateCapacityReservation"}}
)

// ReservationPermissions are what holding capacity needs beside the permissions of
// the kinds, where the configuration has reservations.
var ReservationPermissions = []Permission{
	{Action: describeReservations, For: "see what capacity is held", Resource: "*", Optional: true},
	{Action: describeInstanceTypes, For: "learn whether a type has the optimisation for EBS", Resource: "*", Optional: true},
	{Action: createReservation, For: "reserve capacity", Resource: "capacity-reservation/*", Conditions: []Condition{onlyWithOurTag}, Optional: true},
	{Action: createTags, For: "tag what it reserves", Resource: "capacity-reservation/*", Conditions: []Condition{onlyWithOurTag, taggingWhatIsMade}, Optional: true},
	{Action: modifyReservation, For: "grow and shrink its own reservations, and move their end", Resource: "capacity-reservation/*", Conditions: []Condition{onlyOurReservations}, Optional: true},
	{Action: groupsOfReservation, For: "see which resource groups its reservations are in", Resource: "*", Optional: true},
	{Action: groupResources, For: "put its reservations into resource groups", Resource: "group/*", Optional: true},
	{Action: cancelReservation, For: "give its own reservations back", Resource: "capacity-reservation/*", Conditions: []Condition{onlyOurReservations}, Optional: true},
}

// Reservations are EC2's Capacity Reservations in a scope.
type Reservations struct {
	Env
	api      reservationClient
	grouping groupingClient
}

type reservationClient struct {
	describe func(context.Context, *ec2.DescribeCapacityReservationsInput, ...func(*ec2.Options)) (*ec2.DescribeCapacityReservationsOutput, error)
	types    func(context.Context, *ec2.DescribeInstanceTypesInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error)
	create   func(context.Context, *ec2.CreateCapacityReservationInput, ...func(*ec2.Options)) (*ec2.CreateCapacityReservationOutput, error)
	modify   func(context.Context, *ec2.ModifyCapacityReservationInput, ...func(*ec2.Options)) (*ec2.ModifyCapacityReservationOutput, error)
	cancel   func(context.Context, *ec2.CancelCapacityReservationInput, ...func(*ec2.Options)) (*ec2.CancelCapacityReservationOutput, error)
}

// OpenReservations prepares the reservations of a scope. It makes no call.
func OpenReservations(env Env) *Reservations {
	c := ec2.NewFromConfig(env.SDK)
	return &Reservations{Env: env, api: reservationClient{
		c.DescribeCapacityReservations, c.DescribeInstanceTypes, c.CreateCapacityReservation, c.ModifyCapacityReservation, c.CancelCapacityReservation,
	}, grouping: groupingClient{c.GetGroupsForCapacityReservation, resourcegroups.NewFromConfig(env.SDK).GroupResources}}
}

// List returns all reservations that AWS shows, ordered by id: all of them, or an error.
func (r *Reservations) List(ctx context.Context) ([]cloud.Reservation, error) {
	byID := map[string]cloud.Reservation{} // pages of a changing account may overlap
	what := "list capacity reservations in " + r.Scope.String()
	in := &ec2.DescribeCapacityReservationsInput{MaxResults: sdk.Int32(reservationPage)}
	err := pages(ctx, r.Read, describeReservations, what, func(ctx context.Context, token *string) (*ec2.DescribeCapacityReservationsOutput, error) {
		in.NextToken = token
		page, err := r.api.describe(ctx, in)
		if err == nil && page.CapacityReservations == nil {
			err = errNotTheAnswer("capacityReservationSet")
		}
		return page, err
	}, func(page *ec2.DescribeCapacityReservationsOutput) (*string, error) {
		for i := range page.CapacityReservations {
			seen, err := readReservation(&page.CapacityReservations[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", what, err)
			}
			byID[seen.ID] = seen
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]cloud.Reservation, 0, len(byID))
	for _, one := range byID {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b cloud.Reservation) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// readReservation reads a reservation of an answer. One without id, state or
// count is no answer: what is held would be counted wrong.
func readReservation(of *types.CapacityReservation) (cloud.Reservation, error) {
	r := cloud.Reservation{
		ID: sdk.ToString(of.CapacityReservationId), State: cloud.ReservationState(of.State),
		Total: int(sdk.ToInt32(of.TotalInstanceCount)), Free: int(sdk.ToInt32(of.AvailableInstanceCount)),
		Block: of.ReservationType == types.CapacityReservationTypeCapacityBlock, Created: sdk.ToTime(of.CreateDate),
	}
	r.Order = cloud.Order{
		Type: sdk.ToString(of.InstanceType), Zone: sdk.ToString(of.AvailabilityZone), Platform: string(of.InstancePlatform), Tenancy: string(of.Tenancy),
		EBSOptimized: sdk.ToBool(of.EbsOptimized), Match: string(of.InstanceMatchCriteria), PlacementGroup: sdk.ToString(of.PlacementGroupArn),
		Count: r.Total, End: sdk.ToTime(of.EndDate), Tags: make(map[string]string, len(of.Tags)),
	}
	for _, tag := range of.Tags {
		r.Tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	if commitment := of.CommitmentInfo; commitment != nil || r.Block {
		r.Start = sdk.ToTime(of.StartDate)
		if commitment != nil && commitment.CommitmentEndDate != nil {
			r.Commitment = commitment.CommitmentEndDate.Sub(r.Start)
		}
	}
	if r.ID == "" || r.State == "" || of.TotalInstanceCount == nil || r.Total < 0 || r.Free < 0 || r.State.Holds() && r.Free > r.Total {
		return r, fmt.Errorf("reservation %q: state %q, %d of %d free: not an answer that can be counted on (%w)", r.ID, r.State, r.Free, r.Total, cloud.ErrTransient)
	}
	return r, nil
}

// Reserve makes a reservation. It is not tried again but when throttled: a later
// call with the same token tells what became of it.
func (r *Reservations) Reserve(ctx context.Context, order cloud.Order, token string) (cloud.Reservation, error) {
	if err := checkOrder(order, token); err != nil {
		return cloud.Reservation{}, err
	}
	in := &ec2.CreateCapacityReservationInput{
		ClientToken: sdk.String(token), InstanceType: sdk.String(order.Type), AvailabilityZone: sdk.String(order.Zone), InstanceCount: sdk.Int32(int32(order.Count)),
		InstancePlatform: types.CapacityReservationInstancePlatform(order.Platform), Tenancy: types.CapacityReservationTenancy(order.Tenancy),
		InstanceMatchCriteria: types.InstanceMatchCriteria(order.Match), EbsOptimized: sdk.Bool(order.EBSOptimized), EndDateType: types.EndDateTypeUnlimited,
	}
	if order.PlacementGroup != "" {
		in.PlacementGroupArn = sdk.String(order.PlacementGroup)
	}
	if !order.End.IsZero() {
		in.EndDateType, in.EndDate = types.EndDateTypeLimited, sdk.Time(order.End)
	}
	if !order.Start.IsZero() {
		in.StartDate, in.CommitmentDuration = sdk.Time(order.Start), sdk.Int64(int64(order.Commitment/time.Second))
		in.DeliveryPreference = types.CapacityReservationDeliveryPreferenceIncremental
	}
	in.TagSpecifications = reservationTags(order.Tags)
	var answer *ec2.CreateCapacityReservationOutput
	err := r.Write(ctx, createReservation, func(ctx context.Context) (err error) {
		answer, err = r.api.create(ctx, in)
		if err == nil && answer.CapacityReservation == nil {
			err = errNotTheAnswer("capacityReservation")
		}
		return err
	})
	if err != nil {
		return cloud.Reservation{}, fmt.Errorf("reserve %d of %s in %s: %w", order.Count, order.Type, order.Zone, err)
	}
	made, err := readReservation(answer.CapacityReservation)
	made.Token = token
	return made, err
}

// checkOrder refuses what AWS would, or would understand otherwise.
func checkOrder(order cloud.Order, token string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("reserve capacity: "+format+": %w", append(args, cloud.ErrInvalid)...)
	}
	switch {
	case order.Type == "" || order.Zone == "" || order.Platform == "":
		return bad("an order needs a type, a zone and a platform, not %q, %q and %q", order.Type, order.Zone, order.Platform)
	case order.Count < 1 || order.Count > reservationMost:
		return bad("%d instances: 1 to %d are possible", order.Count, reservationMost)
	case token == "" || len(token) > clientTokenMost:
		return bad("a client token of %d characters: 1 to %d are possible", len(token), clientTokenMost)
	case order.Tags[ReservationTag] == "":
		return bad("it would not carry the tag %s, by which it is known", ReservationTag)
	}
	return nil
}

func reservationTags(tags map[string]string) []types.TagSpecification {
	set, _ := splitTags(tags)
	spec := types.TagSpecification{ResourceType: types.ResourceTypeCapacityReservation}
	for _, tag := range set {
		spec.Tags = append(spec.Tags, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(tag[1])})
	}
	return []types.TagSpecification{spec}
}

// Modify changes the count and the end of a reservation.
func (r *Reservations) Modify(ctx context.Context, id string, change cloud.Change) error {
	in := &ec2.ModifyCapacityReservationInput{CapacityReservationId: sdk.String(id)}
	if change.Count < 0 || change.Count == 0 && change.End.IsZero() {
		return fmt.Errorf("modify capacity reservation %s: to a count of %d and no other end: %w", id, change.Count, cloud.ErrInvalid)
	}
	if change.Count > 0 {
		in.InstanceCount = sdk.Int32(int32(min(change.Count, 1<<30)))
	}
	if !change.End.IsZero() {
		in.EndDateType, in.EndDate = types.EndDateTypeLimited, sdk.Time(change.End)
	}
	err := r.Write(ctx, modifyReservation, func(ctx context.Context) error {
		answer, err := r.api.modify(ctx, in)
		if err == nil && !sdk.ToBool(answer.Return) {
			err = errNotTheAnswer("return")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("modify capacity reservation %s: %w", id, err)
	}
	return nil
}

// over are the states in which nothing is held any more, nor will be.
var over = []types.CapacityReservationState{
	types.CapacityReservationStateExpired, types.CapacityReservationStateCancelled, types.CapacityReservationStateFailed, types.CapacityReservationStateUnsupported,
}

// Cancel gives a reservation back. Where AWS refuses because of its state, it is
// looked at: one that has ended is as wanted, one that is committed is not.
func (r *Reservations) Cancel(ctx context.Context, id string) error {
	err := r.Write(ctx, cancelReservation, func(ctx context.Context) error {
		answer, err := r.api.cancel(ctx, &ec2.CancelCapacityReservationInput{CapacityReservationId: sdk.String(id)})
		if err == nil && !sdk.ToBool(answer.Return) {
			err = errNotTheAnswer("return")
		}
		return err
	})
	switch {
	case err == nil || errors.Is(err, cloud.ErrNotFound):
		return nil
	case !errors.Is(err, cloud.ErrWrongState):
		return fmt.Errorf("cancel capacity reservation %s: %w", id, err)
	}
	state, lookErr := r.state(ctx, id)
	if errors.Is(lookErr, cloud.ErrNotFound) || lookErr == nil && slices.Contains(over, state) {
		return nil
	}
	return fmt.Errorf("cancel capacity reservation %s: %w", id, errors.Join(err, lookErr))
}

func (r *Reservations) state(ctx context.Context, id string) (state types.CapacityReservationState, err error) {
	err = r.Read(ctx, describeReservations, func(ctx context.Context) error {
		answer, err := r.api.describe(ctx, &ec2.DescribeCapacityReservationsInput{CapacityReservationIds: []string{id}})
		if err != nil {
			return err
		}
		if len(answer.CapacityReservations) != 1 || sdk.ToString(answer.CapacityReservations[0].CapacityReservationId) != id {
			return errNotTheAnswer("capacityReservationSet of " + id)
		}
		state = answer.CapacityReservations[0].State
		return nil
	})
	return state, err
}

// TypeInfo tells of an instance type.
func (r *Reservations) TypeInfo(ctx context.Context, name string) (cloud.TypeInfo, error) {
	info := cloud.TypeInfo{Name: name}
	err := r.Read(ctx, describeInstanceTypes, func(ctx context.Context) error {
		answer, err := r.api.types(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceType(name)}})
		if err != nil {
			return err
		}
		if len(answer.InstanceTypes) != 1 || string(answer.InstanceTypes[0].InstanceType) != name || answer.InstanceTypes[0].EbsInfo == nil {
			return errNotTheAnswer("ebsInfo of " + name)
		}
		info.EBS = cloud.EBSSupport(answer.InstanceTypes[0].EbsInfo.EbsOptimizedSupport)
		if !slices.Contains([]cloud.EBSSupport{cloud.EBSAlways, cloud.EBSOnDemand, cloud.EBSUnsupported}, info.EBS) {
			return errNotTheAnswer("known ebsOptimizedSupport but " + strconv.Quote(string(info.EBS)))
		}
		return nil
	})
	if err != nil {
		return cloud.TypeInfo{}, fmt.Errorf("describe instance type %s: %w", name, err)
	}
	return info, nil
}

// Probe tries what holding capacity needs: the listing really, the rest by dry
// runs, on a reservation of ours where there is one.
func (r *Reservations) Probe(ctx context.Context) []cloud.Finding {
	list, err := r.List(ctx)
	findings := []cloud.Finding{probeFinding(say.Word("list capacity reservations"), describeReservations, err)}
	if err != nil {
		return findings
	}
	_, err = r.TypeInfo(ctx, probeType)
	findings = append(findings, probeFinding(say.Word("describe instance types"), describeInstanceTypes, err))
	id := noSuchReservation
	for i := range list {
		if _, ours := list[i].Tags[ReservationTag]; ours && list[i].State.Holds() && !list[i].Block {
			id = list[i].ID
		}
	}
	for _, try := range []struct {
		ability   say.Text
		operation Operation
		call      func(context.Context) error
	}{
		{say.Word("reserve capacity"), createReservation, func(ctx context.Context) error {
			_, err := r.api.create(ctx, &ec2.CreateCapacityReservationInput{
				DryRun: sdk.Bool(true), InstanceType: sdk.String(probeType), InstanceCount: sdk.Int32(1), InstancePlatform: types.CapacityReservationInstancePlatformLinuxUnix,
				AvailabilityZone: sdk.String(string(r.Scope.Region) + "a"), TagSpecifications: reservationTags(map[string]string{ReservationTag: "dayshift-probe"}),
			})
			return err
		}},
		{say.Word("modify capacity reservations"), modifyReservation, func(ctx context.Context) error {
			_, err := r.api.modify(ctx, &ec2.ModifyCapacityReservationInput{DryRun: sdk.Bool(true), CapacityReservationId: sdk.String(id), InstanceCount: sdk.Int32(1)})
			return err
		}},
		{say.Word("cancel capacity reservations"), cancelReservation, func(ctx context.Context) error {
			_, err := r.api.cancel(ctx, &ec2.CancelCapacityReservationInput{DryRun: sdk.Bool(true), CapacityReservationId: sdk.String(id)})
			return err
		}},
	} {
		err := r.Read(ctx, try.operation, try.call)
		findings = append(findings, r.dryRunFinding(try.ability, try.operation, id, err))
	}
	return findings
}

// probeType is in every region.
const probeType = "t3.micro"

// dryRunFinding judges a dry run, made on the reservation id.
func (r *Reservations) dryRunFinding(ability say.Text, operation Operation, id string, err error) cloud.Finding {
	switch {
	case err == nil || errors.Is(err, ErrDryRun):
		return cloud.Finding{Ability: ability, OK: true, Detail: say.F("works (dry run)")}
	case operation != createReservation && id == noSuchReservation && errors.Is(err, cloud.ErrNotFound):
		return cloud.Finding{Ability: ability, OK: true, Detail: say.F("works (dry run on a reservation that does not exist)")}
	case operation != createReservation && id == noSuchReservation && errors.Is(err, cloud.ErrUnauthorized):
		// A policy that is limited to reservations with our tag refuses one that
		// does not exist, as one that grants nothing does.
		return untested(ability, say.F("not known: there is no reservation of Dayshift's to try it on; the role needs %s", operation))
	case operation == createReservation && errors.Is(err, cloud.ErrInvalid) && strings.Contains(err.Error(), "zone"): // not every account has a zone a
		return untested(ability, say.F("not known: the account has no zone %sa, in which it was tried; the role needs %s", r.Scope.Region, operation))
	}
	return probeFinding(ability, operation, err)
}
