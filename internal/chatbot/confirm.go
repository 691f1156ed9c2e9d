package chatbot

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// confirmFor is how long a confirmation is waited for: who wants it sits at the keyboard.
const confirmFor = 2 * time.Minute

const (
	confirmLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" // 32 of them, none of which looks like another
	confirmLength  = 6                                  // 2^30: with confirmTries nobody guesses it
	confirmTries   = 3
	// maxPending bounds what waits in all chats: more than one chat can ask for in two minutes at service.ChatRate.
	maxPending = 10_000
	// settleTries is how often what waits is looked at again because somebody else wrote to it in between.
	settleTries = 5
)

// wordPatience is how long the channel has to take the word; who asks waits.
const wordPatience = 5 * time.Second

// pending is a command that waits for its confirmation. It stands in the store, where every process finds it.
type pending struct {
	Command Command `json:"command"`
	Word    string  `json:"word"`
	Tries   int     `json:"tries,omitempty"`
	Text    string  `json:"text"`           // as it was written
	Seen    bool    `json:"seen,omitempty"` // why the service wants it confirmed was told
}

// slip is what waits of one identity in one room.
func (q *question) slip() store.Slip {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", q.ask.Chat, q.ask.Room, q.ask.Who.ID))
	return store.Slip{Kind: store.ChatCommandSlip, Name: hex.EncodeToString(sum[:])}
}

// keepPending keeps the command in the place of what waited before.
func (q *question) keepPending(ctx context.Context, p *pending) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write what is to be confirmed: %w", err)
	}
	slip := q.slip()
	slip.Data, slip.Until = string(data), q.now.Add(confirmFor)
	for try := 1; ; try++ {
		held, err := q.svc.Store.Slip(ctx, slip.Kind, slip.Name, q.now)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("keep what is to be confirmed: %w", err)
		}
		err = q.svc.Store.PutSlip(ctx, slip, held.Data, q.now, maxPending)
		if err == nil || try == settleTries || !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// settlePending gives what waits where its word was written, and takes it away: nothing is confirmed twice. nil: nothing
// waits; right: the word was its. A wrong word is counted, and the last one takes it away too.
func (q *question) settlePending(ctx context.Context) (p *pending, right bool, err error) {
	slip := q.slip()
	for try := 1; ; try++ {
		held, err := q.svc.Store.Slip(ctx, slip.Kind, slip.Name, q.now)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read what is to be confirmed: %w", err)
		}
		p := &pending{}
		if err := json.Unmarshal([]byte(held.Data), p); err != nil {
			return nil, false, fmt.Errorf("read what is to be confirmed: %w", err)
		}
		right := subtle.ConstantTimeCompare([]byte(p.Word), []byte(strings.ToUpper(narrow(q.command.Code)))) == 1
		if p.Tries++; right || p.Tries >= confirmTries {
			err = q.svc.Store.TakeSlip(ctx, slip.Kind, slip.Name, held.Data)
		} else {
			var data []byte
			if data, err = json.Marshal(p); err != nil {
				return nil, false, fmt.Errorf("write what is to be confirmed: %w", err)
			}
			next := held
			next.Data = string(data)
			err = q.svc.Store.PutSlip(ctx, next, held.Data, q.now, maxPending)
		}
		if err == nil || try == settleTries || !errors.Is(err, store.ErrConflict) {
			return p, right, err
		}
	}
}

func newWord() string {
	var random [confirmLength]byte
	_, _ = rand.Read(random[:]) // it never fails
	for i := range random {
		random[i] = confirmLetters[int(random[i])%len(confirmLetters)]
	}
	return string(random[:])
}

// askToConfirm keeps the command until it is confirmed. Where the chat signs nothing, the word goes to its own channel, if it
// has one: who can post as somebody else need not be able to read there.
func (q *question) askToConfirm(ctx context.Context, why say.Text, inside bool) wire.Reply {
	p := &pending{Command: q.command, Word: newWord(), Text: q.ask.Text, Seen: inside}
	if err := q.keepPending(ctx, p); err != nil {
		return q.failed(ctx, err)
	}
	write := Command{Verb: Confirm, Code: p.Word}.In(q.lang)
	wanted := say.F("Asked for: %s", p.Command.In(q.lang))
	told := q.reply(wire.Warning, why, wanted, say.F("To have it done, write within 2 minutes: %s", write))
	told.Private = true
	told.Buttons = []wire.Button{{Label: say.F("Confirm").In(q.lang), Command: write, Danger: true}}
	if !q.ask.Signed && !inside {
		channel := q.ask
		channel.Later = ""
		elsewhere := q.reply(wire.Warning, say.F("%s asked in %s: %s", q.who.Name, q.ask.Chat, p.Command.In(q.lang)), say.F("To have it done, %s writes there within 2 minutes: %s", q.who.Name, write))
		limited, cancel := context.WithTimeout(ctx, wordPatience)
		err := q.bot.options.Tell(limited, channel, elsewhere)
		cancel()
		switch {
		case err == nil:
			told = q.reply(wire.Warning, why, wanted, say.F("The word to confirm it with was posted to the channel of this chat. Write it here within 2 minutes, behind %s.", Confirm.In(q.lang)))
			told.Private = true
		case !errors.Is(err, ErrNowhere): // or a forger would have to stop up the channel, and be told the word
			return q.failed(ctx, say.Err("The word to confirm it with could not be posted to the channel of this chat. Nothing was done; try again in a minute."))
		}
	}
	q.record(ctx, "to-confirm", wanted.String())
	return told
}

// confirm takes the word of a confirmation. over is false where the command is to be done now.
func (q *question) confirm(ctx context.Context) (reply wire.Reply, over bool) {
	p, right, err := q.settlePending(ctx)
	switch {
	case err != nil:
		return q.failed(ctx, err), true
	case p == nil:
		reply = q.reply(wire.Refused, say.F("Nothing of yours waits for a confirmation here: it is waited for 2 minutes, and taken once. Write the command again."))
	case !right:
		reply = q.reply(wire.Refused, say.F("That is not the word. Nothing was done."))
	default:
		q.command, q.ask.Text, q.confirmed, q.seen = p.Command, p.Text, true, p.Seen
		return reply, false
	}
	reply.Private = true
	q.record(ctx, "not-confirmed", reply.Text)
	return reply, true
}
