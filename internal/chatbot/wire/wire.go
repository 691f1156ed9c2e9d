// Package wire is what chat systems post to Dayshift and how they are
// answered, each by its own rules.
//
// A System verifies a request before it reads it: Slack by its signature v0,
// Microsoft Teams by HMAC, Discord by Ed25519, Jandi by the token that stands
// in the body, the generic one as Dayshift signs its own webhooks. All of them
// look at the bytes as they came. What is asked is data from strangers,
// whoever signed it: a text is read for nothing here, and what is answered is
// escaped for the system, so that no name can call a room.
//
// A request that was taken is not taken again: Once keeps what one process saw
// for as long as its signature would let it in, KeptFor says how long all of
// them have to.
package wire

import (
	"net/http"
	"time"
)

// The chat systems.
const (
	Slack   = "slack"
	Jandi   = "jandi"
	Teams   = "teams"
	Discord = "discord"
	Generic = "generic"
)

// Systems are all of them.
var Systems = []string{Discord, Generic, Jandi, Slack, Teams}

// Identity is who asks, as the chat system knows them.
type Identity struct {
	ID   string // never changes: U0123ABCD, an e-mail address with Jandi
	Name string // for people; anybody may call themselves so
}

// Ask is what somebody asks.
type Ask struct {
	ID     string // the same when the system sends it again
	System string // one of Systems
	Chat   string // name of the chat in the configuration; set by the caller
	Who    Identity
	Room   string
	// Text is what is asked, without the word that calls the bot: data, hostile, shorter than MaxBody.
	Text   string
	Button bool   // Text is a command that Dayshift itself had put on a button
	Signed bool   // the system signs what it posts; a token that stands in it is no signature
	Later  string // where a later answer may be posted; empty: nowhere
	// Acknowledge: the request itself is answered with nothing, and the answer posted to Later. Slack shows nothing else
	// of a button.
	Acknowledge bool
	Locale      string // of who asks, BCP 47, where the system says it
}

// Tone is how an answer wants to be read; systems that can show it as a colour.
type Tone int

// The tones.
const (
	OK      Tone = iota // done, or the answer to a question
	Warning             // something to look at, or to confirm
	Refused             // not done
)

// Button is a command to be pressed.
type Button struct {
	Label   string
	Command string // in the grammar of the bot
	Danger  bool   // stops something
}

// Reply is what is answered.
type Reply struct {
	Text    string // lines with \n, plain; it is escaped for the system
	Tone    Tone
	Buttons []Button
	Private bool // for who asked alone, where the system can
	Replace bool // takes the place of the message whose button was pressed, where the system can
}

// Raw is an answer as it is sent.
type Raw struct {
	Status      int // 0: 200
	ContentType string
	Body        []byte
}

// System is a chat system.
type System interface {
	// Read verifies and reads a request. early, where set, is an answer that the protocol asks for and that concerns nobody.
	// An error is a *RefusedError: nothing that stands in the request is believed then.
	Read(header http.Header, body []byte, now time.Time) (ask Ask, early *Raw, err error)
	// Write gives the answer of a request that is answered at once.
	Write(Reply) Raw
	// Later gives the JSON that is posted to Ask.Later.
	Later(Reply) any
}

// MaxBody bounds a request, in bytes. Slack's answers to buttons carry the whole message.
const MaxBody = 64 << 10

// MaxAge is how far the time of a signed request may be from ours, either way: five minutes, as Slack's documentation says.
const MaxAge = 5 * time.Minute

// Reason is why a request was refused, as it is counted.
type Reason string

// The reasons.
const (
	BadSignature Reason = "signature" // missing, or not of these bytes
	BadTime      Reason = "time"      // too old, of the future, or none
	BadToken     Reason = "token"     // missing or wrong
	Malformed    Reason = "malformed" // signed, and not what the system posts
	Replayed     Reason = "replayed"  // taken before
)

// RefusedError says why a request was not taken. It shows nothing of it, neither what was shown nor what was expected.
type RefusedError struct {
	Reason Reason
	text   string
}

func (e *RefusedError) Error() string { return e.text }

func refuse(reason Reason, text string) *RefusedError { return &RefusedError{reason, text} }
