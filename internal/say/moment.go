package say

import "time"

// Moment says an instant as a clock in its time zone shows it: 18:00 (Asia/Seoul, 2027-02-05). A time that comes twice
// that day, because clocks are set back, has its distance to UTC as well.
func Moment(at time.Time) Text {
	form := "15:04"
	for _, shift := range [...]time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} { // by which zones set their clocks back
		if shown := at.Format(time.DateTime); at.Add(shift).Format(time.DateTime) == shown || at.Add(-shift).Format(time.DateTime) == shown {
			form = "15:04Z07:00"
		}
	}
	return Raw(at.Format(form) + " (" + at.Location().String() + ", " + at.Format(time.DateOnly) + ")")
}
