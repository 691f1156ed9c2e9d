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
// ECS, whose categories of actions share a bucket each: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
// CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
// Elastic Load Balancing: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
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
	ecsLimits = map[kinds.Operation]Limit{
		"ecs:ListClusters":     {Group: "ecs cluster read", Request: Rate{50, 20}},
		"ecs:ListServices":     {Group: "ecs service read", Request: Rate{100, 20}},
		"ecs:DescribeServices": {Group: "ecs service read", Request: Rate{100, 20}},
		"ecs:UpdateService":    {Group: "ecs service modify", Request: Rate{50, 5}},
		"ecs:TagResource":      {Group: "ecs tag modify", Request: Rate{20, 10}},
		"ecs:UntagResource":    {Group: "ecs tag modify", Request: Rate{20, 10}},
	}
	alarmLimits = map[kinds.Operation]Limit{
		"cloudwatch:DescribeAlarms":      {Request: Rate{9, 9}},
		"cloudwatch:DisableAlarmActions": {Request: Rate{3, 3}},
		"cloudwatch:EnableAlarmActions":  {Request: Rate{3, 3}},
	}
	// Both versions of the API have buckets of their own, one for what reads and one for what registers.
	elbReading       = Limit{Group: "elb read", Request: Rate{40, 10}}
	elbRegistering   = Limit{Group: "elb register", Request: Rate{20, 4}}
	classicReading   = Limit{Group: "classic elb read", Request: Rate{40, 10}}
	classicRegisters = Limit{Group: "classic elb register", Request: Rate{20, 4}}
	elbLimits        = map[kinds.Operation]Limit{
		"elasticloadbalancing:DescribeTargetGroups":                elbReading,
		"elasticloadbalancing:DescribeTargetHealth":                elbReading,
		"elasticloadbalancing:RegisterTargets":                     elbRegistering,
		"elasticloadbalancing:DeregisterTargets":                   elbRegistering,
		"elasticloadbalancing:DescribeLoadBalancers":               classicReading,
		"elasticloadbalancing:DescribeInstanceHealth":              classicReading,
		"elasticloadbalancing:RegisterInstancesWithLoadBalancer":   classicRegisters,
		"elasticloadbalancing:DeregisterInstancesFromLoadBalancer": classicRegisters,
	}
	rdsShared = Limit{Group: "rds", Request: Rate{300, 12}}
	// For Systems Manager's maintenance windows AWS publishes no figure. A pass
	// needs a call per scope, so a small bucket costs no time.
	// Nor for Run Command: a tier of a hundred takes two calls to ask, and a call for fifty each time to see what came of it.
	commandShared = Limit{Group: "ssm command", Request: Rate{20, 5}}
	ssmShared     = Limit{Group: "ssm", Request: Rate{10, 2}}
	// All APIs of Auto Scaling share one bucket whose figures AWS does not publish
	// (https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html). This one
	// is small enough not to be in the way of the groups' own scaling: a stop of a
	// hundred groups, three calls each, takes a minute.
	autoscalingShared = Limit{Group: "autoscaling", Request: Rate{30, 5}}
	// Of Application Auto Scaling and the Resource Groups Tagging API AWS publishes
	// no figures either. A stop or start of a service with scaling makes two calls
	// of the first; a listing one call of the second for a hundred services.
	appScalingShared = Limit{Group: "application-autoscaling", Request: Rate{20, 5}}
	// EKS: no figure, and a listing makes a call for each node group. Of a hundred it takes a quarter of a minute.
	eksShared     = Limit{Group: "eks", Request: Rate{30, 5}}
	taggingShared = Limit{Group: "tag", Request: Rate{10, 5}}
	// Organizations has limits of its own for each operation and account. A listing
	// once an hour needs few calls: this is small enough not to be in the way of others.
	organizationsShared = Limit{Group: "organizations", Request: Rate{10, 4}}
	// For SageMaker AWS publishes no figure. A listing takes a call for a hundred notebooks, and one more for each that failed.
	sagemakerShared = Limit{Group: "sagemaker", Request: Rate{10, 2}}
	// For Redshift AWS publishes no figure. A pass lists with one call for a hundred clusters, and acts with one for each.
	redshiftShared = Limit{Group: "redshift", Request: Rate{20, 5}}
	// Secrets Manager allows 10,000 readings a second. A secret is read once in minutes.
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	secretsShared = Limit{Group: "secretsmanager", Request: Rate{100, 100}}
	// SNS has quotas of some hundreds or thousands a second, by region, and Lambda one of ten times its concurrency: more than
	// hooks and messages come to. For AWS Backup AWS publishes no figure.
	snsPublish   = Limit{Request: Rate{100, 100}}
	eventsPut    = Limit{Request: Rate{100, 100}} // of EventBridge 400 a second in the smallest regions
	lambdaInvoke = Limit{Request: Rate{100, 100}}
	backupShared = Limit{Group: "backup", Request: Rate{20, 5}}
	// Nor for Resource Groups.
	groupsShared = Limit{Group: "resource-groups", Request: Rate{5, 2}}
	stsShared    = Limit{Group: "sts", Request: Rate{600, 600}}
)

// LimitOf returns the buckets of an operation.
func LimitOf(operation kinds.Operation) Limit {
	limit, known := ec2Limits[operation]
	service, action, _ := strings.Cut(string(operation), ":")
	switch {
	case service == "rds":
		limit = rdsShared
	case service == "ssm" && strings.Contains(action, "Command"):
		limit = commandShared
	case service == "ssm":
		limit = ssmShared
	case service == "autoscaling":
		limit = autoscalingShared
	case service == "ecs":
		limit = ecsLimits[operation]
	case service == "cloudwatch":
		limit = alarmLimits[operation]
	case service == "application-autoscaling":
		limit = appScalingShared
	case service == "eks":
		limit = eksShared
	case service == "tag":
		limit = taggingShared
	case service == "organizations":
		limit = organizationsShared
	case service == "sagemaker":
		limit = sagemakerShared
	case service == "redshift":
		limit = redshiftShared
	case service == "sns":
		limit = snsPublish
	case service == "events":
		limit = eventsPut
	case service == "lambda":
		limit = lambdaInvoke
	case service == "resource-groups":
		limit = groupsShared
	case service == "backup":
		limit = backupShared
	case service == "elasticloadbalancing":
		limit = elbLimits[operation]
	case service == "secretsmanager":
		limit = secretsShared
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
