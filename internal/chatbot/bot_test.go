package chatbot

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dayshift/internal/golden"
)

// anyID is the ID of an override, which is another one each time.
var anyID = regexp.MustCompile(`o-\d{8}-\d{6}-[0-9a-f]{4}`)

// TestConversations plays a day of commands in each language. A line that begins with @ sets the clock, one with ~ lets a
// pass take place, every other is what the person of that language writes.
func TestConversations(t *testing.T) {
	for name, who := range map[string]string{"english": "U-kim", "korean": "U-lee", "chinese": "U-wang"} {
		t.Run(name, func(t *testing.T) {
			script, err := os.ReadFile(filepath.Join("testdata", "talk."+name+".in"))
			if err != nil {
				t.Fatal(err)
			}
			w := newTown(t, "2026-08-03T10:00:00+09:00")
			var b strings.Builder
			for line := range strings.Lines(string(script)) {
				line = strings.TrimSuffix(line, "\n")
				switch {
				case strings.HasPrefix(line, "@"):
					if w.now, err = time.Parse(time.RFC3339, line[1:]); err != nil {
						t.Fatal(err)
					}
					w.Changed()
					fmt.Fprintf(&b, "%s\n", line)
					continue
				case line == "~":
					fmt.Fprintf(&b, "~ %s\n", strings.Join(w.pass(), ", "))
					continue
				}
				w.now = w.now.Add(time.Second)
				reply := w.says(who, line)
				fmt.Fprintf(&b, "> %s\n%s\n", line, indent(anyID.ReplaceAllString(reply.Text, "o-…")))
				for _, button := range reply.Buttons {
					fmt.Fprintf(&b, "  [%s: %s]\n", button.Label, button.Command)
				}
			}
			golden.Check(t, filepath.Join("testdata", "talk."+name+".txt"), b.String(), "go test ./internal/chatbot -run TestConversations -update")
		})
	}
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
