package app

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/capacity/table/tabletest"
	"dayshift/internal/service"
)

const tableConfig = `
store: memory
resync_interval: 10s
accounts:
  - {id: "111122223333", regions: [ap-northeast-1]}
capacity:
  interval: 10s
  approve_above: 12
  table: {account: "111122223333", region: ap-northeast-1, driver: DRIVER, secret: odcr, ca_file: CA}
`

// wire is the way to a database, which can be cut.
type wire struct {
	t    *testing.T
	to   string
	port int

	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

// join lets the database be reached, at the port that it had before.
func (w *wire) join() {
	w.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.port)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.listener, w.port = listener, listener.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", w.to)
			if err != nil {
				_ = near.Close()
				continue
			}
			w.mu.Lock()
			w.open = append(w.open, near, far)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
		}
	}()
}

func (w *wire) cut() {
	_ = w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.open {
		_ = conn.Close()
	}
	w.open = nil
}

// TestTheTableOfTheODCRLoop: the README's statement into a real database, the daemon's loop, AWS simulated with the secret in
// that system's form. 15 are bought and stand in the table; what can not be written is bought once; a database that is down
// changes nothing; a row that costs much waits for a second person.
func TestTheTableOfTheODCRLoop(t *testing.T) {
	for _, driver := range []string{tabletest.MySQL, tabletest.PostgreSQL} {
		t.Run(driver, func(t *testing.T) {
			db := tabletest.Need(t, driver)
			grant, revoke := "GRANT UPDATE ON odcr_db.odcr_capacity TO loop_user", "REVOKE UPDATE ON odcr_db.odcr_capacity FROM loop_user"
			if driver == tabletest.MySQL {
				db.SQL(t, "DROP TABLE IF EXISTS odcr_db.odcr_capacity", tabletest.Create, tabletest.Insert, "DROP USER IF EXISTS loop_user", "CREATE USER loop_user IDENTIFIED BY 'of the loop'",
					"GRANT SELECT ON odcr_db.odcr_capacity TO loop_user", grant)
			} else { // there, what stands before the dot is a schema
				db.SQL(t, "DROP SCHEMA IF EXISTS odcr_db CASCADE", "CREATE SCHEMA odcr_db", tabletest.Create, tabletest.Insert, "DROP ROLE IF EXISTS loop_user", "CREATE ROLE loop_user LOGIN PASSWORD 'of the loop'",
					"GRANT USAGE ON SCHEMA odcr_db TO loop_user", "GRANT SELECT ON odcr_db.odcr_capacity TO loop_user", grant)
				t.Cleanup(func() { db.SQL(t, "DROP SCHEMA odcr_db CASCADE", "DROP ROLE loop_user") })
			}
			way := &wire{t: t, to: net.JoinHostPort("127.0.0.1", strconv.Itoa(db.Port))}
			way.join()
			defer way.cut()

			text := strings.NewReplacer("DRIVER", driver, "CA}", db.CA+", table: odcr_db.odcr_capacity}").Replace(tableConfig)
			h := newHouse(t, text)
			secret := strings.Replace(db.Secret("loop_user", "of the loop"), strconv.Itoa(db.Port), strconv.Itoa(way.port), 1)
			h.load(awssim.Fleet{Secrets: []awssim.Secret{{Account: "111122223333", Region: "ap-northeast-1", Name: "odcr", Value: secret}}})
			d := h.serve()
			defer d.stop()

			current := func() (n int) {
				conn, err := db.Open(tabletest.Database)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if err := conn.QueryRowContext(t.Context(), "SELECT Current_Capacity FROM odcr_db.odcr_capacity").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			looks := func() int { return len(calls(h.sim, "DescribeCapacityReservations")) }
			// look has the daemon look again, and waits until it did.
			look := func() {
				t.Helper()
				before := looks()
				for range 300 {
					d.changedReservations()
					if looks() > before+1 {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
				t.Fatal("the daemon does not look")
			}
			reached := func(held, written int) {
				t.Helper()
				for range 5 {
					look()
					if total, pieces := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total == held && pieces == 1 && current() == written {
						return
					}
				}
				total, pieces := h.reserved("ap-northeast-1c", "r5b.2xlarge")
				t.Fatalf("%d are held in %d reservations, %d stand in the table; %d and %d are wanted\n%+v", total, pieces, current(), held, written, h.rows())
			}
			bought := func() string {
				return fmt.Sprint(h.asked("CreateCapacityReservation"), h.asked("ModifyCapacityReservation"))
			}

			reached(15, 15)
			if got := bought(); got != "[10] [15]" {
				t.Errorf("bought %s", got)
			}

			// The purchase goes through and the table can not be written: nothing is bought again.
			db.SQL(t, revoke, "UPDATE odcr_db.odcr_capacity SET Target_Capacity = 20")
			reached(20, 15)
			look()
			look()
			if got := bought(); got != "[10] [15 20]" {
				t.Errorf("bought %s while the table could not be written", got)
			}
			db.SQL(t, grant)
			reached(20, 20)

			// Nor does somebody who counts otherwise make it buy: what AWS holds is written.
			db.SQL(t, "UPDATE odcr_db.odcr_capacity SET Current_Capacity = 3")
			reached(20, 20)

			// The database is down.
			way.cut()
			for range 3 {
				d.changedReservations()
				time.Sleep(300 * time.Millisecond)
			}
			if total, _ := h.reserved("ap-northeast-1c", "r5b.2xlarge"); total != 20 || bought() != "[10] [15 20]" {
				t.Errorf("%d are held after the database was down; bought %s", total, bought())
			}
			way.join()

			// 25 cost more than one person may decide on.
			db.SQL(t, "UPDATE odcr_db.odcr_capacity SET Target_Capacity = 25")
			reached(20, 20)
			const row = "table/ap-northeast-1c/r5b.2xlarge"
			status, err := d.Service().Reservation(t.Context(), row)
			if err != nil || status.Why != "approval" || status.Approval.Empty() || status.Approved {
				t.Errorf("%+v, %v", status, err)
			}
			answer, err := d.Service().ApproveReservation(t.Context(), service.ApprovalRequest{Name: row, Author: "anna"})
			if err != nil || answer.Count != 25 || !answer.Saved {
				t.Errorf("%+v, %v", answer, err)
			}
			reached(25, 25)
			if status, err := d.Service().Reservation(t.Context(), row); err != nil || !status.Approved || status.ApprovedBy != "anna" {
				t.Errorf("%+v, %v", status, err)
			}
			db.SQL(t, "UPDATE odcr_db.odcr_capacity SET Target_Capacity = 26") // an approval of 25 is none of 26
			reached(25, 25)
			if _, err := d.Service().ApproveReservation(t.Context(), service.ApprovalRequest{Name: "table/ap-northeast-1c/m5.large", Author: "anna"}); err == nil {
				t.Error("a row that does not exist was approved")
			}

			db.SQL(t, "UPDATE odcr_db.odcr_capacity SET Target_Capacity = 4")
			reached(4, 4)
		})
	}
}
