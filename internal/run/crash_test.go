package run_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/run"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// fiveTiers is an environment with everything that a run can have: databases, gates, hooks, vetoes, load balancers, profiles.
func fiveTiers(t *testing.T) *workload.Workload {
	t.Helper()
	w := chain(t, "db", "cache", "queue", "app", "web")
	w.Tier("db").Ready = []workload.Gate{{Type: workload.GateTCP, Port: 5432, Timeout: 10 * time.Minute, Interval: 10 * time.Second}}
	w.Tier("cache").Start.After = []workload.Hook{{Type: workload.HookCommand, Lines: []string{"warm"}, Timeout: time.Minute}}
	w.Tier("queue").Ready = []workload.Gate{
		{Type: workload.GateStatusChecks, Timeout: 10 * time.Minute, Interval: 10 * time.Second},
		{Type: workload.GateCommand, Lines: []string{"ready"}, Timeout: 10 * time.Minute, Interval: 10 * time.Second},
	}
	app := w.Tier("app")
	app.Profiles = map[string]string{"big": "c5.large"}
	app.Start.Before = []workload.Hook{{Type: workload.HookLambda, Function: "arn:aws:lambda:ap-northeast-2:111122223333:function:migrate", Timeout: time.Minute}}
	app.Stop.Before = []workload.Hook{{Type: workload.HookWebhook, URL: "https://hooks.example.com/bye", Timeout: time.Minute}}
	app.Start.Delay = 10 * time.Second
	web := w.Tier("web")
	web.Balancers = true
	web.Ready = []workload.Gate{{Type: workload.GateHTTP, Port: 80, Path: "/up", Expect: workload.Statuses{From: 200, To: 299}, Timeout: 10 * time.Minute, Interval: 10 * time.Second}}
	web.Vetoes = []workload.Veto{
		{Type: workload.VetoFile, Path: "/tmp/StopOverride", Timeout: 3 * time.Minute},
		{Type: workload.VetoSessions, Timeout: time.Minute},
		{Type: workload.VetoBackup, Timeout: time.Minute},
	}
	return w
}

var webGroup = "arn:aws:elasticloadbalancing:ap-northeast-2:111122223333:targetgroup/web/1"

// five makes the members, in a state.
func (s *site) five(state fleet.State) {
	for _, m := range []struct {
		kind     fleet.Kind
		id, role string
	}{
		{fleet.RDSInstance, "db-1", "db"},
		{fleet.EC2Instance, "cache-1", "cache"},
		{fleet.EC2Instance, "queue-1", "queue"},
		{fleet.EC2Instance, "app-1", "app"},
		{fleet.EC2Instance, "app-2", "app"},
		{fleet.EC2Instance, "web-1", "web"},
		{fleet.EC2Instance, "web-2", "web"},
	} {
		b := s.sky.add(m.kind, m.id, m.role, state)
		b.PrivateIP = "10.1.0." + fmt.Sprint(len(s.sky.members))
	}
	for _, id := range []string{"web-1", "web-2"} {
		s.sky.places[cloud.Membership{Instance: id, Group: webGroup, Port: 80}] = &place{in: true}
		s.sky.places[cloud.Membership{Instance: id, Group: "classic", Classic: true}] = &place{in: true}
	}
}

var everyone = []string{"db-1", "cache-1", "queue-1", "app-1", "app-2", "web-1", "web-2"}

// arrived checks that the run ended as one without a crash, that nothing was done twice, and that nothing is left out of a load balancer.
func (s *site) arrived(id, verb string, want fleet.State) {
	t := s.t
	t.Helper()
	r := s.of(id)
	if r.Status != workload.StatusDone {
		t.Errorf("the run is %s: %s\n%s", r.Status, r.Why, dump(r))
		return
	}
	for _, member := range everyone {
		if state := s.sky.state(member); state != want {
			t.Errorf("%s is %s", member, state)
		}
		if n := s.sky.did(verb, member); n != 1 {
			t.Errorf("%s: %d times %s", member, n, verb)
		}
	}
	order := []string{"db-1", "cache-1", "queue-1", "app-1", "web-1"}
	if want == fleet.Stopped {
		slices.Reverse(order)
	}
	for i := 1; i < len(order); i++ {
		before, after := s.sky.when(verb, order[i-1]), s.sky.when(verb, order[i])
		if after.Before(before.Add(s.sky.lag)) {
			t.Errorf("%s is %sed at %s, %s at %s", order[i-1], verb, before, order[i], after)
		}
	}
	s.sky.mu.Lock()
	defer s.sky.mu.Unlock()
	for m, at := range s.sky.places {
		if want == fleet.Running && !at.in {
			t.Errorf("%s is left out of %s", m.Instance, m.Group)
		}
	}
	for _, c := range s.sky.commands {
		for _, other := range s.sky.commands {
			if c != other && c.Token == other.Token {
				t.Errorf("command %s was sent twice", c.Token)
			}
		}
	}
	for what, n := range s.sky.invoked {
		if n > 1 {
			t.Errorf("%s was called %d times", what, n)
		}
	}
	for what, n := range s.sky.posted {
		if n > 1 {
			t.Errorf("%s was called %d times", what, n)
		}
	}
}

// everyContact kills at each contact and not at a sample of them: minutes.
var everyContact = flag.Bool("every-contact", false, "kill the program at every contact of a run")

// TestFault47ACrashAnywhereEndsAsWithoutOne kills the program at every contact with the outside, before the contact has an
// effect and after it, and lets another go on.
func TestFault47ACrashAnywhereEndsAsWithoutOne(t *testing.T) {
	for _, test := range []struct {
		name  string
		asks  run.Asks
		from  fleet.State
		to    fleet.State
		verb  string
		since string
	}{
		{"start", run.AsksStart, fleet.Stopped, fleet.Running, "start", ""},
		{"stop", run.AsksStop, fleet.Running, fleet.Stopped, "stop", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := func(t *testing.T) (*site, string) {
				t.Helper()
				s := newSite(t, fiveTiers(t))
				s.five(test.from)
				asked := run.Request{Workload: "shop", Asks: test.asks}
				if test.asks == run.AsksStart {
					asked.Profile = "big"
				}
				return s, s.ask(asked)
			}
			contacts := 0
			synctest.Test(t, func(t *testing.T) {
				s, id := begin(t)
				contacts, _ = s.live(0, false, 20*time.Minute)
				s.arrived(id, test.verb, test.to)
				if test.asks == run.AsksStart && (s.sky.did("resize", "app-1") != 1 || s.sky.did("invoke", "arn:aws:lambda:ap-northeast-2:111122223333:function:migrate") != 1) {
					t.Error("app is not resized, or its hook not called")
				}
			})
			if contacts < 50 {
				t.Fatalf("only %d contacts", contacts)
			}
			t.Logf("%d contacts", contacts)
			step := 11 // contacts of every sort; looks, which are most, are alike
			if *everyContact {
				step = 1
			}
			for n := 1; n <= contacts; n += step {
				for _, after := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						s, id := begin(t)
						if _, died := s.live(n, after, 20*time.Minute); !died {
							return // it took fewer contacts this time
						}
						time.Sleep(10 * time.Second) // until the lease is taken over
						s.live(0, false, 20*time.Minute)
						s.arrived(id, test.verb, test.to)
						if rows := s.rows(store.EventWorkloadEnded); len(rows) != 1 {
							t.Errorf("its end is recorded %d times", len(rows))
						}
						if t.Failed() {
							t.Fatalf("killed at contact %d of %d, after: %t", n, contacts, after)
						}
					})
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}
