package workload

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// drawn is a workload, its members and their world as rapid draws them.
func drawn(r *rapid.T, fair bool) (*Workload, *planet, Memory) {
	names := []string{"cache", "db", "queue", "app", "web"}[:rapid.IntRange(1, 5).Draw(r, "tiers")]
	sequenced := rapid.Bool().Draw(r, "sequenced")
	w := &Workload{
		Name: "shop", Enabled: true, Profile: rapid.SampledFrom([]string{"", "big"}).Draw(r, "profile"),
		OnFailure: rapid.SampledFrom([]Failure{Continue, Hold, Undo}).Draw(r, "policy"),
	}
	p := newPlanet()
	memory := Memory{Out: map[string][]Place{}}
	if rapid.Bool().Draw(r, "hooks fail") {
		p.hooks["https://hooks.example/soft"] = Refused
	}
	if !fair && rapid.Bool().Draw(r, "vetoing hooks fail") {
		p.hooks["https://hooks.example/hard"] = Failed
	}
	p.gaps = rapid.IntRange(0, 2).Draw(r, "gaps")
	p.stale = time.Duration(rapid.SampledFrom([]int{0, 0, 5, 20}).Draw(r, "stale")) * time.Second
	for i, name := range names {
		one := tier(name)
		if sequenced {
			start, stop := rapid.IntRange(0, 4).Draw(r, "start"), rapid.IntRange(0, 4).Draw(r, "stop")
			one.Start.Sequence, one.Stop.Sequence = &start, &stop
		} else {
			for _, other := range names[:i] {
				if rapid.Bool().Draw(r, "edge") {
					one.DependsOn = append(one.DependsOn, other)
				}
			}
		}
		if rapid.Bool().Draw(r, "gated") {
			one.Ready = append(one.Ready, Gate{
				Type: rapid.SampledFrom([]GateKind{GateTCP, GateCommand, GateStatusChecks, GateTargetHealth}).Draw(r, "gate"),
				Port: 80, Lines: []string{"true"}, Timeout: 10 * time.Minute, Interval: 10 * time.Second,
			})
			if g := &one.Ready[0]; g.Type != GateTCP {
				g.Port = 0
			} else {
				g.Lines = nil
			}
			if g := &one.Ready[0]; g.Type == GateStatusChecks || g.Type == GateTargetHealth {
				g.Lines = nil
			}
		}
		if rapid.Bool().Draw(r, "vetoed") {
			v := Veto{Type: rapid.SampledFrom([]VetoKind{VetoFile, VetoSessions}).Draw(r, "veto"), Timeout: 3 * time.Minute, Unknown: Keep}
			if v.Type == VetoFile {
				v.Path = "/tmp/StopOverride"
			}
			one.Vetoes = append(one.Vetoes, v)
		}
		one.Balancers = rapid.Bool().Draw(r, "balancers")
		for _, half := range []*Half{&one.Start, &one.Stop} {
			half.Synchronous = rapid.Bool().Draw(r, "synchronous")
			if !half.Synchronous {
				half.AtOnce = rapid.IntRange(0, 2).Draw(r, "at once")
			}
			half.Delay = time.Duration(rapid.IntRange(0, 60).Draw(r, "delay")) * time.Second
			if rapid.Bool().Draw(r, "hook") {
				half.Before = []Hook{{Type: HookWebhook, URL: "https://hooks.example/soft", Timeout: time.Minute, OncePer: PerMember}}
			}
			if rapid.Bool().Draw(r, "hook") {
				half.After = []Hook{{Type: HookWebhook, URL: "https://hooks.example/hard", Timeout: time.Minute, Veto: true}}
			}
		}
		if rapid.Bool().Draw(r, "profiled") || name == names[0] {
			one.Profiles = map[string]string{"big": "c5.large"}
		}
		for n := range rapid.IntRange(1, 3).Draw(r, "members") {
			b := server(name, n, rapid.SampledFrom([]fleet.State{fleet.Running, fleet.Stopped, fleet.Stopping, fleet.Starting}).Draw(r, "state"))
			switch b.State {
			case fleet.Stopping:
				b.next, b.at = fleet.Stopped, at0.Add(40*time.Second)
			case fleet.Starting:
				b.next, b.at = fleet.Running, at0.Add(40*time.Second)
			}
			b.startLag = time.Duration(rapid.IntRange(5, 200).Draw(r, "start lag")) * time.Second
			b.stopLag = time.Duration(rapid.IntRange(5, 200).Draw(r, "stop lag")) * time.Second
			b.opens = time.Duration(rapid.IntRange(0, 120).Draw(r, "opens")) * time.Second
			b.busy = rapid.IntRange(0, 2).Draw(r, "busy")
			b.lost = rapid.SliceOfN(rapid.Bool(), 0, 2).Draw(r, "lost")
			if !fair {
				b.falls = rapid.SampledFrom([]int{0, 0, 1, 5}).Draw(r, "falls")
				b.veto = rapid.IntRange(0, 5).Draw(r, "veto") == 0
				b.silent = rapid.IntRange(0, 7).Draw(r, "silent") == 0
				b.deaf = rapid.SampledFrom([]string{"", "", "", "", "start", "stop", "deregister", "register", "resize"}).Draw(r, "deaf")
				if rapid.IntRange(0, 7).Draw(r, "never opens") == 0 {
					b.opens = -1
				}
				if rapid.IntRange(0, 9).Draw(r, "vanishes") == 0 {
					b.vanishAt = at0.Add(time.Duration(rapid.IntRange(1, 600).Draw(r, "vanishes at")) * time.Second)
				}
			}
			if rapid.Bool().Draw(r, "in a balancer") {
				place := Place{Group: "tg-" + name}
				if b.State == fleet.Stopped && one.Balancers {
					memory.Out[b.Ref.String()] = []Place{place}
				} else {
					b.in[place] = at0
				}
			}
			if rapid.IntRange(0, 9).Draw(r, "bypassed") == 0 {
				b.Tags[fleet.TagBypass] = "true"
			}
			p.bodies = append(p.bodies, b)
		}
		w.Tiers = append(w.Tiers, one)
	}
	return shop2(w), p, memory
}

// shop2 orders the tiers as config does.
func shop2(w *Workload) *Workload {
	ordered := shop(w.Tiers...)
	w.Tiers = ordered.Tiers
	return w
}

// watch notes when a member is moved before those that it waits for are where they should be.
func watch(p *planet, run Run, policy Failure) {
	p.check = func(e Effect) {
		undo := len(e.ID) > len(run.ID)+5 && e.ID[len(run.ID):len(run.ID)+6] == "/undo/"
		if e.Kind != StartMember && e.Kind != StopMember {
			return
		}
		direction, after := run.Direction, run.After
		if undo {
			return // of what is taken back, tests of their own speak
		}
		for _, before := range after[e.Tier] {
			for _, b := range p.bodies {
				if b.Tags["Role"] != before || b.Tags[fleet.TagBypass] != "" || p.gone(b) || policy == Continue {
					continue
				}
				if direction == Start && b.State != fleet.Running || direction == Stop && b.State != fleet.Stopped {
					p.faultf("%s of %s while %s of tier %s is %s", e.Kind, e.Members[0].ID, b.ID, before, b.State)
				}
			}
		}
	}
}

// leftOut finds members that run outside of where they were.
func leftOut(p *planet, run Run, m Memory) {
	left := Remember(m, &run)
	for _, b := range p.bodies {
		if b.State != fleet.Running || p.gone(b) {
			continue
		}
		for place := range b.drains {
			if b.deaf != "register" && !slices.Contains(left.Out[b.Ref.String()], place) {
				p.faultf("%s runs outside of %s, and nobody knows", b.ID, place.Group)
			}
			if b.deaf != "register" && b.busy == 0 {
				p.faultf("%s runs outside of %s after a run that ended %s", b.ID, place.Group, run.Status)
			}
		}
	}
}

func TestAnyRunKeepsTheOrderAndEnds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w, p, memory := drawn(r, false)
		if faults := w.Check(); len(faults) > 0 {
			r.Fatalf("drawn with faults: %+v", faults)
		}
		run, err := Begin(w, Request{ID: "run", Direction: rapid.SampledFrom([]Direction{Start, Stop}).Draw(r, "direction")}, memory, at0)
		if err != nil {
			r.Fatal(err)
		}
		watch(p, run, w.OnFailure)
		for range 3 {
			run = p.play(run)
			if run.Status != StatusHeld {
				break
			}
			switch rapid.IntRange(0, 2).Draw(r, "decide") {
			case 0:
				run, err = Resume(run, "kim", p.now)
			case 1:
				run, err = Cancel(run, "kim", say.Text{}, p.now)
			default:
				run, err = TakeBack(run, "kim", p.now)
			}
			if err != nil {
				r.Fatal(err)
			}
		}
		if run = p.play(run); run.Status == StatusHeld {
			if run, err = Cancel(run, "kim", say.Text{}, p.now); err != nil {
				r.Fatal(err)
			}
			run = p.play(run)
		}
		if !run.Status.Over() {
			p.faultf("it is %s", run.Status)
		}
		leftOut(p, run, memory)
		report(r, p, run)
	})
}

func report(r *rapid.T, p *planet, run Run) {
	for i, fault := range p.faults {
		if i < 3 {
			r.Errorf("%s", fault)
		}
	}
	if len(p.faults) > 0 {
		for _, tr := range run.Tiers {
			r.Logf("%s %s %s %s", tr.Name, tr.Phase, tr.Why, tr.Detail)
			for _, m := range tr.Members {
				r.Logf("  %s %s %s %s %s %s out %v seen %s ended %s", m.ID, m.State, m.Step, m.End, m.Why, m.Detail, m.Out, m.Seen, m.EndedAt)
			}
		}
		r.Fatalf("%s", fmt.Sprint(run.Status, " ", run.Why))
	}
}

func TestInAFairWorldEveryRunIsDone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w, p, memory := drawn(r, true)
		run, err := Begin(w, Request{ID: "run", Direction: rapid.SampledFrom([]Direction{Start, Stop}).Draw(r, "direction")}, memory, at0)
		if err != nil {
			r.Fatal(err)
		}
		watch(p, run, w.OnFailure)
		run = p.play(run)
		if run.Status != StatusDone && run.Status != StatusExceptions {
			p.faultf("it is %s", run.Status)
		}
		want := map[Direction]fleet.State{Start: fleet.Running, Stop: fleet.Stopped}[run.Direction]
		for _, b := range p.bodies {
			if b.Tags[fleet.TagBypass] == "" && b.State != want {
				p.faultf("%s is %s", b.ID, b.State)
			}
		}
		leftOut(p, run, memory)
		report(r, p, run)
	})
}
