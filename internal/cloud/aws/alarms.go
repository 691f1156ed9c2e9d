package aws

import (
	"context"
	"fmt"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.AlarmKeeper = (*Cloud)(nil)

// openAlarms returns the alarms of the scope, with credentials that are good. It
// keeps nothing: alarms are looked at when something stops or is back.
func (c *Cloud) openAlarms(ctx context.Context, scope fleet.Scope) (*kinds.Alarms, error) {
	a, err := c.account(scope)
	if err != nil {
		return nil, err
	}
	if _, err := a.credentials(ctx); err != nil {
		return nil, err
	}
	shared, err := a.base.load(ctx)
	if err != nil {
		return nil, err
	}
	return kinds.OpenAlarms(c.env(a, scope, shared)), nil
}

// Alarms implements cloud.AlarmKeeper.
func (c *Cloud) Alarms(ctx context.Context, scope fleet.Scope, resources []fleet.Resource) ([]cloud.Alarm, error) {
	of := map[fleet.Kind][]fleet.Resource{}
	for i := range resources {
		of[resources[i].Kind] = append(of[resources[i].Kind], resources[i])
	}
	var watched []kinds.Watched
	for _, row := range kinds.Registry {
		if len(of[row.Kind]) == 0 {
			continue
		}
		handle, err := c.open(ctx, scope, row.Kind)
		if err != nil {
			return nil, fmt.Errorf("list alarms: %w", err)
		}
		more, err := row.Watch(ctx, handle, of[row.Kind])
		if err != nil {
			return nil, fmt.Errorf("list alarms: %w", err)
		}
		watched = append(watched, more...)
	}
	if len(watched) == 0 {
		return nil, nil
	}
	alarms, err := c.openAlarms(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("list alarms: %w", err)
	}
	return alarms.List(ctx, watched)
}

// Mute implements cloud.AlarmKeeper.
func (c *Cloud) Mute(ctx context.Context, scope fleet.Scope, names []string) error {
	alarms, err := c.openAlarms(ctx, scope)
	if err != nil {
		return fmt.Errorf("mute alarms: %w", err)
	}
	return alarms.Mute(ctx, names)
}

// Restore implements cloud.AlarmKeeper.
func (c *Cloud) Restore(ctx context.Context, scope fleet.Scope, names []string) ([]string, error) {
	alarms, err := c.openAlarms(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("restore alarms: %w", err)
	}
	return alarms.Restore(ctx, names)
}
