package sqlstore

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// passSize is a large pass: memories of 5,000 resources.
const passSize = 5000

var benchStart = time.Date(2027, 1, 4, 0, 0, 0, 0, time.UTC)

// passMemories are what a pass saves: mostly settled resources in ten scopes.
func passMemories(n int) []decide.Memory {
	memories := make([]decide.Memory, n)
	for i := range memories {
		memories[i] = decide.Memory{
			Ref: fleet.Ref{
				Scope: fleet.Scope{Account: fleet.AccountID(fmt.Sprintf("%012d", 111122223333+i%10)), Region: "ap-northeast-2"},
				Kind:  fleet.EC2Instance, ID: fmt.Sprintf("i-%017x", i*7919),
			},
			Name: fmt.Sprintf("web-%d", i), Schedule: "seoul-office", Last: decide.WasRunning,
			FirstSeen: benchStart.Add(-time.Hour), DecidedAt: benchStart, SeenAt: benchStart,
			Seen: fleet.Running, SeenType: "m7g.large",
		}
	}
	return memories
}

// benchStore is a new database on disk, and a lease of it.
func benchStore(b *testing.B) (*Store, store.Lease) {
	b.Helper()
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "dayshift.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	lease, err := s.Acquire(b.Context(), "main", "bench", benchStart, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	return s, lease
}

// BenchmarkSaveChanges saves what a pass knows, over and over: every row
// exists and changes. rows/s is to be held against BenchmarkBareUpsert.
func BenchmarkSaveChanges(b *testing.B) {
	s, lease := benchStore(b)
	memories := passMemories(passSize)
	for n := 0; b.Loop(); n++ {
		for i := range memories {
			memories[i].SeenAt = benchStart.Add(time.Duration(n) * time.Second)
		}
		if err := s.SaveChanges(b.Context(), lease, store.Changes{Memories: memories}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*passSize/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkBareUpsert writes rows of the same size in the same order with
// nothing but the driver: the floor of SaveChanges.
func BenchmarkBareUpsert(b *testing.B) {
	s, _ := benchStore(b)
	clean, err := store.CleanMemories(passMemories(passSize))
	if err != nil {
		b.Fatal(err)
	}
	body := fmt.Sprintf("%0440d", 1) // the size of an encoded memory of passMemories
	for n := 0; b.Loop(); n++ {
		bareUpsert(b, s.writer, clean, fmt.Sprint(n%10)+body)
	}
	b.ReportMetric(float64(b.N)*passSize/b.Elapsed().Seconds(), "rows/s")
}

func bareUpsert(b *testing.B, db *sql.DB, memories []decide.Memory, body string) {
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	put, err := tx.Prepare(`INSERT INTO memories (account, region, kind, resource, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account, region, kind, resource) DO UPDATE SET body = excluded.body`)
	if err != nil {
		b.Fatal(err)
	}
	for i := range memories {
		r := &memories[i].Ref
		if _, err := put.Exec(string(r.Scope.Account), string(r.Scope.Region), string(r.Kind), r.ID, body); err != nil {
			b.Fatal(err)
		}
	}
	if err := put.Close(); err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoadMemories reads what a pass begins with.
func BenchmarkLoadMemories(b *testing.B) {
	s, lease := benchStore(b)
	if err := s.SaveChanges(b.Context(), lease, store.Changes{Memories: passMemories(passSize)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.AllMemories(b.Context(), func(decide.Memory) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*passSize/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkAppend records what a pass did: one row, and a thousand in one call.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
			s, _ := benchStore(b)
			rows := make([]store.Activity, size)
			for i, m := range passMemories(size) {
				rows[i] = store.Activity{
					At: benchStart, Run: "20270104T000000.000000Z-00000000", Actor: "dayshift", Event: store.EventStartAccepted,
					Ref: m.Ref, Name: m.Name, Schedule: m.Schedule, Reason: "period-began", Detail: "office began at 09:00",
				}
			}
			for b.Loop() {
				if err := s.Append(b.Context(), store.Lease{}, rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkVerify walks a record of ten thousand rows.
func BenchmarkVerify(b *testing.B) {
	s, _ := benchStore(b)
	const count = 10_000
	rows := make([]store.Activity, count)
	for i, m := range passMemories(count) {
		rows[i] = store.Activity{At: benchStart, Actor: "dayshift", Event: store.EventStarted, Ref: m.Ref, Name: m.Name, Reason: "period-began"}
	}
	if err := s.Append(b.Context(), store.Lease{}, rows); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if v, err := s.Verify(b.Context()); err != nil || v.Rows != count {
			b.Fatal(v, err)
		}
	}
	b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkOpen opens an existing database, as each command does.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "dayshift.db")
	for b.Loop() {
		s, err := Open(b.Context(), path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
