// Package memory is the store engine that keeps everything in the process: for
// the demo, for one-shot commands and for tests.
//
// It gives the guarantees of package store but one: nothing survives the end of
// the process. It is safe for concurrent use; every call holds one lock, and
// what goes in and what comes out are copies.
package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// Store keeps everything in maps. Use New.
type Store struct {
	mu       sync.Mutex
	closed   bool
	leases   map[string]store.Lease
	memories map[fleet.Scope]map[fleet.Ref]decide.Memory
	scopes   map[fleet.Scope]decide.ScopeMemory
	objects  map[objectKey]store.Object // a deleted one has no Spec, see store.Revise
	revision int64
	runs     map[string]store.Run
	records  map[store.RecordKind]map[string]store.Record
	activity []store.Activity // row i has Seq i+1
	head     store.Head
	windows  map[string][]store.Window // of counters, the newest first
	touched  map[string]time.Time
	sessions map[string]store.Session // by hash
	slips    map[store.SlipKind]map[string]store.Slip
}

// objectKey is what an object is found by.
type objectKey struct {
	kind store.ObjectKind
	name string
}

var _ store.Store = (*Store)(nil)

// errClosed answers every call after Close.
var errClosed = errors.New("the store is closed")

// New returns an empty store.
func New() *Store {
	return &Store{
		leases:   map[string]store.Lease{},
		memories: map[fleet.Scope]map[fleet.Ref]decide.Memory{},
		scopes:   map[fleet.Scope]decide.ScopeMemory{},
		objects:  map[objectKey]store.Object{},
		runs:     map[string]store.Run{},
		records:  map[store.RecordKind]map[string]store.Record{},
		head:     store.Head{Hash: store.Genesis},
		windows:  map[string][]store.Window{},
		touched:  map[string]time.Time{},
		sessions: map[string]store.Session{},
		slips:    map[store.SlipKind]map[string]store.Slip{},
	}
}

// enter takes the lock, unless the call can not go on.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	return nil
}

// Acquire implements store.Leaser.
func (s *Store) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (store.Lease, error) {
	if err := s.enter(ctx); err != nil {
		return store.Lease{}, err
	}
	defer s.mu.Unlock()
	lease, err := store.Grant(s.leases[name], name, holder, now, ttl)
	if err == nil {
		s.leases[name] = lease
	}
	return lease, err
}

// Renew implements store.Leaser.
func (s *Store) Renew(ctx context.Context, lease store.Lease, now time.Time, ttl time.Duration) (store.Lease, error) {
	if err := s.enter(ctx); err != nil {
		return store.Lease{}, err
	}
	defer s.mu.Unlock()
	renewed, err := store.Extend(s.leases[lease.Name], lease, now, ttl)
	if err == nil {
		s.leases[lease.Name] = renewed
	}
	return renewed, err
}

// Release implements store.Leaser.
func (s *Store) Release(ctx context.Context, lease store.Lease) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if held := s.leases[lease.Name]; store.Guard(held, lease) == nil {
		held.Holder, held.Expires = "", time.Time{}
		s.leases[lease.Name] = held
	}
	return nil
}

// Memories implements store.Memories.
func (s *Store) Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	memories := make([]decide.Memory, 0, len(s.memories[scope]))
	for _, m := range s.memories[scope] {
		memories = append(memories, clone(m))
	}
	sortByRef(memories)
	return memories, nil
}

// AllMemories implements store.Memories. It holds the values of one instant, so
// that each may call the store.
func (s *Store) AllMemories(ctx context.Context, each func(decide.Memory) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	var memories []decide.Memory
	for _, scope := range s.memories {
		for _, m := range scope {
			memories = append(memories, m)
		}
	}
	s.mu.Unlock()
	sortByRef(memories)
	for _, m := range memories {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read all memories: %w", err)
		}
		if err := each(clone(m)); err != nil {
			return err
		}
	}
	return nil
}

// SaveChanges implements store.Memories.
func (s *Store) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	memories, err := store.CleanMemories(changes.Memories)
	if err != nil {
		return fmt.Errorf("save changes: %w", err)
	}
	scopes, err := store.CleanScopes(changes.Scopes)
	if err != nil {
		return fmt.Errorf("save changes: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := store.Guard(s.leases[lease.Name], lease); err != nil {
		return fmt.Errorf("save %d memories: %w", len(memories), err)
	}
	if err := s.append(changes.Activity); err != nil {
		return err
	}
	for _, m := range memories {
		if s.memories[m.Ref.Scope] == nil {
			s.memories[m.Ref.Scope] = map[fleet.Ref]decide.Memory{}
		}
		s.memories[m.Ref.Scope][m.Ref] = m
	}
	for _, m := range scopes {
		s.scopes[m.Scope] = m
	}
	return nil
}

// ScopeMemory implements store.Memories.
func (s *Store) ScopeMemory(ctx context.Context, scope fleet.Scope) (decide.ScopeMemory, error) {
	if err := s.enter(ctx); err != nil {
		return decide.ScopeMemory{}, err
	}
	defer s.mu.Unlock()
	m, ok := s.scopes[scope]
	if !ok {
		return decide.ScopeMemory{Scope: scope}, nil
	}
	return store.CloneScope(m), nil
}

// DropMemories implements store.Memories.
func (s *Store) DropMemories(ctx context.Context, lease store.Lease, refs []fleet.Ref) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := store.Guard(s.leases[lease.Name], lease); err != nil {
		return fmt.Errorf("drop %d memories: %w", len(refs), err)
	}
	for _, ref := range refs {
		delete(s.memories[ref.Scope], ref)
	}
	return nil
}

// Objects implements store.Objects.
func (s *Store) Objects(ctx context.Context, kinds ...store.ObjectKind) ([]store.Object, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	objects := []store.Object{}
	for key, object := range s.objects {
		if object.Spec != nil && (len(kinds) == 0 || slices.Contains(kinds, key.kind)) {
			object.Spec = slices.Clone(object.Spec)
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, func(a, b store.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return objects, nil
}

// SaveObject implements store.Objects.
func (s *Store) SaveObject(ctx context.Context, object store.Object, rows ...store.Activity) (store.Object, error) {
	clean, err := store.CleanObject(object)
	if err != nil {
		return store.Object{}, fmt.Errorf("save object: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return store.Object{}, err
	}
	defer s.mu.Unlock()
	key := objectKey{clean.Kind, clean.Name}
	if clean, err = store.Revise(s.objects[key], clean); err != nil {
		return store.Object{}, fmt.Errorf("save object: %w", err)
	}
	if err := s.append(rows); err != nil {
		return store.Object{}, err
	}
	s.objects[key] = clean
	s.revision++
	clean.Spec = slices.Clone(clean.Spec)
	return clean, nil
}

// DeleteObject implements store.Objects.
func (s *Store) DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error {
	kind, name, err := store.ObjectKey(kind, name)
	if err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	key := objectKey{kind, name}
	held := s.objects[key]
	if err := store.Retire(held, kind, name, version); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	if err := s.append(rows); err != nil {
		return err
	}
	held.Spec = nil
	s.objects[key] = held
	s.revision++
	return nil
}

// Revision implements store.Objects.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.revision, nil
}

// Held implements store.Leaser.
func (s *Store) Held(ctx context.Context, name string) (store.Lease, error) {
	if err := s.enter(ctx); err != nil {
		return store.Lease{}, err
	}
	defer s.mu.Unlock()
	lease := s.leases[name]
	lease.Name = name
	return lease, nil
}

// SaveRun implements store.Runs.
func (s *Store) SaveRun(ctx context.Context, lease store.Lease, run store.Run) error {
	clean, err := store.CleanRun(run)
	if err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := store.Guard(s.leases[lease.Name], lease); err != nil {
		return fmt.Errorf("save run %s: %w", run.ID, err)
	}
	s.runs[run.ID] = clean
	return nil
}

// Run implements store.Runs.
func (s *Store) Run(ctx context.Context, id string) (store.Run, error) {
	if err := s.enter(ctx); err != nil {
		return store.Run{}, err
	}
	defer s.mu.Unlock()
	run, ok := s.runs[id]
	if !ok {
		return store.Run{}, fmt.Errorf("run %q: %w", id, store.ErrNotFound)
	}
	run.Gaps = slices.Clone(run.Gaps)
	return run, nil
}

// Runs implements store.Runs.
func (s *Store) Runs(ctx context.Context, limit int) ([]store.Run, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.runs))
	for id := range s.runs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	ids = ids[:min(len(ids), store.Limit(limit))]
	runs := make([]store.Run, len(ids))
	for i, id := range ids {
		runs[i] = s.runs[id]
		runs[i].Gaps = slices.Clone(runs[i].Gaps)
	}
	return runs, nil
}

// Append implements store.Activities.
func (s *Store) Append(ctx context.Context, lease store.Lease, rows []store.Activity) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if !lease.Unguarded() {
		if err := store.Guard(s.leases[lease.Name], lease); err != nil {
			return fmt.Errorf("append %d activity rows: %w", len(rows), err)
		}
	}
	return s.append(rows)
}

// append links the rows to the chain. The caller has entered.
func (s *Store) append(rows []store.Activity) error {
	linked, head, err := store.Link(s.head, rows)
	if err != nil {
		return fmt.Errorf("append activity: %w", err)
	}
	s.activity, s.head = append(s.activity, linked...), head
	return nil
}

// Activity implements store.Activities.
func (s *Store) Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	limit := store.Limit(query.Limit)
	found := []store.Activity{}
	if query.Last {
		for i := len(s.activity) - 1; i >= 0 && len(found) < limit; i-- {
			if query.Matches(s.activity[i]) {
				found = append(found, s.activity[i])
			}
		}
		slices.Reverse(found)
	} else {
		for i := 0; i < len(s.activity) && len(found) < limit; i++ {
			if query.Matches(s.activity[i]) {
				found = append(found, s.activity[i])
			}
		}
	}
	for i := range found {
		found[i].Chain = slices.Clone(found[i].Chain)
	}
	return found, nil
}

// Verify implements store.Activities.
func (s *Store) Verify(ctx context.Context) (store.Verification, error) {
	if err := s.enter(ctx); err != nil {
		return store.Verification{}, err
	}
	defer s.mu.Unlock()
	var chain store.Chain
	for _, row := range s.activity {
		if !chain.Add(row) {
			break
		}
	}
	return chain.End(s.head), nil
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// clone copies what a memory points to.
func clone(m decide.Memory) decide.Memory {
	if m.Intent != nil {
		intent := *m.Intent
		m.Intent = &intent
	}
	return m
}

func sortByRef(memories []decide.Memory) {
	slices.SortFunc(memories, func(a, b decide.Memory) int { return a.Ref.Compare(b.Ref) })
}
