package notify

import (
	"strings"
	"time"
	"unicode"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/wording"
)

// Message is what a channel sends.
type Message struct {
	// ID is the same however often the message is sent; an Outbox gives it.
	ID       string    `json:"id,omitempty"`
	Kind     Kind      `json:"kind"` // the most urgent of what it tells
	Schedule string    `json:"schedule,omitempty"`
	Workload string    `json:"workload,omitempty"`
	At       time.Time `json:"at"` // of the first event of its kind
	Count    int       `json:"count"`
	Title    string    `json:"title"` // one line: what, how many, which schedule
	Lines    []string  `json:"lines"` // at most maxLines that tell of events, "and N more", and what the lines of other kinds are about
	// Choices are what its reader may decide about it.
	Choices []Choice `json:"choices,omitempty"`
	// Language is the one that title and lines are in; empty: English.
	Language say.Language `json:"language,omitempty"`

	told []int // how many events are told of up to each line
}

// Words put notices into words. The zero Words are English.
type Words struct {
	Language say.Language
	// Page is the address at which people open the page, without a slash at its end; empty: messages have no links.
	Page string
	// Zone is the clock of times that are shown alone; nil: that of what they are about.
	Zone *time.Location
	// Starts is when the schedule of that name, or that of the workload, starts again what it stops at an instant; nil, or no
	// instant: that is not known.
	Starts func(schedule, workload string, stop time.Time) time.Time
	// Accounts are the names that people gave accounts, shown beside their IDs.
	Accounts map[fleet.AccountID]string
	// Titles and Lines are a team's own words for messages of a kind, in the place of ours.
	Titles, Lines map[Kind]wording.Template
}

// maxLine bounds one line, in characters: an error can quote a whole page.
const maxLine = 400

// Message puts a notice into words.
func (w Words) Message(n *Notice) Message {
	if n.Digest != nil {
		return w.digest(n)
	}
	m := Message{
		Kind: n.Kind(), Schedule: n.Schedule, Workload: n.Workload, At: n.At, Count: n.Count(), Language: w.Language,
		Title: w.title(n), Choices: w.choices(n),
	}
	if w.Language == say.English {
		m.Language = "" // as it is without
	}
	told, used := 0, 0
	line := func(text string) { m.Lines, m.told = append(m.Lines, text), append(m.told, told) }
	for i := range n.Parts {
		part := &n.Parts[i]
		shown := part.Told[:min(len(part.Told), maxLines-used)]
		left := part.Count - len(shown)
		if i > 0 && len(shown) == 0 {
			told += left // what follows says how many
		}
		if i > 0 {
			line(w.say(title(part.Kind, part.Count)))
		}
		for at := range shown {
			told++
			line(w.line(n, part.Kind, &shown[at]))
		}
		if left > 0 && (i == 0 || len(shown) > 0) {
			told += left
			line(m.more(left))
		}
		used += len(shown)
	}
	return m
}

// more says how many events are not told one by one.
func (m *Message) more(n int) string { return say.F("and %d more", n).In(m.in()) }

func (m *Message) in() say.Language {
	if m.Language == "" {
		return say.English
	}
	return m.Language
}

func (w Words) say(text say.Text) string {
	if w.Language == "" {
		return clip(text.String())
	}
	return clip(text.In(w.Language))
}

// about adds what a notice is about to its title.
func about(n *Notice, text say.Text) say.Text {
	if n.Schedule != "" {
		text = say.F("%s (schedule %s)", text, n.Schedule)
	}
	if n.Workload != "" {
		text = say.F("%s (workload %s)", text, n.Workload)
	}
	return text
}

// title says how many of a kind there are.
func title(kind Kind, n int) say.Text {
	switch kind {
	case Starting:
		return say.N(n, "Starting %d resource", "Starting %d resources")
	case Stopping:
		return say.N(n, "Stopping %d resource", "Stopping %d resources")
	case Ready:
		return say.N(n, "%d resource is ready", "%d resources are ready")
	case Stopped:
		return say.N(n, "%d resource has stopped", "%d resources have stopped")
	case Failed:
		return say.N(n, "Could not act on %d resource", "Could not act on %d resources")
	case StopWarning:
		return say.N(n, "%d resource will be stopped soon", "%d resources will be stopped soon")
	case NewResource:
		return say.N(n, "%d resource seen for the first time will be stopped", "%d resources seen for the first time will be stopped")
	case Held:
		return say.N(n, "Held back: a limit keeps %d resource from being stopped", "Held back: a limit keeps %d resources from being stopped")
	case Gap:
		return say.N(n, "Cannot see %d scope", "Cannot see %d scopes")
	case GapClosed:
		return say.N(n, "Can see again %d scope", "Can see again %d scopes")
	case Changing:
		return say.N(n, "Rebooting or changing the type of %d resource", "Rebooting or changing the type of %d resources")
	case Shortage:
		return say.N(n, "No capacity for %d resource", "No capacity for %d resources")
	case ShortageOver:
		return say.N(n, "Started after a shortage of capacity: %d resource", "Started after a shortage of capacity: %d resources")
	case ReservationReached:
		return say.N(n, "All capacity that is wanted is held: %d reservation", "All capacity that is wanted is held: %d reservations")
	case ReservationShort:
		return say.N(n, "Less capacity is held than wanted: %d reservation", "Less capacity is held than wanted: %d reservations")
	case ReservationIdle:
		return say.N(n, "Capacity is held and not used: %d reservation", "Capacity is held and not used: %d reservations")
	case ReservationReleased:
		return say.N(n, "All capacity was given back: %d reservation", "All capacity was given back: %d reservations")
	case ReservationFailed:
		return say.N(n, "Something is wrong with reserved capacity: %d reservation", "Something is wrong with reserved capacity: %d reservations")
	case WorkloadFailed:
		return say.F("A workload needs somebody")
	case Veto:
		return say.N(n, "A veto against stopping %d member", "Vetoes against stopping %d members")
	case WorkloadKept:
		return say.F("Not everything of a workload went as it was to go")
	case WorkloadRun:
		return say.F("A run of a workload")
	case OverrideEndsSoon:
		return say.N(n, "%d override ends soon", "%d overrides end soon")
	case OverrideBegan:
		return say.N(n, "%d override counts now", "%d overrides count now")
	case OverrideEnded:
		return say.N(n, "%d override ended", "%d overrides ended")
	case ConfigWaits:
		return say.F("A changed configuration waits until somebody confirms it")
	case ConfigChanged:
		return say.N(n, "The configuration was changed: %d value", "The configuration was changed: %d values")
	case ConfigRefused:
		return say.F("A changed configuration is refused, the running one stays")
	case Silent:
		return say.F("Dayshift itself is silent")
	case SilentOver:
		return say.F("Dayshift is heard of again")
	case RuleMissed:
		return say.N(n, "Rules missed their time in %d scope", "Rules missed their time in %d scopes")
	}
	return say.Raw(string(kind))
}

// said is a line: whom it is about, and what.
func (w Words) said(l *Line) say.Text {
	account, place := w.Accounts[l.Ref.Scope.Account], l.Ref.Scope.String()
	if account != "" {
		place = account + " (" + place + ")"
	}
	var who say.Text
	switch named := l.Name != "" && l.Name != l.Ref.ID; {
	case l.Ref.ID != "" && named:
		who = say.F("%s %s in %s", l.Name, l.Ref.ID, place)
	case l.Ref.ID != "":
		who = say.F("%s in %s", l.Ref.ID, place)
	case named:
		who = say.Raw(l.Name)
	case account != "": // of a whole account and region, which the text names
		who = say.Raw(account)
	}
	switch {
	case l.Text.Empty():
		return who
	case who.Empty():
		return l.Text.Text
	}
	return say.F("%s: %s", who, l.Text.Text)
}

// clip keeps a line to one line and to its bound, and leaves out what could make it look like another: control characters,
// which a terminal obeys, and those that turn the direction of writing.
func clip(text string) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))), " ")
	if characters := []rune(text); len(characters) > maxLine {
		return string(characters[:maxLine-1]) + "…"
	}
	return text
}
