package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// Method names a method of store.Store.
type Method string

// The methods of store.Store.
const (
	Acquire      Method = "Acquire"
	Renew        Method = "Renew"
	Release      Method = "Release"
	Held         Method = "Held"
	Memories     Method = "Memories"
	AllMemories  Method = "AllMemories"
	SaveChanges  Method = "SaveChanges"
	ScopeMemory  Method = "ScopeMemory"
	DropMemories Method = "DropMemories"
	Objects      Method = "Objects"
	SaveObject   Method = "SaveObject"
	DeleteObject Method = "DeleteObject"
	Revision     Method = "Revision"
	SaveRun      Method = "SaveRun"
	Run          Method = "Run"
	Runs         Method = "Runs"
	Records      Method = "Records"
	SaveRecords  Method = "SaveRecords"
	Append       Method = "Append"
	Activity     Method = "Activity"
	Verify       Method = "Verify"
	Take         Method = "Take"
	Touch        Method = "Touch"
	Counted      Method = "Counted"
	SaveSession  Method = "SaveSession"
	Session      Method = "Session"
	Sessions     Method = "Sessions"
	SeeSession   Method = "SeeSession"
	EndSessions  Method = "EndSessions"
	PutSlip      Method = "PutSlip"
	Slip         Method = "Slip"
	TakeSlip     Method = "TakeSlip"
	Ping         Method = "Ping"
	Close        Method = "Close"
)

// Fault is one thing that goes wrong.
type Fault struct {
	// Method that fails.
	Method Method
	// Err is what its caller gets, wrapped.
	Err error
	// Applied lets the call happen before the caller gets Err, as when the
	// answer of a commit is lost. Else the store below is not asked.
	Applied bool
	// Skip is the number of calls that pass before, counted from the injection.
	Skip int
	// Times is how many calls fail, one after the other. 0 means one, -1 all.
	Times int
	// Delay is waited before a call that fails; the end of its context ends the wait.
	Delay time.Duration
}

// Faulty is a store that fails where it is told to and else asks the store
// below. It is safe for concurrent use. Use NewFaulty.
type Faulty struct {
	below store.Store

	mu     sync.Mutex
	faults []*Fault
	calls  map[Method]int
}

var _ store.Store = (*Faulty)(nil)

// NewFaulty returns a store that fails as Inject says.
func NewFaulty(below store.Store) *Faulty {
	return &Faulty{below: below, calls: map[Method]int{}}
}

// Inject adds a fault. Of several for one method the first that has calls left
// counts; a call that an earlier one skips or takes is not seen by a later.
func (f *Faulty) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.faults = append(f.faults, &fault)
}

// Heal takes all faults away.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Calls returns how often a method was called, failed calls included.
func (f *Faulty) Calls(method Method) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// next counts the call and returns the fault that meets it, if any.
func (f *Faulty) next(method Method) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	for _, fault := range f.faults {
		switch {
		case fault.Method != method || fault.Times == 0:
		case fault.Skip > 0:
			fault.Skip--
			return Fault{}, false
		default:
			if fault.Times > 0 {
				fault.Times--
			}
			return *fault, true
		}
	}
	return Fault{}, false
}

// call makes a call or lets it fail.
func (f *Faulty) call(ctx context.Context, method Method, below func() error) error {
	fault, ok := f.next(method)
	if !ok {
		return below()
	}
	if fault.Delay > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", method, ctx.Err())
		case <-time.After(fault.Delay):
		}
	}
	if fault.Applied {
		if err := below(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", method, fault.Err)
}

// ask is call for methods with an answer, which is lost with the error.
func ask[T any](ctx context.Context, f *Faulty, method Method, below func() (T, error)) (T, error) {
	var answer T
	asked := false
	err := f.call(ctx, method, func() (err error) {
		answer, err = below()
		asked = err != nil
		return err
	})
	if err != nil && !asked {
		var none T
		return none, err
	}
	return answer, err
}

// Acquire implements store.Leaser.
func (f *Faulty) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (store.Lease, error) {
	return ask(ctx, f, Acquire, func() (store.Lease, error) { return f.below.Acquire(ctx, name, holder, now, ttl) })
}

// Renew implements store.Leaser.
func (f *Faulty) Renew(ctx context.Context, lease store.Lease, now time.Time, ttl time.Duration) (store.Lease, error) {
	return ask(ctx, f, Renew, func() (store.Lease, error) { return f.below.Renew(ctx, lease, now, ttl) })
}

// Held implements store.Leaser.
func (f *Faulty) Held(ctx context.Context, name string) (store.Lease, error) {
	return ask(ctx, f, Held, func() (store.Lease, error) { return f.below.Held(ctx, name) })
}

// Release implements store.Leaser.
func (f *Faulty) Release(ctx context.Context, lease store.Lease) error {
	return f.call(ctx, Release, func() error { return f.below.Release(ctx, lease) })
}

// Memories implements store.Memories.
func (f *Faulty) Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error) {
	return ask(ctx, f, Memories, func() ([]decide.Memory, error) { return f.below.Memories(ctx, scope) })
}

// AllMemories implements store.Memories.
func (f *Faulty) AllMemories(ctx context.Context, each func(decide.Memory) error) error {
	return f.call(ctx, AllMemories, func() error { return f.below.AllMemories(ctx, each) })
}

// SaveChanges implements store.Memories.
func (f *Faulty) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	return f.call(ctx, SaveChanges, func() error { return f.below.SaveChanges(ctx, lease, changes) })
}

// ScopeMemory implements store.Memories.
func (f *Faulty) ScopeMemory(ctx context.Context, scope fleet.Scope) (decide.ScopeMemory, error) {
	return ask(ctx, f, ScopeMemory, func() (decide.ScopeMemory, error) { return f.below.ScopeMemory(ctx, scope) })
}

// DropMemories implements store.Memories.
func (f *Faulty) DropMemories(ctx context.Context, lease store.Lease, refs []fleet.Ref) error {
	return f.call(ctx, DropMemories, func() error { return f.below.DropMemories(ctx, lease, refs) })
}

// Objects implements store.Objects.
func (f *Faulty) Objects(ctx context.Context, kinds ...store.ObjectKind) ([]store.Object, error) {
	return ask(ctx, f, Objects, func() ([]store.Object, error) { return f.below.Objects(ctx, kinds...) })
}

// SaveObject implements store.Objects.
func (f *Faulty) SaveObject(ctx context.Context, object store.Object, rows ...store.Activity) (store.Object, error) {
	return ask(ctx, f, SaveObject, func() (store.Object, error) { return f.below.SaveObject(ctx, object, rows...) })
}

// DeleteObject implements store.Objects.
func (f *Faulty) DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error {
	return f.call(ctx, DeleteObject, func() error { return f.below.DeleteObject(ctx, kind, name, version, rows...) })
}

// Revision implements store.Objects.
func (f *Faulty) Revision(ctx context.Context) (int64, error) {
	return ask(ctx, f, Revision, func() (int64, error) { return f.below.Revision(ctx) })
}

// SaveRun implements store.Runs.
func (f *Faulty) SaveRun(ctx context.Context, lease store.Lease, run store.Run) error {
	return f.call(ctx, SaveRun, func() error { return f.below.SaveRun(ctx, lease, run) })
}

// Run implements store.Runs.
func (f *Faulty) Run(ctx context.Context, id string) (store.Run, error) {
	return ask(ctx, f, Run, func() (store.Run, error) { return f.below.Run(ctx, id) })
}

// Runs implements store.Runs.
func (f *Faulty) Runs(ctx context.Context, limit int) ([]store.Run, error) {
	return ask(ctx, f, Runs, func() ([]store.Run, error) { return f.below.Runs(ctx, limit) })
}

// Records implements store.Records.
func (f *Faulty) Records(ctx context.Context, query store.RecordQuery) ([]store.Record, error) {
	return ask(ctx, f, Records, func() ([]store.Record, error) { return f.below.Records(ctx, query) })
}

// SaveRecords implements store.Records.
func (f *Faulty) SaveRecords(ctx context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	return f.call(ctx, SaveRecords, func() error { return f.below.SaveRecords(ctx, lease, records, rows...) })
}

// Append implements store.Activities.
func (f *Faulty) Append(ctx context.Context, lease store.Lease, rows []store.Activity) error {
	return f.call(ctx, Append, func() error { return f.below.Append(ctx, lease, rows) })
}

// Activity implements store.Activities.
func (f *Faulty) Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error) {
	return ask(ctx, f, Activity, func() ([]store.Activity, error) { return f.below.Activity(ctx, query) })
}

// Verify implements store.Activities.
func (f *Faulty) Verify(ctx context.Context) (store.Verification, error) {
	return ask(ctx, f, Verify, func() (store.Verification, error) { return f.below.Verify(ctx) })
}

// Take implements store.Counters.
func (f *Faulty) Take(ctx context.Context, name string, window time.Time, n, limit int64) (int64, error) {
	return ask(ctx, f, Take, func() (int64, error) { return f.below.Take(ctx, name, window, n, limit) })
}

// Touch implements store.Counters.
func (f *Faulty) Touch(ctx context.Context, name string, at time.Time) error {
	return f.call(ctx, Touch, func() error { return f.below.Touch(ctx, name, at) })
}

// Counted implements store.Counters.
func (f *Faulty) Counted(ctx context.Context, names []string) ([]store.Counter, error) {
	return ask(ctx, f, Counted, func() ([]store.Counter, error) { return f.below.Counted(ctx, names) })
}

// SaveSession implements store.Sessions.
func (f *Faulty) SaveSession(ctx context.Context, session store.Session, rows ...store.Activity) error {
	return f.call(ctx, SaveSession, func() error { return f.below.SaveSession(ctx, session, rows...) })
}

// Session implements store.Sessions.
func (f *Faulty) Session(ctx context.Context, hash string) (store.Session, error) {
	return ask(ctx, f, Session, func() (store.Session, error) { return f.below.Session(ctx, hash) })
}

// Sessions implements store.Sessions.
func (f *Faulty) Sessions(ctx context.Context, owner string) ([]store.Session, error) {
	return ask(ctx, f, Sessions, func() ([]store.Session, error) { return f.below.Sessions(ctx, owner) })
}

// SeeSession implements store.Sessions.
func (f *Faulty) SeeSession(ctx context.Context, hash string, at time.Time) error {
	return f.call(ctx, SeeSession, func() error { return f.below.SeeSession(ctx, hash, at) })
}

// EndSessions implements store.Sessions.
func (f *Faulty) EndSessions(ctx context.Context, hashes []string, rows ...store.Activity) (int, error) {
	return ask(ctx, f, EndSessions, func() (int, error) { return f.below.EndSessions(ctx, hashes, rows...) })
}

// PutSlip implements store.Slips.
func (f *Faulty) PutSlip(ctx context.Context, slip store.Slip, held string, now time.Time, limit int) error {
	return f.call(ctx, PutSlip, func() error { return f.below.PutSlip(ctx, slip, held, now, limit) })
}

// Slip implements store.Slips.
func (f *Faulty) Slip(ctx context.Context, kind store.SlipKind, name string, now time.Time) (store.Slip, error) {
	return ask(ctx, f, Slip, func() (store.Slip, error) { return f.below.Slip(ctx, kind, name, now) })
}

// TakeSlip implements store.Slips.
func (f *Faulty) TakeSlip(ctx context.Context, kind store.SlipKind, name, held string) error {
	return f.call(ctx, TakeSlip, func() error { return f.below.TakeSlip(ctx, kind, name, held) })
}

// Ping implements store.Store.
func (f *Faulty) Ping(ctx context.Context) error {
	return f.call(ctx, Ping, func() error { return f.below.Ping(ctx) })
}

// Close implements store.Store.
func (f *Faulty) Close() error {
	return f.call(context.Background(), Close, f.below.Close)
}
