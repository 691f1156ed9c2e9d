// Package lifecycle runs the parts of a program side by side and ends them together.
//
// A part runs until its context ends, and gives back what it holds before it
// returns. A part that fails takes the whole group down, with its error as the
// cause; parts that do not return within the grace are named.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Group is a set of running parts.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	tasks sync.WaitGroup
	errs  []error
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

// Stop tells the group to end; Wait returns afterwards.
func (g *Group) Stop() { g.cancel(errDone) }

// Wait blocks until the group is told to stop, then waits at most grace for the
// parts to return. It returns what failed, joined.
func (g *Group) Wait(grace time.Duration) error {
	<-g.ctx.Done()
	returned := make(chan struct{})
	go func() { g.tasks.Wait(); close(returned) }()
	select {
	case <-returned:
	case <-time.After(grace):
		g.fail(fmt.Errorf("parts were still running after %s", grace))
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
