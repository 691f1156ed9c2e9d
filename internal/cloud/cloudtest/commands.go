package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// CommanderHarness is what the test of an implementation of cloud.Commander offers.
type CommanderHarness struct {
	// Open makes a cloud that holds exactly the instances.
	Open func(t *testing.T, instances []Inside) CommanderWorld
	// Within is as in Harness.
	Within func(t *testing.T, body func(t *testing.T))
}

// Inside is an instance to be made, as commands meet it.
type Inside struct {
	Windows  bool
	Stopped  bool
	NoAgent  bool // there never was one
	Offline  bool // there is one, and it does not answer
	Files    []string
	Sessions int
	Scripts  []Script
}

// Script is how an instance answers scripts with a text in them. Others it answers
// with exit code 0 at once.
type Script struct {
	Contains string
	Exit     int
	Output   string
	Takes    time.Duration
}

// CommanderWorld is a cloud under examination.
type CommanderWorld struct {
	cloud.Commander
	Scope fleet.Scope
	IDs   []string
	Now   func() time.Time
	Pass  func(time.Duration)
	// Sent counts the commands that were really sent.
	Sent func() int
}

// ExerciseCommander examines an implementation of cloud.Commander.
func ExerciseCommander(t *testing.T, h CommanderHarness) {
	examine(t, h.Within, nil, func(t *testing.T) *commanderExam { return &commanderExam{T: t, CommanderHarness: h, ctx: t.Context()} }, []trial[commanderExam]{
		{"a command runs on each of its instances and ends as its script does", (*commanderExam).run},
		{"a command of a token is sent once", (*commanderExam).once},
		{"who cannot get a command is named and nothing is sent", (*commanderExam).unreachable},
		{"an agent that is silent ends in a time-out", (*commanderExam).silent},
		{"a script that does not end is ended", (*commanderExam).endless},
		{"a script for another platform fails", (*commanderExam).platform},
		{"a file is there, is not, or nobody knows", (*commanderExam).files},
		{"output is cut, not lost", (*commanderExam).output},
		{"fifty instances are one command, one more is refused", (*commanderExam).most},
		{"who has an agent that answers", (*commanderExam).reachable},
		{"sessions are counted", (*commanderExam).sessions},
		{"a command that does not exist is not found", (*commanderExam).unknown},
		{"what cannot be sent is invalid", (*commanderExam).invalid},
		{"what is not permitted is not sent", (*commanderExam).notPermitted},
	})
}

type commanderExam struct {
	*testing.T
	CommanderHarness
	CommanderWorld
	ctx context.Context
}

func (e *commanderExam) open(instances ...Inside) { e.CommanderWorld = e.Open(e.T, instances) }

// command is one with a minute's time.
func (e *commanderExam) command(lines ...string) cloud.Command {
	return cloud.Command{IDs: e.IDs, Lines: lines, Timeout: time.Minute, Token: "shop/web/1", Since: e.Now()}
}

func (e *commanderExam) send(c cloud.Command) string {
	e.Helper()
	id, err := e.Send(e.ctx, e.Scope, c)
	if err != nil || id == "" {
		e.Fatalf("send: %q, %v", id, err)
	}
	return id
}

// results are those of a command after a time, without what the provider says of them.
func (e *commanderExam) results(id string, after time.Duration) map[string]cloud.CommandResult {
	e.Helper()
	e.Pass(after)
	results, err := e.Results(e.ctx, e.Scope, id)
	if err != nil {
		e.Fatal(err)
	}
	for id, r := range results {
		if r.State == cloud.CommandFailed && r.Detail == "" {
			e.Errorf("%s failed and nobody knows why", id)
		}
		r.Detail = ""
		results[id] = r
	}
	return results
}

func (e *commanderExam) want(when string, got, want map[string]cloud.CommandResult) {
	e.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("%s: %s", when, diff)
	}
}

func (e *commanderExam) run() {
	e.open(Inside{}, Inside{Scripts: []Script{{Contains: "backup", Exit: 3, Output: "busy\n", Takes: 20 * time.Second}}})
	id := e.send(e.command("set -e", "backup --check"))
	e.want("at once", e.results(id, 0), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandPending}, e.IDs[1]: {State: cloud.CommandPending}})
	e.want("a little later", e.results(id, 10*time.Second), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandDone}, e.IDs[1]: {State: cloud.CommandPending}})
	e.want("in the end", e.results(id, 30*time.Second), map[string]cloud.CommandResult{
		e.IDs[0]: {State: cloud.CommandDone}, e.IDs[1]: {State: cloud.CommandDone, Exit: 3, Output: "busy\n"},
	})
}

func (e *commanderExam) once() {
	e.open(Inside{})
	began := e.command("true")
	first := e.send(began)
	e.Pass(time.Minute)
	if again := e.send(began); again != first || e.Sent() != 1 {
		e.Errorf("%s and %s, %d sent", first, again, e.Sent())
	}
	other := began
	other.Token = "shop/web/2"
	if second := e.send(other); second == first {
		e.Error("a command of another token is another one")
	}
	long := began
	long.Token = strings.Repeat("a long name ", 20)
	longer := long
	longer.Token += "2"
	third, fourth := e.send(long), e.send(longer)
	if third == fourth || e.send(long) != third || e.Sent() != 4 {
		e.Errorf("tokens that are long: %s %s, %d sent", third, fourth, e.Sent())
	}
}

func (e *commanderExam) unreachable() {
	e.open(Inside{}, Inside{Stopped: true}, Inside{NoAgent: true})
	_, err := e.Send(e.ctx, e.Scope, e.command("true"))
	var members *cloud.MemberError
	if want := slices.Sorted(slices.Values(e.IDs[1:])); !errors.As(err, &members) || !slices.Equal(members.IDs, want) || !errors.Is(err, cloud.ErrWrongState) {
		e.Errorf("two of three: %v", err)
	}
	if e.Sent() != 0 {
		e.Errorf("%d were sent", e.Sent())
	}
	rest := e.command("true")
	rest.IDs = e.IDs[:1]
	e.send(rest)
}

func (e *commanderExam) silent() {
	e.open(Inside{}, Inside{Offline: true})
	id := e.send(e.command("true"))
	e.want("within its time", e.results(id, 50*time.Second), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandDone}, e.IDs[1]: {State: cloud.CommandPending}})
	e.want("after", e.results(id, time.Minute), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandDone}, e.IDs[1]: {State: cloud.CommandFailed}})
}

func (e *commanderExam) endless() {
	e.open(Inside{Scripts: []Script{{Contains: "sleep", Takes: time.Hour}}})
	id := e.send(e.command("sleep 3600"))
	e.want("after its time", e.results(id, 3*time.Minute), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandFailed}})
}

func (e *commanderExam) platform() {
	e.open(Inside{Windows: true})
	c := e.command("true")
	id := e.send(c)
	e.want("a shell script on Windows", e.results(id, 3*time.Minute), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandFailed}})
	c.Windows, c.Token = true, "other"
	id = e.send(c)
	e.want("PowerShell", e.results(id, 30*time.Second), map[string]cloud.CommandResult{e.IDs[0]: {State: cloud.CommandDone}})
}

func (e *commanderExam) files() {
	strange := "/var/it's $(here) `and` \"there\""
	e.open(Inside{Files: []string{"/tmp/StopOverride", strange}}, Inside{}, Inside{Offline: true}, Inside{Windows: true, Files: []string{`C:\it's\Stop.txt`}})
	for i, test := range []struct {
		path    string
		on      int
		windows bool
		there   bool
		known   bool
	}{
		{"/tmp/StopOverride", 0, false, true, true},
		{"/tmp/StopOverride", 1, false, false, true},
		{"/tmp/StopOverride", 2, false, false, false},
		{"/tmp/StopOverride", 3, false, false, false}, // a shell script on Windows
		{strange, 0, false, true, true},
		{strange, 1, false, false, true},
		{`C:\it's\Stop.txt`, 3, true, true, true},
		{`C:\nothing`, 3, true, false, true},
	} {
		lines, err := cloud.FileTest(test.path, test.windows)
		if err != nil {
			e.Fatal(err)
		}
		c := e.command(lines...)
		c.IDs, c.Windows, c.Token = e.IDs[test.on:test.on+1], test.windows, fmt.Sprint("file ", i)
		result := e.results(e.send(c), 3*time.Minute)[e.IDs[test.on]]
		if there, known := cloud.FileThere(result); there != test.there || known != test.known {
			e.Errorf("%s on %d: %v %v: %+v", test.path, test.on, there, known, result)
		}
	}
}

func (e *commanderExam) output() {
	e.open(Inside{Scripts: []Script{{Contains: "cat", Exit: 1, Output: strings.Repeat("ä", 5000)}}})
	result := e.results(e.send(e.command("cat")), time.Minute)[e.IDs[0]]
	if n := len([]rune(result.Output)); result.Exit != 1 || n != 2500 {
		e.Errorf("exit %d, %d characters", result.Exit, n)
	}
}

func (e *commanderExam) most() {
	e.open(make([]Inside, cloud.CommandTargets+1)...)
	c := e.command("true")
	if _, err := e.Send(e.ctx, e.Scope, c); !errors.Is(err, cloud.ErrInvalid) {
		e.Errorf("one more: %v", err)
	}
	c.IDs = c.IDs[1:]
	if done := e.results(e.send(c), time.Minute); len(done) != cloud.CommandTargets {
		e.Errorf("%d of %d", len(done), cloud.CommandTargets)
	}
}

func (e *commanderExam) reachable() {
	instances := make([]Inside, 120) // more than two pages
	instances[3].Stopped, instances[70].Offline, instances[119].NoAgent = true, true, true
	e.open(instances...)
	got, err := e.Reachable(e.ctx, e.Scope, e.IDs)
	if err != nil || len(got) != len(e.IDs) {
		e.Fatalf("%d: %v", len(got), err)
	}
	for i, id := range e.IDs {
		if got[id] != (i != 3 && i != 70 && i != 119) {
			e.Errorf("%d: %v", i, got[id])
		}
	}
	if got, err := e.Reachable(e.ctx, e.Scope, nil); err != nil || len(got) != 0 {
		e.Errorf("nobody: %v %v", got, err)
	}
}

func (e *commanderExam) sessions() {
	e.open(Inside{Sessions: 1}, Inside{}, Inside{Sessions: 250}, Inside{Sessions: 2})
	for _, test := range []struct {
		ids  []string
		want map[string]int
	}{
		{e.IDs[:3], map[string]int{e.IDs[0]: 1, e.IDs[2]: 250}},
		{e.IDs[3:], map[string]int{e.IDs[3]: 2}},
		{e.IDs[1:2], map[string]int{}},
		{nil, map[string]int{}},
	} {
		got, err := e.Sessions(e.ctx, e.Scope, test.ids)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			e.Errorf("%v: %s %v", test.ids, diff, err)
		}
	}
}

func (e *commanderExam) unknown() {
	e.open(Inside{})
	if got, err := e.Results(e.ctx, e.Scope, "00000000-0000-4000-8000-000000000000"); !errors.Is(err, cloud.ErrNotFound) {
		e.Errorf("%v %v", got, err)
	}
}

func (e *commanderExam) invalid() {
	e.open(Inside{})
	good := e.command("true")
	for name, change := range map[string]func(*cloud.Command){
		"no instance":      func(c *cloud.Command) { c.IDs = nil },
		"no line":          func(c *cloud.Command) { c.Lines = nil },
		"too short a time": func(c *cloud.Command) { c.Timeout = time.Second },
		"too long a time":  func(c *cloud.Command) { c.Timeout = 49 * time.Hour },
		"a long script":    func(c *cloud.Command) { c.Lines = []string{strings.Repeat("x", 1<<20)} },
	} {
		c := good
		change(&c)
		if _, err := e.Send(e.ctx, e.Scope, c); !errors.Is(err, cloud.ErrInvalid) {
			e.Errorf("%s: %v", name, err)
		}
	}
	elsewhere := e.Scope
	elsewhere.Region = "sa-east-1"
	if _, err := e.Send(e.ctx, elsewhere, good); !errors.Is(err, cloud.ErrInvalid) {
		e.Errorf("another region: %v", err)
	}
	for _, path := range []string{"", "/tmp/a\nb", "/tmp/{{ssm:secret}}", "/tmp/\xff"} {
		if lines, err := cloud.FileTest(path, false); !errors.Is(err, cloud.ErrInvalid) {
			e.Errorf("test for %q: %q %v", path, lines, err)
		}
	}
	if e.Sent() != 0 {
		e.Errorf("%d were sent", e.Sent())
	}
}

func (e *commanderExam) notPermitted() {
	e.open(Inside{})
	asked := 0
	late := cloud.WithPermit(e.ctx, func() error {
		if asked++; asked > 1 { // the look whether it was sent is still in time
			return errors.New("the lease has ended")
		}
		return nil
	})
	if _, err := e.Send(late, e.Scope, e.command("true")); !errors.Is(err, cloud.ErrNotPermitted) {
		e.Errorf("send: %v", err)
	}
	if e.Sent() != 0 {
		e.Errorf("%d were sent", e.Sent())
	}
}
