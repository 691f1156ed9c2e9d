package calendar

import (
	"fmt"
	"strconv"
	"strings"

	"dayshift/internal/say"
)

// cronField is what distinguishes one field of a cron expression from another for the parser.
type cronField struct {
	noun    string // the field's name in errors
	allowed say.Text
	lo, hi  int      // the numbers it takes
	last    int      // where * and a/n end: hi, except that Unix cron's 7 is another name for 0
	names   []string // names[0] belongs to lo; nil: numbers only
	wraps   bool     // a range may run over the end: FRI-MON
	form    cronForm
}

// cronForm says what a field takes besides numbers, names, ranges and steps.
type cronForm uint8

const (
	formPlain        cronForm = iota
	formDays                  // ?, L, LW, 15W
	formWeekdays              // ?, L, 6L, 3#2; 1 = Sunday
	formUnixWeekdays          // 0 and 7 = Sunday
)

var (
	cronDayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
	cronMonthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
)

var (
	cronMinutes = cronField{
		noun: "minutes", lo: 0, hi: 59, last: 59,
		allowed: say.F("in minutes 0 … 59, lists (0,30), ranges (10-20), steps (0/15), *"),
	}
	cronHours = cronField{
		noun: "hours", lo: 0, hi: 23, last: 23,
		allowed: say.F("in hours 0 … 23, lists (7,19), ranges (9-17), steps (0/6), *"),
	}
	cronDays = cronField{
		noun: "days", lo: 1, hi: 31, last: 31, form: formDays,
		allowed: say.F("in days 1 … 31, lists, ranges (1-15), steps (1/10), L = last day, LW = last Monday-Friday, " +
			"15W = the Monday-Friday nearest to the 15th, *, ?"),
	}
	unixDays = cronField{
		noun: "days", lo: 1, hi: 31, last: 31,
		allowed: say.F("in days 1 … 31, lists, ranges (1-15), steps (*/10), *"),
	}
	cronMonths = cronField{
		noun: "months", lo: 1, hi: 12, last: 12, names: cronMonthNames, wraps: true,
		allowed: say.F("in months 1 … 12 or JAN … DEC, lists, ranges (NOV-FEB), steps (1/3), *"),
	}
	cronWeekdays = cronField{
		noun: "weekdays", lo: 1, hi: 7, last: 7, names: cronDayNames, wraps: true, form: formWeekdays,
		allowed: say.F("in weekdays 1 = SUN … 7 = SAT, lists, ranges (MON-FRI), steps (2/2), L = Saturday, " +
			"6L = the last Friday, 3#2 = the second Tuesday, *, ?"),
	}
	unixWeekdays = cronField{
		noun: "weekdays", lo: 0, hi: 7, last: 6, names: cronDayNames, wraps: true, form: formUnixWeekdays,
		allowed: say.F("in weekdays 0 = SUN … 6 = SAT, 7 = SUN, lists, ranges (MON-FRI), steps (*/2), *"),
	}
	cronYears = cronField{
		noun: "years", lo: firstYear, hi: lastYear, last: lastYear,
		allowed: say.F("in years 1970 … 2199, lists, ranges (2027-2029), steps (2027/2), *"),
	}
)

// cronSet is what a field stands for.
type cronSet struct {
	values   [4]uint64 // bit v for the value v, 0 = Monday for weekdays; counted from firstYear for years
	last     bool      // days: the last day of the month
	lastWork bool      // days: the last Monday-Friday of the month
	nearest  uint32    // days: bit d for the Monday-Friday nearest to day d
	lastOf   uint8     // weekdays: bit w for the last weekday w of the month
	nth      [7]uint8  // weekdays: nth[w] bit n for the n-th weekday w of the month
	open     bool      // the field is ?
	star     bool      // the field begins with *: to Unix cron it does not restrict the date
	text     string    // the field's canonical spelling
}

func (f *cronField) fault(written string, problem, hint say.Text) *Error {
	return &Error{Field: fieldExpression, Text: written, Problem: problem, Allowed: f.allowed, Hint: hint}
}

// parse reads a field and notes what is wrong with it.
func (f *cronField) parse(text string, all *faults) cronSet {
	var set cronSet
	question := f.form == formDays || f.form == formWeekdays
	if text == "?" && question {
		set.open, set.text = true, text
		f.add(&set, f.lo, f.last, 1)
		return set
	}
	set.star = strings.HasPrefix(text, "*")
	items := strings.Split(text, ",")
	texts := make([]string, 0, len(items))
	for _, item := range items {
		printed, err := f.atom(item, &set)
		if err != nil {
			all.add(err)
			continue
		}
		texts = append(texts, printed)
		if strings.Contains(printed, "#") && len(items) > 1 {
			all.add(f.fault(text, say.F("has # in a list"), say.F("make a rule for each: with # the weekdays are one expression")))
			break
		}
	}
	set.text = strings.Join(texts, ",")
	return set
}

// atom reads one item of a field's list into the set and gives its canonical spelling.
func (f *cronField) atom(written string, set *cronSet) (string, error) {
	s := upperASCII(written)
	switch {
	case s == "":
		return "", f.fault("", say.F("has an empty item in the %s", say.Word(f.noun)), say.F("remove the extra comma"))
	case s == "?":
		hint := say.F("write *")
		if f.form == formDays || f.form == formWeekdays {
			hint = say.F("it stands alone")
		}
		return "", f.fault(written, say.F("does not belong in the %s", say.Word(f.noun)), hint)
	case f.form == formDays && (s == "L" || s == "LW"):
		set.last = set.last || s == "L"
		set.lastWork = set.lastWork || s == "LW"
		return s, nil
	case f.form == formDays && strings.HasSuffix(s, "W"):
		day, err := f.value(written, strings.TrimSuffix(s, "W"))
		if err != nil {
			return "", err
		}
		set.nearest |= 1 << day
		return strconv.Itoa(day) + "W", nil
	case f.form == formWeekdays && s == "L":
		f.add(set, f.hi, f.hi, 1)
		return s, nil
	case f.form == formWeekdays && strings.HasSuffix(s, "L"):
		day, err := f.value(written, strings.TrimSuffix(s, "L"))
		if err != nil {
			return "", err
		}
		set.lastOf |= 1 << f.weekday(day)
		return strconv.Itoa(day) + "L", nil
	case f.form == formWeekdays && strings.Contains(s, "#"):
		name, count, _ := strings.Cut(s, "#")
		day, err := f.value(written, name)
		if err != nil {
			return "", err
		}
		n, ok := number(count)
		if !ok || n < 1 || n > 5 {
			return "", f.fault(written, say.F("does not end in #1 … #5"), say.F("for the last one of a month write %dL", day))
		}
		set.nth[f.weekday(day)] |= 1 << n
		return fmt.Sprintf("%d#%d", day, n), nil
	}
	return f.span(written, s, set)
}

// span reads a value, a range and a step: a, a-b, a/n, a-b/n, *, */n.
func (f *cronField) span(written, s string, set *cronSet) (string, error) {
	body, stepText, stepped := strings.Cut(s, "/")
	step, suffix := 1, ""
	if stepped {
		n, ok := number(stepText)
		if !ok || n < 1 {
			return "", f.fault(written, say.F("does not end in a step of 1 or more"), say.F("write the step as a whole number, as in */2"))
		}
		step, suffix = n, "/"+strconv.Itoa(n)
	}
	if body == "*" {
		f.add(set, f.lo, f.last, step)
		if step == 1 {
			suffix = ""
		}
		return "*" + suffix, nil
	}
	from, to, ranged := strings.Cut(body, "-")
	a, err := f.value(written, from)
	if err != nil {
		return "", err
	}
	b := a
	switch {
	case ranged:
		if b, err = f.value(written, to); err != nil {
			return "", err
		}
		if a > b && !f.wraps {
			hint := say.Text{}
			if f.lo != firstYear {
				hint = say.F("over the end write two: %d-%d,%d-%d", a, f.last, f.lo, b)
			}
			return "", f.fault(written, say.F("is a range that runs backwards"), hint)
		}
	case stepped:
		b = max(a, f.last)
	}
	f.add(set, a, b, step)
	name := f.name
	if (ranged || stepped) && max(a, b) > f.last {
		name = strconv.Itoa // a 7 that ends a range is not the 0 that begins one
	}
	if ranged {
		return name(a) + "-" + name(b) + suffix, nil
	}
	return name(a) + suffix, nil
}

// name is the canonical spelling of a value.
func (f *cronField) name(v int) string {
	if f.names == nil {
		return strconv.Itoa(v)
	}
	return f.names[(v-f.lo)%len(f.names)]
}

// weekday turns a field's weekday into ours, 0 = Monday.
func (f *cronField) weekday(v int) int {
	const mondayFromSunday = 6 // days from Monday on to Sunday
	return (v - f.lo + mondayFromSunday) % 7
}

// add puts a, a+step … up to b into the set, going over the end of the field where a > b.
func (f *cronField) add(set *cronSet, a, b, step int) {
	size := f.last - f.lo + 1
	if a > b {
		b += size
	}
	for v := a; v <= b; v += step {
		bit := v
		switch f.form {
		case formWeekdays, formUnixWeekdays:
			bit = f.weekday(v)
		default:
			if bit > f.hi {
				bit -= size
			}
			if f.lo == firstYear {
				bit -= firstYear
			}
		}
		set.values[bit/64] |= 1 << (bit % 64)
	}
}

// value reads one number or name of the field; s is upper case and may be anything.
func (f *cronField) value(written, s string) (int, error) {
	if n, ok := number(s); ok {
		if n < f.lo || n > f.hi {
			hint := say.Text{}
			if f.form == formWeekdays && n == 0 {
				hint = say.F("Sunday is 1, or SUN")
			}
			return 0, f.fault(written, say.F("in the %s is outside %d … %d", say.Word(f.noun), f.lo, f.hi), hint)
		}
		return n, nil
	}
	for i, name := range f.names {
		if s == name {
			return f.lo + i, nil
		}
	}
	hint := say.Text{}
	switch {
	case f.form == formUnixWeekdays && strings.ContainsAny(s, "L#"), f.form == formPlain && f.hi == 31 && strings.ContainsAny(s, "LW"):
		hint = say.F("L, W and # are known to cron( ) with its six fields")
	case strings.Contains(s, "#"):
		hint = say.F("# belongs in the weekdays of cron( )")
	}
	for _, name := range f.names {
		if strings.HasPrefix(s, name) {
			hint = say.F("write %s", name)
		}
	}
	return 0, f.fault(written, say.F("is not known in the %s", say.Word(f.noun)), hint)
}

// upperASCII leaves everything but a-z alone: strings.ToUpper would turn the long ſ into an S.
func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - ('a' - 'A')
		}
		return r
	}, s)
}

func isBlank(r rune) bool { return strings.ContainsRune(blanks, r) }
