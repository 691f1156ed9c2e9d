package store

import (
	"context"
	"encoding/json"
	"time"
)

// RecordKind names a kind of record.
type RecordKind string

// The kinds of records.
const (
	// WorkloadRun is one run of a workload; its name is the run's ID, so that names sort by time.
	WorkloadRun RecordKind = "workload-run"
	// WorkloadMemory is what is remembered of a workload between its runs; its name is the workload's.
	WorkloadMemory RecordKind = "workload"
	// ReservationMemory is what is remembered of a reservation; its name is the reservation's.
	ReservationMemory RecordKind = "reservation"
)

// Record is where a durable sequence stands: what it has done, what it is about
// to do. Only whoever holds the lease writes it.
type Record struct {
	Kind    RecordKind      `json:"kind"`
	Name    string          `json:"name"` // unique in its kind
	Data    json.RawMessage `json:"data"`
	Changed time.Time       `json:"changed"` // the caller's time
}

// RecordQuery selects records of one kind.
type RecordQuery struct {
	Kind RecordKind
	// Name: only this one. Prefix: only names that begin with it. Empty: all.
	Name, Prefix string
	// Before: only names that sort before it, for paging backwards. Empty: all.
	Before string
	// Last: the greatest names instead of the smallest; still returned in order of names.
	Last  bool
	Limit int // at most this many; 0 means DefaultLimit
}

// Records keeps where durable sequences stand.
type Records interface {
	// Records returns the records in the order of their names, by bytes.
	Records(ctx context.Context, query RecordQuery) ([]Record, error)
	// SaveRecords inserts or replaces the records by kind and name, drops those without Data, and appends the rows to the
	// activity (see Append), everything or nothing: what was done and where its sequence stands never part. Of two records
	// with the same kind and name the later counts; one to be dropped that is not there is no error. ErrFenced when the
	// lease is lost.
	SaveRecords(ctx context.Context, lease Lease, records []Record, rows ...Activity) error
}
