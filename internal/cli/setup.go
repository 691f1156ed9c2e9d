package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/app"
	"dayshift/internal/client"
	"dayshift/internal/config"
)

// common are the flags that every command has.
type common struct {
	config       string
	output       string
	server       string
	apiKey       string
	insecureHTTP bool

	remote    *client.Client // made when it is first needed
	serverNow time.Time      // zero: not asked for yet
}

func (c *common) register(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&c.config, "config", "", "configuration file (default: $"+config.FileVariable+", else "+config.DefaultFile+")")
	cmd.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "how to print answers: "+formats)
	flags := cmd.PersistentFlags()
	flags.StringVar(&c.server, "server", "", "ask the Dayshift that runs at this `ADDRESS` instead of the store of the configuration (default: $"+serverVariable+")")
	flags.StringVar(&c.apiKey, "api-key", "", "with --server: the API `KEY`, or file:PATH of a file with it (default: $"+keyVariable+")")
	flags.BoolVar(&c.insecureHTTP, "insecure-http", false, "with --server: send the key over a network in the clear")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("server", cobra.NoFileCompletions))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("api-key", cobra.NoFileCompletions))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml", "csv"}, cobra.ShellCompDirectiveNoFileComp)))
}

// load reads the configuration. Its faults are said as the compiler says them,
// with exit code 2; its warnings go to standard error.
func (c *common) load(stderr io.Writer) (*config.Loaded, error) {
	path, _ := config.Choose(c.config, os.LookupEnv)
	loaded, err := config.Load(path)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	warn(stderr, loaded.Warnings)
	return loaded, nil
}

// open wires the program for a command that asks or acts once.
func (c *common) open(ctx context.Context, stderr io.Writer, access app.Access) (*app.App, error) {
	loaded, err := c.load(stderr)
	if err != nil {
		return nil, err
	}
	return app.Open(ctx, loaded, quietLog(stderr), access)
}

// openKept opens the store for a command about what people make: objects and
// overrides. act says whether it changes them.
func (c *common) openKept(cmd *cobra.Command, act bool) (*app.App, error) {
	loaded, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	if loaded.Store.Engine == config.Memory {
		return nil, usage("the store of %s is memory, which forgets everything when a command ends, so nothing that is made would last; set store: sqlite:dayshift.db", loaded.File)
	}
	access := app.Ask
	if act {
		access = app.Act
	}
	return app.Open(cmd.Context(), loaded, quietLog(cmd.ErrOrStderr()), access)
}

// quietLog is the log of commands that answer a person: errors only, because
// what a pass finds out is in the answer.
func quietLog(stderr io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// logger is the log that the configuration asks for.
func logger(stderr io.Writer, how config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(how.Level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", how.Level, err)
	}
	options := &slog.HandlerOptions{Level: level}
	if how.Format == "json" {
		return slog.New(slog.NewJSONHandler(stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(stderr, options)), nil
}

// instant reads a time that a person wrote: RFC 3339, or a local form of UTC,
// or a distance from now such as +2h. The answer is in UTC, as answers for
// programs are.
func instant(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	if text == "now" {
		return now.UTC(), nil
	}
	if text[0] == '+' || text[0] == '-' {
		if d, err := config.ParseDuration(text[1:]); err == nil {
			if text[0] == '-' {
				d = -d
			}
			return now.Add(time.Duration(d)).UTC(), nil
		}
	}
	return time.Time{}, usage("--%s %q is not a time: write 2027-02-05T09:00:00+09:00, 2027-02-05 (UTC), now, or a distance such as +2h or +7d", flag, text)
}

// closing closes c and joins what it says to the error of the command.
func closing(c io.Closer, err *error) { *err = errors.Join(*err, c.Close()) }

// short is an instant as people read it in a table, in the local zone of the terminal.
func short(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("Mon 2006-01-02 15:04:05 MST")
}
