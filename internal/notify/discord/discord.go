// Package discord is the channel to a channel of Discord, through its webhook
// (https://discord.com/developers/docs/resources/webhook#execute-webhook).
//
// Nobody is mentioned, whatever resources are called, and nothing of their names is formatted.
package discord

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// Discord's bounds of an embed and of a button, in characters, those of what is escaped included.
const (
	maxTitle       = 256
	maxDescription = 4096
	maxLabel       = 80
	maxLink        = 512
)

// Addresses of webhooks are shown without a version, which means the oldest there is: its Retry-After is in milliseconds. Buttons
// of webhooks are those of version 10.
const (
	unversioned = "/api/webhooks/"
	versioned   = "/api/v10/webhooks/"
)

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.UpdatingRoom, error) {
	options.URL = strings.Replace(options.URL, unversioned, versioned, 1)
	room, err := notify.NewRoom(name, options, render, nil)
	if err != nil {
		return nil, err
	}
	return notify.NewUpdatingRoom(room, handle, func(poster *outbound.Poster, handle string, m notify.Message) (*outbound.Poster, notify.Post) {
		post := render(m)
		post.Query = url.Values{"with_components": {"true"}} // also for none: those that are not mentioned stay
		return poster.At(http.MethodPatch, "messages", handle), post
	}), nil
}

// handle finds the ID of a message in Discord's answer.
func handle(answer []byte) string {
	var said struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(answer, &said) != nil || !snowflake.MatchString(said.ID) {
		return ""
	}
	return said.ID
}

var snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)

type content struct {
	Embeds          []embed  `json:"embeds"`
	AllowedMentions mentions `json:"allowed_mentions"`
	Components      []row    `json:"components"`
}

// row is a row of buttons (1).
type row struct {
	Type       int      `json:"type"`
	Components []button `json:"components"`
}

// button is a button (2) that is a link (5): the only kind that a webhook may post which no application owns.
type button struct {
	Type  int    `json:"type"`
	Style int    `json:"style"`
	Label string `json:"label"`
	URL   string `json:"url"`
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

// size is how many characters there are of a text when it is escaped.
func size(text string) int { return notify.Characters(escaped.Replace(text)) }

func render(m notify.Message) notify.Post {
	post := notify.Post{Query: url.Values{"wait": {"true"}}} // the answer has the message, by which it can be changed
	c := content{
		Embeds: []embed{{
			Title: escaped.Replace(notify.Cut(m.Title, maxTitle, size)), Description: escaped.Replace(m.Body(maxDescription, size)),
			Color: colors[m.Kind.Tone()], Timestamp: m.At.UTC().Format(time.RFC3339),
		}},
		AllowedMentions: mentions{[]string{}}, Components: []row{},
	}
	var buttons []button
	for _, choice := range m.Links() {
		if notify.Characters(choice.Link) <= maxLink {
			buttons = append(buttons, button{2, 5, notify.Cut(choice.Label, maxLabel, notify.Characters), choice.Link})
		}
	}
	if len(buttons) > 0 {
		c.Components = []row{{1, buttons}}
		post.Query.Set("with_components", "true")
	}
	post.Content = c
	return post
}
