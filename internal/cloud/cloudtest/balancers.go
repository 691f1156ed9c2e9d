package cloudtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// BalancerHarness is what the test of an implementation of cloud.Balancer offers.
type BalancerHarness struct {
	// Open makes a cloud that holds so many running instances and exactly the groups.
	Open func(t *testing.T, instances int, groups []Group) BalancerWorld
	// Within is as in Harness.
	Within func(t *testing.T, body func(t *testing.T))
	// Instant: who is registered is healthy at once, and who is taken out is out.
	Instant bool
	// Except is as in Harness.
	Except map[string]string
}

// Group is a target group or Classic load balancer to be made.
type Group struct {
	Name    string
	Classic bool
	Idle    bool  // nothing sends traffic to it
	Members []int // numbers of instances, from 0, on port 80
}

// BalancerWorld is a cloud under examination.
type BalancerWorld struct {
	cloud.Balancer
	Scope fleet.Scope
	IDs   []string
	// Groups are the names by which the contract knows the groups, in the order given.
	Groups []string
	Pass   func(time.Duration)
	// Halt stops an instance and waits until it is.
	Halt func(id string)
}

// member is the place of an instance in a group.
func (w BalancerWorld) member(groups []Group, group, instance int) cloud.Membership {
	m := cloud.Membership{Instance: w.IDs[instance], Group: w.Groups[group], Classic: groups[group].Classic}
	if !m.Classic {
		m.Port = 80
	}
	return m
}

// longestDrain is longer than any group here drains for.
const longestDrain = 10 * time.Minute

// ExerciseBalancer examines an implementation of cloud.Balancer.
func ExerciseBalancer(t *testing.T, h BalancerHarness) {
	examine(t, h.Within, h.Except, func(t *testing.T) *balancerExam { return &balancerExam{T: t, BalancerHarness: h, ctx: t.Context()} }, []trial[balancerExam]{
		{"memberships are found in every sort of group", (*balancerExam).memberships},
		{"who is taken out of a target group drains and is out, who is put in becomes healthy", func(e *balancerExam) { e.drain(0) }},
		{"who is taken out of a Classic load balancer drains and is out, who is put in becomes healthy", func(e *balancerExam) { e.drain(2) }},
		{"doing it twice is as doing it once", (*balancerExam).twice},
		{"with a group that is gone everybody is out", (*balancerExam).gone},
		{"a member that is not taken is named and the others are in", (*balancerExam).badMember},
		{"where nothing sends traffic members are unused", (*balancerExam).unused},
		{"many groups are all looked at", (*balancerExam).manyGroups},
		{"many members are all moved", (*balancerExam).manyMembers},
		{"what is not configured is invalid", (*balancerExam).strangers},
		{"who gives up stops waiting", (*balancerExam).givingUp},
		{"what is not permitted is not done", (*balancerExam).notPermitted},
	})
}

type balancerExam struct {
	*testing.T
	BalancerHarness
	BalancerWorld
	ctx    context.Context
	groups []Group
}

func (e *balancerExam) open(instances int, groups ...Group) {
	e.Helper()
	e.groups = groups
	e.BalancerWorld = e.Open(e.T, instances, groups)
}

func (e *balancerExam) wantStanding(when string, members []cloud.Membership, want ...cloud.StandingState) {
	e.Helper()
	standing, err := e.Standing(e.ctx, e.Scope, members)
	if err != nil {
		e.Fatalf("%s: %v", when, err)
	}
	got := make([]cloud.StandingState, len(standing))
	for i, s := range standing {
		got[i] = s.State
	}
	for len(want) > 0 && len(want) < len(members) {
		want = append(want, want[0])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("%s: %s %v", when, diff, standing)
	}
}

func (e *balancerExam) wantMemberships(when string, ids []string, want ...cloud.Membership) {
	e.Helper()
	got, err := e.Memberships(e.ctx, e.Scope, ids)
	if err != nil {
		e.Fatalf("%s: %v", when, err)
	}
	slices.SortFunc(want, func(a, b cloud.Membership) int {
		return strings.Compare(a.Instance+" "+a.Group, b.Instance+" "+b.Group)
	})
	if len(got)+len(want) > 0 {
		if diff := cmp.Diff(want, got); diff != "" {
			e.Errorf("%s: %s", when, diff)
		}
	}
}

// shop is an ordinary account.
func shop() []Group {
	return []Group{{Name: "web", Members: []int{0, 1, 2}}, {Name: "api", Members: []int{1}}, {Name: "old", Classic: true, Members: []int{0, 1}}, {Name: "empty"}}
}

func (e *balancerExam) memberships() {
	e.open(4, shop()...)
	of := func(group, instance int) cloud.Membership { return e.member(e.groups, group, instance) }
	e.wantMemberships("one in all", e.IDs[1:2], of(0, 1), of(1, 1), of(2, 1))
	e.wantMemberships("some", []string{e.IDs[2], e.IDs[0], e.IDs[0]}, of(0, 0), of(2, 0), of(0, 2))
	e.wantMemberships("one in none", e.IDs[3:])
	e.wantMemberships("no id", nil)
}

// drain takes all but the last member of a group of the shop out and puts them in again.
func (e *balancerExam) drain(group int) {
	e.open(3, shop()...)
	var members []cloud.Membership
	for _, instance := range e.groups[group].Members {
		members = append(members, e.member(e.groups, group, instance))
	}
	last := len(members) - 1
	stays, members := members[last], members[:last]
	e.wantStanding("before", members, cloud.StandingHealthy)
	if err := e.Deregister(e.ctx, e.Scope, members); err != nil {
		e.Fatal(err)
	}
	if !e.Instant {
		e.wantStanding("taken out", members, cloud.StandingDraining)
	}
	got, err := e.Memberships(e.ctx, e.Scope, []string{members[0].Instance, stays.Instance})
	if err != nil || slices.Contains(got, members[0]) || !slices.Contains(got, stays) {
		e.Errorf("who is being drained is no member, who stays is one: %v %v", got, err)
	}
	e.Pass(longestDrain)
	e.wantStanding("drained", members, cloud.StandingOut)
	e.wantStanding("who stays", []cloud.Membership{stays}, cloud.StandingHealthy)
	if err := e.Register(e.ctx, e.Scope, members); err != nil {
		e.Fatal(err)
	}
	if !e.Instant {
		e.wantStanding("put in", members, cloud.StandingInitial)
	}
	e.Pass(5 * time.Minute)
	e.wantStanding("in", members, cloud.StandingHealthy)
}

func (e *balancerExam) twice() {
	e.open(3, shop()...)
	all := []cloud.Membership{e.member(e.groups, 0, 0), e.member(e.groups, 2, 0), e.member(e.groups, 0, 0)}
	for range 2 {
		if err := e.Deregister(e.ctx, e.Scope, all); err != nil {
			e.Error(err)
		}
	}
	e.Pass(longestDrain)
	if err := e.Deregister(e.ctx, e.Scope, all); err != nil {
		e.Errorf("of those that are out: %v", err)
	}
	e.wantStanding("out", all, cloud.StandingOut)
	for range 2 {
		if err := e.Register(e.ctx, e.Scope, all); err != nil {
			e.Error(err)
		}
	}
	e.wantMemberships("back", e.IDs[:1], all[:2]...)
	e.Pass(5 * time.Minute)
	if err := e.Register(e.ctx, e.Scope, all); err != nil {
		e.Errorf("of those that are in: %v", err)
	}
	e.wantStanding("in", all, cloud.StandingHealthy)
}

func (e *balancerExam) gone() {
	e.open(2, shop()[2:]...)
	ghosts := []cloud.Membership{
		{Instance: e.IDs[0], Group: e.Groups[1][:len(e.Groups[1])-4] + "0000", Port: 80},
		{Instance: e.IDs[0], Group: "ghost", Classic: true},
	}
	e.wantStanding("ghosts", ghosts, cloud.StandingOut)
	if err := e.Deregister(e.ctx, e.Scope, ghosts); err != nil {
		e.Errorf("taken out of what is gone: %v", err)
	}
	mine := e.member(e.groups, 1, 1)
	if err := e.Register(e.ctx, e.Scope, append(ghosts, mine)); !errors.Is(err, cloud.ErrNotFound) {
		e.Errorf("put into what is gone: %v", err)
	}
	e.wantMemberships("the others are in all the same", e.IDs[1:], e.member(e.groups, 0, 1), mine)
}

func (e *balancerExam) badMember() {
	e.open(3, Group{Name: "web", Members: []int{0}})
	e.Halt(e.IDs[1])
	err := e.Register(e.ctx, e.Scope, []cloud.Membership{e.member(e.groups, 0, 2), e.member(e.groups, 0, 1)})
	var members *cloud.MemberError
	if !errors.As(err, &members) || !slices.Equal(members.IDs, e.IDs[1:2]) || !errors.Is(err, cloud.ErrWrongState) {
		e.Errorf("one that is stopped: %v", err)
	}
	e.wantMemberships("the others", []string{e.IDs[1], e.IDs[2]}, e.member(e.groups, 0, 2))
}

func (e *balancerExam) unused() {
	e.open(1, Group{Name: "idle", Idle: true, Members: []int{0}})
	e.wantStanding("idle", []cloud.Membership{e.member(e.groups, 0, 0)}, cloud.StandingUnused)
}

func (e *balancerExam) manyGroups() {
	groups := make([]Group, 450) // a page has 400
	for i := range groups {
		groups[i] = Group{Name: "g-" + strings.Repeat("x", i/26) + string(rune('a'+i%26)), Classic: i%3 == 0, Members: []int{0}}
	}
	e.open(1, groups...)
	got, err := e.Memberships(e.ctx, e.Scope, e.IDs)
	if err != nil || len(got) != len(groups) {
		e.Errorf("%d of %d: %v", len(got), len(groups), err)
	}
}

func (e *balancerExam) manyMembers() {
	var all []int
	for i := range 450 {
		all = append(all, i)
	}
	e.open(len(all), Group{Name: "web", Members: all}, Group{Name: "old", Classic: true, Members: all})
	members, err := e.Memberships(e.ctx, e.Scope, e.IDs)
	if err != nil || len(members) != 2*len(all) {
		e.Fatalf("%d members: %v", len(members), err)
	}
	if err := e.Deregister(e.ctx, e.Scope, members); err != nil {
		e.Fatal(err)
	}
	e.wantMemberships("all are out", e.IDs)
	if err := e.Register(e.ctx, e.Scope, members); err != nil {
		e.Fatal(err)
	}
	e.Pass(5 * time.Minute)
	e.wantStanding("all are in", members, cloud.StandingHealthy)
}

func (e *balancerExam) strangers() {
	e.open(1, Group{Name: "web", Members: []int{0}})
	elsewhere := e.Scope
	elsewhere.Region = "sa-east-1"
	if _, err := e.Memberships(e.ctx, elsewhere, e.IDs); !errors.Is(err, cloud.ErrInvalid) {
		e.Errorf("memberships: %v", err)
	}
	if err := e.Register(e.ctx, elsewhere, []cloud.Membership{e.member(e.groups, 0, 0)}); !errors.Is(err, cloud.ErrInvalid) {
		e.Errorf("register: %v", err)
	}
}

func (e *balancerExam) givingUp() {
	e.open(1, Group{Name: "web", Members: []int{0}})
	mine := []cloud.Membership{e.member(e.groups, 0, 0)}
	cancelled, cancel := context.WithCancel(e.ctx)
	cancel()
	if err := e.Deregister(cancelled, e.Scope, mine); !errors.Is(err, context.Canceled) {
		e.Errorf("deregister: %v", err)
	}
	if _, err := e.Standing(cancelled, e.Scope, mine); !errors.Is(err, context.Canceled) {
		e.Errorf("standing: %v", err)
	}
	e.wantStanding("nothing was done", mine, cloud.StandingHealthy)
}

func (e *balancerExam) notPermitted() {
	e.open(1, Group{Name: "web", Members: []int{0}}, Group{Name: "old", Classic: true, Members: []int{0}})
	both := []cloud.Membership{e.member(e.groups, 0, 0), e.member(e.groups, 1, 0)}
	late := cloud.WithPermit(e.ctx, func() error { return errors.New("the lease has ended") })
	if err := e.Deregister(late, e.Scope, both); !errors.Is(err, cloud.ErrNotPermitted) {
		e.Errorf("deregister: %v", err)
	}
	e.wantStanding("nothing was done", both, cloud.StandingHealthy)
}
