package pass_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

func checked(s *policy.Schedule) { s.Verify = policy.StatusChecks }

func TestAStartIsVerifiedByStatusChecks(t *testing.T) {
	for _, verify := range []policy.Verification{policy.VerifyState, policy.StatusChecks} {
		t.Run(string(verify), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, func(s *policy.Schedule) { s.Verify = verify }),
					at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-north-1", shop, "ec2", "old", "running", nil), at("cn-north-1", shop, "rds", "db", "stopped", nil))
				w.scopes = beijing
				w.live(clockTime(5, 9, 1))
				w.expect("a minute after nine", map[string]string{"web": "running"})
				started := func() (names []string) {
					for _, row := range w.rows(store.EventStarted) {
						if row.Name == "web" {
							names = append(names, row.Detail)
						}
					}
					return names
				}
				asked := w.sim.Stats().ByAction["ec2:DescribeInstanceStatus"]
				if verify == policy.VerifyState {
					if rows := started(); len(rows) != 1 || rows[0] != "seen running" || asked != 0 {
						t.Errorf("%v, %d questions for status checks", rows, asked)
					}
					return
				}
				if rows := started(); len(rows) != 0 || w.memory("web").Intent == nil {
					t.Errorf("while it is being checked: %v", rows)
				}
				w.live(clockTime(5, 9, 6))
				if rows := started(); len(rows) != 1 || rows[0] != "seen running, and its status checks have passed" {
					t.Errorf("once it was checked: %v", rows)
				}
				asked = w.sim.Stats().ByAction["ec2:DescribeInstanceStatus"]
				if asked < 2 || asked > 15 {
					t.Errorf("%d questions for status checks", asked)
				}
				w.live(clockTime(5, 17, 0))
				if again := w.sim.Stats().ByAction["ec2:DescribeInstanceStatus"]; again != asked {
					t.Errorf("%d questions when nothing was under way", again-asked)
				}
				w.expect("of a kind without checks", map[string]string{"db": "available"})
			})
		})
	}
}

func TestAStartWhoseStatusChecksFail(t *testing.T) {
	for _, test := range []struct {
		name, fault string
		told        string // to people; empty: nothing
		detail      string
		event       store.Event
	}{
		{"for good", "- {kind: impaired, resource: web}", "it runs, but its status checks fail 15m0s after the start: instance status impaired: reachability failed since 2027-03-05T01:00:", "instance status impaired", store.EventFailed},
		{"for ten minutes", "- {kind: impaired, resource: web, until: 11m}", "", "and its status checks have passed", store.EventStarted},
		{"nobody may read them", "- {kind: denied, action: DescribeInstanceStatus}", "", "its status checks could not be read", store.EventStarted},
		{"AWS does not answer", "- {kind: reset, action: DescribeInstanceStatus, until: 8m}", "", "and its status checks have passed", store.EventStarted},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, checked), at("cn-north-1", shop, "ec2", "web", "stopped", nil))
				w.scopes = beijing
				w.faults(test.fault)
				reports := w.live(clockTime(5, 9, 40))
				w.expect("in the end", map[string]string{"web": "running"})
				if n := w.acted("StartInstances")["web"]; n != 1 {
					t.Errorf("%d starts", n)
				}
				w.wantRows("its end", 1, test.event, test.detail)
				failed := lines(reports, notify.Failed)
				if len(failed) > 1 || (len(failed) == 1) != (test.told != "") || len(failed) == 1 && !strings.Contains(failed[0], test.told) {
					t.Errorf("people were told %q, want %q", failed, test.told)
				}
				if m := w.memory("web"); m.Intent != nil || m.Last != decide.WasRunning || m.Attempts != 0 {
					t.Errorf("remembered: %+v", m)
				}
				w.live(clockTime(5, 18, 5))
				w.expect("in the evening", map[string]string{"web": "stopped"})
			})
		})
	}
}

// A start that AWS takes and that falls back is a failure with AWS's own reason:
// tried again with gaps that grow, told once, and again told when it is over.
func TestFault28AStartThatFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		w := newWorld(t, office(t, checked), at("cn-north-1", shop, "ec2", "web", "stopped", nil))
		w.scopes = beijing
		w.faults("- {kind: fall-back, resource: web, count: 6, code: Client.InvalidKMSKey.InvalidState, message: The key is disabled}")
		reports := w.live(clockTime(5, 9, 40))
		failed := lines(reports, notify.Failed)
		if len(failed) != 1 || !strings.Contains(failed[0], "start failed 3 times: it fell back to stopped: Client.InvalidKMSKey.InvalidState") {
			t.Errorf("people were told %q", failed)
		}
		w.wantRows("each of them", 6, store.EventFailed, "Client.InvalidKMSKey.InvalidState")
		w.expect("once the key is mended", map[string]string{"web": "running"})
		if starts := w.acted("StartInstances")["web"]; starts != 7 {
			t.Errorf("%d starts", starts)
		}
		rows := w.rows(store.EventFailed)
		for i := 1; i < len(rows); i++ {
			if gap := rows[i].At.Sub(rows[i-1].At); gap < 30*time.Second<<(i-1)*4/5 {
				t.Errorf("try %d came %s after the one before", i+1, gap)
			}
		}
	})
}

// What an API stops stays there to be started, whatever it would do when it is
// shut down from inside: AWS asks that attribute only then.
func TestAnInstanceThatEndsWhenItIsShutDownFromInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:59:00+08:00")
		web := at("cn-north-1", shop, "ec2", "web", "running", nil)
		web.TerminateOnShutdown = true
		w := newWorld(t, office(t, nil), web)
		w.scopes = beijing
		w.live(clockTime(5, 18, 5))
		w.expect("in the evening", map[string]string{"web": "stopped"})
		w.live(clockTime(8, 9, 5))
		w.expect("on Monday", map[string]string{"web": "running"})
		id := w.id("web")
		if err := w.sim.ShutDownInstance(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if i, found := w.sim.Instance(id); found && i.State != "terminated" {
			t.Errorf("shut down from inside it is %s", i.State)
		}
		if n := w.sim.Stats().ByAction["ec2:DescribeInstanceAttribute"]; n != 0 {
			t.Errorf("%d questions for the attribute", n)
		}
	})
}
