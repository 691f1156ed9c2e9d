package wire

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/outbound"
)

// raw writes an answer of JSON.
func raw(v any) Raw {
	body, err := outbound.JSON(v)
	if err != nil { // it is made of texts and numbers alone, which always can be written
		return Raw{Status: http.StatusInternalServerError, ContentType: "text/plain; charset=utf-8"}
	}
	return Raw{Status: http.StatusOK, ContentType: "application/json; charset=utf-8", Body: body}
}

// read reads a body of JSON that was verified.
func read(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return refuse(Malformed, "it is not what the chat system posts")
	}
	return nil
}

// maxShown bounds the text of an answer, in bytes: more than anybody reads in a chat.
const maxShown = 4000

// Bounds of buttons, which are those of the narrowest system.
const (
	maxButtons = 5
	maxLabel   = 75 // characters
)

// shown is a text as it may be shown: without characters that hide others or turn their order around, and not too long.
func shown(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == utf8.RuneError, unicode.IsControl(r), turns(r):
			return -1
		}
		return r
	}, text)
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

// turns reports whether a character changes the direction of text, or has no width and could hide a difference. Joiners
// stay, without which some scripts and emoji fall apart.
func turns(r rune) bool {
	switch {
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069: // embeddings, overrides, isolates
		return true
	case r == 0x200B, r == 0x200E, r == 0x200F, r == 0x061C, r == 0x2060, r == 0xFEFF: // zero width, marks of direction
		return true
	case r == 0x2028, r == 0x2029: // line breaks that only some take for one
		return true
	case r >= 0xE0000 && r <= 0xE007F: // tags
		return true
	}
	return false
}

// label is what stands on a button.
func label(b Button) string {
	text := strings.ReplaceAll(shown(b.Label, 4*maxLabel), "\n", " ")
	if utf8.RuneCountInString(text) > maxLabel {
		text = string([]rune(text)[:maxLabel-1]) + "…"
	}
	return text
}

// pressable are the buttons whose commands a system can keep, limit in bytes; the others are told as lines.
func pressable(buttons []Button, limit int) (keep, tell []Button) {
	for _, b := range buttons {
		if len(keep) < maxButtons && len(b.Command) <= limit && b.Command != "" && label(b) != "" {
			keep = append(keep, b)
		} else {
			tell = append(tell, b)
		}
	}
	return keep, tell
}

// lines is the text of an answer for a system without buttons: what could be pressed stands below, to be written.
func lines(r Reply, told []Button) string {
	text := r.Text
	for _, b := range told {
		text += "\n" + label(b) + ": " + strings.ReplaceAll(b.Command, "\n", " ")
	}
	if text = shown(text, maxShown); text == "" {
		return "…" // systems refuse messages of nothing
	}
	return text
}

// clean is what was written by somebody, in UTF-8.
func clean(text string) string { return strings.TrimSpace(strings.ToValidUTF8(text, "�")) }

// Colours by tone, as the channels of notifications have them.
var colors = map[Tone]int{OK: 0x3d52a5, Warning: 0xf0a31c, Refused: 0xc4314b}
