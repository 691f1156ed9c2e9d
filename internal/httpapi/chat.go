package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/service"
)

// Chats answer what chat systems post. Its methods are safe for concurrent use.
type Chats interface {
	// System verifies what is posted to a chat of the configuration in force, and writes answers; nil: there is no such chat.
	System(chat string) wire.System
	// Answer answers what was asked. It always has a text, and ends soon after its context does.
	Answer(ctx context.Context, ask wire.Ask) wire.Reply
	// Working says that the answer comes later, or that it can come nowhere; Failed that there will be none.
	Working(ask wire.Ask) wire.Reply
	Failed(ask wire.Ask) wire.Reply
	// Tell posts an answer that comes later, and says it again after a fault that may pass.
	Tell(ctx context.Context, ask wire.Ask, reply wire.Reply) error
}

// chatPath is where chat systems post to; a name follows.
const chatPath = "/chat/"

const (
	// chatPatience is how long a chat system waits for the whole answer. Slack and Discord give up after 3 s; the way to
	// them and back is a part of it.
	chatPatience = 2 * time.Second
	// chatPatienceAlone is the same where nothing can be told later. Teams gives up after 5 s.
	chatPatienceAlone = 4 * time.Second
	// chatLongest is how long the bot may take for an answer that is told later.
	chatLongest = 20 * time.Second
	// tellLongest is how long it is tried to tell it.
	tellLongest = time.Minute
	// maxChatAsks is how many questions are answered at once. More find the store busy with the ones before.
	maxChatAsks = 32
)

// chats is what the surface keeps of them.
type chats struct {
	once  wire.Once // of this process; Gate.ChatFirst speaks for all
	slots chan struct{}
	under sync.WaitGroup // answers on their way
	// patience and alone are the constants of their names; tests wait less.
	patience, alone time.Duration
}

func newChats() chats {
	return chats{slots: make(chan struct{}, maxChatAsks), patience: chatPatience, alone: chatPatienceAlone}
}

// chat answers what a chat system posts.
func (s *Surface) chat(w http.ResponseWriter, r *http.Request) {
	name, from := r.PathValue("name"), s.client(r)
	gate := s.program.Service().Gate
	now := time.Now() //nolint:forbidigo // signatures run by the wall, whatever the clock of a demo
	if err := gate.ChatArrives(from, now); err != nil {
		s.chatDenied(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	system := s.Chats.System(name)
	if system == nil {
		gate.ChatRefused(r.Context(), from, name, "unknown", "there is no such chat")
		problem(notFound, "there is no %.200q; see /docs", r.URL.Path).write(w, r)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(now.Add(bodyTimeout)) // a recorder in a test has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBody))
	if err != nil {
		if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
			gate.ChatRefused(r.Context(), from, name, "size", "it is larger than "+strconv.FormatInt(large.Limit, 10)+" bytes")
			problem(tooLarge, "the request of a chat system is not taken: %s", "it is too large").write(w, r)
			return
		}
		problem(invalid, "the request of a chat system is not taken: %s", "its body can not be read").with(http.StatusBadRequest).write(w, r)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	ask, early, err := system.Read(r.Header, body, now)
	ask.Chat = name
	switch {
	case err != nil:
		s.refuseChat(w, r, err)
		return
	case early != nil:
		send(w, *early)
		return
	}
	if err := s.chats.once.Take(ask, now); err != nil {
		s.refuseChat(w, r, err)
		return
	}
	if err := gate.ChatAsks(name, now); err != nil {
		s.chats.once.Forget(ask)
		gate.ChatRefused(r.Context(), from, name, "rate", "too many requests at once")
		s.chatDenied(w, r, err)
		return
	}
	s.answerChat(w, r, system, ask, now)
}

// refuseChat answers a request that is not believed, and puts it into the record.
func (s *Surface) refuseChat(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*wire.RefusedError](err)
	if !ok {
		s.problemOf(r.Context(), "chat", err).write(w, r)
		return
	}
	s.program.Service().Gate.ChatRefused(r.Context(), s.client(r), r.PathValue("name"), string(refused.Reason), refused.Error())
	p := problem(chatProblems[refused.Reason], "the request of a chat system is not taken: %s", refused.Error())
	if refused.Reason == wire.Malformed {
		p = p.with(http.StatusBadRequest) // chat systems know no 422
	}
	p.write(w, r)
}

// chatProblems are the kinds of refusals.
var chatProblems = map[wire.Reason]string{
	wire.BadSignature: unauthenticated, wire.BadTime: unauthenticated, wire.BadToken: unauthenticated,
	wire.Malformed: invalid, wire.Replayed: replayed,
}

// chatDenied answers whoever asks too much.
func (s *Surface) chatDenied(w http.ResponseWriter, r *http.Request, err error) {
	denied, ok := errors.AsType[*service.DeniedError](err)
	if !ok {
		s.problemOf(r.Context(), "chat", err).write(w, r)
		return
	}
	deniedProblem(denied, false).write(w, r)
}

// Drain waits until what was asked in chats was answered, also what is told later, or ctx ends.
func (s *Surface) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.chats.under.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("answers to chats are under way: %w", context.Cause(ctx))
	}
}

// answerChat answers in the time that chat systems wait, and tells the rest later. What was asked is not given up when the
// chat system does not wait: it may have been done already.
func (s *Surface) answerChat(w http.ResponseWriter, r *http.Request, system wire.System, ask wire.Ask, now time.Time) {
	select {
	case s.chats.slots <- struct{}{}:
	default:
		s.chats.once.Forget(ask)
		problem(unavailable, "too many commands are answered just now; try again").header("Retry-After", "5").write(w, r)
		return
	}
	late, begun, answered := make(chan struct{}), make(chan bool, 1), make(chan wire.Reply)
	beyond := context.WithoutCancel(r.Context())
	s.chats.under.Go(func() {
		reply, first := s.askOnce(beyond, ask, now, begun)
		<-s.chats.slots
		if !first {
			return
		}
		select {
		case answered <- reply:
		case <-late:
			ctx, cancel := context.WithTimeout(beyond, tellLongest)
			defer cancel()
			if err := s.Chats.Tell(ctx, ask, reply); err != nil {
				s.log.WarnContext(ctx, "a later answer could not be told to a chat", slog.String("chat", ask.Chat), slog.Any("error", err))
			}
		}
	})
	direct := answered
	if ask.Acknowledge { // its answer is told later, however soon it is there
		direct = nil
	}
	patience := s.chats.alone
	if ask.Later != "" {
		patience = s.chats.patience
	}
	timer := time.NewTimer(patience) //nolint:forbidigo // chat systems wait by the wall
	defer timer.Stop()
	for {
		select {
		case first := <-begun:
			switch {
			case !first:
				s.refuseChat(w, r, wire.ErrReplayed)
			case ask.Acknowledge:
				close(late)
				send(w, wire.Raw{})
			default:
				continue
			}
		case reply := <-direct:
			send(w, system.Write(reply))
		case <-timer.C:
			close(late)
			if ask.Acknowledge {
				send(w, wire.Raw{})
				break
			}
			send(w, system.Write(s.Chats.Working(ask)))
		case <-r.Context().Done(): // the chat system waits no longer
			close(late)
		}
		return
	}
}

// askOnce asks the bot what no process was asked before, and tells begun whether that is so. Where nobody can tell, nothing
// is done: whoever asks writes it again.
func (s *Surface) askOnce(ctx context.Context, ask wire.Ask, now time.Time, begun chan<- bool) (reply wire.Reply, first bool) {
	first, err := s.program.Service().Gate.ChatFirst(ctx, ask.Chat, ask.ID, now.Add(wire.KeptFor), now)
	begun <- first || err != nil
	switch {
	case err != nil:
		s.chats.once.Forget(ask)
		s.log.WarnContext(ctx, "a request of a chat is not taken: whether it was taken before can not be told", slog.String("chat", ask.Chat), slog.Any("error", err))
		return s.Chats.Failed(ask), true
	case !first:
		return wire.Reply{}, false
	}
	return s.askBot(ctx, ask), true
}

// askBot is the answer of the bot, whatever happens to it.
func (s *Surface) askBot(ctx context.Context, ask wire.Ask) (reply wire.Reply) {
	ctx, cancel := context.WithTimeoutCause(ctx, chatLongest, context.DeadlineExceeded)
	defer cancel()
	defer func() {
		if held := recover(); held != nil {
			s.log.ErrorContext(ctx, "a question of a chat made the program panic; it goes on",
				slog.String("chat", ask.Chat), slog.String("panic", fmt.Sprint(held)), slog.String("stack", string(debug.Stack())))
			reply = s.Chats.Failed(ask)
		}
	}()
	return s.Chats.Answer(ctx, ask)
}

// send sends what a system wrote.
func send(w http.ResponseWriter, answer wire.Raw) {
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	if answer.Status != 0 {
		w.WriteHeader(answer.Status)
	}
	_, _ = w.Write(answer.Body) // where the chat system has gone there is nobody to tell
}
