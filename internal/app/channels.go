package app

import (
	"fmt"

	"dayshift/internal/buildinfo"
	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/notify/dingtalk"
	"dayshift/internal/notify/discord"
	"dayshift/internal/notify/email"
	"dayshift/internal/notify/eventbridge"
	"dayshift/internal/notify/jandi"
	"dayshift/internal/notify/lark"
	"dayshift/internal/notify/slack"
	"dayshift/internal/notify/sns"
	"dayshift/internal/notify/teams"
	"dayshift/internal/notify/webhook"
	"dayshift/internal/notify/wecom"
	"dayshift/internal/outbound"
)

// messenger takes messages for topics and buses.
type messenger interface {
	cloud.Publisher
	cloud.EventBus
}

// channel makes a channel of a configuration. It sends nothing.
func (a *App) channel(loaded *config.Loaded, name string, publisher messenger) (notify.Channel, error) {
	c := loaded.Config.Channels[name]
	var m notify.Channel
	m.Filter.Schedules, m.Filter.Workloads = c.Schedules, c.Workloads
	for _, kind := range c.Kinds {
		m.Filter.Kinds = append(m.Filter.Kinds, notify.Kind(kind))
	}
	switch c.Type {
	case config.SNSChannel:
		m.Sender, m.By = &sns.Channel{Label: name, Publisher: publisher, Topic: c.Topic}, notify.ByKind
	case config.EventBridgeChannel:
		m.Sender, m.By = &eventbridge.Channel{Label: name, Bus: publisher, ARN: c.Bus, Now: wall.Now}, notify.ByKind
	case config.EmailChannel:
		mail, err := email.New(email.Options{
			Name: name, Server: c.SMTP, Implicit: c.ImplicitTLS(), Username: c.Username, Password: c.Password.Reveal(), From: c.From, To: c.To,
			AllowPrivate: c.AllowPrivate, Now: wall.Now,
		})
		if err != nil {
			return notify.Channel{}, err
		}
		m.Sender = mail
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
			return notify.Channel{}, err
		}
		m.Sender, m.By = hook, notify.ByKind
	default:
		room, err := roomOf(name, c)
		if err != nil {
			return notify.Channel{}, err
		}
		m.Sender = room
	}
	m.Words = wordsOf(loaded, c)
	a.when(&m, loaded.Tellings[name])
	return m, nil
}

// channels makes the channels of a configuration, the topics of its workloads among them. It sends nothing.
func (a *App) channels(loaded *config.Loaded, publisher messenger) (map[string]notify.Channel, error) {
	list := map[string]notify.Channel{}
	for name := range loaded.Config.Channels {
		m, err := a.channel(loaded, name, publisher)
		if err != nil {
			return nil, err
		}
		list[name] = m
	}
	for _, w := range loaded.Book.Workloads.All() {
		if w.Topic == "" {
			continue
		}
		name := "topic " + w.Topic // no channel of the configuration has a blank in its name
		m := list[name]
		m.Sender, m.By = &sns.Channel{Label: name, Publisher: publisher, Topic: w.Topic}, notify.ByKind
		m.Words = wordsOf(loaded, config.Channel{})
		m.Filter.Workloads = append(m.Filter.Workloads, w.Name)
		list[name] = m
	}
	return list, nil
}

// posts says where and how a channel posts.
func posts(c config.Channel) outbound.PostOptions {
	return outbound.PostOptions{URL: c.URL.Reveal(), AllowPrivate: c.AllowPrivate, Version: buildinfo.Get().Version, Now: wall.Now}
}

// roomOf makes a channel to a room of a chat system.
func roomOf(name string, c config.Channel) (notify.Sender, error) {
	switch c.Type {
	case config.SlackChannel:
		pressed := c.Chat != ""
		if token := c.Token.Reveal(); token != "" {
			options := posts(c)
			options.URL = slack.PostMessage
			return slack.NewBot(name, options, token, c.Channel, pressed)
		}
		return slack.New(name, posts(c), pressed)
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
