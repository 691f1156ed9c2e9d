package service

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

type prober func(ctx context.Context, scope fleet.Scope) []cloud.Finding

func (p prober) Probe(ctx context.Context, scope fleet.Scope) []cloud.Finding { return p(ctx, scope) }

func scopes(n int) []fleet.Scope {
	list := make([]fleet.Scope, n)
	for i := range list {
		list[i] = fleet.Scope{Account: "111122223333", Region: fleet.Region(fmt.Sprint("r-", i))}
	}
	return list
}

func TestDoctor(t *testing.T) {
	good := cloud.Finding{Ability: say.Word("list EC2 instances"), OK: true}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		began := time.Now()
		checkups := Doctor(t.Context(), prober(func(ctx context.Context, scope fleet.Scope) []cloud.Finding {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			defer func() {
				mu.Lock()
				now--
				mu.Unlock()
			}()
			switch scope.Region {
			case "r-3":
				<-ctx.Done()
				return []cloud.Finding{good}
			case "r-4":
				return []cloud.Finding{good, {Ability: say.Word("start EC2 instances"), Missing: "ec2:StartInstances"}}
			case "r-5":
				return []cloud.Finding{{Ability: say.Word("stop EC2 instances"), OK: true, Untested: true}}
			}
			time.Sleep(time.Second)
			return []cloud.Finding{good}
		}), memory.New(), scopes(40))
		if took := time.Since(began); took != doctorTimeout {
			t.Errorf("took %s", took)
		}
		if most != doctorConcurrency {
			t.Errorf("%d at once", most)
		}
		for i, c := range checkups {
			if c.Scope.Region != fleet.Region(fmt.Sprint("r-", i)) {
				t.Errorf("%s stands at %d", c.Scope, i)
			}
			if want := i != 3 && i != 4; c.OK != want {
				t.Errorf("%s: %+v", c.Scope, c)
			}
		}
		late := checkups[3].Findings[1]
		if late.OK || !strings.Contains(late.Detail.String(), "did not answer within 30s") {
			t.Errorf("%+v", late)
		}
	})
}

// A checkup that was broken off blames no region.
func TestDoctorInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	checkups := Doctor(ctx, prober(func(ctx context.Context, _ fleet.Scope) []cloud.Finding {
		cancel()
		<-ctx.Done()
		return nil
	}), memory.New(), scopes(1))
	if c := checkups[0]; c.OK || len(c.Findings) != 1 || strings.Contains(c.Findings[0].Detail.String(), "did not answer") {
		t.Errorf("%+v", c)
	}
}

// remembered gives the breaker of each region.
type remembered map[fleet.Region]decide.Breaker

func (r remembered) ScopeMemory(_ context.Context, scope fleet.Scope) (decide.ScopeMemory, error) {
	b, known := r[scope.Region]
	if !known {
		return decide.ScopeMemory{}, store.ErrCorrupt
	}
	return decide.ScopeMemory{Scope: scope, Breaker: b}, nil
}

func TestDoctorTellsOfQuarantine(t *testing.T) {
	since, next := monday, monday.Add(time.Hour)
	breaker := func(trouble decide.Trouble, fails int) decide.Breaker {
		return decide.Breaker{Trouble: trouble, Why: "it was refused", Fails: fails, Since: since, Next: next}
	}
	checkups := Doctor(t.Context(), prober(func(_ context.Context, scope fleet.Scope) []cloud.Finding {
		if scope.Region == "r-2" {
			return []cloud.Finding{{Ability: say.Word("use the region"), Missing: "region", Detail: say.Raw("enable it")}}
		}
		return []cloud.Finding{{Ability: say.Word("list EC2 instances"), OK: true}}
	}), remembered{"r-0": {}, "r-1": breaker(decide.NoAnswer, 7), "r-2": breaker(decide.RegionDisabled, 1), "r-3": breaker(decide.NoAnswer, 4)}, scopes(5))
	if c := checkups[0]; !c.OK || c.Quarantine != nil || len(c.Findings) != 1 {
		t.Errorf("a scope that is well: %+v", c)
	}
	c := checkups[1]
	if c.OK || c.Quarantine == nil || *c.Quarantine != (Quarantine{decide.NoAnswer, "it was refused", since, next, 7}) || len(c.Findings) != 2 {
		t.Fatalf("%+v", c)
	}
	if want := "in quarantine since 2026-08-03T08:00:00Z (no-answer, 7 looks in a row failed); the next look is at 2026-08-03T09:00:00Z: it was refused"; c.Findings[1].Detail.String() != want {
		t.Errorf("%q", c.Findings[1].Detail.String())
	}
	if c := checkups[2]; c.OK || len(c.Findings) != 1 || !strings.Contains(c.Findings[0].Detail.String(), "enable it; in quarantine since") {
		t.Errorf("a region that is off has one line: %+v", c)
	}
	if c := checkups[3]; !c.OK || c.Quarantine != nil {
		t.Errorf("some failures are no quarantine yet: %+v", c)
	}
	if c := checkups[4]; c.OK || len(c.Findings) != 2 {
		t.Errorf("a store that does not tell: %+v", c)
	}
}
