package pass_test

import (
	"testing"
	"testing/synctest"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// warehouses are the states of Redshift clusters and notebook instances by name.
func (w *world) warehouses() map[string]string {
	states := map[string]string{}
	for _, h := range w.sim.Warehouses("", "") {
		states[h.ID] = h.State
	}
	for _, n := range w.sim.Notebooks("", "") {
		states[n.Name] = n.State
	}
	return states
}

func (w *world) expectWarehouses(when string, want map[string]string) {
	w.t.Helper()
	states := w.warehouses()
	for name, state := range want {
		if states[name] != state {
			w.t.Errorf("%s: %s is %s, want %s", when, name, states[name], state)
		}
	}
}

func TestAWarehouseAndANotebookKeepOfficeHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:00:00+08:00")
		sales, vault := at("cn-north-1", shop, "redshift", "sales", "available", nil), at("cn-north-1", shop, "redshift", "vault", "available", nil)
		sales.Window, vault.HSM = "sat:16:00-sat:16:30", true
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.Snapshot, s.UseMaintenanceWindow = "dayshift", true }),
			sales, vault, at("cn-north-1", shop, "notebook", "Study", "InService", nil))
		w.scopes = beijing
		w.live(clockTime(5, 18, 30))
		w.expectWarehouses("on Friday evening", map[string]string{"sales": "paused", "vault": "available", "Study": "Stopped"})
		if m := w.memory("sales"); m.Snapshot != "" {
			t.Errorf("a snapshot of ours is remembered: %q", m.Snapshot)
		}
		if n := count(w.sim, "PauseCluster"); n != 1 {
			t.Errorf("%d calls to pause", n)
		}

		// AWS maintains no paused cluster, so its window is running time: Sunday, 00:00 to 00:30.
		w.live(clockTime(7, 0, 10))
		w.expectWarehouses("in its maintenance window", map[string]string{"sales": "available", "Study": "Stopped"})
		w.live(clockTime(7, 1, 0))
		w.expectWarehouses("after its window", map[string]string{"sales": "paused"})

		w.faults("[{service: sagemaker, action: StartNotebookInstance, kind: fall-back, count: 1}]")
		w.live(clockTime(8, 9, 30))
		w.expectWarehouses("on Monday", map[string]string{"sales": "available", "Study": "InService"})
		w.wantRows("the notebook's first start", 1, store.EventFailed, "it fell back to stopped: Insufficient notebook instance capacity.")
		if m := w.memory("Study"); m.Ref.Kind != fleet.SageMakerNotebook || m.Last != decide.WasRunning {
			t.Errorf("remembered: %+v", m)
		}
	})
}
