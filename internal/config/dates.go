package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/holiday"
)

// calendars compiles the holiday calendars. One with faults stands in the map as nil.
func (d *decoder) calendars(c *Config, zone *time.Location, env Env) map[string]*calendar.Holidays {
	all := make(map[string]*calendar.Holidays, len(c.Holidays))
	for _, name := range sortedKeys(c.Holidays) {
		all[name] = d.calendar(name, c.Holidays[name], zone, env)
	}
	return all
}

func (d *decoder) calendar(name string, h Holidays, zone *time.Location, env Env) *calendar.Holidays {
	path := join("holidays", name)
	if problem := badTagText(name, maxPeriodName); problem != "" {
		d.nameFault(path, Fault{Text: name, Problem: "is not a name: it " + problem, Allowed: fmt.Sprintf("1 to %d characters", maxPeriodName)})
	}
	if len(h.Days)+len(h.MakeUp) == 0 && h.File == "" && h.Builtin == "" && !d.reported(path) {
		d.nameFault(path, Fault{Problem: "has no dates", Allowed: "days, make_up, file or builtin", Fix: "write builtin: cn, kr or us, or list the days"})
	}
	own := calendar.HolidaysDef{Name: name}
	for i, day := range h.Days {
		at := index(path+".days", i)
		d.note(at+".name", day.Name)
		if d.isDate(at+".date", day.Date) {
			own.Days = append(own.Days, calendar.DayOffDef{Date: day.Date, Name: day.Name})
		}
	}
	for i, day := range h.MakeUp {
		at := index(path+".make_up", i)
		d.note(at+".name", day.Name)
		_, err := calendar.ParseWeekday(day.As)
		d.oneFault(at+".as", err)
		if d.isDate(at+".date", day.Date) && err == nil {
			own.MakeUp = append(own.MakeUp, calendar.MakeUpDef{Date: day.Date, As: day.As, Name: day.Name})
		}
	}
	compiled, err := calendar.CompileHolidays(own)
	for _, e := range calendar.Faults(err) {
		d.dateFault(path, e)
	}
	lower := []*calendar.Holidays{d.calendarFile(path, h, zone, env)}
	if builtin, ok := BuiltinHolidays(h.Builtin); ok {
		lower = append(lower, builtin)
	}
	if d.reported(path) || compiled == nil {
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
	if problem := badNote(text, maxNote); problem != "" {
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

// calendarFile reads the .ics file of a calendar; nil where it names none or has a fault.
func (d *decoder) calendarFile(path string, h Holidays, zone *time.Location, env Env) *calendar.Holidays {
	var makeUp *regexp.Regexp
	if h.MakeUpPattern != "" {
		at := path + ".make_up_pattern"
		compiled, err := regexp.Compile(h.MakeUpPattern)
		switch {
		case err != nil:
			d.faultAt(at, Fault{Text: h.MakeUpPattern, Problem: "is not a regular expression: " + err.Error(), Allowed: "RE2 syntax, such as \"班|make-up\""})
			return nil
		case len(h.MakeUpPattern) > maxNote:
			d.faultAt(at, Fault{Text: h.MakeUpPattern, Problem: fmt.Sprintf("is longer than %d bytes", maxNote)})
			return nil
		case h.File == "":
			d.faultAt(at, Fault{Text: h.MakeUpPattern, Problem: "has no file whose events it could match", Fix: "add file:, or list the days under make_up"})
			return nil
		}
		makeUp = compiled
	}
	at := path + ".file"
	if h.File == "" {
		if _, written := d.at[at]; written {
			d.faultAt(at, Fault{Problem: "is empty", Fix: "name an .ics file, or remove the line"})
		}
		return nil
	}
	f := Fault{Text: h.File, Allowed: "the path of an iCalendar file (.ics), relative to the folder of the configuration"}
	if strings.Contains(h.File, "://") {
		f.Problem, f.Fix = "is an address: calendars are not fetched in this version", "download the file and name its path"
		d.faultAt(at, f)
		return nil
	}
	if env.ReadCalendar == nil {
		f.Problem = "names no file that can be read here"
		d.faultAt(at, f)
		return nil
	}
	data, err := env.ReadCalendar(h.File)
	if err != nil {
		u := unreadable(h.File, err)
		f.Problem, f.Fix = "cannot be used: "+u.Problem, u.Fix
		if errors.Is(err, fs.ErrNotExist) {
			f.Fix = "create the file; the path is relative to the folder of the configuration"
		}
		d.faultAt(at, f)
		return nil
	}
	if zone == nil {
		zone = time.UTC // the zone is a fault of its own
	}
	days, err := holiday.Parse(data, zone, makeUp)
	if err == nil && len(days) == 0 {
		err = fmt.Errorf("it has no event between %d and %d", holiday.FirstYear, holiday.LastYear)
	}
	if err != nil {
		f.Problem, f.Allowed = "cannot be used: "+err.Error(), "an iCalendar file (RFC 5545) with events"
		d.faultAt(at, f)
		return nil
	}
	sum := sha256.Sum256(data)
	d.contents[at] = h.File + " (sha256 " + hex.EncodeToString(sum[:6]) + ")"
	var def calendar.HolidaysDef
	for _, day := range days {
		if day.MakeUp {
			def.MakeUp = append(def.MakeUp, calendar.MakeUpDef{Date: day.Date, Name: day.Name})
		} else {
			def.Days = append(def.Days, calendar.DayOffDef(day.Dated))
		}
	}
	compiled, err := calendar.CompileHolidays(def)
	if err != nil {
		f.Problem = "cannot be used: " + err.Error()
		d.faultAt(at, f)
		return nil
	}
	return compiled
}

// observes looks up the calendars that a schedule names.
func (d *decoder) observes(path string, names []string, all map[string]*calendar.Holidays, observed map[string]bool) []*calendar.Holidays {
	var list []*calendar.Holidays
	for i, name := range names {
		at := index(path+".holidays", i)
		h, known := all[name]
		switch {
		case d.unread(at):
		case !known:
			f := Fault{Text: name, Problem: "names a holiday calendar that does not exist", Fix: didYouMean(name, sortedKeys(all))}
			switch known := sortedKeys(all); {
			case len(known) > 0:
				f.Allowed = strings.Join(known, ", ")
			case slices.Contains(holiday.Codes, name):
				f.Fix = fmt.Sprintf("add holidays: {%s: {builtin: %s}}", name, name)
			default:
				f.Fix = "there are none yet: define one under holidays:"
			}
			d.faultAt(at, f)
		case slices.Contains(names[:i], name):
			d.faultAt(at, Fault{Text: name, Problem: "is named twice", Fix: "remove one of the two"})
		case h != nil:
			list = append(list, h)
		}
		observed[name] = true
	}
	return list
}

// coverage warns of calendars that nobody uses, and of those that do not know this year or, in December, the next one.
func (d *decoder) coverage(l *Loaded, all map[string]*calendar.Holidays, observed map[string]bool, env Env) {
	for _, name := range sortedKeys(all) {
		h, path := all[name], join("holidays", name)
		if !observed[name] {
			d.warn(l, d.keys[path], Fault{Path: path, Problem: "is named by no schedule"})
			continue
		}
		if h == nil || env.Now == nil {
			continue
		}
		now := env.Now().UTC()
		years := []int{now.Year()}
		if now.Month() == time.December {
			years = append(years, now.Year()+1)
		}
		for _, year := range years {
			if !h.Covers(year) {
				d.warn(l, d.keys[path], Fault{
					Path: path, Problem: fmt.Sprintf("calendar %s does not cover %d: no day of that year counts as a day off or as a make-up day", name, year),
					Fix: fmt.Sprintf("add the days of %d under %s.days, or a file that has them", year, path),
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

// exceptions reads the dated exceptions. What is at fault is left out.
func (d *decoder) exceptions(c *Config) datedOf {
	all := datedOf{}
	days := map[string]int{}
	for i, e := range c.Exceptions {
		path := index("exceptions", i)
		d.note(path+".note", e.Note)
		if _, written := d.at[path+".schedule"]; written {
			if _, known := c.Schedules[e.Schedule]; !known {
				d.faultAt(path+".schedule", Fault{
					Text: e.Schedule, Problem: "names a schedule that does not exist", Fix: didYouMean(e.Schedule, sortedKeys(c.Schedules)),
				})
			}
		}
		x, err := calendar.CompileException(calendar.ExceptionDef{
			Date: e.Date, From: e.From, To: e.To, Type: e.Type, Value: e.Value, Note: e.Note,
		})
		for _, fault := range calendar.Faults(err) {
			d.exceptionFault(path, fault)
		}
		if err != nil || d.reported(path) {
			continue
		}
		list := all[e.Schedule]
		days[e.Schedule] += int(x.To-x.From) + 1
		switch {
		case len(list) == calendar.MaxExceptions || days[e.Schedule] > calendar.MaxExceptionDays:
			d.faultAt(path, Fault{
				Problem: fmt.Sprintf("is one too many: the exceptions of schedule %q are more than %d, or for more than %d dates", e.Schedule, calendar.MaxExceptions, calendar.MaxExceptionDays),
				Fix:     "remove what is over; what lasts is a period of its own",
			})
			return all
		default:
			clash := slices.IndexFunc(list, func(y dated) bool { _, both := x.Clash(y.Exception); return both })
			if clash >= 0 {
				date, _ := x.Clash(list[clash].Exception)
				d.faultAt(path, Fault{
					Text:    x.String(),
					Problem: fmt.Sprintf("and %q on line %d both move the %s of %s", list[clash].String(), d.at[list[clash].path].line, x.Type, date),
					Fix:     "remove one of the two",
				})
				continue
			}
			all[e.Schedule] = append(list, dated{x, path})
		}
	}
	return all
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
		f.Problem = "has no " + e.Field
		d.faultAt(path, f)
	}
}

// pastExceptions warns of exceptions that are over.
func (d *decoder) pastExceptions(l *Loaded, list []dated, zone *time.Location, env Env) {
	if env.Now == nil {
		return
	}
	today := calendar.DateAt(env.Now(), zone)
	for _, x := range list {
		if x.To < today {
			d.warnAt(l, x.path, Fault{Text: x.String(), Problem: "is over: it changes nothing any more", Fix: "remove it"})
		}
	}
}
