package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/config"
	"dayshift/internal/event"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/queue"
	"dayshift/internal/queue/sqs"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

const (
	// hearFirst and hearLongest bound the pause after a queue has failed.
	hearFirst   = time.Second
	hearLongest = time.Minute
	// hearIdle is how often a configuration without a queue is asked whether it has one by now.
	hearIdle = 5 * time.Second
	// rememberedEvents is how many events are known again when they come twice: a
	// queue hands out again what it believes unread, within minutes.
	rememberedEvents = 4096
	// rememberedActions is how many resources with an action under way are known,
	// to tell what they do from what people do.
	rememberedActions = 20_000
	// saidScopes is how many scopes that are not looked after are named in the log.
	saidScopes = 50
)

// What became of an event.
const (
	eventHeard     = "heard"     // its scope is looked at
	eventEcho      = "echo"      // Dayshift itself does that
	eventDuplicate = "duplicate" // it came before
	eventForeign   = "foreign"   // of an account or region that is not looked after
	eventUnknown   = "unknown"   // of a type that tells nothing
	eventMalformed = "malformed" // no event at all
)

// ear is what the daemon knows of events.
type ear struct {
	mu     sync.Mutex
	caused map[fleet.Ref]cause

	// The rest belongs to the one who reads the queue.
	seen   map[string]bool
	order  []string // of seen, the oldest first
	said   map[fleet.Scope]bool
	newest time.Time
}

// cause is an action of Dayshift's own that is on its way.
type cause struct {
	verb fleet.Verb
	at   time.Time
}

// acted notes what Dayshift itself has just set going.
func (e *ear) acted(outcomes []plan.Outcome, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.caused == nil {
		e.caused = map[fleet.Ref]cause{}
	}
	for i := range outcomes {
		if outcomes[i].Status == plan.Accepted {
			e.caused[outcomes[i].Action.Resource.Ref] = cause{outcomes[i].Action.Verb, now}
		}
	}
	if len(e.caused) > rememberedActions {
		maps.DeleteFunc(e.caused, func(ref fleet.Ref, c cause) bool { return now.Sub(c.at) > ref.Kind.Traits().Arrival })
	}
	if len(e.caused) > rememberedActions { // of so many at once, all count as news
		clear(e.caused)
	}
}

// echo reports whether an event only tells that a resource is on the way on
// which Dayshift sent it. That it has arrived is news.
func (e *ear) echo(ev *event.Event, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, known := e.caused[ev.Ref]
	if !known || now.Sub(c.at) > ev.Ref.Kind.Traits().Arrival {
		return false
	}
	switch ev.State {
	case fleet.Starting:
		return c.verb == fleet.Start || c.verb == fleet.Resize
	case fleet.Stopping:
		return c.verb == fleet.Stop || c.verb == fleet.Hibernate || c.verb == fleet.Resize
	}
	delete(e.caused, ev.Ref)
	return false
}

// again reports whether the event came before, and keeps it in mind.
func (e *ear) again(id string) bool {
	if id == "" {
		return false
	}
	if e.seen[id] {
		return true
	}
	if e.seen == nil {
		e.seen = map[string]bool{}
	}
	if len(e.order) >= rememberedEvents {
		half := len(e.order) / 2
		for _, old := range e.order[:half] {
			delete(e.seen, old)
		}
		e.order = slices.Clone(e.order[half:])
	}
	e.seen[id] = true
	e.order = append(e.order, id)
	return false
}

// hear reads the queue of events until ctx ends, and has the scopes of which it
// hears looked at. What it hears decides nothing; what it misses, the resync finds.
func (d *Daemon) hear(ctx context.Context) {
	var from config.EventQueue // what open is
	var open queue.Receiver
	var wait time.Duration
	failures := 0
	for ctx.Err() == nil {
		d.mu.Lock()
		loaded := d.Config
		d.mu.Unlock()
		if loaded.Events == nil {
			open, failures = nil, 0
			d.Metrics.EventQueue(false)
			_ = d.leader.clock.Sleep(ctx, hearIdle) // the next turn sees the end of ctx
			continue
		}
		err := error(nil)
		if open == nil || !sameQueue(from, *loaded.Events) {
			from = *loaded.Events
			open, err = d.openQueue(ctx, loaded)
			wait = 0 // whether it can be read is known at once
		}
		if err == nil {
			err = d.hearSome(ctx, open, wait)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if failures > 0 {
				d.Log.InfoContext(ctx, "the queue of events is read again", slog.String("queue", from.ARN()))
			}
			failures, wait = 0, queue.MaxWait
			d.Metrics.EventQueue(true)
		default:
			if failures == 0 {
				d.Log.WarnContext(ctx, "the queue of events can not be read; changes by hand are seen at the next boundary or resync", slog.String("queue", from.ARN()), slog.Any("error", err))
			}
			open = nil // a session that has ended is not kept
			d.Metrics.EventQueue(false)
			_ = d.leader.clock.Sleep(ctx, min(hearFirst<<min(failures, 10), hearLongest)) // as above
			failures++
		}
	}
	d.Metrics.EventQueue(false)
}

// sameQueue reports whether a queue is reached in the same way.
func sameQueue(a, b config.EventQueue) bool {
	return a.Scope == b.Scope && a.Name == b.Name && a.Account.Role == b.Account.Role && a.Account.Profile == b.Account.Profile &&
		a.Account.SessionName == b.Account.SessionName && a.Account.ExternalID == b.Account.ExternalID
}

// hearSome receives once, and deletes what it has dealt with. What can not be
// deleted comes again and is known then.
func (d *Daemon) hearSome(ctx context.Context, from queue.Receiver, wait time.Duration) error {
	messages, err := from.Receive(ctx, wait)
	if err != nil || len(messages) == 0 {
		return err
	}
	for i := range messages {
		d.Metrics.Event(d.heard(ctx, messages[i].Body))
	}
	// Also when the process was told to stop meanwhile: the next one looks at everything anyway.
	if err := from.Delete(context.WithoutCancel(ctx), messages); err != nil && !errors.Is(err, queue.ErrStale) {
		return err
	}
	return nil
}

// heard deals with one message and says what it was.
func (d *Daemon) heard(ctx context.Context, body string) string {
	ev, err := event.Parse(body)
	switch {
	case errors.Is(err, event.ErrUnknown):
		return eventUnknown
	case err != nil:
		d.Log.DebugContext(ctx, "a message in the queue of events is none", slog.Any("error", err))
		return eventMalformed
	}
	now := d.Clock.Now()
	if ev.At.After(d.ear.newest) {
		d.ear.newest = ev.At
		d.Metrics.NewestEvent(ev.At)
	}
	switch {
	case d.ear.again(ev.ID):
		return eventDuplicate
	case d.ear.echo(&ev, now):
		return eventEcho
	case !d.agenda.news(ev.Ref.Scope, now):
		if d.ear.said == nil {
			d.ear.said = map[fleet.Scope]bool{}
		}
		if !d.ear.said[ev.Ref.Scope] && len(d.ear.said) < saidScopes {
			d.ear.said[ev.Ref.Scope] = true
			d.Log.WarnContext(ctx, "events come from an account and region that is not looked after; they are dropped", slog.String("scope", ev.Ref.Scope.String()))
		}
		return eventForeign
	}
	d.changedIn(ev.Ref.Scope)
	d.Log.DebugContext(ctx, "event", slog.String("type", ev.Type), slog.String("resource", ev.Ref.String()), slog.String("state", string(ev.State)), slog.Time("at", ev.At))
	return eventHeard
}

// openQueue gets into the account of the queue of a configuration.
func (a *App) openQueue(ctx context.Context, loaded *config.Loaded) (queue.Queue, error) {
	in := loaded.Events.Account
	home, err := aws.New(aws.Config{
		Accounts: []aws.Account{{
			ID: in.ID, RoleARN: in.Role, ExternalID: in.ExternalID.Reveal(), SessionName: in.SessionName, Regions: in.Regions, Profile: in.Profile,
			Credentials: a.credentials[in.ID],
		}},
		Share: loaded.Config.AWS.APIShare, SessionDuration: time.Duration(loaded.Config.AWS.SessionDuration), Transport: a.transport, Now: a.Clock.Now, Sleep: a.Clock.Sleep,
		Observer: aws.Observer{
			Called: func(scope fleet.Scope, operation kinds.Operation, _ time.Duration, err error) {
				a.Metrics.Call(string(scope.Account), string(scope.Region), string(operation), errors.Is(err, cloud.ErrThrottled))
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open the queue %s: %w", loaded.Events.ARN(), err)
	}
	session, err := home.Session(ctx, loaded.Events.Scope)
	if err != nil {
		return nil, fmt.Errorf("open the queue %s: %w", loaded.Events.ARN(), err)
	}
	return sqs.New(sqs.Config{URL: loaded.Events.URL(), SDK: session.SDK, Call: session.Call}), nil
}

// inspectTimeout bounds what doctor waits for the queue of events.
const inspectTimeout = 20 * time.Second

// readsEvents is what doctor says of the queue of events.
const readsEvents = "read the queue of events"

// withEvents adds to a checkup what there is to say of the queue of events, if
// there is one: to that of its scope, or as one of its own where that is not looked after.
func (a *App) withEvents(ctx context.Context, checkups []service.Checkup) []service.Checkup {
	if a.Config.Events == nil {
		return checkups
	}
	finding := a.probeEvents(ctx, a.Config.Events)
	at := slices.IndexFunc(checkups, func(c service.Checkup) bool { return c.Scope == a.Config.Events.Scope })
	if at < 0 {
		return append(checkups, service.Checkup{Scope: a.Config.Events.Scope, OK: finding.OK, Findings: []cloud.Finding{finding}})
	}
	checkups[at].Findings = append(checkups[at].Findings, finding)
	checkups[at].OK = checkups[at].OK && finding.OK
	return checkups
}

// probeEvents finds out whether the queue of events can be read, without taking
// anything out of it.
func (a *App) probeEvents(ctx context.Context, to *config.EventQueue) cloud.Finding {
	limited, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	finding := cloud.Finding{Ability: say.Word(readsEvents)}
	open, err := a.openQueue(limited, a.Config)
	var depth queue.Depth
	if err == nil {
		depth, err = open.Inspect(limited)
	}
	switch {
	case err == nil:
		finding.OK = true
		finding.Detail = say.F("%s: %d events wait", to.ARN(), depth.Waiting)
	case errors.Is(err, queue.ErrNoQueue):
		finding.Missing = to.ARN()
		finding.Detail = say.F("%v; create it as docs/events.md shows, or correct events.queue", err)
	case errors.Is(err, cloud.ErrUnauthorized):
		finding.Missing = "sqs:GetQueueAttributes"
		finding.Detail = say.F("%v; allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on it", err)
	default:
		finding.Detail = say.Of(err)
	}
	return finding
}
