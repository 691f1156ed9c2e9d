package notify

import (
	"strings"
	"unicode/utf8"
)

// Tone is how a message wants to be read; rooms show it as a colour.
type Tone int

// The tones.
const (
	News    Tone = iota
	Warning      // something that somebody may want to change
	Alarm        // somebody is needed
)

// Tone of the messages of a kind.
func (k Kind) Tone() Tone {
	switch n, known := urgency[k]; {
	case !known || n > 4:
		return News
	case n > 2:
		return Warning
	}
	return Alarm
}

// Fitting are the lines that fit into limit bytes of UTF-8, each with its line break. What does not is counted in a last
// one, so that nobody takes a part for the whole.
func (m Message) Fitting(limit int) []string {
	var lines []string
	used := 0
	for i, line := range m.Lines {
		reserve := 0
		if i < len(m.Lines)-1 {
			reserve = len(m.more(m.Count)) + 1
		}
		if used+len(line)+1+reserve > limit {
			return append(lines, m.more(m.Count-m.toldBefore(i)))
		}
		lines, used = append(lines, line), used+len(line)+1
	}
	return lines
}

// toldBefore is of how many events the lines before one tell.
func (m *Message) toldBefore(line int) int {
	switch {
	case line == 0:
		return 0
	case line <= len(m.told):
		return m.told[line-1]
	}
	return line // one each
}

// Body is the lines that fit into limit bytes, as a text.
func (m Message) Body(limit int) string { return strings.Join(m.Fitting(limit), "\n") }

// Text is the message as a text of at most limit bytes: its title, and the lines that fit.
func (m Message) Text(limit int) string {
	title := Cut(m.Title, limit)
	return strings.TrimSuffix(title+"\n"+m.Body(limit-len(title)), "\n")
}

// Cut is as much of a text as fits into limit bytes, in whole characters, with an ellipsis where something is left out.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	end := max(0, limit-len(ellipsis))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
