package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dayshift/internal/say"
	"dayshift/internal/typo"
)

// Fault is one thing wrong with a configuration, or one thing to be warned of,
// with everything a person needs to put it right.
type Fault struct {
	File string `json:"file"`
	// Line and Column count from 1, columns in characters; both are 0 for what concerns the file as a whole.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Path names the field: schedules.office.periods[1].
	Path string `json:"path,omitempty"`
	// Text is what was written; empty where that is a secret or nothing.
	Text string `json:"text,omitempty"`
	// Problem says what is wrong, as the end of the sentence "TEXT …".
	Problem say.Text `json:"problem"`
	// Allowed says what the field takes.
	Allowed say.Text `json:"allowed,omitzero"`
	// Fix says what to do.
	Fix say.Text `json:"fix,omitzero"`

	source string // the line it is on, secrets hidden; empty when there is none to show
	width  int    // characters to underline
	of     origin
}

// origin says what a fault is of, and so what comes of it.
type origin uint8

const (
	ofFile   origin = iota
	ofObject        // of the store, which has no lines; Fault.File then names the object
	ofSpec          // of an object that somebody is about to save
)

func (o origin) outcome() string {
	return [...]string{ofFile: "nothing of the file was taken", ofObject: "the object is set aside", ofSpec: "nothing was changed"}[o]
}

// longest texts that a fault repeats, in bytes: a megabyte in one value must not become a megabyte on the screen.
const (
	shownText = 120
	shownLine = 160
)

// Summary is the fault in one line without its place.
func (f Fault) Summary() string { return f.Said().String() }

// Said implements say.Sayer with that line.
func (f Fault) Said() say.Text {
	text := f.Problem
	if f.Text != "" {
		text = say.F("%q %s", shorten(f.Text), text)
	}
	if f.Path != "" {
		text = say.F("%s: %s", f.Path, text)
	}
	return text
}

// Remedy says what the field takes and what to do; nothing where neither is known.
func (f Fault) Remedy() say.Text {
	if f.Allowed.Empty() {
		return f.Fix
	}
	return say.Clauses(say.F("allowed: %s", f.Allowed), f.Fix)
}

// Place is FILE:LINE:COLUMN, or FILE alone for what concerns the file as a whole.
func (f Fault) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// Error writes the fault as compilers do: place and problem, the line with a
// mark below it, what is allowed and what to do.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Place() + ": " + f.Summary() + "\n")
	if f.source != "" {
		number := strconv.Itoa(f.Line)
		before, after := f.around()
		fmt.Fprintf(&b, "  %s | %s%s\n", number, before, after)
		marked := []rune(after)
		marked = marked[:min(max(1, f.width), len(marked))]
		mark := strings.Repeat("^", max(1, len(pad(string(marked)))))
		fmt.Fprintf(&b, "  %s | %s%s\n", strings.Repeat(" ", len(number)), pad(before), mark)
	}
	if !f.Allowed.Empty() {
		b.WriteString("  allowed: " + f.Allowed.String() + "\n")
	}
	if !f.Fix.Empty() {
		b.WriteString("  fix: " + f.Fix.String() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// around gives the source line before and from the fault's column, cut to what a screen shows.
func (f Fault) around() (before, after string) {
	runes := []rune(f.source)
	at := min(max(f.Column-1, 0), len(runes))
	from, to := max(0, at-shownLine/2), min(len(runes), at+shownLine/2)
	before, after = string(runes[from:at]), string(runes[at:to])
	if from > 0 {
		before = "…" + before
	}
	if to < len(runes) {
		after += "…"
	}
	return before, after
}

// pad is a text of blanks as wide as the given one. Characters of East Asian
// scripts are two columns wide on a terminal.
func pad(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t':
			b.WriteRune('\t')
		case wide(r):
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func wide(r rune) bool {
	return 0x1100 <= r && r <= 0x115f || 0x2e80 <= r && r <= 0xa4cf || 0xac00 <= r && r <= 0xd7a3 ||
		0xf900 <= r && r <= 0xfaff || 0xfe30 <= r && r <= 0xfe6f || 0xff00 <= r && r <= 0xff60 ||
		0xffe0 <= r && r <= 0xffe6 || 0x1f300 <= r && r <= 0x1faff
}

func shorten(text string) string {
	if len(text) <= shownText {
		return text
	}
	return strings.ToValidUTF8(text[:shownText], "") + "…"
}

// Faults is every fault of a configuration, in the order of the file. As an
// error it means: nothing of the file is in force. The faults of an object of
// the store concern that object alone.
type Faults []Fault

// Error writes every fault, one below the other, and how many there are.
func (f Faults) Error() string {
	var b strings.Builder
	for _, fault := range f {
		b.WriteString(fault.Error() + "\n")
	}
	var of origin
	if len(f) > 0 {
		of = f[0].of
	}
	if len(f) == 1 {
		b.WriteString("1 fault; " + of.outcome())
	} else {
		fmt.Fprintf(&b, "%d faults; %s", len(f), of.outcome())
	}
	return b.String()
}

// JSON gives the faults as a JSON array, never null.
func (f Faults) JSON() ([]byte, error) {
	if f == nil {
		f = Faults{}
	}
	data, err := json.Marshal([]Fault(f))
	if err != nil {
		return nil, fmt.Errorf("write faults as JSON: %w", err)
	}
	return data, nil
}

func (f Faults) sort() {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// nearest gives the known word that a mistyped one was probably meant to be, or "".
func nearest(text string, known []string) string {
	word, _ := typo.Nearest(text, known)
	return word
}

func didYouMean(text string, known []string) say.Text {
	if word := nearest(text, known); word != "" {
		return say.F("did you mean %s?", word)
	}
	return say.Text{}
}
