package workload

import (
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Run is one run of a workload: what it is for, how far it is, and what it
// waits for. It is a value with a JSON form that holds everything: a run that
// was written and read again goes on as if nothing had happened.
type Run struct {
	ID        string    `json:"id"`
	Workload  string    `json:"workload"`
	Direction Direction `json:"direction"`
	Profile   string    `json:"profile,omitempty"`
	By        string    `json:"by,omitempty"`      // who asked for it
	Reason    say.Kept  `json:"reason,omitzero"`   // in their words, or why a schedule wants it
	Trigger   string    `json:"trigger,omitempty"` // person, schedule SCHEDULE, rule RULE …
	Began     time.Time `json:"began"`
	Ended     time.Time `json:"ended,omitzero"`
	// Definition is the workload as it was when the run began: a change of the configuration concerns the next run.
	Definition *Workload `json:"definition"`
	// OnFailure is the policy of the run.
	OnFailure Failure `json:"on_failure"`
	Status    Status  `json:"status"`
	// Why says how it came to its status: a sentence for people.
	Why say.Kept `json:"why,omitzero"`
	// Since is when it came to its status.
	Since time.Time `json:"since"`
	// After are the tiers that each tier waits for.
	After map[string][]string `json:"after"`
	// Tiers are in an order in which they may begin; ties by name.
	Tiers []TierRun `json:"tiers"`
	// Pending are effects whose results are not known yet, in the order in which they were asked for; those of Back too.
	Pending []Effect `json:"pending,omitempty"`
	// Memory is what was remembered of the workload when the run began.
	Memory Memory `json:"memory,omitzero"`
	// Back is the run that takes this one back: undo.
	Back *Run `json:"back,omitempty"`
	// Back's own: it takes back, so nobody is asked for a veto and nothing delays it.
	Undoing bool `json:"undoing,omitempty"`
	// Told counts the messages, so that each has an ID of its own.
	Told int `json:"told,omitempty"`
}

// Status is how a run stands.
type Status string

// The statuses.
const (
	StatusRunning    Status = "running"
	StatusHeld       Status = "held"       // a tier failed; tiers under way end, no other begins: Resume, Cancel or TakeBack
	StatusCancelling Status = "cancelling" // what is under way ends, what is out of a load balancer is put back
	StatusUndoing    Status = "undoing"
	StatusDone       Status = "done"
	// StatusExceptions is done, and somebody or something was left as it is: see Exceptions.
	StatusExceptions Status = "done-with-exceptions"
	StatusFailed     Status = "failed" // it ended, and a tier or what was taken back failed
	StatusCancelled  Status = "cancelled"
	StatusUndone     Status = "undone"
)

// Over reports whether nothing is left to be decided. Pending may still hold messages.
func (s Status) Over() bool {
	switch s {
	case StatusDone, StatusExceptions, StatusFailed, StatusCancelled, StatusUndone:
		return true
	case StatusRunning, StatusHeld, StatusCancelling, StatusUndoing:
	}
	return false
}

// TierRun is how far a tier is.
type TierRun struct {
	Name  string `json:"name"`
	Phase Phase  `json:"phase"`
	// Since is when it came to the phase.
	Since time.Time `json:"since,omitzero"`
	Began time.Time `json:"began,omitzero"`
	// Deadline is when what is not done has failed.
	Deadline time.Time `json:"deadline,omitzero"`
	Ended    time.Time `json:"ended,omitzero"` // its delay included
	// Why and Detail say what it waits for, or why it failed or was left.
	Why    Reason   `json:"why,omitempty"`
	Detail say.Kept `json:"detail,omitzero"`
	// Members are ordered by Ref; empty until the tier was listed.
	Members []Member  `json:"members,omitempty"`
	Hooks   []HookRun `json:"hooks,omitempty"` // of the phase
	Listed  time.Time `json:"listed,omitzero"`
	// FailedIn is the phase in which it failed.
	FailedIn Phase `json:"failed_in,omitempty"`
	// Retries counts how often it was resumed after a failure.
	Retries int `json:"retries,omitempty"`
}

// Phase is what a tier is at.
type Phase string

// The phases, in their order. The last four are ends.
const (
	PhaseWaiting  Phase = "waiting" // for tiers before it
	PhaseListing  Phase = "listing"
	PhaseBefore   Phase = "before" // hooks
	PhaseMembers  Phase = "members"
	PhaseAfter    Phase = "after" // hooks
	PhaseDelay    Phase = "delay"
	PhaseDone     Phase = "done"
	PhaseFailed   Phase = "failed"
	PhaseKept     Phase = "kept" // not stopped, because somebody who stays needs it
	PhaseNotBegun Phase = "left" // the run ended before it
)

// Over reports whether the tier has ended, well or not.
func (p Phase) Over() bool {
	switch p {
	case PhaseDone, PhaseFailed, PhaseKept, PhaseNotBegun:
		return true
	case PhaseWaiting, PhaseListing, PhaseBefore, PhaseMembers, PhaseAfter, PhaseDelay:
	}
	return false
}

// Member is how far one resource is.
type Member struct {
	fleet.Ref
	Name string `json:"name,omitempty"`
	// Step is what is being done with it, Since from when. Next is when it is tried again, Tries how often it was.
	Step  Step      `json:"step"`
	Since time.Time `json:"since,omitzero"`
	Tries int       `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"`
	// End is how it ended; empty: it is on its way. Why and Detail say why, or what it waits for.
	End    End      `json:"end,omitempty"`
	Why    Reason   `json:"why,omitempty"`
	Detail say.Kept `json:"detail,omitzero"`
	// State, Type and Health are as it was seen last, at Seen.
	State  fleet.State  `json:"state"`
	Type   string       `json:"type,omitempty"`
	Health fleet.Health `json:"health,omitempty"`
	// StateReason is the provider's reason for the state.
	StateReason string    `json:"state_reason,omitempty"`
	Seen        time.Time `json:"seen,omitzero"`
	// Was is the state in which the run found it, WasType its type.
	Was     fleet.State `json:"was,omitempty"`
	WasType string      `json:"was_type,omitempty"`
	// Want is the type that it is to have; empty: the one it has.
	Want string `json:"want,omitempty"`
	// Acted: the run asked for its start or stop, at ActedAt for the last time.
	Acted   bool      `json:"acted,omitempty"`
	ActedAt time.Time `json:"acted_at,omitzero"`
	// StopSince is when its stop was asked for first: a snapshot that is taken before it has one name at every try.
	StopSince time.Time `json:"stop_since,omitzero"`
	// Effect is the pending effect that moves it; Issued counts its effects, Falls how often it came to rest in the wrong state.
	Effect string `json:"effect,omitempty"`
	Issued int    `json:"issued,omitempty"`
	Falls  int    `json:"falls,omitempty"`
	// Resized: its type was changed, or may have been by a call whose answer was lost.
	Resized bool `json:"resized,omitempty"`
	// EndedAt is when it ended.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Remark is what people should know of it however it ended, in Said.
	Remark Reason   `json:"remark,omitempty"`
	Said   say.Kept `json:"said,omitzero"`
	// Gone: a whole listing no longer had it. GaveUp: it could not be put back where it was taken out.
	Gone   bool `json:"gone,omitempty"`
	GaveUp bool `json:"gave_up,omitempty"`
	// HealthAt is when Health was read, StoodAt when its standings were, OutAt when it was taken out.
	HealthAt time.Time `json:"health_at,omitzero"`
	StoodAt  time.Time `json:"stood_at,omitzero"`
	OutAt    time.Time `json:"out_at,omitzero"`
	// Places are where it is registered, as read at PlacesAt; Out are those from which it was taken, by this run or one
	// before, and not put back.
	Places   []Place   `json:"places,omitempty"`
	PlacesAt time.Time `json:"places_at,omitzero"`
	Out      []Place   `json:"out,omitempty"`
	// KeptFrom is since when vetoes keep it, run after run.
	KeptFrom time.Time  `json:"kept_from,omitzero"`
	Asked    []Question `json:"asked,omitempty"` // the gates or vetoes of its step
	// Marks are the steps that it came through.
	Marks []Mark `json:"marks,omitempty"`
}

// Step is what is being done with a member or tier.
type Step string

// The steps. A start goes through settle, resize, start, arrive, gates,
// register, health; a stop through settle, veto, drain, stop, leave, restore.
// What does not apply is left out.
const (
	StepWait     Step = "wait"     // for its turn in the tier
	StepSettle   Step = "settle"   // until it neither starts nor stops nor changes
	StepResize   Step = "resize"   // until it has the type that is wanted
	StepStart    Step = "start"    // until the start is accepted
	StepArrive   Step = "arrive"   // until it runs
	StepGates    Step = "gates"    // until every gate has passed
	StepRegister Step = "register" // until it is where it was taken out
	StepHealth   Step = "health"   // until it is healthy there
	StepVeto     Step = "veto"     // until every veto was heard
	StepPlaces   Step = "places"   // until it is known where it is registered
	StepDrain    Step = "drain"    // until its connections have ended
	StepStop     Step = "stop"     // until the stop is accepted
	StepLeave    Step = "leave"    // until it has stopped
	StepRestore  Step = "restore"  // until it has its former type
	StepPutBack  Step = "put-back" // it stays: until it is where it was taken out
	StepBefore   Step = "before"   // hooks of a tier
	StepAfter    Step = "after"
	StepTell     Step = "tell"
)

// Mark is when a member came to a step.
type Mark struct {
	Step Step      `json:"step"`
	At   time.Time `json:"at"`
}

// End is how a member ended.
type End string

// The ends.
const (
	EndReady   End = "ready"
	EndStopped End = "stopped"
	EndLeft    End = "left"   // it takes no part: Why
	EndKept    End = "kept"   // it is not stopped: Why
	EndGone    End = "gone"   // it is no longer there
	EndFailed  End = "failed" // Why
)

// Question is a gate or a veto of a member.
type Question struct {
	// Asked is when it was asked for the first time, Answered when last.
	Asked    time.Time `json:"asked,omitzero"`
	Answered time.Time `json:"answered,omitzero"`
	Tries    int       `json:"tries,omitempty"`
	Answer   Answer    `json:"answer,omitempty"`
	Detail   say.Kept  `json:"detail,omitzero"`
	// Effect is the pending effect that asks it.
	Effect string `json:"effect,omitempty"`
}

// Answer is what became of a question.
type Answer string

// The answers; empty: there is none yet.
const (
	AnswerYes     Answer = "yes"     // the gate has passed; nothing speaks against the stop
	AnswerNo      Answer = "no"      // not yet; it must not be stopped
	AnswerUnknown Answer = "unknown" // it could not be found out
)

// HookRun is how far a hook is.
type HookRun struct {
	Tries  int      `json:"tries,omitempty"`
	Asked  bool     `json:"asked,omitempty"`
	Open   int      `json:"open,omitempty"` // effects without a result
	Done   bool     `json:"done,omitempty"`
	Failed bool     `json:"failed,omitempty"`
	Detail say.Kept `json:"detail,omitzero"`
}
