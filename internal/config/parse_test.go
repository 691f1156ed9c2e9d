package config

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
)

const small = `
accounts: [{id: "111122223333", regions: [us-east-1]}]
periods: {office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}}
schedules: {office: {periods: [office]}}
`

func mustParse(t *testing.T, text string) *Loaded {
	t.Helper()
	loaded, err := Parse("dayshift.yaml", []byte(text), Env{})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func faultsOf(t *testing.T, text string) Faults {
	t.Helper()
	_, err := Parse("dayshift.yaml", []byte(text), Env{})
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("taken, or refused without faults: %v", err)
	}
	return faults
}

func TestSnapshotsAreTakenWhereTheScheduleSaysSo(t *testing.T) {
	const file = small + "\nsnapshot_prefix: nightly\n"
	saving := strings.Replace(file, "{periods: [office]}", "{periods: [office], snapshot_before_stop: true}", 1)
	if got := mustParse(t, file).Book.Schedules["office"].Snapshot; got != "" {
		t.Errorf("a snapshot %q nobody asked for", got)
	}
	if got := mustParse(t, saving).Book.Schedules["office"].Snapshot; got != "nightly" {
		t.Errorf("prefix %q", got)
	}
	for _, prefix := range []string{"-a", "a-", "a--b", "Nightly", "1a", "a_b", strings.Repeat("a", 21)} {
		if faults := faultsOf(t, strings.Replace(file, "nightly", prefix, 1)); len(faults) != 1 || faults[0].Path != "snapshot_prefix" {
			t.Errorf("%q: %+v", prefix, faults)
		}
	}
}

func TestAlarmsAreMutedWhereSomebodySaysSo(t *testing.T) {
	const rule = "\nrules: {nightly: {expression: rate(1 day), action: stop, filters: \"tag:a=b\"}}\n"
	for _, test := range []struct {
		name, file, schedule, rule string
		ofSchedule, ofRule         bool
	}{
		{"nobody", "", "", "", false, false},
		{"the file", "mute_alarms: true", "", "", true, true},
		{"the schedule", "", ", mute_alarms: true", "", true, false},
		{"the rule", "", "", ", mute_alarms: true", false, true},
		{"the file, but not the schedule", "mute_alarms: true", ", mute_alarms: false", "", false, true},
		{"the file, but not the rule", "mute_alarms: true", "", ", mute_alarms: false", true, false},
	} {
		text := strings.Replace(small, "periods: [office]", "periods: [office]"+test.schedule, 1) + strings.Replace(rule, "action: stop", "action: stop"+test.rule, 1) + test.file
		book := &mustParse(t, text).Book
		if s, r := book.Schedules["office"].MuteAlarms, book.Rules[0].MuteAlarms; s != test.ofSchedule || r != test.ofRule || book.MutesAlarms() != (s || r) {
			t.Errorf("%s: schedule %v, rule %v, anything %v", test.name, s, r, book.MutesAlarms())
		}
	}
	if faults := faultsOf(t, small+"\nmute_alarms: perhaps\n"); len(faults) != 1 || faults[0].Path != "mute_alarms" {
		t.Errorf("%+v", faults)
	}
}

func TestCapacityDeadline(t *testing.T) {
	if got := mustParse(t, small).Book.Schedules["office"].CapacityDeadline; got != policy.DefaultCapacityDeadline {
		t.Errorf("where nobody says: %s", got)
	}
	ofFile := small + "\ncapacity_deadline: 45m\n"
	if got := mustParse(t, ofFile).Book.Schedules["office"].CapacityDeadline; got != 45*time.Minute {
		t.Errorf("of the file: %s", got)
	}
	if got := mustParse(t, strings.Replace(ofFile, "periods: [office]", "periods: [office], capacity_deadline: 3h", 1)).Book.Schedules["office"].CapacityDeadline; got != 3*time.Hour {
		t.Errorf("of the schedule: %s", got)
	}
	if faults := faultsOf(t, strings.Replace(ofFile, "45m", "0s", 1)); len(faults) != 1 || faults[0].Path != "capacity_deadline" {
		t.Errorf("%+v", faults)
	}
}

func TestDefaults(t *testing.T) {
	loaded := mustParse(t, small)
	want := Config{
		Timezone: "UTC", Language: "en", Tag: "Schedule", Store: "sqlite:dayshift.db",
		Accounts: []Account{{ID: "111122223333", Regions: []fleet.Region{"us-east-1"}, SessionName: "dayshift"}},
		Periods:  map[string]Period{"office": {BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{"mon-fri"}}},
		Schedules: map[string]Schedule{"office": {
			Periods: calendar.PeriodRefs{"office"}, Enabled: true, StopNewInstances: true,
			NewResourceGrace: Duration(policy.DefaultNewResourceGrace), UseMaintenanceWindow: true, Mode: policy.Both, Verify: policy.VerifyState,
		}},
		Heartbeat:        Heartbeat{Every: Duration(time.Minute)},
		Overrides:        Overrides{MaxDuration: Duration(7 * 24 * time.Hour)},
		Capacity:         Capacity{Interval: Duration(5 * time.Minute), IdleAfter: Duration(time.Hour), SafetyEnd: Duration(time.Hour), Table: CapacityTable{Driver: "mysql", Table: "odcr_capacity", TLS: "required", Platform: "Linux/UNIX"}},
		CapacityDeadline: Duration(policy.DefaultCapacityDeadline),
		Limits:           Limits{MaxStops: 5000, MinScopeSize: 10, Surge: 3, SurgeFrom: 10},
		ResyncInterval:   Duration(5 * time.Minute),
		Tags:             Tags{LastAction: true, Error: true},
		SnapshotPrefix:   "dayshift",
		AWS:              AWS{APIShare: 0.8, SessionDuration: Duration(12 * time.Hour)},
		Log:              Log{Level: "info", Format: "text"},
		Listen:           "127.0.0.1:8080",
		Auth:             Auth{Anonymous: "none", OIDC: OIDC{GroupsClaim: "groups"}},
	}
	if diff := cmp.Diff(want, loaded.Config, cmp.AllowUnexported(Secret{})); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if want := (plan.Limits{MaxStops: 5000, MinScopeSize: 10, Surge: 3, SurgeFrom: 10}); loaded.Limits != want {
		t.Errorf("limits = %+v, want %+v", loaded.Limits, want)
	}
	if want := (Store{Engine: SQLite, Path: "dayshift.db"}); loaded.Store != want {
		t.Errorf("store = %+v, want %+v", loaded.Store, want)
	}
	if want := []fleet.Scope{{Account: "111122223333", Region: "us-east-1"}}; !reflect.DeepEqual(loaded.Scopes, want) {
		t.Errorf("scopes = %v, want %v", loaded.Scopes, want)
	}
	if loaded.Book.TagKey != "Schedule" {
		t.Errorf("tag key = %q", loaded.Book.TagKey)
	}
	if len(loaded.Warnings) > 0 {
		t.Errorf("warnings = %v", loaded.Warnings)
	}
}

// TestOfficeHoursInChina asks the schedule of the example what it wants at the edges that people watch.
func TestOfficeHoursInChina(t *testing.T) {
	data, err := os.ReadFile("../../examples/cn-office-hours.yaml")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Parse("cn-office-hours.yaml", data, Env{Lookup: func(string) (string, bool) { return "abc123", true }})
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.Scope{
		{Account: "111122223333", Region: "cn-north-1"},
		{Account: "111122223333", Region: "cn-northwest-1"},
		{Account: "444455556666", Region: "cn-north-1"},
		{Account: "444455556666", Region: "cn-northwest-1"},
	}
	if diff := cmp.Diff(want, loaded.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if got := loaded.Config.Accounts[1].Partition(); got != fleet.AWSChina {
		t.Errorf("partition = %s", got)
	}
	if got := loaded.Config.Accounts[0].ExternalID.Reveal(); got != "abc123" {
		t.Errorf("external ID = %q", got)
	}
	schedule := loaded.Book.Schedules["cn-office-hours"]
	for at, state := range map[string]calendar.State{
		"2026-11-20T08:59:59+08:00": calendar.Stopped, // Friday
		"2026-11-20T09:00:00+08:00": calendar.Running,
		"2026-11-20T17:59:59+08:00": calendar.Running,
		"2026-11-20T18:00:00+08:00": calendar.Stopped,
		"2026-11-21T12:00:00+08:00": calendar.Stopped, // Saturday
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := schedule.Calendar.Wanted(instant); got.State != state {
			t.Errorf("at %s wanted %s, want %s", at, got.State, state)
		}
	}
}

// TestRefused turns every refused vector into a file and expects the fault at the line and column of the value.
func TestRefused(t *testing.T) {
	file, err := os.Open("testdata/refused.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	scanner, count := bufio.NewScanner(file), 0
	for scanner.Scan() {
		var vector struct {
			ID       string
			Schedule struct{ Periods []string }
			Periods  []map[string]any
		}
		if err := json.Unmarshal(scanner.Bytes(), &vector); err != nil {
			t.Fatal(err)
		}
		count++
		t.Run(vector.ID, func(t *testing.T) {
			// One field a line, in both of YAML's layouts, so that the place is known.
			for _, indent := range []int{2, 4} {
				checkRefused(t, vector.Schedule.Periods, vector.Periods, indent)
			}
		})
	}
	if err := scanner.Err(); err != nil || count < 100 {
		t.Fatalf("%d vectors: %v", count, err)
	}
}

func checkRefused(t *testing.T, refs []string, periods []map[string]any, indent int) {
	t.Helper()
	pad := strings.Repeat(" ", indent)
	lines := []string{"periods:"}
	where := map[string][2]int{} // field of the last period → line and column of its value
	for _, period := range periods {
		where = map[string][2]int{}
		name, _ := period["name"].(string)
		lines = append(lines, fmt.Sprintf("%s%s:", pad, name))
		for _, field := range []string{"begintime", "endtime", "weekdays", "monthdays", "months", "description"} {
			value, given := period[field]
			if !given {
				continue
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s%s%s: %s", pad, pad, field, text))
			where[field] = [2]int{len(lines), 2*indent + len(field) + 3}
		}
		if len(where) == 0 { // nothing but a name: keep it a mapping
			lines[len(lines)-1] += " {}"
			where[""] = [2]int{len(lines), indent + len(name) + 3}
		} else if len(period) == 2 && period["description"] != nil {
			where[""] = [2]int{len(lines), 2*indent + 1}
		}
	}
	quoted, err := json.Marshal(refs)
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, "schedules:", pad+"s: {timezone: UTC, periods: "+string(quoted)+"}")
	faults := faultsOf(t, strings.Join(lines, "\n")+"\n")
	if len(faults) != 1 {
		t.Fatalf("%d faults for one mistake:\n%v", len(faults), faults)
	}
	f := faults[0]
	field := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
	field, _, _ = strings.Cut(field, "[")
	place, ok := where[field]
	if !ok {
		place = where[""]
	}
	source := lines[place[0]-1]
	if f.Line != place[0] || f.Column < place[1] || f.Column > len(source) {
		t.Errorf("fault at %d:%d, want line %d and column %d or a part of the value after it:\n%v", f.Line, f.Column, place[0], place[1], f)
	}
	if f.Text != "" && !strings.HasPrefix(strings.TrimLeft(source[f.Column-1:], `"`), strings.TrimSpace(f.Text)) {
		t.Errorf("the mark is not below %q:\n%v", f.Text, f)
	}
	if f.Problem.Empty() || f.Allowed.Empty() && f.Fix.Empty() {
		t.Errorf("the fault says neither what is allowed nor what to do: %+v", f)
	}
}

func TestLayouts(t *testing.T) {
	block := `
accounts:
- id: "111122223333"
  regions:
  - us-east-1
periods:
  office:
    begintime: 09:00
    endtime: 18:00
    weekdays:
    - mon-fri
schedules:
  office:
    periods: office
`
	for name, text := range map[string]string{
		"block":             block,
		"CRLF":              strings.ReplaceAll(block, "\n", "\r\n"),
		"byte order mark":   "\xef\xbb\xbf" + strings.TrimPrefix(block, "\n"),
		"document markers":  "---\n" + strings.TrimPrefix(block, "\n") + "...\n",
		"comments":          "# 注释\n" + strings.ReplaceAll(block, "office:\n", "office: # 사무실\n"),
		"JSON":              `{"accounts": [{"id": "111122223333", "regions": ["us-east-1"]}], "periods": {"office": {"begintime": "09:00", "endtime": "18:00", "weekdays": "mon-fri"}}, "schedules": {"office": {"periods": "office"}}}`,
		"anchors":           "accounts: [{id: &id '111122223333', regions: &r [us-east-1]}]\nperiods: {office: &o {begintime: '09:00', endtime: '18:00', weekdays: mon-fri}}\nschedules: {office: {periods: office}}",
		"unquoted account":  "accounts: [{id: 111122223333, regions: [us-east-1]}]\n" + small[strings.Index(small, "periods:"):],
		"defaults written":  small + "timezone: UTC\ntag: Schedule\nlimits: {max_stops: 5000}\n",
		"empty sections":    small + "protect:\nlimits:\nlog: {}\n",
		"no line end":       strings.TrimSuffix(small, "\n"),
		"lone CR line ends": strings.ReplaceAll(block, "\n", "\r"),
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := mustParse(t, text), mustParse(t, small); !got.Same(want) {
				t.Errorf("differs from the same in one line each: %v", want.Diff(got))
			}
		})
	}
}

func TestMergeKeys(t *testing.T) {
	merged := mustParse(t, `
periods: {office: {begintime: "09:00"}}
schedules:
  a: &a {periods: [office], enforced: true, jitter: 5m}
  b: {<<: *a, jitter: 1m}
  c:
    <<: [*a]
    enforced: false
`)
	b, c := merged.Config.Schedules["b"], merged.Config.Schedules["c"]
	if !b.Enforced || b.Jitter != Duration(time.Minute) || c.Enforced || c.Jitter != Duration(5*time.Minute) {
		t.Errorf("b = %+v\nc = %+v", b, c)
	}
	for _, text := range []string{
		"schedules: {a: &a {<<: *a}}", "schedules: &s {a: *s}", "periods: {<<: *none}", "schedules: {a: {<<: 5}}", "tag: &t *t",
	} {
		faultsOf(t, text)
	}
}

// TestSlips gives slips of people who write YAML by hand, and what they are told.
func TestSlips(t *testing.T) {
	for _, test := range []struct{ text, place, says string }{
		{"schedules:\n  s: {periods: [a], timezone:Asia/Seoul}\n", "2:21", "write KEY: VALUE with a blank"},
		{"store: memory:\n", "1:8", `quote a text that has a colon in it, as in "memory:"`},
		{"periods:\n  a:\n    weekdays: *\n", "3:15", `quote a text that begins with *`},
		{"periods:\n  a:\n    weekdays: */2\n", "3:15", `quote it when a text is meant: "*/2"`},
		{"periods: {a: {monthdays: 1, 5}}\n", "1:29", "is not a known key"},
		{"schedules:\n  s:\n    periods: [a]\n   enabled: true\n", "4:4", "check the indentation"},
		{"schedules:\n  s:\n    periods:\n    - a\n    -b\n", "5:5", "check the indentation"},
		{"- tag: x\n", "1:1", "the file is a list, not a mapping"},
		{"timezone=UTC\n", "1:1", "is all there is: the file is not a mapping"},
		{"tag: \"a\\u001bb\"\n", "1:6", "has a control character in it"},
		{"limits: {max_stops: 1e3}\n", "1:21", "is not a number"},
		{"limits: {max_stops: 9999999999999999999999}\n", "1:21", "is out of range"},
		{"limits: {max_stops: 0x10}\n", "1:21", "is not a number"},
		{"protect: [[a]]\n", "1:11", "is a list"},
		{"accounts: [a]\n", "1:12", "is not a mapping"},
		{"schedules: {s: [a]}\n", "1:16", "is a list, not a mapping"},
		{"timezone: |\n  UTC\n", "1:11", "is not a time zone"},
		{"null\n", "", "the file is empty"},
		{"---\n---\n", "", "the file is empty"},
	} {
		faults := faultsOf(t, test.text)
		f, place := faults[0], ""
		if f.Line > 0 {
			place = fmt.Sprintf("%d:%d", f.Line, f.Column)
		}
		if len(faults) != 1 || place != test.place || !strings.Contains(f.Error(), test.says) {
			t.Errorf("%q: want %q at %s; got\n%v", test.text, test.says, test.place, faults)
		}
	}
}

func TestColumnsCountCharacters(t *testing.T) {
	faults := faultsOf(t, "schedules: {서울-사무실: {override_status: 실행}}\n")
	if f := faults[0]; f.Line != 1 || f.Column != 39 || f.Text != "실행" {
		t.Errorf("fault = %+v", f)
	}
	if got := faults[0].Error(); !strings.Contains(got, "\n    | "+strings.Repeat(" ", 38+5)+"^^^^") {
		t.Errorf("the mark does not stand below the word:\n%s", got)
	}
}

func TestOrigins(t *testing.T) {
	loaded := mustParse(t, small+"tag: Dienst\n")
	for path, want := range map[string]string{
		"tag": "dayshift.yaml:5", "timezone": "default", "schedules.office.periods": "dayshift.yaml:4",
		"schedules.office.enforced": "default", "accounts[0].regions[0]": "dayshift.yaml:2",
	} {
		if got := loaded.Origin(path).String(); got != want {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
	var tag Value
	for _, value := range loaded.Values() {
		if value.Path == "tag" {
			tag = value
		}
	}
	if tag.Text != "Dienst" || tag.Origin.Default {
		t.Errorf("value = %+v", tag)
	}
}

func TestSameAndDiff(t *testing.T) {
	before := mustParse(t, small)
	if !before.Same(mustParse(t, "# another comment\n"+small)) {
		t.Error("a comment is a change")
	}
	after := mustParse(t, strings.ReplaceAll(strings.ReplaceAll(small, "18:00", "19:00"), "schedules: {office", "protect: ['tag:a=b']\nschedules: {bureau"))
	if before.Same(after) || before.Same(nil) {
		t.Error("a change is none")
	}
	diff := strings.Join(before.Diff(after), "\n")
	for _, want := range []string{"periods.office.endtime: 18:00 → 19:00", "protect: [tag:a=b] (new)", "schedules.office.mode: both (removed)", "schedules.bureau.periods: [office] (new)"} {
		if !strings.Contains(diff, want) {
			t.Errorf("the difference lacks %q:\n%s", want, diff)
		}
	}
}

func TestWhatAChangeConcerns(t *testing.T) {
	before := mustParse(t, small)
	after := mustParse(t, strings.ReplaceAll(strings.ReplaceAll(small, "18:00", "19:00"), "schedules: {office", `schedules: {"bureau 2.0: [a]"`))
	got := map[string]bool{}
	for _, line := range before.Diff(after) {
		schedule, workload := Concerns(line)
		got[schedule+"|"+workload] = true
	}
	if want := map[string]bool{"|": true, "office|": true, "bureau 2.0: [a]|": true}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if schedule, workload := Concerns("workloads.shop.tiers.db.filters: a → b"); schedule != "" || workload != "shop" {
		t.Errorf("%q, %q", schedule, workload)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	text := `
accounts:
  - id: "111122223333"
    role: arn:aws:iam::111122223333:role/dayshift
    external_id: EXTERNAL
    regions: [us-east-1]
`
	env := Env{
		Lookup:   func(name string) (string, bool) { return "canary-env", name == "CANARY" },
		ReadFile: func(string) ([]byte, error) { return []byte("canary-file\r\n"), nil },
	}
	for written, want := range map[string][2]string{
		"canary-literal": {"canary-literal", "the file itself"},
		"${CANARY}":      {"canary-env", "${CANARY}"},
		"a-${CANARY}":    {"a-canary-env", "${CANARY}"},
		"file:x":         {"canary-file", "file:x"},
	} {
		loaded, err := Parse("f", []byte(strings.ReplaceAll(text, "EXTERNAL", `"`+written+`"`)), env)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		secret := loaded.Config.Accounts[0].ExternalID
		if got := [2]string{secret.Reveal(), secret.Source()}; got != want {
			t.Errorf("%s: got %v, want %v", written, got, want)
		}
		asJSON, err := json.Marshal(loaded.Config)
		if err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("loaded", "secret", secret, "config", loaded.Config, "account", loaded.Config.Accounts[0])
		shown := fmt.Sprintf("%s %v %+v %#v %q %x %d", secret, loaded.Config, loaded.Config, loaded.Config, secret, secret, secret) +
			string(asJSON) + logged.String() + fmt.Sprint(loaded.Values(), loaded.Warnings)
		if strings.Contains(shown, "canary") {
			t.Errorf("%s: shown: %s", written, shown)
		}
	}
	for _, written := range []string{"canary canary", "${CANARY", "${NONE}canary", "vault:canary", "canary\u00e4"} {
		_, err := Parse("f", []byte(strings.ReplaceAll(text, "EXTERNAL", `"`+written+`"`)+"colour: blue\n"), env)
		if err == nil {
			t.Errorf("%s: taken", written)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: shown: %v", written, err)
		}
	}
	// A secret on another line than its key, and one in a file that is not YAML.
	for _, broken := range []string{
		strings.ReplaceAll(text, "EXTERNAL", "\n      canary canary\n      canary"),
		strings.ReplaceAll(text, "EXTERNAL", `"canary`),
		"extenal_id: canary\n",
		"channels: {slack: {webhook: https://hooks.example/canary}}\n",
		"store: postgres://dayshift:canary@db/x\n",
	} {
		if message := faultsOf(t, broken).Error(); strings.Contains(message, "canary") {
			t.Errorf("shown: %s", message)
		}
	}
}

func TestWarnings(t *testing.T) {
	loaded := mustParse(t, `
periods: {office: {weekdays: mon}, unused: {weekdays: tue}}
schedules:
  a: {periods: [office], use_maintenance_window: false, ssm_maintenance_window: patching}
accounts:
  - {id: "111122223333", regions: [ap-northeast-9, yy-future-1]}
  - {id: "444455556666", role: "arn:aws-cn:iam::444455556666:role/dayshift", regions: [cn-north-1]}
`)
	var got []string
	for _, warning := range loaded.Warnings {
		got = append(got, fmt.Sprintf("%d:%d %s", warning.Line, warning.Column, warning.Summary()))
	}
	want := []string{
		"2:36 periods.unused: is used by no schedule",
		"4:81 schedules.a.ssm_maintenance_window: has no effect while use_maintenance_window is false",
		`6:36 accounts[0].regions[0]: "ap-northeast-9" is not a region that this version knows; it is asked all the same`,
		`7:32 accounts[1].role: "arn:aws-cn:iam::444455556666:role/dayshift" is in the partition aws-cn, other accounts with the same credentials are in aws: credentials of one partition cannot assume a role in another`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	apart := mustParse(t, strings.Replace(small, "accounts: [", `accounts: [{id: "444455556666", profile: china, regions: [cn-north-1]}, `, 1))
	if len(apart.Warnings) != 0 {
		t.Errorf("each partition with credentials of its own: warnings %v", apart.Warnings)
	}
	if faults := faultsOf(t, `accounts: [{id: "444455556666", profile: "", regions: [cn-north-1]}]`); faults[0].Path != "accounts[0].profile" {
		t.Errorf("an empty profile: %v", faults)
	}
	idle := mustParse(t, "tag: Schedule\n")
	if len(idle.Warnings) != 2 || idle.Warnings[0].Path != "accounts" || idle.Warnings[1].Path != "schedules" {
		t.Errorf("a file without accounts and schedules: warnings %v", idle.Warnings)
	}
}

func TestLoadFromDisk(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "dayshift.yaml")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("dayshift.yaml", strings.ReplaceAll(small, `id: "111122223333",`, `id: "111122223333", role: "arn:aws:iam::111122223333:role/x", external_id: "file:secret",`), 0o600)
	write("secret", "s3cr3t\n", 0o600)
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Config.Accounts[0].ExternalID.Reveal(); got != "s3cr3t" {
		t.Errorf("secret = %q", got)
	}
	write("secret", strings.Repeat("x", maxSecret+1), 0o600)
	write("empty.yaml", "", 0o600)
	write("large.yaml", "# "+strings.Repeat("x", MaxBytes), 0o600)
	for name, want := range map[string]string{
		path:                                 "larger than 4096 bytes",
		filepath.Join(folder, "no-such"):     "does not exist",
		folder:                               "is a folder",
		filepath.Join(folder, "empty.yaml"):  "is empty",
		filepath.Join(folder, "large.yaml"):  "larger than 16 MB",
		filepath.Join(path, "dayshift.yaml"): "cannot be read",
		os.DevNull:                           "not a regular file",
	} {
		_, err := Load(name)
		var faults Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if os.Getuid() != 0 { // root may read everything
		write("closed.yaml", small, 0o000)
		if _, err := Load(filepath.Join(folder, "closed.yaml")); err == nil || !strings.Contains(err.Error(), "may not be read") {
			t.Errorf("closed file: %v", err)
		}
	}
}

func TestChoose(t *testing.T) {
	env := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == FileVariable && value != "" }
	}
	for _, test := range []struct{ flag, env, path, by string }{
		{"a.yaml", "b.yaml", "a.yaml", "--config"},
		{"", "b.yaml", "b.yaml", "DAYSHIFT_CONFIG"},
		{"", "", "dayshift.yaml", "default"},
	} {
		if path, by := Choose(test.flag, env(test.env)); path != test.path || by != test.by {
			t.Errorf("Choose(%q) with %q = %q by %q", test.flag, test.env, path, by)
		}
	}
}

func TestFaultsAsJSON(t *testing.T) {
	data, err := faultsOf(t, "tag: [x]\n").JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"file":"dayshift.yaml","line":1,"column":6,"path":"tag","problem":"is a list","allowed":"a text"}]`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"0s": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "2h": 2 * time.Hour, "7d": 7 * 24 * time.Hour} {
		got, err := ParseDuration(text)
		if err != nil || time.Duration(got) != want {
			t.Errorf("%s = %v, %v", text, got, err)
		}
		again, err := ParseDuration(got.String())
		if err != nil || again != got {
			t.Errorf("%s printed as %s is read back as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "5", "s", "-5m", "+5m", "1.5h", "1h30m", "5 m", "5M", "5ms", "1w", "106752d", "99999999999999999999s", "٥m"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken as %s", text, got)
		}
	}
}

func TestListenAndStore(t *testing.T) {
	for _, text := range []string{"127.0.0.1:8080", ":8080", "[::1]:0", "localhost:80", "0.0.0.0:65535"} {
		if f := checkListen(text); f != nil {
			t.Errorf("listen %s: %v", text, f)
		}
	}
	for _, text := range []string{"", "8080", "localhost", "localhost:", "localhost:http", ":65536", ":+80", "a b:80", "http://localhost:80"} {
		if checkListen(text) == nil {
			t.Errorf("listen %q is taken", text)
		}
	}
	for text, want := range map[string]Store{
		"sqlite:a.db": {SQLite, "a.db"}, "sqlite:/var/lib/a.db": {SQLite, "/var/lib/a.db"}, "sqlite:C:\\a.db": {SQLite, "C:\\a.db"}, "memory:": {Engine: Memory}, "memory": {Engine: Memory},
	} {
		if got, f := parseStore(text); f != nil || got != want {
			t.Errorf("store %s = %v, %v", text, got, f)
		}
	}
	for _, text := range []string{"", "sqlite", "sqlite:", "sqlite://a.db", "sqlite:dir/", "sqlite::memory:", "sqlite:a.db?mode=ro", "memory:x", "postgres://h/d", "dynamodb://x", "mongo:x", "sqlite:${HOME}/a.db", "a.db", "sqlite:a\x00b"} {
		if got, f := parseStore(text); f == nil {
			t.Errorf("store %q is taken as %v", text, got)
		}
	}
}

// TestBounds gives texts that would cost an unguarded reader minutes, gigabytes or its stack.
func TestBounds(t *testing.T) {
	const patience = 20 * time.Second // on a busy machine, with the race detector; unguarded, some of these never end
	for name, text := range map[string]string{
		"brackets":         strings.Repeat("[", 131072/shrink),
		"braces":           strings.Repeat("{a: ", 32768/shrink),
		"dashes":           strings.Repeat("- ", 32768/shrink),
		"deep block":       deepBlock(2000),
		"many keys":        strings.Repeat("a: b\n", 32768/shrink),
		"many nulls":       "schedules:\n" + strings.Repeat("  a:\n", 32768/shrink),
		"tags":             "tag: " + strings.Repeat("!a ", 32768/shrink),
		"anchors":          "tag: " + strings.Repeat("&a ", 32768/shrink),
		"aliases":          "protect: [" + strings.Repeat("*a, ", 32768/shrink) + "]",
		"question marks":   strings.Repeat("? ", 32768/shrink),
		"one long line":    "tag: " + strings.Repeat("x", 131072/shrink),
		"one long comment": "# " + strings.Repeat("#", 131072/shrink),
		"colons":           strings.Repeat(": ", 32768/shrink),
		"multi-line":       "tag: a\n" + strings.Repeat("  b\n", 32768/shrink),
		"flow of nothing":  "protect: [" + strings.Repeat(",", 32768/shrink) + "]",
		"faults":           "protect: [" + strings.Repeat("x, ", 32768/shrink) + "x]",
		"alias bomb":       aliasBomb(),
		"merge bomb":       "schedules:\n  a: &a {x: 1}\n  b: &b {<<: [*a, *a, *a, *a, *a, *a, *a, *a]}\n  c: &c {<<: [*b, *b, *b, *b, *b, *b, *b, *b]}\n  d: &d {<<: [*c, *c, *c, *c, *c, *c, *c, *c]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			faults := faultsOf(t, text)
			if took := time.Since(began); took > patience {
				t.Errorf("took %s", took)
			}
			if len(faults) > maxFaults+1 || len(faults.Error()) > 200_000 {
				t.Errorf("%d faults, %d bytes", len(faults), len(faults.Error()))
			}
		})
	}
}

func deepBlock(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// aliasBomb is a list of accounts by alias, each with a list of regions by alias: 4 million values in 20 kB.
func aliasBomb() string {
	return "accounts:\n  - &a {id: \"111122223333\", regions: &r [" + strings.Repeat("us-east-1, ", 2000) + "us-east-1]}\n" + strings.Repeat("  - *a\n", 2000)
}

// TestLargeConfiguration reads what an organisation could write: ten thousand schedules, more than a megabyte.
func TestLargeConfiguration(t *testing.T) {
	const many = 10_000 / shrink
	var b strings.Builder
	b.WriteString(small[:strings.Index(small, "schedules:")] + "schedules:\n")
	for i := range many {
		fmt.Fprintf(&b, "  team-%05d: {timezone: Asia/Seoul, periods: [office], enforced: true, notify_before_stop: 10m, description: the office hours of team %d}\n", i, i)
	}
	if b.Len() < 1<<20/shrink {
		t.Fatalf("only %d bytes", b.Len())
	}
	began := time.Now()
	loaded := mustParse(t, b.String())
	if len(loaded.Book.Schedules) != many {
		t.Errorf("%d schedules", len(loaded.Book.Schedules))
	}
	t.Logf("%d bytes in %s", b.Len(), time.Since(began))
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/wrong/*.yaml", "../../examples/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	env := Env{
		Lookup:   func(name string) (string, bool) { return "value", len(name)%2 == 0 },
		ReadFile: func(path string) ([]byte, error) { return nil, os.ErrNotExist },
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded, err := Parse("fuzz.yaml", data, env)
		var faults Faults
		switch {
		case err == nil:
			again, err := Parse("fuzz.yaml", data, env)
			if err != nil || !again.Same(loaded) {
				t.Fatalf("the second reading differs: %v", err)
			}
		case !errors.As(err, &faults) || len(faults) == 0:
			t.Fatalf("an error that is no Faults: %v", err)
		default:
			lines := strings.Count(strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n"), "\n") + 1
			for _, fault := range faults {
				if fault.Problem.Empty() || fault.Line < 0 || fault.Line > lines || (fault.Line == 0) != (fault.Column == 0) {
					t.Fatalf("fault %+v in %d lines", fault, lines)
				}
				_ = fault.Error()
			}
			if _, err := faults.JSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
