package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

type fleetList struct {
	Paging
	Sorting

	Q        string   `query:"q" maxLength:"200" doc:"Words that each have to stand in the name, ID, address or tags."`
	Filter   string   `query:"filter" maxLength:"16384" example:"tag:Env=dev,region=eu-*" doc:"A filter, as rules and overrides have it."`
	State    []string `query:"state" maxItems:"100" doc:"Only these states; several with commas between."`
	Wanted   []string `query:"wanted" maxItems:"100" doc:"Only those of which this is wanted: running, stopped, any."`
	Action   []string `query:"action" maxItems:"100" doc:"Only those on which a pass would do this: start, stop, hibernate, reboot, resize, none."`
	Account  []string `query:"account" maxItems:"100" doc:"Only these accounts."`
	Region   []string `query:"region" maxItems:"100" doc:"Only these regions."`
	Kind     []string `query:"kind" maxItems:"100" doc:"Only these kinds."`
	Schedule []string `query:"schedule" maxItems:"100" doc:"Only those of these schedules."`
	Override string   `query:"override" enum:"any,none" doc:"any: only those that an override is in force for; none: only the others."`
}

// ResourcePath names a resource.
type ResourcePath struct {
	Account string `path:"account" maxLength:"64" example:"111122223333" doc:"The account."`
	Region  string `path:"region" maxLength:"64" example:"ap-northeast-2" doc:"The region."`
	Kind    string `path:"kind" maxLength:"64" example:"ec2-instance" doc:"The kind."`
	ID      string `path:"id" maxLength:"1024" example:"i-0abc12345678def90" doc:"The ID in the scope; a slash in it is written %2F."`
}

func (p ResourcePath) ref() fleet.Ref {
	return fleet.Ref{Scope: fleet.Scope{Account: fleet.AccountID(p.Account), Region: fleet.Region(p.Region)}, Kind: fleet.Kind(p.Kind), ID: p.ID}
}

type resourceAt struct {
	ResourcePath

	At time.Time `query:"at" doc:"The instant; absent: now. An instant that is over is answered from the record."`
}

func (s *Surface) fleet() {
	op(s, toRead, operation{id: "getOverview", method: http.MethodGet, path: "/overview", tag: "Fleet", summary: "What runs now, what comes next, and what needs a person"},
		func(ctx context.Context, _ *struct{}) (*answer[service.Overview], error) {
			body, err := s.program.Board().Overview(ctx, who(ctx).within)
			return &answer[service.Overview]{body}, err
		})
	op(s, toRead, operation{
		id: "listResources", method: http.MethodGet, path: "/resources", tag: "Fleet", summary: "List the fleet as it was last seen",
		doc: "Every scheduled resource, with what is wanted of it, what happens next and why. Facets count what other choices of a field would give.",
	},
		func(ctx context.Context, in *fleetList) (*answer[service.FleetPage], error) {
			query := service.FleetQuery{
				Text: in.Q, Within: who(ctx).within, State: in.State, Wanted: in.Wanted, Action: in.Action, Account: in.Account, Region: in.Region,
				Kind: in.Kind, Schedule: in.Schedule, Override: in.Override, Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor,
			}
			if in.Filter != "" {
				filter, err := fleet.ParseFilter(in.Filter)
				if err != nil {
					return nil, stated(invalid, say.Of(err))
				}
				query.Filter = &filter
			}
			body, err := s.program.Board().List(query)
			if err == nil && query.Within != nil {
				body.Gaps = s.visibleGaps(ctx, body.Gaps)
			}
			return &answer[service.FleetPage]{body}, err
		})
	op(s, toRead, operation{id: "getResource", method: http.MethodGet, path: "/resources/{account}/{region}/{kind}/{id}", tag: "Fleet", summary: "Show a resource as it was last seen"},
		func(ctx context.Context, in *ResourcePath) (*answer[service.Resource], error) {
			body, ok := s.program.Board().Resource(in.ref(), who(ctx).within)
			if !ok {
				return nil, noResource(in.ref())
			}
			return &answer[service.Resource]{body}, nil
		})
	op(s, toRead, operation{id: "explainResource", method: http.MethodGet, path: "/resources/{account}/{region}/{kind}/{id}/explain", tag: "Fleet", summary: "Say why a resource is as it is, or was"},
		func(ctx context.Context, in *resourceAt) (*answer[service.Explanation], error) {
			ref := in.ref()
			if !s.seesResource(ctx, ref) {
				return nil, noResource(ref)
			}
			list, err := s.program.Service().Explain(ctx, ref.String(), in.At)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(list, func(e service.Explanation) bool { return e.Ref == ref.String() })
			if at < 0 {
				return nil, noResource(ref)
			}
			keepExplanation(ctx, &list[at])
			return &answer[service.Explanation]{list[at]}, nil
		})
	op(s, toRead, operation{
		id: "explain", method: http.MethodGet, path: "/explain", tag: "Fleet", summary: "Say why what answers to a name is as it is, or was",
		doc: "Several resources may share a name. One that is there no more is explained from the record.",
	},
		func(ctx context.Context, in *struct {
			Target string    `query:"target" required:"true" minLength:"1" maxLength:"2048" example:"api-7" doc:"A resource: its ID, ARN, name or account/region/kind/id."`
			At     time.Time `query:"at" doc:"The instant; absent: now. An instant that is over is answered from the record."`
		},
		) (*answer[[]service.Explanation], error) {
			list, err := s.program.Service().Explain(ctx, in.Target, in.At)
			if who(ctx).within == nil {
				return &answer[[]service.Explanation]{list}, err
			}
			if _, missing := errors.AsType[*service.NotFoundError](err); err != nil && !missing { // that one would name what may not be seen
				return nil, err
			}
			list = slices.DeleteFunc(list, func(e service.Explanation) bool {
				ref, err := fleet.ParseRef(e.Ref)
				return err != nil || !s.seesResource(ctx, ref)
			})
			for i := range list {
				keepExplanation(ctx, &list[i])
			}
			if len(list) == 0 {
				return nil, problem(notFound, "there is no resource that answers to %.300q; it may be gone, or not have been seen yet", in.Target)
			}
			return &answer[[]service.Explanation]{list}, nil
		})
	op(s, toRead, operation{
		id: "getPreview", method: http.MethodGet, path: "/preview", tag: "Fleet", summary: "Tell every start and stop to come, with its reason",
		doc: "With schedule it is the boundaries of that schedule alone. At most 31 days.",
	},
		func(ctx context.Context, in *struct {
			From     time.Time `query:"from" doc:"Absent: now."`
			To       time.Time `query:"to" doc:"Absent: a week after from."`
			Schedule string    `query:"schedule" maxLength:"1024" doc:"The boundaries of this schedule alone."`
		},
		) (*answer[service.Preview], error) {
			body, err := s.preview(ctx, in.From, in.To, in.Schedule)
			return &answer[service.Preview]{body}, err
		})
	op(s, toRead, operation{id: "listAccounts", method: http.MethodGet, path: "/accounts", tag: "Health", summary: "List the accounts and regions that are looked after"},
		func(ctx context.Context, in *Paging) (*answer[List[Account]], error) {
			list, err := s.accounts(ctx)
			if err != nil {
				return nil, err
			}
			body, err := page(list, *in, "", func(a Account) string { return a.ID })
			return &answer[List[Account]]{body}, err
		})
	op(s, toRead, operation{
		id: "getDoctor", method: http.MethodGet, path: "/doctor", tag: "Health", summary: "Say for each account and region what works, and what is missing",
		doc: "Tried without changing anything; the answer may be a minute old.",
	},
		func(ctx context.Context, _ *struct{}) (*answer[[]service.Checkup], error) {
			list, err := s.program.Doctor(ctx)
			if err != nil {
				return nil, err
			}
			if who(ctx).within != nil {
				seen, err := s.sightOf(ctx)
				if err != nil {
					return nil, err
				}
				list = slices.DeleteFunc(slices.Clone(list), func(c service.Checkup) bool { return !seen.scopes[c.Scope] })
			}
			return &answer[[]service.Checkup]{list}, nil
		})
}

func noResource(ref fleet.Ref) error {
	return problem(notFound, "there is no resource %.300q; it may be gone, or not have been seen yet", ref.String())
}

// longestPreview bounds what is told ahead: a month has every boundary of every kind of schedule.
const longestPreview = 31 * 24 * time.Hour

func (s *Surface) preview(ctx context.Context, from, to time.Time, schedule string) (service.Preview, error) {
	if from.IsZero() {
		from = s.program.Now()
	}
	if to.IsZero() {
		to = from.AddDate(0, 0, 7)
	}
	if !to.After(from) {
		return service.Preview{}, problem(invalid, "to has to be after from")
	}
	if to.Sub(from) > longestPreview {
		return service.Preview{}, problem(invalid, "at most 31 days are told ahead; this is %d", int(to.Sub(from).Hours()/24))
	}
	if schedule != "" {
		if err := s.visibleSchedule(ctx, schedule); err != nil {
			return service.Preview{}, err
		}
		return s.program.Service().PreviewSchedule(schedule, from, to)
	}
	preview, err := s.program.Service().Preview(ctx, from, to)
	if err != nil || who(ctx).within == nil {
		return preview, err
	}
	seen, err := s.sightOf(ctx)
	if err != nil {
		return service.Preview{}, err
	}
	mine := map[string]bool{}
	for i := range seen.resources {
		mine[seen.resources[i].Ref] = true
	}
	preview.Events = slices.DeleteFunc(preview.Events, func(e service.PreviewEvent) bool { return !mine[e.Ref] })
	preview.Gaps = s.visibleGaps(ctx, preview.Gaps)
	preview.Cost = service.PreviewCost{Basis: "costs are told of the whole fleet, and your access is bound to a part of it"}
	preview.Estimates = []service.PreviewEstimate{}
	return preview, nil
}

// Account is an account that is looked after.
type Account struct {
	ID      string          `json:"id"`
	Name    string          `json:"name,omitempty" doc:"What people call it."`
	Regions []AccountRegion `json:"regions"`
}

// AccountRegion is a region of an account, with how many resources were seen there.
type AccountRegion struct {
	Region    string `json:"region"`
	Resources int    `json:"resources"`
	// Gap says what could not be listed the last time.
	Gap say.Text `json:"gap,omitzero"`
}

func (s *Surface) accounts(ctx context.Context) ([]Account, error) {
	within := who(ctx).within
	loaded := s.program.Service().Config
	called := map[fleet.AccountID]string{}
	for i := range loaded.Accounts {
		called[loaded.Accounts[i].ID] = loaded.Accounts[i].Name
	}
	var list []Account
	for _, scope := range loaded.Scopes {
		answer, err := s.program.Board().List(service.FleetQuery{Within: within, Account: []string{string(scope.Account)}, Region: []string{string(scope.Region)}, Limit: 1})
		if err != nil {
			return nil, err
		}
		if within != nil && answer.Total == 0 {
			continue
		}
		region := AccountRegion{Region: string(scope.Region), Resources: answer.Total}
		for _, gap := range answer.Gaps {
			if gap.Scope == scope {
				region.Gap = say.Clauses(region.Gap, gap.Text)
			}
		}
		if n := len(list); n == 0 || list[n-1].ID != string(scope.Account) {
			list = append(list, Account{ID: string(scope.Account), Name: called[scope.Account]})
		}
		last := &list[len(list)-1]
		last.Regions = append(last.Regions, region)
	}
	return list, nil
}
