package chatbot

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"strings"
	"time"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/say"
)

// confirmFor is how long a confirmation is waited for: who wants it sits at the keyboard.
const confirmFor = 2 * time.Minute

const (
	confirmLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" // 32 of them, none of which looks like another
	confirmLength  = 6                                  // 2^30: with confirmTries nobody guesses it
	confirmTries   = 3
	// maxPending bounds what waits: the oldest goes, so that strangers can not fill the memory.
	maxPending = 1000
)

// wordPatience is how long the channel has to take the word; who asks waits.
const wordPatience = 5 * time.Second

// asker is one identity in one room.
type asker struct{ chat, room, id string }

// pending is a command that waits for its confirmation.
type pending struct {
	command Command
	word    string
	until   time.Time
	tries   int
	text    string // as it was written
	seen    bool   // why the service wants it confirmed was told
}

func (q *question) asker() asker { return asker{q.ask.Chat, q.ask.Room, q.ask.Who.ID} }

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
	p := &pending{command: q.command, word: newWord(), until: q.now.Add(confirmFor), text: q.ask.Text, seen: inside}
	q.bot.mu.Lock()
	for key, held := range q.bot.pending {
		if held.until.Before(q.now) || len(q.bot.pending) >= maxPending {
			delete(q.bot.pending, key)
		}
	}
	q.bot.pending[q.asker()] = p
	q.bot.mu.Unlock()
	write := Command{Verb: Confirm, Code: p.word}.In(q.lang)
	wanted := say.F("Asked for: %s", p.command.In(q.lang))
	told := q.reply(wire.Warning, why, wanted, say.F("To have it done, write within 2 minutes: %s", write))
	told.Private = true
	told.Buttons = []wire.Button{{Label: say.F("Confirm").In(q.lang), Command: write, Danger: true}}
	if !q.ask.Signed && !inside {
		channel := q.ask
		channel.Later = ""
		elsewhere := q.reply(wire.Warning, say.F("%s asked in %s: %s", q.who.Name, q.ask.Chat, p.command.In(q.lang)), say.F("To have it done, %s writes there within 2 minutes: %s", q.who.Name, write))
		limited, cancel := context.WithTimeout(ctx, wordPatience)
		err := q.bot.options.Tell(limited, channel, elsewhere)
		cancel()
		if err == nil {
			told = q.reply(wire.Warning, why, wanted, say.F("The word to confirm it with was posted to the channel of this chat. Write it here within 2 minutes, behind %s.", Confirm.In(q.lang)))
			told.Private = true
		}
	}
	q.record(ctx, "to-confirm", wanted.String())
	return told
}

// confirm takes the word of a confirmation. over is false where the command is to be done now.
func (q *question) confirm(ctx context.Context) (reply wire.Reply, over bool) {
	q.bot.mu.Lock()
	p := q.bot.pending[q.asker()]
	right := false
	if p != nil {
		right = subtle.ConstantTimeCompare([]byte(p.word), []byte(strings.ToUpper(narrow(q.command.Code)))) == 1
		late := p.until.Before(q.now)
		if p.tries++; right || late || p.tries >= confirmTries {
			delete(q.bot.pending, q.asker())
		}
		if late {
			p = nil
		}
	}
	q.bot.mu.Unlock()
	switch {
	case p == nil:
		reply = q.reply(wire.Refused, say.F("Nothing of yours waits for a confirmation here: it is waited for 2 minutes, and taken once. Write the command again."))
	case !right:
		reply = q.reply(wire.Refused, say.F("That is not the word. Nothing was done."))
	default:
		q.command, q.ask.Text, q.confirmed, q.seen = p.command, p.text, true, p.seen
		return reply, false
	}
	reply.Private = true
	q.record(ctx, "not-confirmed", reply.Text)
	return reply, true
}
