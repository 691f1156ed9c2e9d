package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	evening = time.Date(2026, 8, 3, 18, 0, 0, 0, time.UTC)
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	kinds   = []Kind{Held, Failed, Gap, StopWarning, NewResource, GapClosed, Stopping, Starting}
)

func event(kind Kind, schedule, id, name, text string) Event {
	e := Event{Kind: kind, Schedule: schedule, Name: name, Text: text, At: evening}
	if id != "" {
		e.Ref = fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: id}
	}
	return e
}

func TestGroup(t *testing.T) {
	messages := Group([]Event{
		event(Starting, "seoul", "i-1", "web", ""),
		event(Stopping, "office", "i-2", "", "the period ended"),
		event(Gap, "", "", "", "111122223333/eu-west-3: cannot list ec2_instance: not authorized"),
		event(Starting, "office", "i-3", "결제", "the period began"),
		event(Starting, "seoul", "i-4", "i-4", ""),
		event(Failed, "office", "i-5", "db", "start:\nno\tcapacity"),
	})
	want := []Message{
		{Kind: Failed, Schedule: "office", At: evening, Count: 1, Title: "Could not act on 1 resource (schedule office)", Lines: []string{"db i-5 in 111122223333/ap-northeast-2: start: no capacity"}},
		{Kind: Gap, At: evening, Count: 1, Title: "Cannot see 1 scope", Lines: []string{"111122223333/eu-west-3: cannot list ec2_instance: not authorized"}},
		{Kind: Stopping, Schedule: "office", At: evening, Count: 1, Title: "Stopping 1 resource (schedule office)", Lines: []string{"i-2 in 111122223333/ap-northeast-2: the period ended"}},
		{Kind: Starting, Schedule: "office", At: evening, Count: 1, Title: "Starting 1 resource (schedule office)", Lines: []string{"결제 i-3 in 111122223333/ap-northeast-2: the period began"}},
		{Kind: Starting, Schedule: "seoul", At: evening, Count: 2, Title: "Starting 2 resources (schedule seoul)", Lines: []string{"web i-1 in 111122223333/ap-northeast-2", "i-4 in 111122223333/ap-northeast-2"}},
	}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Error(diff)
	}
	if none := Group(nil); len(none) != 0 {
		t.Error(none)
	}
}

func TestTitles(t *testing.T) {
	for _, test := range []struct {
		kind      Kind
		one, many string
	}{
		{Starting, "Starting 1 resource", "Starting 3 resources"},
		{Stopping, "Stopping 1 resource", "Stopping 3 resources"},
		{Failed, "Could not act on 1 resource", "Could not act on 3 resources"},
		{StopWarning, "1 resource will be stopped soon", "3 resources will be stopped soon"},
		{NewResource, "1 resource seen for the first time will be stopped", "3 resources seen for the first time will be stopped"},
		{Held, "Held back: a limit keeps 1 resource from being stopped", "Held back: a limit keeps 3 resources from being stopped"},
		{Gap, "Cannot see 1 scope", "Cannot see 3 scopes"},
		{GapClosed, "Can see again 1 scope", "Can see again 3 scopes"},
	} {
		if got := title(subject{kind: test.kind}, 1); got != test.one {
			t.Errorf("%s: %q", test.kind, got)
		}
		if got := title(subject{kind: test.kind, schedule: "office"}, 3); got != test.many+" (schedule office)" {
			t.Errorf("%s: %q", test.kind, got)
		}
	}
}

// No event is lost, no message grows without bound, and the urgent come first.
func TestGroupLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []Event
		for i := range rapid.IntRange(0, 120).Draw(t, "n") {
			events = append(events, event(rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "schedule"),
				fmt.Sprint("i-", i), rapid.String().Draw(t, "name"), strings.Repeat("why ", rapid.IntRange(0, 500).Draw(t, "words"))))
		}
		counted, before := 0, -1
		for _, m := range Group(events) {
			counted += m.Count
			if len(m.Lines) != min(m.Count, maxLines+1) {
				t.Fatalf("%d lines of %d events", len(m.Lines), m.Count)
			}
			if m.Count > maxLines && m.Lines[maxLines] != fmt.Sprintf("and %d more", m.Count-maxLines) {
				t.Fatal(m.Lines[maxLines])
			}
			for _, line := range append(m.Lines, m.Title) {
				if len([]rune(line)) > maxLine || strings.ContainsAny(line, "\n\r\t") || line == "" {
					t.Fatalf("%q", line)
				}
			}
			if urgency[m.Kind] < before {
				t.Fatalf("%s comes late", m.Kind)
			}
			before = urgency[m.Kind]
		}
		if counted != len(events) {
			t.Fatalf("%d of %d events", counted, len(events))
		}
	})
}

// channel sends by a function and remembers what went out.
type channel struct {
	name string
	send func(ctx context.Context, m Message) error

	mu   sync.Mutex
	sent []string
	at   []time.Time
}

func (c *channel) Name() string { return c.name }

func (c *channel) Send(ctx context.Context, m Message) error {
	if c.send != nil {
		if err := c.send(ctx, m); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent, c.at = append(c.sent, m.Title), append(c.at, time.Now())
	return nil
}

func TestSlowChannelHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		messages := []Message{{Title: "one"}, {Title: "two"}, {Title: "three"}}
		quick := &channel{name: "quick"}
		slow := &channel{name: "slow", send: func(ctx context.Context, _ Message) error {
			select {
			case <-time.After(15 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		down := &channel{name: "down", send: func(ctx context.Context, _ Message) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		picky := &channel{name: "picky", send: func(_ context.Context, m Message) error {
			if m.Title != "two" {
				return errors.New("400 " + m.Title)
			}
			return nil
		}}
		began := time.Now()
		err := Send(t.Context(), []Sender{down, quick, slow, picky}, messages)
		if took := time.Since(began); took != sendTimeout {
			t.Errorf("took %s", took)
		}
		if len(quick.sent) != 3 || !quick.at[2].Equal(began) {
			t.Errorf("the quick channel sent %v", quick.sent)
		}
		if diff := cmp.Diff([]string{"one"}, slow.sent); diff != "" {
			t.Errorf("the slow channel: %s", diff)
		}
		if diff := cmp.Diff([]string{"two"}, picky.sent); diff != "" {
			t.Errorf("the picky channel: %s", diff)
		}
		want := "channel down: context deadline exceeded\nchannel slow: context deadline exceeded\nchannel picky: 400 one"
		if err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
	})
}

func TestNothingToSend(t *testing.T) {
	c := &channel{name: "c", send: func(context.Context, Message) error { return errors.New("asked") }}
	if err := Send(t.Context(), []Sender{c}, nil); err != nil {
		t.Error(err)
	}
	if err := Send(t.Context(), nil, []Message{{Title: "one"}}); err != nil {
		t.Error(err)
	}
}
