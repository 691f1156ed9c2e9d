package aws

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// carryOut reserves and does like the act stage: one call after the other.
func carryOut(t *testing.T, c *Cloud, verb fleet.Verb, targets []cloud.Target) {
	t.Helper()
	for len(targets) > 0 {
		n, err := c.Reserve(t.Context(), testScope, fleet.EC2Instance, verb, len(targets))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), testScope, fleet.EC2Instance, verb, targets[:n]); err != nil {
			t.Fatal(err)
		}
		targets = targets[n:]
	}
}

// The last of n resources is accepted at the floor of the share in use:
// (n − share × 1000) / (share × refill). No call is throttled, nothing is lost.
func TestFault43ManyAreDoneAtTheFloorOfTheBuckets(t *testing.T) {
	const millisecond = time.Millisecond
	for _, test := range []struct {
		share   float64
		verb    fleet.Verb
		n       int
		latency time.Duration
		floor   time.Duration
		calls   int
	}{
		{1, fleet.Start, 1, 0, 0, 1},
		{1, fleet.Start, 1000, 0, 0, 1},
		{1, fleet.Start, 2000, 0, 500 * time.Second, 6},
		{1, fleet.Start, 2000, 300 * millisecond, 500 * time.Second, 6},
		{1, fleet.Start, 1001, 300 * millisecond, 500 * millisecond, 2},
		{1, fleet.Stop, 1000, 0, 0, 1},
		{1, fleet.Stop, 5000, 300 * millisecond, 200 * time.Second, 21},

		{0.8, fleet.Start, 800, 300 * millisecond, 0, 1},
		{0.8, fleet.Start, 1000, 300 * millisecond, 125 * time.Second, 2},
		{0.8, fleet.Start, 2000, 300 * millisecond, 750 * time.Second, 7},
		{0.8, fleet.Start, 5000, 300 * millisecond, 2625 * time.Second, 22},
		{0.8, fleet.Stop, 1000, 300 * millisecond, 12500 * millisecond, 2},
		{0.8, fleet.Stop, 2000, 300 * millisecond, 75 * time.Second, 7},
		{0.8, fleet.Stop, 5000, 300 * millisecond, 262500 * millisecond, 22},
	} {
		t.Run(fmt.Sprintf("%s %d with %v over %v", test.verb, test.n, test.share, test.latency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := "stopped"
				if test.verb == fleet.Stop {
					state = "running"
				}
				c, sim := simulate(t, awssim.Options{Latency: test.latency}, fleetOf(test.n, state), func(config *Config) { config.Share = test.share })
				all := targets(t, c)
				if len(all) != test.n {
					t.Fatalf("%d targets, want %d", len(all), test.n)
				}
				sim.ResetCalls()
				predicted := c.Estimate(testScope, fleet.EC2Instance, test.verb, test.n)
				began := time.Now()
				carryOut(t, c, test.verb, all)
				took := time.Since(began)
				stats := sim.Stats()
				if stats.Throttled != 0 || stats.Errors != 0 {
					t.Errorf("%d calls throttled, %d refused", stats.Throttled, stats.Errors)
				}
				if int(stats.Calls) != test.calls {
					t.Errorf("%d calls, want %d", stats.Calls, test.calls)
				}
				// Two round trips more than the floor: the one in which the full bucket
				// was tapped, and the one of the last call itself.
				most := test.floor + test.floor/500 + 2*test.latency + 2*millisecond
				if took < test.floor || took > most {
					t.Errorf("took %v, want %v to %v", took, test.floor, most)
				}
				if predicted < test.floor || predicted > most {
					t.Errorf("predicted %v, want %v to %v", predicted, test.floor, most)
				}
				t.Logf("%v, predicted %v, floor %v (×%.4f), %d calls", took, predicted, test.floor, float64(took)/float64(max(test.floor, 1)), stats.Calls)
			})
		})
	}
}

func TestWhatIsInTheBucketGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{}.WithDefaults())
		take := func(want int) (int, time.Duration) {
			began := time.Now()
			n, err := p.take(t.Context(), testScope, "ec2:StartInstances", want, 1000)
			if err != nil {
				t.Fatal(err)
			}
			p.answered(testScope, "ec2:StartInstances", n, n)
			return n, time.Since(began).Round(time.Second)
		}
		for _, step := range []struct {
			pass time.Duration
			want int
			n    int
			wait time.Duration
		}{
			{0, 900, 900, 0},
			{0, 500, 100, 0},                               // the rest of the bucket is worth a call
			{0, 500, 200, 100 * time.Second},               // then as much goes together as a call may have
			{29 * time.Second, 150, 150, 46 * time.Second}, // too little for a call is waited with
			{31 * time.Second, 150, 61, 0},
			{0, 7, 7, 3 * time.Second}, // a few wait for themselves alone
			{time.Hour, 1500, 1000, 0}, // it never holds more than its size
		} {
			time.Sleep(step.pass)
			n, wait := take(step.want)
			if n != step.n || wait != step.wait.Round(time.Second) {
				t.Errorf("want %d: %d after %v, expected %d after %v", step.want, n, wait, step.n, step.wait)
			}
		}
	})
}

// Somebody who starts one instance by hand does not wait for two hundred others.
func TestALargeCallWaitsLessWhileOthersStandInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{Share: 0.8}.WithDefaults())
		if _, err := p.take(t.Context(), testScope, "ec2:StartInstances", 800, 1000); err != nil {
			t.Fatal(err)
		}
		p.answered(testScope, "ec2:StartInstances", 800, 800)
		began := time.Now()
		type taken struct {
			n    int
			when time.Duration
		}
		many, one := make(chan taken, 1), make(chan taken, 1)
		take := func(want int, to chan taken) {
			n, err := p.take(t.Context(), testScope, "ec2:StartInstances", want, 1000)
			if err != nil {
				t.Error(err)
			}
			to <- taken{n, time.Since(began).Round(time.Second)}
		}
		go take(1000, many)
		time.Sleep(45 * time.Second)
		go take(1, one)
		// The first looks up every half minute, and goes with what is there.
		if got := <-many; got != (taken{95, time.Minute}) {
			t.Errorf("many: %d after %v", got.n, got.when)
		}
		if got := <-one; got.n != 1 || got.when > 61*time.Second {
			t.Errorf("one: %d after %v", got.n, got.when)
		}
		go take(1000, many)
		if got := <-many; got.n != chunkMax {
			t.Errorf("alone again: %d", got.n)
		}
	})
}

// Of a large call that is refused half is tried once more; when that is refused
// too, the bucket counts as empty, and its refill is halved no further.
func TestHalfOfALargeRefusedCallIsTriedOnce(t *testing.T) {
	for _, test := range []struct {
		name      string
		first     int
		refused   int // calls
		room      int // of the call after them
		factor    float64
		waitsMost time.Duration
	}{
		{"a large one", 800, 1, 400, 0.5, 2 * time.Second},
		{"its half as well", 800, 2, 2, 0.5, 4 * time.Second},
		{"and what came then", 800, 3, 1, 0.25, 8 * time.Second},
		{"a small one", 200, 1, 2, 0.5, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(Config{Share: 0.8}.WithDefaults())
				take := func(want int) int {
					n, err := p.take(t.Context(), testScope, "ec2:StartInstances", want, 1000)
					if err != nil {
						t.Fatal(err)
					}
					return n
				}
				want := test.first
				for range test.refused {
					p.throttled(testScope, "ec2:StartInstances", take(want), 0)
					want = 1000
				}
				began := time.Now()
				room := take(1000)
				if m := p.meter(testScope, "ec2:StartInstances"); room/2 != test.room/2 || m.factor < test.factor || m.factor > test.factor+0.02 {
					t.Errorf("room for %d at ×%.3f, want %d at ×%v", room, m.factor, test.room, test.factor)
				}
				if took := time.Since(began); took > test.waitsMost {
					t.Errorf("after %v", took)
				}
			})
		})
	}
}

func TestRequestsArePacedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			operation kinds.Operation
			calls     int
			floor     time.Duration
		}{
			{"ec2:DescribeInstances", 300, 10 * time.Second},       // 100, then 20/s
			{"ec2:ModifyInstanceAttribute", 100, 10 * time.Second}, // 50, then 5/s
			{"ec2:CreateTags", 200, 10 * time.Second},              // 100, then 10/s
			{"rds:StartDBInstance", 420, 10 * time.Second},         // 300, then 12/s
		} {
			p := newPacer(Config{}.WithDefaults())
			began := time.Now()
			for range test.calls {
				if n, err := p.take(t.Context(), testScope, test.operation, 1, 1); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				p.answered(testScope, test.operation, 1, 1)
			}
			if took := time.Since(began); took < test.floor || took > test.floor+test.floor/50 {
				t.Errorf("%d × %s took %v, want %v", test.calls, test.operation, took, test.floor)
			}
		}
	})
}

func TestOperationsOfRDSShareOneBucketAndThoseOfEC2DoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{}.WithDefaults())
		began := time.Now()
		for range 150 {
			for _, operation := range []kinds.Operation{"rds:DescribeDBInstances", "rds:StopDBInstance"} {
				if _, err := p.take(t.Context(), testScope, operation, 1, 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the first 300 took %v", took)
		}
		if p.meter(testScope, "rds:StartDBInstance").request.tokens >= 1 {
			t.Error("300 calls of RDS leave room for another of its operations")
		}
		for range 5 {
			if _, err := p.take(t.Context(), testScope, "ec2:StartInstances", 1, 1000); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.take(t.Context(), testScope, "ec2:StopInstances", 1, 1000); err != nil || time.Since(began) != 0 {
			t.Errorf("stops waited for starts: %v, %v", time.Since(began), err)
		}
	})
}

func TestShareLeavesTheRestToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{Share: 0.5}.WithDefaults())
		n, err := p.take(t.Context(), testScope, "ec2:StartInstances", 1000, 1000)
		if n != 500 || err != nil {
			t.Errorf("%d (%v) of 1000, want 500 at half of the bucket", n, err)
		}
		tiny := newPacer(Config{Share: 0.01}.WithDefaults())
		if n, err := tiny.take(t.Context(), testScope, "ec2:StartInstances", 1000, 1000); n != 10 || err != nil {
			t.Errorf("%d (%v), want 10: a small share still holds a call", n, err)
		}
	})
}

func TestThoseWhoWaitAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{}.WithDefaults())
		if _, err := p.take(t.Context(), testScope, "ec2:StartInstances", 1000, 1000); err != nil {
			t.Fatal(err)
		}
		p.answered(testScope, "ec2:StartInstances", 1000, 1000)
		served := make(chan int, 20)
		for i := range cap(served) {
			time.Sleep(time.Millisecond)
			go func() {
				want := 1
				if i%2 == 0 {
					want = 50 // a large one is not overtaken by small ones
				}
				for want > 0 {
					n, err := p.take(t.Context(), testScope, "ec2:StartInstances", want, 1000)
					if err != nil {
						t.Error(err)
						break
					}
					want -= n
				}
				served <- i
			}()
		}
		for i := range cap(served) {
			if got := <-served; got != i {
				t.Errorf("number %d was served in place of %d", got, i)
			}
		}
	})
}

func TestWhoGivesUpFreesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{}.WithDefaults())
		if _, err := p.take(t.Context(), testScope, "ec2:StartInstances", 1000, 1000); err != nil {
			t.Fatal(err)
		}
		p.answered(testScope, "ec2:StartInstances", 1000, 1000)
		reason := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := p.take(ctx, testScope, "ec2:StartInstances", 500, 1000); first <- err }()
		synctest.Wait()
		go func() { _, err := p.take(t.Context(), testScope, "ec2:StartInstances", 2, 1000); second <- err }()
		synctest.Wait()
		cancel(reason)
		if err := <-first; !errors.Is(err, reason) {
			t.Errorf("first: %v", err)
		}
		if err := <-second; err != nil {
			t.Errorf("second: %v", err)
		}
	})
}

// A neighbour eats half of every bucket, of which the mirror knows nothing. It
// finds out by the first call that is refused; nothing is lost, few calls are
// refused, and it takes little longer than what the neighbour leaves allows.
func TestFault21ANeighbourShrinksTheMirror(t *testing.T) {
	for _, test := range []struct {
		verb  fleet.Verb
		n     int
		floor time.Duration // of half a bucket: (n − 500) / half of the refill
	}{
		{fleet.Start, 1000, 500 * time.Second},
		{fleet.Start, 2000, 1500 * time.Second},
		{fleet.Start, 5000, 4500 * time.Second},
		{fleet.Stop, 1000, 50 * time.Second},
		{fleet.Stop, 2000, 150 * time.Second},
		{fleet.Stop, 5000, 450 * time.Second},
	} {
		t.Run(fmt.Sprintf("%s %d", test.verb, test.n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := "stopped"
				if test.verb == fleet.Stop {
					state = "running"
				}
				c, sim := simulate(t, awssim.Options{Limits: awssim.Limits{Neighbour: 0.5}, Latency: 300 * time.Millisecond},
					fleetOf(test.n, state), func(config *Config) { config.Share = 0.8 })
				left := targets(t, c)
				sim.ResetCalls()
				began := time.Now()
				for len(left) > 0 {
					n, err := c.Reserve(t.Context(), testScope, fleet.EC2Instance, test.verb, len(left))
					if err != nil {
						t.Fatal(err)
					}
					switch err := c.Do(t.Context(), testScope, fleet.EC2Instance, test.verb, left[:n]); {
					case err == nil:
						left = left[n:]
					case !errors.Is(err, cloud.ErrThrottled):
						t.Fatal(err)
					}
				}
				stats, took := sim.Stats(), time.Since(began)
				t.Logf("%v for a floor of %v (×%.2f), %d of %d calls throttled (%.2f %%)", took, test.floor, took.Seconds()/test.floor.Seconds(),
					stats.Throttled, stats.Calls, 100*float64(stats.Throttled)/float64(stats.Calls))
				if took > test.floor*3/2 {
					t.Errorf("took %v", took)
				}
				// One has to be refused, or nothing is learned.
				if stats.Throttled < 1 || stats.Throttled > max(1, stats.Calls/100) {
					t.Errorf("%d of %d calls throttled, want 1 %% at most", stats.Throttled, stats.Calls)
				}
			})
		})
	}
}

func TestThrottlingEmptiesTheMirrorAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{Rand: func() float64 { return 1 }}.WithDefaults())
		wait := func() time.Duration {
			began := time.Now()
			if _, err := p.take(t.Context(), testScope, "ec2:DescribeInstances", 1, 1); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		var waits []time.Duration
		for range 8 {
			p.throttled(testScope, "ec2:DescribeInstances", 1, 0)
			waits = append(waits, wait().Round(100*time.Millisecond))
		}
		want := []int64{500, 1000, 2000, 4000, 8000, 16000, 20000, 20000} // ms
		for i := range want {
			if waits[i].Milliseconds() != want[i] {
				t.Errorf("pauses %v, want %v ms", waits, want)
				break
			}
		}
		p.throttled(testScope, "ec2:DescribeInstances", 1, 2*time.Minute)
		if got := wait(); got < 2*time.Minute {
			t.Errorf("came back after %v, AWS said two minutes", got)
		}
		p.answered(testScope, "ec2:DescribeInstances", 1, 1)
		p.throttled(testScope, "ec2:DescribeInstances", 1, 0)
		if got := wait(); got > time.Second {
			t.Errorf("a call that went well does not shorten the pause: %v", got)
		}
		time.Sleep(regrowTime)
		p.answered(testScope, "ec2:DescribeInstances", 1, 1)
		if m := p.meter(testScope, "ec2:DescribeInstances"); m.factor != 1 || m.request.tokens != m.request.max {
			t.Errorf("after %v the rate is ×%v, %v tokens", regrowTime, m.factor, m.request.tokens)
		}
	})
}

// A call that many made at once and that all came back throttled counts as one
// sign of an empty bucket, not as many.
func TestAVolleyOfThrottledCallsShrinksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Config{}.WithDefaults())
		for range 50 {
			p.throttled(testScope, "ec2:DescribeInstances", 1, 0)
		}
		if m := p.meter(testScope, "ec2:DescribeInstances"); m.factor != shrink {
			t.Errorf("rate ×%v, want ×%v", m.factor, shrink)
		}
	})
}

func TestARefusedCallGivesItsTokensBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulate(t, awssim.Options{}, fleetOf(1000, "stopped"), nil)
		all := targets(t, c)
		bad := all[17]
		bad.ID = "i-0fffffffffffffff0"
		began := time.Now()
		n, err := c.Reserve(t.Context(), testScope, fleet.EC2Instance, fleet.Start, 1000)
		if n != 1000 || err != nil {
			t.Fatal(n, err)
		}
		mixed := append([]cloud.Target{bad}, all[1:]...)
		if err := c.Do(t.Context(), testScope, fleet.EC2Instance, fleet.Start, mixed); !errors.Is(err, cloud.ErrNotFound) {
			t.Fatal(err)
		}
		carryOut(t, c, fleet.Start, all[1:])
		if took := time.Since(began); took > time.Second {
			t.Errorf("the other 999 had to wait %v", took)
		}
		if n := sim.Stats().Throttled; n > 0 {
			t.Errorf("%d calls throttled", n)
		}
	})
}

// Whatever is asked for and however time passes, the mirror never lets more out
// than AWS's bucket holds, and never less than one for who waits.
func TestTheMirrorIsNeverAheadOfTheBucket(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		config := Config{
			Now:   func() time.Time { return now },
			Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
		}.WithDefaults()
		p := newPacer(config)
		operation := rapid.SampledFrom([]kinds.Operation{"ec2:StartInstances", "ec2:StopInstances"}).Draw(r, "operation")
		limit := LimitOf(operation)
		requests, resources, at := limit.Request.Max, limit.Resource.Max, now
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(r, "pass")))
			want := rapid.IntRange(1, 1500).Draw(r, "want")
			n, err := p.take(context.Background(), testScope, operation, want, 1000)
			if err != nil || n < 1 || n > min(want, 1000) {
				r.Fatalf("%d of %d: %v", n, want, err)
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(r, "latency")))
			d := now.Sub(at).Seconds()
			at = now
			requests = min(limit.Request.Max, requests+d*limit.Request.PerSecond) - 1
			resources = min(limit.Resource.Max, resources+d*limit.Resource.PerSecond) - float64(n)
			if requests < -1e-6 || resources < -1e-6 {
				r.Fatalf("AWS's bucket is overdrawn: %v requests, %v resources", requests, resources)
			}
			p.answered(testScope, operation, n, n)
			if rapid.IntRange(0, 4).Draw(r, "new share") == 0 {
				p.setShare(rapid.Float64Range(0.05, 1).Draw(r, "share"))
			}
		}
	})
}

// A reloaded configuration brings its own share, and keeps what was used.
func TestAReloadedShareTakesEffect(t *testing.T) {
	open := func(t *testing.T, share float64, pacer *Pacer) *Cloud {
		t.Helper()
		c, err := New(Config{Accounts: simAccounts, Share: share, Pacer: pacer})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	// reserve takes room for a start; it is answered at once.
	reserve := func(t *testing.T, c *Cloud, want int) (int, time.Duration) {
		t.Helper()
		began := time.Now()
		n, err := c.Reserve(t.Context(), testScope, fleet.EC2Instance, fleet.Start, want)
		if err != nil {
			t.Fatal(err)
		}
		c.pacer.answered(testScope, "ec2:StartInstances", n, n)
		return n, time.Since(began).Round(time.Second)
	}
	for _, test := range []struct {
		name          string
		before, after float64
		used          int           // starts before the reload
		room          int           // for starts at once after it
		next          time.Duration // until ten more have room
	}{
		{"smaller, nothing used", 1, 0.25, 1, 250, 20 * time.Second},
		{"smaller, some used", 1, 0.25, 900, 100, 20 * time.Second},
		{"larger, nothing used", 0.25, 1, 1, 249, 5 * time.Second}, // the rest fills up first
		{"larger, some used", 0.25, 1, 100, 150, 5 * time.Second},
		{"the same", 0.5, 0.5, 200, 300, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := open(t, test.before, nil)
				if n, _ := reserve(t, before, test.used); n != test.used {
					t.Fatalf("room for %d before the reload, want %d", n, test.used)
				}
				after := open(t, test.after, before.Pacer())
				if n, wait := reserve(t, after, 1000); n != test.room || wait != 0 {
					t.Errorf("room for %d after %v, want %d at once", n, wait, test.room)
				}
				if n, wait := reserve(t, after, 10); n != 10 || wait != test.next {
					t.Errorf("room for %d after %v, want 10 after %v", n, wait, test.next)
				}
				time.Sleep(time.Hour)
				if n, _ := reserve(t, after, 1000); n != int(1000*test.after) {
					t.Errorf("room for %d an hour later, want the whole share", n)
				}
				// An operation that was never used before the reload.
				n, err := after.Reserve(t.Context(), testScope, fleet.EC2Instance, fleet.Stop, 1000)
				if err != nil || n != int(1000*test.after) {
					t.Errorf("room for %d stops: %v", n, err)
				}
			})
		})
	}
	t.Run("a refused configuration changes nothing", func(t *testing.T) {
		c := open(t, 0.5, nil)
		if _, err := New(Config{Accounts: simAccounts, Share: 2, Pacer: c.Pacer()}); err == nil {
			t.Fatal("a share of 2 is taken")
		}
		if c.pacer.share != 0.5 {
			t.Errorf("share %v", c.pacer.share)
		}
	})
	t.Run("what throttling taught stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, 1, nil)
			c.pacer.throttled(testScope, "ec2:StartInstances", 1, time.Minute)
			if _, wait := reserve(t, open(t, 0.5, c.Pacer()), 1); wait < time.Minute {
				t.Errorf("came back after %v, AWS said a minute", wait)
			}
			if m := c.pacer.meter(testScope, "ec2:StartInstances"); m.factor >= 1 {
				t.Errorf("rate ×%v", m.factor)
			}
		})
	})
	t.Run("who waits goes by the new share", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, 0.05, nil) // 50 starts, then one in ten seconds
			reserve(t, c, 50)
			time.AfterFunc(time.Second, func() { open(t, 1, c.Pacer()) })
			if n, wait := reserve(t, c, 20); n != 20 || wait != wakeAfter {
				t.Errorf("%d after %v; by the old share it would be 3, by the new one all when the waiter looks again", n, wait)
			}
			if n, wait := reserve(t, c, 60); n != 60 || wait != 11*time.Second {
				t.Errorf("then %d after %v, want what is missing at two per second", n, wait)
			}
		})
	})
}
