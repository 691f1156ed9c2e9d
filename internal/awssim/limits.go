package awssim

import (
	"strings"
	"time"
)

// Bucket is a token bucket: it starts full with Max tokens and gains Refill
// tokens in each second of simulated time. The zero Bucket does not limit.
type Bucket struct {
	Max    float64 `json:"max"`
	Refill float64 `json:"refill"`
}

// Limit says which calls draw on which buckets. A call takes one token of
// Request; when it succeeds in acting it also takes one token of Resource for
// each resource it names.
type Limit struct {
	Service string `json:"service"`
	// Action is an action's name, with * for any text.
	Action string `json:"action"`
	// Unpaged narrows the row to calls with neither filter nor pagination; a
	// list of ids is neither.
	Unpaged bool `json:"unpaged,omitempty"`
	// Shared is true when all calls that match draw on one bucket; otherwise
	// each action has its own.
	Shared   bool   `json:"shared,omitempty"`
	Request  Bucket `json:"request"`
	Resource Bucket `json:"resource,omitzero"`
}

// Limits are the token buckets in force, kept per account and region.
type Limits struct {
	// Off lets every call pass.
	Off bool
	// Table replaces AWSLimits. The first row that matches a call counts.
	Table []Limit
	// Scale multiplies every refill rate; 0 means 1. Bucket sizes stay, so
	// that a test in real time sees the same bursts and waits less.
	Scale float64
	// Neighbour is the share of every bucket, of its size and of its refill, that
	// somebody else uses up: from 0 to less than 1.
	Neighbour float64
}

// left is what the neighbour leaves of a bucket.
func (l Limits) left(b Bucket) Bucket {
	return Bucket{b.Max * (1 - l.Neighbour), b.Refill * (1 - l.Neighbour)}
}

// AWSLimits gives AWS's default buckets per account and region.
//
// Source: "Request throttling for the Amazon EC2 API" (the row of a mutating
// action that the page does not list is its stated default), "Amazon RDS API
// throttling", "IAM and AWS STS quotas", "Request throttling for the Amazon ECS
// API", "CloudWatch service quotas", "Request throttling for the Elastic Load Balancing API". For Systems Manager, Redshift, SageMaker, both kinds of Auto Scaling, Organizations and the Resource Groups
// Tagging API no figure is known here; their buckets are made small on purpose.
func AWSLimits() []Limit {
	unpaged := func(action string) Limit {
		return Limit{Service: "ec2", Action: action, Unpaged: true, Request: Bucket{50, 10}}
	}
	read := func(action string) Limit {
		return Limit{Service: "ec2", Action: action, Request: Bucket{100, 20}}
	}
	return []Limit{
		{Service: "ec2", Action: "StartInstances", Request: Bucket{5, 2}, Resource: Bucket{1000, 2}},
		{Service: "ec2", Action: "RunInstances", Request: Bucket{5, 2}, Resource: Bucket{1000, 2}},
		{Service: "ec2", Action: "StopInstances", Request: Bucket{50, 5}, Resource: Bucket{1000, 20}},
		{Service: "ec2", Action: "TerminateInstances", Request: Bucket{100, 5}, Resource: Bucket{1000, 20}},
		{Service: "ec2", Action: "CreateTags", Request: Bucket{100, 10}},
		{Service: "ec2", Action: "DeleteTags", Request: Bucket{100, 10}},
		unpaged("DescribeInstances"), unpaged("DescribeInstanceStatus"), unpaged("DescribeSpotInstanceRequests"),
		read("Describe*"), read("Get*"), read("List*"), read("Search*"),
		{Service: "ec2", Action: "*", Request: Bucket{50, 5}},
		{Service: "rds", Action: "*", Shared: true, Request: Bucket{300, 12}},
		// ECS's categories share a bucket each.
		{Service: "ecs", Action: "*Clusters", Shared: true, Request: Bucket{50, 20}},
		{Service: "ecs", Action: "*Services", Shared: true, Request: Bucket{100, 20}},
		{Service: "ecs", Action: "*Service", Shared: true, Request: Bucket{50, 5}},
		{Service: "ecs", Action: "ListTagsForResource", Request: Bucket{50, 20}},
		{Service: "ecs", Action: "*agResource", Shared: true, Request: Bucket{20, 10}},
		{Service: "application-autoscaling", Action: "*", Shared: true, Request: Bucket{20, 5}},
		{Service: "tagging", Action: "GetResources", Request: Bucket{15, 15}},
		{Service: "monitoring", Action: "DescribeAlarms", Request: Bucket{9, 9}},
		{Service: "monitoring", Action: "*Alarm*", Request: Bucket{3, 3}},
		{Service: "redshift", Action: "*", Shared: true, Request: Bucket{20, 5}},
		{Service: "sagemaker", Action: "*", Shared: true, Request: Bucket{10, 2}},
		// Both versions of Elastic Load Balancing's API have these, each its own.
		{Service: "elasticloadbalancing", Action: "Describe*", Shared: true, Request: Bucket{40, 10}},
		{Service: "elasticloadbalancing", Action: "*", Shared: true, Request: Bucket{20, 4}},
		{Service: "elb", Action: "Describe*", Shared: true, Request: Bucket{40, 10}},
		{Service: "elb", Action: "*", Shared: true, Request: Bucket{20, 4}},
		// Lambda allows ten times its concurrency, SNS some hundreds; of AWS Backup no figure is published.
		{Service: "lambda", Action: "Invoke", Request: Bucket{10_000, 10_000}},
		{Service: "sns", Action: "Publish", Request: Bucket{300, 300}},
		{Service: "sns", Action: "*", Shared: true, Request: Bucket{30, 30}},
		{Service: "events", Action: "PutEvents", Request: Bucket{400, 400}}, // in the smallest regions
		{Service: "events", Action: "*", Shared: true, Request: Bucket{50, 50}},
		{Service: "backup", Action: "*", Shared: true, Request: Bucket{20, 5}},
		{Service: "ssm", Action: "*Command*", Shared: true, Request: Bucket{20, 5}},
		{Service: "ssm", Action: "*", Shared: true, Request: Bucket{10, 2}},
		{Service: "eks", Action: "*", Shared: true, Request: Bucket{30, 5}}, // no figure is published
		{Service: "autoscaling", Action: "*", Shared: true, Request: Bucket{30, 5}},
		{Service: "secretsmanager", Action: "GetSecretValue", Request: Bucket{10_000, 10_000}},
		{Service: "secretsmanager", Action: "*", Request: Bucket{50, 50}},
		{Service: "organizations", Action: "*", Shared: true, Request: Bucket{20, 5}},
		{Service: "sts", Action: "*", Shared: true, Request: Bucket{600, 600}},
	}
}

// find gives the row for a call and the name of its bucket.
func (l Limits) find(service, action string, unpaged bool) (Limit, string) {
	if l.Off {
		return Limit{}, ""
	}
	for _, row := range l.Table {
		if row.Service != service || !glob(row.Action, action) || (row.Unpaged && !unpaged) {
			continue
		}
		row.Request, row.Resource = l.left(row.Request), l.left(row.Resource)
		switch {
		case row.Shared:
			return row, service + ":" + row.Action
		case row.Unpaged:
			return row, action + ":unpaged"
		default:
			return row, action
		}
	}
	return Limit{}, ""
}

// level is the fill of one bucket.
type level struct {
	tokens float64
	at     time.Time
}

// slack absorbs the rounding of many small refills: a token is there at the
// nanosecond that arithmetic promises it.
const slack = 1e-6

// buckets are the levels of one account and region; its scope's lock guards it.
type buckets map[string]*level

func (b buckets) fill(name string, k Bucket, scale float64, now time.Time) *level {
	l := b[name]
	if l == nil {
		l = &level{tokens: k.Max, at: now}
		b[name] = l
	}
	if d := now.Sub(l.at); d > 0 {
		l.tokens = min(k.Max, l.tokens+d.Seconds()*k.Refill*scale)
		l.at = now
	}
	return l
}

// has reports whether n tokens are there, without taking them.
func (b buckets) has(name string, k Bucket, n, scale float64, now time.Time) bool {
	return k == (Bucket{}) || b.fill(name, k, scale, now).tokens+slack >= n
}

func (b buckets) take(name string, k Bucket, n, scale float64, now time.Time) {
	if k != (Bucket{}) {
		l := b.fill(name, k, scale, now)
		l.tokens = max(0, l.tokens-n)
	}
}

// throttled is the refusal that the service sends when a bucket is empty.
func throttled(svc *service) *Error {
	if svc.protocol == ec2Query {
		return refuse("RequestLimitExceeded", "Request limit exceeded.")
	}
	return refuse("Throttling", "Rate exceeded")
}

func isThrottle(code string) bool {
	return code == "RequestLimitExceeded" || code == "TooManyRequestsException" || strings.HasPrefix(code, "Throttl")
}
