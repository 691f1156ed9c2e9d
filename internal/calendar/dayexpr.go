package calendar

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"dayshift/internal/say"
)

// Names of the day fields, as users write them.
const (
	fieldWeekdays  = "weekdays"
	fieldMonthDays = "monthdays"
	fieldMonths    = "months"
)

// maxText bounds a day field (all items together) and every other text this package parses, in bytes. The longest
// sensible field, 31 days with a step each, has some 200.
const maxText = 4096

var (
	weekdayNames = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	monthNames   = []string{
		"january", "february", "march", "april", "may", "june",
		"july", "august", "september", "october", "november", "december",
	}
)

// What each field takes, for errors.
var (
	allowedWeekdays  = say.F("mon … sun (or 0 = Monday … 6), ranges (fri-mon), steps (mon/2), mon#1 … mon#5, friL, L = Sunday, *")
	allowedMonthDays = say.F("1 … 31, ranges (1-15), steps (1/10), L = last day, 25W = the Monday-Friday nearest to the 25th, *")
	allowedMonths    = say.F("jan … dec (or 1 … 12), ranges (nov-feb), steps (jan/3), ^ = January, $ = December, *")
)

// domain is what distinguishes one day field from another for the parser.
type domain struct {
	field   string
	allowed say.Text
	noun    string
	lo, hi  int
	names   []string // names[0] belongs to lo; nil: numbers only
	wraps   bool     // a range may run over the end: fri-mon
}

var (
	weekdayDomain  = domain{fieldWeekdays, allowedWeekdays, "weekday", 0, 6, weekdayNames, true}
	monthDayDomain = domain{fieldMonthDays, allowedMonthDays, "day of the month", 1, 31, nil, false}
	monthDomain    = domain{fieldMonths, allowedMonths, "month", 1, 12, monthNames, true}
)

func (d *domain) fault(text string, problem, hint say.Text) *Error {
	return &Error{Field: d.field, Text: text, Problem: problem, Allowed: d.allowed, Hint: hint}
}

// atomKind says how an atom picks days.
type atomKind uint8

const (
	plain   atomKind = iota // the values in mask
	lastDay                 // the last day of the month (monthdays)
	nearest                 // the Monday-Friday nearest to day n (monthdays)
	nth                     // the n-th weekday of its kind (weekdays)
	lastOf                  // the last weekday of its kind (weekdays)
)

type atom struct {
	kind  atomKind
	mask  uint32 // plain: bit v for the value v
	value int    // nearest: the day; nth and lastOf: the weekday
	n     int    // nth
}

// atoms parses every atom of a field; all faults are reported. An absent field gives none and no error.
func (d *domain) atoms(f DayField) ([]atom, error) {
	if f.absent() {
		return nil, nil
	}
	size := 0
	for _, item := range f {
		size += len(item) + 1
	}
	if size > maxText {
		return nil, d.fault(f[0], say.F("and the rest of the field are %d bytes long, more than %d", size, maxText), say.Text{})
	}
	var out []atom
	var all faults
	for _, item := range f {
		for text := range strings.SplitSeq(item, ",") {
			a, err := d.atom(text)
			if err != nil {
				all.add(err)
				continue
			}
			out = append(out, a)
		}
	}
	return out, all.err()
}

func (d *domain) atom(written string) (atom, error) {
	s := lowerASCII(trimBlank(written))
	fault := func(problem, hint say.Text) (atom, error) { return atom{}, d.fault(written, problem, hint) }
	switch s {
	case "":
		e := d.fault("", say.F("has an empty item"), say.F("remove the extra comma, or leave the whole field out to match everything"))
		return atom{}, e
	case "*", "?":
		return atom{mask: d.values(d.lo, d.hi, 1)}, nil
	case "^":
		return atom{mask: 1 << d.lo}, nil
	case "$":
		if d.field == fieldMonths {
			return atom{mask: 1 << d.hi}, nil
		}
		return fault(say.F("has no meaning in %s", d.field), say.F("for the last one write L"))
	case "l":
		switch d.field {
		case fieldMonthDays:
			return atom{kind: lastDay}, nil
		case fieldWeekdays:
			return atom{mask: 1 << d.hi}, nil
		}
		return fault(say.F("has no meaning in months"), say.F("for December write dec or $"))
	}
	if day, n, ok := strings.Cut(s, "#"); ok {
		if d.field != fieldWeekdays {
			return fault(say.F("counts weekdays, which only the field weekdays can"), say.Text{})
		}
		v, err := d.value(written, day)
		if err != nil {
			return atom{}, err
		}
		k, ok := number(n)
		if !ok || k < 1 || k > 5 {
			return fault(say.F("does not end in #1 … #5"), say.F("for the last one of a month write %sL", weekdayNames[v][:3]))
		}
		return atom{kind: nth, value: v, n: k}, nil
	}
	isRange := strings.ContainsAny(s, "-/")
	if day, ok := strings.CutSuffix(s, "l"); ok && !isRange && d.field != fieldMonths {
		if d.field == fieldMonthDays {
			return fault(say.F("is no day of the month"), say.F("L alone is the last day; the last Friday is friL in weekdays"))
		}
		v, err := d.value(written, day)
		if err != nil {
			return atom{}, err
		}
		return atom{kind: lastOf, value: v}, nil
	}
	if day, ok := strings.CutSuffix(s, "w"); ok && !isRange && d.field == fieldMonthDays {
		v, err := d.value(written, day)
		if err != nil {
			return atom{}, err
		}
		return atom{kind: nearest, value: v}, nil
	}
	return d.span(written, s)
}

// span parses a value, a range and a step: a, a-b, a/n, a-b/n, */n.
func (d *domain) span(written, s string) (atom, error) {
	fault := func(problem, hint say.Text) (atom, error) { return atom{}, d.fault(written, problem, hint) }
	body, stepText, stepped := strings.Cut(s, "/")
	body = trimBlank(body)
	step := 1
	if stepped {
		n, ok := number(trimBlank(stepText))
		if !ok || n < 1 {
			return fault(say.F("does not end in a step of 1 or more"), say.F("write the step as a whole number, as in %s/2", d.example()))
		}
		step = n
		if body == "*" {
			return atom{mask: d.values(d.lo, d.hi, step)}, nil
		}
	}
	from, to, ranged := strings.Cut(body, "-")
	a, err := d.value(written, trimBlank(from))
	if err != nil {
		return atom{}, err
	}
	b := a
	switch to = trimBlank(to); {
	case ranged && to == "l" && d.field == fieldMonths:
		return fault(say.F("ends in L, which has no meaning in months"), say.F("for December write dec"))
	case ranged && to == "l":
		b = d.hi
	case ranged:
		if b, err = d.value(written, to); err != nil {
			return atom{}, err
		}
	case stepped:
		b = d.hi
	}
	if a > b && !d.wraps {
		return fault(say.F("is a range that runs backwards"), say.F("over the end of a month write two: %d-L,1-%d", a, b))
	}
	return atom{mask: d.values(a, b, step)}, nil
}

// values is the set a, a+step … up to b, going over the end of the domain where a > b.
func (d *domain) values(a, b, step int) uint32 {
	size := d.hi - d.lo + 1
	var mask uint32
	for k, length := 0, (b-a+size)%size; k <= length; k += step {
		mask |= 1 << (d.lo + (a-d.lo+k)%size)
	}
	return mask
}

// value parses one number or name of the domain; s is lower case and may be anything.
func (d *domain) value(written, s string) (int, error) {
	if n, ok := number(s); ok {
		if n < d.lo || n > d.hi {
			problem := say.F("is outside %d … %d", d.lo, d.hi)
			hint := say.Text{}
			if d.field == fieldWeekdays && n == 7 {
				hint = say.F("Sunday is 6, or sun")
			}
			return 0, d.fault(written, problem, hint)
		}
		return n, nil
	}
	const shortest = 3 // letters of a name: the fewest that tell all weekdays, and all months, apart
	if len(s) >= shortest {
		for i, name := range d.names {
			if strings.HasPrefix(name, s) {
				return d.lo + i, nil
			}
		}
	}
	hint := suggest(s, d.names)
	if d.field == fieldMonthDays && isWeekday(s) {
		hint = say.F("days of the week go in weekdays")
	}
	return 0, d.fault(written, say.F("is not a %s", say.Word(d.noun)), hint)
}

func isWeekday(s string) bool {
	for _, name := range weekdayNames {
		if len(s) >= 3 && strings.HasPrefix(name, s) {
			return true
		}
	}
	return false
}

func (d *domain) example() string {
	if d.names == nil {
		return strconv.Itoa(d.lo)
	}
	return d.names[0][:3]
}

// number reads a whole number in ASCII digits, leading zeros allowed, in full; what is too large for any use here
// is held at a large value instead of wrapping around.
func number(s string) (int, bool) {
	const large = 1 << 20
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = min(n*10+int(s[i]-'0'), large)
	}
	return n, s != ""
}

const blanks = " \t\r\n"

func trimBlank(s string) string { return strings.Trim(s, blanks) }

// lowerASCII leaves everything but A-Z alone: strings.ToLower would turn the Kelvin sign into a k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// ——— Weekdays ———

// Weekdays is a parsed weekdays field. Equal values match the same days. The zero value matches no day.
type Weekdays struct {
	every uint8    // bit d: every weekday d, 0 = Monday
	nth   [7]uint8 // nth[d] bit n: the n-th weekday d of a month, 1-5
	last  uint8    // bit d: the last weekday d of a month
}

const everyWeekday = 1<<7 - 1

// ParseWeekdays parses the field; an absent one matches every day. The error holds a *Error for each faulty atom.
func ParseWeekdays(f DayField) (Weekdays, error) {
	atoms, err := weekdayDomain.atoms(f)
	if err != nil {
		return Weekdays{}, err
	}
	var w Weekdays
	if len(atoms) == 0 {
		w.every = everyWeekday
	}
	for _, a := range atoms {
		switch a.kind {
		case nth:
			w.nth[a.value] |= 1 << a.n
		case lastOf:
			w.last |= 1 << a.value
		default:
			w.every |= uint8(a.mask)
		}
	}
	const allFive = 0b111110
	for d := range w.nth {
		if w.nth[d] == allFive {
			w.every |= 1 << d
		}
		if w.every&(1<<d) != 0 {
			w.nth[d] = 0
		}
	}
	w.last &^= w.every
	return w, nil
}

// Days gives the matching days of a month (1 = January), ascending.
func (w Weekdays) Days(year, month int) []int {
	m := monthOf(year, month)
	return bitsOf(w.mask(m))
}

// mask has bit d set for each matching day d of the month.
func (w Weekdays) mask(m month) uint32 {
	if w.every == everyWeekday {
		return m.all()
	}
	const weekly = 1<<0 | 1<<7 | 1<<14 | 1<<21 | 1<<28
	var mask uint32
	for d := range 7 {
		first := (d-m.first+7)%7 + 1
		if w.every&(1<<d) != 0 {
			mask |= weekly << first
		}
		for n := w.nth[d]; n != 0; n &= n - 1 {
			if day := first + 7*(bits.TrailingZeros8(n)-1); day <= m.days {
				mask |= 1 << day
			}
		}
		if w.last&(1<<d) != 0 {
			mask |= 1 << (first + (m.days-first)/7*7)
		}
	}
	return mask & m.all()
}

// String prints the field so that parsing it gives the same value.
func (w Weekdays) String() string {
	if w.every == everyWeekday {
		return "*"
	}
	short := func(d int) string { return weekdayNames[d][:3] }
	out := runs(uint32(w.every), short)
	for d := range 7 {
		for n := w.nth[d]; n != 0; n &= n - 1 {
			out = append(out, fmt.Sprintf("%s#%d", short(d), bits.TrailingZeros8(n)))
		}
		if w.last&(1<<d) != 0 {
			out = append(out, short(d)+"L")
		}
	}
	return strings.Join(out, ",")
}

// ——— MonthDays ———

// MonthDays is a parsed monthdays field. Equal values match the same days. The zero value matches no day.
type MonthDays struct {
	days    uint32 // bit d: day d, 1-31, in months that have it
	last    bool   // the last day of the month
	nearest uint32 // bit d: the Monday-Friday nearest to day d
}

const everyMonthDay = 1<<32 - 1<<1

// ParseMonthDays parses the field; an absent one matches every day. The error holds a *Error for each faulty atom.
func ParseMonthDays(f DayField) (MonthDays, error) {
	atoms, err := monthDayDomain.atoms(f)
	if err != nil {
		return MonthDays{}, err
	}
	var m MonthDays
	if len(atoms) == 0 {
		m.days = everyMonthDay
	}
	for _, a := range atoms {
		switch a.kind {
		case lastDay:
			m.last = true
		case nearest:
			m.nearest |= 1 << a.value
		default:
			m.days |= a.mask
		}
	}
	const possibleLast = 1<<28 | 1<<29 | 1<<30 | 1<<31
	if m.days&possibleLast == possibleLast {
		m.last = false
	}
	if m.days == everyMonthDay {
		m.nearest = 0
	}
	return m, nil
}

// Days gives the matching days of a month (1 = January), ascending.
func (d MonthDays) Days(year, month int) []int {
	return bitsOf(d.mask(monthOf(year, month)))
}

// mask has bit d set for each matching day d of the month.
func (d MonthDays) mask(m month) uint32 {
	mask := d.days & m.all()
	if d.last {
		mask |= 1 << m.days
	}
	for near := d.nearest & m.all(); near != 0; near &= near - 1 {
		day := bits.TrailingZeros32(near)
		const saturday, sunday = 5, 6
		switch (m.first + day - 1) % 7 {
		case saturday:
			if day == 1 {
				day += 2
			} else {
				day--
			}
		case sunday:
			if day == m.days {
				day -= 2
			} else {
				day++
			}
		}
		mask |= 1 << day
	}
	return mask
}

// String prints the field so that parsing it gives the same value.
func (d MonthDays) String() string {
	if d.days == everyMonthDay {
		return "*"
	}
	out := runs(d.days, strconv.Itoa)
	for near := d.nearest; near != 0; near &= near - 1 {
		out = append(out, strconv.Itoa(bits.TrailingZeros32(near))+"W")
	}
	if d.last {
		out = append(out, "L")
	}
	return strings.Join(out, ",")
}

// ——— Months ———

// Months is a parsed months field. Equal values match the same months. The zero value matches none.
type Months struct {
	mask uint16 // bit m: month m, 1 = January
}

const everyMonth = 1<<13 - 1<<1

// ParseMonths parses the field; an absent one matches every month. The error holds a *Error for each faulty atom.
func ParseMonths(f DayField) (Months, error) {
	atoms, err := monthDomain.atoms(f)
	if err != nil {
		return Months{}, err
	}
	var m Months
	if len(atoms) == 0 {
		m.mask = everyMonth
	}
	for _, a := range atoms {
		m.mask |= uint16(a.mask)
	}
	return m, nil
}

// Months gives the matching months, 1 = January, ascending.
func (m Months) Months() []int { return bitsOf(uint32(m.mask)) }

func (m Months) has(month int) bool { return m.mask&(1<<month) != 0 }

// String prints the field so that parsing it gives the same value.
func (m Months) String() string {
	if m.mask == everyMonth {
		return "*"
	}
	return strings.Join(runs(uint32(m.mask), func(v int) string { return monthNames[v-1][:3] }), ",")
}

// runs prints a set with ranges for three values in a row and more.
func runs(mask uint32, name func(int) string) []string {
	var out []string
	for mask != 0 {
		a := bits.TrailingZeros32(mask)
		n := bits.TrailingZeros32(^(mask >> a))
		mask &^= (1<<n - 1) << a
		switch n {
		case 1:
			out = append(out, name(a))
		case 2:
			out = append(out, name(a), name(a+1))
		default:
			out = append(out, name(a)+"-"+name(a+n-1))
		}
	}
	return out
}

// bitsOf gives the numbers of the bits that are set; never nil.
func bitsOf(mask uint32) []int {
	out := make([]int, 0, bits.OnesCount32(mask))
	for ; mask != 0; mask &= mask - 1 {
		out = append(out, bits.TrailingZeros32(mask))
	}
	return out
}
