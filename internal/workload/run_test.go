package workload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/fleet"
)

var home = fleet.Scope{Account: "111122223333", Region: "eu-central-1"}

// server is an EC2 instance of a role; it takes half a minute to start and to stop, and its port accepts at once.
func server(role string, n int, state fleet.State) *body {
	id := fmt.Sprintf("i-%s%d", role, n)
	return &body{
		Resource: fleet.Resource{
			Ref:   fleet.Ref{Scope: home, Kind: fleet.EC2Instance, ID: id},
			State: state, Native: string(state), Type: "t3.nano", Tags: map[string]string{"Role": role},
		},
		startLag: 30 * time.Second, stopLag: 30 * time.Second, in: map[Place]time.Time{}, drains: map[Place]time.Time{}, ranAt: at0.Add(-time.Hour),
	}
}

func filter(text string) fleet.Filter {
	f, err := fleet.ParseFilter(text)
	if err != nil {
		panic(err)
	}
	return f
}

// tier is a tier of a role with a start and a stop of half an hour each.
func tier(role string, needs ...string) Tier {
	return Tier{Name: role, Filter: filter("tag:Role=" + role), DependsOn: needs, Start: Half{Timeout: 30 * time.Minute}, Stop: Half{Timeout: 30 * time.Minute}}
}

func shop(tiers ...Tier) *Workload {
	slices.SortFunc(tiers, func(a, b Tier) int { return strings.Compare(a.Name, b.Name) })
	return &Workload{Name: "shop", Enabled: true, OnFailure: Hold, Tiers: tiers}
}

func begin(t testing.TB, w *Workload, d Direction, m Memory) Run {
	t.Helper()
	run, err := Begin(w, Request{ID: "20270104T090000.000000Z-00000001", Direction: d, By: "kim"}, m, at0)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// play carries a run out and checks the laws.
func play(t testing.TB, p *planet, run Run) Run {
	t.Helper()
	run = p.play(run)
	for _, fault := range p.faults {
		t.Error(fault)
	}
	return run
}

func status(t testing.TB, run Run, want Status) {
	t.Helper()
	if run.Status != want {
		t.Fatalf("the run is %s (%s), want %s: %v", run.Status, run.Why, want, run.Exceptions())
	}
}

func TestStartInOrder(t *testing.T) {
	db, app, web := server("db", 1, fleet.Stopped), server("app", 1, fleet.Stopped), server("web", 1, fleet.Stopped)
	p := newPlanet(web, app, db)
	run := play(t, p, begin(t, shop(tier("db"), tier("app", "db"), tier("web", "app")), Start, Memory{}))
	status(t, run, StatusDone)
	if !db.ranAt.Before(app.ranAt) || !app.ranAt.Before(web.ranAt) {
		t.Errorf("they ran at %s, %s, %s", db.ranAt, app.ranAt, web.ranAt)
	}
	if took := run.Ended.Sub(run.Began); took > 110*time.Second {
		t.Errorf("three tiers of 30 s each took %s", took)
	}
}

func TestStopInOrder(t *testing.T) {
	db, app, web := server("db", 1, fleet.Running), server("app", 1, fleet.Running), server("web", 1, fleet.Running)
	p := newPlanet(web, app, db)
	run := play(t, p, begin(t, shop(tier("db"), tier("app", "db"), tier("web", "app")), Stop, Memory{}))
	status(t, run, StatusDone)
	if names := []string{run.Tiers[0].Name, run.Tiers[1].Name, run.Tiers[2].Name}; !slices.Equal(names, []string{"web", "app", "db"}) {
		t.Errorf("order %v", names)
	}
}

// A database that accepts TCP 90 s late delays the next tier by 90 s, not by a constant.
func TestAGateDelaysTheNextTierByItsOwnTime(t *testing.T) {
	for _, late := range []time.Duration{0, 90 * time.Second, 4 * time.Minute} {
		db, app := server("db", 1, fleet.Stopped), server("app", 1, fleet.Stopped)
		db.opens = late
		dbs := tier("db")
		dbs.Ready = []Gate{{Type: GateTCP, Port: 5432, Timeout: 10 * time.Minute, Interval: 5 * time.Second}}
		p := newPlanet(db, app)
		run := play(t, p, begin(t, shop(dbs, tier("app", "db")), Start, Memory{}))
		status(t, run, StatusDone)
		took := tierOf(t, run, "app").Began.Sub(db.ranAt)
		if took < late || took > late+8*time.Second {
			t.Errorf("accepting after %s: the next tier began after %s", late, took)
		}
	}
}

func tierOf(t testing.TB, run Run, name string) TierRun {
	t.Helper()
	at := slices.IndexFunc(run.Tiers, func(tr TierRun) bool { return tr.Name == name })
	if at < 0 {
		t.Fatalf("the run has no tier %s", name)
	}
	return run.Tiers[at]
}
