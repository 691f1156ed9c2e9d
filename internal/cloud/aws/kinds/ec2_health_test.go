package kinds

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

func TestHealthOfStatusChecks(t *testing.T) {
	since := time.Date(2027, 3, 5, 1, 2, 3, 0, time.UTC)
	summary := func(status types.SummaryStatus, details ...types.InstanceStatusDetails) *types.InstanceStatusSummary {
		return &types.InstanceStatusSummary{Status: status, Details: details}
	}
	ok := summary(types.SummaryStatusOk)
	failed := types.InstanceStatusDetails{Name: types.StatusNameReachability, Status: types.StatusTypeFailed, ImpairedSince: &since}
	for _, test := range []struct {
		name   string
		status types.InstanceStatus
		want   cloud.Health
	}{
		{"both passed", types.InstanceStatus{SystemStatus: ok, InstanceStatus: ok}, cloud.Health{State: fleet.Healthy}},
		{"one is being checked", types.InstanceStatus{SystemStatus: ok, InstanceStatus: summary(types.SummaryStatusInitializing)}, cloud.Health{State: fleet.Checking, Reason: "instance status initializing"}},
		{"too little is known", types.InstanceStatus{SystemStatus: summary(types.SummaryStatusInsufficientData), InstanceStatus: ok}, cloud.Health{State: fleet.Checking, Reason: "system status insufficient-data"}},
		{
			"impaired while another is being checked",
			types.InstanceStatus{SystemStatus: summary(types.SummaryStatusInitializing), InstanceStatus: summary(types.SummaryStatusImpaired, failed)},
			cloud.Health{State: fleet.Impaired, Reason: "instance status impaired: reachability failed since 2027-03-05T01:02:03Z"},
		},
		{
			"impaired, and another is still being checked",
			types.InstanceStatus{SystemStatus: summary(types.SummaryStatusImpaired), InstanceStatus: summary(types.SummaryStatusInitializing)},
			cloud.Health{State: fleet.Impaired, Reason: "system status impaired"},
		},
		{
			"its volumes",
			types.InstanceStatus{SystemStatus: ok, InstanceStatus: ok, AttachedEbsStatus: &types.EbsStatusSummary{Status: types.SummaryStatusImpaired}},
			cloud.Health{State: fleet.Impaired, Reason: "volumes status impaired"},
		},
		{"nothing is told", types.InstanceStatus{}, cloud.Health{State: fleet.Checking}},
		{"a word of tomorrow", types.InstanceStatus{SystemStatus: summary("dreaming")}, cloud.Health{State: fleet.Checking, Reason: "system status dreaming"}},
	} {
		if got := healthOf(&test.status); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestHealthAsksForAHundredAtATime(t *testing.T) {
	var sizes []int
	k := &instances{
		Env: Env{Read: func(ctx context.Context, operation Operation, call func(context.Context) error) error {
			if operation != describeInstanceStatus {
				t.Errorf("paced as %s", operation)
			}
			return call(ctx)
		}},
		api: ec2Client{status: func(_ context.Context, in *ec2.DescribeInstanceStatusInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceStatusOutput, error) {
			sizes = append(sizes, len(in.InstanceIds))
			out := &ec2.DescribeInstanceStatusOutput{}
			for _, id := range in.InstanceIds {
				out.InstanceStatuses = append(out.InstanceStatuses, types.InstanceStatus{InstanceId: sdk.String(id), SystemStatus: &types.InstanceStatusSummary{Status: types.SummaryStatusOk}})
			}
			return out, nil
		}},
	}
	var ids []string
	for i := range 250 {
		ids = append(ids, fmt.Sprintf("i-%017x", i))
	}
	told, err := k.health(t.Context(), ids)
	if err != nil || len(told) != 250 || fmt.Sprint(sizes) != "[100 100 50]" {
		t.Errorf("%d told in calls of %v, %v", len(told), sizes, err)
	}
	k.Read = func(context.Context, Operation, func(context.Context) error) error { return cloud.ErrUnauthorized }
	if _, err := k.health(t.Context(), ids); !errors.Is(err, cloud.ErrUnauthorized) {
		t.Errorf("without the permission: %v", err)
	}
}
