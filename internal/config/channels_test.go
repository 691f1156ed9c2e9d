package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/notify"
)

const channelFile = `
periods: {office: {weekdays: mon}}
schedules: {seoul-office: {periods: [office]}}
channels:
  ops: {type: sns, topic: "arn:aws-cn:sns:cn-north-1:111122223333:day_shift-1"}
  pager:
    type: webhook
    url: ${HOOK}
    secret: file:hook.secret
    previous_secret: canary-previous-0000
    headers: {authorization: Bearer canary-header, X-Team: "${TEAM}"}
    kinds: [held, failed]
    schedules: [seoul-office, seoul-offices]
    workloads: [shop]
  near: {type: webhook, url: "http://127.0.0.1:9000/canary-path", secret: canary-0123456789, allow_private: true}
`

var channelEnv = Env{
	Lookup: func(name string) (string, bool) {
		value, ok := map[string]string{"HOOK": "https://hooks.example/canary-url?x=1", "TEAM": "canary-team", "SHORT": "canary"}[name]
		return value, ok
	},
	ReadFile: func(path string) ([]byte, error) {
		if path == "hook.secret" {
			return []byte("canary-file-0123456789\n"), nil
		}
		return nil, errors.New("no such file")
	},
}

func TestChannels(t *testing.T) {
	loaded, err := Parse("f", []byte(channelFile), channelEnv)
	if err != nil {
		t.Fatal(err)
	}
	pager, near := loaded.Config.Channels["pager"], loaded.Config.Channels["near"]
	if pager.URL.Reveal() != "https://hooks.example/canary-url?x=1" || pager.URL.Source() != "${HOOK}" || pager.Secret.Reveal() != "canary-file-0123456789" ||
		pager.PreviousSecret.Reveal() != "canary-previous-0000" || pager.Headers["authorization"].Reveal() != "Bearer canary-header" || pager.Headers["X-Team"].Reveal() != "canary-team" {
		t.Errorf("pager: %+v", pager)
	}
	if diff := cmp.Diff([]string{"held", "failed"}, pager.Kinds); diff != "" || pager.AllowPrivate || !near.AllowPrivate || near.URL.Reveal() != "http://127.0.0.1:9000/canary-path" {
		t.Errorf("%s; near: %+v", diff, near)
	}
	var warned []string
	for _, w := range loaded.Warnings {
		warned = append(warned, w.Summary())
	}
	for _, want := range []string{
		`channels.pager.schedules[1]: "seoul-offices" is not a schedule that is known now`, `channels.pager.workloads[0]: "shop" is not a workload that is known now`,
		`channels.ops.topic: "arn:aws-cn:sns:cn-north-1:111122223333:day_shift-1" is in an account that is not known now: nothing can be published to it`,
	} {
		if !slices.Contains(warned, want) {
			t.Errorf("not warned: %s", want)
		}
	}
	if strings.Contains(fmt.Sprint(loaded.Warnings), "schedules[0]") {
		t.Errorf("warnings %q", warned)
	}
	if got := loaded.Origin("channels.pager.url"); got.Line != 8 {
		t.Errorf("origin %+v", got)
	}
}

// Every kind that there is can be chosen, and no other.
func TestMessageKinds(t *testing.T) {
	var kinds []string
	for _, kind := range notify.Kinds {
		kinds = append(kinds, string(kind))
	}
	slices.Sort(kinds)
	known := slices.Sorted(slices.Values(messageKinds))
	if diff := cmp.Diff(kinds, known); diff != "" {
		t.Errorf("notify has (-), channels can choose (+):\n%s", diff)
	}
}

func TestChannelFaults(t *testing.T) {
	for _, test := range []struct{ channel, path, want string }{
		{"{}", "channels.a", "has no type"},
		{"{type: pigeon}", "channels.a.type", "is not one of the words allowed"},
		{"{type: slack}", "channels.a", "has no url"},
		{`{type: teams, url: "http://h.example/canary"}`, "channels.a.url", "is not encrypted"},
		{`{type: slack, url: "https://h.example/canary", secret: canary-0123456789}`, "channels.a.secret", "is for channels of the type webhook, dingtalk, lark"},
		{`{type: dingtalk, url: "https://h.example/canary", secret: " canary"}`, "channels.a.secret", "is not a secret of a room"},
		{`{type: lark, url: "https://h.example/canary", secret: "${NONE}"}`, "channels.a.secret", "names an environment variable that is not set"},
		{`{type: wecom, url: "https://h.example/canary", headers: {X-A: canary}}`, "channels.a.headers", "is for channels of the type webhook"},
		{"{type: sns}", "channels.a", "has no topic"},
		{"{type: sns, topic: dayshift}", "channels.a.topic", "is not the ARN of a topic"},
		{`{type: sns, topic: "arn:aws:sqs:us-east-1:111122223333:x"}`, "channels.a.topic", "is not the ARN of a topic"},
		{`{type: sns, topic: "arn:aws:sns:us-east-1:111122223333:x.fifo"}`, "channels.a.topic", "is a FIFO topic"},
		{`{type: sns, topic: "arn:aws:sns:us-east-1:111122223333:x", secret: canary-0123456789}`, "channels.a.secret", "is for channels of the type webhook, dingtalk, lark"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, topic: x}`, "channels.a.topic", "is for channels of the type sns"},
		{"{type: webhook, secret: canary-0123456789}", "channels.a", "has no url"},
		{`{type: webhook, url: "https://h.example/canary"}`, "channels.a", "has no secret"},
		{`{type: webhook, url: "http://h.example/canary", secret: canary-0123456789}`, "channels.a.url", "is not encrypted"},
		{`{type: webhook, url: "ftp://h.example/canary", secret: canary-0123456789}`, "channels.a.url", "begins with neither http:// nor https://"},
		{`{type: webhook, url: "https://u:canary@h.example/", secret: canary-0123456789}`, "channels.a.url", "holds a user name or a password"},
		{`{type: webhook, url: "${NONE}/canary", secret: canary-0123456789}`, "channels.a.url", "names an environment variable that is not set"},
		{`{type: webhook, url: "file:missing", secret: canary-0123456789}`, "channels.a.url", "cannot be used"},
		{`{type: webhook, url: "https://h.example/canary", secret: "${SHORT}"}`, "channels.a.secret", "is 6 characters long"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, previous_secret: canary}`, "channels.a.previous_secret", "is 6 characters long"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, headers: {"a b": canary}}`, `channels.a.headers."a b"`, "is not the name of a header"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, headers: {dayshift-id: canary}}`, "channels.a.headers.dayshift-id", "is a header that Dayshift sets itself"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, headers: {host: canary}}`, "channels.a.headers.host", "is a header that Dayshift sets itself"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, headers: {X-A: canary, x-a: canary}}`, "channels.a.headers.x-a", "is the same header as X-A"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, headers: {X-A: "canary\r\nHost: x"}}`, "channels.a.headers.X-A", "is not the value of a header"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, kinds: [hold]}`, "channels.a.kinds[0]", "is no kind of message"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, kinds: [held, held]}`, "channels.a.kinds[1]", "is given twice"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, kinds: []}`, "channels.a.kinds", "is empty"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, schedules: [""]}`, "channels.a.schedules[0]", "is empty"},
		{`{type: webhook, url: "https://h.example/canary", secret: canary-0123456789, Url: "https://h.example/canary"}`, "channels.a.Url", "is not a known key"},
	} {
		_, err := Parse("f", []byte("channels:\n  a: "+test.channel+"\n"), channelEnv)
		var faults Faults
		if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(faults[0].Summary(), test.want) {
			t.Errorf("%s: %v", test.channel, err)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: shown: %v", test.channel, err)
		}
	}
	var many strings.Builder
	for i := range maxChannels + 1 {
		fmt.Fprintf(&many, "  c%d: {type: sns, topic: x}\n", i)
	}
	if _, err := Parse("f", []byte("channels:\n"+many.String()), Env{}); err == nil || !strings.Contains(err.Error(), "at most 100 are taken") {
		t.Errorf("too many: %v", err)
	}
}

// TestFault6_38_SecretsOfChannels: no form in which a configuration is shown, compared or refused tells a secret of a channel.
func TestFault6_38_SecretsOfChannels(t *testing.T) {
	loaded, err := Parse("f", []byte(channelFile), channelEnv)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := Parse("f", []byte(strings.NewReplacer("canary-path", "canary-other", "canary-header", "canary-token").Replace(channelFile)), channelEnv)
	if err != nil {
		t.Fatal(err)
	}
	diff := loaded.Diff(changed)
	if want := []string{"channels.near.url: the secret changed", "channels.pager.headers.authorization: the secret changed"}; !cmp.Equal(diff, want) {
		t.Errorf("diff %q", diff)
	}
	asJSON, err := json.Marshal(loaded.Config)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s", loaded.Config, loaded.Config, loaded.Config.Channels, asJSON) + fmt.Sprint(loaded.Values(), loaded.Warnings)
	if strings.Contains(shown, "canary") {
		t.Errorf("shown: %s", shown)
	}
	// A fault shows the line that it is on, as it is written.
	for _, broken := range []string{
		"channels: {a: {type: webhook, url: https://h.example/canary, secret: canary-0123456789, headers: {X-A: canary}, colour: blue}}\n",
		"channels: {a: {type: webhook, url: https://h.example/canary, headers: {X-A: canary}, secrets: canary-0123456789}}\n",
		"chanels: {a: {type: webhook, url: https://h.example/canary, headers: {X-A: canary}}}\n",
		"channels: {a: {type: webhook, header: {X-A: canary}, uri: https://h.example/canary}}\n",
		"channels:\n  a:\n    type: webhook\n    url: https://h.example/canary\n  url: https://h.example/canary\n",
		"channels:\n  a:\n    url: \"https://h.example/canary\n    type: webhook\n",
		"channels:\n  a: {url: https://h.example/canary\n",
		"channels:\n  a:\n    headers: {Authorization: Bearer-canary}: x\n",
		"channels:\n  a:\n    type: webhook\n    headers: canary-header\n",
		"channels:\n  a:\n    url: [https://h.example/canary]\n    type: webhook\n",
	} {
		_, err := Parse("f", []byte(broken), channelEnv)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", broken, err)
		}
	}
}
