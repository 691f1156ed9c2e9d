// Package policy says what governs a resource and what it wants at an instant.
//
// A Book is made from the configuration once and then only read. For each
// resource it answers with a Policy: protected or not, the schedule named by
// its tag, or the reason why nothing governs it. It is pure: the same book,
// resource and instant give the same answer.
package policy

import (
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
)

// Mode limits what a schedule may do.
type Mode string

// The modes.
const (
	Both      Mode = "both"
	StartOnly Mode = "start-only" // never stops
	StopOnly  Mode = "stop-only"  // never starts, and stops whatever runs at each boundary into stopped
)

// DefaultNewResourceGrace is how long the stop of a resource seen for the
// first time outside its periods is held back: long enough to read the
// announcement and to mend a tag, short enough not to cost a night.
const DefaultNewResourceGrace = 10 * time.Minute

// Schedule is a calendar and the flags of SEMANTICS 4. Config builds it with
// every default filled in.
type Schedule struct {
	Name        string
	Description string
	// Calendar is nil when Err tells why the schedule can not be used; such a
	// schedule decides nothing and concerns only its own resources.
	Calendar *calendar.Schedule
	Err      error

	Enabled              bool
	Enforced             bool
	RetainRunning        bool
	StopNewInstances     bool
	NewResourceGrace     time.Duration
	UseMaintenanceWindow bool
	Hibernate            bool
	Mode                 Mode
	MaxManualUptime      time.Duration // 0: none
	NotifyBeforeStop     time.Duration // 0: no warning
	Jitter               time.Duration // 0: none
}

// Book is everything that can govern a resource.
type Book struct {
	// TagKey is the tag that names a schedule.
	TagKey    string
	Schedules map[string]*Schedule
	// Protected: what any of these filters matches is never touched.
	Protected []fleet.Filter
}
