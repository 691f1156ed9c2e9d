package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/capacity"
	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// saleConfig holds 37 for three hours of the day on which virtual time begins.
const saleConfig = `
store: memory
resync_interval: 5m
accounts:
  - {id: "111122223333", regions: [ap-northeast-1]}
reservations:
  sale: {account: "111122223333", region: ap-northeast-1, instance_type: r5b.2xlarge, zones: [ap-northeast-1c], count: COUNT, from: 2000-01-01T01:00:00Z, to: 2000-01-01T04:00:00Z}
`

func saleOf(count int) string { return strings.ReplaceAll(saleConfig, "COUNT", fmt.Sprint(count)) }

// reserved is what AWS holds of a zone and type, and in how many reservations.
func (h *house) reserved(zone, kind string) (total, pieces int) {
	h.t.Helper()
	for _, r := range h.sim.Snapshot().Reservations {
		if r.Zone == zone && r.Type == kind {
			total += r.Count
			pieces++
		}
	}
	return total, pieces
}

// asked are the calls of an action that went through, as how many the reservation was to have.
func (h *house) asked(action string) (counts []int) {
	for _, call := range calls(h.sim, action) {
		if call.Code == "" && call.Instances > 0 {
			counts = append(counts, call.Instances)
		}
	}
	return counts
}

// TestTheDaemonHoldsCapacityFromBeginToEnd: the real loop, in virtual time: 10, 10, 10 and 7 as the window begins, 17 back as
// the file says 20, and all of it at the end, to the second.
func TestTheDaemonHoldsCapacityFromBeginToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, saleOf(37))
		began := time.Now()
		d := h.serve()
		defer d.stop()
		time.Sleep(time.Hour - time.Second)
		if total, _ := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 0 {
			t.Errorf("%d are held before the begin", total)
		}
		time.Sleep(time.Minute)
		total, pieces := h.reserved("ap-northeast-1c", "r5b.2xlarge")
		if total != 37 || pieces != 1 {
			t.Errorf("%d are held in %d reservations", total, pieces)
		}
		if bought, grown := h.asked("CreateCapacityReservation"), h.asked("ModifyCapacityReservation"); fmt.Sprint(bought, grown) != "[10] [20 30 37]" {
			t.Errorf("bought %v, grown to %v", bought, grown)
		}
		if at := calls(h.sim, "CreateCapacityReservation")[0].Time; at.Sub(began) < time.Hour || at.Sub(began) > time.Hour+2*time.Second {
			t.Errorf("bought %s after the start", at.Sub(began))
		}
		h.write(saleOf(20))
		time.Sleep(2 * time.Minute)
		if total, _ := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 20 {
			t.Errorf("%d are held of 20", total)
		}
		time.Sleep(4*time.Hour + 5*time.Second - time.Since(began))
		if total, _ := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 0 {
			t.Errorf("%d are held after the end", total)
		}
		cancelled := calls(h.sim, "CancelCapacityReservation")
		if len(cancelled) != 1 || cancelled[0].Time.Sub(began) < 4*time.Hour {
			t.Errorf("cancelled: %+v", cancelled)
		}
		if rows := h.rows(store.EventReleased); len(rows) != 3 || !strings.Contains(rows[2].Detail, "is cancelled") {
			t.Errorf("the record: %+v", rows)
		}
		time.Sleep(5 * time.Hour)
		if n := len(calls(h.sim, "CreateCapacityReservation")); n != 1 {
			t.Errorf("%d purchases", n)
		}
	})
}

// TestNothingIsBoughtWhileOnlyLooking: neither observing nor a dry run buys or gives back anything.
func TestNothingIsBoughtWhileOnlyLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, "observe: true\n"+saleOf(37))
		d := h.serve()
		time.Sleep(2 * time.Hour)
		d.stop()
		if rows := h.rows(store.EventObserved); len(rows) != 1 || !strings.Contains(rows[0].Detail, "it would: reserve 10 of r5b.2xlarge in ap-northeast-1c") {
			t.Errorf("the record: %+v", rows)
		}
		h.write(saleOf(37))
		outcomes, err := h.open(h.store).DryReservations(t.Context(), time.Time{})
		if err != nil || len(outcomes) != 1 || len(outcomes[0].Did) != 4 || outcomes[0].Held != 0 {
			t.Errorf("%+v, %v", outcomes, err)
		}
		for _, call := range h.sim.Calls() {
			if call.Mutating {
				t.Errorf("called %s", call.Action)
			}
		}
	})
}

// trouble is what happens at one contact with AWS or the store.
type trouble int

const (
	diesBefore trouble = iota
	diesAfter          // it has its effect, and nobody is there any more to learn of it
	fails              // without an effect
	answerLost
	troubles
)

func (f trouble) String() string {
	return [...]string{"dies before", "dies after", "fails", "the answer is lost"}[f]
}

var errStruck = errors.New("connection reset by peer")

// contacts counts what a process has to do with the outside, and lets one of them meet trouble.
type contacts struct {
	n, at int // at < 0: none meets any
	f     trouble
	dead  bool // the process is, until the next one
}

// meet is one contact with an effect.
func (c *contacts) meet(effect func() error) error {
	if c.dead {
		return errStruck
	}
	struck := c.n == c.at
	c.n++
	if !struck {
		return effect()
	}
	if c.f == diesBefore || c.f == fails {
		c.dead = c.f == diesBefore
		return errStruck
	}
	err := effect()
	c.dead = c.f == diesAfter
	return errors.Join(errStruck, err)
}

// struckTransport is the way to AWS.
type struckTransport struct {
	http.RoundTripper

	on *contacts
}

func (s struckTransport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	err = s.on.meet(func() (err error) {
		answer, err = s.RoundTripper.RoundTrip(r)
		return err
	})
	if err != nil && answer != nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		return nil, errors.Join(err, answer.Body.Close())
	}
	return answer, err
}

// struckStore is the way to the store.
type struckStore struct {
	store.Store

	on *contacts
}

func (s struckStore) Records(ctx context.Context, query store.RecordQuery) (list []store.Record, err error) {
	err = s.on.meet(func() (err error) {
		list, err = s.Store.Records(ctx, query)
		return err
	})
	return list, err
}

func (s struckStore) SaveRecords(ctx context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	return s.on.meet(func() error { return s.Store.SaveRecords(ctx, lease, records, rows...) })
}

// TestFault41CrashAtEveryContact: whatever happens at whichever contact with AWS or the store, over AWS's own wire: AWS never
// holds more than was ever wanted, in no more than one reservation, holds it in the end, and after the window nothing.
func TestFault41CrashAtEveryContact(t *testing.T) {
	story := func(t *testing.T, at int, f trouble) (n int) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, saleOf(37))
			on := &contacts{at: at, f: f}
			pool := []awssim.Capacity{{Zone: "ap-northeast-1c", Type: "r5b.2xlarge", Free: 25}}
			if err := h.sim.SetCapacity(pool); err != nil {
				t.Fatal(err)
			}
			lease, err := h.store.Acquire(t.Context(), "test", "test", time.Now(), 24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			transport := h.sim.Transport()
			most := 37
			look := func() {
				on.dead = false // a process of its own
				a := h.open(struckStore{h.store, on})
				a.transport = struckTransport{transport, on}
				if a.Cloud, err = a.cloud(a.Config, nil); err != nil {
					t.Fatal(err)
				}
				look := a.lookAtCapacity()
				look.Lease, look.MayAct = func() store.Lease { return lease }, func() error { return nil }
				_, _ = look.Run(t.Context()) // what went wrong is what this is about
				if total, pieces := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total > most || pieces > 1 {
					t.Errorf("%d are held in %d reservations, of %d that were wanted", total, pieces, most)
				}
			}
			looks := func(n int) {
				for range n {
					look()
					time.Sleep(20 * time.Second)
				}
			}
			time.Sleep(time.Hour)
			looks(3) // 25 of 37
			pool[0].Free = 50
			if err := h.sim.SetCapacity(pool); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
			looks(3)
			if total, _ := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 37 {
				t.Errorf("%d of 37 are held", total)
			}
			h.write(saleOf(20))
			looks(3)
			time.Sleep(3 * time.Hour)
			looks(3)
			time.Sleep(5 * time.Minute)
			look()
			if total, _ := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 0 {
				t.Errorf("%d are left at the end", total)
			}
			n = on.n
		})
		return n
	}
	contacts := story(t, -1, 0)
	if contacts < 40 {
		t.Fatalf("the story has %d contacts", contacts)
	}
	every := crashes
	if testing.Short() {
		every = 7
	}
	for n := 0; n < contacts; n += every {
		for f := range troubles {
			t.Run(fmt.Sprintf("contact %d %s", n, f), func(t *testing.T) { story(t, n, f) })
		}
	}
}

// TestFault41AnswersOfAWS: what AWS says to a purchase, by its own codes: what is done, what people are told, and that all is
// held once AWS thinks otherwise.
func TestFault41AnswersOfAWS(t *testing.T) {
	for name, test := range map[string]struct {
		fault    awssim.Fault
		why      reservation.Reason
		says     string
		told     notify.Kind
		attempts int // to buy, in the first look
	}{
		"no capacity":                       {awssim.Fault{Kind: awssim.FaultError, Code: "InsufficientInstanceCapacity"}, reservation.Short, "37 of 37 missing: there is no room", notify.ReservationShort, 4},
		"the limit of the account":          {awssim.Fault{Kind: awssim.FaultError, Code: "InstanceLimitExceeded"}, reservation.Short, "in 111122223333/ap-northeast-1: insufficient capacity: a limit of the account (InstanceLimitExceeded", notify.ReservationShort, 4},
		"the limit of vCPUs":                {awssim.Fault{Kind: awssim.FaultError, Code: "VcpuLimitExceeded"}, reservation.Short, "a limit of the account (VcpuLimitExceeded", notify.ReservationShort, 4},
		"the limit of reservations":         {awssim.Fault{Kind: awssim.FaultError, Code: "ReservationCapacityExceeded"}, reservation.Short, "37 of 37 missing", notify.ReservationShort, 4},
		"it may not":                        {awssim.Fault{Kind: awssim.FaultDenied}, reservation.Trouble, "ec2:CreateCapacityReservation", notify.ReservationFailed, 1},
		"too many requests":                 {awssim.Fault{Kind: awssim.FaultThrottle}, reservation.Trouble, "rate limit", "", 0},
		"the region is off":                 {awssim.Fault{Kind: awssim.FaultNotOptedIn}, reservation.Trouble, "the region is not enabled", notify.ReservationFailed, 1},
		"the type is not offered there":     {awssim.Fault{Kind: awssim.FaultError, Code: "Unsupported"}, reservation.Short, "37 of 37 missing: ap-northeast-1c/r5b.2xlarge: reserve 10 of r5b.2xlarge", notify.ReservationShort, 1},
		"AWS finds the end in the past":     {awssim.Fault{Kind: awssim.FaultError, Code: "InvalidParameterValue", Message: "The end date must be in the future"}, reservation.Short, "37 of 37 missing", notify.ReservationShort, 1},
		"AWS is out of order":               {awssim.Fault{Kind: awssim.FaultError, Code: "InternalError"}, reservation.Trouble, "InternalError", "", 1},
		"nobody can tell what became of it": {awssim.Fault{Kind: awssim.FaultReset, Applied: true}, reservation.Trouble, "reserve 10 of r5b.2xlarge", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, saleOf(37))
				time.Sleep(time.Hour)
				fault := test.fault
				fault.Action = "CreateCapacityReservation"
				if err := h.sim.SetFaults([]awssim.Fault{fault}); err != nil {
					t.Fatal(err)
				}
				lease, err := h.store.Acquire(t.Context(), "test", "test", time.Now(), 24*time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				look := func() capacity.Outcome {
					look := h.open(h.store).lookAtCapacity()
					look.Lease, look.MayAct = func() store.Lease { return lease }, func() error { return nil }
					report, err := look.Run(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					return report.Outcomes[0]
				}
				o := look()
				if n := len(calls(h.sim, "CreateCapacityReservation")); o.Why != test.why || !strings.Contains(o.Text, test.says) || test.attempts > 0 && n != test.attempts {
					t.Errorf("after %d attempts: %s: %s", n, o.Why, o.Text)
				}
				time.Sleep(time.Minute)
				look()
				for _, kind := range []notify.Kind{notify.ReservationShort, notify.ReservationFailed} {
					if n := len(h.told.when(kind)); n != map[bool]int{true: 1}[kind == test.told] {
						t.Errorf("%s was told %d times", kind, n)
					}
				}
				if err := h.sim.SetFaults(nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * time.Minute)
				look()
				if total, pieces := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 37 || pieces != 1 {
					t.Errorf("%d are held in %d reservations", total, pieces)
				}
			})
		})
	}
}

// TestWhatIsHeldIsInItsResourceGroup: a targeted reservation is put into its group. What can not be put there is told once,
// held, tried again, and bought no second time.
func TestWhatIsHeldIsInItsResourceGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, strings.Replace(saleOf(37), "count: 37", "match: targeted, resource_group: shop, count: 37", 1))
		groups := func() (names []string) {
			for _, r := range h.sim.Reservations("111122223333", "ap-northeast-1") {
				names = append(names, r.Groups...)
			}
			return names
		}
		d := h.serve()
		defer d.stop()
		time.Sleep(time.Hour + 11*time.Minute) // there is no such group
		if total, pieces := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 37 || pieces != 1 || len(groups()) != 0 {
			t.Errorf("%d are held in %d reservations, in the groups %q", total, pieces, groups())
		}
		if told := h.told.when(notify.ReservationFailed); len(told) != 1 {
			t.Errorf("told at %v", told)
		}
		if rows := h.rows(store.EventReservationFailed); len(rows) != 1 || !strings.Contains(rows[0].Detail, "into resource group shop") {
			t.Errorf("the record: %+v", rows)
		}
		h.load(awssim.Fleet{ResourceGroups: []awssim.ResourceGroup{{Account: "111122223333", Region: "ap-northeast-1", Name: "shop"}}})
		time.Sleep(6 * time.Minute)
		if got := groups(); len(got) != 1 || got[0] != "shop" {
			t.Errorf("in the groups %q", got)
		}
		joins := len(calls(h.sim, "GroupResources"))
		time.Sleep(30 * time.Minute)
		if n := len(calls(h.sim, "GroupResources")); n != joins || len(calls(h.sim, "CreateCapacityReservation")) != 1 {
			t.Errorf("%d calls more to group, %d purchases", n-joins, len(calls(h.sim, "CreateCapacityReservation")))
		}
		if told := h.told.when(notify.ReservationFailed); len(told) != 1 {
			t.Errorf("told at %v", told)
		}
	})
}
