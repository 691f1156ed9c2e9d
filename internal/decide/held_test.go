package decide

import (
	"testing"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

func service(state fleet.State, change func(*fleet.Resource)) func(*fleet.Resource) {
	return func(r *fleet.Resource) {
		r.Kind, r.ID, r.Name, r.Type = fleet.ECSService, "web/shop", "shop", "FARGATE"
		if state == fleet.Running {
			r.Size, r.Held = "1-3-9", true
		}
		if change != nil {
			change(r)
		}
	}
}

// What runs without its scaling is started again, whoever brought it up, and a
// stop is as any other's.
func TestWhatRunsWithoutItsScalingGetsItBack(t *testing.T) {
	held := service(fleet.Running, nil)
	startOnly := func(s *policy.Schedule) { s.Mode = policy.StartOnly }
	runRows(t, []row{
		{name: "its start was cut off", now: morning, state: fleet.Running, memory: WasRunning, resource: held, verb: fleet.Start, reason: HeldStart, next: WasRunning},
		{name: "a person brought it up before its begin", now: morning, state: fleet.Running, memory: WasStopped, resource: held, verb: fleet.Start, reason: HeldStart, next: WasRunning},
		{name: "its start failed and time has passed", now: morning, state: fleet.Running, memory: StartFailed, resource: held, verb: fleet.Start, reason: HeldStart, next: WasRunning},
		{name: "a schedule that only starts", now: morning, change: startOnly, state: fleet.Running, memory: WasRunning, resource: held, verb: fleet.Start, reason: HeldStart, next: WasRunning},
		{name: "a schedule that only stops", now: morning, change: func(s *policy.Schedule) { s.Mode = policy.StopOnly }, state: fleet.Running, memory: WasRunning, resource: held, reason: AlreadyRunning, next: WasRunning},
		{name: "left to another", now: morning, state: fleet.Running, memory: WasRunning, resource: service(fleet.Running, func(r *fleet.Resource) { r.Bar = fleet.ExternalDeployer }), reason: AlreadyRunning, next: WasRunning},
		{name: "its stop was cut off", now: evening, state: fleet.Running, memory: WasRunning, resource: held, verb: fleet.Stop, reason: PeriodEnded, next: WasStopped},
		{name: "a person brought it up in the evening", now: evening, state: fleet.Running, memory: WasStopped, resource: held, reason: ManualStart, next: WasStopped},
		{name: "it has its scaling", now: morning, state: fleet.Running, memory: WasRunning, resource: service(fleet.Running, func(r *fleet.Resource) { r.Held = false }), reason: AlreadyRunning, next: WasRunning},
	})
}
