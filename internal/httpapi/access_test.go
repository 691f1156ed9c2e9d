package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// requestFor makes a request of an operation that is in order as far as can be told without knowing it.
func requestFor(o Operation) ask {
	a := ask{method: o.Method, path: strings.NewReplacer(
		"{account}", "111122223333", "{region}", "ap-northeast-2", "{kind}", "ec2_instance", "{id}", "i-0shop1", "{name}", "seoul-office",
	).Replace(o.Path)}
	if o.Method == http.MethodPut || o.Method == http.MethodDelete {
		a.headers = map[string]string{"If-Match": `"1"`}
	}
	if bodies := map[string]string{
		"signIn": `{"key":"dsk_no"}`, "createOverride": `{"target":"i-0shop1","state":"running","for":"1h"}`, "changeOverride": `{"for":"1h"}`, "createRun": `{}`,
		"createKey": `{"label":"","role":"viewer"}`, "updateKey": `{}`, "rotateKey": `{}`, "checkSchedule": `{"name":"x","schedule":{}}`, "checkRule": `{"name":"x","rule":{}}`,
	}; bodies[o.ID] != "" {
		a.body = bodies[o.ID]
	} else if o.Method == http.MethodPut || o.Method == http.MethodPost && o.ID != "confirmHeld" {
		a.body = `{}`
	}
	if o.ID == "followEvents" {
		a.headers = map[string]string{"Last-Event-ID": strings.Repeat("x", 300)} // refused, so that it does not go on for ever
	}
	return a
}

// routesBeside are those that are no operations: open to everybody, and said to be here.
var routesBeside = []string{"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/docs.css", providerPath, callbackPath, "/"}

// Scope matrix: what everybody may have done is what the table of roles says,
// for every operation that the router knows.
func TestFault6_06_EveryOperationHasItsRule(t *testing.T) {
	h := newHouse(t, Options{})
	mayBe := map[access.Permission]access.Role{access.Read: access.Viewer, access.Act: access.Operator, access.Edit: access.Editor, access.Manage: access.Admin}
	operations := h.surface.Operations()
	if len(operations) < 55 {
		t.Fatalf("%d operations", len(operations))
	}
	open := map[string]bool{"getMe": true, "getAbout": true, "signIn": true}
	for i, o := range operations {
		if o.Open != open[o.ID] {
			t.Errorf("%s is open: %t", o.ID, o.Open)
		}
		if !o.Open && !o.SignedIn && mayBe[o.Needs] == "" {
			t.Errorf("%s needs %q, which nobody has", o.ID, o.Needs)
		}
		if o.Method != http.MethodGet && o.Needs == access.Read && !slices.Contains([]string{"checkSchedule", "checkRule", "eval", "validate", "diff"}, o.ID) {
			t.Errorf("%s changes something, and whoever reads may have it done", o.ID)
		}
		if o.Method == http.MethodGet && o.Needs != access.Read && o.Needs != access.Manage && !o.Open {
			t.Errorf("%s changes nothing, and who reads may not ask for it: %q", o.ID, o.Needs)
		}
		for _, as := range []string{"", "viewer", "operator", "editor", "admin", "shop viewer", "shop operator", "shop editor", "shop admin", "revoked", "wrong", "anonymous"} {
			t.Run(o.ID+" as "+as, func(t *testing.T) {
				a := requestFor(o)
				a.from = fmt.Sprintf("203.0.113.%d:4000", i) // wrong keys and strangers are counted by address
				role := access.Role(strings.TrimPrefix(as, "shop "))
				switch as {
				case "", "anonymous":
				case "wrong":
					a.headers = maps.Clone(a.headers)
					if a.headers == nil {
						a.headers = map[string]string{}
					}
					a.headers["Authorization"] = "Bearer " + h.keys["admin"][:len(h.keys["admin"])-1] + "!"
				default:
					a.as = as
				}
				h.anonymous = as == "anonymous"
				defer func() { h.anonymous = false }()
				if o.ID == "followEvents" {
					delete(a.headers, "Last-Event-ID")
					a.path += "?type=nonsense"
				}
				w := h.do(a)
				var p Problem
				_ = json.Unmarshal(w.Body.Bytes(), &p)
				refused := w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden && p.Type == "/problems/forbidden"
				switch may := o.Open || role.May(o.Needs) || o.SignedIn && role.May(access.Read) || as == "anonymous" && o.Needs == access.Read; {
				case o.ID == "signIn": // refuses the key in its body
				case may && refused:
					t.Errorf("refused: %d %s", w.Code, w.Body)
				case !may && !refused:
					t.Errorf("not refused: %d %s", w.Code, w.Body)
				case !may && as != "" && as != "anonymous" && as != "wrong" && as != "revoked" && w.Code != http.StatusForbidden:
					t.Errorf("%d where the role is missing", w.Code)
				case w.Code >= 500:
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
	}
}

// What is beside the operations is known by name, so that a new route is not forgotten.
func TestRoutesBesideTheOperations(t *testing.T) {
	h := newHouse(t, Options{Page: pageFiles})
	known := map[string]bool{"/api/": true, "/metrics": true}
	for _, path := range routesBeside {
		known[path] = true
	}
	for _, o := range h.surface.Operations() {
		known[o.Path] = true
	}
	for _, probe := range []string{"/", "/healthz", "/readyz", "/openapi.json", "/docs", "/docs/docs.css", providerPath, callbackPath, "/api/v1/me", "/api/v2/me", "/metrics", "/debug/pprof/", "/api/v1/session/other"} {
		_, pattern := h.surface.mux.Handler(mustRequest(t, probe))
		if _, path, found := strings.Cut(pattern, " "); found {
			pattern = path
		}
		if !known[pattern] {
			t.Errorf("%s is answered by %q, which no list has", probe, pattern)
		}
	}
}

// An operation that does not say who may have it done keeps the program from starting.
func TestAnOperationWithoutARuleIsAPanic(t *testing.T) {
	for name, o := range map[string]struct {
		who needs
		operation
	}{
		"nobody said who":      {needs{}, operation{id: "x", method: "GET", path: "/x", tag: "x", summary: "x"}},
		"no tag":               {toRead, operation{id: "x", method: "GET", path: "/x", summary: "x"}},
		"no ID":                {toRead, operation{method: "GET", path: "/x", tag: "x", summary: "x"}},
		"a path without input": {toRead, operation{id: "x", method: "GET", path: "/x/{name}", tag: "x", summary: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(program{}, Options{})
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			op(s, o.who, o.operation, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
		})
	}
}

// Object matrix: whoever is bound to a filter finds nothing of what it does not
// match: not by its address, not in lists, counts, facets, searches, exports or the record.
func TestFault6_07_NothingOutsideIsFound(t *testing.T) {
	h := newHouse(t, Options{})
	hidden := []string{"hidden", "444455556666", "eu-central-1"}
	admin, shop := "admin", "shop admin"
	var made struct{ Override struct{ ID string } }
	h.get(ask{method: "POST", path: base + "/overrides", as: admin, body: `{"target":"resource:hidden-name","state":"running","for":"2h","reason":"hidden reason"}`}, 201, &made)

	for _, path := range []string{
		"/resources/444455556666/eu-central-1/ec2_instance/i-0hidden", "/resources/444455556666/eu-central-1/ec2_instance/i-0hidden/explain",
		"/schedules/hidden-schedule", "/schedules/hidden-schedule/calendar", "/schedules/hidden-schedule/explain", "/periods/hidden-period", "/holidays/hidden-days",
		"/holidays/hidden-days/dates", "/explain?target=hidden-name", "/explain?target=hidden-name&at=2026-08-01T00:00:00Z", "/rules/hidden-rule", "/exceptions/hidden-schedule:2026-12-30:stop", "/overrides/" + made.Override.ID, "/runs/run-1",
		"/preview?schedule=hidden-schedule", "/activity?ref=444455556666/eu-central-1/ec2_instance/i-0hidden", "/activity.csv?ref=444455556666/eu-central-1/ec2_instance/i-0hidden",
	} {
		if w := h.do(ask{path: base + path, as: admin}); w.Code != 200 {
			t.Fatalf("the admin is refused %s: %d %s", path, w.Code, w.Body)
		}
		p := h.refused(ask{path: base + path, as: shop}, 404, notFound)
		for _, word := range []string{"hidden reason", "hidden row"} {
			if strings.Contains(p.Detail.String(), word) {
				t.Errorf("%s: %s", path, p.Detail)
			}
		}
	}

	// Whatever can be listed, with every way to search it.
	hour := "?at=2026-08-03T07:00:00Z"
	asks := []string{
		"/resources/111122223333/ap-northeast-2/ec2_instance/i-0shop1/explain", "/resources/111122223333/ap-northeast-2/ec2_instance/i-0shop1/explain" + hour, "/explain?target=shop-api&at=2026-08-03T07:00:00Z",
		"/me", "/about", "/overview", "/preview", "/accounts", "/doctor", "/overrides", "/runs", "/activity", "/activity?order=asc", "/activity?q=hidden", "/activity?schedule=hidden-schedule", "/activity.csv", "/keys", "/sessions",
	}
	for _, list := range []string{"/resources", "/schedules", "/periods", "/exceptions", "/holidays", "/rules"} {
		asks = append(asks, list, list+"?q=hidden")
	}
	asks = append(asks, "/resources?filter=tag:Team%3Dhidden", "/resources?account=444455556666", "/resources?schedule=hidden-schedule", "/schedules?schedule=hidden-schedule", "/periods?schedule=hidden-schedule")
	seen := 0
	for _, path := range asks {
		w := h.do(ask{path: base + path, as: admin})
		if strings.Contains(w.Body.String(), "hidden") {
			seen++
		}
		w = h.do(ask{path: base + path, as: shop})
		if w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		for _, word := range hidden {
			if strings.Contains(strings.ToLower(w.Body.String()), word) {
				t.Errorf("%s tells of %q: %s", path, word, w.Body)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d of the answers to an admin have what is to be hidden: the test looks for nothing", seen)
	}

	// And what is inside is there.
	var list struct{ Total int }
	h.get(ask{path: base + "/resources", as: shop}, 200, &list)
	if list.Total != 2 {
		t.Errorf("%d resources", list.Total)
	}
	for path, want := range map[string]int{"/schedules": 1, "/periods": 1, "/exceptions": 1, "/holidays": 1, "/rules": 1} {
		h.get(ask{path: base + path, as: shop}, 200, &list)
		if list.Total != want {
			t.Errorf("%s: %d", path, list.Total)
		}
	}
	var rows struct{ Items []store.Activity }
	h.get(ask{path: base + "/activity", as: shop}, 200, &rows)
	if len(rows.Items) != 1 || rows.Items[0].Detail != "shop row" {
		t.Errorf("%+v", rows)
	}

	// Who may act, acts inside alone.
	for _, a := range []ask{
		{method: "POST", path: "/overrides", body: `{"target":"resource:hidden-name","state":"stopped"}`},
		{method: "POST", path: "/overrides", body: `{"target":"schedule:hidden-schedule","state":"stopped"}`},
		{method: "POST", path: "/overrides", body: `{"target":"filter:instance-type=*","state":"stopped"}`},
		{method: "POST", path: "/overrides?dry_run=true", body: `{"target":"filter:tag:Team=hidden","state":"stopped"}`},
		{method: "POST", path: "/runs", body: `{}`},
		{method: "POST", path: "/held/confirm"},
		{method: "POST", path: "/diff", body: `{}`},
		{method: "GET", path: "/export"},
		{method: "GET", path: "/activity/verify"},
		{method: "POST", path: "/apply?prune=true", body: `{}`},
	} {
		a.path, a.as = base+a.path, shop
		if w := h.do(a); w.Code != 403 && w.Code != 404 || strings.Contains(w.Body.String(), "i-0hidden") {
			t.Errorf("%s %s %s: %d %s", a.method, a.path, a.body, w.Code, w.Body)
		}
	}
	for _, method := range []string{"PATCH", "DELETE"} {
		h.refused(ask{method: method, path: base + "/overrides/" + made.Override.ID, as: shop, body: `{"for":"1h"}`}, 404, notFound)
	}
	if w := h.do(ask{method: "POST", path: base + "/overrides?dry_run=true", as: shop, body: `{"target":"resource:shop-api","state":"running","for":"2h"}`}); w.Code != 200 {
		t.Errorf("inside: %d %s", w.Code, w.Body)
	}
	if h.confirmed != nil || h.ran != nil {
		t.Error("something was done all the same")
	}
}

// Who edits within a filter applies what stays inside, finds it again although it governs nothing yet, and goes on with
// it; another key with the same filter does not, and what reaches beyond is refused with nothing written.
func TestFault6_07_AnEditorWithinAFilterApplies(t *testing.T) {
	h := newHouse(t, Options{})
	const file = `{"periods":{"mine":{"begintime":"09:00","endtime":"10:00"}},"schedules":{"my-own":{"periods":["mine"]}}}`
	var applied struct{ Objects []struct{ Saved bool } }
	h.get(ask{method: "POST", path: base + "/apply", as: "shop editor", body: file}, 200, &applied)
	if len(applied.Objects) != 2 || !applied.Objects[0].Saved || !applied.Objects[1].Saved {
		t.Fatalf("%+v", applied)
	}
	h.reload()
	for _, path := range []string{"/schedules/my-own", "/periods/mine", "/schedules/my-own/calendar"} {
		if w := h.do(ask{path: base + path, as: "shop editor"}); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		h.refused(ask{path: base + path, as: "shop admin"}, 404, notFound)
	}
	var list struct{ Total int }
	for who, want := range map[string]int{"shop editor": 2, "shop admin": 1} {
		if h.get(ask{path: base + "/schedules", as: who}, 200, &list); list.Total != want {
			t.Errorf("%s finds %d schedules, not %d", who, list.Total, want)
		}
	}
	again := h.do(ask{method: "PUT", path: base + "/schedules/my-own", as: "shop editor", body: `{"periods":["mine"],"description":"again"}`, headers: map[string]string{"If-Match": `"1"`}})
	if again.Code != 200 {
		t.Errorf("a change of what it made: %d %s", again.Code, again.Body)
	}

	beyond := ask{method: "POST", path: base + "/apply", as: "shop editor", body: `{"periods":{"late":{"begintime":"20:00","endtime":"21:00"}},"exceptions":[{"schedule":"hidden-schedule","date":"2026-12-31","action":"stop","time":"12:00"}]}`}
	if w := h.do(beyond); w.Code != 403 && w.Code != 422 || strings.Contains(w.Body.String(), "i-0hidden") {
		t.Errorf("beyond: %d %s", w.Code, w.Body)
	}
	h.refused(ask{path: base + "/periods/late", as: "admin"}, 404, notFound)
}

// Field matrix: fields that nobody may set are refused, not passed over.
func TestFault6_08_FieldsThatAreNobodys(t *testing.T) {
	h := newHouse(t, Options{})
	for _, test := range []struct{ method, path, body string }{
		{"POST", "/overrides", `{"target":"i-0shop1","state":"running","author":"somebody else"}`},
		{"POST", "/overrides", `{"target":"i-0shop1","state":"running","from":"2020-01-01T00:00:00Z"}`},
		{"POST", "/overrides", `{"target":"i-0shop1","state":"running","Within":null}`},
		{"POST", "/overrides", `{"target":"i-0shop1","state":"running","dry_run":true}`},
		{"POST", "/overrides", `{"TARGET":"i-0shop1","state":"running"}`},
		{"POST", "/keys", `{"label":"x","role":"viewer","hashes":[]}`},
		{"POST", "/keys", `{"label":"x","role":"viewer","secret":"dsk_mine"}`},
		{"POST", "/keys", `{"label":"x","role":"viewer","id":"abcdefgh"}`},
		{"POST", "/runs", `{"by":"somebody else"}`},
		{"POST", "/session", `{"key":"x","role":"admin"}`},
		{"POST", "/schedules/check", `{"name":"x","schedule":{},"Within":{}}`},
		{"POST", "/schedules/check", `{"name":"x","schedule":{},"-":"tag:a=b"}`},
		{"PUT", "/schedules/new", `{"periods":["office"],"owner":"me"}`},
		{"PUT", "/schedules/new", `{"periods":["office"],"file":true,"version":9}`},
	} {
		w := h.do(ask{method: test.method, path: base + test.path, body: test.body, as: "admin", headers: map[string]string{"If-None-Match": "*"}, from: "127.0.0.1:1"})
		if w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, w.Code, w.Body)
		}
	}
	// What is nobody's business is in no answer.
	for _, o := range h.surface.Operations() {
		if o.Method != http.MethodGet || o.ID == "followEvents" {
			continue
		}
		body := h.do(ask{path: requestFor(o).path, as: "admin"}).Body.String()
		for _, canary := range []string{"external-canary", "dayshift-canary", access.Hash(h.keys["viewer"]), h.keys["viewer"]} {
			if strings.Contains(body, canary) {
				t.Errorf("%s tells %s", o.ID, canary)
			}
		}
	}
}

// Where nobody can tell who asks, nobody is let in, whatever is open otherwise.
func TestFault6_09_ABrokenStoreLetsNobodyIn(t *testing.T) {
	h := newHouse(t, Options{Anonymous: func() bool { return true }})
	h.gate = nil
	for _, o := range h.surface.Operations() {
		if o.Open {
			continue
		}
		a := requestFor(o)
		a.as = "admin"
		if w := h.do(a); w.Code != http.StatusServiceUnavailable && w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", o.ID, w.Code, w.Body)
		}
	}
}

func mustRequest(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://dayshift.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A role that is taken away between the check and the act is taken away.
func TestFault6_50_TheRoleIsLookedAtAgain(t *testing.T) {
	h := newHouse(t, Options{})
	body := `{"target":"i-0shop1","state":"running","for":"1h"}`
	if w := h.do(ask{method: "POST", path: base + "/overrides?dry_run=true", body: body, as: "operator"}); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	other := service.NewGate(service.GateOptions{Store: h.store}) // of another process, whose changes this one has not seen yet
	keys, err := other.Keys(t.Context(), access.Local("test"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		viewer := "viewer"
		if key.Label == "operator" {
			if _, err := other.UpdateKey(t.Context(), key.ID, service.KeyChange{Role: &viewer}, access.Local("test")); err != nil {
				t.Fatal(err)
			}
		}
		if key.Label == "editor" {
			if _, err := other.RevokeKey(t.Context(), key.ID, access.Local("test")); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.refused(ask{method: "POST", path: base + "/overrides", body: body, as: "operator"}, 403, forbidden)
	h.refused(ask{method: "POST", path: base + "/overrides", body: body, as: "editor"}, 401, unauthenticated)
	h.refused(ask{method: "PUT", path: base + "/schedules/new", body: `{"periods":["office"]}`, as: "editor", headers: map[string]string{"If-None-Match": "*"}}, 401, unauthenticated)
	if objects, err := h.store.Objects(t.Context(), store.OverrideObject, store.ScheduleObject); err != nil || len(objects) > 0 {
		t.Errorf("%v, %v", objects, err)
	}
}

// What a key does is recorded under its ID: its label is free text.
func TestTheAuthorIsTheKey(t *testing.T) {
	h := newHouse(t, Options{})
	w := h.do(ask{method: "POST", path: base + "/overrides", body: `{"target":"i-0shop1","state":"running","for":"1h"}`, as: "operator"})
	want := "operator (key:" + h.keys["operator"][len(access.KeyPrefix):len(access.KeyPrefix)+8] + ")"
	if w.Code != 201 || !strings.Contains(w.Body.String(), `"author":"`+want+`"`) {
		t.Errorf("%d %s, want %q", w.Code, w.Body, want)
	}
	rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Event: store.EventOverride})
	if err != nil || len(rows) != 1 || rows[0].Actor != want {
		t.Errorf("%+v, %v", rows, err)
	}
}

// A cookie of the plain name can be planted by others than this host: by https it is none.
func TestFault6_17_APlantedCookieIsNone(t *testing.T) {
	h := newHouse(t, Options{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, OIDC: always(&provider{})})
	headers := h.signedIn("viewer")
	me := func(from, scheme string) (m Me) {
		headers["X-Forwarded-Proto"] = scheme
		h.get(ask{path: base + "/me", from: from, headers: headers}, 200, &m)
		return m
	}
	for _, plain := range []Me{me("10.0.0.1:1", "http"), me("10.0.0.2:1", "https")} {
		if plain.ID == "" {
			t.Error("without https it is no session")
		}
	}
	if m := me("10.0.0.1:1", "https"); m.ID != "" {
		t.Errorf("by https a planted cookie lets %q in", m.ID)
	}
	back := map[string]string{"Cookie": plainStateCookie + "=sealed-state", "X-Forwarded-Proto": "https"}
	if w := h.do(ask{path: callbackPath + "?code=good", from: "10.0.0.1:1", headers: back}); w.Header().Get("Location") != "/signin?fault=refused" {
		t.Errorf("by https a planted state signs in: %d %v", w.Code, w.Header())
	}
}

// Behind a proxy on this machine that nobody named everybody seems to be on this machine.
func TestFault6_17_AProxyThatIsNotTrusted(t *testing.T) {
	h := newHouse(t, Options{OIDC: always(&provider{})})
	for name, value := range map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "dayshift.example", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9", "Via": "1.1 proxy"} {
		for _, a := range []ask{
			{method: "POST", path: base + "/session", body: `{"key":"` + h.keys["viewer"] + `"}`},
			{path: providerPath},
		} {
			a.from, a.headers = "127.0.0.1:1", map[string]string{name: value}
			if p := h.refused(a, 403, forbidden); !strings.Contains(p.Detail.String(), "trusted_proxies") {
				t.Errorf("%s of %s: %s", name, a.path, p.Detail)
			}
		}
	}
	trusting := newHouse(t, Options{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	a := ask{method: "POST", path: base + "/session", body: `{"key":"` + trusting.keys["viewer"] + `"}`, from: "127.0.0.1:1", headers: map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}}
	if w := trusting.do(a); w.Code != 200 {
		t.Errorf("behind a proxy that is trusted: %d %s", w.Code, w.Body)
	}
}

// Whoever has used a quota up, or shows a session that has ended, gets away from it.
func TestFault6_18_NobodyIsHeldByASession(t *testing.T) {
	h := newHouse(t, Options{})
	made, err := h.gate.CreateKey(t.Context(), service.KeyRequest{Label: "few", Role: "viewer", Quota: &service.Quota{Limit: 2, Per: "day"}}, access.Local("test"))
	if err != nil {
		t.Fatal(err)
	}
	h.keys["few"] = made.Secret
	headers := h.signedIn("few")
	if w := h.do(ask{path: base + "/runs", headers: headers}); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	h.refused(ask{path: base + "/runs", headers: headers}, 429, quota)
	if w := h.do(ask{method: "POST", path: base + "/session", body: `{"key":"` + h.keys["few"] + `"}`, from: "127.0.0.1:1", headers: headers}); w.Code != 429 {
		t.Errorf("with the key that is used up: %d %s", w.Code, w.Body)
	}
	signIn := ask{method: "POST", path: base + "/session", body: `{"key":"` + h.keys["editor"] + `"}`, from: "127.0.0.1:1", headers: headers}
	other := h.signedIn("viewer")
	if w := h.do(ask{method: "DELETE", path: base + "/session", headers: headers}); w.Code != 204 {
		t.Errorf("signing out: %d %s", w.Code, w.Body)
	}
	h.refused(ask{path: base + "/runs", headers: headers}, 401, unauthenticated)
	for name, a := range map[string]ask{"getMe": {path: base + "/me", headers: headers}, "getAbout": {path: base + "/about", headers: headers}, "signIn": signIn} {
		w := h.do(a)
		if w.Code != 200 {
			t.Errorf("%s with a session that has ended: %d %s", name, w.Code, w.Body)
		}
		if cookies := w.Result().Cookies(); name == "signIn" && (len(cookies) != 1 || cookies[0].MaxAge < 0) {
			t.Errorf("the new session is taken away: %v", cookies)
		}
	}
	if w := h.do(ask{path: base + "/runs", headers: other}); w.Code != 200 {
		t.Errorf("somebody else: %d %s", w.Code, w.Body)
	}
	twice := service.KeyChange{Quota: &service.Quota{Limit: 3, Per: "week"}}
	if _, err := h.gate.UpdateKey(t.Context(), made.ID, twice, access.Local("test")); err != nil {
		t.Fatal(err)
	}
	signIn.headers = h.signedIn("few")
	for h.do(ask{path: base + "/runs", headers: signIn.headers}).Code != 429 {
		continue
	}
	if w := h.do(signIn); w.Code != 200 || !strings.Contains(w.Body.String(), `"editor"`) {
		t.Errorf("signing in with another key: %d %s", w.Code, w.Body)
	}
}

// Sessions that nobody can look up now are not said to be gone.
func TestFault6_13_InventedSessionsSignNobodyOut(t *testing.T) {
	h := newHouse(t, Options{})
	for range 200 {
		token, err := access.NewSessionToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.do(ask{path: base + "/runs", headers: map[string]string{"Cookie": plainCookieName + "=" + token}})
	}
	principal, _, err := h.gate.Authenticate(t.Context(), h.keys["viewer"], "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := service.NewGate(service.GateOptions{Store: h.store}).SignIn(t.Context(), principal, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := h.do(ask{path: base + "/runs", headers: map[string]string{"Cookie": plainCookieName + "=" + token}})
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || len(w.Result().Cookies()) > 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Nobody asks the identity provider, or fills the record, as fast as they can.
func TestFault6_13_SignInsWithAProviderAreBounded(t *testing.T) {
	h := newHouse(t, Options{OIDC: always(&provider{}), TLS: true})
	for _, path := range []string{providerPath + "?to=/fail", callbackPath + "?code=wrong"} {
		codes := map[int]int{}
		for range 300 {
			codes[h.do(ask{path: path, from: "198.51.100.9:1"}).Code]++
		}
		if codes[429] == 0 || codes[303]+codes[429] != 300 {
			t.Errorf("%s: %v", path, codes)
		}
	}
	rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Event: store.EventRefused})
	if err != nil || len(rows) == 0 || len(rows) > 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if row := rows[0]; row.Actor != "anonymous" || row.Reason != "sign-in" || !strings.Contains(row.Detail, "198.51.100.9") {
		t.Errorf("%+v", row)
	}
	if w := h.do(ask{path: providerPath, from: "198.51.100.10:1"}); w.Code != 303 {
		t.Errorf("another address: %d", w.Code)
	}
}

// Who may wake what: a key acts within its filter, and what it tries beside it is refused and recorded.
func TestFault6_10_WhoMayWakeWhat(t *testing.T) {
	h := newHouse(t, Options{})
	wake := func(target string) string {
		return `{"target":"` + target + `","state":"running","for":"2h","reason":"night shift"}`
	}
	for _, test := range []struct {
		as, target string
		status     int
	}{
		{"shop operator", "resource:shop-api", 201},
		{"shop viewer", "resource:shop-api", 403},
		{"shop operator", "resource:hidden-name", 403},
		{"shop operator", "schedule:hidden-schedule", 403},
		{"shop operator", "filter:tag:Team=hidden", 403},
		{"operator", "resource:hidden-name", 201},
	} {
		if w := h.do(ask{method: "POST", path: base + "/overrides", as: test.as, body: wake(test.target)}); w.Code != test.status {
			t.Errorf("%s wakes %s: %d %s", test.as, test.target, w.Code, w.Body)
		}
	}
	if err := h.gate.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Event: store.EventRefused})
	if err != nil {
		t.Fatal(err)
	}
	told := fmt.Sprint(rows)
	for _, who := range []string{"shop viewer", "shop operator"} {
		if !strings.Contains(told, who) {
			t.Errorf("what %s tried is not in the record: %+v", who, rows)
		}
	}
}
