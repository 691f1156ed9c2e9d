// Package lifecycle runs the parts of a program side by side and ends them together.
//
// A part runs until its context ends, and gives back what it holds before it
// returns. A part that fails takes the whole group down, with its error as the
// cause; parts that do not return within the grace are named. Go, Stop and Wait
// may be called in any order and from any goroutine.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Group is a set of running parts.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	running []string      // names, as often as they run
	idle    chan struct{} // closed while nothing runs
	errs    []error
}

// errDone is the cause of a group's context after an ordinary end.
var errDone = errors.New("stopping")

// New returns a group whose parts run until ctx ends or one of them fails.
func New(ctx context.Context) *Group {
	inner, cancel := context.WithCancelCause(ctx)
	idle := make(chan struct{})
	close(idle)
	return &Group{ctx: inner, cancel: cancel, idle: idle}
}

// Context ends when the group is to stop.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs a part. A part that returns an error while the group is running
// stops the group; nil, or any return after the group was told to stop, does
// not. A part that is added after that still runs, with a context that has ended.
func (g *Group) Go(name string, part func(context.Context) error) {
	g.mu.Lock()
	if len(g.running) == 0 {
		g.idle = make(chan struct{})
	}
	g.running = append(g.running, name)
	g.mu.Unlock()
	go func() {
		err := part(g.ctx)
		g.mu.Lock()
		if err != nil && g.ctx.Err() == nil {
			err = fmt.Errorf("%s: %w", name, err)
			g.errs = append(g.errs, err)
			g.cancel(err)
		}
		i := slices.Index(g.running, name)
		g.running = slices.Delete(g.running, i, i+1)
		if len(g.running) == 0 {
			close(g.idle)
		}
		g.mu.Unlock()
	}()
}

// Stop tells the group to end; Wait returns afterwards.
func (g *Group) Stop() { g.cancel(errDone) }

// Wait blocks until the group is told to stop, then waits at most grace for the
// parts to return. It returns what failed, joined.
func (g *Group) Wait(grace time.Duration) error {
	<-g.ctx.Done()
	g.mu.Lock()
	idle := g.idle
	g.mu.Unlock()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	errs := slices.Clone(g.errs)
	if len(g.running) > 0 {
		names := slices.Sorted(slices.Values(g.running))
		errs = append(errs, fmt.Errorf("still running %s after the end: %s", grace, strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}
