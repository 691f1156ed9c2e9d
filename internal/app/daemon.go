package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/httpapi"
	"dayshift/internal/lifecycle"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/record"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// grace is how long the daemon lets calls under way end when it is told to
// stop: the longest single call to AWS, with room to write its outcome.
const grace = 25 * time.Second

// reloadPoll is how often the configuration file is looked at. Reading it beats
// watching it: editors and mounted volumes replace files in ways that a watch misses.
const reloadPoll = 2 * time.Second

// loggedChanges is how many changed values of a configuration are logged one by
// one: an organization that is listed for the first time can have a thousand.
const loggedChanges = 100

// stalled is how long the loop may not turn before /healthz says so: it turns
// at least every maxNap.
const stalled = 3 * maxNap

// Daemon is the running program.
type Daemon struct {
	*App
	// Pace is how many times faster than the wall Clock runs; 0 means 1.
	Pace float64
	// Reports, when not nil, is handed every finished pass. Its decisions are those
	// with something to do, to tell or to wait for; all of them with Everything.
	Reports    func(*pass.Report)
	Everything bool
	// Listener, when not nil, is the public address, opened by whoever had to know it before; Serve closes it.
	Listener net.Listener
	// Listening is called with the address once the HTTP surface listens.
	Listening func(addr string)
	// FirstKey, when not nil, is told the key of somebody who may do everything, once in the life of a store: nobody could
	// make another one without it. nil: none is made.
	FirstKey func(secret string)
	// Simulated: the cloud is a simulated one, which those who look at the page are told.
	Simulated bool

	leader *leader
	agenda *agenda
	rests  pass.Rests
	chats  *chats
	// posts takes what goes to chat systems; nil: postLater.
	posts func(ctx context.Context, address string, body []byte) error

	mu       sync.Mutex // guards App's Config and Cloud, which a reload replaces whole
	known    pass.Known
	slow     map[fleet.Scope]time.Time // scopes that others do not wait for, until then
	heldAt   time.Time                 // when the stops that are held back were first held; zero: there are none
	heeded   int64                     // Seq of the last confirmation that was acted on
	confirms map[fleet.Scope]bool      // whose next pass does what is held back
	lastPass time.Time
	refused  say.Text // why the last reload was refused; empty: it was not
	problem  string   // why the last pass failed; empty: it did not

	ear ear // what is known of events

	board *service.Board // nil before Serve
	page  page

	runs      *run.Driver      // of workloads, during a term
	waits     waiting          // the configuration that waits for a person
	reloading sync.Mutex       // one reload at a time: what was read earlier must not replace what was read later
	deciding  sync.Mutex       // one look at a time at what people are to be told of their decisions
	soon      map[string]int64 // versions of overrides whose near end was noticed; of watch alone

	objectsSeen int64 // the last row of a changed object that a reload has looked at

	changed chan struct{} // holds one token when reservations are to be looked at

	relist atomic.Bool  // a person wants the accounts of organizations listed now
	turned atomic.Int64 // wall clock of the loop's last turn, Unix nanoseconds
	untidy atomic.Int64 // resources looked at since memory was last given back
	passes sync.WaitGroup
}

// Serve runs until ctx ends or a part fails: HTTP surface, lease, passes, reload.
func (d *Daemon) Serve(ctx context.Context, addr string) error {
	d.leader = newLeader(d.Store)
	d.agenda = newAgenda(time.Duration(d.Config.Config.ResyncInterval), d.Speed())
	d.known = pass.Known{Gaps: map[fleet.Scope]string{}, Held: map[fleet.Ref]plan.Guard{}}
	d.changed = make(chan struct{}, 1)
	d.turned.Store(wall.Now().UnixNano())
	d.Metrics.Reload(true, wall.Now())
	d.open()
	d.saved = d.savedSaid

	if d.FirstKey != nil {
		if err := d.firstKey(ctx); err != nil {
			return err
		}
	}
	group := lifecycle.New(ctx)
	public, err := d.listeners(ctx, group, addr)
	if err != nil {
		group.Stop()
		return errors.Join(err, group.Wait(grace))
	}
	group.Go("scheduler", d.lead)
	group.Go("reload", d.watch)
	group.Go("board", d.boards)
	group.Go("record", d.tail)
	group.Go("gate", d.page.gate.Tend)
	group.Go("heartbeat", d.heartbeat)
	group.Go("chats", d.chats.bot.Follow)
	if d.Listening != nil {
		d.Listening(public.String())
	}
	return group.Wait(grace)
}

// lead waits for the lease and makes passes while it holds it. A lease that is
// lost is waited for again: the process becomes a standby.
func (d *Daemon) lead(ctx context.Context) error {
	d.mu.Lock()
	d.serving = true
	d.mu.Unlock()
	for {
		err := d.leader.acquire(ctx, 0, func(held store.Lease) {
			d.Log.InfoContext(ctx, "standing by: another process holds the lease",
				slog.String("holder", held.Holder), slog.Time("until", held.Expires))
		})
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop while waiting
		}
		if err != nil {
			d.setProblem(err)
			d.Log.ErrorContext(ctx, "the lease can not be had; trying again", slog.Any("error", err))
			_ = d.leader.clock.Sleep(ctx, leaseRenewal) // the next turn sees the end of ctx
			continue
		}
		lost := d.term(ctx)
		d.Metrics.Leader(false)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop: the term ended in order
		}
		d.Log.WarnContext(ctx, "the lease was lost; standing by", slog.Any("error", lost))
	}
}

// term makes passes until the lease is lost or ctx ends, waits for those under
// way and gives the lease up.
func (d *Daemon) term(ctx context.Context) (lost error) {
	d.turned.Store(wall.Now().UnixNano()) // who stood by turned no loop
	d.Metrics.Leader(true)
	d.Log.InfoContext(ctx, "holding the lease", slog.Int64("term", d.leader.Lease().Term))
	d.event(ctx, store.EventDaemon, "leader", fmt.Sprintf("this process acts now (term %d)", d.leader.Lease().Term))

	passing, end := context.WithCancelCause(ctx)
	// The lease is renewed for as long as passes are under way, also while the
	// program drains: an outcome must still be written under it.
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		if err := d.leader.keep(renewing); err != nil {
			lost = err
			end(err)
		}
	}()
	ended := d.deliver(ctx)
	if d.revised(passing) { // what people decided a moment ago counts from the first pass on
		d.reload(passing, false)
	}
	d.hearDecisions(passing)
	d.recall(passing)
	d.reloading.Lock()
	d.changers(passing) // whoever changed what is in force already
	d.reloading.Unlock()
	d.mu.Lock()
	d.agenda.set(d.Config.Scopes, time.Duration(d.Config.Config.ResyncInterval), d.Clock.Now())
	d.mu.Unlock()
	d.passes.Go(func() { d.heed(passing) })
	d.passes.Go(func() { d.sendAgain(passing) })
	d.passes.Go(func() { d.calendars(passing) })
	d.passes.Go(func() { d.hear(passing) })
	d.passes.Go(func() { d.accounts(passing) })
	d.passes.Go(func() { d.capacity(passing) })
	d.passes.Go(func() { d.orchestrate(passing, end) })
	d.loop(passing)
	d.passes.Wait()
	ended()
	stopRenewing()
	<-renewed
	end(nil)
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenewal)
	defer cancel()
	if err := d.leader.release(release); err != nil {
		d.Log.WarnContext(ctx, "the lease could not be given up; the next process waits for its end", slog.Any("error", err))
	}
	return lost
}

// loop gives due scopes to passes until ctx ends.
func (d *Daemon) loop(ctx context.Context) {
	for ctx.Err() == nil {
		now := d.Clock.Now()
		d.turned.Store(wall.Now().UnixNano())
		round, nap := d.agenda.take(now)
		if len(round.scopes) > 0 {
			for _, part := range d.apart(round) {
				d.passes.Go(func() { d.pass(ctx, part) })
			}
			continue
		}
		napping, wake := context.WithCancel(ctx)
		go func() {
			select {
			case <-d.agenda.wake:
				wake()
			case <-napping.Done():
			}
		}()
		_ = d.Clock.Sleep(napping, nap) // its end or a wake: both mean to look again
		wake()
	}
}

// slowFor is how long a scope that others did not wait for has passes of its own.
const slowFor = 24 * time.Hour

// apart gives each scope that could not be seen whole last time, or took much
// longer than the others, a pass of its own: a region that hangs holds back nobody.
func (d *Daemon) apart(whole round) []round {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := whole
	seen.scopes = nil
	var parts []round
	now := d.Clock.Now()
	for _, scope := range whole.scopes {
		if _, gap := d.known.Gaps[scope]; !gap && !now.Before(d.slow[scope]) {
			seen.scopes = append(seen.scopes, scope)
			continue
		}
		alone := whole
		alone.scopes = []fleet.Scope{scope}
		parts = append(parts, alone)
	}
	if len(seen.scopes) > 0 {
		parts = append(parts, seen)
	}
	return parts
}

// pass makes one pass over the scopes of a round.
func (d *Daemon) pass(ctx context.Context, round round) {
	began := d.Clock.Now()
	if round.trigger == triggerBoundary {
		d.Metrics.Late(began.Sub(round.due))
	}
	d.mu.Lock()
	p := d.Pass(round.trigger, round.scopes)
	p.Known = d.known
	p.Lean, p.Rests = !d.Everything && (d.board == nil || !d.board.Warm()), &d.rests
	p.ID = d.promised(round.scopes)
	p.Repair, p.News = round.trigger == triggerResync, round.trigger == triggerEvent
	for _, scope := range round.scopes {
		p.Confirmed = p.Confirmed || d.confirms[scope]
		delete(d.confirms, scope)
	}
	d.mu.Unlock()
	p.Lease, p.MayAct = d.leader.Lease, d.leader.MayAct
	p.Foreseen = func(estimates []pass.Estimate) {
		for _, e := range pass.Long(estimates) {
			d.Log.InfoContext(ctx, "AWS's request limits make this take a while", slog.String("what", e.String()), slog.Duration("takes", e.Takes.Round(time.Second)))
		}
	}
	var left []fleet.Scope // read once the listing is over
	p.Decided = func(report *pass.Report) { d.feed(p, report, left) }
	if len(round.scopes) > 1 {
		p.Left = func(scopes []fleet.Scope) {
			left = scopes
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.slow == nil {
				d.slow = map[fleet.Scope]time.Time{}
			}
			for _, scope := range scopes {
				d.slow[scope] = d.Clock.Now().Add(slowFor)
			}
		}
	}
	p.Observe = func(outcomes []plan.Outcome) {
		d.ear.acted(outcomes, d.Clock.Now())
		d.acted(outcomes)
	}
	given := map[fleet.Scope]bool{}
	var mu sync.Mutex
	p.ScopeDone = func(scope fleet.Scope, due time.Time) {
		mu.Lock()
		given[scope] = true
		mu.Unlock()
		d.agenda.done(scope, due, d.Clock.Now())
	}

	report, err := pass.Run(ctx, p)

	now := d.Clock.Now()
	for _, scope := range round.scopes {
		if !given[scope] { // the pass did not get as far as this scope
			d.agenda.done(scope, now.Add(retryPass), now)
		}
	}
	d.finish(ctx, &report, err, now.Sub(began))
}

// retryPass is when a scope is looked at again after a pass that could not be
// made at all, because the store was down or the lease was lost.
const retryPass = 15 * time.Second

// heedPoll is how often, by the wall, a person's confirmation is looked for
// while stops are held back.
const heedPoll = 2 * time.Second

// heed waits for people who confirm what is held back, until ctx ends.
func (d *Daemon) heed(ctx context.Context) {
	for d.leader.clock.Sleep(ctx, heedPoll) == nil {
		d.mu.Lock()
		since, heeded, waits := d.heldAt, d.heeded, d.waits
		d.mu.Unlock()
		if since.IsZero() || !waits.since.IsZero() && waits.since.Before(since) {
			since = waits.since
		}
		if since.IsZero() {
			continue
		}
		rows, err := d.Store.Activity(ctx, store.ActivityQuery{After: heeded, From: since, Event: store.EventConfirmed, Last: true, Limit: 1})
		if err != nil || len(rows) == 0 {
			continue // a store that is down is told of by the passes
		}
		d.Log.InfoContext(ctx, "a person confirmed what the limits held back", slog.String("by", rows[0].Actor))
		d.mu.Lock()
		d.heeded, d.confirms = rows[0].Seq, map[fleet.Scope]bool{}
		for ref := range d.known.Held {
			d.confirms[ref.Scope] = true
		}
		d.agenda.set(d.Config.Scopes, time.Duration(d.Config.Config.ResyncInterval), d.Clock.Now())
		if !d.waits.why.Empty() {
			d.waits.accepted, d.revision = true, -1 // the next look at the store takes it
		}
		d.mu.Unlock()
	}
}

// From largePass resources on, in one pass or several, the memory that they needed is
// given back to the system soon, and not over minutes: at 10,000 it is some 20 MB, and
// looking through what stays takes milliseconds. Nothing of the last pass is held any
// more after afterPass.
const (
	largePass = 10_000
	afterPass = 5 * time.Second
)

// tidy gives back what passes over so many resources needed.
func (d *Daemon) tidy(resources int) {
	if d.untidy.Add(int64(resources)) < largePass {
		return
	}
	time.AfterFunc(afterPass, func() { //nolint:forbidigo // memory decides nothing
		if d.untidy.Swap(0) >= largePass {
			debug.FreeOSMemory()
		}
	})
}

// finish counts and keeps what a pass gave.
func (d *Daemon) finish(ctx context.Context, report *pass.Report, err error, took time.Duration) {
	result := "done"
	switch {
	case err != nil:
		result = "failed"
		d.Log.ErrorContext(ctx, "the pass failed; it is made again", slog.Any("error", err))
	case len(report.Gaps) > 0 || report.Run.Counts.Failed > 0:
		result = "partial"
	}
	d.Metrics.Pass(report.Run.Trigger, result, took)
	d.tidy(report.Run.Counts.Resources)
	d.count(report)

	d.mu.Lock()
	d.problem = ""
	if err != nil {
		d.problem = err.Error()
	} else {
		d.merge(report)
		d.lastPass = report.At
	}
	d.mu.Unlock()
	if counts := report.Run.Counts; counts.Started+counts.Stopped+counts.Failed+counts.Held > 0 {
		d.Log.InfoContext(ctx, "pass", slog.String("run", report.Run.ID), slog.String("trigger", report.Run.Trigger),
			slog.Int("resources", counts.Resources), slog.Int("started", counts.Started), slog.Int("stopped", counts.Stopped),
			slog.Int("failed", counts.Failed), slog.Int("held", counts.Held), slog.Int("gaps", counts.Gaps), slog.Duration("took", took))
	}
	d.passed(report, err, took)
	if d.Reports != nil && err == nil {
		d.Reports(report)
	}
}

// merge keeps what has been said of the scopes of this pass beside what was
// said of others. The caller holds mu.
func (d *Daemon) merge(report *pass.Report) {
	gaps, held, alarms := map[fleet.Scope]string{}, map[fleet.Ref]plan.Guard{}, map[fleet.Scope]pass.AlarmTrouble{}
	covered := map[fleet.Scope]bool{}
	for _, scope := range report.Scopes {
		covered[scope] = true
		if trouble, is := report.Known.Alarms[scope]; is {
			alarms[scope] = trouble
		}
		if why, open := report.Known.Gaps[scope]; open {
			gaps[scope] = why
		}
	}
	for scope, why := range d.known.Gaps {
		if !covered[scope] {
			gaps[scope] = why
		}
	}
	for scope, trouble := range d.known.Alarms {
		if !covered[scope] {
			alarms[scope] = trouble
		}
	}
	for ref, guard := range d.known.Held {
		if !covered[ref.Scope] {
			held[ref] = guard
		}
	}
	maps.Copy(held, report.Known.Held)
	here := scopesOf(d.Config) // what left the configuration meanwhile is not said any more
	maps.DeleteFunc(gaps, func(scope fleet.Scope, _ string) bool { return !here[scope] })
	maps.DeleteFunc(held, func(ref fleet.Ref, _ plan.Guard) bool { return !here[ref.Scope] })
	d.known = pass.Known{Gaps: gaps, Held: held, Alarms: alarms}
	switch {
	case len(held) == 0:
		d.heldAt = time.Time{}
	case d.heldAt.IsZero():
		d.heldAt = report.At
	}
	d.Metrics.Held(len(held))
}

// count turns a report into metrics.
func (d *Daemon) count(report *pass.Report) {
	for reason, n := range report.Reasons {
		d.Metrics.Decisions(string(reason), n)
	}
	for i := range report.Outcomes {
		d.Metrics.Action(string(report.Outcomes[i].Action.Verb), string(report.Outcomes[i].Status))
	}
	gaps := map[fleet.Scope]bool{}
	for _, gap := range report.Gaps {
		gaps[gap.Scope] = true
	}
	d.mu.Lock()
	kinds, here := d.Cloud.Kinds(), scopesOf(d.Config)
	d.mu.Unlock()
	for _, scope := range report.Scopes {
		if !here[scope] { // it left the configuration meanwhile
			continue
		}
		d.Metrics.Gap(string(scope.Account), string(scope.Region), gaps[scope])
		reason := ""
		if b := report.Breakers[scope]; b.Quarantined() {
			reason = string(b.Trouble)
		}
		d.Metrics.Quarantined(string(scope.Account), string(scope.Region), reason)
		for _, kind := range kinds {
			for _, state := range []fleet.State{fleet.Running, fleet.Stopped, fleet.Starting, fleet.Stopping, fleet.Other} {
				d.Metrics.Resources(string(scope.Account), string(scope.Region), string(kind), string(state), report.States[pass.Group{Scope: scope, Kind: kind, State: state}])
			}
		}
	}
}

// event appends a row about the program itself; a store that can not take it is
// met again by the next pass.
func (d *Daemon) event(ctx context.Context, event store.Event, reason, detail string) {
	limited, cancel := context.WithTimeout(ctx, leaseRenewal)
	defer cancel()
	err := d.Store.Append(limited, d.leader.Lease(), []store.Activity{{
		At: d.Clock.Now(), Actor: record.Actor, Event: event, Reason: reason, Detail: detail,
	}})
	if err != nil {
		d.Log.WarnContext(ctx, "the activity record could not be written", slog.Any("error", err))
	}
}

// watch reloads the configuration when one of its files or an object of the
// store changes, or on SIGHUP.
func (d *Daemon) watch(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(reloadPoll) //nolint:forbidigo // a look at a file decides nothing
	defer ticker.Stop()
	seen, again, heard := marksOf(d.present().Config), false, false
	for {
		hungUp := false
		var waits told
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			hungUp = true
			d.relist.Store(true)
		case waits = <-d.page.told:
		case <-ticker.C:
		}
		marks := marksOf(d.present().Config)
		changed := hungUp || again || !slices.EqualFunc(marks, seen, mark.same)
		if changed || d.revised(ctx) {
			again, seen, heard = !d.reload(ctx, changed), marks, false
		}
		if waits.done != nil {
			close(waits.done)
		}
		if !heard || d.endComes() {
			heard = d.hearDecisions(ctx)
		}
	}
}

// mark is what tells a changed file from an unchanged one; info is nil where
// the file is not there.
type mark struct {
	path string
	info os.FileInfo
}

// same reports whether nothing was seen to change. Two versions that are as long
// as each other can be written within one tick of the file system's clock: what
// was renamed into the place of the other is another file all the same.
func (m mark) same(other mark) bool {
	if m.path != other.path || m.info == nil || other.info == nil {
		return m.path == other.path && m.info == nil && other.info == nil
	}
	return m.info.Size() == other.info.Size() && m.info.ModTime().Equal(other.info.ModTime()) && os.SameFile(m.info, other.info)
}

// marksOf are those of the configuration's file and of the files of calendars that it names.
func marksOf(loaded *config.Loaded) []mark {
	if loaded.File == "" {
		return nil
	}
	marks := []mark{fileMark(loaded.File)}
	for _, calendar := range loaded.Config.Holidays {
		if path := calendar.File; path != "" {
			if !filepath.IsAbs(path) {
				path = filepath.Join(filepath.Dir(loaded.File), path)
			}
			marks = append(marks, fileMark(path))
		}
	}
	slices.SortFunc(marks, func(a, b mark) int { return strings.Compare(a.path, b.path) })
	return marks
}

func fileMark(path string) mark {
	info, err := os.Stat(path)
	if err != nil {
		return mark{path: path}
	}
	return mark{path, info}
}

// reload takes the new configuration whole or not at all (file: because a file
// changed, which is weighed first), false where it could
// not even be read because the store is down. Passes under way end with the one
// that they began with.
func (d *Daemon) reload(ctx context.Context, file bool) bool {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	defer d.changedReservations()
	defer d.asked()
	d.mu.Lock()
	before, cloud, refused := d.Config, d.Cloud, d.refused
	d.mu.Unlock()
	objects, revision, err := d.stored(ctx)
	if err != nil {
		d.setProblem(err)
		return false
	}
	next, err := d.Assemble(objects)
	if err == nil && next.Store != before.Store {
		err = errors.New("store: it can not be changed while the program runs; restart it")
	}
	if err == nil && next.Same(before) {
		d.setRefused(nil)
		d.setWaits(waiting{})
		d.adoptOverrides(next, before, revision)
		return true
	}
	if err == nil && next.Web.OIDC {
		_, err = signIn(&next.Config.Auth.OIDC)
	}
	if err == nil {
		cloud, err = d.cloud(next, cloud.Pacer())
	}
	var channels map[string]notify.Channel
	if err == nil {
		channels, err = d.channels(next, cloud)
	}
	if err != nil {
		// What people decide counts all the same.
		stays := *before
		override(&stays, objects)
		d.adoptOverrides(&stays, before, revision)
		d.Metrics.Reload(false, time.Time{})
		d.setRefused(err)
		d.configured("refused", err.Error())
		d.Log.ErrorContext(ctx, "the new configuration is refused, the running one stays", slog.Any("error", err))
		d.tellRefused(ctx, refused, err)
		return true
	}
	if d.weigh(ctx, before, next, file) {
		stays := *before
		override(&stays, objects)
		d.adoptOverrides(&stays, before, revision)
		d.setRefused(nil)
		d.configured("waits", "the changed configuration waits until somebody confirms it")
		return true
	}
	d.mu.Lock()
	d.Config, d.Cloud, d.revision, d.refused, d.waits = next, cloud, revision, say.Text{}, waiting{}
	d.mu.Unlock()
	d.office.Use(channels, lastTry) //nolint:contextcheck // a channel that goes has a time of its own to end
	for _, warning := range next.Warnings {
		d.Log.WarnContext(ctx, "configuration", slog.String("warning", warning.Error()))
	}
	d.Metrics.Reload(true, wall.Now())
	if !sameListening(before, next) {
		d.Log.WarnContext(ctx, "listen, metrics_listen, pprof, tls, trusted_proxies and log take effect when the program is started again")
	}
	changes := before.Diff(next)
	for i, line := range changes {
		if i == loggedChanges {
			d.Log.InfoContext(ctx, "configuration changed", slog.String("change", fmt.Sprintf("and %d values more", len(changes)-i)))
			break
		}
		d.Log.InfoContext(ctx, "configuration changed", slog.String("change", line))
	}
	d.event(ctx, store.EventDaemon, "config", fmt.Sprintf("configuration reloaded: %d values changed", len(changes)))
	d.agenda.set(next.Scopes, time.Duration(next.Config.ResyncInterval), d.Clock.Now())
	d.forget(before, next)
	d.configured("taken", fmt.Sprintf("%d values changed", len(changes)))
	d.tellChanges(ctx, changes, file)
	return true
}

func scopesOf(loaded *config.Loaded) map[fleet.Scope]bool {
	scopes := make(map[fleet.Scope]bool, len(loaded.Scopes))
	for _, scope := range loaded.Scopes {
		scopes[scope] = true
	}
	return scopes
}

// forget drops what is said of scopes that left the configuration, and what was
// counted of kinds that did.
func (d *Daemon) forget(before, after *config.Loaded) {
	stay := scopesOf(after)
	sameKinds := slices.Equal(before.Config.Kinds, after.Config.Kinds)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, scope := range before.Scopes {
		if !stay[scope] || !sameKinds {
			d.Metrics.Forget(string(scope.Account), string(scope.Region))
		}
		if stay[scope] {
			continue
		}
		delete(d.slow, scope)
		delete(d.confirms, scope)
	}
	// Passes under way keep what they were given.
	gaps, held, alarms := maps.Clone(d.known.Gaps), maps.Clone(d.known.Held), maps.Clone(d.known.Alarms)
	maps.DeleteFunc(alarms, func(scope fleet.Scope, _ pass.AlarmTrouble) bool { return !stay[scope] })
	maps.DeleteFunc(gaps, func(scope fleet.Scope, _ string) bool { return !stay[scope] })
	maps.DeleteFunc(held, func(ref fleet.Ref, _ plan.Guard) bool { return !stay[ref.Scope] })
	d.known = pass.Known{Gaps: gaps, Held: held, Alarms: alarms}
	if len(held) == 0 {
		d.heldAt = time.Time{}
	}
	d.Metrics.Held(len(held))
}

// revised reports whether objects of the store have changed. A store that is
// down is told of by the passes.
func (d *Daemon) revised(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	revision, err := d.Store.Revision(limited)
	d.mu.Lock()
	defer d.mu.Unlock()
	return err == nil && revision != d.revision
}

// adoptOverrides takes over people's decisions, and has what they are for looked at.
func (d *Daemon) adoptOverrides(next, before *config.Loaded, revision int64) {
	d.mu.Lock()
	d.Config, d.revision = next, revision
	d.mu.Unlock()
	if sameOverrides(before, next) {
		return
	}
	d.configured("overrides", "")
	scopes := overridden(before, next)
	if scopes == nil {
		scopes = next.Scopes
	}
	d.agenda.touch(scopes, d.Clock.Now())
}

// present is the program with the configuration that it has now, for a question beside a reload.
func (d *Daemon) present() *App {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := *d.App
	return &now
}

func (d *Daemon) setProblem(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.problem = err.Error()
}

// setRefused keeps saying that a configuration was refused until one is taken: passes go on meanwhile.
func (d *Daemon) setRefused(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = say.Text{}
	if err != nil {
		d.refused = say.F("the new configuration is refused, the running one stays: %v", err)
	}
}

// Alive implements httpapi.Program.
func (d *Daemon) Alive() httpapi.Health {
	health := d.health()
	last := time.Unix(0, d.turned.Load())
	health.OK = health.Role == "standby" || wall.Now().Sub(last) < stalled
	if !health.OK {
		health.Detail = "the scheduler has not turned since " + last.UTC().Format(time.RFC3339)
	}
	return health
}

// Ready implements httpapi.Program.
func (d *Daemon) Ready() httpapi.Health {
	health := d.health()
	ctx, cancel := context.WithTimeout(context.Background(), leaseRenewal)
	defer cancel()
	health.OK = true
	if err := d.Store.Ping(ctx); err != nil {
		health.OK, health.Detail = false, err.Error()
	}
	return health
}

func (d *Daemon) health() httpapi.Health {
	d.mu.Lock()
	defer d.mu.Unlock()
	detail := say.Clauses(d.waits.why, d.refused).String()
	health := httpapi.Health{Role: "standby", Detail: strings.Trim(detail+"; "+d.problem, "; "), LastPass: d.lastPass}
	if d.leader.MayAct() == nil {
		health.Role = "leader"
	}
	return health
}
