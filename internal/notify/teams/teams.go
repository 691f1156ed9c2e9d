// Package teams is the channel to a channel or chat of Microsoft Teams, through
// the address of a workflow that posts what it is sent ("Post to a channel when a webhook request is received").
//
// It sends an Adaptive Card (https://adaptivecards.io/explorer/RichTextBlock.html) whose texts are
// runs, which Teams does not format but for times: {{DATE(…)}} and {{TIME(…)}} within one run.
package teams

import (
	"regexp"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// maxText keeps a card below the 28 KB that Teams takes, also where every byte has to be escaped.
const maxText = 4000

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.Room, error) {
	return notify.NewRoom(name, options, render, nil)
}

type content struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string `json:"contentType"`
	Content     card   `json:"content"`
}

type card struct {
	Schema  string `json:"$schema"`
	Type    string `json:"type"`
	Version string `json:"version"`
	Body    []text `json:"body"`
	Actions []open `json:"actions,omitempty"`
	Teams   teams  `json:"msteams"`
}

// open is a button that opens an address.
type open struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

type teams struct {
	Width string `json:"width"`
}

type text struct {
	Type    string `json:"type"`
	Spacing string `json:"spacing,omitempty"`
	Inlines []run  `json:"inlines"`
}

type run struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Color  string `json:"color,omitempty"`
}

var colors = map[notify.Tone]string{notify.News: "Accent", notify.Warning: "Warning", notify.Alarm: "Attention"}

func render(m notify.Message) notify.Post {
	body := []text{{Type: "RichTextBlock", Inlines: runs(m.Title, run{Weight: "Bolder", Color: colors[m.Kind.Tone()]})}}
	for _, line := range m.Fitting(maxText, notify.Bytes) {
		body = append(body, text{Type: "RichTextBlock", Spacing: "Small", Inlines: runs(line, run{})})
	}
	var actions []open
	for _, choice := range m.Links() {
		actions = append(actions, open{"Action.OpenUrl", choice.Label, choice.Link})
	}
	return notify.Post{Content: content{Type: "message", Attachments: []attachment{{
		"application/vnd.microsoft.card.adaptive",
		card{"http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4", body, actions, teams{"Full"}},
	}}}}
}

// clock is how a time begins that Teams would put into the reader's words.
var clock = regexp.MustCompile(`(?i)\{\{(?:DATE|TIME)\(\d{4}`)

// runs are the text in one style, in as many runs as it takes for none to have a time.
func runs(text string, style run) []run {
	style.Type = "TextRun"
	var list []run
	begin := 0
	for _, found := range clock.FindAllStringIndex(text, -1) {
		style.Text = text[begin : found[0]+1]
		list, begin = append(list, style), found[0]+1
	}
	style.Text = text[begin:]
	return append(list, style)
}
