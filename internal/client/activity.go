package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/fleet"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// Activity selects rows of the record, oldest first, as a store does.
func (c *Client) Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error) {
	q := get("activity").with("about", query.Text).with("event", string(query.Event)).at("from", query.From).at("to", query.To)
	if query.Ref != (fleet.Ref{}) {
		q = q.with("ref", query.Ref.String())
	}
	limit := query.Limit
	if limit == 0 {
		limit = store.DefaultLimit
	}
	order := "desc"
	if !query.Last {
		order = "asc"
		if query.After > 0 {
			q = q.with("cursor", strconv.FormatInt(query.After, 10))
		}
	}
	rows, err := c.rows(ctx, q.with("order", order), limit)
	if query.Last {
		slices.Reverse(rows)
		rows = slices.DeleteFunc(rows, func(row store.Activity) bool { return row.Seq <= query.After })
	}
	return rows, err
}

// rows asks for pages until there are so many rows, or no more.
func (c *Client) rows(ctx context.Context, q call, limit int) ([]store.Activity, error) {
	var rows []store.Activity
	for {
		var part list[store.Activity]
		if err := c.ask(ctx, q.with("limit", strconv.Itoa(min(limit-len(rows), maxPage))), &part); err != nil {
			return nil, err
		}
		rows = append(rows, part.Items...)
		if part.Next == "" || len(rows) >= limit { // a page may be empty and not the last
			return rows, nil
		}
		q = q.with("cursor", part.Next)
	}
}

const maxPage = 500

// Verify checks the chain of the record.
func (c *Client) Verify(ctx context.Context) (store.Verification, error) {
	var body store.Verification
	err := c.ask(ctx, get("activity", "verify"), &body)
	return body, err
}

// What is followed.
const (
	// askAnyway is how long events are waited for before the record is asked without one: whatever holds them back, it goes on.
	askAnyway = 30 * time.Second
	// batch is how long is waited for more after the first event, so that a busy fleet is not a request a row.
	batch = 300 * time.Millisecond
	// comeBack is when a stream that ended is begun again.
	comeBack = 2 * time.Second
	// longestLine bounds a line of a stream: the server sends events of at most 64 KB.
	longestLine = 1 << 20
)

// follower listens to events, in the background from the first time on.
type follower struct {
	once   sync.Once
	cancel context.CancelFunc
	rows   chan struct{} // something was written
	failed chan error
}

func (f *follower) end() {
	f.once.Do(func() {}) // nobody begins afterwards
	if f.cancel != nil {
		f.cancel()
	}
}

// NewActivity waits until there may be new rows in the record.
func (c *Client) NewActivity(ctx context.Context) error {
	c.follow.once.Do(func() {
		var listening context.Context
		listening, c.follow.cancel = context.WithCancel(ctx)
		c.follow.rows, c.follow.failed = make(chan struct{}, 1), make(chan error, 1)
		go c.listen(listening)
	})
	waiting, cancel := context.WithTimeout(ctx, askAnyway)
	defer cancel()
	select {
	case <-c.follow.rows:
		return c.clock.Sleep(ctx, batch)
	case err := <-c.follow.failed:
		return err
	case <-waiting.Done():
		return context.Cause(ctx)
	}
}

// listen follows events until ctx ends, or the server lets nobody follow.
func (c *Client) listen(ctx context.Context) {
	for {
		err := c.stream(ctx)
		if refused, ok := errors.AsType[*Error](err); ok && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests {
			c.follow.failed <- err
			return
		}
		if c.clock.Sleep(ctx, comeBack) != nil {
			return
		}
	}
}

// stream reads events until there are no more.
func (c *Client) stream(ctx context.Context) error {
	r, err := c.request(ctx, get("events").with("type", service.EventActivity))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	response, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("follow events: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return c.refusal(call{method: http.MethodGet}, answer{status: response.StatusCode, header: response.Header})
	}
	c.follow.tell() // of what was written before anybody listened
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "event: "+service.EventActivity), strings.HasPrefix(line, "event: missed"):
			c.follow.tell()
		}
	}
	return lines.Err()
}

func (f *follower) tell() {
	select {
	case f.rows <- struct{}{}:
	default: // it has been told
	}
}

// Run has a pass made now, and gives the ID of its run.
func (c *Client) Run(ctx context.Context) (string, error) {
	var body struct {
		ID string `json:"id"`
	}
	err := c.ask(ctx, call{method: http.MethodPost, path: []string{"runs"}}.json(struct{}{}), &body)
	return body.ID, err
}

// runGap is how often a run that goes on is asked for.
const runGap = time.Second

// Finished waits until a run is over, at most for so long, and returns it with the rows that tell of it.
func (c *Client) Finished(ctx context.Context, id string, longest time.Duration) (store.Run, []store.Activity, error) {
	var run store.Run
	for waited := time.Duration(0); ; waited += runGap {
		if err := c.ask(ctx, get("runs", id), &run); err != nil {
			return run, nil, err
		}
		if !run.Finished.IsZero() || waited >= longest {
			break
		}
		if err := c.clock.Sleep(ctx, runGap); err != nil {
			return run, nil, err
		}
	}
	rows, err := c.rows(ctx, get("activity").with("run", id).with("order", "asc").at("from", run.Started), mostRows)
	return run, rows, err
}

// mostRows bounds what is told of a run.
const mostRows = 100_000

// Confirm has what the limits hold back done.
func (c *Client) Confirm(ctx context.Context) error {
	return c.ask(ctx, call{method: http.MethodPost, path: []string{"held", "confirm"}}, nil)
}

// Keys lists the keys.
func (c *Client) Keys(ctx context.Context) ([]service.KeyView, error) {
	return all[service.KeyView](ctx, c, get("keys"))
}

// asGone makes a *service.GoneError of a key that is not there.
func asGone(text string) error { return service.NewGoneError(text) }

func keyCall(method, id string, more ...string) call {
	return call{method: method, path: append([]string{"keys", keyID(id)}, more...), missing: asGone}
}

// Key shows a key. A key is named by its ID, or by all of it.
func (c *Client) Key(ctx context.Context, id string) (service.KeyView, error) {
	return c.keyView(ctx, keyCall(http.MethodGet, id))
}

// CreateKey makes a key.
func (c *Client) CreateKey(ctx context.Context, request service.KeyRequest) (service.KeyAnswer, error) {
	var body service.KeyAnswer
	err := c.ask(ctx, call{method: http.MethodPost, path: []string{"keys"}}.json(request), &body)
	return body, err
}

// UpdateKey changes a key.
func (c *Client) UpdateKey(ctx context.Context, id string, change service.KeyChange) (service.KeyView, error) {
	return c.keyView(ctx, keyCall(http.MethodPatch, id).json(change))
}

// RotateKey gives a key a new secret.
func (c *Client) RotateKey(ctx context.Context, id string, overlap time.Duration) (service.KeyAnswer, error) {
	var body service.KeyAnswer
	err := c.ask(ctx, keyCall(http.MethodPost, id, "rotate").json(map[string]int64{"overlap_seconds": int64(overlap.Seconds())}), &body)
	return body, err
}

// RevokeKey ends a key and its sessions.
func (c *Client) RevokeKey(ctx context.Context, id string) (service.KeyView, error) {
	return c.keyView(ctx, keyCall(http.MethodDelete, id))
}

func (c *Client) keyView(ctx context.Context, q call) (service.KeyView, error) {
	var body service.KeyView
	err := c.ask(ctx, q, &body)
	return body, err
}

// keyID is the ID of a key, which may have been given whole: addresses are logged on the way.
func keyID(text string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(text, access.KeyPrefix), "_")
	return id
}
