package calendar

import (
	"math"
	"math/bits"
	"strings"
	"sync/atomic"
	"time"

	"dayshift/internal/say"
)

// The years of EventBridge's cron. Unix cron and at() stay within them too, so that every search ends.
const (
	firstYear = 1970
	lastYear  = 2199
)

const (
	hourMinutes = 60
	dayMinutes  = 24 * hourMinutes
)

// cron is the set of local minutes on which an expression fires: times of the day, on dates.
type cron struct {
	minutes uint64 // bit m: minute m of an hour
	hours   uint32 // bit h: hour h of a day
	first   int    // the first time of a day that is in the set, in minutes

	days     MonthDays
	lastWork bool // LW: the month's last Monday-Friday
	weekdays Weekdays
	// either makes a date match by its day or its weekday, as Unix cron does where both are restricted. Else it has to
	// match by both; in EventBridge's cron one of them matches every date.
	either bool
	months Months
	years  yearSet

	zone *time.Location
	// spans and pages are where the last questions fell; a year of them fits side by side.
	spans [1 << 3]atomic.Pointer[zoneSpan]
	pages [1 << 4]atomic.Pointer[page]
}

// What shares a slot, as powers of two: a span by the instant that was asked about, 49 days, and a page by its date.
const (
	spanBits = 22 // seconds
	pageBits = 5  // days
)

// page is one month with its matching dates.
type page struct {
	first     int64 // its 1st, in days since 1970-01-01
	days      int64 // how many it has
	matching  uint32
	year, mon int
}

// yearSet has bit y - firstYear for each year y.
type yearSet [(lastYear-firstYear)/64 + 1]uint64

// next gives the first year of the set from a year on.
func (s *yearSet) next(year int) (int, bool) {
	at := max(year-firstYear, 0)
	for i := at / 64; i < len(s); i, at = i+1, 0 {
		if word := s[i] >> (at % 64) << (at % 64); word != 0 {
			return firstYear + i*64 + bits.TrailingZeros64(word), true
		}
	}
	return 0, false
}

// next finds the first fire later than an instant.
//
// A local time becomes the first instant at which the clock shows it or a later one, so a time fires after the instant
// exactly when it is later than all that the clock has shown up to then. The search therefore goes on from the latest
// time shown, which is not the one shown now where the clock went back; and times that the clock jumps over become one
// instant, of which the rest are not later.
func (c *cron) next(after int64) (int64, bool) {
	slot := &c.spans[after>>spanBits&int64(len(c.spans)-1)]
	span := slot.Load()
	if span == nil || after < span.from || after >= span.until {
		span = spanAt(c.zone, after)
		slot.Store(span)
	}
	local, ok := c.nextLocal(max(after+span.seconds, span.shown))
	if !ok {
		return 0, false
	}
	if at := local - span.seconds; at < span.until {
		return at, true
	}
	return localInstant(c.zone, local), true
}

// nextLocal finds the first local minute of the set later than a local time; both in seconds of the local clock.
func (c *cron) nextLocal(after int64) (int64, bool) {
	minute := max(floorDiv(after, 60)+1, 0) // the set begins in 1970
	date, now := minute/dayMinutes, int(minute%dayMinutes)
	p := c.page(date)
	day := int(date-p.first) + 1
	if p.matching&(1<<day) != 0 {
		if found, ok := c.timeFrom(now); ok {
			return (date*dayMinutes + int64(found)) * 60, true
		}
	}
	ok := true
	if later := p.matching >> (day + 1) << (day + 1); later != 0 {
		date += int64(bits.TrailingZeros32(later) - day)
	} else {
		date, ok = c.dateAfter(p.year, p.mon)
	}
	return (date*dayMinutes + int64(c.first)) * 60, ok
}

// page gives the month that a date is in. Two goroutines may make the same page; either will do.
func (c *cron) page(date int64) *page {
	slot := &c.pages[date>>pageBits&int64(len(c.pages)-1)]
	p := slot.Load()
	if p == nil || date < p.first || date >= p.first+p.days {
		year, mon, day := dateOf(date)
		m := monthOf(year, mon)
		p = &page{first: date - int64(day-1), days: int64(m.days), year: year, mon: mon}
		if y, ok := c.years.next(year); ok && y == year && c.months.has(mon) {
			p.matching = c.mask(m)
		}
		slot.Store(p)
	}
	return p
}

// timeFrom finds the first time of the day at or after one, in minutes.
func (c *cron) timeFrom(now int) (int, bool) {
	hour, minute := now/hourMinutes, now%hourMinutes
	if c.hours&(1<<hour) != 0 {
		if rest := c.minutes >> minute; rest != 0 {
			return now + bits.TrailingZeros64(rest), true
		}
	}
	later := c.hours >> (hour + 1) << (hour + 1)
	if later == 0 {
		return 0, false
	}
	return bits.TrailingZeros32(later)*hourMinutes + bits.TrailingZeros64(c.minutes), true
}

// dateAfter finds the first matching date in the months after one, in days since 1970-01-01. It looks at no more months
// than there are from 1970 to 2199, and at a single one unless the dates are rare.
func (c *cron) dateAfter(year, mon int) (int64, bool) {
	for {
		rest := c.months.mask >> (mon + 1) << (mon + 1)
		y, ok := c.years.next(year)
		switch {
		case !ok:
			return 0, false
		case y > year:
			year, rest = y, c.months.mask
		case rest == 0:
			year, mon = year+1, 0
			continue
		}
		mon = bits.TrailingZeros16(rest)
		if days := c.mask(monthOf(year, mon)); days != 0 {
			return daysOf(year, mon, bits.TrailingZeros32(days)), true
		}
	}
}

// mask has bit d set for each matching day d of a month.
func (c *cron) mask(m month) uint32 {
	days := c.days.mask(m)
	if c.lastWork {
		days |= MonthDays{nearest: 1 << m.days}.mask(m)
	}
	if c.either {
		return days | c.weekdays.mask(m)
	}
	return days & c.weekdays.mask(m)
}

// zoneSpan is a stretch of time in which a zone's clock runs without a jump.
type zoneSpan struct {
	from, until int64 // Unix seconds; until is not in it
	seconds     int64 // local = instant + seconds
	shown       int64 // the latest local second that the clock has shown before
}

// spanAt finds the stretch that an instant lies in.
func spanAt(loc *time.Location, at int64) *zoneSpan {
	t := time.Unix(at, 0).In(loc)
	_, seconds := t.Zone()
	begin, end := t.ZoneBounds()
	span := &zoneSpan{from: math.MinInt64, until: math.MaxInt64, seconds: int64(seconds), shown: math.MinInt64}
	if !end.IsZero() {
		span.until = end.Unix()
	}
	if begin.IsZero() {
		return span
	}
	span.from = begin.Unix()
	var room [4]offset
	before := offsetsIn(room[:0], loc, span.from-zoneReach, span.from-1)
	for i, o := range before {
		last := span.from - 1
		if i+1 < len(before) {
			last = before[i+1].from - 1
		}
		span.shown = max(span.shown, last+o.seconds)
	}
	return span
}

// localInstant is instantOf for a single local time.
func localInstant(loc *time.Location, local int64) int64 {
	var room [4]offset
	return instantOf(offsetsIn(room[:0], loc, local-zoneReach, local+zoneReach), local)
}

// parseEventCron reads what stands between the parentheses of cron( ).
func parseEventCron(inner string, zone *time.Location, fault func(problem, hint say.Text) error) (string, firing, error) {
	words := strings.FieldsFunc(inner, isBlank)
	if len(words) != 6 {
		hint := say.F("minutes hours days months weekdays years, as in cron(0 18 ? * MON-FRI *)")
		switch len(words) {
		case 5:
			hint = say.F("Unix cron's five fields stand without cron( ); here a year follows, as in cron(0 18 ? * MON-FRI *)")
		case 7:
			hint = say.F("there are no seconds: leave the first field out")
		}
		return "", nil, fault(say.F("has %d fields, not 6", len(words)), hint)
	}
	var all faults
	minutes := cronMinutes.parse(words[0], &all)
	hours := cronHours.parse(words[1], &all)
	days := cronDays.parse(words[2], &all)
	months := cronMonths.parse(words[3], &all)
	weekdays := cronWeekdays.parse(words[4], &all)
	years := cronYears.parse(words[5], &all)
	if days.open == weekdays.open {
		problem, hint := say.F("restricts both the days and the weekdays"), say.F("of the two write ? for the one that does not matter")
		if days.open {
			problem, hint = say.F("has ? for both the days and the weekdays"), say.F("for every day write * for one of them")
		}
		all.add(&Error{
			Field: fieldExpression, Text: strings.Join(words[2:5], " "), Problem: problem,
			Allowed: say.F("? in the days (third) or in the weekdays (fifth), not in both"), Hint: hint,
		})
	}
	if err := all.err(); err != nil {
		return "", nil, err
	}
	c := newCron(minutes, hours, days, months, weekdays, zone)
	c.years = yearSet(years.values)
	text := "cron(" + strings.Join([]string{minutes.text, hours.text, days.text, months.text, weekdays.text, years.text}, " ") + ")"
	if err := c.possible(text); err != nil {
		return "", nil, err
	}
	return text, c, nil
}

// unixWords are the words some crons take instead of five fields, with what they stand for.
var unixWords = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// parseUnixCron reads the five fields of Unix cron.
func parseUnixCron(text string, zone *time.Location, fault func(problem, hint say.Text) error) (string, firing, error) {
	words := strings.FieldsFunc(text, isBlank)
	if len(words) != 5 {
		hint := say.Text{}
		switch fields, known := unixWords[lowerASCII(words[0])]; {
		case known && len(words) == 1:
			hint = say.F("write %s", fields)
		case strings.HasPrefix(words[0], "@"):
			hint = say.F("for something in between write rate(5 minutes)")
		case strings.Contains(words[0], "="):
			hint = say.F("the zone is the rule's timezone, not a part of the expression")
		case len(words) == 6:
			hint = say.F("six fields, the last one the year, go into cron( )")
		}
		return "", nil, fault(say.F("is none of the known forms"), hint)
	}
	var all faults
	minutes := cronMinutes.parse(words[0], &all)
	hours := cronHours.parse(words[1], &all)
	days := unixDays.parse(words[2], &all)
	months := cronMonths.parse(words[3], &all)
	weekdays := unixWeekdays.parse(words[4], &all)
	if err := all.err(); err != nil {
		return "", nil, err
	}
	c := newCron(minutes, hours, days, months, weekdays, zone)
	c.either = !days.star && !weekdays.star
	for i := range c.years {
		c.years[i] = math.MaxUint64
	}
	const beyond = 63 - (lastYear-firstYear)%64 // bits of the last word that are no year
	c.years[len(c.years)-1] >>= beyond
	text = strings.Join([]string{minutes.text, hours.text, days.text, months.text, weekdays.text}, " ")
	if err := c.possible(text); err != nil {
		return "", nil, err
	}
	return text, c, nil
}

// newCron puts the fields that both crons have together.
func newCron(minutes, hours, days, months, weekdays cronSet, zone *time.Location) *cron {
	c := &cron{
		minutes:  minutes.values[0],
		hours:    uint32(hours.values[0]),
		days:     MonthDays{days: uint32(days.values[0]), last: days.last, nearest: days.nearest},
		lastWork: days.lastWork,
		weekdays: Weekdays{every: uint8(weekdays.values[0]), nth: weekdays.nth, last: weekdays.lastOf},
		months:   Months{uint16(months.values[0])},
		zone:     zone,
	}
	c.first = bits.TrailingZeros32(c.hours)*hourMinutes + bits.TrailingZeros64(c.minutes)
	return c
}

// possible refuses a set without a date.
func (c *cron) possible(text string) error {
	const before = 0 // the month before January
	year, ok := c.years.next(firstYear)
	if ok {
		_, ok = c.dateAfter(year, before)
	}
	if ok {
		return nil
	}
	e := &Error{
		Field: fieldExpression, Text: text, Problem: say.F("can never fire: none of the months and years it names has such a day"),
		Allowed: say.F("a date that exists in at least one of them"),
	}
	if c.weekdays.every == everyWeekday {
		e.Hint = say.F("for the last day of a month write L in the days of cron( )")
	}
	return e
}
