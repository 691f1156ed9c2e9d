package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// served is a daemon that serves at an address of this machine.
type served struct {
	*Daemon
	t    *testing.T
	sim  *awssim.Cloud
	addr string
	key  string
	stop func()
}

func serveHouse(t *testing.T, h *house, change ...func(*Daemon)) *served {
	t.Helper()
	s := &served{t: t, sim: h.sim}
	listening := make(chan string, 1)
	s.Daemon = &Daemon{App: h.open(h.store), Listening: func(addr string) { listening <- addr }, FirstKey: func(secret string) { s.key = secret }}
	for _, c := range change {
		c(s.Daemon)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, "127.0.0.1:0") }()
	s.stop = func() {
		cancel()
		if ended == nil {
			return
		}
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		ended = nil
	}
	t.Cleanup(s.stop)
	select {
	case s.addr = <-listening:
	case err := <-ended:
		ended = nil
		t.Fatalf("serve: %v", err)
	}
	return s
}

// soon waits for what has to come true within seconds.
func (s *served) soon(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// ask makes a request with the first key and decodes the answer.
func (s *served) ask(method, path, body string, into any) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatalf("%s %s: %d %s: %v", method, path, response.StatusCode, text, err)
		}
	}
	return response.StatusCode
}

func officeHouse(t *testing.T) *house {
	t.Helper()
	return newHouse(t, strings.Replace(officeConfig, "memory", `"memory:"`, 1),
		ec2("web-#", "stopped", "seoul-office", "Env", "dev"), ec2("api", "running", "seoul-office", "Env", "prod"), rds("db", "available", "seoul-office"))
}

func TestThePageAsksAWSForNothing(t *testing.T) {
	s := serveHouse(t, officeHouse(t))
	s.soon("the first pass", func() bool { return !s.LastPass().IsZero() })
	if s.Board().Warm() {
		t.Error("the board is warm before anybody asked")
	}
	var page service.FleetPage
	s.soon("the first look", func() bool {
		s.ask("GET", "/api/v1/resources", "", &page)
		return !page.Looking
	})
	if page.Total != 3 {
		t.Fatalf("%d resources: %+v", page.Total, page.Items)
	}
	calls := s.sim.Stats().Calls
	var overview service.Overview
	if code := s.ask("GET", "/api/v1/overview", "", &overview); code != 200 || overview.Total != 3 {
		t.Errorf("overview: %d %+v", code, overview)
	}
	var why []service.Explanation
	list, err := s.Service().Explain(t.Context(), "api", time.Time{})
	if why = list; err != nil || len(why) != 1 || why[0].Seen.IsZero() || len(why[0].Chain) == 0 {
		t.Fatalf("explain: %+v, %v", why, err)
	}
	answer, err := s.Service().SetOverride(t.Context(), service.OverrideRequest{Target: "tag:Env=dev", State: calendar.Running, End: service.End{For: time.Hour}, Author: "kim", DryRun: true})
	if err != nil || answer.Matches != 1 || answer.Effect.Seen.IsZero() {
		t.Fatalf("override: %+v, %v", answer, err)
	}
	check, err := s.Service().CheckSchedule(t.Context(), service.ScheduleDraft{Name: "late", Schedule: json.RawMessage(`{"periods":["office"]}`)})
	if err != nil || !check.Valid || check.Effect == nil {
		t.Fatalf("check: %+v, %v", check, err)
	}
	if after := s.sim.Stats().Calls; after != calls {
		t.Errorf("%d calls to AWS", after-calls)
	}
	// Whoever asks for what there is not has it looked for, and not each time.
	looks := func() int64 {
		before := s.sim.Stats().Calls
		var missing *service.NotFoundError
		if _, err := s.Service().Explain(t.Context(), "nobody", time.Time{}); !errors.As(err, &missing) {
			t.Fatalf("explain nobody: %v", err)
		}
		return s.sim.Stats().Calls - before
	}
	s.page.looked.Store(wall.Now().Add(-time.Hour).UnixNano())
	if first, second := looks(), looks(); first == 0 || second != 0 {
		t.Errorf("%d calls at the first question, %d at the second", first, second)
	}
}

func TestWhatIsChangedOverHTTPCountsAtOnce(t *testing.T) {
	s := serveHouse(t, officeHouse(t))
	s.soon("the first pass", func() bool { return !s.LastPass().IsZero() })
	time.Sleep(tailPoll + 100*time.Millisecond) // it is known where the record ends
	follower := s.Events().Subscribe("")
	defer follower.Close()
	if _, err := s.Service().SaveObject(t.Context(), service.ObjectChange{Kind: store.PeriodObject, Name: "late", Spec: json.RawMessage(`{"begintime":"12:00"}`), Author: "kim"}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.Changed()
	list, err := s.Service().Objects(store.PeriodObject)
	if err != nil || !slices.ContainsFunc(list, func(o service.Object) bool { return o.Name == "late" }) {
		t.Errorf("it is not in force when Changed returns: %v, %v", list, err)
	}
	if took := time.Since(began); took > reloadPoll/2 {
		t.Errorf("it took %s", took)
	}
	var types []string
	limited, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !slices.Contains(types, service.EventActivity) || !slices.Contains(types, service.EventConfig) {
		events, missed, err := follower.Next(limited)
		if err != nil || missed {
			t.Fatalf("events %v, then %v", types, err)
		}
		for _, e := range events {
			types = append(types, e.Type)
		}
	}
}

func TestAPassOnDemand(t *testing.T) {
	h := officeHouse(t)
	s := serveHouse(t, h)
	s.soon("the first pass", func() bool { return !s.LastPass().IsZero() })
	id, err := s.RunNow(t.Context(), []fleet.Scope{{Account: "111122223333", Region: "ap-northeast-2"}}, "kim")
	if err != nil {
		t.Fatal(err)
	}
	s.soon("the run is over", func() bool {
		run, err := h.store.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return !run.Finished.IsZero()
	})
	run, err := h.store.Run(t.Context(), id)
	if err != nil || run.Counts.Resources != 3 || run.Counts.Scopes != 1 {
		t.Errorf("%+v, %v", run, err)
	}
	standby := serveHouse(t, h)
	if _, err := standby.RunNow(t.Context(), nil, "kim"); !errors.Is(err, store.ErrHeld) || !strings.Contains(err.Error(), "stands by") {
		t.Errorf("a process that stands by: %v", err)
	}
	// It can be asked all the same.
	page, err := standby.Board().List(service.FleetQuery{})
	if err != nil {
		t.Fatal(err)
	}
	standby.soon("what stands by has looked", func() bool {
		page, err = standby.Board().List(service.FleetQuery{})
		return err == nil && page.Total == 3 && !page.Looking
	})
}

func TestDoctorIsAskedOnceAMinute(t *testing.T) {
	s := serveHouse(t, officeHouse(t))
	s.soon("the first pass", func() bool { return !s.LastPass().IsZero() })
	first, err := s.Doctor(t.Context())
	if err != nil || len(first) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	calls := s.sim.Stats().Calls
	if again, err := s.Doctor(t.Context()); err != nil || len(again) != 2 || s.sim.Stats().Calls != calls {
		t.Errorf("asked again: %d scopes, %v, %d calls", len(again), err, s.sim.Stats().Calls-calls)
	}
}

func TestTheFirstKeyIsToldOnce(t *testing.T) {
	h := officeHouse(t)
	s := serveHouse(t, h)
	var me struct{ Role string }
	if s.key == "" || s.ask("GET", "/api/v1/me", "", &me) != 200 || me.Role != "admin" {
		t.Fatalf("key %q is a %q", s.key, me.Role)
	}
	s.stop()
	if again := serveHouse(t, h); again.key != "" {
		t.Error("the second start told a key as well")
	}
}

func TestWhoReadsWithoutAKey(t *testing.T) {
	h := officeHouse(t)
	s := serveHouse(t, h)
	s.key = ""
	if code := s.ask("GET", "/api/v1/overview", "", nil); code != 401 {
		t.Errorf("without a key: %d", code)
	}
	h.write(strings.Replace(officeConfig, "memory", `"memory:"`, 1) + "auth: {anonymous: read}\n")
	s.soon("the reload", func() bool { return s.ask("GET", "/api/v1/overview", "", nil) == 200 })
	if code := s.ask("POST", "/api/v1/runs", "{}", nil); code != 401 && code != 403 {
		t.Errorf("a pass without a key: %d", code)
	}
}

func TestMetricsAndProfilesAreApart(t *testing.T) {
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inside := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	h := officeHouse(t)
	h.write(strings.Replace(officeConfig, "memory", `"memory:"`, 1) + "metrics_listen: " + inside + "\npprof: true\n")
	s := serveHouse(t, h)
	for path, public := range map[string]bool{"/metrics": false, "/debug/pprof/": false, "/healthz": true} {
		if s.shows(s.addr, path) != public {
			t.Errorf("%s on the public address: shown %t", path, !public)
		}
		if !s.shows(inside, path) {
			t.Errorf("%s is not shown inside", path)
		}
	}
}

// shows reports whether machines get what they look for at a path, and not a page for people.
func (s *served) shows(addr, path string) bool {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	word := map[string]string{"/metrics": "dayshift_leader", "/debug/pprof/": "goroutine", "/healthz": `"ok":true`}[path]
	return response.StatusCode == http.StatusOK && strings.Contains(string(text), word)
}

// certify writes a certificate for this machine with a serial number.
func certify(t *testing.T, folder string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	of := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "dayshift"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestARenewedCertificateNeedsNoRestart(t *testing.T) {
	h := officeHouse(t)
	folder := filepath.Dir(h.file)
	certify(t, folder, 1)
	h.write(strings.Replace(officeConfig, "memory", `"memory:"`, 1) + "tls: {cert: tls.crt, key: tls.key}\n")
	s := serveHouse(t, h)
	serial := func() int64 {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // which certificate it is, is what is asked
		conn, err := dialer.DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("certificate %d", got)
	}
	certify(t, folder, 2)
	s.soon("the renewed certificate", func() bool { return serial() == 2 })
	if err := os.WriteFile(filepath.Join(folder, "tls.key"), []byte("half of a"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(certificatePoll + 100*time.Millisecond)
	if got := serial(); got != 2 {
		t.Errorf("with a key that can not be used: certificate %d", got)
	}
	s.stop()
	// At the start it is a fault.
	d := &Daemon{App: h.open(h.store)}
	if err := d.Serve(t.Context(), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "tls.key") {
		t.Errorf("started with a key that can not be used: %v", err)
	}
}

// Nothing older than TLS 1.2 is spoken, and no certificate is believed unseen.
func TestFault6_47_TLS(t *testing.T) {
	h := officeHouse(t)
	certify(t, filepath.Dir(h.file), 1)
	h.write(strings.Replace(officeConfig, "memory", `"memory:"`, 1) + "tls: {cert: tls.crt, key: tls.key}\n")
	s := serveHouse(t, h)
	for version, welcome := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}) // whose it is does not matter
		if (err == nil) != welcome {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
	if conn, err := tls.Dial("tcp", s.addr, &tls.Config{MinVersion: tls.VersionTLS12}); err == nil {
		_ = conn.Close()
		t.Error("a certificate that nobody vouches for is believed")
	}
	// No client of the program may ever be made blind to whom it speaks with.
	for _, folder := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "InsecureSkipVerify") {
				t.Errorf("%s switches the check of certificates off", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Streams that are opened and reset as fast as a connection carries them leave
// nothing behind, and others are answered meanwhile.
func TestFault6_48_RapidReset(t *testing.T) {
	h := officeHouse(t)
	authority := certify(t, filepath.Dir(h.file), 1)
	h.write(strings.Replace(officeConfig, "memory", `"memory:"`, 1) + "tls: {cert: tls.crt, key: tls.key}\n")
	s := serveHouse(t, h)
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		t.Fatal("HTTP/2 is not spoken, so there is nothing to reset: take this test out")
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }() // what is answered until it hangs up
	before := runtime.NumGoroutine()

	frame := func(kind, flags byte, stream uint32, payload []byte) []byte {
		head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
		return append(binary.BigEndian.AppendUint32(head, stream), payload...)
	}
	const headers, reset, settings, endOfBoth = 1, 3, 4, 0x5
	path := "/api/v1/events"
	fields := append([]byte{0x82, 0x87, 0x04, byte(len(path))}, path...) // GET, https, :path as a literal
	fields = append(append(fields, 0x01, byte(len(s.addr))), s.addr...)  // :authority
	flood := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, 0, 0, nil)...)
	for stream := uint32(1); stream < 40_000; stream += 2 {
		flood = append(flood, frame(headers, endOfBoth, stream, fields)...)
		flood = append(flood, frame(reset, 0, stream, []byte{0, 0, 0, 8})...)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(flood); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server neither reads nor hangs up")
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}, Timeout: time.Minute}
	response, err := client.Get("https://" + s.addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Errorf("others get %s", response.Status)
	}
	_ = conn.Close()
	s.soon("the streams are gone", func() bool { return runtime.NumGoroutine() < before+50 })
}

const companyLogin = `
auth:
  oidc:
    name: Company
    issuer: https://login.example.com
    client_id: dayshift
    redirect_url: http://localhost:8080/api/v1/session/oidc/callback
    groups: [{group: platform, role: admin}]
`

// How people sign in changes with the configuration, without a restart, and nobody
// keeps a role that the groups do not give any more.
func TestSigningInFollowsTheConfiguration(t *testing.T) {
	h := newHouse(t, officeConfig+companyLogin)
	s := serveHouse(t, h)
	type me struct {
		ID       string   `json:"id"`
		SignIn   []string `json:"sign_in"`
		OIDCName string   `json:"oidc_name"`
	}
	asked := func() (m me) {
		s.ask(http.MethodGet, "/api/v1/me", "", &m)
		return m
	}
	write := func(text string) {
		t.Helper()
		h.write(text)
		s.reload(t.Context(), true)
		if health := s.health(); health.Detail != "" {
			t.Fatalf("the configuration is not taken: %+v", health)
		}
	}
	person := access.Principal{ID: "user:kim@example.com", Name: "Kim", Role: access.Admin}
	signIn := func() string {
		t.Helper()
		person.Proof = s.rules()
		token, _, err := s.page.gate.SignIn(t.Context(), person, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	lives := func(token string) bool {
		_, _, err := s.page.gate.Session(t.Context(), token, "192.0.2.1", time.Now())
		return err == nil
	}
	if m := asked(); m.OIDCName != "Company" {
		t.Errorf("%+v", m)
	}
	first := signIn()
	before := s.provider()
	write(strings.ReplaceAll(officeConfig+companyLogin, "09:00", "09:30"))
	if !lives(first) || s.provider() != before {
		t.Error("a change of something else ends sign-ins")
	}
	write(strings.ReplaceAll(officeConfig+companyLogin, "name: Company", "name: House"))
	if m := asked(); m.OIDCName != "House" || !lives(first) {
		t.Errorf("another name: %+v, the session goes on: %t", m, lives(first))
	}
	write(officeConfig + strings.Replace(companyLogin, "role: admin", "role: viewer", 1))
	if lives(first) {
		t.Error("a role that the group does not give any more is kept")
	}
	if err := s.page.gate.RecheckSession(t.Context(), first, person, access.Manage); err == nil {
		t.Error("it passes where it is looked at again")
	}
	if _, _, err := s.page.gate.SignIn(t.Context(), person, time.Now()); err == nil {
		t.Error("who was let in by the rules before begins a session")
	}
	second := signIn()
	if list, err := s.page.gate.Sessions(t.Context(), access.Local("kim")); err != nil || len(list) != 1 || !lives(second) {
		t.Errorf("%+v, %v", list, err)
	}
	write(officeConfig)
	if m := asked(); m.OIDCName != "" || slices.Contains(m.SignIn, "oidc") || lives(second) {
		t.Errorf("dropped: %+v, the session goes on: %t", m, lives(second))
	}
	if code := s.ask(http.MethodGet, "/api/v1/session/oidc", "", nil); code != http.StatusNotFound {
		t.Errorf("dropped, and yet it answers %d", code)
	}
	write(officeConfig + companyLogin)
	if m := asked(); m.OIDCName != "Company" || lives(second) {
		t.Errorf("there again: %+v", m)
	}
}
