package web

import (
	"bytes"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// The Content-Security-Policy of the server forbids whatever stands inline, so a
// page with such a thing would be broken in the browser only.
func TestNothingStandsInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for name, files := range map[string]fs.FS{"in force": Files(), "stub": sub(stub, "stub")} {
		text, err := fs.ReadFile(files, "index.html")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found := inline.Find(text); found != nil {
			t.Errorf("%s: index.html holds %q, which the policy refuses", name, found)
		}
		if !bytes.Contains(text, []byte("<title>Dayshift</title>")) {
			t.Errorf("%s: index.html has no title", name)
		}
	}
}

// What index.html names is in the build, below paths of its own.
func TestBuildIsWhole(t *testing.T) {
	if !Built() {
		t.Skip("the page was not built; make web")
	}
	text, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(text, -1)
	if len(named) < 3 {
		t.Errorf("index.html names %d files, at least a script, a style sheet and an icon were expected", len(named))
	}
	for _, name := range named {
		path, own := strings.CutPrefix(string(name[1]), "/")
		if !own {
			t.Errorf("%s is no path of this server", name[1])
		}
		if _, err := fs.Stat(Files(), path); err != nil {
			t.Errorf("index.html names a file that is not there: %v", err)
		}
	}
}
