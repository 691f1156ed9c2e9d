package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dayshift/internal/app"
	"dayshift/internal/awssim"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
)

// daemonSpec names the configuration of a daemon.
type daemonSpec struct {
	File    string
	Scopes  int    // that it has, for Profile
	Profile string // path of the profiles, without what tells them apart; empty: none
}

// made is what a daemon says of each of its passes.
type made struct {
	Trigger   string
	Scopes    int
	Resources int
	CPU       time.Duration // of the process, since its begin
	Took      time.Duration // the pass, on the wall
	Gap       string        // the first part of the fleet that could not be seen; empty: none
}

// daemonRole runs the daemon as `dayshift serve` does and tells of its passes.
func daemonRole(ctx context.Context, data json.RawMessage, say func(any) error) (err error) {
	var spec daemonSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	a, err := openApp(ctx, spec.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }() //nolint:contextcheck // channels have a time of their own to end
	prof := profiles{prefix: spec.Profile, left: spec.Scopes}
	if spec.Profile != "" {
		if err := prof.begin("whole"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, prof.end("later")) }()
	}
	daemon := app.Daemon{App: a, Reports: func(r *pass.Report) {
		report := made{Trigger: r.Run.Trigger, Scopes: len(r.Scopes), Resources: r.Run.Counts.Resources, CPU: usage(), Took: r.Run.Finished.Sub(r.Run.Started)}
		if len(r.Gaps) > 0 {
			report.Gap = r.Gaps[0].String()
		}
		_ = say(report) // whoever does not listen is gone
		if spec.Profile != "" {
			if err := prof.looked(report.Scopes); err != nil {
				a.Log.ErrorContext(ctx, "the profile can not be written", slog.Any("error", err))
			}
		}
	}}
	return serveUntilTold(ctx, &daemon)
}

// openApp wires the product for a configuration, with warnings on standard error.
func openApp(ctx context.Context, file string) (*app.App, error) {
	loaded, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return app.Open(ctx, loaded, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), app.Act)
}

// serveUntilTold runs the daemon until ctx ends, which is no failure.
func serveUntilTold(ctx context.Context, daemon *app.Daemon) error {
	err := daemon.Serve(ctx, "127.0.0.1:0")
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// dawn is a morning on which schedules begin second after second.
type dawn struct {
	shape
	schedules int
	wait      time.Duration // until the first begin: the daemon has to have seen the fleet by then
}

func (d dawn) schedule(n int) string { return fmt.Sprintf("begin-%02d", n) }

// begin is when the schedule of the nth scope begins.
func (d dawn) begin(first time.Time, n int) time.Time {
	return first.Add(time.Duration(n%d.schedules) * time.Second)
}

// schedulesFrom writes schedules that begin second after second: one full
// minute after the last of them, and a start_lead for each.
func (d dawn) schedulesFrom(first time.Time) string {
	minute := d.begin(first, d.schedules-1).Truncate(time.Minute).Add(time.Minute)
	var text strings.Builder
	fmt.Fprintf(&text, "periods:\n  shift: {begintime: %q, endtime: %q}\nschedules:\n", minute.Format("15:04"), minute.Add(6*time.Hour).Format("15:04"))
	for n := range d.schedules {
		fmt.Fprintf(&text, "  %s: {periods: [shift], start_lead: %ds}\n", d.schedule(n), int(minute.Sub(d.begin(first, n)).Seconds()))
	}
	return text.String()
}

// late is how late the calls of a dawn were.
type late struct {
	first     sample // seconds from a begin to the first call to any of its scopes
	scopes    sample // to the first call to each scope
	starts    sample // to its StartInstances
	throttled int
	seeing    time.Duration // processor time until the daemon had seen the fleet
	passes    int
}

// watch lets the daemon live through the dawn.
func (d dawn) watch(ctx context.Context) (result late, err error) {
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return result, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	spec := simSpec{Shape: d.shape, Parts: []partSpec{{d.Each, "", false}}}
	for n := range d.schedules {
		spec.Schedule = append(spec.Schedule, d.schedule(n))
	}
	sim, err := simulate(ctx, spec)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, sim.end()) }()
	first := time.Now().UTC().Add(d.wait + time.Second).Truncate(time.Second)
	file := filepath.Join(folder, "dayshift.yaml")
	text := configuration(d.shape, false, "sqlite:"+filepath.Join(folder, "dayshift.db"), d.schedulesFrom(first))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return result, err
	}
	daemon, err := spawn(ctx, "daemon", daemonSpec{File: file},
		"AWS_ENDPOINT_URL="+sim.url, "AWS_ACCESS_KEY_ID="+hub, "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true")
	if err != nil {
		return result, err
	}
	var pass made
	if err := daemon.hear(&pass); err != nil {
		return result, err
	}
	if !time.Now().Before(first) || pass.Resources != d.resources() {
		return result, errors.Join(fmt.Errorf("the daemon saw %d of %d resources within %s: this machine is too slow or too busy", pass.Resources, d.resources(), d.wait), daemon.end())
	}
	result.seeing = pass.CPU
	// The daemon's reports are read while it works, or it would wait for us.
	heard := make(chan int, 1)
	go func() {
		n := 0
		for line := new(made); daemon.hearMore(line); n++ {
			continue
		}
		heard <- n
	}()
	if err := d.waitForStarts(ctx, sim.url, d.begin(first, d.schedules-1)); err != nil {
		return result, err
	}
	calls, err := callsOf(ctx, sim.url)
	if err != nil {
		return result, err
	}
	_ = daemon.stdin.Close() // end says what went wrong
	result.passes = <-heard
	if err := daemon.end(); err != nil {
		return result, err
	}
	if err := d.read(&result, first, calls); err != nil {
		return result, fmt.Errorf("%w; the daemon said:\n%s", err, daemon.told)
	}
	return result, nil
}

// patience is how long the last begin is given.
const patience = time.Minute

// waitForStarts waits until every scope has been started, or patience has run out.
func (d dawn) waitForStarts(ctx context.Context, url string, last time.Time) error {
	wait := time.Until(last)
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		counts, err := stats(ctx, url)
		if err != nil {
			return err
		}
		if counts.ByAction["ec2:StartInstances"] >= int64(d.scopes()) || time.Since(last) > patience {
			return nil
		}
		wait = 200 * time.Millisecond
	}
}

// hearMore reads the next report, if there is one.
func (c *child) hearMore(into any) bool {
	line, err := c.out.ReadBytes('\n')
	return err == nil && json.Unmarshal(line, into) == nil
}

// callsOf reads the simulator's log.
func callsOf(ctx context.Context, url string) (calls []awssim.Call, err error) {
	err = control(ctx, http.MethodGet, url+"/_sim/calls", func(r io.Reader) error {
		lines := json.NewDecoder(r)
		for {
			var call awssim.Call
			switch err := lines.Decode(&call); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			calls = append(calls, call)
		}
	})
	return calls, err
}

// read finds the first call and the first start of each scope after its begin.
func (d dawn) read(result *late, begin time.Time, calls []awssim.Call) error {
	type key struct {
		scope fleet.Scope
		start bool
	}
	firsts := map[key]time.Time{}
	begins := map[fleet.Scope]time.Time{}
	for n := range d.scopes() {
		begins[scopeOf(d.shape, n)] = d.begin(begin, n)
	}
	for _, call := range calls {
		if call.Throttled {
			result.throttled++
		}
		scope := fleet.Scope{Account: fleet.AccountID(call.Account), Region: fleet.Region(call.Region)}
		start := call.Action == "StartInstances"
		if start && call.Time.Before(begins[scope]) {
			return fmt.Errorf("an instance of %s was started %s too early", scope, begins[scope].Sub(call.Time))
		}
		if call.Service == "sts" || call.Time.Before(begins[scope]) {
			continue
		}
		for _, k := range []key{{scope, false}, {scope, start}} {
			if before, known := firsts[k]; !known || call.Time.Before(before) {
				firsts[k] = call.Time
			}
		}
	}
	bySchedule := make(sample, min(d.schedules, d.scopes()))
	for i := range bySchedule {
		bySchedule[i] = math.Inf(1)
	}
	for n := range d.scopes() {
		scope := scopeOf(d.shape, n)
		looked, known := firsts[key{scope, false}]
		started, done := firsts[key{scope, true}]
		if !known || !done {
			return fmt.Errorf("nothing was started in %s, %s after its begin", scope, patience)
		}
		after := looked.Sub(begins[scope]).Seconds()
		result.scopes = append(result.scopes, after)
		result.starts = append(result.starts, started.Sub(begins[scope]).Seconds())
		bySchedule[n%d.schedules] = min(bySchedule[n%d.schedules], after)
	}
	result.first = bySchedule
	return nil
}

// quantile is the value that a share of the sample does not exceed.
func (s sample) quantile(share float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

func latenessSection(ctx context.Context, l *lab) (string, error) {
	d := dawn{shape{100, 4, 250}, 60, 45 * time.Second}
	if l.small {
		d = dawn{shape{2, 2, 5}, 2, 800 * time.Millisecond}
	}
	fmt.Fprintf(os.Stderr, "   this takes about %s\n", d.wait+time.Duration(d.schedules)*time.Second)
	result, err := d.watch(ctx)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, `%d schedules that begin one second after the other, %d instances in %d accounts and regions (%s), each of which follows one schedule: at every
begin some %d of them have to start %d instances. The daemon runs as with `+"`dayshift serve`"+`, in real time, with an SQLite file on disk; the simulated AWS is another process on
the same machine, and its log tells when a call arrived. While schedules begin, the daemon also looks again after what it started before. %d passes, %d calls throttled.

| from the begin of a schedule to | measured | half within | 99 %% within | latest |
| --- | ---: | ---: | ---: | ---: |
`, d.schedules, d.resources(), d.scopes(), d.shape, ceil(d.scopes(), d.schedules), ceil(d.scopes(), d.schedules)*d.Each, result.passes, result.throttled)
	for _, row := range []struct {
		name   string
		values sample
	}{
		{"the first call", result.first},
		{"the first call to each account and region", result.scopes},
		{"the call that starts its instances", result.starts},
	} {
		fmt.Fprintf(&text, "| %s | %d | %s | %s | %s |\n", row.name, len(row.values), milli(row.values.quantile(0.5)), milli(row.values.quantile(0.99)), milli(row.values.max()))
	}
	return text.String(), nil
}

func milli(seconds float64) string { return fmt.Sprintf("%.0f ms", seconds*1000) }

func latenessHow(*lab) string { return "one dawn in real time, about two minutes" }
