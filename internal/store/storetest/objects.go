package storetest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// object is an object ready to be saved over the version.
func object(kind store.ObjectKind, name string, version int64) store.Object {
	return store.Object{
		Kind: kind, Name: name, Version: version, Author: "kim",
		Spec:    json.RawMessage(fmt.Sprintf(`{"after":%d,"from":"18:00","tags":["a","b"]}`, version)),
		Changed: monday.Add(time.Duration(version) * time.Hour),
	}
}

// edited is the row that records a change of an object.
func edited(name string) store.Activity {
	return store.Activity{At: monday, Actor: "kim", Event: store.EventObject, Name: name, Reason: "saved"}
}

// chained is an event with the chain that led to it.
func chained(minutes int, name string) store.Activity {
	row := event(minutes, name)
	row.Chain = []decide.Step{{Rule: "governed-by", Fact: say.Raw("tag Schedule=seoul-office")}, {Rule: "calendar", Fact: say.Raw("office began at 09:00")}}
	return row
}

func put(t *testing.T, s store.Store, o store.Object, rows ...store.Activity) store.Object {
	t.Helper()
	saved, err := s.SaveObject(t.Context(), o, rows...)
	if err != nil {
		t.Fatalf("SaveObject %s %q over version %d: %v", o.Kind, o.Name, o.Version, err)
	}
	return saved
}

func objects(t *testing.T, s store.Store, kinds ...store.ObjectKind) []store.Object {
	t.Helper()
	found, err := s.Objects(t.Context(), kinds...)
	if err != nil {
		t.Fatalf("Objects(%v): %v", kinds, err)
	}
	return found
}

func revision(t *testing.T, s store.Store) int64 {
	t.Helper()
	n, err := s.Revision(t.Context())
	if err != nil {
		t.Fatalf("Revision: %v", err)
	}
	return n
}

func scopeMemory(t *testing.T, s store.Store, scope fleet.Scope) decide.ScopeMemory {
	t.Helper()
	m, err := s.ScopeMemory(t.Context(), scope)
	if err != nil {
		t.Fatalf("ScopeMemory(%s): %v", scope, err)
	}
	return m
}

// testExamples keeps the examples of this package in step with the types.
func testExamples(t *testing.T, _ store.Store) {
	var whole func(path string, v reflect.Value)
	whole = func(path string, v reflect.Value) {
		if v.IsZero() {
			t.Errorf("%s is not set in the example", path)
			return
		}
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				whole(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	whole("Memory", reflect.ValueOf(full(ref(seoul, "i-1"))))
	whole("ScopeMemory", reflect.ValueOf(fullScope(seoul, "c")))
}

func testScopeMemory(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	elsewhere := fleet.Scope{Account: seoul.Account, Region: beijing.Region}
	saveScopes := func(memories ...decide.ScopeMemory) {
		t.Helper()
		if err := s.SaveChanges(t.Context(), lease, store.Changes{Scopes: memories}); err != nil {
			t.Fatalf("SaveChanges: %v", err)
		}
	}
	equal(t, "one never saved", decide.ScopeMemory{Scope: seoul}, scopeMemory(t, s, seoul))
	saveScopes(fullScope(beijing, "there"), fullScope(seoul, "here"))
	equal(t, "here", fullScope(seoul, "here"), scopeMemory(t, s, seoul))
	equal(t, "there", fullScope(beijing, "there"), scopeMemory(t, s, beijing))
	equal(t, "elsewhere", decide.ScopeMemory{Scope: elsewhere}, scopeMemory(t, s, elsewhere))
	equal(t, "of no scope", decide.ScopeMemory{}, scopeMemory(t, s, fleet.Scope{}))

	saveScopes(decide.ScopeMemory{Scope: seoul})
	equal(t, "nothing of the first is left", decide.ScopeMemory{Scope: seoul}, scopeMemory(t, s, seoul))
	saveScopes(fullScope(seoul, "earlier"), fullScope(beijing, "new"), fullScope(seoul, "later"))
	equal(t, "of two the later counts", fullScope(seoul, "later"), scopeMemory(t, s, seoul))
	equal(t, "between the two", fullScope(beijing, "new"), scopeMemory(t, s, beijing))
	equal(t, "no resource is remembered", []decide.Memory{}, all(t, s))

	saveScopes(decide.ScopeMemory{Scope: elsewhere, Config: "NUL\x00 bad\xff '; --"})
	equal(t, "strange text", "NUL\uFFFD bad\uFFFD '; --", scopeMemory(t, s, elsewhere).Config)
}

func testScopesWithRows(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	old, next := fullScope(seoul, "old"), fullScope(seoul, "next")
	fired := store.Activity{At: monday, Actor: "dayshift", Event: store.EventFired, Name: "wake"}
	memories := []decide.Memory{full(ref(seoul, "i-1"))}
	err := s.SaveChanges(t.Context(), lease, store.Changes{Memories: memories, Scopes: []decide.ScopeMemory{old}, Activity: []store.Activity{fired}})
	if err != nil {
		t.Fatalf("SaveChanges: %v", err)
	}
	lost := lease
	lost.Term++
	for name, test := range map[string]struct {
		lease   store.Lease
		changes store.Changes
	}{
		"a row without a time": {lease, store.Changes{Scopes: []decide.ScopeMemory{next}, Activity: []store.Activity{fired, {}}}},
		"a memory without an ID": {lease, store.Changes{
			Memories: []decide.Memory{{}}, Scopes: []decide.ScopeMemory{next}, Activity: []store.Activity{fired},
		}},
		"a scope without a name": {lease, store.Changes{
			Memories: []decide.Memory{full(ref(seoul, "i-2"))}, Scopes: []decide.ScopeMemory{next, {}}, Activity: []store.Activity{fired},
		}},
		"a lease that is not held": {lost, store.Changes{
			Memories: []decide.Memory{full(ref(seoul, "i-2"))}, Scopes: []decide.ScopeMemory{next}, Activity: []store.Activity{fired},
		}},
	} {
		err := s.SaveChanges(t.Context(), test.lease, test.changes)
		if err == nil || errors.Is(err, store.ErrFenced) != (test.lease == lost) {
			t.Errorf("%s: %v", name, err)
		}
		equal(t, "the scope after "+name, old, scopeMemory(t, s, seoul))
		equal(t, "the memories after "+name, memories, all(t, s))
		holds(t, s, 1)
	}
}

func testScopesRefused(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	far := fullScope(seoul, "far")
	far.Windows[1].Until = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, m := range map[string]decide.ScopeMemory{
		"no scope": {}, "the year 10000": far,
		"NUL in the account": {Scope: fleet.Scope{Account: "1\x00", Region: "eu-west-1"}},
	} {
		if err := s.SaveChanges(t.Context(), lease, store.Changes{Scopes: []decide.ScopeMemory{m}}); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
	equal(t, "kept", decide.ScopeMemory{Scope: seoul}, scopeMemory(t, s, seoul))
}

func testScopeCopies(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	given := fullScope(seoul, "c")
	if err := s.SaveChanges(t.Context(), lease, store.Changes{Scopes: []decide.ScopeMemory{given}}); err != nil {
		t.Fatalf("SaveChanges: %v", err)
	}
	change(reflect.ValueOf(&given).Elem())
	for range 2 { // what was handed out is changed as well
		got := scopeMemory(t, s, seoul)
		equal(t, "the stored memory", fullScope(seoul, "c"), got)
		change(reflect.ValueOf(&got).Elem())
	}
}

func testObjectVersions(t *testing.T, s store.Store) {
	ctx := t.Context()
	equal(t, "at the beginning", []store.Object{}, objects(t, s))
	if n := revision(t, s); n != 0 {
		t.Errorf("the revision begins at %d", n)
	}
	given := object(store.OverrideObject, "kim-1", 0)
	given.Created = monday.Add(-time.Hour) // not the caller's to say
	given.Spec = json.RawMessage(" {\n \"until\" : \"20:10\"\t} ")
	first := put(t, s, given)
	want := given
	want.Version, want.Created, want.Spec = 1, given.Changed, json.RawMessage(`{"until":"20:10"}`)
	equal(t, "the first version", want, first)
	equal(t, "as stored", []store.Object{want}, objects(t, s))

	later := first
	later.Author, later.Changed, later.Created = "lee", monday.Add(48*time.Hour), time.Time{}
	later.Spec = json.RawMessage(`{"until":"21:00"}`)
	second := put(t, s, later)
	want.Version, want.Author, want.Changed, want.Spec = 2, "lee", later.Changed, later.Spec
	equal(t, "the second version", want, second)

	for name, version := range map[string]int64{"anew": 0, "over the first": 1, "over one to come": 3, "over a negative one": -1} {
		saved, err := s.SaveObject(ctx, object(given.Kind, given.Name, version))
		wantErr(t, name, err, store.ErrConflict)
		equal(t, "no answer", store.Object{}, saved)
		if err != nil && (!strings.Contains(err.Error(), "kim-1") || !strings.Contains(err.Error(), "lee")) {
			t.Errorf("%s: the error does not say what was changed and by whom: %v", name, err)
		}
		if version != 2 {
			wantErr(t, "delete "+name, s.DeleteObject(ctx, given.Kind, given.Name, version), store.ErrConflict)
		}
	}
	_, err := s.SaveObject(ctx, object(given.Kind, "kim-2", 1))
	wantErr(t, "a version of what never was", err, store.ErrConflict)
	wantErr(t, "delete what never was", s.DeleteObject(ctx, given.Kind, "kim-2", 1), store.ErrNotFound)
	wantErr(t, "delete version 0 of what never was", s.DeleteObject(ctx, given.Kind, "kim-2", 0), store.ErrNotFound)
	wantErr(t, "delete it by another kind", s.DeleteObject(ctx, store.RuleObject, "kim-1", 2), store.ErrNotFound)
	equal(t, "after all that", []store.Object{want}, objects(t, s))

	if err := s.DeleteObject(ctx, given.Kind, given.Name, 2); err != nil {
		t.Fatalf("DeleteObject: %v", err)
	}
	equal(t, "after the deletion", []store.Object{}, objects(t, s))
	wantErr(t, "delete it again", s.DeleteObject(ctx, given.Kind, given.Name, 2), store.ErrNotFound)
	_, err = s.SaveObject(ctx, object(given.Kind, given.Name, 2))
	wantErr(t, "change what is gone", err, store.ErrConflict)

	// Whoever still knows the deleted one must not take the new one for it.
	anew := put(t, s, object(given.Kind, given.Name, 0))
	if anew.Version != 3 || !anew.Created.Equal(anew.Changed) {
		t.Errorf("made anew: %+v, want version 3, created when it was made anew", anew)
	}
	_, err = s.SaveObject(ctx, object(given.Kind, given.Name, 2))
	wantErr(t, "the deleted version over the new one", err, store.ErrConflict)
	if n := revision(t, s); n != 4 {
		t.Errorf("revision %d after four changes", n)
	}
}

func testObjectList(t *testing.T, s store.Store) {
	var want []store.Object
	for _, kind := range []store.ObjectKind{store.RuleObject, store.ScheduleObject, store.ExceptionObject} {
		for _, name := range []string{"b", "a", "B", "휴일", "a b", "~", "𝒛", "\uffff", "%", "a'; --"} {
			want = append(want, put(t, s, object(kind, name, 0)))
		}
	}
	slices.SortFunc(want, func(a, b store.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	equal(t, "all", want, objects(t, s))
	of := func(kinds ...store.ObjectKind) []store.Object {
		return slices.DeleteFunc(slices.Clone(want), func(o store.Object) bool { return !slices.Contains(kinds, o.Kind) })
	}
	equal(t, "rules", of(store.RuleObject), objects(t, s, store.RuleObject))
	equal(t, "schedules and exceptions", of(store.ScheduleObject, store.ExceptionObject),
		objects(t, s, store.ScheduleObject, store.ExceptionObject, store.ScheduleObject))
	equal(t, "a kind without any", []store.Object{}, objects(t, s, store.OverrideObject))
}

func testObjectRefused(t *testing.T, s store.Store) {
	for name, edit := range map[string]func(*store.Object){
		"no kind":           func(o *store.Object) { o.Kind = "" },
		"no name":           func(o *store.Object) { o.Name = "" },
		"a long name":       func(o *store.Object) { o.Name = strings.Repeat("n", store.MaxName+1) },
		"no time":           func(o *store.Object) { o.Changed = time.Time{} },
		"the year 10000":    func(o *store.Object) { o.Changed = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no spec":           func(o *store.Object) { o.Spec = nil },
		"a spec not JSON":   func(o *store.Object) { o.Spec = json.RawMessage(`{"a":`) },
		"a spec of YAML":    func(o *store.Object) { o.Spec = json.RawMessage("a: b") },
		"a spec too large":  func(o *store.Object) { o.Spec = json.RawMessage(`"` + strings.Repeat("x", store.MaxSpec) + `"`) },
		"a spec with a NUL": func(o *store.Object) { o.Spec = json.RawMessage("\"\x00\"") },
	} {
		o := object(store.RuleObject, "wake", 0)
		edit(&o)
		if _, err := s.SaveObject(t.Context(), o, edited("wake")); err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, kind := range map[string]store.ObjectKind{"": store.RuleObject, "wake": "", strings.Repeat("n", store.MaxName+1): store.RuleObject} {
		if err := s.DeleteObject(t.Context(), kind, name, 1); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("delete %q %.20q: %v", kind, name, err)
		}
	}
	equal(t, "kept", []store.Object{}, objects(t, s))
	holds(t, s, 0)
	if n := revision(t, s); n != 0 {
		t.Errorf("revision %d", n)
	}
}

func testObjectRows(t *testing.T, s store.Store) {
	ctx := t.Context()
	kept := put(t, s, object(store.RuleObject, "wake", 0), edited("wake"), edited("wake"))
	holds(t, s, 2)
	before := revision(t, s)
	unchanged := func(when string) {
		t.Helper()
		equal(t, "objects after "+when, []store.Object{kept}, objects(t, s))
		holds(t, s, 2)
		if n := revision(t, s); n != before {
			t.Errorf("the revision went from %d to %d after %s", before, n, when)
		}
	}
	bad := []store.Activity{edited("wake"), {}}
	if _, err := s.SaveObject(ctx, object(store.RuleObject, "wake", 1), bad...); err == nil {
		t.Error("a change with a row without a time was taken")
	}
	unchanged("a refused row of a change")
	if _, err := s.SaveObject(ctx, object(store.RuleObject, "sleep", 0), bad...); err == nil {
		t.Error("a new object with a row without a time was taken")
	}
	unchanged("a refused row of a new object")
	if err := s.DeleteObject(ctx, store.RuleObject, "wake", 1, bad...); err == nil {
		t.Error("a deletion with a row without a time was taken")
	}
	unchanged("a refused row of a deletion")
	_, err := s.SaveObject(ctx, object(store.RuleObject, "wake", 0), edited("wake"))
	wantErr(t, "a conflict", err, store.ErrConflict)
	unchanged("a conflict")
	wantErr(t, "a conflict of a deletion", s.DeleteObject(ctx, store.RuleObject, "wake", 7, edited("wake")), store.ErrConflict)
	unchanged("a conflict of a deletion")
	wantErr(t, "a deletion of nothing", s.DeleteObject(ctx, store.RuleObject, "sleep", 1, edited("sleep")), store.ErrNotFound)
	unchanged("a deletion of nothing")

	if err := s.DeleteObject(ctx, store.RuleObject, "wake", 1, edited("wake")); err != nil {
		t.Fatalf("DeleteObject: %v", err)
	}
	holds(t, s, 3)
	equal(t, "the row of the deletion", "wake", rows(t, s, store.ActivityQuery{Last: true, Limit: 1})[0].Name)
	if n := revision(t, s); n <= before {
		t.Errorf("the revision is %d before and %d after a deletion", before, n)
	}
}

func testObjectCopies(t *testing.T, s store.Store) {
	given := object(store.RuleObject, "wake", 0)
	saved := put(t, s, given)
	want := store.Object{
		Kind: given.Kind, Name: given.Name, Version: 1, Author: "kim", Created: monday, Changed: monday,
		Spec: json.RawMessage(`{"after":0,"from":"18:00","tags":["a","b"]}`),
	}
	given.Spec[2], saved.Spec[2] = 'X', 'Y'
	for range 2 {
		got := objects(t, s)
		equal(t, "stored", []store.Object{want}, got)
		got[0].Spec[2] = 'Z'
	}
}

func testObjectStrange(t *testing.T, s store.Store) {
	for given, kept := range strange {
		if len(kept) > store.MaxName {
			continue
		}
		spec, err := json.Marshal(map[string]string{given: given})
		if err != nil {
			t.Fatal(err)
		}
		saved := put(t, s, store.Object{Kind: store.ExceptionObject, Name: given, Spec: spec, Author: given, Changed: monday}, edited(given))
		want := store.Object{
			Kind: store.ExceptionObject, Name: kept, Spec: spec, Author: kept, Version: 1, Created: monday, Changed: monday,
		}
		equal(t, "saved", want, saved)
		equal(t, "stored", []store.Object{want}, objects(t, s))
		if err := s.DeleteObject(t.Context(), store.ExceptionObject, given, 1); err != nil {
			t.Errorf("DeleteObject %.40q: %v", given, err)
		}
	}
	large := object(store.CalendarCopy, strings.Repeat("n", store.MaxName), 0)
	large.Spec = json.RawMessage(`"` + strings.Repeat("x", store.MaxSpec-2) + `"`)
	large.Changed = time.Date(2027, 1, 4, 9, 0, 0, 123456789, time.FixedZone("KST", 9*3600))
	put(t, s, large)
	got := objects(t, s)[0]
	if string(got.Spec) != string(large.Spec) {
		t.Errorf("a spec of %d bytes came back as another of %d", len(large.Spec), len(got.Spec))
	}
	want := monday.Add(123456 * time.Microsecond)
	equal(t, "times", []time.Time{want, want}, []time.Time{got.Created, got.Changed})
}

// testObjectWalk changes objects at random and compares each answer with what
// the contract says.
func testObjectWalk(t *testing.T, s store.Store) {
	random := rand.New(rand.NewPCG(1, 2))
	live, versions := map[string]store.Object{}, map[string]int64{}
	changes := int64(0)
	for step := range 120 {
		name := []string{"a", "b", "c"}[random.IntN(3)]
		version := max(0, versions[name]-int64(random.IntN(2)))
		if random.IntN(3) == 0 {
			version = 0
		}
		there, exists := live[name]
		var err, want error
		if random.IntN(3) == 0 {
			switch {
			case !exists:
				want = store.ErrNotFound
			case there.Version != version:
				want = store.ErrConflict
			}
			if err = s.DeleteObject(t.Context(), store.RuleObject, name, version, edited(name)); err == nil {
				delete(live, name)
			}
		} else {
			if exists != (version != 0) || exists && there.Version != version {
				want = store.ErrConflict
			}
			o := object(store.RuleObject, name, version)
			o.Changed = monday.Add(time.Duration(step) * time.Minute)
			var saved store.Object
			if saved, err = s.SaveObject(t.Context(), o, edited(name)); err == nil {
				versions[name]++
				o.Version, o.Created = versions[name], o.Changed
				if exists {
					o.Created = there.Created
				}
				live[name] = o
				equal(t, fmt.Sprintf("step %d", step), o, saved)
			}
		}
		if !errors.Is(err, want) {
			t.Fatalf("step %d: got %v, want %v", step, err, want)
		}
		if err == nil {
			changes++
		}
		if n := revision(t, s); n != changes {
			t.Fatalf("step %d: revision %d after %d changes", step, n, changes)
		}
	}
	want := []store.Object{}
	for _, o := range live {
		want = append(want, o)
	}
	slices.SortFunc(want, func(a, b store.Object) int { return cmp.Compare(a.Name, b.Name) })
	equal(t, "in the end", want, objects(t, s))
	holds(t, s, changes)
}

// raced lets all of several stores try the same at once and returns how many succeeded.
func raced(t *testing.T, name string, stores []store.Store, try func(s store.Store, i int) error, refusals ...error) int {
	t.Helper()
	const each = 4
	var won atomic.Int64
	var group sync.WaitGroup
	for i := range each * len(stores) {
		group.Go(func() {
			err := try(stores[i%len(stores)], i)
			if err == nil {
				won.Add(1)
			} else if !slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) }) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	group.Wait()
	return int(won.Load())
}

func testObjectRace(t *testing.T, s store.Store) { raceObjects(t, s) }

// raceObjects lets several make, change and delete one object at once.
func raceObjects(t *testing.T, stores ...store.Store) {
	ctx := t.Context()
	s := stores[0]
	changes := int64(0)
	for round := range 3 {
		version := int64(0)
		for _, attempt := range []string{"make", "change", "change again"} {
			won := raced(t, attempt, stores, func(s store.Store, i int) error {
				o := object(store.ScheduleObject, "office", version)
				o.Author = fmt.Sprintf("writer-%d", i)
				saved, err := s.SaveObject(ctx, o, edited(o.Author))
				if err == nil && saved.Author != o.Author {
					t.Errorf("%s was answered with the change of %s", o.Author, saved.Author)
				}
				return err
			}, store.ErrConflict)
			if won != 1 {
				t.Errorf("round %d, %s: %d won, want 1", round, attempt, won)
			}
			changes++
			now := objects(t, s)
			last := rows(t, s, store.ActivityQuery{Last: true, Limit: 1})
			if len(now) != 1 || now[0].Version <= version || now[0].Author != last[0].Name {
				t.Fatalf("round %d, %s: %+v, the last row is of %s", round, attempt, now, last[0].Name)
			}
			version = now[0].Version
		}
		won := raced(t, "delete", stores, func(s store.Store, _ int) error {
			return s.DeleteObject(ctx, store.ScheduleObject, "office", version, edited("office"))
		}, store.ErrNotFound)
		if won != 1 || len(objects(t, s)) != 0 {
			t.Errorf("round %d: %d deleted it, want 1", round, won)
		}
		changes++
	}
	// Different objects are no conflict.
	if won := raced(t, "different objects", stores, func(s store.Store, i int) error {
		_, err := s.SaveObject(ctx, object(store.RuleObject, fmt.Sprintf("rule-%d", i), 0), edited("rule"))
		return err
	}); won != 4*len(stores) {
		t.Errorf("%d of %d different objects were saved", won, 4*len(stores))
	}
	changes += int64(4 * len(stores))
	holds(t, s, changes)
	for _, s := range stores {
		if n := revision(t, s); n != changes {
			t.Errorf("revision %d after %d changes", n, changes)
		}
	}
}

func testTwinObjects(t *testing.T, s store.Store, hooks Hooks) {
	other := hooks.Twin(t, s)
	acquire(t, other, "daemon") // people change objects while a daemon holds the lease
	made := put(t, s, object(store.OverrideObject, "kim-1", 0))
	equal(t, "what the other sees", []store.Object{made}, objects(t, other))
	if err := other.DeleteObject(t.Context(), made.Kind, made.Name, made.Version); err != nil {
		t.Fatalf("DeleteObject by the other: %v", err)
	}
	_, err := s.SaveObject(t.Context(), object(made.Kind, made.Name, made.Version))
	wantErr(t, "a change of what the other deleted", err, store.ErrConflict)
}

func testTwinObjectRace(t *testing.T, s store.Store, hooks Hooks) {
	raceObjects(t, s, hooks.Twin(t, s))
}

func testActivitySteps(t *testing.T, s store.Store) {
	given := chained(0, "web")
	empty := event(1, "db")
	empty.Chain = []decide.Step{}
	long := event(2, "cache")
	for i := range 200 {
		long.Chain = append(long.Chain, decide.Step{Rule: fmt.Sprintf("row-%d", i), Fact: say.Raw("Ä \"<&>\" \u2028 \n" + strings.Repeat("x", i))})
	}
	add(t, s, event(0, "plain"), given, empty, long)
	given.Chain[0].Fact = say.Raw("changed") // after it was handed in
	for range 2 {
		got := rows(t, s, store.ActivityQuery{})
		for i, want := range []store.Activity{event(0, "plain"), chained(0, "web"), event(1, "db"), long} {
			equal(t, fmt.Sprintf("chain of row %d", i+1), want.Chain, got[i].Chain)
			if got[i].Hash != got[i].Sum() {
				t.Errorf("row %d does not give its hash", i+1)
			}
		}
		got[1].Chain[0].Fact = say.Raw("changed") // after it was handed out
		holds(t, s, 4)
	}
	equal(t, "by name", chained(0, "web").Chain, rows(t, s, store.ActivityQuery{Text: "web"})[0].Chain)
	equal(t, "the newest", long.Chain, rows(t, s, store.ActivityQuery{Last: true, Limit: 1})[0].Chain)
}
