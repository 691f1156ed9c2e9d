// Package slack is the channel to a room of Slack, through the incoming webhook
// of an app (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
//
// What resources are called stands in plain text alone, which Slack neither
// formats nor takes for a mention.
package slack

import (
	"strings"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// Slack's bounds of a header and of the text of a section, in characters, of which bytes are never fewer.
const (
	maxHeader = 150
	maxText   = 3000
)

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.Room, error) {
	return notify.NewRoom(name, options, render, nil)
}

type content struct {
	Text        string       `json:"text"` // where there is no room for more, as on a locked phone; Slack formats it
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Color  string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type string `json:"type"`
	Text plain  `json:"text"`
}

type plain struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji bool   `json:"emoji"`
}

var (
	colors  = map[notify.Tone]string{notify.News: "#3d52a5", notify.Warning: "#f0a31c", notify.Alarm: "#c4314b"}
	escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

func render(m notify.Message) notify.Post {
	blocks := []block{{"header", plain{"plain_text", notify.Cut(m.Title, maxHeader), false}}}
	if lines := m.Body(maxText); lines != "" {
		blocks = append(blocks, block{"section", plain{"plain_text", lines, false}})
	}
	return notify.Post{Content: content{Text: escaped.Replace(m.Title), Attachments: []attachment{{colors[m.Kind.Tone()], blocks}}}}
}
