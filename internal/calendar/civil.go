package calendar

// Dates are counted in days since 1970-01-01 in the proleptic Gregorian calendar, as package time has it; local
// times are counted in seconds since 1970-01-01 00:00 of the local clock, as if every day had 86,400 of them.

const daySeconds = 86400

// month is a month as the day expressions see it.
type month struct {
	days  int // 28-31
	first int // weekday of the 1st, 0 = Monday
}

// all has the bits 1 … days set.
func (m month) all() uint32 { return uint32(1)<<m.days<<1 - 2 }

// monthOf describes a month. A month number outside 1-12 counts on into the neighbouring years.
func monthOf(year, mon int) month {
	year += floorDiv(mon-1, 12)
	mon = floorMod(mon-1, 12) + 1
	start := daysOf(year, mon, 1)
	next := daysOf(year, mon+1, 1)
	if mon == 12 {
		next = daysOf(year+1, 1, 1)
	}
	return month{days: int(next - start), first: weekdayOf(start)}
}

// weekdayOf gives the weekday of a date, 0 = Monday; 1970-01-01 was a Thursday.
func weekdayOf(days int64) int { return int(floorMod(days+3, 7)) }

// A cycle is the 400 years after which the calendar repeats.
const (
	cycleYears = 400
	cycleDays  = 146097
	// epochFromMarch is the number of days from 0000-03-01 to 1970-01-01: years counted from March have their
	// leap day last.
	epochFromMarch = 719468
)

// daysOf counts the days from 1970-01-01 to a date; month 1-12.
func daysOf(year, mon, day int) int64 {
	y := int64(year)
	if mon <= 2 {
		y--
	}
	cycle := floorDiv(y, cycleYears)
	yoe := y - cycle*cycleYears
	doy := int64((153*((mon+9)%12)+2)/5 + day - 1)
	return cycle*cycleDays + yoe*365 + yoe/4 - yoe/100 + doy - epochFromMarch
}

// dateOf is the inverse of daysOf.
func dateOf(days int64) (year, mon, day int) {
	days += epochFromMarch
	cycle := floorDiv(days, cycleDays)
	doe := days - cycle*cycleDays
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153
	day = int(doy - (153*m+2)/5 + 1)
	mon = int((m+2)%12 + 1)
	year = int(yoe + cycle*cycleYears)
	if mon <= 2 {
		year++
	}
	return year, mon, day
}

func floorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod[T int | int64](a, b T) T { return a - floorDiv(a, b)*b }
