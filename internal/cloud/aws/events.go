package aws

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
)

var _ cloud.EventBus = (*Cloud)(nil)

// eventMost is the largest event that EventBridge takes, in bytes, of which timeSize are its time.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
const (
	eventMost = 256 << 10
	timeSize  = 14
)

var busPattern = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):events:([a-z0-9-]+):([0-9]{12}):event-bus/[A-Za-z0-9._-]{1,256}$`)

// PutEvent implements cloud.EventBus, with the credentials of the bus's account,
// which has to be configured; its region need not be. A call that was throttled
// put nothing and is made again; one without an answer is not.
func (c *Cloud) PutEvent(ctx context.Context, bus string, event cloud.BusEvent) error {
	part := busPattern.FindStringSubmatch(bus)
	if part == nil {
		return fmt.Errorf("put an event on %q: expected arn:PARTITION:events:REGION:ACCOUNT:event-bus/NAME: %w", bus, cloud.ErrInvalid)
	}
	if size := timeSize + len(event.Source) + len(event.DetailType) + len(event.Detail); size > eventMost {
		return fmt.Errorf("put an event on %s: it is %d bytes long, and %d are taken: %w", bus, size, eventMost, cloud.ErrInvalid)
	}
	env, err := c.home(ctx, part[1], part[2], part[3])
	if err != nil {
		return fmt.Errorf("put an event on %s: %w", bus, err)
	}
	put := eventbridge.NewFromConfig(env.SDK).PutEvents
	in := &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: sdk.String(bus), Source: sdk.String(event.Source), DetailType: sdk.String(event.DetailType), Detail: sdk.String(event.Detail), Time: sdk.Time(event.At),
	}}}
	err = env.Read(cloud.WithOneTry(ctx), kinds.PutEvents, func(ctx context.Context) error {
		answer, err := put(ctx, in)
		if err != nil {
			return err
		}
		return taken(answer)
	})
	if err != nil {
		return fmt.Errorf("put an event on %s: %w", bus, err)
	}
	return nil
}

// taken reads the answer about a single event: EventBridge answers with a success where it refuses one.
func taken(answer *eventbridge.PutEventsOutput) error {
	if len(answer.Entries) != 1 {
		return errors.New("the answer is not about one event")
	}
	entry := answer.Entries[0]
	if code := sdk.ToString(entry.ErrorCode); code != "" || answer.FailedEntryCount > 0 {
		return &smithy.GenericAPIError{Code: code, Message: sdk.ToString(entry.ErrorMessage)}
	}
	if sdk.ToString(entry.EventId) == "" {
		return errors.New("the answer holds no EventId")
	}
	return nil
}
