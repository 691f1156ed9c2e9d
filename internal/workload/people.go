package workload

import (
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Resume goes on with a run that is held: what has failed is tried again from
// the step at which it failed, with a new timeout. The run given is not changed. The error says why it can not be resumed.
func Resume(run Run, by string, now time.Time) (Run, error) {
	if run.Status != StatusHeld {
		return Run{}, say.Err("run %s can not be resumed: it is %s, not held", run.ID, say.Word(run.Status))
	}
	run = run.clone()
	why := say.F("resumed")
	if by != "" {
		why = say.F("resumed by %s", by)
	}
	run.Status, run.Since, run.Why = StatusRunning, now, why.Kept()
	for i := range run.Tiers {
		if tr := &run.Tiers[i]; tr.Phase == PhaseFailed {
			tr.resume(&run, now)
		}
	}
	return run, nil
}

// resume puts a failed tier back to where it failed.
func (tr *TierRun) resume(run *Run, now time.Time) {
	tr.Phase, tr.Since, tr.Ended, tr.Why, tr.Detail = tr.FailedIn, now, time.Time{}, "", say.Kept{}
	tr.FailedIn = ""
	tr.Retries++
	tr.Deadline = now.Add(run.Definition.Tier(tr.Name).Half(run.Direction).Timeout)
	for i := range tr.Hooks {
		if h := &tr.Hooks[i]; !h.Done {
			h.Asked, h.Open = false, 0
		}
	}
	for i := range tr.Members {
		m := &tr.Members[i]
		if m.End != EndFailed {
			continue
		}
		m.End, m.EndedAt, m.GaveUp, m.Falls, m.Tries = "", time.Time{}, false, 0, 0
		if m.Remark == WhyLeftOut {
			m.Remark = ""
		}
		m.Step, m.Since, m.Why, m.Detail, m.Said = StepSettle, now, "", say.Kept{}, say.Kept{}
		m.Next = m.certain(now) // its state is looked at anew
		m.Marks = append(m.Marks, Mark{StepSettle, now})
		for j := range m.Asked {
			if q := &m.Asked[j]; q.Answer != AnswerYes { // the gates that have passed have passed
				*q = Question{}
			}
		}
	}
}

// Cancel ends a run: what is under way ends, nothing else begins, and what
// goes on running is put back into its load balancers. The run given is not changed.
func Cancel(run Run, by string, reason say.Text, now time.Time) (Run, error) {
	if run.Status.Over() || run.Status == StatusCancelling {
		return Run{}, say.Err("run %s can not be cancelled: it is %s", run.ID, say.Word(run.Status))
	}
	run = run.clone()
	why := say.F("cancelled")
	if by != "" {
		why = say.F("cancelled by %s", by)
	}
	(&turn{root: &run, now: now}).cancel(with(why, reason))
	return run, nil
}

// TakeBack undoes a run: what is under way ends, then what the run has done is
// taken back in the opposite order. The run given is not changed.
func TakeBack(run Run, by string, now time.Time) (Run, error) {
	if run.Status != StatusRunning && run.Status != StatusHeld {
		return Run{}, say.Err("run %s can not be undone: it is %s", run.ID, say.Word(run.Status))
	}
	run = run.clone()
	why := say.F("undone")
	if by != "" {
		why = say.F("undone by %s", by)
	}
	run.Status, run.Since, run.Why = StatusUndoing, now, why.Kept()
	return run, nil
}

// Exception is somebody or something that a run left other than it was to be.
type Exception struct {
	Tier   string    `json:"tier"`
	Member fleet.Ref `json:"member,omitzero"` // zero: the tier
	Why    Reason    `json:"why"`
	Text   say.Text  `json:"text"` // for people
}

// String is a line for people.
func (e Exception) String() string { return e.Said().String() }

// Said implements say.Sayer with that line.
func (e Exception) Said() say.Text {
	if e.Member.ID != "" {
		return say.F("tier %s %s: %s", e.Tier, e.Member.ID, e.Text)
	}
	return say.F("tier %s: %s", e.Tier, e.Text)
}

// Exceptions are what the run left other than it was to be, in the order of its tiers; what takes no part is none.
func (r *Run) Exceptions() []Exception {
	var list []Exception
	for i := range r.Tiers {
		tr := &r.Tiers[i]
		if tr.Phase == PhaseKept || tr.Phase == PhaseFailed || tr.Why == WhyNothing {
			list = append(list, Exception{Tier: tr.Name, Why: tr.Why, Text: say.List(say.Word(tr.Phase), Because(tr.Why, tr.Detail.Text))})
		}
		for j := range tr.Members {
			m := &tr.Members[j]
			if m.End == EndKept || m.End == EndFailed || m.End == EndGone {
				list = append(list, Exception{tr.Name, m.Ref, m.Why, say.List(say.Word(m.End), Because(m.Why, m.Detail.Text))})
			}
			if m.Remark != "" {
				list = append(list, Exception{tr.Name, m.Ref, m.Remark, m.Said.Text})
			}
		}
	}
	return list
}
