package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Bounds of a session.
const (
	// SessionIdle ends a session that nobody used for so long: the next morning asks again.
	SessionIdle = 12 * time.Hour
	// SessionLongest ends every session, however much it is used.
	SessionLongest = 7 * 24 * time.Hour
	// sessionsOfOne are a person's browsers; who signs in once more ends the oldest.
	sessionsOfOne = 50
	// sessionIDLength is how much of its hash a session is known by: 48 bits keep any two apart.
	sessionIDLength = 12
)

// lostRate bounds looks into the store for sessions that are none, from one
// address. A page that was left open asks for a dozen things at once.
var lostRate = Rate{PerSecond: 1, Burst: 60}

// Session is a browser that signed in. Its token is nowhere but there.
type Session struct {
	ID      string    `json:"id"`   // begins the stored hash: enough to end it by
	By      string    `json:"by"`   // ID of the principal: key:… or user:…
	Name    string    `json:"name"` // of the principal
	Role    string    `json:"role"`
	Within  string    `json:"within,omitempty"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`    // last used, to the minute
	Expires time.Time `json:"expires"` // at the latest
}

// seenSession is a session as it was read at an instant.
type seenSession struct {
	session store.Session
	at      time.Time
	noted   time.Time // when its use was written down last, or could not be
}

func sessionOver(s *store.Session, now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Seen) >= SessionIdle
}

// viewSession shows a session; that of a key with what the key may do now.
func viewSession(s *store.Session, set *keySet) Session {
	v := Session{
		ID: s.Hash[:sessionIDLength], By: s.Owner, Name: s.Name, Role: s.Role, Within: s.Within,
		Created: s.Created, Seen: s.Seen, Expires: s.Expires,
	}
	if k := set.of(s); k != nil {
		v.Name, v.Role, v.Within = k.spec.Label, string(k.spec.Role), k.spec.Within
	}
	return v
}

// of gives the key that a session began with; nil without one.
func (s *keySet) of(session *store.Session) *liveKey {
	id := access.Principal{ID: session.Owner}.KeyID()
	if id == "" {
		return nil
	}
	return s.byID[id]
}

// SignIn begins a session of somebody who was let in by a key or known to an
// identity provider, and gives its token. One that they had goes on.
func (g *Gate) SignIn(ctx context.Context, principal access.Principal, now time.Time) (token string, session Session, err error) {
	if g == nil {
		return "", Session{}, errNoGate
	}
	user := isUser(principal.ID)
	if (principal.KeyID() == "" && !user) || !principal.May(access.Read) {
		return "", Session{}, &ForbiddenError{tellF("%s can not sign in: that is for API keys and people of an identity provider, with a role", principal.Actor())}
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	set, err := g.known(ctx, now)
	if err != nil {
		return "", Session{}, err
	}
	if token, err = access.NewSessionToken(rand.Reader); err != nil {
		return "", Session{}, err
	}
	now = store.Instant(now)
	s := store.Session{
		Hash: access.Hash(token), Owner: principal.ID, Name: principal.Name, Role: string(principal.Role), Within: principal.Within, Proof: principal.Proof,
		Created: now, Seen: now, Expires: now.Add(SessionLongest),
	}
	if k := set.of(&s); k != nil {
		if err := k.barred(now, s.Proof); err != nil {
			return "", Session{}, err
		}
		for _, at := range []*time.Time{k.spec.Expires, k.secret(s.Proof).Expires} {
			if at != nil && at.Before(s.Expires) {
				s.Expires = *at
			}
		}
	} else if !user {
		return "", Session{}, &DeniedError{Reason: DeniedRevoked, told: tellF("this API key is gone")}
	} else if err := g.outlived(s.Owner, s.Proof); err != nil {
		return "", Session{}, err
	}
	if err := g.makeRoom(ctx, s.Owner, now); err != nil {
		return "", Session{}, err
	}
	if err := g.store.SaveSession(ctx, s, g.sessionRow(principal.Actor(), s.Owner, "signed-in", principal.Actor()+" signed in")); err != nil {
		return "", Session{}, fmt.Errorf("keep the session: %w", err)
	}
	return token, viewSession(&s, set), nil
}

func isUser(id string) bool {
	return len(id) > len(access.UserPrincipal) && strings.HasPrefix(id, access.UserPrincipal)
}

// outlived says that the rules are gone by which somebody was let in, where they
// are a person of an identity provider: a role that these would not give is none.
func (g *Gate) outlived(id, proof string) error {
	if !isUser(id) || g.people == nil || proof != "" && proof == g.people() {
		return nil
	}
	return &DeniedError{Reason: DeniedExpired, told: tellF("how people sign in here was changed; sign in again")}
}

// makeRoom ends the oldest sessions of somebody who has too many.
func (g *Gate) makeRoom(ctx context.Context, owner string, now time.Time) error {
	own, err := g.store.Sessions(ctx, owner)
	if err != nil {
		return fmt.Errorf("read the sessions: %w", err)
	}
	own = slices.DeleteFunc(own, func(s store.Session) bool { return sessionOver(&s, now) }) // they are swept, without a row
	if len(own) < sessionsOfOne {
		return nil
	}
	return g.endSessions(ctx, own[:len(own)-sessionsOfOne+1], "dayshift", "ended to make room for a new one")
}

func (g *Gate) sessionRow(who, owner, reason, detail string) store.Activity {
	row := store.Activity{At: g.stamp(), Actor: who, Event: store.EventSession, Reason: reason, Detail: shortTo(Plain(detail), maxDetail)}
	if id := (access.Principal{ID: owner}).KeyID(); id != "" {
		row.Name = keyName(id)
	}
	return row
}

// Session lets the owner of a session in, and counts the request: with its key
// where it began with one. Errors are as those of Authenticate.
func (g *Gate) Session(ctx context.Context, token, from string, now time.Time) (access.Principal, Grant, error) {
	if g == nil {
		return access.Principal{}, Grant{}, errNoGate
	}
	from = address(from)
	s, err := g.openSession(ctx, token, from, now)
	if err != nil {
		g.refuse(ctx, err, nil, "", from)
		return access.Principal{}, Grant{}, err
	}
	set, err := g.known(ctx, now)
	if err != nil {
		return access.Principal{}, Grant{}, err
	}
	principal := access.Principal{ID: s.Owner, Name: s.Name, Role: access.Role(s.Role), Within: s.Within, Via: access.ViaSession, Proof: s.Proof}
	k := set.of(&s)
	switch {
	case k != nil:
		if err := k.barred(now, s.Proof); err != nil {
			g.refuse(ctx, err, k, "", from)
			return access.Principal{}, Grant{}, err
		}
		principal = k.principal(access.ViaSession)
		principal.Proof = s.Proof
	case principal.KeyID() != "":
		return access.Principal{}, Grant{}, &DeniedError{Reason: DeniedRevoked, told: tellF("the API key that this session began with is gone")}
	default:
		if err := g.outlived(s.Owner, s.Proof); err != nil {
			g.refuse(ctx, err, nil, "", from)
			return access.Principal{}, Grant{}, err
		}
	}
	grant, err := g.charge(ctx, k, principal, from, now)
	if err != nil {
		return access.Principal{}, Grant{}, err
	}
	view := viewSession(&s, set)
	grant.Session = &view
	return principal, grant, nil
}

// noSession answers whatever is no session: which of the reasons it is tells a stranger nothing.
func noSession() *DeniedError {
	return &DeniedError{Reason: DeniedUnknown, told: tellF("this session is not known here; sign in again")}
}

func sessionEnded() *DeniedError {
	return &DeniedError{Reason: DeniedExpired, told: tellF("this session has ended; sign in again")}
}

// readSession reads the session of a token from the store.
func (g *Gate) readSession(ctx context.Context, token string) (store.Session, error) {
	hash := access.Hash(token)
	s, err := g.store.Session(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		g.sessions.drop(hash)
		return store.Session{}, noSession()
	}
	if err != nil {
		return store.Session{}, fmt.Errorf("read the session: %w", err)
	}
	return s, nil
}

// openSession reads the session of a token that has not ended, and notes its use.
func (g *Gate) openSession(ctx context.Context, token, from string, now time.Time) (store.Session, error) {
	if !access.IsSessionToken(token) {
		return store.Session{}, noSession()
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	hash := access.Hash(token)
	seen, known := g.sessions.get(hash)
	if !known || now.Sub(seen.at).Abs() >= keyAge {
		if !known {
			if wait := g.mayLook(from, now); wait > 0 { // this one may well be there: it is not said to be gone
				return store.Session{}, &DeniedError{
					Reason: DeniedRate, RetryAfter: wait, told: tellF("too many sessions that there are not came from this address; try again in %s", seconds(wait)),
				}
			}
		}
		ends := g.ends.Load()
		s, err := g.readSession(ctx, token)
		if err != nil {
			return store.Session{}, err
		}
		seen.session, seen.at = s, now
		g.remember(seen, ends)
		if !known {
			g.found(from)
		}
	}
	s := seen.session
	if sessionOver(&s, now) {
		return store.Session{}, sessionEnded()
	}
	if now.Sub(s.Seen) >= usedEvery && now.Sub(seen.noted).Abs() >= usedEvery {
		ends := g.ends.Load()
		seen.noted = now
		g.remember(seen, ends) // before: what the store does not take now is not tried by every request
		noted, cancel := context.WithTimeout(context.WithoutCancel(ctx), notePatience)
		defer cancel()
		switch err := g.store.SeeSession(noted, hash, now); {
		case errors.Is(err, store.ErrNotFound):
			g.sessions.drop(hash)
			return store.Session{}, noSession()
		case err == nil:
			s.Seen = store.Instant(now)
			seen.session = s
			g.remember(seen, ends)
		}
	}
	return s, nil
}

// remember keeps what was read of a session, unless one was ended since.
func (g *Gate) remember(seen seenSession, ends int64) {
	g.sessions.put(seen.session.Hash, seen)
	if g.ends.Load() != ends {
		g.sessions.drop(seen.session.Hash)
	}
}

// mayLook counts a look into the store for a session that this process does not know; 0: it may look now.
func (g *Gate) mayLook(from string, now time.Time) time.Duration {
	b := g.lost.of(from, newBucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	_, wait := b.ask(now, lostRate)
	return wait
}

// found takes back the look that found one.
func (g *Gate) found(from string) {
	b := g.lost.of(from, newBucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = b.full.Add(-lostRate.interval())
}

// SignOut ends the session of the token; one that has ended is no error.
func (g *Gate) SignOut(ctx context.Context, token string, _ time.Time) error {
	if g == nil {
		return errNoGate
	}
	if !access.IsSessionToken(token) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	s, err := g.store.Session(ctx, access.Hash(token))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read the session: %w", err)
	}
	return g.endSessions(ctx, []store.Session{s}, access.Principal{ID: s.Owner, Name: s.Name}.Actor(), "signed out")
}

// endSessions ends sessions of one owner, with one row.
func (g *Gate) endSessions(ctx context.Context, list []store.Session, who, why string) error {
	if len(list) == 0 {
		return nil
	}
	hashes := make([]string, len(list))
	for i := range list {
		hashes[i] = list[i].Hash
	}
	detail := fmt.Sprintf("%s of %s: %s", say.N(len(list), "%d session", "%d sessions"), orNobody(list[0].Name), why)
	_, err := g.store.EndSessions(ctx, hashes, g.sessionRow(orNobody(who), list[0].Owner, "ended", detail))
	g.ends.Add(1)
	for _, hash := range hashes {
		g.sessions.drop(hash)
	}
	if err != nil {
		return fmt.Errorf("end %s: %w", say.N(len(list), "%d session", "%d sessions"), err)
	}
	return nil
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

// endSessionsOf ends the sessions that began with secrets that the key has no more.
func (g *Gate) endSessionsOf(ctx context.Context, k *liveKey, by access.Principal, why string) error {
	held, err := g.store.Sessions(ctx, k.principal(access.ViaKey).ID)
	if err != nil {
		return fmt.Errorf("read the sessions: %w", err)
	}
	return g.endSessions(ctx, slices.DeleteFunc(held, func(s store.Session) bool {
		return k.spec.Revoked == nil && k.secret(s.Proof) != nil
	}), by.Actor(), why)
}

// sweep drops sessions that ended by themselves.
func (g *Gate) sweep(ctx context.Context) error {
	held, err := g.store.Sessions(ctx, "")
	if err != nil {
		return fmt.Errorf("read the sessions: %w", err)
	}
	now := g.now()
	var over []string
	for i := range held {
		if sessionOver(&held[i], now) {
			over = append(over, held[i].Hash)
		}
	}
	if len(over) == 0 {
		return nil
	}
	if _, err := g.store.EndSessions(ctx, over); err != nil {
		return fmt.Errorf("drop sessions that ended: %w", err)
	}
	return nil
}

// Sessions lists the sessions that the principal may see, the newest first.
func (g *Gate) Sessions(ctx context.Context, by access.Principal) ([]Session, error) {
	if g == nil {
		return nil, errNoGate
	}
	if err := mayManage(by); err != nil {
		return nil, err
	}
	held, err := g.store.Sessions(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	set, err := g.look(ctx, g.now(), 0) // after the sessions: a key that one began with is there
	if err != nil {
		return nil, err
	}
	views := []Session{}
	for i := range slices.Backward(held) {
		if k := set.of(&held[i]); k != nil && k.secret(held[i].Proof) == nil || g.outlived(held[i].Owner, held[i].Proof) != nil {
			continue
		}
		if v := viewSession(&held[i], set); visible(by, v.Within) && !sessionOver(&held[i], g.now()) {
			views = append(views, v)
		}
	}
	return views, nil
}

// EndSession ends a session by its ID. *GoneError, *ForbiddenError.
func (g *Gate) EndSession(ctx context.Context, id string, by access.Principal) error {
	views, err := g.Sessions(ctx, by)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(views, func(v Session) bool { return v.ID == id }) {
		return &GoneError{tellF("there is no such session, or it has ended")}
	}
	held, err := g.store.Sessions(ctx, "")
	if err != nil {
		return fmt.Errorf("read the sessions: %w", err)
	}
	held = slices.DeleteFunc(held, func(s store.Session) bool { return s.Hash[:sessionIDLength] != id })
	return g.endSessions(ctx, held, by.Actor(), "ended")
}
