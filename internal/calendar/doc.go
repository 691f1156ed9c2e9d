// Package calendar answers one question: what does a schedule want at an instant? It turns what people write (weekdays
// "mon-fri", 22:00 to 06:00, Asia/Seoul) into instants, and tells for any of them whether a resource should be running,
// stopped or left as it is, which period is the reason, with which instance type, and when that changes next.
//
// The package is pure. It knows no resources, reads no clock and keeps no secret state: the answer is a function of the
// definitions, the zone's data and the instant. It turns local times into instants by the zone's transitions, as
// time.Date does not promise which instant it gives for a time that the clock skips or repeats.
//
// # From definition to answer
//
// A [PeriodDef] and a [ScheduleDef] hold what a user wrote. [CompilePeriod] and [Compile] read them once, report all
// that is wrong with them at once, each fault a [*Error] with the field, the text, what is allowed and the next step,
// and give a [Schedule] to be asked as often as one likes:
//
//	Wanted(t)            what is wanted at t
//	Next(t)              the first instant after t at which that changes
//	NextState(t)         the same for running, stopped and any alone
//	Boundaries(from, to) every change in (from, to]
//	Week(date, step)     a local week as a picture
//
// # The model
//
// A date matches a period by its day fields alone. On each date that matches, a period stands for intervals between two
// local times: running from its begin to its end, over midnight where the end is the earlier one, so that a night
// belongs to the day it begins on; or *any* (leave it as it is) on the side of a time that was left out. Local times
// become instants at once, and from there on everything is arithmetic on instants. Intervals are half-open: at the
// begin it is running, at the end it is not.
//
//   - A local time that the clock skips becomes the first instant after the gap, one that it shows twice becomes the
//     first of the two. Said in one breath: the first instant at which the clock shows that time or a later one. The
//     order of local times is therefore the order of their instants, every boundary takes effect exactly once, and an
//     interval that lies in a gap is empty and counts for nothing, as a whole date does that a zone left out.
//   - The local day of a date goes from its 00:00 to the next date's 00:00, both as instants. Every instant is in one.
//   - A running period wins over *any*, *any* over stopped. The reason is the running period that began last on the
//     local clock; a period without a begintime yields to one with; ties go to the one listed first.
//   - An end and a begin that are at most a minute apart, in real time or on the local clock, are no stop: what would be
//     stopped in between is running, and its reason is the period that follows. Only running counts: the endtime of a
//     period without a begintime ends no running, and nothing is joined to it.
//   - A start_lead moves the begin of every running interval to an earlier instant, by that much real time, also where
//     the begin is a day's 00:00 because the period names no begintime. This happens before the joining; the reason
//     during the lead is the period that is about to begin, as if it had begun. Ends stay.
//   - A [Holidays] calendar says of a date that it is a day off, on which no period begins that does not say otherwise, or
//     that it counts as another weekday. This happens before a date is matched.
//   - An [Exception] moves the first begin or the last end of what a date's periods made of it, on the local clock, before
//     that becomes instants. A stop that is removed adds a stretch up to the next stop boundary, which is found when the
//     schedule is compiled: it can reach over any number of dates. [Schedule.Special] names what had its say.
//   - An override_status is the answer at all times; the periods are checked all the same.
//
// # Rule expressions
//
// A rule fires at instants instead of wanting a state. [ParseExpression] reads cron(…), rate(…) and at(…) as EventBridge
// writes them, and the five fields of Unix cron, into an [Expression]:
//
//	Next(t)         the first fire later than t
//	Fires(from, to) every fire in (from, to]
//
// Local times become instants as above, so a time that the clock skips fires at the end of the gap, one that it shows
// twice fires the first time, and all that fall on one instant fire once. Where EventBridge's documents are silent:
//
//   - Ranges of weekdays and months may run over the end (FRI-MON, NOV-FEB); those of other fields may not.
//   - L, LW, 15W and 6L may stand in lists, # stands alone. L-3 is not known.
//   - A step longer than its field names the first value alone. In a/n the step goes on to the field's end, in Unix cron
//     too, where it goes to SAT for weekdays.
//   - Unix cron matches either the day or the weekday where both are restricted, and both where one begins with *,
//     as in */2. Both crons know the years 1970 to 2199.
//   - A rate fires for the first time one interval after its anchor, and counts real time: a day is 24 hours.
//   - What no date of the years it names can satisfy is refused; years that are over are not.
//
// # Bounds
//
// Instants from year 1 to year 9999 have answers of their own; outside, the nearest one's holds. Every boundary is on a
// whole second. Texts, the number of periods and the lead are bounded, and Next looks [Horizon] ahead and then says
// never, so that no definition, however odd, makes a question hang: to look ten years ahead in vain takes about half a
// millisecond for each period of the schedule. A schedule holds at most a year or two of answers: some 4 KB a month for
// three periods, under a megabyte for a hundred. An expression ends its search with the year 2199, after some
// microseconds at the worst, and holds some months and offsets: a kilobyte or two.
//
// A schedule lays its answers out in chunks of 24 days when they are first asked for, and keeps the latest. An answer
// from a chunk takes some nanoseconds and no memory, and does not depend on what was asked before. Any number of
// goroutines may ask at once.
//
// A zone's data are read once per process: newer data take effect with the next start.
package calendar
