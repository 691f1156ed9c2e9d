package service

import (
	"strconv"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
)

// ExpressionWords says when an expression fires: "at 23:55 from Monday to
// Friday, on the clock of Asia/Seoul". What it has no words for it names field
// by field, as it is written.
func ExpressionWords(e *calendar.Expression) say.Text {
	text := e.String()
	inner := text
	if _, rest, wrapped := strings.Cut(text, "("); wrapped {
		inner = strings.TrimSuffix(rest, ")")
	}
	onClock := func(words say.Text) say.Text { return say.F("%s, on the clock of %s", words, e.Location()) }
	switch e.Kind() {
	case calendar.KindRate:
		return rateWords(inner)
	case calendar.KindAt:
		return onClock(say.F("once, at %s", strings.Replace(inner, "T", " ", 1)))
	case calendar.KindCron, calendar.KindUnixCron:
	}
	fields := strings.Fields(inner)
	if len(fields) < 5 {
		return say.Raw(text)
	}
	words := timeWords(fields[0], fields[1], dayWords(fields[2], fields[4]))
	if fields[3] != "*" {
		words = say.F("%s in %s", words, nameWords(fields[3], monthNames))
	}
	if len(fields) > 5 && fields[5] != "*" {
		words = say.F("%s, in %s", words, spanWords(fields[5]))
	}
	return onClock(words)
}

// rateWords say how often.
func rateWords(rate string) say.Text {
	number, unit, _ := strings.Cut(rate, " ")
	switch unit = strings.TrimSuffix(unit, "s"); {
	case number == "1" && unit == "minute":
		return say.F("every minute")
	case number == "1" && unit == "hour":
		return say.F("every hour")
	case number == "1":
		return say.F("every day")
	case unit == "minute":
		return say.F("every %s minutes", number)
	case unit == "hour":
		return say.F("every %s hours", number)
	}
	return say.F("every %s days", number)
}

var (
	weekdayNames = map[string]string{
		"SUN": "Sunday", "MON": "Monday", "TUE": "Tuesday", "WED": "Wednesday", "THU": "Thursday", "FRI": "Friday", "SAT": "Saturday",
	}
	// numberedDays are those of EventBridge.
	numberedDays = map[string]string{"1": "Sunday", "2": "Monday", "3": "Tuesday", "4": "Wednesday", "5": "Thursday", "6": "Friday", "7": "Saturday"}
	monthNames   = map[string]string{
		"JAN": "January", "FEB": "February", "MAR": "March", "APR": "April", "MAY": "May", "JUN": "June", "JUL": "July", "AUG": "August",
		"SEP": "September", "OCT": "October", "NOV": "November", "DEC": "December",
	}
)

// anyValue reports whether a field takes every value.
func anyValue(field string) bool { return field == "*" || field == "?" }

// timeWords say at which times of which days.
func timeWords(minutes, hours string, days say.Text) say.Text {
	minute, minuteErr := strconv.Atoi(minutes)
	step, stepped := strings.CutPrefix(minutes, "*/")
	if from, by, ok := strings.Cut(minutes, "/"); ok && from == "0" {
		step, stepped = by, true
	}
	switch {
	case minuteErr == nil && !strings.ContainsAny(hours, "*/?-LW#"):
		var times []say.Text
		for hour := range strings.SplitSeq(hours, ",") {
			n, err := strconv.Atoi(hour)
			if err != nil {
				return say.F("at minute %s of hour %s %s", minutes, hours, days)
			}
			times = append(times, say.F("%02d:%02d", n, minute))
		}
		return say.F("at %s %s", joined(times), days)
	case minuteErr == nil && anyValue(hours):
		return say.F("at minute %d of every hour %s", minute, days)
	case minuteErr == nil:
		return say.F("at minute %d of the hours %s %s", minute, spanWords(hours), days)
	case anyValue(minutes) && anyValue(hours):
		return say.F("every minute %s", days)
	case stepped && anyValue(hours):
		return say.F("every %s minutes %s", step, days)
	case stepped:
		return say.F("every %s minutes of the hours %s %s", step, spanWords(hours), days)
	case anyValue(hours):
		return say.F("at the minutes %s of every hour %s", spanWords(minutes), days)
	}
	return say.F("at the minutes %s of the hours %s %s", spanWords(minutes), spanWords(hours), days)
}

// dayWords say on which days.
func dayWords(monthdays, weekdays string) say.Text {
	switch {
	case anyValue(monthdays) && anyValue(weekdays):
		return say.F("every day")
	case anyValue(monthdays):
		return weekdayWords(weekdays)
	case anyValue(weekdays):
		return monthdayWords(monthdays)
	}
	return say.F("%s and %s", monthdayWords(monthdays), weekdayWords(weekdays))
}

func weekdayWords(field string) say.Text {
	if first, last, ok := strings.Cut(field, "-"); ok && weekdayNames[first] != "" && weekdayNames[last] != "" {
		return say.F("from %s to %s", say.Word(weekdayNames[first]), say.Word(weekdayNames[last]))
	}
	if day, nth, ok := strings.Cut(field, "#"); ok && numberedDays[day] != "" {
		return say.F("on the %s %s of the month", say.Word(ordinal(nth)), say.Word(numberedDays[day]))
	}
	if day, last := strings.CutSuffix(field, "L"); last && numberedDays[day] != "" {
		return say.F("on the last %s of the month", say.Word(numberedDays[day]))
	}
	return say.F("on %s", nameWords(field, weekdayNames))
}

func monthdayWords(field string) say.Text {
	switch {
	case field == "L":
		return say.F("on the last day of the month")
	case field == "LW":
		return say.F("on the last working day of the month")
	case strings.HasSuffix(field, "W"):
		return say.F("on the working day nearest to day %s of the month", strings.TrimSuffix(field, "W"))
	case strings.ContainsAny(field, "-,/"):
		return say.F("on the days %s of the month", spanWords(field))
	}
	return say.F("on day %s of the month", field)
}

// nameWords writes names out, with ranges and lists.
func nameWords(field string, names map[string]string) say.Text {
	var parts []say.Text
	for part := range strings.SplitSeq(field, ",") {
		first, last, isRange := strings.Cut(part, "-")
		switch {
		case isRange && names[first] != "" && names[last] != "":
			parts = append(parts, stretch(say.Word(names[first]), say.Word(names[last])))
		case names[part] != "":
			parts = append(parts, say.Word(names[part]))
		default:
			parts = append(parts, say.Raw(part))
		}
	}
	return joined(parts)
}

// spanWords writes numbers with ranges and steps.
func spanWords(field string) say.Text {
	var parts []say.Text
	for part := range strings.SplitSeq(field, ",") {
		span, step, stepped := strings.Cut(part, "/")
		words := say.Raw(span)
		if first, last, isRange := strings.Cut(span, "-"); isRange {
			words = stretch(say.Raw(first), say.Raw(last))
		}
		if stepped && span == "*" {
			words = say.F("every %s from the first", step)
		} else if stepped {
			words = say.F("every %s from %s", step, words)
		}
		parts = append(parts, words)
	}
	return joined(parts)
}

// stretch is a range of names or numbers.
func stretch(first, last say.Text) say.Text { return say.F("%v to %v", first, last) }

func joined(parts []say.Text) say.Text {
	if n := len(parts); n > 1 {
		return say.F("%s and %s", say.List(parts[:n-1]...), parts[n-1])
	}
	return say.List(parts...)
}

func ordinal(n string) string {
	switch n {
	case "1":
		return "first"
	case "2":
		return "second"
	case "3":
		return "third"
	case "4":
		return "fourth"
	}
	return "fifth"
}
