package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
)

func scope(account string) fleet.Scope {
	return fleet.Scope{Account: fleet.AccountID(account), Region: "ap-northeast-2"}
}

var (
	dev  = scope("111122223333")
	prod = scope("444455556666")
)

func decision(where fleet.Scope, kind fleet.Kind, verb fleet.Verb, id string) decide.Decision {
	d := decide.Decision{
		Verb: verb,
		Resource: fleet.Resource{
			Ref: fleet.Ref{Scope: where, Kind: kind, ID: id}, Zone: "ap-northeast-2a", Type: "m5.large",
		},
		Memory: decide.Memory{Last: decide.WasStopped},
	}
	if verb != "" {
		d.Before = &decide.Memory{Last: decide.WasRunning}
	}
	return d
}

func stops(where fleet.Scope, n int) []decide.Decision {
	var all []decide.Decision
	for i := range n {
		all = append(all, decision(where, fleet.EC2Instance, fleet.Stop, fmt.Sprintf("i-%03d", i)))
	}
	return all
}

func TestLimits(t *testing.T) {
	start := decision(dev, fleet.EC2Instance, fleet.Start, "i-start")
	hibernate := decision(dev, fleet.EC2Instance, fleet.Hibernate, "i-hibernate")
	resize := decision(dev, fleet.EC2Instance, fleet.Stop, "i-resize")
	resize.Resize = true
	nothing := decision(dev, fleet.EC2Instance, "", "i-nothing")
	running := map[fleet.Scope]int{dev: 20, prod: 4}
	for _, test := range []struct {
		name      string
		decisions []decide.Decision
		limits    Limits
		confirmed bool
		acts      int
		held      int
		guard     Guard
		says      string
	}{
		{name: "no limits", decisions: stops(dev, 20), acts: 20},
		{name: "as many as allowed", decisions: stops(dev, 10), limits: Limits{MaxStops: 10}, acts: 10},
		{
			name: "one more", decisions: append(stops(dev, 11), start), limits: Limits{MaxStops: 10}, acts: 1, held: 11, guard: MaxStops,
			says: "the pass would stop 11 resources, max_stops allows 10",
		},
		{name: "confirmed", decisions: append(stops(dev, 11), start), limits: Limits{MaxStops: 10, MaxStopPercent: 1}, confirmed: true, acts: 12},
		{name: "a hibernation is a stop", decisions: append(stops(dev, 10), hibernate), limits: Limits{MaxStops: 10}, held: 11, guard: MaxStops},
		{name: "a resize is none", decisions: append(stops(dev, 10), resize), limits: Limits{MaxStops: 10}, acts: 11},
		{name: "a resize goes on while stops are held", decisions: append(stops(dev, 11), resize), limits: Limits{MaxStops: 10}, acts: 1, held: 11, guard: MaxStops},
		{name: "what is left alone does not count", decisions: append(stops(dev, 10), nothing), limits: Limits{MaxStops: 10}, acts: 10},
		{name: "half of a scope", decisions: stops(dev, 10), limits: Limits{MaxStopPercent: 50}, acts: 10},
		{
			name: "more than half of a scope", decisions: append(stops(dev, 11), start), limits: Limits{MaxStopPercent: 50}, acts: 1, held: 11, guard: MaxStopPercent,
			says: "11 of the 20 running resources of 111122223333/ap-northeast-2 would stop (55%), max_stop_percent allows 50%",
		},
		{name: "one scope does not hold another", decisions: append(stops(dev, 11), stops(prod, 2)...), limits: Limits{MaxStopPercent: 50}, acts: 2, held: 11, guard: MaxStopPercent},
		{name: "a small scope", decisions: stops(prod, 4), limits: Limits{MaxStopPercent: 50, MinScopeSize: 5}, acts: 4},
		{name: "a scope that is just large enough", decisions: stops(prod, 4), limits: Limits{MaxStopPercent: 50, MinScopeSize: 4}, held: 4, guard: MaxStopPercent},
		{name: "an unknown scope", decisions: stops(scope("777788889999"), 3), limits: Limits{MaxStopPercent: 99.5}, held: 3, guard: MaxStopPercent},
		{name: "everything allowed", decisions: stops(prod, 4), limits: Limits{MaxStopPercent: 100}, acts: 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Make(test.decisions, Guards{Limits: test.limits, Running: running, Confirmed: test.confirmed})
			if len(p.Actions) != test.acts || len(p.Held) != test.held || p.Starts+p.Stops+p.Resizes != test.acts {
				t.Fatalf("%d actions, %d held, counted %d+%d+%d", len(p.Actions), len(p.Held), p.Starts, p.Stops, p.Resizes)
			}
			for _, held := range p.Held {
				if held.Guard != test.guard || !strings.Contains(held.Sentence(), test.says) || !strings.Contains(held.Sentence(), "--yes") {
					t.Fatalf("%s: %s", held.Guard, held.Sentence())
				}
				if held.Untouched().Last != decide.WasRunning {
					t.Fatal("memory says it was stopped")
				}
			}
		})
	}
}

func TestOrder(t *testing.T) {
	typed := func(d decide.Decision, zone, has, wanted string) decide.Decision {
		d.Resource.Zone, d.Resource.Type, d.Type = zone, has, wanted
		return d
	}
	ec2, rds := fleet.EC2Instance, fleet.RDSInstance
	want := []decide.Decision{
		decision(dev, rds, fleet.Start, "orders"),
		typed(decision(dev, ec2, fleet.Start, "i-9"), "a", "c5.large", ""),
		typed(decision(dev, ec2, fleet.Start, "i-3"), "a", "m5.large", ""),
		typed(decision(dev, ec2, fleet.Start, "i-8"), "a", "c5.large", "t3.small"),
		typed(decision(dev, ec2, fleet.Start, "i-1"), "b", "c5.large", ""),
		decision(dev, ec2, fleet.Hibernate, "i-5"),
		decision(dev, ec2, fleet.Stop, "i-2"),
		decision(dev, ec2, fleet.Stop, "i-4"),
		decision(dev, rds, fleet.Stop, "users"),
		decision(prod, ec2, fleet.Start, "i-0"),
	}
	for range 50 {
		shuffled := slices.Clone(want)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		var got, names []string
		for _, action := range Make(shuffled, Guards{}).Actions {
			got = append(got, string(action.Verb)+" "+action.Resource.Ref.String())
		}
		for _, d := range want {
			names = append(names, string(d.Verb)+" "+d.Resource.Ref.String())
		}
		if diff := cmp.Diff(names, got); diff != "" {
			t.Fatal(diff)
		}
	}
}

// Every decision with a verb is either done or held back, once; starts always go on.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verbs := []fleet.Verb{"", fleet.Start, fleet.Stop, fleet.Hibernate}
		var decisions []decide.Decision
		acting := map[fleet.Ref]fleet.Verb{}
		for i := range rapid.IntRange(0, 60).Draw(t, "n") {
			d := decision(rapid.SampledFrom([]fleet.Scope{dev, prod}).Draw(t, "scope"), rapid.SampledFrom(fleet.Kinds).Draw(t, "kind"), rapid.SampledFrom(verbs).Draw(t, "verb"), fmt.Sprint("i-", i))
			decisions = append(decisions, d)
			if d.Verb != "" {
				acting[d.Resource.Ref] = d.Verb
			}
		}
		limits := Limits{MaxStops: rapid.IntRange(0, 30).Draw(t, "stops"), MaxStopPercent: rapid.Float64Range(0, 100).Draw(t, "percent"), MinScopeSize: rapid.IntRange(0, 30).Draw(t, "size")}
		running := map[fleet.Scope]int{dev: rapid.IntRange(0, 60).Draw(t, "dev"), prod: rapid.IntRange(0, 60).Draw(t, "prod")}
		p := Make(decisions, Guards{Limits: limits, Running: running, Confirmed: rapid.Bool().Draw(t, "confirmed")})
		if len(p.Actions)+len(p.Held) != len(acting) {
			t.Fatalf("%d + %d of %d", len(p.Actions), len(p.Held), len(acting))
		}
		if limits.MaxStops > 0 && len(p.Held) > 0 && p.Held[0].Guard == MaxStops && p.Stops > 0 {
			t.Fatal("max_stops holds back all or none")
		}
		for _, action := range p.Actions {
			delete(acting, action.Resource.Ref)
		}
		for _, held := range p.Held {
			if acting[held.Resource.Ref] == fleet.Start || acting[held.Resource.Ref] == "" {
				t.Fatalf("held back: %s", held.Resource.Ref)
			}
			delete(acting, held.Resource.Ref)
		}
		if len(acting) > 0 {
			t.Fatalf("lost: %v", acting)
		}
	})
}

func TestRemember(t *testing.T) {
	now := time.Date(2026, 8, 3, 18, 0, 1, 0, time.UTC)
	d := decision(dev, fleet.EC2Instance, fleet.Stop, "i-1")
	d.Intend("run-1", 2)
	for status, want := range map[Status]struct {
		last   decide.Remembered
		intent bool
	}{
		Accepted: {decide.WasStopped, true}, Failed: {decide.StopFailed, false}, Skipped: {decide.WasRunning, false},
		Deferred: {decide.WasRunning, false}, Uncertain: {decide.WasRunning, true},
	} {
		m := Remember(Outcome{Action: Action{d}, Status: status, Err: errors.New("access denied"), At: now})
		if m.Last != want.last || (m.Intent != nil) != want.intent {
			t.Errorf("%s: %s, intent %v", status, m.Last, m.Intent)
		}
		if m.Intent != nil && (m.Intent.Run != "run-1" || m.Intent.Accepted.IsZero() == (status == Accepted)) {
			t.Errorf("%s: %+v", status, m.Intent)
		}
		if status == Failed && m.LastError != "access denied" {
			t.Errorf("%+v", m)
		}
	}
}
