package kinds

import (
	"context"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
	"github.com/aws/smithy-go"
)

// Operations that reservations in resource groups need.
const (
	groupsOfReservation Operation = "ec2:GetGroupsForCapacityReservation"
	groupResources      Operation = "resource-groups:GroupResources"
)

// groupingClient is what is called of resource groups.
type groupingClient struct {
	groups func(context.Context, *ec2.GetGroupsForCapacityReservationInput, ...func(*ec2.Options)) (*ec2.GetGroupsForCapacityReservationOutput, error)
	group  func(context.Context, *resourcegroups.GroupResourcesInput, ...func(*resourcegroups.Options)) (*resourcegroups.GroupResourcesOutput, error)
}

// Groups returns the groups that a reservation is in, by name, ordered: all of them, or an error.
func (r *Reservations) Groups(ctx context.Context, id string) ([]string, error) {
	names := map[string]bool{}
	what := "list the groups of capacity reservation " + id
	in := &ec2.GetGroupsForCapacityReservationInput{CapacityReservationId: sdk.String(id)}
	err := pages(ctx, r.Read, groupsOfReservation, what, func(ctx context.Context, token *string) (*ec2.GetGroupsForCapacityReservationOutput, error) {
		in.NextToken = token
		page, err := r.grouping.groups(ctx, in)
		if err == nil && page.CapacityReservationGroups == nil {
			err = errNotTheAnswer("capacityReservationGroupSet")
		}
		return page, err
	}, func(page *ec2.GetGroupsForCapacityReservationOutput) (*string, error) {
		for i := range page.CapacityReservationGroups {
			_, name, named := strings.Cut(sdk.ToString(page.CapacityReservationGroups[i].GroupArn), ":group/")
			if !named {
				return nil, fmt.Errorf("%s: %w", what, errNotTheAnswer("groupArn"))
			}
			name, _, _ = strings.Cut(name, "/") // newer ones have an ID of their own behind the name
			names[name] = true
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}

// Group puts a reservation into a group, by name. What AWS does later it has done as far as this is concerned: Groups tells.
func (r *Reservations) Group(ctx context.Context, group, id string) error {
	arn := fmt.Sprintf("arn:%s:ec2:%s:%s:capacity-reservation/%s", r.Scope.Region.Partition(), r.Scope.Region, r.Scope.Account, id)
	err := r.Write(ctx, groupResources, func(ctx context.Context) error {
		answer, err := r.grouping.group(ctx, &resourcegroups.GroupResourcesInput{Group: sdk.String(group), ResourceArns: []string{arn}})
		if err != nil {
			return err
		}
		for i := range answer.Failed {
			if f := &answer.Failed[i]; sdk.ToString(f.ResourceArn) == arn {
				return &smithy.GenericAPIError{Code: sdk.ToString(f.ErrorCode), Message: sdk.ToString(f.ErrorMessage)}
			}
		}
		if len(answer.Succeeded)+len(answer.Pending) == 0 {
			return errNotTheAnswer("Succeeded")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put capacity reservation %s into resource group %s: %w", id, group, err)
	}
	return nil
}
