package awssim

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientFleet is what the clients that others wrote are shown.
func clientFleet(t *testing.T) *Server {
	t.Helper()
	c := New(Options{Speed: 600}) // minutes of RDS in a second
	if err := c.Load(Fleet{
		Organization: &Organization{Management: "444455556666"},
		Accounts:     []Account{{ID: "444455556666", Name: "shop", Partition: "aws-cn", Roles: []Role{{Name: "dayshift", ExternalID: "s3cret"}}}},
		Resources: []Resource{
			{Account: "444455556666", Region: "cn-north-1", Kind: "ec2", ID: "i-0123456789abcdef0", Name: "商城-dev-01", State: "stopped", Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "ec2", ID: "i-0123456789abcdef1", Spot: "persistent", State: "stopped"},
			{Account: "444455556666", Region: "cn-north-1", Kind: "ecs", Cluster: "web", Name: "cart-##", Count: 12, Desired: 2, Min: 1, Max: 4, Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "rds", Name: "shop-db", Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "eks", Cluster: "web", Name: "nodes", Min: 1, Desired: 2, Max: 4, Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "asg", Name: "workers", Min: 1, Desired: 2, Max: 4, Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "rds_cluster", Name: "orders", Engine: "docdb", Members: 1, Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "rds_cluster", Name: "ledger", Members: 2},
			{Account: "444455556666", Region: "cn-north-1", Kind: "redshift", Name: "sales", Tags: map[string]string{"Schedule": "cn-office-hours"}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "ec2", ID: "i-0123456789abcdef2", Guest: &Guest{Sessions: 1, Commands: []GuestCommand{{Contains: "backup", Exit: 3, Output: "busy"}}}},
			{Account: "444455556666", Region: "cn-north-1", Kind: "notebook", Name: "Study", Tags: map[string]string{"Schedule": "cn-office-hours"}},
		},
		Capacity:         []Capacity{{Zone: "cn-north-1a", Type: "c5.large", Free: 2}},
		TargetGroups:     []TargetGroup{{Account: "444455556666", Region: "cn-north-1", Name: "web", Balancer: "front", Targets: []string{"i-0123456789abcdef2"}, Draining: new(Duration)}},
		ClassicBalancers: []ClassicBalancer{{Account: "444455556666", Region: "cn-north-1", Name: "old", Targets: []string{"i-0123456789abcdef2"}, Draining: new(Duration)}},
		Functions:        []Function{{Account: "444455556666", Region: "cn-north-1", Name: "warm", Answer: `{"ok": true}`}, {Account: "444455556666", Region: "cn-north-1", Name: "broken", Error: "no"}},
		Topics:           []Topic{{Account: "444455556666", Region: "cn-north-1", Name: "alerts"}},
		Backups:          []Backup{{Account: "444455556666", Region: "cn-north-1", Of: "i-0123456789abcdef2", Kind: "job", For: Duration(1000 * time.Hour)}},
		Windows: []Window{
			{Account: "444455556666", Region: "cn-north-1", Name: "patch", Cron: "cron(0 2 ? * SUN *)", Timezone: "Asia/Shanghai", Hours: 3},
			{Account: "444455556666", Region: "cn-north-1", Name: "night", Cron: "cron(0 1 * * ? *)", Hours: 1},
		},
	}); err != nil {
		t.Fatal(err)
	}
	return serve(t, c)
}

// clientEnv is an environment in which a client can only reach the simulator.
func clientEnv(s *Server) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(env, "AWS_ENDPOINT_URL="+s.URL, "AWS_ACCESS_KEY_ID=444455556666", "AWS_SECRET_ACCESS_KEY=x",
		"AWS_DEFAULT_REGION=cn-north-1", "AWS_REGION=cn-north-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_MAX_ATTEMPTS=2", "PYTHONIOENCODING=utf-8", "LC_ALL=C.UTF-8")
}

func program(t *testing.T, s *Server, name string, args ...string) (string, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = clientEnv(s)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return strings.TrimSpace(out.String()), errs.String(), err
}

func TestTheAWSCommandLine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the aws command line takes seconds")
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("no aws command line on the PATH")
	}
	s := clientFleet(t)
	for _, tc := range []struct{ cmd, want, fails string }{
		{"ec2 describe-instances --filters Name=tag:Schedule,Values=cn-* --query Reservations[].Instances[].[InstanceId,State.Name,Tags[0].Value] --output text", "i-0123456789abcdef0\tstopped\t商城-dev-01", ""},
		{"ec2 describe-spot-instance-requests --filters Name=type,Values=persistent --query SpotInstanceRequests[].[InstanceId,State,Status.Code,LaunchSpecification.InstanceType] --output text", "i-0123456789abcdef1\tdisabled\tinstance-stopped-by-user\tt3.micro", ""},
		{"ec2 describe-instance-status --include-all-instances --instance-ids i-0123456789abcdef0 --query InstanceStatuses[].[InstanceState.Name,InstanceStatus.Status,SystemStatus.Status] --output text", "stopped\tnot-applicable\tnot-applicable", ""},
		{"ec2 describe-spot-instance-requests --spot-instance-request-ids sir-00000000", "", "(InvalidSpotInstanceRequestID.NotFound) when calling the DescribeSpotInstanceRequests operation: The spot instance request ID 'sir-00000000' does not exist"},
		{"ec2 stop-instances --instance-ids i-00000000000000001", "", "(InvalidInstanceID.NotFound) when calling the StopInstances operation: The instance ID 'i-00000000000000001' does not exist"},
		{"ec2 create-capacity-reservation --instance-type r5b.2xlarge --instance-platform Linux/UNIX --availability-zone cn-north-1a --instance-count 10 --client-token sale-1 --end-date-type limited --end-date 2100-01-01T00:00:00Z " +
			"--tag-specifications ResourceType=capacity-reservation,Tags=[{Key=dayshift:reservation,Value=sale}] --query CapacityReservation.[State,TotalInstanceCount,EndDateType,Tags[0].Value] --output text", "active\t10\tlimited\tsale", ""},
		{
			"ec2 create-capacity-reservation --instance-type r5b.2xlarge --instance-platform Linux/UNIX --availability-zone cn-north-1a --instance-count 11 --client-token sale-1 --end-date-type limited --end-date 2100-01-01T00:00:00Z",
			"", "(IdempotentParameterMismatch) when calling the CreateCapacityReservation operation",
		},
		{"ec2 create-capacity-reservation --instance-type c5.large --instance-platform Linux/UNIX --availability-zone cn-north-1a --instance-count 3", "", "(InsufficientInstanceCapacity) when calling the CreateCapacityReservation operation"},
		{"ec2 describe-capacity-reservations --filters Name=tag:dayshift:reservation,Values=sale --query CapacityReservations[].[InstanceType,AvailabilityZone,AvailableInstanceCount,InstanceMatchCriteria] --output text", "r5b.2xlarge\tcn-north-1a\t10\topen", ""},
		{"ec2 cancel-capacity-reservation --capacity-reservation-id cr-00000000000000001", "", "(InvalidCapacityReservationId.NotFound) when calling the CancelCapacityReservation operation"},
		{"ec2 describe-instance-types --instance-types t2.micro r5b.2xlarge --query InstanceTypes[].EbsInfo.EbsOptimizedSupport --output text", "default\tunsupported", ""},
		{"secretsmanager create-secret --name db --secret-string {\"username\":\"a\"} --query Name --output text", "db", ""},
		{"secretsmanager get-secret-value --secret-id db --query SecretString --output text", "{\"username\":\"a\"}", ""},
		{"secretsmanager get-secret-value --secret-id nothing", "", "(ResourceNotFoundException) when calling the GetSecretValue operation"},
		{"ssm describe-maintenance-windows --filters Key=Name,Values=patch --query WindowIdentities[].[Name,Enabled,Duration,ScheduleTimezone] --output text", "patch\tTrue\t3\tAsia/Shanghai", ""},
		{"elbv2 describe-target-groups --names web --query TargetGroups[].[TargetGroupName,TargetType,Port] --output text", "web\tinstance\t80", ""},
		{"elbv2 describe-target-groups --names ghost", "", "(TargetGroupNotFound) when calling the DescribeTargetGroups operation"},
		{"elb describe-load-balancers --query LoadBalancerDescriptions[].[LoadBalancerName,Instances[0].InstanceId] --output text", "old\ti-0123456789abcdef2", ""},
		{"elb deregister-instances-from-load-balancer --load-balancer-name old --instances i-0123456789abcdef2 --query length(Instances)", "0", ""},
		{"elb describe-instance-health --load-balancer-name old --instances i-0123456789abcdef2 --query InstanceStates[].Description --output text", "Instance is not currently registered with the LoadBalancer.", ""},
		{"elb register-instances-with-load-balancer --load-balancer-name old --instances i-00000000000000001", "", "(InvalidInstance) when calling the RegisterInstancesWithLoadBalancer operation"},
		{"ssm send-command --document-name AWS-RunShellScript --instance-ids i-0123456789abcdef2 --parameters commands=hostname --comment me --query Command.[Comment,TargetCount] --output text", "me\t1", ""},
		{"ssm send-command --document-name AWS-RunShellScript --instance-ids i-0123456789abcdef0 --parameters commands=hostname", "", "(InvalidInstanceId) when calling the SendCommand operation: Instances [[i-0123456789abcdef0]] not in a valid state for account 444455556666"},
		{"ssm describe-instance-information --filters Key=InstanceIds,Values=i-0123456789abcdef2 --query InstanceInformationList[].[PingStatus,PlatformType] --output text", "Online\tLinux", ""},
		{"ssm describe-sessions --state Active --query Sessions[].[Target,Status] --output text", "i-0123456789abcdef2\tConnected", ""},
		{"sns publish --topic-arn arn:aws-cn:sns:cn-north-1:444455556666:alerts --subject Info --message hello --query length(MessageId)", "36", ""},
		{"events put-events --entries Source=dayshift,DetailType=test,Detail='{}' --query length(Entries[0].EventId)", "36", ""},
		{"events put-events --entries Source=dayshift,DetailType=test,Detail=x --query length(Entries[0].ErrorCode)", "15", ""},
		{"events put-events --entries Source=dayshift,DetailType=test,Detail='{}',EventBusName=ghost", "", "(ResourceNotFoundException) when calling the PutEvents operation: Event bus ghost does not exist."},
		{"sns publish --topic-arn arn:aws-cn:sns:cn-north-1:444455556666:ghost --message hello", "", "(NotFound) when calling the Publish operation: Topic does not exist"},
		{"backup list-backup-jobs --by-state RUNNING --query BackupJobs[].ResourceArn --output text", "arn:aws-cn:ec2:cn-north-1:444455556666:instance/i-0123456789abcdef2", ""},
		{"ec2 describe-snapshots --owner-ids self --filters Name=status,Values=pending --query length(Snapshots)", "0", ""},
		{"organizations list-accounts --query Accounts[].[Id,Name,State] --output text", "444455556666\tshop\tACTIVE", ""},
		{"organizations list-accounts-for-parent --parent-id r-else1", "", "(ParentNotFoundException) when calling the ListAccountsForParent operation"},
		{"ssm describe-maintenance-windows --filters Key=Colour,Values=red", "", "(ValidationException) when calling the DescribeMaintenanceWindows operation"},
		{"eks update-nodegroup-config --cluster-name web --nodegroup-name nodes --scaling-config minSize=0,maxSize=1,desiredSize=0 --query update.status --output text", "InProgress", ""},
		{"eks describe-nodegroup --cluster-name web --nodegroup-name nodes --query nodegroup.[scalingConfig.desiredSize,scalingConfig.maxSize,tags.Schedule] --output text", "0\t1\tcn-office-hours", ""},
		{"eks describe-nodegroup --cluster-name web --nodegroup-name red", "", "(ResourceNotFoundException) when calling the DescribeNodegroup operation: No node group found for name: red."},
		{"resourcegroupstaggingapi get-resources --resource-type-filters eks:nodegroup --tag-filters Key=Schedule --query length(ResourceTagMappingList)", "1", ""},
		{"autoscaling update-auto-scaling-group --auto-scaling-group-name workers --min-size 0 --max-size 0 --desired-capacity 0", "", ""},
		{"autoscaling describe-auto-scaling-groups --filters Name=tag-key,Values=Schedule --query AutoScalingGroups[].[AutoScalingGroupName,MinSize,DesiredCapacity,MaxSize,length(Instances),Tags[0].Value] --output text", "workers\t0\t0\t0\t0\tcn-office-hours", ""},
		{"autoscaling update-auto-scaling-group --auto-scaling-group-name ghost --min-size 0", "", "(ValidationError) when calling the UpdateAutoScalingGroup operation: AutoScalingGroup name not found"},
		{"rds stop-db-instance --db-instance-identifier shop-db --query DBInstance.DBInstanceStatus --output text", "stopping", ""},
		{"rds describe-db-clusters --filters Name=db-cluster-id,Values=orders --query DBClusters[].[Engine,Status,DBClusterMembers[0].DBInstanceIdentifier,TagList[0].Value] --output text", "docdb\tavailable\torders-1\tcn-office-hours", ""},
		{"docdb stop-db-cluster --db-cluster-identifier orders --query DBCluster.Status --output text", "stopping", ""},
		{"rds create-db-cluster-snapshot --db-cluster-identifier ledger --db-cluster-snapshot-identifier safe --query DBClusterSnapshot.Status --output text", "creating", ""},
		{"rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier ghost", "", "(DBClusterSnapshotNotFoundFault)"},
		{"ecs update-service --cluster web --service cart-01 --desired-count 0 --query service.[desiredCount,runningCount,status,schedulingStrategy] --output text", "0\t2\tACTIVE\tREPLICA", ""},
		{"redshift pause-cluster --cluster-identifier sales --query Cluster.ClusterStatus --output text", "pausing", ""},
		{"redshift describe-clusters --tag-keys Schedule --query Clusters[].[ClusterIdentifier,NodeType,Tags[0].Value] --output text", "sales\tra3.xlplus\tcn-office-hours", ""},
		{"redshift resume-cluster --cluster-identifier ghost", "", "(ClusterNotFound) when calling the ResumeCluster operation: Cluster ghost not found."},
		{"sagemaker stop-notebook-instance --notebook-instance-name Study", "", ""},
		{"sagemaker list-notebook-instances --query NotebookInstances[].[NotebookInstanceName,NotebookInstanceArn,InstanceType] --output text", "Study\tarn:aws-cn:sagemaker:cn-north-1:444455556666:notebook-instance/study\tml.t3.medium", ""},
		{"sagemaker describe-notebook-instance --notebook-instance-name ghost", "", "(ValidationException) when calling the DescribeNotebookInstance operation: RecordNotFound"},
		{"sts assume-role --role-arn arn:aws-cn:iam::444455556666:role/dayshift --role-session-name me --external-id wrong", "", "(AccessDenied)"},
	} {
		out, errs, err := program(t, s, "aws", strings.Fields(tc.cmd)...)
		if (err != nil) != (tc.fails != "") || out != tc.want || !strings.Contains(errs, tc.fails) {
			t.Errorf("aws %s: %v\n%s\n%s", tc.cmd, err, out, errs)
		}
	}
}

const botoScript = `
import time
import boto3
from botocore.exceptions import ClientError
ec2, rds, sts = boto3.client("ec2"), boto3.client("rds"), boto3.client("sts")
image = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0]["ImageId"]
ids = [i["InstanceId"] for i in ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=12, MaxCount=12,
    TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Schedule", "Value": "office"}]}])["Instances"]]
ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
pages = list(ec2.get_paginator("describe_instances").paginate(Filters=[{"Name": "tag:Schedule", "Values": ["office"]}], PaginationConfig={"PageSize": 5}))
print(len(pages), sum(len(r["Instances"]) for p in pages for r in p["Reservations"]))
ec2.create_tags(Resources=ids, Tags=[{"Key": "Owner", "Value": "me & <you>"}])
print(ec2.describe_tags(Filters=[{"Name": "key", "Values": ["Owner"]}])["Tags"][0]["Value"])
ec2.terminate_instances(InstanceIds=ids)
rds.create_db_instance(DBInstanceIdentifier="new", DBInstanceClass="db.t3.micro", Engine="mysql", MasterUsername="u", MasterUserPassword="secret123", Tags=[{"Key": "a", "Value": "b"}])
rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="new", WaiterConfig={"Delay": 1, "MaxAttempts": 15})
db = rds.describe_db_instances(Filters=[{"Name": "engine", "Values": ["mysql"]}])["DBInstances"][0]
rds.add_tags_to_resource(ResourceName=db["DBInstanceArn"], Tags=[{"Key": "c", "Value": "d"}])
print(db["DBInstanceStatus"], len(rds.list_tags_for_resource(ResourceName=db["DBInstanceArn"])["TagList"]))
rds.stop_db_instance(DBInstanceIdentifier="new", DBSnapshotIdentifier="before")
rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before", WaiterConfig={"Delay": 1, "MaxAttempts": 15})
rds.create_db_cluster_snapshot(DBClusterIdentifier="ledger", DBClusterSnapshotIdentifier="safe", Tags=[{"Key": "a", "Value": "b"}])
rds.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier="safe", WaiterConfig={"Delay": 1, "MaxAttempts": 15})
rds.stop_db_cluster(DBClusterIdentifier="ledger")
print([(c["DBClusterIdentifier"], c["Status"], len(c["DBClusterMembers"])) for p in rds.get_paginator("describe_db_clusters").paginate() for c in p["DBClusters"]])
c = sts.assume_role(RoleArn="arn:aws-cn:iam::444455556666:role/dayshift", RoleSessionName="me", ExternalId="s3cret")["Credentials"]
s = boto3.client("sts", aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])
print(s.get_caller_identity()["Arn"])
ssm = boto3.client("ssm")
windows = [w for p in ssm.get_paginator("describe_maintenance_windows").paginate(PaginationConfig={"PageSize": 10}) for w in p["WindowIdentities"]]
print([(w["Name"], w["NextExecutionTime"][-12:-6]) for w in windows if w["Enabled"] and "ScheduleTimezone" in w])
asg = boto3.client("autoscaling")
asg.create_or_update_tags(Tags=[{"ResourceType": "auto-scaling-group", "ResourceId": "workers", "Key": "dayshift:saved", "Value": "1-2-4", "PropagateAtLaunch": False}])
asg.suspend_processes(AutoScalingGroupName="workers", ScalingProcesses=["AZRebalance"])
asg.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=3)
group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["workers"])["AutoScalingGroups"][0]
print(group["DesiredCapacity"], len(group["Instances"]), [p["ProcessName"] for p in group["SuspendedProcesses"]], {t["Key"]: t["Value"] for t in group["Tags"]}["dayshift:saved"])
ecs = boto3.client("ecs")
arns = [a for p in ecs.get_paginator("list_services").paginate(cluster="web", PaginationConfig={"PageSize": 5}) for a in p["serviceArns"]]
ecs.tag_resource(resourceArn=arns[0], tags=[{"key": "dayshift:saved", "value": "1-2-4 suspended=in+out"}])
ecs.update_service(cluster="web", service=arns[0], desiredCount=3)
ecs.get_waiter("services_stable").wait(cluster="web", services=[arns[0]], WaiterConfig={"Delay": 1, "MaxAttempts": 15})
d = ecs.describe_services(cluster="web", services=[arns[0], "ghost"], include=["TAGS"])
print(len(arns), d["services"][0]["runningCount"], d["services"][0]["tags"][-1]["value"], d["failures"][0]["reason"])
scaling = boto3.client("application-autoscaling")
one = {"ServiceNamespace": "ecs", "ResourceId": "service/web/cart-02", "ScalableDimension": "ecs:service:DesiredCount"}
scaling.register_scalable_target(SuspendedState={"DynamicScalingOutSuspended": True}, **one)
t = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[one["ResourceId"]])["ScalableTargets"][0]
found = boto3.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[{"Key": "Schedule"}], ResourceTypeFilters=["ecs:service"], PaginationConfig={"PageSize": 5})
print(t["MinCapacity"], t["MaxCapacity"], t["SuspendedState"]["DynamicScalingOutSuspended"], sum(len(p["ResourceTagMappingList"]) for p in found))
ecs.untag_resource(resourceArn=arns[0], tagKeys=["dayshift:saved"])
try:
    ecs.tag_resource(resourceArn=arns[0], tags=[{"key": "dayshift:saved", "value": "3;1"}])
except ClientError as e:
    print(e.response["Error"]["Code"], len(ecs.list_tags_for_resource(resourceArn=arns[0])["tags"]))
order = dict(InstanceType="m5.large", InstancePlatform="Linux/UNIX", AvailabilityZone="cn-north-1a", InstanceCount=10, ClientToken="sale-2")
ids = {ec2.create_capacity_reservation(**order)["CapacityReservation"]["CapacityReservationId"] for _ in range(2)}
cr = ids.pop()
ec2.modify_capacity_reservation(CapacityReservationId=cr, InstanceCount=37, EndDateType="limited", EndDate="2100-01-01T00:00:00Z")
pages = ec2.get_paginator("describe_capacity_reservations").paginate(Filters=[{"Name": "instance-type", "Values": ["m5.*"]}], PaginationConfig={"PageSize": 1})
usage = ec2.get_capacity_reservation_usage(CapacityReservationId=cr)
print(len(ids), [(r["TotalInstanceCount"], r["EndDate"].year, r["State"]) for p in pages for r in p["CapacityReservations"]], usage["AvailableInstanceCount"], ec2.cancel_capacity_reservation(CapacityReservationId=cr)["Return"])
try:
    ec2.modify_capacity_reservation(CapacityReservationId=cr, InstanceCount=38)
except ClientError as e:
    print(e.response["Error"]["Code"])
elb, web = boto3.client("elbv2"), [{"Id": "i-0123456789abcdef2"}]
arn = elb.describe_target_groups(PageSize=1)["TargetGroups"][0]["TargetGroupArn"]
elb.deregister_targets(TargetGroupArn=arn, Targets=web)
elb.get_waiter("target_deregistered").wait(TargetGroupArn=arn, Targets=web, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
out = elb.describe_target_health(TargetGroupArn=arn, Targets=web)["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"]
elb.register_targets(TargetGroupArn=arn, Targets=web)
elb.get_waiter("target_in_service").wait(TargetGroupArn=arn, Targets=web, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
print(out, {a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}["deregistration_delay.timeout_seconds"])
sent = ssm.send_command(InstanceIds=[web[0]["Id"]], DocumentName="AWS-RunShellScript", Comment="a token", Parameters={"commands": ["set -e", "backup --check"], "executionTimeout": ["60"]}, TimeoutSeconds=60)["Command"]["CommandId"]
for _ in range(20):
    done = [i for p in ssm.get_paginator("list_command_invocations").paginate(CommandId=sent, Details=True) for i in p["CommandInvocations"]][0]
    if done["Status"] not in ("Pending", "InProgress"): break
    time.sleep(0.2)
print(done["Status"], done["CommandPlugins"][0]["ResponseCode"], done["CommandPlugins"][0]["Output"], ssm.list_commands(CommandId=sent)["Commands"][0]["Comment"], ssm.get_command_invocation(CommandId=sent, InstanceId=web[0]["Id"])["ResponseCode"])
fn = boto3.client("lambda")
print(fn.invoke(FunctionName="warm", Payload=b"[1]")["Payload"].read().decode(), fn.invoke(FunctionName="broken").get("FunctionError"))
sns = boto3.client("sns")
print(len(sns.publish(TopicArn=sns.create_topic(Name="new")["TopicArn"], Message="hello", Subject="Info")["MessageId"]))
try:
    ec2.describe_volumes()
except ClientError as e:
    print(e.response["Error"]["Code"])
`

func TestBoto3(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("boto3 takes seconds")
	}
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("no python3 with boto3")
	}
	out, errs, err := program(t, clientFleet(t), "python3", "-c", botoScript)
	want := "3 12\nme & <you>\navailable 2\n[('ledger', 'stopping', 2), ('orders', 'available', 1)]\narn:aws-cn:sts::444455556666:assumed-role/dayshift/me\n[('patch', 'T02:00')]\n3 3 ['AZRebalance'] 1-2-4\n12 3 1-2-4 suspended=in+out MISSING\n1 4 True 12\nInvalidParameterException 1\n0 [(37, 2100, 'active')] 37 True\nInvalidCapacityReservationState\nTarget.NotRegistered 0\nFailed 3 busy a token 3\n{\"ok\": true} Unhandled\n36\nInvalidAction"
	if err != nil || out != want {
		t.Errorf("%v\n%s\n%s", err, out, errs)
	}
}
