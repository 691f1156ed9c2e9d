package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

var (
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	beijing = fleet.Scope{Account: "444455556666", Region: "cn-north-1"}
	paris   = fleet.Scope{Account: "111122223333", Region: "eu-west-3"}
)

// lister answers listings by a function and counts those under way.
type lister struct {
	answer func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error)

	mu        sync.Mutex
	now, most int
	asked     int
	keys      []string
}

func (*lister) Kinds() []fleet.Kind { return []fleet.Kind{fleet.EC2Instance, fleet.RDSInstance} }

func (l *lister) List(ctx context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	l.mu.Lock()
	l.asked++
	l.now++
	l.most = max(l.most, l.now)
	l.keys = append(l.keys, query.TagKey)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.now--
		l.mu.Unlock()
	}()
	return l.answer(ctx, scope, kind)
}

func machine(scope fleet.Scope, kind fleet.Kind, id string, state fleet.State) fleet.Resource {
	return fleet.Resource{Ref: fleet.Ref{Scope: scope, Kind: kind, ID: id}, State: state}
}

func one(_ context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
	return []fleet.Resource{machine(scope, kind, "x", fleet.Running)}, nil
}

func gapLines(seen Seen) []string {
	var lines []string
	for _, gap := range seen.Gaps {
		lines = append(lines, gap.String())
	}
	return lines
}

func TestList(t *testing.T) {
	refused := func(kind fleet.Kind) error { return fmt.Errorf("describe %s: %w", kind, cloud.ErrUnauthorized) }
	for _, test := range []struct {
		name   string
		answer func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error)
		found  int
		gaps   []string
	}{
		{"everything answers", one, 4, nil},
		{"nothing exists", func(context.Context, fleet.Scope, fleet.Kind) ([]fleet.Resource, error) { return nil, nil }, 0, nil},
		{"one kind of one scope is refused", func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			if scope == seoul && kind == fleet.RDSInstance {
				return nil, refused(kind)
			}
			return one(ctx, scope, kind)
		}, 3, []string{"111122223333/ap-northeast-2: cannot list rds_instance: describe rds_instance: not authorized"}},
		{"two kinds are refused, each in its way", func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			if scope == seoul {
				return nil, refused(kind)
			}
			return one(ctx, scope, kind)
		}, 2, []string{
			"111122223333/ap-northeast-2: cannot list ec2_instance: describe ec2_instance: not authorized",
			"111122223333/ap-northeast-2: cannot list rds_instance: describe rds_instance: not authorized",
		}},
		{"a role is refused", func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			if scope == beijing {
				return nil, fmt.Errorf("assume the role for %s: %w", kind, cloud.ErrCredentials)
			}
			return one(ctx, scope, kind)
		}, 2, []string{"444455556666/cn-north-1: cannot list ec2_instance, rds_instance: assume the role for ec2_instance: no valid credentials"}},
		{"a region is not enabled", func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			if scope == seoul {
				return nil, fmt.Errorf("%s: %w", kind, cloud.ErrRegionDisabled)
			}
			return one(ctx, scope, kind)
		}, 2, []string{"111122223333/ap-northeast-2: cannot list ec2_instance, rds_instance: ec2_instance: region not enabled"}},
		{"the same words in two scopes are two gaps", func(context.Context, fleet.Scope, fleet.Kind) ([]fleet.Resource, error) {
			return nil, errors.New("no route to host")
		}, 0, []string{
			"111122223333/ap-northeast-2: cannot list ec2_instance, rds_instance: no route to host",
			"444455556666/cn-north-1: cannot list ec2_instance, rds_instance: no route to host",
		}},
		{"a failure with some pages is no listing", func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			found, _ := one(ctx, scope, kind)
			if scope == seoul {
				return found, cloud.ErrTransient
			}
			return found, nil
		}, 2, []string{"111122223333/ap-northeast-2: cannot list ec2_instance, rds_instance: temporary failure"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &lister{answer: test.answer}
			seen := List(t.Context(), l, Request{Scopes: []fleet.Scope{beijing, seoul}, TagKey: "Schedule"})
			if len(seen.Resources) != test.found {
				t.Errorf("%d resources, want %d", len(seen.Resources), test.found)
			}
			if diff := gocmp.Diff(test.gaps, gapLines(seen)); diff != "" {
				t.Error(diff)
			}
			if !slices.IsSortedFunc(seen.Resources, func(a, b fleet.Resource) int { return a.Ref.Compare(b.Ref) }) {
				t.Error("not in order")
			}
			for _, key := range l.keys {
				if key != "Schedule" {
					t.Errorf("asked for the tag %q", key)
				}
			}
		})
	}
}

// A gap is never an empty listing: what was complete and what was not can be told.
func TestComplete(t *testing.T) {
	seen := List(t.Context(), &lister{answer: func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
		if scope == seoul && kind == fleet.RDSInstance {
			return nil, cloud.ErrTransient
		}
		return nil, nil
	}}, Request{Scopes: []fleet.Scope{seoul, beijing}})
	for _, test := range []struct {
		scope fleet.Scope
		kind  fleet.Kind
		want  bool
	}{
		{seoul, fleet.EC2Instance, true},
		{seoul, fleet.RDSInstance, false},
		{beijing, fleet.RDSInstance, true},
	} {
		if got := seen.Complete(test.scope, test.kind); got != test.want {
			t.Errorf("%s %s: %v", test.scope, test.kind, got)
		}
	}
}

// The same listings in any order of answers give the same result, each resource once.
func TestDuplicates(t *testing.T) {
	states := []fleet.State{fleet.Running, fleet.Stopped, fleet.Starting, fleet.Stopping, fleet.Other}
	rapid.Check(t, func(t *rapid.T) {
		var pages []fleet.Resource
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			pages = append(pages, machine(seoul, fleet.EC2Instance, fmt.Sprint("i-", rapid.IntRange(0, 9).Draw(t, "id")), rapid.SampledFrom(states).Draw(t, "state")))
		}
		list := func(order []fleet.Resource) []fleet.Resource {
			return List(context.Background(), &lister{answer: func(_ context.Context, _ fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
				if kind != fleet.EC2Instance {
					return nil, nil
				}
				return slices.Clone(order), nil
			}}, Request{Scopes: []fleet.Scope{seoul}}).Resources
		}
		first := list(pages)
		if diff := gocmp.Diff(first, list(rapid.Permutation(pages).Draw(t, "order"))); diff != "" {
			t.Fatal(diff)
		}
		for i, r := range first {
			if i > 0 && first[i-1].Ref == r.Ref {
				t.Fatalf("%s is there twice", r.Ref)
			}
			if r.State.Settled() && slices.ContainsFunc(pages, func(o fleet.Resource) bool { return o.Ref == r.Ref && !o.State.Settled() }) {
				t.Fatalf("%s was seen on its way and is taken as %s", r.Ref, r.State)
			}
		}
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{answer: func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			if scope == seoul {
				<-ctx.Done()
				return nil, fmt.Errorf("GET: %w", ctx.Err())
			}
			return one(ctx, scope, kind)
		}}
		began := time.Now()
		seen := List(t.Context(), l, Request{Scopes: []fleet.Scope{seoul, beijing}})
		if took := time.Since(began); took != DefaultTimeout {
			t.Errorf("took %s", took)
		}
		want := []string{"111122223333/ap-northeast-2: cannot list ec2_instance, rds_instance: no complete answer within 2m0s: temporary failure (GET: context deadline exceeded)"}
		if diff := gocmp.Diff(want, gapLines(seen)); diff != "" {
			t.Error(diff)
		}
		if !errors.Is(seen.Gaps[0].Err, cloud.ErrTransient) || len(seen.Resources) != 2 {
			t.Errorf("%v, %d resources", seen.Gaps[0].Err, len(seen.Resources))
		}
	})
}

func TestEndOfTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping := errors.New("told to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		l := &lister{answer: func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
			if scope == beijing {
				return one(ctx, scope, kind)
			}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}}
		time.AfterFunc(time.Second, func() { cancel(stopping) })
		seen := List(ctx, l, Request{Scopes: []fleet.Scope{beijing, seoul, paris}, Concurrency: 3})
		if took := l.asked; took != 6 {
			t.Errorf("%d of 6 were asked", took)
		}
		if len(seen.Gaps) != 2 || !errors.Is(seen.Gaps[0].Err, stopping) || len(seen.Resources) != 2 {
			t.Errorf("%v, %d resources", gapLines(seen), len(seen.Resources))
		}
		for _, line := range gapLines(seen) {
			if strings.Contains(line, "\n") {
				t.Errorf("not one line: %q", line)
			}
		}
	})
}

func TestListingsAtOnceAreBounded(t *testing.T) {
	for _, concurrency := range []int{0, 1, 5} {
		synctest.Test(t, func(t *testing.T) {
			var scopes []fleet.Scope
			for i := range 100 {
				scopes = append(scopes, fleet.Scope{Account: "111122223333", Region: fleet.Region(fmt.Sprint("r-", i))})
			}
			l := &lister{answer: func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
				time.Sleep(time.Second)
				return one(ctx, scope, kind)
			}}
			seen := List(t.Context(), l, Request{Scopes: scopes, Concurrency: concurrency})
			if want := cmp.Or(concurrency, DefaultConcurrency); l.most != want || len(seen.Resources) != 200 {
				t.Errorf("%d at once, want %d; %d resources", l.most, want, len(seen.Resources))
			}
		})
	}
}

// Where rules act on what carries no schedule tag the scope is listed whole, and
// only what a filter selects is added; elsewhere the server is asked by tag.
func TestScopesThatAreListedWhole(t *testing.T) {
	filter := func(text string) fleet.Filter {
		f, err := fleet.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	instance := func(scope fleet.Scope, id string, tags ...string) fleet.Resource {
		r := machine(scope, fleet.EC2Instance, id, fleet.Running)
		r.Tags = map[string]string{}
		for i := 0; i+1 < len(tags); i += 2 {
			r.Tags[tags[i]] = tags[i+1]
		}
		return r
	}
	batch := func(scope fleet.Scope) []fleet.Resource {
		return []fleet.Resource{
			instance(scope, "i-tagged", "Schedule", "office"), instance(scope, "i-empty", "Schedule", ""),
			instance(scope, "i-batch", "Name", "batch"), instance(scope, "i-both", "Name", "batch", "Schedule", "office"),
			instance(scope, "i-case", "schedule", "office"), instance(scope, "i-other", "Name", "other"),
		}
	}
	for _, test := range []struct {
		name  string
		whole []fleet.Filter
		want  []string
	}{
		{"no filters", nil, []string{"i-both", "i-empty", "i-tagged"}},
		{"an empty list of filters", []fleet.Filter{}, []string{"i-both", "i-empty", "i-tagged"}},
		{"one filter", []fleet.Filter{filter("tag:Name=batch")}, []string{"i-batch", "i-both", "i-empty", "i-tagged"}},
		{"two filters", []fleet.Filter{filter("tag:Name=batch"), filter("instance-id=i-case")}, []string{"i-batch", "i-both", "i-case", "i-empty", "i-tagged"}},
		{"a filter that selects nothing", []fleet.Filter{filter("tag:Name=nobody")}, []string{"i-both", "i-empty", "i-tagged"}},
		{"a filter that was never set", []fleet.Filter{{}}, []string{"i-both", "i-empty", "i-tagged"}},
		{"everything", []fleet.Filter{filter("instance-id=*")}, []string{"i-batch", "i-both", "i-case", "i-empty", "i-other", "i-tagged"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &byTag{fleet: batch}
			seen := List(t.Context(), l, Request{Scopes: []fleet.Scope{seoul, beijing}, TagKey: "Schedule", Whole: map[fleet.Scope][]fleet.Filter{beijing: test.whole}})
			got := map[fleet.Scope][]string{}
			for _, r := range seen.Resources {
				got[r.Scope] = append(got[r.Scope], r.ID)
			}
			want := map[fleet.Scope][]string{seoul: {"i-both", "i-empty", "i-tagged"}, beijing: test.want}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			without := List(t.Context(), &byTag{fleet: batch}, Request{Scopes: []fleet.Scope{beijing}, Whole: map[fleet.Scope][]fleet.Filter{beijing: test.whole}})
			if len(without.Resources) != len(batch(beijing)) {
				t.Errorf("without a key %d resources, want all", len(without.Resources))
			}
			for scope, key := range l.keys() {
				if whole := scope == beijing && len(test.whole) > 0; (key == "") != whole {
					t.Errorf("%s was asked for the tag %q", scope, key)
				}
			}
		})
	}
}

// A scope that is listed whole and fails is a gap: nothing of it is known, what
// carries the tag included.
func TestAWholeListingThatFailsIsAGap(t *testing.T) {
	all, err := fleet.ParseFilter("instance-id=*")
	if err != nil {
		t.Fatal(err)
	}
	l := &lister{answer: func(_ context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
		r := machine(scope, kind, "x", fleet.Running)
		r.Tags = map[string]string{"Schedule": "office"}
		if scope == beijing && kind == fleet.EC2Instance {
			return []fleet.Resource{r}, cloud.ErrThrottled
		}
		return []fleet.Resource{r}, nil
	}}
	seen := List(t.Context(), l, Request{Scopes: []fleet.Scope{seoul, beijing}, TagKey: "Schedule", Whole: map[fleet.Scope][]fleet.Filter{beijing: {all}}})
	if diff := gocmp.Diff([]string{"444455556666/cn-north-1: cannot list ec2_instance: throttled"}, gapLines(seen)); diff != "" {
		t.Error(diff)
	}
	if len(seen.Resources) != 3 || seen.Complete(beijing, fleet.EC2Instance) || !seen.Complete(beijing, fleet.RDSInstance) {
		t.Errorf("%d resources", len(seen.Resources))
	}
}

// byTag is a provider that filters by tag as the real one does.
type byTag struct {
	fleet func(scope fleet.Scope) []fleet.Resource

	mu    sync.Mutex
	asked map[fleet.Scope]string
}

func (*byTag) Kinds() []fleet.Kind { return []fleet.Kind{fleet.EC2Instance} }

func (l *byTag) keys() map[fleet.Scope]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

func (l *byTag) List(_ context.Context, scope fleet.Scope, _ fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == nil {
		l.asked = map[fleet.Scope]string{}
	}
	l.asked[scope] = query.TagKey
	list := l.fleet(scope)
	if query.TagKey != "" {
		list = slices.DeleteFunc(list, func(r fleet.Resource) bool { _, tagged := r.Tags[query.TagKey]; return !tagged })
	}
	return list, nil
}

// A scope that did not answer last time is asked once where that tells enough,
// and each of its calls is made once.
func TestDoubtfulScopesAreAskedCarefully(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		asked int
		gaps  int
	}{
		{"bad credentials", cloud.ErrCredentials, 1, 1},
		{"a region that is off", fmt.Errorf("ec2: %w", cloud.ErrRegionDisabled), 1, 1},
		{"no answer of one kind says nothing of the other", cloud.ErrTransient, 2, 1},
		{"it answers again", nil, 2, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &lister{answer: func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
				if scope == paris {
					if cloud.OneTry(ctx) {
						t.Error("the others are asked carefully too")
					}
					return one(ctx, scope, kind)
				}
				if !cloud.OneTry(ctx) {
					t.Error("several tries")
				}
				if test.err != nil {
					return nil, test.err
				}
				return one(ctx, scope, kind)
			}}
			seen := List(t.Context(), l, Request{Scopes: []fleet.Scope{seoul, paris}, TagKey: "Schedule", Doubtful: map[fleet.Scope]bool{seoul: true}})
			if l.asked != test.asked+2 || len(seen.Gaps) != test.gaps {
				t.Errorf("%d asked, want %d; gaps %v", l.asked, test.asked+2, seen.Gaps)
			}
			if test.gaps > 0 && (len(seen.Gaps[0].Kinds) != 2 || seen.Complete(seoul, fleet.RDSInstance)) {
				t.Errorf("the gap covers %v", seen.Gaps[0].Kinds)
			}
			if !seen.Complete(paris, fleet.EC2Instance) {
				t.Error("the other scope was not listed")
			}
		})
	}
}

// Scopes that take much longer than the rest are left, and are no listing; where
// many are slow, or one is alone, it is waited for.
func TestSlowScopesAreLeft(t *testing.T) {
	for _, test := range []struct {
		name        string
		scopes, few int // of which few take a minute
		each        time.Duration
		leave       bool
		gaps        int
		took        time.Duration
	}{
		{"one of fifty", 50, 1, 100 * time.Millisecond, true, 1, 100*time.Millisecond + Patience},
		{"five of fifty", 50, 5, 100 * time.Millisecond, true, 5, 100*time.Millisecond + Patience},
		{"six of fifty: that is how it is", 50, 6, 100 * time.Millisecond, true, 0, time.Minute},
		{"the others take long too", 10, 1, 5 * time.Second, true, 1, 10 * time.Second},
		{"one of two", 2, 1, time.Second, true, 1, 2 * time.Second},
		{"alone", 1, 1, time.Second, true, 0, time.Minute},
		{"everybody is waited for", 50, 1, time.Second, false, 0, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var scopes []fleet.Scope
				slow := map[fleet.Scope]bool{}
				for n := range test.scopes {
					scope := fleet.Scope{Account: fleet.AccountID(fmt.Sprintf("%012d", n+1)), Region: "eu-west-3"}
					scopes = append(scopes, scope)
					slow[scope] = n < test.few
				}
				l := &lister{answer: func(ctx context.Context, scope fleet.Scope, kind fleet.Kind) ([]fleet.Resource, error) {
					takes := test.each
					if slow[scope] && kind == fleet.RDSInstance {
						takes = time.Minute
					}
					select {
					case <-time.After(takes):
						return one(ctx, scope, kind)
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}}
				began := time.Now()
				seen := List(t.Context(), l, Request{Scopes: scopes, TagKey: "Schedule", LeaveSlow: test.leave, Concurrency: 200})
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if len(seen.Gaps) != test.gaps {
					t.Errorf("gaps %v", seen.Gaps)
				}
				for _, gap := range seen.Gaps {
					if !errors.Is(gap.Err, ErrSlow) || !slow[gap.Scope] || seen.Complete(gap.Scope, fleet.RDSInstance) || !seen.Complete(gap.Scope, fleet.EC2Instance) {
						t.Errorf("%v", gap)
					}
				}
			})
		})
	}
}
