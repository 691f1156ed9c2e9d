package pass_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// saving is a world with a database and a cluster whose schedule takes a
// snapshot before they stop, on a Monday a minute before the end of its period.
func saving(t *testing.T) *world {
	t.Helper()
	begin(t, clockTime(1, 17, 59).Format(time.RFC3339))
	book := office(t, func(s *policy.Schedule) { s.Snapshot, s.NewResourceGrace = "dayshift", 0 })
	w := newWorld(t, book,
		at("cn-north-1", shop, "rds", "ledger", "available", nil), at("cn-north-1", shop, "rds_cluster", "orders", "available", nil))
	w.scopes = beijing
	return w
}

// snapshots lists those of a database by name, oldest first, and how many can be restored from.
func (w *world) snapshots(of string) (names []string, available int) {
	for _, s := range w.sim.Snapshots(shop, "cn-north-1") {
		if s.Of == of {
			names = append(names, s.ID)
			if s.Available {
				available++
			}
		}
	}
	return names, available
}

var bothStopped = map[string]string{"ledger": "stopped", "orders-1": "stopped", "orders-2": "stopped"}

func TestASnapshotIsTakenBeforeEachStopAndTheOldOneGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := saving(t)
		for day := 1; day <= 3; day++ {
			reports := w.live(clockTime(day+1, 8, 0))
			w.expect("at night", bothStopped)
			for _, of := range []string{"ledger", "orders"} {
				names, available := w.snapshots(of)
				want := "dayshift-stopped-" + of + "-" + clockTime(day, 18, 0).UTC().Format("2006010215")
				if len(names) != 1 || available != 1 || !strings.HasPrefix(names[0], want) {
					t.Errorf("day %d: snapshots %v, want one %s…", day, names, want)
				}
			}
			if n := told(reports)[notify.Failed]; n > 0 {
				t.Errorf("day %d: people were told of %d failures", day, n)
			}
			w.live(clockTime(day+1, 17, 59))
			w.expect("in the day", map[string]string{"ledger": "available", "orders-1": "available", "orders-2": "available"})
		}
		for action, want := range map[string]int{"StopDBInstance": 3, "StopDBCluster": 3, "CreateDBClusterSnapshot": 3, "DeleteDBSnapshot": 2, "DeleteDBClusterSnapshot": 2} {
			n := 0
			for _, call := range w.sim.Calls() {
				if call.Action == action && call.Code == "" {
					n++
				}
			}
			if n != want {
				t.Errorf("%s: %d calls, want %d", action, n, want)
			}
		}
		w.wantRows("the waiting for the cluster's snapshot", 3, store.EventSkipped, "was begun: not yet")
		w.verify()
	})
}

func TestWithoutTheSnapshotThereIsNoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := saving(t)
		w.faults("[{kind: error, action: CreateDBClusterSnapshot, code: SnapshotQuotaExceeded}, {kind: error, action: StopDBInstance, code: SnapshotQuotaExceeded}]")
		reports := w.live(clockTime(1, 20, 0))
		w.expect("while no snapshot can be taken", map[string]string{"ledger": "available", "orders-1": "available"})
		if n := told(reports)[notify.Failed]; n != 2 {
			t.Errorf("people were told of %d failures, want 2", n)
		}
		if m := w.memory("orders"); !strings.Contains(m.LastError, "SnapshotQuotaExceeded") {
			t.Errorf("remembered: %+v", m)
		}
		w.faults("")
		w.live(clockTime(1, 21, 0))
		w.expect("once there is room", bothStopped)
	})
}

// mortalWay is the way of a mortal process to AWS: every call that changes
// something, or asks for snapshots, is a contact; listings are so many and so
// alike that dying at them is left to other tests.
type mortalWay struct {
	*mortal
	http.RoundTripper
	look func(what string)
}

// peekForm reads the form of a request and leaves it as it was.
func peekForm(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return url.ParseQuery(string(body))
}

func (m mortalWay) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	form, err := peekForm(r)
	if err != nil {
		return nil, err
	}
	action := form.Get("Action")
	reads := strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get")
	if reads && !strings.HasSuffix(action, "Snapshots") && !m.isDead() {
		return m.RoundTripper.RoundTrip(r)
	}
	err = m.meet(contact{what: action, reads: reads}, func() error {
		answer, err = m.RoundTripper.RoundTrip(r)
		m.look(action)
		return err
	})
	if err != nil && answer != nil {
		_ = answer.Body.Close() // it got lost
		answer = nil
	}
	return answer, err
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// TestKilledWhileASnapshotIsTaken kills the process at every call about a
// stop or a snapshot, and every write, of an evening. Whatever it was at, both are stopped in the
// end, once, with a snapshot of that evening; and at every moment there is one
// that can be restored from. What a crash left over the next evening lets go of.
func TestKilledWhileASnapshotIsTaken(t *testing.T) {
	killEverywhere(t, func(t *testing.T, process *mortal) {
		w := saving(t)
		w.run()
		w.save("ledger", "dayshift-stopped-ledger-20270226100000")
		w.saveCluster("orders", "dayshift-stopped-orders-20270226100000")
		time.Sleep(10 * time.Minute) // they can be restored from
		w.sim.ResetCalls()
		safe := func(what string) {
			for _, of := range []string{"ledger", "orders"} {
				if _, available := w.snapshots(of); available == 0 {
					t.Fatalf("after %s there is no snapshot of %s", what, of)
				}
			}
		}
		cloud := w.connect(mortalWay{process, w.sim.Transport(), safe})
		w.mortal(process, clockTime(1, 18, 25), time.Minute, func(p *pass.Pass) { p.Cloud, p.Snapshots = cloud, cloud })
		w.restart()
		w.live(clockTime(1, 19, 0))
		safe("the crash at " + process.at)
		w.expect("in the evening", bothStopped)
		evening := clockTime(1, 18, 0).UTC().Format("2006010215")
		stops := map[string]int{}
		for _, call := range w.sim.Calls() {
			if call.Code == "" {
				stops[call.Action]++
			}
		}
		if stops["StopDBInstance"] != 1 || stops["StopDBCluster"] != 1 || stops["CreateDBClusterSnapshot"] != 1 {
			t.Errorf("calls: %v", stops)
		}
		left := false
		for _, of := range []string{"ledger", "orders"} {
			names, available := w.snapshots(of)
			if len(names) < 1 || len(names) > 2 || available != len(names) || !strings.Contains(names[len(names)-1], "-"+evening) {
				t.Errorf("snapshots of %s: %v", of, names)
			}
			left = left || len(names) > 1
		}
		if left {
			w.live(clockTime(2, 18, 30))
		}
		for _, of := range []string{"ledger", "orders"} {
			if names, available := w.snapshots(of); len(names) != 1 || available != 1 {
				t.Errorf("an evening later: snapshots of %s: %v", of, names)
			}
		}
		w.verifyChain()
	})
}

func TestForeignSnapshotsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := saving(t)
		foreign := []string{"mine", "dayshift-stopped-ledger", "dayshift-stopped-ledger-2-20270228100000", "other-stopped-ledger-20270228100000", "dayshift-stopped-ledger-2027"}
		for _, name := range foreign {
			w.save("ledger", name)
		}
		w.live(clockTime(3, 8, 0))
		names, _ := w.snapshots("ledger")
		if len(names) != len(foreign)+1 {
			t.Errorf("snapshots %v: want all of %v and one more", names, foreign)
		}
	})
}

// person is somebody with a client of AWS's own.
func (w *world) person() *rds.Client {
	return rds.New(rds.Options{
		Region: "cn-north-1", HTTPClient: &http.Client{Transport: w.sim.Transport()}, Credentials: credentials.NewStaticCredentialsProvider(shop, "any", ""),
	})
}

func (w *world) save(database, name string) {
	w.t.Helper()
	in := &rds.CreateDBSnapshotInput{DBInstanceIdentifier: sdk.String(database), DBSnapshotIdentifier: sdk.String(name)}
	if _, err := w.person().CreateDBSnapshot(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) saveCluster(cluster, name string) {
	w.t.Helper()
	in := &rds.CreateDBClusterSnapshotInput{DBClusterIdentifier: sdk.String(cluster), DBClusterSnapshotIdentifier: sdk.String(name)}
	if _, err := w.person().CreateDBClusterSnapshot(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}
