package say

import (
	"encoding/json"
	"testing"
)

// What was written down and read again is what it was, in every language.
func TestKept(t *testing.T) {
	for name, text := range map[string]Text{
		"nothing":           {},
		"a literal":         F("It is over."),
		"a name":            Raw("i-1"),
		"words of AWS":      Raw("It is over."),
		"a word":            Word("running"),
		"with arguments":    F("%s until %s", F("%s is wanted", Word("running")), "noon"),
		"empty argument":    F("%s until %s", Text{}, ""),
		"a percentage":      F("%d%% of %s", 20, "all"),
		"sentences":         Sentences(F("It is over."), F("It names no schedule.")),
		"names":             Names([]string{"web", "db"}),
		"bare":              F("(%s)", F("It is over.").Bare()),
		"begin":             F("%s.", F("calendar %s", "kr").Begin()),
		"plain":             F("%s stays", "a\nb\x1b[0m").Plain(),
		"more than a byte":  F("%s until %s", string(make([]byte, 300)), "의 끝"),
		"a mark in a name":  F("%s stays", Raw("\x02\x03x")),
		"looks like a kept": Raw(`{"format":"It is over."}`),
	} {
		t.Run(name, func(t *testing.T) {
			written, err := json.Marshal(text.Kept())
			if err != nil {
				t.Fatal(err)
			}
			var read Kept
			if err := json.Unmarshal(written, &read); err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			for _, language := range Languages {
				if got, want := read.In(language), text.In(language); got != want {
					t.Errorf("%s: %q, want %q; written as %s", language, got, want, written)
				}
			}
			again, err := json.Marshal(read)
			if err != nil || string(again) != string(written) || read.Empty() != text.Empty() {
				t.Errorf("%s became %s: %v", written, again, err)
			}
		})
	}
}

// What an earlier version wrote as a string reads as it was; what nobody wrote is no text, and no panic.
func TestKeptOfOthers(t *testing.T) {
	for written, want := range map[string]string{
		`"cancelled by kim: too late"`:                "cancelled by kim: too late",
		`"It is over."`:                               "It is over.",
		`{}`:                                          "",
		`{"as":"sideways","parts":["a"]}`:             "",
		`{"as":"bare"}`:                               "",
		`{"format":"%s until %s","parts":["a"]}`:      "a until ",
		`{"format":"\u0002\u0005x","parts":["a"]}`:    "",
		`{"between":", ","parts":["a",{"word":"b"}]}`: "a, b",
	} {
		var read Kept
		if err := json.Unmarshal([]byte(written), &read); err != nil || read.String() != want {
			t.Errorf("%s: %q, %v; want %q", written, read, err, want)
		}
	}
	var read Kept
	if err := json.Unmarshal([]byte(`7`), &read); err == nil {
		t.Error("a number is read as a text")
	}
	old := `"It is over."`
	if err := json.Unmarshal([]byte(old), &read); err != nil || read.In(Korean) != "It is over." {
		t.Errorf("what an earlier version wrote: %q, %v", read.In(Korean), err)
	}
}
