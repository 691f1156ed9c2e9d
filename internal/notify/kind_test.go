package notify

import (
	"strings"
	"testing"
	"time"

	"dayshift/internal/fleet"
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

// TestAccountsAreCalledWhatPeopleCallThem: beside their IDs, in lines about a resource and in those about a whole account.
func TestAccountsAreCalledWhatPeopleCallThem(t *testing.T) {
	at := time.Date(2026, 8, 3, 8, 50, 0, 0, time.UTC)
	words := Words{Accounts: map[fleet.AccountID]string{exampleScope.Account: "shop-test"}}
	ready, want := Example(Ready, at), "web-1 i-0a1b2c3d4e5f60718 in shop-test (111122223333/ap-northeast-2): ready within 2m10s; its status checks have passed"
	if line := words.Message(&ready).Lines[0]; line != want {
		t.Errorf("%q, want %q", line, want)
	}
	gap := Group([]Event{{Kind: Gap, Ref: fleet.Ref{Scope: exampleScope}, Text: say.Raw("111122223333/ap-northeast-2: denied"), At: at}}, BySubject)[0]
	if line := words.Message(&gap).Lines[0]; line != "shop-test: 111122223333/ap-northeast-2: denied" {
		t.Errorf("%q", line)
	}
}
