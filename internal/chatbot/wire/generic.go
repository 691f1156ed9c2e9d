package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"dayshift/internal/outbound"
)

// generic is any other system: a bridge that somebody wrote. It signs as Dayshift signs its own webhooks, see outbound.Sign.
type generic struct{ secrets secrets }

// NewGeneric returns the generic system with its secret, and the one before it or nothing.
func NewGeneric(secret, previous string) System { return &generic{secrets{secret, previous}} }

// maxGenericID bounds the ID of a request, in bytes.
const maxGenericID = 200

// question is what is posted.
type question struct {
	ID     string `json:"id"` // required; the same when it is sent again
	Who    string `json:"who"`
	Name   string `json:"name"`
	Room   string `json:"room"`
	Text   string `json:"text"`
	Locale string `json:"locale"`
	Button bool   `json:"button"`
}

// Read implements System.
func (g *generic) Read(header http.Header, body []byte, now time.Time) (Ask, *Raw, error) {
	signatures, signed := only(header, outbound.SignatureHeader)
	stamp, stamped := only(header, outbound.TimestampHeader)
	if !signed || !stamped {
		return Ask{}, nil, refuse(BadSignature, "it is not signed")
	}
	at, late := seconds(stamp, now)
	if at == 0 {
		return Ask{}, nil, late
	}
	if !g.secrets.opened(func(secret string) bool { return outbound.Genuine(signatures, secret, at, body) }) {
		return Ask{}, nil, refuse(BadSignature, "its signature is not of what it says")
	}
	if late != nil {
		return Ask{}, nil, late
	}
	var q question
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil {
		return Ask{}, nil, refuse(Malformed, "it is no JSON of id, who, name, room, text, locale and button")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Ask{}, nil, refuse(Malformed, "something stands behind it")
	}
	shown := header.Get(outbound.IDHeader)
	switch {
	case q.ID == "" || len(q.ID) > maxGenericID:
		return Ask{}, nil, refuse(Malformed, "it has no id of 1 to 200 bytes")
	case shown != "" && shown != q.ID:
		return Ask{}, nil, refuse(Malformed, "its id is not the one that its header says")
	}
	return Ask{
		ID: q.ID, System: Generic, Who: Identity{clean(q.Who), clean(q.Name)}, Room: clean(q.Room), Text: clean(q.Text), Button: q.Button, Signed: true, Locale: clean(q.Locale),
	}, nil, nil
}

type genericAnswer struct {
	Text    string          `json:"text"`
	Tone    string          `json:"tone"` // ok, warning, refused
	Buttons []genericButton `json:"buttons"`
	Private bool            `json:"private"`
	Replace bool            `json:"replace"`
}

type genericButton struct {
	Label   string `json:"label"`
	Command string `json:"command"`
	Danger  bool   `json:"danger"`
}

var toneWords = map[Tone]string{OK: "ok", Warning: "warning", Refused: "refused"}

func (g *generic) message(r Reply) genericAnswer {
	m := genericAnswer{Text: lines(r, nil), Tone: toneWords[r.Tone], Buttons: []genericButton{}, Private: r.Private, Replace: r.Replace}
	for _, b := range r.Buttons {
		m.Buttons = append(m.Buttons, genericButton{label(b), b.Command, b.Danger})
	}
	return m
}

// Write implements System.
func (g *generic) Write(r Reply) Raw { return raw(g.message(r)) }

// Later implements System. There is no address for it.
func (g *generic) Later(r Reply) any { return g.message(r) }
