package clock

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var monday = time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC)

func TestFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewFast(monday, 1440)
		if got := c.Now(); !got.Equal(monday) {
			t.Fatalf("begins at %s", got)
		}
		time.Sleep(time.Minute)
		if got := c.Now(); !got.Equal(monday.AddDate(0, 0, 1)) {
			t.Fatalf("a minute later it is %s", got)
		}
		began := time.Now()
		if err := c.Sleep(t.Context(), 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Fatalf("a day took %s", took)
		}
	})
}

// Whoever sleeps until an instant finds that it has come.
func TestFastSleepIsNeverShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 500 {
			c := NewFast(monday, 1+random.Float64()*100_000)
			d := time.Duration(1 + random.Int64N(int64(48*time.Hour)))
			until := c.Now().Add(d)
			if err := c.Sleep(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			// What floating point leaves out at this speed is far below a microsecond.
			if now := c.Now(); now.Before(until.Add(-time.Microsecond)) {
				t.Fatalf("%s early after %s", until.Sub(now), d)
			}
		}
	})
}

func TestSleep(t *testing.T) {
	gone := errors.New("told to stop")
	for name, c := range map[string]func() Clock{
		"real": func() Clock { return Real{} },
		"fast": func() Clock { return NewFast(monday, 60) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := c()
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(gone) })
				began := time.Now()
				if err := c.Sleep(ctx, time.Hour); !errors.Is(err, gone) || time.Since(began) != time.Second {
					t.Errorf("%v after %s", err, time.Since(began))
				}
				for _, d := range []time.Duration{-time.Hour, 0, 1, time.Hour} {
					if err := c.Sleep(ctx, d); !errors.Is(err, gone) {
						t.Errorf("%s with a context that has ended: %v", d, err)
					}
				}
				began = time.Now()
				for _, d := range []time.Duration{-time.Hour, 0} {
					if err := c.Sleep(t.Context(), d); err != nil || time.Since(began) != 0 {
						t.Errorf("%s: %v after %s", d, err, time.Since(began))
					}
				}
			})
		})
	}
}

// Differences follow the wall clock, also through a suspend: no monotonic reading.
func TestNowIsWallTime(t *testing.T) {
	for _, c := range []Clock{Real{}, NewFast(time.Now(), 2)} {
		if now := c.Now(); strings.Contains(now.String(), " m=") {
			t.Errorf("%T carries a monotonic reading: %s", c, now)
		}
	}
}
