package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/config"
	"dayshift/internal/service"
)

func keyCommand(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "API keys: who may do what over HTTP and on the page",
		Long: `A key has a role: viewer (sees everything), operator (also starts and stops
things), editor (also changes schedules and rules), admin (also keys). A filter
can bound it to a part of the fleet. How fast and how often it may ask is bounded
too.

The secret of a key is shown once, when it is made or rotated; the store has
nothing that it could be made from again. These commands work on the store of the
configuration: who may write it may make keys. With --server they need a key that
may manage keys.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keyListCommand(c), keyShowCommand(c), keyCreateCommand(c), keyUpdateCommand(c), keyRotateCommand(c), keyRevokeCommand(c))
	return cmd
}

// keyHelp says how a key is named.
const keyHelp = `KEY is its ID, the 8 characters after dsk_. The whole key, as it was found, does as
well; - reads it from standard input, where no list of processes shows it.`

// longestKey is far more than a key has, and not enough to fill the memory.
const longestKey = 4096

// keyNamed is what the argument KEY means.
func keyNamed(cmd *cobra.Command, text string) (string, error) {
	if text != "-" {
		return text, nil
	}
	read, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), longestKey))
	if err != nil {
		return "", fmt.Errorf("read the key from standard input: %w", err)
	}
	return strings.TrimSpace(string(read)), nil
}

// keyed opens what a command about keys asks.
func (c *common) keyed(cmd *cobra.Command, needs need, do func(keys asker) error) (err error) {
	a, err := c.ask(cmd, needs)
	if err != nil {
		return err
	}
	defer closing(a, &err)
	err = do(a)
	if _, gone := errors.AsType[*service.GoneError](err); gone {
		return &exitError{exitUsage, err}
	}
	return refused(err)
}

// keyIDs completes the IDs of keys.
func (c *common) keyIDs() cobra.CompletionFunc {
	return c.completes(func(ctx context.Context, a asker) (ids []cobra.Completion, err error) {
		keys, err := a.Keys(ctx)
		for i := range keys {
			ids = append(ids, cobra.CompletionWithDesc(keys[i].ID, plain(keys[i].Label)))
		}
		return ids, err
	})
}

func keyListCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List every key",
		Long:  "Those that were revoked are listed for 90 days; the record knows of them for good.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.keyed(cmd, toList, func(keys asker) error {
				list, err := keys.Keys(cmd.Context())
				if err != nil {
					return err
				}
				return write(cmd.OutOrStdout(), c.output, list, func() table { return keysTable(list) })
			})
		},
	}
}

func keysTable(keys []service.KeyView) table {
	t := table{
		columns: []string{"ID", "LABEL", "ROLE", "WITHIN", "STATE", "QUOTA", "EXPIRES", "LAST USED"},
		empty:   "There is none. Make one: dayshift key create NAME --role viewer",
	}
	for i := range keys {
		k := &keys[i]
		within, quota := "everything", "-"
		if k.Within != "" {
			within = k.Within
		}
		if k.Quota != nil {
			quota = fmt.Sprintf("%d of %s", k.Quota.Used, k.Quota.Quota)
		}
		t.add(k.ID, k.Label, k.Role, within, k.State, quota, shortOr(k.Expires, "-"), shortOr(k.LastUsed, "never"))
	}
	return t
}

// shortOr is short for an instant that need not be.
func shortOr(at *time.Time, none string) string {
	if at == nil {
		return none
	}
	return short(*at)
}

func keyShowCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:               "show KEY",
		Short:             "Show one key",
		Long:              keyHelp + "\nIts secret is nowhere and so is not shown.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.keyIDs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.keyed(cmd, toList, func(keys asker) error {
				named, err := keyNamed(cmd, args[0])
				if err != nil {
					return err
				}
				key, err := keys.Key(cmd.Context(), named)
				if err != nil {
					return err
				}
				return c.showKey(cmd, &key)
			})
		},
	}
}

func (c *common) showKey(cmd *cobra.Command, key *service.KeyView) error {
	return write(cmd.OutOrStdout(), c.output, key, func() table { return keyTable(key) })
}

func keyTable(k *service.KeyView) table {
	t := table{columns: []string{"KEY", "VALUE"}}
	t.add("id", k.ID)
	t.add("label", k.Label)
	t.add("role", k.Role)
	if k.Within != "" {
		t.add("within", k.Within)
	}
	t.add("state", k.State)
	if k.Revoked != nil {
		t.add("revoked", short(*k.Revoked)+", by "+k.RevokedBy)
	}
	for _, secret := range k.Secrets {
		until := "with the key"
		if secret.Expires != nil {
			until = short(*secret.Expires)
		}
		t.add("secret", "made "+short(secret.Created)+", ends "+until)
	}
	t.add("rate", k.Rate.String())
	if k.Quota != nil {
		t.add("quota", fmt.Sprintf("%d of %s used, begins anew %s", k.Quota.Used, k.Quota.Quota, short(k.Quota.Resets)))
	}
	t.add("expires", shortOr(k.Expires, "never"))
	t.add("last used", shortOr(k.LastUsed, "never"))
	t.add("created", short(k.Created))
	t.add("changed", short(k.Changed)+", by "+k.Author)
	t.add("version", strconv.FormatInt(k.Version, 10))
	return t
}

// keyFlags are those of create and update.
type keyFlags struct {
	label, role, within, rate, quota, expires string
	burst                                     int
}

func (f *keyFlags) register(cmd *cobra.Command) {
	set := cmd.Flags()
	set.SortFlags = false
	set.StringVar(&f.role, "role", "", "what it may do: viewer, operator, editor or admin")
	set.StringVar(&f.within, "within", "", "a `FILTER` such as tag:Env=dev that bounds it to a part of the fleet; else it is for the whole")
	set.StringVar(&f.expires, "expires", "", "when it ends: a `TIME`, or a distance such as +90d; else it does not end by itself")
	set.StringVar(&f.rate, "rate", "", "how many requests a second it may make in the long run, `N/s`, such as 5/s or 0.5/s (default "+fmt.Sprint(service.DefaultRate.PerSecond)+"/s)")
	set.IntVar(&f.burst, "burst", 0, "how many at once, with --rate (default 5 times the rate, at least 1)")
	set.StringVar(&f.quota, "quota", "", "how many requests in all, `N/day`, N/week or N/month, in UTC")
}

// limits reads the flags of rate and quota; nil for what is not given.
func (f *keyFlags) limits() (rate *service.Rate, quota *service.Quota, err error) {
	if f.rate != "" {
		perSecond, err := strconv.ParseFloat(strings.TrimSuffix(f.rate, "/s"), 64)
		if err != nil {
			return nil, nil, usage("--rate %q is no rate: write 5/s or 0.5/s", f.rate)
		}
		rate = &service.Rate{PerSecond: perSecond, Burst: f.burst}
		if f.burst == 0 && perSecond < 1e9 {
			rate.Burst = max(1, int(5*perSecond))
		}
	} else if f.burst != 0 {
		return nil, nil, usage("--burst %d belongs to a --rate: give both", f.burst)
	}
	if f.quota != "" {
		number, per, _ := strings.Cut(f.quota, "/")
		limit, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, nil, usage("--quota %q is no quota: write 1000/day, 5000/week or 20000/month", f.quota)
		}
		quota = &service.Quota{Limit: limit, Per: per}
	}
	return rate, quota, nil
}

// end reads the flag of the end; nil where it is not given.
func (f *keyFlags) end(c *common, cmd *cobra.Command) (*time.Time, error) {
	if f.expires == "" {
		return nil, nil //nolint:nilnil // no end is an answer
	}
	at, err := c.instant(cmd, "expires", f.expires)
	return &at, err
}

func keyCreateCommand(c *common) *cobra.Command {
	var f keyFlags
	cmd := &cobra.Command{
		Use:   "create LABEL",
		Short: "Make a key and show its secret, this once",
		Long: `LABEL says who or what has the key; changes that are made with it are recorded
under that name. The secret goes to standard output and everything else to standard
error, so that it can be taken by a script.`,
		Example: `  dayshift key create ci --role operator --within tag:Env=dev --quota 1000/day
  dayshift key create dashboard --role viewer --expires +90d > key.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rate, quota, err := f.limits()
			if err != nil {
				return err
			}
			expires, err := f.end(c, cmd)
			if err != nil {
				return err
			}
			if f.role == "" {
				return usage("which role? give --role viewer, operator, editor or admin")
			}
			return c.keyed(cmd, toChange, func(keys asker) error {
				answer, err := keys.CreateKey(cmd.Context(), service.KeyRequest{Label: args[0], Role: f.role, Within: f.within, Rate: rate, Quota: quota, Expires: expires})
				return c.showSecret(cmd, answer, err, "is made")
			})
		},
	}
	f.register(cmd)
	return cmd
}

// showSecret shows the secret of a key, which is there although its use could not be read.
func (c *common) showSecret(cmd *cobra.Command, answer service.KeyAnswer, failed error, done string) error {
	if answer.Secret == "" {
		return failed
	}
	if c.output != "table" {
		return errors.Join(failed, write(cmd.OutOrStdout(), c.output, answer, func() table {
			return table{columns: []string{"ID", "LABEL", "SECRET"}, rows: [][]string{{answer.ID, answer.Label, answer.Secret}}}
		}))
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), answer.Secret); err != nil {
		return errors.Join(failed, fmt.Errorf("show the secret: %w; rotate the key %s for another one", err, answer.ID))
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "key %s (%s) %s. Keep its secret now: nobody can show it again.\n", plain(answer.Label), answer.ID, done)
	return errors.Join(failed, err)
}

func keyUpdateCommand(c *common) *cobra.Command {
	var f keyFlags
	var disabled bool
	var unset []string
	var version int64
	cmd := &cobra.Command{
		Use:   "update KEY",
		Short: "Change what a key may do",
		Long:  keyHelp + "\nWhat is not given stays as it is. Every dayshift on the store goes by it within 5 seconds.",
		Example: `  dayshift key update abcdEF12 --role viewer
  dayshift key update abcdEF12 --disabled
  dayshift key update abcdEF12 --unset quota,expires`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.keyIDs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			change := service.KeyChange{Unset: unset, Version: version}
			var err error
			if change.Rate, change.Quota, err = f.limits(); err != nil {
				return err
			}
			if change.Expires, err = f.end(c, cmd); err != nil {
				return err
			}
			given := cmd.Flags().Changed
			for flag, field := range map[string]struct {
				to    **string
				value *string
			}{"label": {&change.Label, &f.label}, "role": {&change.Role, &f.role}, "within": {&change.Within, &f.within}} {
				if given(flag) {
					*field.to = field.value
				}
			}
			if given("disabled") {
				change.Disabled = &disabled
			}
			return c.keyed(cmd, toChange, func(keys asker) error {
				named, err := keyNamed(cmd, args[0])
				if err != nil {
					return err
				}
				key, err := keys.UpdateKey(cmd.Context(), named, change)
				if err != nil {
					return err
				}
				return c.showKey(cmd, &key)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.label, "label", "", "who or what has it")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "let nobody in with it; --disabled=false lets them in again")
	cmd.Flags().StringSliceVar(&unset, "unset", nil, "take `KEYS` out, of rate, quota, expires and within, with commas between")
	cmd.Flags().Int64Var(&version, "version", 0, "change this version only (0: the present one)")
	return cmd
}

func keyRotateCommand(c *common) *cobra.Command {
	var overlap string
	cmd := &cobra.Command{
		Use:   "rotate KEY",
		Short: "Give a key a new secret, shown this once",
		Long: keyHelp + `
The secret before goes on for --overlap, so that whoever has it can change over.
With --overlap 0s it ends at once, and so do the sessions that the key began:
that is for a secret that became known to others.`,
		Example:           "  dayshift key rotate abcdEF12 --overlap 7d\n  dayshift key rotate abcdEF12 --overlap 0s",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.keyIDs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			length, err := config.ParseDuration(overlap)
			if err != nil {
				return usage("--overlap: %w", err)
			}
			return c.keyed(cmd, toChange, func(keys asker) error {
				named, err := keyNamed(cmd, args[0])
				if err != nil {
					return err
				}
				answer, err := keys.RotateKey(cmd.Context(), named, time.Duration(length))
				done := "has a new secret; the one before has ended"
				if length > 0 {
					done = "has a new secret; the one before goes on for " + length.String()
				}
				return c.showSecret(cmd, answer, err, done)
			})
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", "1d", "how long the secret before goes on, at most 30d")
	return cmd
}

func keyRevokeCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:               "revoke KEY",
		Short:             "End a key and its sessions for good",
		Long:              keyHelp + "\nEvery dayshift on the store refuses it within 5 seconds. It does not come back; --disabled of update is for a while.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.keyIDs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.keyed(cmd, toChange, func(keys asker) error {
				named, err := keyNamed(cmd, args[0])
				if err != nil {
					return err
				}
				key, err := keys.RevokeKey(cmd.Context(), named)
				if err != nil {
					return err
				}
				return c.showKey(cmd, &key)
			})
		},
	}
}
