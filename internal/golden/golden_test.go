package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// failing keeps what a test says and does not end it.
type failing struct {
	testing.TB
	said []string
}

func (f *failing) Helper() {}
func (f *failing) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *failing) Fatal(args ...any) { f.said = append(f.said, "fatal: "+fmt.Sprint(args...)) }

func TestCheck(t *testing.T) {
	if *update {
		t.Skip("with -update everything is written first")
	}
	path := filepath.Join(t.TempDir(), "page.md")
	said := func(text string) string {
		f := &failing{TB: t}
		Check(f, path, text, "make generate")
		return strings.Join(f.said, "\n")
	}
	if got := said("a\n"); !strings.HasPrefix(got, "fatal: ") || !strings.Contains(got, path) {
		t.Errorf("a file that is not there: %q", got)
	}
	if err := os.WriteFile(path, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := said("a\n"); got != "" {
		t.Errorf("the same text: %q", got)
	}
	if got := said("b\n"); !strings.Contains(got, "run make generate") || !strings.Contains(got, path) {
		t.Errorf("another text: %q", got)
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != "a\n" {
		t.Errorf("a check without -update wrote %q (%v)", have, err)
	}

	*update = true
	defer func() { *update = false }()
	if got := said("b\n"); got != "" {
		t.Errorf("another text, with -update: %q", got)
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != "b\n" {
		t.Errorf("-update left %q (%v)", have, err)
	}
}
