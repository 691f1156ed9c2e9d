package awssim

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// order gives the parameters of a reservation of m5.large in us-east-1a, changed by more.
func order(count int, more ...string) []string {
	return append([]string{"InstanceType", "m5.large", "InstancePlatform", "Linux/UNIX", "AvailabilityZone", "us-east-1a", "InstanceCount", fmt.Sprint(count)}, more...)
}

func cr(id string, more ...string) []string {
	return append([]string{"CapacityReservationId", id}, more...)
}

// shown describes a reservation as total/available state.
func (k caller) shown(id string) string {
	k.t.Helper()
	a := k.ok("DescribeCapacityReservations", "CapacityReservationId.1", id)
	return a.element("totalInstanceCount") + "/" + a.element("availableInstanceCount") + " " + a.element("state")
}

func (k caller) wantShown(id, want string) {
	k.t.Helper()
	if got := k.shown(id); got != want {
		k.t.Errorf("%s shows %s, want %s", id, got, want)
	}
}

// free is what is left of the pool of m5.large in us-east-1a.
func (k caller) free() int {
	k.c.poolMu.Lock()
	defer k.c.poolMu.Unlock()
	return *k.c.ledger.pools[poolKey{"us-east-1a", "m5.large"}]
}

func (k caller) wantFree(want int) {
	k.t.Helper()
	if got := k.free(); got != want {
		k.t.Errorf("%d places left in the pool, want %d", got, want)
	}
}

func TestAReservationTakesFromThePoolAndGivesBack(t *testing.T) {
	k := newCaller(t, Options{})
	k.c.LimitCapacity("us-east-1a", "m5.large", 25)
	a := k.ok("CreateCapacityReservation", order(10, "TagSpecifications.1.ResourceType", "capacity-reservation", "TagSpecifications.1.Tag.1.Key", "dayshift:reservation", "TagSpecifications.1.Tag.1.Value", "sale")...)
	id := a.element("capacityReservationId")
	if a.element("state") != "active" || a.element("totalInstanceCount") != "10" || a.element("endDateType") != "unlimited" || a.element("value") != "sale" {
		t.Errorf("made: %s", a.body)
	}
	k.wantFree(15)
	k.ok("ModifyCapacityReservation", cr(id, "InstanceCount", "20")...)
	k.wantFree(5)
	k.wantShown(id, "20/20 active")
	k.fails("InsufficientInstanceCapacity", "ModifyCapacityReservation", cr(id, "InstanceCount", "30")...)
	k.fails("InsufficientInstanceCapacity", "CreateCapacityReservation", order(10)...)
	k.wantShown(id, "20/20 active")
	k.ok("ModifyCapacityReservation", cr(id, "InstanceCount", "3")...)
	k.wantFree(22)
	k.ok("CancelCapacityReservation", cr(id)...)
	k.wantFree(25)
	k.wantShown(id, "3/0 cancelled")
	k.fails("InvalidCapacityReservationState", "CancelCapacityReservation", cr(id)...)
	k.fails("InvalidCapacityReservationState", "ModifyCapacityReservation", cr(id, "InstanceCount", "4")...)
	k.clock.pass(61 * time.Minute)
	k.fails("InvalidCapacityReservationId.NotFound", "DescribeCapacityReservations", "CapacityReservationId.1", id)
}

func TestAStartThatFitsAReservationNeverLacksCapacity(t *testing.T) {
	k := newCaller(t, Options{})
	k.c.LimitCapacity("us-east-1a", "m5.large", 2)
	k.load(Resource{Name: "web-#", Count: 3, State: "stopped", Type: "m5.large", Zone: "us-east-1a"}, Resource{Name: "other", State: "stopped", Type: "m5.large", Zone: "us-east-1b"})
	id := k.ok("CreateCapacityReservation", order(2)...).element("capacityReservationId")
	k.faults(Fault{Kind: FaultCapacity, Type: "m5.large"})
	k.ok("StartInstances", ids(k.id("web-1"), k.id("web-2"))...)
	k.wantShown(id, "2/0 active")
	k.fails("InsufficientInstanceCapacity", "StartInstances", ids(k.id("web-3"))...)
	k.faults()
	k.fails("InsufficientInstanceCapacity", "StartInstances", ids(k.id("web-3"))...)
	k.ok("StartInstances", ids(k.id("other"))...)
	if got := k.ok("DescribeInstances", "Filter.1.Name", "capacity-reservation-id", "Filter.1.Value.1", id).elements("instanceId"); len(got) != 2 {
		t.Errorf("%d instances run in it, want 2", len(got))
	}
	a := k.ok("GetCapacityReservationUsage", cr(id)...)
	if a.element("usedInstanceCount") != "2" || a.element("availableInstanceCount") != "0" || a.element("accountId") != "111122223333" {
		t.Errorf("usage: %s", a.body)
	}
	k.clock.pass(time.Minute)
	k.ok("StopInstances", ids(k.id("web-1"))...)
	k.wantShown(id, "2/1 active")
	k.wantFree(0)
	k.ok("StartInstances", ids(k.id("web-3"))...)
	k.wantShown(id, "2/0 active")
}

func TestWhatRunsBesideAnOpenReservationMovesIn(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web-#", Count: 3, Type: "m5.large", Zone: "us-east-1a"}, Resource{Name: "spot", Spot: "one-time", Type: "m5.large", Zone: "us-east-1a"})
	k.c.LimitCapacity("us-east-1a", "m5.large", 2)
	id := k.ok("CreateCapacityReservation", order(5)...).element("capacityReservationId")
	k.wantShown(id, "5/2 active")
	k.wantFree(0)
	k.ok("ModifyCapacityReservation", cr(id, "InstanceCount", "1")...)
	k.wantFree(2) // the two that have to leave keep the places that they hold
	k.wantShown(id, "1/0 active")
	k.ok("ModifyCapacityReservation", cr(id, "InstanceCount", "3")...)
	k.wantFree(2)
	k.wantShown(id, "3/0 active")
	k.ok("CancelCapacityReservation", cr(id)...)
	k.wantFree(2)
	k.ok("StopInstances", ids(k.id("web-1"), k.id("web-2"))...)
	k.wantFree(4)
}

func TestATargetedReservationIsForThoseThatNameIt(t *testing.T) {
	k := newCaller(t, Options{})
	k.c.LimitCapacity("us-east-1a", "m5.large", 3)
	k.load(Resource{Name: "web", State: "stopped", Type: "m5.large", Zone: "us-east-1a"}, Resource{Name: "db-#", Count: 2, State: "stopped", Type: "m5.large", Zone: "us-east-1a"})
	id := k.ok("CreateCapacityReservation", order(1, "InstanceMatchCriteria", "targeted")...).element("capacityReservationId")
	k.ok("StartInstances", ids(k.id("web"))...)
	k.wantShown(id, "1/1 active")
	const target = "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId"
	for _, name := range []string{"db-1", "db-2"} {
		k.ok("ModifyInstanceCapacityReservationAttributes", "InstanceId", k.id(name), target, id)
	}
	k.ok("StartInstances", ids(k.id("db-1"))...)
	k.wantShown(id, "1/0 active")
	k.fails("ReservationCapacityExceeded", "StartInstances", ids(k.id("db-2"))...)
	k.fails("InvalidCapacityReservationId.NotFound", "ModifyInstanceCapacityReservationAttributes", "InstanceId", k.id("db-2"), target, "cr-00000000000000001")
	k.fails("IncorrectInstanceState", "ModifyInstanceCapacityReservationAttributes", "InstanceId", k.id("db-1"), target, id)
	launch := []string{"ImageId", "ami-0abcdef1234567890", "InstanceType", "m5.large", "Placement.AvailabilityZone", "us-east-1a", "MinCount", "1", "MaxCount", "3"}
	k.fails("ReservationCapacityExceeded", "RunInstances", append(launch, target, id)...)
	k.ok("ModifyCapacityReservation", cr(id, "InstanceCount", "2")...)
	if got := k.ok("RunInstances", append(launch, target, id)...).elements("instanceId"); len(got) != 1 {
		t.Errorf("a launch of 1 to 3 into one place gave %d", len(got))
	}
	k.wantFree(0)
	k.fails("InvalidCapacityReservationState", "ModifyCapacityReservation", cr(id, "InstanceMatchCriteria", "open")...)
}

func TestAClientTokenGivesTheSameReservation(t *testing.T) {
	k := newCaller(t, Options{})
	k.c.LimitCapacity("us-east-1a", "m5.large", 10)
	k.faults(Fault{Kind: FaultReset, Action: "CreateCapacityReservation", Applied: true, Count: 1})
	if a := k.call("CreateCapacityReservation", order(10, "ClientToken", "sale-1")...); a.err == nil {
		t.Fatal("the answer was not lost")
	}
	again := k.ok("CreateCapacityReservation", order(10, "ClientToken", "sale-1")...)
	k.wantFree(0)
	if all := k.ok("DescribeCapacityReservations").elements("capacityReservationId"); !slices.Equal(all, again.elements("capacityReservationId")) {
		t.Errorf("there are %v", all)
	}
	k.fails("IdempotentParameterMismatch", "CreateCapacityReservation", order(9, "ClientToken", "sale-1")...)
	k.fails("InsufficientInstanceCapacity", "CreateCapacityReservation", order(10, "ClientToken", "sale-2")...)
	k.in("eu-west-1").fails("InvalidParameterValue", "CreateCapacityReservation", order(1)...)
}

func TestAReservationEndsByItself(t *testing.T) {
	k := newCaller(t, Options{})
	k.c.LimitCapacity("us-east-1a", "m5.large", 10)
	k.load(Resource{Name: "web", State: "stopped", Type: "m5.large", Zone: "us-east-1a"})
	end := k.c.Now().Add(2 * time.Hour).Format(time.RFC3339)
	id := k.ok("CreateCapacityReservation", order(10, "EndDateType", "limited", "EndDate", end)...).element("capacityReservationId")
	k.ok("StartInstances", ids(k.id("web"))...)
	k.clock.pass(2*time.Hour - time.Second)
	k.wantShown(id, "10/9 active")
	later := k.c.Now().Add(time.Hour)
	k.ok("ModifyCapacityReservation", cr(id, "EndDateType", "limited", "EndDate", later.Format(time.RFC3339))...)
	k.clock.pass(time.Hour - time.Second)
	k.wantShown(id, "10/9 active")
	k.clock.pass(time.Second)
	// Another account, in another region, finds the places free without anybody having looked here.
	k.as("444455556666").ok("CreateCapacityReservation", order(9)...)
	k.wantShown(id, "10/0 expired")
	if k.state("web") != "running" {
		t.Error("an instance ended with its reservation")
	}
	k.fails("InvalidCapacityReservationState", "ModifyCapacityReservation", cr(id, "EndDateType", "unlimited")...)
	open := k.ok("CreateCapacityReservation", order(1, "EndDateType", "limited", "EndDate", k.c.Now().Add(time.Hour).Format(time.RFC3339))...).element("capacityReservationId")
	k.ok("ModifyCapacityReservation", cr(open, "EndDateType", "unlimited")...)
	k.clock.pass(48 * time.Hour)
	k.wantShown(open, "1/0 active") // what ran beside has moved in
}

func TestAFutureDatedReservation(t *testing.T) {
	k := newCaller(t, Options{})
	k.c.LimitCapacity("us-east-1a", "m5.large", 20)
	start := k.c.Now().Add(7 * 24 * time.Hour)
	dated := func(count int, more ...string) []string {
		return order(count, append([]string{"InstanceMatchCriteria", "targeted", "StartDate", start.Format(time.RFC3339), "CommitmentDuration", "1209600", "DeliveryPreference", "incremental"}, more...)...)
	}
	id := k.ok("CreateCapacityReservation", dated(20)...).element("capacityReservationId")
	k.wantShown(id, "20/0 assessing")
	k.wantFree(20)
	k.clock.pass(25 * time.Hour)
	k.wantShown(id, "20/0 scheduled")
	k.fails("InvalidCapacityReservationState", "CancelCapacityReservation", cr(id)...)
	k.fails("InvalidCapacityReservationState", "ModifyCapacityReservation", cr(id, "InstanceCount", "30")...)
	now := k.ok("CreateCapacityReservation", order(5)...).element("capacityReservationId")
	k.clock.pass(6 * 24 * time.Hour)
	k.wantShown(id, "20/0 delayed")
	k.ok("CancelCapacityReservation", cr(now)...)
	k.wantShown(id, "20/20 active")
	k.wantFree(0)
	k.fails("InvalidParameterValue", "ModifyCapacityReservation", cr(id, "InstanceCount", "10")...)
	k.fails("InvalidCapacityReservationState", "CancelCapacityReservation", cr(id)...)
	start = k.c.Now().Add(10 * 24 * time.Hour)
	refused := k.ok("CreateCapacityReservation", dated(20)...).element("capacityReservationId")
	k.clock.pass(25 * time.Hour)
	k.wantShown(refused, "20/0 unsupported")
	k.clock.pass(14 * 24 * time.Hour)
	k.ok("CancelCapacityReservation", cr(id)...)
	k.wantFree(20)
	for name, params := range map[string][]string{
		"too soon":          dated(20, "StartDate", k.c.Now().Add(4*24*time.Hour).Format(time.RFC3339)),
		"too late":          dated(20, "StartDate", k.c.Now().Add(121*24*time.Hour).Format(time.RFC3339)),
		"of too few vCPUs":  dated(15, "StartDate", k.c.Now().Add(10*24*time.Hour).Format(time.RFC3339)),
		"for too short":     dated(20, "StartDate", k.c.Now().Add(10*24*time.Hour).Format(time.RFC3339), "CommitmentDuration", "3600"),
		"ends in the while": dated(20, "StartDate", k.c.Now().Add(10*24*time.Hour).Format(time.RFC3339), "EndDateType", "limited", "EndDate", k.c.Now().Add(20*24*time.Hour).Format(time.RFC3339)),
	} {
		if a := k.call("CreateCapacityReservation", params...); a.code != "InvalidParameterValue" {
			t.Errorf("one that is %s: %s %s", name, a.code, a.msg)
		}
	}
	k.fails("InvalidParameterCombination", "CreateCapacityReservation", dated(20, "StartDate", k.c.Now().Add(10*24*time.Hour).Format(time.RFC3339), "InstanceMatchCriteria", "open")...)
	k.fails("InvalidParameterCombination", "CreateCapacityReservation", order(20, "CommitmentDuration", "1209600")...)
}

func TestReservationsAWSRefuses(t *testing.T) {
	k := newCaller(t, Options{})
	id := k.ok("CreateCapacityReservation", order(1)...).element("capacityReservationId")
	past := k.c.Now().Format(time.RFC3339)
	for _, tc := range []struct {
		name, code, action string
		pairs              []string
		says               string
	}{
		{"none", "InvalidParameterValue", "CreateCapacityReservation", order(0), "between 1 and 1000"},
		{"too many", "InvalidParameterValue", "CreateCapacityReservation", order(1001), "between 1 and 1000"},
		{"an end in the past", "InvalidParameterValue", "CreateCapacityReservation", order(1, "EndDateType", "limited", "EndDate", past), "must be in the future"},
		{"limited without an end", "InvalidParameterCombination", "CreateCapacityReservation", order(1, "EndDateType", "limited"), "EndDate must be provided"},
		{"unlimited with an end", "InvalidParameterCombination", "CreateCapacityReservation", order(1, "EndDateType", "unlimited", "EndDate", "2030-01-01T00:00:00Z"), ""},
		{"an end that is no date", "InvalidParameterValue", "CreateCapacityReservation", order(1, "EndDateType", "limited", "EndDate", "tomorrow"), "tomorrow"},
		{"unknown type", "InvalidParameterValue", "CreateCapacityReservation", order(1, "InstanceType", "m5.tiny"), "m5.tiny"},
		{"unknown platform", "InvalidParameterValue", "CreateCapacityReservation", order(1, "InstancePlatform", "Plan 9"), "Plan 9"},
		{"a zone of another region", "InvalidParameterValue", "CreateCapacityReservation", order(1, "AvailabilityZone", "eu-west-1a"), "eu-west-1a"},
		{"no zone", "MissingParameter", "CreateCapacityReservation", order(1, "AvailabilityZone", ""), "AvailabilityZone"},
		{"tags of something else", "InvalidParameterValue", "CreateCapacityReservation", order(1, "TagSpecifications.1.ResourceType", "instance", "TagSpecifications.1.Tag.1.Key", "a"), "instance"},
		{"EBS optimisation that the type does not have", "Unsupported", "CreateCapacityReservation", order(1, "InstanceType", "t2.micro", "EbsOptimized", "true"), "not supported"},
		{"a long token", "InvalidParameterValue", "CreateCapacityReservation", order(1, "ClientToken", strings.Repeat("x", 65)), "64"},
		{"malformed id", "InvalidCapacityReservationId.Malformed", "CancelCapacityReservation", cr("sale"), "sale"},
		{"unknown id", "InvalidCapacityReservationId.NotFound", "ModifyCapacityReservation", cr("cr-00000000000000001", "InstanceCount", "2"), "cr-00000000000000001"},
		{"no id", "MissingParameter", "CancelCapacityReservation", nil, "CapacityReservationId"},
		{"nothing to modify", "MissingParameter", "ModifyCapacityReservation", cr(id), ""},
		{"a thousand more at once", "InvalidParameterValue", "ModifyCapacityReservation", cr(id, "InstanceCount", "1002"), "1000"},
		{"none is left", "InvalidParameterValue", "ModifyCapacityReservation", cr(id, "InstanceCount", "0"), ""},
		{"ids with pages", "InvalidParameterCombination", "DescribeCapacityReservations", []string{"CapacityReservationId.1", id, "MaxResults", "5"}, ""},
		{"an unknown filter", "InvalidParameterValue", "DescribeCapacityReservations", []string{"Filter.1.Name", "colour", "Filter.1.Value.1", "red"}, "colour"},
		{"a dry run", "DryRunOperation", "CreateCapacityReservation", order(1, "DryRun", "true"), ""},
		{"a dry run of a cancel", "DryRunOperation", "CancelCapacityReservation", cr(id, "DryRun", "true"), ""},
	} {
		if a := k.fails(tc.code, tc.action, tc.pairs...); !strings.Contains(a.msg, tc.says) {
			t.Errorf("%s: %q", tc.name, a.msg)
		}
	}
	k.wantShown(id, "1/1 active")
	if n := len(k.ok("DescribeCapacityReservations").elements("capacityReservationId")); n != 1 {
		t.Errorf("%d reservations, want 1", n)
	}
	k.ok("CreateCapacityReservation", order(1, "EbsOptimized", "true")...)
	k.ok("CreateCapacityReservation", order(1, "AvailabilityZone", "", "AvailabilityZoneId", "use1-az1")...)
}

func TestReservationsAreListedByPagesAndFilters(t *testing.T) {
	k := newCaller(t, Options{})
	var made []string
	for n := range 7 {
		zone := []string{"us-east-1a", "us-east-1b"}[n%2]
		made = append(made, k.ok("CreateCapacityReservation", order(1, "AvailabilityZone", zone)...).element("capacityReservationId"))
	}
	k.ok("CreateTags", "ResourceId.1", made[0], "ResourceId.2", made[1], "Tag.1.Key", "dayshift:reservation", "Tag.1.Value", "sale", "Tag.2.Key", "Team", "Tag.2.Value", "shop")
	k.ok("DeleteTags", "ResourceId.1", made[1], "Tag.1.Key", "dayshift:reservation")
	k.ok("CancelCapacityReservation", cr(made[6])...)
	var listed []string
	page := k.ok("DescribeCapacityReservations", "MaxResults", "3")
	for pages := 1; ; pages++ {
		listed = append(listed, page.elements("capacityReservationId")...)
		next := page.element("nextToken")
		if next == "" || pages > 3 {
			break
		}
		page = k.ok("DescribeCapacityReservations", "MaxResults", "3", "NextToken", next)
	}
	if !slices.Equal(listed, made) {
		t.Errorf("pages give %v, want %v", listed, made)
	}
	for filter, want := range map[string]int{
		"availability-zone=us-east-1b": 3, "instance-type=m5.*": 7, "instance-type=c5.large": 0, "state=active": 6, "state=cancelled": 1,
		"tag:dayshift:reservation=sale": 1, "tag-key=Team": 2, "end-date-type=unlimited": 7, "instance-match-criteria=open": 7, "tenancy=dedicated": 0,
	} {
		at := strings.LastIndexByte(filter, '=')
		got := k.ok("DescribeCapacityReservations", "Filter.1.Name", filter[:at], "Filter.1.Value.1", filter[at+1:]).elements("capacityReservationId")
		if len(got) != want {
			t.Errorf("%s: %d, want %d", filter, len(got), want)
		}
	}
	if got := k.ok("DescribeTags", "Filter.1.Name", "resource-type", "Filter.1.Value.1", "capacity-reservation").elements("resourceId"); len(got) != 3 {
		t.Errorf("tags of %v", got)
	}
	k.fails("InvalidCapacityReservationId.NotFound", "CreateTags", "ResourceId.1", made[0], "ResourceId.2", "cr-00000000000000001", "Tag.1.Key", "x", "Tag.1.Value", "y")
	for kind, want := range map[FaultKind]int{FaultMissing: 6, FaultDuplicate: 8} {
		k.faults(Fault{Kind: kind, Action: "DescribeCapacityReservations", Resource: made[2]})
		if got := k.ok("DescribeCapacityReservations").elements("capacityReservationId"); len(got) != want {
			t.Errorf("%s: %d are listed, want %d", kind, len(got), want)
		}
	}
	k.faults(Fault{Kind: FaultStale, For: Duration(time.Hour), Action: "DescribeCapacityReservations", Resource: made[6]})
	if got := k.ok("DescribeCapacityReservations").elements("capacityReservationId"); len(got) != 6 {
		t.Errorf("an hour ago there were %v", got)
	}
}

func TestReservationsAreSeenLateUnderEventualConsistency(t *testing.T) {
	k := newCaller(t, Options{EventualConsistency: time.Minute})
	late := 0
	for range 20 {
		id := k.ok("CreateCapacityReservation", order(1)...).element("capacityReservationId")
		if !slices.Contains(k.ok("DescribeCapacityReservations").elements("capacityReservationId"), id) {
			late++
		}
	}
	if late == 0 {
		t.Error("every reservation was seen at once")
	}
	k.clock.pass(time.Minute)
	all := k.ok("DescribeCapacityReservations").elements("capacityReservationId")
	if len(all) != 20 {
		t.Errorf("%d after a minute, want 20", len(all))
	}
	k.ok("ModifyCapacityReservation", cr(all[0], "InstanceCount", "5")...)
	old := 0
	for _, id := range all {
		k.ok("ModifyCapacityReservation", cr(id, "InstanceCount", "5")...)
		if k.ok("DescribeCapacityReservations", "CapacityReservationId.1", id).element("totalInstanceCount") == "1" {
			old++
		}
	}
	if old == 0 {
		t.Error("every change was seen at once")
	}
}

const reservedFleet = `
accounts: [{id: "111122223333"}]
capacity: [{zone: us-east-1a, type: m5.large, free: 4}]
resources:
  - {account: "111122223333", region: us-east-1, kind: ec2, name: web-#, count: 2, type: m5.large, zone: us-east-1a}
reservations:
  - {account: "111122223333", region: us-east-1, id: cr-0123456789abcdef0, type: m5.large, zone: us-east-1a, count: 5, end: 48h, tags: {"dayshift:reservation": sale}}
  - {account: "111122223333", region: us-east-1, id: cr-0123456789abcdef1, type: p3.16xlarge, zone: us-east-1b, count: 2, block: true, start: 24h, end: 72h}
secrets:
  - {account: "111122223333", region: us-east-1, name: db/odcr, value: '{"username": "admin"}'}
`

func TestAFleetHoldsReservationsAndSecrets(t *testing.T) {
	k := newCaller(t, Options{})
	f, err := ParseFleet([]byte(reservedFleet))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.c.Load(f); err != nil {
		t.Fatal(err)
	}
	if err := k.c.Load(f); err == nil || !strings.Contains(err.Error(), "reservations[0].id: reservation cr-0123456789abcdef0 exists already") {
		t.Errorf("loaded twice: %v", err)
	}
	k.wantShown("cr-0123456789abcdef0", "5/3 active")
	k.wantShown("cr-0123456789abcdef1", "2/0 scheduled")
	k.wantFree(4)
	again, err := k.c.Snapshot().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	copied, err := ParseFleet(again)
	if err != nil {
		t.Fatalf("%v\n%s", err, again)
	}
	other := newCaller(t, Options{})
	if err := other.c.Load(copied); err != nil {
		t.Fatal(err)
	}
	other.wantShown("cr-0123456789abcdef0", "5/3 active")
	other.wantFree(4)
	k.clock.pass(25 * time.Hour)
	a := k.ok("DescribeCapacityReservations", "CapacityReservationId.1", "cr-0123456789abcdef1")
	if a.element("state") != "active" || a.element("reservationType") != "capacity-block" || a.element("endDateType") != "limited" {
		t.Errorf("a block: %s", a.body)
	}
	k.fails("UnsupportedOperation", "CancelCapacityReservation", cr("cr-0123456789abcdef1")...)
	k.fails("UnsupportedOperation", "ModifyCapacityReservation", cr("cr-0123456789abcdef1", "InstanceCount", "3")...)
	if err := k.c.CancelReservation("cr-0123456789abcdef0"); err != nil {
		t.Error(err)
	}
	if err := k.c.CancelReservation("cr-0123456789abcdef0"); err == nil {
		t.Error("it was cancelled twice")
	}
	k.wantFree(7)
	seen := k.c.Reservations("111122223333", "us-east-1")
	if len(seen) != 2 || seen[0].State != "cancelled" || seen[0].Tags["dayshift:reservation"] != "sale" || seen[1].Free != 2 {
		t.Errorf("%+v", seen)
	}
}

func TestFleetsWithReservationsThatCanNotBe(t *testing.T) {
	for fault, entry := range map[string]string{
		`"us-west-2a" is not a zone of us-east-1`:                          `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-west-2a, count: 1}]`,
		`0: must be between 1 and`:                                         `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-east-1a, count: 0}]`,
		`"m5.tiny" is not an instance type`:                                `reservations: [{account: "111122223333", region: us-east-1, type: m5.tiny, zone: us-east-1a, count: 1}]`,
		`a Capacity Block has a start and an end`:                          `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-east-1a, count: 1, block: true}]`,
		`belongs to a future-dated reservation`:                            `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-east-1a, count: 1, start: 24h}]`,
		`"shared" is not known: open, targeted`:                            `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-east-1a, count: 1, match: shared}]`,
		`"cr-1" is not the id of a reservation`:                            `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-east-1a, count: 1, id: cr-1}]`,
		`"" is not the name of a secret`:                                   `secrets: [{account: "111122223333", region: us-east-1, value: x}]`,
		`"111" is not an account`:                                          `secrets: [{account: "111", region: us-east-1, name: x, value: x}]`,
		`reservations[0].end: 2020-01-01T00:00:00Z is past, or before its`: `reservations: [{account: "111122223333", region: us-east-1, type: m5.large, zone: us-east-1a, count: 1, end: "2020-01-01T00:00:00Z"}]`,
	} {
		f, err := ParseFleet([]byte(entry))
		if err == nil {
			err = newCaller(t, Options{}).c.Load(f)
		}
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", fault, err)
		}
	}
}

func TestPoolsAreChangedWhileItRuns(t *testing.T) {
	k := newCaller(t, Options{})
	s := serve(t, k.c)
	for _, step := range []struct {
		method, body string
		code         int
		says         string
	}{
		{"PUT", `[{"zone": "us-east-1a", "type": "m5.large", "free": 3}]`, 204, ""},
		{"GET", "", 200, `[{"zone":"us-east-1a","type":"m5.large","free":3}]`},
		{"PUT", `[{zone: us-east-1a, type: m5.large, free: -3}]`, 400, "must not be negative"},
		{"PUT", `[{zone: us-east-1a, type: m5.large, free: 1}, {zone: us-east-1a, type: m5.large, free: 1}]`, 400, "listed twice"},
		{"PUT", `[{zone: us-east-1a, colour: red}]`, 400, "colour"},
		{"GET", "", 200, `"free":3`},
		{"DELETE", "", 204, ""},
		{"GET", "", 200, "[]"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), step.method, s.URL+"/_sim/capacity", strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != step.code || !strings.Contains(string(body), step.says) {
			t.Errorf("%s %s: %d %s %v", step.method, step.body, resp.StatusCode, body, err)
		}
	}
	k.ok("CreateCapacityReservation", order(1000)...)
}
