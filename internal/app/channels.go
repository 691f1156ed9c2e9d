package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"dayshift/internal/buildinfo"
	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/notify/dingtalk"
	"dayshift/internal/notify/discord"
	"dayshift/internal/notify/jandi"
	"dayshift/internal/notify/lark"
	"dayshift/internal/notify/slack"
	"dayshift/internal/notify/sns"
	"dayshift/internal/notify/teams"
	"dayshift/internal/notify/webhook"
	"dayshift/internal/notify/wecom"
	"dayshift/internal/outbound"
)

// lastTry is how long channels may take, all of them together, for what waits
// when the program ends, or when their section of the configuration does.
const lastTry = 10 * time.Second

// outboxes are the channels of the configuration, each with what waits for it. A nil one has none and takes none.
type outboxes struct {
	mu     sync.Mutex
	byName map[string]*notify.Outbox
	ending sync.WaitGroup // of channels that were removed
}

// made is a channel as the configuration has it.
type made struct {
	sender notify.Sender
	filter notify.Filter
}

// channels makes the channels of a configuration, the topics of its workloads among them. It sends nothing.
func (a *App) channels(loaded *config.Loaded, publisher cloud.Publisher) (map[string]made, error) {
	list := map[string]made{}
	for name, c := range loaded.Config.Channels {
		m := made{filter: notify.Filter{Schedules: c.Schedules, Workloads: c.Workloads}}
		for _, kind := range c.Kinds {
			m.filter.Kinds = append(m.filter.Kinds, notify.Kind(kind))
		}
		switch c.Type {
		case config.SNSChannel:
			m.sender = &sns.Channel{Label: name, Publisher: publisher, Topic: c.Topic}
		case config.WebhookChannel:
			headers := map[string]string{}
			for header, value := range c.Headers {
				headers[header] = value.Reveal()
			}
			hook, err := webhook.New(webhook.Options{
				Name:        name,
				PostOptions: posts(c),
				Secret:      c.Secret.Reveal(), Previous: c.PreviousSecret.Reveal(), Headers: headers,
			})
			if err != nil {
				return nil, err
			}
			m.sender = hook
		default:
			room, err := roomOf(name, c)
			if err != nil {
				return nil, err
			}
			m.sender = room
		}
		list[name] = m
	}
	for _, w := range loaded.Book.Workloads.All() {
		if w.Topic == "" {
			continue
		}
		name := "topic " + w.Topic // no channel of the configuration has a blank in its name
		m := list[name]
		m.sender = &sns.Channel{Label: name, Publisher: publisher, Topic: w.Topic}
		m.filter.Workloads = append(m.filter.Workloads, w.Name)
		list[name] = m
	}
	return list, nil
}

// posts says where and how a channel posts.
func posts(c config.Channel) outbound.PostOptions {
	return outbound.PostOptions{URL: c.URL.Reveal(), AllowPrivate: c.AllowPrivate, Version: buildinfo.Get().Version, Now: wall.Now}
}

// roomOf makes a channel to a room of a chat system.
func roomOf(name string, c config.Channel) (*notify.Room, error) {
	switch c.Type {
	case config.SlackChannel:
		return slack.New(name, posts(c))
	case config.TeamsChannel:
		return teams.New(name, posts(c))
	case config.DiscordChannel:
		return discord.New(name, posts(c))
	case config.JandiChannel:
		return jandi.New(name, posts(c))
	case config.LarkChannel:
		return lark.New(name, posts(c), c.Secret.Reveal())
	case config.DingTalkChannel:
		return dingtalk.New(name, posts(c), c.Secret.Reveal())
	case config.WeComChannel:
		return wecom.New(name, posts(c))
	}
	return nil, fmt.Errorf("channel %s: there is no type %q", name, c.Type)
}

// use replaces the channels whole: what waits for one of the same name goes to
// the new one, and one that is no longer there tries what waits once more.
func (o *outboxes) use(list map[string]made, options notify.OutboxOptions) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, box := range o.byName {
		if _, stays := list[name]; stays {
			continue
		}
		delete(o.byName, name)
		o.ending.Go(func() { closeAll(box) })
	}
	for name, m := range list {
		if box := o.byName[name]; box != nil {
			box.Use(m.sender, m.filter)
			continue
		}
		if o.byName == nil {
			o.byName = map[string]*notify.Outbox{}
		}
		o.byName[name] = notify.NewOutbox(name, m.sender, m.filter, options)
	}
}

// senders are the channels, by name.
func (o *outboxes) senders() []notify.Sender {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []notify.Sender
	for _, name := range slices.Sorted(maps.Keys(o.byName)) {
		list = append(list, o.byName[name])
	}
	return list
}

// close ends the channels.
func (o *outboxes) close() {
	if o == nil {
		return
	}
	o.mu.Lock()
	boxes := slices.Collect(maps.Values(o.byName))
	o.byName = nil
	o.mu.Unlock()
	closeAll(boxes...)
	o.ending.Wait()
}

func closeAll(boxes ...*notify.Outbox) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), lastTry, fmt.Errorf("it was not taken within %s before the end", lastTry))
	defer cancel()
	var group sync.WaitGroup
	for _, box := range boxes {
		group.Go(func() { box.Close(ctx) })
	}
	group.Wait()
}

// outboxOptions are what channels work with, whichever configuration they are of.
func (a *App) outboxOptions() notify.OutboxOptions {
	return notify.OutboxOptions{
		Clock: wall, Log: a.Log,
		Count: func(channel string, result notify.Result) { a.Metrics.Notification(channel, string(result)) },
	}
}

// senders are all whom people are told through: the log, and the channels of the configuration.
func (a *App) senders() []notify.Sender { return slices.Concat(a.Senders, a.boxes.senders()) }
