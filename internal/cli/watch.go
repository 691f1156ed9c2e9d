package cli

import (
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/app"
	"dayshift/internal/buildinfo"
	"dayshift/internal/config"
)

// Bounds of what a watch waits for.
const (
	shortestWatch = time.Second
	longestWatch  = 7 * 24 * time.Hour
)

func watchCommand(c *common) *cobra.Command {
	var addr string
	var options app.WatchOptions
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Tell the channels when Dayshift itself is silent",
		Long: `Listens for the heartbeat of a daemon and tells the channels of the configuration
when it stays away for --after, again every --again while that lasts, and when it is
back. It is for those who have no other monitor that takes heartbeats.

Run it elsewhere than the daemon, with a configuration that has the same
heartbeat.url and the channels: a daemon and a watch on one machine fall silent
together. It opens no store, calls AWS for SNS alone, and takes the heartbeat at
--addr, at the path of heartbeat.url, by TLS where tls is configured. /healthz
tells that the watch itself runs.

With --state it is known after a restart what was told, and that a silence is over.
The configuration is reloaded when its file changes or on SIGHUP, whole or not at
all; tls and log take effect at the next start.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for name, d := range map[string]time.Duration{"after": options.After, "again": options.Again} {
				if d < shortestWatch || d > longestWatch {
					return usage("--%s %s: give from %s to %s", name, d, shortestWatch, longestWatch)
				}
			}
			options.Load = func() (*config.Loaded, error) { return c.load(io.Discard) } // its warnings are the daemon's: a file for a watch need not have schedules
			loaded, err := options.Load()
			if err != nil {
				return err
			}
			log, err := logger(cmd.ErrOrStderr(), loaded.Config.Log)
			if err != nil {
				return err
			}
			options.Listening = func(addr string) {
				log.Info("dayshift watches", slog.String("version", buildinfo.Get().Version), slog.String("address", addr),
					slog.Duration("after", options.After), slog.Duration("again", options.Again))
			}
			w, err := app.NewWatch(loaded, log, options)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			defer closing(w, &err)
			err = w.Run(cmd.Context(), addr)
			log.Info("dayshift no longer watches")
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addr, "addr", "127.0.0.1:8081", "where to take the heartbeat, HOST:PORT")
	flags.DurationVar(&options.After, "after", 3*time.Minute, "how long there may be no heartbeat before that is told; three times its every or longer")
	flags.DurationVar(&options.Again, "again", time.Hour, "how often it is told while it lasts")
	flags.StringVar(&options.Name, "name", "", "what messages call the Dayshift that is watched, where there are several")
	flags.StringSliceVar(&options.Channels, "channel", nil, "tell the `CHANNEL`, whatever else it is for; can be given several times (default: all that take the kind silent)")
	flags.StringVar(&options.State, "state", "", "keep what was told in this `FILE`, for a watch that is started again (default: nowhere)")
	return cmd
}
