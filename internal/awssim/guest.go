package awssim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Guest is what Systems Manager meets inside an instance.
type Guest struct {
	// Platform is linux or windows; default that of the image.
	Platform string `yaml:"platform,omitempty"`
	// Agent is online (default) or offline: it was there once and does not answer.
	// An instance without a guest has no agent.
	Agent string `yaml:"agent,omitempty"`
	// AgentAfter is how long after the instance runs the agent is online, Slow how
	// long the agent takes to fetch a command.
	AgentAfter Duration `yaml:"agent_after,omitempty"`
	Slow       Duration `yaml:"slow,omitempty"`
	// Files are the paths that are there.
	Files []string `yaml:"files,omitempty"`
	// Sessions is how many sessions of Session Manager are open.
	Sessions int `yaml:"sessions,omitempty"`
	// Commands answer scripts: the first whose text is in the script. A script that
	// none answers ends at once with exit code 0 and says nothing, but for tests for
	// a file; see fileTests.
	Commands []GuestCommand `yaml:"commands,omitempty"`
}

// GuestCommand is how a guest answers scripts.
type GuestCommand struct {
	Contains string `yaml:"contains"`
	Exit     int    `yaml:"exit,omitempty"`
	Output   string `yaml:"output,omitempty"`
	// After is how long the script runs.
	After Duration `yaml:"after,omitempty"`
	// ReadyAfter: a script that ends before the instance has run for so long has
	// exit code 1 and says nothing.
	ReadyAfter Duration `yaml:"ready_after,omitempty"`
}

const (
	guestLinux   = "linux"
	guestWindows = "windows"
	agentOnline  = "online"
	agentOffline = "offline"
)

// mostSessions bounds the open sessions of a guest: two pages and more of them.
const mostSessions = 1000

func (g *Guest) check(bad func(field, format string, args ...any)) {
	if !slices.Contains([]string{"", guestLinux, guestWindows}, g.Platform) {
		bad("guest.platform", "%q is not known: %s, %s", g.Platform, guestLinux, guestWindows)
	}
	if !slices.Contains([]string{"", agentOnline, agentOffline}, g.Agent) {
		bad("guest.agent", "%q is not known: %s, %s", g.Agent, agentOnline, agentOffline)
	}
	if g.Sessions < 0 || g.Sessions > mostSessions {
		bad("guest.sessions", "%d: must be between 0 and %d", g.Sessions, mostSessions)
	}
	for i, c := range g.Commands {
		if c.Contains == "" {
			bad(fmt.Sprintf("guest.commands[%d].contains", i), "say a text of the scripts that it answers")
		}
		if c.Exit < 0 || c.Exit > 255 {
			bad(fmt.Sprintf("guest.commands[%d].exit", i), "%d: must be between 0 and 255", c.Exit)
		}
	}
}

// system is the platform of an instance's guest.
func (i *instance) system() string {
	switch {
	case i.guest.Platform != "":
		return i.guest.Platform
	case i.image.windows():
		return guestWindows
	}
	return guestLinux
}

// online reports whether the agent answers at an instant.
func (i *instance) online(t int64) bool {
	p := i.line.when(t)
	return i.guest != nil && i.guest.Agent != agentOffline && p != nil && p.state == running && (p.at == always || t >= p.at+int64(i.guest.AgentAfter))
}

// fileTests are the scripts that ask for a file, of either platform: the path in
// single quotes, and what to say when it is there and when it is not. They are
// written as package cloud's FileTest writes them.
var fileTests = map[string]*regexp.Regexp{
	guestLinux:   regexp.MustCompile(`^if \[ -e '((?:[^']|'\\'')*)' \] \|\| \[ -L '(?:[^']|'\\'')*' \]; then echo (\S+); else echo (\S+); fi$`),
	guestWindows: regexp.MustCompile(`^if \(Test-Path -LiteralPath '((?:[^']|'')*)'\) \{ '(\S+)' \} else \{ '(\S+)' \}$`),
}

// ran is what became of a script.
type ran struct {
	exit   int
	output string
	takes  int64
}

// runs answers a script that begins at an instant; the scope's lock is held.
func (i *instance) runs(script string, at int64) ran {
	for _, c := range i.guest.Commands {
		if !strings.Contains(script, c.Contains) {
			continue
		}
		out := ran{c.Exit, c.Output, int64(c.After)}
		if p := i.line.when(at); p != nil && p.at != always && at+out.takes < p.at+int64(c.ReadyAfter) {
			out.exit, out.output = 1, ""
		}
		return out
	}
	if m := fileTests[i.system()].FindStringSubmatch(strings.TrimSpace(script)); m != nil {
		path := strings.ReplaceAll(m[1], `'\''`, `'`)
		there := slices.Contains(i.guest.Files, path)
		if i.system() == guestWindows {
			path = strings.ReplaceAll(m[1], `''`, `'`)
			there = slices.ContainsFunc(i.guest.Files, func(f string) bool { return strings.EqualFold(f, path) })
		}
		if there {
			return ran{output: m[2] + "\n"}
		}
		return ran{output: m[3] + "\n"}
	}
	return ran{}
}

// Guest gives what is inside an instance; false where there is no such instance or no agent was ever in it.
func (c *Cloud) Guest(id string) (Guest, bool) {
	s, i := c.holder(id)
	if s == nil {
		return Guest{}, false
	}
	defer s.mu.Unlock()
	if i.guest == nil {
		return Guest{}, false
	}
	return *i.guest, true
}

// SetGuest changes what is inside an instance. Commands that were sent already stay as they are.
func (c *Cloud) SetGuest(id string, g Guest) error {
	var faults []string
	g.check(func(field, format string, args ...any) {
		faults = append(faults, field+": "+fmt.Sprintf(format, args...))
	})
	if len(faults) > 0 {
		return fmt.Errorf("set guest of %s: %s", id, strings.Join(faults, "; "))
	}
	s, i := c.holder(id)
	if s == nil {
		return fmt.Errorf("set guest: there is no instance %s", id)
	}
	defer s.mu.Unlock()
	i.guest = &g
	return nil
}

// defaultFetch is how long an agent takes to fetch a command where a guest does not say.
const defaultFetch = time.Second
