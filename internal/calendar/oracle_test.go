package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The oracle below answers what the package answers, by the letter of the semantics and with no regard to speed: it
// looks at the clock minute by minute (second by second where a zone's offset has seconds), and at every date by
// itself. It shares no code with the package.

// day is a date as the day expressions see it.
type day struct {
	year, month, day int
	weekday          int // 0 = Monday
	length           int // of its month
	as               int // the weekday it counts as
	makeUp           bool
}

func dayAt(local int64) day {
	t := time.Unix(local, 0).UTC()
	weekday := (int(t.Weekday()) + 6) % 7
	return day{
		t.Year(), int(t.Month()), t.Day(), weekday,
		time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day(), weekday, false,
	}
}

// fieldGen is a day field with what it means.
type fieldGen struct {
	texts   DayField
	matches func(day) bool
}

func anyDay(day) bool { return true }

type atomGen struct {
	text    string
	matches func(day) bool
}

// genField draws a day field: absent, one text with commas, or a list.
func genField(atom func(*rapid.T) atomGen) *rapid.Generator[fieldGen] {
	return rapid.Custom(func(t *rapid.T) fieldGen {
		n := rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3}).Draw(t, "atoms")
		if n == 0 {
			return fieldGen{nil, anyDay}
		}
		var f fieldGen
		var any []func(day) bool
		for range n {
			a := atom(t)
			f.texts = append(f.texts, a.text)
			any = append(any, a.matches)
		}
		if rapid.Bool().Draw(t, "one text") {
			f.texts = DayField{strings.Join(f.texts, rapid.SampledFrom([]string{",", ", ", " ,"}).Draw(t, "comma"))}
		}
		f.matches = func(d day) bool { return slices.ContainsFunc(any, func(m func(day) bool) bool { return m(d) }) }
		return f
	})
}

// spell writes a number with or without leading zeros, a name in full or in part, in any case.
func spell(t *rapid.T, v, lo int, names []string) string {
	if names == nil || rapid.Bool().Draw(t, "as number") {
		return rapid.SampledFrom([]string{"%d", "%02d", "%d"}).Draw(t, "format")[:0] + fmt.Sprintf(
			rapid.SampledFrom([]string{"%d", "%02d", "%d"}).Draw(t, "zeros"), v)
	}
	name := names[v-lo]
	name = name[:rapid.IntRange(3, len(name)).Draw(t, "letters")]
	switch rapid.IntRange(0, 2).Draw(t, "case") {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

var (
	oracleDays   = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	oracleMonths = []string{
		"january", "february", "march", "april", "may", "june", "july",
		"august", "september", "october", "november", "december",
	}
)

// walk lists a, a+step … up to b, starting again at lo after hi where b lies before a.
func walk(a, b, step, lo, hi int) map[int]bool {
	set := map[int]bool{}
	for at, taken := a, 0; ; taken++ {
		if taken%step == 0 {
			set[at] = true
		}
		if at == b {
			return set
		}
		if at++; at > hi {
			at = lo
		}
	}
}

// genSpan draws what the three fields have in common: a, a-b, a/n, a-b/n, * and */n.
func genSpan(t *rapid.T, lo, hi int, names []string, wraps bool, of func(day) int) atomGen {
	a, b := rapid.IntRange(lo, hi).Draw(t, "a"), rapid.IntRange(lo, hi).Draw(t, "b")
	if a > b && !wraps {
		a, b = b, a
	}
	step := rapid.SampledFrom([]int{1, 2, 3, 7, 10, 15, 40}).Draw(t, "step")
	ta, tb := spell(t, a, lo, names), spell(t, b, lo, names)
	dash := rapid.SampledFrom([]string{"-", " - ", "- "}).Draw(t, "dash")
	slash := rapid.SampledFrom([]string{"/", " / "}).Draw(t, "slash")
	var text string
	var set map[int]bool
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0:
		text, set = "*", walk(lo, hi, 1, lo, hi)
	case 1:
		text, set = fmt.Sprint("*", slash, step), walk(lo, hi, step, lo, hi)
	case 2:
		text, set = ta, walk(a, a, 1, lo, hi)
	case 3:
		text, set = ta+dash+tb, walk(a, b, 1, lo, hi)
	case 4:
		text, set = fmt.Sprint(ta, slash, step), walk(a, hi, step, lo, hi)
	default:
		text, set = fmt.Sprint(ta, dash, tb, slash, step), walk(a, b, step, lo, hi)
	}
	return atomGen{text, func(d day) bool { return set[of(d)] }}
}

func genWeekday(t *rapid.T) atomGen {
	of := func(d day) int { return d.as }
	v := rapid.IntRange(0, 6).Draw(t, "weekday")
	text := spell(t, v, 0, oracleDays)
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		n := rapid.IntRange(1, 5).Draw(t, "n")
		return atomGen{fmt.Sprint(text, "#", n), func(d day) bool { return !d.makeUp && d.weekday == v && (d.day+6)/7 == n }}
	case 1:
		return atomGen{text + "L", func(d day) bool { return !d.makeUp && d.weekday == v && d.day+7 > d.length }}
	case 2:
		return atomGen{"L", func(d day) bool { return d.as == 6 }}
	case 3:
		return atomGen{text + "-L", func(d day) bool { return d.as >= v }}
	}
	return genSpan(t, 0, 6, oracleDays, true, of)
}

func genMonthDay(t *rapid.T) atomGen {
	of := func(d day) int { return d.day }
	v := rapid.IntRange(1, 31).Draw(t, "day")
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return atomGen{"l", func(d day) bool { return d.day == d.length }}
	case 1:
		return atomGen{fmt.Sprint(v, "-L/3"), func(d day) bool { return d.day >= v && (d.day-v)%3 == 0 }}
	case 2, 3:
		return atomGen{fmt.Sprint(v, "W"), func(d day) bool {
			// The dates of the month that are Monday-Friday, the nearest to v first; of two as near, neither can be
			// (they are two days apart only around a weekend, which is nearer to one of them).
			if v > d.length {
				return false
			}
			first := (d.weekday - (d.day - 1)) // weekday of the 1st
			best, dist := 0, 99
			for x := 1; x <= d.length; x++ {
				if wd := ((first+x-1)%7 + 7) % 7; wd < 5 && max(x-v, v-x) < dist {
					best, dist = x, max(x-v, v-x)
				}
			}
			return d.day == best
		}}
	}
	return genSpan(t, 1, 31, nil, false, of)
}

func genMonth(t *rapid.T) atomGen {
	of := func(d day) int { return d.month }
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return atomGen{"^", func(d day) bool { return d.month == 1 }}
	case 1:
		return atomGen{"$", func(d day) bool { return d.month == 12 }}
	}
	return genSpan(t, 1, 12, oracleMonths, true, of)
}

// periodGen is a period with what its day fields mean.
type periodGen struct {
	def      PeriodDef
	b, e     int // minutes, -1 without
	matches  func(day) bool
	instance string
}

// times near which clocks jump, and that touch each other.
var times = []int{
	0, 1, 15, 30, 31, 60, 61, 89, 90, 105, 119, 120, 121, 135, 150, 179, 180, 181, 210, 239, 240,
	540, 720, 721, 1079, 1080, 1320, 1380, 1381, 1410, 1437, 1438, 1439,
}

func genPeriod(t *rapid.T, name string) periodGen {
	draw := func(label string) int {
		return rapid.OneOf(rapid.SampledFrom(times), rapid.SampledFrom(times), rapid.IntRange(0, 1439)).Draw(t, label)
	}
	p := periodGen{def: PeriodDef{Name: name}, b: -1, e: -1}
	form := rapid.SampledFrom([]string{"be", "be", "be", "be", "b", "e", ""}).Draw(t, "form")
	if strings.Contains(form, "b") {
		p.b = draw("begin")
		p.def.BeginTime = fmt.Sprintf("%d:%02d", p.b/60, p.b%60)
	}
	if strings.Contains(form, "e") {
		p.e = draw("end")
		if p.e == 0 && rapid.Bool().Draw(t, "24:00") {
			p.e = 1440
		}
		if p.e == p.b {
			p.e++
		}
		p.def.EndTime = fmt.Sprintf("%02d:%02d", p.e/60, p.e%60)
	}
	w, md, mo := fieldGen{nil, anyDay}, fieldGen{nil, anyDay}, fieldGen{nil, anyDay}
	if form == "" || rapid.Bool().Draw(t, "by weekday") {
		w = genField(genWeekday).Draw(t, "weekdays")
	}
	if rapid.IntRange(0, 3).Draw(t, "by day") == 0 {
		md = genField(genMonthDay).Draw(t, "monthdays")
	}
	if rapid.IntRange(0, 5).Draw(t, "by month") == 0 {
		mo = genField(genMonth).Draw(t, "months")
	}
	if form == "" && len(w.texts)+len(md.texts)+len(mo.texts) == 0 {
		w.texts = DayField{"*"}
	}
	p.def.Weekdays, p.def.MonthDays, p.def.Months = w.texts, md.texts, mo.texts
	p.matches = func(d day) bool { return w.matches(d) && md.matches(d) && mo.matches(d) }
	p.def.OnHolidays = rapid.IntRange(0, 3).Draw(t, "on holidays") == 0
	p.instance = rapid.SampledFrom([]string{"", "", "t3.small", "m5.large"}).Draw(t, "type")
	return p
}

// place is a zone with a date around which its clock does what the shape says.
type place struct {
	shape, zone, around string
}

var places = []place{
	{"an hour forward, west of Greenwich", "America/New_York", "2024-03-10"},
	{"an hour back, west of Greenwich", "America/New_York", "2024-11-03"},
	{"beyond the table of transitions", "America/New_York", "2052-03-10"},
	{"half an hour forward, southern hemisphere", "Australia/Lord_Howe", "2024-10-06"},
	{"half an hour back, southern hemisphere", "Australia/Lord_Howe", "2024-04-07"},
	{"two hours forward", "Antarctica/Troll", "2024-03-31"},
	{"two hours back", "Antarctica/Troll", "2024-10-27"},
	{"offset of 45 minutes, forward", "Pacific/Chatham", "2024-09-29"},
	{"offset of 45 minutes, back", "Pacific/Chatham", "2024-04-07"},
	{"a quarter of an hour at midnight", "Asia/Kathmandu", "1986-01-01"},
	{"no midnight, southern hemisphere", "America/Sao_Paulo", "2018-11-04"},
	{"back over midnight", "America/Sao_Paulo", "2018-02-18"},
	{"no midnight", "America/Havana", "2024-03-10"},
	{"no midnight, east", "Asia/Beirut", "2022-03-27"},
	{"no midnight on a Friday", "Africa/Cairo", "2023-04-28"},
	{"no midnight, 24:00", "America/Santiago", "2024-09-08"},
	{"back a minute after midnight", "America/St_Johns", "2010-11-07"},
	{"forward a minute after midnight", "America/St_Johns", "2010-03-14"},
	{"half an hour back at midnight", "Asia/Pyongyang", "2015-08-15"},
	{"half an hour back", "America/Caracas", "2007-12-09"},
	{"no 30 December", "Pacific/Apia", "2011-12-30"},
	{"no 31 December", "Pacific/Kiritimati", "1994-12-31"},
	{"no 21 August", "Pacific/Kwajalein", "1993-08-21"},
	{"summer time is the standard one", "Europe/Dublin", "2024-10-27"},
	{"double summer time, before 1970", "Europe/London", "1941-05-04"},
	{"two changes in five weeks", "Africa/Casablanca", "2024-03-10"},
	{"no summer time, half an hour west", "Pacific/Marquesas", "2024-03-01"},
	{"UTC over a leap day", "UTC", "2024-02-29"},
	{"UTC, a year without one", "UTC", "1900-02-28"},
	{"the far side", "Etc/GMT+12", "2023-12-31"},
	{"an offset with seconds", "Africa/Monrovia", "1972-01-07"},
	{"a date twice, before 1970", "America/Juneau", "1867-10-18"},
	{"no 31 December, before 1970", "Asia/Manila", "1844-12-31"},
}

// oracle holds what the clock shows, minute by minute, and what the periods make of it.
type oracle struct {
	shows map[int64]int64 // local minute → the first instant that shows it
	jumps [][3]int64      // the clock shows [0] when it is about to jump forward to [1], at the instant [2]
	runs  []oracleRun
	anys  [][2]int64
	gaps  []oracleGap
}

type oracleRun struct {
	from, to            int64
	beginLocal, enLocal int64
	key                 int64
	hasBegin            bool
	order               int
	want                Want
}

type oracleGap struct {
	from, to int64
	run      oracleRun
}

// look watches the clock of a zone from one instant to another, both whole minutes.
func look(loc *time.Location, from, to int64) *oracle {
	o := &oracle{shows: map[int64]int64{}}
	offset := func(at int64) int64 {
		_, off := time.Unix(at, 0).In(loc).Zone()
		return int64(off)
	}
	shown := func(at, local int64) {
		if _, twice := o.shows[local]; !twice && local%60 == 0 {
			o.shows[local] = at
		}
	}
	off := offset(from)
	for at := from; at < to; at += 60 {
		if next := offset(at + 59); next == off {
			shown(at+((-(at+off))%60+60)%60, at+off+((-(at+off))%60+60)%60)
			continue
		}
		for sec := at; sec < at+60; sec++ {
			next := offset(sec)
			if next > off {
				o.jumps = append(o.jumps, [3]int64{sec + off, sec + next, sec})
			}
			off = next
			shown(sec, sec+off)
		}
	}
	return o
}

// instant turns a local time into an instant: the first that shows it, or else the first after the gap it is in.
func (o *oracle) instant(local int64) int64 {
	if at, ok := o.shows[local]; ok {
		return at
	}
	for _, j := range o.jumps {
		if j[0] <= local && local < j[1] {
			return j[2]
		}
	}
	panic(fmt.Sprintf("the oracle did not look far enough for %s", time.Unix(local, 0).UTC()))
}

// piece is what a period makes of a date: 'r' a run, 'b' *any* before a begin, 'e' *any* until an end.
type piece struct {
	kind     rune
	from, to int64 // on the local clock
	key      int64 // the begin that decides who is the reason
	hasBegin bool
	order    int
	want     Want
}

// pieces is what a date holds, by the letter of the semantics, and whether its last end is left out.
func (c *caseGen) pieces(midnight int64) (list []piece, keepsOn bool) {
	d := dayAt(midnight)
	off := false
	for _, h := range c.holidays { // the first calendar that says something decides
		if as, known := h[midnight]; known {
			if off = as < 0; !off {
				d.as, d.makeUp = as, true
			}
			break
		}
	}
	for order, p := range c.periods {
		if off && !p.def.OnHolidays || !p.matches(d) {
			continue
		}
		r := piece{'r', midnight, midnight + 86400, midnight, p.b >= 0, order, Want{Running, p.def.Name, p.instance}}
		if p.b >= 0 {
			r.from = midnight + int64(p.b)*60
			r.key = r.from
		}
		if p.e >= 0 {
			r.to = midnight + int64(p.e)*60
			if p.b > p.e {
				r.to += 86400
			}
		}
		switch {
		case p.b >= 0 && p.e < 0:
			list = append(list, r, piece{kind: 'b', from: midnight, to: r.from, order: order})
		case p.b < 0 && p.e >= 0:
			list = append(list, piece{kind: 'e', from: midnight, to: r.to, order: order})
		default:
			list = append(list, r)
		}
	}
	for _, x := range c.exceptions {
		if x.Type == StartException && x.on(midnight) {
			list = c.started(list, x.Exception, midnight)
		}
	}
	for _, x := range c.exceptions {
		if x.Type == StopException && x.on(midnight) {
			if x.None {
				keepsOn = true
			} else {
				list = stopped(list, int64(x.Value)*60, midnight)
			}
		}
	}
	return list, keepsOn
}

func (c *caseGen) started(list []piece, x Exception, midnight int64) (out []piece) {
	at := midnight + int64(x.Value)*60
	earliest, left := int64(0), 0
	for _, p := range list {
		if p.kind == 'r' && !x.None && p.to > at {
			if left++; left == 1 || p.from < earliest {
				earliest = p.from
			}
		}
	}
	begins := map[int]int64{} // of each period that still runs
	for _, p := range list {
		if p.kind == 'r' {
			if x.None || p.to <= at {
				continue
			}
			if p.from < at || p.from == earliest {
				p.from = at
			}
			begins[p.order] = p.from
			out = append(out, p)
		}
	}
	for _, p := range list {
		switch p.kind {
		case 'e':
			out = append(out, p)
		case 'b':
			p.to = midnight + 86400
			if begin, runs := begins[p.order]; runs {
				p.to = begin
			}
			out = append(out, p)
		}
	}
	if x.None || left > 0 {
		return out
	}
	end := midnight + 86400
search:
	for minute := at + 60; minute <= midnight+2*86400; minute += 60 {
		for _, p := range c.periods {
			ends := midnight + int64(p.e)*60
			if p.e >= 0 && (minute == ends || p.b > p.e && minute == ends+86400) {
				end = minute
				break search
			}
		}
	}
	return append(out, piece{'r', at, end, at, true, len(c.periods), Want{Running, ExceptionReason, ""}})
}

func stopped(list []piece, value, midnight int64) (out []piece) {
	begin, last, runs := midnight, int64(0), 0
	for _, p := range list {
		if p.kind == 'r' {
			if runs++; runs == 1 || p.from < begin {
				begin = p.from
			}
			last = max(last, p.to)
			if runs == 1 {
				last = p.to
			}
		}
	}
	at := midnight + value
	if at <= begin {
		at += 86400
	}
	later := slices.ContainsFunc(list, func(p piece) bool { return p.kind == 'r' && p.from >= at })
	for _, p := range list {
		switch {
		case p.kind == 'r' && p.from >= at:
			continue
		case p.kind == 'e', p.kind == 'r' && !later && p.to == last:
			p.to = at
		default:
			p.to = min(p.to, at)
		}
		out = append(out, p)
	}
	return out
}

// lay puts the schedule down on the dates.
func (o *oracle) lay(c *caseGen, dates []int64) {
	lead := int64(c.lead / time.Second)
	put := func(p piece, lead int64) {
		from, to := o.instant(p.from), o.instant(p.to)
		if p.kind != 'r' {
			o.anys = append(o.anys, [2]int64{from, to})
		} else if from < to {
			o.runs = append(o.runs, oracleRun{from - lead, to, p.from, p.to, p.key, p.hasBegin, p.order, p.want})
		}
	}
	type kept struct {
		last map[rune]int64
		list []piece
	}
	var keeps []kept
	var stops []int64
	for _, midnight := range dates {
		list, keepsOn := c.pieces(midnight)
		k := kept{map[rune]int64{}, list}
		for _, p := range list {
			put(p, lead)
			if last, known := k.last[p.kind]; p.kind != 'b' && (!known || p.to > last) {
				k.last[p.kind] = p.to
			}
		}
		for _, p := range list {
			removed := keepsOn && p.to == k.last[p.kind]
			if p.kind != 'b' && !removed {
				stops = append(stops, p.to)
			}
		}
		if keepsOn {
			keeps = append(keeps, k)
		}
		if len(k.last) == 0 {
			for _, x := range c.exceptions {
				if x.Type == StopException && x.on(midnight) && !x.None {
					stops = append(stops, midnight+int64(x.Value)*60)
				}
			}
		}
	}
	for _, k := range keeps {
		for _, p := range k.list {
			if p.kind == 'b' || p.to != k.last[p.kind] {
				continue
			}
			next := dates[len(dates)-1] + 86400 // beyond what is looked at
			for _, at := range stops {
				if at > p.to {
					next = min(next, at)
				}
			}
			p.from, p.to = p.to, next
			put(p, 0)
		}
	}
	for _, before := range o.runs {
		for _, after := range o.runs {
			onClock := after.beginLocal - before.enLocal
			if before.to < after.from && (after.from-before.to <= 60 || 0 <= onClock && onClock <= 60) {
				o.gaps = append(o.gaps, oracleGap{before.to, after.from, after})
			}
		}
	}
}

// reasonBefore tells which of two running periods is the reason.
func reasonBefore(a, b oracleRun) bool {
	if a.hasBegin != b.hasBegin {
		return a.hasBegin
	}
	if a.hasBegin && a.key != b.key {
		return a.key > b.key
	}
	return a.order < b.order
}

func (o *oracle) wanted(at int64) Want {
	var best *oracleRun
	for i, r := range o.runs {
		if r.from <= at && at < r.to && (best == nil || reasonBefore(r, *best)) {
			best = &o.runs[i]
		}
	}
	if best != nil {
		return best.want
	}
	for _, a := range o.anys {
		if a[0] <= at && at < a[1] {
			return Want{State: Any}
		}
	}
	var next *oracleGap
	for i, g := range o.gaps {
		if g.from <= at && at < g.to &&
			(next == nil || g.to < next.to || g.to == next.to && reasonBefore(g.run, next.run)) {
			next = &o.gaps[i]
		}
	}
	if next != nil {
		return next.run.want
	}
	return Want{State: Stopped}
}

// caseGen is a schedule in a place, compiled, with its periods' meaning.
type caseGen struct {
	place    place
	around   time.Time
	periods  []periodGen
	lead     time.Duration
	schedule *Schedule

	exceptions []exceptionGen
	holidays   []map[int64]int // by midnight: the weekday a date counts as, -1 for a day off
}

// exceptionGen is an exception with what its dates mean.
type exceptionGen struct {
	Exception
	first, last int64 // midnights
}

func (x exceptionGen) on(midnight int64) bool { return x.first <= midnight && midnight <= x.last }

// genDates draws exceptions and holidays around a date.
func (c *caseGen) genDates(t *rapid.T, def *ScheduleDef) {
	near := func(label string) int64 {
		return c.around.Unix() + 86400*rapid.Int64Range(-2, 2).Draw(t, label)
	}
	written := func(midnight int64) string { return time.Unix(midnight, 0).UTC().Format(time.DateOnly) }
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3, 4}).Draw(t, "exceptions") {
		x := exceptionGen{first: near("first date")}
		x.last = x.first + 86400*rapid.SampledFrom([]int64{0, 0, 0, 1, 2}).Draw(t, "more dates")
		text := ExceptionDef{From: written(x.first), To: written(x.last), Type: rapid.SampledFrom([]string{"start", "stop"}).Draw(t, "type"), Value: "none"}
		if rapid.IntRange(0, 2).Draw(t, "none") > 0 {
			at := rapid.OneOf(rapid.SampledFrom(times), rapid.IntRange(0, 1439)).Draw(t, "value")
			text.Value = fmt.Sprintf("%d:%02d", at/60, at%60)
			if at == 0 && text.Type == "stop" && rapid.Bool().Draw(t, "24:00") {
				text.Value = "24:00"
			}
		}
		var err error
		if x.Exception, err = CompileException(text); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(def.Exceptions, func(y Exception) bool { _, clash := y.Clash(x.Exception); return clash }) {
			c.exceptions, def.Exceptions = append(c.exceptions, x), append(def.Exceptions, x.Exception)
		}
	}
	for i := range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "calendars") {
		days := map[int64]int{}
		text := HolidaysDef{Name: fmt.Sprintf("h%d", i)}
		for range rapid.IntRange(1, 4).Draw(t, "dates") {
			midnight := near("date")
			if _, twice := days[midnight]; twice {
				continue
			}
			if days[midnight] = rapid.IntRange(-4, 6).Draw(t, "as"); days[midnight] < 0 {
				text.Days = append(text.Days, DayOffDef{Date: written(midnight)})
			} else {
				text.MakeUp = append(text.MakeUp, MakeUpDef{Date: written(midnight), As: oracleDays[days[midnight]]})
			}
		}
		h, err := CompileHolidays(text)
		if err != nil {
			t.Fatal(err)
		}
		c.holidays, def.Holidays = append(c.holidays, days), append(def.Holidays, h)
	}
}

func genCase(t *rapid.T) caseGen {
	c := caseGen{place: rapid.SampledFrom(places).Draw(t, "place")}
	around, err := time.Parse(time.DateOnly, c.place.around)
	if err != nil {
		t.Fatal(err)
	}
	c.around = around
	c.lead = rapid.SampledFrom([]time.Duration{0, 0, 0, time.Minute, 10 * time.Minute, 90 * time.Minute, 24 * time.Hour}).Draw(t, "lead")
	def := ScheduleDef{Name: "s", Timezone: c.place.zone, StartLead: c.lead}
	defs := map[string]PeriodDef{}
	for i := range rapid.IntRange(1, 4).Draw(t, "periods") {
		p := genPeriod(t, fmt.Sprintf("p%d", i))
		c.periods = append(c.periods, p)
		defs[p.def.Name] = p.def
		ref := p.def.Name
		if p.instance != "" {
			ref += "@" + p.instance
		}
		def.Periods = append(def.Periods, ref)
	}
	if rapid.Bool().Draw(t, "dated") {
		c.genDates(t, &def)
	}
	if c.schedule, err = Compile(def, defs, nil); err != nil {
		t.Fatalf("%+v %+v: %v", def, defs, err)
	}
	return c
}

func (c caseGen) String() string {
	out := c.place.zone
	for _, p := range c.periods {
		out += fmt.Sprintf(" | %s@%s %s..%s w=%s d=%s m=%s", p.def.Name, p.instance, p.def.BeginTime, p.def.EndTime,
			p.def.Weekdays, p.def.MonthDays, p.def.Months)
	}
	for _, x := range c.exceptions {
		out += " | " + x.String()
	}
	return out + fmt.Sprint(" holidays=", c.holidays, " lead=", c.lead)
}

// TestEvaluationEqualsTheClockWalk compares Wanted and Boundaries with the oracle on every minute of some days around
// what a zone's clock does there, and what is computed for a stretch by itself on every minute of it.
func TestEvaluationEqualsTheClockWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCase(t)
		begin := c.around.Unix() - 86400
		end := begin + 3*86400
		// A date's times lie within two days of it in UTC, a night goes on for another day, and so does the longest lead.
		var dates []int64
		for d := begin - 3*86400; d <= end+4*86400; d += 86400 {
			dates = append(dates, d)
		}
		o := look(c.schedule.Location(), begin-5*86400, end+8*86400)
		o.lay(&c, dates)
		fail := func(what string, at int64, got any, want Want) {
			t.Helper()
			t.Fatalf("%s\n%s at %s: got %+v, want %+v", c, what, time.Unix(at, 0).In(c.schedule.Location()), got, want)
		}

		answers := make([]Want, 0, (end-begin)/60)
		for at := begin; at < end; at += 60 {
			w := o.wanted(at)
			if got := c.schedule.WantedUnix(at); got != w {
				fail("Wanted", at, got, w)
			}
			answers = append(answers, w)
		}

		last, at := answers[0], begin
		for b := range c.schedule.Boundaries(time.Unix(begin, 0), time.Unix(end-1, 0)) {
			// Nothing changed on the minutes before, and at the boundary something does.
			for ; at < b.At.Unix(); at += 60 {
				if w := answers[(at-begin)/60]; w != last {
					fail("Boundaries leave out a change", at, b, w)
				}
			}
			if before := o.wanted(b.At.Unix() - 1); before != b.From || b.From != last || b.From == b.To {
				fail("Boundaries, before", b.At.Unix(), b, before)
			}
			if after := o.wanted(b.At.Unix()); after != b.To {
				fail("Boundaries, after", b.At.Unix(), b, after)
			}
			last = b.To
		}
		if w := answers[len(answers)-1]; w != last {
			fail("Boundaries end", end, last, w)
		}

		from := begin + 60*rapid.Int64Range(0, int64(len(answers)-2)).Draw(t, "from")
		to := min(from+60*rapid.Int64Range(1, 2000).Draw(t, "minutes"), end)
		changes := c.schedule.changes(new(worktable), from, to)
		for i, at := 0, from; at < to; at += 60 {
			for i+1 < len(changes) && changes[i+1].at <= at {
				i++
			}
			if got, w := c.schedule.wants[changes[i].want], answers[(at-begin)/60]; got != w {
				fail(fmt.Sprintf("changes from %d to %d", from, to), at, got, w)
			}
		}
	})
}

// genInstant draws an instant near the case's place in time, or far from it.
func (c caseGen) genInstant(t *rapid.T) time.Time {
	near := c.around.Unix()
	return time.Unix(rapid.OneOf(
		rapid.Int64Range(near-3*86400, near+3*86400),
		rapid.Int64Range(near-400*86400, near+400*86400),
		rapid.Int64Range(minInstant, maxInstant),
	).Draw(t, "instant"), rapid.SampledFrom([]int64{0, 0, 1, 999_999_999}).Draw(t, "ns"))
}

// TestNextIsTheFirstChange holds Next and NextState against Wanted.
func TestNextIsTheFirstChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCase(t)
		s := c.schedule
		at := c.genInstant(t)
		now := s.Wanted(at)
		b, ok := s.Next(at)
		last := at.Add(Horizon)
		if ok {
			last = b.At.Add(-time.Nanosecond)
			if !b.At.After(at) {
				t.Fatalf("%s\nNext(%s) is %s", c, at, b.At)
			}
			if b.From == b.To || s.Wanted(b.At) != b.To || s.Wanted(last) != b.From || b.From != now {
				t.Fatalf("%s\nNext(%s) is %+v, but there %+v becomes %+v", c, at, b, s.Wanted(last), s.Wanted(b.At))
			}
		}
		for range 50 {
			between := time.Unix(rapid.Int64Range(at.Unix(), last.Unix()).Draw(t, "between"), 0)
			if w := s.Wanted(between); w != now {
				t.Fatalf("%s\nat %s %+v, Next is %s (%v), but at %s %+v", c, at, now, b.At, ok, between, w)
			}
		}
		st, stOK := s.NextState(at)
		if stOK && (st.From.State != now.State || st.To.State == now.State || st.At.Before(b.At)) {
			t.Fatalf("%s\nNextState(%s) is %+v, at first %+v", c, at, st, now)
		}
		for x := range s.Boundaries(at, at.AddDate(0, 0, 40)) {
			if x.From.State != x.To.State {
				if !stOK || x != st {
					t.Fatalf("%s\nNextState(%s) is %+v (%v), but the state changes at %+v", c, at, st, stOK, x)
				}
				break
			}
		}
	})
}

// TestAnswersDoNotDependOnTheOrderOfQuestions asks two copies of a schedule the same questions in two orders, with
// others in between that take the same slots.
func TestAnswersDoNotDependOnTheOrderOfQuestions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCase(t)
		again, err := CompileWith(ScheduleDef{Name: c.schedule.name}, nil, c.schedule.loc)
		if err != nil {
			t.Fatal(err)
		}
		again.members, again.wants, again.lead = c.schedule.members, c.schedule.wants, c.schedule.lead
		again.holidays, again.exceptions, again.dated, again.extensions, again.exceptionWant = c.schedule.holidays,
			c.schedule.exceptions, c.schedule.dated, c.schedule.extensions, c.schedule.exceptionWant
		var instants []time.Time
		for range 20 {
			at := c.genInstant(t)
			instants = append(instants, at, at.Add(chunkSlots*chunkSize*time.Second))
		}
		answers := make([]Want, len(instants))
		for i, at := range instants {
			answers[i] = c.schedule.Wanted(at)
		}
		for i, at := range slices.Backward(instants) {
			again.Next(at)
			if w := again.Wanted(at); w != answers[i] {
				t.Fatalf("%s\nat %s: %+v, asked again %+v", c, at, answers[i], w)
			}
		}
	})
}

// TestPrintedFieldsParseToTheSame is parse∘print, and holds the sets against what the generator means by them.
func TestPrintedFieldsParseToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		year, mon := rapid.IntRange(1, 9999).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month")
		var days []day
		first := time.Date(year, time.Month(mon), 1, 0, 0, 0, 0, time.UTC)
		for d := first; d.Month() == first.Month(); d = d.AddDate(0, 0, 1) {
			days = append(days, dayAt(d.Unix()))
		}
		expect := func(f fieldGen) (out []int) {
			for _, d := range days {
				if f.matches(d) {
					out = append(out, d.day)
				}
			}
			return out
		}
		f := genField(genWeekday).Draw(t, "weekdays")
		w, err := ParseWeekdays(f.texts)
		again, errAgain := ParseWeekdays(DayField{w.String()})
		if err != nil || errAgain != nil || again != w || !slices.Equal(w.Days(year, mon), expect(f)) {
			t.Fatalf("weekdays %q: %v (%v), printed %s: %v (%v); want days %v", f.texts, w, err, w, again, errAgain, expect(f))
		}
		f = genField(genMonthDay).Draw(t, "monthdays")
		d, err := ParseMonthDays(f.texts)
		dAgain, errAgain := ParseMonthDays(DayField{d.String()})
		if err != nil || errAgain != nil || dAgain != d || !slices.Equal(d.Days(year, mon), expect(f)) {
			t.Fatalf("monthdays %q: %v (%v), printed %s: %v (%v); want days %v", f.texts, d, err, d, dAgain, errAgain, expect(f))
		}
		f = genField(genMonth).Draw(t, "months")
		m, err := ParseMonths(f.texts)
		mAgain, errAgain := ParseMonths(DayField{m.String()})
		if err != nil || errAgain != nil || mAgain != m || slices.Contains(m.Months(), mon) != f.matches(days[0]) {
			t.Fatalf("months %q: %v (%v), printed %s: %v (%v)", f.texts, m, err, m, mAgain, errAgain)
		}
		tod := TimeOfDay(rapid.IntRange(0, 1440).Draw(t, "time"))
		if got, err := ParseTimeOfDay(tod.String(), true); err != nil || got != tod {
			t.Fatalf("%s parses to %s (%v)", tod, got, err)
		}
	})
}
