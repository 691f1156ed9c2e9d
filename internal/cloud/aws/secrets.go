package aws

import (
	"context"
	"fmt"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.SecretReader = (*Cloud)(nil)

// Secret implements cloud.SecretReader.
func (c *Cloud) Secret(ctx context.Context, scope fleet.Scope, id string) (string, error) {
	env, err := c.enter(ctx, scope)
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", id, err)
	}
	return kinds.OpenSecrets(env).Get(ctx, id)
}

// enter returns what calls in the scope are made with, with credentials that are good.
func (c *Cloud) enter(ctx context.Context, scope fleet.Scope) (kinds.Env, error) {
	a, err := c.account(scope)
	if err != nil {
		return kinds.Env{}, err
	}
	if _, err := a.credentials(ctx); err != nil {
		return kinds.Env{}, err
	}
	shared, err := a.base.load(ctx)
	if err != nil {
		return kinds.Env{}, err
	}
	return c.env(a, scope, shared), nil
}
