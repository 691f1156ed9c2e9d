// Package notify groups what a pass found worth saying into messages and hands
// each to every channel.
//
// There is one message per kind of event, schedule or workload, and pass, never
// one per resource: a fleet that starts in the morning is one line in the room.
//
// A channel over the network stands behind an Outbox, which takes a message at
// once and delivers it in the background: a channel that is slow or down holds
// back neither the pass nor another channel. It tries again for an hour, puts
// messages together when many wait, and loses none without a line in the log
// and a count. What waits is kept in memory: the end of the process is the end
// of it, and what happened is in the activity record either way.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"dayshift/internal/fleet"
)

// Kind is the kind of an event.
type Kind string

// The kinds of events that people are told.
const (
	Starting    Kind = "starting"     // starts were accepted
	Stopping    Kind = "stopping"     // stops were accepted
	Failed      Kind = "failed"       // an action failed
	StopWarning Kind = "stop-warning" // a scheduled stop comes soon
	NewResource Kind = "new-resource" // a new resource will be stopped after the grace
	Held        Kind = "held"         // stops were held back by a limit
	Changing    Kind = "changing"     // reboots and changes of types were accepted
	// OverrideEnded: a person's decision came to its end; RuleMissed: a rule could not fire.
	OverrideEnded Kind = "override-ended"
	RuleMissed    Kind = "rule-missed"
	ConfigWaits   Kind = "config-waits" // a changed configuration waits for somebody to confirm it
	// Shortage: a start found no capacity; ShortageOver: one that had found none has come up.
	Shortage     Kind = "shortage"
	ShortageOver Kind = "shortage-over"
	Gap          Kind = "gap"        // a scope can no longer be seen
	GapClosed    Kind = "gap-closed" // it can be seen again
	// Capacity that is held: all that is wanted is; less is; nothing uses it; all is given back; something went wrong.
	ReservationReached  Kind = "reservation-reached"
	ReservationShort    Kind = "reservation-short"
	ReservationIdle     Kind = "reservation-idle"
	ReservationReleased Kind = "reservation-released"
	ReservationFailed   Kind = "reservation-failed"
	// A run of a workload failed or was cancelled; it left something as it was, or warns; it began or ended.
	WorkloadFailed Kind = "workload-failed"
	WorkloadKept   Kind = "workload-kept"
	WorkloadRun    Kind = "workload-run"
)

// Kinds are all kinds, the most urgent first.
var Kinds = slices.SortedFunc(maps.Keys(urgency), func(a, b Kind) int {
	return cmp.Or(cmp.Compare(urgency[a], urgency[b]), cmp.Compare(a, b))
})

// Event is one thing that happened to one resource or scope.
type Event struct {
	Kind     Kind
	Schedule string    // empty for what concerns no schedule
	Workload string    // empty for what concerns no workload
	Ref      fleet.Ref // zero for what concerns no single resource
	Name     string    // what people call it
	Text     string    // why or when, a sentence without the name
	At       time.Time // when it happens or happened
}

// Message is what a channel sends.
type Message struct {
	// ID is the same however often the message is sent; an Outbox gives it.
	ID       string    `json:"id,omitempty"`
	Kind     Kind      `json:"kind"`
	Schedule string    `json:"schedule,omitempty"`
	Workload string    `json:"workload,omitempty"`
	At       time.Time `json:"at"` // of its first event
	Count    int       `json:"count"`
	Title    string    `json:"title"` // one line: what, how many, which schedule
	Lines    []string  `json:"lines"` // at most maxLines, then "and N more"
}

// maxLines bounds a message: longer lists are not read, and chats cut them.
const maxLines = 20

// maxLine bounds one line, in characters: an error can quote a whole page.
const maxLine = 400

// subject is what one message is about.
type subject struct {
	kind               Kind
	schedule, workload string
}

// Group makes messages of the events, most urgent kind first.
func Group(events []Event) []Message {
	groups := map[subject][]Event{}
	var order []subject
	for _, event := range events {
		k := subject{event.Kind, event.Schedule, event.Workload}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], event)
	}
	slices.SortStableFunc(order, func(a, b subject) int {
		return cmp.Or(cmp.Compare(urgency[a.kind], urgency[b.kind]), cmp.Compare(a.schedule, b.schedule), cmp.Compare(a.workload, b.workload))
	})
	messages := make([]Message, 0, len(order))
	for _, k := range order {
		messages = append(messages, message(k, groups[k]))
	}
	return messages
}

var urgency = map[Kind]int{Held: 0, ConfigWaits: 0, Failed: 1, Shortage: 1, ReservationFailed: 1, WorkloadFailed: 1, WorkloadKept: 3, WorkloadRun: 6, ReservationShort: 1, Gap: 2, ReservationIdle: 3, ReservationReached: 5, ReservationReleased: 5, StopWarning: 3, NewResource: 4, GapClosed: 5, OverrideEnded: 5, RuleMissed: 2, ShortageOver: 5, Stopping: 6, Changing: 6, Starting: 7}

func message(about subject, events []Event) Message {
	m := Message{Kind: about.kind, Schedule: about.schedule, Workload: about.workload, At: events[0].At, Count: len(events), Title: title(about, len(events))}
	for i, event := range events {
		if i == maxLines {
			m.Lines = append(m.Lines, more(len(events)-maxLines))
			break
		}
		m.Lines = append(m.Lines, clip(line(event)))
	}
	return m
}

func more(n int) string { return fmt.Sprintf("and %d more", n) }

// merge puts two messages of one kind together, the earlier first: as one of the same events would be, but that what only
// one of them is about is left out. It has no ID.
func merge(a, b Message) Message {
	about := subject{kind: a.Kind}
	if a.Schedule == b.Schedule {
		about.schedule = a.Schedule
	}
	if a.Workload == b.Workload {
		about.workload = a.Workload
	}
	m := Message{Kind: a.Kind, Schedule: about.schedule, Workload: about.workload, At: a.At, Count: a.Count + b.Count}
	m.Title = title(about, m.Count)
	m.Lines = slices.Concat(a.told(), b.told())
	m.Lines = m.Lines[:min(len(m.Lines), maxLines)]
	if m.Count > len(m.Lines) {
		m.Lines = append(m.Lines, more(m.Count-len(m.Lines)))
	}
	return m
}

// told are the lines of a message that tell of events.
func (m Message) told() []string {
	if last := len(m.Lines) - 1; last >= 0 && m.Lines[last] == more(m.Count-last) {
		return m.Lines[:last]
	}
	return m.Lines
}

func title(about subject, n int) string {
	resources := fmt.Sprintf("%d resources", n)
	scopes := fmt.Sprintf("%d scopes", n)
	reservations := fmt.Sprintf("%d reservations", n)
	if n == 1 {
		resources, scopes, reservations = "1 resource", "1 scope", "1 reservation"
	}
	text := map[Kind]string{
		Starting:    "Starting " + resources,
		Stopping:    "Stopping " + resources,
		Failed:      "Could not act on " + resources,
		StopWarning: resources + " will be stopped soon",
		NewResource: resources + " seen for the first time will be stopped",
		Held:        "Held back: a limit keeps " + resources + " from being stopped",
		Gap:         "Cannot see " + scopes,
		GapClosed:   "Can see again " + scopes,
		Changing:    "Rebooting or changing the type of " + resources,

		Shortage:     "No capacity for " + resources,
		ShortageOver: "Started after a shortage of capacity: " + resources,

		ReservationReached:  "All capacity that is wanted is held: " + reservations,
		ReservationShort:    "Less capacity is held than wanted: " + reservations,
		ReservationIdle:     "Capacity is held and not used: " + reservations,
		ReservationReleased: "All capacity was given back: " + reservations,
		ReservationFailed:   "Something is wrong with reserved capacity: " + reservations,

		WorkloadFailed: "A workload needs somebody",
		WorkloadKept:   "Not everything of a workload went as it was to go",
		WorkloadRun:    "A run of a workload",

		OverrideEnded: fmt.Sprintf("%d overrides ended", n),
		ConfigWaits:   "A changed configuration waits until somebody confirms it",
		RuleMissed:    fmt.Sprintf("Rules missed their time in %s", scopes),
	}[about.kind]
	if n == 1 && about.kind == OverrideEnded {
		text = "An override ended"
	}
	if about.schedule != "" {
		text += " (schedule " + about.schedule + ")"
	}
	if about.workload != "" {
		text += " (workload " + about.workload + ")"
	}
	return clip(text)
}

func line(event Event) string {
	var parts []string
	if event.Name != "" && event.Name != event.Ref.ID {
		parts = append(parts, event.Name)
	}
	if event.Ref.ID != "" {
		parts = append(parts, event.Ref.ID+" in "+event.Ref.Scope.String())
	}
	if event.Text == "" {
		return strings.Join(parts, " ")
	}
	if len(parts) == 0 {
		return event.Text
	}
	return strings.Join(parts, " ") + ": " + event.Text
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

// Sender is a channel.
type Sender interface {
	// Name names the channel in errors.
	Name() string
	// Send delivers one message or says why not; it returns when ctx ends.
	Send(ctx context.Context, message Message) error
}

// sendTimeout bounds what one channel may take for all messages of a pass, where it takes them itself: an Outbox takes none.
const sendTimeout = 20 * time.Second

// Send hands every message to every channel, channels side by side. A message
// that a channel refuses costs that channel no other one, as long as its time
// lasts. The error joins what each failing channel said first; it never means
// that another channel was not served.
func Send(ctx context.Context, senders []Sender, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	var group sync.WaitGroup
	failures := make([]error, len(senders))
	for i, sender := range senders {
		group.Go(func() {
			limited, cancel := context.WithTimeout(ctx, sendTimeout)
			defer cancel()
			for _, m := range messages {
				if err := sender.Send(limited, m); err != nil && failures[i] == nil {
					failures[i] = fmt.Errorf("channel %s: %w", sender.Name(), err)
				}
				if limited.Err() != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}
