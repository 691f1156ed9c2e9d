package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EC2 instance states, in the order of stateNames.
const (
	pending uint8 = iota
	running
	shuttingDown
	terminated
	stopping
	stopped
)

var stateNames = [...]string{"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}

var stateCodes = [...]int{0, 16, 32, 48, 64, 80}

// lingers is how long a terminated instance is still listed.
const lingers = int64(time.Hour)

// traits are what an instance is or forbids.
type traits uint16

const (
	spot traits = 1 << iota
	spotPersistent
	ebsOptimized
	hibernates
	apiStopDisabled
	apiTerminationDisabled
	terminateOnShutdown
	instanceStoreRoot
	rootMissing
	monitored
	interruptionStops      // what becomes of a Spot instance that AWS takes back
	interruptionHibernates // terminated when neither is set
	placed                 // holds a place in its capacity pool
	addressed              // its private address was chosen, not given by number
)

// instance is one EC2 instance. It is kept small: a test may hold a million.
type instance struct {
	id       string
	seq      uint64 // order in listings
	typ      *instanceType
	image    *image
	zone     string
	site     *place
	key      string
	token    string // client token
	group    uint64 // of launched instances: the reservation
	index    int32
	ip       uint32
	is       traits
	launched int64
	before   int64 // the launch before, which late readers still find
	tags     []Tag
	line     timeline
	old      *lateView
	guest    *Guest // nil: no agent of Systems Manager
	// startError is the code with which every start is refused, or for a code
	// that begins with Client. or Server. the reason it falls back to stopped.
	startError string
}

// lateView is what a reader who sees the world late still finds.
type lateView struct {
	until int64
	typ   *instanceType
	tags  []Tag
}

// Tag is a key and its value.
type Tag struct{ Key, Value string }

func tagValue(tags []Tag, key string) string {
	for _, t := range tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

func (i *instance) name() string { return tagValue(i.tags, "Name") }

// state is the true state at t.
func (i *instance) state(t int64) uint8 { return i.line.when(t).state }

// gone reports whether the instance is no longer listed at t.
func (i *instance) gone(t int64) bool {
	p := i.line.when(t)
	return p != nil && p.state == terminated && t-p.at > lingers
}

// remember keeps the present type and tags for late readers.
func (i *instance) remember(now int64) { i.old = &lateView{now, i.typ, i.tags} }

func (i *instance) pool() poolKey { return poolKey{i.zone, i.typ.name} }

// add lists a new instance; the scope's lock is held.
func (s *scope) add(i *instance) {
	s.seq++
	if i.is&addressed != 0 {
		s.named[i.address4()] = true
	} else {
		for s.named[address{i.site.vpc, numberedAddress(s.seq)}] {
			s.seq++
		}
		i.ip = numberedAddress(s.seq)
	}
	i.seq = s.seq
	s.instances = append(s.instances, i)
	s.byID[i.id] = i
}

// find gives the position of the first instance with a number of at least seq,
// and whether it has that number; the scope's lock is held.
func (s *scope) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(s.instances, seq, func(i *instance, seq uint64) int { return cmp.Compare(i.seq, seq) })
}

// sweep forgets instances that were terminated more than an hour ago, after the
// groups did what was due.
func (s *scope) sweep(now int64) {
	s.tend(now)
	if s.leaving == 0 {
		return
	}
	s.instances = slices.DeleteFunc(s.instances, func(i *instance) bool {
		if !i.gone(now) {
			return false
		}
		s.c.forget(i)
		delete(s.byID, i.id)
		delete(s.named, i.address4())
		s.leaving--
		return true
	})
}

// seenAt is the instant whose news a listing shows of the instance: now, or
// earlier under eventual consistency and stale faults.
func (k *call) seenAt(i *instance) int64 {
	now := k.ns()
	at := now
	if ec := k.c.opt.EventualConsistency; ec > 0 {
		last := i.line.changed(now)
		if i.old != nil {
			last = max(last, i.old.until)
		}
		if last != always {
			lag := int64(hash(k.c.seed, "lag", i.id, last) % uint64(ec))
			if now < last+lag {
				at = last - 1
			}
		}
	}
	if k.hasFault(FaultStale) {
		if f := k.strikes(FaultStale, i.id, i.name()); f != nil {
			at = min(at, now-int64(f.For))
		}
	}
	return at
}

// sight is an instance as one listing sees it.
type sight struct {
	*instance
	s    *scope
	at   int64
	p    *phase
	typ  *instanceType
	tags []Tag

	launched int64
}

// look gives the instance as the call may see it; false when it does not yet
// or no longer exist.
func (k *call) look(i *instance) (sight, bool) {
	v := sight{instance: i, s: k.scope, at: k.seenAt(i), typ: i.typ, tags: i.tags, launched: i.launched}
	v.p = i.line.when(v.at)
	if v.at < i.launched && i.before != 0 {
		v.launched = i.before
	}
	if i.old != nil && v.at < i.old.until {
		v.typ, v.tags = i.old.typ, i.old.tags
	}
	return v, v.p != nil && !i.gone(k.ns())
}

// pick finds the instances of a batch, all or none, in the order of the
// request and each once. The scope's lock is held.
func (k *call) pick() ([]*instance, *Error) {
	ids := k.p.list("InstanceId")
	if len(ids) == 0 && k.p["InstanceId"] != "" {
		ids = []string{k.p["InstanceId"]}
	}
	if len(ids) == 0 {
		return nil, refuse("MissingParameter", "The request must contain the parameter InstanceId")
	}
	return k.findAll(ids, false)
}

// findAll finds instances by id. A listing does not find those it cannot see
// yet.
func (k *call) findAll(ids []string, listing bool) ([]*instance, *Error) {
	for _, id := range ids {
		if !idForm(id, "i-") {
			return nil, refuse("InvalidInstanceID.Malformed", `Invalid id: "%s"`, id)
		}
	}
	k.scope.sweep(k.ns())
	out := make([]*instance, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	var unknown []string
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		i := k.scope.byID[id]
		if i != nil && listing {
			if _, ok := k.look(i); !ok {
				i = nil
			}
		}
		if i == nil {
			unknown = append(unknown, id)
			continue
		}
		out = append(out, i)
	}
	switch len(unknown) {
	case 0:
		return out, nil
	case 1:
		return nil, refuse("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", unknown[0])
	}
	return nil, refuse("InvalidInstanceID.NotFound", "The instance IDs '%s' do not exist", strings.Join(unknown, ", "))
}

// changeSet writes the answer of an action on states.
func changeSet(w *xw, list []*instance, before []uint8, now int64) {
	w.open("instancesSet")
	for n, i := range list {
		w.open("item")
		w.el("instanceId", i.id)
		w.open("currentState")
		writeState(w, i.state(now))
		w.close("currentState")
		w.open("previousState")
		writeState(w, before[n])
		w.close("previousState")
		w.close("item")
	}
	w.close("instancesSet")
}

func writeState(w *xw, s uint8) {
	w.int("code", stateCodes[s])
	w.el("name", stateNames[s])
}

func states(list []*instance, now int64) []uint8 {
	out := make([]uint8, len(list))
	for n, i := range list {
		out[n] = i.state(now)
	}
	return out
}

func startInstances(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	list, e := k.pick()
	if e != nil {
		return e
	}
	var starting []*instance
	fallBack := map[*instance]uint16{}
	for _, i := range list {
		switch st := i.state(now); st {
		case running, pending:
			continue
		case stopped:
		default:
			return refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be started.", i.id)
		}
		if i.is&rootMissing != 0 {
			return refuse("IncorrectInstanceState", "Invalid value '%s' for instanceId. Instance does not have a volume attached at root (%s)", i.id, i.image.root)
		}
		code, message := i.startError, ""
		if f := k.strikes(FaultCannotStart, i.id, i.name()); f != nil {
			code, message = cmp.Or(f.Code, "IncorrectInstanceState"), f.Message
		} else if f := k.strikes(FaultFallBack, i.id, i.name()); f != nil {
			code, message = cmp.Or(f.Code, "Client.InternalError"), f.Message
		}
		switch {
		case code == "":
			starting = append(starting, i)
		case strings.HasPrefix(code, "Client.") || strings.HasPrefix(code, "Server."):
			fallBack[i] = k.c.reasonIndex(code, code+": "+cmp.Or(message, "Client error on launch"))
		default:
			return refuse(code, "%s", cmp.Or(message, fmt.Sprintf("The instance '%s' is not in a state from which it can be started.", i.id)))
		}
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	need, e := k.c.uncovered(k.scope, starting, now)
	if e != nil {
		return e
	}
	if e := k.short(need); e != nil {
		return e
	}
	if e := k.drawResources(len(list)); e != nil {
		return e
	}
	if e := k.c.place(k.scope, starting, now); e != nil {
		return e
	}
	before := states(list, now)
	for n, i := range list {
		if before[n] != stopped {
			continue
		}
		if r, ok := fallBack[i]; ok {
			i.line.turn(now, phase{at: now, state: pending}, phase{at: now + k.c.lasts("ec2-fall-back", i.id, now), state: stopped, reason: r})
			continue
		}
		k.c.boot(i, now)
	}
	changeSet(w, list, before, now)
	return nil
}

// boot sets an instance pending that has its place; the scope's
// lock is held.
func (c *Cloud) boot(i *instance, now int64) {
	i.before, i.launched = i.launched, now
	i.line.turn(now, phase{at: now, state: pending}, phase{at: now + c.lasts("ec2-pending", i.id, now), state: running})
}

// short refuses when an injected shortage concerns one of the pools.
func (k *call) short(need map[poolKey]int) *Error {
	for p := range need {
		for _, f := range k.faults {
			if f.Kind == FaultCapacity && or(f.Type, p.typ) && or(f.Zone, p.zone) && k.c.hit(f) {
				k.log.Fault = string(FaultCapacity)
				return insufficient(p)
			}
		}
	}
	return nil
}

func insufficient(p poolKey) *Error {
	return refuse("InsufficientInstanceCapacity", "We currently do not have sufficient %s capacity in the Availability Zone you requested (%s). "+
		"Our system will be working on provisioning additional capacity.", p.typ, p.zone)
}

func stopInstances(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	hibernate, e := k.p.boolean("Hibernate", false)
	if e != nil {
		return e
	}
	if _, e := k.p.boolean("Force", false); e != nil { // a simulated system always shuts down in order
		return e
	}
	list, e := k.pick()
	if e != nil {
		return e
	}
	for _, i := range list {
		switch i.state(now) {
		case stopped, stopping:
			continue
		case running:
		default:
			return refuse("IncorrectInstanceState", "This instance '%s' is not in a state from which it can be stopped.", i.id)
		}
		switch {
		case i.is&instanceStoreRoot != 0:
			return refuse("UnsupportedOperation", "The instance '%s' does not have an 'ebs' root device type and cannot be stopped.", i.id)
		case i.is&spot != 0 && i.is&spotPersistent == 0:
			return refuse("UnsupportedOperation", "You can't stop the Spot Instance '%s' because it is associated with a one-time Spot Instance request. "+
				"You can only stop Spot Instances associated with persistent Spot Instance requests.", i.id)
		case i.is&apiStopDisabled != 0:
			return refuse("OperationNotPermitted", "The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", i.id)
		case hibernate && i.is&hibernates == 0:
			return refuse("UnsupportedHibernationConfiguration", "Instance %s is not configured for hibernation.", i.id)
		}
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	if e := k.drawResources(len(list)); e != nil {
		return e
	}
	before := states(list, now)
	for _, i := range list {
		k.c.stop(i, now, hibernate)
	}
	changeSet(w, list, before, now)
	return nil
}

// stop sets a running instance stopping; the scope's lock is held.
func (c *Cloud) stop(i *instance, now int64, hibernate bool) {
	if st := i.state(now); st != running && st != pending {
		return
	}
	what, why := "ec2-stopping", userStop
	if hibernate {
		what, why = "ec2-hibernating", userHibernate
	}
	i.line.turn(now, phase{at: now, state: stopping, reason: why},
		phase{at: now + c.lasts(what, i.id, now), state: stopped, reason: why})
	c.release(i)
}

func rebootInstances(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	list, e := k.pick()
	if e != nil {
		return e
	}
	for _, i := range list {
		switch i.state(k.ns()) {
		case running, terminated: // AWS ignores requests to reboot terminated ones
		default:
			return refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be rebooted.", i.id)
		}
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.flag("return", true)
	return nil
}

func terminateInstances(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	list, e := k.pick()
	if e != nil {
		return e
	}
	for _, i := range list {
		if i.is&apiTerminationDisabled != 0 && i.state(now) != terminated {
			return refuse("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", i.id)
		}
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	if e := k.drawResources(len(list)); e != nil {
		return e
	}
	before := states(list, now)
	for _, i := range list {
		k.c.terminate(k.scope, i, now)
	}
	changeSet(w, list, before, now)
	return nil
}

// terminate ends an instance; the scope's lock is held.
func (c *Cloud) terminate(s *scope, i *instance, now int64) {
	st := i.state(now)
	if st == terminated || st == shuttingDown {
		return
	}
	c.release(i)
	end := now
	if st != stopped { // a stopped one has nothing to shut down
		end += c.lasts("ec2-shutting-down", i.id, now)
	}
	i.line.turn(now, phase{at: now, state: shuttingDown, reason: userTerminate}, phase{at: end, state: terminated, reason: userTerminate})
	s.leaving++
}

// launch is what a client token of RunInstances stands for.
type launch struct {
	question uint64
	group    uint64
	at       int64
	ids      []string
}

func runInstances(k *call, w *xw) *Error {
	p := k.p
	if e := p.need("ImageId", "MinCount", "MaxCount"); e != nil {
		return e
	}
	lo, e := p.number("MinCount", 0, 1, 100_000)
	if e != nil {
		return e
	}
	hi, e := p.number("MaxCount", 0, 1, 100_000)
	if e != nil {
		return e
	}
	if lo > hi {
		return refuse("InvalidParameterValue", "The maximum instance count (%d) must not be smaller than the minimum (%d)", hi, lo)
	}
	if e := checkImage(k.c, p["ImageId"]); e != nil {
		return e
	}
	img := k.c.image(p["ImageId"])
	typ := instanceTypes[cmp.Or(p["InstanceType"], "m1.small")]
	if typ == nil {
		return refuse("InvalidParameterValue", "Invalid value '%s' for InstanceType.", p["InstanceType"])
	}
	if typ.arch != img.arch {
		return refuse("InvalidParameterValue", "The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI.", typ.arch, img.arch)
	}
	zone, e := k.zone()
	if e != nil {
		return e
	}
	for _, g := range p.list("SecurityGroupId") {
		if g != k.scope.net.group {
			return refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", g)
		}
	}
	is, e := k.launchTraits(typ)
	if e != nil {
		return e
	}
	tags, e := k.tagsFor("TagSpecification", "instance")
	if e != nil {
		return e
	}
	want, e := k.preference("CapacityReservationSpecification.")
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}

	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	k.scope.sweep(now)
	token, question := p["ClientToken"], k.question("ClientToken")
	if len(token) > 64 {
		return refuse("InvalidParameterValue", "Value (%s) for parameter ClientToken is invalid. It must be at most 64 characters.", token)
	}
	if before, ok := k.scope.tokens[token]; ok && token != "" {
		if before.question != question {
			return refuse("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
		}
		return k.writeLaunch(w, before)
	}
	if len(k.scope.instances)+lo > maxPerScope {
		return refuse("InstanceLimitExceeded", "You have requested more instances (%d) than the simulator holds for one account and region (%d).", len(k.scope.instances)+lo, maxPerScope)
	}
	like := instance{typ: typ, image: img, zone: zone, site: k.scope.net.places[zone], key: p["KeyName"], token: token, is: is, launched: now}
	n, e := k.roomFor(like, want, lo, hi)
	if e != nil {
		return e
	}
	if e := k.drawResources(n); e != nil {
		return e
	}
	l := launch{question: question, group: k.c.mint(), at: now}
	list := make([]*instance, n)
	for j := range list {
		i := like
		i.id, i.group, i.index, i.tags = k.c.instanceID(), l.group, int32(j), slices.Clone(tags)
		list[j] = &i
	}
	plain := want == preference{how: preferOpen}
	if !plain {
		k.c.prefer(list, want)
	}
	if e := k.c.place(k.scope, list, now); e != nil {
		if !plain {
			k.c.prefer(list, preference{})
		}
		return e
	}
	for _, i := range list {
		i.line = timeline{{at: now, state: pending}, {at: now + k.c.lasts("ec2-pending", i.id, now), state: running}}
		if f := k.strikes(FaultFallBack, i.id, i.name()); f != nil { // a launch that fails terminates
			code := cmp.Or(f.Code, "Client.InternalError")
			i.line[1] = phase{at: now + k.c.lasts("ec2-fall-back", i.id, now), state: terminated, reason: k.c.reasonIndex(code, code+": "+cmp.Or(f.Message, "Client error on launch"))}
			k.scope.leaving++
			k.c.release(i)
		}
		k.scope.add(i)
		l.ids = append(l.ids, i.id)
		k.log.Resources = append(k.log.Resources, i.id)
	}
	if token != "" {
		k.scope.keepToken(token, l)
	}
	return k.writeLaunch(w, l)
}

// Client tokens are kept for a day, and longer while there are few.
const (
	tokenDay = int64(24 * time.Hour)
	fewToken = 10_000
)

func (s *scope) keepToken(token string, l launch) {
	if len(s.tokens) >= fewToken {
		for t, old := range s.tokens {
			if l.at-old.at > tokenDay {
				delete(s.tokens, t)
			}
		}
	}
	s.tokens[token] = l
}

// writeLaunch writes the reservation that a launch made.
func (k *call) writeLaunch(w *xw, l launch) *Error {
	now := k.ns()
	var list []sight
	for _, id := range l.ids {
		if i := k.scope.byID[id]; i != nil {
			list = append(list, sight{i, k.scope, now, i.line.when(now), i.typ, i.tags, i.launched})
		}
	}
	w.el("reservationId", hex17("r-", l.group))
	w.el("ownerId", k.scope.account.id)
	w.raw("<groupSet/>")
	w.open("instancesSet")
	for _, v := range list {
		writeInstance(w, v)
	}
	w.close("instancesSet")
	return nil
}

func (c *Cloud) instanceID() string { return hex17("i-", c.mint()) }

// zone is where a launch goes: as asked, or by the seed.
func (k *call) zone() (string, *Error) {
	zone, subnet := k.p["Placement.AvailabilityZone"], k.p["SubnetId"]
	if t := k.p["Placement.Tenancy"]; t != "" && t != "default" {
		return "", refuse("UnsupportedOperation", "The simulator has no tenancy but default, not '%s'.", t)
	}
	if zone != "" && !k.who.region.hasZone(zone) {
		return "", refuse("InvalidParameterValue", "Invalid availability zone: [%s]", zone)
	}
	if subnet != "" {
		for z, at := range k.scope.net.places {
			if at.subnet == subnet {
				if zone != "" && zone != z {
					return "", refuse("InvalidParameterValue", "The availability zone '%s' does not match the subnet's '%s'", zone, z)
				}
				return z, nil
			}
		}
		return "", refuse("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", subnet)
	}
	if zone == "" {
		zones := k.who.region.zoneNames()
		zone = zones[hash(k.c.seed, "zone", k.log.RequestID)%uint64(len(zones))]
	}
	return zone, nil
}

func (k *call) launchTraits(typ *instanceType) (is traits, e *Error) {
	for _, b := range []struct {
		param string
		trait traits
	}{
		{"EbsOptimized", ebsOptimized},
		{"Monitoring.Enabled", monitored},
		{"DisableApiStop", apiStopDisabled},
		{"DisableApiTermination", apiTerminationDisabled},
		{"HibernationOptions.Configured", hibernates},
	} {
		on, e := k.p.boolean(b.param, false)
		if e != nil {
			return 0, e
		}
		if on {
			is |= b.trait
		}
	}
	if is&hibernates != 0 && !typ.hibernate {
		return 0, refuse("UnsupportedHibernationConfiguration", "The instance type %s does not support hibernation.", typ.name)
	}
	switch v := k.p["InstanceInitiatedShutdownBehavior"]; v {
	case "", "stop":
	case "terminate":
		is |= terminateOnShutdown
	default:
		return 0, refuse("InvalidParameterValue", "Value (%s) for parameter instanceInitiatedShutdownBehavior is invalid. Expected stop or terminate.", v)
	}
	switch v := k.p["InstanceMarketOptions.MarketType"]; v {
	case "":
	case "spot":
		is |= spot
		switch t := k.p["InstanceMarketOptions.SpotOptions.SpotInstanceType"]; t {
		case "", "one-time":
		case "persistent":
			is |= spotPersistent
		default:
			return 0, refuse("InvalidParameterValue", "Invalid value '%s' for SpotInstanceType.", t)
		}
		switch b := k.p["InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior"]; {
		case b == "", b == "terminate":
		case b == "stop" && is&spotPersistent != 0:
			is |= interruptionStops
		case b == "hibernate" && is&spotPersistent != 0:
			is |= interruptionHibernates
		default:
			return 0, refuse("InvalidParameterCombination", "The interruption behavior '%s' needs a persistent Spot request.", b)
		}
	default:
		return 0, refuse("InvalidParameterValue", "Invalid value '%s' for MarketType.", v)
	}
	return is, nil
}

// tagsFor reads the tags of what a request makes, of one type of resources.
// Most requests say TagSpecification, some TagSpecifications.
func (k *call) tagsFor(param, resource string) ([]Tag, *Error) {
	var tags []Tag
	for _, i := range k.p.indexes(param) {
		pre := param + "." + i + "."
		if t := k.p[pre+"ResourceType"]; t != resource {
			return nil, refuse("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", t)
		}
		given, e := k.readTags(pre + "Tag")
		if e != nil {
			return nil, e
		}
		tags = append(tags, given...)
	}
	return mergeTags(nil, tags)
}

func modifyInstanceAttribute(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	list, e := k.pick()
	if e != nil {
		return e
	}
	i := list[0]
	attr, value := k.p["Attribute"], k.p["Value"]
	given := 0
	if attr != "" {
		given++
	}
	for name := range attributes {
		param := strings.ToUpper(name[:1]) + name[1:] + ".Value"
		if v, ok := k.p[param]; ok {
			attr, value = name, v
			given++
		}
	}
	switch {
	case given == 0:
		return refuse("InvalidParameterCombination", "No attributes specified.")
	case given > 1:
		return refuse("InvalidParameterCombination", "Fields for multiple attribute types specified")
	}
	trait, ok := attributes[attr]
	if !ok {
		return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", attr)
	}
	if i.state(now) == terminated {
		return refuse("IncorrectInstanceState", "The instance '%s' is terminated.", i.id)
	}
	needsStopped := attr == "instanceType" || attr == "ebsOptimized"
	if needsStopped && i.state(now) != stopped {
		return refuse("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", i.id)
	}
	if attr == "instanceType" {
		t := instanceTypes[value]
		if t == nil {
			return refuse("InvalidInstanceAttributeValue", "Invalid value '%s' for InstanceType.", value)
		}
		if t.arch != i.typ.arch {
			return refuse("InvalidParameterCombination", "The architecture '%s' of the instance type '%s' does not match the architecture '%s' of the instance's AMI.", t.arch, t.name, i.typ.arch)
		}
		if e := k.dryRun(); e != nil {
			return e
		}
		i.remember(now)
		i.typ = t
		w.flag("return", true)
		return nil
	}
	var on bool
	if attr == "instanceInitiatedShutdownBehavior" {
		if value != "stop" && value != "terminate" {
			return refuse("InvalidParameterValue", "Value (%s) for parameter instanceInitiatedShutdownBehavior is invalid. Expected stop or terminate.", value)
		}
		on = value == "terminate"
	} else if on, e = (params{attr: value}).boolean(attr, false); e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	if on {
		i.is |= trait
	} else {
		i.is &^= trait
	}
	w.flag("return", true)
	return nil
}

// attributes are the instance attributes that are modelled.
var attributes = map[string]traits{
	"instanceType": 0, "disableApiStop": apiStopDisabled, "disableApiTermination": apiTerminationDisabled,
	"ebsOptimized": ebsOptimized, "instanceInitiatedShutdownBehavior": terminateOnShutdown,
}

func describeInstanceAttribute(k *call, w *xw) *Error {
	if e := k.p.need("InstanceId", "Attribute"); e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	list, e := k.pick()
	if e != nil {
		return e
	}
	i, attr := list[0], k.p["Attribute"]
	trait, ok := attributes[attr]
	if !ok {
		return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", attr)
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.el("instanceId", i.id)
	w.open(attr)
	switch attr {
	case "instanceType":
		w.el("value", i.typ.name)
	case "instanceInitiatedShutdownBehavior":
		v := "stop"
		if i.is&terminateOnShutdown != 0 {
			v = "terminate"
		}
		w.el("value", v)
	default:
		w.flag("value", i.is&trait != 0)
	}
	w.close(attr)
	return nil
}
