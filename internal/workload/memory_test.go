package workload

import (
	"slices"
	"testing"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

func TestForecastIsTheMedianAlongTheOrder(t *testing.T) {
	w := shop(tier("db"), tier("cache"), tier("web", "db", "cache"))
	run := begin(t, w, Start, Memory{})
	if _, known := Forecast(Memory{}, &run, at0); known {
		t.Error("a finish is expected of a workload that never ran")
	}
	var m Memory
	for i := range 12 {
		took := map[string]time.Duration{"db": 10 * time.Minute, "cache": time.Minute, "web": 5 * time.Minute}
		if i == 11 {
			took["db"] = 10 * time.Hour // one slow morning counts for nothing
		}
		m.Past = append(m.Past, Past{Direction: Start, Began: at0.Add(time.Duration(i-20) * 24 * time.Hour), Tiers: took})
	}
	m.Past = append(m.Past, Past{Direction: Stop, Began: at0, Tiers: map[string]time.Duration{"db": time.Hour, "cache": time.Hour, "web": time.Hour}})
	if end, known := Forecast(m, &run, at0); !known || !end.Equal(at0.Add(15*time.Minute)) {
		t.Errorf("expected %v, %v", end, known)
	}
	db := &run.Tiers[slices.IndexFunc(run.Tiers, func(tr TierRun) bool { return tr.Name == "db" })]
	db.Phase, db.Began = PhaseMembers, at0
	if end, _ := Forecast(m, &run, at0.Add(20*time.Minute)); !end.Equal(at0.Add(26 * time.Minute)) {
		t.Errorf("later than usual: expected %s", end)
	}
}

func TestMemoryKeepsTenRunsOfEachDirection(t *testing.T) {
	var m Memory
	for i := range 25 {
		d := []Direction{Start, Stop}[i%2]
		p := newPlanet(server("web", 1, map[Direction]fleet.State{Start: fleet.Stopped, Stop: fleet.Running}[d]))
		p.now = at0.Add(time.Duration(i) * time.Hour)
		run, err := Begin(shop(tier("web")), Request{ID: "run", Direction: d}, m, p.now)
		if err != nil {
			t.Fatal(err)
		}
		run = play(t, p, run)
		m = Remember(Remember(m, &run), &run) // twice counts once
	}
	if len(m.Past) != 2*PastRuns || !m.Past[len(m.Past)-1].Began.Equal(at0.Add(24*time.Hour)) {
		t.Errorf("%d runs are remembered, the last of %s", len(m.Past), m.Past[len(m.Past)-1].Began)
	}
	if took := m.Past[0].Tiers["web"]; took != 30*time.Second {
		t.Errorf("the tier took %s", took)
	}
}

// A stop takes the member out, the next start puts it back where it was, healthy, in time with the state.
func TestOutAtTheStopBackAtTheStart(t *testing.T) {
	web := server("web", 1, fleet.Running)
	place := Place{Group: "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/shop/1", Port: 80}
	web.in[place] = at0
	webs := tier("web")
	webs.Balancers = true
	p := newPlanet(web)
	stop := play(t, p, begin(t, shop(webs), Stop, Memory{}))
	status(t, stop, StatusDone)
	m := Remember(Memory{}, &stop)
	if !slices.Equal(m.Out[web.Ref.String()], []Place{place}) || len(web.in) != 0 {
		t.Fatalf("out are %v, in %v", m.Out, web.in)
	}
	start, err := Begin(shop(webs), Request{ID: "next", Direction: Start}, m, p.now)
	if err != nil {
		t.Fatal(err)
	}
	start = play(t, p, start)
	status(t, start, StatusDone)
	if _, in := web.in[place]; !in || len(Remember(m, &start).Out) != 0 {
		t.Errorf("in %v, still remembered %v", web.in, Remember(m, &start).Out)
	}
	if !slices.Equal(web.hops, []string{"deregister", "stop", "start", "register"}) {
		t.Errorf("what was done: %v", web.hops)
	}
}

func TestOverlapsBetweenTiersAndWorkloads(t *testing.T) {
	db, web, lone := server("db", 1, fleet.Running).Resource, server("web", 1, fleet.Running).Resource, server("lone", 1, fleet.Running).Resource
	first, second := shop(tier("db"), tier("web")), shop(tier("web"))
	everything := tier("all")
	everything.Filter = filter("tag:Role=*")
	everything.Accounts = []fleet.AccountID{"999988887777"} // none of these
	first.Tiers = append(first.Tiers, everything)
	second.Name = "twin"
	got := Overlaps([]*Workload{first, second}, []fleet.Resource{web, lone, db})
	if len(got) != 1 || got[0].Resource.ID != web.ID || !slices.Equal(got[0].Tiers, []Membership{{"shop", "web"}, {"twin", "web"}}) {
		t.Errorf("overlaps: %+v", got)
	}
}

func TestWhoTakesPart(t *testing.T) {
	plain, protected, member, guarded := server("web", 1, fleet.Running).Resource, server("web", 2, fleet.Running).Resource, server("web", 3, fleet.Running).Resource, server("web", 4, fleet.Running).Resource
	protected.Tags[fleet.TagProtect] = "true"
	member.Bar, guarded.Bar = fleet.GroupMember, fleet.StopProtected
	w := shop(tier("web"))
	for d, want := range map[Direction][]Reason{Start: {"", LeftProtected, LeftBarred, ""}, Stop: {"", LeftProtected, LeftBarred, LeftBarred}} {
		l := w.Select(&w.Tiers[0], d, at0, []fleet.Resource{guarded, member, plain, protected, plain}, nil, nil)
		var got []Reason
		for _, c := range l.Members {
			got = append(got, c.Left)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	l := w.Select(&w.Tiers[0], Stop, at0, []fleet.Resource{plain}, nil, func(fleet.Resource) (Reason, say.Text) { return LeftOverridden, say.Raw("kim") })
	if l.Members[0].Left != LeftOverridden {
		t.Errorf("an override of its own: %+v", l.Members[0])
	}
}

// Where members were is known from the last time that their tier was listed whole; a run that ended before that changes nothing.
func TestMemoryKnowsWhereMembersWere(t *testing.T) {
	seoul := fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	member := func(kind fleet.Kind, end End) Member {
		return Member{Ref: fleet.Ref{Scope: seoul, Kind: kind, ID: "x"}, End: end}
	}
	ran := func(tr TierRun) *Run {
		tr.Name = "web"
		return &Run{Direction: Stop, Status: StatusDone, Tiers: []TierRun{tr}}
	}
	m := Remember(Memory{}, ran(TierRun{Phase: PhaseDone, Members: []Member{member(fleet.RDSInstance, EndStopped), member(fleet.EC2Instance, EndStopped), member(fleet.EKSNodegroup, EndGone)}}))
	want := []string{HomeOf(seoul, fleet.EC2Instance), HomeOf(seoul, fleet.RDSInstance)}
	if !slices.Equal(m.Where["web"], want) {
		t.Errorf("they were in %v, want %v", m.Where["web"], want)
	}
	if late := Remember(m, ran(TierRun{Phase: PhaseFailed, FailedIn: PhaseListing, Why: WhyTimeout})); !slices.Equal(late.Where["web"], want) {
		t.Errorf("after a listing that never came: %v", late.Where["web"])
	}
	if empty := Remember(m, ran(TierRun{Phase: PhaseDone, Why: WhyNothing})); len(empty.Where["web"]) != 0 {
		t.Errorf("after a listing of nothing: %v", empty.Where["web"])
	}
}
