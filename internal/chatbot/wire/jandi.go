package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// jandi is JANDI's outgoing webhook
// (https://support.jandi.com/en/articles/6353337-sending-team-outgoing-webhooks-to-all-members). It signs nothing: whoever
// saw a request once has the token and can say to be anybody.
type jandi struct{ tokens secrets }

// NewJandi returns JANDI with the token of an outgoing webhook, and the one before it or nothing.
func NewJandi(token, previous string) System { return &jandi{secrets{token, previous}} }

type jandiPost struct {
	Token    string `json:"token"`
	RoomName string `json:"roomName"`
	Writer   struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	} `json:"writer"`
	WriterName  string  `json:"writerName"`
	WriterEmail string  `json:"writerEmail"`
	Text        string  `json:"text"`
	Data        *string `json:"data"` // the text without the keyword
	CreatedAt   string  `json:"createdAt"`
}

// Read implements System.
func (j *jandi) Read(_ http.Header, body []byte, now time.Time) (Ask, *Raw, error) {
	var p jandiPost
	if err := read(body, &p); err != nil {
		return Ask{}, nil, err
	}
	if !j.tokens.opened(func(token string) bool { return same(token, p.Token) }) {
		return Ask{}, nil, refuse(BadToken, "its token is missing or wrong")
	}
	if p.CreatedAt != "" {
		at, err := time.Parse(time.RFC3339, p.CreatedAt)
		if err != nil {
			return Ask{}, nil, refuse(BadTime, "its time can not be read")
		}
		if err := recently(at, now); err != nil {
			return Ask{}, nil, err
		}
	}
	ask := Ask{
		System: Jandi, Who: Identity{small(clean(first(p.Writer.Email, p.WriterEmail))), clean(first(p.Writer.Name, p.WriterName))},
		Room: clean(p.RoomName),
	}
	if p.Data != nil {
		ask.Text = clean(*p.Data)
	} else if word, rest, _ := strings.Cut(clean(p.Text), " "); strings.HasPrefix(word, "/") {
		ask.Text = clean(rest)
	} else {
		ask.Text = clean(p.Text)
	}
	// JANDI gives requests no ID. The time in them tells two alike apart.
	sum := sha256.Sum256(body)
	ask.ID = hex.EncodeToString(sum[:])
	return ask, nil, nil
}

// small writes the letters of ASCII small. Others are left: of some a letter of ASCII would become, and with it somebody
// else's address.
func small(address string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, address)
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

type jandiAnswer struct {
	Body  string      `json:"body"`
	Color string      `json:"connectColor"`
	Info  []jandiInfo `json:"connectInfo,omitempty"`
}

type jandiInfo struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// jandiPlain keeps JANDI from making a link of [text](address).
var jandiPlain = strings.NewReplacer("](", "] (")

func (j *jandi) message(r Reply) jandiAnswer {
	title, rest, more := strings.Cut(lines(r, r.Buttons), "\n")
	answer := jandiAnswer{Body: jandiPlain.Replace(title), Color: fmt.Sprintf("#%06x", colors[r.Tone])}
	if more {
		answer.Info = []jandiInfo{{Description: jandiPlain.Replace(rest)}}
	}
	return answer
}

// Write implements System.
func (j *jandi) Write(r Reply) Raw { return raw(j.message(r)) }

// Later implements System. JANDI gives no address for it.
func (j *jandi) Later(r Reply) any { return j.message(r) }
