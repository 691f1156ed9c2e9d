package cli

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dayshift/internal/app"
	"dayshift/internal/config"
	"dayshift/internal/store"
)

const overrideFleet = `
accounts:
  - {id: "111122223333"}
resources:
  - {account: "111122223333", region: ap-northeast-2, kind: ec2, name: api, state: stopped, tags: {Schedule: always-off, Env: dev}}
  - {account: "111122223333", region: ap-northeast-2, kind: ec2, name: web, state: running, tags: {Schedule: always-off, Env: dev}}
  - {account: "111122223333", region: ap-northeast-2, kind: ec2, name: safe, state: running, tags: {Schedule: always-off, "dayshift:protect": "true"}}
`

// begun is a program before its first command: a simulated AWS and a configuration.
type begun struct {
	t      *testing.T
	config string
}

func begin(t *testing.T, where string) *begun {
	t.Helper()
	dir := t.TempDir()
	fleet := filepath.Join(dir, "fleet.yaml")
	if err := os.WriteFile(fleet, []byte(overrideFleet), 0o600); err != nil {
		t.Fatal(err)
	}
	sim, err := app.NewSim(app.SimOptions{Fleet: fleet, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "any"} {
		t.Setenv(name, value)
	}
	b := &begun{t, filepath.Join(dir, "dayshift.yaml")}
	text := "store: " + strings.ReplaceAll(where, "DIR", dir) + `
timezone: Asia/Seoul
accounts:
  - {id: "111122223333", regions: [ap-northeast-2]}
periods:
  day: {begintime: "09:00", endtime: "18:00"}
schedules:
  always-off: {override_status: stopped}
  office: {periods: [day]}
`
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs a command and checks its exit code.
func (b *begun) run(code int, args ...string) (out, problems string) {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	if got := Main(append(args, "--config", b.config), strings.NewReader(""), &stdout, &stderr); got != code {
		b.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout.String(), stderr.String())
	}
	return stdout.String(), stderr.String()
}

func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	out, _ := b.run(exitDone, "override", "list")
	says(t, out, "No override is in force.")
	out, problems := b.run(exitDone, "start", "api", "--for", "2h", "--dry-run")
	says(t, out, "dry run, nothing is changed: 111122223333/ap-northeast-2/ec2_instance/i-", "1 resource is started at the next pass: api.", "Then 1 resource is stopped, as the schedule wants: api; people are told at ", "(", "in Asia/Seoul")
	if problems != "" {
		t.Errorf("%s", problems)
	}
	if _, err := os.Stat(strings.TrimSuffix(b.config, "yaml") + "db"); err == nil {
		t.Error("a dry run made a store")
	}

	out, problems = b.run(exitDone, "start", "api", "--for", "2h", "--reason", "release "+hostile)
	says(t, out, "is made: 111122223333/ap-northeast-2/ec2_instance/i-")
	says(t, problems, "nobody is at work on this store: run `dayshift run` to do it now, or start `dayshift serve`")
	id := regexp.MustCompile(`o-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}`).FindString(out)
	if id == "" || strings.ContainsAny(out, "\x1b\u202e") {
		t.Fatalf("%q", out)
	}
	out, _ = b.run(exitDone, "override", "list", "-o", "json")
	var list struct {
		Overrides []struct{ ID, State, Author, Reason string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Overrides) != 1 || list.Overrides[0].ID != id || list.Overrides[0].State != "running" || list.Overrides[0].Author != person() || !strings.HasPrefix(list.Overrides[0].Reason, "release ") {
		t.Errorf("%s, %v", out, err)
	}

	// A daemon holds the store and its lease open meanwhile.
	loaded, err := config.Load(b.config)
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := app.Open(t.Context(), loaded, quietLog(os.Stderr), app.Act)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = daemon.Close() }()
	if _, err := daemon.Store.Acquire(t.Context(), "scheduler", "host-7 process 42", time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	out, problems = b.run(exitDone, "stop", "schedule:always-off", "--until", "22:00")
	says(t, out, "1 resource is stopped at the next pass: web.", "1 resource is protected and left alone: safe.", "For 1 resource another override comes first: api.", "(", " 22:00 in Asia/Seoul)")
	says(t, problems, "the dayshift at work on this store (host-7 process 42) acts on it within seconds")
	out, _ = b.run(exitDone, "start", "tag:Env=dev", "--for", "1h", "-o", "json")
	var answer struct {
		AtWork   string `json:"at_work"`
		Override struct {
			ID, Target string
			Version    int
		}
		Matches int
		Effect  struct{ Resources int }
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.AtWork != "host-7 process 42" || answer.Override.Target != "filter:tag:Env=dev" || answer.Override.Version != 1 || answer.Matches != 2 || answer.Effect.Resources == 0 {
		t.Errorf("%s, %v", out, err)
	}
	if revision, err := daemon.Store.Revision(t.Context()); err != nil || revision == 0 {
		t.Errorf("what the daemon watches did not change: %d, %v", revision, err)
	}

	out, _ = b.run(exitDone, "override", "extend", id[len(id)-4:], "--for", "3h")
	says(t, out, id+" is changed")
	_, problems = b.run(exitUsage, "override", "extend", id, "--for", "1h")
	says(t, problems, "to cut it short: dayshift override cut "+id)
	_, problems = b.run(exitFailed, "override", "cut", id, "--for", "1h", "--version", "1")
	says(t, problems, "is in version 2, by "+person())
	b.run(exitDone, "override", "cut", "api", "--for", "30m", "--version", "2")
	out, _ = b.run(exitDone, "override", "show", "api")
	says(t, out, id+": 111122223333/ap-northeast-2/ec2_instance/i-", "(changed by "+person(), "version 3)")
	out, _ = b.run(exitDone, "override", "list", "-o", "csv")
	says(t, out, "ID,TARGET,STATE", id+",", ",schedule:always-off,stopped,", ",1 of 2,1", "filter:tag:Env=dev", ",0 of 2,1")
	out, _ = b.run(exitDone, "explain", "api")
	says(t, out, "A person wants it running")

	out, _ = b.run(exitDone, "override", "clear", "api", "--dry-run")
	says(t, out, "dry run, nothing is changed: 1 override would be cleared.")
	out, _ = b.run(exitDone, "override", "clear", "api")
	says(t, out, "1 override cleared.", "1 resource stays as now: api.")
	_, problems = b.run(exitUsage, "override", "clear", "api")
	says(t, problems, "no override is on \"api\" itself; it is covered by")
	out, problems = b.run(exitDone, "override", "clear", "--all")
	says(t, out, "2 overrides cleared.")
	says(t, problems, "acts on it within seconds")
	out, _ = b.run(exitDone, "override", "clear", "--all")
	says(t, out, "There is nothing to clear.")

	rows, err := daemon.Store.Activity(t.Context(), store.ActivityQuery{Event: store.EventOverride})
	var what []string
	for _, row := range rows {
		what = append(what, row.Reason)
	}
	if got := strings.Join(what, " "); err != nil || got != "made made made changed changed cleared cleared cleared" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOverridesThatAreRefused(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	for _, test := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "accepts 1 arg", []string{"start"}},
		{exitUsage, "accepts 1 arg", []string{"stop", "a", "b"}},
		{exitUsage, "give one of them", []string{"start", "api", "--for", "1h", "--until", "22:00"}},
		{exitUsage, `"soon" is not a duration`, []string{"start", "api", "--for", "soon"}},
		{exitUsage, `"-1h" is not a duration`, []string{"start", "api", "--for", "-1h"}},
		{exitUsage, "over before it begins", []string{"start", "api", "--for", "0s"}},
		{exitUsage, `--until "tonight" is not a time: write 22:00`, []string{"start", "api", "--until", "tonight"}},
		{exitUsage, `"25:00" is no time of day`, []string{"start", "api", "--until", "25:00"}},
		{exitUsage, `"9:5" is no time of day`, []string{"start", "api", "--until", "9:5"}},
		{exitUsage, "in the past", []string{"start", "api", "--until", "2020-01-01"}},
		{exitUsage, "in the past", []string{"start", "api", "--until", "-1h"}},
		{exitUsage, "is too long", []string{"start", "api", "--for", "9999d"}},
		{exitUsage, "there is no next boundary", []string{"start", "api"}},
		{exitUsage, "there is no next boundary", []string{"start", "api", "--until", "next"}},
		{exitUsage, "can not be overridden", []string{"stop", "safe", "--for", "1h"}},
		{exitUsage, "matches no scheduled resource", []string{"stop", "tag:Env=prod", "--for", "1h"}},
		{exitUsage, `there is no workload "shop"`, []string{"stop", "workload:shop", "--for", "1h"}},
		{exitFailed, `did you mean "api"?`, []string{"start", "apl", "--for", "1h"}},
		{exitUsage, "is not valid UTF-8", []string{"start", "api", "--for", "1h", "--reason", "\xff"}},
		{exitUsage, "give --for or --until", []string{"override", "extend", "api"}},
		{exitUsage, "give --for or --until", []string{"override", "cut", "api"}},
		{exitUsage, "versions begin at 1", []string{"override", "cut", "api", "--for", "1h", "--version", "-1"}},
		{exitUsage, "versions begin at 1", []string{"override", "clear", "api", "--version", "-1"}},
		{exitUsage, `there is no override "api"; none is in force`, []string{"override", "show", "api"}},
		{exitUsage, "accepts 1 arg", []string{"override", "clear"}},
		{exitUsage, "--help", []string{"override", "clear", "api", "--all"}},
		{exitUsage, "--help", []string{"override", "list", "api"}},
		{exitUsage, "unknown command", []string{"override", "lits"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			in := *b
			in.t = t
			out, problems := in.run(test.code, test.args...)
			says(t, problems, test.says)
			if out != "" {
				t.Errorf("standard output: %s", out)
			}
		})
	}
}

// Nothing would remember an override between two commands.
func TestOverridesNeedAStore(t *testing.T) {
	b := begin(t, "'memory:'")
	for _, args := range [][]string{{"start", "api", "--for", "1h"}, {"stop", "api", "--for", "1h", "--dry-run"}, {"override", "list"}, {"override", "clear", "--all"}, {"override", "extend", "api", "--for", "1h"}, {"override", "show", "api"}} {
		_, problems := b.run(exitUsage, args...)
		says(t, problems, "forgets everything when a command ends", "set store: sqlite:dayshift.db")
	}
}

// A region that does not answer makes the answer one in part, and nothing in it is taken for absent.
func TestOverridesWithAGap(t *testing.T) {
	b := begin(t, "sqlite:DIR/dayshift.db")
	data, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "regions: [ap-northeast-2]", "regions: [ap-northeast-2, mx-nowhere-1]", 1)
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, problems := b.run(exitPartial, "start", "api", "--for", "1h")
	says(t, out, "is made")
	says(t, problems, "gap: 111122223333/mx-nowhere-1")
	_, problems = b.run(exitFailed, "start", "orders", "--for", "1h")
	says(t, problems, "it may be in a part that could not be listed: 111122223333/mx-nowhere-1")
	b.run(exitPartial, "override", "list")
	b.run(exitPartial, "override", "show", "api")
	b.run(exitPartial, "override", "clear", "--all")
}
