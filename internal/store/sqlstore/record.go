package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"dayshift/internal/store"
)

// Records implements store.Records.
func (s *Store) Records(ctx context.Context, query store.RecordQuery) ([]store.Record, error) {
	text, args := recordQuery(query)
	records := []store.Record{}
	err := s.read(ctx, "read records from", func(tx *sql.Tx) error {
		if there, err := s.has(ctx, tx, recordsSince); err != nil || !there {
			return err
		}
		rows, err := tx.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var record store.Record
			var data []byte
			var changed int64
			if err := rows.Scan(&record.Kind, &record.Name, &data, &changed); err != nil {
				return err
			}
			if !json.Valid(data) {
				return fmt.Errorf("%s %q: its data is not valid JSON: %w", record.Kind, record.Name, store.ErrCorrupt)
			}
			record.Data, record.Changed = data, instant(changed)
			records = append(records, record)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	if query.Last {
		slices.Reverse(records)
	}
	return records, nil
}

// recordQuery writes the question in SQL, the greatest names first for Last: a
// range of the primary key, read from one of its ends.
func recordQuery(query store.RecordQuery) (text string, args []any) {
	from, until := query.Range()
	text, args = `SELECT kind, name, data, changed FROM records WHERE kind = ? AND name >= ?`, []any{store.Text(query.Kind), from}
	if until != "" {
		text, args = text+` AND name < ?`, append(args, until)
	}
	text += ` ORDER BY name`
	if query.Last {
		text += ` DESC`
	}
	return text + ` LIMIT ?`, append(args, store.Limit(query.Limit))
}

// SaveRecords implements store.Records.
func (s *Store) SaveRecords(ctx context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	clean, err := store.CleanRecords(records)
	if err != nil {
		return fmt.Errorf("save records in %s: %w", s.path, err)
	}
	return s.write(ctx, fmt.Sprintf("save %d records and %d activity rows in", len(clean), len(rows)), func(tx *sql.Tx) error {
		if err := guard(ctx, tx, lease); err != nil {
			return err
		}
		for _, record := range clean {
			if err := putRecord(ctx, tx, record); err != nil {
				return fmt.Errorf("%s %q: %w", record.Kind, record.Name, err)
			}
		}
		return appendRows(ctx, tx, rows)
	})
}

// putRecord writes the record, or drops it when it has no data.
func putRecord(ctx context.Context, tx *sql.Tx, record store.Record) error {
	if record.Data == nil {
		_, err := tx.ExecContext(ctx, `DELETE FROM records WHERE kind = ? AND name = ?`, record.Kind, record.Name)
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO records (kind, name, data, changed) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, name) DO UPDATE SET data = excluded.data, changed = excluded.changed`,
		record.Kind, record.Name, string(record.Data), record.Changed.UnixMicro())
	return err
}
