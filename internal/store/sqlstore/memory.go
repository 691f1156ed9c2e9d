package sqlstore

import (
	"bytes"
	"encoding/json"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
)

// memoryReader decodes the bodies of memories. A full look at a large fleet reads
// one for each resource, nearly all of the same few fields: those it reads itself,
// in a fifth of the time that encoding/json takes, and leaves every other body to that.
type memoryReader struct {
	words map[string]string // one copy of the texts that come again and again
}

func (d *memoryReader) decode(body []byte, m *decide.Memory) error {
	if d.atRest(body, m) {
		return nil
	}
	*m = decide.Memory{}
	return json.Unmarshal(body, m)
}

// atRest reads the memory of a resource with nothing under way. It reports false
// for whatever it does not know to the last byte.
func (d *memoryReader) atRest(body []byte, m *decide.Memory) bool {
	rest, ok := bytes.CutPrefix(body, []byte("{"))
	for ok {
		var key, value []byte
		if key, rest, ok = quoted(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return false
		}
		if value, rest, ok = scalar(rest[1:]); !ok {
			return false
		}
		if !d.set(string(key), value, m) {
			return false
		}
		if len(rest) == 0 {
			return false
		}
		if rest[0] == '}' {
			return len(rest) == 1
		}
		rest, ok = bytes.CutPrefix(rest, []byte(","))
	}
	return false
}

// set takes a field; value is as it stands in the document.
func (d *memoryReader) set(key string, value []byte, m *decide.Memory) bool {
	text, _, isText := quoted(value)
	switch key {
	case "ref": // the columns tell it
		return value[0] == '{'
	case "retain":
		m.Retain = string(value) == "true"
		return m.Retain || string(value) == "false"
	}
	if !isText {
		return false
	}
	switch key {
	case "name":
		m.Name = string(text)
	case "schedule":
		m.Schedule = d.word(text)
	case "last":
		m.Last = decide.Remembered(d.word(text))
	case "seen":
		m.Seen = fleet.State(d.word(text))
	case "seen_type":
		m.SeenType = d.word(text)
	case "size":
		m.Size = d.word(text)
	case "first_seen":
		return m.FirstSeen.UnmarshalText(text) == nil
	case "decided_at":
		return m.DecidedAt.UnmarshalText(text) == nil
	case "announced":
		return m.Announced.UnmarshalText(text) == nil
	case "warned":
		return m.Warned.UnmarshalText(text) == nil
	case "seen_at":
		return m.SeenAt.UnmarshalText(text) == nil
	case "seen_since":
		return m.SeenSince.UnmarshalText(text) == nil
	case "missing":
		return m.Missing.UnmarshalText(text) == nil
	default:
		return false
	}
	return true
}

// wordsKept bounds the texts of which one copy is kept.
const wordsKept = 1000

func (d *memoryReader) word(text []byte) string {
	if known, found := d.words[string(text)]; found {
		return known
	}
	word := string(text)
	if d.words == nil {
		d.words = map[string]string{}
	}
	if len(d.words) < wordsKept {
		d.words[word] = word
	}
	return word
}

// quoted reads a text of plain ASCII, without anything escaped.
func quoted(rest []byte) (text, after []byte, ok bool) {
	if len(rest) == 0 || rest[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			return rest[1:i], rest[i+1:], true
		case c < 0x20 || c > 0x7e || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// scalar reads a value: a text, true or false, or an object of nothing but such.
func scalar(rest []byte) (value, after []byte, ok bool) {
	if len(rest) == 0 {
		return nil, nil, false
	}
	switch rest[0] {
	case '"':
		_, after, ok = quoted(rest)
	case 't':
		after, ok = bytes.CutPrefix(rest, []byte("true"))
	case 'f':
		after, ok = bytes.CutPrefix(rest, []byte("false"))
	case '{':
		after, ok = object(rest[1:])
	}
	if !ok {
		return nil, nil, false
	}
	return rest[:len(rest)-len(after)], after, true
}

func object(rest []byte) (after []byte, ok bool) {
	if after, empty := bytes.CutPrefix(rest, []byte("}")); empty {
		return after, true
	}
	for {
		if _, rest, ok = quoted(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return nil, false
		}
		if _, rest, ok = scalar(rest[1:]); !ok || len(rest) == 0 {
			return nil, false
		}
		switch rest[0] {
		case '}':
			return rest[1:], true
		case ',':
			rest = rest[1:]
		default:
			return nil, false
		}
	}
}
