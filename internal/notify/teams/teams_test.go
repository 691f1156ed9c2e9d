package teams

import (
	"encoding/json"
	"regexp"
	"strings"
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
				for _, run := range line.Inlines {
					shown += run.Text
				}
				shown += "\n"
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

// clocks is what Teams shows as a time in the reader's words, in one run.
var clocks = regexp.MustCompile(`\{\{(DATE|TIME)\(`)

func TestNoNameIsATime(t *testing.T) {
	const name = "{{{DATE(2026-08-03T18:00:00Z, SHORT)}} {{TIME(2026-08-03T18:00:00Z)}} {{ }}"
	c, ok := render(roomtest.Group(notify.Failed, name, name, name)).Content.(content)
	if !ok {
		t.Fatal("no card")
	}
	for _, line := range c.Attachments[0].Content.Body {
		shown := ""
		for _, run := range line.Inlines {
			if clocks.MatchString(run.Text) || run.Type != "TextRun" || run.Weight != line.Inlines[0].Weight || run.Color != line.Inlines[0].Color {
				t.Errorf("%+v", run)
			}
			shown += run.Text
		}
		if !strings.Contains(shown, name) {
			t.Error(shown)
		}
	}
	many := strings.Repeat("{{TIME(2026", 36)
	body, err := json.Marshal(render(roomtest.Group(notify.Failed, many, many, many, many, many, many, many, many, many, many, many, many, many)).Content)
	if err != nil || len(body) > 28<<10 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// News is blue, and not as what has no colour.
func TestColors(t *testing.T) {
	for kind, want := range map[notify.Kind]string{notify.Starting: "Accent", notify.StopWarning: "Warning", notify.Failed: "Attention"} {
		c, ok := render(roomtest.Group(kind, "office", "web", "why")).Content.(content)
		if !ok || c.Attachments[0].Content.Body[0].Inlines[0].Color != want {
			t.Errorf("%s: %+v", kind, c)
		}
	}
}
