// Package holiday reads holiday calendars: iCalendar files (RFC 5545) that people bring along, and the ones that come
// with the program.
//
// Parse turns the text of a file into dates with names; what a date means for a schedule is decided in internal/calendar.
// It expects anything at all: size, number of events, length of an event and the work for recurrences are bounded before
// they are spent, and what cannot be read is refused with the event that is at fault. It reads no files and no clock.
//
// A Fetcher gets the text of a file from an address, on whatever timetable its caller keeps with Due, and expects the worst
// of the other side: everything is bounded, the last good Copy stays until a better one is there, and a connection goes
// where the internet routes it and nowhere else, unless the machine's owner named the address.
//
// A built-in calendar covers whole years. A year of which the dates were not known for certain when they were written
// down is left out of it, so that whoever uses it can say so: nothing is guessed from the years around it.
package holiday
