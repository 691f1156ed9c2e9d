package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// role asks a daemon what it is: leader or standby.
func role(t *testing.T, p *process) string {
	t.Helper()
	page, err := fetchAny(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"leader", "standby"} {
		if strings.Contains(page, `"role":"`+role+`"`) {
			return role
		}
	}
	t.Fatalf("no role in %s", page)
	return ""
}

// becomes waits until the daemon has the role and says how long that took.
func becomes(t *testing.T, p *process, want string, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for role(t, p) != want {
		if time.Since(began) > limit {
			t.Fatalf("not %s within %s:\n%s", want, limit, p.output.text())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// takeOver is how long a standby may need after the leader died: the lease (15
// s), the second between its questions, and room for a busy machine.
const takeOver = 22 * time.Second

// enforcedConfig keeps everything running, whatever anybody does, and looks every ten seconds.
const enforcedConfig = `
resync_interval: 10s
tags: {last_action: false, error: false}
accounts:
  - {id: "111122223333", regions: [eu-west-1]}
  - {id: "444455556666", role: "arn:aws:iam::444455556666:role/dayshift", regions: [us-east-1]}
schedules:
  "on": {override_status: running, enforced: true}
  "off": {override_status: stopped, new_resource_grace: 0s}
`

func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a lease to end")
	}
	sim := newGated(t, crashFleet())
	dir, env := workplace(t, enforcedConfig)
	way, otherWay := sim.gate(t), sim.gate(t)
	acting := daemonIn(t, dir, env(way))
	becomes(t, acting, "leader", waitLimit)
	waiting := daemonIn(t, dir, env(otherWay))
	if !sim.arrives(t, waitLimit, crashWanted, crashScopes...) {
		t.Logf("%s", acting.output.text())
	}
	if got := role(t, waiting); got != "standby" {
		t.Errorf("the second daemon is %s, want standby", got)
	}
	if n := otherWay.total(); n != 0 {
		t.Errorf("the standby made %d calls", n)
	}

	acting.kill()
	took := becomes(t, waiting, "leader", takeOver)
	t.Logf("the standby took over %s after the kill", took.Round(100*time.Millisecond))

	// It does the work: what somebody stops is started again.
	byHand := account{sim.gate(t).url, "444455556666", "us-east-1"}
	list, err := byHand.list()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := byHand.call("ec2", "StopInstances", "InstanceId.1", list[0].id); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	time.Sleep(time.Second) // longer than it takes to stop
	if sim.arrives(t, waitLimit, crashWanted, crashScopes...) {
		t.Logf("undone %s later", time.Since(stopped).Round(100*time.Millisecond))
	}
	if code, err := waiting.end(syscall.SIGTERM); err != nil || code != "0" {
		t.Errorf("the daemon ended with %s (%v)", code, err)
	}
	verified(t, dir, env(way))
}

// TestHandOver: a daemon that is told to stop gives its lease up, so the next need not wait for its end.
func TestHandOver(t *testing.T) {
	t.Parallel()
	sim := newGated(t, crashFleet())
	dir, env := workplace(t, crashConfig)
	first := daemonIn(t, dir, env(sim.gate(t)))
	becomes(t, first, "leader", waitLimit)
	second := daemonIn(t, dir, env(sim.gate(t)))
	if code, err := first.end(syscall.SIGTERM); err != nil || code != "0" {
		t.Errorf("the first ended with %s (%v)\n%s", code, err, first.output.text())
	}
	if took := becomes(t, second, "leader", waitLimit); took > 10*time.Second {
		t.Errorf("the second took over only after %s: the first did not give up its lease", took)
	}
	sim.arrives(t, waitLimit, crashWanted, crashScopes...)
	sim.onceEach(t)
}

// TestPausedAndWoken pauses the process that acts for longer than its lease
// lasts, in the middle of a pass. When it goes on, another has taken over: it
// may not change a single thing more. (A listing that was on its way when the
// process was paused may still be sent.)
func TestPausedAndWoken(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a lease to end")
	}
	for name, moment := range map[string]passage{
		"while it lists":              {action: "DescribeInstances", nth: 1},
		"while it starts instances":   {action: "StartInstances", nth: 1},
		"while it starts a database":  {action: "StartDBInstance", nth: 1},
		"when a database was started": {action: "StartDBInstance", nth: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := newGated(t, crashFleet())
			dir, env := workplace(t, strings.ReplaceAll(enforcedConfig, ", enforced: true", ""))
			way, otherWay := sim.gate(t), sim.gate(t)
			reached, release := make(chan struct{}), make(chan struct{})
			var there atomic.Bool
			way.applied = func(p passage) bool {
				if p.action == moment.action && p.nth == moment.nth {
					there.Store(true)
					close(reached)
				}
				if there.Load() { // what follows at once waits as well
					<-release
				}
				return true
			}
			paused := daemonIn(t, dir, env(way))
			select {
			case <-reached:
			case <-time.After(waitLimit):
				close(release)
				t.Fatalf("never reached %s:\n%s", moment.action, paused.output.text())
			}
			time.Sleep(time.Second) // a call that is permitted and not sent yet is beyond any program's reach: none is left
			pause(t, paused, filepath.Join(dir, "dayshift.db"))
			other := daemonIn(t, dir, env(otherWay))
			took := becomes(t, other, "leader", takeOver)
			t.Logf("the other took over %s after the pause", took.Round(100*time.Millisecond))
			close(release) // the answer lies ready when it wakes
			time.Sleep(200 * time.Millisecond)
			woken := time.Now()
			if err := paused.signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if got := role(t, paused); got != "standby" {
				t.Errorf("the woken process says that it is %s", got)
			}
			sim.arrives(t, time.Minute, crashWanted, crashScopes...)
			if n := way.changesSince(woken); n != 0 {
				t.Errorf("the paused process made %d calls that change something after it was woken:\n%s", n, paused.output.text())
			}
			sim.onceEach(t)
			recorded(t, dir, env(otherWay), names(crashWanted))
			for _, p := range []*process{paused, other} {
				if code, err := p.end(syscall.SIGTERM); err != nil || code != "0" {
					t.Errorf("ended with %s (%v)\n%s", code, err, p.output.text())
				}
			}
			verified(t, dir, env(otherWay))
		})
	}
}

// pause stops a process between its writes: one that is stopped in the middle of
// a write keeps the database locked, and nobody else can act until it goes on.
func pause(t *testing.T, p *process, database string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE") // now nobody else writes
	if err == nil {
		err = p.signal(syscall.SIGSTOP)
		time.Sleep(50 * time.Millisecond) // until the signal has arrived on a busy machine
		_, end := conn.ExecContext(t.Context(), "ROLLBACK")
		err = errors.Join(err, end)
	}
	if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDrain tells the daemon to stop while a call is under way: the call is
// waited for, its outcome recorded, nothing new begun.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(fmt.Sprint(signal), func(t *testing.T) {
			t.Parallel()
			sim := newGated(t, crashFleet())
			dir, env := workplace(t, crashConfig)
			way := sim.gate(t)
			reached := make(chan struct{})
			way.applied = func(p passage) bool {
				if p.action == "StartDBInstance" && p.nth == 1 {
					close(reached)
					time.Sleep(1500 * time.Millisecond)
				}
				return true
			}
			daemon := daemonIn(t, dir, env(way))
			select {
			case <-reached:
			case <-time.After(waitLimit):
				t.Fatalf("no database was started:\n%s", daemon.output.text())
			}
			time.Sleep(200 * time.Millisecond) // the calls of other lanes are over
			told := time.Now()
			code, err := daemon.end(signal)
			if err != nil || code != "0" {
				t.Errorf("ended with %s (%v)\n%s", code, err, daemon.output.text())
			}
			if took := time.Since(told); took < time.Second || took > 10*time.Second {
				t.Errorf("it took %s to end, want the 1.3 s that the call still needed, and little more", took)
			}
			if way.counts["StartDBInstance"] != 1 {
				t.Errorf("%d databases were started, want the one that was under way", way.counts["StartDBInstance"])
			}
			out, err := runProcess(dir, env(way), "activity", "--event", "start-accepted", "-o", "csv")
			if err != nil || strings.Count(out, "rds_instance") != 1 {
				t.Errorf("the outcome of the call under way is not in the record (%v):\n%s", err, out)
			}
			// The next process does the rest.
			again := daemonIn(t, dir, env(sim.gate(t)))
			sim.arrives(t, waitLimit, crashWanted, crashScopes...)
			recorded(t, dir, env(sim.gate(t)), names(crashWanted))
			sim.onceEach(t)
			again.kill()
			verified(t, dir, env(way))
		})
	}
}
