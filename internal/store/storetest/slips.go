package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dayshift/internal/store"
)

// slip is one ready to be kept, that is over in two minutes and more.
func slip(name string, minutes int) store.Slip {
	return store.Slip{Kind: store.ChatCommandSlip, Name: name, Data: fmt.Sprintf(`{"of":%q,"at":%d}`, name, minutes), Until: monday.Add(time.Duration(minutes+2)*time.Minute + 123456*time.Microsecond)}
}

// plenty is a limit that is not met.
const plenty = 1000

func keepSlip(t *testing.T, s store.Store, slip store.Slip, held string) {
	t.Helper()
	if err := s.PutSlip(t.Context(), slip, held, monday, plenty); err != nil {
		t.Fatalf("PutSlip: %v", err)
	}
}

// slipThere is the slip of a name; the zero one where there is none.
func slipThere(t *testing.T, s store.Store, name string, now time.Time) store.Slip {
	t.Helper()
	found, err := s.Slip(t.Context(), store.ChatCommandSlip, name, now)
	if err != nil && (!errors.Is(err, store.ErrNotFound) || found != (store.Slip{})) {
		t.Fatalf("Slip: %+v, %v", found, err)
	}
	return found
}

func testSlips(t *testing.T, s store.Store) {
	equal(t, "none", store.Slip{}, slipThere(t, s, "a", monday))
	strange := slip("a' OR 1=1 -- 서버", 0)
	strange.Data = "{\"text\":\"깨워 \\u0000 '; DROP TABLE slips\"}\n"
	strange.Until = strange.Until.In(time.FixedZone("", 9*3600)).Add(999 * time.Nanosecond)
	keepSlip(t, s, strange, "")
	keepSlip(t, s, slip("a", 0), "")
	other := slip("a", 5)
	other.Kind = store.ChatRequestSlip
	keepSlip(t, s, other, "")
	strange.Until = store.Instant(strange.Until)
	equal(t, "strange", strange, slipThere(t, s, strange.Name, monday))
	one := slip("a", 0)
	equal(t, "one", one, slipThere(t, s, "a", one.Until.Add(-time.Microsecond)))
	equal(t, "at its end", store.Slip{}, slipThere(t, s, "a", one.Until))
	if n := revision(t, s); n != 0 {
		t.Errorf("slips are no objects, and yet the revision is %d", n)
	}
	holds(t, s, 0)
}

func testSlipReplaced(t *testing.T, s store.Store) {
	first, second := slip("a", 0), slip("a", 1)
	keepSlip(t, s, first, "")
	for what, held := range map[string]string{"none": "", "another": second.Data} {
		wantErr(t, "in the place of "+what, s.PutSlip(t.Context(), second, held, monday, plenty), store.ErrConflict)
	}
	equal(t, "as it was", first, slipThere(t, s, "a", monday))
	keepSlip(t, s, second, first.Data)
	equal(t, "replaced", second, slipThere(t, s, "a", monday))
	wantErr(t, "take what was replaced", s.TakeSlip(t.Context(), first.Kind, "a", first.Data), store.ErrConflict)
	wantErr(t, "take another kind", s.TakeSlip(t.Context(), store.ChatRequestSlip, "a", second.Data), store.ErrConflict)
	if err := s.TakeSlip(t.Context(), second.Kind, "a", second.Data); err != nil {
		t.Errorf("TakeSlip: %v", err)
	}
	wantErr(t, "take it again", s.TakeSlip(t.Context(), second.Kind, "a", second.Data), store.ErrConflict)
	wantErr(t, "in the place of what was taken", s.PutSlip(t.Context(), first, second.Data, monday, plenty), store.ErrConflict)
	equal(t, "taken", store.Slip{}, slipThere(t, s, "a", monday))
	keepSlip(t, s, first, "")
	// What is over is as if it were not there, for whoever would replace it too.
	late := slip("a", 10)
	wantErr(t, "in the place of what is over", s.PutSlip(t.Context(), late, first.Data, first.Until, plenty), store.ErrConflict)
	if err := s.PutSlip(t.Context(), late, "", first.Until, plenty); err != nil {
		t.Errorf("anew: %v", err)
	}
	equal(t, "anew", late, slipThere(t, s, "a", monday))
}

func testSlipBounds(t *testing.T, s store.Store) {
	const limit = 3
	for i := range limit {
		if err := s.PutSlip(t.Context(), slip(fmt.Sprint(i), i), "", monday, limit); err != nil {
			t.Fatalf("PutSlip %d: %v", i, err)
		}
	}
	wantErr(t, "one more", s.PutSlip(t.Context(), slip("more", 0), "", monday, limit), store.ErrFull)
	equal(t, "not kept", store.Slip{}, slipThere(t, s, "more", monday))
	if err := s.PutSlip(t.Context(), slip("1", 9), slip("1", 1).Data, monday, limit); err != nil {
		t.Errorf("in the place of one: %v", err)
	}
	other := slip("more", 0)
	other.Kind = store.ChatRequestSlip
	if err := s.PutSlip(t.Context(), other, "", monday, 1); err != nil {
		t.Errorf("of another kind: %v", err)
	}
	// The end of the first makes room, and sweeps its own kind alone.
	now := slip("0", 0).Until
	if err := s.PutSlip(t.Context(), slip("more", 20), "", now, limit); err != nil {
		t.Errorf("with room: %v", err)
	}
	equal(t, "swept", store.Slip{}, slipThere(t, s, "0", monday))
	equal(t, "not swept", slip("2", 2), slipThere(t, s, "2", monday))
	if found, err := s.Slip(t.Context(), other.Kind, other.Name, monday); err != nil || found != other {
		t.Errorf("of another kind: %+v, %v", found, err)
	}
}

func testSlipRace(t *testing.T, s store.Store) { slipRace(t, s) }

// slipRace lets many put the same slip, and then take it.
func slipRace(t *testing.T, stores ...store.Store) {
	const many = 100
	all := func(what string, call func(s store.Store, i int) error) {
		var won atomic.Int64
		var group sync.WaitGroup
		for i := range many {
			group.Go(func() {
				switch err := call(stores[i%len(stores)], i); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrConflict):
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of %d %s it, want exactly 1", won.Load(), many, what)
		}
	}
	all("put", func(s store.Store, i int) error { return s.PutSlip(t.Context(), slip("a", i), "", monday, plenty) })
	held := slipThere(t, stores[len(stores)-1], "a", monday)
	all("replaced", func(s store.Store, i int) error {
		next := slip("a", many+i)
		return s.PutSlip(t.Context(), next, held.Data, monday, plenty)
	})
	held = slipThere(t, stores[0], "a", monday)
	all("took", func(s store.Store, _ int) error { return s.TakeSlip(t.Context(), held.Kind, held.Name, held.Data) })
}

func testSlipsRefused(t *testing.T, s store.Store) {
	for what, spoil := range map[string]func(*store.Slip){
		"no kind":         func(o *store.Slip) { o.Kind = "" },
		"no name":         func(o *store.Slip) { o.Name = "" },
		"a long name":     func(o *store.Slip) { o.Name = strings.Repeat("n", store.MaxName+1) },
		"a name with NUL": func(o *store.Slip) { o.Name = "a\x00" },
		"no data":         func(o *store.Slip) { o.Data = "" },
		"strange data":    func(o *store.Slip) { o.Data = "\xff" },
		"large data":      func(o *store.Slip) { o.Data = strings.Repeat("x", store.MaxSlip+1) },
		"no end":          func(o *store.Slip) { o.Until = time.Time{} },
		"over already":    func(o *store.Slip) { o.Until = monday },
		"a far end":       func(o *store.Slip) { o.Until = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		o := slip("a", 0)
		spoil(&o)
		if err := s.PutSlip(t.Context(), o, "", monday, plenty); err == nil {
			t.Errorf("%s is kept", what)
		}
	}
	if err := s.PutSlip(t.Context(), slip("a", 0), "", monday, 0); err == nil {
		t.Error("none may be kept, and one is")
	}
	equal(t, "after it", store.Slip{}, slipThere(t, s, "a", monday))
}
