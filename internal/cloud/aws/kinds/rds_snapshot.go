package kinds

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// A snapshot before a stop survives a crash at any point because nothing about
// it is kept but its name, which is the same at every try of one stop. Each try
// looks what AWS has under that name, and does the next step alone:
//
//	nothing there            begin it (an instance: with the stop, in one call)
//	creating                 ErrNotYet: come back
//	available                stop
//	failed                   it holds nothing: delete it, ErrNotYet
//
// So there is no stop without the snapshot, and no second one for a stop that
// is tried again. An older snapshot is let go of by Replace alone, after the
// stop has been seen to end, and only once the new one can be restored from.

// snapshotStage is what a snapshot is, in words that fit instances and clusters.
type snapshotStage int

const (
	snapshotNone snapshotStage = iota // there is none of that name
	snapshotTaking
	snapshotTaken
	snapshotFailed
)

// snapshotStates translates RDS's words; a word that is not here stands for work
// that has to end first (copying, modifying …).
var snapshotStates = map[string]snapshotStage{"available": snapshotTaken, "failed": snapshotFailed, "creating": snapshotTaking}

// snapshot is a manual snapshot as its listing shows it.
type snapshot struct {
	name, of string
	resource string // RDS's own name for what it was taken of, which no other database ever gets
	state    snapshotStage
	created  time.Time
}

func snapshotState(word string) snapshotStage {
	if state, known := snapshotStates[strings.ToLower(word)]; known {
		return state
	}
	return snapshotTaking
}

// snapshots are the calls for the snapshots of a kind.
type snapshots struct {
	// list gives the manual snapshots of the database; named only the one of the name: with none of it, cloud.ErrNotFound.
	list func(ctx context.Context, id, named string) ([]snapshot, error)
	// drop deletes one.
	drop func(ctx context.Context, name string) error
}

// look finds the snapshot that belongs to a stop.
func (s snapshots) look(ctx context.Context, id, name string) (snapshot, error) {
	list, err := s.list(ctx, id, name)
	if errors.Is(err, cloud.ErrNotFound) || err == nil && len(list) == 0 {
		return snapshot{}, nil
	}
	if err != nil {
		return snapshot{}, fmt.Errorf("look for the snapshot %s: %w", name, err)
	}
	if !strings.EqualFold(list[0].of, id) {
		return snapshot{}, fmt.Errorf("the snapshot %s is of %s, not of %s: %w", name, list[0].of, id, cloud.ErrWrongState)
	}
	return list[0], nil
}

// ready reports whether the stop may be made: nil when the snapshot is there.
// begin is called where there is none.
func (s snapshots) ready(ctx context.Context, id, name string, begin func() error) error {
	found, err := s.look(ctx, id, name)
	if err != nil {
		return err
	}
	switch found.state {
	case snapshotNone:
		return begin()
	case snapshotTaken:
		return nil
	case snapshotFailed:
		if err := s.drop(ctx, name); err != nil && !errors.Is(err, cloud.ErrNotFound) {
			return fmt.Errorf("the snapshot %s failed and could not be deleted: %w", name, err)
		}
		return fmt.Errorf("the snapshot %s failed and is begun again: %w", name, cloud.ErrNotYet)
	}
	return fmt.Errorf("the snapshot %s is still being taken: %w", name, cloud.ErrNotYet)
}

// snapshotName is the form of the names that stops give: what comes before the
// time says which database it is.
var snapshotName = regexp.MustCompile(`^(.+-stopped-.+-)[0-9]{14}$`)

// replace deletes the snapshots that the named one has taken the place of: of the
// very same database, with a name of the same form, taken before it.
func (s snapshots) replace(ctx context.Context, resource fleet.Resource, name string) error {
	id := resource.ID
	form := snapshotName.FindStringSubmatch(name)
	if form == nil {
		return fmt.Errorf("let go of the snapshots before %q: not a name that a stop gives: %w", name, cloud.ErrInvalid)
	}
	list, err := s.list(ctx, id, "")
	if err != nil {
		return fmt.Errorf("list the snapshots of %s: %w", id, err)
	}
	var newest *snapshot
	for i := range list {
		if list[i].name == name {
			newest = &list[i]
		}
	}
	if newest == nil || newest.state != snapshotTaken {
		return fmt.Errorf("the snapshot %s can not be restored from yet, so those before it stay: %w", name, cloud.ErrNotYet)
	}
	var failures []error
	for _, old := range list {
		of := snapshotName.FindStringSubmatch(old.name)
		ours := len(of) > 1 && of[1] == form[1] && strings.EqualFold(old.of, id) && newest.resource != "" && old.resource == newest.resource
		if !ours || old.state == snapshotTaking || old.name >= name || !old.created.Before(newest.created) {
			continue
		}
		if err := s.drop(ctx, old.name); err != nil && !errors.Is(err, cloud.ErrNotFound) {
			failures = append(failures, fmt.Errorf("delete the snapshot %s: %w", old.name, err))
		}
	}
	return errors.Join(failures...)
}
