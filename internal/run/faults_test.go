package run_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// three is a chain of a database, an application and web servers, with members in a state.
func three(t *testing.T, state fleet.State, change ...func(*workload.Workload)) *site {
	t.Helper()
	w := chain(t, "db", "app", "web")
	for _, f := range change {
		f(w)
	}
	s := newSite(t, w)
	s.sky.add(fleet.RDSInstance, "db-1", "db", state)
	s.sky.add(fleet.EC2Instance, "app-1", "app", state)
	s.sky.add(fleet.EC2Instance, "web-1", "web", state)
	s.sky.add(fleet.EC2Instance, "web-2", "web", state)
	return s
}

func tcpGate(w *workload.Workload) {
	w.Tier("db").Ready = []workload.Gate{{Type: workload.GateTCP, Port: 5432, Timeout: 10 * time.Minute, Interval: 5 * time.Second}}
}

// TestADatabaseThatAcceptsLateDelaysTheNextTierByThatMuch: by 90 s, and not by a constant.
func TestADatabaseThatAcceptsLateDelaysTheNextTierByThatMuch(t *testing.T) {
	begins := func(t *testing.T, late time.Duration) (after time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := three(t, fleet.Stopped, tcpGate)
			s.sky.opens[s.sky.of("db-1").PrivateIP] = time.Now().Add(s.sky.lag + late)
			began := time.Now()
			id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
			s.live(0, false, 30*time.Minute)
			if r := s.of(id); r.Status != workload.StatusDone {
				t.Fatalf("the run is %s: %s", r.Status, r.Why)
			}
			after = s.sky.when("start", "app-1").Sub(began)
		})
		return after
	}
	plain, late := begins(t, 0), begins(t, 90*time.Second)
	if by := late - plain; by < 85*time.Second || by > 97*time.Second { // the gate is tried every five seconds
		t.Errorf("90 s late delay the next tier by %s", by)
	}
	if even := begins(t, 30*time.Second) - plain; even < 25*time.Second || even > 37*time.Second {
		t.Errorf("30 s late delay the next tier by %s", even)
	}
}

// TestADatabaseThatNeverAcceptsEndsInThePolicy, and the tiers behind it are not touched unless the policy says so.
func TestADatabaseThatNeverAcceptsEndsInThePolicy(t *testing.T) {
	for policy, want := range map[workload.Failure]workload.Status{
		workload.Hold: workload.StatusHeld, workload.Undo: workload.StatusUndone, workload.Continue: workload.StatusFailed,
	} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := three(t, fleet.Stopped, tcpGate, func(w *workload.Workload) { w.OnFailure = policy })
				s.sky.opens[s.sky.of("db-1").PrivateIP] = time.Now().AddDate(1, 0, 0)
				id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
				s.live(0, false, 2*time.Hour)
				r := s.of(id)
				if r.Status != want {
					t.Fatalf("the run is %s: %s", r.Status, r.Why)
				}
				touched := s.sky.did("start", "app-1") + s.sky.did("start", "web-1")
				if policy == workload.Continue != (touched == 2) || policy != workload.Continue && touched != 0 {
					t.Errorf("the tiers behind it were started %d times", touched)
				}
				if state := s.sky.state("db-1"); (state == fleet.Stopped) != (policy == workload.Undo) {
					t.Errorf("the database is %s", state)
				}
				if policy == workload.Hold {
					rows := s.rows(store.EventWorkloadHeld)
					if len(rows) != 1 || !strings.Contains(rows[0].Detail, "resume, undo or cancel") {
						t.Errorf("that it waits is recorded as %+v", rows)
					}
				}
			})
		})
	}
}

// TestFault46AMemberThatNeverRuns: the policy is honoured, later tiers are not started, and people bring it on.
func TestFault46AMemberThatNeverRuns(t *testing.T) {
	for name, c := range map[string]struct {
		asks run.Asks
		mend bool
		want workload.Status
	}{
		"retry":    {run.AsksRetry, true, workload.StatusDone},
		"continue": {run.AsksOn, false, workload.StatusFailed},
		"undo":     {run.AsksUndo, false, workload.StatusFailed}, // what hangs on its way up can not be stopped, the rest is
		"cancel":   {run.AsksCancel, false, workload.StatusCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := three(t, fleet.Stopped)
				s.sky.of("app-1").never = true
				id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
				s.live(0, false, time.Hour)
				if r := s.of(id); r.Status != workload.StatusHeld || s.sky.did("start", "web-1") != 0 {
					t.Fatalf("the run is %s, web was started %d times", r.Status, s.sky.did("start", "web-1"))
				}
				if c.mend {
					s.sky.mu.Lock()
					b := s.sky.of("app-1")
					b.never, b.State, b.next = false, fleet.Stopped, ""
					s.sky.mu.Unlock()
				}
				s.ask(run.Request{Workload: "shop", Asks: c.asks})
				s.live(0, false, 2*time.Hour)
				r := s.of(id)
				if r.Status != c.want {
					t.Fatalf("after %s the run is %s: %s\n%s", c.asks, r.Status, r.Why, dump(r))
				}
				if started := s.sky.did("start", "web-1") == 1; started != (c.asks == run.AsksRetry || c.asks == run.AsksOn) {
					t.Errorf("web was started: %t", started)
				}
				if c.asks == run.AsksUndo && s.sky.state("db-1") != fleet.Stopped {
					t.Errorf("the database is %s", s.sky.state("db-1"))
				}
			})
		})
	}
}

// TestFault48AVetoOfASilentAgentIsBounded: all members are asked at once, the wait is bounded, and not knowing means not stopping.
func TestFault48AVetoOfASilentAgentIsBounded(t *testing.T) {
	for unknown, want := range map[workload.Unknown]fleet.State{workload.Keep: fleet.Running, workload.StopIt: fleet.Stopped} {
		t.Run(string(unknown), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := three(t, fleet.Running, func(w *workload.Workload) {
					w.Tier("web").Vetoes = []workload.Veto{{Type: workload.VetoFile, Path: "/tmp/StopOverride", Timeout: 3 * time.Minute, Unknown: unknown}}
				})
				for _, id := range []string{"web-3", "web-4", "web-5", "web-6"} {
					s.sky.add(fleet.EC2Instance, id, "web", fleet.Running)
					s.sky.silent[id] = true
				}
				id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
				s.live(0, false, time.Hour)
				r := s.of(id)
				if !r.Status.Over() {
					t.Fatalf("the run is %s", r.Status)
				}
				if took := r.Ended.Sub(r.Began); took > 8*time.Minute {
					t.Errorf("four silent agents cost %s", took)
				}
				if s.sky.state("web-3") != want || s.sky.state("web-1") != fleet.Stopped {
					t.Errorf("web-3 is %s, web-1 %s", s.sky.state("web-3"), s.sky.state("web-1"))
				}
				if kept := s.sky.state("db-1"); (kept == fleet.Running) != (want == fleet.Running) {
					t.Errorf("the database of what stays is %s", kept)
				}
			})
		})
	}
}

// TestFault49RunsThatOverlap: a stop that is asked for in the middle of a start.
func TestFault49RunsThatOverlap(t *testing.T) {
	for overlap, c := range map[workload.Overlap]struct {
		start workload.Status
		stops bool
	}{
		workload.Skip:    {workload.StatusDone, false},
		workload.Queue:   {workload.StatusDone, true},
		workload.Replace: {workload.StatusCancelled, true},
	} {
		t.Run(string(overlap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := three(t, fleet.Stopped, func(w *workload.Workload) { w.Overlap = overlap })
				first := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
				s.live(0, false, time.Minute)
				second := s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
				s.live(0, false, 30*time.Minute)
				if r := s.of(first); r.Status != c.start {
					t.Errorf("the start is %s: %s", r.Status, r.Why)
				}
				s.shelf.mu.Lock()
				_, begun := s.shelf.records[store.WorkloadRun][second]
				s.shelf.mu.Unlock()
				if begun != c.stops {
					t.Fatalf("the stop began: %t", begun)
				}
				if rows := s.rows(store.EventWorkloadRefused); begun == (len(rows) == 1) {
					t.Errorf("refusals: %+v", rows)
				}
				if !begun {
					return
				}
				a, b := s.of(first), s.of(second)
				if b.Status != workload.StatusDone || b.Began.Before(a.Ended) || s.sky.state("db-1") != fleet.Stopped {
					t.Errorf("the stop is %s, began at %s, the start ended at %s", b.Status, b.Began, a.Ended)
				}
			})
		})
	}
}

// TestFault50AnOverrideWinsOverTheStopOfTheSameMinute, until it ends: then the schedule counts again.
func TestFault50AnOverrideWinsOverTheStopOfTheSameMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped, func(w *workload.Workload) { w.Schedule = "office" })
		s.schedule("office")
		day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
		time.Sleep(time.Until(day.Add(8*time.Hour + 50*time.Minute)))
		go func() {
			time.Sleep(time.Until(day.Add(18*time.Hour - 20*time.Second))) // in the minute of the stop
			book := *s.book
			book.Overrides = []*policy.Override{{
				ID: "o-1", Target: policy.Target{Workload: "shop"}, State: calendar.Running, From: time.Now(), Until: day.Add(20 * time.Hour), Author: "kim",
			}}
			s.mu.Lock()
			s.next = &book
			s.mu.Unlock()
		}()
		s.live(0, false, time.Until(day.Add(19*time.Hour)))
		if n := s.sky.did("stop", "web-1"); n != 0 || s.sky.state("web-1") != fleet.Running {
			t.Errorf("at seven web was stopped %d times and is %s", n, s.sky.state("web-1"))
		}
		s.live(0, false, time.Until(day.Add(21*time.Hour)))
		if at := s.sky.when("stop", "web-1"); at.Before(day.Add(20*time.Hour)) || at.After(day.Add(20*time.Hour+time.Minute)) {
			t.Errorf("web was stopped at %s", at)
		}
		if s.sky.state("db-1") != fleet.Stopped || s.sky.did("start", "db-1") != 1 {
			t.Errorf("the database is %s, and was started %d times", s.sky.state("db-1"), s.sky.did("start", "db-1"))
		}
	})
}

// TestPeers15AWakeAtNightIsNotUndone (Jandi: force_start at 18:10 was stopped again at 18:20).
func TestPeers15AWakeAtNightIsNotUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped, func(w *workload.Workload) { w.Schedule = "office" })
		s.schedule("office")
		day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
		time.Sleep(time.Until(day.Add(8 * time.Hour)))
		s.live(0, false, time.Until(day.Add(18*time.Hour+10*time.Minute)))
		if s.sky.state("web-1") != fleet.Stopped {
			t.Fatalf("web is %s after six", s.sky.state("web-1"))
		}
		s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		s.live(0, false, time.Until(day.Add(23*time.Hour)))
		if s.sky.state("web-1") != fleet.Running || s.sky.did("stop", "web-1") != 1 {
			t.Errorf("at eleven web is %s and was stopped %d times", s.sky.state("web-1"), s.sky.did("stop", "web-1"))
		}
		// The schedule takes over at its own next boundaries: nothing to start in the morning, a stop in the evening.
		s.live(0, false, time.Until(day.Add(43*time.Hour)))
		if s.sky.did("start", "web-1") != 2 || s.sky.did("stop", "web-1") != 2 || s.sky.state("web-1") != fleet.Stopped {
			t.Errorf("the evening after web is %s: %d starts, %d stops", s.sky.state("web-1"), s.sky.did("start", "web-1"), s.sky.did("stop", "web-1"))
		}
	})
}

// TestPeers15AnOutageOfHoursIsMadeUpFor (Jandi: what was missed for 59 minutes was missed until tomorrow).
func TestPeers15AnOutageOfHoursIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped, func(w *workload.Workload) { w.Schedule = "office" })
		s.schedule("office")
		day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
		time.Sleep(time.Until(day.Add(10 * time.Hour)))
		s.live(0, false, time.Until(day.Add(17*time.Hour)))
		time.Sleep(time.Until(day.Add(22 * time.Hour))) // nobody was there at six
		s.live(0, false, time.Hour)
		if at := s.sky.when("stop", "web-1"); at.IsZero() || at.After(day.Add(22*time.Hour+time.Minute)) || s.sky.state("db-1") != fleet.Stopped {
			t.Errorf("web was stopped at %s, the database is %s", at, s.sky.state("db-1"))
		}
	})
}

// TestPeers14AThrottleNeverLeavesAMemberOutOfALoadBalancer (tiered scheduler: one throttle at the registration left the instance
// out, and it was never started).
func TestPeers14AThrottleNeverLeavesAMemberOutOfALoadBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Running, func(w *workload.Workload) { w.Tier("web").Balancers = true })
		for _, id := range []string{"web-1", "web-2"} {
			s.sky.places[cloud.Membership{Instance: id, Group: "classic", Classic: true}] = &place{in: true}
		}
		s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
		s.live(0, false, 20*time.Minute)
		if s.sky.did("deregister", "web-1") == 0 || s.sky.state("web-1") != fleet.Stopped {
			t.Fatal("web was not drained and stopped")
		}
		throttles := 0
		s.sky.fault = func(op string, _ []string) error {
			if op == "register" && throttles < 6 {
				throttles++
				return cloud.ErrThrottled
			}
			return nil
		}
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		s.live(0, false, 30*time.Minute)
		if r := s.of(id); r.Status != workload.StatusDone || throttles != 6 {
			t.Errorf("after %d throttles the run is %s: %s", throttles, r.Status, r.Why)
		}
		for m, at := range s.sky.places {
			if !at.in {
				t.Errorf("%s is left out of %s", m.Instance, m.Group)
			}
		}
	})
}

// TestOneRefusalInACallHoldsBackNoOther: of members that are registered in one call, the one that is refused fails alone.
func TestOneRefusalInACallHoldsBackNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Running, func(w *workload.Workload) { w.Tier("web").Balancers, w.OnFailure = true, workload.Continue })
		for _, id := range []string{"web-1", "web-2"} {
			s.sky.places[cloud.Membership{Instance: id, Group: webGroup, Port: 80}] = &place{in: true}
		}
		s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
		s.live(0, false, 20*time.Minute)
		s.sky.fault = func(op string, ids []string) error {
			if op == "register" && slices.Contains(ids, "web-1") {
				return cloud.ErrInvalid
			}
			return nil
		}
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		s.live(0, false, 2*time.Hour)
		if !s.sky.places[cloud.Membership{Instance: "web-2", Group: webGroup, Port: 80}].in {
			t.Error("web-2 is out because of web-1")
		}
		r := s.of(id)
		if len(r.Exceptions()) == 0 || len(s.memory("shop").Runs.Out) != 1 {
			t.Errorf("nobody is told of web-1: %s %v", r.Status, r.Exceptions())
		}
	})
}

// TestPeers14WhatIsStillStoppingIsWaitedFor (tiered scheduler: it was missed for the day), and what stays out is not waited for
// elsewhere (its waiter waited for every instance of the region).
func TestPeers14WhatIsStillStoppingIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped)
		s.sky.of("web-1").State, s.sky.of("web-1").next, s.sky.of("web-1").at = fleet.Stopping, fleet.Stopped, time.Now().Add(4*time.Minute)
		s.sky.add(fleet.EC2Instance, "other", "none", fleet.Stopping).never = true
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		s.live(0, false, 30*time.Minute)
		if r := s.of(id); r.Status != workload.StatusDone || s.sky.did("start", "web-1") != 1 || s.sky.state("web-1") != fleet.Running {
			t.Errorf("the run is %s, web-1 is %s", r.Status, s.sky.state("web-1"))
		}
	})
}

// TestPeers14AnErrorOfOneMemberEndsNothingElse (tiered scheduler: any error ended the whole run after 510 s).
func TestPeers14AnErrorOfOneMemberEndsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped, func(w *workload.Workload) { w.OnFailure = workload.Continue })
		s.sky.fault = func(op string, ids []string) error {
			if op == "start" && slices.Contains(ids, "app-1") {
				return &cloud.MemberError{IDs: []string{"app-1"}, Err: cloud.ErrInvalid}
			}
			return nil
		}
		began := time.Now()
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		s.live(0, false, time.Hour)
		if r := s.of(id); r.Status != workload.StatusFailed || s.sky.state("web-1") != fleet.Running || r.Ended.Sub(began) > 4*time.Minute {
			t.Errorf("after %s the run is %s, web-1 is %s", r.Ended.Sub(began), r.Status, s.sky.state("web-1"))
		}
		if rows := s.rows(store.EventFailed); len(rows) == 0 || rows[0].Ref.ID != "app-1" {
			t.Errorf("the failure is recorded as %+v", rows)
		}
	})
}

// TestAProtectedMemberIsNeverTouched, nor one that is bypassed, nor one that a person decided about alone.
func TestAProtectedMemberIsNeverTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Running)
		s.sky.of("web-1").Tags[fleet.TagProtect] = "true"
		s.sky.of("app-1").Tags[fleet.TagBypass] = "true"
		s.sky.add(fleet.EC2Instance, "web-3", "web", fleet.Running).VPC = "vpc-kept"
		s.book.Protected = []fleet.Filter{filterOf(t, "vpc-id=vpc-kept")}
		s.sky.add(fleet.EC2Instance, "app-2", "app", fleet.Running)
		s.book.Overrides = []*policy.Override{{
			ID: "o-1", Target: policy.Target{Resource: s.sky.of("app-2").Ref}, State: calendar.Running, From: time.Now().Add(-time.Hour), Until: time.Now().Add(12 * time.Hour), Author: "kim",
		}}
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
		s.live(0, false, time.Hour)
		for _, member := range []string{"web-1", "web-3", "app-1", "app-2"} {
			if n := s.sky.did("stop", member); n != 0 {
				t.Errorf("%s was stopped", member)
			}
		}
		if s.sky.did("stop", "web-2") != 1 {
			t.Errorf("web-2 was not stopped: %s", dump(s.of(id)))
		}
	})
}

// TestTheKillSwitch: nothing begins while it is thrown, and a run under way ends.
func TestTheKillSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped)
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		go func() {
			time.Sleep(20 * time.Second)
			off := *s.book.Workloads.Named("shop")
			off.Enabled = false
			book := *s.book
			book.Workloads = policy.NewWorkloads([]*workload.Workload{&off})
			s.mu.Lock()
			s.next = &book
			s.mu.Unlock()
		}()
		s.live(0, false, 30*time.Minute)
		if r := s.of(id); r.Status != workload.StatusCancelled || s.sky.did("start", "app-1") != 0 {
			t.Errorf("the run is %s, app was started %d times", r.Status, s.sky.did("start", "app-1"))
		}
		s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
		s.live(0, false, 10*time.Minute)
		if rows := s.rows(store.EventWorkloadRefused); len(rows) != 1 || !strings.Contains(rows[0].Detail, "switched off") || s.sky.did("stop", "db-1") != 0 {
			t.Errorf("refusals: %+v", rows)
		}
	})
}

// TestPeers14ADryRunAndAnObserverTouchNothing: zero calls that change anything.
func TestPeers14ADryRunAndAnObserverTouchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fiveTiers(t)
		w.Schedule = "office"
		s := newSite(t, w)
		s.five(fleet.Running)
		s.schedule("office")
		s.sky.sessions["web-1"] = 2
		s.sky.of("app-2").Tags[fleet.TagBypass] = "true"
		p, _ := s.life(0, false)
		f, err := run.Foresee(t.Context(), run.Setting{Book: s.book, Scopes: s.scopes, Cloud: p}, clock.Real{}, w, workload.Request{ID: "r", Direction: workload.Stop}, workload.Memory{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		does := map[string]run.ForeseenMember{}
		for _, tier := range f.Tiers {
			names = append(names, tier.Name)
			for _, m := range tier.Members {
				does[m.Name] = m
			}
		}
		if !slices.Equal(names, []string{"web", "app", "queue", "cache", "db"}) || does["web-2"].Does != "stop" || does["app-2"].Does != "left" {
			t.Errorf("foreseen: %q %+v", names, does)
		}
		if v := say.List(does["web-1"].Vetoes...).String(); !strings.Contains(v, "2 open sessions") {
			t.Errorf("vetoes of web-1: %q", v)
		}
		s.book.Observe = true
		s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
		s.live(0, false, 48*time.Hour)
		if calls := s.sky.mutating(); len(calls) != 0 {
			t.Errorf("calls were made: %+v", calls)
		}
		if rows := s.rows(store.EventObserved); len(rows) == 0 || len(s.rows(store.EventWorkloadRefused)) != 1 {
			t.Errorf("observed: %+v, refused: %+v", rows, s.rows(store.EventWorkloadRefused))
		}
	})
}

// TestAnAccountThatDoesNotAnswerIsWaitedFor: what could not be listed is not taken for stopped, and holds back its own run alone.
func TestAnAccountThatDoesNotAnswerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Running)
		down := true
		s.sky.fault = func(op string, _ []string) error {
			if op == "look:list" && down {
				return cloud.ErrTransient
			}
			return nil
		}
		id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
		s.live(0, false, 10*time.Minute)
		if r := s.of(id); r.Status != workload.StatusRunning || len(s.sky.mutating()) != 0 {
			t.Fatalf("the run is %s, calls %+v", r.Status, s.sky.mutating())
		}
		down = false
		s.live(0, false, 20*time.Minute)
		if r := s.of(id); r.Status != workload.StatusDone {
			t.Errorf("the run is %s: %s", r.Status, r.Why)
		}
	})
}

// TestWhoLostTheLeaseWritesNothing: two processes, one acts.
func TestWhoLostTheLeaseWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped)
		_, old := s.life(0, false)
		s.shelf.term = 99
		s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
		if err := old.Serve(t.Context()); !errors.Is(err, store.ErrFenced) {
			t.Errorf("serve: %v", err)
		}
		if calls := s.sky.mutating(); len(calls) != 0 {
			t.Errorf("calls were made: %+v", calls)
		}
	})
}

// TestARuleBeginsARunOnce, over a crash right after, and catches up.
func TestARuleBeginsARunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := three(t, fleet.Stopped)
		expression, err := calendar.ParseExpression("cron(0 12 * * ? *)", time.UTC, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		s.book.Rules = []*policy.Rule{{Name: "noon", Enabled: true, Expression: expression, Verb: fleet.Start, Workload: "shop", CatchUp: policy.DefaultCatchUp}}
		day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
		time.Sleep(time.Until(day.Add(11 * time.Hour)))
		s.live(0, false, time.Until(day.Add(11*time.Hour+50*time.Minute)))
		time.Sleep(time.Until(day.Add(12*time.Hour + 5*time.Minute))) // nobody was there at noon
		s.live(12, true, time.Hour)                                   // killed on the way
		s.live(0, false, time.Hour)
		if n := len(s.rows(store.EventFired)); n != 1 || s.sky.did("start", "db-1") != 1 || s.sky.state("web-1") != fleet.Running {
			t.Errorf("fired %d times, db started %d times, web is %s", n, s.sky.did("start", "db-1"), s.sky.state("web-1"))
		}
		if r := s.last("shop"); r.Trigger != "rule noon" {
			t.Errorf("the run was begun by %s", r.Trigger)
		}
	})
}

// TestAStopTakesTheSnapshotOfItsSchedule: one, under one name however often it is tried and whoever tries it, before the
// stop; those of earlier stops are let go of once the run is over.
func TestAStopTakesTheSnapshotOfItsSchedule(t *testing.T) {
	for _, kill := range []int{0, 8, 12, 20} {
		synctest.Test(t, func(t *testing.T) {
			s := three(t, fleet.Running, func(w *workload.Workload) { w.Schedule = "office" })
			s.schedule("office").Snapshot = "nightly"
			s.sky.shooting = 3 * time.Minute
			day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
			time.Sleep(time.Until(day.Add(17*time.Hour + 59*time.Minute)))
			id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
			s.live(kill, true, 30*time.Minute)
			s.live(0, false, 30*time.Minute)
			if r := s.of(id); r.Status != workload.StatusDone {
				t.Fatalf("the run is %s: %s", r.Status, r.Why)
			}
			if len(s.sky.shots) != 1 {
				t.Errorf("killed at %d: the snapshots are %v", kill, s.sky.shots)
			}
			for name, at := range s.sky.shots {
				if !strings.HasPrefix(name, "nightly-stopped-db-1-") || s.sky.when("stop", "db-1").Before(at.Add(s.sky.shooting)) {
					t.Errorf("snapshot %s was asked for at %s, and the stop at %s", name, at, s.sky.when("stop", "db-1"))
				}
				if s.sky.did("replace", name) != 1 && kill == 0 {
					t.Errorf("the snapshots before %s were let go of %d times", name, s.sky.did("replace", name))
				}
			}
			if s.sky.did("replace", "web-1") != 0 {
				t.Error("snapshots of a server without any were let go of")
			}
		})
	}
}

// TestAnAccountThatDeniesAListingHoldsNobodyWhoHasNothingThere: what is refused for good, where the workload never had a
// member and which it does not name, is said and gone without. Once a member was seen there, the run waits: what can not
// be listed is never taken for gone.
func TestAnAccountThatDeniesAListingHoldsNobodyWhoHasNothingThere(t *testing.T) {
	other := fleet.Scope{Account: "444455556666", Region: "ap-northeast-2"}
	for _, test := range []struct {
		name   string
		change func(*workload.Workload)
		known  bool // a run before had a member there
		kind   fleet.Kind
		denied fleet.Scope
		waits  bool
		silent bool // it is not even said
	}{
		{name: "an account that it has nothing in", denied: other, kind: fleet.RDSInstance},
		{name: "a member was there", denied: other, kind: fleet.EC2Instance, known: true, waits: true},
		{name: "another kind than that of the member", denied: other, kind: fleet.RDSInstance, known: true},
		{name: "it names the account", denied: other, kind: fleet.RDSInstance, change: func(w *workload.Workload) { w.Accounts = []fleet.AccountID{seoul.Account, other.Account} }, waits: true},
		{name: "its filter names the account", denied: other, kind: fleet.RDSInstance, change: func(w *workload.Workload) { w.Filter = filterOf(t, "account=*") }, waits: true},
		{name: "the only account", denied: seoul, kind: fleet.EC2Instance, waits: true},
		{name: "another account alone is its own", denied: other, kind: fleet.RDSInstance, change: func(w *workload.Workload) { w.Accounts = []fleet.AccountID{seoul.Account} }, silent: true},
		{name: "its filter is for other kinds", denied: other, kind: fleet.EKSNodegroup, change: func(w *workload.Workload) {
			w.Filter = filterOf(t, "resource-type=ec2_instance,resource-type=rds_instance")
		}, silent: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var change []func(*workload.Workload)
				if test.change != nil {
					change = append(change, test.change)
				}
				s := three(t, fleet.Running, change...)
				s.scopes = append(s.scopes, other)
				if test.known {
					b := s.sky.add(fleet.EC2Instance, "web-9", "web", fleet.Running)
					delete(s.sky.members, b.Ref)
					b.Scope = other
					s.sky.members[b.Ref] = b
					id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStart})
					s.live(0, false, 20*time.Minute)
					if r := s.of(id); r.Status != workload.StatusDone {
						t.Fatalf("the run before is %s: %s", r.Status, r.Why)
					}
				}
				s.sky.denied = func(scope fleet.Scope, kind fleet.Kind) bool { return scope == test.denied && kind == test.kind }
				id := s.ask(run.Request{Workload: "shop", Asks: run.AsksStop})
				s.live(0, false, 20*time.Minute)
				r := s.of(id)
				if waits := r.Status == workload.StatusRunning && s.sky.did("stop", "web-1") == 0; waits != test.waits {
					t.Errorf("the run is %s: %s; web was stopped %d times", r.Status, r.Why, s.sky.did("stop", "web-1"))
				}
				if s.sky.did("stop", "web-9") != 0 && test.waits {
					t.Error("what can not be listed was stopped")
				}
				said := slices.ContainsFunc(s.told, func(n run.Notice) bool {
					return strings.Contains(n.Text.String(), "goes without what can not be listed")
				})
				if said != (!test.waits && !test.silent) {
					t.Errorf("said is %+v", s.told)
				}
			})
		})
	}
}
