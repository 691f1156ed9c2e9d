package app

import (
	"context"
	"sync"

	"dayshift/internal/capacity"
	"dayshift/internal/capacity/table"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
)

// tables keeps the one connection to the table of capacity. nil has none.
type tables struct {
	mu       sync.Mutex
	settings config.CapacityTable
	open     *table.Table
}

// Close ends the connection.
func (t *tables) Close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop()
}

// drop ends the connection; mu is held.
func (t *tables) drop() {
	if t.open != nil {
		t.open.Close()
		t.open = nil
	}
}

// of gives the table of a configuration; the connection is made anew when its settings have changed.
func (t *tables) of(a *App) capacity.Table {
	settings := a.Config.Table
	if settings == nil || t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := rowsOf{settings: *settings}
	if t.open != nil && t.settings == *settings {
		rows.table = t.open
		return &rows
	}
	t.drop()
	s := table.Settings{
		Driver: settings.Driver, Host: settings.Host, Port: settings.Port, Database: settings.Database, User: settings.User, Password: settings.Password.Reveal(),
		Table: settings.Table, TLS: settings.TLS, CAFile: settings.CAFile, Now: wall.Now,
	}
	if id := settings.Secret; id != "" {
		scope, secrets := fleet.Scope{Account: settings.Account, Region: settings.Region}, a.Cloud
		s.Secret = func(ctx context.Context) (string, error) { return secrets.Secret(ctx, scope, id) }
	}
	open, err := table.Open(s)
	if err != nil {
		rows.err = err
		return &rows
	}
	t.open, t.settings, rows.table = open, *settings, open
	return &rows
}

// rowsOf reads the rows of a table as reservations.
type rowsOf struct {
	settings config.CapacityTable
	table    *table.Table
	err      error // why there is no table
}

// Read implements capacity.Table.
func (r *rowsOf) Read(ctx context.Context) ([]capacity.Row, error) {
	if r.err != nil {
		return nil, r.err
	}
	rows, err := r.table.Rows(ctx)
	list := make([]capacity.Row, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		current := row.Current
		if !row.Known {
			current = -1 // is written in any case
		}
		list = append(list, capacity.Row{Type: row.Type, Zone: row.Zone, Target: row.Target, Current: current, Err: row.Err})
	}
	return list, err
}

// SetCurrent implements capacity.Table.
func (r *rowsOf) SetCurrent(ctx context.Context, row capacity.Row, current int) error {
	if r.err != nil {
		return r.err
	}
	return r.table.SetCurrent(ctx, table.Row{Type: row.Type, Zone: row.Zone}, current)
}

// Reservation implements capacity.Table.
func (r *rowsOf) Reservation(row capacity.Row) *reservation.Reservation {
	made := r.settings.Reservation(reservation.Part{Zone: row.Zone, Type: row.Type}, row.Target)
	made.Err = row.Err
	return made
}
