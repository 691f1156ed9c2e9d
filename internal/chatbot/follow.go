package chatbot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// Whoever wakes something is told a second time: when all of it is ready, or
// why it is not once its time is over. What is waited for is an object of the
// store, so that it is told after a restart too, by whichever process deletes
// that object first: once, or, where that process ends in between, not at all.
// Where the first answer could be followed up by the chat system itself is
// remembered by the process alone, because it is as good as a secret; after a
// restart the second answer goes to the chat's channel.

const (
	// followEvery is how often the record is looked at while something is waited for.
	followEvery = 2 * time.Second
	// followAgain is how often what another process began to wait for is looked for.
	followAgain = time.Minute
	// tellPatience bounds one later answer.
	tellPatience = 15 * time.Second
	// lookPatience bounds one look at the record.
	lookPatience = 30 * time.Second
)

// What is waited for has three times as long as it is expected to take, within these bounds; unknownLate where nothing is expected.
const (
	soonestLate = 10 * time.Minute
	latestLate  = time.Hour
	unknownLate = 20 * time.Minute
)

// maxFollowed bounds the resources that one command waits for by name.
const maxFollowed = 2000

// followUp is what somebody is to be told later, as it is kept.
type followUp struct {
	System   string       `json:"system"`
	Chat     string       `json:"chat"`
	Room     string       `json:"room,omitempty"`
	ID       string       `json:"id"` // of who asked
	Actor    string       `json:"actor"`
	Language say.Language `json:"language"`
	Target   string       `json:"target"` // its name, for people
	Override string       `json:"override,omitempty"`
	// Workloads are those of which a run is waited for: Run, or the one that the override begins.
	Workloads []string  `json:"workloads,omitempty"`
	Run       string    `json:"run,omitempty"`
	Waits     []waitFor `json:"waits,omitempty"`
	Asked     time.Time `json:"asked"`
	Late      time.Time `json:"late"` // when it is not waited for any longer
}

// waitFor is a resource that is waited for.
type waitFor struct {
	Ref  string `json:"ref"`
	Name string `json:"name"`
}

// following is a follow-up with what the record has of it.
type following struct {
	followUp

	object store.Object
	ready  map[fleet.Ref]time.Time
	last   map[fleet.Ref]string // why it is not ready, as the record says
}

// follow begins to wait for what an override starts, and says how long that takes.
func (q *question) follow(ctx context.Context, t *target, a *service.OverrideAnswer) []say.Text {
	f := q.followUp(t)
	f.Override = a.Override.ID
	if t.kind == aWorkload {
		if len(a.Resources) != 1 || a.Resources[0].Action == noAction {
			return nil
		}
		f.Workloads = []string{t.name}
		took, n := q.runTook(ctx, t.name)
		return q.wait(ctx, f, took, n)
	}
	for i := range a.Resources {
		l := &a.Resources[i]
		starts := l.Action == string(fleet.Start) || l.State == string(fleet.Starting)
		if !l.Counts || !starts || len(f.Waits) == maxFollowed {
			continue
		}
		if ref := refOf(l.Ref); ref != (fleet.Ref{}) {
			f.Waits = append(f.Waits, waitFor{l.Ref, cmp.Or(l.Name, l.Ref)})
		} else if name, is := strings.CutPrefix(l.Ref, workloadPrefix); is {
			f.Workloads = append(f.Workloads, name) // that the schedule drives
		}
	}
	if len(f.Waits) == 0 && len(f.Workloads) == 0 {
		return nil
	}
	took, n := q.startsTook(ctx, t)
	for _, name := range f.Workloads {
		if longer, runs := q.runTook(ctx, name); longer > took {
			took, n = longer, runs
		}
	}
	return q.wait(ctx, f, took, n)
}

// followRun begins to wait for a run of a workload.
func (q *question) followRun(ctx context.Context, t *target, id string) []say.Text {
	f := q.followUp(t)
	f.Workloads, f.Run = []string{t.name}, id
	if q.command.Verb != WorkloadStart {
		return nil
	}
	took, n := q.runTook(ctx, t.name)
	return q.wait(ctx, f, took, n)
}

func (q *question) followUp(t *target) followUp {
	return followUp{
		System: q.ask.System, Chat: q.ask.Chat, Room: q.ask.Room, ID: q.ask.Who.ID, Actor: q.who.Actor(), Language: q.lang, Target: t.name, Asked: store.Instant(q.now),
	}
}

// wait keeps what is waited for and says how long it takes: took is the middle of the last n times.
func (q *question) wait(ctx context.Context, f followUp, took time.Duration, n int) (lines []say.Text) {
	late := unknownLate
	switch n {
	case 0:
		lines = append(lines, say.F("How long that takes is not known: no earlier start is in the record."))
	case 1:
		lines = append(lines, say.F("That takes about %s, as the last time.", about(took)))
	default:
		lines = append(lines, say.F("That takes about %s, as the last %d times.", about(took), n))
	}
	if n > 0 {
		late = min(max(3*took, soonestLate), latestLate)
	}
	f.Late = f.Asked.Add(late)
	spec, err := json.Marshal(f)
	if err != nil {
		return lines
	}
	object := store.Object{Kind: store.ChatFollowObject, Name: store.NewRunID(f.Asked), Spec: spec, Author: f.Actor, Changed: f.Asked}
	if _, err := q.svc.Store.SaveObject(ctx, object); err != nil {
		q.bot.options.Log.WarnContext(ctx, "what somebody is to be told later could not be kept", slog.String("chat", f.Chat), slog.Any("error", err))
		return append(lines, say.F("I can not tell you when it is ready: that could not be kept."))
	}
	q.bot.mu.Lock()
	q.bot.laters[object.Name] = q.ask.Later
	q.bot.mu.Unlock()
	select {
	case q.bot.began <- struct{}{}:
	default:
	}
	return append(lines, say.F("I tell you here when it is ready."))
}

// about says a length of time as people do.
func about(d time.Duration) say.Text {
	if d < 90*time.Second {
		return say.N(max(int(d.Round(10*time.Second)/time.Second), 10), "%d second", "%d seconds")
	}
	return say.N(int(d.Round(time.Minute)/time.Minute), "%d minute", "%d minutes")
}

// Bounds of what is looked at for how long starts take.
const (
	startsLooked = 400 // rows of each of the two events
	startsTold   = 5
)

// startsTook is how long the last starts of a target took, from the first call that was accepted to the last resource that
// was seen running: the middle of at most startsTold, and of how many. 0: the record has none.
func (q *question) startsTook(ctx context.Context, t *target) (time.Duration, int) {
	query := store.ActivityQuery{Text: t.schedule, Limit: startsLooked, Last: true, Event: store.EventStarted}
	if t.kind == aResource {
		query.Text, query.Ref = "", refOf(t.resource.Ref)
	}
	started, err := q.svc.Store.Activity(ctx, query)
	if err != nil || len(started) == 0 {
		return 0, 0
	}
	query.Event = store.EventStartAccepted
	accepted, err := q.svc.Store.Activity(ctx, query)
	if err != nil {
		return 0, 0
	}
	return middle(batches(accepted, started))
}

// batches gives how long each start took, the oldest first: what was accepted in one run is one.
func batches(accepted, started []store.Activity) (list []time.Duration) {
	type batch struct{ from, to time.Time }
	var order []string
	runs := map[string]*batch{}
	of := map[fleet.Ref][]store.Activity{}
	for i := range accepted {
		of[accepted[i].Ref] = append(of[accepted[i].Ref], accepted[i])
	}
	for i := range started {
		var call *store.Activity
		for j := range of[started[i].Ref] {
			if a := &of[started[i].Ref][j]; a.Seq < started[i].Seq {
				call = a
			}
		}
		if call == nil || started[i].At.Sub(call.At) > latestLate {
			continue // it is of before what was looked at, or came up by itself
		}
		b := runs[call.Run]
		if b == nil {
			b = &batch{from: call.At, to: started[i].At}
			runs[call.Run] = b
			order = append(order, call.Run)
		}
		if call.At.Before(b.from) {
			b.from = call.At
		}
		if started[i].At.After(b.to) {
			b.to = started[i].At
		}
	}
	for _, run := range order {
		list = append(list, runs[run].to.Sub(runs[run].from))
	}
	return list
}

// middle is the median of the last few, and how many those are.
func middle(list []time.Duration) (time.Duration, int) {
	list = list[max(len(list)-startsTold, 0):]
	if len(list) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2], len(list)
}

// runTook is how long the last starts of a workload took that came to a good end.
func (q *question) runTook(ctx context.Context, name string) (time.Duration, int) {
	const looked = 50
	runs, err := q.svc.WorkloadRuns(ctx, name, looked)
	if err != nil {
		return 0, 0
	}
	var list []time.Duration
	for i := range slices.Backward(runs.Runs) { // the newest come first
		if r := &runs.Runs[i]; r.Direction == "start" && good(r.Status) && !r.Ended.IsZero() {
			list = append(list, r.Ended.Sub(r.Began))
		}
	}
	return middle(list)
}

// good reports whether a run came to a good end.
func good(status string) bool { return status == "done" || status == "done-with-exceptions" }

// Follow tells people later what they wait for, until ctx ends.
func (b *Bot) Follow(ctx context.Context) error {
	ticker := time.NewTicker(followEvery) //nolint:forbidigo // people wait by the wall
	defer ticker.Stop()
	var list []*following
	read := time.Time{}
	for {
		if wall := time.Now(); wall.Sub(read) >= followAgain { //nolint:forbidigo // likewise
			read = wall
			list = b.resume(ctx, list)
		}
		list = b.step(ctx, list)
		select {
		case <-ctx.Done():
			return nil
		case <-b.began:
			read = time.Time{}
			continue
		case <-ticker.C:
		}
	}
}

// resume reads what is waited for.
func (b *Bot) resume(ctx context.Context, known []*following) []*following {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	objects, err := b.options.Program.Service().Store.Objects(ctx, store.ChatFollowObject)
	if err != nil {
		b.options.Log.WarnContext(ctx, "what people are to be told later can not be read", slog.Any("error", err))
		return known
	}
	var list []*following
	for _, object := range objects {
		if i := slices.IndexFunc(known, func(f *following) bool { return f.object.Name == object.Name }); i >= 0 {
			list = append(list, known[i])
			continue
		}
		f := &following{object: object, ready: map[fleet.Ref]time.Time{}, last: map[fleet.Ref]string{}}
		if err := json.Unmarshal(object.Spec, &f.followUp); err != nil {
			b.options.Log.WarnContext(ctx, "what somebody is to be told later can not be read", slog.String("name", object.Name), slog.Any("error", err))
			_ = b.options.Program.Service().Store.DeleteObject(ctx, store.ChatFollowObject, object.Name, object.Version) // or it would be said again each time
			continue
		}
		list = append(list, f)
		b.cursor = 0 // the record is read from when it was asked
	}
	return list
}

// step looks at the record once and tells what can be told; it gives what is still waited for.
func (b *Bot) step(ctx context.Context, list []*following) []*following {
	if len(list) == 0 {
		return list
	}
	limited, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	if err := b.hear(limited, list); err != nil {
		if ctx.Err() == nil {
			b.options.Log.WarnContext(ctx, "whether what people wait for is ready can not be read", slog.Any("error", err))
		}
		return list
	}
	return slices.DeleteFunc(list, func(f *following) bool {
		tone, lines, over := b.outcome(limited, f)
		if over {
			b.tell(ctx, f, tone, lines)
		}
		return over
	})
}

// hear reads what is new in the record.
func (b *Bot) hear(ctx context.Context, list []*following) error {
	from := slices.MinFunc(list, func(x, y *following) int { return x.Asked.Compare(y.Asked) }).Asked
	query := store.ActivityQuery{After: b.cursor, From: from, Limit: store.DefaultLimit}
	for {
		rows, err := b.options.Program.Service().Store.Activity(ctx, query)
		if err != nil {
			return err
		}
		for i := range rows {
			query.After = rows[i].Seq
			for _, f := range list {
				f.take(&rows[i])
			}
		}
		b.cursor = query.After
		if len(rows) < query.Limit {
			return nil
		}
	}
}

// take takes a row that may be about something that is waited for.
func (f *following) take(row *store.Activity) {
	if row.Ref == (fleet.Ref{}) || row.At.Before(f.Asked) || !slices.ContainsFunc(f.Waits, func(w waitFor) bool { return refOf(w.Ref) == row.Ref }) {
		return
	}
	switch row.Event {
	case store.EventStarted:
		f.ready[row.Ref] = row.At
	case store.EventRecovered:
		if row.Reason == "start-started" {
			f.ready[row.Ref] = row.At
		}
	case store.EventFailed, store.EventShort, store.EventHeld, store.EventSkipped, store.EventObserved:
		f.last[row.Ref] = row.Detail
	case store.EventStopAccepted, store.EventStopped:
		delete(f.ready, row.Ref)
		f.last[row.Ref] = row.Detail
	}
}

// outcome says what there is to tell; over: nothing more will be.
func (b *Bot) outcome(ctx context.Context, f *following) (wire.Tone, []say.Text, bool) {
	now := b.options.Program.Now()
	late := !now.Before(f.Late)
	if f.Override != "" {
		list, err := b.options.Program.Service().ListOverrides(ctx)
		if err != nil {
			return 0, nil, false
		}
		if !slices.ContainsFunc(list.Overrides, func(o service.OverrideView) bool { return o.ID == f.Override }) {
			return wire.Warning, []say.Text{say.F("%s is no longer waited for: that it is kept running has ended, or was taken back.", f.Target)}, true
		}
	}
	if late {
		b.look(f)
	}
	if len(f.ready) == len(f.Waits) && len(f.Workloads) > 0 {
		return b.runsOutcome(ctx, f, late)
	}
	if len(f.ready) == len(f.Waits) {
		last := f.Asked
		for _, at := range f.ready {
			if at.After(last) {
				last = at
			}
		}
		return wire.OK, []say.Text{say.F("%s is ready: %s, and where AWS has status checks they have passed. It took %s.",
			f.Target, say.N(len(f.Waits), "%d resource runs", "%d resources run"), about(last.Sub(f.Asked)))}, true
	}
	if !late {
		return 0, nil, false
	}
	lines := []say.Text{say.F("%s is not ready %s after it was asked for: %d of %d run.", f.Target, about(now.Sub(f.Asked)), len(f.ready), len(f.Waits))}
	for _, w := range f.Waits {
		ref := refOf(w.Ref)
		if _, ready := f.ready[ref]; ready {
			continue
		}
		if len(lines) > linesShown {
			lines = append(lines, say.F("and %d more", len(f.Waits)-len(f.ready)-linesShown))
			break
		}
		why := say.Raw(f.last[ref])
		if why.Empty() {
			if r, seen := b.options.Program.Board().Resource(ref, nil); seen {
				why = say.F("it is %s: %s", say.Word(r.State), r.Why)
			} else {
				why = say.F("it can not be seen now")
			}
		}
		lines = append(lines, say.F("– %s: %s", w.Name, why))
	}
	return wire.Warning, append(lines, say.F("It is tried on; I tell nothing more of it.")), true
}

// look takes what runs by what was last seen: who came up just before it was asked for has no row of its own.
func (b *Bot) look(f *following) {
	for _, w := range f.Waits {
		ref := refOf(w.Ref)
		if _, ready := f.ready[ref]; ready {
			continue
		}
		if r, seen := b.options.Program.Board().Resource(ref, nil); seen && r.State == string(fleet.Running) && r.Action == noAction && f.last[ref] == "" {
			f.ready[ref] = f.Late
		}
	}
}

// runsOutcome is outcome for runs of workloads.
func (b *Bot) runsOutcome(ctx context.Context, f *following, late bool) (wire.Tone, []say.Text, bool) {
	tone, last, waits := wire.OK, f.Asked, false
	var lines []say.Text
	for _, name := range f.Workloads {
		status, err := b.options.Program.Service().WorkloadStatus(ctx, name)
		if err != nil {
			return wire.Warning, []say.Text{say.F("%s is no longer waited for: %s", f.Target, say.Of(err))}, late
		}
		var r *service.WorkloadRun
		for _, one := range []*service.WorkloadRun{status.Run, status.Last} {
			if one != nil && r == nil && (one.ID == f.Run || f.Run == "" && one.Direction == "start" && !one.Began.Before(f.Asked)) {
				r = one
			}
		}
		switch {
		case r != nil && good(r.Status):
			if r.Ended.After(last) {
				last = r.Ended
			}
			if len(r.Exceptions) > 0 {
				tone, lines = wire.Warning, append(lines, r.Exceptions[:min(len(r.Exceptions), linesShown)]...)
			}
		case r != nil && (late || !r.Ended.IsZero() || r.Status == "held"):
			lines = []say.Text{say.F("%s is not ready: its run is at \"%s\". %s", name, say.Word(r.Status), r.Why)}
			if r.Ended.IsZero() && r.Status != "held" {
				lines = append(lines, say.F("It is tried on; I tell nothing more of it."))
			}
			return wire.Warning, lines, true
		case late:
			return wire.Warning, []say.Text{say.F("%s is not ready: its run has not begun.", name)}, true
		default:
			waits = true
		}
	}
	return tone, append([]say.Text{say.F("%s is ready, tier by tier. It took %s.", f.Target, about(last.Sub(f.Asked)))}, lines...), !waits
}

// tell posts the second answer, unless another process has.
func (b *Bot) tell(ctx context.Context, f *following, tone wire.Tone, lines []say.Text) {
	ctx, cancel := context.WithTimeout(ctx, tellPatience)
	defer cancel()
	b.mu.Lock()
	later := b.laters[f.object.Name]
	delete(b.laters, f.object.Name)
	b.mu.Unlock()
	q := &question{bot: b, lang: f.Language}
	reply := q.reply(tone, lines...)
	reply.Text += "\n" + tidy(say.F("(asked for by %s)", f.Actor).In(f.Language)) // others read it too
	first, _, _ := strings.Cut(say.Lines(lines...).String(), "\n")
	row := store.Activity{
		At: store.Instant(b.options.Program.Now()), Actor: "dayshift", Event: store.EventChat, Name: f.Chat, Reason: "told-later",
		Detail: say.Plain(fmt.Sprintf("to %s via %s: %s", f.Actor, f.Chat, first)),
	}
	err := b.options.Program.Service().Store.DeleteObject(ctx, store.ChatFollowObject, f.object.Name, f.object.Version, row)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
		return // another process tells it
	case err != nil: // rather twice than not at all
		b.options.Log.WarnContext(ctx, "that somebody was told could not be recorded", slog.Any("error", err))
	}
	ask := wire.Ask{System: f.System, Chat: f.Chat, Room: f.Room, Who: wire.Identity{ID: f.ID}, Later: later}
	if err := b.options.Tell(ctx, ask, reply); err != nil {
		b.options.Log.WarnContext(ctx, "a later answer over a chat was not posted", slog.String("chat", f.Chat), slog.Any("error", err))
	}
}
