package wecom

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open:  func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o) },
		Want:  `{"msgtype":"text","text":{"content":"Could not act on 2 resources (schedule seoul-office)\ndb-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}}`,
		Taken: `{"errcode":0,"errmsg":"ok"}`,
		Final: map[string]string{
			`{"errcode":93000,"errmsg":"invalid webhook url"}`:  "no robot that there is",
			`{"errcode":40008,"errmsg":"invalid message type"}`: "refuses the message (errcode 40008)",
		},
		Busy: map[string]time.Duration{
			`{"errcode":45009,"errmsg":"api freq out of limit"}`:       time.Minute,
			`{"errcode":45033,"errmsg":"api concurrent out of limit"}`: 0,
			`{"errcode":-1,"errmsg":"system busy"}`:                    0,
		},
		Shown: func(t *testing.T, body []byte) string { return roomtest.Field(t, body, "text", "content") },
		Links: func(t *testing.T, body []byte) []notify.Choice {
			return roomtest.LinesBelow(roomtest.Field(t, body, "text", "content"))
		},
		Limit: 2048 + 200, // of JSON around the text, and its escapes
	})
}

// A robot refuses a text of more than 2,048 bytes whole.
func TestNoTextIsTooLong(t *testing.T) {
	long := strings.Repeat("서울 ", 200)
	m := roomtest.Warning(long, long, long, long, long)
	m.Title = strings.Repeat("서", 400)
	for links := range 4 {
		m.Choices = m.Choices[:0]
		for range links {
			m.Choices = append(m.Choices, notify.Choice{Label: "+1 h", Link: "https://dayshift.example.com/?keep=" + strings.Repeat("x", 250)})
		}
		c, ok := render(m).Content.(content)
		if n := len(c.Text.Content); !ok || n > 2048 || n < 1024 || !utf8.ValidString(c.Text.Content) {
			t.Errorf("%d links: %d bytes", links, n)
		}
	}
}
