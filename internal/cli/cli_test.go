package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"

	"dayshift/internal/app"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/golden"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

var (
	seoul  = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	monday = time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC)
)

// hostile is what a stranger may call a resource.
const hostile = "\x1b[2Jweb\r\n=cmd|' /C calc'!A0\u202e\u2028\x00\u0085"

func TestTableText(t *testing.T) {
	table := table{columns: []string{"NAME", "STATE"}}
	table.add("web", "running")
	table.add("결제-dev-01", "stopped")
	table.add("商城…█", "-")
	table.add("", hostile)
	var out bytes.Buffer
	if err := table.text(&out); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"NAME         STATE",
		"web          running",
		"결제-dev-01  stopped",
		"商城…█       -",
		"              [2Jweb  =cmd|' /C calc'!A0",
	}, "\n") + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	empty := table
	empty.rows, empty.empty = nil, "Nothing."
	out.Reset()
	if err := empty.text(&out); err != nil || out.String() != "Nothing.\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// Nothing in a cell moves the cursor or begins a line, and columns stay in line.
func TestTableLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := table{columns: []string{"A", "B"}}
		n := rapid.IntRange(1, 5).Draw(t, "rows")
		for range n {
			table.add(rapid.String().Draw(t, "a"), "|"+rapid.String().Draw(t, "b"))
		}
		var out bytes.Buffer
		if err := table.text(&out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != n+1 {
			t.Fatalf("%d lines of %d rows: %q", len(lines), n, out.String())
		}
		for i, line := range lines[1:] {
			if strings.ContainsAny(line, "\x1b\r\t\x00\u202e\u2066\u2028") {
				t.Fatalf("%q", line)
			}
			if got, want := display.StringWidth(line), display.StringWidth(lines[0][:strings.Index(lines[0], "B")]); got < want {
				t.Fatalf("row %d is short: %q", i, line)
			}
		}
	})
}

func TestCSV(t *testing.T) {
	table := table{columns: []string{"NAME", "WHY"}}
	for _, cell := range []string{"web", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "-", "", "a=b", `say "hi", now`, hostile} {
		table.add(cell, "x")
	}
	var out bytes.Buffer
	if err := table.csv(&out); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, record := range records {
		got = append(got, record[0])
	}
	want := []string{"NAME", "web", "'=1+1", "'+1", "'-1", "'@SUM(A1)", "' =1", "' =1", "'＝1", "-", "", "a=b", `say "hi", now`, " [2Jweb  =cmd|' /C calc'!A0    "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// YAML and JSON have the same fields and values: an account stays a text, a
// long number keeps its digits.
func TestYAMLIsJSON(t *testing.T) {
	answer := service.Fleet{At: monday, Resources: []service.Resource{{
		Ref: "111122223333/cn-north-1/ec2_instance/i-1", Account: "011122223333", Region: "cn-north-1", ID: "i-1", Name: "yes", Schedule: "null", Type: "1e3",
		Why: say.Raw("a: b # c\n- d"), Tags: map[string]string{"Name": "결제 \u2028 \"x\" '", "dayshift:protect": "true", "": "~", "time": "2026-08-03", "n": "0x10"},
		Next: &service.Change{At: monday, To: "running"},
	}}, Gaps: []service.Gap{}}
	var asJSON, asYAML bytes.Buffer
	if err := errors.Join(write(&asJSON, "json", answer, nil), write(&asYAML, "yaml", answer, nil)); err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML any
	if err := errors.Join(json.Unmarshal(asJSON.Bytes(), &fromJSON), yaml.Unmarshal(asYAML.Bytes(), &fromYAML)); err != nil {
		t.Fatalf("%v\n%s", err, asYAML.String())
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("%s\n%s", diff, asYAML.String())
	}
	var back service.Fleet
	if err := json.Unmarshal(asJSON.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answer, back); diff != "" {
		t.Error(diff)
	}
	if err := write(io.Discard, "xml", answer, nil); codeOf(err) != exitUsage || !strings.Contains(err.Error(), formats) {
		t.Error(err)
	}
}

func TestInstant(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"now":                       monday,
		"2027-02-05T09:00:00+09:00": time.Date(2027, 2, 5, 0, 0, 0, 0, time.UTC),
		"2027-02-05T09:00Z":         time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC),
		"2027-02-05T09:00:00.5Z":    time.Date(2027, 2, 5, 9, 0, 0, 5e8, time.UTC),
		"2027-02-05T09:00:30":       time.Date(2027, 2, 5, 9, 0, 30, 0, time.UTC),
		"2027-02-05T09:00":          time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC),
		"2027-02-05 09:00":          time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC),
		"2027-02-05":                time.Date(2027, 2, 5, 0, 0, 0, 0, time.UTC),
		"+2h":                       monday.Add(2 * time.Hour),
		"-90s":                      monday.Add(-90 * time.Second),
		"+7d":                       monday.AddDate(0, 0, 7),
	} {
		if got, err := instant("at", text, monday); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{" ", "tomorrow", "+", "-", "+2", "+1h30m", "+-2h", "2h", "2027-02-30", "2027-13-01", "24:00", "2027-02-05T24:00", "+99999999999d", "1786000000"} {
		_, err := instant("at", text, monday)
		if codeOf(err) != exitUsage || !strings.Contains(err.Error(), fmt.Sprintf("--at %q is not a time", text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		err  error
		code int
	}{
		{nil, exitDone},
		{broken, exitFailed},
		{usage("--x: %w", broken), exitUsage},
		{fmt.Errorf("more: %w", &exitError{exitPartial, nil}), exitPartial},
		{errors.Join(&exitError{exitPartial, nil}, nil), exitPartial},
		{asked(&service.InputError{}), exitUsage},
		{asked(broken), exitFailed},
		{asked(&service.NotFoundError{Target: "x"}), exitFailed},
	} {
		if got := codeOf(test.err); got != test.code {
			t.Errorf("%v: %d, want %d", test.err, got, test.code)
		}
	}
	var err error
	closing(closer{nil}, &err)
	if err != nil {
		t.Error(err)
	}
	closing(closer{broken}, &err)
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

type closer struct{ err error }

func (c closer) Close() error { return c.err }

func TestWrongUsage(t *testing.T) {
	missing := t.TempDir() + "/none.yaml"
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"strat"}, exitUsage, `unknown command "strat"`},
		{[]string{"resource", "list", "extra"}, exitUsage, "--help"},
		{[]string{"explain"}, exitUsage, "accepts 1 arg"},
		{[]string{"explain", "--schedule", "a", "b"}, exitUsage, "--help"},
		{[]string{"version", "--colour"}, exitUsage, "unknown flag: --colour; see `dayshift version --help`"},
		{[]string{"version", "-o", "xml"}, exitUsage, "-o xml is unknown: use table, json, yaml or csv"},
		{[]string{"preview", "--from", "noon"}, exitUsage, `--from "noon" is not a time`},
		{[]string{"preview", "--from", "+2d", "--to", "+1d"}, exitUsage, "is not before --to"},
		{[]string{"run", "--at", "now"}, exitUsage, "--at goes with --dry-run"},
		{[]string{"resource", "list", "--filter", "colour=red"}, exitUsage, "--filter: "},
		{[]string{"activity", "--limit", "0"}, exitUsage, "--limit 0: give at least 1"},
		{[]string{"sim", "--limits", "some"}, exitUsage, "--limits some is unknown"},
		{[]string{"demo", "--days", "-1"}, exitUsage, "--days -1"},
		{[]string{"watch", "--after", "10ms"}, exitUsage, "--after 10ms: give from 1s to 168h0m0s"},
		{[]string{"watch", "--again", "0s"}, exitUsage, "--again 0s: give from 1s to 168h0m0s"},
		{[]string{"watch", "--server", "https://dayshift.example.com"}, exitUsage, "--server is not for dayshift watch: the server comes to it, by its heartbeat"},
		{[]string{"watch", "--config", "../../examples/minimal.yaml"}, exitUsage, "minimal.yaml has no heartbeat"},
		{[]string{"validate", "--config", missing}, exitUsage, missing},
		{[]string{"resource", "list", "--config", missing}, exitUsage, missing},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var out, problems bytes.Buffer
			code := Main(test.args, strings.NewReader(""), &out, &problems)
			if code != test.code || !strings.Contains(problems.String(), test.says) || !strings.HasPrefix(problems.String(), "dayshift: ") {
				t.Errorf("%d: %s", code, problems.String())
			}
			if out.Len() > 0 {
				t.Errorf("standard output: %s", out.String())
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for _, format := range []string{"table", "json", "yaml", "csv"} {
		var out, problems bytes.Buffer
		if code := Main([]string{"version", "-o", format}, nil, &out, &problems); code != exitDone || !strings.Contains(out.String(), "dev") || problems.Len() > 0 {
			t.Errorf("%s: %d, %q, %q", format, code, out.String(), problems.String())
		}
	}
}

func TestEvalLines(t *testing.T) {
	question := `{"id":1,"field":"months","text":"*/6","year":2027}`
	answer := `{"id":1,"months":[1,7]}`
	tooLong := `{"error":"not a question: the line is longer than 1048576 bytes"}`
	long := `{"id":"` + strings.Repeat("x", maxQuestion) + `"}`
	just := question + strings.Repeat(" ", maxQuestion-len(question)-1)
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"blank lines", "\n  \n\r\n", nil},
		{"one without an end", question, []string{answer}},
		{"several", question + "\n\n" + question + "\r\n", []string{answer, answer}},
		{"a long one among others", question + "\n" + long + "\n" + question + "\n", []string{answer, tooLong, answer}},
		{"a long one at the end", long, []string{tooLong}},
		{"one of the greatest length", just + "\n" + question, []string{answer, answer}},
		{"one byte more", just + " \n" + question, []string{tooLong, answer}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := evalLines(strings.NewReader(test.in), &out); err != nil {
				t.Fatal(err)
			}
			var got []string
			if out.Len() > 0 {
				got = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A program that waits for its answers gets them, also with half of the next
// question on its way.
func TestEvalAnswersWhenAsked(t *testing.T) {
	in, ask := io.Pipe()
	hear, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- evalLines(in, out); _ = out.Close() }()
	decoder := json.NewDecoder(hear)
	half := `{"id":0,"field":"months",`
	_, _ = io.WriteString(ask, half)
	for i := range 3 {
		if _, err := fmt.Fprintf(ask, `"text":"%d","year":2027}`+"\n"+half, i+1); err != nil {
			t.Fatal(err)
		}
		var answer service.Answer
		if err := decoder.Decode(&answer); err != nil || answer.Months == nil || (*answer.Months)[0] != i+1 {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	_ = ask.Close()
	rest, _ := io.ReadAll(io.MultiReader(decoder.Buffered(), hear))
	if err := <-ended; err != nil || !bytes.Contains(rest, []byte("not a question")) {
		t.Errorf("%v, %q", err, rest)
	}
}

func TestEvalThatCanNotReadOrWrite(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := evalLines(io.MultiReader(strings.NewReader("{}\n"), failing{broken}), io.Discard); !errors.Is(err, broken) || !strings.Contains(err.Error(), "read standard input") {
		t.Error(err)
	}
	if err := evalLines(strings.NewReader("{}\n"), failing{broken}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Who interrupts eval at a terminal is not kept waiting for a line.
func TestEvalInterrupted(t *testing.T) {
	in, ask := io.Pipe()
	defer func() { _ = ask.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	root := rootCommand()
	root.SetArgs([]string{"eval"})
	root.SetIn(in)
	root.SetOut(io.Discard)
	if err := root.ExecuteContext(ctx); codeOf(err) != exitFailed || err.Error() != "" {
		t.Errorf("%v", err)
	}
}

func action(verb fleet.Verb, id string) plan.Action {
	return plan.Action{Decision: decide.Decision{
		Verb: verb, Reason: decide.PeriodEnded, Schedule: "office",
		Resource: fleet.Resource{Ref: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: id}, Name: "name-" + id},
	}}
}

func TestRunLines(t *testing.T) {
	settled := func(verb fleet.Verb, id string, ended decide.Ended, why string) pass.Settled {
		return pass.Settled{Resource: action(verb, id).Resource, Outcome: decide.Outcome{Verb: verb, Ended: ended, Why: why}}
	}
	refused := errors.New("refused")
	report := pass.Report{
		Run: store.Run{ID: "run-1"}, At: monday, Decisions: make([]decide.Decision, 9),
		Outcomes: []plan.Outcome{
			{Action: action(fleet.Stop, "i-1"), Status: plan.Accepted},
			{Action: action(fleet.Stop, "i-2"), Status: plan.Accepted},
			{Action: action(fleet.Start, "i-2"), Status: plan.Accepted, Note: "could not be changed to x"},
			{Action: action(fleet.Start, "i-3"), Status: plan.Accepted},
			{Action: action(fleet.Start, "i-4"), Status: plan.Failed, Err: refused, Note: "no capacity for m5.large"},
			{Action: action(fleet.Stop, "i-5"), Status: plan.Skipped, Err: refused, Note: "it was running, now it is stopped"},
			{Action: action(fleet.Stop, "i-6"), Status: plan.Deferred, Err: refused},
			{Action: action(fleet.Stop, "i-7"), Status: plan.Uncertain, Err: refused},
			{Action: action(fleet.Stop, "i-8"), Status: plan.Barred, Err: refused},
		},
		Settled: []pass.Settled{
			settled(fleet.Stop, "i-2", decide.HasStopped, ""), settled(fleet.Start, "i-2", decide.Started, ""),
			settled(fleet.Start, "i-3", decide.HasFailed, "it fell back to stopped"), settled(fleet.Start, "i-99", decide.Started, ""),
		},
		Plan: plan.Plan{Held: []plan.Held{{Decision: action(fleet.Stop, "i-9").Decision, Guard: plan.MaxStops, Stops: 4, Limit: 2}}},
		Gaps: []discover.Gap{{Scope: seoul, Kinds: fleet.Kinds, Err: refused}},
	}
	answer := runLines(&report, false)
	var lines []string
	for _, l := range answer.Actions {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", l.Ref[strings.LastIndex(l.Ref, "/")+1:], l.Action, l.Status, l.Detail))
	}
	want := []string{
		"i-1 stop accepted: ", "i-2 stop stopped: ", "i-2 start started: could not be changed to x", "i-3 start failed: it fell back to stopped",
		"i-4 start failed: refused; no capacity for m5.large", "i-5 stop skipped: refused; it was running, now it is stopped",
		"i-6 stop deferred: refused", "i-7 stop uncertain: refused", "i-8 stop barred: refused", "i-9 stop held: " + report.Plan.Held[0].Sentence(),
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if answer.Started != 1 || answer.Stopped != 2 || answer.Failed != 3 || answer.Deferred != 1 || answer.Held != 1 || len(answer.Gaps) != 1 {
		t.Errorf("%+v", answer)
	}
	var out bytes.Buffer
	runSummary(&out, &answer)
	for _, says := range []string{"gap: 111122223333/ap-northeast-2", "done: 9 resources seen, 1 started, 2 stopped, 3 failed, 1 held back, 1 gaps", "not begun: 1;", "repeat with --yes"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("%q is not in\n%s", says, out.String())
		}
	}
	report.Outcomes, report.Settled = nil, nil
	report.Plan.Actions = []plan.Action{action(fleet.Stop, "i-1")}
	answer = runLines(&report, true)
	out.Reset()
	runSummary(&out, &answer)
	if len(answer.Actions) != 2 || answer.Actions[0].Status != "planned" || !strings.Contains(out.String(), "dry run for 2026-08-03T08:00:00Z: 9 resources seen, 1 actions planned, 1 held back") {
		t.Errorf("%+v\n%s", answer.Actions, out.String())
	}
	empty := runLines(&pass.Report{}, false)
	encoded, err := json.Marshal(empty)
	if err != nil || strings.Contains(string(encoded), "null") {
		t.Errorf("%s, %v", encoded, err)
	}
}

// Outcomes of several scopes come at once; what is said stays whole lines.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	say := progress(&out, "table")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			say([]plan.Outcome{
				{Action: action(fleet.Start, "i-1"), Status: plan.Accepted},
				{Action: action(fleet.Start, "i-2"), Status: plan.Accepted},
				{Action: action(fleet.Start, "i-3"), Status: plan.Failed},
			})
		})
	}
	group.Wait()
	want := strings.Repeat("111122223333/ap-northeast-2: start accepted: 2\n111122223333/ap-northeast-2: start failed: 1\n", 8)
	if out.String() != want {
		t.Error(out.String())
	}
	if progress(&out, "json") != nil {
		t.Error("a pipe meets sentences")
	}
}

func TestFollowLine(t *testing.T) {
	rows := []store.Activity{
		{Seq: 1, At: monday, Actor: "dayshift", Event: store.EventStarted, Name: hostile, Reason: "period-began", Detail: "=1"},
		{Seq: 2, At: monday, Actor: "dayshift", Event: store.EventFailed, Detail: "a,b"},
	}
	for format, lines := range map[string]int{"table": 2, "json": 2, "csv": 3} {
		var out bytes.Buffer
		for i, row := range rows {
			if err := followLine(&out, format, row, i == 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(out.String(), "\n"); got != lines {
			t.Errorf("%s: %d lines\n%s", format, got, out.String())
		}
		switch format {
		case "csv":
			if records, err := csv.NewReader(&out).ReadAll(); err != nil || records[0][0] != "SEQ" || records[2][7] != "a,b" || records[1][7] != "'=1" {
				t.Errorf("%v, %v", records, err)
			}
		case "json":
			var row store.Activity
			if err := json.NewDecoder(&out).Decode(&row); err != nil || !cmp.Equal(row, rows[0]) {
				t.Errorf("%+v, %v", row, err)
			}
		}
	}
	var out bytes.Buffer
	for i, row := range rows {
		if err := followLine(&out, "yaml", row, i == 0); err != nil {
			t.Fatal(err)
		}
	}
	decoder := yaml.NewDecoder(&out)
	for _, row := range rows {
		var got map[string]any
		if err := decoder.Decode(&got); err != nil || fmt.Sprint(got["seq"]) != fmt.Sprint(row.Seq) || got["event"] != string(row.Event) {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestExplanations(t *testing.T) {
	var out bytes.Buffer
	err := explanations(&out, []service.Explanation{{
		Resource: service.Resource{Ref: "111122223333/ap-northeast-2/ec2_instance/i-1", ID: "i-1", State: "running", NativeState: "running", Wanted: "stopped", Why: say.Raw("stop: " + hostile), Next: &service.Change{At: monday, To: "running"}},
		At:       monday,
		Chain:    []decide.Step{{Rule: "governed-by", Fact: say.Raw(`tag Schedule names the schedule "office"`)}, {Rule: "row-4", Fact: say.Raw("memory is not stopped")}},
	}})
	want := strings.Join([]string{
		"i-1  111122223333/ap-northeast-2/ec2_instance/i-1",
		"  running (running), wanted stopped at 2026-08-03T08:00:00Z",
		"  stop: " + plain(hostile),
		"  next: running from 2026-08-03T08:00:00Z",
		"",
		"  RULE         FACT",
		`  governed-by  tag Schedule names the schedule "office"`,
		"  row-4        memory is not stopped",
	}, "\n") + "\n"
	if diff := cmp.Diff(want, out.String()); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func demoFrameForTest() app.DemoFrame {
	zone := time.FixedZone("KST", 9*60*60)
	message := func(minutes int, kind notify.Kind, title string, lines ...string) app.DemoMessage {
		return app.DemoMessage{At: monday.Add(time.Duration(minutes) * time.Minute), Message: notify.Message{Kind: kind, Title: title, Count: max(1, len(lines)), Lines: lines}}
	}
	return app.DemoFrame{
		Now: monday.Add(time.Hour), Began: monday, Address: "http://127.0.0.1:8080", Key: "dsk_abcdefgh_0123456789012345678901234567890123_abcdef", SimURL: "http://127.0.0.1:4510",
		Schedules: []app.DemoSchedule{
			{Name: "china-shifts", Zone: time.FixedZone("CST", 8*60*60), Wanted: "stopped", Running: 10, Total: 40, Changing: 10, NextAt: monday.Add(24 * time.Hour), NextTo: "running"},
			{Name: "seoul-office-with-a-long-name", Zone: zone, Wanted: "running", Running: 120, Total: 120, NextAt: monday.Add(2 * time.Hour), NextTo: "stopped"},
			{Name: "seoul-office", Zone: zone, Wanted: "running", NextTo: "stopped"},
		},
		Messages: []app.DemoMessage{
			message(0, notify.Starting, "Starting 2 resources (schedule seoul-office)", "a", "b"),
			message(0, notify.Failed, "Could not act on 1 resource", "결제-dev-01: "+hostile+strings.Repeat(" no capacity", 20)),
			message(30, "person", "商城-dev-api-02: Wei stops it by hand over lunch."),
		},
		Attention: []app.DemoNote{{Name: "결제-dev-01-with-a-very-long-name", Why: "A person started it."}, {Name: "db", Why: "It is a read replica."}},
		Running:   130, Total: 160, Hours: 130, AllHours: 160, USD: 12, AllUSD: 20, Calls: 42, Throttled: 1,
		Taken: 12, Refused: 3, Post: app.DemoPost{Channel: "seoul-team", Text: "리소스 2개를 시작합니다" + hostile, At: monday},
	}
}

func TestPicture(t *testing.T) {
	// As in a Korean locale, where the library takes bars for two cells.
	wide := runewidth.DefaultCondition.EastAsianWidth
	runewidth.DefaultCondition.EastAsianWidth = true
	t.Cleanup(func() { runewidth.DefaultCondition.EastAsianWidth = wide })
	lines := picture(demoFrameForTest(), 100, 30)
	got := strings.NewReplacer(dim, "", bold, "", green, "", yellow, "", red, "", cyan, "", plainC, "").Replace(strings.Join(lines, "\n") + "\n")
	golden.Check(t, "testdata/picture.txt", got, "go test -run TestPicture ./internal/cli -update")
}

func TestPictureFits(t *testing.T) {
	for width := range 130 {
		for _, height := range []int{1, 2, 5, 12, 30, 60} {
			lines := picture(demoFrameForTest(), width, height)
			if len(lines) > height {
				t.Fatalf("%d lines on a terminal of %d", len(lines), height)
			}
			for _, line := range lines {
				shown := strings.NewReplacer(dim, "", bold, "", green, "", yellow, "", red, "", cyan, "", plainC, "").Replace(line)
				if display.StringWidth(shown) > width || strings.ContainsAny(shown, "\x1b\n\r") {
					t.Fatalf("%d cells: %q", width, shown)
				}
			}
		}
	}
	if lines := picture(app.DemoFrame{}, 80, 24); len(lines) > 24 {
		t.Errorf("%d lines of nothing", len(lines))
	}
	if got := fit("ab\x1bcd", 3); display.StringWidth(got) > 3 { // an escape without an end
		t.Errorf("%q", got)
	}
}

// Without a terminal every message is said once, also those of one instant.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	frame := demoFrameForTest()
	all := frame.Messages
	for n := range len(all) + 1 {
		frame.Messages = all[:n]
		s.show(frame)
		s.show(frame)
		frame.Now = frame.Now.Add(time.Minute)
	}
	frame.Messages = all[2:] // older ones fall out
	s.show(frame)
	s.close()
	for _, says := range []string{"Dayshift demo: ", "Starting 2 resources", "Could not act on 1 resource: 결제-dev-01", "Wei stops it", "130 of 160 run"} {
		if got := strings.Count(out.String(), says); got != 1 {
			t.Errorf("%q was said %d times:\n%s", says, got, out.String())
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("%q", out.String())
	}
}
