package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// houseFile has two teams: shop in Seoul, which the bound keys see, and other in Frankfurt, of which they may not learn.
const houseFile = `timezone: Asia/Seoul
accounts:
  - {id: "111122223333", name: shop-test, regions: [ap-northeast-2]}
  - {id: "444455556666", role: "arn:aws:iam::444455556666:role/dayshift-canary", external_id: "external-canary", regions: [eu-central-1]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
  hidden-period: {begintime: "10:00", endtime: "16:00"}
holidays:
  kr: {builtin: kr}
  hidden-days: {days: [{date: 2026-12-24}]}
schedules:
  seoul-office: {periods: [office], holidays: [kr]}
  hidden-schedule: {periods: [hidden-period], holidays: [hidden-days]}
reservations:
  seoul-office: {account: "111122223333", region: ap-northeast-2, instance_type: m5.large, zones: [ap-northeast-2a], count: 4}
exceptions:
  - {schedule: seoul-office, date: 2026-12-31, type: stop, value: "15:00"}
  - {schedule: hidden-schedule, date: 2026-12-30, type: stop, value: "15:00"}
channels:
  seoul-office: {type: slack, url: "https://hooks.example.com/services/external-canary", kinds: [failed, stop-warning], schedules: [seoul-office]}
rules:
  nightly: {expression: "cron(55 23 * * ? *)", action: stop, filters: "tag:Team=shop"}
  hidden-rule: {expression: "cron(55 23 * * ? *)", action: stop, filters: "tag:Team=hidden"}
`

// houseTime is a Monday, 17:00 in Seoul.
var houseTime = time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC)

// house is a program with a fleet that is made up.
type house struct {
	tb      testing.TB
	store   store.Store
	gate    *service.Gate
	board   *service.Board
	happens *service.Events
	health  Health
	logging *journal // what the surface logged

	mu        sync.Mutex
	loaded    *config.Loaded
	resources []fleet.Resource
	changed   int
	ran       []fleet.Scope
	confirmed []string
	anonymous bool
	broken    error         // what Doctor and RunNow fail with
	panics    bool          // Doctor does
	slow      time.Duration // that Doctor and RunNow take

	surface *Surface
	room    hookRoom          // behind the channel seoul-office
	keys    map[string]string // by who: viewer, operator, editor, admin, each also with "shop " before it, expired, revoked
}

// journal keeps what several goroutines log.
type journal struct {
	mu sync.Mutex
	w  bytes.Buffer
}

func (l *journal) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *journal) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.String()
}

func newHouse(tb testing.TB, options Options) *house {
	tb.Helper()
	h := &house{tb: tb, store: memory.New(), health: Health{OK: true, Role: "leader"}, happens: &service.Events{}, logging: &journal{}, keys: map[string]string{}}
	h.gate = service.NewGate(service.GateOptions{Store: h.store})
	h.board = service.NewBoard(service.BoardOptions{
		Now: h.Now, Wall: func() time.Time { return houseTime }, Scopes: func() []fleet.Scope { return h.loaded.Scopes },
		Timezone: func() *time.Location { return time.UTC }, Begin: func() {},
	})
	h.add("111122223333", "ap-northeast-2", "i-0shop1", "shop-api", "seoul-office", "shop")
	h.add("111122223333", "ap-northeast-2", "i-0shop2", "shop-db", "seoul-office", "shop")
	h.add("444455556666", "eu-central-1", "i-0hidden", "hidden-name", "hidden-schedule", "hidden")
	h.reload()
	h.board.Keep()
	h.feed()
	h.board.Begun()

	options.Log = slog.New(slog.NewTextHandler(h.logging, nil))
	if options.Anonymous == nil {
		options.Anonymous = func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.anonymous }
	}
	h.surface = New(h, options)
	tb.Cleanup(h.surface.Close)
	admin := access.Local("test")
	fast := &service.Rate{PerSecond: 10_000, Burst: 10_000}
	for _, role := range access.Roles {
		for prefix, within := range map[string]string{"": "", "shop ": "tag:Team=shop"} {
			made, err := h.gate.CreateKey(tb.Context(), service.KeyRequest{Label: prefix + string(role), Role: string(role), Within: within, Rate: fast}, admin)
			if err != nil {
				tb.Fatal(err)
			}
			h.keys[prefix+string(role)] = made.Secret
		}
	}
	revoked, err := h.gate.CreateKey(tb.Context(), service.KeyRequest{Label: "revoked", Role: "admin"}, admin)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := h.gate.RevokeKey(tb.Context(), revoked.ID, admin); err != nil {
		tb.Fatal(err)
	}
	h.keys["revoked"] = revoked.Secret
	rows := []store.Activity{
		{At: houseTime, Actor: "dayshift", Event: store.EventStopped, Ref: h.resources[0].Ref, Name: "shop-api", Schedule: "seoul-office", Reason: "period-ended", Detail: "shop row"},
		{At: houseTime, Actor: "dayshift", Event: store.EventStopped, Ref: h.resources[2].Ref, Name: "hidden-name", Schedule: "hidden-schedule", Reason: "period-ended", Detail: "hidden row"},
		{At: houseTime, Actor: "dayshift", Event: store.EventConfig, Reason: "config", Detail: "hidden configuration"},
	}
	if err := h.store.Append(tb.Context(), store.Lease{}, rows); err != nil {
		tb.Fatal(err)
	}
	lease, err := h.store.Acquire(tb.Context(), "scheduler", "test", time.Now(), time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	if err := h.store.SaveRun(tb.Context(), lease, store.Run{ID: "run-1", Term: lease.Term, Trigger: "resync", Started: houseTime, Finished: houseTime}); err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *house) add(account fleet.AccountID, region fleet.Region, id, name, schedule, team string) {
	h.resources = append(h.resources, fleet.Resource{
		Ref: fleet.Ref{Scope: fleet.Scope{Account: account, Region: region}, Kind: fleet.EC2Instance, ID: id}, Name: name,
		ARN: "arn:aws:ec2:" + string(region) + ":" + string(account) + ":instance/" + id, State: fleet.Running, Native: "running", Type: "m5.large",
		Tags: map[string]string{"Schedule": schedule, "Team": team, "Name": name}, SeenAt: houseTime,
	})
}

func (h *house) assemble(objects []store.Object) (*config.Loaded, error) {
	return config.Parse("dayshift.yaml", []byte(houseFile), config.Env{Now: h.Now}, objects...)
}

// reload puts the store's objects in force.
func (h *house) reload() {
	h.tb.Helper()
	objects, err := h.store.Objects(context.Background())
	if err != nil {
		h.tb.Fatal(err)
	}
	loaded, err := h.assemble(objects)
	if err != nil {
		h.tb.Fatal(err)
	}
	var overrides []*policy.Override
	for _, o := range objects {
		if o.Kind != store.OverrideObject {
			continue
		}
		override, err := store.ToOverride(o)
		if err != nil {
			h.tb.Fatal(err)
		}
		overrides = append(overrides, override)
	}
	loaded.Book.Overrides = overrides
	h.mu.Lock()
	h.loaded = loaded
	h.mu.Unlock()
}

// Look implements service.Looker.
func (h *house) Look(_ context.Context, at time.Time, _ bool) (pass.Report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at.IsZero() {
		at = houseTime
	}
	report := pass.Report{At: at, Scopes: h.loaded.Scopes}
	report.Run.Counts.Scopes = len(h.loaded.Scopes)
	for _, r := range h.resources {
		memory := decide.Memory{Ref: r.Ref, Schedule: r.Tags["Schedule"], Last: decide.WasRunning, DecidedAt: at.Add(-time.Minute), SeenAt: at.Add(-time.Minute), Seen: r.State, FirstSeen: at.AddDate(0, -1, 0)}
		report.Decisions = append(report.Decisions, decide.Explain(decide.Input{Now: at, Policy: h.loaded.Book.Governs(r), Memory: memory, Resource: r}))
	}
	report.Plan = plan.Make(report.Decisions, plan.Guards{})
	return report, nil
}

func (h *house) feed() {
	report, err := h.Look(context.Background(), time.Time{}, false)
	if err != nil {
		h.tb.Fatal(err)
	}
	h.board.Feed(service.BoardFeed{Report: &report, Book: &h.loaded.Book, Whole: true})
}

func (h *house) Alive() Health           { return h.health }
func (h *house) Ready() Health           { return h.health }
func (h *house) Board() *service.Board   { return h.board }
func (h *house) Events() *service.Events { return h.happens }
func (h *house) Now() time.Time          { return houseTime }
func (h *house) Speed() float64          { return 1 }
func (h *house) Demo() bool              { return false }
func (h *house) Changed()                { h.reload(); h.feed(); h.mu.Lock(); h.changed++; h.mu.Unlock() }

func (h *house) Service() *service.Service {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &service.Service{Looker: h, Book: &h.loaded.Book, Store: h.store, Now: h.Now, Config: h.loaded, Assemble: h.assemble, Gate: h.gate, Ways: h.ways}
}

// wait is as slow as the house is said to be.
func (h *house) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(h.slow):
		return nil
	}
}

func (h *house) RunNow(ctx context.Context, scopes []fleet.Scope, _ string) (string, error) {
	if err := h.wait(ctx); err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return "", h.broken
	}
	h.ran = scopes
	return "run-1", nil
}

func (h *house) Confirm(_ context.Context, by string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.confirmed = append(h.confirmed, by)
	return nil
}

func (h *house) Doctor(ctx context.Context) ([]service.Checkup, error) {
	if err := h.wait(ctx); err != nil {
		return nil, err
	}
	if h.panics {
		panic("the doctor fell over a secret-canary")
	}
	if h.broken != nil {
		return nil, h.broken
	}
	var list []service.Checkup
	for _, scope := range h.loaded.Scopes {
		list = append(list, service.Checkup{Scope: scope, OK: true, Findings: []cloud.Finding{{Ability: say.Word("list EC2 instances"), OK: true, Detail: say.F("works")}}})
	}
	return list, nil
}

// ask is a request to the surface.
type ask struct {
	method, path, body string
	as                 string // a key of the house
	headers            map[string]string
	from               string // the address of the connection; empty: another machine
}

// do answers a request.
func (h *house) do(a ask) *httptest.ResponseRecorder {
	h.tb.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	path := a.path
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		path = "http://dayshift.example" + path
	}
	r := httptest.NewRequestWithContext(h.tb.Context(), a.method, path, strings.NewReader(a.body))
	r.Host = "dayshift.example"
	r.RemoteAddr = "203.0.113.7:40000"
	if a.from != "" {
		r.RemoteAddr = a.from
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body = http.NoBody
	}
	if a.as != "" {
		key, ok := h.keys[a.as]
		if !ok {
			h.tb.Fatalf("there is no key %q", a.as)
		}
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for name, value := range a.headers {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return h.serve(r)
}

func (h *house) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.surface.ServeHTTP(w, r)
	return w
}

// get answers a request and reads its JSON.
func (h *house) get(a ask, status int, into any) http.Header {
	h.tb.Helper()
	w := h.do(a)
	if w.Code != status {
		h.tb.Fatalf("%s %s as %q: %d, expected %d: %s", a.method, a.path, a.as, w.Code, status, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			h.tb.Fatalf("%s %s: %v in %s", a.method, a.path, err, w.Body)
		}
	}
	return w.Result().Header
}

// refused answers a request that has to end in a problem.
func (h *house) refused(a ask, status int, kind string) Problem {
	h.tb.Helper()
	w := h.do(a)
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != status || p.Type != "/problems/"+kind || p.Status != status || w.Header().Get("Content-Type") != problemJSON {
		h.tb.Fatalf("%s %s as %q: %d %s %s, expected %d %s", a.method, a.path, a.as, w.Code, w.Header().Get("Content-Type"), w.Body, status, kind)
	}
	return p
}
