package pass_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// short is a machine of office hours that accepts three types, best first.
func short(name, state string) awssim.Resource {
	r := at("cn-north-1", shop, "ec2", name, state, map[string]string{
		"Schedule": "cn-office-hours", "dayshift:instance-types": "c5.xlarge, c5.large, m5.large",
	})
	r.Type, r.Zone = "c5.xlarge", "cn-north-1a"
	return r
}

func withDeadline(deadline time.Duration) func(*policy.Schedule) {
	return func(s *policy.Schedule) { s.CapacityDeadline = deadline }
}

func (w *world) capacity(free int, types ...string) {
	for _, name := range types {
		w.sim.LimitCapacity("cn-north-1a", name, free)
	}
}

// lines are what people were told, of one kind.
func lines(reports []pass.Report, kind notify.Kind) (told []string) {
	for _, report := range reports {
		for _, message := range toldIn(report) {
			if message.Kind == kind {
				told = append(told, message.Lines...)
			}
		}
	}
	return told
}

// saidInOrder expects each text in a line of its own, in this order.
func saidInOrder(t *testing.T, what string, told []string, texts ...string) {
	t.Helper()
	left := told
	for _, text := range texts {
		i := slices.IndexFunc(left, func(line string) bool { return strings.Contains(line, text) })
		if i < 0 {
			t.Fatalf("%s: nobody was told %q after what came before it:\n%s", what, text, strings.Join(told, "\n"))
		}
		left = left[i+1:]
	}
}

func TestFault23AShortageOfTwentyMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		w := newWorld(t, office(t, withDeadline(2*time.Hour)), short("web", "stopped"))
		w.scopes = beijing
		w.capacity(0, "c5.xlarge", "c5.large", "m5.large")
		reports := w.live(clockTime(5, 9, 20))
		w.expect("in the shortage", map[string]string{"web": "stopped"})
		told := lines(reports, notify.Shortage)
		saidInOrder(t, "the first twenty minutes", told,
			"no capacity for c5.xlarge in cn-north-1a; tries c5.large next",
			"no capacity for c5.large in cn-north-1a; tries m5.large next",
			"no capacity for c5.xlarge, c5.large, m5.large in cn-north-1a; again at 2027-03-05T01:00:30Z, for the last time at 2027-03-05T03:00:00Z",
			"; again at 2027-03-05T01:01:")
		if len(told) > 2+6 {
			t.Errorf("%d lines in twenty minutes:\n%s", len(told), strings.Join(told, "\n"))
		}
		if failed := lines(reports, notify.Failed); len(failed) > 0 {
			t.Errorf("told as failures too: %v", failed)
		}
		if m := w.memory("web"); m.Shortage.IsZero() || m.Shortage.Since.Sub(clockTime(5, 9, 0)) > time.Second || m.Last != decide.StartFailed {
			t.Errorf("remembered: %+v", m)
		}

		w.capacity(1, "m5.large")
		reports = w.live(clockTime(5, 9, 50))
		w.expect("after it", map[string]string{"web": "running"})
		if instance, _ := w.sim.Instance(w.id("web")); instance.Type != "m5.large" {
			t.Errorf("it is %s", instance.Type)
		}
		saidInOrder(t, "its end", lines(reports, notify.ShortageOver), "started as m5.large instead of c5.xlarge; there had been no capacity since 2027-03-05T01:00:00Z")
		if m := w.memory("web"); !m.Shortage.IsZero() || m.Attempts != 0 || m.RefusedType != "c5.xlarge" {
			t.Errorf("left behind: %+v", m)
		}
		w.wantRows("each rung", 2*roundsUntil(w, "web"), store.EventShort, "no capacity for", "next (", "InsufficientInstanceCapacity")

		w.capacity(5, "c5.xlarge")
		w.live(clockTime(8, 9, 5))
		w.expect("on Monday", map[string]string{"web": "running"})
		if instance, _ := w.sim.Instance(w.id("web")); instance.Type != "c5.xlarge" {
			t.Errorf("on Monday it is %s, want the first choice again", instance.Type)
		}
		w.verify()
	})
}

// roundsUntil counts the rounds through the list of types up to the one that
// succeeded: each began with the first type.
func roundsUntil(w *world, name string) int {
	n := 0
	for _, row := range w.rows(store.EventShort) {
		if row.Name == name && strings.HasPrefix(row.Detail, "no capacity for c5.xlarge in") {
			n++
		}
	}
	return n
}

func TestFault23AShortageWithoutEnd(t *testing.T) {
	for name, change := range map[string]struct {
		after func(w *world) // that it was given up
		again time.Time      // when it comes up
	}{
		"until the next period": {again: clockTime(8, 9, 0)},
		"until its owner accepts another type": {
			after: func(w *world) {
				if err := w.sim.TagInstance(w.id("web"), map[string]string{"dayshift:instance-types": "c5.xlarge, t3.large"}); err != nil {
					w.t.Fatal(err)
				}
			},
			again: clockTime(5, 14, 0),
		},
		"until a person wants it": {
			after: func(w *world) { w.override("o-1", ofSchedule, calendar.Running, time.Hour); w.capacity(9, "c5.xlarge") },
			again: clockTime(5, 14, 0),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, withDeadline(2*time.Hour)), short("web", "stopped"))
				w.scopes = beijing
				w.capacity(0, "c5.xlarge", "c5.large", "m5.large")
				reports := w.live(clockTime(5, 13, 0))
				told := lines(reports, notify.Shortage)
				saidInOrder(t, "until one", told, "tries c5.large next", "again at", "gave up at 2027-03-05T03:00:0")
				gave := 0
				for _, line := range told {
					if strings.Contains(line, "gave up") {
						gave++
					}
				}
				if gave != 1 {
					t.Errorf("that it was given up was said %d times", gave)
				}
				calls := w.sim.Stats().ByAction["ec2:StartInstances"]
				if calls < 3*10 || calls > 3*16 {
					t.Errorf("%d starts of three types in two hours", calls)
				}
				w.restart()
				w.live(clockTime(5, 13, 59))
				if now := w.sim.Stats().ByAction["ec2:StartInstances"]; now != calls {
					t.Errorf("%d starts after it was given up", now-calls)
				}
				if m := w.memory("web"); m.Shortage.GaveUp.IsZero() || !m.Shortage.Until.Equal(clockTime(5, 18, 0)) {
					t.Errorf("remembered: %+v", m.Shortage)
				}
				if change.after != nil {
					change.after(w)
				}
				w.live(change.again.Add(-time.Minute))
				w.capacity(9, "c5.xlarge")
				w.live(change.again.Add(5 * time.Minute))
				w.expect("in the end", map[string]string{"web": "running"})
				if m := w.memory("web"); !m.Shortage.IsZero() {
					t.Errorf("left behind: %+v", m.Shortage)
				}
				w.verify()
			})
		})
	}
}

// What meets a shortage together is tried again together, a few calls for the
// whole pool, and told in one message; another pool does not wait.
func TestFault23AShortageHurtsOnlyItsPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		var fleet []awssim.Resource
		for i := range 40 {
			r := at("cn-north-1", shop, "ec2", "web-"+string(rune('a'+i/26))+string(rune('a'+i%26)), "stopped", nil)
			r.Type, r.Zone = "c5.xlarge", "cn-north-1a"
			fleet = append(fleet, r)
		}
		other := at("cn-north-1", shop, "ec2", "other", "stopped", nil)
		other.Type, other.Zone = "c5.xlarge", "cn-north-1b"
		w := newWorld(t, office(t, withDeadline(2*time.Hour)), append(fleet, other)...)
		w.scopes = beijing
		w.capacity(0, "c5.xlarge")
		w.run()
		time.Sleep(time.Minute)
		w.run()
		w.expect("beside the shortage", map[string]string{"other": "pending"})
		next := map[time.Time]int{}
		for _, r := range fleet {
			next[w.memory(r.Name).NotBefore]++
		}
		if len(next) != 1 {
			t.Errorf("they come back at %d instants: %v", len(next), slices.Collect(maps.Keys(next)))
		}
		messages := 0
		for _, report := range w.live(clockTime(5, 9, 30)) {
			for _, message := range toldIn(report) {
				if message.Kind == notify.Shortage {
					messages++
				}
			}
		}
		if messages > 6 {
			t.Errorf("%d messages in half an hour", messages)
		}
		w.capacity(100, "c5.xlarge")
		w.live(clockTime(5, 9, 50))
		w.expect("after it", map[string]string{"web-aa": "running", "web-bn": "running"})
	})
}

// A start that AWS takes and then gives up for lack of capacity is a rung as well.
func TestFault28AStartThatFallsBackForLackOfCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		w := newWorld(t, office(t, withDeadline(2*time.Hour)), short("web", "stopped"))
		w.scopes = beijing
		w.faults("- {kind: fall-back, resource: web, count: 1, code: Server.InsufficientInstanceCapacity, message: no capacity now}")
		reports := w.live(clockTime(5, 9, 15))
		instance, _ := w.sim.Instance(w.id("web"))
		if instance.State != "running" || instance.Type != "c5.large" {
			t.Errorf("it is %s as %s, want the second choice", instance.State, instance.Type)
		}
		saidInOrder(t, "the fall-back", lines(reports, notify.Shortage), "no capacity for c5.xlarge in cn-north-1a: it fell back to stopped: Server.InsufficientInstanceCapacity")
		saidInOrder(t, "its end", lines(reports, notify.ShortageOver), "started as c5.large instead of c5.xlarge")
	})
}

// A machine that was taken down only to be changed comes back as it was, rather than not at all.
func TestAResizeWithoutCapacityGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		web := at("cn-north-1", shop, "ec2", "web", "stopped", nil)
		web.Type, web.Zone = "m5.large", "cn-north-1a"
		w := newWorld(t, campaign(t), web)
		w.scopes = beijing
		w.live(clockTime(5, 13, 59))
		w.capacity(0, "m5.xlarge")
		reports := w.live(clockTime(5, 14, 10))
		instance, _ := w.sim.Instance(w.id("web"))
		if instance.State != "running" || instance.Type != "m5.large" {
			t.Errorf("for the sale it is %s as %s", instance.State, instance.Type)
		}
		saidInOrder(t, "the sale", lines(reports, notify.Shortage), "no capacity for m5.xlarge in cn-north-1a; tries m5.large next")
		w.live(clockTime(5, 17, 59))
		if stops := w.acted("StopInstances")["web"]; stops != 1 {
			t.Errorf("it was stopped %d times for a type that could not be had", stops)
		}
		if m := w.memory("web"); m.ResizeFrom != "" || m.ResizeTo != "" || m.RefusedType != "m5.xlarge" {
			t.Errorf("remembered: %+v", m)
		}
	})
}

// A kind without types has rounds and a deadline all the same.
func TestAShortageOfADatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		w := newWorld(t, office(t, withDeadline(time.Hour)), at("cn-north-1", shop, "rds", "db", "stopped", nil), at("cn-north-1", shop, "rds", "other", "stopped", nil))
		w.scopes = beijing
		w.faults("- {kind: error, action: StartDBInstance, resource: db, code: InsufficientDBInstanceCapacity, message: none in the zone}")
		reports := w.live(clockTime(5, 10, 30))
		told := lines(reports, notify.Shortage)
		saidInOrder(t, "of the database", told, "db in 111122223333/cn-north-1: no capacity for db.t3.micro in cn-north-1b; again at 2027-03-05T01:00:", "gave up at 2027-03-05T02:00:0")
		w.expect("beside it", map[string]string{"db": "stopped", "other": "available"})
		calls := count(w.sim, "StartDBInstance")
		w.faults("")
		w.live(clockTime(5, 17, 0))
		if now := count(w.sim, "StartDBInstance"); now != calls {
			t.Errorf("%d starts after it was given up", now-calls)
		}
		w.live(clockTime(8, 9, 20))
		w.expect("on Monday", map[string]string{"db": "available"})
	})
}

// The start of a rule meets a shortage: it walks its types for as long as a rule's action is tried.
func TestAShortageMeetsARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T11:59:00+08:00")
		web := short("web", "stopped")
		web.Tags["Schedule"], web.Tags["Team"] = "manual", "x"
		never := short("never", "stopped")
		never.Tags, never.Type = team(), "c5.xlarge"
		w := newWorld(t, manual(t, ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Start, "tag:Team=x")), web, never)
		w.scopes = beijing
		w.capacity(0, "c5.xlarge", "c5.large")
		reports := w.live(clockTime(5, 13, 0))
		w.expect("an hour later", map[string]string{"web": "running", "never": "stopped"})
		saidInOrder(t, "of the first", lines(reports, notify.ShortageOver), "started as m5.large instead of c5.xlarge")
		saidInOrder(t, "of the second", lines(reports, notify.Failed), `rule "noon" could not start it in time`)
		for _, name := range []string{"web", "never"} {
			if m := w.memory(name); !m.Fire.IsZero() || !m.Shortage.IsZero() || m.Intent != nil {
				t.Errorf("left behind of %s: %+v", name, m)
			}
		}
		w.verify()
	})
}
