package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// groupNameTag is on every member of an Auto Scaling group.
const groupNameTag = "aws:autoscaling:groupName"

// maxGroupSize bounds the sizes of a group, so that a slip of the pen does not launch a million.
const maxGroupSize = 10_000

// scalingGroup is an Auto Scaling group. Its members are ordinary instances.
// Like everything here it does nothing in the background: whoever looks at the
// instances of a scope lets its groups catch up first (tend), at the instants
// at which they would have acted.
type scalingGroup struct {
	name      string
	id        string
	typ       *instanceType
	image     *image
	zones     []string
	min       int
	desired   int
	max       int
	protects  bool // new instances are protected from scale-in
	barren    bool // no instance of it can be launched
	created   int64
	deleting  bool
	tags      []groupTag
	suspended []suspension
	members   []*instance
	protected map[string]bool // members protected from scale-in
	scaledIn  int64           // when the last member was taken out
	launched  int             // so far, which spreads them over the zones
}

// groupTag is a tag of a group; those that propagate are on instances launched later.
type groupTag struct {
	Tag
	propagate bool
}

type suspension struct {
	process string
	at      int64
}

// autoscalingService is the row of the service.
func autoscalingService() *service {
	const named = "AutoScalingGroupName"
	return &service{
		name: "autoscaling", version: "2011-01-01", protocol: awsQuery,
		namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
		words: map[string]string{
			"InvalidParameterCombination": "ValidationError", "InvalidParameterValue": "ValidationError",
			"MissingParameter": "ValidationError", "UnknownParameter": "ValidationError",
		},
		actions: map[string]*action{
			"DescribeAutoScalingGroups":           does(read, "AutoScalingGroupNames.N IncludeInstances MaxRecords NextToken Filters.N.Name Filters.N.Values.N", "AutoScalingGroupNames", describeAutoScalingGroups),
			"UpdateAutoScalingGroup":              does(write, named+" MinSize MaxSize DesiredCapacity NewInstancesProtectedFromScaleIn", named, onGroup(updateAutoScalingGroup)),
			"SetDesiredCapacity":                  does(write, named+" DesiredCapacity HonorCooldown", named, onGroup(setDesiredCapacity)),
			"DeleteAutoScalingGroup":              does(write, named+" ForceDelete", named, onGroup(deleteAutoScalingGroup)),
			"SuspendProcesses":                    does(write, named+" ScalingProcesses.N", named, onGroup(suspendProcesses)),
			"ResumeProcesses":                     does(write, named+" ScalingProcesses.N", named, onGroup(resumeProcesses)),
			"SetInstanceProtection":               does(write, named+" InstanceIds.N ProtectedFromScaleIn", named, onGroup(setInstanceProtection)),
			"TerminateInstanceInAutoScalingGroup": does(write, "InstanceId ShouldDecrementDesiredCapacity", "InstanceId", terminateInGroup),
			"CreateOrUpdateTags":                  does(write, "Tags.N.ResourceId Tags.N.ResourceType Tags.N.Key Tags.N.Value Tags.N.PropagateAtLaunch", "", createOrUpdateTags),
			"DeleteTags":                          does(write, "Tags.N.ResourceId Tags.N.ResourceType Tags.N.Key Tags.N.Value Tags.N.PropagateAtLaunch", "", deleteGroupTags),
			"DescribeTags":                        does(read, "MaxRecords NextToken Filters.N.Name Filters.N.Values.N", "", describeGroupTags),
		},
	}
}

// processes are those that can be suspended.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
var processes = []string{
	"AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh", "Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate",
}

func (g *scalingGroup) suspends(names ...string) bool {
	return slices.ContainsFunc(g.suspended, func(s suspension) bool { return slices.Contains(names, s.process) })
}

func (s *scope) groupARN(g *scalingGroup) string {
	return fmt.Sprintf("arn:%s:autoscaling:%s:%s:autoScalingGroup:%s:autoScalingGroupName/%s", s.region.partition, s.region.name, s.account.id, g.id, g.name)
}

// group finds a group by name; the scope's lock is held.
func (s *scope) group(name string) *scalingGroup {
	if i, found := s.findGroup(name); found {
		return s.groups[i]
	}
	return nil
}

func (s *scope) findGroup(name string) (int, bool) {
	return slices.BinarySearchFunc(s.groups, name, func(g *scalingGroup, name string) int { return strings.Compare(g.name, name) })
}

// addGroup lists a group in order of names; the scope's lock is held.
func (s *scope) addGroup(g *scalingGroup) {
	i, _ := s.findGroup(g.name)
	s.groups = slices.Insert(s.groups, i, g)
}

// tend lets the groups of the scope catch up with the clock; its lock is held.
func (s *scope) tend(now int64) {
	for _, g := range s.groups {
		s.tendGroup(g, now)
	}
	s.groups = slices.DeleteFunc(s.groups, func(g *scalingGroup) bool { return g.deleting && len(g.members) == 0 })
}

// tendGroup replaces members that somebody stopped or ended, once the group has
// noticed, and launches or ends some where the wanted number is another.
func (s *scope) tendGroup(g *scalingGroup, now int64) {
	var vacant []int64 // since when
	g.members = slices.DeleteFunc(g.members, func(m *instance) bool {
		p := m.line.when(now)
		if p.state == pending || p.state == running {
			return false
		}
		if g.deleting {
			return p.state == terminated
		}
		noticed := p.at
		if p.at != always {
			noticed += s.c.lasts("asg-notices", m.id, p.at)
		}
		if noticed > now {
			return false
		}
		if p.state == stopping || p.state == stopped {
			if g.suspends("HealthCheck", "ReplaceUnhealthy", "Terminate") {
				return false
			}
			s.c.terminate(s, m, noticed)
		}
		vacant = append(vacant, noticed)
		return true
	})
	if g.deleting {
		return
	}
	for n := len(g.members); n > g.desired && !g.suspends("Terminate"); n-- {
		if !s.scaleIn(g, now) {
			break
		}
	}
	slices.Sort(vacant)
	for n := 0; len(g.members) < g.desired && !g.suspends("Launch"); n++ {
		at := now
		if n < len(vacant) {
			at = vacant[n]
		}
		if !s.launch(g, at) { // it is tried again when somebody looks again
			break
		}
	}
}

// scaleIn ends the oldest member that is not protected; false when there is none.
func (s *scope) scaleIn(g *scalingGroup, now int64) bool {
	i := slices.IndexFunc(g.members, func(m *instance) bool { return !g.protected[m.id] })
	if i < 0 {
		return false
	}
	s.c.terminate(s, g.members[i], now)
	g.members, g.scaledIn = slices.Delete(g.members, i, i+1), now
	return true
}

// launch adds a member; false when its capacity pool is empty, or none can be launched.
func (s *scope) launch(g *scalingGroup, at int64) bool {
	if g.barren {
		return false
	}
	zone := g.zones[g.launched%len(g.zones)]
	m := s.member(g, zone, at)
	if s.c.place(s, []*instance{m}, s.c.Now().UnixNano()) != nil {
		return false
	}
	g.launched++
	m.line = timeline{{at: at, state: pending}, {at: at + s.c.lasts("ec2-pending", m.id, at), state: running}}
	s.join(g, m)
	return true
}

// member makes an instance of the group that holds its place in its pool already.
func (s *scope) member(g *scalingGroup, zone string, at int64) *instance {
	m := &instance{id: s.c.instanceID(), typ: g.typ, image: g.image, zone: zone, site: s.net.places[zone], group: s.c.mint(), is: placed, launched: at}
	for _, t := range g.tags {
		if t.propagate {
			m.tags = append(m.tags, t.Tag)
		}
	}
	m.tags = append(m.tags, Tag{groupNameTag, g.name})
	return m
}

func (s *scope) join(g *scalingGroup, m *instance) {
	s.add(m)
	g.members = append(g.members, m)
	if g.protects {
		g.protected[m.id] = true
	}
}

// invalidGroup uses the one code that Auto Scaling has for faults in a request.
func invalidGroup(format string, args ...any) *Error {
	return refuse("ValidationError", format, args...)
}

// onGroup makes an action of what is done to the group that a request names; the
// scope's lock is held. Afterwards the group does what follows from it.
func onGroup(run func(k *call, w *xw, g *scalingGroup, now int64) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		if e := k.p.need("AutoScalingGroupName"); e != nil {
			return e
		}
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		now := k.ns()
		k.scope.sweep(now)
		g := k.scope.group(k.p["AutoScalingGroupName"])
		switch {
		case g == nil:
			return invalidGroup("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", k.p["AutoScalingGroupName"])
		case g.deleting:
			return refuse("ScalingActivityInProgress", "AutoScalingGroup '%s' is pending delete", g.name)
		}
		if e := run(k, w, g, now); e != nil {
			return e
		}
		k.scope.tend(now)
		return nil
	}
}

func updateAutoScalingGroup(k *call, _ *xw, g *scalingGroup, _ int64) *Error {
	lo, e := k.p.number("MinSize", g.min, 0, maxGroupSize)
	if e != nil {
		return e
	}
	hi, e := k.p.number("MaxSize", g.max, 0, maxGroupSize)
	if e != nil {
		return e
	}
	// Without a desired number of its own the group goes to the nearest bound.
	desired, e := k.p.number("DesiredCapacity", min(max(g.desired, lo), hi), 0, maxGroupSize)
	if e != nil {
		return e
	}
	protects, e := k.p.boolean("NewInstancesProtectedFromScaleIn", g.protects)
	if e != nil {
		return e
	}
	if e := checkSizes(lo, desired, hi); e != nil {
		return e
	}
	g.min, g.desired, g.max, g.protects = lo, desired, hi, protects
	return nil
}

func checkSizes(lo, desired, hi int) *Error {
	switch {
	case hi < lo:
		return invalidGroup("Max bound, %d, must be greater than or equal to min bound, %d", hi, lo)
	case desired < lo || desired > hi:
		return invalidGroup("Desired capacity:%d must be between the specified min size:%d and max size:%d", desired, lo, hi)
	}
	return nil
}

func setDesiredCapacity(k *call, _ *xw, g *scalingGroup, _ int64) *Error {
	if e := k.p.need("DesiredCapacity"); e != nil {
		return e
	}
	if _, e := k.p.boolean("HonorCooldown", false); e != nil { // there are no cooldowns here
		return e
	}
	desired, e := k.p.number("DesiredCapacity", 0, 0, maxGroupSize)
	switch {
	case e != nil:
		return e
	case desired > g.max:
		return invalidGroup("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", desired, g.max)
	case desired < g.min:
		return invalidGroup("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", desired, g.min)
	}
	g.desired = desired
	return nil
}

func deleteAutoScalingGroup(k *call, _ *xw, g *scalingGroup, now int64) *Error {
	force, e := k.p.boolean("ForceDelete", false)
	if e != nil {
		return e
	}
	if len(g.members) > 0 && !force {
		return refuse("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
	}
	g.deleting = true
	for _, m := range g.members {
		k.c.terminate(k.scope, m, now)
	}
	return nil
}

// wantedProcesses are those that a request names, all where it names none.
func (k *call) wantedProcesses() ([]string, *Error) {
	names := k.p.list("ScalingProcesses")
	for _, name := range names {
		if !slices.Contains(processes, name) {
			return nil, invalidGroup("Invalid process '%s'. Valid process types are %s.", name, strings.Join(processes, ", "))
		}
	}
	if len(names) == 0 {
		return processes, nil
	}
	return names, nil
}

func suspendProcesses(k *call, _ *xw, g *scalingGroup, now int64) *Error {
	names, e := k.wantedProcesses()
	if e != nil {
		return e
	}
	for _, name := range names {
		if !g.suspends(name) {
			g.suspended = append(g.suspended, suspension{name, now})
		}
	}
	return nil
}

func resumeProcesses(k *call, _ *xw, g *scalingGroup, _ int64) *Error {
	names, e := k.wantedProcesses()
	if e != nil {
		return e
	}
	g.suspended = slices.DeleteFunc(g.suspended, func(s suspension) bool { return slices.Contains(names, s.process) })
	return nil
}

func setInstanceProtection(k *call, _ *xw, g *scalingGroup, _ int64) *Error {
	if e := k.p.need("ProtectedFromScaleIn"); e != nil {
		return e
	}
	on, e := k.p.boolean("ProtectedFromScaleIn", false)
	if e != nil {
		return e
	}
	ids := k.p.list("InstanceIds")
	for _, id := range ids {
		if !slices.ContainsFunc(g.members, func(m *instance) bool { return m.id == id }) {
			return invalidGroup("The instance %s is not part of Auto Scaling group %s.", id, g.name)
		}
	}
	for _, id := range ids {
		g.protected[id] = on
	}
	return nil
}

func terminateInGroup(k *call, w *xw) *Error {
	if e := k.p.need("InstanceId", "ShouldDecrementDesiredCapacity"); e != nil {
		return e
	}
	fewer, e := k.p.boolean("ShouldDecrementDesiredCapacity", false)
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	k.scope.sweep(now)
	id := k.p["InstanceId"]
	for _, g := range k.scope.groups {
		i := slices.IndexFunc(g.members, func(m *instance) bool { return m.id == id })
		if i < 0 {
			continue
		}
		if fewer && g.desired <= g.min {
			return invalidGroup("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. "+
				"Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.min)
		}
		m := g.members[i]
		k.c.terminate(k.scope, m, now)
		if fewer {
			g.desired--
			g.members, g.scaledIn = slices.Delete(g.members, i, i+1), now
		}
		w.open("Activity")
		w.el("ActivityId", k.log.RequestID)
		w.el("AutoScalingGroupName", g.name)
		w.el("Description", "Terminating EC2 instance: "+id)
		w.el("Cause", fmt.Sprintf("At %s instance %s was taken out of service in response to a user request.", instant(now).Format(time.RFC3339), id))
		w.time("StartTime", instant(now))
		w.raw("<StatusCode>InProgress</StatusCode><Progress>0</Progress>")
		w.close("Activity")
		return nil
	}
	return invalidGroup("Instance Id not found - No managed instance found for instance ID: %s", id)
}

// groupTagOf reads one tag of a request and finds its group.
func (k *call) groupTagOf(pre string) (*scalingGroup, groupTag, *Error) {
	t := groupTag{Tag: Tag{k.p[pre+"Key"], k.p[pre+"Value"]}}
	id := k.p[pre+"ResourceId"]
	if kind := k.p[pre+"ResourceType"]; kind != "" && kind != "auto-scaling-group" {
		return nil, t, invalidGroup("Invalid resource type: %s", kind)
	}
	if e := checkTag(t.Tag); e != nil {
		return nil, t, e
	}
	var e *Error
	if t.propagate, e = k.p.boolean(pre+"PropagateAtLaunch", false); e != nil {
		return nil, t, e
	}
	g := k.scope.group(id)
	if g == nil || g.deleting {
		return nil, t, invalidGroup("AutoScalingGroup not found - AutoScaling Group %s not found", id)
	}
	return g, t, nil
}

func (k *call) eachGroupTag(do func(g *scalingGroup, t groupTag) *Error) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.sweep(k.ns())
	type pair struct {
		g *scalingGroup
		t groupTag
	}
	var all []pair
	before := map[*scalingGroup][]groupTag{}
	for _, i := range k.p.indexes("Tags") {
		g, t, e := k.groupTagOf("Tags." + i + ".")
		if e != nil {
			return e
		}
		if !slices.Contains(k.log.Resources, g.name) {
			k.log.Resources = append(k.log.Resources, g.name)
		}
		all = append(all, pair{g, t})
		before[g] = slices.Clone(g.tags)
	}
	if len(all) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter Tags")
	}
	for _, one := range all {
		if e := do(one.g, one.t); e != nil {
			for g, tags := range before { // all or nothing
				g.tags = tags
			}
			return e
		}
	}
	return nil
}

func createOrUpdateTags(k *call, _ *xw) *Error {
	return k.eachGroupTag(func(g *scalingGroup, t groupTag) *Error {
		if i := slices.IndexFunc(g.tags, func(o groupTag) bool { return o.Key == t.Key }); i >= 0 {
			g.tags[i] = t
			return nil
		}
		if len(g.tags) >= maxTags {
			return refuse("LimitExceeded", "The number of tags for AutoScalingGroup %s would exceed the limit of %d.", g.name, maxTags)
		}
		g.tags = append(g.tags, t)
		return nil
	})
}

func deleteGroupTags(k *call, _ *xw) *Error {
	return k.eachGroupTag(func(g *scalingGroup, t groupTag) *Error {
		g.tags = slices.DeleteFunc(g.tags, func(o groupTag) bool { return o.Key == t.Key })
		return nil
	})
}

// groupPage cuts one page out of a list, which is in order of names.
func groupPage[T any](k *call, all []T) ([]T, string, *Error) {
	size, e := k.p.number("MaxRecords", 50, 1, 100)
	if e != nil {
		return nil, "", e
	}
	after, e := k.cursor("NextToken")
	if e != nil {
		return nil, "", refuse("InvalidNextToken", "The token '%s' is invalid.", k.p["NextToken"])
	}
	if k.strikes(FaultShortPages, "", "") != nil {
		size = int(hash(k.c.seed, "short", k.log.RequestID)%uint64(size)) + 1
	}
	from := min(int(after), len(all))
	to := min(from+size, len(all))
	next := ""
	if to < len(all) {
		next = k.token("NextToken", uint64(to))
	}
	if k.p.has("NextToken") && k.strikes(FaultTokenLoop, "", "") != nil {
		next = k.p["NextToken"]
	}
	return all[from:to], next, nil
}

func groupField(name string) field[*scalingGroup] {
	some := func(get func(groupTag) string) field[*scalingGroup] {
		return func(g *scalingGroup, is func(string) bool) bool {
			return slices.ContainsFunc(g.tags, func(t groupTag) bool { return is(get(t)) })
		}
	}
	switch {
	case name == "tag-key":
		return some(func(t groupTag) string { return t.Key })
	case name == "tag-value":
		return some(func(t groupTag) string { return t.Value })
	case strings.HasPrefix(name, "tag:"):
		return func(g *scalingGroup, is func(string) bool) bool {
			return slices.ContainsFunc(g.tags, func(t groupTag) bool { return t.Key == name[len("tag:"):] && is(t.Value) })
		}
	}
	return nil
}

func describeAutoScalingGroups(k *call, w *xw) *Error {
	fs, e := readFilters(k, groupField)
	if e != nil {
		return e
	}
	names := k.p.list("AutoScalingGroupNames")
	size, e := k.p.number("MaxRecords", 50, 1, 100)
	switch {
	case e != nil:
		return e
	case len(names) > size:
		return invalidGroup("The number of group names (%d) must not be greater than the maximum number of records (%d)", len(names), size)
	}
	withInstances, e := k.p.boolean("IncludeInstances", true)
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	k.scope.sweep(now)
	var found []*scalingGroup
	for _, g := range k.scope.groups {
		if (len(names) == 0 || slices.Contains(names, g.name)) && fs.match(g) {
			found = append(found, g)
		}
	}
	list, next, e := groupPage(k, found)
	if e != nil {
		return e
	}
	if k.hasFault(FaultMissing) {
		list = slices.DeleteFunc(slices.Clone(list), func(g *scalingGroup) bool { return k.strikes(FaultMissing, g.name, "") != nil })
	}
	if k.hasFault(FaultDuplicate) {
		for _, g := range list {
			if k.strikes(FaultDuplicate, g.name, "") != nil {
				list = append(slices.Clone(list), g)
			}
		}
	}
	w.open("AutoScalingGroups")
	for _, g := range list {
		k.scope.writeGroup(w, g, withInstances, now)
	}
	w.close("AutoScalingGroups")
	w.some("NextToken", next)
	k.log.Items = len(list)
	return nil
}

func (s *scope) writeGroup(w *xw, g *scalingGroup, withInstances bool, now int64) {
	w.open("member")
	w.el("AutoScalingGroupName", g.name)
	w.el("AutoScalingGroupARN", s.groupARN(g))
	template := func() {
		w.open("LaunchTemplate")
		w.el("LaunchTemplateId", "lt-0"+strings.ReplaceAll(g.id, "-", "")[:16])
		w.el("LaunchTemplateName", g.name)
		w.raw("<Version>1</Version>")
		w.close("LaunchTemplate")
	}
	template()
	w.int("MinSize", g.min)
	w.int("MaxSize", g.max)
	w.int("DesiredCapacity", g.desired)
	w.raw("<DefaultCooldown>300</DefaultCooldown><AvailabilityZones>")
	subnets := make([]string, len(g.zones))
	for i, zone := range g.zones {
		w.el("member", zone)
		subnets[i] = s.net.places[zone].subnet
	}
	w.raw("</AvailabilityZones><LoadBalancerNames/><TargetGroupARNs/><HealthCheckType>EC2</HealthCheckType><HealthCheckGracePeriod>300</HealthCheckGracePeriod>")
	w.open("Instances")
	if withInstances {
		for _, m := range g.members {
			w.open("member")
			w.el("InstanceId", m.id)
			w.el("InstanceType", m.typ.name)
			w.el("AvailabilityZone", m.zone)
			life, health := "InService", "Healthy"
			switch m.state(now) {
			case pending:
				life = "Pending"
			case running:
			case terminated, shuttingDown:
				life = "Terminating"
			default: // stopped by somebody, and about to be replaced
				health = "Unhealthy"
			}
			w.el("LifecycleState", life)
			w.el("HealthStatus", health)
			template()
			w.flag("ProtectedFromScaleIn", g.protected[m.id])
			w.close("member")
		}
	}
	w.close("Instances")
	w.time("CreatedTime", instant(g.created))
	w.open("SuspendedProcesses")
	for _, p := range g.suspended {
		w.open("member")
		w.el("ProcessName", p.process)
		w.el("SuspensionReason", "User suspended at "+instant(p.at).Format("2006-01-02T15:04:05Z"))
		w.close("member")
	}
	w.close("SuspendedProcesses")
	w.el("VPCZoneIdentifier", strings.Join(subnets, ","))
	w.raw("<EnabledMetrics/>")
	if g.deleting {
		w.raw("<Status>Delete in progress</Status>")
	}
	w.open("Tags")
	for _, t := range g.tags {
		writeGroupTag(w, g, t)
	}
	w.close("Tags")
	w.raw("<TerminationPolicies><member>Default</member></TerminationPolicies>")
	w.flag("NewInstancesProtectedFromScaleIn", g.protects)
	w.el("ServiceLinkedRoleARN", fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", s.region.partition, s.account.id))
	w.close("member")
}

func writeGroupTag(w *xw, g *scalingGroup, t groupTag) {
	w.open("member")
	w.el("ResourceId", g.name)
	w.raw("<ResourceType>auto-scaling-group</ResourceType>")
	w.el("Key", t.Key)
	w.el("Value", t.Value)
	w.flag("PropagateAtLaunch", t.propagate)
	w.close("member")
}

func describeGroupTags(k *call, w *xw) *Error {
	type row struct {
		g *scalingGroup
		t groupTag
	}
	fs, e := readFilters(k, func(name string) field[row] {
		switch name {
		case "auto-scaling-group":
			return text(func(r row) string { return r.g.name })
		case "key":
			return text(func(r row) string { return r.t.Key })
		case "value":
			return text(func(r row) string { return r.t.Value })
		case "propagate-at-launch":
			return text(func(r row) string { return strconv.FormatBool(r.t.propagate) })
		}
		return nil
	})
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.sweep(k.ns())
	var found []row
	for _, g := range k.scope.groups {
		for _, t := range g.tags {
			if r := (row{g, t}); fs.match(r) {
				found = append(found, r)
			}
		}
	}
	list, next, e := groupPage(k, found)
	if e != nil {
		return e
	}
	w.open("Tags")
	for _, r := range list {
		writeGroupTag(w, r.g, r.t)
	}
	w.close("Tags")
	w.some("NextToken", next)
	k.log.Items = len(list)
	return nil
}

// ofGroups are the fields of a fleet file's entry that belong to groups alone.
func (r *Resource) ofGroups() []stray {
	return []stray{{"propagate", r.Propagate}, {"scale_in_protection", r.ScaleInProtection}}
}

// sizes are those of an entry: one instance unless it says otherwise, none while it is stopped.
func (r *Resource) sizes() (lo, desired, hi int) {
	if r.State == "stopped" {
		return r.Min, r.Desired, r.Max
	}
	desired = cmp.Or(r.Desired, max(1, r.Min))
	return r.Min, desired, cmp.Or(r.Max, desired)
}

func (r *Resource) checkGroup(bad func(field, format string, args ...any)) {
	if name := r.numbered(r.Name, 1); name == "" || len(name) > 255 || strings.Contains(name, ":") {
		bad("name", "%q is not the name of a group: 1 to 255 characters without a colon", name)
	}
	if r.Count > 1 && r.numbered(r.Name, 1) == r.numbered(r.Name, 2) {
		bad("count", "%d groups cannot have one name: put # into it", r.Count)
	}
	if instanceTypes[cmp.Or(r.Type, "t3.micro")] == nil {
		bad("type", "%q is not an instance type the simulator knows: m5.large, t3.micro, c6g.xlarge …", r.Type)
	}
	lo, desired, hi := r.sizes()
	if r.State == "stopped" && desired > 0 {
		bad("desired", "a stopped group has no instance: leave it out")
	}
	if lo < 0 || hi > maxGroupSize || lo > desired || desired > hi {
		bad("desired", "%d-%d-%d: min, desired and max must be in this order, from 0 to %d", lo, desired, hi, maxGroupSize)
	}
	for i, p := range r.Suspended {
		if !slices.Contains(processes, p) {
			bad(fmt.Sprintf("suspended[%d]", i), "%q is not a process: %s", p, strings.Join(processes, ", "))
		}
	}
}

// scalingGroupOf makes the nth copy of an entry, without its members.
func (c *Cloud) scalingGroupOf(s *scope, r *Resource, n int, tags []Tag, now int64) *scalingGroup {
	typ := instanceTypes[cmp.Or(r.Type, "t3.micro")]
	img := imageX86
	if typ.arch == arm {
		img = imageARM
	}
	g := &scalingGroup{
		name: r.numbered(r.Name, n+1), typ: typ, image: c.images[img], zones: s.region.zoneNames(),
		created: c.launchedAt(r.Launched, now), protects: r.ScaleInProtection, protected: map[string]bool{},
	}
	g.id = requestID(c.seed, hash(c.seed, "asg", s.account.id, s.region.name, g.name))
	if r.Zone != "" {
		g.zones = []string{r.Zone}
	}
	g.min, g.desired, g.max = r.sizes()
	for _, t := range tags {
		g.tags = append(g.tags, groupTag{t, r.Propagate})
	}
	for _, p := range r.Suspended {
		g.suspended = append(g.suspended, suspension{p, g.created})
	}
	return g
}

// settleGroup lists a group with the members that it has had for long.
func (s *scope) settleGroup(g *scalingGroup) {
	s.addGroup(g)
	for range g.desired {
		m := s.member(g, g.zones[g.launched%len(g.zones)], g.created)
		m.line = timeline{{at: always, state: running}}
		g.launched++
		s.join(g, m)
	}
}

// describeGroup writes a group as an entry of a fleet file.
func (s *scope) describeGroup(g *scalingGroup) Resource {
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "asg", Name: g.name, Type: g.typ.name, Min: g.min, Desired: g.desired, Max: g.max, State: "running",
		Launched: When{At: instant(g.created)}, ScaleInProtection: g.protects, Tags: map[string]string{},
	}
	if g.desired == 0 {
		r.State = "stopped"
	}
	if len(g.zones) == 1 {
		r.Zone = g.zones[0]
	}
	for _, t := range g.tags {
		r.Tags[t.Key] = t.Value
		r.Propagate = r.Propagate || t.propagate
	}
	for _, p := range g.suspended {
		r.Suspended = append(r.Suspended, p.process)
	}
	return r
}

// isMember reports whether an instance belongs to a group of the scope, which
// makes it anew where a fleet file is read.
func (s *scope) isMember(i *instance) bool {
	g := s.group(tagValue(i.tags, groupNameTag))
	return g != nil && slices.Contains(g.members, i)
}

// Group is the true state of an Auto Scaling group.
type Group struct {
	Name, ARN, Account, Region string
	Min, Desired, Max          int
	Instances                  []string // ids of its members
	Suspended                  []string
	Tags                       map[string]string
}

// Groups gives the Auto Scaling groups of an account and region; an empty
// account or region means all.
func (c *Cloud) Groups(account, region string) []Group {
	var out []Group
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		s.tend(now)
		for _, g := range s.groups {
			out = append(out, s.groupNow(g))
		}
		s.mu.Unlock()
	}
	return out
}

func (s *scope) groupNow(g *scalingGroup) Group {
	out := Group{
		Name: g.name, ARN: s.groupARN(g), Account: s.account.id, Region: s.region.name, Min: g.min, Desired: g.desired, Max: g.max, Tags: map[string]string{},
	}
	for _, m := range g.members {
		out.Instances = append(out.Instances, m.id)
	}
	for _, p := range g.suspended {
		out.Suspended = append(out.Suspended, p.process)
	}
	for _, t := range g.tags {
		out.Tags[t.Key] = t.Value
	}
	return out
}

// Group gives one Auto Scaling group.
func (c *Cloud) Group(account, region, name string) (Group, bool) {
	s, g := c.groupHolder(account, region, name)
	if s == nil {
		return Group{}, false
	}
	defer s.mu.Unlock()
	return s.groupNow(g), true
}

// ScaleGroup sets the size of a group as a person at the console would: outside
// the buckets, the faults and the log.
func (c *Cloud) ScaleGroup(account, region, name string, lo, desired, hi int) error {
	if lo < 0 || hi > maxGroupSize || lo > desired || desired > hi {
		return fmt.Errorf("scale group %s to %d-%d-%d: min, desired and max must be in this order, from 0 to %d", name, lo, desired, hi, maxGroupSize)
	}
	s, g := c.groupHolder(account, region, name)
	if s == nil {
		return fmt.Errorf("scale group %s: there is no such group in account %s, %s", name, account, region)
	}
	defer s.mu.Unlock()
	g.min, g.desired, g.max = lo, desired, hi
	s.tend(c.Now().UnixNano())
	return nil
}

// TagGroup sets tags of a group as a person would; an empty value removes the tag.
func (c *Cloud) TagGroup(account, region, name string, tags map[string]string) error {
	s, g := c.groupHolder(account, region, name)
	if s == nil {
		return fmt.Errorf("tag group %s: there is no such group in account %s, %s", name, account, region)
	}
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		g.tags = slices.DeleteFunc(g.tags, func(t groupTag) bool { return t.Key == key })
		if tags[key] != "" {
			g.tags = append(g.tags, groupTag{Tag: Tag{key, tags[key]}})
		}
	}
	return nil
}

// groupHolder finds a group and locks its scope.
func (c *Cloud) groupHolder(account, region, name string) (*scope, *scalingGroup) {
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	s.tend(c.Now().UnixNano())
	if g := s.group(name); g != nil {
		return s, g
	}
	s.mu.Unlock()
	return nil, nil
}
