// Package kindtest examines what is told of each kind by what a channel can choose: whoever makes events of a kind has the table
// here checked in the tests that make them.
package kindtest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
)

// By is by what an event can be chosen.
type By struct {
	// Schedule and Workload: it names one, where what it is about has one.
	Schedule, Workload bool
	// Account: it names an account and a region. Resource: it names a resource too, or tags.
	Account, Resource bool
}

// Carried is what the events of each kind carry.
var Carried = map[notify.Kind]By{
	notify.ConfigWaits:   {},
	notify.ConfigRefused: {},
	notify.Silent:        {},
	notify.SilentOver:    {},
	notify.ConfigChanged: {Schedule: true, Workload: true},

	notify.Gap:        {Account: true},
	notify.GapClosed:  {Account: true},
	notify.RuleMissed: {Workload: true, Account: true, Resource: true},

	notify.Held:         ofResource,
	notify.Failed:       ofResource,
	notify.Shortage:     ofResource,
	notify.ShortageOver: ofResource,
	notify.NewResource:  ofResource,
	notify.Changing:     ofResource,
	notify.Stopping:     ofResource,
	notify.Stopped:      ofResource,
	notify.Starting:     ofResource,
	notify.Ready:        ofResource,

	notify.StopWarning:      ofEither,
	notify.OverrideBegan:    ofEither,
	notify.OverrideEndsSoon: ofEither,
	notify.OverrideEnded:    ofEither,

	notify.ReservationReached:  ofResource,
	notify.ReservationShort:    ofResource,
	notify.ReservationIdle:     ofResource,
	notify.ReservationReleased: ofResource,
	notify.ReservationFailed:   ofResource,

	notify.WorkloadFailed: ofEither,
	notify.Veto:           ofEither,
	notify.WorkloadKept:   ofEither,
	notify.WorkloadRun:    ofEither,
}

// What is told of single resources, and of these or workloads.
var (
	ofResource = By{Schedule: true, Account: true, Resource: true}
	ofEither   = By{Schedule: true, Workload: true, Account: true, Resource: true}
)

// Receiver examines the events that it is told, and keeps them.
type Receiver struct {
	t *testing.T

	mu     sync.Mutex
	events []notify.Event
}

var _ notify.Receiver = (*Receiver)(nil)

// New returns a receiver that fails the test where an event lacks what its kind carries, or has more.
func New(t *testing.T) *Receiver { return &Receiver{t: t} }

// Name implements notify.Receiver.
func (*Receiver) Name() string { return "examination" }

// Tell implements notify.Receiver.
func (r *Receiver) Tell(_ context.Context, events []notify.Event) error {
	for i := range events {
		Check(r.t, &events[i])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
	return nil
}

// Taken counts the events of a kind that a channel with the filter was told.
func (r *Receiver) Taken(kind notify.Kind, filter notify.Filter) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.events {
		if r.events[i].Kind == kind && filter.Takes(&r.events[i]) {
			n++
		}
	}
	return n
}

// Check examines one event.
func Check(t *testing.T, e *notify.Event) {
	t.Helper()
	want, known := Carried[e.Kind]
	if !known {
		t.Errorf("it is not said what %s carries", e.Kind)
		return
	}
	subjects := append([]notify.Subject{{Schedule: e.Schedule, Workload: e.Workload, Ref: e.Ref, Name: e.Name, Tags: e.Tags}}, e.About...)
	some := func(has func(s *notify.Subject) bool) bool {
		return slices.ContainsFunc(subjects, func(s notify.Subject) bool { return has(&s) })
	}
	if some(func(s *notify.Subject) bool { return s.Schedule != "" }) && !want.Schedule || some(func(s *notify.Subject) bool { return s.Workload != "" }) && !want.Workload {
		t.Errorf("%s is about a schedule or workload, and it is not said that it carries one: %+v", e.Kind, e)
	}
	workload := some(func(s *notify.Subject) bool { return s.Workload != "" })
	if account := some(func(s *notify.Subject) bool { return s.Ref.Scope != fleet.Scope{} }); account != want.Account && (!want.Workload || !workload) {
		t.Errorf("%s: an account and region: %t, want %t: %+v", e.Kind, account, want.Account, e)
	}
	if named := some(func(s *notify.Subject) bool { return s.Ref.ID != "" || len(s.Tags) > 0 }); named && !want.Resource {
		t.Errorf("%s names a resource, and it is not said that it carries one: %+v", e.Kind, e)
	}
	if want.Resource && !want.Workload && e.Name == "" && e.Ref.ID == "" {
		t.Errorf("%s names nothing: %+v", e.Kind, e)
	}
	for i := range subjects {
		if s := &subjects[i]; s.Ref.ID != "" && s.Ref.Kind != "" && s.Tags == nil {
			t.Errorf("%s names %s without tags", e.Kind, s.Ref)
		}
	}
}
