package table

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// dialect is what differs between the databases.
type dialect struct {
	port int
	open func(Settings, login) (*sql.DB, error)
	// find lists schema, table and column of the tables with a schema (empty: the
	// login's own) and a name, whatever its case.
	find  string
	quote func(name string) string
	place func(n int) string // of the nth value
	text  string             // the type of texts, to compare as
	// refused: the login is; again: nothing was done, and it may pass next time.
	refused, again func(error) bool
}

var dialects = map[string]dialect{
	MySQL: {
		port: 3306, open: openMySQL,
		find: "SELECT table_schema, table_name, column_name FROM information_schema.columns " +
			"WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND LOWER(table_name) = LOWER(?) ORDER BY table_name, ordinal_position",
		quote: func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" },
		place: func(int) string { return "?" },
		text:  "CHAR",
		refused: func(err error) bool {
			var e *mysql.MySQLError
			return errors.As(err, &e) && slices.Contains([]uint16{1045, 1698}, e.Number) // ER_ACCESS_DENIED_ERROR, …_NO_PASSWORD_ERROR
		},
		again: func(err error) bool {
			var e *mysql.MySQLError
			return errors.As(err, &e) && slices.Contains([]uint16{1205, 1213}, e.Number) || lost(err) // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK
		},
	},
	PostgreSQL: {
		port: 5432, open: openPostgreSQL,
		find: "SELECT table_schema, table_name, column_name FROM information_schema.columns " +
			"WHERE (table_schema = $1 OR $1 = '' AND table_schema = ANY (current_schemas(false))) AND lower(table_name) = lower($2) ORDER BY table_name, ordinal_position",
		quote: func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` },
		place: func(n int) string { return "$" + strconv.Itoa(n) },
		text:  "text",
		refused: func(err error) bool {
			var e *pgconn.PgError
			return errors.As(err, &e) && strings.HasPrefix(e.Code, "28") // invalid authorization specification
		},
		again: func(err error) bool {
			var e *pgconn.PgError
			// serialization_failure, deadlock_detected, lock_not_available
			return errors.As(err, &e) && slices.Contains([]string{"40001", "40P01", "55P03"}, e.Code) || lost(err)
		},
	},
}

// lost reports that a connection broke. Everything asked here may be asked again.
func lost(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.ErrUnexpectedEOF)
}

func openMySQL(s Settings, l login) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = l.user, l.password, "tcp", l.address(), l.database
	config.Timeout, config.ReadTimeout, config.WriteTimeout = patience/3, patience, patience
	config.Params = map[string]string{"innodb_lock_wait_timeout": strconv.Itoa(int(s.lockWait / time.Second))}
	config.Logger = &mysql.NopLogger{} // what it says is in the errors too
	var err error
	if config.TLS, err = s.tls(l.host); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("connect to MySQL: %w", err)
	}
	return sql.OpenDB(connector), nil
}

func openPostgreSQL(s Settings, l login) (*sql.DB, error) {
	// Named one by one: what is left out of a connection string comes from the environment.
	config, err := pgx.ParseConfig("sslmode=disable connect_timeout=" + strconv.Itoa(int(patience/time.Second)/3))
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	config.Host, config.Port, config.Database, config.User, config.Password = l.host, uint16(l.port), l.database, l.user, l.password
	config.Fallbacks = nil
	config.RuntimeParams = map[string]string{
		"application_name": "dayshift", "lock_timeout": strconv.FormatInt(s.lockWait.Milliseconds(), 10), "statement_timeout": strconv.FormatInt(patience.Milliseconds(), 10),
	}
	if config.TLSConfig, err = s.tls(l.host); err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}
