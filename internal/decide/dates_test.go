package decide

import (
	"slices"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// TestExplainNamesTheException looks at the chain on days that are out of the ordinary.
func TestExplainNamesTheException(t *testing.T) {
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	late, err := calendar.CompileException(calendar.ExceptionDef{Date: day(evening), Type: "stop", Value: "21:00", Note: "release"})
	if err != nil {
		t.Fatal(err)
	}
	company, err := calendar.CompileHolidays(calendar.HolidaysDef{Name: "company", Days: []calendar.DayOffDef{{Date: day(night), Name: "Founding day"}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := calendar.Compile(calendar.ScheduleDef{
		Name: "office", Periods: calendar.PeriodRefs{"office"}, Exceptions: []calendar.Exception{late}, Holidays: []*calendar.Holidays{company},
	}, periods, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		now  time.Time
		verb fleet.Verb
		want []Step
	}{
		{"an exception that keeps it up", evening, "", []Step{{"exception", say.Raw("stop at 21:00 on " + day(evening) + " (release); without exceptions stopped would be wanted")}}},
		{"an exception that is over", evening.Add(90 * time.Minute), fleet.Stop, []Step{{"exception", say.Raw("stop at 21:00 on " + day(evening) + " (release); without exceptions stopped would be wanted")}}},
		{"a day off", morning.Add(24 * time.Hour), fleet.Stop, []Step{{"holiday", say.Raw(day(night) + " is a day off in the calendar company (Founding day): only periods with on_holidays begin on it")}}},
		{"a year that is not covered", morning.AddDate(3, 0, 0), "", []Step{{"holiday", say.Raw("calendar company does not cover " + morning.AddDate(3, 0, 0).Format("2006") + ": no day of that year counts as a day off or as a make-up day")}}},
		{"an ordinary day", morning.AddDate(0, 0, -7), "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := row{now: test.now, state: fleet.Running, memory: WasRunning, change: func(s *policy.Schedule) { s.Calendar = c }}
			d := Explain(r.input(t))
			steps := d.Chain
			var got []Step
			for _, step := range steps {
				if step.Rule == "exception" || step.Rule == "holiday" {
					got = append(got, step)
				}
			}
			if !slices.EqualFunc(got, test.want, func(a, b Step) bool { return a.Rule == b.Rule && a.Fact.Equal(b.Fact) }) || d.Verb != test.verb {
				t.Errorf("%s, %v; want %s, %v", d.Verb, got, test.verb, test.want)
			}
		})
	}
}
