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

func (*lister) Kinds() []fleet.Kind { return fleet.Kinds }

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
