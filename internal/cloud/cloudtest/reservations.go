package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// ReserverHarness is what the test of a cloud.Reserver offers.
type ReserverHarness struct {
	// Scopes that may be used, at least two; Zones of the first.
	Scopes []fleet.Scope
	Zones  []string
	// Type is one that is sold by default; Plain one without the optimisation for EBS.
	Type, Plain string
	// Tag is set on everything that is reserved: implementations refuse what they would not know again.
	Tag string
	// Open makes a cloud in which nothing is reserved.
	Open func(t *testing.T) ReserverWorld
	// Within is as of Harness.
	Within func(t *testing.T, body func(t *testing.T))
}

// ReserverWorld is a cloud under examination.
type ReserverWorld struct {
	Reserver cloud.Reserver
	Types    cloud.TypeReader
	// Limit leaves so many places of the type in the zone.
	Limit func(zone, instanceType string, free int)
	Now   func() time.Time
	Pass  func(time.Duration)
}

// ExerciseReserver runs the examination of a cloud.Reserver.
func ExerciseReserver(t *testing.T, h ReserverHarness) {
	if len(h.Scopes) < 2 || len(h.Zones) < 2 {
		t.Fatal("the harness needs two scopes and two zones")
	}
	examine(t, h.Within, nil, func(t *testing.T) *reserverExam {
		return &reserverExam{T: t, ReserverHarness: h, ReserverWorld: h.Open(t), ctx: t.Context()}
	}, []trial[reserverExam]{
		{"what is reserved is listed as it was ordered", (*reserverExam).listed},
		{"a reservation grows, shrinks and is given back", (*reserverExam).life},
		{"the same token gives the same reservation", (*reserverExam).token},
		{"without capacity nothing is held", (*reserverExam).short},
		{"growing without capacity leaves it as it was", (*reserverExam).shortGrowth},
		{"its end comes by itself, and can be moved", (*reserverExam).end},
		{"giving back twice is as giving back once", (*reserverExam).twice},
		{"what has ended can not be changed", (*reserverExam).ended},
		{"a scope shows its own alone", (*reserverExam).scopes},
		{"many reservations are listed whole, in order", (*reserverExam).many},
		{"what can not be ordered is invalid", (*reserverExam).invalid},
		{"what is not configured is invalid", (*reserverExam).strangers},
		{"one in the future is shown as coming", (*reserverExam).future},
		{"a permit that is gone sends nothing", (*reserverExam).permit},
		{"types tell of the optimisation for EBS", (*reserverExam).types},
	})
}

type reserverExam struct {
	*testing.T
	ReserverHarness
	ReserverWorld
	ctx context.Context
}

func (e *reserverExam) order(count int) cloud.Order {
	return cloud.Order{
		Type: e.Type, Zone: e.Zones[0], Platform: "Linux/UNIX", Tenancy: "default", EBSOptimized: true, Match: "open", Count: count,
		Tags: map[string]string{e.Tag: "sale", "Team": "shop & <co>"},
	}
}

func (e *reserverExam) reserve(order cloud.Order, token string) cloud.Reservation {
	e.Helper()
	made, err := e.Reserver.Reserve(e.ctx, e.Scopes[0], order, token)
	if err != nil {
		e.Fatalf("reserve: %v", err)
	}
	return made
}

func (e *reserverExam) list() []cloud.Reservation {
	e.Helper()
	list, err := e.Reserver.Reservations(e.ctx, e.Scopes[0])
	if err != nil {
		e.Fatalf("list: %v", err)
	}
	return list
}

// one is the only reservation that there is.
func (e *reserverExam) one() cloud.Reservation {
	e.Helper()
	list := e.list()
	if len(list) != 1 {
		e.Fatalf("%d reservations, want 1", len(list))
	}
	return list[0]
}

func (e *reserverExam) want(err, class error) {
	e.Helper()
	if !errors.Is(err, class) {
		e.Errorf("got %v, want: %v", err, class)
	}
}

func (e *reserverExam) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *reserverExam) listed() {
	order := e.order(3)
	order.Match, order.End = "targeted", e.Now().Add(48*time.Hour).UTC().Truncate(time.Second)
	made := e.reserve(order, "t1")
	seen := e.one()
	if made.ID == "" || made.ID != seen.ID || seen.State != cloud.ReservationActive || seen.Total != 3 || seen.Free != 3 || seen.Used() != 0 || seen.Block || seen.Created.IsZero() {
		e.Errorf("made %+v, listed %+v", made, seen)
	}
	for _, got := range []cloud.Order{made.Order, seen.Order} {
		if diff := cmp.Diff(order, got); diff != "" {
			e.Errorf("the order is shown otherwise (-ordered +shown):\n%s", diff)
		}
	}
}

func (e *reserverExam) life() {
	id := e.reserve(e.order(10), "t1").ID
	e.ok(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{Count: 37}))
	if r := e.one(); r.Total != 37 || !r.End.IsZero() {
		e.Errorf("grown to %+v", r)
	}
	e.ok(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{Count: 20}))
	if r := e.one(); r.Total != 20 {
		e.Errorf("shrunk to %+v", r)
	}
	e.ok(e.Reserver.Cancel(e.ctx, e.Scopes[0], id))
	if r := e.one(); r.State != cloud.ReservationCancelled || r.State.Holds() || r.State.Coming() {
		e.Errorf("given back it shows %+v", r)
	}
}

func (e *reserverExam) token() {
	first, again := e.reserve(e.order(5), "the same"), e.reserve(e.order(5), "the same")
	if first.ID != again.ID || e.one().Total != 5 {
		e.Errorf("%s, then %s", first.ID, again.ID)
	}
	_, err := e.Reserver.Reserve(e.ctx, e.Scopes[0], e.order(6), "the same")
	e.want(err, cloud.ErrInvalid)
	if other := e.reserve(e.order(5), "another"); other.ID == first.ID {
		e.Error("another token gave the same reservation")
	}
}

func (e *reserverExam) short() {
	e.Limit(e.Zones[0], e.Type, 9)
	_, err := e.Reserver.Reserve(e.ctx, e.Scopes[0], e.order(10), "t1")
	e.want(err, cloud.ErrInsufficientCapacity)
	if list := e.list(); len(list) > 0 {
		e.Errorf("something is held: %+v", list)
	}
	e.reserve(e.order(9), "t2")
	other := e.order(10)
	other.Zone = e.Zones[1]
	e.reserve(other, "t3")
}

func (e *reserverExam) shortGrowth() {
	e.Limit(e.Zones[0], e.Type, 12)
	id := e.reserve(e.order(10), "t1").ID
	e.want(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{Count: 20}), cloud.ErrInsufficientCapacity)
	if r := e.one(); r.Total != 10 || r.State != cloud.ReservationActive {
		e.Errorf("it shows %+v", r)
	}
	e.ok(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{Count: 12}))
}

func (e *reserverExam) end() {
	order := e.order(2)
	order.End = e.Now().Add(time.Hour)
	id := e.reserve(order, "t1").ID
	later := e.Now().Add(3 * time.Hour)
	e.ok(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{End: later}))
	if r := e.one(); r.Total != 2 || r.End.Sub(later).Abs() > time.Second {
		e.Errorf("the end is at %v, want %v; %+v", r.End, later, r)
	}
	e.Pass(2 * time.Hour)
	if r := e.one(); r.State != cloud.ReservationActive {
		e.Errorf("before its end it is %s", r.State)
	}
	e.Pass(time.Hour + time.Minute)
	if r := e.one(); r.State != cloud.ReservationExpired || r.State.Holds() {
		e.Errorf("after its end it is %s", r.State)
	}
	order.End = e.Now().Add(-time.Minute)
	_, err := e.Reserver.Reserve(e.ctx, e.Scopes[0], order, "t2")
	e.want(err, cloud.ErrInvalid)
}

func (e *reserverExam) twice() {
	id := e.reserve(e.order(1), "t1").ID
	e.ok(e.Reserver.Cancel(e.ctx, e.Scopes[0], id))
	e.ok(e.Reserver.Cancel(e.ctx, e.Scopes[0], id))
	e.Pass(100 * 24 * time.Hour) // it is shown no more
	e.ok(e.Reserver.Cancel(e.ctx, e.Scopes[0], id))
}

func (e *reserverExam) ended() {
	id := e.reserve(e.order(1), "t1").ID
	e.ok(e.Reserver.Cancel(e.ctx, e.Scopes[0], id))
	e.want(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{Count: 2}), cloud.ErrWrongState)
	e.Pass(100 * 24 * time.Hour)
	e.want(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{Count: 2}), cloud.ErrNotFound)
}

func (e *reserverExam) scopes() {
	e.reserve(e.order(1), "t1")
	list, err := e.Reserver.Reservations(e.ctx, e.Scopes[1])
	if err != nil || len(list) > 0 {
		e.Errorf("%s shows %v, %v", e.Scopes[1], list, err)
	}
}

func (e *reserverExam) many() {
	const many = 60
	for n := range many {
		e.reserve(e.order(1), fmt.Sprint("t", n))
	}
	list := e.list()
	if len(list) != many || !slices.IsSortedFunc(list, func(a, b cloud.Reservation) int { return strings.Compare(a.ID, b.ID) }) {
		e.Errorf("%d reservations, want %d in order of their ids", len(list), many)
	}
}

func (e *reserverExam) invalid() {
	for name, change := range map[string]func(*cloud.Order){
		"none":          func(o *cloud.Order) { o.Count = 0 },
		"too many":      func(o *cloud.Order) { o.Count = 1001 },
		"no type":       func(o *cloud.Order) { o.Type = "" },
		"no zone":       func(o *cloud.Order) { o.Zone = "" },
		"no platform":   func(o *cloud.Order) { o.Platform = "" },
		"bad platform":  func(o *cloud.Order) { o.Platform = "Plan 9" },
		"a bad zone":    func(o *cloud.Order) { o.Zone = "mars-north-1a" },
		"no tag of us":  func(o *cloud.Order) { o.Tags = map[string]string{"Team": "shop"} },
		"begins at end": func(o *cloud.Order) { o.Start, o.End = e.Now().Add(time.Hour), e.Now().Add(time.Minute) },
	} {
		order := e.order(1)
		change(&order)
		if _, err := e.Reserver.Reserve(e.ctx, e.Scopes[0], order, "t-"+name); !errors.Is(err, cloud.ErrInvalid) {
			e.Errorf("%s: %v", name, err)
		}
	}
	_, err := e.Reserver.Reserve(e.ctx, e.Scopes[0], e.order(1), "")
	e.want(err, cloud.ErrInvalid)
	id := e.reserve(e.order(1), "t1").ID
	e.want(e.Reserver.Modify(e.ctx, e.Scopes[0], id, cloud.Change{}), cloud.ErrInvalid)
	plain := e.order(1)
	plain.Type = e.Plain
	_, err = e.Reserver.Reserve(e.ctx, e.Scopes[0], plain, "t2")
	e.want(err, cloud.ErrUnsupported)
	plain.EBSOptimized = false
	e.reserve(plain, "t3")
}

func (e *reserverExam) strangers() {
	stranger := fleet.Scope{Account: "999999999999", Region: e.Scopes[0].Region}
	_, err := e.Reserver.Reservations(e.ctx, stranger)
	e.want(err, cloud.ErrInvalid)
	_, err = e.Reserver.Reserve(e.ctx, stranger, e.order(1), "t1")
	e.want(err, cloud.ErrInvalid)
	e.want(e.Reserver.Modify(e.ctx, stranger, "cr-00000000000000001", cloud.Change{Count: 1}), cloud.ErrInvalid)
	e.want(e.Reserver.Cancel(e.ctx, stranger, "cr-00000000000000001"), cloud.ErrInvalid)
	_, err = e.Types.TypeInfo(e.ctx, stranger, e.Type)
	e.want(err, cloud.ErrInvalid)
}

func (e *reserverExam) future() {
	order := e.order(100)
	order.Match, order.Start, order.Commitment = "targeted", e.Now().Add(10*24*time.Hour).UTC().Truncate(time.Second), 14*24*time.Hour
	e.reserve(order, "t1")
	seen := e.one()
	if !seen.State.Coming() || seen.State.Holds() || !seen.Start.Equal(order.Start) || seen.Commitment != order.Commitment {
		e.Errorf("ordered for %v, %v long, it is shown as %+v", order.Start, order.Commitment, seen)
	}
	e.Pass(3 * 24 * time.Hour)
	if r := e.one(); r.State != cloud.ReservationScheduled {
		e.Errorf("accepted it is %s", r.State)
	}
	e.want(e.Reserver.Cancel(e.ctx, e.Scopes[0], seen.ID), cloud.ErrWrongState)
	e.Pass(8 * 24 * time.Hour)
	if r := e.one(); r.State != cloud.ReservationActive || r.Free != 100 {
		e.Errorf("after its begin it is %+v", r)
	}
}

func (e *reserverExam) permit() {
	id := e.reserve(e.order(2), "t1").ID
	gone := cloud.WithPermit(e.ctx, func() error { return errors.New("the lease is gone") })
	_, err := e.Reserver.Reserve(gone, e.Scopes[0], e.order(1), "t2")
	e.want(err, cloud.ErrNotPermitted)
	e.want(e.Reserver.Modify(gone, e.Scopes[0], id, cloud.Change{Count: 3}), cloud.ErrNotPermitted)
	e.want(e.Reserver.Cancel(gone, e.Scopes[0], id), cloud.ErrNotPermitted)
	if r := e.one(); r.Total != 2 || r.State != cloud.ReservationActive {
		e.Errorf("it shows %+v", r)
	}
}

func (e *reserverExam) types() {
	for name, want := range map[string]cloud.EBSSupport{e.Type: cloud.EBSAlways, e.Plain: cloud.EBSUnsupported} {
		for range 2 {
			if info, err := e.Types.TypeInfo(e.ctx, e.Scopes[0], name); err != nil || info != (cloud.TypeInfo{Name: name, EBS: want}) {
				e.Errorf("%s: %+v, %v", name, info, err)
			}
		}
	}
	_, err := e.Types.TypeInfo(e.ctx, e.Scopes[0], "m5.tiny")
	e.want(err, cloud.ErrUnsupported)
}
