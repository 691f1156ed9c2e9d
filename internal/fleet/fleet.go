// Package fleet holds the words that every other room speaks: what a resource
// is, where it lives, what kind it is of and what state it is in.
//
// The types are values without behaviour towards the outside: no I/O, no clock.
// Identifiers that are not interchangeable have types of their own, so that an
// account can never be passed where a region is meant. Parse functions refuse
// what AWS would refuse and quote what was written.
package fleet

import (
	"cmp"
	"regexp"
	"strings"
	"time"

	"dayshift/internal/say"
)

// AccountID is an AWS account: exactly twelve digits.
type AccountID string

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// ParseAccountID accepts exactly twelve digits.
func ParseAccountID(text string) (AccountID, error) {
	if !accountPattern.MatchString(text) {
		return "", say.Err("account %q: an AWS account ID is exactly twelve digits, in quotes, such as \"111122223333\"", text)
	}
	return AccountID(text), nil
}

// Region is an AWS region code such as ap-northeast-2.
type Region string

var regionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)

// ParseRegion checks the form of a region code, not that AWS has the region:
// new regions appear without a new release of this program.
func ParseRegion(text string) (Region, error) {
	if len(text) > 32 || !regionPattern.MatchString(text) {
		return "", say.Err("region %q: expected an AWS region code such as ap-northeast-2 or cn-north-1", text)
	}
	return Region(text), nil
}

// Partition is one of AWS's separate worlds; credentials of one are void in another.
type Partition string

// The partitions that Dayshift knows.
const (
	AWS      Partition = "aws"
	AWSChina Partition = "aws-cn"
	AWSGov   Partition = "aws-us-gov"
)

// Partition returns the partition that the region belongs to.
func (r Region) Partition() Partition {
	switch {
	case strings.HasPrefix(string(r), "cn-"):
		return AWSChina
	case strings.HasPrefix(string(r), "us-gov-"):
		return AWSGov
	}
	return AWS
}

// Scope is one account in one region: the unit of discovery, of action and of
// failure. A scope that fails never holds another back.
type Scope struct {
	Account AccountID `json:"account"`
	Region  Region    `json:"region"`
}

// String returns account/region.
func (s Scope) String() string { return string(s.Account) + "/" + string(s.Region) }

// Compare orders scopes by account, then region.
func (s Scope) Compare(o Scope) int {
	return cmp.Or(cmp.Compare(s.Account, o.Account), cmp.Compare(s.Region, o.Region))
}

// Kind names a kind of resource.
type Kind string

// The kinds of resource that Dayshift schedules.
const (
	EC2Instance      Kind = "ec2_instance"
	RDSInstance      Kind = "rds_instance"
	RDSCluster       Kind = "rds_cluster" // Aurora, Multi-AZ DB clusters, Neptune, DocumentDB
	AutoScalingGroup Kind = "autoscaling_group"
	EKSNodegroup     Kind = "eks_nodegroup" // managed node groups
	ECSService       Kind = "ecs_service"
	RedshiftCluster  Kind = "redshift_cluster"
	// SageMakerNotebook is a notebook instance.
	SageMakerNotebook Kind = "sagemaker_notebook"
)

// Kinds are all kinds, in the order in which they are listed to people.
var Kinds = []Kind{EC2Instance, RDSInstance, RDSCluster, AutoScalingGroup, EKSNodegroup, ECSService, RedshiftCluster, SageMakerNotebook}

// Traits are what the rules have to know of a kind.
type Traits struct {
	// Types: it has an instance type of its own that can be changed while it is stopped.
	Types bool
	// Database: it comes up slowly and others need it, so it is started first and stopped last.
	Database bool
	// Snapshots: a stop can be asked to take a snapshot first, which is ours to keep and to let go of.
	Snapshots bool
	// Scaled: stopped means scaled to nothing; a start brings back the Size that it had.
	Scaled bool
	// Checks: the provider checks whether what runs can be used.
	Checks bool
	// Filtered: the provider's listing can be asked for values of a tag and for states, so that what is as it should be is
	// left out by the server.
	Filtered bool
	// Arrival is how long it may take to come up or go down before that counts as failed.
	Arrival time.Duration
}

// EC2 takes a minute, minutes with hibernation; a database with a large log to
// recover or a snapshot to take can need the better part of an hour, and a
// cluster starts its members one after the other. A group waits for instances,
// a service for tasks, and EKS gives the pods of a node a quarter of an hour to leave it. Redshift takes a snapshot before it pauses, and nodes
// with disks of their own get their data back from it; a notebook that finds no
// machine says so after half an hour, which is also how long AWS's own waiter waits.
var traits = map[Kind]Traits{
	EC2Instance:      {Types: true, Filtered: true, Checks: true, Arrival: 15 * time.Minute},
	RDSInstance:      {Database: true, Snapshots: true, Arrival: time.Hour},
	RDSCluster:       {Database: true, Snapshots: true, Arrival: 90 * time.Minute},
	AutoScalingGroup: {Scaled: true, Arrival: 15 * time.Minute},
	EKSNodegroup:     {Scaled: true, Arrival: 30 * time.Minute},
	ECSService:       {Scaled: true, Arrival: 15 * time.Minute},

	RedshiftCluster:   {Database: true, Arrival: 90 * time.Minute},
	SageMakerNotebook: {Arrival: 30 * time.Minute},
}

// Traits tells what the rules have to know of the kind. A kind that is not
// known has those of a database without a type: nothing is hurried.
func (k Kind) Traits() Traits {
	if known, ok := traits[k]; ok {
		return known
	}
	return traits[RDSInstance]
}

// Ref identifies a resource over its whole life: the key of everything that is
// remembered about it.
type Ref struct {
	Scope Scope  `json:"scope"`
	Kind  Kind   `json:"kind"`
	ID    string `json:"id"` // AWS's identifier inside the scope: i-…, a DB instance identifier
}

// String returns account/region/kind/id.
func (r Ref) String() string { return r.Scope.String() + "/" + string(r.Kind) + "/" + r.ID }

// Compare orders refs by scope, kind and ID.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(r.Scope.Compare(o.Scope), cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.ID, o.ID))
}

// Hash spreads refs evenly and for ever alike: it decides where in a jitter a
// resource stands, so changing it moves every start and stop once.
func (r Ref) Hash() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for _, part := range [...]string{string(r.Scope.Account), string(r.Scope.Region), string(r.Kind), r.ID} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
		h *= prime // the end of a part counts as a zero byte
	}
	// FNV leaves the bits of similar texts alike; two rounds mix them.
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// ParseRef reads what Ref.String wrote.
func ParseRef(text string) (Ref, error) {
	parts := strings.SplitN(text, "/", 4)
	if len(parts) != 4 || parts[2] == "" || parts[3] == "" {
		return Ref{}, say.Err("resource %q: expected account/region/kind/id", text)
	}
	account, err := ParseAccountID(parts[0])
	if err != nil {
		return Ref{}, say.Err("resource %q: %w", text, err)
	}
	region, err := ParseRegion(parts[1])
	if err != nil {
		return Ref{}, say.Err("resource %q: %w", text, err)
	}
	return Ref{Scope: Scope{Account: account, Region: region}, Kind: Kind(parts[2]), ID: parts[3]}, nil
}

// State is what a resource is doing, in words that fit every kind.
type State string

// The states. Changing states and Other are left alone and looked at again.
const (
	Running  State = "running"  // up and usable as far as the listing tells
	Stopped  State = "stopped"  // down and startable
	Starting State = "starting" // on its way up
	Stopping State = "stopping" // on its way down
	Other    State = "other"    // anything else: Native holds AWS's word (modifying, backing-up, …)
)

// Settled reports whether the state stays as it is until somebody acts.
func (s State) Settled() bool { return s == Running || s == Stopped }

// Health is what the provider's own checks say of what runs.
type Health string

// What the checks say; nothing is known where nobody asked.
const (
	HealthUnknown Health = ""
	Healthy       Health = "ok"
	Checking      Health = "initializing" // not known yet
	Impaired      Health = "impaired"
)

// Bar is a lasting property of a resource that forbids to stop it singly. It is
// known from the listing, without a failed call.
type Bar string

// The bars, by SEMANTICS "Kinds of resources".
const (
	NoBar             Bar = ""
	GroupMember       Bar = "auto-scaling-group-member"
	InstanceStoreRoot Bar = "instance-store-root"
	SpotOneTime       Bar = "spot-one-time"
	StopProtected     Bar = "stop-protected"
	ReadReplica       Bar = "read-replica"
	ReplicaSource     Bar = "replica-source"
	ClusterMember     Bar = "cluster-member"
	SQLServerMultiAZ  Bar = "sqlserver-multi-az"
	ServerlessV1      Bar = "serverless-v1"
	GlobalDatabase    Bar = "global-database"
	MultiAZCluster    Bar = "multi-az-cluster"
	ServiceManaged    Bar = "service-managed"   // another service of the provider scales it
	ScalingSuspended  Bar = "scaling-suspended" // its owner suspended what would stop it or bring it back
	DaemonService     Bar = "daemon-service"
	ExternalDeployer  Bar = "external-deployer"
	HSMCluster        Bar = "hsm-cluster"            // its keys are in a hardware security module
	NoAutoSnapshots   Bar = "no-automated-snapshots" // a pause would have nothing to come back from
)

// Resource is one resource as its listing showed it at SeenAt.
type Resource struct {
	Ref
	ARN    string            `json:"arn"`
	Name   string            `json:"name"` // the Name tag of EC2, the identifier of RDS
	State  State             `json:"state"`
	Native string            `json:"native_state"` // AWS's own word for the state
	Tags   map[string]string `json:"tags"`
	Type   string            `json:"type"` // instance type or class
	Zone   string            `json:"zone"`
	// Size is what a scaled kind is set to while it runs, in the kind's own form, such as "1-2-4" for minimum, desired and
	// maximum of a group; empty while it is stopped and for other kinds.
	Size string `json:"size,omitempty"`
	// VPC, Subnet and PrivateIP say where it is in the network; empty where the listing does not say.
	VPC       string `json:"vpc,omitempty"`
	Subnet    string `json:"subnet,omitempty"`
	PrivateIP string `json:"private_ip,omitempty"`
	// Endpoint is where a database is reached, host:port; empty where the listing does not say, and for other kinds.
	Endpoint string `json:"endpoint,omitempty"`
	// StateReason is AWS's reason for the present state ("Client.UserInitiatedShutdown: …"), empty where it gives none.
	StateReason string `json:"state_reason,omitempty"`
	// LaunchedAt is when it was last started; zero where AWS does not say.
	LaunchedAt time.Time `json:"launched_at,omitzero"`
	// Bar forbids a single stop; NoBar for the ordinary resource.
	Bar Bar `json:"bar,omitempty"`
	// Held: it runs, and what was switched off beside it for a stop (its scaling) is still off. A start switches that on again.
	Held bool `json:"held,omitempty"`
	// CanHibernate: hibernation was enabled at launch (EC2).
	CanHibernate bool `json:"can_hibernate,omitempty"`
	// Members is how many instances a database cluster consists of, which are started and stopped with it; 0 for other kinds.
	Members int `json:"members,omitempty"`
	// AutoRestartAt is when AWS will start a stopped database by itself (RDS, seven days after its stop).
	AutoRestartAt time.Time `json:"auto_restart_at,omitzero"`
	// MaintenanceWindow is the weekly window that the provider has for it, in UTC as ddd:hh:mm-ddd:hh:mm (RDS, Redshift); empty: none.
	MaintenanceWindow string `json:"maintenance_window,omitempty"`
	// Health is what the provider's own checks say, HealthReason which of them; both are read only where a start is verified by them.
	Health       Health `json:"health,omitempty"`
	HealthReason string `json:"health_reason,omitempty"`
	// SeenAt is when the listing that showed it began.
	SeenAt time.Time `json:"seen_at"`
	// Print is a fingerprint of the words in which the provider described it, good for this process alone; 0: none was taken.
	Print uint32 `json:"-"`
}

// Verb is what can be done to a resource.
type Verb string

// The verbs. Resize changes the type of a stopped resource.
const (
	Start     Verb = "start"
	Stop      Verb = "stop"
	Hibernate Verb = "hibernate"
	Resize    Verb = "resize"
	Reboot    Verb = "reboot"
)

// Tags that Dayshift reads and writes on resources.
const (
	TagProtect       = "dayshift:protect"        // "true": never touched
	TagBypass        = "dayshift:bypass"         // "true": its workload leaves it out
	TagInstanceTypes = "dayshift:instance-types" // acceptable types, best first, comma-separated
	TagLastAction    = "dayshift:last-action"    // informational, written
	TagError         = "dayshift:error"          // informational, written
	// TagPreferredInstanceTypes is the same list under AWS Instance Scheduler's name.
	TagPreferredInstanceTypes = "IS-PreferredInstanceTypes"
	// TagSize is the size to start a scaled resource with, as its owner wants it; TagMinDesiredMax the same under AWS
	// Instance Scheduler's name. TagSaved is the size that it had when it was stopped, written before it is touched.
	TagSize          = "dayshift:size"
	TagMinDesiredMax = "IS-MinDesiredMax"
	TagSaved         = "dayshift:saved"
)
