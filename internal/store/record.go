package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
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
	// ReservationHistory is a stretch of how a reservation stood; names of one reservation sort by time.
	ReservationHistory RecordKind = "reservation-history"
	// OverridesTold is that people were told of an override; its name is the ID.
	OverridesTold RecordKind = "overrides-told"
	// ReservationDay is what was bought for a reservation within the last day; its name is the reservation's.
	ReservationDay RecordKind = "reservation-day"
	// MessageLetter is a message on its way to a channel; its name is the letter's ID, so that names sort by time, see notify.Letter.
	MessageLetter RecordKind = "message"
	// ChannelState is how a channel stands, see notify.Condition; its name is the channel's.
	ChannelState RecordKind = "channel"
)

// Record is where a durable sequence stands: what it has done, what it is about
// to do. Only whoever holds the lease writes it. A name is no longer than MaxName.
type Record struct {
	Kind    RecordKind      `json:"kind"`
	Name    string          `json:"name"`    // unique in its kind
	Data    json.RawMessage `json:"data"`    // at most MaxData; none in SaveRecords: the record is dropped
	Changed time.Time       `json:"changed"` // the caller's time; not looked at when the record is dropped
}

// MaxData is the size of a record's compacted Data: a run over thousands of
// members, a few hundred bytes each, and little enough for a write at every step.
const MaxData = 1 << 20

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

// CleanRecords returns the records as they are to be stored: copies with Instant
// and Text applied and their Data compacted, in order of kind and name, the last
// one of equal keys. One to be dropped comes back with its kind and name alone.
// It refuses a record without a kind, a name or a time of its change, one whose
// name is longer than MaxName, and Data that is no JSON or larger than MaxData.
func CleanRecords(records []Record) ([]Record, error) {
	clean := make([]Record, 0, len(records))
	for _, record := range records {
		record, err := cleanRecord(record)
		if err != nil {
			return nil, err
		}
		at, found := slices.BinarySearchFunc(clean, record, compareRecords)
		if found {
			clean[at] = record
		} else {
			clean = slices.Insert(clean, at, record)
		}
	}
	return clean, nil
}

func compareRecords(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

func cleanRecord(record Record) (Record, error) {
	kind, name, err := cleanKey("a record", record.Kind, record.Name)
	if err != nil {
		return Record{}, err
	}
	clean := Record{Kind: kind, Name: name}
	if len(record.Data) == 0 {
		return clean, nil
	}
	if record.Changed.IsZero() {
		return Record{}, fmt.Errorf("%s %q: a record needs the time of its change", kind, name)
	}
	clean.Changed = Instant(record.Changed)
	if err := checkInstant(clean.Changed); err != nil {
		return Record{}, fmt.Errorf("%s %q: %w", kind, name, err)
	}
	if clean.Data, err = cleanJSON(record.Data); err != nil {
		return Record{}, fmt.Errorf("%s %q: its data is not valid JSON: %w", kind, name, err)
	}
	if len(clean.Data) > MaxData {
		return Record{}, fmt.Errorf("%s %q: its data is %d bytes of JSON, at most %d are kept; split the workload or reservation that it is of", kind, name, len(clean.Data), MaxData)
	}
	return clean, nil
}

// Range returns the names that the query asks for, for every engine alike: from
// the first, which is included, up to the second, which is not; without a second
// there is no end. Names are looked for as they are stored, see Text.
func (q RecordQuery) Range() (from, until string) {
	name, prefix, before := Text(q.Name), Text(q.Prefix), Text(q.Before)
	ends := []string{before}
	if prefix != "" {
		from, ends = prefix, append(ends, behind(prefix))
	}
	if name != "" {
		// Between these two sorts no other name, as none holds a NUL.
		from, ends = max(from, name), append(ends, name+"\x01")
	}
	for _, end := range ends {
		if end != "" && (until == "" || end < until) {
			until = end
		}
	}
	return from, until
}

// behind is the least text that sorts behind all that begin with the prefix: its
// last character one greater. UTF-8 sorts by bytes as its characters do. Empty:
// nothing sorts behind them.
func behind(prefix string) string {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case utf8.MaxRune:
			continue // none is greater: of what comes before it
		case 0xD7FF: // what follows in number, up to 0xDFFF, are no characters
			last = 0xDFFF
		}
		return prefix + string(last+1)
	}
	return ""
}
