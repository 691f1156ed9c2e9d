package notify

import (
	"strings"
	"testing"
	"time"

	"dayshift/internal/wording"
)

func own(t *testing.T, text string, names []string) wording.Template {
	t.Helper()
	template, err := wording.Parse(text, names)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// A team's own words take the place of ours, for their kind alone; names stay data, on one line.
func TestOwnWords(t *testing.T) {
	words := Words{
		Zone:   time.FixedZone("KST", 9*60*60),
		Titles: map[Kind]wording.Template{Stopping: own(t, "{schedule}: 소등 {time}, {count}대 ({kind}; {title})", wording.Titles)},
		Lines:  map[Kind]wording.Template{Stopping: own(t, "- {name} {id} {account}/{region}: {text} {{{line}}}", wording.Lines)},
	}
	notice := Group([]Event{event(Stopping, "office", "i-1", "{text}\n\x1b[31mweb", "why"), event(Stopping, "office", "i-2", "", "")}, BySubject)[0]
	m := words.Message(&notice)
	if m.Title != "office: 소등 03:00, 2대 (stopping; Stopping 2 resources (schedule office))" || len(m.Lines) != 2 ||
		m.Lines[0] != "- {text} [31mweb i-1 111122223333/ap-northeast-2: why {{text} [31mweb i-1 in 111122223333/ap-northeast-2: why}" || !strings.HasPrefix(m.Lines[1], "- i-2 i-2 111122223333/") {
		t.Errorf("%s: %q", m.Title, m.Lines)
	}
	notice = Group([]Event{event(Starting, "office", "i-1", "web", "why")}, BySubject)[0]
	if got, want := words.Message(&notice).Title, (Words{}).Message(&notice).Title; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOwnWordsWithNothingInThem: rooms take no message without a title, and a line without anything says nothing.
func TestOwnWordsWithNothingInThem(t *testing.T) {
	words := Words{
		Titles: map[Kind]wording.Template{Failed: own(t, " {schedule} ", wording.Titles)},
		Lines:  map[Kind]wording.Template{Failed: own(t, "{text}", wording.Lines)},
	}
	notice := Group([]Event{event(Failed, "", "i-1", "web", "")}, BySubject)[0]
	ours := (Words{}).Message(&notice)
	if m := words.Message(&notice); m.Title != ours.Title || m.Lines[0] != ours.Lines[0] {
		t.Errorf("%q: %q", m.Title, m.Lines)
	}
}
