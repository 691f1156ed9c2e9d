package decide

import (
	"fmt"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

const (
	// snapshotLasts is how long the snapshot of a large database may take, and
	// how long tries of one stop ask for the same one: after that it is too old to
	// be called the state before the stop.
	snapshotLasts = 6 * time.Hour
	// snapshotNameMost is AWS's bound for the name of a cluster's snapshot; an
	// instance's may have 255 characters.
	snapshotNameMost = 63
	// snapshotTime is the end of a name: UTC, to the second.
	snapshotTime = "20060102150405"
)

// chooseSnapshot names the snapshot that a stop takes first. The name is a
// function of what is remembered, so that a try after a crash finds the snapshot
// that was begun before it; a stop that comes later has a name of its own.
func (x *decider) chooseSnapshot() {
	m := x.m
	before := m.Snapshot
	m.Snapshot = ""
	if x.Verb != fleet.Stop || x.s == nil || x.s.Snapshot == "" || !x.Resource.Kind.Traits().Snapshots {
		return
	}
	x.Snapshot = before
	if !snapshotFresh(before, x.s.Snapshot, x.Resource.Ref, x.now) {
		x.Snapshot, x.SnapshotBegins = SnapshotName(x.s.Snapshot, x.Resource.Ref, x.now), true
	}
	m.Snapshot = x.Snapshot
	x.say("snapshot", func() say.Text { return say.F("its snapshot %s is taken first", x.Snapshot) })
}

// SnapshotName is the name of the snapshot that a stop begun at an instant takes first, PREFIX-stopped-ID-TIME. An ID that does not fit is cut, and a
// number in its place tells it from others that begin alike.
func SnapshotName(prefix string, ref fleet.Ref, at time.Time) string {
	return snapshotFamily(prefix, ref) + at.UTC().Format(snapshotTime)
}

// snapshotFamily is what the names of all snapshots of a resource begin with.
func snapshotFamily(prefix string, ref fleet.Ref) string {
	head, id := prefix+"-stopped-", ref.ID
	if room := snapshotNameMost - len(head) - 1 - len(snapshotTime); len(id) > room {
		mark := fmt.Sprintf("-%08x", uint32(ref.Hash()))
		id = strings.Trim(id[:max(room-len(mark), 0)], "-") + mark
		id = strings.TrimPrefix(id, "-")
	}
	return head + id + "-"
}

// snapshotFresh reports whether a name is that of a snapshot of the present stop.
func snapshotFresh(name, prefix string, ref fleet.Ref, now time.Time) bool {
	text, of := strings.CutPrefix(name, snapshotFamily(prefix, ref))
	at, err := time.Parse(snapshotTime, text)
	return of && err == nil && !at.After(now) && now.Sub(at) < snapshotLasts
}
