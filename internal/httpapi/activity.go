package httpapi

import (
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// ActivityQuery is what the record is filtered by.
type ActivityQuery struct {
	Actor    string    `query:"actor" maxLength:"200" doc:"Only what this actor did: dayshift, or who asked."`
	Event    []string  `query:"event" maxItems:"40" doc:"Only these events; several with commas between."`
	Run      string    `query:"run" maxLength:"100" doc:"Only what this run did."`
	Ref      string    `query:"ref" maxLength:"1200" example:"111122223333/ap-northeast-2/ec2-instance/i-0abc12345678def90" doc:"Only what is about this resource."`
	Schedule string    `query:"schedule" maxLength:"1024" doc:"Only what is about this schedule and its resources."`
	About    string    `query:"about" maxLength:"1024" doc:"Only rows about the resource of this ID or name, or about this schedule."`
	From     time.Time `query:"from" doc:"Only what was at this time or later."`
	To       time.Time `query:"to" doc:"Only what was before this time."`
	Q        string    `query:"q" maxLength:"200" doc:"Only rows with this text in their name, resource, actor, reason or detail."`
	Order    string    `query:"order" enum:"desc,asc" default:"desc" doc:"desc: the newest first."`
}

// ActivityList is a page of the record.
type ActivityList struct {
	Items []store.Activity `json:"items"`
	// Total is how many rows the record has; absent where only some of them are asked for.
	Total int64  `json:"total,omitempty"`
	Next  string `json:"next" doc:"The cursor of the next page; empty on the last one. A page can have fewer rows than were asked for and a next all the same: the record is looked through a stretch at a time."`
}

func (s *Surface) activity() {
	op(s, toRead, operation{id: "listActivity", method: http.MethodGet, path: "/activity", tag: "Activity", summary: "Show the record of everything decided, done, refused or changed"},
		func(ctx context.Context, in *struct {
			Paging
			ActivityQuery
		},
		) (*answer[ActivityList], error) {
			body, err := s.rows(ctx, &in.ActivityQuery, in.Limit, in.Cursor)
			return &answer[ActivityList]{body}, err
		})
	op(s, toRead, operation{
		id: "exportActivity", method: http.MethodGet, path: "/activity.csv", tag: "Activity", summary: "Write the record as CSV",
		doc: "At most 100,000 rows; narrow it by from and to for more.", answers: []string{"text/csv"}, streams: true,
	},
		func(ctx context.Context, in *ActivityQuery) (*huma.StreamResponse, error) {
			if _, err := s.selector(ctx, in); err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(out huma.Context) { s.activityCSV(ctx, out, in) }}, nil
		})
	op(s, toRead, operation{id: "verifyActivity", method: http.MethodGet, path: "/activity/verify", tag: "Activity", summary: "Check that no row of the record was changed, removed or put in"},
		func(ctx context.Context, _ *struct{}) (*answer[store.Verification], error) {
			if err := unbound(ctx); err != nil {
				return nil, err
			}
			body, err := s.program.Service().Store.Verify(ctx)
			return &answer[store.Verification]{body}, err
		})
}

// selected is a query of the store, with what the store does not select itself.
type selected struct {
	store.ActivityQuery

	keep func(*store.Activity) bool // nil: everything
}

func (s *Surface) selector(ctx context.Context, in *ActivityQuery) (selected, error) {
	q := selected{ActivityQuery: store.ActivityQuery{From: in.From, To: in.To, Text: in.About}}
	if in.Ref != "" {
		ref, err := fleet.ParseRef(in.Ref)
		if err != nil {
			return q, stated(invalid, say.Of(err))
		}
		if !s.seesResource(ctx, ref) {
			return q, noResource(ref)
		}
		q.Ref = ref
	}
	if len(in.Event) == 1 {
		q.Event = store.Event(in.Event[0])
	}
	var keeps []func(*store.Activity) bool
	if len(in.Event) > 1 {
		keeps = append(keeps, func(a *store.Activity) bool { return slices.Contains(in.Event, string(a.Event)) })
	}
	if in.Actor != "" {
		keeps = append(keeps, func(a *store.Activity) bool { return a.Actor == in.Actor })
	}
	if in.Run != "" {
		keeps = append(keeps, func(a *store.Activity) bool { return a.Run == in.Run })
	}
	if in.Schedule != "" {
		keeps = append(keeps, func(a *store.Activity) bool {
			return a.Schedule == in.Schedule || a.Event == store.EventObject && a.Name == in.Schedule
		})
	}
	if text := strings.ToLower(strings.TrimSpace(in.Q)); text != "" {
		keeps = append(keeps, func(a *store.Activity) bool {
			return strings.Contains(strings.ToLower(strings.Join([]string{a.Name, a.Ref.ID, a.Schedule, a.Actor, a.Reason, a.Detail, string(a.Event)}, "\n")), text)
		})
	}
	if who(ctx).within != nil {
		// What is about no resource is about everybody's.
		keeps = append(keeps, func(a *store.Activity) bool { return a.Ref != fleet.Ref{} && s.seesResource(ctx, a.Ref) })
	}
	if keeps != nil {
		q.keep = func(a *store.Activity) bool {
			for _, keep := range keeps {
				if !keep(a) {
					return false
				}
			}
			return true
		}
	}
	return q, nil
}

// How much of the record one request looks through: some 50 ms of a warm database.
const (
	rowsAtOnce  = 2000
	mostScanned = 40_000
)

// rows gives a page. Rows are numbered without a gap, so that a page before
// another one can be asked for by numbers.
func (s *Surface) rows(ctx context.Context, in *ActivityQuery, limit int, cursor string) (ActivityList, error) {
	body := ActivityList{Items: []store.Activity{}}
	q, err := s.selector(ctx, in)
	if err != nil {
		return body, err
	}
	activities := s.program.Service().Store
	newest, err := activities.Activity(ctx, store.ActivityQuery{Last: true, Limit: 1})
	if err != nil || len(newest) == 0 {
		return body, err
	}
	head := newest[0].Seq
	if q.keep == nil && q.Ref == (fleet.Ref{}) && q.Text == "" && q.Event == "" && q.From.IsZero() && q.To.IsZero() {
		body.Total = head
	}
	at, upwards := head+1, in.Order == "asc" // downwards: the row below which it goes on
	if upwards {
		at = 0
	}
	if cursor != "" {
		if at, err = strconv.ParseInt(cursor, 10, 64); err != nil || at < 0 {
			return body, problem(invalid, "the cursor %.40q is none of this list: take the next of the page before, as it is", cursor)
		}
		at = min(at, head+1)
	}
	for scanned := int64(0); len(body.Items) < limit && scanned < mostScanned; scanned += rowsAtOnce {
		from, to := at, at+rowsAtOnce // rows (from, to]
		if !upwards {
			from, to = max(0, at-1-rowsAtOnce), at-1
		}
		to = min(to, head)
		if from >= to {
			at = 0
			break
		}
		part, err := s.stretch(ctx, q, from, to, limit-len(body.Items), !upwards)
		if err != nil {
			return body, err
		}
		body.Items = append(body.Items, part...)
		if at = to; !upwards {
			at = from + 1
		}
		if len(body.Items) >= limit {
			at = body.Items[len(body.Items)-1].Seq
		}
	}
	if upwards && at > 0 && at < head || !upwards && at > 1 {
		body.Next = strconv.FormatInt(at, 10)
	}
	return body, nil
}

// stretch gives at most limit of the rows (from, to] that are selected, the oldest first or backwards.
func (s *Surface) stretch(ctx context.Context, q selected, from, to int64, limit int, backwards bool) ([]store.Activity, error) {
	q.After, q.Limit = from, int(to-from)
	rows, err := s.program.Service().Store.Activity(ctx, q.ActivityQuery)
	if err != nil {
		return nil, err
	}
	if backwards {
		slices.Reverse(rows)
	}
	var kept []store.Activity
	for i := range rows {
		if rows[i].Seq > to || q.keep != nil && !q.keep(&rows[i]) {
			continue
		}
		if len(kept) == limit {
			break
		}
		kept = append(kept, rows[i])
	}
	return kept, nil
}

// mostExported bounds a file of the record.
const mostExported = 100_000

// activityCSV writes rows as they are read, so that a long record needs no memory.
func (s *Surface) activityCSV(ctx context.Context, out huma.Context, in *ActivityQuery) {
	out.SetHeader("Content-Type", "text/csv; charset=utf-8")
	out.SetHeader("Content-Disposition", `attachment; filename="dayshift-activity.csv"`)
	w := csv.NewWriter(out.BodyWriter())
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = inert(cells[i])
		}
		_ = w.Write(cells) // its error stays and is seen below
	}
	write("seq", "at", "event", "actor", "account", "region", "kind", "id", "name", "schedule", "reason", "detail", "run")
	cursor := ""
	for written := 0; written < mostExported && w.Error() == nil; {
		list, err := s.rows(ctx, in, min(maxPage, mostExported-written), cursor)
		if err != nil {
			s.log.WarnContext(ctx, "an export of the record was cut short", "error", err)
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
		for i := range list.Items {
			a := &list.Items[i]
			write(strconv.FormatInt(a.Seq, 10), a.At.UTC().Format(time.RFC3339), string(a.Event), a.Actor, string(a.Ref.Scope.Account), string(a.Ref.Scope.Region),
				string(a.Ref.Kind), a.Ref.ID, a.Name, a.Schedule, a.Reason, a.Detail, a.Run)
		}
		w.Flush()
		s.extend(out)
		if cursor = list.Next; cursor == "" {
			break
		}
		written += len(list.Items)
	}
	w.Flush()
}

// inert keeps spreadsheets from taking a cell for a formula. What looks like a
// number with a sign stays one.
func inert(cell string) string {
	cell = strings.ReplaceAll(cell, "\x00", "")
	if strings.IndexAny(cell, "=+-@\t\r\n") == 0 {
		return "'" + cell
	}
	return cell
}
