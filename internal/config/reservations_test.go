package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

const shop = `
timezone: Asia/Tokyo
accounts: [{id: "111122223333", regions: [ap-northeast-1]}]
periods: {sale: {begintime: "18:00", endtime: "23:00"}}
schedules: {shop-sale: {periods: [sale]}}
`

const blackFriday = `
reservations:
  black-friday-web:
    account: "111122223333"
    region: ap-northeast-1
    instance_type: r5b.2xlarge
    zones: [ap-northeast-1c, ap-northeast-1a]
    count: 37
    alternatives: [{zone: ap-northeast-1d}, {zone: ap-northeast-1c, instance_type: r5.2xlarge}, {instance_type: r5a.2xlarge}]
    from: 2026-11-26T18:00
    to: 2026-11-30T12:00+00:00
    lead: 30m
    deadline: 6h
    ebs_optimized: false
    tags: {Team: shop, "Cost Center": "42"}
`

// TestReservation: a reservation means what it says; local times are those of its zone.
func TestReservation(t *testing.T) {
	loaded := mustJoin(t, shop+strings.Replace(blackFriday, "T12:00+00:00", "T12:00:00+00:00", 1))
	no := false
	want := []*reservation.Reservation{{
		Name: "black-friday-web", Scope: fleet.Scope{Account: "111122223333", Region: "ap-northeast-1"},
		Parts:        []reservation.Part{{Zone: "ap-northeast-1c", Type: "r5b.2xlarge"}, {Zone: "ap-northeast-1a", Type: "r5b.2xlarge"}},
		Alternatives: []reservation.Part{{Zone: "ap-northeast-1d", Type: "r5b.2xlarge"}, {Zone: "ap-northeast-1c", Type: "r5.2xlarge"}, {Zone: "ap-northeast-1c", Type: "r5a.2xlarge"}},
		Count:        37, Attributes: reservation.Attributes{Platform: "Linux/UNIX", Tenancy: "default", Match: "open"}, EBSOptimized: &no,
		From: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		Lead: 30 * time.Minute, Deadline: 6 * time.Hour, Step: 10, Enabled: true, Tags: map[string]string{"Team": "shop", "Cost Center": "42"},
	}}
	if diff := cmp.Diff(want, loaded.Reservations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := (reservation.Rules{Interval: 5 * time.Minute, Resync: 5 * time.Minute, IdleAfter: time.Hour, SafetyEnd: time.Hour}); loaded.Capacity != want {
		t.Errorf("the rules are %+v", loaded.Capacity)
	}
}

// TestReservationObjects: what is exported means the same, tags with blanks in their keys included.
func TestReservationObjects(t *testing.T) {
	text := shop + strings.Replace(blackFriday, "T12:00+00:00", "T12:00:00+00:00", 1)
	loaded := mustJoin(t, text)
	exported, err := loaded.Export(false, store.ReservationObject)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Sections("export", exported)
	if err != nil {
		t.Fatalf("%v\n%s", err, exported)
	}
	again := mustJoin(t, shop, objects...)
	for _, r := range again.Reservations {
		r.Version = 0
	}
	if diff := cmp.Diff(loaded.Reservations, again.Reservations); diff != "" {
		t.Errorf("(-file +store):\n%s\n%s", diff, exported)
	}
	spec, err := SpecOf(store.ReservationObject, "sale", map[string]any{
		"account": "111122223333", "region": "ap-northeast-1", "instance_type": "r5.large", "zones": []string{"ap-northeast-1a"}, "count": 3,
		"tags": map[string]any{"Team": "shop"},
	})
	if want := `{"account":"111122223333","region":"ap-northeast-1","instance_type":"r5.large","zones":["ap-northeast-1a"],"count":3,"tags":{"Team":"shop"}}`; err != nil || string(spec) != want {
		t.Errorf("spec %s, %v", spec, err)
	}
}

// TestReservationFollowsSchedule: a reservation of the file follows its schedule with the exceptions of the store; what is wrong with the schedule is wrong with it.
func TestReservationFollowsSchedule(t *testing.T) {
	const following = `
reservations: {sale: {account: "111122223333", region: ap-northeast-1, instance_type: r5.large, zones: [ap-northeast-1a], count: 3, schedule: shop-sale, lead: 30m}}
`
	exception := objectOf(store.ExceptionObject, "shop-sale:2026-11-26:start", `{"schedule":"shop-sale","date":"2026-11-26","type":"start","value":"12:00"}`)
	loaded := mustJoin(t, shop+following, exception)
	r := loaded.Reservations[0]
	if r.Err != nil || r.Calendar == nil {
		t.Fatalf("%+v", r)
	}
	for at, want := range map[string]int{"2026-11-26T02:29:59Z": 0, "2026-11-26T02:30:00Z": 3, "2026-11-26T14:00:00Z": 0, "2026-11-27T02:30:00Z": 0} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Window(now).Wanted; got != want {
			t.Errorf("at %s %d are wanted, not %d", at, got, want)
		}
	}
	loaded = mustJoin(t, strings.Replace(shop, "periods: [sale]}", "periods: [sale], enabled: false}", 1)+following)
	if loaded.Reservations[0].Err == nil {
		t.Error("a reservation follows a schedule that decides nothing")
	}
	broken := objectOf(store.ReservationObject, "sale", `{"account":"111122223333","region":"ap-northeast-1","instance_type":"r5.large","zones":["ap-northeast-1a"],"count":3,"schedule":"gone"}`)
	loaded = mustJoin(t, shop, broken)
	if len(loaded.Reservations) != 1 || loaded.Reservations[0].Err == nil || loaded.Reservations[0].Name != "sale" {
		t.Errorf("set aside: %+v", loaded.Reservations)
	}
}

// TestResourceGroupFaults: a name that is none, and a group for capacity that every instance uses that fits.
func TestResourceGroupFaults(t *testing.T) {
	const grouped = `
reservations: {sale: {account: "111122223333", region: ap-northeast-1, instance_type: r5.large, zones: [ap-northeast-1a], count: 3, REST}}
`
	for rest, says := range map[string]string{
		`match: targeted, resource_group: "black friday"`:              "is not the name of a resource group",
		`match: targeted, resource_group: ` + strings.Repeat("g", 129): "is not the name of a resource group",
		`match: open, resource_group: black-friday`:                    "is given for capacity that every instance uses that fits",
		`resource_group: black-friday`:                                 "is given for capacity that every instance uses that fits",
		`match: targeted, resource_group: ` + strings.Repeat("g", 128): "",
		`match: targeted, resource_group: black-friday_2026.11`:        "",
	} {
		_, err := Parse("dayshift.yaml", []byte(shop+strings.Replace(grouped, "REST", rest, 1)), Env{})
		var faults Faults
		switch {
		case says == "" && err != nil:
			t.Errorf("%s: %v", rest, err)
		case says != "" && (!errors.As(err, &faults) || len(faults) != 1 || faults[0].Path != "reservations.sale.resource_group" || faults[0].Problem.String() != says):
			t.Errorf("%s: %v", rest, err)
		}
	}
}
