// Command testreport reads what `go test -json` writes and shows it as `go test`
// does: one line per package, and the whole output of what failed. Below that
// stand the skipped tests with their reasons, the failed ones, and the counts,
// subtests included.
//
//	go test -json ./... | testreport [-must PACKAGE.TEST …]
//
// It exits with 1 when a test or a build failed, when a package ended without a
// verdict, when no test ran, and when a test named by -must did not run or was
// skipped.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	var must []string
	flag.Func("must", "a `PACKAGE.TEST` that has to run and to pass; may be repeated", func(name string) error {
		must = append(must, name)
		return nil
	})
	flag.Parse()
	ok, err := report(os.Stdin, os.Stdout, must)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action      string
	ImportPath  string // of build-output and build-fail
	Package     string
	Test        string
	Output      string
	FailedBuild string
}

// testID names one test or subtest; an empty Test stands for the package itself.
type testID struct{ Package, Test string }

func (id testID) String() string {
	if id.Test == "" {
		return id.Package
	}
	return id.Package + "." + id.Test
}

// verdicts is what has been seen so far.
type verdicts struct {
	out     io.Writer
	output  map[testID]*strings.Builder // of tests that have not ended
	open    map[string]bool             // packages that have not ended
	passed  map[string]bool             // by PACKAGE.TEST
	failed  []string                    // in the order of their end
	skipped map[string]string           // test → reason
}

// report copies a run from in to out and tells whether all is well. The error
// is that of reading or writing; the report is then not to be trusted.
func report(in io.Reader, out io.Writer, must []string) (bool, error) {
	buffered := bufio.NewWriter(out)
	v := &verdicts{
		out: buffered, output: map[testID]*strings.Builder{}, open: map[string]bool{},
		passed: map[string]bool{}, skipped: map[string]string{},
	}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				fmt.Fprint(v.out, line) // the go command's own words
			} else if v.take(e) {
				if err := buffered.Flush(); err != nil {
					return false, err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read the run: %w", err)
		}
	}
	ok := v.close(must)
	return ok, buffered.Flush()
}

// take adds one event and tells whether something worth showing at once has ended.
func (v *verdicts) take(e event) (ended bool) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "start":
		v.open[e.Package] = true
	case "build-output":
		fmt.Fprint(v.out, e.Output)
	case "build-fail":
		return true
	case "run":
		v.output[id] = &strings.Builder{}
	case "output":
		switch b := v.output[id]; {
		case b != nil:
			b.WriteString(e.Output)
		case e.Test == "" && e.Output == "PASS\n": // the line with the package says it
		default:
			fmt.Fprint(v.out, e.Output)
		}
	case "pass", "bench":
		if e.Test != "" {
			v.passed[id.String()] = true
		}
		v.end(id)
	case "skip":
		if e.Test != "" {
			v.skipped[id.String()] = reasonOf(v.output[id])
		}
		v.end(id)
	case "fail":
		v.fail(id, e)
	}
	return e.Test == "" && (e.Action == "pass" || e.Action == "fail")
}

// fail shows what a failed test wrote. A package fails with its tests; it is
// counted itself only when nothing in it was: it did not build, or died.
func (v *verdicts) fail(id testID, e event) {
	if id.Test != "" {
		if b := v.output[id]; b != nil {
			fmt.Fprint(v.out, b)
		}
		v.failed = append(v.failed, id.String())
		v.end(id)
		return
	}
	v.abandon(id.Package)
	counted := slices.ContainsFunc(v.failed, func(name string) bool { return strings.HasPrefix(name, id.Package+".") })
	switch {
	case e.FailedBuild != "":
		v.failed = append(v.failed, id.String()+" (build of "+e.FailedBuild+")")
	case !counted:
		v.failed = append(v.failed, id.String()+" (outside its tests)")
	}
	v.end(id)
}

// abandon counts the tests of a package that never ended: the process died in one of them.
func (v *verdicts) abandon(pkg string) {
	for _, id := range slices.SortedFunc(maps.Keys(v.output), func(a, b testID) int { return cmp.Compare(a.Test, b.Test) }) {
		if id.Package == pkg {
			fmt.Fprint(v.out, v.output[id])
			v.failed = append(v.failed, id.String()+" (did not end)")
			delete(v.output, id)
		}
	}
}

func (v *verdicts) end(id testID) {
	delete(v.output, id)
	if id.Test == "" {
		delete(v.open, id.Package)
	}
}

// close writes the summary and tells whether all is well.
func (v *verdicts) close(must []string) bool {
	for _, pkg := range slices.Sorted(maps.Keys(v.open)) {
		v.abandon(pkg)
		v.failed = append(v.failed, pkg+" (ended without a verdict)")
	}
	for _, name := range must {
		if !v.passed[name] {
			v.failed = append(v.failed, name+" (has to run here and did not pass)")
		}
	}
	if len(v.skipped) > 0 {
		fmt.Fprintln(v.out, "\nskipped:")
		for _, name := range slices.Sorted(maps.Keys(v.skipped)) {
			fmt.Fprintf(v.out, "  %s: %s\n", name, cmp.Or(v.skipped[name], "no reason given"))
		}
	}
	if len(v.failed) > 0 {
		fmt.Fprintln(v.out, "\nfailed:")
		for _, name := range v.failed {
			fmt.Fprintln(v.out, "  "+name)
		}
	}
	if len(v.passed)+len(v.failed)+len(v.skipped) == 0 {
		fmt.Fprintln(v.out, "no test ran")
	}
	fmt.Fprintf(v.out, "\n%d passed, %d failed, %d skipped\n", len(v.passed), len(v.failed), len(v.skipped))
	return len(v.failed) == 0 && len(v.passed) > 0
}

// reasonOf returns what a skipped test said, without the runner's own lines.
func reasonOf(b *strings.Builder) string {
	if b == nil {
		return ""
	}
	var said []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}
