package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dayshift/internal/say"
)

// quotedOrNumber are the names and numbers of a sentence, which stay in every language.
var quotedOrNumber = regexp.MustCompile(`"[^"]*"|\d+`)

// TestFaultsInEveryLanguage: what is wrong with the wrong files, and what to do, is said in each language, with the names and
// numbers of the English.
func TestFaultsInEveryLanguage(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("found %d wrong files: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse("dayshift.yaml", data, Env{ReadFile: os.ReadFile, ReadCalendar: os.ReadFile})
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", file, err)
		}
		for _, fault := range faults {
			for _, language := range []say.Language{say.Chinese, say.Korean} {
				for _, text := range []say.Text{fault.Problem, fault.Fix} {
					english, translated := text.String(), text.In(language)
					if english != "" && english == translated {
						t.Errorf("%s: not in %s: %q", filepath.Base(file), language, english)
					}
					for _, part := range quotedOrNumber.FindAllString(english, -1) {
						if !strings.Contains(translated, part) {
							t.Errorf("%s: %s has no %s: %q, of %q", filepath.Base(file), language, part, translated, english)
						}
					}
				}
			}
		}
	}
}
