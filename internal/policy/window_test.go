package policy

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

func TestParseWeeklyWindow(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		text          string
		begin, length time.Duration
		ok            bool
	}{
		{"mon:00:00-mon:00:30", 0, 30 * time.Minute, true},
		{"Sun:23:45-Mon:00:15", 6*day + 23*time.Hour + 45*time.Minute, 30 * time.Minute, true},
		{" wed:02:00-thu:02:00 ", 2*day + 2*time.Hour, day, true},
		{"tue:02:00-mon:02:00", day + 2*time.Hour, 6 * day, true},
		{"mon:00:00-mon:00:00", 0, 0, false},
		{"mon:24:00-tue:00:30", 0, 0, false},
		{"mon:00:60-tue:00:30", 0, 0, false},
		{"mon:0:00-tue:00:30", 0, 0, false},
		{"mon:+1:00-tue:00:30", 0, 0, false},
		{"monday:00:00-tue:00:30", 0, 0, false},
		{"mon:00:00", 0, 0, false},
		{"mon:00:00-tue:00:30-wed:00:00", 0, 0, false},
		{"", 0, 0, false},
	} {
		begin, length, ok := ParseWeeklyWindow(test.text)
		if begin != test.begin || length != test.length || ok != test.ok {
			t.Errorf("%q: %s, %s, %v", test.text, begin, length, ok)
		}
	}
}

func FuzzParseWeeklyWindow(f *testing.F) {
	for _, seed := range []string{"mon:00:00-mon:00:30", "sun:23:45-mon:00:15", "::-::", "mon:99:99-", "-", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		begin, length, ok := ParseWeeklyWindow(text)
		if ok && (begin < 0 || begin >= week || length <= 0 || length >= week) || !ok && (begin != 0 || length != 0) {
			t.Fatalf("%q: %s, %s, %v", text, begin, length, ok)
		}
	})
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// Open and its next edge agree with a walk over the minutes of the week.
func TestWeeklyWindowAgainstTheWeek(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		begin := rapid.IntRange(0, 7*24*60-1).Draw(rt, "begin")
		length := rapid.IntRange(30, 23*60).Draw(rt, "minutes")
		word := func(minute int) string {
			minute %= 7 * 24 * 60
			return fmt.Sprintf("%s:%02d:%02d", weekdays[minute/1440], minute/60%24, minute%60)
		}
		b := book(t)
		b.Schedules["office"].UseMaintenanceWindow = true
		r := resource("orders", map[string]string{"Schedule": "office"})
		r.Kind, r.MaintenanceWindow = fleet.RDSInstance, word(begin)+"-"+word(begin+length)
		p := b.Governs(r)
		monday := time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC)
		minute := rapid.IntRange(-7*24*60, 14*24*60).Draw(rt, "at")
		now := monday.Add(time.Duration(minute) * time.Minute).In(time.FixedZone("", 9*3600))
		open := func(minute int) bool { // ten minutes before until the end
			into := ((minute-begin+10)%(7*1440) + 7*1440) % (7 * 1440)
			return into < length+10
		}
		w, is := p.Window(now)
		if is != open(minute) {
			rt.Fatalf("%s at %s: open %v", r.MaintenanceWindow, now.UTC(), is)
		}
		if is && (now.Before(w.From) || !now.Before(w.Until) || w.Until.Sub(w.From) != time.Duration(length+10)*time.Minute) {
			rt.Fatalf("%s at %s: from %s until %s", r.MaintenanceWindow, now.UTC(), w.From, w.Until)
		}
		next, ok := p.NextWindow(now)
		step := 1
		for open(minute+step) == is {
			step++
		}
		if !ok || !next.Equal(now.Add(time.Duration(step)*time.Minute)) {
			rt.Fatalf("%s at %s: the next edge is %s, not in %d minutes", r.MaintenanceWindow, now.UTC(), next.UTC(), step)
		}
	})
}

func TestWhoseWindowsCount(t *testing.T) {
	from := time.Date(2026, 8, 4, 2, 0, 0, 0, time.UTC)
	patches := Window{Name: "patches", From: from, Until: from.Add(time.Hour)}
	for _, test := range []struct {
		name   string
		change func(*Book, *fleet.Resource)
		at     time.Time
		open   bool
	}{
		{"in it", nil, from, true},
		{"in its lead", nil, from.Add(-15 * time.Minute), true},
		{"before its lead", nil, from.Add(-15*time.Minute - time.Second), false},
		{"in its last second", nil, from.Add(time.Hour - time.Second), true},
		{"at its end", nil, from.Add(time.Hour), false},
		{"in another scope", func(_ *Book, r *fleet.Resource) { r.Scope.Region = "us-east-1" }, from, false},
		{"not named", func(b *Book, _ *fleet.Resource) { b.Schedules["office"].SSMWindows = []string{"Patches"} }, from, false},
		{"switched off", func(b *Book, _ *fleet.Resource) { b.Schedules["office"].UseMaintenanceWindow = false }, from, false},
		{"a database", func(_ *Book, r *fleet.Resource) { r.Kind = fleet.RDSInstance }, from, false},
		{"a disabled schedule", func(b *Book, _ *fleet.Resource) { b.Schedules["office"].Enabled = false }, from, false},
		{"protected", func(_ *Book, r *fleet.Resource) { r.Tags[fleet.TagProtect] = "true" }, from, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := book(t)
			s := b.Schedules["office"]
			s.UseMaintenanceWindow, s.SSMWindows = true, []string{"patches"}
			r := resource("web", map[string]string{"Schedule": "office"})
			b.Windows, b.WindowLead = map[fleet.Scope][]Window{r.Scope: {patches}}, 15*time.Minute
			if test.change != nil {
				test.change(b, &r)
			}
			if w, open := b.Governs(r).Window(test.at); open != test.open || open && !w.From.Equal(from.Add(-15*time.Minute)) {
				t.Errorf("open %v: %+v", open, w)
			}
			if !b.Windows[fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}][0].From.Equal(from) {
				t.Error("the book was changed")
			}
		})
	}
}
