package awssim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const alarmFleet = `
resources:
  - {account: "111122223333", region: us-east-1, kind: ec2, name: web, id: i-0123456789abcdef0}
  - {account: "111122223333", region: us-east-1, kind: ec2, name: "many-###", count: 230}
  - {account: "111122223333", region: us-east-1, kind: rds, name: ledger}
  - {account: "111122223333", region: us-east-1, kind: rds_cluster, name: orders}
  - {account: "111122223333", region: us-east-1, kind: ecs, cluster: shop, name: cart}
  - {account: "111122223333", region: us-east-1, kind: asg, name: workers}
alarms:
  - {account: "111122223333", region: us-east-1, name: web, of: [web], missing: breaching}
  - {account: "111122223333", region: us-east-1, name: all, of: [i-0123456789abcdef0, ledger, orders, shop/cart, workers]}
  - {account: "111122223333", region: us-east-1, name: "many-###", of: ["many-###"], count: 230}
  - {account: "111122223333", region: us-east-1, name: queue, dimensions: {QueueName: jobs}, namespace: AWS/SQS, metric: Age, actions: [], muted: true}
`

func alarmCloud(t *testing.T, opt Options) (*Cloud, *manual) {
	t.Helper()
	m := newManual()
	opt.Now = m.now
	c := New(opt)
	f, err := ParseFleet([]byte(alarmFleet))
	if err == nil {
		err = c.Load(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, m
}

func alarmClient(c *Cloud) *cloudwatch.Client {
	return cloudwatch.NewFromConfig(sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider("111122223333", "x", "")))
}

func TestTheGoSDKAndAlarms(t *testing.T) {
	c, clock := alarmCloud(t, Options{Limits: Limits{Off: true}})
	client, ctx := alarmClient(c), t.Context()
	names, pages := []string{}, 0
	for p := cloudwatch.NewDescribeAlarmsPaginator(client, &cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm}, MaxRecords: aws.Int32(100)}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.MetricAlarms {
			names = append(names, aws.ToString(a.AlarmName))
		}
	}
	if len(names) != 233 || pages != 3 || !slices.IsSorted(names) {
		t.Errorf("%d alarms on %d pages", len(names), pages)
	}
	show := func(name string) types.MetricAlarm {
		t.Helper()
		out, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name, "nobody"}})
		if err != nil || len(out.MetricAlarms) != 1 || out.CompositeAlarms == nil {
			t.Fatalf("%s: %+v, %v", name, out, err)
		}
		return out.MetricAlarms[0]
	}
	web := show("web")
	if web.StateValue != types.StateValueOk || !aws.ToBool(web.ActionsEnabled) || len(web.AlarmActions) != 1 || aws.ToString(web.Dimensions[0].Value) != "i-0123456789abcdef0" ||
		aws.ToInt32(web.Period) != 60 || aws.ToFloat64(web.Threshold) != 90 || web.StateUpdatedTimestamp.IsZero() || aws.ToString(web.AlarmArn) != "arn:aws:cloudwatch:us-east-1:111122223333:alarm:web" {
		t.Errorf("web: %+v", web)
	}
	if all := show("all"); len(all.Metrics) != 6 || all.Metrics[3].MetricStat == nil || len(all.Metrics[3].MetricStat.Metric.Dimensions) != 2 || aws.ToString(all.Metrics[5].Expression) == "" || !aws.ToBool(all.Metrics[5].ReturnData) || all.Dimensions != nil {
		t.Errorf("all: %+v", all.Metrics)
	}
	if queue := show("queue"); aws.ToBool(queue.ActionsEnabled) || len(queue.AlarmActions) != 0 || aws.ToString(queue.Namespace) != "AWS/SQS" {
		t.Errorf("queue: %+v", queue)
	}

	// A stop makes it speak after three minutes, unless it is mute by then.
	state := func(name string) AlarmView {
		all := c.Alarms("111122223333", "us-east-1")
		return all[slices.IndexFunc(all, func(a AlarmView) bool { return a.Name == name })]
	}
	if err := c.StopInstance("i-0123456789abcdef0"); err != nil {
		t.Fatal(err)
	}
	clock.pass(2 * time.Minute)
	if s := state("web"); s.State != alarmOK || s.Told {
		t.Errorf("after two minutes: %+v", s)
	}
	if _, err := client.DisableAlarmActions(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{"web", "nobody"}}); err != nil {
		t.Fatal(err)
	}
	clock.pass(2 * time.Minute)
	if s := state("web"); s.State != alarmRaised || s.Told || s.Enabled {
		t.Errorf("muted in time: %+v", s)
	}
	if s := state("all"); s.State != alarmNoData || !s.Told {
		t.Errorf("not muted: %+v", s)
	}
	if _, err := client.EnableAlarmActions(ctx, &cloudwatch.EnableAlarmActionsInput{AlarmNames: []string{"web"}}); err != nil {
		t.Fatal(err)
	}
	if s := state("web"); !s.Enabled || s.Told {
		t.Errorf("enabled while it is raised: %+v", s)
	}

	// Made, changed and deleted.
	put := &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("nœud \"x\" <&>"), ComparisonOperator: types.ComparisonOperatorLessThanThreshold, EvaluationPeriods: aws.Int32(2), Threshold: aws.Float64(-1.5),
		Metrics: []types.MetricDataQuery{
			{Id: aws.String("m1"), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: aws.String("Sum"), Metric: &types.Metric{Namespace: aws.String("A"), MetricName: aws.String("B"), Dimensions: []types.Dimension{{Name: aws.String("InstanceId"), Value: aws.String("i-1")}}}}},
			{Id: aws.String("e1"), Expression: aws.String("m1*2"), ReturnData: aws.Bool(true)},
		},
		AlarmActions: []string{"arn:aws:sns:us-east-1:111122223333:x"}, ActionsEnabled: aws.Bool(false),
	}
	if _, err := client.PutMetricAlarm(ctx, put); err != nil {
		t.Fatal(err)
	}
	if made := show(*put.AlarmName); aws.ToFloat64(made.Threshold) != -1.5 || aws.ToBool(made.ActionsEnabled) || len(made.Metrics) != 2 || aws.ToString(made.Metrics[1].Expression) != "m1*2" {
		t.Errorf("made: %+v", made)
	}
	if _, err := client.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"web", "nobody"}}); code(err) != "ResourceNotFound" {
		t.Errorf("delete one that is not there: %v", err)
	}
	if _, err := client.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"web"}}); err != nil {
		t.Error(err)
	}
	for name, call := range map[string]func() error{
		"no names": func() error {
			_, err := client.DisableAlarmActions(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{}})
			return err
		},
		"101 names": func() error {
			_, err := client.EnableAlarmActions(ctx, &cloudwatch.EnableAlarmActionsInput{AlarmNames: names[:101]})
			return err
		},
		"a page of 101": func() error {
			_, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{MaxRecords: aws.Int32(101)})
			return err
		},
		"a token of another question": func() error {
			_, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{NextToken: aws.String("x")})
			return err
		},
	} {
		if err := call(); err == nil || !strings.HasPrefix(code(err), "Valid") && !strings.HasPrefix(code(err), "Invalid") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCloudWatchsLimits(t *testing.T) {
	c, _ := alarmCloud(t, Options{})
	client := alarmClient(c)
	for i := range 5 {
		_, err := client.EnableAlarmActions(t.Context(), &cloudwatch.EnableAlarmActionsInput{AlarmNames: []string{"web"}}, func(o *cloudwatch.Options) { o.Retryer = aws.NopRetryer{} })
		if refused := code(err) == "Throttling"; refused != (i >= 3) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

func TestAFleetFileOfAlarms(t *testing.T) {
	c, _ := alarmCloud(t, Options{})
	text, err := c.Snapshot().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFleet(text)
	if err == nil {
		err = New(Options{}).Load(f)
	}
	if err != nil || len(f.Alarms) != 233 {
		t.Errorf("read again: %d alarms, %v", len(f.Alarms), err)
	}
	for _, bad := range []struct{ alarm, complaint string }{
		{"name: x", "alarms[0].of: say either of or dimensions"},
		{"name: x, of: [a], dimensions: {A: b}", "say either"},
		{"name: \"a\\nb\", of: [a]", "control characters"},
		{"name: x, of: [a], missing: maybe", "missing, breaching"},
		{"name: x, of: [a], count: 2", "put # into it"},
	} {
		_, err := ParseFleet(fmt.Appendf(nil, "alarms:\n  - {account: \"111122223333\", region: us-east-1, %s}\n", bad.alarm))
		if err == nil || !strings.Contains(err.Error(), bad.complaint) {
			t.Errorf("%s: %v", bad.alarm, err)
		}
	}
	nobody := Fleet{Alarms: []Alarm{{Account: "111122223333", Region: "us-east-1", Name: "y", Of: []string{"nobody"}}}, Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "rds", Name: "left"}}}
	if err := c.Load(nobody); err == nil || !strings.Contains(err.Error(), `alarms[0].of: there is no "nobody"`) {
		t.Error(err)
	}
	if _, there := c.Database("111122223333", "us-east-1", "left"); there {
		t.Error("a fleet that is refused left something behind")
	}
	if err := c.Load(Fleet{Alarms: []Alarm{{Account: "111122223333", Region: "us-east-1", Name: "web", Of: []string{"web"}}}}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Error(err)
	}
}

// TestOthersClientsAndAlarms: boto3 and the command line speak Query or JSON, by their age.
func TestOthersClientsAndAlarms(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("other clients take seconds")
	}
	c, _ := alarmCloud(t, Options{Limits: Limits{Off: true}})
	s := serve(t, c)
	env := func(name string, args ...string) (string, error) {
		out, errs, err := program(t, s, name, args...)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, errs)
		}
		return out, err
	}
	if _, err := env("aws", "--version"); err == nil {
		out, err := env("env", "AWS_ACCESS_KEY_ID=111122223333", "aws", "cloudwatch", "describe-alarms", "--region", "us-east-1", "--alarm-names", "web", "all", "--output", "json")
		var answer struct {
			MetricAlarms []struct {
				AlarmName      string
				ActionsEnabled bool
				Metrics        []struct{ ID string }
			}
		}
		if err != nil || json.Unmarshal([]byte(out), &answer) != nil || len(answer.MetricAlarms) != 2 {
			t.Errorf("describe-alarms: %v %s", err, out)
		}
	}
	const script = `
import boto3
c = boto3.client('cloudwatch', region_name='us-east-1', aws_access_key_id='111122223333', aws_secret_access_key='x')
names = [a['AlarmName'] for p in c.get_paginator('describe_alarms').paginate() for a in p['MetricAlarms']]
c.disable_alarm_actions(AlarmNames=['web', 'nobody'])
web = c.describe_alarms(AlarmNames=['web'])['MetricAlarms'][0]
math = c.describe_alarms(AlarmNames=['all'])['MetricAlarms'][0]
c.enable_alarm_actions(AlarmNames=['web'])
c.put_metric_alarm(AlarmName='made', ComparisonOperator='LessThanThreshold', EvaluationPeriods=1, Period=60, MetricName='m', Namespace='n', Threshold=1.5, Dimensions=[{'Name': 'InstanceId', 'Value': 'i-1'}])
made = c.describe_alarms(AlarmNames=['made'])['MetricAlarms'][0]
try:
    c.delete_alarms(AlarmNames=['nobody'])
except Exception as e:
    print(e.response['Error']['Code'])
print(len(names), web['ActionsEnabled'], web['StateValue'], web['StateUpdatedTimestamp'].year, len(math['Metrics']), made['Dimensions'][0]['Value'], made['Threshold'])
`
	if _, err := env("python3", "-c", "import boto3"); err != nil {
		t.Skip("no boto3")
	}
	out, err := env("python3", "-c", script)
	if want := "ResourceNotFound\n233 False OK 2026 6 i-1 1.5"; err != nil || out != want {
		t.Errorf("boto3: %q, want %q (%v)", out, want, err)
	}
}

// The same question in the three protocols of CloudWatch, as old clients put it.
func TestAlarmsInQuery(t *testing.T) {
	c, m := alarmCloud(t, Options{Limits: Limits{Off: true}})
	k := caller{t: t, c: c, clock: m, key: "111122223333", region: "us-east-1", service: "monitoring"}
	a := k.call("DescribeAlarms", "AlarmNames.member.1", "web", "MaxRecords", "1", "Version", "2010-08-01")
	for _, part := range []string{"<DescribeAlarmsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">", "<MetricAlarms><member><AlarmName>web</AlarmName>", "<Dimensions><member><Name>InstanceId</Name>", "<CompositeAlarms></CompositeAlarms>"} {
		if a.err != nil || a.status != 200 || !strings.Contains(a.body, part) {
			t.Errorf("%+v lacks %s", a, part)
		}
	}
	if a := k.call("DisableAlarmActions", "AlarmNames.member.1", "web", "Version", "2010-08-01"); a.err != nil || a.status != 200 || c.Alarms("111122223333", "us-east-1")[232].Enabled {
		t.Errorf("%+v", a)
	}
	if a := k.call("DescribeAlarms", "AlarmNames.member.1", "web", "Nonsense", "1", "Version", "2010-08-01"); a.code != "UnknownParameter" {
		t.Errorf("%+v", a)
	}
}
