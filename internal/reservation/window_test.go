package reservation

import (
	"testing"
	"time"

	"dayshift/internal/calendar"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// saleSchedule runs on weekdays from 09:00 to 18:00 in Seoul, which is 00:00 to 09:00 UTC.
func saleSchedule(t testing.TB) *calendar.Schedule {
	t.Helper()
	office, err := calendar.CompilePeriod(calendar.PeriodDef{Name: "office", BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{"mon-fri"}})
	if err != nil {
		t.Fatal(err)
	}
	zone, err := calendar.LoadZone("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	s, err := calendar.CompileWith(calendar.ScheduleDef{Name: "sale", Timezone: "Asia/Seoul", Periods: calendar.PeriodRefs{"office"}}, map[string]*calendar.Period{"office": office}, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWindow(t *testing.T) {
	window := Reservation{Enabled: true, Count: 37, From: at(t, "2026-11-26T09:00:00Z"), To: at(t, "2026-11-30T03:00:00Z"), Lead: 30 * time.Minute}
	schedule := Reservation{Enabled: true, Count: 37, Calendar: saleSchedule(t), Schedule: "sale", Lead: 30 * time.Minute}
	always := Reservation{Enabled: true, Count: 37}
	overnight := schedule
	overnight.Lead = 16 * time.Hour // the night is shorter than this
	for name, test := range map[string]struct {
		r                 Reservation
		now               string
		wanted            int
		from, until, next string
		why               Reason
	}{
		"a week before the sale":             {window, "2026-11-19T09:00:00Z", 0, "2026-11-26T08:30:00Z", "2026-11-30T03:00:00Z", "2026-11-26T08:30:00Z", Before},
		"half an hour before, less a second": {window, "2026-11-26T08:29:59Z", 0, "2026-11-26T08:30:00Z", "2026-11-30T03:00:00Z", "2026-11-26T08:30:00Z", Before},
		"half an hour before":                {window, "2026-11-26T08:30:00Z", 37, "2026-11-26T08:30:00Z", "2026-11-30T03:00:00Z", "2026-11-30T03:00:00Z", Within},
		"the last second":                    {window, "2026-11-30T02:59:59Z", 37, "2026-11-26T08:30:00Z", "2026-11-30T03:00:00Z", "2026-11-30T03:00:00Z", Within},
		"the end":                            {window, "2026-11-30T03:00:00Z", 0, "2026-11-26T08:30:00Z", "2026-11-30T03:00:00Z", "", Over},
		"always":                             {always, "2026-11-30T03:00:00Z", 37, "", "", "", Within},
		"not enabled":                        {Reservation{Count: 37}, "2026-11-30T03:00:00Z", 0, "", "", "", Disabled},
		"gone":                               {Reservation{Enabled: true, Gone: true, Count: 37}, "2026-11-30T03:00:00Z", 0, "", "", "", Gone},
		"on a schedule, at night":            {schedule, "2026-11-25T12:00:00Z", 0, "2026-11-25T23:30:00Z", "2026-11-26T09:00:00Z", "2026-11-25T23:30:00Z", Before},
		"on a schedule, in the lead":         {schedule, "2026-11-25T23:45:00Z", 37, "2026-11-25T23:30:00Z", "2026-11-26T09:00:00Z", "2026-11-26T09:00:00Z", Within},
		"on a schedule, at work":             {schedule, "2026-11-26T03:00:00Z", 37, "", "2026-11-26T09:00:00Z", "2026-11-26T09:00:00Z", Within},
		"a lead longer than the night":       {overnight, "2026-11-25T03:00:00Z", 37, "", "2026-11-27T09:00:00Z", "2026-11-27T09:00:00Z", Within},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.r.Window(at(t, test.now))
			want := Window{Wanted: test.wanted, From: at(t, test.from), Until: at(t, test.until), Next: at(t, test.next), Why: test.why}
			if got != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}
