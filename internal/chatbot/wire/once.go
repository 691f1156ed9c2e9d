package wire

import (
	"sync"
	"time"
)

// maxOnce is how many requests are remembered. They are let in no faster than a chat's rate, which does not come near it
// within the time that they are remembered.
const maxOnce = 50_000

// KeptFor is how long all processes together have to know that a request was taken. A clock may be MaxAge behind the chat
// system's where it was taken, MaxAge behind where it comes again, and MaxAge ahead where what is over is forgotten; it is
// good for MaxAge.
const KeptFor = 4*MaxAge + time.Second

// ErrReplayed refuses what was taken before, by this process or another.
var ErrReplayed error = refuse(Replayed, "it was taken before")

// Once remembers what this process took, so that what comes again is refused before anything else is asked. What it
// remembers is gone with the process; what all processes know is for the caller to keep. It is safe for concurrent use.
type Once struct {
	mu    sync.Mutex
	seen  map[string]time.Time // when it may be forgotten
	swept time.Time
}

// Take refuses what was taken before: two requests of one chat with the same ID.
func (o *Once) Take(ask Ask, now time.Time) error {
	key := ask.Chat + "\x00" + ask.ID
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[string]time.Time{}
	}
	if _, taken := o.seen[key]; taken {
		return ErrReplayed
	}
	if len(o.seen) >= maxOnce || now.Sub(o.swept).Abs() > MaxAge {
		o.swept = now
		for held, until := range o.seen {
			if now.After(until) {
				delete(o.seen, held)
			}
		}
	}
	if len(o.seen) >= maxOnce { // to forget one would let it in again
		return refuse(Replayed, "too many requests came within minutes to tell whether it is new")
	}
	// Its time may be MaxAge ahead of ours, and is good until MaxAge behind.
	o.seen[key] = now.Add(2*MaxAge + time.Second)
	return nil
}

// Forget lets a request that was taken and then turned away be made again.
func (o *Once) Forget(ask Ask) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.seen, ask.Chat+"\x00"+ask.ID)
}
