// Package buildinfo says which build this is. The variables are set by the
// linker (-ldflags -X); a plain `go build` leaves the defaults, completed from
// what the Go toolchain recorded.
package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version, Commit and Date describe the build.
var (
	Version = "dev"
	Commit  = ""
	Date    = ""
)

// Info is the build as data.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Get returns the build.
func Get() Info {
	info := Info{Version: Version, Commit: Commit, Date: Date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	for _, setting := range build.Settings {
		switch {
		case setting.Key == "vcs.revision" && info.Commit == "":
			info.Commit = setting.Value
		case setting.Key == "vcs.time" && info.Date == "":
			info.Date = setting.Value
		}
	}
	return info
}

// String returns one line for people.
func (i Info) String() string {
	text := "dayshift " + i.Version
	if i.Commit != "" {
		text += fmt.Sprintf(" (%.12s", i.Commit)
		if i.Date != "" {
			text += ", " + i.Date
		}
		text += ")"
	}
	return text + " " + i.Go + " " + i.Platform
}
