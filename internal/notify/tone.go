package notify

import (
	"strings"
	"unicode"
	"unicode/utf16"
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

// Size is how much a text counts towards what a room takes. That of a text is the sum of its characters'.
type Size func(text string) int

// Bytes counts bytes of UTF-8.
func Bytes(text string) int { return len(text) }

// Characters counts characters as the rooms do that count most of them: one beyond the basic plane, as most emoji are, is two.
func Characters(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// Fitting are the lines that fit into limit, each with its line break. What does not is counted in a last one, so that nobody
// takes a part for the whole.
func (m Message) Fitting(limit int, size Size) []string {
	var lines []string
	used := 0
	for i, line := range m.Lines {
		reserve := 0
		if i < len(m.Lines)-1 {
			reserve = size(m.more(m.Count)) + 1
		}
		if used+size(line)+1+reserve > limit {
			return append(lines, m.more(m.Count-m.toldBefore(i)))
		}
		lines, used = append(lines, line), used+size(line)+1
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

// Body is the lines that fit into limit, as a text.
func (m Message) Body(limit int, size Size) string { return strings.Join(m.Fitting(limit, size), "\n") }

// Text is the message as a text of at most limit bytes: its title, and the lines that fit.
func (m Message) Text(limit int) string {
	most := limit
	if len(m.Lines) > 0 {
		most -= len(m.more(m.Count)) + 1 // beside a long title there is room for how many there are
	}
	title := Cut(m.Title, most, Bytes)
	return strings.TrimSuffix(title+"\n"+m.Body(limit-len(title), Bytes), "\n")
}

// Cut is as much of a text as fits into limit, in whole characters, with an ellipsis where something is left out.
func Cut(text string, limit int, size Size) string {
	if size(text) <= limit {
		return text
	}
	const ellipsis = "…"
	end, left := 0, limit-size(ellipsis)
	before := rune(0)
	for i, r := range text {
		if before == 0 || !joined(before, r) {
			end = i
		}
		if left -= size(string(r)); left < 0 {
			break
		}
		before = r
	}
	return text[:end] + ellipsis
}

// joined reports whether two runes are seen as one character, as far as names have such: marks, the parts of an emoji, flags, and
// syllables of Hangul that are written by their letters. It is true for more than that where that costs nothing.
func joined(before, after rune) bool {
	const joiner, medial, lastFinal, lightest, darkest, firstFlag, lastFlag = '\u200D', '\u1160', '\u11FF', '\U0001F3FB', '\U0001F3FF', '\U0001F1E6', '\U0001F1FF'
	switch {
	case before == joiner, after == joiner, unicode.Is(unicode.M, after):
		return true
	case after >= lightest && after <= darkest, after >= medial && after <= lastFinal:
		return true
	}
	return before >= firstFlag && before <= lastFlag && after >= firstFlag && after <= lastFlag
}
