package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ClassicBalancer is a Classic load balancer, or Count alike.
type ClassicBalancer struct {
	Account string   `yaml:"account"`
	Region  string   `yaml:"region"`
	Name    string   `yaml:"name"`
	Count   int      `yaml:"count,omitempty"`
	VPC     string   `yaml:"vpc,omitempty"`     // default the scope's own
	Targets []string `yaml:"targets,omitempty"` // instances by id, name or pattern of either
	// Draining is the time-out of its connection draining; default 300s, 0s: none.
	Draining *Duration `yaml:"draining,omitempty"`
	// The others are as of target groups.
	Interval   Duration `yaml:"health_check_interval,omitempty"`
	ReadyAfter Duration `yaml:"ready_after,omitempty"`
	Sick       []string `yaml:"sick,omitempty"`
}

// classic is a Classic load balancer at work.
type classic struct {
	rota
	name, vpc string
}

// classicService is version 1 of the API of Elastic Load Balancing. It is signed
// for as version 2 is; here it has a name of its own, with buckets of its own.
//
// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/Welcome.html
func classicService() *service {
	const named = "LoadBalancerName"
	return &service{
		name: "elb", iam: "elasticloadbalancing", version: "2012-06-01", protocol: awsQuery,
		namespace: "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/", words: elbWords,
		actions: map[string]*action{
			"DescribeLoadBalancers":               does(read, "LoadBalancerNames.N Marker PageSize", "LoadBalancerNames", describeClassics),
			"DescribeInstanceHealth":              does(read, named+" Instances.N.InstanceId", named, onClassic(describeInstanceHealth)),
			"RegisterInstancesWithLoadBalancer":   does(write, named+" Instances.N.InstanceId", named, onClassic(registerInstances)),
			"DeregisterInstancesFromLoadBalancer": does(write, named+" Instances.N.InstanceId", named, onClassic(deregisterInstances)),
		},
	}
}

func (b *ClassicBalancer) check(bad func(field, format string, args ...any), parts map[string]string) {
	spec := rotaSpec{account: b.Account, region: b.Region, name: b.Name, count: b.Count, drains: b.Draining, interval: b.Interval, members: b.Targets}
	spec.check(bad, parts)
}

// addClassics makes the load balancers of an entry that check accepts; the
// scope's lock is held, and its instances are there.
func (s *scope) addClassics(entry *ClassicBalancer, now int64) {
	numbered := Resource{Count: entry.Count}
	for n := 1; n <= max(1, entry.Count); n++ {
		b := &classic{rota: rotaOf(entry.Draining, entry.Interval, entry.ReadyAfter, entry.Sick), name: numbered.numbered(entry.Name, n), vpc: entry.VPC}
		if b.vpc == "" {
			b.vpc = s.net.vpc
		}
		for _, target := range entry.Targets {
			b.settle(s, numbered.numbered(target, n), 0, now)
		}
		s.classics[b.name] = b
	}
}

// describeClassic shows a load balancer as a fleet's entry.
func (s *scope) describeClassic(b *classic) ClassicBalancer {
	drains := Duration(b.drains)
	out := ClassicBalancer{
		Account: s.account.id, Region: s.region.name, Name: b.name, Draining: &drains, Interval: Duration(b.interval), ReadyAfter: Duration(b.warmup), Sick: b.sick,
	}
	if b.vpc != s.net.vpc {
		out.VPC = b.vpc
	}
	for _, m := range b.members {
		if m.left == 0 {
			out.Targets = append(out.Targets, m.id)
		}
	}
	return out
}

func (s *scope) sortedClassics() []*classic {
	out := make([]*classic, 0, len(s.classics))
	for _, name := range slices.Sorted(maps.Keys(s.classics)) {
		out = append(out, s.classics[name])
	}
	return out
}

// onClassic makes an action of what is done to the load balancer that a request
// names: it is found, and the scope's lock is held.
func onClassic(run func(k *call, w *xw, b *classic) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		if e := k.p.need("LoadBalancerName"); e != nil {
			return e
		}
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		b := k.scope.classics[k.p["LoadBalancerName"]]
		if b == nil {
			return noClassic(k.p["LoadBalancerName"])
		}
		k.scope.sweep(k.ns())
		b.tend(k.scope, k.ns())
		return run(k, w, b)
	}
}

func noClassic(name string) *Error {
	return refuse("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", name)
}

// instancesOf are the instances that a request names, which all have to exist.
func (k *call) instancesOf(needed bool) ([]string, *Error) {
	var ids []string
	for _, i := range k.p.indexes("Instances") {
		id := k.p["Instances."+i+".InstanceId"]
		if k.scope.byID[id] == nil {
			return nil, refuse("InvalidInstance", "Could not find EC2 instance %s.", id)
		}
		ids = append(ids, id)
		k.log.Resources = append(k.log.Resources, id)
	}
	if needed && len(ids) == 0 {
		return nil, refuse("ValidationError", "1 validation error detected: Value null at 'instances' failed to satisfy constraint: Member must not be null")
	}
	return ids, nil
}

func describeClassics(k *call, w *xw) *Error {
	names := k.p.list("LoadBalancerNames")
	s := k.scope
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(k.ns())
	for _, name := range names {
		if s.classics[name] == nil {
			return noClassic(name)
		}
	}
	found := slices.DeleteFunc(s.sortedClassics(), func(b *classic) bool { return len(names) > 0 && !slices.Contains(names, b.name) })
	list, next, e := elbPage(k, found)
	if e != nil {
		return e
	}
	w.open("LoadBalancerDescriptions")
	for _, b := range list {
		b.tend(s, k.ns())
		w.open("member")
		w.el("LoadBalancerName", b.name)
		w.el("DNSName", fmt.Sprintf("%s-%d.%s.elb.%s", b.name, hash(s.c.seed, "dns", s.account.id, s.region.name, b.name)%1e9, s.region.name, s.region.dnsSuffix()))
		w.raw("<AvailabilityZones>")
		for _, zone := range s.region.zoneNames() {
			w.el("member", zone)
		}
		w.raw("</AvailabilityZones>")
		w.el("VPCId", b.vpc)
		b.writePresent(w)
		w.time("CreatedTime", s.c.start.Add(-defaultAge))
		w.raw("<Scheme>internal</Scheme>")
		w.close("member")
		k.log.Items++
	}
	w.close("LoadBalancerDescriptions")
	w.some("NextMarker", next)
	return nil
}

// describeInstanceHealth says how instances stand: those asked for, or all that
// are registered.
// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
func describeInstanceHealth(k *call, w *xw, b *classic) *Error {
	ids, e := k.instancesOf(false)
	if e != nil {
		return e
	}
	if len(ids) == 0 {
		for _, m := range b.members {
			if m.left == 0 {
				ids = append(ids, m.id)
			}
		}
	}
	w.open("InstanceStates")
	for _, id := range ids {
		state, code, description := "OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer."
		if m := b.find(id, 0); m != nil {
			switch stands, is := b.stands(k.scope, m, k.ns()); stands {
			case standsHealthy:
				state, code, description = "InService", "N/A", "N/A"
			case standsSick:
				description = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."
			case standsNew:
				code, description = "ELB", "Instance registration is still in progress."
			case standsLeaving:
				state, code, description = "InService", "ELB", "Instance deregistration currently in progress."
			case standsElsewhere:
				description = "Instance is in " + strings.ReplaceAll(stateNames[is], "-", " ") + " state."
			}
		}
		w.open("member")
		w.el("InstanceId", id)
		w.el("State", state)
		w.el("ReasonCode", code)
		w.el("Description", description)
		w.close("member")
		k.log.Items++
	}
	w.close("InstanceStates")
	return nil
}

// registerInstances puts instances in, all or none, in any state but the last:
// they are in service once they run and their checks pass.
func registerInstances(k *call, w *xw, b *classic) *Error {
	ids, e := k.instancesOf(true)
	if e != nil {
		return e
	}
	added := 0
	for _, id := range ids {
		switch i := k.scope.byID[id]; {
		case i.state(k.ns()) == terminated:
			return refuse("InvalidInstance", "EC2 instance %s is not in a state in which it can be registered.", id)
		case i.site.vpc != b.vpc:
			return refuse("InvalidInstance", "EC2 instance %s is not in the same VPC as ELB.", id)
		case b.find(id, 0) == nil:
			added++
		}
	}
	if b.present()+added > mostMembersOfRota {
		return refuse("ValidationError", "Load balancer '%s' cannot have more than %d instances", b.name, mostMembersOfRota)
	}
	for _, id := range ids {
		b.enter(id, 0, k.ns())
	}
	b.writePresent(w)
	return nil
}

func deregisterInstances(k *call, w *xw, b *classic) *Error {
	ids, e := k.instancesOf(true)
	if e != nil {
		return e
	}
	for _, id := range ids {
		b.leave(k.scope, id, 0, k.ns())
	}
	b.writePresent(w)
	return nil
}

// writePresent writes who is in.
func (b *classic) writePresent(w *xw) {
	w.open("Instances")
	for _, m := range b.members {
		if m.left == 0 {
			w.open("member")
			w.el("InstanceId", m.id)
			w.close("member")
		}
	}
	w.close("Instances")
}
