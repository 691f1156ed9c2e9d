package notify

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		size  Size
		want  string
	}{
		{"short", 5, Bytes, "short"},
		{"longer", 5, Bytes, "lo…"},
		{"longer", 5, Characters, "long…"},
		{"서울 사무실", 10, Bytes, "서울 …"},
		{"서울 사무실", 6, Characters, "서울 사무실"},
		{"서울 사무실", 5, Characters, "서울 사…"},
		{"😀😀😀", 4, Characters, "😀…"},
		{"ab👨‍👩‍👧 cd", 9, Characters, "ab…"},       // a family is one
		{"ab❤️cd", 4, Characters, "ab…"},           // and so is what is shown in colour
		{"ab👍🏽cd", 5, Characters, "ab…"},           // and a thumb with its colour
		{"ab🇰🇷cd", 5, Characters, "ab…"},           // and a flag
		{"abe\u0301cd", 4, Characters, "ab…"},      // and a letter with its accent
		{"ab\u1109\u1165cd", 4, Characters, "ab…"}, // and a syllable of its letters
		{"anything", 0, Characters, "…"},
	} {
		if got := Cut(test.text, test.limit, test.size); got != test.want {
			t.Errorf("%q to %d: %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

// A text is never longer than the room takes, however long its title, its lines and its links are.
func TestTextKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.SampledFrom([]rune("a서😀e\u0301")), 0, 400, -1)
		m := Message{Title: word.Draw(t, "title"), Lines: rapid.SliceOfN(word, 0, 30).Draw(t, "lines")}
		m.Count = len(m.Lines)
		for range rapid.IntRange(0, 3).Draw(t, "links") {
			m.Choices = append(m.Choices, Choice{Label: "+1 h", Link: "https://dayshift.example.com/?keep=" + strings.Repeat("x", rapid.IntRange(0, 900).Draw(t, "link"))})
		}
		limit := rapid.IntRange(100, 4000).Draw(t, "limit")
		text := m.TextAndLinks(limit)
		if len(text) > limit || !utf8.ValidString(text) {
			t.Fatalf("%d bytes for %d: %q", len(text), limit, text)
		}
	})
}
