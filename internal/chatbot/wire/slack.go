package wire

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dayshift/internal/outbound"
)

// slack is Slack: slash commands and buttons
// (https://docs.slack.dev/authentication/verifying-requests-from-slack,
// https://docs.slack.dev/interactivity/implementing-slash-commands,
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload).
type slack struct{ secrets secrets }

// NewSlack returns Slack with the signing secret of an app, and the one before it or nothing.
func NewSlack(secret, previous string) System { return &slack{secrets{secret, previous}} }

// Where Slack takes later answers.
const slackHost = "hooks.slack.com"

// Slack's bounds: of what a button keeps, and of the text of a section, in characters, of which bytes are never fewer.
const (
	maxSlackValue   = 2000
	maxSlackSection = 3000
)

type slackAction struct {
	Type string `json:"type"`
	User struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	Actions     []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"actions"`
}

// Read implements System.
func (s *slack) Read(header http.Header, body []byte, now time.Time) (Ask, *Raw, error) {
	if string(body) == "ssl_check=1" { // whether there is a certificate; it comes unsigned, and nothing is done
		return Ask{}, &Raw{}, nil
	}
	signature, signed := only(header, "X-Slack-Signature")
	stamp, stamped := only(header, "X-Slack-Request-Timestamp")
	if !signed || !stamped {
		return Ask{}, nil, refuse(BadSignature, "it is not signed")
	}
	if !s.secrets.opened(func(secret string) bool {
		return same(signature, "v0="+hex.EncodeToString(hmacSHA256([]byte(secret), []byte("v0:"+stamp+":"), body)))
	}) {
		return Ask{}, nil, refuse(BadSignature, "its signature is not of what it says")
	}
	if _, err := seconds(stamp, now); err != nil {
		return Ask{}, nil, err
	}
	if strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		return s.greeting(body)
	}
	form, err := url.ParseQuery(string(body))
	switch {
	case err != nil:
		return Ask{}, nil, refuse(Malformed, "it is not what Slack posts")
	case form.Get("ssl_check") == "1":
		return Ask{}, &Raw{}, nil
	case form.Has("payload"):
		return s.pressed(form.Get("payload"), signature)
	case form.Get("command") == "":
		return Ask{}, nil, refuse(Malformed, "it is neither a command nor a button")
	}
	return Ask{
		// A signature is never the same for two requests: a trigger's ID stands in what it is of.
		ID: signature, System: Slack, Who: Identity{clean(form.Get("user_id")), clean(form.Get("user_name"))}, Room: clean(form.Get("channel_id")),
		Text: clean(form.Get("text")), Signed: true, Later: slackLater(form.Get("response_url")),
	}, nil, nil
}

// greeting answers what Slack asks of an address before it uses it.
func (s *slack) greeting(body []byte) (Ask, *Raw, error) {
	var hello struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := read(body, &hello); err != nil {
		return Ask{}, nil, err
	}
	if hello.Type != "url_verification" {
		return Ask{}, nil, refuse(Malformed, "it is an event, which nobody asked for")
	}
	answer := raw(map[string]string{"challenge": hello.Challenge})
	return Ask{}, &answer, nil
}

func (s *slack) pressed(payload, signature string) (Ask, *Raw, error) {
	var p slackAction
	if err := read([]byte(payload), &p); err != nil {
		return Ask{}, nil, err
	}
	later := slackLater(p.ResponseURL)
	switch {
	case p.Type != "block_actions" || len(p.Actions) != 1 || p.Actions[0].Type != "button":
		return Ask{}, nil, refuse(Malformed, "it is neither a command nor a button")
	case p.Actions[0].Value == "": // a link was followed
		return Ask{}, &Raw{}, nil
	}
	name := p.User.Username
	if name == "" {
		name = p.User.Name
	}
	return Ask{
		ID: signature, System: Slack, Who: Identity{clean(p.User.ID), clean(name)}, Room: clean(p.Channel.ID), Text: clean(p.Actions[0].Value),
		Button: true, Signed: true, Later: later, Acknowledge: later != "",
	}, nil, nil
}

// slackLater is an address of Slack, or nothing.
func slackLater(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host != slackHost || u.User != nil || len(address) > outbound.MaxAddress {
		return ""
	}
	return address
}

type slackMessage struct {
	ResponseType    string            `json:"response_type"`
	ReplaceOriginal *bool             `json:"replace_original,omitempty"`
	Attachments     []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Color    string       `json:"color"`
	Fallback string       `json:"fallback"` // where there is no room for more, as on a locked phone
	Blocks   []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type     string         `json:"type"`
	Text     *slackText     `json:"text,omitempty"`
	Elements []slackElement `json:"elements,omitempty"`
}

type slackText struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji bool   `json:"emoji"`
}

type slackElement struct {
	Type     string    `json:"type"`
	Text     slackText `json:"text"`
	ActionID string    `json:"action_id"`
	Value    string    `json:"value"`
	Style    string    `json:"style,omitempty"`
}

// slackEscaped is what Slack takes for the beginning of a mention or a link.
var slackEscaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackPlain(text string) slackText { return slackText{"plain_text", text, false} }

func (s *slack) message(r Reply) slackMessage {
	keep, tell := pressable(r.Buttons, maxSlackValue)
	text := lines(r, tell)
	var blocks []slackBlock
	for rest := text; rest != "" || blocks == nil; {
		part := rest
		if len(part) > maxSlackSection {
			part = part[:maxSlackSection]
			if end := strings.LastIndexByte(part, '\n'); end > 0 {
				part = part[:end]
			}
			part = strings.ToValidUTF8(part, "") // half a character at its end goes to the next
		}
		rest = strings.TrimPrefix(rest[len(part):], "\n")
		plain := slackPlain(part)
		blocks = append(blocks, slackBlock{Type: "section", Text: &plain})
	}
	if len(keep) > 0 {
		actions := slackBlock{Type: "actions"}
		for i, b := range keep {
			element := slackElement{Type: "button", Text: slackPlain(label(b)), ActionID: fmt.Sprintf("dayshift-%d", i), Value: b.Command}
			if b.Danger {
				element.Style = "danger"
			}
			actions.Elements = append(actions.Elements, element)
		}
		blocks = append(blocks, actions)
	}
	m := slackMessage{ResponseType: "in_channel", Attachments: []slackAttachment{{fmt.Sprintf("#%06x", colors[r.Tone]), slackEscaped.Replace(text), blocks}}}
	if r.Private {
		m.ResponseType = "ephemeral"
	}
	return m
}

// Write implements System.
func (s *slack) Write(r Reply) Raw { return raw(s.message(r)) }

// Later implements System. What is not said to replace a message is said not to: Slack would.
func (s *slack) Later(r Reply) any {
	m := s.message(r)
	m.ReplaceOriginal = &r.Replace
	return m
}
