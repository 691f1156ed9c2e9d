package decide

import (
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// ScopeMemory is what is remembered of a scope as a whole, between passes and over restarts.
type ScopeMemory struct {
	Scope fleet.Scope `json:"scope"`
	// Rules is how far each rule has come, by its name and the kind of resource: what could be listed has had its fires,
	// what could not waits for its own.
	Rules map[string]map[fleet.Kind]RuleProgress `json:"rules,omitempty"`
	// Windows are the maintenance windows last heard of that are not over; a window that has begun is no longer listed.
	Windows []policy.Window `json:"windows,omitempty"`
	// Config is the fingerprint of the configuration that the scope was last acted on under.
	Config string `json:"config,omitempty"`
}

// RuleProgress is how far a rule has come in a scope.
type RuleProgress struct {
	// Through is the instant up to which every fire was made or recorded as missed.
	Through time.Time `json:"through"`
	// Fired are the last instants that were fired, newest last: a clock that is set back does not repeat them.
	Fired []time.Time `json:"fired,omitempty"`
	// Matched is how many resources the filter matched when that was last looked at.
	Matched int `json:"matched"`
}
