// Package store is the contract for what Dayshift keeps: what it remembers of
// each resource and scope, the objects that people make, the runs (passes), the
// records of where durable sequences stand, the activity record, counters,
// sessions, slips that are good for minutes, and the lease.
//
// Guarantees that every engine gives, examined by storetest.Exercise:
//
//   - A write that returned nil survives a crash of the process.
//   - A write either happens whole or not at all.
//   - A write that carries a Lease is refused with ErrFenced once another holder
//     has taken the lease: a paused process can not overwrite its successor.
//   - Activity is append-only; every row carries the hash of the row before it.
//   - What was read back is what was written, but for the cleaning that Instant
//     and Text describe: times in UTC to the microsecond, strings of valid UTF-8
//     without NUL.
//   - A canceled context ends the wait for a lock or a row; the error wraps the
//     context's.
//
// An error other than ErrHeld, ErrFenced and ErrReadOnly leaves open whether
// the write happened: a commit can reach the disk and its answer get lost.
// SaveRun, DropMemories, Acquire and a SaveChanges or SaveRecords without activity
// may simply be called again; rows of a write that is repeated may be recorded twice, an
// object that is saved or deleted again is a conflict with the first time, as is
// a slip, and a Take that is repeated may count twice.
//
// What all engines have to do alike is written once here: leases (Grant,
// Extend, Guard), versions (Revise, Retire), counting (Tally), slips (Settle), the
// chain (Link, Chain) and the cleaning (CleanMemories, CleanScopes, CleanObject,
// CleanRun, CleanRecords, CleanTake, CleanTouch, CleanSession, CleanSlip).
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// The errors of the contract.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = say.Err("changed by somebody else in the meantime")
	ErrHeld     = errors.New("lease held by another process")
	ErrFenced   = errors.New("lease lost: another process has taken over")
	ErrNewer    = errors.New("database was written by a newer version of dayshift")
	ErrReadOnly = errors.New("store is read-only")
	ErrFull     = errors.New("store is full")
	ErrCorrupt  = errors.New("store is damaged")
	ErrLocked   = errors.New("store is in use by another process")
)

// Lease is the right to act, held by one process at a time.
type Lease struct {
	Name    string    `json:"name"`
	Holder  string    `json:"holder"` // host, process, start: for people
	Term    int64     `json:"term"`   // grows by one with every change of holder: the fencing term
	Expires time.Time `json:"expires"`
}

// Leaser hands out leases. now is the caller's clock; engines compare it with
// the expiry that the holder before wrote.
type Leaser interface {
	// Acquire takes the lease when it is free, expired or already the holder's
	// (then the term stays), until now+ttl. ErrHeld otherwise; the returned lease
	// then tells who holds it and until when, and is not the caller's to use.
	Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (Lease, error)
	// Renew extends a lease still held with the same term, even one that expired
	// unless another has taken it since. ErrFenced otherwise, also after Release.
	Renew(ctx context.Context, lease Lease, now time.Time, ttl time.Duration) (Lease, error)
	// Release gives the lease up; a lease no longer held is no error. The term
	// stays known: the next holder, be it the same, gets a greater one.
	Release(ctx context.Context, lease Lease) error
	// Held tells who has the lease, also when it has expired since; without a
	// holder, nobody has. It changes nothing.
	Held(ctx context.Context, name string) (Lease, error)
}

// Changes are what one write of a pass changes.
type Changes struct {
	Memories []decide.Memory
	Scopes   []decide.ScopeMemory
	Activity []Activity
}

// Memories keeps what is remembered of each resource and each scope.
type Memories interface {
	// Memories returns what is remembered of the resources of a scope, ordered by ref.
	Memories(ctx context.Context, scope fleet.Scope) ([]decide.Memory, error)
	// AllMemories calls each for every remembered resource, ordered by ref,
	// without holding all of them at once, until it returns an error, which is
	// returned as it is. What is read is the state of one instant; each may write
	// to the store, without effect on what it is still to be called for.
	AllMemories(ctx context.Context, each func(decide.Memory) error) error
	// SaveChanges inserts or replaces memories and scope memories and appends
	// rows to the activity (see Append), everything or nothing: what was done and
	// what is remembered of it never part. Of two memories with the same ref (or
	// scope) the later counts. ErrFenced when the lease is lost.
	SaveChanges(ctx context.Context, lease Lease, changes Changes) error
	// ScopeMemory returns what is remembered of a scope as a whole; one that was
	// never saved is zero but for its Scope.
	ScopeMemory(ctx context.Context, scope fleet.Scope) (decide.ScopeMemory, error)
	// DropMemories forgets resources (they no longer exist), all or none. Unknown
	// refs are no error. ErrFenced when the lease is lost.
	DropMemories(ctx context.Context, lease Lease, refs []fleet.Ref) error
}

// ObjectKind names a kind of object.
type ObjectKind string

// The kinds of objects. The first six are parts of the configuration, their
// Spec is what stands below their name in the file, as JSON.
const (
	ScheduleObject  ObjectKind = "schedule"
	PeriodObject    ObjectKind = "period"
	ExceptionObject ObjectKind = "exception"
	HolidayObject   ObjectKind = "holiday"
	RuleObject      ObjectKind = "rule"
	WorkloadObject  ObjectKind = "workload"
	// ReservationObject is part of the configuration too.
	ReservationObject ObjectKind = "reservation"
	// ApprovalObject is a second person's consent to what a reservation costs; its name is the reservation's, see reservation.Consent.
	ApprovalObject ObjectKind = "approval"
	OverrideObject ObjectKind = "override"        // Spec: see service.Override
	StartsObject   ObjectKind = "override-starts" // what people had started within the last day, see reservation.Day
	CalendarCopy   ObjectKind = "calendar"        // the last good copy of a calendar's address, see holiday.Copy
	// AccountListObject is the last good list of an organization's accounts, see config.AccountList.
	AccountListObject ObjectKind = "accounts"
	KeyObject         ObjectKind = "key" // an API key: its rights and the hashes of its secrets, see service.Gate
	// WorkloadRequestObject is what somebody wants of a workload, until it is taken, see run.Request.
	WorkloadRequestObject ObjectKind = "workload-request"
	// ChatFollowObject is what somebody is to be told later over a chat, see package chatbot. It is deleted when it is told.
	ChatFollowObject ObjectKind = "chat-follow"
)

// Object is one thing that people make, change and delete while the program
// runs. Every change gives it a greater version.
type Object struct {
	Kind    ObjectKind      `json:"kind"`
	Name    string          `json:"name"`    // unique in its kind
	Version int64           `json:"version"` // 1, 2, 3 …; set by the store. One made anew after a deletion goes on from there
	Spec    json.RawMessage `json:"spec"`
	Author  string          `json:"author"`  // of the last change
	Created time.Time       `json:"created"` // of its first version; set by the store
	Changed time.Time       `json:"changed"`
}

// Objects keeps objects. No lease guards them: people change them while a
// daemon holds it, and versions keep two changes apart.
type Objects interface {
	// Objects returns the objects of the kinds (none: of every kind), ordered by kind and name.
	Objects(ctx context.Context, kinds ...ObjectKind) ([]Object, error)
	// SaveObject creates the object when its Version is 0 and replaces the one
	// of that version otherwise, and appends the rows, everything or nothing. It
	// returns the object as stored. Changed is the caller's time. ErrConflict
	// when it exists already, or has another version, or is gone.
	SaveObject(ctx context.Context, object Object, rows ...Activity) (Object, error)
	// DeleteObject deletes the object of that version and appends the rows,
	// everything or nothing. ErrNotFound when there is none, ErrConflict when it has another version.
	DeleteObject(ctx context.Context, kind ObjectKind, name string, version int64, rows ...Activity) error
	// Revision grows with every change of any object: whoever knows the present
	// one knows all objects.
	Revision(ctx context.Context) (int64, error)
}

// Run is one pass.
type Run struct {
	ID       string    `json:"id"`   // sorts by time, see NewRunID
	Term     int64     `json:"term"` // of the lease it ran under
	Trigger  string    `json:"trigger"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"` // zero: running, or the process died
	Counts   RunCounts `json:"counts"`
	Gaps     []string  `json:"gaps,omitempty"` // scope: reason
	Error    string    `json:"error,omitempty"`
}

// RunCounts are the numbers of a pass.
type RunCounts struct {
	Resources int `json:"resources"`
	Started   int `json:"started"`
	Stopped   int `json:"stopped"`
	Changed   int `json:"changed,omitempty"` // rebooted, or given another type while stopped
	Failed    int `json:"failed"`
	Held      int `json:"held"`
	Skipped   int `json:"skipped"`
	Scopes    int `json:"scopes"`
	Gaps      int `json:"gaps"`
}

// Runs keeps runs.
type Runs interface {
	// SaveRun inserts or replaces the run by its ID. ErrFenced when the lease is lost.
	SaveRun(ctx context.Context, lease Lease, run Run) error
	// Run returns one run, or ErrNotFound.
	Run(ctx context.Context, id string) (Run, error)
	// Runs returns the newest (greatest ID) first, at most limit; 0 means DefaultLimit.
	Runs(ctx context.Context, limit int) ([]Run, error)
}

// Activity is one row of the record: something decided, done, refused or changed.
type Activity struct {
	Seq      int64     `json:"seq"` // 1, 2, 3 … without a gap; set by the store
	At       time.Time `json:"at"`
	Run      string    `json:"run,omitempty"`
	Actor    string    `json:"actor"` // "dayshift", or who asked
	Event    Event     `json:"event"`
	Ref      fleet.Ref `json:"ref,omitzero"` // zero for what concerns no single resource
	Name     string    `json:"name,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	Reason   string    `json:"reason"`           // a decide.Reason or an event's own word
	Detail   string    `json:"detail,omitempty"` // a sentence for people
	// Chain is how the decision came about, where the row records one.
	Chain []decide.Step `json:"chain,omitempty"`
	Prev  string        `json:"prev"` // hex SHA-256 of the row before; 64 zeros for the first; set by the store
	Hash  string        `json:"hash"` // set by the store, see Activity.Sum
}

// Event says what kind of thing an activity row records.
type Event string

// The events.
const (
	EventStartAccepted Event = "start-accepted" // the provider took the call
	EventStopAccepted  Event = "stop-accepted"
	EventResized       Event = "resized"
	EventStarted       Event = "started" // seen running
	EventStopped       Event = "stopped" // seen stopped
	EventFailed        Event = "failed"
	EventShort         Event = "short"     // a start met missing capacity and goes on to the next type, or was given up
	EventHeld          Event = "held"      // held back by a limit
	EventConfirmed     Event = "confirmed" // a person confirmed what is held back
	EventSkipped       Event = "skipped"
	EventRebooted      Event = "rebooted"       // the provider took the call of a reboot
	EventObserved      Event = "observed"       // it would have been done, but the schedule or the program only observes
	EventFired         Event = "rule-fired"     // a rule fired in a scope; Name is the rule
	EventMissed        Event = "rule-missed"    // a rule's instant passed while it could not fire
	EventOverride      Event = "override"       // made, changed or cleared by a person; Name is its ID
	EventOverrideEnded Event = "override-ended" // it came to its end
	EventObject        Event = "object"         // a schedule, period, exception, holiday calendar or rule was made, changed or deleted
	EventAnnounced     Event = "announced"      // a stop was said beforehand
	EventGap           Event = "gap"
	EventGapClosed     Event = "gap-closed"
	EventAlarmsMuted   Event = "alarms-muted"
	// EventAlarmsRestored: it runs again, and so its alarms speak again.
	EventAlarmsRestored Event = "alarms-restored"
	// EventReserved: capacity was bought, or its end was moved; Name is the reservation.
	EventReserved Event = "reserved"
	// EventReleased: capacity was given back.
	EventReleased          Event = "released"
	EventReservationShort  Event = "reservation-short"  // less is held than wanted: what was asked for in vain, or what is in the way
	EventReservationIdle   Event = "reservation-idle"   // capacity is held that nothing has used for long
	EventReservationFailed Event = "reservation-failed" // the provider refuses to change what is held, or what was held is gone
	EventApproved          Event = "approved"           // a second person approved what a reservation costs
	EventMessageAgain      Event = "message-again"      // a person wants a message sent again that was given up, or all of a channel; Name is its ID, or the channel
	EventRecovered         Event = "recovered"          // an intent without an outcome was settled from what was seen
	EventChannelTest       Event = "channel-test"       // a person had a channel tested; Name is the channel
	EventConfig            Event = "config"
	EventKey               Event = "key"     // an API key was made, changed, rotated or revoked; Name is key/ and its ID
	EventSession           Event = "session" // somebody signed in or out, or a session was ended
	EventRefused           Event = "refused" // somebody was not let in, or not allowed what they asked
	EventDaemon            Event = "daemon"

	// EventChat: somebody asked for something over a chat, or was told something later; Name is the chat.
	EventChat Event = "chat"

	EventWorkloadAsked   Event = "workload-asked" // a person wants a run of a workload, or something of one; Name is the workload
	EventWorkloadBegan   Event = "workload-began"
	EventWorkloadRefused Event = "workload-refused" // what was asked for did not take place
	EventWorkloadTold    Event = "workload-told"    // what a run tells people on its way
	EventWorkloadHeld    Event = "workload-held"    // it waits for somebody
	EventWorkloadEnded   Event = "workload-ended"
	EventDrained         Event = "drained"  // taken out of load balancers
	EventPutBack         Event = "put-back" // and put back
	EventCalled          Event = "called"   // a command, webhook or function of a run ended; Name is the workload
)

// ActivityQuery selects rows; zero fields select all.
type ActivityQuery struct {
	After int64     // Seq greater than
	From  time.Time // inclusive
	To    time.Time // exclusive
	Ref   fleet.Ref
	Text  string // resource ID, name or schedule, exact
	Event Event
	Limit int  // at most this many; 0 means DefaultLimit
	Last  bool // the newest Limit rows instead of the oldest; still returned oldest first
}

// Verification is the result of checking the chain.
type Verification struct {
	Rows  int64  `json:"rows"`             // that hold: all of them, or those before the first that does not fit
	Head  string `json:"head"`             // hash of the last of them
	BadAt int64  `json:"bad_at,omitempty"` // Seq of the first row that does not fit; 0: the chain holds
	Why   string `json:"why,omitempty"`
}

// Activities keeps the record.
type Activities interface {
	// Append adds the rows in order, all or none, and chains them. A lease of
	// term 0 is an append that no lease guards (a person's action, the daemon's
	// start). Seq, Prev and Hash of the rows given are ignored.
	Append(ctx context.Context, lease Lease, rows []Activity) error
	// Activity returns rows in order of Seq.
	Activity(ctx context.Context, query ActivityQuery) ([]Activity, error)
	// Verify walks the whole chain, see Chain for what it finds. A broken chain is
	// an answer, not an error.
	Verify(ctx context.Context) (Verification, error)
}

// Store is everything an engine offers; callers ask for less.
type Store interface {
	Leaser
	Memories
	Objects
	Runs
	Records
	Activities
	Counters
	Sessions
	Slips
	// Ping checks that the store can be written to, by writing.
	Ping(ctx context.Context) error
	// Close gives back what the engine holds; every call after it fails. A
	// second Close is no error.
	Close() error
}
