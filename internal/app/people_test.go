package app

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/notify"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

const peopleConfig = `
store: "memory:"
timezone: Asia/Seoul
resync_interval: 2h
accounts:
  - {id: "111122223333", regions: [ap-northeast-2, us-east-1]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {periods: [office]}
`

// kst is an instant of Friday, 5 March 2027, in Seoul.
func kst(hour, minute, second int) time.Time {
	return time.Date(2027, 3, 5, hour, minute, second, 0, time.FixedZone("KST", 9*60*60))
}

func sleepUntil(at time.Time) {
	time.Sleep(time.Until(at))
	synctest.Wait()
}

// Woken at 18:10 for two hours, with a stop at 18:00: up until 20:10, warned ten
// minutes before and down then, whatever is restarted in between; nobody's
// schedule is changed, and nobody else's database wakes.
func TestWokenInTheEveningForTwoHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 50, 0).AddDate(0, 0, -1)))
		h := newHouse(t, peopleConfig, ec2("web", "running", "seoul-office"), ec2("api", "running", "seoul-office"), rds("orders", "available", "seoul-office"), rds("users", "available", "seoul-office"))
		before, err := os.ReadFile(h.file)
		if err != nil {
			t.Fatal(err)
		}
		d := h.serve()
		sleepUntil(kst(18, 9, 0).AddDate(0, 0, -1))
		h.expect("after the evening's stop", map[string]string{"web": "stopped", "api": "stopped", "orders": "stopped", "users": "stopped"})

		sleepUntil(kst(18, 10, 0).AddDate(0, 0, -1))
		h.force(calendar.Running, "web", service.End{For: 2 * time.Hour})
		h.force(calendar.Running, "resource:orders", service.End{For: 2 * time.Hour})
		sleepUntil(kst(18, 10, 10).AddDate(0, 0, -1))
		for action, name := range map[string]string{"StartInstances": "web", "StartDBInstance": "orders"} {
			if starts := h.acted(action, name); len(starts) != 1 {
				t.Errorf("%s within ten seconds: %v", name, starts)
			}
		}

		// The process dies, and another one; one is told to end while nobody else is there.
		sleepUntil(kst(18, 10, 12).AddDate(0, 0, -1))
		d.kill()
		d = h.serve("second")
		sleepUntil(kst(19, 0, 0).AddDate(0, 0, -1))
		h.expect("an hour later", map[string]string{"web": "running", "api": "stopped", "orders": "available", "users": "stopped"})
		d.stop()
		sleepUntil(kst(19, 30, 0).AddDate(0, 0, -1))
		d = h.serve("third")
		sleepUntil(kst(19, 59, 59).AddDate(0, 0, -1))
		if warned := h.told.when(notify.StopWarning); len(warned) != 0 {
			t.Errorf("warned at %v, before it was time", warned)
		}
		sleepUntil(kst(20, 3, 0).AddDate(0, 0, -1))
		d.kill()
		d = h.serve("fourth")
		sleepUntil(kst(20, 9, 59).AddDate(0, 0, -1))
		h.expect("a second before", map[string]string{"web": "running", "api": "stopped", "orders": "available", "users": "stopped"})
		for _, at := range h.told.when(notify.StopWarning) {
			if at.Before(kst(20, 0, 0).AddDate(0, 0, -1)) || at.After(kst(20, 0, 5).AddDate(0, 0, -1)) {
				t.Errorf("warned at %s, want ten minutes before the end", at)
			}
		}
		if n := len(h.told.when(notify.StopWarning)); n == 0 {
			t.Error("nobody was warned")
		}

		sleepUntil(kst(20, 10, 1).AddDate(0, 0, -1))
		for action, name := range map[string]string{"StopInstances": "web", "StopDBInstance": "orders"} {
			stops := h.acted(action, name)
			if n := len(stops); n != 2 || !stops[n-1].Truncate(time.Second).Equal(kst(20, 10, 0).AddDate(0, 0, -1)) {
				t.Errorf("stops of %s: %v, want the last at 20:10:00", name, stops)
			}
		}
		sleepUntil(kst(20, 30, 0).AddDate(0, 0, -1))
		h.expect("in the end", map[string]string{"web": "stopped", "api": "stopped", "orders": "stopped", "users": "stopped"})
		if ended := h.rows(store.EventOverrideEnded); len(ended) != 2 {
			t.Errorf("%d rows tell of the end: %+v", len(ended), ended)
		}
		if n := len(h.told.when(notify.OverrideEnded)); n == 0 {
			t.Error("nobody was told of the end")
		}
		if left, err := h.store.Objects(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("left in the store: %+v, %v", left, err)
		}
		if after, err := os.ReadFile(h.file); err != nil || string(after) != string(before) {
			t.Errorf("the schedule was changed: %v\n%s", err, after)
		}
		d.stop()
		h.verify()

		// The next day is a day like any other.
		sleepUntil(kst(8, 55, 0))
		d = h.serve("fifth")
		sleepUntil(kst(9, 15, 0))
		h.expect("the next day", map[string]string{"web": "running", "api": "running", "orders": "available", "users": "available"})
		d.stop()
	})
}

// The leader dies while a person decides: the standby does it, once, and the
// leader that comes back does not do it again.
func TestAnOverrideWhileTheLeaderDies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		made time.Duration // after the leader died; negative: before
	}{
		{"a moment before", -time.Millisecond},
		{"two seconds before", -2 * time.Second},
		{"while nobody leads", 5 * time.Second},
		{"as the standby takes over", 15 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(kst(21, 0, 0)))
				h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"), ec2("api", "stopped", "seoul-office"))
				first := h.serve("first")
				time.Sleep(time.Second)
				second := h.serve("second")
				died := kst(21, 30, 0).Add(700 * time.Millisecond)
				make := func() { h.force(calendar.Running, "web", service.End{For: time.Hour}) }
				if test.made < 0 {
					time.Sleep(time.Until(died.Add(test.made)))
					make()
				}
				time.Sleep(time.Until(died))
				first.kill()
				if test.made >= 0 {
					time.Sleep(time.Until(died.Add(test.made)))
					make()
				}
				sleepUntil(died.Add(22 * time.Second))
				if starts := h.acted("StartInstances", "web"); len(starts) != 1 {
					t.Errorf("started at %v, want once", starts)
				}
				again := h.serve("again")
				sleepUntil(kst(22, 25, 0))
				second.stop()
				sleepUntil(kst(23, 0, 0))
				starts, stops := h.acted("StartInstances", "web"), h.acted("StopInstances", "web")
				if len(starts) != 1 || len(stops) != 1 || len(h.acted("StartInstances", "api")) != 0 {
					t.Errorf("starts %v, stops %v", starts, stops)
				}
				if ended := h.rows(store.EventOverrideEnded); len(ended) != 1 {
					t.Errorf("%d rows tell of the end", len(ended))
				}
				again.stop()
				h.verify()
			})
		})
	}
}

// A change that would stop far more than yesterday waits for a person, through
// restarts, and is done once somebody has confirmed it.
func TestASurgeOfStopsAfterAChangeWaitsForAPerson(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 55, 0).AddDate(0, 0, -1)))
		few, many := ec2("few-#", "running", "small"), ec2("many-#", "running", "large")
		few.Count, many.Count = 5, 16
		const config = peopleConfig + `  small: {periods: [office]}
  large: {override_status: running}
`
		h := newHouse(t, config, few, many)
		d := h.serve()
		sleepUntil(kst(18, 5, 0).AddDate(0, 0, -1))
		h.expect("yesterday", map[string]string{"few-1": "stopped", "many-1": "running"})
		d.stop()

		sleepUntil(kst(8, 30, 0))
		d = h.serve()
		sleepUntil(kst(8, 35, 0))
		h.write(strings.Replace(config, "large: {override_status: running}", "large: {periods: [office]}", 1))
		sleepUntil(kst(8, 40, 0)) // 16 stops, 5 in the day before
		h.expect("held back", map[string]string{"many-1": "running", "many-16": "running"})
		if rows := h.rows(store.EventHeld); len(rows) != 1 || !strings.Contains(rows[0].Detail, "waits until somebody confirms it") {
			t.Errorf("what the record says of it: %+v", rows)
		}
		if n := len(h.told.when(notify.ConfigWaits)); n != 1 {
			t.Errorf("people were told %d times", n)
		}
		d.stop()
		d = h.serve("second")
		sleepUntil(kst(8, 45, 0))
		h.expect("after a restart", map[string]string{"many-1": "running", "many-16": "running"})
		if rows := h.rows(store.EventHeld); len(rows) != 17 || !strings.Contains(rows[16].Detail, "surge") {
			t.Errorf("the pass holds what the file of the start wants: %+v", rows)
		}

		if err := h.open(h.store).Confirm(t.Context(), "minji"); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(8, 47, 0))
		for i := range 16 {
			h.expect("confirmed", map[string]string{fmt.Sprintf("many-%d", i+1): "stopped"})
		}
		// It has been acted on: in the evening nobody is asked again.
		sleepUntil(kst(9, 5, 0))
		h.expect("in the morning", map[string]string{"many-1": "running", "few-1": "running"})
		d.stop()
		sleepUntil(kst(17, 58, 0))
		d = h.serve("third")
		sleepUntil(kst(18, 2, 0))
		h.expect("in the evening", map[string]string{"many-1": "stopped", "few-1": "stopped"})
		d.stop()
		h.verify()
	})
}

// A file that is changed at noon and would stop far more in the evening is asked about at noon.
func TestAChangeAtNoonIsWeighedForTheEvening(t *testing.T) {
	t.Parallel()
	for name, confirmed := range map[string]bool{"confirmed": true, "mended instead": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(kst(17, 55, 0).AddDate(0, 0, -1)))
				few, many := ec2("few-#", "running", "small"), ec2("many-#", "running", "large")
				few.Count, many.Count = 5, 16
				const config = peopleConfig + `  small: {periods: [office]}
  large: {override_status: running}
`
				h := newHouse(t, config, few, many)
				d := h.serve()
				sleepUntil(kst(18, 5, 0).AddDate(0, 0, -1))
				sleepUntil(kst(12, 0, 0))
				h.write(strings.Replace(config, "large: {override_status: running}", "large: {periods: [office]}", 1))
				sleepUntil(kst(12, 1, 0))
				if rows := h.rows(store.EventHeld); len(rows) != 1 || !strings.Contains(rows[0].Detail, "waits until somebody confirms it") {
					t.Fatalf("what the record says of it: %+v", rows)
				}
				// A person's override counts all the same, and the file is not asked about again for it.
				h.force(calendar.Stopped, "few-1", service.End{For: time.Hour})
				sleepUntil(kst(12, 3, 0))
				h.expect("by a person", map[string]string{"few-1": "stopped", "few-2": "running"})
				if n := len(h.rows(store.EventHeld)); n != 1 {
					t.Errorf("asked %d times", n)
				}
				wants := map[string]string{"few-2": "stopped", "many-1": "running", "many-16": "running"}
				if confirmed {
					if err := h.open(h.store).Confirm(t.Context(), "minji"); err != nil {
						t.Fatal(err)
					}
					wants["many-1"], wants["many-16"] = "stopped", "stopped"
				} else {
					h.write(config)
				}
				sleepUntil(kst(18, 2, 0))
				h.expect("in the evening", wants)
				if n := len(h.rows(store.EventHeld)); n != 1 {
					t.Errorf("held %d times in all", n)
				}
				d.stop()
				h.verify()
			})
		})
	}
}

// A rule whose filter suddenly matches far more than when it fired last.
func TestARuleThatSuddenlyMatchesFarMore(t *testing.T) {
	t.Parallel()
	for name, confirmed := range map[string]bool{"confirmed in time": true, "nobody confirms": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(kst(19, 58, 0)))
				few, many := ec2("few-#", "running", "idle", "Team", "batch"), ec2("many-#", "running", "idle", "Team", "batch")
				few.Count, many.Count = 4, 16
				const config = peopleConfig + `  idle: {periods: [whenever]}
rules:
  off: {expression: "cron(0 * * * ? *)", timezone: Asia/Seoul, action: stop, filters: "tag:Team=batch"}
`
				file := strings.Replace(config, "schedules:", "  whenever: {endtime: \"24:00\"}\nschedules:", 1)
				h := newHouse(t, file, few)
				d := h.serve()
				sleepUntil(kst(20, 5, 0))
				h.expect("an hour before", map[string]string{"few-4": "stopped"})

				sleepUntil(kst(20, 30, 0))
				h.load(awssim.Fleet{Resources: []awssim.Resource{many}})
				sleepUntil(kst(21, 5, 0))
				h.expect("held back", map[string]string{"many-1": "running", "many-16": "running"})
				if confirmed {
					if err := h.open(h.store).Confirm(t.Context(), "minji"); err != nil {
						t.Fatal(err)
					}
				}
				sleepUntil(kst(21, 30, 0))
				want := map[bool]string{true: "stopped", false: "running"}[confirmed]
				h.expect("half an hour later", map[string]string{"many-1": want, "many-16": want})
				given := slices.IndexFunc(h.rows(store.EventSkipped), func(row store.Activity) bool { return row.Reason == "rule-late" }) >= 0
				if given == confirmed {
					t.Errorf("given up: %v", given)
				}
				d.stop()
				h.verify()
			})
		})
	}
}

// An SSM maintenance window: up before it opens, down when it has closed.
func TestAnInstanceIsUpForItsMaintenanceWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(1, 30, 0).AddDate(0, 0, 1)))
		text := strings.Replace(peopleConfig, "{periods: [office]}", "{periods: [office], ssm_maintenance_window: [patching]}", 1)
		h := newHouse(t, strings.Replace(text, "resync_interval: 2h", "resync_interval: 5m", 1), ec2("web", "stopped", "seoul-office"), ec2("plain", "running", ""))
		h.load(windowFleet("cron(0 2 ? * SAT *)", 3))
		d := h.serve()
		sleepUntil(kst(1, 44, 0).AddDate(0, 0, 1)) // resync_interval is five minutes
		h.expect("at night", map[string]string{"web": "stopped"})
		sleepUntil(kst(1, 59, 0).AddDate(0, 0, 1))
		h.expect("before the window", map[string]string{"web": "running"})
		d.kill() // in the window SSM tells the next one only
		d = h.serve("second")
		sleepUntil(kst(4, 59, 59).AddDate(0, 0, 1))
		h.expect("in the window", map[string]string{"web": "running"})
		sleepUntil(kst(5, 1, 0).AddDate(0, 0, 1))
		h.expect("after the window", map[string]string{"web": "stopped"})
		starts, stops := h.acted("StartInstances", "web"), h.acted("StopInstances", "web")
		if len(starts) != 1 || !starts[0].Truncate(time.Second).Equal(kst(1, 45, 0).AddDate(0, 0, 1)) {
			t.Errorf("started at %v", starts)
		}
		if len(stops) != 1 || !stops[0].Truncate(time.Second).Equal(kst(5, 0, 0).AddDate(0, 0, 1)) {
			t.Errorf("stopped at %v", stops)
		}
		d.stop()
	})
}

func windowFleet(cron string, hours int) awssim.Fleet {
	return awssim.Fleet{Windows: []awssim.Window{{Account: "111122223333", Region: "ap-northeast-2", Name: "patching", Cron: cron, Timezone: "Asia/Seoul", Hours: hours}}}
}
