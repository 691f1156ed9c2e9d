package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/app"
	"dayshift/internal/capacity"
	"dayshift/internal/decide"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/store"
)

// runLine is one action in the answer of run.
type runLine struct {
	Action   string `json:"action"`
	Ref      string `json:"ref"`
	Name     string `json:"name"`
	Schedule string `json:"schedule"`
	Reason   string `json:"reason"`
	Why      string `json:"why"`
	// Status is planned (dry run), held, accepted, started, stopped, failed,
	// barred, skipped, deferred or uncertain.
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// runAnswer is the answer of run.
type runAnswer struct {
	Run       string    `json:"run,omitempty"`
	At        time.Time `json:"at"`
	DryRun    bool      `json:"dry_run"`
	Resources int       `json:"resources"`
	Started   int       `json:"started"`
	Stopped   int       `json:"stopped"`
	Failed    int       `json:"failed"`
	Deferred  int       `json:"deferred"` // not begun: the process was told to stop, or its time was over
	Held      int       `json:"held"`
	Actions   []runLine `json:"actions"`
	// Estimates are the actions for which AWS's request limits have no room at once.
	Estimates []runEstimate `json:"estimates"`
	Gaps      []string      `json:"gaps"`
	// Announced are the stops that were said beforehand: of new resources, and those
	// that people asked to be warned of.
	Announced []announcement `json:"announced"`
	// Reservations are what became of reserved capacity.
	Reservations []capacity.Outcome `json:"reservations,omitempty"`

	confirmed bool // what is held back is confirmed next
}

// runEstimate says how long AWS's request limits make some actions take.
type runEstimate struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Kind    string `json:"kind"`
	Action  string `json:"action"`
	Count   int    `json:"count"`
	Seconds int    `json:"seconds"` // until the last can be acted on
}

// announcement is one stop that was said beforehand.
type announcement struct {
	Ref    string    `json:"ref"`
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	StopAt time.Time `json:"stop_at"`
}

func runCommand(c *common) *cobra.Command {
	var dryRun, yes bool
	var at string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Make one pass now, then exit",
		Long: `Lists every account and region, decides on every scheduled resource, starts and
stops what has to be, and waits a little for it to arrive. Where AWS's request
limits make that take more than a minute it says so first.

Exit code 3 means that it was done in part: some scopes could not be listed or
some resources failed or were not begun; everything else was done.

While a daemon holds the lease of the store, it does the work and run is
refused; run --yes then hands it the confirmation of what it holds back.

With --server the pass is made there; run follows it to its end and tells what the
record has of it. --yes confirms what it held back.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			instantAt, err := c.instant(cmd, "at", at)
			if err != nil {
				return err
			}
			if at != "" && !dryRun {
				return usage("--at goes with --dry-run: what is done is done now")
			}
			server, err := c.serverOf(cmd)
			if err != nil {
				return err
			}
			if server != nil {
				if dryRun {
					return usage("--dry-run plans here, with the credentials of this machine: of a server ask dayshift resource list --differs, or dayshift preview")
				}
				return c.runThere(cmd, server, yes, wait)
			}
			access := app.Act
			if dryRun {
				access = app.Ask
			}
			a, err := c.open(cmd.Context(), cmd.ErrOrStderr(), access)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			var report pass.Report
			var outcomes []capacity.Outcome
			if dryRun {
				if report, err = a.DryRun(cmd.Context(), instantAt, yes); err == nil {
					outcomes, err = a.DryReservations(cmd.Context(), instantAt)
				}
			} else {
				report, err = a.Once(cmd.Context(), app.OnceOptions{
					Confirmed: yes, Wait: wait,
					Observe:  progress(cmd.ErrOrStderr(), c.output),
					Reserved: func(done []capacity.Outcome) { outcomes = done },
					Foreseen: func(estimates []pass.Estimate) {
						if c.output == "table" {
							foreseen(cmd.ErrOrStderr(), estimates)
						}
					},
					Waiting: func(held store.Lease) {
						_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "waiting: %s is at work on this store\n", held.Holder)
					},
				})
			}
			if yes && !dryRun && errors.Is(err, store.ErrHeld) {
				if err := a.Confirm(cmd.Context(), person()); err != nil {
					return fmt.Errorf("confirm what is held back: %w", err)
				}
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "confirmed: the dayshift that is at work on this store does what it holds back within seconds; see `dayshift activity`")
				return nil
			}
			if err != nil {
				return err
			}
			answer := runLines(&report, dryRun)
			answer.Reservations = outcomes
			if err := write(cmd.OutOrStdout(), c.output, answer, func() table { return runTable(&answer) }); err != nil {
				return err
			}
			if dryRun {
				foreseen(cmd.ErrOrStderr(), report.Estimates)
			}
			runSummary(cmd.ErrOrStderr(), &answer)
			unseen := reserved(cmd.ErrOrStderr(), c.output, outcomes)
			if unseen || len(answer.Gaps) > 0 || answer.Failed > 0 || answer.Deferred > 0 {
				return &exitError{exitPartial, nil}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "decide and plan, but change nothing")
	cmd.Flags().StringVar(&at, "at", "", "with --dry-run: decide as if it were this time")
	cmd.Flags().BoolVar(&yes, "yes", false, "confirm what the limits of the configuration would hold back")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait until what was started and stopped has arrived; 0 to return at once")
	return cmd
}

// person names who runs the command, for the record.
func person() string {
	name := "somebody"
	if current, err := user.Current(); err == nil && current.Username != "" {
		name = current.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// foreseen says what will take more than a minute.
func foreseen(w io.Writer, estimates []pass.Estimate) {
	for _, e := range pass.Long(estimates) {
		_, _ = fmt.Fprintln(w, plain(e.String()))
	}
}

// reserved says what became of reservations, and reports whether one could not be looked after.
func reserved(w io.Writer, format string, outcomes []capacity.Outcome) (failed bool) {
	for i := range outcomes {
		o := &outcomes[i]
		failed = failed || o.Error != ""
		if format != "table" {
			continue
		}
		_, _ = fmt.Fprintf(w, "reservation %s: %d wanted, %d held (%s)\n", plain(o.Name), o.Wanted, o.Held, o.Why)
		for _, did := range o.Did {
			_, _ = fmt.Fprintln(w, "  "+plain(did))
		}
		if o.Text != "" && len(o.Did) == 0 {
			_, _ = fmt.Fprintln(w, "  "+plain(o.Text))
		}
	}
	return failed
}

// progress says on standard error what happens while a pass is paced.
func progress(w io.Writer, format string) func([]plan.Outcome) {
	if format != "table" {
		return nil
	}
	var mu sync.Mutex // outcomes of several scopes come at once
	return func(outcomes []plan.Outcome) {
		counts := map[string]int{}
		for i := range outcomes {
			o := &outcomes[i]
			counts[fmt.Sprintf("%s: %s %s", o.Action.Resource.Scope, o.Action.Verb, o.Status)]++
		}
		mu.Lock()
		defer mu.Unlock()
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			_, _ = fmt.Fprintf(w, "%s: %d\n", what, counts[what])
		}
	}
}

func runLines(report *pass.Report, dryRun bool) runAnswer {
	answer := runAnswer{Run: report.Run.ID, At: report.At, DryRun: dryRun, Resources: len(report.Decisions), Actions: []runLine{}, Estimates: []runEstimate{}, Gaps: []string{}, Announced: []announcement{}}
	for i := range report.Decisions {
		d := &report.Decisions[i]
		for _, notice := range []*decide.Notice{d.Announce, d.Warn} {
			if notice != nil {
				answer.Announced = append(answer.Announced, announcement{d.Resource.Ref.String(), d.Resource.Name, string(d.Reason), notice.StopAt.UTC()})
			}
		}
	}
	for _, gap := range report.Gaps {
		answer.Gaps = append(answer.Gaps, gap.String())
	}
	for _, e := range report.Estimates {
		if e.Takes > 0 {
			answer.Estimates = append(answer.Estimates, runEstimate{
				string(e.Scope.Account), string(e.Scope.Region), string(e.Kind), string(e.Verb), e.Count, int(e.Takes.Round(time.Second).Seconds()),
			})
		}
	}
	line := func(d *decide.Decision, status, detail string) runLine {
		return runLine{
			Action: string(d.Verb), Ref: d.Resource.Ref.String(), Name: d.Resource.Name, Schedule: d.Schedule,
			Reason: string(d.Reason), Why: d.Reason.Sentence(), Status: status, Detail: detail,
		}
	}
	add := func(l runLine) {
		answer.Actions = append(answer.Actions, l)
	}
	if dryRun {
		for i := range report.Plan.Actions {
			add(line(&report.Plan.Actions[i].Decision, "planned", ""))
		}
	}
	for i := range report.Outcomes {
		outcome := &report.Outcomes[i]
		detail := outcome.Note
		if outcome.Err != nil {
			detail = strings.TrimSuffix(outcome.Err.Error()+"; "+outcome.Note, "; ")
		}
		add(line(&outcome.Action.Decision, string(outcome.Status), detail))
	}
	for i := range report.Plan.Held {
		add(line(&report.Plan.Held[i].Decision, "held", report.Plan.Held[i].Sentence()))
	}
	// A resource can have two lines: it was stopped to change its type, and started.
	accepted := map[[2]string]*runLine{}
	for i := range answer.Actions {
		if l := &answer.Actions[i]; l.Status == string(plan.Accepted) {
			accepted[[2]string{l.Ref, l.Action}] = l
		}
	}
	for _, settled := range report.Settled {
		if l := accepted[[2]string{settled.Resource.Ref.String(), string(settled.Verb)}]; l != nil {
			l.Status, l.Detail = string(settled.Ended), cmp.Or(settled.Why, l.Detail)
		}
	}
	for i := range answer.Actions {
		l := &answer.Actions[i]
		switch l.Status {
		case string(plan.Failed), string(plan.Uncertain):
			answer.Failed++
		case string(plan.Deferred):
			answer.Deferred++
		case "held":
			answer.Held++
		case string(plan.Accepted), string(decide.Started), string(decide.HasStopped):
			if l.Action == "start" {
				answer.Started++
			} else {
				answer.Stopped++
			}
		}
	}
	slices.SortStableFunc(answer.Actions, func(a, b runLine) int { return cmp.Compare(a.Ref, b.Ref) })
	return answer
}

func runTable(answer *runAnswer) table {
	t := table{columns: []string{"ACTION", "STATUS", "NAME", "RESOURCE", "SCHEDULE", "WHY"}, empty: "Nothing to do."}
	for _, l := range answer.Actions {
		why := l.Why
		if l.Detail != "" {
			why += ": " + l.Detail
		}
		t.add(l.Action, l.Status, l.Name, l.Ref, l.Schedule, why)
	}
	return t
}

func runSummary(w io.Writer, answer *runAnswer) {
	for _, gap := range answer.Gaps {
		_, _ = fmt.Fprintln(w, "gap: "+plain(gap))
	}
	for _, a := range answer.Announced {
		_, _ = fmt.Fprintf(w, "announced: %s will be stopped at %s (%s)\n", plain(a.Name+" "+a.Ref), a.StopAt.Format(time.RFC3339), a.Reason)
	}
	what := "done"
	if answer.DryRun {
		what = "dry run for " + answer.At.UTC().Format(time.RFC3339)
		_, _ = fmt.Fprintf(w, "%s: %d resources seen, %d actions planned, %d held back, %d gaps\n", what, answer.Resources, len(answer.Actions)-answer.Held, answer.Held, len(answer.Gaps))
		return
	}
	_, _ = fmt.Fprintf(w, "%s: %d resources seen, %d started, %d stopped, %d failed, %d held back, %d gaps\n",
		what, answer.Resources, answer.Started, answer.Stopped, answer.Failed, answer.Held, len(answer.Gaps))
	if answer.Deferred > 0 {
		_, _ = fmt.Fprintf(w, "not begun: %d; the next run decides on them anew\n", answer.Deferred)
	}
	if answer.Held > 0 && !answer.confirmed {
		_, _ = fmt.Fprintln(w, "held back: a limit of the configuration keeps these stops until they are confirmed; if they are meant, repeat with --yes")
	}
}
