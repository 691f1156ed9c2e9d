// Package capacity holds what reservations want: it looks at what the provider
// holds, carries out step by step what reservation.Next says, and tells people.
//
// Run is one look at all reservations. What a step is about to do is in the
// store before the call (the intent), what came of it after, with its row of the
// activity; the calls ask for the lease's permit. A process that dies in between
// leaves an intent, and the next look finds out what became of it: a purchase is
// repeated with the token that it had, or waited for, and never made anew.
//
// Accounts do not wait for each other, and one that can not be asked holds
// nobody back. Money is one ledger: what an account could not tell counts with
// what it held last. What is bought within a day is counted with the intent, in
// one write, and taken off again only when it is certain that nothing was bought.
package capacity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// actor is who the record names for what the program does by itself.
const actor = "dayshift"

const (
	// maxSteps bounds what one look does for one reservation: 10,000 instances one by one, with room. It goes on at the next.
	maxSteps = 12_000
	// callTimeout bounds one call, its waiting for room in the request limits included.
	callTimeout = time.Minute
	// retryGap is when a call is tried again that had no answer or came too often.
	retryGap = 15 * time.Second
	// parallel is how many accounts are looked after at a time.
	parallel = 16
	// maxMemories bounds the memories that are read; one is a few hundred bytes.
	maxMemories = 100_000
)

// Store is what a look needs of the store.
type Store interface {
	store.Records
	Objects(ctx context.Context, kinds ...store.ObjectKind) ([]store.Object, error)
}

// Look is one look at all reservations, to be Run once.
type Look struct {
	Cloud cloud.Reserver
	Types cloud.TypeReader
	// Groups puts what is held into resource groups.
	Groups cloud.Grouper
	Store  Store
	Clock  clock.Clock
	Log    *slog.Logger
	// Receivers are told what people should know.
	Receivers []notify.Receiver
	// Lease is the one that writes carry; MayAct is asked before every call that changes something.
	Lease  func() store.Lease
	MayAct func() error

	Reservations []*reservation.Reservation
	Rules        reservation.Rules
	// Table, when not nil, is where people write further targets.
	Table Table
	// Observe: nothing is bought or given back, what would be is recorded. DryRun: nothing is written either.
	Observe bool
	DryRun  bool

	unread bool // the table could not be read
	past   pastDays
}

// Report is what came of a look.
type Report struct {
	At       time.Time `json:"at"`
	Outcomes []Outcome `json:"reservations"` // ordered by name
	// Next is when the next look is due.
	Next time.Time `json:"next"`
	// TableError says why the table could not be read or written.
	TableError string `json:"table_error,omitempty"`
}

// Outcome is what came of a look at one reservation.
type Outcome struct {
	Name   string      `json:"name"`
	Scope  fleet.Scope `json:"scope"`
	Wanted int         `json:"wanted"`
	Held   int         `json:"held"`
	Used   int         `json:"used"`
	// Did are the steps that were made, or would be, a sentence each.
	Did  []string           `json:"did"`
	Why  reservation.Reason `json:"why"`
	Text string             `json:"text,omitempty"`
	// Until is when it is due again.
	Until time.Time `json:"until"`
	// Error says why it could not be looked after.
	Error string `json:"error,omitempty"`
}

// work is a reservation on its way through a look.
type work struct {
	*reservation.Reservation
	memory   *reservation.Memory
	saved    []byte // the memory as it is stored
	day      reservation.Day
	savedDay []byte
	was      []reservation.Held
	approved bool
	outcome  Outcome
	rows     []store.Activity // to be written with the next save
	events   []notify.Event
	written  int // of the events: that people are told of them is saved
}

// Run makes the look. The error is of the store or the lease: then nothing
// more was done. What went wrong with one reservation is in its Outcome.
func (l *Look) Run(ctx context.Context) (Report, error) {
	report := Report{At: l.Clock.Now(), Outcomes: []Outcome{}}
	report.Next = report.At.Add(l.Rules.Resync)
	rows := l.readTable(ctx, &report)
	works, err := l.gather(ctx, rows)
	if err != nil {
		return report, err
	}
	if err := l.forget(ctx); err != nil || len(works) == 0 {
		return report, err
	}
	book := newLedger(l.Rules, works, l.past.days())
	byAccount := map[fleet.AccountID][]*work{}
	for _, w := range works {
		byAccount[w.Scope.Account] = append(byAccount[w.Scope.Account], w)
	}
	// What every account holds is listed before anything is bought: the limits are of all of them together.
	listings := l.list(ctx, works)
	for _, w := range works {
		if listing := listings[w.Scope]; listing.err == nil {
			l.see(w, listing.held)
			book.settle(w)
		}
	}
	group, grouped := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, account := range slices.Sorted(maps.Keys(byAccount)) {
		group.Go(func() error {
			for _, w := range byAccount[account] {
				if err := l.keep(grouped, w, listings[w.Scope].err, book); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	var events []notify.Event
	for _, w := range works {
		report.Outcomes = append(report.Outcomes, w.outcome)
		if !w.outcome.Until.IsZero() && w.outcome.Until.Before(report.Next) {
			report.Next = w.outcome.Until
		}
		events = append(events, w.events[:w.written]...) // others are told once that can be saved
	}
	if !l.DryRun {
		if err := notify.Tell(ctx, l.Receivers, events); err != nil {
			l.Log.WarnContext(ctx, "people could not be told of reservations", slog.Any("error", err))
		}
	}
	if err != nil {
		return report, err
	}
	l.writeTable(ctx, rows, works, &report)
	return report, nil
}

// gather puts together what there is to look after: what the configuration and
// the table have, and what was bought for reservations that are in neither any more.
func (l *Look) gather(ctx context.Context, rows []tableRow) ([]*work, error) {
	records, err := l.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationMemory, Limit: maxMemories})
	if err != nil {
		return nil, fmt.Errorf("read what is remembered of reservations: %w", err)
	}
	consents, err := l.Store.Objects(ctx, store.ApprovalObject)
	if err != nil {
		return nil, fmt.Errorf("read the approvals: %w", err)
	}
	byName := map[string]*work{}
	add := func(r *reservation.Reservation) *work {
		// Tokens of one that was dropped and made anew differ from those before.
		w := &work{Reservation: r, memory: &reservation.Memory{Seq: l.Clock.Now().Unix()}, outcome: Outcome{Name: r.Name, Did: []string{}}}
		byName[r.Name] = w
		return w
	}
	for _, r := range l.Reservations {
		add(r)
	}
	for i := range rows {
		if _, taken := byName[rows[i].reservation.Name]; !taken {
			add(rows[i].reservation)
		}
	}
	for i := range records {
		w := byName[records[i].Name]
		var m reservation.Memory
		if err := json.Unmarshal(records[i].Data, &m); err != nil {
			l.Log.WarnContext(ctx, "what is remembered of a reservation can not be read; what the provider says counts", slog.String("reservation", records[i].Name), slog.Any("error", err))
			continue
		}
		if w == nil {
			if r := l.lastRead(records[i].Name, m.Wanted); r != nil {
				w = add(r)
			} else {
				w = add(&reservation.Reservation{Name: records[i].Name, Gone: true})
			}
		}
		w.memory, w.saved = &m, records[i].Data
		was := fleet.Scope{Account: fleet.AccountID(m.Account), Region: fleet.Region(m.Region)}
		if w.Gone || w.Err != nil && w.Scope == (fleet.Scope{}) {
			w.Reservation = clone(w.Reservation)
			w.Scope = was
		}
		w.was = slices.Clone(m.Held)
	}
	if err := l.readDays(ctx, byName); err != nil {
		return nil, err
	}
	for _, object := range consents {
		if w := byName[object.Name]; w != nil {
			w.approved = reservation.Consented(object.Spec, w.Reservation)
		}
	}
	works := make([]*work, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		w := byName[name]
		if w.Scope == (fleet.Scope{}) { // at fault, and nothing was ever bought for it
			continue
		}
		w.memory.Account, w.memory.Region = string(w.Scope.Account), string(w.Scope.Region)
		w.outcome.Scope = w.Scope
		works = append(works, w)
	}
	return works, nil
}

func clone(r *reservation.Reservation) *reservation.Reservation {
	c := *r
	return &c
}

// listing is what a scope holds, or why that is not known.
type listing struct {
	held []cloud.Reservation
	err  error
}

// list lists the scopes of all work, side by side.
func (l *Look) list(ctx context.Context, works []*work) map[fleet.Scope]listing {
	var mu sync.Mutex
	listings, asked := map[fleet.Scope]listing{}, map[fleet.Scope]bool{}
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, w := range works {
		scope := w.Scope
		if asked[scope] {
			continue
		}
		asked[scope] = true
		group.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			held, err := l.Cloud.Reservations(limited, scope)
			mu.Lock()
			defer mu.Unlock()
			listings[scope] = listing{held, err}
			return nil
		})
	}
	_ = group.Wait() // what went wrong is in the listings
	return listings
}

// see takes a listing into the memory of a reservation, and notes what changed without us.
func (l *Look) see(w *work, listed []cloud.Reservation) {
	now := l.Clock.Now()
	held := w.memory.Seeing(now, ours(w.Name, listed))
	w.memory.Also = others(w.Reservation, listed)
	window := w.Window(now)
	switch {
	case window.Wanted == 0:
		w.memory.Begun = time.Time{}
	case w.memory.Begun.IsZero():
		w.memory.Begun = now
	}
	for i := range w.was {
		before := &w.was[i]
		if before.Standing == reservation.Ended {
			continue
		}
		at := slices.IndexFunc(held, func(h reservation.Held) bool { return h.ID == before.ID })
		if at >= 0 && held[at].Standing != reservation.Ended {
			continue
		}
		state := "gone"
		if at >= 0 {
			state = held[at].State
		}
		if cancelled := w.memory.Intent; cancelled != nil && cancelled.Do == reservation.Cancel && cancelled.ID == before.ID {
			continue // the row of the recovery tells of it
		}
		if state == string(cloud.ReservationExpired) && window.Wanted == 0 {
			w.row(l.row(w, store.EventReleased, state, before.ID, "%s with %d of %s came to the end that was set for it", before.ID, before.Total, before.Part))
			continue
		}
		w.row(l.row(w, store.EventReservationFailed, state, before.ID, "%s with %d of %s is %s, and not by Dayshift", before.ID, before.Total, before.Part, state))
		if window.Wanted > 0 {
			text := say.F("%s with %d of %s is %s, and not by Dayshift", before.ID, before.Total, before.Part, state)
			if !l.Observe {
				text = say.Clauses(text, say.F("it is bought again"))
			}
			w.tell(notify.ReservationFailed, now, text)
		}
	}
	if it := w.memory.Intent; it != nil && (!it.Do.Spends() || w.memory.Settled() || now.Sub(it.At) >= reservation.Settling) {
		what := "it did not go through"
		switch {
		case !it.Do.Spends():
			what = "what is held now counts"
		case w.memory.Settled():
			what = "it went through"
		default:
			w.day = w.day.Without(it.Counted)
		}
		w.memory.Found(now)
		w.row(l.row(w, store.EventRecovered, string(it.Do), it.ID, "a call of %s had no outcome in the record: %s; %s", it.At.UTC().Format(time.RFC3339), describe(it.Step), what))
	}
}

// ours are the reservations that carry the name in their tag.
func ours(name string, listed []cloud.Reservation) []reservation.Held {
	held := []reservation.Held{}
	for i := range listed {
		c := &listed[i]
		if c.Tags[reservation.TagName] != name || c.Block {
			continue
		}
		held = append(held, toHeld(c))
	}
	return held
}

// maxOthers bounds what is shown of what others hold.
const maxOthers = 20

// others is what is held without the tag of this reservation and could be used by
// the same instances, Capacity Blocks too, which instances have to name.
func others(r *reservation.Reservation, listed []cloud.Reservation) (list []reservation.Held) {
	for i := range listed {
		c := &listed[i]
		held := toHeld(c)
		if c.Tags[reservation.TagName] == r.Name && !c.Block || held.Standing == reservation.Ended || held.Match != "open" && !c.Block || len(list) == maxOthers {
			continue
		}
		if held.Platform == r.Platform && held.Tenancy == r.Tenancy && (slices.Contains(r.Parts, held.Part) || slices.Contains(r.Alternatives, held.Part)) {
			list = append(list, held)
		}
	}
	return list
}

func toHeld(c *cloud.Reservation) reservation.Held {
	h := reservation.Held{
		ID: c.ID, Part: reservation.Part{Zone: c.Zone, Type: c.Type}, Standing: reservation.Ended, State: string(c.State), Total: c.Total, Free: c.Free,
		Attributes:   reservation.Attributes{Platform: c.Platform, Tenancy: c.Tenancy, Match: c.Match, PlacementGroup: c.PlacementGroup},
		EBSOptimized: c.EBSOptimized, End: c.End, Token: cmp.Or(c.Tags[reservation.TagToken], c.Token),
	}
	switch {
	case c.State.Holds():
		h.Standing = reservation.Active
	case c.State.Coming():
		h.Standing, h.Total = reservation.Coming, max(c.Total, c.Count)
		h.Free = h.Total
	}
	return h
}

// keep looks after one reservation. An error ends the look: the lease is lost.
func (l *Look) keep(ctx context.Context, w *work, unseen error, book *ledger) error {
	var step reservation.Step
	switch {
	case unseen != nil:
		step = l.trouble(w, "list what is held", unseen)
	case l.Observe || l.DryRun:
		step = l.observe(w, book)
	default:
		var err error
		if step, err = l.carryOut(ctx, w, book); err != nil {
			if errors.Is(err, store.ErrFenced) || errors.Is(err, cloud.ErrNotPermitted) || ctx.Err() != nil {
				return err
			}
			w.outcome.Error = err.Error()
			step = reservation.Step{Do: reservation.Wait, Reason: reservation.Trouble, Text: say.Raw(err.Error()), Until: l.Clock.Now().Add(retryGap)}
		}
	}
	l.conclude(w, step, unseen == nil)
	if l.DryRun {
		return nil
	}
	if unseen == nil && !l.Observe {
		if err := l.group(ctx, w); err != nil {
			return err
		}
	}
	if err := l.save(ctx, w); err != nil {
		if errors.Is(err, store.ErrFenced) {
			return err
		}
		w.outcome.Error = err.Error()
		w.outcome.Until = l.Clock.Now().Add(retryGap)
	}
	return nil
}

// carryOut makes steps until there is nothing to do but to wait.
func (l *Look) carryOut(ctx context.Context, w *work, book *ledger) (reservation.Step, error) {
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return reservation.Step{}, err
		}
		step := book.next(w, l.Clock.Now())
		if !step.Do.Changes() {
			return step, nil
		}
		wait, err := l.make(ctx, w, step)
		book.settle(w)
		if err != nil || wait.Do != "" {
			return wait, err
		}
	}
	return reservation.Step{Do: reservation.Wait, Reason: reservation.TooMany, Text: say.F("there is more to do, which the next look does"), Until: l.Clock.Now().Add(time.Second)}, nil
}

// make makes one step: the intent, the call, the outcome. A wait is why nothing more is done now.
func (l *Look) make(ctx context.Context, w *work, step reservation.Step) (wait reservation.Step, err error) {
	m := w.memory
	if step.Do == reservation.Buy && step.EBSOptimized == nil {
		free, err := l.ebs(ctx, w.Scope, step.Part.Type)
		switch {
		case errors.Is(err, cloud.ErrUnsupported):
			l.refused(w, step, err)
			return reservation.Step{}, l.save(ctx, w)
		case err != nil:
			return l.trouble(w, "ask for the type "+step.Part.Type, err), nil
		}
		step.EBSOptimized = &free
	}
	before := m.Intent
	m.Begin(l.Clock.Now(), step)
	counted := w.count(l.Clock.Now())
	if err := l.save(ctx, w); err != nil {
		return reservation.Step{}, fmt.Errorf("keep what is about to be done: %w", err)
	}
	bought, err := l.call(ctx, w.Scope, step)
	if errors.Is(err, cloud.ErrNotPermitted) {
		return reservation.Step{}, err // nothing was sent; what was meant to be is looked at by whoever holds the lease
	}
	if err == nil && step.Do == reservation.Buy && bought.Standing == reservation.Ended {
		m.Intent = nil
		w.day = w.day.Without(counted)
		l.refused(w, step, fmt.Errorf("%s is %s", bought.ID, bought.State))
		return reservation.Step{}, l.save(ctx, w)
	}
	now := l.Clock.Now()
	switch {
	case err == nil:
		m.Done(now, step, bought)
		id := cmp.Or(step.ID, bought.ID)
		event := store.EventReserved
		if step.Do == reservation.Shrink || step.Do == reservation.Cancel {
			event = store.EventReleased
		}
		w.did(step)
		w.row(l.row(w, event, string(step.Reason), id, "%s", describe(step)+money(step)))
	case step.Reason == reservation.Again && turnedAway(err):
		m.Intent = before // this time nothing was done; what became of the time before can not be told from it
		wait = l.trouble(w, describe(step), err)
	case errors.Is(err, cloud.ErrThrottled), errors.Is(err, cloud.ErrUnauthorized), errors.Is(err, cloud.ErrCredentials), errors.Is(err, cloud.ErrRegionDisabled):
		m.Intent = nil // nothing was done
		wait = l.trouble(w, describe(step), err)
	case step.Do.Spends() && errors.Is(err, cloud.ErrInsufficientCapacity):
		why := ""
		if errors.Is(err, cloud.ErrQuota) {
			why = err.Error()
		}
		m.Refuse(now, step, true, why)
	case errors.Is(err, cloud.ErrNotFound) && step.ID != "":
		m.Lost(step)
		w.row(l.row(w, store.EventReservationFailed, "gone", step.ID, "%s: %v", describe(step), err))
	case step.Do.Spends() && definite(err):
		l.refused(w, step, err)
	case definite(err):
		l.blocked(w, step, err)
	default: // what became of it is not known
		wait = l.trouble(w, describe(step), err)
		wait.Until = now.Add(retryGap)
	}
	if err != nil && m.Intent == nil {
		w.day = w.day.Without(counted)
	}
	return wait, l.save(ctx, w)
}

// ungrouped notes that what is held is not in its resource group, and tells it once.
func (l *Look) ungrouped(w *work, id string, err error) {
	text := fmt.Sprintf("%v; it is held, and put into the group when that can be done", err)
	w.outcome.Error = text
	if again := l.Clock.Now().Add(l.Rules.Interval); w.outcome.Until.IsZero() || again.Before(w.outcome.Until) {
		w.outcome.Until = again
	}
	if passing(err) || w.memory.Ungrouped == class(err) {
		return
	}
	w.memory.Ungrouped = class(err)
	w.row(l.row(w, store.EventReservationFailed, "ungrouped", id, "%s", text))
	w.tell(notify.ReservationFailed, l.Clock.Now(), say.Raw(text))
}

// group puts what is held into the resource group of the reservation, where it is
// not in it. What fails is told once and tried again; nothing is bought or given
// back for it. The error is the permit's.
func (l *Look) group(ctx context.Context, w *work) error {
	if w.ResourceGroup == "" || w.Err != nil || w.outcome.Wanted == 0 {
		w.memory.Ungrouped = ""
		return nil //nolint:nilerr // what is at fault is left as it is
	}
	for i := range w.memory.Held {
		h := &w.memory.Held[i]
		if h.Standing != reservation.Active {
			continue
		}
		joined, err := l.join(ctx, w, h.ID)
		switch {
		case errors.Is(err, cloud.ErrNotPermitted):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			l.ungrouped(w, h.ID, err)
			return nil
		case joined:
			w.row(l.row(w, store.EventReserved, "grouped", h.ID, "%s is in the resource group %s", h.ID, w.ResourceGroup))
		}
	}
	w.memory.Ungrouped = ""
	return nil
}

// join puts one into the group, unless it is in it.
func (l *Look) join(ctx context.Context, w *work, id string) (joined bool, err error) {
	limited, cancel := context.WithTimeout(cloud.WithPermit(ctx, l.MayAct), callTimeout)
	defer cancel()
	groups, err := l.Groups.Groups(limited, w.Scope, id)
	if err != nil || slices.Contains(groups, w.ResourceGroup) {
		return false, err
	}
	return true, l.Groups.Group(limited, w.Scope, w.ResourceGroup, id)
}

// turnedAway reports whether an error says that this call did nothing, and nothing
// of what an earlier one with the same words did. That there is no room, or that what was to grow is gone, answers for both.
func turnedAway(err error) bool {
	return !errors.Is(err, cloud.ErrInsufficientCapacity) && !errors.Is(err, cloud.ErrNotFound) &&
		(definite(err) || errors.Is(err, cloud.ErrThrottled) || errors.Is(err, cloud.ErrUnauthorized) || errors.Is(err, cloud.ErrCredentials) || errors.Is(err, cloud.ErrRegionDisabled))
}

// definite reports whether an error says that nothing was done, and nothing will be by repeating the call at once.
func definite(err error) bool {
	return errors.Is(err, cloud.ErrInvalid) || errors.Is(err, cloud.ErrUnsupported) || errors.Is(err, cloud.ErrWrongState) ||
		errors.Is(err, cloud.ErrProtected) || errors.Is(err, cloud.ErrInsufficientCapacity) || errors.Is(err, cloud.ErrNotFound)
}

// call makes the call of a step.
func (l *Look) call(ctx context.Context, scope fleet.Scope, step reservation.Step) (reservation.Held, error) {
	limited, cancel := context.WithTimeout(cloud.WithPermit(ctx, l.MayAct), callTimeout)
	defer cancel()
	switch step.Do {
	case reservation.Buy:
		order := cloud.Order{
			Type: step.Part.Type, Zone: step.Part.Zone, Platform: step.Platform, Tenancy: step.Tenancy, EBSOptimized: step.EBSOptimized != nil && *step.EBSOptimized,
			Match: step.Match, PlacementGroup: step.PlacementGroup, Count: step.By, End: step.End, Start: step.Start, Commitment: step.Commitment, Tags: step.Tags,
		}
		bought, err := l.Cloud.Reserve(limited, scope, order, step.Token)
		if err != nil {
			return reservation.Held{}, err
		}
		held := toHeld(&bought)
		held.Token = step.Token
		return held, nil
	case reservation.Grow, reservation.Shrink:
		return reservation.Held{}, l.Cloud.Modify(limited, scope, step.ID, cloud.Change{Count: step.Count})
	case reservation.SetEnd:
		return reservation.Held{}, l.Cloud.Modify(limited, scope, step.ID, cloud.Change{End: step.End})
	case reservation.Cancel:
		return reservation.Held{}, l.Cloud.Cancel(limited, scope, step.ID)
	case reservation.Wait, reservation.Rest:
	}
	return reservation.Held{}, fmt.Errorf("%w: no call for %q", cloud.ErrInvalid, step.Do)
}

// ebs reports whether a type is optimised for EBS at no charge.
func (l *Look) ebs(ctx context.Context, scope fleet.Scope, name string) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := l.Types.TypeInfo(limited, scope, name)
	return info.EBS == cloud.EBSAlways, err
}

// refused notes that the provider will not give capacity of a part, for another reason than that it has none.
func (l *Look) refused(w *work, step reservation.Step, err error) {
	w.memory.Refuse(l.Clock.Now(), step, false, err.Error())
}

// blocked notes that the provider refuses to change what is held: until the next try it costs what it costs.
func (l *Look) blocked(w *work, step reservation.Step, err error) {
	now := l.Clock.Now()
	w.memory.Block(step, now.Add(l.Rules.Interval))
	text := fmt.Sprintf("%s: %v; it is tried again at %s", describe(step), err, now.Add(l.Rules.Interval).UTC().Format(time.RFC3339))
	if step.Do == reservation.Cancel || step.Do == reservation.Shrink {
		text += burns(step.Part, step.By)
	}
	w.row(l.row(w, store.EventReservationFailed, string(step.Reason), step.ID, "%s", text))
	w.tellOnce("refused:"+step.ID, notify.ReservationFailed, now, say.Raw(text))
}

// trouble is the wait of a reservation whose provider can not be asked, or gave no answer.
func (l *Look) trouble(w *work, what string, err error) reservation.Step {
	now := l.Clock.Now()
	gap := l.Rules.Interval
	if passing(err) {
		gap = min(gap, retryGap)
	}
	var later cloud.RetryAfter
	if errors.As(err, &later) {
		gap = max(gap, min(later.RetryAfter(), l.Rules.Interval))
	}
	text := fmt.Sprintf("%s: %v", what, err)
	if !passing(err) && w.memory.Told.Trouble != class(err) {
		whole := say.Clauses(say.Raw(text), costs(w.memory.Held))
		w.row(l.row(w, store.EventReservationFailed, string(reservation.Trouble), "", "%s", whole))
		w.tellOnce(class(err), notify.ReservationFailed, now, whole)
	}
	w.outcome.Error = text
	return reservation.Step{Do: reservation.Wait, Reason: reservation.Trouble, Text: say.Raw(text), Until: now.Add(gap)}
}

// passing reports whether an error is of the moment. One that waited in vain for
// room in the request limits is as one that was told that there were too many.
func passing(err error) bool {
	return errors.Is(err, cloud.ErrThrottled) || errors.Is(err, cloud.ErrTransient) || errors.Is(err, context.DeadlineExceeded)
}

// class is what makes an error the same as another one for those who were told.
func class(err error) string {
	for _, kind := range []error{cloud.ErrUnauthorized, cloud.ErrCredentials, cloud.ErrRegionDisabled, cloud.ErrInvalid} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "failure"
}
