package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Validity is what is right and wrong with a configuration.
type Validity struct {
	OK bool `json:"ok"`
	// Scopes and Schedules are how many it has.
	Scopes    int            `json:"scopes"`
	Schedules int            `json:"schedules"`
	Faults    []config.Fault `json:"faults"`
	Warnings  []config.Fault `json:"warnings"`
}

// bodyName stands for a file that came over the wire, in messages.
const bodyName = "body"

// standIn is what a secret is taken for in a configuration that somebody sent.
const standIn = "not-looked-up"

// parseSent reads a configuration that somebody sent, beside the same objects.
// It has no environment and no files: whoever may ask must not learn by asking
// what stands in those of the server, so that secrets are stood in for and
// calendars in files are a fault.
func (s *Service) parseSent(text []byte, objects []store.Object) (*config.Loaded, error) {
	return config.Parse(bodyName, text, config.Env{
		Lookup:   func(string) (string, bool) { return standIn, true },
		ReadFile: func(string) ([]byte, error) { return []byte(standIn), nil },
		ReadCalendar: func(string) ([]byte, error) {
			return nil, say.Err("files of the server are not read for this: give the calendar by its days, its address or its builtin name")
		},
		Now: s.Now,
	}, objects...)
}

// ValidateText checks a configuration that somebody sent, without the objects of the store.
func (s *Service) ValidateText(text []byte) (Validity, error) {
	answer := Validity{Faults: []config.Fault{}, Warnings: []config.Fault{}}
	loaded, err := s.parseSent(text, nil)
	if faults, ok := errors.AsType[config.Faults](err); ok {
		answer.Faults = faults
		return answer, nil
	}
	if err != nil {
		return Validity{}, err
	}
	answer.OK, answer.Scopes, answer.Schedules = true, len(loaded.Scopes), len(loaded.Book.Schedules)
	answer.Warnings = append(answer.Warnings, loaded.Warnings...)
	return answer, nil
}

// DiffText compares the configuration in force with one that somebody sent.
// Values of secrets are not compared. *RefusedError where it is at fault.
func (s *Service) DiffText(ctx context.Context, text []byte) (DiffAnswer, error) {
	answer, err := s.Diff(ctx, func(objects []store.Object) (*config.Loaded, error) { return s.parseSent(text, objects) })
	return answer, refusal(err)
}

// ApplyText applies the sections of a file that somebody sent; request.Objects
// is not used. Errors are as those of Apply, *RefusedError where the text is at fault.
func (s *Service) ApplyText(ctx context.Context, text []byte, request ApplyRequest) (ApplyAnswer, error) {
	objects, err := config.Sections(bodyName, text)
	if err != nil {
		return ApplyAnswer{}, refusal(err)
	}
	request.Objects = objects
	answer, err := s.Apply(ctx, request)
	return answer, refusal(err)
}

// refusal makes faults an error that surfaces know.
func refusal(err error) error {
	if faults, ok := errors.AsType[config.Faults](err); ok {
		return &RefusedError{faults}
	}
	return err
}

// ObjectFields describes the keys of a kind of object, in the order of the reference.
func ObjectFields(kind store.ObjectKind) []config.Field { return config.Fields(kind) }

// ParseEnd reads when an override is to end, as people write it: a length such
// as 2h, or until a time (2027-02-05T22:00:00+09:00), a time of day (22:00), a
// distance (+2h) or next, which is the next boundary. Nothing given is the zero
// End. *InputError for what is none of these.
func ParseEnd(length, until string, boundary bool, now time.Time) (End, error) {
	given := 0
	for _, is := range []bool{length != "", until != "", boundary} {
		if is {
			given++
		}
	}
	switch distance, relative := strings.CutPrefix(until, "+"); {
	case given == 0:
		return End{}, nil
	case given > 1:
		return End{}, inputErrorF("for, until and boundary: give one of them")
	case boundary || until == "next":
		return End{Boundary: true}, nil
	case length != "" || relative:
		text := length + distance
		d, err := config.ParseDuration(text)
		if err != nil {
			return End{}, inputErrorF("%q: %v", text, err)
		}
		if d == 0 {
			return End{}, inputErrorF("%s is over before it begins", text)
		}
		if relative {
			return End{Until: now.Add(time.Duration(d))}, nil
		}
		return End{For: time.Duration(d)}, nil
	case strings.Contains(until, ":") && strings.Trim(until, "0123456789:") == "":
		return End{Clock: until}, nil
	}
	at, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return End{}, inputErrorF("until %q is not a time: write 2027-02-05T22:00:00+09:00, a time of day such as 22:00, a distance such as +2h, or next", until)
	}
	return End{Until: at.UTC()}, nil
}

// Object is a part of the configuration that people name.
type Object = config.Object
