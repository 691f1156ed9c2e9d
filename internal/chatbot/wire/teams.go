package wire

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// teams is an outgoing webhook of Microsoft Teams
// (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook).
type teams struct{ keys secrets }

// NewTeams returns Microsoft Teams with the security token of an outgoing webhook, and the one before it or nothing. It
// says when one is not base64.
func NewTeams(token, previous string) (System, error) {
	var keys secrets
	for i, text := range []string{token, previous} {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("the security token is not base64 as Teams shows it")
		}
		keys[i] = string(key)
	}
	return &teams{keys}, nil
}

type activity struct {
	Type      string    `json:"type"`
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	From      struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		AADID string `json:"aadObjectId"`
	} `json:"from"`
	Conversation struct {
		ID string `json:"id"`
	} `json:"conversation"`
	ChannelData struct {
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
		TeamsChannelID string `json:"teamsChannelId"`
	} `json:"channelData"`
	Text   string `json:"text"`
	Locale string `json:"locale"`
}

// wrapped is what Teams wraps a paragraph in. What somebody writes as such has its brackets escaped.
var wrapped = regexp.MustCompile(`(?i)</?(?:p|div|br|span)(?:\s[^<>]*)?/?>`)

// mentioned is the mention that every message to an outgoing webhook begins with.
var mentioned = regexp.MustCompile(`^\s*<at[^<>]*>[^<>]*</at>`)

// Read implements System.
func (t *teams) Read(header http.Header, body []byte, now time.Time) (Ask, *Raw, error) {
	shown, ok := only(header, "Authorization")
	signature, ours := strings.CutPrefix(shown, "HMAC ")
	if !ok || !ours {
		return Ask{}, nil, refuse(BadSignature, "it is not signed")
	}
	if !t.keys.opened(func(key string) bool {
		return same(signature, base64.StdEncoding.EncodeToString(hmacSHA256([]byte(key), body)))
	}) {
		return Ask{}, nil, refuse(BadSignature, "its signature is not of what it says")
	}
	var a activity
	if err := read(body, &a); err != nil {
		return Ask{}, nil, err
	}
	// The time stands in what is signed, and nowhere else.
	if a.Timestamp.IsZero() {
		return Ask{}, nil, refuse(BadTime, "it has no time")
	}
	if err := recently(a.Timestamp, now); err != nil {
		return Ask{}, nil, err
	}
	if a.Type != "message" || a.ID == "" {
		return Ask{}, nil, refuse(Malformed, "it is no message")
	}
	text := mentioned.ReplaceAllString(wrapped.ReplaceAllString(a.Text, " "), "")
	return Ask{
		// IDs are told apart in one conversation.
		ID: a.Conversation.ID + "\x00" + a.ID, System: Teams, Who: Identity{clean(first(a.From.AADID, a.From.ID)), clean(a.From.Name)},
		Room: clean(first(a.ChannelData.Channel.ID, a.ChannelData.TeamsChannelID, a.Conversation.ID)),
		Text: clean(strings.ReplaceAll(html.UnescapeString(text), "\u00a0", " ")), Signed: true, Locale: a.Locale,
	}, nil, nil
}

type teamsAnswer struct {
	Type   string `json:"type"`
	Format string `json:"textFormat"`
	Text   string `json:"text"`
}

// teamsEscaped keeps Teams from formatting: its texts are a part of HTML, and where a client takes them for Markdown, what
// would be formatted is an entity there, too.
var teamsEscaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "*", "&#42;", "_", "&#95;", "`", "&#96;", "~", "&#126;",
	"#", "&#35;", "[", "&#91;", "]", "&#93;", "|", "&#124;", `\`, "&#92;", "@", "&#64;", "\n", "<br/>")

func (t *teams) message(r Reply) teamsAnswer {
	return teamsAnswer{"message", "xml", teamsEscaped.Replace(lines(r, r.Buttons))}
}

// Write implements System.
func (t *teams) Write(r Reply) Raw { return raw(t.message(r)) }

// Later implements System. Teams gives no address for it.
func (t *teams) Later(r Reply) any { return t.message(r) }
