package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dayshift/internal/config"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// feed runs a command with something on standard input.
func (b *begun) feed(code int, stdin string, args ...string) (out, problems string) {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	if got := Main(append(args, "--config", b.config), strings.NewReader(stdin), &stdout, &stderr); got != code {
		b.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout.String(), stderr.String())
	}
	return stdout.String(), stderr.String()
}

// silent says that nothing of a text is there.
func silent(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q is in\n%s", part, text)
		}
	}
}

func TestObjectCommands(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	// A dry run leaves nothing behind, not even a store.
	out, _ := b.run(exitDone, "period", "create", "night", "--begintime", "22:00", "--endtime", "06:00", "--dry-run")
	says(t, out, "dry run, nothing is changed: period night would be created.", "  begintime: 22:00\n")
	if _, err := os.Stat(filepath.Join(filepath.Dir(b.config), "dayshift.db")); err == nil {
		t.Error("a dry run made a store")
	}
	out, problems := b.run(exitDone, "period", "create", "night", "--begintime", "22:00", "--endtime", "06:00", "--weekdays", "mon-fri,sun")
	says(t, out, "period night is created, version 1.", "  weekdays: [mon-fri, sun]", "No resource is governed differently.")
	says(t, problems, "nobody is at work on this store")

	out, _ = b.run(exitDone, "schedule", "create", "late", "--periods", "night,day@t3.small", "--notify-before-stop", "10m", "--enforced")
	says(t, out, "schedule late is created, version 1.", "periods: [night, day@t3.small]", "enforced: true", "It governs 0 resources now.", "It wants ")
	out, _ = b.run(exitDone, "schedule", "update", "late", "--enforced=false", "--unset", "notify-before-stop", "--version", "1")
	says(t, out, "schedule late is changed, version 2.", "enforced: true → false", "notify_before_stop: 10m (taken out)")
	out, _ = b.run(exitDone, "schedule", "update", "late", "--enforced=false")
	says(t, out, "nothing is changed: schedule late, version 2, says so already.")
	out, _ = b.run(exitDone, "schedule", "list")
	says(t, out, "always-off", "late ", "store, ", "periods night,day@t3.small; enforced false", "dayshift.yaml:8")
	out, _ = b.run(exitDone, "schedule", "list", "-o", "json")
	var list []config.Object
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 3 || list[1].Name != "late" || list[1].Version != 2 || list[1].File {
		t.Errorf("%v\n%s", err, out)
	}

	// What show says can be given back with --file.
	shown, _ := b.run(exitDone, "schedule", "show", "late")
	says(t, shown, "# schedule late, of the store: version 2, by ", "periods: [night, day@t3.small]\n", "# It wants ")
	out, _ = b.feed(exitDone, shown, "schedule", "update", "late", "--file", "-")
	says(t, out, "says so already")
	out, _ = b.feed(exitDone, shown, "schedule", "create", "later", "--file", "-", "--jitter", "5m")
	says(t, out, "schedule later is created", "jitter: 5m")
	out, _ = b.run(exitDone, "schedule", "show", "office")
	says(t, out, "# schedule office, of the file: ", "dayshift.yaml:9", "periods: [day]")
	out, _ = b.run(exitDone, "schedule", "show", "late", "-o", "yaml")
	says(t, out, "version: 2", "notes:")
	out, _ = b.run(exitDone, "schedule", "show", "late", "-o", "csv")
	says(t, out, "KEY,VALUE\n", "enforced,false\n")

	// Dates of a calendar come and go one by one.
	out, _ = b.run(exitDone, "holiday", "create", "company", "--builtin", "kr", "--day", "2027-05-03=Founding day", "--make-up", "2027-05-08=thu:Instead", "--make-up", "2027-05-09")
	says(t, out, `days: [{"date":"2027-05-03","name":"Founding day"}]`, `make_up: [{"date":"2027-05-08","as":"thu","name":"Instead"},{"date":"2027-05-09"}]`, "It covers 2")
	out, _ = b.run(exitDone, "holiday", "update", "company", "--day", "2027-05-08=Moved", "--remove-day", "2027-05-03")
	says(t, out, `make_up: [{"date":"2027-05-08","as":"thu","name":"Instead"},{"date":"2027-05-09"}] → [{"date":"2027-05-09"}]`, `→ [{"date":"2027-05-08","name":"Moved"}]`)
	out, _ = b.run(exitDone, "holiday", "show", "company")
	says(t, out, "days:\n  - {date: \"2027-05-08\", name: Moved}\n", "builtin: kr")
	out, _ = b.run(exitDone, "holiday", "update", "company", "--unset", "make-up,days")
	says(t, out, "(taken out)")

	// Exceptions are known by what they are for.
	out, _ = b.run(exitDone, "exception", "create", "--schedule", "office", "--date", "2027-02-05", "--type", "stop", "--value", "21:00", "--note", "release")
	says(t, out, "exception office:2027-02-05:stop is created", "Left out: Fri 2027-02-05 18:00 KST (stop).", "New: Fri 2027-02-05 21:00 KST (stop).")
	out, _ = b.run(exitDone, "exception", "update", "--schedule", "office", "--date", "2027-02-05", "--type", "stop", "--value", "22:00")
	says(t, out, "value: 21:00 → 22:00")
	out, _ = b.run(exitDone, "exception", "update", "office:2027-02-05:stop", "--unset", "note")
	says(t, out, "note: release (taken out)")
	out, _ = b.run(exitDone, "exception", "delete", "--schedule", "office", "--date", "2027-02-05", "--type", "stop", "--version", "3")
	says(t, out, "exception office:2027-02-05:stop is deleted.")

	// A rule says what it is about to do, and whom it pulls against.
	out, _ = b.run(exitDone, "rule", "create", "nightly", "--expression", "cron(55 23 * * ? *)", "--timezone", "Asia/Seoul", "--action", "start", "--filters", "tag:Env=dev", "--dry-run")
	says(t, out, "on the clock of Asia/Seoul. Its next instants:\n", "23:55 KST = ", "matches 2 resources now", "conflict: ", `schedule "always-off"`)
	b.run(exitDone, "rule", "create", "nightly", "--expression", "cron(55 23 * * ? *)", "--action", "start", "--filters", "tag:Env=dev")
	out, _ = b.run(exitDone, "rule", "show", "nightly")
	says(t, out, "expression: \"cron(55 23 * * ? *)\"", "# Conflict: ")
	out, _ = b.run(exitDone, "rule", "update", "nightly", "--enabled=false")
	says(t, out, "rule nightly is changed, version 2.", "It is not enabled: it never fires.")

	// What somebody needs stays; what nobody needs goes.
	_, problems = b.run(exitUsage, "period", "delete", "night")
	says(t, problems, `period "night" can not be deleted: 2 other objects would be set aside: schedule "late"`, `schedule "later"`)
	b.run(exitDone, "schedule", "delete", "later")
	out, _ = b.run(exitDone, "schedule", "delete", "late", "--dry-run")
	says(t, out, "schedule late would be deleted.")
	b.run(exitDone, "schedule", "delete", "late", "--version", "2")
	b.run(exitDone, "period", "delete", "night")
	out, _ = b.run(exitDone, "activity", "--event", "object")
	says(t, out, "schedule/late", "period night was deleted: begintime: 22:00", "value: 21:00 → 22:00")

	out, _ = b.run(exitDone, "schedule", "calendar", "office", "--week", "2027-02-03")
	says(t, out, "office, on the clock of Asia/Seoul", "Week of 2027-02-01 to 2027-02-07", "09:00-18:00")
	out, _ = b.run(exitDone, "schedule", "calendar", "office", "--week", "2027-02-03", "--weeks", "2", "-o", "json")
	var weeks []service.ScheduleWeek
	if err := json.Unmarshal([]byte(out), &weeks); err != nil || len(weeks) != 2 || weeks[1].Monday != "2027-02-08" || len(weeks[0].Days[0].Cells) != 48 {
		t.Errorf("%v", err)
	}
}

func TestObjectsThatAreRefused(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	b.run(exitDone, "period", "create", "night", "--begintime", "22:00")
	b.run(exitDone, "schedule", "create", "late", "--periods", "night")
	b.run(exitDone, "exception", "create", "--schedule", "late", "--date", "2027-02-05", "--type", "stop", "--value", "23:00")
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte("periods: [night]\njiter: 5m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rule := []string{"rule", "create", "r", "--expression", "rate(1 hour)", "--action", "stop"}
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"an unknown flag", []string{"schedule", "create", "x", "--perods", "day"}, exitUsage, []string{"unknown flag: --perods"}},
		{"no name", []string{"schedule", "create"}, exitUsage, []string{"accepts 1 arg"}},
		{"an unknown period", []string{"schedule", "create", "x", "--periods", "dya"}, exitUsage, []string{`"dya" names a period that does not exist`, `did you mean "day"?`, "nothing was changed"}},
		{"an unknown key in a file", []string{"schedule", "create", "x", "--file", file}, exitUsage, []string{"x.yaml:2:1: jiter: is not a known key", "did you mean jitter?"}},
		{"a file that is not there", []string{"schedule", "create", "x", "--file", file + "x"}, exitUsage, []string{"--file ", "can not be read"}},
		{"a folder", []string{"schedule", "create", "x", "--file", filepath.Dir(file)}, exitUsage, []string{"not a regular file"}},
		{"nothing on standard input", []string{"schedule", "create", "x", "--file", "-"}, exitUsage, []string{"standard input", "is empty"}},
		{"a word for a number of days", []string{"schedule", "create", "x", "--jitter", "soon"}, exitUsage, []string{"jitter", `"soon"`}},
		{"yes for true", []string{"schedule", "create", "x", "--enforced=yes"}, exitUsage, []string{"enforced", "true"}},
		{"what is there", []string{"schedule", "create", "late"}, exitUsage, []string{`there is a schedule "late" already, version 1 by `, "update it instead"}},
		{"the file's", []string{"schedule", "update", "office", "--enforced"}, exitUsage, []string{`schedule "office" belongs to the file, `, "dayshift.yaml:9: change it there"}},
		{"the file's, deleted", []string{"period", "delete", "day"}, exitUsage, []string{`period "day" belongs to the file`}},
		{"the file's, made anew", []string{"period", "create", "day", "--begintime", "9:00"}, exitUsage, []string{`period "day" belongs to the file`}},
		{"what is not there", []string{"schedule", "update", "latte", "--enforced"}, exitUsage, []string{`there is no schedule "latte"; did you mean "late"?`}},
		{"what is not there, shown", []string{"rule", "show", "r"}, exitUsage, []string{`there is no rule "r"; there is none of this kind yet`}},
		{"what is not there, deleted", []string{"period", "delete", "nigth"}, exitUsage, []string{`did you mean "night"?`}},
		{"another version", []string{"schedule", "update", "late", "--enforced", "--version", "7"}, exitFailed, []string{`schedule "late" is in version 1, changed by `, "not in version 7"}},
		{"another version, deleted", []string{"schedule", "delete", "late", "--version", "7"}, exitFailed, []string{`schedule "late" is in version 1`}},
		{"no version", []string{"schedule", "update", "late", "--enforced", "--version", "0"}, exitUsage, []string{"versions begin at 1"}},
		{"no change", []string{"schedule", "update", "late"}, exitUsage, []string{"what is to change?"}},
		{"an unknown key to take out", []string{"schedule", "update", "late", "--unset", "jiter"}, exitUsage, []string{"--unset jiter: a schedule has no such key; did you mean jitter?"}},
		{"a second exception of a type on one date", []string{"exception", "create", "--schedule", "late", "--date", "2027-02-05", "--type", "stop", "--value", "23:30"}, exitUsage, []string{`there is an exception "late:2027-02-05:stop" already`}},
		{"a range over it", []string{"exception", "create", "--schedule", "late", "--from", "2027-02-01", "--to", "2027-02-07", "--type", "stop", "--value", "23:30"}, exitUsage, []string{"both move the stop of 2027-02-05"}},
		{"an exception of an unknown schedule", []string{"exception", "create", "--schedule", "latte", "--date", "2027-02-05", "--type", "stop", "--value", "none"}, exitUsage, []string{`"latte" names a schedule that does not exist`, "did you mean late?"}},
		{"an exception without a type", []string{"exception", "create", "--schedule", "late", "--date", "2027-02-05"}, exitUsage, []string{"has no type", "has no value"}},
		{"an exception that becomes another", []string{"exception", "update", "late:2027-02-05:stop", "--date", "2027-02-06"}, exitUsage, []string{"make late:2027-02-06:stop anew, and delete late:2027-02-05:stop"}},
		{"no exception named", []string{"exception", "delete", "--schedule", "late"}, exitUsage, []string{"which exception?", "--date"}},
		{"30 February", []string{"exception", "create", "--schedule", "late", "--date", "2027-02-30", "--type", "stop", "--value", "none"}, exitUsage, []string{"2027-02-30"}},
		{"no filter", rule, exitUsage, []string{"rule r: has no filters"}},
		{"an empty filter", append(slices.Clip(rule), "--filters", ""), exitUsage, []string{"filters"}},
		{"an unknown filter", append(slices.Clip(rule), "--filters", "colour=red"), exitUsage, []string{"colour"}},
		{"a mistyped filter", append(slices.Clip(rule), "--filters", "vpcid=vpc-1"), exitUsage, []string{"vpc-id"}},
		{"a filter without a value", append(slices.Clip(rule), "--filters", "name"), exitUsage, []string{"filters"}},
		{"an impossible cron", []string{"rule", "create", "r", "--expression", "cron(0 9 30 2 ? *)", "--action", "stop", "--filters", "name=a"}, exitUsage, []string{"r.expression", "can never fire"}},
		{"an unknown action", []string{"rule", "create", "r", "--expression", "rate(1 hour)", "--action", "terminate", "--filters", "name=a"}, exitUsage, []string{"terminate"}},
		{"a day that is none", []string{"holiday", "create", "h", "--day", "2027-02-30=x"}, exitUsage, []string{"2027-02-30"}},
		{"a weekday that is none", []string{"holiday", "create", "h", "--make-up", "2027-02-06=someday"}, exitUsage, []string{"someday"}},
		{"a day that is not there", []string{"holiday", "update", "h", "--remove-day", "2027-02-06"}, exitUsage, []string{`there is no holiday "h"`}},
		{"a schedule that nobody can draw", []string{"schedule", "calendar", "latte"}, exitUsage, []string{`did you mean "late"?`}},
		{"a week of no date", []string{"schedule", "calendar", "late", "--week", "soon"}, exitUsage, []string{"soon"}},
		{"no week", []string{"schedule", "calendar", "late", "--weeks", "0"}, exitUsage, []string{"from 1 to 53"}},
		{"an unknown kind to export", []string{"export", "schedlue"}, exitUsage, []string{`"schedlue" is no kind of object; did you mean schedule?`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.t = t
			out, problems := b.run(test.code, test.args...)
			says(t, problems, append(test.says, "dayshift: ")...)
			if out != "" {
				t.Errorf("standard output: %s", out)
			}
		})
	}
	b.t = t
	b.run(exitDone, "holiday", "create", "h", "--day", "2027-02-05")
	_, problems := b.run(exitUsage, "holiday", "update", "h", "--remove-day", "2027-02-06")
	says(t, problems, "--remove-day 2027-02-06: it is not among")
	out, _ := b.run(exitDone, "activity", "--event", "object", "-o", "csv")
	if got := strings.Count(out, "\n"); got != 5 {
		t.Errorf("%d lines of the record:\n%s", got, out)
	}
}

func TestObjectsNeedAStore(t *testing.T) {
	b := begin(t, `"memory:"`)
	_, problems := b.run(exitUsage, "period", "create", "night", "--begintime", "22:00")
	says(t, problems, "is memory", "set store: sqlite:")
	out, _ := b.run(exitDone, "period", "list")
	says(t, out, "day ", "dayshift.yaml:6")
}

func TestChangesToBeConfirmed(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.config, append(text, "limits: {surge_from: 1}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"rule", "create", "down", "--expression", "rate(1 hour)", "--action", "stop", "--filters", "tag:Env=dev"}
	out, problems := b.run(exitFailed, args...)
	says(t, out, "not confirmed, nothing is changed: rule down would be created.", "to be confirmed: ")
	says(t, problems, "nothing was changed, it has to be confirmed: the new rule", "; if it is meant, repeat with --yes")
	if out, _ = b.run(exitDone, "rule", "list"); !strings.Contains(out, "There is none.") {
		t.Error(out)
	}
	out, _ = b.run(exitDone, append(args, "--yes")...)
	says(t, out, "rule down is created, version 1.")
}

func TestApplyDiffAndExport(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	dir := filepath.Dir(b.config)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, problems := b.run(exitDone, "export")
	says(t, problems, "there are no objects to write")
	objects := write("objects.yaml", `
schedules: {late: {periods: [night, day], enforced: true}}
periods: {night: {begintime: "22:00"}}
rules: {hourly: {expression: rate(1 hour), action: start, filters: "name=a"}}
exceptions: [{schedule: office, date: 2027-02-05, type: stop, value: "21:00"}]
`)
	out, _ := b.run(exitDone, "apply", objects, "--dry-run")
	says(t, out, "would be created  schedule", "periods: [night, day]; enforced: true", "No resource is governed differently.")
	out, problems = b.run(exitDone, "apply", objects)
	says(t, out, "created  period     night", "created  exception  office:2027-02-05:stop")
	says(t, problems, "nobody is at work")
	out, _ = b.run(exitDone, "apply", objects)
	says(t, out, "unchanged: 4")
	exported, _ := b.run(exitDone, "export")
	out, _ = b.feed(exitDone, exported, "apply", "-", "--prune")
	says(t, out, "unchanged: 4")
	out, _ = b.run(exitDone, "export", "schedules", "period")
	says(t, out, "periods:\n  night:", "schedules:\n  late:")
	silent(t, out, "rules:", "office", "day:")
	out, _ = b.run(exitDone, "export", "--all", "schedule")
	says(t, out, "  office:", "  late:")
	out, _ = b.run(exitDone, "apply", write("less.yaml", "periods: {night: {begintime: \"23:00\"}}\n"), "--prune", "-o", "json")
	var answer service.ApplyAnswer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Objects) != 4 || answer.Objects[0].Kind != store.ExceptionObject || answer.Objects[0].Did != service.Deleted || answer.Objects[3].Kind != store.ScheduleObject {
		t.Errorf("%v\n%s", err, out)
	}
	for text, want := range map[string]string{
		"accounts: []\n":                        "x.yaml:1:1: accounts: is no section of objects",
		"periods: {day: {begintime: \"1:00\"}}": `period "day" belongs to the file`,
		"schedules: {a: {periods: [b]}}":        `"b" names a period that does not exist`,
		"shedules: {}":                          "did you mean schedules?",
	} {
		_, problems := b.run(exitUsage, "apply", write("x.yaml", text))
		says(t, problems, want)
	}
	_, problems = b.run(exitUsage, "apply", filepath.Join(dir, "none.yaml"))
	says(t, problems, "none.yaml can not be read")

	// diff compares what is in force with another file, beside the same objects.
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	out, _ = b.run(exitDone, "diff", b.config)
	says(t, out, "Nothing differs.")
	next := write("next.yaml", strings.ReplaceAll(string(text), "override_status: stopped", "override_status: running"))
	out, _ = b.run(exitDone, "diff", next)
	says(t, out, "schedules.always-off.override_status: stopped → running", "Concerns 3 resources.", "Protected, and left as they are: 1 resource: safe.")
	out, _ = b.run(exitDone, "diff", next, "-o", "json")
	says(t, out, `"differs": true`)
	_, problems = b.run(exitUsage, "diff", write("bad.yaml", "timezone: Asia/Seol\n"))
	says(t, problems, "Asia/Seoul")

	// validate knows the objects of the store.
	out, problems = b.run(exitDone, "validate")
	says(t, out, "in order")
	silent(t, problems, "set aside")
	b.run(exitDone, "schedule", "create", "late", "--periods", "night,day")
	if err := os.WriteFile(b.config, []byte(strings.NewReplacer("day: {", "daytime: {", "[day]", "[daytime]").Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	out, problems = b.run(exitDone, "validate")
	says(t, out, "in order")
	says(t, problems, `schedule "late" (object, version 2)`, `"day" names a period that does not exist`, "the schedule is set aside: its resources are left alone")
	out, _ = b.run(exitDone, "schedule", "list")
	says(t, out, "set aside: ")
	out, _ = b.run(exitDone, "schedule", "show", "late")
	says(t, out, "# set aside: ", "periods")
}

// Names complete in a shell.
func TestObjectNamesComplete(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	b.run(exitDone, "period", "create", "night", "--begintime", "22:00")
	var out, problems bytes.Buffer
	if code := Main([]string{"__complete", "--config", b.config, "period", "show", ""}, nil, &out, &problems); code != exitDone || out.String() != "day\nnight\n:4\n" {
		t.Errorf("%d: %q, %q", code, out.String(), problems.String())
	}
}

// A store that can not be read is said, and is no fault of the file.
func TestValidateBesideABrokenStore(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	if err := os.WriteFile(filepath.Join(filepath.Dir(b.config), "dayshift.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, problems := b.run(exitDone, "validate")
	says(t, out, "in order")
	says(t, problems, "warning: the objects of the store could not be checked: ")
}
