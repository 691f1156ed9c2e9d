package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/store"
)

// record is a record of a run, as it is at a step.
func record(name string, step int) store.Record {
	return store.Record{
		Kind: store.WorkloadRun, Name: name, Changed: monday.Add(time.Duration(step) * time.Minute),
		Data: json.RawMessage(fmt.Sprintf(`{"step":%d,"tiers":["db","app"]}`, step)),
	}
}

// dropped asks for the run's record to be dropped.
func dropped(name string) store.Record { return store.Record{Kind: store.WorkloadRun, Name: name} }

func keepRecords(t *testing.T, s store.Store, lease store.Lease, kept ...store.Record) {
	t.Helper()
	if err := s.SaveRecords(t.Context(), lease, kept); err != nil {
		t.Fatalf("SaveRecords: %v", err)
	}
}

func records(t *testing.T, s store.Store, query store.RecordQuery) []store.Record {
	t.Helper()
	found, err := s.Records(t.Context(), query)
	if err != nil {
		t.Fatalf("Records(%+v): %v", query, err)
	}
	return found
}

// named are the names of the runs that the query finds.
func named(t *testing.T, s store.Store, query store.RecordQuery) string {
	t.Helper()
	query.Kind = store.WorkloadRun
	var names []string
	for _, r := range records(t, s, query) {
		names = append(names, r.Name)
	}
	return strings.Join(names, " ")
}

func testRecords(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	equal(t, "at the beginning", []store.Record{}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun}))
	given := record("run-1", 1)
	given.Changed = given.Changed.In(time.FixedZone("KST", 9*3600)).Add(1234 * time.Nanosecond)
	given.Data = json.RawMessage(" {\n \"big\" : 9007199254740993.10, \"text\":\"휴일 \xff \\u0000\"\t} ")
	want := store.Record{
		Kind: store.WorkloadRun, Name: "run-1", Changed: monday.Add(time.Minute + time.Microsecond),
		Data: json.RawMessage(`{"big":9007199254740993.10,"text":"휴일 ` + "\uFFFD" + ` \u0000"}`),
	}
	memory := record("run-1", 2)
	memory.Kind, memory.Data = store.WorkloadMemory, json.RawMessage(`null`)
	keepRecords(t, s, lease, given, memory)
	equal(t, "as stored", []store.Record{want}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun}))
	equal(t, "of another kind", []store.Record{memory}, records(t, s, store.RecordQuery{Kind: store.WorkloadMemory}))
	equal(t, "of a kind without any", []store.Record{}, records(t, s, store.RecordQuery{Kind: store.ReservationMemory}))
	equal(t, "of no kind", []store.Record{}, records(t, s, store.RecordQuery{}))

	large := record(strings.Repeat("n", store.MaxName), 3)
	large.Data = json.RawMessage(`"` + strings.Repeat("x", store.MaxData-2) + `"   `)
	keepRecords(t, s, lease, large)
	large.Data = large.Data[:store.MaxData]
	equal(t, "the largest", []store.Record{large}, records(t, s, store.RecordQuery{Kind: large.Kind, Name: large.Name}))
}

func testRecordReplace(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	all := store.RecordQuery{Kind: store.WorkloadRun}
	keepRecords(t, s, lease, record("run-1", 1), record("run-2", 1))
	keepRecords(t, s, lease, record("run-1", 2))
	equal(t, "one is replaced", []store.Record{record("run-1", 2), record("run-2", 1)}, records(t, s, all))
	keepRecords(t, s, lease, record("run-3", 1), record("run-2", 5), dropped("run-3"), dropped("run-2"), record("run-2", 4))
	equal(t, "of two the later counts", []store.Record{record("run-1", 2), record("run-2", 4)}, records(t, s, all))
	keepRecords(t, s, lease, dropped("run-1"), dropped("never there"), store.Record{Kind: store.WorkloadMemory, Name: "run-2"})
	equal(t, "one is dropped", []store.Record{record("run-2", 4)}, records(t, s, all))
	keepRecords(t, s, lease, record("run-1", 7))
	equal(t, "it is made anew", []store.Record{record("run-1", 7), record("run-2", 4)}, records(t, s, all))
	keepRecords(t, s, lease)
	equal(t, "a write of nothing", "run-1 run-2", named(t, s, all))
	// A name is found by what it is stored as.
	keepRecords(t, s, lease, record("bad\xff", 1), record("bad\uFFFD", 2), record("NUL\x00", 3))
	equal(t, "strange names", []store.Record{record("bad\uFFFD", 2)}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun, Name: "bad\xff"}))
	keepRecords(t, s, lease, dropped("bad\xff"))
	equal(t, "one of them dropped", "NUL\uFFFD run-1 run-2", named(t, s, all))
}

// strangeNames sort by bytes otherwise than by letters, by UTF-16 or by length.
var strangeNames = []string{
	"b", "a", "B", "aa", "a b", "a\x01", "휴일", "휴", "𝒛", "\uffff", "\ufffd", "\U0010ffff", "\U0010ffffa", "\ud7ff", "\ue000", "é", "e\u0301", "%", "_", "~", "a'; --", "ａ",
}

func testRecordOrder(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	var given []store.Record
	for i, name := range strangeNames {
		given = append(given, record(name, i))
	}
	keepRecords(t, s, lease, given...)
	want := slices.Sorted(slices.Values(strangeNames))
	got := func(query store.RecordQuery) (names []string) {
		query.Kind = store.WorkloadRun
		for _, r := range records(t, s, query) {
			names = append(names, r.Name)
		}
		return names
	}
	equal(t, "all", want, got(store.RecordQuery{}))
	equal(t, "all, the last", want, got(store.RecordQuery{Last: true}))
	for i, name := range want {
		equal(t, fmt.Sprintf("by the name %q", name), []string{name}, got(store.RecordQuery{Name: name}))
		equal(t, fmt.Sprintf("before %q", name), want[:i:i], append([]string{}, got(store.RecordQuery{Before: name})...))
		var begin []string
		for _, other := range want {
			if strings.HasPrefix(other, name) {
				begin = append(begin, other)
			}
		}
		equal(t, fmt.Sprintf("that begin with %q", name), begin, got(store.RecordQuery{Prefix: name}))
	}
}

func testRecordPages(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	var given []store.Record
	for i := range 9 {
		given = append(given, record(fmt.Sprintf("shop-%d", i+1), i))
	}
	keepRecords(t, s, lease, append(given, record("bank-1", 0), record("shoq-1", 0))...)
	for _, test := range []struct {
		name  string
		query store.RecordQuery
		want  string
	}{
		{"the first three", store.RecordQuery{Limit: 3}, "bank-1 shop-1 shop-2"},
		{"the last three", store.RecordQuery{Limit: 3, Last: true}, "shop-8 shop-9 shoq-1"},
		{"the last three of one prefix", store.RecordQuery{Prefix: "shop-", Limit: 3, Last: true}, "shop-7 shop-8 shop-9"},
		{"the page before", store.RecordQuery{Prefix: "shop-", Before: "shop-7", Limit: 3, Last: true}, "shop-4 shop-5 shop-6"},
		{"the first page of all", store.RecordQuery{Prefix: "shop-", Before: "shop-4", Limit: 5, Last: true}, "shop-1 shop-2 shop-3"},
		{"before the first", store.RecordQuery{Prefix: "shop-", Before: "shop-1", Last: true}, ""},
		{"before what is not there", store.RecordQuery{Before: "shop-15", Limit: 2, Last: true}, "bank-1 shop-1"},
		{"before a name behind the prefix", store.RecordQuery{Prefix: "shop-", Before: "zzz", Limit: 1, Last: true}, "shop-9"},
		{"one name", store.RecordQuery{Name: "shop-2"}, "shop-2"},
		{"one name that is not there", store.RecordQuery{Name: "shop"}, ""},
		{"one name with its prefix", store.RecordQuery{Name: "shop-2", Prefix: "shop"}, "shop-2"},
		{"one name with another prefix", store.RecordQuery{Name: "shop-2", Prefix: "bank"}, ""},
		{"one name that sorts behind", store.RecordQuery{Name: "shop-2", Before: "shop-2"}, ""},
		{"a negative limit", store.RecordQuery{Prefix: "bank", Limit: -1}, "bank-1"},
	} {
		if got := named(t, s, test.query); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func testRecordRows(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	all := store.RecordQuery{Kind: store.WorkloadRun}
	if err := s.SaveRecords(t.Context(), lease, []store.Record{record("run-1", 1)}, event(0, "web"), chained(1, "db")); err != nil {
		t.Fatalf("SaveRecords: %v", err)
	}
	if err := s.SaveRecords(t.Context(), lease, nil, event(2, "cache")); err != nil {
		t.Fatalf("SaveRecords of rows alone: %v", err)
	}
	holds(t, s, 3)
	bad := record("run-3", 1)
	bad.Data = json.RawMessage(`{"step":`)
	lost := lease
	lost.Term++
	for name, test := range map[string]struct {
		lease   store.Lease
		records []store.Record
		rows    []store.Activity
	}{
		"a row without a time":     {lease, []store.Record{record("run-1", 2), dropped("run-1")}, []store.Activity{event(3, "web"), {}}},
		"a record that is no JSON": {lease, []store.Record{record("run-1", 2), bad}, []store.Activity{event(3, "web")}},
		"a lease that is not held": {lost, []store.Record{dropped("run-1")}, []store.Activity{event(3, "web")}},
	} {
		err := s.SaveRecords(t.Context(), test.lease, test.records, test.rows...)
		if err == nil || errors.Is(err, store.ErrFenced) != (test.lease == lost) {
			t.Errorf("%s: %v", name, err)
		}
		equal(t, "the records after "+name, []store.Record{record("run-1", 1)}, records(t, s, all))
		holds(t, s, 3)
	}
}

// testRecordRepeated: whoever lost the answer says the same again.
func testRecordRepeated(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	faulty := NewFaulty(s)
	keepRecords(t, s, lease, record("run-1", 1), record("run-2", 1))
	faulty.Inject(Fault{Method: SaveRecords, Err: store.ErrLocked, Applied: true})
	step := []store.Record{record("run-1", 2), dropped("run-2"), record("run-3", 1)}
	wantErr(t, "the answer that got lost", faulty.SaveRecords(t.Context(), lease, step), store.ErrLocked)
	want := []store.Record{record("run-1", 2), record("run-3", 1)}
	all := store.RecordQuery{Kind: store.WorkloadRun}
	equal(t, "what was written", want, records(t, s, all))
	if err := faulty.SaveRecords(t.Context(), lease, step); err != nil {
		t.Errorf("the same again: %v", err)
	}
	equal(t, "what was written twice", want, records(t, s, all))
	holds(t, s, 0)
}

func testRecordRefused(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	for name, edit := range map[string]func(*store.Record){
		"no kind":         func(r *store.Record) { r.Kind = "" },
		"no name":         func(r *store.Record) { r.Name = "" },
		"no name to drop": func(r *store.Record) { r.Name, r.Data = "", nil },
		"a long name":     func(r *store.Record) { r.Name = strings.Repeat("n", store.MaxName+1) },
		"no time":         func(r *store.Record) { r.Changed = time.Time{} },
		"the year 10000":  func(r *store.Record) { r.Changed = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"data not JSON":   func(r *store.Record) { r.Data = json.RawMessage(`{"a":`) },
		"data of nothing": func(r *store.Record) { r.Data = json.RawMessage(" ") },
		"data too large":  func(r *store.Record) { r.Data = json.RawMessage(`"` + strings.Repeat("x", store.MaxData) + `"`) },
		"data with a NUL": func(r *store.Record) { r.Data = json.RawMessage("\"\x00\"") },
		"data that grows": func(r *store.Record) { r.Data = json.RawMessage(`"` + strings.Repeat("\xffa", store.MaxData/3) + `"`) },
	} {
		r := record("run-1", 1)
		edit(&r)
		if err := s.SaveRecords(t.Context(), lease, []store.Record{record("run-0", 0), r}, event(0, "web")); err == nil || errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: %v", name, err)
		}
	}
	equal(t, "kept", []store.Record{}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun}))
	holds(t, s, 0)
}

func testRecordCopies(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	given := record("run-1", 1)
	keepRecords(t, s, lease, given)
	given.Data[2] = 'X'
	for range 2 { // what was handed out is changed as well
		got := records(t, s, store.RecordQuery{Kind: store.WorkloadRun})
		equal(t, "the stored record", []store.Record{record("run-1", 1)}, got)
		got[0].Data[2] = 'X'
	}
}

// testRecordWalk holds the engine against a map.
func testRecordWalk(t *testing.T, s store.Store) {
	lease := acquire(t, s, "host-a")
	dice := rand.New(rand.NewPCG(2027, 1))
	letters := []string{"a", "b", "휴", "\U0010ffff", "-"}
	word := func(most int) (text string) {
		for range dice.IntN(most + 1) {
			text += letters[dice.IntN(len(letters))]
		}
		return text
	}
	model := map[string]store.Record{}
	for step := range 150 {
		var batch []store.Record
		for range dice.IntN(4) {
			r := record("n"+word(3), step)
			if model[r.Name] = r; dice.IntN(3) == 0 {
				r = dropped(r.Name)
				delete(model, r.Name)
			}
			batch = append(batch, r)
		}
		keepRecords(t, s, lease, batch...)
		query := store.RecordQuery{Kind: store.WorkloadRun, Prefix: word(2), Last: dice.IntN(2) == 0, Limit: 1 + dice.IntN(6)}
		if query.Prefix != "" {
			query.Prefix = "n" + query.Prefix
		}
		if dice.IntN(2) == 0 {
			query.Before = "n" + word(3)
		}
		want := []store.Record{}
		for _, r := range model {
			if strings.HasPrefix(r.Name, query.Prefix) && (query.Before == "" || r.Name < query.Before) {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, func(a, b store.Record) int { return strings.Compare(a.Name, b.Name) })
		if more := len(want) - query.Limit; more > 0 && query.Last {
			want = want[more:]
		} else if more > 0 {
			want = want[:query.Limit]
		}
		equal(t, fmt.Sprintf("step %d, %+v", step, query), want, records(t, s, query))
	}
}

func testTwinRecords(t *testing.T, s store.Store, hooks Hooks) {
	twin := hooks.Twin(t, s)
	lease := acquire(t, s, "host-a")
	keepRecords(t, s, lease, record("run-1", 1))
	equal(t, "seen by the other", []store.Record{record("run-1", 1)}, records(t, twin, store.RecordQuery{Kind: store.WorkloadRun}))
	next, err := twin.Acquire(t.Context(), "main", "host-b", lease.Expires, time.Minute)
	if err != nil {
		t.Fatalf("Acquire by the successor: %v", err)
	}
	wantErr(t, "a step of the one before", s.SaveRecords(t.Context(), lease, []store.Record{record("run-1", 2)}, event(0, "web")), store.ErrFenced)
	keepRecords(t, twin, next, record("run-1", 3))
	equal(t, "where the sequence stands", []store.Record{record("run-1", 3)}, records(t, s, store.RecordQuery{Kind: store.WorkloadRun}))
	holds(t, s, 0)
}
