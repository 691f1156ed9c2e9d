package app

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/config"
	"dayshift/internal/reservation"
)

// Whatever the week, the demo's dates are in it, and its people act on what is there.
func TestTheDemosWeek(t *testing.T) {
	for _, now := range []string{"2026-11-21T12:00:00Z", "2026-12-27T12:00:00Z", "2027-02-28T23:00:00Z", "2028-02-26T00:00:00Z"} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		monday := demoStart(at)
		if monday.Weekday() != time.Monday || !monday.After(at) {
			t.Errorf("%s: the week begins at %s", now, monday)
		}
		text := demoWeek(monday)
		if left := regexp.MustCompile(`\{\{\w+\}\}`).FindString(string(text)); left != "" {
			t.Errorf("%s is left in the configuration", left)
		}
		loaded, err := config.Parse("demo.yaml", text, config.Env{Now: func() time.Time { return monday }})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range loaded.Reservations {
			if r.Err != nil || !r.From.After(monday) || r.To.After(monday.AddDate(0, 0, 7)) {
				t.Errorf("reservation %s from %s to %s: %v", r.Name, r.From, r.To, r.Err)
			}
			for _, room := range demoRooms() {
				if !slices.ContainsFunc(slices.Concat(r.Parts, r.Alternatives), func(p reservation.Part) bool { return p.Zone == room.zone && p.Type == "m6i.large" }) {
					t.Errorf("nothing is reserved in %s", room.zone)
				}
			}
		}
		if len(loaded.Reservations) == 0 || len(loaded.Config.Workloads) == 0 {
			t.Error("no workload, or no reservation")
		}
		if len(loaded.Config.Exceptions) == 0 || len(loaded.Book.Rules) == 0 {
			t.Error("nothing is out of the ordinary")
		}
		for _, e := range loaded.Config.Exceptions {
			if day, err := time.ParseInLocation(time.DateOnly, e.Date, monday.Location()); err != nil || day.Before(monday.AddDate(0, 0, -1)) || day.After(monday.AddDate(0, 0, 7)) {
				t.Errorf("the exception on %s is not in the week of %s", e.Date, monday)
			}
		}
	}
	sim := awssim.New(awssim.Options{Seed: 7})
	if err := sim.Load(awssim.DemoFleet()); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, instance := range sim.Instances("", "") {
		there[instance.Name] = true
	}
	for _, database := range sim.Databases("", "") {
		there[database.ID] = true
	}
	for _, deed := range demoPeople() {
		if !there[deed.name] {
			t.Errorf("%s is not in the demo's fleet", deed.name)
		}
	}
}
