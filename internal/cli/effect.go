package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"dayshift/internal/say"
	"dayshift/internal/service"
)

// effectText writes what a change would do: the numbers first, then what comes
// and goes, then what has to be known before it is made.
func effectText(w io.Writer, e service.Effect) error {
	p := &page{w: w}
	p.line("%s", effectSummary(&e))
	if len(e.Now) > 0 {
		p.line("")
		t := table{columns: []string{"", "NOW", "NAME", "RESOURCE", "SCHEDULE", "WHY"}}
		for _, l := range e.Now {
			t.add(sign(l.Comes), typed(l.Action, l.Type), l.Name, l.Ref, l.Schedule, l.Why.String())
		}
		p.table(t)
		p.more(e.MoreNow)
	}
	if len(e.Ahead) > 0 {
		p.line("")
		t := table{columns: []string{"", "WHEN", "ACTION", "NAME", "RESOURCE", "SCHEDULE", "WHY"}}
		for _, l := range e.Ahead {
			t.add(sign(l.Comes), short(l.At), typed(l.Action, l.Type), l.Name, l.Ref, l.Schedule, l.Why.String())
		}
		p.table(t)
		p.more(e.More)
	}
	p.notes("limit", e.Limits)
	for _, c := range e.Conflicts {
		p.line("conflict: %s (%s)", plain(c.Text.String()), plain(resources(c.Count, c.Examples)))
	}
	for _, gap := range e.Gaps {
		p.line("gap: %s", plain(gap.Text.String()))
	}
	p.notes("note", e.Notes)
	if !e.Confirm.Empty() {
		p.line("to be confirmed: %s", plain(e.Confirm.String()))
	}
	return p.err
}

func (p *page) notes(word string, list []say.Text) {
	for _, text := range list {
		p.line("%s: %s", word, plain(text.String()))
	}
}

func (p *page) more(n int) {
	if n > 0 {
		p.line("and %d more", n)
	}
}

func effectSummary(e *service.Effect) string {
	var b strings.Builder
	if e.Resources == 0 {
		return "No resource is governed differently."
	}
	fmt.Fprintf(&b, "Concerns %s. A pass now: %s, %s. Until %s: %s, %s.", resources(e.Resources, nil),
		counted("starts", e.StartsNow), counted("stops", e.StopsNow), e.Until.UTC().Format(time.RFC3339),
		counted("starts", e.Starts), counted("stops", e.Stops))
	if e.Protected > 0 {
		fmt.Fprintf(&b, " Protected, and left as they are: %s.", plain(resources(e.Protected, e.ProtectedNames)))
	}
	return b.String()
}

// resources is a number of resources with the names of some.
func resources(n int, names []string) string {
	text := "1 resource"
	if n != 1 {
		text = fmt.Sprintf("%d resources", n)
	}
	if len(names) > 0 {
		text += ": " + strings.Join(names, ", ")
		if n > len(names) {
			text += " …"
		}
	}
	return text
}

func counted(what string, n service.EffectCount) string {
	if n.Before == n.After {
		return fmt.Sprintf("%s %d as before", what, n.After)
	}
	return fmt.Sprintf("%s %d instead of %d", what, n.After, n.Before)
}

func typed(action, instanceType string) string {
	if instanceType != "" {
		return action + " as " + instanceType
	}
	return action
}

// sign marks what comes and what goes.
func sign(comes bool) string {
	if comes {
		return "+"
	}
	return "-"
}
