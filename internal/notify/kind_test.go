package notify

import (
	"strings"
	"testing"
	"time"

	"dayshift/internal/say"
)

// TestEveryKindIsShown: a kind has a name in every language, and an example that reads like what is told of it.
func TestEveryKindIsShown(t *testing.T) {
	at := time.Date(2026, 8, 3, 8, 50, 0, 0, time.UTC)
	seen := map[string]Kind{}
	for _, kind := range Kinds {
		name := kind.Text()
		if name.String() == string(kind) && strings.Contains(string(kind), "-") {
			t.Errorf("%s has no name", kind)
		}
		if other := seen[name.String()]; other != "" {
			t.Errorf("%s and %s are both %q", kind, other, name)
		}
		seen[name.String()] = kind
		notice := Example(kind, at)
		if notice.Kind() != kind {
			t.Errorf("the example of %s is one of %s", kind, notice.Kind())
		}
		for _, language := range say.Languages {
			m := Words{Language: language}.Message(&notice)
			if m.Title == "" || m.Kind != kind || strings.Contains(m.Title+strings.Join(m.Lines, ""), "%!") {
				t.Errorf("%s in %s: %+v", kind, language, m)
			}
		}
	}
}

// TestTrialSaysWhatItIs: a message that tries a channel is told from news, and who asked for it can break no line.
func TestTrialSaysWhatItIs(t *testing.T) {
	for _, language := range say.Languages {
		m := Words{Language: language}.Trial("kim\n<!channel>\u202e")
		if m.Kind != Trial || m.Kind.Tone() != News || m.Title == "" || len(m.Lines) != 1 || strings.ContainsAny(m.Lines[0], "\n\u202e") || !strings.Contains(m.Lines[0], "kim <!channel>") {
			t.Errorf("%s: %+v", language, m)
		}
	}
}
