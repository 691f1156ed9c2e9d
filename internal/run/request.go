package run

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// Asks is what a request asks for.
type Asks string

// What can be asked for. Those after Stop are about the run that is not over.
const (
	AsksStart  Asks = "start"
	AsksStop   Asks = "stop"
	AsksCancel Asks = "cancel"
	AsksRetry  Asks = "retry"    // resume: what failed is tried again
	AsksOn     Asks = "continue" // resume: as if it had not failed
	AsksUndo   Asks = "undo"     // what the run did is taken back
)

// begins reports whether it asks for a run.
func (a Asks) begins() bool { return a == AsksStart || a == AsksStop }

// direction is that of the run that is asked for.
func (a Asks) direction() workload.Direction {
	if a == AsksStop {
		return workload.Stop
	}
	return workload.Start
}

// Request is what somebody wants of a workload: an object of the store until
// whoever holds the lease has taken it. The ID of one that begins a run is the run's.
type Request struct {
	ID       string `json:"-"` // the object's name, see store.NewRunID
	Workload string `json:"workload"`
	Asks     Asks   `json:"asks"`
	// Run is the run that it is about; empty: the one that is not over. It counts for no other.
	Run     string    `json:"run,omitempty"`
	Profile string    `json:"profile,omitempty"` // of a start; empty: the workload's own
	By      string    `json:"by"`
	Reason  say.Kept  `json:"reason,omitzero"`
	Trigger string    `json:"trigger"`
	At      time.Time `json:"at"`
	// version of the object.
	version int64
}

// FromRequest gives the object that a request is kept as.
func FromRequest(r Request) (store.Object, error) {
	spec, err := json.Marshal(r)
	if err != nil {
		return store.Object{}, fmt.Errorf("encode the request %s: %w", r.ID, err)
	}
	return store.Object{Kind: store.WorkloadRequestObject, Name: r.ID, Spec: spec, Author: r.By, Changed: r.At}, nil
}

// ToRequest reads what FromRequest wrote.
func ToRequest(object store.Object) (Request, error) {
	var r Request
	decoder := json.NewDecoder(strings.NewReader(string(object.Spec)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Request{}, fmt.Errorf("read the request %s: %w", object.Name, err)
	}
	r.ID, r.version = object.Name, object.Version
	switch r.Asks {
	case AsksStart, AsksStop, AsksCancel, AsksRetry, AsksOn, AsksUndo:
	default:
		return Request{}, fmt.Errorf("read the request %s: %q is nothing that can be asked for", object.Name, r.Asks)
	}
	if r.Workload == "" || r.By == "" {
		return Request{}, fmt.Errorf("read the request %s: it names no workload, or nobody who asks", object.Name)
	}
	return r, nil
}
