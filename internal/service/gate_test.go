package service

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/sqlstore"
	"dayshift/internal/store/storetest"
)

// gateClock is a clock that a test moves.
type gateClock struct{ at atomic.Int64 }

func newGateClock() *gateClock {
	c := &gateClock{}
	c.at.Store(time.Date(2027, 1, 6, 12, 0, 0, 0, time.UTC).UnixNano()) // a Wednesday
	return c
}

func (c *gateClock) now() time.Time           { return time.Unix(0, c.at.Load()).UTC() }
func (c *gateClock) pass(d time.Duration)     { c.at.Add(int64(d)) }
func (c *gateClock) gate(s store.Store) *Gate { return NewGate(GateOptions{Store: s, Now: c.now}) }

func sqliteStore(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path, sqlstore.Options{LockWait: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var admin = access.Local("kim")

// plenty is a rate that is in no test's way.
var plenty = &Rate{PerSecond: 10_000, Burst: 100_000}

func makeKey(t *testing.T, g *Gate, request KeyRequest) KeyAnswer {
	t.Helper()
	if request.Label == "" {
		request.Label = "ci"
	}
	if request.Role == "" {
		request.Role = string(access.Operator)
	}
	answer, err := g.CreateKey(t.Context(), request, admin)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// mistyped is a key with another last character.
func mistyped(key string) string {
	last := "0"
	if strings.HasSuffix(key, last) {
		last = "1"
	}
	return key[:len(key)-1] + last
}

// enters tries a key; the reason is "" for whoever gets in and "error" for what is no denial.
func enters(g *Gate, c *gateClock, key, from string) DeniedReason {
	principal, _, err := g.Authenticate(context.Background(), key, from, c.now())
	return reasonOf(principal, err)
}

func reasonOf(principal access.Principal, err error) DeniedReason {
	denied, ok := errors.AsType[*DeniedError](err)
	switch {
	case ok && principal == access.Principal{}:
		return denied.Reason
	case err == nil && principal.May(access.Read):
		return ""
	}
	return "error"
}

func wantReason(t *testing.T, what string, got, want DeniedReason) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// forms are the ways in which a secret can be written so that it can be had back.
func forms(secret string) map[string][]byte {
	reversed := []byte(secret)
	slices.Reverse(reversed)
	return map[string][]byte{
		"as it is": []byte(secret), "reversed": reversed,
		"hex": []byte(hex.EncodeToString([]byte(secret))), "HEX": []byte(strings.ToUpper(hex.EncodeToString([]byte(secret)))),
		"base64": []byte(base64.RawStdEncoding.EncodeToString([]byte(secret))), "base64 for URLs": []byte(base64.RawURLEncoding.EncodeToString([]byte(secret))),
	}
}

func secretsOf(key string) []string {
	parts := strings.Split(key, "_")
	return []string{key, parts[len(parts)-1], parts[min(2, len(parts)-1)]}
}

func TestFault01ADumpOfTheDatabaseHasNoKey(t *testing.T) {
	folder := t.TempDir()
	s := sqliteStore(t, filepath.Join(folder, "dayshift.db"))
	c := newGateClock()
	g := c.gate(s)
	first, made, err := g.FirstKey(t.Context())
	if err != nil || !made {
		t.Fatal(made, err)
	}
	answer := makeKey(t, g, KeyRequest{Quota: &Quota{Limit: 10, Per: "day"}, Rate: plenty})
	rotated, err := g.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil {
		t.Fatal(err)
	}
	principal, _, err := g.Authenticate(t.Context(), rotated.Secret, "192.0.2.1", c.now())
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := g.SignIn(t.Context(), principal, c.now())
	if err != nil {
		t.Fatal(err)
	}
	almost := mistyped(answer.Secret)
	enters(g, c, almost, "192.0.2.1") // what is refused is recorded
	enters(g, c, newSecret(t), "192.0.2.1")
	if _, err := g.RevokeKey(t.Context(), answer.ID, admin); err != nil {
		t.Fatal(err)
	}
	enters(g, c, rotated.Secret, "192.0.2.1")
	if err := g.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	var dump []byte
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files { // the database and its log
		content, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, content...)
	}
	if !bytes.Contains(dump, []byte(access.Hash(rotated.Secret))) {
		t.Fatal("the dump does not even have the hash: nothing was looked at")
	}
	for name, key := range map[string]string{"the first key": first, "a key": answer.Secret, "a rotated key": rotated.Secret, "a session": session, "a mistyped key": almost} {
		for _, secret := range secretsOf(key) {
			if len(secret) < 12 {
				continue // the checksum alone is nothing
			}
			for form, text := range forms(secret) {
				if bytes.Contains(dump, text) {
					t.Errorf("%s stands in the database, %s", name, form)
				}
			}
		}
	}
}

func newSecret(t *testing.T) string {
	t.Helper()
	key, err := access.NewKey(cryptoReader{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return key.Text()
}

func TestFault02TyposDoNotReachTheStore(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	g := c.gate(f)
	answer := makeKey(t, g, KeyRequest{})
	g = c.gate(f) // knows nothing yet
	before := f.Calls(storetest.Revision) + f.Calls(storetest.Objects)
	for i, typo := range []string{"", "dsk_", answer.Secret + " ", answer.Secret[1:], strings.ToLower(answer.Secret), "x" + answer.Secret[1:]} {
		wantReason(t, typo, enters(g, c, typo, fmt.Sprintf("192.0.2.%d", i)), DeniedUnknown)
	}
	if reads := f.Calls(storetest.Revision) + f.Calls(storetest.Objects) - before; reads != 0 {
		t.Errorf("typing errors made %d reads of the store", reads)
	}
}

func TestFault03AKeyIsShownOnce(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	g := c.gate(s)
	answer := makeKey(t, g, KeyRequest{})
	rotated, err := g.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil || rotated.Secret == answer.Secret {
		t.Fatal(err)
	}
	label := "other"
	updated, errUpdate := g.UpdateKey(t.Context(), answer.ID, KeyChange{Label: &label}, admin)
	one, errOne := g.Key(t.Context(), answer.ID, admin)
	list, errList := g.Keys(t.Context(), admin)
	revoked, errRevoke := g.RevokeKey(t.Context(), answer.ID, admin)
	rows, errRows := s.Activity(t.Context(), store.ActivityQuery{})
	if err := errors.Join(errUpdate, errOne, errList, errRevoke, errRows); err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal([]any{updated, one, list, revoked, rows, answer.KeyView, rotated.KeyView})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{answer.Secret, rotated.Secret} {
		for _, hidden := range []string{key, strings.Split(key, "_")[2], access.Hash(key)} {
			if bytes.Contains(shown, []byte(hidden)) {
				t.Errorf("%s is shown again", hidden)
			}
		}
	}
	if len(one.Secrets) != 2 || one.Prefix != "dsk_"+answer.ID {
		t.Errorf("%+v", one)
	}
}

// Keys are compared in the same time whatever is shown: with
// subtle.ConstantTimeCompare, every stored hash, without a way out before the end.
func TestFault04KeysAreComparedInConstantTime(t *testing.T) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "gate.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	returns, ways := 0, 0
	for _, declared := range file.Decls {
		f, ok := declared.(*ast.FuncDecl)
		if !ok || f.Name.Name != "matching" {
			continue
		}
		ast.Inspect(f, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CallExpr:
				if called, ok := node.Fun.(*ast.SelectorExpr); ok {
					calls[called.Sel.Name]++
				}
			case *ast.ReturnStmt:
				returns++
			case *ast.IfStmt, *ast.SwitchStmt, *ast.BranchStmt, *ast.BinaryExpr:
				ways++
			}
			return true
		})
	}
	if calls["ConstantTimeCompare"] != 1 || calls["ConstantTimeSelect"] != 1 || returns != 1 || ways != 0 {
		t.Errorf("matching calls %v, returns %d times and decides %d times", calls, returns, ways)
	}
	// Nothing else looks at a hash: no == between texts of hashes anywhere in the gate.
	for _, name := range []string{"gate.go", "keys.go", "sessions.go", "limits.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"Hash ==", "Hash !=", "hash ==", "Hash, hash)", "== access.Hash", "bytes.Equal", "EqualFold"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s compares with %q", name, bad)
			}
		}
	}
	hash := access.Hash("a")
	for at, hashes := range [][secretsAlive]string{{hash, noHash}, {noHash, hash}} {
		if got := matching(hash, hashes); got != at {
			t.Errorf("matching: %d, want %d", got, at)
		}
	}
	for _, k := range []*liveKey{nil, {}} {
		if got := matching(hash, storedHashes(k)); got != -1 {
			t.Errorf("a key without secrets has %d", got)
		}
	}
}

func TestFault05ARevokedKeyIsRefusedAtOnceAndElsewhereWithin5s(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(g *Gate, id string) error
		want DeniedReason
	}{
		"revoked": {func(g *Gate, id string) error { _, err := g.RevokeKey(t.Context(), id, admin); return err }, DeniedRevoked},
		"disabled": {func(g *Gate, id string) error {
			yes := true
			_, err := g.UpdateKey(t.Context(), id, KeyChange{Disabled: &yes}, admin)
			return err
		}, DeniedRevoked},
		"rotated at once": {func(g *Gate, id string) error { _, err := g.RotateKey(t.Context(), id, 0, admin); return err }, DeniedUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dayshift.db")
			c := newGateClock()
			here, there := c.gate(sqliteStore(t, path)), c.gate(sqliteStore(t, path))
			answer := makeKey(t, here, KeyRequest{Rate: plenty})
			principal, _, err := here.Authenticate(t.Context(), answer.Secret, "192.0.2.1", c.now())
			if err != nil {
				t.Fatal(err)
			}
			session, _, err := here.SignIn(t.Context(), principal, c.now())
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range []*Gate{here, there} {
				wantReason(t, "before", enters(g, c, answer.Secret, "192.0.2.1"), "")
				signed, _, err := g.Session(t.Context(), session, "192.0.2.1", c.now())
				wantReason(t, "the session before", reasonOf(signed, err), "")
			}
			c.pass(time.Second)
			if err := end.do(here, answer.ID); err != nil {
				t.Fatal(err)
			}
			wantReason(t, "the next request", enters(here, c, answer.Secret, "192.0.2.1"), end.want)
			signed, _, err := here.Session(t.Context(), session, "192.0.2.1", c.now())
			if reasonOf(signed, err) == "" {
				t.Error("its session goes on")
			}
			c.pass(5 * time.Second)
			wantReason(t, "in the other process", enters(there, c, answer.Secret, "192.0.2.1"), end.want)
			signed, _, err = there.Session(t.Context(), session, "192.0.2.1", c.now())
			if reasonOf(signed, err) == "" {
				t.Error("its session goes on in the other process")
			}
		})
	}
}

// A key that another process made a moment ago works; made-up keys do not make
// the store work for each of them.
func TestANewKeyIsKnownElsewhereAtOnce(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	here, there := c.gate(f), c.gate(f)
	wantReason(t, "made up", enters(there, c, newSecret(t), "192.0.2.1"), DeniedUnknown)
	c.pass(newKeyAge)
	answer := makeKey(t, here, KeyRequest{})
	wantReason(t, "a new one", enters(there, c, answer.Secret, "192.0.2.2"), "")
	c.pass(newKeyAge)
	rotated, err := here.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil {
		t.Fatal(err)
	}
	wantReason(t, "a new secret", enters(there, c, rotated.Secret, "192.0.2.2"), "")
	before := f.Calls(storetest.Revision)
	for i := range 500 {
		c.pass(time.Millisecond)
		enters(there, c, newSecret(t), fmt.Sprintf("198.51.100.%d", i%250))
	}
	if looks := f.Calls(storetest.Revision) - before; looks > 5 {
		t.Errorf("500 made-up keys within half a second made %d looks into the store", looks)
	}
}

// Requests that run while the key is revoked: none that begins after RevokeKey
// has answered gets in, although others read the keys at the same time.
func TestFault05RevokedUnderLoad(t *testing.T) {
	for range 20 {
		c := newGateClock()
		g := c.gate(memory.New())
		answer := makeKey(t, g, KeyRequest{Rate: plenty})
		var revoked atomic.Bool
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 50 {
					after := revoked.Load()
					c.pass(500 * time.Millisecond) // so that the keys are read now and then
					if reason := enters(g, c, answer.Secret, "192.0.2.1"); reason == "" && after {
						t.Error("a revoked key got in")
					}
				}
			})
		}
		if _, err := g.RevokeKey(t.Context(), answer.ID, admin); err != nil {
			t.Error(err)
		}
		revoked.Store(true)
		group.Wait()
	}
}

func TestFault05ExpiredAndRotatedKeys(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	end := c.now().Add(10 * time.Hour)
	answer := makeKey(t, g, KeyRequest{Expires: &end})
	principal, _, err := g.Authenticate(t.Context(), answer.Secret, "", c.now())
	if err != nil {
		t.Fatal(err)
	}
	token, session, err := g.SignIn(t.Context(), principal, c.now())
	if err != nil || !session.Expires.Equal(end) {
		t.Errorf("a session may last until %s, its key until %s, %v", session.Expires, end, err)
	}
	rotated, err := g.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil || len(rotated.Secrets) != 2 {
		t.Fatalf("%+v, %v", rotated, err)
	}
	for _, key := range []string{answer.Secret, rotated.Secret} {
		wantReason(t, "both while it is rotated", enters(g, c, key, ""), "")
	}
	c.pass(time.Hour)
	wantReason(t, "the secret before", enters(g, c, answer.Secret, ""), DeniedExpired)
	wantReason(t, "the new one", enters(g, c, rotated.Secret, ""), "")
	again, err := g.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil {
		t.Fatal(err)
	}
	third, err := g.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil || len(third.Secrets) != 2 {
		t.Fatalf("%+v, %v: two are alive at most", third, err)
	}
	wantReason(t, "rotated twice", enters(g, c, rotated.Secret, ""), DeniedUnknown)
	wantReason(t, "rotated once", enters(g, c, again.Secret, ""), "")
	c.pass(9 * time.Hour)
	wantReason(t, "after its end", enters(g, c, third.Secret, ""), DeniedExpired)
	signed, _, err := g.Session(t.Context(), token, "", c.now())
	wantReason(t, "the session of a secret that was rotated twice", reasonOf(signed, err), DeniedUnknown)
	if _, err := g.RotateKey(t.Context(), answer.ID, 0, admin); err == nil {
		t.Error("an expired key is rotated")
	}
	later := c.now().Add(time.Hour)
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Expires: &later}, admin); err != nil {
		t.Fatal(err)
	}
	wantReason(t, "with a later end", enters(g, c, third.Secret, ""), "")
}

func TestFault09NobodyGetsInWhileTheStoreFails(t *testing.T) {
	down := errors.New("the disk is gone")
	for _, method := range []storetest.Method{storetest.Revision, storetest.Objects, storetest.Take, storetest.Counted} {
		f := storetest.NewFaulty(memory.New())
		c := newGateClock()
		answer := makeKey(t, c.gate(f), KeyRequest{Quota: &Quota{Limit: 1000, Per: "day"}})
		g := c.gate(f)
		f.Inject(storetest.Fault{Method: method, Err: down, Times: -1})
		for range 3 {
			principal, grant, err := g.Authenticate(t.Context(), answer.Secret, "", c.now())
			if !errors.Is(err, down) || principal.May(access.Read) || grant.Quota != nil {
				t.Errorf("%s fails: %+v, %v", method, principal, err)
			}
			if _, isDenied := errors.AsType[*DeniedError](err); isDenied {
				t.Errorf("%s fails, and the key is to blame: %v", method, err)
			}
			c.pass(time.Minute)
		}
		f.Heal()
		wantReason(t, "after it", enters(g, c, answer.Secret, ""), "")
		// What is known is good for a few seconds and not longer.
		f.Inject(storetest.Fault{Method: storetest.Revision, Err: down, Times: -1})
		c.pass(keyAge)
		wantReason(t, "later", enters(g, c, answer.Secret, ""), "error")
	}
	for _, method := range []storetest.Method{storetest.Session, storetest.Revision} {
		f := storetest.NewFaulty(memory.New())
		c := newGateClock()
		g := c.gate(f)
		token, _, err := g.SignIn(t.Context(), access.Principal{ID: "user:kim@example.com", Name: "kim", Role: access.Admin}, c.now())
		if err != nil {
			t.Fatal(err)
		}
		c.pass(time.Minute)
		f.Inject(storetest.Fault{Method: method, Err: down, Times: -1})
		if principal, _, err := g.Session(t.Context(), token, "", c.now()); !errors.Is(err, down) || principal.May(access.Read) {
			t.Errorf("%s fails: %+v, %v", method, principal, err)
		}
	}
	var none *Gate
	if _, _, err := none.Authenticate(t.Context(), newSecret(t), "", time.Now()); err == nil {
		t.Error("without a gate somebody gets in")
	}
}

func TestFault11TheRateIsExact(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	rate := Rate{PerSecond: 10, Burst: 20}
	answer := makeKey(t, g, KeyRequest{Rate: &rate})
	// wave lets 20 clients ask 10 times the limit at once and returns how many got in.
	wave := func() int {
		var admitted, denied atomic.Int64
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				for range 10 {
					_, grant, err := g.Authenticate(context.Background(), answer.Secret, "192.0.2.1", c.now())
					d, isDenied := errors.AsType[*DeniedError](err)
					switch {
					case err == nil:
						admitted.Add(1)
						if grant.Rate.Limit != 20 || grant.Rate.Remaining < 0 || grant.Rate.Remaining > 19 {
							t.Errorf("%+v", grant.Rate)
						}
					case !isDenied || d.Reason != DeniedRate || d.RetryAfter <= 0 || d.RetryAfter > 100*time.Millisecond || d.Grant.Rate.Remaining != 0:
						t.Errorf("%+v, %v", d, err)
					default:
						denied.Add(1)
					}
				}
			})
		}
		group.Wait()
		if admitted.Load()+denied.Load() != 200 {
			t.Errorf("%d and %d of 200", admitted.Load(), denied.Load())
		}
		return int(admitted.Load())
	}
	if got := wave(); got != 20 {
		t.Errorf("%d got in, the bucket holds 20", got)
	}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{time.Second, 10}, {99 * time.Millisecond, 0}, {time.Millisecond, 1}, {0, 0}, {time.Hour, 20}, {-time.Hour, 0}, {time.Hour + time.Second, 20}} {
		c.pass(step.pass)
		if step.pass < 0 { // a clock that is put back gives nothing and takes nothing for long
			if got := wave(); got > 0 {
				t.Errorf("a clock put back gives %d", got)
			}
			continue
		}
		if got := wave(); got != step.want {
			t.Errorf("after %s %d got in, want %d", step.pass, got, step.want)
		}
	}
}

// However requests come, in no stretch of time more get in than the bucket and what flowed into it.
func TestFault11NoStretchHasMore(t *testing.T) {
	rate := Rate{PerSecond: 3, Burst: 7}
	var b bucket
	now := newGateClock().now()
	var admitted []time.Time
	for i := range 5000 {
		now = now.Add(time.Duration((i*7919)%211) * time.Millisecond)
		if _, wait := b.ask(now, rate); wait == 0 {
			admitted = append(admitted, now)
		} else if _, again := b.ask(now.Add(wait), rate); again != 0 {
			t.Fatalf("Retry-After of %s is too short", wait)
		} else {
			now = now.Add(wait)
			admitted = append(admitted, now)
		}
	}
	for i := range admitted {
		for j := i; j < min(len(admitted), i+200); j++ {
			if most := 7 + 3*admitted[j].Sub(admitted[i]).Seconds(); float64(j-i+1) > most+1e-6 {
				t.Fatalf("%d got in within %s, at most %.2f", j-i+1, admitted[j].Sub(admitted[i]), most)
			}
		}
	}
}

func TestFault12TheQuotaIsExactAcrossProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	c := newGateClock()
	stores := []*sqlstore.Store{sqliteStore(t, path), sqliteStore(t, path)}
	gates := []*Gate{c.gate(stores[0]), c.gate(stores[1])}
	rush := func(key string) (admitted int) {
		t.Helper()
		var in atomic.Int64
		var group sync.WaitGroup
		for i := range 1000 {
			group.Go(func() {
				_, _, err := gates[i%2].Authenticate(context.Background(), key, "192.0.2.1", c.now())
				if denied, ok := errors.AsType[*DeniedError](err); err == nil {
					in.Add(1)
				} else if !ok || denied.Reason != DeniedQuota || denied.RetryAfter != 12*time.Hour {
					t.Error(err)
				}
			})
		}
		group.Wait()
		return int(in.Load())
	}
	for _, limit := range []int64{1, 10, 500, 1000} {
		answer := makeKey(t, gates[0], KeyRequest{Rate: plenty, Quota: &Quota{Limit: limit, Per: "day"}})
		c.pass(5 * time.Second) // the other process gets to know it
		start, _ := Quota{Per: "day"}.window(c.now())
		if limit > 1 {
			if _, err := stores[0].Take(t.Context(), quotaCounter(answer.ID, "day"), start, limit-1, limit); err != nil {
				t.Fatal(err)
			}
		}
		c.pass(-5 * time.Second)
		gates[0].renew()
		gates[1].renew()
		if got := rush(answer.Secret); got != 1 {
			t.Errorf("limit %d, one left: %d of 1,000 got in, want exactly 1", limit, got)
		}
		whole := makeKey(t, gates[0], KeyRequest{Rate: plenty, Quota: &Quota{Limit: limit, Per: "day"}})
		gates[1].renew()
		if got := rush(whole.Secret) + rush(whole.Secret); got != int(limit) {
			t.Errorf("limit %d: %d of 2,000 got in", limit, got)
		}
	}
}

func TestQuotaWindows(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, test := range []struct{ per, now, start, end string }{
		{"day", "2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z"},
		{"day", "2027-03-01T08:59:59+09:00", "2027-02-28T00:00:00Z", "2027-03-01T00:00:00Z"},
		{"week", "2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z", "2027-03-08T00:00:00Z"}, // a Monday
		{"week", "2027-03-07T23:59:59Z", "2027-03-01T00:00:00Z", "2027-03-08T00:00:00Z"}, // a Sunday
		{"week", "2027-01-01T12:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		{"month", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"month", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		start, end := Quota{Per: test.per}.window(at(test.now))
		if !start.Equal(at(test.start)) || !end.Equal(at(test.end)) || start.Location() != time.UTC {
			t.Errorf("%s of %s: %s to %s, want %s to %s", test.per, test.now, start, end, test.start, test.end)
		}
	}
}

// Far from its limit a quota costs a write now and then; when it is lowered,
// what was reserved under the old limit is not given out.
func TestQuotaIsReservedInParts(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	g := c.gate(f)
	answer := makeKey(t, g, KeyRequest{Rate: plenty, Quota: &Quota{Limit: 10_000, Per: "month"}})
	for i := range 1000 {
		_, grant, err := g.Authenticate(t.Context(), answer.Secret, "", c.now())
		if err != nil || grant.Quota == nil || grant.Quota.Remaining != int64(10_000-i-1) {
			t.Fatalf("request %d: %+v, %v", i+1, grant.Quota, err)
		}
	}
	if writes := f.Calls(storetest.Take); writes > 20 {
		t.Errorf("1,000 requests made %d writes", writes)
	}
	if touches := f.Calls(storetest.Touch); touches != 1 {
		t.Errorf("its last use was written %d times within a minute", touches)
	}
	view, err := g.Key(t.Context(), answer.ID, admin)
	if err != nil || view.Quota.Used < 1000 || view.Quota.Used > 1064 || !view.LastUsed.Equal(c.now()) {
		t.Errorf("%+v, %v", view, err)
	}
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Quota: &Quota{Limit: 1000, Per: "month"}}, admin); err != nil {
		t.Fatal(err)
	}
	wantReason(t, "after the limit was lowered", enters(g, c, answer.Secret, ""), DeniedQuota)
	for range 50 {
		wantReason(t, "again", enters(g, c, answer.Secret, ""), DeniedQuota)
	}
	if writes := f.Calls(storetest.Take); writes > 21 {
		t.Errorf("whoever is out of quota makes %d writes", writes)
	}
	c.pass(31 * 24 * time.Hour)
	wantReason(t, "next month", enters(g, c, answer.Secret, ""), "")
}

func TestFault13GuessesAreThrottledPerAddress(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	answer := makeKey(t, g, KeyRequest{Rate: plenty})
	other := makeKey(t, g, KeyRequest{Rate: plenty})
	if float64(guessRate.PerSecond) >= DefaultRate.PerSecond || guessRate.Burst >= DefaultRate.Burst {
		t.Error("guesses are not throttled more than requests")
	}
	wantReason(t, "a neighbour who was there before", enters(g, c, answer.Secret, "192.0.2.7"), "")
	// Many at once try wrong keys, one of them with the ID of a real key.
	wrongKey, err := access.NewKey(cryptoReader{}, answer.ID)
	if err != nil {
		t.Fatal(err)
	}
	var unknown, guessing atomic.Int64
	var group sync.WaitGroup
	guesses := []string{newSecret(t), wrongKey.Text(), "hunter2", mistyped(answer.Secret)}
	for i := range 200 {
		group.Go(func() {
			switch reason := enters(g, c, guesses[i%len(guesses)], "192.0.2.7"); reason {
			case DeniedUnknown:
				unknown.Add(1)
			case DeniedGuessing:
				guessing.Add(1)
			default:
				t.Errorf("a guess: %q", reason)
			}
		})
	}
	group.Wait()
	if unknown.Load() != int64(guessRate.Burst) || guessing.Load() != int64(200-guessRate.Burst) {
		t.Errorf("%d guesses were looked at, exactly %d may be", unknown.Load(), guessRate.Burst)
	}
	wantReason(t, "a right key from there is no way to find one out", enters(g, c, other.Secret, "192.0.2.7"), DeniedGuessing)
	// Nobody else is locked out: neither who was there before, nor the owner of the key elsewhere.
	wantReason(t, "the neighbour", enters(g, c, answer.Secret, "192.0.2.7"), "")
	wantReason(t, "the key elsewhere", enters(g, c, answer.Secret, "192.0.2.8"), "")
	c.pass(6 * time.Second)
	wantReason(t, "one more guess", enters(g, c, guesses[0], "192.0.2.7"), DeniedUnknown)
	wantReason(t, "and no more", enters(g, c, guesses[0], "192.0.2.7"), DeniedGuessing)
	c.pass(time.Minute)
	wantReason(t, "a right key, later", enters(g, c, other.Secret, "192.0.2.7"), "")

	_, _, err = g.Authenticate(t.Context(), guesses[0], "2001:db8:1:2::1", c.now())
	for i := range 300 {
		_, _, err = g.Authenticate(t.Context(), guesses[0], fmt.Sprintf("2001:db8:1:2::%x", i), c.now())
	}
	if denied, ok := errors.AsType[*DeniedError](err); !ok || denied.Reason != DeniedGuessing || denied.RetryAfter <= 0 {
		t.Errorf("an IPv6 house guesses on: %v", err)
	}
}

// Strangers from a million addresses do not fill the memory.
func TestFault13MemoryIsBounded(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	for i := range maxAddresses + 5000 {
		enters(g, c, "hunter2", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if n := g.wrong.order.Len(); n != maxAddresses || len(g.wrong.byKey) != n {
		t.Errorf("%d addresses are kept, %d found", n, len(g.wrong.byKey))
	}
	r := newRecent[int](2)
	r.put("a", 1)
	r.put("b", 2)
	r.get("a")
	r.put("c", 3)
	_, a := r.get("a")
	_, b := r.get("b")
	if !a || b {
		t.Error("the one asked for last is forgotten first")
	}
}

func TestAddress(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:443": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1",
		"2001:db8::1": "2001:db8::/64", "[2001:db8::ffff]:8080": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "@": "@", "a\nb": "a b",
	} {
		if got := address(from); got != want {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
	if got := address(strings.Repeat("x", 10_000)); len(got) > 100 {
		t.Errorf("an address of %d bytes", len(got))
	}
}

func TestAnonymousIsLimitedPerAddress(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	in := 0
	for range 500 {
		principal, _, err := g.Anonymous("192.0.2.1", c.now())
		if err == nil {
			in++
			if principal.Role != access.Viewer || principal.Within != "" {
				t.Fatalf("%+v", principal)
			}
		}
	}
	if in != DefaultRate.Burst {
		t.Errorf("%d got in, want %d", in, DefaultRate.Burst)
	}
	if _, _, err := g.Anonymous("192.0.2.2", c.now()); err != nil {
		t.Error(err)
	}
}

// cryptoReader is crypto/rand.
type cryptoReader struct{}

func (cryptoReader) Read(b []byte) (int, error) { return rand.Read(b) }
