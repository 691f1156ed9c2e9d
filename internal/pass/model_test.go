package pass_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// modelChecks is how many histories are made up where the command line does not
// say (-rapid.checks): each costs half a second.
const modelChecks = "6"

// stretch is a part of the simulated time, in minutes from its begin.
type stretch struct{ from, lasts int }

func (s stretch) holds(minute int) bool { return minute >= s.from && minute < s.from+s.lasts }

// history is what happens in one simulated world.
type history struct {
	enforced         bool
	verb             fleet.Verb
	hour, minute     int
	catchUp          time.Duration
	untagged         bool
	overrides        []madeOverride
	outages          []stretch // no pass is made, and a new process follows
	gaps             []stretch // instances can not be listed
	lost             bool      // some calls get no answer, carried out or not
	passes           []int     // minutes between passes, again and again
	person           int       // when a person starts or stops "web"; 0: never
	protected, other bool      // whether they run
}

type madeOverride struct {
	stretch
	state calendar.State
	whole bool // of the schedule, else of "web"
}

// modelled is how long a history lasts: from Thursday eight o'clock into Saturday.
const modelled = 44 * 60

func histories(t *rapid.T) history {
	stretches := func(label string, n, longest int) (list []stretch) {
		for range rapid.IntRange(0, n).Draw(t, label) {
			list = append(list, stretch{rapid.IntRange(1, modelled-400).Draw(t, label+" from"), rapid.IntRange(1, longest).Draw(t, label+" for")})
		}
		return list
	}
	h := history{
		enforced: rapid.Bool().Draw(t, "enforced"),
		verb:     rapid.SampledFrom([]fleet.Verb{fleet.Start, fleet.Stop, fleet.Hibernate, fleet.Reboot, fleet.Resize}).Draw(t, "verb"),
		hour:     rapid.IntRange(0, 23).Draw(t, "hour"), minute: rapid.IntRange(0, 59).Draw(t, "minute"),
		catchUp:  rapid.SampledFrom([]time.Duration{0, 10 * time.Minute, 2 * time.Hour}).Draw(t, "catch-up"),
		untagged: rapid.Bool().Draw(t, "untagged"),
		outages:  stretches("outage", 2, 300), gaps: stretches("gap", 2, 100),
		lost:      rapid.Bool().Draw(t, "lost answers"),
		passes:    rapid.SliceOfN(rapid.IntRange(5, 60), 1, 5).Draw(t, "passes"),
		person:    rapid.SampledFrom([]int{0, 0, 300, 900}).Draw(t, "person"),
		protected: rapid.Bool().Draw(t, "protected runs"), other: rapid.Bool().Draw(t, "other runs"),
	}
	for _, s := range stretches("override", 2, 400) {
		h.overrides = append(h.overrides, madeOverride{s, rapid.SampledFrom([]calendar.State{calendar.Running, calendar.Stopped}).Draw(t, "state"), rapid.Bool().Draw(t, "whole")})
	}
	return h
}

// watched is a cloud that looks, before each call, whether its intent is written down.
type watched struct {
	pass.Cloud
	w  *world
	mu sync.Mutex
	// unmeant are calls without an intent.
	unmeant []string
}

func (c *watched) Do(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, targets []cloud.Target) error {
	memories, err := c.w.store.Memories(ctx, scope)
	if err != nil {
		return err
	}
	for _, target := range targets {
		meant := slices.ContainsFunc(memories, func(m decide.Memory) bool {
			return m.Ref == target.Ref && m.Intent != nil && (m.Intent.Verb == verb || m.Intent.Verb == fleet.Start && verb == fleet.Resize || m.Intent.Verb == fleet.Hibernate && verb == fleet.Stop)
		})
		if !meant {
			c.mu.Lock()
			c.unmeant = append(c.unmeant, fmt.Sprintf("%s of %s at %s", verb, target.Ref, c.w.now()))
			c.mu.Unlock()
		}
	}
	return c.Cloud.Do(ctx, scope, kind, verb, targets)
}

// TestAnyHistory makes up a schedule, a rule, overrides, outages and faults, and
// checks after every pass what has to hold whatever happens.
func TestAnyHistory(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if given := checks.Value.String(); given == checks.DefValue {
		if err := checks.Value.Set(modelChecks); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = checks.Value.Set(given) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := histories(rt)
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = h.live(t) })
		if len(wrong) > 0 {
			rt.Fatalf("%d faults, the first:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 5)], "\n"))
		}
	})
}

// live lives the history and tells what went wrong.
func (h *history) live(t *testing.T) (wrong []string) {
	begin(t, "2027-03-04T08:00:00+08:00")
	start := time.Now()
	fault := func(format string, args ...any) {
		wrong = append(wrong, time.Now().In(shanghai).Format("Mon 15:04:05 ")+fmt.Sprintf(format, args...))
	}
	book := office(t, func(s *policy.Schedule) { s.Enforced, s.NewResourceGrace = h.enforced, 0 })
	book.Rules = []*policy.Rule{ruleOf(t, "rule", fmt.Sprintf("cron(%d %d * * ? *)", h.minute, h.hour), h.verb, "tag:Team=x", func(r *policy.Rule) {
		r.CatchUp, r.Untagged, r.Type = h.catchUp, h.untagged, "m5.large"
	})}
	tags := func(more ...string) map[string]string { return team(append(more, "Schedule", "cn-office-hours")...) }
	state := map[bool]string{true: "running", false: "stopped"}
	bare := at("cn-north-1", shop, "ec2", "bare", state[h.other], map[string]string{"Team": "x"})
	w := newWorld(t, book,
		at("cn-north-1", shop, "ec2", "web", "stopped", tags()), at("cn-north-1", shop, "ec2", "app", "running", tags()),
		at("cn-north-1", shop, "rds", "db", "stopped", tags()), bare,
		at("cn-north-1", shop, "ec2", "protected", state[h.protected], tags("dayshift:protect", "true")),
		at("cn-north-1", shop, "ec2", "stranger", state[h.other], map[string]string{"Team": "y"}))
	w.scopes = beijing
	guarded := &watched{Cloud: w.cloud, w: w}

	down, blind, quiet := false, false, 0 // quiet: minutes since the last trouble
	ids := map[string]string{}
	for minute, n := 0, 0; minute < modelled; {
		if gone := slices.ContainsFunc(h.outages, func(s stretch) bool { return s.holds(minute) }); gone != down {
			if down = gone; !down {
				w.restart()
			}
		}
		if gap := slices.ContainsFunc(h.gaps, func(s stretch) bool { return s.holds(minute) }); gap != blind || minute == 0 {
			blind = gap
			text := ""
			if blind {
				text = "- {kind: denied, service: ec2, action: DescribeInstances}\n"
			}
			if h.lost {
				text += "- {kind: reset, service: ec2, action: 'St*Instances', probability: 0.2, applied: true}\n- {kind: reset, service: ec2, action: 'St*Instances', probability: 0.2}\n"
			}
			w.faults(text)
		}
		for i, o := range h.overrides {
			if o.from == minute {
				target := ofSchedule
				if !o.whole {
					target = policy.Target{Resource: fleet.Ref{Scope: beijing[0], Kind: fleet.EC2Instance, ID: w.id("web")}}
				}
				w.override(fmt.Sprint("o-", i), target, o.state, time.Duration(o.lasts)*time.Minute)
			}
		}
		if h.person == minute && minute > 0 { // it is as it may be: a refusal is no matter
			if instance, _ := w.sim.Instance(w.id("web")); instance.State == "running" {
				_ = w.sim.StopInstance(instance.ID)
			} else {
				_ = w.sim.StartInstance(instance.ID)
			}
		}
		next := minute + 1
		if !down {
			p := w.pass()
			p.Cloud, p.Log = guarded, slog.New(slog.DiscardHandler)
			report, err := pass.Run(t.Context(), p)
			if err != nil {
				fault("the pass failed: %v", err)
				return wrong
			}
			w.known = report.Known
			for scope, due := range report.Due {
				if !due.After(report.At) { // (g)
					fault("the next look at %s is at %s", scope, due)
				}
			}
			next = minute + h.passes[n%len(h.passes)]
			if due, ok := report.Due[beijing[0]]; ok {
				next = min(next, int(due.Sub(start).Minutes())+1)
			}
			if len(report.UnderWay()) > 0 {
				next = minute + 1
			}
			n++
		}
		if down || blind {
			quiet = 0
		}
		if quiet > 70 && !h.lost {
			for _, text := range h.expect(w, minute) {
				fault("%s", text)
			}
		}
		if now := w.states(); now["protected"] != state[h.protected] || now["stranger"] != state[h.other] || !h.untagged && now["bare"] != state[h.other] { // (c)
			fault("something was touched that nobody may touch: %v", now)
		}
		// Whatever begins or ends in between is met at its minute.
		for _, s := range slices.Concat(h.outages, h.gaps) {
			for _, edge := range [...]int{s.from, s.from + s.lasts} {
				if edge > minute {
					next = min(next, edge)
				}
			}
		}
		for _, o := range h.overrides {
			if o.from > minute {
				next = min(next, o.from)
			}
		}
		if h.person > minute {
			next = min(next, h.person)
		}
		next = max(min(next, modelled), minute+1)
		quiet += next - minute
		minute = next
		time.Sleep(time.Until(start.Add(time.Duration(minute) * time.Minute)))
	}
	w.faults("")
	w.live(w.now().Add(2 * time.Hour))

	wrong = append(wrong, guarded.unmeant...) // (d), before
	rows := map[fleet.Ref]int{}
	byRule := map[fleet.Ref]int{}
	for _, row := range w.rows() {
		rows[row.Ref]++
		ids[row.Ref.ID] = row.Name
		if strings.HasPrefix(row.Reason, "rule-") && (row.Event == store.EventStartAccepted || row.Event == store.EventStopAccepted || row.Event == store.EventRebooted) {
			byRule[row.Ref]++
		}
	}
	fired := w.instantsOf(store.EventFired)
	for instant, times := range fired {
		if times > 2 { // instances and databases fire apart where one of them can not be listed
			fault("%s fired %d times", instant, times)
		}
	}
	steps := map[fleet.Verb]int{fleet.Resize: 2}[h.verb] // down and up again
	for ref, n := range byRule {
		if n > len(fired)*max(steps, 1) { // (b)
			fault("%s: %d actions of a rule that fired at %d instants", ref, n, len(fired))
		}
	}
	calls := map[string]int{}
	for _, call := range w.sim.Calls() {
		if call.Mutating && call.Status == http.StatusOK { // one without an answer is told by the try that follows it
			for _, id := range call.Resources {
				calls[id]++
			}
		}
	}
	for ref, n := range rows {
		if calls[ref.ID] > n { // (d), after
			fault("%s: %d calls, %d rows", ref, calls[ref.ID], n)
		}
		delete(calls, ref.ID)
	}
	if len(calls) > 0 {
		fault("calls that no row tells of: %v", calls)
	}
	if v, err := w.store.Verify(t.Context()); err != nil || v.BadAt != 0 { // (h)
		fault("activity: %+v, %v", v, err)
	}
	for i, o := range h.overrides {
		ended := len(slices.DeleteFunc(w.rows(store.EventOverrideEnded), func(row store.Activity) bool { return row.Name != fmt.Sprint("o-", i) }))
		if want := map[bool]int{true: 1}[o.from+o.lasts < modelled+60]; ended != want || w.kept(fmt.Sprint("o-", i)) != (want == 0) {
			fault("override %d ended %d times, want %d", i, ended, want)
		}
	}
	return wrong
}

// expect is (a): where nothing is wrong for a while, an override is kept, and
// else what the schedule wants holds, unless a rule or a person came later.
func (h *history) expect(w *world, minute int) (wrong []string) {
	now := w.now()
	schedule := w.book.Schedules["cn-office-hours"].Calendar
	names := map[string]string{"web": "running", "app": "running", "db": "available"}
	states := w.states()
	fires := func(from, to time.Time) bool {
		for range w.book.Rules[0].Expression.Fires(from, to) {
			return true
		}
		return false
	}
	boundary := now.Add(-96 * time.Hour)
	for b, ok := schedule.NextState(boundary); ok && !b.At.After(now); b, ok = schedule.NextState(boundary) {
		boundary = b.At
	}
	for name, up := range names {
		var force *madeOverride
		changed := false // an override began or ended just now, and things are on their way
		for i := range h.overrides {
			o := &h.overrides[i]
			if !o.whole && name != "web" {
				continue
			}
			if since := minute - o.from; since >= 0 && since < 70 || minute-o.from-o.lasts >= 0 && minute-o.from-o.lasts < 70 {
				changed = true
			}
			if o.holds(minute) && (force == nil || force.whole && !o.whole || force.whole == o.whole && o.from >= force.from) {
				force = o
			}
		}
		last := now.Add(-70 * time.Minute)
		wanted := schedule.Wanted(now).State
		if schedule.Wanted(last).State != wanted || changed || h.person > 0 && minute >= h.person && name == "web" {
			continue
		}
		if force != nil {
			wanted = force.state
		} else if fires(boundary.Add(-time.Minute), now) && !h.enforced { // which came later, or at the same instant
			continue
		} else if h.enforced && fires(last, now) {
			continue
		}
		if have := states[name] == up; have != (wanted == calendar.Running) {
			wrong = append(wrong, fmt.Sprintf("%s is %s, wanted %s (override %v)", name, states[name], wanted, force != nil))
		}
	}
	return wrong
}
