package app

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	chatwire "dayshift/internal/chatbot/wire"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

const warnedConfig = `
store: "memory:"
timezone: Asia/Seoul
resync_interval: 2h
accounts:
  - {id: "111122223333", regions: [ap-northeast-2, us-east-1]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {periods: [office], notify_before_stop: 10m}
`

// told are the lines of what people were told of a kind, each with the time of day at which they were, in Seoul.
func (s *tellTale) told(kind notify.Kind) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, message := range s.messages {
		if message.Kind == kind {
			for _, line := range message.Lines {
				lines = append(lines, s.at[i].In(kst(0, 0, 0).Location()).Format("15:04 ")+line)
			}
		}
	}
	return lines
}

// last is the last message of a kind.
func (s *tellTale) last(kind notify.Kind) (last notify.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.messages {
		if s.messages[i].Kind == kind {
			last = s.messages[i]
		}
	}
	return last
}

// expectTold compares what people were told of a kind.
func (h *house) expectTold(when string, kind notify.Kind, want ...string) {
	h.t.Helper()
	if got := h.told.told(kind); !slices.Equal(got, want) {
		h.t.Errorf("%s: of %s people were told\n  %s\nwant\n  %s", when, kind, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// A warning at ten to six, two hours more by somebody: nothing stops at six, the next warning is at ten to eight and names
// whose decision ends, and at eight it stops.
func TestWarnedAndKeptForTwoHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 40, 0)))
		h := newHouse(t, warnedConfig, rds("orders", "available", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(17, 50, 30))
		first := "17:50 orders in 111122223333/ap-northeast-2: will be stopped at 18:00 (Asia/Seoul, 2027-03-05)"
		h.expectTold("at ten to six", notify.StopWarning, first)

		sleepUntil(kst(17, 52, 0))
		h.force(calendar.Running, "schedule:seoul-office", service.End{Until: kst(20, 0, 0)})
		sleepUntil(kst(17, 53, 0))
		began := `17:52 minji wants schedule "seoul-office" running until 20:00 (Asia/Seoul, 2027-03-05): release`
		h.expectTold("a minute later", notify.OverrideBegan, began)

		d.kill()
		d = h.serve("the next")
		sleepUntil(kst(19, 49, 0))
		h.expect("until the next warning", map[string]string{"orders": "available"})
		h.expectTold("until the next warning", notify.StopWarning, first)
		h.expectTold("by the next process", notify.OverrideBegan, began)
		sleepUntil(kst(19, 50, 30))
		h.expectTold("at ten to eight", notify.StopWarning, first,
			"19:50 orders in 111122223333/ap-northeast-2: will be stopped at 20:00 (Asia/Seoul, 2027-03-05), when the override of minji ends")
		sleepUntil(kst(19, 59, 59))
		h.expect("a second before", map[string]string{"orders": "available"})
		sleepUntil(kst(20, 40, 0))
		h.expect("afterwards", map[string]string{"orders": "stopped"})
		h.expectTold("afterwards", notify.OverrideEnded, `20:00 the override of schedule "seoul-office" (running by minji) ended: its time is over`)
		if stopped := h.told.told(notify.Stopped); len(stopped) != 1 || !strings.Contains(stopped[0], "stopped within ") {
			t.Errorf("people were told %q", stopped)
		}
		d.stop()
		h.verify()
	})
}

// attended is serve with what answers those who ask in chats.
func (h *house) attended(name string) *living {
	h.t.Helper()
	return h.begin(name, func(d *Daemon) []func(context.Context) error {
		d.open()
		return []func(context.Context) error{d.lead, d.watch, d.boards}
	})
}

// The same from the button of the warning: pressed by somebody who is not known there, it is refused and recorded; by
// minji, it counts, and the room is told her name, however often she presses.
func TestWarnedAndKeptForTwoHoursByAButton(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 40, 0)))
		h := newHouse(t, warnedConfig+`
chats:
  room: {type: slack, secret: 0123456789abcdef0123456789abcdef}
people:
  minji: {role: operator, chats: {room: U0MINJI}}
`, rds("orders", "available", "seoul-office"))
		d := h.attended("")
		sleepUntil(kst(17, 50, 30))
		choices := h.told.last(notify.StopWarning).Choices
		if len(choices) < 2 || choices[1].Label != "+2 h (20:00)" {
			t.Fatalf("choices: %+v", choices)
		}
		press := func(who string) chatwire.Reply {
			return d.chats.bot.Answer(t.Context(), chatwire.Ask{
				ID: who + time.Now().String(), System: chatwire.Slack, Chat: "room", Room: "C0OPS", Who: chatwire.Identity{ID: who}, Text: choices[1].Command, Button: true, Signed: true,
			})
		}
		if reply := press("U0STRANGER"); reply.Tone != chatwire.Refused || !strings.Contains(reply.Text, "U0STRANGER") {
			t.Errorf("a stranger is answered %+v", reply)
		}
		sleepUntil(kst(17, 51, 0))
		if rows := h.rows(store.EventRefused); len(rows) != 1 || !strings.Contains(rows[0].Detail, "keep seoul-office until 2027-03-05T20:00:00+09:00") {
			t.Errorf("the refusal is recorded as %+v", rows)
		}
		h.expectTold("after the stranger", notify.OverrideBegan)

		sleepUntil(kst(17, 52, 0))
		if reply := press("U0MINJI"); reply.Tone != chatwire.OK || !strings.Contains(reply.Text, "20:00 (Asia/Seoul)") || !strings.Contains(reply.Text, "minji") {
			t.Errorf("minji is answered %+v", reply)
		}
		sleepUntil(kst(17, 53, 0))
		if reply := press("U0MINJI"); reply.Tone != chatwire.OK {
			t.Errorf("the second time minji is answered %+v", reply)
		}
		sleepUntil(kst(18, 30, 0))
		h.expect("after six", map[string]string{"orders": "available"})
		if began := h.told.told(notify.OverrideBegan); len(began) != 1 || !strings.HasPrefix(began[0], `17:52 minji wants schedule "seoul-office" running until 20:00 (Asia/Seoul, 2027-03-05)`) {
			t.Errorf("people were told %q", began)
		}
		sleepUntil(kst(19, 50, 30))
		if warned := h.told.told(notify.StopWarning); len(warned) != 2 || !strings.HasPrefix(warned[1], "19:50 ") || !strings.HasSuffix(warned[1], "when the override of minji ends") {
			t.Errorf("warnings: %q", warned)
		}
		sleepUntil(kst(20, 40, 0))
		h.expect("after eight", map[string]string{"orders": "stopped"})
		d.stop()
		h.verify()
	})
}

// A workload is warned of and kept as a whole.
func TestAWorkloadIsWarnedOfAndKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 0, 0)))
		h := newHouse(t, warnedConfig+`
workloads:
  shop: {schedule: seoul-office, filters: "tag:Environment=shop", tiers: {db: {filters: "tag:Role=db"}}}
`, rds("orders", "available", "", "Environment", "shop", "Role", "db"))
		d := h.serve()
		sleepUntil(kst(17, 50, 30))
		first := "17:50 Workload shop will be stopped at 18:00 (Asia/Seoul, 2027-03-05)"
		h.expectTold("at ten to six", notify.StopWarning, first)
		warning := h.told.last(notify.StopWarning)
		if warning.Workload != "shop" || !warning.At.Equal(kst(18, 0, 0)) || len(warning.Choices) == 0 || warning.Choices[0].Command != "keep shop until 2027-03-05T19:00:00+09:00" {
			t.Errorf("the warning: %+v", warning)
		}
		sleepUntil(kst(17, 52, 0))
		h.force(calendar.Running, "workload:shop", service.End{Until: kst(20, 0, 0)})
		sleepUntil(kst(19, 50, 30))
		h.expect("until then", map[string]string{"orders": "available"})
		h.expectTold("kept", notify.OverrideBegan, `17:52 minji wants workload "shop" running until 20:00 (Asia/Seoul, 2027-03-05): release`)
		if began := h.told.last(notify.OverrideBegan); began.Workload != "shop" || began.Schedule != "" {
			t.Errorf("it is about %+v", began)
		}
		h.expectTold("at ten to eight", notify.StopWarning, first,
			"19:50 Workload shop will be stopped at 20:00 (Asia/Seoul, 2027-03-05), when the override of minji ends")
		sleepUntil(kst(20, 40, 0))
		h.expect("afterwards", map[string]string{"orders": "stopped"})
		d.stop()
		h.verify()
	})
}

// What is decided, changed and taken back is told once each, by whichever process acts: also what was decided while none did.
func TestEveryDecisionIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(14, 0, 0)))
		h := newHouse(t, warnedConfig, rds("orders", "available", "seoul-office"), rds("users", "available", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(14, 1, 0))
		d.kill()
		made := h.force(calendar.Stopped, "orders", service.End{Until: kst(16, 0, 0)})
		d = h.serve("the second")
		standby := h.serve("the third")
		sleepUntil(kst(14, 3, 0))
		began := "14:01 orders in 111122223333/ap-northeast-2: minji wants it stopped until 16:00 (Asia/Seoul, 2027-03-05): release"
		h.expectTold("decided while nobody acted", notify.OverrideBegan, began)

		people := h.open(h.store).Service()
		if _, err := people.ChangeOverride(t.Context(), service.OverrideChange{Target: made.Override.ID, End: service.End{Until: kst(17, 0, 0)}, Author: "jun"}); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(14, 5, 0))
		changed := "14:03 orders in 111122223333/ap-northeast-2: jun changed the end of the override of orders (stopped, by minji): it lasts until 17:00 (Asia/Seoul, 2027-03-05): release"
		h.expectTold("changed", notify.OverrideBegan, began, changed)

		if _, err := people.ClearOverride(t.Context(), service.OverrideClear{Target: made.Override.ID, Author: "sora"}); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(14, 8, 0))
		d.stop()
		sleepUntil(kst(14, 30, 0))
		h.expectTold("taken back", notify.OverrideEnded, "14:05 orders in 111122223333/ap-northeast-2: sora took back the override of orders (stopped by minji)")
		h.expectTold("taken back", notify.OverrideBegan, began, changed)
		standby.stop()
		h.verify()
	})
}

// TestWhatIsKeptStoppedIsToldToEndSoon: ten minutes before, once, also over a restart; what is kept running is warned of by the pass alone.
func TestWhatIsKeptStoppedIsToldToEndSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(14, 0, 0)))
		h := newHouse(t, warnedConfig, rds("orders", "available", "seoul-office"), rds("users", "available", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(14, 1, 0))
		h.force(calendar.Stopped, "orders", service.End{Until: kst(15, 0, 0)})
		h.force(calendar.Running, "users", service.End{Until: kst(15, 0, 0)})
		sleepUntil(kst(14, 49, 55))
		h.expectTold("before", notify.OverrideEndsSoon)
		sleepUntil(kst(14, 50, 10))
		soon := "14:50 orders in 111122223333/ap-northeast-2: what minji keeps stopped may start again at 15:00 (Asia/Seoul, 2027-03-05)"
		h.expectTold("ten minutes before", notify.OverrideEndsSoon, soon)
		d.kill()
		d = h.serve("the second")
		sleepUntil(kst(15, 10, 0))
		h.expectTold("after", notify.OverrideEndsSoon, soon)
		d.stop()
		h.verify()
	})
}

// A channel for the resources of one team hears of the decisions that concern them, whatever they were made for, and of no others.
func TestDecisionsAreHeardByWhomTheyConcern(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(14, 0, 0)))
		h := newHouse(t, warnedConfig+`
workloads:
  shop: {schedule: seoul-office, filters: "tag:Environment=shop", tiers: {db: {filters: "tag:Role=db"}}}
`, rds("orders", "available", "seoul-office", "Team", "pay"), rds("users", "available", "seoul-office", "Team", "web"),
			rds("carts", "available", "", "Environment", "shop", "Role", "db"))
		d := h.serve()
		heard := map[string]notify.Filter{}
		for _, text := range []string{"tag:Team=pay", "tag:Team=web", "tag:Environment=shop", "account=111122223333", "account=444455556666"} {
			filter, err := fleet.ParseFilter(text)
			if err != nil {
				t.Fatal(err)
			}
			heard[text] = notify.Filter{Resources: filter}
		}
		heard["seoul-office"], heard["shop"] = notify.Filter{Schedules: []string{"seoul-office"}}, notify.Filter{Workloads: []string{"shop"}}
		expect := func(when string, kind notify.Kind, want map[string]int) {
			t.Helper()
			for name, filter := range heard {
				if got := h.heard.Taken(kind, filter); got != want[name] {
					t.Errorf("%s: a channel for %s was told %d of %s, want %d", when, name, got, kind, want[name])
				}
			}
		}
		sleepUntil(kst(14, 1, 0))
		h.force(calendar.Stopped, "orders", service.End{Until: kst(14, 30, 0)})
		sleepUntil(kst(14, 2, 0))
		began := map[string]int{"tag:Team=pay": 1, "account=111122223333": 1, "seoul-office": 1}
		expect("one machine", notify.OverrideBegan, began)
		sleepUntil(kst(14, 31, 0))
		expect("one machine", notify.OverrideEndsSoon, began)
		expect("one machine", notify.OverrideEnded, began)

		of := h.force(calendar.Running, "tag:Team=web", service.End{Until: kst(15, 0, 0)})
		sleepUntil(kst(14, 33, 0))
		began["tag:Team=web"], began["account=111122223333"], began["seoul-office"] = 1, 2, 2
		expect("a filter", notify.OverrideBegan, began)
		if _, err := h.open(h.store).Service().ClearOverride(t.Context(), service.OverrideClear{Target: of.Override.ID, Author: "sora"}); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(14, 35, 0))
		expect("a filter, taken back", notify.OverrideEnded, began)

		h.force(calendar.Running, "schedule:seoul-office", service.End{Until: kst(15, 0, 0)})
		h.force(calendar.Running, "workload:shop", service.End{Until: kst(15, 0, 0)})
		sleepUntil(kst(15, 1, 0))
		want := map[string]int{"tag:Team=pay": 2, "tag:Team=web": 2, "tag:Environment=shop": 1, "account=111122223333": 4, "seoul-office": 4, "shop": 1}
		expect("a schedule and a workload", notify.OverrideBegan, want)
		expect("a schedule and a workload", notify.OverrideEnded, want)
		sleepUntil(kst(18, 30, 0))
		for name, filter := range heard {
			warned, run := 1, 0
			switch name {
			case "account=111122223333", "seoul-office":
				warned, run = 3, 4 // both machines and the workload; its start and its stop, begun and ended
			case "tag:Environment=shop", "shop":
				run = 4
			case "account=444455556666":
				warned = 0
			}
			if got := h.heard.Taken(notify.StopWarning, filter); got != warned {
				t.Errorf("a channel for %s was warned %d times, want %d", name, got, warned)
			}
			if got := h.heard.Taken(notify.WorkloadRun, filter); got != run {
				t.Errorf("a channel for %s heard %d times of runs, want %d", name, got, run)
			}
		}
		d.stop()
		h.verify()
	})
}

// A rule for a workload whose time passed while no process ran is told, once.
func TestAMissedRuleOfAWorkloadIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(13, 0, 0)))
		h := newHouse(t, warnedConfig+`
workloads:
  shop: {filters: "tag:Environment=shop", tiers: {db: {filters: "tag:Role=db"}}}
rules:
  snack: {expression: "cron(30 14 ? * FRI *)", action: "workload:shop:start", timezone: Asia/Seoul}
`, rds("carts", "stopped", "", "Environment", "shop", "Role", "db"))
		d := h.serve()
		sleepUntil(kst(14, 0, 0))
		d.stop()
		sleepUntil(kst(16, 0, 0))
		d = h.serve("the second")
		sleepUntil(kst(16, 5, 0))
		d.kill()
		d = h.serve("the third")
		sleepUntil(kst(17, 0, 0))
		missed := h.told.told(notify.RuleMissed)
		if len(missed) != 1 || !strings.HasPrefix(missed[0], `16:00 rule "snack" missed 14:30 (Asia/Seoul, 2027-03-05)`) {
			t.Errorf("people were told %q", missed)
		}
		if about := h.told.last(notify.RuleMissed).Workload; about != "shop" {
			t.Errorf("it is about %q", about)
		}
		d.stop()
		h.verify()
	})
}

// Who was just told when a decision ends is not told at once that it ends soon.
func TestAnEndThatIsNearIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(14, 0, 0)))
		h := newHouse(t, warnedConfig, rds("orders", "available", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(14, 1, 0))
		made := h.force(calendar.Stopped, "orders", service.End{Until: kst(16, 0, 0)})
		sleepUntil(kst(14, 30, 0))
		change := service.OverrideChange{Target: made.Override.ID, End: service.End{Until: kst(14, 38, 0)}, Author: "jun"}
		if _, err := h.open(h.store).Service().ChangeOverride(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(14, 50, 0))
		h.expectTold("of the near end", notify.OverrideEndsSoon)
		if began := h.told.told(notify.OverrideBegan); len(began) != 2 || !strings.Contains(began[1], "it lasts until 14:38") {
			t.Errorf("people were told %q", began)
		}
		d.stop()
		h.verify()
	})
}
