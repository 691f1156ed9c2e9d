package service

import (
	"context"

	"dayshift/internal/decide"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// workloadFact says what the run of its workload does with a member now, and what it waits for; empty for what is no member.
func (s *Service) workloadFact(ctx context.Context, book *policy.Book, d *decide.Decision) (say.Text, error) {
	if d.Reason != decide.WorkloadMember {
		return say.Text{}, nil
	}
	name := book.Governs(d.Resource).Workload
	memory, _, err := s.workloadMemory(ctx, name)
	if err != nil {
		return say.Text{}, err
	}
	if memory.Active == "" {
		return say.F("no run of the workload %q is under way", name), nil
	}
	r, err := s.workloadRun(ctx, memory.Active)
	if err != nil || r == nil {
		return say.Text{}, err
	}
	if r.Back != nil {
		r = r.Back
	}
	for i := range r.Tiers {
		for j := range r.Tiers[i].Members {
			if m := &r.Tiers[i].Members[j]; m.Ref == d.Resource.Ref {
				return memberFact(r, m), nil
			}
		}
	}
	for i := range r.Tiers {
		if t := &r.Tiers[i]; t.Name == book.Governs(d.Resource).Tier {
			return say.F("the %s of its workload is under way since %s; its tier is at \"%s\" (%s)", say.Word(r.Direction), stamp(r.Began), say.Word(t.Phase), workload.Because(t.Why, t.Detail.Text)), nil
		}
	}
	return say.F("the %s of its workload is under way since %s", say.Word(r.Direction), stamp(r.Began)), nil
}

// memberFact says how far a member is in a run.
func memberFact(r *workload.Run, m *workload.Member) say.Text {
	if m.End != "" {
		return say.F("the %s of its workload is under way since %s; it ended as \"%s\" (%s)", say.Word(r.Direction), stamp(r.Began), say.Word(m.End), workload.Because(m.Why, m.Detail.Text))
	}
	return say.F("the %s of its workload is under way since %s; it is at \"%s\" and waits (%s)", say.Word(r.Direction), stamp(r.Began), say.Word(m.Step), workload.Because(m.Why, m.Detail.Text))
}
