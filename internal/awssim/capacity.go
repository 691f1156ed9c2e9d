package awssim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Capacity is held in pools, one for each type and zone, which all accounts
// share. An instance that runs holds a place, and so does each place of a
// reservation, used or not. An instance that fits an open reservation of its
// account takes a place there and none of the pool; one that runs beside it moves
// in as soon as there is room, and what it held goes back to the pool.
//
// Everything below is guarded by poolMu, which is taken after a scope's lock. So
// what becomes due in a scope can be settled from any other: it touches no
// instance but in the maps of here.

// States of a reservation (ec2 CapacityReservationState).
const (
	odcrActive      = "active"
	odcrPending     = "pending"
	odcrExpired     = "expired"
	odcrCancelled   = "cancelled"
	odcrScheduled   = "scheduled"
	odcrAssessing   = "assessing"
	odcrDelayed     = "delayed"
	odcrUnsupported = "unsupported"
)

// How long a reservation that holds nothing any more is listed. AWS says so of
// those that failed (an hour) and of unsupported ones (30 days).
const (
	odcrLingers            = int64(time.Hour)
	odcrUnsupportedLingers = int64(30 * 24 * time.Hour)
)

// odcr is a Capacity Reservation, or a Capacity Block.
type odcr struct {
	seq uint64 // order in listings
	s   *scope
	id  string
	odcrShape
	token    string // client token
	question uint64 // that the token stands for
	created  int64
	start    int64 // future-dated ones and blocks; else created
	ready    int64 // pending or assessing until then
	promised int   // the count of a future-dated one as it was asked for
	// committed is how long after start it can neither be given back nor shrunk.
	committed int64
	block     bool
	dated     bool     // future-dated
	groups    []string // of AWS Resource Groups, by name, in which it is
	users     map[*instance]bool
	old       *odcrShape // what a reader who sees the world late still finds
	oldUntil  int64
	odcrMark
}

// odcrShape is what can change, or is shown of a reservation.
type odcrShape struct {
	typ            *instanceType
	zone           string
	platform       string
	tenancy        string
	match          string // open, targeted
	placementGroup string
	ebsOptimized   bool
	total          int
	end            int64 // 0: never by itself
	state          string
	tags           []Tag
}

// odcrMark is since when it is in its state.
type odcrMark struct{ since int64 }

func (r *odcr) pool() poolKey { return poolKey{r.zone, r.typ.name} }

// holds reports whether its places are held, and paid for.
func (r *odcr) holds() bool { return r.state == odcrActive || r.state == odcrPending }

func (r *odcr) free() int {
	if !r.holds() {
		return 0
	}
	return max(0, r.total-len(r.users))
}

func (r *odcr) ended() bool {
	return r.state == odcrExpired || r.state == odcrCancelled || r.state == odcrUnsupported
}

// due is when something happens to it by itself; 0: never.
func (r *odcr) due() int64 {
	var at int64
	switch r.state {
	case odcrPending, odcrAssessing:
		at = r.ready
	case odcrScheduled:
		at = r.start
	case odcrExpired, odcrCancelled:
		return r.since + odcrLingers
	case odcrUnsupported:
		return r.since + odcrUnsupportedLingers
	}
	if r.end != 0 && (at == 0 || r.end < at) {
		at = r.end
	}
	return at
}

// preference is what an instance says of reservations.
type preference struct {
	how    string // open (the default), none, capacity-reservations-only
	target string // id of the one that it targets
}

const (
	preferOpen = "open"
	preferNone = "none"
	preferOnly = "capacity-reservations-only"
)

// ledger is who holds what of the capacity.
type ledger struct {
	pools    map[poolKey]*int // free places; a pool without an entry never runs short
	odcrs    map[*scope][]*odcr
	byPool   map[poolKey][]*odcr
	users    map[*instance]*odcr
	prefers  map[*instance]preference // where it is not open
	seq      uint64
	nextDue  int64 // of all reservations; 0: nothing is due
	delaying int   // how many wait for places
}

func newLedger() ledger {
	return ledger{pools: map[poolKey]*int{}, odcrs: map[*scope][]*odcr{}, byPool: map[poolKey][]*odcr{}, users: map[*instance]*odcr{}, prefers: map[*instance]preference{}}
}

// LimitCapacity lets only free more instances of the type start in the zone, or
// places of it be reserved; a stop, a termination or the end of a reservation
// gives its places back. A negative free lifts the limit.
func (c *Cloud) LimitCapacity(zone, instanceType string, free int) {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	key := poolKey{zone, instanceType}
	if free < 0 {
		delete(c.ledger.pools, key)
	} else {
		c.ledger.pools[key] = &free
	}
	c.ledger.deliver(key, c.Now().UnixNano())
}

// limits gives the pools that can run short, in order.
func (l *ledger) limits() []Capacity {
	out := []Capacity{}
	for k, free := range l.pools {
		out = append(out, Capacity{k.zone, k.typ, *free})
	}
	slices.SortFunc(out, func(a, b Capacity) int { return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Type, b.Type)) })
	return out
}

// has reports whether the pool has n places left.
func (l *ledger) has(k poolKey, n int) bool {
	free := l.pools[k]
	return free == nil || *free >= n
}

func (l *ledger) take(k poolKey, n int) {
	if free := l.pools[k]; free != nil {
		*free -= n
	}
}

// give returns places to a pool; reservations that wait for them get them first.
func (l *ledger) give(k poolKey, n int, now int64) {
	if free := l.pools[k]; free != nil && n > 0 {
		*free += n
		l.deliver(k, now)
	}
}

// deliver gives delayed reservations the places that they wait for.
func (l *ledger) deliver(k poolKey, now int64) {
	if l.delaying == 0 {
		return
	}
	for _, r := range l.byPool[k] {
		if r.state == odcrDelayed && l.has(k, r.total) {
			l.take(k, r.total)
			l.delaying--
			l.enter(r, odcrActive, now)
		}
	}
}

// enter puts a reservation into a state.
func (l *ledger) enter(r *odcr, state string, at int64) {
	r.remember(at)
	r.state, r.since = state, at
	if due := r.due(); due != 0 && (l.nextDue == 0 || due < l.nextDue) {
		l.nextDue = due
	}
}

// remember keeps what late readers still find.
func (r *odcr) remember(now int64) {
	shape := r.odcrShape
	r.old, r.oldUntil = &shape, now
}

// settle lets happen what has become due, in order.
func (l *ledger) settle(now int64) {
	for l.nextDue != 0 && l.nextDue <= now {
		var first *odcr
		l.nextDue = 0
		for _, list := range l.odcrs {
			for _, r := range list {
				due := r.due()
				switch {
				case due == 0:
				case due <= now && (first == nil || due < first.due() || due == first.due() && r.seq < first.seq):
					first = r
				case due > now && (l.nextDue == 0 || due < l.nextDue):
					l.nextDue = due
				}
			}
		}
		if first != nil {
			l.nextDue = now // there may be more
			l.happen(first, first.due())
		}
	}
}

// happen does to a reservation what is due at an instant.
func (l *ledger) happen(r *odcr, at int64) {
	switch {
	case r.ended():
		l.forget(r)
	case r.end != 0 && at >= r.end:
		l.finish(r, odcrExpired, at)
	case r.state == odcrPending:
		l.enter(r, odcrActive, at)
	case r.state == odcrAssessing:
		if l.has(r.pool(), r.total) {
			l.enter(r, odcrScheduled, at)
		} else {
			l.enter(r, odcrUnsupported, at)
		}
	case r.state == odcrScheduled && r.block: // what it holds is of no pool
		l.enter(r, odcrActive, at)
	case r.state == odcrScheduled && l.has(r.pool(), r.total):
		l.take(r.pool(), r.total)
		l.enter(r, odcrActive, at)
	case r.state == odcrScheduled:
		l.delaying++
		l.enter(r, odcrDelayed, at)
	}
}

// finish ends a reservation: what runs in it runs on beside it and keeps its
// places, the others go back to the pool.
func (l *ledger) finish(r *odcr, state string, at int64) {
	unused := r.free()
	if r.state == odcrDelayed {
		l.delaying--
	}
	l.enter(r, state, at)
	for i := range r.users {
		delete(l.users, i)
	}
	r.users = map[*instance]bool{}
	if !r.block {
		l.give(r.pool(), unused, at)
	}
}

func (l *ledger) forget(r *odcr) {
	same := func(o *odcr) bool { return o == r }
	l.odcrs[r.s] = slices.DeleteFunc(l.odcrs[r.s], same)
	l.byPool[r.pool()] = slices.DeleteFunc(l.byPool[r.pool()], same)
}

// list enters a new reservation, which is in its state from then on.
func (l *ledger) list(r *odcr, now int64) {
	l.seq++
	r.seq, r.since = l.seq, now
	if r.users == nil {
		r.users = map[*instance]bool{}
	}
	l.odcrs[r.s] = append(l.odcrs[r.s], r)
	l.byPool[r.pool()] = append(l.byPool[r.pool()], r)
	if due := r.due(); due != 0 && (l.nextDue == 0 || due < l.nextDue) {
		l.nextDue = due
	}
}

func (l *ledger) find(s *scope, id string) *odcr {
	i := slices.IndexFunc(l.odcrs[s], func(r *odcr) bool { return r.id == id })
	if i < 0 {
		return nil
	}
	return l.odcrs[s][i]
}

// fits reports whether the instance may run in a reservation of its scope.
func (l *ledger) fits(s *scope, i *instance, r *odcr) bool {
	if r.s != s || r.typ != i.typ || r.zone != i.zone || r.platform != i.product() || r.tenancy != "default" || i.is&spot != 0 || r.block || !r.holds() {
		return false
	}
	switch want := l.prefers[i]; {
	case want.target != "":
		return want.target == r.id
	case want.how == preferNone:
		return false
	}
	return r.match == preferOpen && r.placementGroup == ""
}

// seat finds a reservation with room for the instance beside those that are
// promised already; nil: there is none.
func (l *ledger) seat(s *scope, i *instance, promised map[*odcr]int) *odcr {
	for _, r := range l.byPool[i.pool()] {
		if l.fits(s, i, r) && r.free() > promised[r] {
			return r
		}
	}
	return nil
}

// bound reports whether the instance runs in a reservation or not at all.
func (l *ledger) bound(i *instance) bool {
	want := l.prefers[i]
	return want.target != "" || want.how == preferOnly
}

// seats divides instances that are to start among reservations and pools, without
// placing them. It refuses where one may run in a reservation only, and can not.
func (l *ledger) seats(s *scope, list []*instance) (in map[*instance]*odcr, need map[poolKey]int, refusal *Error) {
	in, need = map[*instance]*odcr{}, map[poolKey]int{}
	promised := map[*odcr]int{}
	for _, i := range list {
		if r := l.seat(s, i, promised); r != nil {
			in[i] = r
			promised[r]++
			continue
		}
		if l.bound(i) {
			return nil, nil, reservationFull()
		}
		need[i.pool()]++
	}
	return in, need, nil
}

func reservationFull() *Error {
	return refuse("ReservationCapacityExceeded", "The targeted Capacity Reservation does not have enough available instance capacity to fulfill your request. "+
		"Either increase the instance capacity for the targeted Capacity Reservation, or target a different Capacity Reservation.")
}

// uncovered gives the places that the instances need of pools: what no
// reservation has room for. The scope's lock is held.
func (c *Cloud) uncovered(s *scope, list []*instance, now int64) (map[poolKey]int, *Error) {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	c.ledger.settle(now)
	_, need, e := c.ledger.seats(s, list)
	return need, e
}

// place gives each of the instances a place, of a reservation or of its pool, or
// none of them. The scope's lock is held.
func (c *Cloud) place(s *scope, list []*instance, now int64) *Error {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	l := &c.ledger
	l.settle(now)
	in, need, e := l.seats(s, list)
	if e != nil {
		return e
	}
	for k, n := range need {
		if !l.has(k, n) {
			return insufficient(k)
		}
	}
	for k, n := range need {
		l.take(k, n)
	}
	for _, i := range list {
		i.is |= placed
		if r := in[i]; r != nil {
			r.users[i], l.users[i] = true, r
		}
	}
	return nil
}

// room is how many instances like i can start now, at most most, and how many of
// them in reservations. The scope's lock is held.
func (c *Cloud) room(s *scope, i *instance, want preference, most int, now int64) (all, covered int) {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	l := &c.ledger
	l.settle(now)
	l.prefer(i, want)
	defer delete(l.prefers, i)
	for _, r := range l.byPool[i.pool()] {
		if l.fits(s, i, r) {
			covered += r.free()
		}
	}
	all = covered
	if free := l.pools[i.pool()]; !l.bound(i) && free == nil {
		all = most
	} else if !l.bound(i) {
		all += *free
	}
	return min(all, most), min(covered, most)
}

// prefer notes what an instance says of reservations.
func (l *ledger) prefer(i *instance, want preference) {
	if want == (preference{}) || want == (preference{how: preferOpen}) {
		delete(l.prefers, i)
		return
	}
	l.prefers[i] = want
}

// release gives back the place of an instance, if it holds one; its scope's
// lock is held.
func (c *Cloud) release(i *instance) {
	if i.is&placed == 0 {
		return
	}
	i.is &^= placed
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	if r := c.ledger.users[i]; r != nil {
		delete(r.users, i)
		delete(c.ledger.users, i)
		return
	}
	c.ledger.give(i.pool(), 1, c.Now().UnixNano())
}

// beside are instances that run outside of reservations and would run in r, at
// most n. The scope's lock is held.
func (l *ledger) beside(r *odcr, n int) []*instance {
	var out []*instance
	if n <= 0 || r.match != preferOpen {
		return nil
	}
	for _, i := range r.s.instances {
		if len(out) == n {
			break
		}
		if i.is&placed != 0 && l.users[i] == nil && l.fits(r.s, i, r) {
			out = append(out, i)
		}
	}
	return out
}

// move lets instances that run beside a reservation run in it.
func (l *ledger) move(r *odcr, list []*instance) {
	for _, i := range list {
		r.users[i], l.users[i] = true, r
	}
}

// adopt fills the room of open reservations with what runs beside them. The
// scope's lock is held.
func (l *ledger) adopt(s *scope, now int64) {
	l.settle(now)
	for _, r := range l.odcrs[s] {
		list := l.beside(r, r.free())
		l.move(r, list)
		l.give(r.pool(), len(list), now)
	}
}

// widen adds n places to a reservation: those of instances that run beside it and
// would use it, and the rest of the pool. false: the pool is short, and nothing
// was done. The scope's lock is held.
func (l *ledger) widen(r *odcr, n int) bool {
	list := l.beside(r, n)
	if !l.has(r.pool(), n-len(list)) {
		return false
	}
	l.take(r.pool(), n-len(list))
	r.total += n
	l.move(r, list)
	return true
}

// narrow takes n places from a reservation. Instances for which there is no room
// any more run on beside it, with the places that they hold.
func (l *ledger) narrow(r *odcr, n int, now int64) {
	unused := min(n, r.free())
	r.total -= n
	if over := len(r.users) - r.total; over > 0 {
		last := slices.SortedFunc(maps.Keys(r.users), func(a, b *instance) int { return cmp.Compare(b.seq, a.seq) })
		for _, i := range last[:over] {
			delete(r.users, i)
			delete(l.users, i)
		}
	}
	l.give(r.pool(), unused, now)
}

// forget drops what is known of an instance that is listed no more.
func (c *Cloud) forget(i *instance) {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	delete(c.ledger.prefers, i)
}

// prefer notes what instances say of reservations.
func (c *Cloud) prefer(list []*instance, want preference) {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	c.reserved.Store(true)
	for _, i := range list {
		c.ledger.prefer(i, want)
	}
}

// standing tells what an instance says of reservations, and which it runs in.
func (c *Cloud) standing(i *instance) (want preference, in string) {
	if !c.reserved.Load() { // a page of a thousand asks a thousand times
		return preference{how: preferOpen}, ""
	}
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	if r := c.ledger.users[i]; r != nil {
		in = r.id
	}
	want = c.ledger.prefers[i]
	want.how = cmp.Or(want.how, preferOpen)
	return want, in
}
