package app

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/config"
	"dayshift/internal/reservation"
	"dayshift/internal/service"
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
		text := demoWeek(monday, "http://127.0.0.1:8080", "http://127.0.0.1:8081")
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

// The demo's channels are told in their languages; what a broken one misses waits and is given up.
func TestTheDemoTellsItsChannels(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asked := func(frame *DemoFrame, into any) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, frame.Address+"/api/v1/channels", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status, err)
		}
	}
	sent := map[string]bool{}
	var last DemoFrame
	var broken, quiet, digest bool
	enough := func() bool {
		hangul := regexp.MustCompile(`\p{Hangul}|\p{Han}`).MatchString(last.Post.Text)
		return len(sent) == 5 && broken && quiet && digest && hangul && last.Refused > 0
	}
	err := RunDemo(ctx, DemoOptions{
		Speed: 7200, Addr: "127.0.0.1:0", SimAddr: "127.0.0.1:0", Every: 50 * time.Millisecond,
		Frame: func(frame DemoFrame) {
			last = frame
			if frame.Address == "" || ctx.Err() != nil { // it does not answer yet, or ends
				return
			}
			var list service.Channels
			asked(&frame, &list)
			for i := range list.Channels {
				c := &list.Channels[i]
				if c.Sent > 0 {
					sent[c.Name] = true
				}
				broken = broken || c.Name == demoBroken && !c.Failing.IsZero() && c.Waiting > 0 && c.Dead > 0
				quiet = quiet || !c.Quiet.IsZero() && c.Waiting > 0
				digest = digest || c.Digest == "daily" && c.Kept > 0
			}
			if enough() {
				cancel()
			}
		},
	})
	if err != nil || !enough() {
		t.Errorf("sent to %v; failing, waiting and given up: %v; kept for the morning: %v; for the digest: %v; refused %d, last %q: %v",
			sent, broken, quiet, digest, last.Refused, last.Post.Text, err)
	}
}
