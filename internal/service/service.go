// Package service is the one thing that surfaces may ask: what runs and what
// is wanted, why, what will happen, what was done. It turns the stages' values
// into answers for people and programs, so that a page, a chat, a command line
// and an API give the same one.
package service

import (
	"cmp"
	"context"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/typo"
)

// Looker makes a dry pass: everything is listed and decided, nothing is done.
// A zero instant is now; chains asks for the reasons' chains.
type Looker interface {
	Look(ctx context.Context, at time.Time, chains bool) (pass.Report, error)
}

// Narrower is a Looker that remembers the fleet, and can look at the part alone that a question is about.
type Narrower interface {
	Looker
	// Narrow gives a Looker over the scopes in which anything was last seen that is concerned. Where there is nothing of
	// that, it is one that may find out what there is by now; with sure it is one that shows nothing.
	Narrow(concerned func(*fleet.Resource) bool, sure bool) Looker
}

// narrowed is the Looker for a question about some resources alone.
func (s *Service) narrowed(concerned func(*fleet.Resource) bool, sure bool) Looker {
	if n, ok := s.Looker.(Narrower); ok {
		return n.Narrow(concerned, sure)
	}
	return s.Looker
}

// answersTo reports whether a resource answers to a name: its ID, ARN, name or ref.
func answersTo(r *fleet.Resource, target string) bool {
	return target == r.ID || target == r.ARN || target == r.Name || target == r.Ref.String()
}

// OutsideError says that something would affect resources beyond those that who
// asks may act on. It does not tell which: they may not be seen either.
type OutsideError struct {
	Resources int  // how many of them; 0 where that is not known
	Unseen    bool // parts of the fleet could not be listed, and may have some
}

// Error implements error: in English.
func (e *OutsideError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *OutsideError) Said() say.Text {
	switch {
	case e.Unseen:
		return say.F("a part of the fleet can not be listed now, so it is not known whether this affects resources that you may not act on; name a single resource, or try again later")
	case e.Resources == 0:
		return say.F("this is not bound to resources that you may act on; name one of them")
	}
	return say.F("this affects %s that you may not act on", say.N(e.Resources, "%d resource", "%d resources"))
}

// Service answers.
type Service struct {
	Looker Looker
	// Estimator predicts how long the rate limits make something take; nil: nobody does.
	Estimator cloud.Estimator
	Book      *policy.Book
	Store     store.Store
	Now       func() time.Time
	// Overrides bound what people may override.
	Overrides OverrideLimits
	// Config is the configuration in force, Assemble makes the one that other
	// objects beside the same file would give. Both nil where nothing is changed.
	Config   *config.Loaded
	Assemble func(objects []store.Object) (*config.Loaded, error)
	// Matching lists what the filter of a rule matches in its scopes, with the schedule tag or without, and what could not
	// be listed. nil: only what a look at the fleet shows is known.
	Matching func(ctx context.Context, rule *policy.Rule) ([]fleet.Resource, []Gap)
	// Foreseer looks at what runs of workloads would do; nil: nobody can.
	Foreseer Foreseer
	// Ways makes the channels of the configuration in force, ready to send; nil: there are none.
	Ways func() (map[string]notify.Channel, error)
	// Gate knows who asks; nil where nobody signs in.
	*Gate
}

// InputError says that a question can not be answered as it was put: who asked
// has to put it differently.
type InputError struct{ told }

func inputErrorF(format string, args ...any) error { return &InputError{told{say.F(format, args...)}} }

// asInput says that what somebody wrote is at fault as an error of the package that reads it says.
func asInput(err error) error { return &InputError{told{say.Of(err)}} }

// told is what an error says to people.
type told struct{ text say.Text }

func tellF(format string, args ...any) told { return told{say.F(format, args...)} }

// Error implements error: in English.
func (t told) Error() string { return t.text.String() }

// Said implements say.Sayer.
func (t told) Said() say.Text { return t.text }

// Resource is one line of the fleet.
type Resource struct {
	Ref         string   `json:"ref"`
	Account     string   `json:"account"`
	Region      string   `json:"region"`
	Kind        string   `json:"kind"`
	ID          string   `json:"id"`
	ARN         string   `json:"arn,omitempty"`
	Name        string   `json:"name"`
	Type        string   `json:"type,omitempty"`
	Zone        string   `json:"zone,omitempty"`
	Members     int      `json:"members,omitempty"` // instances of a cluster
	State       string   `json:"state"`
	NativeState string   `json:"native_state"`
	Schedule    string   `json:"schedule"`
	Wanted      string   `json:"wanted"` // running, stopped or any
	Action      string   `json:"action"` // what a pass would do now: start, stop, hibernate, reboot, resize or none
	Reason      string   `json:"reason"`
	Why         say.Text `json:"why"` // the reason as a sentence
	Next        *Change  `json:"next,omitempty"`
	// Observed: the action would be recorded and not done, because the schedule or the program only observes.
	Observed bool `json:"observed,omitempty"`
	// Override is the override in force; nil without one.
	Override *InForce          `json:"override,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// Fleet is the resource that filters look at, as far as a line has it.
func (r *Resource) Fleet() fleet.Resource {
	ref, err := fleet.ParseRef(r.Ref)
	if err != nil {
		return fleet.Resource{}
	}
	return fleet.Resource{Ref: ref, ARN: r.ARN, Name: r.Name, Type: r.Type, Zone: r.Zone, State: fleet.State(r.State), Native: r.NativeState, Tags: r.Tags}
}

// InForce is an override that is in force for a resource.
type InForce struct {
	ID     string    `json:"id"`
	State  string    `json:"state"` // running or stopped
	Until  time.Time `json:"until"` // when it ends for this resource
	Author string    `json:"author"`
	Reason string    `json:"reason,omitempty"`
}

// Change is when what is wanted changes next.
type Change struct {
	At time.Time `json:"at"`
	To string    `json:"to"`
}

// Fleet is every scheduled resource that could be seen, and what could not.
type Fleet struct {
	At        time.Time  `json:"at"`
	Resources []Resource `json:"resources"`
	Gaps      []Gap      `json:"gaps"`
}

// Gap is a part of the fleet that could not be listed.
type Gap struct {
	Scope fleet.Scope `json:"scope"`
	Text  say.Text    `json:"text"`
}

// Fleet lists every resource with what is wanted of it and why, at an instant
// (zero: now), given what is remembered and seen now. A filter, when not nil,
// leaves out what does not match.
func (s *Service) Fleet(ctx context.Context, at time.Time, filter *fleet.Filter) (Fleet, error) {
	report, err := s.Looker.Look(ctx, at, false)
	if err != nil {
		return Fleet{}, err
	}
	book := with(s.Book, &report)
	answer := Fleet{At: report.At, Resources: make([]Resource, 0, len(report.Decisions)), Gaps: gaps(report)}
	for i := range report.Decisions {
		if filter == nil || filter.Match(report.Decisions[i].Resource) {
			answer.Resources = append(answer.Resources, resource(book, &report.Decisions[i], report.At))
		}
	}
	// Decisions come ordered by identifier; people look for names.
	slices.SortStableFunc(answer.Resources, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	return answer, nil
}

func gaps(report pass.Report) []Gap {
	list := make([]Gap, 0, len(report.Gaps))
	for _, gap := range report.Gaps {
		list = append(list, Gap{Scope: gap.Scope, Text: gap.Said()})
	}
	return list
}

// Differing leaves only the resources on which a pass would act.
func (f Fleet) Differing() Fleet {
	f.Resources = slices.DeleteFunc(slices.Clone(f.Resources), func(r Resource) bool { return r.Action == noAction })
	return f
}

// noAction is the action where a pass would do nothing.
const noAction = "none"

// resource describes a decision. The book is the one that was decided with.
func resource(book *policy.Book, d *decide.Decision, at time.Time) Resource {
	r := &d.Resource
	line := Resource{
		Ref: r.Ref.String(), Account: string(r.Scope.Account), Region: string(r.Scope.Region), Kind: string(r.Kind), ID: r.ID,
		ARN: r.ARN, Name: r.Name, Type: r.Type, Zone: r.Zone, Members: r.Members, State: string(r.State), NativeState: r.Native,
		Schedule: d.Schedule, Wanted: d.Want.State.String(), Action: noAction, Reason: string(d.Reason), Why: d.Said(), Tags: r.Tags,
	}
	governs := book.Governs(*r)
	if governs.Why != policy.Governed && d.Override == nil {
		line.Wanted = calendar.Any.String()
	}
	if d.Verb != "" {
		line.Action, line.Observed = string(d.Verb), d.Observe
	}
	if o, end, ok := governs.Override(at, d.Memory.Reached); ok {
		line.Override = &InForce{ID: o.ID, State: o.State.String(), Until: end.UTC(), Author: o.Author, Reason: o.Reason}
	}
	line.Next = nextChange(&governs, d.Memory.Reached, at)
	return line
}

// changesSearched bounds the search for a change of what is wanted: each step
// is an instant at which something that can want begins or ends.
const changesSearched = 100

// nextChange finds when what is wanted of a resource changes next, overrides
// and maintenance windows included; nil when it never does, as far as is known.
func nextChange(p *policy.Policy, reached string, at time.Time) *Change {
	now := wantedAt(p, reached, at)
	for range changesSearched {
		var next time.Time
		sooner := func(instant time.Time, ok bool) {
			if ok && instant.After(at) && (next.IsZero() || instant.Before(next)) {
				next = instant
			}
		}
		boundary, ok := p.NextState(at)
		sooner(boundary.At, ok)
		sooner(p.NextWindow(at))
		sooner(p.NextOverride(at))
		_, end, ok := p.Override(at, reached)
		sooner(end, ok)
		if next.IsZero() {
			return nil
		}
		if then := wantedAt(p, reached, next); then != now {
			return &Change{At: next.UTC(), To: then.String()}
		}
		at = next
	}
	return nil
}

// wantedAt is what is wanted at an instant, by whoever counts then.
func wantedAt(p *policy.Policy, reached string, at time.Time) calendar.State {
	if o, _, ok := p.Override(at, reached); ok {
		return o.State
	}
	if _, open := p.Window(at); open {
		return calendar.Running
	}
	return p.Wanted(at).State
}

// NotFoundError says that nothing answers to a name, and what was looked at.
type NotFoundError struct {
	Target string
	Scopes int
	Gaps   []Gap
	Near   string // the name that was most likely meant; may be empty
	// Schedule: it is no name of a schedule either.
	Schedule bool
}

// Error implements error: in English.
func (e *NotFoundError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *NotFoundError) Said() say.Text {
	text := say.F("no scheduled resource answers to %q in %s; give an ID, an ARN, a name or account/region/kind/id", e.Target, say.N(e.Scopes, "%d scope", "%d scopes"))
	if e.Schedule {
		text = say.F("there is no schedule %q, and %s", e.Target, text)
	}
	if e.Near != "" {
		text = say.Clauses(text, say.F("did you mean %q?", e.Near))
	}
	for _, gap := range e.Gaps {
		text = say.Lines(text, say.F("  it may be in a part that could not be listed: %s", gap.Text))
	}
	return text
}

// ScheduleExplanation is what a schedule wants at an instant, and after.
type ScheduleExplanation struct {
	Schedule     string    `json:"schedule"`
	Timezone     string    `json:"timezone"`
	At           time.Time `json:"at"`
	Local        string    `json:"local"` // the instant in the schedule's zone
	Enabled      bool      `json:"enabled"`
	State        string    `json:"state"`
	Period       string    `json:"period,omitempty"`
	InstanceType string    `json:"instance_type,omitempty"`
	// Special says what is out of the ordinary on that date: exceptions, days off, years that a calendar does not cover.
	Special []say.Text `json:"special,omitempty"`
	Next    []Change   `json:"next"`
}

// nextChanges is how many changes ahead are shown.
const nextChanges = 10

// ExplainSchedule says what a schedule wants at an instant (zero: now), and its
// next changes. It asks no cloud.
func (s *Service) ExplainSchedule(name string, at time.Time) (ScheduleExplanation, error) {
	schedule, err := s.schedule(name)
	if err != nil {
		return ScheduleExplanation{}, err
	}
	if at.IsZero() {
		at = s.Now()
	}
	c := schedule.Calendar
	want := c.Wanted(at)
	answer := ScheduleExplanation{
		Schedule: name, Timezone: c.Location().String(), At: at.UTC(), Local: at.In(c.Location()).Format("2006-01-02 15:04:05 MST (Mon)"),
		Enabled: schedule.Enabled, State: want.State.String(), Period: want.Period, InstanceType: want.InstanceType, Next: []Change{},
	}
	for _, fact := range c.Special(at).Facts() {
		answer.Special = append(answer.Special, fact.Text)
	}
	for range nextChanges {
		boundary, ok := c.NextState(at)
		if !ok {
			break
		}
		answer.Next = append(answer.Next, Change{At: boundary.At.UTC(), To: boundary.To.State.String()})
		at = boundary.At
	}
	return answer, nil
}

// namesShown bounds the list of names in an error.
const namesShown = 20

// meant says which of the names that there are was probably meant, or which there are.
func meant(name string, names []string, none say.Text) say.Text {
	if near, ok := typo.Nearest(name, names); ok {
		return say.F("did you mean %q?", near)
	}
	if more := len(names) - namesShown; more > 0 {
		return say.F("known are %s and %d more", say.Names(names[:namesShown]), more)
	}
	if len(names) > 0 {
		return say.F("known are %s", say.Names(names))
	}
	return none
}

func (s *Service) schedule(name string) (*policy.Schedule, error) {
	schedule := s.Book.Schedules[name]
	if schedule == nil {
		names := make([]string, 0, len(s.Book.Schedules))
		for known := range s.Book.Schedules {
			names = append(names, known)
		}
		slices.Sort(names)
		return nil, inputErrorF("there is no schedule %q; %s", name, meant(name, names, say.F("the configuration has none")))
	}
	if schedule.Err != nil || schedule.Calendar == nil {
		return nil, inputErrorF("schedule %q can not be used: %v", name, schedule.Err)
	}
	return schedule, nil
}
