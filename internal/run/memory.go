package run

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// Memory is what is remembered of a workload between its runs, in the record
// store.WorkloadMemory under the workload's name.
type Memory struct {
	// Wanted is what its schedule and overrides last wanted, as of a resource.
	Wanted decide.Memory `json:"wanted"`
	// State is how its last run left it; empty before the first.
	State fleet.State `json:"state,omitempty"`
	// Runs is what the next run is begun with, and how long the last ones took.
	Runs workload.Memory `json:"runs"`
	// Active is the ID of the run that is not over, empty when there is none; Waiting is what is to come after it.
	Active  string   `json:"active,omitempty"`
	Waiting *Request `json:"waiting,omitempty"`
	// History are the IDs of the runs that are over, the newest last, at most KeptRuns.
	History []string `json:"history,omitempty"`
	// Rules is how far each rule that starts or stops it has come.
	Rules map[string]decide.RuleProgress `json:"rules,omitempty"`
	// Taken are the requests that were taken last, so that none is taken twice; at most keptRequests.
	Taken []string `json:"taken,omitempty"`
	// Halted: that it is switched off was said, with what was not begun because of it.
	Halted bool `json:"halted,omitempty"`
}

// KeptRuns is how many finished runs of a workload are kept: two weeks of mornings and evenings.
const KeptRuns = 30

// keptRequests is how many requests are remembered as taken. A request is deleted right after it was taken, so that only
// those of one crash can come again.
const keptRequests = 20

// take notes that a request was taken.
func (m *Memory) take(id string) {
	m.Taken = append(slices.Clip(m.Taken), id)
	if n := len(m.Taken) - keptRequests; n > 0 {
		m.Taken = slices.Clone(m.Taken[n:])
	}
}

// over notes that the active run is over and returns the runs that are too old to be kept.
func (m *Memory) over() (drop []string) {
	m.History = append(slices.Clip(m.History), m.Active)
	m.Active = ""
	if n := len(m.History) - KeptRuns; n > 0 {
		drop = slices.Clone(m.History[:n])
		m.History = slices.Clone(m.History[n:])
	}
	return drop
}

// ToMemory reads a record of the kind store.WorkloadMemory.
func ToMemory(record store.Record) (Memory, error) {
	var m Memory
	if err := json.Unmarshal(record.Data, &m); err != nil {
		return Memory{}, fmt.Errorf("read what is remembered of workload %q: %w", record.Name, err)
	}
	return m, nil
}

// ToRun reads a record of the kind store.WorkloadRun.
func ToRun(record store.Record) (*workload.Run, error) {
	var r workload.Run
	if err := json.Unmarshal(record.Data, &r); err != nil {
		return nil, fmt.Errorf("read run %s: %w", record.Name, err)
	}
	return &r, nil
}

func encode(kind store.RecordKind, name string, value any, at time.Time) (store.Record, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return store.Record{}, fmt.Errorf("encode %s %s: %w", kind, name, err)
	}
	return store.Record{Kind: kind, Name: name, Data: data, Changed: at}, nil
}
