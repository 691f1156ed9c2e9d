package aws

import (
	"context"
	"fmt"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Reserver is the side of a Cloud that holds capacity: both contracts have a
// Reserve, of room for calls there and of machines here.
type Reserver struct{ c *Cloud }

var (
	_ cloud.Reserver   = Reserver{}
	_ cloud.TypeReader = Reserver{}
	_ cloud.Grouper    = Reserver{}
)

// Reserver returns the side that holds capacity.
func (c *Cloud) Reserver() Reserver { return Reserver{c} }

type typeKey struct {
	region fleet.Region
	name   string
}

// openReservations returns the reservations of the scope, with credentials that are good.
func (c *Cloud) openReservations(ctx context.Context, scope fleet.Scope) (*kinds.Reservations, error) {
	env, err := c.enter(ctx, scope)
	if err != nil {
		return nil, err
	}
	return kinds.OpenReservations(env), nil
}

// Reservations implements cloud.Reserver.
func (r Reserver) Reservations(ctx context.Context, scope fleet.Scope) ([]cloud.Reservation, error) {
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("list capacity reservations: %w", err)
	}
	return reservations.List(ctx)
}

// Reserve implements cloud.Reserver.
func (r Reserver) Reserve(ctx context.Context, scope fleet.Scope, order cloud.Order, token string) (cloud.Reservation, error) {
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return cloud.Reservation{}, fmt.Errorf("reserve capacity: %w", err)
	}
	return reservations.Reserve(ctx, order, token)
}

// Modify implements cloud.Reserver.
func (r Reserver) Modify(ctx context.Context, scope fleet.Scope, id string, change cloud.Change) error {
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return fmt.Errorf("modify capacity reservation %s: %w", id, err)
	}
	return reservations.Modify(ctx, id, change)
}

// Cancel implements cloud.Reserver.
func (r Reserver) Cancel(ctx context.Context, scope fleet.Scope, id string) error {
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return fmt.Errorf("cancel capacity reservation %s: %w", id, err)
	}
	return reservations.Cancel(ctx, id)
}

// Groups implements cloud.Grouper.
func (r Reserver) Groups(ctx context.Context, scope fleet.Scope, id string) ([]string, error) {
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("list the groups of capacity reservation %s: %w", id, err)
	}
	return reservations.Groups(ctx, id)
}

// Group implements cloud.Grouper.
func (r Reserver) Group(ctx context.Context, scope fleet.Scope, group, id string) error {
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return fmt.Errorf("put capacity reservation %s into group %s: %w", id, group, err)
	}
	return reservations.Group(ctx, group, id)
}

// TypeInfo implements cloud.TypeReader.
func (r Reserver) TypeInfo(ctx context.Context, scope fleet.Scope, name string) (cloud.TypeInfo, error) {
	key := typeKey{scope.Region, name}
	r.c.mu.Lock()
	info, known := r.c.types[key]
	r.c.mu.Unlock()
	if known {
		return info, nil
	}
	reservations, err := r.c.openReservations(ctx, scope)
	if err != nil {
		return cloud.TypeInfo{}, fmt.Errorf("describe instance type %s: %w", name, err)
	}
	if info, err = reservations.TypeInfo(ctx, name); err != nil {
		return cloud.TypeInfo{}, err
	}
	r.c.mu.Lock()
	r.c.types[key] = info
	r.c.mu.Unlock()
	return info, nil
}
