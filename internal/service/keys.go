package service

import (
	"context"
	"errors"
	"time"

	"dayshift/internal/access"
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
}

// Gate knows who asks. One serves a process for as long as it lives, whatever
// the configuration: it remembers how fast every key asks. It is safe for
// concurrent use. A nil Gate lets nobody in.
type Gate struct {
	options GateOptions
}

// NewGate returns a gate.
func NewGate(options GateOptions) *Gate { return &Gate{options: options} }

// errNoGate answers where a service was made without a gate.
var errNoGate = errors.New("nobody can sign in here: there is no store of keys")

// KeyRequest is a key that is to be made.
type KeyRequest struct {
	Label   string     `json:"label"`
	Role    string     `json:"role"`             // viewer, operator, editor or admin
	Within  string     `json:"within,omitempty"` // a filter; empty: the whole fleet
	Rate    *Rate      `json:"rate,omitempty"`   // nil: DefaultRate
	Quota   *Quota     `json:"quota,omitempty"`  // nil: none
	Expires *time.Time `json:"expires,omitempty"`
}

// KeyChange changes a key: fields that are nil stay as they are.
type KeyChange struct {
	Label    *string    `json:"label,omitempty"`
	Role     *string    `json:"role,omitempty"`
	Within   *string    `json:"within,omitempty"` // empty: the whole fleet
	Rate     *Rate      `json:"rate,omitempty"`
	Quota    *Quota     `json:"quota,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Disabled *bool      `json:"disabled,omitempty"`
	Unset    []string   `json:"unset,omitempty"`   // of rate, quota, expires, within: back to none, or the default
	Version  int64      `json:"version,omitempty"` // change this version only; 0: the present one
}

// Rate bounds how fast a key may ask: a bucket of Burst that fills again by
// PerSecond.
type Rate struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
}

// Quota bounds how often a key may ask in a calendar day, week (from Monday) or month, in UTC.
type Quota struct {
	Limit int64  `json:"limit"`
	Per   string `json:"per"` // day, week or month
}

// States of a key.
const (
	KeyActive   = "active"
	KeyDisabled = "disabled"
	KeyExpired  = "expired"
	KeyRevoked  = "revoked"
)

// KeyView is a key as it is shown: never its secret, nor what is stored of it.
type KeyView struct {
	ID        string      `json:"id"`
	Label     string      `json:"label"`
	Prefix    string      `json:"prefix"` // dsk_ and the ID: how the key begins
	Role      string      `json:"role"`
	Within    string      `json:"within,omitempty"`
	State     string      `json:"state"` // active, disabled, expired or revoked
	Secrets   []KeySecret `json:"secrets"`
	Rate      Rate        `json:"rate"`
	Quota     *QuotaUse   `json:"quota,omitempty"`
	Expires   *time.Time  `json:"expires,omitempty"`
	LastUsed  *time.Time  `json:"last_used,omitempty"` // to the minute; nil: never
	Version   int64       `json:"version"`
	Author    string      `json:"author"` // of the last change
	Created   time.Time   `json:"created"`
	Changed   time.Time   `json:"changed"`
	Revoked   *time.Time  `json:"revoked,omitempty"`
	RevokedBy string      `json:"revoked_by,omitempty"`
}

// KeySecret says when a secret of a key was made and when it ends: one that was
// rotated out lives on until then.
type KeySecret struct {
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
}

// QuotaUse is a quota and what was used of it.
type QuotaUse struct {
	Quota
	Used   int64     `json:"used"`
	Resets time.Time `json:"resets"`
}

// KeyAnswer is a key with its secret, which is shown this once.
type KeyAnswer struct {
	KeyView
	Secret string `json:"secret"`
}

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
	text       string
}

func (e *DeniedError) Error() string { return e.text }

// GoneError says that there is no such key or session, as far as who asks may know.
type GoneError struct{ text string }

func (e *GoneError) Error() string { return e.text }

// ForbiddenError says that who asks may not have it done.
type ForbiddenError struct{ text string }

func (e *ForbiddenError) Error() string { return e.text }

// Keys lists the keys that the principal may see, by label: a principal with a
// bound sees those with the very same.
func (g *Gate) Keys(ctx context.Context, by access.Principal) ([]KeyView, error) {
	return nil, errNoGate
}

// Key shows one.
func (g *Gate) Key(ctx context.Context, id string, by access.Principal) (KeyView, error) {
	return KeyView{}, errNoGate
}

// CreateKey makes a key. The answer has its secret, which nobody can ask for again.
// *InputError, *ForbiddenError.
func (g *Gate) CreateKey(ctx context.Context, request KeyRequest, by access.Principal) (KeyAnswer, error) {
	return KeyAnswer{}, errNoGate
}

// UpdateKey changes what a key may do. *InputError, *GoneError, *ForbiddenError, *StaleError.
func (g *Gate) UpdateKey(ctx context.Context, id string, change KeyChange, by access.Principal) (KeyView, error) {
	return KeyView{}, errNoGate
}

// RotateKey gives a key a new secret, shown once. The one before goes on for
// overlap; 0 ends it now. Errors are as those of UpdateKey.
func (g *Gate) RotateKey(ctx context.Context, id string, overlap time.Duration, by access.Principal) (KeyAnswer, error) {
	return KeyAnswer{}, errNoGate
}

// RevokeKey ends a key and its sessions for good. Errors are as those of UpdateKey.
func (g *Gate) RevokeKey(ctx context.Context, id string, by access.Principal) (KeyView, error) {
	return KeyView{}, errNoGate
}

// FirstKey makes one key for an admin when the store never had any key.
func (g *Gate) FirstKey(ctx context.Context) (secret string, made bool, err error) {
	return "", false, errNoGate
}

// Authenticate lets the owner of a key in, and counts the request. from is the
// address that it comes from; wrong keys are counted by it. *DeniedError says
// why not; any other error says that nobody can tell, and nobody is let in.
func (g *Gate) Authenticate(ctx context.Context, token, from string, now time.Time) (access.Principal, Grant, error) {
	return access.Principal{}, Grant{}, errNoGate
}

// Anonymous counts a request of somebody who shows nothing: DefaultRate holds
// for each address. Whether such may read is the configuration's to say.
func (g *Gate) Anonymous(from string, now time.Time) (access.Principal, Grant, error) {
	return access.Principal{}, Grant{}, errNoGate
}

// Refused records that somebody was refused what they may not do. Of many the
// record has a summary each minute. what is the operation, for people.
func (g *Gate) Refused(ctx context.Context, by access.Principal, from, what string) {}

// Recheck looks anew, past what is remembered, whether a principal may still do
// it: between a check and an act a role can be taken away. *DeniedError or
// *ForbiddenError where not.
func (g *Gate) Recheck(ctx context.Context, by access.Principal, permission access.Permission) error {
	return errNoGate
}

// Flush writes what is only written now and then: summaries of refusals. It is
// to be called every minute and at the end of the process.
func (g *Gate) Flush(ctx context.Context) error { return nil }
