// Package local is the queue of package queue inside the process.
//
// It keeps the whole contract but one thing that people expect of a queue: its
// messages survive nothing. What is in it when the process ends is lost, so it
// is for what can be found out again, and for tests.
//
// It runs no goroutines. Its clock is the wall's, as is that of testing/synctest.
package local

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"dayshift/internal/queue"
)

// DefaultHidden is how long a received message is kept from others, as in SQS.
const DefaultHidden = 30 * time.Second

// Queue is a queue in memory. The zero Queue is ready for use; its methods may
// be called from any goroutine.
type Queue struct {
	// Hidden is how long a received message is kept from others; 0 means
	// DefaultHidden. It must not be changed while the queue is in use.
	Hidden time.Duration

	mu       sync.Mutex
	messages []*message
	minted   int
	changed  chan struct{} // closed when something may have come; nil while nobody waits
}

type message struct {
	id         string
	body       string
	sent       time.Time
	from       time.Time // hidden until then
	receptions int
}

func (m *message) receipt() string { return m.id + "/" + strconv.Itoa(m.receptions) }

var _ queue.Queue = (*Queue)(nil)

// Send implements queue.Sender.
func (q *Queue) Send(ctx context.Context, bodies ...string) error {
	if err := usable(ctx); err != nil {
		return err
	}
	if err := queue.CheckBodies(bodies); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, body := range bodies {
		q.minted++
		q.messages = append(q.messages, &message{id: "local-" + strconv.Itoa(q.minted), body: body, sent: now.UTC().Truncate(time.Millisecond), from: now})
	}
	q.wake()
	return nil
}

// wake lets those who wait look again; the lock is held.
func (q *Queue) wake() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// Receive implements queue.Receiver.
func (q *Queue) Receive(ctx context.Context, wait time.Duration) ([]queue.Message, error) {
	end := time.NewTimer(min(max(wait, 0), queue.MaxWait))
	defer end.Stop()
	for over := wait <= 0; ; {
		if err := usable(ctx); err != nil {
			return nil, err
		}
		got, next, changed := q.take()
		if len(got) > 0 || over {
			return got, nil
		}
		shown := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-shown.C:
		case <-end.C:
			over = true
		}
		shown.Stop()
	}
}

// take hands out what is there. Where nothing is, it says how long until a
// hidden message shows again and what is closed when one comes.
func (q *Queue) take() (got []queue.Message, next time.Duration, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	next = queue.MaxWait
	for _, m := range q.messages {
		if m.from.After(now) {
			next = min(next, m.from.Sub(now))
			continue
		}
		if len(got) == queue.MaxBatch {
			break
		}
		m.receptions++
		m.from = now.Add(q.hidden())
		got = append(got, queue.Message{ID: m.id, Body: m.body, Receipt: m.receipt(), Sent: m.sent, Receptions: m.receptions})
	}
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return got, next, q.changed
}

func (q *Queue) hidden() time.Duration {
	if q.Hidden > 0 {
		return q.Hidden
	}
	return DefaultHidden
}

// Extend implements queue.Receiver.
func (q *Queue) Extend(ctx context.Context, messages []queue.Message, d time.Duration) error {
	if err := queue.CheckHidden(d); err != nil {
		return fmt.Errorf("extend: %w", err)
	}
	return q.each(ctx, "extend", messages, func(at int) bool {
		if at < 0 {
			return false
		}
		q.messages[at].from = time.Now().Add(d)
		return true
	})
}

// Delete implements queue.Receiver.
func (q *Queue) Delete(ctx context.Context, messages []queue.Message) error {
	return q.each(ctx, "delete", messages, func(at int) bool {
		if at >= 0 {
			q.messages = slices.Delete(q.messages, at, at+1)
		}
		return true
	})
}

// each does something for every message of a batch, by its position; -1 is one
// that is gone or was received again since.
func (q *Queue) each(ctx context.Context, what string, messages []queue.Message, do func(at int) bool) error {
	if err := usable(ctx); err != nil {
		return err
	}
	if err := queue.CheckBatch(len(messages)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.wake()
	var failed []int
	for i, m := range messages {
		at := slices.IndexFunc(q.messages, func(own *message) bool { return own.receipt() == m.Receipt })
		if !do(at) {
			failed = append(failed, i)
		}
	}
	if failed != nil {
		return fmt.Errorf("%s: %w", what, &queue.PartialError{Failed: failed, Err: queue.ErrStale})
	}
	return nil
}

// Inspect implements queue.Inspector.
func (q *Queue) Inspect(ctx context.Context) (queue.Depth, error) {
	if err := usable(ctx); err != nil {
		return queue.Depth{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var depth queue.Depth
	for _, m := range q.messages {
		if m.from.After(now) {
			depth.Hidden++
		} else {
			depth.Waiting++
		}
	}
	return depth, nil
}

// usable refuses to work for somebody who has given up.
func usable(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("use the queue: %w", context.Cause(ctx))
	}
	return nil
}
