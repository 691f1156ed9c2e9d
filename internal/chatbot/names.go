package chatbot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/typo"
)

// kind is what a name turned out to be.
type kind int

const (
	aSchedule kind = iota
	aWorkload
	aResource
)

// target is what a name turned out to be of.
type target struct {
	kind     kind
	name     string // for people
	text     string // as the service takes it, without doubt
	schedule string // that governs it; empty: none
	zone     *time.Location
	// resource is what is known of a resource.
	resource service.Explanation
}

// nameError says that nothing answers to a name, or several things do.
type nameError struct {
	name string
	near string   // what was probably meant
	any  string   // something that there is
	refs []string // that answer to it
}

// Error implements error: in English.
func (e *nameError) Error() string { return "nothing that can be seen answers to " + quoted(e.name) }

// In is the error with an example in the words of who asks.
func (e *nameError) In(q *question) say.Text {
	command := q.command
	command.Name, command.Reason = e.name, ""
	if len(e.refs) > 0 {
		lines := []say.Text{say.F("%s is the name of several resources; write one of these instead:", quoted(e.name))}
		for i, ref := range e.refs {
			if i == linesShown {
				lines = append(lines, say.F("and %d more", len(e.refs)-i))
				break
			}
			lines = append(lines, say.Raw("  "+ref))
		}
		return say.Lines(lines...)
	}
	text := say.F("There is no schedule, workload or resource %s that you may see.", quoted(e.name))
	if command.Bare {
		if near, is := typo.Nearest(e.name, vocabulary()); is && e.near == "" {
			verb, l, _ := verbOf(near)
			if verb == exceptions || verb == workloads {
				verb = Help
			}
			return say.Lines(text, say.F("Did you mean %q?", near), say.F("For example: %s", example(verb, e.any).In(l)))
		}
	}
	switch {
	case e.near != "":
		command.Name = e.near
		return say.Lines(text, say.F("Did you mean %q?", e.near), say.F("For example: %s", command.In(q.lang)))
	case e.any != "":
		command.Name = e.any
		return say.Lines(text, say.F("For example: %s", command.In(q.lang)))
	}
	return say.Lines(text, say.F("For example: %s", Command{Verb: List}.In(q.lang)))
}

// The words that say what a name is of, as everywhere.
const (
	schedulePrefix = "schedule:"
	workloadPrefix = "workload:"
	resourcePrefix = "resource:"
)

// find finds what a name is of: a schedule, else a workload, else a resource.
func (q *question) find(ctx context.Context, name string) (target, error) {
	kinds := []kind{aSchedule, aWorkload, aResource}
	bare := name
	for prefix, only := range map[string]kind{schedulePrefix: aSchedule, workloadPrefix: aWorkload, resourcePrefix: aResource} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			bare, kinds = rest, []kind{only}
			break
		}
	}
	if group, _ := q.command.Verb.group(); group == workloads {
		kinds = []kind{aWorkload}
	}
	if slices.Contains(kinds, aSchedule) {
		if found, ok := among(bare, slices.Collect(maps.Keys(q.svc.Book.Schedules))); ok && q.seesSchedule(ctx, found) {
			q.about = found
			return target{kind: aSchedule, name: found, text: schedulePrefix + found, schedule: found, zone: q.zoneOf(found)}, nil
		}
	}
	if slices.Contains(kinds, aWorkload) {
		var names []string
		for _, w := range q.svc.Book.Workloads.All() {
			names = append(names, w.Name)
		}
		if found, ok := among(bare, names); ok && q.seesWorkload(ctx, found) {
			schedule := q.svc.Book.Workloads.Named(found).Schedule
			return target{kind: aWorkload, name: found, text: workloadPrefix + found, schedule: schedule, zone: q.zoneOf(schedule)}, nil
		}
	}
	if slices.Contains(kinds, aResource) {
		return q.findResource(ctx, bare)
	}
	return target{}, q.noName(ctx, bare, "")
}

// among finds a name, whatever its case where only one differs in that.
func among(name string, names []string) (string, bool) {
	if slices.Contains(names, name) {
		return name, true
	}
	found := slices.DeleteFunc(slices.Clone(names), func(other string) bool { return !strings.EqualFold(other, name) })
	if len(found) == 1 {
		return found[0], true
	}
	return "", false
}

func (q *question) findResource(ctx context.Context, name string) (target, error) {
	if name == "" {
		return target{}, q.noName(ctx, name, "")
	}
	found, err := q.svc.Explain(ctx, name, time.Time{})
	if missing, is := errors.AsType[*service.NotFoundError](err); is {
		near := missing.Near
		if q.within != nil {
			near = "" // it may be the name of what they may not see
		}
		return target{}, q.noName(ctx, name, near)
	}
	if err != nil {
		return target{}, err
	}
	found = slices.DeleteFunc(found, func(e service.Explanation) bool { return q.within != nil && !q.within.Match(e.Fleet()) })
	switch len(found) {
	case 0:
		return target{}, q.noName(ctx, name, "")
	case 1:
		r := found[0]
		q.about = r.Schedule
		return target{kind: aResource, name: title(&r.Resource), text: resourcePrefix + r.Ref, schedule: r.Schedule, zone: q.zoneOf(r.Schedule), resource: r}, nil
	}
	e := &nameError{name: name}
	for i := range found {
		e.refs = append(e.refs, found[i].Ref)
	}
	return target{}, e
}

// noName makes the error for a name that there is not.
func (q *question) noName(ctx context.Context, name, near string) error {
	names := q.names(ctx)
	if close, is := typo.Nearest(name, names); is {
		near = close
	}
	e := &nameError{name: name, near: near}
	if len(names) > 0 {
		e.any = names[0]
	}
	return e
}

// names are the schedules and workloads that who asks sees, schedules first.
func (q *question) names(ctx context.Context) []string {
	return append(q.scheduleNames(ctx), q.workloadNames(ctx)...)
}

func (q *question) scheduleNames(ctx context.Context) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(q.svc.Book.Schedules)), func(name string) bool { return !q.seesSchedule(ctx, name) })
}

func (q *question) workloadNames(ctx context.Context) (list []string) {
	for _, w := range q.svc.Book.Workloads.All() {
		if q.seesWorkload(ctx, w.Name) {
			list = append(list, w.Name)
		}
	}
	slices.Sort(list)
	return list
}

// anyName is a name for an example of a verb that would work: of a workload where the verb is for these.
func (q *question) anyName(ctx context.Context, verb Verb) string {
	if !q.who.May(permissions[Status]) {
		return ""
	}
	names := q.names
	if group, _ := verb.group(); group == workloads {
		names = q.workloadNames
	}
	list := names(ctx)
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// page asks the board for a part of the fleet that who asks may see. A board that nobody has asked yet is looked at once.
func (q *question) page(ctx context.Context, query service.FleetQuery) (service.FleetPage, error) {
	query.Within = q.within
	board := q.bot.options.Program.Board()
	page, err := board.List(query)
	if err != nil || !page.Looking {
		return page, err
	}
	if _, err := q.svc.Fleet(ctx, time.Time{}, nil); err != nil {
		return page, err
	}
	return board.List(query)
}

// seesSchedule reports whether a schedule governs something that who asks may see.
func (q *question) seesSchedule(ctx context.Context, name string) bool {
	if q.within == nil {
		return true
	}
	page, err := q.page(ctx, service.FleetQuery{Schedule: []string{name}, Limit: 1})
	return err == nil && page.Total > 0
}

// seesWorkload reports whether anything that who asks may see is a member of a workload.
func (q *question) seesWorkload(ctx context.Context, name string) bool {
	if q.within == nil {
		return true
	}
	if q.sees == nil {
		if _, err := q.page(ctx, service.FleetQuery{Limit: 1}); err != nil { // which has a board look that nobody has asked yet
			return false
		}
		q.sees = q.bot.options.Program.Board().Resources(q.within)
	}
	return q.svc.InWorkload(name, q.sees)
}

// zoneOf is the clock of a schedule.
func (q *question) zoneOf(schedule string) *time.Location {
	if s := q.svc.Book.Schedules[schedule]; s != nil && s.Calendar != nil {
		return s.Calendar.Location()
	}
	return q.zone()
}

// overridesOf are the overrides in force on exactly a target, in the order in which they count.
func (q *question) overridesOf(ctx context.Context, t *target) ([]service.OverrideView, error) {
	list, err := q.svc.ListOverrides(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Overrides, func(o service.OverrideView) bool {
		return o.Fault != "" || o.Target != strings.TrimPrefix(t.text, resourcePrefix)
	}), nil
}

// clock says an instant on a clock: the time alone where it is today.
func (q *question) clock(at time.Time, zone *time.Location) say.Text {
	local := at.In(zone)
	if local.Format(time.DateOnly) == q.now.In(zone).Format(time.DateOnly) {
		return say.F("%s (%s)", local.Format("15:04"), zone)
	}
	return say.F("%s %s %s (%s)", say.Word(local.Format("Mon")), local.Format(time.DateOnly), local.Format("15:04"), zone)
}

// exceptionKind is that of the objects that are exceptions.
const exceptionKind = store.ExceptionObject
