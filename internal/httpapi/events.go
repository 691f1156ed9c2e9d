package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"dayshift/internal/access"
	"dayshift/internal/fleet"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// Bounds on followers. Each holds a connection and a goroutine, some 50 KB.
const (
	mostStreams    = 500 // in all
	mostStreamsFor = 20  // of one principal: a person with many tabs, and a program or two
	// heartbeat keeps proxies from cutting a quiet connection; most of them do after a minute.
	heartbeat = 20 * time.Second
	// eventTimeout is how long a client may take for one batch of events: who is slower is cut off and comes back.
	eventTimeout = 10 * time.Second
	// longestStream has clients come back, so that who may no longer read is not told for days.
	longestStream = 30 * time.Minute
	// comeBack is when clients that were cut off try again.
	comeBack = 2 * time.Second
)

// streams counts who follows.
type streams struct {
	mu  sync.Mutex
	all int
	by  map[string]int
}

// begin counts a follower in; false where there are too many.
func (s *streams) begin(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= mostStreams || s.by[id] >= mostStreamsFor {
		return false
	}
	if s.by == nil {
		s.by = map[string]int{}
	}
	s.all++
	s.by[id]++
	return true
}

func (s *streams) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.by[id]--; s.by[id] == 0 {
		delete(s.by, id)
	}
}

type eventsInput struct {
	LastEventID string   `header:"Last-Event-ID" maxLength:"200" doc:"Go on after this one; browsers send it when they come back."`
	After       string   `query:"after" maxLength:"200" doc:"As Last-Event-ID, for clients that can not set a header."`
	Type        []string `query:"type" enum:"pass,activity,config,resources" maxItems:"4" doc:"Only these types; several with commas between."`
}

func (s *Surface) events() {
	op(s, toRead, operation{
		id: "followEvents", method: http.MethodGet, path: "/events", tag: "Activity", summary: "Follow what happens, as server-sent events",
		doc: "Each event has an id, its type (pass, activity, config, resources) and JSON data: {\"id\",\"type\",\"at\",\"data\"}. `missed` says that events were lost: what is known from them is to be asked for anew. " +
			"The connection ends after half an hour at the latest, and for whoever reads too slowly; browsers come back by themselves and go on where they were.",
		answers: []string{"text/event-stream"}, streams: true,
	},
		func(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
			a := who(ctx)
			r := request(ctx)
			if err := sameSite(r); err != nil {
				return nil, err
			}
			if !s.streams.begin(a.ID + " " + a.from) {
				return nil, problem(rate, "too many follow events already").header("Retry-After", seconds(heartbeat))
			}
			after := in.LastEventID
			if after == "" {
				after = in.After
			}
			return &huma.StreamResponse{Body: func(out huma.Context) {
				defer s.streams.end(a.ID + " " + a.from)
				s.follow(ctx, out, a, after, in.Type)
			}}, nil
		})
}

// follow writes events until the client goes, is too slow, or is to come back.
func (s *Surface) follow(ctx context.Context, out huma.Context, a asker, after string, types []string) {
	_, w := humago.Unwrap(out)
	control := http.NewResponseController(w)
	subscription := s.program.Events().Subscribe(after)
	defer subscription.Close()
	ctx, cancel := context.WithTimeout(ctx, longestStream)
	defer cancel()
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if out.Method() == http.MethodHead { // there is nothing to wait for
		return
	}
	write := func(text string) bool {
		// A deadline for this batch alone: the one of the server is over by now.
		if err := control.SetWriteDeadline(wall().Add(s.eventTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !write(fmt.Sprintf("retry: %d\n: hello\n\n", comeBack.Milliseconds())) {
		return
	}
	checked := wall()
	for {
		waiting, stop := context.WithTimeout(ctx, s.heartbeat)
		events, missed, err := subscription.Next(waiting)
		stop()
		if ctx.Err() != nil {
			return
		}
		if now := wall(); err != nil || now.Sub(checked) >= s.heartbeat {
			if !s.stillThere(ctx, a) {
				return
			}
			checked = now
		}
		if err != nil {
			if !write(": still here\n\n") {
				return
			}
			continue
		}
		var text strings.Builder
		if missed {
			text.WriteString("event: missed\ndata: {}\n\n")
		}
		for i := range events {
			s.eventText(&text, a, &events[i], types)
		}
		if text.Len() > 0 && !write(text.String()) {
			return
		}
	}
}

// stillThere reports whether who follows would be let in again: a session or key
// that has ended ends what follows with it.
func (s *Surface) stillThere(ctx context.Context, a asker) bool {
	if a.Via == access.ViaAnonymous {
		return s.Anonymous != nil && s.Anonymous()
	}
	// That a page is left open is no use of its session, and counts for no limit.
	return s.program.Service().RecheckSession(ctx, a.token, a.Principal, toRead.permission) == nil
}

// eventText writes an event as it goes over the wire, as far as it is of those
// that are asked for and may be seen.
func (s *Surface) eventText(text *strings.Builder, a asker, e *service.Event, types []string) {
	shown := *e
	if !asksFor(types, e.Type) || a.within != nil && !s.bound(a, &shown) {
		// Its ID is passed on all the same, so that a client that comes back goes on behind it.
		fmt.Fprintf(text, "id: %s\n\n", e.ID)
		return
	}
	data, err := json.Marshal(shown)
	if err != nil {
		return
	}
	fmt.Fprintf(text, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data)
}

func asksFor(types []string, kind string) bool {
	return len(types) == 0 || slices.Contains(types, kind)
}

// bound makes of an event what somebody bound to a filter may see: rows of the
// record about one of their resources as they are, that some of their resources
// changed, and that there was a pass; false for all else.
func (s *Surface) bound(a asker, e *service.Event) bool {
	var mine []fleet.Ref
	for _, ref := range e.Refs {
		if s.program.Board().Matches(ref, *a.within) {
			mine = append(mine, ref)
		}
	}
	switch e.Type {
	case service.EventActivity:
		var row store.Activity
		return json.Unmarshal(e.Data, &row) == nil && row.Ref != fleet.Ref{} && s.program.Board().Matches(row.Ref, *a.within)
	case service.EventResources:
		if len(mine) == 0 {
			return false
		}
		names := make([]string, 0, len(mine))
		for _, ref := range mine {
			names = append(names, ref.String())
		}
		data, err := json.Marshal(map[string]any{"refs": names, "count": len(names)})
		e.Data = data
		return err == nil
	case service.EventPass:
		e.Data = json.RawMessage("{}") // its numbers are of the whole fleet
		return true
	}
	return false
}

// extend gives an answer that is long more time, as it is written.
func (s *Surface) extend(out huma.Context) {
	_, w := humago.Unwrap(out)
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(wall().Add(writeTimeout)); err != nil {
		return // of a recorder in a test
	}
	_ = control.Flush() // the next write says it again
}
