package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/app"
	"dayshift/internal/buildinfo"
	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

func explainCommand(c *common) *cobra.Command {
	var schedule, at string
	cmd := &cobra.Command{
		Use:   "explain RESOURCE",
		Short: "Say why a resource, or a schedule, is as it is",
		Long: `Shows what is wanted of a resource and the chain of reasons that leads there,
with the last rows of the record about it. RESOURCE is an ID, an ARN, a name or
account/region/kind/id. With --schedule NAME it shows what a schedule wants and
its next changes, without asking AWS.

For a time that is over the answer is what the record holds: what it was, what
was decided last and why, which overrides were in force, and what changed
since; what today's rules would have wanted then stands beside it. A resource
that is there no more is explained from the record too.`,
		Example: "  dayshift explain i-0123456789abcdef0\n  dayshift explain api --at -6d\n  dayshift explain --schedule seoul-office --at 2027-02-05T09:00:00+09:00",
		Args: func(cmd *cobra.Command, args []string) error {
			if schedule == "" {
				return cobra.ExactArgs(1)(cmd, args)
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if at == "now" { // by the time the fleet is listed it would be over
				at = ""
			}
			when, err := c.instant(cmd, "at", at)
			if err != nil {
				return err
			}
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			if schedule != "" {
				answer, err := a.ExplainSchedule(cmd.Context(), schedule, when)
				if err != nil {
					return asked(err)
				}
				return write(cmd.OutOrStdout(), c.output, answer, func() table { return scheduleTable(answer) })
			}
			answer, err := a.Explain(cmd.Context(), args[0], when)
			if err != nil {
				return asked(err)
			}
			if c.output != "table" {
				return write(cmd.OutOrStdout(), c.output, answer, func() table { return chainTable(answer) })
			}
			return explanations(cmd.OutOrStdout(), answer)
		},
	}
	cmd.Flags().StringVar(&schedule, "schedule", "", "explain this schedule instead of a resource")
	cmd.Flags().StringVar(&at, "at", "", "explain for this time (default: now); of a time that is over the record tells")
	return cmd
}

// asked gives a question that was put wrongly its exit code.
func asked(err error) error {
	if _, ok := errors.AsType[*service.InputError](err); ok {
		return &exitError{exitUsage, err}
	}
	return err
}

func scheduleTable(e service.ScheduleExplanation) table {
	t := table{columns: []string{"WHEN", "WANTED", "WHY"}}
	why := "no period is running"
	if e.Period != "" {
		why = "period " + e.Period
	}
	if e.Period == calendar.ExceptionReason {
		why = "an exception"
	}
	if e.InstanceType != "" {
		why += " as " + e.InstanceType
	}
	if !e.Enabled {
		why = "the schedule is disabled and decides nothing"
	}
	t.add(e.Local, e.State, why)
	for _, fact := range e.Special {
		t.add("", "", fact.String())
	}
	zone, err := time.LoadLocation(e.Timezone)
	if err != nil {
		zone = time.UTC
	}
	for _, change := range e.Next {
		t.add(change.At.In(zone).Format("2006-01-02 15:04:05 MST (Mon)"), change.To, "next")
	}
	return t
}

func previewCommand(c *common) *cobra.Command {
	var from, to, schedule string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show every start and stop of a stretch of time, with reasons and cost",
		Long: `Lives the fleet, as it is now, through the time from --from to --to with the same
decisions as a pass and nobody stepping in: schedules, overrides until they end,
maintenance windows and rules. Of the maintenance windows of SSM it knows the
next that AWS tells of each. What is only observed is marked as such. With
--schedule NAME it shows the boundaries of one schedule, without asking AWS.`,
		Example: "  dayshift preview --to +7d\n  dayshift preview --schedule seoul-office --from 2027-02-01 --to 2027-03-01",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			begin, err := c.instant(cmd, "from", from)
			if err != nil {
				return err
			}
			end, err := c.instant(cmd, "to", to)
			if err != nil {
				return err
			}
			if !begin.Before(end) {
				return usage("--from %s is not before --to %s", begin.Format(time.RFC3339), end.Format(time.RFC3339))
			}
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			var answer service.Preview
			if schedule != "" {
				answer, err = a.PreviewSchedule(cmd.Context(), schedule, begin, end)
			} else {
				answer, err = a.Preview(cmd.Context(), begin, end)
			}
			if err != nil {
				return asked(err)
			}
			if err := write(cmd.OutOrStdout(), c.output, answer, func() table { return previewTable(answer) }); err != nil {
				return err
			}
			return previewNotes(cmd.ErrOrStderr(), answer, schedule == "")
		},
	}
	cmd.Flags().StringVar(&from, "from", "now", "begin of the stretch")
	cmd.Flags().StringVar(&to, "to", "+7d", "end of the stretch")
	cmd.Flags().StringVar(&schedule, "schedule", "", "only the boundaries of this schedule, without asking AWS")
	return cmd
}

func previewTable(p service.Preview) table {
	t := table{columns: []string{"WHEN", "ACTION", "NAME", "RESOURCE", "SCHEDULE", "WHY"}, empty: "Nothing starts or stops in this time."}
	for _, e := range p.Events {
		action := typed(e.Action, e.Type)
		if e.Observed {
			action += " (only observed)"
		}
		t.add(short(e.At), action, e.Name, e.Ref, e.Schedule, e.Why.String())
	}
	return t
}

func previewNotes(w io.Writer, p service.Preview, cost bool) error {
	for _, gap := range p.Gaps {
		_, _ = fmt.Fprintln(w, "gap: "+plain(gap.Text.String()))
	}
	for _, e := range p.Estimates {
		_, _ = fmt.Fprintf(w, "from %s: %s\n", short(e.At), plain(e.Text.String()))
	}
	if cost {
		_, _ = fmt.Fprintf(w, "runs %.0f of %.0f hours; costs about %.2f instead of %.2f USD (%s)\n",
			p.Cost.RunningHours, p.Cost.AllHours, p.Cost.USD, p.Cost.AllUSD, p.Cost.Basis)
		if p.Cost.Unpriced > 0 {
			_, _ = fmt.Fprintf(w, "%d resources have a type that the price list does not know and count as 0\n", p.Cost.Unpriced)
		}
	}
	if len(p.Gaps) > 0 {
		return &exitError{exitPartial, nil}
	}
	return nil
}

func resourceCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{Use: "resource", Short: "The fleet", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var filter, at string
	var differs bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List every scheduled resource: state, what is wanted, what comes next, why",
		Long: `Lists every scheduled resource: its state, what is wanted of it, what comes next
and why. ACTION is what a pass would do now, OBSERVED says that it would only
be recorded, OVERRIDE is a person's decision in force. With --differs only
those on which a pass would act: where the fleet differs from what is wanted.`,
		Example: "  dayshift resource list --filter 'region=cn-*,tag:Env=dev'\n  dayshift resource list --differs",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			when, err := c.instant(cmd, "at", at)
			if err != nil {
				return err
			}
			if _, err := readFilter(filter); err != nil {
				return err
			}
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.Fleet(cmd.Context(), when, filter)
			if err != nil {
				return asked(err)
			}
			if differs {
				answer = answer.Differing()
			}
			if err := write(cmd.OutOrStdout(), c.output, answer, func() table { return fleetTable(answer, differs) }); err != nil {
				return err
			}
			for _, gap := range answer.Gaps {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "gap: "+plain(gap.Text.String()))
			}
			if len(answer.Gaps) > 0 {
				return &exitError{exitPartial, nil}
			}
			return nil
		},
	}
	list.Flags().StringVar(&filter, "filter", "", "only what matches, such as tag:Env=dev,region=eu-*")
	list.Flags().BoolVar(&differs, "differs", false, "only those on which a pass would act now, or would but for observe")
	list.Flags().StringVar(&at, "at", "", "what is wanted at this time (default: now)")
	cmd.AddCommand(list)
	return cmd
}

// readFilter reads the flag of its name; nil: everything.
func readFilter(text string) (*fleet.Filter, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no filter is an answer
	}
	filter, err := fleet.ParseFilter(text)
	if err != nil {
		return nil, usage("--filter: %w", err)
	}
	return &filter, nil
}

func fleetTable(f service.Fleet, differs bool) table {
	t := table{
		columns: []string{"NAME", "ID", "ACCOUNT", "REGION", "KIND", "TYPE", "STATE", "SCHEDULE", "WANTED", "NEXT", "ACTION", "OBSERVED", "OVERRIDE", "WHY"},
		empty:   "No resource with a schedule tag was found.",
	}
	if differs {
		t.empty = "Nothing differs: a pass would do nothing now."
	}
	for _, r := range f.Resources {
		next, action, observed, override := "-", r.Action, "-", "-"
		if r.Next != nil {
			next = r.Next.To + " " + short(r.Next.At)
		}
		if r.Observed {
			observed = "yes"
		}
		if action == "none" {
			action = "-"
		}
		if o := r.Override; o != nil {
			override = o.State + " until " + short(o.Until) + " by " + o.Author
		}
		t.add(r.Name, r.ID, r.Account, r.Region, r.Kind, r.Type, r.NativeState, r.Schedule, r.Wanted, next, action, observed, override, r.Why.String())
	}
	return t
}

func activityCommand(c *common) *cobra.Command {
	var follow bool
	var limit int
	var resource, event, from, to string
	cmd := &cobra.Command{
		Use:   "activity",
		Short: "Show the record of everything decided, done, refused or changed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			query := store.ActivityQuery{Text: resource, Event: store.Event(event), Limit: limit, Last: true}
			if query.From, err = c.instant(cmd, "from", from); err != nil {
				return err
			}
			if query.To, err = c.instant(cmd, "to", to); err != nil {
				return err
			}
			if limit < 1 {
				return usage("--limit %d: give at least 1", limit)
			}
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			rows, err := a.Activity(cmd.Context(), query)
			if err != nil {
				return asked(err)
			}
			if !follow {
				if rows == nil {
					rows = []store.Activity{}
				}
				return write(cmd.OutOrStdout(), c.output, rows, func() table { return activityTable(rows) })
			}
			return followActivity(cmd, a, query, rows, c.output)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new rows as they are written, one a line")
	cmd.Flags().IntVar(&limit, "limit", 100, "the newest so many rows")
	cmd.Flags().StringVar(&resource, "resource", "", "only rows about this ID, name or schedule")
	cmd.Flags().StringVar(&event, "event", "", "only rows of this event, such as failed")
	cmd.Flags().StringVar(&from, "from", "", "only rows from this time on")
	cmd.Flags().StringVar(&to, "to", "", "only rows before this time")
	cmd.AddCommand(&cobra.Command{
		Use:   "verify",
		Short: "Check that no row of the record was changed, removed or put in",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			result, err := a.Verify(cmd.Context())
			if err != nil {
				return err
			}
			err = write(cmd.OutOrStdout(), c.output, result, func() table {
				t := table{columns: []string{"ROWS", "HEAD", "RESULT"}}
				verdict := "the chain holds"
				if result.BadAt > 0 {
					verdict = fmt.Sprintf("broken at row %d: %s", result.BadAt, result.Why)
				}
				t.add(fmt.Sprint(result.Rows), result.Head, verdict)
				return t
			})
			if err == nil && result.BadAt > 0 {
				return &exitError{exitFailed, fmt.Errorf("the record is broken at row %d: %s", result.BadAt, result.Why)}
			}
			return err
		},
	})
	return cmd
}

func activityTable(rows []store.Activity) table {
	t := table{columns: []string{"SEQ", "WHEN", "EVENT", "NAME", "RESOURCE", "SCHEDULE", "REASON", "DETAIL"}, empty: "The record is empty."}
	for _, row := range rows {
		t.add(activityCells(row)...)
	}
	return t
}

func activityCells(row store.Activity) []string {
	ref := ""
	if row.Ref.Scope.Account != "" {
		ref = strings.TrimRight(row.Ref.String(), "/")
	}
	return []string{fmt.Sprint(row.Seq), short(row.At), string(row.Event), row.Name, ref, row.Schedule, row.Reason, row.Detail}
}

func followActivity(cmd *cobra.Command, activities asker, query store.ActivityQuery, rows []store.Activity, format string) error {
	query.Last = false
	began := false
	for {
		for _, row := range rows {
			query.After = max(query.After, row.Seq)
			if err := followLine(cmd.OutOrStdout(), format, row, !began); err != nil {
				return err
			}
			began = true
		}
		err := activities.NewActivity(cmd.Context())
		if err == nil {
			rows, err = activities.Activity(cmd.Context(), query)
		}
		if cmd.Context().Err() != nil {
			return nil //nolint:nilerr // told to stop: the way to end it
		}
		if err != nil {
			return err
		}
	}
}

// followLine writes a row as soon as it is there: a line of text, of JSON or of
// CSV (below a head), or a YAML document.
func followLine(w io.Writer, format string, row store.Activity, first bool) error {
	switch format {
	case "json":
		return json.NewEncoder(w).Encode(row)
	case "yaml":
		if _, err := fmt.Fprintln(w, "---"); err != nil {
			return err
		}
		return write(w, format, row, nil)
	case "csv":
		t := activityTable([]store.Activity{row})
		if !first {
			t.columns = nil
		}
		return t.csv(w)
	}
	_, err := fmt.Fprintln(w, plain(strings.Join(activityCells(row), "  ")))
	return err
}

func doctorCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say for each account and region what works, and what is missing",
		Long: `Tries, without changing anything, everything that Dayshift needs: credentials
and roles, regions, listing, and the permission to start and stop.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			checkups, err := a.Doctor(cmd.Context())
			if err != nil {
				return err
			}
			if err := write(cmd.OutOrStdout(), c.output, checkups, func() table { return doctorTable(checkups) }); err != nil {
				return err
			}
			healthy := 0
			for _, checkup := range checkups {
				if checkup.OK {
					healthy++
				}
			}
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d scopes are in order\n", healthy, len(checkups))
			switch healthy {
			case len(checkups):
				return nil
			case 0:
				return &exitError{exitFailed, nil}
			}
			return &exitError{exitPartial, nil}
		},
	}
}

func doctorTable(checkups []service.Checkup) table {
	t := table{columns: []string{"ACCOUNT", "REGION", "ABILITY", "", "MISSING", "DETAIL"}}
	for _, checkup := range checkups {
		for _, finding := range checkup.Findings {
			t.add(string(checkup.Scope.Account), string(checkup.Scope.Region), finding.Ability.String(), verdict(finding), finding.Missing, finding.Detail.String())
		}
	}
	return t
}

func verdict(finding cloud.Finding) string {
	switch {
	case finding.Untested:
		return "?"
	case finding.OK:
		return "ok"
	}
	return "MISSING"
}

func validateCommand(c *common) *cobra.Command {
	var values bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration and say everything that is wrong with it",
		Long: `Checks the file, and the objects of its store beside it where there is one.
Objects that are set aside are warnings: they concern themselves alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, _ := config.Choose(c.config, os.LookupEnv)
			loaded, err := config.Load(path)
			var faults config.Faults
			if errors.As(err, &faults) && c.output != "table" {
				if err := write(cmd.OutOrStdout(), c.output, validity{File: path, Faults: faults, Warnings: []config.Fault{}}, func() table { return faultTable(faults) }); err != nil {
					return err
				}
				return &exitError{exitUsage, nil}
			}
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if loaded, err = besideStore(cmd, loaded); err != nil {
				return err
			}
			for _, directory := range loaded.Directories {
				if directory.List == nil {
					loaded.Warnings = append(loaded.Warnings, config.Fault{File: path, Problem: say.F("the accounts of the organization %s are not known yet", directory.Name), Fix: say.F("see what is found: dayshift doctor")})
				}
			}
			warn(cmd.ErrOrStderr(), loaded.Warnings)
			if values {
				list := loaded.Values()
				return write(cmd.OutOrStdout(), c.output, list, func() table {
					t := table{columns: []string{"FIELD", "VALUE", "FROM"}}
					for _, value := range list {
						t.add(value.Path, value.Text, value.Origin.String())
					}
					return t
				})
			}
			answer := validity{File: path, OK: true, Faults: config.Faults{}, Warnings: loaded.Warnings, Scopes: len(loaded.Scopes), Schedules: len(loaded.Book.Schedules)}
			if answer.Warnings == nil {
				answer.Warnings = []config.Fault{}
			}
			return write(cmd.OutOrStdout(), c.output, answer, func() table {
				t := table{columns: []string{"FILE", "RESULT", "SCOPES", "SCHEDULES", "WARNINGS"}}
				t.add(path, "in order", fmt.Sprint(answer.Scopes), fmt.Sprint(answer.Schedules), fmt.Sprint(len(answer.Warnings)))
				return t
			})
		},
	}
	cmd.Flags().BoolVar(&values, "values", false, "show every value in force and where it came from")
	return cmd
}

// besideStore gives the configuration that a file makes with the objects of its
// store, where there is one. A store that can not be read is a warning: the file
// can be in order all the same.
func besideStore(cmd *cobra.Command, loaded *config.Loaded) (*config.Loaded, error) {
	a, err := app.Open(cmd.Context(), loaded, quietLog(cmd.ErrOrStderr()), app.Ask)
	if err != nil {
		if cmd.Context().Err() != nil {
			return nil, err
		}
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+plainLines("the objects of the store could not be checked: "+err.Error()))
		return loaded, nil
	}
	return a.Config, a.Close()
}

// validity is the answer of validate.
type validity struct {
	File      string         `json:"file"`
	OK        bool           `json:"ok"`
	Scopes    int            `json:"scopes"`
	Schedules int            `json:"schedules"`
	Faults    config.Faults  `json:"faults"`
	Warnings  []config.Fault `json:"warnings"`
}

func faultTable(faults config.Faults) table {
	t := table{columns: []string{"PLACE", "FAULT"}}
	for _, fault := range faults {
		t.add(fault.Place(), fault.Summary())
	}
	return t
}

func versionCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := buildinfo.Get()
			if c.output == "table" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), info)
				return err
			}
			return write(cmd.OutOrStdout(), c.output, info, func() table {
				t := table{columns: []string{"VERSION", "COMMIT", "DATE", "GO", "PLATFORM"}}
				t.add(info.Version, info.Commit, info.Date, info.Go, info.Platform)
				return t
			})
		},
	}
}
