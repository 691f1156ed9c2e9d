package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/pass"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// The zones of a machine change under a running program, and one that the file
// names is gone: what is in force stays in force, and that is said until somebody
// mends it. Of an object, its schedule alone is set aside.
func TestFault13ZoneRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(8, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"), ec2("lab", "stopped", "lab"), ec2("shop", "stopped", "shop"))
		h.save(store.ScheduleObject, "lab", `{"periods": ["office"], "timezone": "Asia/Seoul"}`)
		h.save(store.ScheduleObject, "shop", `{"periods": ["office"], "timezone": "Asia/Seoul"}`)
		d := h.serve()
		sleepUntil(kst(8, 30, 0))
		h.write(strings.Replace(peopleConfig, "timezone: Asia/Seoul", "timezone: Asia/Hanseong", 1))
		sleepUntil(kst(9, 5, 0)) // a boundary later it is still said
		h.expect("by the last good one", map[string]string{"web": "running", "lab": "running", "shop": "running"})
		if health := d.health(); !strings.Contains(health.Detail, "Asia/Hanseong") {
			t.Errorf("the zone that is gone is not said: %+v", health)
		}
		h.write(peopleConfig)
		h.save(store.ScheduleObject, "lab", `{"periods": ["office"], "timezone": "Asia/Hanseong"}`)
		sleepUntil(kst(18, 5, 0))
		h.expect("an object's zone is gone", map[string]string{"web": "stopped", "lab": "running", "shop": "stopped"})
		if warned := slices.ContainsFunc(d.Config.Warnings, func(w config.Fault) bool { return strings.Contains(w.Error(), "Asia/Hanseong") }); !warned {
			t.Errorf("warnings: %v", d.Config.Warnings)
		}
		d.stop()
	})
}

// passes are the reports of a daemon's passes, with the time on the wall.
type passes struct {
	mu  sync.Mutex
	ats []time.Time
	all []*pass.Report
}

func (p *passes) add(r *pass.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ats, p.all = append(p.ats, time.Now()), append(p.all, r)
}

// since gives the triggers of the passes from an instant on, and the first instant of each.
func (p *passes) since(at time.Time) (n int, first map[string]time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first = map[string]time.Time{}
	for i, when := range p.ats {
		if when.Before(at) {
			continue
		}
		n++
		if trigger := p.all[i].Run.Trigger; first[trigger].IsZero() {
			first[trigger] = when
		}
	}
	return n, first
}

// serveOn serves with a clock that the test sets.
func (h *house) serveOn(c *shiftedClock) (*living, *passes) {
	h.t.Helper()
	h.clock = c
	seen := &passes{}
	return h.begin("", func(d *Daemon) []func(context.Context) error {
		d.Reports = seen.add
		return []func(context.Context) error{d.lead}
	}), seen
}

// The clock of the machine is set while the daemon waits: it looks once, within
// half a minute, does not burst, and meets the next boundary of the new time to
// the second.
func TestFault15ClockJumps(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{
		"an hour ahead": time.Hour, "a year ahead": 365 * 24 * time.Hour, "an hour back": -time.Hour, "a day back": -24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(kst(11, 0, 0)))
				h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"))
				c := &shiftedClock{}
				d, seen := h.serveOn(c)
				sleepUntil(kst(12, 0, 7))
				h.expect("before", map[string]string{"web": "running"})
				set := time.Now()
				c.by.Add(int64(jump))
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				n, first := seen.since(set)
				if at, ok := first[triggerClock]; !ok || at.Sub(set) > 30*time.Second {
					t.Errorf("not looked at within 30 s: %v", first)
				}
				if n > 20 { // two scopes, each once, and some looks at what is under way
					t.Errorf("%d passes in five minutes", n)
				}
				if jump > 0 && jump < 24*time.Hour || jump < 0 {
					if stops := h.acted("StopInstances", "web"); len(stops) != 0 {
						t.Errorf("stopped at %v", stops)
					}
				} else if stops := h.acted("StopInstances", "web"); len(stops) != 1 { // a Sunday
					t.Errorf("stopped at %v", stops)
				}

				schedule := d.Config.Book.Schedules["seoul-office"].Calendar
				next, ok := schedule.NextState(c.Now())
				if !ok {
					t.Fatal("no boundary to come")
				}
				before := len(h.acted("StopInstances", "web")) + len(h.acted("StartInstances", "web"))
				time.Sleep(next.At.Sub(c.Now()) - time.Second)
				synctest.Wait()
				if after := len(h.acted("StopInstances", "web")) + len(h.acted("StartInstances", "web")); after != before {
					t.Errorf("%d actions before the boundary", after-before)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if after := len(h.acted("StopInstances", "web")) + len(h.acted("StartInstances", "web")); after != before+1 {
					t.Errorf("%d actions at the boundary of the new time", after-before)
				}
				d.stop()
				h.verify()
			})
		})
	}
}

// The machine sleeps for eight hours in the middle of a nap: no timer ran. When
// it wakes, the fleet is on its way to where it should be within half a minute.
func TestFault16Suspend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(11, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "running", "seoul-office"), rds("db", "available", "seoul-office"), ec2("woken", "running", "seoul-office"))
		c := &shiftedClock{}
		d, seen := h.serveOn(c)
		sleepUntil(kst(12, 0, 7))
		h.force(calendar.Running, "woken", service.End{For: 12 * time.Hour})
		d.reload(t.Context(), true)
		sleepUntil(kst(12, 3, 7))
		c.by.Add(int64(8 * time.Hour))
		if _, err := h.sim.Advance(8 * time.Hour); err != nil {
			t.Fatal(err)
		}
		woke := time.Now()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		for action, name := range map[string]string{"StopInstances": "web", "StopDBInstance": "db"} {
			if stops := h.acted(action, name); len(stops) != 1 {
				t.Errorf("%s half a minute after it woke: stopped at %v", name, stops)
			}
		}
		if n, _ := seen.since(woke); n > 10 {
			t.Errorf("%d passes in half a minute", n)
		}
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		h.expect("a quarter of an hour later", map[string]string{"web": "stopped", "db": "stopped", "woken": "running"})
		d.stop()
		h.verify()
	})
}

// A rule is edited around its instant in a running daemon: it is the old one that
// fires or the new one, never both, wherever it is kept.
func TestFault18RuleEdited(t *testing.T) {
	t.Parallel()
	const rules = `  idle: {periods: [whenever]}
rules:
  %s: {expression: "cron(0 12 * * ? *)", timezone: Asia/Seoul, action: %s, filters: "tag:Team=x"}
`
	text := strings.Replace(peopleConfig, "schedules:", "  whenever: {endtime: \"24:00\"}\nschedules:", 1)
	spec := func(action string) string {
		return fmt.Sprintf(`{"expression": "cron(0 12 * * ? *)", "timezone": "Asia/Seoul", "action": %q, "filters": "tag:Team=x"}`, action)
	}
	for _, kept := range []string{"file", "store"} {
		for _, edit := range []time.Duration{-3 * time.Second, -time.Second, -time.Millisecond, 0, time.Millisecond, time.Second, 3 * time.Second} {
			t.Run(fmt.Sprintf("%s %s", kept, edit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(kst(11, 58, 0)))
					h := newHouse(t, text+"  idle: {periods: [whenever]}\n", ec2("web", "running", "idle", "Team", "x"))
					if kept == "file" {
						h.write(text + fmt.Sprintf(rules, "noon", "stop"))
					} else {
						h.save(store.RuleObject, "noon", spec("stop"))
					}
					time.Sleep(700 * time.Millisecond) // the looks at the file lie between the seconds
					d := h.serve()
					time.Sleep(time.Until(kst(12, 0, 0).Add(edit)))
					if kept == "file" {
						h.write(text + fmt.Sprintf(rules, "noon", "reboot"))
					} else {
						h.save(store.RuleObject, "noon", spec("reboot"))
					}
					sleepUntil(kst(12, 20, 0))
					stops, reboots := len(h.acted("StopInstances", "web")), len(h.acted("RebootInstances", "web"))
					if stops+reboots > 1 {
						t.Errorf("%d stops and %d reboots", stops, reboots)
					}
					// What is known well before counts; what comes after the fire is too late.
					switch {
					case edit <= -3*time.Second && reboots != 1:
						t.Errorf("the new one, known in time, did not fire: %d stops, %d reboots", stops, reboots)
					case edit > 0 && stops != 1:
						t.Errorf("the old one did not fire: %d stops, %d reboots", stops, reboots)
					case stops+reboots == 0:
						t.Errorf("neither fired")
					}
					d.stop()
					h.verify()
				})
			})
		}
	}
}

// An exception for today that is made after its time: the state counts, so it
// takes effect at once where it changes what is wanted now, and who made it is
// told so.
func TestFault19LateException(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		at         time.Time
		kind, time string
		told       []string
		now        string // the state soon after
		then       time.Time
		later      string
	}{
		{"a stop that is over", kst(17, 30, 0), "stop", "17:00", []string{"is over", "takes effect within a pass"}, "stopped", kst(18, 5, 0), "stopped"},
		{"a stop later than the one that was", kst(18, 30, 0), "stop", "21:00", []string{"is over", "takes effect within a pass"}, "running", kst(21, 5, 0), "stopped"},
		{"an earlier start, after both", kst(10, 0, 0), "start", "07:00", []string{"is over", "changes nothing any more"}, "running", kst(12, 0, 0), "running"},
		{"a start left out, after it", kst(10, 0, 0), "start", "none", []string{"is over", "takes effect within a pass"}, "stopped", kst(12, 0, 0), "stopped"},
		{"a later start, before it and after the usual one", kst(10, 0, 0), "start", "11:00", []string{"takes effect within a pass"}, "stopped", kst(11, 5, 0), "running"},
		{"all over", kst(19, 0, 0), "start", "11:00", []string{"changes nothing any more"}, "stopped", kst(19, 30, 0), "stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(test.at.Add(-30 * time.Minute)))
				h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"))
				d := h.serve()
				sleepUntil(test.at)
				spec := fmt.Sprintf(`{"schedule": "seoul-office", "date": "2027-03-05", "type": %q, "value": %q}`, test.kind, test.time)
				answer, err := h.open(h.store).Service().SaveObject(t.Context(), service.ObjectChange{
					Kind: store.ExceptionObject, Name: "seoul-office:2027-03-05:" + test.kind, Spec: []byte(spec), Author: "minji",
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, words := range test.told {
					if !strings.Contains(say.Sentences(answer.Notes...).String(), words) {
						t.Errorf("who made it is not told %q: %q", words, answer.Notes)
					}
				}
				sleepUntil(test.at.Add(2 * time.Minute))
				h.expect("soon after", map[string]string{"web": test.now})
				sleepUntil(test.then)
				h.expect("later", map[string]string{"web": test.later})
				d.stop()
				h.verify()
			})
		})
	}
}

// A schedule whose next day lies beyond any horizon, and a rule of the next
// century: both are never, for little work, and nobody is looked at more often.
func TestFault12FarHorizon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(12, 0, 0)))
		h := newHouse(t, strings.Replace(peopleConfig, "schedules:", `  leap: {begintime: "09:00", endtime: "18:00", weekdays: mon, monthdays: 29, months: feb}
schedules:
  leap-mondays: {periods: [leap]}`, 1)+`rules:
  century: {expression: "cron(0 12 1 1 ? 2199)", action: stop, filters: "tag:Name=web"}
  past: {expression: "cron(0 12 1 1 ? 1999)", action: stop, filters: "tag:Name=web"}
`, ec2("web", "stopped", "leap-mondays"))
		c := &shiftedClock{}
		d, seen := h.serveOn(c)
		began := time.Now()
		asked := h.open(h.store).Service()
		answer, err := asked.ExplainSchedule("leap-mondays", time.Time{}) // the next one is in 2044
		if err != nil || len(answer.Next) != 0 {
			t.Errorf("%+v, %v", answer.Next, err)
		}
		ahead, err := asked.Preview(t.Context(), time.Now(), time.Now().Add(399*24*time.Hour))
		if err != nil || len(ahead.Events) != 0 {
			t.Errorf("%+v, %v", ahead.Events, err)
		}
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		if n, first := seen.since(began); n > 12 { // two scopes every two hours
			t.Errorf("%d passes in eight hours: %v", n, first)
		}
		d.stop()
	})
}
