package pass

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
)

// Letting go of snapshots: two calls for each database that has stopped, beside
// which nobody waits for anything.
const (
	replacements   = 16
	replaceTimeout = 2 * time.Minute
)

// letGo deletes the snapshots that those of the stops that were seen to end have
// replaced. What fails, or is cut off by a crash, the next stop of the same
// database makes up for: it lets go of all that came before it.
func (r *running) letGo(ctx context.Context) {
	if r.Snapshots == nil {
		return
	}
	ctx, cancel := context.WithTimeout(cloud.WithPermit(ctx, r.mayAct), replaceTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(replacements)
	for _, settled := range r.report.Settled {
		if settled.Ended != decide.HasStopped || settled.Snapshot == "" || r.mayAct() != nil {
			continue
		}
		group.Go(func() error {
			ref := settled.Resource.Ref
			if err := r.Snapshots.Replace(ctx, ref.Scope, ref.Kind, settled.Resource, settled.Snapshot); err != nil {
				r.Log.WarnContext(ctx, "snapshots of earlier stops are still there; the next stop of the database tries again",
					slog.String("resource", ref.String()), slog.String("snapshot", settled.Snapshot), slog.Any("error", err))
			}
			return nil
		})
	}
	_ = group.Wait() // what failed is said in the log
}
