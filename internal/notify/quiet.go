package notify

import (
	"time"

	"dayshift/internal/calendar"
)

// Quiet are the quiet hours of a channel.
type Quiet struct {
	// Hours is a schedule: it is quiet whenever it wants what it is for to run.
	Hours *calendar.Schedule
}

// alwaysQuiet is after how long quiet hours without an end are looked at again.
const alwaysQuiet = 366 * 24 * time.Hour

// Until is the end of the quiet hours that are now; zero: there are none.
func (q *Quiet) Until(now time.Time) time.Time {
	if q == nil || q.Hours.Wanted(now).State != calendar.Running {
		return time.Time{}
	}
	for at := now; at.Sub(now) < alwaysQuiet; {
		change, found := q.Hours.NextState(at)
		switch {
		case !found:
			return now.Add(alwaysQuiet)
		case change.To.State != calendar.Running:
			return change.At
		}
		at = change.At
	}
	return now.Add(alwaysQuiet)
}
