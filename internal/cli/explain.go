package cli

import (
	"fmt"
	"io"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

func chainTable(list []service.Explanation) table {
	t := table{columns: []string{"RESOURCE", "RULE", "FACT"}}
	for _, e := range list {
		for _, step := range e.Chain {
			t.add(e.Ref, step.Rule, step.Fact.String())
		}
		if e.Past == nil {
			continue
		}
		t.add(e.Ref, "record", e.Past.Text.String())
		if e.Past.Today != nil {
			for _, step := range e.Past.Today.Chain {
				t.add(e.Ref, "today: "+step.Rule, step.Fact.String())
			}
		}
	}
	return t
}

// page writes lines and tables one below the other and remembers the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) line(format string, args ...any) { //nolint:goprintffuncname // what it writes is a line of a page, and it stands in every second line
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) table(t table) {
	if p.err == nil {
		p.err = t.text(p.w)
	}
}

// steps writes a chain, with a title when there is one.
func (p *page) steps(title string, chain []decide.Step) {
	if len(chain) == 0 {
		return
	}
	p.line("")
	if title != "" {
		p.line("%s", title)
	}
	t := table{columns: []string{"  RULE", "FACT"}}
	for _, step := range chain {
		t.add("  "+step.Rule, step.Fact.String())
	}
	p.table(t)
}

func (p *page) rows(title string, rows []store.Activity) {
	if len(rows) == 0 {
		return
	}
	p.line("")
	if title != "" {
		p.line("%s", title)
	}
	p.table(activityTable(rows))
}

// explanations are for people: the answer first, then how it came about.
func explanations(w io.Writer, list []service.Explanation) error {
	p := &page{w: w}
	for i := range list {
		e := &list[i]
		if i > 0 {
			p.line("")
		}
		name := e.Name
		if name == "" {
			name = e.ID
		}
		p.line("%s  %s", plain(name), plain(e.Ref))
		if e.Past != nil {
			p.past(e)
			continue
		}
		p.line("  %s (%s), wanted %s at %s", e.State, plain(e.NativeState), e.Wanted, e.At.UTC().Format(time.RFC3339))
		p.line("  %s", plain(e.Why.String()))
		if o := e.Override; o != nil {
			p.line("  override %s: %s until %s by %s", plain(o.ID), o.State, o.Until.Format(time.RFC3339), plain(because(o.Author, o.Reason)))
		}
		if e.Next != nil {
			p.line("  next: %s from %s", e.Next.To, e.Next.At.Format(time.RFC3339))
		}
		p.steps("", e.Chain)
		p.rows("", e.Recent)
	}
	return p.err
}

func because(who, why string) string {
	if why == "" {
		return who
	}
	return who + " (" + why + ")"
}

// past is what the record says; what today's rules would have wanted stands apart.
func (p *page) past(e *service.Explanation) {
	past := e.Past
	p.line("  at %s, from the record: %s", e.At.UTC().Format(time.RFC3339), past.State)
	p.line("  %s", plain(past.Text.String()))
	if row := past.Decision; row != nil {
		p.line("  decided last: %s at %s by %s: %s", row.Event, row.At.UTC().Format(time.RFC3339), plain(past.By), plain(row.Detail))
	}
	for _, o := range past.Overrides {
		maybe := ""
		if o.Filter {
			maybe = " (the record does not tell whether the filter matched it)"
		}
		p.line("  override %s in force, of %s: %s%s", plain(o.ID), o.Made.UTC().Format(time.RFC3339), plain(o.Text), maybe)
	}
	p.steps("", e.Chain)
	if past.Today != nil {
		p.steps("Today's rules would have wanted it "+past.Today.Wanted+":", past.Today.Chain)
	}
	p.rows("The record up to then:", e.Recent)
	if past.After != nil {
		p.rows("The next row:", []store.Activity{*past.After})
	}
	more := ""
	if past.MoreChanges {
		more = " (the first of more)"
	}
	p.rows("Changed since"+more+":", past.Changes)
}
