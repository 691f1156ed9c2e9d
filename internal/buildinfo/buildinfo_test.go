package buildinfo

import (
	"runtime"
	"testing"
)

func TestString(t *testing.T) {
	for _, test := range []struct {
		info Info
		want string
	}{
		{Info{Version: "dev", Go: "go1.26", Platform: "linux/amd64"}, "dayshift dev go1.26 linux/amd64"},
		{Info{Version: "v1.2.0", Commit: "0123456789abcdef0123", Go: "go1.26", Platform: "linux/arm64"}, "dayshift v1.2.0 (0123456789ab) go1.26 linux/arm64"},
		{Info{Version: "v1.2.0", Commit: "0123456", Date: "2026-08-03T09:00:00Z", Go: "go1.26", Platform: "darwin/arm64"}, "dayshift v1.2.0 (0123456, 2026-08-03T09:00:00Z) go1.26 darwin/arm64"},
	} {
		if got := test.info.String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// What the linker set goes before what the toolchain recorded.
func TestGet(t *testing.T) {
	version, commit, date := Version, Commit, Date
	t.Cleanup(func() { Version, Commit, Date = version, commit, date })
	Version, Commit, Date = "v9", "fedcba", "2026-08-03"
	want := Info{Version: "v9", Commit: "fedcba", Date: "2026-08-03", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if got := Get(); got != want {
		t.Errorf("%+v", got)
	}
}
