package chatbot

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/say"
	"dayshift/internal/typo"
)

// Bounds of what is read, in bytes: what is longer was pasted by mistake, or on purpose.
const (
	maxText = 2000
	maxName = 512 // the longest ARNs that people use
	maxNote = 500 // of a reason
)

// Command is what somebody asks for. Fields that its verb has no use for are empty.
type Command struct {
	Verb Verb
	// Name is what it is about, as it was written: a schedule, a workload or a resource.
	Name string
	Date string // YYYY-MM-DD, today or tomorrow
	Type string // of an exception: start or stop
	// Value is the time of an exception: HH:MM or none.
	Value string
	For   string // how long, such as 90m
	// Until is when it ends: HH:MM (of Date, where there is one), an instant by RFC 3339, or next.
	Until  string
	Reason string
	Topic  Verb   // what help is about; empty: everything
	Code   string // of a confirmation
	Bare   bool   // nothing but a name was written
	// Language is that of the words it was written in; empty where they tell none.
	Language say.Language
}

// WrongError says why a text is no command. Example would work, once it has a name.
type WrongError struct {
	Problem  say.Text
	Example  Command
	Language say.Language // see Command.Language
}

// Error implements error: in English.
func (e *WrongError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *WrongError) Said() say.Text { return e.In(say.English) }

// In is the error with its example in the words of a language.
func (e *WrongError) In(l say.Language) say.Text {
	return say.Lines(e.Problem, say.F("For example: %s", e.Example.In(l)))
}

// token is a word of a text. What stood in quotation marks is nothing but a name or a reason.
type token struct {
	text   string
	quoted bool
}

// Parse reads a command. The verb stands first, or second behind a name, in
// Korean also last. Its error is a *WrongError.
func Parse(text string) (Command, error) {
	switch {
	case !utf8.ValidString(text):
		return Command{}, &WrongError{Problem: say.F("That is no text: it is not valid UTF-8."), Example: Command{Verb: Help}}
	case len(text) > maxText:
		return Command{}, &WrongError{Problem: say.F("That is too long for a command: %d bytes, at most %d are read.", len(text), maxText), Example: Command{Verb: Help}}
	}
	tokens := called(phrases(tokenize(text)))
	if len(tokens) == 0 {
		return Command{Verb: Help}, nil
	}
	p := &parser{rest: tokens}
	if err := p.command(); err != nil {
		if err.Language == "" {
			err.Language = p.Language
		}
		return Command{}, err
	}
	return p.Command, nil
}

// quotes are the marks that begin what stands together, with those that end it.
var quotes = map[rune]rune{'"': '"', '\'': '\'', '`': '`', '“': '”', '‘': '’', '「': '」', '『': '』', '«': '»'}

// clean makes a blank of what moves a cursor or reverses the reading order, and drops what can not be seen.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, say.Plain(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(text)))
}

// tokenize takes a text apart at its blanks. A quotation mark that nothing ends is a letter as any other.
func tokenize(text string) (list []token) {
	text = clean(text)
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" {
			return list
		}
		first, size := utf8.DecodeRuneInString(text)
		if end, opens := quotes[first]; opens {
			if inside, after, closed := strings.Cut(text[size:], string(end)); closed {
				if inside = strings.TrimSpace(inside); inside != "" {
					list = append(list, token{inside, true})
				}
				text = after
				continue
			}
		}
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		list = append(list, token{text: text[:end]})
		text = text[end:]
	}
}

// key is a token as words are compared: in small letters, those of double width as the plain ones, without a full stop.
func (t token) key() string {
	if t.quoted {
		return ""
	}
	return strings.TrimRight(strings.ToLower(narrow(t.text)), "!.,。，！")
}

// narrow writes the letters of double width that Chinese and Korean keyboards give as plain ones.
func narrow(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			return r - '！' + '!'
		}
		return r
	}, text)
}

// phrases puts together words that mean something as two, and takes a Chinese verb off the name that follows without a blank.
func phrases(list []token) (out []token) {
	for i := 0; i < len(list); i++ {
		if i+1 < len(list) {
			switch list[i].key() + " " + list[i+1].key() {
			case "not today":
				out = append(out, token{text: "not-today"})
				i++
				continue
			case "force start", "force stop":
				out = append(out, token{text: "force_" + list[i+1].key()})
				i++
				continue
			}
		}
		out = append(out, list[i])
	}
	if len(out) == 0 || out[0].quoted {
		return out
	}
	if _, _, is := verbOf(out[0].key()); is {
		return out
	}
	for i := range verbWords {
		for _, word := range verbWords[i].words[say.Chinese] {
			if name, found := strings.CutPrefix(out[0].text, word); found && name != "" && name[0] < utf8.RuneSelf {
				return append([]token{{text: word}, {text: name}}, out[1:]...)
			}
		}
	}
	return out
}

// callNames are the words that call the bot. Bridges may leave them where they were written.
var callNames = []string{"/dayshift", "/서버"}

// called takes the word off that calls the bot.
func called(list []token) []token {
	if len(list) > 0 && slices.Contains(callNames, list[0].key()) {
		return list[1:]
	}
	return list
}

// parser takes a text apart.
type parser struct {
	Command

	rest []token
	hour bool // Until, or Value, is an hour behind which its minutes may stand
}

// spoken notes the language of a word. English tells little: everybody writes "status".
func (p *parser) spoken(l say.Language) {
	if l != say.English && l != "" || p.Language == "" {
		p.Language = l
	}
}

// command reads the whole text.
func (p *parser) command() *WrongError {
	verb, at := p.verb()
	switch {
	case at < 0 && len(p.rest) == 1:
		p.Verb, p.Bare = Status, true
		return p.named(p.rest[0])
	case at < 0:
		return p.unknown()
	case at > 0:
		if err := p.named(p.rest[0]); err != nil {
			return err
		}
		p.rest = append(append([]token{}, p.rest[1:at]...), p.rest[at+1:]...)
	default:
		p.rest = p.rest[1:]
	}
	p.Verb = verb
	switch verb {
	case Help:
		return p.topic()
	case Confirm:
		return p.confirmation()
	case exceptions, workloads:
		if err := p.sub(verb); err != nil {
			return err
		}
	case List, WhoAmI:
		p.rest, p.Name = nil, "" // what stands behind it changes nothing
		return nil
	}
	if err := p.target(); err != nil {
		return err
	}
	switch p.Verb {
	case Info, ExceptionInfo, Skip:
		return p.dated()
	case ExceptionSet, ExceptionDelete:
		return p.exception()
	case Wake, Keep, Sleep:
		return p.ends()
	}
	return p.over()
}

// verb finds the verb and its place; -1: there is none.
func (p *parser) verb() (Verb, int) {
	for at := range min(2, len(p.rest)) {
		if verb, l, is := verbOf(p.rest[at].key()); is {
			p.spoken(l)
			return verb, at
		}
	}
	if last := len(p.rest) - 1; last >= 2 {
		if verb, l, is := verbOf(p.rest[last].key()); is && l == say.Korean {
			p.spoken(l)
			return verb, last
		}
	}
	return "", -1
}

// unknown says what was probably meant by a text without a verb.
func (p *parser) unknown() *WrongError {
	for at := range min(2, len(p.rest)) {
		near, is := typo.Nearest(p.rest[at].key(), vocabulary())
		if !is {
			continue
		}
		verb, l, _ := verbOf(near)
		if verb == exceptions || verb == workloads {
			verb = map[Verb]Verb{exceptions: ExceptionInfo, workloads: WorkloadStatus}[verb]
		}
		p.spoken(l)
		name := shortened(p.rest[1-at].text)
		return &WrongError{Problem: say.F("I do not know %q. Did you mean %q?", shortened(p.rest[at].text), near), Example: example(verb, name)}
	}
	if last := len(p.rest) - 1; last >= 2 {
		if verb, l, is := verbOf(p.rest[last].key()); is && verb != Help && verb != Confirm {
			p.spoken(l)
			if verb == exceptions || verb == workloads {
				verb = map[Verb]Verb{exceptions: ExceptionInfo, workloads: WorkloadStatus}[verb]
			}
			return &WrongError{Problem: say.F("A name with blanks is written in quotation marks."), Example: example(verb, shortened(joined(p.rest[:last])))}
		}
	}
	return &WrongError{Problem: say.F("I do not know what %q asks for. What I do is told by %q.", shortened(joined(p.rest)), Help.In(p.Language)), Example: Command{Verb: Help}}
}

// shortened is as much of a text as an answer repeats.
func shortened(text string) string {
	const most = 60 // runes: a name and a word
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

func joined(list []token) string {
	var words []string
	for _, t := range list {
		words = append(words, t.text)
	}
	return strings.Join(words, " ")
}

// named takes a token as the name.
func (p *parser) named(t token) *WrongError {
	if len(t.text) > maxName {
		return &WrongError{Problem: say.F("That name is too long: %d bytes, at most %d are read.", len(t.text), maxName), Example: example(p.Verb, "")}
	}
	p.Name = t.text
	return nil
}

// sub reads the second word of a verb that has two, and a name before it.
func (p *parser) sub(group Verb) *WrongError {
	plain := map[Verb]Verb{exceptions: ExceptionInfo, workloads: WorkloadStatus}[group]
	for at := range min(2, len(p.rest)) {
		verb, l, is := subOf(group, p.rest[at].key())
		if !is {
			continue
		}
		p.Verb = verb
		p.spoken(l)
		if at == 1 && p.Name != "" {
			break // the name stood before the verb: there is nothing that a word in between could be
		}
		if at == 1 {
			if err := p.named(p.rest[0]); err != nil {
				return err
			}
		}
		p.rest = p.rest[at+1:]
		return nil
	}
	p.Verb = plain
	switch len(p.rest) {
	case 0:
		return nil
	case 1:
		if p.Name == "" {
			return nil // the name
		}
		if _, is := dateOf(p.rest[0].key()); is {
			return nil
		}
	}
	var known []string
	for i := range subWords {
		if first, _ := subWords[i].verb.group(); first == group {
			for _, l := range say.Languages {
				known = append(known, subWords[i].words[l]...)
			}
		}
	}
	at := min(1, len(p.rest)-1)
	if p.Name != "" {
		at = 0
	}
	name, verb := p.Name, plain
	if name == "" && at == 1 {
		name = shortened(p.rest[0].text)
	}
	if near, is := typo.Nearest(p.rest[at].key(), known); is {
		verb, _, _ = subOf(group, near)
	}
	return &WrongError{Problem: say.F("I do not know %q behind %q.", shortened(p.rest[at].text), group), Example: example(verb, name)}
}

// target reads the name of a verb that has one, where it did not stand first.
func (p *parser) target() *WrongError {
	if p.Name == "" && len(p.rest) > 0 {
		if _, date := dateOf(p.rest[0].key()); !date || p.rest[0].quoted {
			if err := p.named(p.rest[0]); err != nil {
				return err
			}
			p.rest = p.rest[1:]
		}
	}
	switch p.Verb {
	case Status, Info, WorkloadStatus:
		return nil
	}
	if p.Name == "" {
		written := p.Verb.In(p.Language)
		problem := say.F("Which one? %q needs the name of a schedule, a workload or a resource.", written)
		if group, _ := p.Verb.group(); group == workloads {
			problem = say.F("Which one? %q needs the name of a workload.", written)
		}
		return &WrongError{Problem: problem, Example: example(p.Verb, "")}
	}
	return nil
}

// over refuses what is left.
func (p *parser) over() *WrongError {
	if len(p.rest) == 0 {
		return nil
	}
	if reason, l, is := detailOf(p.rest[0].key(), wordBecause); is && p.Verb != Status && p.Verb != Why {
		_ = reason
		p.spoken(l)
		if p.Reason = strings.Join(strings.Fields(joined(p.rest[1:])), " "); len(p.Reason) > maxNote {
			return &WrongError{Problem: say.F("That reason is too long: %d bytes, at most %d are kept.", len(p.Reason), maxNote), Example: p.short()}
		}
		p.rest = nil
		return nil
	}
	return &WrongError{
		Problem: say.F("I do not know what %q is to say there. A name with blanks is written in quotation marks.", shortened(joined(p.rest))),
		Example: p.quotable(),
	}
}

// short is the command as far as it was read, as an example.
func (p *parser) short() Command {
	c := p.Command
	c.Reason, c.Language = "", ""
	return c
}

// quotable is the example for something left over: it may have been the rest of a name.
func (p *parser) quotable() Command {
	c := p.short()
	if !complete(&c) {
		return example(c.Verb, c.Name)
	}
	return c
}

// complete reports whether a command has what its verb needs.
func complete(c *Command) bool {
	switch c.Verb {
	case Keep:
		return c.For != "" || c.Until != ""
	case ExceptionSet:
		return c.Date != "" && c.Type != "" && c.Value != ""
	case ExceptionDelete:
		return c.Date != "" && c.Type != ""
	}
	return true
}

// topic reads what help is about.
func (p *parser) topic() *WrongError {
	p.Name = ""
	if len(p.rest) == 0 {
		return nil
	}
	verb, l, is := verbOf(p.rest[0].key())
	if !is {
		p.rest = nil
		return nil
	}
	p.spoken(l)
	if verb == exceptions || verb == workloads {
		second := map[Verb]Verb{exceptions: ExceptionSet, workloads: WorkloadStart}[verb]
		if len(p.rest) > 1 {
			if sub, _, is := subOf(verb, p.rest[1].key()); is {
				second = sub
			}
		}
		verb = second
	}
	p.Topic, p.rest = verb, nil
	return nil
}

// confirmation reads the word of a confirmation.
func (p *parser) confirmation() *WrongError {
	switch {
	case p.Name != "" && len(p.rest) == 0:
		p.Code, p.Name = p.Name, "" // "WORD confirm"
	case len(p.rest) == 1 && p.Name == "":
		p.Code = p.rest[0].text
	default:
		return &WrongError{Problem: say.F("Write %q and the word that you were told.", Confirm), Example: Command{Verb: Confirm, Code: "K7QM2X"}}
	}
	if len(p.Code) > maxName {
		return &WrongError{Problem: say.F("Write %q and the word that you were told.", Confirm), Example: Command{Verb: Confirm, Code: "K7QM2X"}}
	}
	return nil
}

// dated reads a date that may be missing.
func (p *parser) dated() *WrongError {
	if len(p.rest) > 1 {
		if _, _, is := detailOf(p.rest[0].key(), wordOn); is {
			p.rest = p.rest[1:]
		}
	}
	if len(p.rest) > 0 && !p.rest[0].quoted {
		if date, is := p.date(p.rest[0].key()); is {
			p.Date, p.rest = date, p.rest[1:]
		} else if looksDated(p.rest[0].key()) {
			return p.wrongDate(p.rest[0])
		}
	}
	return p.over()
}

var dateForm = regexp.MustCompile(`^(\d{4})[-/.年년](\d{1,2})[-/.月월](\d{1,2})[日号일.]?$`)

// dateOf reads a date: YYYY-MM-DD, the same with other marks, today or tomorrow.
func dateOf(key string) (string, bool) {
	if d, _, is := detailOf(key, dateToday, dateTomorrow); is {
		return string(d), true
	}
	m := dateForm.FindStringSubmatch(key)
	if m == nil {
		return "", false
	}
	month, _ := strconv.Atoi(m[2])
	day, _ := strconv.Atoi(m[3])
	date := fmt.Sprintf("%s-%02d-%02d", m[1], month, day)
	_, err := time.Parse(time.DateOnly, date)
	return date, err == nil
}

func (p *parser) date(key string) (string, bool) {
	if _, l, is := detailOf(key, dateToday, dateTomorrow); is {
		p.spoken(l)
	}
	return dateOf(key)
}

// looksDated reports whether a word was meant to be a date.
func looksDated(key string) bool {
	return len(key) >= 3 && key[0] >= '0' && key[0] <= '9' && strings.ContainsAny(key, "-/.年月년월") && !strings.Contains(key, ":")
}

func (p *parser) wrongDate(t token) *WrongError {
	c := p.short()
	c.Date = string(dateTomorrow)
	if !complete(&c) {
		c = example(c.Verb, c.Name)
	}
	return &WrongError{Problem: say.F("%q is no date; write YYYY-MM-DD, such as 2027-02-05, today or tomorrow.", shortened(t.text)), Example: c}
}

// exception reads date, type and value, in whatever order they stand.
func (p *parser) exception() *WrongError {
	left, of := []token{}, anyHalf
	for ; len(p.rest) > 0; p.rest = p.rest[1:] {
		p.meridiem()
		t := p.rest[0]
		key := t.key()
		if _, _, is := detailOf(key, wordOn); is && len(p.rest) > 1 {
			continue
		}
		if _, _, is := detailOf(key, wordBecause); is {
			left = append(left, p.rest...)
			break
		}
		if date, is := p.date(key); is && p.Date == "" {
			p.Date = date
			continue
		}
		if kind, l, is := detailOf(key, boundaryStart, boundaryStop); is && p.Type == "" {
			p.Type = string(kind)
			p.spoken(l)
			continue
		}
		if _, l, is := detailOf(key, valueNone); is && p.Value == "" && p.Verb == ExceptionSet {
			p.Value = string(valueNone)
			p.spoken(l)
			continue
		}
		if p.Verb == ExceptionSet && p.timed(key, &of) {
			continue
		}
		left = append(left, t)
	}
	p.rest = left
	if err := p.exceptionPart(); err != nil {
		return err
	}
	return p.over()
}

// timed reads the time of an exception, or a part of it: of is the half of the day that was said.
func (p *parser) timed(key string, of *half) bool {
	stripped, said := cutHalf(key)
	if said != anyHalf && p.Value == "" && stripped == "" {
		*of = said
		return true
	}
	if clock, is := clockOf(stripped); is && p.Value == "" {
		p.Value, p.hour = max(*of, said).of(clock), spokenForm.MatchString(stripped)
		p.spoken(cjk(key))
		return true
	}
	if m := minuteForm.FindStringSubmatch(key); m != nil && p.hour && strings.HasSuffix(p.Value, ":00") { // 22시 30분
		p.Value, p.hour = fmt.Sprintf("%s:%02s", p.Value[:2], m[1]), false
		return true
	}
	return false
}

// exceptionPart says which part of an exception is missing, or is something else.
func (p *parser) exceptionPart() *WrongError {
	wrong := func(problem say.Text) *WrongError {
		c := example(p.Verb, p.Name)
		if p.Date != "" {
			c.Date = p.Date
		}
		if p.Type != "" {
			c.Type = p.Type
		}
		if p.Value != "" {
			c.Value = p.Value
		}
		return &WrongError{Problem: problem, Example: c}
	}
	written := ""
	if len(p.rest) > 0 {
		written = shortened(p.rest[0].text)
	}
	switch {
	case p.Date == "" && written == "":
		return wrong(say.F("On which date? Write YYYY-MM-DD, today or tomorrow."))
	case p.Date == "":
		return wrong(say.F("%q is no date; write YYYY-MM-DD, such as 2027-02-05, today or tomorrow.", written))
	case p.Type == "" && written == "":
		return wrong(say.F("An exception is about the start or the stop of that day; write one of them."))
	case p.Type == "":
		return wrong(say.F("%q is no type of exception; write start or stop.", written))
	case p.Verb == ExceptionSet && p.Value == "" && written == "":
		return wrong(say.F("At what time? Write HH:MM, or none to leave it out."))
	case p.Verb == ExceptionSet && p.Value == "":
		return wrong(say.F("%q is no time of day; write HH:MM, such as 09:00, or none to leave it out.", written))
	}
	return nil
}

// example is a command of a verb that would work.
func example(verb Verb, name string) Command {
	c := Command{Verb: verb, Name: name}
	switch verb {
	case Keep:
		c.Until = "22:00"
	case Wake, Sleep:
		c.For = "2h"
	case ExceptionSet:
		c.Date, c.Type, c.Value = string(dateTomorrow), string(boundaryStart), "10:00"
	case ExceptionDelete:
		c.Date, c.Type = string(dateTomorrow), string(boundaryStart)
	case Confirm:
		c.Code = "K7QM2X"
	case Help, WhoAmI, List:
		c.Name = ""
	}
	return c
}

// String is the command in English words. Parse reads it back.
func (c Command) String() string { return c.In(say.English) }

// In is the command in the words of a language. Parse reads it back.
func (c Command) In(l say.Language) string {
	verb, name := c.Verb.In(l), quote(c.Name)
	words := []string{verb, name}
	if l == say.Korean && c.Name != "" {
		words = []string{name, verb}
	}
	add := func(parts ...string) { words = append(words, parts...) }
	switch c.Verb {
	case Help:
		words = []string{verb}
		if c.Topic != "" {
			add(c.Topic.In(l))
		}
	case List, WhoAmI:
		words = []string{verb}
	case Confirm:
		words = []string{verb, quote(c.Code)}
	case Wake, Keep, Sleep:
		if c.Date != "" {
			add(dateIn(c.Date, l))
		}
		if c.For != "" {
			add(lengthIn(c.For, l))
		}
		if c.Until != "" {
			add(untilIn(c.Until, l))
		}
	case ExceptionSet, ExceptionDelete:
		add(dateIn(c.Date, l), detail(c.Type).in(l))
		if c.Value == string(valueNone) {
			add(valueNone.in(l))
		} else {
			add(c.Value)
		}
	default:
		if c.Date != "" {
			add(dateIn(c.Date, l))
		}
	}
	if c.Reason != "" {
		add(wordBecause.in(l), c.Reason)
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

func dateIn(date string, l say.Language) string {
	if date == string(dateToday) || date == string(dateTomorrow) {
		return detail(date).in(l)
	}
	return date
}

// quote writes a name so that it is read as one.
func quote(name string) string {
	if name == "" {
		return ""
	}
	list := called(phrases(tokenize(name)))
	if len(list) == 1 && !list[0].quoted && list[0].text == name {
		key := list[0].key()
		_, _, verb := verbOf(key)
		_, _, sub := subOf(exceptions, key)
		_, _, whole := subOf(workloads, key)
		_, _, word := detailOf(key, dateToday, dateTomorrow, wordOn, wordFor, wordUntil, wordNext, wordBecause, boundaryStart, boundaryStop, valueNone)
		_, date := dateOf(key)
		if !verb && !sub && !whole && !word && !date {
			return name
		}
	}
	for _, marks := range [...]string{`""`, "''", "``", "“”", "「」", "‘’", "『』", "«»"} {
		begin, size := utf8.DecodeRuneInString(marks)
		if end := marks[size:]; !strings.Contains(name, end) {
			return string(begin) + name + end
		}
	}
	return name
}
