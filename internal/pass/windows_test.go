package pass_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// patching is a world whose instances are patched on Fridays from eight to ten
// in the evening; a pass is made at least every five minutes.
func patching(t *testing.T) *world {
	t.Helper()
	book := office(t, func(s *policy.Schedule) { s.UseMaintenanceWindow, s.SSMWindows = true, []string{"patch"} })
	book.WindowLead = 15 * time.Minute
	db := at("cn-north-1", shop, "rds", "db", "available", nil)
	db.Window = "fri:13:00-fri:14:00" // in Beijing from 21:00 to 22:00
	w := newWorldOf(t, book, awssim.Fleet{
		Windows: []awssim.Window{
			{Account: shop, Region: "cn-north-1", Name: "patch", Cron: "cron(0 20 ? * FRI *)", Timezone: "Asia/Shanghai", Hours: 2},
			{Account: shop, Region: "cn-north-1", Name: "others", Cron: "cron(0 * * * ? *)", Hours: 1},
		},
		Resources: []awssim.Resource{at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-northwest-1", shop, "ec2", "elsewhere", "running", nil), db},
	})
	w.scopes, w.windows = scopes[:2], w.cloud
	return w
}

func TestASystemsManagerWindowIsRunningTime(t *testing.T) {
	for _, test := range []struct {
		name    string
		trouble func(w *world, when time.Time)
	}{
		{"quiet", func(*world, time.Time) {}},
		{"restarted again and again", func(w *world, _ time.Time) { w.restart() }},
		{"not listed from seven on", func(w *world, when time.Time) {
			if when.Equal(clockTime(5, 19, 0)) {
				w.faults("- {kind: denied, service: ssm}\n")
			}
		}},
		{"not answered from its begin on", func(w *world, when time.Time) {
			if when.Equal(clockTime(5, 19, 55)) {
				w.faults("- {kind: hang, service: ssm}\n")
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T17:00:00+08:00")
				w := patching(t)
				for _, step := range []struct {
					hour, minute int
					web, db      string
				}{
					{17, 55, "running", "available"},
					{18, 15, "stopped", "stopped"},
					{19, 0, "stopped", "stopped"},
					{19, 44, "stopped", "stopped"},
					{19, 55, "running", "stopped"}, // the pass interval and ten minutes before
					{20, 30, "running", "stopped"},
					{20, 49, "running", "stopped"},
					{20, 59, "running", "available"}, // ten minutes before
					{21, 58, "running", "available"},
					{22, 20, "stopped", "stopped"},
					{23, 30, "stopped", "stopped"},
				} {
					when := clockTime(5, step.hour, step.minute)
					w.live(when)
					w.expect(when.Format("15:04"), map[string]string{"web": step.web, "db": step.db})
					if step.hour > 18 {
						w.expect(when.Format("15:04"), map[string]string{"elsewhere": "stopped"})
					}
					test.trouble(w, when)
				}
				w.live(clockTime(6, 23, 0))
				w.expect("a day later", map[string]string{"web": "stopped", "db": "stopped"})
				if n := w.acted("StartInstances")["web"]; n != 1 {
					t.Errorf("%d starts", n)
				}
				for _, row := range w.rows(store.EventStartAccepted) {
					if row.Reason != "window-start" {
						t.Errorf("row: %+v", row)
					}
				}
				w.verify()
			})
		})
	}
}

// A person who stops an instance in its window is respected; a dry run of the
// evening shows the window.
func TestAPersonStopsWhatIsUpForAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:00:00+08:00")
		w := patching(t)
		w.live(clockTime(5, 18, 15))
		dry := w.pass()
		dry.DryRun, dry.At = true, clockTime(5, 20, 0)
		if report, err := pass.Run(t.Context(), dry); err != nil || len(report.Plan.Actions) != 1 || report.Plan.Actions[0].Verb != fleet.Start {
			t.Errorf("planned %+v, %v", report.Plan.Actions, err)
		}
		w.live(clockTime(5, 20, 5))
		if err := w.sim.StopInstance(w.id("web")); err != nil {
			t.Fatal(err)
		}
		w.live(clockTime(5, 23, 0))
		w.expect("it stays down", map[string]string{"web": "stopped"})
	})
}

// listed is a lister of windows that a test writes.
type listed map[fleet.Scope][]cloud.Window

func (l listed) Windows(_ context.Context, scope fleet.Scope, _ []string) ([]cloud.Window, error) {
	return l[scope], nil
}

func TestWindowsOfOneNameAndTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T18:30:00+08:00")
		w := patching(t)
		eight := clockTime(5, 20, 0).UTC()
		lists := listed{beijing[0]: {
			{Name: "patch", ID: "mw-1", Enabled: true, Next: eight, Duration: time.Hour},
			{Name: "patch", ID: "mw-2", Enabled: true, Next: eight, Duration: 3 * time.Hour},
			{Name: "patch", ID: "mw-3", Enabled: false, Next: eight.Add(-time.Hour), Duration: 8 * time.Hour},
			{Name: "patch", ID: "mw-4", Enabled: true, Duration: 8 * time.Hour}, // nothing planned
		}}
		w.windows = lists
		w.live(clockTime(5, 19, 30))
		w.expect("before", map[string]string{"web": "stopped"})
		w.live(clockTime(5, 21, 30))
		lists[beijing[0]] = nil // deleted while it runs
		w.live(clockTime(5, 22, 30))
		w.expect("the longest counts", map[string]string{"web": "running"})
		w.live(clockTime(5, 23, 30))
		w.expect("after it", map[string]string{"web": "stopped"})

		lists[beijing[0]] = []cloud.Window{{Name: "patch", ID: "mw-5", Enabled: true, Next: clockTime(6, 3, 0), Duration: time.Hour}}
		w.live(clockTime(6, 2, 0))
		lists[beijing[0]] = nil // deleted before it begins
		w.live(clockTime(6, 3, 30))
		w.expect("one that was taken away", map[string]string{"web": "stopped"})
		kept, err := w.store.ScopeMemory(t.Context(), beijing[0])
		if err != nil || len(kept.Windows) != 0 {
			t.Errorf("remembered: %+v, %v", kept.Windows, err)
		}
	})
}
