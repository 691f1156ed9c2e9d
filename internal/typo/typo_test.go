package typo

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"seoul-office", "cn-office-hours", "always-on", "office"}
	for text, want := range map[string]string{
		"Seoul-Office": "seoul-office", "cn-ofice-hours": "cn-office-hours", "cn-office-huors": "cn-office-hours",
		"ofice": "office", "alwayson": "always-on",
		"": "", "x": "", "production": "", strings.Repeat("o", 500): "",
	} {
		if got, ok := Nearest(text, names); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"싱태": "상태", "춤": "", "🙂": "", "状太": "状态"} {
		if got, _ := Nearest(text, []string{"꺼", "나", "상태", "状态"}); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	// The answer does not depend on the order of the candidates.
	a, _ := Nearest("abcx", []string{"abcz", "abcy"})
	b, _ := Nearest("abcx", []string{"abcy", "abcz"})
	if a != b || a != "abcy" {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestSlips(t *testing.T) {
	for _, test := range []struct {
		name, a, b  string
		limit, want int
	}{
		{"the same", "office", "office", 3, 0},
		{"a letter left out", "ofice", "office", 3, 1},
		{"a letter added", "offfice", "office", 3, 1},
		{"a letter exchanged", "offize", "office", 3, 1},
		{"neighbours swapped", "offcie", "office", 3, 1},
		{"two slips", "ofizce", "office", 3, 2},
		{"a character of three bytes is one", "首尔办公", "首尔办共", 3, 1},
		{"lengths too far apart", "a", "abcd", 2, 3},
		{"nothing", "", "abc", 3, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Slips(test.a, test.b, test.limit); got != test.want {
				t.Errorf("%q and %q: %d slips, want %d", test.a, test.b, got, test.want)
			}
			if got := Slips(test.b, test.a, test.limit); got != test.want {
				t.Errorf("%q and %q: %d slips, want %d", test.b, test.a, got, test.want)
			}
		})
	}
}
