package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"dayshift/internal/outbound"
)

// Post is what a room is posted.
type Post struct {
	Query   url.Values        // behind the parameters of its address
	Header  map[string]string // besides the usual
	Content any               // becomes JSON
}

// Verdict reads an answer: nil where it says that the message was taken. Most rooms have none: their status says all.
type Verdict func(body []byte) error

// ErrUnread is what a Verdict says of an answer that is none of its system's.
var ErrUnread = errors.New("its answer cannot be read")

// Room is a channel to a room of a chat system that gives rooms an address to
// post to, an incoming webhook. Each system's folder says what is posted there.
type Room struct {
	name    string
	poster  *outbound.Poster
	render  func(Message) Post
	verdict Verdict
}

var _ Sender = (*Room)(nil)

// NewRoom returns the channel of that name, or says what is wrong with its address without showing it.
func NewRoom(name string, options outbound.PostOptions, render func(Message) Post, verdict Verdict) (*Room, error) {
	poster, err := outbound.NewPoster(options)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", name, err)
	}
	return &Room{name, poster, render, verdict}, nil
}

// Name implements Sender.
func (r *Room) Name() string { return r.name }

// Send implements Sender.
func (r *Room) Send(ctx context.Context, m Message) error {
	_, err := r.post(ctx, r.poster, r.render(m))
	return err
}

// post posts, and gives the answer to what was taken.
func (r *Room) post(ctx context.Context, poster *outbound.Poster, post Post) ([]byte, error) {
	body, err := outbound.JSON(post.Content)
	if err != nil {
		return nil, err
	}
	answer, err := poster.Post(ctx, post.Query, post.Header, body)
	if r.verdict == nil {
		return answer.Body, err
	}
	if _, again := errors.AsType[Retryable](err); again {
		return nil, err
	}
	verdict := r.verdict(answer.Body)
	if err != nil && (verdict == nil || errors.Is(verdict, ErrUnread)) { // its status alone says that it was refused
		return nil, err
	}
	if verdict != nil {
		return nil, poster.Fail(verdict)
	}
	return answer.Body, nil
}

// UpdatingRoom is a room in which a message that was posted can be changed.
type UpdatingRoom struct {
	*Room

	handle func(answer []byte) string
	change func(poster *outbound.Poster, handle string, m Message) (*outbound.Poster, Post)
}

var _ Updater = (*UpdatingRoom)(nil)

// NewUpdatingRoom makes one of a room: handle finds in the answer to a post by what the message is known, empty where it is by
// nothing; change says what puts a message in the place of another.
func NewUpdatingRoom(room *Room, handle func(answer []byte) string, change func(poster *outbound.Poster, handle string, m Message) (*outbound.Poster, Post)) *UpdatingRoom {
	return &UpdatingRoom{room, handle, change}
}

// Post implements Updater.
func (r *UpdatingRoom) Post(ctx context.Context, m Message) (string, error) {
	answer, err := r.post(ctx, r.poster, r.render(m))
	if err != nil {
		return "", err
	}
	return r.handle(answer), nil
}

// Update implements Updater.
func (r *UpdatingRoom) Update(ctx context.Context, handle string, m Message) error {
	poster, post := r.change(r.poster, handle, m)
	_, err := r.post(ctx, poster, post)
	return err
}

// ByCode is the verdict of systems that answer every post with a code in JSON, mostly with status 200: 0 is taken. later are the
// codes by which they say that they take none for now, with after how long to try again (0: they do not say). Other codes are
// final; known says what the reader has to mend.
func ByCode(field string, later map[int]time.Duration, known map[int]string) Verdict {
	return func(body []byte) error {
		var said map[string]json.RawMessage
		var code int
		if json.Unmarshal(body, &said) != nil || json.Unmarshal(said[field], &code) != nil {
			return &RetryError{Err: ErrUnread}
		}
		if code == 0 {
			return nil
		}
		if after, passes := later[code]; passes {
			return &RetryError{Err: fmt.Errorf("it takes no more for now (%s %d)", field, code), After: after}
		}
		if what := known[code]; what != "" {
			return fmt.Errorf("it refuses the message (%s %d): %s", field, code, what)
		}
		return fmt.Errorf("it refuses the message (%s %d)", field, code)
	}
}
