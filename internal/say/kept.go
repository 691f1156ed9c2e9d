package say

import "encoding/json"

// Kept is a Text in what a program writes down for itself, such as the state of
// something that goes on after a restart: its JSON has how the text was made, so
// that what was read says itself in every language. A string in its place is the
// same in every language; so are read what was written as a string before, and
// what a person wrote.
type Kept struct{ Text }

// Kept is the text as it is written down.
func (t Text) Kept() Kept { return Kept{t} }

// made is how a text was made, as JSON.
type made struct {
	Format  string `json:"format,omitempty"`
	Word    string `json:"word,omitempty"`
	Between string `json:"between,omitempty"` // of what is put together
	As      string `json:"as,omitempty"`      // of a single part: bare, begin or plain
	Parts   []Kept `json:"parts,omitempty"`
}

// asWords are what made.As has for the marks of a text with one part.
var asWords = map[byte]string{markBare: "bare", markBegin: "begin", markPlain: "plain"}

// MarshalJSON implements json.Marshaler.
func (k Kept) MarshalJSON() ([]byte, error) {
	code := k.code
	switch {
	case code == "":
		return []byte(`""`), nil
	case code[0] == markRaw:
		return json.Marshal(code[1:])
	case code[0] > markPlain:
		return json.Marshal(made{Format: code})
	}
	m, parts := made{}, ""
	switch code[0] {
	case markWord:
		m.Word = code[1:]
	case markFormat:
		m.Format, parts = cutPart(code[1:])
	case markJoin:
		m.Between, parts = cutPart(code[1:])
	default:
		m.As, m.Parts = asWords[code[0]], []Kept{{Text{code[1:]}}}
	}
	for parts != "" {
		var part string
		part, parts = cutPart(parts)
		m.Parts = append(m.Parts, Kept{Text{part}})
	}
	return json.Marshal(m)
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *Kept) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '{' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		k.Text = Raw(text)
		return nil
	}
	var m made
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	k.Text = m.text()
	return nil
}

// text makes it again. What no version wrote says nothing.
func (m *made) text() Text {
	var code []byte
	switch {
	case m.Word != "":
		return Word(m.Word)
	case m.As != "":
		for mark, as := range asWords {
			if as == m.As && len(m.Parts) == 1 && m.Parts[0].code != "" {
				return Text{string(mark) + m.Parts[0].code}
			}
		}
		return Text{}
	case m.Between != "":
		code = appendPart([]byte{markJoin}, m.Between)
	case m.Format == "" || m.Format[0] <= markPlain:
		return Text{}
	case len(m.Parts) == 0:
		return F(m.Format)
	default:
		code = appendPart([]byte{markFormat}, m.Format)
	}
	for _, part := range m.Parts {
		code = appendPart(code, part.code)
	}
	return Text{string(code)}
}
