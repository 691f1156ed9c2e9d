package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Store is a database. Use Open.
type Store struct {
	path     string
	lockWait time.Duration
	writer   *sql.DB // one connection; nil when opened for reading only
	reader   *sql.DB
	// schema is the version of the schema as last seen. It is below the known
	// one only while a file is read that no writer has migrated yet.
	schema atomic.Int64
}

var _ store.Store = (*Store)(nil)

// write runs f in one transaction that holds the write lock from its beginning.
func (s *Store) write(ctx context.Context, attempt string, f func(*sql.Tx) error) error {
	if s.writer == nil {
		return fmt.Errorf("%s %s: the store was opened for reading: %w", attempt, s.path, store.ErrReadOnly)
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(ctx, attempt, err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // the first error tells more; a lost connection rolls back too
		return s.explain(ctx, attempt, err)
	}
	return s.explain(ctx, attempt, tx.Commit())
}

// read runs f on the state of one instant.
func (s *Store) read(ctx context.Context, attempt string, f func(*sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.explain(ctx, attempt, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to keep
	return s.explain(ctx, attempt, f(tx))
}

// held returns the lease as stored; the zero Lease when it was never taken.
func held(ctx context.Context, tx *sql.Tx, name string) (store.Lease, error) {
	lease := store.Lease{Name: name}
	var expires int64
	err := tx.QueryRowContext(ctx, `SELECT holder, term, expires FROM leases WHERE name = ?`, name).
		Scan(&lease.Holder, &lease.Term, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Lease{}, nil
	}
	lease.Expires = instant(expires)
	return lease, err
}

// guard fences a write inside its own transaction.
func guard(ctx context.Context, tx *sql.Tx, lease store.Lease) error {
	stored, err := held(ctx, tx, lease.Name)
	if err != nil {
		return err
	}
	return store.Guard(stored, lease)
}

func putLease(ctx context.Context, tx *sql.Tx, lease store.Lease) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO leases (name, holder, term, expires) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, term = excluded.term, expires = excluded.expires`,
		lease.Name, lease.Holder, lease.Term, lease.Expires.UnixMicro())
	return err
}

// Acquire implements store.Leaser.
func (s *Store) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (lease store.Lease, err error) {
	err = s.write(ctx, "acquire a lease in", func(tx *sql.Tx) error {
		stored, err := held(ctx, tx, name)
		if err != nil {
			return err
		}
		if lease, err = store.Grant(stored, name, holder, now, ttl); err != nil {
			return err
		}
		return putLease(ctx, tx, lease)
	})
	return answered(lease, err)
}

// Renew implements store.Leaser.
func (s *Store) Renew(ctx context.Context, lease store.Lease, now time.Time, ttl time.Duration) (renewed store.Lease, err error) {
	err = s.write(ctx, "renew a lease in", func(tx *sql.Tx) error {
		stored, err := held(ctx, tx, lease.Name)
		if err != nil {
			return err
		}
		if renewed, err = store.Extend(stored, lease, now, ttl); err != nil {
			return err
		}
		return putLease(ctx, tx, renewed)
	})
	return answered(renewed, err)
}

// Held implements store.Leaser.
func (s *Store) Held(ctx context.Context, name string) (lease store.Lease, err error) {
	err = s.read(ctx, "ask who holds a lease in", func(tx *sql.Tx) error {
		lease, err = held(ctx, tx, name)
		lease.Name = name
		return err
	})
	return answered(lease, err)
}

// answered keeps a lease that could not be written from being taken for one
// that was granted. Only with ErrHeld it tells something: who has it.
func answered(lease store.Lease, err error) (store.Lease, error) {
	if err != nil && !errors.Is(err, store.ErrHeld) {
		return store.Lease{}, err
	}
	return lease, err
}

// Release implements store.Leaser.
func (s *Store) Release(ctx context.Context, lease store.Lease) error {
	return s.write(ctx, "release a lease in", func(tx *sql.Tx) error {
		stored, err := held(ctx, tx, lease.Name)
		if err != nil || store.Guard(stored, lease) != nil {
			return err
		}
		stored.Holder, stored.Expires = "", time.Time{}
		return putLease(ctx, tx, stored)
	})
}

const memoryColumns = `SELECT account, region, kind, resource, body FROM memories`

// Memories implements store.Memories.
func (s *Store) Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error) {
	memories := []decide.Memory{}
	err := s.read(ctx, "read memories of "+scope.String()+" from", func(tx *sql.Tx) error {
		return eachMemory(ctx, tx, func(m decide.Memory) error {
			memories = append(memories, m)
			return nil
		}, memoryColumns+` WHERE account = ? AND region = ? ORDER BY kind, resource`, scope.Account, scope.Region)
	})
	if err != nil {
		return nil, err
	}
	return memories, nil
}

// AllMemories implements store.Memories. It keeps one of the reading
// connections until each has seen the last memory.
func (s *Store) AllMemories(ctx context.Context, each func(decide.Memory) error) error {
	var refused error
	err := s.read(ctx, "read all memories from", func(tx *sql.Tx) error {
		return eachMemory(ctx, tx, func(m decide.Memory) error {
			refused = each(m)
			return refused
		}, memoryColumns+` ORDER BY account, region, kind, resource`)
	})
	if refused != nil {
		return refused
	}
	return err
}

func eachMemory(ctx context.Context, tx *sql.Tx, each func(decide.Memory) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var account, region, kind, id, body sql.RawBytes
	var reader memoryReader
	for rows.Next() {
		if err := rows.Scan(&account, &region, &kind, &id, &body); err != nil {
			return err
		}
		ref := fleet.Ref{
			Scope: fleet.Scope{Account: fleet.AccountID(reader.word(account)), Region: fleet.Region(reader.word(region))},
			Kind:  fleet.Kind(reader.word(kind)), ID: string(id),
		}
		var m decide.Memory
		if err := reader.decode(body, &m); err != nil {
			return fmt.Errorf("memory of %s: %w (%w)", ref, store.ErrCorrupt, err)
		}
		m.Ref = ref // the key is what it is found by
		if err := each(m); err != nil {
			return err
		}
		// The driver hands out rows that it has already read.
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// SaveChanges implements store.Memories.
func (s *Store) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	attempt := fmt.Sprintf("save %d memories, %d of scopes, and %d activity rows in", len(changes.Memories), len(changes.Scopes), len(changes.Activity))
	memories, err := store.CleanMemories(changes.Memories)
	if err != nil {
		return fmt.Errorf("%s %s: %w", attempt, s.path, err)
	}
	scopes, err := store.CleanScopes(changes.Scopes)
	if err != nil {
		return fmt.Errorf("%s %s: %w", attempt, s.path, err)
	}
	// Outside the transaction, which keeps every other writer waiting.
	bodies := make([][]byte, len(memories))
	for i := range memories {
		if bodies[i], err = json.Marshal(&memories[i]); err != nil {
			return fmt.Errorf("%s %s: encode the memory of %s: %w", attempt, s.path, memories[i].Ref, err)
		}
	}
	scopeBodies := make([][]byte, len(scopes))
	for i := range scopes {
		if scopeBodies[i], err = json.Marshal(&scopes[i]); err != nil {
			return fmt.Errorf("%s %s: encode the memory of scope %s: %w", attempt, s.path, scopes[i].Scope, err)
		}
	}
	return s.write(ctx, attempt, func(tx *sql.Tx) error {
		if err := guard(ctx, tx, lease); err != nil {
			return err
		}
		if err := putMemories(ctx, tx, memories, bodies); err != nil {
			return err
		}
		for i, m := range scopes { // a handful, where memories are thousands
			_, err := tx.ExecContext(ctx, `INSERT INTO scopes (account, region, body) VALUES (?, ?, ?)
				ON CONFLICT (account, region) DO UPDATE SET body = excluded.body`, m.Scope.Account, m.Scope.Region, string(scopeBodies[i]))
			if err != nil {
				return fmt.Errorf("memory of scope %s: %w", m.Scope, err)
			}
		}
		return appendRows(ctx, tx, changes.Activity)
	})
}

// ScopeMemory implements store.Memories.
func (s *Store) ScopeMemory(ctx context.Context, scope fleet.Scope) (decide.ScopeMemory, error) {
	var m decide.ScopeMemory
	err := s.read(ctx, "read the memory of scope "+scope.String()+" from", func(tx *sql.Tx) error {
		if there, err := s.hasObjects(ctx, tx); err != nil || !there {
			return err
		}
		var body []byte
		err := tx.QueryRowContext(ctx, `SELECT body FROM scopes WHERE account = ? AND region = ?`, scope.Account, scope.Region).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, &m); err != nil {
			return fmt.Errorf("memory of scope %s: %w (%w)", scope, store.ErrCorrupt, err)
		}
		return nil
	})
	if err != nil {
		return decide.ScopeMemory{}, err
	}
	m.Scope = scope // the key is what it is found by
	return m, nil
}

// memoriesPerStatement rows go into one statement: a statement costs as much as
// a handful of rows. More would gain nothing that can be measured.
const memoriesPerStatement = 50

func putMemories(ctx context.Context, tx *sql.Tx, memories []decide.Memory, bodies [][]byte) error {
	for len(memories) > 0 {
		n := min(len(memories), memoriesPerStatement)
		args := make([]any, 0, 5*n)
		for i, m := range memories[:n] {
			args = append(args, m.Ref.Scope.Account, m.Ref.Scope.Region, m.Ref.Kind, m.Ref.ID, string(bodies[i]))
		}
		if _, err := tx.ExecContext(ctx, upsertMemories(n), args...); err != nil {
			return fmt.Errorf("%d memories from %s on: %w", n, memories[0].Ref, err)
		}
		memories, bodies = memories[n:], bodies[n:]
	}
	return nil
}

// upsertMemories is the statement that writes n memories.
func upsertMemories(n int) string {
	return `INSERT INTO memories (account, region, kind, resource, body) VALUES (?, ?, ?, ?, ?)` +
		strings.Repeat(`, (?, ?, ?, ?, ?)`, n-1) +
		` ON CONFLICT (account, region, kind, resource) DO UPDATE SET body = excluded.body`
}

// DropMemories implements store.Memories.
func (s *Store) DropMemories(ctx context.Context, lease store.Lease, refs []fleet.Ref) error {
	return s.write(ctx, fmt.Sprintf("drop %d memories in", len(refs)), func(tx *sql.Tx) error {
		if err := guard(ctx, tx, lease); err != nil {
			return err
		}
		drop, err := tx.PrepareContext(ctx, `DELETE FROM memories WHERE account = ? AND region = ? AND kind = ? AND resource = ?`)
		if err != nil {
			return err
		}
		defer func() { _ = drop.Close() }()
		for _, ref := range refs {
			if _, err := drop.ExecContext(ctx, ref.Scope.Account, ref.Scope.Region, ref.Kind, ref.ID); err != nil {
				return fmt.Errorf("memory of %s: %w", ref, err)
			}
		}
		return nil
	})
}

// SaveRun implements store.Runs.
func (s *Store) SaveRun(ctx context.Context, lease store.Lease, run store.Run) error {
	attempt := "save run " + run.ID + " in"
	clean, err := store.CleanRun(run)
	if err != nil {
		return fmt.Errorf("save a run in %s: %w", s.path, err)
	}
	body, err := json.Marshal(clean)
	if err != nil {
		return fmt.Errorf("%s %s: encode: %w", attempt, s.path, err)
	}
	return s.write(ctx, attempt, func(tx *sql.Tx) error {
		if err := guard(ctx, tx, lease); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO runs (id, body) VALUES (?, ?)
			ON CONFLICT (id) DO UPDATE SET body = excluded.body`, clean.ID, string(body))
		return err
	})
}

// Run implements store.Runs.
func (s *Store) Run(ctx context.Context, id string) (store.Run, error) {
	runs, err := s.runs(ctx, `SELECT id, body FROM runs WHERE id = ?`, id)
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) == 0 {
		return store.Run{}, fmt.Errorf("run %q in %s: %w", id, s.path, store.ErrNotFound)
	}
	return runs[0], nil
}

// Runs implements store.Runs.
func (s *Store) Runs(ctx context.Context, limit int) ([]store.Run, error) {
	return s.runs(ctx, `SELECT id, body FROM runs ORDER BY id DESC LIMIT ?`, store.Limit(limit))
}

func (s *Store) runs(ctx context.Context, query string, args ...any) ([]store.Run, error) {
	runs := []store.Run{}
	err := s.read(ctx, "read runs from", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id string
			var body sql.RawBytes
			if err := rows.Scan(&id, &body); err != nil {
				return err
			}
			var run store.Run
			if err := json.Unmarshal(body, &run); err != nil {
				return fmt.Errorf("run %s: %w (%w)", id, store.ErrCorrupt, err)
			}
			run.ID = id
			runs = append(runs, run)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return runs, nil
}

// Append implements store.Activities.
func (s *Store) Append(ctx context.Context, lease store.Lease, rows []store.Activity) error {
	return s.write(ctx, fmt.Sprintf("append %d activity rows to", len(rows)), func(tx *sql.Tx) error {
		if !lease.Unguarded() {
			if err := guard(ctx, tx, lease); err != nil {
				return err
			}
		}
		return appendRows(ctx, tx, rows)
	})
}

// appendRows links the rows to the chain and moves its head.
func appendRows(ctx context.Context, tx *sql.Tx, rows []store.Activity) error {
	if len(rows) == 0 {
		return nil
	}
	head, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	linked, head, err := store.Link(head, rows)
	if err != nil {
		return err
	}
	if err := insertActivity(ctx, tx, linked); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE head SET seq = ?, hash = ?`, head.Seq, head.Hash)
	return err
}

const (
	activityColumns = `seq, at, run, actor, event, account, region, kind, resource, name, schedule, reason, detail, chain, prev, hash`
	// chainlessColumns reads the same from a file without that column.
	chainlessColumns = `seq, at, run, actor, event, account, region, kind, resource, name, schedule, reason, detail, NULL, prev, hash`
)

// selectActivity is the beginning of a question for rows.
func (s *Store) selectActivity(ctx context.Context, tx *sql.Tx) (string, error) {
	chains, err := s.hasObjects(ctx, tx)
	if chains {
		return "SELECT " + activityColumns + " FROM activity", err
	}
	return "SELECT " + chainlessColumns + " FROM activity", err
}

func insertActivity(ctx context.Context, tx *sql.Tx, rows []store.Activity) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO activity (`+activityColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	for _, row := range rows {
		var chain any // NULL without one
		if len(row.Chain) > 0 {
			encoded, err := json.Marshal(row.Chain)
			if err != nil {
				return fmt.Errorf("activity row %d: encode its chain: %w", row.Seq, err)
			}
			chain = string(encoded)
		}
		_, err := put.ExecContext(ctx, row.Seq, row.At.UnixMicro(), row.Run, row.Actor, row.Event,
			row.Ref.Scope.Account, row.Ref.Scope.Region, row.Ref.Kind, row.Ref.ID,
			row.Name, row.Schedule, row.Reason, row.Detail, chain, row.Prev, row.Hash)
		if taken(err) {
			return fmt.Errorf("row %d exists already, behind the end of the activity record: %w (%w)", row.Seq, store.ErrCorrupt, err)
		}
		if err != nil {
			return fmt.Errorf("activity row %d: %w", row.Seq, err)
		}
	}
	return nil
}

func readHead(ctx context.Context, tx *sql.Tx) (head store.Head, err error) {
	err = tx.QueryRowContext(ctx, `SELECT seq, hash FROM head`).Scan(&head.Seq, &head.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Head{}, fmt.Errorf("the row that marks the end of the activity record is missing: %w", store.ErrCorrupt)
	}
	return head, err
}

// Activity implements store.Activities.
func (s *Store) Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error) {
	found := []store.Activity{}
	err := s.read(ctx, "read activity from", func(tx *sql.Tx) error {
		from, err := s.selectActivity(ctx, tx)
		if err != nil {
			return err
		}
		text, args := activityQuery(from, query)
		return eachActivity(ctx, tx, func(row store.Activity) bool {
			found = append(found, row)
			return true
		}, text, args...)
	})
	if err != nil {
		return nil, err
	}
	if query.Last {
		slices.Reverse(found)
	}
	return found, nil
}

// activityQuery writes the question in SQL behind from (see selectActivity),
// newest first for Last. A text is
// looked for in three columns, each with its index: every column gives its own
// first rows, and the first of these are the answer; with OR the database would
// fetch and sort every row of a busy schedule for a page of ten.
func activityQuery(from string, query store.ActivityQuery) (text string, args []any) {
	var where strings.Builder
	and := func(condition string, values ...any) {
		where.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	if query.After > 0 {
		and("seq > ?", query.After)
	}
	if !query.From.IsZero() {
		and("at >= ?", store.Instant(query.From).UnixMicro())
	}
	if !query.To.IsZero() {
		and("at < ?", store.Instant(query.To).UnixMicro())
	}
	if query.Event != "" {
		and("event = ?", query.Event)
	}
	if (query.Ref != fleet.Ref{}) {
		and("account = ? AND region = ? AND kind = ? AND resource = ?",
			query.Ref.Scope.Account, query.Ref.Scope.Region, query.Ref.Kind, query.Ref.ID)
		if query.Ref.ID != "" {
			and("resource <> ''") // lets the partial index be used
		}
	}
	order := " ORDER BY seq"
	if query.Last {
		order = " ORDER BY seq DESC"
	}
	order += fmt.Sprintf(" LIMIT %d", store.Limit(query.Limit))
	if query.Text == "" {
		return from + " WHERE true" + where.String() + order, args
	}
	var parts []string
	var all []any
	for _, column := range []string{"resource", "name", "schedule"} {
		parts = append(parts, fmt.Sprintf("SELECT * FROM (SELECT seq FROM activity WHERE %s = ? AND %s <> ''%s%s)",
			column, column, where.String(), order))
		all = append(append(all, query.Text), args...)
	}
	return from + " WHERE seq IN (" + strings.Join(parts, " UNION ") + ")" + order, all
}

// eachActivity reads rows until each has enough.
func eachActivity(ctx context.Context, tx *sql.Tx, each func(store.Activity) bool, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...) //nolint:gosec // put together of constants; every value is an argument
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row store.Activity
		var at int64
		var chain sql.RawBytes
		err := rows.Scan(&row.Seq, &at, &row.Run, &row.Actor, &row.Event,
			&row.Ref.Scope.Account, &row.Ref.Scope.Region, &row.Ref.Kind, &row.Ref.ID,
			&row.Name, &row.Schedule, &row.Reason, &row.Detail, &chain, &row.Prev, &row.Hash)
		if err != nil {
			return err
		}
		row.At, row.Chain = instant(at), decodeChain(chain)
		if !each(row) {
			return nil
		}
	}
	return rows.Err()
}

// decodeChain reads the column of a row's chain. What is no chain is given as it
// stands, as one step: it can be looked at, and gives another hash.
func decodeChain(column []byte) []decide.Step {
	if column == nil {
		return nil
	}
	var chain []decide.Step
	if err := json.Unmarshal(column, &chain); err != nil {
		return []decide.Step{{Fact: say.Raw(string(column))}}
	}
	return chain
}

// Verify implements store.Activities. Rows and head are read from the state of
// one instant, so that an Append meanwhile is not taken for a fault.
func (s *Store) Verify(ctx context.Context) (verification store.Verification, err error) {
	err = s.read(ctx, "verify the activity record in", func(tx *sql.Tx) error {
		head, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		from, err := s.selectActivity(ctx, tx)
		if err != nil {
			return err
		}
		var chain store.Chain
		if err := eachActivity(ctx, tx, chain.Add, from+` ORDER BY seq`); err != nil {
			return err
		}
		verification = chain.End(head)
		return nil
	})
	return verification, err
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, "write to", func(tx *sql.Tx) error {
		// A counter, because SQLite leaves a page alone that would not change.
		_, err := tx.ExecContext(ctx, `UPDATE head SET pings = pings + 1`)
		return err
	})
}

// Close implements store.Store. The last process to close the file copies the
// log into it.
func (s *Store) Close() error {
	var failed error
	for _, db := range []*sql.DB{s.reader, s.writer} { // the writer last: it may copy the log
		if db != nil {
			failed = errors.Join(failed, db.Close())
		}
	}
	if failed != nil {
		return fmt.Errorf("close %s: %w", s.path, failed)
	}
	return nil
}

func instant(micro int64) time.Time { return time.UnixMicro(micro).UTC() }
