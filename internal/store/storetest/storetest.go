// Package storetest examines store engines: Exercise is the one examination
// that each of them passes, Faulty makes a store fail where a test wants it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Hooks are what only some engines can do; nil ones are left out.
type Hooks struct {
	// Reopen ends the store without a chance to tidy up where the engine can do
	// so, and opens the same data again.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Tamper replaces the activity rows behind the store's back by what edit
	// makes of them, and leaves the head that the engine keeps as it is.
	Tamper func(t *testing.T, s store.Store, edit func([]store.Activity) []store.Activity)
	// Twin opens the same data a second time, as another process would.
	Twin func(t *testing.T, s store.Store) store.Store
}

// Exercise examines an engine. open returns a new, empty store that is closed
// when its test ends.
func Exercise(t *testing.T, open func(t *testing.T) store.Store, hooks Hooks) {
	tests := map[string]func(t *testing.T, s store.Store){
		"a lease has one holder":                                testLeaseHolder,
		"a lease that ended is taken over":                      testLeaseTakeover,
		"a lease is renewed until it is lost":                   testLeaseRenew,
		"a released lease is free and keeps its term":           testLeaseRelease,
		"leases of different names are apart":                   testLeaseNames,
		"a lease that makes no sense is refused":                testLeaseRefused,
		"one of many wins the lease":                            testLeaseRace,
		"a write without its lease is fenced":                   testFenced,
		"a write while the lease is taken over is whole or not": testFencedRace,
		"memories come back as they were saved":                 testMemoryRoundTrip,
		"memories are replaced":                                 testMemoryReplace,
		"memories of a scope are its own":                       testMemoryScopes,
		"memories are saved all or none":                        testMemoryAllOrNone,
		"memories and their rows never part":                    testMemoriesWithRows,
		"the examples leave nothing out":                        testExamples,
		"memories of scopes come back as they were saved":       testScopeMemory,
		"memories of scopes and their rows never part":          testScopesWithRows,
		"memories of scopes that can not be kept are refused":   testScopesRefused,
		"memories of scopes are copies":                         testScopeCopies,
		"objects have versions":                                 testObjectVersions,
		"objects are listed by kind and name":                   testObjectList,
		"objects that can not be kept are refused":              testObjectRefused,
		"objects and their rows never part":                     testObjectRows,
		"objects are copies":                                    testObjectCopies,
		"objects of a large size and with strange text":         testObjectStrange,
		"objects changed at random":                             testObjectWalk,
		"one of many changes of an object wins":                 testObjectRace,
		"fault 6.44: no text is taken for a statement":          testInjections,
		"activity keeps its chain of steps":                     testActivitySteps,
		"a counter grants up to its limit":                      testTake,
		"a counter keeps two windows":                           testTakeWindows,
		"of many takers one gets the last":                      testTakeRace,
		"a counter that makes no sense is refused":              testTakeRefused,
		"the latest touch counts":                               testTouch,
		"counters are told in the order asked for":              testCounted,
		"sessions come back as they were saved":                 testSessions,
		"sessions that can not be kept are refused":             testSessionsRefused,
		"sessions and their rows never part":                    testSessionRows,
		"a session that was ended does not come back":           testSessionEnded,
		"slips come back until they are over":                   testSlips,
		"a slip takes the place of what was read":               testSlipReplaced,
		"slips are bounded and swept by kind":                   testSlipBounds,
		"of many who put or take a slip one does":               testSlipRace,
		"slips that can not be kept are refused":                testSlipsRefused,
		"memories are ordered by ref":                           testMemoryOrder,
		"memories are dropped":                                  testMemoryDrop,
		"memories that can not be kept are refused":             testMemoryRefused,
		"memories are copies":                                   testMemoryCopies,
		"very many memories":                                    testMemoryMany,
		"walking all memories":                                  testMemoryWalk,
		"runs come back as they were saved":                     testRuns,
		"runs that can not be kept are refused":                 testRunsRefused,
		"records come back as they were saved":                  testRecords,
		"records are replaced and dropped":                      testRecordReplace,
		"records are ordered by the bytes of their names":       testRecordOrder,
		"records are asked for page by page":                    testRecordPages,
		"records and their rows never part":                     testRecordRows,
		"records written twice are written once":                testRecordRepeated,
		"records that can not be kept are refused":              testRecordRefused,
		"records are copies":                                    testRecordCopies,
		"records saved and asked for at random":                 testRecordWalk,
		"activity is numbered and chained":                      testActivityChain,
		"activity is appended all or none":                      testActivityAllOrNone,
		"activity is asked for":                                 testActivityQueries,
		"activity of many writers is one chain":                 testActivityRace,
		"strange text":                                          testStrangeText,
		"times":                                                 testTimes,
		"a canceled context":                                    testCanceled,
		"everything at once":                                    testConcurrent,
		"a closed store":                                        testClosed,
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) { tests[name](t, open(t)) })
	}
	if hooks.Reopen != nil {
		t.Run("everything survives a reopening", func(t *testing.T) { testReopen(t, open(t), hooks) })
	}
	if hooks.Tamper != nil {
		testTamper(t, open, hooks)
	}
	if hooks.Twin != nil {
		t.Run("two processes share leases", func(t *testing.T) { testTwinLease(t, open(t), hooks) })
		t.Run("two processes change objects", func(t *testing.T) { testTwinObjects(t, open(t), hooks) })
		t.Run("two processes change one object at once", func(t *testing.T) { testTwinObjectRace(t, open(t), hooks) })
		t.Run("of many takers in two processes one gets the last", func(t *testing.T) { takeRace(t, twins(t, open(t), hooks)...) })
		t.Run("two processes share sessions", func(t *testing.T) { testTwinSessions(t, open(t), hooks) })
		t.Run("two processes share slips", func(t *testing.T) { slipRace(t, twins(t, open(t), hooks)...) })
		t.Run("two processes share records", func(t *testing.T) { testTwinRecords(t, open(t), hooks) })
		t.Run("two processes append one chain", func(t *testing.T) { testTwinChain(t, open(t), hooks) })
		t.Run("one process reads while another writes", func(t *testing.T) { testTwinRead(t, open(t), hooks) })
	}
}

// monday is a Monday at nine in Seoul, the instant around which the tests play.
var monday = time.Date(2027, 1, 4, 0, 0, 0, 0, time.UTC)

var (
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	beijing = fleet.Scope{Account: "444455556666", Region: "cn-north-1"}
)

func ref(scope fleet.Scope, id string) fleet.Ref {
	return fleet.Ref{Scope: scope, Kind: fleet.EC2Instance, ID: id}
}

// full is a memory with every field set, whatever it has.
func full(r fleet.Ref) decide.Memory {
	at := func(minutes int) time.Time {
		return monday.Add(time.Duration(minutes)*time.Minute + 123456*time.Microsecond)
	}
	var m decide.Memory
	fill(reflect.ValueOf(&m).Elem())
	m.Ref, m.Name, m.Schedule, m.Last, m.Seen = r, "web-1", "seoul-office", decide.StartFailed, fleet.Stopped
	m.LastError = "InsufficientInstanceCapacity: try later"
	// Different times, so that none can be taken for another.
	m.FirstSeen, m.DecidedAt, m.Announced, m.Warned, m.SeenAt = at(1), at(2), at(3), at(4), at(5)
	m.ManualSince, m.AutoRestartAt, m.BarredUntil, m.NotBefore = at(6), at(7), at(8), at(10)
	m.Intent.Verb, m.Intent.At, m.Intent.Accepted = fleet.Start, at(8), at(9)
	return m
}

// fullScope is a memory of a scope with everything set, whatever it has.
func fullScope(scope fleet.Scope, config string) decide.ScopeMemory {
	var m decide.ScopeMemory
	fill(reflect.ValueOf(&m).Elem())
	m.Scope, m.Config = scope, config
	return m
}

// fill sets everything in v, down to the elements of its lists and maps.
func fill(v reflect.Value) {
	if _, isTime := reflect.TypeAssert[time.Time](v); isTime {
		v.Set(reflect.ValueOf(monday.Add(123456 * time.Microsecond)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, element)
	default:
		panic("fill does not know " + v.Type().String())
	}
}

// change makes everything in v another value, in place: what was handed in or
// out and is kept by reference changes with it.
func change(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(monday.Add(time.Hour)))
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			change(field)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			change(v.Index(i))
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			change(element)
			v.SetMapIndex(key, element)
		}
	case v.Kind() == reflect.String:
		v.SetString("changed")
	case v.CanInt():
		v.SetInt(99)
	}
}

func event(minutes int, name string) store.Activity {
	return store.Activity{
		At: monday.Add(time.Duration(minutes) * time.Minute), Run: "run-1", Actor: "dayshift",
		Event: store.EventStartAccepted, Ref: ref(seoul, "i-"+name), Name: name, Schedule: "seoul-office",
		Reason: "period-began", Detail: "office began at 09:00",
	}
}

func acquire(t *testing.T, s store.Store, holder string) store.Lease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), "main", holder, monday, time.Minute)
	if err != nil {
		t.Fatalf("Acquire by %s: %v", holder, err)
	}
	return lease
}

func save(t *testing.T, s store.Store, lease store.Lease, memories ...decide.Memory) {
	t.Helper()
	if err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: memories}); err != nil {
		t.Fatalf("SaveChanges: %v", err)
	}
}

func add(t *testing.T, s store.Store, rows ...store.Activity) {
	t.Helper()
	if err := s.Append(t.Context(), store.Lease{}, rows); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func all(t *testing.T, s store.Store) []decide.Memory {
	t.Helper()
	memories := []decide.Memory{}
	err := s.AllMemories(t.Context(), func(m decide.Memory) error {
		memories = append(memories, m)
		return nil
	})
	if err != nil {
		t.Fatalf("AllMemories: %v", err)
	}
	return memories
}

func rows(t *testing.T, s store.Store, query store.ActivityQuery) []store.Activity {
	t.Helper()
	found, err := s.Activity(t.Context(), query)
	if err != nil {
		t.Fatalf("Activity(%+v): %v", query, err)
	}
	return found
}

func equal[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if reflect.DeepEqual(want, got) { // a diff of a thousand rows takes long even when it is empty
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want one that is %q", what, err, want)
	}
}

// holds checks that the chain verifies and counts the rows.
func holds(t *testing.T, s store.Store, count int64) {
	t.Helper()
	v, err := s.Verify(t.Context())
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if v.BadAt != 0 || v.Rows != count {
		t.Fatalf("Verify: %+v, want %d rows that hold", v, count)
	}
}

func testLeaseHolder(t *testing.T, s store.Store) {
	ctx := t.Context()
	lease := acquire(t, s, "host-a")
	equal(t, "first lease", store.Lease{Name: "main", Holder: "host-a", Term: 1, Expires: monday.Add(time.Minute)}, lease)

	held, err := s.Acquire(ctx, "main", "host-b", monday.Add(30*time.Second), time.Minute)
	wantErr(t, "Acquire of a held lease", err, store.ErrHeld)
	equal(t, "who holds it", lease, held)
	if err != nil && !strings.Contains(err.Error(), "host-a") {
		t.Errorf("the error does not say who holds the lease: %v", err)
	}

	again, err := s.Acquire(ctx, "main", "host-a", monday.Add(40*time.Second), time.Minute)
	if err != nil {
		t.Fatalf("Acquire by its holder: %v", err)
	}
	equal(t, "the holder's own lease keeps its term",
		store.Lease{Name: "main", Holder: "host-a", Term: 1, Expires: monday.Add(100 * time.Second)}, again)
}

func testLeaseTakeover(t *testing.T, s store.Store) {
	ctx := t.Context()
	first := acquire(t, s, "host-a")
	if _, err := s.Acquire(ctx, "main", "host-b", first.Expires.Add(-time.Microsecond), time.Minute); !errors.Is(err, store.ErrHeld) {
		t.Errorf("a microsecond before its end: got %v, want ErrHeld", err)
	}
	second, err := s.Acquire(ctx, "main", "host-b", first.Expires, time.Minute)
	if err != nil {
		t.Fatalf("Acquire at its end: %v", err)
	}
	equal(t, "the term grows", store.Lease{Name: "main", Holder: "host-b", Term: 2, Expires: first.Expires.Add(time.Minute)}, second)
	_, err = s.Acquire(ctx, "main", "host-a", first.Expires.Add(time.Second), time.Minute)
	wantErr(t, "the holder before comes back", err, store.ErrHeld)

	// Its own lease that ended is its own again: nobody was in between.
	third, err := s.Acquire(ctx, "main", "host-b", second.Expires.Add(time.Hour), time.Minute)
	if err != nil || third.Term != 2 {
		t.Errorf("the same holder after the end: %+v, %v, want term 2", third, err)
	}
}

func testLeaseRenew(t *testing.T, s store.Store) {
	ctx := t.Context()
	lease := acquire(t, s, "host-a")
	renewed, err := s.Renew(ctx, lease, monday.Add(20*time.Second), time.Minute)
	if err != nil {
		t.Fatalf("Renew: %v", err)
	}
	equal(t, "renewed", store.Lease{Name: "main", Holder: "host-a", Term: 1, Expires: monday.Add(80 * time.Second)}, renewed)

	late, err := s.Renew(ctx, renewed, monday.Add(time.Hour), time.Minute)
	if err != nil {
		t.Fatalf("Renew after its end without a successor: %v", err)
	}
	if _, err := s.Acquire(ctx, "main", "host-b", late.Expires, time.Minute); err != nil {
		t.Fatalf("Acquire by the successor: %v", err)
	}
	lost, err := s.Renew(ctx, late, late.Expires.Add(time.Second), time.Minute)
	wantErr(t, "Renew after the takeover", err, store.ErrFenced)
	equal(t, "nothing is renewed", store.Lease{}, lost)

	never := store.Lease{Name: "never taken", Holder: "host-a", Term: 1}
	_, err = s.Renew(ctx, never, monday, time.Minute)
	wantErr(t, "Renew of a lease never taken", err, store.ErrFenced)
	_, err = s.Renew(ctx, store.Lease{Name: "never taken"}, monday, time.Minute)
	wantErr(t, "Renew of no lease", err, store.ErrFenced)
}

func testLeaseRelease(t *testing.T, s store.Store) {
	ctx := t.Context()
	lease := acquire(t, s, "host-a")
	if held, err := s.Held(ctx, lease.Name); err != nil || held != lease {
		t.Errorf("held is %v, %v; want %v", held, err, lease)
	}
	if err := s.Release(ctx, lease); err != nil {
		t.Fatalf("Release: %v", err)
	}
	if held, err := s.Held(ctx, lease.Name); err != nil || held.Holder != "" || held.Name != lease.Name {
		t.Errorf("after Release held is %v, %v", held, err)
	}
	if held, err := s.Held(ctx, "never taken"); err != nil || held.Holder != "" {
		t.Errorf("a lease never taken is held: %v, %v", held, err)
	}
	if err := s.Release(ctx, lease); err != nil {
		t.Errorf("Release again: %v", err)
	}
	_, err := s.Renew(ctx, lease, monday, time.Minute)
	wantErr(t, "Renew after Release", err, store.ErrFenced)
	wantErr(t, "a write after Release", s.SaveChanges(ctx, lease, store.Changes{}), store.ErrFenced)

	next := acquire(t, s, "host-a")
	if next.Term != 2 {
		t.Errorf("term after a release is %d, want 2", next.Term)
	}
	if err := s.Release(ctx, lease); err != nil {
		t.Errorf("Release of an older term: %v", err)
	}
	if _, err := s.Renew(ctx, next, monday, time.Minute); err != nil {
		t.Errorf("an older term's release took the lease away: %v", err)
	}
	if err := s.Release(ctx, store.Lease{Name: "never taken"}); err != nil {
		t.Errorf("Release of a lease never taken: %v", err)
	}
}

func testLeaseNames(t *testing.T, s store.Store) {
	acquire(t, s, "host-a")
	for _, name := range []string{"Main", "main ", "notify", `'; DROP TABLE leases; --`, "임대"} {
		lease, err := s.Acquire(t.Context(), name, "host-b", monday, time.Minute)
		if err != nil || lease.Term != 1 || lease.Name != name {
			t.Errorf("Acquire(%q): %+v, %v, want term 1", name, lease, err)
		}
	}
}

func testLeaseRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, test := range []struct {
		name, holder string
		ttl          time.Duration
	}{{"", "host-a", time.Minute}, {"main", "", time.Minute}, {"main", "host-a", 0}, {"main", "host-a", -time.Second}} {
		if lease, err := s.Acquire(ctx, test.name, test.holder, monday, test.ttl); err == nil {
			t.Errorf("Acquire(%q, %q, ttl %s) granted %+v", test.name, test.holder, test.ttl, lease)
		}
	}
	lease := acquire(t, s, "host-a")
	if _, err := s.Renew(ctx, lease, monday, 0); err == nil || errors.Is(err, store.ErrFenced) {
		t.Errorf("Renew for no time: %v", err)
	}
}

func testLeaseRace(t *testing.T, s store.Store) {
	const hosts = 8
	won := make(chan store.Lease, hosts)
	var all sync.WaitGroup
	for i := range hosts {
		all.Go(func() {
			lease, err := s.Acquire(t.Context(), "main", fmt.Sprintf("host-%d", i), monday, time.Minute)
			switch {
			case err == nil:
				won <- lease
			case !errors.Is(err, store.ErrHeld):
				t.Errorf("host-%d: %v", i, err)
			}
		})
	}
	all.Wait()
	close(won)
	var winners []store.Lease
	for lease := range won {
		winners = append(winners, lease)
	}
	if len(winners) != 1 || winners[0].Term != 1 {
		t.Errorf("winners: %+v, want one with term 1", winners)
	}
}

func testFenced(t *testing.T, s store.Store) {
	ctx := t.Context()
	paused := acquire(t, s, "host-a")
	kept := full(ref(seoul, "i-1"))
	save(t, s, paused, kept)
	expired := paused.Expires.Add(time.Second)
	// Expired, but nobody has taken over: what it knows is still the truth.
	save(t, s, paused, kept)
	successor, err := s.Acquire(ctx, "main", "host-b", expired, time.Minute)
	if err != nil {
		t.Fatalf("Acquire by the successor: %v", err)
	}
	changed := kept
	changed.Last = decide.WasStopped
	run := store.Run{ID: "run-1", Started: monday}
	same := successor
	same.Holder = "host-a" // the right term in the wrong hands
	for name, lease := range map[string]store.Lease{
		"the paused holder": paused, "the wrong holder": same,
		"a term to come": {Name: "main", Holder: "host-b", Term: 3},
		"no lease":       {}, "a negative term": {Name: "main", Holder: "host-b", Term: -2},
		"a lease never taken": {Name: "other", Holder: "host-b", Term: 2},
	} {
		wantErr(t, name+": SaveChanges", s.SaveChanges(ctx, lease, store.Changes{Memories: []decide.Memory{changed}}), store.ErrFenced)
		wantErr(t, name+": SaveChanges of everything", s.SaveChanges(ctx, lease, store.Changes{
			Memories: []decide.Memory{changed}, Scopes: []decide.ScopeMemory{fullScope(seoul, "c")}, Activity: []store.Activity{event(0, "web")},
		}), store.ErrFenced)
		wantErr(t, name+": SaveChanges of nothing", s.SaveChanges(ctx, lease, store.Changes{}), store.ErrFenced)
		wantErr(t, name+": DropMemories", s.DropMemories(ctx, lease, []fleet.Ref{kept.Ref}), store.ErrFenced)
		wantErr(t, name+": SaveRecords", s.SaveRecords(ctx, lease, []store.Record{record("run-1", 0)}, event(0, "web")), store.ErrFenced)
		wantErr(t, name+": SaveRecords of nothing", s.SaveRecords(ctx, lease, nil), store.ErrFenced)
		wantErr(t, name+": SaveRun", s.SaveRun(ctx, lease, run), store.ErrFenced)
		if lease.Term != 0 {
			wantErr(t, name+": Append", s.Append(ctx, lease, []store.Activity{event(0, "web")}), store.ErrFenced)
		}
	}
	equal(t, "nothing has changed", []decide.Memory{kept}, all(t, s))
	equal(t, "no record was made", []store.Record{}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun}))
	equal(t, "nothing has changed in the scope", decide.ScopeMemory{Scope: seoul}, scopeMemory(t, s, seoul))
	_, err = s.Run(ctx, "run-1")
	wantErr(t, "the refused run", err, store.ErrNotFound)
	holds(t, s, 0)

	save(t, s, successor, changed)
	if err := s.SaveRun(ctx, successor, run); err != nil {
		t.Errorf("the successor's run: %v", err)
	}
	if err := s.Append(ctx, successor, []store.Activity{event(0, "web")}); err != nil {
		t.Errorf("the successor's activity: %v", err)
	}
}

// testFencedRace lets a holder write while others take over: whatever is
// acknowledged must have been written under the lease of that moment.
func testFencedRace(t *testing.T, s store.Store) {
	ctx := t.Context()
	now := monday
	for round := range 10 {
		lease, err := s.Acquire(ctx, "main", fmt.Sprintf("host-%d", round), now, time.Minute)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		now = lease.Expires
		var both sync.WaitGroup
		both.Go(func() {
			for n := range 5 {
				row := event(n, "race")
				row.Detail = fmt.Sprintf("%d", lease.Term)
				if err := s.Append(ctx, lease, []store.Activity{row, row}); err != nil {
					wantErr(t, "Append in the race", err, store.ErrFenced)
					return
				}
			}
		})
		both.Go(func() {
			next, err := s.Acquire(ctx, "main", fmt.Sprintf("next-%d", round), now, time.Minute)
			if err != nil {
				t.Errorf("takeover %d: %v", round, err)
			}
			marker := event(0, "takeover")
			marker.Detail = fmt.Sprintf("%d", next.Term)
			if err := s.Append(ctx, next, []store.Activity{marker}); err != nil {
				t.Errorf("the successor's append: %v", err)
			}
			now = next.Expires
		})
		both.Wait()
	}
	found := rows(t, s, store.ActivityQuery{})
	term := 0
	pairs := map[string]int{}
	for _, row := range found {
		var of int
		if _, err := fmt.Sscan(row.Detail, &of); err != nil {
			t.Fatalf("row %d: %v", row.Seq, err)
		}
		if of < term {
			t.Errorf("row %d was written under term %d after term %d had begun", row.Seq, of, term)
		}
		term = of
		pairs[row.Name+row.Detail]++
	}
	for name, count := range pairs {
		if strings.HasPrefix(name, "race") && count%2 != 0 {
			t.Errorf("%s: %d rows, half an append", name, count)
		}
	}
	holds(t, s, int64(len(found)))
}

func testMemoryRoundTrip(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	whole, bare := full(ref(seoul, "i-1")), decide.Memory{Ref: ref(seoul, "i-2")}
	save(t, s, lease, whole, bare)
	got, err := s.Memories(t.Context(), seoul)
	if err != nil {
		t.Fatalf("Memories: %v", err)
	}
	equal(t, "memories", []decide.Memory{whole, bare}, got)
	equal(t, "all memories", []decide.Memory{whole, bare}, all(t, s))
}

func testMemoryReplace(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	first := full(ref(seoul, "i-1"))
	save(t, s, lease, first)
	second := decide.Memory{Ref: first.Ref, Last: decide.WasStopped, SeenAt: monday}
	save(t, s, lease, second)
	equal(t, "nothing of the first is left", []decide.Memory{second}, all(t, s))

	third := second
	third.Attempts = 9
	save(t, s, lease, first, third)
	equal(t, "of two the later counts", []decide.Memory{third}, all(t, s))
}

func testMemoryScopes(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	here, there := full(ref(seoul, "i-1")), full(ref(beijing, "i-1"))
	elsewhere := full(ref(fleet.Scope{Account: seoul.Account, Region: beijing.Region}, "i-1"))
	database := full(fleet.Ref{Scope: seoul, Kind: fleet.RDSInstance, ID: "i-1"})
	save(t, s, lease, there, elsewhere, database, here)
	for scope, want := range map[fleet.Scope][]decide.Memory{
		seoul: {here, database}, beijing: {there}, elsewhere.Ref.Scope: {elsewhere},
		{Account: "000000000000", Region: "eu-west-1"}: {},
	} {
		got, err := s.Memories(t.Context(), scope)
		if err != nil {
			t.Fatalf("Memories(%s): %v", scope, err)
		}
		equal(t, "memories of "+scope.String(), want, got)
	}
}

func testMemoryAllOrNone(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	save(t, s, lease, full(ref(seoul, "i-0")))
	before := all(t, s)
	var memories []decide.Memory
	for i := range 2500 {
		memories = append(memories, full(ref(seoul, fmt.Sprintf("i-%04d", i))))
	}
	memories[2400].Ref.ID = ""
	if err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: memories}); err == nil {
		t.Fatal("a memory without an ID was saved")
	}
	equal(t, "after the refusal", before, all(t, s))
}

func testMemoriesWithRows(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	row := store.Activity{At: time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC), Actor: "dayshift", Event: store.EventStartAccepted, Ref: ref(seoul, "i-1")}
	if err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: []decide.Memory{full(ref(seoul, "i-1"))}, Activity: []store.Activity{row, row}}); err != nil {
		t.Fatal(err)
	}
	check := func(when string, memories, rows int) {
		t.Helper()
		got, err := s.Activity(t.Context(), store.ActivityQuery{})
		if err != nil || len(got) != rows || len(all(t, s)) != memories {
			t.Errorf("%s: %d memories and %d rows (%v), want %d and %d", when, len(all(t, s)), len(got), err, memories, rows)
		}
		if verification, err := s.Verify(t.Context()); err != nil || verification.BadAt != 0 {
			t.Errorf("%s: %+v, %v", when, verification, err)
		}
	}
	check("written together", 1, 2)
	if err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: []decide.Memory{full(ref(seoul, "i-2"))}, Activity: []store.Activity{row, {}}}); err == nil {
		t.Error("a row without a time was taken")
	}
	check("after a refused row", 1, 2)
	if err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: []decide.Memory{{}}, Activity: []store.Activity{row}}); err == nil {
		t.Error("a memory without an ID was taken")
	}
	check("after a refused memory", 1, 2)
	lost := lease
	lost.Term--
	if err := s.SaveChanges(t.Context(), lost, store.Changes{Memories: []decide.Memory{full(ref(seoul, "i-2"))}, Activity: []store.Activity{row}}); !errors.Is(err, store.ErrFenced) {
		t.Errorf("with an old lease: %v", err)
	}
	check("after a fenced write", 1, 2)
}

func testMemoryOrder(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	var want []decide.Memory
	for _, scope := range []fleet.Scope{beijing, seoul, {Account: "1", Region: "z"}, {Account: "10", Region: "a"}} {
		for _, kind := range []fleet.Kind{fleet.RDSInstance, fleet.EC2Instance} {
			for _, id := range []string{"i-2", "i-10", "i-1", "I-1", "데이터베이스", "é", "z", "~", "i_1", "𝒛", "\uffff"} {
				want = append(want, decide.Memory{Ref: fleet.Ref{Scope: scope, Kind: kind, ID: id}})
			}
		}
	}
	save(t, s, lease, want...)
	slices.SortFunc(want, func(a, b decide.Memory) int { return a.Ref.Compare(b.Ref) })
	equal(t, "order", want, all(t, s))
}

func testMemoryDrop(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	gone, stays := full(ref(seoul, "i-1")), full(ref(seoul, "i-2"))
	save(t, s, lease, gone, stays)
	refs := []fleet.Ref{gone.Ref, ref(seoul, "i-3"), ref(beijing, "i-2"), gone.Ref}
	if err := s.DropMemories(t.Context(), lease, refs); err != nil {
		t.Fatalf("DropMemories: %v", err)
	}
	equal(t, "left", []decide.Memory{stays}, all(t, s))
	if err := s.DropMemories(t.Context(), lease, nil); err != nil {
		t.Errorf("DropMemories of nothing: %v", err)
	}
}

func testMemoryRefused(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	far := full(ref(seoul, "i-1"))
	far.NotBefore = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	late := full(ref(seoul, "i-1"))
	late.Intent.At = far.NotBefore
	for name, m := range map[string]decide.Memory{
		"no ref": {}, "no kind": {Ref: fleet.Ref{Scope: seoul, ID: "i-1"}},
		"NUL in the ID": {Ref: ref(seoul, "i-\x001")}, "an ID that is not UTF-8": {Ref: ref(seoul, "i-\xff")},
		"the year 10000": far, "an intent of the year 10000": late,
	} {
		if err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: []decide.Memory{m}}); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
	equal(t, "kept", []decide.Memory{}, all(t, s))
}

func testMemoryCopies(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	m := full(ref(seoul, "i-1"))
	save(t, s, lease, m)
	m.Intent.Term = 99
	m.Intent.At = m.Intent.At.Add(time.Hour)
	for range 2 { // what was handed out is changed as well
		got := all(t, s)
		equal(t, "the stored memory", []decide.Memory{full(ref(seoul, "i-1"))}, got)
		got[0].Intent.Term = 99
		scoped, err := s.Memories(t.Context(), seoul)
		if err != nil {
			t.Fatalf("Memories: %v", err)
		}
		equal(t, "the stored memory of the scope", []decide.Memory{full(ref(seoul, "i-1"))}, scoped)
		scoped[0].Intent.Term = 99
	}
}

func testMemoryMany(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	memories := make([]decide.Memory, manyMemories)
	for i := range memories {
		memories[i] = full(ref(seoul, fmt.Sprintf("i-%05d", (i*7919)%len(memories))))
		memories[i].Attempts = i
	}
	save(t, s, lease, memories...)
	want := map[fleet.Ref]int{}
	for i := range memories {
		memories[i].Attempts++
		want[memories[i].Ref] = memories[i].Attempts
	}
	save(t, s, lease, memories...)
	got := map[fleet.Ref]int{}
	for _, m := range all(t, s) {
		got[m.Ref] = m.Attempts
	}
	if !maps.Equal(want, got) {
		t.Errorf("%d memories came back for %d, or not with their last value", len(got), len(want))
	}
}

func testMemoryWalk(t *testing.T, s store.Store) {
	ctx := t.Context()
	lease := acquire(t, s, "host-a")
	for i := range 10 {
		save(t, s, lease, full(ref(seoul, fmt.Sprintf("i-%d", i))))
	}
	enough := errors.New("enough")
	seen := 0
	err := s.AllMemories(ctx, func(decide.Memory) error {
		if seen++; seen == 3 {
			return enough
		}
		return nil
	})
	if err != enough || seen != 3 { //nolint:errorlint // returned as it is
		t.Errorf("stopped with %v after %d, want the caller's error after 3", err, seen)
	}
	// Writing meanwhile works and does not disturb the walk.
	seen = 0
	err = s.AllMemories(ctx, func(m decide.Memory) error {
		seen++
		save(t, s, lease, full(ref(seoul, m.Ref.ID+"-new")))
		return s.DropMemories(ctx, lease, []fleet.Ref{m.Ref})
	})
	if err != nil || seen != 10 {
		t.Errorf("walk with writes: %d seen, error %v, want 10", seen, err)
	}
	left := all(t, s)
	if len(left) != 10 || left[0].Ref.ID != "i-0-new" {
		t.Errorf("after the walk: %d memories, first %v", len(left), left[0].Ref)
	}
}

func testRuns(t *testing.T, s store.Store) {
	ctx := t.Context()
	lease := acquire(t, s, "host-a")
	var want []store.Run
	for i := range 5 {
		started := monday.Add(time.Duration(i) * time.Minute)
		run := store.Run{
			ID: store.NewRunID(started), Term: lease.Term, Trigger: "boundary", Started: started,
			Finished: started.Add(3 * time.Second),
			Counts:   store.RunCounts{Resources: 300, Started: 1, Stopped: 2, Failed: 3, Held: 4, Skipped: 5, Scopes: 6, Gaps: 7},
			Gaps:     []string{"444455556666/cn-north-1: role refused", "한국"}, Error: "in part",
		}
		if i%2 == 0 {
			run.Finished, run.Gaps, run.Error = time.Time{}, nil, ""
		}
		want = append([]store.Run{run}, want...)
	}
	for _, i := range []int{3, 0, 4, 1, 2} {
		if err := s.SaveRun(ctx, lease, want[i]); err != nil {
			t.Fatalf("SaveRun: %v", err)
		}
	}
	got, err := s.Runs(ctx, 0)
	if err != nil {
		t.Fatalf("Runs: %v", err)
	}
	equal(t, "runs, the newest first", want, got)
	if got, err = s.Runs(ctx, 2); err != nil {
		t.Fatalf("Runs: %v", err)
	}
	equal(t, "the newest two", want[:2], got)

	done := want[4]
	done.Finished, done.Counts.Started = monday.Add(time.Hour), 42
	if err := s.SaveRun(ctx, lease, done); err != nil {
		t.Fatalf("SaveRun again: %v", err)
	}
	one, err := s.Run(ctx, done.ID)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	equal(t, "the run saved again", done, one)
	_, err = s.Run(ctx, "no such run")
	wantErr(t, "an unknown run", err, store.ErrNotFound)
}

func testRunsRefused(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	for name, run := range map[string]store.Run{
		"no ID": {Started: monday}, "no start": {ID: "run-1"}, "NUL in the ID": {ID: "run\x00", Started: monday},
		"the year 10000": {ID: "run-1", Started: monday, Finished: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if err := s.SaveRun(t.Context(), lease, run); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
}

func testActivityChain(t *testing.T, s store.Store) {
	holds(t, s, 0)
	given := []store.Activity{event(0, "web"), event(1, "db")}
	given[0].Seq, given[0].Prev, given[0].Hash = 77, "not mine", "to set"
	add(t, s, given...)
	if given[0].Seq != 77 || given[1].Seq != 0 {
		t.Error("the caller's rows were changed")
	}
	bare := store.Activity{At: monday, Actor: "kim", Event: store.EventDaemon}
	add(t, s, bare)
	add(t, s)
	got := rows(t, s, store.ActivityQuery{})
	if len(got) != 3 {
		t.Fatalf("%d rows, want 3", len(got))
	}
	prev := store.Genesis
	for i, want := range []store.Activity{event(0, "web"), event(1, "db"), bare} {
		want.Seq, want.Prev = int64(i)+1, prev
		want.Hash = want.Sum()
		equal(t, fmt.Sprintf("row %d", i+1), want, got[i])
		prev = want.Hash
	}
	holds(t, s, 3)
	if v, err := s.Verify(t.Context()); err != nil || v.Head != prev {
		t.Errorf("head %q, %v, want %q", v.Head, err, prev)
	}
}

func testActivityAllOrNone(t *testing.T, s store.Store) {
	add(t, s, event(0, "web"))
	for name, bad := range map[string]store.Activity{
		"no time":  {Actor: "dayshift", Event: store.EventHeld},
		"no actor": {At: monday, Event: store.EventHeld},
		"no event": {At: monday, Actor: "dayshift"},
		"year 0":   {At: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), Actor: "dayshift", Event: store.EventHeld},
	} {
		if err := s.Append(t.Context(), store.Lease{}, []store.Activity{event(1, "db"), bad}); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
	holds(t, s, 1)
	add(t, s, event(2, "db"))
	holds(t, s, 2)
}

func testActivityQueries(t *testing.T, s store.Store) {
	var given []store.Activity
	for i := range 1200 {
		row := event(i, "web")
		switch i % 4 {
		case 1:
			row.Event, row.Name, row.Ref.ID = store.EventStopAccepted, "db", "seoul-office" // an ID that is also a schedule
		case 2:
			row.Ref, row.Name, row.Schedule, row.Event = fleet.Ref{}, "", "", store.EventGap
		case 3:
			row.Ref.Scope, row.Schedule = beijing, "cn-office-hours"
		}
		given = append(given, row)
	}
	given[1199].At = monday // the clock was set back
	add(t, s, given...)
	stored := rows(t, s, store.ActivityQuery{Limit: 5000})
	equal(t, "number of rows", len(given), len(stored))

	at := func(i int) time.Time { return monday.Add(time.Duration(i) * time.Minute) }
	queries := map[string]store.ActivityQuery{
		"everything":              {},
		"the newest":              {Last: true},
		"the newest ten":          {Last: true, Limit: 10},
		"the oldest ten":          {Limit: 10},
		"after":                   {After: 1100},
		"after the end":           {After: 5000},
		"page":                    {After: 500, Limit: 100},
		"newest page":             {After: 500, Limit: 100, Last: true},
		"from":                    {From: at(1190)},
		"to":                      {To: at(5)},
		"between":                 {From: at(100), To: at(110)},
		"between in another zone": {From: at(100).In(time.FixedZone("KST", 9*3600)), To: at(110)},
		"below a microsecond":     {From: at(100).Add(time.Nanosecond), To: at(110).Add(time.Nanosecond)},
		"an empty time":           {From: at(110), To: at(100)},
		"a resource":              {Ref: ref(seoul, "i-web")},
		"a resource elsewhere":    {Ref: ref(beijing, "i-web"), Limit: 3, Last: true},
		"a resource unknown":      {Ref: ref(beijing, "i-none")},
		"text is an ID":           {Text: "i-web"},
		"text is a name":          {Text: "db", Limit: 7},
		"text is a schedule":      {Text: "cn-office-hours", Last: true, Limit: 7},
		"text is ID and schedule": {Text: "seoul-office", Limit: 100},
		"text is exact":           {Text: "we"},
		"text is no pattern":      {Text: "%"},
		"text in other case":      {Text: "WEB"},
		"an event":                {Event: store.EventGap, Limit: 5, Last: true},
		"an event unknown":        {Event: "none"},
		"all of it": {
			After: 10, From: at(20), To: at(1000), Ref: ref(beijing, "i-web"),
			Text: "web", Event: store.EventStartAccepted, Limit: 20, Last: true,
		},
	}
	for name, query := range queries {
		want := []store.Activity{}
		for _, row := range stored {
			if query.Matches(row) {
				want = append(want, row)
			}
		}
		if limit := store.Limit(query.Limit); len(want) > limit {
			if query.Last {
				want = want[len(want)-limit:]
			} else {
				want = want[:limit]
			}
		}
		equal(t, name, want, rows(t, s, query))
	}
}

func testActivityRace(t *testing.T, s store.Store) {
	const writers, appends = 6, 8
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range appends {
				name := fmt.Sprintf("w%d-%d", w, n)
				add(t, s, event(n, name), event(n, name))
			}
		})
	}
	group.Wait()
	holds(t, s, writers*appends*2)
	got := rows(t, s, store.ActivityQuery{})
	for i := 0; i < len(got); i += 2 {
		if got[i].Name != got[i+1].Name {
			t.Fatalf("rows %d and %d of one append were torn apart", i+1, i+2)
		}
	}
}

// strange are values that a tag, a name or an error text can have. Each stands
// with what is kept of it.
var strange = map[string]string{
	"plain":                          "plain",
	"'; DROP TABLE runs; --":         "'; DROP TABLE runs; --",
	`"quoted" \ back`:                `"quoted" \ back`,
	"%_?$1:name@x{}":                 "%_?$1:name@x{}",
	"<script>alert(1)</script>&amp;": "<script>alert(1)</script>&amp;",
	"line\nbreak\ttab\r\x1b[31m\x7f": "line\nbreak\ttab\r\x1b[31m\x7f",
	" leading and trailing ":         " leading and trailing ",
	strings.Repeat("가", 256):         strings.Repeat("가", 256),
	"e\u0301 is not é":               "e\u0301 is not é",
	"emoji 🏢🌙 \u202eRTL \u2028":      "emoji 🏢🌙 \u202eRTL \u2028",
	strings.Repeat("x", 70_000):      strings.Repeat("x", 70_000),
	"NUL\x00inside":                  "NUL\uFFFDinside",
	"bad\xff\xfeutf8":                "bad\uFFFDutf8",
	"9007199254740993":               "9007199254740993",
	"2027-01-04 09:00:00":            "2027-01-04 09:00:00",
	"0x10":                           "0x10",
	"null":                           "null",
}

func testStrangeText(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	var want []decide.Memory
	i := 0
	for given, kept := range strange {
		r := ref(seoul, fmt.Sprintf("i-%02d", i))
		i++
		m := decide.Memory{Ref: r, Name: given, Schedule: given, LastError: given, SeenType: given, ResizeTo: given, Snapshot: given, Muted: given, Intent: &decide.Intent{Run: given, Type: given, Snapshot: given}}
		save(t, s, lease, m)
		want = append(want, decide.Memory{Ref: r, Name: kept, Schedule: kept, LastError: kept, SeenType: kept, ResizeTo: kept, Snapshot: kept, Muted: kept, Intent: &decide.Intent{Run: kept, Type: kept, Snapshot: kept}})
		row := store.Activity{At: monday, Actor: given, Event: "e", Run: given, Name: given, Reason: given, Detail: given, Ref: fleet.Ref{ID: given}, Chain: []decide.Step{{Rule: given, Fact: say.Raw(given)}}}
		add(t, s, row)
		found := rows(t, s, store.ActivityQuery{Text: kept})
		if len(found) != 1 {
			t.Fatalf("asked for %.40q: %d rows, want 1", kept, len(found))
		}
		got := found[0]
		got.Seq, got.Prev, got.Hash = 0, "", ""
		equal(t, "activity", store.Activity{At: monday, Actor: kept, Event: "e", Run: kept, Name: kept, Reason: kept, Detail: kept, Ref: fleet.Ref{ID: kept}, Chain: []decide.Step{{Rule: kept, Fact: say.Raw(kept)}}}, got)
		if strings.ContainsRune(kept, '\uFFFD') {
			continue // refused as an ID
		}
		run := store.Run{ID: kept, Trigger: given, Started: monday, Gaps: []string{given}, Error: given}
		if err := s.SaveRun(t.Context(), lease, run); err != nil {
			t.Fatalf("SaveRun %.40q: %v", given, err)
		}
		again, err := s.Run(t.Context(), kept)
		if err != nil {
			t.Fatalf("Run %.40q: %v", kept, err)
		}
		equal(t, "run", run, again)
		named := decide.Memory{Ref: fleet.Ref{Scope: beijing, Kind: fleet.RDSInstance, ID: kept}}
		save(t, s, lease, named)
		if err := s.DropMemories(t.Context(), lease, []fleet.Ref{named.Ref}); err != nil {
			t.Fatalf("DropMemories %.40q: %v", kept, err)
		}
	}
	equal(t, "memories", want, all(t, s))
	holds(t, s, int64(len(strange)))
}

func testTimes(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	seoulTime := time.FixedZone("KST", 9*3600)
	for given, want := range map[time.Time]time.Time{
		time.Date(2027, 1, 4, 9, 0, 0, 123456789, seoulTime):       time.Date(2027, 1, 4, 0, 0, 0, 123456000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC):   time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC):                time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC):   time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.Local):            time.Date(2038, 1, 19, 3, 14, 8, 0, time.Local).UTC(),
		time.Date(2027, 3, 14, 2, 30, 0, 0, time.FixedZone("", 1)): time.Date(2027, 3, 14, 2, 29, 59, 0, time.UTC),
	} {
		m := decide.Memory{Ref: ref(seoul, "i-1"), SeenAt: given, Intent: &decide.Intent{At: given}}
		save(t, s, lease, m)
		got := all(t, s)[0]
		add(t, s, store.Activity{At: given, Actor: "dayshift", Event: "e"})
		row := rows(t, s, store.ActivityQuery{Last: true, Limit: 1})[0]
		run := store.Run{ID: "run-1", Started: given, Finished: given}
		if err := s.SaveRun(t.Context(), lease, run); err != nil {
			t.Fatalf("SaveRun: %v", err)
		}
		run, err := s.Run(t.Context(), "run-1")
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		for name, at := range map[string]time.Time{
			"memory": got.SeenAt, "intent": got.Intent.At, "activity": row.At, "run": run.Started, "run's end": run.Finished,
		} {
			if !at.Equal(want) || at.Location() != time.UTC {
				t.Errorf("%s: %s came back as %s, want %s", name, given, at, want)
			}
		}
		if !got.FirstSeen.IsZero() || !got.Announced.IsZero() {
			t.Errorf("the zero time came back as %s and %s", got.FirstSeen, got.Announced)
		}
	}
	odd := monday.Add(999 * time.Nanosecond).In(seoulTime)
	got, err := s.Renew(t.Context(), lease, odd, time.Minute)
	if err != nil || !got.Expires.Equal(monday.Add(time.Minute)) || got.Expires.Location() != time.UTC {
		t.Errorf("lease until %s, %v", got.Expires, err)
	}
	holds(t, s, 6)
}

func testCanceled(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	save(t, s, lease, full(ref(seoul, "i-1")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(ctx, s, lease) {
		if name == Close {
			continue
		}
		wantErr(t, string(name), call(), context.Canceled)
	}
	equal(t, "nothing was written", []decide.Memory{full(ref(seoul, "i-1"))}, all(t, s))
	equal(t, "no object was made", []store.Object{}, objects(t, s))
	equal(t, "no record was made", []store.Record{}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun}))
	holds(t, s, 0)

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	save(t, s, lease, full(ref(seoul, "i-2")))
	err := s.AllMemories(ctx, func(decide.Memory) error { cancel(); return nil })
	wantErr(t, "a walk that is canceled", err, context.Canceled)
}

// calls are all methods of a store, each ready to be called.
func calls(ctx context.Context, s store.Store, lease store.Lease) map[Method]func() error {
	return map[Method]func() error{
		Acquire:     func() error { _, err := s.Acquire(ctx, "main", "host-a", monday, time.Minute); return err },
		Renew:       func() error { _, err := s.Renew(ctx, lease, monday, time.Minute); return err },
		Release:     func() error { return s.Release(ctx, store.Lease{Name: "other"}) },
		Held:        func() error { _, err := s.Held(ctx, "main"); return err },
		Memories:    func() error { _, err := s.Memories(ctx, seoul); return err },
		AllMemories: func() error { return s.AllMemories(ctx, func(decide.Memory) error { return nil }) },
		SaveChanges: func() error {
			return s.SaveChanges(ctx, lease, store.Changes{Memories: []decide.Memory{full(ref(seoul, "i-9"))}})
		},
		ScopeMemory:  func() error { _, err := s.ScopeMemory(ctx, seoul); return err },
		Objects:      func() error { _, err := s.Objects(ctx); return err },
		SaveObject:   func() error { _, err := s.SaveObject(ctx, object(store.RuleObject, "wake", 0)); return err },
		DeleteObject: func() error { return s.DeleteObject(ctx, store.RuleObject, "wake", 1) },
		Revision:     func() error { _, err := s.Revision(ctx); return err },
		DropMemories: func() error { return s.DropMemories(ctx, lease, []fleet.Ref{ref(seoul, "i-9")}) },
		SaveRun:      func() error { return s.SaveRun(ctx, lease, store.Run{ID: "run-1", Started: monday}) },
		Run:          func() error { _, err := s.Run(ctx, "run-1"); return err },
		Runs:         func() error { _, err := s.Runs(ctx, 1); return err },
		Take:         func() error { _, err := s.Take(ctx, "quota", monday, 1, 10); return err },
		Touch:        func() error { return s.Touch(ctx, "key", monday) },
		Counted:      func() error { _, err := s.Counted(ctx, []string{"quota"}); return err },
		SaveSession:  func() error { return s.SaveSession(ctx, session("calls", 0)) },
		Session:      func() error { _, err := s.Session(ctx, session("called", 0).Hash); return err },
		Sessions:     func() error { _, err := s.Sessions(ctx, ""); return err },
		SeeSession:   func() error { return s.SeeSession(ctx, session("called", 0).Hash, monday) },
		EndSessions: func() error {
			_, err := s.EndSessions(ctx, []string{session("called", 0).Hash}, event(0, "web"))
			return err
		},
		PutSlip:     func() error { return s.PutSlip(ctx, slip("calls", 0), "", monday, 1) },
		Slip:        func() error { _, err := s.Slip(ctx, slip("called", 0).Kind, "called", monday); return err },
		TakeSlip:    func() error { return s.TakeSlip(ctx, slip("called", 0).Kind, "called", slip("called", 0).Data) },
		Records:     func() error { _, err := s.Records(ctx, store.RecordQuery{Kind: store.WorkloadRun}); return err },
		SaveRecords: func() error { return s.SaveRecords(ctx, lease, []store.Record{record("run-1", 0)}) },
		Append:      func() error { return s.Append(ctx, lease, []store.Activity{event(0, "web")}) },
		Activity:    func() error { _, err := s.Activity(ctx, store.ActivityQuery{}); return err },
		Verify:      func() error { _, err := s.Verify(ctx); return err },
		Ping:        func() error { return s.Ping(ctx) },
		Close:       func() error { return s.Close() },
	}
}

// testConcurrent is for the race detector and for deadlocks.
func testConcurrent(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	var group sync.WaitGroup
	for range 3 {
		for name, call := range calls(t.Context(), s, lease) {
			if name == Close {
				continue
			}
			group.Go(func() {
				for range 3 {
					err := call()
					switch {
					case err == nil:
					case name == Run && errors.Is(err, store.ErrNotFound): // its SaveRun comes later
					case (name == Session || name == SeeSession || name == Slip) && errors.Is(err, store.ErrNotFound): // nobody keeps it
					case (name == SaveSession || name == PutSlip || name == TakeSlip) && errors.Is(err, store.ErrConflict):
					case (name == SaveObject || name == DeleteObject) && (errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound)):
					default:
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
	group.Wait()
	holds(t, s, 9)
}

func testClosed(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for name, call := range calls(t.Context(), s, lease) {
		if err := call(); (err != nil) != (name != Close) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// populate writes something of everything and returns a picture of it.
func populate(t *testing.T, s store.Store) (lease store.Lease, picture func(store.Store) []any) {
	lease = acquire(t, s, "host-a")
	save(t, s, lease, full(ref(seoul, "i-1")), full(ref(beijing, "i-2")))
	if err := s.SaveRun(t.Context(), lease, store.Run{ID: "run-1", Started: monday, Gaps: []string{"gap"}}); err != nil {
		t.Fatalf("SaveRun: %v", err)
	}
	add(t, s, event(0, "web"), chained(1, "db"), event(2, "cache"))
	changes := store.Changes{Scopes: []decide.ScopeMemory{fullScope(seoul, "c1"), fullScope(beijing, "c2")}}
	if err := s.SaveChanges(t.Context(), lease, changes); err != nil {
		t.Fatalf("SaveChanges: %v", err)
	}
	first := put(t, s, object(store.ScheduleObject, "office", 0))
	put(t, s, object(store.ScheduleObject, "office", first.Version))
	gone := put(t, s, object(store.RuleObject, "wake", 0))
	if err := s.DeleteObject(t.Context(), gone.Kind, gone.Name, gone.Version); err != nil {
		t.Fatalf("DeleteObject: %v", err)
	}
	take(t, s, "quota", monday, 3, 10, 3)
	if err := s.Touch(t.Context(), "key", monday); err != nil {
		t.Fatalf("Touch: %v", err)
	}
	keep(t, s, session("kim", 0))
	keepSlip(t, s, slip("waits", 0), "")
	keepRecords(t, s, lease, record("run-1", 1), record("run-2", 2), record("run-3", 3))
	keepRecords(t, s, lease, record("run-2", 4), dropped("run-3"))
	return lease, func(s store.Store) []any {
		runs, err := s.Runs(t.Context(), 0)
		if err != nil {
			t.Fatalf("Runs: %v", err)
		}
		v, err := s.Verify(t.Context())
		if err != nil {
			t.Fatalf("Verify: %v", err)
		}
		return []any{
			all(t, s), runs, rows(t, s, store.ActivityQuery{}), v,
			scopeMemory(t, s, seoul), scopeMemory(t, s, beijing), objects(t, s), revision(t, s),
			counted(t, s, "quota", "key"), sessions(t, s), slipThere(t, s, "waits", monday),
			records(t, s, store.RecordQuery{Kind: store.WorkloadRun}),
		}
	}
}

func testReopen(t *testing.T, s store.Store, hooks Hooks) {
	lease, picture := populate(t, s)
	before := picture(s)
	s = hooks.Reopen(t, s)
	equal(t, "after the reopening", before, picture(s))
	if _, err := s.Acquire(t.Context(), "main", "host-b", monday, time.Minute); !errors.Is(err, store.ErrHeld) {
		t.Errorf("the lease is forgotten: %v", err)
	}
	if err := s.Release(t.Context(), lease); err != nil {
		t.Fatalf("Release: %v", err)
	}
	s = hooks.Reopen(t, s)
	if next := acquire(t, s, "host-b"); next.Term != 2 {
		t.Errorf("term after a release and a reopening is %d, want 2", next.Term)
	}
	add(t, s, event(3, "next"))
	holds(t, s, 4)
	// What was deleted before is still known by its version.
	if again := put(t, s, object(store.RuleObject, "wake", 0)); again.Version != 2 {
		t.Errorf("made anew after a reopening it has version %d, want 2", again.Version)
	}
	if was, ok := before[7].(int64); !ok || revision(t, s) <= was {
		t.Errorf("the revision went from %d to %d", before[7], revision(t, s))
	}
}

// testTamper changes the record behind the store's back, in each way once at
// its beginning, in the middle and at its end.
func testTamper(t *testing.T, open func(*testing.T) store.Store, hooks Hooks) {
	const count = 7
	edits := map[string]struct {
		edit  func(rows []store.Activity, i int) []store.Activity
		badAt func(i int) int64 // Seq of the row that is named
	}{
		"a row is edited": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Detail = "all was well"
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a row is edited by a microsecond": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].At = rows[i].At.Add(time.Microsecond)
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a row is moved to another account": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Ref.Scope.Account = beijing.Account
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a row is edited and hashed again": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Actor = "nobody"
			rows[i].Hash = rows[i].Sum()
			return rows
		}, func(i int) int64 { return min(int64(i)+2, count) }},
		"a step of a chain is edited": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Chain[1].Fact = say.Raw("all was well")
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a chain is taken away": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Chain = nil
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a chain is added to": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Chain = append(rows[i].Chain, decide.Step{})
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a hash is edited": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Hash = store.Genesis
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"a row is deleted": {func(rows []store.Activity, i int) []store.Activity {
			return slices.Delete(rows, i, i+1)
		}, func(i int) int64 { return int64(i) + 1 }},
		"a row is deleted and the rest numbered again": {func(rows []store.Activity, i int) []store.Activity {
			rows = slices.Delete(rows, i, i+1)
			for ; i < len(rows); i++ {
				rows[i].Seq--
			}
			return rows
		}, func(i int) int64 { return int64(i) + 1 }},
		"all rows from here are deleted": {func(rows []store.Activity, i int) []store.Activity {
			return rows[:i]
		}, func(i int) int64 { return int64(i) + 1 }},
		"two rows change places": {func(rows []store.Activity, i int) []store.Activity {
			j := (i + 1) % len(rows)
			rows[i], rows[j] = rows[j], rows[i]
			rows[i].Seq, rows[j].Seq = rows[j].Seq, rows[i].Seq
			return rows
		}, func(i int) int64 { return min(int64(i), int64((i+1)%count)) + 1 }},
		"a row is put in": {func(rows []store.Activity, i int) []store.Activity {
			for j := i; j < len(rows); j++ {
				rows[j].Seq++
			}
			row := event(0, "forged")
			row.Seq, row.Prev = int64(i)+1, rows[i].Prev
			row.Hash = row.Sum()
			return slices.Insert(rows, i, row)
		}, func(i int) int64 { return int64(i) + 2 }},
		"a row is put in at the end": {func(rows []store.Activity, _ int) []store.Activity {
			row := event(0, "forged")
			row.Seq, row.Prev = count+1, rows[count-1].Hash
			row.Hash = row.Sum()
			return append(rows, row)
		}, func(int) int64 { return count + 1 }},
		"the record is written anew from here": {func(rows []store.Activity, i int) []store.Activity {
			rows[i].Detail = "all was well"
			for ; i < len(rows); i++ {
				if i > 0 {
					rows[i].Prev = rows[i-1].Hash
				}
				rows[i].Hash = rows[i].Sum()
			}
			return rows
		}, func(int) int64 { return count }},
		"nothing is left": {func([]store.Activity, int) []store.Activity { return nil }, func(int) int64 { return 1 }},
	}
	for _, name := range slices.Sorted(maps.Keys(edits)) {
		test := edits[name]
		t.Run("the record shows when "+name, func(t *testing.T) {
			for _, i := range []int{0, count / 2, count - 1} {
				s := open(t)
				for n := range count {
					add(t, s, chained(n, fmt.Sprintf("web-%d", n)))
				}
				holds(t, s, count)
				hooks.Tamper(t, s, func(rows []store.Activity) []store.Activity { return test.edit(rows, i) })
				v, err := s.Verify(t.Context())
				if err != nil {
					t.Fatalf("Verify: %v", err)
				}
				if v.BadAt != test.badAt(i) || v.Why == "" {
					t.Errorf("row %d: %+v, want a fault at row %d", i+1, v, test.badAt(i))
				}
				// Going on does not heal it; an engine may refuse to go on.
				if err := s.Append(t.Context(), store.Lease{}, []store.Activity{event(count, "after")}); err != nil {
					wantErr(t, "Append after it", err, store.ErrCorrupt)
				}
				if v, err = s.Verify(t.Context()); err != nil || v.BadAt == 0 {
					t.Errorf("row %d, after another append: %+v, %v", i+1, v, err)
				}
			}
		})
	}
}

func testTwinLease(t *testing.T, s store.Store, hooks Hooks) {
	ctx := t.Context()
	other := hooks.Twin(t, s)
	lease := acquire(t, s, "host-a")
	_, err := other.Acquire(ctx, "main", "host-b", monday, time.Minute)
	wantErr(t, "the twin", err, store.ErrHeld)
	taken, err := other.Acquire(ctx, "main", "host-b", lease.Expires, time.Minute)
	if err != nil {
		t.Fatalf("the twin takes over: %v", err)
	}
	wantErr(t, "the first", s.SaveChanges(ctx, lease, store.Changes{Memories: []decide.Memory{full(ref(seoul, "i-1"))}}), store.ErrFenced)
	save(t, other, taken, full(ref(seoul, "i-1")))
	equal(t, "what the first sees", []decide.Memory{full(ref(seoul, "i-1"))}, all(t, s))
}

func testTwinChain(t *testing.T, s store.Store, hooks Hooks) {
	const appends = 20
	other := hooks.Twin(t, s)
	var group sync.WaitGroup
	for _, each := range []store.Store{s, other, s, other} {
		group.Go(func() {
			for n := range appends {
				add(t, each, event(n, "web"), event(n, "db"))
			}
		})
	}
	group.Wait()
	holds(t, s, 4*2*appends)
	holds(t, other, 4*2*appends)
}

func testTwinRead(t *testing.T, s store.Store, hooks Hooks) {
	other := hooks.Twin(t, s)
	lease := acquire(t, s, "host-a")
	var memories []decide.Memory
	for i := range 200 {
		memories = append(memories, decide.Memory{Ref: ref(seoul, fmt.Sprintf("i-%03d", i))})
	}
	save(t, s, lease, memories...)
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		defer close(done)
		for n := range 20 {
			for i := range memories {
				memories[i].Attempts = n + 1
			}
			save(t, s, lease, memories...)
			add(t, s, event(n, "web"))
		}
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		seen := all(t, other)
		for _, m := range seen {
			if m.Attempts != seen[0].Attempts {
				t.Fatalf("%s of save %d beside %s of save %d: half a save was seen", m.Ref, m.Attempts, seen[0].Ref, seen[0].Attempts)
			}
		}
		if v, err := other.Verify(t.Context()); err != nil || v.BadAt != 0 {
			t.Fatalf("Verify meanwhile: %+v, %v", v, err)
		}
	}
	group.Wait()
	holds(t, other, 20)
}
