package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TargetGroup is a target group of Elastic Load Balancing, or Count alike.
type TargetGroup struct {
	Account  string `yaml:"account"`
	Region   string `yaml:"region"`
	Name     string `yaml:"name"`
	Count    int    `yaml:"count,omitempty"`
	VPC      string `yaml:"vpc,omitempty"`      // default the scope's own
	Protocol string `yaml:"protocol,omitempty"` // default HTTP
	Port     int    `yaml:"port,omitempty"`     // default 80
	// Type is what its targets are: instance (default), ip, lambda or alb. Only
	// instances can be targets here.
	Type string `yaml:"type,omitempty"`
	// Balancer names the load balancer with a listener for the group; empty: there is none, nothing sends traffic.
	Balancer string `yaml:"load_balancer,omitempty"`
	// Targets are instances by id, name or pattern of either, with :PORT where it is not the group's.
	Targets []string `yaml:"targets,omitempty"`
	// Draining is the deregistration delay; default 300s.
	Draining *Duration `yaml:"deregistration_delay,omitempty"`
	// Interval is the one of the health checks, of which the first one that passes
	// makes a target healthy; default 30s.
	Interval Duration `yaml:"health_check_interval,omitempty"`
	// ReadyAfter is how long after an instance runs its checks pass, Sick whose never do.
	ReadyAfter Duration `yaml:"ready_after,omitempty"`
	Sick       []string `yaml:"sick,omitempty"`
}

// targetGroup is a group at work.
type targetGroup struct {
	rota
	name, vpc, protocol, typ, balancer string
	port                               int
	stamp                              uint64 // the end of its ARN
}

// elbService is the row of Elastic Load Balancing: version 2 of its API, for
// Application and Network Load Balancers; requests of version 1 are its older's.
//
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/Welcome.html
func elbService() *service {
	const group = "TargetGroupArn"
	const targets = group + " Targets.N.Id Targets.N.Port Targets.N.AvailabilityZone"
	return &service{
		name: "elasticloadbalancing", version: "2015-12-01", protocol: awsQuery,
		namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		words:     elbWords, older: classicService(),
		actions: map[string]*action{
			"DescribeTargetGroups":          does(read, "TargetGroupArns.N LoadBalancerArn Names.N Marker PageSize", "TargetGroupArns Names", describeTargetGroups),
			"DescribeTargetGroupAttributes": does(read, group, group, onTargetGroup(describeTargetGroupAttributes)),
			"DescribeTargetHealth":          does(read, group+" Targets.N.Id Targets.N.Port Targets.N.AvailabilityZone", group, onTargetGroup(describeTargetHealth)),
			"RegisterTargets":               does(write, targets, group, onTargetGroup(registerTargets)),
			"DeregisterTargets":             does(write, targets, group, onTargetGroup(deregisterTargets)),
			"DescribeLoadBalancers":         does(read, "LoadBalancerArns.N Names.N Marker PageSize", "LoadBalancerArns Names", describeBalancers),
		},
	}
}

// elbWords are both APIs' names of common refusals.
var elbWords = map[string]string{
	"InvalidParameterCombination": "ValidationError", "InvalidParameterValue": "ValidationError",
	"MissingParameter": "ValidationError", "UnknownParameter": "ValidationError", "Throttling": "ThrottlingException",
}

var (
	balancerNameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)
	targetTypes      = []string{"instance", "ip", "lambda", "alb"}
	targetProtocols  = []string{"HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"}
)

// splitPort takes the port off a target: web-1:8080.
func splitPort(target string) (pattern string, port int) {
	if at := strings.LastIndexByte(target, ':'); at > 0 {
		if port, err := strconv.Atoi(target[at+1:]); err == nil && port > 0 && port <= maxPort {
			return target[:at], port
		}
	}
	return target, 0
}

const maxPort = 65535

func (g *TargetGroup) check(bad func(field, format string, args ...any), parts map[string]string) {
	spec := rotaSpec{account: g.Account, region: g.Region, name: g.Name, count: g.Count, drains: g.Draining, interval: g.Interval, members: g.Targets}
	spec.check(func(field, format string, args ...any) {
		if field == "draining" {
			field = "deregistration_delay"
		}
		bad(field, format, args...)
	}, parts)
	if !slices.Contains(targetTypes, cmp.Or(g.Type, targetTypes[0])) {
		bad("type", "%q is not known: %s", g.Type, strings.Join(targetTypes, ", "))
	} else if cmp.Or(g.Type, targetTypes[0]) != targetTypes[0] && len(g.Targets) > 0 {
		bad("targets", "only instances can be targets here, and the type is %s", g.Type)
	}
	if !slices.Contains(targetProtocols, cmp.Or(g.Protocol, targetProtocols[0])) {
		bad("protocol", "%q is not known: %s", g.Protocol, strings.Join(targetProtocols, ", "))
	}
	if g.Port < 0 || g.Port > maxPort {
		bad("port", "%d: must be between 1 and %d", g.Port, maxPort)
	}
	if g.Balancer != "" && !balancerNameForm.MatchString(g.Balancer) {
		bad("load_balancer", "%q is not a name: 1 to 32 letters, digits and hyphens, none at its ends", g.Balancer)
	}
}

// addTargetGroups makes the groups of an entry that check accepts; the scope's
// lock is held, and its instances are there.
func (s *scope) addTargetGroups(entry *TargetGroup, now int64) {
	numbered := Resource{Count: entry.Count}
	for n := 1; n <= max(1, entry.Count); n++ {
		g := &targetGroup{
			rota: rotaOf(entry.Draining, entry.Interval, entry.ReadyAfter, entry.Sick), name: numbered.numbered(entry.Name, n), vpc: cmp.Or(entry.VPC, s.net.vpc),
			protocol: cmp.Or(entry.Protocol, targetProtocols[0]), typ: cmp.Or(entry.Type, targetTypes[0]), balancer: numbered.numbered(entry.Balancer, n), port: cmp.Or(entry.Port, 80),
		}
		g.stamp = hash(s.c.seed, "target group", s.account.id, s.region.name, g.name)
		for _, target := range entry.Targets {
			pattern, port := splitPort(numbered.numbered(target, n))
			g.settle(s, pattern, cmp.Or(port, g.port), now)
		}
		s.targetGroups[g.name] = g
	}
}

// describeTargets shows a group as a fleet's entry.
func (s *scope) describeTargets(g *targetGroup) TargetGroup {
	drains := Duration(g.drains)
	out := TargetGroup{
		Account: s.account.id, Region: s.region.name, Name: g.name, Protocol: g.protocol, Port: g.port, Type: g.typ, Balancer: g.balancer,
		Draining: &drains, Interval: Duration(g.interval), ReadyAfter: Duration(g.warmup), Sick: g.sick,
	}
	if g.vpc != s.net.vpc {
		out.VPC = g.vpc
	}
	for _, m := range g.members {
		if m.left == 0 {
			out.Targets = append(out.Targets, fmt.Sprintf("%s:%d", m.id, m.port))
		}
	}
	return out
}

func (s *scope) sortedTargetGroups() []*targetGroup {
	out := make([]*targetGroup, 0, len(s.targetGroups))
	for _, name := range slices.Sorted(maps.Keys(s.targetGroups)) {
		out = append(out, s.targetGroups[name])
	}
	return out
}

func (s *scope) targetGroupARN(g *targetGroup) string {
	return fmt.Sprintf("arn:%s:elasticloadbalancing:%s:%s:targetgroup/%s/%016x", s.region.partition, s.region.name, s.account.id, g.name, g.stamp)
}

// balancerARN is the one of an Application or Network Load Balancer.
func (s *scope) balancerARN(name string, g *targetGroup) string {
	kind := "net"
	if strings.HasPrefix(g.protocol, "HTTP") {
		kind = "app"
	}
	return fmt.Sprintf("arn:%s:elasticloadbalancing:%s:%s:loadbalancer/%s/%s/%016x", s.region.partition, s.region.name, s.account.id, kind, name, hash(s.c.seed, "load balancer", s.account.id, s.region.name, name))
}

// onTargetGroup makes an action of what is done to the group that a request
// names: it is found, and the scope's lock is held.
func onTargetGroup(run func(k *call, w *xw, g *targetGroup) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		if e := k.p.need("TargetGroupArn"); e != nil {
			return e
		}
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		arn := k.p["TargetGroupArn"]
		k.scope.sweep(k.ns())
		for _, g := range k.scope.targetGroups {
			if k.scope.targetGroupARN(g) == arn {
				g.tend(k.scope, k.ns())
				return run(k, w, g)
			}
		}
		if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":targetgroup/") {
			return refuse("ValidationError", "'%s' is not a valid target group ARN", arn)
		}
		return noTargetGroup()
	}
}

func noTargetGroup() *Error {
	return refuse("TargetGroupNotFound", "One or more target groups not found")
}

func describeTargetGroups(k *call, w *xw) *Error {
	arns, names := k.p.list("TargetGroupArns"), k.p.list("Names")
	balancer, ofBalancer := k.p["LoadBalancerArn"]
	s := k.scope
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*targetGroup
	for _, g := range s.sortedTargetGroups() {
		named := len(arns) == 0 || slices.Contains(arns, s.targetGroupARN(g))
		named = named && (len(names) == 0 || slices.Contains(names, g.name))
		if named && (!ofBalancer || g.balancer != "" && s.balancerARN(g.balancer, g) == balancer) {
			found = append(found, g)
		}
	}
	if asked := max(len(arns), len(names)); asked > len(found) && !ofBalancer {
		return noTargetGroup()
	}
	list, next, e := elbPage(k, found)
	if e != nil {
		return e
	}
	w.open("TargetGroups")
	for _, g := range list {
		w.open("member")
		w.el("TargetGroupArn", s.targetGroupARN(g))
		w.el("TargetGroupName", g.name)
		if g.typ != "lambda" {
			w.el("Protocol", g.protocol)
			w.int("Port", g.port)
			w.el("VpcId", g.vpc)
		}
		w.el("HealthCheckProtocol", g.protocol)
		w.raw("<HealthCheckPort>traffic-port</HealthCheckPort><HealthCheckEnabled>true</HealthCheckEnabled>")
		w.int("HealthCheckIntervalSeconds", int(time.Duration(g.interval)/time.Second))
		w.raw("<HealthCheckTimeoutSeconds>5</HealthCheckTimeoutSeconds><HealthyThresholdCount>5</HealthyThresholdCount><UnhealthyThresholdCount>2</UnhealthyThresholdCount>")
		w.open("LoadBalancerArns")
		if g.balancer != "" {
			w.el("member", s.balancerARN(g.balancer, g))
		}
		w.close("LoadBalancerArns")
		w.el("TargetType", g.typ)
		w.raw("<IpAddressType>ipv4</IpAddressType>")
		w.close("member")
		k.log.Items++
	}
	w.close("TargetGroups")
	w.some("NextMarker", next)
	return nil
}

func describeTargetGroupAttributes(_ *call, w *xw, g *targetGroup) *Error {
	w.open("Attributes")
	for _, a := range [][2]string{
		{"deregistration_delay.timeout_seconds", strconv.Itoa(int(time.Duration(g.drains) / time.Second))},
		{"stickiness.enabled", "false"},
		{"load_balancing.cross_zone.enabled", "use_load_balancer_configuration"},
	} {
		w.open("member")
		w.el("Key", a[0])
		w.el("Value", a[1])
		w.close("member")
	}
	w.close("Attributes")
	return nil
}

// target is one that a request names.
type target struct {
	id   string
	port int
}

// targets reads those of the request; needed says that there have to be some.
func (k *call) targets(g *targetGroup, needed bool) ([]target, *Error) {
	idx := k.p.indexes("Targets")
	if len(idx) == 0 && needed {
		return nil, refuse("ValidationError", "1 validation error detected: Value null at 'targets' failed to satisfy constraint: Member must not be null")
	}
	var list []target
	for _, i := range idx {
		id := k.p["Targets."+i+".Id"]
		if id == "" {
			return nil, refuse("ValidationError", "A target ID is required")
		}
		port, e := k.p.number("Targets."+i+".Port", g.port, 1, maxPort)
		if e != nil {
			return nil, e
		}
		list = append(list, target{id, port})
		k.log.Resources = append(k.log.Resources, id)
	}
	return list, nil
}

// registerTargets puts instances in, all or none.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
func registerTargets(k *call, _ *xw, g *targetGroup) *Error {
	list, e := k.targets(g, true)
	if e != nil {
		return e
	}
	if g.typ != targetTypes[0] {
		return refuse("InvalidTarget", "The simulator registers instances alone, and the target group is of type %s", g.typ)
	}
	var unknown, idle, away []string
	added := 0
	for _, t := range list {
		switch i := k.scope.byID[t.id]; {
		case i == nil:
			unknown = append(unknown, "'"+t.id+"'")
		case i.state(k.ns()) != running:
			idle = append(idle, "'"+t.id+"'")
		case i.site.vpc != g.vpc:
			away = append(away, "'"+t.id+"'")
		case g.find(t.id, t.port) == nil:
			added++
		}
	}
	switch {
	case len(unknown) > 0:
		return refuse("InvalidTarget", "The following targets are not valid instances: %s", strings.Join(unknown, ", "))
	case len(away) > 0:
		return refuse("InvalidTarget", "The following targets are not in the target group VPC '%s': %s", g.vpc, strings.Join(away, ", "))
	case len(idle) > 0:
		return refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: %s", strings.Join(idle, ", "))
	case g.present()+added > mostMembersOfRota:
		return refuse("TooManyTargets", "Target group '%s' cannot have more than %d targets", k.scope.targetGroupARN(g), mostMembersOfRota)
	}
	for _, t := range list {
		g.enter(t.id, t.port, k.ns())
	}
	return nil
}

// deregisterTargets takes targets out; one that is not in is no error. Without a
// port it is the group's.
func deregisterTargets(k *call, _ *xw, g *targetGroup) *Error {
	list, e := k.targets(g, true)
	if e != nil {
		return e
	}
	for _, t := range list {
		if !idForm(t.id, "i-") {
			return refuse("InvalidTarget", "The following targets are not valid instances: '%s'", t.id)
		}
	}
	for _, t := range list {
		g.leave(k.scope, t.id, t.port, k.ns())
	}
	return nil
}

func describeTargetHealth(k *call, w *xw, g *targetGroup) *Error {
	list, e := k.targets(g, false)
	if e != nil {
		return e
	}
	if !k.p.has("Targets.1.Id") {
		for _, m := range g.members {
			list = append(list, target{m.id, m.port})
		}
	}
	w.open("TargetHealthDescriptions")
	for _, t := range list {
		state, reason, description := k.targetHealth(g, t)
		w.open("member")
		w.open("Target")
		w.el("Id", t.id)
		w.int("Port", t.port)
		w.close("Target")
		if state != "draining" && state != "unused" {
			w.int("HealthCheckPort", t.port)
		}
		w.open("TargetHealth")
		w.el("State", state)
		w.some("Reason", reason)
		w.some("Description", description)
		w.close("TargetHealth")
		w.close("member")
		k.log.Items++
	}
	w.close("TargetHealthDescriptions")
	return nil
}

// targetHealth is how a target stands, in AWS's words.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func (k *call) targetHealth(g *targetGroup, t target) (state, reason, description string) {
	m := g.find(t.id, t.port)
	if m == nil {
		return "unused", "Target.NotRegistered", "Target is not registered to the target group"
	}
	stands, is := g.stands(k.scope, m, k.ns())
	switch {
	case stands == standsLeaving:
		return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
	case stands == standsElsewhere:
		return "unused", "Target.InvalidState", "Target is in the " + stateNames[is] + " state"
	case g.balancer == "":
		return "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
	case stands == standsNew:
		return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
	case stands == standsSick:
		return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
	}
	return "healthy", "", ""
}

func describeBalancers(k *call, w *xw) *Error {
	arns, names := k.p.list("LoadBalancerArns"), k.p.list("Names")
	type one struct {
		name, arn string
		of        *targetGroup
	}
	s := k.scope
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []one
	for _, g := range s.sortedTargetGroups() {
		b := one{g.balancer, s.balancerARN(g.balancer, g), g}
		known := slices.ContainsFunc(found, func(o one) bool { return o.arn == b.arn })
		if b.name != "" && !known && (len(arns) == 0 || slices.Contains(arns, b.arn)) && (len(names) == 0 || slices.Contains(names, b.name)) {
			found = append(found, b)
		}
	}
	if max(len(arns), len(names)) > len(found) {
		return refuse("LoadBalancerNotFound", "One or more load balancers not found")
	}
	list, next, e := elbPage(k, found)
	if e != nil {
		return e
	}
	w.open("LoadBalancers")
	for _, b := range list {
		w.open("member")
		w.el("LoadBalancerArn", b.arn)
		w.el("DNSName", fmt.Sprintf("%s-%d.%s.elb.%s", b.name, hash(s.c.seed, "dns", b.arn)%1e9, s.region.name, s.region.dnsSuffix()))
		w.time("CreatedTime", s.c.start.Add(-defaultAge))
		w.el("LoadBalancerName", b.name)
		w.raw("<Scheme>internal</Scheme>")
		w.el("VpcId", b.of.vpc)
		w.raw("<State><Code>active</Code></State>")
		typ := "network"
		if strings.HasPrefix(b.of.protocol, "HTTP") {
			typ = "application"
		}
		w.el("Type", typ)
		w.raw("<IpAddressType>ipv4</IpAddressType>")
		w.close("member")
		k.log.Items++
	}
	w.close("LoadBalancers")
	w.some("NextMarker", next)
	return nil
}

// TargetGroupARN is the ARN of a target group, empty where there is none of the name.
func (c *Cloud) TargetGroupARN(account, region, name string) string {
	for _, s := range c.allScopes() {
		if s.account.id != account || s.region.name != region {
			continue
		}
		s.mu.Lock()
		g := s.targetGroups[name]
		s.mu.Unlock()
		if g != nil {
			return s.targetGroupARN(g)
		}
	}
	return ""
}
