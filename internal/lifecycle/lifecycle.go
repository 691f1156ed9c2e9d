// Package lifecycle starts and stops the parts of a program in order.
//
// Whoever starts a part registers its stop on the next line. Stops run in
// reverse, each with its share of the grace period, exactly once; a part that
// fails takes the whole group down, with its error as the cause.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Group is a set of running parts.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	stops []stop
	tasks sync.WaitGroup
	errs  []error
}

type stop struct {
	name string
	f    func(context.Context) error
}

// errDone is the cause of a group's context after an ordinary end.
var errDone = errors.New("stopping")

// New returns a group whose parts run until ctx ends or one of them fails.
func New(ctx context.Context) *Group {
	inner, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: inner, cancel: cancel}
}

// Context ends when the group is to stop.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs a part. A part that returns an error while the group is running
// stops the group; nil, or any return after the group was told to stop, does not.
func (g *Group) Go(name string, part func(context.Context) error) {
	g.tasks.Go(func() {
		err := part(g.ctx)
		if err == nil || g.ctx.Err() != nil {
			return
		}
		err = fmt.Errorf("%s: %w", name, err)
		g.fail(err)
		g.cancel(err)
	})
}

// OnStop registers what gives back what the caller has just started. Stops run
// after all parts have returned, last registered first.
func (g *Group) OnStop(name string, f func(context.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stops = append(g.stops, stop{name, f})
}

// Stop tells the group to end; Wait returns afterwards.
func (g *Group) Stop() { g.cancel(errDone) }

// Wait blocks until the group is told to stop, then waits at most grace for the
// parts to return and runs the stops. It returns what failed, joined; parts
// that did not return in time are named.
func (g *Group) Wait(grace time.Duration) error {
	<-g.ctx.Done()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(g.ctx), grace)
	defer cancel()

	returned := make(chan struct{})
	go func() { g.tasks.Wait(); close(returned) }()
	select {
	case <-returned:
	case <-deadline.Done():
		g.fail(fmt.Errorf("parts were still running after %s", grace))
	}

	g.mu.Lock()
	stops := slices.Clone(g.stops)
	g.stops = nil
	g.mu.Unlock()
	for _, s := range slices.Backward(stops) {
		if err := s.f(deadline); err != nil {
			g.fail(fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
}

func (g *Group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.errs = append(g.errs, err)
}
