package storetest_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/storetest"
)

// A store without faults behaves as the one below.
func TestFaultyPassesTheExamination(t *testing.T) {
	storetest.Exercise(t, func(*testing.T) store.Store { return storetest.NewFaulty(memory.New()) }, storetest.Hooks{})
}

func row() []store.Activity {
	return []store.Activity{{At: time.Unix(0, 0), Actor: "dayshift", Event: store.EventHeld}}
}

func count(t *testing.T, s store.Store) int64 {
	t.Helper()
	v, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v.Rows
}

func TestFaultyFailsWhereItIsTold(t *testing.T) {
	ctx := t.Context()
	f := storetest.NewFaulty(memory.New())
	f.Inject(storetest.Fault{Method: storetest.Append, Err: store.ErrFull, Skip: 1, Times: 2})
	f.Inject(storetest.Fault{Method: storetest.Append, Err: store.ErrLocked, Applied: true})
	for i, want := range []error{nil, store.ErrFull, store.ErrFull, store.ErrLocked, nil} {
		if err := f.Append(ctx, store.Lease{}, row()); !errors.Is(err, want) {
			t.Errorf("append %d: %v, want %v", i+1, err, want)
		}
	}
	if got := count(t, f); got != 3 {
		t.Errorf("%d rows, want 3: two that succeeded and the one whose answer was lost", got)
	}
	if got := f.Calls(storetest.Append); got != 5 {
		t.Errorf("%d calls were counted, want 5", got)
	}
	if err := f.Ping(ctx); err != nil {
		t.Errorf("another method failed: %v", err)
	}
}

func TestFaultyLosesTheAnswer(t *testing.T) {
	ctx := t.Context()
	f := storetest.NewFaulty(memory.New())
	f.Inject(storetest.Fault{Method: storetest.Acquire, Err: store.ErrLocked, Applied: true})
	lease, err := f.Acquire(ctx, "main", "host-a", time.Unix(0, 0), time.Minute)
	if !errors.Is(err, store.ErrLocked) || lease != (store.Lease{}) {
		t.Errorf("got %+v, %v", lease, err)
	}
	held, err := f.Acquire(ctx, "main", "host-b", time.Unix(0, 0), time.Minute)
	if !errors.Is(err, store.ErrHeld) || held.Holder != "host-a" {
		t.Errorf("the lease was not taken below: %+v, %v", held, err)
	}
}

func TestFaultyFailsUntilHealed(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	f.Inject(storetest.Fault{Method: storetest.Ping, Err: store.ErrReadOnly, Times: -1})
	for range 5 {
		if err := f.Ping(t.Context()); !errors.Is(err, store.ErrReadOnly) {
			t.Fatalf("Ping: %v", err)
		}
	}
	f.Heal()
	if err := f.Ping(t.Context()); err != nil {
		t.Errorf("Ping after Heal: %v", err)
	}
}

func TestFaultyIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := storetest.NewFaulty(memory.New())
		f.Inject(storetest.Fault{Method: storetest.Ping, Err: store.ErrLocked, Delay: 30 * time.Second, Times: 2})
		start := time.Now()
		if err := f.Ping(t.Context()); !errors.Is(err, store.ErrLocked) || time.Since(start) != 30*time.Second {
			t.Errorf("Ping: %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v, want the end of its context", err)
		}
	})
}

// Every method of the contract can fail and be slow; one that is added to the
// contract is examined too.
func TestFaultyFailsInEveryMethod(t *testing.T) {
	contract := reflect.TypeFor[store.Store]()
	for method := range contract.Methods() {
		name := storetest.Method(method.Name)
		call := func(ctx context.Context, f *storetest.Faulty) error {
			var args []reflect.Value
			for n := range method.Type.NumIn() {
				switch in := method.Type.In(n); {
				case method.Type.IsVariadic() && n == method.Type.NumIn()-1:
				case in == reflect.TypeFor[context.Context]():
					args = append(args, reflect.ValueOf(ctx))
				default:
					args = append(args, reflect.Zero(in))
				}
			}
			out := reflect.ValueOf(f).MethodByName(method.Name).Call(args)
			err, _ := reflect.TypeAssert[error](out[len(out)-1])
			return err
		}
		synctest.Test(t, func(t *testing.T) {
			f := storetest.NewFaulty(memory.New())
			f.Inject(storetest.Fault{Method: name, Err: store.ErrFull})
			if err := call(t.Context(), f); !errors.Is(err, store.ErrFull) || f.Calls(name) != 1 {
				t.Errorf("%s: %v, %d calls were counted", name, err, f.Calls(name))
			}
			if name == storetest.Close {
				return // takes no context, so nothing ends its wait
			}
			f.Inject(storetest.Fault{Method: name, Err: store.ErrFull, Delay: time.Hour})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			if err := call(ctx, f); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("%s with a limit of time: %v after %s", name, err, time.Since(start))
			}
		})
	}
}

// A change whose answer is lost has happened: to try again is a conflict.
func TestFaultyLosesTheAnswerOfAChange(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	f.Inject(storetest.Fault{Method: storetest.SaveObject, Err: store.ErrLocked, Applied: true})
	rule := store.Object{Kind: store.RuleObject, Name: "wake", Spec: []byte(`{}`), Changed: time.Unix(0, 0)}
	saved, err := f.SaveObject(t.Context(), rule, row()...)
	if !errors.Is(err, store.ErrLocked) || saved.Version != 0 {
		t.Errorf("got %+v, %v", saved, err)
	}
	if _, err := f.SaveObject(t.Context(), rule, row()...); !errors.Is(err, store.ErrConflict) {
		t.Errorf("again: %v", err)
	}
	if got := count(t, f); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}
