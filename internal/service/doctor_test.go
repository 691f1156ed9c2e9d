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
	"dayshift/internal/fleet"
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
	good := cloud.Finding{Ability: "list EC2 instances", OK: true}
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
				return []cloud.Finding{good, {Ability: "start EC2 instances", Missing: "ec2:StartInstances"}}
			case "r-5":
				return []cloud.Finding{{Ability: "stop EC2 instances", OK: true, Untested: true}}
			}
			time.Sleep(time.Second)
			return []cloud.Finding{good}
		}), scopes(40))
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
		if late.OK || !strings.Contains(late.Detail, "did not answer within 30s") {
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
	}), scopes(1))
	if c := checkups[0]; c.OK || len(c.Findings) != 1 || strings.Contains(c.Findings[0].Detail, "did not answer") {
		t.Errorf("%+v", c)
	}
}
