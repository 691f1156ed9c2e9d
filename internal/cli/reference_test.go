package cli

//go:generate go test -run TestReference -update .

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dayshift/internal/golden"
)

// referencePage is where the generated page lies.
const referencePage = "../../docs/cli.md"

// exits says for each command that is no mere group what its exit codes other
// than 2 mean: 2 is wrong usage or configuration everywhere.
var exits = map[string]string{
	"dayshift demo":                "0: it ended after `--days`, or was interrupted. 1: it could not run, such as an address in use.",
	"dayshift serve":               "0: told to stop, and everything under way has ended. 1: it could not start, or a part of it failed.",
	"dayshift watch":               "0: told to stop. 1: it could not listen, or not keep what was told. 2: also for a configuration without a heartbeat, and where nobody would be told.",
	"dayshift run":                 "0: done, also where a limit held stops back. 1: nothing could be done, such as a store that cannot be written. 3: some scopes were gaps or some resources failed; everything else was done.",
	"dayshift preview":             "0: the whole fleet was seen. 2: also for a schedule that does not exist. 3: some scopes were gaps.",
	"dayshift explain":             "0: explained. 1: no such resource, or it could not be asked for. 2: also for a schedule that does not exist.",
	"dayshift resource list":       "0: the whole fleet was seen. 3: some scopes were gaps.",
	"dayshift start":               "0: the override is made. 1: nothing answers to the target, or the store cannot be written. 2: also for a target, an end or a limit that does not allow it. 3: made, but some scopes were gaps.",
	"dayshift stop":                "0: the override is made. 1: nothing answers to the target, or the store cannot be written. 2: also for a target, an end or a limit that does not allow it. 3: made, but some scopes were gaps.",
	"dayshift override list":       "0: listed. 1: the store cannot be read. 3: some scopes were gaps, and their resources are not counted.",
	"dayshift override show":       "0: shown. 2: also for an override that is not there. 3: some scopes were gaps.",
	"dayshift override extend":     "0: changed. 1: another version is there, or the store cannot be written. 2: also for an override that is not there, and an end that is not allowed. 3: changed, but some scopes were gaps.",
	"dayshift override cut":        "0: changed. 1: another version is there, or the store cannot be written. 2: also for an override that is not there, and an end that is not allowed. 3: changed, but some scopes were gaps.",
	"dayshift override clear":      "0: cleared. 1: none could be cleared. 2: also for an override that is not there. 3: some could not be cleared, or some scopes were gaps.",
	"dayshift key list":            "0: listed. 1: the store cannot be read.",
	"dayshift key show":            "0: shown. 2: also for a key that is not there.",
	"dayshift key create":          "0: made. 1: the store cannot be written.",
	"dayshift key update":          "0: changed, or it was so. 1: another version is there, or the store cannot be written. 2: also for a key that is not there or was revoked.",
	"dayshift key rotate":          "0: rotated. 1: the store cannot be written. 2: also for a key that is not there, was revoked or has expired.",
	"dayshift key revoke":          "0: revoked. 1: the store cannot be written. 2: also for a key that is not there or was revoked.",
	"dayshift import":              "0: written. 2: also for what cannot be read or has no meaning here.",
	"dayshift workload status":     "0: shown. 2: also for a workload that is not there.",
	"dayshift workload runs":       "0: listed. 2: also for a workload that is not there.",
	"dayshift workload start":      "0: asked for; with `--wait`: done. 1: with `--wait`: it did not end well, or is held. 2: also for a workload that is not there or cannot be started now. 3: with `--wait`: something was left out, or it goes on; with `--dry-run`: some scopes were gaps.",
	"dayshift workload stop":       "0: asked for; with `--wait`: done. 1: with `--wait`: it did not end well, or is held. 2: also for a workload that is not there or cannot be stopped now. 3: with `--wait`: something was left out, or it goes on; with `--dry-run`: some scopes were gaps.",
	"dayshift workload cancel":     "0: asked for. 1: with `--wait`: it was cancelled, or did not end well. 2: also where no such run is under way. 3: with `--wait`: it goes on.",
	"dayshift workload resume":     "0: asked for; with `--wait`: done. 1: with `--wait`: it did not end well, or is held again. 2: also where no such run is under way. 3: with `--wait`: something was left out, or it goes on.",
	"dayshift channel list":        "0: listed. 1: the store cannot be read.",
	"dayshift channel show":        "0: shown. 2: also for a channel that is not there.",
	"dayshift channel test":        "0: the channel took it. 1: it did not, or the store cannot be written. 2: also for a channel that is not there.",
	"dayshift channel again":       "0: asked for. 1: the store cannot be written. 2: also where nothing was given up.",
	"dayshift channel preview":     "0: shown. 2: also for a channel, kind or language that is not there.",
	"dayshift activity":            "0: shown. 1: the store cannot be read.",
	"dayshift activity verify":     "0: the chain holds. 1: it is broken, or the store cannot be read.",
	"dayshift doctor":              "0: all scopes are in order. 1: none is. 3: some are.",
	"dayshift validate":            "0: the file is in order, warnings or not, such as those of objects that are set aside. 2: it has faults.",
	"dayshift diff":                "0: compared, whether anything differs or not. 2: also for faults in FILE. 3: compared, but some scopes were gaps.",
	"dayshift apply":               "0: the store has the objects of FILE. 1: another version is there, it has to be confirmed, or the store cannot be written: nothing was changed. 2: also for faults in FILE. 3: only some objects were written, or some scopes were gaps.",
	"dayshift export":              "0: written.",
	"dayshift reservation approve": "0: approved, now or before. 2: also for whoever changed it last, and for one that needs no approval.",
	"dayshift reservation status":  "0: shown. 2: also for a reservation that is not there.",
	"dayshift schedule calendar":   "0: drawn. 2: also for a schedule that does not exist.",
	"dayshift eval":                "0: every line was answered, refusals included. 1: standard input or output failed.",
	"dayshift sim":                 "0: interrupted. 1: it could not run, such as an address in use. 2: also for a faulty fleet or faults file.",
	"dayshift version":             "0.",
	"dayshift completion":          "0.",
}

// allExits is exits with the commands of every kind of object.
func allExits() map[string]string {
	all := maps.Clone(exits)
	for _, k := range objectKinds {
		command := "dayshift " + string(k.kind) + " "
		all[command+"list"] = "0: listed."
		all[command+"show"] = "0: shown. 2: also for one that does not exist. 3: shown, but some scopes were gaps."
		for verb, did := range map[string]string{"create": "made", "update": "changed", "delete": "deleted"} {
			all[command+verb] = fmt.Sprintf("0: %s, or it was a dry run. 1: it has to be confirmed, another version is there, or the store cannot be written: nothing was changed. 2: also for what is at fault, belongs to the file or is needed by others. 3: %s, but some scopes were gaps, so the effect is not known whole.", did, did)
		}
	}
	return all
}

const referenceIntro = `# Command line

<!-- Generated from the commands themselves by go generate ./internal/cli. Do not edit. -->

Answers go to standard output; progress, warnings and errors go to standard error.

Every command takes ` + "`--config FILE` and `-o table|json|yaml|csv`" + `. In JSON and YAML times are RFC 3339 in UTC; tables show
them in the terminal's zone. CSV has the columns of the table.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | wrong usage or configuration; nothing was done |
| 3 | done in part: some scopes or resources failed, everything else was done |

**Times** (` + "`--at`, `--from`, `--to`" + `) are ` + "`2027-02-05T09:00:00+09:00`, `2027-02-05T09:00` or `2027-02-05` (both UTC), `now`" + `, or a
distance from now such as ` + "`+2h` or `-7d`" + `.

**Filters** (` + "`--filter`, and `protect` in the configuration" + `) are terms with commas between them. Of several values for one key
one has to match, different keys have to match all. ` + "`*` stands for any text, `?` for one character, `\\`" + ` takes that meaning
away; case matters. Keys: ` + "`account`, `arn`, `availability-zone`, `instance-id`, `instance-type`, `name`, `region`, `resource-type`, `tag:KEY`" + `.

**Another machine**: with ` + "`--server ADDRESS` and `--api-key KEY`" + ` a command asks a Dayshift that runs there, and says and ends as it does on
the store; see [operations](operations.md#from-another-machine).

Environment: ` + "`DAYSHIFT_CONFIG`" + ` names the configuration, ` + "`DAYSHIFT_SERVER` and `DAYSHIFT_API_KEY`" + ` a server and the key for it; AWS's own
variables work as everywhere ([operations](operations.md#the-way-to-aws)).
`

// TestReference holds docs/cli.md to the commands. With -update it writes it anew.
func TestReference(t *testing.T) {
	text := reference(t, rootCommand())
	golden.Check(t, referencePage, text, "go generate ./internal/cli")
}

func reference(t *testing.T, root *cobra.Command) string {
	t.Helper()
	exits := allExits()
	var commands []*cobra.Command
	var collect func(*cobra.Command)
	collect = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Hidden || sub.Name() == "help" {
				continue
			}
			if _, known := exits[sub.CommandPath()]; known {
				commands = append(commands, sub)
			} else if !sub.HasSubCommands() {
				t.Errorf("%s: say in exits what its exit codes mean", sub.CommandPath())
			}
			if sub.Name() != "completion" { // cobra's: one command for each shell
				collect(sub)
			}
		}
	}
	collect(root)
	if len(commands) != len(exits) {
		t.Errorf("exits has %d commands, the program %d", len(exits), len(commands))
	}

	var b strings.Builder
	b.WriteString(referenceIntro)
	b.WriteString("\n| command | does |\n| --- | --- |\n")
	for _, cmd := range commands {
		name := strings.TrimPrefix(cmd.CommandPath(), "dayshift ")
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", name, strings.ReplaceAll(cmd.CommandPath(), " ", "-"), cell(cmd.Short))
	}
	fmt.Fprintf(&b, "\nFlags of every command:\n\n%s", flags(root.PersistentFlags()))
	for _, cmd := range commands {
		fmt.Fprintf(&b, "\n## %s\n\n", cmd.CommandPath())
		usage := cmd.UseLine()
		switch {
		case cmd.Name() == "completion":
			b.WriteString("Writes a script that makes the shell complete commands and flags; `dayshift completion bash --help` says how to load it.\n")
			usage = "dayshift completion bash|zsh|fish|powershell [--no-descriptions]"
		case cmd.Long == "":
			fmt.Fprintf(&b, "%s.\n", cmd.Short)
		default:
			b.WriteString(prose(cmd.Long))
		}
		fmt.Fprintf(&b, "\n```text\n%s\n```\n", usage)
		if example := strings.TrimRight(cmd.Example, "\n"); example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", unindent(example))
		}
		if list := flags(cmd.NonInheritedFlags()); list != "" {
			b.WriteString("\n" + list)
		}
		fmt.Fprintf(&b, "\nExit codes: %s\n", exits[cmd.CommandPath()])
	}
	return b.String()
}

// flags is a table of flags; empty without any but help.
func flags(set *pflag.FlagSet) string {
	var b strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			name += " " + value
		}
		given := f.DefValue
		if given == "" || given == "[]" || f.Value.Type() == "bool" {
			given = "–"
		} else {
			given = "`" + given + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", cell(name), given, cell(usage))
	})
	if b.Len() == 0 {
		return ""
	}
	return "| flag | default | meaning |\n| --- | --- | --- |\n" + b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// prose keeps paragraphs as they are and puts indented blocks into fences.
func prose(text string) string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if block := strings.HasPrefix(line, "  "); block != fenced {
			fenced = block
			if block {
				b.WriteString("```text\n")
			} else {
				b.WriteString("```\n")
			}
		}
		if fenced {
			line = strings.TrimPrefix(line, "  ")
		}
		b.WriteString(line + "\n")
	}
	if fenced {
		b.WriteString("```\n")
	}
	return b.String()
}

func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
