package pass

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// Rests is what the passes of one process know of resources at rest: those
// about which nothing was to be done, and nothing will be, for as long as they
// look the same, the same is configured, and no instant has come at which an
// answer changes by itself. A pass neither loads what is remembered of them nor
// decides on them again: its work grows with what changed, not with the fleet.
// The zero Rests knows nothing; it may be used by several passes at once, of
// different scopes.
type Rests struct {
	mu     sync.Mutex
	scopes map[fleet.Scope]*atRest
	kinds  map[fleet.Scope]present
}

// present are the kinds of which there is something in a scope.
type present struct {
	book  *policy.Book
	kinds []fleet.Kind
	// When it was last asked what else there is: of the kinds of which a Finder tells, and of the others.
	told, untold time.Time
}

// What else there is in a scope is asked for when something is due there, but not
// again at the looks that follow an action, when there is news of it, and at every
// twelfth repair: so a scope of machines alone costs a listing a repair, and a new
// database is found within an hour where repairs are made every five minutes. Who
// has repairs made rarely wants few calls: then one of the two questions is asked a
// day, in turns, and what is new is found within two days.
const (
	othersSoonest = 15 * time.Minute
	othersEvery   = 12 // repairs
	othersLeast   = time.Hour
	// rarely is from which interval of repairs on they are rare.
	rarely     = time.Hour
	othersTurn = 24 * time.Hour
)

// skip says what a look does not ask for.
func (p present) skip(now time.Time, resync time.Duration, repair bool) discover.Skip {
	fresh := func(asked time.Time, least time.Duration) bool {
		since := now.Sub(asked)
		return since >= 0 && since < least // else the clock was set back
	}
	if resync >= rarely {
		told := fresh(later(p.told, p.untold), othersTurn) || p.told.After(p.untold)
		return discover.Skip{Told: told, Untold: fresh(later(p.told, p.untold), othersTurn) || !told}
	}
	least := othersSoonest
	if repair {
		least = max(othersEvery*resync, othersLeast)
	}
	return discover.Skip{Told: fresh(p.told, least), Untold: fresh(p.untold, least)}
}

// narrow leaves out of a request what there is nothing of.
func (r *running) narrow(request *discover.Request) {
	if r.Finder == nil {
		return
	}
	request.Finder, request.Known, request.Skip = r.Finder, map[fleet.Scope][]fleet.Kind{}, map[fleet.Scope]discover.Skip{}
	if r.Rests == nil {
		return
	}
	r.Rests.mu.Lock()
	defer r.Rests.mu.Unlock()
	for _, scope := range r.Scopes {
		known, ok := r.Rests.kinds[scope]
		if !ok || known.book != r.Book || r.ruled[scope] || r.Confirmed {
			continue
		}
		request.Known[scope] = known.kinds
		if !r.News {
			request.Skip[scope] = known.skip(r.now, r.Resync, r.Repair)
			r.looks[scope].skip = request.Skip[scope]
		}
	}
}

// wholeUpTo is how many resources of a kind are listed whole at a repair: two
// pages, which is what asking for the differences costs.
const wholeUpTo = 2000

// differ asks for differences alone, in scopes that are large, at rest and of
// which nothing is due: for what runs though its schedule wants it stopped, and for
// what is stopped though it shall run. Whatever else changed is seen at the next
// whole look, at the latest when something is due.
func (r *running) differ(request *discover.Request) {
	if !r.Repair || r.Rests == nil {
		return
	}
	request.Differences = map[fleet.Scope]map[fleet.Kind][]cloud.Query{}
	for _, scope := range r.Scopes {
		known := r.Rests.of(r, scope)
		if known == nil || known.watched > 0 || len(request.Whole[scope]) > 0 || request.Doubtful[scope] {
			continue
		}
		for kind, t := range known.tallies {
			if t.concerned <= wholeUpTo || !kind.Traits().Filtered {
				continue
			}
			if request.Differences[scope] == nil {
				request.Differences[scope] = map[fleet.Kind][]cloud.Query{}
			}
			request.Differences[scope][kind] = r.questions(fleet.Ref{Scope: scope, Kind: kind})
		}
	}
}

// questions are those for what may not be as its schedule wants it.
func (r *running) questions(ref fleet.Ref) (queries []cloud.Query) {
	names := map[calendar.State][]string{}
	for _, name := range slices.Sorted(maps.Keys(r.book.Schedules)) {
		governs := r.book.Governs(fleet.Resource{Ref: ref, Tags: map[string]string{r.book.TagKey: name}})
		if governs.Why == policy.Governed {
			state := governs.Wanted(r.now).State
			names[state] = append(names[state], name)
		}
	}
	for _, q := range []struct {
		wanted calendar.State
		states []fleet.State
	}{
		{calendar.Stopped, []fleet.State{fleet.Running, fleet.Starting}},
		{calendar.Running, []fleet.State{fleet.Stopped, fleet.Stopping}},
	} {
		if len(names[q.wanted]) > 0 {
			queries = append(queries, cloud.Query{TagValues: names[q.wanted], States: q.states})
		}
	}
	return queries
}

// found notes of which kinds there is something: of what could not be listed there may be.
func (r *running) found() {
	if r.Rests.kinds == nil {
		r.Rests.kinds = map[fleet.Scope]present{}
	}
	for _, scope := range r.Scopes {
		l := r.looks[scope]
		if r.slow[scope] || r.unseen(scope) {
			continue
		}
		before := r.Rests.kinds[scope]
		now := present{book: r.Book, told: r.now, untold: r.now}
		if l.asked != nil && l.skip.Told {
			now.told = before.told
		}
		if l.asked != nil && l.skip.Untold {
			now.untold = before.untold
		}
		for _, kind := range r.Cloud.Kinds() {
			if l.tallies[kind] != nil || l.missed[kind] {
				now.kinds = append(now.kinds, kind)
			}
		}
		r.Rests.kinds[scope] = now
	}
}

// wholeAfter is how long a scope may be at rest before all of it is decided on
// again: a day bounds what an error in the reckoning above could cost.
const wholeAfter = 24 * time.Hour

// atRest is what is known of one scope. 16 bytes a resource: a million fit into 16 MB.
type atRest struct {
	book    *policy.Book
	config  string
	windows []policy.Window
	until   time.Time // when an answer changes by itself; zero: never
	whole   time.Time // when all of it was last decided on
	open    bool      // some decisions were not over, so that the instants of the others grow old one by one
	decided time.Time // when they last did not
	marks   marks
	watched int // of the marks
	tallies map[fleet.Kind]*tally
}

// mark is what tells a resource from another, and from itself when it has changed.
type mark struct {
	id    uint64
	looks looks
}

// looks are how a resource looked when it was decided on: whether it is governed
// and runs, whether it runs, 30 bits of a hash of all that is known of it and the
// fingerprint of the words that said so (fleet.Resource.Print), if it has one that
// counts. One change in a thousand million leaves the hash as it was, and one in
// four thousand million the fingerprint; what it is missed for is found within a
// day (wholeAfter). watched marks one that is decided on whatever it looks like.
type looks uint64

const (
	watched looks = 0
	// governedRuns: a schedule governs it, and it runs.
	governedRuns looks = 1
	// isRunning tells the two states in which anything is at rest by its fingerprint.
	isRunning  looks = 2
	hashBits   looks = 1<<32 - 4
	wordsShift       = 32
)

func (l looks) hash() looks   { return l & hashBits }
func (l looks) words() uint32 { return uint32(l >> wordsShift) }

// marks are ordered by ID. A map would take twice the memory.
type marks []mark

// find gives the place of an ID, or where it would have to be. The IDs are hashes:
// where one is can be told from its value but for some places, from which on the
// search goes in steps that double.
func (m marks) find(id uint64) (at int, found bool) {
	guess, _ := bits.Mul64(id, uint64(len(m)))
	low, high := int(guess), int(guess)
	for step := 1; low > 0 && m[low-1].id >= id; step *= 2 {
		high, low = low, max(0, low-step)
	}
	for step := 1; high < len(m) && m[high].id < id; step *= 2 {
		low, high = high+1, min(len(m), high+step)
	}
	n, found := slices.BinarySearchFunc(m[low:min(high+1, len(m))], id, func(one mark, id uint64) int { return cmp.Compare(one.id, id) })
	return low + n, found
}

// looks are those of an ID; watched where there are none.
func (m marks) looks(id uint64) looks {
	if at, found := m.find(id); found {
		return m[at].looks
	}
	return watched
}

// order puts marks in order. Two IDs that are the same count as one, which looks
// like the one or the other and so is decided on at every look.
func (m marks) order() marks {
	slices.SortFunc(m, func(a, b mark) int { return cmp.Compare(a.id, b.id) })
	return slices.CompactFunc(m, func(a, b mark) bool { return a.id == b.id })
}

// with are the marks and what is new or other among some.
func (m marks) with(changed map[uint64]looks) marks {
	var added marks
	for id, looks := range changed {
		if at, found := m.find(id); found {
			m[at].looks = looks
		} else {
			added = append(added, mark{id, looks})
		}
	}
	if len(added) == 0 {
		return m
	}
	return slices.Concat(m, added).order()
}

var seed = maphash.MakeSeed()

// keyOf is the hash of a resource's name within its scope.
func keyOf(kind fleet.Kind, id string) uint64 {
	var h maphash.Hash
	name(&h, kind)
	_, _ = h.WriteString(id) // never fails
	return h.Sum64()
}

func name(h *maphash.Hash, kind fleet.Kind) {
	h.SetSeed(seed)
	_, _ = h.WriteString(string(kind)) // never fails
	_ = h.WriteByte(0)
}

// markOf hashes everything that a listing says of a resource but for when.
func markOf(r *fleet.Resource) mark {
	var h maphash.Hash
	h.SetSeed(seed)
	text := func(parts ...string) {
		for _, part := range parts {
			_, _ = h.WriteString(part) // never fails
			_ = h.WriteByte(0)
		}
	}
	number := func(n int64) {
		var buf [8]byte
		binary.LittleEndian.PutUint64(buf[:], uint64(n))
		_, _ = h.Write(buf[:])
	}
	text(r.ARN, r.Name, string(r.State), r.Native, r.Type, r.Zone, r.Size, r.VPC, r.Subnet, r.PrivateIP, r.StateReason, string(r.Bar), r.MaintenanceWindow)
	number(r.LaunchedAt.UnixNano())
	number(r.AutoRestartAt.UnixNano())
	number(int64(r.Members))
	flags := byte(0)
	if r.Held {
		flags |= 1
	}
	if r.CanHibernate {
		flags |= 2
	}
	_ = h.WriteByte(flags)
	sum := h.Sum64()
	for key, value := range r.Tags { // in no order, so their hashes are added up
		sum += (maphash.String(seed, key) | 1) * (maphash.String(seed, value) ^ 0x9e3779b97f4a7c15) // neither alone decides
	}
	m := mark{id: keyOf(r.Kind, r.ID), looks: looks(sum>>32) & hashBits}
	if m.looks == watched {
		m.looks = hashBits
	}
	if r.State == fleet.Running || r.State == fleet.Stopped {
		m.looks |= looks(r.Print) << wordsShift
	}
	if r.State == fleet.Running {
		m.looks |= isRunning
	}
	return m
}

// of gives what is known of a scope, or nil when all of it has to be decided on.
func (s *Rests) of(r *running, scope fleet.Scope) *atRest {
	if s == nil || !r.lean() || r.DryRun || r.Confirmed || r.ruled[scope] {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.scopes[scope]
	switch {
	case known == nil || known.book != r.Book || known.config != r.Config || !slices.Equal(known.windows, r.book.Windows[scope]):
		return nil
	case r.now.Before(known.whole) || r.now.Sub(known.whole) >= wholeAfter: // before: the clock was set back
		return nil
	case !known.until.IsZero() && !r.now.Before(known.until):
		return nil
	case known.open && r.now.Sub(known.decided) >= refreshAfter:
		return nil
	}
	return known
}

// due is when an answer changes by itself; zero: never, or nothing is known.
func (k *atRest) due() time.Time {
	if k == nil {
		return time.Time{}
	}
	return k.until
}

// sameAs is the question whether a resource of the kind is described in the words
// that said what is known of it; nil where nothing is known.
func (k *atRest) sameAs(kind fleet.Kind) func(id []byte, words uint32) (key uint64, same bool) {
	if k == nil {
		return nil
	}
	return func(id []byte, words uint32) (uint64, bool) {
		var h maphash.Hash
		name(&h, kind)
		_, _ = h.Write(id) // never fails
		key := h.Sum64()
		return key, k.marks.looks(key).words() == words
	}
}

// restingLook is what a look learns of what is at rest.
type restingLook struct {
	known   *atRest          // nil: all is decided on
	marks   marks            // in no order, of a look at which nothing is known
	changed map[uint64]looks // of another one
	found   []uint64         // a bit for each of those that are known
	n       int              // of them
	spoiled bool
	partial bool // not everything was asked for
}

func (l *restingLook) begin(n int) {
	if l.known == nil {
		l.marks = make(marks, 0, n)
	} else {
		l.changed, l.found = map[uint64]looks{}, make([]uint64, (len(l.known.marks)+63)/64)
	}
}

// find takes note that what is known under a key was found, and whether for the first time.
func (l *restingLook) find(key uint64) (known looks, first bool) {
	at, listed := l.known.marks.find(key)
	if !listed {
		return watched, false
	}
	if first = l.found[at/64]&(1<<(at%64)) == 0; first {
		l.found[at/64] |= 1 << (at % 64)
		l.n++
	}
	return l.known.marks[at].looks, first
}

// wasFound reports whether what is known under a key was found.
func (l *restingLook) wasFound(key uint64) bool {
	if l.known == nil {
		return false
	}
	at, listed := l.known.marks.find(key)
	return listed && l.found[at/64]&(1<<(at%64)) != 0
}

// same reports whether the resource looks as it did when nothing was to be done
// about it, and whether it is a governed one that runs.
func (l *restingLook) same(m mark) (runs, same bool) {
	if l.known == nil {
		return false, false
	}
	looked, _ := l.find(m.id)
	if looked == watched || looked.hash() != m.looks.hash() {
		return false, false
	}
	if looked.words() != m.looks.words() { // other words for the same
		l.changed[m.id] = m.looks | looked&governedRuns
	}
	return looked&governedRuns != 0, true
}

// kept takes note of a resource at rest that was not described again: of its
// state, whether it is a governed one that runs, and whether this is the first that
// is said of it.
func (l *restingLook) kept(key uint64) (state fleet.State, runs, first bool) {
	looked, first := l.find(key)
	state = fleet.Stopped
	if looked&isRunning != 0 {
		state = fleet.Running
	}
	return state, looked&governedRuns != 0, first
}

// set notes what became of a resource that was decided on.
func (l *restingLook) set(m mark, runs, quiet bool) {
	switch {
	case !quiet:
		m.looks = watched
	case runs:
		m.looks |= governedRuns
	}
	if l.known == nil {
		l.marks = append(l.marks, m)
	} else {
		l.changed[m.id] = m.looks
	}
}

// vanished reports whether something that is known was not listed.
func (l *restingLook) vanished() bool {
	return l.known != nil && !l.partial && l.n < len(l.known.marks)
}

// spoil keeps the look from being the base of the next one: it did not show everything.
func (l *restingLook) spoil() { l.spoiled = true }

// rest keeps what the looks of a pass learnt, once all that they decided is
// written; of a pass that failed nothing counts.
func (r *running) rest(failed bool) {
	if r.Rests == nil || r.DryRun {
		return
	}
	r.Rests.mu.Lock()
	defer r.Rests.mu.Unlock()
	if r.Rests.scopes == nil {
		r.Rests.scopes = map[fleet.Scope]*atRest{}
	}
	r.found()
	for _, scope := range r.Scopes {
		l := r.looks[scope]
		known := l.rest.known
		switch {
		case failed || l.rest.spoiled || r.slow[scope] || l.rest.vanished():
			delete(r.Rests.scopes, scope)
			continue
		case known == nil:
			known = &atRest{book: r.Book, config: r.Config, whole: r.now, marks: slices.Clip(l.rest.marks.order())}
			r.Rests.scopes[scope] = known
		default:
			known.marks = known.marks.with(l.rest.changed)
		}
		known.tallies, known.watched = l.tallies, 0
		for _, one := range known.marks {
			if one.looks == watched {
				known.watched++
			}
		}
		known.windows, known.until, known.open = r.book.Windows[scope], l.due, len(l.open) > 0
		if !known.open || l.rest.known == nil {
			known.decided = r.now
		}
	}
}

// lift gives a memory the instants of the last look at all of its kind, when it
// was decided on without anything having changed.
func (s *scopeState) lift(m *decide.Memory) {
	at := s.Decided[m.Ref.Kind]
	if at.IsZero() || !m.Missing.IsZero() || m.DecidedAt.IsZero() {
		return
	}
	m.DecidedAt, m.SeenAt = later(m.DecidedAt, at), later(m.SeenAt, at)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// refreshAfter is how old the instant may grow at which all resources of a kind
// were last decided on before it is written again. Inside one stretch of the
// calendar its age does not matter; an hour bounds what a change of the
// schedule's own past can be mistaken for, at a write per scope and hour.
const refreshAfter = time.Hour

// decidedOn notes that all resources of a kind were decided on.
func (s *scopeState) decidedOn(kind fleet.Kind, now time.Time) {
	known := s.Decided[kind]
	if now.Sub(known).Abs() < refreshAfter {
		return
	}
	next := s.change()
	decided := maps.Clone(next.Decided) // what was loaded stays as it is
	if decided == nil {
		decided = map[fleet.Kind]time.Time{}
	}
	decided[kind] = now
	next.Decided = decided
}
