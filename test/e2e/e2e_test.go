// Package e2e judges the program from outside, as the person does who runs it:
// a simulated AWS ("dayshift sim"), a configuration, the commands and their exit
// codes. What became of the fleet is asked of the simulated AWS itself, by the
// aws command line where there is one, never of Dayshift.
//
// # Scripts
//
// Every file testdata/scripts/NAME.txtar is a script of its own and runs in a
// directory of its own, beside the others. It begins with a sentence about the
// story it tells; then come commands, then the files they use. To add one, copy
// the script nearest to the story, and run it:
//
//	go test ./test/e2e -run TestScripts/NAME -v
//
// The commands are those of testscript (exec, cmp, stdout, stderr, grep, env …;
// `go doc github.com/rogpeppe/go-internal/testscript`), the program under test
// (dayshift …), and these:
//
//	sim [FLAGS…]               start a simulated AWS; $AWS_ENDPOINT_URL points at it afterwards
//	fleet FILE                 add a fleet file's content to it
//	faults [FILE]              replace the faults in force; none without FILE
//	pools FILE                 replace how much capacity there is, by zone and type
//	serve NAME [FLAGS…]        start the daemon NAME on a free port, wait until it listens; its address is $URL_NAME
//	end NAME SIGNAL CODE       send a signal to the daemon and expect its exit code ("killed" for SIGKILL)
//	clock NAME ZONE OFFSET     set $NAME to the HH:MM that it is in ZONE in OFFSET (-1h) from now
//	ahead BEGIN LEAD OFFSET    set $BEGIN and $LEAD so that a period with begintime $BEGIN and a
//	                           schedule with start_lead $LEAD begin OFFSET from now, to the second (UTC)
//	at NAME OFFSET [LAYOUT]    set $NAME to the instant OFFSET from now in UTC, as 2006-01-02T15:04:05 or in
//	                           another layout of Go's; "mon" in it is the weekday in lower case
//	fill FILE NEW              copy FILE with its $VARIABLES filled in
//	exits CODE PROGRAM ARGS…   run a program and expect this exit code; stdout and stderr then look at its output
//	same CODE NAME ARGS…       run dayshift ARGS on the store, and with the daemon NAME as --server and the key in
//	                           admin.key: exit code and answer have to be the same (see cmdSame). The
//	                           key has to be that of $PERSON, whom the store knows the one who asks as
//	person start|stop ACCOUNT REGION NAME…   somebody starts or stops instances (or databases) by name
//	until TIME REGEXP QUESTION…  ask again and again until the answer matches, which takes TIME at most
//	                           on a machine that does nothing else (see patience)
//
// Questions can stand alone too; stdout and cmp then look at the answer:
//
//	states ACCOUNT REGION      every instance and database: kind, name, state; one a line, sorted
//	judge ACCOUNT REGION       the same, asked by the aws command line
//	held ACCOUNT REGION        what capacity is reserved, asked by the aws command line: zone, type, state,
//	                           total, free; one a line, sorted
//	calls [FLAGS] [REGEXP]     calls that change something: account, region, action, names, how many a
//	                           reservation was to have, error; sorted. -new forgets them afterwards,
//	                           -reads shows those that only look; REGEXP chooses among the lines
//	get NAME PATH [FILE]       status and body of a page of the daemon NAME, asked with the key in FILE
//	log NAME                   what the daemon NAME logged
//	file PATH                  what a file of the story says
//	dayshift ARGS…             standard output and standard error
//
// A condition beside testscript's own: [root], for what holds back everybody but root.
//
// A script must not depend on the machine: no fixed port, no sleep where "until"
// will do, no time of day (clock and ahead make one), and names in files of the
// script alone. Time in the simulated AWS runs fast (sim --speed 60), so that states
// arrive in a moment; it is then ahead of the program's clock, which matters to
// nothing but launch times.
//
// # Stories in Go
//
// What has to kill a process at an exact moment, or count calls of several
// processes apart, is written in Go (crash_test.go, failover_test.go, punctual_test.go, store_test.go, watch_test.go): there the
// simulated AWS is in the test's own process, behind a gate that sees every call
// before and after it takes effect.
package e2e

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	_ "time/tzdata" // as the program: zones must be there on a machine without zoneinfo

	"github.com/rogpeppe/go-internal/testscript"

	"dayshift/internal/cli"
)

// sideBySide is how many stories run at once. Most of them wait, for a lease to
// end or a state to arrive, and need no processor while they do; with more of them
// the processes of a story wait for those of the others.
const sideBySide = 24

func TestMain(m *testing.M) {
	if !flag.Parsed() && filepath.Base(os.Args[0]) != "dayshift" {
		flag.Parse()
		chosen := false
		flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
		if !chosen {
			_ = flag.Set("test.parallel", strconv.Itoa(sideBySide)) // a number, and the flag exists
		}
	}
	testscript.Main(m, map[string]func(){
		"dayshift": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// inCI reports whether whatever a test needs has to be there.
func inCI() bool { return os.Getenv("DAYSHIFT_CI") != "" }

// slow are scripts that `go test -short` leaves out: they wait for real time to pass.
var slow = []string{"back-off", "daemon", "events", "failing-aws", "overrides", "reservations"}

func TestScripts(t *testing.T) {
	t.Parallel()
	if inCI() {
		if _, err := exec.LookPath("aws"); err != nil {
			t.Error("no aws command line on the PATH: in CI it has to be the judge")
		}
	}
	files, err := filepath.Glob("testdata/scripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if testing.Short() {
		files = slices.DeleteFunc(files, func(file string) bool {
			return slices.Contains(slow, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		})
	}
	testscript.Run(t, testscript.Params{
		Files:              files,
		RequireUniqueNames: true,
		Deadline:           scriptsEnd(t),
		Setup: func(env *testscript.Env) error {
			env.Vars = append(append(env.Vars, lonely(env.WorkDir)...), "PERSON="+somebody())
			env.Values[worldKey{}] = &world{daemons: map[string]*process{}}
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sim": cmdSim, "fleet": cmdFleet, "faults": cmdFaults, "pools": cmdPools, "serve": cmdServe, "same": cmdSame, "end": cmdEnd, "clock": cmdClock, "at": cmdAt, "ahead": cmdAhead,
			"fill": cmdFill, "exits": cmdExits, "person": cmdPerson, "until": cmdUntil,
			"states": ask("states"), "judge": ask("judge"), "held": ask("held"), "calls": ask("calls"), "get": ask("get"), "log": ask("log"),
		},
	})
}

// scriptsEnd is when a script that hangs is ended: so long before the test is that the others' results are still seen.
func scriptsEnd(t *testing.T) time.Time {
	if end, limited := t.Deadline(); limited {
		return end.Add(-time.Minute)
	}
	return time.Time{}
}

// lonely is the whole environment of a process, but for PATH: nobody's
// credentials, configuration, proxy or zone are found, and no call leaves the machine.
func lonely(home string) []string {
	return []string{
		"HOME=" + home, "TZ=UTC", "LC_ALL=C.UTF-8", "PYTHONIOENCODING=utf-8",
		"AWS_ACCESS_KEY_ID=111122223333", "AWS_SECRET_ACCESS_KEY=any", "AWS_SESSION_TOKEN=",
		"AWS_ENDPOINT_URL=http://127.0.0.1:1", // nobody listens there: a script that forgot "sim" fails
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_PAGER=", "AWS_MAX_ATTEMPTS=2",
	}
}

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// world is what a script has started.
type world struct {
	endpoint string
	daemons  map[string]*process
	callsSeq int64 // calls up to this one are forgotten
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func environ(ts *testscript.TestScript) []string {
	names := []string{"PATH", "TMPDIR", "WORK"}
	for _, variable := range lonely("") {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	env := make([]string, 0, len(names))
	for _, name := range names {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

func positive(ts *testscript.TestScript, neg bool, command string, args []string, least int) {
	if neg {
		ts.Fatalf("! %s means nothing", command)
	}
	if len(args) < least {
		ts.Fatalf("%s: needs %d arguments, has %q", command, least, args)
	}
}

func cmdSim(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "sim", args, 0)
	p, err := startProcess(ts.MkAbs("."), environ(ts), append([]string{"sim", "--addr", "127.0.0.1:0"}, args...)...)
	ts.Check(err)
	ts.Defer(p.kill)
	line, err := p.waitFor(regexp.MustCompile(`(?m)^(http://\S+)$`))
	ts.Check(err)
	worldOf(ts).endpoint, worldOf(ts).callsSeq = line[1], 0
	ts.Setenv("AWS_ENDPOINT_URL", line[1])
}

func cmdFleet(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "fleet", args, 1)
	_, err := fetch("POST", worldOf(ts).endpoint+"/_sim/fleet", ts.ReadFile(args[0]))
	ts.Check(err)
}

func cmdFaults(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "faults", args, 0)
	list := "[]"
	if len(args) > 0 {
		list = ts.ReadFile(args[0])
	}
	_, err := fetch("PUT", worldOf(ts).endpoint+"/_sim/faults", list)
	ts.Check(err)
}

func cmdPools(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "pools", args, 1)
	_, err := fetch("PUT", worldOf(ts).endpoint+"/_sim/capacity", ts.ReadFile(args[0]))
	ts.Check(err)
}

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "serve", args, 1)
	p, err := startProcess(ts.MkAbs("."), environ(ts), append([]string{"serve", "--addr", "127.0.0.1:0"}, args[1:]...)...)
	ts.Check(err)
	ts.Defer(p.kill)
	line, err := p.waitFor(serving)
	ts.Check(err)
	p.url = line[1]
	worldOf(ts).daemons[args[0]] = p
	ts.Setenv("URL_"+args[0], p.url)
}

// serving is what the daemon logs once it listens.
var serving = regexp.MustCompile(`dayshift serves.* address=(http://\S+)`)

func daemonOf(ts *testscript.TestScript, name string) *process {
	p := worldOf(ts).daemons[name]
	if p == nil {
		ts.Fatalf("no daemon %q was started", name)
	}
	return p
}

func cmdEnd(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "end", args, 3)
	p := daemonOf(ts, args[0])
	signals := map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL}
	code, err := p.end(signals[args[1]])
	ts.Check(err)
	if code != args[2] {
		ts.Fatalf("%s ended with %s after %s, want %s\n%s", args[0], code, args[1], args[2], p.output.text())
	}
}

func cmdClock(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "clock", args, 3)
	zone, err := time.LoadLocation(args[1])
	ts.Check(err)
	offset, err := time.ParseDuration(args[2])
	ts.Check(err)
	ts.Setenv(args[0], time.Now().Add(offset).In(zone).Format("15:04"))
}

func cmdAt(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "at", args, 2)
	offset, err := time.ParseDuration(args[1])
	ts.Check(err)
	layout := "2006-01-02T15:04:05"
	if len(args) > 2 {
		layout = args[2]
	}
	at := time.Now().Add(offset).UTC()
	text := at.Format(layout)
	ts.Setenv(args[0], strings.ReplaceAll(text, "mon", strings.ToLower(at.Format("Mon"))))
}

func cmdAhead(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "ahead", args, 3)
	offset, err := time.ParseDuration(args[2])
	ts.Check(err)
	begin, lead := beginAt(time.Now().Add(offset))
	ts.Setenv(args[0], begin)
	ts.Setenv(args[1], lead)
}

// beginAt gives a begintime (UTC) and a start_lead that together begin a period
// at an instant, to the second that follows it.
func beginAt(at time.Time) (begin, lead string) {
	at = at.UTC().Add(time.Second - 1).Truncate(time.Second)
	minute := at.Add(time.Minute).Truncate(time.Minute)
	return minute.Format("15:04"), fmt.Sprintf("%.0fs", minute.Sub(at).Seconds())
}

func cmdFill(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "fill", args, 2)
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	// A new file in the place of the old one, as editors do it: nobody reads half of it.
	path := ts.MkAbs(args[1])
	ts.Check(os.WriteFile(path+".new", []byte(text), 0o600))
	ts.Check(os.Rename(path+".new", path))
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "exits", args, 2)
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func cmdPerson(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "person", args, 4)
	verb, aws := args[0], account{worldOf(ts).endpoint, args[1], args[2]}
	list, err := aws.list()
	ts.Check(err)
	for _, name := range args[3:] {
		i := slices.IndexFunc(list, func(t thing) bool { return t.name == name })
		if i < 0 {
			ts.Fatalf("person: there is no %s in %s, %s", name, args[1], args[2])
		}
		var err error
		switch {
		case verb != "start" && verb != "stop":
			ts.Fatalf("person: cannot %s", verb)
		case list[i].kind == "rds":
			_, err = aws.call("rds", map[string]string{"start": "StartDBInstance", "stop": "StopDBInstance"}[verb], "DBInstanceIdentifier", list[i].id)
		default:
			_, err = aws.call("ec2", map[string]string{"start": "StartInstances", "stop": "StopInstances"}[verb], "InstanceId.1", list[i].id)
		}
		ts.Check(err)
	}
	// What the person did has to be over before the story goes on.
	deadline := time.Now().Add(waitLimit)
	for {
		list, err := aws.list()
		ts.Check(err)
		moving := slices.ContainsFunc(list, func(t thing) bool { return slices.Contains(args[3:], t.name) && !t.settled() })
		if !moving {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("person: still under way: %v", list)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// question gives the text that answers it.
type question func(ts *testscript.TestScript, args []string) (string, error)

func questions() map[string]question {
	return map[string]question{
		"states": func(ts *testscript.TestScript, args []string) (string, error) {
			positive(ts, false, "states", args, 2)
			list, err := account{worldOf(ts).endpoint, args[0], args[1]}.list()
			return lines(list), err
		},
		"judge": func(ts *testscript.TestScript, args []string) (string, error) {
			positive(ts, false, "judge", args, 2)
			list, err := account{worldOf(ts).endpoint, args[0], args[1]}.judge(environ(ts))
			return lines(list), err
		},
		"held": func(ts *testscript.TestScript, args []string) (string, error) {
			positive(ts, false, "held", args, 2)
			return account{worldOf(ts).endpoint, args[0], args[1]}.held(environ(ts))
		},
		"calls": askCalls,
		"get": func(ts *testscript.TestScript, args []string) (string, error) {
			positive(ts, false, "get", args, 2)
			key := ""
			if len(args) > 2 {
				key = strings.TrimSpace(ts.ReadFile(args[2]))
			}
			return fetchWith(key, daemonOf(ts, args[0]).url+args[1])
		},
		"log": func(ts *testscript.TestScript, args []string) (string, error) {
			positive(ts, false, "log", args, 1)
			return daemonOf(ts, args[0]).output.text(), nil
		},
		"file": func(ts *testscript.TestScript, args []string) (string, error) {
			positive(ts, false, "file", args, 1)
			text, err := os.ReadFile(ts.MkAbs(args[0])) // not there yet is an answer to wait on
			return string(text), err
		},
		"dayshift": func(ts *testscript.TestScript, args []string) (string, error) {
			out, err := runProcess(ts.MkAbs("."), environ(ts), args...)
			if _, ok := errors.AsType[*exec.ExitError](err); ok {
				err = nil
			}
			return out, err
		},
	}
}

func askCalls(ts *testscript.TestScript, args []string) (string, error) {
	w := worldOf(ts)
	forget, reads := false, false
	for ; len(args) > 0 && strings.HasPrefix(args[0], "-"); args = args[1:] {
		switch args[0] {
		case "-new":
			forget = true
		case "-reads":
			reads = true
		default:
			return "", fmt.Errorf("calls: there is no %s", args[0])
		}
	}
	pattern, err := regexp.Compile(cmp.Or(strings.Join(args, " "), "."))
	if err != nil {
		return "", err
	}
	text, last, err := callsAfter(w.endpoint, w.callsSeq, pattern, reads)
	if forget {
		w.callsSeq = last
	}
	return text, err
}

// ask makes a command of a question.
func ask(name string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		positive(ts, neg, name, args, 0)
		text, err := questions()[name](ts, args)
		ts.Check(err)
		_, err = fmt.Fprint(ts.Stdout(), text)
		ts.Check(err)
	}
}

// patience is how many times longer a story may take than on a machine of its
// own, before it is called failed: machines of a CI are shared. How fast the
// product is, the benchmarks measure.
const patience = 4

func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "until", args, 3)
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	asked := questions()[args[2]]
	if asked == nil {
		ts.Fatalf("until: %s is not a question", args[2])
	}
	limit *= patience
	began := time.Now()
	for {
		text, err := asked(ts, args[3:])
		if err == nil && pattern.MatchString(text) {
			ts.Logf("after %s", time.Since(began).Round(time.Millisecond))
			_, err := fmt.Fprint(ts.Stdout(), text)
			ts.Check(err)
			return
		}
		if time.Since(began) > limit {
			ts.Fatalf("%s: no answer matches %q within %s; the last was (%v):\n%s", strings.Join(args[2:], " "), args[1], limit, err, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
