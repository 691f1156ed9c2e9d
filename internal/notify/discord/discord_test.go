package discord

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
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
			"description":"db\\-1 i\\-1 in 111122223333/ap\\-northeast\\-2\\: start\\: no capacity\n결제 i\\-2 in 111122223333/ap\\-northeast\\-2\\: start\\: not permitted"}],"allowed_mentions":{"parse":[]}}`,
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
	var asked []string
	answer := `{"id":"1234567890123456789","content":""}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI())
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
	want := []string{"POST /api/webhooks/1/canary?thread_id=7&wait=true", "PATCH /api/webhooks/1/canary/messages/1234567890123456789?thread_id=7"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	for _, answer = range []string{"", `{"id":"../../users/1"}`, `{"id":7}`} {
		if handle, err := room.Post(t.Context(), roomtest.Example); handle != "" || err != nil {
			t.Errorf("%s: %q, %v", answer, handle, err)
		}
	}
}
