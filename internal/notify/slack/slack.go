// Package slack is the channel to a room of Slack, through the incoming webhook
// of an app (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
//
// What resources are called stands in plain text alone, which Slack neither
// formats nor takes for a mention.
package slack

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// Slack's bounds of a header, of the text of a section and of a button, in characters.
const (
	maxHeader = 150
	maxText   = 3000
	maxLabel  = 75   // of a button
	maxValue  = 2000 // of what a button keeps
)

// New returns the channel, or says what is wrong with its address without showing it. pressed: the app's buttons reach a chat of
// Dayshift.
func New(name string, options outbound.PostOptions, pressed bool) (*notify.Room, error) {
	return notify.NewRoom(name, options, func(m notify.Message) notify.Post { return notify.Post{Content: render(m, pressed)} }, hookVerdict)
}

// hookVerdict reads what a webhook answers: ok, or in a word why it refuses, beside a status that says that it does.
func hookVerdict(body []byte) error {
	word := string(bytes.TrimSpace(body))
	if known[word] == "" {
		return nil
	}
	return fmt.Errorf("it refuses the message (%s): %s", word, known[word])
}

// content has no text of its own: beside attachments Slack shows that as well, formatted.
type content struct {
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Fallback string  `json:"fallback"` // where there is no room for more, as on a locked phone
	Color    string  `json:"color"`
	Blocks   []block `json:"blocks"`
}

type block struct {
	Type     string    `json:"type"`
	Text     *text     `json:"text,omitempty"`
	Elements []element `json:"elements,omitempty"`
}

// text is plain_text, or mrkdwn, which Slack formats.
type text struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"` // of plain texts alone
}

type element struct {
	Type     string `json:"type"`
	Text     *text  `json:"text"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
}

var (
	colors  = map[notify.Tone]string{notify.News: "#3d52a5", notify.Warning: "#f0a31c", notify.Alarm: "#c4314b"}
	escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

func plain(s string) *text { return &text{"plain_text", s, new(bool)} }

func render(m notify.Message, pressed bool) content {
	blocks := []block{{Type: "header", Text: plain(notify.Cut(m.Title, maxHeader, notify.Characters))}}
	if lines := m.Body(maxText, notify.Characters); lines != "" {
		blocks = append(blocks, block{Type: "section", Text: plain(lines)})
	}
	if choices := choices(m, pressed); choices != nil {
		blocks = append(blocks, *choices)
	}
	return content{[]attachment{{escaped.Replace(m.Title), colors[m.Kind.Tone()], blocks}}}
}

// choices are buttons where somebody hears them, and else links: beside a button that nobody hears Slack shows a warning, also
// where it is a link.
func choices(m notify.Message, pressed bool) *block {
	if pressed {
		var buttons []element
		for i, choice := range m.Choices {
			if notify.Characters(choice.Command) <= maxValue {
				buttons = append(buttons, element{"button", plain(notify.Cut(choice.Label, maxLabel, notify.Characters)), "dayshift-" + strconv.Itoa(i), choice.Command})
			}
		}
		if len(buttons) == 0 {
			return nil
		}
		return &block{Type: "actions", Elements: buttons}
	}
	var links []string
	for _, choice := range m.Links() {
		links = append(links, "<"+escaped.Replace(choice.Link)+"|"+escaped.Replace(choice.Label)+">")
	}
	list := strings.Join(links, " · ")
	if list == "" || notify.Characters(list) > maxText {
		return nil
	}
	return &block{Type: "section", Text: &text{Type: "mrkdwn", Text: list}}
}
