package service

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Channel is where people are told, what goes there, and how that stands.
type Channel struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Leads is the host that it posts to, which alone is no secret, or its topic, bus, recipients or channel.
	Leads string `json:"leads"`
	// Language is the one of its messages.
	Language string `json:"language"`
	// Kinds are those of the messages that it gets; none: all.
	Kinds []string `json:"kinds"`
	// Schedules and Workloads: it gets only messages about one of these; none of either: about everything.
	Schedules []string `json:"schedules"`
	Workloads []string `json:"workloads"`
	// Filter: it gets only messages about what this selects; empty: about everything.
	Filter string `json:"filter,omitempty"`
	// Route says in words what goes there.
	Route say.Text `json:"route"`
	// Topic: it is no channel of the configuration, but the topic of its workloads.
	Topic bool `json:"topic"`
	// Quiet is until when its quiet hours last that are now; zero: there are none now. HasQuiet: it has quiet hours.
	Quiet    time.Time `json:"quiet,omitzero"`
	HasQuiet bool      `json:"has_quiet"`
	// Digest is daily or weekly, where what is no alarm is put together, and Next when the next one is due; empty: it is told at once.
	Digest string    `json:"digest,omitempty" enum:"daily,weekly"`
	Next   time.Time `json:"next,omitzero"`
	// Failing is since when it takes nothing, and Error what it said last; zero: it takes messages, as far as is known.
	Failing time.Time `json:"failing,omitzero"`
	Error   string    `json:"error,omitempty"`
	// Waiting are the messages that are to be sent, Kept those that are kept for a digest, Dead those that were given up.
	Waiting int `json:"waiting"`
	Kept    int `json:"kept"`
	Dead    int `json:"dead"`
	// Sent is how many it took in the last 24 hours, Last when it took one last; zero: not within what is remembered.
	Sent int       `json:"sent"`
	Last time.Time `json:"last,omitzero"`
}

// MessageKind is a kind of messages.
type MessageKind struct {
	Kind string `json:"kind"`
	// Tone is how it wants to be read: news, warning or alarm.
	Tone string   `json:"tone" enum:"news,warning,alarm"`
	Text say.Text `json:"text"`
}

// Channels are all channels, and the kinds of messages that there are, the most urgent first.
type Channels struct {
	Channels []Channel     `json:"channels"`
	Kinds    []MessageKind `json:"kinds"`
}

// sentSpan is the time of Channel.Sent.
const sentSpan = 24 * time.Hour

// Channels tells how every channel stands, those of the configuration and the topics of workloads, ordered by name.
func (s *Service) Channels(ctx context.Context) (Channels, error) {
	answer := Channels{Channels: []Channel{}, Kinds: []MessageKind{}}
	for _, kind := range notify.Kinds {
		answer.Kinds = append(answer.Kinds, MessageKind{Kind: string(kind), Tone: kind.Tone().String(), Text: kind.Text()})
	}
	ways, err := s.ways()
	if err != nil {
		return answer, err
	}
	conditions, err := notify.Conditions(ctx, s.Store)
	if err != nil {
		return answer, err
	}
	channels := map[string]*Channel{}
	for name := range ways {
		c := s.channelOf(name, ways[name])
		if condition, known := conditions[name]; known {
			c.Failing, c.Error, c.Last = condition.FailingSince, condition.Error, condition.LastSent
		}
		channels[name] = &c
	}
	since := s.Now().Add(-sentSpan)
	err = notify.EachMark(ctx, s.Store, func(letter notify.LetterMark) {
		if c := channels[letter.Channel]; c != nil {
			c.count(letter, since)
		}
	})
	if err != nil {
		return answer, err
	}
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		answer.Channels = append(answer.Channels, *channels[name])
	}
	return answer, nil
}

// Channel tells how one stands. *InputError where there is none.
func (s *Service) Channel(ctx context.Context, name string) (Channel, error) {
	all, err := s.Channels(ctx)
	if err != nil {
		return Channel{}, err
	}
	at := slices.IndexFunc(all.Channels, func(c Channel) bool { return c.Name == name })
	if at < 0 {
		return Channel{}, s.KnownChannel(name)
	}
	return all.Channels[at], nil
}

// KnownChannel is an *InputError where there is no channel of that name.
func (s *Service) KnownChannel(name string) error {
	_, err := s.way(name)
	return err
}

// ways are the channels as they are sent through.
func (s *Service) ways() (map[string]notify.Channel, error) {
	if s.Ways == nil {
		return nil, nil
	}
	ways, err := s.Ways()
	if err != nil {
		return nil, fmt.Errorf("make the channels of the configuration: %w", err)
	}
	return ways, nil
}

// way is one channel as it is sent through.
func (s *Service) way(name string) (notify.Channel, error) {
	ways, err := s.ways()
	if err != nil {
		return notify.Channel{}, err
	}
	if c, is := ways[name]; is {
		return c, nil
	}
	names := slices.Sorted(maps.Keys(ways))
	return notify.Channel{}, inputErrorF("there is no channel %q; %s", name, meant(name, names, say.F("the configuration has none")))
}

// channelOf is what the configuration says of a channel.
func (s *Service) channelOf(name string, way notify.Channel) Channel {
	written, is := s.Config.Config.Channels[name]
	c := Channel{
		Name: name, Type: cmp.Or(written.Type, config.SNSChannel), Leads: leads(&written), Language: string(cmp.Or(way.Words.Language, say.English)), Topic: !is,
		Kinds: []string{}, Schedules: append([]string{}, way.Filter.Schedules...), Workloads: append([]string{}, way.Filter.Workloads...),
	}
	if !way.Filter.Resources.IsZero() {
		c.Filter = way.Filter.Resources.String()
	}
	for _, kind := range way.Filter.Kinds {
		c.Kinds = append(c.Kinds, string(kind))
	}
	now := s.Now()
	if c.HasQuiet = way.Quiet != nil; c.HasQuiet {
		c.Quiet = way.Quiet.Until(now)
	}
	if way.Digest != nil {
		c.Digest, c.Next = "daily", way.Digest.Next(now)
		if way.Digest.Weekly {
			c.Digest = "weekly"
		}
	}
	if c.Topic {
		c.Leads = topicOf(s.Config, name)
	}
	c.Route = route(&way.Filter)
	return c
}

// leads is where a channel leads, without what is secret of it.
func leads(c *config.Channel) string {
	switch {
	case c.Topic != "" || c.Bus != "":
		return cmp.Or(c.Topic, c.Bus)
	case c.SMTP != "":
		return strings.Join(c.To, ", ")
	case c.Channel != "": // of a workspace, by a token
		return c.Channel
	}
	if u, err := url.Parse(c.URL.Reveal()); err == nil {
		return u.Host
	}
	return ""
}

// topicOf is the topic of workloads that a channel of that name publishes to.
func topicOf(loaded *config.Loaded, name string) string {
	for _, w := range loaded.Book.Workloads.All() {
		if w.Topic != "" && len(name) > len(w.Topic) && name[len(name)-len(w.Topic):] == w.Topic {
			return w.Topic
		}
	}
	return ""
}

// route says what a filter takes.
func route(f *notify.Filter) say.Text {
	kinds := say.F("all kinds of messages")
	if len(f.Kinds) > 0 {
		var texts []say.Text
		for _, kind := range f.Kinds {
			texts = append(texts, kind.Text())
		}
		kinds = say.List(texts...)
	}
	parts := []say.Text{kinds}
	var about []say.Text
	if len(f.Schedules) > 0 {
		about = append(about, say.F("schedule %s", say.Names(f.Schedules)))
	}
	if len(f.Workloads) > 0 {
		about = append(about, say.F("workload %s", say.Names(f.Workloads)))
	}
	if len(about) > 0 {
		parts = append(parts, say.F("only about %s", say.List(about...)))
	}
	if !f.Resources.IsZero() {
		parts = append(parts, say.F("only about what %s selects", f.Resources.String()))
	}
	return say.Clauses(parts...)
}

// count counts a letter among those of its channel.
func (c *Channel) count(letter notify.LetterMark, since time.Time) {
	switch letter.State {
	case notify.LetterWaiting:
		c.Waiting++
	case notify.LetterKept:
		c.Kept++
	case notify.LetterDead:
		c.Dead++
	case notify.LetterSent:
		if letter.Settled.After(since) {
			c.Sent++
		}
		if letter.Settled.After(c.Last) {
			c.Last = letter.Settled
		}
	}
}

// ChannelTest asks for a message that says that it is a test.
type ChannelTest struct {
	Channel string
	Author  string
}

// ChannelTestAnswer is what the channel did with it.
type ChannelTestAnswer struct {
	Channel   string    `json:"channel"`
	At        time.Time `json:"at"`
	Delivered bool      `json:"delivered"`
	// Error is what it said, or what is in the way, without its address.
	Error string `json:"error,omitempty"`
	// Again: a message would be tried again. Not so: somebody has to mend the channel.
	Again bool `json:"again"`
}

const (
	// testEvery is how often one channel is tested at most: who presses a button twice wants one message.
	testEvery = 10 * time.Second
	// testLongest is how long a channel may take, as long as a message may at any other time.
	testLongest = 15 * time.Second
)

// TestChannel sends a message that says that it is a test, at once and whatever else waits. What comes of it is in the
// record. *InputError where there is no such channel, *DeniedError where it has just been tested.
func (s *Service) TestChannel(ctx context.Context, test ChannelTest) (ChannelTestAnswer, error) {
	author, err := words("author", test.Author, maxAuthor)
	if err != nil {
		return ChannelTestAnswer{}, err
	}
	if author == "" {
		return ChannelTestAnswer{}, inputErrorF("who tests this? it needs an author")
	}
	way, err := s.way(test.Channel)
	if err != nil {
		return ChannelTestAnswer{}, err
	}
	now := store.Instant(s.Now())
	before, err := s.Store.Activity(ctx, store.ActivityQuery{Event: store.EventChannelTest, Text: test.Channel, From: now.Add(-testEvery), Last: true, Limit: 1})
	if err != nil {
		return ChannelTestAnswer{}, fmt.Errorf("read when the channel was tested: %w", err)
	}
	if len(before) > 0 {
		return ChannelTestAnswer{}, &DeniedError{
			Reason: DeniedRate, RetryAfter: before[0].At.Add(testEvery).Sub(now),
			told: tellF("channel %q has just been tested: once in %d seconds is enough", test.Channel, int(testEvery.Seconds())),
		}
	}
	note := func(reason, detail string) error {
		row := store.Activity{At: store.Instant(s.Now()), Actor: author, Event: store.EventChannelTest, Name: test.Channel, Reason: reason, Detail: detail}
		if err := s.Store.Append(context.WithoutCancel(ctx), store.Lease{}, []store.Activity{row}); err != nil {
			return fmt.Errorf("record the test of channel %s: %w", test.Channel, err)
		}
		return nil
	}
	if err := note("asked", "a test message is sent"); err != nil {
		return ChannelTestAnswer{}, err
	}
	message := way.Words.Trial(author)
	message.ID, message.At = rand.Text(), now
	limited, cancel := context.WithTimeoutCause(ctx, testLongest, fmt.Errorf("it was not taken within %s", testLongest))
	defer cancel()
	answer := ChannelTestAnswer{Channel: test.Channel, At: now, Delivered: true}
	if err := way.Send(limited, message); err != nil {
		if limited.Err() != nil {
			err = context.Cause(limited)
		}
		_, again := errors.AsType[notify.Retryable](err)
		answer.Delivered, answer.Error, answer.Again = false, Plain(err.Error()), again || limited.Err() != nil
		return answer, note("failed", answer.Error)
	}
	return answer, note("delivered", "the channel took the test message")
}

// PreviewRequest chooses a message to be shown.
type PreviewRequest struct {
	Channel string
	// Kind of the message; empty: the first that the channel gets.
	Kind string
	// Language: empty, the one of the channel.
	Language string
}

// MessagePreview is a message as a channel would show it, of an example.
type MessagePreview struct {
	Channel  string `json:"channel"`
	Type     string `json:"type"`
	Kind     string `json:"kind"`
	Tone     string `json:"tone" enum:"news,warning,alarm"`
	Language string `json:"language"`
	// Told: the channel gets messages of this kind.
	Told  bool     `json:"told"`
	Title string   `json:"title"`
	Lines []string `json:"lines"`
	// Choices are what its reader may decide.
	Choices []MessageChoice `json:"choices"`
	// Posted is the JSON that is posted, without a signature; empty where none is.
	Posted string `json:"posted,omitempty"`
}

// MessageChoice is something that whoever reads a message may decide.
type MessageChoice struct {
	Label   string `json:"label"`
	Command string `json:"command"`
	Link    string `json:"link,omitempty"`
}

// PreviewMessage shows what a channel would be sent of an example. *InputError where there is no such channel, kind or language.
func (s *Service) PreviewMessage(_ context.Context, request PreviewRequest) (MessagePreview, error) {
	way, err := s.way(request.Channel)
	if err != nil {
		return MessagePreview{}, err
	}
	kinds := way.Filter.Kinds
	if len(kinds) == 0 {
		kinds = notify.Kinds
	}
	kind := cmp.Or(notify.Kind(request.Kind), kinds[0])
	if !slices.Contains(notify.Kinds, kind) {
		return MessagePreview{}, inputErrorF("%q is no kind of message; %s", request.Kind, meant(request.Kind, kindWords(), say.Text{}))
	}
	if language := say.Language(request.Language); language != "" {
		if !slices.Contains(say.Languages, language) {
			return MessagePreview{}, inputErrorF("%q is no language of Dayshift; known are %s", request.Language, say.Names(say.Languages))
		}
		way.Words.Language = language
	}
	notice := notify.Example(kind, s.Now())
	m := way.Words.Message(&notice)
	c := s.channelOf(request.Channel, way)
	answer := MessagePreview{
		Channel: c.Name, Type: c.Type, Kind: string(kind), Tone: kind.Tone().String(), Language: string(cmp.Or(way.Words.Language, say.English)),
		Told: slices.Contains(kinds, kind), Title: m.Title, Lines: append([]string{}, m.Lines...), Choices: []MessageChoice{},
	}
	for _, choice := range m.Choices {
		answer.Choices = append(answer.Choices, MessageChoice{Label: choice.Label, Command: choice.Command, Link: choice.Link})
	}
	if room, is := way.Sender.(notify.Previewer); is {
		posted, err := room.Posted(m)
		if err != nil {
			return MessagePreview{}, fmt.Errorf("encode what is posted to channel %s: %w", c.Name, err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, posted, "", "  "); err != nil {
			return MessagePreview{}, fmt.Errorf("write what is posted to channel %s: %w", c.Name, err)
		}
		answer.Posted = indented.String()
	}
	return answer, nil
}

func kindWords() []string {
	list := make([]string, 0, len(notify.Kinds))
	for _, kind := range notify.Kinds {
		list = append(list, string(kind))
	}
	slices.Sort(list)
	return list
}
