package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/httpapi"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// page is what the daemon keeps for those who ask over HTTP.
type page struct {
	events *service.Events
	gate   *service.Gate

	begin  chan struct{} // holds one token when somebody asked a board that knows nothing
	told   chan told     // people's changes that are to be taken now
	nudge  chan struct{} // holds one token when the record may have new rows
	people people
	looks  chan struct{} // held by whoever lists everything
	looked atomic.Int64  // wall clock of the last such look, Unix nanoseconds

	mu       sync.Mutex
	asked    map[fleet.Scope]string // the run that somebody was told of, by scope
	checkups []service.Checkup
	checked  time.Time // by the wall
	checking sync.Mutex
}

// told is a change that is to be taken; done is closed when it was.
type told struct{ done chan struct{} }

var _ httpapi.Program = (*Daemon)(nil)

// open makes what those who ask over HTTP are answered from.
func (d *Daemon) open() {
	d.page.begin, d.page.told, d.page.nudge = make(chan struct{}, 1), make(chan told), make(chan struct{}, 1)
	d.page.looks = make(chan struct{}, 1)
	d.page.events = &service.Events{}
	d.page.gate = service.NewGate(service.GateOptions{Store: d.Store, Now: wall.Now, Stamp: d.Clock.Now, People: d.rules, Refused: d.Metrics.Refused})
	d.chats = d.newChats()
	d.board = service.NewBoard(service.BoardOptions{
		Now: d.Clock.Now, Wall: wall.Now,
		Scopes:   func() []fleet.Scope { return d.present().Config.Scopes },
		Book:     func() *policy.Book { return &d.present().Config.Book },
		Timezone: func() *time.Location { return zoneOf(d.present().Config) },
		LastPass: d.LastPass, Troubles: d.troubles, Record: d.Store,
		Begin:   func() { poke(d.page.begin) },
		Changed: d.resourcesChanged,
	})
}

// chatGrace is how long answers to chats that are on their way have when the program ends.
const chatGrace = 5 * time.Second

// drain lets answers to chats that are on their way come to their end.
func (d *Daemon) drain(ctx context.Context, surface *httpapi.Surface) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), chatGrace)
	defer cancel()
	if err := surface.Drain(limited); err != nil {
		d.Log.WarnContext(ctx, "some who asked in chats are not told what was done", slog.Any("error", err))
	}
}

// firstKey makes the first key of a store that never had one.
func (d *Daemon) firstKey(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	secret, made, err := d.page.gate.FirstKey(limited)
	if err != nil {
		return fmt.Errorf("make the first key: %w", err)
	}
	if made {
		d.FirstKey(secret)
	}
	return nil
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// zoneOf is the zone of a configuration, which was checked when it was read.
func zoneOf(loaded *config.Loaded) *time.Location {
	zone, err := time.LoadLocation(loaded.Config.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Service implements httpapi.Program.
func (d *Daemon) Service() *service.Service {
	s := d.present().Service()
	s.Gate = d.page.gate
	s.Looker = memoryLooker{d: d}
	return s
}

// Board implements httpapi.Program.
func (d *Daemon) Board() *service.Board { return d.board }

// Events implements httpapi.Program.
func (d *Daemon) Events() *service.Events { return d.page.events }

// Now implements httpapi.Program.
func (d *Daemon) Now() time.Time { return d.Clock.Now() }

// Speed implements httpapi.Program.
func (d *Daemon) Speed() float64 { return cmp.Or(d.Pace, 1) }

// Demo implements httpapi.Program.
func (d *Daemon) Demo() bool { return d.Simulated }

// LastPass is when the last pass was over; zero before the first.
func (d *Daemon) LastPass() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lastPass
}

// changedPatience is how long whoever changed something waits until it was taken.
const changedPatience = 5 * time.Second

// Changed implements httpapi.Program: what was changed is in force when it
// returns, unless the store does not answer.
func (d *Daemon) Changed() {
	defer poke(d.page.nudge)
	waits := told{make(chan struct{})}
	timer := time.NewTimer(changedPatience) //nolint:forbidigo // people wait by the wall
	defer timer.Stop()
	select {
	case d.page.told <- waits:
	case <-timer.C:
		return
	}
	select {
	case <-waits.done:
	case <-timer.C:
	}
}

// standbyError says that this process can not do it, because another one acts.
type standbyError struct{ holder string }

// Error implements error: in English.
func (e *standbyError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *standbyError) Said() say.Text {
	return say.F("this process stands by: %s acts, ask that one", e.holder)
}

// Unwrap gives store.ErrHeld.
func (e *standbyError) Unwrap() error { return store.ErrHeld }

// RunNow implements httpapi.Program. Scopes that a pass is at work on just now
// have one of their own afterwards.
func (d *Daemon) RunNow(ctx context.Context, scopes []fleet.Scope, by string) (string, error) {
	if d.leader.MayAct() != nil {
		holder, err := d.AtWork(ctx)
		if err != nil || holder == "" {
			holder = "no process"
		}
		return "", &standbyError{holder}
	}
	if len(scopes) == 0 {
		scopes = d.present().Config.Scopes
	}
	now := d.Clock.Now()
	id := store.NewRunID(now)
	lease := d.leader.Lease()
	run := store.Run{ID: id, Term: lease.Term, Trigger: triggerPerson, Started: now, Counts: store.RunCounts{Scopes: len(scopes)}}
	if err := d.Store.SaveRun(ctx, lease, run); err != nil {
		return "", fmt.Errorf("begin the pass: %w", err)
	}
	row := store.Activity{
		At: now, Run: id, Actor: by, Event: store.EventDaemon, Reason: "run-now", Detail: fmt.Sprintf("a pass over %d accounts and regions was asked for", len(scopes)),
	}
	if err := d.Store.Append(ctx, lease, []store.Activity{row}); err != nil {
		return "", fmt.Errorf("record who asked for the pass: %w", err)
	}
	d.page.mu.Lock()
	if d.page.asked == nil {
		d.page.asked = map[fleet.Scope]string{}
	}
	for _, scope := range scopes {
		d.page.asked[scope] = id
	}
	d.page.mu.Unlock()
	d.agenda.touch(scopes, now)
	poke(d.page.nudge)
	return id, nil
}

// promised takes the run that somebody was told of for any of the scopes; empty: there is none.
func (d *Daemon) promised(scopes []fleet.Scope) (id string) {
	d.page.mu.Lock()
	defer d.page.mu.Unlock()
	for _, scope := range scopes {
		if id == "" {
			id = d.page.asked[scope]
		}
	}
	if id == "" {
		return ""
	}
	for scope, asked := range d.page.asked { // the others of it have runs of their own
		if asked == id {
			delete(d.page.asked, scope)
		}
	}
	return id
}

// Confirm implements httpapi.Program.
func (d *Daemon) Confirm(ctx context.Context, by string) error {
	defer poke(d.page.nudge)
	return d.App.Confirm(ctx, by)
}

// checkedFor is how long, by the wall, what doctor found out stands: it makes a
// dozen calls in each scope.
const checkedFor = time.Minute

// Doctor implements httpapi.Program.
func (d *Daemon) Doctor(ctx context.Context) ([]service.Checkup, error) {
	d.page.checking.Lock() // whoever comes second gets the answer of the first
	defer d.page.checking.Unlock()
	if d.page.checkups != nil && wall.Now().Sub(d.page.checked) < checkedFor {
		return d.page.checkups, nil
	}
	checkups, err := d.present().Doctor(ctx)
	if err != nil {
		return nil, err
	}
	if ctx.Err() == nil { // what was given up says nothing about the scopes
		d.page.checkups, d.page.checked = checkups, wall.Now()
	}
	return checkups, nil
}

// troubles are what is wrong with the program itself, for people.
func (d *Daemon) troubles() []service.Attention {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []service.Attention
	if !d.refused.Empty() {
		list = append(list, service.Attention{Kind: service.AttentionConfig, Text: d.refused.Plain(), Link: "/health"})
	}
	if !d.waits.why.Empty() {
		list = append(list, service.Attention{Kind: service.AttentionConfig, Text: d.waits.why.Plain(), Since: d.waits.since.UTC(), Link: "/health"})
	}
	if d.problem != "" {
		list = append(list, service.Attention{Kind: service.AttentionFailed, Text: say.F("the last pass failed: %s", d.problem).Plain(), Link: "/health"})
	}
	return list
}

// refsTold bounds the resources that one event names: of more, everything is to be asked for anew.
const refsTold = 200

// resourcesChanged tells which rows of the board are not as they were.
func (d *Daemon) resourcesChanged(at time.Time, refs []fleet.Ref) {
	type change struct {
		Count int      `json:"count"`
		Refs  []string `json:"refs"`
		More  bool     `json:"more"` // not all of them are named
	}
	what := change{Count: len(refs), Refs: []string{}}
	if what.More = len(refs) > refsTold; what.More {
		refs = nil
	}
	for _, ref := range refs {
		what.Refs = append(what.Refs, ref.String())
	}
	d.page.events.Publish(service.EventResources, at, what, refs...)
}

// passed tells of a pass that is over.
func (d *Daemon) passed(report *pass.Report, err error, took time.Duration) {
	if d.page.events == nil {
		return
	}
	type over struct {
		Run     string          `json:"run"`
		Trigger string          `json:"trigger"`
		Counts  store.RunCounts `json:"counts"`
		Seconds float64         `json:"seconds"`
		Failed  bool            `json:"failed"`
	}
	d.page.events.Publish(service.EventPass, report.At, over{report.Run.ID, report.Run.Trigger, report.Run.Counts, took.Seconds(), err != nil})
	poke(d.page.nudge)
}

// configured tells that another configuration is in force, or why it is not.
func (d *Daemon) configured(state, text string) {
	if d.page.events == nil {
		return
	}
	d.page.events.Publish(service.EventConfig, d.Clock.Now(), map[string]string{"state": state, "text": service.Plain(text)})
	poke(d.page.nudge)
}

// feed hands what a pass saw to the board.
func (d *Daemon) feed(p *pass.Pass, report *pass.Report, left []fleet.Scope) {
	if d.board != nil {
		d.board.Feed(service.BoardFeed{Report: report, Book: p.Book, Whole: !p.Lean, Left: left})
	}
}

// acted shows on the board what was begun.
func (d *Daemon) acted(outcomes []plan.Outcome) {
	if d.board != nil {
		d.board.Acted(outcomes, d.Clock.Now())
	}
}

// standbyLook is how often, by the wall, a process that stands by looks around while somebody asks it: nobody makes passes
// here that would tell what has changed.
const standbyLook = time.Minute

// boards keeps the board: it looks around when somebody asks for the first time, and again where no passes do.
func (d *Daemon) boards(ctx context.Context) error {
	ticker := time.NewTicker(standbyLook) //nolint:forbidigo // people wait by the wall
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.page.begin:
			d.around(ctx, time.Time{})
		case <-ticker.C:
			if d.board.Warm() && d.leader.MayAct() != nil {
				d.around(ctx, wall.Now())
			}
		}
	}
}

func (d *Daemon) around(ctx context.Context, since time.Time) {
	defer d.board.Begun()
	if err := d.seen(ctx, since); err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "the fleet could not be looked at for the page", slog.Any("error", err))
	}
}

// tailPoll is how often, by the wall, new rows of the record are looked for while somebody follows: other processes write them too.
const tailPoll = 2 * time.Second

// tailRows is how many rows are told at once; a page that follows asks for the rest itself.
const tailRows = 200

// tail tells followers of new rows of the record.
func (d *Daemon) tail(ctx context.Context) error {
	ticker := time.NewTicker(tailPoll) //nolint:forbidigo // followers wait by the wall
	defer ticker.Stop()
	after, known := d.tell(ctx, 0, false)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.page.nudge:
		case <-ticker.C:
		}
		// While nobody follows it is only kept where the record ends, so that the first row after somebody came is told.
		after, known = d.tell(ctx, after, known && d.page.events.Followers() > 0)
	}
}

// tell publishes the rows behind one, or only finds out where the record ends.
func (d *Daemon) tell(ctx context.Context, after int64, follow bool) (int64, bool) {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	query := store.ActivityQuery{After: after, Limit: tailRows}
	if !follow {
		query = store.ActivityQuery{Limit: 1, Last: true}
	}
	rows, err := d.Store.Activity(limited, query)
	if err != nil {
		return after, follow || after > 0 // a store that is down is told of by the passes
	}
	for i := range rows {
		row := &rows[i]
		after = row.Seq
		switch {
		case !follow:
		case row.Ref == fleet.Ref{}:
			d.page.events.Publish(service.EventActivity, row.At, row)
		default:
			d.page.events.Publish(service.EventActivity, row.At, row, row.Ref)
		}
	}
	return after, true
}
