package kinds

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

const describeInstanceStatus Operation = "ec2:DescribeInstanceStatus"

// statusIDs is how many ids one call of DescribeInstanceStatus takes; with ids it has no pages.
const statusIDs = 100

// health reads the status checks of instances: of the machine, of the system
// below it, and of its volumes. What the answer does not name is left out.
func (k *instances) health(ctx context.Context, ids []string) (map[string]cloud.Health, error) {
	found := make(map[string]cloud.Health, len(ids))
	for chunk := range slices.Chunk(ids, statusIDs) {
		var answer *ec2.DescribeInstanceStatusOutput
		err := k.Read(ctx, describeInstanceStatus, func(ctx context.Context) (err error) {
			answer, err = k.api.status(ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: chunk})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the status checks of %d instances: %w", len(chunk), err)
		}
		for i := range answer.InstanceStatuses {
			status := &answer.InstanceStatuses[i]
			found[sdk.ToString(status.InstanceId)] = healthOf(status)
		}
	}
	return found, nil
}

func healthOf(status *types.InstanceStatus) cloud.Health {
	var checks []check
	add := func(what string, summary *types.InstanceStatusSummary) {
		if summary == nil {
			return
		}
		c := check{what: what, status: string(summary.Status)}
		for _, detail := range summary.Details {
			c.details = append(c.details, sinceWhen(string(detail.Name)+" "+string(detail.Status), detail.ImpairedSince))
		}
		checks = append(checks, c)
	}
	add("system", status.SystemStatus)
	add("instance", status.InstanceStatus)
	if volumes := status.AttachedEbsStatus; volumes != nil {
		c := check{what: "volumes", status: string(volumes.Status)}
		for _, detail := range volumes.Details {
			c.details = append(c.details, sinceWhen(string(detail.Name)+" "+string(detail.Status), detail.ImpairedSince))
		}
		checks = append(checks, c)
	}
	return fold(checks)
}

// check is one of the status checks.
type check struct {
	what, status string
	details      []string // "reachability failed since …"
}

// fold makes one word of all checks: the worst of them, and that it is known.
func fold(checks []check) cloud.Health {
	health := cloud.Health{State: fleet.Healthy}
	var bad []string
	for _, c := range checks {
		switch c.status {
		case string(types.SummaryStatusOk), string(types.SummaryStatusNotApplicable):
			continue
		case string(types.SummaryStatusImpaired):
			if health.State != fleet.Impaired {
				bad = nil // what is still being checked explains nothing
			}
			health.State = fleet.Impaired
		default: // initializing, insufficient-data
			if health.State == fleet.Impaired {
				continue
			}
			health.State = fleet.Checking
		}
		bad = append(bad, strings.TrimSuffix(fmt.Sprintf("%s status %s: %s", c.what, c.status, strings.Join(c.details, ", ")), ": "))
	}
	if len(checks) == 0 {
		health.State = fleet.Checking
	}
	health.Reason = strings.Join(bad, "; ")
	return health
}

func sinceWhen(text string, since *time.Time) string {
	if since == nil {
		return text
	}
	return text + " since " + since.UTC().Format(time.RFC3339)
}
