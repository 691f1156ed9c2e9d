package service

import (
	"fmt"
	"strconv"
	"strings"

	"dayshift/internal/calendar"
)

// ExpressionWords says in English when an expression fires: "at 23:55 from
// Monday to Friday, on the clock of Asia/Seoul". What it has no words for it
// names field by field, as it is written.
func ExpressionWords(e *calendar.Expression) string {
	text := e.String()
	inner := text
	if _, rest, wrapped := strings.Cut(text, "("); wrapped {
		inner = strings.TrimSuffix(rest, ")")
	}
	clock := ", on the clock of " + e.Location().String()
	switch e.Kind() {
	case calendar.KindRate:
		number, unit, _ := strings.Cut(inner, " ")
		if number == "1" {
			return "every " + strings.TrimSuffix(unit, "s")
		}
		return "every " + number + " " + unit
	case calendar.KindAt:
		return "once, at " + strings.Replace(inner, "T", " ", 1) + clock
	case calendar.KindCron, calendar.KindUnixCron:
	}
	fields := strings.Fields(inner)
	if len(fields) < 5 {
		return text
	}
	days := dayWords(fields[2], fields[4])
	words := timeWords(fields[0], fields[1])
	if days != "" {
		words += " " + days
	}
	if fields[3] != "*" {
		words += " in " + nameWords(fields[3], monthNames)
	}
	if len(fields) > 5 && fields[5] != "*" {
		words += ", in " + spanWords(fields[5])
	}
	return words + clock
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

// timeWords say at which times of a day.
func timeWords(minutes, hours string) string {
	minute, minuteErr := strconv.Atoi(minutes)
	step, stepped := strings.CutPrefix(minutes, "*/")
	if from, by, ok := strings.Cut(minutes, "/"); ok && from == "0" {
		step, stepped = by, true
	}
	switch {
	case minuteErr == nil && !strings.ContainsAny(hours, "*/?-LW#"):
		var times []string
		for hour := range strings.SplitSeq(hours, ",") {
			n, err := strconv.Atoi(hour)
			if err != nil {
				return "at minute " + minutes + " of hour " + hours
			}
			times = append(times, fmt.Sprintf("%02d:%02d", n, minute))
		}
		return "at " + joined(times)
	case minuteErr == nil && anyValue(hours):
		return fmt.Sprintf("at minute %d of every hour", minute)
	case minuteErr == nil:
		return fmt.Sprintf("at minute %d of the hours %s", minute, spanWords(hours))
	case anyValue(minutes) && anyValue(hours):
		return "every minute"
	case stepped && anyValue(hours):
		return "every " + step + " minutes"
	case stepped:
		return "every " + step + " minutes of the hours " + spanWords(hours)
	case anyValue(hours):
		return "at the minutes " + spanWords(minutes) + " of every hour"
	}
	return "at the minutes " + spanWords(minutes) + " of the hours " + spanWords(hours)
}

// dayWords say on which days.
func dayWords(monthdays, weekdays string) string {
	switch {
	case anyValue(monthdays) && anyValue(weekdays):
		return "every day"
	case anyValue(monthdays):
		return weekdayWords(weekdays)
	case anyValue(weekdays):
		return monthdayWords(monthdays)
	}
	return monthdayWords(monthdays) + " and " + weekdayWords(weekdays)
}

func weekdayWords(field string) string {
	if first, last, ok := strings.Cut(field, "-"); ok && weekdayNames[first] != "" && weekdayNames[last] != "" {
		return "from " + weekdayNames[first] + " to " + weekdayNames[last]
	}
	if day, nth, ok := strings.Cut(field, "#"); ok && numberedDays[day] != "" {
		return "on the " + ordinal(nth) + " " + numberedDays[day] + " of the month"
	}
	if day, last := strings.CutSuffix(field, "L"); last && numberedDays[day] != "" {
		return "on the last " + numberedDays[day] + " of the month"
	}
	return "on " + nameWords(field, weekdayNames)
}

func monthdayWords(field string) string {
	switch {
	case field == "L":
		return "on the last day of the month"
	case field == "LW":
		return "on the last working day of the month"
	case strings.HasSuffix(field, "W"):
		return "on the working day nearest to day " + strings.TrimSuffix(field, "W") + " of the month"
	case strings.ContainsAny(field, "-,/"):
		return "on the days " + spanWords(field) + " of the month"
	}
	return "on day " + field + " of the month"
}

// nameWords writes names out, with ranges and lists.
func nameWords(field string, names map[string]string) string {
	var parts []string
	for part := range strings.SplitSeq(field, ",") {
		first, last, isRange := strings.Cut(part, "-")
		switch {
		case isRange && names[first] != "" && names[last] != "":
			parts = append(parts, names[first]+" to "+names[last])
		case names[part] != "":
			parts = append(parts, names[part])
		default:
			parts = append(parts, part)
		}
	}
	return joined(parts)
}

// spanWords writes numbers with ranges and steps.
func spanWords(field string) string {
	var parts []string
	for part := range strings.SplitSeq(field, ",") {
		span, step, stepped := strings.Cut(part, "/")
		span = strings.Replace(span, "-", " to ", 1)
		if stepped {
			span = "every " + step + " from " + strings.Replace(span, "*", "the first", 1)
		}
		parts = append(parts, span)
	}
	return joined(parts)
}

func joined(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
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
