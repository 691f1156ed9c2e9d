package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/buildinfo"
	"dayshift/internal/chatbot"
	chatwire "dayshift/internal/chatbot/wire"
	"dayshift/internal/clock"
	"dayshift/internal/config"
	"dayshift/internal/httpapi"
	"dayshift/internal/notify"
	"dayshift/internal/outbound"
	"dayshift/internal/say"
)

// chats put the chat systems of the configuration in force before the bot, and post what it says later.
type chats struct {
	program chatProgram
	log     *slog.Logger
	config  func() *config.Loaded
	// sender gives the channel of that name of a configuration, chatbot.ErrNowhere where there is none; post posts JSON to a chat system.
	sender func(loaded *config.Loaded, name string) (notify.Sender, error)
	post   func(ctx context.Context, address string, body []byte) error
	clock  clock.Clock
	bot    *chatbot.Bot

	mu   sync.Mutex
	held *chatBook
}

// chatProgram is what is asked of the running program.
type chatProgram = chatbot.Program

// chatBook is what one configuration says of chats.
type chatBook struct {
	loaded  *config.Loaded
	systems map[string]chatwire.System
	people  map[identity]chatbot.Person
}

// identity is somebody in a chat.
type identity struct{ chat, id string }

var _ httpapi.Chats = (*chats)(nil)

func (d *Daemon) newChats() *chats {
	c := &chats{program: d, log: d.Log, config: d.inForce, clock: wall, post: d.posts}
	if c.post == nil {
		c.post = postLater
	}
	c.sender = func(loaded *config.Loaded, name string) (notify.Sender, error) {
		if _, there := loaded.Config.Channels[name]; !there {
			return nil, chatbot.ErrNowhere
		}
		m, err := d.channel(loaded, name, d.present().Cloud)
		return m.Sender, err
	}
	c.open()
	return c
}

// open makes the bot.
func (c *chats) open() {
	c.bot = chatbot.New(chatbot.Options{Program: c.program, Person: c.person, Chat: c.chat, Tell: c.Tell, Log: c.log})
}

// book is what the configuration in force says, made once for each.
func (c *chats) book() *chatBook {
	c.mu.Lock()
	defer c.mu.Unlock()
	loaded := c.config() // under the lock: nobody goes back to one that was replaced
	if c.held == nil || c.held.loaded != loaded {
		c.held = newChatBook(loaded, c.log)
	}
	return c.held
}

func newChatBook(loaded *config.Loaded, log *slog.Logger) *chatBook {
	book := &chatBook{loaded, map[string]chatwire.System{}, map[identity]chatbot.Person{}}
	for name, chat := range loaded.Config.Chats {
		system, err := systemOf(chat)
		if err != nil { // the configuration was checked
			log.Error("a chat can not be asked", slog.String("chat", name), slog.Any("error", err))
			continue
		}
		book.systems[name] = system
	}
	for name, p := range loaded.Config.People {
		person := chatbot.Person{Language: say.Language(p.Language), Principal: access.Principal{
			ID: access.PersonPrincipal + name, Name: name, Role: access.Role(p.Role), Within: p.Within, Via: access.ViaChat,
		}}
		for chat, id := range p.Chats {
			book.people[identity{chat, id}] = person
		}
	}
	return book
}

// systemOf makes the chat system of a chat.
func systemOf(c config.Chat) (chatwire.System, error) {
	switch c.Type {
	case config.SlackChat:
		return chatwire.NewSlack(c.Secret.Reveal(), c.PreviousSecret.Reveal()), nil
	case config.JandiChat:
		return chatwire.NewJandi(c.Token.Reveal(), c.PreviousToken.Reveal()), nil
	case config.TeamsChat:
		return chatwire.NewTeams(c.Token.Reveal(), c.PreviousToken.Reveal())
	case config.DiscordChat:
		return chatwire.NewDiscord(c.PublicKey.Reveal(), c.PreviousPublicKey.Reveal())
	case config.GenericChat:
		return chatwire.NewGeneric(c.Secret.Reveal(), c.PreviousSecret.Reveal()), nil
	}
	return nil, fmt.Errorf("there is no chat of the type %q", c.Type)
}

// System implements httpapi.Chats.
func (c *chats) System(chat string) chatwire.System {
	if system := c.book().systems[chat]; system != nil {
		return system
	}
	return nil
}

// person finds who an identity is. A chat system that does not say who asks has asked for nobody.
func (c *chats) person(chat string, who chatwire.Identity) (chatbot.Person, bool) {
	book := c.book()
	person, known := book.people[identity{chat, config.Identity(book.loaded.Config.Chats[chat].Type, who.ID)}]
	return person, known && who.ID != ""
}

// chat is what the configuration in force says of a chat.
func (c *chats) chat(name string) chatbot.Chat {
	loaded := c.book().loaded
	of := loaded.Config.Chats[name]
	zone, err := time.LoadLocation(cmp.Or(of.Timezone, loaded.Config.Timezone))
	if err != nil { // the configuration was checked
		zone = time.UTC
	}
	return chatbot.Chat{Language: say.Language(of.Language), Usual: say.Language(loaded.Config.Language), Zone: zone, UnknownMayLook: of.Unknown == config.UnknownViewer}
}

// language is that of who asks, as far as it is known before they are answered.
func (c *chats) language(ask chatwire.Ask) say.Language {
	person, _ := c.person(ask.Chat, ask.Who)
	switch {
	case person.Language != "":
		return person.Language
	case ask.Locale != "":
		return say.Best(ask.Locale)
	}
	chat := c.chat(ask.Chat)
	return cmp.Or(chat.Language, chat.Usual, say.English)
}

// Answer implements httpapi.Chats.
func (c *chats) Answer(ctx context.Context, ask chatwire.Ask) chatwire.Reply {
	rooms := c.book().loaded.Config.Chats[ask.Chat].Rooms
	if len(rooms) > 0 && !slices.Contains(rooms, ask.Room) {
		who := access.Principal{Name: say.Plain(fmt.Sprintf("%.100s (%s:%.100s)", ask.Who.Name, ask.Chat, ask.Who.ID))}
		c.program.Service().Refused(ctx, who, "chat "+ask.Chat, say.Plain(fmt.Sprintf("%.200q in the room %.100q, which is not answered", ask.Text, ask.Room)))
		return c.reply(ask, chatwire.Refused, say.F("This room is not answered. Whoever runs Dayshift can add it: it is %q.", say.Plain(ask.Room)))
	}
	return c.bot.Answer(ctx, ask)
}

func (c *chats) reply(ask chatwire.Ask, tone chatwire.Tone, text say.Text) chatwire.Reply {
	return chatwire.Reply{Text: text.In(c.language(ask)), Tone: tone, Private: true}
}

// Working implements httpapi.Chats.
func (c *chats) Working(ask chatwire.Ask) chatwire.Reply {
	text := say.F("This takes longer than usual, and an answer that comes later can be told nowhere here: ask in a minute what was done.")
	if channel := c.book().loaded.Config.Chats[ask.Chat].Channel; ask.Later != "" {
		text = say.F("This takes longer than usual. The answer follows.")
	} else if channel != "" {
		text = say.F("This takes longer than usual. The answer goes to the channel %s.", channel)
	}
	return c.reply(ask, chatwire.OK, text)
}

// Failed implements httpapi.Chats.
func (c *chats) Failed(ask chatwire.Ask) chatwire.Reply {
	return c.reply(ask, chatwire.Refused, say.F("That can not be answered now; nothing was changed as far as is known. Try again in a minute."))
}

// tellTries is how often a later answer is posted, tellPause how long is waited between two times, doubled each time.
const (
	tellTries = 3
	tellPause = 2 * time.Second
)

// Tell implements httpapi.Chats. What the chat system does not take goes to the chat's channel: what Slack and Discord
// give to answer to is good for minutes only.
func (c *chats) Tell(ctx context.Context, ask chatwire.Ask, reply chatwire.Reply) error {
	book := c.book()
	var failed error
	if system := book.systems[ask.Chat]; system != nil && ask.Later != "" {
		body, err := outbound.JSON(system.Later(reply))
		if err != nil {
			return fmt.Errorf("chat %s: %w", ask.Chat, err)
		}
		if failed = c.again(ctx, func() error { return c.post(ctx, ask.Later, body) }); failed == nil {
			return nil
		}
	}
	name := book.loaded.Config.Chats[ask.Chat].Channel
	if name == "" {
		return fmt.Errorf("chat %s: %w", ask.Chat, cmp.Or(failed, chatbot.ErrNowhere))
	}
	sender, err := c.sender(book.loaded, name)
	if err == nil {
		lines := strings.Split(reply.Text, "\n")
		message := notify.Message{ID: rand.Text(), At: wall.Now(), Count: len(lines) - 1, Title: lines[0], Lines: lines[1:]}
		err = c.again(ctx, func() error { return sender.Send(ctx, message) })
	}
	if err != nil {
		return fmt.Errorf("chat %s: channel %s: %w", ask.Chat, name, errors.Join(err, failed))
	}
	return nil
}

// again does it until it is done, it can not be done, or it was tried often enough.
func (c *chats) again(ctx context.Context, do func() error) error {
	pause := tellPause
	for try := 1; ; try++ {
		err := do()
		busy, later := errors.AsType[*outbound.BusyError](err)
		if err == nil || !later || try == tellTries {
			return err
		}
		if c.clock.Sleep(ctx, max(pause, busy.After)) != nil {
			return err
		}
		pause *= 2
	}
}

// postLater posts to a chat system. Package wire has seen to it that the address is one of the system.
func postLater(ctx context.Context, address string, body []byte) error {
	poster, err := outbound.NewPoster(outbound.PostOptions{URL: address, Version: buildinfo.Get().Version, Now: wall.Now})
	if err != nil {
		return err
	}
	_, err = poster.Post(ctx, nil, nil, body)
	return err
}
