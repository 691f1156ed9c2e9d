package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// objectKind is one kind of object as the API has it.
type objectKind struct {
	kind    store.ObjectKind
	path    string // of the collection
	one     string // in operation IDs
	many    string
	tag     string
	name    string // of an example
	example any
}

var objectKinds = []objectKind{
	{store.ScheduleObject, "/schedules", "Schedule", "Schedules", "Schedules", "seoul-office", map[string]any{"timezone": "Asia/Seoul", "periods": []string{"office", "weekend@t3.small"}, "holidays": []string{"kr"}}},
	{store.PeriodObject, "/periods", "Period", "Periods", "Schedules", "office", map[string]any{"begintime": "09:00", "endtime": "18:00", "weekdays": "mon-fri"}},
	{store.ExceptionObject, "/exceptions", "Exception", "Exceptions", "Dates", "seoul-office:2027-02-05:stop", map[string]any{"schedule": "seoul-office", "date": "2027-02-05", "type": "stop", "value": "21:00", "note": "release"}},
	{store.HolidayObject, "/holidays", "Holiday", "Holidays", "Dates", "company", map[string]any{"builtin": "kr", "days": []map[string]string{{"date": "2027-05-03", "name": "Founding day"}}}},
	{store.WorkloadObject, "/workloads", "Workload", "Workloads", "Workloads", "shop", map[string]any{"schedule": "seoul-office", "tiers": map[string]any{"db": map[string]any{"filters": "tag:Role=DB"}, "web": map[string]any{"filters": "tag:Role=Web", "depends_on": []string{"db"}}}}},
	{store.RuleObject, "/rules", "Rule", "Rules", "Rules", "nightly", map[string]any{"expression": "cron(55 23 * * ? *)", "timezone": "Asia/Seoul", "action": "stop", "filters": "tag:Name=batch"}},
	{store.ReservationObject, "/reservations", "Reservation", "Reservations", "Capacity", "black-friday", map[string]any{"account": "111122223333", "region": "ap-northeast-1", "instance_type": "r5b.2xlarge", "zones": []string{"ap-northeast-1c"}, "count": 15, "from": "2026-11-26T18:00", "to": "2026-11-30T12:00"}},
}

type objectList struct {
	Paging
	Sorting

	Q        string `query:"q" maxLength:"200" doc:"Only those with this text in their name, description or note."`
	Schedule string `query:"schedule" maxLength:"200" doc:"Only those of this schedule: its exceptions, the periods and holiday calendars that it names."`
}

// ObjectPath names an object.
type ObjectPath struct {
	Name string `path:"name" maxLength:"1024" doc:"The name of the object."`
}

type objectPut struct {
	ObjectPath
	Preconditions

	DryRun  bool   `query:"dry_run" doc:"Say what would happen, and change nothing."`
	Confirm bool   `query:"confirm" doc:"A person has seen why the change is to be confirmed."`
	RawBody []byte `contentType:"application/json"`
}

type objectDelete struct {
	ObjectPath
	Preconditions

	DryRun  bool `query:"dry_run" doc:"Say what would happen, and change nothing."`
	Confirm bool `query:"confirm" doc:"A person has seen why the change is to be confirmed."`
}

// Preconditions say what is changed: a version that was seen, or nothing yet.
type Preconditions struct {
	IfMatch     string `header:"If-Match" maxLength:"100" doc:"The ETag of the version that is changed, or * for whichever there is."`
	IfNoneMatch string `header:"If-None-Match" maxLength:"100" doc:"* makes a new object."`
}

// version is what they ask for.
func (p Preconditions) version() (int64, error) {
	switch {
	case p.IfMatch == "" && p.IfNoneMatch == "":
		return 0, problem(invalid, "say what is changed: If-Match with the ETag of the version that you saw, or If-None-Match: * for a new one").with(http.StatusPreconditionRequired)
	case p.IfMatch != "" && p.IfNoneMatch != "":
		return 0, problem(invalid, "If-Match and If-None-Match: give one of them").with(http.StatusBadRequest)
	case p.IfNoneMatch == "*":
		return 0, nil
	case p.IfNoneMatch != "":
		return 0, problem(invalid, "If-None-Match takes * alone").with(http.StatusBadRequest)
	case p.IfMatch == "*":
		return service.PresentVersion, nil
	}
	text, quoted := strings.CutPrefix(p.IfMatch, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !quoted || !closed || version < 1 {
		return 0, problem(invalid, `If-Match %.40q is no ETag of an object: they look like "7"`, p.IfMatch).with(http.StatusBadRequest)
	}
	return version, nil
}

func etag(version int64) string {
	if version < 1 {
		return ""
	}
	return fmt.Sprintf("%q", strconv.FormatInt(version, 10))
}

type answer[T any] struct{ Body T }

type tagged[T any] struct {
	ETag string `header:"ETag" doc:"The version, for If-Match. There is none of an object of the file."`
	Body T
}

func (s *Surface) objects() {
	for _, k := range objectKinds {
		op(s, toRead, operation{
			id: "list" + k.many, method: http.MethodGet, path: k.path, tag: k.tag, summary: "List " + strings.ToLower(k.many),
			doc: "Those of the configuration file (file: true, changed there alone) and those of the store.",
		},
			func(ctx context.Context, in *objectList) (*answer[List[object]], error) {
				list, err := s.visibleObjects(ctx, k.kind)
				if err != nil {
					return nil, err
				}
				list = slices.DeleteFunc(list, func(o object) bool { return !s.asked(o, in) })
				body, err := page(list, in.Paging, in.Sort, func(o object) string { return o.Name },
					by[object]{"name", func(a, b object) int { return strings.Compare(a.Name, b.Name) }},
					by[object]{"changed", func(a, b object) int { return a.Changed.Compare(b.Changed) }},
					by[object]{"author", func(a, b object) int { return strings.Compare(a.Author, b.Author) }})
				return &answer[List[object]]{body}, err
			})
		op(s, toRead, operation{id: "get" + k.one, method: http.MethodGet, path: k.path + "/{name}", tag: k.tag, summary: "Show one, with what it does now and next"},
			func(ctx context.Context, in *ObjectPath) (*tagged[service.ObjectView], error) {
				if err := s.visibleObject(ctx, k.kind, in.Name); err != nil {
					return nil, err
				}
				view, err := s.program.Service().Object(ctx, k.kind, in.Name)
				if err == nil && who(ctx).within != nil {
					view.Notes, view.Gaps = []say.Text{}, s.visibleGaps(ctx, view.Gaps) // notes count resources of everybody
				}
				return &tagged[service.ObjectView]{etag(view.Version), view}, err
			})
		op(s, toEdit, operation{
			id: "put" + k.one, method: http.MethodPut, path: k.path + "/{name}", tag: k.tag, summary: "Make or change one",
			doc: "The answer says what it does to the fleet. With dry_run it says so beforehand and changes nothing. A change that would stop far more " +
				"than the day before is refused as unconfirmed until it comes with confirm.",
			bodies: map[string]*huma.Schema{"application/json": {Ref: "#/components/schemas/" + k.one}}, example: k.example,
		}, func(ctx context.Context, in *objectPut) (*tagged[service.ObjectAnswer], error) {
			return s.changeObject(ctx, k, in.Name, in.Preconditions, json.RawMessage(in.RawBody), in.DryRun, in.Confirm)
		})
		op(s, toEdit, operation{
			id: "delete" + k.one, method: http.MethodDelete, path: k.path + "/{name}", tag: k.tag, summary: "Delete one",
			doc: "What other objects name is not deleted. The answer says what that does to the fleet.",
		},
			func(ctx context.Context, in *objectDelete) (*tagged[service.ObjectAnswer], error) {
				return s.changeObject(ctx, k, in.Name, in.Preconditions, nil, in.DryRun, in.Confirm)
			})
	}
}

// changeObject saves an object, or deletes it where there is no spec.
func (s *Surface) changeObject(ctx context.Context, k objectKind, name string, p Preconditions, spec json.RawMessage, dryRun, confirmed bool) (*tagged[service.ObjectAnswer], error) {
	version, err := p.version()
	if err != nil {
		return nil, err
	}
	remove := spec == nil
	switch held, err := s.heldObject(k.kind, name); {
	case err != nil:
		return nil, err
	case held == nil && remove:
		return nil, problem(notFound, "there is no %s %.200q", say.Word(k.kind), name)
	case held == nil:
	case who(ctx).within != nil && !s.sees(ctx, held):
		return nil, problem(notFound, "there is no %s %.200q", say.Word(k.kind), name)
	case held.File:
		return nil, problem(locked, "%s %q belongs to the configuration file, %s: it is changed there", say.Word(k.kind), name, held.Where)
	}
	if remove && version == 0 {
		return nil, problem(invalid, "a deletion needs If-Match").with(http.StatusPreconditionRequired)
	}
	if !remove {
		if err := checkJSON(spec); err != nil {
			return nil, problem(invalid, "the body is not read: %v", err).with(http.StatusBadRequest)
		}
	}
	if !dryRun {
		if err := s.recheck(ctx, toEdit); err != nil {
			return nil, err
		}
	}
	change := service.ObjectChange{Kind: k.kind, Name: name, Spec: spec, Version: version, Author: who(ctx).Actor(), DryRun: dryRun, Confirmed: confirmed, Within: who(ctx).within}
	var done service.ObjectAnswer
	if remove {
		done, err = s.program.Service().DeleteObject(ctx, change)
	} else {
		done, err = s.program.Service().SaveObject(ctx, change)
	}
	if err != nil {
		return nil, s.unconfirmed(ctx, err, done)
	}
	if done.Saved {
		s.program.Changed()
	}
	tag := etag(done.Object.Version)
	if remove {
		tag = ""
	}
	return &tagged[service.ObjectAnswer]{tag, done}, nil
}

// unconfirmed puts the effect of a change into the problem that it has to be confirmed.
func (s *Surface) unconfirmed(ctx context.Context, err error, done any) error {
	if _, ok := errors.AsType[*service.ConfirmError](err); !ok {
		return err
	}
	p := s.problemOf(ctx, "", err)
	p.Answer = done
	return p
}

// recheck makes sure, right before something is changed, that who asked may still do it.
func (s *Surface) recheck(ctx context.Context, need needs) error {
	a := who(ctx)
	return denied(s.program.Service().RecheckSession(ctx, a.token, a.Principal, need.permission))
}

// heldObject finds an object; nil where there is none.
func (s *Surface) heldObject(kind store.ObjectKind, name string) (*object, error) {
	list, err := s.program.Service().Objects(kind)
	for i := range list {
		if list[i].Name == name {
			return &list[i], err
		}
	}
	return nil, err
}

// asked reports whether a list that is filtered has the object.
func (s *Surface) asked(o object, in *objectList) bool {
	if in.Schedule != "" && !s.partOf(o, map[string]bool{in.Schedule: true}) {
		return false
	}
	if in.Q == "" {
		return true
	}
	var spec struct {
		Description, Note string
	}
	_ = json.Unmarshal(o.Spec, &spec) // of one that is set aside the name alone is looked at
	return strings.Contains(strings.ToLower(o.Name+"\n"+spec.Description+"\n"+spec.Note), strings.ToLower(strings.TrimSpace(in.Q)))
}

// partOf reports whether an object is one of these schedules, or belongs to one.
func (s *Surface) partOf(o object, schedules map[string]bool) bool {
	switch o.Kind {
	case store.ScheduleObject:
		return schedules[o.Name]
	case store.ExceptionObject:
		var spec struct{ Schedule string }
		return json.Unmarshal(o.Spec, &spec) == nil && schedules[spec.Schedule]
	case store.PeriodObject, store.HolidayObject:
		list, err := s.program.Service().Objects(store.ScheduleObject)
		return err == nil && slices.ContainsFunc(list, func(schedule object) bool {
			return schedules[schedule.Name] && slices.Contains(names(schedule.Spec, o.Kind), o.Name)
		})
	}
	return false
}

// names are the periods, or holiday calendars, that the spec of a schedule names.
func names(spec json.RawMessage, kind store.ObjectKind) []string {
	var keys map[string]json.RawMessage
	if json.Unmarshal(spec, &keys) != nil {
		return nil
	}
	key := cmp.Or(map[store.ObjectKind]string{store.PeriodObject: "periods", store.HolidayObject: "holidays"}[kind], "")
	var list []string
	var text string
	if json.Unmarshal(keys[key], &text) == nil {
		list = strings.Split(text, ",")
	} else if json.Unmarshal(keys[key], &list) != nil {
		return nil
	}
	for i := range list {
		name, _, _ := strings.Cut(list[i], "@")
		list[i] = strings.TrimSpace(name)
	}
	return list
}
