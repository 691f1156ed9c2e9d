package pass_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
)

// campaign is a schedule that wants a larger type in the afternoon.
func campaign(t *testing.T) *policy.Book {
	t.Helper()
	book := office(t, nil)
	compiled, err := calendar.Compile(
		calendar.ScheduleDef{Name: "cn-office-hours", Timezone: "Asia/Shanghai", Periods: calendar.PeriodRefs{"morning@m5.large", "sale@m5.xlarge"}},
		map[string]calendar.PeriodDef{"morning": {BeginTime: "09:00", EndTime: "14:00"}, "sale": {BeginTime: "14:00", EndTime: "18:00"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	book.Schedules["cn-office-hours"].Calendar = compiled
	return book
}

func TestAPeriodWithAnotherTypeResizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		web := at("cn-north-1", shop, "ec2", "web", "stopped", nil)
		web.Type = "m5.large"
		w := newWorld(t, campaign(t), web)
		w.settle()
		w.expect("in the morning", map[string]string{"web": "running"})

		begin(t, "2027-03-05T14:00:00+08:00")
		w.settle()
		instance, _ := w.sim.Instance(w.id("web"))
		if instance.State != "running" || instance.Type != "m5.xlarge" {
			t.Errorf("for the sale it is %s as %s", instance.State, instance.Type)
		}
		for _, action := range []string{"StopInstances", "ModifyInstanceAttribute"} {
			if n := count(w.sim, action); n != 1 {
				t.Errorf("%s: %d calls, want one", action, n)
			}
		}
	})
}

func count(sim *awssim.Cloud, action string) int {
	n := 0
	for _, call := range sim.Calls() {
		if call.Action == action && call.Code == "" {
			n++
		}
	}
	return n
}

func TestAShortageWalksTheListOfTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		web := at("cn-north-1", shop, "ec2", "web", "stopped", map[string]string{
			"Schedule": "cn-office-hours", "dayshift:instance-types": "c5.xlarge, c5.large, m5.large",
		})
		web.Type, web.Zone = "c5.xlarge", "cn-north-1a"
		other := at("cn-north-1", shop, "ec2", "other", "stopped", nil)
		other.Type, other.Zone = "t3.micro", "cn-north-1b"
		w := newWorld(t, office(t, nil), web, other)
		w.sim.LimitCapacity("cn-north-1a", "c5.xlarge", 0)
		w.sim.LimitCapacity("cn-north-1a", "c5.large", 0)
		w.settle()
		instance, _ := w.sim.Instance(w.id("web"))
		if instance.State != "running" || instance.Type != "m5.large" {
			t.Errorf("it is %s as %s, want running as the third choice", instance.State, instance.Type)
		}
		w.expect("beside the shortage", map[string]string{"other": "running"})

		w.sim.LimitCapacity("cn-north-1a", "c5.xlarge", 5)
		begin(t, "2027-03-05T18:00:00+08:00")
		w.settle()
		begin(t, "2027-03-08T09:00:00+08:00")
		w.settle()
		if instance, _ = w.sim.Instance(w.id("web")); instance.Type != "c5.xlarge" || instance.State != "running" {
			t.Errorf("at the next start it is %s as %s, want the first choice again", instance.State, instance.Type)
		}
	})
}

func TestInformationalTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T09:00:00+08:00")
		broken := at("cn-north-1", shop, "ec2", "broken", "stopped", nil)
		broken.Root = "missing"
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil), broken)
		p := w.pass()
		p.Tags = pass.TagOptions{LastAction: true, Error: true}
		if _, err := pass.Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		web, _ := w.sim.Instance(w.id("web"))
		if got := web.Tags["dayshift:last-action"]; got != "start 2027-03-05T01:00:00Z period-began" {
			t.Errorf("last action: %q", got)
		}
		bad, _ := w.sim.Instance(w.id("broken"))
		if got := bad.Tags["dayshift:error"]; !strings.Contains(got, "IncorrectInstanceState") {
			t.Errorf("error: %q", got)
		}
		if n := count(w.sim, "CreateTags"); n != 2 {
			t.Errorf("%d calls for two values", n)
		}
	})
}

func TestPeopleAreWarnedOnceBeforeAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:00:00+08:00")
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.NotifyBeforeStop = 10 * time.Minute }), officeFleet()...)
		w.settle()
		report := w.run()
		due := report.Due[scopes[0]]
		if want := time.Date(2027, 3, 5, 9, 50, 0, 0, time.UTC); !due.Equal(want) {
			t.Errorf("the next look is at %s, want ten minutes before six", due)
		}
		time.Sleep(time.Until(due))
		said := 0
		for range 3 {
			for _, message := range toldIn(w.run()) {
				if message.Kind == notify.StopWarning {
					said += message.Count
				}
			}
			time.Sleep(2 * time.Minute)
		}
		if said != 5 {
			t.Errorf("%d warnings for five resources", said)
		}
	})
}

func TestFault29StopProtectionIsTriedOncePerEvening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:59:00+08:00")
		pinned := at("cn-north-1", shop, "ec2", "pinned", "running", nil)
		pinned.DisableStop = true
		w := newWorld(t, office(t, nil), pinned, at("cn-north-1", shop, "ec2", "web", "running", nil))
		w.settle()
		begin(t, "2027-03-05T18:00:00+08:00")
		report := w.settle()
		if report.Run.Counts.Failed != 0 || report.Run.Counts.Skipped != 1 || report.Run.Counts.Stopped != 1 {
			t.Errorf("counts: %+v", report.Run.Counts)
		}
		calls := w.sim.Stats().ByAction["ec2:StopInstances"]
		for range 20 {
			time.Sleep(5 * time.Minute)
			w.run()
		}
		if again := w.sim.Stats().ByAction["ec2:StopInstances"]; again != calls {
			t.Errorf("%d further calls on a protected instance", again-calls)
		}
	})
}
