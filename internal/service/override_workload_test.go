package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/run"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// foreseer stands for the listing of a workload's members.
type foreseer func(w *workload.Workload, asked workload.Request) (run.Foresight, error)

func (f foreseer) Foresee(_ context.Context, w *workload.Workload, asked workload.Request, _ workload.Memory) (run.Foresight, error) {
	return f(w, asked)
}

// shops is the town with workloads: shop goes by office, lab by nothing, and dark is switched off.
func shops(t *testing.T) (*world, *Service) {
	t.Helper()
	w := town(t)
	filter := func(text string) fleet.Filter {
		f, err := fleet.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	tiers := func(role string) []workload.Tier {
		return []workload.Tier{{Name: "web", Filter: filter("tag:Role=" + role), Start: workload.Half{Timeout: time.Hour}, Stop: workload.Half{Timeout: time.Hour}}}
	}
	w.book.Workloads = policy.NewWorkloads([]*workload.Workload{
		{Name: "shop", Schedule: "office", Enabled: true, Tiers: tiers("shop")},
		{Name: "lab", Enabled: true, Tiers: tiers("lab")},
		{Name: "dark", Schedule: "seoul", Tiers: tiers("dark")},
		{Name: "torn", Enabled: true, Err: errors.New("tier web: no filters"), Tiers: tiers("torn")},
		{Name: "berlin", Enabled: true, Tiers: tiers("berlin")},
	})
	w.add("i-member", "office", fleet.Stopped, decide.WasStopped).Tags["Role"] = "shop"
	s := w.service()
	s.Foreseer = foreseer(func(of *workload.Workload, asked workload.Request) (run.Foresight, error) {
		if _, err := workload.Begin(of, asked, workload.Memory{}, w.now); err != nil {
			return run.Foresight{}, err
		}
		return run.Foresight{Workload: of.Name, Direction: string(asked.Direction), Tiers: []run.ForeseenTier{{Name: "web", Members: []run.ForeseenMember{{Does: string(asked.Direction)}, {Does: run.DoesLeft}}}}}, nil
	})
	return w, s
}

// remember keeps what is remembered of a workload.
func remember(t *testing.T, s *Service, name string, m run.Memory) {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := s.Store.Acquire(t.Context(), "test", "test", s.Now(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store.SaveRecords(t.Context(), lease, []store.Record{{Kind: store.WorkloadMemory, Name: name, Data: data, Changed: s.Now()}}); err != nil {
		t.Fatal(err)
	}
}

func TestAnOverrideDrivesAWorkloadAsAWhole(t *testing.T) {
	stopped := run.Memory{State: fleet.Stopped, Wanted: decide.Memory{Schedule: "office", Last: decide.WasStopped}}
	running := run.Memory{State: fleet.Running, Wanted: decide.Memory{Last: decide.WasRunning}}
	hour := End{For: time.Hour}
	for _, test := range []struct {
		name    string
		request OverrideRequest
		want    string
		says    []string
	}{
		{
			"at night, half an hour", ask("workload:shop", calendar.Running, End{For: 30 * time.Minute}), "workload:shop running until 3T08:30:00; workload:shop start then stop warned 08:15",
			[]string{`A run that starts workload "shop" begins at once, tier by tier.`, "It has 2 members now.", "1 of them takes no part", `Then workload "shop" is stopped, as its schedule wants; people are told at 2026-08-03T08:15:00Z.`},
		},
		{
			"to the next stop", ask("shop", calendar.Running, End{}), "workload:shop running until 3T18:00:00 boundary; workload:shop start then stop warned 17:45",
			[]string{"It ends at the next boundary of the schedule, 2026-08-03T18:00:00Z."},
		},
		{
			"over the morning", ask("workload:shop", calendar.Stopped, End{For: 4 * time.Hour}), "workload:shop stopped until 3T12:00:00; workload:shop none then start",
			[]string{`Workload "shop" is stopped already, as its last run left it, and kept so.`, `Then workload "shop" is started, as its schedule wants.`},
		},
		{
			"one without a schedule", ask("workload:lab", calendar.Stopped, hour), "workload:lab stopped until 3T09:00:00; workload:lab stop then none",
			[]string{`Then workload "lab" is left as it is`},
		},
		{"until it has been reached", changed(ask("workload:lab", calendar.Stopped, End{}), func(r *OverrideRequest) { r.Once = true }), "workload:lab stopped until 10T08:00:00 once; workload:lab stop then none", nil},
		{
			"by its schedule, with the resources of that", ask("schedule:office", calendar.Running, hour),
			"schedule:office running until 3T09:00:00; i-1 start then none; i-2 none then none; i-member none then  at 1T00:00:00; workload:shop start then none", nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, s := shops(t)
			remember(t, s, "shop", stopped)
			remember(t, s, "lab", running)
			test.request.DryRun = true
			planned, err := s.SetOverride(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			test.request.DryRun = false
			answer, err := s.SetOverride(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			if gist(planned) != gist(answer) {
				t.Errorf("planned is\n%s, done\n%s", gist(planned), gist(answer))
			}
			if got := gist(answer); got != test.want {
				t.Errorf("%s, want\n%s", got, test.want)
			}
			said := fmt.Sprint(answer.Sentences)
			for _, want := range test.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not said in\n%s", want, said)
				}
			}
			if whole := strings.HasPrefix(answer.Override.Target, "workload:"); whole && answer.Resources[0].Action != noAction && (answer.Plan == nil || answer.Matches != 1 || len(answer.Effect.Now) != 1 || answer.Effect.Now[0].Ref != answer.Override.Target) {
				t.Errorf("%+v", answer)
			}
			listed, err := s.ListOverrides(t.Context())
			if err != nil || len(listed.Overrides) != 1 || listed.Overrides[0].Counts == 0 || listed.Overrides[0].Target != answer.Override.Target {
				t.Errorf("%+v, %v", listed, err)
			}
			cleared, err := s.ClearOverride(t.Context(), OverrideClear{Target: answer.Override.Target, Author: "kim"})
			if err != nil || len(cleared.Cleared) != 1 || len(cleared.Resources) != len(answer.Resources) {
				t.Errorf("%+v, %v", cleared, err)
			}
		})
	}
}

func changed(r OverrideRequest, change func(*OverrideRequest)) OverrideRequest { change(&r); return r }

func TestAnOverrideOfAWorkloadIsRefused(t *testing.T) {
	hour := End{For: time.Hour}
	for _, test := range []struct {
		name    string
		request OverrideRequest
		says    string
	}{
		{"no such one", ask("workload:shap", calendar.Running, hour), `there is no workload "shap"; did you mean "shop"?`},
		{"switched off", ask("workload:dark", calendar.Running, hour), `workload "dark" is switched off`},
		{"with a fault", ask("workload:torn", calendar.Running, hour), "tier web: no filters"},
		{"no boundary without a schedule", ask("workload:lab", calendar.Running, End{}), `there is no next boundary at which stopped is wanted of workload "lab" (workload "lab" has no schedule)`},
		{"a schedule of the same name", ask("berlin", calendar.Running, hour), `"berlin" is a workload and something else as well; write workload:berlin`},
		{"too long", ask("workload:shop", calendar.Running, End{For: 30 * time.Hour}), "too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, s := shops(t)
			s.Overrides.MaxDuration = 24 * time.Hour
			_, err := s.SetOverride(t.Context(), test.request)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

// The limits of a week count overrides of workloads as all others.
func TestAnOverrideOfAWorkloadCountsForTheWeek(t *testing.T) {
	_, s := shops(t)
	s.Overrides.MaxPerWeek = 1
	if _, err := s.SetOverride(t.Context(), ask("workload:shop", calendar.Running, End{For: time.Hour})); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetOverride(t.Context(), ask("workload:lab", calendar.Running, End{For: time.Hour})); err == nil || !strings.Contains(err.Error(), "max_per_week") {
		t.Errorf("a second one is refused with %v", err)
	}
}

// Who may act on a part of the fleet alone moves no workload with anything else in it, nor changes or clears what holds one.
func TestAnOverrideOfAWorkloadInside(t *testing.T) {
	_, s := shops(t)
	within, err := fleet.ParseFilter("tag:Role=shop")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.SetOverride(t.Context(), ask("workload:shop", calendar.Running, End{For: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	request := ask("workload:shop", calendar.Stopped, End{For: time.Hour})
	request.Within = &within
	var outside *OutsideError
	if _, err := s.SetOverride(t.Context(), request); !errors.As(err, &outside) {
		t.Errorf("made: %v", err)
	}
	if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: answer.Override.ID, End: End{For: 2 * time.Hour}, Author: "kim", Within: &within}); !errors.As(err, &outside) {
		t.Errorf("changed: %v", err)
	}
	if _, err := s.ClearOverride(t.Context(), OverrideClear{Target: answer.Override.ID, Author: "kim", Within: &within}); !errors.As(err, &outside) {
		t.Errorf("cleared: %v", err)
	}
}

// A member that carries a schedule's tag is not moved by that; one without a tag is named with its workload.
func TestAMemberAloneIsRefusedWithItsWorkload(t *testing.T) {
	w, s := shops(t)
	w.add("i-untagged", "", fleet.Stopped, decide.Unknown).Tags["Role"] = "shop"
	_, err := s.SetOverride(t.Context(), ask("i-untagged", calendar.Running, End{For: time.Hour}))
	if err == nil || !strings.Contains(err.Error(), `it is a member of workload "shop"`) {
		t.Errorf("%v", err)
	}
	answer, err := s.SetOverride(t.Context(), ask("name=name-i-member", calendar.Running, End{For: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	if l := answer.Resources[0]; l.Counts || l.Action != noAction || l.Reason != string(decide.WorkloadMember) {
		t.Errorf("%+v", l)
	}
}
