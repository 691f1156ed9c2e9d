package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	evening = time.Date(2026, 8, 3, 18, 0, 0, 0, time.UTC)
	seoul   = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	kinds   = []Kind{Held, Failed, Gap, StopWarning, NewResource, GapClosed, Stopping, Starting}
)

func event(kind Kind, schedule, id, name, text string) Event {
	e := Event{Kind: kind, Schedule: schedule, Name: name, Text: say.Raw(text), At: evening}
	if id != "" {
		e.Ref = fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: id}
	}
	return e
}

// messages are the events in English.
func messages(events []Event, by Grouping) []Message {
	list := []Message{}
	for _, notice := range Group(events, by) {
		list = append(list, Words{}.Message(&notice))
	}
	return list
}

func TestGroup(t *testing.T) {
	events := []Event{
		event(Starting, "seoul", "i-1", "web", ""),
		event(Stopping, "office", "i-2", "", "the period ended"),
		event(Gap, "", "", "", "111122223333/eu-west-3: cannot list ec2_instance: not authorized"),
		event(Starting, "office", "i-3", "결제", "the period began"),
		event(Starting, "seoul", "i-4", "i-4", ""),
		event(Failed, "office", "i-5", "db", "start:\nno\tcapacity"),
	}
	want := []Message{
		{Kind: Failed, Schedule: "office", At: evening, Count: 1, Title: "Could not act on 1 resource (schedule office)", Lines: []string{"db i-5 in 111122223333/ap-northeast-2: start: no capacity"}},
		{Kind: Gap, At: evening, Count: 1, Title: "Cannot see 1 scope", Lines: []string{"111122223333/eu-west-3: cannot list ec2_instance: not authorized"}},
		{Kind: Stopping, Schedule: "office", At: evening, Count: 1, Title: "Stopping 1 resource (schedule office)", Lines: []string{"i-2 in 111122223333/ap-northeast-2: the period ended"}},
		{Kind: Starting, Schedule: "office", At: evening, Count: 1, Title: "Starting 1 resource (schedule office)", Lines: []string{"결제 i-3 in 111122223333/ap-northeast-2: the period began"}},
		{Kind: Starting, Schedule: "seoul", At: evening, Count: 2, Title: "Starting 2 resources (schedule seoul)", Lines: []string{"web i-1 in 111122223333/ap-northeast-2", "i-4 in 111122223333/ap-northeast-2"}},
	}
	shown := cmpopts.IgnoreUnexported(Message{})
	if diff := cmp.Diff(want, messages(events, ByKind), shown); diff != "" {
		t.Error(diff)
	}
	office := want[0]
	office.Count, office.Lines = 3, []string{office.Lines[0], "Stopping 1 resource", want[2].Lines[0], "Starting 1 resource", want[3].Lines[0]}
	if diff := cmp.Diff([]Message{office, want[1], want[4]}, messages(events, BySubject), shown); diff != "" {
		t.Error(diff)
	}
	if none := Group(nil, BySubject); len(none) != 0 {
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
		if got := title(test.kind, 1).String(); got != test.one {
			t.Errorf("%s: %q", test.kind, got)
		}
		if got := about(&Notice{Schedule: "office"}, title(test.kind, 3)).String(); got != test.many+" (schedule office)" {
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
		by := rapid.SampledFrom([]Grouping{BySubject, ByKind}).Draw(t, "by")
		for _, m := range messages(events, by) {
			counted += m.Count
			if by == ByKind && len(m.Lines) != min(m.Count, maxLines+1) || len(m.Lines) > maxLines+2*len(kinds) {
				t.Fatalf("%d lines of %d events", len(m.Lines), m.Count)
			}
			if by == ByKind && m.Count > maxLines && m.Lines[maxLines] != fmt.Sprintf("and %d more", m.Count-maxLines) {
				t.Fatal(m.Lines[maxLines])
			}
			if m.told[len(m.told)-1] != m.Count || !slices.IsSorted(m.told) {
				t.Fatalf("%d events are told of as %v", m.Count, m.told)
			}
			fitting := m.Fitting(rapid.IntRange(60, 4000).Draw(t, "limit"), Bytes)
			if n := len(fitting); n < len(m.Lines) && fitting[n-1] != m.more(m.Count-m.toldBefore(n-1)) {
				t.Fatalf("%q ends %q", m.Lines, fitting)
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
	c.sent, c.at = append(c.sent, m.Schedule), append(c.at, time.Now())
	return nil
}

func TestSlowChannelHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := []Event{event(Failed, "one", "", "", ""), event(Failed, "two", "", "", ""), event(Failed, "three", "", "", "")}
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
			if m.Schedule != "two" {
				return errors.New("400 " + m.Schedule)
			}
			return nil
		}}
		began := time.Now()
		err := Tell(t.Context(), []Receiver{Direct{down}, Direct{quick}, Direct{slow}, Direct{picky}}, events)
		if took := time.Since(began); took != tellTimeout {
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

func TestNothingToTell(t *testing.T) {
	c := &channel{name: "c", send: func(context.Context, Message) error { return errors.New("asked") }}
	if err := Tell(t.Context(), []Receiver{Direct{c}}, nil); err != nil {
		t.Error(err)
	}
	if err := Tell(t.Context(), nil, []Event{told(1)}); err != nil {
		t.Error(err)
	}
}

// Every kind has a title in every language, and a message is in the language of its channel.
func TestWordsInEveryLanguage(t *testing.T) {
	for _, kind := range Kinds {
		notice := Group([]Event{event(kind, "office", "i-1", "web", "why"), event(kind, "office", "i-2", "", "")}, ByKind)[0]
		english := Words{}.Message(&notice)
		for _, language := range []say.Language{say.Chinese, say.Korean} {
			m := Words{Language: language}.Message(&notice)
			if m.Title == english.Title || m.Lines[0] == english.Lines[0] || m.Language != language {
				t.Errorf("%s in %s: %+v", kind, language, m)
			}
		}
		if spoken := (Words{Language: say.English}).Message(&notice); spoken.Language != "" || spoken.Title != english.Title {
			t.Errorf("%+v", spoken)
		}
	}
}
