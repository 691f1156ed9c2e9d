package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// An override on a workload, or on the schedule that drives it, is for the
// workload as a whole: what stands for it (policy.WorkloadRef) is put among the
// resources that were looked at, and everything that is told of an override is
// told of it as of a resource, with the decision of whoever carries runs out.

// whole is a workload among what was looked at.
type whole struct {
	memory  run.Memory
	present *workload.Run // nil: no run is under way
}

// addWorkloads puts the workloads that are concerned to what was looked at. One with a fault is left out, as it is by
// whoever carries runs out.
func (v *looked) addWorkloads(ctx context.Context, concerned func(*workload.Workload) bool) error {
	book := v.book(nil)
	v.wholes = map[string]whole{}
	decisions := slices.Clip(v.report.Decisions) // those that were looked at are the looker's
	for _, w := range book.Workloads.All() {
		if w.Err != nil || !concerned(w) {
			continue
		}
		var one whole
		var err error
		if one.memory, _, err = v.s.workloadMemory(ctx, w.Name); err != nil {
			return err
		}
		if one.memory.Active != "" {
			if one.present, err = v.s.workloadRun(ctx, one.memory.Active); err != nil {
				return err
			}
		}
		v.wholes[w.Name] = one
		governs := book.GovernsWorkload(w)
		decisions = append(decisions, decide.Decide(decide.Input{
			Now: v.now, Policy: governs, Memory: one.memory.Wanted, Resource: run.Stand(governs, &one.memory, one.present, v.now),
		}))
	}
	v.report.Decisions = decisions
	return nil
}

// stand brings what stands for workloads up to a book: what is wanted anew begins a run, however the last one left it.
func (v *looked) stand(book *policy.Book) {
	for i := range v.report.Decisions {
		if r := &v.report.Decisions[i].Resource; r.Kind == policy.WorkloadKind {
			one := v.wholes[r.ID]
			*r = run.Stand(book.Governs(*r), &one.memory, one.present, v.now)
		}
	}
}

// driven tells which workloads a target can be for: that of the name, and those of the schedule.
func (s *Service) driven(target string) func(*workload.Workload) bool {
	target = strings.TrimSpace(target)
	if name, is := strings.CutPrefix(target, workloadPrefix); is {
		return func(w *workload.Workload) bool { return w.Name == name }
	}
	schedule := strings.TrimPrefix(target, schedulePrefix)
	return func(w *workload.Workload) bool { return w.Name == target || w.Schedule != "" && w.Schedule == schedule }
}

// ofWorkload is a workload as a target.
func (v *looked) ofWorkload(name string) (subject, error) {
	w, err := v.s.workloadNamed(name)
	switch {
	case err != nil:
		return subject{}, err
	case w.Err != nil:
		return subject{}, inputErrorF("workload %q can not be overridden as long as it can not be used: %v", name, w.Err)
	case !w.Enabled:
		return subject{}, inputErrorF("workload %q is switched off (enabled: false), so that an override of it would do nothing; switch it on first", name)
	}
	on := subject{target: policy.Target{Workload: name}, schedule: v.s.Book.Schedules[w.Schedule], scheduleName: w.Schedule}
	v.cover(&on)
	return on, nil
}

// membersInside refuses what is for a workload with a member that a filter does not match.
func (v *looked) membersInside(ctx context.Context, name string, within *fleet.Filter) error {
	w := v.s.Book.Workloads.Named(name)
	if w == nil {
		return &OutsideError{Unseen: true}
	}
	on := *w
	on.Enabled = true // whose members they are does not depend on it
	_, err := v.s.foresee(ctx, &on, workload.Request{Direction: workload.Start}, v.wholes[name].memory, within)
	return err
}

// foreseen tells what the run of a workload that an override begins now would do; nil where it begins none, or nobody can look.
func (v *looked) foreseen(ctx context.Context, a *OverrideAnswer, o *policy.Override) (*run.Foresight, error) {
	if o.Target.Workload == "" || v.s.Foreseer == nil || len(a.Resources) != 1 || a.Resources[0].Action == noAction {
		return nil, nil
	}
	q := workload.Request{Direction: workload.Start}
	if o.State == calendar.Stopped {
		q.Direction = workload.Stop
	}
	return v.s.foresee(ctx, v.s.Book.Workloads.Named(o.Target.Workload), q, v.wholes[o.Target.Workload].memory, nil)
}

// wholeSentences say to people what an override of a workload does now, and what follows at its end.
func (v *looked) wholeSentences(o *policy.Override, a *OverrideAnswer) (list []say.Text) {
	name := o.Target.Workload
	if len(a.Resources) == 0 {
		return []say.Text{say.F("There is no workload %q that can be used; the override does nothing.", name).Plain()}
	}
	tell := func(text say.Text) { list = append(list, text.Plain()) }
	l := &a.Resources[0]
	switch {
	case !l.Counts:
		tell(l.Why)
	case l.Action == string(fleet.Start):
		tell(say.F("A run that starts workload %q begins at once, tier by tier.", name))
	case l.Action != noAction:
		tell(say.F("A run that stops workload %q begins at once, tier by tier; who may speak against a stop is asked first.", name))
	case v.wholes[name].present != nil && !v.wholes[name].present.Status.Over():
		tell(say.F("A run of workload %q is under way; what is to be done is done when that has ended.", name))
	case l.State == o.State.String():
		tell(say.F("Workload %q is %s already, as its last run left it, and kept so.", name, o.State))
	default:
		tell(say.F("Nothing can be done now for %s", say.F("%s: %s", name, l.Why)))
	}
	if a.Plan != nil {
		members, left := 0, 0
		for i := range a.Plan.Tiers {
			for j := range a.Plan.Tiers[i].Members {
				if members++; a.Plan.Tiers[i].Members[j].Does == run.DoesLeft {
					left++
				}
			}
		}
		tell(say.F("It has %s.", say.N(members, "%d member now", "%d members now")))
		if left > 0 {
			tell(say.F("%s no part: protected, flagged for bypass or not to be moved singly.", say.N(left, "%d of them takes", "%d of them take")))
		}
	}
	return list
}

// wholeThen says what follows for a workload when an override ends.
func wholeThen(o *policy.Override, a *OverrideAnswer, zone *time.Location) (text say.Text) {
	if len(a.Resources) != 1 || !a.Resources[0].Counts {
		return text
	}
	switch l := &a.Resources[0]; {
	case l.Then == noAction && !o.Once:
		text = say.F("Then workload %q is left as it is, until its schedule wants something else.", o.Target.Workload)
	case l.Then == noAction:
	case l.Then == string(fleet.Start):
		text = say.F("Then workload %q is started, as its schedule wants.", o.Target.Workload)
	case l.WarnAt.IsZero():
		text = say.F("Then workload %q is stopped, as its schedule wants.", o.Target.Workload)
	default:
		text = say.F("Then workload %q is stopped, as its schedule wants; people are told at %s.", o.Target.Workload, when(l.WarnAt, zone))
	}
	return text.Plain()
}

// refText is a resource, or what stands for a workload, as a command takes it.
func refText(ref fleet.Ref) string {
	if ref.Kind == policy.WorkloadKind {
		return workloadPrefix + ref.ID
	}
	return ref.String()
}
