package service

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
	"dayshift/internal/run"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// TestFault6_16StartsOfPeople: what people have started in an account within 24 hours is bounded, whatever was cleared meanwhile;
// what runs already, is stopped or only looked at takes nothing of it.
func TestFault6_16StartsOfPeople(t *testing.T) {
	w := town(t)
	s := w.service()
	s.Overrides = OverrideLimits{MaxStartsPerDay: 2}
	hour := End{For: time.Hour}
	refused := func(request OverrideRequest, says string) {
		t.Helper()
		var input *InputError
		if _, err := s.SetOverride(t.Context(), request); !errors.As(err, &input) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", request.Target, err, says)
		}
	}
	account := string(seoul.Account)
	refused(ask("name=name-i-*", calendar.Running, hour), "this would start 5 in account "+account+", and overrides.max_starts_per_day lets people start 2 within 24 hours; choose fewer")
	look := ask("i-1", calendar.Running, hour)
	look.DryRun = true
	for _, request := range []OverrideRequest{look, ask("i-always", calendar.Running, hour), ask("i-2", calendar.Stopped, hour), look} {
		if _, err := s.SetOverride(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := s.SetOverride(t.Context(), ask("i-1", calendar.Running, hour))
	if err != nil || !hasSentence(answer.Sentences, "In account "+account+" people may start 1 more within 24 hours (overrides.max_starts_per_day: 2).") {
		t.Errorf("%q, %v", answer.Sentences, err)
	}
	w.now = w.now.Add(30 * time.Minute)
	other := ask("i-spread", calendar.Running, hour)
	other.Author = "lee"
	if _, err := s.SetOverride(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClearOverride(t.Context(), OverrideClear{All: true, Author: "kim"}); err != nil {
		t.Fatal(err)
	}
	full := "where people started 2 within 24 hours and overrides.max_starts_per_day allows 2; choose fewer, or wait until 2026-08-04T08:10:00Z"
	refused(ask("i-berlin", calendar.Running, hour), full)
	look = ask("i-berlin", calendar.Running, hour)
	look.DryRun = true
	refused(look, full)

	s.Overrides.MaxStartsPerDay = 1 // lowered below what was started
	refused(ask("i-berlin", calendar.Running, hour), "allows 1; choose fewer, or wait until 2026-08-04T08:40:00Z")
	s.Overrides.MaxStartsPerDay = 2
	w.now = monday.Add(reservation.DayLength + reservation.DayGrain)
	if _, err := s.SetOverride(t.Context(), ask("i-berlin", calendar.Running, hour)); err != nil {
		t.Errorf("when the first counts no longer: %v", err)
	}
	refused(ask("i-starter", calendar.Running, hour), "choose fewer, or wait until 2026-08-04T08:40:00Z")
}

// TestFault6_16StartsAtOnce: of many who ask at the same moment as many pass as may.
func TestFault6_16StartsAtOnce(t *testing.T) {
	w := town(t)
	for i := range 40 {
		w.add(fmt.Sprintf("i-more-%d", i), "office", fleet.Stopped, decide.WasStopped)
	}
	s := w.service()
	s.Overrides.MaxStartsPerDay = 5
	var group sync.WaitGroup
	var passed atomic.Int32
	for i := range 40 {
		group.Go(func() {
			_, err := s.SetOverride(t.Context(), ask(fmt.Sprintf("i-more-%d", i), calendar.Running, End{For: time.Hour}))
			if err == nil {
				passed.Add(1)
			} else if !strings.Contains(err.Error(), "max_starts_per_day") {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if objects, err := s.Store.Objects(t.Context(), store.OverrideObject); passed.Load() != 5 || len(objects) != 5 || err != nil {
		t.Errorf("%d of 40 passed and %d overrides are kept, of 5 that may be: %v", passed.Load(), len(objects), err)
	}
}

// TestFault6_16StartsOfWorkloads: the members that a run starts count, by override or by asking for the run.
func TestFault6_16StartsOfWorkloads(t *testing.T) {
	for _, by := range []string{"override", "run"} {
		_, s := shops(t)
		s.Foreseer = foreseer(func(of *workload.Workload, asked workload.Request) (run.Foresight, error) {
			members := []run.ForeseenMember{{Ref: seoul.String() + "/ec2/i-1", Does: "start"}, {Ref: seoul.String() + "/ec2/i-2", Does: "resize"}, {Ref: seoul.String() + "/ec2/i-3", Does: run.DoesLeft}}
			return run.Foresight{Workload: of.Name, Direction: string(asked.Direction), Tiers: []run.ForeseenTier{{Name: "web", Members: members}}}, nil
		})
		for _, name := range []string{"shop", "lab"} {
			remember(t, s, name, run.Memory{State: fleet.Stopped, Wanted: decide.Memory{Last: decide.WasStopped}})
		}
		s.Overrides.MaxStartsPerDay = 3
		want := func(name string) error {
			if by == "override" {
				_, err := s.SetOverride(t.Context(), ask("workload:"+name, calendar.Running, End{For: time.Hour}))
				return err
			}
			_, err := s.StartWorkload(t.Context(), WorkloadRequest{Workload: name, Author: "kim"})
			return err
		}
		if err := want("shop"); err != nil {
			t.Errorf("%s: %v", by, err)
		}
		if err := want("lab"); err == nil || !strings.Contains(err.Error(), "this would start 2 in account "+string(seoul.Account)+", where people started 2 within 24 hours") {
			t.Errorf("%s: a second one: %v", by, err)
		}
	}
}
