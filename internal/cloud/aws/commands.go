package aws

import (
	"context"
	"fmt"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.Commander = (*Cloud)(nil)

// Send implements cloud.Commander.
func (c *Cloud) Send(ctx context.Context, scope fleet.Scope, command cloud.Command) (string, error) {
	commands, err := opened(ctx, c, scope, kinds.OpenCommands)
	if err != nil {
		return "", fmt.Errorf("send a command: %w", err)
	}
	return commands.Send(ctx, command)
}

// Results implements cloud.Commander.
func (c *Cloud) Results(ctx context.Context, scope fleet.Scope, id string) (map[string]cloud.CommandResult, error) {
	commands, err := opened(ctx, c, scope, kinds.OpenCommands)
	if err != nil {
		return nil, fmt.Errorf("see how a command stands: %w", err)
	}
	return commands.Results(ctx, id)
}

// Reachable implements cloud.Commander.
func (c *Cloud) Reachable(ctx context.Context, scope fleet.Scope, ids []string) (map[string]bool, error) {
	commands, err := opened(ctx, c, scope, kinds.OpenCommands)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	return commands.Reachable(ctx, ids)
}

// Sessions implements cloud.Commander.
func (c *Cloud) Sessions(ctx context.Context, scope fleet.Scope, ids []string) (map[string]int, error) {
	commands, err := opened(ctx, c, scope, kinds.OpenCommands)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return commands.Sessions(ctx, ids)
}
