package workload

import (
	"fmt"
	"slices"
	"time"

	"dayshift/internal/say"
)

// Request is a run that somebody asks for.
type Request struct {
	ID        string // unique for ever
	Direction Direction
	// Profile is that of a start; empty: the workload's own.
	Profile string
	// By is who asks for it, Reason is in their words, Trigger what it comes from: person, schedule NAME, rule NAME.
	By      string
	Reason  say.Text
	Trigger string
}

// Begin makes the run of a workload. Its tiers are listed when their turn
// comes. The error says why there can be no such run: the kill switch, a fault of
// the workload, an unknown profile.
func Begin(w *Workload, q Request, m Memory, now time.Time) (Run, error) {
	switch {
	case w.Err != nil:
		return Run{}, say.Err("workload %q can not be used: %w", w.Name, w.Err)
	case !w.Enabled:
		return Run{}, &DisabledError{w.Name}
	case q.Direction != Start && q.Direction != Stop:
		return Run{}, say.Err("workload %q: %q is no direction; allowed are start and stop", w.Name, q.Direction)
	case q.Direction == Stop && q.Profile != "":
		return Run{}, say.Err("workload %q: a profile is chosen at a start, not at a stop", w.Name)
	case q.Profile != "" && !slices.Contains(w.Profiles(), q.Profile):
		if profiles := w.Profiles(); len(profiles) > 0 {
			return Run{}, say.Err("workload %q has no profile %q; it has %s", w.Name, q.Profile, say.Names(profiles))
		}
		return Run{}, say.Err("workload %q has no profile %q, nor any other", w.Name, q.Profile)
	}
	if faults := w.Check(); len(faults) > 0 {
		first := faults[0]
		if first.Text != "" {
			first.Problem = say.F("%s %s", first.Text, first.Problem)
		}
		return Run{}, say.Err("workload %q can not be used: %s: %s", w.Name, first.Path, first.Problem)
	}
	r := Run{
		ID: q.ID, Workload: w.Name, Direction: q.Direction, By: q.By, Reason: q.Reason.Kept(), Trigger: q.Trigger, Began: now, Since: now,
		Definition: w, OnFailure: w.OnFailure, Status: StatusRunning, Memory: m.clone(),
	}
	if r.OnFailure == "" {
		r.OnFailure = Hold
	}
	if q.Direction == Start {
		if r.Profile = q.Profile; r.Profile == "" {
			r.Profile = w.Profile
		}
	}
	var names []string
	names, r.After = w.Order(q.Direction)
	for _, name := range names {
		r.Tiers = append(r.Tiers, TierRun{Name: name, Phase: PhaseWaiting, Since: now})
	}
	return r, nil
}

// DisabledError says that the kill switch of a workload is thrown.
type DisabledError struct{ Workload string }

func (e *DisabledError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *DisabledError) Said() say.Text {
	return say.F("workload %q is switched off (enabled: false): nothing of it is started or stopped", e.Workload)
}

// title names the run at the begin of a sentence.
func (r *Run) title() say.Text {
	if r.Profile != "" {
		return say.F("Workload %s: the %s with profile %s", r.Workload, say.Word(r.Direction), r.Profile)
	}
	return say.F("Workload %s: the %s", r.Workload, say.Word(r.Direction))
}

// tell asks for a message.
func (r *Run) tell(about MessageKind, text say.Text, now time.Time) {
	r.Told++
	r.Pending = append(r.Pending, Effect{
		ID: fmt.Sprintf("%s/tell/%d", r.ID, r.Told), Kind: Tell, Step: StepTell, At: now, Message: &Message{about, text.Kept()},
	})
}

// Verdict says what becomes of a run that is asked for.
type Verdict string

// The verdicts.
const (
	BeginNow  Verdict = "begin"  // nothing is under way
	SkipIt    Verdict = "skip"   // it does not take place
	WaitForIt Verdict = "wait"   // it begins when the present one is over
	CancelIt  Verdict = "cancel" // the present one is cancelled first (Cancel); then it begins
	JoinIt    Verdict = "join"   // the present one does the same: there is nothing to be asked for
)

// Overlapping says what becomes of a run that is asked for while another may be
// under way; present is nil when none is. A run that is held is under way. The
// sentence says why it does not begin now, and is empty when it does.
func Overlapping(policy Overlap, present *Run, asked Request) (Verdict, say.Text) {
	if present == nil || present.Status.Over() {
		return BeginNow, say.Text{}
	}
	what := say.F("the %s that began at %s is under way (%s)", say.Word(present.Direction), present.Began.UTC().Format(time.RFC3339), say.Word(present.Status))
	same := present.Direction == asked.Direction && (asked.Profile == "" || asked.Profile == present.Profile)
	switch {
	case same && present.Status == StatusRunning:
		return JoinIt, say.F("%s and does the same", what)
	case policy == Queue, policy == Replace && present.Status == StatusCancelling:
		return WaitForIt, say.Clauses(what, say.F("this one begins when it has ended"))
	case policy == Replace:
		return CancelIt, say.Clauses(what, say.F("it is cancelled, then this one begins"))
	case present.Status == StatusHeld:
		return SkipIt, say.Clauses(what, say.F("resume, undo or cancel it first"))
	}
	return SkipIt, say.Clauses(what, say.F("overlap: skip lets no other begin beside it"))
}
