package service

import (
	"time"
)

// Fault says what is wrong with something that was written.
type Fault struct {
	Path    string `json:"path"` // of the field, such as periods[0] or filters
	Message string `json:"message"`
	Line    int    `json:"line,omitempty"`
}

// ScheduleCheck is what a schedule that was not saved yet would be.
type ScheduleCheck struct {
	Valid  bool    `json:"valid"`
	Faults []Fault `json:"faults"`
	// Weeks are the week of the date asked for; empty while it is not valid.
	Weeks []ScheduleWeek `json:"weeks"`
	Next  []Change       `json:"next"` // of the next 14 days, at most 100
	// Effect is what saving it would do; nil while it is not valid, or where nothing is changed here.
	Effect *Effect `json:"effect,omitempty"`
}

// RuleCheck is what a rule that was not saved yet would be.
type RuleCheck struct {
	Valid  bool    `json:"valid"`
	Faults []Fault `json:"faults"`
	// Matches is how many resources it would act on, Sample are some of them, at most 10.
	Matches int        `json:"matches"`
	Sample  []Resource `json:"sample"`
	// Left is how many more its filter matches that carry no schedule tag and are left alone.
	Left int `json:"left"`
	// Next are its next instants, at most 5, Words the expression in words.
	Next  []time.Time `json:"next"`
	Words string      `json:"words"`
	Gaps  []Gap       `json:"gaps"`
}
