package capacity

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func (w *world) events(event store.Event) (details []string) {
	for _, row := range w.rows {
		if row.Event == event {
			details = append(details, row.Detail)
		}
	}
	return details
}

// TestSteps: 37 are bought as 10, 10, 10 and 7 in one look, and are one reservation with an end of its own.
func TestSteps(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	report := w.run(defaults, sale())
	want(t, w.took(), "buy 10 ap-northeast-1c/r5b.2xlarge", "modify cr-1 to 20", "modify cr-1 to 30", "modify cr-1 to 37")
	if o := report.Outcomes[0]; o.Held != 37 || o.Why != reservation.Reached || !report.Next.Equal(w.now.Add(5*time.Minute)) {
		t.Errorf("%+v, next at %s", o, report.Next)
	}
	r := w.held["cr-1"]
	if end := friday.Add(73 * time.Hour); !r.End.Equal(end) || r.Tags[reservation.TagPart] != zoneC.String() || !r.EBSOptimized {
		t.Errorf("%+v", r)
	}
	if got := w.events(store.EventReserved); len(got) != 4 || !strings.Contains(got[3], "USD 4.17 an hour") {
		t.Errorf("rows: %q", got)
	}
	if got := w.said(); !slices.Equal(got, []notify.Kind{notify.ReservationReached}) {
		t.Errorf("told %v", got)
	}
	w.pass(5 * time.Minute)
	w.run(defaults, sale())
	want(t, w.took())
	if got := w.said(); got != nil {
		t.Errorf("told again: %v", got)
	}
}

// TestRefusedHalves: a refused 10 becomes 5, 2 and 1, then the interval is waited for; what there is room for meanwhile is bought.
func TestRefusedHalves(t *testing.T) {
	w := newWorld(t)
	report := w.run(defaults, sale())
	want(t, w.took(), "buy 10 ap-northeast-1c/r5b.2xlarge: refused", "buy 5 ap-northeast-1c/r5b.2xlarge: refused", "buy 2 ap-northeast-1c/r5b.2xlarge: refused", "buy 1 ap-northeast-1c/r5b.2xlarge: refused")
	if o := report.Outcomes[0]; o.Why != reservation.Short || !o.Until.Equal(w.now.Add(5*time.Minute)) {
		t.Errorf("%+v", o)
	}
	if got := w.events(store.EventReservationShort); len(got) != 1 || !strings.Contains(got[0], "10 in ap-northeast-1c/r5b.2xlarge, 5 in") {
		t.Errorf("rows: %q", got)
	}
	if got := w.said(); !slices.Equal(got, []notify.Kind{notify.ReservationShort}) {
		t.Errorf("told %v", got)
	}
	w.pass(4 * time.Minute) // something else woke the loop
	w.run(defaults, sale())
	want(t, w.took())

	w.pass(time.Minute)
	w.room[zoneC] = 13
	w.run(defaults, sale())
	want(t, w.took(), "buy 10 ap-northeast-1c/r5b.2xlarge", "modify cr-1 to 20: refused", "modify cr-1 to 15: refused", "modify cr-1 to 12", "modify cr-1 to 14: refused", "modify cr-1 to 13", "modify cr-1 to 14: refused")
	if got := w.said(); got != nil {
		t.Errorf("told twice of one shortage: %v", got)
	}
	w.pass(5 * time.Minute)
	w.room[zoneC] = 1000
	w.run(defaults, sale())
	want(t, w.took(), "modify cr-1 to 23", "modify cr-1 to 33", "modify cr-1 to 37")
	if got := w.said(); !slices.Equal(got, []notify.Kind{notify.ReservationReached}) {
		t.Errorf("told %v", got)
	}
}

// TestRefusedChunkDoesNotStopTheOthers: what the next zone has is bought before anything is waited for.
func TestAlternatives(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC], w.room[zoneD], w.room[other] = 12, 3, 100
	r := sale()
	r.Alternatives = []reservation.Part{zoneD, other}
	report := w.run(defaults, r)
	if o := report.Outcomes[0]; o.Held != 37 || o.Why != reservation.Reached {
		t.Errorf("%+v\n%s", o, strings.Join(w.took(), "\n"))
	}
	if w.room[zoneC] != 0 || w.room[zoneD] != 0 || w.room[other] != 78 {
		t.Errorf("room left: %v", w.room)
	}
	r.Count = 13 // the last alternative goes first, then the one before
	w.took()
	w.run(defaults, r)
	want(t, w.took(), "cancel cr-3", "modify cr-2 to 1")
}

// TestZonesAreEven: what is wanted in two zones is spread, and what one has no room for is held in the other.
func TestZonesAreEven(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC], w.room[zoneA] = 100, 100
	r := sale()
	r.Parts = []reservation.Part{zoneC, zoneA}
	w.run(defaults, r)
	if w.room[zoneC] != 81 || w.room[zoneA] != 82 {
		t.Errorf("room left: %v\n%s", w.room, strings.Join(w.took(), "\n"))
	}
	w = newWorld(t)
	w.room[zoneC], w.room[zoneA] = 5, 100
	w.run(defaults, r)
	if w.room[zoneC] != 0 || w.room[zoneA] != 68 {
		t.Errorf("room left: %v\n%s", w.room, strings.Join(w.took(), "\n"))
	}
}

// TestLess: 37 → 20 gives 17 back; what running instances use stays, unless the reservation says otherwise.
func TestLess(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.run(defaults, sale())
	w.took()
	less := sale()
	less.Count = 20
	w.run(defaults, less)
	want(t, w.took(), "modify cr-1 to 20")
	if got := w.events(store.EventReleased); len(got) != 1 || !strings.Contains(got[0], "give 17 of") {
		t.Errorf("rows: %q", got)
	}

	w.held["cr-1"].Free = 2 // 18 are used
	less.Count = 5
	report := w.run(defaults, less)
	want(t, w.took(), "modify cr-1 to 18")
	if o := report.Outcomes[0]; o.Held != 18 || o.Used != 18 || o.Why != reservation.InUse {
		t.Errorf("%+v", o)
	}
	w.held["cr-1"].Free = 10 // instances stopped
	w.pass(5 * time.Minute)
	w.run(defaults, less)
	want(t, w.took(), "modify cr-1 to 8")

	w.held["cr-1"].Free = 0
	w.pass(5 * time.Minute)
	less.Enabled, less.ReleaseUsed = false, true
	w.run(defaults, less)
	want(t, w.took(), "cancel cr-1")
}

// TestWindowsEnd: everything is given back at the end, with proof in the record; what is used is kept until it is not, or until the safety end.
func TestWindowsEnd(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.run(defaults, sale())
	w.took()
	w.said()
	w.pass(72*time.Hour - time.Second)
	w.run(defaults, sale())
	want(t, w.took())
	w.pass(time.Second)
	w.said()
	report := w.run(defaults, sale())
	want(t, w.took(), "cancel cr-1")
	if o := report.Outcomes[0]; o.Why != reservation.Released || o.Held != 0 {
		t.Errorf("%+v", o)
	}
	if got := w.events(store.EventReleased); len(got) != 2 || !strings.Contains(got[1], "cr-1 is cancelled") {
		t.Errorf("rows: %q", got)
	}
	if got := w.said(); !slices.Equal(got, []notify.Kind{notify.ReservationReleased}) {
		t.Errorf("told %v", got)
	}

	w = newWorld(t)
	w.room[zoneC] = 100
	w.run(defaults, sale())
	w.pass(72 * time.Hour)
	w.held["cr-1"].Free = 30
	w.took()
	w.run(defaults, sale())
	want(t, w.took(), "modify cr-1 to 7")
	w.pass(time.Hour) // the end that was set in AWS
	w.run(defaults, sale())
	want(t, w.took())
	if got := w.said(); !slices.Contains(got, notify.ReservationReleased) || slices.Contains(got, notify.ReservationFailed) {
		t.Errorf("told %v", got)
	}
}

// TestSafetyEnd: the end on AWS's side follows the window; without one it is moved while it is wanted, and a Dayshift that is gone leaves nothing behind.
func TestSafetyEnd(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	w.run(defaults, sale())
	w.took()
	longer := sale()
	longer.To = longer.To.Add(2 * time.Hour)
	w.run(defaults, longer)
	want(t, w.took(), "end cr-1 at 2026-11-29T12:00:00Z")
	always := sale()
	always.From, always.To = time.Time{}, time.Time{}
	for range 12 * 24 * 3 { // three days
		w.pass(5 * time.Minute)
		w.run(defaults, always)
	}
	if calls := w.took(); len(calls) < 4 || len(calls) > 8 {
		t.Errorf("in three days the end was moved by %q", calls)
	}
	w.pass(26 * time.Hour) // nobody renews it
	if total := w.total("sale"); total != 0 {
		t.Errorf("%d are left behind", total)
	}
}

// TestOthersCancel: what expired, failed or was cancelled by others is noticed at the next look, and bought again; a counter is never believed.
func TestOthersCancel(t *testing.T) {
	for _, state := range []cloud.ReservationState{cloud.ReservationCancelled, cloud.ReservationExpired, cloud.ReservationFailed} {
		w := newWorld(t)
		w.room[zoneC] = 100
		w.run(defaults, sale())
		w.took()
		w.said()
		w.end(w.held["cr-1"], state)
		w.pass(5 * time.Minute)
		report := w.run(defaults, sale())
		want(t, w.took(), "buy 10 ap-northeast-1c/r5b.2xlarge", "modify cr-2 to 20", "modify cr-2 to 30", "modify cr-2 to 37")
		if report.Outcomes[0].Held != 37 {
			t.Errorf("%s: %+v", state, report.Outcomes[0])
		}
		if got := w.said(); !slices.Contains(got, notify.ReservationFailed) {
			t.Errorf("%s: told %v", state, got)
		}
	}
}

// TestThousand: AWS holds at most 1,000 in one reservation, so that a second one is made there; and one where the attributes differ.
func TestThousand(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 10_000
	r := sale()
	r.Count, r.Step = 1_500, 1_000
	w.run(defaults, r)
	want(t, w.took(), "buy 1000 ap-northeast-1c/r5b.2xlarge", "buy 500 ap-northeast-1c/r5b.2xlarge")
	r.Match = "targeted"
	w.run(defaults, r)
	want(t, w.took(), "buy 1000 ap-northeast-1c/r5b.2xlarge", "cancel cr-2", "modify cr-1 to 500", "buy 500 ap-northeast-1c/r5b.2xlarge", "cancel cr-1")
}

// TestWhyItIsShort: a limit of the account is told in the provider's words, beside the places that have no room; the record has
// a row when that changes and not at every round.
func TestWhyItIsShort(t *testing.T) {
	w := newWorld(t)
	r := sale()
	r.Alternatives = []reservation.Part{zoneD, other}
	limit := fmt.Errorf("%w (VcpuLimitExceeded: your limit is 32)", cloud.ErrQuota)
	w.fail = func(what string) error {
		if strings.Contains(what, zoneD.String()) {
			return limit
		}
		return nil
	}
	const text = "37 of 37 missing: there is no room in ap-northeast-1c/r5b.2xlarge, ap-northeast-1c/r5.2xlarge; " +
		"ap-northeast-1d/r5b.2xlarge: insufficient capacity: a limit of the account (VcpuLimitExceeded: your limit is 32)"
	for range 5 {
		if o := w.run(defaults, r).Outcomes[0]; o.Text != text {
			t.Errorf("%s", o.Text)
		}
		w.pass(5 * time.Minute)
	}
	if calls := w.took(); len(calls) != 5*12 { // 10, 5, 2 and 1 at each place: a limit may leave room for fewer
		t.Errorf("%d calls: %q", len(calls), calls)
	}
	if rows := w.events(store.EventReservationShort); len(rows) != 1 || !strings.HasPrefix(rows[0], text+". Refused: ") {
		t.Errorf("rows: %q", rows)
	}
	w.fail = nil
	w.run(defaults, r)
	w.pass(5 * time.Minute)
	w.room[zoneC] = 37
	w.run(defaults, r)
	w.room[zoneC] = 0
	w.end(w.held["cr-1"], cloud.ReservationFailed)
	w.room[zoneC] = 0
	w.run(defaults, r)
	if rows := w.events(store.EventReservationShort); len(rows) != 3 {
		t.Errorf("after what was refused changed, and after all was held for a while: %q", rows)
	}
}
