package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
)

const arn = "arn:aws:events:ap-northeast-2:111122223333:event-bus/dayshift-ops"

// bus answers as it is told and remembers what it was given.
type bus struct {
	err   error
	arn   string
	event cloud.BusEvent
}

func (b *bus) PutEvent(_ context.Context, arn string, event cloud.BusEvent) error {
	b.arn, b.event = arn, event
	return b.err
}

func channel(b *bus) *Channel {
	return &Channel{Label: "ops", Bus: b, ARN: arn, Now: func() time.Time { return roomtest.Sent }}
}

func TestSend(t *testing.T) {
	b := &bus{}
	if err := channel(b).Send(t.Context(), roomtest.Example); err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"channel":"ops","id":"IXJVPC3Y7NQK5E2DZW4M6TB7RA","kind":"failed","schedule":"seoul-office","at":"2026-08-03T18:00:00Z","count":2,` +
		`"title":"Could not act on 2 resources (schedule seoul-office)","lines":["db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity","결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"]}`
	if b.arn != arn || b.event.Source != "dayshift" || b.event.DetailType != "Dayshift failed" || b.event.Detail != want || !b.event.At.Equal(roomtest.Sent) {
		t.Errorf("%s: %+v", b.arn, b.event)
	}
	if err := channel(b).Send(t.Context(), roomtest.Warning("office", "web", "why")); err != nil {
		t.Fatal(err)
	}
	var detail struct{ Choices []notify.Choice }
	if err := json.Unmarshal([]byte(b.event.Detail), &detail); err != nil || len(detail.Choices) != 3 || detail.Choices[0].Command != "keep office until 2026-08-03T19:00:00Z" {
		t.Errorf("%v: %s", err, b.event.Detail)
	}
}

func TestErrors(t *testing.T) {
	for again, refusal := range map[bool]error{true: cloud.ErrThrottled, false: cloud.ErrNotFound} {
		err := channel(&bus{err: refusal}).Send(t.Context(), roomtest.Example)
		if _, is := errors.AsType[*notify.RetryError](err); !errors.Is(err, refusal) || is != again {
			t.Errorf("%v: %v", refusal, err)
		}
	}
}
