package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// workloadCommands are the commands of workloads beside those of every object.
func workloadCommands(c *common) []*cobra.Command {
	return []*cobra.Command{
		workloadStatusCommand(c), workloadRunsCommand(c),
		workloadAskCommand(c, workload.Start), workloadAskCommand(c, workload.Stop),
		workloadOrderCommand(c, "cancel"), workloadOrderCommand(c, "resume"),
	}
}

func workloadStatusCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show how workloads stand, and how far a run is",
		Long: `Without NAME every workload: what is wanted of it, how its last run left it, and
the run that is under way. With NAME the timeline of its run as well: each tier,
each member, and what it waits for.`,
		Example:           "  dayshift workload status\n  dayshift workload status shop",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.objectNames(store.WorkloadObject),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			if len(args) == 0 {
				all, err := a.Workloads(cmd.Context())
				if err != nil {
					return refused(err)
				}
				return write(cmd.OutOrStdout(), c.output, all, func() table { return workloadTable(all.Workloads) })
			}
			status, err := a.WorkloadStatus(cmd.Context(), args[0])
			if err != nil {
				return refused(err)
			}
			if c.output == "table" {
				return workloadText(cmd.OutOrStdout(), &status)
			}
			return write(cmd.OutOrStdout(), c.output, status, func() table { return timelineTable(status.Timeline) })
		},
	}
}

func workloadRunsCommand(c *common) *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use:               "runs NAME",
		Short:             "List the runs of a workload, the newest first",
		Example:           "  dayshift workload runs shop --limit 5",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.objectNames(store.WorkloadObject),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if limit < 1 || limit > 100 {
				return usage("--limit %d is not from 1 to 100", limit)
			}
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			runs, err := a.WorkloadRuns(cmd.Context(), args[0], limit)
			if err != nil {
				return refused(err)
			}
			return write(cmd.OutOrStdout(), c.output, runs, func() table {
				t := table{columns: []string{"RUN", "DIRECTION", "BEGAN", "ENDED", "STATUS", "BY", "WHY"}, empty: "There was no run yet."}
				for i := range runs.Runs {
					r := &runs.Runs[i]
					t.add(r.ID, r.Direction, orNever(r.Began), orNever(r.Ended), r.Status, r.By, r.Why.String())
				}
				return t
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many, from 1 to 100")
	return cmd
}

// workloadAskCommand is `workload start NAME` or `workload stop NAME`.
func workloadAskCommand(c *common, direction workload.Direction) *cobra.Command {
	var request service.WorkloadRequest
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   string(direction) + " NAME",
		Short: map[workload.Direction]string{workload.Start: "Start a workload, tier by tier", workload.Stop: "Stop a workload, tier by tier"}[direction],
		Long: map[workload.Direction]string{
			workload.Start: `Begins a start at once, whatever the workload's schedule wants: each tier begins when
those before it are healthy. The dayshift at work carries it out, also when this
command has ended; a schedule acts again at its own next boundary.`,
			workload.Stop: `Begins a stop at once, whatever the workload's schedule wants: each tier begins when
those before it have stopped. What is in use is asked for first, and stays. The
dayshift at work carries it out, also when this command has ended.`,
		}[direction],
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.objectNames(store.WorkloadObject),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, changing(request.DryRun))
			if err != nil {
				return err
			}
			defer closing(a, &err)
			request.Workload = args[0]
			ask := a.StartWorkload
			if direction == workload.Stop {
				ask = a.StopWorkload
			}
			answer, err := ask(cmd.Context(), request)
			if err != nil {
				return refused(err)
			}
			return c.workloadAnswered(cmd, a, args[0], &answer, wait)
		},
	}
	cmd.Example = fmt.Sprintf("  dayshift workload %[1]s shop --dry-run\n  dayshift workload %[1]s shop --reason \"load test\" --wait 30m", direction)
	flags := cmd.Flags()
	if direction == workload.Start {
		flags.StringVar(&request.Profile, "profile", "", "the scaling profile; without it the workload's own")
	}
	flags.StringVar(&request.Reason, "reason", "", "why, for whoever reads the activity")
	flags.BoolVar(&request.DryRun, "dry-run", false, "say in which order, with which members, waits and vetoes, and change nothing")
	flags.DurationVar(&wait, "wait", 0, "follow the run for at most this long, and end as it ends")
	return cmd
}

// workloadOrderCommand is `workload cancel NAME` or `workload resume NAME`.
func workloadOrderCommand(c *common, action string) *cobra.Command {
	var order service.WorkloadOrder
	var mode string
	var wait time.Duration
	modes := make([]string, len(service.ResumeModes))
	for i, m := range service.ResumeModes {
		modes[i] = string(m)
	}
	cmd := &cobra.Command{
		Use:               action + " NAME",
		Short:             "Cancel the run of a workload that is under way",
		Long:              "What was begun ends, nothing else begins, and what was taken out of a load balancer\nis put back.",
		Example:           "  dayshift workload cancel shop",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.objectNames(store.WorkloadObject),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if action == "resume" && !slices.Contains(modes, mode) {
				return usage("--mode is %q; it is %s", mode, strings.Join(modes, ", "))
			}
			a, err := c.ask(cmd, toChange)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			order.Workload, order.Mode = args[0], service.ResumeMode(mode)
			ask := a.CancelWorkload
			if action == "resume" {
				ask = a.ResumeWorkload
			}
			answer, err := ask(cmd.Context(), order)
			if err != nil {
				return refused(err)
			}
			return c.workloadAnswered(cmd, a, args[0], &answer, wait)
		},
	}
	flags := cmd.Flags()
	if action == "resume" {
		cmd.Short = "Go on with the run of a workload that is held"
		cmd.Long = "retry: what failed is tried again. continue: the run goes on as if it had not\nfailed. undo: what the run has done is taken back, in the opposite order."
		cmd.Example = "  dayshift workload resume shop\n  dayshift workload resume shop --mode undo"
		flags.StringVar(&mode, "mode", string(service.ResumeRetry), strings.Join(modes, ", "))
		_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(modes, cobra.ShellCompDirectiveNoFileComp))
	}
	flags.StringVar(&order.Run, "run", "", "the run that is meant; when another is under way, nothing happens")
	flags.StringVar(&order.Reason, "reason", "", "why, for whoever reads the activity")
	flags.DurationVar(&wait, "wait", 0, "follow the run for at most this long, and end as it ends")
	return cmd
}

// workloadAnswered tells what became of a request, and follows the run where asked.
func (c *common) workloadAnswered(cmd *cobra.Command, a asker, name string, answer *service.WorkloadAnswer, wait time.Duration) error {
	out, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if c.output != "table" {
		if err := write(out, c.output, answer, func() table { return foresightTable(answer) }); err != nil {
			return err
		}
	} else if err := answerText(out, answer); err != nil {
		return err
	}
	if answer.DryRun {
		if answer.Plan != nil && len(answer.Plan.Gaps) > 0 {
			return &exitError{exitPartial, nil}
		}
		return nil
	}
	holder, err := a.AtWork(cmd.Context())
	if err != nil {
		return err
	}
	atWork(stderr, holder)
	if wait <= 0 {
		return nil
	}
	return followWorkload(cmd.Context(), stderr, a, name, answer.Run, wait)
}

func answerText(w io.Writer, answer *service.WorkloadAnswer) error {
	p := &page{w: w}
	if answer.Run != "" {
		p.line("%s (run %s)", plain(answer.Text.String()), plain(answer.Run))
	} else {
		p.line("%s", plain(answer.Text.String()))
	}
	if answer.Plan == nil || p.err != nil {
		return p.err
	}
	p.line("")
	for i := range answer.Plan.Tiers {
		t := &answer.Plan.Tiers[i]
		after := "begins at once"
		if len(t.After) > 0 {
			after = "after " + strings.Join(t.After, ", ")
		}
		p.line("%d. tier %s, %s", i+1, plain(t.Name), plain(after))
		for _, m := range t.Members {
			does := m.Does
			if m.To != "" {
				does += " to " + m.To
			}
			line := fmt.Sprintf("   %-8s %s (%s, %s)", does, m.Name, m.Ref, m.State)
			if why := reasonOf(m.Why, m.Detail); why != "" {
				line += ": " + why
			}
			p.line("%s", plain(line))
			for _, veto := range m.Vetoes {
				p.line("            speaks against it: %s", plain(veto.String()))
			}
		}
		for _, waits := range t.Waits {
			p.line("   waits    %s", plain(waits.String()))
		}
	}
	if answer.Plan.Usually > 0 {
		p.line("It usually takes %s.", time.Duration(answer.Plan.Usually*float64(time.Second)).Round(time.Second))
	}
	for _, gap := range answer.Plan.Gaps {
		p.line("not seen: %s", plain(gap.String()))
	}
	return p.err
}

func foresightTable(answer *service.WorkloadAnswer) table {
	t := table{columns: []string{"TIER", "AFTER", "DOES", "NAME", "RESOURCE", "STATE", "TO", "WHY"}}
	if answer.Plan == nil {
		return t
	}
	for _, tier := range answer.Plan.Tiers {
		for _, m := range tier.Members {
			t.add(tier.Name, strings.Join(tier.After, " "), m.Does, m.Name, m.Ref, m.State, m.To, say.Clauses(append([]say.Text{say.Raw(reasonOf(m.Why, m.Detail))}, m.Vetoes...)...).String())
		}
	}
	return t
}

func workloadTable(list []service.WorkloadView) table {
	t := table{columns: []string{"NAME", "STATE", "WANTED", "NEXT CHANGE", "RUN", "STATUS", "EXPECTED"}, empty: "There is no workload."}
	for i := range list {
		w := &list[i]
		next := "-"
		if w.Next != nil {
			next = orNever(w.Next.At)
		}
		state := w.State
		switch {
		case !w.Fault.Empty():
			state = "at fault: " + w.Fault.String()
		case !w.Enabled:
			state += " (off)"
		}
		run, status, expected := "-", "-", "-"
		if w.Run != nil {
			run, status, expected = w.Run.Direction+" "+w.Run.ID, w.Run.Status, orNever(w.Run.Expected)
		} else if w.Last != nil {
			status = "last: " + w.Last.Direction + " " + w.Last.Status
		}
		t.add(w.Name, state, w.Wanted, next, run, status, expected)
	}
	return t
}

func workloadText(w io.Writer, s *service.WorkloadStatus) error {
	p := &page{w: w}
	t := workloadTable([]service.WorkloadView{s.WorkloadView})
	p.table(t)
	if s.Override != nil {
		p.line("%s until %s by %s", s.Override.State, orNever(s.Override.Until), plain(s.Override.Author))
	}
	if s.Waiting != nil {
		p.line("waiting: %s by %s", s.Waiting.Asks, plain(s.Waiting.By))
	}
	r := s.Timeline
	if r == nil || p.err != nil {
		return p.err
	}
	p.line("")
	p.line("%s %s, begun %s by %s (%s): %s", r.Direction, r.ID, orNever(r.Began), plain(r.By), plain(r.Trigger), r.Status)
	if !r.Why.Empty() {
		p.line("  %s", plain(r.Why.String()))
	}
	if len(r.Can) > 0 {
		p.line("  it can be told: %s", strings.Join(r.Can, ", "))
	}
	p.line("")
	p.table(timelineTable(r))
	for _, e := range r.Exceptions {
		p.line("left: %s", plain(e.String()))
	}
	return p.err
}

// reasonOf is a reason with what is known more closely.
func reasonOf(why string, detail say.Text) string {
	return workload.Because(workload.Reason(why), detail).String()
}

// timelineTable has a line for each tier and below it one for each member.
func timelineTable(r *service.WorkloadRun) table {
	t := table{columns: []string{"TIER", "MEMBER", "STEP", "STATE", "SINCE", "WHY"}, empty: "There was no run yet."}
	if r == nil {
		return t
	}
	for i := range r.Tiers {
		tier := &r.Tiers[i]
		t.add(tier.Name, fmt.Sprintf("%d of %d", tier.Ready, len(tier.Members)), tier.Phase, "", orNever(tier.Began), reasonOf(tier.Why, tier.Detail))
		for j := range tier.Members {
			m := &tier.Members[j]
			step := m.Step
			if m.End != "" {
				step = m.End
			}
			t.add("", m.Name, step, m.State, orNever(m.Since), reasonOf(m.Why, m.Detail))
		}
	}
	return t
}

// workloadPoll is how often a run is looked at that is followed.
const workloadPoll = 2 * time.Second

// followWorkload tells of each change of a run until it is over, held, or wait has passed. A run that did not
// end well is an error; one that left something out, or is not over, is done in part.
func followWorkload(ctx context.Context, w io.Writer, a asker, name, id string, wait time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	told := map[string]string{}
	tell := func(what, how string) {
		if told[what] != how {
			told[what] = how
			_, _ = fmt.Fprintf(w, "%s: %s\n", plain(what), plain(how))
		}
	}
	for {
		status, err := a.WorkloadStatus(waiting, name)
		if err == nil && status.Timeline != nil && status.Timeline.ID == id {
			r := status.Timeline
			for i := range r.Tiers {
				tell("tier "+r.Tiers[i].Name, r.Tiers[i].Phase)
			}
			tell(r.Direction+" of "+name, r.Status)
			switch workload.Status(r.Status) {
			case workload.StatusDone:
				return nil
			case workload.StatusExceptions:
				return &exitError{exitPartial, nil}
			case workload.StatusFailed, workload.StatusCancelled, workload.StatusUndone, workload.StatusHeld:
				return fmt.Errorf("the %s of %s is %s: %s", r.Direction, name, r.Status, r.Why)
			case workload.StatusRunning, workload.StatusCancelling, workload.StatusUndoing:
			}
		}
		if err != nil && waiting.Err() == nil {
			return refused(err)
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, _ = fmt.Fprintf(w, "it goes on; see `dayshift workload status %s`\n", plain(name))
			return &exitError{exitPartial, nil}
		case <-time.After(workloadPoll): //nolint:forbidigo // a look decides nothing
		}
	}
}
