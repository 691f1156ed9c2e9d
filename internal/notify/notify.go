// Package notify groups what was found worth saying into messages and hands
// them to channels.
//
// Event → Notice → Message: what happens is told as events to receivers. Each
// leaves out what its filter does not take, makes notices of the rest, one for
// each schedule or workload, never one per resource, and has them put into words
// (Words) when they are sent: two channels read the same in two languages.
//
// A channel over the network stands behind an Outbox, which takes events at
// once and delivers in the background: a channel that is slow or down holds
// back neither the pass nor another channel. It tries again for an hour, puts
// notices together when many wait, and loses none without a line in the log
// and a count. An Office stands in front of all outboxes and keeps what is on
// its way in the store, as letters: the next process goes on where this one ended.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Kind is the kind of an event.
type Kind string

// The kinds of events that people are told.
const (
	Starting    Kind = "starting"     // starts were accepted
	Stopping    Kind = "stopping"     // stops were accepted
	Failed      Kind = "failed"       // an action failed
	StopWarning Kind = "stop-warning" // a scheduled stop comes soon
	NewResource Kind = "new-resource" // a new resource will be stopped after the grace
	Held        Kind = "held"         // stops were held back by a limit
	Changing    Kind = "changing"     // reboots and changes of types were accepted
	// Ready: what was started runs, and its checks have passed where they are looked at; Stopped: what was stopped has stopped.
	Ready   Kind = "ready"
	Stopped Kind = "stopped"
	// OverrideBegan: a person's decision counts from now, or until another time than before.
	OverrideBegan Kind = "override-began"
	// OverrideEndsSoon: what a person keeps stopped will be as its schedule wants it; of what is kept running StopWarning tells.
	OverrideEndsSoon Kind = "override-ends-soon"
	// OverrideEnded: a person's decision came to its end; RuleMissed: a rule could not fire.
	OverrideEnded Kind = "override-ended"
	RuleMissed    Kind = "rule-missed"
	ConfigWaits   Kind = "config-waits" // a changed configuration waits for somebody to confirm it
	// ConfigChanged: a changed configuration is in force; ConfigRefused: it can not be used, and the running one stays.
	ConfigChanged Kind = "config-changed"
	ConfigRefused Kind = "config-refused"
	// Silent: a watch has not heard of Dayshift for a while; SilentOver: it hears of it again.
	Silent     Kind = "silent"
	SilentOver Kind = "silent-over"
	// Shortage: a start found no capacity; ShortageOver: one that had found none has come up.
	Shortage     Kind = "shortage"
	ShortageOver Kind = "shortage-over"
	Gap          Kind = "gap"        // a scope can no longer be seen
	GapClosed    Kind = "gap-closed" // it can be seen again
	// Capacity that is held: all that is wanted is; less is; nothing uses it; all is given back; something went wrong.
	ReservationReached  Kind = "reservation-reached"
	ReservationShort    Kind = "reservation-short"
	ReservationIdle     Kind = "reservation-idle"
	ReservationReleased Kind = "reservation-released"
	ReservationFailed   Kind = "reservation-failed"
	// A run of a workload failed or was cancelled; a veto keeps a member, or did; something of it did not work; it began or ended.
	WorkloadFailed Kind = "workload-failed"
	Veto           Kind = "veto"
	WorkloadKept   Kind = "workload-kept"
	WorkloadRun    Kind = "workload-run"
)

// urgency orders kinds: the least first.
var urgency = map[Kind]int{
	Held: 0, ConfigWaits: 0, Silent: 0, Failed: 1, Shortage: 1, ReservationFailed: 1, WorkloadFailed: 1, ReservationShort: 1, Gap: 2, RuleMissed: 2, ConfigRefused: 2,
	Veto: 3, WorkloadKept: 3, ReservationIdle: 3, StopWarning: 3, NewResource: 4, GapClosed: 5, SilentOver: 5, OverrideEnded: 5, ReservationReached: 5,
	ReservationReleased: 5, ShortageOver: 5, OverrideBegan: 5, OverrideEndsSoon: 4, ConfigChanged: 5, Stopping: 6, Stopped: 6, Changing: 6, WorkloadRun: 6, Ready: 7, Starting: 7,
}

// Kinds are all kinds, the most urgent first.
var Kinds = slices.SortedFunc(maps.Keys(urgency), compareKinds)

func compareKinds(a, b Kind) int {
	return cmp.Or(cmp.Compare(urgency[a], urgency[b]), cmp.Compare(a, b))
}

// Event is one thing that happened to one resource or scope.
type Event struct {
	Kind     Kind
	Schedule string            // empty for what concerns no schedule
	Workload string            // empty for what concerns no workload
	Ref      fleet.Ref         // zero for what concerns no single resource
	Tags     map[string]string // of the resource, for filters
	About    []Subject         // what it concerns besides, for filters alone: no message names it
	Name     string            // what people call it
	Text     say.Text          // why or when, a sentence without the name
	At       time.Time         // when it happens or happened; what will be: in the time zone that it was decided in
}

// Subject is something that an event concerns.
type Subject struct {
	Schedule string            `json:"schedule,omitempty"` // empty: that of the event
	Workload string            `json:"workload,omitempty"` // likewise
	Ref      fleet.Ref         `json:"ref,omitzero"`
	Name     string            `json:"name,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// Subjects are resources as subjects. Each has the schedule that its tag of that key names, and without the tag another one:
// that of the workload whose member it is.
func Subjects(resources []fleet.Resource, tagKey, otherwise string) []Subject {
	list := []Subject{{Schedule: otherwise}}
	for i := range resources {
		r := &resources[i]
		list = append(list, Subject{Schedule: cmp.Or(strings.TrimSpace(r.Tags[tagKey]), otherwise), Ref: r.Ref, Name: r.Name, Tags: r.Tags})
	}
	return list
}

// Receiver is who is told of events.
type Receiver interface {
	// Name names it in errors.
	Name() string
	// Tell takes the events of one pass, or says why not; it returns when ctx ends.
	Tell(ctx context.Context, events []Event) error
}

// tellTimeout bounds what one receiver may take for the events of a pass, where it sends them itself: an Outbox takes none.
const tellTimeout = 20 * time.Second

// Tell tells every receiver, side by side. The error joins what each failing
// one said; it never means that another was not told.
func Tell(ctx context.Context, receivers []Receiver, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	var group sync.WaitGroup
	failures := make([]error, len(receivers))
	for i, receiver := range receivers {
		group.Go(func() {
			limited, cancel := context.WithTimeout(ctx, tellTimeout)
			defer cancel()
			if err := receiver.Tell(limited, events); err != nil {
				failures[i] = fmt.Errorf("channel %s: %w", receiver.Name(), err)
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// Sender is a channel.
type Sender interface {
	// Name names the channel in errors.
	Name() string
	// Send delivers one message or says why not; it returns when ctx ends.
	Send(ctx context.Context, message Message) error
}

// Direct is a receiver that sends at once, in English and one message for each kind: a program's log.
type Direct struct{ Sender }

var _ Receiver = Direct{}

// Tell implements Receiver. A message that the channel refuses costs it no other
// one, as long as its time lasts; the error is what it said first.
func (d Direct) Tell(ctx context.Context, events []Event) error {
	var first error
	for _, notice := range Group(events, ByKind) {
		if err := d.Send(ctx, Words{}.Message(&notice)); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			return cmp.Or(first, ctx.Err())
		}
	}
	return first
}
