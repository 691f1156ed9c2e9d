package app

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"dayshift/internal/chatbot"
	chatwire "dayshift/internal/chatbot/wire"
	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/outbound"
	"dayshift/internal/store"
)

const (
	chatSecret = "0123456789abcdef0123456789abcdef"
	chatKey    = "dGhlIGtleSBvZiBhbiBvdXRnb2luZyB3ZWJob29rLi4="
)

var discordKey = ed25519.NewKeyFromSeed([]byte("thirty-two bytes make up a seed!"))

// chatConfig has every chat system, and Hana in each of them.
var chatConfig = strings.Replace(officeConfig, "memory", `"memory:"`, 1) + `
channels: {room: {type: slack, url: "https://hooks.example/x"}}
chats:
  slack: {type: slack, secret: ` + chatSecret + `}
  jandi: {type: jandi, token: ` + chatSecret + `, unknown: viewer}
  teams: {type: teams, token: ` + chatKey + `}
  discord: {type: discord, public_key: ` + hex.EncodeToString(discordKey[32:]) + `}
  bridge: {type: generic, secret: ` + chatSecret + `, channel: room, rooms: [ops, dev]}
workloads:
  shop: {filters: "tag:Environment=shop", tiers: {db: {filters: "tag:Role=db", start: {sequence: 0}, stop: {sequence: 1}}, web: {filters: "tag:Role=web", start: {sequence: 1}, stop: {sequence: 0}}}}
people:
  hana:
    role: editor
    chats: {slack: U0HANA, jandi: Hana@example.com, teams: 0a-hana, discord: "42", bridge: hana}
  vera: {role: viewer, chats: {slack: U0VERA}}
`

// chatPost is a request as a chat system sends it.
type chatPost struct {
	header http.Header
	body   []byte
}

func sum256(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = io.WriteString(mac, part)
	}
	return mac.Sum(nil)
}

func mustJSON(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

// chatPosts make the request of a text by somebody, with an ID of its own.
var chatPosts = map[string]func(id, who, text string, at time.Time) chatPost{
	"slack": func(id, who, text string, at time.Time) chatPost {
		stamp := strconv.FormatInt(at.Unix(), 10)
		body := url.Values{
			"team_id": {"T1DC2JH3J"}, "channel_id": {"C0OPS"}, "user_id": {who}, "user_name": {"somebody"}, "command": {"/dayshift"}, "text": {text},
			"response_url": {"https://hooks.slack.com/commands/T1DC2JH3J/1/x"}, "trigger_id": {id},
		}.Encode()
		return chatPost{http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "X-Slack-Request-Timestamp": {stamp},
			"X-Slack-Signature": {"v0=" + hex.EncodeToString(sum256([]byte(chatSecret), "v0:"+stamp+":", body))},
		}, []byte(body)}
	},
	"jandi": func(id, who, text string, at time.Time) chatPost {
		return chatPost{http.Header{"Content-Type": {"application/json"}}, mustJSON(map[string]any{
			"token": chatSecret, "teamName": "Toss Lab, Inc.", "roomName": "운영 " + id, "writerName": "하나", "text": "/서버 " + text, "data": text, "keyword": "서버",
			"createdAt": at.UTC().Format("2006-01-02T15:04:05.000Z"), "writer": map[string]string{"name": "하나", "email": who},
		})}
	},
	"teams": func(id, who, text string, at time.Time) chatPost {
		body := mustJSON(map[string]any{
			"type": "message", "id": id, "timestamp": at.UTC().Format(time.RFC3339Nano), "text": "<at>dayshift</at> " + text, "from": map[string]string{"id": "29:1", "name": "Hana", "aadObjectId": who},
			"conversation": map[string]string{"id": "19:ops"}, "channelData": map[string]any{"channel": map[string]string{"id": "19:ops"}},
		})
		key, _ := base64.StdEncoding.DecodeString(chatKey)
		return chatPost{http.Header{"Authorization": {"HMAC " + base64.StdEncoding.EncodeToString(sum256(key, string(body)))}}, body}
	},
	"discord": func(id, who, text string, at time.Time) chatPost {
		body := mustJSON(map[string]any{
			"type": 2, "id": id, "application_id": "1", "token": "tok", "channel_id": "7", "member": map[string]any{"user": map[string]string{"id": who, "username": "hana"}},
			"data": map[string]any{"name": "dayshift", "options": []any{map[string]any{"type": 3, "name": "command", "value": text}}},
		})
		stamp := strconv.FormatInt(at.Unix(), 10)
		return chatPost{http.Header{"X-Signature-Timestamp": {stamp}, "X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(discordKey, append([]byte(stamp), body...)))}}, body}
	},
	"bridge": func(id, who, text string, at time.Time) chatPost {
		body := mustJSON(map[string]any{"id": id, "who": who, "name": "Hana", "room": "ops", "text": text})
		return chatPost{http.Header{outbound.TimestampHeader: {strconv.FormatInt(at.Unix(), 10)}, outbound.SignatureHeader: {outbound.Sign(chatSecret, at.Unix(), body)}}, body}
	},
}

// hanas are what Hana is in each chat.
var hanas = map[string]string{"slack": "U0HANA", "jandi": "hana@example.com", "teams": "0a-hana", "discord": "42", "bridge": "hana"}

// send posts a request to a chat, and gives the whole answer as one text.
func (s *served) send(chat string, p chatPost) (status int, text string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.addr+"/chat/"+chat, strings.NewReader(string(p.body)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header, request.Close = p.header, true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode == http.StatusTooManyRequests { // all chats of these tests are asked from one address
		time.Sleep(100 * time.Millisecond)
		return s.send(chat, p)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil && len(body) > 0 {
		s.t.Fatalf("%s: %d %s", chat, response.StatusCode, body)
	}
	return response.StatusCode, strings.ReplaceAll(strings.Join(texts(v), "\n"), `\`, "")
}

// texts are the strings of an answer.
func texts(v any) (list []string) {
	switch v := v.(type) {
	case string:
		list = []string{v}
	case []any:
		for _, one := range v {
			list = append(list, texts(one)...)
		}
	case map[string]any:
		for _, one := range v {
			list = append(list, texts(one)...)
		}
	}
	return list
}

// toldLater keeps what is posted later, by address; a channel's messages are under its name.
type toldLater struct {
	mu   sync.Mutex
	list []string
	fail error // of posts to chat systems
}

func (l *toldLater) add(where, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, where+" "+text)
}

func (l *toldLater) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.list, "\n")
}

func (l *toldLater) post(_ context.Context, address string, body []byte) error {
	l.add(address, string(body))
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fail
}

// failing has posts to chat systems fail.
func (l *toldLater) failing(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

// toldSender is a channel that is told.
type toldSender struct{ later *toldLater }

func (s toldSender) Name() string { return "room" }

func (s toldSender) Send(_ context.Context, m notify.Message) error {
	s.later.add("room", m.Title+"\n"+strings.Join(m.Lines, "\n"))
	return nil
}

func serveChats(t *testing.T, change ...func(*Daemon)) *served {
	t.Helper()
	s := serveHouse(t, newHouse(t, chatConfig, ec2("web-1", "running", "seoul-office"), ec2("web-2", "stopped", "seoul-office"), rds("db", "available", "seoul-office")), change...)
	s.soon("the first pass", func() bool { return !s.LastPass().IsZero() })
	s.ask("GET", "/api/v1/resources", "", nil)
	s.soon("the first look", func() bool { return s.Board().Warm() })
	return s
}

// inScript reports whether a text has letters of the language.
func inScript(language, text string) bool {
	table := map[string]*unicode.RangeTable{"ko": unicode.Hangul, "zh": unicode.Han, "en": unicode.Latin}[language]
	has := func(table *unicode.RangeTable) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(table, r) })
	}
	return has(table) && (language != "en" || !has(unicode.Hangul) && !has(unicode.Han))
}

// confirmation is the word that an answer asks to be written.
var confirmation = regexp.MustCompile(`(?:confirm|确认|확인) ([A-Z2-9]{6})`)

// chatCommands are every command of the grammar but confirm, which JANDI's need, in each language, and JANDI's own as they stand.
var chatCommands = map[string][]string{
	"en": {
		"help", "list", "status seoul-office", "why web-1", "seoul-office info 2027-02-05", "wake seoul-office for 2h", "keep seoul-office until 23:59", "sleep web-2 for 2h",
		"skip seoul-office", "release seoul-office", "seoul-office exception set 2027-02-06 start 10:00", "seoul-office exception info 2027-02-06",
		"seoul-office exception del 2027-02-06 start", "workload status shop", "workload start shop", "workload stop shop", "whoami",
		"seoul-office s", "seoul-office i 2027-02-05", "seoul-office e i", "seoul-office e s 2027-02-06 stop None", "seoul-office e d 2027-02-06 stop",
		"seoul-office force_start", "seoul-office force_stop",
	},
	"zh": {
		"帮助", "列表", "状态 seoul-office", "为什么 web-1", "seoul-office 日程 2027-02-05", "唤醒 seoul-office 2小时", "保持 seoul-office 到 23:59", "休眠 web-2 2小时", "跳过 seoul-office",
		"解除 seoul-office", "seoul-office 例外 设置 2027-02-06 启动 10:00", "seoul-office 例外 查看 2027-02-06", "seoul-office 例外 删除 2027-02-06 启动", "工作负载 状态 shop",
		"工作负载 启动 shop", "工作负载 停止 shop", "我是谁",
	},
	"ko": {
		"도움말", "목록", "seoul-office 상태", "web-1 왜", "seoul-office 일정 2027-02-05", "seoul-office 켜기 2시간동안", "seoul-office 23:59까지 유지", "web-2 끄기 2시간동안", "seoul-office 건너뛰기",
		"seoul-office 해제", "seoul-office 예외 설정 2027-02-06 시작 10:00", "seoul-office 예외 조회 2027-02-06", "seoul-office 예외 삭제 2027-02-06 시작", "워크로드 상태 shop",
		"워크로드 시작 shop", "워크로드 중지 shop", "나",
	},
}

// Every chat system drives every command in three languages over HTTP, and the record has who asked for what and where.
func TestEveryChatSystemIsAnswered(t *testing.T) {
	for language, commands := range chatCommands {
		for _, verb := range chatbot.Verbs {
			if verb != chatbot.Confirm && !slices.ContainsFunc(commands, func(text string) bool {
				command, err := chatbot.Parse(text)
				return err == nil && command.Verb == verb
			}) {
				t.Errorf("%s: nothing of it asks for %q", language, verb)
			}
		}
	}
	s := serveChats(t)
	n := 0
	ask := func(chat, who, text string) string {
		n++
		status, answer := s.send(chat, chatPosts[chat](strconv.Itoa(n), who, text, time.Now()))
		if status != 200 {
			t.Errorf("%s: %s: %d %s", chat, text, status, answer)
		}
		return answer
	}
	for chat := range chatPosts {
		for language, commands := range chatCommands {
			for _, text := range commands {
				command, _ := chatbot.Parse(text)
				answer := ask(chat, hanas[chat], text)
				if word := confirmation.FindStringSubmatch(answer); word != nil && command.Verb != chatbot.Help { // JANDI signs nothing
					if chat != "jandi" {
						t.Errorf("%s: %s has to be confirmed: %s", chat, text, answer)
					}
					if other := ask(chat, "eve@example.com", "confirm "+word[1]); other == answer || strings.Contains(other, "hana)") {
						t.Errorf("%s: %s is confirmed by somebody else: %s", chat, text, other)
					}
					answer = ask(chat, hanas[chat], map[string]string{"en": "confirm ", "zh": "确认 ", "ko": "확인 "}[language]+word[1])
				}
				if !inScript(language, strings.ReplaceAll(answer, "운영", "")) {
					t.Errorf("%s: %s: %s", chat, text, answer)
				}
				if command.Verb == chatbot.WhoAmI && !strings.Contains(answer, "hana") {
					t.Errorf("%s: %s does not know Hana: %s", chat, text, answer)
				}
			}
		}
	}
	rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	made, asked := map[string]int{}, map[string]string{}
	for _, row := range rows {
		if row.Actor == "hana" {
			made[string(row.Event)]++
			if row.Event == store.EventChat {
				asked[row.Name] += row.Detail + "\n"
			}
		}
	}
	if made[string(store.EventOverride)] < len(chatPosts)*3 {
		t.Errorf("the record has of Hana: %v", made)
	}
	for chat := range chatPosts {
		for language, commands := range chatCommands {
			for _, text := range commands {
				// A second run of the workload is refused while the first is under way, and refusals alike are summed up.
				if command, _ := chatbot.Parse(text); command.Verb != chatbot.WorkloadStart && command.Verb != chatbot.WorkloadStop && !strings.Contains(asked[chat], text) {
					t.Errorf("the record does not have that Hana asked for %q (%s) in %s", text, language, chat)
				}
			}
		}
	}
}

// FAULTS 6.27 to 6.29, and who may: over every system what is replayed is not done twice, strangers do nothing, and data stays data.
func TestFault6_27ChatsOverHTTP(t *testing.T) {
	s := serveChats(t)
	overrides := func() int {
		s.t.Helper()
		objects, err := s.Store.Objects(t.Context(), store.OverrideObject)
		if err != nil {
			t.Fatal(err)
		}
		return len(objects)
	}
	for chat, post := range chatPosts {
		now := time.Now()
		stranger := map[string]string{"jandi": "eve@example.com"}[chat]
		if stranger == "" {
			stranger = "666"
		}
		for name, p := range map[string]chatPost{
			"an old one": post("old"+chat, hanas[chat], "stop seoul-office", now.Add(-time.Hour)), "one of the future": post("new"+chat, hanas[chat], "stop seoul-office", now.Add(time.Hour)),
		} {
			if status, text := s.send(chat, p); status != 401 {
				t.Errorf("%s: %s: %d %s", chat, name, status, text)
			}
		}
		changed := post("changed"+chat, hanas[chat], "status seoul-office", now)
		changed.body = []byte(strings.Replace(string(changed.body), "status", "stopxx", 1))
		if status, _ := s.send(chat, changed); status != 401 && chat != "jandi" {
			t.Errorf("%s: a changed body: %d", chat, status)
		}
		same := post("same"+chat, hanas[chat], "list", now)
		if first, _ := s.send(chat, same); first != 200 {
			t.Errorf("%s: %d", chat, first)
		}
		if again, _ := s.send(chat, same); again != 409 {
			t.Errorf("%s: the same again: %d", chat, again)
		}
		for i, text := range []string{"stop seoul-office", "keep seoul-office for 2h", "seoul-office e d 2027-02-06 start"} {
			if status, answer := s.send(chat, post(fmt.Sprint("stranger", i, chat), stranger, text, now)); status != 200 || strings.Contains(answer, "hana") {
				t.Errorf("%s: a stranger: %d %s", chat, status, answer)
			}
		}
		for i, text := range []string{
			"seoul-office; rm -rf /", "x; rm", "$(reboot)", "<!channel> stop seoul-office", "@everyone stop seoul-office", "stop <@U0HANA>", "\u202eeciffo-luoes pots", "status " + strings.Repeat("a", 10<<10), "../../etc/passwd", "",
		} {
			status, answer := s.send(chat, post(fmt.Sprint("hostile", i, chat), hanas[chat], text, now))
			if status != 200 || strings.TrimSpace(answer) == "" || strings.ContainsRune(answer, 0x202e) {
				t.Errorf("%s: %.40q: %d %s", chat, text, status, answer)
			}
		}
	}
	if n := overrides(); n != 0 {
		t.Errorf("%d overrides were made", n)
	}
	if status, answer := s.send("slack", chatPosts["slack"]("vera", "U0VERA", "stop seoul-office", time.Now())); status != 200 || overrides() != 0 {
		t.Errorf("a viewer: %d %s", status, answer)
	}
	elsewhere := mustJSON(map[string]any{"id": "elsewhere", "who": "hana", "room": "kitchen", "text": "stop seoul-office"})
	at := time.Now().Unix()
	status, answer := s.send("bridge", chatPost{http.Header{outbound.TimestampHeader: {strconv.FormatInt(at, 10)}, outbound.SignatureHeader: {outbound.Sign(chatSecret, at, elsewhere)}}, elsewhere})
	if status != 200 || !strings.Contains(answer, "This room is not answered") || overrides() != 0 {
		t.Errorf("another room: %d %s", status, answer)
	}
	if err := s.page.gate.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{Limit: 10_000, Event: store.EventRefused})
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d rows of refusals, %v", len(rows), err)
	}
	for _, row := range rows {
		if strings.Contains(row.Detail, chatSecret) || strings.Contains(row.Detail, chatKey) {
			t.Errorf("the record shows a secret: %s", row.Detail)
		}
	}
}

// A button of Slack is acknowledged, and its answer posted; what Slack does not take goes to the chat's channel, and where
// there is none it is told to nobody.
func TestLaterAnswersOfChats(t *testing.T) {
	later := &toldLater{}
	s := serveChats(t, func(d *Daemon) { d.posts = later.post })
	payload := mustJSON(map[string]any{
		"type": "block_actions", "user": map[string]string{"id": "U0HANA", "username": "hana"}, "channel": map[string]string{"id": "C0OPS"}, "response_url": "https://hooks.slack.com/actions/1",
		"actions": []any{map[string]string{"type": "button", "value": "keep seoul-office for 2h"}},
	})
	body, stamp := "payload="+url.QueryEscape(string(payload)), strconv.FormatInt(time.Now().Unix(), 10)
	status, text := s.send("slack", chatPost{http.Header{
		"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(sum256([]byte(chatSecret), "v0:"+stamp+":", body))},
	}, []byte(body)})
	if status != 200 || text != "" {
		t.Errorf("%d %s", status, text)
	}
	s.soon("the answer of a button", func() bool { return strings.Contains(later.String(), "hana") })
	if got := later.String(); !strings.HasPrefix(got, "https://hooks.slack.com/actions/1 ") || !strings.Contains(got, `"replace_original"`) {
		t.Error(got)
	}

	c := &chats{program: s, log: s.Log, config: s.inForce, clock: wall, post: later.post, sender: s.chats.sender}
	c.open()
	ask, reply := chatwire.Ask{Chat: "bridge"}, chatwire.Reply{Text: "ready\nweb-1"}
	if err := c.Tell(t.Context(), chatwire.Ask{Chat: "slack"}, reply); !errors.Is(err, chatbot.ErrNowhere) {
		t.Errorf("nowhere to tell: %v", err)
	}
	sender, err := c.sender(s.inForce(), "room")
	if err != nil || sender == nil || sender.Name() != "room" {
		t.Fatalf("the channel of the chat: %v, %v", sender, err)
	}
	c.sender = func(*config.Loaded, string) (notify.Sender, error) { return toldSender{later}, nil }
	if err := c.Tell(t.Context(), ask, reply); err != nil || !strings.Contains(later.String(), "room ready\nweb-1") {
		t.Errorf("%v; %s", err, later)
	}
	later.failing(errors.New("410"))
	ask.Later = "https://hooks.slack.com/actions/2"
	if err := c.Tell(t.Context(), ask, reply); err != nil || strings.Count(later.String(), "room ready") != 2 {
		t.Errorf("what the chat system does not take goes to the channel: %v; %s", err, later)
	}
	later.failing(&outbound.BusyError{Err: errors.New("429"), After: time.Hour})
	ended, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Tell(ended, chatwire.Ask{Chat: "slack", Later: ask.Later}, reply); err == nil {
		t.Error("nothing was posted, and nobody says so")
	}
}

// What is configured anew counts for the next request: a person who was removed does nothing more, and a secret that was
// exchanged opens nothing.
func TestChatsAreReloaded(t *testing.T) {
	h := newHouse(t, chatConfig, ec2("web-1", "running", "seoul-office"))
	s := serveHouse(t, h)
	s.soon("the first pass", func() bool { return !s.LastPass().IsZero() })
	say := func(id string) (int, string) {
		return s.send("bridge", chatPosts["bridge"](id, "hana", "whoami", time.Now()))
	}
	if status, text := say("1"); status != 200 || !strings.Contains(text, "editor") {
		t.Fatalf("%d %s", status, text)
	}
	next := *s.inForce()
	next.Config.People = nil
	s.mu.Lock()
	s.Config = &next
	s.mu.Unlock()
	if status, text := say("2"); status != 200 || strings.Contains(text, "editor") {
		t.Errorf("a person who was removed: %d %s", status, text)
	}
	after := next
	after.Config.Chats = nil
	s.mu.Lock()
	s.Config = &after
	s.mu.Unlock()
	if status, text := say("3"); status != 404 {
		t.Errorf("a chat that was removed: %d %s", status, text)
	}
}
