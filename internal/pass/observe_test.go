package pass_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// Observing, by a schedule or everywhere, calls nothing, says what would be done
// once, and can be switched off at any time.
func TestObserving(t *testing.T) {
	for _, everywhere := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			begin(t, "2027-03-05T08:00:00+08:00")
			book := office(t, func(s *policy.Schedule) { s.NotifyBeforeStop = 10 * time.Minute; s.Observe = !everywhere })
			book.Observe = everywhere
			book.Rules = []*policy.Rule{ruleOf(t, "wake", "cron(0 20 * * ? *)", fleet.Start, "tag:Name=web")}
			w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-north-1", shop, "ec2", "up", "running", nil))
			w.scopes = beijing
			reports := w.live(clockTime(5, 8, 45))
			w.wantRows("the new one outside its periods", 1, store.EventObserved, "observed, not done: stop")
			reports = append(reports, w.live(clockTime(5, 12, 0))...)
			reports = append(reports, w.live(clockTime(5, 19, 0))...)
			reports = append(reports, w.live(clockTime(5, 21, 0))...)
			w.override("o-1", policy.Target{Filter: filterOf(t, "tag:Name=web")}, calendar.Running, 2*time.Hour)
			reports = append(reports, w.live(clockTime(5, 22, 0))...)
			if w.mutations() != 0 {
				t.Fatalf("something was done: %+v", w.sim.Stats().ByAction)
			}
			var web, up []string
			for _, row := range w.rows(store.EventObserved) {
				if row.Name == "web" {
					web = append(web, row.Reason)
				} else {
					up = append(up, row.Reason)
				}
				if len(row.Chain) == 0 {
					t.Errorf("no chain: %+v", row)
				}
			}
			if got, want := strings.Join(web, " "), "period-began rule-start override-start"; got != want {
				t.Errorf("of the stopped one: %s, want %s", got, want)
			}
			if got, want := strings.Join(up, " "), "new-resource-stop period-ended"; got != want {
				t.Errorf("of the running one: %s, want %s", got, want)
			}
			if counts := told(reports); len(counts) != 0 {
				t.Errorf("people were told %v", counts)
			}
			if len(w.rows(store.EventAnnounced, store.EventSkipped)) != 0 {
				t.Errorf("rows: %+v", w.rows(store.EventAnnounced, store.EventSkipped))
			}

			w.edited()
			w.book.Observe, book.Schedules["cn-office-hours"].Observe = false, false
			w.live(clockTime(5, 22, 5))
			w.expect("no longer observed", map[string]string{"web": "running", "up": "stopped"})
			w.live(clockTime(5, 23, 10))
			w.expect("after the override", map[string]string{"web": "stopped"})
			w.verify()
		})
	}
}

// What only would have been announced is announced when it comes to be meant.
func TestWhatWasObservedIsStillAnnounced(t *testing.T) {
	for _, after := range []time.Duration{5 * time.Minute, 2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			begin(t, "2027-03-05T20:00:00+08:00")
			book := office(t, nil)
			book.Observe = true
			w := newWorld(t, book, at("cn-north-1", shop, "ec2", "new", "running", nil))
			w.scopes = beijing
			quiet := w.live(w.now().Add(after))
			w.edited()
			w.book.Observe = false
			begins := w.now()
			said := w.live(begins.Add(9 * time.Minute))
			w.expect("within the grace", map[string]string{"new": "running"})
			if told(quiet)[notify.NewResource] != 0 || told(said)[notify.NewResource] != 1 {
				t.Errorf("after %s: told %v, then %v", after, told(quiet), told(said))
			}
			w.live(begins.Add(12 * time.Minute))
			w.expect("after the grace", map[string]string{"new": "stopped"})
		})
	}
}

// A warning that nobody got while it was only observed is given when there is still time.
func TestWhatWasObservedIsStillWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		book := office(t, func(s *policy.Schedule) { s.NotifyBeforeStop = 10 * time.Minute })
		w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", "running", nil))
		w.scopes = beijing
		w.live(clockTime(5, 17, 0))
		w.edited()
		w.book.Observe = true
		if counts := told(w.live(clockTime(5, 17, 55))); len(counts) != 0 {
			t.Errorf("told %v", counts)
		}
		w.edited()
		w.book.Observe = false
		if counts := told(w.live(clockTime(5, 17, 58))); counts[notify.StopWarning] != 1 {
			t.Errorf("told %v", counts)
		}
	})
}
