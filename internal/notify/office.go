package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"dayshift/internal/store"
)

// OfficeOptions are what an office works with.
type OfficeOptions struct {
	OutboxOptions
	// Store keeps letters; nil: they are kept in memory alone.
	Store store.Records
	// Lasting: what the store keeps outlives the process.
	Lasting bool
}

// The pace of an office.
const (
	// storeWait bounds what the store may cost a pass that tells something.
	storeWait = 2 * time.Second
	// batch is how long what became of letters is gathered before it is written.
	batch = 250 * time.Millisecond
	// storeAgain is after how long a store that was down is tried again.
	storeAgain = 5 * time.Second
	// pruning is how often it is looked for letters that are too old to be kept.
	pruning = time.Hour
	// pruneOver is how many letters more than are kept there may be for a while, so that not each one costs a look at all.
	pruneOver = 50
)

// errNoChannel is why a message is given up whose channel was removed.
var errNoChannel = errors.New("the channel is no longer in the configuration")

// Office is the receiver in front of all channels of a configuration. It keeps
// what is on its way in the store: what a pass tells stands there before Tell
// returns, in one write. Whoever holds the lease sends what stands in the store,
// from Begin to End; what only this process has, because it does not hold the
// lease or its store is down, it sends itself. So each message is sent by one
// process, and by a second one only when the first died over it, under the same ID.
//
// A nil Office has no channels.
type Office struct {
	options OfficeOptions
	ledger  *ledger
	ending  sync.WaitGroup // of channels that were removed
	work    sync.WaitGroup // of a term

	writing chan struct{} // holds one token while nobody writes

	mu      sync.Mutex
	boxes   map[string]*Outbox
	term    *term // nil: this process does not hold the lease
	last    int64 // of the leases that this process held, the last one's term
	settled map[string]mark
}

// term is a time for which this process holds the lease.
type term struct {
	lease func() store.Lease
	may   func() error
	end   context.CancelFunc
	read  chan struct{} // closed once the letters of the store are in their outboxes
}

// mark is what is known of a letter of the store that no longer waits.
type mark struct {
	channel string
	state   LetterState
	at      time.Time
}

// NewOffice returns an office without channels. The caller closes it.
func NewOffice(options OfficeOptions) *Office {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	options.setDefaults()
	o := &Office{options: options, boxes: map[string]*Outbox{}, settled: map[string]mark{}, writing: make(chan struct{}, 1)}
	o.writing <- struct{}{}
	if options.Store != nil {
		o.ledger = &ledger{letters: map[string]change{}, conditions: map[string]Condition{}, fresh: make(chan struct{}, 1)}
		o.options.ledger = o.ledger
	}
	return o
}

// Name implements Receiver.
func (*Office) Name() string { return "of the configuration" }

// Receivers is the office where it has channels.
func (o *Office) Receivers() []Receiver {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.boxes) == 0 {
		return nil
	}
	return []Receiver{o}
}

// Use replaces the channels whole: what waits for one of the same name goes to
// the new one, and one that is no longer there tries what waits once more, for
// as long as lastTry gives it.
func (o *Office) Use(list map[string]Channel, lastTry func() (context.Context, context.CancelFunc)) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, box := range o.boxes {
		if _, stays := list[name]; stays {
			continue
		}
		delete(o.boxes, name)
		o.ledger.gone(name)
		o.ending.Go(func() {
			ctx, cancel := lastTry()
			defer cancel()
			box.Close(ctx)
		})
	}
	for name, m := range list {
		if box := o.boxes[name]; box != nil {
			box.Use(m)
			continue
		}
		box := NewOutbox(name, m, o.options.OutboxOptions)
		if o.term != nil {
			box.may = o.term.may
		}
		o.boxes[name] = box
	}
}

// outboxes are the channels, by name.
func (o *Office) outboxes() []*Outbox {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*Outbox
	for _, name := range slices.Sorted(maps.Keys(o.boxes)) {
		list = append(list, o.boxes[name])
	}
	return list
}

// Tell implements Receiver. What the channels are to be told stands in the store
// when it returns, or a line in the log says why not: then it is in memory until
// it can be written. It waits for nothing else.
func (o *Office) Tell(ctx context.Context, events []Event) error {
	var failures []error
	for _, box := range o.outboxes() {
		if err := box.Tell(ctx, events); err != nil {
			failures = append(failures, fmt.Errorf("channel %s: %w", box.Name(), err))
		}
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()
	if err := o.save(limited); err != nil {
		o.options.Log.WarnContext(ctx, "messages could not be written to the store; until they are, they are in memory alone", slog.Any("error", err))
	}
	return errors.Join(failures...)
}

// Backlog is what a channel has not got.
type Backlog struct {
	Waiting int           // messages that are to be sent, those for the end of quiet hours among them; a digest that grows is none
	Oldest  time.Duration // how long ago the first of them could have been sent; 0: none could
	Dead    int           // messages that were given up and are kept
}

// Backlogs are those of all channels, by name, and of channels that are gone as long as messages to them are kept. It knows
// what stands in the store from Begin to End.
func (o *Office) Backlogs() map[string]Backlog {
	list := map[string]Backlog{}
	if o == nil {
		return list
	}
	for _, box := range o.outboxes() {
		list[box.name] = box.backlog()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.settled {
		if m.state == LetterDead {
			b := list[m.channel]
			b.Dead++
			list[m.channel] = b
		}
	}
	return list
}

// Begin is called when this process got the lease: what waits in the store is
// delivered from now on, and what becomes of letters is written there. It does not wait.
func (o *Office) Begin(lease func() store.Lease, may func() error) {
	if o == nil || o.options.Store == nil {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	t := &term{lease: lease, may: may, end: end, read: make(chan struct{})}
	number := lease().Term
	o.mu.Lock()
	if o.options.Lasting && number > o.last+1 {
		o.ledger.yield(o.options.Calendar.Now())
	}
	o.term, o.last = t, number
	for _, box := range o.boxes {
		box.open(may)
	}
	o.mu.Unlock()
	o.work.Go(func() { o.serve(ctx, t) })
}

// End is called before this process gives the lease up, or when it has lost it.
// Until ctx ends, each message that is due is tried once more; with one that has ended
// nothing is. What is not delivered then stays in the store, for the next process;
// where that does not outlive this one it stays here, until Close.
func (o *Office) End(ctx context.Context) {
	if o == nil {
		return
	}
	o.mu.Lock()
	t := o.term
	o.mu.Unlock()
	if t == nil {
		return
	}
	boxes := o.outboxes()
	if o.options.Lasting { // else what waits stays here
		select { // what waits is to be known
		case <-t.read:
		case <-ctx.Done():
		}
		drain(ctx, boxes)
	}
	for _, box := range boxes {
		box.open(nil) //nolint:contextcheck // the background outlives each call
	}
	t.end()
	o.work.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()
	if err := o.save(last); err != nil {
		o.options.Log.WarnContext(ctx, "what became of messages could not be written to the store; some may be sent again", slog.Any("error", err))
	}
	o.mu.Lock()
	o.term = nil
	clear(o.settled)
	o.mu.Unlock()
	for _, box := range boxes {
		waiting := box.leave(o.options.Lasting) //nolint:contextcheck // the background outlives each call
		if waiting > 0 {
			o.options.Log.InfoContext(ctx, "messages stay in the store; the next process that holds the lease sends them", slog.String("channel", box.Name()), slog.Int("count", waiting))
		}
	}
}

func drain(ctx context.Context, boxes []*Outbox) {
	var group sync.WaitGroup
	for _, box := range boxes {
		group.Go(func() { box.drain(ctx) })
	}
	group.Wait()
}

// Close ends the channels: each message that only this process has is tried once more until ctx ends, and else lost.
func (o *Office) Close(ctx context.Context) {
	if o == nil {
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	o.End(ended) //nolint:contextcheck // the background outlives each call
	boxes := o.outboxes()
	o.mu.Lock()
	clear(o.boxes)
	o.mu.Unlock()
	var group sync.WaitGroup
	for _, box := range boxes {
		group.Go(func() { box.Close(ctx) })
	}
	group.Wait()
	o.ending.Wait()
}

// serve reads the letters of the store and then writes what becomes of letters, until ctx ends.
func (o *Office) serve(ctx context.Context, t *term) {
	sleep := func(d time.Duration) bool { return o.options.Clock.Sleep(ctx, d) == nil }
	failing := false
	attempt := func(do func(context.Context) error) bool {
		limited, cancel := context.WithTimeout(ctx, 5*storeWait)
		defer cancel()
		err := do(limited)
		if err != nil && ctx.Err() == nil && !failing {
			o.options.Log.WarnContext(ctx, "the store does not take what becomes of messages; it is tried again", slog.Any("error", err))
		}
		failing = err != nil
		return err == nil
	}
	for !attempt(o.load) {
		if !sleep(storeAgain) {
			return
		}
	}
	close(t.read)
	var pruned time.Time
	for {
		for !attempt(o.save) {
			if !sleep(storeAgain) {
				return
			}
		}
		if !o.news(ctx) || !sleep(batch) {
			return
		}
		if now := o.options.Calendar.Now(); now.Sub(pruned) >= pruning {
			pruned = now
			o.prune(0)
		}
	}
}

// news waits until there is something to write, or to look for; false: ctx has ended.
func (o *Office) news(ctx context.Context) bool {
	napping, wake := context.WithCancel(ctx)
	defer wake()
	go func() {
		select {
		case <-o.ledger.fresh:
			wake()
		case <-napping.Done():
		}
	}()
	_ = o.options.Clock.Sleep(napping, pruning)
	return ctx.Err() == nil
}

// load puts the letters that wait in the store into their outboxes, the oldest first.
func (o *Office) load(ctx context.Context) error {
	// Nothing is written meanwhile: what is newer than what is read is in the ledger.
	select {
	case <-o.writing:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { o.writing <- struct{}{} }()
	if err := o.write(ctx); err != nil { // what this process has told without the lease
		return err
	}
	waiting, posts := map[string][]*Letter{}, map[string][]*Letter{}
	settled := map[string]mark{}
	now := o.options.Calendar.Now()
	heeded := int64(0)
	err := EachLetter(ctx, o.options.Store, "", func(l *Letter) bool {
		heeded = max(heeded, l.Heeded)
		switch l.State {
		case LetterWaiting, LetterKept:
			waiting[l.Channel] = append(waiting[l.Channel], l)
		case LetterSent, LetterDead:
			settled[l.ID] = mark{l.Channel, l.State, l.Settled}
			if l.Handle != "" && now.Sub(l.Settled) < updateFor {
				posts[l.Channel] = append(posts[l.Channel], l)
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	conditions, err := Conditions(ctx, o.options.Store)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ledger.heed(heeded)
	for id, m := range settled {
		if _, newer := o.settled[id]; !newer {
			o.settled[id] = m
		}
	}
	for name, box := range o.boxes { // before the first is sent that may go on with one of them
		box.remember(posts[name], conditions[name], now)
	}
	for name, letters := range waiting {
		slices.Reverse(letters)
		if box := o.boxes[name]; box != nil {
			box.load(letters, o.ledger) //nolint:contextcheck // the background outlives each call
			continue
		}
		for _, l := range letters {
			l.State, l.Settled, l.Error, l.Heeded = LetterDead, now, errNoChannel.Error(), heeded
			o.ledger.put(l, true)
			if o.options.Count != nil {
				o.options.Count(name, Lost)
			}
			o.options.Log.WarnContext(ctx, "a message was not delivered", slog.String("channel", name), slog.String("id", l.ID),
				slog.String("kind", string(l.Notice.Kind())), slog.Any("error", errNoChannel))
		}
	}
	for name := range conditions {
		if o.boxes[name] == nil {
			o.ledger.gone(name)
		}
	}
	return nil
}

// save writes what the ledger has to the store, where this process holds the lease; else it stays there.
func (o *Office) save(ctx context.Context) error {
	if o.options.Store == nil {
		return nil
	}
	select {
	case <-o.writing:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { o.writing <- struct{}{} }()
	return o.write(ctx)
}

// write is save for whoever has the token of writing.
func (o *Office) write(ctx context.Context) error {
	o.mu.Lock()
	t := o.term
	o.mu.Unlock()
	if t == nil {
		return nil
	}
	letters, conditions := o.ledger.take()
	if len(letters)+len(conditions) == 0 {
		return nil
	}
	records, err := records(letters, conditions, o.options.Calendar.Now())
	if err == nil {
		err = o.options.Store.SaveRecords(ctx, t.lease(), records)
	}
	if err != nil {
		o.ledger.restore(letters, conditions)
		return fmt.Errorf("write %d messages: %w", len(letters), err)
	}
	stored := map[string][]string{}
	o.mu.Lock()
	for id, c := range letters {
		switch l := c.letter; {
		case l == nil:
			delete(o.settled, id)
		case l.State == LetterSent, l.State == LetterDead:
			o.settled[id] = mark{l.Channel, l.State, l.Settled}
		default:
			delete(o.settled, id)
			stored[l.Channel] = append(stored[l.Channel], id)
		}
	}
	boxes := maps.Clone(o.boxes)
	o.mu.Unlock()
	for channel, ids := range stored {
		if box := boxes[channel]; box != nil {
			box.stored(ids)
		}
	}
	o.prune(pruneOver)
	return nil
}

func records(letters map[string]change, conditions map[string]*Condition, now time.Time) ([]store.Record, error) {
	var list []store.Record
	for _, id := range slices.Sorted(maps.Keys(letters)) {
		l := letters[id].letter
		if l == nil {
			list = append(list, store.Record{Kind: store.MessageLetter, Name: id})
			continue
		}
		record, err := l.Record(now)
		if err != nil {
			return nil, err
		}
		list = append(list, record)
	}
	for name, c := range conditions {
		if c == nil {
			list = append(list, store.Record{Kind: store.ChannelState, Name: name})
			continue
		}
		record, err := c.Record()
		if err != nil {
			return nil, err
		}
		list = append(list, record)
	}
	return list, nil
}

// prune has letters dropped that are too old or too many; over is by how many more than are kept may stay for now.
func (o *Office) prune(over int) {
	now := o.options.Calendar.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	counts := map[LetterState]int{}
	for _, m := range o.settled {
		counts[m.state]++
	}
	for state, bound := range map[LetterState]struct {
		most int
		keep time.Duration
	}{LetterSent: {mostSent, keepSent}, LetterDead: {mostDead, keepDead}} {
		if over > 0 && counts[state] <= bound.most+over {
			continue
		}
		var ids []string
		for id, m := range o.settled {
			if m.state == state {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, func(a, b string) int { return cmp.Or(o.settled[a].at.Compare(o.settled[b].at), cmp.Compare(a, b)) })
		for i, id := range ids {
			if len(ids)-i <= bound.most && now.Sub(o.settled[id].at) < bound.keep {
				break
			}
			delete(o.settled, id)
			o.ledger.drop(id, true)
		}
	}
}

// Again has what was given up sent again, as a person asked for by a row of
// store.EventMessageAgain: with fresh tries, and under the same ID. It returns
// how many messages that are; none where they were not given up, or the request
// was heeded before. An error means that it is to be asked again.
func (o *Office) Again(ctx context.Context, row *store.Activity) (int, error) {
	if o == nil || o.options.Store == nil {
		return 0, nil
	}
	o.mu.Lock()
	t := o.term
	o.mu.Unlock()
	if t == nil {
		return 0, errors.New("this process does not hold the lease")
	}
	select {
	case <-t.read:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if err := o.save(ctx); err != nil { // what was given up a moment ago
		return 0, err
	}
	var asked []*Letter
	wants := func(l *Letter) bool { return l != nil && l.State == LetterDead && l.Heeded < row.Seq }
	var err error
	switch row.Reason {
	case AgainMessage:
		var l *Letter
		if l, err = LetterOf(ctx, o.options.Store, row.Name); err == nil && wants(l) {
			asked = append(asked, l)
		}
	case AgainChannel:
		err = EachLetter(ctx, o.options.Store, "", func(l *Letter) bool {
			if l.Channel == row.Name && wants(l) {
				asked = append(asked, l)
			}
			return true
		})
		slices.Reverse(asked) // the oldest first
	}
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ledger.heed(row.Seq)
	count := 0
	for _, l := range asked {
		box := o.boxes[l.Channel]
		if box == nil {
			o.options.Log.WarnContext(ctx, "a message cannot be sent again", slog.String("channel", l.Channel), slog.String("id", l.ID), slog.Any("error", errNoChannel))
			continue
		}
		delete(o.settled, l.ID)
		l.Heeded = row.Seq
		box.again(l) //nolint:contextcheck // the background outlives each call
		count++
	}
	return count, nil
}

// open lets the outbox send what stands in the store, while may says so.
func (o *Outbox) open(may func() error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.may = may
	o.start()
	o.wake()
}

// load takes letters of the store over that an earlier process left.
func (o *Outbox) load(letters []*Letter, newer *ledger) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := map[string]*entry{}
	for _, w := range o.waiting {
		known[w.ID] = w
	}
	var list []*entry
	now := o.now()
	for _, l := range letters {
		if w := known[l.ID]; w != nil {
			w.stored = true
			continue
		}
		if newer.has(l.ID) {
			continue
		}
		list = append(list, &entry{Letter: *l, stored: true, from: now})
	}
	o.waiting = append(list, o.waiting...)
	for _, e := range list {
		if e.State == LetterKept && o.channel.Digest == nil {
			e.Due = now // there is no further digest to put it into
		}
	}
	o.start()
	if o.resting {
		o.wake()
	}
}

// remember takes over what the store has of messages that can be changed, and of how the channel stands.
func (o *Outbox) remember(posts []*Letter, condition Condition, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range slices.Backward(posts) {
		if m := o.posted[subject{schedule: l.Notice.Schedule, workload: l.Notice.Workload}]; m == nil || m.letter < l.ID {
			o.posted.add(l, now)
		}
	}
	if o.condition.At.Before(condition.At) {
		o.condition = condition
	}
}

// backlog is what waits.
func (o *Outbox) backlog() (b Backlog) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	for _, w := range o.waiting {
		if w.State != LetterWaiting {
			continue
		}
		b.Waiting++
		since := w.Since
		if w.Due.After(since) {
			since = w.Due
		}
		b.Oldest = max(b.Oldest, now.Sub(since))
	}
	return b
}

// stored marks letters as being in the store.
func (o *Outbox) stored(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.waiting {
		if slices.Contains(ids, w.ID) {
			w.stored = true
		}
	}
}

// again has a letter wait anew.
func (o *Outbox) again(l *Letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	l.State, l.Tries, l.Error, l.Settled = LetterWaiting, 0, "", time.Time{}
	if l.Due = o.held(&l.Notice, now); l.Due.IsZero() {
		l.Due = now // it has its time from here on
	}
	e := &entry{Letter: *l, stored: true}
	o.waiting = append(o.waiting, e)
	o.write(e)
	o.failures = 0 // somebody may have mended the channel
	o.start()
	o.wake()
}

// leave forgets what the store keeps for the next process, and returns how many those are. Where it keeps nothing beyond this
// process they stay.
func (o *Outbox) leave(lasting bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.may = nil
	before := len(o.waiting)
	if lasting {
		o.waiting = slices.DeleteFunc(o.waiting, func(w *entry) bool { return w.stored })
		clear(o.posted)
	}
	for _, w := range o.waiting {
		w.stored = false
	}
	o.start()
	return before - len(o.waiting)
}
