package sqlstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// The test program becomes a writing process when it is started with these.
const (
	childPath  = "DAYSHIFT_TEST_STORE"
	childName  = "DAYSHIFT_TEST_NAME"
	childLease = "DAYSHIFT_TEST_LEASE" // set: write under a lease
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := writeForever(path, os.Getenv(childName), os.Getenv(childLease) != ""); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childMemories is how many memories a child saves at once.
const childMemories = 120

var childScope = fleet.Scope{Account: "111122223333", Region: "eu-west-1"}

// writeForever appends and saves, and says after each what was acknowledged:
// "a N" after N appends, "m N" after N saves, "o V" after version V of an object.
func writeForever(path, name string, leased bool) error {
	// The parent kills it long before; without a parent it ends by itself.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Open(ctx, path, Options{LockWait: 30 * time.Second})
	if err != nil {
		return err
	}
	var lease store.Lease
	if leased {
		if lease, err = acquireSoon(ctx, s, name, 300*time.Millisecond); err != nil {
			return err
		}
	}
	var version int64 // of the object that every child goes on changing
	objects, err := s.Objects(ctx)
	if err != nil {
		return err
	}
	for _, object := range objects {
		version = object.Version
	}
	fmt.Println("term", lease.Term)
	for n := 1; ctx.Err() == nil; n++ {
		rows := make([]store.Activity, 2)
		for i := range rows {
			rows[i] = store.Activity{At: time.Now(), Actor: name, Event: store.EventStarted, Reason: "test", Name: strconv.Itoa(n), Detail: strconv.FormatInt(lease.Term, 10)}
		}
		if err := s.Append(ctx, lease, rows); err != nil {
			return err
		}
		fmt.Println("a", n)
		if !leased {
			continue
		}
		memories := make([]decide.Memory, childMemories)
		for i := range memories {
			memories[i] = decide.Memory{
				Ref:      fleet.Ref{Scope: childScope, Kind: fleet.EC2Instance, ID: fmt.Sprintf("i-%03d", i)},
				Attempts: n,
			}
		}
		scopes := []decide.ScopeMemory{{Scope: childScope, Config: strconv.Itoa(n)}}
		if err := s.SaveChanges(ctx, lease, store.Changes{Memories: memories, Scopes: scopes}); err != nil {
			return err
		}
		fmt.Println("m", n)
		object := store.Object{Kind: store.RuleObject, Name: "wake", Version: version, Spec: fmt.Appendf(nil, "%d", version+1), Changed: time.Now()}
		saved, err := s.SaveObject(ctx, object, store.Activity{At: time.Now(), Actor: name, Event: store.EventObject})
		if err != nil {
			return err
		}
		version = saved.Version
		fmt.Println("o", version)
	}
	return ctx.Err()
}

// acquireSoon waits until the lease of another has ended.
func acquireSoon(ctx context.Context, s *Store, holder string, ttl time.Duration) (store.Lease, error) {
	for {
		lease, err := s.Acquire(ctx, "main", holder, time.Now(), ttl)
		if !errors.Is(err, store.ErrHeld) {
			return lease, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// child is a writing process and what it has acknowledged.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  map[string]int // the last number after each word
	fault string
}

func startChild(t *testing.T, path, name string, leased bool) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childPath+"="+path, childName+"="+name)
	if leased {
		cmd.Env = append(cmd.Env, childLease+"=yes")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, lines: bufio.NewScanner(out), said: map[string]int{}}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // gone already, where the test went well
		_ = cmd.Wait()
	})
	return c
}

// read takes one line and reports whether there was one.
func (c *child) read() bool {
	if !c.lines.Scan() {
		return false
	}
	word, rest, _ := strings.Cut(c.lines.Text(), " ")
	if n, err := strconv.Atoi(rest); err == nil {
		c.said[word] = n
	} else {
		c.fault = c.lines.Text()
	}
	return true
}

// until reads until the child has said the word with at least n.
func (c *child) until(t *testing.T, word string, n int) {
	t.Helper()
	for c.said[word] < n {
		if !c.read() || c.fault != "" {
			t.Fatalf("the writing process ended early: %s", c.fault)
		}
	}
}

// kill ends the process where it stands and reads what it had still said.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for c.read() {
	}
	if c.fault != "" {
		t.Errorf("the writing process: %s", c.fault)
	}
	if err := c.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the writing process was to be killed, it ended with %v", err)
	}
}

// Killed anywhere, the file opens, holds all that was acknowledged and nothing by half.
func TestKilledWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	rows, version := int64(0), int64(0)
	for round := range 6 {
		name := fmt.Sprintf("host-%d", round)
		c := startChild(t, path, name, true)
		c.until(t, "m", 1+round)
		time.Sleep(time.Duration(round*700) * time.Microsecond) // another point of the loop each time
		c.kill(t)

		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatalf("round %d: open after the kill: %v", round, err)
		}
		v, err := s.Verify(t.Context())
		if err != nil || v.BadAt != 0 {
			t.Fatalf("round %d: %+v, %v", round, v, err)
		}
		objects, err := s.Objects(t.Context())
		if err != nil || len(objects) > 1 {
			t.Fatalf("round %d: objects %+v, %v", round, objects, err)
		}
		before := version
		for _, object := range objects {
			version = object.Version
			if string(object.Spec) != strconv.FormatInt(version, 10) {
				t.Errorf("round %d: version %d of the object has the spec %s of another", round, version, object.Spec)
			}
		}
		if said := max(before, int64(c.said["o"])); version < said || version > said+1 {
			t.Errorf("round %d: version %d of the object, acknowledged was %d", round, version, said)
		}
		changes, err := s.Activity(t.Context(), store.ActivityQuery{Event: store.EventObject, Limit: 1 << 30})
		if revision, failed := s.Revision(t.Context()); err != nil || failed != nil || revision != version || int64(len(changes)) != version {
			t.Errorf("round %d: version %d, revision %d (%v), %d rows of changes (%v)", round, version, revision, failed, len(changes), err)
		}
		acknowledged := rows + 2*int64(c.said["a"])
		rows = v.Rows - version // what was appended, without the changes of the object
		if rows < acknowledged || rows > acknowledged+2 || rows%2 != 0 {
			t.Errorf("round %d: %d rows, %d were acknowledged", round, rows, acknowledged)
		}
		first, count := 0, 0
		err = s.AllMemories(t.Context(), func(m decide.Memory) error {
			if count == 0 {
				first = m.Attempts
			}
			if m.Attempts != first {
				t.Errorf("round %d: %s of save %d beside save %d: half a save was kept", round, m.Ref, m.Attempts, first)
			}
			count++
			return nil
		})
		if err != nil || count != childMemories || first < c.said["m"] || first > c.said["m"]+1 {
			t.Errorf("round %d: %d memories of save %d, acknowledged was %d (%v)", round, count, first, c.said["m"], err)
		}
		if m, err := s.ScopeMemory(t.Context(), childScope); err != nil || m.Config != strconv.Itoa(first) {
			t.Errorf("round %d: the scope is of save %s, the resources of save %d (%v)", round, m.Config, first, err)
		}
		if c.said["term"] != round+1 {
			t.Errorf("round %d: term %d, want %d", round, c.said["term"], round+1)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Two processes append at once; one is killed, the other never notices.
func TestTwoProcessesWriteOneIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	a, b := startChild(t, path, "host-a", false), startChild(t, path, "host-b", false)
	a.until(t, "a", 5)
	b.until(t, "a", 5)
	reader := openAt(t, path, Options{ReadOnly: true})
	if v, err := reader.Verify(t.Context()); err != nil || v.BadAt != 0 || v.Rows < 20 {
		t.Errorf("while both write: %+v, %v", v, err)
	}
	a.kill(t)
	b.until(t, "a", b.said["a"]+5)
	b.kill(t)
	s := openAt(t, path, Options{})
	v, err := s.Verify(t.Context())
	said := 2 * int64(a.said["a"]+b.said["a"])
	if err != nil || v.BadAt != 0 || v.Rows < said || v.Rows > said+4 {
		t.Errorf("%+v, %v, acknowledged were %d rows", v, err, said)
	}
}

// A successor in another process takes the lease over and fences its predecessor.
func TestTakeoverFencesTheOtherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	c := startChild(t, path, "host-a", true) // never renews
	c.until(t, "m", 1)
	s := openAt(t, path, Options{LockWait: 30 * time.Second})
	lease, err := acquireSoon(t.Context(), s, "host-b", time.Minute)
	if err != nil || lease.Term != 2 {
		t.Fatalf("take over: %+v, %v", lease, err)
	}
	for c.read() {
	}
	if !strings.Contains(c.fault, store.ErrFenced.Error()) || !strings.Contains(c.fault, "host-b") {
		t.Errorf("the predecessor ended with %q, want it fenced by host-b", c.fault)
	}
	v, err := s.Verify(t.Context())
	if said := 2*c.said["a"] + c.said["o"]; err != nil || v.BadAt != 0 || v.Rows != int64(said) {
		t.Errorf("%+v, %v, acknowledged were %d rows", v, err, said)
	}
}
