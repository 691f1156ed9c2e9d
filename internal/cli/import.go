package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/migrate"
)

func importCommand() *cobra.Command {
	var system, account, zone string
	cmd := &cobra.Command{
		Use:   "import --from SYSTEM FILE…",
		Short: "Write the configuration of another scheduler as objects of this one",
		Long: `Reads the items of another scheduler's tables as they stand, as JSON: one after the
other, in a list, or as "aws dynamodb scan" prints them; - is standard input. Writes
them as sections of a configuration file, and says on standard error what means
something else here, was mended or was left out, and why. Nothing is changed: look
at it, then give it to "dayshift apply", or paste it into the file.

SYSTEM is ` + strings.Join(migrate.Systems(), " or ") + `.`,
		Example: "  dayshift import --from jandi schedules.json groups.json exceptions.json > objects.yaml\n" +
			"  dayshift apply objects.yaml --dry-run\n" +
			"  aws dynamodb scan --table-name WorkloadSpecification > w.json",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if system == "" {
				return usage("which system are the files of? say --from %s", strings.Join(migrate.Systems(), " or --from "))
			}
			var options migrate.Options
			var err error
			if account != "" {
				if options.Account, err = fleet.ParseAccountID(account); err != nil {
					return usage("--account: %w", err)
				}
			}
			if zone != "" {
				if options.Timezone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
					return usage("--timezone %q is not the IANA name of a time zone, such as Asia/Seoul", zone)
				}
			}
			var files []migrate.File
			for _, path := range args {
				text, err := readObjectFile(path, cmd.InOrStdin(), config.MaxBytes)
				if err != nil {
					return err
				}
				if len(text) > config.MaxBytes {
					return usage("%s is larger than %d MiB; import it in parts", path, config.MaxBytes>>20)
				}
				if path == "-" {
					path = "standard input"
				}
				files = append(files, migrate.File{Name: path, Text: text})
			}
			draft, err := migrate.Import(system, files, options)
			if err != nil {
				return usage("%w", err)
			}
			// What it wrote is read as apply will read it: what can not be taken is said here, with its line.
			if _, err := config.Sections("what was imported", draft.YAML); err != nil {
				return refused(err)
			}
			return imported(cmd.OutOrStdout(), cmd.ErrOrStderr(), &draft)
		},
	}
	cmd.Flags().StringVar(&system, "from", "", "the other scheduler: "+strings.Join(migrate.Systems(), " or "))
	cmd.Flags().StringVar(&account, "account", "", "the account that it works in, where its items do not say it")
	cmd.Flags().StringVar(&zone, "timezone", "", "the time zone that it was set to, where its items do not say it")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(migrate.Systems(), cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// imported writes a draft, and what became of what is not in it.
func imported(out, notes io.Writer, draft *migrate.Draft) error {
	for _, note := range draft.Notes {
		_, _ = fmt.Fprintln(notes, plain(note.String()))
	}
	_, err := out.Write(draft.YAML)
	return err
}
