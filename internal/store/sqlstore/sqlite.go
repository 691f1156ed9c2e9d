package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"dayshift/internal/store"
)

// Options are what may be chosen when a database is opened.
type Options struct {
	// LockWait is how long a write waits for the write lock of another process
	// before it fails with store.ErrLocked. 0 means DefaultLockWait.
	LockWait time.Duration
	// ReadOnly opens for questions only: every write fails with
	// store.ErrReadOnly, a missing file is store.ErrNotFound instead of being
	// created, and nothing is migrated: a file of an older version has no objects,
	// no memories of scopes, no records and no chains.
	ReadOnly bool
}

// DefaultLockWait is longer than any write of a pass takes (5,000 memories:
// well under a second) and short enough that a pass which can not write says so
// long before its lease ends.
const DefaultLockWait = 5 * time.Second

const (
	// applicationID marks a file as Dayshift's ("dsft"); see PRAGMA application_id.
	applicationID = 0x64736674

	// walPages is the size of the log, in pages of 4 KB, at which its content is
	// copied into the file: 64 MB. At SQLite's 4 MB one pass over a large fleet
	// would copy many times over, which halves the speed of its updates.
	walPages = 16384

	// readers bounds the connections that read at the same time; each keeps up to
	// 4 MB. AllMemories holds one for as long as its caller takes.
	readers = 8
	// readerIdle is how long one that nobody reads with is kept: opening it takes
	// less than a millisecond.
	readerIdle = 5 * time.Second

	// checkedBytes is the size up to which a file is checked for damage when it is
	// opened. The check reads the whole file, about 1 ms for 1 MB; a larger file
	// tells of its damage when the damaged page is read.
	checkedBytes = 16 << 20

	// versionTable is where goose notes which migrations were applied.
	versionTable = "schema_version"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// Open opens the SQLite database at path, written plain or as sqlite:path, and
// creates and migrates it where that is needed. The directory must exist.
//
// It returns store.ErrNewer, ErrReadOnly, ErrFull, ErrCorrupt or ErrLocked,
// wrapped with the path and what to do about it.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	file, err := parsePath(path)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, err)
	}
	if options.LockWait < 0 {
		return nil, fmt.Errorf("open store %s: LockWait %s is negative; 0 means %s", file, options.LockWait, DefaultLockWait)
	}
	if options.LockWait == 0 {
		options.LockWait = DefaultLockWait
	}
	if err := checkPlace(file, options); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{path: file, lockWait: options.LockWait}
	if err := s.open(ctx, options); err != nil {
		err = s.explain(ctx, "open", err)
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// parsePath takes the scheme off and makes the path absolute, so that a later
// change of the working directory does not change the file.
func parsePath(text string) (string, error) {
	path := strings.TrimPrefix(text, "sqlite:")
	switch {
	case path == "":
		return "", errors.New("no file is named; write sqlite:dayshift.db")
	case path == ":memory:" || strings.HasPrefix(path, "file:"):
		return "", errors.New("write the path of a file, such as sqlite:dayshift.db; SQLite's own URIs and :memory: are not supported")
	case strings.Contains(path, "://"):
		return "", errors.New("only SQLite files are supported, such as sqlite:dayshift.db")
	case strings.ContainsRune(path, 0):
		return "", errors.New("a path can not hold a NUL character")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	return absolute, nil
}

// checkPlace gives the plain reasons why a file can not be opened, for which
// SQLite has one and the same code.
func checkPlace(path string, options Options) error {
	directory := filepath.Dir(path)
	if info, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: the directory %s does not exist; create it or name another file: %w", path, directory, err)
	} else if err != nil {
		return fmt.Errorf("%s: look at its directory: %w", path, err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s: %s is not a directory", path, directory)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && options.ReadOnly:
		return fmt.Errorf("%s does not exist: nothing was recorded there yet: %w", path, store.ErrNotFound)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory; name a file in it, such as %s", path, filepath.Join(path, "dayshift.db"))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}

// dsn is the driver's name for a connection. Writers begin every transaction
// with the write lock, so that none can fail half-way for want of it.
func (s *Store) dsn(writer bool) string {
	query := url.Values{
		"_busy_timeout": {strconv.FormatInt(s.lockWait.Milliseconds(), 10)},
		"_defensive":    {"1"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
	}
	if writer {
		query.Set("_txlock", "immediate")
		query.Set("_synchronous", "FULL")
		query["_pragma"] = []string{
			fmt.Sprintf("wal_autocheckpoint(%d)", walPages),
			// A log that grew beyond it (a long reader holds the copying back) is cut again.
			fmt.Sprintf("journal_size_limit(%d)", walPages*4096),
		}
	} else {
		query.Set("mode", "ro")
	}
	return (&url.URL{Scheme: "file", Path: s.path, RawQuery: query.Encode()}).String()
}

// open connects and brings the schema up to date.
func (s *Store) open(ctx context.Context, options Options) error {
	connect := func(writer bool, connections int) (*sql.DB, error) {
		db, err := sql.Open("sqlite", s.dsn(writer))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		return db, nil
	}
	var err error
	if s.reader, err = connect(false, readers); err != nil {
		return err
	}
	s.reader.SetConnMaxIdleTime(readerIdle)
	if options.ReadOnly {
		return s.checkSchema(ctx)
	}
	if s.writer, err = connect(true, 1); err != nil {
		return err
	}
	if err := s.checkWritable(ctx); err != nil {
		return err
	}
	found, err := identify(ctx, s.writer)
	if err != nil {
		return err
	}
	if err := s.checkDamage(ctx); err != nil {
		return err
	}
	if err := s.useWAL(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx, found); err != nil {
		return err
	}
	known, err := knownVersion()
	s.schema.Store(known)
	return err
}

// identity is what a file says of itself.
type identity struct {
	tables  int64
	version int64 // of the schema; 0: none
}

// identify tells an empty file from ours and refuses any other database and
// one with a schema that this program does not know.
func identify(ctx context.Context, db *sql.DB) (identity, error) {
	var found identity
	var application, versioned int64
	err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema),
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '`+versionTable+`')`).
		Scan(&application, &found.tables, &versioned)
	if err != nil {
		return identity{}, err
	}
	if found.tables > 0 && application != applicationID {
		return identity{}, errForeign
	}
	if versioned == 1 {
		err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable).Scan(&found.version)
		if err != nil {
			return identity{}, err
		}
	}
	if known, err := knownVersion(); err != nil {
		return identity{}, err
	} else if found.version > known {
		return identity{}, fmt.Errorf("its schema is version %d, this program knows %d; nothing was changed, use the version of dayshift that wrote it or a newer one: %w",
			found.version, known, store.ErrNewer)
	}
	return found, nil
}

// errForeign keeps a mistyped path from turning another program's data into ours.
var errForeign = errors.New("this is the SQLite database of another program; name a file of its own for dayshift, nothing was changed")

// knownVersion is the number of the last migration in this program.
func knownVersion() (int64, error) {
	entries, err := migrations.ReadDir("migrations/sqlite")
	if err != nil {
		return 0, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return goose.NumericComponent(entries[len(entries)-1].Name())
}

// checkWritable finds out without waiting for a lock whether SQLite had to fall
// back to read-only access, which it does silently.
func (s *Store) checkWritable(ctx context.Context) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driver any) error {
		c, ok := driver.(interface {
			IsReadOnly(schema string) (bool, error)
		})
		if !ok {
			return nil
		}
		if readOnly, err := c.IsReadOnly("main"); err != nil {
			return err
		} else if readOnly {
			return errNotWritable
		}
		return nil
	})
}

// errNotWritable: the file can be read but not written.
var errNotWritable = fmt.Errorf("this user may not write the file: %w", store.ErrReadOnly)

// checkDamage reads a small file through once.
func (s *Store) checkDamage(ctx context.Context) error {
	if info, err := os.Stat(s.path); err != nil || info.Size() > checkedBytes {
		return nil //nolint:nilerr // a file that vanished just now is reported by the next statement
	}
	var result string
	if err := s.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("%s: %w", result, store.ErrCorrupt)
	}
	return nil
}

// useWAL switches a new file to WAL mode; the file remembers. The switch does
// not wait for a lock by itself when two processes meet at a new file.
func (s *Store) useWAL(ctx context.Context) error {
	var mode string
	err := s.patiently(ctx, func() error {
		return s.writer.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode)
	})
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("SQLite's WAL mode is not available here (journal mode stays %q): the file must be on a local disk", mode)
	}
	return nil
}

// migrate applies what is missing. Each migration is a transaction, so that an
// interrupted one leaves no trace; of two processes that try the same one, the
// second fails, looks again and finds it done.
func (s *Store) migrate(ctx context.Context, found identity) error {
	known, err := knownVersion()
	if err != nil || found.version == known {
		return err
	}
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("read the embedded migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	return s.patiently(ctx, func() error {
		// Before the first table: see identify. A file that is empty but for this
		// mark is still taken for an empty one.
		if _, err := s.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id=%d", applicationID)); err != nil {
			return err
		}
		if _, err := provider.Up(ctx); err != nil {
			if now, again := identify(ctx, s.writer); again == nil && now.version == known {
				return nil
			}
			return fmt.Errorf("migrate from version %d to %d: %w", found.version, known, err)
		}
		return nil
	})
}

// The versions of the schema that this program tells apart.
const (
	// oldestRead is the first that can be read: 0 has no tables yet.
	oldestRead = 1
	// objectsSince is the first with objects, memories of scopes and chains.
	objectsSince = 2
	// accessSince is the first with counters and sessions.
	accessSince = 3
	// recordsSince is the first with records.
	recordsSince = 4
	// slipsSince is the first with slips.
	slipsSince = 5
)

// checkSchema is what opening for reading asks of a file. One that was written
// by an older version is read as it is: a question must not change the file, nor
// fail because the daemon that writes it is still the old one. What the older
// version did not know is not there.
func (s *Store) checkSchema(ctx context.Context) error {
	found, err := identify(ctx, s.reader)
	if err != nil {
		return err
	}
	if found.version < oldestRead {
		return fmt.Errorf("its schema is version %d, this program reads %d and later; let dayshift open it for writing once: %w",
			found.version, oldestRead, store.ErrReadOnly)
	}
	s.schema.Store(found.version)
	return nil
}

// hasObjects reports whether the file has what came with version objectsSince.
// As long as it has not, it is asked anew: a writer may migrate it at any time.
func (s *Store) hasObjects(ctx context.Context, tx *sql.Tx) (bool, error) {
	return s.has(ctx, tx, objectsSince)
}

// hasAccess is hasObjects for what came with version accessSince.
func (s *Store) hasAccess(ctx context.Context, tx *sql.Tx) (bool, error) {
	return s.has(ctx, tx, accessSince)
}

func (s *Store) has(ctx context.Context, tx *sql.Tx, since int64) (bool, error) {
	if s.schema.Load() >= since {
		return true, nil
	}
	var version int64
	if err := tx.QueryRowContext(ctx, `SELECT max(version_id) FROM `+versionTable).Scan(&version); err != nil {
		return false, err
	}
	s.schema.Store(version)
	return version >= since, nil
}

// patiently repeats what fails for another process's lock, or for losing a race
// against it to create the schema, until LockWait has passed.
func (s *Store) patiently(ctx context.Context, try func() error) error {
	const pause = 20 * time.Millisecond // a migration takes a few
	ctx, cancel := context.WithTimeout(ctx, s.lockWait)
	defer cancel()
	for {
		err := try()
		if err == nil || !contended(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// contended reports whether an error may come from another process that does
// the same at this moment.
func contended(err error) bool {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_ERROR, // table already exists
		sqlite3.SQLITE_CONSTRAINT:
		return true
	}
	return false
}

// taken reports whether a row was refused because its key exists.
func taken(err error) bool {
	var failed *sqlite.Error
	return errors.As(err, &failed) && failed.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// explain puts an error of SQLite into the words of the contract: what was
// attempted, on which file, what is wrong, what to do.
func (s *Store) explain(ctx context.Context, attempt string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%s %s: %w (%w)", attempt, s.path, cause, err)
	}
	advice, kind := s.classify(err)
	switch {
	case kind == nil && advice == "":
		return fmt.Errorf("%s %s: %w", attempt, s.path, err)
	case kind == nil || errors.Is(err, kind):
		return fmt.Errorf("%s %s: %w; %s", attempt, s.path, err, advice)
	}
	return fmt.Errorf("%s %s: %w; %s (%w)", attempt, s.path, kind, advice, err)
}

// classify sorts the codes of SQLite (https://www.sqlite.org/rescode.html).
func (s *Store) classify(err error) (advice string, kind error) {
	var failed *sqlite.Error
	switch {
	case errors.Is(err, store.ErrCorrupt):
		kind = store.ErrCorrupt
	case errors.Is(err, store.ErrReadOnly):
		kind = store.ErrReadOnly
	case errors.As(err, &failed):
		if kind = kindOf(failed.Code()); failed.Code()&0xff == sqlite3.SQLITE_CANTOPEN {
			kind = s.whyNotOpen()
		}
	default:
		return "", nil
	}
	switch kind {
	case store.ErrLocked: //nolint:errorlint // kind is one of the contract's own errors, never wrapped
		return fmt.Sprintf("waited %s for its write lock; stop the other program (fuser %s names it) or try again", s.lockWait, quote(s.path)), kind
	case store.ErrReadOnly:
		return fmt.Sprintf("dayshift must be allowed to write the file and, for the two files beside it, its directory %s", filepath.Dir(s.path)), kind
	case store.ErrFull:
		return fmt.Sprintf("make room on the disk of %s; nothing of this write was kept", filepath.Dir(s.path)), kind
	case store.ErrCorrupt:
		return fmt.Sprintf("stop dayshift, keep a copy of the file with its -wal and -shm, then restore a backup or save what can be read: sqlite3 %s .recover | sqlite3 %s",
			quote(s.path), quote(s.path+".recovered")), kind
	}
	return "", nil
}

// whyNotOpen finds out what SQLite does not tell: it has one code for every
// reason why a file can not be opened or made. nil when it is none of ours, such
// as too many open files.
func (s *Store) whyNotOpen() error {
	probe, err := os.CreateTemp(filepath.Dir(s.path), ".dayshift-probe-*")
	switch {
	case err == nil: // the directory is fine, so it is the file's own permission
		_ = probe.Close()
		_ = os.Remove(probe.Name())
		return store.ErrReadOnly
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return store.ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return store.ErrReadOnly
	}
	return nil
}

// kindOf translates a result code into an error of the contract; nil for those
// that have none.
func kindOf(code int) error {
	switch code {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // no room for the shared memory of WAL mode
		return store.ErrFull
	case sqlite3.SQLITE_IOERR_CORRUPTFS:
		return store.ErrCorrupt
	}
	switch code & 0xff { // the rest of an extended code says more than is needed
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return store.ErrLocked
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return store.ErrReadOnly
	case sqlite3.SQLITE_FULL:
		return store.ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return store.ErrCorrupt
	}
	return nil
}

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
