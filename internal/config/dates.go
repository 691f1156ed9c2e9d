package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"dayshift/internal/calendar"
	"dayshift/internal/holiday"
	"dayshift/internal/say"
)

// calendar compiles a holiday calendar; nil where it has a fault.
func (b *builder) calendar(name string, h Holidays) *calendar.Holidays {
	path := join("holidays", name)
	b.entryName(path, name, maxPeriodName)
	_, file := b.at[path+".file"]
	_, address := b.at[path+".url"]
	if len(h.Days)+len(h.MakeUp) == 0 && !file && !address && h.Builtin == "" && !b.reported(path) {
		b.nameFault(path, Fault{Problem: say.F("has no dates"), Allowed: say.F("days, make_up, file, url or builtin"), Fix: say.F("write builtin: cn, kr or us, or list the days")})
	}
	own := calendar.HolidaysDef{Name: name}
	for i, day := range h.Days {
		at := index(path+".days", i)
		b.note(at+".name", day.Name)
		if b.isDate(at+".date", day.Date) {
			own.Days = append(own.Days, calendar.DayOffDef{Date: day.Date, Name: day.Name})
		}
	}
	for i, day := range h.MakeUp {
		at := index(path+".make_up", i)
		b.note(at+".name", day.Name)
		_, err := calendar.ParseWeekday(day.As)
		b.oneFault(at+".as", err)
		if b.isDate(at+".date", day.Date) && err == nil {
			own.MakeUp = append(own.MakeUp, calendar.MakeUpDef{Date: day.Date, As: day.As, Name: day.Name})
		}
	}
	compiled, err := calendar.CompileHolidays(own)
	for _, e := range calendar.Faults(err) {
		b.dateFault(path, e)
	}
	lower := []*calendar.Holidays{b.published(name, h)}
	if builtin, ok := BuiltinHolidays(h.Builtin); ok {
		lower = append(lower, builtin)
	}
	if b.reported(path) || compiled == nil {
		return nil
	}
	for _, below := range lower {
		if below != nil {
			compiled = compiled.Over(below)
		}
	}
	return compiled
}

// BuiltinHolidays gives a calendar that comes with the program, false for a code that is none.
func BuiltinHolidays(code string) (*calendar.Holidays, bool) {
	b, ok := holiday.Load(code)
	if !ok {
		return nil, false
	}
	def := calendar.HolidaysDef{Name: code}
	for _, day := range b.Days {
		def.Days = append(def.Days, calendar.DayOffDef(day))
	}
	for _, day := range b.MakeUp {
		def.MakeUp = append(def.MakeUp, calendar.MakeUpDef{Date: day.Date, Name: day.Name})
	}
	compiled, err := calendar.CompileHolidays(def)
	mustDefault(err)
	return compiled, true
}

// isDate checks a date at its place.
func (d *decoder) isDate(path, text string) bool {
	if _, written := d.at[path]; !written {
		return false // a fault already: the key is required
	}
	_, err := calendar.ParseDate(text)
	d.oneFault(path, err)
	return err == nil
}

// oneFault notes what the calendar finds wrong with a value, at the value's own place.
func (d *decoder) oneFault(path string, err error) {
	for _, e := range calendar.Faults(err) {
		d.faultAt(path, Fault{Text: e.Text, Problem: e.Problem, Allowed: e.Allowed, Fix: e.Hint})
	}
}

// note checks a text for people.
func (d *decoder) note(path, text string) {
	if problem := badNote(text, maxNote); !problem.Empty() {
		d.faultAt(path, Fault{Text: text, Problem: problem})
	}
}

// dateFault notes a fault of a date among others, at the last place where it is written: the first one is the one it
// clashes with.
func (d *decoder) dateFault(path string, e *calendar.Error) {
	field := path + "." + e.Field
	at := field
	for i := 0; ; i++ {
		item := index(field, i) + ".date"
		spot, ok := d.at[item]
		if !ok {
			break
		}
		if spot.text == e.Text {
			at = item
		}
	}
	d.faultAt(at, Fault{Text: e.Text, Problem: e.Problem, Allowed: e.Allowed, Fix: e.Hint})
}

// published reads the iCalendar file or address of a calendar; nil where it names none, has a fault or is not fetched yet.
func (b *builder) published(name string, h Holidays) *calendar.Holidays {
	path := join("holidays", name)
	var makeUp *regexp.Regexp
	if h.MakeUpPattern != "" {
		at := path + ".make_up_pattern"
		compiled, err := regexp.Compile(h.MakeUpPattern)
		switch {
		case err != nil:
			b.faultAt(at, Fault{Text: h.MakeUpPattern, Problem: say.F("is not a regular expression: %v", err), Allowed: say.F(`RE2 syntax, such as "班|make-up"`)})
			return nil
		case len(h.MakeUpPattern) > maxNote:
			b.faultAt(at, Fault{Text: h.MakeUpPattern, Problem: say.F("is longer than %d bytes", maxNote)})
			return nil
		case h.File == "" && h.URL == "":
			b.faultAt(at, Fault{Text: h.MakeUpPattern, Problem: say.F("has no file whose events it could match"), Fix: say.F("add file: or url:, or list the days under make_up")})
			return nil
		}
		makeUp = compiled
	}
	_, address := b.at[path+".url"]
	if _, written := b.at[path+".refresh"]; written && !address && !b.reported(path) {
		b.faultAt(path+".refresh", Fault{Text: h.Refresh.String(), Problem: say.F("has no address to be fetched"), Fix: say.F("add url:, or remove the line")})
	}
	_, file := b.at[path+".file"]
	switch {
	case file && address:
		b.faultAt(path+".url", Fault{Text: shownURL(h.URL), Problem: say.F("stands beside a file"), Fix: say.F("keep one of the two")})
		return nil
	case address:
		return b.calendarAddress(name, h, makeUp)
	case file:
		return b.calendarFile(path, h, makeUp)
	}
	return nil
}

// calendarFile reads the .ics file of a calendar; nil where it has a fault.
func (b *builder) calendarFile(path string, h Holidays, makeUp *regexp.Regexp) *calendar.Holidays {
	at := path + ".file"
	if h.File == "" {
		b.faultAt(at, Fault{Problem: say.F("is empty"), Fix: say.F("name an .ics file, or remove the line")})
		return nil
	}
	f := Fault{Text: shownURL(h.File), Allowed: say.F("the path of an iCalendar file (.ics), relative to the folder of the configuration")}
	if strings.Contains(h.File, "://") {
		f.Problem, f.Fix = say.F("is an address, not a path"), say.F("write url: instead of file:")
		b.faultAt(at, f)
		return nil
	}
	if b.env.ReadCalendar == nil {
		f.Problem = say.F("names no file that can be read here")
		b.faultAt(at, f)
		return nil
	}
	data, err := b.env.ReadCalendar(h.File)
	if err != nil {
		u := unreadable(h.File, err)
		f.Problem, f.Fix = say.F("cannot be used: %s", u.Problem), u.Fix
		if errors.Is(err, fs.ErrNotExist) {
			f.Fix = say.F("create the file; the path is relative to the folder of the configuration")
		}
		b.faultAt(at, f)
		return nil
	}
	days, err := b.events(data, makeUp)
	if err != nil {
		f.Problem, f.Allowed = say.F("cannot be used: %v", err), say.F("an iCalendar file (RFC 5545) with events")
		b.faultAt(at, f)
		return nil
	}
	b.contents[at] = h.File + digest(data)
	return days
}

// digest stands for the content of a file among the lines of the configuration.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return " (sha256 " + hex.EncodeToString(sum[:6]) + ")"
}

// Address is the address of a holiday calendar that has to be fetched.
type Address struct {
	Calendar string
	URL      string
	// Refresh is how often.
	Refresh time.Duration
	// File: the calendar belongs to the file, not to the store.
	File bool
	// Fetched is when the copy in use was fetched; zero: there is none that can be used.
	Fetched time.Time
}

// shownURL is an address as a message may show it, without user and password.
func shownURL(text string) string { return urlUser.ReplaceAllString(text, "${1}"+redacted+"${3}") }

// shortURL is an address as logs and records show it: with some providers the path is a secret.
func shortURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return redacted
	}
	return u.Scheme + "://" + u.Host + "/…"
}

// checkURL says what is wrong with the address of a calendar.
func checkURL(text string) *Fault {
	f := &Fault{Text: shownURL(text), Allowed: say.F("an address of up to %d bytes that begins with https:// or http://", holiday.MaxAddress)}
	switch {
	case text == "":
		f.Problem, f.Fix = say.F("is empty"), say.F("write the address, or remove the line")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		f.Problem = say.F("has a blank or a control character in it")
	case !strings.Contains(text, "://"):
		f.Problem, f.Fix = say.F("is not an address that can be fetched"), say.F("write https:// before it, or file: for the path of a file")
	default:
		err := holiday.CheckAddress(text)
		if err == nil {
			return nil
		}
		f.Problem, f.Fix = addressFault(err)
	}
	return f
}

// addressFault takes an error about an address apart. What the address may be is said with the field.
func addressFault(err error) (problem, fix say.Text) {
	what, todo, _ := strings.Cut(strings.TrimPrefix(err.Error(), "the address "), "; ")
	if strings.HasPrefix(todo, "allowed: ") {
		todo = ""
	}
	return say.Word(what), say.Word(todo)
}

// calendarAddress reads the last good copy of a calendar's address; nil where there is none or the address has a fault.
func (b *builder) calendarAddress(name string, h Holidays, makeUp *regexp.Regexp) *calendar.Holidays {
	path := join("holidays", name)
	at := path + ".url"
	if b.unread(at) {
		return nil
	}
	if f := checkURL(h.URL); f != nil {
		b.faultAt(at, *f)
		return nil
	}
	address := Address{Calendar: name, URL: h.URL, Refresh: time.Duration(h.Refresh), File: b.src.of != ofObject}
	b.contents[at] = shortURL(h.URL) + digest([]byte(h.URL))
	days, problem, fix := b.copied(&address, makeUp)
	if !problem.Empty() {
		b.waiting[name] = true
		b.warnAt(at, Fault{Text: shortURL(h.URL), Problem: say.F("%s: its days do not count yet", problem), Fix: fix})
	}
	b.l.Addresses = append(b.l.Addresses, address)
	return days
}

// copied reads the copy of an address, or says why there is none to read.
func (b *builder) copied(address *Address, makeUp *regexp.Regexp) (days *calendar.Holidays, problem, fix say.Text) {
	var data []byte
	var fetched time.Time
	found := false
	if b.env.Copy != nil {
		data, fetched, found = b.env.Copy(address.URL)
	}
	if !found {
		return nil, say.F("has not been fetched yet"), say.F("the daemon fetches it when it starts, and every %s", Duration(address.Refresh).String())
	}
	days, err := b.events(data, makeUp)
	if err != nil {
		return nil, say.F("was fetched, and cannot be used: %v", err), say.F("look at the address with a browser: it has to be an iCalendar file (RFC 5545) with events")
	}
	address.Fetched = fetched.UTC()
	b.contents[join("holidays", address.Calendar)+".url"] += ", content" + digest(data)
	return days, say.Text{}, say.Text{}
}

// events compiles the events of an iCalendar file.
func (b *builder) events(data []byte, makeUp *regexp.Regexp) (*calendar.Holidays, error) {
	zone := b.zone
	if zone == nil {
		zone = time.UTC // the zone is a fault of its own
	}
	days, err := holiday.Parse(data, zone, makeUp)
	if err != nil {
		return nil, err
	}
	if len(days) == 0 {
		return nil, fmt.Errorf("it has no event between %d and %d", holiday.FirstYear, holiday.LastYear)
	}
	var def calendar.HolidaysDef
	for _, day := range days {
		if day.MakeUp {
			def.MakeUp = append(def.MakeUp, calendar.MakeUpDef{Date: day.Date, As: day.As, Name: day.Name})
		} else {
			def.Days = append(def.Days, calendar.DayOffDef(day.Dated))
		}
	}
	return calendar.CompileHolidays(def)
}

// observes looks up the calendars that a schedule names.
func (b *builder) observes(path string, names []string) []*calendar.Holidays {
	all := b.calendars
	var list []*calendar.Holidays
	for i, name := range names {
		at := index(path+".holidays", i)
		h, known := all[name]
		switch {
		case b.unread(at):
		case !known:
			f := Fault{Text: name, Problem: say.F("names a holiday calendar that does not exist"), Fix: guess(b, name, all)}
			switch {
			case len(all) > maxListed:
			case len(all) > 0:
				f.Allowed = say.Names(sortedKeys(all))
			case slices.Contains(holiday.Codes, name):
				f.Fix = say.F("add holidays: {%s: {builtin: %s}}", name, name)
			default:
				f.Fix = say.F("there are none yet: define one under holidays:")
			}
			b.faultAt(at, f)
		case slices.Contains(names[:i], name):
			b.faultAt(at, Fault{Text: name, Problem: say.F("is named twice"), Fix: say.F("remove one of the two")})
		case h != nil:
			list = append(list, h)
		case b.src.of == ofObject:
			b.faultAt(at, Fault{Text: name, Problem: say.F("names a holiday calendar that is refused itself")})
		}
		b.observed[name] = true
	}
	return list
}

// coverage warns of calendars that nobody uses, and of those that do not know this year or, in December, the next one.
func (b *builder) coverage() {
	for _, name := range sortedKeys(b.calendars) {
		h, path := b.calendars[name], join("holidays", name)
		if !b.observed[name] {
			b.warnName(path, Fault{Problem: say.F("is named by no schedule")})
			continue
		}
		if h == nil || b.env.Now == nil || b.waiting[name] && h.Len() == 0 {
			continue
		}
		now := b.env.Now().UTC()
		years := []int{now.Year()}
		if now.Month() == time.December {
			years = append(years, now.Year()+1)
		}
		for _, year := range years {
			if !h.Covers(year) {
				b.warnName(path, Fault{
					Problem: say.F("calendar %s does not cover %d: no day of that year counts as a day off or as a make-up day", name, year),
					Fix:     say.F("add the days of %d under %s.days, or a file that has them", year, path),
				})
			}
		}
	}
}

// datedOf are the exceptions of each schedule, with the place of each in the file.
type datedOf map[string][]dated

type dated struct {
	calendar.Exception
	path string
}

// of gives the exceptions of a schedule.
func (all datedOf) of(schedule string) []calendar.Exception {
	var list []calendar.Exception
	for _, x := range all[schedule] {
		list = append(list, x.Exception)
	}
	return list
}

// exception compiles a dated exception. One that is at fault is left out.
func (b *builder) exception(path string, e Exception) {
	b.note(path+".note", e.Note)
	if _, written := b.at[path+".schedule"]; written {
		if _, known := b.c.Schedules[e.Schedule]; !known {
			b.faultAt(path+".schedule", Fault{
				Text: e.Schedule, Problem: say.F("names a schedule that does not exist"), Fix: guess(b, e.Schedule, b.c.Schedules),
			})
		}
	}
	x, err := calendar.CompileException(calendar.ExceptionDef{
		Date: e.Date, From: e.From, To: e.To, Type: e.Type, Value: e.Value, Note: e.Note,
	})
	for _, fault := range calendar.Faults(err) {
		b.exceptionFault(path, fault)
	}
	if err != nil || b.reported(path) {
		return
	}
	list := b.exceptions[e.Schedule]
	days := b.days[e.Schedule] + int(x.To-x.From) + 1
	if len(list) == calendar.MaxExceptions || days > calendar.MaxExceptionDays {
		b.faultAt(path, Fault{
			Problem: say.F("is one too many: the exceptions of schedule %q are more than %d, or for more than %d dates", e.Schedule, calendar.MaxExceptions, calendar.MaxExceptionDays),
			Fix:     say.F("remove what is over; what lasts is a period of its own"),
		})
		b.full = true
		return
	}
	clash := slices.IndexFunc(list, func(y dated) bool { _, both := x.Clash(y.Exception); return both })
	if clash >= 0 {
		date, _ := x.Clash(list[clash].Exception)
		b.faultAt(path, Fault{
			Text:    x.String(),
			Problem: say.F("and %q %s both move the %s of %s", list[clash].String(), b.at[list[clash].path].words(), x.Type, date),
			Fix:     say.F("remove one of the two"),
		})
		return
	}
	b.exceptions[e.Schedule] = append(list, dated{x, path})
	b.days[e.Schedule] = days
}

// exceptionFault notes what the calendar finds wrong with an exception, once.
func (d *decoder) exceptionFault(path string, e *calendar.Error) {
	f := Fault{Text: e.Text, Problem: e.Problem, Allowed: e.Allowed, Fix: e.Hint}
	at := path + "." + e.Field
	_, written := d.at[at]
	switch _, key := d.keys[at]; {
	case d.reported(at):
	case written || key:
		d.faultAt(at, f)
	case e.Field == "type" || e.Field == "value":
		// Keys that are required were missed already.
	default:
		f.Problem = say.F("has no %s", e.Field)
		d.faultAt(path, f)
	}
}

// pastExceptions warns of exceptions that are over.
func (b *builder) pastExceptions(list []dated, zone *time.Location) {
	if b.env.Now == nil {
		return
	}
	today := calendar.DateAt(b.env.Now(), zone)
	for _, x := range list {
		if x.To < today {
			b.warnAt(x.path, Fault{Text: x.String(), Problem: say.F("is over: it changes nothing any more"), Fix: say.F("remove it")})
		}
	}
}
