package capacity

import (
	"encoding/json"
	"slices"
	"testing"

	"dayshift/internal/cloud"
	"dayshift/internal/reservation"
)

// TestOthersAreShown: what others hold that the same instances could use is shown, Capacity Blocks too, and never touched.
func TestOthersAreShown(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	order := cloud.Order{Type: zoneC.Type, Zone: zoneC.Zone, Platform: "Linux/UNIX", Tenancy: "default", Match: "open"}
	hold := func(id string, change func(*cloud.Reservation)) {
		r := &cloud.Reservation{ID: id, Order: order, State: cloud.ReservationActive, Total: 5, Free: 5}
		change(r)
		w.held[id], w.account[id] = r, tokyo
	}
	hold("cr-open", func(*cloud.Reservation) {})
	hold("cr-block", func(r *cloud.Reservation) { r.Block, r.Match = true, "targeted" })
	hold("cr-targeted", func(r *cloud.Reservation) { r.Match = "targeted" })
	hold("cr-windows", func(r *cloud.Reservation) { r.Platform = "Windows" })
	hold("cr-elsewhere", func(r *cloud.Reservation) { r.Zone = zoneA.Zone })
	hold("cr-over", func(r *cloud.Reservation) { r.State = cloud.ReservationExpired })
	w.run(defaults, sale())
	var m reservation.Memory
	if err := json.Unmarshal(w.memory("sale"), &m); err != nil {
		t.Fatal(err)
	}
	var shown []string
	for i := range m.Also {
		shown = append(shown, m.Also[i].ID)
	}
	if slices.Sort(shown); !slices.Equal(shown, []string{"cr-block", "cr-open"}) {
		t.Errorf("shown: %v", shown)
	}
	for _, id := range []string{"cr-open", "cr-block"} {
		if r := w.held[id]; r.Total != 5 || r.State != cloud.ReservationActive {
			t.Errorf("%s was changed: %+v", id, r)
		}
	}
	if total := w.total("sale"); total != 37 {
		t.Errorf("%d are held of its own", total)
	}
}
