package decide

import (
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

func windowed(s *policy.Schedule) { s.UseMaintenanceWindow = true }

// The preferred window of a database counts as running time, once per window.
func TestWeeklyWindow(t *testing.T) {
	const run, down = fleet.Running, fleet.Stopped
	type act struct {
		at    string
		state fleet.State
	}
	warned := func(s *policy.Schedule) { windowed(s); s.NotifyBeforeStop = 10 * time.Minute }
	for _, test := range []struct {
		name     string
		window   string
		change   func(*policy.Schedule)
		refs     []string
		begins   fleet.State
		memory   Remembered
		from     string
		persons  []act
		end      string
		done     []string
		warned   []string
		reason   Reason
		resource func(*fleet.Resource)
	}{
		{
			name: "at night", window: "tue:02:00-tue:02:30", change: windowed, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00",
			done: []string{"04 01:50:00 start window-start", "04 02:30:00 stop window-ended"}, reason: AlreadyStopped,
		},
		{
			name: "warned of where asked for", window: "tue:02:00-tue:02:30", change: warned, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00",
			done: []string{"04 01:50:00 start window-start", "04 02:30:00 stop window-ended"}, warned: []string{"04 02:20:00 of 04 02:30:00"}, reason: AlreadyStopped,
		},
		{
			name: "over Sunday and Monday", window: "sun:23:55-mon:00:25", change: windowed, begins: down, memory: WasStopped, from: "09 20:00:00", end: "10 01:00:00",
			done: []string{"09 23:45:00 start window-start", "10 00:25:00 stop window-ended"}, reason: AlreadyStopped,
		},
		{
			name: "its lead alone lies on Sunday", window: "mon:00:05-mon:00:35", change: windowed, begins: down, memory: WasStopped, from: "09 20:00:00", end: "10 01:00:00",
			done: []string{"09 23:55:00 start window-start", "10 00:35:00 stop window-ended"}, reason: AlreadyStopped,
		},
		{name: "switched off", window: "tue:02:00-tue:02:30", begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00", reason: AlreadyStopped},
		{name: "a text that is none", window: "tuesday night", change: windowed, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00", reason: AlreadyStopped},
		{
			name: "inside the period it changes nothing", window: "tue:12:00-tue:13:00", change: warned, begins: down, memory: WasStopped, from: "04 08:00:00", end: "04 14:00:00",
			done: []string{"04 09:00:00 start period-began"}, reason: AlreadyRunning,
		},
		{
			name: "over the period's end", window: "tue:17:30-tue:19:00", change: warned, begins: run, memory: WasRunning, from: "04 17:00:00", end: "04 20:00:00",
			done: []string{"04 19:00:00 stop window-ended"}, warned: []string{"04 18:50:00 of 04 19:00:00"}, reason: AlreadyStopped,
		},
		{
			name: "over the period's begin", window: "tue:08:30-tue:09:30", change: warned, begins: down, memory: WasStopped, from: "04 08:00:00", end: "04 18:00:00",
			done: []string{"04 08:20:00 start window-start", "04 18:00:00 stop period-ended"}, warned: []string{"04 17:50:00 of 04 18:00:00"}, reason: PeriodEnded,
		},
		{
			name: "right after the period's end", window: "tue:18:10-tue:19:00", change: warned, begins: run, memory: WasRunning, from: "04 17:00:00", end: "04 20:00:00",
			done: []string{"04 19:00:00 stop window-ended"}, warned: []string{"04 18:50:00 of 04 19:00:00"}, reason: AlreadyStopped,
		},
		{
			name: "once: a person's stop is respected", window: "tue:02:00-tue:04:00", change: windowed, begins: down, memory: WasStopped, from: "03 20:00:00", persons: []act{{"04 03:00:00", down}}, end: "04 04:30:00",
			done: []string{"04 01:50:00 start window-start"}, reason: AlreadyStopped,
		},
		{
			name: "unless enforced", window: "tue:02:00-tue:04:00", change: func(s *policy.Schedule) { windowed(s); enforced(s) }, begins: down, memory: WasStopped, from: "03 20:00:00", persons: []act{{"04 03:00:00", down}}, end: "04 04:30:00",
			done: []string{"04 01:50:00 start window-start", "04 03:00:00 start window-start", "04 04:00:00 stop enforced-stop"}, reason: AlreadyStopped,
		},
		{
			name: "each week anew", window: "tue:02:00-tue:02:30", change: windowed, begins: down, memory: WasStopped, from: "08 20:00:00", persons: []act{{"11 02:10:00", down}}, end: "18 03:00:00",
			done: []string{
				"10 09:00:00 start period-began", "10 18:00:00 stop period-ended", "11 01:50:00 start window-start",
				"11 09:00:00 start period-began", "11 18:00:00 stop period-ended", "12 09:00:00 start period-began", "12 18:00:00 stop period-ended",
				"13 09:00:00 start period-began", "13 18:00:00 stop period-ended", "14 09:00:00 start period-began", "14 18:00:00 stop period-ended",
				"17 09:00:00 start period-began", "17 18:00:00 stop period-ended", "18 01:50:00 start window-start", "18 02:30:00 stop window-ended",
			}, reason: AlreadyStopped,
		},
		{
			name: "started by a person before it, stopped at its end", window: "tue:02:00-tue:02:30", change: windowed, begins: run, memory: WasStopped, from: "04 01:00:00", end: "04 03:00:00",
			done: []string{"04 02:30:00 stop window-ended"}, reason: AlreadyStopped,
		},
		{
			name: "a manual stop in the period; the window starts it, the period keeps it", window: "tue:12:00-tue:13:00", change: windowed, begins: down, memory: WasRunning, from: "04 10:00:00", end: "04 14:00:00",
			done: []string{"04 11:50:00 start window-start"}, reason: AlreadyRunning,
		},
		{name: "stop-only", window: "tue:02:00-tue:02:30", change: func(s *policy.Schedule) { windowed(s); stopOnly(s) }, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00", reason: AlreadyStopped},
		{
			name: "start-only", window: "tue:02:00-tue:02:30", change: func(s *policy.Schedule) { warned(s); startOnly(s) }, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00",
			done: []string{"04 01:50:00 start window-start"}, reason: ModeStartOnly,
		},
		{
			name: "while any is wanted", window: "tue:02:00-tue:02:30", change: windowed, refs: []string{"evening-stop"}, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00",
			done: []string{"04 01:50:00 start window-start"}, reason: LeftAlone,
		},
		{
			name: "protected", window: "tue:02:00-tue:02:30", change: windowed, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00",
			resource: func(r *fleet.Resource) { r.Tags[fleet.TagProtect] = "true" }, reason: ProtectedByTag,
		},
		{
			name: "left to its cluster", window: "tue:02:00-tue:02:30", change: windowed, begins: down, memory: WasStopped, from: "03 20:00:00", end: "04 03:00:00",
			resource: func(r *fleet.Resource) { r.Bar = fleet.ClusterMember }, reason: AlreadyStopped,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := at(test.from)
			g := newStage(t, office(t, test.change, test.refs...), test.begins, test.memory, from)
			g.r = database(test.begins)
			g.r.MaintenanceWindow = test.window
			if test.resource != nil {
				test.resource(&g.r)
			}
			g.m = remembered(g.r, test.memory, from)
			for _, person := range test.persons {
				g.run(from, at(person.at).Add(-time.Second))
				from = at(person.at)
				g.person(person.state, from)
			}
			d := g.run(from, at(test.end))
			g.expect("done", g.done, test.done...)
			g.expect("warned", g.warned, test.warned...)
			if d.Reason != test.reason {
				t.Errorf("at the end %s, want %s", d.Reason, test.reason)
			}
		})
	}
}

// SSM windows are absolute, have a lead, and count for instances whose schedule names them.
func TestSSMWindow(t *testing.T) {
	patches := policy.Window{Name: "patches", From: at("04 02:00:00"), Until: at("04 03:00:00")}
	reboots := policy.Window{Name: "reboots", From: at("04 02:30:00"), Until: at("04 04:00:00")}
	for _, test := range []struct {
		name   string
		names  []string
		change func(*policy.Schedule)
		done   []string
	}{
		{name: "one", names: []string{"patches"}, done: []string{"04 01:45:00 start window-start", "04 03:00:00 stop window-ended"}},
		{name: "two that overlap", names: []string{"patches", "reboots"}, done: []string{"04 01:45:00 start window-start", "04 04:00:00 stop window-ended"}},
		{name: "one that is not there", names: []string{"others"}},
		{name: "none"},
		{name: "switched off", names: []string{"patches"}, change: func(s *policy.Schedule) { s.UseMaintenanceWindow = false }},
		{name: "on a day off", names: []string{"patches"}, change: func(s *policy.Schedule) {
			off, err := calendar.CompileHolidays(calendar.HolidaysDef{Name: "kr", Days: []calendar.DayOffDef{{Date: "2026-08-03"}, {Date: "2026-08-04"}}})
			if err != nil {
				t.Fatal(err)
			}
			if s.Calendar, err = calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"office"}, Holidays: []*calendar.Holidays{off}}, periods, time.UTC); err != nil {
				t.Fatal(err)
			}
		}, done: []string{"04 01:45:00 start window-start", "04 03:00:00 stop window-ended"}},
		{name: "held stopped by override_status", names: []string{"patches"}, change: func(s *policy.Schedule) {
			var err error
			if s.Calendar, err = calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"office"}, OverrideStatus: "stopped"}, periods, time.UTC); err != nil {
				t.Fatal(err)
			}
		}, done: []string{"04 01:45:00 start window-start", "04 03:00:00 stop window-ended"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newStage(t, office(t, func(s *policy.Schedule) {
				windowed(s)
				s.SSMWindows = test.names
				if test.change != nil {
					test.change(s)
				}
			}), fleet.Stopped, WasStopped, at("03 20:00:00"))
			g.book.Windows = map[fleet.Scope][]policy.Window{g.r.Scope: {reboots, patches}}
			g.book.WindowLead = 15 * time.Minute
			g.run(at("03 20:00:00"), at("04 05:00:00"))
			g.expect("done", g.done, test.done...)
		})
	}
}

// A start for a window that fails is tried again, with a back-off, while it is open.
func TestWindowStartFails(t *testing.T) {
	g := newStage(t, office(t, windowed), fleet.Stopped, WasStopped, at("04 01:00:00"))
	g.r = database(fleet.Stopped)
	g.r.MaintenanceWindow = "tue:02:00-tue:02:30"
	g.m = remembered(g.r, WasStopped, at("04 01:00:00"))
	tries := 0
	g.refuse = func(d Decision) string {
		if tries++; d.Verb != fleet.Start || tries > 2 {
			return ""
		}
		return "no capacity"
	}
	g.run(at("04 01:00:00"), at("04 03:00:00"))
	if tries != 4 || len(g.done) != 2 || g.done[1] != "04 02:30:00 stop window-ended" {
		t.Fatalf("%d tries, %v", tries, g.done)
	}
}

// So is one that the provider took and that fell back.
func TestWindowStartFallsBack(t *testing.T) {
	now := at("04 01:50:00")
	g := newStage(t, office(t, windowed), fleet.Stopped, WasStopped, now)
	g.r = database(fleet.Stopped)
	g.r.MaintenanceWindow = "tue:02:00-tue:02:30"
	g.m = remembered(g.r, WasStopped, now)
	g.pass(now)
	g.r.State = fleet.Stopped
	if d := g.run(now.Add(time.Minute), now.Add(5*time.Minute)); g.r.State != fleet.Running {
		t.Errorf("%s: %v", d.Sentence(), g.done)
	}
}

// An override stands above a window, and the window counts again after it.
func TestOverrideInAWindow(t *testing.T) {
	g := newStage(t, office(t, windowed), fleet.Stopped, WasStopped, at("04 01:00:00"))
	g.r = database(fleet.Stopped)
	g.r.MaintenanceWindow = "tue:02:00-tue:04:00"
	g.m = remembered(g.r, WasStopped, at("04 01:00:00"))
	g.book.Overrides = []*policy.Override{overrideOf(calendar.Stopped, at("04 02:20:00"), at("04 03:00:00"))}
	g.run(at("04 01:00:00"), at("04 05:00:00"))
	g.expect("done", g.done, "04 01:50:00 start window-start", "04 02:20:00 stop override-stop", "04 03:00:00 start window-start", "04 04:00:00 stop window-ended")
}
