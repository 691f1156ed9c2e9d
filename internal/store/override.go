package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// overrideSpec is how an override is kept in an object. Exactly one of
// resource, workload, schedule and filter is set.
type overrideSpec struct {
	Resource string    `json:"resource,omitempty"` // account/region/kind/id
	Workload string    `json:"workload,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	Filter   string    `json:"filter,omitempty"`
	State    string    `json:"state"` // running or stopped
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Boundary bool      `json:"boundary,omitempty"`
	Once     bool      `json:"once,omitempty"`
	Author   string    `json:"author"`
	Reason   string    `json:"reason,omitempty"`
	Seen     []seen    `json:"seen,omitempty"`
}

// seen is a resource of policy.Override.Seen.
type seen struct {
	Ref  fleet.Ref         `json:"ref"`
	Name string            `json:"name,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
}

// FromOverride gives the object that an override is kept as. Its version is the
// override's; whoever saves it says who changed it and when.
func FromOverride(o *policy.Override) (Object, error) {
	spec := overrideSpec{
		Workload: o.Target.Workload, Schedule: o.Target.Schedule, State: o.State.String(), From: o.From.UTC(), Until: o.Until.UTC(),
		Boundary: o.Boundary, Once: o.Once, Author: o.Author, Reason: o.Reason,
	}
	if o.Target.Resource != (fleet.Ref{}) {
		spec.Resource = o.Target.Resource.String()
	}
	if !o.Target.Filter.IsZero() {
		spec.Filter = o.Target.Filter.String()
	}
	for i := range o.Seen {
		spec.Seen = append(spec.Seen, seen{Ref: o.Seen[i].Ref, Name: o.Seen[i].Name, Tags: o.Seen[i].Tags})
	}
	encoded, err := json.Marshal(spec)
	if err != nil {
		return Object{}, fmt.Errorf("encode override %s: %w", o.ID, err)
	}
	return Object{Kind: OverrideObject, Name: o.ID, Version: o.Version, Spec: encoded, Author: o.Author, Changed: o.From.UTC()}, nil
}

// ToOverride reads what FromOverride wrote. An object that says something else
// is an error: half an override must not be taken for one.
func ToOverride(object Object) (*policy.Override, error) {
	fail := func(err error) (*policy.Override, error) {
		return nil, fmt.Errorf("override %s: %w", object.Name, err)
	}
	var spec overrideSpec
	decoder := json.NewDecoder(strings.NewReader(string(object.Spec)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&spec); err != nil {
		return fail(err)
	}
	o := &policy.Override{
		ID: object.Name, Version: object.Version, From: spec.From.UTC(), Until: spec.Until.UTC(),
		Boundary: spec.Boundary, Once: spec.Once, Author: spec.Author, Reason: spec.Reason,
	}
	for _, one := range spec.Seen {
		o.Seen = append(o.Seen, fleet.Resource{Ref: one.Ref, Name: one.Name, Tags: one.Tags})
	}
	switch spec.State {
	case calendar.Running.String():
		o.State = calendar.Running
	case calendar.Stopped.String():
		o.State = calendar.Stopped
	default:
		return fail(fmt.Errorf("state %q is neither running nor stopped", spec.State))
	}
	targets := 0
	var err error
	if spec.Resource != "" {
		targets++
		if o.Target.Resource, err = fleet.ParseRef(spec.Resource); err != nil {
			return fail(err)
		}
	}
	if spec.Workload != "" {
		targets++
		o.Target.Workload = spec.Workload
	}
	if spec.Schedule != "" {
		targets++
		o.Target.Schedule = spec.Schedule
	}
	if spec.Filter != "" {
		targets++
		if o.Target.Filter, err = fleet.ParseFilter(spec.Filter); err != nil {
			return fail(err)
		}
	}
	switch {
	case targets != 1:
		return fail(fmt.Errorf("it is for %d targets, not for one resource, workload, schedule or filter", targets))
	case !spec.From.Before(spec.Until):
		return fail(fmt.Errorf("it begins at %s and ends at %s", spec.From, spec.Until))
	}
	return o, nil
}
