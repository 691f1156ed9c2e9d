package kinds

import (
	"testing"

	"dayshift/internal/reservation"
)

func TestTheTagOfReservationsIsTheOneTheyAreKnownBy(t *testing.T) {
	if ReservationTag != reservation.TagName {
		t.Errorf("policies are written for %s, reservations are known by %s", ReservationTag, reservation.TagName)
	}
}
