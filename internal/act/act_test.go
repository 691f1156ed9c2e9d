package act

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setUp() (*leaping, *fake, *Stage) {
	c := &leaping{now: morning}
	f := newFake(c.Now)
	return c, f, &Stage{Cloud: f, Clock: c}
}

// Whatever the cloud answers: one outcome for each action, the good ones go
// through, and bad ones cost few calls.
func TestFault24BadMembersFailAlone(t *testing.T) {
	refusals := []error{cloud.ErrNotFound, cloud.ErrWrongState, cloud.ErrInvalid, cloud.ErrProtected, cloud.ErrUnsupported}
	rapid.Check(t, func(t *rapid.T) {
		_, f, s := setUp()
		n := rapid.IntRange(1, 200).Draw(t, "n")
		verb := rapid.SampledFrom([]fleet.Verb{fleet.Start, fleet.Stop}).Draw(t, "verb")
		f.named = rapid.Bool().Draw(t, "named")
		actions := f.add(seoul, verb, n)
		bad := rapid.IntRange(0, min(n, 12)).Draw(t, "bad")
		for range bad {
			at := rapid.IntRange(0, n-1).Draw(t, "at")
			f.bad[actions[at].Resource.ID] = rapid.SampledFrom(refusals).Draw(t, "why")
		}
		bad = len(f.bad)
		throttles := rapid.IntRange(0, 5).Draw(t, "throttles")
		f.before = func(context.Context, made) error {
			if throttles > 0 && rapid.Bool().Draw(t, "throttled") {
				throttles--
				return cloud.ErrThrottled
			}
			return nil
		}
		r := carry(context.Background(), t, s, actions)
		calls := 0
		for _, call := range f.calls {
			if !errors.Is(call.err, cloud.ErrThrottled) {
				calls++
			}
		}
		bound := 1 + 2*bad*bits.Len(uint(n-1))
		if f.named {
			bound = bad + 1
		}
		if calls > bound {
			t.Fatalf("%d calls for %d bad of %d, at most %d", calls, bad, n, bound)
		}
		for id, o := range r.outcomes {
			want := plan.Accepted
			switch err := f.bad[id]; {
			case errors.Is(err, cloud.ErrProtected):
				want = plan.Barred
			case err != nil:
				want = plan.Failed
			}
			if o.Status != want {
				t.Fatalf("%s (%v): %s (%v), want %s", id, f.bad[id], o.Status, o.Err, want)
			}
			if err := f.bad[id]; err != nil && !errors.Is(o.Err, err) {
				t.Fatalf("%s failed for %v instead of %v", id, o.Err, err)
			}
		}
	})
}

// Anything at all may be answered, in any number of scopes, with the end of the
// process or of the lease at any moment.
func TestEveryActionHasOneOutcome(t *testing.T) {
	classes := []error{
		nil, nil, cloud.ErrThrottled, cloud.ErrInsufficientCapacity, cloud.ErrNotFound, cloud.ErrWrongState, cloud.ErrUnsupported, cloud.ErrProtected,
		cloud.ErrUnauthorized, cloud.ErrCredentials, cloud.ErrRegionDisabled, cloud.ErrTransient, cloud.ErrInvalid, errors.New("strange"),
	}
	rapid.Check(t, func(t *rapid.T) {
		c, f, s := setUp()
		f.most = rapid.IntRange(0, 9).Draw(t, "most")
		s.Concurrency = rapid.IntRange(1, 4).Draw(t, "concurrency")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		seed := rapid.Uint64().Draw(t, "seed")
		var mu sync.Mutex
		answers := 0
		end := rapid.IntRange(0, 60).Draw(t, "end")
		draw := func(n int) int { // rapid may not be asked by several goroutines at once
			seed = seed*6364136223846793005 + 1442695040888963407
			return int(seed>>33) % n
		}
		f.before = func(_ context.Context, call made) error {
			mu.Lock()
			defer mu.Unlock()
			if answers++; answers == end {
				cancel()
			}
			_ = c.Sleep(context.Background(), time.Duration(draw(20))*time.Second)
			class := classes[draw(len(classes))]
			switch {
			case class == nil:
				return nil
			case draw(3) == 0:
				return &cloud.MemberError{IDs: []string{call.ids[draw(len(call.ids))]}, Err: class}
			case draw(6) == 0:
				return &cloud.PartialError{IDs: call.ids[:1+draw(len(call.ids))], Err: cloud.ErrTransient}
			}
			return fmt.Errorf("answer %d: %w", answers, class)
		}
		var actions []plan.Action
		for _, scope := range []fleet.Scope{seoul, beijing} {
			for _, verb := range []fleet.Verb{fleet.Start, fleet.Stop, fleet.Hibernate} {
				actions = append(actions, f.add(scope, verb, rapid.IntRange(0, 12).Draw(t, "n"), func(i int, d *decide.Decision) {
					if i%3 == 0 && verb == fleet.Start {
						d.Types, d.Type = []string{"m6i.large", "m5.large", "c5.large"}, "m6i.large"
					}
					if i%4 == 0 {
						d.Until = morning.Add(3 * time.Minute)
					}
				})...)
			}
		}
		lease := rapid.IntRange(1, 60).Draw(t, "lease")
		s.MayAct = func() error {
			mu.Lock()
			defer mu.Unlock()
			if answers >= lease {
				return errors.New("the lease is lost")
			}
			return nil
		}
		carry(ctx, t, s, actions)
	})
}

func TestThrottlingKeepsCallsWhole(t *testing.T) {
	for _, test := range []struct {
		name  string
		hint  time.Duration // of the provider
		times int
		waits []time.Duration
	}{
		{"grows", 0, 7, []time.Duration{1, 2, 4, 8, 16, 30, 30}},
		{"the provider wants longer", 10 * time.Second, 5, []time.Duration{10, 10, 10, 10, 16}},
		{"the provider wants too long", time.Hour, 3, []time.Duration{30, 30, 30}},
		{"the provider wants less", time.Millisecond, 2, []time.Duration{1, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, f, s := setUp()
			actions := f.add(seoul, fleet.Stop, 50)
			for i := range actions {
				actions[i].Resource.SeenAt = morning.Add(time.Hour) // no second look
			}
			left := test.times
			f.before = func(context.Context, made) error {
				if left--; left >= 0 {
					return throttled{test.hint}
				}
				return nil
			}
			carry(t.Context(), t, s, actions).all(t, plan.Accepted)
			var waits []time.Duration
			for i, call := range f.calls {
				if len(call.ids) != 50 {
					t.Fatalf("call %d has %d members", i, len(call.ids))
				}
				if i > 0 {
					waits = append(waits, call.at.Sub(f.calls[i-1].at)/time.Second)
				}
			}
			if diff := cmp.Diff(test.waits, waits); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

type throttled struct{ after time.Duration }

func (throttled) Error() string               { return "Request limit exceeded." }
func (throttled) Unwrap() error               { return cloud.ErrThrottled }
func (t throttled) RetryAfter() time.Duration { return t.after }

// An account whose rate others use up for good is given up after some ten minutes.
func TestThrottledForGood(t *testing.T) {
	c, f, s := setUp()
	f.most = 10
	actions := f.add(seoul, fleet.Stop, 30)
	f.before = func(context.Context, made) error { return cloud.ErrThrottled }
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Failed)
	if calls := len(f.made(fleet.Stop)); calls != throttleTries+1+2 {
		t.Errorf("%d calls", calls)
	}
	if took := c.Now().Sub(morning); took < 8*time.Minute || took > 12*time.Minute {
		t.Errorf("took %s", took)
	}
	for _, o := range r.outcomes {
		if !errors.Is(o.Err, cloud.ErrThrottled) || !strings.Contains(o.Err.Error(), "times in a row") {
			t.Fatal(o.Err)
		}
	}
}

func TestHangingLaneDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(clock.Real{}.Now)
		s := &Stage{Cloud: f, Clock: clock.Real{}}
		actions := slices.Concat(f.add(seoul, fleet.Start, 3), f.add(seoul, fleet.Stop, 3), f.add(beijing, fleet.Stop, 3))
		const hang = time.Minute // the cloud's own time-out
		f.before = func(_ context.Context, call made) error {
			if call.scope == seoul && call.verb == fleet.Start {
				time.Sleep(hang)
			}
			return nil
		}
		began := time.Now()
		carry(t.Context(), t, s, actions).all(t, plan.Accepted)
		for _, call := range f.calls {
			if waited := call.at.Sub(began); waited != 0 {
				t.Errorf("%s in %s waited %s", call.verb, call.scope, waited)
			}
		}
		if took := time.Since(began); took != hang {
			t.Errorf("took %s", took)
		}
	})
}

func TestCallsAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(clock.Real{}.Now)
		s := &Stage{Cloud: f, Clock: clock.Real{}, Concurrency: 2}
		var actions []plan.Action
		for i := range 6 {
			actions = append(actions, f.add(fleet.Scope{Account: "111122223333", Region: fleet.Region(fmt.Sprintf("eu-west-%d", i))}, fleet.Stop, 2)...)
		}
		var mu sync.Mutex
		now, most := 0, 0
		f.before = func(context.Context, made) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		}
		carry(t.Context(), t, s, actions).all(t, plan.Accepted)
		if most != 2 {
			t.Errorf("%d calls at once", most)
		}
	})
}

func TestWhoMayNotActDefers(t *testing.T) {
	lost := errors.New("the lease is lost")
	for _, after := range []int{0, 1, 2} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			_, f, s := setUp()
			f.most = 4
			actions := f.add(seoul, fleet.Start, 10, func(_ int, d *decide.Decision) { d.Types = []string{"m5.large"} })
			s.MayAct = func() error {
				if len(f.made(fleet.Start)) >= after {
					return lost
				}
				return nil
			}
			r := carry(t.Context(), t, s, actions)
			if r.count(plan.Accepted) != 4*after || r.count(plan.Deferred) != 10-4*after || len(f.calls) != after {
				t.Fatalf("%d accepted, %d deferred, %d calls", r.count(plan.Accepted), r.count(plan.Deferred), len(f.calls))
			}
			for _, id := range r.ids(plan.Deferred) {
				if !errors.Is(r.outcomes[id].Err, lost) {
					t.Fatal(r.outcomes[id].Err)
				}
			}
		})
	}
}

// A type that was not changed because the process may not act is not a type that was refused.
func TestLeaseLostWhileTypesChange(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 3, func(_ int, d *decide.Decision) { d.Types, d.Type = []string{"c5.large", "c6i.large"}, "c5.large" })
	s.MayAct = func() error {
		if len(f.made(fleet.Resize)) >= 1 {
			return errors.New("the lease is lost")
		}
		return nil
	}
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Deferred)
	for id, o := range r.outcomes {
		if o.Note != "" {
			t.Errorf("%s: %s", id, o.Note)
		}
	}
	if len(f.calls) != 1 {
		t.Errorf("%d calls", len(f.calls))
	}
}

func TestEndOfTheProcess(t *testing.T) {
	stopping := errors.New("the process was told to stop")
	for _, test := range []struct {
		name     string
		arrange  func(f *fake, stop func())
		accepted int
		deferred int
		unsure   int
		calls    int
	}{
		{"while waiting for room", func(f *fake, stop func()) {
			f.reserve = func(ctx context.Context, _ fleet.Verb) error {
				stop()
				<-ctx.Done()
				return context.Cause(ctx)
			}
		}, 0, 6, 0, 0},
		{"between room and call", func(f *fake, stop func()) {
			f.list = func([]string) error { stop(); return nil }
		}, 0, 6, 0, 0},
		{"during a call that is answered in time", func(f *fake, stop func()) {
			f.before = func(context.Context, made) error { stop(); time.Sleep(drain / 2); return nil }
		}, 3, 3, 0, 1},
		{"during a call that hangs", func(f *fake, stop func()) {
			f.before = func(ctx context.Context, _ made) error {
				stop()
				<-ctx.Done()
				return fmt.Errorf("cut off: %w", context.Cause(ctx))
			}
		}, 0, 3, 3, 1},
		{"while throttled", func(f *fake, stop func()) {
			f.before = func(context.Context, made) error { stop(); return cloud.ErrThrottled }
		}, 0, 6, 0, 1},
		{"after a call without an answer", func(f *fake, stop func()) {
			f.before = func(context.Context, made) error { time.AfterFunc(time.Millisecond, stop); return cloud.ErrTransient }
		}, 0, 3, 3, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(clock.Real{}.Now)
				f.most = 3
				actions := f.add(seoul, fleet.Stop, 6, func(_ int, d *decide.Decision) {
					if test.name == "between room and call" {
						d.Resource.SeenAt = d.Resource.SeenAt.Add(-time.Hour)
					}
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				test.arrange(f, func() { cancel(stopping) })
				began := time.Now()
				r := carry(ctx, t, &Stage{Cloud: f, Clock: clock.Real{}}, actions)
				if r.count(plan.Accepted) != test.accepted || r.count(plan.Deferred) != test.deferred || r.count(plan.Uncertain) != test.unsure || len(f.calls) != test.calls {
					t.Fatalf("%d accepted, %d deferred, %d uncertain, %d calls", r.count(plan.Accepted), r.count(plan.Deferred), r.count(plan.Uncertain), len(f.calls))
				}
				for _, id := range r.ids(plan.Deferred) {
					if !errors.Is(r.outcomes[id].Err, stopping) {
						t.Fatal(r.outcomes[id].Err)
					}
				}
				if took := time.Since(began); took > drain {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestOldListingsAreRepeated(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Stop, 6, func(i int, d *decide.Decision) {
		d.TagKey, d.Schedule, d.Resource.Tags = "Schedule", "office", map[string]string{"Schedule": "office"}
		if i >= 2 {
			d.Resource.SeenAt = morning.Add(-FreshFor - time.Second)
		}
	})
	id := func(i int) string { return actions[i].Resource.ID }
	f.machines[id(0)].State = fleet.Stopped // fresh: not looked at again
	f.machines[id(2)].State, f.machines[id(2)].Native = fleet.Stopping, "stopping"
	f.machines[id(3)].Tags = map[string]string{"Schedule": "office", fleet.TagProtect: "true"}
	delete(f.machines, id(4))
	r := carry(t.Context(), t, s, actions)
	if diff := cmp.Diff([][]string{{id(2), id(3), id(4), id(5)}}, f.lists); diff != "" {
		t.Errorf("looked again at:\n%s", diff)
	}
	if diff := cmp.Diff([]string{id(2), id(3), id(4)}, r.ids(plan.Skipped)); diff != "" {
		t.Errorf("skipped:\n%s", diff)
	}
	if diff := cmp.Diff([]string{id(0), id(1), id(5)}, r.ids(plan.Accepted)); diff != "" {
		t.Errorf("accepted:\n%s", diff)
	}
	for i, want := range map[int]string{2: "it was running, now it is stopping", 3: "its tags, type, protection or last start changed", 4: "it no longer exists"} {
		if note := r.outcomes[id(i)].Note; note != want {
			t.Errorf("%q, want %q", note, want)
		}
	}
}

func TestLookThatFailsDefers(t *testing.T) {
	_, f, s := setUp()
	f.most = 4
	actions := f.add(seoul, fleet.Stop, 8, func(i int, d *decide.Decision) {
		if i > 1 {
			d.Resource.SeenAt = morning.Add(-time.Hour)
		}
	})
	f.list = func([]string) error { return cloud.ErrTransient }
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Deferred)
	if len(f.calls) != 0 {
		t.Errorf("%d calls", len(f.calls))
	}
}

// What was changed here is not taken for a change by somebody else.
func TestOwnChangeOfTypeIsNoSurprise(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 4, func(_ int, d *decide.Decision) { d.Types, d.Type = []string{"c5.large"}, "c5.large" })
	left := 7 // over FreshFor in sum
	f.before = func(_ context.Context, call made) error {
		if call.verb == fleet.Start {
			if left--; left >= 0 {
				return cloud.ErrThrottled
			}
		}
		return nil
	}
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Accepted)
	if len(f.lists) == 0 {
		t.Fatal("nothing was looked at again")
	}
	for id, o := range r.outcomes {
		if o.Type != "c5.large" || f.machines[id].Type != "c5.large" {
			t.Errorf("%s was changed to %q", id, o.Type)
		}
	}
}

// A start whose answer was lost and that is found on its way up was not made by
// a person: what became of it is left to the next listing.
func TestLostAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *fake)
		second error
	}{
		{"found changed", func(f *fake) {
			f.before = func(context.Context, made) error { time.Sleep(FreshFor + time.Second); return nil }
		}, nil},
		{"refused the second time", func(*fake) {}, cloud.ErrWrongState},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(clock.Real{}.Now)
				actions := f.add(seoul, fleet.Start, 2)
				test.change(f)
				f.after = func(made) error {
					if len(f.calls) == 0 {
						return cloud.ErrTransient
					}
					return test.second
				}
				r := carry(t.Context(), t, &Stage{Cloud: f, Clock: clock.Real{}}, actions)
				r.all(t, plan.Uncertain)
				for _, o := range r.outcomes {
					if !strings.Contains(o.Err.Error(), "may have been carried out") {
						t.Error(o.Err)
					}
				}
			})
		})
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	for fails, want := range map[int]plan.Status{0: plan.Accepted, 1: plan.Accepted, 3: plan.Accepted, 4: plan.Failed, 9: plan.Failed} {
		_, f, s := setUp()
		actions := f.add(seoul, fleet.Stop, 5)
		left := fails
		f.before = func(context.Context, made) error {
			if left--; left >= 0 {
				return cloud.ErrTransient
			}
			return nil
		}
		carry(t.Context(), t, s, actions).all(t, want)
		if len(f.calls) != min(fails+1, transientTries) {
			t.Errorf("%d failures: %d calls", fails, len(f.calls))
		}
	}
}

func TestActionsWhoseTimeHasPassed(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Stop, 4, func(i int, d *decide.Decision) {
		d.Until = []time.Time{{}, morning.Add(-time.Second), morning, morning.Add(time.Second)}[i]
	})
	r := carry(t.Context(), t, s, actions)
	if diff := cmp.Diff([]string{actions[1].Resource.ID, actions[2].Resource.ID}, r.ids(plan.Deferred)); diff != "" {
		t.Error(diff)
	}
	if len(f.calls) != 1 || len(f.calls[0].ids) != 2 {
		t.Errorf("%v", f.calls)
	}
}

// The time may also pass while types are changed, one paced call each.
func TestTimePassesWhileTypesChange(t *testing.T) {
	c, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 5, func(_ int, d *decide.Decision) {
		d.Types, d.Type, d.Until = []string{"c5.large"}, "c5.large", morning.Add(time.Minute)
	})
	f.reserve = func(ctx context.Context, verb fleet.Verb) error {
		if verb == fleet.Resize {
			return c.Sleep(ctx, 20*time.Second)
		}
		return nil
	}
	carry(t.Context(), t, s, actions).all(t, plan.Deferred)
	if calls := f.made(fleet.Start); len(calls) > 0 {
		t.Errorf("started after its time: %v", calls)
	}
}

func pools(types ...string) func(int, *decide.Decision) {
	return func(i int, d *decide.Decision) { d.Resource.Type = types[i%len(types)] }
}

func accepts(types ...string) func(int, *decide.Decision) {
	return func(_ int, d *decide.Decision) {
		d.Types = types
		if types[0] != d.Resource.Type {
			d.Type = types[0]
		}
	}
}

func TestShortageHurtsItsPoolAlone(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 60, pools("m5.large", "p4d.24xlarge", "t3.small"))
	f.room["p4d.24xlargea"] = 0
	r := carry(t.Context(), t, s, actions)
	for id, o := range r.outcomes {
		if (o.Status == plan.Accepted) == (f.machines[id].Type == "p4d.24xlarge") {
			t.Fatalf("%s (%s): %s", id, f.machines[id].Type, o.Status)
		}
		if o.Err != nil && !errors.Is(o.Err, cloud.ErrInsufficientCapacity) {
			t.Fatal(o.Err)
		}
	}
	// The whole, three pools, halves of twenty down to three single ones.
	if calls := len(f.calls); calls > 1+3+2*5+shortAfter {
		t.Errorf("%d calls", calls)
	}
}

// A refusal of a call for one names that one, and counts for its pool all the same.
func TestShortageThatNamesItsMember(t *testing.T) {
	_, f, s := setUp()
	f.named = true
	actions := f.add(seoul, fleet.Start, 100)
	f.before = func(_ context.Context, call made) error {
		if len(call.ids) == 1 {
			return &cloud.MemberError{IDs: call.ids, Err: cloud.ErrInsufficientCapacity}
		}
		return cloud.ErrInsufficientCapacity
	}
	carry(t.Context(), t, s, actions).all(t, plan.Failed)
	if calls := len(f.calls); calls > 1+2*7+shortAfter {
		t.Errorf("%d calls", calls)
	}
	if f.reserved > len(f.calls) {
		t.Errorf("room was taken %d times for %d calls", f.reserved, len(f.calls))
	}
}

func TestShortageTakesWhatThereIs(t *testing.T) {
	for _, room := range []int{1, 7, 19, 20} {
		_, f, s := setUp()
		actions := f.add(seoul, fleet.Start, 20)
		f.room["m5.largea"] = room
		if r := carry(t.Context(), t, s, actions); r.count(plan.Accepted) != room {
			t.Errorf("room for %d, %d started", room, r.count(plan.Accepted))
		}
	}
}

// A member with a reason of its own (a placement group) does not spoil its pool.
func TestShortageOfOneMember(t *testing.T) {
	for _, named := range []bool{false, true} {
		_, f, s := setUp()
		f.named = named
		actions := f.add(seoul, fleet.Start, 30)
		f.bad[actions[0].Resource.ID], f.bad[actions[9].Resource.ID] = cloud.ErrInsufficientCapacity, cloud.ErrInsufficientCapacity
		if r := carry(t.Context(), t, s, actions); r.count(plan.Accepted) != 28 || r.count(plan.Failed) != 2 {
			t.Errorf("%d accepted, %d failed", r.count(plan.Accepted), r.count(plan.Failed))
		}
	}
}

func TestShortageWalksTheTypes(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 40, accepts("m6i.large", "m5.large", "c5.large"))
	f.room["m6i.largea"], f.room["m5.largea"] = 3, 5
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Accepted)
	got := map[string]int{}
	for id, o := range r.outcomes {
		got[f.machines[id].Type]++
		if o.Type != f.machines[id].Type {
			t.Errorf("%s: said to be %s, is %s", id, o.Type, f.machines[id].Type)
		}
		if f.machines[id].Type == "c5.large" && !strings.Contains(o.Note, "no capacity for m6i.large; no capacity for m5.large") {
			t.Errorf("%s: %q", id, o.Note)
		}
	}
	if diff := cmp.Diff(map[string]int{"m6i.large": 3, "m5.large": 5, "c5.large": 32}, got); diff != "" {
		t.Error(diff)
	}
	if starts := len(f.made(fleet.Start)); starts > 60 {
		t.Errorf("%d calls to start 40", starts)
	}
}

func TestShortageOfAllTypes(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 300, accepts("m5.large", "m6i.large"))
	f.room["m5.largea"], f.room["m6i.largea"] = 0, 0
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Failed)
	if starts := len(f.made(fleet.Start)); starts > 2*(1+2*9+shortAfter) {
		t.Errorf("%d calls to start nothing", starts)
	}
	for _, o := range r.outcomes {
		if !errors.Is(o.Err, cloud.ErrInsufficientCapacity) || o.Note != "no capacity for m5.large" {
			t.Fatalf("%v, %q", o.Err, o.Note)
		}
	}
}

func TestTypeThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		types   []string
		refused map[string]error
		becomes string
		note    string
	}{
		{"the only one", []string{"c7g.large"}, map[string]error{"c7g.large": cloud.ErrInvalid}, "m5.large", "could not be changed to c7g.large (refused as invalid); keeps m5.large"},
		{"the first of two", []string{"c7g.large", "c5.large"}, map[string]error{"c7g.large": cloud.ErrUnsupported}, "c5.large", "could not be changed to c7g.large (unsupported)"},
		{"its own comes next", []string{"c7g.large", "m5.large"}, map[string]error{"c7g.large": cloud.ErrUnsupported}, "m5.large", "could not be changed to c7g.large (unsupported)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, f, s := setUp()
			f.types = test.refused
			actions := f.add(seoul, fleet.Start, 2, accepts(test.types...))
			r := carry(t.Context(), t, s, actions)
			r.all(t, plan.Accepted)
			for id, o := range r.outcomes {
				if f.machines[id].Type != test.becomes || o.Note != test.note {
					t.Errorf("%s: %q", f.machines[id].Type, o.Note)
				}
				if wantType := map[bool]string{true: "", false: test.becomes}[test.becomes == "m5.large"]; o.Type != wantType {
					t.Errorf("outcome names the type %q, want %q", o.Type, wantType)
				}
			}
			if starts := f.made(fleet.Start); len(starts) != 1 {
				t.Errorf("%d calls to start two", len(starts))
			}
		})
	}
}

// Throttling of changes is waited for: it is no reason to start with the wrong type.
func TestThrottledChangeOfType(t *testing.T) {
	c, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 1, accepts("c5.large"))
	left := 8
	f.before = func(_ context.Context, call made) error {
		if call.verb == fleet.Resize {
			if left--; left >= 0 {
				return cloud.ErrThrottled
			}
		}
		return nil
	}
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Accepted)
	if o := r.outcomes[actions[0].Resource.ID]; o.Type != "c5.large" {
		t.Errorf("%+v after %s", o, c.Now().Sub(morning))
	}
}

func TestChangesOfTypeNotAuthorized(t *testing.T) {
	_, f, s := setUp()
	f.types["c5.large"] = cloud.ErrUnauthorized
	actions := f.add(seoul, fleet.Start, 200, accepts("c5.large"))
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Accepted)
	if tries := len(f.made(fleet.Resize)); tries != refusalsBeforeGivingUp {
		t.Errorf("%d tries", tries)
	}
	for _, o := range r.outcomes {
		if !strings.Contains(o.Note, "keeps m5.large") {
			t.Fatal(o.Note)
		}
	}
}

func TestHibernationThatIsNotSupported(t *testing.T) {
	for _, named := range []bool{false, true} {
		_, f, s := setUp()
		f.named = named
		actions := f.add(seoul, fleet.Hibernate, 40)
		refused := map[string]bool{}
		for i := range 10 {
			refused[actions[4*i].Resource.ID] = true
		}
		f.before = func(_ context.Context, call made) error {
			if call.verb != fleet.Hibernate {
				return nil
			}
			var bad []string
			for _, id := range call.ids {
				if refused[id] {
					bad = append(bad, id)
				}
			}
			switch {
			case bad == nil:
				return nil
			case named:
				return &cloud.MemberError{IDs: bad, Err: cloud.ErrUnsupported}
			}
			return cloud.ErrUnsupported
		}
		r := carry(t.Context(), t, s, actions)
		r.all(t, plan.Accepted)
		for id, o := range r.outcomes {
			if refused[id] != strings.Contains(o.Note, "stopped instead of hibernated") {
				t.Errorf("%s: %q", id, o.Note)
			}
		}
		if stops := f.made(fleet.Stop); len(stops) != 1 || len(stops[0].ids) != 10 {
			t.Errorf("%d calls to stop", len(stops))
		}
	}
}

func TestFault25MissingPermission(t *testing.T) {
	t.Run("for all", func(t *testing.T) {
		_, f, s := setUp()
		actions := f.add(seoul, fleet.Stop, 1000)
		f.before = func(context.Context, made) error { return cloud.ErrUnauthorized }
		carry(t.Context(), t, s, actions).all(t, plan.Failed)
		if len(f.calls) > 2*refusalsBeforeGivingUp {
			t.Errorf("%d calls", len(f.calls))
		}
	})
	t.Run("for the first three", func(t *testing.T) {
		_, f, s := setUp()
		actions := f.add(seoul, fleet.Stop, 1000)
		for i := range 3 {
			f.bad[actions[i].Resource.ID] = cloud.ErrUnauthorized
		}
		if r := carry(t.Context(), t, s, actions); r.count(plan.Accepted) != 997 {
			t.Errorf("%d accepted in %d calls", r.count(plan.Accepted), len(f.calls))
		}
	})
}

func TestScopeThatCanNotBeUsed(t *testing.T) {
	for _, why := range []error{cloud.ErrCredentials, cloud.ErrRegionDisabled} {
		_, f, s := setUp()
		f.most = 10
		actions := slices.Concat(f.add(seoul, fleet.Stop, 30), f.add(beijing, fleet.Stop, 5))
		f.before = func(_ context.Context, call made) error {
			if call.scope == seoul {
				return why
			}
			return nil
		}
		r := carry(t.Context(), t, s, actions)
		if r.count(plan.Failed) != 10 || r.count(plan.Deferred) != 20 || r.count(plan.Accepted) != 5 || len(f.calls) != 2 {
			t.Errorf("%d failed, %d deferred, %d accepted, %d calls", r.count(plan.Failed), r.count(plan.Deferred), r.count(plan.Accepted), len(f.calls))
		}
	}
}

// A verb that a kind does not have will not be there next time either.
func TestVerbThatCanNotBeReserved(t *testing.T) {
	_, f, s := setUp()
	f.reserve = func(context.Context, fleet.Verb) error {
		return fmt.Errorf("RDS cannot hibernate: %w", cloud.ErrUnsupported)
	}
	carry(t.Context(), t, s, f.add(seoul, fleet.Hibernate, 3)).all(t, plan.Failed)
}

func TestMembersThatAreNotConfirmed(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Stop, 5)
	missing := actions[2].Resource.ID
	f.after = func(call made) error {
		if len(f.calls) == 0 {
			return &cloud.PartialError{IDs: []string{missing}, Err: cloud.ErrTransient}
		}
		return nil
	}
	carry(t.Context(), t, s, actions).all(t, plan.Accepted)
	if len(f.calls) != 2 || !slices.Equal(f.calls[1].ids, []string{missing}) {
		t.Errorf("%v", f.calls)
	}
}

// Names of strangers do not keep the members from being told apart.
func TestStrangersAreNamed(t *testing.T) {
	_, f, s := setUp()
	actions := f.add(seoul, fleet.Start, 9, accepts("m5.large", "c5.large"))
	worst := actions[4].Resource.ID
	f.before = func(_ context.Context, call made) error {
		if call.verb == fleet.Start && slices.Contains(call.ids, worst) && f.machines[worst].Type == "m5.large" {
			return &cloud.MemberError{IDs: []string{"vol-1"}, Err: cloud.ErrInsufficientCapacity}
		}
		return nil
	}
	r := carry(t.Context(), t, s, actions)
	r.all(t, plan.Accepted)
	if r.outcomes[worst].Type != "c5.large" {
		t.Errorf("%+v", r.outcomes[worst])
	}
}

func TestNothingToDo(t *testing.T) {
	_, _, s := setUp()
	s.Run(t.Context(), nil, func([]plan.Outcome) { t.Error("an outcome") }, func(fleet.Scope) { t.Error("a scope") })
	_, f, s := setUp()
	s.Run(t.Context(), f.add(seoul, fleet.Stop, 1), func([]plan.Outcome) {}, nil)
}
