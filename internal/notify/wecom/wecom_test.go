package wecom

import (
	"testing"
	"time"

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
			`{"errcode":45009,"errmsg":"api freq out of limit"}`: time.Minute,
		},
		Shown: func(t *testing.T, body []byte) string { return roomtest.Field(t, body, "text", "content") },
		Links: func(t *testing.T, body []byte) []notify.Choice {
			return roomtest.LinesBelow(roomtest.Field(t, body, "text", "content"))
		},
		Limit: 2048 + 200, // of JSON around the text, and its escapes
	})
}
