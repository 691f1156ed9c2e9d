package service

import (
	"cmp"
	"context"
	"slices"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Delivery is a message to one channel, and what became of it.
type Delivery struct {
	ID       string `json:"id"`
	Channel  string `json:"channel"`
	State    string `json:"state" enum:"waiting,kept,sent,dead"`
	Kind     string `json:"kind"`
	Tone     string `json:"tone" enum:"news,warning,alarm"`
	Schedule string `json:"schedule,omitempty"`
	Workload string `json:"workload,omitempty"`
	// Title and Lines are in the reader's language, whatever the channel's is.
	Title string   `json:"title"`
	Lines []string `json:"lines"`
	Count int      `json:"count"`
	// Told is when the last of it was told, Due when it is sent at the earliest, Settled when it was sent or given up.
	Told    time.Time `json:"told"`
	Due     time.Time `json:"due,omitzero"`
	Settled time.Time `json:"settled,omitzero"`
	// Tries are the attempts to send it, Error is what the last one met.
	Tries int    `json:"tries"`
	Error string `json:"error,omitempty"`
	// Updates is the message that it changed in place; empty: it is one of its own.
	Updates string `json:"updates,omitempty"`
}

// DeliveryQuery selects deliveries; zero fields select all.
type DeliveryQuery struct {
	Channel string
	State   string
	// Before: only those that were told before the one of this ID.
	Before string
	Limit  int // at most this many; 0: 50
	// Language is the one of the reader; empty: English.
	Language say.Language
	// Sees reports whether who asks may see a resource; nil: all. What a message tells of others is left out of it.
	Sees func(fleet.Ref) bool
}

// DeliveryList is a page of deliveries, the newest first.
type DeliveryList struct {
	Items []Delivery `json:"items"`
	Next  string     `json:"next" doc:"The before of the next page; empty on the last one."`
}

const defaultDeliveries = 50

// Deliveries lists messages and what became of them, the newest first: those that wait, and those sent and given up as long
// as they are kept. *InputError where there is no such state.
func (s *Service) Deliveries(ctx context.Context, query DeliveryQuery) (DeliveryList, error) {
	list := DeliveryList{Items: []Delivery{}}
	if query.State != "" && !slices.Contains(notify.LetterStates, notify.LetterState(query.State)) {
		return list, inputErrorF("%q is no state of a message; known are %s", query.State, say.Names(notify.LetterStates))
	}
	limit := cmp.Or(query.Limit, defaultDeliveries)
	words := notify.Words{Language: query.Language}
	err := notify.EachLetter(ctx, s.Store, query.Before, func(letter *notify.Letter) bool {
		if query.Channel != "" && letter.Channel != query.Channel || query.State != "" && letter.State != notify.LetterState(query.State) {
			return true
		}
		if !narrow(&letter.Notice, query.Sees) {
			return true
		}
		if len(list.Items) == limit {
			list.Next = list.Items[limit-1].ID
			return false
		}
		list.Items = append(list.Items, deliveryOf(letter, words))
		return true
	})
	return list, err
}

// narrow leaves in a notice what somebody may see, and reports whether that is anything. What is told of no resource is
// everybody's, and what is counted beyond the lines is of nobody knows whom: neither is seen by who sees a part.
func narrow(n *notify.Notice, sees func(fleet.Ref) bool) bool {
	if sees == nil {
		return true
	}
	if n.Digest != nil { // it counts, and names nobody
		return false
	}
	var parts []notify.Part
	for _, part := range n.Parts {
		told := slices.DeleteFunc(slices.Clone(part.Told), func(line notify.Line) bool { return line.Ref.ID == "" || !sees(line.Ref) })
		if len(told) > 0 {
			parts = append(parts, notify.Part{Kind: part.Kind, Count: len(told), Told: told})
		}
	}
	n.Parts = parts
	return len(parts) > 0
}

func deliveryOf(letter *notify.Letter, words notify.Words) Delivery {
	m := words.Message(&letter.Notice)
	return Delivery{
		ID: letter.ID, Channel: letter.Channel, State: string(letter.State), Kind: string(m.Kind), Tone: m.Kind.Tone().String(), Schedule: m.Schedule, Workload: m.Workload,
		Title: m.Title, Lines: append([]string{}, m.Lines...), Count: m.Count, Told: letter.Since, Due: letter.Due, Settled: letter.Settled, Tries: letter.Tries,
		Error: Plain(letter.Error), Updates: letter.Updates,
	}
}

// AgainRequest asks for messages to be sent again that were given up.
type AgainRequest struct {
	// ID is that of one message; empty: all of Channel.
	ID      string
	Channel string
	Author  string
}

// AgainAnswer says how many messages are sent again.
type AgainAnswer struct {
	Channel  string `json:"channel"`
	Messages int    `json:"messages"`
}

// SendAgain asks for what was given up to be sent again, with as many tries as if it were new: the process that holds the
// lease does it within seconds. *InputError where there is nothing that was given up, or its channel is there no more.
func (s *Service) SendAgain(ctx context.Context, request AgainRequest) (AgainAnswer, error) {
	author, err := words("author", request.Author, maxAuthor)
	if err != nil {
		return AgainAnswer{}, err
	}
	if author == "" {
		return AgainAnswer{}, inputErrorF("who wants this sent again? it needs an author")
	}
	row := store.Activity{At: store.Instant(s.Now()), Actor: author, Event: store.EventMessageAgain}
	answer := AgainAnswer{Channel: request.Channel}
	if request.ID != "" {
		letter, err := notify.LetterOf(ctx, s.Store, request.ID)
		switch {
		case err != nil:
			return AgainAnswer{}, err
		case letter == nil || request.Channel != "" && letter.Channel != request.Channel:
			return AgainAnswer{}, &GoneError{tellF("there is no message %.60q: messages are kept for a week after they were sent, and for a month after they were given up", request.ID)}
		case letter.State == notify.LetterSent:
			return AgainAnswer{}, inputErrorF("the message was sent at %s: there is nothing to send again", stamp(letter.Settled))
		case letter.State != notify.LetterDead:
			return AgainAnswer{}, inputErrorF("the message waits, and is sent by itself")
		}
		answer.Channel, answer.Messages = letter.Channel, 1
		row.Name, row.Reason, row.Schedule = letter.ID, notify.AgainMessage, letter.Notice.Schedule
		m := notify.Words{}.Message(&letter.Notice)
		row.Detail = "to channel " + letter.Channel + ": " + m.Title
	} else {
		err := notify.EachMark(ctx, s.Store, func(letter notify.LetterMark) {
			if letter.Channel == request.Channel && letter.State == notify.LetterDead {
				answer.Messages++
			}
		})
		if err != nil {
			return AgainAnswer{}, err
		}
		row.Name, row.Reason, row.Detail = request.Channel, notify.AgainChannel, "everything that was given up"
	}
	if _, err := s.way(answer.Channel); err != nil {
		return AgainAnswer{}, err
	}
	if answer.Messages == 0 {
		return AgainAnswer{}, inputErrorF("nothing to channel %q was given up", answer.Channel)
	}
	if err := s.Store.Append(ctx, store.Lease{}, []store.Activity{row}); err != nil {
		return AgainAnswer{}, saving(err)
	}
	return answer, nil
}
