// Command bench measures the product and writes what it found into a document,
// with the command, the machine and the commit that the numbers belong to.
//
//	go run . [-only NAME,…] [-rounds N] [-time D] [-small] [-write FILE]
//	go run . -only million [-scopes N] [-profile FOLDER]
//
// It is a module of its own, so that what Dayshift is compared with stays out
// of the product's dependencies. A section is one file with one row in the list
// below: it gets a lab to measure with and returns the Markdown to show.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// section is one topic of the document.
type section struct {
	name  string // of the flag -only and of the markers in the document
	title string
	run   func(context.Context, *lab) (markdown string, err error)
	// how says how often and how long it was measured.
	how func(*lab) string
}

// sections are all of them, in the order of the document.
var sections = []section{
	{"calendar", "Evaluating a schedule", calendarSection, inRounds},
	{"pass", "A pass over 100,000 resources", passSection, passHow},
	{"million", "A million instances", millionSection, millionHow},
	{"store", "Writing to the store", storeSection, inRounds},
	{"telling", "Telling people", tellingSection, inRounds},
	{"lateness", "From a boundary to the first call", latenessSection, latenessHow},
	{"page", "The page and the API", pageSection, pageHow},
	{"calls", "Calls to AWS", callsSection, once},
	{"day", "Calls in a day", daySection, once},
	{"starts", "Many starts and stops at once", startsSection, once},
	{"neighbour", "Beside a neighbour", neighbourSection, once},
}

func main() {
	if played, code := playRole(); played {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := bench(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "run these `sections` alone: "+strings.Join(names(), ", "))
	write := flags.String("write", "", "put the results between their markers in this `file` instead of printing them")
	l := &lab{}
	flags.IntVar(&l.rounds, "rounds", 7, "how often each contestant is measured; medians need at least 5")
	flags.DurationVar(&l.time, "time", 500*time.Millisecond, "how long each measurement takes, about")
	flags.BoolVar(&l.small, "small", false, "fleets and waits of a size that only shows that it works")
	flags.IntVar(&l.scopes, "scopes", 0, "of the section million: only so many accounts and regions of 1,000 instances each, 10 regions to an account")
	flags.StringVar(&l.profile, "profile", "", "of the section million: write processor and heap profiles of the daemon into this `folder`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if l.rounds < 1 || l.time <= 0 {
		return errors.New("-rounds and -time have to be positive")
	}
	for _, s := range chosen {
		fmt.Fprintf(os.Stderr, "== %s\n", s.title)
		body, err := s.run(ctx, l)
		if err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
		text := fmt.Sprintf("## %s\n\n%s\n\n%s\n", s.title, strings.TrimSpace(body), provenance(ctx, s, l))
		if *write == "" {
			fmt.Println(text)
			continue
		}
		if err := replaceIn(*write, s.name, text); err != nil {
			return err
		}
	}
	return nil
}

func names() []string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return all
}

// choose returns the named sections, or all of them for an empty text.
func choose(only string) ([]section, error) {
	if only == "" {
		return sections, nil
	}
	var chosen []section
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(sections, func(s section) bool { return s.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("-only %q: there is no such section; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, sections[i])
	}
	return chosen, nil
}

func inRounds(l *lab) string {
	return fmt.Sprintf("%d rounds of about %s each", l.rounds, l.time)
}

// once is how sections are measured whose numbers are the same every time.
func once(*lab) string { return "counted once, the same in every run" }

// provenance says how to get the numbers again, and where these came from.
func provenance(ctx context.Context, s section, l *lab) string {
	commit := "an unknown commit"
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output(); err == nil {
		commit = "commit " + strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("Made by `make bench ARGS='-only %s'` on %s at %s: %s, %s/%s, %d cores (%s); %s.",
		s.name, time.Now().UTC().Format(time.DateOnly), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), s.how(l))
}

// processor names the model where the system tells it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "model unknown"
	}
	for line := range strings.Lines(string(info)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "model unknown"
}

// replaceIn puts text between the markers of a section, which are added at the end of the file when it has none.
func replaceIn(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	renewed, err := replace(string(old), name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	// A new file in the old one's place: a full disk must not leave half a document.
	temporary, err := os.CreateTemp(filepath.Dir(file), ".benchmarks-*")
	if err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already when all went well
	_, err = temporary.WriteString(renewed)
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return os.Rename(temporary.Name(), file)
}

func replace(document, name, text string) (string, error) {
	begin, end := "<!-- bench:"+name+" -->", "<!-- /bench:"+name+" -->"
	block := begin + "\n" + text + end
	before, rest, found := strings.Cut(document, begin)
	if !found {
		return strings.TrimRight(document, "\n") + "\n\n" + block + "\n", nil
	}
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("the marker %s is not followed by %s", begin, end)
	}
	return before + block + after, nil
}
