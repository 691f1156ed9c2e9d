package chatbot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"dayshift/internal/access"
	"dayshift/internal/chatbot/wire"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// Program is what the bot asks of the running program. Its methods are safe for concurrent use.
type Program interface {
	// Service answers with the configuration in force.
	Service() *service.Service
	// Board is what was seen last.
	Board() *service.Board
	// Changed says that objects or overrides were changed: they are to be taken now.
	Changed()
	// Now is the program's clock.
	Now() time.Time
}

// Person is somebody of the configuration.
type Person struct {
	Principal access.Principal
	Language  say.Language // empty: none is given
}

// Chat is what the configuration says of a chat.
type Chat struct {
	Language say.Language // empty: none is given
	// Usual is the language for words that tell none, as English ones do: everybody writes "status". Empty: English.
	Usual say.Language
	Zone  *time.Location // of times that belong to no schedule; nil: UTC
	// UnknownMayLook lets everybody who can write there ask, and do nothing.
	UnknownMayLook bool
}

// Options are what a bot is made of. All but Log are needed.
type Options struct {
	Program Program
	// Person finds who an identity of a chat is; false: nobody of the configuration. It is asked for every command.
	Person func(chat string, who wire.Identity) (Person, bool)
	// Chat gives what the configuration in force says of a chat.
	Chat func(name string) Chat
	// Tell posts a later answer to ask.Later, or to the chat's own channel where that is empty; ErrNowhere where it has none.
	Tell func(ctx context.Context, ask wire.Ask, reply wire.Reply) error
	Log  *slog.Logger // nil: nothing is logged
}

// ErrNowhere says that an answer has nowhere to go.
var ErrNowhere = errors.New("the chat system takes no later answers, and the chat has no channel")

// Bot answers. It is safe for concurrent use.
type Bot struct {
	options Options

	mu     sync.Mutex
	laters map[string]string // where the answer of a follow-up may be posted, by its name
	began  chan struct{}     // holds one token when there is more to wait for
	cursor int64             // of the record: what Follow has read; its own
}

// New makes a bot.
func New(options Options) *Bot {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return &Bot{options: options, laters: map[string]string{}, began: make(chan struct{}, 1)}
}

// question is one command on its way to its answer.
type question struct {
	bot     *Bot
	ask     wire.Ask
	chat    Chat
	command Command
	who     access.Principal
	known   bool // who asks is a person of the configuration
	within  *fleet.Filter
	lang    say.Language
	svc     *service.Service
	now     time.Time
	// confirmed: who asks has confirmed it; seen: what the service wants to be confirmed as well.
	confirmed, seen bool
	// about is the schedule that it turned out to be about, for the record.
	about string
	// sees are the resources that who asks may see, where they are bound and that was asked for.
	sees []fleet.Resource
}

// permissions are what the verbs ask of whoever writes them. What is not here is for everybody.
var permissions = map[Verb]access.Permission{
	Help: access.Read, Status: access.Read, Info: access.Read, Why: access.Read, List: access.Read, ExceptionInfo: access.Read, WorkloadStatus: access.Read,
	Wake: access.Act, Keep: access.Act, Sleep: access.Act, Skip: access.Act, Release: access.Act, WorkloadStart: access.Act, WorkloadStop: access.Act,
	ExceptionSet: access.Edit, ExceptionDelete: access.Edit,
}

// changes reports whether a verb changes anything.
func (v Verb) changes() bool { return permissions[v] == access.Act || permissions[v] == access.Edit }

// Answer answers what somebody asked. It always has a text.
func (b *Bot) Answer(ctx context.Context, ask wire.Ask) wire.Reply {
	q := &question{bot: b, ask: ask, chat: b.options.Chat(ask.Chat), svc: b.options.Program.Service(), now: b.options.Program.Now()}
	command, wrong := Parse(ask.Text)
	q.command = command
	language := command.Language
	if e, is := errors.AsType[*WrongError](wrong); is {
		language = e.Language
	}
	q.introduce(language)
	if err := q.bound(); err != nil {
		return q.refusal(ctx, say.F("Your access can not be used: %s.", say.Of(err).Bare()))
	}
	if !q.known && !q.chat.UnknownMayLook && (wrong != nil || command.Verb != WhoAmI) {
		return q.refusal(ctx, say.F("I do not know you here. Whoever runs Dayshift can add you to its people: in chat %s you are %s.", q.ask.Chat, quoted(q.ask.Who.ID)))
	}
	if wrong != nil {
		return q.wrong(ctx, wrong)
	}
	if command.Verb == Confirm {
		if reply, over := q.confirm(ctx); over {
			return reply
		}
	}
	return q.do(ctx)
}

// do answers a command that was read.
func (q *question) do(ctx context.Context) wire.Reply {
	verb := q.command.Verb
	if need, asks := permissions[verb]; asks && !q.who.May(need) {
		if !q.known {
			return q.refusal(ctx, say.F("I do not know you here, so you may ask and change nothing. Whoever runs Dayshift can add you to its people: in chat %s you are %s.", q.ask.Chat, quoted(q.ask.Who.ID)))
		}
		return q.refusal(ctx, say.F("%s may not do that: the role %s may not %s, which %s needs.", q.who.Name, q.who.Role, say.Word(need), verb.In(q.lang)))
	}
	if verb.changes() && !q.ask.Signed && !q.confirmed {
		return q.askToConfirm(ctx, say.F("This chat does not sign what it posts, so what changes something is confirmed."), false)
	}
	reply, err := q.answer(ctx)
	if err != nil {
		return q.failed(ctx, err)
	}
	q.record(ctx, string(verb), reply.Text)
	return reply
}

// answer asks the service.
func (q *question) answer(ctx context.Context) (wire.Reply, error) {
	switch q.command.Verb {
	case Status:
		return q.status(ctx)
	case Info:
		return q.info(ctx)
	case Why:
		return q.why(ctx)
	case List:
		return q.list(ctx)
	case WhoAmI:
		return q.whoami(), nil
	case ExceptionInfo:
		return q.exceptionInfo(ctx)
	case ExceptionSet, ExceptionDelete:
		return q.exception(ctx)
	case Wake, Keep, Sleep:
		return q.override(ctx)
	case Skip:
		return q.skip(ctx)
	case Release:
		return q.release(ctx)
	case WorkloadStatus:
		return q.workload(ctx)
	case WorkloadStart, WorkloadStop:
		return q.runWorkload(ctx)
	}
	return q.help(), nil
}

// introduce finds out who asks, and in which language they read.
func (q *question) introduce(written say.Language) {
	person, known := q.bot.options.Person(q.ask.Chat, q.ask.Who)
	q.known, q.who = known, person.Principal
	if !known {
		q.who = access.Principal{ID: "chat:" + q.ask.Chat + ":" + q.ask.Who.ID, Name: stranger(&q.ask)}
		if q.chat.UnknownMayLook {
			q.who.Role = access.Viewer
		}
	}
	switch {
	case person.Language != "":
		q.lang = person.Language
	case q.ask.Locale != "":
		q.lang = say.Best(q.ask.Locale)
	case q.chat.Language != "":
		q.lang = q.chat.Language
	case written != "" && written != say.English:
		q.lang = written
	default:
		q.lang = cmp.Or(q.chat.Usual, say.English)
	}
}

// stranger names somebody whom the configuration does not know.
func stranger(ask *wire.Ask) string {
	return shortened(clean(fmt.Sprintf("%s (%s:%s)", ask.Who.Name, ask.Chat, ask.Who.ID)))
}

// bound reads what who asks is bound to.
func (q *question) bound() error {
	if q.who.Within == "" {
		return nil
	}
	filter, err := fleet.ParseFilter(q.who.Within)
	q.within = &filter
	return err
}

// zone is the clock for what belongs to no schedule.
func (q *question) zone() *time.Location {
	if q.chat.Zone == nil {
		return time.UTC
	}
	return q.chat.Zone
}

// maxAnswer bounds an answer, in characters: Discord takes 2000, the others more.
const maxAnswer = 1900

// reply is an answer in the language of who asks.
func (q *question) reply(tone wire.Tone, lines ...say.Text) wire.Reply {
	var b strings.Builder
	length := 0
	for text := range strings.SplitSeq(say.Lines(lines...).In(q.lang), "\n") {
		text = say.Plain(text)
		if length += utf8.RuneCountInString(text) + 1; length > maxAnswer && b.Len() > 0 {
			b.WriteString("\n…")
			break
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if length > maxAnswer { // the first line is not left out, however long it is
			text = string([]rune(text)[:maxAnswer]) + "…"
		}
		b.WriteString(text)
	}
	return wire.Reply{Text: b.String(), Tone: tone}
}

// tidy leaves of a text its lines, and nothing that moves a cursor or reverses the reading order.
func tidy(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = say.Plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// quoted shows what somebody else wrote.
func quoted(text string) string { return fmt.Sprintf("%q", shortened(clean(text))) }

// wrong answers a text that is no command.
func (q *question) wrong(ctx context.Context, err error) wire.Reply {
	text := say.Of(err)
	if e, is := errors.AsType[*WrongError](err); is {
		if named := e.Example; named.Name == "" && named.Verb != Help && named.Verb != List && named.Verb != WhoAmI && named.Verb != Confirm {
			named.Name = q.anyName(ctx, named.Verb)
			e = &WrongError{Problem: e.Problem, Example: named}
		}
		text = e.In(q.lang)
	}
	reply := q.reply(wire.Refused, text)
	reply.Private = true
	q.record(ctx, "not-understood", reply.Text)
	return reply
}

// refusal refuses somebody. It is in the record with the refusals of the API; of many alike there is a sum.
func (q *question) refusal(ctx context.Context, text say.Text) wire.Reply {
	by := q.who
	if !q.known {
		by.Via = ""
	}
	q.svc.Refused(ctx, by, "chat "+q.ask.Chat+" "+q.ask.Room, fmt.Sprintf("%q in chat %s (%s)", shortened(clean(q.ask.Text)), q.ask.Chat, text.String()))
	reply := q.reply(wire.Refused, text)
	reply.Private = true
	return reply
}

// failed answers what could not be done, with why.
func (q *question) failed(ctx context.Context, err error) wire.Reply {
	var text say.Text
	confirm, toConfirm := errors.AsType[*service.ConfirmError](err)
	refused, isRefused := errors.AsType[*service.RefusedError](err)
	nearest, isNearest := errors.AsType[*nameError](err)
	_, outside := errors.AsType[*service.OutsideError](err)
	wrong, isWrong := errors.AsType[*WrongError](err)
	var sayer say.Sayer
	switch {
	case isWrong:
		text = wrong.In(q.lang)
	case toConfirm && !q.seen:
		return q.askToConfirm(ctx, confirm.Why, true)
	case outside:
		return q.refusal(ctx, say.Of(err))
	case isNearest:
		text = nearest.In(q)
	case isRefused:
		for i := range refused.Faults {
			f := &refused.Faults[i]
			text = say.Lines(text, say.Clauses(f.Said(), f.Remedy()))
		}
	case errors.As(err, &sayer):
		text = sayer.Said()
	default:
		q.bot.options.Log.WarnContext(ctx, "a command over a chat could not be answered", slog.String("chat", q.ask.Chat), slog.String("verb", string(q.command.Verb)), slog.Any("error", err))
		text = say.F("That can not be answered now; nothing was changed as far as is known. Try again in a minute.")
	}
	reply := q.reply(wire.Refused, text)
	q.record(ctx, "refused", reply.Text)
	return reply
}

// recordPatience bounds the wait for the record.
const recordPatience = 5 * time.Second

// maxDetail bounds a row of the record, in bytes.
const maxDetail = 1000

// record writes down what somebody asked and was answered.
func (q *question) record(ctx context.Context, what, answer string) {
	first, _, _ := strings.Cut(answer, "\n")
	where := q.ask.Chat
	if q.ask.Room != "" {
		where += " in " + clean(q.ask.Room)
	}
	detail := fmt.Sprintf("via %s: %s → %s", where, quoted(q.ask.Text), first)
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
	}
	row := store.Activity{At: store.Instant(q.now), Actor: q.who.Actor(), Event: store.EventChat, Name: q.ask.Chat, Schedule: q.about, Reason: what, Detail: say.Plain(detail)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
	defer cancel()
	if err := q.svc.Store.Append(ctx, store.Lease{}, []store.Activity{row}); err != nil {
		q.bot.options.Log.WarnContext(ctx, "a command over a chat could not be recorded", slog.String("chat", q.ask.Chat), slog.Any("error", err))
	}
}
