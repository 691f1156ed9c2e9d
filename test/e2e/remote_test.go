package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// somebody is the name that the record has of who runs a command without a server.
func somebody() string {
	name := "somebody"
	if current, err := user.Current(); err == nil {
		name = cmp.Or(current.Username, name)
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// sameLimit is how long a question may be answered differently: what one process
// changed, the other has to see first.
const sameLimit = 15 * time.Second

// said is what a command said, as far as it can be the same.
type said struct{ code, stdout, stderr string }

func (s said) String() string {
	return fmt.Sprintf("exit code %s\nstdout:\n%s\nstderr:\n%s", s.code, s.stdout, s.stderr)
}

var (
	instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`)
	holders  = regexp.MustCompile(`\([^()]* process \d+ started [^()]*\)|\(127\.0\.0\.1:\d+\)|"at_work": "[^"]+"`)
	keyed    = regexp.MustCompile(` \(key:[0-9A-Za-z]{8}\)`)
	ids      = regexp.MustCompile(`\bo-\d{8}T[0-9a-zA-Z.-]+|\bo-[0-9a-f-]{8,}`)
)

// cmdSame runs a command on the store and with the server, and compares what
// both say and how they end; the words of an error may differ. A % in an argument is "anna" for the one and "otto"
// for the other, so that each makes something of its own; without one it is a
// question, which may be asked until the answers are the same.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg, "same", args, 3)
	code, server := args[0], daemonOf(ts, args[1]).url
	changes := strings.Contains(strings.Join(args[2:], " "), "%")
	run := func(name string, more ...string) said {
		words := append([]string{}, more...)
		for _, arg := range args[2:] {
			words = append(words, strings.ReplaceAll(arg, "%", name))
		}
		err := ts.Exec("dayshift", words...)
		answer := said{code: "0"}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			answer.code = fmt.Sprint(exit.ExitCode())
		} else {
			ts.Check(err)
		}
		now := time.Now().UTC()
		like := func(text string) string {
			text = holders.ReplaceAllString(text, "(WHO)")
			text = keyed.ReplaceAllString(text, "") // through a server the record names the key as well
			text = ids.ReplaceAllString(text, "ID")
			text = instants.ReplaceAllStringFunc(text, func(at string) string {
				instant, err := time.Parse(time.RFC3339, at)
				if err != nil {
					instant, err = time.Parse("Mon 2006-01-02 15:04:05 MST", at)
				}
				if err == nil && now.Sub(instant).Abs() < 5*time.Minute {
					return "NOW"
				}
				if err == nil && instant.Sub(now.AddDate(0, 0, 7)).Abs() < 5*time.Minute { // how far an effect looks ahead
					return "WEEK"
				}
				return at
			})
			text = strings.ReplaceAll(text, "    \"seen\": \"NOW\",\n", "") // a server may know the fleet without looking
			return strings.ReplaceAll(text, name, "%")
		}
		if !changes {
			name = "%"
		}
		if answer.code == "1" || answer.code == "2" { // a refusal is in the words of who refuses
			if answer.stderr = "refused"; ts.ReadFile("stderr") == "" {
				answer.stderr = "nothing"
			}
			answer.stdout = like(ts.ReadFile("stdout"))
			return answer
		}
		answer.stdout, answer.stderr = like(ts.ReadFile("stdout")), like(ts.ReadFile("stderr"))
		return answer
	}
	began := time.Now()
	for {
		here := run("anna")
		there := run("otto", "--server", server, "--api-key", "file:"+ts.MkAbs("admin.key"))
		if here == there && here.code == code {
			return
		}
		if changes || time.Since(began) > sameLimit*patience {
			ts.Fatalf("dayshift %s: want exit code %s, got %s without a server and %s with one (-without +with):\n%s", strings.Join(args[2:], " "), code, here.code, there.code, gocmp.Diff(here.String(), there.String()))
		}
		time.Sleep(250 * time.Millisecond)
	}
}
