package decide

import (
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
)

// Remembered is what was last wanted and done (SEMANTICS 5).
type Remembered string

// The remembered states.
const (
	Unknown       Remembered = "unknown"
	WasRunning    Remembered = "running"
	WasStopped    Remembered = "stopped"
	WasAny        Remembered = "any"
	RetainRunning Remembered = "retain-running"
	StartFailed   Remembered = "start-failed"
	StopFailed    Remembered = "stop-failed"
)

// Memory is what Dayshift remembers of one resource between passes. It is
// written before the first call of an action (with Intent set) and after the
// last (with the outcome). The zero Memory but for Ref is that of a resource
// never seen.
type Memory struct {
	Ref      fleet.Ref  `json:"ref"`
	Name     string     `json:"name,omitempty"`
	Schedule string     `json:"schedule"` // value of the schedule tag when last seen; another value resets the memory
	Last     Remembered `json:"last"`
	// Retain keeps the retain-running mark while *any* is wanted.
	Retain bool `json:"retain,omitempty"`
	// FirstSeen is when a listing first showed it.
	FirstSeen time.Time `json:"first_seen"`
	// DecidedAt is the instant of the last decision: what was wanted between then and now is made up once.
	DecidedAt time.Time `json:"decided_at"`
	// Announced is when the stop of a new resource was said; zero: not yet.
	Announced time.Time `json:"announced,omitzero"`
	// Warned is the boundary that was last warned of (notify_before_stop).
	Warned time.Time `json:"warned,omitzero"`
	// Seen, SeenType and SeenAt are the state of the last listing that showed it;
	// SeenSince is the first listing in a row that showed this state.
	Seen     fleet.State `json:"seen"`
	SeenType string      `json:"seen_type,omitempty"`
	// Size is what a scaled resource was set to when it was last seen running.
	Size      string    `json:"size,omitempty"`
	SeenAt    time.Time `json:"seen_at"`
	SeenSince time.Time `json:"seen_since,omitzero"`
	// Missing is since when complete listings do not show it; zero while they do.
	Missing time.Time `json:"missing,omitzero"`
	// ManualSince is when it was first seen running against a wanted stop, started by a person; zero otherwise.
	ManualSince time.Time `json:"manual_since,omitzero"`
	// AutoRestartAt is the provider's own restart, remembered while stopped (RDS).
	AutoRestartAt time.Time `json:"auto_restart_at,omitzero"`
	// BarredUntil is set when the provider refused a stop because the resource is
	// protected against it: not tried again before the next change of what is wanted.
	BarredUntil time.Time `json:"barred_until,omitzero"`
	// Snapshot is the name of the snapshot that belongs to the stop that is wanted, kept from its first try until it has
	// stopped or need not any more: every try asks for the same one.
	Snapshot string `json:"snapshot,omitempty"`
	// Mute: a stop that mutes its alarms came to its end, and they are still to be muted. Muted are the names of those that
	// were muted, or were about to be, one a line, until they are restored.
	Mute  bool   `json:"mute,omitempty"`
	Muted string `json:"muted,omitempty"`
	// ResizeTo is set while a resource is stopped only to change its type.
	ResizeTo string `json:"resize_to,omitempty"`
	// ResizeFrom is the type that it had before it was stopped to be changed.
	ResizeFrom string `json:"resize_from,omitempty"`
	// RefusedType is the wanted type that it could not be started with; it runs
	// with another one and is not stopped for this type again before its next start.
	RefusedType string `json:"refused_type,omitempty"`
	// Intent is the action under way: recorded before its first call, cleared
	// when a listing shows its end or it failed. nil: none.
	Intent *Intent `json:"intent,omitempty"`
	// Attempts counts failures in a row of the wanted action; NotBefore is when the next try may be made.
	Attempts  int       `json:"attempts,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	// Shortage is the missing capacity that its start has met.
	Shortage Shortage `json:"shortage,omitzero"`
	// Override is the override that was in force at the last decision.
	Override string `json:"override,omitempty"`
	// Reached are the overrides that ended for this resource because they had been reached, the latest last, blanks
	// between them (HasReached).
	Reached string `json:"reached,omitempty"`
	// Window is when the maintenance window began that it was last started or kept running for; zero outside one.
	Window time.Time `json:"window,omitzero"`
	// Fire is the action of a rule that is still to be carried out.
	Fire Fire `json:"fire,omitzero"`
	// ByRule is the state that a rule brought it into, while it is in that: no person did it, and the schedule leaves it
	// so until its own next boundary. Empty otherwise.
	ByRule fleet.State `json:"by_rule,omitempty"`
	// Observed is what would have been done, as it was recorded last, where Dayshift only observes.
	Observed string `json:"observed,omitempty"`
	// Held is the limit that held its stop back at the last decision, which people were told; empty: none did.
	Held string `json:"held,omitempty"`
}

// Fire is a rule's action on one resource.
type Fire struct {
	Rule string     `json:"rule"`
	At   time.Time  `json:"at"` // the instant of the rule
	Verb fleet.Verb `json:"verb"`
	Type string     `json:"type,omitempty"` // of a resize
	// Until is when it is no longer tried.
	Until time.Time `json:"until"`
	// Matches is how many resources the rule matched when it fired, Matched how many the time before.
	Matches int `json:"matches"`
	Matched int `json:"matched"`
	// Halfway: it was stopped for the resize and is to be started again.
	Halfway bool `json:"halfway,omitempty"`
	// Mute: the rule mutes the alarms of what it stops.
	Mute bool `json:"mute,omitempty"`
}

// IsZero reports whether there is nothing to be carried out.
func (f Fire) IsZero() bool { return f.Rule == "" }

// Intent is an action decided on, kept until its end is seen.
type Intent struct {
	Verb fleet.Verb `json:"verb"`
	// Type is the type of a start with another type; of a stop, the type that it
	// is stopped for, empty for an ordinary stop.
	Type string    `json:"type,omitempty"`
	Run  string    `json:"run"`
	Term int64     `json:"term"` // of the lease it was decided under
	At   time.Time `json:"at"`
	// From is the state it was decided on; the action is skipped when that changed.
	From fleet.State `json:"from"`
	// Accepted is when the provider took the call; zero while that is not known.
	Accepted time.Time `json:"accepted,omitzero"`
	// Snapshot is the snapshot that a stop takes first; empty: none.
	Snapshot string `json:"snapshot,omitempty"`
	// Mute: its alarms are still to be muted for this stop.
	Mute bool `json:"mute,omitempty"`
	// Verify: a start is done once the provider's own checks have passed, not as soon as it runs.
	Verify bool `json:"verify,omitempty"`
	// Override is the override that it carries out; empty for one of a schedule or rule.
	Override string `json:"override,omitempty"`
	// Fire is the rule's action that it carries out; zero for one of a schedule or override.
	Fire Fire `json:"fire,omitzero"`
}

// HasReached reports whether an override ended for this resource because it had been reached.
func (m Memory) HasReached(override string) bool {
	return slices.Contains(strings.Fields(m.Reached), override)
}

// maxReached bounds the overrides that are remembered as reached: as many as
// people may have put on one resource before the first of them is taken away.
const maxReached = 8

func (m *Memory) reach(override string) {
	if m.HasReached(override) {
		return
	}
	reached := append(strings.Fields(m.Reached), override)
	m.Reached = strings.Join(reached[max(len(reached)-maxReached, 0):], " ")
}

// Differs reports whether the memory has to be written where old is stored:
// something changed beyond the instants of the last look and decision, which
// ScopeMemory.Decided keeps for all that is as it was. A fleet at rest costs no writes.
func (m Memory) Differs(old Memory) bool {
	if (m.Intent == nil) != (old.Intent == nil) || m.Intent != nil && *m.Intent != *old.Intent {
		return true
	}
	m.Intent, m.DecidedAt, m.SeenAt = old.Intent, old.DecidedAt, old.SeenAt
	return m != old
}
