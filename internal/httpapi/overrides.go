package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// OverrideRequest is a person's decision for a while.
type OverrideRequest struct {
	Target   string `json:"target" minLength:"1" maxLength:"16384" example:"schedule:seoul-office" doc:"A resource (ID, ARN, name or account/region/kind/id), the name of a schedule or workload, or a filter; resource:NAME, schedule:NAME, workload:NAME and filter:TEXT say which."`
	State    string `json:"state" enum:"running,stopped" doc:"What it is to be kept in."`
	For      string `json:"for,omitempty" maxLength:"40" example:"2h" doc:"How long from now."`
	Until    string `json:"until,omitempty" maxLength:"60" example:"2027-02-05T22:00:00+09:00" doc:"When it ends: a time, a time of day such as 22:00 on the clock of the target's schedule, a distance such as +2h, or next."`
	Boundary bool   `json:"boundary,omitempty" doc:"It ends at the next instant at which the schedule wants the opposite. So it does where nothing else is said."`
	Once     bool   `json:"once,omitempty" doc:"It ends for each resource as soon as that has been in the state."`
	Reason   string `json:"reason,omitempty" maxLength:"1000" doc:"Why, for the record and for whoever asks."`
}

// OverrideChange is another end of an override.
type OverrideChange struct {
	For       string `json:"for,omitempty" maxLength:"40" example:"2h" doc:"How long from now."`
	Until     string `json:"until,omitempty" maxLength:"60" example:"22:00" doc:"When it ends: a time, a time of day, a distance such as +2h, or next."`
	Boundary  bool   `json:"boundary,omitempty" doc:"It ends at the next instant at which the schedule wants the opposite."`
	Direction string `json:"direction,omitempty" enum:"later,earlier" doc:"Refuse it where the end would move the other way."`
}

// OverridePath names an override.
type OverridePath struct {
	ID string `path:"id" maxLength:"16384" doc:"The ID of the override, as much of its beginning as tells it apart, or its last four characters. For those who are not bound to a filter also its target, as it was given; a slash in it is written %2F."`
}

func (s *Surface) overrides() {
	op(s, toRead, operation{id: "listOverrides", method: http.MethodGet, path: "/overrides", tag: "Overrides", summary: "List the overrides in force, in the order in which they count"},
		func(ctx context.Context, _ *struct{}) (*answer[service.OverrideList], error) {
			body, err := s.visibleOverrides(ctx)
			return &answer[service.OverrideList]{body}, err
		})
	op(s, toRead, operation{id: "getOverride", method: http.MethodGet, path: "/overrides/{id}", tag: "Overrides", summary: "Show what an override does to each resource, and what follows at its end"},
		func(ctx context.Context, in *OverridePath) (*tagged[service.OverrideAnswer], error) {
			id, err := s.override(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			body, err := s.program.Service().Override(ctx, id)
			if err == nil {
				err = s.keepInside(ctx, &body)
			}
			return &tagged[service.OverrideAnswer]{etag(body.Override.Version), body}, err
		})
	op(s, toAct, operation{
		id: "createOverride", method: http.MethodPost, path: "/overrides", tag: "Overrides", summary: "Keep resources running, or stopped, for a while", status: http.StatusCreated,
		doc:     "Whatever the schedules say, and nobody's schedule is changed. With dry_run the answer says what would happen and nothing is changed.",
		example: map[string]any{"target": "schedule:seoul-office", "state": "running", "for": "2h", "reason": "release"},
	}, func(ctx context.Context, in *struct {
		DryRun bool `query:"dry_run" doc:"Say what would happen, and change nothing."`
		Body   OverrideRequest
	},
	) (*created[service.OverrideAnswer], error) {
		end, err := service.ParseEnd(in.Body.For, in.Body.Until, in.Body.Boundary, s.program.Now())
		if err != nil {
			return nil, err
		}
		state := calendar.Running
		if in.Body.State == calendar.Stopped.String() {
			state = calendar.Stopped
		}
		if !in.DryRun {
			if err := s.recheck(ctx, toAct); err != nil {
				return nil, err
			}
		}
		body, err := s.program.Service().SetOverride(ctx, service.OverrideRequest{
			Target: in.Body.Target, State: state, End: end, Once: in.Body.Once, Reason: in.Body.Reason, Author: who(ctx).Actor(), DryRun: in.DryRun, Within: who(ctx).within,
		})
		if err != nil {
			return nil, err
		}
		out := &created[service.OverrideAnswer]{Status: http.StatusOK, Body: body}
		if !in.DryRun {
			s.program.Changed()
			out.Status, out.Location, out.ETag = http.StatusCreated, base+"/overrides/"+body.Override.ID, etag(body.Override.Version)
		}
		return out, nil
	})
	op(s, toAct, operation{
		id: "changeOverride", method: http.MethodPatch, path: "/overrides/{id}", tag: "Overrides", summary: "Move the end of an override",
		doc: "With If-Match that version is changed and no other.", example: map[string]any{"until": "22:00"},
	},
		func(ctx context.Context, in *struct {
			OverridePath

			IfMatch string `header:"If-Match" maxLength:"100" doc:"The ETag of the version that is changed."`
			DryRun  bool   `query:"dry_run" doc:"Say what would happen, and change nothing."`
			Body    OverrideChange
		},
		) (*tagged[service.OverrideAnswer], error) {
			end, err := service.ParseEnd(in.Body.For, in.Body.Until, in.Body.Boundary, s.program.Now())
			if err != nil {
				return nil, err
			}
			version, id, err := s.overrideVersion(ctx, in.ID, in.IfMatch)
			if err == nil && !in.DryRun {
				err = s.recheck(ctx, toAct)
			}
			if err != nil {
				return nil, err
			}
			body, err := s.program.Service().ChangeOverride(ctx, service.OverrideChange{
				Target: id, Version: version, End: end, Direction: service.Direction(in.Body.Direction), Author: who(ctx).Actor(), DryRun: in.DryRun, Within: who(ctx).within,
			})
			if err == nil && !in.DryRun {
				s.program.Changed()
			}
			return &tagged[service.OverrideAnswer]{etag(body.Override.Version), body}, err
		})
	op(s, toAct, operation{id: "clearOverride", method: http.MethodDelete, path: "/overrides/{id}", tag: "Overrides", summary: "Take an override away before its time; the schedules count again"},
		func(ctx context.Context, in *struct {
			OverridePath

			IfMatch string `header:"If-Match" maxLength:"100" doc:"The ETag of the version that is cleared."`
			DryRun  bool   `query:"dry_run" doc:"Say what would happen, and change nothing."`
		},
		) (*answer[service.ClearedOverrides], error) {
			version, id, err := s.overrideVersion(ctx, in.ID, in.IfMatch)
			if err == nil && !in.DryRun {
				err = s.recheck(ctx, toAct)
			}
			if err != nil {
				return nil, err
			}
			body, err := s.program.Service().ClearOverride(ctx, service.OverrideClear{Target: id, Version: version, Author: who(ctx).Actor(), DryRun: in.DryRun, Within: who(ctx).within})
			if len(body.Cleared) > 0 && !in.DryRun {
				s.program.Changed()
			}
			return &answer[service.ClearedOverrides]{body}, err
		})
}

// clearOverrides is beside the operations on one.
func (s *Surface) clearOverrides() {
	op(s, toAct, operation{id: "clearOverrides", method: http.MethodDelete, path: "/overrides", tag: "Overrides", summary: "Take every override away; the schedules count again"},
		func(ctx context.Context, in *struct {
			DryRun bool `query:"dry_run" doc:"Say what would happen, and change nothing."`
		},
		) (*answer[service.ClearedOverrides], error) {
			if err := unbound(ctx); err != nil {
				return nil, err
			}
			if !in.DryRun {
				if err := s.recheck(ctx, toAct); err != nil {
					return nil, err
				}
			}
			body, err := s.program.Service().ClearOverride(ctx, service.OverrideClear{All: true, Author: who(ctx).Actor(), DryRun: in.DryRun})
			if len(body.Cleared) > 0 && !in.DryRun {
				s.program.Changed()
			}
			return &answer[service.ClearedOverrides]{body}, err
		})
}

// created is the answer to what makes something new.
type created[T any] struct {
	Status   int
	Location string `header:"Location" doc:"Where it is; absent of a dry run."`
	ETag     string `header:"ETag" doc:"The version, for If-Match."`
	Body     T
}

// overrideVersion is the version that is to be changed (0: the present one), and the ID of the override.
func (s *Surface) overrideVersion(ctx context.Context, id, ifMatch string) (int64, string, error) {
	id, err := s.override(ctx, id)
	if err != nil || ifMatch == "" || ifMatch == "*" {
		return 0, id, err
	}
	version, err := Preconditions{IfMatch: ifMatch}.version()
	return version, id, err
}

// override finds the whole ID of an override that who asks may see.
func (s *Surface) override(ctx context.Context, id string) (string, error) {
	list, err := s.visibleOverrides(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for i := range list.Overrides {
		switch whole := list.Overrides[i].ID; {
		case whole == id:
			return whole, nil
		case len(id) >= 4 && (strings.HasPrefix(whole, id) || strings.HasSuffix(whole, id)):
			found = append(found, whole)
		}
	}
	if len(found) == 0 && who(ctx).within == nil && !strings.HasPrefix(id, "o-") {
		return id, nil // a target; the service knows whether there is one
	}
	if len(found) != 1 {
		return "", problem(notFound, "there is no override %.60q in force, or several begin so", id)
	}
	return found[0], nil
}

// visibleOverrides are those that concern something that who asks may see; of
// others they do not learn how much they are for.
func (s *Surface) visibleOverrides(ctx context.Context) (service.OverrideList, error) {
	list, err := s.program.Service().ListOverrides(ctx)
	if err != nil || who(ctx).within == nil {
		return list, err
	}
	seen, err := s.sightOf(ctx)
	if err != nil {
		return service.OverrideList{}, err
	}
	list.Gaps = s.visibleGaps(ctx, list.Gaps)
	list.Overrides = slices.DeleteFunc(list.Overrides, func(o service.OverrideView) bool { return !s.seesOverride(&seen, &o) })
	for i := range list.Overrides {
		list.Overrides[i].Covers, list.Overrides[i].Counts = 0, 0
	}
	return list, nil
}

// keepInside leaves of an answer about an override what who asks may see.
func (s *Surface) keepInside(ctx context.Context, a *service.OverrideAnswer) error {
	if who(ctx).within == nil {
		return nil
	}
	seen, err := s.sightOf(ctx)
	if err != nil {
		return err
	}
	a.Resources = slices.DeleteFunc(a.Resources, func(l service.OverrideLine) bool {
		return !slices.ContainsFunc(seen.resources, func(r service.Resource) bool { return r.Ref == l.Ref })
	})
	a.Others = slices.DeleteFunc(a.Others, func(o service.OverrideView) bool { return !s.seesOverride(&seen, &o) })
	a.Gaps = s.visibleGaps(ctx, a.Gaps)
	a.Matches, a.Override.Covers, a.Override.Counts = len(a.Resources), len(a.Resources), 0
	a.Sentences, a.Effect = []say.Text{}, service.Effect{At: a.At, Until: a.At}
	return nil
}

// targetOf takes apart the target of an override as it is shown.
func targetOf(target string) (kind, name string) {
	for _, kind := range []string{"schedule", "workload", "filter"} {
		if name, ok := strings.CutPrefix(target, kind+":"); ok {
			return kind, name
		}
	}
	return "resource", target
}
