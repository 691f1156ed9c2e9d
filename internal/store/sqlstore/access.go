package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/store"
)

// Take implements store.Counters.
func (s *Store) Take(ctx context.Context, name string, window time.Time, n, limit int64) (granted int64, err error) {
	const attempt = "count in"
	window, err = store.CleanTake(name, window, n, limit)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", attempt, s.path, err)
	}
	err = s.write(ctx, attempt, func(tx *sql.Tx) error {
		held, err := heldWindows(ctx, tx, name)
		if err != nil {
			return err
		}
		var kept []store.Window
		if granted, kept = store.Tally(held, window, n, limit); granted == 0 {
			return nil
		}
		at := slices.IndexFunc(kept, func(w store.Window) bool { return w.Start.Equal(window) })
		_, err = tx.ExecContext(ctx, `INSERT INTO counters (name, start, count) VALUES (?, ?, ?)
			ON CONFLICT (name, start) DO UPDATE SET count = excluded.count`, name, window.UnixMicro(), kept[at].Count)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM counters WHERE name = ? AND start < ?`, name, kept[len(kept)-1].Start.UnixMicro())
		return err
	})
	if err != nil {
		return 0, err
	}
	return granted, nil
}

// heldWindows are the windows of a name, the newest first.
func heldWindows(ctx context.Context, tx *sql.Tx, name string) (held []store.Window, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT start, count FROM counters WHERE name = ? ORDER BY start DESC`, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var start, count int64
		if err := rows.Scan(&start, &count); err != nil {
			return nil, err
		}
		held = append(held, store.Window{Start: instant(start), Count: count})
	}
	return held, rows.Err()
}

// Touch implements store.Counters.
func (s *Store) Touch(ctx context.Context, name string, at time.Time) error {
	const attempt = "note a use in"
	at, err := store.CleanTouch(name, at)
	if err != nil {
		return fmt.Errorf("%s %s: %w", attempt, s.path, err)
	}
	return s.write(ctx, attempt, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO touches (name, at) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET at = max(at, excluded.at)`, name, at.UnixMicro())
		return err
	})
}

// Counted implements store.Counters.
func (s *Store) Counted(ctx context.Context, names []string) ([]store.Counter, error) {
	counters := make([]store.Counter, len(names))
	err := s.read(ctx, "read counters from", func(tx *sql.Tx) error {
		there, err := s.hasAccess(ctx, tx)
		if err != nil {
			return err
		}
		for i, name := range names {
			counters[i].Name = name
			if !there {
				continue
			}
			held, err := heldWindows(ctx, tx, name)
			if err != nil {
				return err
			}
			if len(held) > 0 {
				counters[i].Window, counters[i].Count = held[0].Start, held[0].Count
			}
			var at int64
			switch err := tx.QueryRowContext(ctx, `SELECT at FROM touches WHERE name = ?`, name).Scan(&at); {
			case err == nil:
				counters[i].Touched = instant(at)
			case !errors.Is(err, sql.ErrNoRows):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counters, nil
}

// SaveSession implements store.Sessions.
func (s *Store) SaveSession(ctx context.Context, session store.Session, rows ...store.Activity) error {
	const attempt = "save a session in"
	clean, err := store.CleanSession(session)
	if err != nil {
		return fmt.Errorf("%s %s: %w", attempt, s.path, err)
	}
	body, err := json.Marshal(clean)
	if err != nil {
		return fmt.Errorf("%s %s: encode: %w", attempt, s.path, err)
	}
	return s.write(ctx, attempt, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, seen, body) VALUES (?, ?, ?)`, clean.Hash, clean.Seen.UnixMicro(), string(body))
		if taken(err) {
			return fmt.Errorf("session %.8s…: %w", clean.Hash, store.ErrConflict)
		}
		if err != nil {
			return err
		}
		return appendRows(ctx, tx, rows)
	})
}

// Session implements store.Sessions.
func (s *Store) Session(ctx context.Context, hash string) (store.Session, error) {
	found, err := s.sessions(ctx, ` WHERE hash = ?`, hash)
	switch {
	case err != nil:
		return store.Session{}, err
	case len(found) == 0:
		return store.Session{}, fmt.Errorf("session %.8s… in %s: %w", hash, s.path, store.ErrNotFound)
	}
	return found[0], nil
}

// Sessions implements store.Sessions.
func (s *Store) Sessions(ctx context.Context, owner string) ([]store.Session, error) {
	if owner == "" {
		return s.sessions(ctx, "")
	}
	return s.sessions(ctx, ` WHERE body ->> 'owner' = ?`, store.Text(owner))
}

func (s *Store) sessions(ctx context.Context, where string, args ...any) ([]store.Session, error) {
	found := []store.Session{}
	err := s.read(ctx, "read sessions from", func(tx *sql.Tx) error {
		if there, err := s.hasAccess(ctx, tx); err != nil || !there {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT hash, seen, body FROM sessions`+where, args...) //nolint:gosec // of constants
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var hash string
			var seen int64
			var body sql.RawBytes
			if err := rows.Scan(&hash, &seen, &body); err != nil {
				return err
			}
			var session store.Session
			if err := json.Unmarshal(body, &session); err != nil {
				return fmt.Errorf("session %.8s…: %w (%w)", hash, store.ErrCorrupt, err)
			}
			session.Hash, session.Seen = hash, instant(seen)
			found = append(found, session)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, store.Session.Compare)
	return found, nil
}

// SeeSession implements store.Sessions.
func (s *Store) SeeSession(ctx context.Context, hash string, at time.Time) error {
	return s.write(ctx, "note the use of a session in", func(tx *sql.Tx) error {
		seen, err := tx.ExecContext(ctx, `UPDATE sessions SET seen = max(seen, ?) WHERE hash = ?`, store.Instant(at).UnixMicro(), hash)
		if err != nil {
			return err
		}
		if n, err := seen.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("session %.8s…: %w", hash, store.ErrNotFound)
		}
		return nil
	})
}

// sessionsPerStatement keeps a statement far below SQLite's bound of arguments.
const sessionsPerStatement = 500

// EndSessions implements store.Sessions.
func (s *Store) EndSessions(ctx context.Context, hashes []string, rows ...store.Activity) (ended int, err error) {
	err = s.write(ctx, fmt.Sprintf("end %d sessions in", len(hashes)), func(tx *sql.Tx) error {
		ended = 0
		for some := range slices.Chunk(hashes, sessionsPerStatement) {
			args := make([]any, len(some))
			for i, hash := range some {
				args[i] = hash
			}
			//nolint:gosec // of constants; every value is an argument
			gone, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash IN (?`+strings.Repeat(`, ?`, len(some)-1)+`)`, args...)
			if err != nil {
				return err
			}
			n, err := gone.RowsAffected()
			if err != nil {
				return err
			}
			ended += int(n)
		}
		if ended == 0 {
			return nil
		}
		return appendRows(ctx, tx, rows)
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}
