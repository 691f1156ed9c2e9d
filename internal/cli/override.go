package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// targetHelp says what a target can be.
const targetHelp = `TARGET is a resource (ID, ARN, name or account/region/kind/id), the name of a schedule
or of a workload, or a filter such as tag:Env=dev,region=eu-*. Where a name could
mean several, write resource:NAME, schedule:NAME, workload:NAME or filter:TEXT.`

// endHelp says what an end can be.
const endHelp = `TIME is 2027-02-05T22:00+09:00, a distance such as +2h, a time of day such as 22:00
(the next such time in the zone of the target's schedule), or next: the next
instant at which the schedule wants the opposite.`

// forceCommand is start or stop.
func forceCommand(c *common, verb string, state calendar.State) *cobra.Command {
	var end endFlags
	var reason string
	var dryRun bool
	other := calendar.Stopped
	if state == calendar.Stopped {
		other = calendar.Running
	}
	cmd := &cobra.Command{
		Use:   verb + " TARGET",
		Short: fmt.Sprintf("Keep a resource, a schedule's resources, a workload or what a filter selects %s for a while", state),
		Long: fmt.Sprintf(`Makes an override: whatever the schedules say, the target is kept %s until
the override ends, and nobody's schedule is changed. Without an end it lasts
until the next instant at which the schedule wants it %s, and on a disabled
schedule until everything is %s. The newest override of the most specific target
counts. Protected resources are left alone. A workload goes as a whole, in its order:
a run brings it there, and no schedule or rule moves it until the override ends.
"dayshift workload %s" does it once, and leaves what comes next to its schedule.

%s

%s

The dayshift that is at work on the store acts within seconds; the answer says
whether one is.`, state, other, state, verb, targetHelp, endHelp),
		Example: fmt.Sprintf("  dayshift %s api-7 --for 2h --reason release\n  dayshift %s schedule:seoul-office --until 22:00 --dry-run\n  dayshift %s tag:Env=dev --until next\n  dayshift %s workload:shop --for 3h", verb, verb, verb, verb),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ending, err := end.read(c, cmd)
			if err != nil {
				return err
			}
			a, err := c.ask(cmd, changing(dryRun))
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.SetOverride(cmd.Context(), service.OverrideRequest{
				Target: args[0], State: state, End: ending, Reason: reason, DryRun: dryRun,
			})
			if err != nil {
				return asked(err)
			}
			return c.overridden(cmd, a, answer, "made")
		},
	}
	end.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record and for whoever asks")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would happen and change nothing")
	return cmd
}

// endFlags are --for and --until.
type endFlags struct{ length, until string }

func (e *endFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.length, "for", "", "how long from now, such as 90m, 2h or 1d")
	cmd.Flags().StringVar(&e.until, "until", "", "when it ends: a TIME, a time of day such as 22:00, +2h, or next")
}

func (e *endFlags) read(c *common, cmd *cobra.Command) (end service.End, err error) {
	switch {
	case e.length != "" && e.until != "":
		return end, usage("--for and --until: give one of them")
	case e.length != "":
		length, err := config.ParseDuration(e.length)
		if err != nil {
			return end, usage("--for: %w", err)
		}
		if length == 0 {
			return end, usage("--for %s is over before it begins", e.length)
		}
		end.For = time.Duration(length)
	case e.until == "next":
		end.Boundary = true
	case timeOfDay(e.until):
		end.Clock = e.until
	case e.until != "":
		if end.Until, err = c.instant(cmd, "until", e.until); err != nil {
			return end, usage("--until %q is not a time: write 22:00, 2027-02-05T22:00+09:00, 2027-02-05T13:00 (UTC), a distance such as +2h, or next", e.until)
		}
	}
	return end, nil
}

// timeOfDay reports whether a text has the form of a time of day; the service says what is wrong with it.
func timeOfDay(text string) bool {
	return strings.Contains(text, ":") && strings.Trim(text, "0123456789:") == ""
}

// overrideAnswer is the answer of the commands that make or change an override.
type overrideAnswer struct {
	service.OverrideAnswer
	// AtWork is the process that will act on it; empty: none, or not asked for in a dry run.
	AtWork string `json:"at_work"`
}

// overridden prints what an override does, and whether anybody acts on it.
func (c *common) overridden(cmd *cobra.Command, a asker, answer service.OverrideAnswer, done string) error {
	whole := overrideAnswer{OverrideAnswer: answer}
	if !answer.DryRun {
		var err error
		if whole.AtWork, err = a.AtWork(cmd.Context()); err != nil {
			return fmt.Errorf("override %s is %s, but: %w", answer.Override.ID, done, err)
		}
	}
	headline := fmt.Sprintf("override %s is %s: %s %s, by %s.", answer.Override.ID, done, answer.Override.Target, answer.Override.State, answer.Override.Author)
	if answer.DryRun {
		headline = fmt.Sprintf("dry run, nothing is changed: %s %s.", answer.Override.Target, answer.Override.State)
	}
	if err := c.say(cmd, whole, headline, answer.Sentences, answer.Resources); err != nil {
		return err
	}
	if !answer.DryRun {
		atWork(cmd.ErrOrStderr(), whole.AtWork)
	}
	return partly(cmd.ErrOrStderr(), answer.Gaps)
}

// atWork says who acts.
func atWork(w io.Writer, holder string) {
	if holder == "" {
		_, _ = fmt.Fprintln(w, "nobody is at work on this store: run `dayshift run` to do it now, or start `dayshift serve`")
		return
	}
	_, _ = fmt.Fprintln(w, plain("the dayshift at work on this store ("+holder+") acts on it within seconds"))
}

func partly(w io.Writer, list []service.Gap) error {
	for _, gap := range list {
		_, _ = fmt.Fprintln(w, "gap: "+plain(gap.Text.String()))
	}
	if len(list) > 0 {
		return &exitError{exitPartial, nil}
	}
	return nil
}

// linesShown bounds the table below the sentences; the other formats have all.
const linesShown = 20

// say prints sentences and resources for people, data for programs.
func (c *common) say(cmd *cobra.Command, data any, headline string, sentences []say.Text, lines []service.OverrideLine) error {
	t := overrideLines(lines)
	w := cmd.OutOrStdout()
	if c.output != "table" {
		return write(w, c.output, data, func() table { return t })
	}
	var text strings.Builder
	text.WriteString(plain(headline) + "\n")
	for _, sentence := range sentences {
		text.WriteString("  " + plain(sentence.String()) + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	if len(lines) == 0 {
		return nil
	}
	more := len(t.rows) - linesShown
	t.rows = t.rows[:min(len(t.rows), linesShown)]
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := t.text(w); err != nil {
		return err
	}
	if more > 0 {
		_, err := fmt.Fprintf(w, "… and %d more; -o csv shows all\n", more)
		return err
	}
	return nil
}

func overrideLines(lines []service.OverrideLine) table {
	t := table{columns: []string{"NAME", "RESOURCE", "STATE", "NOW", "UNTIL", "THEN", "WHY"}}
	for _, l := range lines {
		then := l.Then
		if then == "" {
			then = "-"
		}
		t.add(l.Name, l.Ref, l.State, l.Action, short(l.Until), then, l.Why.String())
	}
	return t
}

func overrideCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{Use: "override", Short: "People's decisions that are in force: what dayshift start and stop made", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(overrideListCommand(c), overrideShowCommand(c), overrideMoveCommand(c, service.Later), overrideMoveCommand(c, service.Earlier), overrideClearCommand(c))
	return cmd
}

// whichHelp says how an override is named.
const whichHelp = `Name an override by its ID, by as much of its beginning as tells it apart, by its
last four characters, or by its target as it was given to start or stop.`

func overrideListCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the overrides in force: what, until when, by whom and why",
		Long: `Lists the overrides in force in the order in which they count: the most specific
target first, of equal ones the newest. RESOURCES is for how many of the resources
that it is for it is the one that counts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.ask(cmd, toList)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.ListOverrides(cmd.Context())
			if err != nil {
				return asked(err)
			}
			if err := write(cmd.OutOrStdout(), c.output, answer, func() table { return overridesTable(answer.Overrides) }); err != nil {
				return err
			}
			return partly(cmd.ErrOrStderr(), answer.Gaps)
		},
	}
}

func overridesTable(list []service.OverrideView) table {
	t := table{columns: []string{"ID", "TARGET", "STATE", "SINCE", "ENDS", "BY", "REASON", "RESOURCES", "VERSION"}, empty: "No override is in force."}
	for _, o := range list {
		ends := o.Ends.String()
		if o.Fault != "" {
			ends = o.Fault
		}
		t.add(o.ID, o.Target, o.State, short(o.From), ends, o.Author, o.Reason, fmt.Sprintf("%d of %d", o.Counts, o.Covers), fmt.Sprint(o.Version))
	}
	return t
}

func overrideShowCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID|TARGET",
		Short: "Show what an override does to each resource, and what follows at its end",
		Long:  whichHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toList)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.Override(cmd.Context(), args[0])
			if err != nil {
				return asked(err)
			}
			o := &answer.Override
			headline := fmt.Sprintf("%s: %s %s %s, by %s since %s", o.ID, o.Target, o.State, o.Ends, o.Author, o.From.Format(time.RFC3339))
			if o.Reason != "" {
				headline += ": " + o.Reason
			}
			if o.Version > 1 {
				headline += fmt.Sprintf(" (changed by %s at %s, version %d)", o.ChangedBy, o.Changed.Format(time.RFC3339), o.Version)
			}
			if err := c.say(cmd, answer, headline, answer.Sentences, answer.Resources); err != nil {
				return err
			}
			return partly(cmd.ErrOrStderr(), answer.Gaps)
		},
	}
}

// overrideMoveCommand is extend or cut.
func overrideMoveCommand(c *common, direction service.Direction) *cobra.Command {
	var end endFlags
	var dryRun bool
	var version int64
	name, does, example := "extend", "Move the end of an override to a later time", "  dayshift override extend 4f2a --for 2h\n  dayshift override extend api-7 --until 22:00"
	if direction == service.Earlier {
		name, does, example = "cut", "Cut an override short: move its end to an earlier time", "  dayshift override cut 4f2a --for 10m\n  dayshift override cut schedule:seoul-office --until next"
	}
	cmd := &cobra.Command{
		Use:   name + " ID|TARGET",
		Short: does,
		Long: whichHelp + ` Of several on one
target, the one that counts is changed.

` + endHelp + `
Durations count from now.`,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ending, err := end.read(c, cmd)
			if err != nil {
				return err
			}
			if ending == (service.End{}) {
				return usage("until when? give --for or --until")
			}
			if version < 0 {
				return usage("--version %d: versions begin at 1", version)
			}
			a, err := c.ask(cmd, changing(dryRun))
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.ChangeOverride(cmd.Context(), service.OverrideChange{
				Target: args[0], Version: version, End: ending, Direction: direction, DryRun: dryRun,
			})
			if err != nil {
				return asked(err)
			}
			return c.overridden(cmd, a, answer, "changed")
		},
	}
	end.register(cmd)
	cmd.Flags().Int64Var(&version, "version", 0, "change this version only (default: the present one)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would happen and change nothing")
	return cmd
}

func overrideClearCommand(c *common) *cobra.Command {
	var all, dryRun bool
	var version int64
	cmd := &cobra.Command{
		Use:   "clear ID|TARGET | --all",
		Short: "Take an override away before its time; the schedules count again",
		Long: whichHelp + ` All
overrides on a target are cleared.`,
		Example: "  dayshift override clear api-7\n  dayshift override clear --all --dry-run",
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if version < 0 {
				return usage("--version %d: versions begin at 1", version)
			}
			a, err := c.ask(cmd, changing(dryRun))
			if err != nil {
				return err
			}
			defer closing(a, &err)
			clearing := service.OverrideClear{All: all, Version: version, DryRun: dryRun}
			if !all {
				clearing.Target = args[0]
			}
			answer, failed := a.ClearOverride(cmd.Context(), clearing)
			if failed != nil && len(answer.Cleared) == 0 {
				return asked(failed)
			}
			what := "1 override"
			if n := len(answer.Cleared); n != 1 {
				what = fmt.Sprintf("%d overrides", n)
			}
			headline := what + " cleared."
			if dryRun {
				headline = "dry run, nothing is changed: " + what + " would be cleared."
			}
			if err := c.say(cmd, answer, headline, answer.Sentences, answer.Resources); err != nil {
				return err
			}
			if !dryRun && len(answer.Cleared) > 0 {
				holder, err := a.AtWork(cmd.Context())
				if err != nil {
					return err
				}
				atWork(cmd.ErrOrStderr(), holder)
			}
			gap := partly(cmd.ErrOrStderr(), answer.Gaps)
			if failed != nil {
				return &exitError{exitPartial, failed}
			}
			return gap
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "clear every override")
	cmd.Flags().Int64Var(&version, "version", 0, "clear this version only (default: the present one)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would happen and change nothing")
	return cmd
}
