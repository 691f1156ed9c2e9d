package workload

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// faults are what Check says of a workload, a line each.
func faults(w *Workload) string {
	var lines []string
	for _, f := range w.Check() {
		lines = append(lines, strings.TrimSpace(f.Path+": "+f.Text+" "+f.Problem.String()))
	}
	return strings.Join(lines, "\n")
}

// A cycle of tiers, an unknown tier and a tier that waits for itself are refused, the cycle with its path.
func TestFault45CycleUnknownSelf(t *testing.T) {
	for name, c := range map[string]struct {
		tiers []Tier
		want  string
	}{
		"cycle":          {[]Tier{tier("a", "c"), tier("b", "a"), tier("c", "b")}, "a → c → b → a"},
		"cycle of two":   {[]Tier{tier("a", "b"), tier("b", "a")}, "a → b → a"},
		"behind a cycle": {[]Tier{tier("z"), tier("a", "b"), tier("b", "c"), tier("c", "b")}, "b → c → b"},
		"unknown":        {[]Tier{tier("a"), tier("b", "aa")}, "tiers.b.depends_on[0]: aa is not a tier of the workload"},
		"self":           {[]Tier{tier("a", "a")}, "is the tier itself"},
		"no tier":        {nil, "there are none"},
		"twice":          {[]Tier{tier("a"), tier("a")}, "is the name of another tier too"},
		"no filter":      {[]Tier{{Name: "a", Start: Half{Timeout: time.Hour}, Stop: Half{Timeout: time.Hour}}}, "tiers.a.filters"},
	} {
		if got := faults(shop(c.tiers...)); !strings.Contains(got, c.want) {
			t.Errorf("%s: Check says %q, want %q", name, got, c.want)
		}
	}
	stops := shop(tier("a"), tier("b"))
	stops.Tiers[0].StopDependsOn, stops.Tiers[1].StopDependsOn = []string{"b"}, []string{"a"}
	if got := faults(stops); !strings.Contains(got, "tiers.a.stop_depends_on[0]") || !strings.Contains(got, "a → b → a") {
		t.Errorf("a circle of the stop alone: %q", got)
	}
}

// The old system's cycle started nothing and said nothing: a run of one does not even begin.
func TestPeers15ACycleIsNeverSilent(t *testing.T) {
	_, err := Begin(shop(tier("a", "b"), tier("b", "a")), Request{ID: "run", Direction: Start}, Memory{}, at0)
	if err == nil || !strings.Contains(err.Error(), "a → b → a") {
		t.Errorf("it began: %v", err)
	}
}

// A member that never runs ends in the policy, and later tiers are not touched (but with continue).
func TestFault46NeverRuns(t *testing.T) {
	for policy, want := range map[Failure]struct {
		status Status
		app    fleet.State
		cache  fleet.State
	}{
		Hold:     {StatusHeld, fleet.Stopped, fleet.Running},
		Continue: {StatusFailed, fleet.Running, fleet.Running},
		Undo:     {StatusUndone, fleet.Stopped, fleet.Stopped},
	} {
		cache, db, app := server("cache", 1, fleet.Stopped), server("db", 1, fleet.Stopped), server("app", 1, fleet.Stopped)
		db.startLag = 45 * time.Minute
		w := shop(tier("cache"), tier("db", "cache"), tier("app", "db"))
		w.OnFailure = policy
		p := newPlanet(cache, db, app)
		run := play(t, p, begin(t, w, Start, Memory{}))
		status(t, run, want.status)
		if app.State != want.app || cache.State != want.cache {
			t.Errorf("%s: app is %s, cache %s", policy, app.State, cache.State)
		}
		if m := tierOf(t, run, "db").Members[0]; m.End != EndFailed || m.Why != WhyTimeout || m.EndedAt.Sub(tierOf(t, run, "db").Began) != 30*time.Minute {
			t.Errorf("%s: the database is %s (%s), after %s", policy, m.End, m.Why, m.EndedAt.Sub(at0))
		}
		if !slices.ContainsFunc(p.told, func(m Message) bool { return m.About == ToldFailed && strings.Contains(m.Text.String(), "tier db") }) {
			t.Errorf("%s: people were told %v", policy, p.told)
		}
	}
}

// A gate that never passes ends in the policy as well.
func TestFault46NeverReady(t *testing.T) {
	db, app := server("db", 1, fleet.Stopped), server("app", 1, fleet.Stopped)
	db.opens = -1
	dbs := tier("db")
	dbs.Ready = []Gate{{Type: GateTCP, Port: 5432, Timeout: 5 * time.Minute, Interval: 5 * time.Second}}
	p := newPlanet(db, app)
	run := play(t, p, begin(t, shop(dbs, tier("app", "db")), Start, Memory{}))
	status(t, run, StatusHeld)
	if m := tierOf(t, run, "db").Members[0]; m.Why != WhyGate || app.State != fleet.Stopped {
		t.Errorf("the database: %s %s, app is %s", m.Why, m.Detail, app.State)
	}
	// What failed is tried again from its gate: it is not started a second time.
	db.opens = 0
	run, err := Resume(run, "kim", p.now)
	if err != nil {
		t.Fatal(err)
	}
	run = play(t, p, run)
	status(t, run, StatusDone)
	if !slices.Equal(db.hops, []string{"start"}) {
		t.Errorf("what was done with the database: %v", db.hops)
	}
}

// The stop goes the other way round, and a crash between any two steps changes nothing.
func TestFault47StopIsTheReverse(t *testing.T) {
	var order []string
	p := newPlanet(server("db", 1, fleet.Running), server("app", 1, fleet.Running), server("web", 1, fleet.Running), server("web", 2, fleet.Running))
	p.check = func(e Effect) {
		if e.Kind == StopMember {
			order = append(order, e.Tier)
		}
	}
	status(t, play(t, p, begin(t, shop(tier("db"), tier("app", "db"), tier("web", "app")), Stop, Memory{})), StatusDone)
	if !slices.Equal(order, []string{"web", "web", "app", "db"}) {
		t.Errorf("stopped in the order %v", order)
	}
}

func TestFault49Overlap(t *testing.T) {
	start := begin(t, shop(tier("db")), Start, Memory{})
	held, over, cancelling := start, start, start
	held.Status, over.Status, cancelling.Status = StatusHeld, StatusDone, StatusCancelling
	stop, again := Request{Direction: Stop}, Request{Direction: Start}
	for name, c := range map[string]struct {
		policy  Overlap
		present *Run
		asked   Request
		want    Verdict
	}{
		"nothing is under way":            {Skip, nil, stop, BeginNow},
		"the last one is over":            {Skip, &over, stop, BeginNow},
		"the same":                        {Queue, &start, again, JoinIt},
		"skip":                            {Skip, &start, stop, SkipIt},
		"no policy means skip":            {"", &start, stop, SkipIt},
		"queue":                           {Queue, &start, stop, WaitForIt},
		"replace":                         {Replace, &start, stop, CancelIt},
		"replace what is being cancelled": {Replace, &cancelling, stop, WaitForIt},
		"a held run is under way":         {Skip, &held, again, SkipIt},
		"a held run can be replaced":      {Replace, &held, stop, CancelIt},
		"another profile is not the same": {Skip, &start, Request{Direction: Start, Profile: "big"}, SkipIt},
	} {
		got, why := Overlapping(c.policy, c.present, c.asked)
		if got != c.want || why.Empty() != (got == BeginNow) {
			t.Errorf("%s: %s (%s), want %s", name, got, why, c.want)
		}
	}
}

// TierSequence was an index into an array: of two equal ones one was dropped, and a gap was an error.
func TestPeers14SequencesAreNumbersNotPlaces(t *testing.T) {
	w := shop(tier("db"), tier("cache"), tier("web"), tier("app"))
	for name, n := range map[string]int{"db": 0, "cache": 0, "app": 10, "web": 400} {
		w.Tier(name).Start.Sequence = new(n)
	}
	for name, n := range map[string]int{"db": 7, "cache": 3, "app": 3, "web": 0} {
		w.Tier(name).Stop.Sequence = new(n)
	}
	if got := faults(w); got != "" {
		t.Fatal(got)
	}
	_, start := w.Order(Start)
	_, stop := w.Order(Stop)
	for name, want := range map[string][2][]string{"db": {nil, {"app", "cache"}}, "cache": {nil, {"web"}}, "app": {{"cache", "db"}, {"web"}}, "web": {{"app"}, nil}} {
		if !slices.Equal(start[name], want[0]) || !slices.Equal(stop[name], want[1]) {
			t.Errorf("%s starts after %v and stops after %v, want %v", name, start[name], stop[name], want)
		}
	}
	p := newPlanet(server("db", 1, fleet.Stopped), server("cache", 1, fleet.Stopped), server("app", 1, fleet.Stopped), server("web", 1, fleet.Stopped))
	run := play(t, p, begin(t, w, Start, Memory{}))
	status(t, run, StatusDone)
	if a, b := tierOf(t, run, "db"), tierOf(t, run, "cache"); !a.Began.Equal(b.Began) {
		t.Error("equal numbers did not begin side by side")
	}
}

// Every tier needed both directions; a sequence in one direction alone orders the other too.
func TestPeers14AStopWithoutNumbersIsTheStartReversed(t *testing.T) {
	w := shop(tier("db"), tier("web"))
	w.Tier("db").Start.Sequence, w.Tier("web").Start.Sequence = new(0), new(2)
	if _, stop := w.Order(Stop); !slices.Equal(stop["db"], []string{"web"}) || stop["web"] != nil {
		t.Errorf("the stop is %v", stop)
	}
	w.Tier("web").Start.Sequence = nil
	if got := faults(w); !strings.Contains(got, "tiers.web:  has no start.sequence") {
		t.Errorf("a number that is missing: %q", got)
	}
}

// Omitting TierSynchronization crashed; synchronous waited for every instance of the region, and for starts not at all.
func TestPeers14Synchronous(t *testing.T) {
	for _, d := range []Direction{Start, Stop} {
		for _, synchronous := range []bool{false, true} {
			from := map[Direction]fleet.State{Start: fleet.Stopped, Stop: fleet.Running}[d]
			stranger := server("other", 1, fleet.Running) // of the same region and no concern of the run
			p := newPlanet(server("web", 1, from), server("web", 2, from), server("web", 3, from), stranger)
			moving, most := 0, 0
			p.check = func(Effect) {
				moving = 0
				for _, b := range p.bodies {
					if b.next != "" {
						moving++
					}
				}
				most = max(most, moving+1)
			}
			w := shop(tier("web"))
			w.Tiers[0].Half(d).Synchronous = synchronous
			status(t, play(t, p, begin(t, w, d, Memory{})), StatusDone)
			if want := map[bool]int{true: 1, false: 3}[synchronous]; most != want {
				t.Errorf("%s, synchronous %v: %d at once, want %d", d, synchronous, most, want)
			}
		}
	}
}

// One that was still stopping was missed for the day.
func TestPeers14StillStoppingIsWaitedFor(t *testing.T) {
	web := server("web", 1, fleet.Stopping)
	web.next, web.at = fleet.Stopped, at0.Add(3*time.Minute)
	p := newPlanet(web)
	status(t, play(t, p, begin(t, shop(tier("web")), Start, Memory{})), StatusDone)
	if web.State != fleet.Running {
		t.Errorf("it is %s", web.State)
	}
	late := server("web", 1, fleet.Starting)
	late.next, late.at = fleet.Running, at0.Add(3*time.Minute)
	status(t, play(t, newPlanet(late), begin(t, shop(tier("web")), Stop, Memory{})), StatusDone)
	if late.State != fleet.Stopped {
		t.Errorf("it is %s", late.State)
	}
}

// An error of one call ended the whole run, and half of the tiers stayed down.
func TestPeers14OneErrorDoesNotEndTheRun(t *testing.T) {
	bad, good, app := server("web", 1, fleet.Stopped), server("web", 2, fleet.Stopped), server("zapp", 1, fleet.Stopped)
	bad.deaf = "resize"
	webs := tier("web")
	webs.Profiles = map[string]string{"big": "c5.large"}
	w := shop(webs, tier("zapp", "web"))
	w.Profile = "big"
	p := newPlanet(bad, good, app)
	run := play(t, p, begin(t, w, Start, Memory{}))
	status(t, run, StatusExceptions)
	if bad.State != fleet.Running || bad.Type != "t3.nano" || good.Type != "c5.large" || app.State != fleet.Running {
		t.Errorf("the refused one is %s as %s, the other %s, the next tier %s", bad.State, bad.Type, good.Type, app.State)
	}
	if e := run.Exceptions(); len(e) != 1 || e[0].Why != WhyOtherType {
		t.Errorf("exceptions: %v", e)
	}
}

// A throttle at re-registering left an instance out of the load balancer and never started it.
func TestPeers14AThrottleLeavesNobodyOut(t *testing.T) {
	web := server("web", 1, fleet.Stopped)
	web.busy = 6
	webs := tier("web")
	webs.Balancers = true
	place := Place{Group: "shop", Classic: true}
	p := newPlanet(web)
	run := play(t, p, begin(t, shop(webs), Start, Memory{Out: map[string][]Place{web.Ref.String(): {place}}}))
	status(t, run, StatusDone)
	if _, in := web.in[place]; !in || web.State != fleet.Running {
		t.Errorf("it is %s, in %v", web.State, web.in)
	}
	if m := Remember(run.Memory, &run); len(m.Out) != 0 {
		t.Errorf("remembered as out: %v", m.Out)
	}
}

// The delay was waited after the last tier, and after empty ones.
func TestPeers14NoDelayWithoutAReason(t *testing.T) {
	w := shop(tier("db"), tier("web", "db"))
	for i := range w.Tiers {
		w.Tiers[i].Start.Delay, w.Tiers[i].Stop.Delay = time.Hour, time.Hour
	}
	p := newPlanet(server("db", 1, fleet.Running), server("web", 1, fleet.Stopped)) // nothing is to be done in db
	run := play(t, p, begin(t, w, Start, Memory{}))
	status(t, run, StatusDone)
	if took := run.Ended.Sub(run.Began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// A dependency on an empty group counted as running.
func TestPeers15AnEmptyTierIsNotRunning(t *testing.T) {
	app := server("app", 1, fleet.Stopped)
	run := play(t, newPlanet(app), begin(t, shop(tier("db"), tier("app", "db")), Start, Memory{}))
	status(t, run, StatusHeld)
	if tr := tierOf(t, run, "db"); tr.Why != WhyNothing || app.State != fleet.Stopped {
		t.Errorf("db: %s %s; app is %s", tr.Phase, tr.Why, app.State)
	}
	if got := shop(tier("db"), tier("app", "db")).Empty([]fleet.Resource{app.Resource}); !slices.Equal(got, []string{"db"}) {
		t.Errorf("empty are %v", got)
	}
}

// The stop took all groups at once.
func TestPeers15AStopGoesTierByTier(t *testing.T) {
	db, app := server("db", 1, fleet.Running), server("app", 1, fleet.Running)
	app.stopLag = 10 * time.Minute
	p := newPlanet(db, app)
	p.check = func(e Effect) {
		if e.Kind == StopMember && e.Tier == "db" && app.State != fleet.Stopped {
			p.faultf("db is stopped while app is %s", app.State)
		}
	}
	status(t, play(t, p, begin(t, shop(tier("db"), tier("app", "db")), Stop, Memory{})), StatusDone)
}

// A web server that stays needs its database; what does not is stopped.
func TestAVetoKeepsWhatItNeeds(t *testing.T) {
	db, web, other, batch := server("db", 1, fleet.Running), server("web", 1, fleet.Running), server("web", 2, fleet.Running), server("batch", 1, fleet.Running)
	web.veto = true
	webs := tier("web", "db")
	webs.Vetoes = []Veto{{Type: VetoFile, Path: "/tmp/StopOverride", Timeout: 3 * time.Minute}}
	p := newPlanet(db, web, other, batch)
	run := play(t, p, begin(t, shop(tier("db"), webs, tier("batch")), Stop, Memory{}))
	status(t, run, StatusExceptions)
	if db.State != fleet.Running || web.State != fleet.Running || other.State != fleet.Stopped || batch.State != fleet.Stopped {
		t.Errorf("db %s, web %s and %s, batch %s", db.State, web.State, other.State, batch.State)
	}
	if tr := tierOf(t, run, "db"); tr.Phase != PhaseKept || tr.Why != WhyNeeded || !strings.Contains(tr.Detail.String(), "i-web1") {
		t.Errorf("db: %s %s %s", tr.Phase, tr.Why, tr.Detail)
	}
	// Kept for longer than the limit, stop after stop, it is stopped and people are told.
	webs.Vetoes[0].Limit = 4 * time.Hour
	m := Remember(Memory{}, &run)
	p.now = p.now.Add(5 * time.Hour)
	again, err := Begin(shop(tier("db"), webs, tier("batch")), Request{ID: "20270104T150000.000000Z-00000002", Direction: Stop}, m, p.now)
	if err != nil {
		t.Fatal(err)
	}
	again = play(t, p, again)
	if web.State != fleet.Stopped || db.State != fleet.Stopped || !slices.ContainsFunc(p.told, func(m Message) bool { return m.About == ToldForced }) {
		t.Errorf("after the limit web is %s, db %s (%s)", web.State, db.State, again.Status)
	}
	if m := Remember(m, &again); len(m.Kept) != 0 {
		t.Errorf("still remembered as kept: %v", m.Kept)
	}
}

// All members are asked at once and bounded: 60 silent agents cost one time-out, not sixty.
func TestFault48SilentAgents(t *testing.T) {
	var bodies []*body
	for n := range 60 {
		b := server("web", n, fleet.Running)
		b.silent = true
		bodies = append(bodies, b)
	}
	webs := tier("web")
	webs.Vetoes = []Veto{{Type: VetoFile, Path: "/tmp/StopOverride", Timeout: 3 * time.Minute}}
	p := newPlanet(bodies...)
	run := play(t, p, begin(t, shop(webs), Stop, Memory{}))
	status(t, run, StatusExceptions)
	if took := tierOf(t, run, "web").Ended.Sub(run.Began); took > 4*time.Minute {
		t.Errorf("it took %s", took)
	}
	if m := tierOf(t, run, "web").Members[0]; m.End != EndKept || m.Why != WhyUnanswered || len(p.called) != 2 {
		t.Errorf("%s %s, asked with %d commands", m.End, m.Why, len(p.called))
	}
}

func TestABypassedMemberStaysAndTheRestGoesOn(t *testing.T) {
	flagged, db := server("web", 1, fleet.Running), server("db", 1, fleet.Running)
	flagged.Tags[fleet.TagBypass] = "True"
	second, third := server("web", 2, fleet.Running), server("web", 3, fleet.Running)
	webs := tier("web", "db")
	webs.Bypass = filter("instance-id=i-web2")
	run := play(t, newPlanet(flagged, second, third, db), begin(t, shop(webs, tier("db")), Stop, Memory{}))
	status(t, run, StatusDone)
	if flagged.State != fleet.Running || second.State != fleet.Running || third.State != fleet.Stopped || db.State != fleet.Stopped {
		t.Errorf("%s %s %s, db %s", flagged.State, second.State, third.State, db.State)
	}
}

func TestTheKillSwitchEndsARun(t *testing.T) {
	w := shop(tier("web"))
	w.Enabled = false
	if _, err := Begin(w, Request{ID: "run", Direction: Start}, Memory{}, at0); err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("it began: %v", err)
	}
	w.Enabled = true
	run, _ := Advance(begin(t, w, Start, Memory{}), World{}, at0)
	run, _ = Advance(run, World{Halt: say.Raw("workload shop is switched off")}, at0.Add(time.Minute))
	if run.Status != StatusCancelled || !strings.Contains(run.Why.String(), "switched off") {
		t.Errorf("it is %s: %s", run.Status, run.Why)
	}
}

// TestUndoRestores: whatever a run did before it was undone, everything is as it was: states, types, load balancers.
func TestUndoRestores(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w, p, memory := drawn(r, true)
		w.OnFailure = Hold
		type was struct {
			state fleet.State
			kind  string
			in    int // registered, or remembered to be put back by the next start
		}
		before := map[fleet.Ref]was{}
		for _, b := range p.bodies {
			if b.next != "" { // where it is on its way to is where it would have been without the run
				b.State, b.next = b.next, ""
			}
			before[b.Ref] = was{b.State, b.Type, len(b.in) + len(memory.Out[b.Ref.String()])}
		}
		run, err := Begin(w, Request{ID: "run", Direction: rapid.SampledFrom([]Direction{Start, Stop}).Draw(r, "direction")}, memory, at0)
		if err != nil {
			r.Fatal(err)
		}
		run = p.until(run, at0.Add(time.Duration(rapid.IntRange(0, 600).Draw(r, "undone after"))*time.Second))
		if run.Status.Over() {
			return
		}
		if run, err = TakeBack(run, "kim", p.now); err != nil {
			r.Fatal(err)
		}
		if run = p.play(run); run.Status != StatusUndone {
			p.faultf("it is %s", run.Status)
		}
		after := Remember(memory, &run)
		for _, b := range p.bodies {
			if now := (was{b.State, b.Type, len(b.in) + len(after.Out[b.Ref.String()])}); now != before[b.Ref] {
				p.faultf("%s was %+v and is %+v", b.ID, before[b.Ref], now)
			}
		}
		report(r, p, run)
	})
}
