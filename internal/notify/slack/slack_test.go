package slack

import (
	"testing"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o) },
		Want: `{"text":"Could not act on 2 resources (schedule seoul-office)","attachments":[{"color":"#c4314b","blocks":[
			{"type":"header","text":{"type":"plain_text","emoji":false,"text":"Could not act on 2 resources (schedule seoul-office)"}},
			{"type":"section","text":{"type":"plain_text","emoji":false,"text":"db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}}]}]}`,
		Taken: "ok",
		Shown: func(t *testing.T, body []byte) string {
			return roomtest.Field(t, body, "attachments", 0, "blocks", 0, "text", "text") + "\n" + roomtest.Field(t, body, "attachments", 0, "blocks", 1, "text", "text")
		},
		Limit: 16 << 10,
	})
}
