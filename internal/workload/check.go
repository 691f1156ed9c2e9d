package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/say"
	"dayshift/internal/typo"
)

// Fault is something wrong with a workload.
type Fault struct {
	// Path names the field inside the workload: tiers.web.depends_on[1].
	Path string
	// Text is what was written; empty where that is nothing.
	Text string
	// Problem says what is wrong, as the end of the sentence "TEXT …".
	Problem say.Text
	// Allowed says what the field takes, Fix what to do.
	Allowed say.Text
	Fix     say.Text
}

// Bounds of a workload.
const (
	// MaxTiers bounds the tiers of a workload, and so a run's record: an environment has five, a large one twenty.
	MaxTiers = 100
	// maxName is the longest name of a tier, in characters: it is part of every effect's ID.
	maxName = 128
	// maxList bounds gates, vetoes and hooks of one place: each is a call for every member.
	maxList = 10
	// maxScript is the longest script: Systems Manager takes 64 KB of a command's document and parameters, and the run keeps it.
	maxScript = 8 << 10
)

// Check says everything that is wrong with a workload, in the order of its
// tiers' names. Filters, instance types and addresses were checked by whoever read them.
func (w *Workload) Check() []Fault {
	c := &checker{w: w}
	if len(w.Tiers) == 0 {
		c.add("tiers", Fault{Problem: say.F("there are none: nothing could be started or stopped"), Fix: say.F("add a tier with a filter")})
	}
	if len(w.Tiers) > MaxTiers {
		c.add("tiers", Fault{Problem: say.F("are %d", len(w.Tiers)), Allowed: say.F("at most %d", MaxTiers), Fix: say.F("split the workload")})
	}
	for i := range w.Tiers {
		c.tier(&w.Tiers[i], w.Tiers[:i])
	}
	c.profile()
	named := len(c.faults) == 0
	c.ordered(Start)
	c.ordered(Stop)
	if named && len(c.faults) == 0 {
		for _, d := range [...]Direction{Start, Stop} {
			if _, after := w.Order(d); cycle(after) != nil {
				c.cycle(d, cycle(after))
			}
		}
	}
	return c.faults
}

type checker struct {
	w      *Workload
	faults []Fault
}

func (c *checker) add(path string, f Fault) {
	f.Path = path
	c.faults = append(c.faults, f)
}

func (c *checker) tier(t *Tier, before []Tier) {
	path := TierPath(t.Name)
	if problem := badName(t.Name); !problem.Empty() {
		c.add(path, Fault{Text: t.Name, Problem: problem, Allowed: say.F(`1 to %d characters without "/"`, maxName)})
	}
	if slices.ContainsFunc(before, func(o Tier) bool { return o.Name == t.Name }) {
		c.add(path, Fault{Text: t.Name, Problem: say.F("is the name of another tier too"), Fix: say.F("give one of them another name")})
	}
	if t.Filter.IsZero() {
		c.add(path+".filters", Fault{Problem: say.F("are missing: it would have no members"), Fix: say.F(`add filters: such as "tag:Role=%s"`, t.Name)})
	}
	c.names(t, path+".depends_on", t.DependsOn)
	c.names(t, path+".stop_depends_on", t.StopDependsOn)
	for _, d := range [...]Direction{Start, Stop} {
		c.half(t, path+"."+string(d), d)
	}
	c.many(path+".ready", len(t.Ready))
	for i := range t.Ready {
		c.gate(&t.Ready[i], fmt.Sprintf("%s.ready[%d]", path, i))
	}
	c.many(path+".vetoes", len(t.Vetoes))
	for i := range t.Vetoes {
		c.veto(&t.Vetoes[i], fmt.Sprintf("%s.vetoes[%d]", path, i))
	}
}

// TierPath is where a tier stands in its workload; a name with dots, brackets or blanks is in quotes.
func TierPath(name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\" ") {
		name = strconv.Quote(name)
	}
	return "tiers." + name
}

func badName(name string) say.Text {
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return say.F("is empty or has blanks at its ends")
	case utf8.RuneCountInString(name) > maxName:
		return say.F("is too long")
	case strings.Contains(name, "/"):
		return say.F(`has a "/" in it`)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return say.F("has a character in it that can not be shown")
	}
	return say.Text{}
}

// names checks the tiers that a tier waits for.
func (c *checker) names(t *Tier, path string, names []string) {
	var known []string
	for i := range c.w.Tiers {
		if name := c.w.Tiers[i].Name; name != t.Name {
			known = append(known, name)
		}
	}
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case name == t.Name:
			c.add(at, Fault{Text: name, Problem: say.F("is the tier itself: it would wait for itself for ever"), Fix: say.F("remove it")})
		case !slices.Contains(known, name):
			f := Fault{Text: name, Problem: say.F("is not a tier of the workload"), Allowed: say.Names(known)}
			if near, ok := typo.Nearest(name, known); ok {
				f.Fix = say.F("did you mean %s?", near)
			}
			c.add(at, f)
		case slices.Contains(names[:i], name):
			c.add(at, Fault{Text: name, Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
	}
}

// ordered checks that one thing decides about the order of a direction, for every tier.
func (c *checker) ordered(d Direction) {
	if !c.w.sequenced(d) {
		return
	}
	key := "depends_on"
	if d == Stop {
		key = "stop_depends_on"
	}
	for i := range c.w.Tiers {
		t := &c.w.Tiers[i]
		path := TierPath(t.Name)
		s := t.Half(d).Sequence
		if s == nil {
			c.add(path, Fault{
				Problem: say.F("has no %s.sequence, and other tiers have one: its place in the order is not known", d),
				Fix:     say.F("give it one (equal numbers go side by side), or take %s.sequence out of all tiers and use %s", d, key),
			})
		} else if *s < 0 {
			c.add(fmt.Sprintf("%s.%s.sequence", path, d), Fault{Text: fmt.Sprint(*s), Problem: say.F("is below 0"), Allowed: say.F("0 or more")})
		}
		if len(t.needs(d)) > 0 {
			c.add(path+"."+key, Fault{
				Problem: say.F("can not be used beside %s.sequence: one of the two decides about the order", d),
				Fix:     say.F("use %s.sequence in all tiers, or %s", d, key),
			})
		}
	}
}

// cycle reports a cycle with its path, at the first edge of it that is written.
func (c *checker) cycle(d Direction, path []string) {
	key := "depends_on"
	if d == Stop {
		if !c.w.stopsByGraph() {
			return // the start's, told already
		}
		key = "stop_depends_on"
	}
	at := slices.Index(c.w.Tier(path[0]).needs(d), path[1])
	c.add(fmt.Sprintf("%s.%s[%d]", TierPath(path[0]), key, at), Fault{
		Text: path[1], Problem: say.F("closes a circle, in which each waits for the next and none could ever %s: %s", say.Word(d), strings.Join(path, " → ")),
		Fix: say.F("take one of these dependencies out"),
	})
}

// profile checks that the profile of the workload is one of its tiers'.
func (c *checker) profile() {
	if known := c.w.Profiles(); c.w.Profile != "" && !slices.Contains(known, c.w.Profile) {
		f := Fault{Text: c.w.Profile, Problem: say.F("is not a profile of any tier"), Allowed: say.Names(known), Fix: say.F("add it under profiles of a tier, or remove the line")}
		if near, ok := typo.Nearest(c.w.Profile, known); ok {
			f.Fix = say.F("did you mean %s?", near)
		}
		c.add("profile", f)
	}
}

// elsewhere says where to have a hook that would have nothing to run on.
var elsewhere = map[Direction]say.Text{
	Start: say.F("use a webhook or a lambda, or run it after a start"),
	Stop:  say.F("use a webhook or a lambda, or run it before a stop"),
}

func (c *checker) half(t *Tier, path string, d Direction) {
	half := t.Half(d)
	if half.Synchronous && half.AtOnce > 1 {
		c.add(path+".at_once", Fault{Text: fmt.Sprint(half.AtOnce), Problem: say.F("can not be used with synchronous, which means one at once"), Fix: say.F("remove one of the two")})
	}
	c.positive(path+".timeout", half.Timeout)
	for _, list := range [...]struct {
		name  string
		hooks []Hook
		down  bool // members are down then
	}{{"before", half.Before, d == Start}, {"after", half.After, d == Stop}} {
		c.many(path+"."+list.name, len(list.hooks))
		for i := range list.hooks {
			at := fmt.Sprintf("%s.%s[%d]", path, list.name, i)
			if list.hooks[i].Type == HookCommand && list.down {
				c.add(at, Fault{Text: string(HookCommand), Problem: say.F("has nothing to run on: the members are stopped then"), Fix: elsewhere[d]})
			}
			c.hook(&list.hooks[i], at)
		}
	}
}

func (c *checker) gate(g *Gate, path string) {
	if !kindOf(c, path, g.Type, GateState, GateStatusChecks, GateTargetHealth, GateTCP, GateHTTP, GateCommand) {
		return
	}
	c.positive(path+".timeout", g.Timeout)
	c.positive(path+".interval", g.Interval)
	tcp, http, command := g.Type == GateTCP, g.Type == GateHTTP, g.Type == GateCommand
	if (tcp || http) && (g.Port < 1 || g.Port > 65535) {
		c.add(path, Fault{Problem: say.F("has no port, which %s needs", g.Type), Allowed: say.F("port: 1 to 65535")})
	}
	if http && g.Path != "" && !strings.HasPrefix(g.Path, "/") {
		c.add(path+".path", Fault{Text: g.Path, Problem: say.F(`does not begin with "/"`), Fix: say.F("write /%s", g.Path)})
	}
	if http && (g.Expect.From < 100 || g.Expect.To > 599 || g.Expect.From > g.Expect.To) {
		c.add(path+".expect", Fault{Problem: say.F("is no range of HTTP statuses"), Allowed: say.F("such as 200 or 200-399")})
	}
	c.lines(path, string(g.Type), command, g.Lines)
	kind := string(g.Type)
	c.unused(path, kind, "port", tcp || http, g.Port != 0)
	c.unused(path, kind, "host", tcp || http, g.Host != "")
	c.unused(path, kind, "path", http, g.Path != "")
	c.unused(path, kind, "windows", command, g.Windows)
}

func (c *checker) veto(v *Veto, path string) {
	if !kindOf(c, path, v.Type, VetoFile, VetoSessions, VetoBackup, VetoCommand, VetoWebhook) {
		return
	}
	c.positive(path+".timeout", v.Timeout)
	file, command, webhook := v.Type == VetoFile, v.Type == VetoCommand, v.Type == VetoWebhook
	kind := string(v.Type)
	if file && v.Path == "" {
		c.add(path, Fault{Problem: say.F("has no path"), Fix: say.F("add path: such as /tmp/StopOverride")})
	}
	if strings.ContainsFunc(v.Path, unicode.IsControl) {
		c.add(path+".path", Fault{Text: v.Path, Problem: say.F("has a control character in it")})
	}
	if webhook && v.URL == "" {
		c.add(path, Fault{Problem: say.F("has no url"), Fix: say.F("add url: https://…")})
	}
	c.lines(path, kind, command, v.Lines)
	c.unused(path, kind, "path", file, v.Path != "")
	c.unused(path, kind, "windows", file || command, v.Windows)
	c.unused(path, kind, "url", webhook, v.URL != "")
}

func (c *checker) hook(h *Hook, path string) {
	if !kindOf(c, path, h.Type, HookCommand, HookWebhook, HookLambda) {
		return
	}
	c.positive(path+".timeout", h.Timeout)
	kind := string(h.Type)
	if h.Type == HookWebhook && h.URL == "" {
		c.add(path, Fault{Problem: say.F("has no url"), Fix: say.F("add url: https://…")})
	}
	if h.Type == HookLambda && h.Function == "" {
		c.add(path, Fault{Problem: say.F("has no function"), Fix: say.F("add function: with the ARN of a Lambda function")})
	}
	c.lines(path, kind, h.Type == HookCommand, h.Lines)
	c.unused(path, kind, "windows", h.Type == HookCommand, h.Windows)
	c.unused(path, kind, "url", h.Type == HookWebhook, h.URL != "")
	c.unused(path, kind, "function", h.Type == HookLambda, h.Function != "")
}

// kindOf checks that a type is a known one.
func kindOf[T ~string](c *checker, path string, kind T, known ...T) bool {
	if slices.Contains(known, kind) {
		return true
	}
	var names []string
	for _, name := range known {
		names = append(names, string(name))
	}
	c.add(path+".type", Fault{Text: string(kind), Problem: say.F("is not one of the words allowed"), Allowed: say.Names(names)})
	return false
}

// lines checks a script.
func (c *checker) lines(path, kind string, wanted bool, lines []string) {
	size := 0
	for _, line := range lines {
		size += len(line) + 1
	}
	switch {
	case wanted && strings.TrimSpace(strings.Join(lines, "")) == "":
		c.add(path, Fault{Problem: say.F("has no lines to run"), Fix: say.F(`add lines: ["…"]`)})
	case size > maxScript:
		c.add(path+".lines", Fault{Problem: say.F("are %d bytes", size), Allowed: say.F("at most %d", maxScript), Fix: say.F("keep the script on the machine, and call it")})
	}
	c.unused(path, kind, "lines", wanted, len(lines) > 0)
}

// unused reports a key that would be read and ignored.
func (c *checker) unused(path, kind, key string, used, given bool) {
	if given && !used {
		c.add(path+"."+key, Fault{Problem: say.F("has no meaning for type %s", kind), Fix: say.F("remove it")})
	}
}

func (c *checker) positive(path string, length time.Duration) {
	if length <= 0 {
		c.add(path, Fault{Problem: say.F("is no time at all"), Allowed: say.F("more than 0s")})
	}
}

func (c *checker) many(path string, n int) {
	if n > maxList {
		c.add(path, Fault{Problem: say.F("are %d", n), Allowed: say.F("at most %d", maxList)})
	}
}
