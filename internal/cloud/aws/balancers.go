package aws

import (
	"context"
	"fmt"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.Balancer = (*Cloud)(nil)

// opened makes what works in the scope, with credentials that are good. It keeps
// nothing: what workloads ask for is asked for when something starts or stops.
func opened[T any](ctx context.Context, c *Cloud, scope fleet.Scope, open func(kinds.Env) T) (T, error) {
	var none T
	a, err := c.account(scope)
	if err != nil {
		return none, err
	}
	if _, err := a.credentials(ctx); err != nil {
		return none, err
	}
	shared, err := a.base.load(ctx)
	if err != nil {
		return none, err
	}
	return open(c.env(a, scope, shared)), nil
}

// Memberships implements cloud.Balancer.
func (c *Cloud) Memberships(ctx context.Context, scope fleet.Scope, ids []string) ([]cloud.Membership, error) {
	balancers, err := opened(ctx, c, scope, kinds.OpenBalancers)
	if err != nil {
		return nil, fmt.Errorf("find load balancers: %w", err)
	}
	return balancers.Memberships(ctx, ids, func(ctx context.Context, ids []string) (map[string]bool, error) {
		resources, err := c.List(ctx, scope, fleet.EC2Instance, cloud.Query{IDs: ids})
		vpcs := map[string]bool{}
		for i := range resources {
			vpcs[resources[i].VPC] = true
		}
		return vpcs, err
	})
}

// Standing implements cloud.Balancer.
func (c *Cloud) Standing(ctx context.Context, scope fleet.Scope, members []cloud.Membership) ([]cloud.Standing, error) {
	balancers, err := opened(ctx, c, scope, kinds.OpenBalancers)
	if err != nil {
		return nil, fmt.Errorf("see how members of load balancers stand: %w", err)
	}
	return balancers.Standing(ctx, members)
}

// Deregister implements cloud.Balancer.
func (c *Cloud) Deregister(ctx context.Context, scope fleet.Scope, members []cloud.Membership) error {
	balancers, err := opened(ctx, c, scope, kinds.OpenBalancers)
	if err != nil {
		return fmt.Errorf("take out of load balancers: %w", err)
	}
	return balancers.Deregister(ctx, members)
}

// Register implements cloud.Balancer.
func (c *Cloud) Register(ctx context.Context, scope fleet.Scope, members []cloud.Membership) error {
	balancers, err := opened(ctx, c, scope, kinds.OpenBalancers)
	if err != nil {
		return fmt.Errorf("put into load balancers: %w", err)
	}
	return balancers.Register(ctx, members)
}
