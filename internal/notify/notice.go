package notify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Notice is what one message tells, before it is put into words.
type Notice struct {
	Schedule string    `json:"schedule,omitempty"`
	Workload string    `json:"workload,omitempty"`
	At       time.Time `json:"at"`    // of the first event of its most urgent kind
	Parts    []Part    `json:"parts"` // at least one; the most urgent kind first
	// Digest, where it is one, is what it tells; Parts then count it.
	Digest *Tallies `json:"digest,omitempty"`
}

// Part is what a notice tells of one kind.
type Part struct {
	Kind  Kind   `json:"kind"`
	Count int    `json:"count"`
	Told  []Line `json:"told"` // the first maxLines
}

// Line is one event of a part.
type Line struct {
	Name string    `json:"name,omitempty"`
	Ref  fleet.Ref `json:"ref,omitzero"`
	Text say.Kept  `json:"text,omitzero"`
	At   time.Time `json:"at"`
}

const (
	// maxLines bounds a message: longer lists are not read, and chats cut them.
	maxLines = 20
	// maxKept bounds a text and a name, in bytes of English: a line shows less. An error can quote a whole page, and a letter
	// that the store does not take would hold back all that are to be written with it.
	maxKept = 4 << 10
)

// Kind is the most urgent one.
func (n *Notice) Kind() Kind { return n.Parts[0].Kind }

// Count is how many events it tells of.
func (n *Notice) Count() int {
	count := 0
	for i := range n.Parts {
		count += n.Parts[i].Count
	}
	return count
}

// Grouping is how events become notices.
type Grouping int

// The groupings.
const (
	BySubject Grouping = iota // one notice for each schedule or workload, and for each kind of what concerns none: for people
	ByKind                    // one for each kind of each schedule or workload: for programs
)

// subject is what one notice is about.
type subject struct {
	kind               Kind
	schedule, workload string
}

// Group makes notices of the events, the most urgent first.
func Group(events []Event, by Grouping) []Notice {
	places := map[subject]int{}
	var notices []Notice
	for i := range events {
		event := &events[i]
		about := subject{schedule: event.Schedule, workload: event.Workload}
		if by == ByKind || about == (subject{}) {
			about.kind = event.Kind
		}
		at, known := places[about]
		if !known {
			at = len(notices)
			places[about] = at
			notices = append(notices, Notice{Schedule: event.Schedule, Workload: event.Workload})
		}
		notices[at].add(event)
	}
	for i := range notices {
		notices[i].arrange()
	}
	slices.SortStableFunc(notices, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(urgency[a.Kind()], urgency[b.Kind()]), cmp.Compare(a.Schedule, b.Schedule), cmp.Compare(a.Workload, b.Workload))
	})
	return notices
}

func (n *Notice) add(event *Event) {
	part := n.part(event.Kind)
	part.Count++
	if len(part.Told) < maxLines {
		text := event.Text
		if english := text.String(); len(english) > maxKept {
			text = say.Raw(bounded(english))
		}
		part.Told = append(part.Told, Line{Name: bounded(event.Name), Ref: event.Ref, Text: text.Kept(), At: event.At})
	}
}

func bounded(text string) string {
	if len(text) <= maxKept {
		return text
	}
	return strings.ToValidUTF8(text[:maxKept], "")
}

// part is that of the kind, which is made where there is none.
func (n *Notice) part(kind Kind) *Part {
	at := slices.IndexFunc(n.Parts, func(p Part) bool { return p.Kind == kind })
	if at < 0 {
		at = len(n.Parts)
		n.Parts = append(n.Parts, Part{Kind: kind})
	}
	return &n.Parts[at]
}

// arrange puts the most urgent part first.
func (n *Notice) arrange() {
	slices.SortStableFunc(n.Parts, func(a, b Part) int { return compareKinds(a.Kind, b.Kind) })
	for i := range n.Parts {
		if len(n.Parts[i].Told) > 0 {
			n.At = n.Parts[i].Told[0].At
			return
		}
	}
}

// merge puts two notices together, the earlier first: as one of the same events would be, but that what only one of them is
// about is left out.
func merge(a, b *Notice) Notice {
	var m Notice
	if a.Schedule == b.Schedule {
		m.Schedule = a.Schedule
	}
	if a.Workload == b.Workload {
		m.Workload = a.Workload
	}
	for _, part := range slices.Concat(a.Parts, b.Parts) {
		into := m.part(part.Kind)
		into.Count += part.Count
		into.Told = slices.Concat(into.Told, part.Told)
		into.Told = into.Told[:min(len(into.Told), maxLines)]
	}
	m.arrange()
	return m
}
