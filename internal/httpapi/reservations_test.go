package httpapi

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"dayshift/internal/reservation"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// TestReservationHistory: who may read sees how a reservation stood; who is bound to a filter does not, as of every reservation.
func TestReservationHistory(t *testing.T) {
	h := newHouse(t, Options{})
	const name = "table/ap-northeast-2a/m5.large"
	lease, err := h.store.Acquire(t.Context(), "leader", "test", houseTime, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	part := reservation.Part{Zone: "ap-northeast-2a", Type: "m5.large"}
	data, err := json.Marshal(reservation.Memory{
		Account: "111122223333", Region: "ap-northeast-2", Seen: houseTime,
		Samples: []reservation.Sample{{At: houseTime.Add(-time.Hour), Wanted: 4, Held: 3, Used: 1, Zones: []reservation.ZoneSample{{Part: part, Held: 3, Used: 1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.SaveRecords(t.Context(), lease, []store.Record{{Kind: store.ReservationMemory, Name: name, Data: data, Changed: houseTime}}); err != nil {
		t.Fatal(err)
	}
	path := base + "/reservations/" + url.PathEscape(name) + "/history"
	var body service.ReservationHistory
	h.get(ask{path: path, as: "viewer"}, 200, &body)
	if len(body.Points) != 1 || body.Points[0].Wanted != 4 || body.Points[0].Zones[0].Held != 3 || body.Cost <= 0 || !body.To.Equal(houseTime) {
		t.Errorf("%+v", body)
	}
	h.get(ask{path: path + "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", as: "viewer"}, 200, &body)
	if len(body.Points) != 0 {
		t.Errorf("long ago: %+v", body)
	}
	h.refused(ask{path: path + "?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", as: "viewer"}, 422, invalid)
	h.refused(ask{path: base + "/reservations/nobody/history", as: "viewer"}, 404, notFound)
	h.refused(ask{path: path, as: "shop admin"}, 403, outside)
	h.refused(ask{path: path}, 401, unauthenticated)
}
