package chatbot

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/chatbot/wire"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// linesShown bounds the lines of a kind in one answer: a room is no place for a table.
const linesShown = 8

// noAction is what a resource has where a pass would do nothing.
const noAction = "none"

// status tells how things are: everything, or what a name is of.
func (q *question) status(ctx context.Context) (wire.Reply, error) {
	if q.command.Name == "" {
		return q.statusOfAll(ctx)
	}
	t, err := q.find(ctx, q.command.Name)
	if err != nil {
		return wire.Reply{}, err
	}
	switch t.kind {
	case aWorkload:
		return q.statusOfWorkload(ctx, &t)
	case aResource:
		return q.statusOfResource(&t), nil
	}
	return q.statusOfSchedule(ctx, &t)
}

func (q *question) statusOfAll(ctx context.Context) (wire.Reply, error) {
	acting, err := q.page(ctx, service.FleetQuery{Action: actions, Limit: linesShown})
	if err != nil {
		return wire.Reply{}, err
	}
	o, err := q.bot.options.Program.Board().Overview(ctx, q.within)
	if err != nil {
		return wire.Reply{}, err
	}
	tone := wire.OK
	lines := []say.Text{counts(o.Total, o.Running, o.Stopped, o.Changing, o.Other)}
	if o.Looking {
		lines = append(lines, say.F("The first look is still under way: there may be more."))
	}
	lines = append(lines, q.acting(&acting)...)
	for i := range o.Attention {
		if i == linesShown {
			break
		}
		tone = wire.Warning
		lines = append(lines, say.F("! %s", o.Attention[i].Text))
	}
	if o.Overrides > 0 {
		lines = append(lines, say.N(o.Overrides, "%d override is in force.", "%d overrides are in force."))
	}
	for i := range o.Next {
		if i == 3 { // what comes soon; the page has more
			break
		}
		n := &o.Next[i]
		lines = append(lines, say.F("Next: %s of %d (schedule %s) at %s", say.Word(n.Action), n.Count, n.Schedule, q.clock(n.At, q.zoneOf(n.Schedule))))
	}
	return q.reply(tone, lines...), nil
}

// actions are what a pass can be about to do.
var actions = []string{string(fleet.Start), string(fleet.Stop), string(fleet.Hibernate), string(fleet.Reboot), string(fleet.Resize)}

func counts(total, running, stopped, changing, other int) say.Text {
	text := say.F("%s: %d running, %d stopped", say.N(total, "%d resource", "%d resources"), running, stopped)
	if changing > 0 {
		text = say.F("%s, %d on the way up or down", text, changing)
	}
	if other > 0 {
		text = say.F("%s, %d in another state", text, other)
	}
	return say.F("%s.", text)
}

// acting tells of what is not as it is wanted, and why.
func (q *question) acting(page *service.FleetPage) (lines []say.Text) {
	if page.Total == 0 {
		return []say.Text{say.F("Nothing is other than it is wanted.")}
	}
	lines = append(lines, say.N(page.Total, "%d is not as it is wanted:", "%d are not as they are wanted:"))
	for i := range page.Items {
		if i == linesShown {
			break
		}
		lines = append(lines, actLine(&page.Items[i]))
	}
	if more := page.Total - min(len(page.Items), linesShown); more > 0 {
		lines = append(lines, say.F("and %d more", more))
	}
	return lines
}

// actLine is what the next pass does with a resource, and why.
func actLine(r *service.Resource) say.Text {
	text := say.F("– %s is %s; %s comes next: %s", title(r), say.Word(r.State), say.Word(r.Action), r.Why)
	if r.Observed {
		text = say.Sentences(text, say.F("It is only observed: this is recorded and not done."))
	}
	return text
}

func title(r *service.Resource) string { return cmp.Or(r.Name, r.ID) }

// pageLimit is the longest page of the board.
const pageLimit = 500

func (q *question) statusOfSchedule(ctx context.Context, t *target) (wire.Reply, error) {
	all, err := q.page(ctx, service.FleetQuery{Schedule: []string{t.name}, Limit: pageLimit})
	if err != nil {
		return wire.Reply{}, err
	}
	acting, err := q.page(ctx, service.FleetQuery{Schedule: []string{t.name}, Action: actions, Limit: linesShown})
	if err != nil {
		return wire.Reply{}, err
	}
	plan, err := q.svc.ExplainSchedule(t.name, q.now)
	if err != nil {
		return wire.Reply{}, err
	}
	running, stopped, changing, other := 0, 0, 0, 0
	for _, state := range all.Facets["state"] {
		switch fleet.State(state.Value) {
		case fleet.Running:
			running += state.Count
		case fleet.Stopped:
			stopped += state.Count
		case fleet.Starting, fleet.Stopping:
			changing += state.Count
		default:
			other += state.Count
		}
	}
	lines := []say.Text{say.F("%s: %s", t.name, counts(all.Total, running, stopped, changing, other)), q.wanted(&plan)}
	told := map[string]bool{}
	for i := range all.Items {
		if o := all.Items[i].Override; o != nil && !told[o.ID] && len(told) < linesShown {
			told[o.ID] = true
			lines = append(lines, q.inForce(o, t.zone))
		}
	}
	lines = append(lines, q.acting(&acting)...)
	for i := range all.Gaps {
		if q.within == nil && i < linesShown {
			lines = append(lines, say.F("! Not seen: %s", all.Gaps[i].Text))
		}
	}
	reply := q.reply(toneOf(acting.Total == 0 && (q.within != nil || len(all.Gaps) == 0)), lines...)
	reply.Buttons = q.buttons(t, time.Time{}, Why)
	return reply, nil
}

func toneOf(fine bool) wire.Tone {
	if fine {
		return wire.OK
	}
	return wire.Warning
}

// wanted tells what a schedule wants now, and until when.
func (q *question) wanted(plan *service.ScheduleExplanation) say.Text {
	zone := q.zoneOf(plan.Schedule)
	if !plan.Enabled {
		return say.F("The schedule is disabled: it decides nothing.")
	}
	text := say.F("The schedule wants: %s", say.Word(plan.State))
	if plan.Period != "" {
		text = say.F("%s (%s)", text, plan.Period)
	}
	if len(plan.Next) > 0 {
		text = say.F("%s, until %s; then: %s", text, q.clock(plan.Next[0].At, zone), say.Word(plan.Next[0].To))
	}
	return say.Sentences(append([]say.Text{say.F("%s.", text)}, plan.Special...)...)
}

// inForce tells of an override in force.
func (q *question) inForce(o *service.InForce, zone *time.Location) say.Text {
	text := say.F("Kept %s until %s by %s", say.Word(o.State), q.clock(o.Until, zone), o.Author)
	if o.Reason != "" {
		text = say.F("%s: %s", text, o.Reason)
	}
	return say.F("%s.", text)
}

func (q *question) statusOfResource(t *target) wire.Reply {
	r := &t.resource
	lines := []say.Text{
		say.F("%s is %s; wanted is: %s.", t.name, say.Word(r.State), say.Word(r.Wanted)),
		r.Why,
	}
	if r.Action != noAction && r.Past == nil {
		lines = append(lines, say.F("The next pass does: %s.", say.Word(r.Action)))
	}
	lines = append(lines, q.afterwards(r, t.zone)...)
	reply := q.reply(toneOf(r.Action == noAction), lines...)
	reply.Buttons = q.buttons(t, time.Time{}, Why)
	return reply
}

// afterwards tells of the override in force and of the next change.
func (q *question) afterwards(r *service.Explanation, zone *time.Location) (lines []say.Text) {
	if r.Override != nil {
		lines = append(lines, q.inForce(r.Override, zone))
	}
	if r.Next != nil {
		lines = append(lines, say.F("From %s on wanted is: %s.", q.clock(r.Next.At, zone), say.Word(r.Next.To)))
	}
	return lines
}

// why tells how a decision comes about: the chain that the page and the command line show.
func (q *question) why(ctx context.Context) (wire.Reply, error) {
	t, err := q.find(ctx, q.command.Name)
	if err != nil {
		return wire.Reply{}, err
	}
	switch t.kind {
	case aWorkload:
		return q.statusOfWorkload(ctx, &t)
	case aSchedule:
		return q.statusOfSchedule(ctx, &t)
	}
	r := &t.resource
	lines := []say.Text{say.F("%s is %s; wanted is: %s.", t.name, say.Word(r.State), say.Word(r.Wanted)), r.Why}
	lines = append(lines, chain(r.Chain)...)
	lines = append(lines, q.afterwards(r, t.zone)...)
	reply := q.reply(wire.OK, lines...)
	reply.Buttons = q.buttons(&t, time.Time{})
	return reply, nil
}

// chain is how a decision came about, a line for each step.
func chain(steps []decide.Step) (lines []say.Text) {
	for i := range steps {
		lines = append(lines, say.F("– %s", steps[i].Fact))
	}
	return lines
}

// info tells what a schedule will really do on a date.
func (q *question) info(ctx context.Context) (wire.Reply, error) {
	t, date, err := q.scheduleOn(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	lines, err := q.day(ctx, q.svc, &t, date)
	if err != nil {
		return wire.Reply{}, err
	}
	overrides, err := q.svc.ListOverrides(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	for i := range overrides.Overrides {
		o := &overrides.Overrides[i]
		on := o.Target == schedulePrefix+t.schedule || o.Target == strings.TrimPrefix(t.text, resourcePrefix)
		if on && o.Fault == "" && !o.Until.Before(midnight(date, t.zone)) && o.From.Before(midnight(date+1, t.zone)) {
			lines = append(lines, say.F("Whatever the schedule wants, it is kept %s until %s by %s.", say.Word(o.State), q.clock(o.Until, t.zone), o.Author))
		}
	}
	return q.reply(wire.OK, lines...), nil
}

// scheduleOf finds the schedule that a command is about: that of the name, that which governs it, or the only one there is.
func (q *question) scheduleOf(ctx context.Context) (target, error) {
	if q.command.Name == "" {
		names := q.names(ctx)
		if len(names) != 1 || q.svc.Book.Schedules[names[0]] == nil {
			return target{}, &WrongError{Problem: say.F("Which one? There are: %s", someNames(names)), Example: example(q.command.Verb, q.anyName(ctx, q.command.Verb))}
		}
		q.command.Name = schedulePrefix + names[0]
	}
	t, err := q.find(ctx, q.command.Name)
	if err == nil && (t.schedule == "" || q.svc.Book.Schedules[t.schedule] == nil) {
		err = &WrongError{Problem: say.F("No schedule governs %s.", t.name), Example: example(q.command.Verb, q.anyName(ctx, q.command.Verb))}
	}
	if err == nil {
		q.about = t.schedule
	}
	return t, err
}

// someNames lists names, as many as can be read.
func someNames(names []string) say.Text {
	const most = 20
	text := say.Names(names[:min(len(names), most)])
	if more := len(names) - most; more > 0 {
		text = say.F("%s and %d more", text, more)
	}
	return text.Or(say.F("none"))
}

// scheduleOn is the schedule that a command is about, and the date on its clock.
func (q *question) scheduleOn(ctx context.Context) (target, calendar.Date, error) {
	t, err := q.scheduleOf(ctx)
	if err != nil {
		return target{}, 0, err
	}
	date, err := q.date(t.zone)
	return t, date, err
}

// date is the date of a command; today where it has none.
func (q *question) date(zone *time.Location) (calendar.Date, error) {
	today := calendar.DateAt(q.now, zone)
	switch detail(q.command.Date) {
	case "", dateToday:
		return today, nil
	case dateTomorrow:
		return today + 1, nil
	}
	return calendar.ParseDate(q.command.Date)
}

// midnight is when a date begins. Of a zone that skips midnight it is the hour after.
func midnight(date calendar.Date, zone *time.Location) time.Time { return date.At(0, zone) }

// dayOf is a date of a schedule.
func dayOf(svc *service.Service, schedule string, date calendar.Date) (service.WeekDay, error) {
	weeks, err := svc.Weeks(schedule, date.String(), 1)
	if err != nil {
		return service.WeekDay{}, err
	}
	for i := range weeks[0].Days {
		if weeks[0].Days[i].Date == date.String() {
			return weeks[0].Days[i], nil
		}
	}
	return service.WeekDay{}, say.Err("%s is not in the calendar of schedule %q", date.String(), schedule)
}

// day tells what a schedule does on a date: exceptions, holidays and the changes of that day.
func (q *question) day(_ context.Context, svc *service.Service, t *target, date calendar.Date) ([]say.Text, error) {
	day, err := dayOf(svc, t.schedule, date)
	if err != nil {
		return nil, err
	}
	plan, err := svc.ExplainSchedule(t.schedule, midnight(date, t.zone))
	if err != nil {
		return nil, err
	}
	lines := []say.Text{say.F("%s on %s %s (%s):", t.schedule, say.Word(day.Weekday), day.Date, t.zone)}
	if !plan.Enabled {
		lines = append(lines, say.F("The schedule is disabled: it decides nothing."))
	}
	if len(day.Changes) == 0 {
		lines = append(lines, say.F("– the whole day: %s", say.Word(plan.State)))
	} else if day.Changes[0].Clock != "00:00" {
		lines = append(lines, say.F("– from 00:00: %s", say.Word(day.Changes[0].From)))
	}
	for i := range day.Changes {
		c := &day.Changes[i]
		text := say.F("– from %s: %s", c.Clock, say.Word(c.To))
		switch c.Period {
		case "":
		case calendar.ExceptionReason:
			text = say.F("%s (%s)", text, say.Word(c.Period))
		default:
			text = say.F("%s (%s)", text, c.Period)
		}
		lines = append(lines, text)
	}
	return append(lines, q.special(svc, t, &day)...), nil
}

// special tells what is out of the ordinary on a day.
func (q *question) special(svc *service.Service, t *target, day *service.WeekDay) (lines []say.Text) {
	if day.Skipped {
		lines = append(lines, say.F("The clock of %s leaves that date out.", t.zone))
	}
	switch day.Kind {
	case "day off":
		lines = append(lines, say.F("A day off: %s (calendar %s).", day.Holiday, day.Calendar))
	case "make-up day":
		lines = append(lines, say.F("A make-up day: it counts as %s (calendar %s).", say.Word(day.As), day.Calendar))
	}
	for _, name := range day.Uncovered {
		lines = append(lines, say.F("Calendar %s does not know that year.", name))
	}
	objects, err := svc.Objects(exceptionKind)
	if err != nil {
		return lines
	}
	for i := range objects {
		var x datedException
		if json.Unmarshal(objects[i].Spec, &x) == nil && x.Schedule == t.schedule && x.on(day.Date) && objects[i].Fault == nil {
			lines = append(lines, say.F("Exception: %s", exceptionText(&x, objects[i].Author)))
		}
	}
	return lines
}

// list tells which names there are.
func (q *question) list(ctx context.Context) (wire.Reply, error) {
	overrides, err := q.svc.ListOverrides(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	lines := []say.Text{say.F("Schedules: %s", someNames(q.scheduleNames(ctx)))}
	if whole := q.workloadNames(ctx); len(whole) > 0 {
		lines = append(lines, say.F("Workloads: %s", someNames(whole)))
	}
	seen := slices.DeleteFunc(overrides.Overrides, func(o service.OverrideView) bool {
		return o.Fault != "" || q.within != nil && !q.seesTarget(ctx, o.Target)
	})
	for i := range seen {
		o := &seen[i]
		if i == linesShown {
			lines = append(lines, say.F("and %d more", len(seen)-i))
			break
		}
		text := say.F("%s is kept %s %s, by %s", o.Target, say.Word(o.State), o.Ends, o.Author)
		if o.Reason != "" {
			text = say.F("%s: %s", text, o.Reason)
		}
		lines = append(lines, say.F("– %s", text))
	}
	return q.reply(wire.OK, lines...), nil
}

// seesTarget reports whether the target of an override is something that who asks sees.
func (q *question) seesTarget(ctx context.Context, text string) bool {
	if name, is := strings.CutPrefix(text, schedulePrefix); is {
		return q.seesSchedule(ctx, name)
	}
	if name, is := strings.CutPrefix(text, workloadPrefix); is {
		return q.seesWorkload(ctx, name)
	}
	ref, err := fleet.ParseRef(text)
	if err != nil {
		return false // a filter may be for anything
	}
	_, ok := q.bot.options.Program.Board().Resource(ref, q.within)
	return ok
}

// whoami tells who somebody is here, and what they may do.
func (q *question) whoami() wire.Reply {
	first := say.F("In chat %s you are %s.", q.ask.Chat, quoted(q.ask.Who.ID))
	if !q.known {
		second := say.F("You are none of the people of the configuration, and may do nothing.")
		if q.chat.UnknownMayLook {
			second = say.F("You are none of the people of the configuration: you may ask, and change nothing.")
		}
		return q.reply(wire.OK, first, second)
	}
	var may []say.Text
	for _, p := range q.who.Role.Allowed() {
		may = append(may, say.Word(p))
	}
	lines := []say.Text{first, say.F("In the record you are %s; your role is %s, which may: %s.", q.who.Actor(), q.who.Role, say.List(may...))}
	if q.who.Within != "" {
		lines = append(lines, say.F("It is bound to %s.", quoted(q.who.Within)))
	}
	return q.reply(wire.OK, lines...)
}

// datedException is what stands in the object of an exception.
type datedException struct {
	Schedule string `json:"schedule"`
	Date     string `json:"date,omitempty"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Type     string `json:"type"`
	Value    string `json:"value"`
	Note     string `json:"note,omitempty"`
}

// on reports whether it is for a date; dates compare as texts.
func (x *datedException) on(date string) bool {
	return x.Date == date || x.From != "" && x.From <= date && date <= x.To
}

// exceptionInfo tells of the exceptions of a schedule on a date.
func (q *question) exceptionInfo(ctx context.Context) (wire.Reply, error) {
	t, date, err := q.scheduleOn(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	objects, err := q.svc.Objects(exceptionKind)
	if err != nil {
		return wire.Reply{}, err
	}
	var lines, later []say.Text
	for i := range objects {
		var x datedException
		if json.Unmarshal(objects[i].Spec, &x) != nil || x.Schedule != t.schedule || objects[i].Fault != nil {
			continue
		}
		switch first := cmp.Or(x.Date, x.From); {
		case x.on(date.String()):
			lines = append(lines, exceptionLine(&x, objects[i].Author))
		case q.command.Date == "" && first > date.String() && len(later) < linesShown:
			later = append(later, exceptionLine(&x, objects[i].Author))
		}
	}
	if len(lines) == 0 {
		lines = []say.Text{say.F("%s has no exception on %s.", t.schedule, date.String())}
	} else {
		lines = append([]say.Text{say.F("%s on %s:", t.schedule, date.String())}, lines...)
	}
	if len(later) > 0 {
		lines = append(append(lines, say.F("Later:")), later...)
	}
	return q.reply(wire.OK, lines...), nil
}

func exceptionLine(x *datedException, author string) say.Text {
	return say.F("– %s", exceptionText(x, author))
}

func exceptionText(x *datedException, author string) say.Text {
	dates := x.Date
	if dates == "" {
		dates = x.From + " – " + x.To
	}
	value := say.Raw(x.Value)
	if strings.EqualFold(x.Value, string(valueNone)) {
		value = say.F("left out")
	}
	text := say.F("%s: %s %s", dates, say.Word(x.Type), value)
	if x.Note != "" {
		text = say.F("%s: %s", text, x.Note)
	}
	if author != "" {
		text = say.F("%s, by %s", text, author)
	}
	return text
}

// workload tells how a workload is.
func (q *question) workload(ctx context.Context) (wire.Reply, error) {
	if q.command.Name == "" {
		names := q.workloadNames(ctx)
		if len(names) != 1 {
			return q.reply(wire.OK, say.F("Workloads: %s", someNames(names))), nil
		}
		q.command.Name = names[0]
	}
	t, err := q.find(ctx, q.command.Name)
	if err != nil {
		return wire.Reply{}, err
	}
	return q.statusOfWorkload(ctx, &t)
}

func (q *question) statusOfWorkload(ctx context.Context, t *target) (wire.Reply, error) {
	status, err := q.svc.WorkloadStatus(ctx, t.name)
	if err != nil {
		return wire.Reply{}, err
	}
	known := say.F("%s: %s as its last run left it; wanted is: %s.", t.name, say.Word(status.State), say.Word(status.Wanted))
	if status.State == service.UnknownState {
		known = say.F("%s: what state it is in is not known, as no run of it has ended well yet; wanted is: %s.", t.name, say.Word(status.Wanted))
	}
	lines := []say.Text{known}
	if !status.Fault.Empty() {
		lines = append(lines, say.F("! It can not be used: %s", status.Fault))
	}
	if !status.Enabled {
		lines = append(lines, say.F("It is switched off: nothing of it is started or stopped, by whomever."))
	}
	if status.Override != nil {
		lines = append(lines, q.inForce(status.Override, t.zone))
	}
	if status.Next != nil {
		lines = append(lines, say.F("From %s on wanted is: %s.", q.clock(status.Next.At, t.zone), say.Word(status.Next.To)))
	}
	fine := status.Fault.Empty()
	if r := status.Timeline; r != nil {
		lines = append(lines, q.runLine(r, t.zone))
		for i := range r.Tiers {
			tier := &r.Tiers[i]
			lines = append(lines, say.F("– %s: %s, %d of %d ready", tier.Name, say.Word(tier.Phase), tier.Ready, len(tier.Members)))
			for j := range tier.Members {
				if m := &tier.Members[j]; m.End == "failed" {
					fine = false
					lines = append(lines, say.F("! %s: %s", cmp.Or(m.Name, m.Ref), m.Detail.Or(say.Word(m.Why))))
				}
			}
		}
	}
	reply := q.reply(toneOf(fine), lines...)
	return reply, nil
}

// runLine tells how far a run of a workload is.
func (q *question) runLine(r *service.WorkloadRun, zone *time.Location) say.Text {
	text := say.F("Run to %s, by %s, since %s: %s", say.Word(r.Direction), r.By, q.clock(r.Began, zone), say.Word(r.Status))
	if !r.Why.Empty() {
		text = say.F("%s: %s", text, r.Why)
	}
	if !r.Expected.IsZero() && r.Ended.IsZero() {
		text = say.F("%s; by what earlier runs took it ends at %s", text, q.clock(r.Expected, zone))
	}
	return say.F("%s.", text.Bare())
}
