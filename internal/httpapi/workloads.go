package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"dayshift/internal/say"
	"dayshift/internal/service"
)

// WorkloadStart says how a workload is to be started.
type WorkloadStart struct {
	Profile string `json:"profile,omitempty" maxLength:"64" doc:"The scaling profile; absent: the workload's own."`
	Reason  string `json:"reason,omitempty" maxLength:"500" doc:"Why, for whoever reads the activity."`
}

// WorkloadStop says why a workload is to be stopped.
type WorkloadStop struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for whoever reads the activity."`
}

// WorkloadOrder says what is to become of the run that is under way.
type WorkloadOrder struct {
	Run    string `json:"run,omitempty" maxLength:"100" doc:"The run that is meant; when another is under way, the order is refused. Absent: whichever is."`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for whoever reads the activity."`
}

// WorkloadResume says how the run that is under way goes on.
type WorkloadResume struct {
	Mode string `json:"mode" enum:"retry,continue,undo" doc:"retry: what failed is tried again; continue: as if it had not failed; undo: what was done is taken back."`
	WorkloadOrder
}

// WorkloadPath names a workload.
type WorkloadPath struct {
	Name string `path:"name" maxLength:"200" doc:"The name of the workload."`
}

func (s *Surface) workloads() {
	op(s, toRead, operation{
		id: "listWorkloadStatus", method: http.MethodGet, path: "/workload-status", tag: "Workloads", summary: "How every workload stands: what is wanted of it, the run that is under way, the one that ended last",
		doc: "Runs are without their members.",
	}, func(ctx context.Context, _ *struct{}) (*answer[service.WorkloadList], error) {
		sees, err := s.workloadSight(ctx)
		if err != nil {
			return nil, err
		}
		body, err := s.program.Service().Workloads(ctx)
		body.Workloads = slices.DeleteFunc(body.Workloads, func(w service.WorkloadView) bool { return !sees.has(w.Name) })
		for i := range body.Workloads {
			sees.trim(body.Workloads[i].Run)
			sees.trim(body.Workloads[i].Last)
		}
		return &answer[service.WorkloadList]{body}, err
	})
	op(s, toRead, operation{
		id: "getWorkloadStatus", method: http.MethodGet, path: "/workloads/{name}/status", tag: "Workloads", summary: "How a workload stands, with the timeline of its run",
	}, func(ctx context.Context, in *WorkloadPath) (*answer[service.WorkloadStatus], error) {
		sees, err := s.visibleWorkload(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		body, err := s.program.Service().WorkloadStatus(ctx, in.Name)
		for _, run := range []*service.WorkloadRun{body.Run, body.Last, body.Timeline} {
			sees.trim(run)
		}
		return &answer[service.WorkloadStatus]{body}, err
	})
	op(s, toRead, operation{
		id: "listWorkloadRuns", method: http.MethodGet, path: "/workloads/{name}/runs", tag: "Workloads", summary: "List the runs of a workload, the newest first",
	}, func(ctx context.Context, in *struct {
		WorkloadPath
		Limit int `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most."`
	},
	) (*answer[service.WorkloadRuns], error) {
		sees, err := s.visibleWorkload(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		body, err := s.program.Service().WorkloadRuns(ctx, in.Name, in.Limit)
		for i := range body.Runs {
			sees.trim(&body.Runs[i])
		}
		return &answer[service.WorkloadRuns]{body}, err
	})
	op(s, toRead, operation{
		id: "getWorkloadRun", method: http.MethodGet, path: "/workloads/{name}/runs/{id}", tag: "Workloads", summary: "Show a run of a workload with its timeline",
	}, func(ctx context.Context, in *struct {
		WorkloadPath
		ID string `path:"id" maxLength:"100" doc:"The ID of the run."`
	},
	) (*answer[service.WorkloadRun], error) {
		sees, err := s.visibleWorkload(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		body, err := s.program.Service().WorkloadRun(ctx, in.ID)
		sees.trim(&body)
		if gone, is := errors.AsType[*service.GoneError](err); is {
			return nil, stated(notFound, gone.Said())
		}
		if err == nil && body.Workload != in.Name {
			return nil, problem(notFound, "workload %.200q has no run %.100q", in.Name, in.ID)
		}
		return &answer[service.WorkloadRun]{body}, err
	})
	s.workloadActions()
}

// workloadActions are what people do with a workload.
func (s *Surface) workloadActions() {
	op(s, toAct, operation{
		id: "startWorkload", method: http.MethodPost, path: "/workloads/{name}/start", tag: "Workloads", summary: "Start a workload, tier by tier", status: http.StatusAccepted,
		doc: "The answer comes at once; the run can be followed at its address. With dry_run it says what the run would do, and nothing is done.", example: map[string]any{"profile": "performant", "reason": "load test"},
	}, func(ctx context.Context, in *struct {
		WorkloadPath
		DryRun bool `query:"dry_run" doc:"Say what would happen, and change nothing."`
		Body   WorkloadStart
	},
	) (*created[service.WorkloadAnswer], error) {
		request := service.WorkloadRequest{Workload: in.Name, Profile: in.Body.Profile, Reason: in.Body.Reason, DryRun: in.DryRun}
		return s.askedWorkload(ctx, request, (*service.Service).StartWorkload)
	})
	op(s, toAct, operation{
		id: "stopWorkload", method: http.MethodPost, path: "/workloads/{name}/stop", tag: "Workloads", summary: "Stop a workload, tier by tier", status: http.StatusAccepted,
		doc: "The answer comes at once; the run can be followed at its address. With dry_run it says what the run would do, and nothing is done.", example: map[string]any{"reason": "done for today"},
	}, func(ctx context.Context, in *struct {
		WorkloadPath
		DryRun bool `query:"dry_run" doc:"Say what would happen, and change nothing."`
		Body   WorkloadStop
	},
	) (*created[service.WorkloadAnswer], error) {
		return s.askedWorkload(ctx, service.WorkloadRequest{Workload: in.Name, Reason: in.Body.Reason, DryRun: in.DryRun}, (*service.Service).StopWorkload)
	})
	op(s, toAct, operation{
		id: "cancelWorkload", method: http.MethodPost, path: "/workloads/{name}/cancel", tag: "Workloads", summary: "Cancel the run that is under way", status: http.StatusAccepted,
		doc: "What was begun ends, nothing else begins, and what was taken out of a load balancer is put back.", example: map[string]any{"reason": "wrong workload"},
	}, func(ctx context.Context, in *struct {
		WorkloadPath
		Body WorkloadOrder
	},
	) (*created[service.WorkloadAnswer], error) {
		return s.orderedWorkload(ctx, in.Name, in.Body, "", (*service.Service).CancelWorkload)
	})
	op(s, toAct, operation{
		id: "resumeWorkload", method: http.MethodPost, path: "/workloads/{name}/resume", tag: "Workloads", summary: "Say how the run that is under way goes on", status: http.StatusAccepted,
		example: map[string]any{"mode": "retry"},
	}, func(ctx context.Context, in *struct {
		WorkloadPath
		Body WorkloadResume
	},
	) (*created[service.WorkloadAnswer], error) {
		return s.orderedWorkload(ctx, in.Name, in.Body.WorkloadOrder, service.ResumeMode(in.Body.Mode), (*service.Service).ResumeWorkload)
	})
}

// askedWorkload asks for a run.
func (s *Surface) askedWorkload(
	ctx context.Context, request service.WorkloadRequest, ask func(*service.Service, context.Context, service.WorkloadRequest) (service.WorkloadAnswer, error),
) (*created[service.WorkloadAnswer], error) {
	if _, err := s.visibleWorkload(ctx, request.Workload); err != nil {
		return nil, err
	}
	if !request.DryRun {
		if err := s.recheck(ctx, toAct); err != nil {
			return nil, err
		}
	}
	request.Author, request.Within = who(ctx).Actor(), who(ctx).within
	body, err := ask(s.program.Service(), ctx, request)
	if err != nil {
		return nil, err
	}
	if request.DryRun {
		return &created[service.WorkloadAnswer]{Status: http.StatusOK, Body: body}, nil
	}
	return s.underWay(request.Workload, body), nil
}

// orderedWorkload asks for something of the run that is under way.
func (s *Surface) orderedWorkload(
	ctx context.Context, name string, order WorkloadOrder, mode service.ResumeMode,
	ask func(*service.Service, context.Context, service.WorkloadOrder) (service.WorkloadAnswer, error),
) (*created[service.WorkloadAnswer], error) {
	if _, err := s.visibleWorkload(ctx, name); err != nil {
		return nil, err
	}
	if err := s.recheck(ctx, toAct); err != nil {
		return nil, err
	}
	body, err := ask(s.program.Service(), ctx, service.WorkloadOrder{
		Workload: name, Run: order.Run, Mode: mode, Reason: order.Reason, Author: who(ctx).Actor(), Within: who(ctx).within,
	})
	if err != nil {
		return nil, err
	}
	return s.underWay(name, body), nil
}

// underWay answers with where a run can be followed, and has it taken up.
func (s *Surface) underWay(name string, body service.WorkloadAnswer) *created[service.WorkloadAnswer] {
	s.program.Changed()
	return &created[service.WorkloadAnswer]{Status: http.StatusAccepted, Location: base + "/workloads/" + url.PathEscape(name) + "/runs/" + url.PathEscape(body.Run), Body: body}
}

// visibleWorkload is an error where there is no such workload, or none that who asks may see.
func (s *Surface) visibleWorkload(ctx context.Context, name string) (workloadSight, error) {
	sees, err := s.workloadSight(ctx)
	if err == nil && (s.program.Service().Book.Workloads.Named(name) == nil || !sees.has(name)) {
		err = problem(notFound, "there is no workload %.200q", name)
	}
	return sees, err
}

// workloadSight is what somebody sees of workloads: everything, or those of which
// they see a member. Of their runs they see those members alone, and how many
// each tier has; whoever acts on a workload may act on all its members.
type workloadSight struct {
	bound bool
	names map[string]bool // of workloads
	refs  map[string]bool // of their members
}

func (s *Surface) workloadSight(ctx context.Context) (workloadSight, error) {
	sees := workloadSight{bound: who(ctx).within != nil, names: map[string]bool{}, refs: map[string]bool{}}
	if !sees.bound {
		return sees, nil
	}
	seen, err := s.sightOf(ctx)
	if err != nil {
		return sees, err
	}
	for _, w := range s.program.Service().Book.Workloads.All() {
		for i := range seen.resources {
			if r := &seen.resources[i]; w.TierOf(r.Fleet()) != nil {
				sees.names[w.Name], sees.refs[r.Ref] = true, true
			}
		}
	}
	return sees, nil
}

func (v *workloadSight) has(name string) bool { return !v.bound || v.names[name] }

// trim takes out of a run what is not to be seen. What it says of a tier or of
// exceptions can name any member.
func (v *workloadSight) trim(r *service.WorkloadRun) {
	if r == nil || !v.bound {
		return
	}
	r.Exceptions, r.Why = []say.Text{}, say.Text{}
	for i := range r.Tiers {
		t := &r.Tiers[i]
		t.Detail = say.Text{}
		t.Members = slices.DeleteFunc(slices.Clone(t.Members), func(m service.WorkloadRunMember) bool { return !v.refs[m.Ref] })
	}
	v.trim(r.Back)
}
