package chatbot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/golden"
	"dayshift/internal/say"
)

var languages = map[string]say.Language{"english": say.English, "korean": say.Korean, "chinese": say.Chinese}

// TestTables holds what is written, in each language, to the command it is, or to what is answered.
func TestTables(t *testing.T) {
	for name, language := range languages {
		t.Run(name, func(t *testing.T) {
			input, err := os.ReadFile(filepath.Join("testdata", name+".in"))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for line := range strings.Lines(string(input)) {
				line = strings.TrimSuffix(line, "\n")
				fmt.Fprintf(&b, "> %s\n", line)
				command, err := Parse(line)
				if err != nil {
					wrong := err.(*WrongError) //nolint:errorlint // Parse says so
					fmt.Fprintf(&b, "? %s\n", strings.ReplaceAll(wrong.In(language).In(language), "\n", "\n  "))
					continue
				}
				fmt.Fprintf(&b, "  %s", command)
				if command.Language != "" {
					fmt.Fprintf(&b, "  [%s]", command.Language)
				}
				b.WriteString("\n")
			}
			golden.Check(t, filepath.Join("testdata", name+".txt"), b.String(), "go test ./internal/chatbot -run TestTables -update")
		})
	}
}

// reads checks what holds of every text.
func reads(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, text string,
) {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		wrong, is := err.(*WrongError) //nolint:errorlint // Parse says so
		if !is {
			t.Fatalf("%q: %v", text, err)
		}
		for _, l := range say.Languages {
			answer := wrong.In(l).In(l)
			if strings.TrimSpace(answer) == "" || len(answer) > 4*maxText || !utf8.ValidString(answer) {
				t.Fatalf("%q is answered with %q", text, answer)
			}
			if i := strings.IndexFunc(answer, func(r rune) bool { return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }); i >= 0 {
				t.Fatalf("%q is answered with %q", text, answer)
			}
			offered := wrong.Example
			if offered.Name == "" {
				offered.Name = "office"
			}
			if _, err := Parse(offered.In(l)); err != nil {
				t.Fatalf("%q: the example %q would not work: %v", text, offered.In(l), err)
			}
		}
		return
	}
	c.Language, c.Bare = "", false
	for _, l := range say.Languages {
		again, err := Parse(c.In(l))
		again.Language, again.Bare = "", false
		if err != nil || !cmp.Equal(c, again) {
			t.Fatalf("%q is %+v, written in %s as %q, which is %+v, %v", text, c, l, c.In(l), again, err)
		}
	}
	if i := strings.IndexFunc(c.String(), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }); i >= 0 {
		t.Fatalf("%q is %q", text, c)
	}
}

// Whatever is written has an answer, and what is a command reads back from its words in every language.
func TestEveryTextHasAnAnswer(t *testing.T) {
	var words []string
	for i := range verbWords {
		for _, l := range say.Languages {
			words = append(words, verbWords[i].words[l]...)
		}
	}
	for i := range subWords {
		for _, l := range say.Languages {
			words = append(words, subWords[i].words[l]...)
		}
	}
	for i := range detailWords {
		for _, l := range say.Languages {
			words = append(words, detailWords[i].words[l]...)
		}
	}
	words = append(words, "office", `"my office"`, "2h", "22:00", "2027-02-05", "2027-02-05T22:00:00Z", "90", "분", "1시간30분", "+2h", "”", "'", "\u202e", "25:00", "@everyone", "오후", "10시까지")
	rapid.Check(t, func(t *rapid.T) {
		reads(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 8).Draw(t, "words"), rapid.SampledFrom([]string{" ", "  ", "\u3000"}).Draw(t, "blank")))
	})
}

func FuzzParse(f *testing.F) {
	for name := range languages {
		input, err := os.ReadFile(filepath.Join("testdata", name+".in"))
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(input)) {
			f.Add(strings.TrimSuffix(line, "\n"))
		}
	}
	f.Add("\u202ekeep office\u202c for 2h")
	f.Add("keep of\u200bfice\x00\x1b[31m for 2h")
	f.Add(strings.Repeat("서", 4000))
	f.Fuzz(func(t *testing.T, text string) { reads(t, text) })
}

// What is too long, no text at all or full of marks is answered as data.
func TestHostileTexts(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", 10<<10), strings.Repeat("keep ", 10<<10), "\xff\xfe status", strings.Repeat(`"`, 1999), "status " + strings.Repeat("n", 600),
		"\u202estatus\u2066", "keep office until \x1b[2J", "status office\r\nstop office", "wake <!channel>", "why `rm -rf /`", "name\x00; DROP TABLE objects status",
	} {
		reads(t, text)
	}
	c, err := Parse("status office\r\nstop office")
	if err == nil {
		t.Errorf("a second line is read as more of a command: %+v", c)
	}
}
