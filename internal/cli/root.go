// Package cli is the command line: it reads what a person or a script wrote,
// asks the service and prints the answer as a table, JSON, YAML or CSV. It
// decides nothing.
//
// Answers go to standard output, everything else (progress, warnings, errors)
// to standard error, so that a pipe never meets a sentence. Exit codes: 0
// done, 1 failed, 2 wrong usage or configuration, 3 done in part.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dayshift/internal/calendar"
)

// Main runs the command line and returns the exit code. args are without the
// program's name.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who interrupts twice does not want to wait for what is under way
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		_, _ = fmt.Fprintln(stderr, "dayshift: "+plainLines(err.Error()))
	}
	return codeOf(err)
}

// plainLines is plain for a text of several lines.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

func rootCommand() *cobra.Command {
	var c common
	root := &cobra.Command{
		Use:   "dayshift",
		Short: "Runs cloud resources only when people need them",
		Long: `Dayshift starts and stops cloud resources on schedules, across accounts and
regions, and shows why everything is as it is.

Start with "dayshift demo": it needs no cloud account.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			switch c.output {
			case "table", "json", "yaml", "csv":
				return checkAlone(cmd)
			}
			return usage("-o %s is unknown: use %s", c.output, formats)
		},
	}
	c.register(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see `%s --help`", err, cmd.CommandPath())
	})
	root.AddCommand(
		demoCommand(),
		serveCommand(&c),
		watchCommand(&c),
		runCommand(&c),
		previewCommand(&c),
		explainCommand(&c),
		resourceCommand(&c),
		forceCommand(&c, "start", calendar.Running),
		forceCommand(&c, "stop", calendar.Stopped),
		overrideCommand(&c),
		channelCommand(&c),
		keyCommand(&c),
		activityCommand(&c),
		doctorCommand(&c),
		validateCommand(&c),
		diffCommand(&c),
		applyCommand(&c),
		exportCommand(&c),
		importCommand(),
		evalCommand(),
		simCommand(),
		versionCommand(&c),
	)
	root.AddCommand(objectCommands(&c)...)
	root.InitDefaultCompletionCmd()
	wrongUsage(root)
	return root
}

// wrongUsage makes what cobra finds wrong with the arguments of any command an
// error of exit code 2.
func wrongUsage(cmd *cobra.Command) {
	if !cmd.Runnable() { // cobra would take a misspelt subcommand for a wish for help
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage("%w; see `%s --help`", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrongUsage(sub)
	}
}
