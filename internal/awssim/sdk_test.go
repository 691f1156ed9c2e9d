package awssim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// sdkConfig points the SDK at a simulator in process.
func sdkConfig(c *Cloud, region string, creds aws.CredentialsProvider) aws.Config {
	return aws.Config{
		Region: region, Credentials: creds, BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: c.Transport()}, RetryMaxAttempts: 3,
	}
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

// The SDK's own clients live through a working day in virtual time.
func TestTheGoSDKInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c := New(Options{Latency: 300 * time.Millisecond})
		if err := c.Load(Fleet{
			Accounts: []Account{{ID: "222233334444", Roles: []Role{{Name: "dayshift", ExternalID: "s3cret"}}}},
			Resources: []Resource{
				{Account: "222233334444", Region: "eu-west-1", Kind: "ec2", Count: 2300, Name: "web-####", State: "stopped", Tags: map[string]string{"Schedule": "office"}},
				{Account: "222233334444", Region: "eu-west-1", Kind: "rds", Count: 130, Name: "db-###", Tags: map[string]string{"Schedule": "office"}},
			},
		}); err != nil {
			t.Fatal(err)
		}
		base := sdkConfig(c, "eu-west-1", credentials.NewStaticCredentialsProvider("111122223333", "x", ""))
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(base), "arn:aws:iam::222233334444:role/dayshift", func(o *stscreds.AssumeRoleOptions) {
			o.ExternalID = aws.String("s3cret")
			o.RoleSessionName = "dayshift"
		})
		cfg := sdkConfig(c, "eu-west-1", aws.NewCredentialsCache(role))
		who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil || aws.ToString(who.Account) != "222233334444" {
			t.Fatalf("identity %+v %v", who, err)
		}

		api := ec2.NewFromConfig(cfg)
		var ids []string
		pages := 0
		p := ec2.NewDescribeInstancesPaginator(api, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(1000), Filters: []ec2types.Filter{
			{Name: aws.String("tag:Schedule"), Values: []string{"office"}}, {Name: aws.String("instance-state-name"), Values: []string{"stopped"}},
		}})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, r := range out.Reservations {
				for _, i := range r.Instances {
					ids = append(ids, aws.ToString(i.InstanceId))
					if i.State.Name != ec2types.InstanceStateNameStopped || i.Placement == nil || i.VpcId == nil || i.LaunchTime == nil ||
						aws.ToString(i.StateReason.Code) != "Client.UserInitiatedShutdown" || i.HibernationOptions == nil || len(i.BlockDeviceMappings) != 1 {
						t.Fatalf("an instance lacks something: %+v", i)
					}
				}
			}
		}
		if pages != 3 || len(ids) != 2300 {
			t.Fatalf("%d pages, %d instances", pages, len(ids))
		}

		began := time.Now()
		if _, err := api.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids[:1000]}); err != nil {
			t.Fatal(err)
		}
		_, err = api.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids[1000:1100]})
		if code(err) != "RequestLimitExceeded" {
			t.Errorf("the second hundred over the bucket: %v", err)
		}
		if err := ec2.NewInstanceRunningWaiter(api).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: ids[:10]}, 5*time.Minute); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d < 8*time.Second || d > time.Minute {
			t.Errorf("running after %v of virtual time", d)
		}
		_, err = api.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{"i-00000000000000001"}})
		if code(err) != "InvalidInstanceID.NotFound" {
			t.Errorf("unknown id: %v", err)
		}
		_, err = api.ModifyInstanceAttribute(ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: aws.String(ids[2000]), InstanceType: &ec2types.AttributeValue{Value: aws.String("m5.large")}})
		if err != nil {
			t.Error(err)
		}
		run, err := api.RunInstances(ctx, &ec2.RunInstancesInput{
			ImageId: aws.String("ami-0abcdef1234567890"), InstanceType: "t3.micro", MinCount: aws.Int32(1), MaxCount: aws.Int32(2),
			TagSpecifications: []ec2types.TagSpecification{{ResourceType: "instance", Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("new")}}}},
		})
		if err != nil || len(run.Instances) != 2 || run.Instances[1].State.Name != "pending" {
			t.Errorf("run: %+v %v", run, err)
		}
		if _, err := api.CreateTags(ctx, &ec2.CreateTagsInput{Resources: ids[:3], Tags: []ec2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}); err != nil {
			t.Error(err)
		}

		db := rds.NewFromConfig(cfg)
		n := 0
		dp := rds.NewDescribeDBInstancesPaginator(db, &rds.DescribeDBInstancesInput{MaxRecords: aws.Int32(100)})
		for dp.HasMorePages() {
			out, err := dp.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			n += len(out.DBInstances)
			if d := out.DBInstances[0]; len(d.TagList) != 1 || aws.ToString(d.DBInstanceStatus) != "available" || d.DBInstanceArn == nil || d.Endpoint == nil {
				t.Errorf("a database lacks something: %+v", d)
			}
		}
		if n != 130 {
			t.Errorf("%d databases", n)
		}
		if _, err := db.StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: aws.String("db-001"), DBSnapshotIdentifier: aws.String("snap-1")}); err != nil {
			t.Error(err)
		}
		var bad *rdstypes.InvalidDBInstanceStateFault
		if _, err := db.StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: aws.String("db-001")}); !errors.As(err, &bad) {
			t.Errorf("second stop: %v", err)
		}
		var gone *rdstypes.DBInstanceNotFoundFault
		if _, err := db.StartDBInstance(ctx, &rds.StartDBInstanceInput{DBInstanceIdentifier: aws.String("ghost")}); !errors.As(err, &gone) {
			t.Errorf("ghost: %v", err)
		}
		time.Sleep(8 * 24 * time.Hour) // virtual
		out, err := db.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String("db-001")})
		if err != nil || aws.ToString(out.DBInstances[0].DBInstanceStatus) != "available" {
			t.Errorf("a week later: %v %v", out, err) // and the role's session was renewed on the way
		}
	})
}

// Throttling is met by the SDK's own retries, in virtual time.
func TestTheGoSDKRetriesThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		cfg := sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider("111122223333", "x", ""))
		cfg.RetryMaxAttempts = 10
		api := ec2.NewFromConfig(cfg)
		for range 60 {
			if _, err := api.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}); err != nil {
				t.Fatal(err)
			}
		}
		s := c.Stats()
		if s.Throttled == 0 || s.Calls != 60+s.Throttled {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestTheGoSDKMeetsBrokenAnswers(t *testing.T) {
	for _, kind := range []FaultKind{FaultGarbage, FaultEmpty, FaultHTML, FaultCut, FaultReset, FaultUnreachable, FaultErrorIn200} {
		synctest.Test(t, func(t *testing.T) {
			f := Fault{Kind: kind}
			if kind == FaultErrorIn200 {
				f.Code = "InternalError"
			}
			c := New(Options{Faults: []Fault{f}})
			if err := c.Load(Fleet{Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "ec2", Count: 50}}}); err != nil {
				t.Fatal(err)
			}
			api := ec2.NewFromConfig(sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider("111122223333", "x", "")))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := api.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
			// What the SDK takes for an answer must not be the fleet.
			if err == nil && len(out.Reservations) > 0 {
				t.Errorf("%s: %d reservations came through", kind, len(out.Reservations))
			}
		})
	}
}
