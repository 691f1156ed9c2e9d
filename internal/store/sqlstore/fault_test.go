package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

var someRow = []store.Activity{{At: benchStart, Actor: "dayshift", Event: store.EventDaemon, Reason: "started"}}

// says checks the kind of an error and that it tells what people need to know.
func says(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if err == nil || (kind != nil && !errors.Is(err, kind)) {
		t.Fatalf("got error %v, want one that is %q", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}

// beside runs SQL on the file past the store.
func beside(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestOpenRefusesPaths(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(directory, "missing", "dayshift.db")
	for _, test := range []struct {
		name, path string
		kind       error
		words      []string
	}{
		{"nothing", "", nil, []string{"no file is named", "sqlite:dayshift.db"}},
		{"a scheme alone", "sqlite:", nil, []string{"no file is named"}},
		{"memory", ":memory:", nil, []string{"not supported"}},
		{"a URI with pragmas", "file:x.db?_pragma=journal_mode(OFF)", nil, []string{"not supported"}},
		{"another engine", "postgres://db/dayshift", nil, []string{"only SQLite"}},
		{"NUL", "day\x00shift.db", nil, []string{"NUL"}},
		{"a missing directory", missing, fs.ErrNotExist, []string{missing, filepath.Dir(missing), "create it"}},
		{"a file as directory", filepath.Join(file, "dayshift.db"), nil, []string{file}},
		{"a directory", directory, nil, []string{directory + " is a directory"}},
		{"a device", "/dev/null", nil, []string{"not a regular file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Open(t.Context(), test.path, Options{})
			if err == nil {
				_ = s.Close()
			}
			says(t, err, test.kind, test.words...)
		})
	}
	if _, err := Open(t.Context(), file, Options{LockWait: -time.Second}); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Errorf("a negative LockWait: %v", err)
	}
}

func TestOpenTakesAnyFileName(t *testing.T) {
	for _, name := range []string{"dayshift.db", "with space.db", "q?mode=memory&x=%41#frag.db", "한국.db", "it's;DROP.db", "100%.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := openAt(t, "sqlite:"+path, Options{})
		if err := s.Append(t.Context(), store.Lease{}, someRow); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: the file has another name: %v", name, err)
		}
		reader := openAt(t, path, Options{ReadOnly: true})
		if v, err := reader.Verify(t.Context()); err != nil || v.Rows != 1 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestRelativePathStaysWhenTheDirectoryChanges(t *testing.T) {
	directory := t.TempDir()
	t.Chdir(directory)
	s := openAt(t, "sqlite:dayshift.db", Options{})
	t.Chdir(t.TempDir())
	var group sync.WaitGroup
	for range readers { // more connections than were open before
		group.Go(func() {
			if _, err := s.Activity(t.Context(), store.ActivityQuery{}); err != nil {
				t.Errorf("Activity: %v", err)
			}
		})
	}
	group.Wait()
	if _, err := os.Stat(filepath.Join(directory, "dayshift.db")); err != nil {
		t.Error(err)
	}
}

func TestNewerDatabaseIsRefusedUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	openAt(t, path, Options{})
	beside(t, path, `INSERT INTO schema_version (version_id, is_applied) VALUES (7, 1)`, `PRAGMA wal_checkpoint(TRUNCATE)`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []Options{{}, {ReadOnly: true}} {
		_, err := Open(t.Context(), path, options)
		says(t, err, store.ErrNewer, path, "version 7", "newer")
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestForeignDatabaseIsRefusedUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "places.sqlite")
	beside(t, path, `CREATE TABLE bookmarks (url TEXT)`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, Options{})
	says(t, err, nil, path, "another program")
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestInterruptedMigrationIsTakenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	// What a process leaves that died after its first statements.
	beside(t, path, fmt.Sprintf("PRAGMA application_id=%d", applicationID), "PRAGMA journal_mode=WAL",
		`CREATE TABLE schema_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL,
		 is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
		`INSERT INTO schema_version (version_id, is_applied) VALUES (0, 1)`)
	_, err := Open(t.Context(), path, Options{ReadOnly: true})
	says(t, err, store.ErrReadOnly, "version 0")
	s := openAt(t, path, Options{})
	if err := s.Append(t.Context(), store.Lease{}, someRow); err != nil {
		t.Error(err)
	}
}

func TestManyOpenANewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	var group sync.WaitGroup
	for range 6 {
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
	s := openAt(t, path, Options{ReadOnly: true})
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 6 || v.BadAt != 0 {
		t.Errorf("%+v, %v, want 6 rows", v, err)
	}
}

func TestReadOnlyOption(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	_, err := Open(t.Context(), path, Options{ReadOnly: true})
	says(t, err, store.ErrNotFound, path)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a question created the file (%v)", err)
	}
	writer := openAt(t, path, Options{})
	if err := writer.Append(t.Context(), store.Lease{}, someRow); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path, Options{ReadOnly: true})
	says(t, s.Append(t.Context(), store.Lease{}, someRow), store.ErrReadOnly, path)
	says(t, s.Ping(t.Context()), store.ErrReadOnly, path)
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

// Another process that keeps the write lock is waited for, then named; questions go on.
func TestLockedByAnother(t *testing.T) {
	const wait = 150 * time.Millisecond
	path := filepath.Join(t.TempDir(), "dayshift.db")
	s := openAt(t, path, Options{LockWait: wait})
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	says(t, s.Append(t.Context(), store.Lease{}, someRow), store.ErrLocked, path, "150ms", "fuser")
	if took := time.Since(start); took < wait {
		t.Errorf("gave up after %s, want a wait of %s", took, wait)
	}
	if _, err := s.Activity(t.Context(), store.ActivityQuery{}); err != nil {
		t.Errorf("a question while another writes: %v", err)
	}
	if twin, err := Open(t.Context(), path, Options{LockWait: wait}); err != nil {
		t.Errorf("open while another writes: %v", err)
	} else if err := twin.Close(); err != nil {
		t.Error(err)
	}

	// The caller's patience ends first.
	patient := openAt(t, path, Options{LockWait: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start = time.Now()
	says(t, patient.Ping(ctx), context.DeadlineExceeded, path)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the context ended after 50ms, the call after %s", took)
	}

	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, patient} {
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("after the other has finished: %v", err)
		}
	}
}

// A full disk keeps nothing of the write; with room again all goes on.
func TestFull(t *testing.T) {
	s := openNew(t)
	if err := s.Append(t.Context(), store.Lease{}, someRow); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count=%d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes the present size for it
	large := []store.Activity{someRow[0], someRow[0]}
	large[1].Detail = strings.Repeat("x", 1<<20)
	says(t, s.Append(t.Context(), store.Lease{}, large), store.ErrFull, s.path, "make room")
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != 1 || v.BadAt != 0 {
		t.Errorf("after the failure: %+v, %v", v, err)
	}
	limit(1 << 30)
	if err := s.Append(t.Context(), store.Lease{}, large); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	// fresh is a closed database of some size.
	fresh := func(t *testing.T) (path string, content []byte) {
		path = filepath.Join(t.TempDir(), "dayshift.db")
		s := openAt(t, path, Options{})
		rows := make([]store.Activity, 200)
		for i := range rows {
			rows[i] = someRow[0]
			rows[i].Detail = strings.Repeat("detail ", 20)
		}
		if err := s.Append(t.Context(), store.Lease{}, rows); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, content
	}
	for name, damage := range map[string]func([]byte) []byte{
		"not a database":        func([]byte) []byte { return []byte(strings.Repeat("<html>", 1000)) },
		"a header overwritten":  func(b []byte) []byte { copy(b, "SQLite format 4"); return b },
		"a schema overwritten":  func(b []byte) []byte { copy(b[100:], make([]byte, 1000)); return b },
		"a page overwritten":    func(b []byte) []byte { copy(b[len(b)/2:], strings.Repeat("\xff", 8192)); return b },
		"cut off in the middle": func(b []byte) []byte { return b[:len(b)/2/4096*4096] },
		"cut off in the header": func(b []byte) []byte { return b[:50] },
	} {
		t.Run(name, func(t *testing.T) {
			path, content := fresh(t)
			if err := os.WriteFile(path, damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), path, Options{})
			if err == nil {
				_ = s.Close()
			}
			says(t, err, store.ErrCorrupt, path, ".recover")
		})
	}
	t.Run("the log of another time", func(t *testing.T) {
		path, _ := fresh(t)
		if err := os.WriteFile(path+"-wal", []byte(strings.Repeat("garbage!", 4096)), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path, Options{}) // frames that do not belong are no commits
		if v, err := s.Verify(t.Context()); err != nil || v.Rows != 200 || v.BadAt != 0 {
			t.Errorf("%+v, %v", v, err)
		}
	})
	t.Run("a memory that is no JSON", func(t *testing.T) {
		s := openNew(t)
		beside(t, s.path, `INSERT INTO memories VALUES ('111122223333', 'eu-west-1', 'ec2_instance', 'i-1', '{"ref":')`)
		err := s.AllMemories(t.Context(), func(decide.Memory) error { return nil })
		says(t, err, store.ErrCorrupt, s.path, "111122223333/eu-west-1/ec2_instance/i-1")
	})
	t.Run("the end of the record is lost", func(t *testing.T) {
		s := openNew(t)
		beside(t, s.path, `DELETE FROM head`)
		says(t, s.Append(t.Context(), store.Lease{}, someRow), store.ErrCorrupt, s.path)
		_, err := s.Verify(t.Context())
		says(t, err, store.ErrCorrupt, s.path)
	})
	t.Run("a record that is no JSON", func(t *testing.T) {
		s := openNew(t)
		beside(t, s.path, `INSERT INTO records VALUES ('workload-run', 'run-1', '{"step":', 0)`)
		_, err := s.Records(t.Context(), store.RecordQuery{Kind: store.WorkloadRun})
		says(t, err, store.ErrCorrupt, s.path, `workload-run "run-1"`, "not valid JSON")
	})
	t.Run("a run that is no JSON", func(t *testing.T) {
		s := openNew(t)
		beside(t, s.path, `INSERT INTO runs VALUES ('run-1', 'x')`)
		_, err := s.Runs(t.Context(), 0)
		says(t, err, store.ErrCorrupt, "run-1")
	})
}

// A field that a later version added is passed over.
func TestUnknownFieldsOfAMemory(t *testing.T) {
	s := openNew(t)
	beside(t, s.path, `INSERT INTO memories VALUES ('111122223333', 'eu-west-1', 'ec2_instance', 'i-1',
		'{"last":"running","holiday":"chuseok","seen_at":"2027-01-04T00:00:00Z"}')`)
	scope := fleet.Scope{Account: "111122223333", Region: "eu-west-1"}
	got, err := s.Memories(t.Context(), scope)
	if err != nil || len(got) != 1 || got[0].Last != decide.WasRunning || got[0].Ref.ID != "i-1" || !got[0].SeenAt.Equal(benchStart) {
		t.Errorf("%+v, %v", got, err)
	}
}

// The promises to the disk are settings that nothing else would miss.
func TestDurability(t *testing.T) {
	s := openNew(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "wal_autocheckpoint": "16384",
		"journal_size_limit": "67108864", "application_id": "1685284468", "busy_timeout": "5000",
	} {
		var got string
		if err := s.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", pragma, got, err, want)
		}
	}
	if got := s.writer.Stats().MaxOpenConnections; got != 1 {
		t.Errorf("%d writing connections, want 1", got)
	}
	if _, err := s.reader.ExecContext(t.Context(), "DELETE FROM activity"); err == nil {
		t.Error("a reading connection can write")
	}
}

// planOf is how the database means to answer.
func planOf(t *testing.T, s *Store, text string, args ...any) string {
	t.Helper()
	rows, err := s.writer.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// A question for records is a range of the primary key, read from its end.
func TestRecordsAreARangeOfTheKey(t *testing.T) {
	s := openNew(t)
	for name, query := range map[string]store.RecordQuery{
		"all": {}, "one": {Name: "run-1"}, "of a prefix": {Prefix: "run-"}, "the newest": {Last: true, Limit: 1},
		"the page before": {Prefix: "run-", Before: "run-7", Last: true, Limit: 20},
	} {
		text, args := recordQuery(query)
		if plan := planOf(t, s, text, args...); !strings.Contains(plan, "USING INDEX sqlite_autoindex_records_1 (kind=? AND name>") || strings.Contains(plan, "\n") {
			t.Errorf("%s: the plan is\n%s", name, plan)
		}
	}
}

// Questions are answered from an index and stop early.
func TestQueriesUseAnIndex(t *testing.T) {
	s := openNew(t)
	for name, test := range map[string]struct {
		query store.ActivityQuery
		index string
	}{
		"newest":     {store.ActivityQuery{Last: true}, ""},
		"resource":   {store.ActivityQuery{Ref: fleet.Ref{ID: "i-1"}, Last: true}, "activity_resource"},
		"event":      {store.ActivityQuery{Event: store.EventFailed, Last: true}, "activity_event"},
		"everything": {store.ActivityQuery{}, ""},
	} {
		text, args := activityQuery("SELECT "+activityColumns+" FROM activity", test.query)
		all := planOf(t, s, text, args...)
		if !strings.Contains(all, test.index) || strings.Contains(all, "USE TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s: want index %q and no sorting, the plan is\n%s", name, test.index, all)
		}
	}
}
