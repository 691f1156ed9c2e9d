package awssim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Fleet is what a simulated AWS holds: the form of a fleet file.
type Fleet struct {
	Accounts []Account  `yaml:"accounts,omitempty"`
	Images   []Image    `yaml:"images,omitempty"`
	Capacity []Capacity `yaml:"capacity,omitempty"`
	// Reservations are capacity that is held already.
	Reservations []Reserved `yaml:"reservations,omitempty"`
	Secrets      []Secret   `yaml:"secrets,omitempty"`
	Resources    []Resource `yaml:"resources,omitempty"`
	Windows      []Window   `yaml:"windows,omitempty"`
	// Events says where EventBridge puts changes of states; nil: nowhere, or where it does.
	Events *Events `yaml:"events,omitempty"`
	Alarms []Alarm `yaml:"alarms,omitempty"`
	// TargetGroups and ClassicBalancers are of Elastic Load Balancing.
	TargetGroups     []TargetGroup     `yaml:"target_groups,omitempty"`
	ClassicBalancers []ClassicBalancer `yaml:"classic_load_balancers,omitempty"`
	// Functions are of Lambda, Topics of SNS, Backups what is being backed up.
	Functions []Function `yaml:"functions,omitempty"`
	Topics    []Topic    `yaml:"topics,omitempty"`
	Backups   []Backup   `yaml:"backups,omitempty"`
	// ResourceGroups are those that reservations can be in.
	ResourceGroups []ResourceGroup `yaml:"resource_groups,omitempty"`

	Faults []Fault `yaml:"faults,omitempty"`
	// Organization is the one of AWS Organizations; nil: none, or the one there is.
	Organization *Organization `yaml:"organization,omitempty"`
}

// Account is an account of a fleet. Accounts that resources name need no entry
// of their own.
type Account struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name,omitempty"`
	// Partition (aws, aws-cn, aws-us-gov) refuses the account's regions and roles
	// of other partitions; empty allows all.
	Partition string `yaml:"partition,omitempty"`
	// Roles that can be assumed; none listed means any name can be.
	Roles []Role `yaml:"roles,omitempty"`
	// OptIn enables regions that are not on by default, Disabled turns any off.
	// A region with resources is on.
	OptIn    []string `yaml:"opt_in,omitempty"`
	Disabled []string `yaml:"disabled,omitempty"`
	// Unit is its place in the organization: a unit or the root, which is the
	// default; none: it is not a member. State is the one of its life, default ACTIVE.
	Unit  string `yaml:"unit,omitempty"`
	State string `yaml:"state,omitempty"`
}

// Role is an IAM role.
type Role struct {
	Name       string `yaml:"name"`
	ExternalID string `yaml:"external_id,omitempty"`
	Denied     bool   `yaml:"denied,omitempty"` // cannot be assumed
	// Allow and Deny are actions such as ec2:Stop*; an empty Allow allows all.
	Allow      []string `yaml:"allow,omitempty"`
	Deny       []string `yaml:"deny,omitempty"`
	MaxSession Duration `yaml:"max_session,omitempty"` // default 12h
}

// Image is a machine image beside the well-known ones.
type Image struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name,omitempty"`
	Arch string `yaml:"arch,omitempty"` // x86_64 (default) or arm64
}

// Capacity is a pool that runs short: Free more instances of Type can start in
// Zone, or places of it be reserved, by all accounts together.
type Capacity struct {
	Zone string `yaml:"zone" json:"zone"`
	Type string `yaml:"type" json:"type"`
	Free int    `yaml:"free" json:"free"`
}

// Resource is one resource, or Count alike: then # in ID and Name stands for
// the number of the copy, from 1, and ## for the same with two digits.
type Resource struct {
	Account string            `yaml:"account"`
	Region  string            `yaml:"region"`
	Kind    string            `yaml:"kind"`            // ec2, rds, rds_cluster, ecs, asg, eks, redshift or notebook
	Count   int               `yaml:"count,omitempty"` // default 1
	ID      string            `yaml:"id,omitempty"`    // rds: the identifier, default the name
	Name    string            `yaml:"name,omitempty"`  // ec2: the tag Name
	Type    string            `yaml:"type,omitempty"`  // default t3.micro, db.t3.micro
	State   string            `yaml:"state,omitempty"` // ec2: running (default), stopped, terminated; rds: available (default), stopped
	Zone    string            `yaml:"zone,omitempty"`  // us-east-1a; default spread over the region's
	Tags    map[string]string `yaml:"tags,omitempty"`
	// VPC, and of ec2 Subnet and PrivateIP, say where it is in the network;
	// default a VPC of the account and region with one subnet for each zone and
	// addresses of 10.0.0.0/8 in turn. A subnet is in one zone.
	VPC       string `yaml:"vpc,omitempty"`
	Subnet    string `yaml:"subnet,omitempty"`
	PrivateIP string `yaml:"private_ip,omitempty"`
	// StartError is the code with which each start is refused, such as
	// IncorrectInstanceState; one that begins with Client. or Server. lets the
	// instance fall back to stopped for that reason.
	StartError string `yaml:"start_error,omitempty"`
	// Launched is the launch time (ec2) or creation (rds); default 30 days ago.
	Launched When `yaml:"launched,omitempty"`

	// Of ec2.
	Image        string `yaml:"image,omitempty"`
	Key          string `yaml:"key,omitempty"`
	Spot         string `yaml:"spot,omitempty"` // one-time or persistent
	Root         string `yaml:"root,omitempty"` // ebs (default), instance-store, missing
	ASG          string `yaml:"asg,omitempty"`  // adds tag aws:autoscaling:groupName
	Hibernation  bool   `yaml:"hibernation,omitempty"`
	EBSOptimized bool   `yaml:"ebs_optimized,omitempty"`
	DisableStop  bool   `yaml:"disable_api_stop,omitempty"`
	// Guest is what Systems Manager meets inside; nil: no agent.
	Guest *Guest `yaml:"guest,omitempty"`
	// TerminateOnShutdown: it ends when it is shut down from inside; a stop by the API stops it all the same.
	TerminateOnShutdown bool `yaml:"terminate_on_shutdown,omitempty"`
	DisableTermination  bool `yaml:"disable_api_termination,omitempty"`

	// Of rds.
	Engine    string `yaml:"engine,omitempty"` // default postgres
	Version   string `yaml:"version,omitempty"`
	MultiAZ   bool   `yaml:"multi_az,omitempty"`
	Cluster   string `yaml:"cluster,omitempty"`
	ReplicaOf string `yaml:"replica_of,omitempty"`
	Window    string `yaml:"maintenance_window,omitempty"` // ddd:hh:mm-ddd:hh:mm, UTC
	Protected bool   `yaml:"deletion_protection,omitempty"`
	// Of rds_cluster, which uses most of those of rds: Engine is aurora-postgresql
	// unless said otherwise, mysql or postgres make a Multi-AZ DB cluster, ReplicaOf
	// names a cluster. Entries of rds may join it by Cluster; where none does and
	// Members is not said, it gets two members of Type (three with Multi-AZ).
	Members       int    `yaml:"members,omitempty"`
	EngineMode    string `yaml:"engine_mode,omitempty"`    // provisioned (default) or serverless, which is Aurora Serverless v1
	GlobalCluster string `yaml:"global_cluster,omitempty"` // the global database it is part of

	// Of ecs, whose Name is the service's, Cluster (default: default) its cluster
	// and Type its launch type, default FARGATE. Desired is how many tasks run,
	// default 1, none while stopped. With Max it has a scalable target from Min to
	// Max, of which Suspended (in, out, scheduled) are suspended.
	Desired    int      `yaml:"desired,omitempty"`
	Min        int      `yaml:"min,omitempty"`
	Max        int      `yaml:"max,omitempty"`
	Suspended  []string `yaml:"suspended,omitempty"`
	Scheduling string   `yaml:"scheduling,omitempty"` // REPLICA (default) or DAEMON
	Controller string   `yaml:"controller,omitempty"` // ECS (default), CODE_DEPLOY or EXTERNAL

	// Of asg, which is an Auto Scaling group with Min, Desired (default 1) and Max
	// (default Desired) instances of Type, none while stopped. Suspended are
	// processes. With Propagate its instances inherit its tags.
	// Of eks, a managed node group, the same but for Suspended; Cluster (default:
	// default) is its cluster, StartError the code of the health issue with which
	// its nodes fail to launch. It has an Auto Scaling group of its own.
	Propagate         bool `yaml:"propagate,omitempty"`
	ScaleInProtection bool `yaml:"scale_in_protection,omitempty"` // of new instances

	// Of redshift, whose Type is that of its nodes (ra3.xlplus): what AWS does not
	// pause has its keys in a hardware security module, no automated snapshots, or MultiAZ.
	HSM          bool `yaml:"hsm,omitempty"`
	SnapshotsOff bool `yaml:"snapshots_off,omitempty"`

	// Of notebook, an instance of SageMaker, there is only Type (ml.t3.medium);
	// with StartError each start ends as Failed for that reason.

	// StoppedFor is how long a stopped database has been stopped; RDS starts it
	// after seven days.
	StoppedFor Duration `yaml:"stopped_for,omitempty"`
}

// ParseFleet reads a fleet file. Every fault in it is reported, with line and
// column; the syntax first, and what it says when the syntax is right.
func ParseFleet(data []byte) (Fleet, error) {
	var f Fleet
	if len(bytes.TrimSpace(data)) == 0 {
		return f, errors.New("fleet: the file is empty: it needs accounts or resources")
	}
	if err := decodeStrict(data, &f); err != nil {
		return Fleet{}, fmt.Errorf("fleet: %w", err)
	}
	var at *places
	if errs := f.check(func(path string) string {
		if at == nil { // parsed once more, and only for a file with faults
			at = newPlaces(data)
		}
		return at.of("$." + path)
	}); len(errs) > 0 {
		return Fleet{}, fmt.Errorf("fleet: %w", errors.Join(errs...))
	}
	return f, nil
}

// places finds lines and columns in a YAML document.
type places struct{ file *ast.File }

func newPlaces(data []byte) *places {
	p := &places{}
	defer func() { _ = recover() }() // as in decodeStrict: then no place is known
	if file, err := parser.ParseBytes(data, 0); err == nil {
		p.file = file
	}
	return p
}

// of gives "[line:column] " of a path, "" when it cannot be found.
func (p *places) of(path string) (place string) {
	defer func() {
		if recover() != nil {
			place = ""
		}
	}()
	if p.file == nil {
		return ""
	}
	for path != "$" {
		want, err := yaml.PathString(path)
		if err != nil {
			return ""
		}
		if node, err := want.FilterFile(p.file); err == nil && node != nil {
			tok := node.GetToken()
			if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 { // its own token is the first colon
				tok = m.Values[0].Key.GetToken()
			}
			if tok != nil {
				return fmt.Sprintf("[%d:%d] ", tok.Position.Line, tok.Position.Column)
			}
		}
		// A field that was left out: point at what should hold it.
		i := strings.LastIndexAny(path, ".[")
		if i < 1 {
			return ""
		}
		path = path[:i]
	}
	return ""
}

// Marshal writes the fleet as a fleet file.
func (f Fleet) Marshal() ([]byte, error) {
	b, err := yaml.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("write fleet: %w", err)
	}
	return b, nil
}

var (
	codeForm     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]{2,99}$`)
	roleNameForm = regexp.MustCompile(`^([\x21-\x7e]+/)?[\w+=,.@-]{1,64}$`)
)

// check gives every fault; at gives the position of a path.
func (f *Fleet) check(at func(path string) string) []error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s%s: %w", at(path), path, fmt.Errorf(format, args...)))
	}
	seen := map[string]bool{}
	parts := map[string]string{}
	for n := range f.Accounts {
		a, path := &f.Accounts[n], fmt.Sprintf("accounts[%d]", n)
		if !isAccountID(a.ID) {
			bad(path+".id", "%q is not an account: twelve digits, quoted", a.ID)
		}
		if seen[a.ID] {
			bad(path+".id", "account %s is listed twice", a.ID)
		}
		seen[a.ID] = true
		parts[a.ID] = a.Partition
		a.checkMember(func(field, format string, args ...any) { bad(path+"."+field, format, args...) }, f.Organization)
		if a.Partition != "" && a.Partition != "aws" && a.Partition != "aws-cn" && a.Partition != "aws-us-gov" {
			bad(path+".partition", "%q is not a partition: aws, aws-cn or aws-us-gov", a.Partition)
		}
		for i, r := range a.Roles {
			if !roleNameForm.MatchString(r.Name) {
				bad(fmt.Sprintf("%s.roles[%d].name", path, i), "%q is not a role name: letters, digits and _+=,.@- as in arn:aws:iam::ACCOUNT:role/NAME", r.Name)
			}
			if r.MaxSession != 0 && (time.Duration(r.MaxSession) < time.Hour || time.Duration(r.MaxSession) > 12*time.Hour) {
				bad(fmt.Sprintf("%s.roles[%d].max_session", path, i), "%s is outside 1h to 12h", time.Duration(r.MaxSession))
			}
		}
		for _, l := range []struct {
			field string
			names []string
		}{{"opt_in", a.OptIn}, {"disabled", a.Disabled}} {
			for i, r := range l.names {
				if regions[r] == nil {
					bad(fmt.Sprintf("%s.%s[%d]", path, l.field, i), "%q is not a region", r)
				}
			}
		}
	}
	if f.Organization != nil {
		f.Organization.check(func(field, format string, args ...any) { bad("organization."+field, format, args...) }, f.Accounts)
	}
	known := wellKnownImages()
	for n, im := range f.Images {
		path := fmt.Sprintf("images[%d]", n)
		if !idForm(im.ID, "ami-") {
			bad(path+".id", "%q is not an image id: ami- and 8 or 17 hexadecimal digits", im.ID)
		}
		if im.Arch != "" && im.Arch != x86 && im.Arch != arm {
			bad(path+".arch", "%q is not an architecture: %s or %s", im.Arch, x86, arm)
		}
		known[im.ID] = &image{id: im.ID, arch: cmp.Or(im.Arch, x86)}
	}
	for n, p := range f.Capacity {
		path := fmt.Sprintf("capacity[%d]", n)
		p.check(func(field, format string, args ...any) { bad(path+"."+field, format, args...) })
	}
	for n := range f.Reservations {
		path := fmt.Sprintf("reservations[%d]", n)
		r := &f.Reservations[n]
		r.check(func(field, format string, args ...any) { bad(path+"."+field, format, args...) }, parts)
		if r.ID != "" && slices.ContainsFunc(f.Reservations[:n], func(o Reserved) bool { return o.ID == r.ID }) {
			bad(path+".id", "reservation %s is listed twice", r.ID)
		}
	}
	for n := range f.Secrets {
		path := fmt.Sprintf("secrets[%d]", n)
		f.Secrets[n].check(func(field, format string, args ...any) { bad(path+"."+field, format, args...) })
	}
	nets := newSurroundings()
	for n := range f.Resources {
		path := fmt.Sprintf("resources[%d]", n)
		badField := func(field, format string, args ...any) { bad(path+"."+field, format, args...) }
		f.Resources[n].check(badField, known, parts)
		nets.check(&f.Resources[n], path, badField)
	}
	windowIDs := map[string]bool{}
	for n := range f.Windows {
		path := fmt.Sprintf("windows[%d]", n)
		w := &f.Windows[n]
		w.check(func(field, format string, args ...any) { bad(path+"."+field, format, args...) }, parts)
		if w.ID != "" && windowIDs[w.ID] {
			bad(path+".id", "window %s is listed twice", w.ID)
		}
		windowIDs[w.ID] = true
	}
	if f.Events != nil {
		f.Events.check(func(field, format string, args ...any) { bad("events."+field, format, args...) })
	}
	for n := range f.Alarms {
		path := fmt.Sprintf("alarms[%d]", n)
		f.Alarms[n].check(func(field, format string, args ...any) { bad(path+"."+field, format, args...) }, parts)
	}
	for n := range f.TargetGroups {
		f.TargetGroups[n].check(func(field, format string, args ...any) {
			bad(fmt.Sprintf("target_groups[%d].%s", n, field), format, args...)
		}, parts)
	}
	for n := range f.Functions {
		f.Functions[n].check(func(field, format string, args ...any) {
			bad(fmt.Sprintf("functions[%d].%s", n, field), format, args...)
		}, parts)
	}
	for n := range f.Topics {
		f.Topics[n].check(func(field, format string, args ...any) { bad(fmt.Sprintf("topics[%d].%s", n, field), format, args...) }, parts)
	}
	for n := range f.Backups {
		f.Backups[n].check(func(field, format string, args ...any) { bad(fmt.Sprintf("backups[%d].%s", n, field), format, args...) }, parts)
	}
	for n := range f.ResourceGroups {
		f.ResourceGroups[n].check(func(field, format string, args ...any) {
			bad(fmt.Sprintf("resource_groups[%d].%s", n, field), format, args...)
		}, parts)
	}
	for n := range f.ClassicBalancers {
		f.ClassicBalancers[n].check(func(field, format string, args ...any) {
			bad(fmt.Sprintf("classic_load_balancers[%d].%s", n, field), format, args...)
		}, parts)
	}
	for n := range f.Faults {
		if err := f.Faults[n].check(); err != nil {
			bad(fmt.Sprintf("faults[%d]", n), "%w", err)
		}
	}
	return errs
}

func zoneRegion(zone string) *region {
	if len(zone) < 2 {
		return nil
	}
	if r := regions[zone[:len(zone)-1]]; r != nil && r.hasZone(zone) {
		return r
	}
	return nil
}

// maxCount bounds the copies of one entry.
const maxCount = 1 << 20

func (r *Resource) check(bad func(field, format string, args ...any), images map[string]*image, parts map[string]string) {
	if !isAccountID(r.Account) {
		bad("account", "%q is not an account: twelve digits, quoted", r.Account)
	}
	reg := regions[r.Region]
	if reg == nil {
		bad("region", "%q is not a region", r.Region)
	} else if p := parts[r.Account]; p != "" && p != reg.partition {
		bad("region", "%s belongs to partition %s, account %s to %s", r.Region, reg.partition, r.Account, p)
	}
	if r.Count < 0 || r.Count > maxCount {
		bad("count", "%d: must be between 1 and %d", r.Count, maxCount)
	}
	if r.Zone != "" && reg != nil && !reg.hasZone(r.Zone) {
		bad("zone", "%q is not a zone of %s: one of %s", r.Zone, r.Region, strings.Join(reg.zoneNames(), ", "))
	}
	if len(r.Tags) > maxTags {
		bad("tags", "%d tags: AWS allows %d", len(r.Tags), maxTags)
	}
	for key, v := range r.Tags {
		if e := checkTag(Tag{key, v}); e != nil && !strings.HasPrefix(key, "aws:") {
			bad("tags", "%s", e.Message)
		}
	}
	if r.StartError != "" && !codeForm.MatchString(r.StartError) {
		bad("start_error", "%q is not an error code, such as IncorrectInstanceState or Client.InternalError", r.StartError)
	}
	none := func(kind string, list ...stray) {
		for _, s := range list {
			if s.set {
				bad(s.field, "does not belong to kind %s", kind)
			}
		}
	}
	oneOf := func(field, v string, allowed ...string) {
		if !slices.Contains(allowed, v) {
			bad(field, "%q is not known: %s", v, strings.Join(allowed, ", "))
		}
	}
	if r.Kind != "ec2" {
		none(r.Kind, stray{"guest", r.Guest != nil})
	}
	if r.Kind != "asg" {
		none(r.Kind, r.ofGroups()...)
	}
	if r.Kind != "redshift" {
		none(r.Kind, r.ofWarehouses()...)
	}
	switch r.Kind {
	case "ec2":
		none("ec2", stray{"engine", r.Engine != ""}, stray{"version", r.Version != ""}, stray{"multi_az", r.MultiAZ}, stray{"cluster", r.Cluster != ""},
			stray{"replica_of", r.ReplicaOf != ""}, stray{"maintenance_window", r.Window != ""}, stray{"deletion_protection", r.Protected}, stray{"stopped_for", r.StoppedFor != 0})
		none("ec2", r.ofClusters()...)
		none("ec2", r.ofServices()...)
		t := instanceTypes[cmp.Or(r.Type, "t3.micro")]
		if t == nil {
			bad("type", "%q is not an instance type the simulator knows: m5.large, t3.micro, c6g.xlarge …", r.Type)
		}
		if r.ID != "" && r.Count <= 1 && !idForm(r.ID, "i-") {
			bad("id", "%q is not an instance id: i- and 8 or 17 hexadecimal digits", r.ID)
		}
		if r.ID != "" && r.Count > 1 {
			bad("id", "%d instances cannot have one id: leave it out", r.Count)
		}
		if r.Image != "" {
			if im := images[r.Image]; im == nil {
				bad("image", "%q does not exist: list it under images", r.Image)
			} else if t != nil && im.arch != t.arch {
				bad("image", "%q is for %s, type %s is %s", r.Image, im.arch, t.name, t.arch)
			}
		}
		if r.Guest != nil {
			r.Guest.check(bad)
		}
		if r.Hibernation && t != nil && !t.hibernate {
			bad("hibernation", "type %s does not support it", t.name)
		}
		oneOf("state", cmp.Or(r.State, "running"), "running", "stopped", "terminated")
		oneOf("spot", cmp.Or(r.Spot, "one-time"), "one-time", "persistent")
		oneOf("root", cmp.Or(r.Root, "ebs"), "ebs", "instance-store", "missing")
	case "rds", "rds_cluster":
		none(r.Kind, r.ofServices()...)
		none(r.Kind, stray{"image", r.Image != ""}, stray{"key", r.Key != ""}, stray{"spot", r.Spot != ""}, stray{"root", r.Root != ""}, stray{"asg", r.ASG != ""},
			stray{"hibernation", r.Hibernation}, stray{"ebs_optimized", r.EBSOptimized}, stray{"disable_api_stop", r.DisableStop}, stray{"terminate_on_shutdown", r.TerminateOnShutdown}, stray{"disable_api_termination", r.DisableTermination},
			stray{"subnet", r.Subnet != ""}, stray{"private_ip", r.PrivateIP != ""})
		if r.Kind == "rds" {
			none(r.Kind, r.ofClusters()...)
		} else {
			none(r.Kind, stray{"cluster", r.Cluster != ""}, stray{"multi_az", r.MultiAZ}, stray{"zone", r.Zone != ""})
		}
		id := cmp.Or(r.ID, r.Name)
		if name := r.numbered(id, 1); len(name) > 63 || !dbNameForm.MatchString(name) {
			bad("id", "%q is not a database identifier: 1 to 63 letters, digits and single hyphens, a letter first", id)
		}
		if r.numbered(id, 1) == r.numbered(id, 2) && r.Count > 1 {
			bad("count", "%d databases cannot have one identifier: put # into it", r.Count)
		}
		if r.Type != "" && !dbClassForm.MatchString(r.Type) {
			bad("type", "%q is not a database class, such as db.t3.micro", r.Type)
		}
		r.checkEngine(bad)
		if r.Window != "" && !dbWindowForm.MatchString(r.Window) {
			bad("maintenance_window", "%q: write ddd:hh:mm-ddd:hh:mm in UTC, such as sun:18:00-sun:18:30", r.Window)
		}
		oneOf("state", cmp.Or(r.State, "available"), "available", "stopped")
		if r.StoppedFor != 0 && r.State != "stopped" {
			bad("stopped_for", "belongs to state stopped")
		}
	case "ecs":
		none("ecs", stray{"id", r.ID != ""}, stray{"image", r.Image != ""}, stray{"key", r.Key != ""}, stray{"spot", r.Spot != ""}, stray{"root", r.Root != ""}, stray{"asg", r.ASG != ""},
			stray{"hibernation", r.Hibernation}, stray{"ebs_optimized", r.EBSOptimized}, stray{"disable_api_stop", r.DisableStop}, stray{"terminate_on_shutdown", r.TerminateOnShutdown}, stray{"disable_api_termination", r.DisableTermination},
			stray{"zone", r.Zone != ""}, stray{"vpc", r.VPC != ""}, stray{"subnet", r.Subnet != ""}, stray{"private_ip", r.PrivateIP != ""}, stray{"engine", r.Engine != ""}, stray{"version", r.Version != ""},
			stray{"multi_az", r.MultiAZ}, stray{"replica_of", r.ReplicaOf != ""}, stray{"maintenance_window", r.Window != ""}, stray{"deletion_protection", r.Protected}, stray{"stopped_for", r.StoppedFor != 0})
		none("ecs", r.ofClusters()...)
		r.checkECS(bad)
		oneOf("state", cmp.Or(r.State, "running"), "running", "stopped")
		oneOf("type", cmp.Or(r.Type, "FARGATE"), "FARGATE", "EC2", "EXTERNAL")
		oneOf("scheduling", cmp.Or(r.Scheduling, "REPLICA"), "REPLICA", "DAEMON")
		oneOf("controller", cmp.Or(r.Controller, "ECS"), "ECS", "CODE_DEPLOY", "EXTERNAL")
	case "eks":
		none("eks", stray{"id", r.ID != ""}, stray{"image", r.Image != ""}, stray{"key", r.Key != ""}, stray{"spot", r.Spot != ""}, stray{"root", r.Root != ""}, stray{"asg", r.ASG != ""},
			stray{"hibernation", r.Hibernation}, stray{"ebs_optimized", r.EBSOptimized}, stray{"disable_api_stop", r.DisableStop}, stray{"terminate_on_shutdown", r.TerminateOnShutdown}, stray{"disable_api_termination", r.DisableTermination},
			stray{"vpc", r.VPC != ""}, stray{"subnet", r.Subnet != ""}, stray{"private_ip", r.PrivateIP != ""}, stray{"engine", r.Engine != ""}, stray{"version", r.Version != ""},
			stray{"multi_az", r.MultiAZ}, stray{"replica_of", r.ReplicaOf != ""}, stray{"maintenance_window", r.Window != ""}, stray{"deletion_protection", r.Protected},
			stray{"stopped_for", r.StoppedFor != 0}, stray{"scheduling", r.Scheduling != ""}, stray{"controller", r.Controller != ""}, stray{"suspended", len(r.Suspended) > 0})
		none("eks", r.ofClusters()...)
		oneOf("state", cmp.Or(r.State, "running"), "running", "stopped")
		r.checkNodeGroup(bad)
	case "asg":
		none("asg", stray{"id", r.ID != ""}, stray{"image", r.Image != ""}, stray{"key", r.Key != ""}, stray{"spot", r.Spot != ""}, stray{"root", r.Root != ""}, stray{"asg", r.ASG != ""},
			stray{"hibernation", r.Hibernation}, stray{"ebs_optimized", r.EBSOptimized}, stray{"disable_api_stop", r.DisableStop}, stray{"terminate_on_shutdown", r.TerminateOnShutdown}, stray{"disable_api_termination", r.DisableTermination},
			stray{"vpc", r.VPC != ""}, stray{"subnet", r.Subnet != ""}, stray{"private_ip", r.PrivateIP != ""}, stray{"start_error", r.StartError != ""}, stray{"engine", r.Engine != ""}, stray{"version", r.Version != ""},
			stray{"multi_az", r.MultiAZ}, stray{"cluster", r.Cluster != ""}, stray{"replica_of", r.ReplicaOf != ""}, stray{"maintenance_window", r.Window != ""}, stray{"deletion_protection", r.Protected},
			stray{"stopped_for", r.StoppedFor != 0}, stray{"scheduling", r.Scheduling != ""}, stray{"controller", r.Controller != ""})
		none("asg", r.ofClusters()...)
		oneOf("state", cmp.Or(r.State, "running"), "running", "stopped")
		r.checkGroup(bad)
	case "redshift":
		none("redshift", r.ofMachines()...)
		none("redshift", r.ofServices()...)
		none("redshift", r.ofClusters()...)
		none("redshift", stray{"engine", r.Engine != ""}, stray{"version", r.Version != ""}, stray{"cluster", r.Cluster != ""}, stray{"replica_of", r.ReplicaOf != ""},
			stray{"deletion_protection", r.Protected}, stray{"stopped_for", r.StoppedFor != 0})
		oneOf("state", cmp.Or(r.State, "available"), "available", "paused")
		r.checkWarehouse(bad)
	case "notebook":
		none("notebook", r.ofMachines()...)
		none("notebook", r.ofServices()...)
		none("notebook", r.ofClusters()...)
		none("notebook", stray{"id", r.ID != ""}, stray{"zone", r.Zone != ""}, stray{"vpc", r.VPC != ""}, stray{"engine", r.Engine != ""}, stray{"version", r.Version != ""},
			stray{"multi_az", r.MultiAZ}, stray{"cluster", r.Cluster != ""}, stray{"replica_of", r.ReplicaOf != ""}, stray{"maintenance_window", r.Window != ""},
			stray{"deletion_protection", r.Protected}, stray{"stopped_for", r.StoppedFor != 0})
		oneOf("state", cmp.Or(r.State, "InService"), "InService", "Stopped", "Failed")
		r.checkNotebook(bad)
	default:
		bad("kind", "%q is not known: ec2, rds, rds_cluster, ecs, asg, eks, redshift or notebook", r.Kind)
	}
}

// stray is a field that does not belong to a kind, if it is set.
type stray struct {
	field string
	set   bool
}

// ofClusters are the fields that belong to clusters alone.
func (r *Resource) ofClusters() []stray {
	return []stray{{"members", r.Members != 0}, {"engine_mode", r.EngineMode != ""}, {"global_cluster", r.GlobalCluster != ""}}
}

// mostMembers is how many instances AWS allows in a cluster.
const mostMembers = 16

// checkEngine checks what a database or cluster says of its engine, and of its members.
func (r *Resource) checkEngine(bad func(field, format string, args ...any)) {
	name := "postgres"
	if r.Kind == "rds_cluster" {
		name = defaultClusterEngine
	}
	e := engines[cmp.Or(r.Engine, name)]
	switch {
	case e == nil:
		bad("engine", "%q is not known: %s", r.Engine, strings.Join(engineNames(), ", "))
	case r.Kind == "rds" && e.cluster && r.Cluster == "", r.Cluster != "" && !clusterEngine(e):
		bad("cluster", "engine %s and a cluster do not go together", e.name)
	case r.Kind == "rds_cluster" && !clusterEngine(e):
		bad("engine", "%s does not come in clusters", e.name)
	}
	if r.Kind != "rds_cluster" {
		return
	}
	if r.Members < 0 || r.Members > mostMembers {
		bad("members", "%d: must be between 1 and %d", r.Members, mostMembers)
	}
	if mode := cmp.Or(r.EngineMode, "provisioned"); mode != "provisioned" && mode != "serverless" {
		bad("engine_mode", "%q is not known: provisioned, serverless", mode)
	}
	if r.EngineMode == "serverless" && r.Members != 0 {
		bad("members", "Aurora Serverless v1 has none")
	}
}

// numbered puts the number of a copy in the place of each run of #, with as
// many digits as the run is long. An entry without a count is taken literally.
func (r *Resource) numbered(s string, n int) string {
	if r.Count == 0 || !strings.Contains(s, "#") {
		return s
	}
	return numberForm.ReplaceAllStringFunc(s, func(run string) string { return fmt.Sprintf("%0*d", len(run), n) })
}

var numberForm = regexp.MustCompile(`#+`)

// Load adds a fleet to what is there, or refuses it whole. Faults in it
// replace those in force.
func (c *Cloud) Load(f Fleet) error {
	if errs := f.check(func(string) string { return "" }); len(errs) > 0 {
		return fmt.Errorf("load fleet: %w", errors.Join(errs...))
	}
	// Made first and listed after, so that a conflict leaves nothing behind.
	type made struct {
		s        *scope
		list     []*instance
		dbs      []*database
		clusters []*cluster
		services []*ecsService
		groups   []*scalingGroup
		nodes    []*nodeGroup
		wares    []*warehouse
		books    []*notebook
		entry    *Resource
	}
	now := c.Now().UnixNano()
	ids := map[string]bool{}
	for _, s := range c.allScopes() {
		s.mu.Lock()
		for id := range s.byID {
			ids[id] = true
		}
		s.mu.Unlock()
	}
	c.bus.mu.Lock() // before the other, as who looks for news does
	defer c.bus.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	images := maps.Clone(c.images)
	for _, im := range f.Images {
		images[im.ID] = &image{id: im.ID, name: cmp.Or(im.Name, im.ID), arch: cmp.Or(im.Arch, x86), owner: c.opt.DefaultAccount, root: "/dev/xvda"}
	}
	var todo []made
	dbNames, services, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range f.Resources {
		r := &f.Resources[i]
		m := made{s: c.scopeLocked(c.accountLocked(r.Account), regions[r.Region]), entry: r}
		tags := sortedTags(r)
		places := map[string]*place{} // by zone
		for n := range max(1, r.Count) {
			if r.Kind == "ec2" {
				in := c.instanceOf(m.s, r, n, tags, images, now)
				if places[in.zone] == nil {
					places[in.zone] = m.s.place(in.zone, r.VPC, r.Subnet)
				}
				in.site = places[in.zone]
				if in.is&addressed != 0 {
					m.s.mu.Lock()
					taken := m.s.hasAddress(in.address4())
					m.s.mu.Unlock()
					if taken {
						return fmt.Errorf("load fleet: resources[%d].private_ip: another instance has %s already", i, r.PrivateIP)
					}
				}
				if ids[in.id] {
					return fmt.Errorf("load fleet: resources[%d].id: instance %s exists already", i, in.id)
				}
				ids[in.id] = true
				m.list = append(m.list, in)
				continue
			}
			if r.Kind == "ecs" {
				v := c.serviceOf(r, n, tags, now)
				key := r.Account + " " + r.Region + " " + v.id()
				m.s.mu.Lock()
				taken := m.s.ecs[v.id()] != nil
				m.s.mu.Unlock()
				if taken || services[key] {
					return fmt.Errorf("load fleet: resources[%d].name: service %s exists already in account %s, %s", i, v.id(), r.Account, r.Region)
				}
				services[key] = true
				m.services = append(m.services, v)
				continue
			}
			if r.Kind == "eks" {
				node := c.nodeGroupOf(m.s, r, n, tags, now)
				key := r.Account + " " + r.Region + " " + node.group.name + node.cluster
				m.s.mu.Lock()
				taken := m.s.eks[node.key()] != nil
				m.s.mu.Unlock()
				if taken || groups[key] {
					return fmt.Errorf("load fleet: resources[%d].name: node group %s exists already in account %s, %s", i, node.key(), r.Account, r.Region)
				}
				groups[key] = true
				m.nodes = append(m.nodes, node)
				continue
			}
			if r.Kind == "asg" {
				g := c.scalingGroupOf(m.s, r, n, tags, now)
				key := r.Account + " " + r.Region + " " + g.name
				m.s.mu.Lock()
				taken := m.s.group(g.name) != nil
				m.s.mu.Unlock()
				if taken || groups[key] {
					return fmt.Errorf("load fleet: resources[%d].name: group %s exists already in account %s, %s", i, g.name, r.Account, r.Region)
				}
				groups[key] = true
				m.groups = append(m.groups, g)
				continue
			}
			if r.Kind == "redshift" {
				h := c.warehouseOf(m.s, r, n, tags, now)
				key := "warehouse " + r.Account + " " + r.Region + " " + h.id
				m.s.mu.Lock()
				taken := m.s.warehouse(h.id) != nil
				m.s.mu.Unlock()
				if taken || dbNames[key] {
					return fmt.Errorf("load fleet: resources[%d].id: Redshift cluster %s exists already in account %s, %s", i, h.id, r.Account, r.Region)
				}
				dbNames[key] = true
				m.wares = append(m.wares, h)
				continue
			}
			if r.Kind == "notebook" {
				nb := c.notebookOf(r, n, tags, now)
				key := "notebook " + r.Account + " " + r.Region + " " + strings.ToLower(nb.name)
				m.s.mu.Lock()
				taken := m.s.notebooks[strings.ToLower(nb.name)] != nil
				m.s.mu.Unlock()
				if taken || dbNames[key] {
					return fmt.Errorf("load fleet: resources[%d].name: notebook instance %s exists already in account %s, %s", i, nb.name, r.Account, r.Region)
				}
				dbNames[key] = true
				m.books = append(m.books, nb)
				continue
			}
			if r.Kind == "rds_cluster" {
				m.clusters = append(m.clusters, c.clusterOf(m.s, r, n, tags, now))
				continue
			}
			d := c.databaseOf(m.s, r, n, tags, now)
			key := r.Account + " " + r.Region + " " + d.id
			m.s.mu.Lock()
			taken := m.s.dbByID[d.id] != nil
			m.s.mu.Unlock()
			if taken || dbNames[key] {
				return fmt.Errorf("load fleet: resources[%d].id: database %s exists already in account %s, %s", i, d.id, r.Account, r.Region)
			}
			dbNames[key] = true
			m.dbs = append(m.dbs, d)
		}
		todo = append(todo, m)
	}
	// Clusters get their members once it is known which entries join them.
	joined := map[string]int{}
	for _, m := range todo {
		for _, d := range m.dbs {
			joined[m.entry.Account+" "+m.entry.Region+" "+d.cluster]++
		}
	}
	for i := range todo {
		m := &todo[i]
		for _, cl := range m.clusters {
			place := m.entry.Account + " " + m.entry.Region + " "
			m.s.mu.Lock()
			taken := m.s.clusterByID(cl.id) != nil
			m.s.mu.Unlock()
			if taken || dbNames["cluster "+place+cl.id] {
				return fmt.Errorf("load fleet: resources[%d].id: cluster %s exists already in account %s, %s", i, cl.id, m.entry.Account, m.entry.Region)
			}
			dbNames["cluster "+place+cl.id] = true
			for _, d := range c.clusterMembersOf(m.s, m.entry, cl, joined[place+cl.id], now) {
				m.s.mu.Lock()
				taken := m.s.dbByID[d.id] != nil
				m.s.mu.Unlock()
				if taken || dbNames[place+d.id] {
					return fmt.Errorf("load fleet: resources[%d].members: database %s exists already in account %s, %s", i, d.id, m.entry.Account, m.entry.Region)
				}
				dbNames[place+d.id] = true
				m.dbs = append(m.dbs, d)
			}
		}
	}
	windows := make([]*window, len(f.Windows))
	for i := range f.Windows {
		w, err := c.windowOf(f.Windows[i])
		if err != nil {
			return fmt.Errorf("load fleet: windows[%d]: %w", i, err)
		}
		s := c.scopeLocked(c.accountLocked(w.Account), regions[w.Region])
		s.mu.Lock()
		taken := slices.ContainsFunc(s.windows, func(o *window) bool { return o.ID == w.ID })
		s.mu.Unlock()
		if taken {
			return fmt.Errorf("load fleet: windows[%d].id: window %s exists already", i, w.ID)
		}
		windows[i] = w
	}
	if err := c.checkAlarms(&f); err != nil {
		return err
	}
	var held []*odcr
	taken := c.reservationIDs()
	for i := range f.Reservations {
		s := c.scopeLocked(c.accountLocked(f.Reservations[i].Account), regions[f.Reservations[i].Region])
		r, err := c.odcrOf(s, &f.Reservations[i], now)
		if err != nil {
			return fmt.Errorf("load fleet: reservations[%d].%w", i, err)
		}
		if taken[r.id] {
			return fmt.Errorf("load fleet: reservations[%d].id: reservation %s exists already", i, r.id)
		}
		held = append(held, r)
	}
	if err := c.checkRotas(&f); err != nil {
		return err
	}
	c.images = images
	for i := range f.Accounts {
		c.declare(&f.Accounts[i])
	}
	if f.Organization != nil {
		o := *f.Organization
		o.ID, o.Root = cmp.Or(o.ID, fmt.Sprintf("o-%016x", hash(c.seed, "organization"))), cmp.Or(o.Root, defaultRoot)
		c.organization = &o
	}
	if f.Events != nil {
		c.listen(*f.Events, c.Now())
	}
	for _, m := range todo { // before others get addresses by number
		m.s.mu.Lock()
		for _, in := range m.list {
			if in.is&addressed != 0 {
				m.s.named[in.address4()] = true
			}
		}
		m.s.mu.Unlock()
	}
	for _, m := range todo {
		m.s.mu.Lock()
		if m.s.region.optIn {
			m.s.account.optIn[m.s.region.name] = true
		}
		m.s.instances = slices.Grow(m.s.instances, len(m.list))
		for _, in := range m.list {
			m.s.add(in)
			if in.state(now) == terminated {
				m.s.leaving++
			}
		}
		for _, d := range m.dbs {
			m.s.addDB(d)
		}
		for _, g := range m.groups {
			m.s.settleGroup(g)
		}
		for _, v := range m.services {
			m.s.ecs[v.id()] = v
		}
		for _, node := range m.nodes {
			m.s.settleNodeGroup(node)
		}
		for _, cl := range m.clusters {
			m.s.addCluster(cl)
		}
		for _, h := range m.wares {
			m.s.addWarehouse(h)
		}
		for _, nb := range m.books {
			m.s.notebooks[strings.ToLower(nb.name)] = nb
		}
		m.s.mu.Unlock()
	}
	for _, m := range todo { // all members are there
		m.s.mu.Lock()
		for _, cl := range m.clusters {
			c.settleCluster(m.s, m.entry, cl, now)
		}
		for _, d := range m.dbs { // a member without a cluster that is described makes a plain one
			if d.cluster != "" && m.s.clusterByID(d.cluster) == nil {
				plain := Resource{ID: d.cluster, Engine: d.engine.name, Version: d.version, Type: d.class, VPC: d.vpc, State: m.entry.State, StoppedFor: m.entry.StoppedFor}
				cl := c.clusterOf(m.s, &plain, 0, nil, now)
				m.s.addCluster(cl)
				c.settleCluster(m.s, &plain, cl, now)
			}
		}
		m.s.mu.Unlock()
	}
	for _, w := range windows {
		s := c.scopes[scopeKey{w.Account, w.Region}]
		s.mu.Lock()
		if s.region.optIn {
			s.account.optIn[w.Region] = true
		}
		s.windows = append(s.windows, w)
		s.mu.Unlock()
	}
	for i := range f.Alarms {
		a := &f.Alarms[i]
		s := c.scopeLocked(c.accountLocked(a.Account), regions[a.Region])
		s.mu.Lock()
		made, err := s.alarmsOf(a, now)
		for _, one := range made {
			s.alarms[one.name] = one
		}
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("load fleet: alarms[%d].%w", i, err)
		}
	}
	for i := range f.TargetGroups {
		s := c.scopeLocked(c.accountLocked(f.TargetGroups[i].Account), regions[f.TargetGroups[i].Region])
		s.mu.Lock()
		s.addTargetGroups(&f.TargetGroups[i], now)
		s.mu.Unlock()
	}
	for _, one := range f.Functions {
		s := c.scopeLocked(c.accountLocked(one.Account), regions[one.Region])
		s.mu.Lock()
		s.functions[one.Name] = &function{Function: one}
		s.mu.Unlock()
	}
	for _, one := range f.ResourceGroups {
		s := c.scopeLocked(c.accountLocked(one.Account), regions[one.Region])
		s.mu.Lock()
		s.addResourceGroup(one)
		s.mu.Unlock()
	}
	for _, one := range f.Topics {
		s := c.scopeLocked(c.accountLocked(one.Account), regions[one.Region])
		s.mu.Lock()
		s.topics[one.Name] = true
		s.mu.Unlock()
	}
	for i := range f.Backups {
		s := c.scopeLocked(c.accountLocked(f.Backups[i].Account), regions[f.Backups[i].Region])
		s.mu.Lock()
		s.addBackups(&f.Backups[i], now)
		s.mu.Unlock()
	}
	for i := range f.ClassicBalancers {
		s := c.scopeLocked(c.accountLocked(f.ClassicBalancers[i].Account), regions[f.ClassicBalancers[i].Region])
		s.mu.Lock()
		s.addClassics(&f.ClassicBalancers[i], now)
		s.mu.Unlock()
	}
	for _, p := range f.Capacity {
		c.LimitCapacity(p.Zone, p.Type, p.Free)
	}
	for _, r := range held {
		r.s.mu.Lock()
		c.hold(r, now)
		r.s.mu.Unlock()
	}
	for i := range f.Secrets {
		v := &f.Secrets[i]
		s := c.scopeLocked(c.accountLocked(v.Account), regions[v.Region])
		s.mu.Lock()
		s.addSecret(c.secretOf(s, v.Name, v.Value, now))
		s.mu.Unlock()
	}
	if len(f.Faults) > 0 {
		return c.SetFaults(f.Faults)
	}
	return nil
}

// declare enters an account of a fleet; the cloud's lock is held.
func (c *Cloud) declare(f *Account) {
	a := c.accountLocked(f.ID)
	a.name, a.partition, a.unit, a.state, a.declared = f.Name, f.Partition, f.Unit, f.State, true
	for _, r := range f.OptIn {
		a.optIn[r] = true
	}
	for _, r := range f.Disabled {
		a.disabled[r] = true
	}
	if a.roles == nil && len(f.Roles) > 0 {
		a.roles = map[string]*role{}
	}
	for _, r := range f.Roles {
		a.roles[r.Name] = &role{
			name: r.Name, arn: fmt.Sprintf("arn:%s:iam::%s:role/%s", cmp.Or(f.Partition, "aws"), f.ID, r.Name),
			externalID: r.ExternalID, denied: r.Denied, allow: r.Allow, deny: r.Deny,
			maxSession: cmp.Or(time.Duration(r.MaxSession), 12*time.Hour),
		}
	}
}

// sortedTags gives an entry's tags in order of their keys, Name aside.
func sortedTags(r *Resource) []Tag {
	out := make([]Tag, 0, len(r.Tags)+1)
	for k, v := range r.Tags {
		out = append(out, Tag{k, v})
	}
	if r.ASG != "" {
		out = append(out, Tag{"aws:autoscaling:groupName", r.ASG})
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return slices.Clip(out)
}

// defaultAge is how old resources of a fleet are when it does not say.
const defaultAge = 30 * 24 * time.Hour

func (c *Cloud) launchedAt(w When, now int64) int64 {
	if w.IsZero() {
		return now - int64(defaultAge)
	}
	return min(now, w.instant(c.start).UnixNano())
}

// instanceOf makes the nth copy of an entry.
func (c *Cloud) instanceOf(s *scope, r *Resource, n int, tags []Tag, images map[string]*image, now int64) *instance {
	i := &instance{typ: instanceTypes[cmp.Or(r.Type, "t3.micro")], key: r.Key, tags: tags, startError: r.StartError, launched: c.launchedAt(r.Launched, now)}
	i.id = r.ID
	if i.id == "" {
		i.id = c.instanceID()
	}
	if r.Name != "" {
		// Copies share the other tags' strings, not the slice.
		i.tags = append([]Tag{{"Name", r.numbered(r.Name, n+1)}}, slices.DeleteFunc(slices.Clone(tags), func(t Tag) bool { return t.Key == "Name" })...)
	}
	img := r.Image
	if img == "" {
		img = imageX86
		if i.typ.arch == arm {
			img = imageARM
		}
	}
	i.image = images[img]
	if r.Guest != nil { // each copy its own
		guest := *r.Guest
		i.guest = &guest
	}
	i.zone = r.Zone
	if i.zone == "" {
		z := n
		if r.Subnet != "" {
			z = int(hash(c.seed, "zone", r.Subnet) % uint64(len(s.region.zones)))
		}
		i.zone = s.region.zoneNames()[z%len(s.region.zones)]
	}
	if ip, err := parseAddress(r.PrivateIP); err == nil {
		i.ip = ip
		i.is |= addressed
	}
	for _, t := range []struct {
		on bool
		is traits
	}{
		{r.Spot != "", spot},
		{r.Spot == "persistent", spotPersistent},
		{r.Root == "instance-store", instanceStoreRoot},
		{r.Root == "missing", rootMissing},
		{r.Hibernation, hibernates},
		{r.EBSOptimized, ebsOptimized},
		{r.DisableStop, apiStopDisabled},
		{r.TerminateOnShutdown, terminateOnShutdown},
		{r.DisableTermination, apiTerminationDisabled},
	} {
		if t.on {
			i.is |= t.is
		}
	}
	switch r.State {
	case "stopped":
		i.line = timeline{{at: always, state: stopped, reason: userStop}}
	case "terminated":
		i.line = timeline{{at: now, state: terminated, reason: userTerminate}}
	default:
		i.line = timeline{{at: always, state: running}}
		i.is |= placed
	}
	return i
}

func (c *Cloud) databaseOf(s *scope, r *Resource, n int, tags []Tag, now int64) *database {
	eng := engines[cmp.Or(r.Engine, "postgres")]
	d := &database{
		id: strings.ToLower(r.numbered(cmp.Or(r.ID, r.Name), n+1)), class: cmp.Or(r.Type, "db.t3.micro"), engine: eng, version: cmp.Or(r.Version, eng.version),
		zone: r.Zone, cluster: strings.ToLower(r.Cluster), vpc: r.VPC, source: strings.ToLower(r.ReplicaOf), window: r.Window, storage: 20, storType: "gp3", port: eng.port,
		user: "admin", license: eng.license, retention: 7, created: c.launchedAt(r.Launched, now), multiAZ: r.MultiAZ, protected: r.Protected,
		tags: tags, startErr: r.StartError,
	}
	c.complete(s, d)
	d.line = timeline{{at: always, state: dbAvailable}}
	if r.State == "stopped" {
		d.line = c.stoppedFrom(d, now-int64(r.StoppedFor))
	}
	return d
}

// Snapshot gives the present fleet, each resource by itself: what Load would
// make again. Transitions are shown as what they lead to.
func (c *Cloud) Snapshot() Fleet {
	var f Fleet
	now := c.Now().UnixNano()
	events := c.listens()
	c.mu.RLock()
	f.Organization = c.organization
	f.Events = events
	for _, a := range c.accounts {
		out := Account{ID: a.id, Name: a.name, Partition: a.partition, Unit: a.unit, State: a.state}
		if c.organization != nil && !a.declared { // listed by the fleet that is made, it would be a member
			out.Unit = outside
		}
		for r := range a.optIn {
			out.OptIn = append(out.OptIn, r)
		}
		for r := range a.disabled {
			out.Disabled = append(out.Disabled, r)
		}
		slices.Sort(out.OptIn)
		slices.Sort(out.Disabled)
		for _, r := range a.roles {
			out.Roles = append(out.Roles, Role{r.name, r.externalID, r.denied, r.allow, r.deny, Duration(r.maxSession)})
		}
		slices.SortFunc(out.Roles, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
		f.Accounts = append(f.Accounts, out)
	}
	known := wellKnownImages()
	for _, im := range c.images {
		if known[im.id] == nil {
			f.Images = append(f.Images, Image{im.id, im.name, im.arch})
		}
	}
	c.mu.RUnlock()
	slices.SortFunc(f.Accounts, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(f.Images, func(a, b Image) int { return strings.Compare(a.ID, b.ID) })
	for _, s := range c.allScopes() {
		s.mu.Lock()
		s.tend(now)
		for _, i := range s.instances {
			if !i.gone(now) && !s.isMember(i) {
				f.Resources = append(f.Resources, s.describe(i))
			}
		}
		for _, g := range s.groups {
			if !g.deleting && !s.ownsGroup(g) {
				f.Resources = append(f.Resources, s.describeGroup(g))
			}
		}
		for _, d := range s.dbs {
			if d.state(now) != dbGone {
				f.Resources = append(f.Resources, s.describeDB(d, now))
			}
		}
		for _, cl := range s.clusters {
			f.Resources = append(f.Resources, s.describeCluster(cl, now))
		}
		for _, v := range s.sortedServices(func(*ecsService) bool { return true }) {
			f.Resources = append(f.Resources, s.describeECS(v))
		}
		for _, node := range s.nodeGroups(now, func(n *nodeGroup) bool { return n.gone == 0 }) {
			f.Resources = append(f.Resources, s.describeEKS(node))
		}
		for _, h := range s.warehouses {
			f.Resources = append(f.Resources, s.describeWarehouse(h))
		}
		for _, nb := range s.sortedNotebooks() {
			f.Resources = append(f.Resources, s.describeNotebook(nb))
		}
		for _, w := range s.windows {
			f.Windows = append(f.Windows, w.Window)
		}
		f.Reservations = append(f.Reservations, s.describeReserved(now)...)
		f.Secrets = append(f.Secrets, s.describeSecrets()...)
		for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
			f.Alarms = append(f.Alarms, s.describeAlarm(s.alarms[name], now))
		}
		for _, g := range s.sortedTargetGroups() {
			g.tend(s, now)
			f.TargetGroups = append(f.TargetGroups, s.describeTargets(g))
		}
		for _, name := range slices.Sorted(maps.Keys(s.functions)) {
			f.Functions = append(f.Functions, s.functions[name].Function)
		}
		for _, name := range slices.Sorted(maps.Keys(s.pools)) {
			f.ResourceGroups = append(f.ResourceGroups, *s.pools[name])
		}
		for _, name := range slices.Sorted(maps.Keys(s.topics)) {
			f.Topics = append(f.Topics, Topic{s.account.id, s.region.name, name})
		}
		f.Backups = append(f.Backups, s.describeBackups(now)...)
		for _, b := range s.sortedClassics() {
			b.tend(s, now)
			f.ClassicBalancers = append(f.ClassicBalancers, s.describeClassic(b))
		}
		s.mu.Unlock()
	}
	f.Capacity = c.Capacity()
	for _, s := range c.Faults() {
		f.Faults = append(f.Faults, s.Fault)
	}
	return f
}

func (s *scope) describe(i *instance) Resource {
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "ec2", ID: i.id, Type: i.typ.name, Zone: i.zone, Image: i.image.id, Key: i.key, StartError: i.startError,
		Launched: When{At: instant(i.launched)}, State: stateNames[i.line[len(i.line)-1].state], Tags: map[string]string{},
		Hibernation: i.is&hibernates != 0, EBSOptimized: i.is&ebsOptimized != 0,
		DisableStop: i.is&apiStopDisabled != 0, TerminateOnShutdown: i.is&terminateOnShutdown != 0, DisableTermination: i.is&apiTerminationDisabled != 0,
	}
	if i.site.vpc != s.net.vpc {
		r.VPC = i.site.vpc
	}
	if *i.site != *s.place(i.zone, r.VPC, "") {
		r.Subnet = i.site.subnet
	}
	if i.is&addressed != 0 {
		r.PrivateIP = i.address()
	}
	if i.guest != nil {
		guest := *i.guest
		r.Guest = &guest
	}
	switch {
	case i.is&spotPersistent != 0:
		r.Spot = "persistent"
	case i.is&spot != 0:
		r.Spot = "one-time"
	}
	switch {
	case i.is&rootMissing != 0:
		r.Root = "missing"
	case i.is&instanceStoreRoot != 0:
		r.Root = "instance-store"
	}
	for _, t := range i.tags {
		switch t.Key {
		case "Name":
			r.Name = t.Value
		case "aws:autoscaling:groupName":
			r.ASG = t.Value
		default:
			r.Tags[t.Key] = t.Value
		}
	}
	return r
}

func (s *scope) describeDB(d *database, now int64) Resource {
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "rds", ID: d.id, Type: d.class, Zone: d.zone, Engine: d.engine.name, Version: d.version,
		MultiAZ: d.multiAZ, Cluster: d.cluster, ReplicaOf: d.source, VPC: d.vpc, Window: d.window, Protected: d.protected, StartError: d.startErr,
		Launched: When{At: instant(d.created)}, State: "available", Tags: map[string]string{},
	}
	switch d.state(now) {
	case dbStopped:
		r.State, r.StoppedFor = "stopped", Duration(now-d.line.when(now).at)
	case dbStopping:
		r.State = "stopped"
	}
	for _, t := range d.tags {
		r.Tags[t.Key] = t.Value
	}
	return r
}
