package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"dayshift/internal/store"
)

const objectColumns = `SELECT kind, name, version, spec, author, created, changed FROM objects`

// Objects implements store.Objects.
func (s *Store) Objects(ctx context.Context, kinds ...store.ObjectKind) ([]store.Object, error) {
	query, args := objectColumns+` WHERE spec IS NOT NULL`, make([]any, len(kinds))
	if len(kinds) > 0 {
		query += ` AND kind IN (?` + strings.Repeat(`, ?`, len(kinds)-1) + `)`
		for i, kind := range kinds {
			args[i] = kind
		}
	}
	objects := []store.Object{}
	err := s.read(ctx, "read objects from", func(tx *sql.Tx) error {
		if there, err := s.hasObjects(ctx, tx); err != nil || !there {
			return err
		}
		rows, err := tx.QueryContext(ctx, query+` ORDER BY kind, name`, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			object, err := scanObject(rows.Scan)
			if err != nil {
				return err
			}
			if !json.Valid(object.Spec) {
				return fmt.Errorf("%s %q: its spec is not valid JSON: %w", object.Kind, object.Name, store.ErrCorrupt)
			}
			objects = append(objects, object)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return objects, nil
}

func scanObject(scan func(...any) error) (store.Object, error) {
	var object store.Object
	var spec []byte
	var created, changed int64
	err := scan(&object.Kind, &object.Name, &object.Version, &spec, &object.Author, &created, &changed)
	object.Spec, object.Created, object.Changed = spec, instant(created), instant(changed)
	return object, err
}

// heldObject returns the object as stored, see store.Revise.
func heldObject(ctx context.Context, tx *sql.Tx, kind store.ObjectKind, name string) (store.Object, error) {
	object, err := scanObject(tx.QueryRowContext(ctx, objectColumns+` WHERE kind = ? AND name = ?`, kind, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Object{}, nil
	}
	return object, err
}

// SaveObject implements store.Objects.
func (s *Store) SaveObject(ctx context.Context, object store.Object, rows ...store.Activity) (store.Object, error) {
	clean, err := store.CleanObject(object)
	if err != nil {
		return store.Object{}, fmt.Errorf("save an object in %s: %w", s.path, err)
	}
	var saved store.Object
	err = s.write(ctx, fmt.Sprintf("save %s %q in", clean.Kind, clean.Name), func(tx *sql.Tx) error {
		held, err := heldObject(ctx, tx, clean.Kind, clean.Name)
		if err != nil {
			return err
		}
		if saved, err = store.Revise(held, clean); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO objects (kind, name, version, spec, author, created, changed) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, spec = excluded.spec,
			author = excluded.author, created = excluded.created, changed = excluded.changed`,
			saved.Kind, saved.Name, saved.Version, string(saved.Spec), saved.Author, saved.Created.UnixMicro(), saved.Changed.UnixMicro())
		if err != nil {
			return err
		}
		return revised(ctx, tx, rows)
	})
	if err != nil {
		return store.Object{}, err
	}
	return saved, nil
}

// DeleteObject implements store.Objects.
func (s *Store) DeleteObject(ctx context.Context, kind store.ObjectKind, name string, version int64, rows ...store.Activity) error {
	kind, name, err := store.ObjectKey(kind, name)
	if err != nil {
		return fmt.Errorf("delete an object in %s: %w", s.path, err)
	}
	return s.write(ctx, fmt.Sprintf("delete %s %q in", kind, name), func(tx *sql.Tx) error {
		held, err := heldObject(ctx, tx, kind, name)
		if err != nil {
			return err
		}
		if err := store.Retire(held, kind, name, version); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE objects SET spec = NULL WHERE kind = ? AND name = ?`, kind, name); err != nil {
			return err
		}
		return revised(ctx, tx, rows)
	})
}

// revised counts a change of an object and records it.
func revised(ctx context.Context, tx *sql.Tx, rows []store.Activity) error {
	counted, err := tx.ExecContext(ctx, `UPDATE head SET revision = revision + 1`)
	if err != nil {
		return err
	}
	if n, err := counted.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errUncounted, err)
	}
	return appendRows(ctx, tx, rows)
}

// errUncounted: a change that nobody counts would never be noticed.
var errUncounted = fmt.Errorf("the row that counts the changes of objects is missing: %w", store.ErrCorrupt)

// Revision implements store.Objects.
func (s *Store) Revision(ctx context.Context) (revision int64, err error) {
	err = s.read(ctx, "read the revision of the objects in", func(tx *sql.Tx) error {
		if there, err := s.hasObjects(ctx, tx); err != nil || !there {
			return err
		}
		err := tx.QueryRowContext(ctx, `SELECT revision FROM head`).Scan(&revision)
		if errors.Is(err, sql.ErrNoRows) {
			return errUncounted
		}
		return err
	})
	return revision, err
}
