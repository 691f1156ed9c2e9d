package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestPartThatFailsEndsAll(t *testing.T) {
	full := errors.New("disk full")
	g := New(t.Context())
	var ended atomic.Int32
	for range 3 {
		g.Go("loop", func(ctx context.Context) error {
			defer ended.Add(1)
			return untilEnd(ctx)
		})
	}
	g.Go("store", func(context.Context) error { return full })
	err := g.Wait(time.Minute)
	if !errors.Is(err, full) || err.Error() != "store: disk full" || ended.Load() != 3 {
		t.Errorf("%v, %d ended", err, ended.Load())
	}
	if cause := context.Cause(g.Context()); !errors.Is(cause, full) {
		t.Errorf("the cause is %v", cause)
	}
}

func TestOrdinaryEnd(t *testing.T) {
	for name, end := range map[string]func(g *Group, stop context.CancelFunc){
		"stop":    func(g *Group, _ context.CancelFunc) { g.Stop() },
		"context": func(_ *Group, stop context.CancelFunc) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			g := New(ctx)
			g.Go("quick", func(context.Context) error { return nil }) // ends nothing
			g.Go("loop", untilEnd)
			g.Go("told to stop", func(ctx context.Context) error {
				<-ctx.Done()
				return context.Cause(ctx) // not a failure
			})
			end(g, stop)
			if err := g.Wait(time.Minute); err != nil {
				t.Error(err)
			}
			g.Stop()
			if err := g.Wait(time.Minute); err != nil {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		release := make(chan struct{})
		for _, name := range []string{"scheduler", "reload"} {
			g.Go(name, func(context.Context) error { <-release; return nil })
		}
		g.Go("surface", untilEnd)
		g.Stop()
		began := time.Now()
		err := g.Wait(25 * time.Second)
		if took := time.Since(began); took != 25*time.Second {
			t.Errorf("waited %s", took)
		}
		if err == nil || !strings.Contains(err.Error(), "reload, scheduler") || strings.Contains(err.Error(), "surface") {
			t.Errorf("%v", err)
		}
		close(release)
		synctest.Wait()
		if err := g.Wait(25 * time.Second); err != nil {
			t.Errorf("once they have returned: %v", err)
		}
	})
}

// Starting, failing, stopping and waiting at the same time, in any order.
func TestStress(t *testing.T) {
	for round := range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		g := New(ctx)
		var started, ended atomic.Int32
		var outside sync.WaitGroup
		for i := range 4 {
			outside.Go(func() {
				started.Add(1)
				g.Go(fmt.Sprint("part ", i), func(ctx context.Context) error {
					defer ended.Add(1)
					if i == 0 && round%3 == 0 {
						return errors.New("broken")
					}
					if i == 1 {
						started.Add(1)
						g.Go("child", func(ctx context.Context) error { defer ended.Add(1); return untilEnd(ctx) })
					}
					return untilEnd(ctx)
				})
			})
		}
		switch round % 3 {
		case 1:
			outside.Go(g.Stop)
		case 2:
			outside.Go(cancel)
		}
		outside.Go(func() { _ = g.Wait(time.Minute) })
		outside.Wait()
		err := g.Wait(time.Minute)
		if (err != nil) && round%3 != 0 {
			t.Fatal(err)
		}
		for _, idle := g.busy(); !idle; _, idle = g.busy() { // parts added after the end return at once
			time.Sleep(time.Millisecond)
		}
		if started.Load() != ended.Load() {
			t.Fatalf("%d started, %d ended", started.Load(), ended.Load())
		}
		cancel()
	}
}

// busy tells how many parts run.
func (g *Group) busy() (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.running), len(g.running) == 0
}
