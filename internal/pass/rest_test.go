package pass_test

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// counted counts what passes read of the resources' memories.
type counted struct {
	pass.Store
	loads int
}

func (c *counted) Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error) {
	c.loads++
	return c.Store.Memories(ctx, scope)
}

// look makes a pass and says how often it read memories, and how many decisions it made.
func (w *world) look(scopes ...fleet.Scope) (loads, decided int, report pass.Report) {
	w.t.Helper()
	counting := &counted{Store: w.store}
	p := w.pass()
	p.Store = counting
	if len(scopes) > 0 {
		p.Scopes = scopes
	}
	report, err := pass.Run(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.known = report.Known
	for _, n := range report.Reasons {
		decided += n
	}
	return counting.loads, decided, report
}

func workers(n int, schedule string) []awssim.Resource {
	return []awssim.Resource{{Account: shop, Region: "cn-north-1", Kind: "ec2", Name: "worker-#", Count: n, State: "running", Tags: map[string]string{"Schedule": schedule}}}
}

func TestWhatIsAtRestIsNotDecidedOnAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		w := newWorld(t, office(t, nil), workers(50, "cn-office-hours")...)
		w.scopes = beijing
		if loads, decided, report := w.look(); loads != 1 || decided != 50 || report.Run.Counts.Resources != 50 {
			t.Fatalf("first look: memories were read %d times for %d decisions", loads, decided)
		}
		boundary := clockTime(1, 18, 0)
		for range 6 {
			time.Sleep(time.Hour)
			loads, decided, report := w.look()
			if loads != 0 || decided != 0 {
				t.Errorf("%s: memories were read %d times for %d decisions", w.now(), loads, decided)
			}
			if report.Run.Counts.Resources != 50 || report.States[pass.Group{Scope: beijing[0], Kind: fleet.EC2Instance, State: fleet.Running}] != 50 {
				t.Errorf("%d resources, %v", report.Run.Counts.Resources, report.States)
			}
			if due := report.Due[beijing[0]]; !due.Equal(boundary) {
				t.Errorf("due at %s, want %s", due, boundary)
			}
		}

		// One that a person stops is the one that is decided on, and the others count for the limits all the same.
		if err := w.sim.StopInstance(w.id("worker-7")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if loads, decided, _ := w.look(); loads != 1 || decided != 1 {
			t.Errorf("after a person's stop: memories were read %d times for %d decisions", loads, decided)
		}
		if loads, decided, _ := w.look(); loads != 0 || decided != 0 {
			t.Errorf("afterwards: memories were read %d times for %d decisions", loads, decided)
		}

		time.Sleep(time.Until(boundary))
		_, decided, report := w.look()
		if decided != 50 || report.Run.Counts.Stopped != 49 {
			t.Errorf("at the boundary: %d decisions, %d stopped", decided, report.Run.Counts.Stopped)
		}
	})
}

func TestRestEndsWithWhateverItRestsOn(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"another configuration": (*world).edited,
		"another process":       (*world).restart,
		"a day has passed":      func(*world) { time.Sleep(25 * time.Hour) },
		"the clock is set back": func(w *world) { w.shift = -30 * time.Minute },
		"a person confirms":     func(w *world) {},
		"a rule is new": func(w *world) {
			w.edited()
			w.book.Rules = append(w.book.Rules, ruleOf(w.t, "night", "cron(0 3 * * ? *)", fleet.Stop, "tag:Team=none"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-01T10:00:00+08:00")
				book := office(t, nil)
				w := newWorld(t, book, workers(5, "cn-office-hours")...)
				w.scopes = beijing
				w.look()
				if _, decided, _ := w.look(); decided != 0 {
					t.Fatalf("%d decisions at rest", decided)
				}
				change(w)
				p := w.pass()
				p.Confirmed = name == "a person confirms"
				report, err := pass.Run(t.Context(), p)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(report.Reasons); n == 0 {
					t.Error("nothing was decided")
				}
			})
		})
	}
}

func TestATagThatChangesEndsTheRestOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		book := office(t, nil)
		w := newWorld(t, book, workers(5, "cn-office-hours")...)
		w.scopes = beijing
		w.look()
		if err := w.sim.TagInstance(w.id("worker-3"), map[string]string{"Schedule": "cn-office-hours", fleet.TagProtect: "true"}); err != nil {
			t.Fatal(err)
		}
		if _, decided, _ := w.look(); decided != 1 {
			t.Errorf("%d decisions", decided)
		}
	})
}

// What a listing does not show is remembered for a day, counted from when it was missed first.
func TestWhatIsGoneIsForgottenAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.StopNewInstances = false }), workers(3, "cn-office-hours")...)
		w.scopes = beijing
		w.look()
		time.Sleep(30 * time.Hour)
		w.look() // so long ago that it must not count
		id := w.id("worker-2")
		if err := w.sim.TerminateInstance(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // AWS lists it for a while
		remembered := func() bool {
			memories, err := w.store.Memories(t.Context(), beijing[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range memories {
				if m.Ref.ID == id {
					return true
				}
			}
			return false
		}
		for hour := range 24 {
			w.look()
			if !remembered() {
				t.Fatalf("forgotten after %d hours", hour)
			}
			time.Sleep(time.Hour)
		}
		for range 26 {
			time.Sleep(time.Hour)
			w.look()
		}
		if remembered() {
			t.Error("it is remembered for ever")
		}
	})
}

// A pass whose record could not be written leaves nothing at rest.
func TestAFailedPassLeavesNothingAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		w := newWorld(t, office(t, nil), workers(3, "cn-office-hours")...)
		w.scopes = beijing
		p := w.pass()
		p.Lease = func() (l store.Lease) { l = w.lease; l.Term--; return l }
		if _, err := pass.Run(t.Context(), p); err == nil {
			t.Fatal("the pass wrote under a lease that it does not hold")
		}
		if _, decided, _ := w.look(); decided != 3 {
			t.Errorf("%d decisions", decided)
		}
	})
}

// listings counts what passes ask for, by the action of AWS.
func (w *world) listings(repair bool) (calls map[string]int64, report pass.Report) {
	w.t.Helper()
	w.sim.ResetCalls()
	p := w.pass()
	p.Repair, p.Resync = repair, w.resync
	report, err := pass.Run(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.known = report.Known
	return w.sim.Stats().ByAction, report
}

// A repair asks the server for what is not as it should be: two questions,
// whatever the size, and one where all schedules want the same.
func TestARepairOfALargeScopeAsksForDifferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		book := manual(t) // beside the office hours it has a schedule that wants nothing
		night, err := calendar.Compile(
			calendar.ScheduleDef{Name: "night", Timezone: "Asia/Shanghai", Periods: calendar.PeriodRefs{"dark"}},
			map[string]calendar.PeriodDef{"dark": {BeginTime: "20:00", EndTime: "23:00"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		book.Schedules["night"] = &policy.Schedule{Name: "night", Calendar: night, Enabled: true, StopNewInstances: true}
		asleep := workers(1500, "night")[0]
		asleep.Name, asleep.State = "sleeper-#", "stopped"
		w := newWorld(t, book, append(workers(1500, "cn-office-hours"), asleep)...)
		w.scopes, w.resync = beijing, time.Hour
		if calls, _ := w.listings(false); calls["ec2:DescribeInstances"] != 3 {
			t.Fatalf("the first look: %v", calls)
		}
		for range 5 {
			time.Sleep(time.Hour)
			calls, report := w.listings(true)
			if calls["ec2:DescribeInstances"] != 2 || len(calls) != 1 {
				t.Errorf("%s: %v", w.now(), calls)
			}
			running := pass.Group{Scope: beijing[0], Kind: fleet.EC2Instance, State: fleet.Running}
			if report.Run.Counts.Resources != 3000 || report.States[running] != 1500 || len(report.Reasons) != 0 {
				t.Errorf("%d resources, %v, decisions %v", report.Run.Counts.Resources, report.States, report.Reasons)
			}
		}
		if err := w.sim.StartInstance(w.id("sleeper-9")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		_, report := w.listings(true)
		decided := 0
		for _, n := range report.Reasons {
			decided += n
		}
		if decided != 1 {
			t.Errorf("after a person's start: decisions %v", report.Reasons)
		}
		if calls, report := w.listings(false); calls["ec2:DescribeInstances"] != 3 || report.Run.Counts.Resources != 3000 {
			t.Errorf("a look that is no repair: %v, %d resources", calls, report.Run.Counts.Resources)
		}
	})
}

// Kinds of which there is nothing are asked for together, when something is due
// or a day has passed, and what is found is listed from then on.
func TestKindsOfWhichThereIsNothingAreNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		w := newWorld(t, office(t, nil), workers(5, "cn-office-hours")...)
		w.scopes, w.resync = beijing, 10*time.Minute
		expect := func(when string, repair bool, want map[string]int64) {
			t.Helper()
			if calls, _ := w.listings(repair); !maps.Equal(calls, want) {
				t.Errorf("%s: %v, want %v", when, calls, want)
			}
		}
		machines := map[string]int64{"ec2:DescribeInstances": 1}
		whole := map[string]int64{"ec2:DescribeInstances": 1, "autoscaling:DescribeAutoScalingGroups": 1, "tagging:GetResources": 1}
		w.listings(false)
		time.Sleep(20 * time.Minute)
		expect("something is due", false, whole)
		time.Sleep(5 * time.Minute)
		expect("soon after", false, machines)
		time.Sleep(time.Hour)
		expect("a repair", true, machines)
		expect("something is due", false, whole)
		if err := w.sim.Load(awssim.Fleet{Resources: []awssim.Resource{at("cn-north-1", shop, "rds", "ledger", "available", nil)}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		expect("a repair beside a new database", true, machines)
		found := maps.Clone(whole)
		found["rds:DescribeDBInstances"] = 1
		expect("the database is found", false, found)
		time.Sleep(time.Hour)
		expect("a repair with the database", true, map[string]int64{"ec2:DescribeInstances": 1, "rds:DescribeDBInstances": 1})
	})
}

// Where repairs are made every hour one of the two questions for other kinds is
// asked a day, in turns: what is new is found within two days, unless there is news of it.
func TestOtherKindsAreAskedForInTurnsWhereRepairsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T09:00:00+08:00")
		w := newWorld(t, office(t, nil), workers(5, "cn-office-hours")...)
		w.scopes, w.resync = beijing, time.Hour
		w.listings(false)
		load := func(kind, name, state string) {
			if err := w.sim.Load(awssim.Fleet{Resources: []awssim.Resource{at("cn-north-1", shop, kind, name, state, nil)}}); err != nil {
				t.Fatal(err)
			}
		}
		var asked []string
		for hour := 1; hour <= 6*24; hour++ {
			time.Sleep(time.Hour)
			boundary := hour%24 == 0 || hour%24 == 9
			calls, _ := w.listings(!boundary)
			for _, action := range []string{"tagging:GetResources", "rds:DescribeDBInstances", "autoscaling:DescribeAutoScalingGroups"} {
				if calls[action] > 0 && hour%24 == 0 {
					asked = append(asked, fmt.Sprintf("%d %s", hour/24, action))
				} else if calls[action] > 0 && action != "rds:DescribeDBInstances" {
					t.Errorf("hour %d: %v", hour, calls)
				}
			}
			if hour == 25 {
				load("rds", "ledger", "available")
			}
		}
		want := []string{
			"1 tagging:GetResources", "2 autoscaling:DescribeAutoScalingGroups",
			"3 tagging:GetResources", "3 rds:DescribeDBInstances",
			"4 rds:DescribeDBInstances", "4 autoscaling:DescribeAutoScalingGroups",
			"5 tagging:GetResources", "5 rds:DescribeDBInstances",
			"6 rds:DescribeDBInstances", "6 autoscaling:DescribeAutoScalingGroups",
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("days and questions (-want +got):\n%s", diff)
		}
		load("asg", "fleet", "running")
		p := w.pass()
		p.News, p.Resync = true, w.resync
		if report, err := pass.Run(t.Context(), p); err != nil || report.Run.Counts.Resources != 7 {
			t.Errorf("news of a group: %d resources, %v", report.Run.Counts.Resources, err)
		}
	})
}

// Without the permission to ask, everything is listed.
func TestWithoutTheTaggingAPIEverythingIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		w := newWorld(t, office(t, nil), at("cn-north-1", shop, "rds", "ledger", "available", nil))
		w.scopes = beijing
		w.faults("- {kind: denied, service: tagging, action: GetResources}\n")
		calls, report := w.listings(false)
		if calls["rds:DescribeDBInstances"] != 1 || report.Run.Counts.Resources != 1 {
			t.Errorf("%v, %d resources", calls, report.Run.Counts.Resources)
		}
	})
}

// slowWriter is a store that takes ten seconds for a large write, one at a time.
type slowWriter struct {
	pass.Store
	turn chan struct{}
	n    atomic.Int32
}

func (w *slowWriter) SaveChanges(ctx context.Context, lease store.Lease, changes store.Changes) error {
	if len(changes.Memories) >= 1000 {
		w.turn <- struct{}{}
		time.Sleep(10 * time.Second)
		<-w.turn
		w.n.Add(1)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.Store.SaveChanges(ctx, lease, changes)
}

// The first look at large scopes has much to write in each. A store that is slow
// is not down because one scope waits for the others.
func TestScopesThatWriteMuchDoNotTimeEachOtherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T10:00:00+08:00")
		var all []awssim.Resource
		for _, scope := range scopes {
			r := at(string(scope.Region), string(scope.Account), "ec2", "worker-#", "running", nil)
			r.Count = 1000
			all = append(all, r)
		}
		w := newWorld(t, office(t, nil), all...)
		slow := &slowWriter{Store: w.store, turn: make(chan struct{}, 1)}
		p := w.pass()
		p.Store = slow
		if _, err := pass.Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if n := int(slow.n.Load()); n != len(scopes) || n < 4 {
			t.Errorf("%d large writes of %d scopes", n, len(scopes))
		}
	})
}
