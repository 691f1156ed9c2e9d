package pass_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// muting is a schedule that mutes alarms and stops what is new at once.
func muting(s *policy.Schedule) { s.MuteAlarms, s.NewResourceGrace = true, 0 }

func alarmOf(name string, of ...string) awssim.Alarm {
	return awssim.Alarm{Account: shop, Region: "cn-north-1", Name: name, Of: of, Missing: "breaching"}
}

// alarmed is a Monday a minute before six, with alarms over what runs.
func alarmed(t *testing.T, change func(*awssim.Fleet)) *world {
	t.Helper()
	begin(t, clockTime(1, 17, 59).Format(time.RFC3339))
	contents := awssim.Fleet{
		Resources: []awssim.Resource{
			at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-north-1", shop, "ec2", "app", "running", nil),
			at("cn-north-1", shop, "rds", "ledger", "available", nil),
			at("cn-north-1", shop, "rds_cluster", "orders", "available", nil),
			groupAt("workers", "running", nil),
			at("cn-north-1", shop, "ec2", "always", "running", map[string]string{"Team": "x"}),
		},
		Alarms: []awssim.Alarm{
			alarmOf("web", "web"), alarmOf("ledger", "ledger"), alarmOf("orders", "orders"), alarmOf("member", "orders-1"), alarmOf("workers", "workers"),
			alarmOf("web and app", "web", "app"), alarmOf("web and always", "web", "always"), alarmOf("always", "always"),
			{Account: shop, Region: "cn-north-1", Name: "muted by hand", Of: []string{"web"}, Missing: "breaching", Muted: true},
			{Account: shop, Region: "cn-north-1", Name: "scales", Of: []string{"workers"}, Actions: &[]string{"arn:aws-cn:autoscaling:cn-north-1:111122223333:scalingPolicy:1:autoScalingGroupName/workers:policyName/x"}},
		},
	}
	if change != nil {
		change(&contents)
	}
	w := newWorldOf(t, office(t, muting), contents)
	w.scopes = beijing
	return w
}

// alarms is what becomes of each: live or mute, and told where it spoke.
func (w *world) alarms() map[string]string {
	out := map[string]string{}
	for _, a := range w.sim.Alarms(shop, "cn-north-1") {
		out[a.Name] = "mute"
		if a.Enabled {
			out[a.Name] = "live"
		}
		if a.Told {
			out[a.Name] += ", told"
		}
	}
	return out
}

func (w *world) expectAlarms(when string, want map[string]string) {
	w.t.Helper()
	got := w.alarms()
	for name, state := range want {
		if got[name] != state {
			w.t.Errorf("%s: alarm %q is %s, want %s", when, name, got[name], state)
		}
	}
}

var (
	atNight = map[string]string{
		"web": "mute", "ledger": "mute", "orders": "mute", "member": "mute", "workers": "mute", "web and app": "mute",
		"web and always": "live, told", "always": "live", "muted by hand": "mute", "scales": "live, told",
	}
	byDay = map[string]string{
		"web": "live", "ledger": "live", "orders": "live", "member": "live", "workers": "live", "web and app": "live",
		"web and always": "live", "always": "live", "muted by hand": "mute", "scales": "live",
	}
)

// calls counts the calls of an action that AWS took.
func (w *world) calls(action string) (n int) {
	for _, call := range w.sim.Calls() {
		if call.Action == action && call.Code == "" {
			n++
		}
	}
	return n
}

func TestAlarmsAreMuteAtNightAndLiveByDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, nil)
		w.live(clockTime(1, 18, 1))
		w.expectAlarms("a minute after six", map[string]string{"web": "mute", "ledger": "mute", "web and app": "mute"})
		w.live(clockTime(2, 8, 0))
		w.expectAlarms("at night", atNight)
		if n := w.calls("DescribeAlarms"); n > 2 {
			t.Errorf("%d listings of alarms in an evening", n)
		}
		w.live(clockTime(2, 12, 0))
		w.expectAlarms("by day", byDay)
		if m := w.memory("web"); m.Muted != "" || m.Mute {
			t.Errorf("remembered by day: %+v", m)
		}
		w.wantRows("muted", 5, store.EventAlarmsMuted, "muted until it runs again")
		w.wantRows("restored", 5, store.EventAlarmsRestored, "live")
		w.live(clockTime(2, 17, 59))
		quiet := w.calls("DescribeAlarms") + w.calls("EnableAlarmActions")
		w.live(clockTime(2, 17, 59).Add(30 * time.Second))
		if n := w.calls("DescribeAlarms") + w.calls("EnableAlarmActions"); n != quiet {
			t.Errorf("%d calls while nothing is to be done", n-quiet)
		}
		w.live(clockTime(2, 23, 0))
		w.expectAlarms("the night after", atNight)
		w.verify()
	})
}

func TestTheAlarmOfAStopThatFailedStaysLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, nil)
		w.faults("[{kind: error, action: StopDBInstance, code: InvalidDBInstanceState}, {kind: error, action: StopInstances, code: UnauthorizedOperation}]")
		w.live(clockTime(1, 20, 0))
		w.expectAlarms("while stops fail", map[string]string{"web": "live", "ledger": "live", "orders": "mute"})
		w.faults("")
		w.live(clockTime(1, 22, 0))
		w.expectAlarms("once they pass", map[string]string{"web": "mute", "ledger": "mute"})
	})
}

// A stop that was accepted and then does not happen: the machine runs on, and its alarm speaks again.
func TestTheAlarmOfWhatFallsBackIsRestoredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, nil)
		w.live(clockTime(1, 18, 1))
		w.expectAlarms("accepted", map[string]string{"web": "mute"})
		time.Sleep(5 * time.Minute)
		w.live(clockTime(1, 19, 0))
		if err := w.sim.StartInstance(w.id("web")); err != nil { // as a person, who needs it tonight
			t.Fatal(err)
		}
		w.live(clockTime(1, 20, 30))
		w.expectAlarms("started by a person", map[string]string{"web": "live", "ledger": "mute"})
		if err := w.sim.StopInstance(w.id("web")); err != nil { // and stops it again: no stop of ours
			t.Fatal(err)
		}
		w.live(clockTime(1, 22, 0))
		w.expectAlarms("stopped by a person", map[string]string{"web": "live, told"})
	})
}

func TestAPersonWhoEnablesAnAlarmIsNotOverruled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, nil)
		w.live(clockTime(1, 19, 0))
		if err := w.sim.SwitchAlarm(shop, "cn-north-1", "web", true); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.DeleteAlarm(shop, "cn-north-1", "ledger"); err != nil {
			t.Fatal(err)
		}
		w.live(clockTime(2, 8, 0))
		w.expectAlarms("at night", map[string]string{"web": "live", "ledger": ""})
		w.live(clockTime(2, 12, 0))
		w.expectAlarms("by day", map[string]string{"web": "live", "web and app": "live"})
		rows := 0
		for _, row := range w.rows(store.EventAlarmsRestored) {
			if strings.Contains(row.Detail, "1 alarm was live already, or is gone") && row.Name != "app" { // which shares one with web
				rows++
			}
		}
		if rows != 2 {
			t.Errorf("%d rows say that alarms were live already or are gone: %+v", rows, w.rows(store.EventAlarmsRestored))
		}
	})
}

func TestAResizeMutesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, clockTime(1, 11, 59).Format(time.RFC3339))
		rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Resize, "tag:Name=web", func(r *policy.Rule) { r.Type, r.MuteAlarms = "m5.large", true })
		book := office(t, muting)
		book.Rules = []*policy.Rule{rule}
		w := newWorldOf(t, book, awssim.Fleet{Resources: []awssim.Resource{at("cn-north-1", shop, "ec2", "web", "running", nil)}, Alarms: []awssim.Alarm{alarmOf("web", "web")}})
		w.scopes = beijing
		w.live(clockTime(1, 13, 0))
		if instance, _ := w.sim.Instance(w.id("web")); instance.Type != "m5.large" || instance.State != "running" {
			t.Fatalf("it is %+v", instance)
		}
		if n := w.calls("DisableAlarmActions"); n != 0 {
			t.Errorf("%d calls mute alarms", n)
		}
	})
}

func TestRulesAndOverridesMuteToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, clockTime(1, 11, 59).Format(time.RFC3339))
		rule := ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, "tag:Name=bare", func(r *policy.Rule) { r.MuteAlarms, r.Untagged = true, true })
		plain := ruleOf(t, "plain", "cron(0 12 * * ? *)", fleet.Stop, "tag:Name=web")
		book := office(t, muting)
		book.Rules = []*policy.Rule{rule, plain}
		w := newWorldOf(t, book, awssim.Fleet{
			Resources: []awssim.Resource{
				at("cn-north-1", shop, "ec2", "bare", "running", map[string]string{"Team": "x"}),
				at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-north-1", shop, "ec2", "app", "running", nil),
			},
			Alarms: []awssim.Alarm{alarmOf("bare", "bare"), alarmOf("web", "web"), alarmOf("app", "app")},
		})
		w.scopes = beijing
		w.override("o-1", policy.Target{Resource: fleet.Ref{Scope: beijing[0], Kind: fleet.EC2Instance, ID: w.id("app")}}, calendar.Stopped, 3*time.Hour)
		w.live(clockTime(1, 13, 0))
		w.expect("at one", map[string]string{"bare": "stopped", "web": "stopped", "app": "stopped"})
		w.expectAlarms("at one", map[string]string{"bare": "mute", "web": "mute", "app": "mute"})
		w.live(clockTime(1, 17, 0))
		w.expectAlarms("once the override is over", map[string]string{"app": "live"})
		// The rule goes, and with it the look at what has no schedule tag.
		w.edited()
		w.book.Rules = nil
		if err := w.sim.StartInstance(w.id("bare")); err != nil {
			t.Fatal(err)
		}
		w.live(clockTime(1, 17, 30))
		w.expectAlarms("nobody governs it any more", map[string]string{"bare": "live"})
	})
}

func TestCloudWatchHoldsBackNothing(t *testing.T) {
	for name, fault := range map[string]string{
		"denied":    "[{kind: denied, service: monitoring}]",
		"hangs":     "[{kind: hang, service: monitoring}]",
		"throttled": "[{kind: throttle, service: monitoring}]",
		"html":      "[{kind: html, service: monitoring, status: 200}]",
		"empty":     "[{kind: empty, service: monitoring}]",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := alarmed(t, nil)
				w.run()
				w.faults(fault)
				time.Sleep(time.Until(clockTime(1, 18, 0)))
				began := w.now()
				w.run()
				for _, call := range w.sim.Calls() {
					if late := call.Time.Sub(began); strings.HasPrefix(call.Action, "Stop") && late > 2*time.Second {
						t.Errorf("%s came %s late", call.Action, late)
					}
				}
				if took := w.now().Sub(began); took > 40*time.Second {
					t.Errorf("the pass took %s", took)
				}
				w.live(clockTime(1, 19, 0))
				w.expect("in the evening", map[string]string{"web": "stopped", "ledger": "stopped"})
				w.expectAlarms("in the evening", map[string]string{"web": "live, told"})
				w.wantRows("the failure", 1, store.EventFailed, "alarms could not be muted or restored")
				w.faults("")
				w.live(clockTime(1, 20, 0))
				w.expectAlarms("once CloudWatch answers", atNightLate)
				w.faults(fault)
				w.live(clockTime(2, 12, 0))
				w.expect("by day", map[string]string{"web": "running", "ledger": "available"})
				w.expectAlarms("by day, without CloudWatch", map[string]string{"web": "mute", "ledger": "mute"})
				w.faults("")
				w.live(clockTime(2, 13, 0))
				w.expectAlarms("by day", byDay)
			})
		})
	}
}

// atNightLate: what spoke before it was muted has spoken.
var atNightLate = map[string]string{"web": "mute, told", "ledger": "mute, told", "always": "live"}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, nil)
		w.live(clockTime(1, 19, 0))
		web, app := w.id("web"), w.id("app")
		if err := w.sim.TerminateInstance(web); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.TagInstance(app, map[string]string{"Schedule": ""}); err != nil { // no longer ours
			t.Fatal(err)
		}
		w.live(clockTime(1, 21, 0))
		w.expectAlarms("once they left", map[string]string{"web": "mute", "web and app": "live", "ledger": "mute"})
		for _, id := range []string{web, app} {
			if m := w.memory(id); m.Muted != "" {
				t.Errorf("remembered of %s: %q", id, m.Muted)
			}
		}
		w.live(clockTime(3, 8, 0))
		if m := w.memory(web); m.Ref.ID != "" {
			t.Errorf("still remembered: %+v", m)
		}
		w.verify()
	})
}

func TestManyAlarmsInFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, func(f *awssim.Fleet) {
			f.Resources = append(f.Resources, awssim.Resource{Account: shop, Region: "cn-north-1", Kind: "ec2", Count: 250, Name: "many-###", State: "running", Tags: map[string]string{"Schedule": "cn-office-hours"}})
			f.Alarms = append(f.Alarms, awssim.Alarm{Account: shop, Region: "cn-north-1", Count: 250, Name: "many-###", Of: []string{"many-###"}})
		})
		w.live(clockTime(1, 18, 5))
		mute := 0
		for name, state := range w.alarms() {
			if strings.HasPrefix(name, "many-") && state == "mute" {
				mute++
			}
		}
		if mute != 250 {
			t.Errorf("%d of 250 are mute", mute)
		}
		if lists, mutes := w.calls("DescribeAlarms"), w.calls("DisableAlarmActions"); lists > 6 || mutes > 6 {
			t.Errorf("%d listings and %d calls that mute", lists, mutes)
		}
		w.live(clockTime(2, 9, 30))
		if n := w.calls("EnableAlarmActions"); n > 8 {
			t.Errorf("%d calls that restore", n)
		}
		for name, state := range w.alarms() {
			if strings.HasPrefix(name, "many-") && state != "live" {
				t.Errorf("by day %s is %s", name, state)
			}
		}
	})
}

func TestWhereItOnlyObservesNoAlarmIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarmed(t, nil)
		w.live(clockTime(1, 19, 0))
		w.book.Observe = true
		before := w.mutations()
		w.live(clockTime(2, 12, 0))
		if n := w.mutations() - before; n != 0 {
			t.Errorf("%d calls changed something", n)
		}
		w.book.Observe = false
		w.live(clockTime(2, 13, 0))
		w.expectAlarms("by day", byDay)
	})
}

// mortalKeeper is the way of a mortal process to CloudWatch.
type mortalKeeper struct {
	*mortal
	cloud.AlarmKeeper
}

func (m mortalKeeper) Alarms(ctx context.Context, scope fleet.Scope, resources []fleet.Resource) (alarms []cloud.Alarm, err error) {
	err = m.read("Alarms", func() error { alarms, err = m.AlarmKeeper.Alarms(ctx, scope, resources); return err })
	return alarms, err
}

func (m mortalKeeper) Mute(ctx context.Context, scope fleet.Scope, names []string) error {
	return m.live("Mute", func() error { return m.AlarmKeeper.Mute(ctx, scope, names) })
}

func (m mortalKeeper) Restore(ctx context.Context, scope fleet.Scope, names []string) (restored []string, err error) {
	err = m.live("Restore", func() error { restored, err = m.AlarmKeeper.Restore(ctx, scope, names); return err })
	return restored, err
}

// TestKilledWhileAlarmsAreMuted kills the process at every contact of an
// evening's stop and of a morning's start. Whatever it was at, the next one mutes
// what is down and restores what runs, and nothing else.
func TestKilledWhileAlarmsAreMuted(t *testing.T) {
	for name, moment := range map[string]struct {
		begins time.Time
		lasts  time.Duration
	}{"stopping": {clockTime(1, 18, 0), time.Minute}, "starting": {clockTime(2, 9, 0), 90 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			killEverywhere(t, func(t *testing.T, process *mortal) {
				begin(t, clockTime(1, 17, 59).Format(time.RFC3339))
				w := newWorldOf(t, office(t, muting), awssim.Fleet{
					Resources: []awssim.Resource{at("cn-north-1", shop, "ec2", "web", "running", nil), at("cn-north-1", shop, "ec2", "app", "running", nil)},
					Alarms: []awssim.Alarm{
						alarmOf("web", "web"), alarmOf("web and app", "web", "app"),
						{Account: shop, Region: "cn-north-1", Name: "muted by hand", Of: []string{"web"}, Muted: true},
					},
				})
				w.scopes = beijing
				w.run()
				w.live(moment.begins)
				w.mortal(process, w.now().Add(moment.lasts), 15*time.Second, func(p *pass.Pass) { p.Alarms = mortalKeeper{process, w.cloud} })
				w.restart()
				w.live(moment.begins.Add(30 * time.Minute))
				down := map[string]string{"web": "mute", "web and app": "mute", "muted by hand": "mute"}
				up := map[string]string{"web": "live", "web and app": "live", "muted by hand": "mute"}
				if name == "stopping" {
					w.expect("in the evening", map[string]string{"web": "stopped", "app": "stopped"})
					w.expectAlarms("in the evening (died at "+process.at+")", down)
					w.live(clockTime(2, 10, 0))
				}
				w.expect("by day", map[string]string{"web": "running", "app": "running"})
				w.expectAlarms("by day (died at "+process.at+")", up)
				for _, name := range []string{"web", "app"} {
					if m := w.memory(name); m.Muted != "" || m.Mute || m.Intent != nil {
						t.Errorf("left behind of %s: %+v", name, m)
					}
				}
				w.verifyChain()
			})
		})
	}
}
