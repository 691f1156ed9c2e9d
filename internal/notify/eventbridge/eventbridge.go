// Package eventbridge is the channel that puts messages on an event bus of
// Amazon EventBridge, for programs: rules there match what they want of it.
//
// The source of an event is dayshift, its detail-type names the kind of the
// message, and its detail is what the channel webhook posts. The ID in the
// detail is the same however often a message is sent. What may go through later
// (too many calls, no answer, credentials that are about to be renewed) is told
// as a notify.RetryError.
package eventbridge

import (
	"context"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// Source is the source of every event.
const Source = "dayshift"

// Channel puts messages on one bus.
type Channel struct {
	Label string // its name in the configuration
	Bus   cloud.EventBus
	ARN   string           // of the bus
	Now   func() time.Time // required
}

var (
	_ notify.Sender    = (*Channel)(nil)
	_ notify.Previewer = (*Channel)(nil)
)

// Name implements notify.Sender.
func (c *Channel) Name() string { return c.Label }

// Posted implements notify.Previewer.
func (c *Channel) Posted(m notify.Message) ([]byte, error) {
	return outbound.JSON(m.Content(c.Label))
}

// Send implements notify.Sender.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	detail, err := c.Posted(m)
	if err != nil {
		return err
	}
	err = c.Bus.PutEvent(ctx, c.ARN, cloud.BusEvent{Source: Source, DetailType: "Dayshift " + string(m.Kind), Detail: string(detail), At: c.Now()})
	if after, again := cloud.Again(err); again || err != nil && ctx.Err() != nil {
		return &notify.RetryError{Err: err, After: after}
	}
	return err
}
