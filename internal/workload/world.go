package workload

import (
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// World is what was observed, as far as it was: what is absent is not known
// yet, and the same may be given again. Everything says when it was read; what
// was read before the run had need of it does not count.
type World struct {
	// Listings are the members of the tiers that Look.Tiers names.
	Listings map[string]Listing
	// Members are how the members of Look.Members were seen.
	Members map[fleet.Ref]Sighting
	// Places are where the members of Look.Places are registered.
	Places map[fleet.Ref]Registration
	// Standings are how the members of Look.Standings stand, one for each place that was asked for.
	Standings map[fleet.Ref]Standings
	// Readings are the answers to Look.Checks, by Check.ID.
	Readings map[string]Reading
	// Results are the outcomes of effects, by Effect.ID.
	Results map[string]Result
	// Halt says why the workload was switched off meanwhile: the run is cancelled. Empty: it is not.
	Halt say.Text
}

// Listing is the members of a tier, made by Select of fresh listings.
type Listing struct {
	At time.Time
	// Members are ordered by Ref.
	Members []Candidate
	// Gaps are scopes that could not be listed whole: who is missing there is not known, so the tier waits for them.
	Gaps []say.Text
	// Unlisted are scopes that can not be listed and in which nothing of the tier was ever seen: it is said, and not waited for.
	Unlisted []say.Text
}

// Candidate is a resource that a tier selects.
type Candidate struct {
	fleet.Resource
	// Left says why it takes no part; empty: it does.
	Left   Reason
	Detail say.Text
}

// Sighting is how a member was seen.
type Sighting struct {
	At time.Time
	// Gone: a whole listing no longer has it.
	Gone bool
	// Resource is as it was listed; of it State, Native, Type, StateReason and, where Look asked for it, Health are used.
	Resource fleet.Resource
}

// Place is one place of a member behind a load balancer.
type Place struct {
	// Group is the ARN of a target group, or the name of a Classic load balancer.
	Group   string `json:"group"`
	Classic bool   `json:"classic,omitempty"`
	Port    int    `json:"port,omitempty"` // 0 for a Classic load balancer
}

// Registration is where a member is registered.
type Registration struct {
	At     time.Time
	Places []Place
}

// Standings are how a member stands in its places.
type Standings struct {
	At time.Time
	// By has every place that was asked for.
	By map[Place]Standing
}

// Standing is how a member stands in one place.
type Standing struct {
	State  StandingState
	Reason string // in the provider's words
}

// StandingState is one word for how a member stands; the words are the provider contract's.
type StandingState string

// The states.
const (
	Healthy   StandingState = "healthy"
	Unhealthy StandingState = "unhealthy"
	Initial   StandingState = "initial"
	Draining  StandingState = "draining"
	Out       StandingState = "out"
	Unused    StandingState = "unused"
)

// Reading is the answer to a check.
type Reading struct {
	At time.Time
	// OK: a gate passes; nothing speaks against the stop.
	OK bool
	// Unknown: it could not be found out (a gate then did not pass, a veto got no answer).
	Unknown bool
	// Detail says what was found, for people: "connection refused", "2 open sessions".
	Detail say.Text
}

// EffectKind is what is to be done.
type EffectKind string

// The kinds of effects.
const (
	// StartMember and StopMember change the state of one member, ResizeMember the type of a stopped one. Those of one
	// Advance can be carried out as one plan.
	StartMember  EffectKind = "start"
	StopMember   EffectKind = "stop"
	ResizeMember EffectKind = "resize"
	// Register and Deregister move one member into and out of its Places. They may be carried out again.
	Register   EffectKind = "register"
	Deregister EffectKind = "deregister"
	// SendCommand runs Lines on all Members, which are EC2 instances of one scope and at most CommandTargets.
	SendCommand EffectKind = "command"
	// CallWebhook posts to URL, InvokeLambda calls Function, with what the effect says about run, tier and member.
	CallWebhook  EffectKind = "webhook"
	InvokeLambda EffectKind = "lambda"
	// Tell sends Message to people. Nothing waits for its result.
	Tell EffectKind = "tell"
)

// CommandTargets is how many members one SendCommand names at most (ssm SendCommand InstanceIds).
const CommandTargets = 50

// Effect is something to be done outside. Its ID is its identity for ever: run,
// tier, member, step and try. An effect stays in Run.Pending until World.Results
// has its outcome, also over a crash; it is never asked for a second time.
type Effect struct {
	ID   string     `json:"id"`
	Kind EffectKind `json:"kind"`
	Tier string     `json:"tier,omitempty"`
	// Step is what it is done for; Index counts the hooks, gates or vetoes of the step.
	Step  Step `json:"step,omitempty"`
	Index int  `json:"index,omitempty"`
	// Members are whom it concerns: one, but for SendCommand and for hooks of a whole tier.
	Members []fleet.Ref `json:"members,omitempty"`
	Try     int         `json:"try,omitempty"` // of a hook
	// At is when it was asked for: a command with its token is not older.
	At time.Time `json:"at"`

	// State is the one in which StartMember, StopMember and ResizeMember were decided on: they are skipped when it has changed.
	State fleet.State `json:"state,omitempty"`
	// Since is when a StopMember was asked for first, however often it was tried since.
	Since time.Time `json:"since,omitzero"`
	// Type is what a ResizeMember changes it to.
	Type string `json:"type,omitempty"`
	// Places are where Register and Deregister move it in or out.
	Places  []Place  `json:"places,omitempty"`
	Windows bool     `json:"windows,omitempty"`
	Lines   []string `json:"lines,omitempty"`
	// File, instead of Lines: it is asked whether this file is there. Its outcome on a member is Done when it is not, Refused when it is.
	File     string        `json:"file,omitempty"`
	URL      string        `json:"url,omitempty"`
	Function string        `json:"function,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"` // of a command, webhook or function
	Message  *Message      `json:"message,omitempty"`
}

// Result is the outcome of an effect.
type Result struct {
	At time.Time
	// Outcome is that of all Members, but for those that By names.
	Outcome Outcome
	Detail  say.Text
	By      map[fleet.Ref]MemberResult
}

// MemberResult is the outcome of an effect for one member.
type MemberResult struct {
	Outcome Outcome
	Detail  say.Text
}

// of gives the outcome for a member.
func (r Result) of(ref fleet.Ref) MemberResult {
	if m, ok := r.By[ref]; ok {
		return m
	}
	return MemberResult{r.Outcome, r.Detail}
}

// Outcome is how an effect ended.
type Outcome string

// The outcomes.
const (
	// Done: it was carried out. Of a start or stop: it was accepted; whether it leads anywhere is looked at. Of a command,
	// webhook or function: it ended well (exit 0, 2xx, no error).
	Done Outcome = "done"
	// Refused: it was carried out and the answer is no: an exit other than 0, a status other than 2xx, an error that the function raised.
	Refused Outcome = "refused"
	// Failed: it was not carried out, and will not be when tried again: the error is in Detail.
	Failed Outcome = "failed"
	// Again: it was not carried out for a reason that passes (throttling, missing capacity, another state than the one it was decided on).
	Again Outcome = "again"
	// Lost: whether it was carried out is not known. Starts, stops and resizes are then looked at, load balancers done
	// again; commands, webhooks and functions count as unanswered.
	Lost Outcome = "lost"
)

// Message is something that people are told.
type Message struct {
	About MessageKind `json:"about"`
	// Text is a sentence that names workload, tier and member.
	Text say.Kept `json:"text"`
}

// MessageKind is what a message is about.
type MessageKind string

// The messages.
const (
	ToldBegan   MessageKind = "began"
	ToldEnded   MessageKind = "ended"   // done, with its exceptions
	ToldKept    MessageKind = "kept"    // a veto keeps a member
	ToldForced  MessageKind = "forced"  // a veto's limit is over: the member is stopped all the same
	ToldWarning MessageKind = "warning" // something did not work and nothing depends on it
	ToldFailed  MessageKind = "failed"  // a tier failed: what comes of it
	ToldHalted  MessageKind = "halted"  // the kill switch
)

// Look is what has to be observed before Advance can go on, as far as it is due.
type Look struct {
	// Tiers are to be listed: World.Listings.
	Tiers []string
	// Members are to be looked at: World.Members. Of those in Health the provider's own checks are needed too.
	Members []fleet.Ref
	Health  []fleet.Ref
	// Places are the members whose registrations are needed: World.Places.
	Places []fleet.Ref
	// Standings are the places in which members are to be looked at: World.Standings.
	Standings map[fleet.Ref][]Place
	// Checks are to be tried: World.Readings.
	Checks []Check
}

// Empty reports whether nothing is due.
func (l *Look) Empty() bool {
	return len(l.Tiers)+len(l.Members)+len(l.Places)+len(l.Standings)+len(l.Checks) == 0
}

// Check is a gate (tcp, http) or veto (sessions, backup) that is asked without changing anything.
type Check struct {
	// ID is that of the question, the same for all its tries.
	ID     string
	Tier   string
	Member fleet.Ref
	Gate   *Gate // one of the two is set
	Veto   *Veto
}

// Next is what is to be done after an Advance.
type Next struct {
	// Effects are those that were not asked for before; they are also the last of Run.Pending.
	Effects []Effect
	// Look is what is due now.
	Look Look
	// Wake is when Advance is to be called again at the latest, whatever becomes known meanwhile; zero: only results,
	// observations that are due and people move the run.
	Wake time.Time
}
