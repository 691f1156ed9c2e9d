package notify

import (
	"maps"
	"sync"
	"time"
)

// ledger is what the store does not have yet: letters and conditions as they
// are now, each once. A nil one takes nothing.
type ledger struct {
	fresh chan struct{} // holds a token when something was put in

	mu         sync.Mutex
	letters    map[string]change
	conditions map[string]Condition
	removed    map[string]bool // channels
	heeded     int64
}

// change is what the store does not have yet of a letter.
type change struct {
	letter *Letter // nil: to be dropped
	stored bool    // an earlier version stands in the store, where whoever holds the lease changes it
}

// put has a letter written as it is now.
func (l *ledger) put(letter *Letter, stored bool) {
	if l == nil {
		return
	}
	kept := *letter
	l.set(letter.ID, change{&kept, stored})
}

// drop has a letter taken out of the store.
func (l *ledger) drop(id string, stored bool) {
	if l != nil {
		l.set(id, change{nil, stored})
	}
}

func (l *ledger) set(id string, c change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.letters[id] = c
	l.ring()
}

// yield gives way to another process that held the lease since something was put in: what that one made of a letter of the
// store counts. But what was sent was sent, and what a digest has grown by is in none but this one: it becomes one of its own.
func (l *ledger) yield(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.conditions)
	clear(l.removed)
	for id, c := range l.letters {
		if !c.stored || c.letter != nil && c.letter.State == LetterSent {
			continue
		}
		delete(l.letters, id)
		if c.letter != nil && c.letter.State == LetterKept {
			c.letter.ID = NewLetterID(now)
			l.letters[c.letter.ID] = change{letter: c.letter}
		}
	}
}

// ring says that there is something to write. The caller holds mu.
func (l *ledger) ring() {
	select {
	case l.fresh <- struct{}{}:
	default:
	}
}

// stands has it written how a channel stands.
func (l *ledger) stands(c *Condition) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conditions[c.Channel] = *c
	delete(l.removed, c.Channel)
	l.ring()
}

// gone has it forgotten how a channel stood.
func (l *ledger) gone(channel string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conditions, channel)
	if l.removed == nil {
		l.removed = map[string]bool{}
	}
	l.removed[channel] = true
	l.ring()
}

// has reports whether there is something newer of a letter than what the store has.
func (l *ledger) has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, has := l.letters[id]
	return has
}

// heed keeps the greatest request to send again that is known.
func (l *ledger) heed(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heeded = max(l.heeded, seq)
}

func (l *ledger) heededUpTo() int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heeded
}

// take hands out all that there is to write; a condition that is nil is to be dropped.
func (l *ledger) take() (letters map[string]change, conditions map[string]*Condition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	letters, l.letters = l.letters, map[string]change{}
	conditions = map[string]*Condition{}
	for name, c := range l.conditions {
		conditions[name] = &c
	}
	for name := range l.removed {
		conditions[name] = nil
	}
	clear(l.conditions)
	clear(l.removed)
	return letters, conditions
}

// restore puts back what could not be written, but where there is something newer.
func (l *ledger) restore(letters map[string]change, conditions map[string]*Condition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := maps.Clone(letters) // who could not write them still looks at theirs
	maps.Copy(all, l.letters)
	l.letters = all
	for name, c := range conditions {
		_, stands := l.conditions[name]
		switch {
		case stands || l.removed[name]:
		case c != nil:
			l.conditions[name] = *c
		default:
			if l.removed == nil {
				l.removed = map[string]bool{}
			}
			l.removed[name] = true
		}
	}
	l.ring()
}
