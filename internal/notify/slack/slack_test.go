package slack

import (
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

func shown(t *testing.T, body []byte) string {
	return roomtest.Field(t, body, "attachments", 0, "blocks", 0, "text", "text") + "\n" + roomtest.Field(t, body, "attachments", 0, "blocks", 1, "text", "text")
}

// buttons are what a post has to press.
func buttons(t *testing.T, body []byte) (list []notify.Choice) {
	var c content
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, b := range c.Attachments[0].Blocks[2].Elements {
		list = append(list, notify.Choice{Label: b.Text.Text, Command: b.Value})
		ids[b.ActionID] = true
	}
	if len(ids) != len(list) {
		t.Errorf("buttons share an ID: %s", body)
	}
	return list
}

var bare = regexp.MustCompile(`&(?:[^a]|a[^m])`)

var linked = regexp.MustCompile(`<([^|>]*)\|([^>]*)>`)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o, false) },
		Want: `{"attachments":[{"fallback":"Could not act on 2 resources (schedule seoul-office)","color":"#c4314b","blocks":[
			{"type":"header","text":{"type":"plain_text","emoji":false,"text":"Could not act on 2 resources (schedule seoul-office)"}},
			{"type":"section","text":{"type":"plain_text","emoji":false,"text":"db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}}]}]}`,
		Taken: "ok",
		Shown: shown,
		Links: func(t *testing.T, body []byte) (links []notify.Choice) {
			if kind := roomtest.Field(t, body, "attachments", 0, "blocks", 2, "text", "type"); kind != "mrkdwn" {
				t.Error(kind)
			}
			for _, found := range linked.FindAllStringSubmatch(roomtest.Field(t, body, "attachments", 0, "blocks", 2, "text", "text"), -1) {
				if bare.MatchString(found[1]) {
					t.Errorf("%s has an & that is not written as Slack wants it", found[1])
				}
				links = append(links, notify.Choice{Label: found[2], Link: html.UnescapeString(found[1])})
			}
			return links
		},
		Limit: 16 << 10,
	})
}

func TestBot(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) {
			return NewBot("room", o, "xoxb-canary", "C0123", true)
		},
		Want: `{"channel":"C0123","attachments":[{"fallback":"Could not act on 2 resources (schedule seoul-office)","color":"#c4314b","blocks":[
			{"type":"header","text":{"type":"plain_text","emoji":false,"text":"Could not act on 2 resources (schedule seoul-office)"}},
			{"type":"section","text":{"type":"plain_text","emoji":false,"text":"db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}}]}]}`,
		Header: map[string]string{"Authorization": "Bearer xoxb-canary"},
		Taken:  `{"ok":true,"channel":"C0123","ts":"1785780000.000100","message":{}}`,
		Final: map[string]string{
			`{"ok":false,"error":"invalid_auth"}`:    "the token is not that of a bot",
			`{"ok":false,"error":"not_in_channel"}`:  "invite it there",
			`{"ok":false,"error":"invalid_blocks"}`:  "refuses the message (invalid_blocks)",
			`{"ok":false,"error":"<b>canary</b>!!"}`: "refuses the message (no reason)",
		},
		Busy:    map[string]time.Duration{`{"ok":false,"error":"internal_error"}`: 0},
		Shown:   shown,
		Links:   buttons,
		Pressed: true,
		Limit:   16 << 10,
	})
}

// A message that a bot posted is changed where it stands.
func TestBotChangesWhatItPosted(t *testing.T) {
	answer := `{"ok":true,"channel":"C0DM","ts":"1785780000.000100"}`
	var paths, bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		paths, bodies = append(paths, r.Method+" "+r.URL.Path), append(bodies, string(body))
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	bot, err := NewBot("room", outbound.PostOptions{URL: server.URL + "/api/chat.postMessage", AllowPrivate: true, Now: time.Now}, "xoxb-canary", "C0123", false)
	if err != nil {
		t.Fatal(err)
	}
	handle, err := bot.Post(t.Context(), roomtest.Example)
	if err != nil || handle != "C0DM/1785780000.000100" {
		t.Fatalf("%q, %v", handle, err)
	}
	if err := bot.Update(t.Context(), handle, roomtest.Warning("office", "web", "why")); err != nil {
		t.Fatal(err)
	}
	if paths[1] != "POST /api/chat.update" || roomtest.Field(t, []byte(bodies[1]), "ts") != "1785780000.000100" || roomtest.Field(t, []byte(bodies[1]), "channel") != "C0DM" ||
		!strings.Contains(roomtest.Field(t, []byte(bodies[1]), "attachments", 0, "fallback"), "will be stopped soon") || strings.Contains(bodies[0], `"ts"`) {
		t.Errorf("%q: %q", paths, bodies)
	}
	answer = `{"ok":false,"error":"message_not_found"}`
	var again notify.Retryable
	if err := bot.Update(t.Context(), handle, roomtest.Example); err == nil || errors.As(err, &again) || !strings.Contains(err.Error(), "message_not_found") {
		t.Error(err)
	}
	answer = `{"ok":true,"channel":"../x","ts":"1"}`
	if handle, err := bot.Post(t.Context(), roomtest.Example); handle != "" || err != nil {
		t.Errorf("%q, %v", handle, err)
	}
}

// Bounds are those of Slack: of characters, not of bytes. A title is shown once, and formatted nowhere.
func TestBoundsAreOfCharacters(t *testing.T) {
	m := roomtest.Group(notify.Failed, "*사무실* <!channel>", "결제", "용량이 없습니다")
	m.Title = strings.Repeat("서", 150)
	for range 19 {
		m.Lines = append(m.Lines, strings.Repeat("결", 140))
	}
	m.Count = len(m.Lines)
	c := render(m, false)
	blocks := c.Attachments[0].Blocks
	if title := blocks[0].Text.Text; title != m.Title {
		t.Errorf("the title is cut to %q", title)
	}
	if lines := blocks[1].Text.Text; lines != strings.Join(m.Lines, "\n") {
		t.Errorf("the lines are cut to %q", lines)
	}
	m.Title, m.Lines = strings.Repeat("😀", 100), append(m.Lines, strings.Repeat("결", 300))
	blocks = render(m, false).Attachments[0].Blocks
	if title := blocks[0].Text.Text; title != strings.Repeat("😀", 74)+"…" {
		t.Errorf("the title is cut to %q", title)
	}
	if lines := blocks[1].Text.Text; notify.Characters(lines) > 3000 || !strings.HasSuffix(lines, " more") {
		t.Errorf("%d characters: %q", notify.Characters(lines), lines)
	}
}

// A webhook says in a word why it refuses; what it says otherwise is not told.
func TestWhyAWebhookRefuses(t *testing.T) {
	var status int
	var answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	room, err := New("room", outbound.PostOptions{URL: server.URL + "/canary", AllowPrivate: true, Now: time.Now}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status       int
		answer, says string
	}{
		{http.StatusNotFound, "no_service", "(no_service): the webhook was removed"},
		{http.StatusForbidden, "action_prohibited\n", "(action_prohibited): the workspace"},
		{http.StatusGone, "channel_is_archived", "(channel_is_archived): the channel"},
		{http.StatusBadRequest, "canary", "status 400"},
	} {
		status, answer = test.status, test.answer
		var again notify.Retryable
		if err := room.Send(t.Context(), roomtest.Example); err == nil || errors.As(err, &again) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", test.answer, err)
		}
	}
}
