package aws

import (
	"context"
	"fmt"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.BackupLister = (*Cloud)(nil)

// backingUp is RDS's word for a database of which a backup or snapshot is taken.
const backingUp = "backing-up"

// BackingUp implements cloud.BackupLister.
func (c *Cloud) BackingUp(ctx context.Context, scope fleet.Scope, kind fleet.Kind, ids []string) (map[string]string, error) {
	backups, err := opened(ctx, c, scope, kinds.OpenBackups)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	under, names := map[string]string{}, map[string]string{}
	for _, id := range ids {
		if name := kinds.BackupARN(scope, kind, id); name != "" {
			names[name] = id
		}
	}
	if len(names) == 0 {
		return under, nil
	}
	if err := backups.Jobs(ctx, names, under); err != nil {
		return nil, err
	}
	switch kind {
	case fleet.EC2Instance:
		err = backups.Snapshots(ctx, ids, under)
	case fleet.RDSInstance, fleet.RDSCluster:
		var resources []fleet.Resource
		resources, err = c.List(ctx, scope, kind, cloud.Query{IDs: ids})
		for i := range resources {
			if r := &resources[i]; r.Native == backingUp && under[r.ID] == "" {
				under[r.ID] = backingUp
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return under, nil
}
