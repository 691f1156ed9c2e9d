package capacity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// world is a provider, a store and a clock that stands still until it is moved.
// Every contact with the first two can fail before it has an effect, or after.
type world struct {
	mu      sync.Mutex
	now     time.Time
	t       testing.TB
	room    map[reservation.Part]int // free capacity
	held    map[string]*cloud.Reservation
	account map[string]fleet.Scope
	tokens  map[string]string // token and words, by ID
	next    int
	past    []snapshot
	lag     time.Duration // how old listings are
	calls   []string      // those that changed something, with what came of them
	fail    func(what string) error

	records map[store.RecordKind]map[string]json.RawMessage
	objects []store.Object
	rows    []store.Activity
	term    int64
	told    []notify.Message

	// contact is asked at every contact, before and after its effect.
	contact func(what string, after bool) error
	// most is the most that may ever be held after a purchase; negative: anything.
	most func(name string) int
	// spent is every purchase that went through; daily is how many may within 24 hours.
	spent []reservation.Purchase
	daily reservation.Daily
	// over is when AWS ends what has an end.
	expires bool
}

type snapshot struct {
	at   time.Time
	held []cloud.Reservation
}

var (
	tokyo  = fleet.Scope{Account: "111122223333", Region: "ap-northeast-1"}
	friday = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
)

func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{
		t: t, now: friday, room: map[reservation.Part]int{}, held: map[string]*cloud.Reservation{}, account: map[string]fleet.Scope{}, tokens: map[string]string{},
		records: map[store.RecordKind]map[string]json.RawMessage{}, term: 1, expires: true,
	}
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) Sleep(context.Context, time.Duration) error { panic("a look does not sleep") }

// pass moves the clock; what has an end comes to it.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, id := range slices.Sorted(maps.Keys(w.held)) {
		if r := w.held[id]; w.expires && r.State == cloud.ReservationActive && !r.End.IsZero() && !w.now.Before(r.End) {
			w.end(r, cloud.ReservationExpired)
		}
	}
	w.remember()
}

func (w *world) end(r *cloud.Reservation, state cloud.ReservationState) {
	w.room[part(r)] += r.Free
	r.State, r.Total, r.Free = state, 0, 0
	w.remember()
}

func part(r *cloud.Reservation) reservation.Part { return reservation.Part{Zone: r.Zone, Type: r.Type} }

// remember keeps what a listing shows later.
func (w *world) remember() {
	if w.lag == 0 {
		return
	}
	s := snapshot{at: w.now}
	for _, id := range slices.Sorted(maps.Keys(w.held)) {
		s.held = append(s.held, *w.held[id])
	}
	w.past = append(w.past, s)
}

func (w *world) touch(what string, after bool) error {
	if w.contact == nil {
		return nil
	}
	return w.contact(what, after)
}

// do is one contact: what f does happens unless the contact fails before it.
func (w *world) do(ctx context.Context, what string, f func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := cloud.Permitted(ctx); err != nil {
		return err
	}
	if err := w.touch(what, false); err != nil {
		return err
	}
	if w.fail != nil && !strings.HasPrefix(what, "store") {
		if err := w.fail(what); err != nil {
			if !strings.HasPrefix(what, "list") {
				w.calls = append(w.calls, what+": "+err.Error())
			}
			return err
		}
	}
	err := f()
	if !strings.HasPrefix(what, "list") && !strings.HasPrefix(what, "store") {
		w.calls = append(w.calls, what+map[bool]string{true: ": refused"}[err != nil])
	}
	return errors.Join(err, w.touch(what, true))
}

func (w *world) Reservations(ctx context.Context, scope fleet.Scope) (list []cloud.Reservation, err error) {
	err = w.do(ctx, "list "+string(scope.Account), func() error {
		if w.lag > 0 {
			for _, past := range slices.Backward(w.past) {
				if !past.at.After(w.now.Add(-w.lag)) {
					list = slices.Clone(past.held)
					break
				}
			}
		} else {
			for _, id := range slices.Sorted(maps.Keys(w.held)) {
				list = append(list, *w.held[id])
			}
		}
		list = slices.DeleteFunc(list, func(r cloud.Reservation) bool { return w.account[r.ID] != scope })
		return nil
	})
	return list, err
}

func (w *world) TypeInfo(_ context.Context, _ fleet.Scope, name string) (cloud.TypeInfo, error) {
	if strings.HasPrefix(name, "t2.") {
		return cloud.TypeInfo{Name: name, EBS: cloud.EBSUnsupported}, nil
	}
	return cloud.TypeInfo{Name: name, EBS: cloud.EBSAlways}, nil
}

func (w *world) Reserve(ctx context.Context, scope fleet.Scope, order cloud.Order, token string) (made cloud.Reservation, err error) {
	err = w.do(ctx, fmt.Sprintf("buy %d %s/%s", order.Count, order.Zone, order.Type), func() error {
		words := fmt.Sprintf("%v %+v", scope, order)
		for id, known := range w.tokens {
			if strings.HasPrefix(known, token+" ") {
				if known != token+" "+words {
					return fmt.Errorf("%w: IdempotentParameterMismatch", cloud.ErrInvalid)
				}
				made = *w.held[id]
				return nil
			}
		}
		p := reservation.Part{Zone: order.Zone, Type: order.Type}
		if w.room[p] < order.Count {
			return fmt.Errorf("%w: %d are free", cloud.ErrInsufficientCapacity, w.room[p])
		}
		if !order.End.IsZero() && !order.End.After(w.now) {
			return fmt.Errorf("%w: the end is in the past", cloud.ErrInvalid)
		}
		w.room[p] -= order.Count
		w.next++
		made = cloud.Reservation{ID: fmt.Sprintf("cr-%d", w.next), Order: order, State: cloud.ReservationActive, Total: order.Count, Free: order.Count, Created: w.now}
		if !order.Start.IsZero() {
			made.State = cloud.ReservationScheduled
		}
		w.held[made.ID], w.account[made.ID], w.tokens[made.ID] = &made, scope, token+" "+words
		w.bounded(order.Tags[reservation.TagName])
		w.spend(scope, order.Count)
		w.remember()
		stored := made
		w.held[made.ID] = &stored
		return nil
	})
	return made, err
}

// bounded fails the test when more is held than ever wanted at once.
func (w *world) bounded(name string) {
	if w.most == nil {
		return
	}
	if total := w.total(name); total > w.most(name) {
		w.t.Errorf("%s: %d are held and %d are wanted: bought twice\n%s", name, total, w.most(name), strings.Join(w.calls, "\n"))
	}
}

// spend fails the test when more is bought within 24 hours than may be.
func (w *world) spend(scope fleet.Scope, n int) {
	w.spent = append(w.spent, reservation.Purchase{At: w.now, Account: scope.Account, Count: n})
	all, account := 0, 0
	for _, p := range w.spent {
		if w.now.Sub(p.At) > 24*time.Hour {
			continue
		}
		all += p.Count
		if p.Account == scope.Account {
			account += p.Count
		}
	}
	if w.daily.All > 0 && all > w.daily.All || w.daily.Account > 0 && account > w.daily.Account {
		w.t.Errorf("%d were bought within 24 hours, %d of them in %s, and %+v may be\n%s", all, account, scope.Account, w.daily, strings.Join(w.calls, "\n"))
	}
}

func (w *world) total(name string) (n int) {
	for _, r := range w.held {
		if r.State == cloud.ReservationActive && r.Tags[reservation.TagName] == name {
			n += r.Total
		}
	}
	return n
}

func (w *world) Modify(ctx context.Context, scope fleet.Scope, id string, change cloud.Change) error {
	what := fmt.Sprintf("modify %s to %d", id, change.Count)
	if change.Count == 0 {
		what = fmt.Sprintf("end %s at %s", id, change.End.Format(time.RFC3339))
	}
	return w.do(ctx, what, func() error {
		r := w.held[id]
		switch {
		case r == nil || w.account[id] != scope:
			return cloud.ErrNotFound
		case r.State != cloud.ReservationActive:
			return cloud.ErrWrongState
		}
		if change.Count > 0 {
			by := change.Count - r.Total
			if by > w.room[part(r)] {
				return cloud.ErrInsufficientCapacity
			}
			if r.Free+by < 0 {
				by = -r.Free
			}
			w.room[part(r)] -= by
			r.Total += by
			r.Free += by
			if by > 0 {
				w.bounded(r.Tags[reservation.TagName])
				w.spend(scope, by)
			}
		}
		if !change.End.IsZero() {
			r.End = change.End
		}
		w.remember()
		return nil
	})
}

func (w *world) Cancel(ctx context.Context, scope fleet.Scope, id string) error {
	return w.do(ctx, "cancel "+id, func() error {
		r := w.held[id]
		if r == nil || w.account[id] != scope {
			return cloud.ErrNotFound
		}
		if r.State == cloud.ReservationActive || r.State == cloud.ReservationScheduled {
			w.end(r, cloud.ReservationCancelled)
		}
		return nil
	})
}

func (w *world) Records(ctx context.Context, query store.RecordQuery) (list []store.Record, err error) {
	err = w.do(ctx, "store read", func() error {
		from, until := query.Range()
		for _, name := range slices.Sorted(maps.Keys(w.records[query.Kind])) {
			if name >= from && (until == "" || name < until) {
				list = append(list, store.Record{Kind: query.Kind, Name: name, Data: w.records[query.Kind][name], Changed: friday})
			}
		}
		return nil
	})
	return list, err
}

// memory is what is remembered of a reservation, as it is stored.
func (w *world) memory(name string) json.RawMessage { return w.records[store.ReservationMemory][name] }

func (w *world) SaveRecords(ctx context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	return w.do(ctx, "store save", func() error {
		if lease.Term != w.term {
			return store.ErrFenced
		}
		for _, r := range records {
			if w.records[r.Kind] == nil {
				w.records[r.Kind] = map[string]json.RawMessage{}
			}
			if r.Data == nil {
				delete(w.records[r.Kind], r.Name)
			} else {
				w.records[r.Kind][r.Name] = r.Data
			}
		}
		w.rows = append(w.rows, rows...)
		return nil
	})
}

func (w *world) Objects(context.Context, ...store.ObjectKind) ([]store.Object, error) {
	return w.objects, nil
}

func (w *world) Name() string { return "room" }

func (w *world) Send(_ context.Context, m notify.Message) error {
	w.told = append(w.told, m)
	return nil
}

var defaults = reservation.Rules{Interval: 5 * time.Minute, Resync: 5 * time.Minute, IdleAfter: time.Hour, SafetyEnd: time.Hour}

// look makes a look as the process that holds the lease.
func (w *world) look(rules reservation.Rules, list ...*reservation.Reservation) *Look {
	term := w.term
	return &Look{
		Cloud: w, Types: w, Store: w, Clock: w, Log: slog.New(slog.DiscardHandler), Receivers: []notify.Receiver{notify.Direct{Sender: w}},
		Lease: func() store.Lease { return store.Lease{Term: term} }, MayAct: func() error { return nil }, Reservations: list, Rules: rules,
	}
}

// run makes a look and gives what it came to.
func (w *world) run(rules reservation.Rules, list ...*reservation.Reservation) Report {
	w.t.Helper()
	report, err := w.look(rules, list...).Run(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// took gives the calls since it was last asked.
func (w *world) took() []string {
	calls := w.calls
	w.calls = nil
	return calls
}

// said gives the kinds of messages since it was last asked.
func (w *world) said() []notify.Kind {
	var kinds []notify.Kind
	for _, m := range w.told {
		kinds = append(kinds, m.Kind)
	}
	w.told = nil
	return kinds
}

// sale is 37 of r5b.2xlarge in a zone for three days.
func sale() *reservation.Reservation {
	return &reservation.Reservation{
		Name: "sale", Scope: tokyo, Parts: []reservation.Part{{Zone: "ap-northeast-1c", Type: "r5b.2xlarge"}}, Count: 37, Step: 10, Enabled: true,
		Attributes: reservation.Attributes{Platform: "Linux/UNIX", Tenancy: "default", Match: "open"}, From: friday, To: friday.Add(72 * time.Hour),
	}
}

var (
	zoneC = reservation.Part{Zone: "ap-northeast-1c", Type: "r5b.2xlarge"}
	zoneA = reservation.Part{Zone: "ap-northeast-1a", Type: "r5b.2xlarge"}
	zoneD = reservation.Part{Zone: "ap-northeast-1d", Type: "r5b.2xlarge"}
	other = reservation.Part{Zone: "ap-northeast-1c", Type: "r5.2xlarge"}
)
