// Package table reads and keeps the table of capacity that another system left
// behind: odcr_capacity(InstanceType, AvailabilityZone, Target_Capacity,
// Current_Capacity) in MySQL, MariaDB, Aurora or PostgreSQL. People go on to write
// targets into it, and find in Current_Capacity what is really held.
//
// What it guarantees:
//
//   - It writes Current_Capacity and nothing else, of one row at a time, and only
//     where it differs.
//   - A row that makes no sense is a row with an error; it holds back no other.
//     A table that can not be read, or lacks a column, is an error of the whole.
//   - The columns are found by their names, whatever their order, case and types.
//   - Every statement is prepared and has its time; a deadlock is tried again.
//   - The connection is encrypted and the server's certificate verified, unless
//     the settings say that there is no encryption at all. There is no half of it.
//   - Credentials of a secret are read again when a login is refused, and once in a
//     while. A secret that can not be read leaves the last good ones in use: Stale
//     says so. No error quotes a secret.
//
// It expects that one process at a time writes.
package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dayshift/internal/clock"
)

// Row is one row of the table.
type Row struct {
	Type   string // instance type, as it is written there
	Zone   string // availability zone, likewise
	Target int
	// Current is what the row says is held; Known is false where it says nothing (NULL).
	Current int
	Known   bool
	// Err says what is wrong with the row; then nothing should follow from it.
	Err error
}

// Bounds of what is read and how long it may take.
const (
	// mostRows is far more than there are types and zones worth a row; a table that
	// has more is not the one that was meant.
	mostRows = 10_000
	// mostTarget is the largest count of a reservation.
	mostTarget = 10_000
	// patience bounds one question to the database, connecting included: it answers
	// in milliseconds, or it is down.
	patience = 15 * time.Second
	// lockPatience is how long the server lets a statement wait for a lock.
	lockPatience = 5 * time.Second
	// tries of a statement that ended in a deadlock or without a lock.
	tries      = 4
	firstPause = 50 * time.Millisecond
)

// Table is the table, reached when it is first asked for. Its methods may be
// called from any goroutine.
type Table struct {
	settings Settings
	dialect  dialect

	mu       sync.Mutex
	login    login
	readAt   time.Time // when the secret was last asked for
	stale    error
	db       *sql.DB
	prepared *statements
}

// statements are those of the table as it was found.
type statements struct{ rows, update string }

// columns of the table, in the order in which they are asked for.
var columns = []string{"InstanceType", "AvailabilityZone", "Target_Capacity", "Current_Capacity"}

// Open checks the settings. It asks nobody: the database may be down.
func Open(settings Settings) (*Table, error) {
	settings = settings.withDefaults()
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("table of capacity: %w", err)
	}
	return &Table{settings: settings, dialect: dialects[settings.Driver]}, nil
}

// Close ends the connections. The table must not be used afterwards.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop()
}

// drop ends the connections; mu is held. What one that broke says to that concerns nobody: nothing is under way.
func (t *Table) drop() {
	if t.db != nil {
		_ = t.db.Close()
	}
	t.db, t.prepared = nil, nil
}

// Stale says why the secret could not be read when it last should have been, with
// the last good credentials still in use; nil: it could, or there is none.
func (t *Table) Stale() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stale
}

// Rows returns every row, ordered by zone and type. A row with an Err is among them.
func (t *Table) Rows(ctx context.Context) ([]Row, error) {
	var rows []Row
	err := t.do(ctx, func(ctx context.Context, db *sql.DB, s *statements) error {
		var err error
		rows, err = read(ctx, db, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", t, err)
	}
	judge(rows)
	return rows, nil
}

// SetCurrent writes into the row how many are held, 0 or more, where it says
// something else. A row that is there no more is left alone.
func (t *Table) SetCurrent(ctx context.Context, row Row, held int) error {
	if held < 0 {
		return fmt.Errorf("write %d of %s in %s into the %s: less than none can not be held", held, row.Type, row.Zone, t)
	}
	err := t.do(ctx, func(ctx context.Context, db *sql.DB, s *statements) error {
		update, err := db.PrepareContext(ctx, s.update)
		if err != nil {
			return err
		}
		defer func() { _ = update.Close() }()
		count := strconv.Itoa(held) // whatever the column's type is
		_, err = update.ExecContext(ctx, count, row.Type, row.Zone, count)
		return err
	})
	if err != nil {
		return fmt.Errorf("write %d of %s in %s into the %s: %w", held, printable(row.Type), printable(row.Zone), t, err)
	}
	return nil
}

// String names the table without a secret.
func (t *Table) String() string { return "table " + t.settings.Table }

// do asks the database, with the tries that a deadlock or a new password need.
func (t *Table) do(ctx context.Context, ask func(context.Context, *sql.DB, *statements) error) error {
	renewed := false
	for try := 1; ; try++ {
		err := t.once(ctx, renewed, ask)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case t.dialect.refused(err) && !renewed && t.settings.Secret != nil:
			renewed = true // the password may have been rotated: once, with what the secret says now
			t.forget()
			continue
		case !t.dialect.again(err) || try >= tries:
			return explain(err)
		}
		if err := (clock.Real{}).Sleep(ctx, firstPause<<(try-1)); err != nil {
			return err
		}
	}
}

// forget makes the next question read the secret again.
func (t *Table) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readAt = time.Time{}
}

func (t *Table) once(ctx context.Context, renewed bool, ask func(context.Context, *sql.DB, *statements) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
	defer cancel()
	db, err := t.connect(ctx, renewed)
	if err != nil {
		return err
	}
	s, err := t.learn(ctx, db)
	if err != nil {
		return err
	}
	return ask(ctx, db, s)
}

// explain makes a time-out of ours say so.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v: %w", patience, err)
	}
	return err
}

// connect returns the connections for the credentials of now.
func (t *Table) connect(ctx context.Context, renewed bool) (*sql.DB, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.settings.Now()
	if t.db != nil && now.Sub(t.readAt) < t.settings.SecretEvery && !now.Before(t.readAt) {
		return t.db, nil
	}
	next, err := t.settings.login(ctx)
	t.readAt, t.stale = now, nil
	if err != nil {
		if t.db == nil {
			return nil, err
		}
		t.stale = fmt.Errorf("%w; the last good credentials stay in use", err)
		if renewed {
			return nil, t.stale
		}
		return t.db, nil
	}
	if t.db != nil && next == t.login {
		return t.db, nil
	}
	db, err := t.dialect.open(t.settings, next)
	if err != nil {
		return nil, err
	}
	// One process asks one question at a time; a second connection serves a page that looks.
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(time.Minute) // before a firewall forgets it
	db.SetConnMaxLifetime(10 * time.Minute)
	t.drop() // of the old connections nobody waits for an answer that counts
	t.db, t.login = db, next
	return db, nil
}

// learn finds the table and its columns.
func (t *Table) learn(ctx context.Context, db *sql.DB) (*statements, error) {
	t.mu.Lock()
	s := t.prepared
	t.mu.Unlock()
	if s != nil {
		return s, nil
	}
	schema, table, _ := strings.Cut(t.settings.Table, ".")
	if table == "" {
		schema, table = "", schema
	}
	find, err := db.PrepareContext(ctx, t.dialect.find)
	if err != nil {
		return nil, err
	}
	defer func() { _ = find.Close() }()
	found, err := find.QueryContext(ctx, schema, table)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	byTable := map[[2]string][]string{}
	for found.Next() {
		var at [2]string
		var column string
		if err := found.Scan(&at[0], &at[1], &column); err != nil {
			return nil, err
		}
		byTable[at] = append(byTable[at], column)
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	if s, err = t.compose(byTable, table); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.db == db {
		t.prepared = s
	}
	return s, nil
}

// compose writes the statements for the table that was found.
func (t *Table) compose(byTable map[[2]string][]string, name string) (*statements, error) {
	var at [2]string
	exact := 0
	for candidate := range byTable {
		if candidate[1] == name || len(byTable) == 1 {
			at = candidate
			exact++
		}
	}
	switch {
	case len(byTable) == 0:
		return nil, fmt.Errorf("there is no table %s in the database, or the login may not see it; it is made with CREATE TABLE %s "+
			"(InstanceType varchar(255), AvailabilityZone varchar(255), Target_Capacity int NOT NULL, Current_Capacity int DEFAULT 0, PRIMARY KEY (InstanceType, AvailabilityZone))",
			t.settings.Table, t.settings.Table)
	case exact != 1:
		return nil, fmt.Errorf("%d tables could be meant by %s: write SCHEMA.TABLE as it is named in the database", len(byTable), t.settings.Table)
	}
	q := make([]string, len(columns))
	for i, column := range columns {
		has := slices.IndexFunc(byTable[at], func(have string) bool { return strings.EqualFold(have, column) })
		if has < 0 {
			return nil, fmt.Errorf("the table has no column %s, only %s", column, printable(strings.Join(byTable[at], ", ")))
		}
		q[i] = t.dialect.quote(byTable[at][has])
	}
	from, p := t.dialect.quote(at[0])+"."+t.dialect.quote(at[1]), t.dialect.place
	return &statements{
		rows: "SELECT " + strings.Join(q, ", ") + " FROM " + from + " LIMIT " + strconv.Itoa(mostRows+1),
		update: "UPDATE " + from + " SET " + q[3] + " = " + p(1) + " WHERE " + q[0] + " = " + p(2) + " AND " + q[1] + " = " + p(3) +
			" AND (" + q[3] + " IS NULL OR CAST(" + q[3] + " AS " + t.dialect.text + ") <> " + p(4) + ")",
	}, nil
}

// read asks for the rows and keeps what each of them says.
func read(ctx context.Context, db *sql.DB, s *statements) ([]Row, error) {
	statement, err := db.PrepareContext(ctx, s.rows)
	if err != nil {
		return nil, err
	}
	defer func() { _ = statement.Close() }()
	found, err := statement.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []Row
	for found.Next() {
		var typ, zone, target, current sql.NullString
		if err := found.Scan(&typ, &zone, &target, &current); err != nil {
			return nil, err
		}
		rows = append(rows, rowOf(typ, zone, target, current))
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	if len(rows) > mostRows {
		return nil, fmt.Errorf("it has more than %d rows: that is not a table of types and zones", mostRows)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Zone+"\x00"+a.Type, b.Zone+"\x00"+b.Type) })
	return rows, nil
}

var (
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-types.html, with room for types to come.
	typeForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}\.[a-z0-9-]{1,30}$`)
	// Availability, local and wavelength zones.
	zoneForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]{2,20}){1,3}-[0-9]{1,2}([a-z]|-[a-z0-9-]{3,30})$`)
)

// rowOf understands what a row says, or says what it does not.
func rowOf(typ, zone, target, current sql.NullString) Row {
	row := Row{Type: typ.String, Zone: zone.String, Known: current.Valid}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch {
	case !typ.Valid:
		fault("InstanceType is NULL")
	case !typeForm.MatchString(typ.String):
		fault("InstanceType %s is not an instance type such as r5b.2xlarge", printable(typ.String))
	}
	switch {
	case !zone.Valid:
		fault("AvailabilityZone is NULL")
	case !zoneForm.MatchString(zone.String):
		fault("AvailabilityZone %s is not a zone such as ap-northeast-1c", printable(zone.String))
	}
	number := func(column string, of sql.NullString) int {
		n, err := strconv.Atoi(of.String)
		switch {
		case err != nil:
			fault("%s %s is not a whole number", column, printable(of.String))
		case n < 0:
			fault("%s is %d: less than none can not be held", column, n)
		case n > mostTarget:
			fault("%s is %d: more than %d are not asked for", column, n, mostTarget)
		}
		return n
	}
	if target.Valid {
		row.Target = number("Target_Capacity", target)
	} else {
		fault("Target_Capacity is NULL")
	}
	if current.Valid { // it is written anew, so nothing that it says is a fault
		if n, err := strconv.Atoi(current.String); err == nil {
			row.Current = n
		} else {
			row.Known = false
		}
	}
	row.Err = errors.Join(faults...)
	return row
}

// judge marks rows that say something else of the same type and zone: a table without a primary key has them.
func judge(rows []Row) {
	for i := range rows {
		if i > 0 && rows[i].Type == rows[i-1].Type && rows[i].Zone == rows[i-1].Zone {
			twice := fmt.Errorf("%s in %s has more than one row", printable(rows[i].Type), printable(rows[i].Zone))
			rows[i].Err = errors.Join(rows[i].Err, twice)
			if i == 1 || rows[i-2].Type != rows[i].Type || rows[i-2].Zone != rows[i].Zone {
				rows[i-1].Err = errors.Join(rows[i-1].Err, twice)
			}
		}
	}
}

// printable quotes what somebody wrote into the table, for a log or a page.
func printable(text string) string {
	const most = 80
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}
