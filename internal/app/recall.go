package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"

	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/store"
)

// recalledGaps bounds how many rows are read back for gaps: one that is older than so many others is told again.
const recalledGaps = 2000

// toldGaps are the scopes of which people were told last that they can not be seen, by whichever process, with the reason.
func (a *App) toldGaps(ctx context.Context) (map[fleet.Scope]string, error) {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	gaps, closed := map[fleet.Scope]string{}, map[fleet.Scope]int64{}
	for _, event := range []store.Event{store.EventGapClosed, store.EventGap} {
		rows, err := a.Store.Activity(limited, store.ActivityQuery{Event: event, Last: true, Limit: recalledGaps})
		if err != nil {
			return nil, fmt.Errorf("read which gaps people were told of: %w", err)
		}
		for i := range rows {
			switch row := &rows[i]; {
			case row.Ref.Scope == fleet.Scope{}:
			case row.Reason == pass.GapClosed:
				closed[row.Ref.Scope] = row.Seq
			case row.Reason == pass.GapOpen && row.Seq > closed[row.Ref.Scope]:
				gaps[row.Ref.Scope] = row.Detail
			}
		}
	}
	return gaps, nil
}

// recall takes over what people were told by whoever acted before. What cannot be read is told again.
func (d *Daemon) recall(ctx context.Context) {
	gaps, err := d.toldGaps(ctx)
	if err != nil {
		d.Log.WarnContext(ctx, "which gaps people were told of could not be read; they are told again", slog.Any("error", err))
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	here := scopesOf(d.Config)
	maps.DeleteFunc(gaps, func(scope fleet.Scope, _ string) bool { return !here[scope] })
	d.known.Gaps = gaps
}
