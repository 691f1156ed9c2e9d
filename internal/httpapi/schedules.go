package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"dayshift/internal/service"
	"dayshift/internal/store"
)

// yamlBodies are the content types of a body that is YAML, of which JSON is a part.
func yamlBodies() map[string]*huma.Schema {
	text := &huma.Schema{Type: huma.TypeString, Description: "YAML, as in a configuration file."}
	return map[string]*huma.Schema{"application/yaml": text, "text/yaml": text, "text/plain": text, "application/json": {}}
}

// TextBody is a body that is a text.
type TextBody struct {
	RawBody []byte `contentType:"application/yaml"`
}

func (s *Surface) visibleSchedule(ctx context.Context, name string) error {
	return s.visibleObject(ctx, store.ScheduleObject, name)
}

func (s *Surface) schedules() {
	op(s, toRead, operation{id: "getScheduleCalendar", method: http.MethodGet, path: "/schedules/{name}/calendar", tag: "Schedules", summary: "Draw local weeks of a schedule, in half hours"},
		func(ctx context.Context, in *struct {
			ObjectPath

			Date  string `query:"date" maxLength:"10" example:"2027-02-05" doc:"A date of the first week; absent: today on the schedule's clock."`
			Weeks int    `query:"weeks" minimum:"1" maximum:"53" default:"1" doc:"How many weeks."`
		},
		) (*answer[[]service.ScheduleWeek], error) {
			if err := s.visibleSchedule(ctx, in.Name); err != nil {
				return nil, err
			}
			body, err := s.program.Service().Weeks(in.Name, in.Date, in.Weeks)
			return &answer[[]service.ScheduleWeek]{body}, err
		})
	op(s, toRead, operation{id: "explainSchedule", method: http.MethodGet, path: "/schedules/{name}/explain", tag: "Schedules", summary: "Say what a schedule wants at an instant, and after"},
		func(ctx context.Context, in *struct {
			ObjectPath

			At time.Time `query:"at" doc:"The instant; absent: now."`
		},
		) (*answer[service.ScheduleExplanation], error) {
			if err := s.visibleSchedule(ctx, in.Name); err != nil {
				return nil, err
			}
			body, err := s.program.Service().ExplainSchedule(in.Name, in.At)
			return &answer[service.ScheduleExplanation]{body}, err
		})
	op(s, toRead, operation{
		id: "checkSchedule", method: http.MethodPost, path: "/schedules/check", tag: "Schedules", summary: "Check a schedule that is being written",
		doc:     "Says what is wrong with it, what its week looks like, and what saving it would do. Nothing is changed.",
		example: map[string]any{"name": "seoul-night", "schedule": map[string]any{"periods": []string{"night"}}, "periods": map[string]any{"night": map[string]any{"begintime": "22:00", "endtime": "06:00"}}},
	}, func(ctx context.Context, in *struct {
		Body service.ScheduleDraft
	},
	) (*answer[service.ScheduleCheck], error) {
		in.Body.Within = who(ctx).within
		body, err := s.program.Service().CheckSchedule(ctx, in.Body)
		return &answer[service.ScheduleCheck]{body}, err
	})
	op(s, toRead, operation{
		id: "checkRule", method: http.MethodPost, path: "/rules/check", tag: "Rules", summary: "Check a rule that is being written",
		doc:     "Says what is wrong with it, what its filter matches now, and its next instants in words. Nothing is changed.",
		example: map[string]any{"name": "nightly", "rule": map[string]any{"expression": "cron(55 23 * * ? *)", "action": "stop", "filters": "tag:Name=batch"}},
	}, func(ctx context.Context, in *struct {
		Body service.RuleDraft
	},
	) (*answer[service.RuleCheck], error) {
		in.Body.Within = who(ctx).within
		body, err := s.program.Service().CheckRule(ctx, in.Body)
		return &answer[service.RuleCheck]{body}, err
	})
	op(s, toRead, operation{
		id: "eval", method: http.MethodPost, path: "/eval", tag: "Schedules", summary: "Answer one question about calendars",
		doc:     "What a schedule wants at an instant, which days or months an expression names, or when one fires: as `dayshift eval` answers a line. What is refused is an answer with an error.",
		bodies:  map[string]*huma.Schema{"application/json": {Type: huma.TypeObject, AdditionalProperties: true}},
		example: map[string]any{"expression": "cron(55 14 * * ? *)", "timezone": "Asia/Seoul", "from": "2027-02-01T00:00:00Z", "to": "2027-02-08T00:00:00Z"},
	}, func(_ context.Context, in *struct {
		RawBody []byte `contentType:"application/json"`
	},
	) (*answer[service.Answer], error) {
		if err := checkJSON(in.RawBody); err != nil {
			return nil, problem(invalid, "the body is not read: %v", err).with(http.StatusBadRequest)
		}
		return &answer[service.Answer]{service.Eval(in.RawBody)}, nil
	})
}

func (s *Surface) configuration() {
	op(s, toRead, operation{
		id: "validate", method: http.MethodPost, path: "/validate", tag: "Configuration", summary: "Check a configuration file",
		doc:    "Says everything that is wrong with it. Neither the environment nor files of the server are looked at: secrets are stood in for, and calendars in files are a fault.",
		bodies: yamlBodies(), maxBody: maxFileBody,
	},
		func(_ context.Context, in *TextBody) (*answer[service.Validity], error) {
			body, err := s.program.Service().ValidateText(in.RawBody)
			return &answer[service.Validity]{body}, err
		})
	op(s, toRead, operation{
		id: "diff", method: http.MethodPost, path: "/diff", tag: "Configuration", summary: "Say what another configuration file would change",
		doc:    "Compares it with the one in force: the values that change, and what that does to the fleet. Values of secrets are not compared.",
		bodies: yamlBodies(), maxBody: maxFileBody,
	},
		func(ctx context.Context, in *TextBody) (*answer[service.DiffAnswer], error) {
			if err := unbound(ctx); err != nil {
				return nil, err
			}
			body, err := s.program.Service().DiffText(ctx, in.RawBody)
			return &answer[service.DiffAnswer]{body}, err
		})
	op(s, toEdit, operation{
		id: "apply", method: http.MethodPost, path: "/apply", tag: "Configuration", summary: "Make the objects of the store those of a file",
		doc:    "The file has the sections periods, holidays, schedules, exceptions, rules and reservations. Everything is checked first, and its effect is told as one; where something is wrong, nothing is written.",
		bodies: yamlBodies(), maxBody: maxFileBody,
	},
		func(ctx context.Context, in *struct {
			TextBody

			Prune   bool `query:"prune" doc:"Delete the store's objects that are not in the file."`
			DryRun  bool `query:"dry_run" doc:"Say what would happen, and change nothing."`
			Confirm bool `query:"confirm" doc:"A person has seen why the change is to be confirmed."`
		},
		) (*answer[service.ApplyAnswer], error) {
			if in.Prune { // it would delete what they can not see
				if err := unbound(ctx); err != nil {
					return nil, err
				}
			}
			if !in.DryRun {
				if err := s.recheck(ctx, toEdit); err != nil {
					return nil, err
				}
			}
			body, err := s.program.Service().ApplyText(ctx, in.RawBody, service.ApplyRequest{Prune: in.Prune, Author: who(ctx).Actor(), DryRun: in.DryRun, Confirmed: in.Confirm, Within: who(ctx).within})
			for i := range body.Objects {
				if body.Objects[i].Saved {
					s.program.Changed()
					break
				}
			}
			if _, part := errors.AsType[*service.PartError](err); part { // what was written is to be known
				p := s.problemOf(ctx, "apply", err)
				p.Answer = body
				return nil, p
			}
			if err != nil {
				return nil, s.unconfirmed(ctx, err, body)
			}
			return &answer[service.ApplyAnswer]{body}, nil
		})
	op(s, toRead, operation{id: "export", method: http.MethodGet, path: "/export", tag: "Configuration", summary: "Write the objects of the store as a file that apply takes", answers: []string{"application/yaml"}},
		func(ctx context.Context, in *struct {
			Kind []store.ObjectKind `query:"kind" enum:"schedule,period,exception,holiday,rule,reservation" maxItems:"6" doc:"Only these kinds; several with commas between."`
			All  bool               `query:"all" doc:"The objects of the configuration file too."`
		},
		) (*download, error) {
			if err := unbound(ctx); err != nil {
				return nil, err
			}
			text, err := s.program.Service().Export(in.All, in.Kind...)
			return &download{ContentType: "application/yaml; charset=utf-8", Disposition: `attachment; filename="dayshift-objects.yaml"`, Body: text}, err
		})
}

// download is an answer that is a file.
type download struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}
