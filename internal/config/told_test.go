package config

import (
	"strings"
	"testing"
)

func TestHowChannelsAreTold(t *testing.T) {
	const file = `
language: ko
page_url: https://dayshift.example.com/
channels:
  ops: {type: slack, url: "https://h.example/x", timezone: Asia/Seoul, language: zh-CN}
  more: {type: slack, url: "https://h.example/y"}
`
	loaded := mustParse(t, file)
	if ops := loaded.Config.Channels["ops"]; loaded.Config.Language != "ko" || ops.Language != "zh-CN" || ops.Timezone != "Asia/Seoul" || loaded.Config.Channels["more"].Language != "" {
		t.Errorf("%+v", loaded.Config)
	}
	if got := loaded.Page(); got != "https://dayshift.example.com" {
		t.Errorf("the page is at %s", got)
	}
	if got := mustParse(t, "auth: {oidc: {issuer: https://id.example, client_id: x, redirect_url: \"https://d.example:8443/api/v1/session/oidc/callback\", groups: [{group: a, role: viewer}]}}\n").Page(); got != "https://d.example:8443" {
		t.Errorf("the page is at %q", got)
	}
	if got := mustParse(t, "timezone: UTC\n").Page(); got != "" {
		t.Errorf("the page is at %q", got)
	}
	for _, test := range []struct{ change, with, path, want string }{
		{"ko", "kr", "language", "is not one of the words allowed"},
		{"zh-CN", "zh", "channels.ops.language", "is not one of the words allowed"},
		{"Asia/Seoul", "Asia/Soul", "channels.ops.timezone", "zone"},
		{"com/", "com/dayshift", "page_url", "has a path"},
		{"https://dayshift", "http://dayshift", "page_url", "is not encrypted"},
		{"dayshift.example.com/", "u:p@dayshift.example.com/", "page_url", "has a name or password in it"},
	} {
		faults := faultsOf(t, strings.Replace(file, test.change, test.with, 1))
		if len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(faults[0].Problem.String(), test.want) {
			t.Errorf("%s: %+v", test.with, faults)
		}
	}
}

func TestBotsOfSlack(t *testing.T) {
	const file = `
chats: {room: {type: slack, secret: canary-0123456789}, topic: {type: jandi, token: canary-0123456789}}
channels:
  ops: {type: slack, token: xoxb-canary, channel: C0123ABCDEF, chat: room}
`
	ops := mustParse(t, file).Config.Channels["ops"]
	if ops.Token.Reveal() != "xoxb-canary" || ops.Channel != "C0123ABCDEF" || ops.Chat != "room" {
		t.Errorf("%+v", ops)
	}
	for _, test := range []struct{ change, with, path, want string }{
		{"channel: C0123ABCDEF, ", "", "channels.ops", "has no channel"},
		{"C0123ABCDEF", "ops", "channels.ops.channel", "is not the ID of a channel"},
		{"chat: room", "chat: rooms", "channels.ops.chat", "is no chat of this configuration"},
		{"chat: room", "chat: topic", "channels.ops.chat", "is a chat of the type jandi"},
		{"token: xoxb-canary", "token: \" x\"", "channels.ops.token", "is not a secret of a room"},
		{"token: xoxb-canary", "token: \"${NONE}\"", "channels.ops.token", "names an environment variable that is not set"},
		{"chat: room", "url: \"https://h.example/canary\"", "channels.ops.url", "is for a webhook"},
		{"{type: slack, token: xoxb-canary, channel", "{type: wecom, url: \"https://h.example/x\", channel", "channels.ops.channel", "is for channels of the type slack"},
	} {
		faults := faultsOf(t, strings.Replace(file, test.change, test.with, 1))
		if len(faults) == 0 || faults[0].Path != test.path || !strings.Contains(faults[0].Problem.String(), test.want) || strings.Contains(faults[0].Error(), "canary") {
			t.Errorf("%s: %+v", test.with, faults)
		}
	}
}

func TestMailAndBuses(t *testing.T) {
	const file = `
accounts: [{id: "111122223333", regions: [us-east-1]}]
channels:
  a: {type: email, smtp: "smtp.example.com:465", username: dayshift, password: canary-0123456789, from: "Dayshift <d@example.com>", to: [ops@example.com]}
  b: {type: email, smtp: "smtp.example.com:587", from: d@example.com, to: [ops@example.com], allow_private: true}
  c: {type: eventbridge, bus: "arn:aws:events:us-east-1:111122223333:event-bus/dayshift"}
`
	channels := mustParse(t, file).Config.Channels
	a, b := channels["a"], channels["b"]
	if !a.ImplicitTLS() || b.ImplicitTLS() || a.Password.Reveal() != "canary-0123456789" || !b.AllowPrivate || channels["c"].Bus == "" {
		t.Errorf("%+v", channels)
	}
	for _, test := range []struct{ change, with, path, want string }{
		{"smtp.example.com:465", "smtp.example.com", "channels.a.smtp", "is not a mail server"},
		{"smtp.example.com:465", "smtp://x:465", "channels.a.smtp", "is not a mail server"},
		{"username: dayshift, ", "", "channels.a", "has no username"},
		{"password: canary-0123456789, ", "", "channels.a", "has no password"},
		{"Dayshift <d@example.com>", "Dayshift", "channels.a.from", "is not a mail address"},
		{"to: [ops@example.com]}", "to: []}", "channels.a.to", "has 0 recipients"},
		{"to: [ops@example.com]}", "to: [ops@example.com, ops@example.com]}", "channels.a.to[1]", "is given twice"},
		{"to: [ops@example.com]}", "to: [\"ops@example.com\\r\\nBcc: x@example.com\"]}", "channels.a.to[0]", "is not a mail address"},
		{"password: canary", "tls: none, password: canary", "channels.a.tls", "is not one of the words allowed"},
		{"event-bus/dayshift", "bus", "channels.c.bus", "is not the ARN of an event bus"},
		{"{type: eventbridge, ", "{type: eventbridge, smtp: \"x.example:25\", ", "channels.c.smtp", "is for channels of the type email"},
	} {
		faults := faultsOf(t, strings.Replace(file, test.change, test.with, 1))
		if len(faults) == 0 || faults[0].Path != test.path || !strings.Contains(faults[0].Problem.String(), test.want) || strings.Contains(faults[0].Error(), "canary") {
			t.Errorf("%s: %+v", test.with, faults)
		}
	}
	if warnings := mustParse(t, strings.Replace(file, "id: \"1111", "id: \"2222", 1)).Warnings; !strings.Contains(warnings[0].Summary()+warnings[len(warnings)-1].Summary(), "channels.c.bus") {
		t.Errorf("%+v", warnings)
	}
}

func TestOwnWords(t *testing.T) {
	const file = `
channels:
  a: {type: slack, url: "https://h.example/x", titles: {stop-warning: "점호! {schedule} {time}"}, lines: {failed: "{name}: {text}"}}
`
	if a := mustParse(t, file).Config.Channels["a"]; a.Titles["stop-warning"] != "점호! {schedule} {time}" || a.Lines["failed"] != "{name}: {text}" {
		t.Errorf("%+v", a)
	}
	for _, test := range []struct{ change, with, path, want string }{
		{"stop-warning", "stop-warnings", "channels.a.titles.stop-warnings", "is no kind of message"},
		{"{time}", "{name}", "channels.a.titles.stop-warning", "has {name} in it, which stands for nothing"},
		{"{text}", "{text", "channels.a.lines.failed", "has a { without a }"},
		{"{name}: {text}", "", "channels.a.lines.failed", "is empty"},
	} {
		faults := faultsOf(t, strings.Replace(file, test.change, test.with, 1))
		if len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(faults[0].Problem.String(), test.want) {
			t.Errorf("%s: %+v", test.with, faults)
		}
	}
}
