package notify

import (
	"cmp"
	"context"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
)

// Digest is when a channel gets what is no alarm, put together.
type Digest struct {
	Weekly bool         // once a week, on Day; else once a day
	Day    time.Weekday // not looked at when it is daily
	At     calendar.TimeOfDay
	Zone   *time.Location
	// Saved, when not nil, says what was saved from one instant until another; empty: nothing to tell of.
	Saved func(ctx context.Context, from, to time.Time) (say.Text, error)
}

// DigestKind is the kind of the message that a digest is. It is none of Kinds: nothing happens by it.
const DigestKind Kind = "digest"

// Next is the first instant after another at which a digest is due.
func (d *Digest) Next(after time.Time) time.Time {
	for date := calendar.DateAt(after, d.Zone); ; date++ {
		day := time.Weekday((date.Weekday() + 1) % 7)
		if due := date.At(d.At, d.Zone); due.After(after) && (!d.Weekly || day == d.Day) {
			return due
		}
	}
}

// Tallies are what a digest tells.
type Tallies struct {
	Weekly bool      `json:"weekly,omitempty"`
	From   time.Time `json:"from"` // when the first of it was told
	Rows   []Tally   `json:"rows"`
	Saved  say.Kept  `json:"saved,omitzero"` // what was saved in the day or week before it was sent
}

// Tally counts the events of a kind of a schedule or workload.
type Tally struct {
	Kind     Kind   `json:"kind"`
	Schedule string `json:"schedule,omitempty"`
	Workload string `json:"workload,omitempty"`
	Count    int    `json:"count"`
}

// maxTallies bounds the rows of a digest; beyond, those of a kind are counted together.
const maxTallies = 200

// maxTallyLines bounds the lines of a digest.
const maxTallyLines = 40

// add counts what a notice tells.
func (t *Tallies) add(n *Notice) {
	for i := range n.Parts {
		row := Tally{Kind: n.Parts[i].Kind, Schedule: n.Schedule, Workload: n.Workload}
		at, found := slices.BinarySearchFunc(t.Rows, row, compareTallies)
		if !found && len(t.Rows) >= maxTallies {
			row.Schedule, row.Workload = "", ""
			at, found = slices.BinarySearchFunc(t.Rows, row, compareTallies)
		}
		if !found {
			t.Rows = slices.Insert(t.Rows, at, row)
		}
		t.Rows[at].Count += n.Parts[i].Count
	}
}

// compareTallies puts the most urgent kind first.
func compareTallies(a, b Tally) int {
	return cmp.Or(compareKinds(a.Kind, b.Kind), cmp.Compare(a.Schedule, b.Schedule), cmp.Compare(a.Workload, b.Workload))
}

// collect adds a notice to the digest that grows. The caller holds mu.
func (o *Outbox) collect(n *Notice, now time.Time) {
	at := slices.IndexFunc(o.waiting, func(w *entry) bool { return w.State == LetterKept })
	if at < 0 {
		at = len(o.waiting)
		o.waiting = append(o.waiting, &entry{Letter: Letter{
			ID: NewLetterID(now), Channel: o.name, State: LetterKept, Since: now, Due: o.channel.Digest.Next(now),
			Notice: Notice{At: now, Parts: []Part{{Kind: DigestKind}}, Digest: &Tallies{Weekly: o.channel.Digest.Weekly, From: now}},
		}})
	}
	e := o.waiting[at]
	// What was handed to the store stays as it was.
	tallies := *e.Notice.Digest
	tallies.Rows = slices.Clone(tallies.Rows)
	tallies.add(n)
	e.Notice.Digest, e.Notice.Parts = &tallies, []Part{{Kind: DigestKind, Count: e.Notice.Count() + n.Count()}}
	o.write(e)
}

// savedTakes bounds how long a digest waits for what was saved: it can be long in coming while the fleet is not known yet.
const savedTakes = 10 * time.Second

// complete adds what is known only when a digest is sent.
func (d *Digest) complete(ctx context.Context, n *Notice, now time.Time) {
	if n.Digest == nil || d == nil || d.Saved == nil || !n.Digest.Saved.Empty() {
		return
	}
	days := 1
	if d.Weekly {
		days = 7
	}
	limited, cancel := context.WithTimeout(ctx, savedTakes)
	defer cancel()
	saved, err := d.Saved(limited, now.In(d.Zone).AddDate(0, 0, -days), now)
	if err != nil {
		return // a digest without it is better than none
	}
	tallies := *n.Digest
	tallies.Saved = saved.Kept()
	n.Digest = &tallies
}

// digest puts a digest into words.
func (w Words) digest(n *Notice) Message {
	m := Message{Kind: DigestKind, At: n.At, Count: n.Count(), Language: w.Language}
	if w.Language == say.English {
		m.Language = "" // as it is without
	}
	if n.Digest.Weekly {
		m.Title = w.say(say.N(m.Count, "Weekly digest: %d event", "Weekly digest: %d events"))
	} else {
		m.Title = w.say(say.N(m.Count, "Daily digest: %d event", "Daily digest: %d events"))
	}
	told := 0
	line := func(text string) { m.Lines, m.told = append(m.Lines, text), append(m.told, told) }
	if !n.Digest.Saved.Empty() {
		line(w.say(n.Digest.Saved.Text))
	}
	for i, row := range n.Digest.Rows {
		if i == maxTallyLines {
			left := m.Count - told
			told = m.Count
			line(m.more(left))
			break
		}
		told += row.Count
		line(w.say(about(&Notice{Schedule: row.Schedule, Workload: row.Workload}, title(row.Kind, row.Count))))
	}
	return m
}
