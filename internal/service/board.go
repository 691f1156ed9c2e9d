package service

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// boardIdle is how long, by the wall, a board is kept that nobody asks. Somebody
// who reads a page over lunch comes back to a warm one; a fleet that nobody
// looks at costs nothing.
const boardIdle = time.Hour

// BoardOptions are what a board works with. Every function is called without
// any lock held and from several goroutines.
type BoardOptions struct {
	// Now is the program's clock, Wall that of the people who ask.
	Now, Wall func() time.Time
	// Scopes are those of the configuration in force, Timezone is its own.
	Scopes   func() []fleet.Scope
	Timezone func() *time.Location
	// Book is the one in force, LastPass when the last pass was over, Troubles what is wrong with the program itself; Record
	// has the rows that tell what ran. All four may be nil.
	Book     func() *policy.Book
	LastPass func() time.Time
	Troubles func() []Attention
	Record   interface {
		Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error)
	}
	// Begin is called when somebody asks a board that knows nothing: it has
	// everything looked at, without waiting for it, and calls Begun when that is over.
	Begin func()
	// Changed, when not nil, is told which resources are not as they were.
	Changed func(at time.Time, refs []fleet.Ref)
}

// Board is the fleet as the running program last saw and decided it, in memory,
// for questions that people ask many times a minute.
//
// It costs nothing until somebody asks. From the first question on passes hand
// it everything that they see (Warm says so to whoever makes them), each scope
// in the place of what was known of it; until a scope has been seen answers are
// without it and say Looking. Nobody asking for an hour lets it go again.
//
// Per resource it holds 1.4 KB (BenchmarkBoardFeed counts them). What it answers is shared and
// must not be changed.
type Board struct {
	options BoardOptions

	mu      sync.Mutex
	warm    bool
	looking bool      // the first look is under way
	asked   time.Time // by the wall
	shards  map[fleet.Scope]*shard
	names   [columns]dictionary
	at      time.Time // of the newest pass
	version uint64

	now atomic.Pointer[snapshot]

	answers   answerCache
	overviews overviewCache
	ledger    ledger
}

// NewBoard makes a board that knows nothing.
func NewBoard(options BoardOptions) *Board {
	return &Board{options: options, shards: map[fleet.Scope]*shard{}}
}

// snapshot is the board at an instant; nothing of it ever changes.
type snapshot struct {
	version uint64
	at      time.Time
	looking bool
	shards  []*shard // ordered by scope
	names   [columns]dictionary
	rows    int
}

// shard is one scope as it was last seen.
type shard struct {
	scope fleet.Scope
	at    time.Time // that was decided for
	rows  []row     // ordered by ref
	codes []codes   // of the rows
	text  string    // of the rows, for searching: one after the other, each with a NUL at its end
	ends  []uint32  // where the text of each row ends
	names []string  // of the rows, folded
	nexts []int64   // when what is wanted of the rows changes, Unix nanoseconds
	// governed are the rows that a schedule governs, failing the places of those with an action that failed.
	governed bits
	failing  []int
	gaps     []boardGap
	windows  []policy.Window
	held     map[fleet.Ref]say.Text // what limits hold back, in words
	breaker  decide.Breaker

	matched matchCache
}

// boardGap is a part of a scope that could not be listed.
type boardGap struct {
	Gap
	kinds []fleet.Kind
	since time.Time
	err   error
}

// row is one resource.
type row struct {
	seen     fleet.Resource
	schedule string
	action   string
	reason   string
	why      say.Text
	wanted   string
	failing  say.Text // the last error, while the action is tried again
	name     string   // folded, for sorting
	nextTo   string
	nextAt   time.Time
	first    time.Time // when it was first seen
	override *InForce
	observed bool
	governed bool // by a schedule
}

// line is the row as people see it.
func (r *row) line() Resource {
	s := &r.seen
	line := Resource{
		Ref: s.Ref.String(), Account: string(s.Scope.Account), Region: string(s.Scope.Region), Kind: string(s.Kind), ID: s.ID,
		ARN: s.ARN, Name: s.Name, Type: s.Type, Zone: s.Zone, Members: s.Members, State: string(s.State), NativeState: s.Native,
		Schedule: r.schedule, Wanted: r.wanted, Action: r.action, Reason: r.reason, Why: r.why, Observed: r.observed, Override: r.override, Tags: s.Tags,
	}
	if !r.nextAt.IsZero() {
		line.Next = &Change{At: r.nextAt, To: r.nextTo}
	}
	return line
}

// BoardFeed is what a pass saw, for a board.
type BoardFeed struct {
	Report *pass.Report
	Book   *policy.Book // that it was decided with
	// Whole: Report has the decisions on all resources, not on those alone with something to do.
	Whole bool
	// Left are scopes that the pass did not wait for.
	Left []fleet.Scope
}

// Warm reports whether somebody has asked within the last hour, so that passes
// have to report everything. It lets go of what nobody asks for any more.
func (b *Board) Warm() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.warm && b.options.Wall().Sub(b.asked) > boardIdle {
		b.warm, b.looking, b.shards, b.names = false, false, map[fleet.Scope]*shard{}, [columns]dictionary{}
		b.version++
		b.now.Store(nil)
		b.answers.clear()
		b.ledger.clear()
	}
	return b.warm
}

// Resources gives every resource as it was last listed that a filter matches (nil: all), ordered by ref.
func (b *Board) Resources(within *fleet.Filter) []fleet.Resource {
	s := b.ask()
	text := ""
	if within != nil {
		text = within.String()
	}
	list := []fleet.Resource{}
	for _, p := range s.shards {
		matched := p.match(within, text)
		for i := range p.rows {
			if matched.has(i) {
				list = append(list, p.rows[i].seen)
			}
		}
	}
	return list
}

// Keep keeps a board warm that nobody may ask for a while.
func (b *Board) Keep() { b.ask() }

// Begun says that the look which Begin asked for is over, however it ended.
func (b *Board) Begun() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looking = false
	b.publish()
}

// ask notes a question and gives what is known.
func (b *Board) ask() *snapshot {
	b.mu.Lock()
	b.asked = b.options.Wall()
	cold := !b.warm
	if cold {
		b.warm, b.looking = true, true
		b.publish()
	}
	b.mu.Unlock()
	if cold && b.options.Begin != nil {
		b.options.Begin()
	}
	if s := b.now.Load(); s != nil {
		return s
	}
	return &snapshot{looking: true}
}

// publish makes what is known the present snapshot. The caller holds mu.
func (b *Board) publish() {
	b.version++
	s := &snapshot{version: b.version, at: b.at, looking: b.looking, names: b.names, shards: make([]*shard, 0, len(b.shards))}
	for _, part := range b.shards {
		s.shards = append(s.shards, part)
		s.rows += len(part.rows)
	}
	slices.SortFunc(s.shards, func(x, y *shard) int { return x.scope.Compare(y.scope) })
	b.now.Store(s)
	b.answers.clear()
}

// Feed takes over what a pass saw. A board that nobody asks takes nothing.
func (b *Board) Feed(feed BoardFeed) {
	if !b.Warm() {
		return
	}
	report := feed.Report
	book := with(feed.Book, report)
	here := map[fleet.Scope]bool{}
	for _, scope := range b.options.Scopes() {
		here[scope] = true
	}
	fresh := map[fleet.Scope]*fill{}
	for _, scope := range report.Scopes {
		if here[scope] && !slices.Contains(feed.Left, scope) {
			fresh[scope] = &fill{scope: scope, windows: report.Windows[scope], breaker: report.Breakers[scope], missing: map[fleet.Kind]bool{}}
		}
	}
	texts := interned{}
	for i := range report.Decisions {
		if part := fresh[report.Decisions[i].Resource.Scope]; part != nil {
			part.rows = append(part.rows, rowOf(book, &report.Decisions[i], report.At, texts))
		}
	}
	for _, gap := range report.Gaps {
		if part := fresh[gap.Scope]; part != nil {
			part.gaps = append(part.gaps, boardGap{Gap: Gap{Scope: gap.Scope, Text: gap.Said()}, kinds: gap.Kinds, since: report.At, err: gap.Err})
			for _, kind := range gap.Kinds {
				part.missing[kind] = true
			}
		}
	}
	for i := range report.Plan.Held {
		d := &report.Plan.Held[i]
		if part := fresh[d.Resource.Scope]; part != nil {
			if part.held == nil {
				part.held = map[fleet.Ref]say.Text{}
			}
			part.held[d.Resource.Ref] = texts.said(d.Said())
		}
	}
	changed := b.take(fresh, here, feed.Whole, report.At)
	if len(changed) > 0 && b.options.Changed != nil {
		b.options.Changed(report.At, changed)
	}
}

// take puts what a pass saw in the place of what was known.
func (b *Board) take(fresh map[fleet.Scope]*fill, here map[fleet.Scope]bool, whole bool, at time.Time) (changed []fleet.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.warm {
		return nil
	}
	for scope := range b.shards {
		if !here[scope] {
			delete(b.shards, scope)
		}
	}
	for scope, part := range fresh {
		before := b.shards[scope]
		switch {
		case before != nil && before.at.After(at): // of a look that took longer than the next one
			continue
		case before == nil && !whole:
			continue
		}
		changed = append(changed, part.onto(before, whole)...)
		b.shards[scope] = part.shard(b, at)
	}
	if at.After(b.at) {
		b.at = at
	}
	b.publish()
	return changed
}

// fill is a shard in the making.
type fill struct {
	scope   fleet.Scope
	rows    []row
	gaps    []boardGap
	missing map[fleet.Kind]bool // that could not be listed
	windows []policy.Window
	held    map[fleet.Ref]say.Text
	breaker decide.Breaker
}

// onto completes what was seen by what was known before, and gives what changed
// since: of kinds that could not be listed the rows stay, and of a pass that
// tells of what it acts on alone all others.
func (f *fill) onto(before *shard, whole bool) (changed []fleet.Ref) {
	slices.SortFunc(f.rows, func(x, y row) int { return x.seen.Ref.Compare(y.seen.Ref) })
	if before == nil {
		for i := range f.rows {
			changed = append(changed, f.rows[i].seen.Ref)
		}
		return changed
	}
	for i := range f.gaps {
		for j := range before.gaps {
			if slices.Equal(f.gaps[i].kinds, before.gaps[j].kinds) {
				f.gaps[i].since = before.gaps[j].since
			}
		}
	}
	if f.windows == nil {
		f.windows = before.windows
	}
	all := make([]row, 0, max(len(f.rows), len(before.rows)))
	rows, old := f.rows, before.rows
	for len(rows)+len(old) > 0 {
		var order int
		switch {
		case len(rows) == 0:
			order = 1
		case len(old) == 0:
			order = -1
		default:
			order = rows[0].seen.Ref.Compare(old[0].seen.Ref)
		}
		switch {
		case order < 0:
			changed = append(changed, rows[0].seen.Ref)
			all, rows = append(all, rows[0]), rows[1:]
		case order > 0 && (!whole || f.missing[old[0].seen.Kind]):
			all, old = append(all, old[0]), old[1:]
		case order > 0:
			changed = append(changed, old[0].seen.Ref)
			old = old[1:]
		default:
			if rows[0].differs(&old[0]) {
				changed = append(changed, rows[0].seen.Ref)
			}
			all, rows, old = append(all, rows[0]), rows[1:], old[1:]
		}
	}
	f.rows = all
	return changed
}

// differs reports whether people see another row.
func (r *row) differs(o *row) bool {
	return r.seen.State != o.seen.State || r.seen.Native != o.seen.Native || r.seen.Name != o.seen.Name || r.seen.Type != o.seen.Type ||
		r.schedule != o.schedule || r.action != o.action || r.wanted != o.wanted || r.why != o.why || !r.nextAt.Equal(o.nextAt) || r.nextTo != o.nextTo ||
		(r.override == nil) != (o.override == nil) || r.override != nil && *r.override != *o.override
}

// Acted notes what became of actions: the provider has taken a call, so what it
// was for is on its way. The next look shows where it got to.
func (b *Board) Acted(outcomes []plan.Outcome, at time.Time) {
	b.mu.Lock()
	var changed []fleet.Ref
	copied := map[fleet.Scope]*shard{}
	for i := range outcomes {
		outcome := &outcomes[i]
		ref := outcome.Action.Resource.Ref
		before := copied[ref.Scope]
		if before == nil {
			before = b.shards[ref.Scope]
		}
		state, native := onItsWay(outcome)
		if before == nil || state == "" {
			continue
		}
		place, found := before.find(ref)
		if !found {
			continue
		}
		part := copied[ref.Scope]
		if part == nil {
			part = before.copied()
			copied[ref.Scope] = part
		}
		line := &part.rows[place]
		line.seen.State, line.seen.Native, line.action, line.failing = state, native, noAction, say.Text{}
		line.reason, line.why = string(decide.ActionUnderWay), decide.ActionUnderWay.Said()
		part.codes[place] = b.codesOf(line)
		changed = append(changed, ref)
	}
	maps.Copy(b.shards, copied)
	if len(copied) > 0 {
		b.publish()
	}
	b.mu.Unlock()
	if len(changed) > 0 && b.options.Changed != nil {
		b.options.Changed(at, changed)
	}
}

// onItsWay gives the state in which an accepted action leaves a resource until it is seen; "" for what changes none.
func onItsWay(outcome *plan.Outcome) (fleet.State, string) {
	if outcome.Status != plan.Accepted {
		return "", ""
	}
	switch outcome.Action.Verb {
	case fleet.Start:
		return fleet.Starting, string(fleet.Starting)
	case fleet.Stop, fleet.Hibernate:
		return fleet.Stopping, string(fleet.Stopping)
	}
	return "", ""
}

// Resource gives one row; false where there is none that is known, or within
// (when not nil) does not match it.
func (b *Board) Resource(ref fleet.Ref, within *fleet.Filter) (Resource, bool) {
	r := b.ask().find(ref)
	if r == nil || within != nil && !within.Match(r.seen) {
		return Resource{}, false
	}
	return r.line(), true
}

// Matches reports whether a resource that is known matches a filter.
func (b *Board) Matches(ref fleet.Ref, within fleet.Filter) bool {
	s := b.now.Load()
	if s == nil {
		return false
	}
	r := s.find(ref)
	return r != nil && within.Match(r.seen)
}

func (s *snapshot) find(ref fleet.Ref) *row {
	part := s.shard(ref.Scope)
	if part == nil {
		return nil
	}
	place, found := part.find(ref)
	if !found {
		return nil
	}
	return &part.rows[place]
}

func (p *shard) find(ref fleet.Ref) (int, bool) {
	return sort.Find(len(p.rows), func(i int) int { return ref.Compare(p.rows[i].seen.Ref) })
}

func (s *snapshot) shard(scope fleet.Scope) *shard {
	place, found := slices.BinarySearchFunc(s.shards, scope, func(p *shard, scope fleet.Scope) int { return p.scope.Compare(scope) })
	if !found {
		return nil
	}
	return s.shards[place]
}

// SeenScope is what a board knows of a scope.
type SeenScope struct {
	At        time.Time // the instant that was decided for
	Resources []fleet.Resource
	Windows   []policy.Window
	Missing   map[fleet.Kind]error // kinds that could not be listed the last time
}

// Seen gives a scope as it was last listed; false where it never was. It is no
// question: what is asked for programs keeps no board warm.
func (b *Board) Seen(scope fleet.Scope) (SeenScope, bool) {
	s := b.now.Load()
	if s == nil {
		return SeenScope{}, false
	}
	part := s.shard(scope)
	if part == nil {
		return SeenScope{}, false
	}
	seen := SeenScope{At: part.at, Windows: part.windows, Missing: map[fleet.Kind]error{}, Resources: make([]fleet.Resource, len(part.rows))}
	for i := range part.rows {
		seen.Resources[i] = part.rows[i].seen
	}
	for i := range part.gaps {
		for _, kind := range part.gaps[i].kinds {
			seen.Missing[kind] = part.gaps[i].err
		}
	}
	return seen, true
}

// ScopesWith gives the scopes in which anything was last seen that is asked for, in order.
func (b *Board) ScopesWith(asked func(*fleet.Resource) bool) []fleet.Scope {
	s := b.now.Load()
	if s == nil {
		return nil
	}
	var scopes []fleet.Scope
	for _, p := range s.shards {
		for i := range p.rows {
			if asked(&p.rows[i].seen) {
				scopes = append(scopes, p.scope)
				break
			}
		}
	}
	return scopes
}

// Complete reports whether every scope of the configuration was seen.
func (b *Board) Complete() bool {
	s := b.now.Load()
	return s != nil && !slices.ContainsFunc(b.options.Scopes(), func(scope fleet.Scope) bool { return s.shard(scope) == nil })
}
