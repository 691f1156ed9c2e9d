package aws

import (
	"strings"

	"dayshift/internal/cloud/aws/kinds"
)

// Limit is one row of AWS's default token buckets, which hold per account and
// region. A call takes one token of Request and, where there is a Resource
// bucket, one token of it per resource.
type Limit struct {
	// Group names the bucket: operations of one group share it.
	Group    string
	Request  Rate
	Resource Rate // zero: resources are not counted
}

// Rate is the size of a bucket and how many tokens come back per second.
type Rate struct{ Max, PerSecond float64 }

// AWS's defaults. Accounts may have more; when somebody else uses them too they
// have less, which the mirror notices by being throttled.
//
// EC2: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
// (StopInstances has a row in the table of resources only; by the page's rule its
// requests count as any other mutating action's).
// RDS: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-api-throttling.html
// STS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var (
	ec2Reading  = Limit{Request: Rate{100, 20}}
	ec2Mutating = Limit{Request: Rate{50, 5}}
	ec2Limits   = map[kinds.Operation]Limit{
		"ec2:StartInstances": {Request: Rate{5, 2}, Resource: Rate{1000, 2}},
		"ec2:StopInstances":  {Request: Rate{50, 5}, Resource: Rate{1000, 20}},
		"ec2:CreateTags":     {Request: Rate{100, 10}},
		"ec2:DeleteTags":     {Request: Rate{100, 10}},
	}
	rdsShared = Limit{Group: "rds", Request: Rate{300, 12}}
	// For Systems Manager's maintenance windows AWS publishes no figure. A pass
	// needs a call per scope, so a small bucket costs no time.
	ssmShared = Limit{Group: "ssm", Request: Rate{10, 2}}
	stsShared = Limit{Group: "sts", Request: Rate{600, 600}}
)

// LimitOf returns the buckets of an operation.
func LimitOf(operation kinds.Operation) Limit {
	limit, known := ec2Limits[operation]
	service, action, _ := strings.Cut(string(operation), ":")
	switch {
	case service == "rds":
		limit = rdsShared
	case service == "ssm":
		limit = ssmShared
	case service == "sts":
		limit = stsShared
	case known:
	case strings.HasPrefix(action, "Describe"), strings.HasPrefix(action, "Get"), strings.HasPrefix(action, "List"), strings.HasPrefix(action, "Search"):
		limit = ec2Reading
	default:
		limit = ec2Mutating
	}
	if limit.Group == "" {
		limit.Group = string(operation)
	}
	return limit
}
