package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/service"
)

// shownDeliveries is how many messages `channel show` lists.
const shownDeliveries = 20

// channelCommand is `channel`: where people are told.
func channelCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{Use: "channel", Short: "Show, test and preview where people are told", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(channelListCommand(c), channelShowCommand(c), channelTestCommand(c), channelAgainCommand(c), channelPreviewCommand(c))
	return cmd
}

// channelNames offers the names of the channels.
func (c *common) channelNames() cobra.CompletionFunc {
	return c.completes(func(ctx context.Context, a asker) ([]cobra.Completion, error) {
		all, err := a.Channels(ctx)
		var names []cobra.Completion
		for i := range all.Channels {
			names = append(names, all.Channels[i].Name)
		}
		return names, err
	})
}

func channelListCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the channels, what goes there, and how that stands", Args: cobra.NoArgs,
		Example: "  dayshift channel list",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			all, err := a.Channels(cmd.Context())
			if err != nil {
				return refused(err)
			}
			return write(cmd.OutOrStdout(), c.output, all, func() table { return channelTable(all.Channels) })
		},
	}
}

func channelTable(list []service.Channel) table {
	t := table{columns: []string{"NAME", "TYPE", "LEADS TO", "STATE", "SENT 24H", "WAITING", "GIVEN UP", "LAST", "GETS"}, empty: "There is no channel: nobody is told. Add one to channels of the configuration."}
	for i := range list {
		ch := &list[i]
		t.add(ch.Name, ch.Type, ch.Leads, channelState(ch), strconv.Itoa(ch.Sent), strconv.Itoa(ch.Waiting+ch.Kept), strconv.Itoa(ch.Dead), orNever(ch.Last), ch.Route.String())
	}
	return t
}

func channelState(ch *service.Channel) string {
	switch {
	case !ch.Failing.IsZero():
		return "fails since " + orNever(ch.Failing)
	case !ch.Quiet.IsZero():
		return "quiet until " + orNever(ch.Quiet)
	case ch.Last.IsZero():
		return "new"
	}
	return "ok"
}

// channelReport is what `channel show` writes.
type channelReport struct {
	service.Channel

	Deliveries []service.Delivery `json:"deliveries"`
}

func channelShowCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a channel and its last messages", Args: cobra.ExactArgs(1), ValidArgsFunction: c.channelNames(),
		Example: "  dayshift channel show ops",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			var report channelReport
			if report.Channel, err = a.Channel(cmd.Context(), args[0]); err != nil {
				return refused(err)
			}
			list, err := a.Deliveries(cmd.Context(), service.DeliveryQuery{Channel: args[0], Limit: shownDeliveries})
			if err != nil {
				return refused(err)
			}
			report.Deliveries = list.Items
			if c.output == "table" {
				return channelText(cmd.OutOrStdout(), &report)
			}
			return write(cmd.OutOrStdout(), c.output, report, func() table { return deliveryTable(report.Deliveries) })
		},
	}
}

func channelText(w io.Writer, report *channelReport) error {
	p := &page{w: w}
	p.line("channel %s (%s) to %s", plain(report.Name), report.Type, plain(report.Leads))
	p.line("  gets     %s", plain(report.Route.String()))
	p.line("  language %s", report.Language)
	p.line("  state    %s", channelState(&report.Channel))
	if report.Error != "" {
		p.line("  error    %s", plain(report.Error))
	}
	if report.Digest != "" {
		p.line("  digest   %s, the next at %s", report.Digest, orNever(report.Next))
	}
	last := "none was sent yet"
	if !report.Last.IsZero() {
		last = "the last one was sent at " + report.Last.UTC().Format(time.RFC3339)
	}
	p.line("  messages %d sent in 24 hours, %d waiting, %d given up; %s", report.Sent, report.Waiting+report.Kept, report.Dead, last)
	if p.err != nil || len(report.Deliveries) == 0 {
		return p.err
	}
	p.line("")
	t := deliveryTable(report.Deliveries)
	return t.text(w)
}

func deliveryTable(list []service.Delivery) table {
	t := table{columns: []string{"ID", "TOLD", "STATE", "TRIES", "MESSAGE", "ERROR"}, empty: "There is no message."}
	for i := range list {
		d := &list[i]
		t.add(d.ID, orNever(d.Told), d.State, strconv.Itoa(d.Tries), d.Title, d.Error)
	}
	return t
}

func channelTestCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Send a message that says that it is a test",
		Long: `Sends a message that says that it is a test and who asked for it, at once and
whatever else waits, and tells whether the channel took it. The activity has it. A
channel is tested once in 10 seconds.`,
		Example: "  dayshift channel test ops", Args: cobra.ExactArgs(1), ValidArgsFunction: c.channelNames(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toChange)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.TestChannel(cmd.Context(), service.ChannelTest{Channel: args[0]})
			if err != nil {
				return refused(err)
			}
			if c.output != "table" {
				t := table{columns: []string{"CHANNEL", "DELIVERED", "ERROR"}}
				t.add(answer.Channel, strconv.FormatBool(answer.Delivered), answer.Error)
				err = write(cmd.OutOrStdout(), c.output, answer, func() table { return t })
			} else if answer.Delivered {
				p := &page{w: cmd.OutOrStdout()}
				p.line("channel %s took the test message.", plain(answer.Channel))
				err = p.err
			}
			if err == nil && !answer.Delivered {
				return &exitError{exitFailed, fmt.Errorf("channel %s did not take the test message: %s", answer.Channel, answer.Error)}
			}
			return err
		},
	}
}

func channelAgainCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use: "again NAME [ID]", Short: "Have messages sent again that were given up",
		Long: `Has what a channel did not take sent again, with as many tries as if it were new:
everything that was given up, or the one message of an ID that channel show lists.
The process that acts does it within seconds.`,
		Example: "  dayshift channel again ops", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: c.channelNames(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toChange)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			request := service.AgainRequest{Channel: args[0]}
			if len(args) > 1 {
				request.ID = args[1]
			}
			answer, err := a.SendAgain(cmd.Context(), request)
			if err != nil {
				return refused(err)
			}
			if c.output != "table" {
				t := table{columns: []string{"CHANNEL", "MESSAGES"}}
				t.add(answer.Channel, strconv.Itoa(answer.Messages))
				return write(cmd.OutOrStdout(), c.output, answer, func() table { return t })
			}
			p := &page{w: cmd.OutOrStdout()}
			p.line("%d to channel %s will be sent again.", answer.Messages, plain(answer.Channel))
			return p.err
		},
	}
}

func channelPreviewCommand(c *common) *cobra.Command {
	var request service.PreviewRequest
	cmd := &cobra.Command{
		Use: "preview NAME", Short: "Show what a message looks like in a channel",
		Long: `Shows an example of a message as the channel would be sent it, in its language. Nothing is sent.
With -o json also what is posted, without a signature.`,
		Example: "  dayshift channel preview ops --kind stop-warning", Args: cobra.ExactArgs(1), ValidArgsFunction: c.channelNames(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			request.Channel = args[0]
			preview, err := a.PreviewMessage(cmd.Context(), request)
			if err != nil {
				return refused(err)
			}
			if c.output != "table" {
				t := table{columns: []string{"KIND", "TONE", "TITLE", "LINES"}}
				t.add(preview.Kind, preview.Tone, preview.Title, strings.Join(preview.Lines, "; "))
				return write(cmd.OutOrStdout(), c.output, preview, func() table { return t })
			}
			p := &page{w: cmd.OutOrStdout()}
			p.line("%s", plain(preview.Title))
			for _, line := range preview.Lines {
				p.line("  %s", plain(line))
			}
			for _, choice := range preview.Choices {
				p.line("  [%s] %s", plain(choice.Label), plain(choice.Command))
			}
			return p.err
		},
	}
	cmd.Flags().StringVar(&request.Kind, "kind", "", "the `kind` of the message; empty: the first that the channel gets")
	cmd.Flags().StringVar(&request.Language, "language", "", "en, zh-CN or ko; empty: the `language` of the channel")
	return cmd
}
