package cli

import (
	"cmp"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"dayshift/internal/app"
	"dayshift/internal/buildinfo"
)

func serveCommand(c *common) *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: a pass at every boundary, the page and the API over HTTP",
		Long: `Holds the lease of the store and makes a pass at every boundary of a schedule,
when something under way has to be looked at again, and at the resync interval.
A second process on the same store stands by and takes over when the first ends.

The page and the API answer at the address that it listens on, and ask for a
key. The first start on a store prints one on standard error, once: it may do
everything, and makes the others (dayshift key create, or on the page).

The configuration is reloaded when its file changes or on SIGHUP, whole or not
at all. SIGTERM lets calls under way end, then exits. Set AWS_ENDPOINT_URL to
use "dayshift sim" instead of AWS.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			loaded, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			log, err := logger(cmd.ErrOrStderr(), loaded.Config.Log)
			if err != nil {
				return err
			}
			a, err := app.Open(cmd.Context(), loaded, log, app.Act)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			scheme := "http://"
			if loaded.Web.Cert != "" {
				scheme = "https://"
			}
			stderr := cmd.ErrOrStderr()
			daemon := app.Daemon{
				App: a,
				Listening: func(addr string) {
					log.Info("dayshift serves", slog.String("version", buildinfo.Get().Version), slog.String("address", scheme+addr),
						slog.Int("scopes", len(loaded.Scopes)), slog.Int("schedules", len(loaded.Book.Schedules)))
				},
				FirstKey: func(secret string) {
					_, _ = fmt.Fprintf(stderr, "\nThe first key of this store. It may do everything, and is shown this once:\n\n  %s\n\nSign in with it on the page, and make keys for others there or with dayshift key create.\n\n", secret)
				},
			}
			err = daemon.Serve(cmd.Context(), cmp.Or(addr, loaded.Config.Listen))
			log.Info("dayshift has stopped")
			return err
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "", "where to listen, HOST:PORT (default: listen of the configuration, else 127.0.0.1:8080)")
	return cmd
}
