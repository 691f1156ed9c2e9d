package pass

import (
	"context"
	"log/slog"
	"sync"

	"dayshift/internal/cloud"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
)

// askHealth reads what the provider's own checks say of the resources whose start
// is under way and is verified by them, and of no others. What can not be read
// stays unknown and is asked for again at the next look.
func (r *running) askHealth(ctx context.Context, seen *discover.Seen) {
	type group struct {
		scope fleet.Scope
		kind  fleet.Kind
	}
	waiting := map[group][]string{}
	for i := range seen.Resources {
		resource := &seen.Resources[i]
		if intent := r.memories[resource.Ref].Intent; intent != nil && intent.Verify && resource.State == fleet.Running {
			g := group{resource.Scope, resource.Kind}
			waiting[g] = append(waiting[g], resource.ID)
		}
	}
	if len(waiting) == 0 || r.Health == nil {
		return
	}
	var mu sync.Mutex
	found := map[fleet.Ref]cloud.Health{}
	var all sync.WaitGroup
	for g, ids := range waiting {
		all.Go(func() {
			told, err := r.Health.Health(ctx, g.scope, g.kind, ids)
			if err != nil {
				r.Log.WarnContext(ctx, "the status checks of what was started can not be read", slog.String("scope", g.scope.String()), slog.Int("resources", len(ids)), slog.Any("error", err))
			}
			mu.Lock()
			defer mu.Unlock()
			for id, health := range told {
				found[fleet.Ref{Scope: g.scope, Kind: g.kind, ID: id}] = health
			}
		})
	}
	all.Wait()
	for i := range seen.Resources {
		resource := &seen.Resources[i]
		health := found[resource.Ref]
		resource.Health, resource.HealthReason = health.State, health.Reason
	}
}
