package table

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/clock"
)

// Settings say where the table is and how to get to it.
type Settings struct {
	// Driver is MySQL (MariaDB and Aurora too) or PostgreSQL; default MySQL.
	Driver string
	// Host, Port, Database, User and Password, for what Secret does not say. The
	// port's default is the driver's.
	Host     string
	Port     int
	Database string
	User     string
	Password string
	// Secret reads the credentials, as JSON with username, password, host, port and
	// dbname, which is what Secrets Manager keeps for a database; nil: as given above.
	Secret func(ctx context.Context) (string, error)
	// SecretEvery is how often the secret is read again; default 15 minutes.
	SecretEvery time.Duration
	// Table is its name, or SCHEMA.TABLE; default odcr_capacity in the database of the login.
	Table string
	// TLS is TLSRequired (default) or TLSOff.
	TLS string
	// CAFile holds the certificates, in PEM, that the server's has to come from;
	// empty: those that the system trusts. Those of RDS are not among them.
	CAFile string
	// Now is the clock; nil means the wall's.
	Now func() time.Time

	lockWait time.Duration // 0: lockPatience
}

// Drivers, and what TLS can be.
const (
	MySQL      = "mysql"
	PostgreSQL = "postgres"

	TLSRequired = "required"
	TLSOff      = "off"
)

// DefaultTable is the name that the table has in the system that it comes from.
const DefaultTable = "odcr_capacity"

// tableForm is a name that needs no quotes, with its schema or without.
var tableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?$`)

func (s Settings) withDefaults() Settings {
	s.Driver = cmp.Or(s.Driver, MySQL)
	s.Table = cmp.Or(s.Table, DefaultTable)
	s.TLS = cmp.Or(s.TLS, TLSRequired)
	s.SecretEvery = cmp.Or(s.SecretEvery, 15*time.Minute)
	s.lockWait = cmp.Or(s.lockWait, lockPatience)
	if s.Now == nil {
		s.Now = clock.Real{}.Now
	}
	return s
}

// Validate reports every fault of the settings, or nil. It reads no file and asks nobody.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, known := dialects[s.Driver]; !known {
		fault("driver %q: one of %s", s.Driver, strings.Join(slices.Sorted(maps.Keys(dialects)), ", "))
	}
	if !tableForm.MatchString(s.Table) {
		fault("table %q: a name such as %s or sales.%s, of letters, digits, _ and $", s.Table, DefaultTable, DefaultTable)
	}
	if s.TLS != TLSRequired && s.TLS != TLSOff {
		fault("tls %q: %s or %s", s.TLS, TLSRequired, TLSOff)
	}
	if s.TLS == TLSOff && s.CAFile != "" {
		fault("tls %s and a file of certificates contradict each other", TLSOff)
	}
	if s.Port < 0 || s.Port > 65535 {
		fault("port %d: 1 to 65535", s.Port)
	}
	if s.SecretEvery < time.Minute {
		fault("a secret that is read every %v: once in a minute at most", s.SecretEvery)
	}
	if s.Secret == nil {
		for _, given := range []struct{ name, value string }{{"host", s.Host}, {"user", s.User}, {"database", s.Database}} {
			if given.value == "" {
				fault("without a secret it needs a %s", given.name)
			}
		}
	}
	return errors.Join(faults...)
}

// login is where to connect and as whom.
type login struct {
	host     string
	port     int
	database string
	user     string
	password string
}

func (l login) address() string { return l.host + ":" + strconv.Itoa(l.port) }

// engines are the names that Secrets Manager has for those of a driver.
var engines = map[string][]string{
	MySQL:      {"mysql", "mariadb", "aurora", "aurora-mysql"},
	PostgreSQL: {"postgres", "postgresql", "aurora-postgresql"},
}

// login reads where to connect. Its errors quote nothing of the secret but names.
func (s Settings) login(ctx context.Context) (login, error) {
	l := login{s.Host, cmp.Or(s.Port, dialects[s.Driver].port), s.Database, s.User, s.Password}
	if s.Secret == nil {
		return l, nil
	}
	text, err := s.Secret(ctx)
	if err != nil {
		return l, fmt.Errorf("read the secret of the database: %w", err)
	}
	var fields struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Host     string `json:"host"`
		Port     any    `json:"port"`
		DBName   string `json:"dbname"`
		Engine   string `json:"engine"`
	}
	if json.Unmarshal([]byte(text), &fields) != nil { // its error quotes what it read
		return l, errors.New("the secret of the database is not JSON with username, password, host, port and dbname as texts, and port as a number or a text")
	}
	if port := fmt.Sprint(fields.Port); fields.Port != nil && port != "" {
		n, err := strconv.ParseFloat(port, 64) // a number of JSON
		if err != nil || n < 1 || n > 65535 || n != float64(int(n)) {
			return l, errors.New("the secret of the database has a port that is not a number from 1 to 65535")
		}
		l.port = int(n)
	}
	if fields.Engine != "" && !slices.Contains(engines[s.Driver], fields.Engine) {
		return l, fmt.Errorf("the secret of the database is one for the engine %s, not for %s", printable(fields.Engine), s.Driver)
	}
	l.host, l.database = cmp.Or(fields.Host, l.host), cmp.Or(fields.DBName, l.database)
	l.user, l.password = cmp.Or(fields.Username, l.user), cmp.Or(fields.Password, l.password)
	for _, needed := range []struct{ name, value string }{{"username", l.user}, {"host", l.host}, {"dbname", l.database}} {
		if needed.value == "" {
			return l, fmt.Errorf("the secret of the database has no %s, and the settings have none either", needed.name)
		}
	}
	return l, nil
}

// tls is how the connection to a host is encrypted; nil: it is not.
func (s Settings) tls(host string) (*tls.Config, error) {
	if s.TLS == TLSOff {
		return nil, nil
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of the database: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the certificates of the database: %s holds none in PEM", s.CAFile)
	}
	return config, nil
}
