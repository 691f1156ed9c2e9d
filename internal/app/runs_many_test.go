package app

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/fleet"
	"dayshift/internal/run"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// allWorkloads has 200 workloads side by side, which takes a minute, and not thirty.
var allWorkloads = flag.Bool("all-workloads", false, "start 200 workloads side by side, not 30")

// TestTwoHundredWorkloadsSideBySide starts workloads of 50 members at nine, ten workloads to an account: no tier
// begins before the one before it runs, no call is throttled, and all of it takes hardly longer than the slowest would alone.
func TestTwoHundredWorkloadsSideBySide(t *testing.T) {
	const each, tiers, members = 10, 5, 10
	accounts := 3
	if *allWorkloads {
		accounts = 20
	}
	arrives := 40 * time.Second
	var text strings.Builder
	text.WriteString("store: memory\nresync_interval: 1h\naccounts:\n")
	keys := map[fleet.AccountID]sdk.CredentialsProvider{}
	var resources []awssim.Resource
	for a := range accounts {
		account := fmt.Sprintf("1111%08d", a)
		keys[fleet.AccountID(account)] = credentials.NewStaticCredentialsProvider(account, "any", "")
		fmt.Fprintf(&text, "  - {id: %q, regions: [ap-northeast-2], profile: p%d}\n", account, a)
		for w := range each {
			for tier := range tiers {
				resources = append(resources, awssim.Resource{
					Account: account, Region: "ap-northeast-2", Kind: "ec2", Name: fmt.Sprintf("w%d-%d-%d-#", a, w, tier), Count: members, State: "stopped",
					Tags: map[string]string{"Workload": fmt.Sprintf("w%d-%d", a, w), "Tier": fmt.Sprint(tier)},
				})
			}
		}
	}
	text.WriteString("periods:\n  office: {begintime: \"09:00\", endtime: \"18:00\"}\nschedules:\n  office: {timezone: Asia/Seoul, periods: [office]}\nworkloads:\n")
	for a := range accounts {
		for w := range each {
			fmt.Fprintf(&text, "  w%d-%d:\n    schedule: office\n    filters: \"tag:Workload=w%d-%d\"\n    tiers:\n", a, w, a, w)
			for tier := range tiers {
				fmt.Fprintf(&text, "      t%d: {filters: \"tag:Tier=%d\", start: {sequence: %d, delay: 0s}, stop: {sequence: %d}}\n", tier, tier, tier, tiers-tier)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:55:00+09:00")
		sim := awssim.New(awssim.Options{Seed: 5, Durations: map[string][2]time.Duration{"ec2-pending": {arrives, arrives}}})
		if err := sim.Load(awssim.Fleet{Resources: resources}); err != nil {
			t.Fatal(err)
		}
		kept := memory.New()
		d := newDaemonOf(t, text.String(), kept, sim, keys)
		stop := lead(t, d)
		until(t, "2027-03-05T09:15:00+09:00")
		stop()
		nine, _ := time.Parse(time.RFC3339, "2027-03-05T09:00:00+09:00")

		throttled, by := 0, map[string]int{}
		for _, call := range sim.Calls() {
			if call.Time.Before(nine) {
				continue
			}
			by[call.Action]++
			if call.Code == "RequestLimitExceeded" || call.Code == "Throttling" {
				throttled++
			}
		}
		if throttled > 0 {
			t.Errorf("%d calls were throttled", throttled)
		}
		records, err := kept.Records(t.Context(), store.RecordQuery{Kind: store.WorkloadRun, Limit: 1000})
		if err != nil || len(records) != accounts*each {
			t.Fatalf("%d runs, %v", len(records), err)
		}
		var longest time.Duration
		started := 0
		for _, record := range records {
			r, err := run.ToRun(record)
			if err != nil || r.Status != "done" {
				t.Fatalf("%s: %s, %v", record.Name, r.Status, err)
			}
			longest = max(longest, r.Ended.Sub(nine))
			for i := 1; i < len(r.Tiers); i++ {
				var before time.Time
				for _, m := range r.Tiers[i-1].Members {
					if at := m.ActedAt.Add(arrives); at.After(before) {
						before = at
					}
				}
				for _, m := range r.Tiers[i].Members {
					started++
					if m.ActedAt.Before(before) {
						t.Errorf("%s: %s was started at %s, before tier %s ran at %s", r.Workload, m.Name, m.ActedAt, r.Tiers[i-1].Name, before)
					}
				}
			}
		}
		critical := time.Duration(tiers) * arrives
		t.Logf("%s for a critical path of %s: %.3f; calls %v", longest, critical, float64(longest)/float64(critical), by)
		if started != accounts*each*(tiers-1)*members {
			t.Errorf("%d members of later tiers were started", started)
		}
		if ratio := float64(longest) / float64(critical); ratio > 1.05 {
			t.Errorf("it took %s, %.3f times the critical path", longest, ratio)
		}
		if most := accounts * tiers * 3; by["StartInstances"] > most {
			t.Errorf("%d calls of StartInstances, at most %d are of use", by["StartInstances"], most)
		}
	})
}
