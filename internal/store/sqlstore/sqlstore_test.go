package sqlstore

import (
	"database/sql"
	"path/filepath"
	"testing"

	"dayshift/internal/store"
	"dayshift/internal/store/storetest"
)

func openAt(t *testing.T, path string, options Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, options)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func openNew(t *testing.T) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "dayshift.db"), Options{})
}

func TestEngine(t *testing.T) {
	storetest.Exercise(t, func(t *testing.T) store.Store { return openNew(t) }, storetest.Hooks{
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return openAt(t, s.(*Store).path, Options{})
		},
		Twin:   func(t *testing.T, s store.Store) store.Store { return openAt(t, s.(*Store).path, Options{}) },
		Tamper: tamper,
	})
}

// tamper rewrites the activity table with SQL of its own.
func tamper(t *testing.T, s store.Store, edit func([]store.Activity) []store.Activity) {
	rows, err := s.Activity(t.Context(), store.ActivityQuery{Limit: 1 << 30})
	if err != nil {
		t.Fatalf("Activity: %v", err)
	}
	db, err := sql.Open("sqlite", s.(*Store).path)
	if err != nil {
		t.Fatalf("open beside the store: %v", err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.Begin()
	if err != nil {
		t.Fatalf("begin beside the store: %v", err)
	}
	if _, err := tx.Exec(`DELETE FROM activity`); err != nil {
		t.Fatalf("delete the record: %v", err)
	}
	if err := insertActivity(t.Context(), tx, edit(rows)); err != nil {
		t.Fatalf("write the record anew: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatalf("commit beside the store: %v", err)
	}
}
