package memory

import (
	"context"
	"fmt"
	"slices"

	"dayshift/internal/store"
)

// Records implements store.Records.
func (s *Store) Records(ctx context.Context, query store.RecordQuery) ([]store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	kept := s.records[store.Text(query.Kind)]
	from, until := query.Range()
	names := []string{}
	for name := range kept {
		if name >= from && (until == "" || name < until) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if more := len(names) - store.Limit(query.Limit); more > 0 && query.Last {
		names = names[more:]
	} else if more > 0 {
		names = names[:len(names)-more]
	}
	records := make([]store.Record, len(names))
	for i, name := range names {
		records[i] = kept[name]
		records[i].Data = slices.Clone(records[i].Data)
	}
	return records, nil
}

// SaveRecords implements store.Records.
func (s *Store) SaveRecords(ctx context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	clean, err := store.CleanRecords(records)
	if err != nil {
		return fmt.Errorf("save records: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := store.Guard(s.leases[lease.Name], lease); err != nil {
		return fmt.Errorf("save %d records: %w", len(clean), err)
	}
	if err := s.append(rows); err != nil {
		return err
	}
	for _, record := range clean {
		if record.Data == nil {
			delete(s.records[record.Kind], record.Name)
			continue
		}
		if s.records[record.Kind] == nil {
			s.records[record.Kind] = map[string]store.Record{}
		}
		s.records[record.Kind][record.Name] = record
	}
	return nil
}
