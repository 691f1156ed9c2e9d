package service

import (
	"time"
)

// Overview is what there is to see at first sight.
type Overview struct {
	At time.Time `json:"at"`
	// Looking: the first look is still under way, so that numbers grow.
	Looking bool `json:"looking"`
	// Resources by state: Changing are those on their way up or down, Other those in any other state.
	Running  int `json:"running"`
	Stopped  int `json:"stopped"`
	Changing int `json:"changing"`
	Other    int `json:"other"`
	Total    int `json:"total"`
	// Next are the next starts and stops that schedules and overrides want, at most 8.
	Next []Upcoming `json:"next"`
	// Timeline has today's 24 hours of each schedule that governs something, at most 12, the largest first.
	Timeline []Lane `json:"timeline"`
	// Attention is what needs a person, at most 50.
	Attention []Attention `json:"attention"`
	Saved     Saved       `json:"saved"`
	Overrides int         `json:"overrides"` // in force
	LastPass  time.Time   `json:"last_pass,omitzero"`
}

// Upcoming is a boundary to come.
type Upcoming struct {
	At       time.Time `json:"at"`
	Action   string    `json:"action"` // start or stop
	Count    int       `json:"count"`  // of resources for which it changes what is wanted
	Schedule string    `json:"schedule"`
	Names    []string  `json:"names"` // of at most three of them
}

// Lane is a day of a schedule.
type Lane struct {
	Schedule string    `json:"schedule"`
	Timezone string    `json:"timezone"`
	Count    int       `json:"count"` // resources that it governs
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Spans    []Span    `json:"spans"`
}

// Span is a stretch of time with one state: running, stopped or any.
type Span struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	State string    `json:"state"`
}

// The kinds of attention.
const (
	AttentionGap        = "gap"        // a part of the fleet could not be listed
	AttentionFailed     = "failed"     // an action failed and is tried again
	AttentionHeld       = "held"       // limits hold something back until somebody confirms
	AttentionConfig     = "config"     // a configuration was refused, or waits for a person
	AttentionQuarantine = "quarantine" // a scope has not answered for so long that it is asked at growing gaps
)

// Attention is something that needs a person.
type Attention struct {
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
	Ref   string    `json:"ref,omitempty"`
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Link  string    `json:"link"` // path of the page where there is more of it
}

// Saved is the time that scheduled resources did not run in the last seven days.
type Saved struct {
	HoursOff float64 `json:"hours_off"`
	HoursOn  float64 `json:"hours_on"`
	// Money is what the hours off would have cost at list prices, in USD; nil where no price is known.
	Money *float64   `json:"money"`
	Days  []SavedDay `json:"days"` // seven, the last one is today
	// Basis says what is counted.
	Basis string `json:"basis"`
}

// SavedDay is one day of it.
type SavedDay struct {
	Date     string  `json:"date"` // in the time zone of the configuration
	HoursOff float64 `json:"hours_off"`
	HoursOn  float64 `json:"hours_on"`
}
