package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/awssim"
)

// A fleet of a million instances, on which the daemon is started three times:
// on a new database, on the one that it left behind, and on that once more with
// something to start.

// million is one shape of it.
type million struct {
	shape
	resync  time.Duration // resync_interval
	rest    time.Duration // how long the daemon is left alone before its memory is looked at
	profile string        // folder for profiles; empty: none
}

// Schedules of the fleet: of each kind so many, each with hours of its own, as
// in a company with teams in many places. None of them has a boundary while it
// is measured. What follows "turn" waits until the third start.
const (
	dayShifts   = 8
	nightShifts = 8
)

// schedules are written for now: the day shifts are in the middle of their hours, the night shifts begin in hours.
func (million) schedules(now time.Time, turned bool) string {
	var periods, schedules strings.Builder
	add := func(name string, n int, from, until time.Duration) {
		shift := time.Duration(n) * time.Minute
		fmt.Fprintf(&periods, "  %s-%d: {begintime: %q, endtime: %q}\n", name, n, now.Add(from-shift).Format("15:04"), now.Add(until+shift).Format("15:04"))
		fmt.Fprintf(&schedules, "  %s-%d: {periods: [%s-%d]}\n", name, n, name, n)
	}
	for n := range dayShifts {
		add("day", n, -5*time.Hour, 5*time.Hour)
	}
	for n := range nightShifts {
		add("night", n, 7*time.Hour, 17*time.Hour)
	}
	fmt.Fprintf(&schedules, "  turn: {periods: [day-0], override_status: %s}\n", map[bool]string{true: "running", false: "stopped"}[turned])
	return "periods:\n" + periods.String() + "schedules:\n" + schedules.String()
}

// parts of each scope: one instance of "turn", the others shared out to the schedules, each in the state that its schedule wants.
func (m million) parts() []partSpec {
	parts := []partSpec{{1, "turn", false}}
	rest, shares := m.Each-1, dayShifts+nightShifts
	for n := range shares {
		part := partSpec{rest / shares, fmt.Sprintf("day-%d", n), true}
		if n < rest%shares {
			part.Each++
		}
		if n >= dayShifts {
			part.Schedule, part.Running = fmt.Sprintf("night-%d", n-dayShifts), false
		}
		parts = append(parts, part)
	}
	return parts
}

// lookedAt is what the daemon spent until it had looked at every scope once.
type lookedAt struct {
	CPU       time.Duration
	Wall      time.Duration // of its passes
	Resources int
	Passes    int
	Calls     awssim.Stats
	Peak      int64 // greatest resident set so far
}

// weight is what the daemon was measured to be.
type weight struct {
	first  lookedAt // on a new database
	full   lookedAt // on the database that the first left behind
	resync lookedAt
	seen   int64         // resident set, a while after everything was listed whole
	idle   int64         // and a while after the resync
	action time.Duration // from the start of the process to its first action, everything listed
}

// run starts the daemon three times.
func (m million) run(ctx context.Context) (w weight, err error) {
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return w, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	sim, err := simulate(ctx, simSpec{Shape: m.shape, Parts: m.parts()})
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, sim.end()) }()
	h := host{million: m, sim: sim, file: filepath.Join(folder, "dayshift.yaml"), now: time.Now().UTC()}

	if w.first, err = h.firstStart(ctx); err != nil {
		return w, fmt.Errorf("the first start: %w", err)
	}
	fmt.Fprintf(os.Stderr, "   %s: first pass: %s\n", m.shape, w.first)
	if err := h.secondStart(ctx, &w); err != nil {
		return w, fmt.Errorf("the second start: %w", err)
	}
	if w.action, err = h.thirdStart(ctx); err != nil {
		return w, fmt.Errorf("the third start: %w", err)
	}
	return w, nil
}

func (l lookedAt) String() string {
	return fmt.Sprintf("%s of processor time (%s for an instance), %s on the wall, %d calls, peak %s",
		short(l.CPU.Seconds()), micro(l.CPU.Seconds()/float64(max(1, l.Resources))), short(l.Wall.Seconds()), l.Calls.Calls, megabytes(float64(l.Peak)))
}

// host is where the daemons of a measurement run.
type host struct {
	million
	sim  *simulator
	file string
	now  time.Time
}

// start starts the daemon.
func (h host) start(ctx context.Context, name string, turned bool) (*child, error) {
	text := configuration(h.shape, false, "sqlite:"+filepath.Join(filepath.Dir(h.file), "dayshift.db"),
		fmt.Sprintf("resync_interval: %ds\n", int(h.resync.Seconds()))+h.schedules(h.now, turned))
	if err := os.WriteFile(h.file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := control(ctx, http.MethodDelete, h.sim.url+"/_sim/calls", nil); err != nil {
		return nil, err
	}
	spec := daemonSpec{File: h.file, Scopes: h.scopes()}
	if h.profile != "" {
		spec.Profile = filepath.Join(h.profile, name)
	}
	return spawn(ctx, "daemon", spec, "AWS_ENDPOINT_URL="+h.sim.url, "AWS_ACCESS_KEY_ID="+hub, "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true")
}

// look waits until the daemon has looked at every scope, and says what it spent since.
func (h host) look(ctx context.Context, c *child, spent time.Duration) (l lookedAt, err error) {
	for scopes := 0; scopes < h.scopes(); {
		var pass made
		if err := c.hear(&pass); err != nil {
			return l, err
		}
		if pass.Gap != "" {
			return l, fmt.Errorf("not all could be seen: %s", pass.Gap)
		}
		scopes += pass.Scopes
		l.Passes++
		l.Resources += pass.Resources
		l.CPU = pass.CPU - spent
		l.Wall += pass.Took
	}
	if l.Calls, err = stats(ctx, h.sim.url); err != nil {
		return l, err
	}
	if l.Calls.Throttled > 0 {
		return l, fmt.Errorf("%d calls were throttled", l.Calls.Throttled)
	}
	l.Peak, err = statusOf(c.cmd.Process.Pid, "VmHWM")
	return l, err
}

func (h host) firstStart(ctx context.Context) (l lookedAt, err error) {
	c, err := h.start(ctx, "first", false)
	if err != nil {
		return l, err
	}
	if l, err = h.look(ctx, c, 0); err != nil {
		return l, errors.Join(err, c.end())
	}
	if l.Resources != h.resources() {
		return l, errors.Join(fmt.Errorf("the daemon saw %d of %d resources", l.Resources, h.resources()), c.end())
	}
	return l, c.end()
}

func (h host) secondStart(ctx context.Context, w *weight) error {
	c, err := h.start(ctx, "full", false)
	if err != nil {
		return err
	}
	err = func() error {
		if w.full, err = h.look(ctx, c, 0); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "   %s: everything again: %s\n", h.shape, w.full)
		if w.seen, err = h.restAndWeigh(ctx, c); err != nil {
			return err
		}
		spent, err := processorTimeOf(c.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if err := control(ctx, http.MethodDelete, h.sim.url+"/_sim/calls", nil); err != nil {
			return err
		}
		if w.resync, err = h.look(ctx, c, spent); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "   %s: resync: %s\n", h.shape, w.resync)
		w.idle, err = h.restAndWeigh(ctx, c)
		fmt.Fprintf(os.Stderr, "   %s: at rest: %s after everything, %s after the resync\n", h.shape, megabytes(float64(w.seen)), megabytes(float64(w.idle)))
		return err
	}()
	return errors.Join(err, c.end())
}

// restAndWeigh leaves the daemon alone for a while and returns its resident set.
func (h host) restAndWeigh(ctx context.Context, c *child) (int64, error) {
	select {
	case <-time.After(h.rest):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return statusOf(c.cmd.Process.Pid, "VmRSS")
}

// thirdStart measures from the start of the process to its first action: the
// schedule of one instance in each scope has another answer now.
func (h host) thirdStart(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	c, err := h.start(ctx, "action", true)
	if err != nil {
		return 0, err
	}
	if _, err := h.look(ctx, c, 0); err != nil {
		return 0, errors.Join(err, c.end())
	}
	calls, err := callsOf(ctx, h.sim.url)
	if err := errors.Join(err, c.end()); err != nil {
		return 0, err
	}
	for i := range calls {
		if calls[i].Action == "StartInstances" && calls[i].Code == "" {
			took := calls[i].Time.Sub(began)
			fmt.Fprintf(os.Stderr, "   %s: first action %s after the start\n", h.shape, short(took.Seconds()))
			return took, nil
		}
	}
	return 0, errors.New("nothing was started")
}

// profiles writes where a daemon spends its time: one processor profile until it
// has looked at everything once and one from then on, and what its heap holds after both.
type profiles struct {
	prefix string
	left   int // scopes until everything was looked at
	file   *os.File
}

func (p *profiles) begin(name string) (err error) {
	if p.file, err = os.Create(p.prefix + "-" + name + ".cpu.pprof"); err != nil {
		return err
	}
	return pprof.StartCPUProfile(p.file)
}

func (p *profiles) end(name string) error {
	pprof.StopCPUProfile()
	err := p.file.Close()
	heap, failed := os.Create(p.prefix + "-" + name + ".heap.pprof")
	if failed != nil {
		return errors.Join(err, failed)
	}
	runtime.GC() // a heap profile is of the last collection
	return errors.Join(err, pprof.WriteHeapProfile(heap), heap.Close())
}

// looked is told of a pass.
func (p *profiles) looked(scopes int) error {
	before := p.left
	p.left -= scopes
	if before <= 0 || p.left > 0 {
		return nil
	}
	return errors.Join(p.end("whole"), p.begin("later"))
}

// processorTimeOf is what another process has spent so far, to a hundredth of a second.
func processorTimeOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may have blanks in it; utime and stime are the 12th and 13th field after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q is not what it should be", pid, text)
	}
	ticks := int64(0)
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	const tick = time.Second / 100 // USER_HZ, the same on all of Linux's architectures that Go knows
	return time.Duration(ticks) * tick, nil
}

// productRoot is the folder of the product's sources.
func productRoot(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "dayshift").Output()
	if err != nil {
		return "", fmt.Errorf("find the product's module: %w", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// binarySize builds the program as a release does and returns its bytes.
func binarySize(ctx context.Context) (int64, error) {
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	root, err := productRoot(ctx)
	if err != nil {
		return 0, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(folder, "dayshift"), "./cmd/dayshift") //nolint:gosec // a fixed command
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the product: %w: %s", err, out)
	}
	info, err := os.Stat(filepath.Join(folder, "dayshift"))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// fleets of the section: as many as the flags leave.
func (l *lab) millions() ([]million, error) {
	switch {
	case l.scopes < 0 || l.scopes > 10*len(regions)*100:
		return nil, fmt.Errorf("-scopes %d: give 1 to %d", l.scopes, 10*len(regions)*100)
	case l.small:
		return []million{{shape: shape{1, 2, 40}, resync: 10 * time.Second, rest: 100 * time.Millisecond, profile: l.profile}}, nil
	case l.scopes > 0:
		s := shape{1, l.scopes, 1000}
		if l.scopes > len(regions) {
			s = shape{ceil(l.scopes, len(regions)), len(regions), 1000}
		}
		return []million{{shape: s, resync: 15 * time.Second, rest: 8 * time.Second, profile: l.profile}}, nil
	}
	return []million{
		{shape: shape{100, 10, 1000}, resync: time.Minute, rest: 30 * time.Second, profile: l.profile},
		{shape: shape{1, 10, 100_000}, resync: time.Minute, rest: 30 * time.Second},
	}, nil
}

func millionHow(l *lab) string {
	if l.scopes > 0 {
		return fmt.Sprintf("measured once, scaled down by `-scopes %d`", l.scopes)
	}
	return "measured once"
}

func millionSection(ctx context.Context, l *lab) (string, error) {
	fleets, err := l.millions()
	if err != nil {
		return "", err
	}
	if l.profile != "" {
		if err := os.MkdirAll(l.profile, 0o755); err != nil { //nolint:gosec // for the person who asked for it
			return "", err
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, `The daemon as with `+"`dayshift serve`"+`, with an SQLite file on disk, on fleets of tagged instances that follow %d schedules. The simulated AWS is another process with AWS's limits on;
its answers are as long as AWS's, some 3.8 KB for an instance. Processor time, user and system, and memory are those of the daemon's process alone.

It is started three times. The first time its database is new, and it writes down what it saw. The second time everything is listed whole, decoded, decided and compared with what
is remembered, with nothing to do; its processor time is that of the process from its very start. The full reconcile is the next resync of the same process, %s later: AWS is asked for
every instance once more, and each is held against what was seen; what is described in the same words, to the last byte, is not decoded again.
The third time one instance in each account and region has to start: from the start of the process to the first call that starts something.

| accounts × regions × instances | | calls | processor time | for an instance | on the wall | peak memory (RSS) |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
`, dayShifts+nightShifts+1, fleets[0].resync)
	var after strings.Builder
	for _, m := range fleets {
		w, err := m.run(ctx)
		if err != nil {
			return "", fmt.Errorf("%s: %w", m.shape, err)
		}
		for _, row := range []struct {
			name string
			lookedAt
		}{{"first pass, on a new database", w.first}, {"first look after a start", w.full}, {"full reconcile of a steady fleet", w.resync}} {
			fmt.Fprintf(&text, "| %s | %s | %d | %s | %s | %s | %s |\n", m.shape, row.name, row.Calls.Calls, short(row.CPU.Seconds()),
				micro(row.CPU.Seconds()/float64(m.resources())), short(row.Wall.Seconds()), megabytes(float64(row.Peak)))
		}
		fmt.Fprintf(&after, "| %s | %d | %s | %s | %s |\n", m.shape, m.resources(), megabytes(float64(w.seen)), megabytes(float64(w.idle)), short(w.action.Seconds()))
	}
	fmt.Fprintf(&text, "\n| accounts × regions × instances | tracked | resident memory %s after the first look | %s after a full reconcile | from the start of the process to its first action |\n| --- | ---: | ---: | ---: | ---: |\n%s",
		fleets[0].rest, fleets[0].rest, after.String())
	if !l.small && l.scopes == 0 {
		size, err := binarySize(ctx)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "\nThe program, everything in it and stripped, has %s.\n", megabytes(float64(size)))
	}
	return text.String(), nil
}
