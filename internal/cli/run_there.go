package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/client"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/store"
)

// longestRun is how long the end of a run on a server is waited for: what AWS's
// limits spread over more than that is better read in the record.
const longestRun = time.Hour

// runThere has a server make a pass, follows it to its end, and tells of it by
// what the record says. With yes it confirms what the limits held back in it.
func (c *common) runThere(cmd *cobra.Command, server *client.Client, yes bool, wait time.Duration) error {
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	id, err := server.Run(ctx)
	if err != nil {
		return refused(err)
	}
	if c.output == "table" {
		_, _ = fmt.Fprintf(stderr, "run %s is under way on %s\n", plain(id), plain(server.Host()))
	}
	run, rows, err := server.Finished(ctx, id, longestRun)
	if err != nil {
		return fmt.Errorf("the run %s was begun: %w", id, err)
	}
	answer := toldRun(&run, rows)
	if run.Error == "" && !run.Finished.IsZero() {
		if err := arrive(ctx, server, &answer, rows, wait); err != nil {
			return fmt.Errorf("the run %s is over: %w", id, err)
		}
	}
	if err := write(cmd.OutOrStdout(), c.output, answer, func() table { return runTable(&answer) }); err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Event == store.EventAnnounced {
			_, _ = fmt.Fprintln(stderr, "announced: "+plain(rows[i].Name+" "+rows[i].Ref.String()+": "+rows[i].Detail))
		}
	}
	answer.confirmed = yes
	runSummary(stderr, &answer)
	switch {
	case run.Error != "":
		return fmt.Errorf("the run %s failed: %s", id, run.Error)
	case run.Finished.IsZero():
		_, _ = fmt.Fprintln(stderr, "the run goes on; see `dayshift activity --follow`")
		return &exitError{exitPartial, nil}
	case answer.Held > 0 && yes:
		if err := server.Confirm(ctx); err != nil {
			return fmt.Errorf("confirm what is held back: %w", err)
		}
		_, _ = fmt.Fprintln(stderr, "confirmed: "+plain(server.Host())+" does what it holds back within seconds; see `dayshift activity`")
	}
	if len(answer.Gaps) > 0 || answer.Failed > 0 {
		return &exitError{exitPartial, nil}
	}
	return nil
}

// did are the rows of the record that tell what a run did, with the action and the status of their line.
var did = map[store.Event][2]string{
	store.EventStartAccepted: {"start", string(plan.Accepted)},
	store.EventStopAccepted:  {"stop", string(plan.Accepted)},
	store.EventRebooted:      {"reboot", string(plan.Accepted)},
	store.EventResized:       {"resize", string(plan.Accepted)},
	store.EventFailed:        {"", string(plan.Failed)},
	store.EventSkipped:       {"", string(plan.Skipped)},
	store.EventHeld:          {"", "held"},
	store.EventObserved:      {"", "observed"},
}

// verbs are the actions that the detail of a row can begin with.
var verbs = []fleet.Verb{fleet.Start, fleet.Stop, fleet.Hibernate, fleet.Reboot, fleet.Resize}

// toldRun is the answer of run by what was recorded of it. Of what was not done
// the record tells the action in its words alone.
func toldRun(run *store.Run, rows []store.Activity) runAnswer {
	answer := runAnswer{
		Run: run.ID, At: run.Started.UTC(), Resources: run.Counts.Resources, Started: run.Counts.Started, Stopped: run.Counts.Stopped,
		Failed: run.Counts.Failed, Held: run.Counts.Held, Actions: []runLine{}, Estimates: []runEstimate{}, Gaps: []string{}, Announced: []announcement{},
	}
	answer.Gaps = append(answer.Gaps, run.Gaps...)
	for i := range rows {
		row := &rows[i]
		words, told := did[row.Event]
		if !told || row.Ref.ID == "" {
			continue
		}
		action := words[0]
		if verb, _, _ := strings.Cut(row.Detail, ": "); action == "" && slices.Contains(verbs, fleet.Verb(verb)) {
			action = verb
		}
		answer.Actions = append(answer.Actions, runLine{
			Action: action, Ref: row.Ref.String(), Name: row.Name, Schedule: row.Schedule, Reason: row.Reason,
			Why: cmp.Or(decide.Reason(row.Reason).Sentence(), row.Reason), Status: words[1], Detail: row.Detail,
		})
	}
	slices.SortStableFunc(answer.Actions, func(a, b runLine) int { return cmp.Compare(a.Ref, b.Ref) })
	return answer
}

// arrive waits until the record says of what was accepted how it ended, at most for so long.
func arrive(ctx context.Context, server *client.Client, answer *runAnswer, rows []store.Activity, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	under := map[string]*runLine{}
	for i := range answer.Actions {
		if l := &answer.Actions[i]; l.Status == string(plan.Accepted) && (l.Action == "start" || l.Action == "stop") {
			under[l.Ref] = l
		}
	}
	query := store.ActivityQuery{}
	for i := range rows {
		query.After = max(query.After, rows[i].Seq)
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for len(under) > 0 {
		later, err := server.Activity(waiting, query)
		for i := range later {
			row := &later[i]
			query.After = row.Seq
			l := under[row.Ref.String()]
			if l == nil {
				continue
			}
			switch row.Event { //nolint:exhaustive // of the others nothing has ended
			case store.EventStarted:
				l.Status = string(decide.Started)
			case store.EventStopped:
				l.Status = string(decide.HasStopped)
			case store.EventFailed:
				l.Status, l.Detail = string(plan.Failed), row.Detail
				answer.Failed++
			default:
				continue
			}
			delete(under, row.Ref.String())
		}
		if err == nil && len(under) > 0 {
			err = server.NewActivity(waiting)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if waiting.Err() != nil {
			return nil // it was waited long enough
		}
		if err != nil {
			return err
		}
	}
	return nil
}
