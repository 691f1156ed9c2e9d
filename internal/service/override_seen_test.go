package service

import (
	"fmt"
	"strings"
	"testing"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
)

// TestWhatIsKeptOfALargeTarget: few resources are kept as they are, of many one of each sort, and never more than fits.
func TestWhatIsKeptOfALargeTarget(t *testing.T) {
	looked := func(n int, tags func(i int) map[string]string) (*looked, *subject) {
		v, on := &looked{s: &Service{Book: &policy.Book{}}, report: pass.Report{}}, &subject{}
		for i := range n {
			r := fleet.Resource{Ref: fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "eu-west-1"}, Kind: fleet.EC2Instance, ID: fmt.Sprint("i-", i)}, Name: fmt.Sprint("web-", i), Tags: tags(i)}
			v.report.Decisions = append(v.report.Decisions, decide.Decision{Resource: r})
			on.covered = append(on.covered, i)
		}
		return v, on
	}
	teams := func(i int) map[string]string {
		return map[string]string{"Name": fmt.Sprint("web-", i), "aws:ec2:fleet-id": fmt.Sprint(i), "Team": fmt.Sprint("team-", i%3)}
	}
	v, on := looked(100, teams)
	if kept := v.seen(on); len(kept) != 100 || kept[7].ID != "i-7" || kept[7].Tags["Name"] != "web-7" {
		t.Errorf("%d are kept, %+v", len(kept), kept[7])
	}
	v, on = looked(10_000, teams)
	kept := v.seen(on)
	if len(kept) != 3 || kept[1].Tags["Team"] != "team-1" || len(kept[1].Tags) != 1 || kept[1].ID != "" || v.report.Decisions[0].Resource.Tags["Name"] != "web-0" {
		t.Errorf("kept are %+v", kept)
	}
	v, on = looked(1000, func(i int) map[string]string {
		return map[string]string{"Note": fmt.Sprint(i, strings.Repeat("x", 1000))}
	})
	if kept := v.seen(on); len(kept) == 0 || len(kept) > 33 {
		t.Errorf("%d are kept", len(kept))
	}
}
