package pass

import (
	"context"
	"log/slog"
	"sync"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
)

// askHealth reads what the provider's own checks say of the resources whose start
// is under way and is verified by them, and of no others. What can not be read
// stays unknown and is asked for again at the next look.
func (r *running) askHealth(ctx context.Context, scope fleet.Scope, resources []fleet.Resource, memories map[fleet.Ref]decide.Memory) {
	if r.Health == nil {
		return
	}
	waiting := map[fleet.Kind][]string{}
	for i := range resources {
		resource := &resources[i]
		if intent := memories[resource.Ref].Intent; intent != nil && intent.Verify && resource.State == fleet.Running {
			waiting[resource.Kind] = append(waiting[resource.Kind], resource.ID)
		}
	}
	if len(waiting) == 0 {
		return
	}
	var mu sync.Mutex
	found := map[fleet.Ref]cloud.Health{}
	var all sync.WaitGroup
	for kind, ids := range waiting {
		all.Go(func() {
			told, err := r.Health.Health(ctx, scope, kind, ids)
			if err != nil {
				r.Log.WarnContext(ctx, "the status checks of what was started can not be read", slog.String("scope", scope.String()), slog.Int("resources", len(ids)), slog.Any("error", err))
			}
			mu.Lock()
			defer mu.Unlock()
			for id, health := range told {
				found[fleet.Ref{Scope: scope, Kind: kind, ID: id}] = health
			}
		})
	}
	all.Wait()
	for i := range resources {
		resource := &resources[i]
		health := found[resource.Ref]
		resource.Health, resource.HealthReason = health.State, health.Reason
	}
}
