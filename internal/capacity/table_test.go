package capacity

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"dayshift/internal/reservation"
)

// odcr is a table that keeps its rows, and can be down or refuse to be written.
type odcr struct {
	rows      map[Row]int // target by type and zone
	current   map[Row]int
	down, dry bool
}

func (o *odcr) Read(context.Context) (list []Row, err error) {
	if o.down {
		return nil, errors.New("connection refused")
	}
	for key, target := range maps.All(o.rows) {
		list = append(list, Row{Type: key.Type, Zone: key.Zone, Target: target, Current: o.current[key]})
	}
	return list, nil
}

func (o *odcr) SetCurrent(_ context.Context, row Row, current int) error {
	if o.down || o.dry {
		return errors.New("the database is read-only")
	}
	o.current[Row{Type: row.Type, Zone: row.Zone}] = current
	return nil
}

func (o *odcr) Reservation(row Row) *reservation.Reservation {
	r := sale()
	r.From, r.To = time.Time{}, time.Time{}
	r.Name, r.Table = reservation.TablePrefix+row.Zone+"/"+row.Type, true
	r.Parts, r.Count = []reservation.Part{{Zone: row.Zone, Type: row.Type}}, row.Target
	return r
}

func (w *world) runTable(o *odcr) Report {
	w.t.Helper()
	look := w.look(defaults)
	look.Table = o
	report, err := look.Run(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

var row = Row{Type: "r5b.2xlarge", Zone: "ap-northeast-1c"}

const rowName = "table/ap-northeast-1c/r5b.2xlarge"

// TestTable: a row leads to what it says, and Current_Capacity is what is held, also when others cancel.
func TestTable(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	o := &odcr{rows: map[Row]int{row: 15}, current: map[Row]int{}}
	w.runTable(o)
	if o.current[row] != 15 || w.total(rowName) != 15 {
		t.Errorf("current %d, held %d", o.current[row], w.total(rowName))
	}
	w.room[zoneC] = 0
	w.held["cr-1"].Total, w.held["cr-1"].Free = 9, 9 // somebody made it smaller
	w.pass(5 * time.Minute)
	w.runTable(o)
	if o.current[row] != 9 {
		t.Errorf("current %d after it was made smaller", o.current[row])
	}
	delete(o.rows, row)
	w.pass(5 * time.Minute)
	w.runTable(o)
	if w.total(rowName) != 0 {
		t.Error("what no row wants is kept")
	}
}

// TestFault41CountDrift: what the table says is held counts for nothing; AWS's listing does, and the table is put right.
func TestFault41CountDrift(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	o := &odcr{rows: map[Row]int{row: 15}, current: map[Row]int{}}
	w.runTable(o)
	w.took()
	for _, drifted := range []int{0, 3, 99} {
		o.current[row] = drifted
		w.pass(5 * time.Minute)
		w.runTable(o)
		want(t, w.took())
		if o.current[row] != 15 || w.total(rowName) != 15 {
			t.Errorf("from %d: current %d, held %d", drifted, o.current[row], w.total(rowName))
		}
	}
	w.held["cr-1"].Total, w.held["cr-1"].Free = 9, 9 // somebody made it smaller, and the table still says 15
	w.pass(5 * time.Minute)
	w.runTable(o)
	if o.current[row] != 15 || w.total(rowName) != 15 {
		t.Errorf("after a loss: current %d, held %d", o.current[row], w.total(rowName))
	}
}

// TestTableDown: a database that is down changes nothing that was bought.
func TestTableDown(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	o := &odcr{rows: map[Row]int{row: 15}, current: map[Row]int{}}
	w.runTable(o)
	w.took()
	o.down = true
	for range 5 {
		w.pass(5 * time.Minute)
		if report := w.runTable(o); report.TableError == "" {
			t.Error("nobody is told that the database is down")
		}
	}
	want(t, w.took())
	w.pass(13 * time.Hour)
	w.runTable(o)
	if calls := w.took(); len(calls) != 1 || w.total(rowName) != 15 {
		t.Errorf("the end is not moved while the database is down: %q", calls)
	}
}

// TestTableUpdateFailsAfterPurchase: the row still says 0, and nothing is bought again.
func TestTableUpdateFailsAfterPurchase(t *testing.T) {
	w := newWorld(t)
	w.room[zoneC] = 100
	o := &odcr{rows: map[Row]int{row: 15}, current: map[Row]int{}, dry: true}
	w.runTable(o)
	w.took()
	for range 5 {
		w.pass(5 * time.Minute)
		w.runTable(o)
	}
	want(t, w.took())
	o.dry = false
	w.runTable(o)
	if o.current[row] != 15 {
		t.Errorf("current %d", o.current[row])
	}
}
