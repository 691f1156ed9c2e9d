package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"dayshift/internal/config"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/typo"
)

// objectKind is one of the commands schedule, period, exception, holiday, rule and reservation.
type objectKind struct {
	kind     store.ObjectKind
	short    string
	long     string
	examples map[string]string // by subcommand
}

var objectKinds = []objectKind{
	{
		kind: store.ScheduleObject, short: "Schedules: what resources that carry their name run by",
		examples: map[string]string{
			"create": "  dayshift schedule create seoul-night --timezone Asia/Seoul --periods night,weekend@t3.small --dry-run",
			"update": "  dayshift schedule update seoul-night --enforced --notify-before-stop 10m\n  dayshift schedule update seoul-night --unset jitter --version 3",
			"delete": "  dayshift schedule delete seoul-night --dry-run",
		},
	},
	{
		kind: store.PeriodObject, short: "Periods: the windows of time that schedules are put together from",
		examples: map[string]string{
			"create": "  dayshift period create night --begintime 22:00 --endtime 06:00 --weekdays mon-fri",
			"update": "  dayshift period update night --endtime 07:00",
			"delete": "  dayshift period delete night",
		},
	},
	{
		kind: store.ExceptionObject, short: "Exceptions: on a date, a schedule starts or stops at another time or not at all",
		long: `An exception has no name of its own: it is known by its schedule, its date or
range and its type, as in seoul-office:2027-02-05:stop.`,
		examples: map[string]string{
			"create": "  dayshift exception create --schedule seoul-office --date 2027-02-05 --type stop --value 21:00 --note release",
			"update": "  dayshift exception update seoul-office:2027-02-05:stop --value 22:00",
			"delete": "  dayshift exception delete seoul-office:2027-02-05:stop\n  dayshift exception delete --schedule seoul-office --date 2027-02-05 --type stop",
		},
	},
	{
		kind: store.HolidayObject, short: "Holiday calendars: days off and make-up working days",
		examples: map[string]string{
			"create": "  dayshift holiday create company --builtin kr --day 2027-05-03='Founding day'\n  dayshift holiday create cn-plant --day 2026-10-08='National Day' --make-up 2026-10-10=thu:National\\ Day",
			"update": "  dayshift holiday update company --day 2027-12-24 --remove-day 2027-05-03",
			"delete": "  dayshift holiday delete company",
		},
	},
	{
		kind: store.WorkloadObject, short: "Workloads: tiers of resources that start and stop in an order",
		examples: map[string]string{
			"create": "  dayshift workload create shop --schedule seoul-office --tiers '{db: {filters: \"tag:Role=DB\"}, web: {filters: \"tag:Role=Web\", depends_on: [db]}}' --dry-run\n  dayshift workload create shop --file shop.yaml",
			"update": "  dayshift workload update shop --enabled=false",
			"delete": "  dayshift workload delete shop",
		},
	},
	{
		kind: store.RuleObject, short: "Rules: at the instants of an expression, do something with what a filter matches",
		examples: map[string]string{
			"create": "  dayshift rule create nightly --expression 'cron(55 23 * * ? *)' --timezone Asia/Seoul --action stop --filters tag:Name=batch --dry-run",
			"update": "  dayshift rule update nightly --enabled=false",
			"delete": "  dayshift rule delete nightly",
		},
	},
	{
		kind: store.ReservationObject, short: "Reservations: EC2 capacity that is held while it is wanted",
		examples: map[string]string{
			"create": "  dayshift reservation create black-friday --account 111122223333 --region ap-northeast-1 --instance-type r5b.2xlarge --zones ap-northeast-1c --count 15 --from 2026-11-26T18:00 --to 2026-11-30T12:00 --dry-run",
			"update": "  dayshift reservation update black-friday --count 20",
			"delete": "  dayshift reservation delete black-friday",
		},
	},
}

func objectCommands(c *common) []*cobra.Command {
	var list []*cobra.Command
	for i := range objectKinds {
		k := &objectKinds[i]
		cmd := &cobra.Command{Use: string(k.kind), Short: k.short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
		cmd.AddCommand(objectListCommand(c, k), objectShowCommand(c, k), objectSaveCommand(c, k, "create"), objectSaveCommand(c, k, "update"), objectDeleteCommand(c, k))
		switch k.kind { //nolint:exhaustive // the others have no more
		case store.ScheduleObject:
			cmd.AddCommand(calendarCommand(c))
		case store.ReservationObject:
			cmd.AddCommand(reservationStatusCommand(c), reservationApproveCommand(c))
		case store.WorkloadObject:
			cmd.AddCommand(workloadCommands(c)...)
		}
		list = append(list, cmd)
	}
	return list
}

// refused gives what can not be done its exit code.
func refused(err error) error {
	var wrong *service.InputError
	var faults config.Faults
	var part *service.PartError
	var confirm *service.ConfirmError
	switch {
	case errors.As(err, &part):
		return &exitError{exitPartial, err}
	case errors.As(err, &wrong), errors.As(err, &faults):
		return &exitError{exitUsage, err}
	case errors.As(err, &confirm):
		return fmt.Errorf("%w; if it is meant, repeat with --yes", err)
	}
	return err
}

// objectNames completes the names of objects.
func (c *common) objectNames(kind store.ObjectKind) cobra.CompletionFunc {
	return c.completes(func(ctx context.Context, a asker) (names []cobra.Completion, err error) {
		list, err := a.Objects(ctx, kind)
		for i := range list {
			names = append(names, list[i].Name)
		}
		return names, err
	})
}

func objectListCommand(c *common, k *objectKind) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("List every %s, of the file and of the store", k.kind),
		Long: `Those of the file belong to it and are changed there; those of the store have a
version. One that is set aside counts for nothing until its fault is mended.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			list, err := a.Objects(cmd.Context(), k.kind)
			if err != nil {
				return refused(err)
			}
			return write(cmd.OutOrStdout(), c.output, list, func() table { return objectsTable(list, c.output == "table") })
		},
	}
}

// factsWidth bounds the facts of an object in a table, in cells.
const factsWidth = 70

func objectsTable(list []config.Object, narrow bool) table {
	t := table{columns: []string{"NAME", "OWNER", "VERSION", "SAYS", "FAULT"}, empty: "There is none."}
	for i := range list {
		o := &list[i]
		owner, version := "store", fmt.Sprint(o.Version)
		if o.File {
			owner, version = o.Where.String(), "-"
		} else if o.Author != "" {
			owner += ", " + o.Author
		}
		facts := objectFacts(o)
		if narrow {
			facts = display.Truncate(plain(facts), factsWidth, "…")
		}
		t.add(o.Name, owner, version, facts, firstFault(o))
	}
	return t
}

// firstFault says why an object is set aside.
func firstFault(o *config.Object) string {
	faults, _ := errors.AsType[config.Faults](o.Fault)
	if len(faults) == 0 {
		return ""
	}
	text := "set aside: " + faults[0].Summary()
	if more := len(faults) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// objectFacts says on one line what stands in an object.
func objectFacts(o *config.Object) string {
	var values map[string]any
	if json.Unmarshal(o.Spec, &values) != nil {
		return string(o.Spec)
	}
	var parts []string
	for _, field := range config.Fields(o.Kind) {
		value, given := values[field.Key]
		if !given {
			continue
		}
		text := fmt.Sprint(value)
		if list, ok := value.([]any); ok {
			text = strings.Join(texts(list), ",")
			if field.Form == config.StructuresForm {
				text = fmt.Sprint(len(list))
			}
		}
		if named, ok := value.(map[string]any); ok {
			text = strings.Join(slices.Sorted(maps.Keys(named)), ",")
		}
		parts = append(parts, field.Key+" "+text)
	}
	return strings.Join(parts, "; ")
}

func texts(list []any) []string {
	var words []string
	for _, item := range list {
		words = append(words, fmt.Sprint(item))
	}
	return words
}

func objectShowCommand(c *common, k *objectKind) *cobra.Command {
	long := "Shows an object as the YAML that --file takes, with who it belongs to in comments."
	switch k.kind { //nolint:exhaustive // the others have no more to say
	case store.ScheduleObject:
		long += "\nBelow it: how many resources it governs and when it changes next."
	case store.WorkloadObject:
		long += "\nBelow it: its tiers in their order, what each of them matches now, and what is in two tiers."
	case store.RuleObject:
		long += "\nBelow it: its next ten instants, what its filter matches now and its conflicts."
	case store.HolidayObject:
		long += "\nBelow it: the years that it covers, and the age of what was fetched."
	case store.ExceptionObject:
		long += "\n" + k.long
	case store.ReservationObject:
		long += "\nBelow it: what is held and used, what it costs and what comes next."
	}
	return &cobra.Command{
		Use:               "show NAME",
		Short:             fmt.Sprintf("Show one %s", k.kind),
		Long:              long,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.objectNames(k.kind),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			view, err := a.Object(cmd.Context(), k.kind, args[0])
			if err != nil {
				return refused(err)
			}
			if c.output == "table" {
				err = showObject(cmd.OutOrStdout(), &view)
			} else {
				err = write(cmd.OutOrStdout(), c.output, view, func() table { return specTable(&view.Object) })
			}
			if err != nil {
				return err
			}
			return partly(cmd.ErrOrStderr(), view.Gaps)
		},
	}
}

func specTable(o *config.Object) table {
	t := table{columns: []string{"KEY", "VALUE"}}
	var values map[string]json.RawMessage
	if json.Unmarshal(o.Spec, &values) != nil {
		t.add("", string(o.Spec))
		return t
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		text := string(values[key])
		var word string
		if json.Unmarshal(values[key], &word) == nil {
			text = word
		}
		t.add(key, text)
	}
	return t
}

// noteWidth is where sentences are broken, in cells.
const noteWidth = 100

// showObject writes an object as YAML, and what is to be known of it as comments.
func showObject(w io.Writer, v *service.ObjectView) error {
	p := &page{w: w}
	if v.File {
		p.line("# %s %s, of the file: %s", v.Kind, plain(v.Name), plain(v.Where.String()))
	} else {
		p.line("# %s %s, of the store: version %d, by %s", v.Kind, plain(v.Name), v.Version, plain(orSomebody(v.Author)))
		p.line("# created %s, changed %s", v.Created.UTC().Format(time.RFC3339), v.Changed.UTC().Format(time.RFC3339))
	}
	if text := firstFault(&v.Object); text != "" {
		p.line("# %s", plain(text))
	}
	text, err := config.YAML(v.Kind, v.Spec)
	if err != nil { // of one that is set aside
		if text, err = yaml.JSONToYAML(v.Spec); err != nil {
			return fmt.Errorf("write the %s as YAML: %w", v.Kind, err)
		}
	}
	p.line("%s", strings.TrimRight(plainLines(string(text)), "\n"))
	if len(v.Notes) > 0 {
		p.line("")
	}
	for _, note := range v.Notes {
		for _, line := range wrapped(plain(note.String()), noteWidth-len("# ")) {
			p.line("# %s", line)
		}
	}
	return p.err
}

func orSomebody(author string) string {
	if author == "" {
		return "somebody"
	}
	return author
}

// wrapped breaks a text between words so that no line is wider than so many cells, but for a single word that is.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case display.StringWidth(line)+1+display.StringWidth(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// fieldFlag is a flag for one key of an object.
type fieldFlag struct {
	field config.Field
	text  string
	given bool
}

func (f *fieldFlag) String() string { return "" }

// Set takes the text as it is: what is wrong with it is said in the words of a file.
func (f *fieldFlag) Set(text string) error {
	f.text, f.given = text, true
	return nil
}

// Type is what the help shows as the value.
func (f *fieldFlag) Type() string {
	if words := strings.Join(f.field.Enum, "|"); words != "" && len(words) <= widestValue {
		return words
	}
	return string(f.field.Form)
}

// widestValue is how wide a value's words may be in the help, whose column of flags is as wide as the widest: what is wider
// stands in the explanation.
const widestValue = 60

// fileKeyFlag is the flag of a holiday calendar's key file: --file is the object itself.
const fileKeyFlag = "ics"

// usageOf is what the reference says of a key. Backquotes would be taken for the name of the value.
func usageOf(field config.Field) string {
	usage := strings.NewReplacer("`", "", "the folder of this file", "the folder of the configuration", "the timezone of the file", "that of the configuration").Replace(field.Doc)
	if len(strings.Join(field.Enum, "|")) > widestValue {
		usage += " One of " + strings.Join(field.Enum, ", ") + "."
	}
	return usage
}

func flagOf(field config.Field) string {
	if field.Key == "file" {
		return fileKeyFlag
	}
	return strings.ReplaceAll(field.Key, "_", "-")
}

// saveFlags are those of create and update.
type saveFlags struct {
	kind                      store.ObjectKind
	fields                    []*fieldFlag
	file                      string
	unset                     []string
	days, makeUp, removedDays []string
	version                   int64
	dryRun, yes               bool
}

func (f *saveFlags) register(cmd *cobra.Command, update bool) {
	set := cmd.Flags()
	set.SortFlags = false
	for _, field := range config.Fields(f.kind) {
		if field.Form == config.StructuresForm && f.kind != store.WorkloadObject { // small ones have flags of their own, or a file
			continue
		}
		flag := &fieldFlag{field: field}
		f.fields = append(f.fields, flag)
		usage := usageOf(field)
		if field.Default != "" && !update {
			usage += " (default " + field.Default + ")"
		}
		set.Var(flag, flagOf(field), usage)
		if field.Form == config.BoolForm {
			set.Lookup(flagOf(field)).NoOptDefVal = "true"
		}
	}
	if f.kind == store.HolidayObject {
		set.StringArrayVar(&f.days, "day", nil, "a day off, `DATE[=NAME]`; can be given several times")
		set.StringArrayVar(&f.makeUp, "make-up", nil, "a make-up working day, `DATE[=WEEKDAY][:NAME]`, Monday where no weekday is named; can be given several times")
		if update {
			set.StringArrayVar(&f.removedDays, "remove-day", nil, "take a `DATE` out of the days off and make-up days; can be given several times")
		}
	}
	what := "take the object from a `FILE` with what stands below its name, as YAML or JSON; - is standard input"
	if update {
		what += ". It stands for the whole object"
		set.StringSliceVar(&f.unset, "unset", nil, "take `KEYS` out of the object, with commas between")
		set.Int64Var(&f.version, "version", service.PresentVersion, "change this version only (-1: the present one)")
	}
	set.StringVar(&f.file, "file", "", what)
	set.BoolVar(&f.dryRun, "dry-run", false, "say what would happen and change nothing")
	set.BoolVar(&f.yes, "yes", false, "confirm a change that stops much more than the day before")
}

// nothing reports whether no flag says anything of the object.
func (f *saveFlags) nothing() bool {
	return f.file == "" && len(f.unset)+len(f.days)+len(f.makeUp)+len(f.removedDays) == 0 &&
		!slices.ContainsFunc(f.fields, func(flag *fieldFlag) bool { return flag.given })
}

// spec puts the object together: from a file or what it was, with what the flags say.
func (f *saveFlags) spec(stdin io.Reader, label string, held json.RawMessage) (json.RawMessage, error) {
	base := held
	if f.file != "" {
		text, err := readObjectFile(f.file, stdin, config.MaxSpec)
		if err != nil {
			return nil, err
		}
		name := f.file
		if name == "-" {
			name = "standard input"
		}
		if base, err = config.Spec(f.kind, name, text); err != nil {
			return nil, err
		}
	}
	values := map[string]any{}
	if len(base) > 0 {
		reader := json.NewDecoder(bytes.NewReader(base))
		reader.UseNumber()
		if err := reader.Decode(&values); err != nil || values == nil {
			return nil, usage("%s is at fault and can not be changed key by key: give all of it with --file, or delete it", label)
		}
	}
	var keys []string
	for _, field := range config.Fields(f.kind) {
		keys = append(keys, field.Key)
	}
	for _, key := range f.unset {
		key = strings.ReplaceAll(strings.TrimSpace(key), "-", "_")
		if key == fileKeyFlag {
			key = "file"
		}
		if _, given := values[key]; !given && !slices.Contains(keys, key) {
			hint := "known are " + strings.Join(keys, ", ")
			if near, ok := typo.Nearest(key, keys); ok {
				hint = fmt.Sprintf("did you mean %s?", near)
			}
			return nil, usage("--unset %s: %s %s has no such key; %s", key, service.Article(f.kind), f.kind, hint)
		}
		delete(values, key)
	}
	for _, flag := range f.fields {
		if !flag.given {
			continue
		}
		value, err := flag.field.Value(flag.text)
		if err != nil {
			return nil, err
		}
		values[flag.field.Key] = value
	}
	if err := f.dates(values); err != nil {
		return nil, err
	}
	return config.SpecOf(f.kind, label, values)
}

// dates puts --day, --make-up and --remove-day into the lists of a calendar.
func (f *saveFlags) dates(values map[string]any) error {
	take := func(key, date string) {
		list, _ := values[key].([]any)
		list = slices.DeleteFunc(list, func(item any) bool {
			day, _ := item.(map[string]any)
			return day["date"] == date
		})
		if values[key] = list; len(list) == 0 {
			delete(values, key)
		}
	}
	put := func(key string, day map[string]any) {
		date, _ := day["date"].(string)
		take("days", date)
		take("make_up", date)
		list, _ := values[key].([]any)
		values[key] = append(list, day)
	}
	for _, date := range f.removedDays {
		was := len(fmt.Sprint(values))
		take("days", date)
		take("make_up", date)
		if len(fmt.Sprint(values)) == was {
			return usage("--remove-day %s: it is not among the calendar's own days", date)
		}
	}
	for _, text := range f.days {
		date, name, named := strings.Cut(text, "=")
		day := map[string]any{"date": strings.TrimSpace(date)}
		if named {
			day["name"] = name
		}
		put("days", day)
	}
	for _, text := range f.makeUp {
		rest, name, named := strings.Cut(text, ":")
		date, weekday, counted := strings.Cut(rest, "=")
		day := map[string]any{"date": strings.TrimSpace(date)}
		if counted && weekday != "" {
			day["as"] = strings.TrimSpace(weekday)
		}
		if named {
			day["name"] = name
		}
		put("make_up", day)
	}
	return nil
}

// readObjectFile reads a file, or standard input for "-", up to a little more than limit bytes: what is larger is refused by who parses it.
func readObjectFile(path string, stdin io.Reader, limit int64) ([]byte, error) {
	reader := stdin
	if path != "-" {
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is not a regular file; - is standard input")
		}
		if err != nil {
			return nil, usage("--file %s can not be read: %w", path, err)
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, usage("--file %s can not be read: %w", path, err)
		}
		defer func() { _ = file.Close() }() // only read from
		reader = file
	}
	text, err := io.ReadAll(io.LimitReader(reader, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// exceptionName names the exception that the flags describe; empty where they do not.
func (f *saveFlags) exceptionName() string {
	values := map[string]string{}
	for _, flag := range f.fields {
		values[flag.field.Key] = flag.text
	}
	if values["schedule"] == "" || values["type"] == "" || values["date"] == "" && (values["from"] == "" || values["to"] == "") {
		return ""
	}
	return config.ExceptionName(config.Exception{Schedule: values["schedule"], Date: values["date"], From: values["from"], To: values["to"], Type: values["type"]})
}

const exceptionFlags = "name the exception, or give --schedule, --date (or --from and --to) and --type"

func objectSaveCommand(c *common, k *objectKind, verb string) *cobra.Command {
	f := &saveFlags{kind: k.kind}
	update, isException := verb == "update", k.kind == store.ExceptionObject
	cmd := &cobra.Command{
		Use:     verb + " NAME",
		Short:   fmt.Sprintf("Make a new %s in the store", k.kind),
		Example: k.examples[verb],
		Args:    cobra.ExactArgs(1),
		Long: `Tells what the change does to the fleet before it is made: what starts or stops
now and in the next seven days. A change that would stop far more than the day
before is made with --yes only.`,
	}
	if update {
		cmd.Short = fmt.Sprintf("Change %s %s of the store", service.Article(k.kind), k.kind)
		cmd.Long = "What is not given stays as it is.\n\n" + cmd.Long
		cmd.ValidArgsFunction = c.objectNames(k.kind)
	}
	if isException {
		cmd.Use, cmd.Args = verb, cobra.NoArgs
		if update {
			cmd.Use, cmd.Args = "update [NAME]", cobra.MaximumNArgs(1)
		}
		cmd.Long = k.long + "\n\n" + cmd.Long
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if update && f.version != service.PresentVersion && f.version < 1 {
			return usage("--version %d: versions begin at 1", f.version)
		}
		name := strings.Join(args, "")
		if isException && update && name == "" {
			if name = f.exceptionName(); name == "" {
				return usage("which exception? %s", exceptionFlags)
			}
		}
		if update && f.nothing() {
			return usage("what is to change? give keys, --unset or --file; see `%s --help`", cmd.CommandPath())
		}
		a, err := c.ask(cmd, changing(f.dryRun))
		if err != nil {
			return err
		}
		defer closing(a, &err)
		change := service.ObjectChange{Kind: k.kind, Name: name, DryRun: f.dryRun, Confirmed: f.yes}
		var held json.RawMessage
		if update {
			change.Version = f.version
			found, err := a.Find(cmd.Context(), k.kind, name)
			if err != nil {
				return refused(err)
			}
			held = found.Spec
			if change.Version == service.PresentVersion && found.Version > 0 {
				change.Version = found.Version // what is not given stays as it was read here
			}
		}
		if update && held == nil { // what its spec lacks is not what is to be said
			change.Spec, change.DryRun = json.RawMessage("{}"), true
			if _, err := a.SaveObject(cmd.Context(), change); err != nil {
				return refused(err)
			}
			return fmt.Errorf("%s %q was made by somebody else just now: do it again", k.kind, name)
		}
		label := strings.TrimSpace(string(k.kind) + " " + name)
		if change.Spec, err = f.spec(cmd.InOrStdin(), label, held); err != nil {
			return refused(err)
		}
		if isException {
			var e config.Exception
			if err := json.Unmarshal(change.Spec, &e); err != nil {
				return fmt.Errorf("read the exception: %w", err)
			}
			if full := config.ExceptionName(e); !update {
				change.Name = full
			} else if full != name {
				return usage("an exception is known by its schedule, its dates and its type: make %s anew, and delete %s", full, name)
			}
		}
		answer, err := a.SaveObject(cmd.Context(), change)
		return c.changed(cmd, a, &answer, err)
	}
	f.register(cmd, update)
	return cmd
}

func objectDeleteCommand(c *common, k *objectKind) *cobra.Command {
	isException := k.kind == store.ExceptionObject
	f := &saveFlags{kind: k.kind}
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   fmt.Sprintf("Delete %s %s of the store", service.Article(k.kind), k.kind),
		Example: k.examples["delete"],
		Args:    cobra.ExactArgs(1),
		Long: `Tells what that does to the fleet before it is done. What other objects name is
not deleted.`,
		ValidArgsFunction: c.objectNames(k.kind),
	}
	if isException {
		cmd.Use, cmd.Args = "delete [NAME]", cobra.MaximumNArgs(1)
		cmd.Long = k.long + "\n\n" + cmd.Long
		for _, field := range config.Fields(k.kind) {
			if slices.Contains([]string{"schedule", "date", "from", "to", "type"}, field.Key) {
				flag := &fieldFlag{field: field}
				f.fields = append(f.fields, flag)
				cmd.Flags().Var(flag, flagOf(field), usageOf(field))
			}
		}
	}
	cmd.Flags().Int64Var(&f.version, "version", service.PresentVersion, "delete this version only (-1: the present one)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would happen and change nothing")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "confirm a change that stops much more than the day before")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if f.version != service.PresentVersion && f.version < 1 {
			return usage("--version %d: versions begin at 1", f.version)
		}
		name := strings.Join(args, "")
		if isException && name == "" {
			if name = f.exceptionName(); name == "" {
				return usage("which exception? %s", exceptionFlags)
			}
		}
		a, err := c.ask(cmd, changing(f.dryRun))
		if err != nil {
			return err
		}
		defer closing(a, &err)
		answer, err := a.DeleteObject(cmd.Context(), service.ObjectChange{
			Kind: k.kind, Name: name, Version: f.version, DryRun: f.dryRun, Confirmed: f.yes,
		})
		return c.changed(cmd, a, &answer, err)
	}
	return cmd
}

// changed prints what a change of an object did, or would do.
func (c *common) changed(cmd *cobra.Command, a asker, answer *service.ObjectAnswer, err error) error {
	var confirm *service.ConfirmError
	if err != nil && !errors.As(err, &confirm) {
		return refused(err)
	}
	w := cmd.OutOrStdout()
	if c.output == "table" {
		err = changeText(w, answer, confirm != nil)
	} else {
		err = write(w, c.output, answer, func() table { return changeTable(answer) })
	}
	if err != nil {
		return err
	}
	if confirm != nil {
		return refused(confirm)
	}
	if answer.Saved {
		holder, err := a.AtWork(cmd.Context())
		if err != nil {
			return fmt.Errorf("%s %s is %s, but: %w", answer.Object.Kind, answer.Object.Name, answer.Did, err)
		}
		atWork(cmd.ErrOrStderr(), holder)
	}
	return gapped(&answer.Effect)
}

// gapped gives an effect that is not known whole its exit code; its gaps are among its lines.
func gapped(e *service.Effect) error {
	if len(e.Gaps) > 0 {
		return &exitError{exitPartial, nil}
	}
	return nil
}

func changeText(w io.Writer, answer *service.ObjectAnswer, unconfirmed bool) error {
	p := &page{w: w}
	o := &answer.Object
	what := fmt.Sprintf("%s %s", o.Kind, plain(o.Name))
	switch {
	case answer.Did == service.Unchanged:
		p.line("nothing is changed: %s, version %d, says so already.", what, o.Version)
		return p.err
	case answer.DryRun, unconfirmed:
		p.line("%s: %s would be %s.", map[bool]string{true: "not confirmed, nothing is changed", false: "dry run, nothing is changed"}[unconfirmed], what, answer.Did)
	case answer.Did == service.Deleted:
		p.line("%s is deleted.", what)
	default:
		p.line("%s is %s, version %d.", what, answer.Did, o.Version)
	}
	for _, line := range answer.Fields {
		p.line("  %s", plain(line))
	}
	if len(answer.Notes) > 0 {
		p.line("")
	}
	for _, note := range answer.Notes {
		for _, line := range wrapped(plain(note.String()), noteWidth) {
			p.line("%s", line)
		}
	}
	p.line("")
	if p.err == nil {
		p.err = effectText(w, answer.Effect)
	}
	return p.err
}

func changeTable(answer *service.ObjectAnswer) table {
	t := table{columns: []string{"KIND", "NAME", "DID", "SAVED", "VERSION", "CHANGE"}}
	for _, line := range append([]string{""}, answer.Fields...) {
		t.add(string(answer.Object.Kind), answer.Object.Name, answer.Did, fmt.Sprint(answer.Saved), fmt.Sprint(answer.Object.Version), line)
	}
	return t
}
