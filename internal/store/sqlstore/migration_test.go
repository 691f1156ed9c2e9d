package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

var oldScope = fleet.Scope{Account: "111122223333", Region: "eu-west-1"}

// oldDatabase is a file as the first version of the schema left it: with rows of
// the activity, a memory and a run.
func oldDatabase(t *testing.T) (path string, record []store.Activity) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dayshift.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	do := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	do(fmt.Sprintf("PRAGMA application_id=%d", applicationID))
	do("PRAGMA journal_mode=WAL")
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	rows := make([]store.Activity, 5)
	for i := range rows {
		rows[i] = store.Activity{
			At: benchStart.Add(time.Duration(i) * time.Minute), Run: "run-1", Actor: "dayshift", Event: store.EventStartAccepted,
			Ref:  fleet.Ref{Scope: oldScope, Kind: fleet.EC2Instance, ID: fmt.Sprintf("i-%d", i)},
			Name: "web", Schedule: "office", Reason: "period-began", Detail: "office began at 09:00",
		}
	}
	record, head, err := store.Link(store.Head{Hash: store.Genesis}, rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range record {
		do(`INSERT INTO activity (seq, at, run, actor, event, account, region, kind, resource, name, schedule, reason, detail, prev, hash)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row.Seq, row.At.UnixMicro(), row.Run, row.Actor, row.Event,
			row.Ref.Scope.Account, row.Ref.Scope.Region, row.Ref.Kind, row.Ref.ID, row.Name, row.Schedule, row.Reason, row.Detail, row.Prev, row.Hash)
	}
	do(`UPDATE head SET seq = ?, hash = ?, pings = 3`, head.Seq, head.Hash)
	do(`INSERT INTO memories VALUES (?, ?, 'ec2_instance', 'i-1', '{"last":"running"}')`, oldScope.Account, oldScope.Region)
	do(`INSERT INTO runs VALUES ('run-1', '{"id":"run-1","trigger":"boundary","started":"2027-01-04T00:00:00Z"}')`)
	return path, record
}

// schemaVersion is what the file says of itself.
func schemaVersion(t *testing.T, path string) (version int64) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRow(`SELECT max(version_id) FROM schema_version`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// holdsOld checks what every version knows of an old file.
func holdsOld(t *testing.T, s *Store, record []store.Activity) {
	t.Helper()
	rows, err := s.Activity(t.Context(), store.ActivityQuery{Limit: len(record)})
	if diff := cmp.Diff(record, rows); diff != "" || err != nil {
		t.Errorf("activity: %v, (-want +got):\n%s", err, diff)
	}
	if rows, err := s.Activity(t.Context(), store.ActivityQuery{Text: "i-3", Last: true, Limit: 1}); err != nil || len(rows) != 1 || rows[0].Seq != 4 {
		t.Errorf("activity of i-3: %+v, %v", rows, err)
	}
	if v, err := s.Verify(t.Context()); err != nil || v.BadAt != 0 || v.Rows < int64(len(record)) {
		t.Errorf("Verify: %+v, %v", v, err)
	}
	if memories, err := s.Memories(t.Context(), oldScope); err != nil || len(memories) != 1 || memories[0].Last != decide.WasRunning {
		t.Errorf("memories: %+v, %v", memories, err)
	}
	if run, err := s.Run(t.Context(), "run-1"); err != nil || run.Trigger != "boundary" {
		t.Errorf("run: %+v, %v", run, err)
	}
}

// holdsObjects compares the numbers of objects, their changes and rules of the scope.
func holdsObjects(t *testing.T, s *Store, objects int, revision int64, config string) {
	t.Helper()
	if found, err := s.Objects(t.Context()); err != nil || found == nil || len(found) != objects {
		t.Errorf("objects: %+v, %v, want %d", found, err, objects)
	}
	if n, err := s.Revision(t.Context()); err != nil || n != revision {
		t.Errorf("revision: %d, %v, want %d", n, err, revision)
	}
	if m, err := s.ScopeMemory(t.Context(), oldScope); err != nil || m.Scope != oldScope || m.Config != config {
		t.Errorf("scope memory: %+v, %v, want config %q", m, err, config)
	}
}

var someObject = store.Object{Kind: store.RuleObject, Name: "wake", Spec: []byte(`{"at":"18:10"}`), Author: "kim", Changed: benchStart}

var someSession = store.Session{
	Hash: strings.Repeat("0f", 32), Owner: "user:kim", Created: benchStart, Seen: benchStart, Expires: benchStart.Add(time.Hour),
}

// holdsAccess compares what was counted and the number of sessions.
func holdsAccess(t *testing.T, s *Store, count int64, sessions int) {
	t.Helper()
	if found, err := s.Counted(t.Context(), []string{"quota"}); err != nil || len(found) != 1 || found[0].Count != count {
		t.Errorf("counters: %+v, %v, want %d", found, err, count)
	}
	if found, err := s.Sessions(t.Context(), ""); err != nil || found == nil || len(found) != sessions {
		t.Errorf("sessions: %+v, %v, want %d", found, err, sessions)
	}
	if _, err := s.Session(t.Context(), someSession.Hash); sessions == 0 && !errors.Is(err, store.ErrNotFound) || sessions > 0 && err != nil {
		t.Errorf("the session: %v", err)
	}
}

// writeNew writes what only the present version knows.
func writeNew(t *testing.T, s *Store) {
	t.Helper()
	lease, err := s.Acquire(t.Context(), "main", "host-a", benchStart, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	row := someRow[0]
	row.Chain = []decide.Step{{Rule: "calendar", Fact: say.Raw("office began at 09:00")}}
	changes := store.Changes{Scopes: []decide.ScopeMemory{{Scope: oldScope, Config: "c1"}}, Activity: []store.Activity{row, someRow[0]}}
	if err := s.SaveChanges(t.Context(), lease, changes); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveObject(t.Context(), someObject, row); err != nil {
		t.Fatal(err)
	}
	if granted, err := s.Take(t.Context(), "quota", benchStart, 3, 10); err != nil || granted != 3 {
		t.Fatalf("%d, %v", granted, err)
	}
	if err := s.SaveSession(t.Context(), someSession); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveRecords(t.Context(), lease, someRecords); err != nil {
		t.Fatal(err)
	}
	if err := s.PutSlip(t.Context(), someSlip, "", benchStart, 1); err != nil {
		t.Fatal(err)
	}
}

var someSlip = store.Slip{Kind: store.ChatRequestSlip, Name: "ops/1", Data: "taken", Until: benchStart.Add(time.Minute)}

// holdsSlip compares whether the slip is there.
func holdsSlip(t *testing.T, s *Store, want bool) {
	t.Helper()
	found, err := s.Slip(t.Context(), someSlip.Kind, someSlip.Name, benchStart)
	if want && (err != nil || found != someSlip) || !want && !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the slip: %+v, %v", found, err)
	}
}

var someRecords = []store.Record{{Kind: store.WorkloadRun, Name: "run-1", Data: []byte(`{"step":1}`), Changed: benchStart}}

// holdsRecords compares the number of runs' records.
func holdsRecords(t *testing.T, s *Store, count int) {
	t.Helper()
	if found, err := s.Records(t.Context(), store.RecordQuery{Kind: store.WorkloadRun}); err != nil || found == nil || len(found) != count {
		t.Errorf("records: %+v, %v, want %d", found, err, count)
	}
}

func TestOldDatabaseIsMigrated(t *testing.T) {
	path, record := oldDatabase(t)
	s := openAt(t, path, Options{})
	holdsOld(t, s, record)
	holdsObjects(t, s, 0, 0, "")
	holdsAccess(t, s, 0, 0)
	holdsRecords(t, s, 0)
	holdsSlip(t, s, false)
	writeNew(t, s)
	holdsOld(t, s, record)
	holdsObjects(t, s, 1, 1, "c1")
	holdsAccess(t, s, 3, 1)
	holdsRecords(t, s, 1)
	holdsSlip(t, s, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{})
	holdsOld(t, s, record)
	holdsObjects(t, s, 1, 1, "c1")
	rows, err := s.Activity(t.Context(), store.ActivityQuery{After: 5})
	if err != nil || len(rows) != 3 || len(rows[0].Chain) != 1 || rows[1].Chain != nil || len(rows[2].Chain) != 1 {
		t.Errorf("rows behind the old ones: %+v, %v", rows, err)
	}
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 8 || v.BadAt != 0 {
		t.Errorf("%+v, %v, want 8 rows that hold", v, err)
	}
	// A chain that is taken from its row shows, and so does one put on an old row.
	for name, test := range map[string]struct {
		statement string
		badAt     int64
	}{
		"taken away":        {`UPDATE activity SET chain = NULL WHERE seq = 6`, 6},
		"emptied":           {`UPDATE activity SET chain = '[]' WHERE seq = 6`, 6},
		"edited":            {`UPDATE activity SET chain = replace(chain, '09:00', '08:00') WHERE seq = 8`, 8},
		"no longer JSON":    {`UPDATE activity SET chain = '[{"rule":' WHERE seq = 6`, 6},
		"put on an old row": {`UPDATE activity SET chain = '[{"rule":"a","fact":"b"}]' WHERE seq = 2`, 2},
	} {
		if _, err := s.writer.ExecContext(t.Context(), `CREATE TEMP TABLE kept AS SELECT seq, chain FROM activity`); err != nil {
			t.Fatal(err)
		}
		if _, err := s.writer.ExecContext(t.Context(), test.statement); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Verify(t.Context()); err != nil || v.BadAt != test.badAt {
			t.Errorf("%s: %+v, %v, want a fault at row %d", name, v, err, test.badAt)
		}
		if rows, err := s.Activity(t.Context(), store.ActivityQuery{}); err != nil || len(rows) != 8 {
			t.Errorf("%s: %d rows can be read, %v", name, len(rows), err)
		}
		if _, err := s.writer.ExecContext(t.Context(), `UPDATE activity SET chain = (SELECT chain FROM kept WHERE kept.seq = activity.seq); DROP TABLE kept`); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Verify(t.Context()); err != nil || v.BadAt != 0 {
		t.Errorf("put right again: %+v, %v", v, err)
	}
}

// A question neither changes an old file nor fails for it, and sees what is new
// as soon as a writer has migrated it.
func TestOldDatabaseAnswersQuestions(t *testing.T) {
	path, record := oldDatabase(t)
	reader := openAt(t, path, Options{ReadOnly: true})
	holdsOld(t, reader, record)
	holdsObjects(t, reader, 0, 0, "")
	holdsAccess(t, reader, 0, 0)
	holdsRecords(t, reader, 0)
	holdsSlip(t, reader, false)
	refusesWrites(t, reader)
	if version := schemaVersion(t, path); version != 1 {
		t.Fatalf("a question has migrated the file to version %d", version)
	}
	writer := openAt(t, path, Options{})
	holdsObjects(t, reader, 0, 0, "")
	writeNew(t, writer)
	holdsOld(t, reader, record)
	holdsObjects(t, reader, 1, 1, "c1")
	holdsAccess(t, reader, 3, 1)
	holdsRecords(t, reader, 1)
	holdsSlip(t, reader, true)
	rows, err := reader.Activity(t.Context(), store.ActivityQuery{Last: true, Limit: 1})
	if err != nil || len(rows) != 1 || len(rows[0].Chain) != 1 {
		t.Errorf("the newest row: %+v, %v", rows, err)
	}
	if v, err := reader.Verify(t.Context()); err != nil || v.Rows != 8 || v.BadAt != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// refusesWrites tries every way to write.
func refusesWrites(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	lease := store.Lease{Name: "main", Holder: "host-a", Term: 1}
	_, acquire := s.Acquire(ctx, "main", "host-a", benchStart, time.Minute)
	_, renew := s.Renew(ctx, lease, benchStart, time.Minute)
	_, save := s.SaveObject(ctx, someObject, someRow...)
	_, take := s.Take(ctx, "quota", benchStart, 1, 10)
	_, end := s.EndSessions(ctx, []string{someSession.Hash})
	for name, err := range map[string]error{
		"Acquire": acquire, "Renew": renew, "Release": s.Release(ctx, lease),
		"SaveChanges":  s.SaveChanges(ctx, lease, store.Changes{Scopes: []decide.ScopeMemory{{Scope: oldScope}}}),
		"DropMemories": s.DropMemories(ctx, lease, nil),
		"SaveObject":   save, "DeleteObject": s.DeleteObject(ctx, someObject.Kind, someObject.Name, 1, someRow...),
		"SaveRun": s.SaveRun(ctx, lease, store.Run{ID: "run-2", Started: benchStart}),
		"Append":  s.Append(ctx, store.Lease{}, someRow), "Ping": s.Ping(ctx),
		"Take": take, "Touch": s.Touch(ctx, "key", benchStart), "SaveSession": s.SaveSession(ctx, someSession),
		"SaveRecords": s.SaveRecords(ctx, lease, someRecords), "SeeSession": s.SeeSession(ctx, someSession.Hash, benchStart), "EndSessions": end,
		"PutSlip": s.PutSlip(ctx, someSlip, "", benchStart, 1), "TakeSlip": s.TakeSlip(ctx, someSlip.Kind, someSlip.Name, someSlip.Data),
	} {
		if !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s: got %v, want %q", name, err, store.ErrReadOnly)
		}
	}
}

func TestReadOnlyAnswersOfObjects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	writeNew(t, openAt(t, path, Options{}))
	reader := openAt(t, path, Options{ReadOnly: true})
	holdsObjects(t, reader, 1, 1, "c1")
	refusesWrites(t, reader)
	holdsObjects(t, reader, 1, 1, "c1")
}

func TestManyMigrateAnOldDatabaseAtOnce(t *testing.T) {
	path, record := oldDatabase(t)
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			s, err := Open(t.Context(), path, Options{LockWait: 20 * time.Second})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			if err := s.Append(t.Context(), store.Lease{}, someRow); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s := openAt(t, path, Options{})
	holdsOld(t, s, record)
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 10 || v.BadAt != 0 {
		t.Errorf("%+v, %v, want 10 rows", v, err)
	}
}

// A migration that can not be finished leaves the file as it was.
func TestFailedMigrationLeavesNoTrace(t *testing.T) {
	path, record := oldDatabase(t)
	beside(t, path, `CREATE TABLE objects (mine TEXT)`) // in the way of the migration's third statement
	_, err := Open(t.Context(), path, Options{LockWait: 50 * time.Millisecond})
	says(t, err, nil, path, "migrate from version 1 to 5", "objects already exists")
	if version := schemaVersion(t, path); version != 1 {
		t.Errorf("version %d after the failure", version)
	}
	holdsOld(t, openAt(t, path, Options{ReadOnly: true}), record)
	beside(t, path, `INSERT INTO objects VALUES ('still as it was')`, `DROP TABLE objects`)
	s := openAt(t, path, Options{})
	holdsOld(t, s, record)
	writeNew(t, s)
	holdsObjects(t, s, 1, 1, "c1")
}

// A daemon of the version before goes on with the file until it is restarted:
// its statements fit the new tables.
func TestWriterOfTheVersionBefore(t *testing.T) {
	path, record := oldDatabase(t)
	s := openAt(t, path, Options{})
	writeNew(t, s)
	var head store.Head
	if err := s.reader.QueryRowContext(t.Context(), `SELECT seq, hash FROM head`).Scan(&head.Seq, &head.Hash); err != nil {
		t.Fatal(err)
	}
	linked, next, err := store.Link(head, someRow)
	if err != nil {
		t.Fatal(err)
	}
	row := linked[0]
	if _, err := s.writer.ExecContext(t.Context(), `INSERT INTO activity
		(seq, at, run, actor, event, account, region, kind, resource, name, schedule, reason, detail, prev, hash)
		VALUES (?, ?, '', ?, ?, '', '', '', '', '', '', ?, '', ?, ?)`, row.Seq, row.At.UnixMicro(), row.Actor, row.Event, row.Reason, row.Prev, row.Hash); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.ExecContext(t.Context(), `UPDATE head SET seq = ?, hash = ?`, next.Seq, next.Hash); err != nil {
		t.Fatal(err)
	}
	holdsOld(t, s, record)
	holdsObjects(t, s, 1, 1, "c1")
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 9 || v.BadAt != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestDamagedObjects(t *testing.T) {
	s := openNew(t)
	writeNew(t, s)
	beside(t, s.path, `UPDATE objects SET spec = '{"at":'`, `UPDATE scopes SET body = '{"config":'`)
	_, err := s.Objects(t.Context())
	says(t, err, store.ErrCorrupt, s.path, `rule "wake"`, "not valid JSON")
	_, err = s.ScopeMemory(t.Context(), oldScope)
	says(t, err, store.ErrCorrupt, s.path, "111122223333/eu-west-1")
	beside(t, s.path, `DELETE FROM head`)
	_, err = s.Revision(t.Context())
	says(t, err, store.ErrCorrupt, s.path, "changes of objects")
	_, err = s.SaveObject(t.Context(), store.Object{Kind: store.RuleObject, Name: "sleep", Spec: []byte(`{}`), Changed: benchStart})
	says(t, err, store.ErrCorrupt, s.path)
	if found, err := s.Objects(t.Context(), store.ScheduleObject); err != nil || len(found) != 0 {
		t.Errorf("objects of another kind: %+v, %v", found, err)
	}
}

// A disk without room keeps nothing of a change: no version, no row, no revision.
func TestFullWhileAnObjectIsSaved(t *testing.T) {
	s := openNew(t)
	writeNew(t, s)
	if _, err := s.writer.ExecContext(t.Context(), "PRAGMA max_page_count=1"); err != nil { // taken for the present size
		t.Fatal(err)
	}
	large := someObject
	large.Version = 1
	large.Spec = []byte(`"` + strings.Repeat("x", store.MaxSpec-2) + `"`)
	_, err := s.SaveObject(t.Context(), large, someRow...)
	says(t, err, store.ErrFull, s.path, "make room")
	holdsObjects(t, s, 1, 1, "c1")
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 3 || v.BadAt != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := s.writer.ExecContext(t.Context(), "PRAGMA max_page_count=1073741824"); err != nil {
		t.Fatal(err)
	}
	if saved, err := s.SaveObject(t.Context(), large, someRow...); err != nil || saved.Version != 2 {
		t.Errorf("with room again: version %d, %v", saved.Version, err)
	}
}

// What is kept of the deleted must not slow down questions for the others.
func TestDeletedObjectsKeepNoSpec(t *testing.T) {
	s := openNew(t)
	large := someObject
	large.Spec = []byte(`"` + strings.Repeat("x", 100_000) + `"`)
	saved, err := s.SaveObject(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteObject(t.Context(), saved.Kind, saved.Name, saved.Version); err != nil {
		t.Fatal(err)
	}
	var kept int64
	if err := s.reader.QueryRowContext(t.Context(), `SELECT coalesce(sum(length(spec)), 0) FROM objects`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d bytes of specs are kept of a deleted object, %v", kept, err)
	}
}
