package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/service"
	"dayshift/internal/store/memory"
)

const tieredConfig = `
store: memory
resync_interval: 5m
accounts:
  - {id: "111122223333", regions: [ap-northeast-2]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {timezone: Asia/Seoul, periods: [office]}
rules:
  late: {expression: "cron(0 13 ? * FRI *)", action: "workload:shop:start", timezone: Asia/Seoul}
workloads:
  shop:
    schedule: seoul-office
    filters: "tag:Environment=shop"
    tiers:
      db: {filters: "tag:Role=db", start: {sequence: 0}, stop: {sequence: 2}}
      app: {filters: "tag:Role=app", start: {sequence: 1}, stop: {sequence: 1}}
      web: {filters: "tag:Role=web", start: {sequence: 2}, stop: {sequence: 0}}
`

// tieredSim has the members of the workload, all with the tag of the schedule too: it must not move them singly.
func tieredSim(t *testing.T) *awssim.Cloud {
	t.Helper()
	sim := awssim.New(awssim.Options{Seed: 5})
	tags := func(role string) map[string]string {
		return map[string]string{"Environment": "shop", "Role": role, "Schedule": "seoul-office"}
	}
	one := func(kind, name, role, state string, n int) awssim.Resource {
		return awssim.Resource{Account: "111122223333", Region: "ap-northeast-2", Kind: kind, Name: name, Count: n, State: state, Tags: tags(role)}
	}
	if err := sim.Load(awssim.Fleet{Resources: []awssim.Resource{
		one("rds", "db-#", "db", "stopped", 2), one("ec2", "app-#", "app", "stopped", 3), one("ec2", "web-#", "web", "stopped", 3),
	}}); err != nil {
		t.Fatal(err)
	}
	return sim
}

// firstAndLast are the instants of the first and the last call of an action on members of a role.
func firstAndLast(t *testing.T, sim *awssim.Cloud, action, role string, after time.Time) (first, last time.Time, n int) {
	t.Helper()
	names := map[string]string{}
	for _, instance := range sim.Instances("111122223333", "ap-northeast-2") {
		names[instance.ID] = instance.Tags["Role"]
	}
	for _, call := range calls(sim, action) {
		if call.Time.Before(after) || call.Code != "" {
			continue
		}
		mine := role == "db" && len(call.Resources) > 0 && names[call.Resources[0]] == ""
		for _, id := range call.Resources {
			if names[id] == role {
				mine = true
				n++
			}
		}
		if mine {
			if first.IsZero() {
				first = call.Time
			}
			last = call.Time
		}
	}
	return first, last, n
}

func TestTheDaemonDrivesAWorkloadByItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:50:00+09:00") // a Friday
		sim, kept := tieredSim(t), memory.New()
		d := newDaemon(t, tieredConfig, kept, sim)
		stop := lead(t, d)
		until(t, "2027-03-05T08:59:50+09:00")
		if n := len(calls(sim, "StartInstances")) + len(calls(sim, "StartDBInstance")); n != 0 {
			t.Errorf("%d starts before nine", n)
		}
		until(t, "2027-03-05T09:00:30+09:00")
		for name, says := range map[string]string{"db-1": `it is at "arrive" and waits`, "web-1": `its tier is at "waiting" (tiers: app)`} {
			explained, err := d.App.Service().Explain(t.Context(), name, time.Time{})
			if err != nil || len(explained) != 1 || !strings.Contains(fmt.Sprint(explained[0].Chain), says) {
				t.Errorf("%s is explained by %+v, %v", name, explained, err)
			}
		}
		until(t, "2027-03-05T10:00:00+09:00")
		nine, _ := time.Parse(time.RFC3339, "2027-03-05T09:00:00+09:00")
		starts := calls(sim, "StartDBInstance")
		if len(starts) != 2 || starts[0].Time.Sub(nine) > 2*time.Second {
			t.Fatalf("starts of databases: %+v", starts)
		}
		app, _, n := firstAndLast(t, sim, "StartInstances", "app", nine)
		web, _, m := firstAndLast(t, sim, "StartInstances", "web", nine)
		if n != 3 || m != 3 || !app.Before(web) || app.Before(starts[1].Time.Add(time.Minute)) {
			t.Errorf("app: %d at %s, web: %d at %s, db at %s", n, app, m, web, starts[1].Time)
		}
		status, err := d.App.Service().WorkloadStatus(t.Context(), "shop")
		if err != nil || status.State != "running" || status.Wanted != "running" || status.Timeline == nil || status.Timeline.Status != "done" || status.Timeline.Trigger != "schedule seoul-office" {
			t.Errorf("status: %+v, %v", status, err)
		}
		// The members are left alone by passes, and why is said.
		fleet, err := d.App.Service().Fleet(t.Context(), time.Time{}, nil)
		if err != nil || len(fleet.Resources) != 8 {
			t.Fatalf("fleet: %+v, %v", fleet, err)
		}
		for _, r := range fleet.Resources {
			if r.Reason != "workload-member" || r.Action != "none" {
				t.Errorf("%s: %s, %s", r.Name, r.Action, r.Reason)
			}
		}

		// A person stops it at noon, by hand: the schedule leaves that alone, and the rule of one o'clock starts it again.
		until(t, "2027-03-05T12:00:00+09:00")
		noon := time.Now()
		dry, err := d.App.Service().StopWorkload(t.Context(), service.WorkloadRequest{Workload: "shop", Author: "kim", DryRun: true})
		if err != nil || dry.Plan == nil || len(dry.Plan.Tiers) != 3 || dry.Plan.Tiers[0].Name != "web" || len(dry.Plan.Tiers[0].Members) != 3 || dry.Plan.Tiers[0].Members[0].Does != "stop" {
			t.Errorf("dry run: %+v, %v", dry, err)
		}
		time.Sleep(time.Minute)
		if n := len(calls(sim, "StopInstances")); n != 0 {
			t.Errorf("a dry run made %d calls", n)
		}
		answer, err := d.App.Service().StopWorkload(t.Context(), service.WorkloadRequest{Workload: "shop", Author: "kim", Reason: "quiet friday"})
		if err != nil || answer.Verdict != "begin" {
			t.Fatalf("stop: %+v, %v", answer, err)
		}
		d.reload(t.Context(), false) // as the watch does two seconds later
		until(t, "2027-03-05T12:40:00+09:00")
		webStop, _, _ := firstAndLast(t, sim, "StopInstances", "web", noon)
		appStop, _, _ := firstAndLast(t, sim, "StopInstances", "app", noon)
		dbStops := calls(sim, "StopDBInstance")
		if len(dbStops) != 2 || !webStop.Before(appStop) || !appStop.Before(dbStops[0].Time) {
			t.Errorf("stopped in the wrong order: web %s, app %s, db %+v", webStop, appStop, dbStops)
		}
		run, err := d.App.Service().WorkloadRun(t.Context(), answer.Run)
		if err != nil || run.Status != "done" || run.By != "kim" || run.Reason.String() != "quiet friday" {
			t.Errorf("the run: %+v, %v", run, err)
		}
		until(t, "2027-03-05T14:00:00+09:00")
		if n := len(calls(sim, "StartDBInstance")); n != 4 {
			t.Errorf("%d starts of databases after the rule", n)
		}
		until(t, "2027-03-05T19:00:00+09:00")
		if n := len(calls(sim, "StopDBInstance")); n != 4 {
			t.Errorf("%d stops of databases after six", n)
		}
		runs, err := d.App.Service().WorkloadRuns(t.Context(), "shop", 0)
		if err != nil || len(runs.Runs) != 4 {
			t.Fatalf("runs: %+v, %v", runs, err)
		}
		var triggers []string
		for _, r := range runs.Runs {
			triggers = append(triggers, r.Trigger)
		}
		if want := []string{"schedule seoul-office", "rule late", "person", "schedule seoul-office"}; !slices.Equal(triggers, want) {
			t.Errorf("runs were begun by %q, want %q", triggers, want)
		}
		stop()
	})
}
