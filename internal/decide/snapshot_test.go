package decide

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

func TestSnapshotNamesFitAndTellDatabasesApart(t *testing.T) {
	at := time.Date(2027, 3, 1, 18, 0, 5, 0, time.FixedZone("KST", 9*60*60))
	ref := fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}, Kind: fleet.RDSInstance, ID: "orders"}
	if got, want := SnapshotName("dayshift", ref, at), "dayshift-stopped-orders-20270301090005"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringMatching(`[a-z](-?[a-z0-9]){0,9}`).Draw(t, "prefix")
		id := func(label string) fleet.Ref {
			r := ref
			r.ID = rapid.StringMatching(`[a-z](-?[a-z0-9]){0,31}`).Draw(t, label)
			return r
		}
		a, b := id("one"), id("other")
		name := SnapshotName(prefix, a, at)
		if len(name) > snapshotNameMost || strings.Contains(name, "--") || strings.HasSuffix(name, "-") {
			t.Errorf("%q is no name of a snapshot", name)
		}
		if a.ID != b.ID && snapshotFamily(prefix, a) == snapshotFamily(prefix, b) {
			t.Errorf("%s and %s have the same names", a.ID, b.ID)
		}
		if !snapshotFresh(name, prefix, a, at.Add(time.Hour)) {
			t.Errorf("%q is not known again", name)
		}
		if snapshotFresh(name, prefix, a, at.Add(snapshotLasts)) || snapshotFresh(name, prefix, a, at.Add(-time.Second)) {
			t.Errorf("%q holds for ever", name)
		}
	})
}

// A stop keeps the name of its snapshot from try to try, and loses it once it has stopped or need not stop.
func TestTheSnapshotOfAStop(t *testing.T) {
	saving := func(s *policy.Schedule) { s.Snapshot = "dayshift" }
	decideOn := func(kind fleet.Kind, state fleet.State, memory *Memory, now time.Time) Decision {
		r := row{
			now: now, change: saving, state: state, memory: WasRunning,
			resource: func(r *fleet.Resource) { r.Kind, r.ID = kind, "orders" },
			with: func(m *Memory) {
				if memory != nil {
					*m = *memory
				}
			},
		}
		return Decide(r.input(t))
	}
	first := decideOn(fleet.RDSCluster, fleet.Running, nil, evening)
	if first.Verb != fleet.Stop || !first.SnapshotBegins || !strings.HasPrefix(first.Snapshot, "dayshift-stopped-") {
		t.Fatalf("%+v", first)
	}
	if intent := first.Intend("r-1", 1).Intent; intent.Snapshot != first.Snapshot {
		t.Errorf("the intent names the snapshot %q", intent.Snapshot)
	}
	if paused := decideOn(fleet.RedshiftCluster, fleet.Running, nil, evening); paused.Verb != fleet.Stop || paused.Snapshot != "" || paused.SnapshotBegins {
		t.Errorf("AWS takes a snapshot of its own before it pauses a cluster: %+v", paused)
	}
	waits := first.Waits(evening)
	if waits.Intent != nil || waits.Last != WasRunning || waits.Snapshot != first.Snapshot || !waits.NotBefore.After(evening) {
		t.Errorf("while it waits: %+v", waits)
	}
	again := decideOn(fleet.RDSCluster, fleet.Running, &waits, evening.Add(time.Minute))
	if again.Verb != fleet.Stop || again.Snapshot != first.Snapshot || again.SnapshotBegins {
		t.Errorf("the next try: %s of %q", again.Verb, again.Snapshot)
	}
	failed := again.Failed(evening.Add(time.Minute), "no room")
	if late := decideOn(fleet.RDSCluster, fleet.Running, &failed, evening.Add(time.Hour)); late.Snapshot != first.Snapshot {
		t.Errorf("a try after a failure asks for %q", late.Snapshot)
	}
	if tomorrow := decideOn(fleet.RDSCluster, fleet.Running, &failed, evening.Add(24*time.Hour)); tomorrow.Snapshot == first.Snapshot {
		t.Error("a day later the old snapshot would do")
	}
	if down := decideOn(fleet.RDSCluster, fleet.Stopped, &waits, evening.Add(time.Hour)); down.Memory.Snapshot != "" {
		t.Errorf("stopped, it still has %q", down.Memory.Snapshot)
	}
	taken := again.Accepted(evening.Add(time.Minute), "")
	resource := again.Resource
	resource.State, resource.SeenAt = fleet.Stopped, evening.Add(10*time.Minute)
	settled, outcome := Settle(taken, resource, evening.Add(10*time.Minute), 1)
	if outcome.Ended != HasStopped || outcome.Snapshot != first.Snapshot || settled.Snapshot != "" {
		t.Errorf("%+v, remembered %q", outcome, settled.Snapshot)
	}
	if d := decideOn(fleet.EC2Instance, fleet.Running, nil, evening); d.Verb != fleet.Stop || d.Snapshot != "" {
		t.Errorf("a machine: %s with %q", d.Verb, d.Snapshot)
	}
}
