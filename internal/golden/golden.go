// Package golden holds files of the tree to what the code says: reference
// pages, schemas, expected messages.
//
// A file is only written where `go test -update` asks for it, and the test
// passes when it holds the expected text. Paths are those that a test sees:
// from the folder of its package.
package golden

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the files that tests compare with anew")

// Check fails the test when the file does not hold the text. regenerate is the
// command that makes it anew, for whoever reads the failure. With -update the
// file is written first.
func Check(tb testing.TB, path, text, regenerate string) {
	tb.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // a page for everybody
			tb.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(string(have), text); diff != "" {
		tb.Errorf("%s is not what the code says: run %s (-have +want):\n%s", path, regenerate, diff)
	}
}
