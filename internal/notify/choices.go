package notify

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/say"
)

// Choice is something that whoever reads a message may decide, there and then.
type Choice struct {
	Label string `json:"label"` // in the language of the message
	// Command is what the choice means in a chat. It names an instant, so that a second press and a late one ask for the same.
	Command string `json:"command"`
	// Link leads to the page, where it is decided with the same end; empty: there is no address of the page.
	Link string `json:"link,omitempty"`
}

// later is by how much a stop may be put off with one press, in hours.
var later = []int{1, 2}

// maxChoiceName bounds a name that a command has, in bytes: the longest that a chat reads.
const maxChoiceName = 512

// choices are what may be decided about the stop that a notice warns of, which is one of a single schedule or workload.
func (w Words) choices(n *Notice) []Choice {
	kind, name := "schedule", n.Schedule
	if name == "" {
		kind, name = "workload", n.Workload
	}
	stop := n.stop()
	written, can := written(name)
	if stop.IsZero() || n.Schedule != "" && n.Workload != "" || !can {
		return nil
	}
	link := func(until string) string {
		if w.Page == "" {
			return ""
		}
		return w.Page + "/?keep=" + url.QueryEscape(kind+":"+name) + "&until=" + url.QueryEscape(until)
	}
	shown := func(at time.Time) string {
		if w.Zone != nil {
			at = at.In(w.Zone)
		}
		return at.Format("15:04")
	}
	var list []Choice
	for _, hours := range later {
		until := stop.Add(time.Duration(hours) * time.Hour)
		list = append(list, Choice{
			Label:   w.say(say.F("+%d h (%s)", hours, shown(until))),
			Command: fmt.Sprintf("keep %s until %s", written, until.Format(time.RFC3339)),
			Link:    link(until.Format(time.RFC3339)),
		})
	}
	today := Choice{Label: w.say(say.F("Not today")), Command: fmt.Sprintf("skip %s on %s", written, stop.Format(time.DateOnly))}
	if w.Starts != nil {
		if start := w.Starts(n.Schedule, n.Workload, stop); !start.IsZero() { // the next boundary would be the very stop
			today.Link = link(start.In(stop.Location()).Format(time.RFC3339))
		}
	}
	return append(list, today)
}

// stop is when the last of what a notice warns of is stopped; zero: it warns of none. It is told on the clock of its schedule.
func (n *Notice) stop() (last time.Time) {
	for i := range n.Parts {
		if n.Parts[i].Kind != StopWarning {
			continue
		}
		for _, line := range n.Parts[i].Told {
			if line.At.After(last) {
				last = line.At
			}
		}
	}
	return last
}

// written writes a name as a command has it: in quotation marks where it is more than a plain word. can is false for a name
// that a chat would read as another one, because characters of it are not seen or because it has every quotation mark.
func written(name string) (text string, can bool) {
	hidden := func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) && r != ' ' || r == utf8.RuneError
	}
	if name == "" || len(name) > maxChoiceName || strings.TrimSpace(name) != name || strings.ContainsFunc(name, hidden) {
		return "", false
	}
	if plainWord(name) {
		return name, true
	}
	for _, marks := range []string{`""`, `''`, "``", "“”", "「」", "『』"} {
		open, end := utf8.DecodeRuneInString(marks)
		if closing := marks[end:]; !strings.Contains(name, closing) {
			return string(open) + name + closing, true
		}
	}
	return "", false
}

// plainWord reports whether a name is letters, digits, hyphens and underscores, a small letter first and nothing that is a day.
func plainWord(name string) bool {
	if name == "today" || name == "tomorrow" || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// Links are the choices that lead to the page.
func (m Message) Links() []Choice {
	var list []Choice
	for _, choice := range m.Choices {
		if choice.Link != "" {
			list = append(list, choice)
		}
	}
	return list
}

// TextAndLinks is Text with the choices that lead to the page below it, for rooms where a text is all there is. Where they do
// not fit, which takes a very long address, they are left out.
func (m Message) TextAndLinks(limit int) string {
	var b strings.Builder
	for _, choice := range m.Links() {
		b.WriteString("\n" + choice.Label + ": " + choice.Link)
	}
	if b.Len() > limit/2 {
		b.Reset()
	}
	return m.Text(limit-b.Len()) + b.String()
}
