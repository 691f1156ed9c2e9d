package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// at0 is when everything begins.
var at0 = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

// body is a member of the simulated world, and how it behaves.
type body struct {
	fleet.Resource
	next fleet.State // it comes to this state …
	at   time.Time   // … at this instant
	// startLag and stopLag are how long it takes; falls how often it falls back to stopped; deaf refuses every call.
	startLag, stopLag time.Duration
	falls             int
	deaf              string        // a step that is refused for good
	opens             time.Duration // its port accepts this long after it runs; negative: never
	ranAt             time.Time
	veto              bool
	silent            bool // no command is ever answered
	vanishAt          time.Time
	in                map[Place]time.Time // registered since
	drains            map[Place]time.Time // out, its connections end then
	busy              int                 // that many calls are throttled
	lost              []bool              // of so many calls the answer is lost; true: they were carried out all the same
	was               fleet.State         // before its last change …
	changed           time.Time           // … at this instant
	hops              []string            // what was done with it, in order
}

// planet is a world that keeps state.
type planet struct {
	now    time.Time
	bodies []*body
	lag    time.Duration // until a result is known
	warm   time.Duration // until a registered member is healthy
	drain  time.Duration
	gaps   int           // that many listings have a gap
	stale  time.Duration // listings show a change so much later
	hooks  map[string]Outcome
	called []string
	told   []Message
	done   map[string]Effect // everything that was carried out
	due    map[string]pendingResult
	// faults are broken laws.
	faults []string
	check  func(e Effect)
}

type pendingResult struct {
	at  time.Time
	res Result
}

func newPlanet(bodies ...*body) *planet {
	return &planet{
		now: at0, bodies: bodies, lag: time.Second, warm: 20 * time.Second, drain: 30 * time.Second,
		hooks: map[string]Outcome{}, done: map[string]Effect{}, due: map[string]pendingResult{},
	}
}

func (p *planet) faultf(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

func (p *planet) body(ref fleet.Ref) *body {
	at := slices.IndexFunc(p.bodies, func(b *body) bool { return b.Ref == ref })
	return p.bodies[at]
}

// tick lets time do what it does.
func (p *planet) tick() {
	for _, b := range p.bodies {
		if b.next == "" || b.at.After(p.now) {
			continue
		}
		switch {
		case b.next == fleet.Running && b.falls > 0:
			b.falls--
			p.become(b, fleet.Stopped)
			b.StateReason = "Client.VolumeLimitExceeded"
		default:
			if p.become(b, b.next); b.next == fleet.Running {
				b.ranAt = b.at
			}
		}
		b.next = ""
	}
}

func (p *planet) gone(b *body) bool { return !b.vanishAt.IsZero() && !p.now.Before(b.vanishAt) }

func (p *planet) open(b *body) bool {
	return b.State == fleet.Running && b.opens >= 0 && !p.now.Before(b.ranAt.Add(b.opens))
}

// carry carries an effect out, once.
func (p *planet) carry(e Effect) {
	if before, twice := p.done[e.ID]; twice {
		p.faultf("%s was asked for twice: %s", e.ID, cmp.Diff(before, e))
		return
	}
	p.done[e.ID] = e
	if p.check != nil {
		p.check(e)
	}
	res := Result{Outcome: Done, By: map[fleet.Ref]MemberResult{}}
	lag := p.lag
	switch e.Kind {
	case Tell:
		p.told = append(p.told, *e.Message)
	case CallWebhook, InvokeLambda:
		p.called = append(p.called, e.Tier+" "+string(e.Step)+" "+e.URL+e.Function)
		if o, there := p.hooks[e.URL+e.Function]; there {
			res.Outcome, res.Detail = o, say.Raw("said "+string(o))
		}
	case SendCommand:
		if len(e.Members) > CommandTargets {
			p.faultf("%s names %d members", e.ID, len(e.Members))
		}
		p.called = append(p.called, fmt.Sprintf("%s %s %s on %d", e.Tier, e.Step, strings.Join(append(e.Lines, e.File), ""), len(e.Members)))
		for _, ref := range e.Members {
			b := p.body(ref)
			switch {
			case b.silent:
				lag = e.Timeout + time.Minute
				res.By[ref] = MemberResult{Lost, say.Raw("no agent")}
			case e.Step == StepVeto && b.veto:
				res.By[ref] = MemberResult{Refused, say.Raw("exit 1")}
			case e.Step == StepGates && !p.open(b):
				res.By[ref] = MemberResult{Refused, say.Raw("exit 7")}
			}
		}
	default:
		for _, ref := range e.Members {
			res.By[ref] = p.act(e, p.body(ref))
		}
	}
	p.due[e.ID] = pendingResult{p.now.Add(lag), res}
}

func (p *planet) act(e Effect, b *body) MemberResult {
	b.hops = append(b.hops, string(e.Kind))
	if len(b.lost) > 0 {
		did := b.lost[0]
		if b.lost = b.lost[1:]; did {
			p.move(e, b)
		}
		return MemberResult{Lost, say.Raw("connection reset")}
	}
	return p.move(e, b)
}

// become changes the state of a member.
func (p *planet) become(b *body, state fleet.State) {
	b.was, b.State, b.changed = b.State, state, p.now
}

// shown is a member as a listing shows it.
func (p *planet) shown(b *body) fleet.Resource {
	r := b.Resource
	if b.was != "" && p.now.Before(b.changed.Add(p.stale)) {
		r.State = b.was
	}
	return r
}

func (p *planet) move(e Effect, b *body) MemberResult {
	switch {
	case p.gone(b):
		return MemberResult{Failed, say.Raw("InvalidInstanceID.NotFound")}
	case b.deaf == string(e.Kind):
		return MemberResult{Failed, say.Raw("UnauthorizedOperation")}
	case b.busy > 0:
		b.busy--
		return MemberResult{Again, say.Raw("RequestLimitExceeded")}
	}
	switch e.Kind {
	case StartMember:
		if b.State != e.State {
			return MemberResult{Again, say.Raw("is " + string(b.State))}
		}
		p.become(b, fleet.Starting)
		b.next, b.at = fleet.Running, p.now.Add(b.startLag)
	case StopMember:
		if b.State != e.State {
			return MemberResult{Again, say.Raw("is " + string(b.State))}
		}
		p.become(b, fleet.Stopping)
		b.next, b.at = fleet.Stopped, p.now.Add(b.stopLag)
	case ResizeMember:
		if b.State != e.State {
			return MemberResult{Again, say.Raw("is " + string(b.State))}
		}
		b.Type = e.Type
	case Deregister:
		for _, place := range e.Places {
			delete(b.in, place)
			b.drains[place] = p.now.Add(p.drain)
		}
	case Register:
		for _, place := range e.Places {
			b.in[place] = p.now
			delete(b.drains, place)
		}
	}
	return MemberResult{Outcome: Done}
}

// observe answers what is asked for.
func (p *planet) observe(run *Run, look Look) World {
	w := World{
		Listings: map[string]Listing{}, Members: map[fleet.Ref]Sighting{}, Places: map[fleet.Ref]Registration{}, Standings: map[fleet.Ref]Standings{},
		Readings: map[string]Reading{}, Results: map[string]Result{},
	}
	for _, name := range look.Tiers {
		var all []fleet.Resource
		for _, b := range p.bodies {
			if !p.gone(b) {
				all = append(all, p.shown(b))
			}
		}
		var gaps []say.Text
		if p.gaps > 0 {
			p.gaps--
			gaps = []say.Text{say.Raw("111122223333/eu-central-1")}
		}
		def := run.Definition
		w.Listings[name] = def.Select(def.Tier(name), run.Direction, p.now, all, gaps, nil)
	}
	for _, ref := range look.Members {
		b := p.body(ref)
		s := Sighting{At: p.now, Gone: p.gone(b), Resource: p.shown(b)}
		if slices.Contains(look.Health, ref) {
			if s.Resource.Health = fleet.Checking; p.open(b) {
				s.Resource.Health = fleet.Healthy
			}
		}
		w.Members[ref] = s
	}
	for _, ref := range look.Places {
		w.Places[ref] = Registration{At: p.now, Places: slices.SortedFunc(maps.Keys(p.body(ref).in), func(a, b Place) int { return strings.Compare(a.Group, b.Group) })}
	}
	for ref, places := range look.Standings {
		b, s := p.body(ref), Standings{At: p.now, By: map[Place]Standing{}}
		for _, place := range places {
			since, in := b.in[place]
			switch {
			case in && b.State != fleet.Running:
				s.By[place] = Standing{State: Unused}
			case in && p.now.Before(since.Add(p.warm)):
				s.By[place] = Standing{State: Initial}
			case in:
				s.By[place] = Standing{State: Healthy}
			case p.now.Before(b.drains[place]):
				s.By[place] = Standing{State: Draining}
			default:
				s.By[place] = Standing{State: Out}
			}
		}
		w.Standings[ref] = s
	}
	for _, c := range look.Checks {
		b := p.body(c.Member)
		if c.Gate != nil {
			w.Readings[c.ID] = Reading{At: p.now, OK: p.open(b), Detail: say.Raw("connection refused")}
		} else {
			w.Readings[c.ID] = Reading{At: p.now, OK: !b.veto, Unknown: b.silent, Detail: say.Raw("1 open session")}
		}
	}
	return w
}

// crashEvery is how often a run is written and read again, in rounds: a prime, so that it comes between all steps in the end.
const crashEvery = 7

// play carries a run out until it is over or held, at most for a week of its world.
func (p *planet) play(run Run) Run { return p.until(run, time.Time{}) }

// until carries a run out up to an instant; the zero instant is never.
func (p *planet) until(run Run, end time.Time) Run {
	stop := p.now.Add(7 * 24 * time.Hour)
	var world World
	for round := 0; ; round++ {
		p.tick()
		for id, pending := range p.due {
			if !pending.at.After(p.now) {
				if world.Results == nil {
					world.Results = map[string]Result{}
				}
				world.Results[id] = pending.res
				delete(p.due, id)
			}
		}
		next, todo := Advance(run, world, p.now)
		p.laws(run, next, world, todo)
		if run = next; round%crashEvery == 0 {
			run = again(next)
		}
		for _, e := range todo.Effects {
			p.carry(e)
		}
		if run.Status.Over() && len(run.Pending) == 0 || run.Status == StatusHeld && len(run.Pending) == 0 && todo.Look.Empty() && todo.Wake.IsZero() {
			return run
		}
		if p.now.After(stop) || round > 5_000 {
			p.faultf("it does not end: %s after %d rounds", run.Status, round)
			return run
		}
		world = p.observe(&run, todo.Look)
		if !todo.Look.Empty() {
			continue
		}
		at := todo.Wake
		for _, pending := range p.due {
			if at.IsZero() || pending.at.Before(at) {
				at = pending.at
			}
		}
		if at.IsZero() {
			p.faultf("it is stuck: %s", text(run))
			return run
		}
		if p.now = at; !end.IsZero() && p.now.After(end) {
			return run
		}
	}
}

// laws checks what holds for every Advance.
func (p *planet) laws(before, after Run, world World, next Next) {
	if again, more := Advance(after, world, p.now); len(more.Effects) > 0 || text(again) != text(after) {
		p.faultf("the same world again asks for %d effects and changes:\n%s\n%s", len(more.Effects), text(after), text(again))
	}
	pending := after.Pending
	if !after.Status.Over() && after.Status != StatusHeld && len(pending) == 0 && next.Look.Empty() && next.Wake.IsZero() {
		p.faultf("nothing moves it: %s", text(after))
	}
	if before.Status.Over() && before.Status != after.Status {
		p.faultf("%s became %s", before.Status, after.Status)
	}
}

// again is the run, written and read.
func again(r Run) Run {
	var c Run
	if err := json.Unmarshal([]byte(text(r)), &c); err != nil {
		panic(err)
	}
	return c
}

func text(r Run) string {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(data)
}
