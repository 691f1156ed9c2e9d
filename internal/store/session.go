package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"time"
)

// Session is a browser that signed in. It is found by the hash of its token;
// the token itself is never stored.
type Session struct {
	Hash    string    `json:"-"`     // hex SHA-256 of the token
	Owner   string    `json:"owner"` // ID of the principal
	Name    string    `json:"name,omitempty"`
	Role    string    `json:"role,omitempty"`
	Within  string    `json:"within,omitempty"`
	Proof   string    `json:"proof,omitempty"` // what let the owner in, see access.Principal
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"` // at the latest
	Seen    time.Time `json:"-"`       // last used
}

// Sessions keeps sessions. Whether one has ended by its times is for the caller to say.
type Sessions interface {
	// SaveSession keeps a new session and appends the rows, everything or nothing.
	// ErrConflict when there is one with its hash.
	SaveSession(ctx context.Context, session Session, rows ...Activity) error
	// Session returns one by its hash, or ErrNotFound.
	Session(ctx context.Context, hash string) (Session, error)
	// Sessions returns those of an owner, or all where it is empty, ordered by Created and hash.
	Sessions(ctx context.Context, owner string) ([]Session, error)
	// SeeSession notes that a session was used at an instant; the latest counts.
	// ErrNotFound when it was ended: it does not come back.
	SeeSession(ctx context.Context, hash string, at time.Time) error
	// EndSessions deletes sessions and returns how many there were. The rows are
	// appended with them, everything or nothing; none where there was no session.
	EndSessions(ctx context.Context, hashes []string, rows ...Activity) (ended int, err error)
}

// Compare orders sessions by their beginning and hash.
func (s Session) Compare(other Session) int {
	return cmp.Or(s.Created.Compare(other.Created), cmp.Compare(s.Hash, other.Hash))
}

// CleanSession returns the session as it is to be stored. One without a hash, an
// owner or its times is refused.
func CleanSession(session Session) (Session, error) {
	if sum, err := hex.DecodeString(session.Hash); err != nil || len(sum) != 32 || hex.EncodeToString(sum) != session.Hash {
		return Session{}, fmt.Errorf("session of %q: it is found by the hex SHA-256 of its token", session.Owner)
	}
	session.Owner, session.Name, session.Role, session.Within, session.Proof = Text(session.Owner), Text(session.Name), Text(session.Role), Text(session.Within), Text(session.Proof)
	session.Created, session.Expires, session.Seen = Instant(session.Created), Instant(session.Expires), Instant(session.Seen)
	switch {
	case session.Owner == "":
		return Session{}, fmt.Errorf("session %.8s…: it needs an owner", session.Hash)
	case session.Created.IsZero() || session.Expires.IsZero() || session.Seen.IsZero():
		return Session{}, fmt.Errorf("session of %q: it needs the times of its beginning, its end and its last use", session.Owner)
	}
	return session, cmp.Or(checkInstant(session.Created), checkInstant(session.Expires), checkInstant(session.Seen))
}
