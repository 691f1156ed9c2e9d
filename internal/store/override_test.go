package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

func TestOverrideComesBack(t *testing.T) {
	filter, err := fleet.ParseFilter("tag:Env=dev")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 8, 3, 9, 10, 0, 0, time.UTC)
	for _, target := range []policy.Target{
		{Resource: fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "cn-north-1"}, Kind: fleet.RDSInstance, ID: "orders"}},
		{Workload: "shop"},
		{Schedule: "서울"},
		{Filter: filter},
	} {
		want := &policy.Override{
			ID: "o-1", Version: 3, Target: target, State: calendar.Running, From: from, Until: from.Add(2 * time.Hour),
			Boundary: true, Once: true, Author: "kim", Reason: "release",
			Seen: []fleet.Resource{{Ref: fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "cn-north-1"}, Kind: fleet.EC2Instance, ID: "i-1"}, Name: "웹", Tags: map[string]string{"Team": "shop"}}},
		}
		object, err := FromOverride(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ToOverride(object)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String()+want.Target.String(), got.String()+got.Target.String()); diff != "" || got.Version != 3 || !got.Target.Filter.Equal(target.Filter) || !cmp.Equal(got.Seen, want.Seen) {
			t.Error(diff)
		}
	}
}

func TestHalfAnOverrideIsNone(t *testing.T) {
	for spec, want := range map[string]string{
		`{}`: "neither running nor stopped",
		`{"state":"running","from":"2026-08-03T00:00:00Z","until":"2026-08-04T00:00:00Z"}`:                                      "0 targets",
		`{"state":"running","schedule":"a","filter":"name=b","from":"2026-08-03T00:00:00Z","until":"2026-08-04T00:00:00Z"}`:     "2 targets",
		`{"state":"running","schedule":"a","from":"2026-08-04T00:00:00Z","until":"2026-08-04T00:00:00Z"}`:                       "begins at",
		`{"state":"running","resource":"i-1","from":"2026-08-03T00:00:00Z","until":"2026-08-04T00:00:00Z"}`:                     "account/region/kind/id",
		`{"state":"running","filter":"","schedule":"","room":"w","from":"2026-08-03T00:00:00Z","until":"2026-08-04T00:00:00Z"}`: "unknown field",
	} {
		if _, err := ToOverride(Object{Kind: OverrideObject, Name: "o-1", Spec: []byte(spec)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}
