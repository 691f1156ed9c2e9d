package discord

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

// behind is a character that is shown as it is, because there is a backslash before it.
var behind = regexp.MustCompile(`\\(.)`)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o) },
		Want: `{"embeds":[{"title":"Could not act on 2 resources \\(schedule seoul\\-office\\)","color":12857675,"timestamp":"2026-08-03T18:00:00Z",
			"description":"db\\-1 i\\-1 in 111122223333/ap\\-northeast\\-2\\: start\\: no capacity\n결제 i\\-2 in 111122223333/ap\\-northeast\\-2\\: start\\: not permitted"}],"allowed_mentions":{"parse":[]},"components":[]}`,
		Shown: func(t *testing.T, body []byte) string {
			return behind.ReplaceAllString(roomtest.Field(t, body, "embeds", 0, "title")+"\n"+roomtest.Field(t, body, "embeds", 0, "description"), "$1")
		},
		Query: url.Values{"wait": {"true"}}, LinkQuery: url.Values{"wait": {"true"}, "with_components": {"true"}},
		Links: func(t *testing.T, body []byte) (links []notify.Choice) {
			var c content
			if err := json.Unmarshal(body, &c); err != nil {
				t.Fatal(err)
			}
			for _, b := range c.Components[0].Components {
				links = append(links, notify.Choice{Label: b.Label, Link: b.URL})
			}
			return links
		},
		Limit: 16 << 10,
	})
}

// A message is changed by its ID, in the thread that it is in.
func TestAMessageIsChanged(t *testing.T) {
	var asked, bodies []string
	answer := `{"id":"1234567890123456789","content":""}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, bodies = append(asked, r.Method+" "+r.URL.RequestURI()), append(bodies, string(body))
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	room, err := New("room", outbound.PostOptions{URL: server.URL + "/api/webhooks/1/canary?thread_id=7", AllowPrivate: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	handle, err := room.Post(t.Context(), roomtest.Example)
	if err != nil || handle != "1234567890123456789" {
		t.Fatalf("%q, %v", handle, err)
	}
	if err := room.Update(t.Context(), handle, roomtest.Example); err != nil {
		t.Fatal(err)
	}
	want := []string{"POST /api/v10/webhooks/1/canary?thread_id=7&wait=true", "PATCH /api/v10/webhooks/1/canary/messages/1234567890123456789?thread_id=7&with_components=true"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(bodies[1], `"components":[]`) {
		t.Errorf("buttons stay: %s", bodies[1])
	}
	for _, answer = range []string{"", `{"id":"../../users/1"}`, `{"id":7}`} {
		if handle, err := room.Post(t.Context(), roomtest.Example); handle != "" || err != nil {
			t.Errorf("%s: %q, %v", answer, handle, err)
		}
	}
}

func TestBoundsAreOfCharacters(t *testing.T) {
	m := roomtest.Group(notify.Failed, "사무실", "결제", "용량이 없습니다")
	m.Title = strings.Repeat("서", 254) + "*"
	m.Lines = nil
	for range 20 {
		m.Lines = append(m.Lines, strings.Repeat("결-", 67))
	}
	m.Count = len(m.Lines)
	e := embedOf(t, m)
	if e.Title != strings.Repeat("서", 254)+`\*` || behind.ReplaceAllString(e.Description, "$1") != strings.Join(m.Lines, "\n") {
		t.Errorf("it is cut: %+v", e)
	}
	m.Title, m.Lines[19] = strings.Repeat("*", 200), strings.Repeat("_", 300)
	if e = embedOf(t, m); e.Title != strings.Repeat(`\*`, 127)+"…" || notify.Characters(e.Description) > 4096 || !strings.HasSuffix(e.Description, "\nand 1 more") {
		t.Errorf("%d and %d characters: %+v", len(e.Title), notify.Characters(e.Description), e)
	}
}

func embedOf(t *testing.T, m notify.Message) embed {
	t.Helper()
	c, ok := render(m).Content.(content)
	if !ok {
		t.Fatal("no content")
	}
	return c.Embeds[0]
}

// An address without a version would be that of the oldest one.
func TestTheVersionIsAskedFor(t *testing.T) {
	for path, want := range map[string]string{
		"/api/webhooks/1/canary": "/api/v10/webhooks/1/canary", "/api/v9/webhooks/1/canary": "/api/v9/webhooks/1/canary", "/relay/1": "/relay/1",
	} {
		var asked string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Path }))
		room, err := New("room", outbound.PostOptions{URL: server.URL + path, AllowPrivate: true, Now: time.Now})
		if err == nil {
			err = room.Send(t.Context(), roomtest.Example)
		}
		server.Close()
		if err != nil || asked != want {
			t.Errorf("%s: %s, %v", path, asked, err)
		}
	}
}
