// Package tabletest starts real databases for tests: a MariaDB and a PostgreSQL,
// each once in a test program, on temporary folders and loopback, with TLS by a
// certificate of its own, as the user that Debian made for them where the tests
// run as root, which they refuse. Run has to be called by TestMain: it ends them.
package tabletest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// The statements of the system that the table comes from, as its README has them, but for the placeholder of the database.
const (
	Create = `CREATE Table IF NOT EXISTS odcr_db.odcr_capacity  
(InstanceType varchar(255),  
AvailabilityZone varchar(255),PRIMARY KEY (InstanceType,AvailabilityZone),  
Target_Capacity int NOT NULL,  
Current_Capacity int DEFAULT 0)`
	Insert = `INSERT INTO odcr_db.odcr_capacity VALUES ('r5b.2xlarge','ap-northeast-1c',15,0)`
	Update = `update odcr_db.odcr_capacity set Current_Capacity=5 where InstanceType='r5b.2xlarge' and AvailabilityZone='ap-northeast-1a'`
)

// The drivers.
const (
	MySQL      = "mysql"
	PostgreSQL = "postgres"
)

// Server is a database under test.
type Server struct {
	Driver string
	Port   int
	CA     string // the file with its certificate
	stop   func()
	folder string
}

// The login of an administrator, with a password that needs quoting everywhere, and the database.
const (
	User     = "odcr"
	Password = `p"a's\s %w@:/?#`
	Database = "odcr_db"
)

var servers = struct {
	sync.Mutex
	running map[string]*Server
	failed  map[string]string
}{running: map[string]*Server{}, failed: map[string]string{}}

// Run runs the tests and ends what they started.
func Run(m *testing.M) (code int) {
	code = m.Run()
	servers.Lock()
	defer servers.Unlock()
	for _, s := range servers.running {
		s.stop()
		_ = os.RemoveAll(s.folder)
	}
	return code
}

// Need gives the server of a driver; without one the test is skipped, in CI it fails.
func Need(t *testing.T, driver string) *Server {
	t.Helper()
	servers.Lock()
	defer servers.Unlock()
	if s := servers.running[driver]; s != nil {
		return s
	}
	if servers.failed[driver] == "" {
		s, err := start(driver)
		if err == nil {
			servers.running[driver] = s
			return s
		}
		servers.failed[driver] = err.Error()
	}
	if os.Getenv("DAYSHIFT_CI") != "" {
		t.Fatalf("no %s: %s", driver, servers.failed[driver])
	}
	t.Skipf("no %s on this machine: %s", driver, servers.failed[driver])
	return nil
}

func start(driver string) (*Server, error) {
	folder, err := os.MkdirTemp("", "dayshift-"+driver)
	if err != nil {
		return nil, err
	}
	s := &Server{Driver: driver, folder: folder, CA: filepath.Join(folder, "ca.pem")}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	if err := certify(folder); err != nil {
		return nil, err
	}
	run := s.startMariaDB
	if driver == PostgreSQL {
		run = s.startPostgreSQL
	}
	if err := run(); err != nil {
		if s.stop != nil {
			s.stop()
		}
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return s, nil
}

// certify writes a certificate for 127.0.0.1, which is its own authority.
func certify(folder string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// as lets a command run as a user of the system; whoever is not root stays as he is.
func as(cmd *exec.Cmd, name, folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
}

func run(name, folder string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = folder
	if err := as(cmd, name, folder); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, out[max(0, len(out)-500):])
	}
	return nil
}

// background starts a server, which stop ends.
func (s *Server) background(name string, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.folder
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := as(cmd, name, s.folder); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	}
	for range 300 {
		select {
		case <-done:
			return fmt.Errorf("%s ended: %s", args[0], said.Bytes())
		case <-time.After(100 * time.Millisecond):
		}
		conn, err := net.DialTimeout("tcp", s.address(), time.Second)
		if err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("%s does not answer: %s", args[0], said.Bytes())
}

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s *Server) startMariaDB() error {
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	data := filepath.Join(s.folder, "data")
	if err := run("mysql", s.folder, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	init := filepath.Join(s.folder, "init.sql")
	password := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(Password)
	text := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s DEFAULT CHARACTER SET utf8;\nCREATE USER '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%s'@'%%' WITH GRANT OPTION;\n",
		Database, User, password, User)
	if err := os.WriteFile(init, []byte(text), 0o600); err != nil {
		return err
	}
	return s.background("mysql", "mariadbd", "--no-defaults", "--datadir="+data, "--socket="+filepath.Join(s.folder, "s"), "--bind-address=127.0.0.1", "--port="+strconv.Itoa(s.Port),
		"--init-file="+init, "--ssl-cert="+s.CA, "--ssl-key="+filepath.Join(s.folder, "key.pem"), "--skip-name-resolve", "--innodb-buffer-pool-size=16M")
}

func (s *Server) startPostgreSQL() error {
	bin := func(program string) string {
		if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
		return program
	}
	if _, err := exec.LookPath(bin("postgres")); err != nil {
		return err
	}
	data, password := filepath.Join(s.folder, "data"), filepath.Join(s.folder, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		return err
	}
	if err := run("postgres", s.folder, bin("initdb"), "--no-sync", "--username="+User, "--pwfile="+password, "--auth=scram-sha-256", "--pgdata="+data); err != nil {
		return err
	}
	err := s.background("postgres", bin("postgres"), "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-k", s.folder,
		"-c", "ssl=on", "-c", "ssl_cert_file="+s.CA, "-c", "ssl_key_file="+filepath.Join(s.folder, "key.pem"), "-c", "fsync=off")
	if err != nil {
		return err
	}
	var last error
	for range 100 {
		if last = s.admin("postgres", "CREATE DATABASE "+Database); last == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return last
}

// Open connects as the administrator, to one of its databases.
func (s *Server) Open(database string) (*sql.DB, error) {
	if s.Driver == PostgreSQL {
		config, err := pgx.ParseConfig("sslmode=disable connect_timeout=5")
		if err != nil {
			return nil, err
		}
		config.Host, config.Port, config.Database, config.User, config.Password, config.Fallbacks = "127.0.0.1", uint16(s.Port), database, User, Password, nil
		return stdlib.OpenDB(*config), nil
	}
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName, config.Timeout = User, Password, "tcp", s.address(), database, 5*time.Second
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s *Server) admin(database string, statements ...string) error {
	db, err := s.Open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// SQL makes statements as the administrator.
func (s *Server) SQL(t *testing.T, statements ...string) {
	t.Helper()
	var err error
	for range 50 {
		// The init file of a fresh server may still be under way.
		if err = s.admin(Database, statements...); err == nil || !strings.Contains(err.Error(), "1045") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Secret is a login in the form in which Secrets Manager keeps those of databases.
func (s *Server) Secret(user, password string) string {
	return fmt.Sprintf(`{"username":%q,"password":%q,"host":"127.0.0.1","port":%d,"dbname":%q}`, user, password, s.Port, Database)
}
