package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// RunRequest says what a pass is to look at.
type RunRequest struct {
	Scopes []fleet.Scope `json:"scopes,omitempty" maxItems:"1000" doc:"These accounts and regions; absent: all."`
}

// RunStarted is a run that goes on, to be followed at its address.
type RunStarted struct {
	ID string `json:"id"`
}

// mostRuns is how many runs a list goes back: at a pass a minute some five days.
const mostRuns = 8000

func (s *Surface) runs() {
	op(s, toRead, operation{id: "listRuns", method: http.MethodGet, path: "/runs", tag: "Activity", summary: "List the passes, the newest first"},
		func(ctx context.Context, in *Paging) (*answer[List[store.Run]], error) {
			if who(ctx).within != nil { // the numbers of a pass are of the whole fleet
				return &answer[List[store.Run]]{}, nil
			}
			list, err := s.program.Service().Store.Runs(ctx, mostRuns)
			if err != nil {
				return nil, err
			}
			body, err := page(list, *in, "", func(r store.Run) string { return r.ID })
			return &answer[List[store.Run]]{body}, err
		})
	op(s, toRead, operation{id: "getRun", method: http.MethodGet, path: "/runs/{id}", tag: "Activity", summary: "Show a pass"},
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"100" doc:"The ID of the run."`
		},
		) (*answer[store.Run], error) {
			if who(ctx).within != nil {
				return nil, problem(notFound, "there is no run %.60q", in.ID)
			}
			run, err := s.program.Service().Store.Run(ctx, in.ID)
			return &answer[store.Run]{run}, err
		})
	op(s, toAct, operation{
		id: "createRun", method: http.MethodPost, path: "/runs", tag: "Activity", summary: "Make a pass now", status: http.StatusAccepted,
		doc: "The answer comes at once; the run can be followed at its address.", example: map[string]any{"scopes": []map[string]string{{"account": "111122223333", "region": "ap-northeast-2"}}},
	},
		func(ctx context.Context, in *struct {
			Body RunRequest
		},
		) (*created[RunStarted], error) {
			if err := unbound(ctx); err != nil {
				return nil, err
			}
			known := map[fleet.Scope]bool{}
			for _, scope := range s.program.Service().Config.Scopes {
				known[scope] = true
			}
			for _, scope := range in.Body.Scopes {
				if !known[scope] {
					return nil, problem(invalid, "%.120s is not looked after: it is not in the configuration", scope)
				}
			}
			if err := s.recheck(ctx, toAct); err != nil {
				return nil, err
			}
			id, err := s.program.RunNow(ctx, in.Body.Scopes, who(ctx).Actor())
			return &created[RunStarted]{Status: http.StatusAccepted, Location: base + "/runs/" + id, Body: RunStarted{id}}, err
		})
	op(s, toAct, operation{id: "confirmHeld", method: http.MethodPost, path: "/held/confirm", tag: "Activity", summary: "Have what the limits hold back done", status: http.StatusNoContent},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			if err := unbound(ctx); err != nil {
				return nil, err
			}
			if err := s.recheck(ctx, toAct); err != nil {
				return nil, err
			}
			return nil, s.program.Confirm(ctx, who(ctx).Actor())
		})
}

// wall is the clock of keys and sessions, whatever that of a demo says.
func wall() time.Time { return time.Now() } //nolint:forbidigo // who asks lives by the wall

func compareFold(a, b string) int {
	return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
}

// later compares instants of which nil is before all others.
func later(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}
