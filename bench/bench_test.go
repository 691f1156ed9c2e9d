package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
)

// TestMain plays the role of a child when the program starts itself.
func TestMain(m *testing.M) {
	if played, code := playRole(); played {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestSections runs every section once, briefly: the numbers mean nothing, but the way to them works.
func TestSections(t *testing.T) {
	for _, s := range sections {
		t.Run(s.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "benchmarks.md")
			if err := os.WriteFile(file, []byte("# Benchmarks\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			times := 2 // the second run replaces what the first wrote
			if s.name == "million" {
				times = 1 // it waits for a resync, which can not be more often than every ten seconds
			}
			for range times {
				if err := bench(t.Context(), []string{"-only", s.name, "-rounds", "1", "-time", "1ms", "-small", "-write", file}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, has := range []string{"# Benchmarks\n", "<!-- bench:" + s.name + " -->\n## " + s.title, "Made by `make bench", "<!-- /bench:" + s.name + " -->\n"} {
				if strings.Count(string(got), has) != 1 {
					t.Errorf("%q is not there exactly once in\n%s", has, got)
				}
			}
			for _, nonsense := range []string{"NaN", "Inf"} {
				if strings.Contains(string(got), nonsense) {
					t.Errorf("%s in\n%s", nonsense, got)
				}
			}
		})
	}
}

func TestBenchRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.md")
	for name, args := range map[string][]string{
		"no such section": {"-only", "weather"},
		"-rounds and":     {"-rounds", "0"},
		"read the docu":   {"-only", "calendar", "-rounds", "1", "-time", "1ms", "-write", missing},
	} {
		if err := bench(t.Context(), args); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("bench %v: error %v, want one with %q", args, err, name)
		}
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if err := bench(ctx, []string{"-only", "calendar", "-time", "1ms"}); !errors.Is(err, stopped) {
		t.Errorf("bench after an interrupt: error %v", err)
	}
}

func TestReplace(t *testing.T) {
	for _, test := range []struct{ name, document, want string }{
		{"between its markers", "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n", "a\n<!-- bench:x -->\nnew\n<!-- /bench:x -->\nb\n"},
		{"at the end without markers", "a\n", "a\n\n<!-- bench:x -->\nnew\n<!-- /bench:x -->\n"},
	} {
		if got, err := replace(test.document, "x", "new\n"); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
	}
	if _, err := replace("<!-- bench:x -->\n", "x", "new\n"); err == nil {
		t.Error("a marker without its end was accepted")
	}
}

func TestSample(t *testing.T) {
	s := sample{4, 1, 2}
	if s.median() != 2 || s.min() != 1 || s.max() != 4 {
		t.Errorf("median %v, min %v, max %v of %v", s.median(), s.min(), s.max(), s)
	}
	if even := (sample{1, 2, 3, 10}); even.median() != 2.5 {
		t.Errorf("median %v of %v", even.median(), even)
	}
	if ratios := s.over(sample{2, 1, 1}); ratios[0] != 2 || ratios[1] != 1 || ratios[2] != 2 {
		t.Errorf("ratios %v", ratios)
	}
	if got := (sample{2e6, 1e6, 3e6}).show(perSecond); got != "2 million (1 million–3 million)" {
		t.Errorf("shown as %q", got)
	}
}

func TestProcessorTimeCountsWork(t *testing.T) {
	busy := processorTime(func() {
		for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
			kept.Add(1)
		}
	})
	idle := processorTime(func() { time.Sleep(50 * time.Millisecond) })
	if busy <= idle {
		t.Errorf("50 ms of work count %s, 50 ms of sleep %s", busy, idle)
	}
}

func BenchmarkCalendar(b *testing.B) {
	o, err := newOffice()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []contestant{
		{"wanted/dayshift", askState(o.wanted)},
		{"wanted/cron", askState(o.cronWanted)},
		{"wanted/gronx", askState(o.gronxWanted)},
		{"next/dayshift", askTime(o.next)},
		{"next/cron", askTime(o.cronNext)},
		{"next/gronx", askTime(o.gronxNext)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			c.run(b.N)
		})
	}
}

func BenchmarkTelling(b *testing.B) {
	const events = 1000
	for _, t := range tellings() {
		b.Run(t.name, func(b *testing.B) {
			if err := t.open(b.Context(), b.TempDir(), events); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			t.run(b.Context(), b.N)
			b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
			b.StopTimer()
			if err := t.close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// Waits run side by side, in order, and the time between them takes none.
func TestPatient(t *testing.T) {
	clk := newPatient(at(0, 0))
	ctx, cancel := context.WithCancel(t.Context())
	woken := make(chan string, 10)
	sleep := func(ctx context.Context, name string, d time.Duration) {
		go func() {
			if err := clk.Sleep(ctx, d); err != nil {
				name += " gave up"
			}
			woken <- name + " at " + clk.Now().Format("15:04")
		}()
	}
	sleep(t.Context(), "long", 2*time.Hour)
	sleep(t.Context(), "short", time.Hour)
	sleep(t.Context(), "too long", 30*time.Hour)
	sleep(ctx, "given up", 20*time.Hour)
	if err := clk.Sleep(t.Context(), 0); err != nil || !clk.Now().Equal(at(0, 0)) {
		t.Errorf("no sleep took until %s: %v", clk.Now(), err)
	}
	if err := clk.runTo(t.Context(), at(3, 0)); err != nil {
		t.Fatal(err)
	}
	cancel()
	for _, want := range []string{"short at 01:00", "long at 02:00", "given up gave up at 03:00"} {
		if got := <-woken; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := clk.runTo(t.Context(), at(36, 0)); err != nil || !clk.Now().Equal(at(36, 0)) {
		t.Fatalf("it ran to %s: %v", clk.Now(), err)
	}
	if got := <-woken; got != "too long at 06:00" {
		t.Errorf("%q", got)
	}
	stopped := errors.New("stopped")
	ended, end := context.WithCancelCause(t.Context())
	end(stopped)
	if err := errors.Join(clk.runTo(ended, at(40, 0)), clk.Sleep(ended, time.Hour)); !errors.Is(err, stopped) {
		t.Errorf("after an interrupt: %v", err)
	}
}

// What the table says of goroutines is what the SDK's retryer does: three tries
// of a call, a hundred retries in all before its quota is used up.
func TestGoroutinesUseUpTheQuota(t *testing.T) {
	f, err := measure(t.Context(), job{verb: fleet.Start, good: 400}, strategy{share: 1, run: goroutines(50)})
	if err != nil {
		t.Fatal(err)
	}
	// 500 tokens, five for a retry, which come back when it succeeds, and one for every success.
	succeeded := 400 - f.lost
	if retries := f.calls - 400; retries < 100 || retries > 100+2*succeeded || f.lost < 200 || f.throttled != f.calls-succeeded {
		t.Errorf("%d calls for 400 instances, %d of them throttled, %d lost", f.calls, f.throttled, f.lost)
	}
	alone, err := measure(t.Context(), job{verb: fleet.Start, good: 5}, strategy{share: 1, run: goroutines(10)})
	if err != nil || alone.calls != 5 || alone.lost != 0 || alone.took != roundTrip {
		t.Errorf("five at once: %+v, %v", alone, err)
	}
}

// The second start of the million is of a fleet at rest: nobody starts or stops anything but what "turn" asks for.
func TestMillionIsAtRest(t *testing.T) {
	m := million{shape: shape{1, 1, 40}}
	for hour := range 24 {
		now := time.Date(2026, 3, 2, hour, 30, 0, 0, time.UTC)
		loaded, err := config.Parse("bench.yaml", []byte(configuration(m.shape, false, "memory:", m.schedules(now, false))), config.Env{})
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, part := range m.parts() {
			count += part.Each
			schedule := loaded.Book.Schedules[part.Schedule]
			if schedule.Calendar == nil {
				t.Fatal(schedule.Err)
			}
			for _, at := range []time.Time{now.Add(-2 * time.Hour), now, now.Add(2 * time.Hour)} {
				if running := schedule.Calendar.Wanted(at).State == calendar.Running; running != part.Running {
					t.Errorf("%s at %s: running %t, the fleet has %t", part.Schedule, at.Format("15:04"), running, part.Running)
				}
			}
		}
		if count != m.Each {
			t.Fatalf("the parts have %d instances, not %d", count, m.Each)
		}
	}
}
