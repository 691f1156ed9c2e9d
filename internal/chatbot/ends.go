package chatbot

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/say"
)

// maxLength bounds a length of time that is written; the service says what is allowed.
const maxLength = 10 * 366 * 24 * time.Hour

// units are the words for units of time, the first of each language being the one that is shown.
var units = []struct {
	length time.Duration
	words  synonyms
}{
	{24 * time.Hour, synonyms{say.English: {"d", "day", "days"}, say.Chinese: {"天"}, say.Korean: {"일"}}},
	{time.Hour, synonyms{say.English: {"h", "hr", "hrs", "hour", "hours"}, say.Chinese: {"小时", "个小时"}, say.Korean: {"시간"}}},
	{time.Minute, synonyms{say.English: {"m", "min", "mins", "minute", "minutes"}, say.Chinese: {"分钟", "分"}, say.Korean: {"분"}}},
	{time.Second, synonyms{say.English: {"s", "sec", "second", "seconds"}, say.Chinese: {"秒"}, say.Korean: {"초"}}},
}

func unitOf(word string) (time.Duration, say.Language, bool) {
	for i := range units {
		if l, is := units[i].words.find(word); is {
			return units[i].length, l, true
		}
	}
	return 0, "", false
}

// Words that belong to a length or a time in Korean and Chinese and stand at it without a blank.
var (
	lengthTails = []string{"동안", "만"}
	untilTails  = []string{"까지", "为止"}
	untilHeads  = []string{"直到", "到", "至"}
)

// half is which half of the day an hour is of.
type half int

const (
	anyHalf half = iota // none was said
	beforeNoon
	afterNoon
	atNight
)

// halves are what says the half of the day, before an hour and at it or apart.
var halves = []struct {
	half  half
	words []string
}{
	{beforeNoon, []string{"오전", "새벽", "아침", "上午", "早上", "凌晨"}},
	{afterNoon, []string{"오후", "저녁", "下午", "傍晚"}},
	{atNight, []string{"밤", "晚上"}},
}

// cutHalf takes off what says the half of the day.
func cutHalf(key string) (string, half) {
	for _, h := range halves {
		if rest, is := cutAny(key, h.words, strings.CutPrefix); is {
			return rest, h.half
		}
	}
	return key, anyHalf
}

// eveningFrom is the hour from which on an hour of the night is one before midnight: eleven at night is, two is not.
const eveningFrom = 6

// of is a time of day, HH:MM, of that half of the day.
func (h half) of(clock string) string {
	hour, _ := strconv.Atoi(clock[:2])
	switch {
	case hour == 12 && (h == beforeNoon || h == atNight):
		hour = 0
	case hour < 12 && h == afterNoon, hour < 12 && hour >= eveningFrom && h == atNight:
		hour += 12
	}
	return fmt.Sprintf("%02d%s", hour, clock[2:])
}

// ends reads when something is to end, and why it is wanted.
func (p *parser) ends() *WrongError {
	wrong := func(problem say.Text) *WrongError {
		return &WrongError{Problem: problem, Example: example(p.Verb, p.Name)}
	}
	until, at := false, anyHalf
	for len(p.rest) > 0 {
		p.meridiem()
		t := p.rest[0]
		key := t.key()
		if _, _, is := detailOf(key, wordBecause); is || t.quoted {
			break
		}
		if word, l, is := detailOf(key, wordFor, wordUntil, wordNext); is {
			p.spoken(l)
			if until = until || word == wordUntil; word == wordNext {
				if p.Until != "" || p.For != "" {
					return wrong(say.F("That has two ends; give one of them."))
				}
				p.Until = string(wordNext)
			}
			p.rest = p.rest[1:]
			continue
		}
		if _, l, is := detailOf(key, wordOn); is && l == say.English {
			p.rest = p.rest[1:]
			continue
		}
		if date, is := p.date(key); is && p.Date == "" {
			p.Date, p.rest = date, p.rest[1:]
			continue
		}
		stripped, tail := cutAny(key, untilTails, strings.CutSuffix)
		stripped, head := cutAny(stripped, untilHeads, strings.CutPrefix)
		if tail || head {
			until = true
			p.spoken(cjk(key))
		}
		stripped, said := cutHalf(stripped)
		at = max(at, said)
		if stripped == "" { // it was written apart
			p.rest = p.rest[1:]
			continue
		}
		used, err := p.end(stripped, until, at)
		if err.Empty() && used == 0 {
			break
		}
		if !err.Empty() {
			return wrong(err)
		}
		p.rest = p.rest[used:]
	}
	switch {
	case p.For != "" && (p.Until != "" || p.Date != ""):
		return wrong(say.F("That has two ends; give one of them."))
	case p.Date != "" && p.Until == "":
		return wrong(say.F("At what time of that day? Write HH:MM."))
	case p.Date != "" && !strings.Contains(p.Until, ":"), p.Date != "" && strings.Contains(p.Until, "T"):
		return wrong(say.F("That has two ends; give one of them."))
	case p.Verb == Keep && p.Until == "" && p.For == "" && len(p.rest) == 0:
		return wrong(say.F("Until when? Write a time of day, or how long."))
	case p.Verb == Keep && p.Until == "" && p.For == "":
		return wrong(say.F("%q is no end; write until and a time of day, or for and how long.", shortened(joined(p.rest))))
	}
	return p.over()
}

// last reports whether nothing but a reason follows.
func (p *parser) last() bool {
	if len(p.rest) < 2 {
		return true
	}
	_, _, because := detailOf(p.rest[1].key(), wordBecause)
	return because
}

// meridiem joins "10 pm" to the word that it is.
func (p *parser) meridiem() {
	if len(p.rest) < 2 || p.rest[1].key() != "am" && p.rest[1].key() != "pm" || !bareForm.MatchString(p.rest[0].key()) {
		return
	}
	p.rest = append([]token{{text: p.rest[0].key() + p.rest[1].key()}}, p.rest[2:]...)
}

// cutAny takes off the first of some beginnings or ends that is there.
func cutAny(text string, among []string, cut func(s, part string) (string, bool)) (string, bool) {
	for _, part := range among {
		if rest, found := cut(text, part); found {
			return rest, true
		}
	}
	return text, false
}

// cjk is the language of a word with Chinese or Korean letters.
func cjk(word string) say.Language {
	for _, r := range word {
		switch {
		case r >= 0xAC00 && r <= 0xD7A3:
			return say.Korean
		case r >= 0x4E00 && r <= 0x9FFF:
			return say.Chinese
		}
	}
	return ""
}

// end reads one end, and gives how many tokens it took; 0: it is none.
func (p *parser) end(key string, until bool, of half) (used int, problem say.Text) {
	twice := say.F("That has two ends; give one of them.")
	if at, is := instantOf(key); is {
		if p.Until != "" || p.For != "" {
			return 0, twice
		}
		p.Until = at.Format(time.RFC3339)
		return 1, say.Text{}
	}
	if _, l, is := detailOf(key, wordNext); is && p.Until == "" && p.For == "" {
		p.Until = string(wordNext)
		p.spoken(l)
		return 1, say.Text{}
	}
	clock, is := clockOf(key)
	if hour, err := strconv.Atoi(key); !is && err == nil && (until || of != anyHalf) && p.last() && hour >= 0 && hour < 24 && len(key) <= 2 {
		clock, is = fmt.Sprintf("%02d:00", hour), true // "until 22"
	}
	if is {
		if p.Until != "" || p.For != "" {
			return 0, twice
		}
		p.Until, p.hour = of.of(clock), spokenForm.MatchString(key)
		p.spoken(cjk(key))
		return 1, say.Text{}
	}
	if m := minuteForm.FindStringSubmatch(key); m != nil && p.hour && strings.HasSuffix(p.Until, ":00") { // 22시 30분
		p.Until, p.hour = fmt.Sprintf("%s:%02s", p.Until[:2], m[1]), false
		return 1, say.Text{}
	}
	if clockLike(key) {
		return 0, say.F("%q is no time of day; write HH:MM from 00:00 to 23:59.", shortened(key))
	}
	length, used, is := p.length(strings.TrimPrefix(key, "+"))
	switch {
	case !is:
		return 0, say.Text{}
	case p.Until != "":
		return 0, twice
	}
	if before, err := time.ParseDuration(p.For); err == nil { // 1 hour 30 minutes
		length += before
	}
	switch {
	case length > maxLength:
		return 0, say.F("%q is longer than anything is kept.", shortened(key))
	case length <= 0:
		return 0, say.F("%q is over before it begins.", shortened(key))
	}
	p.For = lengthText(length)
	return used, say.Text{}
}

// instantOf reads an instant by RFC 3339, seconds left out or not.
func instantOf(key string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, strings.ToUpper(key)); err == nil && at.Unix() > 0 {
			return at, true
		}
	}
	return time.Time{}, false
}

var lengthForm = regexp.MustCompile(`^(\d{1,6})([^\d]+)`)

// length reads how long: 90m, 1h30m, 2시간, or a number and its unit apart.
func (p *parser) length(key string) (length time.Duration, used int, is bool) {
	key, _ = cutAny(key, lengthTails, strings.CutSuffix)
	if n, err := strconv.Atoi(key); err == nil && len(key) <= 6 && len(p.rest) > 1 {
		word, _ := cutAny(p.rest[1].key(), lengthTails, strings.CutSuffix)
		if unit, l, known := unitOf(word); known {
			p.spoken(l)
			return times(n, unit), 2, true
		}
		return 0, 0, false
	}
	if key == "" {
		return 0, 0, false
	}
	for key != "" {
		m := lengthForm.FindStringSubmatch(key)
		if m == nil {
			return 0, 0, false
		}
		unit, l, known := unitOf(m[2])
		if !known {
			return 0, 0, false
		}
		if l != say.English {
			p.spoken(l)
		}
		n, _ := strconv.Atoi(m[1])
		length = min(length+times(n, unit), maxLength+1)
		key = key[len(m[0]):]
	}
	return length, 1, true
}

// times is a number of units, and more than maxLength where it is too many.
func times(n int, unit time.Duration) time.Duration {
	if n > int(maxLength/unit) {
		return maxLength + 1
	}
	return time.Duration(n) * unit
}

// lengthText writes a length as the service reads it.
func lengthText(d time.Duration) string {
	for i := range units {
		if unit := units[i].length; d%unit == 0 && unit != 24*time.Hour {
			return strconv.FormatInt(int64(d/unit), 10) + units[i].words[say.English][0]
		}
	}
	return d.String()
}

var (
	clockForm  = regexp.MustCompile(`^(\d{1,2})[:：](\d{2})(am|pm)?$`)
	bareForm   = regexp.MustCompile(`^\d{1,2}(?:[:：]\d{2})?$`)
	hourForm   = regexp.MustCompile(`^(\d{1,2})(am|pm)$`)
	minuteForm = regexp.MustCompile(`^([0-5]?\d)[분分]$`)
	spokenForm = regexp.MustCompile(`^(\d{1,2})[시点點时](?:(\d{1,2})[분分]?|(반|半))?$`)
)

// clockOf reads a time of day and writes it as HH:MM.
func clockOf(key string) (string, bool) {
	var hour, half string
	minute := "0"
	if m := clockForm.FindStringSubmatch(key); m != nil {
		hour, minute, half = m[1], m[2], m[3]
	} else if m := hourForm.FindStringSubmatch(key); m != nil {
		hour, half = m[1], m[2]
	} else if m := spokenForm.FindStringSubmatch(key); m != nil {
		hour = m[1]
		if m[2] != "" {
			minute = m[2]
		} else if m[3] != "" {
			minute = "30"
		}
	} else {
		return "", false
	}
	h, _ := strconv.Atoi(hour)
	m, _ := strconv.Atoi(minute)
	switch {
	case half != "" && (h < 1 || h > 12):
		return "", false
	case half == "pm" && h < 12:
		h += 12
	case half == "am" && h == 12:
		h = 0
	}
	if h > 23 || m > 59 {
		return "", false
	}
	return fmt.Sprintf("%02d:%02d", h, m), true
}

// clockLike reports whether a word was meant to be a time of day.
func clockLike(key string) bool {
	return clockForm.MatchString(key) || hourForm.MatchString(key) || spokenForm.MatchString(key) ||
		strings.Contains(key, ":") && strings.Trim(key, "0123456789:") == ""
}

// lengthIn is "for 2h" in the words of a language.
func lengthIn(length string, l say.Language) string {
	switch l {
	case say.Korean:
		return spokenLength(length, l) + wordFor.in(l)
	case say.Chinese:
		return spokenLength(length, l)
	}
	return wordFor.in(l) + " " + length
}

// spokenLength writes the unit of a length in a language.
func spokenLength(length string, l say.Language) string {
	for i := range units {
		if number, is := strings.CutSuffix(length, units[i].words[say.English][0]); is {
			return number + units[i].words.in(l)
		}
	}
	return length
}

// untilIn is "until 22:00" in the words of a language.
func untilIn(until string, l say.Language) string {
	if until == string(wordNext) {
		until = wordNext.in(l)
	}
	switch l {
	case say.Korean:
		return until + wordUntil.in(l)
	case say.Chinese:
		return wordUntil.in(l) + " " + until
	}
	return wordUntil.in(l) + " " + until
}
