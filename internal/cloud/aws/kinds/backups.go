package kinds

import (
	"context"
	"fmt"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/backup"
	backuptypes "github.com/aws/aws-sdk-go-v2/service/backup/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations that tell of backups.
const (
	describeSnapshots Operation = "ec2:DescribeSnapshots"
	listBackupJobs    Operation = "backup:ListBackupJobs"
)

const (
	// backupPage is the largest page of snapshots and of backup jobs.
	backupPage = 1000
	// leastSnapshots is the smallest page of snapshots.
	leastSnapshots = 5
	// volumesOfFilter is the most values that a filter of EC2 takes.
	volumesOfFilter = 200
)

// BackupPermissions are what the veto of a backup needs beside the permissions of
// the kinds, where workloads have one.
var BackupPermissions = []Permission{
	{Action: describeSnapshots, For: "see which volumes have a snapshot under way", Resource: "*", Optional: true},
	{Action: listBackupJobs, For: "see which jobs of AWS Backup are under way", Resource: "*", Optional: true},
}

// Backups tell what is being backed up in a scope.
type Backups struct {
	Env
	api backupClient
}

type backupClient struct {
	snapshots func(context.Context, *ec2.DescribeSnapshotsInput, ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error)
	instances func(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	jobs      func(context.Context, *backup.ListBackupJobsInput, ...func(*backup.Options)) (*backup.ListBackupJobsOutput, error)
}

// OpenBackups prepares the backups of a scope. It makes no call.
func OpenBackups(env Env) *Backups {
	e := ec2.NewFromConfig(env.SDK)
	return &Backups{Env: env, api: backupClient{e.DescribeSnapshots, e.DescribeInstances, backup.NewFromConfig(env.SDK).ListBackupJobs}}
}

// underWay are the states of a job that has not ended.
var underWay = []backuptypes.BackupJobState{backuptypes.BackupJobStateCreated, backuptypes.BackupJobStatePending, backuptypes.BackupJobStateRunning}

// Jobs gives, of resources by ARN, which have a job of AWS Backup under way, and into
// says so by what of names for the ARN.
func (b *Backups) Jobs(ctx context.Context, of map[string]string, into map[string]string) error {
	for _, state := range underWay { // a listing takes one state
		in := &backup.ListBackupJobsInput{ByState: state, MaxResults: sdk.Int32(backupPage)}
		err := pages(ctx, b.Read, listBackupJobs, "list backup jobs in "+b.Scope.String(), func(ctx context.Context, token *string) (*backup.ListBackupJobsOutput, error) {
			in.NextToken = token
			page, err := b.api.jobs(ctx, in)
			if err == nil && page.BackupJobs == nil {
				err = errNotTheAnswer("BackupJobs")
			}
			return page, err
		}, func(page *backup.ListBackupJobsOutput) (*string, error) {
			for i := range page.BackupJobs {
				job := &page.BackupJobs[i]
				if id := of[sdk.ToString(job.ResourceArn)]; id != "" {
					into[id] = fmt.Sprintf("backup job %s is %s", sdk.ToString(job.BackupJobId), job.State)
				}
			}
			return page.NextToken, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Snapshots says in into which of the instances have a volume of which a snapshot
// is pending. It asks for the pending snapshots of the account, mostly none, and
// then for who has the volumes.
func (b *Backups) Snapshots(ctx context.Context, ids []string, into map[string]string) error {
	snapshotOf := map[string]string{}
	in := &ec2.DescribeSnapshotsInput{
		OwnerIds: []string{"self"}, MaxResults: sdk.Int32(backupPage),
		Filters: []types.Filter{{Name: sdk.String("status"), Values: []string{string(types.SnapshotStatePending)}}},
	}
	err := pages(ctx, b.Read, describeSnapshots, "list pending snapshots in "+b.Scope.String(), func(ctx context.Context, token *string) (*ec2.DescribeSnapshotsOutput, error) {
		in.NextToken = token
		page, err := b.api.snapshots(ctx, in)
		if err == nil && page.Snapshots == nil {
			err = errNotTheAnswer("snapshotSet")
		}
		return page, err
	}, func(page *ec2.DescribeSnapshotsOutput) (*string, error) {
		for i := range page.Snapshots {
			snapshotOf[sdk.ToString(page.Snapshots[i].VolumeId)] = sdk.ToString(page.Snapshots[i].SnapshotId)
		}
		return page.NextToken, nil
	})
	if err != nil {
		return err
	}
	volumes := make([]string, 0, len(snapshotOf))
	for volume := range snapshotOf {
		volumes = append(volumes, volume)
	}
	slices.Sort(volumes)
	for chunk := range slices.Chunk(volumes, volumesOfFilter) {
		in := &ec2.DescribeInstancesInput{
			MaxResults: sdk.Int32(backupPage), Filters: []types.Filter{{Name: sdk.String("block-device-mapping.volume-id"), Values: chunk}},
		}
		err := pages(ctx, b.Read, describeInstances, "find the instances of volumes in "+b.Scope.String(), func(ctx context.Context, token *string) (*ec2.DescribeInstancesOutput, error) {
			in.NextToken = token
			page, err := b.api.instances(ctx, in)
			if err == nil && page.Reservations == nil {
				err = errNotTheAnswer("reservationSet")
			}
			return page, err
		}, func(page *ec2.DescribeInstancesOutput) (*string, error) {
			for i := range page.Reservations {
				for j := range page.Reservations[i].Instances {
					instance := &page.Reservations[i].Instances[j]
					for _, device := range instance.BlockDeviceMappings {
						if device.Ebs == nil || !slices.Contains(ids, sdk.ToString(instance.InstanceId)) {
							continue
						}
						if volume := sdk.ToString(device.Ebs.VolumeId); snapshotOf[volume] != "" {
							into[*instance.InstanceId] = fmt.Sprintf("snapshot %s of %s is pending", snapshotOf[volume], volume)
						}
					}
				}
			}
			return page.NextToken, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// BackupARN is the name that AWS Backup has for a resource; empty for a kind that it does not back up.
func BackupARN(scope fleet.Scope, kind fleet.Kind, id string) string {
	switch kind {
	case fleet.EC2Instance:
		return arn(scope, "ec2", "instance/"+id)
	case fleet.RDSInstance:
		return arn(scope, "rds", "db:"+id)
	case fleet.RDSCluster:
		return arn(scope, "rds", "cluster:"+id)
	case fleet.RedshiftCluster:
		return arn(scope, "redshift", "cluster:"+id)
	}
	return ""
}

// Probe tries to list what is being backed up.
func (b *Backups) Probe(ctx context.Context) []cloud.Finding {
	snapshots := b.Read(ctx, describeSnapshots, func(ctx context.Context) error {
		_, err := b.api.snapshots(ctx, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, MaxResults: sdk.Int32(leastSnapshots)})
		return err
	})
	jobs := b.Read(ctx, listBackupJobs, func(ctx context.Context) error {
		_, err := b.api.jobs(ctx, &backup.ListBackupJobsInput{MaxResults: sdk.Int32(1)})
		return err
	})
	return []cloud.Finding{probeFinding(say.Word("list snapshots"), describeSnapshots, snapshots), probeFinding(say.Word("list backup jobs"), listBackupJobs, jobs)}
}
