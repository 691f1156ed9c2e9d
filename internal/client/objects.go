package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// object is an object as it travels: its fault is a list, which service.Object has as an error.
type object struct {
	service.Object

	Fault service.ObjectFaults `json:"fault"`
}

func (o *object) object() service.Object {
	held := o.Object
	if len(o.Fault) > 0 {
		held.Fault = o.Fault
	}
	return held
}

// list is a page of a list.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// page is the longest page that there is.
const page = "500"

// all asks for page after page of a list.
func all[T any](ctx context.Context, c *Client, q call) ([]T, error) {
	items := []T{}
	q = q.with("limit", page)
	for {
		var part list[T]
		if err := c.ask(ctx, q, &part); err != nil {
			return nil, err
		}
		items = append(items, part.Items...)
		if part.Next == "" || len(part.Items) == 0 {
			return items, nil
		}
		q = q.with("cursor", part.Next)
	}
}

// collection is where the objects of a kind are.
func collection(kind store.ObjectKind) string { return string(kind) + "s" }

// Objects lists the objects of a kind.
func (c *Client) Objects(ctx context.Context, kind store.ObjectKind) ([]service.Object, error) {
	held, err := all[object](ctx, c, get(collection(kind)))
	objects := make([]service.Object, 0, len(held))
	for i := range held {
		objects = append(objects, held[i].object())
	}
	return objects, err
}

// Object shows one object with what it does now and next.
func (c *Client) Object(ctx context.Context, kind store.ObjectKind, name string) (service.ObjectView, error) {
	var view struct {
		object

		Notes []say.Text    `json:"notes"`
		Gaps  []service.Gap `json:"gaps"`
	}
	q := get(collection(kind), name)
	q.missing = asInput
	err := c.ask(ctx, q, &view)
	return service.ObjectView{Object: view.object.object(), Notes: view.Notes, Gaps: view.Gaps}, err
}

// SaveObject makes or changes an object; the author is whose key it is.
func (c *Client) SaveObject(ctx context.Context, change service.ObjectChange) (service.ObjectAnswer, error) {
	q := call{method: http.MethodPut, path: []string{collection(change.Kind), change.Name}, body: change.Spec, kind: "application/json"}
	return c.change(ctx, q, change)
}

// DeleteObject deletes an object.
func (c *Client) DeleteObject(ctx context.Context, change service.ObjectChange) (service.ObjectAnswer, error) {
	return c.change(ctx, call{method: http.MethodDelete, path: []string{collection(change.Kind), change.Name}}, change)
}

func (c *Client) change(ctx context.Context, q call, change service.ObjectChange) (service.ObjectAnswer, error) {
	q = q.flag("dry_run", change.DryRun).flag("confirm", change.Confirmed)
	q.missing, q.header = asInput, http.Header{}
	switch change.Version {
	case 0:
		q.header.Set("If-None-Match", "*")
	case service.PresentVersion:
		q.header.Set("If-Match", "*")
	default:
		q.header.Set("If-Match", tag(change.Version))
	}
	// The object of an answer travels as object does.
	type alone service.ObjectAnswer
	var body struct {
		alone

		Object object `json:"object"`
	}
	err := withAnswer(c.ask(ctx, q, &body), &body)
	answer := service.ObjectAnswer(body.alone)
	answer.Object = body.Object.object()
	return answer, err
}

// tag is the ETag of a version.
func tag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// Weeks draws local weeks of a schedule, from the one of a date on (empty: of today, on the schedule's clock).
func (c *Client) Weeks(ctx context.Context, name, date string, weeks int) ([]service.ScheduleWeek, error) {
	q := get("schedules", name, "calendar").with("date", date).with("weeks", strconv.Itoa(weeks))
	q.missing = asInput
	var drawn []service.ScheduleWeek
	err := c.ask(ctx, q, &drawn)
	return drawn, err
}

// ExplainSchedule says what a schedule wants at an instant, and its next changes.
func (c *Client) ExplainSchedule(ctx context.Context, name string, at time.Time) (service.ScheduleExplanation, error) {
	q := get("schedules", name, "explain").at("at", at)
	q.missing = asInput
	var body service.ScheduleExplanation
	err := c.ask(ctx, q, &body)
	return body, err
}

// Diff compares the configuration of the server with the text of another one.
func (c *Client) Diff(ctx context.Context, text []byte) (service.DiffAnswer, error) {
	var body service.DiffAnswer
	err := c.ask(ctx, call{method: http.MethodPost, path: []string{"diff"}, body: text, kind: "application/yaml"}, &body)
	return body, err
}

// Apply makes the objects of the store those of a text; request.Objects is not used.
func (c *Client) Apply(ctx context.Context, text []byte, request service.ApplyRequest) (service.ApplyAnswer, error) {
	q := call{method: http.MethodPost, path: []string{"apply"}, body: text, kind: "application/yaml"}.
		flag("prune", request.Prune).flag("dry_run", request.DryRun).flag("confirm", request.Confirmed)
	var body service.ApplyAnswer
	err := withAnswer(c.ask(ctx, q, &body), &body)
	if errors.Is(err, store.ErrConflict) { // some of it may have been done
		done, todo := 0, 0
		for i := range body.Objects {
			if body.Objects[i].Saved {
				done++
			}
			if body.Objects[i].Did != service.Unchanged {
				todo++
			}
		}
		if done > 0 {
			return body, &service.PartError{Done: done, Of: todo, Err: err}
		}
	}
	return body, err
}

// Export writes the objects of the store as YAML.
func (c *Client) Export(ctx context.Context, all bool, kinds ...store.ObjectKind) ([]byte, error) {
	words := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		words = append(words, string(kind))
	}
	a, err := c.send(ctx, get("export").flag("all", all).with("kind", strings.Join(words, ",")))
	if err == nil && mediaType(a.header) != "application/yaml" {
		err = c.foreign(a.status, mediaType(a.header))
	}
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Find gives an object as it is kept; the zero Object where there is none.
func (c *Client) Find(ctx context.Context, kind store.ObjectKind, name string) (service.Object, error) {
	view, err := c.Object(ctx, kind, name)
	if _, missing := errors.AsType[*service.InputError](err); missing {
		return service.Object{}, nil
	}
	return view.Object, err
}
