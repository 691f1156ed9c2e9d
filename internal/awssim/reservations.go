package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AWS's bounds on reservations.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateCapacityReservation.html
const (
	maxReserved = 1000 // in one request
	// A future-dated one begins so much later than it is asked for.
	earliestStart, latestStart = 5 * 24 * time.Hour, 120 * 24 * time.Hour
	// It is of one of these families, and of so many vCPUs at least. How long the commitment
	// has to be, the page of the API leaves open.
	datedFamilies  = "cmritg"
	datedVCPUs     = 32
	leastCommitted = 14 * 24 * time.Hour
)

// platforms are the operating systems that AWS reserves for.
var platforms = []string{
	"Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows", "Windows with SQL Server", "Windows with SQL Server Enterprise",
	"Windows with SQL Server Standard", "Windows with SQL Server Web", "Linux with SQL Server Standard", "Linux with SQL Server Web",
	"Linux with SQL Server Enterprise", "RHEL with SQL Server Standard", "RHEL with SQL Server Enterprise", "RHEL with SQL Server Web",
	"RHEL with HA", "RHEL with HA and SQL Server Standard", "RHEL with HA and SQL Server Enterprise", "Ubuntu Pro",
}

func invalidParameter(name, value, expected string) *Error {
	return refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid. %s", value, name, expected)
}

// oneOf reads a parameter with a few values.
func (p params) oneOf(name, def string, allowed ...string) (string, *Error) {
	v := cmp.Or(p[name], def)
	if !slices.Contains(allowed, v) {
		return "", invalidParameter(name, v, "Expected one of: "+strings.Join(allowed, ", "))
	}
	return v, nil
}

// instant reads a time of ISO 8601, in nanoseconds; 0 where it is not given.
func (p params) instant(name string) (int64, *Error) {
	text, ok := p[name]
	if !ok {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 2000 && t.Year() < 2200 { // beyond, nanoseconds end
			return t.UnixNano(), nil
		}
	}
	return 0, invalidParameter(name, text, "Expected a date and time such as 2026-11-30T12:00:00.000Z")
}

// preference reads what a launch says of reservations; pre goes before the names.
func (k *call) preference(pre string) (preference, *Error) {
	how, e := k.p.oneOf(pre+"CapacityReservationPreference", preferOpen, preferOpen, preferNone, preferOnly)
	if e != nil {
		return preference{}, e
	}
	target := k.p[pre+"CapacityReservationTarget.CapacityReservationId"]
	if target == "" {
		return preference{how: how}, nil
	}
	if k.p.has(pre+"CapacityReservationPreference") && how != preferOnly {
		return preference{}, refuse("InvalidParameterCombination", "CapacityReservationPreference '%s' and CapacityReservationTarget cannot be used together", how)
	}
	k.c.poolMu.Lock()
	defer k.c.poolMu.Unlock()
	k.c.ledger.settle(k.ns())
	_, e = k.reservation(target)
	return preference{how: how, target: target}, e
}

// reservation finds a reservation of the caller by id; poolMu is held.
func (k *call) reservation(id string) (*odcr, *Error) {
	if !idForm(id, "cr-") {
		return nil, refuse("InvalidCapacityReservationId.Malformed", `Invalid id: "%s" (expecting "cr-...")`, id)
	}
	r := k.c.ledger.find(k.scope, id)
	if r == nil {
		return nil, refuse("InvalidCapacityReservationId.NotFound", "The Capacity Reservation ID '%s' does not exist", id)
	}
	return r, nil
}

// roomFor is how many instances, lo to hi, can be launched now. The scope's lock is held.
func (k *call) roomFor(like instance, want preference, lo, hi int) (int, *Error) {
	n, covered := k.c.room(k.scope, &like, want, hi, k.ns())
	if covered < hi {
		if e := k.short(map[poolKey]int{like.pool(): hi - covered}); e != nil {
			n = covered
		}
	}
	switch {
	case n >= lo:
		return n, nil
	case want.target != "" || want.how == preferOnly:
		return 0, reservationFull()
	}
	return 0, insufficient(like.pool())
}

// endDate reads when a reservation ends, 0: never; given says whether it was said.
func (k *call) endDate() (end int64, given bool, e *Error) {
	kind, e := k.p.oneOf("EndDateType", "unlimited", "unlimited", "limited")
	if e != nil {
		return 0, false, e
	}
	if end, e = k.p.instant("EndDate"); e != nil {
		return 0, false, e
	}
	switch {
	case kind == "limited" && end == 0:
		return 0, false, refuse("InvalidParameterCombination", "EndDate must be provided when EndDateType is limited")
	case kind == "unlimited" && end != 0:
		return 0, false, refuse("InvalidParameterCombination", "EndDate must not be provided when EndDateType is unlimited")
	case end != 0 && end <= k.ns():
		return 0, false, invalidParameter("EndDate", k.p["EndDate"], "The end date must be in the future")
	}
	return end, k.p.has("EndDateType"), nil
}

func createCapacityReservation(k *call, w *xw) *Error {
	r, e := k.orderedReservation()
	if e != nil {
		return e
	}
	k.log.Instances = r.total
	if e := k.dryRun(); e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.sweep(k.ns())
	if r.token != "" {
		if before, e := k.before(r); e != nil || before != nil {
			if before != nil {
				writeCreated(k, w, before)
			}
			return e
		}
	}
	if r.state != odcrAssessing {
		if e := k.short(map[poolKey]int{r.pool(): r.total}); e != nil {
			return e
		}
	}
	r.id = hex17("cr-", k.c.mint())
	if r.state == odcrAssessing {
		r.ready = k.ns() + k.c.lasts("odcr-assessing", r.id, k.ns())
	} else if wait := k.c.lasts("odcr-pending", r.id, k.ns()); wait > 0 {
		r.state, r.ready = odcrPending, k.ns()+wait
	}
	if e := k.c.enlist(r, k.ns()); e != nil {
		return e
	}
	k.log.Resources = append(k.log.Resources, r.id)
	writeCreated(k, w, r)
	return nil
}

// enlist enters a reservation that is made now, if its pool has the places. The scope's lock is held.
func (c *Cloud) enlist(r *odcr, now int64) *Error {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	l := &c.ledger
	l.settle(now)
	reserved := r.total
	for _, o := range l.odcrs[r.s] {
		reserved += o.total
	}
	if reserved > maxPerScope {
		return refuse("InstanceLimitExceeded", "You have requested more instances (%d) than the simulator reserves for one account and region (%d).", reserved, maxPerScope)
	}
	if r.holds() && !r.block {
		n := r.total
		r.total, r.users = 0, map[*instance]bool{}
		if !l.widen(r, n) {
			return insufficient(r.pool())
		}
	}
	l.list(r, now)
	c.reserved.Store(true)
	return nil
}

// before finds the reservation that the client token stands for; the scope's lock is held.
func (k *call) before(r *odcr) (*odcr, *Error) {
	k.c.poolMu.Lock()
	defer k.c.poolMu.Unlock()
	k.c.ledger.settle(k.ns())
	for _, o := range k.c.ledger.odcrs[k.scope] {
		if o.token != r.token {
			continue
		}
		if o.question != r.question {
			return nil, refuse("IdempotentParameterMismatch", "The client token '%s' was used before with other parameters.", r.token)
		}
		return o, nil
	}
	return nil, nil
}

func writeCreated(k *call, w *xw, r *odcr) {
	k.c.poolMu.Lock()
	defer k.c.poolMu.Unlock()
	w.open("capacityReservation")
	writeReservation(w, r, r.odcrShape)
	w.close("capacityReservation")
}

// orderedReservation reads what is to be reserved.
func (k *call) orderedReservation() (*odcr, *Error) {
	p := k.p
	if e := p.need("InstanceType", "InstancePlatform", "InstanceCount"); e != nil {
		return nil, e
	}
	r := &odcr{s: k.scope, token: p["ClientToken"], question: k.question("ClientToken"), created: k.ns(), start: k.ns()}
	if len(r.token) > 64 {
		return nil, invalidParameter("ClientToken", r.token, "It must be at most 64 characters.")
	}
	if r.typ = instanceTypes[p["InstanceType"]]; r.typ == nil {
		return nil, refuse("InvalidParameterValue", "Invalid value '%s' for InstanceType.", p["InstanceType"])
	}
	var e *Error
	if r.total, e = p.number("InstanceCount", 0, 1, maxReserved); e != nil {
		return nil, e
	}
	if r.zone, e = k.reservedZone(); e != nil {
		return nil, e
	}
	if r.platform, e = p.oneOf("InstancePlatform", "", platforms...); e != nil {
		return nil, e
	}
	if r.tenancy, e = p.oneOf("Tenancy", "default", "default", "dedicated"); e != nil {
		return nil, e
	}
	if r.match, e = p.oneOf("InstanceMatchCriteria", "open", "open", "targeted"); e != nil {
		return nil, e
	}
	if r.ebsOptimized, e = p.boolean("EbsOptimized", false); e != nil {
		return nil, e
	}
	if r.ebsOptimized && r.typ.ebs == ebsUnsupported {
		return nil, refuse("Unsupported", "The requested configuration is currently not supported. Please check the documentation for supported configurations.")
	}
	if r.placementGroup = p["PlacementGroupArn"]; r.placementGroup != "" && !strings.Contains(r.placementGroup, ":placement-group/") {
		return nil, invalidParameter("PlacementGroupArn", r.placementGroup, "Expected the ARN of a placement group")
	}
	if r.end, _, e = k.endDate(); e != nil {
		return nil, e
	}
	if r.tags, e = k.tagsFor("TagSpecifications", "capacity-reservation"); e != nil {
		return nil, e
	}
	r.state = odcrActive
	return r, k.readDate(r)
}

// reservedZone is the zone of a reservation, by its name or its id.
func (k *call) reservedZone() (string, *Error) {
	name, id := k.p["AvailabilityZone"], k.p["AvailabilityZoneId"]
	switch {
	case name == "" && id == "":
		return "", refuse("MissingParameter", "The request must contain the parameter AvailabilityZone or AvailabilityZoneId")
	case name != "" && id != "":
		return "", refuse("InvalidParameterCombination", "The parameters AvailabilityZone and AvailabilityZoneId cannot be used together")
	}
	for _, z := range k.who.region.zoneNames() {
		if z == name || zoneID(z) == id {
			return z, nil
		}
	}
	return "", refuse("InvalidParameterValue", "Invalid availability zone: [%s]", name+id)
}

// readDate reads when a future-dated reservation begins, and for how long it is committed.
func (k *call) readDate(r *odcr) *Error {
	start, e := k.p.instant("StartDate")
	if e != nil {
		return e
	}
	if start == 0 {
		for _, name := range []string{"CommitmentDuration", "DeliveryPreference"} {
			if k.p.has(name) {
				return refuse("InvalidParameterCombination", "The parameter %s needs the parameter StartDate", name)
			}
		}
		return nil
	}
	if e := k.p.need("CommitmentDuration"); e != nil {
		return e
	}
	seconds, err := strconv.ParseInt(k.p["CommitmentDuration"], 10, 64)
	if err != nil || seconds < int64(leastCommitted/time.Second) || seconds > int64(10*365*24*time.Hour/time.Second) {
		return invalidParameter("CommitmentDuration", k.p["CommitmentDuration"], fmt.Sprintf("Expected at least %d seconds", leastCommitted/time.Second))
	}
	if _, e := k.p.oneOf("DeliveryPreference", "", "incremental"); e != nil {
		return e
	}
	r.start, r.committed, r.dated, r.promised, r.state = start, seconds*int64(time.Second), true, r.total, odcrAssessing
	switch ahead := time.Duration(start - k.ns()); {
	case ahead < earliestStart || ahead > latestStart:
		return invalidParameter("StartDate", k.p["StartDate"], "A future-dated Capacity Reservation starts between 5 and 120 days from now")
	case r.match != "targeted":
		return refuse("InvalidParameterCombination", "A future-dated Capacity Reservation must have the instance match criteria targeted")
	case !strings.Contains(datedFamilies, r.typ.name[:1]):
		return refuse("Unsupported", "Future-dated Capacity Reservations are not supported for the instance type %s", r.typ.name)
	case r.total*r.typ.vcpu < datedVCPUs:
		return invalidParameter("InstanceCount", strconv.Itoa(r.total), fmt.Sprintf("A future-dated Capacity Reservation needs at least %d vCPUs", datedVCPUs))
	case r.placementGroup != "":
		return refuse("InvalidParameterCombination", "A future-dated Capacity Reservation cannot be in a placement group")
	case r.end != 0 && r.end < start+r.committed:
		return invalidParameter("EndDate", k.p["EndDate"], "The end date is within the commitment duration")
	}
	return nil
}

// holdReservations keeps the reservations of the scope, brought up to now, to
// the call until what it returns is called.
func (k *call) holdReservations() (release func()) {
	k.scope.mu.Lock()
	k.scope.sweep(k.ns())
	k.c.poolMu.Lock()
	k.c.ledger.adopt(k.scope, k.ns())
	return func() {
		k.c.poolMu.Unlock()
		k.scope.mu.Unlock()
	}
}

// onReservation makes an action of what is done to the reservation that a request
// names; the scope's lock and poolMu are held.
func onReservation(run func(k *call, w *xw, r *odcr) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		if e := k.p.need("CapacityReservationId"); e != nil {
			return e
		}
		defer k.holdReservations()()
		r, e := k.reservation(k.p["CapacityReservationId"])
		if e != nil {
			return e
		}
		return run(k, w, r)
	}
}

func wrongReservationState(r *odcr, verb string) *Error {
	return refuse("InvalidCapacityReservationState", "The Capacity Reservation '%s' is in the state '%s' and cannot be %s.", r.id, r.state, verb)
}

func (r *odcr) changeable(verb string) *Error {
	if r.block {
		return refuse("UnsupportedOperation", "The Capacity Block '%s' cannot be %s.", r.id, verb)
	}
	return nil
}

// committedAt reports whether the reservation can not be given back yet.
func (r *odcr) committedAt(now int64) bool { return r.dated && now < r.start+r.committed }

func modifyCapacityReservation(k *call, w *xw, r *odcr) *Error {
	now := k.ns()
	count, e := k.p.number("InstanceCount", r.total, 1, maxPerScope)
	if e != nil {
		return e
	}
	if k.p.has("InstanceCount") {
		k.log.Instances = count
	}
	end, given, e := k.endDate()
	if e != nil {
		return e
	}
	if !given {
		end = r.end
	}
	match, e := k.p.oneOf("InstanceMatchCriteria", r.match, "open", "targeted")
	if e != nil {
		return e
	}
	committed := r.committedAt(now)
	switch {
	case !k.p.has("InstanceCount") && !given && !k.p.has("InstanceMatchCriteria"):
		return refuse("MissingParameter", "The request must contain a parameter that is to be modified")
	case max(count-r.total, r.total-count) > maxReserved:
		return invalidParameter("InstanceCount", k.p["InstanceCount"], "It can change by at most 1000 in one request")
	}
	if e := r.changeable("modified"); e != nil {
		return e
	}
	switch {
	case r.state != odcrActive:
		return wrongReservationState(r, "modified")
	case committed && count < r.promised:
		return refuse("InvalidParameterValue", "The instance count cannot be decreased during the commitment duration")
	case committed && end != 0 && end < r.start+r.committed:
		return refuse("InvalidParameterValue", "The end date is within the commitment duration")
	case match != r.match && len(r.users) > 0:
		return wrongReservationState(r, "modified in its instance match criteria while it is in use")
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	if more := count - r.total; more > 0 {
		if e := k.short(map[poolKey]int{r.pool(): more}); e != nil {
			return e
		}
	}
	l := &k.c.ledger
	was := r.odcrShape
	switch {
	case count > r.total:
		if !l.widen(r, count-r.total) {
			return insufficient(r.pool())
		}
	case count < r.total:
		l.narrow(r, r.total-count, now)
	}
	r.old, r.oldUntil = &was, now
	r.end, r.match = end, match
	if due := r.due(); due != 0 && (l.nextDue == 0 || due < l.nextDue) {
		l.nextDue = due
	}
	l.adopt(k.scope, now)
	w.flag("return", true)
	return nil
}

func cancelCapacityReservation(k *call, w *xw, r *odcr) *Error {
	if e := r.changeable("cancelled"); e != nil {
		return e
	}
	switch {
	case r.state == odcrScheduled, r.state == odcrActive && r.committedAt(k.ns()):
		return refuse("InvalidCapacityReservationState", "The Capacity Reservation '%s' is committed until %s and cannot be cancelled without a quote.",
			r.id, instant(r.start+r.committed).Format(time.RFC3339))
	case r.ended():
		return wrongReservationState(r, "cancelled")
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	k.c.ledger.finish(r, odcrCancelled, k.ns())
	k.c.ledger.adopt(k.scope, k.ns())
	w.flag("return", true)
	return nil
}

func getCapacityReservationUsage(k *call, w *xw, r *odcr) *Error {
	if _, _, _, e := k.window(1, 1000, 1, 1000); e != nil { // only sharing makes it more than one account
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.el("capacityReservationId", r.id)
	w.el("instanceType", r.typ.name)
	w.int("totalInstanceCount", r.total)
	w.int("availableInstanceCount", r.free())
	w.el("state", r.state)
	w.open("instanceUsageSet")
	if len(r.users) > 0 {
		w.open("item")
		w.el("accountId", k.scope.account.id)
		w.int("usedInstanceCount", len(r.users))
		w.close("item")
	}
	w.close("instanceUsageSet")
	return nil
}

// odcrView is a reservation as one listing sees it.
type odcrView struct {
	*odcr
	odcrShape
}

// lookReservation gives the reservation as the call may see it; false when it does not yet.
func (k *call) lookReservation(r *odcr) (odcrView, bool) {
	at := k.ns()
	if ec := k.c.opt.EventualConsistency; ec > 0 {
		last := max(r.since, r.oldUntil)
		if lag := int64(hash(k.c.seed, "lag", r.id, last) % uint64(ec)); at < last+lag {
			at = last - 1
		}
	}
	if f := k.strikes(FaultStale, r.id, ""); f != nil {
		at = min(at, k.ns()-int64(f.For))
	}
	v := odcrView{r, r.odcrShape}
	if r.old != nil && at < r.oldUntil {
		v.odcrShape = *r.old
	}
	return v, at >= r.created || r.created == always
}

// reservationFields are the filters of DescribeCapacityReservations with a single value.
var reservationFields = map[string]func(odcrView) string{
	"instance-type":           func(v odcrView) string { return v.odcrShape.typ.name },
	"owner-id":                func(v odcrView) string { return v.s.account.id },
	"instance-platform":       func(v odcrView) string { return v.odcrShape.platform },
	"availability-zone":       func(v odcrView) string { return v.odcrShape.zone },
	"tenancy":                 func(v odcrView) string { return v.odcrShape.tenancy },
	"state":                   func(v odcrView) string { return v.odcrShape.state },
	"start-date":              func(v odcrView) string { return isoTime(v.start) },
	"end-date":                func(v odcrView) string { return isoTime(v.odcrShape.end) },
	"end-date-type":           func(v odcrView) string { return v.odcrShape.endType() },
	"instance-match-criteria": func(v odcrView) string { return v.odcrShape.match },
	"placement-group-arn":     func(v odcrView) string { return v.odcrShape.placementGroup },
}

func isoTime(ns int64) string {
	if ns == 0 {
		return ""
	}
	return instant(ns).Format("2006-01-02T15:04:05.000Z")
}

func (o odcrShape) endType() string {
	if o.end != 0 {
		return "limited"
	}
	return "unlimited"
}

func reservationField(name string) field[odcrView] {
	if f := tagField(name, func(v odcrView) []Tag { return v.odcrShape.tags }); f != nil {
		return f
	}
	if get := reservationFields[name]; get != nil {
		return text(get)
	}
	return nil
}

// tagField is the field of a filter tag:KEY or tag-key; nil for other names.
func tagField[T any](name string, tags func(T) []Tag) field[T] {
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		return func(v T, is func(string) bool) bool {
			return slices.ContainsFunc(tags(v), func(t Tag) bool { return t.Key == key && is(t.Value) })
		}
	}
	if name == "tag-key" {
		return func(v T, is func(string) bool) bool {
			return slices.ContainsFunc(tags(v), func(t Tag) bool { return is(t.Key) })
		}
	}
	return nil
}

func describeCapacityReservations(k *call, w *xw) *Error {
	fs, e := readFilters(k, reservationField)
	if e != nil {
		return e
	}
	ids := k.p.list("CapacityReservationId")
	if len(ids) > 0 && k.p.has("MaxResults") {
		return refuse("InvalidParameterCombination", "The parameter capacityReservationIds cannot be used with the parameter maxResults")
	}
	size, e := k.p.number("MaxResults", 1000, 1, 1000)
	if e != nil {
		return e
	}
	if pc := k.c.opt.PageCap; pc > 0 {
		size = min(size, pc)
	}
	after, e := k.cursor("NextToken")
	if e != nil {
		return e
	}
	if k.strikes(FaultShortPages, "", "") != nil {
		size = int(hash(k.c.seed, "short", k.log.RequestID) % uint64(size))
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	defer k.holdReservations()()
	list := k.c.ledger.odcrs[k.scope]
	if len(ids) > 0 {
		list = nil
		for _, id := range ids {
			r, e := k.reservation(id)
			if e != nil {
				return e
			}
			if !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
		size = len(list)
	}
	var found []odcrView
	next, last := "", after
	for _, r := range list {
		v, visible := k.lookReservation(r)
		if len(ids) == 0 && r.seq <= after || !visible || !fs.match(v) {
			continue
		}
		if len(found) == size {
			next = k.token("NextToken", last)
			break
		}
		last = r.seq
		found = append(found, v)
	}
	found = slices.DeleteFunc(found, func(v odcrView) bool { return k.strikes(FaultMissing, v.id, "") != nil })
	if k.hasFault(FaultDuplicate) {
		for _, v := range found {
			if k.strikes(FaultDuplicate, v.id, "") != nil {
				found = append(found, v)
			}
		}
	}
	if k.p.has("NextToken") && k.strikes(FaultTokenLoop, "", "") != nil {
		next = k.p["NextToken"]
	}
	w.open("capacityReservationSet")
	for _, v := range found {
		w.open("item")
		writeReservation(w, v.odcr, v.odcrShape)
		w.close("item")
	}
	w.close("capacityReservationSet")
	w.some("nextToken", next)
	k.log.Items = len(found)
	return nil
}

// writeReservation writes a reservation as AWS shows it, in the shape that the
// reader sees; poolMu is held.
func writeReservation(w *xw, r *odcr, o odcrShape) {
	free := 0
	if o.state == odcrActive || o.state == odcrPending {
		free = max(0, o.total-len(r.users))
	}
	w.el("capacityReservationId", r.id)
	w.el("ownerId", r.s.account.id)
	w.el("capacityReservationArn", fmt.Sprintf("arn:%s:ec2:%s:%s:capacity-reservation/%s", r.s.region.partition, r.s.region.name, r.s.account.id, r.id))
	w.el("instanceType", o.typ.name)
	w.el("instancePlatform", o.platform)
	w.el("availabilityZone", o.zone)
	w.el("availabilityZoneId", zoneID(o.zone))
	w.el("tenancy", o.tenancy)
	w.int("totalInstanceCount", o.total)
	w.int("availableInstanceCount", free)
	w.flag("ebsOptimized", o.ebsOptimized)
	w.flag("ephemeralStorage", false)
	w.el("state", o.state)
	w.time("startDate", instant(r.start))
	w.el("endDateType", o.endType())
	if o.end != 0 {
		w.time("endDate", instant(o.end))
	}
	w.el("instanceMatchCriteria", o.match)
	w.time("createDate", instant(r.created))
	w.some("placementGroupArn", o.placementGroup)
	if r.block {
		w.el("reservationType", "capacity-block")
		w.el("capacityBlockId", "cb-"+r.id[3:])
	} else {
		w.el("reservationType", "default")
	}
	if r.dated {
		w.raw("<commitmentInfo>")
		w.int("committedInstanceCount", r.promised)
		w.int("commitmentDuration", int(r.committed/int64(time.Second)))
		w.time("commitmentEndDate", instant(r.start+r.committed))
		w.raw("</commitmentInfo><deliveryPreference>incremental</deliveryPreference>")
	}
	writeTags(w, o.tags)
}

// writeReservation writes which reservation an instance runs in, and what it says of them.
func (v sight) writeReservation(w *xw) {
	want, in := v.s.c.standing(v.instance)
	w.some("capacityReservationId", in)
	w.raw("<capacityReservationSpecification>")
	if want.target == "" {
		w.el("capacityReservationPreference", want.how)
	} else {
		w.raw("<capacityReservationTarget>")
		w.el("capacityReservationId", want.target)
		w.raw("</capacityReservationTarget>")
	}
	w.raw("</capacityReservationSpecification>")
}

func modifyInstanceCapacityReservationAttributes(k *call, w *xw) *Error {
	want, e := k.preference("CapacityReservationSpecification.")
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	list, e := k.pick()
	if e != nil {
		return e
	}
	if list[0].state(k.ns()) != stopped {
		return refuse("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", list[0].id)
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	k.c.prefer(list[:1], want)
	w.flag("return", true)
	return nil
}
