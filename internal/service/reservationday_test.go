package service

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// TestFault6_16TheDayIsShown: what was bought within 24 hours, what is left of it in all and by account, and from when on there is more.
func TestFault6_16TheDayIsShown(t *testing.T) {
	m := newTeam(t, strings.Replace(capacityFile, "approve_above: 5", "max_per_day: 30, max_per_day_per_account: 8", 1))
	answer := m.must(store.ReservationObject, "sale", tenLarge+`}`, 0)
	if notes := strings.Join(english(answer.Effect.Notes), "\n"); !strings.Contains(notes, "No more than 8 may be bought within 24 hours, so reservation sale takes several days.") {
		t.Errorf("notes: %s", notes)
	}
	now := m.Service.Now()
	lease, err := m.Store.Acquire(t.Context(), "dayshift", "test", now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	early, late := reservation.Bought(now.Add(-30*time.Hour), "111122223333", 7), reservation.Bought(now.Add(-23*time.Hour), "111122223333", 8)
	for name, day := range map[string]reservation.Day{"sale": {early, late}, "deleted": {reservation.Bought(now, "444455556666", 3)}} {
		data, err := json.Marshal(day)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Store.SaveRecords(t.Context(), lease, []store.Record{{Kind: store.ReservationDay, Name: name, Data: data, Changed: now}}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := m.Capacity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Bought{Count: 11, Max: 30, Left: 19}, c.Bought); diff != "" {
		t.Errorf("in all (-want +got):\n%s", diff)
	}
	want := []AccountBought{
		{"111122223333", Bought{Count: 8, Max: 8, More: late.At.Add(reservation.DayLength + reservation.DayGrain)}},
		{"444455556666", Bought{Count: 3, Max: 8, Left: 5}},
	}
	if diff := cmp.Diff(want, c.Accounts); diff != "" {
		t.Errorf("by account (-want +got):\n%s", diff)
	}
}
