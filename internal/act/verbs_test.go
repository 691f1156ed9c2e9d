package act

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
)

// outcomesOf carries out actions and gives the outcomes by ID.
func outcomesOf(t *testing.T, f *fake, clock *leaping, actions []plan.Action) map[string]plan.Outcome {
	t.Helper()
	got := map[string]plan.Outcome{}
	stage := &Stage{Cloud: f, Clock: clock, Concurrency: 1}
	stage.Run(t.Context(), actions, func(outcomes []plan.Outcome) {
		for _, o := range outcomes {
			got[o.Action.Resource.ID] = o
		}
	}, nil)
	return got
}

// A reboot whose answer is missing may have been carried out: it is never sent again.
func TestARebootWithoutAnAnswerIsNotRepeated(t *testing.T) {
	lost := fmt.Errorf("connection reset: %w", cloud.ErrTransient)
	for _, test := range []struct {
		name   string
		before func(n int) error
		after  error
		calls  int
		want   plan.Status
	}{
		{name: "accepted", calls: 1, want: plan.Accepted},
		{name: "not carried out", before: func(int) error { return lost }, calls: 1, want: plan.Uncertain},
		{name: "carried out", after: lost, calls: 1, want: plan.Uncertain},
		{name: "an answer of another kind", after: errors.New("strange"), calls: 1, want: plan.Uncertain},
		{name: "throttled, which does nothing", before: func(n int) error {
			if n < 3 {
				return cloud.ErrThrottled
			}
			return nil
		}, calls: 3, want: plan.Accepted},
		{name: "throttled, then without an answer", before: func(n int) error {
			if n < 3 {
				return cloud.ErrThrottled
			}
			return lost
		}, calls: 3, want: plan.Uncertain},
		{name: "refused", before: func(int) error { return cloud.ErrUnsupported }, calls: 1, want: plan.Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := &leaping{now: morning}
			f := newFake(clock.Now)
			actions := f.add(seoul, fleet.Reboot, 1)
			n := 0
			f.before = func(context.Context, made) error {
				n++
				if test.before != nil {
					return test.before(n)
				}
				return nil
			}
			f.after = func(made) error { return test.after }
			got := outcomesOf(t, f, clock, actions)[actions[0].Resource.ID]
			if n != test.calls || got.Status != test.want {
				t.Errorf("%d calls, %s (%v)", n, got.Status, got.Err)
			}
			if m := plan.Remember(got); test.want == plan.Uncertain && m.Intent != actions[0].Memory.Intent {
				t.Errorf("memory: %+v", m)
			}
		})
	}
}

// The type of what is stopped is changed for each to its own, and the outcome says to which.
func TestResizeAsAnAction(t *testing.T) {
	clock := &leaping{now: morning}
	f := newFake(clock.Now)
	f.most = 1 // AWS changes one at a time
	actions := f.add(seoul, fleet.Resize, 3, func(i int, d *decide.Decision) {
		d.Type = []string{"m5.xlarge", "c5.large", "x9.huge"}[i]
		d.Resource.State = fleet.Stopped
	})
	f.types["x9.huge"] = cloud.ErrInvalid
	got := outcomesOf(t, f, clock, actions)
	for i, action := range actions {
		o, want := got[action.Resource.ID], plan.Accepted
		kind := action.Type
		if i == 2 {
			want, kind = plan.Failed, ""
		}
		if o.Status != want || o.Type != kind {
			t.Errorf("%s: %s, type %q (%v)", action.Type, o.Status, o.Type, o.Err)
		}
	}
	for _, call := range f.made(fleet.Start) {
		t.Errorf("it was started: %+v", call)
	}
}
