package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// discord is interactions of Discord: application commands and buttons
// (https://docs.discord.com/developers/interactions/receiving-and-responding).
type discord struct{ keys []ed25519.PublicKey }

// NewDiscord returns Discord with the public key of an application in hex, and the one before it or nothing. It says when
// one is no key.
func NewDiscord(key, previous string) (System, error) {
	d := &discord{}
	for _, text := range []string{key, previous} {
		if text == "" {
			continue
		}
		public, err := hex.DecodeString(text)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("the public key is not %d digits of hexadecimal as Discord shows it", 2*ed25519.PublicKeySize)
		}
		d.keys = append(d.keys, public)
	}
	return d, nil
}

// The types of interactions, of their answers and of options that are used.
const (
	discordPing         = 1
	discordCommand      = 2
	discordComponent    = 3
	discordAutocomplete = 4

	discordPong    = 1
	discordMessage = 4
	discordUpdate  = 7
	discordChoices = 8

	discordSubcommand      = 1
	discordSubcommandGroup = 2

	discordEphemeral = 64 // a flag of messages

	discordRow, discordButton, discordSecondary, discordDanger = 1, 2, 2, 4
)

// Discord's bounds: of what a button keeps, and of the text of an embed, in characters.
const (
	maxDiscordID   = 100
	maxDiscordText = 4096
)

type interaction struct {
	ID            string `json:"id"`
	ApplicationID string `json:"application_id"`
	Type          int    `json:"type"`
	Token         string `json:"token"`
	ChannelID     string `json:"channel_id"`
	Locale        string `json:"locale"`
	Member        struct {
		User discordUser `json:"user"`
	} `json:"member"`
	User discordUser `json:"user"` // in a conversation with one alone
	Data struct {
		Options  []discordOption `json:"options"`
		CustomID string          `json:"custom_id"`
		Kind     int             `json:"component_type"`
	} `json:"data"`
}

type discordUser struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	GlobalName string `json:"global_name"`
}

type discordOption struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value"`
	Options []discordOption `json:"options"`
}

// Read implements System.
func (d *discord) Read(header http.Header, body []byte, now time.Time) (Ask, *Raw, error) {
	shown, signed := only(header, "X-Signature-Ed25519")
	stamp, stamped := only(header, "X-Signature-Timestamp")
	signature, err := hex.DecodeString(shown)
	if !signed || !stamped || err != nil || len(signature) != ed25519.SignatureSize {
		return Ask{}, nil, refuse(BadSignature, "it is not signed")
	}
	verified := false
	message := append([]byte(stamp), body...)
	for _, key := range d.keys {
		verified = ed25519.Verify(key, message, signature) || verified
	}
	if !verified {
		return Ask{}, nil, refuse(BadSignature, "its signature is not of what it says")
	}
	if _, err := seconds(stamp, now); err != nil {
		return Ask{}, nil, err
	}
	var i interaction
	if err := read(body, &i); err != nil {
		return Ask{}, nil, err
	}
	ask := Ask{
		ID: i.ID, System: Discord, Who: discordWho(&i), Room: clean(i.ChannelID), Signed: true, Later: discordLater(&i), Locale: i.Locale,
	}
	switch {
	case i.Type == discordPing:
		answer := raw(map[string]int{"type": discordPong})
		return Ask{}, &answer, nil
	case i.Type == discordAutocomplete:
		answer := raw(map[string]any{"type": discordChoices, "data": map[string]any{"choices": []string{}}})
		return Ask{}, &answer, nil
	case i.ID == "":
	case i.Type == discordCommand:
		words, err := discordWords(i.Data.Options, nil)
		if err != nil {
			return Ask{}, nil, err
		}
		ask.Text = clean(strings.Join(words, " "))
		return ask, nil, nil
	case i.Type == discordComponent && i.Data.Kind == discordButton:
		ask.Text, ask.Button = clean(i.Data.CustomID), true
		return ask, nil, nil
	}
	return Ask{}, nil, refuse(Malformed, "it is neither a command nor a button")
}

func discordWho(i *interaction) Identity {
	user := i.Member.User
	if user.ID == "" {
		user = i.User
	}
	return Identity{clean(user.ID), clean(first(user.GlobalName, user.Username))}
}

// discordWords are the names of subcommands and the values of options, in their order.
func discordWords(options []discordOption, words []string) ([]string, error) {
	for _, o := range options {
		if o.Type == discordSubcommand || o.Type == discordSubcommandGroup {
			var err error
			if words, err = discordWords(o.Options, append(words, o.Name)); err != nil {
				return nil, err
			}
			continue
		}
		var text string
		var number json.Number
		switch {
		case json.Unmarshal(o.Value, &text) == nil:
			words = append(words, text)
		case json.Unmarshal(o.Value, &number) == nil:
			words = append(words, number.String())
		default:
			return nil, refuse(Malformed, "it has an option that is no text")
		}
	}
	return words, nil
}

var (
	snowflake    = regexp.MustCompile(`^[0-9]{1,20}$`)
	discordToken = regexp.MustCompile(`^[A-Za-z0-9._-]{1,512}$`)
)

// discordLater is where what follows an interaction is posted, or nothing where that would not be there.
func discordLater(i *interaction) string {
	if !snowflake.MatchString(i.ApplicationID) || !discordToken.MatchString(i.Token) || strings.Trim(i.Token, ".") == "" {
		return ""
	}
	return "https://discord.com/api/v10/webhooks/" + i.ApplicationID + "/" + i.Token
}

type discordAnswer struct {
	Type int         `json:"type"`
	Data discordData `json:"data"`
}

type discordData struct {
	Embeds          []discordEmbed   `json:"embeds"`
	AllowedMentions discordMentions  `json:"allowed_mentions"`
	Flags           int              `json:"flags,omitempty"`
	Components      []discordControl `json:"components"` // none takes away those of the message that is replaced
}

type discordEmbed struct {
	Description string `json:"description"`
	Color       int    `json:"color"`
}

type discordMentions struct {
	Parse []string `json:"parse"`
}

type discordControl struct {
	Type       int              `json:"type"`
	Components []discordControl `json:"components,omitempty"`
	Label      string           `json:"label,omitempty"`
	Style      int              `json:"style,omitempty"`
	CustomID   string           `json:"custom_id,omitempty"`
}

// discordEscaped keeps Discord from formatting, from links and from mentions.
var discordEscaped = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, ">", `\>`, "<", `\<`, "#", `\#`, "-", `\-`, "[", `\[`, "]", `\]`,
	"(", `\(`, ")", `\)`, "@", `\@`, ":", `\:`)

// discordText is a text as Discord shows it, in the characters that it takes.
func discordText(text string) string {
	for limit := maxShown; ; limit -= limit / 4 {
		if escaped := discordEscaped.Replace(shown(text, limit)); utf8.RuneCountInString(escaped) <= maxDiscordText {
			return escaped
		}
	}
}

func (d *discord) message(r Reply) discordData {
	keep, tell := pressable(r.Buttons, maxDiscordID)
	m := discordData{
		Embeds:          []discordEmbed{{discordText(lines(r, tell)), colors[r.Tone]}},
		AllowedMentions: discordMentions{[]string{}}, Components: []discordControl{},
	}
	if r.Private {
		m.Flags = discordEphemeral
	}
	if len(keep) > 0 {
		row := discordControl{Type: discordRow}
		used := map[string]bool{} // two alike in a message are refused
		for _, b := range keep {
			if used[b.Command] || !utf8.ValidString(b.Command) {
				continue
			}
			used[b.Command] = true
			button := discordControl{Type: discordButton, Label: label(b), Style: discordSecondary, CustomID: b.Command}
			if b.Danger {
				button.Style = discordDanger
			}
			row.Components = append(row.Components, button)
		}
		m.Components = append(m.Components, row)
	}
	return m
}

// Write implements System.
func (d *discord) Write(r Reply) Raw {
	answer := discordAnswer{discordMessage, d.message(r)}
	if r.Replace {
		answer.Type = discordUpdate
	}
	return raw(answer)
}

// Later implements System.
func (d *discord) Later(r Reply) any { return d.message(r) }
