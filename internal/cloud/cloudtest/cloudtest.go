// Package cloudtest examines implementations of cloud.Cloud. Every
// implementation calls Exercise from its own tests and passes it whole; its own
// tests then cover only what is peculiar to it.
//
// It expects of the implementation's test a cloud that can be filled with
// resources and whose time can pass.
package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// Harness is what an implementation's test offers.
type Harness struct {
	// Scopes that the cloud of Open may use; at least two.
	Scopes []fleet.Scope
	// Open makes a cloud that holds exactly the seeds. Of a seed count Scope, Kind,
	// Name (which is unique, and the ID where the kind's identifiers are chosen),
	// State (Running or Stopped), Type, Tags, VPC, of machines Subnet and PrivateIP,
	// of databases and clusters MaintenanceWindow and of running scaled kinds Size, as
	// minimum-desired-maximum. The Type of a cluster is its engine.
	Open func(t *testing.T, seeds []fleet.Resource) World
	// OpenWindows makes a cloud that holds these maintenance windows and nothing
	// else; nil where the implementation is no cloud.WindowLister.
	OpenWindows func(t *testing.T, seeds []Window) World
	// Within runs the body of a test, for instance in a synctest bubble; nil
	// just calls it.
	Within func(t *testing.T, body func(t *testing.T))
	// Kinds are those that the cloud of Open can hold; nil: all that there are.
	Kinds []fleet.Kind
	// Except says of examinations, by their names, why the cloud of Open can not
	// stand for the provider there: they are skipped with that reason.
	Except map[string]string
}

// Window is a maintenance window to be made.
type Window struct {
	Scope    fleet.Scope
	Name     string
	Cron     string // cron(minutes hours day month weekday year)
	Zone     string // IANA; empty: UTC
	Hours    int
	Disabled bool
}

// World is a cloud under examination.
type World struct {
	Cloud cloud.Cloud
	// Windows is the same cloud where it lists windows.
	Windows cloud.WindowLister
	// Pass lets time pass, so that what is under way finishes.
	Pass func(time.Duration)
}

// everyKind are the kinds that are examined one after the other.
var everyKind = []fleet.Kind{fleet.EC2Instance, fleet.RDSInstance, fleet.RDSCluster, fleet.ECSService, fleet.AutoScalingGroup, fleet.EKSNodegroup, fleet.RedshiftCluster, fleet.SageMakerNotebook}

// settling is longer than any resource takes to start or stop.
const settling = time.Hour

// TagKey names the schedule in the seeds.
const TagKey = "Schedule"

// Exercise runs the examination.
func Exercise(t *testing.T, h Harness) {
	if len(h.Scopes) < 2 {
		t.Fatal("the harness needs two scopes")
	}
	if h.Kinds == nil {
		h.Kinds = everyKind
	}
	trials := []trial[exam]{
		{"kinds can be listed", (*exam).kinds},
		{"a listing is of its scope and kind", (*exam).listing},
		{"a listing says where things are", (*exam).places},
		{"a listing by tag leaves others out", (*exam).tagged},
		{"a listing by id leaves out what is gone", (*exam).byID},
		{"a large fleet is listed whole", (*exam).large},
		{"a start is seen to run, a stop to end", (*exam).startStop},
		{"a stop with a snapshot waits for it", (*exam).snapshot},
		{"health is told of what was started", (*exam).health},
		{"doing it twice is as doing it once", (*exam).twice},
		{"a bad member is named and nothing is done", (*exam).badMember},
		{"hibernation that is not set up is unsupported", (*exam).hibernate},
		{"the type of a stopped machine changes, of a running one not", (*exam).resize},
		{"a machine that reboots stays running, a database comes back", (*exam).reboot},
		{"a verb that the kind does not know is unsupported", (*exam).unknownVerb},
		{"room is given for one at least and what is wanted at most", (*exam).reserve},
		{"who gives up stops waiting", (*exam).givingUp},
		{"what is not configured is invalid", (*exam).strangers},
		{"tags are set and removed", (*exam).tags},
		{"a probe finds each ability and changes nothing", (*exam).probe},
		{"windows are listed by name", (*exam).windows},
		{"a window moves on to its next execution", (*exam).nextWindow},
		{"many windows are listed whole", (*exam).manyWindows},
	}
	for _, kind := range h.Kinds {
		if kind.Traits().Scaled {
			trials = append(trials, trial[exam]{"what is scaled comes back as it was: " + string(kind), func(e *exam) { e.scaled(kind) }})
		}
	}
	examine(t, h.Within, h.Except, func(t *testing.T) *exam { return &exam{T: t, Harness: h, ctx: t.Context()} }, trials)
}

// trial is one examination, by its name.
type trial[Exam any] struct {
	name string
	run  func(*Exam)
}

// examine makes every trial with an exam of its own, but those that except gives a reason for.
func examine[Exam any](t *testing.T, within func(*testing.T, func(*testing.T)), except map[string]string, open func(*testing.T) *Exam, trials []trial[Exam]) {
	t.Helper()
	if within == nil {
		within = func(t *testing.T, body func(*testing.T)) { body(t) }
	}
	for _, trial := range trials {
		t.Run(trial.name, func(t *testing.T) {
			if reason := except[trial.name]; reason != "" {
				t.Skip(reason)
			}
			within(t, func(t *testing.T) { trial.run(open(t)) })
		})
	}
}

// exam is one test with its cloud.
type exam struct {
	*testing.T
	Harness
	World
	ctx context.Context
}

// seed describes a resource of the first scope that carries the tag.
func (e *exam) seed(kind fleet.Kind, name string, state fleet.State) fleet.Resource {
	types := map[fleet.Kind]string{fleet.EC2Instance: "t3.micro", fleet.RDSInstance: "db.t3.micro", fleet.RDSCluster: "aurora-mysql", fleet.ECSService: "FARGATE", fleet.AutoScalingGroup: "t3.micro", fleet.EKSNodegroup: "ON_DEMAND", fleet.RedshiftCluster: "ra3.xlplus", fleet.SageMakerNotebook: "ml.t3.medium"}
	return fleet.Resource{
		Ref: fleet.Ref{Scope: e.Scopes[0], Kind: kind}, Name: name, State: state, Type: types[kind],
		Tags: map[string]string{TagKey: "office"},
	}
}

func (e *exam) open(seeds ...fleet.Resource) { e.World = e.Open(e.T, seeds) }

// list lists a kind of the first scope, by name.
func (e *exam) list(kind fleet.Kind, query cloud.Query) map[string]fleet.Resource {
	e.Helper()
	return e.listIn(e.Scopes[0], kind, query)
}

func (e *exam) listIn(scope fleet.Scope, kind fleet.Kind, query cloud.Query) map[string]fleet.Resource {
	e.Helper()
	list, err := e.Cloud.List(e.ctx, scope, kind, query)
	if err != nil {
		e.Fatalf("list %s in %s: %v", kind, scope, err)
	}
	byName := map[string]fleet.Resource{}
	for _, resource := range list {
		if _, twice := byName[resource.Name]; twice {
			e.Errorf("%s is listed twice", resource.Ref)
		}
		byName[resource.Name] = resource
	}
	return byName
}

// names lists the keys in order.
func names(list map[string]fleet.Resource) []string { return slices.Sorted(maps.Keys(list)) }

// do reserves and does until every target had its call, and gives the first error.
func (e *exam) do(kind fleet.Kind, verb fleet.Verb, targets ...cloud.Target) error {
	e.Helper()
	for len(targets) > 0 {
		n, err := e.Cloud.Reserve(e.ctx, e.Scopes[0], kind, verb, len(targets))
		if err != nil {
			e.Fatalf("reserve room for %s: %v", verb, err)
		}
		if err := e.Cloud.Do(e.ctx, e.Scopes[0], kind, verb, targets[:n]); err != nil {
			return err
		}
		targets = targets[n:]
	}
	return nil
}

func (e *exam) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *exam) wantError(what string, err error, class error) {
	e.Helper()
	if !errors.Is(err, class) {
		e.Errorf("%s: got %v, want %v", what, err, class)
	}
}

func target(resource fleet.Resource) cloud.Target {
	t := cloud.Target{Resource: resource}
	if resource.Kind == fleet.AutoScalingGroup || resource.Kind == fleet.EKSNodegroup { // which do not know by themselves what to bring back
		t.Size = "1-1-1"
	}
	return t
}

func (e *exam) kinds() {
	e.open()
	kinds := e.Cloud.Kinds()
	if !slices.Contains(kinds, fleet.EC2Instance) || !slices.Contains(kinds, fleet.RDSInstance) || !slices.Contains(kinds, fleet.RDSCluster) {
		e.Errorf("kinds %v: want EC2 and RDS instances and RDS clusters among them", kinds)
	}
	for _, kind := range kinds {
		if list := e.list(kind, cloud.Query{TagKey: TagKey}); len(list) != 0 {
			e.Errorf("an empty cloud lists %v", names(list))
		}
	}
}

func (e *exam) listing() {
	other := e.seed(fleet.EC2Instance, "elsewhere", fleet.Running)
	other.Scope = e.Scopes[1]
	e.open(e.seed(fleet.EC2Instance, "web", fleet.Running), e.seed(fleet.RDSInstance, "shop-db", fleet.Stopped), e.seed(fleet.RDSCluster, "orders", fleet.Running), other)
	web := e.list(fleet.EC2Instance, cloud.Query{})
	if diff := cmp.Diff([]string{"web"}, names(web)); diff != "" {
		e.Fatal(diff)
	}
	got := web["web"]
	if got.Scope != e.Scopes[0] || got.Kind != fleet.EC2Instance || got.ID == "" || got.ARN == "" || got.Native == "" || got.Zone == "" || got.SeenAt.IsZero() {
		e.Errorf("incomplete: %+v", got)
	}
	if got.State != fleet.Running || got.Type != "t3.micro" || got.Tags[TagKey] != "office" || got.Bar != fleet.NoBar {
		e.Errorf("state %s, type %s, tags %v, bar %q", got.State, got.Type, got.Tags, got.Bar)
	}
	database := e.list(fleet.RDSInstance, cloud.Query{})["shop-db"]
	if database.State != fleet.Stopped || database.ID != "shop-db" || database.Type != "db.t3.micro" || database.Tags[TagKey] != "office" {
		e.Errorf("database: %+v", database)
	}
	cluster := e.list(fleet.RDSCluster, cloud.Query{})["orders"]
	if cluster.State != fleet.Running || cluster.ID != "orders" || cluster.Type != "aurora-mysql" || cluster.Tags[TagKey] != "office" || cluster.Members == 0 || cluster.Bar != fleet.NoBar {
		e.Errorf("cluster: %+v", cluster)
	}
	if diff := cmp.Diff([]string{"elsewhere"}, names(e.listIn(e.Scopes[1], fleet.EC2Instance, cloud.Query{}))); diff != "" {
		e.Error(diff)
	}
}

func (e *exam) places() {
	web, database := e.seed(fleet.EC2Instance, "web", fleet.Running), e.seed(fleet.RDSInstance, "shop-db", fleet.Running)
	web.VPC, web.Subnet, web.PrivateIP = "vpc-4085e027", "subnet-0123456789abcdef0", "172.31.4.20"
	database.VPC, database.MaintenanceWindow = "vpc-4085e027", "sat:23:45-sun:00:15"
	e.open(web, e.seed(fleet.EC2Instance, "other", fleet.Stopped), database, e.seed(fleet.RDSInstance, "other-db", fleet.Running))
	where := func(r fleet.Resource) [4]string { return [4]string{r.VPC, r.Subnet, r.PrivateIP, r.MaintenanceWindow} }
	machines, databases := e.list(fleet.EC2Instance, cloud.Query{}), e.list(fleet.RDSInstance, cloud.Query{})
	if got, want := where(machines["web"]), where(web); got != want {
		e.Errorf("the machine is at %v, want %v", got, want)
	}
	if got, want := where(databases["shop-db"]), where(database); got != want {
		e.Errorf("the database is at %v, want %v", got, want)
	}
	if host, port, err := net.SplitHostPort(databases["shop-db"].Endpoint); err != nil || host == "" || port == "" {
		e.Errorf("the database is reached at %q: %v", databases["shop-db"].Endpoint, err)
	}
	other := machines["other"]
	if other.VPC == "" || other.VPC == web.VPC || other.Subnet == "" || other.Subnet == web.Subnet || other.PrivateIP == "" {
		e.Errorf("a machine of which nothing was said is at %v", where(other))
	}
	if other := databases["other-db"]; other.VPC == "" || other.MaintenanceWindow == "" {
		e.Errorf("a database of which nothing was said is at %v", where(other))
	}
}

func (e *exam) tagged() {
	for _, kind := range e.Kinds {
		plain := e.seed(kind, "plain", fleet.Running)
		plain.Tags = map[string]string{"schedule": "case counts", "Team": "a"}
		star, pattern := e.seed(kind, "star", fleet.Running), "Sched*"
		if kind == fleet.ECSService || kind == fleet.EKSNodegroup || kind == fleet.SageMakerNotebook { // take no star in a tag
			pattern = "Sched.+"
		}
		star.Tags = map[string]string{pattern: "no pattern"}
		e.open(e.seed(kind, "ours", fleet.Running), plain, star)
		if diff := cmp.Diff([]string{"ours"}, names(e.list(kind, cloud.Query{TagKey: TagKey}))); diff != "" {
			e.Error(kind, diff)
		}
		if diff := cmp.Diff([]string{"star"}, names(e.list(kind, cloud.Query{TagKey: pattern}))); diff != "" {
			e.Error(kind, "a key is not a pattern", diff)
		}
		if diff := cmp.Diff([]string{"ours", "plain", "star"}, names(e.list(kind, cloud.Query{}))); diff != "" {
			e.Error(kind, diff)
		}
	}
}

func (e *exam) byID() {
	gone := map[fleet.Kind]string{fleet.EC2Instance: "i-0fffffffffffffff0", fleet.RDSInstance: "long-gone", fleet.RDSCluster: "long-gone", fleet.ECSService: "long/gone", fleet.AutoScalingGroup: "long-gone", fleet.EKSNodegroup: "long/gone", fleet.RedshiftCluster: "long-gone", fleet.SageMakerNotebook: "long-gone"}
	for _, kind := range e.Kinds {
		var seeds []fleet.Resource
		for i := range 250 {
			seeds = append(seeds, e.seed(kind, fmt.Sprintf("m%03d", i), fleet.Running))
		}
		e.open(seeds...)
		all := e.list(kind, cloud.Query{})
		ids := []string{gone[kind]}
		for name, resource := range all {
			if name != "m007" {
				ids = append(ids, resource.ID)
			}
		}
		got := e.list(kind, cloud.Query{IDs: ids})
		if _, listed := got["m007"]; len(got) != 249 || listed {
			e.Errorf("%s: %d of 249 that were asked for", kind, len(got))
		}
		if got := e.list(kind, cloud.Query{IDs: []string{gone[kind]}}); len(got) != 0 {
			e.Errorf("%s: asked for one that is gone, got %v", kind, names(got))
		}
		if got := e.list(kind, cloud.Query{IDs: []string{}}); len(got) != 0 {
			e.Errorf("%s: asked for none, got %d", kind, len(got))
		}
	}
}

// Sizes of a fleet that needs several of AWS's pages.
const (
	manyMachines  = 2300
	manyDatabases = 230
	manyClusters  = 120
)

func (e *exam) large() {
	var seeds []fleet.Resource
	for i := range manyMachines {
		seeds = append(seeds, e.seed(fleet.EC2Instance, fmt.Sprintf("web%04d", i), fleet.Stopped))
	}
	for i := range manyDatabases {
		seeds = append(seeds, e.seed(fleet.RDSInstance, fmt.Sprintf("db%04d", i), fleet.Stopped))
	}
	for i := range manyClusters {
		seeds = append(seeds, e.seed(fleet.RDSCluster, fmt.Sprintf("cluster%04d", i), fleet.Stopped))
	}
	e.open(seeds...)
	if got := len(e.list(fleet.RDSCluster, cloud.Query{TagKey: TagKey})); got != manyClusters {
		e.Errorf("%d clusters, want %d", got, manyClusters)
	}
	if got := len(e.list(fleet.EC2Instance, cloud.Query{TagKey: TagKey})); got != manyMachines {
		e.Errorf("%d machines, want %d", got, manyMachines)
	}
	if got := len(e.list(fleet.RDSInstance, cloud.Query{TagKey: TagKey})); got != manyDatabases {
		e.Errorf("%d databases, want %d", got, manyDatabases)
	}
}

func (e *exam) startStop() {
	for _, kind := range e.Kinds {
		e.open(e.seed(kind, "a", fleet.Stopped), e.seed(kind, "b", fleet.Stopped), e.seed(kind, "bystander", fleet.Stopped))
		list := e.list(kind, cloud.Query{})
		e.must(e.do(kind, fleet.Start, target(list["a"]), target(list["b"])))
		if got := e.list(kind, cloud.Query{})["a"].State; got != fleet.Starting && got != fleet.Running {
			e.Errorf("%s: %s right after the start", kind, got)
		}
		e.Pass(settling)
		list = e.list(kind, cloud.Query{})
		e.wantStates(list, fleet.Running, "a", "b")
		e.wantStates(list, fleet.Stopped, "bystander")
		e.must(e.do(kind, fleet.Stop, target(list["a"])))
		e.Pass(settling)
		list = e.list(kind, cloud.Query{})
		e.wantStates(list, fleet.Stopped, "a", "bystander")
		e.wantStates(list, fleet.Running, "b")
	}
}

// health tells of what was just started that it is being checked, and later that
// it is fit; what does not run and what does not exist is left out or is a refusal.
func (e *exam) health() {
	e.open(e.seed(fleet.EC2Instance, "web", fleet.Stopped), e.seed(fleet.EC2Instance, "old", fleet.Running), e.seed(fleet.RDSInstance, "orders", fleet.Running))
	lister, tells := e.Cloud.(cloud.HealthLister)
	if !tells {
		e.Skip("tells no health")
	}
	list := e.list(fleet.EC2Instance, cloud.Query{})
	e.must(e.do(fleet.EC2Instance, fleet.Start, target(list["web"])))
	e.Pass(time.Minute)
	ids := []string{list["web"].ID, list["old"].ID}
	want := func(when string, web fleet.Health) {
		e.Helper()
		told, err := lister.Health(e.ctx, e.Scopes[0], fleet.EC2Instance, ids)
		e.must(err)
		if told[ids[0]].State != web || told[ids[1]].State != fleet.Healthy || (told[ids[0]].Reason == "") != (web == fleet.Healthy) {
			e.Errorf("%s: %+v", when, told)
		}
	}
	want("a minute after its start", fleet.Checking)
	e.Pass(settling)
	want("once it has settled", fleet.Healthy)
	_, err := lister.Health(e.ctx, e.Scopes[0], fleet.RDSInstance, []string{"orders"})
	e.wantError("the health of a database", err, cloud.ErrUnsupported)
}

// snapshot stops databases with a snapshot: each try asks for the same one, and
// goes through once it is there; what came before it is let go of only then.
func (e *exam) snapshot() {
	for _, kind := range []fleet.Kind{fleet.RDSInstance, fleet.RDSCluster} {
		e.open(e.seed(kind, "orders", fleet.Running), e.seed(kind, "bystander", fleet.Running))
		keeper, keeps := e.Cloud.(cloud.SnapshotKeeper)
		if !keeps {
			e.Skip("keeps no snapshots")
		}
		for night := 1; night <= 2; night++ {
			name := fmt.Sprintf("test-stopped-orders-2027030%d180000", night)
			orders := e.list(kind, cloud.Query{})["orders"]
			if err := keeper.Replace(e.ctx, e.Scopes[0], kind, orders, name); !errors.Is(err, cloud.ErrNotYet) {
				e.Errorf("%s: older ones go before there is a new one: %v", kind, err)
			}
			err := cloud.ErrNotYet
			for tries := 0; errors.Is(err, cloud.ErrNotYet) && tries < 120; tries++ {
				orders = e.list(kind, cloud.Query{})["orders"]
				if orders.State == fleet.Running {
					err = e.do(kind, fleet.Stop, cloud.Target{Resource: orders, Snapshot: name})
				}
				e.Pass(30 * time.Second)
			}
			e.must(err)
			e.Pass(settling)
			list := e.list(kind, cloud.Query{})
			e.wantStates(list, fleet.Stopped, "orders")
			e.wantStates(list, fleet.Running, "bystander")
			e.must(keeper.Replace(e.ctx, e.Scopes[0], kind, list["orders"], name))
			e.must(keeper.Replace(e.ctx, e.Scopes[0], kind, list["orders"], name))
			e.wantError("let go of nobody's", keeper.Replace(e.ctx, e.Scopes[0], kind, list["orders"], "by-hand"), cloud.ErrInvalid)
			e.must(e.do(kind, fleet.Start, target(list["orders"])))
			e.Pass(settling)
		}
	}
}

func (e *exam) wantStates(list map[string]fleet.Resource, want fleet.State, names ...string) {
	e.Helper()
	for _, name := range names {
		if got := list[name].State; got != want {
			e.Errorf("%s is %s (%s), want %s", name, got, list[name].Native, want)
		}
	}
}

func (e *exam) twice() {
	e.open(e.seed(fleet.EC2Instance, "up", fleet.Running), e.seed(fleet.EC2Instance, "down", fleet.Stopped))
	list := e.list(fleet.EC2Instance, cloud.Query{})
	e.must(e.do(fleet.EC2Instance, fleet.Start, target(list["up"])))
	e.must(e.do(fleet.EC2Instance, fleet.Stop, target(list["down"])))
	e.Pass(settling)
	list = e.list(fleet.EC2Instance, cloud.Query{})
	e.wantStates(list, fleet.Running, "up")
	e.wantStates(list, fleet.Stopped, "down")
}

func (e *exam) badMember() {
	e.open(e.seed(fleet.EC2Instance, "a", fleet.Stopped), e.seed(fleet.EC2Instance, "b", fleet.Stopped))
	list := e.list(fleet.EC2Instance, cloud.Query{})
	gone := list["a"]
	gone.ID = "i-0fffffffffffffff0"
	err := e.do(fleet.EC2Instance, fleet.Start, target(list["a"]), target(gone), target(list["b"]))
	e.wantError("start with one that is gone", err, cloud.ErrNotFound)
	var member *cloud.MemberError
	if !errors.As(err, &member) || !slices.Equal(member.IDs, []string{gone.ID}) {
		e.Errorf("%v does not name %s alone", err, gone.ID)
	}
	e.wantStates(e.list(fleet.EC2Instance, cloud.Query{}), fleet.Stopped, "a", "b")

	e.open(e.seed(fleet.RDSInstance, "up", fleet.Running))
	up := e.list(fleet.RDSInstance, cloud.Query{})["up"]
	err = e.do(fleet.RDSInstance, fleet.Start, target(up))
	e.wantError("start of a database that runs", err, cloud.ErrWrongState)
	if !errors.As(err, &member) || !slices.Equal(member.IDs, []string{"up"}) {
		e.Errorf("%v does not name the database", err)
	}
	up.ID, up.ARN = "long-gone", ""
	e.wantError("stop of a database that is gone", e.do(fleet.RDSInstance, fleet.Stop, target(up)), cloud.ErrNotFound)

	e.open(e.seed(fleet.RDSCluster, "up", fleet.Running), e.seed(fleet.RDSCluster, "down", fleet.Stopped))
	clusters := e.list(fleet.RDSCluster, cloud.Query{})
	e.wantError("start of a cluster that runs", e.do(fleet.RDSCluster, fleet.Start, target(clusters["up"])), cloud.ErrWrongState)
	e.wantError("stop of a cluster that is stopped", e.do(fleet.RDSCluster, fleet.Stop, target(clusters["down"])), cloud.ErrWrongState)
	gone = clusters["up"]
	gone.ID, gone.ARN = "long-gone", ""
	e.wantError("stop of a cluster that is gone", e.do(fleet.RDSCluster, fleet.Stop, target(gone)), cloud.ErrNotFound)
}

func (e *exam) hibernate() {
	e.open(e.seed(fleet.EC2Instance, "plain", fleet.Running))
	plain := e.list(fleet.EC2Instance, cloud.Query{})["plain"]
	e.wantError("hibernate", e.do(fleet.EC2Instance, fleet.Hibernate, target(plain)), cloud.ErrUnsupported)
	e.wantStates(e.list(fleet.EC2Instance, cloud.Query{}), fleet.Running, "plain")
}

func (e *exam) resize() {
	e.open(e.seed(fleet.EC2Instance, "down", fleet.Stopped), e.seed(fleet.EC2Instance, "up", fleet.Running))
	list := e.list(fleet.EC2Instance, cloud.Query{})
	down, up := target(list["down"]), target(list["up"])
	down.Type, up.Type = "t3.small", "t3.small"
	e.must(e.do(fleet.EC2Instance, fleet.Resize, down))
	e.wantError("resize of a running machine", e.do(fleet.EC2Instance, fleet.Resize, up), cloud.ErrWrongState)
	down.Type = ""
	e.wantError("resize to nothing", e.do(fleet.EC2Instance, fleet.Resize, down), cloud.ErrInvalid)
	list = e.list(fleet.EC2Instance, cloud.Query{})
	if list["down"].Type != "t3.small" || list["up"].Type != "t3.micro" {
		e.Errorf("types %s and %s, want t3.small and t3.micro", list["down"].Type, list["up"].Type)
	}
}

func (e *exam) reboot() {
	e.open(e.seed(fleet.EC2Instance, "up", fleet.Running), e.seed(fleet.EC2Instance, "too", fleet.Running), e.seed(fleet.EC2Instance, "down", fleet.Stopped),
		e.seed(fleet.RDSInstance, "up-db", fleet.Running), e.seed(fleet.RDSInstance, "down-db", fleet.Stopped))
	before := e.list(fleet.EC2Instance, cloud.Query{})
	e.must(e.do(fleet.EC2Instance, fleet.Reboot, target(before["up"]), target(before["too"])))
	after := e.list(fleet.EC2Instance, cloud.Query{})
	e.wantStates(after, fleet.Running, "up", "too")
	if was, is := before["up"].LaunchedAt, after["up"].LaunchedAt; !is.Equal(was) {
		e.Errorf("launched at %v, before the reboot at %v", is, was)
	}
	err := e.do(fleet.EC2Instance, fleet.Reboot, target(before["up"]), target(before["down"]))
	e.wantError("reboot with a stopped machine", err, cloud.ErrWrongState)
	var member *cloud.MemberError
	if !errors.As(err, &member) || !slices.Equal(member.IDs, []string{before["down"].ID}) {
		e.Errorf("%v does not name the stopped machine alone", err)
	}
	e.wantStates(e.list(fleet.EC2Instance, cloud.Query{}), fleet.Stopped, "down")

	databases := e.list(fleet.RDSInstance, cloud.Query{})
	e.must(e.do(fleet.RDSInstance, fleet.Reboot, target(databases["up-db"])))
	if got := e.list(fleet.RDSInstance, cloud.Query{})["up-db"].State; got == fleet.Stopped {
		e.Errorf("a database is %s right after its reboot", got)
	}
	e.wantError("reboot of a stopped database", e.do(fleet.RDSInstance, fleet.Reboot, target(databases["down-db"])), cloud.ErrWrongState)
	e.Pass(settling)
	databases = e.list(fleet.RDSInstance, cloud.Query{})
	e.wantStates(databases, fleet.Running, "up-db")
	e.wantStates(databases, fleet.Stopped, "down-db")
	gone := databases["up-db"]
	gone.ID, gone.ARN = "long-gone", ""
	e.open(e.seed(fleet.RDSCluster, "orders", fleet.Running))
	cluster := e.list(fleet.RDSCluster, cloud.Query{})["orders"]
	e.wantError("reboot of a cluster that has to be rebooted singly", e.do(fleet.RDSCluster, fleet.Reboot, target(cluster)), cloud.ErrUnsupported)
	e.wantError("reboot of a database that is gone", e.do(fleet.RDSInstance, fleet.Reboot, target(gone)), cloud.ErrNotFound)
}

// scaled: seven come back as seven, also when the calls come twice and with news
// that are old, and as their owner wishes where a tag says so.
func (e *exam) scaled(kind fleet.Kind) {
	seven, wish := e.seed(kind, "seven", fleet.Running), e.seed(kind, "wish", fleet.Running)
	seven.Size, wish.Size = "2-7-9", "2-7-9"
	wish.Tags[fleet.TagSize] = "1-3-5"
	e.open(seven, wish)
	before := e.list(kind, cloud.Query{})
	if before["seven"].Size != "2-7-9" {
		e.Errorf("%s: has size %q, want 2-7-9", kind, before["seven"].Size)
	}
	for range 2 {
		e.must(e.do(kind, fleet.Stop, target(before["seven"])))
	}
	e.must(e.do(kind, fleet.Stop, target(before["wish"])))
	e.Pass(settling)
	for range 2 { // of what is stopped by now
		e.must(e.do(kind, fleet.Stop, target(before["seven"])))
	}
	stopped := e.list(kind, cloud.Query{TagKey: TagKey})
	e.wantStates(stopped, fleet.Stopped, "seven", "wish")
	saved := stopped["seven"].Tags[fleet.TagSaved]
	if stopped["seven"].Size != "" || !strings.HasPrefix(saved, "2-7-9") {
		e.Errorf("%s: stopped with size %q, saved %q", kind, stopped["seven"].Size, saved)
	}
	bad := cloud.Target{Resource: stopped["seven"], Size: "many"}
	err := e.do(kind, fleet.Start, bad)
	e.wantError("start with a size that is none", err, cloud.ErrInvalid)
	var member *cloud.MemberError
	if !errors.As(err, &member) || !slices.Equal(member.IDs, []string{bad.ID}) {
		e.Errorf("%s: %v does not name it", kind, err)
	}
	for range 2 {
		e.must(e.do(kind, fleet.Start, cloud.Target{Resource: stopped["seven"], Size: saved}))
	}
	e.must(e.do(kind, fleet.Start, cloud.Target{Resource: stopped["wish"], Size: "1-3-5"}))
	e.Pass(settling)
	after := e.list(kind, cloud.Query{})
	e.wantStates(after, fleet.Running, "seven", "wish")
	if after["seven"].Size != "2-7-9" || after["seven"].Held || after["wish"].Size != "1-3-5" {
		e.Errorf("%s: came back as %q (held: %v) and %q, want 2-7-9 and 1-3-5", kind, after["seven"].Size, after["seven"].Held, after["wish"].Size)
	}
	gone := after["seven"]
	gone.ID, gone.ARN = "long/gone", ""
	e.wantError("stop of what is gone", e.do(kind, fleet.Stop, target(gone)), cloud.ErrNotFound)
	e.wantError("start of what is gone", e.do(kind, fleet.Start, cloud.Target{Resource: gone, Size: "1-1-1"}), cloud.ErrNotFound)
}

func (e *exam) unknownVerb() {
	e.open(e.seed(fleet.RDSInstance, "shop-db", fleet.Running))
	database := e.list(fleet.RDSInstance, cloud.Query{})["shop-db"]
	for _, verb := range []fleet.Verb{fleet.Hibernate, fleet.Resize, "explode"} {
		_, err := e.Cloud.Reserve(e.ctx, e.Scopes[0], fleet.RDSInstance, verb, 1)
		e.wantError("reserve "+string(verb), err, cloud.ErrUnsupported)
		err = e.Cloud.Do(e.ctx, e.Scopes[0], fleet.RDSInstance, verb, []cloud.Target{target(database)})
		e.wantError(string(verb), err, cloud.ErrUnsupported)
	}
}

func (e *exam) reserve() {
	e.open()
	for _, kind := range e.Kinds {
		for _, want := range []int{1, 2, 700} {
			n, err := e.Cloud.Reserve(e.ctx, e.Scopes[0], kind, fleet.Stop, want)
			e.must(err)
			if n < 1 || n > want {
				e.Errorf("%s: room for %d of %d", kind, n, want)
			}
		}
		_, err := e.Cloud.Reserve(e.ctx, e.Scopes[0], kind, fleet.Stop, 0)
		e.wantError("reserve for none", err, cloud.ErrInvalid)
	}
}

func (e *exam) givingUp() {
	e.open(e.seed(fleet.EC2Instance, "a", fleet.Stopped))
	a := e.list(fleet.EC2Instance, cloud.Query{})["a"]
	reason := errors.New("the program ends")
	ctx, cancel := context.WithCancelCause(e.ctx)
	cancel(reason)
	_, err := e.Cloud.Reserve(ctx, e.Scopes[0], fleet.EC2Instance, fleet.Start, 1)
	e.wantError("reserve", err, reason)
	_, err = e.Cloud.List(ctx, e.Scopes[0], fleet.EC2Instance, cloud.Query{})
	e.wantError("list", err, reason)
	e.wantError("do", e.Cloud.Do(ctx, e.Scopes[0], fleet.EC2Instance, fleet.Start, []cloud.Target{target(a)}), reason)
	e.wantStates(e.list(fleet.EC2Instance, cloud.Query{}), fleet.Stopped, "a")
}

func (e *exam) strangers() {
	e.open(e.seed(fleet.EC2Instance, "a", fleet.Stopped), e.seed(fleet.EC2Instance, "b", fleet.Stopped))
	a := e.list(fleet.EC2Instance, cloud.Query{})["a"]
	stranger := fleet.Scope{Account: "999999999999", Region: e.Scopes[0].Region}
	_, err := e.Cloud.List(e.ctx, stranger, fleet.EC2Instance, cloud.Query{})
	e.wantError("list of a strange account", err, cloud.ErrInvalid)
	_, err = e.Cloud.List(e.ctx, e.Scopes[0], "teapot", cloud.Query{})
	e.wantError("list of a strange kind", err, cloud.ErrInvalid)
	_, err = e.Cloud.Reserve(e.ctx, stranger, fleet.EC2Instance, fleet.Start, 1)
	e.wantError("reserve in a strange account", err, cloud.ErrInvalid)
	for what, targets := range map[string][]cloud.Target{
		"none":                  nil,
		"one of another scope":  {{Resource: fleet.Resource{Ref: fleet.Ref{Scope: e.Scopes[1], Kind: fleet.EC2Instance, ID: a.ID}}}},
		"one of another kind":   {{Resource: fleet.Resource{Ref: fleet.Ref{Scope: e.Scopes[0], Kind: fleet.RDSInstance, ID: a.ID}}}},
		"more than ever fit in": slices.Repeat([]cloud.Target{target(a)}, 5000),
	} {
		e.wantError("start of "+what, e.Cloud.Do(e.ctx, e.Scopes[0], fleet.EC2Instance, fleet.Start, targets), cloud.ErrInvalid)
	}
	if findings := e.Cloud.Probe(e.ctx, stranger); len(findings) == 0 || findings[0].OK {
		e.Errorf("probe of a strange account: %+v", findings)
	}
}

func (e *exam) tags() {
	for _, kind := range e.Kinds {
		e.open(e.seed(kind, "a", fleet.Running), e.seed(kind, "b", fleet.Running), e.seed(kind, "c", fleet.Running))
		list := e.list(kind, cloud.Query{})
		both := []fleet.Resource{list["a"], list["b"]}
		e.must(e.Cloud.Tag(e.ctx, e.Scopes[0], kind, both, map[string]string{fleet.TagError: "no capacity", fleet.TagLastAction: "started 09:00"}))
		e.must(e.Cloud.Tag(e.ctx, e.Scopes[0], kind, both[:1], map[string]string{fleet.TagError: "", fleet.TagLastAction: "stopped 18:00"}))
		list = e.list(kind, cloud.Query{})
		for name, want := range map[string]map[string]string{
			"a": {fleet.TagLastAction: "stopped 18:00"},
			"b": {fleet.TagLastAction: "started 09:00", fleet.TagError: "no capacity"},
			"c": {},
		} {
			got := maps.Clone(list[name].Tags)
			maps.DeleteFunc(got, func(key, _ string) bool { return key != fleet.TagError && key != fleet.TagLastAction })
			if diff := cmp.Diff(want, got); diff != "" {
				e.Errorf("%s %s: %s", kind, name, diff)
			}
			if list[name].Tags[TagKey] != "office" {
				e.Errorf("%s %s lost its schedule", kind, name)
			}
		}
		e.must(e.Cloud.Tag(e.ctx, e.Scopes[0], kind, nil, map[string]string{fleet.TagError: "nobody"}))
		err := e.Cloud.Tag(e.ctx, e.Scopes[0], kind, both, map[string]string{TagKey: "mine"})
		e.wantError("a tag that is not ours", err, cloud.ErrInvalid)
	}
}

func (e *exam) probe() {
	e.open(e.seed(fleet.EC2Instance, "a", fleet.Running), e.seed(fleet.RDSInstance, "shop-db", fleet.Running))
	findings := e.Cloud.Probe(e.ctx, e.Scopes[0])
	seen := map[string]bool{}
	for _, finding := range findings {
		ability := finding.Ability.String()
		if seen[ability] {
			e.Errorf("%q is reported twice", ability)
		}
		seen[ability] = true
		if !finding.OK || finding.Missing != "" || finding.Detail.Empty() {
			e.Errorf("%+v: everything works here", finding)
		}
	}
	for _, ability := range []string{
		"list EC2 instances", "start EC2 instances", "stop EC2 instances", "tag EC2 instances",
		"list RDS instances", "start RDS instances", "stop RDS instances", "tag RDS instances",
		"list RDS clusters", "start RDS clusters", "stop RDS clusters", "tag RDS clusters",
		"list Auto Scaling groups", "start Auto Scaling groups", "stop Auto Scaling groups", "tag Auto Scaling groups",
		"list EKS node groups", "start EKS node groups", "stop EKS node groups", "tag EKS node groups",
		"list ECS services", "start ECS services", "stop ECS services", "tag ECS services",
		"list SageMaker notebooks", "start SageMaker notebooks", "stop SageMaker notebooks", "tag SageMaker notebooks",
		"list Redshift clusters", "start Redshift clusters", "stop Redshift clusters", "tag Redshift clusters",
	} {
		if !seen[ability] {
			e.Errorf("nothing about %q in %+v", ability, findings)
		}
	}
	e.Pass(settling)
	e.wantStates(e.list(fleet.EC2Instance, cloud.Query{}), fleet.Running, "a")
	e.wantStates(e.list(fleet.RDSInstance, cloud.Query{}), fleet.Running, "shop-db")
}

// openWindows makes the windows, or skips what an implementation does not offer.
func (e *exam) openWindows(seeds ...Window) {
	if e.OpenWindows == nil {
		e.Skip("lists no windows")
	}
	for i := range seeds {
		if seeds[i].Scope == (fleet.Scope{}) {
			seeds[i].Scope = e.Scopes[0]
		}
	}
	e.World = e.OpenWindows(e.T, seeds)
}

func (e *exam) windowsOf(names ...string) []cloud.Window {
	e.Helper()
	list, err := e.Windows.Windows(e.ctx, e.Scopes[0], names)
	if err != nil {
		e.Fatalf("windows %v: %v", names, err)
	}
	return list
}

func (e *exam) windows() {
	e.openWindows(
		Window{Name: "patch", Cron: "cron(0 2 ? * SUN *)", Hours: 4},
		Window{Name: "night", Cron: "cron(30 1 * * ? *)", Zone: "Asia/Seoul", Hours: 1},
		Window{Name: "patch", Cron: "cron(0 3 ? * SAT *)", Hours: 2},
		Window{Name: "paused", Cron: "cron(0 3 ? * SAT *)", Hours: 24, Disabled: true},
		Window{Name: "elsewhere", Cron: "cron(0 3 ? * SAT *)", Hours: 2, Scope: e.Scopes[1]},
	)
	line := func(w cloud.Window) string {
		next := "never"
		if !w.Next.IsZero() {
			next = w.Next.UTC().Format("15:04")
		}
		return fmt.Sprintf("%s %v %s %s", w.Name, w.Enabled, next, w.Duration)
	}
	for _, test := range []struct{ names, want []string }{
		{[]string{"night"}, []string{"night true 16:30 1h0m0s"}},
		{[]string{"paused"}, []string{"paused false never 24h0m0s"}},
		{[]string{"patch", "night", "patch"}, []string{"night true 16:30 1h0m0s", "patch true 02:00 4h0m0s", "patch true 03:00 2h0m0s"}},
		{[]string{"elsewhere", "unknown"}, nil},
		{[]string{"Patch"}, nil},
		{[]string{"pat*"}, nil},
		{nil, nil},
	} {
		list := e.windowsOf(test.names...)
		var got []string
		for _, window := range list {
			got = append(got, line(window))
		}
		if !slices.IsSortedFunc(list, func(a, b cloud.Window) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) }) {
			e.Errorf("%v: not in order: %v", test.names, got)
		}
		slices.Sort(got) // which of two ids comes first is the provider's
		if diff := cmp.Diff(test.want, got); diff != "" {
			e.Errorf("%v: %s", test.names, diff)
		}
	}
	if both := e.windowsOf("patch"); len(both) != 2 || both[0].ID == both[1].ID || both[0].ID == "" {
		e.Errorf("two windows of one name: %+v", both)
	}
	stranger := fleet.Scope{Account: "999999999999", Region: e.Scopes[0].Region}
	_, err := e.Windows.Windows(e.ctx, stranger, []string{"patch"})
	e.wantError("windows of a strange account", err, cloud.ErrInvalid)
	reason := errors.New("the program ends")
	ctx, cancel := context.WithCancelCause(e.ctx)
	cancel(reason)
	_, err = e.Windows.Windows(ctx, e.Scopes[0], []string{"patch"})
	e.wantError("windows for one who gave up", err, reason)
}

func (e *exam) nextWindow() {
	e.openWindows(Window{Name: "weekly", Cron: "cron(0 2 ? * SUN *)", Zone: "Asia/Shanghai", Hours: 3})
	const week = 7 * 24 * time.Hour
	before := e.windowsOf("weekly")
	e.Pass(week)
	after := e.windowsOf("weekly")
	if len(before) != 1 || len(after) != 1 || after[0].Next.Sub(before[0].Next) != week || after[0].ID != before[0].ID {
		e.Errorf("a week after %+v it is %+v", before, after)
	}
}

// manyWindowCount needs several pages.
const manyWindowCount = 230

func (e *exam) manyWindows() {
	var seeds []Window
	var names []string
	for i := range manyWindowCount {
		names = append(names, fmt.Sprintf("window-%03d", i))
		seeds = append(seeds, Window{Name: names[i], Cron: "cron(0 2 * * ? *)", Hours: 1})
	}
	e.openWindows(seeds...)
	if got := len(e.windowsOf(names...)); got != manyWindowCount {
		e.Errorf("%d windows, want %d", got, manyWindowCount)
	}
	if got := e.windowsOf("window-229"); len(got) != 1 || got[0].Name != "window-229" {
		e.Errorf("the last: %+v", got)
	}
}
