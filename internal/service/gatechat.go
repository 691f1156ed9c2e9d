package service

import (
	"context"
	"fmt"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/store"
)

// Chat systems come in by no key: package wire says who they are. The gate counts them and keeps the record.
const (
	// chatRefused is the reason of what is refused of a chat, as it is counted.
	chatRefused = "chat"
	// fromChat begins what requests to chats are counted by, beside the addresses of those who look without a key.
	fromChat = "chat "
)

// ChatRate holds for each chat: what a large room writes, and more than the bot can answer well.
var ChatRate = Rate{PerSecond: 10, Burst: 60}

// ChatArrives counts a request to a chat by the address that it comes from, before anything of it is believed: DefaultRate
// holds. A chat system posts from a few addresses for all of its rooms.
func (g *Gate) ChatArrives(from string, now time.Time) error {
	return g.chatAsk(fromChat+address(from), DefaultRate, now)
}

// ChatAsks counts a request that a chat system was found to have made: ChatRate holds for the chat.
func (g *Gate) ChatAsks(chat string, now time.Time) error {
	return g.chatAsk(fromChat+"/"+chat, ChatRate, now)
}

func (g *Gate) chatAsk(key string, rate Rate, now time.Time) error {
	if g == nil {
		return errNoGate
	}
	b := g.visitors.of(key, newBucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	if left, wait := b.ask(now, rate); wait > 0 {
		return tooFast(left, rate, wait)
	}
	return nil
}

// ChatRefused records that a request to a chat was not taken, and why. Of many alike the record has a sum. word says what
// kind of fault it was, why the rest; neither shows anything of the request.
func (g *Gate) ChatRefused(ctx context.Context, from, chat, word, why string) {
	if g == nil {
		return
	}
	g.counted(chatRefused)
	row := store.Activity{
		At: g.stamp(), Actor: access.Anonymous().Actor(), Event: store.EventRefused, Reason: chatRefused,
		Detail: shortTo(Plain(fmt.Sprintf("a request to the chat %.64q was refused (%s): %s, from %s", chat, word, why, address(from))), maxDetail),
	}
	g.record(ctx, g.refusals.note(strangers, row, g.now()))
}
