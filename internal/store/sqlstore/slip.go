package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"dayshift/internal/store"
)

// PutSlip implements store.Slips.
func (s *Store) PutSlip(ctx context.Context, slip store.Slip, held string, now time.Time, limit int) error {
	const attempt = "keep a slip in"
	slip, err := store.CleanSlip(slip, now, limit)
	if err != nil {
		return fmt.Errorf("%s %s: %w", attempt, s.path, err)
	}
	return s.write(ctx, attempt, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM slips WHERE kind = ? AND until <= ?`, slip.Kind, now.UnixMicro()); err != nil {
			return err
		}
		var there string
		var left int
		err := tx.QueryRowContext(ctx, `SELECT coalesce((SELECT data FROM slips WHERE kind = ?1 AND name = ?2), ''), (SELECT count(*) FROM slips WHERE kind = ?1)`,
			slip.Kind, slip.Name).Scan(&there, &left)
		if err != nil {
			return err
		}
		if err := slip.Settle(there, held, left, limit); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO slips (kind, name, data, until) VALUES (?, ?, ?, ?)
			ON CONFLICT (kind, name) DO UPDATE SET data = excluded.data, until = excluded.until`, slip.Kind, slip.Name, slip.Data, slip.Until.UnixMicro())
		return err
	})
}

// Slip implements store.Slips.
func (s *Store) Slip(ctx context.Context, kind store.SlipKind, name string, now time.Time) (store.Slip, error) {
	slip := store.Slip{Kind: kind, Name: name}
	err := s.read(ctx, "read a slip from", func(tx *sql.Tx) error {
		there, err := s.has(ctx, tx, slipsSince)
		if err != nil {
			return err
		}
		var until int64
		if there {
			err = tx.QueryRowContext(ctx, `SELECT data, until FROM slips WHERE kind = ? AND name = ? AND until > ?`, kind, name, now.UnixMicro()).Scan(&slip.Data, &until)
		}
		if !there || errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%s %q: %w", kind, name, store.ErrNotFound)
		}
		slip.Until = instant(until)
		return err
	})
	if err != nil {
		return store.Slip{}, err
	}
	return slip, nil
}

// TakeSlip implements store.Slips.
func (s *Store) TakeSlip(ctx context.Context, kind store.SlipKind, name, held string) error {
	return s.write(ctx, "take a slip from", func(tx *sql.Tx) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM slips WHERE kind = ? AND name = ? AND data = ?`, kind, name, held)
		if err != nil {
			return err
		}
		if n, err := gone.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("%s %q: %w", kind, name, store.ErrConflict)
		}
		return nil
	})
}
