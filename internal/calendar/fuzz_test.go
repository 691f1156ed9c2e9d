package calendar

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"
)

// soon is the time that no single input may exceed: far more than any takes, even on a busy machine, and far less than a hang.
const soon = time.Second

func quick(t *testing.T, start time.Time) {
	t.Helper()
	if took := time.Since(start); took > soon {
		t.Errorf("took %s", took)
	}
}

// refusedWell checks that a refusal names its field and prints.
func refusedWell(t *testing.T, err error) {
	t.Helper()
	faults := Faults(err)
	if len(faults) == 0 {
		t.Fatalf("no fault in %v", err)
	}
	for _, f := range faults {
		if f.Problem.Empty() || !utf8.ValidString(f.Error()) {
			t.Errorf("a fault that says nothing: %q", f.Error())
		}
	}
}

func seedFields(f *testing.F) {
	f.Helper()
	for _, v := range readVectors(f, "calendar.jsonl")[:200] {
		f.Add(v.Text.String())
	}
	for _, v := range readVectors(f, "refused.jsonl") {
		for _, p := range v.Periods {
			f.Add(p.Weekdays.String())
			f.Add(p.MonthDays.String())
			f.Add(p.Months.String())
		}
	}
	for _, text := range []string{
		"mon - fri / 2", "1/99999999999999999999999999", "00000000031", "5-L/10", "friL,mon#1,*", "KWL", "*/\x00", "é", "\xff", "L-L", "^-$", "1--",
	} {
		f.Add(text)
	}
}

func FuzzWeekdays(f *testing.F) {
	seedFields(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer quick(t, time.Now())
		w, err := ParseWeekdays(DayField{text})
		if err != nil {
			refusedWell(t, err)
			return
		}
		if again, err := ParseWeekdays(DayField{w.String()}); err != nil || again != w {
			t.Errorf("%q prints %q, which is %v (%v)", text, w, again, err)
		}
		for _, d := range w.Days(2024, 2) {
			if d < 1 || d > 29 {
				t.Errorf("%q gives day %d", text, d)
			}
		}
	})
}

func FuzzMonthDays(f *testing.F) {
	seedFields(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer quick(t, time.Now())
		d, err := ParseMonthDays(DayField{text})
		if err != nil {
			refusedWell(t, err)
			return
		}
		if again, err := ParseMonthDays(DayField{d.String()}); err != nil || again != d {
			t.Errorf("%q prints %q, which is %v (%v)", text, d, again, err)
		}
		for _, x := range d.Days(2023, 2) {
			if x < 1 || x > 28 {
				t.Errorf("%q gives day %d", text, x)
			}
		}
	})
}

func FuzzMonths(f *testing.F) {
	seedFields(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer quick(t, time.Now())
		m, err := ParseMonths(DayField{text})
		if err != nil {
			refusedWell(t, err)
			return
		}
		if again, err := ParseMonths(DayField{m.String()}); err != nil || again != m || len(m.Months()) == 0 {
			t.Errorf("%q prints %q, which is %v (%v)", text, m, again, err)
		}
	})
}

func FuzzTimeOfDay(f *testing.F) {
	for _, text := range []string{"9:00", "09:00", "24:00", "00:00", "23:59", "24:01", "9", ":", "9:0", "99999999999999999999:00", "-1:00"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, end bool) {
		defer quick(t, time.Now())
		tod, err := ParseTimeOfDay(text, end)
		if err != nil {
			refusedWell(t, err)
			return
		}
		if tod < 0 || tod > EndOfDay || tod == EndOfDay && !end {
			t.Errorf("%q is %d", text, tod)
		}
		if again, err := ParseTimeOfDay(tod.String(), end); err != nil || again != tod {
			t.Errorf("%q prints %q, which is %v (%v)", text, tod, again, err)
		}
	})
}

func FuzzPeriodRef(f *testing.F) {
	for _, text := range []string{"office", "office@t3.small", "@", "a@", "@b", "a@b@c", " a @ b ", "a@b c", "", "a,b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer quick(t, time.Now())
		ref, err := parseRef(text)
		if err != nil {
			refusedWell(t, err)
			return
		}
		back := ref.period
		if ref.instanceType != "" {
			back += "@" + ref.instanceType
		}
		again, err := parseRef(back)
		if err != nil || again.period != ref.period || again.instanceType != ref.instanceType {
			t.Errorf("%q is %+v, %q is %+v (%v)", text, ref, back, again, err)
		}
	})
}

func FuzzZone(f *testing.F) {
	for _, name := range []string{"UTC", "Local", "", "../x", "Asia/Seoul", "asia/seoul", "posixrules", "/etc/passwd", "A\x00", "Etc/GMT+12"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		defer quick(t, time.Now())
		loc, err := LoadZone(name)
		if err != nil {
			refusedWell(t, err)
			return
		}
		if loc.String() != name {
			t.Errorf("%q is %q", name, loc)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{`5`, `"mon-fri"`, `["mon", 6]`, `null`, `true`, `[[1]]`, `{"a":1}`, `1e999`, `[`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer quick(t, time.Now())
		var field DayField
		if err := json.Unmarshal(data, &field); err == nil {
			_ = field.absent()
		}
		var refs PeriodRefs
		_ = json.Unmarshal(data, &refs)
	})
}

// FuzzSchedule compiles whatever is written and asks the schedule everything it can be asked.
func FuzzSchedule(f *testing.F) {
	for i, v := range readVectors(f, "ours.jsonl") {
		if i%5 == 0 {
			p := v.Periods[0]
			f.Add(v.Schedule.Timezone, v.Schedule.Periods[0], p.BeginTime, p.EndTime, p.Weekdays.String(), p.MonthDays.String(),
				p.Months.String(), int64(0), v.At.Unix())
		}
	}
	f.Add("America/New_York", "p@x", "02:30", "02:30", "", "", "", int64(time.Hour), int64(minInstant))
	f.Add("Pacific/Apia", "p", "", "", "*", "", "", int64(24*time.Hour), int64(maxInstant))
	f.Fuzz(func(t *testing.T, zone, ref, begin, end, weekdays, monthdays, months string, lead, sec int64) {
		start := time.Now()
		period := PeriodDef{
			BeginTime: begin, EndTime: end,
			Weekdays: DayField{weekdays}, MonthDays: DayField{monthdays}, Months: DayField{months},
		}
		s, err := Compile(ScheduleDef{Timezone: zone, Periods: PeriodRefs{ref}, StartLead: time.Duration(lead)},
			map[string]PeriodDef{"p": period, "night": {BeginTime: "22:00", EndTime: "06:00"}}, nil)
		quick(t, start)
		if err != nil {
			refusedWell(t, err)
			return
		}
		start = time.Now()
		now := s.WantedUnix(sec)
		b, ok := s.Next(time.Unix(sec, 0))
		if ok && (b.From != now || b.To == now || s.Wanted(b.At) != b.To || s.Wanted(b.At.Add(-time.Second)) != b.From) {
			t.Errorf("at %d %+v, then %+v", sec, now, b)
		}
		if st, ok := s.NextState(time.Unix(sec, 0)); ok && st.From.State == st.To.State {
			t.Errorf("at %d %+v, then %+v", sec, now, st)
		}
		quick(t, start)
	})
}

func FuzzExpression(f *testing.F) {
	for _, v := range cronVectors(f) {
		f.Add(v.Expression, v.Timezone, v.From.Unix())
	}
	for _, text := range []string{
		"TZ=UTC", "CRON_TZ=", "TZ= * * * * *", "@every -5m", "@daily", "30 2 * * 7", "0 0 */2 * 5-7", "1,,2 * * * *", "* * 31 2 *",
		"rate(1 minute)", "rate(1000000 days)", "rate(18446744073709551617 hours)", "at(2027-02-05T09:00:00)", "at(2011-12-30T12:00:00)",
		"cron(0 0 ? 2 MON#5 *)", "cron(*/99999999999999999999 9-9 L,LW,1W JAN-DEC ? 1970/229)", "cron(\x00 \xff é ſ ? *)", "cron((((", "cron()",
	} {
		for _, zone := range []string{"UTC", "America/New_York", "Pacific/Apia"} {
			f.Add(text, zone, int64(1_325_200_000))
		}
	}
	f.Fuzz(func(t *testing.T, text, zone string, sec int64) {
		loc, err := LoadZone(zone)
		if err != nil {
			loc = time.UTC
		}
		defer quick(t, time.Now())
		after := time.Unix(sec, 0)
		e, err := ParseExpression(text, loc, after)
		if err != nil {
			refusedWell(t, err)
			return
		}
		if again, err := ParseExpression(e.String(), loc, after); err != nil || again.String() != e.String() || !sameFiring(e, again) {
			t.Errorf("%q prints %q, which is %v (%v)", text, e, again, err)
		}
		for range 20 {
			at, ok := e.Next(after)
			if !ok {
				return
			}
			if !at.After(after) {
				t.Fatalf("%s: Next(%s) is %s", e, after, at)
			}
			after = at
		}
	})
}
