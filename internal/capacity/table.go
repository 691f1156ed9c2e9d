package capacity

import (
	"context"
	"fmt"
	"log/slog"

	"dayshift/internal/reservation"
)

// Table is a table of a database in which people write how much is to be held.
type Table interface {
	// Read gives every row. The answer is whole or it is an error.
	Read(ctx context.Context) ([]Row, error)
	// SetCurrent writes how many are held for a row.
	SetCurrent(ctx context.Context, row Row, current int) error
	// Reservation makes a reservation of a row, ready for use and named table/ZONE/TYPE; Err says why the row can not be used.
	Reservation(row Row) *reservation.Reservation
}

// Row is one row: how many of a type are to be held in a zone, and how many are.
type Row struct {
	Type, Zone      string
	Target, Current int
	// Err says what is wrong with the row: then what it holds is left as it is.
	Err error
}

type tableRow struct {
	Row

	reservation *reservation.Reservation
}

// readTable reads the table. One that can not be read changes nothing of what was bought.
func (l *Look) readTable(ctx context.Context, report *Report) []tableRow {
	if l.Table == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := l.Table.Read(limited)
	if err != nil {
		l.tableFailed(ctx, report, fmt.Errorf("read the table: %w", err))
		l.unread = true
		return nil
	}
	list := make([]tableRow, 0, len(rows))
	for _, row := range rows {
		list = append(list, tableRow{row, l.Table.Reservation(row)})
	}
	return list
}

// lastRead is the reservation of a row while the table can not be read: what was
// wanted last stays as it is, and nothing more is bought. nil: it is no row, or the table was read.
func (l *Look) lastRead(name string, wanted int) *reservation.Reservation {
	part, isRow := reservation.RowPart(name)
	if !l.unread || !isRow {
		return nil
	}
	r := l.Table.Reservation(Row{Type: part.Type, Zone: part.Zone, Target: wanted})
	r.Unread = true
	return r
}

// writeTable tells the table how many are held. One that can not be written is
// put right by the next look: what is held is never read from it.
func (l *Look) writeTable(ctx context.Context, rows []tableRow, works []*work, report *Report) {
	if l.DryRun || l.Observe {
		return
	}
	held := map[string]int{}
	seen := map[string]bool{}
	for _, w := range works {
		held[w.Name], seen[w.Name] = w.outcome.Held, w.outcome.Why != reservation.Trouble
	}
	for _, row := range rows {
		name := row.reservation.Name
		if row.Err != nil || !seen[name] || held[name] == row.Current {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		err := l.Table.SetCurrent(limited, row.Row, held[name])
		cancel()
		if err != nil {
			l.tableFailed(ctx, report, fmt.Errorf("write the table: %w", err))
			return
		}
	}
}

func (l *Look) tableFailed(ctx context.Context, report *Report, err error) {
	report.TableError = err.Error()
	l.Log.WarnContext(ctx, "the table of capacity; it is tried again, and what was bought stays", slog.Any("error", err))
}
