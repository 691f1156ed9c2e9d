package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/store"
)

// Take implements store.Counters.
func (s *Store) Take(ctx context.Context, name string, window time.Time, n, limit int64) (granted int64, err error) {
	if window, err = store.CleanTake(name, window, n, limit); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	granted, s.windows[name] = store.Tally(s.windows[name], window, n, limit)
	return granted, nil
}

// Touch implements store.Counters.
func (s *Store) Touch(ctx context.Context, name string, at time.Time) error {
	at, err := store.CleanTouch(name, at)
	if err != nil {
		return fmt.Errorf("note a use: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if at.After(s.touched[name]) {
		s.touched[name] = at
	}
	return nil
}

// Counted implements store.Counters.
func (s *Store) Counted(ctx context.Context, names []string) ([]store.Counter, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	counters := make([]store.Counter, len(names))
	for i, name := range names {
		counters[i] = store.Counter{Name: name, Touched: s.touched[name]}
		if held := s.windows[name]; len(held) > 0 {
			counters[i].Window, counters[i].Count = held[0].Start, held[0].Count
		}
	}
	return counters, nil
}

// SaveSession implements store.Sessions.
func (s *Store) SaveSession(ctx context.Context, session store.Session, rows ...store.Activity) error {
	clean, err := store.CleanSession(session)
	if err != nil {
		return fmt.Errorf("save a session: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, there := s.sessions[clean.Hash]; there {
		return fmt.Errorf("session %.8s…: %w", clean.Hash, store.ErrConflict)
	}
	if err := s.append(rows); err != nil {
		return err
	}
	s.sessions[clean.Hash] = clean
	return nil
}

// Session implements store.Sessions.
func (s *Store) Session(ctx context.Context, hash string) (store.Session, error) {
	if err := s.enter(ctx); err != nil {
		return store.Session{}, err
	}
	defer s.mu.Unlock()
	session, ok := s.sessions[hash]
	if !ok {
		return store.Session{}, fmt.Errorf("session %.8s…: %w", hash, store.ErrNotFound)
	}
	return session, nil
}

// Sessions implements store.Sessions.
func (s *Store) Sessions(ctx context.Context, owner string) ([]store.Session, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	sessions := []store.Session{}
	for _, session := range s.sessions {
		if owner == "" || session.Owner == store.Text(owner) {
			sessions = append(sessions, session)
		}
	}
	slices.SortFunc(sessions, store.Session.Compare)
	return sessions, nil
}

// SeeSession implements store.Sessions.
func (s *Store) SeeSession(ctx context.Context, hash string, at time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	session, ok := s.sessions[hash]
	if !ok {
		return fmt.Errorf("session %.8s…: %w", hash, store.ErrNotFound)
	}
	if at = store.Instant(at); at.After(session.Seen) {
		session.Seen = at
		s.sessions[hash] = session
	}
	return nil
}

// EndSessions implements store.Sessions.
func (s *Store) EndSessions(ctx context.Context, hashes []string, rows ...store.Activity) (ended int, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	there := map[string]bool{}
	for _, hash := range hashes {
		if _, ok := s.sessions[hash]; ok {
			there[hash] = true
		}
	}
	if len(there) == 0 {
		return 0, nil
	}
	if err := s.append(rows); err != nil {
		return 0, err
	}
	for hash := range there {
		delete(s.sessions, hash)
	}
	return len(there), nil
}
