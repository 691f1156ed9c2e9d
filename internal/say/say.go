// Package say holds what Dayshift tells people until it is known in which
// language they read.
//
// A Text is an English format and its arguments, as gettext has them: String
// gives the English, In another language, by the catalog of that language
// (zh-CN.json, ko.json: English format → format there). English is the source:
// it stands in the code, where the sentence is made, and is what the command
// line, the record and the log have. What is translated is chosen at the edge,
// by package httpapi.
//
// How to have a sentence translated:
//
//   - Make it with F and a literal format, or with N where a number of things
//     decides between two formats. The test of this package finds every such
//     literal in the tree, also of functions that hand theirs on (a parameter
//     "format string, args ...any" that ends in F), and fails until both
//     catalogs have it, with the same verbs; and for what they have and nobody
//     says.
//   - Write whole sentences, and parts only where they are a phrase in any
//     language. Parts are arguments (%s) of a whole, or are put together by
//     Sentences, Clauses and List, because what stands between differs too.
//   - An argument that is a Text, or that has a method Said, is said in the same
//     language. Everything else is the same in every language: names, IDs,
//     instants, numbers, what AWS or a person wrote. A word of ours, such as a
//     state or a verb, goes through Word.
//   - An error that people read is made by Err, as fmt.Errorf makes others. What
//     says what an error does not know (a path, what was attempted) is Err too.
//   - In a catalog an argument can stand at another place: %[2]s. Word a Korean
//     sentence so that no particle depends on an argument (은/는, 이/가, 을/를).
//   - A field of an answer that is a Text is a string on the wire.
//
// A Text is one string inside: it can be compared, be a key, and costs what its
// English costs. Equal texts may read alike and still differ (==) in how they
// were made; Equal compares what they say.
package say

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
)

// Text is something said to people. The zero Text says nothing.
type Text struct {
	// code is how it was made: a format without arguments as it is, everything
	// else a mark and what belongs to it.
	code string
}

// The marks. No format begins with one.
const (
	markRaw    = '\x01' // what is the same in every language
	markFormat = '\x02' // a format, then its arguments
	markJoin   = '\x03' // what stands between, then the parts
	markWord   = '\x04' // a word of ours
	markBare   = '\x05' // a text without the full stop at its end
	markBegin  = '\x06' // a text that begins a sentence
	markPlain  = '\x07' // a text with parts that a stranger may have written
)

// Sayer is an argument that is a text of its own, such as an error that people read.
type Sayer interface{ Said() Text }

// F says a format of package fmt with its arguments. The format is a literal
// with verbs in the order of the arguments. A Text, or what has one, is put in
// as it is, whatever its verb.
func F(format string, args ...any) Text {
	if len(args) == 0 && !strings.Contains(format, "%") {
		return Text{format}
	}
	code := make([]byte, 0, len(format)+32*len(args))
	code = appendPart(append(code, markFormat), format)
	for n, verb := range verbs(format) {
		code = appendPart(code, argument(verb.text, n, args))
	}
	return Text{string(code)}
}

// argument is the code of what takes the place of a verb.
func argument(verb string, n int, args []any) string {
	if n >= len(args) {
		return string(markRaw) + "%!" + verb[1:] + "(MISSING)" // as package fmt says it
	}
	switch arg := args[n].(type) {
	case Text:
		return arg.code
	case Sayer:
		return arg.Said().code
	case error:
		return Of(arg).code
	default:
		return string(markRaw) + fmt.Sprintf(verb, arg)
	}
}

// N is F with one format for a single thing and one for any other number of
// them; the number is the first argument of both.
func N(n int, one, many string, args ...any) Text {
	format := many
	if n == 1 {
		format = one
	}
	return F(format, append([]any{n}, args...)...)
}

// Raw says what is the same in every language: a name, or the words of AWS or of a person.
func Raw(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{string(markRaw) + text}
}

// Word says a word of ours by its English: a state, a verb, a kind. The catalogs
// have those among their formats; what they do not have stays as it is.
func Word[W ~string](word W) Text {
	if word == "" {
		return Text{}
	}
	return Text{string(markWord) + string(word)}
}

// What stands between the parts of what is put together; the catalogs have them too.
const (
	betweenSentences = " "
	betweenClauses   = "; "
	betweenItems     = ", "
	betweenLines     = "\n" // the same in every language
)

// Sentences says one sentence after the other. Those that say nothing are left out.
func Sentences(list ...Text) Text { return join(betweenSentences, list) }

// Clauses says parts of one sentence, with semicolons between.
func Clauses(list ...Text) Text { return join(betweenClauses, list) }

// List says items, with commas between.
func List(list ...Text) Text { return join(betweenItems, list) }

// Lines says one line after the other.
func Lines(list ...Text) Text { return join(betweenLines, list) }

// Names is List of what is the same in every language.
func Names[S ~string](names []S) Text {
	list := make([]Text, len(names))
	for i, name := range names {
		list[i] = Raw(string(name))
	}
	return List(list...)
}

func join(between string, list []Text) Text {
	var only Text
	n := 0
	for _, text := range list {
		if text.code != "" {
			only, n = text, n+1
		}
	}
	if n < 2 {
		return only
	}
	code := appendPart([]byte{markJoin}, between)
	for _, text := range list {
		if text.code != "" {
			code = appendPart(code, text.code)
		}
	}
	return Text{string(code)}
}

// Bare is the text without the full stop at its end, to go on in a sentence.
func (t Text) Bare() Text {
	if t.code == "" {
		return t
	}
	return Text{string(markBare) + t.code}
}

// Begin is the text with a capital letter at its begin, where English has one there.
func (t Text) Begin() Text {
	if t.code == "" {
		return t
	}
	return Text{string(markBegin) + t.code}
}

// Plain is the text with every part as Plain leaves it.
func (t Text) Plain() Text {
	if t.code == "" {
		return t
	}
	return Text{string(markPlain) + t.code}
}

// Plain removes what could move a terminal's cursor, change its colours, begin a
// line or reverse the reading order: every name and reason may come from a stranger.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, text)
}

// Empty reports whether nothing is said.
func (t Text) Empty() bool { return t.code == "" }

// Or is the text, or another where it says nothing.
func (t Text) Or(other Text) Text {
	if t.code == "" {
		return other
	}
	return t
}

// Shared is the same text with its inside handed through intern, which keeps one of many equal strings.
func (t Text) Shared(intern func(string) string) Text { return Text{intern(t.code)} }

// Said implements Sayer.
func (t Text) Said() Text { return t }

// Equal reports whether two texts read alike in English.
func (t Text) Equal(other Text) bool { return t.code == other.code || t.String() == other.String() }

// String is the text in English.
func (t Text) String() string { return t.In(English) }

// In is the text in a language. What its catalog does not have is in English.
func (t Text) In(l Language) string {
	if t.code == "" {
		return ""
	}
	if t.code[0] > markPlain {
		return l.format(t.code)
	}
	if t.code[0] == markRaw {
		return t.code[1:]
	}
	var b strings.Builder
	b.Grow(len(t.code))
	write(&b, l, t.code)
	return b.String()
}

// write adds what a code says in a language.
func write(b *strings.Builder, l Language, code string) {
	if code == "" {
		return
	}
	rest := code[1:]
	switch code[0] {
	case markRaw:
		b.WriteString(rest)
	case markWord:
		b.WriteString(l.format(rest))
	case markBare:
		b.WriteString(strings.TrimRight(Text{rest}.In(l), ".。"))
	case markPlain:
		b.WriteString(Plain(Text{rest}.In(l)))
	case markBegin:
		text := Text{rest}.In(l)
		if l == English && text != "" && text[0] >= 'a' && text[0] <= 'z' {
			b.WriteString(strings.ToUpper(text[:1]))
			text = text[1:]
		}
		b.WriteString(text)
	case markJoin:
		between, parts := cutPart(rest)
		between = l.format(between)
		for first := true; parts != ""; first = false {
			var part string
			part, parts = cutPart(parts)
			if !first {
				b.WriteString(between)
			}
			write(b, l, part)
		}
	case markFormat:
		format, parts := cutPart(rest)
		writeFormat(b, l, format, parts)
	default:
		b.WriteString(l.format(code))
	}
}

// writeFormat puts the arguments to their places in a format.
func writeFormat(b *strings.Builder, l Language, english, parts string) {
	var few [8]string // most have fewer
	args := few[:0]
	for parts != "" {
		var part string
		part, parts = cutPart(parts)
		args = append(args, part)
	}
	format := l.format(english)
	from := 0
	for n, verb := range verbs(format) {
		writeLiteral(b, format[from:verb.from])
		from = verb.to
		if verb.index > 0 {
			n = verb.index - 1
		}
		if n < len(args) {
			write(b, l, args[n])
		}
	}
	writeLiteral(b, format[from:])
}

func writeLiteral(b *strings.Builder, text string) {
	for {
		before, after, found := strings.Cut(text, "%%")
		b.WriteString(before)
		if !found {
			return
		}
		b.WriteByte('%')
		text = after
	}
}

// verb is one verb of a format.
type verb struct {
	from, to int    // its place
	index    int    // of the argument it names, from 1; 0: the next one
	text     string // without the index, as package fmt takes it
}

// verbs gives the verbs of a format with their numbers; %% is none.
func verbs(format string) func(yield func(int, verb) bool) {
	return func(yield func(int, verb) bool) {
		n := 0
		for i := 0; i < len(format); i++ {
			if format[i] != '%' {
				continue
			}
			if i+1 < len(format) && format[i+1] == '%' {
				i++
				continue
			}
			v := verb{from: i, to: i + 1}
			text := "%"
			if v.to < len(format) && format[v.to] == '[' {
				end := v.to + strings.IndexByte(format[v.to:], ']')
				if end > v.to {
					for _, digit := range format[v.to+1 : end] {
						v.index = 10*v.index + int(digit-'0')
					}
					v.to = end + 1
				}
			}
			begin := v.to
			for v.to < len(format) && strings.IndexByte("+-# 0123456789.", format[v.to]) >= 0 {
				v.to++
			}
			v.to = min(v.to+1, len(format))
			v.text = text + format[begin:v.to]
			if v.index == 0 { // as it stands in the format
				v.text = format[v.from:v.to]
			}
			if !yield(n, v) {
				return
			}
			n++
			i = v.to - 1
		}
	}
}

// appendPart adds a part with its length before it.
func appendPart(code []byte, part string) []byte {
	return append(binary.AppendUvarint(code, uint64(len(part))), part...)
}

// cutPart takes the first part off.
func cutPart(code string) (part, rest string) {
	var head [binary.MaxVarintLen64]byte
	n := copy(head[:], code)
	length, size := binary.Uvarint(head[:n])
	return code[size : size+int(length)], code[size+int(length):]
}

// MarshalText implements encoding.TextMarshaler: on the wire and in the record a
// text is English, unless who writes it has put it into another language.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: what was read is as it was written.
func (t *Text) UnmarshalText(text []byte) error {
	*t = Raw(string(text))
	return nil
}

// IsZero reports whether nothing is said, for ",omitzero".
func (t Text) IsZero() bool { return t.code == "" }
