package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/fleet"
)

// Filter chooses the events that a channel is told. The zero Filter takes all.
type Filter struct {
	Kinds []Kind // none: all
	// Schedules and Workloads by name: only events about one of these; none of either: all, also those that are about no
	// schedule and no workload.
	Schedules, Workloads []string
	// Resources: only events about a resource, or a scope, that it selects; zero: all.
	Resources fleet.Filter
}

// Takes reports whether the channel is told the event.
func (f *Filter) Takes(e *Event) bool {
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, e.Kind) {
		return false
	}
	own := Subject{Schedule: e.Schedule, Ref: e.Ref, Name: e.Name, Tags: e.Tags}
	return f.selects(e, &own) || slices.ContainsFunc(e.About, func(s Subject) bool { return f.selects(e, &s) })
}

// selects reports whether an event about a subject is for the channel.
func (f *Filter) selects(e *Event, s *Subject) bool {
	if !f.Resources.IsZero() && !f.Resources.Match(fleet.Resource{Ref: s.Ref, Name: s.Name, Tags: s.Tags}) {
		return false
	}
	if len(f.Schedules)+len(f.Workloads) == 0 {
		return true
	}
	schedule := cmp.Or(s.Schedule, e.Schedule)
	return schedule != "" && slices.Contains(f.Schedules, schedule) || e.Workload != "" && slices.Contains(f.Workloads, e.Workload)
}

// Channel is what an outbox stands in front of, and how it is told.
type Channel struct {
	Sender
	Filter Filter
	Words  Words
	By     Grouping
	// Quiet: what is no alarm and warns of no stop waits for their end. Digest: what is no alarm is told in one message a day or week.
	Quiet  *Quiet
	Digest *Digest
}

// Retryable is an error that says that a message was not taken, and may be sent again.
type Retryable interface {
	error
	// RetryAfter is how long the channel asks to be left alone; 0: it does not say.
	RetryAfter() time.Duration
}

// RetryError is a Retryable.
type RetryError struct {
	Err error
	// After is how long the channel asks to be left alone; 0: it does not say.
	After time.Duration
}

func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *RetryError) Unwrap() error { return e.Err }

// RetryAfter implements Retryable.
func (e *RetryError) RetryAfter() time.Duration { return e.After }

// Result is what became of a message, or of an attempt to send it.
type Result string

// The results.
const (
	Sent    Result = "sent"    // the channel took it
	Retried Result = "retried" // the channel did not take it; it is sent again
	Merged  Result = "merged"  // it was put together with one that waits
	Lost    Result = "lost"    // it was given up
)

// The bounds of an outbox.
const (
	// attemptTimeout bounds one attempt, whatever the channel does.
	attemptTimeout = 15 * time.Second
	// keepTrying is how long a message that is due waits for its channel to take it. Later it is no news, and the activity record has it.
	keepTrying = time.Hour
	// firstGap is waited after a failed attempt; it doubles with every further one up to maxGap.
	firstGap = time.Second
	maxGap   = 5 * time.Minute
	// maxAfter bounds how long a channel may ask to be left alone: four times in the life of a message.
	maxAfter = 15 * time.Minute
	// mergeFrom is how many messages wait before further ones are put together with those about the same, and twice that
	// how many before all of one kind are put together: what waits stays bounded, and nobody reads a hundred messages.
	mergeFrom = 50
	// patience is how often in a row a message is not taken before the next one is tried: it may be the message, and not the channel.
	patience = 3
	// restAtMost is after how long an outbox that waits for an instant looks again: clocks are set, and machines sleep.
	restAtMost = time.Minute
	// notNow is after how long it is looked again whether this process may send what stands in the store.
	notNow = time.Second
)

// OutboxOptions are what an outbox works with.
type OutboxOptions struct {
	Clock clock.Clock // of the pauses between attempts; nil: the wall
	// Calendar is the clock that letters are dated by, and that quiet hours and digests go by; nil: Clock.
	Calendar clock.Clock
	Log      *slog.Logger
	// Count, when not nil, is told what became of messages.
	Count func(channel string, result Result)

	ledger *ledger // of what the store does not have yet; nil: letters are kept in memory alone
}

// Outbox is a receiver that takes events at once and hands what is to be told of
// them to a channel in the background, in order, one message at a time; one that
// the channel does not take lets the others go first. Use NewOutbox.
type Outbox struct {
	name    string
	options OutboxOptions

	mu      sync.Mutex
	channel Channel
	waiting []*entry
	posted  posted
	// may says whether this process may send now what stands in the store; nil: it may not.
	may       func() error
	done      chan struct{}      // closed when whoever works on waiting ends; nil: nobody does
	attempt   context.CancelFunc // ends the present attempt; nil: there is none
	rouse     context.CancelFunc // ends the present pause; nil: there is none
	resting   bool               // the pause is one for want of anything to do
	closed    bool
	draining  bool // each that is due has one more attempt
	halted    bool // no further attempt
	failures  int  // in a row
	stuck     stuck
	hushed    time.Time // when it was looked for quiet hours
	hush      time.Time // their end; zero: there were none then
	condition Condition
}

// stuck is the letter, where it is a single one, that the channel does not take.
type stuck struct {
	letter string
	fails  int // in a row, of this letter
}

// entry is a letter that waits.
type entry struct {
	Letter
	stored bool      // it stands in the store, and so is for whoever holds the lease to send
	from   time.Time // since when this process has it, where an earlier one left it
	tried  bool      // it had its last attempt, while the outbox is drained
}

var _ Receiver = (*Outbox)(nil)

// setDefaults gives the clocks that are not given.
func (o *OutboxOptions) setDefaults() {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Calendar == nil {
		o.Calendar = o.Clock
	}
}

// NewOutbox returns an empty outbox in front of a channel. The caller closes it.
func NewOutbox(name string, channel Channel, options OutboxOptions) *Outbox {
	options.setDefaults()
	return &Outbox{name: name, options: options, channel: channel, posted: posted{}, condition: Condition{Channel: name}}
}

// Name implements Receiver.
func (o *Outbox) Name() string { return o.name }

// Use puts another channel behind the outbox: what waits goes there, at once.
func (o *Outbox) Use(channel Channel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.channel, o.failures, o.hush = channel, 0, time.Time{}
	now := o.now()
	for _, w := range o.waiting {
		due := o.held(&w.Notice, now)
		if w.State == LetterKept && channel.Digest != nil {
			if due = channel.Digest.Next(now); !w.Due.IsZero() && w.Due.Before(due) {
				due = w.Due
			}
		}
		if !due.Equal(w.Due) && (w.Due.After(now) || due.After(now)) {
			w.Due = due
			o.write(w)
		}
	}
	o.start()
	o.wake()
}

var errOutboxClosed = errors.New("the channel is closed")

// Tell implements Receiver. It never waits: nil means that what the channel is to
// be told is delivered in the background.
func (o *Outbox) Tell(ctx context.Context, events []Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var taken []Event
	for i := range events {
		if o.channel.Filter.Takes(&events[i]) {
			taken = append(taken, events[i])
		}
	}
	now := o.now()
	for i, notice := range Group(taken, o.channel.By) {
		if !o.closed && o.channel.Digest != nil {
			o.collect(&notice, now)
			if notice.Kind().Tone() != Alarm {
				continue
			}
		}
		// Of one pass they sort in this order, also when they are read from the store.
		id := NewLetterID(now.Add(time.Duration(i) * time.Microsecond))
		e := &entry{Letter: Letter{ID: id, Channel: o.name, Notice: notice, State: LetterWaiting, Since: now}}
		if o.closed {
			o.lost(ctx, e, errOutboxClosed)
			continue
		}
		o.put(e, now)
	}
	if len(taken) > 0 && o.closed {
		return errOutboxClosed
	}
	o.start() //nolint:contextcheck // the background outlives each call
	if o.resting {
		o.wake()
	}
	return nil
}

func (o *Outbox) now() time.Time { return o.options.Calendar.Now() }

// held is until when a notice waits now; zero: it does not. The caller holds mu.
func (o *Outbox) held(n *Notice, now time.Time) time.Time {
	if o.channel.Quiet == nil || n.Kind().Tone() == Alarm || n.warnsOfStop() {
		return time.Time{}
	}
	if now.Before(o.hushed) || !now.Before(o.hush) {
		o.hushed, o.hush = now, o.channel.Quiet.Until(now) // the same until then, for all that wait
	}
	return o.hush
}

// warnsOfStop: later it would be of no use.
func (n *Notice) warnsOfStop() bool {
	return slices.ContainsFunc(n.Parts, func(p Part) bool { return p.Kind == StopWarning })
}

// put adds a notice to those that wait. The caller holds mu.
func (o *Outbox) put(e *entry, now time.Time) {
	e.Due = o.held(&e.Notice, now)
	// What was tried may have been taken, and its ID stands for what it says.
	like := func(same func(*entry) bool) *entry {
		at := slices.IndexFunc(o.waiting, func(w *entry) bool {
			return w.Tries == 0 && w.State == LetterWaiting && w.Notice.Digest == nil && same(w)
		})
		if at < 0 {
			return nil
		}
		return o.waiting[at]
	}
	about := func(w *entry) bool {
		return w.Notice.Schedule == e.Notice.Schedule && w.Notice.Workload == e.Notice.Workload
	}
	alike := func(w *entry) bool { return w.Notice.Kind() == e.Notice.Kind() }
	var w *entry
	if !e.Due.IsZero() { // nobody reads them one by one when the quiet is over
		w = like(func(w *entry) bool {
			return w.Due.After(now) && about(w) && (alike(w) || o.channel.By == BySubject && e.Notice.Schedule+e.Notice.Workload != "")
		})
	}
	if w == nil && len(o.waiting) >= mergeFrom {
		w = like(func(w *entry) bool { return alike(w) && about(w) })
	}
	if w == nil && len(o.waiting) >= 2*mergeFrom {
		w = like(alike)
	}
	if w == nil {
		o.waiting = append(o.waiting, e)
		o.write(e)
		return
	}
	o.options.ledger.drop(w.ID, w.stored)
	if e.Due.IsZero() {
		w.Due = e.Due // what is not held back takes along what is
	}
	w.Notice, w.Since, w.ID, w.stored = merge(&w.Notice, &e.Notice), e.Since, e.ID, false
	o.write(w)
	o.count(Merged)
}

// write has the letter written to the store as it is now. The caller holds mu.
func (o *Outbox) write(e *entry) { o.options.ledger.put(&e.Letter, e.stored) }

// start has somebody work on what waits. The caller holds mu.
func (o *Outbox) start() {
	if o.done != nil || o.halted || len(o.waiting) == 0 {
		return
	}
	o.done = make(chan struct{})
	go o.deliver(o.done)
}

// wake ends the present pause. The caller holds mu.
func (o *Outbox) wake() {
	if o.rouse != nil {
		o.rouse()
	}
}

// next is the first that may be sent now, or how long to wait for one; neither: there is nothing to wait for. The caller holds mu.
func (o *Outbox) next() (*entry, time.Duration) {
	now := o.now()
	wait := time.Duration(0)
	var aside *entry
	later := func(d time.Duration) {
		if wait == 0 || d < wait {
			wait = d
		}
	}
	for _, w := range o.waiting {
		if w.tried || w.stored && o.may == nil {
			continue
		}
		if held := o.held(&w.Notice, now); held.After(w.Due) {
			w.Due = held
			o.write(w)
		}
		switch {
		case w.Due.After(now):
			later(min(w.Due.Sub(now), restAtMost))
		case w.stored && o.may() != nil:
			later(notNow)
		case o.stuck.letter == w.ID && o.stuck.fails >= patience:
			aside = w
		default:
			return w, 0
		}
	}
	return aside, wait
}

// deliver works until nothing waits that this process is to send.
func (o *Outbox) deliver(done chan struct{}) {
	defer close(done)
	for {
		o.mu.Lock()
		e, wait := o.next()
		if o.halted || e == nil && (wait == 0 || o.closed || o.draining) {
			o.done = nil
			o.mu.Unlock()
			return
		}
		if e == nil {
			o.pause(o.options.Calendar, wait, true) // gives mu back
			continue
		}
		if e.State == LetterKept {
			e.State = LetterWaiting // what is told from now on is for the next one
		}
		e.Tries++
		all, cancel := context.WithCancel(context.Background())
		o.attempt = cancel
		letter, channel, now := e.Letter, o.channel, o.now()
		prior := o.posted.before(&letter, now)
		o.mu.Unlock()

		channel.Digest.complete(all, &letter.Notice, now)
		ctx, end := context.WithTimeoutCause(all, attemptTimeout, fmt.Errorf("it was not taken within %s", attemptTimeout))
		sent, err := send(ctx, &channel, letter, prior)
		if err != nil && ctx.Err() != nil {
			err = &RetryError{Err: context.Cause(ctx)}
		}
		end()
		cancel()
		if gap := o.settle(e, sent, err); gap > 0 {
			o.mu.Lock()
			if o.closed || o.draining || o.failures == 0 {
				o.mu.Unlock()
				continue
			}
			o.pause(o.options.Clock, gap, false)
		}
	}
}

// settle takes the answer of the channel and returns how long to leave it alone.
func (o *Outbox) settle(e *entry, sent Letter, err error) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempt = nil
	at := slices.Index(o.waiting, e)
	if at < 0 { // it was left to the next process meanwhile
		return 0
	}
	now := o.now()
	ctx := context.Background()
	if err == nil {
		if o.failures > 0 {
			o.options.Log.InfoContext(ctx, "the channel takes messages again", slog.String("channel", o.name))
		}
		o.failures = 0
		if o.stuck.letter == e.ID {
			o.stuck = stuck{}
		}
		o.condition = Condition{Channel: o.name, At: now, LastSent: now}
		o.options.ledger.stands(&o.condition)
		o.count(Sent)
		e.Notice, e.Handle, e.Updates = sent.Notice, sent.Handle, sent.Updates
		e.State, e.Settled, e.Error = LetterSent, now, ""
		o.posted.add(&e.Letter, now)
		o.waiting = slices.Delete(o.waiting, at, at+1)
		o.write(e)
		return 0
	}
	e.Error = clip(err.Error())
	since := e.Since
	for _, at := range []time.Time{e.Due, e.from} { // while nobody tried, the channel refused nothing
		if at.After(since) {
			since = at
		}
	}
	var again Retryable
	switch {
	case o.halted: // it stays, for whoever halts
		e.tried = true
		o.write(e)
		return 0
	case !errors.As(err, &again), o.closed, now.Sub(since) >= keepTrying:
		o.waiting = slices.Delete(o.waiting, at, at+1)
		o.lost(ctx, e, err)
		o.fails(e.Error, now)
		return 0
	}
	o.count(Retried)
	if o.failures == 0 {
		o.options.Log.WarnContext(ctx, "a channel does not take messages; they wait", slog.String("channel", o.name), slog.Any("error", err))
	}
	switch {
	case again.RetryAfter() > 0, o.failures > 0 && o.stuck.letter != e.ID:
		o.stuck = stuck{} // it is the channel
	case o.stuck.letter != e.ID:
		o.stuck = stuck{e.ID, 1}
	default:
		o.stuck.fails++
	}
	o.failures++
	o.fails(e.Error, now)
	e.tried = o.draining
	o.write(e)
	gap := firstGap << min(max(o.failures, o.stuck.fails)-1, 20)
	return max(min(gap, maxGap), min(again.RetryAfter(), maxAfter))
}

// fails keeps that the channel took nothing. The caller holds mu.
func (o *Outbox) fails(why string, now time.Time) {
	if !o.condition.FailingSince.IsZero() && o.condition.Error == why {
		return
	}
	o.condition.At, o.condition.Error = now, why
	if o.condition.FailingSince.IsZero() {
		o.condition.FailingSince = now
	}
	o.options.ledger.stands(&o.condition)
}

// pause waits, unless something makes it worth to look at once. The caller holds mu, and has it no more when it returns.
func (o *Outbox) pause(by clock.Clock, gap time.Duration, resting bool) {
	ctx, rouse := context.WithCancel(context.Background())
	defer rouse()
	o.rouse, o.resting = rouse, resting
	o.mu.Unlock()
	_ = by.Sleep(ctx, gap) // its end or a rousing: both mean to look again
	o.mu.Lock()
	o.rouse, o.resting = nil, false
	o.mu.Unlock()
}

// drain tries each that is due once more, until ctx ends. What it began has ended then.
func (o *Outbox) drain(ctx context.Context) {
	o.mu.Lock()
	o.draining = true
	o.halted = ctx.Err() != nil
	o.start() //nolint:contextcheck // the background outlives each call
	o.wake()
	done := o.done
	o.mu.Unlock()
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			o.mu.Lock()
			o.halted = true
			if o.attempt != nil {
				o.attempt()
			}
			o.wake()
			o.mu.Unlock()
			<-done
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.draining, o.halted = false, false
	for _, w := range o.waiting {
		w.tried = false
	}
}

// Close takes no more messages and tries each that waits once more, until ctx
// ends. What is left then is lost. A second Close is no harm.
func (o *Outbox) Close(ctx context.Context) {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.drain(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.waiting {
		o.lost(ctx, e, cmp.Or(context.Cause(ctx), errOutboxClosed))
	}
	o.waiting = nil
}

// lost gives a message up. The caller holds mu.
func (o *Outbox) lost(ctx context.Context, e *entry, why error) {
	e.State, e.Settled, e.Error, e.Heeded = LetterDead, o.now(), clip(why.Error()), max(e.Heeded, o.options.ledger.heededUpTo())
	o.write(e)
	o.count(Lost)
	o.options.Log.WarnContext(ctx, "a message was not delivered", slog.String("channel", o.name), slog.String("id", e.ID), slog.String("kind", string(e.Notice.Kind())),
		slog.String("title", Words{}.Message(&e.Notice).Title), slog.Int("count", e.Notice.Count()), slog.Int("tries", e.Tries), slog.Any("error", why))
}

func (o *Outbox) count(result Result) {
	if o.options.Count != nil {
		o.options.Count(o.name, result)
	}
}
