// Package discord is the channel to a channel of Discord, through its webhook
// (https://discord.com/developers/docs/resources/webhook#execute-webhook).
//
// Nobody is mentioned, whatever resources are called, and nothing of their names is formatted.
package discord

import (
	"strings"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// Discord's bounds of an embed, in characters, of which bytes are never fewer. What is escaped can be twice as long.
const (
	maxTitle       = 256 / 2
	maxDescription = 4096 / 2
)

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.Room, error) {
	return notify.NewRoom(name, options, render, nil)
}

type content struct {
	Embeds          []embed  `json:"embeds"`
	AllowedMentions mentions `json:"allowed_mentions"`
}

type embed struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Color       int    `json:"color"`
	Timestamp   string `json:"timestamp"`
}

type mentions struct {
	Parse []string `json:"parse"`
}

var (
	colors  = map[notify.Tone]int{notify.News: 0x3d52a5, notify.Warning: 0xf0a31c, notify.Alarm: 0xc4314b}
	escaped = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, ">", `\>`, "<", `\<`, "#", `\#`, "-", `\-`, "[", `\[`, "]", `\]`, "(", `\(`, ")", `\)`, "@", `\@`, ":", `\:`)
)

func render(m notify.Message) notify.Post {
	return notify.Post{Content: content{
		Embeds: []embed{{
			Title: escaped.Replace(notify.Cut(m.Title, maxTitle)), Description: escaped.Replace(m.Body(maxDescription)),
			Color: colors[m.Kind.Tone()], Timestamp: m.At.UTC().Format(time.RFC3339),
		}},
		AllowedMentions: mentions{[]string{}},
	}}
}
