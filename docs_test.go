package dayshift_test

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestLinks follows every link of every Markdown file to another file of the
// tree, and to the heading it names.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	documents := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(base) != ".md" {
			return nil
		}
		documents++
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(withoutCode(string(text)), -1) {
			if complaint := follow(os.DirFS("."), filepath.ToSlash(name), found[1]); complaint != "" {
				t.Errorf("%s: link to %s: %s", name, found[1], complaint)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Fatal("no document found: is the test run in the root of the module?")
	}
}

// follow returns what is wrong with a link in a document of the tree; empty when nothing is.
func follow(tree fs.FS, document, link string) string {
	target, err := url.Parse(link)
	switch {
	case err != nil:
		return err.Error()
	case target.Scheme != "" || target.Host != "":
		return "" // the rest of the world is not ours to check
	}
	file := document
	if target.Path != "" {
		file = path.Join(path.Dir(document), target.Path)
	}
	info, err := fs.Stat(tree, file)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid):
		return "there is no such file"
	case err != nil:
		return err.Error()
	case target.Fragment == "" || info.IsDir() || path.Ext(file) != ".md":
		return ""
	}
	text, err := fs.ReadFile(tree, file)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(withoutCode(string(text))) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") && slug(heading) == target.Fragment {
			return ""
		}
	}
	return "there is no such heading"
}

// withoutCode leaves out fenced blocks, whose content is not Markdown.
func withoutCode(text string) string {
	var prose strings.Builder
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
			continue
		}
		if !code {
			prose.WriteString(line)
		}
	}
	return prose.String()
}

// slug is the anchor that Markdown viewers give a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, strings.TrimSpace(heading))
}

func TestFollow(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"README.md":     "# Title\n\n```\n# not a heading\n```\n",
		"docs/guide.md": "## Stop & start: `now`\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, sound := range map[string]bool{
		"guide.md": true, "../README.md": true, "../README.md#title": true, "#stop--start-now": true, "../docs": true,
		"https://example.com/x": true, "mailto:a@example.com": true,
		"gone.md": false, "../README.md#gone": false, "../README.md#not-a-heading": false, "#gone": false, "../../outside.md": false, "/README.md": false,
	} {
		if complaint := follow(os.DirFS(root), "docs/guide.md", link); (complaint == "") != sound {
			t.Errorf("link %s: complaint %q, want sound %t", link, complaint, sound)
		}
	}
}
