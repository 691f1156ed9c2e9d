package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dayshift/internal/clock"
)

// Filter chooses the messages that a channel gets. The zero Filter takes all.
type Filter struct {
	Kinds []Kind // none: all
	// Schedules and Workloads by name: only messages about one of these; none of either: all messages, also those that are
	// about no schedule and no workload.
	Schedules, Workloads []string
}

// Takes reports whether the channel gets the message.
func (f Filter) Takes(m Message) bool {
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, m.Kind) {
		return false
	}
	if len(f.Schedules)+len(f.Workloads) == 0 {
		return true
	}
	return m.Schedule != "" && slices.Contains(f.Schedules, m.Schedule) || m.Workload != "" && slices.Contains(f.Workloads, m.Workload)
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
	// keepTrying is how long a message waits for its channel to take it. Later it is no news, and the activity record has it.
	keepTrying = time.Hour
	// firstGap is waited after a failed attempt; it doubles with every further one up to maxGap.
	firstGap = time.Second
	maxGap   = 5 * time.Minute
	// maxAfter bounds how long a channel may ask to be left alone: four times in the life of a message.
	maxAfter = 15 * time.Minute
	// mergeFrom is how many messages wait before further ones are put together with those about the same, and twice that
	// how many before all of one kind are put together: what waits stays bounded, and nobody reads a hundred messages.
	mergeFrom = 50
)

// OutboxOptions are what an outbox works with.
type OutboxOptions struct {
	Clock clock.Clock // nil: the wall
	Log   *slog.Logger
	// Count, when not nil, is told what became of messages.
	Count func(channel string, result Result)
}

// Outbox is a channel that takes every message at once and hands it to another
// one in the background, in order, one at a time. Use NewOutbox.
type Outbox struct {
	name    string
	options OutboxOptions
	end     context.CancelFunc // of what is being sent
	ctx     context.Context    //nolint:containedctx // of the background, which outlives each call
	group   sync.WaitGroup

	mu       sync.Mutex
	sender   Sender
	filter   Filter
	waiting  []entry
	busy     bool // the first of waiting is being sent, or was and is sent again
	running  bool // somebody works on waiting
	closed   bool
	failures int                // in a row
	rouse    context.CancelFunc // ends the present nap; nil: there is none
}

// entry is a message that waits.
type entry struct {
	Message
	since time.Time
	tries int
}

var _ Sender = (*Outbox)(nil)

// NewOutbox returns an empty outbox in front of a channel, for the messages that the filter takes. The caller closes it.
func NewOutbox(name string, sender Sender, filter Filter, options OutboxOptions) *Outbox {
	if options.Clock == nil {
		options.Clock = clock.Real{}
	}
	o := &Outbox{name: name, options: options, sender: sender, filter: filter}
	o.ctx, o.end = context.WithCancel(context.Background())
	return o
}

// Name implements Sender.
func (o *Outbox) Name() string { return o.name }

// Use puts another channel behind the outbox, with its filter: what waits goes there, at once.
func (o *Outbox) Use(sender Sender, filter Filter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sender, o.filter, o.failures = sender, filter, 0
	if o.rouse != nil {
		o.rouse()
	}
}

var errOutboxClosed = errors.New("the channel is closed")

// Send implements Sender. It never waits: nil means that the message is
// delivered in the background, or that the filter leaves it out.
func (o *Outbox) Send(ctx context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.filter.Takes(m) {
		return nil
	}
	if o.closed {
		o.lost(ctx, entry{Message: m}, errOutboxClosed)
		return errOutboxClosed
	}
	m.ID = rand.Text()
	o.put(entry{Message: m, since: o.options.Clock.Now()})
	if !o.running {
		o.running = true
		o.group.Go(o.deliver)
	}
	return nil
}

// put adds a message to those that wait. The caller holds mu.
func (o *Outbox) put(e entry) {
	first := 0
	if o.busy {
		first = 1 // it may have been taken, and its ID stands for what it says
	}
	like := func(same func(Message) bool) int {
		return slices.IndexFunc(o.waiting[min(first, len(o.waiting)):], func(w entry) bool { return w.Kind == e.Kind && same(w.Message) })
	}
	at := -1
	if len(o.waiting) >= mergeFrom {
		at = like(func(m Message) bool { return m.Schedule == e.Schedule && m.Workload == e.Workload })
	}
	if at < 0 && len(o.waiting) >= 2*mergeFrom {
		at = like(func(Message) bool { return true })
	}
	if at < 0 {
		o.waiting = append(o.waiting, e)
		return
	}
	w := &o.waiting[first+at]
	w.Message, w.since = merge(w.Message, e.Message), e.since
	w.ID = e.ID
	o.count(Merged)
}

// deliver works until nothing waits.
func (o *Outbox) deliver() {
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 || o.ctx.Err() != nil {
			o.running = false
			o.mu.Unlock()
			return
		}
		o.busy = true
		o.waiting[0].tries++
		e, sender := o.waiting[0], o.sender
		o.mu.Unlock()

		ctx, cancel := context.WithTimeoutCause(o.ctx, attemptTimeout, fmt.Errorf("it was not taken within %s", attemptTimeout))
		err := sender.Send(ctx, e.Message)
		if err != nil && ctx.Err() != nil {
			err = &RetryError{Err: context.Cause(ctx)}
		}
		cancel()
		if gap := o.settle(e, err); gap > 0 {
			o.nap(gap)
		}
	}
}

// settle takes the answer of the channel and returns how long to leave it alone.
func (o *Outbox) settle(e entry, err error) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := func() {
		o.waiting, o.busy = slices.Delete(o.waiting, 0, 1), false
	}
	if err == nil {
		if o.failures > 0 {
			o.options.Log.InfoContext(o.ctx, "the channel takes messages again", slog.String("channel", o.name))
		}
		o.failures = 0
		o.count(Sent)
		done()
		return 0
	}
	var again Retryable
	switch {
	case o.ctx.Err() != nil: // it stays, for Close to tell
		return 0
	case !errors.As(err, &again), o.closed, o.options.Clock.Now().Sub(e.since) >= keepTrying:
		o.lost(o.ctx, e, err)
		done()
		return 0
	}
	o.count(Retried)
	if o.failures == 0 {
		o.options.Log.WarnContext(o.ctx, "a channel does not take messages; they wait", slog.String("channel", o.name), slog.Any("error", err))
	}
	o.failures++
	gap := firstGap << min(o.failures-1, 20)
	return max(min(gap, maxGap), min(again.RetryAfter(), maxAfter))
}

// nap waits, unless something makes it worth to try at once.
func (o *Outbox) nap(gap time.Duration) {
	ctx, rouse := context.WithCancel(o.ctx)
	defer rouse()
	o.mu.Lock()
	if o.closed || o.failures == 0 {
		o.mu.Unlock()
		return
	}
	o.rouse = rouse
	o.mu.Unlock()
	_ = o.options.Clock.Sleep(ctx, gap) // its end or a rousing: both mean to look again
	o.mu.Lock()
	o.rouse = nil
	o.mu.Unlock()
}

// Close takes no more messages and tries each that waits once more, until ctx
// ends. What is left then is lost. A second Close is no harm.
func (o *Outbox) Close(ctx context.Context) {
	o.mu.Lock()
	o.closed = true
	if o.rouse != nil {
		o.rouse()
	}
	o.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.group.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		o.end()
		<-done
	}
	o.end()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.waiting {
		o.lost(ctx, e, cmp.Or(context.Cause(ctx), errOutboxClosed))
	}
	o.waiting = nil
}

// lost says that a message was given up. The caller holds mu.
func (o *Outbox) lost(ctx context.Context, e entry, why error) {
	o.count(Lost)
	o.options.Log.WarnContext(ctx, "a message was not delivered", slog.String("channel", o.name), slog.String("kind", string(e.Kind)),
		slog.String("title", e.Title), slog.Int("count", e.Count), slog.Int("tries", e.tries), slog.Any("error", why))
}

func (o *Outbox) count(result Result) {
	if o.options.Count != nil {
		o.options.Count(o.name, result)
	}
}
