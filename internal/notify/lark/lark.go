// Package lark is the channel to a group of Feishu or Lark, through a custom bot
// (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot), signed where
// the bot asks for it.
package lark

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// maxText keeps a card well below the 20 KB that a bot takes, in bytes.
const maxText = 8000

// later are the codes that pass. A bot takes 100 posts a minute and 5 a second; the gateway in front has bounds of its own, and an
// application that is too busy says so.
var later = map[int]time.Duration{11232: time.Minute, 99991400: time.Minute, 2200: 0}

// New returns the channel, or says what is wrong with its address without showing it. secret is the bot's; empty: it asks for none.
func New(name string, options outbound.PostOptions, secret string) (*notify.Room, error) {
	render := func(m notify.Message) notify.Post { return render(m, secret, options.Now().Unix()) }
	return notify.NewRoom(name, options, render, notify.ByCode("code", later, map[int]string{
		19021: "the secret of the channel is not the bot's, or the clock is an hour off",
		19022: "the bot does not take messages from this machine's address",
		19024: "the bot asks for a keyword that the message does not have",
	}))
}

// Sign returns the signature of a post that is sent at a time, in seconds since 1970.
func Sign(secret string, timestamp int64) string {
	mac := hmac.New(sha256.New, []byte(strconv.FormatInt(timestamp, 10)+"\n"+secret)) // the text is the key, and nothing is signed
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

type content struct {
	Timestamp string `json:"timestamp,omitempty"`
	Sign      string `json:"sign,omitempty"`
	Type      string `json:"msg_type"`
	Card      card   `json:"card"`
}

type card struct {
	Config   config    `json:"config"`
	Header   header    `json:"header"`
	Elements []element `json:"elements,omitempty"`
}

type config struct {
	Wide bool `json:"wide_screen_mode"`
}

type header struct {
	Title    text   `json:"title"`
	Template string `json:"template"`
}

type element struct {
	Tag     string   `json:"tag"`
	Text    *text    `json:"text,omitempty"`
	Actions []button `json:"actions,omitempty"`
}

type button struct {
	Tag  string `json:"tag"`
	Text text   `json:"text"`
	URL  string `json:"url"`
	Type string `json:"type"`
}

type text struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

var colors = map[notify.Tone]string{notify.News: "blue", notify.Warning: "orange", notify.Alarm: "red"}

func render(m notify.Message, secret string, now int64) notify.Post {
	c := content{Type: "interactive", Card: card{Config: config{true}, Header: header{text{"plain_text", m.Title}, colors[m.Kind.Tone()]}}}
	if lines := m.Body(maxText, notify.Bytes); lines != "" {
		c.Card.Elements = []element{{Tag: "div", Text: &text{"plain_text", lines}}}
	}
	var buttons []button
	for _, choice := range m.Links() {
		buttons = append(buttons, button{"button", text{"plain_text", choice.Label}, choice.Link, "default"})
	}
	if len(buttons) > 0 {
		c.Card.Elements = append(c.Card.Elements, element{Tag: "action", Actions: buttons})
	}
	if secret != "" {
		c.Timestamp, c.Sign = strconv.FormatInt(now, 10), Sign(secret, now)
	}
	return notify.Post{Content: c}
}
