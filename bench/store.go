package main

import (
	"context"
	"database/sql" //nolint:depguard // the bare driver is what the store is held against
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" //nolint:depguard // likewise

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
	"dayshift/internal/store/sqlstore"
)

// memoriesOf are what a pass over n resources saves, in the order of their keys.
func memoriesOf(n int) []decide.Memory {
	memories := make([]decide.Memory, n)
	for i := range memories {
		memories[i] = decide.Memory{
			Ref:  fleet.Ref{Scope: fleet.Scope{Account: fleet.AccountID(accountID(i * 10 / n)), Region: "us-east-1"}, Kind: fleet.EC2Instance, ID: fmt.Sprintf("i-%017x", i)},
			Name: fmt.Sprintf("web-%d", i), Schedule: "office", Last: decide.WasRunning,
			FirstSeen: at(8, 0), DecidedAt: at(9, 0), SeenAt: at(9, 0), Seen: fleet.Running, SeenType: "m7g.large",
		}
	}
	return memories
}

// bareTable writes the same rows with nothing but database/sql and the driver:
// a prepared statement for each row, all in one transaction.
type bareTable struct{ db *sql.DB }

func openBare(ctx context.Context, path string) (*bareTable, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=wal_autocheckpoint(16384)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `CREATE TABLE memories (account TEXT, region TEXT, kind TEXT, resource TEXT, body TEXT,
		PRIMARY KEY (account, region, kind, resource)) WITHOUT ROWID`)
	return &bareTable{db}, err
}

func (b *bareTable) save(ctx context.Context, memories []decide.Memory, body string) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after Commit
	put, err := tx.PrepareContext(ctx, `INSERT INTO memories VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account, region, kind, resource) DO UPDATE SET body = excluded.body`)
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }() // with the transaction
	for i := range memories {
		r := &memories[i].Ref
		if _, err := put.ExecContext(ctx, string(r.Scope.Account), string(r.Scope.Region), string(r.Kind), r.ID, body); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func storeSection(ctx context.Context, l *lab) (text string, err error) {
	size := 5000
	if l.small {
		size = 50
	}
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	bare, err := openBare(ctx, filepath.Join(folder, "bare.db"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, bare.db.Close()) }()
	s, err := sqlstore.Open(ctx, filepath.Join(folder, "dayshift.db"), sqlstore.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	lease, err := s.Acquire(ctx, "scheduler", "bench", at(9, 0), time.Hour)
	if err != nil {
		return "", err
	}
	memories := memoriesOf(size)
	rows := make([]store.Activity, size)
	for i := range rows {
		rows[i] = store.Activity{
			At: at(9, 0), Run: "20400305T090000.000000Z-00000000", Actor: "dayshift", Event: store.EventStartAccepted,
			Ref: memories[i].Ref, Name: memories[i].Name, Schedule: "office", Reason: "period-began", Detail: "office began at 09:00",
		}
	}
	// What a memory takes in the store, so that both write as much.
	encoded, err := json.Marshal(memories[size/2])
	if err != nil {
		return "", err
	}
	body := strings.Repeat("x", len(encoded)-1) // a digit comes before it
	var failed error
	keep := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	contestants := []contestant{
		{"the driver alone, a statement for each row", func(n int) {
			for i := range n {
				keep(bare.save(ctx, memories, fmt.Sprint(i%10)+body))
			}
		}},
		{"memories of resources, replaced (`SaveChanges`)", func(n int) {
			for i := range n {
				for j := range memories {
					memories[j].SeenAt = at(9, i%60)
				}
				keep(s.SaveChanges(ctx, lease, store.Changes{Memories: memories}))
			}
		}},
		{"rows of the activity record, each chained to the one before (`Append`)", func(n int) {
			for range n {
				keep(s.Append(ctx, lease, rows))
			}
		}},
	}
	samples, err := l.compare(ctx, contestants)
	if err := errors.Join(err, failed); err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, `%d rows in one transaction, on disk, flushed before it counts as written; the program and SQLite in it on one core.
The bare driver writes rows with the same key and of about the same size, without encoding, checking or fencing them.

| | rows per second of processor time | speed ÷ the driver's |
| --- | ---: | ---: |
`, size)
	for i, c := range contestants {
		ratio := "–"
		if i > 0 {
			ratio = samples[0].over(samples[i]).show(times)
		}
		rate := func(perCall float64) string { return perSecond(perCall * float64(size)) }
		fmt.Fprintf(&out, "| %s | %s | %s |\n", c.name, samples[i].inverse().show(rate), ratio)
	}
	return out.String(), nil
}
