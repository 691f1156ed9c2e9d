package service

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/clock"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// GateOptions are what a Gate is made of.
type GateOptions struct {
	// Store keeps keys, sessions and counters.
	Store store.Store
	// Now is the clock by which keys, sessions and limits run; nil: the clock of
	// the machine. It is never one that was sped up: a day's quota is a day's.
	Now func() time.Time
	// Stamp is the clock of the record's rows; nil: Now.
	Stamp func() time.Time
	// People names the rules by which people of an identity provider are let in:
	// with other rules their sessions have ended. Empty: nobody is let in. nil: the
	// rules are not known here, and sessions go on.
	People func() string
	// Refused is told of every refusal, by its reason; nil: nobody counts them.
	Refused func(reason string)
}

// Gate knows who asks. One serves a process for as long as it lives, whatever
// the configuration: it remembers how fast every key asks. It is safe for
// concurrent use. A nil Gate lets nobody in.
type Gate struct {
	store      store.Store
	now, stamp func() time.Time
	people     func() string
	counted    func(reason string)

	// keys are those last read; loading is held while they are read.
	keys    atomic.Pointer[keySet]
	loading chan struct{}

	asks     *recent[*asking] // by ID of the principal
	visitors *recent[*bucket] // by address: those who show nothing
	wrong    *recent[*bucket] // by address: keys that were none
	lost     *recent[*bucket] // by address: sessions that were none
	familiar *recent[bool]    // address and hash of a key that got in from there

	sessions *recent[seenSession] // by hash
	ends     atomic.Int64         // counts ends of sessions: what was read before one may be old

	refusals refusals
}

// Bounds of what a gate remembers, so that strangers can not fill its memory.
// Who was forgotten begins anew with a full bucket.
const (
	maxAsking    = 100_000
	maxAddresses = 20_000
	maxFamiliar  = 50_000
	maxSeen      = 50_000
)

// keyAge is how old what is known of keys and sessions may be. With the time that
// a look takes, a key that another process revoked is refused within 5 s.
const keyAge = 4 * time.Second

// newKeyAge is how old it may be where somebody shows a key that is not known:
// strangers with made-up keys cause so many looks into the store and no more.
const newKeyAge = 100 * time.Millisecond

// storePatience is how long somebody waits at the gate for the store.
const storePatience = 5 * time.Second

// NewGate returns a gate.
func NewGate(options GateOptions) *Gate {
	if options.Now == nil {
		options.Now = clock.Real{}.Now
	}
	if options.Stamp == nil {
		options.Stamp = options.Now
	}
	if options.Refused == nil {
		options.Refused = func(string) {}
	}
	return &Gate{
		store: options.Store, now: options.Now, stamp: options.Stamp, people: options.People, counted: options.Refused, loading: make(chan struct{}, 1),
		asks: newRecent[*asking](maxAsking), visitors: newRecent[*bucket](maxAddresses), wrong: newRecent[*bucket](maxAddresses),
		lost: newRecent[*bucket](maxAddresses), familiar: newRecent[bool](maxFamiliar), sessions: newRecent[seenSession](maxSeen),
		refusals: refusals{groups: map[string]*refusalGroup{}},
	}
}

// errNoGate answers where a service was made without a gate.
var errNoGate = say.Err("nobody can sign in here: there is no store of keys")

// Allowance is how much of a limit is left, for the headers of an answer.
type Allowance struct {
	Limit     int64
	Remaining int64
	Reset     time.Time // when all of it is there again
}

// Grant says what is left to whoever was let in.
type Grant struct {
	Rate  Allowance
	Quota *Allowance // nil: no quota
	// Session is set where a session let them in.
	Session *Session
}

// DeniedReason says why somebody was not let in.
type DeniedReason string

// The reasons.
const (
	DeniedUnknown  DeniedReason = "unknown"  // no such key or session, or a wrong one
	DeniedExpired  DeniedReason = "expired"  // the key, its secret or the session came to its end
	DeniedRevoked  DeniedReason = "revoked"  // the key was revoked or disabled
	DeniedRate     DeniedReason = "rate"     // too fast
	DeniedQuota    DeniedReason = "quota"    // the quota is used up
	DeniedGuessing DeniedReason = "guessing" // too many wrong keys from one address
)

// DeniedError says that somebody was not let in. Its text is for them; it tells
// nothing that only the owner of a key should know, but to whoever showed the key.
type DeniedError struct {
	Reason     DeniedReason
	RetryAfter time.Duration // rate, quota and guessing: when to come again
	Grant      Grant         // rate and quota: what is left
	told
}

// GoneError says that there is no such key or session, as far as who asks may know.
type GoneError struct{ told }

// ForbiddenError says that who asks may not have it done.
type ForbiddenError struct{ told }

// keySet is what was read of keys at an instant.
type keySet struct {
	at       time.Time
	revision int64
	byID     map[string]*liveKey
}

// younger tells whether the keys were read within an age. A request that began
// before somebody else read them may go by them too.
func (s *keySet) younger(age time.Duration, now time.Time) bool {
	return s != nil && now.Sub(s.at).Abs() < age
}

// known gives the keys, read no longer ago than keyAge.
func (g *Gate) known(ctx context.Context, now time.Time) (*keySet, error) {
	if set := g.keys.Load(); set.younger(keyAge, now) {
		return set, nil
	}
	return g.look(ctx, now, keyAge)
}

// look reads the keys, or finds that none has changed, unless somebody did so within an age.
func (g *Gate) look(ctx context.Context, now time.Time, age time.Duration) (*keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	select {
	case g.loading <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("read the keys: %w", ctx.Err())
	}
	defer func() { <-g.loading }()
	held := g.keys.Load()
	if held.younger(age, now) {
		return held, nil // somebody read them meanwhile
	}
	// The revision first: a change between the two is then read again.
	revision, err := g.store.Revision(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	next := &keySet{at: now, revision: revision}
	if held != nil && held.revision == revision {
		next.byID = held.byID
	} else {
		keys, err := g.readKeys(ctx)
		if err != nil {
			return nil, err
		}
		next.byID = make(map[string]*liveKey, len(keys))
		for _, k := range keys {
			next.byID[k.id] = k
		}
	}
	g.keys.Store(next)
	return next, nil
}

// renew lets the keys be read anew: this process has changed one. A read that is
// under way is waited for, because it may have begun before the change.
func (g *Gate) renew() {
	g.loading <- struct{}{}
	g.keys.Store(nil)
	<-g.loading
}

// noHash stands where a key has no second secret, and where there is no key. No text has it.
var noHash = strings.Repeat("0", 64)

// storedHashes are the hashes that a key can show; of no key as many that nothing has.
func storedHashes(k *liveKey) (hashes [secretsAlive]string) {
	for i := range hashes {
		hashes[i] = noHash
	}
	if k != nil {
		for i := range min(len(k.spec.Hashes), secretsAlive) {
			hashes[i] = k.spec.Hashes[i].Hash
		}
	}
	return hashes
}

// matching tells which of the hashes is the one shown; -1: none. How long it
// takes tells nothing: every hash is compared to its end, and those of a key that
// there is not are compared as well.
func matching(shown string, hashes [secretsAlive]string) (at int) {
	at = -1
	for i := range hashes {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare([]byte(shown), []byte(hashes[i])), i, at)
	}
	return at
}

// Authenticate lets the owner of a key in, and counts the request. from is the
// address that it comes from; wrong keys are counted by it. now is the clock of
// the machine. *DeniedError says why not; any other error says that nobody can
// tell, and nobody is let in.
func (g *Gate) Authenticate(ctx context.Context, token, from string, now time.Time) (access.Principal, Grant, error) {
	if g == nil {
		return access.Principal{}, Grant{}, errNoGate
	}
	from = address(from)
	key, err := access.ParseKey(token)
	if err != nil { // no look into the store for a typing error
		denied := g.attempt(from, token, say.Of(err), now, func() bool { return false })
		g.refuse(ctx, denied, nil, "", from)
		return access.Principal{}, Grant{}, denied
	}
	set, err := g.known(ctx, now)
	if err != nil {
		return access.Principal{}, Grant{}, err
	}
	hash, at := access.Hash(token), -1
	k := set.byID[key.ID]
	if matching(hash, storedHashes(k)) < 0 { // it may have been made a moment ago, by another process
		if set, err = g.look(ctx, now, newKeyAge); err != nil {
			return access.Principal{}, Grant{}, err
		}
		k = set.byID[key.ID]
	}
	denied := g.attempt(from, hash, say.F("this API key is not known here"), now, func() bool {
		at = matching(hash, storedHashes(k))
		return at >= 0
	})
	if denied != nil {
		g.refuse(ctx, denied, k, "", from)
		return access.Principal{}, Grant{}, denied
	}
	principal := k.principal(access.ViaKey)
	principal.Proof = k.spec.Hashes[at].proof()
	if err := k.barred(now, principal.Proof); err != nil {
		g.refuse(ctx, err, k, "", from)
		return access.Principal{}, Grant{}, err
	}
	grant, err := g.charge(ctx, k, principal, from, now)
	if err != nil {
		return access.Principal{}, Grant{}, err
	}
	return principal, grant, nil
}

// guessRate bounds wrong keys from one address, far below any rate of requests. Ten are room for mistakes.
var guessRate = Rate{PerSecond: 1.0 / 6, Burst: 10}

// attempt lets nobody try more keys from one address than guessRate; nil when
// the key is right. A key that got in from there before is not held up by what
// its neighbours try: that would let them lock it out. wrong is what to say.
func (g *Gate) attempt(from, hash string, wrong say.Text, now time.Time, right func() bool) *DeniedError {
	unknown := &DeniedError{Reason: DeniedUnknown, told: told{wrong}}
	if _, been := g.familiar.get(from + " " + hash); been {
		if right() {
			return nil
		}
		return unknown
	}
	b := g.wrong.of(from, newBucket)
	b.mu.Lock() // two at once are one after the other, or more than the bound could try
	defer b.mu.Unlock()
	if wait := b.wait(now, guessRate); wait > 0 {
		return &DeniedError{Reason: DeniedGuessing, RetryAfter: wait, told: tellF("too many wrong keys came from this address; try again in %s", seconds(wait))}
	}
	if right() {
		g.familiar.put(from+" "+hash, true)
		return nil
	}
	b.take(now, guessRate)
	return unknown
}

// seconds says how long to wait, for people.
func seconds(d time.Duration) say.Text {
	return say.N(int((d+time.Second-1)/time.Second), "%d second", "%d seconds")
}

// proof names a secret of a key where a session began with it.
func (h *keyHash) proof() string { return h.Hash[:min(len(h.Hash), sessionIDLength)] }

// secret finds the one of a proof; nil when the key has it no more.
func (k *liveKey) secret(proof string) *keyHash {
	at := slices.IndexFunc(k.spec.Hashes, func(h keyHash) bool { return h.proof() == proof })
	if at < 0 {
		return nil
	}
	return &k.spec.Hashes[at]
}

// barred says why a key that is there lets nobody in by one of its secrets. Only its owner is told.
func (k *liveKey) barred(now time.Time, proof string) error {
	switch k.state(now) {
	case KeyDamaged:
		return k.damaged
	case KeyRevoked:
		return &DeniedError{Reason: DeniedRevoked, told: tellF("this API key was revoked at %s", stamp(*k.spec.Revoked))}
	case KeyDisabled:
		return &DeniedError{Reason: DeniedRevoked, told: tellF("this API key is disabled")}
	case KeyExpired:
		return &DeniedError{Reason: DeniedExpired, told: tellF("this API key expired at %s", stamp(*k.spec.Expires))}
	}
	switch secret := k.secret(proof); {
	case secret == nil:
		return &DeniedError{Reason: DeniedExpired, told: tellF("this API key was rotated: the secret that was shown has ended")}
	case ended(secret.Expires, now):
		return &DeniedError{Reason: DeniedExpired, told: tellF("this API key was rotated: its secret ended at %s", stamp(*secret.Expires))}
	}
	return nil
}

// Anonymous counts a request of somebody who shows nothing: DefaultRate holds
// for each address. Whether such may read is the configuration's to say.
func (g *Gate) Anonymous(from string, now time.Time) (access.Principal, Grant, error) {
	if g == nil {
		return access.Principal{}, Grant{}, errNoGate
	}
	b := g.visitors.of(address(from), newBucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	left, wait := b.ask(now, DefaultRate)
	if wait > 0 {
		return access.Principal{}, Grant{Rate: left}, tooFast(left, DefaultRate, wait)
	}
	return access.Anonymous(), Grant{Rate: left}, nil
}

func tooFast(left Allowance, rate Rate, wait time.Duration) *DeniedError {
	return &DeniedError{
		Reason: DeniedRate, RetryAfter: wait, Grant: Grant{Rate: left},
		told: tellF("too many requests at once: %s is allowed; try again in %s", rate, seconds(wait)),
	}
}

// Recheck looks anew, past what is remembered, whether a principal may still do
// it: between a check and an act a role can be taken away. *DeniedError or
// *ForbiddenError where not. It counts for no limit.
func (g *Gate) Recheck(ctx context.Context, by access.Principal, permission access.Permission) error {
	return g.RecheckSession(ctx, "", by, permission)
}

// RecheckSession is Recheck for a principal that came in with the token of a
// session, which has to go on; that it is looked at is no use of it. Without a
// token it is Recheck.
func (g *Gate) RecheckSession(ctx context.Context, token string, by access.Principal, permission access.Permission) error {
	if g == nil {
		return errNoGate
	}
	forbidden := &ForbiddenError{tellF("%s is %s, which may not %s", by.Actor(), orNone(by.Role), say.Word(permission))}
	if !by.May(permission) {
		return forbidden
	}
	now := g.now()
	if token != "" {
		s, err := g.readSession(ctx, token)
		switch {
		case err != nil:
			return err
		case sessionOver(&s, now):
			return sessionEnded()
		case s.Owner != by.ID || s.Proof != by.Proof:
			return forbidden
		}
	}
	if by.KeyID() == "" {
		return g.outlived(by.ID, by.Proof)
	}
	set, err := g.look(ctx, now, 0)
	if err != nil {
		return err
	}
	k := set.byID[by.KeyID()]
	if k == nil {
		return &DeniedError{Reason: DeniedRevoked, told: tellF("this API key is gone")}
	}
	if err := k.barred(now, by.Proof); err != nil {
		return err
	}
	if !k.spec.Role.May(permission) || k.spec.Within != by.Within {
		return forbidden
	}
	return nil
}

// address is what requests are counted by: an IPv4 address, or the /64 of an
// IPv6 one, which is what one house is given.
func address(from string) string {
	at, err := netip.ParseAddr(from)
	if err != nil {
		with, failed := netip.ParseAddrPort(from)
		if failed != nil {
			return shortTo(Plain(from), 64) // a socket, or nothing
		}
		at = with.Addr()
	}
	at = at.Unmap().WithZone("")
	if at.Is6() {
		if house, err := at.Prefix(64); err == nil {
			return house.String()
		}
	}
	return at.String()
}
