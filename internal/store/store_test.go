package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

var monday = time.Date(2027, 1, 4, 0, 0, 0, 123456000, time.UTC)

func sample() Activity {
	return Activity{
		Seq: 7, At: monday, Run: "run-1", Actor: "dayshift", Event: EventStarted,
		Ref:  fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}, Kind: fleet.EC2Instance, ID: "i-1"},
		Name: "web", Schedule: "office", Reason: "period-began", Detail: "office began", Prev: Genesis, Hash: "set later",
	}
}

// The encoding is a promise to every record kept so far: this hash never changes.
func TestSumIsStable(t *testing.T) {
	const want = "b158fdd235bb12b984210233a0c07c484bc0d85f51b5b890a199dfca87cd413f"
	row := sample()
	if got := row.Sum(); got != want {
		t.Errorf("Sum of the sample row is %s, want %s: records kept so far would no longer verify", got, want)
	}
	row.At = row.At.In(time.FixedZone("KST", 9*3600)).Add(999 * time.Nanosecond)
	row.Hash = "another"
	if got := row.Sum(); got != want {
		t.Errorf("Sum depends on the zone, on nanoseconds or on Hash: %s", got)
	}
}

// So is that of a row with a chain.
func TestSumWithChainIsStable(t *testing.T) {
	const want = "69cae41c1aa70f372bcc4af9e7a2f0ec95308856e2eef444bce8d7fe99911c0c"
	row := sample()
	plain := row.Sum()
	row.Chain = []decide.Step{{Rule: "calendar", Fact: say.Raw("office began at 09:00")}, {Rule: "row-4", Fact: say.Raw("stopped → start")}}
	if got := row.Sum(); got != want {
		t.Errorf("Sum of the sample row with a chain is %s, want %s: records kept so far would no longer verify", got, want)
	}
	row.Chain = []decide.Step{}
	if got := row.Sum(); got != plain {
		t.Errorf("an empty chain changes the sum to %s", got)
	}
	sums := map[string]int{}
	for i, chain := range [][]decide.Step{
		{{}}, {{}, {}}, {{Rule: "ab"}}, {{Rule: "a", Fact: say.Raw("b")}}, {{Fact: say.Raw("ab")}}, {{Rule: "a"}, {Fact: say.Raw("b")}}, {{Rule: "a"}, {Rule: "b"}},
	} {
		row.Chain = chain
		if other, taken := sums[row.Sum()]; taken || row.Sum() == plain {
			t.Errorf("chains %d and %d share a sum", i, other)
		}
		sums[row.Sum()] = i
	}
}

// Every field but Hash counts; a field that is added must be added to Sum.
func TestSumCoversEveryField(t *testing.T) {
	sums := map[string]string{sample().Sum(): "the sample"}
	var change func(path string, field reflect.Value, row *Activity)
	change = func(path string, field reflect.Value, row *Activity) {
		before := reflect.New(field.Type()).Elem()
		before.Set(field)
		fact, isText := reflect.TypeAssert[say.Text](field)
		switch at, isTime := reflect.TypeAssert[time.Time](field); {
		case isText:
			field.Set(reflect.ValueOf(say.Raw(fact.String() + "x")))
		case isTime:
			field.Set(reflect.ValueOf(at.Add(time.Microsecond)))
		case field.Kind() == reflect.String:
			field.SetString(field.String() + "x")
		case field.Kind() == reflect.Int64:
			field.SetInt(field.Int() + 1)
		case field.Kind() == reflect.Struct:
			for i := range field.NumField() {
				change(path+"."+field.Type().Field(i).Name, field.Field(i), row)
			}
			return
		case field.Kind() == reflect.Slice && field.Len() > 0:
			for i := range field.Len() {
				change(fmt.Sprintf("%s[%d]", path, i), field.Index(i), row)
			}
			field.Set(field.Slice(0, field.Len()-1)) // a step less
		default:
			t.Fatalf("%s is of kind %s: teach this test and Sum about it", path, field.Kind())
		}
		sum := row.Sum()
		if other, ok := sums[sum]; ok && path != "Activity.Hash" {
			t.Errorf("a change of %s gives the sum of %s", path, other)
		}
		sums[sum] = path
		field.Set(before)
	}
	row := sample()
	row.Chain = []decide.Step{{Rule: "calendar", Fact: say.Raw("office began")}, {Rule: "row-4", Fact: say.Raw("start")}}
	sums[row.Sum()] = "the sample with a chain"
	change("Activity", reflect.ValueOf(&row).Elem(), &row)
	if len(sums) < 20 {
		t.Errorf("only %d fields were changed", len(sums))
	}
	// Text that moves from one field into the next is another row.
	a, b := sample(), sample()
	a.Name, a.Schedule = "web", "office"
	b.Name, b.Schedule = "webo", "ffice"
	if a.Sum() == b.Sum() {
		t.Error("fields run into one another")
	}
}

func TestLinkedRowsVerify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head := Head{Hash: Genesis}
		var record []Activity
		for range rapid.IntRange(0, 4).Draw(t, "appends") {
			rows := make([]Activity, rapid.IntRange(0, 4).Draw(t, "rows"))
			for i := range rows {
				rows[i] = Activity{
					At:    time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
					Actor: "a" + rapid.String().Draw(t, "actor"), Event: EventHeld, Detail: rapid.String().Draw(t, "detail"),
				}
				for range rapid.IntRange(0, 2).Draw(t, "steps") {
					rows[i].Chain = append(rows[i].Chain, decide.Step{Rule: rapid.String().Draw(t, "rule"), Fact: say.Raw(rapid.String().Draw(t, "fact"))})
				}
			}
			linked, next, err := Link(head, rows)
			if err != nil {
				t.Fatal(err)
			}
			record, head = append(record, linked...), next
		}
		verify := func(rows []Activity) Verification {
			var chain Chain
			for _, row := range rows {
				chain.Add(row)
			}
			return chain.End(head)
		}
		want := Verification{Rows: int64(len(record)), Head: head.Hash}
		if got := verify(record); got != want {
			t.Fatalf("the record: %+v, want %+v", got, want)
		}
		if len(record) == 0 {
			return
		}
		i := rapid.IntRange(0, len(record)-1).Draw(t, "row")
		if got := verify(slices.Delete(slices.Clone(record), i, i+1)); got.BadAt != int64(i)+1 || got.Rows != int64(i) {
			t.Fatalf("without row %d: %+v", i+1, got)
		}
		edited := slices.Clone(record)
		edited[i].Detail += "!"
		if got := verify(edited); got.BadAt != int64(i)+1 || got.Rows != int64(i) {
			t.Fatalf("with row %d edited: %+v", i+1, got)
		}
		edited = slices.Clone(record)
		edited[i].Chain = append(slices.Clone(edited[i].Chain), decide.Step{})
		if got := verify(edited); got.BadAt != int64(i)+1 || got.Rows != int64(i) {
			t.Fatalf("with a step more in row %d: %+v", i+1, got)
		}
		edited[i].Chain = nil
		if got := verify(edited); (got == want) != (len(record[i].Chain) == 0) {
			t.Fatalf("without the chain of row %d: %+v", i+1, got)
		}
	})
}

func TestChainRefusesOddNumbers(t *testing.T) {
	for _, seq := range []int64{0, -5, 2} {
		var chain Chain
		row := sample()
		row.Seq = seq
		row.Hash = row.Sum()
		if chain.Add(row) {
			t.Errorf("a first row %d was taken", seq)
		}
		if got := chain.End(Head{Hash: Genesis}); got.BadAt < 1 || got.Why == "" || got.Rows != 0 {
			t.Errorf("first row %d: %+v", seq, got)
		}
	}
}

func TestNewRunID(t *testing.T) {
	base := time.Date(2027, 1, 4, 9, 0, 0, 0, time.FixedZone("KST", 9*3600))
	if got, want := NewRunID(base), "20270104T000000.000000Z-"; !strings.HasPrefix(got, want) || len(got) != len(want)+8 {
		t.Errorf("NewRunID: %q, want %q and eight hex digits", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		earlier := time.UnixMicro(rapid.Int64Range(0, 1<<57).Draw(t, "µs")) // into the year 6537
		later := earlier.Add(time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "later by µs")) * time.Microsecond)
		if a, b := NewRunID(earlier), NewRunID(later); a >= b {
			t.Fatalf("%s does not sort before %s", a, b)
		}
	})
	seen := map[string]bool{}
	for range 1000 {
		seen[NewRunID(base)] = true
	}
	if len(seen) < 999 { // one collision in a thousand is a chance of 1 in 8,600
		t.Errorf("%d different IDs of 1000 for one instant", len(seen))
	}
}

// CleanMemories must reach every string and time of a memory, one added later too.
func TestCleanMemoriesCoversEveryField(t *testing.T) {
	m := decide.Memory{Ref: sample().Ref, Intent: &decide.Intent{}}
	zone := time.FixedZone("KST", 9*3600)
	var fill func(v reflect.Value, path string, check bool)
	fill = func(v reflect.Value, path string, check bool) {
		switch at, isTime := reflect.TypeAssert[time.Time](v); {
		case path == ".Ref":
		case isTime && check:
			if at.Location() != time.UTC || at.Nanosecond()%1000 != 0 || at.IsZero() {
				t.Errorf("Memory%s is kept as %s", path, at)
			}
		case isTime:
			v.Set(reflect.ValueOf(monday.In(zone).Add(999)))
		case v.Kind() == reflect.String && check:
			if v.String() != "a\uFFFDb\uFFFD" {
				t.Errorf("Memory%s is kept as %q", path, v.String())
			}
		case v.Kind() == reflect.String:
			v.SetString("a\x00b\xff")
		case v.Kind() == reflect.Pointer:
			fill(v.Elem(), path, check)
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i), path+"."+v.Type().Field(i).Name, check)
			}
		}
	}
	fill(reflect.ValueOf(&m).Elem(), "", false)
	clean, err := CleanMemories([]decide.Memory{m})
	if err != nil {
		t.Fatal(err)
	}
	fill(reflect.ValueOf(&clean[0]).Elem(), "", true)
	if clean[0].Intent == m.Intent {
		t.Error("the intent is shared with the caller")
	}
}

func TestCleanMemoriesKeepsTheLastOfEqualRefs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var memories []decide.Memory
		last := map[fleet.Ref]int{}
		for i := range rapid.IntRange(0, 12).Draw(t, "n") {
			ref := sample().Ref
			ref.ID = rapid.SampledFrom([]string{"i-1", "i-2", "i-3"}).Draw(t, "id")
			memories = append(memories, decide.Memory{Ref: ref, Attempts: i})
			last[ref] = i
		}
		clean, err := CleanMemories(memories)
		if err != nil {
			t.Fatal(err)
		}
		got := map[fleet.Ref]int{}
		for _, m := range clean {
			got[m.Ref] = m.Attempts
		}
		if diff := cmp.Diff(last, got); diff != "" || len(clean) != len(last) {
			t.Fatalf("%d kept, (-want +got):\n%s", len(clean), diff)
		}
		if !slices.IsSortedFunc(clean, func(a, b decide.Memory) int { return a.Ref.Compare(b.Ref) }) {
			t.Fatal("not sorted")
		}
	})
}

// filled sets everything in v, down to the last element: bad text, and times in
// another zone that are too fine.
func filled(v reflect.Value) {
	if _, isTime := reflect.TypeAssert[time.Time](v); isTime {
		v.Set(reflect.ValueOf(monday.In(time.FixedZone("KST", 9*3600)).Add(999)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a\x00b\xff")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for _, field := range v.Fields() {
			filled(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0))
		filled(v.Index(1))
	case reflect.Map:
		key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		filled(key)
		filled(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, element)
	default:
		panic("teach filled about " + v.Kind().String())
	}
}

// CleanScope must reach everything, and what it gives must be what JSON gives back.
func TestCleanScopeCoversEveryField(t *testing.T) {
	var m decide.ScopeMemory
	filled(reflect.ValueOf(&m).Elem())
	m.Scope = sample().Ref.Scope
	given, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	clean, err := CleanScope(m)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(clean)
	if err != nil {
		t.Fatal(err)
	}
	times := strings.Count(string(encoded), `"2027-01-04T00:00:00.123456Z"`)
	texts := strings.Count(string(encoded), "a\uFFFDb\uFFFD")
	if left := strings.Count(string(encoded), "+09:00") + strings.Count(string(encoded), `\u0000`); left != 0 || times < 2 || texts < 3 {
		t.Errorf("%d times and %d texts are clean, %d are not: %s", times, texts, left, encoded)
	}
	var back decide.ScopeMemory
	if err := json.Unmarshal(encoded, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clean, back); diff != "" {
		t.Errorf("JSON gives back (-clean +back):\n%s", diff)
	}
	if diff := cmp.Diff(clean, CloneScope(clean)); diff != "" {
		t.Errorf("the copy (-clean +copy):\n%s", diff)
	}
	if after, err := json.Marshal(m); err != nil || string(after) != string(given) {
		t.Errorf("the caller's was changed: %s", after)
	}
}

func TestCleanScopesRefuses(t *testing.T) {
	scope := sample().Ref.Scope
	for name, m := range map[string]decide.ScopeMemory{
		"no scope":           {Config: "c"},
		"NUL in the region":  {Scope: fleet.Scope{Account: scope.Account, Region: "eu\x00"}},
		"an account no UTF8": {Scope: fleet.Scope{Account: "\xff", Region: scope.Region}},
		"the year 10000":     {Scope: scope, Windows: []policy.Window{{From: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}},
	} {
		if _, err := CleanScopes([]decide.ScopeMemory{{Scope: scope}, m}); err == nil || !strings.Contains(err.Error(), "memory of") {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := decide.ScopeMemory{Scope: scope, Windows: []policy.Window{}, Rules: map[string]map[fleet.Kind]decide.RuleProgress{}}
	clean, err := CleanScopes([]decide.ScopeMemory{{Scope: scope, Config: "first"}, empty})
	if diff := cmp.Diff([]decide.ScopeMemory{{Scope: scope}}, clean); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestCleanObject(t *testing.T) {
	good := Object{Kind: ScheduleObject, Name: "office", Version: 3, Spec: json.RawMessage(" {\n\"a\" : [1, 9007199254740993.0, \"x \xff\"] }\n"), Author: "kim\x00", Changed: monday.In(time.FixedZone("KST", 9*3600)).Add(999)}
	clean, err := CleanObject(good)
	want := Object{Kind: ScheduleObject, Name: "office", Version: 3, Spec: json.RawMessage("{\"a\":[1,9007199254740993.0,\"x \uFFFD\"]}"), Author: "kim\uFFFD", Changed: monday}
	if diff := cmp.Diff(want, clean); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	for _, test := range []struct {
		name   string
		change func(*Object)
		words  string
	}{
		{"no kind", func(o *Object) { o.Kind = "" }, "needs a kind"},
		{"no name", func(o *Object) { o.Name = "" }, "schedule: an object needs a name"},
		{"a name too long", func(o *Object) { o.Name = strings.Repeat("가", MaxName/3+1) }, "at most 1024"},
		{"a name that grows too long", func(o *Object) { o.Name = strings.Repeat("\x00", MaxName/2) }, "at most 1024"},
		{"no time", func(o *Object) { o.Changed = time.Time{} }, "time of its change"},
		{"the year 10000", func(o *Object) { o.Changed = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year"},
		{"no spec", func(o *Object) { o.Spec = nil }, `schedule "office": its spec is not valid JSON`},
		{"half a spec", func(o *Object) { o.Spec = json.RawMessage(`{"a":`) }, "not valid JSON"},
		{"two specs", func(o *Object) { o.Spec = json.RawMessage(`{} {}`) }, "not valid JSON"},
		{"a spec too large", func(o *Object) { o.Spec = json.RawMessage(`"` + strings.Repeat("x", MaxSpec-1) + `"`) }, "2097153 bytes of JSON, at most 2097152"},
	} {
		object := good
		test.change(&object)
		if _, err := CleanObject(object); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v, want %q", test.name, err, test.words)
		}
	}
	good.Name = strings.Repeat("n", MaxName)
	good.Spec = json.RawMessage(`"` + strings.Repeat("x", MaxSpec-2) + `"   `)
	if _, err := CleanObject(good); err != nil {
		t.Errorf("the largest: %v", err)
	}
}

func FuzzCleanObject(f *testing.F) {
	f.Add("office", `{"a": 1}`)
	f.Add("\xff\x00", "\"\xff\"")
	f.Add("", `[[[]]] `)
	f.Fuzz(func(t *testing.T, name, spec string) {
		clean, err := CleanObject(Object{Kind: RuleObject, Name: name, Spec: json.RawMessage(spec), Changed: monday})
		if err != nil {
			return
		}
		if !json.Valid(clean.Spec) || !utf8.Valid(clean.Spec) || !utf8.ValidString(clean.Name) || strings.ContainsRune(clean.Name, 0) {
			t.Fatalf("kept %q, %q", clean.Name, clean.Spec)
		}
		again, err := CleanObject(clean)
		if diff := cmp.Diff(clean, again); err != nil || diff != "" {
			t.Fatalf("cleaned again: %v\n%s", err, diff)
		}
	})
}

func TestCleanRecordsSaysWhatIsWrong(t *testing.T) {
	good := Record{Kind: WorkloadRun, Name: "run-1", Data: json.RawMessage(`{}`), Changed: monday}
	for _, test := range []struct {
		name   string
		change func(*Record)
		words  string
	}{
		{"no kind", func(r *Record) { r.Kind = "" }, `"run-1": a record needs a kind`},
		{"no name", func(r *Record) { r.Name = "" }, "workload-run: a record needs a name"},
		{"a name too long", func(r *Record) { r.Name = strings.Repeat("가", MaxName/3+1) }, "at most 1024"},
		{"no time", func(r *Record) { r.Changed = time.Time{} }, `workload-run "run-1": a record needs the time of its change`},
		{"half of it", func(r *Record) { r.Data = json.RawMessage(`{"a":`) }, `workload-run "run-1": its data is not valid JSON`},
		{"too large", func(r *Record) { r.Data = json.RawMessage(`"` + strings.Repeat("x", MaxData-1) + `"`) }, "1048577 bytes of JSON, at most 1048576"},
	} {
		record := good
		test.change(&record)
		if _, err := CleanRecords([]Record{good, record}); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v, want %q", test.name, err, test.words)
		}
	}
}

// What begins with a prefix lies in the range of the prefix, and nothing else does.
func TestRangeOfAPrefix(t *testing.T) {
	letters := rapid.SampledFrom([]rune{'a', 'b', 0x7F, 0x80, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, utf8.MaxRune})
	rapid.Check(t, func(t *rapid.T) {
		prefix, name := rapid.StringOfN(letters, 0, 3, -1).Draw(t, "prefix"), rapid.StringOfN(letters, 1, 4, -1).Draw(t, "name")
		from, until := RecordQuery{Prefix: prefix}.Range()
		if in := name >= from && (until == "" || name < until); in != strings.HasPrefix(name, prefix) {
			t.Fatalf("%q in the range from %q until %q: %v", name, from, until, in)
		}
	})
}

// At most one of two holders can write at any instant, whatever they try.
func TestLeasesNeverOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var held Lease
		mine := map[string]Lease{}
		now, term := monday, int64(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			host := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "host")
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0:
				if lease, err := Grant(held, "main", host, now, 30*time.Second); err == nil {
					if held.Holder != "" && held.Holder != host && now.Before(held.Expires) {
						t.Fatalf("%s took the lease of %s before its end", host, held.Holder)
					}
					held, mine[host] = lease, lease
				}
			case 1:
				if lease, err := Extend(held, mine[host], now, 30*time.Second); err == nil {
					held, mine[host] = lease, lease
				}
			case 2:
				if Guard(held, mine[host]) == nil {
					held.Holder, held.Expires = "", time.Time{}
				}
			}
			if held.Term < term {
				t.Fatalf("the term fell from %d to %d", term, held.Term)
			}
			term = held.Term
			allowed := 0
			for _, lease := range mine {
				if Guard(held, lease) == nil {
					allowed++
				}
			}
			if allowed > 1 {
				t.Fatalf("%d holders may write: %+v, held %+v", allowed, mine, held)
			}
		}
	})
}
