package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dayshift/internal/config"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/typo"
)

func diffCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "diff FILE",
		Short: "Say what another configuration file would change, before it is taken",
		Long: `Compares the configuration in force, which is the file of --config with the
objects of the store, with FILE and the same objects: the values that change, and
what that does to the fleet now and in the next seven days. Nothing is changed.`,
		Example: "  dayshift diff next.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.Diff(cmd.Context(), args[0], func(warnings []config.Fault) { warn(cmd.ErrOrStderr(), warnings) })
			if err != nil {
				return refused(err)
			}
			if c.output == "table" {
				err = diffText(cmd.OutOrStdout(), &answer)
			} else {
				err = write(cmd.OutOrStdout(), c.output, answer, func() table { return diffTable(&answer) })
			}
			if err != nil {
				return err
			}
			return gapped(&answer.Effect)
		},
	}
}

func warn(w io.Writer, warnings []config.Fault) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(w, "warning: "+plainLines(warning.Error()))
	}
}

func diffText(w io.Writer, answer *service.DiffAnswer) error {
	p := &page{w: w}
	if !answer.Differs {
		p.line("Nothing differs.")
		return p.err
	}
	for _, line := range answer.Changes {
		p.line("%s", plain(line))
	}
	p.line("")
	if p.err != nil {
		return p.err
	}
	return effectText(w, answer.Effect)
}

func diffTable(answer *service.DiffAnswer) table {
	t := table{columns: []string{"CHANGE"}}
	for _, line := range answer.Changes {
		t.add(line)
	}
	return t
}

func applyCommand(c *common) *cobra.Command {
	var prune, dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make the objects of the store those of a file",
		Long: `FILE has the sections periods, holidays, schedules, exceptions and rules, as in a
configuration or as "dayshift export" writes them; - is standard input. What is
not in the store is created, what differs is changed, what is the same is left
alone. With --prune what is not in FILE is deleted from the store.

Everything is checked first, and what it does to the fleet is told as one; where
something is wrong, nothing is written.`,
		Example: "  dayshift apply objects.yaml --dry-run\n  dayshift export | ssh other dayshift apply - --prune",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			text, err := readObjectFile(args[0], cmd.InOrStdin(), config.MaxBytes)
			if err != nil {
				return err
			}
			name := args[0]
			if name == "-" {
				name = "standard input"
			}
			objects, err := config.Sections(name, text)
			if err != nil {
				return refused(err)
			}
			a, err := c.ask(cmd, changing(dryRun))
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, failed := a.Apply(cmd.Context(), text, service.ApplyRequest{Objects: objects, Prune: prune, DryRun: dryRun, Confirmed: yes})
			if failed != nil && answer.Objects == nil {
				return refused(failed)
			}
			if c.output == "table" {
				err = applyText(cmd.OutOrStdout(), &answer, failed)
			} else {
				err = write(cmd.OutOrStdout(), c.output, answer, func() table { return applyTable(&answer) })
			}
			if err != nil {
				return err
			}
			if slices.ContainsFunc(answer.Objects, func(l service.ApplyLine) bool { return l.Saved }) {
				holder, err := a.AtWork(cmd.Context())
				if err != nil {
					return errors.Join(refused(failed), err)
				}
				atWork(cmd.ErrOrStderr(), holder)
			}
			if failed != nil {
				return refused(failed)
			}
			return gapped(&answer.Effect)
		},
	}
	cmd.Flags().BoolVar(&prune, "prune", false, "delete the store's objects that are not in FILE")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would happen and change nothing")
	cmd.Flags().BoolVar(&yes, "yes", false, "confirm a change that stops much more than the day before")
	return cmd
}

func applyTable(answer *service.ApplyAnswer) table {
	t := table{columns: []string{"DID", "KIND", "NAME", "SAVED", "VERSION", "CHANGE"}, empty: "There is nothing in it."}
	for _, l := range answer.Objects {
		version := "-"
		if l.Version > 0 {
			version = fmt.Sprint(l.Version)
		}
		t.add(l.Did, string(l.Kind), l.Name, fmt.Sprint(l.Saved), version, strings.Join(l.Fields, "; "))
	}
	return t
}

// changeWidth bounds what changes of an object in a table, in cells.
const changeWidth = 80

func applyText(w io.Writer, answer *service.ApplyAnswer, failed error) error {
	p := &page{w: w}
	same := 0
	t := table{columns: []string{"", "KIND", "NAME", "VERSION", "CHANGE"}}
	for _, l := range answer.Objects {
		if l.Did == service.Unchanged {
			same++
			continue
		}
		did := l.Did
		switch {
		case answer.DryRun:
			did = "would be " + did
		case !l.Saved:
			did = "not " + did
		}
		version := "-"
		if l.Version > 0 {
			version = fmt.Sprint(l.Version)
		}
		t.add(did, string(l.Kind), l.Name, version, display.Truncate(plain(strings.Join(l.Fields, "; ")), changeWidth, "…"))
	}
	if len(t.rows) > 0 {
		p.table(t)
	}
	if same > 0 || len(t.rows) == 0 {
		p.line("unchanged: %d", same)
	}
	if len(t.rows) == 0 || failed != nil && !isConfirm(failed) || p.err != nil {
		return p.err
	}
	p.line("")
	if p.err == nil {
		p.err = effectText(w, answer.Effect)
	}
	return p.err
}

func isConfirm(err error) bool {
	_, confirm := errors.AsType[*service.ConfirmError](err)
	return confirm
}

func exportCommand(c *common) *cobra.Command {
	var all bool
	var words []string
	for _, kind := range service.ObjectKinds {
		words = append(words, string(kind))
	}
	cmd := &cobra.Command{
		Use:   "export [KIND…]",
		Short: "Write the objects of the store as YAML that apply and a configuration take",
		Long: `Writes the objects of the store as the sections of a configuration file. KIND is
` + strings.Join(words, ", ") + `; none: all. With --all those of the file
come along. It is YAML whatever -o says.`,
		Example:   "  dayshift export > objects.yaml\n  dayshift export --all schedule period",
		ValidArgs: words,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var kinds []store.ObjectKind
			for _, arg := range args {
				kind, ok := objectWord(arg, words)
				if !ok {
					hint := "known are " + strings.Join(words, ", ")
					if near, ok := typo.Nearest(arg, words); ok {
						hint = fmt.Sprintf("did you mean %s?", near)
					}
					return usage("%q is no kind of object; %s", arg, hint)
				}
				kinds = append(kinds, kind)
			}
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			text, err := a.Export(cmd.Context(), all, kinds...)
			if err != nil {
				return refused(err)
			}
			if len(text) == 0 {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "there are no objects to write")
				return nil
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "the objects of the file too")
	return cmd
}

// objectWord reads a kind, in the singular or as its section is called.
func objectWord(word string, words []string) (store.ObjectKind, bool) {
	word = strings.TrimSuffix(strings.ToLower(word), "s")
	return store.ObjectKind(word), slices.Contains(words, word)
}
