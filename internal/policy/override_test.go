package policy

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
)

func TestOverrideText(t *testing.T) {
	until := time.Date(2027, 2, 5, 20, 10, 0, 0, time.FixedZone("", 9*3600))
	filter, err := fleet.ParseFilter("tag:Team=web*")
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Override{
		"running until 2027-02-05T11:10:00Z by kim":                               {State: calendar.Running, Until: until, Author: "kim"},
		"stopped until 2027-02-05T11:10:00Z or the next boundary by kim (a move)": {State: calendar.Stopped, Until: until, Author: "kim", Boundary: true, Reason: "a move"},
		"running until 2027-02-05T11:10:00Z or until it has been reached by kim":  {State: calendar.Running, Until: until, Author: "kim", Once: true},
	} {
		if got := o.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for want, target := range map[string]Target{
		`schedule "office"`:               {Schedule: "office"},
		`filter "tag:Team=web*"`:          {Filter: filter},
		resource("web", nil).Ref.String(): {Resource: resource("web", nil).Ref},
	} {
		if got := target.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// With a boundary, an override ends for each resource where its schedule, moved by its place in the jitter, first wants the opposite.
func TestOverrideEnd(t *testing.T) {
	base := time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		b := book(t)
		b.Schedules["office"].Jitter = time.Duration(rapid.IntRange(0, 90).Draw(rt, "jitter")) * time.Minute
		r := resource(rapid.StringMatching(`i-[0-9a-f]{4}`).Draw(rt, "id"), map[string]string{"Schedule": "office"})
		from := base.Add(time.Duration(rapid.IntRange(0, 14*86_400).Draw(rt, "from")) * time.Second)
		o := &Override{
			ID: "o", Target: Target{Resource: r.Ref}, From: from, Until: from.Add(time.Duration(rapid.IntRange(1, 10*24*60).Draw(rt, "minutes")) * time.Minute),
			State: rapid.SampledFrom([]calendar.State{calendar.Running, calendar.Stopped}).Draw(rt, "state"), Boundary: rapid.Bool().Draw(rt, "boundary"),
		}
		b.Overrides = []*Override{o}
		p := b.Governs(r)
		got, end, ok := p.Override(from, "")
		if !ok || got != o {
			rt.Fatal("not in force when it is made")
		}
		if _, _, early := p.Override(from.Add(-time.Second), ""); early {
			rt.Fatal("in force before it was made")
		}
		if next, soon := p.NextOverride(from.Add(-time.Second)); !soon || !next.Equal(from) {
			rt.Fatalf("comes at %s", next)
		}
		if _, _, over := p.Override(end, ""); over {
			rt.Fatal("in force at its end")
		}
		want := o.Until
		opposite := map[calendar.State]calendar.State{calendar.Running: calendar.Stopped, calendar.Stopped: calendar.Running}[o.State]
		if o.Boundary {
			for at := from; ; {
				boundary, found := p.NextState(at)
				if !found || !boundary.At.Before(o.Until) {
					break
				}
				if boundary.To.State == opposite {
					want = boundary.At
					break
				}
				at = boundary.At
			}
		}
		if !end.Equal(want) {
			rt.Fatalf("%s made at %s ends at %s, want %s", o, from, end, want)
		}
	})
}

func TestOverrideReached(t *testing.T) {
	now := time.Date(2026, 8, 3, 1, 0, 0, 0, time.UTC)
	b := book(t)
	r := resource("web", map[string]string{"Schedule": "off"})
	once := &Override{ID: "kim-1", Target: Target{Schedule: "off"}, State: calendar.Running, From: now, Until: now.Add(time.Hour), Once: true}
	b.Overrides = []*Override{once}
	for reached, want := range map[string]bool{"": true, "kim-1": false, "lee-2 kim-1": false, "kim-12": true, "kim-1 lee-2": false} {
		if _, _, ok := b.Governs(r).Override(now, reached); ok != want {
			t.Errorf("reached %q: in force %v", reached, ok)
		}
	}
	once.Once = false
	if _, _, ok := b.Governs(r).Override(now, "kim-1"); !ok {
		t.Error("one that lasts ended when it was reached")
	}
	for _, tags := range []map[string]string{nil, {"Schedule": " "}, {"Schedule": "off", fleet.TagProtect: "true"}} {
		if _, _, ok := b.Governs(resource("web", tags)).Override(now, ""); ok {
			t.Errorf("in force on %v", tags)
		}
	}
}

// The order does not depend on the order in which the store gives them.
func TestSortOverrides(t *testing.T) {
	now := time.Date(2026, 8, 3, 1, 0, 0, 0, time.UTC)
	filter, err := fleet.ParseFilter("tag:Team=web")
	if err != nil {
		t.Fatal(err)
	}
	ordered := []*Override{
		{ID: "a", Target: Target{Resource: resource("web", nil).Ref}, From: now},
		{ID: "b", Target: Target{Resource: resource("web", nil).Ref}, From: now.Add(-time.Hour)},
		{ID: "z", Target: Target{Schedule: "office"}, From: now},
		{ID: "c", Target: Target{Schedule: "office"}, From: now},
		{ID: "d", Target: Target{Filter: filter}, From: now.Add(time.Hour)},
	}
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.Permutation(ordered).Draw(rt, "order")
		SortOverrides(list)
		if !slices.Equal(list, ordered) {
			rt.Fatalf("%v", list)
		}
	})
}
