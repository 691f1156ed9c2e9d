package memory

import (
	"context"
	"fmt"
	"time"

	"dayshift/internal/store"
)

// PutSlip implements store.Slips.
func (s *Store) PutSlip(ctx context.Context, slip store.Slip, held string, now time.Time, limit int) error {
	slip, err := store.CleanSlip(slip, now, limit)
	if err != nil {
		return fmt.Errorf("keep a slip: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	kind := s.slips[slip.Kind]
	left := 0
	for _, other := range kind {
		if other.Until.After(store.Instant(now)) {
			left++
		}
	}
	there := kind[slip.Name]
	if !there.Until.After(store.Instant(now)) {
		there = store.Slip{}
	}
	if err := slip.Settle(there.Data, held, left, limit); err != nil {
		return err
	}
	for name, other := range kind {
		if !other.Until.After(store.Instant(now)) {
			delete(kind, name)
		}
	}
	if kind == nil {
		kind = map[string]store.Slip{}
		s.slips[slip.Kind] = kind
	}
	kind[slip.Name] = slip
	return nil
}

// Slip implements store.Slips.
func (s *Store) Slip(ctx context.Context, kind store.SlipKind, name string, now time.Time) (store.Slip, error) {
	if err := s.enter(ctx); err != nil {
		return store.Slip{}, err
	}
	defer s.mu.Unlock()
	slip := s.slips[kind][name]
	if !slip.Until.After(store.Instant(now)) {
		return store.Slip{}, fmt.Errorf("%s %q: %w", kind, name, store.ErrNotFound)
	}
	return slip, nil
}

// TakeSlip implements store.Slips.
func (s *Store) TakeSlip(ctx context.Context, kind store.SlipKind, name, held string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if slip, ok := s.slips[kind][name]; !ok || slip.Data != held {
		return fmt.Errorf("%s %q: %w", kind, name, store.ErrConflict)
	}
	delete(s.slips[kind], name)
	return nil
}
