package wording

import (
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	values := map[string]string{"count": "3", "schedule": "{count} 서울 }} {{"}
	for text, want := range map[string]string{
		"{count} machines of {schedule}.": "3 machines of {count} 서울 }} {{.", // what is put in is data
		"{{count}} {count}{count}":        "{count} 33",
		"점호! {schedule}":                  "점호! {count} 서울 }} {{",
		"plain":                           "plain",
	} {
		template, err := Parse(text, Titles)
		if err != nil || template.IsZero() {
			t.Errorf("%s: %v", text, err)
		}
		if got := template.Fill(func(name string) string { return values[name] }); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "is empty", " ": "is empty", "{count": "a { without a }", "count}": "a } without a {", "{}": "{} in it", "{ count }": "stands for nothing", "{name}": "stands for nothing", "{{count}": "a } without a {",
		"a\nb": "control character", "a\u202eb": "control character", strings.Repeat("점", 201): "longer than 200",
	} {
		if template, err := Parse(text, Titles); err == nil || !strings.Contains(err.Error(), want) || !template.IsZero() {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("{count} of {{x}}", "{schedule}")
	f.Fuzz(func(t *testing.T, text, value string) {
		template, err := Parse(text, Titles)
		if err != nil {
			return
		}
		filled := template.Fill(func(string) string { return value })
		if n := strings.Count(filled, value); value != "" && n < len(template.parts)/2 {
			t.Errorf("%q has %q %d times", filled, value, n)
		}
	})
}
