package chatbot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/chatbot/wire"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// sentencesShown bounds what is told of what follows.
const sentencesShown = 8

// reason is why an override was made, with the chat that it was made over.
func (q *question) reason() string {
	via := "via " + q.ask.System
	if q.command.Reason != "" {
		return q.command.Reason + " (" + via + ")"
	}
	return via
}

// override keeps something running or stopped for a while.
func (q *question) override(ctx context.Context) (wire.Reply, error) {
	t, err := q.find(ctx, q.command.Name)
	if err != nil {
		return wire.Reply{}, err
	}
	end, err := q.end(&t)
	if err != nil {
		return wire.Reply{}, err
	}
	state := calendar.Running
	if q.command.Verb == Sleep {
		state = calendar.Stopped
	}
	return q.keep(ctx, &t, state, end)
}

// end is when the override of a command is to end.
func (q *question) end(t *target) (service.End, error) {
	until := q.command.Until
	if q.command.Date != "" {
		date, err := q.date(t.zone)
		if err != nil {
			return service.End{}, err
		}
		clock, err := calendar.ParseTimeOfDay(until, false)
		if err != nil {
			return service.End{}, say.Err("%q is no time of day; write HH:MM from 00:00 to 23:59.", until)
		}
		return service.End{Until: date.At(clock, t.zone).UTC()}, nil
	}
	return service.ParseEnd(q.command.For, until, false, q.now)
}

// keep makes an override, or moves the end of the one that is in force on the very same target. It never cuts one short: a
// button that is pressed twice, or late, changes nothing.
func (q *question) keep(ctx context.Context, t *target, state calendar.State, end service.End, notes ...say.Text) (wire.Reply, error) {
	held, err := q.overridesOf(ctx, t)
	if err != nil {
		return wire.Reply{}, err
	}
	var answer service.OverrideAnswer
	if len(held) > 0 && held[0].State == state.String() {
		if end == (service.End{}) {
			return q.already(t, &held[0]), nil
		}
		change := service.OverrideChange{Target: held[0].ID, End: end, Author: q.who.Actor(), DryRun: true, Within: q.within}
		if answer, err = q.svc.ChangeOverride(ctx, change); err != nil {
			return wire.Reply{}, err
		}
		if !answer.Override.Until.After(held[0].Until) {
			return q.already(t, &held[0]), nil
		}
		change.DryRun, change.Direction = false, service.Later
		answer, err = q.svc.ChangeOverride(ctx, change)
	} else {
		answer, err = q.svc.SetOverride(ctx, service.OverrideRequest{
			Target: t.text, State: state, End: end, Reason: q.reason(), Author: q.who.Actor(), Within: q.within,
		})
	}
	if err != nil {
		return wire.Reply{}, err
	}
	q.bot.options.Program.Changed()
	lines := []say.Text{say.F("%s is kept %s until %s, by %s.", t.name, say.Word(state.String()), q.clock(answer.Override.Until, t.zone), q.who.Actor())}
	lines = append(lines, notes...)
	lines = append(lines, answer.Sentences[:min(len(answer.Sentences), sentencesShown)]...)
	if state == calendar.Running {
		lines = append(lines, q.follow(ctx, t, &answer)...)
	}
	for i := range answer.Gaps {
		if q.within == nil && i < linesShown {
			lines = append(lines, say.F("! Not seen: %s", answer.Gaps[i].Text))
		}
	}
	reply := q.reply(wire.OK, lines...)
	reply.Replace = q.ask.Button
	reply.Buttons = q.buttons(t, answer.Override.Until, Release, Why)
	if state == calendar.Stopped {
		reply.Buttons = q.buttons(t, time.Time{}, Release, Why)
	}
	return reply, nil
}

// already answers what is so already.
func (q *question) already(t *target, o *service.OverrideView) wire.Reply {
	reply := q.reply(wire.OK, say.F("%s is kept %s until %s already, by %s. Nothing was changed.", t.name, say.Word(o.State), q.clock(o.Until, t.zone), o.ChangedBy))
	reply.Buttons = q.buttons(t, time.Time{}, Release)
	return reply
}

// buttons are what may be wanted next; until is the end that another hour would be added to.
func (q *question) buttons(t *target, until time.Time, verbs ...Verb) (list []wire.Button) {
	name := t.name
	if t.kind == aResource {
		name = t.text[len(resourcePrefix):]
	}
	if !until.IsZero() && q.who.May(permissions[Keep]) {
		for _, more := range [...]time.Duration{time.Hour, 2 * time.Hour} {
			list = append(list, wire.Button{
				Label:   say.F("+%d h", int(more/time.Hour)).In(q.lang),
				Command: Command{Verb: Keep, Name: name, Until: until.Add(more).In(t.zone).Format(time.RFC3339)}.String(),
			})
		}
	}
	for _, verb := range verbs {
		if !q.who.May(permissions[verb]) {
			continue
		}
		b := wire.Button{Command: Command{Verb: verb, Name: name}.String()}
		switch verb {
		case Release:
			b.Label, b.Danger = say.F("Schedule counts again").In(q.lang), true
		default:
			b.Label = say.F("Why?").In(q.lang)
		}
		list = append(list, b)
	}
	return list
}

// skipAhead is how far ahead a schedule's stop and the start after it are looked for.
const skipAhead = 15 * 24 * time.Hour

// skip leaves today's stop out: what runs is kept running until its schedule starts it again.
func (q *question) skip(ctx context.Context) (wire.Reply, error) {
	t, date, err := q.scheduleOn(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	today := calendar.DateAt(q.now, t.zone)
	switch {
	case date < today:
		return wire.Reply{}, say.Err("%s is over; it is %s now. Nothing was changed.", date.String(), today.String())
	case date > today: // an override begins at once, so that of a day to come the schedule has to know
		q.command.Verb, q.command.Type, q.command.Value = ExceptionSet, string(boundaryStop), string(valueNone)
		if !q.who.May(permissions[ExceptionSet]) {
			return wire.Reply{}, say.Err("What is to be left out on a day to come is an exception of the schedule, and %s may not %s.", q.who.Role, say.Word(permissions[ExceptionSet]))
		}
		return q.exception(ctx)
	}
	plan, err := q.svc.PreviewSchedule(t.schedule, q.now, q.now.Add(skipAhead))
	if err != nil {
		return wire.Reply{}, err
	}
	wants, err := q.svc.ExplainSchedule(t.schedule, q.now)
	if err != nil {
		return wire.Reply{}, err
	}
	held, err := q.overridesOf(ctx, &t)
	if err != nil {
		return wire.Reply{}, err
	}
	kept := len(held) > 0 && held[0].State == calendar.Running.String()
	var stop, start time.Time
	for i := range plan.Events {
		switch e := &plan.Events[i]; {
		case e.Action == calendar.Stopped.String() && stop.IsZero():
			stop = e.At
		case e.Action == calendar.Running.String() && start.IsZero() && (!stop.IsZero() || wants.State != calendar.Running.String()):
			start = e.At
		}
	}
	if wants.State != calendar.Running.String() && kept { // it runs by an override, whose end is the next stop
		stop = held[0].Until
	}
	switch {
	case wants.State != calendar.Running.String() && !kept:
		return wire.Reply{}, &WrongError{Problem: say.F("Nothing stops %s today any more: its schedule wants it %s. Nothing was changed.", t.name, say.Word(wants.State)), Example: example(Keep, q.command.Name)}
	case stop.IsZero(), calendar.DateAt(stop, t.zone) > today:
		return wire.Reply{}, &WrongError{Problem: say.F("Nothing stops %s today. Nothing was changed.", t.name), Example: example(Keep, q.command.Name)}
	case start.IsZero():
		return wire.Reply{}, &WrongError{Problem: say.F("Its schedule does not start %s again within 15 days, so that it is not clear how long it is to run. Nothing was changed.", t.name), Example: example(Keep, q.command.Name)}
	}
	return q.keep(ctx, &t, calendar.Running, service.End{Until: start},
		say.F("The stop at %s is left out: it runs on until its schedule starts it again at %s.", q.clock(stop, t.zone), q.clock(start, t.zone)))
}

// release takes the overrides of a target away; its schedule counts again.
func (q *question) release(ctx context.Context) (wire.Reply, error) {
	t, err := q.find(ctx, q.command.Name)
	if err != nil {
		return wire.Reply{}, err
	}
	held, err := q.overridesOf(ctx, &t)
	if err != nil {
		return wire.Reply{}, err
	}
	if len(held) == 0 {
		text := say.F("No override is on %s itself. Nothing was changed.", t.name)
		if t.kind == aResource && t.resource.Override != nil {
			text = say.Sentences(text, q.inForce(t.resource.Override, t.zone))
		}
		return q.reply(wire.OK, text), nil
	}
	cleared, err := q.svc.ClearOverride(ctx, service.OverrideClear{Target: t.text, Author: q.who.Actor(), Within: q.within})
	if len(cleared.Cleared) > 0 {
		q.bot.options.Program.Changed()
	}
	if err != nil {
		return wire.Reply{}, err
	}
	lines := append([]say.Text{say.F("The schedule of %s counts again, by %s.", t.name, q.who.Actor())}, cleared.Sentences[:min(len(cleared.Sentences), sentencesShown)]...)
	reply := q.reply(wire.OK, lines...)
	reply.Replace = q.ask.Button
	reply.Buttons = q.buttons(&t, time.Time{}, Why)
	return reply, nil
}

// runWorkload asks for a run of a workload.
func (q *question) runWorkload(ctx context.Context) (wire.Reply, error) {
	t, err := q.find(ctx, q.command.Name)
	if err != nil {
		return wire.Reply{}, err
	}
	request := service.WorkloadRequest{Workload: t.name, Reason: q.reason(), Author: q.who.Actor(), Within: q.within}
	do := q.svc.StartWorkload
	if q.command.Verb == WorkloadStop {
		do = q.svc.StopWorkload
	}
	answer, err := do(ctx, request)
	if err != nil {
		return wire.Reply{}, err
	}
	q.bot.options.Program.Changed()
	lines := []say.Text{say.F("%s, asked for by %s.", answer.Text.Begin().Bare(), q.who.Actor())}
	lines = append(lines, q.followRun(ctx, &t, answer.Run)...)
	reply := q.reply(wire.OK, lines...)
	reply.Replace = q.ask.Button
	return reply, nil
}

// exception sets or deletes an exception of a schedule, and tells what then really happens.
func (q *question) exception(ctx context.Context) (wire.Reply, error) {
	t, err := q.scheduleOf(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	if t.kind != aSchedule {
		command := q.command
		command.Name = t.schedule
		return wire.Reply{}, &WrongError{Problem: say.F("An exception is for a whole schedule. %s follows schedule %s; for all that it governs:", t.name, t.schedule), Example: command}
	}
	date, err := q.date(t.zone)
	if err != nil {
		return wire.Reply{}, err
	}
	if today := calendar.DateAt(q.now, t.zone); date < today {
		command := q.command
		command.Date = string(dateTomorrow)
		return wire.Reply{}, &WrongError{Problem: say.F("%s is over: today is %s in %s. Nothing was changed.", date.String(), today.String(), t.zone), Example: command}
	}
	change := service.ObjectChange{
		Kind: exceptionKind, Name: fmt.Sprintf("%s:%s:%s", t.schedule, date, q.command.Type), Author: q.who.Actor(), Confirmed: q.seen, Within: q.within,
	}
	before, err := dayOf(q.svc, t.schedule, date)
	if err != nil {
		return wire.Reply{}, err
	}
	objects, err := q.svc.Objects(exceptionKind)
	if err != nil {
		return wire.Reply{}, err
	}
	if slices.ContainsFunc(objects, func(o service.Object) bool { return o.Name == change.Name }) {
		change.Version = service.PresentVersion
	}
	var answer service.ObjectAnswer
	var head say.Text
	if q.command.Verb == ExceptionDelete {
		if change.Version == 0 {
			return q.reply(wire.OK, say.F("%s has no exception of its %s on %s. Nothing was changed.", t.schedule, say.Word(q.command.Type), date.String())), nil
		}
		answer, err = q.svc.DeleteObject(ctx, change)
		head = say.F("The exception of the %s of %s on %s is deleted, by %s.", say.Word(q.command.Type), t.schedule, date.String(), q.who.Actor())
	} else {
		if change.Spec, err = json.Marshal(datedException{Schedule: t.schedule, Date: date.String(), Type: q.command.Type, Value: q.command.Value, Note: q.command.Reason}); err != nil {
			return wire.Reply{}, fmt.Errorf("write the exception: %w", err)
		}
		answer, err = q.svc.SaveObject(ctx, change)
		head = say.F("The exception of the %s of %s on %s is set, by %s.", say.Word(q.command.Type), t.schedule, date.String(), q.who.Actor())
	}
	if err != nil {
		return wire.Reply{}, err
	}
	if answer.Did == service.Unchanged {
		head = say.F("The exception of the %s of %s on %s is set already. Nothing was changed.", say.Word(q.command.Type), t.schedule, date.String())
		answer.Notes = nil
	} else {
		q.bot.options.Program.Changed()
	}
	svc := q.bot.options.Program.Service() // with the exception
	lines := []say.Text{head}
	if !slices.ContainsFunc(objects, func(o service.Object) bool { return excepted(&o, t.schedule, date) }) { // or it may be for that one that it did not work
		lines = append(lines, q.really(svc, &t, date, &before))
	}
	day, err := q.day(ctx, svc, &t, date)
	if err != nil {
		return wire.Reply{}, err
	}
	lines = append(lines, answer.Notes[:min(len(answer.Notes), sentencesShown)]...)
	return q.reply(wire.OK, append(lines, day...)...), nil
}

// excepted reports whether an object is an exception of a schedule on a date.
func excepted(o *service.Object, schedule string, date calendar.Date) bool {
	var x datedException
	return json.Unmarshal(o.Spec, &x) == nil && x.Schedule == schedule && x.on(date.String()) && o.Fault == nil
}

// really says what an exception does on a day on which the schedule does not work otherwise.
func (q *question) really(svc *service.Service, t *target, date calendar.Date, before *service.WeekDay) say.Text {
	after, err := dayOf(svc, t.schedule, date)
	if err != nil || works(before) || q.command.Verb == ExceptionDelete {
		return say.Text{}
	}
	why := say.F("%s is not a working day of this schedule", say.Word(before.Weekday))
	if before.Holiday != "" {
		why = say.F("%s is a day off (%s)", before.Date, before.Holiday)
	}
	for i := range after.Changes {
		if c := &after.Changes[i]; c.To == calendar.Running.String() {
			return say.F("%s: it will start at %s because of this exception.", why, c.Clock)
		}
	}
	return say.F("%s: it does not run on that day, with this exception or without.", why)
}

// works reports whether anything is wanted running on a day.
func works(day *service.WeekDay) bool {
	return slices.ContainsFunc(day.Cells, func(c service.WeekCell) bool { return c.State == calendar.Running.String() || c.Mixed }) ||
		slices.ContainsFunc(day.Changes, func(c service.WeekChange) bool { return c.To == calendar.Running.String() })
}

// help tells what can be asked for.
func (q *question) help() wire.Reply {
	if topic := q.command.Topic; topic != "" {
		return q.reply(wire.OK, say.F("%s – %s", form(topic, q.lang), meaning(topic)), say.F("For example: %s", example(topic, "office").In(q.lang)))
	}
	lines := make([]say.Text, 0, len(Verbs)+1)
	for _, verb := range Verbs {
		lines = append(lines, say.F("%s – %s", form(verb, q.lang), meaning(verb)))
	}
	return q.reply(wire.OK, append(lines, say.F("NAME is a schedule, a workload or a resource; with blanks in it, it stands in quotation marks. It may also stand first."))...)
}

// form is how a command is written.
func form(verb Verb, l say.Language) string {
	name := map[say.Language]string{say.English: "NAME", say.Chinese: "名称", say.Korean: "이름"}[l]
	text := verb.In(l)
	if verb == Status || verb == WorkloadStatus {
		name = "[" + name + "]"
	}
	switch verb {
	case Help, List, WhoAmI:
		return text
	case Confirm:
		return text + " …"
	}
	if l == say.Korean {
		text = name + " " + text
	} else {
		text += " " + name
	}
	switch verb {
	case Keep:
		return text + " " + untilIn("22:00", l)
	case Wake, Sleep:
		return text + " [" + lengthIn("2h", l) + "]"
	case Info, ExceptionInfo, Skip:
		return text + " [2027-02-05]"
	case ExceptionSet:
		return text + " 2027-02-05 " + boundaryStart.in(l) + "|" + boundaryStop.in(l) + " 09:00|" + valueNone.in(l)
	case ExceptionDelete:
		return text + " 2027-02-05 " + boundaryStart.in(l) + "|" + boundaryStop.in(l)
	}
	return text
}

// meaning says what a verb does.
func meaning(verb Verb) say.Text {
	switch verb {
	case Status:
		return say.F("what runs, what is not as it is wanted, and why")
	case Info:
		return say.F("what its schedule does on a day, with exceptions, holidays and what people decided")
	case Why:
		return say.F("why it is as it is, step by step")
	case List:
		return say.F("schedules, workloads and what people decided")
	case Wake:
		return say.F("start it and keep it running, until the next stop where nothing else is said")
	case Keep:
		return say.F("keep it running until then")
	case Sleep:
		return say.F("stop it and keep it stopped, until the next start where nothing else is said")
	case Skip:
		return say.F("not today: leave the stop of that day out")
	case Release:
		return say.F("take back what people decided; the schedule counts again")
	case ExceptionInfo:
		return say.F("the exceptions of that day")
	case ExceptionSet:
		return say.F("start or stop at another time on that day, or not at all")
	case ExceptionDelete:
		return say.F("take an exception back")
	case WorkloadStatus:
		return say.F("how a workload is, and its run")
	case WorkloadStart:
		return say.F("start a workload once, in its order")
	case WorkloadStop:
		return say.F("stop a workload once, in its order")
	case WhoAmI:
		return say.F("who you are here and what you may do")
	case Confirm:
		return say.F("have done what was asked for last, with the word that was told")
	case Help:
		return say.F("this; with a command behind it, more of that one")
	case exceptions, workloads: // no verbs of their own
	}
	return say.Text{}
}

// refOf reads the identifier of a line; the zero one of a workload.
func refOf(text string) fleet.Ref {
	ref, err := fleet.ParseRef(text)
	if err != nil {
		return fleet.Ref{}
	}
	return ref
}
