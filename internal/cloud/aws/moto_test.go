package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecsapi "github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	balancertypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	sagemakertypes "github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// motoSpoke is entered by a role: moto's accounts are those of the roles.
const motoSpoke = fleet.AccountID("444455556666")

var motoScopes = []fleet.Scope{{Account: cloudtest.MotoAccount, Region: "eu-central-1"}, {Account: motoSpoke, Region: "eu-central-1"}}

// motoCloud is the product on moto.
func motoCloud(t *testing.T, endpoint string) *Cloud {
	t.Helper()
	c, err := New(Config{
		Endpoint: endpoint, TagKey: cloudtest.TagKey,
		Accounts: []Account{
			{ID: cloudtest.MotoAccount, Regions: []fleet.Region{"eu-central-1"}},
			{ID: motoSpoke, RoleARN: "arn:aws:iam::444455556666:role/dayshift", Regions: []fleet.Region{"eu-central-1"}},
		},
		Credentials: StaticKey("any", "any"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// motoMaker fills moto by the SDK alone, as somebody else's program would.
type motoMaker struct {
	*testing.T
	ctx context.Context
	sdk sdk.Config
}

func (m *motoMaker) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal("fill moto:", err)
	}
}

func fill(t *testing.T, c *Cloud, seed fleet.Resource) {
	t.Helper()
	session, err := c.Session(t.Context(), seed.Scope)
	if err != nil {
		t.Fatal(err)
	}
	m := &motoMaker{T: t, ctx: t.Context(), sdk: session.SDK}
	stopped := seed.State == fleet.Stopped
	switch seed.Kind {
	case fleet.EC2Instance:
		m.instance(seed, stopped)
	case fleet.RDSInstance:
		m.database(seed, stopped)
	case fleet.RDSCluster:
		m.cluster(seed, stopped)
	case fleet.AutoScalingGroup:
		m.group(seed, stopped)
	case fleet.ECSService:
		m.service(seed, stopped)
	case fleet.RedshiftCluster:
		m.warehouse(seed, stopped)
	case fleet.SageMakerNotebook:
		m.notebook(seed, stopped)
	}
}

func motoTags[T any](seed fleet.Resource, tag func(key, value string) T) (tags []T) {
	for key, value := range seed.Tags {
		tags = append(tags, tag(key, value))
	}
	return tags
}

func (m *motoMaker) instance(seed fleet.Resource, stopped bool) {
	client := ec2.NewFromConfig(m.sdk)
	tags := motoTags(seed, func(key, value string) ec2types.Tag { return ec2types.Tag{Key: &key, Value: &value} })
	tags = append(tags, ec2types.Tag{Key: sdk.String("Name"), Value: &seed.Name})
	run, err := client.RunInstances(m.ctx, &ec2.RunInstancesInput{
		ImageId: m.image(client), InstanceType: ec2types.InstanceType(seed.Type), MinCount: sdk.Int32(1), MaxCount: sdk.Int32(1),
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: tags}},
	})
	m.must(err)
	if stopped {
		_, err := client.StopInstances(m.ctx, &ec2.StopInstancesInput{InstanceIds: []string{*run.Instances[0].InstanceId}})
		m.must(err)
	}
}

func rdsTags(seed fleet.Resource) []rdstypes.Tag {
	return motoTags(seed, func(key, value string) rdstypes.Tag { return rdstypes.Tag{Key: &key, Value: &value} })
}

func (m *motoMaker) database(seed fleet.Resource, stopped bool) {
	client := rds.NewFromConfig(m.sdk)
	_, err := client.CreateDBInstance(m.ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: &seed.Name, DBInstanceClass: &seed.Type, Engine: sdk.String("mysql"), AllocatedStorage: sdk.Int32(20),
		MasterUsername: sdk.String("admin"), MasterUserPassword: sdk.String("not-a-secret"), Tags: rdsTags(seed),
	})
	m.must(err)
	if stopped {
		_, err := client.StopDBInstance(m.ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: &seed.Name})
		m.must(err)
	}
}

func (m *motoMaker) cluster(seed fleet.Resource, stopped bool) {
	client := rds.NewFromConfig(m.sdk)
	_, err := client.CreateDBCluster(m.ctx, &rds.CreateDBClusterInput{
		DBClusterIdentifier: &seed.Name, Engine: &seed.Type, MasterUsername: sdk.String("admin"), MasterUserPassword: sdk.String("not-a-secret"), Tags: rdsTags(seed),
	})
	m.must(err)
	member := seed.Name + "-1"
	_, err = client.CreateDBInstance(m.ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: &member, DBClusterIdentifier: &seed.Name, DBInstanceClass: sdk.String("db.t3.medium"), Engine: &seed.Type,
	})
	m.must(err)
	if stopped {
		_, err := client.StopDBCluster(m.ctx, &rds.StopDBClusterInput{DBClusterIdentifier: &seed.Name})
		m.must(err)
	}
}

// sizes are those of a scaled kind.
func sizes(seed fleet.Resource, stopped bool) (low, desired, high int32) {
	if stopped {
		return 0, 0, 1
	}
	if _, err := fmt.Sscanf(seed.Size, "%d-%d-%d", &low, &desired, &high); err != nil {
		return 1, 1, 1
	}
	return low, desired, high
}

func (m *motoMaker) group(seed fleet.Resource, stopped bool) {
	client := autoscaling.NewFromConfig(m.sdk)
	launch := "launch-" + seed.Name
	_, err := client.CreateLaunchConfiguration(m.ctx, &autoscaling.CreateLaunchConfigurationInput{
		LaunchConfigurationName: &launch, ImageId: m.image(ec2.NewFromConfig(m.sdk)), InstanceType: &seed.Type,
	})
	m.must(err)
	low, desired, high := sizes(seed, stopped)
	_, err = client.CreateAutoScalingGroup(m.ctx, &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &seed.Name, LaunchConfigurationName: &launch, AvailabilityZones: []string{string(seed.Scope.Region) + "a"},
		MinSize: &low, DesiredCapacity: &desired, MaxSize: &high,
		Tags: motoTags(seed, func(key, value string) asgtypes.Tag {
			return asgtypes.Tag{Key: &key, Value: &value, ResourceId: &seed.Name, ResourceType: sdk.String("auto-scaling-group"), PropagateAtLaunch: sdk.Bool(false)}
		}),
	})
	m.must(err)
}

func (m *motoMaker) service(seed fleet.Resource, stopped bool) {
	client := ecsapi.NewFromConfig(m.sdk)
	const cluster, family = "shop", "web"
	if _, err := client.CreateCluster(m.ctx, &ecsapi.CreateClusterInput{ClusterName: sdk.String(cluster)}); err != nil {
		m.must(err)
	}
	_, err := client.RegisterTaskDefinition(m.ctx, &ecsapi.RegisterTaskDefinitionInput{
		Family: sdk.String(family), ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: sdk.String("web"), Image: sdk.String("web"), Memory: sdk.Int32(64)}},
	})
	m.must(err)
	_, desired, _ := sizes(seed, stopped)
	_, err = client.CreateService(m.ctx, &ecsapi.CreateServiceInput{
		Cluster: sdk.String(cluster), ServiceName: &seed.Name, TaskDefinition: sdk.String(family), DesiredCount: &desired, LaunchType: ecstypes.LaunchTypeFargate,
		Tags: motoTags(seed, func(key, value string) ecstypes.Tag { return ecstypes.Tag{Key: &key, Value: &value} }),
	})
	m.must(err)
}

func (m *motoMaker) warehouse(seed fleet.Resource, stopped bool) {
	client := redshift.NewFromConfig(m.sdk)
	_, err := client.CreateCluster(m.ctx, &redshift.CreateClusterInput{
		ClusterIdentifier: &seed.Name, NodeType: &seed.Type, MasterUsername: sdk.String("admin"), MasterUserPassword: sdk.String("Not-a-secret-1"),
		Tags: motoTags(seed, func(key, value string) redshifttypes.Tag { return redshifttypes.Tag{Key: &key, Value: &value} }),
	})
	m.must(err)
	if stopped {
		_, err := client.PauseCluster(m.ctx, &redshift.PauseClusterInput{ClusterIdentifier: &seed.Name})
		m.must(err)
	}
}

func (m *motoMaker) notebook(seed fleet.Resource, stopped bool) {
	client := sagemaker.NewFromConfig(m.sdk)
	_, err := client.CreateNotebookInstance(m.ctx, &sagemaker.CreateNotebookInstanceInput{
		NotebookInstanceName: &seed.Name, InstanceType: sagemakertypes.InstanceType(seed.Type), RoleArn: sdk.String(fmt.Sprintf("arn:aws:iam::%s:role/notebooks", seed.Scope.Account)),
		Tags: motoTags(seed, func(key, value string) sagemakertypes.Tag { return sagemakertypes.Tag{Key: &key, Value: &value} }),
	})
	m.must(err)
	if stopped {
		_, err := client.StopNotebookInstance(m.ctx, &sagemaker.StopNotebookInstanceInput{NotebookInstanceName: &seed.Name})
		m.must(err)
	}
}

// image is one that moto knows; asking for all that it knows takes it seconds.
func (m *motoMaker) image(client *ec2.Client) *string {
	images, err := client.DescribeImages(m.ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: []ec2types.Filter{{Name: sdk.String("name"), Values: []string{"amzn-ami-hvm*"}}}})
	m.must(err)
	if len(images.Images) == 0 {
		m.Fatal("moto knows no image")
	}
	return images.Images[0].ImageId
}

// What the product does with resources it does on moto too, as far as moto goes.
func TestCloudOnMoto(t *testing.T) {
	endpoint := cloudtest.Moto(t)
	cloudtest.Exercise(t, cloudtest.Harness{
		Scopes: motoScopes,
		// Node groups are left out: moto tags none of them and finds none by tags.
		Kinds: []fleet.Kind{fleet.EC2Instance, fleet.RDSInstance, fleet.RDSCluster, fleet.ECSService, fleet.AutoScalingGroup, fleet.RedshiftCluster, fleet.SageMakerNotebook},
		Except: map[string]string{
			"a large fleet is listed whole":                               "moto takes minutes to make thousands of resources",
			"a listing by id leaves out what is gone":                     "moto takes minutes to make thousands of resources",
			"a listing says where things are":                             "moto chooses networks and addresses by itself",
			"health is told of what was started":                          "what moto starts is fit at once",
			"hibernation that is not set up is unsupported":               "moto stops it instead",
			"the type of a stopped machine changes, of a running one not": "moto changes that of a running one",
			"a machine that reboots stays running, a database comes back": "moto reboots what is stopped",
			"a probe finds each ability and changes nothing":              "moto knows no dry run of every call",
			"what is scaled comes back as it was: ecs_service":            "moto takes a service whose tasks are being stopped for one that is being deployed",
		},
		Open: func(t *testing.T, seeds []fleet.Resource) cloudtest.World {
			cloudtest.ResetMoto(t, endpoint)
			c := motoCloud(t, endpoint)
			for _, seed := range seeds {
				fill(t, c, seed)
			}
			return cloudtest.World{Cloud: c, Pass: func(time.Duration) {}}
		},
	})
}

// The same of load balancers.
func TestBalancersOnMoto(t *testing.T) {
	endpoint := cloudtest.Moto(t)
	cloudtest.ExerciseBalancer(t, cloudtest.BalancerHarness{
		Instant: true,
		Except: map[string]string{
			"many groups are all looked at":                                                                "moto takes most of a minute to make them",
			"where nothing sends traffic members are unused":                                               "moto calls them healthy",
			"who is taken out of a Classic load balancer drains and is out, who is put in becomes healthy": "moto shows who is out as out of service",
			"doing it twice is as doing it once":                                                           "moto refuses to take out what is out, which AWS says it does not",
			"with a group that is gone everybody is out":                                                   "moto fails (500) where a Classic load balancer is gone",
		},
		Open: func(t *testing.T, instances int, groups []cloudtest.Group) cloudtest.BalancerWorld {
			cloudtest.ResetMoto(t, endpoint)
			c := motoCloud(t, endpoint)
			scope := motoScopes[0]
			session, err := c.Session(t.Context(), scope)
			if err != nil {
				t.Fatal(err)
			}
			m := &motoMaker{T: t, ctx: t.Context(), sdk: session.SDK}
			machines := ec2.NewFromConfig(m.sdk)
			w := cloudtest.BalancerWorld{Balancer: c, Scope: scope, Pass: func(time.Duration) {}, Halt: func(id string) {
				_, err := machines.StopInstances(m.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}})
				m.must(err)
			}}
			many := int32(instances)
			run, err := machines.RunInstances(m.ctx, &ec2.RunInstancesInput{ImageId: m.image(machines), InstanceType: ec2types.InstanceTypeT3Micro, MinCount: &many, MaxCount: &many})
			m.must(err)
			for _, instance := range run.Instances {
				w.IDs = append(w.IDs, *instance.InstanceId)
			}
			networks := m.networks(machines)
			for _, group := range groups {
				w.Groups = append(w.Groups, m.balanced(group, networks, w.IDs))
			}
			return w
		},
	})
}

// networks are two subnets of the default network, the first in zone a.
func (m *motoMaker) networks(client *ec2.Client) []ec2types.Subnet {
	found, err := client.DescribeSubnets(m.ctx, &ec2.DescribeSubnetsInput{})
	m.must(err)
	if len(found.Subnets) < 2 {
		m.Fatalf("moto has %d subnets", len(found.Subnets))
	}
	return found.Subnets[:2]
}

// balanced makes the group with its members, and returns the name that the contract has for it.
func (m *motoMaker) balanced(group cloudtest.Group, networks []ec2types.Subnet, ids []string) string {
	if group.Classic {
		client := elasticloadbalancing.NewFromConfig(m.sdk)
		_, err := client.CreateLoadBalancer(m.ctx, &elasticloadbalancing.CreateLoadBalancerInput{
			LoadBalancerName: &group.Name, AvailabilityZones: []string{*networks[0].AvailabilityZone},
			Listeners: []classictypes.Listener{{Protocol: sdk.String("http"), LoadBalancerPort: 80, InstancePort: sdk.Int32(80)}},
		})
		m.must(err)
		var members []classictypes.Instance
		for _, n := range group.Members {
			members = append(members, classictypes.Instance{InstanceId: &ids[n]})
		}
		if len(members) > 0 {
			_, err = client.RegisterInstancesWithLoadBalancer(m.ctx, &elasticloadbalancing.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &group.Name, Instances: members})
			m.must(err)
		}
		return group.Name
	}
	client := elasticloadbalancingv2.NewFromConfig(m.sdk)
	made, err := client.CreateTargetGroup(m.ctx, &elasticloadbalancingv2.CreateTargetGroupInput{Name: &group.Name, Protocol: balancertypes.ProtocolEnumHttp, Port: sdk.Int32(80), VpcId: networks[0].VpcId})
	m.must(err)
	arn := *made.TargetGroups[0].TargetGroupArn
	if !group.Idle {
		front := "front-" + group.Name
		balancer, err := client.CreateLoadBalancer(m.ctx, &elasticloadbalancingv2.CreateLoadBalancerInput{Name: &front, Subnets: []string{*networks[0].SubnetId, *networks[1].SubnetId}})
		m.must(err)
		_, err = client.CreateListener(m.ctx, &elasticloadbalancingv2.CreateListenerInput{
			LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: balancertypes.ProtocolEnumHttp, Port: sdk.Int32(80),
			DefaultActions: []balancertypes.Action{{Type: balancertypes.ActionTypeEnumForward, TargetGroupArn: &arn}},
		})
		m.must(err)
	}
	var members []balancertypes.TargetDescription
	for _, n := range group.Members {
		members = append(members, balancertypes.TargetDescription{Id: &ids[n], Port: sdk.Int32(80)})
	}
	if len(members) > 0 {
		_, err = client.RegisterTargets(m.ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: &arn, Targets: members})
		m.must(err)
	}
	return arn
}

// A message arrives whole and as it was at who listens to its topic.
func TestPublishOnMoto(t *testing.T) {
	c := motoCloud(t, cloudtest.Moto(t))
	session, err := c.Session(t.Context(), motoScopes[1])
	if err != nil {
		t.Fatal(err)
	}
	m := &motoMaker{T: t, ctx: t.Context(), sdk: session.SDK}
	topics, queues := sns.NewFromConfig(m.sdk), sqs.NewFromConfig(m.sdk)
	topic, err := topics.CreateTopic(m.ctx, &sns.CreateTopicInput{Name: sdk.String("dayshift")})
	m.must(err)
	queue, err := queues.CreateQueue(m.ctx, &sqs.CreateQueueInput{QueueName: sdk.String("people")})
	m.must(err)
	arn := fmt.Sprintf("arn:aws:sqs:%s:%s:people", motoScopes[1].Region, motoScopes[1].Account)
	_, err = topics.Subscribe(m.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: sdk.String("sqs"), Endpoint: &arn})
	m.must(err)

	const text = "Stopping 3 resources <now>: 서울 사무실, 上海\n\"quoted\""
	if err := c.Publish(t.Context(), *topic.TopicArn, "Dayshift", text); err != nil {
		t.Fatal(err)
	}
	got, err := queues.ReceiveMessage(m.ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 2})
	m.must(err)
	var envelope struct{ Subject, Message, TopicArn string }
	if len(got.Messages) != 1 || json.Unmarshal([]byte(*got.Messages[0].Body), &envelope) != nil || envelope.Message != text || envelope.Subject != "Dayshift" {
		t.Errorf("%+v %+v", got.Messages, envelope)
	}
	if err := c.Publish(t.Context(), *topic.TopicArn+"-gone", "Dayshift", text); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("to a topic that is gone: %v", err)
	}
}

// A secret is read by its name and by its ARN.
func TestSecretOnMoto(t *testing.T) {
	c := motoCloud(t, cloudtest.Moto(t))
	session, err := c.Session(t.Context(), motoScopes[1])
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"username":"dayshift","password":"p\"ä","host":"db","port":3306,"dbname":"odcr"}`
	made, err := secretsmanager.NewFromConfig(session.SDK).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: sdk.String("odcr/db"), SecretString: sdk.String(text)})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"odcr/db", *made.ARN} {
		if got, err := c.Secret(t.Context(), motoScopes[1], id); err != nil || got != text {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
	if _, err := c.Secret(t.Context(), motoScopes[0], "odcr/db"); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("in an account that does not have it: %v", err)
	}
}
