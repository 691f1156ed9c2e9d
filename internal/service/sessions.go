package service

import (
	"context"
	"time"

	"dayshift/internal/access"
)

// Bounds of a session.
const (
	// SessionIdle ends a session that nobody used for so long: the next morning asks again.
	SessionIdle = 12 * time.Hour
	// SessionLongest ends every session, however much it is used.
	SessionLongest = 7 * 24 * time.Hour
)

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

// SignIn begins a session of somebody who was let in by a key or known to an
// identity provider, and gives its token. One that they had goes on.
func (g *Gate) SignIn(ctx context.Context, principal access.Principal, now time.Time) (token string, session Session, err error) {
	return "", Session{}, errNoGate
}

// Session lets the owner of a session in, and counts the request: with its key
// where it began with one. Errors are as those of Authenticate.
func (g *Gate) Session(ctx context.Context, token, from string, now time.Time) (access.Principal, Grant, error) {
	return access.Principal{}, Grant{}, errNoGate
}

// SignOut ends the session of the token; one that has ended is no error.
func (g *Gate) SignOut(ctx context.Context, token string, now time.Time) error { return errNoGate }

// Sessions lists the sessions that the principal may see, the newest first.
func (g *Gate) Sessions(ctx context.Context, by access.Principal) ([]Session, error) {
	return nil, errNoGate
}

// EndSession ends a session by its ID. *GoneError, *ForbiddenError.
func (g *Gate) EndSession(ctx context.Context, id string, by access.Principal) error {
	return errNoGate
}
