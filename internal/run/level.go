package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// follow ends what is over, and begins what waited for that.
func (d *Driver) follow(m *move, now time.Time) {
	if m.run == nil || m.begins || !m.run.Status.Over() {
		return
	}
	m.memory.Runs = workload.Remember(m.memory.Runs, m.run)
	m.memory.State = left(m.run)
	m.drop = append(m.drop, m.memory.over()...)
	m.ends = true
	m.due = now // what is wanted by now is decided once this is saved
}

// left is the state in which a run left its workload. Of one that did not come to a good end some may run.
func left(r *workload.Run) fleet.State {
	switch stopped := r.Direction == workload.Stop; {
	case r.Status == workload.StatusUndone && !stopped, (r.Status == workload.StatusDone || r.Status == workload.StatusExceptions) && stopped:
		return fleet.Stopped
	}
	return fleet.Running
}

// ask deals with a run that is asked for: it begins, waits or is refused; the sentence says why it does not begin.
func (d *Driver) ask(m *move, setting Setting, asked Request, now time.Time) (verdict workload.Verdict, why say.Text) {
	w := setting.Book.Workloads.Named(m.s.name)
	if why := unable(w, m.s.name, setting.Book, asked); !why.Empty() {
		return workload.SkipIt, why
	}
	q := asked.run()
	present := m.present()
	verdict, why = workload.Overlapping(w.Overlap, present, q)
	switch verdict {
	case workload.BeginNow:
		if m.ends || m.begins { // one at a time: it begins as soon as this is saved
			m.wait(asked, now)
			return workload.WaitForIt, say.Text{}
		}
		r, err := workload.Begin(w, q, m.memory.Runs, now)
		if err != nil {
			return workload.SkipIt, say.Of(err)
		}
		m.run, m.begins, m.memory.Active = &r, true, r.ID
		m.next = workload.Next{}
	case workload.CancelIt:
		cancelled, err := workload.Cancel(*present, asked.By, say.F("another run was asked for"), now)
		if err != nil {
			return workload.SkipIt, say.Of(err)
		}
		m.decided(cancelled)
		m.wait(asked, now)
	case workload.WaitForIt:
		m.wait(asked, now)
	case workload.SkipIt, workload.JoinIt:
	}
	return verdict, why
}

// refused records what became of a request that does not take place.
func (m *move) refused(asked Request, now time.Time) func(verdict workload.Verdict, why say.Text) {
	return func(verdict workload.Verdict, why say.Text) {
		if verdict == workload.SkipIt || verdict == workload.JoinIt {
			m.rows = append(m.rows, refusedRow(asked, now, string(verdict), why))
		}
	}
}

// unable says why no run of a workload can begin now; empty: one can.
func unable(w *workload.Workload, name string, book *policy.Book, asked Request) say.Text {
	switch {
	case w == nil:
		return say.F("there is no workload %q in the configuration", name)
	case book.Observe:
		return say.F("Dayshift only observes: it would %s workload %q", say.Word(asked.Asks), name)
	}
	return say.Text{}
}

// run is what the request asks for.
func (r *Request) run() workload.Request {
	return workload.Request{ID: r.ID, Direction: r.Asks.direction(), Profile: r.Profile, By: r.By, Reason: r.Reason.Text, Trigger: r.Trigger}
}

// wait keeps a request until the run that is under way has ended. The newest counts.
func (m *move) wait(asked Request, now time.Time) {
	if before := m.memory.Waiting; before != nil && before.ID != asked.ID {
		m.rows = append(m.rows, refusedRow(*before, now, "overtaken", say.F("something else was asked for while it waited for its turn")))
	}
	m.memory.Waiting = &asked
}

// decided takes over a run that somebody decided about.
func (m *move) decided(r workload.Run) { m.run, m.touched = &r, true }

// hear deals with what people asked for, and with what waited for its turn.
func (d *Driver) hear(m *move, setting Setting, requests []Request, now time.Time) {
	if waiting := m.memory.Waiting; waiting != nil && m.memory.Active == "" && !m.ends {
		m.memory.Waiting = nil
		m.refused(*waiting, now)(d.ask(m, setting, *waiting, now))
	}
	for _, asked := range requests {
		m.gone = append(m.gone, asked)
		if slices.Contains(m.memory.Taken, asked.ID) {
			continue // the process that took it ended before it was deleted
		}
		m.memory.take(asked.ID)
		if asked.Asks.begins() {
			m.refused(asked, now)(d.ask(m, setting, asked, now))
			continue
		}
		if why := m.order(asked, now); !why.Empty() {
			m.rows = append(m.rows, refusedRow(asked, now, "no-such-run", why))
		}
	}
}

// order carries out what somebody decided about the run that is under way; the sentence says why that can not be.
func (m *move) order(asked Request, now time.Time) (why say.Text) {
	present := m.present()
	switch {
	case present == nil || present.Status.Over():
		return say.F("no run of the workload is under way")
	case asked.Run != "" && asked.Run != present.ID:
		return say.F("run %s is over; it is %s that is under way", asked.Run, present.ID)
	}
	moved, err := ordered(present, asked, now)
	if err != nil {
		return say.Of(err)
	}
	if asked.Asks == AsksCancel {
		m.memory.Waiting = nil
	}
	m.decided(moved)
	return say.Text{}
}

// ordered is a run after what somebody decided about it.
func ordered(r *workload.Run, asked Request, now time.Time) (workload.Run, error) {
	switch asked.Asks {
	case AsksCancel:
		return workload.Cancel(*r, asked.By, asked.Reason.Text, now)
	case AsksUndo:
		return workload.TakeBack(*r, asked.By, now)
	case AsksRetry:
		return workload.Resume(*r, asked.By, now)
	case AsksOn:
		return goOn(*r, asked.By, now)
	case AsksStart, AsksStop:
	}
	return *r, fmt.Errorf("%s asks for a run, not for something of one", asked.Asks)
}

// goOn goes on with a run that is held as if what failed had not.
func goOn(r workload.Run, by string, now time.Time) (workload.Run, error) {
	if r.Status != workload.StatusHeld {
		return r, say.Err("run %s can not go on without what failed: it is %s, not held", r.ID, say.Word(r.Status))
	}
	r.Status, r.Since, r.Why, r.OnFailure = workload.StatusRunning, now, say.F("goes on without what failed, by %s", by).Kept(), workload.Continue
	return r, nil
}

// decide begins the runs that the rules and the schedule of a workload want.
func (d *Driver) decide(m *move, setting Setting, now time.Time) {
	w := setting.Book.Workloads.Named(m.s.name)
	if w == nil || w.Err != nil {
		m.due = time.Time{}
		return
	}
	if m.s.decided && !m.ends && m.run == nil && (m.due.IsZero() || now.Before(m.due)) {
		return
	}
	m.due = time.Time{}
	m.rules(d, setting, now)
	d.level(m, setting, w, now)
}

// sooner brings the next decision forward.
func (m *move) sooner(at time.Time) {
	if !at.IsZero() && (m.due.IsZero() || at.Before(m.due)) {
		m.due = at
	}
}

// rules begins the runs of the rules that are due.
func (m *move) rules(d *Driver, setting Setting, now time.Time) {
	known := map[string]decide.RuleProgress{}
	w := setting.Book.Workloads.Named(m.s.name)
	for _, rule := range setting.Book.Rules {
		if rule.Workload != m.s.name || !rule.Usable() {
			continue
		}
		before, looked := m.memory.Rules[rule.Name]
		due := before.Due(rule, now)
		if known[rule.Name] = before; !looked || len(due.Fires)+len(due.Missed) > 0 || before.Of != due.Progress.Of {
			known[rule.Name] = due.Progress // in between nothing fires, which need not be written down
		}
		if next, ok := rule.Expression.Next(now); ok {
			m.sooner(next)
		}
		for _, at := range due.Missed {
			m.rows = append(m.rows, store.Activity{
				At: now, Event: store.EventMissed, Name: rule.Name, Reason: "missed",
				Detail: fmt.Sprintf("rule %s of %s for workload %s was missed", rule.Name, at.UTC().Format(time.RFC3339), m.s.name),
			})
		}
		if n := len(due.Missed); n > 0 {
			at := due.Missed[n-1]
			text := say.F("rule %q missed %s: nothing could be done then, and it is too long ago to make it up", rule.Name, say.Moment(at.In(rule.Expression.Location())))
			m.notice = append(m.notice, Notice{Workload: w.Name, Of: w, At: at, Message: workload.Message{About: ToldMissed, Text: text.Kept()}})
		}
		if len(due.Fires) == 0 {
			continue
		}
		at := due.Fires[len(due.Fires)-1]
		asked := Request{ID: store.NewRunID(now), Workload: m.s.name, Asks: asks(rule.Verb == fleet.Stop), By: "rule " + rule.Name, Trigger: "rule " + rule.Name, At: now}
		m.rows = append(m.rows, store.Activity{
			At: now, Event: store.EventFired, Name: rule.Name, Reason: string(rule.Verb),
			Detail: fmt.Sprintf("rule %s of %s: %s of workload %s", rule.Name, at.UTC().Format(time.RFC3339), rule.Verb, m.s.name),
		})
		if o, _, ok := setting.Book.GovernsWorkload(w).Override(now, m.memory.Wanted.Reached); ok {
			m.rows = append(m.rows, refusedRow(asked, now, string(decide.RuleOverridden), say.F("a person's decision is in force: %s", o)))
			continue
		}
		if verdict, why := d.ask(m, setting, asked, now); !why.Empty() {
			m.rows = append(m.rows, refusedRow(asked, now, string(verdict), why))
		}
	}
	if len(known) > 0 || len(m.memory.Rules) > 0 {
		if m.memory.Rules = known; len(known) == 0 {
			m.memory.Rules = nil
		}
	}
}

func asks(stop bool) Asks {
	if stop {
		return AsksStop
	}
	return AsksStart
}

// level begins the run that the schedule, or an override for the workload, has come to want: by the rules for a resource,
// with the workload in its place.
func (d *Driver) level(m *move, setting Setting, w *workload.Workload, now time.Time) {
	if !halted(w).Empty() {
		if !m.memory.Halted && w.Schedule != "" {
			m.memory.Halted = true
			m.rows = append(m.rows, store.Activity{
				At: now, Event: store.EventWorkloadRefused, Name: w.Name, Schedule: w.Schedule, Reason: "switched-off",
				Detail: "the workload is switched off (enabled: false): its schedule starts and stops nothing",
			})
			m.notice = append(m.notice, Notice{Workload: w.Name, Of: w, At: now, Message: workload.Message{
				About: workload.ToldHalted, Text: say.F("Workload %s is switched off (enabled: false): nothing of it is started or stopped", w.Name).Kept(),
			}})
		}
		return
	}
	m.memory.Halted = false
	governs := setting.Book.GovernsWorkload(w)
	if m.ends || m.begins {
		m.sooner(now) // with what this round saves
		return
	}
	decision := decide.Decide(decide.Input{Now: now, Policy: governs, Memory: m.memory.Wanted, Resource: Stand(governs, &m.memory, m.present(), now)})
	if decision.Reason != decide.Changing { // a run that ends makes itself heard
		m.sooner(decision.Recheck)
	}
	m.announce(&decision, setting.Book, w, now)
	if decision.Verb == "" {
		m.remember(decision.Memory)
		return
	}
	asked := Request{
		ID: store.NewRunID(now), Workload: w.Name, Asks: asks(decision.Verb != fleet.Start), By: "schedule " + w.Schedule, Trigger: "schedule " + w.Schedule,
		Reason: decision.Said().Kept(), At: now,
	}
	if o := decision.Override; o != nil {
		asked.By, asked.Trigger = o.Author, "override "+o.ID
	}
	if decision.Observe {
		m.remember(decision.Untouched())
		m.sooner(decision.Rest)
		if decision.Observed {
			m.rows = append(m.rows, store.Activity{
				At: now, Event: store.EventObserved, Name: w.Name, Schedule: w.Schedule, Reason: string(decision.Reason),
				Detail: fmt.Sprintf("would %s workload %s: %s", asked.Asks, w.Name, decision.Sentence()),
			})
		}
		return
	}
	verdict, why := d.ask(m, setting, asked, now)
	switch verdict {
	case workload.BeginNow, workload.CancelIt, workload.JoinIt:
		m.remember(decision.Memory)
	case workload.WaitForIt, workload.SkipIt:
		// A schedule is a level: what it wants stays wanted, and is decided again when the run under way is over.
		m.remember(decision.Untouched())
		if !why.Empty() && m.present() == nil {
			m.memory.Wanted = decision.Memory // it can not be, and is said once
			m.rows = append(m.rows, refusedRow(asked, now, string(verdict), why))
		}
	}
}

// remember keeps what was decided, where it differs in more than when that was.
func (m *move) remember(next decide.Memory) {
	if next.Differs(m.memory.Wanted) {
		m.memory.Wanted = next
	}
}

// Stand is the workload in the place of a resource: as its last run left it, or, where its schedule or a person has come to
// want something else, as the opposite of that, so that the run that is wanted begins whatever became of the last one.
// present is the run that is under way; nil: none is.
func Stand(governs policy.Policy, memory *Memory, present *workload.Run, now time.Time) fleet.Resource {
	r := fleet.Resource{Ref: policy.WorkloadRef(governs.Workload), Name: governs.Workload, SeenAt: now, Tags: map[string]string{governs.TagKey: governs.Name}}
	wanted := governs.Wanted(now).State
	o, _, overridden := governs.Override(now, memory.Wanted.Reached)
	if overridden {
		wanted = o.State
	}
	last, retains := memory.Wanted.Last, governs.Schedule != nil && governs.Schedule.RetainRunning
	known := memory.State
	switch {
	case overridden && memory.Wanted.Override == o.ID, wanted == calendar.Any,
		wanted == calendar.Stopped && last == decide.WasStopped, wanted == calendar.Running && last == decide.WasRunning,
		wanted == calendar.Running && retains && known == fleet.Running:
		r.State = cmp.Or(known, settled(wanted))
	default:
		r.State = settled(opposite(wanted))
	}
	if present != nil && !present.Status.Over() {
		r.State = fleet.Starting
		if present.Direction == workload.Stop {
			r.State = fleet.Stopping
		}
		if w := present.Definition; w != nil && w.Overlap == workload.Replace && present.Status != workload.StatusCancelling && policy.WorkloadState(present.Direction) != wanted && wanted != calendar.Any {
			r.State = settled(opposite(wanted))
		}
	}
	return r
}

func settled(wanted calendar.State) fleet.State {
	if wanted == calendar.Running {
		return fleet.Running
	}
	return fleet.Stopped
}

func opposite(state calendar.State) calendar.State {
	if state == calendar.Running {
		return calendar.Stopped
	}
	return calendar.Running
}

// announce says a stop beforehand.
func (m *move) announce(decision *decide.Decision, book *policy.Book, w *workload.Workload, now time.Time) {
	for _, one := range []*decide.Notice{decision.Announce, decision.Warn} {
		if one == nil {
			continue
		}
		text := func(at say.Text) say.Text {
			if o := decision.Override; o != nil {
				return say.F("Workload %s will be stopped at %s, when the override of %s ends", w.Name, at, o.Author)
			}
			return say.F("Workload %s will be stopped at %s", w.Name, at)
		}
		m.rows = append(m.rows, store.Activity{
			At: now, Event: store.EventAnnounced, Name: w.Name, Schedule: w.Schedule, Reason: string(decision.Reason),
			Detail: text(say.Raw(one.StopAt.UTC().Format(time.RFC3339))).String(),
		})
		at := book.OnItsClock(w.Schedule, one.StopAt)
		m.notice = append(m.notice, Notice{Workload: w.Name, Of: w, At: at, Message: workload.Message{About: ToldStop, Text: text(say.Moment(at)).Kept()}})
	}
}

// ToldStop is a message that a workload will be stopped soon, ToldMissed that a rule for it was missed.
const (
	ToldStop   workload.MessageKind = "stop-warning"
	ToldMissed workload.MessageKind = "rule-missed"
)

// requests reads what people asked for and nobody took, by workload, oldest first.
func (d *Driver) requests(ctx context.Context) (map[string][]Request, error) {
	d.mu.Lock()
	asked := d.asked
	d.asked = false
	d.mu.Unlock()
	if !asked {
		return nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	objects, err := d.Store.Objects(limited, store.WorkloadRequestObject)
	if err != nil {
		d.mu.Lock()
		d.asked = true
		d.mu.Unlock()
		return nil, fmt.Errorf("read what is asked of workloads: %w", err)
	}
	list := map[string][]Request{}
	for _, object := range objects {
		r, err := ToRequest(object)
		if err != nil {
			r = Request{ID: object.Name, Workload: "", By: object.Author, version: object.Version}
			if err := d.drop(limited, r, refusedRow(r, d.Clock.Now(), "unreadable", say.Of(err))); err != nil {
				return nil, err
			}
			continue
		}
		if d.subjects[r.Workload] == nil {
			row := refusedRow(r, d.Clock.Now(), "no-such-workload", say.F("there is no workload %q in the configuration", r.Workload))
			if err := d.drop(limited, r, row); err != nil {
				return nil, err
			}
			continue
		}
		list[r.Workload] = append(list[r.Workload], r)
	}
	return list, nil
}

// forget deletes the requests that were taken.
func (d *Driver) forget(ctx context.Context, moves []*move, _ map[string][]Request, _ time.Time) error {
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var failed error
	for _, m := range moves {
		for _, r := range m.gone {
			failed = errors.Join(failed, d.drop(limited, r))
		}
	}
	if failed != nil {
		d.mu.Lock()
		d.asked = true
		d.mu.Unlock()
	}
	return failed
}

func (d *Driver) drop(ctx context.Context, r Request, rows ...store.Activity) error {
	err := d.Store.DeleteObject(ctx, store.WorkloadRequestObject, r.ID, r.version, rows...)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) { // somebody was faster
		return nil
	}
	return err
}
