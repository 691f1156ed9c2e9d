// Package wording reads texts that people write for messages, with names in
// braces where something is put in: "{count} machines of {schedule}".
//
// What is put in is data: it is never read for names again. Two braces stand
// for one.
package wording

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/say"
)

// Titles and Lines are the names that titles and lines of messages can have.
var (
	Titles = []string{"count", "kind", "schedule", "time", "title", "workload"}
	Lines  = []string{"account", "id", "kind", "line", "name", "region", "schedule", "text", "time", "workload"}
)

// maxText bounds a text, in characters: a line is cut at twice that.
const maxText = 200

// Template is a text that was read. The zero Template is none.
type Template struct{ parts []part }

// part is a text, or the name of what is put in.
type part struct {
	text string
	name bool
}

// IsZero reports whether it is none.
func (t Template) IsZero() bool { return len(t.parts) == 0 }

// Parse reads a text in which the names may stand, or says what is wrong with it, as the end of a sentence.
func Parse(text string, names []string) (Template, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return Template{}, say.Err("is empty")
	case utf8.RuneCountInString(text) > maxText:
		return Template{}, say.Err("is longer than %d characters", maxText)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return Template{}, say.Err("has a control character in it")
	}
	var t Template
	var literal strings.Builder
	for text != "" {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			literal.WriteString(text)
			break
		}
		literal.WriteString(text[:at])
		brace, rest := text[at], text[at+1:]
		if strings.HasPrefix(rest, string(brace)) {
			literal.WriteByte(brace)
			text = rest[1:]
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case brace == '}':
			return Template{}, say.Err("has a } without a {; write }} for a brace")
		case !closed:
			return Template{}, say.Err("has a { without a }; write {{ for a brace")
		case !slices.Contains(names, name):
			return Template{}, say.Err("has {%s} in it, which stands for nothing", name)
		}
		t.parts = append(t.parts, part{text: literal.String()}, part{name, true})
		literal.Reset()
		text = after
	}
	t.parts = append(t.parts, part{text: literal.String()})
	return t, nil
}

// Fill puts in what the names stand for.
func (t Template) Fill(value func(name string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name {
			p.text = value(p.text)
		}
		b.WriteString(p.text)
	}
	return b.String()
}
