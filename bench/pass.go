package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/store"
)

// stage is a stretch of a pass. Stages follow one another, so what the process
// spends between two of their beginnings belongs to the first.
type stage int

const (
	loading   stage = iota // open the run, read what is remembered
	listing                // call AWS and decode
	deciding               // settle, decide, plan, put together what to record
	recording              // write the intents
	acting                 // calls, and the outcomes as they become known
	stages
)

var stageNames = [stages]string{"load", "list", "decide", "record", "act"}

// meter watches a pass from what it does to its cloud and its store.
type meter struct {
	pass.Cloud
	pass.Store

	mu    sync.Mutex
	at    stage
	since time.Duration
	spent [stages]time.Duration
	lists atomic.Int64 // under way and to come
}

func (m *meter) enter(s stage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s <= m.at {
		return
	}
	now := usage()
	m.spent[m.at] += now - m.since
	m.at, m.since = s, now
}

// List implements cloud.Lister.
func (m *meter) List(ctx context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	m.enter(listing)
	list, err := m.Cloud.List(ctx, scope, kind, query)
	if m.lists.Add(-1) == 0 {
		m.enter(deciding)
	}
	return list, err
}

// Reserve implements cloud.Actor.
func (m *meter) Reserve(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, want int) (int, error) {
	m.enter(acting)
	return m.Cloud.Reserve(ctx, scope, kind, verb, want)
}

// SaveChanges implements store.Memories.
func (m *meter) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	m.enter(recording)
	return m.Store.SaveChanges(ctx, lease, changes)
}

// Append implements store.Log.
func (m *meter) Append(ctx context.Context, lease store.Lease, rows []store.Activity) error {
	m.enter(recording)
	return m.Store.Append(ctx, lease, rows)
}

// cost is what a pass took.
type cost struct {
	Name      string
	Resources int
	Started   int
	Calls     int64
	Throttled int64
	CPU       time.Duration
	Stages    [stages]time.Duration
	Wall      time.Duration
	PeakRSS   int64 // bytes, of the whole process
	Live      int64 // bytes of live heap with the report still in hand
	Rest      int64 // bytes of live heap between passes
}

// passSpec says what the process of a pass works with.
type passSpec struct {
	Shape    shape
	Endpoint string
	Store    string
}

// moved is the wall clock, moved to another day.
type moved struct {
	clock.Real
	by atomic.Int64
}

func (m *moved) Now() time.Time { return m.Real.Now().Add(time.Duration(m.by.Load())) }

// passRole is the process in which the passes of a morning are made, one after
// the other, by one program on one store.
func passRole(ctx context.Context, data json.RawMessage, say func(any) error) (err error) {
	var spec passSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	clk := &moved{}
	clk.by.Store(int64(time.Until(at(8, 50))))
	p, err := wire(ctx, configuration(spec.Shape, false, "sqlite:"+spec.Store, officeSchedules), clk, nil, spec.Endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.store.Close()) }()
	for _, step := range []struct {
		name   string
		before time.Duration // since the pass before
	}{
		{"first", 0},
		{"at rest", 2 * time.Minute},
		{"boundary", 10 * time.Minute},
		{"after", time.Minute},
	} {
		clk.by.Add(int64(step.before))
		if err := control(ctx, http.MethodPost, spec.Endpoint+"/_sim/clock?advance="+strconv.Itoa(int(step.before.Seconds()))+"s", nil); err != nil {
			return err
		}
		got, err := p.weigh(ctx, spec.Endpoint)
		if err != nil {
			return fmt.Errorf("pass %q: %w", step.name, err)
		}
		got.Name = step.name
		if err := say(got); err != nil {
			return err
		}
	}
	return nil
}

// weigh makes a pass and measures it.
func (p *product) weigh(ctx context.Context, endpoint string) (cost, error) {
	if err := control(ctx, http.MethodDelete, endpoint+"/_sim/calls", nil); err != nil {
		return cost{}, err
	}
	debug.FreeOSMemory()
	if err := resetPeak(); err != nil {
		return cost{}, err
	}
	made := p.pass()
	made.Finder = nil // every kind is listed, so that the last listing can be told
	m := &meter{Cloud: made.Cloud, Store: made.Store, since: usage()}
	m.lists.Store(int64(len(made.Scopes) * len(made.Cloud.Kinds())))
	made.Cloud, made.Store = m, m
	before, began := usage(), time.Now()

	report, err := pass.Run(ctx, made)

	c := cost{CPU: usage() - before, Wall: time.Since(began), Resources: len(report.Decisions), Started: report.Run.Counts.Started}
	m.enter(stages)
	c.Stages = m.spent
	switch {
	case err != nil:
		return c, err
	case len(report.Gaps) > 0:
		return c, fmt.Errorf("a gap: %s", report.Gaps[0])
	case report.Run.Counts.Failed > 0:
		return c, fmt.Errorf("%d actions failed", report.Run.Counts.Failed)
	}
	if c.PeakRSS, err = status("VmHWM"); err != nil {
		return c, err
	}
	counts, err := stats(ctx, endpoint)
	c.Calls, c.Throttled = counts.Calls, counts.Throttled
	p.known = report.Known
	c.Live = liveHeap()
	runtime.KeepAlive(report)
	runtime.KeepAlive(made)
	report, made = pass.Report{}, nil //nolint:wastedassign // lets go of them, for the heap below
	c.Rest = liveHeap()
	return c, err
}

func liveHeap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// resetPeak makes the kernel forget the greatest resident set so far.
func resetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// status reads a size from this process's status, in bytes.
func status(field string) (int64, error) { return statusOf(os.Getpid(), field) }

// statusOf reads a size from the status of a process, in bytes.
func statusOf(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, field+":"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, field)
}

// lister lists instances and nothing else, to hold the listing of a pass against.
type lister struct {
	Endpoint string
	Accounts []string
	Regions  []string
}

// listed is what a lister took.
type listed struct {
	Instances int
	CPU       float64 // seconds
}

// sdkRole lists with the AWS SDK for Go as it comes.
func sdkRole(ctx context.Context, data json.RawMessage, say func(any) error) error {
	var spec lister
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	var got listed
	// One for all regions: the SDK's own would open connections for each anew.
	connections := awshttp.NewBuildableClient()
	before := usage()
	for _, account := range spec.Accounts {
		for _, region := range spec.Regions {
			client := ec2.New(ec2.Options{HTTPClient: connections, Region: region, BaseEndpoint: sdk.String(spec.Endpoint), Credentials: credentials.NewStaticCredentialsProvider(account, "bench", "")})
			pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{MaxResults: sdk.Int32(instancesInPage)})
			for pages.HasMorePages() {
				page, err := pages.NextPage(ctx)
				if err != nil {
					return err
				}
				for _, reservation := range page.Reservations {
					got.Instances += len(reservation.Instances)
				}
			}
		}
	}
	got.CPU = (usage() - before).Seconds()
	return say(got)
}

// boto3 lists the same in Python. The import is not counted.
const boto3 = `
import boto3, json, sys, time
spec = json.load(sys.stdin)
began = time.process_time()
count = 0
for account in spec["Accounts"]:
    for region in spec["Regions"]:
        ec2 = boto3.client("ec2", region_name=region, endpoint_url=spec["Endpoint"], aws_access_key_id=account, aws_secret_access_key="bench")
        for page in ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 1000}):
            for reservation in page["Reservations"]:
                count += len(reservation["Instances"])
print(json.dumps({"Instances": count, "CPU": time.process_time() - began, "Version": boto3.__version__}))
`

func (l lister) withSDK(ctx context.Context) (got listed, err error) {
	c, err := spawn(ctx, "sdk", l)
	if err != nil {
		return got, err
	}
	if err := c.hear(&got); err != nil {
		return got, err
	}
	return got, c.end()
}

func (l lister) withBoto3(ctx context.Context) (got listed, version string, err error) {
	spec, err := json.Marshal(l)
	if err != nil {
		return got, "", err
	}
	cmd := exec.CommandContext(ctx, "python3", "-c", boto3)
	cmd.Stdin = strings.NewReader(string(spec))
	out, err := cmd.Output()
	if err != nil {
		return got, "", fmt.Errorf("list with boto3: %w", err)
	}
	answer := struct {
		listed
		Version string
	}{}
	err = json.Unmarshal(out, &answer)
	return answer.listed, answer.Version, err
}

// passRounds bounds the rounds of a section whose round takes a minute.
const passRounds = 3

func passHow(l *lab) string {
	return fmt.Sprintf("%d rounds, each with new processes, a new fleet and a new database", min(l.rounds, passRounds))
}

func passSection(ctx context.Context, l *lab) (string, error) {
	s, sampled := shape{100, 4, 250}, 4 // accounts that the others list
	if l.small {
		s, sampled = shape{2, 2, 20}, 1
	}
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	costs := map[string][]cost{}
	var order []string
	var bySDK, byBoto3, ours sample
	version := ""
	_, noPython := exec.LookPath("python3")
	if noPython == nil {
		noPython = exec.CommandContext(ctx, "python3", "-c", "import boto3").Run()
	}
	for round := range min(l.rounds, passRounds) {
		if err := context.Cause(ctx); err != nil {
			return "", err
		}
		sim, err := simulate(ctx, simSpec{Shape: s, Start: at(8, 50), Parts: []partSpec{{s.Each / 2, "always", true}, {s.Each / 2, "office", false}}})
		if err != nil {
			return "", err
		}
		c, err := spawn(ctx, "pass", passSpec{Shape: s, Endpoint: sim.url, Store: filepath.Join(folder, fmt.Sprintf("round-%d.db", round))})
		if err != nil {
			return "", err
		}
		for range 4 {
			var got cost
			if err := c.hear(&got); err != nil {
				return "", err
			}
			if got.Resources != s.resources() {
				return "", fmt.Errorf("a pass saw %d of %d resources", got.Resources, s.resources())
			}
			if costs[got.Name] == nil {
				order = append(order, got.Name)
			}
			costs[got.Name] = append(costs[got.Name], got)
		}
		if err := c.end(); err != nil {
			return "", err
		}
		rest := costs["at rest"][round]
		ours = append(ours, rest.Stages[listing].Seconds()/float64(rest.Resources))
		few := lister{Endpoint: sim.url, Regions: regions[:s.Regions]}
		for n := range sampled {
			few.Accounts = append(few.Accounts, accountID(n))
		}
		got, err := few.withSDK(ctx)
		if err != nil {
			return "", err
		}
		bySDK = append(bySDK, got.CPU/float64(got.Instances))
		if noPython == nil {
			if got, version, err = few.withBoto3(ctx); err != nil {
				return "", err
			}
			byBoto3 = append(byBoto3, got.CPU/float64(got.Instances))
		}
		if err := sim.end(); err != nil {
			return "", err
		}
		fmt.Fprintf(os.Stderr, "   round %d of %d\n", round+1, min(l.rounds, passRounds))
	}
	return passText(s, order, costs, ours, bySDK, byBoto3, version, sampled*s.Regions*s.Each), nil
}

func passText(s shape, order []string, costs map[string][]cost, ours, bySDK, byBoto3 sample, version string, others int) string {
	of := func(name string, value func(cost) float64) sample {
		var all sample
		for _, c := range costs[name] {
			all = append(all, value(c))
		}
		return all
	}
	var text strings.Builder
	fmt.Fprintf(&text, `%d instances in %d accounts and regions (%s), half of them always running, half stopped until the office opens.
One program with an SQLite file on disk; the simulated AWS is another process on the same machine, so that its time is not counted.
The first pass sees the fleet for the first time, the second finds nothing to do, the third starts all that is stopped, the fourth sees it run.

| pass | starts | calls | processor time | resources per second of it | peak memory (RSS) | live heap at its end | live heap afterwards | on the wall |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`, s.resources(), s.scopes(), s)
	cpu := func(c cost) float64 { return c.CPU.Seconds() }
	for _, name := range order {
		first := costs[name][0]
		fmt.Fprintf(&text, "| %s | %d | %d | %s | %s | %s | %s | %s | %s |\n", name, first.Started, first.Calls,
			of(name, cpu).show(short), of(name, func(c cost) float64 { return float64(c.Resources) / c.CPU.Seconds() }).show(perSecond),
			of(name, func(c cost) float64 { return float64(c.PeakRSS) }).show(megabytes), of(name, func(c cost) float64 { return float64(c.Live) }).show(megabytes),
			of(name, func(c cost) float64 { return float64(c.Rest) }).show(megabytes), of(name, func(c cost) float64 { return c.Wall.Seconds() }).show(short))
	}
	text.WriteString("\nWhere the processor time goes, the garbage collector's with the stage it runs in; “act” has the calls and the record of their outcomes:\n\n| pass |")
	for _, name := range stageNames {
		text.WriteString(" " + name + " |")
	}
	text.WriteString("\n| --- |" + strings.Repeat(" ---: |", int(stages)) + "\n")
	for _, name := range order {
		text.WriteString("| " + name + " |")
		for i := range stages {
			text.WriteString(" " + of(name, func(c cost) float64 { return c.Stages[i].Seconds() }).show(short) + " |")
		}
		text.WriteString("\n")
	}
	fmt.Fprintf(&text, "\nThe same listing with others, %d of the instances, in processor time for each instance (Dayshift's lists the databases too, and it keeps what it found):\n\n| | time for an instance | time ÷ Dayshift's |\n| --- | ---: | ---: |\n", others)
	fmt.Fprintf(&text, "| Dayshift | %s | – |\n| AWS SDK for Go v2, as it comes | %s | %s |\n", ours.show(micro), bySDK.show(micro), bySDK.over(ours).show(times))
	if len(byBoto3) > 0 {
		fmt.Fprintf(&text, "| boto3 %s | %s | %s |\n", version, byBoto3.show(micro), byBoto3.over(ours).show(times))
	} else {
		text.WriteString("| boto3 | not installed here | |\n")
	}
	return text.String()
}

func short(seconds float64) string { return fmt.Sprintf("%.2f s", seconds) }

func micro(seconds float64) string { return fmt.Sprintf("%.3g µs", seconds*1e6) }

func megabytes(bytes float64) string { return fmt.Sprintf("%.0f MB", bytes/1e6) }
