package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dayshift/internal/awssim"
)

// crashConfig starts what carries on and stops what carries off, in two
// accounts and regions; nothing in it depends on the time of day.
const crashConfig = `
accounts:
  - {id: "111122223333", regions: [eu-west-1]}
  - {id: "444455556666", role: "arn:aws:iam::444455556666:role/dayshift", regions: [us-east-1]}
schedules:
  "on": {override_status: running}
  "off": {override_status: stopped, new_resource_grace: 0s}
`

var crashScopes = []account{{id: "111122223333", region: "eu-west-1"}, {id: "444455556666", region: "us-east-1"}}

func crashFleet() awssim.Fleet {
	on, off := map[string]string{"Schedule": "on"}, map[string]string{"Schedule": "off"}
	return awssim.Fleet{Resources: []awssim.Resource{
		{Account: "111122223333", Region: "eu-west-1", Kind: "ec2", Name: "web-#", Count: 3, State: "stopped", Tags: on},
		{Account: "111122223333", Region: "eu-west-1", Kind: "ec2", Name: "batch-#", Count: 2, Tags: off},
		{Account: "111122223333", Region: "eu-west-1", Kind: "rds", Name: "orders", State: "stopped", Tags: on},
		{Account: "111122223333", Region: "eu-west-1", Kind: "rds", Name: "users", State: "stopped", Tags: on},
		{Account: "111122223333", Region: "eu-west-1", Kind: "rds", Name: "reports", Tags: off},
		{Account: "444455556666", Region: "us-east-1", Kind: "ec2", Name: "api", State: "stopped", Tags: on},
	}}
}

var crashWanted = []string{
	"api running", "batch-1 stopped", "batch-2 stopped", "orders available", "reports stopped", "users available",
	"web-1 running", "web-2 running", "web-3 running",
}

// names are the first words.
func names(states []string) []string {
	out := make([]string, len(states))
	for i, state := range states {
		out[i], _, _ = strings.Cut(state, " ")
	}
	return out
}

// workplace makes a directory with a configuration and gives the environment
// of a process in it that reaches AWS through the gate.
func workplace(t *testing.T, config string) (dir string, env func(*gate) []string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dayshift.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, func(g *gate) []string {
		return append(lonely(dir), "PATH="+os.Getenv("PATH"), "AWS_ENDPOINT_URL="+g.url)
	}
}

// daemonIn starts a daemon and waits until it listens.
func daemonIn(t *testing.T, dir string, env []string) *process {
	t.Helper()
	p, err := startProcess(dir, env, "serve", "--addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := p.waitFor(serving)
	if err != nil {
		t.Fatal(err)
	}
	p.url = line[1]
	return p
}

// TestKilledAtAnyMoment kills the program without warning at moments all over a
// pass, starts the daemon on what it left behind and looks whether everything
// arrives, nothing was done twice and the record is whole.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for leases to end")
	}
	// A call is lost on its way, takes effect without an answer, or is answered.
	type moment struct {
		name   string
		before func(passage) bool // true: now
		after  func(passage) bool // true: now, taken effect, no answer
		answer func(passage) bool // true: so long after the answer
		wait   time.Duration
	}
	is := func(action string, nth int) func(passage) bool {
		return func(p passage) bool { return p.action == action && p.nth == nth }
	}
	mutation := func(nth int) func(passage) bool {
		var mu sync.Mutex
		seen := 0
		return func(p passage) bool {
			mu.Lock()
			defer mu.Unlock()
			if p.reads {
				return false
			}
			seen++
			return seen == nth
		}
	}
	moments := []moment{
		{name: "before the first call", before: func(p passage) bool { return p.number == 1 }},
		{name: "while roles are assumed", after: is("AssumeRole", 1)},
		{name: "while the fleet is listed", before: is("DescribeInstances", 1)},
		{name: "when the last listing is answered", answer: is("DescribeDBInstances", 2)},
		{name: "between the intents and the first change", before: mutation(1)},
		{name: "before a start is sent", before: is("StartInstances", 1)},
		{name: "during a start", after: is("StartInstances", 1)},
		{name: "during the second start", after: is("StartInstances", 2)},
		{name: "after a start, before its outcome", answer: is("StartInstances", 1)},
		{name: "just after a start", answer: is("StartInstances", 2), wait: 4 * time.Millisecond},
		{name: "before a stop is sent", before: is("StopInstances", 1)},
		{name: "during a stop", after: is("StopInstances", 1)},
		{name: "after a stop, before its outcome", answer: is("StopInstances", 1)},
		{name: "before a database is started", before: is("StartDBInstance", 1)},
		{name: "during the start of a database", after: is("StartDBInstance", 1)},
		{name: "between two databases", before: is("StartDBInstance", 2)},
		{name: "during the stop of a database", after: is("StopDBInstance", 1)},
		{name: "after the third change", answer: mutation(3)},
		{name: "while tags are written", after: is("CreateTags", 1)},
		{name: "when almost done", answer: mutation(8), wait: 2 * time.Millisecond},
	}
	// And some that nobody thought of: anywhere in the first quarter of a second.
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 3 {
		wait := time.Duration(random.Int64N(int64(250 * time.Millisecond)))
		moments = append(moments, moment{name: fmt.Sprintf("after %s", wait.Round(time.Millisecond)), wait: wait})
	}
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			sim := newGated(t, crashFleet())
			dir, env := workplace(t, crashConfig)

			way := sim.gate(t)
			var victim *process
			started := make(chan struct{})
			die := func() {
				<-started
				victim.kill()
			}
			chosen := func(when func(passage) bool) func(passage) bool {
				return func(p passage) bool {
					if when == nil || !when(p) {
						return true
					}
					die()
					return false
				}
			}
			way.before, way.applied = chosen(m.before), chosen(m.after)
			way.answered = func(p passage) {
				if m.answer != nil && m.answer(p) {
					time.Sleep(m.wait)
					die()
				}
			}
			victim, err := startProcess(dir, env(way), "serve", "--addr", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(victim.kill)
			close(started)
			if m.before == nil && m.after == nil && m.answer == nil {
				time.Sleep(m.wait)
				victim.kill()
			}
			select {
			case <-victim.ended:
			case <-time.After(waitLimit):
				t.Fatalf("the moment never came; calls seen: %v\n%s", way.counts, victim.output.text())
			}
			killed := time.Now()
			atDeath := len(sim.effective())

			again := daemonIn(t, dir, env(sim.gate(t)))
			if !sim.arrives(t, time.Minute, crashWanted, crashScopes...) {
				t.Logf("the daemon:\n%s", again.output.text())
			}
			t.Logf("%d actions were accepted before the kill; converged %s after it", atDeath, time.Since(killed).Round(100*time.Millisecond))
			sim.onceEach(t)
			recorded(t, dir, env(sim.gate(t)), names(crashWanted))
			if code, err := again.end(syscall.SIGTERM); err != nil || code != "0" {
				t.Errorf("the daemon ended with %s (%v)\n%s", code, err, again.output.text())
			}
			verified(t, dir, env(sim.gate(t)))
			sim.onceEach(t)
		})
	}
}

// recorded waits until the record has the end of every action: of each name a
// row that says it was seen started or stopped.
func recorded(t *testing.T, dir string, env []string, names []string) {
	t.Helper()
	deadline := time.Now().Add(patience * waitLimit) // the end of a stop is looked for after three quarters of a minute
	for {
		out, err := runProcess(dir, env, "activity", "-o", "json", "--limit", "1000")
		var rows []struct {
			Name   string `json:"name"`
			Reason string `json:"reason"`
		}
		if err == nil {
			err = json.Unmarshal([]byte(out), &rows)
		}
		ended := map[string]bool{}
		for _, row := range rows {
			switch row.Reason {
			case "start-started", "stop-stopped":
				ended[row.Name] = true
			}
		}
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return ended[name] })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the record says nothing of the end of %q (%v):\n%s", missing, err, out)
			return
		}
		time.Sleep(time.Second)
	}
}

var chainHolds = regexp.MustCompile(`the chain holds`)

func verified(t *testing.T, dir string, env []string) {
	t.Helper()
	out, err := runProcess(dir, env, "activity", "verify")
	if err != nil || !chainHolds.MatchString(out) {
		t.Errorf("activity verify: %v\n%s", err, out)
	}
}
