package teams

import (
	"encoding/json"
	"testing"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o) },
		Want: `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{
			"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","msteams":{"width":"Full"},"body":[
			{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Could not act on 2 resources (schedule seoul-office)","weight":"Bolder","color":"Attention"}]},
			{"type":"RichTextBlock","spacing":"Small","inlines":[{"type":"TextRun","text":"db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity"}]},
			{"type":"RichTextBlock","spacing":"Small","inlines":[{"type":"TextRun","text":"결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}]}]}}]}`,
		Shown: func(t *testing.T, body []byte) (shown string) {
			var c content
			if err := json.Unmarshal(body, &c); err != nil {
				t.Fatal(err)
			}
			for _, line := range c.Attachments[0].Content.Body {
				shown += line.Inlines[0].Text + "\n"
			}
			return shown
		},
		Links: func(t *testing.T, body []byte) (links []notify.Choice) {
			var c content
			if err := json.Unmarshal(body, &c); err != nil {
				t.Fatal(err)
			}
			for _, b := range c.Attachments[0].Content.Actions {
				links = append(links, notify.Choice{Label: b.Title, Link: b.URL})
			}
			return links
		},
		Limit: 28 << 10,
	})
}
