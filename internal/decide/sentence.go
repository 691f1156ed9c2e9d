package decide

import (
	"fmt"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/policy"
)

// instantForm is how instants are written into sentences: RFC 3339 in UTC, to
// the second; surfaces that know the reader's zone write their own.
func instantForm(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Sentence says what is done and why, with the facts of this decision.
func (d *Decision) Sentence() string {
	var b strings.Builder
	switch {
	case d.Resize:
		fmt.Fprintf(&b, "%s to change %s to %s: ", d.Verb, d.Resource.Type, d.Type)
	case d.Verb != "" && d.Type != "":
		fmt.Fprintf(&b, "%s as %s: ", d.Verb, d.Type)
	case d.Verb != "":
		fmt.Fprintf(&b, "%s: ", d.Verb)
	}
	b.WriteString(d.Reason.Sentence())
	switch {
	case d.Due.IsZero():
	case d.Reason == NewResourceAnnounced || d.Reason == NewResourceGrace || d.Reason == ManualStart:
		fmt.Fprintf(&b, " It will be stopped at %s.", instantForm(d.Due))
	case d.Reason == CapacityGivenUp:
		fmt.Fprintf(&b, " There was none from %s; it is tried again at %s.", instantForm(d.Memory.Shortage.Since), instantForm(d.Due))
	case d.Reason == BackingOff:
		fmt.Fprintf(&b, " The next try is at %s.", instantForm(d.Due))
	}
	switch d.Reason {
	case OverrideStart, OverrideStop, OverrideRunning, OverrideStopped:
		fmt.Fprintf(&b, " Asked for by %s", d.Override.Author)
		if d.Override.Reason != "" {
			fmt.Fprintf(&b, ": %s", strings.TrimRight(d.Override.Reason, "."))
		}
		b.WriteByte('.')
	}
	if d.Memory.LastError != "" && (d.Reason == BackingOff || d.Reason == CapacityGivenUp || d.Reason == RetryStart || d.Reason == RetryStop) {
		fmt.Fprintf(&b, " Last error: %s.", strings.TrimRight(d.Memory.LastError, "."))
	}
	return b.String()
}

func (x *decider) governedBy() string {
	p := &x.in.Policy
	switch p.Why {
	case policy.Governed:
		text := fmt.Sprintf("tag %s names the schedule %q", p.TagKey, p.Name)
		if p.Offset > 0 {
			text += fmt.Sprintf("; its place in the jitter is %s", p.Offset)
		}
		return text
	case policy.ProtectedByFilter:
		return fmt.Sprintf("protected by the filter %q", p.Filter)
	case policy.UnknownSchedule:
		text := fmt.Sprintf("tag %s names the schedule %q, which does not exist", p.TagKey, p.Name)
		if near, ok := p.Hint(); ok {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		return text
	case policy.ScheduleInvalid:
		if p.Schedule.Err != nil {
			return fmt.Sprintf("schedule %q has a fault: %v", p.Name, p.Schedule.Err)
		}
	}
	return Reason(p.Why).Sentence()
}

func (x *decider) calendarFact() string {
	text := x.Want.State.String() + " is wanted"
	if x.Want.Period != "" {
		text += fmt.Sprintf(" by %q", x.Want.Period)
	}
	if x.Want.InstanceType != "" {
		text += " as " + x.Want.InstanceType
	}
	if b, ok := x.in.Policy.Next(x.now); ok {
		return text + fmt.Sprintf(" until %s, then %s", instantForm(b.At), b.To.State)
	}
	return text + ", without end"
}

// sayDates adds what is out of the ordinary on the date: a day off, a make-up day, exceptions, a year that a calendar
// does not know.
func (x *decider) sayDates() {
	if x.steps == nil {
		return
	}
	for _, fact := range x.in.Policy.Special(x.now).Facts() {
		x.row(fact.Rule, fact.Text)
	}
}

func (x *decider) memoryFact() string {
	m := x.m
	text := string(m.Last)
	if m.Retain && m.Last == WasAny {
		text += ", retained for a person"
	}
	if !m.DecidedAt.IsZero() {
		text += ", last decided at " + instantForm(m.DecidedAt)
	}
	if m.ResizeTo != "" {
		text += ", stopped to become " + m.ResizeTo
	}
	if m.Attempts > 0 {
		text += fmt.Sprintf(", %d failed in a row (%s)", m.Attempts, m.LastError)
	}
	if s := m.Shortage; !s.IsZero() {
		text += ", no capacity since " + instantForm(s.Since)
		if s.Refused != "" {
			text += " for " + strings.Join(s.Types(), ", ")
		}
		if !s.GaveUp.IsZero() {
			text += ", given up at " + instantForm(s.GaveUp)
		}
	}
	if m.Intent != nil {
		text += fmt.Sprintf(", %s begun at %s is under way", m.Intent.Verb, instantForm(intentTime(*m.Intent)))
	}
	return text
}

func (x *decider) seenFact() string {
	r := &x.Resource
	text := r.Native
	if text == "" {
		text = string(r.State)
	}
	if r.Type != "" {
		text += ", " + r.Type
	}
	if x.autoRestart && x.Want.State == calendar.Stopped {
		text += ", restarted by the provider, due " + instantForm(x.m.AutoRestartAt)
	}
	if r.Bar != "" {
		text += ", barred: " + string(r.Bar)
	}
	return text
}
