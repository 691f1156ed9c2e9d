// Package jandi is the channel to a topic of JANDI, through an incoming webhook
// (https://support.jandi.com/en/articles/6352697-receiving-incoming-webhooks-in-jandi).
package jandi

import (
	"strings"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// maxText is more characters than anybody reads in a chat; JANDI tells no bound.
const maxText = 4000

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.Room, error) {
	return notify.NewRoom(name, options, render, nil)
}

type content struct {
	Body  string `json:"body"`
	Color string `json:"connectColor"`
	Info  []info `json:"connectInfo,omitempty"`
}

type info struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

var (
	colors = map[notify.Tone]string{notify.News: "#3d52a5", notify.Warning: "#f0a31c", notify.Alarm: "#c4314b"}
	// JANDI makes a link of [text](address), and of [[text]](address).
	unlinked = strings.NewReplacer("](", "] (")
)

func render(m notify.Message) notify.Post {
	c := content{Body: unlinked.Replace(m.Title), Color: colors[m.Kind.Tone()]}
	if lines := m.Body(maxText, notify.Characters); lines != "" {
		c.Info = []info{{Description: unlinked.Replace(lines)}}
	}
	var links []string
	for _, choice := range m.Links() {
		links = append(links, "["+choice.Label+"]("+choice.Link+")")
	}
	if len(links) > 0 {
		c.Info = append(c.Info, info{Description: strings.Join(links, " · ")})
	}
	return notify.Post{Header: map[string]string{"Accept": "application/vnd.tosslab.jandi-v2+json"}, Content: c}
}
