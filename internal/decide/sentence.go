package decide

import (
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// instantForm is how instants are written into sentences: RFC 3339 in UTC, to
// the second; surfaces that know the reader's zone write their own.
func instantForm(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Sentence says in English what is done and why, with the facts of this decision.
func (d *Decision) Sentence() string { return d.Said().String() }

// Said implements say.Sayer with that sentence.
func (d *Decision) Said() say.Text {
	text := d.Reason.Said()
	switch {
	case d.Resize:
		text = say.F("%s to change %s to %s: %s", say.Word(d.Verb), d.Resource.Type, d.Type, text)
	case d.Verb != "" && d.Type != "":
		text = say.F("%s as %s: %s", say.Word(d.Verb), d.Type, text)
	case d.Verb != "":
		text = say.F("%s: %s", say.Word(d.Verb), text)
	}
	return say.Sentences(text, d.dueSaid(), d.authorSaid(), d.errorSaid())
}

// dueSaid says what the instant of the reason is.
func (d *Decision) dueSaid() say.Text {
	switch {
	case d.Due.IsZero():
	case d.Reason == NewResourceAnnounced || d.Reason == NewResourceGrace || d.Reason == ManualStart:
		return say.F("It will be stopped at %s.", instantForm(d.Due))
	case d.Reason == CapacityGivenUp:
		return say.F("There was none from %s; it is tried again at %s.", instantForm(d.Memory.Shortage.Since), instantForm(d.Due))
	case d.Reason == BackingOff:
		return say.F("The next try is at %s.", instantForm(d.Due))
	}
	return say.Text{}
}

// authorSaid says who asked for it, where somebody did.
func (d *Decision) authorSaid() say.Text {
	switch d.Reason {
	case OverrideStart, OverrideStop, OverrideRunning, OverrideStopped:
		if d.Override.Reason != "" {
			return say.F("Asked for by %s: %s.", d.Override.Author, strings.TrimRight(d.Override.Reason, "."))
		}
		return say.F("Asked for by %s.", d.Override.Author)
	}
	return say.Text{}
}

// errorSaid says what the last try failed with.
func (d *Decision) errorSaid() say.Text {
	if d.Memory.LastError != "" && (d.Reason == BackingOff || d.Reason == CapacityGivenUp || d.Reason == RetryStart || d.Reason == RetryStop) {
		return say.F("Last error: %s.", strings.TrimRight(d.Memory.LastError, "."))
	}
	return say.Text{}
}

func (x *decider) governedBy() say.Text {
	p := &x.in.Policy
	switch p.Why {
	case policy.Governed:
		text := say.F("tag %s names the schedule %q", p.TagKey, p.Name)
		if p.Offset > 0 {
			text = say.Clauses(text, say.F("its place in the jitter is %s", p.Offset))
		}
		return text
	case policy.ProtectedByFilter:
		return say.F("protected by the filter %q", p.Filter)
	case policy.WorkloadMember:
		return say.F("it is a member of the workload %q, in tier %q", p.Workload, p.Tier)
	case policy.UnknownSchedule:
		text := say.F("tag %s names the schedule %q, which does not exist", p.TagKey, p.Name)
		if near, ok := p.Hint(); ok {
			text = say.Clauses(text, say.F("did you mean %q?", near))
		}
		return text
	case policy.ScheduleInvalid:
		if p.Schedule.Err != nil {
			return say.F("schedule %q has a fault: %v", p.Name, p.Schedule.Err)
		}
	}
	return Reason(p.Why).Said()
}

func (x *decider) calendarFact() say.Text {
	var text say.Text
	switch want := x.Want; {
	case want.Period != "" && want.InstanceType != "":
		text = say.F("%s is wanted by %q as %s", want.State, want.Period, want.InstanceType)
	case want.Period != "":
		text = say.F("%s is wanted by %q", want.State, want.Period)
	case want.InstanceType != "":
		text = say.F("%s is wanted as %s", want.State, want.InstanceType)
	default:
		text = say.F("%s is wanted", want.State)
	}
	if b, ok := x.in.Policy.Next(x.now); ok {
		return say.F("%s until %s, then %s", text, instantForm(b.At), b.To.State)
	}
	return say.F("%s, without end", text)
}

// sayDates adds what is out of the ordinary on the date: a day off, a make-up day, exceptions, a year that a calendar
// does not know.
func (x *decider) sayDates() {
	if x.steps == nil {
		return
	}
	for _, fact := range x.in.Policy.Special(x.now).Facts() {
		x.say(fact.Rule, fact.Text.Said)
	}
}

func (x *decider) memoryFact() say.Text {
	m := x.m
	list := []say.Text{say.Word(m.Last)}
	add := func(text say.Text) { list = append(list, text) }
	if m.Retain && m.Last == WasAny {
		add(say.F("retained for a person"))
	}
	if !m.DecidedAt.IsZero() {
		add(say.F("last decided at %s", instantForm(m.DecidedAt)))
	}
	if m.ResizeTo != "" {
		add(say.F("stopped to become %s", m.ResizeTo))
	}
	if m.Attempts > 0 {
		add(say.F("%d failed in a row (%s)", m.Attempts, m.LastError))
	}
	if s := m.Shortage; !s.IsZero() {
		if s.Refused != "" {
			add(say.F("no capacity since %s for %s", instantForm(s.Since), say.Names(s.Types())))
		} else {
			add(say.F("no capacity since %s", instantForm(s.Since)))
		}
		if !s.GaveUp.IsZero() {
			add(say.F("given up at %s", instantForm(s.GaveUp)))
		}
	}
	if m.Intent != nil {
		add(say.F("%s begun at %s is under way", say.Word(m.Intent.Verb), instantForm(intentTime(*m.Intent))))
	}
	return say.List(list...)
}

func (x *decider) seenFact() say.Text {
	r := &x.Resource
	state := say.Word(r.State)
	if r.Native != "" && r.Native != string(r.State) { // AWS has another word for it
		state = say.Raw(r.Native)
	}
	list := []say.Text{state, say.Raw(r.Type)}
	if x.autoRestart && x.Want.State == calendar.Stopped {
		list = append(list, say.F("restarted by the provider, due %s", instantForm(x.m.AutoRestartAt)))
	}
	if r.Bar != "" {
		list = append(list, say.F("barred: %s", r.Bar))
	}
	return say.List(list...)
}
