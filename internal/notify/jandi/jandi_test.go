package jandi

import (
	"regexp"
	"strings"
	"testing"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

var linked = regexp.MustCompile(`\[([^\]]*)\]\(([^()]*)\)`)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o) },
		Want: `{"body":"Could not act on 2 resources (schedule seoul-office)","connectColor":"#c4314b","connectInfo":[{"title":"",
			"description":"db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}]}`,
		Header: map[string]string{"Accept": "application/vnd.tosslab.jandi-v2+json"},
		Shown: func(t *testing.T, body []byte) string {
			shown := roomtest.Field(t, body, "body") + "\n" + roomtest.Field(t, body, "connectInfo", 0, "description")
			if strings.Contains(shown, "](") {
				t.Errorf("a link: %s", shown)
			}
			return strings.ReplaceAll(shown, "] (", "](")
		},
		Links: func(t *testing.T, body []byte) (links []notify.Choice) {
			for _, found := range linked.FindAllStringSubmatch(roomtest.Field(t, body, "connectInfo", 1, "description"), -1) {
				links = append(links, notify.Choice{Label: found[1], Link: found[2]})
			}
			return links
		},
		Limit: 16 << 10,
	})
}
