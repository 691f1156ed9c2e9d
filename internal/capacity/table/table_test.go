package table

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/capacity/table/tabletest"
)

func TestMain(m *testing.M) { os.Exit(tabletest.Run(m)) }

// server is a database under test.
type server struct{ *tabletest.Server }

func needServer(t *testing.T, driver string) *server {
	t.Helper()
	return &server{tabletest.Need(t, driver)}
}

// settings reach the server without TLS.
func (s *server) settings() Settings {
	return Settings{Driver: s.Driver, Host: "127.0.0.1", Port: s.Port, Database: tabletest.Database, User: tabletest.User, Password: tabletest.Password, TLS: TLSOff}
}

// onBoth runs a test on a MariaDB and a PostgreSQL, with an empty table of the README's form.
func onBoth(t *testing.T, body func(t *testing.T, s *server)) {
	for _, driver := range []string{MySQL, PostgreSQL} {
		t.Run(driver, func(t *testing.T) {
			s := needServer(t, driver)
			fresh(t, s)
			body(t, s)
		})
	}
}

func fresh(t *testing.T, s *server) {
	t.Helper()
	s.SQL(t, "DROP TABLE IF EXISTS odcr_capacity",
		"CREATE TABLE odcr_capacity (InstanceType varchar(255), AvailabilityZone varchar(255), PRIMARY KEY (InstanceType,AvailabilityZone), Target_Capacity int NOT NULL, Current_Capacity int DEFAULT 0)")
}

func mustOpen(t *testing.T, settings Settings) *Table {
	t.Helper()
	table, err := Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

func mustRead(t *testing.T, table *Table) []Row {
	t.Helper()
	rows, err := table.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// said describes rows in short.
func said(rows []Row) (out []string) {
	for _, r := range rows {
		text := fmt.Sprintf("%s %s %d/%d", r.Zone, r.Type, r.Current, r.Target)
		if !r.Known {
			text += " unknown"
		}
		if r.Err != nil {
			text = strings.ReplaceAll(r.Err.Error(), "\n", "; ")
		}
		out = append(out, text)
	}
	return out
}

func want(t *testing.T, table *Table, rows ...string) {
	t.Helper()
	if diff := cmp.Diff(rows, said(mustRead(t, table))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestTheStatementsOfTheREADMEAsTheyStand(t *testing.T) {
	s := needServer(t, MySQL)
	s.SQL(t, "DROP TABLE IF EXISTS odcr_db.odcr_capacity", "CREATE DATABASE IF NOT EXISTS odcr_db DEFAULT CHARACTER SET utf8", tabletest.Create, tabletest.Insert)
	table := mustOpen(t, s.settings())
	want(t, table, "ap-northeast-1c r5b.2xlarge 0/15")
	row := mustRead(t, table)[0]
	if err := table.SetCurrent(t.Context(), row, 15); err != nil {
		t.Fatal(err)
	}
	want(t, table, "ap-northeast-1c r5b.2xlarge 15/15")
	s.SQL(t, "INSERT INTO odcr_db.odcr_capacity VALUES ('r5b.2xlarge','ap-northeast-1a',5,0)", tabletest.Update)
	want(t, table, "ap-northeast-1a r5b.2xlarge 5/5", "ap-northeast-1c r5b.2xlarge 15/15")
}

func TestOnlyTheCurrentOfTheRowIsWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.SQL(t, "INSERT INTO odcr_capacity VALUES ('m5.large','us-east-1a',10,0),('m5.large','us-east-1b',20,3),('c5.large','us-east-1a',30,NULL)")
		table := mustOpen(t, s.settings())
		rows := mustRead(t, table)
		// A person writes a target between the reading and the writing.
		s.SQL(t, "UPDATE odcr_capacity SET Target_Capacity = 12 WHERE InstanceType = 'm5.large' AND AvailabilityZone = 'us-east-1a'")
		for i, held := range []int{7, 10} {
			if err := table.SetCurrent(t.Context(), rows[i], held); err != nil {
				t.Fatal(err)
			}
		}
		want(t, table, "us-east-1a c5.large 7/30", "us-east-1a m5.large 10/12", "us-east-1b m5.large 3/20")
		if err := table.SetCurrent(t.Context(), Row{Type: "x1.large", Zone: "us-east-1a"}, 5); err != nil {
			t.Errorf("a row that is gone: %v", err)
		}
		if err := table.SetCurrent(t.Context(), rows[0], -1); err == nil {
			t.Error("-1 was written")
		}
		want(t, table, "us-east-1a c5.large 7/30", "us-east-1a m5.large 10/12", "us-east-1b m5.large 3/20")
	})
}

// What is there already is not written: a trigger would see it.
func TestWhatIsThereAlreadyIsNotWritten(t *testing.T) {
	s := needServer(t, MySQL)
	fresh(t, s)
	s.SQL(t, "INSERT INTO odcr_capacity VALUES ('m5.large','us-east-1a',10,10)", "DROP TABLE IF EXISTS written", "CREATE TABLE written (n int)",
		"CREATE TRIGGER seen BEFORE UPDATE ON odcr_capacity FOR EACH ROW INSERT INTO written VALUES (NEW.Current_Capacity)")
	table := mustOpen(t, s.settings())
	row := mustRead(t, table)[0]
	for _, held := range []int{10, 10, 9, 9} {
		if err := table.SetCurrent(t.Context(), row, held); err != nil {
			t.Fatal(err)
		}
	}
	db, err := s.Open(tabletest.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n := 0
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM written").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d writings, want 1: %v", n, err)
	}
}

func TestABadRowHoldsBackNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.SQL(t, "DROP TABLE odcr_capacity", "CREATE TABLE odcr_capacity (Current_Capacity varchar(50), note varchar(300), AvailabilityZone varchar(300), Target_Capacity varchar(50), InstanceType varchar(300))",
			`INSERT INTO odcr_capacity (InstanceType, AvailabilityZone, Target_Capacity, Current_Capacity) VALUES
			('m5.large','us-east-1a','10','0'), ('m5.large','us-east-1b','-3','0'), ('m5.large','us-east-1c',NULL,'0'), ('m5.large','us-east-1d','many','none'),
			(NULL,'us-east-1a','1','0'), ('m5.large',NULL,'1','0'), ('m5.large','mars','1','0'), ('''; DROP TABLE odcr_capacity; --','us-east-1a','1','0'),
			('m5.large','us-east-1e','10001','0'), ('c5.large','us-east-1f','1','0'), ('c5.large','us-east-1f','2','0'), ('c5.large','us-east-1f','2','0'), ('m5.large','us-west-2-lax-1a','4','x')`)
		table := mustOpen(t, s.settings())
		want(t, table,
			"AvailabilityZone is NULL",
			`AvailabilityZone "mars" is not a zone such as ap-northeast-1c`,
			"InstanceType is NULL",
			`InstanceType "'; DROP TABLE odcr_capacity; --" is not an instance type such as r5b.2xlarge`,
			"us-east-1a m5.large 0/10",
			"Target_Capacity is -3: less than none can not be held",
			"Target_Capacity is NULL",
			`Target_Capacity "many" is not a whole number`,
			"Target_Capacity is 10001: more than 10000 are not asked for",
			`"c5.large" in "us-east-1f" has more than one row`,
			`"c5.large" in "us-east-1f" has more than one row`,
			`"c5.large" in "us-east-1f" has more than one row`,
			"us-west-2-lax-1a m5.large 0/4 unknown",
		)
		for _, row := range mustRead(t, table) { // hostile or not, it is data
			if row.Err == nil || row.Type != "" && row.Zone == "us-east-1a" {
				if err := table.SetCurrent(t.Context(), row, 2); err != nil {
					t.Errorf("%+v: %v", row, err)
				}
			}
		}
		if got := len(mustRead(t, table)); got != 13 {
			t.Errorf("%d rows are left of 13", got)
		}
	})
}

func TestATableThatCanNotBeReadSaysWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.SQL(t, "DROP TABLE IF EXISTS missing", "DROP TABLE IF EXISTS narrow", "CREATE TABLE narrow (InstanceType varchar(9), AvailabilityZone varchar(9), Target_Capacity int)")
		for name, tc := range map[string]struct {
			change func(*Settings)
			says   string
		}{
			"no table":          {func(s *Settings) { s.Table = "missing" }, "there is no table missing in the database"},
			"no schema":         {func(s *Settings) { s.Table = "nowhere.odcr_capacity" }, "there is no table nowhere.odcr_capacity"},
			"no column":         {func(s *Settings) { s.Table = "narrow" }, "the table has no column Current_Capacity, only "},
			"no database":       {func(s *Settings) { s.Database = "elsewhere" }, "elsewhere"},
			"another password":  {func(s *Settings) { s.Password = "wr0ng-canary" }, tabletest.User},
			"nobody listening":  {func(s *Settings) { s.Port = 1 }, "refused"},
			"no TLS authority":  {func(s *Settings) { s.TLS = TLSRequired }, "certificate"},
			"no such authority": {func(s *Settings) { s.TLS, s.CAFile = TLSRequired, "/nowhere/ca.pem" }, "/nowhere/ca.pem"},
		} {
			settings := s.settings()
			tc.change(&settings)
			_, err := mustOpen(t, settings).Rows(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "read the table") {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && (strings.Contains(err.Error(), tabletest.Password) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%s: the password is in %v", name, err)
			}
		}
	})
}

func TestTheConnectionIsEncryptedAndVerified(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.SQL(t, "INSERT INTO odcr_capacity VALUES ('m5.large','us-east-1a',10,0)")
		settings := s.settings()
		settings.TLS, settings.CAFile = "", s.CA
		want(t, mustOpen(t, settings), "us-east-1a m5.large 0/10")
		settings.Host = "localhost" // the certificate is for 127.0.0.1
		if _, err := mustOpen(t, settings).Rows(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a certificate of another host: %v", err)
		}
		empty := filepath.Join(t.TempDir(), "empty.pem")
		if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		settings.CAFile = empty
		if _, err := mustOpen(t, settings).Rows(t.Context()); err == nil || !strings.Contains(err.Error(), "holds none in PEM") {
			t.Errorf("no certificates in the file: %v", err)
		}
	})
}

// secret is one that can be changed and fail.
type secret struct {
	sync.Mutex
	text string
	err  error
	read int
}

func (s *secret) get(context.Context) (string, error) {
	s.Lock()
	defer s.Unlock()
	s.read++
	return s.text, s.err
}

func TestARotatedPasswordIsReadAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		makeUser := map[string][]string{
			MySQL:      {"DROP USER IF EXISTS rotated", "CREATE USER rotated IDENTIFIED BY 'one'", "GRANT ALL ON odcr_db.* TO rotated"},
			PostgreSQL: {"DROP OWNED BY CURRENT_USER", "DROP ROLE IF EXISTS rotated", "CREATE ROLE rotated LOGIN PASSWORD 'one'"},
		}[s.Driver]
		if s.Driver == PostgreSQL {
			makeUser = makeUser[1:]
		}
		s.SQL(t, makeUser...)
		if s.Driver == PostgreSQL {
			s.SQL(t, "GRANT ALL ON odcr_capacity TO rotated")
			t.Cleanup(func() { s.SQL(t, "DROP TABLE odcr_capacity", "DROP ROLE rotated") })
		}
		s.SQL(t, "INSERT INTO odcr_capacity VALUES ('m5.large','us-east-1a',10,0)")
		now := time.Now()
		kept := &secret{text: s.Secret("rotated", "one")}
		settings := Settings{Driver: s.Driver, TLS: TLSOff, Secret: kept.get, Now: func() time.Time { return now }}
		table := mustOpen(t, settings)
		want(t, table, "us-east-1a m5.large 0/10")
		want(t, table, "us-east-1a m5.large 0/10")
		if kept.read != 1 {
			t.Errorf("the secret was read %d times, want 1", kept.read)
		}

		// The password changes, and the connections break: the refused login makes it read again.
		s.SQL(t, map[string]string{MySQL: "ALTER USER rotated IDENTIFIED BY 'two'", PostgreSQL: "ALTER ROLE rotated PASSWORD 'two'"}[s.Driver])
		table.db.SetMaxIdleConns(0)
		kept.text = s.Secret("rotated", "two")
		want(t, table, "us-east-1a m5.large 0/10")
		if kept.read != 2 {
			t.Errorf("the secret was read %d times, want 2", kept.read)
		}

		// The secret can not be read: the last good credentials stay in use, and it is said.
		kept.err = errors.New("not authorized")
		now = now.Add(16 * time.Minute)
		want(t, table, "us-east-1a m5.large 0/10")
		if err := table.Stale(); err == nil || !strings.Contains(err.Error(), "not authorized; the last good credentials stay in use") {
			t.Errorf("stale: %v", err)
		}
		kept.err = nil
		now = now.Add(16 * time.Minute)
		want(t, table, "us-east-1a m5.large 0/10")
		if err := table.Stale(); err != nil {
			t.Errorf("stale still: %v", err)
		}

		// What the secret says is refused for good: an error, and no loop.
		before := kept.read
		kept.text = s.Secret("rotated", "three-canary")
		now = now.Add(16 * time.Minute)
		if _, err := table.Rows(t.Context()); err == nil || strings.Contains(err.Error(), "canary") || kept.read > before+2 {
			t.Errorf("after %d readings: %v", kept.read-before, err)
		}
	})
}

func TestADeadlockIsTriedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.SQL(t, "INSERT INTO odcr_capacity VALUES ('m5.large','us-east-1a',10,0)")
		settings := s.settings()
		settings.lockWait = time.Second
		table := mustOpen(t, settings)
		row := mustRead(t, table)[0]
		db, err := s.Open(tabletest.Database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE odcr_capacity SET Target_Capacity = 11"); err != nil {
			t.Fatal(err)
		}
		released := make(chan error, 1)
		go func() { // longer than a statement waits for a lock, so that one is refused
			time.Sleep(settings.lockWait + 500*time.Millisecond)
			released <- tx.Commit()
		}()
		if err := table.SetCurrent(t.Context(), row, 4); err != nil {
			t.Error(err)
		}
		if err := <-released; err != nil {
			t.Error(err)
		}
		want(t, table, "us-east-1a m5.large 4/11")
	})
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, driver := range []string{MySQL, PostgreSQL} {
		settings := Settings{Driver: driver, Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Database: "d", User: "u", Password: "p", TLS: TLSOff}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		_, err := mustOpen(t, settings).Rows(ctx)
		cancel()
		if took := time.Since(began); err == nil || took > 3*time.Second {
			t.Errorf("%s: %v after %v", driver, err, took)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	good := Settings{Host: "h", User: "u", Database: "d"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Settings)
		says   string
	}{
		"driver":     {func(s *Settings) { s.Driver = "oracle" }, "one of mysql, postgres"},
		"table":      {func(s *Settings) { s.Table = "odcr; DROP TABLE x" }, "letters, digits"},
		"two dots":   {func(s *Settings) { s.Table = "a.b.c" }, "letters, digits"},
		"tls":        {func(s *Settings) { s.TLS = "skip" }, "required or off"},
		"contrary":   {func(s *Settings) { s.TLS, s.CAFile = TLSOff, "ca.pem" }, "contradict"},
		"port":       {func(s *Settings) { s.Port = 70000 }, "1 to 65535"},
		"often":      {func(s *Settings) { s.SecretEvery = time.Second }, "once in a minute"},
		"no host":    {func(s *Settings) { s.Host = "" }, "needs a host"},
		"no user":    {func(s *Settings) { s.User = "" }, "needs a user"},
		"no databse": {func(s *Settings) { s.Database = "" }, "needs a database"},
	} {
		settings := good
		tc.change(&settings)
		if _, err := Open(settings); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsInTheFormOfSecretsManager(t *testing.T) {
	for name, tc := range map[string]struct {
		secret string
		want   login
		says   string
	}{
		"of the README":          {`{"username":"admin","password":"x y","host":"db.example","port":3306,"dbname":"odcr_db"}`, login{"db.example", 3306, "odcr_db", "admin", "x y"}, ""},
		"the port as a text":     {`{"username":"a","password":"p","host":"h","port":"3307","dbname":"d"}`, login{"h", 3307, "d", "a", "p"}, ""},
		"made by RDS":            {`{"username":"a","password":"p"}`, login{"given", 3306, "given_db", "a", "p"}, ""},
		"with engine and more":   {`{"engine":"aurora-mysql","username":"a","password":"p","host":"h","dbClusterIdentifier":"c"}`, login{"h", 3306, "given_db", "a", "p"}, ""},
		"of another engine":      {`{"engine":"postgres","username":"a","password":"canary","host":"h"}`, login{}, `for the engine "postgres", not for mysql`},
		"no JSON":                {`canary`, login{}, "is not JSON"},
		"a list":                 {`["canary"]`, login{}, "is not JSON"},
		"a number as a password": {`{"username":"a","password":17}`, login{}, "is not JSON"},
		"no user":                {`{"password":"canary"}`, login{}, "no username"},
		"a port that is none":    {`{"username":"a","password":"canary","port":"canary"}`, login{}, "a port that is not a number"},
		"a fraction of a port":   {`{"username":"a","password":"canary","port":3306.5}`, login{}, "a port that is not a number"},
	} {
		kept := secret{text: tc.secret}
		settings := Settings{Host: "given", Database: "given_db", Secret: kept.get}.withDefaults()
		got, err := settings.login(t.Context())
		switch {
		case tc.says == "" && (err != nil || got != tc.want):
			t.Errorf("%s: %+v, %v", name, got, err)
		case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v", name, err)
		}
	}
}
