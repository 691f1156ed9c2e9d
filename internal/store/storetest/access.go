package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dayshift/internal/store"
)

// take takes and checks what was granted.
func take(t *testing.T, s store.Store, name string, window time.Time, n, limit, want int64) {
	t.Helper()
	if got, err := s.Take(t.Context(), name, window, n, limit); err != nil || got != want {
		t.Errorf("Take %d of %d in %s at %s: granted %d, %v, want %d", n, limit, name, window, got, err, want)
	}
}

func counted(t *testing.T, s store.Store, names ...string) []store.Counter {
	t.Helper()
	counters, err := s.Counted(t.Context(), names)
	if err != nil {
		t.Fatalf("Counted(%v): %v", names, err)
	}
	return counters
}

func testTake(t *testing.T, s store.Store) {
	take(t, s, "quota", monday, 1, 10, 1)
	take(t, s, "quota", monday, 7, 10, 7)
	take(t, s, "quota", monday, 7, 10, 2)
	take(t, s, "quota", monday, 1, 10, 0)
	take(t, s, "quota", monday, 5, 12, 2) // the limit was raised
	take(t, s, "quota", monday, 1, 5, 0)  // and lowered
	take(t, s, "quota", monday, 1, 0, 0)
	take(t, s, "other", monday, 3, 3, 3)
	equal(t, "counters", []store.Counter{{Name: "quota", Window: monday, Count: 12}, {Name: "other", Window: monday, Count: 3}}, counted(t, s, "quota", "other"))
}

func testTakeWindows(t *testing.T, s store.Store) {
	tuesday, wednesday := monday.Add(24*time.Hour), monday.Add(48*time.Hour)
	take(t, s, "quota", tuesday, 3, 10, 3)
	take(t, s, "quota", monday, 9, 10, 9) // of a process whose clock is behind
	take(t, s, "quota", monday, 9, 10, 1)
	take(t, s, "quota", tuesday, 9, 10, 7)
	take(t, s, "quota", wednesday, 4, 10, 4)
	take(t, s, "quota", monday, 1, 100, 0) // no longer known: in doubt, nothing
	take(t, s, "quota", tuesday, 1, 11, 1)
	take(t, s, "quota", wednesday.In(time.FixedZone("", 9*3600)), 4, 10, 4)
	equal(t, "the newest window", []store.Counter{{Name: "quota", Window: wednesday, Count: 8}}, counted(t, s, "quota"))
	take(t, s, "untouched", monday, 5, 0, 0)
	equal(t, "a window in which nothing was granted", []store.Counter{{Name: "untouched"}}, counted(t, s, "untouched"))
}

func testTakeRace(t *testing.T, s store.Store) { takeRace(t, s) }

// takeRace lets a thousand take the last that is left, and then more than is left in pieces.
func takeRace(t *testing.T, stores ...store.Store) {
	const takers, limit = 1000, 100
	take(t, stores[0], "quota", monday, limit-1, limit, limit-1)
	var granted atomic.Int64
	all := func(n func(i int) int64, name string) int64 {
		granted.Store(0)
		var group sync.WaitGroup
		for i := range takers {
			group.Go(func() {
				got, err := stores[i%len(stores)].Take(t.Context(), name, monday, n(i), limit)
				if err != nil {
					t.Errorf("Take: %v", err)
				}
				granted.Add(got)
			})
		}
		group.Wait()
		return granted.Load()
	}
	if got := all(func(int) int64 { return 1 }, "quota"); got != 1 {
		t.Errorf("%d of %d got the last one, want exactly 1", got, takers)
	}
	if got := all(func(i int) int64 { return int64(1 + i%7) }, "in pieces"); got != limit {
		t.Errorf("%d were granted in pieces, want exactly %d", got, limit)
	}
	for _, s := range stores {
		equal(t, "counted", []store.Counter{{Name: "quota", Window: monday, Count: limit}}, counted(t, s, "quota"))
	}
}

// twins are a store and the same data opened a second time.
func twins(t *testing.T, s store.Store, hooks Hooks) []store.Store {
	return []store.Store{s, hooks.Twin(t, s)}
}

func testTakeRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	for what, err := range map[string]error{
		"no name":            second(s.Take(ctx, "", monday, 1, 1)),
		"a name too long":    second(s.Take(ctx, strings.Repeat("n", store.MaxName+1), monday, 1, 1)),
		"a name with NUL":    second(s.Take(ctx, "a\x00", monday, 1, 1)),
		"nothing":            second(s.Take(ctx, "quota", monday, 0, 1)),
		"less than nothing":  second(s.Take(ctx, "quota", monday, -1, 1)),
		"a limit below 0":    second(s.Take(ctx, "quota", monday, 1, -1)),
		"a far window":       second(s.Take(ctx, "quota", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), 1, 1)),
		"a touch of nobody":  s.Touch(ctx, "", monday),
		"a touch at no time": s.Touch(ctx, "key", time.Time{}),
	} {
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	equal(t, "after it", []store.Counter{{Name: "quota"}, {Name: "key"}}, counted(t, s, "quota", "key"))
}

func second[T any](_ T, err error) error { return err }

func testTouch(t *testing.T, s store.Store) {
	at := monday.Add(123456789 * time.Nanosecond)
	for _, touched := range []time.Time{monday, at.In(time.FixedZone("", 3600)), monday.Add(-time.Hour)} {
		if err := s.Touch(t.Context(), "key", touched); err != nil {
			t.Fatalf("Touch: %v", err)
		}
	}
	equal(t, "the latest", []store.Counter{{Name: "key", Touched: store.Instant(at)}}, counted(t, s, "key"))
	take(t, s, "key", monday, 2, 5, 2)
	equal(t, "both", []store.Counter{{Name: "key", Window: monday, Count: 2, Touched: store.Instant(at)}}, counted(t, s, "key"))
}

func testCounted(t *testing.T, s store.Store) {
	take(t, s, "b", monday, 1, 5, 1)
	take(t, s, "a", monday, 2, 5, 2)
	equal(t, "counters", []store.Counter{{Name: "a", Window: monday, Count: 2}, {Name: "nobody"}, {Name: "b", Window: monday, Count: 1}, {Name: "a", Window: monday, Count: 2}},
		counted(t, s, "a", "nobody", "b", "a"))
	equal(t, "of none", []store.Counter{}, counted(t, s))
}

// session is a session ready to be saved, with everything set.
func session(owner string, minutes int) store.Session {
	at := monday.Add(time.Duration(minutes)*time.Minute + 123456*time.Microsecond)
	sum := sha256.Sum256([]byte(owner + at.String()))
	return store.Session{
		Hash: hex.EncodeToString(sum[:]), Owner: "user:" + owner, Name: owner, Role: "editor", Within: "tag:Env=dev", Proof: "0123456789ab",
		Created: at, Seen: at.Add(time.Minute), Expires: at.Add(time.Hour),
	}
}

func keep(t *testing.T, s store.Store, session store.Session, rows ...store.Activity) {
	t.Helper()
	if err := s.SaveSession(t.Context(), session, rows...); err != nil {
		t.Fatalf("SaveSession: %v", err)
	}
}

func sessions(t *testing.T, s store.Store) []store.Session {
	t.Helper()
	found, err := s.Sessions(t.Context(), "")
	if err != nil {
		t.Fatalf("Sessions: %v", err)
	}
	return found
}

func testSessions(t *testing.T, s store.Store) {
	equal(t, "none", []store.Session{}, sessions(t, s))
	example := session("kim", 0)
	for i, field := range reflect.ValueOf(example).Fields() {
		if field.IsZero() {
			t.Errorf("the example leaves %s out", i.Name)
		}
	}
	strange := session("lee", 1)
	strange.Name, strange.Seen = "Lee\x00 \xff", strange.Seen.In(time.FixedZone("", 9*3600))
	later := session("cho", 2)
	keep(t, s, later)
	keep(t, s, example)
	keep(t, s, strange)
	strange.Name, strange.Seen = "Lee\uFFFD \uFFFD", strange.Seen.UTC()
	equal(t, "all", []store.Session{example, strange, later}, sessions(t, s))
	for _, one := range []store.Session{example, strange} {
		of, err := s.Sessions(t.Context(), one.Owner)
		if err != nil {
			t.Fatalf("Sessions: %v", err)
		}
		equal(t, "of one owner", slices.DeleteFunc([]store.Session{example, strange, later}, func(s store.Session) bool { return s.Owner != one.Owner }), of)
	}
	none, err := s.Sessions(t.Context(), "user:nobody")
	if err != nil {
		t.Fatalf("Sessions: %v", err)
	}
	equal(t, "of nobody", []store.Session{}, none)
	one, err := s.Session(t.Context(), strange.Hash)
	if err != nil {
		t.Fatalf("Session: %v", err)
	}
	equal(t, "one", strange, one)
	_, err = s.Session(t.Context(), session("nobody", 0).Hash)
	wantErr(t, "an unknown one", err, store.ErrNotFound)
	wantErr(t, "one that there is", s.SaveSession(t.Context(), example, event(0, "web")), store.ErrConflict)
	holds(t, s, 0)
	for _, at := range []time.Time{monday.Add(time.Hour), monday} {
		if err := s.SeeSession(t.Context(), example.Hash, at); err != nil {
			t.Fatalf("SeeSession: %v", err)
		}
	}
	example.Seen = monday.Add(time.Hour)
	equal(t, "seen", []store.Session{example, strange, later}, sessions(t, s))
	if n := revision(t, s); n != 0 {
		t.Errorf("sessions are no objects, and yet the revision is %d", n)
	}
}

func testSessionsRefused(t *testing.T, s store.Store) {
	for what, spoil := range map[string]func(*store.Session){
		"no hash":             func(o *store.Session) { o.Hash = "" },
		"a token as its hash": func(o *store.Session) { o.Hash = "dss_0123" },
		"a hash in capitals":  func(o *store.Session) { o.Hash = strings.ToUpper(o.Hash) },
		"no owner":            func(o *store.Session) { o.Owner = "" },
		"no beginning":        func(o *store.Session) { o.Created = time.Time{} },
		"no end":              func(o *store.Session) { o.Expires = time.Time{} },
		"never used":          func(o *store.Session) { o.Seen = time.Time{} },
		"a far end":           func(o *store.Session) { o.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		o := session("kim", 0)
		spoil(&o)
		if err := s.SaveSession(t.Context(), o, event(0, "web")); err == nil {
			t.Errorf("%s is kept", what)
		}
	}
	equal(t, "after it", []store.Session{}, sessions(t, s))
	holds(t, s, 0)
}

func testSessionRows(t *testing.T, s store.Store) {
	first, second := session("kim", 0), session("lee", 1)
	bad := event(0, "web")
	bad.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.SaveSession(t.Context(), first, bad); err == nil {
		t.Error("a row that can not be kept is kept")
	}
	equal(t, "without its row", []store.Session{}, sessions(t, s))
	keep(t, s, first, event(0, "in"))
	keep(t, s, second, event(1, "in"))
	if _, err := s.EndSessions(t.Context(), []string{first.Hash}, bad); err == nil {
		t.Error("a row that can not be kept is kept")
	}
	equal(t, "not ended without its row", 2, len(sessions(t, s)))
	for _, want := range []int{2, 0} {
		ended, err := s.EndSessions(t.Context(), []string{first.Hash, session("nobody", 0).Hash, second.Hash, first.Hash}, event(2, "out"))
		if err != nil || ended != want {
			t.Errorf("EndSessions: %d, %v, want %d", ended, err, want)
		}
	}
	if ended, err := s.EndSessions(t.Context(), nil, event(2, "out")); err != nil || ended != 0 {
		t.Errorf("EndSessions of none: %d, %v", ended, err)
	}
	holds(t, s, 3)
	many := make([]string, 0, 1200)
	for i := range cap(many) {
		many = append(many, session("many", i).Hash)
	}
	keep(t, s, first)
	if ended, err := s.EndSessions(t.Context(), append(many, first.Hash)); err != nil || ended != 1 {
		t.Errorf("EndSessions of many: %d, %v", ended, err)
	}
}

func testSessionEnded(t *testing.T, s store.Store) {
	o := session("kim", 0)
	keep(t, s, o)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				if err := s.SeeSession(t.Context(), o.Hash, monday.Add(time.Hour)); err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("SeeSession: %v", err)
				}
			}
		})
	}
	if ended, err := s.EndSessions(t.Context(), []string{o.Hash}); err != nil || ended != 1 {
		t.Errorf("EndSessions: %d, %v", ended, err)
	}
	group.Wait()
	equal(t, "after it", []store.Session{}, sessions(t, s))
	wantErr(t, "seen after its end", s.SeeSession(t.Context(), o.Hash, monday), store.ErrNotFound)
}

func testTwinSessions(t *testing.T, s store.Store, hooks Hooks) {
	other := hooks.Twin(t, s)
	o := session("kim", 0)
	keep(t, s, o)
	equal(t, "what the other sees", []store.Session{o}, sessions(t, other))
	if ended, err := other.EndSessions(context.WithoutCancel(t.Context()), []string{o.Hash}); err != nil || ended != 1 {
		t.Errorf("EndSessions by the other: %d, %v", ended, err)
	}
	_, err := s.Session(t.Context(), o.Hash)
	wantErr(t, "one that the other ended", err, store.ErrNotFound)
	if slices.ContainsFunc(sessions(t, s), func(held store.Session) bool { return held.Hash == o.Hash }) {
		t.Error("it is still listed")
	}
}
