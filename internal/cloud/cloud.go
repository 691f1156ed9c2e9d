// Package cloud is the contract between the stages of a pass and a cloud.
//
// A cloud lists resources of a kind in a scope and carries out a verb on a
// batch of them. It translates the provider's error codes once into the errors
// of this package; nobody above it knows a code. It paces: Reserve hands out
// room in the provider's rate limits before a call is made, so that a stage
// never has to guess how fast it may go.
//
// The contract is examined by cloudtest.Exercise, which every implementation
// calls from its own tests.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Lister lists what exists. The answer is whole or it is an error: a listing of
// which a page is missing must never be returned as if it were complete.
type Lister interface {
	// Kinds returns the kinds that List accepts, in the order of the registry.
	Kinds() []fleet.Kind
	// List returns every resource of the kind in the scope that carries a tag
	// with the key of the query, terminated ones left out, in any order.
	List(ctx context.Context, scope fleet.Scope, kind fleet.Kind, query Query) ([]fleet.Resource, error)
}

// Finder tells cheaply of which kinds there is something, so that the others need not be listed.
type Finder interface {
	// Tells reports whether Present can tell of the kind.
	Tells(kind fleet.Kind) bool
	// Present returns those of the kinds of which a listing with the tag key may
	// show something, in the order given: that is one call. A kind of which it can
	// not tell is among them. What was tagged within the last minutes may be missed.
	Present(ctx context.Context, scope fleet.Scope, tagKey string, kinds []fleet.Kind) ([]fleet.Kind, error)
}

// WindowLister lists maintenance windows that are kept apart from the resources:
// those of SSM.
type WindowLister interface {
	// Windows returns every window of the scope that has one of the names, several
	// of one name included, ordered by name and ID; without names it asks nobody.
	// A name that no window has is no error. The answer is whole or it is an error.
	Windows(ctx context.Context, scope fleet.Scope, names []string) ([]Window, error)
}

// Window is a maintenance window as its listing showed it.
type Window struct {
	Name    string
	ID      string // the provider's identifier inside the scope
	Enabled bool
	// Next is the begin of its next execution, UTC; zero: none is planned. When
	// one begins, Next moves on to the one after it.
	Next time.Time
	// Duration of each execution, more than zero.
	Duration time.Duration
}

// Query narrows a listing on the server where the kind can do so.
type Query struct {
	// TagKey: only resources with this tag. Empty lists every resource.
	TagKey string
	// TagValues: of the tag only these values; States: only what is in one of these states. A kind whose provider can not
	// filter by them gives more. Empty: any.
	TagValues []string
	States    []fleet.State
	// IDs: only these resources; those that no longer exist are left out of the answer.
	IDs []string
	// Known, when not nil, lets the answer leave out what the caller knows already as it is.
	Known *Known
}

// Known is what a caller knows of resources. A lister that takes fingerprints
// (fleet.Resource.Print) need not read again what is described in the same words;
// one that takes none leaves it alone.
type Known struct {
	// Same tells whether the resource was described in the same words when the caller last saw it, and the key that stands
	// for it in Kept. It must be quick and may be called more than once for a resource; words is never 0.
	Same func(id []byte, words uint32) (key uint64, same bool)
	// Kept are the keys of what the answer leaves out. They count once List has returned without an error; what is listed
	// twice, because it changed while it was paged, can be among them and in the answer.
	Kept []uint64
}

// Actor changes resources.
type Actor interface {
	// Reserve waits until the rate limits of the scope have room for a call of
	// the verb on some of want resources, takes that room, and returns how many
	// (1 … want) go into the call. It prefers few large calls over many small
	// ones as long as that does not delay the last resource.
	Reserve(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, want int) (int, error)
	// Do makes one call on the targets, all of one kind and scope, no more than
	// were reserved. nil means accepted, not finished: a start is finished when
	// a later listing shows the resource running. A *MemberError names the
	// members that made the provider refuse the whole call; then nothing was
	// done to any of them. Do does not retry.
	Do(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, targets []Target) error
}

// Estimator predicts how long the rate limits make a verb take.
type Estimator interface {
	// Estimate says how long it takes until the last of n resources of the kind in
	// the scope can be acted on, from what is known of the rate limits now and with
	// nobody else using them; 0 when all go at once. It asks nobody.
	Estimate(scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, n int) time.Duration
}

// Tagger writes informational tags.
type Tagger interface {
	// Tag sets the tags on the resources and removes those whose value is empty.
	// Keys are the caller's own (dayshift:…). Failures are reported, never fatal.
	Tag(ctx context.Context, scope fleet.Scope, kind fleet.Kind, resources []fleet.Resource, tags map[string]string) error
}

// SnapshotKeeper lets go of the snapshots that newer ones have replaced.
type SnapshotKeeper interface {
	// Replace deletes the snapshots that earlier stops took of the resource under
	// names that differ from the given one in their time alone. Nothing is deleted
	// before the given one can be restored from: then the error is ErrNotYet, and
	// a later Replace lets go of all.
	Replace(ctx context.Context, scope fleet.Scope, kind fleet.Kind, resource fleet.Resource, snapshot string) error
}

// AlarmKeeper mutes the alarms of what is stopped and gives them their voice back.
type AlarmKeeper interface {
	// Alarms returns the alarms of the scope that would tell somebody something (their actions are enabled, and there are
	// some) and that watch nothing but resources of the list, ordered by name. An alarm that watches anything else besides is
	// left out. The answer is whole or it is an error.
	Alarms(ctx context.Context, scope fleet.Scope, resources []fleet.Resource) ([]Alarm, error)
	// Mute disables the actions of the alarms with the names. One that does not exist is no error. When it fails, some may
	// be muted; the same call may be made again.
	Mute(ctx context.Context, scope fleet.Scope, names []string) error
	// Restore enables the actions of those alarms with the names that exist and whose actions are disabled, and returns
	// their names, ordered. When it fails, some may be restored; the same call may be made again.
	Restore(ctx context.Context, scope fleet.Scope, names []string) ([]string, error)
}

// Alarm is an alarm that watches resources of a list.
type Alarm struct {
	Name string // without control characters
	// Of are the resources that it watches, ordered, at least one.
	Of []fleet.Ref
}

// HealthLister tells whether what runs can be used.
type HealthLister interface {
	// Health tells what the provider's own checks say of running resources of a
	// kind; those of which they say nothing are left out. For kinds without checks
	// the error is ErrUnsupported.
	Health(ctx context.Context, scope fleet.Scope, kind fleet.Kind, ids []string) (map[string]Health, error)
}

// Health is what the provider's own checks say.
type Health struct {
	State  fleet.Health
	Reason string // which check says it, in the provider's words; empty when healthy
}

// SecretReader reads what is kept secret at the provider.
type SecretReader interface {
	// Secret returns the present text of the secret with the name or the ARN, which is of the
	// scope. No error quotes it. One that does not exist is ErrNotFound; without the permission,
	// for the secret or for its key, it is ErrUnauthorized.
	Secret(ctx context.Context, scope fleet.Scope, id string) (string, error)
}

// Prober finds out what works, for doctor.
type Prober interface {
	// Probe tries, without changing anything, each ability that Dayshift needs
	// in the scope and reports one finding per ability.
	Probe(ctx context.Context, scope fleet.Scope) []Finding
}

// Cloud is everything an implementation offers; stages ask for less.
type Cloud interface {
	Lister
	Actor
	Tagger
	Prober
}

// Target is one member of a call.
type Target struct {
	fleet.Resource
	// Type is the wanted type of a Resize; empty otherwise.
	Type string
	// Snapshot is the name of a snapshot that a Stop takes first, the same at every try of one stop; empty: none. What AWS
	// does not do in one step fails with ErrNotYet until the snapshot is there.
	Snapshot string
	// Size is what a Start of a scaled kind brings back; empty: the kind knows nothing better than one.
	Size string
}

// Finding is one line of a probe.
type Finding struct {
	Ability say.Text `json:"ability"` // "assume role", "list EC2 instances", "start EC2 instances", …
	OK      bool     `json:"ok"`
	// Untested: it could not be tried without doing it, so OK only means that
	// nothing speaks against it; Detail says what is needed.
	Untested bool `json:"untested,omitempty"`
	// Missing is the permission, role or region that is missing, in AWS's words (ec2:StartInstances); empty when OK.
	Missing string `json:"missing,omitempty"`
	// Detail is a sentence for people, with the next step when not OK.
	Detail say.Text `json:"detail"`
}

// The errors of the contract. An implementation wraps them around the
// provider's own error, so that errors.Is answers the question of a stage and
// the text still tells a person what the provider said.
var (
	ErrThrottled            = errors.New("throttled")             // too many calls: nothing was done, try again later, never split
	ErrInsufficientCapacity = errors.New("insufficient capacity") // the provider has no such machine now
	ErrNotFound             = errors.New("not found")             // the resource does not exist
	ErrWrongState           = errors.New("wrong state")           // the resource is not in a state that allows the verb
	ErrUnsupported          = errors.New("unsupported")           // this resource can never do that (hibernation, one-time spot …)
	ErrProtected            = errors.New("protected by the provider")
	ErrUnauthorized         = errors.New("not authorized")         // the role lacks a permission
	ErrCredentials          = errors.New("no valid credentials")   // no role, wrong external ID, expired
	ErrRegionDisabled       = errors.New("region not enabled")     // not opted in
	ErrTransient            = errors.New("temporary failure")      // 5xx, reset, time-out, garbage: the same call may go through
	ErrNotYet               = errors.New("not yet")                // something else was begun that has to end first: the same call goes through later
	ErrInvalid              = errors.New("refused as invalid")     // the provider calls the request wrong
	ErrNotPermitted         = errors.New("not permitted any more") // see WithPermit: nothing was sent
)

// ErrQuota is an ErrInsufficientCapacity by a limit of the account, which the provider raises when it is asked.
var ErrQuota = fmt.Errorf("%w: a limit of the account", ErrInsufficientCapacity)

// MemberError says which members of a batch made the provider refuse the call.
type MemberError struct {
	IDs []string // never empty
	Err error    // wraps one of the errors above
}

func (e *MemberError) Error() string {
	return fmt.Sprintf("%s: %v", strings.Join(e.IDs, ", "), e.Err)
}

func (e *MemberError) Unwrap() error { return e.Err }

// PartialError says that the provider accepted a call but did not confirm some
// of its members: what became of those a listing tells. The others are under way.
type PartialError struct {
	IDs []string // the members that were not confirmed, never empty
	Err error    // wraps ErrTransient
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("%s: %v", strings.Join(e.IDs, ", "), e.Err)
}

func (e *PartialError) Unwrap() error { return e.Err }

type permitKey struct{}

// WithPermit returns a context whose calls ask permit right before they are
// sent: between the decision to make a call and its first byte a process can be
// paused for longer than its lease lasts. A call that is not permitted is not
// sent and fails with ErrNotPermitted.
func WithPermit(ctx context.Context, permit func() error) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// Permitted returns nil when a call of the context may be sent now. Every
// implementation asks it as late as it can.
func Permitted(ctx context.Context) error {
	permit, ok := ctx.Value(permitKey{}).(func() error)
	if !ok || permit == nil {
		return nil
	}
	if err := permit(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotPermitted, err)
	}
	return nil
}

type onceKey struct{}

// WithOneTry returns a context whose reading calls are made once: where failures
// are expected, several tries in a row only cost.
func WithOneTry(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// OneTry reports whether reading calls of the context are made once.
func OneTry(ctx context.Context) bool { return ctx.Value(onceKey{}) != nil }

// RetryAfter is implemented by errors of a provider that said when to come back.
type RetryAfter interface{ RetryAfter() time.Duration }

// Again reports whether the call of an error may go through as it is at another time, and how long the provider asked to be
// left alone; 0: it asked nothing.
func Again(err error) (after time.Duration, again bool) {
	var hint RetryAfter
	if errors.As(err, &hint) {
		after = hint.RetryAfter()
	}
	return after, errors.Is(err, ErrThrottled) || errors.Is(err, ErrTransient) || errors.Is(err, ErrCredentials)
}
