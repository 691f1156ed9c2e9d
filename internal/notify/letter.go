package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/store"
)

// Letter is a notice on its way to one channel, as the store keeps it.
type Letter struct {
	ID      string      `json:"id"`      // sorts by time, see NewLetterID; receivers get the message under it
	Channel string      `json:"channel"` // its name in the configuration
	Notice  Notice      `json:"notice"`
	State   LetterState `json:"state"`
	Since   time.Time   `json:"since"`           // when the last of it was told
	Due     time.Time   `json:"due,omitzero"`    // it is not sent before; zero: at once
	Tries   int         `json:"tries,omitempty"` // attempts to send it, since it waits
	Error   string      `json:"error,omitempty"` // what the last attempt met
	// Settled is when it was sent or given up; zero as long as it waits.
	Settled time.Time `json:"settled,omitzero"`
	// Handle is what the channel knows its message by, where it can be changed; Updates is the letter whose message it changed.
	Handle  string `json:"handle,omitempty"`
	Updates string `json:"updates,omitempty"`
	// Heeded is the last request to send again (Seq of its row) that was known when it was given up, or that it waits by.
	Heeded int64 `json:"heeded,omitempty"`
}

// LetterState is where a letter stands.
type LetterState string

// The states of letters.
const (
	LetterWaiting LetterState = "waiting" // to be sent, when it is due and the channel takes it
	LetterKept    LetterState = "kept"    // a digest that grows until it is due
	LetterSent    LetterState = "sent"
	LetterDead    LetterState = "dead" // given up; a person can have it sent again
)

// LetterStates are all of them.
var LetterStates = []LetterState{LetterWaiting, LetterKept, LetterSent, LetterDead}

// What is kept of letters: those that wait until they are sent or given up, others for a while, the newest.
const (
	keepSent = 7 * 24 * time.Hour
	keepDead = 30 * 24 * time.Hour
	mostSent = 1000
	mostDead = 1000
)

// NewLetterID returns a new ID. IDs sort by their instants, to the microsecond.
func NewLetterID(at time.Time) string {
	const long = 8 // characters of 5 bits: 2^40 letters of one microsecond
	return fmt.Sprintf("%016d-%s", max(0, at.UnixMicro()), rand.Text()[:long])
}

// maxLetter is how large a letter may be, well below store.MaxData. Texts of errors can be long: then fewer lines are kept.
const maxLetter = 256 << 10

// Record is the letter as the store has it; changed is now.
func (l *Letter) Record(changed time.Time) (store.Record, error) {
	kept := *l
	data, err := json.Marshal(kept)
	for most := maxLines / 2; err == nil && len(data) > maxLetter && most > 0; most /= 2 {
		kept.Notice.Parts = slices.Clone(kept.Notice.Parts)
		for i := range kept.Notice.Parts {
			part := &kept.Notice.Parts[i]
			part.Told = part.Told[:min(len(part.Told), most)]
		}
		data, err = json.Marshal(kept)
	}
	if err != nil {
		return store.Record{}, fmt.Errorf("encode message %s: %w", l.ID, err)
	}
	return store.Record{Kind: store.MessageLetter, Name: l.ID, Data: data, Changed: changed}, nil
}

// ReadLetter reads a record of the kind store.MessageLetter.
func ReadLetter(record store.Record) (Letter, error) {
	var l Letter
	if err := json.Unmarshal(record.Data, &l); err != nil {
		return Letter{}, fmt.Errorf("read message %s: %w", record.Name, err)
	}
	if l.ID != record.Name || len(l.Notice.Parts) == 0 || !slices.Contains(LetterStates, l.State) {
		return Letter{}, fmt.Errorf("read message %s: it is of another version of Dayshift, or damaged", record.Name)
	}
	return l, nil
}

// letterPage is how many records are read at once.
const letterPage = 500

// EachLetter calls each for the letters of the store, the newest first, until it returns false. Those of a version that cannot
// be read are left out. before, where not empty, is an ID: only letters before it.
func EachLetter(ctx context.Context, from store.Records, before string, each func(*Letter) bool) error {
	for {
		records, err := from.Records(ctx, store.RecordQuery{Kind: store.MessageLetter, Before: before, Last: true, Limit: letterPage})
		if err != nil {
			return fmt.Errorf("read the messages: %w", err)
		}
		for i := range slices.Backward(records) {
			if letter, err := ReadLetter(records[i]); err == nil && !each(&letter) {
				return nil
			}
		}
		if len(records) < letterPage {
			return nil
		}
		before = records[0].Name
	}
}

// LetterOf is one letter of the store; nil: there is none of this ID.
func LetterOf(ctx context.Context, from store.Records, id string) (*Letter, error) {
	records, err := from.Records(ctx, store.RecordQuery{Kind: store.MessageLetter, Name: id, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", id, err)
	}
	if len(records) == 0 {
		return nil, nil
	}
	letter, err := ReadLetter(records[0])
	if err != nil {
		return nil, err
	}
	return &letter, nil
}

// Condition is how a channel stands, as whoever sends through it says in the store.
type Condition struct {
	Channel string    `json:"channel"`
	At      time.Time `json:"at"` // when it changed
	// FailingSince is when the channel began to take nothing, and Error what it says; zero: it takes messages.
	FailingSince time.Time `json:"failing_since,omitzero"`
	Error        string    `json:"error,omitempty"`
	LastSent     time.Time `json:"last_sent,omitzero"` // when it took a message last
}

// Record is the condition as the store has it.
func (c *Condition) Record() (store.Record, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return store.Record{}, fmt.Errorf("encode how channel %s stands: %w", c.Channel, err)
	}
	return store.Record{Kind: store.ChannelState, Name: c.Channel, Data: data, Changed: c.At}, nil
}

// Conditions are how the channels stand, by name. One that no message has gone through yet is not among them.
func Conditions(ctx context.Context, from store.Records) (map[string]Condition, error) {
	conditions := map[string]Condition{}
	before := ""
	for {
		records, err := from.Records(ctx, store.RecordQuery{Kind: store.ChannelState, Before: before, Last: true, Limit: letterPage})
		if err != nil {
			return nil, fmt.Errorf("read how the channels stand: %w", err)
		}
		for i := range records {
			var c Condition
			if json.Unmarshal(records[i].Data, &c) == nil && c.Channel == records[i].Name {
				conditions[c.Channel] = c
			}
		}
		if len(records) < letterPage {
			return conditions, nil
		}
		before = records[0].Name
	}
}

// The reasons of rows of store.EventMessageAgain.
const (
	AgainMessage = "message" // Name is the ID of a letter
	AgainChannel = "channel" // Name is a channel: all of it that were given up
)
