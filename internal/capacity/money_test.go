package capacity

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// TestFault6_16CostGuard: no more is bought than the limit allows, and what costs more than a person may decide alone waits for a second one.
func TestFault6_16CostGuard(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	rules := defaults
	rules.MaxHourly = 10 // one costs 0.596
	o := w.run(rules, sale()).Outcomes[0]
	if o.Held != 16 || o.Why != reservation.Limit || !strings.Contains(o.Text, "USD 9.54 of the USD 10.00") {
		t.Errorf("%+v", o)
	}

	w = newWorld(t)
	w.room[zoneC] = 100
	rules = defaults
	rules.ApproveAbove = 20
	if o := w.run(rules, sale()).Outcomes[0]; o.Held != 0 || o.Why != reservation.Approval {
		t.Errorf("%+v", o)
	}
	want(t, w.took())
	spec, err := json.Marshal(reservation.Consent{Print: sale().Print()})
	if err != nil {
		t.Fatal(err)
	}
	w.objects = []store.Object{{Kind: store.ApprovalObject, Name: "sale", Spec: spec}}
	more := sale()
	more.Count = 38
	if o := w.run(rules, more).Outcomes[0]; o.Held != 0 {
		t.Errorf("an approval of 37 buys 38: %+v", o)
	}
	if o := w.run(rules, sale()).Outcomes[0]; o.Held != 37 {
		t.Errorf("%+v", o)
	}
}

// TestIdle: what is held and not used is told once, with its cost.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	for range 20 {
		w.run(defaults, sale())
		w.pass(5 * time.Minute)
	}
	idle := 0
	for _, kind := range w.said() {
		if kind == notify.ReservationIdle {
			idle++
		}
	}
	if rows := w.events(store.EventReservationIdle); idle != 1 || len(rows) != 1 || !strings.Contains(rows[0], "USD 22.05 an hour") {
		t.Errorf("told %d times: %q", idle, rows)
	}
}
