package service

import (
	"context"
	"fmt"

	"dayshift/internal/fleet"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// askWorkload asks for a run.
func (s *Service) askWorkload(ctx context.Context, request WorkloadRequest, asks run.Asks) (WorkloadAnswer, error) {
	asked, w, err := s.workloadRequest(request.Workload, request.Author, request.Reason, asks)
	if err != nil {
		return WorkloadAnswer{}, err
	}
	asked.Profile = request.Profile
	memory, _, err := s.workloadMemory(ctx, w.Name)
	if err != nil {
		return WorkloadAnswer{}, err
	}
	q := workload.Request{ID: asked.ID, Direction: workload.Start, Profile: asked.Profile, By: asked.By, Reason: asked.Reason.Text, Trigger: asked.Trigger}
	if asks == run.AsksStop {
		q.Direction = workload.Stop
	}
	if _, err := workload.Begin(w, q, memory.Runs, asked.At); err != nil {
		return WorkloadAnswer{}, asInput(err)
	}
	var present *workload.Run
	if memory.Active != "" {
		if present, err = s.workloadRun(ctx, memory.Active); err != nil {
			return WorkloadAnswer{}, err
		}
	}
	verdict, why := workload.Overlapping(w.Overlap, present, q)
	answer := WorkloadAnswer{At: asked.At, DryRun: request.DryRun, Run: asked.ID, Verdict: string(verdict), Text: why}
	if verdict == workload.BeginNow {
		answer.Text = say.F("the %s of workload %s begins", say.Word(asks), w.Name)
	}
	counts := q.Direction == workload.Start && s.Overrides.MaxStartsPerDay > 0
	if request.DryRun || request.Within != nil || counts {
		if answer.Plan, err = s.foresee(ctx, w, q, memory, request.Within); err != nil {
			return WorkloadAnswer{}, err
		}
	}
	switch {
	case verdict == workload.JoinIt:
		answer.Run = present.ID
		return answer, nil
	case request.DryRun:
		answer.Run = ""
		err := s.takeRun(ctx, counts, &answer, asked)
		return answer, err
	case s.Book.Observe:
		return WorkloadAnswer{}, inputErrorF("Dayshift only observes (observe: true): workload %s is not touched; --dry-run shows what would be done", w.Name)
	case verdict == workload.SkipIt:
		return WorkloadAnswer{}, inputErrorF("workload %s: %s", w.Name, why)
	}
	if err := s.takeRun(ctx, counts, &answer, asked); err != nil {
		return WorkloadAnswer{}, err
	}
	return answer, s.leave(ctx, asked)
}

// takeRun counts what a run would start that a person asks for, where that counts.
func (s *Service) takeRun(ctx context.Context, counts bool, answer *WorkloadAnswer, asked run.Request) error {
	if !counts {
		return nil
	}
	starts := map[fleet.AccountID]int{}
	plannedStarts(answer.Plan, starts)
	_, err := s.takeStarts(ctx, starts, asked.At, asked.By, answer.DryRun)
	return err
}

// orderWorkload asks for something of the run that is under way.
func (s *Service) orderWorkload(ctx context.Context, order WorkloadOrder, asks run.Asks) (WorkloadAnswer, error) {
	asked, w, err := s.workloadRequest(order.Workload, order.Author, order.Reason, asks)
	if err != nil {
		return WorkloadAnswer{}, err
	}
	memory, _, err := s.workloadMemory(ctx, w.Name)
	if err != nil {
		return WorkloadAnswer{}, err
	}
	if memory.Active == "" || order.Run != "" && order.Run != memory.Active {
		return WorkloadAnswer{}, inputErrorF("no such run of workload %s is under way", w.Name)
	}
	present, err := s.workloadRun(ctx, memory.Active)
	if err != nil {
		return WorkloadAnswer{}, err
	}
	if asked.Run = memory.Active; present == nil {
		return WorkloadAnswer{}, inputErrorF("no run of workload %s is under way", w.Name)
	}
	if order.Within != nil {
		q := workload.Request{ID: asked.ID, Direction: present.Direction}
		if _, err := s.foresee(ctx, w, q, memory, order.Within); err != nil {
			return WorkloadAnswer{}, err
		}
	}
	if err := run.Allowed(present, asked); err != nil {
		return WorkloadAnswer{}, asInput(err)
	}
	answer := WorkloadAnswer{At: asked.At, Run: present.ID, Verdict: "begin", Text: say.F("the %s of workload %s: %s", say.Word(present.Direction), w.Name, say.Word(asks))}
	return answer, s.leave(ctx, asked)
}

// workloadRequest checks what can be checked without looking at anything.
func (s *Service) workloadRequest(name, author, reason string, asks run.Asks) (asked run.Request, w *workload.Workload, err error) {
	if w, err = s.workloadNamed(name); err != nil {
		return asked, nil, err
	}
	now := store.Instant(s.Now())
	asked = run.Request{ID: store.NewRunID(now), Workload: name, Asks: asks, Trigger: "person", At: now}
	if asked.By, err = person(author); err != nil {
		return asked, nil, err
	}
	reason, err = words("reason", reason, maxReason)
	asked.Reason = say.Raw(reason).Kept()
	return asked, w, err
}

// foresee looks at what a run would do, and refuses one that concerns what who asks may not act on.
func (s *Service) foresee(ctx context.Context, w *workload.Workload, q workload.Request, memory run.Memory, within *fleet.Filter) (*run.Foresight, error) {
	if s.Foreseer == nil {
		return nil, inputErrorF("nobody here can look at the members of a workload")
	}
	foresight, err := s.Foreseer.Foresee(ctx, w, q, memory.Runs)
	if err != nil {
		return nil, err
	}
	if within == nil {
		return &foresight, nil
	}
	if len(foresight.Gaps) > 0 {
		return nil, &OutsideError{Unseen: true}
	}
	outside := 0
	for i := range foresight.Tiers {
		for j := range foresight.Tiers[i].Members {
			if !within.Match(foresight.Tiers[i].Members[j].Resource()) {
				outside++
			}
		}
	}
	if outside > 0 {
		return nil, &OutsideError{Resources: outside}
	}
	return &foresight, nil
}

// leave puts a request where whoever carries runs out takes it.
func (s *Service) leave(ctx context.Context, asked run.Request) error {
	object, err := run.FromRequest(asked)
	if err != nil {
		return err
	}
	row := store.Activity{
		At: asked.At, Actor: asked.By, Event: store.EventWorkloadAsked, Name: asked.Workload, Run: asked.Run, Reason: string(asked.Asks), Detail: asked.Reason.String(),
	}
	if _, err := s.Store.SaveObject(ctx, object, row); err != nil {
		return fmt.Errorf("keep what is asked of workload %s: %w", asked.Workload, err)
	}
	return nil
}
