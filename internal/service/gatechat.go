package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
	// chatTaken is all that is kept of a request: which one it was says its name.
	chatTaken = "taken"
	// maxChatTaken bounds what is kept of requests: eight chats of one process at ChatRate, for as long as it is kept. Nobody
	// comes to it who does not hold the secret of a chat.
	maxChatTaken = 100_000
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

// ChatFirst reports whether a request that a chat system was found to have made is the first with its ID, and keeps until
// then that it was, for every process that shares the store. An error says that nobody can tell: the request is not to be
// taken. It writes, and so is asked last, of what was believed and is within the rates.
func (g *Gate) ChatFirst(ctx context.Context, chat, id string, until, now time.Time) (bool, error) {
	if g == nil {
		return false, errNoGate
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	sum := sha256.Sum256([]byte(chat + "\x00" + id))
	slip := store.Slip{Kind: store.ChatRequestSlip, Name: hex.EncodeToString(sum[:]), Data: chatTaken, Until: until}
	switch err := g.store.PutSlip(ctx, slip, "", now, maxChatTaken); {
	case errors.Is(err, store.ErrConflict):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("keep that a request of the chat %.64q is taken: %w", chat, err)
	}
	return true, nil
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
