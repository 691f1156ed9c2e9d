package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chatFile = `
channels: {room: {type: slack, url: "https://h.example/x"}}
chats:
  ops: {type: slack, secret: "${SIGN}", previous_secret: canary-before, channel: room, language: ko, timezone: Asia/Seoul, unknown: viewer, rooms: [C0123ABCDEF]}
  jandi: {type: jandi, token: file:jandi.token}
  teams: {type: teams, token: Y2FuYXJ5}
  games: {type: discord, public_key: 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29}
  bridge: {type: generic, secret: canary-0123456789}
people:
  hana: {role: operator, within: "tag:Team=shop", language: ko, chats: {ops: U0123ABCDEF, jandi: Hana@Example.com}}
  Max Müller: {role: admin, chats: {bridge: max}}
`

var chatEnv = Env{
	Lookup: func(name string) (string, bool) {
		value, ok := map[string]string{"SIGN": "canary-sign", "BLANK": "canary canary"}[name]
		return value, ok
	},
	ReadFile: func(path string) ([]byte, error) {
		if path == "jandi.token" {
			return []byte("canary-token\n"), nil
		}
		return nil, errors.New("no such file")
	},
}

func TestChats(t *testing.T) {
	loaded, err := Parse("f", []byte(chatFile), chatEnv)
	if err != nil {
		t.Fatal(err)
	}
	ops := loaded.Config.Chats["ops"]
	if ops.Secret.Reveal() != "canary-sign" || ops.Secret.Source() != "${SIGN}" || ops.PreviousSecret.Reveal() != "canary-before" || ops.Channel != "room" || ops.Unknown != UnknownViewer || ops.Timezone != "Asia/Seoul" {
		t.Errorf("ops: %+v", ops)
	}
	if chats := loaded.Config.Chats; chats["jandi"].Token.Reveal() != "canary-token" || chats["jandi"].Unknown != "none" || chats["teams"].Token.Reveal() != "Y2FuYXJ5" || chats["games"].PublicKey.Reveal() == "" {
		t.Errorf("%+v", chats)
	}
	want := map[string]Person{
		"hana":       {Role: "operator", Within: "tag:Team=shop", Language: "ko", Chats: map[string]string{"ops": "U0123ABCDEF", "jandi": "hana@example.com"}},
		"Max Müller": {Role: "admin", Chats: map[string]string{"bridge": "max"}},
	}
	if diff := cmp.Diff(want, loaded.Config.People); diff != "" {
		t.Error(diff)
	}
}

func TestChatFaults(t *testing.T) {
	for _, test := range []struct{ chat, path, want string }{
		{"{}", "chats.a", "has no type"},
		{"{type: irc}", "chats.a.type", "is not one of the words allowed"},
		{"{type: slack}", "chats.a", "has no secret"},
		{"{type: generic}", "chats.a", "has no secret"},
		{"{type: teams}", "chats.a", "has no token"},
		{"{type: discord}", "chats.a", "has no public_key"},
		{"{type: slack, secret: canary, token: canary}", "chats.a.token", "is for chats of the type jandi, teams"},
		{"{type: slack, secret: canary, previous_public_key: abcd}", "chats.a.previous_public_key", "is for chats of the type discord"},
		{`{type: slack, secret: "${BLANK}"}`, "chats.a.secret", "is not what the chat system shows"},
		{`{type: slack, secret: "${NONE}"}`, "chats.a.secret", "names an environment variable that is not set"},
		{"{type: generic, secret: canary}", "chats.a.secret", "is 6 characters long"},
		{"{type: teams, token: canary!}", "chats.a.token", "is not what the chat system shows"},
		{"{type: teams, token: Y2FuYXJ5, previous_token: canary!}", "chats.a.previous_token", "is not what the chat system shows"},
		{"{type: discord, public_key: abcd}", "chats.a.public_key", "is not what the chat system shows"},
		{"{type: slack, secret: canary, channel: rooms}", "chats.a.channel", "is no channel of this configuration"},
		{"{type: slack, secret: canary, language: fr}", "chats.a.language", "is not one of the words allowed"},
		{"{type: slack, secret: canary, timezone: Asia/Soul}", "chats.a.timezone", "is not a time zone"},
		{"{type: slack, secret: canary, unknown: operator}", "chats.a.unknown", "is not one of the words allowed"},
		{"{type: slack, secret: canary, rooms: []}", "chats.a.rooms", "is empty"},
		{`{type: slack, secret: canary, rooms: [" C1"]}`, "chats.a.rooms[0]", "is nothing that a chat system says"},
		{"{type: slack, secert: canary}", "chats.a.secert", "is not a known key"},
	} {
		_, err := Parse("f", []byte("channels: {room: {type: slack, url: 'https://h.example/x'}}\nchats:\n  a: "+test.chat+"\n"), chatEnv)
		var faults Faults
		if !errors.As(err, &faults) || faults[0].Path != test.path && !strings.Contains(test.chat, "secert") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.chat, err)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: shown: %v", test.chat, err)
		}
	}
	for _, test := range []struct{ people, path, want string }{
		{"{}", "people.b", "has no role"},
		{"{role: operator}", "people.b", "has no chats"},
		{"{role: god, chats: {a: U1}}", "people.b.role", "is not one of the words allowed"},
		{"{role: operator, chats: {}}", "people.b.chats", "is empty"},
		{"{role: operator, chats: {c: U1}}", "people.b.chats.c", "is no chat of this configuration"},
		{"{role: operator, chats: {a: ''}}", "people.b.chats.a", "is nothing that a chat system says"},
		{`{role: operator, chats: {a: "U1\n"}}`, "people.b.chats.a", "is nothing that a chat system says"},
		{"{role: operator, within: 'team=', chats: {a: U1}}", "people.b.within", "is not a filter"},
		{"{role: operator, chats: {j: hana}}", "people.b.chats.j", "is no e-mail address"},
		{"{role: operator, chats: {a: U0}}", "people.b.chats.a", "is anna already"},
		{"{role: operator, chats: {j: ANNA@x.example}}", "people.b.chats.j", "is anna already"},
	} {
		_, err := Parse("f", []byte("chats: {a: {type: slack, secret: canary}, j: {type: jandi, token: canary}}\npeople:\n  anna: {role: viewer, chats: {a: U0, j: anna@x.example}}\n  b: "+test.people+"\n"), chatEnv)
		var faults Faults
		if !errors.As(err, &faults) || faults[0].Path != test.path || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.people, err)
		}
	}
	if _, err := Parse("f", []byte("chats: {a/b: {type: slack, secret: canary}}"), chatEnv); err == nil || !strings.Contains(err.Error(), "is not the name of a chat") {
		t.Errorf("a name that is no part of an address: %v", err)
	}
}

// TestFault6_38_SecretsOfChats: no form in which a configuration is shown, compared or refused tells what proves a request.
func TestFault6_38_SecretsOfChats(t *testing.T) {
	loaded, err := Parse("f", []byte(chatFile), chatEnv)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := Parse("f", []byte(strings.Replace(chatFile, "canary-0123456789", "canary-9876543210", 1)), chatEnv)
	if err != nil {
		t.Fatal(err)
	}
	if diff := loaded.Diff(changed); len(diff) != 1 || diff[0] != "chats.bridge.secret: the secret changed" {
		t.Errorf("diff %q", diff)
	}
	values, err := json.Marshal(loaded.Values())
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"values": string(values), "printed": fmt.Sprintf("%+v %#v", loaded.Config.Chats, loaded.Config.Chats)} {
		if strings.Contains(text, "canary") {
			t.Errorf("%s: %s", what, text)
		}
	}
}
