package config

import (
	"testing"

	"dayshift/internal/reservation"
)

// TestFault6_16TheLimitsOfADay: as many as the file says, and as long as it says nothing any number.
func TestFault6_16TheLimitsOfADay(t *testing.T) {
	if got := mustJoin(t, shop).Capacity.Daily; got != (reservation.Daily{}) {
		t.Errorf("by default %+v", got)
	}
	if got := mustJoin(t, shop+"capacity: {max_per_day: 100, max_per_day_per_account: 40}\n").Capacity.Daily; got != (reservation.Daily{All: 100, Account: 40}) {
		t.Errorf("%+v", got)
	}
}
