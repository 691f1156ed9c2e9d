package discord

import (
	"regexp"
	"testing"

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
		Limit: 16 << 10,
	})
}
