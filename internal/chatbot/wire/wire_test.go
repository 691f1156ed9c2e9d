package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/outbound"
)

// The example of Slack's documentation: a secret, a time, a body and their signature.
const (
	slackSecret    = "8f742231b10e8888abcd99yyyzzz85a5"
	slackTime      = 1531420618
	slackBody      = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	slackSignature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
)

// now is when all the examples are sent.
var now = time.Unix(slackTime, 0)

// The secrets of the other systems.
const (
	hookSecret = "0123456789abcdef0123456789abcdef"
	jandiToken = "YE1ronbbuoZkq7h3J5KMI4Tn"
)

var (
	teamsToken = base64.StdEncoding.EncodeToString([]byte("the key of an outgoing webhook.."))
	discordKey = ed25519.NewKeyFromSeed([]byte("thirty-two bytes make up a seed!"))
)

// player plays one chat system.
type player struct {
	name   string
	system System
	// post makes a request of a text at a time; the body is returned as it is signed.
	post func(text string, at time.Time) (http.Header, []byte)
	// forge is post by somebody who does not have the secret.
	forge func(text string, at time.Time) (http.Header, []byte)
	// signature is the header that is left out; empty: what proves it stands in the body.
	signature string
	// recode is the body in other bytes with the same meaning.
	recode func(body []byte) []byte
	want   Ask
}

func must(system System, err error) System {
	if err != nil {
		panic(err)
	}
	return system
}

func slackHeader(secret string, body []byte, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "X-Slack-Request-Timestamp": {stamp},
		"X-Slack-Signature": {"v0=" + hex.EncodeToString(hmacSHA256([]byte(secret), []byte("v0:"+stamp+":"+string(body))))},
	}
}

func reindent(body []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		panic("an example is no JSON")
	}
	return b.Bytes()
}

func players() []player {
	slackPost := func(secret string) func(string, time.Time) (http.Header, []byte) {
		return func(text string, at time.Time) (http.Header, []byte) {
			body := []byte(strings.Replace(slackBody, "&text=", "&text="+url.QueryEscape(text), 1))
			return slackHeader(secret, body, at), body
		}
	}
	teamsPost := func(token string) func(string, time.Time) (http.Header, []byte) {
		return func(text string, at time.Time) (http.Header, []byte) {
			body := example(map[string]any{
				"type": "message", "id": "1485983408511", "timestamp": at.UTC().Format("2006-01-02T15:04:05.0000000Z"), "serviceUrl": "https://smba.trafficmanager.net/amer/",
				"channelId": "msteams", "textFormat": "plain", "locale": "en-US", "text": "<at>dayshift</at>&nbsp;" + strings.ReplaceAll(text, "<", "&lt;") + "\n",
				"from":         map[string]any{"id": "29:1XJKJMvc5GBtc2JwZq0oj8tHZmzrQgFmB39ATiQWA85g", "name": "Larry Brown", "aadObjectId": "cf2c6b7e-0c2f-4d9b-8a0a-0e9f2c9b1c11"},
				"conversation": map[string]any{"isGroup": true, "id": "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype;messageid=1485983194839"},
				"channelData":  map[string]any{"teamsChannelId": "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype", "channel": map[string]any{"id": "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype"}},
				"entities":     []any{map[string]any{"type": "mention", "text": "<at>dayshift</at>"}},
			})
			key, _ := base64.StdEncoding.DecodeString(token)
			return http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Authorization": {"HMAC " + base64.StdEncoding.EncodeToString(hmacSHA256(key, body))}}, body
		}
	}
	discordPost := func(key ed25519.PrivateKey) func(string, time.Time) (http.Header, []byte) {
		return func(text string, at time.Time) (http.Header, []byte) {
			body := example(map[string]any{
				"type": 2, "id": "786008729715212338", "application_id": "786008729715212300", "token": "A_UNIQUE_TOKEN", "version": 1, "guild_id": "290926798626357999",
				"channel_id": "645027906669510667", "locale": "ko", "guild_locale": "en-US",
				"member": map[string]any{"nick": "Night owl", "user": map[string]any{"id": "53908232506183680", "username": "mason", "global_name": "Mason"}},
				"data":   map[string]any{"type": 1, "name": "dayshift", "id": "771825006014889984", "options": []any{map[string]any{"type": 3, "name": "command", "value": text}}},
			})
			return discordHeader(key, body, at), body
		}
	}
	genericPost := func(secret string) func(string, time.Time) (http.Header, []byte) {
		return func(text string, at time.Time) (http.Header, []byte) {
			body := example(map[string]any{"id": "q-17", "who": "hana", "name": "하나", "room": "ops", "text": text, "locale": "zh-CN"})
			return http.Header{
				outbound.TimestampHeader: {strconv.FormatInt(at.Unix(), 10)}, outbound.SignatureHeader: {outbound.Sign(secret, at.Unix(), body)}, outbound.IDHeader: {"q-17"},
			}, body
		}
	}
	jandiPosted := func(token string) func(string, time.Time) (http.Header, []byte) {
		return func(text string, at time.Time) (http.Header, []byte) {
			return http.Header{"Content-Type": {"application/json"}}, example(map[string]any{
				"token": token, "teamName": "Toss Lab, Inc.", "roomName": "토스랩 코리아", "writerName": "Gloria", "text": "/서버 " + text, "data": text, "keyword": "서버",
				"writer": map[string]any{"id": "11111", "name": "Gloria", "email": "Gloria@Example.com"}, "createdAt": at.UTC().Format("2006-01-02T15:04:05.000Z"), "platform": "web", "ip": "127.0.0.1",
			})
		}
	}
	_, stranger, _ := ed25519.GenerateKey(nil)
	return []player{
		{
			"Slack", NewSlack(slackSecret, ""), slackPost(slackSecret), slackPost("another"), "X-Slack-Signature",
			func(body []byte) []byte { return bytes.ReplaceAll(body, []byte("%2F"), []byte("%2f")) },
			Ask{System: Slack, Who: Identity{"U2CERLKJA", "roadrunner"}, Room: "G8PSS9T3V", Signed: true, Later: "https://hooks.slack.com/commands/T1DC2JH3J/397700885554/96rGlfmibIGlgcZRskXaIFfN"},
		},
		{
			"Teams", must(NewTeams(teamsToken, "")), teamsPost(teamsToken), teamsPost(base64.StdEncoding.EncodeToString([]byte("another"))), "Authorization", reindent,
			Ask{System: Teams, Who: Identity{"cf2c6b7e-0c2f-4d9b-8a0a-0e9f2c9b1c11", "Larry Brown"}, Room: "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype", Signed: true, Locale: "en-US"},
		},
		{
			"Discord", must(NewDiscord(hex.EncodeToString(discordKey.Public().(ed25519.PublicKey)), "")), discordPost(discordKey), discordPost(stranger), "X-Signature-Ed25519", reindent,
			Ask{System: Discord, Who: Identity{"53908232506183680", "Mason"}, Room: "645027906669510667", Signed: true, Locale: "ko", Later: "https://discord.com/api/v10/webhooks/786008729715212300/A_UNIQUE_TOKEN"},
		},
		{
			"generic", NewGeneric(hookSecret, ""), genericPost(hookSecret), genericPost("another"), outbound.SignatureHeader, reindent,
			Ask{System: Generic, Who: Identity{"hana", "하나"}, Room: "ops", Signed: true, Locale: "zh-CN"},
		},
		{
			"JANDI", NewJandi(jandiToken, ""), jandiPosted(jandiToken), jandiPosted("another"), "", nil,
			Ask{System: Jandi, Who: Identity{"gloria@example.com", "Gloria"}, Room: "토스랩 코리아"},
		},
	}
}

func discordHeader(key ed25519.PrivateKey, body []byte, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{"X-Signature-Timestamp": {stamp}, "X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(key, append([]byte(stamp), body...)))}}
}

func example(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

func reason(err error) Reason {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Reason
	}
	return ""
}

// The example of the documentation is taken as it stands there.
func TestSlackDocumentation(t *testing.T) {
	header := http.Header{"X-Slack-Signature": {slackSignature}, "X-Slack-Request-Timestamp": {strconv.Itoa(slackTime)}}
	ask, early, err := NewSlack(slackSecret, "").Read(header, []byte(slackBody), now.Add(time.Minute))
	if err != nil || early != nil || ask.Who.ID != "U2CERLKJA" || ask.Text != "" {
		t.Fatalf("%+v, %v, %v", ask, early, err)
	}
}

// What every system posts is read, also with the secret before, and text is what was written.
func TestSystems(t *testing.T) {
	for _, p := range players() {
		for _, text := range []string{"status", "서버1 exception set 2017-07-10 start 09:00", `keep "결제 API" until 22:00`, "为什么 seoul-office", ""} {
			header, body := p.post(text, now)
			got, early, err := p.system.Read(header, body, now)
			if err != nil || early != nil {
				t.Fatalf("%s: %q: %v, %v", p.name, text, early, err)
			}
			want := p.want
			want.Text, want.ID = text, got.ID
			if diff := cmp.Diff(want, got); diff != "" || got.ID == "" {
				t.Errorf("%s: %q: (-want +got)\n%s", p.name, text, diff)
			}
		}
	}
}

// FAULTS 6.27 and 6.28: whatever is not what the system sent just now is refused.
func TestFault6_27SlackRefuses(t *testing.T)   { refuses(t, "Slack") }
func TestFault6_28TeamsRefuses(t *testing.T)   { refuses(t, "Teams") }
func TestFault6_28DiscordRefuses(t *testing.T) { refuses(t, "Discord") }
func TestFault6_28GenericRefuses(t *testing.T) { refuses(t, "generic") }
func TestFault6_28JandiRefuses(t *testing.T)   { refuses(t, "JANDI") }

func refuses(t *testing.T, name string) {
	var p player
	for _, one := range players() {
		if one.name == name {
			p = one
		}
	}
	tell := func(what string, header http.Header, body []byte, at time.Time, want Reason) {
		t.Helper()
		ask, early, err := p.system.Read(header, body, at)
		if reason(err) != want || early != nil {
			t.Errorf("%s: %q (%v), want %q", what, reason(err), err, want)
		}
		if err != nil && ask != (Ask{}) {
			t.Errorf("%s: refused, and %+v is told", what, ask)
		}
	}
	header, body := p.post("status", now)
	tell("as it was sent", header, body, now, "")
	tell("299 s old", header, body, now.Add(299*time.Second), "")
	tell("300 s old", header, body, now.Add(300*time.Second), "")
	tell("301 s old", header, body, now.Add(301*time.Second), BadTime)
	tell("of the future", header, body, now.Add(-301*time.Second), BadTime)
	tell("of another year", header, body, now.AddDate(1, 0, 0), BadTime)

	wrong := BadSignature
	if p.signature == "" {
		wrong = BadToken
	}
	header, body = p.forge("status", now)
	tell("by somebody else", header, body, now, wrong)

	header, body = p.post("status", now)
	if p.signature == "" {
		tell("without a token", header, bytes.Replace(body, []byte(jandiToken), nil, 1), now, BadToken)
		tell("with a token that begins the same", header, bytes.Replace(body, []byte(jandiToken), []byte(jandiToken[:20]), 1), now, BadToken)
		return
	}
	for i := range body { // one byte at a time
		changed := bytes.Clone(body)
		changed[i] ^= 1
		if _, _, err := p.system.Read(header, changed, now); reason(err) != BadSignature {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	tell("re-encoded", header, p.recode(body), now, BadSignature)
	tell("a byte more", header, append(bytes.Clone(body), ' '), now, BadSignature)
	tell("nothing", header, nil, now, BadSignature)

	without := header.Clone()
	without.Del(p.signature)
	tell("not signed", without, body, now, BadSignature)
	empty := header.Clone()
	empty.Set(p.signature, "")
	tell("an empty signature", empty, body, now, BadSignature)
	twice := header.Clone()
	twice.Add(p.signature, "v0=00")
	tell("two signatures", twice, body, now, BadSignature)
	short := header.Clone()
	short.Set(p.signature, header.Get(p.signature)[:12])
	tell("half a signature", short, body, now, BadSignature)

	for name := range header {
		if strings.HasSuffix(name, "Timestamp") {
			later := header.Clone()
			later.Set(name, strconv.FormatInt(now.Unix()+1, 10))
			tell("another time than was signed", later, body, now, BadSignature)
			for _, text := range []string{"99999999999999999999", "-1", "soon"} {
				later.Set(name, text)
				if _, _, err := p.system.Read(later, body, now); err == nil {
					t.Errorf("at %s: it is taken", text)
				}
			}
			later.Del(name)
			tell("no time", later, body, now, BadSignature)
		}
	}
}

// Without a secret nothing is let in: an empty one is none.
func TestNoSecret(t *testing.T) {
	header, body := slackHeader("", []byte(slackBody), now), []byte(slackBody)
	if _, _, err := NewSlack("", "").Read(header, body, now); reason(err) != BadSignature {
		t.Error(err)
	}
	if _, _, err := NewJandi("", "").Read(nil, []byte(`{"token":"","text":"/서버 status"}`), now); reason(err) != BadToken {
		t.Error(err)
	}
}

// While a secret is exchanged both are taken.
func TestPreviousSecret(t *testing.T) {
	public := hex.EncodeToString(discordKey.Public().(ed25519.PublicKey))
	next := map[string]System{
		"Slack": NewSlack("the new one", slackSecret), "JANDI": NewJandi("the new one", jandiToken), "generic": NewGeneric("the new one", hookSecret),
		"Teams":   must(NewTeams(base64.StdEncoding.EncodeToString([]byte("the new one")), teamsToken)),
		"Discord": must(NewDiscord(strings.Repeat("ab", 32), public)),
	}
	for _, p := range players() {
		header, body := p.post("status", now)
		if _, _, err := next[p.name].Read(header, body, now); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	for _, text := range []string{"not base64!", "="} {
		if _, err := NewTeams(text, ""); err == nil || strings.Contains(err.Error(), text) {
			t.Errorf("Teams: %q: %v", text, err)
		}
	}
	for _, text := range []string{"zz", "abcd", public + "00"} {
		if _, err := NewDiscord(text, ""); err == nil || strings.Contains(err.Error(), text) {
			t.Errorf("Discord: %q: %v", text, err)
		}
	}
}

// What is signed and not what the system posts is refused as such.
func TestMalformed(t *testing.T) {
	public := hex.EncodeToString(discordKey.Public().(ed25519.PublicKey))
	teams := func(body string) (http.Header, []byte) {
		key, _ := base64.StdEncoding.DecodeString(teamsToken)
		return http.Header{"Authorization": {"HMAC " + base64.StdEncoding.EncodeToString(hmacSHA256(key, []byte(body)))}}, []byte(body)
	}
	form := func(body string) (http.Header, []byte) {
		return slackHeader(slackSecret, []byte(body), now), []byte(body)
	}
	interact := func(body string) (http.Header, []byte) {
		return discordHeader(discordKey, []byte(body), now), []byte(body)
	}
	hook := func(body string) (http.Header, []byte) {
		return http.Header{outbound.TimestampHeader: {strconv.Itoa(slackTime)}, outbound.SignatureHeader: {outbound.Sign(hookSecret, slackTime, []byte(body))}}, []byte(body)
	}
	stamp := now.UTC().Format(time.RFC3339)
	for _, test := range []struct {
		system System
		post   func(string) (http.Header, []byte)
		bodies []string
		want   Reason
	}{
		{NewSlack(slackSecret, ""), form, []string{
			"", "%zz", "text=status", "payload=", "payload={", "payload=%7B%22type%22%3A%22view_submission%22%7D", "payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%5D%7D",
		}, Malformed},
		{must(NewTeams(teamsToken, "")), teams, []string{"", "[]", "{", `{"type":"message"} {}`, `{"timestamp":"` + stamp + `","id":"1","type":"invoke"}`, `{"timestamp":"` + stamp + `","type":"message"}`}, Malformed},
		{must(NewTeams(teamsToken, "")), teams, []string{`{"type":"message","id":"1"}`}, BadTime},
		{must(NewDiscord(public, "")), interact, []string{"", "{}", `{"type":2}`, `{"type":5,"id":"1"}`, `{"type":3,"id":"1","data":{"component_type":3}}`, `{"type":2,"id":"1","data":{"options":[{"type":3,"value":{}}]}}`}, Malformed},
		{NewGeneric(hookSecret, ""), hook, []string{"", "{}", `{"id":"1"} x`, `{"id":"1","command":"x"}`, `{"id":1}`, `{"id":"` + strings.Repeat("1", 201) + `"}`}, Malformed},
		{NewJandi(jandiToken, ""), func(body string) (http.Header, []byte) { return nil, []byte(body) }, []string{"", "[]", "token=" + jandiToken}, Malformed},
		{NewJandi(jandiToken, ""), func(body string) (http.Header, []byte) { return nil, []byte(body) }, []string{`{"token":"` + jandiToken + `","createdAt":"yesterday"}`}, BadTime},
	} {
		for _, text := range test.bodies {
			header, body := test.post(text)
			if _, early, err := test.system.Read(header, body, now); reason(err) != test.want || early != nil {
				t.Errorf("%T: %s: %v", test.system, text, err)
			}
		}
	}
	header, body := hook(`{"id":"1"}`)
	header.Set(outbound.IDHeader, "2")
	if _, _, err := NewGeneric(hookSecret, "").Read(header, body, now); reason(err) != Malformed {
		t.Errorf("an ID that nobody signed: %v", err)
	}
}

// What the protocols ask for and concerns nobody is answered.
func TestEarly(t *testing.T) {
	public := hex.EncodeToString(discordKey.Public().(ed25519.PublicKey))
	hello := []byte(`{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`)
	signed := slackHeader(slackSecret, hello, now)
	signed.Set("Content-Type", "application/json")
	for _, test := range []struct {
		system System
		header http.Header
		body   []byte
		want   string
	}{
		{NewSlack(slackSecret, ""), nil, []byte("ssl_check=1"), ""},
		{NewSlack(slackSecret, ""), slackHeader(slackSecret, []byte("ssl_check=1&token=x"), now), []byte("ssl_check=1&token=x"), ""},
		{NewSlack(slackSecret, ""), signed, hello, `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`},
		{must(NewDiscord(public, "")), discordHeader(discordKey, []byte(`{"type":1}`), now), []byte(`{"type":1}`), `{"type":1}`},
		{must(NewDiscord(public, "")), discordHeader(discordKey, []byte(`{"type":4}`), now), []byte(`{"type":4}`), `{"data":{"choices":[]},"type":8}`},
	} {
		_, early, err := test.system.Read(test.header, test.body, now)
		if err != nil || early == nil || string(early.Body) != test.want {
			t.Errorf("%s: %+v, %v", test.body, early, err)
		}
	}
	if _, early, err := NewSlack(slackSecret, "").Read(nil, []byte("ssl_check=1&command=%2Fdayshift&text=stop"), now); early != nil || err == nil {
		t.Error("what is more than a look at the certificate has to be signed")
	}
}

// Buttons carry the command, and where the system wants it the answer is posted.
func TestPressed(t *testing.T) {
	const command = "keep seoul-office until 2027-02-05T20:00:00+09:00"
	payload := example(map[string]any{
		"type": "block_actions", "trigger_id": "13345224609.738474920.8088930838d88f008e0", "response_url": "https://hooks.slack.com/actions/T123ABC456/BMUQ/2E", "container": map[string]any{"type": "message"},
		"user": map[string]any{"id": "U123ABC456", "username": "jtorrance", "team_id": "T123ABC456"}, "channel": map[string]any{"id": "C123ABC456", "name": "ops"},
		"actions": []any{map[string]any{"type": "button", "action_id": "dayshift-0", "block_id": "=qXel", "value": command, "action_ts": "1548426417.840180"}},
	})
	body := []byte("payload=" + url.QueryEscape(string(payload)))
	got, _, err := NewSlack(slackSecret, "").Read(slackHeader(slackSecret, body, now), body, now)
	want := Ask{
		ID: got.ID, System: Slack, Who: Identity{"U123ABC456", "jtorrance"}, Room: "C123ABC456", Text: command, Button: true, Signed: true,
		Later: "https://hooks.slack.com/actions/T123ABC456/BMUQ/2E", Acknowledge: true,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	body = example(map[string]any{
		"type": 3, "id": "846462639134605312", "application_id": "845027738276462632", "token": "unique_interaction_token", "channel_id": "345626669114982999", "locale": "zh-CN",
		"user": map[string]any{"id": "53908232506183680", "username": "Mason"}, "data": map[string]any{"custom_id": command, "component_type": 2},
	})
	got, _, err = must(NewDiscord(hex.EncodeToString(discordKey.Public().(ed25519.PublicKey)), "")).Read(discordHeader(discordKey, body, now), body, now)
	if err != nil || !got.Button || got.Text != command || got.Who != (Identity{"53908232506183680", "Mason"}) || got.Acknowledge {
		t.Errorf("%+v, %v", got, err)
	}
}

// A later answer is posted to the system itself and to nobody else, whatever stands in a request.
func TestLaterAddresses(t *testing.T) {
	for _, address := range []string{
		"", "http://hooks.slack.com/x", "https://hooks.slack.com.evil.example/x", "https://evil.example/hooks.slack.com", "https://hooks.slack.com@evil.example/x", "https://x@hooks.slack.com/x",
		"https://hooks.slack.com:22/x", "//hooks.slack.com/x", "file:///etc/passwd", "https://169.254.169.254/", "https://hooks.slack.com/" + strings.Repeat("x", 3000),
	} {
		if got := slackLater(address); got != "" {
			t.Errorf("Slack: %q is taken", address)
		}
	}
	for _, test := range [][2]string{{"", "x"}, {"1/../..", "x"}, {"1", ""}, {"1", "x/y"}, {"1", "x?y"}, {"1", ".."}, {"1", "x#"}, {"１", "x"}} {
		if got := discordLater(&interaction{ApplicationID: test[0], Token: test[1]}); got != "" {
			t.Errorf("Discord: %q is taken", test)
		}
	}
}

// FAULTS 6.27: what was taken is not taken again, in any chat of its own and for as long as its signature is good.
func TestFault6_27Replay(t *testing.T) {
	var once Once
	for _, p := range players() {
		header, body := p.post("status", now)
		ask, _, err := p.system.Read(header, body, now)
		if err != nil {
			t.Fatal(err)
		}
		ask.Chat = "a"
		if err := once.Take(ask, now); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		for _, after := range []time.Duration{0, time.Second, MaxAge, 2 * MaxAge} {
			if err := once.Take(ask, now.Add(after)); reason(err) != Replayed {
				t.Errorf("%s: taken again after %s", p.name, after)
			}
		}
		ask.Chat = "b"
		if err := once.Take(ask, now); err != nil {
			t.Errorf("%s in another chat: %v", p.name, err)
		}
		if p.name != "generic" && p.name != "Discord" && p.name != "Teams" { // the IDs of these are their own
			header, body := p.post("status", now.Add(time.Second))
			other, _, err := p.system.Read(header, body, now)
			other.Chat = "a"
			if err != nil || once.Take(other, now) != nil {
				t.Errorf("%s: the same asked anew is refused", p.name)
			}
		}
	}
}

// Strangers can not fill the memory, and those who can make nothing be taken twice.
func TestOnceIsBounded(t *testing.T) {
	var once Once
	for i := range maxOnce {
		if err := once.Take(Ask{ID: strconv.Itoa(i)}, now); err != nil {
			t.Fatal(err)
		}
	}
	if once.Take(Ask{ID: "more"}, now) == nil {
		t.Error("more is taken than is remembered")
	}
	if err := once.Take(Ask{ID: "more"}, now.Add(2*MaxAge+2*time.Second)); err != nil || len(once.seen) > 1 {
		t.Errorf("%v; %d are remembered", err, len(once.seen))
	}
}

// hostile are names and texts that want to be something else.
var hostile = []string{
	"x; rm -rf /", "$(reboot)", "`id`", "<!channel>", "<!here> <@U2CERLKJA>", "@everyone @here <@&1> <@!2>", "<at>everyone</at>", "<script>alert(1)</script>",
	"[here](https://evil.example)", "[[here]](https://evil.example)", "<https://evil.example|here>", "\u202egnp.exe\u202c", "\u2066x\u2069", "a\u200bb", "*bold* _it_ ~s~ ||spoiler||",
	"line\r\nline\x00\x1b[31m", "{{.Secret}} ${SECRET} %s %n", `"}],"text":"x`, "' OR 1=1 --", "=1+1", "\xff\xfe", strings.Repeat("서버 ", 3000),
}

// FAULTS 6.29: what is asked comes through as data, and nothing of it calls a room when it is answered.
func TestFault6_29Data(t *testing.T) {
	for _, p := range players() {
		for _, text := range hostile {
			header, body := p.post("status "+text, now)
			ask, _, err := p.system.Read(header, body, now)
			if err != nil {
				t.Errorf("%s: %.40q: %v", p.name, text, err)
				continue
			}
			if !utf8.ValidString(ask.Text) || !strings.HasPrefix(ask.Text, "status ") {
				t.Errorf("%s: %.40q is read as %.60q", p.name, text, ask.Text)
			}
			reply := Reply{Text: "There is no " + text, Tone: Refused, Buttons: []Button{{Label: text, Command: "why " + text, Danger: true}}}
			later, err := json.Marshal(p.system.Later(reply))
			if err != nil {
				t.Fatal(err)
			}
			for _, answer := range [][]byte{p.system.Write(reply).Body, later} {
				inert(t, p.name, text, answer)
			}
		}
	}
}

func inert(t *testing.T, system, text string, answer []byte) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Errorf("%s: %.40q: the answer is no JSON: %v", system, text, err)
		return
	}
	if len(answer) > 28<<10 {
		t.Errorf("%s: %.40q: the answer has %d bytes", system, text, len(answer))
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			kind, _ := v["type"].(string)
			for key, one := range v {
				if kind == "plain_text" && key == "text" {
					key = "plain"
				}
				walk(path+"."+key, one)
			}
		case []any:
			for _, one := range v {
				walk(path, one)
			}
		case string:
			if strings.HasSuffix(path, ".command") || strings.HasSuffix(path, ".value") || strings.HasSuffix(path, ".custom_id") {
				return // goes back to us, and is shown to nobody
			}
			if strings.HasSuffix(path, ".label") {
				path += ".plain" // the label of a button is formatted by no system
			}
			for _, bad := range forbidden[system] {
				if strings.Contains(v, bad) && !strings.HasSuffix(path, ".plain") {
					t.Errorf("%s: %.40q: %s has %q: %.80q", system, text, path, bad, v)
				}
			}
			if strings.ContainsFunc(v, turns) || strings.ContainsAny(v, "\x00\x1b\r") {
				t.Errorf("%s: %.40q: %s hides something: %.80q", system, text, path, v)
			}
		}
	}
	walk("", v)
}

// forbidden is what a system would make something of, where it formats.
var forbidden = map[string][]string{
	"Slack":   {"<!", "<@", "<http", "<script"},
	"Teams":   {"<at", "<script", "](", "@", "*", "`"},
	"Discord": {"<@", " @everyone", "](", "||"},
	"JANDI":   {"]("},
	"generic": nil,
}

// The answers are those of the documentation, byte for byte.
func TestAnswers(t *testing.T) {
	reply := Reply{Text: "Stops at 18:00.\nKept by <Hana> until 20:00.", Tone: Warning, Buttons: []Button{
		{Label: "+1 h", Command: "keep office until 2027-02-05T21:00:00+09:00"}, {Label: "Stop now", Command: "stop office", Danger: true},
	}}
	for _, test := range []struct {
		system      System
		write       string
		later       string
		replacement string
	}{
		{
			NewSlack("x", ""),
			`{"response_type":"in_channel","attachments":[{"color":"#f0a31c","fallback":"Stops at 18:00.\nKept by &lt;Hana&gt; until 20:00.","blocks":[{"type":"section","text":{"type":"plain_text","text":"Stops at 18:00.\nKept by <Hana> until 20:00.","emoji":false}},{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"+1 h","emoji":false},"action_id":"dayshift-0","value":"keep office until 2027-02-05T21:00:00+09:00"},{"type":"button","text":{"type":"plain_text","text":"Stop now","emoji":false},"action_id":"dayshift-1","value":"stop office","style":"danger"}]}]}]}`,
			`"replace_original":false`, `"replace_original":true`,
		},
		{
			NewJandi("x", ""),
			`{"body":"Stops at 18:00.","connectColor":"#f0a31c","connectInfo":[{"title":"","description":"Kept by <Hana> until 20:00.\n+1 h: keep office until 2027-02-05T21:00:00+09:00\nStop now: stop office"}]}`,
			`"body":"Stops at 18:00."`, `"body":"Stops at 18:00."`,
		},
		{
			must(NewTeams("", "")),
			`{"type":"message","textFormat":"xml","text":"Stops at 18:00.<br/>Kept by &lt;Hana&gt; until 20:00.<br/>+1 h: keep office until 2027-02-05T21:00:00+09:00<br/>Stop now: stop office"}`,
			`"type":"message"`, `"type":"message"`,
		},
		{
			must(NewDiscord("", "")),
			`{"type":4,"data":{"embeds":[{"description":"Stops at 18\\:00.\nKept by \\<Hana\\> until 20\\:00.","color":15770396}],"allowed_mentions":{"parse":[]},"components":[{"type":1,"components":[{"type":2,"label":"+1 h","style":2,"custom_id":"keep office until 2027-02-05T21:00:00+09:00"},{"type":2,"label":"Stop now","style":4,"custom_id":"stop office"}]}]}}`,
			`{"embeds":[`, `{"embeds":[`,
		},
		{
			NewGeneric("x", ""),
			`{"text":"Stops at 18:00.\nKept by <Hana> until 20:00.","tone":"warning","buttons":[{"label":"+1 h","command":"keep office until 2027-02-05T21:00:00+09:00","danger":false},{"label":"Stop now","command":"stop office","danger":true}],"private":false,"replace":false}`,
			`"replace":false`, `"replace":true`,
		},
	} {
		got := test.system.Write(reply)
		if diff := cmp.Diff(test.write, string(got.Body)); diff != "" || got.Status != http.StatusOK || got.ContentType != "application/json; charset=utf-8" {
			t.Errorf("%T: %d %s (-want +got)\n%s", test.system, got.Status, got.ContentType, diff)
		}
		again := reply
		again.Replace = true
		for want, r := range map[string]Reply{test.later: reply, test.replacement: again} {
			if body, err := outbound.JSON(test.system.Later(r)); err != nil || !strings.Contains(string(body), want) {
				t.Errorf("%T: later: %s has no %s", test.system, body, want)
			}
		}
	}
	quiet := Reply{Text: "x", Private: true, Replace: true}
	if body := string(must(NewDiscord("", "")).Write(quiet).Body); !strings.Contains(body, `"type":7`) || !strings.Contains(body, `"flags":64`) || !strings.Contains(body, `"components":[]`) {
		t.Error(body)
	}
	if body := string(NewSlack("x", "").Write(quiet).Body); !strings.Contains(body, `"ephemeral"`) {
		t.Error(body)
	}
	for _, system := range []System{NewSlack("x", ""), NewJandi("x", ""), must(NewTeams("", "")), must(NewDiscord("", "")), NewGeneric("x", "")} {
		if body := system.Write(Reply{}).Body; !strings.Contains(string(body), "…") {
			t.Errorf("%T: nothing is answered as %s", system, body)
		}
	}
}

// Long answers keep to what the systems take, and say that something is left out.
func TestLongAnswers(t *testing.T) {
	for _, piece := range []string{"i-0123456789abcdef0 웹서버-1: wanted running, is stopped\n", "-*_(~)[", "가"} {
		reply := Reply{Text: strings.Repeat(piece, 2000)}
		for range 9 {
			reply.Buttons = append(reply.Buttons, Button{Label: strings.Repeat("가", 100), Command: "why " + strings.Repeat("x", 3000)}, Button{Label: fmt.Sprint(len(reply.Buttons)), Command: fmt.Sprint("why ", len(reply.Buttons))})
		}
		m := (&slack{}).message(reply)
		whole := ""
		for _, block := range m.Attachments[0].Blocks {
			if block.Text != nil {
				whole += block.Text.Text
				if n := len(block.Text.Text); n == 0 || n > maxSlackSection || !utf8.ValidString(block.Text.Text) {
					t.Errorf("Slack: a section of %d bytes", n)
				}
			}
			if len(block.Elements) > maxButtons {
				t.Errorf("Slack: %d buttons", len(block.Elements))
			}
		}
		if !strings.HasSuffix(whole, "…") {
			t.Errorf("Slack: nothing says that more was left out: %.40q", whole)
		}
		d := (&discord{}).message(reply)
		if text := d.Embeds[0].Description; utf8.RuneCountInString(text) > maxDiscordText || !strings.HasSuffix(text, "…") {
			t.Errorf("Discord: %d characters", utf8.RuneCountInString(text))
		}
		for _, b := range d.Components[0].Components {
			if len(b.CustomID) > maxDiscordID || utf8.RuneCountInString(b.Label) > maxLabel {
				t.Errorf("Discord: a button %+v", b)
			}
		}
	}
}

// Whatever is posted is read or refused, and what is read was verified.
func FuzzRead(f *testing.F) {
	all := players()
	for i, p := range all {
		for _, text := range hostile {
			header, body := p.post(text, now)
			f.Add(i, header.Get(p.signature), body)
		}
	}
	f.Fuzz(func(t *testing.T, i int, signature string, body []byte) {
		p := all[((i%len(all))+len(all))%len(all)]
		header, _ := p.post("", now)
		if p.signature != "" {
			header.Set(p.signature, signature)
		}
		ask, early, err := p.system.Read(header, body, now)
		if err != nil && (reason(err) == "" || early != nil || ask != (Ask{})) {
			t.Errorf("refused with %v, and %+v, %+v", err, ask, early)
		}
		if err == nil && early == nil && (ask.ID == "" || ask.System == "" || !utf8.ValidString(ask.Text)) {
			t.Errorf("%+v", ask)
		}
	})
}

// What is signed can be anything, too.
func FuzzSigned(f *testing.F) {
	for i, p := range players() {
		for _, text := range hostile {
			_, body := p.post(text, now)
			f.Add(i, body)
		}
	}
	f.Add(0, []byte("payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%7B%7D%5D%7D"))
	all := players()
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		var header http.Header
		p := all[((i%len(all))+len(all))%len(all)]
		switch p.name {
		case "Slack":
			header = slackHeader(slackSecret, body, now)
		case "Teams":
			key, _ := base64.StdEncoding.DecodeString(teamsToken)
			header = http.Header{"Authorization": {"HMAC " + base64.StdEncoding.EncodeToString(hmacSHA256(key, body))}}
		case "Discord":
			header = discordHeader(discordKey, body, now)
		case "generic":
			header = http.Header{outbound.TimestampHeader: {strconv.Itoa(slackTime)}, outbound.SignatureHeader: {outbound.Sign(hookSecret, slackTime, body)}}
		}
		ask, early, err := p.system.Read(header, body, now)
		switch {
		case err != nil && reason(err) == "":
			t.Error(err)
		case reason(err) == BadSignature:
			t.Errorf("%s: what was signed is refused: %v", p.name, err)
		case err == nil && early == nil && (ask.ID == "" || !utf8.ValidString(ask.Text+ask.Room+ask.Who.ID+ask.Who.Name)):
			t.Errorf("%+v", ask)
		}
	})
}

// An address of JANDI is no other for a letter that only looks so when it is made small.
func TestJandiAddresses(t *testing.T) {
	for shown, want := range map[string]string{"Kim@Example.com": "kim@example.com", "\u212Aim@example.com": "\u212Aim@example.com"} {
		body, err := json.Marshal(map[string]string{"token": jandiToken, "writerEmail": shown, "text": "/서버 status"})
		if err != nil {
			t.Fatal(err)
		}
		if ask, _, err := NewJandi(jandiToken, "").Read(nil, body, now); err != nil || ask.Who.ID != want {
			t.Errorf("%q is %q, %v, want %q", shown, ask.Who.ID, err, want)
		}
	}
}

// Teams may wrap what somebody writes in a paragraph; brackets of their own stay.
func TestTeamsParagraphs(t *testing.T) {
	for text, want := range map[string]string{
		"<p><at>dayshift</at>&nbsp;status office</p>\n":           "status office",
		"<div><p><at>dayshift</at> status office</p></div>":       "status office",
		"<at>dayshift</at> status &lt;p&gt; &lt;b&gt;":            "status <p> <b>",
		"<p class=\"x\"><at id=\"0\">dayshift</at> list<br/></p>": "list",
	} {
		body, err := json.Marshal(map[string]any{"type": "message", "id": "1", "timestamp": now, "text": text, "from": map[string]string{"id": "u"}})
		if err != nil {
			t.Fatal(err)
		}
		key, _ := base64.StdEncoding.DecodeString(teamsToken)
		system, err := NewTeams(teamsToken, "")
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{"Authorization": {"HMAC " + base64.StdEncoding.EncodeToString(hmacSHA256(key, body))}}
		if ask, _, err := system.Read(header, body, now); err != nil || ask.Text != want {
			t.Errorf("%q is read as %q, %v, want %q", text, ask.Text, err, want)
		}
	}
}
