package service

import (
	"errors"
	"strings"
	"testing"

	"dayshift/internal/store"
)

const capacityFile = officeFile + `
capacity: {approve_above: 5}
`

const tenLarge = `{"account":"111122223333","region":"ap-northeast-2","instance_type":"r5b.2xlarge","zones":["ap-northeast-2a"],"count":10`

// TestFault41EndInThePast: what is over before it is made is refused, and nothing is kept of it.
func TestFault41EndInThePast(t *testing.T) {
	m := newTeam(t, capacityFile)
	_, err := m.save(store.ReservationObject, "sale", tenLarge+`,"from":"2026-08-01T09:00","to":"2026-08-03T08:00","timezone":"UTC"}`, 0)
	var wrong *InputError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "which is in the past") {
		t.Errorf("an end that has come: %v", err)
	}
	if _, err := m.save(store.ReservationObject, "sale", tenLarge+`,"from":"2026-08-05T09:00","to":"2026-08-04T09:00","timezone":"UTC"}`, 0); err == nil {
		t.Error("an end before the begin is taken")
	}
	if rows := m.record(); len(rows) != 0 {
		t.Errorf("the record has %q", rows)
	}
	m.must(store.ReservationObject, "sale", tenLarge+`,"from":"2026-08-01T09:00","to":"2026-08-03T08:01","timezone":"UTC"}`, 0)
}

// TestFault6_16ASecondPersonApproves: whoever asked for it last is not the one who may approve it, with whichever key, and an
// approval is of what was there when it was given.
func TestFault6_16ASecondPersonApproves(t *testing.T) {
	m := newTeam(t, capacityFile)
	m.must(store.ReservationObject, "sale", tenLarge+`}`, 0)
	for _, author := range []string{"kim", "Kim", "kim (of another key)"} {
		var forbidden *ForbiddenError
		if _, err := m.ApproveReservation(t.Context(), ApprovalRequest{Name: "sale", Author: author}); !errors.As(err, &forbidden) {
			t.Errorf("%s approves what kim asked for: %v", author, err)
		}
	}
	for _, author := range []string{"", "\n"} {
		if _, err := m.ApproveReservation(t.Context(), ApprovalRequest{Name: "sale", Author: author}); err == nil {
			t.Errorf("nobody (%q) approves it", author)
		}
	}
	answer, err := m.ApproveReservation(t.Context(), ApprovalRequest{Name: "sale", Author: "lee"})
	if err != nil || !answer.Saved || answer.Count != 10 {
		t.Fatalf("%+v, %v", answer, err)
	}
	if again, err := m.ApproveReservation(t.Context(), ApprovalRequest{Name: "sale", Author: "park"}); err != nil || again.Saved || again.Author != "lee" {
		t.Errorf("approved a second time: %+v, %v", again, err)
	}
	m.must(store.ReservationObject, "sale", strings.Replace(tenLarge, `"count":10`, `"count":11`, 1)+`}`, 1)
	if anew, err := m.ApproveReservation(t.Context(), ApprovalRequest{Name: "sale", Author: "lee"}); err != nil || !anew.Saved || anew.Count != 11 {
		t.Errorf("more than was approved is approved already: %+v, %v", anew, err)
	}
}
